//! Scored episodes as columns, and what is asked of their days: a lazy query each.

use std::collections::BTreeMap;
use std::rc::Rc;

use polars::prelude::{
    Column, DataFrame, DataType, Expr, IntoLazy, LazyFrame, NULL, PolarsError, QuantileMethod,
    SortMultipleOptions, col, len, lit, when,
};
use thiserror::Error;
use tripline_attribution::AgentId;
use tripline_detector::{Calibration, Forecast, Lines, Score, Verdict};
use tripline_engine::{AgentDays, HEIGHT, Outcome, Stopped, TIERS};
use tripline_text::Untrusted;

/// A query that failed. It was given columns of the right names and types, so this is a bug, or memory
/// ran out.
#[derive(Debug, Error)]
#[error("a question about episodes failed: {0}")]
pub struct AnalyticsError(#[from] PolarsError);

pub(super) type Result<T> = std::result::Result<T, AnalyticsError>;

const DAY_MINUTES: u32 = 24 * 60;

/// The share of an agent's days that are usual.
const USUAL: f64 = 0.99;

/// Agents in order of their names. Columns hold an agent's place here, which sorts like the name: texts
/// from records never reach a query, and many episodes take little memory.
type Names<'o> = Rc<[&'o AgentId]>;

/// What the episodes of a history came to, step by step: the days of their agents, and as much memory as
/// those take, however many episodes there were.
#[derive(Debug, Default)]
pub struct History {
    /// The number of each agent, in the order in which they came.
    numbers: BTreeMap<AgentId, i64>,
    /// `agent` by its number, `day` counted from 1970, the highest `score` in hundredths, the highest
    /// `counted` (what counts for a kill) and `killing` (the same while the agent could be killed), the
    /// strongest `verdict` (0 for none to 3 for a kill), and how many `episodes`.
    days: Option<DataFrame>,
    /// What the evidence of episodes asked for.
    pub(super) asked: BTreeMap<Verdict, u64>,
    pub(super) steps: Vec<StepOf>,
}

/// A step of a history.
#[derive(Debug)]
pub(super) struct StepOf {
    /// Its first day.
    pub(super) from_day: u32,
    /// What the model that judged it expects.
    pub(super) forecast: Option<Forecast>,
}

/// Days on which an agent worked: `agent` by its place, and the rest as in [`History`].
pub(super) struct Days<'o> {
    names: Names<'o>,
    table: LazyFrame,
}

impl History {
    /// That of episodes in any order, in steps of so many days, counted from the first of them, all judged
    /// by a model that expects this.
    ///
    /// # Errors
    /// When a query fails.
    pub fn in_steps(
        outcomes: &[Outcome],
        every_days: u32,
        forecast: Option<&Forecast>,
    ) -> Result<Self> {
        let day = |outcome: &Outcome| outcome.start_minute / DAY_MINUTES;
        let first = outcomes.iter().map(day).min().unwrap_or_default();
        let mut steps: BTreeMap<u32, Vec<&Outcome>> = BTreeMap::new();
        for outcome in outcomes {
            let after = (day(outcome) - first) % every_days.max(1);
            steps.entry(day(outcome) - after).or_default().push(outcome);
        }
        let mut history = Self::default();
        for (from_day, outcomes) in steps {
            history.add(from_day, outcomes, forecast.cloned())?;
        }
        Ok(history)
    }

    /// Adds the episodes of a step that began with this day, counted from 1970, and was judged by a model
    /// that expects this; after those of all before.
    ///
    /// # Errors
    /// When a query fails.
    pub fn add<'o>(
        &mut self,
        from_day: u32,
        outcomes: impl IntoIterator<Item = &'o Outcome>,
        forecast: Option<Forecast>,
    ) -> Result<()> {
        self.steps.push(StepOf { from_day, forecast });
        let mut columns: [Vec<i64>; 6] = Default::default();
        let [agents, days, scores, counted, killings, verdicts] = &mut columns;
        for outcome in outcomes {
            let next = self.numbers.len() as i64;
            let number = match self.numbers.get(&outcome.agent) {
                Some(number) => *number,
                None => *self.numbers.entry(outcome.agent.clone()).or_insert(next),
            };
            agents.push(number);
            days.push(i64::from(outcome.start_minute / DAY_MINUTES));
            scores.push(i64::from(outcome.highest.hundredths()));
            counted.push(i64::from(outcome.counted.hundredths()));
            killings.push(i64::from(outcome.killing.hundredths()));
            verdicts.push(outcome.verdict as i64);
        }
        let episodes = agents.len();
        if episodes == 0 {
            return Ok(());
        }
        let names = ["agent", "day", "score", "counted", "killing", "verdict"];
        let columns = names.into_iter().zip(columns);
        let columns = columns.map(|(name, values)| Column::new(name.into(), values)).collect();
        let table = DataFrame::new(episodes, columns)?.lazy();

        let asked = table.clone().group_by([col("verdict")]);
        let asked = asked.agg([whole(len()).alias("episodes")]).collect()?;
        let found = counts(&asked, "verdict")?.into_iter().map(verdict_of);
        for (verdict, episodes) in found.zip(counts(&asked, "episodes")?) {
            *self.asked.entry(verdict).or_default() += episodes;
        }
        let days = table.group_by([col("agent"), col("day")]);
        let days = days.agg(of_day(whole(len()).alias("episodes"))).collect()?;
        match &mut self.days {
            Some(before) => drop(before.vstack_mut(&days)?),
            none => *none = Some(days),
        }
        Ok(())
    }

    /// Whether there was no episode.
    pub fn is_empty(&self) -> bool {
        self.days.is_none()
    }

    /// What lines are drawn from: all days so far.
    ///
    /// # Errors
    /// When a query fails.
    pub fn calibration(&self) -> Result<Calibration> {
        let days = self.days()?;
        days.map_or_else(|| Ok(Calibration::default()), |days| self.calibration_of(&days))
    }

    /// The same of what [`History::days`] gave.
    pub(super) fn calibration_of(&self, days: &Days<'_>) -> Result<Calibration> {
        let last = self.steps.last().and_then(|step| step.forecast.clone());
        Ok(days.calibration()?.with_forecast(last))
    }

    /// The days, if there are any.
    pub(super) fn days(&self) -> Result<Option<Days<'_>>> {
        let Some(days) = &self.days else { return Ok(None) };
        let names: Names<'_> = self.numbers.keys().collect();
        let mut places = vec![0_i64; names.len()];
        for (place, number) in (0..).zip(self.numbers.values()) {
            if let Some(slot) = usize::try_from(*number).ok().and_then(|it| places.get_mut(it)) {
                *slot = place;
            }
        }
        let place = |number: u64| usize::try_from(number).ok().and_then(|it| places.get(it));
        // INVARIANT: all of them were numbered.
        let agents = counts(days, "agent")?.into_iter();
        let agents: Vec<i64> = agents.map(|it| place(it).copied().unwrap_or_default()).collect();
        let mut table = days.clone();
        table.with_column(Column::new("agent".into(), agents))?;
        // Days do not lie in two steps, unless somebody tells them so.
        let table = table.lazy().group_by([col("agent"), col("day")]);
        let table = table.agg(of_day(col("episodes").sum())).collect()?;
        Ok(Some(Days { names, table: table.lazy() }))
    }
}

/// What is told of a day.
fn of_day(episodes: Expr) -> [Expr; 5] {
    let highest = |name| col(name).max();
    [highest("score"), highest("counted"), highest("killing"), highest("verdict"), episodes]
}

impl<'o> Days<'o> {
    /// Those before a day, and the others. Of those `killing` is nothing where it does not go beyond what
    /// their agent reached before: what it did itself, it is not killed for, nor without a history.
    pub(super) fn split(&self, day: u32) -> Result<(Self, Self)> {
        let is_before = || col("day").lt(lit(i64::from(day)));
        let of = |table: LazyFrame, is_in: Expr| Self {
            names: Rc::clone(&self.names),
            table: table.filter(is_in),
        };
        let own = when(is_before()).then(col("counted")).otherwise(lit(NULL));
        let own = own.max().over([col("agent")])?;
        let is_more = col("killing").gt(own).fill_null(lit(false));
        let killing = when(is_more).then(col("killing")).otherwise(lit(NOTHING));
        let after = self.table.clone().with_column(killing.alias("killing"));
        Ok((of(self.table.clone(), is_before()), of(after, is_before().not())))
    }

    /// Those from a day on.
    pub(super) fn from(&self, day: u32) -> Self {
        let table = self.table.clone().filter(col("day").gt_eq(lit(i64::from(day))));
        Self { names: Rc::clone(&self.names), table }
    }

    /// Those before a day.
    pub(super) fn until(&self, day: u32) -> Self {
        let table = self.table.clone().filter(col("day").lt(lit(i64::from(day))));
        Self { names: Rc::clone(&self.names), table }
    }

    /// How many.
    pub(super) fn count(&self) -> Result<u64> {
        let count = self.table.clone().select([whole(len()).alias("days")]).collect()?;
        one(&count, "days")
    }

    /// How many have a kill among their verdicts.
    pub(super) fn killed(&self) -> Result<u64> {
        let is_kill = col("verdict").eq(lit(Verdict::Kill as i64));
        let count = self.table.clone().select([whole(is_kill.sum()).alias("days")]).collect()?;
        one(&count, "days")
    }

    /// The last day; nothing of no days.
    pub(super) fn last(&self) -> Result<Option<u32>> {
        let last = self.table.clone().select([col("day").max()]).collect()?;
        let last = last.column("day")?.i64()?.get(0);
        Ok(last.and_then(|day| u32::try_from(day).ok()))
    }

    /// Each agent, the one that came highest first, then by name.
    pub(super) fn agents(&self) -> Result<Vec<AgentDays>> {
        let usual = col("score").quantile(lit(USUAL), QuantileMethod::Higher);
        let of_agent = [
            whole(len()).alias("at work"),
            (col("day").max() - col("day").min() + lit(1_i64)).alias("days"),
            col("episodes").sum(),
            whole(usual).alias("usual"),
            col("score").max().alias("highest"),
            col("counted").max(),
        ];
        let table = self.table.clone().group_by([col("agent")]).agg(of_agent);
        let table = table.sort(["highest", "agent"], descending([true, false])).collect()?;
        let (at_work, days) = (counts(&table, "at work")?, counts(&table, "days")?);
        let (usual, highest) = (scores(&table, "usual")?, scores(&table, "highest")?);
        let rows = self.agents_in(&table)?.into_iter().zip(counts(&table, "episodes")?);
        let highest = highest.into_iter().zip(scores(&table, "counted")?);
        let rows = rows.zip(at_work.into_iter().zip(days)).zip(usual.into_iter().zip(highest));
        Ok(rows
            .map(|(((agent, episodes), (at_work, days)), (usual, (highest, counted)))| AgentDays {
                agent,
                at_work,
                days,
                episodes,
                usual,
                highest,
                counted,
            })
            .collect())
    }

    /// What lines are drawn from.
    pub(super) fn calibration(&self) -> Result<Calibration> {
        let mut calibration = Calibration::default();
        for AgentDays { agent, days, episodes, .. } in self.agents()? {
            calibration.add(&agent, u32::try_from(days).unwrap_or(u32::MAX), episodes, []);
        }
        let by_score = self.table.clone().group_by([col("agent"), col("score")]);
        let by_score = by_score.agg([whole(len()).alias("days")]).collect()?;
        let rows = self.agents_in(&by_score)?.into_iter().zip(scores(&by_score, "score")?);
        for ((agent, score), days) in rows.zip(counts(&by_score, "days")?) {
            calibration.add(&agent, 0, 0, [(score, days)]);
        }
        let by_counted = self.table.clone().group_by([col("agent"), col("counted")]);
        let by_counted = by_counted.agg([whole(len()).alias("days")]).collect()?;
        let rows = self.agents_in(&by_counted)?.into_iter().zip(scores(&by_counted, "counted")?);
        for ((agent, counted), days) in rows.zip(counts(&by_counted, "days")?) {
            calibration.add_killing(&agent, [(counted, days)]);
        }
        Ok(calibration)
    }

    /// Of each share the score that no fewer days are at or below; nothing of no days.
    pub(super) fn quantiles(&self, shares: &[f64]) -> Result<Vec<(f64, Score)>> {
        let quantile = |(nth, share): (usize, &f64)| {
            let of = col("score").quantile(lit(*share), QuantileMethod::Higher);
            whole(of).alias(format!("{nth}"))
        };
        let asked: Vec<Expr> = shares.iter().enumerate().map(quantile).collect();
        let table = self.table.clone().select(asked).collect()?;
        let mut quantiles = Vec::new();
        for (nth, share) in shares.iter().enumerate() {
            let score = table.column(&format!("{nth}"))?.i64()?.get(0);
            quantiles.extend(score.map(|score| (*share, score_of(score))));
        }
        Ok(quantiles)
    }

    /// How many days ended up at each height.
    pub(super) fn heights(&self) -> Result<BTreeMap<Score, u64>> {
        // A floor division would take another feature of polars.
        let height = col("score") - col("score") % lit(i64::from(HEIGHT));
        let table = self.table.clone().group_by([height.alias("height")]);
        let table = table.agg([whole(len()).alias("days")]).collect()?;
        Ok(scores(&table, "height")?.into_iter().zip(counts(&table, "days")?).collect())
    }

    /// How many days passed each of these lines, and had what else its verdict takes; none passes one
    /// that is not there.
    pub(super) fn passed(&self, lines: &[(Verdict, Option<Score>)]) -> Result<Vec<u64>> {
        let hits = lines.iter().enumerate();
        let hits = hits.map(|(nth, (verdict, line))| {
            whole(reaches(*verdict, *line).sum()).alias(format!("{nth}"))
        });
        let table = self.table.clone().select(hits.collect::<Vec<_>>()).collect()?;
        (0..lines.len()).map(|nth| one(&table, &format!("{nth}"))).collect()
    }

    /// Those that would have been stopped, the highest first, at most so many; kills before fences.
    pub(super) fn stopped(&self, lines: &Lines, most: u32) -> Result<Vec<Stopped>> {
        let is = |verdict| reaches(verdict, lines.of(verdict));
        let is_stopped = is(Verdict::Fence).or(is(Verdict::Kill));
        let order = descending([true, true, false, false]);
        let table = self.table.clone().filter(is_stopped);
        let table = table.with_column(is(Verdict::Kill).alias("is kill"));
        let by = ["is kill", "score", "day", "agent"];
        let table = table.sort(by, order).limit(most).collect()?;
        let rows = self.agents_in(&table)?.into_iter().zip(counts(&table, "day")?);
        let kill = lines.of(Verdict::Kill).map_or(i64::MAX, |line| i64::from(line.hundredths()));
        let killing = table.column("killing")?.i64()?.iter();
        let verdicts = killing.map(|killing| match killing.is_some_and(|score| score >= kill) {
            true => Verdict::Kill,
            false => Verdict::Fence,
        });
        Ok(rows
            .zip(scores(&table, "score")?.into_iter().zip(verdicts))
            .map(|((agent, day), (highest, verdict))| Stopped {
                day: u32::try_from(day).unwrap_or(u32::MAX),
                agent,
                verdict,
                highest,
            })
            .collect())
    }

    /// The names of the agents of a table.
    fn agents_in(&self, table: &DataFrame) -> Result<Vec<Untrusted<'static>>> {
        let places = counts(table, "agent")?.into_iter();
        // INVARIANT: the places were made from the names.
        let names = places.filter_map(|place| self.names.get(usize::try_from(place).ok()?));
        Ok(names.map(|name| name.untrusted().into_owned()).collect())
    }
}

/// Below every score.
const NOTHING: i64 = -1;

/// No score reaches a line that is not there.
fn reaches(verdict: Verdict, line: Option<Score>) -> Expr {
    let score = if verdict == Verdict::Kill { "killing" } else { "score" };
    let line = line.map_or(i64::MAX, |line| i64::from(line.hundredths()));
    col(score).gt_eq(lit(line))
}

fn descending<const COLUMNS: usize>(which: [bool; COLUMNS]) -> SortMultipleOptions {
    SortMultipleOptions::default().with_order_descending_multi(which)
}

/// A count in a type that does not depend on how polars was built.
fn whole(count: Expr) -> Expr {
    count.cast(DataType::Int64)
}

fn counts(table: &DataFrame, name: &str) -> Result<Vec<u64>> {
    let counts = table.column(name)?.i64()?.iter();
    Ok(counts.map(|count| count.map_or(0, |count| count.max(0).cast_unsigned())).collect())
}

fn one(table: &DataFrame, name: &str) -> Result<u64> {
    Ok(counts(table, name)?.first().copied().unwrap_or(0))
}

fn scores(table: &DataFrame, name: &str) -> Result<Vec<Score>> {
    let scores = table.column(name)?.i64()?.iter();
    Ok(scores.map(|score| score.map(score_of).unwrap_or_default()).collect())
}

fn score_of(hundredths: i64) -> Score {
    // INVARIANT: it came from a score.
    u16::try_from(hundredths).ok().and_then(Score::from_hundredths).unwrap_or_default()
}

fn verdict_of(number: u64) -> Verdict {
    TIERS.into_iter().find(|verdict| *verdict as u64 == number).unwrap_or_default()
}
