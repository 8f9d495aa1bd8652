//! Many files at once: the engine over a whole history, on all cores, in bounded memory.
#![expect(
    clippy::disallowed_methods,
    reason = "edge: reads partial baselines, which name their files, and keeps some"
)]

mod ahead;
mod by_agent;
mod days;
mod export;
mod judged;
mod learn;
mod log;
mod partial;
mod replay;
mod resume;
mod run;
mod sorter;
mod take;
mod ticks;

pub use export::{Attributed, ExportReport, TableSink, export};
pub use learn::{BaselineSink, EpisodeSink, LearnReport, episodes, learn};
pub use partial::{KeepReport, PartialError, PartialProblem, keep};
pub use replay::{Replay, ReplayReport, Replayed, waits_for_a_person};
pub use resume::learn_in_parts;
pub use run::{
    HistoryError, Job, Progress, Report, Selection, Table, TableError, TableRows, backtest, score,
};
