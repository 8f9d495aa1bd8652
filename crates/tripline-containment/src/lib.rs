//! What stops an agent: which statements, in which places, in which order, what they cut and whom else
//! they hit; what was done of it so far; how it is taken back. Pure, and ignorant of how anybody came to
//! want it: the switch must work by hand when the detector is wrong or off.

mod claims;
mod denial;
mod documents;
pub mod edit;
pub mod guard;
mod incident;
mod ledger;
mod log;
mod narrow;
mod one_or_many;
mod place;
mod plan;
mod planner;
mod press;
mod render;
mod target;
#[cfg(test)]
mod tests;
mod trust;
mod work;

pub use claims::{Request, denies, names, statement_denies};
pub use denial::{Denial, DenialName, NotADenial, NotOurs, Purpose};
pub use incident::{IncidentId, InvalidIncident};
pub use ledger::{
    Case, Event, Failure, IllegalEvent, Ledger, PROPAGATION_SECS, Proof, Returned, Seen, Standing,
    Status, Times,
};
pub use log::{Broken, BrokenKind, Chain, Entry};
pub use place::{Change, KEY_ACTIVE, KEY_INACTIVE, POLICY_NAME, Place, Subject};
pub use plan::{CutSession, LeftAlone, Plan, Refusal, Response, Step, StepKind, counted};
pub use planner::{plan_fence, plan_kill};
pub use press::{Declined, Dialogue, Press, Pressed, Round, Spared, UnknownPress, Waiting, Way};
pub use target::{
    Created, DELIVERY_LAG_SECS, Description, Grounds, RoleFacts, SessionKind, Target, TargetSession,
};
pub use trust::{pins_source_identity, pins_tag};
pub use work::{Reach, Work};
