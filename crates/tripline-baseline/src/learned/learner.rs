//! Learning: the calls of one agent become what is known of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ahash::RandomState;
use hashbrown::HashTable;
use tripline_cloudtrail::{EventTime, keyed};

use super::baseline::{Baseline, DAYS_MAX, DayCounts, State, Whose};
use super::day::Day;
use super::episode::{EpisodeDraw, EpisodeFacts, Peaks};
use super::family::{Draw, EpisodeKey, Family, Home, minute_of};
use super::key::KeyName;
use super::keys::{Drawn, Found, Keys, bounded};
use super::rate::{Counts, PeakHistogram, RateClass, RateWindow};
use super::sample::{level_of, stable_hash};
use super::token;
use super::trie::{self, Leaf};
use super::version::{VERSIONS_MAX, VersionEpisodes};
use crate::touched::TouchedSet;

/// An episode has ended this long after its start, whatever was called. Source: decisions.md.
const EPISODE_MINUTES_MAX: u32 = 60;

/// How much the learning of one agent may hold; beyond it a sample is kept, see [`Learner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerLimits {
    /// Distinct resources, after ids and the like were replaced.
    pub resources_max: usize,
    /// Distinct values of each other family.
    pub values_max: usize,
    /// Pairs of an episode and a resource, from which visits are counted.
    pub visits_max: usize,
}

impl Default for LearnerLimits {
    fn default() -> Self {
        Self { resources_max: 1 << 15, values_max: 1 << 12, visits_max: 1 << 20 }
    }
}

/// What is learned of a resource's name, in place of what `out` held: ids, dates and the like are
/// replaced by what they are.
pub fn learned_name(name: &str, home: &Home<'_>, out: &mut String) {
    token::canonical(name, home, out);
}

/// Learns one agent.
///
/// Feed it the agent's calls in order of time, without duplicates; calls of several episodes may
/// interleave. The outcome is a function of the set of (episode, call): no other order leaves a
/// trace. Memory is bounded by [`LearnerLimits`], the episodes of one hour, and one byte an episode;
/// what is beyond the limits is sampled by hash, not by arrival.
pub struct Learner {
    whose: Whose,
    limits: LearnerLimits,
    hasher: RandomState,
    flagged: BTreeSet<EpisodeKey>,
    families: [Keys; Family::COUNT],
    versions: BTreeMap<Box<str>, VersionEpisodes>,
    versions_floor: u8,
    days: BTreeMap<Day, DayCounts>,
    span: Option<(Day, Day)>,
    episodes: u32,
    peaks: [[PeakHistogram; RateClass::COUNT]; RateWindow::COUNT],
    visits: Visits,
    open: Vec<Open>,
    by_key: HashTable<(EpisodeKey, usize)>,
    /// The episode of the call before, and the minute in which ended episodes were last looked for.
    current: usize,
    swept: u32,
    scratch: String,
    /// Episodes that have ended, where somebody wants them.
    ended: Option<Vec<EpisodeFacts>>,
}

impl fmt::Debug for Learner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learner").field("whose", &self.whose).finish_non_exhaustive()
    }
}

/// An episode that calls may still belong to.
#[derive(Default)]
struct Open {
    /// None: the place is free.
    key: Option<EpisodeKey>,
    /// From 1, never used again.
    number: u32,
    drawn: Drawn,
    versions: BTreeSet<Box<str>>,
    rates: [Rate; RateClass::COUNT],
    touched: TouchedSet,
    /// What it drew, where somebody wants to know.
    facts: Vec<EpisodeDraw>,
}

/// The running counts of one class of calls.
#[derive(Clone, Copy, Default)]
struct Rate {
    windows: [Bucket; RateWindow::COUNT],
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    number: i64,
    count: u64,
    peak: u64,
}

impl Rate {
    #[inline]
    fn note(&mut self, numbers: &[i64; RateWindow::COUNT], amount: u64) {
        for (bucket, &number) in self.windows.iter_mut().zip(numbers) {
            if bucket.number != number {
                *bucket = Bucket { number, count: 0, peak: bucket.peak };
            }
            bucket.count = bucket.count.saturating_add(amount);
            bucket.peak = bucket.peak.max(bucket.count);
        }
    }
}

/// Which episodes saw which resource, or a sample of the episodes.
struct Visits {
    /// `(resource, episode)`, by number.
    pairs: Vec<(u32, u32)>,
    /// How many pairs there were at each level, kept or not.
    at_level: [u64; 65],
    floor: u8,
    /// How many of them are at the floor or above.
    above_floor: u64,
    /// The level of each episode.
    levels: Vec<u8>,
}

impl Visits {
    fn new() -> Self {
        // Episodes count from 1.
        Self { pairs: Vec::new(), at_level: [0; 65], floor: 0, above_floor: 0, levels: vec![0] }
    }

    fn level(&self, episode: u32) -> u8 {
        usize::try_from(episode).ok().and_then(|at| self.levels.get(at)).copied().unwrap_or(0)
    }

    fn note(&mut self, resource: Option<u32>, episode: u32, pairs_max: usize) {
        let level = self.level(episode);
        if let Some(count) = self.at_level.get_mut(usize::from(level)) {
            *count += 1;
        }
        if level < self.floor {
            return;
        }
        // Resources that are not kept count as well, so that the floor follows from the set of all.
        self.above_floor += 1;
        while self.floor < 64 && self.above_floor > pairs_max as u64 {
            self.raise_floor();
        }
        if let Some(resource) = resource
            && level >= self.floor
        {
            self.pairs.push((resource, episode));
        }
    }

    fn raise_floor(&mut self) {
        self.floor += 1;
        self.above_floor = self.at_level.iter().skip(usize::from(self.floor)).sum();
        let (floor, levels) = (self.floor, &self.levels);
        self.pairs.retain(|&(_, episode)| {
            let level = usize::try_from(episode).ok().and_then(|at| levels.get(at));
            level.is_some_and(|&level| level >= floor)
        });
    }
}

impl Learner {
    /// A learner that has seen nothing. `hash_seed` keys its tables against texts that were chosen to
    /// collide; the outcome does not depend on it.
    pub fn new(whose: Whose, hash_seed: u64) -> Self {
        Self::with_limits(whose, hash_seed, LearnerLimits::default())
    }

    /// The same with other limits.
    pub fn with_limits(whose: Whose, hash_seed: u64, limits: LearnerLimits) -> Self {
        let families = Family::ALL.map(|family| {
            let is_resource = family == Family::Resource;
            Keys::new(family, if is_resource { limits.resources_max } else { limits.values_max })
        });
        Self {
            whose,
            limits,
            hasher: keyed(hash_seed, 31),
            flagged: BTreeSet::new(),
            families,
            versions: BTreeMap::new(),
            versions_floor: 0,
            days: BTreeMap::new(),
            span: None,
            episodes: 0,
            peaks: Default::default(),
            visits: Visits::new(),
            open: Vec::new(),
            by_key: HashTable::new(),
            current: usize::MAX,
            swept: 0,
            scratch: String::new(),
            ended: None,
        }
    }

    /// The same, and keeps what each episode showed for [`Learner::take_episodes`].
    #[must_use]
    pub fn keeping_episodes(mut self) -> Self {
        self.ended = Some(Vec::new());
        self
    }

    /// Whose episodes they are.
    pub fn whose(&self) -> &Whose {
        &self.whose
    }

    /// The episodes that have ended since they were last taken.
    pub fn take_episodes(&mut self) -> Vec<EpisodeFacts> {
        self.ended.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Ends all episodes.
    pub fn end_episodes(&mut self) {
        (0..self.open.len()).for_each(|at| self.close(at));
    }

    /// A whole episode, as [`EpisodeFacts`] tells it; each once, and none of which a call was counted. What
    /// is learned is what its calls would have taught.
    pub fn episode<'d>(
        &mut self,
        key: EpisodeKey,
        versions: impl IntoIterator<Item = &'d str>,
        peaks: &Peaks,
        draws: impl IntoIterator<Item = Draw<'d>>,
    ) {
        for version in versions {
            self.version(key, version);
        }
        let Some(at) = self.place(key) else { return };
        for draw in draws {
            self.note(at, key, draw.family, (draw.given(), draw.value));
        }
        self.end(at, peaks);
    }

    /// Never learn this episode: it holds something that a person or a rule objected to. It has to be
    /// said before its first call comes; what was counted is not taken back.
    pub fn flag(&mut self, episode: EpisodeKey) {
        self.flagged.insert(episode);
    }

    /// The version of the agent that this episode ran; to be said while calls of it come.
    pub fn version(&mut self, episode: EpisodeKey, text: &str) {
        let Some(at) = self.place(episode) else { return };
        let Some(open) = self.open.get_mut(at) else { return };
        if text.is_empty() || open.versions.contains(text) {
            return;
        }
        let version = bounded(text);
        let level = level_of(stable_hash(&[b"version", version.as_bytes()]));
        if !open.versions.insert(text.into()) || level < self.versions_floor {
            return;
        }
        self.versions
            .entry((*version).into())
            .or_insert_with(|| VersionEpisodes::new(level, episode))
            .note(episode);
        while self.versions.len() > VERSIONS_MAX && self.versions_floor < 64 {
            self.versions_floor += 1;
            let floor = self.versions_floor;
            self.versions.retain(|_, version| version.level >= floor);
        }
    }

    /// A call of an episode: when, what is counted of it, where its caller is at home, and the values
    /// that it shows. A value may come again and again; an episode counts once.
    pub fn call(
        &mut self,
        episode: EpisodeKey,
        time: EventTime,
        counts: &Counts,
        home: &Home<'_>,
        draws: &mut dyn Iterator<Item = Draw<'_>>,
    ) {
        if self.count(episode, time, counts).is_none() {
            return;
        }
        let at = self.current;
        for draw in draws {
            self.draw(at, episode, &draw, home);
        }
    }

    /// A call without the values that it shows, for [`Learner::shown`]. A number for its episode, from 1,
    /// that no other episode has; nothing for one that is never learned.
    pub fn count(&mut self, episode: EpisodeKey, time: EventTime, counts: &Counts) -> Option<u32> {
        self.sweep(minute_of(time));
        let at = self.place(episode)?;
        let secs = time.unix_secs();
        let numbers = RateWindow::ALL.map(|window| window.bucket(secs));
        let open = self.open.get_mut(at)?;
        let is_new = open.touched.insert(counts.touched);
        for (class, rate) in RateClass::ALL.into_iter().zip(&mut open.rates) {
            let more = counts.of(class, is_new);
            if more > 0 {
                rate.note(&numbers, more);
            }
        }
        Some(open.number)
    }

    /// A value that the call counted last shows. Of a resource it is what [`learned_name`] makes of it.
    pub fn shown(&mut self, draw: &Draw<'_>) {
        let at = self.current;
        let Some(episode) = self.open.get(at).and_then(|open| open.key) else { return };
        let value = match draw.family {
            Family::Resource => Cow::Borrowed(draw.value),
            _ => bounded(draw.value),
        };
        self.note(at, episode, draw.family, (draw.given(), &value));
    }

    #[inline]
    fn draw(&mut self, at: usize, episode: EpisodeKey, draw: &Draw<'_>, home: &Home<'_>) {
        if draw.family == Family::Resource {
            let mut scratch = std::mem::take(&mut self.scratch);
            token::canonical(draw.value, home, &mut scratch);
            self.note(at, episode, draw.family, (draw.given(), &scratch));
            self.scratch = scratch;
        } else {
            self.note(at, episode, draw.family, (draw.given(), &bounded(draw.value)));
        }
    }

    /// Notes a value as it is learned.
    #[inline]
    fn note(&mut self, at: usize, episode: EpisodeKey, family: Family, named: (&str, &str)) {
        let Some(open) = self.open.get_mut(at) else { return };
        let Some(keys) = self.families.get_mut(family.index()) else { return };
        let first = episode.first();
        let number = match keys.find(&self.hasher, named, open.number, &mut open.drawn) {
            Found::Again => return,
            Found::Now(number, fact) => {
                fact.note(first);
                Some(number)
            }
            Found::Never => {
                let hash = keys.stable_hash(named);
                if !open.drawn.insert(hash) {
                    return;
                }
                let kept = keys.keeps(hash);
                kept.then(|| keys.insert(&self.hasher, named, hash, first, open.number))
            }
        };
        if self.ended.is_some() {
            let (action, value) = (named.0.into(), named.1.into());
            open.facts.push(EpisodeDraw { family, action, value });
        }
        if family == Family::Resource {
            self.visits.note(number, open.number, self.limits.visits_max);
        }
        let day = self.days.entry(Day::of_minute(episode.start_minute)).or_default();
        if let Some(count) = day.draws.get_mut(family.index()) {
            *count = count.saturating_add(1);
        }
    }

    /// The place of an episode, opened if it is new; nothing for a flagged one.
    fn place(&mut self, episode: EpisodeKey) -> Option<usize> {
        if self.open.get(self.current).is_some_and(|open| open.key == Some(episode)) {
            return Some(self.current);
        }
        let hash = self.hasher.hash_one(episode);
        if let Some(&(_, at)) = self.by_key.find(hash, |(key, _)| *key == episode) {
            self.current = at;
            return Some(at);
        }
        if self.flagged.contains(&episode) {
            return None;
        }
        let at = match self.open.iter().position(|open| open.key.is_none()) {
            Some(free) => free,
            None => {
                self.open.push(Open::default());
                self.open.len() - 1
            }
        };
        self.note_episode(episode);
        let number = self.episodes;
        if let Some(open) = self.open.get_mut(at) {
            open.key = Some(episode);
            open.number = number;
        }
        self.by_key.insert_unique(hash, (episode, at), |(key, _)| self.hasher.hash_one(key));
        self.current = at;
        Some(at)
    }

    fn note_episode(&mut self, episode: EpisodeKey) {
        self.episodes = self.episodes.saturating_add(1);
        let root = episode.root.to_be_bytes();
        let hash = stable_hash(&[&episode.start_minute.to_be_bytes(), &root]);
        self.visits.levels.push(level_of(hash));
        let day = Day::of_minute(episode.start_minute);
        let counts = self.days.entry(day).or_default();
        counts.episodes = counts.episodes.saturating_add(1);
        let (first, last) = self.span.unwrap_or((day, day));
        self.span = Some((first.min(day), last.max(day)));
        // Whatever comes, these days are too old to be kept.
        while self.days.len() > DAYS_MAX as usize
            && self.days.first_key_value().is_some_and(|(first, _)| last.since(*first) >= DAYS_MAX)
        {
            self.days.pop_first();
        }
    }

    /// Closes the episodes that have ended: their peaks are final, their sets are no longer needed.
    fn sweep(&mut self, minute: u32) {
        if minute == self.swept {
            return;
        }
        self.swept = minute;
        for at in 0..self.open.len() {
            let ended =
                self.open.get(at).and_then(|open| open.key).is_some_and(|key| {
                    minute >= key.start_minute.saturating_add(EPISODE_MINUTES_MAX)
                });
            if ended {
                self.close(at);
            }
        }
    }

    /// Ends an episode, if there is one in that place: its peaks are those of its calls.
    fn close(&mut self, at: usize) {
        let Some(open) = self.open.get_mut(at).filter(|open| open.key.is_some()) else { return };
        let mut peaks = Peaks::default();
        for (window, classes) in peaks.iter_mut().enumerate() {
            for (peak, rate) in classes.iter_mut().zip(&open.rates) {
                *peak = rate.windows.get(window).map_or(0, |bucket| bucket.peak);
            }
        }
        open.rates = Default::default();
        self.end(at, &peaks);
    }

    /// Ends an episode whose peaks are these, and not those of its calls.
    fn end(&mut self, at: usize, peaks: &Peaks) {
        let Some(open) = self.open.get_mut(at) else { return };
        let Some(key) = open.key.take() else { return };
        let histograms = self.peaks.as_flattened_mut().iter_mut();
        histograms.zip(peaks.as_flattened()).for_each(|(histogram, peak)| histogram.add(*peak));
        if let Some(ended) = &mut self.ended {
            let versions = open.versions.iter().cloned().collect();
            let draws = std::mem::take(&mut open.facts);
            ended.push(EpisodeFacts { key, versions, peaks: *peaks, draws });
        }
        open.touched = TouchedSet::default();
        open.drawn.clear();
        open.versions.clear();
        if let Ok(entry) = self.by_key.find_entry(self.hasher.hash_one(key), |(it, _)| *it == key) {
            entry.remove();
        }
    }

    /// What was learned: a candidate, of which nothing is known yet until it is promoted.
    pub fn finish(mut self) -> Baseline {
        self.end_episodes();
        let mut baseline = Baseline::empty(self.whose, State::Candidate);
        baseline.span = self.span;
        baseline.episodes = self.episodes;
        baseline.days = self.days;
        for (window, classes) in RateWindow::ALL.into_iter().zip(self.peaks) {
            for (class, histogram) in RateClass::ALL.into_iter().zip(classes) {
                if histogram.episodes() > 0 {
                    baseline.peaks.insert((window, class), histogram);
                }
            }
        }
        for (text, version) in self.versions {
            baseline.versions.extend(version.finish().map(|version| (text, version)));
        }
        for (family, keys) in Family::ALL.into_iter().zip(self.families) {
            if keys.is_sample() {
                baseline.overflow.insert(family);
            }
            if family == Family::Resource {
                baseline.tries = tries(&keys, &mut self.visits);
                // Counts from a sample are estimates: not more than there were.
                baseline.tries.values_mut().for_each(|root| root.cap(self.episodes));
            } else {
                let sorted = keys.sorted();
                let named = sorted
                    .into_iter()
                    .map(|key| (KeyName::of(family, key.action(), key.value()), key.fact.clone()));
                baseline.keys.extend(named);
            }
        }
        baseline.count_news();
        baseline.fit();
        baseline
    }
}

/// The tries of the resources, one an action.
fn tries(keys: &Keys, visits: &mut Visits) -> BTreeMap<Box<str>, trie::Node> {
    visits.pairs.sort_unstable();
    let mut pairs: &[(u32, u32)] = &visits.pairs;
    let episodes: Vec<u32> = visits.pairs.iter().map(|&(_, episode)| episode).collect();
    // Where the episodes of each resource are.
    let mut places: BTreeMap<u32, std::ops::Range<usize>> = BTreeMap::new();
    let mut from = 0;
    while let Some(&(resource, _)) = pairs.first() {
        let len = pairs.partition_point(|&(it, _)| it == resource);
        places.insert(resource, from..from + len);
        from += len;
        pairs = pairs.get(len..).unwrap_or_default();
    }
    let mut by_action: BTreeMap<Box<str>, Vec<Leaf<'_>>> = BTreeMap::new();
    for key in keys.sorted() {
        let place = places.get(&key.number).cloned().unwrap_or(0..0);
        let episodes = episodes.get(place).unwrap_or_default();
        let leaf = Leaf { path: key.value(), fact: &key.fact, episodes };
        by_action.entry(key.action().into()).or_default().push(leaf);
    }
    let sampling = u32::from(visits.floor);
    let grown = by_action
        .into_iter()
        .map(|(action, leaves)| Some((action, trie::grow(&leaves, sampling)?)));
    grown.flatten().collect()
}

#[cfg(test)]
mod tests {
    use tripline_text::Untrusted;

    use super::*;

    #[test]
    fn whatever_is_called_the_learner_stays_small() {
        let limits = LearnerLimits { resources_max: 64, values_max: 32, visits_max: 128 };
        let whose = Whose::Agent { agent: Untrusted::borrowed("a"), class: None };
        let mut learner = Learner::with_limits(whose, 1, limits);
        for call in 0..20_000_u32 {
            // Four episodes at a time, a fresh set of them every hour.
            let start_minute = call / 100 * 60;
            let episode = EpisodeKey { start_minute, root: u64::from(call % 4) << 48 };
            let time =
                EventTime::EPOCH.plus_secs(i64::from(start_minute) * 60 + i64::from(call % 100));
            let value = format!("é{}", call / 2);
            let draws = [Family::Resource, Family::UserAgent, Family::Error];
            let mut draws = draws.into_iter().map(|family| Draw {
                family,
                action: Some("s3:GetObject"),
                value: &value,
            });
            learner.call(episode, time, &Counts::default(), &Home::default(), &mut draws);
            learner.version(episode, &value);
            assert!(learner.visits.pairs.len() <= limits.visits_max);
            assert!(learner.open.len() <= 8, "{}", learner.open.len());
            assert!(learner.versions.len() <= VERSIONS_MAX);
            for keys in &learner.families {
                assert!(keys.sorted().len() <= 64);
            }
        }
        assert!(learner.days.len() <= DAYS_MAX as usize);
        let baseline = learner.finish();
        assert_eq!(baseline.episodes(), 800);
        let overflow: Vec<Family> = baseline.overflow.iter().copied().collect();
        assert_eq!(overflow, [Family::Resource, Family::UserAgent, Family::Error]);
    }
}
