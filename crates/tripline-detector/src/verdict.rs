//! What to do about a call.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a call, with all that came before it, asks for. In order of strength.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing.
    #[default]
    Normal,
    /// Tell somebody.
    Alert,
    /// Deny everything outside the baseline for a while; known work goes on.
    Fence,
    /// Deny everything to the agent, revoke its sessions, block re-entry.
    Kill,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Normal => "normal",
            Self::Alert => "alert",
            Self::Fence => "fence",
            Self::Kill => "kill",
        })
    }
}
