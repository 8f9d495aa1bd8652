//! How likely it is that an episode shows one more new value, and of which family.

use tripline_baseline::{CHAIN_STEPS, Discoveries, Family};

/// An agent's chances of showing something new, backed off to those of its peers.
///
/// An episode is a chain: `k` new values so far, and with some chance one more, else it ends so. Source:
/// detector.md, sections 0 and 4; the chances are those of episodes and not of calls, because an
/// episode's novelty comes all at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    one_more: [f64; CHAIN_STEPS],
    families: [f64; Family::COUNT],
    in_grace: bool,
}

/// An agent starts with so many episodes of its peers' habits, which is as many as it takes to be known
/// well: in fewer, most agents show something new once or never, by chance, …
const PRIOR_EPISODES: f64 = 200.0;
/// … and with so many of everybody's, as to what follows the first novelty.
const PRIOR_NOVEL_EPISODES: f64 = 10.0;
/// How often an episode shows something new where nobody is known.
const FIRST: f64 = 0.05;
/// How often a novel episode shows one more thing (measured: 0.34 to 0.44, detector.md section 0).
const MORE: f64 = 0.4;
/// Whatever was found: another novelty is never taken to be surer than this.
const MOST: f64 = 0.9;

/// How often an episode shows something new when the agent has just been deployed anew: in some of its
/// first ones, until all of its new work has been seen once.
const IN_GRACE: f64 = 0.2;

/// What new values are values of, where nobody is known; in the order of [`Family::ALL`].
const FAMILIES: [f64; Family::COUNT] = [0.3, 0.3, 0.03, 0.07, 0.1, 0.15, 0.05];
/// How many new values that is worth.
const PRIOR_FAMILIES: f64 = 10.0;

impl Chain {
    /// From what the agent found, and what its class, or else the fleet, did.
    pub fn new(own: &Discoveries, peers: Option<&Discoveries>) -> Self {
        let first_of_peers = peers.map_or(FIRST, |peers| {
            let ([came, ..], [went_on, ..]) = (peers.came, peers.went_on);
            // Those of peers are counted one by one, and come in clusters of 1 / (1 - MORE).
            ((went_on * (1.0 - MORE) + FIRST) / (came + 1.0)).min(1.0)
        });
        let chance = |found: f64, of: f64, prior: f64, weight: f64| {
            ((found + weight * prior) / (of + weight)).min(MOST)
        };
        let mut one_more = [0.0; CHAIN_STEPS];
        let counts = own.went_on.into_iter().zip(own.came);
        for (step, (place, (found, of))) in one_more.iter_mut().zip(counts).enumerate() {
            *place = match step {
                0 => chance(found, of, first_of_peers, PRIOR_EPISODES),
                _ => chance(found, of, MORE, PRIOR_NOVEL_EPISODES),
            };
        }
        let of_peers = peers.map_or(FAMILIES, |peers| shares(&peers.by_family, &FAMILIES));
        Self { one_more, families: shares(&own.by_family, &of_peers), in_grace: false }
    }

    /// The same while a new version shows what it does.
    #[must_use]
    pub fn in_grace(self) -> Self {
        let one_more = self.one_more.map(|chance| chance.max(IN_GRACE));
        Self { one_more, in_grace: true, ..self }
    }

    /// Whether it is that of new work in a grace.
    pub(super) fn is_in_grace(&self) -> bool {
        self.in_grace
    }

    /// The chance that an episode which showed `shown` new values shows another.
    pub fn one_more(&self, shown: usize) -> f64 {
        let [.., last] = self.one_more;
        self.one_more.get(shown).copied().unwrap_or(last)
    }

    /// The chance that a new value is one of this family.
    pub fn family(&self, family: Family) -> f64 {
        self.families.get(family as usize).copied().unwrap_or(0.0)
    }
}

fn shares(counts: &[f64; Family::COUNT], prior: &[f64; Family::COUNT]) -> [f64; Family::COUNT] {
    let total: f64 = counts.iter().sum::<f64>() + PRIOR_FAMILIES;
    let mut shares = *prior;
    for (share, count) in shares.iter_mut().zip(counts) {
        *share = (count + PRIOR_FAMILIES * *share) / total;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_taken_for_its_peers_until_it_is_known() {
        let nobody = Chain::new(&Discoveries::default(), None);
        assert_eq!(nobody.one_more(0), FIRST);
        assert_eq!((nobody.one_more(1), nobody.one_more(9)), (MORE, MORE));
        let calm = Discoveries {
            came: [10_000.0, 9.0, 3.0, 1.0],
            went_on: [9.0, 3.0, 1.0, 0.0],
            ..Discoveries::default()
        };
        let of_calm_peers = Chain::new(&Discoveries::default(), Some(&calm));
        assert!(of_calm_peers.one_more(0) < 0.001);
        let restless = Discoveries {
            came: [1_000.0, 500.0, 400.0, 900.0],
            went_on: [500.0, 400.0, 300.0, 890.0],
            ..calm
        };
        let restless = Chain::new(&restless, Some(&calm));
        assert!(restless.one_more(0) > 0.4 && restless.one_more(1) > 0.7);
        assert_eq!(restless.one_more(7), MOST);
    }

    #[test]
    fn in_a_grace_something_new_is_to_be_expected() {
        let calm = Discoveries { came: [10_000.0, 9.0, 3.0, 1.0], ..Discoveries::default() };
        let chain = Chain::new(&calm, None);
        let grace = chain.in_grace();
        assert!(chain.one_more(0) < 0.01 && grace.one_more(0) == IN_GRACE);
        assert!((1..5).all(|shown| grace.one_more(shown) >= chain.one_more(shown)));
        assert_eq!(grace.family(Family::Action), chain.family(Family::Action));
    }

    #[test]
    fn families_are_shares() {
        let by_family = [90.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let found = Discoveries { by_family, ..Discoveries::default() };
        for chain in [Chain::new(&Discoveries::default(), None), Chain::new(&found, Some(&found))] {
            let sum: f64 = Family::ALL.into_iter().map(|family| chain.family(family)).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        }
        let chain = Chain::new(&found, None);
        assert!(chain.family(Family::Action) > 0.9 && chain.family(Family::Region) > 0.0);
    }
}
