//! What lines would have done, for a person who is about to arm them, and for programs.

mod json;
mod picture;

use std::collections::BTreeMap;
use std::io::{self, Write};

use tripline_baseline::Maturity;
use tripline_cloudtrail::EventTime;
use tripline_detector::{Score, Verdict, months_needed};
use tripline_engine::{
    AgentDays, Backtest, HeldOut, Rate, Recent, Relearned, ReplayStep, Stopped, Trial,
};
use tripline_text::{Untrusted, escape};

use crate::table::Style;
use crate::wrap::write_wrapped;

pub use json::write_backtest_json;
pub(crate) use picture::{Height, heights};

/// A backtest, and whom it is about.
#[derive(Debug)]
pub struct Account<'a> {
    /// What came out.
    pub backtest: &'a Backtest,
    /// How well each agent is known.
    pub agents: BTreeMap<&'a Untrusted<'static>, Maturity>,
    /// Kills by rules, which need no line.
    pub kills_by_rule: usize,
    /// How the baselines were kept up to date; nothing where they stayed as they were.
    pub relearned: Option<Relearned>,
}

/// How many agents are listed.
const LISTED_MAX: usize = 20;

/// How many steps are, the last ones.
const STEPS_MAX: usize = 13;

/// What a line does not say of a kill.
pub(crate) fn kill_takes_more(account: &Account<'_>) -> String {
    let HeldOut { steps, tiers, .. } = &account.backtest.held_out;
    let mut said =
        "Of evidence only what a mode of attack explains counts for a kill, less where it is one piece, and \
                    it must be more than its agent reached in the steps before."
            .to_owned();
    let passed = tiers.iter().find(|(tier, _)| *tier == Verdict::Kill);
    let passed = passed.map_or(0, |(_, trial)| trial.passed);
    let held_back = passed.saturating_sub(steps.iter().map(|step| step.killed).sum());
    said += &match (account.relearned, passed) {
        (None, _) => " What would have held some of them back, such as an open kill of the same \
                      class, is left out."
            .to_owned(),
        (Some(_), 0) => String::new(),
        (Some(_), _) => format!(
            " On {held_back} of them an open kill of the same class, or lines that did not hold, would \
             have made a fence of it."
        ),
    };
    said
}

/// What stands above the lines.
pub(crate) const HELD_AGAINST: &str = "Lines of all days before a step, held against its own";

/// For people: the lines, how they did where they were not drawn, how far each agent is from them, and
/// one sentence at the end.
///
/// # Errors
/// Those of `out`.
pub fn write_backtest(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    write_heights(out, account, style)?;
    write_tiers(out, account, style)?;
    write_steps(out, account, style)?;
    write_budgets(out, account, style)?;
    write_reliability(out, account, style)?;
    write_stopped(out, account, style)?;
    write_agents(out, account, style)?;
    writeln!(out)?;
    write_wrapped(out, &sentence(account), 0, 0)
}

/// How much history there is.
pub(crate) fn extent(account: &Account<'_>) -> String {
    let calibration = &account.backtest.calibration;
    format!(
        "{} agent-days of {} that {} known well, {} episodes, {:.1} agent-months",
        calibration.agent_days(),
        plural(calibration.agents().count() as u64, "agent"),
        if calibration.agents().count() == 1 { "is" } else { "are" },
        calibration.episodes(),
        calibration.agent_months(),
    )
}

/// By what baselines the days were judged.
pub(crate) fn judged_by(account: &Account<'_>) -> String {
    let Some(Relearned { every_days, times, promotions, waiting }) = account.relearned else {
        return "Judged by the baselines as they are, from the first day to the last.".to_owned();
    };
    let every = every(every_days);
    let mut said = format!(
        "Judged by baselines that were learned anew {every}, {}: {} put in force by the rules of \
         promotion. In a replay nobody approves what is sensitive",
        plural(u64::from(times), "time"),
        plural(promotions, "time"),
    );
    said += &match waiting {
        0 => ".".to_owned(),
        1 => ": 1 value waits in the end.".to_owned(),
        waiting => format!(": {waiting} values wait in the end."),
    };
    said
}

fn every(days: u32) -> String {
    if days == 1 { "every day".to_owned() } else { format!("every {days} days") }
}

/// What was held against lines.
pub(crate) fn held(account: &Account<'_>) -> String {
    let HeldOut { agent_days, agent_months, from_day, .. } = account.backtest.held_out;
    match agent_days {
        0 => "a single step: nothing comes after the days that lines are drawn on".to_owned(),
        _ => format!(
            "from {} on: {agent_days} agent-days, {agent_months:.1} agent-months",
            day(from_day)
        ),
    }
}

/// A day, counted from 1970, as people write it.
pub(crate) fn day(day: u32) -> String {
    let time = EventTime::from_unix_secs(i64::from(day) * 86_400).unwrap_or(EventTime::EPOCH);
    time.to_string().chars().take(10).collect()
}

pub(crate) fn plural(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A rate or a share with the bounds of it.
pub(crate) fn bounded(rate: Rate, decimals: usize) -> String {
    let Rate { seen, low, high } = rate;
    format!("{seen:.decimals$} ({low:.decimals$} to {high:.decimals$})")
}

fn write_heights(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    writeln!(out, "{}", extent(account))?;
    write_wrapped(out, &judged_by(account), 0, 0)?;
    writeln!(out)?;
    writeln!(out, "{}", style.title("Where the agents' days ended up, and the lines to arm"))?;
    picture::write(out, account.backtest, style)?;
    let end = |(share, score): &(f64, Score)| format!("{}% up to 10^{score}", share * 100.0);
    let ends: Vec<_> = account.backtest.quantiles.iter().map(end).collect();
    writeln!(out, "  {}", ends.join(", "))?;
    writeln!(out)
}

fn write_tiers(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    writeln!(out, "{}", style.title(HELD_AGAINST))?;
    write_wrapped(out, &held(account), 2, 2)?;
    writeln!(out, "          budget  to arm    last      days     of  per agent-month (95 %)")?;
    for (verdict, trial) in &account.backtest.held_out.tiers {
        write!(out, "  {verdict:<6}", verdict = verdict.to_string())?;
        write_trial(out, account, trial)?;
    }
    write_wrapped(out, &kill_takes_more(account), 2, 2)
}

/// What is to be said of a line: nothing missing, or what is.
pub(crate) fn missing(account: &Account<'_>, trial: &Trial) -> Option<String> {
    match (trial.armed, trial.line) {
        (None, _) => Some(format!("not certifiable: {}", history_for(account, trial.budget))),
        (Some(_), None) => Some("before the last step the history is too short for it".to_owned()),
        (Some(_), Some(_)) => None,
    }
}

/// How much history there is, of what a budget takes.
fn history_for(account: &Account<'_>, budget: f64) -> String {
    let there = account.backtest.calibration.agent_months();
    format!("{there:.1} of {} agent-months", months_needed(budget))
}

fn write_trial(out: &mut impl Write, account: &Account<'_>, trial: &Trial) -> io::Result<()> {
    let Trial { budget, armed, line, passed, agent_days, per_agent_month, .. } = trial;
    write!(out, "  {budget:>6}  ")?;
    if let Some(armed) = armed {
        write!(out, "10^{:<6} ", armed.to_string())?;
    }
    match (missing(account, trial), line) {
        (None, Some(line)) => writeln!(
            out,
            "10^{:<6} {passed:>4} {agent_days:>6}  {}",
            line.to_string(),
            bounded(*per_agent_month, 3)
        ),
        (why, _) => writeln!(out, "{}", why.unwrap_or_default()),
    }
}

/// The steps that are listed, at most so many, and how many came before them.
pub(crate) fn last_steps<'a>(account: &'a Account<'_>, most: usize) -> (&'a [ReplayStep], usize) {
    let steps = account.backtest.held_out.steps.as_slice();
    let before = steps.len().saturating_sub(most);
    (steps.get(before..).unwrap_or_default(), before)
}

/// What a step's line came to: nothing where there was none.
pub(crate) fn of_step(step: &ReplayStep, tier: Verdict) -> Option<(Score, u64)> {
    Some((step.lines.of(tier)?, step.passed.get(&tier).copied().unwrap_or(0)))
}

fn write_steps(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    let (steps, before) = last_steps(account, STEPS_MAX);
    writeln!(out)?;
    writeln!(out, "{}", style.title("Step by step: its lines, and the days past them"))?;
    writeln!(out, "  from        drawn from   days  alert          fence          kill")?;
    if before > 0 {
        writeln!(out, "  {} before", plural(before as u64, "step"))?;
    }
    for step in steps {
        let ReplayStep { from_day, drawn_from, agent_days, .. } = step;
        let mut row = format!("  {}  {drawn_from:>10} {agent_days:>6}", day(*from_day));
        for tier in [Verdict::Alert, Verdict::Fence, Verdict::Kill] {
            row += &match of_step(step, tier) {
                Some((line, passed)) => format!("  10^{:<5}{passed:>5}", line.to_string()),
                None => format!("  {:<13}", "-"),
            };
        }
        writeln!(out, "{}", row.trim_end())?;
    }
    Ok(())
}

fn write_budgets(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "{}", style.title("What another budget for alerts or fences would have done"))?;
    for trial in &account.backtest.held_out.others {
        write!(out, "        ")?;
        write_trial(out, account, trial)?;
    }
    Ok(())
}

fn write_reliability(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    let HeldOut { reliability, agent_days, .. } = &account.backtest.held_out;
    if reliability.is_empty() || *agent_days == 0 {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(
        out,
        "{}",
        style.title("Whether a line keeps its share of the days (10 # if exactly)")
    )?;
    writeln!(out, "  nominal  realised (95 %)                 ratio")?;
    for kept in reliability {
        let ratio = kept.realised.seen / kept.nominal;
        let bar = "#".repeat((ratio * 10.0).round().clamp(0.0, 28.0) as usize);
        let realised = bounded(kept.realised, 6);
        writeln!(out, "  {:<7}  {realised:<31} {ratio:>5.2}  {bar}", kept.nominal)?;
    }
    Ok(())
}

/// The title of what stands in the list of days.
pub(crate) fn stopped_title(recent: &Recent) -> String {
    let days = plural(u64::from(recent.days), "day");
    format!("What the lines of each step would have stopped in the last {days}")
}

/// How many days more than those listed would have been stopped.
pub(crate) fn stopped_more(recent: &Recent) -> u64 {
    let tiers = [Verdict::Kill, Verdict::Fence];
    let all: u64 = tiers.iter().filter_map(|tier| recent.passed.get(tier)).sum();
    all.saturating_sub(recent.stopped.len() as u64)
}

fn write_stopped(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    let recent = &account.backtest.held_out.recent;
    if recent.stopped.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "{}", style.title(&stopped_title(recent)))?;
    for Stopped { day: at, agent, verdict, highest } in &recent.stopped {
        let (verdict, agent) = (style.verdict(*verdict), escape::terminal(agent));
        writeln!(out, "  {}  {verdict} 10^{:<5} {agent}", day(*at), highest.to_string())?;
    }
    match stopped_more(recent) {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more"),
    }
}

/// How far the highest score of an agent is below a line, of a kill the highest that counts for one: below
/// nothing if it passed it.
pub(crate) fn distance(backtest: &Backtest, agent: &AgentDays, verdict: Verdict) -> Option<f64> {
    let line = backtest.lines.of(verdict)?;
    let highest = if verdict == Verdict::Kill { agent.counted } else { agent.highest };
    Some(line.log10() - highest.log10())
}

fn write_agents(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    let agents = &account.backtest.agents;
    if agents.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(
        out,
        "{}",
        style.title("How far each agent stayed below the lines, the closest first")
    )?;
    writeln!(out, "  highest  99 %     to alert  to fence  to kill  days  agent")?;
    for agent in agents.iter().take(LISTED_MAX) {
        let to = |verdict| match distance(account.backtest, agent, verdict) {
            Some(left) => format!("{left:.2}"),
            None => "-".to_owned(),
        };
        writeln!(
            out,
            "  10^{:<5} 10^{:<5} {:>8} {:>9} {:>8} {:>5}  {}",
            agent.highest.to_string(),
            agent.usual.to_string(),
            to(Verdict::Alert),
            to(Verdict::Fence),
            to(Verdict::Kill),
            agent.at_work,
            escape::terminal(&agent.agent),
        )?;
    }
    if agents.len() > LISTED_MAX {
        writeln!(out, "  and {} more", agents.len() - LISTED_MAX)?;
    }
    Ok(())
}

/// What a person needs to hear before arming.
pub(crate) fn sentence(account: &Account<'_>) -> String {
    let Account { backtest, agents, kills_by_rule, .. } = account;
    let by_rule = plural(*kills_by_rule as u64, "kill");
    let mut said = match backtest.held_out.recent.days {
        0 => "No line could be tried: this history is one step long, and lines are held against days \
              that come after those they are drawn on."
            .to_owned(),
        _ => of_recent(account),
    };
    said += &format!(" Beside that, {by_rule} by rules, which need no line.");
    said += &match account.relearned {
        Some(Relearned { every_days, .. }) => format!(
            " All this takes baselines that are learned anew and promoted {}.",
            every(every_days)
        ),
        None => " All this is of baselines that nobody learns anew.".to_owned(),
    };
    let (armed, learning): (Vec<_>, Vec<_>) =
        agents.iter().partition(|(_, maturity)| maturity.is_armed());
    said += &format!(" Armed agents: {}; still learning: {}.", names(&armed), names(&learning));
    said
}

/// What would have been stopped in the last days.
fn of_recent(account: &Account<'_>) -> String {
    let HeldOut { recent, tiers, .. } = &account.backtest.held_out;
    let days = plural(u64::from(recent.days), "day");
    let mut said = format!("With this budget, over the last {days}:");
    for verdict in [Verdict::Fence, Verdict::Kill] {
        let trial = tiers.iter().find(|(tier, _)| *tier == verdict).map(|(_, trial)| trial);
        let passed = recent.passed.get(&verdict).copied().unwrap_or(0);
        said += &match trial.and_then(|trial| missing(account, trial)) {
            Some(why) => format!(" no {verdict}s by evidence ({why})"),
            None if verdict == Verdict::Kill => format!(" {}", kills(account, passed)),
            None => format!(" {}", plural(passed, &verdict.to_string())),
        };
        if let Some(trial) = trial.filter(|it| it.line.is_some() && it.from_day > recent.from_day) {
            said += &format!(" (its line stands since {})", day(trial.from_day));
        }
        said += if verdict == Verdict::Fence { "," } else { "" };
    }
    said += match recent.stopped.is_empty() {
        true => ".",
        false if stopped_more(recent) > 0 => ". The strongest of these days are listed.",
        false => ". Each of these days is listed.",
    };
    said
}

/// Kills of the last days, of which so many passed the line.
fn kills(account: &Account<'_>, passed: u64) -> String {
    let killed = account.backtest.held_out.recent.killed;
    match account.relearned {
        // The lines that days were judged by are not those that they are held against here.
        None => format!("at most {}", plural(passed, "kill")),
        Some(_) if passed > killed => {
            format!("{} and {} more held back to a fence", plural(killed, "kill"), passed - killed)
        }
        Some(_) => plural(killed, "kill"),
    }
}

fn names(agents: &[(&&Untrusted<'static>, &Maturity)]) -> String {
    let shown = agents.iter().take(LISTED_MAX).map(|(name, _)| escape::terminal(name).to_string());
    let mut text = shown.collect::<Vec<_>>().join(", ");
    match agents.len() {
        0 => return "none".to_owned(),
        len if len > LISTED_MAX => text += &format!(" and {} more", len - LISTED_MAX),
        _ => {}
    }
    text
}

#[cfg(test)]
pub(crate) mod tests;
