//! Episodes: the unit of draws, evidence and calibration.

use std::collections::BTreeMap;

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

/// The first and the last minute of an episode, so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    start: u32,
    last: u32,
}

impl Cut {
    /// Of nothing that ever happened: whatever comes begins an episode.
    pub(crate) const NEVER: Self = Self { start: u32::MAX, last: 0 };

    /// Takes a call into the episode, or begins the next one with it; the minute of its start. Calls
    /// come in order of time, so that episodes are a function of the set of minutes alone.
    #[inline]
    pub(crate) fn step(&mut self, time: EventTime) -> u32 {
        let minute = u32::try_from(time.unix_minutes()).unwrap_or(u32::MAX);
        let goes_on = self.start <= minute
            && minute - self.last <= IDLE_MINUTES
            && minute - self.start < LENGTH_MINUTES;
        if !goes_on {
            self.start = minute;
        }
        self.last = minute;
        self.start
    }
}

/// Cuts the calls of roots into episodes, as they come in order of time.
#[derive(Debug, Default)]
pub struct EpisodeCutter {
    open: BTreeMap<u32, Cut>,
}

impl EpisodeCutter {
    /// The minute, since 1970, in which the episode began that a call of a root belongs to.
    pub fn start_of(&mut self, root: u32, time: EventTime) -> u32 {
        self.open.entry(root).or_insert(Cut::NEVER).step(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idleness_and_length_end_an_episode() {
        let starts = |minutes: &[i64]| {
            let mut cutter = EpisodeCutter::default();
            let at = |minute: &i64| EventTime::from_unix_secs(minute * 60 + 7).unwrap();
            minutes.iter().map(|minute| cutter.start_of(1, at(minute))).collect::<Vec<_>>()
        };
        assert_eq!(starts(&[10, 40, 40, 71]), [10, 10, 10, 71]);
        assert_eq!(starts(&[0, 20, 40, 59, 60, 61]), [0, 0, 0, 0, 60, 60]);
        assert_eq!(starts(&[0]), [0]);
    }

    #[test]
    fn roots_have_episodes_of_their_own() {
        let mut cutter = EpisodeCutter::default();
        let at = |minute: i64| EventTime::from_unix_secs(minute * 60).unwrap();
        assert_eq!(cutter.start_of(1, at(5)), 5);
        assert_eq!(cutter.start_of(2, at(20)), 20);
        assert_eq!(cutter.start_of(1, at(21)), 5);
    }
}
