//! A report, or a backtest, to look at: one HTML file that needs nothing else, neither a network nor a server.
//!
//! What matters in an emergency is in the document itself and stands there without a script: the fleet
//! at a glance, and each incident with what was found, what would stop it and what it left behind. What
//! is looked through (timelines, thousands of sessions, habits) is drawn by a script of our own from
//! packed numbers, when it is looked at.
//!
//! Text from records reaches the page by two ways only: the template engine, which escapes, and the
//! packed data, whose alphabet is base64's and which the script shows as text. A policy in the document
//! allows this script and this style sheet by their hashes, and nothing else.

mod backtest;
mod charts;
mod done;
mod frame;
mod gather;
mod island;
mod look;
mod select;
mod view;

use std::io::{self, Write};

use serde::Serialize;
use tripline_attribution::Coverage;
use tripline_baseline::Baseline;
use tripline_cloudtrail::{EventTime, Tally};
use tripline_engine::{Filter, ModelId};

pub use backtest::{AboutBacktest, write_backtest};
pub use done::Done;
pub use gather::Gathered;
pub use look::Look;
pub use select::Selection;

/// Where evidence turns into a verdict, log10, for models that have such lines.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Lines {
    /// From here on a fence; nothing where that is not armed.
    pub fence: Option<f64>,
    /// From here on a kill; nothing where that is not armed.
    pub kill: Option<f64>,
}

/// What is said of the run as a whole.
#[derive(Debug)]
pub struct About<'a> {
    /// When the report was made.
    pub made: EventTime,
    /// What was judged by.
    pub model: ModelId,
    /// What was read.
    pub tally: &'a Tally,
    /// What is attributed.
    pub coverage: Coverage,
    /// Where evidence becomes a verdict; none while there is no evidence.
    pub lines: Option<Lines>,
    /// What was done, if the action log is to be told.
    pub done: Option<&'a Done>,
    /// Whose it is.
    pub filter: &'a Filter,
}

/// Writes the report. `known` are the baselines in force of the agents.
///
/// # Errors
/// Those of `out`.
pub fn write(
    out: &mut impl Write,
    about: &About<'_>,
    mut selection: Selection<'_>,
    look: &Look,
    known: impl Iterator<Item = Baseline>,
) -> io::Result<()> {
    let island = island::packed(&island::Island::new(&mut selection, known, about));
    let records = island::packed(&island::records(&selection, look));
    let page = view::page(about, &selection, look, &island, &records);
    out.write_all(page.into_string().as_bytes())
}
