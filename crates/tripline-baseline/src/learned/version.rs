//! Versions of an agent: a new one is a deployment, and opens a time in which novelty is expected.

use std::collections::BTreeSet;

use super::day::{Day, First};
use super::family::EpisodeKey;

/// How long novelty is expected after a deployment, in minutes, …
pub const GRACE_MINUTES: u32 = 24 * 60;
/// … and for how many episodes, whichever ends first.
pub const GRACE_EPISODES: usize = 50;
/// Only one version in so many minutes opens a grace: who deploys all the time gets none.
pub const GRACE_EVERY_MINUTES: u32 = 7 * 24 * 60;

/// How many versions of an agent are kept.
pub(crate) const VERSIONS_MAX: usize = 256;

/// What is stored of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) first: First,
    pub(crate) last: Day,
    pub(crate) episodes: u32,
    /// The minute in which the episode after [`GRACE_EPISODES`] began.
    pub(crate) spent: Option<u32>,
}

impl Version {
    /// The same version in two histories.
    pub(crate) fn join(&mut self, other: &Self, how: super::key::Join) {
        let older = self.first.min(other.first) == self.first;
        // Who began the count says when it ended; the other history came later.
        self.spent = if older { self.spent.or(other.spent) } else { other.spent.or(self.spent) };
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.episodes = how.counts(self.episodes, other.episodes);
    }
}

/// The episodes of a version, while they come in.
#[derive(Clone, Debug)]
pub(crate) struct VersionEpisodes {
    pub(crate) level: u8,
    last: Day,
    episodes: u32,
    /// The first of them, one more than a grace has.
    earliest: BTreeSet<EpisodeKey>,
}

impl VersionEpisodes {
    pub(crate) fn new(level: u8, episode: EpisodeKey) -> Self {
        let last = Day::of_minute(episode.start_minute);
        Self { level, last, episodes: 0, earliest: BTreeSet::new() }
    }

    pub(crate) fn note(&mut self, episode: EpisodeKey) {
        self.last = self.last.max(Day::of_minute(episode.start_minute));
        self.episodes = self.episodes.saturating_add(1);
        self.earliest.insert(episode);
        if self.earliest.len() > GRACE_EPISODES + 1 {
            self.earliest.pop_last();
        }
    }

    pub(crate) fn finish(&self) -> Option<Version> {
        let first = self.earliest.first()?.first();
        let spent = self.earliest.iter().nth(GRACE_EPISODES).map(|episode| episode.first().minute);
        Some(Version { first, last: self.last, episodes: self.episodes, spent })
    }
}

/// A bounded time after a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace<'b> {
    pub(crate) version: &'b str,
    /// The first minute of it, since 1970.
    pub opens: u32,
    /// The first minute after it.
    pub closes: u32,
}

impl Grace<'_> {
    /// Whether a minute is within.
    pub fn holds(&self, minute: u32) -> bool {
        (self.opens..self.closes).contains(&minute)
    }
}

/// The graces that versions opened, in order of time. The first version of all opens none: it is
/// what was learned.
pub(crate) fn graces<'b>(versions: impl Iterator<Item = (&'b str, &'b Version)>) -> Vec<Grace<'b>> {
    let mut sorted: Vec<(First, &str, &Version)> =
        versions.map(|(text, version)| (version.first, text, version)).collect();
    sorted.sort_by(|one, other| (one.0, one.1).cmp(&(other.0, other.1)));
    let mut graces: Vec<Grace<'_>> = Vec::new();
    for (first, text, version) in sorted.into_iter().skip(1) {
        let opens = first.minute;
        if graces.last().is_some_and(|last| opens - last.opens < GRACE_EVERY_MINUTES) {
            continue;
        }
        let end = opens.saturating_add(GRACE_MINUTES);
        let closes = version.spent.map_or(end, |spent| end.min(spent)).max(opens);
        graces.push(Grace { version: text, opens, closes });
    }
    graces
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u32 = 24 * 60;

    fn version(minute: u32, episodes: u32) -> Version {
        let key = |it: u32| EpisodeKey { start_minute: minute + it, root: u64::from(it) };
        let mut seen = VersionEpisodes::new(0, key(0));
        (0..episodes).for_each(|it| seen.note(key(it)));
        seen.finish().unwrap()
    }

    #[test]
    fn a_grace_is_bounded_by_time_and_by_episodes_and_rare() {
        let versions = [
            ("1", version(0, 9)),
            ("2", version(10 * DAY, 9)),
            ("3", version(16 * DAY, 9)),
            ("4", version(17 * DAY, 60)),
        ];
        let found = graces(versions.iter().map(|(text, version)| (*text, version)));
        let bounds: Vec<_> = found.iter().map(|it| (it.version, it.opens, it.closes)).collect();
        assert_eq!(bounds, [("2", 10 * DAY, 11 * DAY), ("4", 17 * DAY, 17 * DAY + 50)]);
        assert!(found[0].holds(10 * DAY) && !found[0].holds(11 * DAY));
    }

    #[test]
    fn exactly_fifty_episodes_do_not_end_it() {
        assert_eq!(version(0, 50).spent, None);
        assert_eq!(version(0, 51).spent, Some(50));
    }
}
