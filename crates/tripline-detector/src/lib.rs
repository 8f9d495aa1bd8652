//! How sure are we: from what a record did to a verdict.
//!
//! Today verdicts rest on rules alone: [`Invariants`], of which one broken call is enough, and
//! breaches of the declared scope. Neither needs statistics, so there is no score.

mod assessment;
mod invariant;
mod verdict;

pub use assessment::{Assessment, Reason, assess};
pub use invariant::{
    Broken, Invariant, InvariantSettings, Invariants, Setting, SettingsError, TRIPLINE_PREFIX,
};
pub use verdict::Verdict;
