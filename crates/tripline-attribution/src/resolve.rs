//! Facts to sessions: a pure function of everything that was read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tripline_cloudtrail::EventTime;
use tripline_text::Untrusted;

use crate::agent::AgentId;
use crate::coverage::{Cause, Coverage};
use crate::episode::{Cut, EpisodeId};
use crate::facts::SessionFacts;
use crate::fold::Folds;
use crate::known::KnownMint;
use crate::lineage::{Claim, Settled, settle};
use crate::rules::Names;
use crate::session::{Named, Session, SessionId};
use crate::table::Attributor;
use crate::used::AnchorKind;

/// Every session, with its agent and its place in its lineage.
///
/// Sessions are put together when they are asked for: a history has millions, and few have anything
/// to show.
#[derive(Debug)]
pub struct Sessions {
    pub(crate) facts: Attributor,
    pub(crate) folds: Folds,
    /// By place.
    settled: Vec<Settled>,
    /// Places in order of their roots, so that a lineage stands together.
    by_root: Vec<u32>,
    recent: RefCell<Recent>,
    /// By place.
    activity: Vec<Activity>,
    /// The latest episode, by the place of its root.
    episodes: Vec<Cut>,
    failed_mints: u64,
}

/// A call that was counted: whose it is.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The place of the session, for [`Sessions::session_at`] and the like.
    pub session: u32,
    /// The place of its root.
    pub root: u32,
    /// The minute since 1970 in which its episode began.
    pub episode_start: u32,
}

/// What was counted of a session.
#[derive(Clone, Copy, Debug)]
struct Activity {
    first: EventTime,
    last: EventTime,
    records: u32,
    /// The place of its root, here where each call looks; [`ELSEWHERE`] of what is a part of another session.
    root: u32,
}

/// No place: there are fewer records.
const ELSEWHERE: u32 = u32::MAX;

impl Activity {
    fn none(root: u32) -> Self {
        Self { first: EventTime::EPOCH, last: EventTime::EPOCH, records: 0, root }
    }
}

/// What was asked for lately.
#[derive(Debug, Default)]
struct Recent {
    sessions: BTreeMap<u32, Rc<Session>>,
}

/// How many answers are kept; then all are forgotten.
const RECENT_MAX: usize = 4_096;

/// How much of a chain is written out. AWS sets no limit to its length.
const LINEAGE_MAX: usize = 64;

impl Sessions {
    pub(crate) fn resolve(mut facts: Attributor) -> Self {
        let folds = Folds::fold(&mut facts);
        let settled = settle(&mut facts, &folds);
        facts.texts.close();
        let places = facts.sessions.len();
        let root_of = |(at, settled): (u32, &Settled)| match folds.into.contains_key(&at) {
            true => ELSEWHERE,
            false => settled.root,
        };
        let activity = (0..).zip(&settled).map(root_of).map(Activity::none).collect();
        let mut sessions = Self {
            facts,
            folds,
            settled,
            by_root: Vec::new(),
            recent: RefCell::default(),
            activity,
            episodes: vec![Cut::NEVER; places],
            failed_mints: 0,
        };
        let mut by_root: Vec<u32> = sessions.places().collect();
        by_root.sort_by_key(|at| sessions.root_of(at));
        sessions.by_root = by_root;
        sessions
    }

    /// All of them, in order of first use, then kind and id.
    pub fn iter(&self) -> impl Iterator<Item = Session> {
        let mut places: Vec<u32> = self.places().collect();
        let key = |at: &u32| {
            let facts = self.facts.sessions.get(*at as usize)?;
            Some((self.first_and_last(*at).0, facts.kind, facts.id.as_str()))
        };
        places.sort_by(|a, b| key(a).cmp(&key(b)));
        places.into_iter().map(|at| self.session(at))
    }

    /// What the tables are keyed with.
    pub fn hash_seed(&self) -> u64 {
        self.facts.hash_seed()
    }

    /// Counts a call of the session of that place, as [`Met::place`](crate::Met::place)
    /// gave it. Calls come in order of event time.
    #[inline]
    pub fn note_call(&mut self, place: u32, time: EventTime, is_failed_mint: bool) -> Turn {
        let is_part = self.activity.get(place as usize).is_some_and(|it| it.root == ELSEWHERE);
        let session = if is_part { self.folds.of(place) } else { place };
        self.failed_mints += u64::from(is_failed_mint);
        let mut root = session;
        if let Some(activity) = self.activity.get_mut(session as usize) {
            if activity.records == 0 {
                activity.first = time;
            }
            activity.last = time;
            activity.records = activity.records.saturating_add(1);
            root = activity.root;
        }
        let episode = self.episodes.get_mut(root as usize);
        let episode_start = episode.map_or(0, |episode| episode.step(time));
        Turn { session, root, episode_start }
    }

    /// The first and the last call of a session; without any, when records first and last named it.
    fn first_and_last(&self, at: u32) -> (EventTime, EventTime) {
        let activity = self.activity.get(at as usize).filter(|activity| activity.records > 0);
        let named =
            || self.facts.sessions.get(at as usize).map(|it| (it.first_named, it.last_named));
        let counted = activity.map(|activity| (activity.first, activity.last));
        counted.or_else(named).unwrap_or((EventTime::EPOCH, EventTime::EPOCH))
    }

    /// The session of a place. What it did is as of when it was first asked for: for that ask
    /// [`Sessions::iter`] or [`Sessions::lineage_of`] when all calls are counted.
    pub fn session_at(&self, at: u32) -> Rc<Session> {
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

    /// A small number for the agent whose session a place is.
    pub fn agent_number_at(&self, at: u32) -> Option<u32> {
        Some(self.settled.get(at as usize)?.claim.ok()?.agent)
    }

    /// The agent of that number.
    pub fn agent_at(&self, number: u32) -> Option<&crate::agent::Agent> {
        self.facts.agent_at(number)
    }

    /// The episode that a counted call belongs to.
    pub fn episode_id(&self, turn: &Turn) -> EpisodeId {
        let start = EventTime::from_unix_secs(i64::from(turn.episode_start) * 60)
            .unwrap_or(EventTime::EPOCH);
        let root =
            self.facts.sessions.get(turn.root as usize).map_or("", |facts| facts.id.as_str());
        EpisodeId { root: SessionId::new(root), start }
    }

    /// How many places there are.
    pub fn places_len(&self) -> u32 {
        self.facts.sessions.len() as u32
    }

    /// The place of the session that the session of a place is a part of, often itself.
    pub fn session_of(&self, place: u32) -> u32 {
        self.folds.of(place)
    }

    /// The version of the agent that ran a session, as its tag says.
    pub fn version_at(&self, at: u32) -> Option<Untrusted<'_>> {
        let settled = self.settled.get(at as usize)?;
        self.facts.texts.get(settled.version).map(Untrusted::borrowed)
    }

    /// A number for that version: the same for the same text, and for none other.
    #[inline]
    pub fn version_number_at(&self, at: u32) -> Option<u32> {
        self.settled.get(at as usize)?.version.number()
    }

    /// The place of the root of a session.
    pub fn root_at(&self, at: u32) -> u32 {
        self.root_of(&at).unwrap_or(at)
    }

    /// The name of the session of a place.
    pub fn id_at(&self, at: u32) -> SessionId {
        SessionId::new(self.facts.sessions.get(at as usize).map_or("", |facts| facts.id.as_str()))
    }

    /// What holds the session of a place together.
    pub fn anchor_at(&self, at: u32) -> Option<(AnchorKind, &str)> {
        self.facts.sessions.get(at as usize).map(|facts| (facts.kind, facts.id.as_str()))
    }

    /// The place of the session with this anchor, or of the one that it is a part of.
    pub fn place(&self, kind: AnchorKind, id: &str) -> Option<u32> {
        self.facts.place(kind, id).map(|at| self.folds.of(at))
    }

    #[cfg(test)]
    pub(crate) fn by_anchor(&self, kind: AnchorKind, id: &str) -> Session {
        self.session(self.facts.place(kind, id).map_or(u32::MAX, |at| self.folds.of(at)))
    }

    /// The session of this name, which a part of it may carry too.
    pub fn by_id(&self, id: &Untrusted<'_>) -> Option<Session> {
        let kinds = [
            AnchorKind::Key,
            AnchorKind::Console,
            AnchorKind::SignIn,
            AnchorKind::Service,
            AnchorKind::Principal,
        ];
        let at = kinds.iter().find_map(|kind| self.facts.place(*kind, id.as_unescaped()))?;
        Some(self.session(self.folds.of(at)))
    }

    /// The sessions that share a root with `session`, itself included: what one agent did with one
    /// first credential and all that it minted from there. In order of first use, then id.
    pub fn lineage_of(&self, session: &Session) -> Vec<Session> {
        let mut lineage: Vec<Session> =
            self.members(session.root_place).map(|at| self.session(*at)).collect();
        lineage.sort_by(|a, b| (a.first, a.kind, &a.id).cmp(&(b.first, b.kind, &b.id)));
        lineage
    }

    /// The last time that a record names a session of the lineage of `session`: its calls are over then.
    pub fn lineage_named_until(&self, session: &Session) -> EventTime {
        let members = self.members(session.root_place);
        let named = members.filter_map(|at| self.facts.sessions.get(*at as usize));
        named.map(|facts| facts.last_named).max().unwrap_or(session.last)
    }

    /// What stays unattributed, and why.
    pub fn coverage(&self) -> Coverage {
        let mut coverage = Coverage { failed_mints: self.failed_mints, ..Coverage::default() };
        for at in self.places() {
            let records = self.activity.get(at as usize).map_or(0, |it| u64::from(it.records));
            if records > 0 {
                let claim = self.settled.get(at as usize).map(|settled| settled.claim);
                coverage.note(records, claim.and_then(Result::err));
            }
        }
        coverage
    }

    /// The sessions of these agents that are wanted, in order of first use. Of a busy agent there are
    /// thousands: none is kept that is not.
    pub fn of_agents(
        &self,
        agents: &BTreeSet<AgentId>,
        is_wanted: impl Fn(&Session) -> bool,
    ) -> Vec<Session> {
        let is_theirs = |at: &u32| {
            let claim = self.settled.get(*at as usize).and_then(|settled| settled.claim.ok());
            claim
                .and_then(|claim| self.named(claim))
                .is_some_and(|named| agents.contains(&named.agent.id))
        };
        let theirs = self.places().filter(is_theirs).map(|at| self.session(at));
        let mut sessions: Vec<Session> = theirs.filter(is_wanted).collect();
        sessions.sort_by(|a, b| (a.first, a.kind, &a.id).cmp(&(b.first, b.kind, &b.id)));
        sessions
    }

    /// Who used each of these roles: agents, or (`None`) somebody else.
    pub fn users_of(
        &self,
        roles: BTreeSet<Untrusted<'static>>,
    ) -> BTreeMap<Untrusted<'static>, BTreeSet<Option<AgentId>>> {
        let mut users: BTreeMap<Untrusted<'static>, BTreeSet<Option<AgentId>>> =
            roles.into_iter().map(|role| (role, BTreeSet::new())).collect();
        for at in self.places() {
            let (Some(facts), Some(settled)) =
                (self.facts.sessions.get(at as usize), self.settled.get(at as usize))
            else {
                continue;
            };
            let role = self.names(facts).role;
            let users = role.and_then(|role| users.get_mut(&Untrusted::new(role.to_owned())));
            if let Some(users) = users {
                let named = settled.claim.ok().and_then(|claim| self.named(claim));
                users.insert(named.map(|named| named.agent.id));
            }
        }
        users
    }

    fn places(&self) -> impl Iterator<Item = u32> {
        let all = 0..self.facts.sessions.len() as u32;
        all.filter(|at| !self.folds.into.contains_key(at))
    }

    fn root_of(&self, at: &u32) -> Option<u32> {
        self.settled.get(*at as usize).map(|settled| settled.root)
    }

    fn members(&self, root: u32) -> impl Iterator<Item = &u32> {
        let start = self.by_root.partition_point(|at| self.root_of(at) < Some(root));
        let behind = self.by_root.iter().skip(start);
        behind.take_while(move |at| self.root_of(at) == Some(root))
    }

    /// From a session up to the first of its chain; the session first, and no more than
    /// [`LINEAGE_MAX`].
    fn chain(&self, at: u32) -> impl Iterator<Item = &SessionFacts> {
        let parent = |at: &u32| self.settled.get(*at as usize)?.parent;
        let places = std::iter::successors(Some(at), parent).take(LINEAGE_MAX);
        places.filter_map(|at| self.facts.sessions.get(at as usize))
    }

    fn session(&self, at: u32) -> Session {
        let (Some(own), Some(settled)) =
            (self.facts.sessions.get(at as usize), self.settled.get(at as usize))
        else {
            return unknown();
        };
        let (first, last) = self.first_and_last(at);
        let mint = self.facts.mint_of(own);
        let names = self.names(own);
        let root = self.facts.sessions.get(settled.root as usize).unwrap_or(own);
        let parent = settled.parent.and_then(|at| self.facts.sessions.get(at as usize));
        let owned = |text: Option<&str>| text.map(|text| Untrusted::new(text.to_owned()));
        let mut lineage: Vec<SessionId> =
            self.chain(at).map(|facts| SessionId::new(facts.id.as_str())).collect();
        lineage.reverse();
        let is_tagged = |mint: &&KnownMint| self.facts.texts.get(mint.agent).is_some();
        Session {
            kind: own.kind,
            id: SessionId::new(own.id.as_str()),
            parent: parent.map(|facts| SessionId::new(facts.id.as_str())),
            root: SessionId::new(root.id.as_str()),
            root_place: settled.root,
            lineage,
            minter: owned(parent.and_then(|facts| self.names(facts).principal)),
            role: owned(names.role),
            principal: owned(names.principal),
            source_identity: owned(names.source_identity),
            user: owned(names.user),
            tenant: owned(self.facts.texts.get(settled.tenant)),
            version: owned(self.facts.texts.get(settled.version)),
            account: own.account.or(mint.and_then(|mint| mint.account)),
            minted: mint.map(|mint| mint.time).or(own.created),
            ends_by: mint.map(|mint| mint.ends_by),
            tag_is_transitive: mint.filter(is_tagged).and_then(|mint| mint.transitive),
            first,
            last,
            records: self.activity.get(at as usize).map_or(0, |it| u64::from(it.records)),
            named: settled.claim.and_then(|claim| self.named(claim).ok_or(Cause::Unknown)),
        }
    }

    fn names<'s>(&'s self, facts: &SessionFacts) -> Names<'s> {
        Names::of(facts, self.facts.mint_of(facts), &self.facts.texts)
    }

    fn named(&self, claim: Claim) -> Option<Named> {
        Some(Named {
            agent: self.facts.agent_at(claim.agent)?.clone(),
            basis: claim.basis(&self.facts),
            inherited: claim.inherited,
        })
    }
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
        version: None,
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
