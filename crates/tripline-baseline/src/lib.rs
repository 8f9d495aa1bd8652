//! What an agent is for: its declared [`Scope`], a manifest that a person writes, and its learned
//! [`Baseline`].
//!
//! [`Call`] is the value that both look at.

mod bytes;
mod call;
mod learned;
mod network;
mod pattern;
mod resources;
mod scope;
mod tenant;
mod touched;
mod user_agent;

pub use bytes::bytes_out;
pub use call::{Call, Outcome};
pub use learned::{
    AGENT_BYTES_MAX, Alike, Approval, BASELINE_BYTES_MAX, Baseline, BaselineDiff, BaselineError,
    BaselineProblem, Beyond, CHAIN_STEPS, CLASS_BYTES_MAX, ClassPeaks, Counts, DECISIONS_BYTES_MAX,
    DECISIONS_MAX, Day, Decisions, DecisionsError, DecisionsProblem, Digested, Discoveries, Draw,
    EXCEPTION_DAYS_MAX, EpisodeDraw, EpisodeFacts, EpisodeKey, Exception, FORGOTTEN_AFTER_DAYS,
    Family, Grace, Held, HeldBack, HoldReason, Home, KeyName, Knowledge, Known, LearnedVersions,
    Learner, LearnerLimits, Leaves, Likeness, MATURE_DAYS, MATURE_EPISODES, Maturity, NewVersions,
    PROMOTION_AGE_DAYS, PROMOTION_DAYS, PROMOTION_EPISODES, Parts, Peaks, Peers, Promotion,
    PromotionError, Provenance, RateClass, RateClasses, RateLimit, RateWindow, Stage, State, Tail,
    Whose, learned_name, promote,
};
pub use network::Network;
pub use pattern::{InvalidPattern, PATTERN_BYTES_MAX, ResourcePattern};
pub use resources::{
    Naming, Namings, RESOURCES_MAX, each_passed_role, each_passed_role_by, each_resource,
    each_resource_by, touching,
};
pub use scope::{
    Breach, Exceeded, Feature, LimitCounter, Limits, MANIFEST_BYTES_MAX, Needs, PATTERNS_MAX,
    Scope, ScopeError, ScopeProblem, Subject, Window,
};
pub use tenant::{InvalidTenantPattern, TenantPattern, TenantRules};
pub use touched::{Touched, TouchedSet, Touching};
pub use user_agent::UserAgentFamily;
