//! Where the action log is: on this machine, or in the table of a deployment.

use std::convert::Infallible;
use std::env;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[cfg(feature = "aws")]
use tripline_aws::DynamoStore;
use tripline_runtime::{EmbeddedStore, Journal, LOG_FILE, Store, StoreError, log_text};
use tripline_text::Untrusted;

use crate::exit::Failure;
use crate::input::user;

/// What a deployment's table begins with, where a directory could stand.
const TABLE: &str = "dynamodb://";

/// Where an action log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogPlace {
    /// In a directory of this machine.
    Directory(PathBuf),
    /// In a deployment's table.
    Table(String),
}

impl FromStr for LogPlace {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix(TABLE) {
            Some(table) => Self::Table(table.to_owned()),
            None => Self::Directory(text.into()),
        })
    }
}

impl LogPlace {
    /// The one that is meant: what was given, else what the environment says, else this user's own.
    pub(crate) fn meant(given: Option<&Self>) -> Result<Self, Failure> {
        // What is no text can only be a directory.
        let named = || {
            let named = env::var_os("TRIPLINE_STATE")?;
            let place = named.to_str().and_then(|text| text.parse().ok());
            Some(place.unwrap_or_else(|| Self::Directory(named.into())))
        };
        match given.cloned().or_else(named) {
            Some(place) => Ok(place),
            None => own_directory().map(Self::Directory),
        }
    }

    /// The directory, for what only a machine keeps.
    pub(crate) fn directory(self) -> Result<PathBuf, Failure> {
        match self {
            Self::Directory(directory) => Ok(directory),
            Self::Table(table) => Err(Failure::Usage {
                message: format!("what is known here is not kept in `{TABLE}{table}`"),
                hint: "name a directory of this machine by --state",
            }),
        }
    }
}

/// The state directory of whoever runs this.
pub(crate) fn own_directory() -> Result<PathBuf, Failure> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".local/state"));
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from).or_else(home);
    state.map(|state| state.join("tripline")).ok_or_else(|| Failure::Usage {
        message: "no state directory is known".to_owned(),
        hint: "name one by --state or TRIPLINE_STATE",
    })
}

/// The store of an action log.
#[derive(Debug)]
pub(crate) enum Logbook {
    Here(EmbeddedStore),
    #[cfg(feature = "aws")]
    There(DynamoStore),
}

impl Store for Logbook {
    async fn lines(&self) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Here(store) => store.lines().await,
            #[cfg(feature = "aws")]
            Self::There(store) => store.lines().await,
        }
    }

    async fn append(&self, from: u64, lines: &[String]) -> Result<(), StoreError> {
        match self {
            Self::Here(store) => store.append(from, lines).await,
            #[cfg(feature = "aws")]
            Self::There(store) => store.append(from, lines).await,
        }
    }
}

/// The action log, open for more.
pub(crate) async fn journal(given: Option<&LogPlace>) -> Result<Journal<Logbook>, Failure> {
    let (store, actor) = match LogPlace::meant(given)? {
        LogPlace::Directory(directory) => {
            (Logbook::Here(EmbeddedStore::open(&directory)?), Untrusted::new(user()))
        }
        // Others read it who know nothing of this machine's users.
        LogPlace::Table(table) => (there(table).await?, identity().await?),
    };
    Ok(Journal::open(store, actor).await?)
}

/// The action log as JSON lines, whoever is adding to it at this moment.
pub(crate) async fn text(place: LogPlace) -> Result<String, Failure> {
    match place {
        LogPlace::Directory(directory) => text_of(&directory),
        LogPlace::Table(table) => {
            let lines = there(table).await?.lines().await?;
            Ok(lines.into_iter().map(|line| line + "\n").collect())
        }
    }
}

fn text_of(directory: &Path) -> Result<String, Failure> {
    log_text(directory)
        .map_err(|source| Failure::Unreadable { path: directory.join(LOG_FILE), source })
}

#[cfg(feature = "aws")]
async fn there(table: String) -> Result<Logbook, Failure> {
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    Ok(Logbook::There(DynamoStore::new(&aws, table)))
}

/// Whoever AWS says this is.
#[cfg(feature = "aws")]
async fn identity() -> Result<Untrusted<'static>, Failure> {
    let aws = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let hands = tripline_aws::IamResponder::new(&aws, None).await.map_err(Failure::Aws)?;
    Ok(hands.identity().untrusted().into_owned())
}

#[cfg(not(feature = "aws"))]
async fn identity() -> Result<Untrusted<'static>, Failure> {
    Err(crate::switch::without_aws())
}

#[cfg(not(feature = "aws"))]
async fn there(_: String) -> Result<Logbook, Failure> {
    Err(crate::switch::without_aws())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_told_from_a_directory() {
        let place = |text: &str| text.parse::<LogPlace>().unwrap();
        assert_eq!(place("dynamodb://tripline"), LogPlace::Table("tripline".to_owned()));
        assert_eq!(place("dynamodb/tripline"), LogPlace::Directory("dynamodb/tripline".into()));
        let error = place("dynamodb://tripline").directory().unwrap_err();
        assert!(error.to_string().contains("not kept in `dynamodb://tripline`"), "{error}");
    }
}
