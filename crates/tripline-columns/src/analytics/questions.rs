//! What a backtest asks.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use tripline_detector::{Budgets, Calibration, Lines, MONTH_DAYS, Score, Verdict};
use tripline_engine::{
    Backtest, HeldOut, Rate, Recent, Reliability, ReplayStep, Stopped, TIERS, Trial,
};

use super::bounds::clopper_pearson;
use super::episodes::{Days, History, Result, StepOf};

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

impl History {
    /// What lines would have done.
    ///
    /// # Errors
    /// When a query fails.
    pub fn backtest(&self, budgets: &Budgets) -> Result<Backtest> {
        let Some(days) = self.days()? else { return Ok(of_nothing(budgets)) };
        let calibration = self.calibration_of(&days)?;
        Ok(Backtest {
            lines: Lines::draw(&calibration, budgets),
            agents: days.agents()?,
            quantiles: days.quantiles(&QUANTILES)?,
            heights: days.heights()?,
            asked: self.asked.clone(),
            held_out: held_out(&days, &self.steps, &calibration, budgets)?,
            calibration,
        })
    }
}

fn of_nothing(budgets: &Budgets) -> Backtest {
    let recent =
        Recent { from_day: 0, days: 0, passed: BTreeMap::new(), killed: 0, stopped: Vec::new() };
    Backtest {
        calibration: Calibration::default(),
        lines: Lines::draw(&Calibration::default(), budgets),
        agents: Vec::new(),
        quantiles: Vec::new(),
        heights: BTreeMap::new(),
        asked: BTreeMap::new(),
        held_out: HeldOut {
            from_day: 0,
            agent_days: 0,
            agent_months: 0.0,
            steps: Vec::new(),
            tiers: Vec::new(),
            others: Vec::new(),
            reliability: Vec::new(),
            recent,
        },
    }
}

fn held_out(
    days: &Days<'_>,
    steps: &[StepOf],
    all: &Calibration,
    budgets: &Budgets,
) -> Result<HeldOut> {
    let last = days.last()?.unwrap_or_default();
    let mut recent = RecentSteps::of(last);
    let questions = Question::all(budgets);
    let mut answers = vec![Answer::default(); questions.len()];
    let mut told = Vec::new();
    let ends = steps.iter().skip(1).map(|step| step.from_day).chain([u32::MAX]);
    for (StepOf { from_day, forecast }, end) in steps.iter().zip(ends) {
        let from_day = *from_day;
        // Here, and nowhere else, a line meets the days that it is held against.
        let (before, after) = days.split(from_day)?;
        let drawn = before.calibration()?.with_forecast(forecast.clone());
        let own = after.until(end);
        let agent_days = own.count()?;
        if agent_days == 0 {
            continue;
        }
        let lines: Vec<(Verdict, Option<Score>)> =
            questions.iter().map(|asked| (asked.verdict, asked.line(&drawn))).collect();
        let passed = own.passed(&lines)?;
        for (answer, (line, passed)) in answers.iter_mut().zip(lines.iter().zip(&passed)) {
            answer.add(from_day, line.1, *passed);
        }
        let lines = Lines::draw(&drawn, budgets);
        recent.add(&own, end, &lines)?;
        told.push(ReplayStep {
            from_day,
            drawn_from: drawn.agent_days(),
            agent_days,
            lines,
            // The tiers are asked for first.
            passed: each_once(&passed),
            killed: own.killed()?,
        });
    }
    let from_day = told.iter().find(|step| step.drawn_from > 0).map(|step| step.from_day);
    let from_day = from_day.unwrap_or(last + 1);
    let mut extents = Extents { days, last, known: BTreeMap::new() };
    let (agent_days, agent_months) = extents.from(from_day)?;
    let (mut tiers, mut others, mut reliability) = (Vec::new(), Vec::new(), Vec::new());
    for (asked, answer) in questions.iter().zip(answers) {
        match asked.of {
            Of::Tier => tiers.push((asked.verdict, extents.trial(asked, &answer, all)?)),
            Of::Other => others.push(extents.trial(asked, &answer, all)?),
            Of::Share => reliability.extend(extents.reliability(asked, &answer)?),
        }
    }
    let recent = recent.finish(from_day);
    Ok(HeldOut {
        from_day,
        agent_days,
        agent_months,
        steps: told,
        tiers,
        others,
        reliability,
        recent,
    })
}

/// How many reached each tier's line, the strongest first, and none of a stronger one: whoever reaches a line
/// reaches all below it.
fn each_once(reached: &[u64]) -> BTreeMap<Verdict, u64> {
    let mut stronger = 0;
    let mut passed = BTreeMap::new();
    for (tier, reached) in TIERS.into_iter().zip(reached) {
        passed.insert(tier, reached.saturating_sub(stronger));
        stronger = stronger.max(*reached);
    }
    passed
}

/// A line that is asked for in each step.
struct Question {
    of: Of,
    /// What it leads to.
    verdict: Verdict,
    /// What it is drawn for: a budget, or a share of days.
    nominal: f64,
    budgets: Budgets,
}

enum Of {
    Tier,
    Other,
    Share,
}

impl Question {
    /// Those of the tiers first, the strongest of them first.
    fn all(budgets: &Budgets) -> Vec<Self> {
        let tier = |verdict: Verdict| {
            let nominal = budgets.of(verdict).unwrap_or_default();
            Self { of: Of::Tier, verdict, nominal, budgets: *budgets }
        };
        // Of one budget for everything, every line is the one of that budget.
        let other = |nominal: f64| {
            let budgets = Budgets::new(nominal, nominal, nominal)?;
            Some(Self { of: Of::Other, verdict: Verdict::Alert, nominal, budgets })
        };
        let share =
            |nominal| Self { of: Of::Share, verdict: Verdict::Alert, nominal, budgets: *budgets };
        let tiers = TIERS.map(tier).into_iter();
        tiers.chain(OTHERS.into_iter().filter_map(other)).chain(NOMINAL.map(share)).collect()
    }

    fn line(&self, drawn: &Calibration) -> Option<Score> {
        match self.of {
            Of::Tier | Of::Other => Lines::draw(drawn, &self.budgets).of(self.verdict),
            Of::Share => drawn.line(self.nominal),
        }
    }
}

/// What came of a question, over the steps.
#[derive(Clone, Debug, Default)]
struct Answer {
    /// The first day of the first step that had a line, as have all after it.
    from_day: Option<u32>,
    line: Option<Score>,
    passed: u64,
}

impl Answer {
    fn add(&mut self, from_day: u32, line: Option<Score>, passed: u64) {
        self.line = line;
        if line.is_none() {
            *self = Self::default();
            return;
        }
        self.from_day.get_or_insert(from_day);
        self.passed += passed;
    }
}

/// How many days there are from a day on, and agent-months.
struct Extents<'d, 'o> {
    days: &'d Days<'o>,
    last: u32,
    known: BTreeMap<u32, (u64, f64)>,
}

impl Extents<'_, '_> {
    fn from(&mut self, day: u32) -> Result<(u64, f64)> {
        if let Some(known) = self.known.get(&day) {
            return Ok(*known);
        }
        let came = self.days.from(day).calibration()?;
        let extent = (came.agent_days(), came.agent_months());
        self.known.insert(day, extent);
        Ok(extent)
    }

    fn trial(&mut self, asked: &Question, answer: &Answer, all: &Calibration) -> Result<Trial> {
        let from_day = answer.from_day.unwrap_or(self.last + 1);
        let (agent_days, agent_months) = self.from(from_day)?;
        // Days at work come as they come: the bounds of their share are bounds of the rate, at this
        // density.
        let Rate { seen, low, high } = clopper_pearson(answer.passed, agent_days);
        let density = agent_days as f64 / agent_months.max(1.0 / MONTH_DAYS);
        Ok(Trial {
            budget: asked.nominal,
            armed: asked.line(all),
            line: answer.line,
            from_day,
            agent_days,
            agent_months,
            passed: answer.passed,
            per_agent_month: Rate {
                seen: seen * density,
                low: low * density,
                high: high * density,
            },
        })
    }

    fn reliability(&mut self, asked: &Question, answer: &Answer) -> Result<Option<Reliability>> {
        let Some(from_day) = answer.from_day else { return Ok(None) };
        let (agent_days, _) = self.from(from_day)?;
        Ok(Some(Reliability {
            nominal: asked.nominal,
            agent_days,
            passed: answer.passed,
            realised: clopper_pearson(answer.passed, agent_days),
        }))
    }
}

/// What lines would have done in the last days.
struct RecentSteps {
    from_day: u32,
    last: u32,
    passed: BTreeMap<Verdict, u64>,
    killed: u64,
    stopped: Vec<Stopped>,
}

impl RecentSteps {
    fn of(last: u32) -> Self {
        let from_day = (last + 1).saturating_sub(RECENT_DAYS);
        let passed = TIERS.map(|tier| (tier, 0)).into();
        Self { from_day, last, passed, killed: 0, stopped: Vec::new() }
    }

    /// Adds the days of a step, which ends with this day.
    fn add(&mut self, own: &Days<'_>, end: u32, lines: &Lines) -> Result<()> {
        if end <= self.from_day {
            return Ok(());
        }
        let recent = own.from(self.from_day);
        let reached = recent.passed(&TIERS.map(|tier| (tier, lines.of(tier))))?;
        for (tier, passed) in each_once(&reached) {
            *self.passed.entry(tier).or_default() += passed;
        }
        self.killed += recent.killed()?;
        self.stopped.extend(recent.stopped(lines, STOPPED_MAX)?);
        Ok(())
    }

    /// Before that day nothing was held against a line.
    fn finish(self, first: u32) -> Recent {
        let Self { from_day, last, passed, killed, mut stopped } = self;
        let order =
            |it: &Stopped| (Reverse(it.verdict), Reverse(it.highest), it.day, it.agent.clone());
        stopped.sort_by_cached_key(order);
        stopped.truncate(STOPPED_MAX as usize);
        let from_day = from_day.max(first);
        Recent { from_day, days: (last + 1).saturating_sub(from_day), passed, killed, stopped }
    }
}

#[cfg(test)]
mod tests;
