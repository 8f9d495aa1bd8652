//! Made-up CloudTrail: fleets of agents at work, attacks on them, and the containers that logs come in.
//!
//! An independent witness: it imports no other tripline crate, so that two understandings of the format meet in a test.
//!
//! The way of a record: [`world`] says who exists, [`fleet`] cuts the work into units, `shift` lets one agent work
//! (`mint`, `work` and `tables`, `chain`, `attack`), `background` adds everybody else, `emit` and `record` write the bytes into a
//! [`batch`], [`delivery`] puts them into files.
#![expect(clippy::indexing_slicing, reason = "test support: a panic here is a failing test")]

pub mod attack;
mod background;
pub mod batch;
mod chain;
mod civil;
pub mod delivery;
mod emit;
pub mod envelope;
pub mod fleet;
mod identity;
mod json;
pub mod manifest;
mod mint;
pub mod oddities;
mod record;
pub mod rng;
mod shift;
pub mod simulation;
pub mod story;
mod tables;
mod template;
pub mod work;
pub mod world;

pub use attack::Attack;
pub use batch::{Batch, Kind};
pub use delivery::{Cut, LogFile, gzip};
pub use fleet::{Event, Fleet, Truth, Unit};
pub use rng::Rng;
pub use simulation::Simulation;
pub use work::Class;
pub use world::{AttackPlan, FleetSpec, MintShape, NamedAgent};
