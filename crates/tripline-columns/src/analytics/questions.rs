//! What a backtest asks.

use std::collections::BTreeMap;

use tripline_detector::{Budgets, Calibration, Lines, MONTH_DAYS, Score, Verdict};
use tripline_engine::{Backtest, HeldOut, Outcome, Rate, Recent, Reliability, TIERS, Trial};

use super::bounds::clopper_pearson;
use super::episodes::{Days, Episodes, Result};

/// The shares of which it is asked whether they are kept.
const NOMINAL: [f64; 4] = [1e-1, 1e-2, 1e-3, 1e-4];
/// The shares of days that are told where they end.
const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
/// Other budgets, in false actions per agent-month.
const OTHERS: [f64; 5] = [0.02, 0.1, 0.5, 1.0, 5.0];
/// Days of what is called recent.
const RECENT_DAYS: u32 = 30;
/// So many of the recent days that would have been stopped are named.
const STOPPED_MAX: u32 = 20;

/// What lines would have done, over the outcomes of a history, in any order.
///
/// # Errors
/// When a query fails.
pub fn backtest(outcomes: &[Outcome], budgets: &Budgets) -> Result<Backtest> {
    let episodes = Episodes::of(outcomes)?;
    let days = episodes.days()?;
    let calibration = days.calibration()?;
    Ok(Backtest {
        lines: Lines::draw(&calibration, budgets),
        agents: days.agents()?,
        quantiles: days.quantiles(&QUANTILES)?,
        heights: days.heights()?,
        asked: episodes.verdicts()?,
        held_out: held_out(&days, &calibration, budgets)?,
        calibration,
    })
}

fn held_out(days: &Days<'_>, all: &Calibration, budgets: &Budgets) -> Result<HeldOut> {
    // By days: whatever happens on one day hangs together.
    let (first, last) = days.span()?.unwrap_or_default();
    let from_day = first + (last - first).div_ceil(2);
    let (before, after) = days.split(from_day)?;
    let drawn = before.calibration()?;
    let came = after.calibration()?;
    let judged = Judged { agent_days: came.agent_days(), agent_months: came.agent_months(), after };
    let drawn_for = |verdict, budgets: &Budgets| Drawn {
        verdict,
        nominal: budgets.of(verdict).unwrap_or_default(),
        armed: Lines::draw(all, budgets).of(verdict),
        line: Lines::draw(&drawn, budgets).of(verdict),
    };
    // Of one budget for everything, every line is the one of that budget.
    let same = |budget: f64| Budgets::new(budget, budget, budget);
    let others = OTHERS.into_iter().filter_map(same);
    let others: Vec<Drawn> = others.map(|other| drawn_for(Verdict::Alert, &other)).collect();
    let tiers = judged.trials(&TIERS.map(|tier| drawn_for(tier, budgets)))?;
    let verdict = Verdict::Alert;
    let kept =
        |nominal| Drawn { verdict, nominal, armed: all.line(nominal), line: drawn.line(nominal) };
    let kept: Vec<Drawn> =
        NOMINAL.into_iter().map(kept).filter(|kept| kept.line.is_some()).collect();
    Ok(HeldOut {
        from_day,
        tiers: TIERS.into_iter().zip(tiers).collect(),
        others: judged.trials(&others)?,
        reliability: judged.reliability(&kept)?,
        recent: judged.recent(&Lines::draw(&drawn, budgets), (from_day, last))?,
        agent_days: judged.agent_days,
        agent_months: judged.agent_months,
    })
}

/// A line that is held against what came after it.
struct Drawn {
    /// What it leads to.
    verdict: Verdict,
    /// What it was drawn for: a budget, or a share of days.
    nominal: f64,
    armed: Option<Score>,
    line: Option<Score>,
}

/// The second half, that lines are held against.
struct Judged<'o> {
    after: Days<'o>,
    agent_days: u64,
    agent_months: f64,
}

impl Judged<'_> {
    fn passed(&self, lines: &[Drawn]) -> Result<Vec<u64>> {
        self.after.passed(&lines.iter().map(|it| (it.verdict, it.line)).collect::<Vec<_>>())
    }

    /// What budgets come to, with their lines.
    fn trials(&self, budgets: &[Drawn]) -> Result<Vec<Trial>> {
        let passed = self.passed(budgets)?;
        let trial = |(drawn, passed): (&Drawn, u64)| Trial {
            budget: drawn.nominal,
            armed: drawn.armed,
            line: drawn.line,
            passed,
            per_agent_month: self.per_agent_month(passed),
        };
        Ok(budgets.iter().zip(passed).map(trial).collect())
    }

    /// Days at work come as they come: the bounds of their share are bounds of the rate, at this density.
    fn per_agent_month(&self, passed: u64) -> Rate {
        let Rate { seen, low, high } = clopper_pearson(passed, self.agent_days);
        let density = self.agent_days as f64 / self.agent_months.max(1.0 / MONTH_DAYS);
        Rate { seen: seen * density, low: low * density, high: high * density }
    }

    fn reliability(&self, shares: &[Drawn]) -> Result<Vec<Reliability>> {
        let passed = self.passed(shares)?;
        let kept = |(drawn, passed): (&Drawn, u64)| Reliability {
            nominal: drawn.nominal,
            passed,
            realised: clopper_pearson(passed, self.agent_days),
        };
        Ok(shares.iter().zip(passed).map(kept).collect())
    }

    /// What these lines would have done in the last days of these, first and last.
    fn recent(&self, lines: &Lines, (first, last): (u32, u32)) -> Result<Recent> {
        let from = first.max((last + 1).saturating_sub(RECENT_DAYS));
        let recent = self.after.from(from);
        let reached = recent.passed(&TIERS.map(|tier| (tier, lines.of(tier))))?;
        let mut stronger = 0;
        let mut passed = BTreeMap::new();
        for (tier, reached) in TIERS.into_iter().zip(reached) {
            // Whoever reaches a line reaches all below it.
            passed.insert(tier, reached.saturating_sub(stronger));
            stronger = stronger.max(reached);
        }
        let stopped = recent.stopped(lines, STOPPED_MAX)?;
        Ok(Recent { days: last + 1 - from, passed, stopped })
    }
}

#[cfg(test)]
mod tests;
