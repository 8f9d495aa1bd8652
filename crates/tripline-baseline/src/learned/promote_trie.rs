//! Promotion of resources: a trie grafted onto another.

use std::collections::BTreeSet;

use super::key::{Join, KeyName};
use super::promotion::{Above, Rules};
use super::trie::{Node, found_closed_max};

/// Grafts a candidate's trie onto the live one, part by part.
pub(crate) struct Grafting<'r, 'a> {
    pub(crate) rules: &'r mut Rules<'a>,
    /// The name of the part at hand.
    pub(crate) name: &'r mut KeyName,
}

impl Grafting<'_, '_> {
    /// The node of both; nothing if it is forgotten.
    pub(crate) fn graft<'n>(
        &mut self,
        old: Option<&'n Node>,
        new: Option<&'n Node>,
        above: Above,
    ) -> Option<Node> {
        let facts = (old.map(|node| &node.fact), new.map(|node| &node.fact));
        let mut fact = self.rules.joined(facts.0, facts.1)?;
        self.rules.decide(self.name, &mut fact, above);
        if self.rules.forgets(self.name, &fact, old.is_some()) {
            return None;
        }
        let is_open = old.or(new).is_some_and(Node::is_open);
        let below = match (fact.is_known(), is_open) {
            (true, true) => Above::Open,
            (true, false) => Above::Closed,
            (false, _) => Above::Pending,
        };
        let mut node = Node::new(fact, 0);
        let of = |node: Option<&'n Node>| node.into_iter().flat_map(|node| node.children.keys());
        let is_old = |token: &str| old.is_some_and(|old| old.children.contains_key(token));
        let only_new = of(new).filter(|token| !is_old(token));
        let mut tokens: Vec<&Box<str>> = of(old).chain(only_new).collect();
        tokens.sort_unstable();
        for token in tokens {
            let longer = [&*self.name.value, token].concat().into();
            let name = std::mem::replace(&mut self.name.value, longer);
            let (old, new) = (
                old.and_then(|node| node.children.get(token)),
                new.and_then(|node| node.children.get(token)),
            );
            if let Some(child) = self.graft(old, new, below) {
                node.children.insert(token.clone(), child);
            }
            self.name.value = name;
        }
        node.found = found(old, new, &node, self.rules.join);
        Some(node)
    }
}

/// In how many visits something was found.
///
/// In a closed slot only what became known counts, and it stays closed unless a person approved it:
/// otherwise whoever makes noise in it for long enough opens it, and nothing that follows is news.
fn found(old: Option<&Node>, new: Option<&Node>, next: &Node, join: Join) -> u32 {
    match (old, new) {
        (Some(old), Some(_)) if !old.is_open() && !next.fact.is_approved() => {
            let became_known = next.children.iter().filter(|(token, child)| {
                let was = old.children.get(*token).is_some_and(|old| old.fact.is_known());
                child.fact.is_known() && !was
            });
            let together: BTreeSet<_> = became_known.map(|(_, child)| child.fact.first).collect();
            let more = u32::try_from(together.len()).unwrap_or(u32::MAX);
            old.found.saturating_add(more).min(found_closed_max(next.fact.episodes))
        }
        // What the candidate found again is found once: counted by when it was first seen.
        (Some(old), Some(new)) => {
            next.firsts().saturating_add(join.counts(old.hidden(), new.hidden()))
        }
        (Some(node), None) | (None, Some(node)) => node.found,
        (None, None) => 0,
    }
}
