//! What lines would have done, for a person who is about to arm them, and for programs.

mod json;
mod picture;

use std::collections::BTreeMap;
use std::io::{self, Write};

use tripline_baseline::Maturity;
use tripline_cloudtrail::EventTime;
use tripline_detector::{Score, Verdict, months_needed};
use tripline_engine::{AgentDays, Backtest, HeldOut, Rate, Recent, Stopped, Trial};
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
}

/// How many agents are listed.
const LISTED_MAX: usize = 20;

/// What a line does not say of a kill.
pub(crate) const KILL_TAKES_MORE: &str = "A kill also takes two kinds of evidence, and more than its \
    agent reached in the first half: of kills only such days are counted. What would have held \
    some of them back, such as an open kill of the same class, is left out.";

/// For people: the lines, how they did where they were not drawn, how far each agent is from them, and
/// one sentence at the end.
///
/// # Errors
/// Those of `out`.
pub fn write_backtest(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    write_heights(out, account, style)?;
    write_tiers(out, account, style)?;
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

/// What the second half is.
pub(crate) fn second_half(account: &Account<'_>) -> String {
    let HeldOut { agent_days, agent_months, from_day, .. } = account.backtest.held_out;
    format!(
        "the second half, from {} on: {agent_days} agent-days, {agent_months:.1} agent-months",
        day(from_day)
    )
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
    writeln!(out)?;
    writeln!(out, "{}", style.title("Where the agents' days ended up, and the lines to arm"))?;
    picture::write(out, account.backtest, style)?;
    let end = |(share, score): &(f64, Score)| format!("{}% up to 10^{score}", share * 100.0);
    let ends: Vec<_> = account.backtest.quantiles.iter().map(end).collect();
    writeln!(out, "  {}", ends.join(", "))?;
    writeln!(out)
}

fn write_tiers(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    writeln!(out, "{}", style.title("Lines of the first half, held against the second"))?;
    write_wrapped(out, &second_half(account), 2, 2)?;
    writeln!(out, "          budget  to arm    tried     days  per agent-month (95 %)")?;
    for (verdict, trial) in &account.backtest.held_out.tiers {
        write!(out, "  {verdict:<6}", verdict = verdict.to_string())?;
        write_trial(out, account, trial)?;
    }
    write_wrapped(out, KILL_TAKES_MORE, 2, 2)
}

/// What is to be said of a line: nothing missing, or what is.
pub(crate) fn missing(account: &Account<'_>, trial: &Trial) -> Option<String> {
    match (trial.armed, trial.line) {
        (None, _) => Some(format!("not certifiable: {}", history_for(account, trial.budget))),
        (Some(_), None) => Some("half of this history is too short to try it".to_owned()),
        (Some(_), Some(_)) => None,
    }
}

/// How much history there is, of what a budget takes.
fn history_for(account: &Account<'_>, budget: f64) -> String {
    let there = account.backtest.calibration.agent_months();
    format!("{there:.1} of {} agent-months", months_needed(budget))
}

fn write_trial(out: &mut impl Write, account: &Account<'_>, trial: &Trial) -> io::Result<()> {
    let Trial { budget, armed, line, passed, per_agent_month } = trial;
    write!(out, "  {budget:>6}  ")?;
    if let Some(armed) = armed {
        write!(out, "10^{:<6} ", armed.to_string())?;
    }
    match (missing(account, trial), line) {
        (None, Some(line)) => writeln!(
            out,
            "10^{:<6} {passed:>4}  {}",
            line.to_string(),
            bounded(*per_agent_month, 3)
        ),
        (why, _) => writeln!(out, "{}", why.unwrap_or_default()),
    }
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
    format!("What the first half's lines would have stopped in the last {days}")
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

/// How far the highest score of an agent is below a line: below nothing if it passed it.
pub(crate) fn distance(backtest: &Backtest, agent: &AgentDays, verdict: Verdict) -> Option<f64> {
    let line = backtest.lines.of(verdict)?;
    Some(line.log10() - agent.highest.log10())
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
    let HeldOut { recent, tiers, .. } = &backtest.held_out;
    let days = plural(u64::from(recent.days), "day");
    let mut said = format!("With this budget, over the last {days}:");
    for verdict in [Verdict::Fence, Verdict::Kill] {
        let trial = tiers.iter().find(|(tier, _)| *tier == verdict).map(|(_, trial)| trial);
        let at_most = if verdict == Verdict::Kill { "at most " } else { "" };
        let passed = recent.passed.get(&verdict).copied().unwrap_or(0);
        said += &match trial.and_then(|trial| missing(account, trial)) {
            Some(why) => format!(" no {verdict}s by evidence ({why})"),
            None => format!(" {at_most}{}", plural(passed, &verdict.to_string())),
        };
        said += if verdict == Verdict::Fence { "," } else { "" };
    }
    said += match recent.stopped.is_empty() {
        true => ".",
        false if stopped_more(recent) > 0 => ". The strongest of these days are listed.",
        false => ". Each of these days is listed.",
    };
    let by_rule = plural(*kills_by_rule as u64, "kill");
    said += &format!(" Beside that, {by_rule} by rules, which need no line.");
    let (armed, learning): (Vec<_>, Vec<_>) =
        agents.iter().partition(|(_, maturity)| maturity.is_armed());
    said += &format!(" Armed agents: {}; still learning: {}.", names(&armed), names(&learning));
    said
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
