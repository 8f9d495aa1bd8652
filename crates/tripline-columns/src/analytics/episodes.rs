//! Scored episodes as columns, and what is asked of them: a lazy query each.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use polars::prelude::{
    Column, DataFrame, DataType, Expr, IntoLazy, LazyFrame, NULL, PolarsError, QuantileMethod,
    SortMultipleOptions, col, len, lit, when,
};
use thiserror::Error;
use tripline_attribution::AgentId;
use tripline_detector::{Calibration, Lines, Score, Verdict};
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

/// Episodes: `agent`, `day` of the start, counted from 1970, `score` in hundredths, `killing` (the same
/// where there were kinds of evidence enough for a kill), and `verdict`, 0 for none to 3 for a kill.
pub(super) struct Episodes<'o> {
    names: Names<'o>,
    table: LazyFrame,
}

/// Days on which an agent worked: `agent`, `day`, the highest `score` and `killing`, and how many
/// `episodes`.
pub(super) struct Days<'o> {
    names: Names<'o>,
    table: LazyFrame,
}

impl<'o> Episodes<'o> {
    pub(super) fn of(outcomes: &'o [Outcome]) -> Result<Self> {
        let names: BTreeSet<&AgentId> = outcomes.iter().map(|outcome| &outcome.agent).collect();
        let names: Names<'_> = names.into_iter().collect();
        // INVARIANT: all of them are among the names.
        let place = |outcome: &Outcome| {
            let found = names.binary_search_by(|name| (*name).cmp(&outcome.agent));
            found.unwrap_or_default() as i64
        };
        let column = |name: &str, of: &dyn Fn(&Outcome) -> i64| {
            Column::new(name.into(), outcomes.iter().map(of).collect::<Vec<i64>>())
        };
        let columns = vec![
            column("agent", &place),
            column("day", &|outcome| i64::from(outcome.start_minute / DAY_MINUTES)),
            column("score", &|outcome| i64::from(outcome.highest.hundredths())),
            column("killing", &|outcome| i64::from(outcome.killing.hundredths())),
            column("verdict", &|outcome| outcome.verdict as i64),
        ];
        let table = DataFrame::new(outcomes.len(), columns)?.lazy();
        Ok(Self { names, table })
    }

    /// What the evidence asked for.
    pub(super) fn verdicts(&self) -> Result<BTreeMap<Verdict, u64>> {
        let table = self.table.clone().group_by([col("verdict")]);
        let table = table.agg([whole(len()).alias("episodes")]).collect()?;
        let verdicts = counts(&table, "verdict")?.into_iter().map(verdict_of);
        Ok(verdicts.zip(counts(&table, "episodes")?).collect())
    }

    /// The days that they fall on: worked out once, since all else is asked of them.
    pub(super) fn days(&self) -> Result<Days<'o>> {
        let of_day = [col("score").max(), col("killing").max(), whole(len()).alias("episodes")];
        let days = self.table.clone().group_by([col("agent"), col("day")]).agg(of_day);
        Ok(Days { names: Rc::clone(&self.names), table: days.collect()?.lazy() })
    }
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
        let own = when(is_before()).then(col("score")).otherwise(lit(NULL));
        let own = own.max().over([col("agent")])?;
        let is_more = col("killing").gt(own).fill_null(lit(false));
        let killing = when(is_more).then(col("killing")).otherwise(lit(NOTHING));
        let after = self.table.clone().with_column(killing.alias("killing"));
        Ok((of(self.table.clone(), is_before()), of(after, is_before().not())))
    }

    /// The last ones of some that are held against lines.
    pub(super) fn from(&self, day: u32) -> Self {
        let table = self.table.clone().filter(col("day").gt_eq(lit(i64::from(day))));
        Self { names: Rc::clone(&self.names), table }
    }

    /// The first day and the last; nothing of no days.
    pub(super) fn span(&self) -> Result<Option<(u32, u32)>> {
        let ends = [col("day").min().alias("first"), col("day").max().alias("last")];
        let ends = self.table.clone().select(ends).collect()?;
        let end = |name| -> Result<Option<u32>> {
            let day = ends.column(name)?.i64()?.get(0);
            Ok(day.and_then(|day| u32::try_from(day).ok()))
        };
        Ok(end("first")?.zip(end("last")?))
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
        ];
        let table = self.table.clone().group_by([col("agent")]).agg(of_agent);
        let table = table.sort(["highest", "agent"], descending([true, false])).collect()?;
        let (at_work, days) = (counts(&table, "at work")?, counts(&table, "days")?);
        let (usual, highest) = (scores(&table, "usual")?, scores(&table, "highest")?);
        let rows = self.agents_in(&table)?.into_iter().zip(counts(&table, "episodes")?);
        let rows = rows.zip(at_work.into_iter().zip(days)).zip(usual.into_iter().zip(highest));
        Ok(rows
            .map(|(((agent, episodes), (at_work, days)), (usual, highest))| AgentDays {
                agent,
                at_work,
                days,
                episodes,
                usual,
                highest,
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

    /// Those that would have been stopped, the highest first, at most so many.
    pub(super) fn stopped(&self, lines: &Lines, most: u32) -> Result<Vec<Stopped>> {
        let is = |verdict| reaches(verdict, lines.of(verdict));
        let is_stopped = is(Verdict::Fence).or(is(Verdict::Kill));
        let order = descending([true, false, false]);
        let table = self.table.clone().filter(is_stopped);
        let table = table.sort(["score", "day", "agent"], order).limit(most).collect()?;
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
