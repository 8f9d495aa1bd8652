//! Many files at once: the engine over a whole history, on all cores, in bounded memory.
#![expect(
    clippy::disallowed_methods,
    reason = "edge: reads partial baselines, which name their files"
)]

mod ahead;
mod learn;
mod log;
mod partial;
mod run;
mod sorter;
mod ticks;

pub use learn::{BaselineSink, LearnReport, learn};
pub use partial::{KeepReport, PartialError, PartialProblem, keep};
pub use run::{HistoryError, Job, Progress, Report, score};
