//! What is known of sessions and mints while records come in.

use std::fmt;
use std::num::NonZeroU32;

use ahash::RandomState;
use hashbrown::HashTable;
use tripline_cloudtrail::{EventTime, Record, keyed};

use crate::agent::{Agent, AgentId};
use crate::chunks::Chunks;
use crate::facts::SessionFacts;
use crate::known::{KnownMint, Parent};
use crate::mint::{Mint, Told, may_mint};
use crate::recent::Untold;
use crate::resolve::Sessions;
use crate::rules::AgentRules;
use crate::texts::{Text, Texts, index};
use crate::used::{AnchorKind, Facts, Use, is_long_lived};

/// Takes records in and knows, in the end, whose they are.
pub struct Attributor {
    pub(crate) rules: AgentRules,
    seed: u64,
    hasher: RandomState,
    pub(crate) sessions: Chunks<SessionFacts>,
    by_anchor: HashTable<u32>,
    mints: Chunks<KnownMint>,
    pub(crate) texts: Texts,
    agents: Vec<Agent>,
    agent_numbers: HashTable<u32>,
    /// How often something was learned that may settle whose a session is.
    lessons: u32,
    /// The session of the record before: the next is often of the same.
    last: u32,
    /// Where ids are put together that records do not write out.
    scratch: String,
}

/// What is certain about a session's agent before everything was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    NotLookedAt,
    /// Nothing yet, after this many lessons.
    Open {
        lessons: u32,
    },
    /// An agent, by the number it has here.
    Agent(u32),
    /// Nothing that may still come makes it an agent's.
    Nobody,
}

/// What is known of a record's session and agent when the record comes in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Met {
    place: u32,
    agent: Option<u32>,
    may_be_an_agent: bool,
}

impl Met {
    /// The number of the agent, if it is certain: named by a tag of the session's own mint, or by one
    /// further up a chain of which every link is known.
    ///
    /// What comes later can change this in one way only: by a record that tells of one of these
    /// mints differently, as only a forged one can. Then the session is nobody's. For a tag comes
    /// before every other naming, the nearest tag before those further up, and what a mint's record
    /// told is joined, never replaced.
    ///
    /// The number is the attributor's own: small, and the same whenever the agent comes.
    pub fn agent(self) -> Option<u32> {
        self.agent
    }

    /// The attributor's number for the session, for [`Attributor::look_again`].
    pub fn place(self) -> u32 {
        self.place
    }

    /// Whether an agent may yet turn up.
    pub fn may_be_an_agent(self) -> bool {
        self.may_be_an_agent
    }
}

/// How many links up a session's agent is looked for while records come in. Longer chains wait for
/// the end.
const LINKS_LOOKED_AT_MAX: usize = 64;

impl Attributor {
    /// Knows nothing yet. `hash_seed` keys the tables; no result depends on it.
    pub fn new(rules: AgentRules, hash_seed: u64) -> Self {
        Self {
            rules,
            seed: hash_seed,
            hasher: keyed(hash_seed, 11),
            sessions: Chunks::new(),
            by_anchor: HashTable::new(),
            mints: Chunks::new(),
            texts: Texts::new(hash_seed),
            agents: Vec::new(),
            agent_numbers: HashTable::new(),
            lessons: 0,
            last: 0,
            scratch: String::new(),
        }
    }

    /// How agents are named.
    pub fn rules(&self) -> &AgentRules {
        &self.rules
    }

    /// What the tables are keyed with.
    pub fn hash_seed(&self) -> u64 {
        self.seed
    }

    /// Counts a record to its session. Each record once: the caller removes duplicates by their event
    /// ids, and of the copies of a cross-account call all but one. The credential that it creates, if
    /// it does, is another matter: [`Self::note_mint`].
    #[inline]
    pub fn observe(&mut self, facts: &Facts<'_>) -> Met {
        let place = self.count(facts);
        self.look_again(place)
    }

    /// What is known by now of the agent of a session that was observed.
    #[inline]
    pub fn look_again(&mut self, place: u32) -> Met {
        let (agent, may_be_an_agent) = match self.standing(place) {
            Standing::Agent(nth) => (Some(nth), false),
            Standing::Nobody => (None, false),
            Standing::NotLookedAt | Standing::Open { .. } => (None, true),
        };
        Met { place, agent, may_be_an_agent }
    }

    /// A session that was observed was met again, with the same identity.
    pub fn note_met(&mut self, untold: Untold) {
        if let Some(session) = self.sessions.get_mut(untold.place as usize) {
            session.note_named_at(untold.first);
            session.note_named_at(untold.last);
        }
    }

    /// Counts a call that was set aside.
    pub fn observe_call(&mut self, used: &Use) -> u32 {
        self.count(&used.facts())
    }

    /// Learns the credential that a record creates, if it does, without counting the record. The
    /// same record, or a copy of it, changes nothing when it comes again.
    #[inline]
    pub fn note_mint(&mut self, record: &Record<'_>) {
        if may_mint(record)
            && let Some(mint) = Mint::of(record, &self.rules)
        {
            self.learn(&mint);
        }
    }

    pub(crate) fn learn(&mut self, mint: &Mint<'_>) {
        let parent = match &mint.parent {
            Told::Untold => Parent::Untold,
            Told::Nothing => Parent::Nobody,
            // The caller's own record may be in another file, or left out by a filter.
            Told::Just(caller) => Parent::At(self.named_by_mint(caller, mint.time)),
        };
        let at = self.session(AnchorKind::Key, &mint.key, mint.time);
        if let Some(session) = self.sessions.get_mut(at as usize) {
            session.note_named_at(mint.time);
        }
        let next = KnownMint::of(mint, parent, &mut self.texts);
        self.meet(at, next);
    }

    /// The place of the session that asked for a credential.
    fn named_by_mint(&mut self, caller: &Facts<'_>, time: EventTime) -> u32 {
        let at = self.session_of(caller);
        if let Some(session) = self.sessions.get_mut(at as usize) {
            session.note_named_at(time);
            session.describe(caller, &mut self.texts);
        }
        at
    }

    /// Joins what a record tells of the mint of a session's key with what others told.
    fn meet(&mut self, at: u32, mint: KnownMint) {
        self.lessons = self.lessons.wrapping_add(1);
        let Some(session) = self.sessions.get_mut(at as usize) else { return };
        let known = session.mint.and_then(|mint| self.mints.get_mut(mint.get() as usize - 1));
        match known {
            Some(known) => known.join(&mint),
            None => {
                self.mints.push(mint);
                session.mint = NonZeroU32::new(index(self.mints.len()));
            }
        }
    }

    /// Says whose every session is.
    pub fn resolve(self) -> Sessions {
        Sessions::resolve(self)
    }

    pub(crate) fn knows_no_mint(&self) -> bool {
        self.mints.is_empty()
    }

    pub(crate) fn mint_of(&self, session: &SessionFacts) -> Option<&KnownMint> {
        self.mints.get(session.mint?.get() as usize - 1)
    }

    /// The place of the session with this anchor.
    pub(crate) fn place(&self, kind: AnchorKind, id: &str) -> Option<u32> {
        let is_it = |at: &u32| {
            self.sessions
                .get(*at as usize)
                .is_some_and(|session| session.kind == kind && session.id.is(id))
        };
        self.by_anchor.find(self.hasher.hash_one((kind, id)), is_it).copied()
    }

    #[inline]
    fn count(&mut self, facts: &Facts<'_>) -> u32 {
        let at = self.session_of(facts);
        if let Some(session) = self.sessions.get_mut(at as usize) {
            session.note_named_at(facts.time);
            session.describe(facts, &mut self.texts);
        }
        at
    }

    #[inline]
    fn session_of(&mut self, facts: &Facts<'_>) -> u32 {
        let mut scratch = std::mem::take(&mut self.scratch);
        let at = self.session(facts.kind, facts.id.written(&mut scratch), facts.time);
        self.scratch = scratch;
        at
    }

    /// The session with this anchor, made if need be.
    #[inline]
    fn session(&mut self, kind: AnchorKind, id: &str, time: EventTime) -> u32 {
        if let Some(last) = self.sessions.get(self.last as usize)
            && last.kind == kind
            && last.id.is(id)
        {
            return self.last;
        }
        if let Some(at) = self.place(kind, id) {
            self.last = at;
            return at;
        }
        let hash = self.hasher.hash_one((kind, id));
        let at = index(self.sessions.len());
        self.sessions.push(SessionFacts::new(kind, id, time));
        let (sessions, hasher) = (&self.sessions, &self.hasher);
        self.by_anchor.insert_unique(hash, at, |at| match sessions.get(*at as usize) {
            Some(session) => hasher.hash_one((session.kind, session.id.as_str())),
            None => 0,
        });
        self.last = at;
        at
    }

    fn standing(&mut self, at: u32) -> Standing {
        let Some(session) = self.sessions.get(at as usize) else { return Standing::Nobody };
        let is_settled = match session.standing {
            Standing::NotLookedAt => false,
            Standing::Open { lessons } => lessons == self.lessons,
            Standing::Agent(_) | Standing::Nobody => true,
        };
        if is_settled {
            return session.standing;
        }
        let standing = self.look_up(at);
        if let Some(session) = self.sessions.get_mut(at as usize) {
            session.standing = standing;
        }
        standing
    }

    /// Walks up the chain of mints to the first that names an agent.
    fn look_up(&mut self, at: u32) -> Standing {
        let open = Standing::Open { lessons: self.lessons };
        let nobody = if self.rules.fallbacks.is_empty() { Standing::Nobody } else { open };
        let mut class = Text::NONE;
        let mut next = at;
        for _ in 0..LINKS_LOOKED_AT_MAX {
            let Some(session) = self.sessions.get(next as usize) else { return open };
            match session.kind {
                AnchorKind::Key if is_long_lived(session.id.as_str()) => return nobody,
                AnchorKind::Key => {}
                // May turn out to be part of a session with a key of its own.
                AnchorKind::Console => return open,
                AnchorKind::SignIn | AnchorKind::Service | AnchorKind::Principal => return nobody,
            }
            let Some(known) = self.mint_of(session) else { return open };
            if known.contested {
                return nobody;
            }
            if known.agent == Text::UNTOLD {
                return open;
            }
            if class == Text::NONE {
                class = known.class;
            }
            if let Some(id) = self.texts.get(known.agent).and_then(AgentId::of) {
                let class = self.texts.get(class).and_then(AgentId::of);
                return Standing::Agent(self.agent(Agent { id, class }));
            }
            match known.parent {
                Parent::At(parent) => next = parent,
                Parent::Nobody => return nobody,
                Parent::Untold => return open,
            }
        }
        open
    }

    /// The agent of this number, as [`Met::agent`] gave it.
    pub fn agent_at(&self, number: u32) -> Option<&Agent> {
        self.agents.get(number as usize)
    }

    /// The number of an agent, made if need be. An agent without a class gets the one that it is
    /// listed in, if there is one.
    pub(crate) fn agent(&mut self, Agent { id, class }: Agent) -> u32 {
        let class = class.or_else(|| self.rules.classes.get(&id).cloned());
        let agent = Agent { id, class };
        let (agents, hasher) = (&mut self.agents, &self.hasher);
        let hash = hasher.hash_one(&agent);
        let is_it = |at: &u32| agents.get(*at as usize) == Some(&agent);
        if let Some(at) = self.agent_numbers.find(hash, is_it) {
            return *at;
        }
        let at = index(agents.len());
        agents.push(agent);
        self.agent_numbers.insert_unique(hash, at, |at| {
            agents.get(*at as usize).map_or(0, |agent| hasher.hash_one(agent))
        });
        at
    }
}

impl fmt::Debug for Attributor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attributor")
            .field("sessions", &self.sessions.len())
            .field("mints", &self.mints.len())
            .finish_non_exhaustive()
    }
}
