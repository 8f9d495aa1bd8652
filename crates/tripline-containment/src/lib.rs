//! What stops an agent: which statements, on which principals, in which order, what they cut and
//! whom else they hit. Pure, and ignorant of how anybody came to want it: the switch must work by
//! hand when the detector is wrong or off.
//!
//! Today a plan is printed. Nothing here, or anywhere else yet, carries one out.

mod documents;
mod plan;
mod planner;
mod render;
mod target;
#[cfg(test)]
mod tests;

pub use plan::{Plan, Refusal, Step, StepKind};
pub use planner::plan;
pub use target::{Grounds, RoleFacts, SessionKind, Target, TargetSession, TrustKnowledge};
