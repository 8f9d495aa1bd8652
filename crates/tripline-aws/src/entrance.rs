//! Where records come in, and who is believed.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_config::SdkConfig;
use serde_json::Value;
use thiserror::Error;
use tripline_cloudtrail::EventTime;
use tripline_engine::{Provenance, Pulse};
use tripline_iam::AccountId;
use tripline_runtime::{Ask, ObjectRef, Page};
use tripline_text::{Untrusted, escape};

use crate::s3::{ObjectError, Objects};

/// Fetches what messages ask for, from where trails write.
#[derive(Debug)]
pub struct Entrance {
    objects: Objects,
    buckets: BTreeSet<String>,
    accounts: BTreeSet<AccountId>,
}

/// Why what a message asks for is not taken in.
#[derive(Debug, Error)]
pub enum Rejected {
    /// It will not be otherwise the next time.
    #[error("{0}")]
    Poison(String),
    /// The same again may do.
    #[error("{0}")]
    Passing(String),
}

impl Entrance {
    /// Objects are fetched from these buckets only; records in messages are believed of these
    /// accounts, or of all if none is named.
    pub fn new(aws: &SdkConfig, buckets: BTreeSet<String>, accounts: BTreeSet<AccountId>) -> Self {
        Self { objects: Objects::new(aws), buckets, accounts }
    }

    /// The pages that a message of this name asks for.
    ///
    /// # Errors
    /// [`Rejected`]; then the message is not taken in at all.
    pub async fn pages(
        &self,
        asks: &[Ask],
        name: &str,
    ) -> Result<Vec<(Page, Provenance)>, Rejected> {
        let mut pages = Vec::new();
        for ask in asks {
            match ask {
                Ask::Object(object) => pages.push((self.fetch(object).await?, Provenance::Trail)),
                Ask::Records(json) => {
                    self.believe(json)?;
                    let file = Arc::new(Untrusted::new(name.to_owned()));
                    pages.push((Page { file, bytes: json.clone() }, Provenance::Event));
                }
                // Of these only that they arrived counts: see `pulses`.
                Ask::Digest(_) | Ask::Tick => {}
                Ask::Decided(_) | Ask::Pressed(_) => {
                    return Err(Rejected::Poison("is for the responder".to_owned()));
                }
            }
        }
        Ok(pages)
    }

    /// The signs of life that a message tells of `now`: digests that arrived where trails of ours write
    /// them.
    pub fn pulses(&self, asks: &[Ask], now: EventTime) -> Vec<Pulse> {
        let digests = asks.iter().filter_map(|ask| match ask {
            Ask::Digest(object) => Some(object),
            Ask::Object(_) | Ask::Records(_) | Ask::Tick | Ask::Decided(_) | Ask::Pressed(_) => {
                None
            }
        });
        let ours =
            digests.filter(|digest| digest.is_a_digest(&self.buckets) && self.watches(digest));
        ours.filter_map(|digest| Pulse::of_digest(digest.key.as_unescaped(), now)).collect()
    }

    fn watches(&self, object: &ObjectRef) -> bool {
        self.accounts.is_empty()
            || object.account().is_some_and(|account| self.accounts.contains(&account))
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Page, Rejected> {
        if !object.is_a_trails(&self.buckets) {
            let bucket = escape::terminal(&object.bucket);
            return Err(Rejected::Poison(format!(
                "names an object in `{bucket}` that is not where a trail of ours writes"
            )));
        }
        if !self.watches(object) {
            return Err(not_watched());
        }
        self.objects.fetch(object).await.map_err(|error| match error {
            ObjectError::Final(why) => Rejected::Poison(why),
            ObjectError::Passing(why) => Rejected::Passing(why),
        })
    }

    /// An event bus says whose account it is; a subscription of logs was made by hand, for one group.
    fn believe(&self, json: &[u8]) -> Result<(), Rejected> {
        if self.accounts.is_empty() {
            return Ok(());
        }
        let event: Value = serde_json::from_slice(json).unwrap_or_default();
        if event.get("awslogs").is_some() {
            return Ok(());
        }
        let account = event.get("account").and_then(Value::as_str);
        match account.and_then(|account| AccountId::parse(account).ok()) {
            Some(account) if self.accounts.contains(&account) => Ok(()),
            _ => Err(not_watched()),
        }
    }
}

fn not_watched() -> Rejected {
    Rejected::Poison("is of no account that is watched".to_owned())
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_is_not_ours_is_not_even_fetched() {
        let aws = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        let account = AccountId::parse("111122223333").unwrap();
        let entrance = Entrance::new(&aws, ["trail".to_owned()].into(), [account].into());
        let object = |bucket: &str, key: &str| {
            let owned = |text: &str| Untrusted::new(text.to_owned());
            vec![Ask::Object(ObjectRef { bucket: owned(bucket), key: owned(key) })]
        };
        let records = |value: Value| vec![Ask::Records(value.to_string().into_bytes())];
        for (asks, why) in [
            (object("evil", "AWSLogs/111122223333/CloudTrail/x"), "not where a trail"),
            (object("trail", "AWSLogs/444455556666/CloudTrail/x"), "no account"),
            (records(json!({"account": "444455556666", "detail": {}})), "no account"),
            (records(json!({"detail": {}})), "no account"),
            (vec![Ask::Decided(json!({}))], "responder"),
            (vec![Ask::Pressed(json!({}))], "responder"),
        ] {
            let rejected = entrance.pages(&asks, "m").await.unwrap_err();
            assert!(matches!(rejected, Rejected::Poison(_)) && rejected.to_string().contains(why));
        }
        for told in [json!({"account": "111122223333"}), json!({"awslogs": {"data": ""}})] {
            let pages = entrance.pages(&records(told), "m").await.unwrap();
            assert_eq!(pages[0].1, Provenance::Event);
        }
    }
}
