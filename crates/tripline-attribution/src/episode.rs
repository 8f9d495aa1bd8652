//! Episodes: the unit of draws, evidence and calibration.

use tripline_cloudtrail::EventTime;
use tripline_text::Untrusted;

use crate::session::SessionId;

/// An episode ends when there was no call for this long, …
const IDLE_MINUTES: u32 = 30;
/// … and when it has lasted this long in all.
const LENGTH_MINUTES: u32 = 60;

/// A stretch of work of a root session and all its children: opening a fresh session for every call
/// buys an agent nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeId {
    /// The first session of the chain that is the same agent's.
    pub root: SessionId,
    /// The minute of its first call.
    pub start: EventTime,
}

impl EpisodeId {
    /// As text: the root and the minute, `ASIA…/2026-11-20T10:00:00Z`.
    pub fn to_untrusted(&self) -> Untrusted<'static> {
        Untrusted::new(format!("{}/{}", self.root.untrusted().as_unescaped(), self.start))
    }
}

/// The first and the last minute of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) start: u32,
    pub(crate) last: u32,
}

/// Cuts the minutes in which there was a call, sorted, into episodes. A function of the set alone:
/// the order in which the calls came in leaves no trace.
pub(crate) fn cut(minutes: &[u32]) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = Vec::new();
    for &minute in minutes {
        match cuts.last_mut() {
            Some(cut)
                if minute - cut.last <= IDLE_MINUTES && minute - cut.start < LENGTH_MINUTES =>
            {
                cut.last = minute
            }
            _ => cuts.push(Cut { start: minute, last: minute }),
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idleness_and_length_end_an_episode() {
        let starts = |minutes: &[u32]| cut(minutes).iter().map(|cut| cut.start).collect::<Vec<_>>();
        assert_eq!(starts(&[10, 40, 71]), [10, 71]);
        assert_eq!(starts(&[0, 20, 40, 59, 60, 61]), [0, 60]);
        assert_eq!(starts(&[]), [0; 0]);
    }
}
