//! Models in a place that many read: written once, named by their content, and found by one pointer.
//!
//! ```text
//! current.json         the pointer: which root is in force, and since when
//! objects/<digest>     a root: which core, and which shard of agents is where
//!                      a shard: which agent's part is where
//!                      a core: settings, classes, fleet, decisions, the calibration of all
//!                      a part: one agent's scope, baseline, and its own highest score
//! ```
//!
//! What is written is never written over, only the pointer is, and only by whoever saw it last. So
//! whoever reads has all of one edition or all of another; and with each edition only what is new is
//! written, and only the agents that are at work are read, however many there are.

mod depot;
mod follow;
mod publish;
#[cfg(test)]
mod tests;

pub use depot::{Depot, DepotError, Got, LocalDepot, Only, Pending};
pub use follow::{Edition, Library, News};
pub use publish::{Published, publish};

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tripline_detector::Score;

use crate::settings::SettingsProblem;

/// The pointer's key.
const POINTER: &str = "current.json";
/// The version of all formats here. Another one is refused: what it leaves out would be taken for
/// permission.
const VERSION: u32 = 1;
/// How many agents share a shard, about.
const AGENTS_PER_SHARD: usize = 128;
/// Their number's limit, so that a root stays small.
const SHARDS_MAX: usize = 4_096;

/// A content's name: SHA-256, as hex.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(Box<str>);

impl Digest {
    fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn key(&self) -> String {
        format!("objects/{}", self.0)
    }

    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let digits = self.0.as_bytes().chunks(2);
        for (byte, digits) in bytes.iter_mut().zip(digits) {
            let text = std::str::from_utf8(digits).unwrap_or_default();
            *byte = u8::from_str_radix(text, 16).unwrap_or_default();
        }
        bytes
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Models that cannot be read or written.
#[derive(Debug, Error)]
pub enum LibraryError {
    /// The place failed.
    #[error(transparent)]
    Depot(#[from] DepotError),
    /// What should be there is not.
    #[error("`{0}` is missing, or may not be read")]
    Missing(String),
    /// It is not what was written.
    #[error("`{0}` is damaged: its content is another than its name says")]
    Damaged(String),
    /// It cannot be understood.
    #[error("`{key}` is not a model of ours: {why}")]
    Foreign {
        /// Which object.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// A newer program wrote it.
    #[error("`{key}` has format {version}, this program reads {VERSION}: update tripline")]
    Newer {
        /// Which object.
        key: String,
        /// Its format.
        version: u32,
    },
    /// A file in it cannot be used.
    #[error("`{file}` of the model: {problem}")]
    Content {
        /// Which file.
        file: String,
        /// What is wrong with it.
        problem: SettingsProblem,
    },
    /// Somebody else moved the pointer meanwhile.
    #[error("somebody else promoted at the same time: look at what is in force, and promote again")]
    Raced,
}

#[derive(Debug, Serialize, Deserialize)]
struct Pointer {
    version: u32,
    root: Digest,
    made_unix_secs: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Root {
    version: u32,
    core: Digest,
    shards: Vec<Digest>,
}

/// Which part an agent has, by the digest of its name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Shard {
    version: u32,
    agents: BTreeMap<Digest, Digest>,
}

/// Files by where they stand in a folder of baselines.
#[derive(Debug, Serialize, Deserialize)]
struct Bundle {
    version: u32,
    files: BTreeMap<String, String>,
}

/// What an agent's own episodes came to when the calibration was made.
#[derive(Debug, Serialize, Deserialize)]
struct OwnScores {
    agent: String,
    highest: Score,
}

/// The file of [`OwnScores`], in a part.
const SCORES: &str = "scores.json";

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Which shard an agent is in.
fn shard_of(agent: &Digest, shards: usize) -> usize {
    let [high, low, ..] = agent.bytes();
    usize::from(u16::from_be_bytes([high, low])) % shards.max(1)
}

/// The name that stands for an agent's.
fn agent_digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn parsed<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, LibraryError> {
    let foreign = |error: serde_json::Error| LibraryError::Foreign {
        key: key.to_owned(),
        why: error.to_string(),
    };
    // First the version: the rest of a newer one may be anything.
    let Versioned { version } = serde_json::from_slice(bytes).map_err(foreign)?;
    if version != VERSION {
        return Err(LibraryError::Newer { key: key.to_owned(), version });
    }
    serde_json::from_slice(bytes).map_err(foreign)
}

async fn object<T: DeserializeOwned>(
    depot: &dyn Depot,
    digest: &Digest,
) -> Result<T, LibraryError> {
    let key = digest.key();
    let Got::New { bytes, .. } = depot.get(&key, None).await? else {
        return Err(LibraryError::Missing(key));
    };
    if Digest::of(&bytes) != *digest {
        return Err(LibraryError::Damaged(key));
    }
    parsed(&key, &bytes)
}
