//! What an agent is for. Today that is its declared [`Scope`]: a manifest that a person writes.
//!
//! [`Call`] is the value that scope (and, later, the learned baseline) looks at.

mod call;
mod network;
mod pattern;
mod resources;
mod scope;

pub use call::{Call, Outcome};
pub use network::Network;
pub use pattern::{InvalidPattern, PATTERN_BYTES_MAX, ResourcePattern};
pub use resources::RESOURCES_MAX;
pub use scope::{
    Breach, Exceeded, Feature, LimitCounter, Limits, MANIFEST_BYTES_MAX, Needs, PATTERNS_MAX,
    Scope, ScopeError, ScopeProblem, Subject, Window,
};
