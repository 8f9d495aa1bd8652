//! The discovery-rate trie of resources: which names an action is used on, part by part, and how
//! often a part was new.
//!
//! An open slot (tenants, users, dates that no wildcard catches) keeps finding new parts, and a new
//! one is no news there. A closed slot (`config/{prod,stage}`) found its parts long ago, and a new
//! one is. Source: detector.md section 1, measured there on 60,000 keys: 0.11 % of benign ones
//! flagged, all seven kinds of attack caught.

use std::collections::{BTreeMap, BTreeSet};

use super::day::First;
use super::key::{Fact, Join, Rank};
use super::token::{self, STAR};

/// How many literal children a node has at most; the rest go on together, as one `{*}`.
pub(crate) const CHILDREN_MAX: usize = 64;

/// A part of a name, in the place where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its episodes are the visits: how many episodes came through here.
    pub(crate) fact: Fact,
    /// In how many of them a next part was seen for the first time.
    pub(crate) found: u32,
    pub(crate) children: BTreeMap<Box<str>, Node>,
}

/// Whether a slot still finds new parts: `(found + 0.02) / (visits + 1) >= 0.01`, in whole numbers.
pub(crate) fn is_open(visits: u32, found: u32) -> bool {
    u64::from(found) * 100 + 1 >= u64::from(visits)
}

/// The most that a slot may have found in so many visits and be closed.
pub(crate) fn found_closed_max(visits: u32) -> u32 {
    visits.saturating_sub(2) / 100
}

impl Node {
    pub(crate) fn new(fact: Fact, found: u32) -> Self {
        Self { fact, found, children: BTreeMap::new() }
    }

    pub(crate) fn is_open(&self) -> bool {
        is_open(self.fact.episodes, self.found)
    }

    /// The episodes in which a closed slot's parts were first seen; nothing for an open one, where new
    /// parts are nothing new.
    pub(crate) fn closed_firsts(&self) -> impl Iterator<Item = First> {
        let is_closed = !self.is_open();
        self.children.values().filter(move |_| is_closed).map(|child| child.fact.first)
    }

    /// The episodes in which the literal children were first seen.
    pub(crate) fn firsts(&self) -> u32 {
        let literal = self.children.iter().filter(|(token, _)| &***token != STAR);
        let firsts: BTreeSet<First> = literal.map(|(_, child)| child.fact.first).collect();
        u32::try_from(firsts.len()).unwrap_or(u32::MAX)
    }

    /// Discoveries of parts that are no longer told apart.
    pub(crate) fn hidden(&self) -> u32 {
        self.found.saturating_sub(self.firsts())
    }

    /// This node and another in the same place, as one.
    pub(crate) fn join(&mut self, other: Self, how: Join) {
        let hidden = how.counts(self.hidden(), other.hidden());
        self.fact.join(&other.fact, how);
        for (token, child) in other.children {
            match self.children.get_mut(&token) {
                Some(known) => known.join(child, how),
                None => {
                    self.children.insert(token, child);
                }
            }
        }
        self.found = self.firsts().saturating_add(hidden);
    }

    /// Many nodes of different parts as one. Not one by one: that would count what was found anew for
    /// each of thousands.
    fn join_parts(nodes: Vec<Self>) -> Option<Self> {
        let mut nodes = nodes.into_iter();
        let mut joined = nodes.next()?;
        if nodes.len() == 0 {
            return Some(joined);
        }
        let mut hidden = joined.hidden();
        let mut below: BTreeMap<Box<str>, Vec<Self>> = BTreeMap::new();
        let own = std::mem::take(&mut joined.children);
        own.into_iter().for_each(|(token, child)| below.entry(token).or_default().push(child));
        for node in nodes {
            hidden = hidden.saturating_add(node.hidden());
            joined.fact.join(&node.fact, Join::Parts);
            for (token, child) in node.children {
                below.entry(token).or_default().push(child);
            }
        }
        for (token, parts) in below {
            joined.children.extend(Self::join_parts(parts).map(|child| (token, child)));
        }
        joined.found = joined.firsts().saturating_add(hidden);
        Some(joined)
    }

    /// At most `literals` literal children in each node of the tree: those of the highest [`Rank`], ties
    /// by text, and those that a person approved. The others become one `{*}`.
    ///
    /// What is pending never goes into a `{*}` that is known: it would be known by that.
    pub(crate) fn fold(&mut self, literals: usize) {
        // Mostly there are few enough, and none has to be ranked.
        if self.children.len() > literals {
            self.fold_children(literals);
        }
        for child in self.children.values_mut() {
            child.fold(literals);
        }
    }

    fn fold_children(&mut self, literals: usize) {
        let literal = self.children.iter().filter(|(token, _)| &***token != STAR);
        let mut ranked: Vec<(Rank, &str)> =
            literal.map(|(token, child)| (child.fact.rank(), &**token)).collect();
        if ranked.len() > literals {
            ranked.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(other.1)));
            let any_known = self.children.values().any(|child| child.fact.is_known());
            // What a person approved keeps its own name.
            let cut = ranked.iter().skip(literals).filter(|(rank, _)| !rank.is_approved());
            let cut: Vec<Box<str>> = cut.map(|(_, token)| Box::from(*token)).collect();
            self.fold_into_star(&cut, any_known);
        }
    }

    fn fold_into_star(&mut self, tokens: &[Box<str>], is_known: bool) {
        let star = self.children.remove(STAR).filter(|star| star.fact.is_known() == is_known);
        let cut = tokens.iter().filter_map(|token| self.children.remove(token));
        let alike = star.into_iter().chain(cut.filter(|child| child.fact.is_known() == is_known));
        if let Some(mut star) = Self::join_parts(alike.collect()) {
            star.cap(self.fact.episodes);
            self.children.insert(STAR.into(), star);
        }
    }

    /// An episode that saw several parts was counted for each: never more than there were above.
    pub(crate) fn cap(&mut self, episodes: u32) {
        self.fact.episodes = self.fact.episodes.min(episodes);
        self.found = self.found.min(episodes);
        let episodes = self.fact.episodes;
        self.children.values_mut().for_each(|child| child.cap(episodes));
    }

    /// Drops what is pending, below this node as well.
    pub(crate) fn keep_known(&mut self) {
        self.children.retain(|_, child| child.fact.is_known());
        self.children.values_mut().for_each(Self::keep_known);
    }

    /// Calls `each` with the path and the node of everything below, in order.
    pub(crate) fn walk<'n>(&'n self, path: &mut String, each: &mut dyn FnMut(&str, &'n Self)) {
        for (token, child) in &self.children {
            let len = path.len();
            path.push_str(token);
            each(path, child);
            child.walk(path, each);
            path.truncate(len);
        }
    }
}

/// A whole name, as it was learned: the material that a trie is made of.
#[derive(Debug)]
pub(crate) struct Leaf<'a> {
    /// Canonical; see [`token`].
    pub(crate) path: &'a str,
    pub(crate) fact: &'a Fact,
    /// The numbers of the episodes, or of a sample of them.
    pub(crate) episodes: &'a [u32],
}

impl<'a> Leaf<'a> {
    /// The part of the name at a byte.
    fn part(&self, at: usize) -> Option<&'a str> {
        self.path.get(at..).and_then(|path| token::split(path).next())
    }
}

/// The trie of names, sorted by path. `sampling` is how many times the numbers of episodes were
/// halved by sampling.
///
/// It is a function of the set of names and episodes: how often a node was visited is the number of
/// distinct episodes below it, and what was found when follows from the first episode of each part.
pub(crate) fn grow(leaves: &[Leaf<'_>], sampling: u32) -> Option<Node> {
    let mut node = branch(leaves, 0, sampling)?.0;
    node.fold(CHILDREN_MAX);
    Some(node)
}

fn branch(leaves: &[Leaf<'_>], depth: usize, sampling: u32) -> Option<(Node, Vec<u32>)> {
    let mut node: Option<Node> = None;
    let mut episodes: Vec<u32> = Vec::new();
    let mut rest = leaves;
    while let Some(leaf) = rest.first() {
        let token = leaf.part(depth);
        // All names with this part stand side by side, since they are sorted.
        let len = rest.partition_point(|it| it.part(depth) == token).max(1);
        let (same, after) = rest.split_at_checked(len)?;
        rest = after;
        match token {
            Some(token) => {
                let Some((child, seen)) = branch(same, depth + token.len(), sampling) else {
                    continue;
                };
                episodes.extend(seen);
                let parent = node.get_or_insert_with(|| {
                    Node::new(Fact { episodes: 0, ..child.fact.clone() }, 0)
                });
                // Of the episodes the sum is wrong; they are counted below.
                parent.fact.join(&child.fact, Join::Overlapping);
                parent.children.insert(token.into(), child);
            }
            None => {
                episodes.extend(leaf.episodes);
                match &mut node {
                    Some(node) => node.fact.join(leaf.fact, Join::Overlapping),
                    None => node = Some(Node::new(leaf.fact.clone(), 0)),
                }
            }
        }
    }
    let mut node = node?;
    episodes.sort_unstable();
    episodes.dedup();
    let counted = u32::try_from(episodes.len()).unwrap_or(u32::MAX);
    let scaled = counted.checked_shl(sampling).unwrap_or(u32::MAX);
    node.fact.episodes = node.fact.episodes.max(scaled);
    node.found = node.firsts();
    Some((node, episodes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::learned::Provenance;
    use crate::learned::day::First;

    /// The trie of `(episode, name)`.
    fn trie(seen: &[(u32, &str)]) -> Node {
        let mut names: BTreeMap<&str, (Fact, Vec<u32>)> = BTreeMap::new();
        for &(episode, name) in seen {
            let first = First { minute: episode * 60, root: 0 };
            names
                .entry(name)
                .and_modify(|(fact, episodes)| {
                    fact.note(first);
                    episodes.push(episode);
                })
                .or_insert_with(|| (Fact::of(first), vec![episode]));
        }
        let leaves: Vec<Leaf<'_>> =
            names.iter().map(|(path, (fact, episodes))| Leaf { path, fact, episodes }).collect();
        grow(&leaves, 0).unwrap()
    }

    fn at<'n>(node: &'n Node, path: &str) -> &'n Node {
        token::split(path).fold(node, |node, token| &node.children[token])
    }

    #[test]
    fn visits_are_episodes_and_what_came_together_was_found_once() {
        let node =
            trie(&[(1, "b/x/1a"), (1, "b/x/2a"), (1, "b/y"), (2, "b/x/1a"), (3, "b/z"), (3, "c")]);
        assert_eq!((node.fact.episodes, node.found), (3, 2));
        let bucket = at(&node, "b/");
        assert_eq!((bucket.fact.episodes, bucket.found), (3, 2));
        let folder = at(&node, "b/x/");
        assert_eq!((folder.fact.episodes, folder.found), (2, 1));
        assert_eq!(at(&node, "b/x/1a").fact.episodes, 2);
        let mut size = 0;
        node.walk(&mut String::new(), &mut |_, _| size += 1);
        assert_eq!(size, 7);
    }

    #[test]
    fn a_name_may_end_where_another_goes_on() {
        let node = trie(&[(1, "logs/"), (2, "logs/a"), (3, "logs")]);
        assert_eq!(at(&node, "logs/").fact.episodes, 2);
        assert_eq!(at(&node, "logs").fact.episodes, 1);
    }

    #[test]
    fn many_children_become_a_star_that_remembers_what_is_below() {
        let names: Vec<String> = (0..200).map(|it| format!("t{it}/config/x")).collect();
        let mut seen: Vec<(u32, &str)> = (0..).zip(names.iter().map(String::as_str)).collect();
        seen.extend((1_000..1_010).map(|episode| (episode, "main/config/x")));
        let node = trie(&seen);
        assert_eq!(node.children.len(), CHILDREN_MAX + 1);
        assert_eq!((node.fact.episodes, node.found), (210, 201));
        assert!(node.is_open() && node.children.contains_key("main/"));
        let star = at(&node, STAR);
        assert_eq!((star.fact.episodes, star.found), (201 - 64, 1));
        assert!(!at(star, "config/").is_open());
    }

    #[test]
    fn a_slot_is_open_while_one_in_a_hundred_is_new() {
        assert!(is_open(0, 0) && is_open(1, 0) && !is_open(2, 0));
        assert!(is_open(101, 1) && !is_open(102, 1));
        assert!(is_open(301, 3) && !is_open(302, 3));
        for visits in 2..1_000 {
            let most = found_closed_max(visits);
            assert!(!is_open(visits, most) && is_open(visits, most + 1), "{visits}");
        }
    }

    #[test]
    fn what_is_pending_does_not_slip_into_a_known_star() {
        let names: Vec<String> = (0..10).map(|it| format!("k{it}/")).collect();
        let seen: Vec<(u32, &str)> = (0..).zip(names.iter().map(String::as_str)).collect();
        let mut node = trie(&seen);
        for name in &names[..6] {
            node.children.get_mut(name.as_str()).unwrap().fact.provenance = Provenance::Learned;
        }
        node.fold(4);
        assert_eq!(node.children.len(), 5);
        assert_eq!(at(&node, STAR).fact.episodes, 2);
        assert!(node.children.values().all(|child| child.fact.is_known()));
    }
}
