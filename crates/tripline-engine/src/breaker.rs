//! The circuit breaker of a class of agents: what looks like an attack on all of them is a deployment,
//! or too big for a program to answer by itself.

use std::collections::BTreeMap;

use tripline_attribution::AgentId;

/// Statistical kills, by class. What a rule kills is not counted, and not held back: decoys must not
/// save an intruder.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    by_class: BTreeMap<Option<AgentId>, Breaker>,
}

#[derive(Debug, Default)]
struct Breaker {
    /// The roots killed, with the minute.
    killed: BTreeMap<u32, u32>,
    /// The day on which it tripped.
    tripped: Option<u32>,
}

/// The time in which kills of a class count together.
const MINUTES: u32 = 10;
const DAY_MINUTES: u32 = 24 * 60;

impl Breakers {
    /// Whether an episode may be killed by statistics: at most one agent in twenty of a class, and one
    /// at least, in ten minutes. After that it stays open: until a person closes it, which in a
    /// history is taken to be at the end of the day.
    pub(crate) fn allows(
        &mut self,
        class: Option<&AgentId>,
        agents: u64,
        root: u32,
        minute: u32,
    ) -> bool {
        let breaker = self.by_class.entry(class.cloned()).or_default();
        let day = minute / DAY_MINUTES;
        if breaker.tripped.is_some_and(|tripped| tripped < day) {
            *breaker = Breaker::default();
        }
        breaker.killed.retain(|_, killed| killed.saturating_add(DAY_MINUTES) > minute);
        if breaker.killed.contains_key(&root) {
            return true;
        }
        let recent =
            breaker.killed.values().filter(|at| at.saturating_add(MINUTES) > minute).count();
        let allowed = (agents / 20).max(1);
        if breaker.tripped.is_some() || recent as u64 >= allowed {
            breaker.tripped.get_or_insert(day);
            return false;
        }
        breaker.killed.insert(root, minute);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_kill_of_a_class_opens_it_for_the_day() {
        let mut breakers = Breakers::default();
        let noon = 100 * DAY_MINUTES + 720;
        assert!(breakers.allows(None, 12, 1, noon));
        assert!(breakers.allows(None, 12, 1, noon + 3), "the same incident goes on");
        assert!(!breakers.allows(None, 12, 2, noon + 5));
        assert!(!breakers.allows(None, 12, 3, noon + 300), "it stays open");
        assert!(breakers.allows(None, 12, 4, noon + 720));
        let mut large = Breakers::default();
        let allowed = (0..5).filter(|root| large.allows(None, 60, *root, noon)).count();
        assert_eq!(allowed, 3);
    }
}
