//! How often an agent shows something new, and how much of it at once.
//!
//! Novelty comes in clusters: an episode that shows one new thing shows another in four of ten cases,
//! where one episode in a hundred shows any (detector.md, sections 0 and 4). So what is counted is
//! episodes, not calls: of those that had shown `k` new values, how many went on to show one more.
//!
//! All of it follows from what a baseline stores, the episode in which each value was first seen, and
//! nothing of it is stored.

use std::collections::{BTreeMap, BTreeSet};

use super::baseline::Baseline;
use super::day::{Day, First};
use super::family::{Family, discovery};

/// From so many new values on, an episode is treated alike.
pub const CHAIN_STEPS: usize = 4;

/// The weight of a day halves with each so many days that it lies back: most of what is found on an
/// agent's first days says nothing about its later ones.
const HALF_LIFE_DAYS: f64 = 10.0;

/// What an agent, a class or the fleet found, weighted by age. Counts are of episodes, in fractions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Discoveries {
    /// Episodes that had shown `k` new values; the last place is for `k` and more, each counted again
    /// for each.
    pub came: [f64; CHAIN_STEPS],
    /// Those of them that went on to show one more.
    pub went_on: [f64; CHAIN_STEPS],
    /// New values by family.
    pub by_family: [f64; Family::COUNT],
}

impl Discoveries {
    /// Notes the episodes of one day: `total` of them, and how many new values were in each of those
    /// that had any.
    fn note(&mut self, weight: f64, total: u32, finds: impl Iterator<Item = u32>) {
        let [came, ..] = &mut self.came;
        *came += weight * f64::from(total);
        for count in finds {
            for step in 0..count as usize {
                let at = step.min(CHAIN_STEPS - 1);
                if let Some(went_on) = self.went_on.get_mut(at) {
                    *went_on += weight;
                }
                if let Some(came) = self.came.get_mut((step + 1).min(CHAIN_STEPS - 1)) {
                    *came += weight;
                }
            }
        }
    }
}

impl Baseline {
    /// What was found, and when.
    ///
    /// Of a class or of the fleet only [`Discoveries::by_family`] and the first of the chain mean
    /// something: which of its agents found a value in which episode is not stored. The first is then
    /// an upper bound, as if no two values had been found together.
    pub fn discoveries(&self) -> Discoveries {
        let mut found = Discoveries::default();
        let Some((_, last)) = self.span else { return found };
        let weight = |day: Day| libm::exp2(-f64::from(last.since(day)) / HALF_LIFE_DAYS);
        if self.agents > 1 {
            for (day, counts) in &self.days {
                let news = counts.news.iter().zip(&mut found.by_family);
                news.for_each(|(news, sum)| *sum += weight(*day) * f64::from(*news));
                let news = counts.news.iter().fold(0_u32, |sum, news| sum.saturating_add(*news));
                let episodes = news.min(counts.episodes);
                found.note(weight(*day), counts.episodes, (0..episodes).map(|_| 1));
            }
            return found;
        }
        for (day, counts) in &self.days {
            found.note(weight(*day), counts.episodes, std::iter::empty());
        }
        for (first, kinds) in self.finds() {
            let day = Day::of_minute(first.minute);
            if self.days.contains_key(&day) {
                let count = u32::try_from(kinds.len()).unwrap_or(u32::MAX);
                found.note(weight(day), 0, std::iter::once(count));
                for (family, _) in kinds {
                    if let Some(sum) = found.by_family.get_mut(family.index()) {
                        *sum += weight(day);
                    }
                }
            }
        }
        found
    }

    /// What each episode found that found anything; see [`super::Draw::discovery`].
    fn finds(&self) -> BTreeMap<First, BTreeSet<(Family, &str)>> {
        let mut finds: BTreeMap<First, BTreeSet<(Family, &str)>> = BTreeMap::new();
        for (name, fact) in &self.keys {
            let Some(kind) = discovery(name.family, &name.action, &name.value) else { continue };
            finds.entry(fact.first).or_default().insert(kind);
        }
        for (action, root) in &self.tries {
            let mut firsts: BTreeSet<First> = root.closed_firsts().collect();
            root.walk(&mut String::new(), &mut |_, node| firsts.extend(node.closed_firsts()));
            for first in firsts {
                finds.entry(first).or_default().insert((Family::Resource, action));
            }
        }
        // What comes with a new action is no news beside it.
        for kinds in finds.values_mut() {
            let actions: BTreeSet<&str> = kinds
                .iter()
                .filter(|(family, _)| *family == Family::Action)
                .map(|(_, action)| *action)
                .collect();
            kinds.retain(|(family, of)| !family.is_given_action() || !actions.contains(of));
        }
        finds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_counts_who_came_so_far_and_who_went_on() {
        let mut found = Discoveries::default();
        found.note(1.0, 100, [1, 1, 2, 6].into_iter());
        assert_eq!(found.came, [100.0, 4.0, 2.0, 4.0]);
        assert_eq!(found.went_on, [4.0, 2.0, 1.0, 3.0]);
    }
}
