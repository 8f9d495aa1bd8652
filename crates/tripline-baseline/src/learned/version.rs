//! Versions of an agent: a new one is a deployment, and opens a time in which novelty is expected.

use std::collections::{BTreeMap, BTreeSet};

use super::day::{Day, First};
use super::family::EpisodeKey;
use super::keys::bounded;

/// How long novelty is expected after a deployment, in minutes, …
const GRACE_MINUTES: u32 = 24 * 60;
/// … and for how many episodes, whichever ends first.
const GRACE_EPISODES: usize = 50;
/// Only one version in so many minutes opens a grace: who deploys all the time gets none.
const GRACE_EVERY_MINUTES: u32 = 7 * 24 * 60;

/// How many versions of an agent are kept.
pub(crate) const VERSIONS_MAX: usize = 256;

/// How many versions of an agent there may be that nothing was learned of: with so many, none is given time.
const NEW_VERSIONS_MAX: usize = 64;
/// How many are told apart, those included that were learned since.
const NOTED_VERSIONS_MAX: usize = 2 * NEW_VERSIONS_MAX;

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

/// The graces that versions opened, in order of time. The first version of all opens none, since it is
/// what was learned, and leaves none to the week after it: else whoever finds out that versions matter names
/// two.
pub(crate) fn graces<'b>(versions: impl Iterator<Item = (&'b str, &'b Version)>) -> Vec<Grace<'b>> {
    graces_of(versions.map(|(text, version)| (version.first, text, version.spent)).collect())
}

/// The same of when each version was first seen, and of when the first episode began that is one too many
/// for a grace.
fn graces_of(mut versions: Vec<(First, &str, Option<u32>)>) -> Vec<Grace<'_>> {
    versions.sort_unstable();
    let mut versions = versions.into_iter();
    let Some((first, ..)) = versions.next() else { return Vec::new() };
    let (mut graces, mut last): (Vec<Grace<'_>>, u32) = (Vec::new(), first.minute);
    for (first, version, spent) in versions {
        let opens = first.minute;
        if opens - last < GRACE_EVERY_MINUTES {
            continue;
        }
        last = opens;
        let end = opens.saturating_add(GRACE_MINUTES);
        let closes = spent.map_or(end, |spent| end.min(spent)).max(opens);
        graces.push(Grace { version, opens, closes });
    }
    graces
}

/// The versions of an agent that it was learned from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LearnedVersions(pub(crate) BTreeMap<Box<str>, Version>);

/// Versions of an agent that nothing was learned of, each with the first episodes that ran it: the same in
/// whatever order these are noted, and however often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewVersions(BTreeMap<Box<str>, BTreeSet<EpisodeKey>>);

impl NewVersions {
    /// Notes that an episode ran a version; whether anything follows from that which was not known.
    pub fn note(&mut self, version: &str, episode: EpisodeKey) -> bool {
        if self.0.len() >= NOTED_VERSIONS_MAX && !self.0.contains_key(&*bounded(version)) {
            return false;
        }
        let episodes = self.0.entry(bounded(version).into()).or_default();
        let first = episodes.first().copied();
        let is_over = |first: EpisodeKey, it: EpisodeKey| {
            it.start_minute >= first.start_minute.saturating_add(GRACE_MINUTES)
        };
        if first.is_some_and(|first| is_over(first, episode)) || !episodes.insert(episode) {
            return false;
        }
        if first.is_some_and(|first| episode < first) {
            episodes.retain(|it| !is_over(episode, *it));
        }
        // One more than a grace has tells when it ended.
        episodes.len() <= GRACE_EPISODES + 1 || episodes.pop_last() != Some(episode)
    }

    /// Whether it is known that an episode ran a version, as far as anything follows from that.
    pub fn has(&self, version: &str, episode: EpisodeKey) -> bool {
        self.0.get(&*bounded(version)).is_some_and(|episodes| episodes.contains(&episode))
    }

    /// All that was noted and that anything follows from.
    pub fn iter(&self) -> impl Iterator<Item = (&str, EpisodeKey)> {
        let all = self.0.iter();
        all.flat_map(|(version, episodes)| episodes.iter().map(|episode| (&**version, *episode)))
    }

    /// Forgets what was learned since, once that is needed to make room.
    pub fn make_room(&mut self, learned: &LearnedVersions) {
        if self.0.len() >= NOTED_VERSIONS_MAX {
            self.0.retain(|version, _| !learned.knows(version));
        }
    }
}

impl LearnedVersions {
    /// Whether a version is one of them.
    pub fn knows(&self, version: &str) -> bool {
        self.0.contains_key(&*bounded(version))
    }

    /// Whether a version may be a deployment: one that nothing was learned of, of an agent that told its
    /// version before.
    pub fn may_be_new(&self, version: &str) -> bool {
        !self.0.is_empty() && !self.knows(version)
    }

    /// Whether an episode of a version that nothing was learned of is within the time that it is given to show
    /// what it does. Graces of versions that were learned since count as well: else whoever learns every night
    /// would give a new one each day.
    ///
    /// An agent that told no version while it was learned is given none. Its first one is no deployment when
    /// it is learned, either; and the second could be named a minute later, by whoever may tag.
    pub fn in_grace(&self, seen: &NewVersions, version: &str, start_minute: u32) -> bool {
        let version = bounded(version);
        let first = seen.0.get(&*version).and_then(BTreeSet::first);
        // Mostly that was long ago, and nobody need ask about the others.
        let is_soon =
            first.is_some_and(|it| start_minute < it.start_minute.saturating_add(GRACE_MINUTES));
        if !is_soon || !self.may_be_new(&version) {
            return false;
        }
        let learned = self.0.iter().map(|(text, version)| (version.first, &**text, version.spent));
        let new = seen.0.iter().filter(|(text, _)| !self.0.contains_key(*text));
        // Whoever may say which version he runs could name a new one each time.
        if new.clone().count() >= NEW_VERSIONS_MAX {
            return false;
        }
        let new = new.filter_map(|(text, episodes)| {
            let spent = episodes.iter().nth(GRACE_EPISODES).map(|episode| episode.first().minute);
            Some((episodes.first()?.first(), &**text, spent))
        });
        let graces = graces_of(learned.chain(new).collect());
        graces.iter().any(|grace| grace.version == version && grace.holds(start_minute))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    fn key(start_minute: u32, root: u64) -> EpisodeKey {
        EpisodeKey { start_minute, root }
    }

    fn learned(versions: &[(&str, u32)]) -> LearnedVersions {
        let versions = versions.iter().map(|(text, minute)| ((*text).into(), version(*minute, 1)));
        LearnedVersions(versions.collect())
    }

    #[test]
    fn a_new_version_is_given_a_day_once_a_week() {
        let (learned, mut seen) = (learned(&[("1", 0)]), NewVersions::default());
        let start = 30 * DAY;
        let mut is_in = |version: &str, minute: u32, root: u64| {
            seen.note(version, key(minute, root));
            learned.in_grace(&seen, version, minute)
        };
        assert!(is_in("2", start, 1) && is_in("2", start + DAY - 1, 2));
        assert!(!is_in("2", start + DAY, 3), "and no longer");
        assert!(!is_in("1", start, 1), "it is known");
        assert!(!is_in("3", start + 7 * DAY - 1, 4), "too soon after the last");
        assert!(!is_in("3", start + 7 * DAY, 4), "and that is remembered");
        assert!((1..=50).all(|root| is_in("4", start + 7 * DAY + root as u32, root)));
        assert!(!is_in("4", start + 7 * DAY + 51, 51), "so many episodes");
        assert!(is_in("4", start + 7 * DAY + 50, 50), "which stay in it");
        assert!(!is_in("2", start + 15 * DAY, 9), "it is not new again");
    }

    #[test]
    fn learning_a_version_makes_no_room_for_the_next() {
        let mut seen = NewVersions::default();
        seen.note("3", key(31 * DAY, 1));
        let in_grace = |learned: &[_]| self::learned(learned).in_grace(&seen, "3", 31 * DAY);
        assert!(in_grace(&[("1", 0)]));
        assert!(!in_grace(&[("1", 0), ("2", 30 * DAY)]));
        assert!(in_grace(&[("1", 0), ("2", 24 * DAY)]));
        assert!(!in_grace(&[]), "it never told one");
        assert!(!in_grace(&[("2", 40 * DAY)]), "the first of all is no deployment");
        assert!(!in_grace(&[("2", 25 * DAY)]), "nor what is named in the week after it");
    }

    #[test]
    fn versions_that_were_learned_since_take_no_room_from_the_next() {
        let days: Vec<(String, u32)> = (0..200).map(|nth| (format!("{nth}"), nth * DAY)).collect();
        let mut seen = NewVersions::default();
        for (nth, (version, minute)) in days.iter().enumerate() {
            let before: Vec<(&str, u32)> =
                days[..nth].iter().map(|(text, minute)| (&**text, *minute)).collect();
            let learned = learned(&before);
            seen.make_room(&learned);
            seen.note(version, key(*minute, 1));
            assert_eq!(learned.in_grace(&seen, version, *minute), nth > 0 && nth % 7 == 0, "{nth}");
        }
    }

    #[test]
    fn with_a_new_version_each_time_nobody_is_given_any() {
        let (learned, mut seen) = (learned(&[("1", 0)]), NewVersions::default());
        let start = 30 * DAY;
        let mut given = 0;
        for nth in 0..1_000 {
            let version = format!("x{nth}");
            seen.note(&version, key(start + nth, u64::from(nth)));
            given += u32::from(learned.in_grace(&seen, &version, start + nth));
        }
        assert_eq!(given, 1);
        assert_eq!(seen.0.len(), NOTED_VERSIONS_MAX);
        assert!(!learned.in_grace(&seen, "x0", start), "there are too many to tell");
        // Names that differ only where nobody keeps them are not one.
        let long = |end: &str| format!("{}{end}", "x".repeat(200));
        let mut seen = NewVersions::default();
        assert!(seen.note(&long("1"), key(start, 1)) && seen.note(&long("2"), key(start, 1)));
        assert!(learned.in_grace(&seen, &long("1"), start));
        assert!(!learned.in_grace(&seen, &long("2"), start));
    }

    proptest! {
        /// Within the cap, the same in any order and however often; and only what changes it is told.
        #[test]
        fn what_was_seen_is_a_set(
            noted in proptest::collection::vec((0_u8..5, 8 * DAY..12 * DAY, 0_u64..4), 1..200),
            order in any::<u64>(),
            twice in 0_usize..200,
        ) {
            let all = |noted: &[(u8, u32, u64)]| {
                let mut seen = NewVersions::default();
                for (version, minute, root) in noted {
                    let (before, version) = (seen.clone(), version.to_string());
                    let told = seen.note(&version, key(*minute, *root));
                    assert_eq!(told, before != seen);
                    assert_eq!(told, !before.has(&version, key(*minute, *root))
                        && seen.has(&version, key(*minute, *root)));
                }
                seen
            };
            let seen = all(&noted);
            let mut shuffled = noted.clone();
            shuffled.extend(noted.iter().take(twice));
            shuffled.sort_by_key(|it| {
                super::super::sample::stable_hash(&[format!("{order} {it:?}").as_bytes()])
            });
            prop_assert_eq!(&all(&shuffled), &seen);
            // And whoever reads what was kept comes to the same.
            let mut again = NewVersions::default();
            seen.iter().for_each(|(version, episode)| { again.note(version, episode); });
            prop_assert_eq!(&again, &seen);
            // Never more than one at a time, nor more than one a week.
            let learned = learned(&[("x", 0)]);
            let minutes = (8 * DAY..12 * DAY).step_by(30);
            let given = |version: u8| {
                let version = version.to_string();
                minutes.clone().filter(|at| learned.in_grace(&seen, &version, *at)).count()
            };
            prop_assert!((0..5).filter(|version| given(*version) > 0).count() <= 1);
        }
    }
}
