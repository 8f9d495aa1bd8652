//! The declared scope: the manifest, what it says of a call, and the pace it allows.

mod breach;
mod check;
mod limits;
mod manifest;
mod networks;

pub use breach::{Breach, Feature};
pub use check::{Needs, Scope, Subject};
pub use limits::{Exceeded, LimitCounter, Limits, Window};
pub use manifest::{MANIFEST_BYTES_MAX, PATTERNS_MAX, ScopeError, ScopeProblem};
