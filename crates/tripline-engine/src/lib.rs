//! The way of a record, from bytes to an incident: one implementation for the command line, the
//! Lambda function and the tests. Pure: what must be kept goes to a [`Hold`], and files, clocks and
//! the work directory are somebody else's.

mod aftermath;
mod backtest;
mod batch;
mod brakes;
mod breaker;
mod channels;
mod config;
mod deed;
pub mod doctor;
mod drawn;
mod drift;
mod expect;
mod filter;
mod forecast;
mod habits;
mod held;
mod incident;
mod intake;
mod judge;
mod known;
mod learning;
mod live;
mod model;
mod open;
mod pace;
mod partial;
mod people;
mod settle;
mod target;
mod tick;
mod told;
mod vocabulary;
mod weigh;

pub use aftermath::{Damage, Deeds, Harm, Marks, RESOURCES_MAX, Watch};
pub use backtest::{
    AgentDays, Backtest, HEIGHT, HeldOut, Rate, Recent, Relearned, Reliability, ReplayStep,
    Stopped, TIERS, Trial,
};
pub use batch::{Batch, BatchReport};
pub use brakes::{
    Asked, Authorized, Brakes, Decision, Evidence, Held, Mode, Permit, authorize, authorize_return,
};
pub use channels::{Channel, NotASecretRef, SecretRef, Service};
pub use config::{Config, ConfigError, Containment, Heartbeat, Version};
pub use deed::is_sensitive;
pub use drift::Outcome;
pub use filter::Filter;
pub use held::{Hold, Key, time_of};
pub use incident::{FINDINGS_MAX, Incident, incident_id};
pub use intake::{Intake, Purpose, Reach};
pub use judge::{DamagedRow, Judge, Judged, Scored, judge_all};
pub use known::Normal;
pub use learning::{AgentLearning, Flagged, Learning};
pub use live::{
    Anchor, Arrival, Arrivals, Beat, Entry, HORIZON_SECS, Hearsay, LiveIncident, LiveReport,
    Partition, PartitionId, Provenance, Pulse, Pulses, Sighting, Slice, Source, Telling,
};
pub use model::{CalibrationId, Model, ModelId, ScopeTwice};
pub use open::Deployments;
pub use partial::{Fingerprint, Kept, KeptCall, ToldBy};
pub use people::{Approvals, Met, Person, Pressing, Unanswered, weigh};
pub use settle::{Corrections, Settler};
pub use target::{RoleUsers, View, role_users, target};
pub use tick::{CALL_TO_LEARN_BYTES, CallToLearn, Lesson, Tick, Ticked};
pub use vocabulary::Vocabulary;
