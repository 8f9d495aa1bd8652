//! What lines would have done: a history of agents' days, the first half to draw them on, the second to
//! hold against them. Whoever has the episodes as columns works it out (tripline-columns).

use std::collections::BTreeMap;

use tripline_detector::{Calibration, Lines, Score, Verdict};
use tripline_text::Untrusted;

/// What the history of the agents that are known well says about lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Backtest {
    /// Where all days ended up: what lines are drawn from when they are armed.
    pub calibration: Calibration,
    /// The lines that all of it gives.
    pub lines: Lines,
    /// Each agent, the one that came closest to the lines first.
    pub agents: Vec<AgentDays>,
    /// Shares of all agents' days, and the score that no fewer of them are at or below.
    pub quantiles: Vec<(f64, Score)>,
    /// How many of all agents' days ended up at each height, [`HEIGHT`] apart: from this score to below
    /// the next one. Heights that no day came to are left out.
    pub heights: BTreeMap<Score, u64>,
    /// What the evidence of episodes asked for under the lines that were in force; rules are not counted.
    pub asked: BTreeMap<Verdict, u64>,
    /// How lines drawn on the first half did on the second.
    pub held_out: HeldOut,
}

/// How far apart heights are, in hundredths of a power of ten: half of one.
pub const HEIGHT: u16 = 50;

/// What the days of one agent came to.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentDays {
    /// Whose.
    pub agent: Untrusted<'static>,
    /// Days on which it worked.
    pub at_work: u64,
    /// From its first day to its last, both counted.
    pub days: u64,
    /// Episodes on them.
    pub episodes: u64,
    /// The score that 99 of 100 of its days are at or below.
    pub usual: Score,
    /// The highest of any.
    pub highest: Score,
}

/// Lines drawn on the first half of the history, held against the second: nothing that they were drawn
/// on is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// The first day of the second half, as days since 1970.
    pub from_day: u32,
    /// Days in the second half on which an agent worked, of all agents together.
    pub agent_days: u64,
    /// Months of thirty days in the second half, from each agent's first day to its last.
    pub agent_months: f64,
    /// Each verdict that budgets are set for, the strongest first.
    pub tiers: Vec<(Verdict, Trial)>,
    /// What other budgets would have done: each for a line of a fence or an alert.
    pub others: Vec<Trial>,
    /// Whether nominal shares are kept; only those that the first half is long enough for.
    pub reliability: Vec<Reliability>,
    /// The last thirty days of the second half.
    pub recent: Recent,
}

/// How often one budget would have led to an action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// False actions accepted, per agent-month.
    pub budget: f64,
    /// The line that all of the history gives: what is armed; nothing where that is too short.
    pub armed: Option<Score>,
    /// The line that the first half gives, the one that is held against the second; nothing where that
    /// is too short.
    pub line: Option<Score>,
    /// Days of the second half on which an agent came to the line or above.
    pub passed: u64,
    /// The same, per agent-month of thirty days.
    pub per_agent_month: Rate,
}

/// A nominal share of days, held against what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reliability {
    /// The share that was to pass the line.
    pub nominal: f64,
    /// How many of the second half's days did.
    pub passed: u64,
    /// The share that they are.
    pub realised: Rate,
}

/// What was seen, and the bounds that hold what it stands for in at least 95 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// As seen.
    pub seen: f64,
    /// From here, …
    pub low: f64,
    /// … to here.
    pub high: f64,
}

/// Days of agents that the lines of the first half would have acted on.
#[derive(Clone, Debug, PartialEq)]
pub struct Recent {
    /// Over so many days, thirty at most.
    pub days: u32,
    /// How many passed the line of each verdict, and none of a stronger one.
    pub passed: BTreeMap<Verdict, u64>,
    /// Those that passed the line of a fence, the highest scores first; some of them, if many.
    pub stopped: Vec<Stopped>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// The day, counted from 1970.
    pub day: u32,
    /// Whose.
    pub agent: Untrusted<'static>,
    /// The strongest verdict whose line it passed.
    pub verdict: Verdict,
    /// The highest score of that day.
    pub highest: Score,
}

/// The tiers that have budgets, the strongest first.
pub const TIERS: [Verdict; 3] = [Verdict::Kill, Verdict::Fence, Verdict::Alert];
