//! How people answer, with the secrets that it takes.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use thiserror::Error;
use tripline_chat::{Door, Links, SigningKey, Ways, WeakKey};
use tripline_engine::{Approvals, Person, SecretRef};

use crate::secrets::{SecretError, resolve};

/// How people answer.
#[derive(Clone, Debug, Default)]
pub struct Approving {
    /// Whom to believe.
    pub door: Door,
    /// What people show at links, by their names.
    pub passphrases: BTreeMap<String, SigningKey>,
    /// What messages offer.
    pub ways: Ways,
}

/// A secret that cannot be used; the part that needs it is left out. No secret is repeated in it.
#[derive(Debug, Error)]
pub enum ApprovingError {
    /// It cannot be had.
    #[error("{of}: {source}")]
    Secret {
        /// Where it stands in the settings.
        of: String,
        /// Why not.
        source: SecretError,
    },
    /// It is none.
    #[error("{of}: it cannot be used: {source}")]
    Key {
        /// Where it stands in the settings.
        of: String,
        /// Why not.
        source: WeakKey,
    },
}

impl Approving {
    /// What the settings ask for, and what of it cannot be had.
    pub async fn of(
        aws: &SdkConfig,
        approvals: &Approvals,
        people: &[Person],
    ) -> (Self, Vec<ApprovingError>) {
        let (door, mut errors) = door(aws, approvals).await;
        let mut passphrases = BTreeMap::new();
        for person in people {
            let of = format!("the passphrase of `{}`", person.name);
            match key(aws, of, person.passphrase.as_ref()).await {
                Ok(Some(key)) => {
                    passphrases.insert(person.name.clone(), key);
                }
                Ok(None) => {}
                Err(error) => errors.push(error),
            }
        }
        let may = people.iter().flat_map(|person| person.may.iter().copied());
        let ways = Ways {
            has_buttons: door.slack.is_some(),
            links: door.links.clone(),
            presses: may.collect::<BTreeSet<_>>(),
        };
        (Self { door, passphrases, ways }, errors)
    }
}

/// Whom to believe; what somebody's passphrase is, is not asked.
pub async fn door(aws: &SdkConfig, approvals: &Approvals) -> (Door, Vec<ApprovingError>) {
    let mut errors = Vec::new();
    let slack = approvals.slack_signing_secret.as_ref();
    let slack = key(aws, "approvals.slack_signing_secret".to_owned(), slack).await;
    let links = key(aws, "approvals.link_key".to_owned(), approvals.link_key.as_ref()).await;
    let mut usable = |key: Result<Option<SigningKey>, ApprovingError>| {
        key.map_err(|error| errors.push(error)).ok().flatten()
    };
    let (slack, key) = (usable(slack), usable(links));
    let lasts_secs = i64::from(approvals.link_hours.get()).saturating_mul(3_600);
    let links = key.zip(approvals.url.as_deref());
    let links = links.map(|(key, url)| Links::new(url, key, lasts_secs));
    (Door { slack, links }, errors)
}

async fn key(
    aws: &SdkConfig,
    of: String,
    place: Option<&SecretRef>,
) -> Result<Option<SigningKey>, ApprovingError> {
    let Some(place) = place else { return Ok(None) };
    let secret = match resolve(aws, place).await {
        Ok(secret) => secret,
        Err(source) => return Err(ApprovingError::Secret { of, source }),
    };
    let key = SigningKey::new(secret.trim().as_bytes());
    key.map(Some).map_err(|source| ApprovingError::Key { of, source })
}
