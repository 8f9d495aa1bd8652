//! What is remembered of episodes that are not over, and of deployments.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ahash::RandomState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use smallvec::SmallVec;
use tripline_attribution::{AgentId, Sessions, Turn};
use tripline_baseline::{Day, Draw, EpisodeKey, LearnedVersions, NewVersions};
use tripline_cloudtrail::keyed;
use tripline_detector::{Evidence, Score, Verdict};
use tripline_text::Untrusted;

use crate::learning::stable_hash;
use crate::pace::Pace;

/// The episodes that are not over, by root. Calls come in order of time.
#[derive(Debug)]
pub(crate) struct OpenEpisodes {
    open: HashMap<u32, Box<OpenEpisode>, RandomState>,
    /// When each began, and its root, in the order in which they were met, which is nearly that: those that
    /// are over are removed a few at a time, so that no call waits for many.
    begun: VecDeque<(u32, u32)>,
    /// Those that are over and that nobody has asked for yet.
    over: Vec<Over>,
    /// Room of episodes that are over, for the next ones: more than a kilobyte each.
    #[expect(clippy::vec_box, reason = "they go back into a table of boxes")]
    spare: Vec<Box<OpenEpisode>>,
}

/// An episode so far.
#[derive(Debug, Default)]
pub(crate) struct OpenEpisode {
    start_minute: u32,
    agent: u32,
    /// The day of its last call.
    day: Option<Day>,
    /// The versions of the agent that ran it, by their numbers.
    versions: SmallVec<[u32; 1]>,
    pub(crate) pace: Pace,
    evidence: Evidence,
    /// What the evidence proves, and what of it counts for a kill; nothing since it last grew.
    scores: Option<[Score; 2]>,
    pub(crate) highest: Score,
    /// The highest of what counts for a kill, …
    pub(crate) counted: Score,
    /// … and of that, while the agent could be killed.
    pub(crate) killing: Score,
    pub(crate) verdict: Verdict,
    /// What was new in it.
    news: BTreeSet<(u8, String, String)>,
    /// What of that counted as a discovery.
    discoveries: BTreeSet<(u8, String)>,
}

/// An episode that is over, and what it came to. The order is that of time, and where that is the same
/// of what is left to tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Over {
    pub(crate) start_minute: u32,
    pub(crate) highest: Score,
    pub(crate) counted: Score,
    pub(crate) killing: Score,
    pub(crate) verdict: Verdict,
    pub(crate) agent: u32,
}

/// How many versions are told apart in one episode. Sessions of a lineage mostly run one; no agent that has
/// so many new ones is given a grace.
const VERSIONS_MAX: usize = 64;

/// How much of that room is kept.
const SPARE_MAX: usize = 64;

/// No episode is longer, so that what began earlier is over.
const EPISODE_MINUTES_MAX: u32 = 60;

impl OpenEpisodes {
    /// None so far. `hash_seed` keys the table; no result depends on it.
    pub(crate) fn new(hash_seed: u64) -> Self {
        let open = HashMap::with_hasher(keyed(hash_seed, 61));
        Self { open, begun: VecDeque::new(), over: Vec::new(), spare: Vec::new() }
    }

    /// The episode whose turn it is, of the agent with this number.
    #[inline]
    pub(crate) fn at(&mut self, turn: &Turn, agent: u32) -> &mut OpenEpisode {
        self.remove_some(turn.episode_start);
        let Self { open, over, begun, spare } = self;
        let mut begins = || begun.push_back((turn.episode_start, turn.root));
        match open.entry(turn.root) {
            Entry::Vacant(place) => {
                begins();
                let mut episode = spare.pop().unwrap_or_default();
                episode.begin(turn.episode_start, agent);
                place.insert(episode)
            }
            Entry::Occupied(place) => {
                let episode = place.into_mut();
                if episode.start_minute != turn.episode_start {
                    begins();
                    over.push(episode.over());
                    episode.begin(turn.episode_start, agent);
                }
                episode
            }
        }
    }

    /// Removes two of the episodes that are over, the oldest: a call begins one at most.
    #[inline]
    fn remove_some(&mut self, minute: u32) {
        for _ in 0..2 {
            let Some((start, root)) = self.begun.front().copied() else { return };
            if start + EPISODE_MINUTES_MAX >= minute {
                return;
            }
            self.begun.pop_front();
            // Its root may have begun another one since.
            if let Entry::Occupied(place) = self.open.entry(root)
                && place.get().start_minute == start
            {
                let episode = place.remove();
                self.over.push(episode.over());
                if self.spare.len() < SPARE_MAX {
                    self.spare.push(episode);
                }
            }
        }
    }

    /// The episodes that are over by now, in order.
    pub(crate) fn take_over(&mut self) -> impl Iterator<Item = Over> + use<'_> {
        self.over.sort_unstable();
        self.over.drain(..)
    }

    /// Whether any are over that nobody has asked for.
    pub(crate) fn has_over(&self) -> bool {
        !self.over.is_empty()
    }

    /// All that are left, when no more calls come.
    pub(crate) fn close(&mut self) -> impl Iterator<Item = Over> + use<'_> {
        self.over.extend(self.open.drain().map(|(_, episode)| episode.over()));
        self.take_over()
    }
}

impl OpenEpisode {
    /// Makes it one that begins, whatever it was before.
    fn begin(&mut self, start_minute: u32, agent: u32) {
        *self = Self { start_minute, agent, ..Self::default() };
    }

    fn over(&self) -> Over {
        let Self { start_minute, highest, counted, killing, verdict, agent, .. } = *self;
        Over { start_minute, highest, counted, killing, verdict, agent }
    }

    /// Whether a call is its first on this day.
    #[inline]
    pub(crate) fn enters(&mut self, day: Day) -> bool {
        self.day.replace(day) != Some(day)
    }

    /// Whether a version runs it for the first time.
    #[inline]
    pub(crate) fn meets(&mut self, version: u32) -> bool {
        let is_first = self.versions.len() < VERSIONS_MAX && !self.versions.contains(&version);
        if is_first {
            self.versions.push(version);
        }
        is_first
    }

    /// The evidence so far.
    pub(crate) fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The evidence, to add to.
    pub(crate) fn evidence_mut(&mut self) -> &mut Evidence {
        self.scores = None;
        &mut self.evidence
    }

    /// What the evidence proves.
    pub(crate) fn score(&mut self) -> Score {
        self.scores()[0]
    }

    /// What of that counts for a kill.
    pub(crate) fn counting(&mut self) -> Score {
        self.scores()[1]
    }

    fn scores(&mut self) -> [Score; 2] {
        let Self { scores, evidence, .. } = self;
        *scores.get_or_insert_with(|| [evidence.score(), evidence.killing()])
    }

    /// Whether a new value shows for the first time in the episode.
    pub(crate) fn is_first(&mut self, draw: &Draw<'_>) -> bool {
        let action = draw.action.unwrap_or_default().to_owned();
        self.news.insert((draw.family as u8, action, draw.value.to_owned()))
    }

    /// Whether a new value is the first of its kind in the episode, and counts.
    pub(crate) fn discovers(&mut self, draw: &Draw<'_>) -> bool {
        draw.discovery()
            .is_some_and(|(family, of)| self.discoveries.insert((family as u8, of.to_owned())))
    }
}

/// Versions of agents that nothing was learned of: those that turned up while calls were judged, and those
/// that are remembered. What follows from them depends neither on their order nor on repetition.
#[derive(Clone, Debug, Default)]
pub struct Deployments {
    by_agent: BTreeMap<AgentId, NewVersions>,
}

impl Deployments {
    /// Takes note of the version that runs an episode, unless the agent was learned while it ran it.
    pub(crate) fn meet(
        &mut self,
        agent: &AgentId,
        learned: &LearnedVersions,
        sessions: &Sessions,
        turn: &Turn,
    ) {
        let Some(version) = sessions.version_at(turn.session) else { return };
        if !learned.may_be_new(version.as_unescaped()) {
            return;
        }
        if let Some(versions) = self.by_agent.get_mut(agent) {
            versions.make_room(learned);
        }
        let root = stable_hash(&sessions.id_at(turn.root));
        let episode = EpisodeKey { start_minute: turn.episode_start, root };
        self.note(agent, version.as_unescaped(), episode);
    }

    /// Notes that an episode of an agent ran a version; whether anything follows from that which was not
    /// known.
    pub(crate) fn note(&mut self, agent: &AgentId, version: &str, episode: EpisodeKey) -> bool {
        match self.by_agent.get_mut(agent) {
            Some(versions) => versions.note(version, episode),
            None => self.by_agent.entry(agent.clone()).or_default().note(version, episode),
        }
    }

    /// Notes all that others noted.
    pub fn extend(&mut self, others: &Self) {
        for (agent, version, episode) in others.iter() {
            self.note(agent, version, episode);
        }
    }

    /// Whether it is known that an episode of an agent ran a version.
    pub(crate) fn has(&self, agent: &AgentId, version: &str, episode: EpisodeKey) -> bool {
        self.by_agent.get(agent).is_some_and(|versions| versions.has(version, episode))
    }

    /// All of it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AgentId, &str, EpisodeKey)> {
        self.by_agent.iter().flat_map(|(agent, versions)| {
            versions.iter().map(move |(version, episode)| (agent, version, episode))
        })
    }

    /// Whether an episode is within the bounded time that its version is given to show what it does.
    pub(crate) fn in_grace(
        &self,
        agent: &AgentId,
        learned: &LearnedVersions,
        version: &Untrusted<'_>,
        start_minute: u32,
    ) -> bool {
        let seen = self.by_agent.get(agent);
        seen.is_some_and(|seen| learned.in_grace(seen, version.as_unescaped(), start_minute))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Each episode is over once, and none while it may go on.
        #[test]
        fn every_episode_is_over_once(calls in prop::collection::vec((0_u32..40, 0_u32..6), 1..60)) {
            let mut episodes = OpenEpisodes::new(1);
            let (mut minute, mut begun, mut over) = (1_000, BTreeMap::new(), Vec::new());
            let mut all = Vec::new();
            for (later, root) in calls {
                minute += later;
                let start = begun.entry(root).or_insert(minute);
                if minute - *start > 20 {
                    *start = minute;
                }
                let turn = Turn { session: root, root, episode_start: *start };
                let episode = episodes.at(&turn, root);
                prop_assert_eq!((episode.start_minute, episode.agent), (*start, root));
                all.push((*start, root));
                over.extend(episodes.take_over());
                let is_open = |it: &Over| begun.get(&it.agent) == Some(&it.start_minute);
                let soon = minute.saturating_sub(EPISODE_MINUTES_MAX);
                prop_assert!(over.iter().all(|it| !is_open(it) || it.start_minute < soon));
            }
            // Whoever goes on working finds the others removed, not only replaced.
            for _ in 0..all.len() {
                minute += EPISODE_MINUTES_MAX + 1;
                let turn = Turn { session: 99, root: 99, episode_start: minute };
                episodes.at(&turn, 99);
                all.push((minute, 99));
            }
            prop_assert_eq!((episodes.open.len(), episodes.begun.len()), (1, 1));
            over.extend(episodes.close());
            let mut over: Vec<_> = over.iter().map(|it| (it.start_minute, it.agent)).collect();
            over.sort_unstable();
            all.sort_unstable();
            all.dedup();
            prop_assert_eq!(over, all);
        }
    }
}
