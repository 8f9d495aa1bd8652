//! What the agents of a class, or all agents, know together.

use super::baseline::{Baseline, DAYS_MAX, State, Whose};
use super::family::Family;
use super::key::{Fact, Join, Provenance};
use super::trie::Node;

/// Puts the live baselines of agents together, one at a time, in any order.
///
/// Its size is that of what they know together, not of how many they are.
#[derive(Clone, Debug)]
pub struct Peers {
    sum: Baseline,
}

impl Peers {
    /// Nobody yet, of a class or, without one, of the fleet.
    pub fn new(class: Option<tripline_text::Untrusted<'static>>) -> Self {
        let whose = class.map_or(Whose::Fleet, Whose::Class);
        let mut sum = Baseline::empty(whose, State::Live);
        sum.agents = 0;
        Self { sum }
    }

    /// Takes an agent in, or what others have put together. Only what is known counts: of a
    /// candidate that is nothing but its paces and the number of its episodes.
    pub fn add(&mut self, baseline: &Baseline) {
        let sum = &mut self.sum;
        sum.agents = sum.agents.saturating_add(baseline.agents);
        sum.episodes = sum.episodes.saturating_add(baseline.episodes);
        sum.span = match (sum.span, baseline.span) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            (one, other) => one.or(other),
        };
        sum.overflow.extend(&baseline.overflow);
        for (day, counts) in &baseline.days {
            sum.days.entry(*day).or_default().add(counts);
        }
        if let Some((_, last)) = sum.span {
            sum.days.retain(|day, _| last.since(*day) < DAYS_MAX);
        }
        for (pace, peaks) in &baseline.peaks {
            sum.peaks.entry(*pace).or_default().add_all(peaks);
        }
        for (name, fact) in baseline.keys.iter().filter(|(_, fact)| fact.is_known()) {
            match sum.keys.get_mut(name) {
                Some(known) => known.join(fact, Join::Agents),
                None => {
                    sum.keys.insert(name.clone(), unsigned(fact));
                }
            }
        }
        if sum.whose == Whose::Fleet {
            return;
        }
        for (action, root) in baseline.tries.iter().filter(|(_, root)| root.fact.is_known()) {
            let mut root = root.clone();
            root.keep_known();
            unsign(&mut root);
            match sum.tries.get_mut(action) {
                Some(known) => known.join(root, Join::Agents),
                None => {
                    sum.tries.insert(action.clone(), root);
                }
            }
        }
    }

    /// Takes all in that the other has.
    pub fn merge(&mut self, other: &Self) {
        self.add(&other.sum);
    }

    /// What they know together. If that is more than `keys_max` values, those that only one of them
    /// knows are left out.
    pub fn finish(self, keys_max: Option<usize>) -> Baseline {
        let mut sum = self.sum;
        let mut count = 0_usize;
        sum.each_fact(&mut |_, _, _| count += 1);
        if keys_max.is_some_and(|keys_max| count > keys_max) {
            let lonely = sum.keys.iter().filter(|(_, fact)| fact.agents < 2);
            let families: Vec<Family> = lonely.map(|(name, _)| name.family).collect();
            sum.overflow.extend(families);
            sum.keys.retain(|_, fact| fact.agents > 1);
            sum.tries.retain(|_, root| root.fact.agents > 1);
            sum.tries.values_mut().for_each(keep_shared);
        }
        sum.fit();
        sum
    }
}

impl Baseline {
    /// What the agents of a class know together; see [`Peers`], which takes them one at a time.
    pub fn of_class<'b>(
        class: tripline_text::Untrusted<'static>,
        agents: impl IntoIterator<Item = &'b Self>,
    ) -> Self {
        let mut peers = Peers::new(Some(class));
        agents.into_iter().for_each(|agent| peers.add(agent));
        peers.finish(None)
    }
}

/// An approval is one agent's: in the sum it is known, no more.
fn unsigned(fact: &Fact) -> Fact {
    Fact { provenance: Provenance::Learned, ..fact.clone() }
}

fn unsign(node: &mut Node) {
    node.fact = unsigned(&node.fact);
    node.children.values_mut().for_each(unsign);
}

fn keep_shared(node: &mut Node) {
    node.children.retain(|_, child| child.fact.agents > 1);
    node.children.values_mut().for_each(keep_shared);
}
