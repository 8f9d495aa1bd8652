//! Facts to sessions: a pure function of everything that was read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use tripline_cloudtrail::EventTime;
use tripline_text::Untrusted;

use crate::agent::AgentId;
use crate::coverage::{Cause, Coverage};
use crate::episode::{Cut, EpisodeId, cut};
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
}

/// What was asked for lately.
#[derive(Debug, Default)]
struct Recent {
    sessions: BTreeMap<u32, Rc<Session>>,
    episodes: BTreeMap<u32, Rc<[Cut]>>,
}

/// How many answers are kept; then all are forgotten.
const RECENT_MAX: usize = 4_096;

/// How much of a chain is written out. AWS sets no limit to its length.
const LINEAGE_MAX: usize = 64;

impl Sessions {
    pub(crate) fn resolve(mut facts: Attributor) -> Self {
        let folds = Folds::fold(&mut facts);
        let settled = settle(&mut facts, &folds);
        let mut sessions =
            Self { facts, folds, settled, by_root: Vec::new(), recent: RefCell::default() };
        let mut by_root: Vec<u32> = sessions.places().collect();
        by_root.sort_by_key(|at| sessions.root_of(at));
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
        let at = self.facts.place(kind, id).map_or(u32::MAX, |at| self.folds.of(at));
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
        let mut coverage =
            Coverage { failed_mints: self.facts.failed_mints, ..Coverage::default() };
        for at in self.places() {
            let records = self.facts.sessions.get(at as usize).map_or(0, |facts| facts.records);
            if records > 0 {
                let claim = self.settled.get(at as usize).map(|settled| settled.claim);
                coverage.note(records, claim.and_then(Result::err));
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
        let mint = self.facts.mint_of(own);
        let names = self.names(own);
        let root = self.facts.sessions.get(settled.root as usize).unwrap_or(own);
        let parent = settled.parent.and_then(|at| self.facts.sessions.get(at as usize));
        let owned = |text: Option<&str>| text.map(|text| Untrusted::new(text.to_owned()));
        let mut lineage: Vec<SessionId> =
            self.chain(at).map(|facts| SessionId::new(&facts.id)).collect();
        lineage.reverse();
        let is_tagged = |mint: &&KnownMint| self.facts.texts.get(mint.agent).is_some();
        Session {
            kind: own.kind,
            id: SessionId::new(&own.id),
            parent: parent.map(|facts| SessionId::new(&facts.id)),
            root: SessionId::new(&root.id),
            root_place: settled.root,
            lineage,
            minter: owned(parent.and_then(|facts| self.names(facts).principal)),
            role: owned(names.role),
            principal: owned(names.principal),
            source_identity: owned(names.source_identity),
            user: owned(names.user),
            tenant: owned(self.facts.texts.get(settled.tenant)),
            account: own.account.or(mint.and_then(|mint| mint.account)),
            minted: mint.map(|mint| mint.time).or(own.created),
            ends_by: mint.map(|mint| mint.ends_by),
            tag_is_transitive: mint.filter(is_tagged).and_then(|mint| mint.transitive),
            first: own.first,
            last: own.last,
            records: own.records,
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
