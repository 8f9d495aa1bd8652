//! What one episode showed, kept so that it can be learned again without its calls.

use super::family::{EpisodeKey, Family};
use super::rate::{RateClass, RateWindow};

/// The highest count of each class of calls in each window.
pub type Peaks = [[u64; RateClass::COUNT]; RateWindow::COUNT];

/// All that a [`super::Learner`] takes from the calls of one episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpisodeFacts {
    /// Which.
    pub key: EpisodeKey,
    /// The versions of the agent that ran it.
    pub versions: Vec<Box<str>>,
    /// By window, then class, in the orders of [`RateWindow::ALL`] and [`RateClass::ALL`].
    pub peaks: Peaks,
    /// The values that it showed, each once.
    pub draws: Vec<EpisodeDraw>,
}

/// A value as it is learned: not too long, and of a resource with ids and the like replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpisodeDraw {
    /// The family.
    pub family: Family,
    /// The action, where the family is learned given one; else empty.
    pub action: Box<str>,
    /// The value.
    pub value: Box<str>,
}
