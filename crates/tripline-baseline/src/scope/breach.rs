//! What a call did that the scope does not allow.

use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_text::Untrusted;

/// What a reason is about; the `feature` of an ndjson line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// A rule that needs no statistics was broken.
    Invariant,
    /// A decoy was touched.
    Canary,
    /// A never-rule of the scope.
    Never,
    /// The IAM action.
    Action,
    /// The resource.
    Resource,
    /// The Region.
    Region,
    /// The address, VPC endpoint or service that the call came from.
    Network,
    /// The tenant that the session works for.
    Tenant,
    /// The pace of calls, against a declared limit.
    Limit,
    /// The SDK or tool, and the marks of agents.
    UserAgent,
    /// How the call failed.
    Error,
    /// How much went out.
    Bytes,
    /// The pace of calls, against what was learned.
    Rate,
    /// What all that was new in an episode proves together.
    Evidence,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Invariant => "invariant",
            Self::Canary => "canary",
            Self::Never => "never",
            Self::Action => "action",
            Self::Resource => "resource",
            Self::Region => "region",
            Self::Network => "network",
            Self::Tenant => "tenant",
            Self::Limit => "limit",
            Self::UserAgent => "user-agent",
            Self::Error => "error",
            Self::Bytes => "bytes",
            Self::Rate => "rate",
            Self::Evidence => "evidence",
        })
    }
}

/// One way in which a call left its agent's declared scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Breach {
    /// What it is about.
    pub feature: Feature,
    /// What the call had there, such as the action's name or the resource's ARN.
    #[serde(with = "tripline_text::stored")]
    pub value: Untrusted<'static>,
    /// A sentence for a person, made of our own words, numbers and validated identifiers only.
    pub detail: String,
}
