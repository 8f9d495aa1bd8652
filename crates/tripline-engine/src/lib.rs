//! The way of a record, from bytes to an incident: one implementation for the command line, the
//! Lambda function and the tests. Pure: what must be kept goes to a [`Hold`], what was seen is asked
//! of a [`Seen`], and files, clocks and the work directory are somebody else's.

mod batch;
mod config;
mod filter;
mod held;
mod incident;
mod intake;
mod known;
mod model;
mod settle;

pub use batch::{Batch, BatchReport, MemoryRows, MemorySeen};
pub use config::{Config, ConfigError, Containment, Version};
pub use filter::Filter;
pub use held::{Hold, Key, Seen};
pub use incident::{FINDINGS_MAX, Incident};
pub use intake::Intake;
pub use model::{Model, ModelId, ScopeTwice};
pub use settle::{DamagedRow, Judge, Scored, settle_copies};
