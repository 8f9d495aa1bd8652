//! What names an incident wherever containment leaves its mark.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// One incident: sixteen hexadecimal digits, in statement ids, in the action log and on the command
/// line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(u64);

impl IncidentId {
    /// The incident of this number; whoever opens it makes the number from what it is about.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that names no incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an incident: expected 16 hexadecimal digits")]
pub struct InvalidIncident;

impl FromStr for IncidentId {
    type Err = InvalidIncident;

    fn from_str(text: &str) -> Result<Self, InvalidIncident> {
        let digits = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        if text.len() != 16 || !text.bytes().all(digits) {
            return Err(InvalidIncident);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| InvalidIncident)
    }
}

impl Serialize for IncidentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IncidentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
