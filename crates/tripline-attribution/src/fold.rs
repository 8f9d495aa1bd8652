//! Rows that are the same session as another: calls that a service made for a session, and console
//! calls, carry a fresh key each, but share principal and creation date with the session's own.

use std::collections::{BTreeMap, BTreeSet};

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
        let begun = keys_by_beginning(facts);
        let mut folds = Self::default();
        for (at, session) in (0..).zip(facts.sessions.iter()) {
            let (AnchorKind::Console, Some(created)) = (session.kind, session.created) else {
                continue;
            };
            let Some(begun) = begun.get(&session.principal) else { continue };
            let secs = created.unix_secs();
            let near = secs - CREATION_SECS_APART_MAX..=secs + CREATION_SECS_APART_MAX;
            let around = || begun.range(near).flat_map(|(_, places)| places).copied().collect();
            let found: BTreeSet<u32> = begun.get(&secs).cloned().unwrap_or_else(around);
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

/// By principal and second: the sessions with a key that began then, as their mint or their calls
/// say. Only principals that somebody asks for.
fn keys_by_beginning(facts: &Attributor) -> BTreeMap<Text, BTreeMap<i64, BTreeSet<u32>>> {
    let mut keys: BTreeMap<Text, BTreeMap<i64, BTreeSet<u32>>> = BTreeMap::new();
    for session in facts.sessions.iter() {
        if session.kind == AnchorKind::Console && session.principal != Text::NONE {
            keys.entry(session.principal).or_default();
        }
    }
    for (at, session) in (0..).zip(facts.sessions.iter()) {
        if session.kind != AnchorKind::Key {
            continue;
        }
        let pairs = [
            session.created.map(|created| (session.principal, created)),
            facts.mint_of(session).map(|mint| (mint.principal, mint.time)),
        ];
        for (principal, created) in pairs.into_iter().flatten() {
            if let Some(keys) = keys.get_mut(&principal) {
                keys.entry(created.unix_secs()).or_default().insert(at);
            }
        }
    }
    keys
}
