//! Many files at once: the engine over a whole history, on all cores, in bounded memory.
#![expect(clippy::disallowed_methods, reason = "edge: spills to the work directory")]

mod run;
mod seen;
mod sorter;

pub use run::{HistoryError, Job, Progress, ScoreReport, SessionsReport, score, sessions};
