//! What lines would have done: a history of agents' days, the first half to draw them on, the second to
//! hold against them.

use std::collections::BTreeMap;

use tripline_attribution::AgentId;
use tripline_detector::{Budgets, Calibration, Lines, MONTH_DAYS, Score, Verdict};

use crate::drift::Outcome;

/// What the history of the agents that are known well says about lines.
#[derive(Debug)]
pub struct Backtest {
    /// Where all days ended up: what lines are drawn from when they are armed.
    pub calibration: Calibration,
    /// The lines that all of it gives.
    pub lines: Lines,
    /// How lines drawn on the first half did on the second.
    pub held_out: HeldOut,
    /// What the evidence asked for under the lines that were in force; rules are not counted.
    pub asked: BTreeMap<Verdict, u64>,
}

/// Lines drawn on the first half of the history, held against the second: nothing that they were drawn
/// on is counted.
#[derive(Debug)]
pub struct HeldOut {
    /// The first day of the second half, as days since 1970.
    pub from_day: u32,
    /// Days in the second half on which an agent worked, of all agents together.
    pub agent_days: u64,
    /// Months of thirty days in the second half, of all agents together.
    pub agent_months: f64,
    /// Each verdict that budgets are set for, the strongest first.
    pub tiers: Vec<Tier>,
    /// Nominal shares, and how many days of the second half passed their lines; only those that
    /// the first half is long enough for.
    pub reliability: Vec<(f64, u64)>,
}

/// How often one verdict would have been given.
#[derive(Clone, Copy, Debug)]
pub struct Tier {
    /// Which.
    pub verdict: Verdict,
    /// False actions accepted, per agent-month.
    pub budget: f64,
    /// The line that the first half gives; nothing where that is too short.
    pub line: Option<Score>,
    /// Days of the second half on which an agent came to the line or above.
    pub passed: u64,
}

/// The tiers that have budgets, the strongest first.
pub const TIERS: [Verdict; 3] = [Verdict::Kill, Verdict::Fence, Verdict::Alert];

/// The shares of which it is asked whether they are kept.
const NOMINAL: [f64; 4] = [1e-1, 1e-2, 1e-3, 1e-4];

const DAY_MINUTES: u32 = 24 * 60;

impl Backtest {
    /// Over the outcomes of a history, in any order.
    pub fn of(outcomes: &[Outcome], budgets: &Budgets) -> Self {
        let calibration = calibrate(outcomes.iter());
        let lines = Lines::draw(&calibration, budgets);
        let mut asked = BTreeMap::new();
        for outcome in outcomes {
            *asked.entry(outcome.verdict).or_default() += 1;
        }
        Self { held_out: HeldOut::of(outcomes, budgets), calibration, lines, asked }
    }
}

impl HeldOut {
    fn of(outcomes: &[Outcome], budgets: &Budgets) -> Self {
        // By days: whatever happens on one day hangs together.
        let days = outcomes.iter().map(day);
        let (first, last) = (days.clone().min().unwrap_or(0), days.max().unwrap_or(0));
        let from_day = first + (last - first).div_ceil(2);
        let before = calibrate(outcomes.iter().filter(|outcome| day(outcome) < from_day));
        let after = calibrate(outcomes.iter().filter(|outcome| day(outcome) >= from_day));
        let lines = Lines::draw(&before, budgets);
        let passed = |line: Option<Score>| line.map_or(0, |line| after.reaching(line));
        let tier = |verdict| {
            let line = lines.of(verdict);
            Some(Tier { verdict, budget: budgets.of(verdict)?, line, passed: passed(line) })
        };
        let kept = |share: f64| Some((share, after.reaching(before.line(share)?)));
        Self {
            from_day,
            agent_days: after.agent_days(),
            agent_months: after.agent_months(),
            tiers: TIERS.into_iter().filter_map(tier).collect(),
            reliability: NOMINAL.into_iter().filter_map(kept).collect(),
        }
    }
}

fn day(outcome: &Outcome) -> u32 {
    outcome.start_minute / DAY_MINUTES
}

/// Where the days of agents ended up.
fn calibrate<'o>(outcomes: impl Iterator<Item = &'o Outcome>) -> Calibration {
    #[derive(Default)]
    struct OfAgent {
        episodes: u64,
        highest: BTreeMap<u32, Score>,
    }
    let mut agents: BTreeMap<&AgentId, OfAgent> = BTreeMap::new();
    for outcome in outcomes {
        let OfAgent { episodes, highest } = agents.entry(&outcome.agent).or_default();
        *episodes += 1;
        let highest = highest.entry(day(outcome)).or_default();
        *highest = (*highest).max(outcome.highest);
    }
    let mut calibration = Calibration::default();
    for (agent, OfAgent { episodes, highest }) in agents {
        let ends = highest.first_key_value().zip(highest.last_key_value());
        let days = ends.map_or(0, |((first, _), (last, _))| last - first + 1);
        let scores = highest.into_values().map(|score| (score, 1));
        calibration.add(&agent.untrusted(), days, episodes, scores);
    }
    calibration
}

/// A rate, per agent-month, with the bounds that hold it in 95 of 100 cases: those of a Poisson count
/// (Garwood; by the approximation of Wilson and Hilferty, PNAS 17, 1931).
pub fn rate_with_bounds(count: u64, agent_months: f64) -> (f64, f64, f64) {
    let months = agent_months.max(1.0 / MONTH_DAYS);
    let bound = |count: f64, z: f64| {
        let root = 1.0 - 1.0 / (9.0 * count) + z / (3.0 * count.sqrt());
        count * root * root * root
    };
    let count = count as f64;
    const TWO_SIDED: f64 = 1.959_963_985;
    let low = if count > 0.0 { bound(count, -TWO_SIDED).max(0.0) } else { 0.0 };
    (count / months, low / months, bound(count + 1.0, TWO_SIDED) / months)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(day: u32, agent: &str, hundredths: u16) -> Outcome {
        Outcome {
            start_minute: day * DAY_MINUTES + 5,
            agent: AgentId::of(agent).unwrap(),
            class: None,
            highest: Score::from_hundredths(hundredths).unwrap(),
            verdict: Verdict::Normal,
        }
    }

    #[test]
    fn what_lines_are_drawn_on_is_not_held_against_them() {
        // A fence a month: the odd one of the first half is where the line is.
        let mut outcomes = Vec::new();
        for day in 0..60 {
            for agent in ["a", "b"] {
                let odd =
                    if agent == "a" && (day == 7 || day == 45) { 300 + day as u16 } else { 0 };
                outcomes.push(outcome(day, agent, odd));
            }
        }
        let backtest = Backtest::of(&outcomes, &Budgets::default());
        let HeldOut { from_day, agent_days, agent_months, tiers, .. } = &backtest.held_out;
        assert_eq!((*from_day, *agent_days, *agent_months), (30, 60, 2.0));
        let fence = tiers.iter().find(|tier| tier.verdict == Verdict::Fence).unwrap();
        assert_eq!((fence.line.map(Score::hundredths), fence.passed), (Some(308), 1));
        let kill = tiers.iter().find(|tier| tier.verdict == Verdict::Kill).unwrap();
        assert_eq!((kill.line, kill.passed), (None, 0));
        assert_eq!(backtest.calibration.agent_days(), 120);
        let mut backwards = outcomes.clone();
        backwards.reverse();
        let again = Backtest::of(&backwards, &Budgets::default());
        assert_eq!(again.calibration, backtest.calibration);
        assert_eq!(Backtest::of(&[], &Budgets::default()).calibration, Calibration::default());
    }

    #[test]
    fn the_bounds_are_the_tables() {
        // Garwood's exact 95 % bounds: 0: (0, 3.689); 3: (0.619, 8.767); 10: (4.795, 18.39).
        for (count, low, high) in [(0, 0.0, 3.689), (3, 0.619, 8.767), (10, 4.795, 18.39)] {
            let (rate, lower, upper) = rate_with_bounds(count, 1.0);
            assert_eq!(rate, count as f64);
            assert!((lower - low).abs() < 0.03 && (upper - high).abs() < 0.05, "{lower} {upper}");
        }
    }
}
