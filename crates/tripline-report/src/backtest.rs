//! What lines would have done, for a person who is about to arm them, and for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::json as object;
use tripline_baseline::Maturity;
use tripline_detector::{Budgets, Score, Verdict, months_needed};
use tripline_engine::{Backtest, HeldOut, TIERS, rate_with_bounds};
use tripline_text::{Untrusted, escape};

use crate::json::{self, Layout};
use crate::table::Style;

/// A backtest, and whom it is about.
#[derive(Debug)]
pub struct Account<'a> {
    /// What came out.
    pub backtest: &'a Backtest,
    /// What the lines were drawn for.
    pub budgets: &'a Budgets,
    /// How well each agent is known.
    pub agents: BTreeMap<&'a Untrusted<'static>, Maturity>,
    /// Kills by rules, which need no line.
    pub kills_by_rule: usize,
    /// The day of the second half's beginning, as text.
    pub from: String,
}

/// How many agents are listed.
const LISTED_MAX: usize = 20;

/// For people: the lines, how they did where they were not drawn, how far each agent is from them, and
/// one sentence at the end.
///
/// # Errors
/// Those of `out`.
pub fn write_backtest(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    let Backtest { calibration, held_out, .. } = account.backtest;
    writeln!(
        out,
        "{} agent-days of {} agents that are known well ({} episodes), {:.1} agent-months",
        calibration.agent_days(),
        calibration.agents().count(),
        calibration.episodes(),
        calibration.agent_months(),
    )?;
    writeln!(out)?;
    write_tiers(out, account, style)?;
    write_reliability(out, held_out, style)?;
    write_budgets(out, account, style)?;
    write_agents(out, account, style)?;
    writeln!(out)?;
    writeln!(out, "{}", sentence(account))
}

fn write_tiers(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    let HeldOut { agent_days, agent_months, tiers, .. } = &account.backtest.held_out;
    let title = format!(
        "Lines drawn on the first half, held against the second: {agent_days} agent-days from {} on",
        account.from
    );
    writeln!(out, "{}", style.title(&title))?;
    writeln!(out, "          budget   line    passed   per agent-month (95 %)")?;
    for tier in tiers {
        let verdict = tier.verdict.to_string();
        match tier.line {
            Some(line) => {
                let (rate, low, high) = rate_with_bounds(tier.passed, *agent_months);
                writeln!(
                    out,
                    "  {verdict:<6}  {:>6}  10^{line:<5} {:>6}   {rate:.3} ({low:.3} to {high:.3})",
                    tier.budget, tier.passed,
                )?;
            }
            None => writeln!(out, "  {verdict:<6}  {:>6}  not certifiable", tier.budget)?,
        }
    }
    Ok(())
}

fn write_reliability(out: &mut impl Write, held_out: &HeldOut, style: Style) -> io::Result<()> {
    if held_out.reliability.is_empty() || held_out.agent_days == 0 {
        return Ok(());
    }
    writeln!(out)?;
    writeln!(out, "{}", style.title("Whether shares are kept"))?;
    writeln!(out, "  nominal   realised   ratio")?;
    for (nominal, passed) in &held_out.reliability {
        let realised = *passed as f64 / held_out.agent_days as f64;
        let ratio = realised / nominal;
        // A bar of ten for what is kept exactly, so that it can be seen at a glance.
        let bar = "#".repeat((ratio * 10.0).round().clamp(0.0, 40.0) as usize);
        writeln!(out, "  {nominal:<8}  {realised:<9.6}  {ratio:>5.2}  {bar}")?;
    }
    Ok(())
}

fn write_budgets(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    let calibration = &account.backtest.calibration;
    writeln!(out)?;
    writeln!(
        out,
        "{}",
        style.title("What other budgets would give (false actions per agent-month)")
    )?;
    for budget in [0.02, 0.1, 0.5, 1.0, 5.0] {
        match calibration.share_of(budget).and_then(|share| calibration.line(share)) {
            Some(line) => writeln!(
                out,
                "  {budget:<5} line 10^{line}, passed on {} days",
                calibration.reaching(line)
            )?,
            None => writeln!(
                out,
                "  {budget:<5} not certifiable: {:.1} of {} agent-months",
                calibration.agent_months(),
                months_needed(budget)
            )?,
        }
    }
    Ok(())
}

fn write_agents(out: &mut impl Write, account: &Account<'_>, style: Style) -> io::Result<()> {
    let Backtest { calibration, lines, .. } = account.backtest;
    let mut agents: Vec<_> = calibration.agents().collect();
    if agents.is_empty() {
        return Ok(());
    }
    agents.sort_by(|one, other| other.1.max.cmp(&one.1.max).then_with(|| one.0.cmp(&other.0)));
    writeln!(out)?;
    writeln!(out, "{}", style.title("The agents that came closest to the lines"))?;
    writeln!(out, "  highest   fence   kill    at work  agent")?;
    for (name, scores) in agents.iter().take(LISTED_MAX) {
        let left = |verdict| match lines.of(verdict) {
            Some(line) => format!("{:+.2}", scores.max.log10() - Score::log10(line)),
            None => "-".to_owned(),
        };
        writeln!(
            out,
            "  10^{:<5} {:>7} {:>6} {:>5} days  {}",
            scores.max.to_string(),
            left(Verdict::Fence),
            left(Verdict::Kill),
            scores.at_work,
            escape::terminal(name),
        )?;
    }
    if agents.len() > LISTED_MAX {
        writeln!(out, "  and {} more", agents.len() - LISTED_MAX)?;
    }
    Ok(())
}

/// What a person needs to hear before arming.
fn sentence(account: &Account<'_>) -> String {
    let Account { backtest, budgets, agents, kills_by_rule, .. } = account;
    let mut said = String::from("With this budget");
    for verdict in [Verdict::Fence, Verdict::Kill] {
        let budget = budgets.of(verdict).unwrap_or_default();
        let line = backtest.lines.of(verdict);
        let passed = line.map(|line| backtest.calibration.reaching(line));
        said += &match passed {
            Some(passed) => format!(", {verdict}s on {passed} days"),
            None => format!(
                ", no {verdict}s by evidence (not certifiable: {:.1} of {} agent-months)",
                backtest.calibration.agent_months(),
                months_needed(budget)
            ),
        };
    }
    let (armed, learning): (Vec<_>, Vec<_>) =
        agents.iter().partition(|(_, maturity)| maturity.is_armed());
    said += &format!("; {kills_by_rule} kills by rules. Armed: {}", names(&armed));
    said += &format!("; still learning: {}.", names(&learning));
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

/// For programs: one object.
///
/// # Errors
/// Those of `out`.
pub fn write_backtest_json(out: &mut impl Write, account: &Account<'_>) -> io::Result<()> {
    let Backtest { calibration, lines, held_out, asked } = account.backtest;
    let tiers = held_out.tiers.iter().map(|tier| {
        let (rate, low, high) = rate_with_bounds(tier.passed, held_out.agent_months);
        object!({
            "verdict": tier.verdict, "budget": tier.budget, "line": tier.line.map(Score::log10),
            "passed": tier.passed, "per_agent_month": rate, "low": low, "high": high,
        })
    });
    let reliability = held_out.reliability.iter().map(|(nominal, passed)| {
        object!({"nominal": nominal, "passed": passed, "agent_days": held_out.agent_days})
    });
    let named: BTreeMap<String, Option<f64>> = TIERS
        .into_iter()
        .map(|verdict| (verdict.to_string(), lines.of(verdict).map(Score::log10)))
        .collect();
    let agents = calibration.agents().map(|(name, scores)| {
        object!({
            "agent": json::text(&name), "episodes": scores.episodes,
            "days_at_work": scores.at_work, "days": scores.days,
            "highest": scores.max.log10(),
        })
    });
    let object = object!({
        "episodes": calibration.episodes(), "agent_days": calibration.agent_days(),
        "agent_months": calibration.agent_months(),
        "lines": named,
        "asked": asked.iter().map(|(verdict, count)| (verdict.to_string(), *count)).collect::<BTreeMap<_, _>>(),
        "held_out": {
            "from": account.from, "agent_days": held_out.agent_days,
            "agent_months": held_out.agent_months, "tiers": tiers.collect::<Vec<_>>(),
            "reliability": reliability.collect::<Vec<_>>(),
        },
        "agents": agents.collect::<Vec<_>>(),
        "kills_by_rule": account.kills_by_rule,
    });
    let mut line = String::new();
    json::write(&object, Layout::Line, &mut line);
    writeln!(out, "{line}")
}
