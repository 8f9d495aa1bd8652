//! How sure are we: from what a record did to a verdict.
//!
//! Verdicts rest on rules, [`Invariants`] of which one broken call is enough and breaches of the
//! declared scope, and on what the agent never did before ([`weigh`]). How weights of one episode add
//! up is not built yet, so there is no score.

mod assessment;
mod invariant;
mod novelty;
mod verdict;

pub use assessment::{Assessment, Reason, assess};
pub use invariant::{
    Broken, Invariant, InvariantSettings, Invariants, Setting, SettingsError, TRIPLINE_PREFIX,
};
pub use novelty::{
    Habit, Novelty, Peers, Standing, WEIGHT_MAX, Weighed, explain, explain_rate, weigh, weigh_rate,
};
pub use verdict::Verdict;
