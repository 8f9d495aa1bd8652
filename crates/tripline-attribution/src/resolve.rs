//! Facts to sessions: a pure function of everything that was read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tripline_cloudtrail::EventTime;
use tripline_text::Untrusted;

use crate::agent::{Agent, AgentId, Basis};
use crate::coverage::{Cause, Coverage};
use crate::episode::{Cut, EpisodeId, cut};
use crate::rules::Names;
use crate::session::{Named, Session, SessionId};
use crate::table::{Attributor, CHAIN_MAX, KnownMint, SessionFacts, Text};
use crate::used::{AnchorKind, is_long_lived};

/// Every session, with its agent and its place in its lineage.
///
/// Sessions are put together when they are asked for: a history has millions, and few have anything
/// to show.
#[derive(Debug)]
pub struct Sessions {
    facts: Attributor,
    /// For each place: the place of the session that it is a part of.
    folded_into: BTreeMap<u32, u32>,
    /// For each place: that of its root.
    roots: Vec<u32>,
    /// Places in order of their roots, so that a lineage stands together.
    by_root: Vec<u32>,
    recent: RefCell<Recent>,
}

/// What was asked for lately.
#[derive(Debug, Default)]
struct Recent {
    sessions: BTreeMap<u32, Rc<Session>>,
    episodes: BTreeMap<u32, Rc<[Cut]>>,
}

/// How many answers are kept; then all are forgotten.
const RECENT_MAX: usize = 4_096;

impl Sessions {
    pub(crate) fn resolve(mut facts: Attributor) -> Self {
        let folded_into = fold(&mut facts);
        let count = facts.sessions.len();
        let mut sessions = Self {
            facts,
            folded_into,
            roots: Vec::with_capacity(count),
            by_root: Vec::new(),
            recent: RefCell::default(),
        };
        for at in 0..count {
            let root = sessions.root_of(at as u32);
            sessions.roots.push(root);
        }
        let mut by_root: Vec<u32> = sessions.places().collect();
        by_root.sort_by_key(|at| sessions.roots.get(*at as usize).copied());
        sessions.by_root = by_root;
        sessions
    }

    /// All of them, in order of first use, then kind and id.
    pub fn iter(&self) -> impl Iterator<Item = Session> {
        let mut places: Vec<u32> = self.places().collect();
        let key = |at: &u32| {
            self.facts.sessions.get(*at as usize).map(|facts| (facts.first, facts.kind, &*facts.id))
        };
        places.sort_by(|a, b| key(a).cmp(&key(b)));
        places.into_iter().map(|at| self.session(at))
    }

    /// What the tables are keyed with.
    pub fn hash_seed(&self) -> u64 {
        self.facts.hash_seed()
    }

    /// The session that a use with this anchor belongs to.
    pub fn find(&self, kind: AnchorKind, id: &str) -> Rc<Session> {
        let at = self.facts.place(kind, id).map_or(u32::MAX, |at| self.folded(at));
        if let Some(known) = self.recent.borrow().sessions.get(&at) {
            return Rc::clone(known);
        }
        let session = Rc::new(self.session(at));
        let mut recent = self.recent.borrow_mut();
        if recent.sessions.len() >= RECENT_MAX {
            recent.sessions.clear();
        }
        recent.sessions.insert(at, Rc::clone(&session));
        session
    }

    /// The sessions that share a root with `session`, itself included: what one agent did with one
    /// first credential and all that it minted from there. In order of first use, then id.
    pub fn lineage_of(&self, session: &Session) -> Vec<Session> {
        let mut lineage: Vec<Session> =
            self.members(session.root_place).map(|at| self.session(*at)).collect();
        lineage.sort_by(|a, b| (a.first, a.kind, &a.id).cmp(&(b.first, b.kind, &b.id)));
        lineage
    }

    /// The episode that a call of a session belongs to.
    pub fn episode_of(&self, session: &Session, time: EventTime) -> EpisodeId {
        let cuts = self.episodes(session.root_place);
        let minute = u32::try_from(time.unix_minutes()).unwrap_or(u32::MAX);
        let at = cuts.partition_point(|cut| cut.start <= minute);
        let start = at.checked_sub(1).and_then(|at| cuts.get(at)).map_or(minute, |cut| cut.start);
        let start = EventTime::from_unix_secs(i64::from(start) * 60).unwrap_or(EventTime::EPOCH);
        EpisodeId { root: session.root.clone(), start }
    }

    /// What stays unattributed, and why.
    pub fn coverage(&self) -> Coverage {
        let mut coverage = Coverage::default();
        for at in self.places() {
            let records = self.facts.sessions.get(at as usize).map_or(0, |facts| facts.records);
            if records > 0 {
                coverage.note(records, self.name(&self.chain(at)).err());
            }
        }
        coverage
    }

    /// Who used each of these roles: agents, or (`None`) somebody else.
    pub fn users_of(
        &self,
        roles: BTreeSet<Untrusted<'static>>,
    ) -> BTreeMap<Untrusted<'static>, BTreeSet<Option<AgentId>>> {
        let mut users: BTreeMap<Untrusted<'static>, BTreeSet<Option<AgentId>>> =
            roles.into_iter().map(|role| (role, BTreeSet::new())).collect();
        for at in self.places() {
            let links = self.chain(at);
            let role = links.first().and_then(|own| self.names(own).role);
            let users = role.and_then(|role| users.get_mut(&Untrusted::new(role.to_owned())));
            if let Some(users) = users {
                users.insert(self.name(&links).ok().map(|named| named.agent.id));
            }
        }
        users
    }

    fn places(&self) -> impl Iterator<Item = u32> {
        (0..self.facts.sessions.len() as u32).filter(|at| !self.folded_into.contains_key(at))
    }

    fn folded(&self, at: u32) -> u32 {
        self.folded_into.get(&at).copied().unwrap_or(at)
    }

    fn members(&self, root: u32) -> impl Iterator<Item = &u32> {
        let root_of = |at: &u32| self.roots.get(*at as usize).copied();
        let start = self.by_root.partition_point(|at| root_of(at) < Some(root));
        self.by_root.iter().skip(start).take_while(move |at| root_of(at) == Some(root))
    }

    fn episodes(&self, root: u32) -> Rc<[Cut]> {
        if let Some(known) = self.recent.borrow().episodes.get(&root) {
            return Rc::clone(known);
        }
        let facts = self.members(root).filter_map(|at| self.facts.sessions.get(*at as usize));
        let minutes: BTreeSet<u32> =
            facts.flat_map(|facts| facts.minutes.iter().copied()).collect();
        let cuts: Rc<[Cut]> = cut(&minutes.into_iter().collect::<Vec<_>>()).into();
        let mut recent = self.recent.borrow_mut();
        if recent.episodes.len() >= RECENT_MAX {
            recent.episodes.clear();
        }
        recent.episodes.insert(root, Rc::clone(&cuts));
        cuts
    }

    /// From a session up to the first of its chain; the session first. A forged cycle ends where it
    /// closes.
    fn chain(&self, at: u32) -> Vec<Link<'_>> {
        let mut links: Vec<Link<'_>> = Vec::new();
        let mut next = Some(at);
        while let Some(at) = next
            && links.len() < CHAIN_MAX
            && !links.iter().any(|link| link.at == at)
        {
            let Some(facts) = self.facts.sessions.get(at as usize) else { break };
            let mint = self.facts.mint_of(facts);
            links.push(Link { at, facts, mint });
            next = mint.and_then(|mint| mint.parent).and_then(|(kind, id)| {
                let at = self.facts.place(kind, self.facts.texts.get(id)?)?;
                Some(self.folded(at))
            });
        }
        links
    }

    /// The topmost session that is still this agent's: a runner that opens sessions for many agents
    /// is the root of its own only.
    fn root_of(&self, at: u32) -> u32 {
        let links = self.chain(at);
        if links.len() < 2 {
            return at;
        }
        let agent = |links: &[Link<'_>]| self.name(links).ok().map(|named| named.agent);
        let own = agent(&links);
        let same =
            (1..links.len()).take_while(|nth| agent(links.get(*nth..).unwrap_or_default()) == own);
        let top = same.last().unwrap_or(0);
        links.get(top).map_or(at, |link| link.at)
    }

    fn session(&self, at: u32) -> Session {
        let links = self.chain(at);
        let Some(own) = links.first().copied() else { return unknown() };
        let root_place = self.roots.get(at as usize).copied().unwrap_or(at);
        let root = self.facts.sessions.get(root_place as usize).unwrap_or(own.facts);
        let names = self.names(&own);
        let owned = |text: Option<&str>| text.map(|text| Untrusted::new(text.to_owned()));
        let of_chain = |get: fn(&KnownMint) -> Text| {
            links.iter().find_map(|link| self.facts.texts.get(get(link.mint?)))
        };
        let is_tagged = |mint: &&KnownMint| mint.agent != Text::NONE;
        Session {
            kind: own.facts.kind,
            id: SessionId::new(&own.facts.id),
            parent: links.get(1).map(|link| SessionId::new(&link.facts.id)),
            root: SessionId::new(&root.id),
            root_place,
            lineage: links.iter().rev().map(|link| SessionId::new(&link.facts.id)).collect(),
            minter: owned(links.get(1).and_then(|link| self.names(link).principal)),
            role: owned(names.role),
            principal: owned(names.principal),
            source_identity: owned(names.source_identity),
            user: owned(names.user),
            tenant: owned(of_chain(|mint| mint.tenant)),
            account: own.facts.account.or(own.mint.and_then(|mint| mint.account)),
            minted: own.mint.map(|mint| mint.time).or(own.facts.created),
            ends_by: own.mint.map(|mint| mint.ends_by),
            tag_is_transitive: own.mint.filter(is_tagged).map(|mint| mint.transitive),
            first: own.facts.first,
            last: own.facts.last,
            records: own.facts.records,
            named: self.name(&links),
        }
    }

    /// Who a session's agent is: by the nearest tag up the chain; else by the first fallback that
    /// names anyone. A role or user names by the chain's beginning, so that an agent known by its
    /// role stays itself when it assumes another.
    fn name(&self, links: &[Link<'_>]) -> Result<Named, Cause> {
        let own = links.first().ok_or(Cause::Unknown)?;
        if own.facts.kind == AnchorKind::Service {
            return Err(Cause::Service);
        }
        let class_within = |links: &[Link<'_>]| {
            let class = links.iter().find_map(|link| self.facts.texts.get(link.mint?.class));
            class.and_then(AgentId::of)
        };
        for (nth, link) in links.iter().enumerate() {
            let Some(mint) = link.mint else { continue };
            // What a contested mint says, and what lies above it, may be forged.
            if mint.contested {
                return Err(Cause::Contested);
            }
            if let Some(tag) = self.facts.texts.get(mint.agent) {
                let id = AgentId::of(tag).ok_or(Cause::NoTag)?;
                let class = class_within(links.get(..=nth).unwrap_or_default());
                return Ok(Named {
                    agent: Agent { id, class },
                    basis: Basis::SessionTag,
                    inherited: nth > 0,
                });
            }
        }
        for fallback in &self.facts.rules.fallbacks {
            let basis = fallback.basis();
            let names =
                |(nth, link): (usize, &Link<'_>)| Some((nth, fallback.name(self.names(link))?));
            let found = match basis {
                Basis::Role | Basis::User => links.iter().enumerate().rev().find_map(names),
                _ => links.iter().enumerate().find_map(names),
            };
            if let Some((nth, id)) = found {
                return Ok(Named {
                    agent: Agent { id, class: class_within(links) },
                    basis,
                    inherited: nth > 0,
                });
            }
        }
        Err(self.cause(links, own.facts))
    }

    fn names<'s>(&'s self, link: &Link<'s>) -> Names<'s> {
        let of = |facts: Text, mint: fn(&KnownMint) -> Text| {
            self.facts.texts.get(facts).or_else(|| self.facts.texts.get(mint(link.mint?)))
        };
        Names {
            source_identity: of(link.facts.source_identity, |mint| mint.source_identity),
            principal: of(link.facts.principal, |mint| mint.principal),
            role: of(link.facts.role, |mint| mint.role),
            user: self.facts.texts.get(link.facts.user),
        }
    }

    fn cause(&self, links: &[Link<'_>], own: &SessionFacts) -> Cause {
        let ends = |link: &Link<'_>| {
            link.mint.is_some()
                || link.facts.kind != AnchorKind::Key
                || is_long_lived(&link.facts.id)
        };
        match own.kind {
            AnchorKind::Service => Cause::Service,
            AnchorKind::Console | AnchorKind::SignIn => Cause::Person,
            AnchorKind::Principal => Cause::Unknown,
            AnchorKind::Key if is_long_lived(&own.id) => Cause::LongLivedKey,
            AnchorKind::Key if links.iter().all(ends) => Cause::NoTag,
            AnchorKind::Key if self.facts.mints.is_empty() => Cause::NoMintAtAll,
            AnchorKind::Key => Cause::NoMint,
        }
    }
}

/// One session of a chain.
#[derive(Clone, Copy)]
struct Link<'a> {
    at: u32,
    facts: &'a SessionFacts,
    mint: Option<&'a KnownMint>,
}

/// How far a mint's time and the creation date of its session may be apart. In every captured pair
/// they are the same second; the two are written by different hosts.
const CREATION_SECS_APART_MAX: i64 = 2;

/// Finds the rows that are the same session as another, and joins them: calls that a service made
/// for a session, and console calls, carry a fresh key each, but share principal and creation date
/// with the session's own.
fn fold(facts: &mut Attributor) -> BTreeMap<u32, u32> {
    let mut keys: BTreeMap<Text, BTreeMap<i64, BTreeSet<u32>>> = BTreeMap::new();
    for session in &facts.sessions {
        if session.kind == AnchorKind::Console {
            keys.entry(session.principal).or_default();
        }
    }
    for (at, session) in facts.sessions.iter().enumerate() {
        if session.kind != AnchorKind::Key {
            continue;
        }
        let mint = facts.mint_of(session);
        let pairs = [
            session.created.map(|created| (session.principal, created)),
            mint.map(|mint| (mint.principal, mint.time)),
        ];
        for (principal, created) in pairs.into_iter().flatten() {
            if principal != Text::NONE
                && let Some(keys) = keys.get_mut(&principal)
            {
                keys.entry(created.unix_secs()).or_default().insert(at as u32);
            }
        }
    }
    let mut folded_into = BTreeMap::new();
    for (at, session) in facts.sessions.iter().enumerate() {
        let (AnchorKind::Console, Some(created)) = (session.kind, session.created) else {
            continue;
        };
        let Some(keys) = keys.get(&session.principal) else { continue };
        let secs = created.unix_secs();
        let near = secs - CREATION_SECS_APART_MAX..=secs + CREATION_SECS_APART_MAX;
        let around = || keys.range(near).flat_map(|(_, places)| places).copied().collect();
        let candidates: BTreeSet<u32> = keys.get(&secs).cloned().unwrap_or_else(around);
        // A key that one of them minted for itself (S3 Express) shows the same principal and date.
        let is_child =
            |at: &u32| parent_of(facts, *at).is_some_and(|parent| candidates.contains(&parent));
        let mut candidates = candidates.iter().filter(|at| !is_child(at));
        // With several left none is right: the same name was taken twice in one second.
        if let (Some(to), None) = (candidates.next(), candidates.next()) {
            folded_into.insert(at as u32, *to);
        }
    }
    for (from, to) in &folded_into {
        let Some(part) = facts.sessions.get(*from as usize).cloned() else { continue };
        if let Some(whole) = facts.sessions.get_mut(*to as usize) {
            whole.join(&part);
            let places = [
                (&mut whole.principal, part.principal),
                (&mut whole.role, part.role),
                (&mut whole.user, part.user),
                (&mut whole.source_identity, part.source_identity),
            ];
            for (place, text) in places {
                let (mine, theirs) = (facts.texts.get(*place), facts.texts.get(text));
                if theirs.is_some() && (mine.is_none() || theirs < mine) {
                    *place = text;
                }
            }
        }
    }
    folded_into
}

/// The session that minted another, as far as that has a row of its own.
fn parent_of(facts: &Attributor, at: u32) -> Option<u32> {
    let (kind, id) = facts.mint_of(facts.sessions.get(at as usize)?)?.parent?;
    facts.place(kind, facts.texts.get(id)?)
}

/// What a use resolves to that was never counted.
fn unknown() -> Session {
    let id = SessionId::new("");
    Session {
        kind: AnchorKind::Principal,
        parent: None,
        root: id.clone(),
        root_place: u32::MAX,
        lineage: vec![id.clone()],
        id,
        minter: None,
        role: None,
        principal: None,
        source_identity: None,
        user: None,
        tenant: None,
        account: None,
        minted: None,
        ends_by: None,
        tag_is_transitive: None,
        first: EventTime::EPOCH,
        last: EventTime::EPOCH,
        records: 0,
        named: Err(Cause::Unknown),
    }
}
