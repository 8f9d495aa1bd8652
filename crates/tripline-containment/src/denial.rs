//! One statement of ours in a policy document, and the name by which it is found again.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tripline_iam::policy::{Effect, InvalidStatement, Sid, Statement};

use crate::incident::{IncidentId, InvalidIncident};

/// What every statement id of ours begins with.
const PREFIX: &str = "Tripline";

/// Why a statement is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Denies everything.
    Kill,
    /// Denies what is outside the agent's known work, until a time.
    Fence,
    /// Denies minting more sessions.
    Entry,
}

/// A statement's name: whose, what for, which of several. It is all that IAM keeps for us, so status
/// and restore work from it alone when everything else is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DenialName {
    /// The incident.
    pub incident: IncidentId,
    /// What it is for.
    pub purpose: Purpose,
    /// Which of the statements of this purpose in one document, from 0.
    pub number: u8,
    /// Whether the document's one statement stood without brackets before ours came: to give it back
    /// as it was.
    pub was_alone: bool,
}

impl fmt::Display for DenialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let purpose = match self.purpose {
            Purpose::Kill => "Kill",
            Purpose::Fence => "Fence",
            Purpose::Entry => "Entry",
        };
        let alone = if self.was_alone { "A" } else { "" };
        write!(f, "{PREFIX}{purpose}{}n{}{alone}", self.incident, self.number)
    }
}

/// A statement id that is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a statement of Tripline's")]
pub struct NotOurs;

impl From<InvalidIncident> for NotOurs {
    fn from(_: InvalidIncident) -> Self {
        Self
    }
}

impl FromStr for DenialName {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let rest = text.strip_prefix(PREFIX).ok_or(NotOurs)?;
        let (purpose, rest) =
            [("Kill", Purpose::Kill), ("Fence", Purpose::Fence), ("Entry", Purpose::Entry)]
                .into_iter()
                .find_map(|(word, purpose)| Some((purpose, rest.strip_prefix(word)?)))
                .ok_or(NotOurs)?;
        let (incident, rest) = rest.split_once('n').ok_or(NotOurs)?;
        let (number, was_alone) = match rest.strip_suffix('A') {
            Some(number) => (number, true),
            None => (rest, false),
        };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotOurs);
        }
        let number = number.parse().map_err(|_| NotOurs)?;
        Ok(Self { incident: incident.parse()?, purpose, number, was_alone })
    }
}

/// A statement that takes rights away: nothing of ours ever gives any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Denial {
    /// By what it knows whom it denies, for people.
    pub key: String,
    /// The statement's id, and its JSON without white space.
    name: String,
    text: String,
}

/// As read back, before it is known to be a denial.
#[derive(Deserialize)]
struct Stored {
    key: String,
    name: String,
    text: String,
}

/// The parts of a statement's text that make it one of ours.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "Sid")]
    sid: &'a str,
    #[serde(rename = "Effect")]
    effect: &'a str,
}

/// A text that is no denial of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a Deny statement of Tripline's")]
pub struct NotADenial;

impl TryFrom<Stored> for Denial {
    type Error = NotADenial;

    fn try_from(stored: Stored) -> Result<Self, NotADenial> {
        let head: Head<'_> = serde_json::from_str(&stored.text).map_err(|_| NotADenial)?;
        let is_ours = head.sid == stored.name && head.sid.parse::<DenialName>().is_ok();
        if head.effect != "Deny" || !is_ours {
            return Err(NotADenial);
        }
        Ok(Self { key: stored.key, name: stored.name, text: stored.text })
    }
}

impl Denial {
    /// The denial `make` renders under the name.
    ///
    /// # Errors
    /// Those of `make`; and [`InvalidStatement::NoActions`] for a statement that allows.
    pub fn new(
        key: String,
        name: DenialName,
        make: impl FnOnce(Sid) -> Result<Statement, InvalidStatement>,
    ) -> Result<Self, InvalidStatement> {
        // INVARIANT: a name is letters and digits.
        let sid = Sid::parse(&name.to_string()).map_err(|_| InvalidStatement::NoActions)?;
        let statement = make(sid)?;
        match statement.effect() {
            Effect::Deny => {
                Ok(Self { key, name: name.to_string(), text: statement.to_minified_json() })
            }
            Effect::Allow => Err(InvalidStatement::NoActions),
        }
    }

    /// The statement's id.
    pub fn sid(&self) -> &str {
        &self.name
    }

    /// The statement as JSON without white space. Text from records in it is escaped for the policy
    /// language, but not for wherever else it may be shown.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same, marked as one that stands in a document whose only statement had no brackets.
    pub(crate) fn beside_one_alone(&self) -> Self {
        let Ok(mut name) = self.name.parse::<DenialName>() else { return self.clone() };
        name.was_alone = true;
        let marked = name.to_string();
        // INVARIANT: the id is the first value of the text, and is letters and digits only.
        let text = self.text.replacen(&self.name, &marked, 1);
        Self { key: self.key.clone(), name: marked, text }
    }
}
