//! Whose every session is, and where it stands in its chain: each is settled once, after the session
//! that minted it, so that a chain costs no more for being long. An agent may make it as long as it
//! likes.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::{Agent, AgentId, Basis};
use crate::coverage::Cause;
use crate::fold::Folds;
use crate::known::{KnownMint, Parent};
use crate::rules::{Fallback, Names};
use crate::table::Attributor;
use crate::texts::Text;
use crate::used::{AnchorKind, is_long_lived};

/// What is settled about the session at a place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    /// The place of the session that minted it.
    pub(crate) parent: Option<u32>,
    /// The place of the topmost session that is still this agent's: a runner that opens sessions for
    /// many agents is the root of its own only.
    pub(crate) root: u32,
    pub(crate) claim: Result<Claim, Cause>,
    /// The nearest in the chain.
    class: Text,
    pub(crate) tenant: Text,
    pub(crate) version: Text,
    /// Whether every mint up the chain is known.
    is_whole: bool,
    /// Whether it is undecided what session this one, or one further up the chain, is a part of.
    is_undecided: bool,
}

/// Whose a session is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    /// The agent's number.
    pub(crate) agent: u32,
    /// The fallback that names it, by its place in the rules; none for a tag.
    fallback: Option<u16>,
    pub(crate) inherited: bool,
}

impl Claim {
    pub(crate) fn basis(self, facts: &Attributor) -> Basis {
        let fallback = self.fallback.and_then(|nth| facts.rules.fallbacks.get(usize::from(nth)));
        fallback.map_or(Basis::SessionTag, Fallback::basis)
    }
}

/// Settles every session.
pub(crate) fn settle(facts: &mut Attributor, folds: &Folds) -> Vec<Settled> {
    let parents = parents(facts, folds);
    let cycles = Cycles::find(facts, &parents);
    let settled = settle_given(facts, folds, &parents, &cycles, &BTreeMap::new());
    let agreed = agreed(facts, folds, &settled);
    if agreed.is_empty() {
        return settled;
    }
    // There may be a million: not twice at a time.
    drop(settled);
    settle_given(facts, folds, &parents, &cycles, &agreed)
}

fn parents(facts: &Attributor, folds: &Folds) -> Vec<Option<u32>> {
    let parent = |session| match facts.mint_of(session)?.parent {
        Parent::At(parent) => Some(folds.of(parent)),
        Parent::Nobody | Parent::Untold => None,
    };
    facts.sessions.iter().map(parent).collect()
}

/// The sessions that minted themselves, by way of others: some of those records are forged, and
/// nobody can say which. They have no parents, and where one of them carries an agent's tag, that may
/// be the forgery.
#[derive(Default)]
struct Cycles {
    members: BTreeSet<u32>,
    contested: BTreeSet<u32>,
}

impl Cycles {
    fn find(facts: &Attributor, parents: &[Option<u32>]) -> Self {
        let parent = |at: u32| parents.get(at as usize).copied().flatten();
        let is_tagged = |at: &u32| {
            let mint = facts.sessions.get(*at as usize).and_then(|row| facts.mint_of(row));
            mint.is_some_and(|mint| facts.texts.get(mint.agent).is_some())
        };
        let mut cycles = Self::default();
        // The walk in which a place was visited.
        let mut visited = vec![0_u32; parents.len()];
        for (walk, start) in (1..).zip(0..parents.len() as u32) {
            let mut next = Some(start);
            while let Some(at) = next {
                let Some(visit) = visited.get_mut(at as usize) else { break };
                if *visit == walk {
                    let behind = std::iter::successors(parent(at), |member| parent(*member));
                    let members = behind.take_while(|member| *member != at).chain([at]);
                    let members: Vec<u32> = members.collect();
                    if members.iter().any(is_tagged) {
                        cycles.contested.extend(&members);
                    }
                    cycles.members.extend(members);
                }
                if *visit != 0 {
                    break;
                }
                *visit = walk;
                next = parent(at);
            }
        }
        cycles
    }
}

/// Whose the rows are of which it is not decided what session they are a part of, where that makes
/// no difference.
type Agreed = BTreeMap<u32, (Claim, u32)>;

fn agreed(facts: &mut Attributor, folds: &Folds, settled: &[Settled]) -> Agreed {
    let mut agreed = Agreed::new();
    for (at, candidates) in &folds.undecided {
        let of = |at: &u32| settled.get(*at as usize).copied();
        let rows: Vec<Settled> = candidates.iter().filter_map(of).collect();
        // What depends on one undecided row may not decide another: that could go round in a circle.
        if rows.iter().any(|row| row.is_undecided) {
            continue;
        }
        let claims: Vec<Claim> = rows.iter().filter_map(|row| row.claim.ok()).collect();
        let agents: BTreeSet<&Agent> =
            claims.iter().filter_map(|claim| facts.agent_at(claim.agent)).collect();
        let ids: BTreeSet<&AgentId> = agents.iter().map(|agent| &agent.id).collect();
        let (Some(id), 1, true) = (ids.first(), ids.len(), claims.len() == candidates.len()) else {
            continue;
        };
        let class = agents.first().filter(|_| agents.len() == 1).and_then(|one| one.class.clone());
        let agent = Agent { id: AgentId::clone(id), class };
        // The weakest of what the candidates rest on.
        let fallback = claims.iter().map(|claim| claim.fallback).max().flatten();
        let roots: BTreeSet<u32> = rows.iter().map(|row| row.root).collect();
        let root = roots.first().copied().filter(|_| roots.len() == 1).unwrap_or(*at);
        let claim = Claim { agent: facts.agent(agent), fallback, inherited: true };
        agreed.insert(*at, (claim, root));
    }
    agreed
}

fn settle_given(
    facts: &mut Attributor,
    folds: &Folds,
    parents: &[Option<u32>],
    cycles: &Cycles,
    agreed: &Agreed,
) -> Vec<Settled> {
    let mut settled: Vec<Option<Settled>> = vec![None; parents.len()];
    let mut waiting = Vec::new();
    for start in 0..parents.len() as u32 {
        waiting.push(start);
        while let Some(at) = waiting.last().copied() {
            let of = |at: u32| settled.get(at as usize).copied().flatten();
            let parent = parents.get(at as usize).copied().flatten();
            let parent = parent.filter(|_| !cycles.members.contains(&at));
            let up = parent.and_then(of);
            if let (Some(parent), None) = (parent, up) {
                waiting.push(parent);
                continue;
            }
            waiting.pop();
            let row = match of(at) {
                Some(known) => known,
                None => {
                    Settling { facts, at, parent, up, is_contested: cycles.contested.contains(&at) }
                        .settle(folds, agreed.get(&at))
                }
            };
            if let Some(place) = settled.get_mut(at as usize) {
                *place = Some(row);
            }
        }
    }
    // INVARIANT: every place was settled above. Collected where it stands: there may be a million.
    settled.into_iter().map(|row| row.unwrap_or(Settled::NOBODYS)).collect()
}

impl Settled {
    /// Of a place that does not exist.
    const NOBODYS: Self = Self {
        parent: None,
        root: 0,
        claim: Err(Cause::Unknown),
        class: Text::NONE,
        tenant: Text::NONE,
        version: Text::NONE,
        is_whole: false,
        is_undecided: false,
    };
}

/// A session whose parent is settled.
struct Settling<'f> {
    facts: &'f mut Attributor,
    at: u32,
    parent: Option<u32>,
    up: Option<Settled>,
    is_contested: bool,
}

impl Settling<'_> {
    fn settle(mut self, folds: &Folds, agreed: Option<&(Claim, u32)>) -> Settled {
        let near = |own: Text, up: fn(Settled) -> Text, settled: Option<Settled>| {
            if self.facts.texts.get(own).is_some() { own } else { settled.map_or(own, up) }
        };
        let own = self.mint().map(|mint| (mint.class, mint.tenant, mint.version));
        let (class, tenant, version) = own.unwrap_or((Text::NONE, Text::NONE, Text::NONE));
        let class = near(class, |up| up.class, self.up);
        let tenant = near(tenant, |up| up.tenant, self.up);
        let version = near(version, |up| up.version, self.up);
        let claim = match agreed {
            Some((claim, _)) => Ok(*claim),
            None if folds.undecided.contains_key(&self.at) => Err(Cause::Ambiguous),
            None => self.claim(class),
        };
        let root = match (agreed, self.up) {
            (Some((_, root)), _) => *root,
            (None, Some(up)) if self.is_same_agent(claim, up.claim) => up.root,
            _ => self.at,
        };
        Settled {
            parent: self.parent,
            root,
            claim,
            class,
            tenant,
            version,
            is_whole: self.is_whole(),
            is_undecided: folds.undecided.contains_key(&self.at)
                || self.up.is_some_and(|up| up.is_undecided),
        }
    }

    fn mint(&self) -> Option<&KnownMint> {
        self.facts.mint_of(self.facts.sessions.get(self.at as usize)?)
    }

    /// Whether two sessions are one agent's, or both nobody's. Its class does not matter: an agent
    /// that may choose its tags must not get away from its own past by another class.
    fn is_same_agent(&self, a: Result<Claim, Cause>, b: Result<Claim, Cause>) -> bool {
        let id = |claim: Result<Claim, Cause>| {
            claim.ok().and_then(|claim| self.facts.agent_at(claim.agent)).map(|it| &it.id)
        };
        id(a) == id(b)
    }

    /// Who a session's agent is: by the nearest tag up the chain; else by the first fallback that
    /// names anyone.
    ///
    /// What holds for the whole chain above follows from what was settled for the parent: if the
    /// `n`th fallback names it, no tag does and no earlier fallback names anyone there.
    fn claim(&mut self, class: Text) -> Result<Claim, Cause> {
        let Some(session) = self.facts.sessions.get(self.at as usize) else {
            return Err(Cause::Unknown);
        };
        if session.kind == AnchorKind::Service {
            return Err(Cause::Service);
        }
        let mint = self.facts.mint_of(session);
        if self.is_contested || mint.is_some_and(|mint| mint.contested) {
            return Err(Cause::Contested);
        }
        let text = |text| self.facts.texts.get(text).and_then(AgentId::of);
        if let Some((mint, id)) = mint.and_then(|mint| Some((mint, text(mint.agent)?))) {
            let agent = Agent { id, class: text(mint.class) };
            let agent = self.facts.agent(agent);
            return Ok(Claim { agent, fallback: None, inherited: false });
        }
        let above = match self.up.map(|up| up.claim) {
            // What lies below a contested mint may be anybody's.
            Some(Err(Cause::Contested)) => return Err(Cause::Contested),
            Some(Ok(claim)) if claim.fallback.is_none() => return Ok(self.inherit(claim)),
            Some(Ok(claim)) => Some(claim),
            Some(Err(_)) | None => None,
        };
        let names = self.names();
        let mut own = None;
        for (nth, fallback) in (0..=u16::MAX).zip(&self.facts.rules.fallbacks) {
            let above = above.filter(|claim| claim.fallback == Some(nth));
            let name = || fallback.name(names);
            match above {
                Some(above) if fallback.is_by_origin() => return Ok(self.inherit(above)),
                Some(above) => match name() {
                    None => return Ok(self.inherit(above)),
                    Some(id) => own = Some((nth, id)),
                },
                None => own = name().map(|id| (nth, id)),
            }
            if own.is_some() {
                break;
            }
        }
        let Some((nth, id)) = own else { return Err(self.cause()) };
        let class = self.facts.texts.get(class).and_then(AgentId::of);
        let agent = self.facts.agent(Agent { id, class });
        Ok(Claim { agent, fallback: Some(nth), inherited: false })
    }

    /// The parent's claim on this session, which may have a class of its own.
    fn inherit(&mut self, claim: Claim) -> Claim {
        let own = self.mint().and_then(|mint| self.facts.texts.get(mint.class));
        let class = own.and_then(AgentId::of);
        let known = self.facts.agent_at(claim.agent);
        let agent = match (class, known) {
            (Some(class), Some(known)) => {
                let agent = Agent { id: known.id.clone(), class: Some(class) };
                self.facts.agent(agent)
            }
            _ => claim.agent,
        };
        Claim { agent, inherited: true, ..claim }
    }

    fn names(&self) -> Names<'_> {
        self.facts.sessions.get(self.at as usize).map_or(Names::default(), |session| {
            Names::of(session, self.facts.mint_of(session), &self.facts.texts)
        })
    }

    /// Why a session is nobody's that no rule names.
    fn cause(&self) -> Cause {
        let Some(session) = self.facts.sessions.get(self.at as usize) else {
            return Cause::Unknown;
        };
        match session.kind {
            AnchorKind::Service => Cause::Service,
            AnchorKind::SignIn => Cause::Person,
            AnchorKind::Console if session.from_console => Cause::Person,
            // A service's calls for a user, whose own key is long-lived.
            AnchorKind::Console if session.role == Text::NONE => Cause::LongLivedKey,
            AnchorKind::Principal => Cause::Unknown,
            AnchorKind::Key if is_long_lived(session.id.as_str()) => Cause::LongLivedKey,
            _ if self.is_whole() => Cause::NoTag,
            _ if self.facts.knows_no_mint() => Cause::NoMintAtAll,
            _ => Cause::NoMint,
        }
    }

    fn is_whole(&self) -> bool {
        let Some(session) = self.facts.sessions.get(self.at as usize) else { return false };
        match session.kind {
            AnchorKind::Key if is_long_lived(session.id.as_str()) => true,
            AnchorKind::Key => session.mint.is_some() && self.up.is_none_or(|up| up.is_whole),
            AnchorKind::Console => session.from_console || session.role == Text::NONE,
            AnchorKind::SignIn | AnchorKind::Service | AnchorKind::Principal => true,
        }
    }
}
