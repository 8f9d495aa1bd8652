//! Where the name of a resource leaves what agents know, and what they know there: of one class, and of several
//! together.

use std::cmp::Ordering;

use super::token::DEPTH_MAX;

/// Where a resource leaves all that some agents know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaves {
    /// Behind so many parts of its name.
    pub(super) depth: u32,
    /// Where else names went on: a bit for each part, from the lowest.
    pub(super) choices: u32,
    pub(super) beyond: Beyond,
}

/// What agents know of where a name goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// All of it.
    All,
    /// So many other parts.
    Others(Parts),
    /// There was no room to keep what: too many parts were found there.
    Untold,
}

// INVARIANT: a name has no more parts than there are bits for.
const _: () = assert!(DEPTH_MAX <= u32::BITS as usize);

impl Leaves {
    /// The same for them and others together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let choices = self.choices | other.choices;
        let beyond = match (self.beyond, other.beyond) {
            (Beyond::All, _) | (_, Beyond::All) => Beyond::All,
            (Beyond::Untold, _) | (_, Beyond::Untold) => Beyond::Untold,
            (Beyond::Others(these), Beyond::Others(those)) => {
                Beyond::Others(match self.depth.cmp(&other.depth) {
                    Ordering::Greater => these,
                    Ordering::Less => those,
                    Ordering::Equal => these.and(those),
                })
            }
        };
        Self { depth: self.depth.max(other.depth), choices, beyond }
    }

    /// What they know of where it goes on.
    pub fn beyond(&self) -> Beyond {
        self.beyond
    }

    /// Whether names went different ways before.
    pub fn is_further(&self) -> bool {
        self.choices & !(u32::MAX << self.depth.min(31)) != 0
    }
}

/// The parts that the agents of a class found at a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// How many of them only one agent found.
    pub alone: u64,
    /// Of all parts, the agents that found each, added up.
    pub all: u64,
    /// How many agents came there.
    pub agents: u64,
}

impl Parts {
    /// How likely an agent is to come with a part that no other knows: as many of those that were found
    /// are one agent's alone (Good, Biometrika 40, 1953, with the half of Krichevsky and Trofimov).
    ///
    /// Each part counts once for each agent, however often it comes there: one that works on a tenant all
    /// day says no more of how likely the next one is to come with one of its own.
    pub fn share_alone(self) -> f64 {
        (self.alone as f64 + 0.5) / (self.all as f64 + 1.0)
    }

    fn and(self, other: Self) -> Self {
        Self {
            alone: self.alone + other.alone,
            all: self.all + other.all,
            agents: self.agents + other.agents,
        }
    }
}
