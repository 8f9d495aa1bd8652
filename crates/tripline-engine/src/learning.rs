//! From what was kept of every call to what each agent normally does.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use tripline_attribution::{Agent, AgentId, EpisodeCutter, SessionId, Sessions};
use tripline_baseline::{Baseline, EpisodeKey, Learner, Whose};
use tripline_text::Untrusted;

use crate::drawn;
use crate::judge::DamagedRow;
use crate::tick::Tick;
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

/// What learning needs to know of a history that was read: whose each call was, and which are not to
/// be learned from. Threads may share it.
#[derive(Debug)]
pub struct Learning<'s> {
    flagged: &'s Flagged,
    /// By the part of the records that they were written for.
    vocabularies: &'s [Vocabulary],
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

impl<'s> Learning<'s> {
    /// Over resolved sessions.
    pub fn new(sessions: &Sessions, flagged: &'s Flagged, vocabularies: &'s [Vocabulary]) -> Self {
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
            flagged,
            vocabularies,
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

    /// Starts learning an agent.
    pub fn agent(&self, number: u32) -> Option<AgentLearning<'_>> {
        let whose = self.agents.get(number as usize)?.clone();
        Some(AgentLearning {
            learning: self,
            learner: Learner::new(whose, self.hash_seed),
            episodes: EpisodeCutter::default(),
            last: None,
        })
    }
}

fn whose(agent: &Agent) -> Whose {
    let name = |id: &AgentId| id.untrusted().into_owned();
    Whose::Agent { agent: name(&agent.id), class: agent.class.as_ref().map(name) }
}

/// Learns what one agent does, from its calls in order of time and id.
#[derive(Debug)]
pub struct AgentLearning<'l> {
    learning: &'l Learning<'l>,
    learner: Learner,
    episodes: EpisodeCutter,
    last: Option<(u64, u128)>,
}

impl AgentLearning<'_> {
    /// Takes a call in; the same again changes nothing. `part` says whose vocabulary its row is in.
    ///
    /// # Errors
    /// When the row is damaged.
    pub fn call(&mut self, part: usize, tick: Tick, row: &[u8]) -> Result<(), DamagedRow> {
        if self.last.replace(tick.key()) == Some(tick.key()) {
            return Ok(());
        }
        let (Some(words), Some(owner)) =
            (self.learning.vocabularies.get(part), self.learning.owners.get(tick.place as usize))
        else {
            return Err(DamagedRow);
        };
        let start_minute = self.episodes.start_of(owner.root, tick.time());
        if self.learning.flagged.is_flagged(owner.root, start_minute) {
            return Ok(());
        }
        let episode = EpisodeKey { start_minute, root: owner.episodes_of };
        let learner = &mut self.learner;
        if let Some(version) = self.learning.versions.get(owner.version as usize) {
            learner.version(episode, version.as_unescaped());
        }
        drawn::read(row, words, |deed, counts| {
            learner.call(episode, tick.time(), counts, &deed.home(), &mut deed.draws());
        })
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
