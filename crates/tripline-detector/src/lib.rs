//! How sure are we: from what a record did to a verdict.
//!
//! A verdict rests on rules, [`Invariants`] of which one broken call is enough and breaches of the
//! declared scope, and on [`Evidence`]: what the agent never did before, added up over an episode, and
//! held against lines that were drawn on the agent's own history ([`Calibration`]).

mod assessment;
mod calibration;
mod drift;
mod evidence;
mod forecast;
mod invariant;
mod novelty;
mod tier;
mod verdict;

pub use assessment::{Assessment, Reason, assess};
pub use calibration::{
    AgentScores, Budgets, Calibration, CalibrationError, Lines, MONTH_DAYS, months_needed,
};
pub use drift::{SLOW_DAYS, Slow, Watchdog};
pub use evidence::{Chain, Evidence, Mode, SCORING, Score, WEIGHT_MAX};
pub use forecast::Forecast;
pub use invariant::{
    Broken, EventRules, Invariant, InvariantSettings, Invariants, Setting, SettingsError,
    TRIPLINE_PREFIX,
};
pub use novelty::{Detail, Novelty, Part, Peers, Standing, explain, explain_pace};
pub use tier::{Measure, verdict};
pub use verdict::Verdict;
