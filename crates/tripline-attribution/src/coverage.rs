//! What stays unattributed, and why: never silence.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a session is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Its mint is not in the input, though others are.
    NoMint,
    /// No mint of any session is in the input.
    NoMintAtAll,
    /// Its mint is known and carries no tag that names an agent.
    NoTag,
    /// Records contradict each other about its mint, or about one further up its chain: one of them
    /// is forged.
    Contested,
    /// It is a part of one of several sessions, of different agents, that took one name in the same
    /// second.
    Ambiguous,
    /// A user's or the root's own key.
    LongLivedKey,
    /// A console, OAuth or MCP session: most likely a person's.
    Person,
    /// An AWS service acting for itself.
    Service,
    /// No credential at all: sign-ins, anonymous calls, a bucket owner's copies.
    Unknown,
}

impl Cause {
    /// What to do about it, for people.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NoMint => {
                "their mint is not in these logs: minted before they begin, in another account, or in \
                 another Region (calls to the global STS endpoint are logged in us-east-1)"
            }
            Self::NoMintAtAll => {
                "no mint at all is in these logs: a trail that logs WriteOnly drops them, since \
                 AssumeRole counts as read-only; log read and write management events"
            }
            Self::NoTag => {
                "minted without an agent tag: set `AgentID` when the role is assumed, or name \
                 fallbacks under [agents] in tripline.toml"
            }
            Self::Contested => {
                "records contradict each other about who minted the key and for whom: look at all of \
                 them, one is forged"
            }
            Self::Ambiguous => {
                "several sessions took the same role session name in the same second: let agents \
                 choose names that differ"
            }
            Self::LongLivedKey => {
                "long-lived keys carry no tags: name users under [agents] in tripline.toml, or better, \
                 give agents roles"
            }
            Self::Person => "console, OAuth and MCP sessions: people, unless you know better",
            Self::Service => "AWS services acting for themselves: nobody's agent",
            Self::Unknown => {
                "no credential in the record: sign-ins, anonymous calls, copies in other trails"
            }
        }
    }

    /// Whether an agent may be hiding behind it.
    pub fn is_worrying(self) -> bool {
        !matches!(self, Self::LongLivedKey | Self::Person | Self::Service | Self::Unknown)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMint => "no-mint",
            Self::NoMintAtAll => "no-mint-at-all",
            Self::NoTag => "no-tag",
            Self::Contested => "contested",
            Self::Ambiguous => "ambiguous",
            Self::LongLivedKey => "long-lived-key",
            Self::Person => "person",
            Self::Service => "service",
            Self::Unknown => "unknown",
        })
    }
}

/// How much of the input is attributed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Sessions and records with an agent.
    pub attributed: Share,
    /// Sessions and records without, by cause.
    pub unattributed: BTreeMap<Cause, Share>,
    /// Requests for credentials that tell of no key: refused, or the answer is masked or missing.
    /// What they were asked with, tags included, names nobody.
    pub failed_mints: u64,
}

/// Some of the sessions, and their records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Sessions that made a call.
    pub sessions: u64,
    /// Their calls.
    pub records: u64,
}

impl Coverage {
    /// Counts a session that made calls, and why it is nobody's, if it is.
    pub(crate) fn note(&mut self, records: u64, cause: Option<Cause>) {
        let share = match cause {
            None => &mut self.attributed,
            Some(cause) => self.unattributed.entry(cause).or_default(),
        };
        share.sessions += 1;
        share.records += records;
    }
}
