//! From what was kept of every call to what each agent normally does.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use ahash::RandomState;
use hashbrown::HashTable;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;
use tripline_attribution::{Agent, AgentId, EpisodeCutter, SessionId, Sessions};
use tripline_baseline::{Baseline, Counts, Draw, EpisodeKey, Family, Learner, RateClasses, Whose};
use tripline_cloudtrail::keyed;
use tripline_text::Untrusted;

use crate::deed::{Deed, PASS_ROLE, bucket_name};
use crate::drawn::{self, NOWHERE};
use crate::judge::DamagedRow;
use crate::tick::CallToLearn;
use crate::vocabulary::Vocabulary;

/// Episodes that nothing is learned from, since something was wrong in them.
#[derive(Clone, Debug, Default)]
pub struct Flagged {
    /// Root and first minute.
    episodes: BTreeSet<(u32, u32)>,
    /// Of a root with an incident: the first minute of the episode in which it began. Whatever came
    /// later from there is the intruder's as well, for all that anybody knows.
    since: BTreeMap<u32, u32>,
}

impl Flagged {
    pub(crate) fn fence(&mut self, root: u32, start_minute: u32) {
        self.episodes.insert((root, start_minute));
    }

    pub(crate) fn kill(&mut self, root: u32, start_minute: u32) {
        let since = self.since.entry(root).or_insert(start_minute);
        *since = (*since).min(start_minute);
    }

    fn is_flagged(&self, root: u32, start_minute: u32) -> bool {
        self.episodes.contains(&(root, start_minute))
            || self.since.get(&root).is_some_and(|since| *since <= start_minute)
    }
}

/// What learning needs to know of a history that was read: whose each call was. Threads may share it.
#[derive(Debug)]
pub struct Learning {
    hash_seed: u64,
    agents: Vec<Whose>,
    /// By the attributor's number for the session.
    owners: Vec<Owner>,
    /// Versions of agents.
    versions: Vec<Untrusted<'static>>,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    /// The place in [`Learning::agents`]; the last of `u32` for nobody.
    agent: u32,
    root: u32,
    episodes_of: u64,
    /// The place in [`Learning::versions`]; the last of `u32` for none.
    version: u32,
}

impl Learning {
    /// Over resolved sessions.
    pub fn new(sessions: &Sessions) -> Self {
        // An agent whose class changed has a number for each, and is one agent.
        let mut by_id: BTreeMap<AgentId, (Agent, u32)> = BTreeMap::new();
        let numbered = || (0..).map_while(|number| Some((sessions.agent_at(number)?, number)));
        for (agent, number) in numbered() {
            let next = (agent.clone(), number);
            match by_id.entry(agent.id.clone()) {
                Entry::Occupied(known) if *known.get() >= next => {}
                entry => drop(entry.insert_entry(next)),
            }
        }
        let learned_as = |agent: &Agent| by_id.get(&agent.id).map_or(u32::MAX, |known| known.1);
        let learned_as: Vec<u32> = numbered().map(|(agent, _)| learned_as(agent)).collect();
        let mut numbers: BTreeMap<Untrusted<'static>, u32> = BTreeMap::new();
        let mut version_of = |session: u32| match sessions.version_at(session) {
            Some(version) => {
                let next = numbers.len() as u32;
                *numbers.entry(version.into_owned()).or_insert(next)
            }
            None => u32::MAX,
        };
        let owner = |place: u32| {
            let session = sessions.session_of(place);
            let number = sessions.agent_number_at(session);
            let agent = number.and_then(|number| learned_as.get(number as usize).copied());
            let root = sessions.root_at(session);
            let episodes_of = agent.map_or(0, |_| stable_hash(&sessions.id_at(root)));
            let version = version_of(session);
            Owner { agent: agent.unwrap_or(u32::MAX), root, episodes_of, version }
        };
        let owners = (0..sessions.places_len()).map(owner).collect();
        let mut versions: Vec<(u32, Untrusted<'static>)> =
            numbers.into_iter().map(|(version, number)| (number, version)).collect();
        versions.sort();
        Self {
            hash_seed: sessions.hash_seed(),
            agents: numbered().map(|(agent, _)| whose(agent)).collect(),
            owners,
            versions: versions.into_iter().map(|(_, version)| version).collect(),
        }
    }

    /// A number for the agent whose call it was. `place` is the attributor's number for the session.
    pub fn agent_of(&self, place: u32) -> Option<u32> {
        self.owners.get(place as usize).map(|owner| owner.agent).filter(|agent| *agent != u32::MAX)
    }

    /// Starts learning an agent from what is not `flagged`. `vocabularies` are those of the rows, by the
    /// number of the intake that wrote them.
    pub fn agent<'l>(
        &'l self,
        number: u32,
        flagged: &'l Flagged,
        vocabularies: &'l [Vocabulary],
    ) -> Option<AgentLearning<'l>> {
        let whose = self.agents.get(number as usize)?.clone();
        Some(AgentLearning {
            learning: self,
            flagged,
            vocabularies,
            learner: Learner::new(whose, self.hash_seed),
            episodes: EpisodeCutter::default(),
            rows: KnownRows::new(self.hash_seed),
        })
    }
}

fn whose(agent: &Agent) -> Whose {
    let name = |id: &AgentId| id.untrusted().into_owned();
    Whose::Agent { agent: name(&agent.id), class: agent.class.as_ref().map(name) }
}

/// Learns what one agent does, from its calls in order of time, each once.
#[derive(Debug)]
pub struct AgentLearning<'l> {
    learning: &'l Learning,
    flagged: &'l Flagged,
    vocabularies: &'l [Vocabulary],
    learner: Learner,
    episodes: EpisodeCutter,
    rows: KnownRows,
}

/// Rows that were looked at before.
#[derive(Debug)]
struct KnownRows {
    hasher: RandomState,
    by_place: HashTable<((u16, u32), usize)>,
    rows: Vec<KnownRow>,
    /// How much they name, about.
    bytes: usize,
    scratch: Vec<u8>,
}

/// What a row shows, and to which episode it has shown it.
#[derive(Debug)]
struct KnownRow {
    classes: RateClasses,
    is_denied: bool,
    /// The action, and the values, one after the other.
    texts: String,
    action_len: usize,
    /// The family of each value, given what it is learned, and where it ends.
    shown: SmallVec<[(Family, Given, usize); 6]>,
    /// The learner's number for the episode that saw it last, or 0.
    seen_by: u32,
    /// The magnitudes of bytes that went out in that episode.
    buckets: u128,
}

/// What a value is learned given.
#[derive(Clone, Copy, Debug)]
enum Given {
    Nothing,
    ItsAction,
    PassingRoles,
}

/// How many rows of an agent are known: some four megabytes, …
const ROWS_MAX: usize = 1 << 13;
/// … and where they name much, how many bytes of names at the most.
const ROWS_BYTES_MAX: usize = 8 << 20;

impl KnownRows {
    fn new(hash_seed: u64) -> Self {
        Self {
            hasher: keyed(hash_seed, 67),
            by_place: HashTable::new(),
            rows: Vec::new(),
            bytes: 0,
            scratch: Vec::new(),
        }
    }

    /// The row of a call.
    #[inline]
    fn of<E: From<DamagedRow>>(
        &mut self,
        call: &CallToLearn,
        words: &Vocabulary,
        read: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<&mut KnownRow, E> {
        let place = (call.part, call.row);
        let hash = self.hasher.hash_one(place);
        let found = self.by_place.find(hash, |(known, _)| *known == place);
        let nth = match found {
            Some((_, nth)) => *nth,
            None => {
                // What is still used is read once more.
                if self.rows.len() >= ROWS_MAX || self.bytes >= ROWS_BYTES_MAX {
                    self.rows.clear();
                    self.by_place.clear();
                    self.bytes = 0;
                }
                read(&mut self.scratch)?;
                self.bytes += self.scratch.len();
                self.rows.push(drawn::read(&self.scratch, words, KnownRow::of)?);
                let nth = self.rows.len() - 1;
                let Self { hasher, by_place, .. } = self;
                by_place.insert_unique(hash, (place, nth), |(place, _)| hasher.hash_one(place));
                nth
            }
        };
        self.rows.get_mut(nth).ok_or_else(|| DamagedRow.into())
    }
}

impl KnownRow {
    fn action(&self) -> &str {
        self.texts.get(..self.action_len).unwrap_or_default()
    }

    /// What it shows.
    fn draws(&self) -> impl Iterator<Item = Draw<'_>> {
        let mut start = self.action_len;
        self.shown.iter().map(move |&(family, given, end)| {
            let action = match given {
                Given::Nothing => None,
                Given::ItsAction => Some(self.action()),
                Given::PassingRoles => Some(PASS_ROLE),
            };
            let place = std::mem::replace(&mut start, end)..end;
            Draw { family, action, value: self.texts.get(place).unwrap_or_default() }
        })
    }

    fn of(deed: &Deed<'_>, classes: RateClasses) -> Self {
        let bytes = deed.draws().map(|draw| draw.value.len()).sum::<usize>();
        let mut texts = String::with_capacity(deed.action.len() + bytes);
        texts.push_str(deed.action);
        let mut shown = SmallVec::new();
        for draw in deed.draws() {
            let given = match draw.action {
                None => Given::Nothing,
                Some(action) if action == deed.action => Given::ItsAction,
                Some(_) => Given::PassingRoles,
            };
            texts.push_str(draw.value);
            shown.push((draw.family, given, texts.len()));
        }
        Self {
            classes,
            is_denied: deed.is_denied,
            action_len: deed.action.len(),
            texts,
            shown,
            seen_by: 0,
            buckets: 0,
        }
    }
}

impl AgentLearning<'_> {
    /// Takes a call in. `row` is asked for the row that belongs to it, unless that is known already.
    ///
    /// # Errors
    /// Those of `row`, and a damaged row.
    pub fn call<E: From<DamagedRow>>(
        &mut self,
        call: &CallToLearn,
        row: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if call.row == NOWHERE {
            return Ok(());
        }
        let Some(owner) = self.learning.owners.get(call.place as usize) else {
            return Err(DamagedRow.into());
        };
        let time = call.time();
        let start_minute = self.episodes.start_of(owner.root, time);
        if self.flagged.is_flagged(owner.root, start_minute) {
            return Ok(());
        }
        let episode = EpisodeKey { start_minute, root: owner.episodes_of };
        let learner = &mut self.learner;
        if let Some(version) = self.learning.versions.get(owner.version as usize) {
            learner.version(episode, version.as_unescaped());
        }
        let words = self.vocabularies.get(call.part as usize).ok_or(DamagedRow)?;
        let row = self.rows.of(call, words, row)?;
        let bytes_out = call.bytes_out();
        let counts = Counts { classes: row.classes, bytes_out, touched: call.touched() };
        let Some(number) = learner.count(episode, time, &counts) else { return Ok(()) };
        // A value counts once an episode.
        if std::mem::replace(&mut row.seen_by, number) != number {
            row.buckets = 0;
            row.draws().for_each(|draw| learner.shown(&draw));
        }
        if let Some(bytes) = bytes_out.filter(|_| !row.is_denied) {
            let bucket = 1 << (u64::BITS - bytes.leading_zeros());
            if row.buckets & bucket == 0 {
                row.buckets |= bucket;
                let (action, value) = (Some(row.action()), bucket_name(bytes));
                learner.shown(&Draw { family: Family::Bytes, action, value });
            }
        }
        Ok(())
    }

    /// The same, and keeps what each episode showed.
    #[must_use]
    pub fn keeping_episodes(self) -> Self {
        Self { learner: self.learner.keeping_episodes(), ..self }
    }

    /// What learns: for its episodes.
    pub fn learner(&mut self) -> &mut Learner {
        &mut self.learner
    }

    /// What was learned.
    pub fn finish(self) -> Baseline {
        self.learner.finish()
    }
}

/// The same for the same id, whenever and wherever it is asked for.
pub(crate) fn stable_hash(id: &SessionId) -> u64 {
    stable_hash_of(id.untrusted().as_unescaped())
}

pub(crate) fn stable_hash_of(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
