//! What is known of sessions and mints while records come in.
//!
//! INVARIANT: every fact is merged by minimum, maximum, sum or union, so that the order in which
//! records come, and the parts in which they come, leave no trace.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashTable;
use smallvec::SmallVec;
use tripline_cloudtrail::{EventTime, Record};
use tripline_iam::AccountId;

use crate::agent::{Agent, AgentId};
use crate::mint::{Mint, MintId, may_mint};
use crate::resolve::Sessions;
use crate::rules::AgentRules;
use crate::used::{AnchorKind, Facts, Use, is_long_lived};

/// Takes records in and knows, in the end, whose they are.
pub struct Attributor {
    pub(crate) rules: AgentRules,
    seed: u64,
    hasher: RandomState,
    pub(crate) sessions: Vec<SessionFacts>,
    by_anchor: HashTable<u32>,
    pub(crate) mints: Vec<KnownMint>,
    pub(crate) texts: Texts,
    agents: Vec<Agent>,
    /// The same, as they are told to others.
    shared: Vec<Arc<Agent>>,
    agent_numbers: BTreeMap<Agent, u32>,
    /// Keys that were minted for an agent, not yet told to others.
    news: Vec<News>,
    /// What others told: keys of 20 characters, as AWS makes them, and the agent.
    told: HashTable<([u8; 20], u32)>,
    /// The session of the record before: the next is often of the same.
    last: u32,
}

/// What the records of a session say of it.
#[derive(Clone, Debug)]
pub(crate) struct SessionFacts {
    pub(crate) kind: AnchorKind,
    pub(crate) id: Box<str>,
    pub(crate) first: EventTime,
    pub(crate) last: EventTime,
    pub(crate) records: u64,
    /// Minutes since 1970 in which there was a call; sorted.
    pub(crate) minutes: SmallVec<[u32; 4]>,
    pub(crate) account: Option<AccountId>,
    pub(crate) created: Option<EventTime>,
    pub(crate) principal: Text,
    pub(crate) role: Text,
    pub(crate) user: Text,
    pub(crate) source_identity: Text,
    /// The place of its mint in `Attributor::mints`, if that is known.
    pub(crate) mint: Option<NonZeroU32>,
    standing: Cell<Standing>,
}

/// What is certain about a session's agent before everything was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not looked at since this many mints were known.
    Open { mints: u32 },
    /// An agent, by the number it has here.
    Agent(u32),
    /// Nothing that may still come makes it an agent's.
    Nobody,
}

/// A mint, and whether another one claims to have created the same key.
#[derive(Clone, Debug)]
pub(crate) struct KnownMint {
    pub(crate) id: MintId,
    pub(crate) contested: bool,
    pub(crate) time: EventTime,
    pub(crate) ends_by: EventTime,
    pub(crate) parent: Option<(AnchorKind, Text)>,
    pub(crate) transitive: bool,
    pub(crate) account: Option<AccountId>,
    pub(crate) agent: Text,
    pub(crate) class: Text,
    pub(crate) tenant: Text,
    pub(crate) source_identity: Text,
    pub(crate) role: Text,
    pub(crate) principal: Text,
}

/// A key that was minted for an agent: told by one attributor to others, so that fewer calls have to
/// wait for the end to know their agent. What is told decides nothing else.
#[derive(Clone, Debug)]
pub struct News {
    key: [u8; 20],
    agent: Arc<Agent>,
}

/// What is known of a record's agent when the record comes in.
#[derive(Clone, Copy, Debug)]
pub struct Attributed<'a> {
    place: u32,
    standing: Standing,
    agent: Option<(u32, &'a Agent)>,
}

impl<'a> Attributed<'a> {
    /// The agent, if it is certain: named by a tag of the session's own mint, or by one further up
    /// a chain of which every link is known.
    ///
    /// This can change in one way only: a second, different mint of the same key may come, as only
    /// a forged record can be. Then the session is nobody's.
    ///
    /// The number is this attributor's own for the agent: small, and the same whenever it comes.
    pub fn agent(self) -> Option<(u32, &'a Agent)> {
        self.agent
    }

    /// This attributor's number for the session, for [`Attributor::look_again`].
    pub fn place(self) -> u32 {
        self.place
    }

    /// Whether an agent may yet turn up.
    pub fn may_be_an_agent(self) -> bool {
        matches!(self.standing, Standing::Open { .. })
    }
}

impl Attributor {
    /// Knows nothing yet. `hash_seed` keys the tables; no result depends on it.
    pub fn new(rules: AgentRules, hash_seed: u64) -> Self {
        Self {
            rules,
            seed: hash_seed,
            hasher: RandomState::with_seeds(hash_seed, 11, 12, 13),
            sessions: Vec::new(),
            by_anchor: HashTable::new(),
            mints: Vec::new(),
            texts: Texts::new(hash_seed),
            agents: Vec::new(),
            shared: Vec::new(),
            agent_numbers: BTreeMap::new(),
            news: Vec::new(),
            told: HashTable::new(),
            last: 0,
        }
    }

    /// What the tables are keyed with.
    pub fn hash_seed(&self) -> u64 {
        self.seed
    }

    /// Counts a record to its session, and learns the credential it creates, if it does.
    #[inline]
    pub fn observe(&mut self, record: &Record<'_>) -> Attributed<'_> {
        self.note_mint(record);
        let place = self.count(&Facts::of(record));
        self.look_again(place)
    }

    /// What is known by now of the agent of a session that was observed.
    #[inline]
    pub fn look_again(&mut self, place: u32) -> Attributed<'_> {
        let standing = self.standing(place);
        let agent = match standing {
            Standing::Agent(nth) => self.agents.get(nth as usize).map(|agent| (nth, agent)),
            _ => None,
        };
        Attributed { place, standing, agent }
    }

    /// Counts a call that was set aside.
    pub fn observe_call(&mut self, used: &Use) {
        self.count(&used.facts());
    }

    /// Learns the credential that a record creates, if it does, without counting the record.
    #[inline]
    pub fn note_mint(&mut self, record: &Record<'_>) {
        if may_mint(record)
            && let Some(mint) = Mint::of(record, &self.rules)
        {
            self.learn(&mint);
        }
    }

    /// The keys minted for agents since the last call, for other attributors.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Takes in what another attributor told.
    pub fn hear(&mut self, news: &News) {
        let agent = self.agent(Agent::clone(&news.agent));
        let hasher = &self.hasher;
        let hash = hasher.hash_one(news.key);
        if self.told.find(hash, |(key, _)| *key == news.key).is_none() {
            self.told.insert_unique(hash, (news.key, agent), |(key, _)| hasher.hash_one(key));
        }
    }

    fn learn(&mut self, mint: &Mint) {
        let at = self.session(AnchorKind::Key, &mint.key, mint.time);
        let next = KnownMint::of(mint, &mut self.texts);
        self.meet(at, next);
        let name = |text: &Option<tripline_text::Untrusted<'_>>| {
            AgentId::of(text.as_ref()?.as_unescaped())
        };
        if let (Ok(key), Some(id)) = (mint.key.as_bytes().try_into(), name(&mint.agent)) {
            let agent = self.agent(Agent { id, class: name(&mint.class) });
            if let Some(agent) = self.shared.get(agent as usize) {
                self.news.push(News { key, agent: Arc::clone(agent) });
            }
        }
    }

    /// A mint of the key of a session: the first one known, a copy of that, or a rival.
    fn meet(&mut self, at: u32, mint: KnownMint) {
        let Some(session) = self.sessions.get_mut(at as usize) else { return };
        let known = session.mint.and_then(|mint| self.mints.get_mut(mint.get() as usize - 1));
        let Some(known) = known else {
            self.mints.push(mint);
            session.mint = NonZeroU32::new(index(self.mints.len()));
            return;
        };
        let contested = known.contested | mint.contested | (known.id != mint.id);
        if known.id == mint.id {
            known.join(mint, &self.texts);
        } else if mint.id < known.id {
            // Of rivals one is kept for its lineage, whichever came first.
            *known = mint;
        }
        known.contested = contested;
    }

    /// Joins what another attributor knows.
    pub fn merge(&mut self, other: Self) {
        for session in other.sessions {
            let at = self.session(session.kind, &session.id, session.first);
            let text = |text: Text| other.texts.get(text);
            let texts =
                [session.principal, session.role, session.user, session.source_identity].map(text);
            if let Some(mine) = self.sessions.get_mut(at as usize) {
                mine.join(&session);
                let places = [
                    &mut mine.principal,
                    &mut mine.role,
                    &mut mine.user,
                    &mut mine.source_identity,
                ];
                for (place, text) in places.into_iter().zip(texts) {
                    self.texts.least(place, text);
                }
            }
            let mint = session.mint.and_then(|mint| other.mints.get(mint.get() as usize - 1));
            if let Some(mint) = mint {
                let mint = mint.moved(&other.texts, &mut self.texts);
                self.meet(at, mint);
            }
        }
    }

    /// Says whose every session is.
    pub fn resolve(self) -> Sessions {
        Sessions::resolve(self)
    }

    pub(crate) fn mint_of(&self, session: &SessionFacts) -> Option<&KnownMint> {
        self.mints.get(session.mint?.get() as usize - 1)
    }

    /// The place of the session with this anchor.
    pub(crate) fn place(&self, kind: AnchorKind, id: &str) -> Option<u32> {
        let is_it = |at: &u32| {
            self.sessions
                .get(*at as usize)
                .is_some_and(|session| session.kind == kind && &*session.id == id)
        };
        self.by_anchor.find(self.hasher.hash_one((kind, id)), is_it).copied()
    }

    #[inline]
    fn count(&mut self, facts: &Facts<'_>) -> u32 {
        let at = self.session(facts.kind, facts.id.as_unescaped(), facts.time);
        let Some(session) = self.sessions.get_mut(at as usize) else { return at };
        session.note_time(facts.time);
        least(&mut session.account, facts.account);
        least(&mut session.created, facts.created);
        self.texts.least(
            &mut session.principal,
            facts.principal.as_ref().map(|text| text.as_unescaped()),
        );
        self.texts.least(&mut session.role, facts.role.as_ref().map(|text| text.as_unescaped()));
        self.texts.least(&mut session.user, facts.user.as_ref().map(|text| text.as_unescaped()));
        let source_identity = facts.source_identity.as_ref().map(|text| text.as_unescaped());
        self.texts.least(&mut session.source_identity, source_identity);
        at
    }

    /// The session with this anchor, made if need be.
    #[inline]
    pub(crate) fn session(&mut self, kind: AnchorKind, id: &str, time: EventTime) -> u32 {
        if let Some(last) = self.sessions.get(self.last as usize)
            && last.kind == kind
            && &*last.id == id
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
            Some(session) => hasher.hash_one((session.kind, &*session.id)),
            None => 0,
        });
        self.last = at;
        at
    }

    fn standing(&mut self, at: u32) -> Standing {
        let Some(session) = self.sessions.get(at as usize) else { return Standing::Nobody };
        let standing = session.standing.get();
        match standing {
            Standing::Open { mints } if mints != index(self.mints.len()) => {
                let standing = self.look_up(at);
                if let Some(session) = self.sessions.get(at as usize) {
                    session.standing.set(standing);
                }
                standing
            }
            known => known,
        }
    }

    /// Walks up the chain of mints to the first that names an agent.
    fn look_up(&mut self, at: u32) -> Standing {
        let open = Standing::Open { mints: index(self.mints.len()) };
        let nobody = if self.rules.fallbacks.is_empty() { Standing::Nobody } else { open };
        let mut class = Text::NONE;
        let mut next = at;
        for _ in 0..CHAIN_MAX {
            let Some(session) = self.sessions.get(next as usize) else { return open };
            match session.kind {
                AnchorKind::Key if is_long_lived(&session.id) => return nobody,
                AnchorKind::Key => {}
                // May turn out to be part of a session with a key of its own.
                AnchorKind::Console => return open,
                AnchorKind::SignIn | AnchorKind::Service | AnchorKind::Principal => return nobody,
            }
            let Some(known) = self.mint_of(session) else {
                let told = if class == Text::NONE { self.told_of(&session.id) } else { None };
                return told.map_or(open, Standing::Agent);
            };
            if known.contested {
                return nobody;
            }
            if class == Text::NONE {
                class = known.class;
            }
            if let Some(name) = self.texts.get(known.agent) {
                let Some(id) = AgentId::of(name) else { return nobody };
                let class = self.texts.get(class).and_then(AgentId::of);
                return Standing::Agent(self.agent(Agent { id, class }));
            }
            let Some((kind, parent)) = known.parent else {
                return if known.may_have_unknown_parent() { open } else { nobody };
            };
            match self.texts.get(parent).and_then(|parent| self.place(kind, parent)) {
                Some(parent) => next = parent,
                None if kind == AnchorKind::Key => return open,
                None => return nobody,
            }
        }
        nobody
    }

    fn told_of(&self, key: &str) -> Option<u32> {
        let key: [u8; 20] = key.as_bytes().try_into().ok()?;
        let found = self.told.find(self.hasher.hash_one(key), |(told, _)| *told == key)?;
        Some(found.1)
    }

    fn agent(&mut self, agent: Agent) -> u32 {
        let next = index(self.agents.len());
        let at = *self.agent_numbers.entry(agent.clone()).or_insert(next);
        if at == next {
            self.shared.push(Arc::new(agent.clone()));
            self.agents.push(agent);
        }
        at
    }
}

/// How long a chain may be. AWS sets no limit, but an hour's life for each link does; a forged cycle
/// ends here.
pub(crate) const CHAIN_MAX: usize = 64;

impl KnownMint {
    fn of(mint: &Mint, texts: &mut Texts) -> Self {
        let mut text = |text: &Option<tripline_text::Untrusted<'_>>| match text {
            Some(text) => texts.intern(text.as_unescaped()),
            None => Text::NONE,
        };
        Self {
            id: mint.id,
            contested: false,
            time: mint.time,
            ends_by: mint.ends_by,
            transitive: mint.transitive,
            account: mint.account,
            agent: text(&mint.agent),
            class: text(&mint.class),
            tenant: text(&mint.tenant),
            source_identity: text(&mint.source_identity),
            role: text(&mint.role),
            principal: text(&mint.principal),
            parent: mint.parent.as_ref().map(|(kind, id)| (*kind, texts.intern(id))),
        }
    }

    /// Joins what two copies of one mint say: each knows what the other may leave out. In the role
    /// owner's copy the caller's key is missing.
    fn join(&mut self, other: Self, texts: &Texts) {
        self.time = self.time.min(other.time);
        self.ends_by = self.ends_by.max(other.ends_by);
        self.transitive |= other.transitive;
        least(&mut self.account, other.account);
        for (mine, theirs) in self.texts_mut().into_iter().zip(other.clone().texts_mut()) {
            let is_less = match (texts.get(*mine), texts.get(*theirs)) {
                (Some(mine), Some(theirs)) => theirs < mine,
                (None, theirs) => theirs.is_some(),
                (Some(_), None) => false,
            };
            if is_less {
                *mine = *theirs;
            }
        }
        let key =
            |parent: Option<(AnchorKind, Text)>| parent.map(|(kind, id)| (kind, texts.get(id)));
        if other.parent.is_some() && (self.parent.is_none() || key(other.parent) < key(self.parent))
        {
            self.parent = other.parent;
        }
    }

    /// The same with its texts in another table.
    fn moved(&self, from: &Texts, to: &mut Texts) -> Self {
        let mut moved = self.clone();
        for text in moved.texts_mut() {
            *text = from.get(*text).map_or(Text::NONE, |text| to.intern(text));
        }
        moved.parent = self.parent.and_then(|(kind, id)| Some((kind, to.intern(from.get(id)?))));
        moved
    }

    fn texts_mut(&mut self) -> [&mut Text; 6] {
        let Self { agent, class, tenant, source_identity, role, principal, .. } = self;
        [agent, class, tenant, source_identity, role, principal]
    }

    /// Whether another account's copy may still tell of a parent that this one does not.
    fn may_have_unknown_parent(&self) -> bool {
        self.parent.is_none() && matches!(self.id, MintId::Shared(_))
    }
}

impl SessionFacts {
    pub(crate) fn new(kind: AnchorKind, id: &str, time: EventTime) -> Self {
        Self {
            kind,
            id: id.into(),
            first: time,
            last: time,
            records: 0,
            minutes: SmallVec::new(),
            account: None,
            created: None,
            principal: Text::NONE,
            role: Text::NONE,
            user: Text::NONE,
            source_identity: Text::NONE,
            mint: None,
            standing: Cell::new(Standing::Open { mints: u32::MAX }),
        }
    }

    /// Counts a call.
    #[inline]
    fn note_time(&mut self, time: EventTime) {
        self.first = if self.records == 0 { time } else { self.first.min(time) };
        self.last = if self.records == 0 { time } else { self.last.max(time) };
        self.records += 1;
        self.note_minute(u32::try_from(time.unix_minutes()).unwrap_or(u32::MAX));
    }

    /// Joins the counts of another share of this session's records.
    pub(crate) fn join(&mut self, other: &Self) {
        if other.records > 0 {
            self.first = if self.records == 0 { other.first } else { self.first.min(other.first) };
            self.last = if self.records == 0 { other.last } else { self.last.max(other.last) };
        }
        self.records += other.records;
        other.minutes.iter().for_each(|minute| self.note_minute(*minute));
        least(&mut self.account, other.account);
        least(&mut self.created, other.created);
    }

    /// Mostly the newest minute again, or a newer one.
    #[inline]
    pub(crate) fn note_minute(&mut self, minute: u32) {
        match self.minutes.last() {
            Some(newest) if *newest == minute => {}
            Some(newest) if *newest > minute => {
                if let Err(at) = self.minutes.binary_search(&minute) {
                    self.minutes.insert(at, minute);
                }
            }
            _ => self.minutes.push(minute),
        }
    }
}

fn least<T: Copy + Ord>(mine: &mut Option<T>, theirs: Option<T>) {
    if theirs.is_some() && (mine.is_none() || theirs < *mine) {
        *mine = theirs;
    }
}

/// Four thousand million sessions are beyond any memory: numbers of things fit 32 bits.
fn index(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Texts that many sessions share, each kept once.
pub(crate) struct Texts {
    texts: Vec<Box<str>>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

/// A text in [`Texts`], or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text(u32);

impl Text {
    pub(crate) const NONE: Self = Self(u32::MAX);
}

impl Texts {
    fn new(seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, 21, 22, 23);
        Self { texts: Vec::new(), numbers: HashTable::new(), hasher }
    }

    pub(crate) fn get(&self, text: Text) -> Option<&str> {
        self.texts.get(text.0 as usize).map(|text| &**text)
    }

    /// Keeps the smaller of two texts: of a session's records none should disagree, and where a
    /// forged one does, no order of arrival may decide.
    #[inline]
    pub(crate) fn least(&mut self, mine: &mut Text, theirs: Option<&str>) {
        let Some(theirs) = theirs else { return };
        match self.get(*mine) {
            Some(mine) if mine <= theirs => {}
            _ => *mine = self.intern(theirs),
        }
    }

    pub(crate) fn intern(&mut self, text: &str) -> Text {
        let hash = self.hasher.hash_one(text);
        let is_it = |at: &u32| self.texts.get(*at as usize).is_some_and(|known| &**known == text);
        if let Some(at) = self.numbers.find(hash, is_it) {
            return Text(*at);
        }
        let at = index(self.texts.len());
        self.texts.push(text.into());
        let (texts, hasher) = (&self.texts, &self.hasher);
        self.numbers.insert_unique(hash, at, |at| {
            hasher.hash_one(texts.get(*at as usize).map_or("", |text| &**text))
        });
        Text(at)
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
