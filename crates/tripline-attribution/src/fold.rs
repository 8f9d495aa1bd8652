//! Rows that are the same session as another: calls that a service made for a session, and console
//! calls, carry a fresh key each, but share principal and creation date with the session's own.

use std::collections::{BTreeMap, BTreeSet};

use tripline_cloudtrail::EventTime;

use crate::known::Parent;
use crate::table::Attributor;
use crate::texts::Text;
use crate::used::AnchorKind;

/// How far a mint's time and the creation date of its session may be apart. In every captured pair
/// they are the same second; the two are written by different hosts.
pub const CREATION_SECS_APART_MAX: i64 = 2;

/// Which rows are parts of which others.
#[derive(Debug, Default)]
pub(crate) struct Folds {
    /// For a place: the place of the session that it is a part of.
    pub(crate) into: BTreeMap<u32, u32>,
    /// For a place: the sessions that it may be a part of, when a name was taken twice in a second.
    pub(crate) undecided: BTreeMap<u32, BTreeSet<u32>>,
}

impl Folds {
    /// Finds the rows that are parts of others and adds them to those.
    pub(crate) fn fold(facts: &mut Attributor) -> Self {
        let folds = Self::find(facts);
        for (from, to) in &folds.into {
            let Some(part) = facts.sessions.get(*from as usize).cloned() else { continue };
            if let Some(whole) = facts.sessions.get_mut(*to as usize) {
                whole.join(&part, &facts.texts);
            }
        }
        folds
    }

    fn find(facts: &Attributor) -> Self {
        let beginnings = Beginnings::of(facts);
        let mut folds = Self::default();
        for (at, session) in (0..).zip(facts.sessions.iter()) {
            let (AnchorKind::Console, Some(created)) = (session.kind, session.created) else {
                continue;
            };
            let within = |secs: i64| {
                let (from, to) = (created.plus_secs(-secs), created.plus_secs(secs));
                beginnings.between(session.principal, from, to)
            };
            let mut found = within(0);
            if found.is_empty() {
                found = within(CREATION_SECS_APART_MAX);
            }
            // A key that one of them minted for itself (S3 Express) shows the same principal and date.
            let is_child =
                |at: &u32| parent_of(facts, *at).is_some_and(|parent| found.contains(&parent));
            let candidates: BTreeSet<u32> =
                found.iter().copied().filter(|at| !is_child(at)).collect();
            match (candidates.first(), candidates.len()) {
                (None, _) => {}
                (Some(to), 1) => {
                    folds.into.insert(at, *to);
                }
                _ => {
                    folds.undecided.insert(at, candidates);
                }
            }
        }
        folds
    }

    /// The place of the session that a place is a part of, often itself.
    pub(crate) fn of(&self, at: u32) -> u32 {
        self.into.get(&at).copied().unwrap_or(at)
    }
}

fn parent_of(facts: &Attributor, at: u32) -> Option<u32> {
    match facts.mint_of(facts.sessions.get(at as usize)?)?.parent {
        Parent::At(parent) => Some(parent),
        Parent::Nobody | Parent::Untold => None,
    }
}

/// The sessions with a key that began at some second, as their mint or their calls say, by principal
/// and second. Only of principals that somebody asks for; of those there may be half a million.
struct Beginnings(Vec<(Text, EventTime, u32)>);

impl Beginnings {
    fn of(facts: &Attributor) -> Self {
        let console = facts.sessions.iter().filter(|it| it.kind == AnchorKind::Console);
        let mut asked: Vec<Text> = console.map(|session| session.principal).collect();
        asked.sort_unstable();
        asked.dedup();
        let mut keys = Vec::new();
        for (at, session) in (0..).zip(facts.sessions.iter()) {
            if session.kind != AnchorKind::Key {
                continue;
            }
            let pairs = [
                session.created.map(|created| (session.principal, created)),
                facts.mint_of(session).map(|mint| (mint.principal, mint.time)),
            ];
            for (principal, begun) in pairs.into_iter().flatten() {
                let is_asked = principal != Text::NONE && asked.binary_search(&principal).is_ok();
                // Both say the same, mostly.
                if is_asked && keys.last() != Some(&(principal, begun, at)) {
                    keys.push((principal, begun, at));
                }
            }
        }
        keys.sort_unstable();
        Self(keys)
    }

    /// Those of a principal in a stretch of time, with its ends.
    fn between(&self, principal: Text, from: EventTime, to: EventTime) -> BTreeSet<u32> {
        let Self(keys) = self;
        let start = keys.partition_point(|(whose, begun, _)| (*whose, *begun) < (principal, from));
        let behind = keys.iter().skip(start);
        behind
            .take_while(|(whose, begun, _)| *whose == principal && *begun <= to)
            .map(|(_, _, at)| *at)
            .collect()
    }
}
