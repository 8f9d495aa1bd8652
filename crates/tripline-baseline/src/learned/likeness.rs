//! Agents that do alike: classes for a person to approve, where no tag names any.

use std::collections::BTreeSet;

use tripline_text::Untrusted;

use super::baseline::{Baseline, Whose};
use super::key::Provenance;

/// Agents that share this part of what both do are taken for one kind.
const ALIKE: f64 = 0.5;
/// Of an agent with fewer known actions nothing can be said.
const ACTIONS_MIN: usize = 3;

/// Looks for agents that do alike among those without a class; they come one at a time, in any order.
#[derive(Clone, Debug, Default)]
pub struct Likeness {
    agents: Vec<(Untrusted<'static>, BTreeSet<Box<str>>)>,
    /// Agents that too little is known of.
    unknown: usize,
}

/// Agents that do alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    /// Their names, in order.
    pub agents: Vec<Untrusted<'static>>,
    /// The actions that all of them know, in order.
    pub common: Vec<Box<str>>,
    /// How many actions any of them knows.
    pub actions: usize,
}

impl Likeness {
    /// Takes an agent in; one that has a class, and a baseline of no single agent, is passed over.
    pub fn add(&mut self, baseline: &Baseline) {
        let Whose::Agent { agent, class: None } = baseline.whose() else { return };
        let mut actions = BTreeSet::new();
        baseline.each_key(|name, provenance, _| {
            let known = *provenance != Provenance::Pending;
            actions.extend(name.as_action().filter(|_| known).map(Box::from));
        });
        if actions.len() < ACTIONS_MIN {
            self.unknown += 1;
        } else {
            self.agents.push((agent.clone(), actions));
        }
    }

    /// How many agents too little is known of.
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// The groups of two agents or more, the largest first; the same whatever the order was.
    ///
    /// Whoever does most leads a group, and the others join the leader whom they are most like: so a
    /// chain of agents, each a little like the next, is no group, and the time is that of agents times
    /// groups.
    pub fn groups(mut self) -> Vec<Alike> {
        self.agents.sort_by(|one, other| {
            other.1.len().cmp(&one.1.len()).then_with(|| one.0.cmp(&other.0))
        });
        let mut groups: Vec<Vec<(Untrusted<'static>, BTreeSet<Box<str>>)>> = Vec::new();
        for agent in self.agents {
            let mut best: Option<(f64, &mut Vec<_>)> = None;
            for group in &mut groups {
                let leader = group.first().map(|(_, actions)| actions);
                let likeness = leader.map_or(0.0, |leader| jaccard(leader, &agent.1));
                // Of equals the first.
                if likeness >= ALIKE && best.as_ref().is_none_or(|(most, _)| likeness > *most) {
                    best = Some((likeness, group));
                }
            }
            match best {
                Some((_, group)) => group.push(agent),
                None => groups.push(vec![agent]),
            }
        }
        let mut alike: Vec<Alike> =
            groups.into_iter().filter(|group| group.len() > 1).map(Alike::of).collect();
        alike.sort_by(|one, other| {
            other.agents.len().cmp(&one.agents.len()).then_with(|| one.agents.cmp(&other.agents))
        });
        alike
    }
}

impl Alike {
    fn of(group: Vec<(Untrusted<'static>, BTreeSet<Box<str>>)>) -> Self {
        let any: BTreeSet<&Box<str>> = group.iter().flat_map(|(_, actions)| actions).collect();
        let all = |action: &str| group.iter().all(|(_, actions)| actions.contains(action));
        let common =
            any.iter().filter(|action| all(action.as_ref())).map(|action| (*action).clone());
        let (common, actions) = (common.collect(), any.len());
        let mut agents: Vec<_> = group.into_iter().map(|(agent, _)| agent).collect();
        agents.sort();
        Self { agents, common, actions }
    }

    /// A name for the class: what the agents' names begin with, without what counts them; none if that
    /// is nothing.
    pub fn name(&self) -> Option<&str> {
        let (first, last) = (self.agents.first()?, self.agents.last()?);
        // Names are in order: what the first and the last share, all share.
        let (first, last) = (first.as_unescaped(), last.as_unescaped());
        let shared = first.char_indices().zip(last.chars()).find(|((_, one), other)| one != other);
        let end = shared.map_or(first.len().min(last.len()), |((at, _), _)| at);
        let name = first.get(..end)?.trim_end_matches(|last: char| !last.is_alphabetic());
        (!name.is_empty()).then_some(name)
    }
}

/// What two sets share, as a part of what is in any.
fn jaccard(one: &BTreeSet<Box<str>>, other: &BTreeSet<Box<str>>) -> f64 {
    let shared = one.intersection(other).count();
    shared as f64 / (one.len() + other.len() - shared).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str, actions: &str) -> (Untrusted<'static>, BTreeSet<Box<str>>) {
        (Untrusted::new(name.to_owned()), actions.split(' ').map(Box::from).collect())
    }

    fn groups(agents: &[(Untrusted<'static>, BTreeSet<Box<str>>)]) -> Vec<Alike> {
        Likeness { agents: agents.to_vec(), unknown: 0 }.groups()
    }

    #[test]
    fn who_does_alike_is_one_class_whatever_the_order() {
        let mut agents = vec![
            agent("support-2", "s3:a s3:b s3:c sqs:d"),
            agent("support-11", "s3:a s3:b s3:c sns:e"),
            agent("support-3", "s3:a s3:b s3:c sqs:d ec2:f"),
            agent("crawler-1", "ec2:a ec2:b ec2:c"),
            agent("odd", "iam:a iam:b iam:c"),
            agent("crawler-2", "ec2:a ec2:b ec2:c ec2:d"),
        ];
        let found = groups(&agents);
        let names: Vec<_> = found.iter().map(|group| (group.name(), group.agents.len())).collect();
        assert_eq!(names, [(Some("support"), 3), (Some("crawler"), 2)]);
        let support = found.first().unwrap();
        assert_eq!((support.common.join(" ").as_str(), support.actions), ("s3:a s3:b s3:c", 6));
        agents.reverse();
        assert_eq!(groups(&agents), found);
    }

    #[test]
    fn a_chain_of_likenesses_is_no_class() {
        let agents = [
            agent("a", "s:1 s:2 s:3 s:4"),
            agent("b", "s:3 s:4 s:5 s:6"),
            agent("c", "s:5 s:6 s:7 s:8"),
        ];
        assert_eq!(groups(&agents), []);
    }

    #[test]
    fn names_are_cut_between_characters() {
        let of = |names: [&str; 2]| {
            let agents = names.map(|name| Untrusted::new(name.to_owned())).to_vec();
            Alike { agents, common: Vec::new(), actions: 0 }.name().map(str::to_owned)
        };
        assert_eq!(of(["größe-1", "größe-2"]).as_deref(), Some("größe"));
        assert_eq!(of(["ä", "ö"]), None);
        assert_eq!(of(["1-a", "1-b"]), None);
    }
}
