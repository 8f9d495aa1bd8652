//! How far a baseline can be relied on.

use std::fmt;

use super::baseline::Baseline;
use super::family::Family;

/// A mature baseline was learned from so many episodes, …
pub const MATURE_EPISODES: u32 = 200;
/// … on so many days, …
pub const MATURE_DAYS: u32 = 7;
/// … and at most so many of its draws are still new.
const MATURE_HAZARD: f64 = 0.005;

/// With fewer episodes, or more news than this, nothing is made of what is new.
const LEARNING_EPISODES: u32 = 30;
const LEARNING_HAZARD: f64 = 0.02;

/// The days back from the last one that the rate of news is taken from.
const RECENT_DAYS: u32 = 21;

/// How far a baseline, or one family of it, can be relied on. Source: detector.md, "Cold start".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Too little is known for anything that is new to mean much.
    Immature,
    /// On the way.
    Learning,
    /// What is new is rare.
    Mature,
}

/// The counts that the [`Stage`] follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maturity {
    /// Episodes in all.
    pub episodes: u32,
    /// Days with an episode, of the last 90.
    pub days: u32,
    /// First occurrences of a value in an episode, over the last 21 days.
    pub draws: u32,
    /// Those that were the very first of the value.
    pub news: u32,
    /// Whether every value that was seen is listed.
    pub is_whole: bool,
}

impl Baseline {
    /// The maturity of the whole: by the families whose values are few, which are all but resources,
    /// errors and bytes.
    pub fn maturity(&self) -> Maturity {
        self.maturity_by(&[Family::Action, Family::Region, Family::Network, Family::UserAgent])
    }

    /// The maturity of one family.
    pub fn maturity_of(&self, family: Family) -> Maturity {
        self.maturity_by(&[family])
    }

    fn maturity_by(&self, families: &[Family]) -> Maturity {
        let last = self.span.map(|(_, last)| last);
        let recent = self
            .days
            .iter()
            .filter(|(day, _)| last.is_some_and(|last| last.since(**day) < RECENT_DAYS));
        let (mut draws, mut news) = (0_u32, 0_u32);
        for (_, counts) in recent {
            for family in families {
                let of = |counts: &[u32]| counts.get(family.index()).copied().unwrap_or(0);
                draws = draws.saturating_add(of(&counts.draws));
                news = news.saturating_add(of(&counts.news));
            }
        }
        Maturity {
            episodes: self.episodes,
            days: u32::try_from(self.days.len()).unwrap_or(u32::MAX),
            draws,
            news,
            is_whole: !families.iter().any(|family| self.overflow.contains(family)),
        }
    }
}

impl Maturity {
    /// The share of draws that are new, at most: the upper 95 % bound of a Poisson count over the
    /// draws (Wilson and Hilferty, PNAS 17, 1931); 1 without any draws.
    pub fn hazard(&self) -> f64 {
        if self.draws == 0 {
            return 1.0;
        }
        let count = f64::from(self.news) + 1.0;
        let root = 1.0 - 1.0 / (9.0 * count) + 1.644_853_626_951 / (3.0 * count.sqrt());
        (count * root * root * root / f64::from(self.draws)).min(1.0)
    }

    /// Whether lines that were drawn on the history hold for it. It may still show something new now
    /// and then: how often it does is in its evidence already, and agents that are deployed every few
    /// weeks never become calmer than that.
    pub fn is_armed(&self) -> bool {
        self.is_whole && self.days >= MATURE_DAYS && self.stage() > Stage::Immature
    }

    /// Whether its own history is long enough for it to be killed by what is new.
    pub fn is_armed_to_kill(&self) -> bool {
        self.is_armed() && self.episodes >= MATURE_EPISODES
    }

    /// The stage that these counts make.
    pub fn stage(&self) -> Stage {
        let hazard = self.hazard();
        if self.episodes < LEARNING_EPISODES || hazard > LEARNING_HAZARD {
            Stage::Immature
        } else if self.is_whole
            && self.episodes >= MATURE_EPISODES
            && self.days >= MATURE_DAYS
            && hazard < MATURE_HAZARD
        {
            Stage::Mature
        } else {
            Stage::Learning
        }
    }
}

/// `learning: 41 of 200 episodes`, `mature: 4212 episodes on 61 days`.
impl fmt::Display for Maturity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { episodes, days, .. } = self;
        if self.stage() == Stage::Mature {
            return write!(f, "mature: {episodes} episodes on {days} days");
        }
        f.write_str("learning: ")?;
        if *episodes < MATURE_EPISODES {
            write!(f, "{episodes} of {MATURE_EPISODES} episodes")
        } else if *days < MATURE_DAYS {
            write!(f, "{days} of {MATURE_DAYS} days")
        } else if !self.is_whole {
            f.write_str("more values than can be kept")
        } else {
            let per_mille = self.hazard() * 1_000.0;
            write!(f, "up to {per_mille:.0} in 1000 values are new, of 5")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maturity(episodes: u32, days: u32, draws: u32, news: u32) -> Maturity {
        Maturity { episodes, days, draws, news, is_whole: true }
    }

    #[test]
    fn it_says_what_is_missing() {
        for (counts, stage, text) in [
            (maturity(41, 3, 300, 0), Stage::Learning, "learning: 41 of 200 episodes"),
            (maturity(12, 3, 300, 0), Stage::Immature, "learning: 12 of 200 episodes"),
            (maturity(400, 3, 3_000, 0), Stage::Learning, "learning: 3 of 7 days"),
            (
                maturity(400, 30, 3_000, 40),
                Stage::Learning,
                "learning: up to 17 in 1000 values are new, of 5",
            ),
            (maturity(400, 30, 3_000, 3), Stage::Mature, "mature: 400 episodes on 30 days"),
            (maturity(0, 0, 0, 0), Stage::Immature, "learning: 0 of 200 episodes"),
        ] {
            assert_eq!((counts.stage(), counts.to_string().as_str()), (stage, text));
        }
    }

    #[test]
    fn an_agent_that_is_deployed_now_and_then_is_armed_all_the_same() {
        assert!(maturity(400, 30, 3_000, 3).is_armed());
        assert!(maturity(400, 30, 3_000, 40).is_armed());
        assert!(!maturity(400, 30, 3_000, 90).is_armed());
        assert!(maturity(41, 30, 3_000, 0).is_armed());
        assert!(!maturity(41, 30, 3_000, 0).is_armed_to_kill());
        assert!(maturity(400, 30, 3_000, 40).is_armed_to_kill());
        assert!(!maturity(29, 30, 3_000, 0).is_armed());
        assert!(!maturity(400, 3, 3_000, 0).is_armed());
    }

    #[test]
    fn the_bound_is_the_tables() {
        // Upper 95 % bounds of a Poisson mean for 0, 3 and 10 events: 2.996, 7.754, 16.962.
        for (news, bound) in [(0, 2.996), (3, 7.754), (10, 16.962)] {
            let hazard = maturity(1, 1, 1_000, news).hazard() * 1_000.0;
            assert!((hazard - bound).abs() < 0.04, "{news}: {hazard}");
        }
    }
}
