//! Many files at once: the engine over a whole history, on all cores, in bounded memory.

mod run;
mod seen;
mod sorter;

pub use run::{HistoryError, Job, Progress, ScoreReport, SessionsReport, score, sessions};
