//! What agents normally do, learned from their history: exact counts and sets, as reviewable text.
//!
//! The calls of one agent go into a [`Learner`], out of which comes a candidate [`Baseline`].
//! [`promote`] makes the next live one of it, with [`Decisions`] of people; [`Peers`] put live ones
//! together for a class or the fleet. [`Known`] answers what is new.

mod baseline;
mod day;
mod decisions;
mod diff;
mod discoveries;
mod encode;
mod episode;
mod error;
mod family;
mod key;
mod keys;
mod known;
mod learner;
mod leaves;
mod likeness;
mod maturity;
mod parse;
mod peers;
mod promote_trie;
mod promotion;
mod rate;
mod sample;
mod token;
mod trie;
mod version;
mod write;

pub use baseline::{
    AGENT_BYTES_MAX, BASELINE_BYTES_MAX, Baseline, CLASS_BYTES_MAX, Digested, State, Whose,
};
pub use day::Day;
pub use decisions::{
    DECISIONS_BYTES_MAX, DECISIONS_MAX, Decisions, DecisionsError, DecisionsProblem,
    EXCEPTION_DAYS_MAX, Exception,
};
pub use diff::BaselineDiff;
pub use discoveries::{CHAIN_STEPS, Discoveries};
pub use episode::{EpisodeDraw, EpisodeFacts, Peaks};
pub use error::{BaselineError, BaselineProblem};
pub use family::{Draw, EpisodeKey, Family, Home};
pub use key::{Approval, KeyName, Provenance};
pub use known::{ClassPeaks, Knowledge, Known, Tail};
pub use learner::{Learner, LearnerLimits, learned_name};
pub use leaves::{Beyond, Leaves, Parts};
pub use likeness::{Alike, Likeness};
pub use maturity::{MATURE_DAYS, MATURE_EPISODES, Maturity, Stage};
pub use peers::Peers;
pub use promotion::{
    FORGOTTEN_AFTER_DAYS, Held, HeldBack, HoldReason, PROMOTION_AGE_DAYS, PROMOTION_DAYS,
    PROMOTION_EPISODES, Promotion, PromotionError, promote,
};
pub use rate::{Counts, RateClass, RateClasses, RateLimit, RateWindow};
pub use version::{Grace, LearnedVersions, NewVersions};

#[cfg(test)]
mod tests;
