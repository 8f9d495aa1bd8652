//! What lines would have done: a history of agents' days in steps, each held against lines that are drawn on
//! the days before it. Whoever has the episodes as columns works it out (tripline-columns).

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
    /// How lines did that were drawn on what lay before.
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
    /// The highest of what counts for a kill.
    pub counted: Score,
}

/// The days of each step, held against lines drawn on the days of all steps before it: no day is held
/// against a line that it helped to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// The first day of the second step, as days since 1970: from there on days are held against lines.
    pub from_day: u32,
    /// Days from there on on which an agent worked, of all agents together.
    pub agent_days: u64,
    /// Months of thirty days from there on, from each agent's first day to its last.
    pub agent_months: f64,
    /// The steps in which an agent worked, in order of time.
    pub steps: Vec<ReplayStep>,
    /// Each verdict that budgets are set for, the strongest first.
    pub tiers: Vec<(Verdict, Trial)>,
    /// What other budgets would have done: each for a line of a fence or an alert.
    pub others: Vec<Trial>,
    /// Whether nominal shares are kept; only those that the steps before the last are long enough for.
    pub reliability: Vec<Reliability>,
    /// The last thirty days.
    pub recent: Recent,
}

/// A step of a history: days that are held against the lines of all days before them.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayStep {
    /// Its first day, as days since 1970.
    pub from_day: u32,
    /// Days before it on which an agent worked: what its lines were drawn from.
    pub drawn_from: u64,
    /// Days of its own on which an agent worked.
    pub agent_days: u64,
    /// The lines that it was held against.
    pub lines: Lines,
    /// How many of its days passed the line of each verdict, and none of a stronger one.
    pub passed: BTreeMap<Verdict, u64>,
    /// On how many of its days the evidence asked for a kill, when the days were judged, and nothing
    /// beside the line held it back.
    pub killed: u64,
}

/// How often one budget would have led to an action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// False actions accepted, per agent-month.
    pub budget: f64,
    /// The line that all of the history gives: what is armed; nothing where that is too short.
    pub armed: Option<Score>,
    /// The line of the last step, drawn on all before it; nothing where that is too short. Each step is
    /// held against its own.
    pub line: Option<Score>,
    /// The first day of the step from which on there was a line, as days since 1970; where there is none,
    /// the day after the last.
    pub from_day: u32,
    /// Days from there on on which an agent worked: what was held against lines.
    pub agent_days: u64,
    /// Months of thirty days from there on, from each agent's first day to its last.
    pub agent_months: f64,
    /// Days on which an agent came to the line of its step or above.
    pub passed: u64,
    /// The same, per agent-month.
    pub per_agent_month: Rate,
}

/// A nominal share of days, held against what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reliability {
    /// The share that was to pass the line.
    pub nominal: f64,
    /// The days that were held against a line for it.
    pub agent_days: u64,
    /// How many of these passed theirs.
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

/// Days of agents that the lines of their steps would have acted on.
#[derive(Clone, Debug, PartialEq)]
pub struct Recent {
    /// The first of these days, as days since 1970.
    pub from_day: u32,
    /// How many they are, thirty at most; none where there was no second step.
    pub days: u32,
    /// How many passed the line of each verdict, and none of a stronger one.
    pub passed: BTreeMap<Verdict, u64>,
    /// As of a step: kills that nothing held back.
    pub killed: u64,
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

/// How baselines were kept up to date while a history was replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relearned {
    /// Days of a step: so often they were learned anew.
    pub every_days: u32,
    /// How often they were.
    pub times: u32,
    /// Baselines that were put in force by that.
    pub promotions: u64,
    /// Values that waited for a person in the end: in a replay nobody approves.
    pub waiting: u64,
}
