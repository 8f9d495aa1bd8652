//! A backtest to look at: everything stands there without a script.

use std::io::{self, Write};

use maud::{Markup, html};
use tripline_cloudtrail::{EventTime, Tally};
use tripline_detector::{Score, Verdict};
use tripline_engine::{AgentDays, Backtest, HeldOut, ModelId, ReplayStep, Stopped, TIERS, Trial};

use super::charts;
use super::frame::{self, scroll, thousands, tile};
use super::island::code;
use crate::backtest::{
    Account, HELD_AGAINST, bounded, day, distance, extent, held, judged_by, kill_takes_more,
    last_steps, missing, of_step, sentence, stopped_more, stopped_title,
};
use crate::table::cut;

/// How many agents have a row of their own.
const AGENTS_MAX: usize = 500;

/// How many steps have, the last ones.
const STEPS_MAX: usize = 400;

/// How long a name may be on the page, in characters.
const NAME_CHARS_MAX: usize = 120;

/// What is said of the run as a whole.
#[derive(Debug)]
pub struct AboutBacktest<'a> {
    /// When it was made.
    pub made: EventTime,
    /// What the last days were judged by.
    pub model: ModelId,
    /// What was read.
    pub tally: &'a Tally,
}

/// Writes a backtest as a page.
///
/// # Errors
/// Those of `out`.
pub fn write_backtest(
    out: &mut impl Write,
    about: &AboutBacktest<'_>,
    account: &Account<'_>,
) -> io::Result<()> {
    let sections = [
        ("said", "Before arming"),
        ("lines", "Lines"),
        ("steps", "Steps"),
        ("others", "Other budgets"),
        ("reliability", "Reliability"),
        ("agents", "Agents"),
        ("read", "What was read"),
    ];
    let held = html! { (HELD_AGAINST) ", " (held(account)) "." };
    let body = html! {
        a class="skip" href="#said" { "To what comes out" }
        (frame::head("Tripline backtest", &held, about.made, &sections))
        main {
            (said(account))
            (lines(account))
            (steps(account))
            (others(account))
            (reliability(&account.backtest.held_out))
            (agents(account))
        }
        (foot(about))
    };
    let page = frame::document(&format!("Tripline backtest {}", about.made), None, &body);
    out.write_all(page.into_string().as_bytes())
}

/// The sentence first, and what it rests on.
fn said(account: &Account<'_>) -> Markup {
    let HeldOut { recent, .. } = &account.backtest.held_out;
    let passed = |tier| thousands(recent.passed.get(&tier).copied().unwrap_or(0));
    let row = |stopped: &Stopped| {
        html! {
            tr {
                td { (day(stopped.day)) }
                td { (badge(stopped.verdict)) }
                td class="number" { (power(stopped.highest)) }
                td { bdi { (cut(&stopped.agent, NAME_CHARS_MAX)) } }
            }
        }
    };
    let more = stopped_more(recent);
    html! {
        section id="said" aria-labelledby="said-title" {
            h2 id="said-title" { "Before arming" }
            p class="sentence" { (sentence(account)) }
            dl class="tiles" {
                (tile("days: kill", &passed(Verdict::Kill), "v3"))
                (tile("days: fence", &passed(Verdict::Fence), "v2"))
                (tile("days: alert", &passed(Verdict::Alert), "v1"))
                (tile("agents", &thousands(account.backtest.agents.len() as u64), ""))
                (tile("agent-days", &thousands(account.backtest.calibration.agent_days()), ""))
                (tile("episodes", &thousands(account.backtest.calibration.episodes()), ""))
            }
            @if !recent.stopped.is_empty() {
                h3 { (stopped_title(recent)) }
                (scroll("Days that would have been stopped", &html! {
                    table {
                        thead { tr {
                            th { "Day" } th { "Verdict" } th class="number" { "Highest" } th { "Agent" }
                        } }
                        tbody { @for stopped in &recent.stopped { (row(stopped)) } }
                    }
                }))
                @if more > 0 { p class="note" { "And " (thousands(more)) " more." } }
            }
        }
    }
}

fn lines(account: &Account<'_>) -> Markup {
    let HeldOut { tiers, .. } = &account.backtest.held_out;
    html! {
        section id="lines" aria-labelledby="lines-title" {
            h2 id="lines-title" { "Lines" }
            p { (extent(account)) ". " (judged_by(account)) }
            (charts::heights(account.backtest))
            (trials(account, "Tiers", tiers.iter().map(|(tier, trial)| (Some(*tier), trial))))
            p class="note" { (kill_takes_more(account)) }
        }
    }
}

/// Each step, with what its lines were drawn from and came to.
fn steps(account: &Account<'_>) -> Markup {
    let (steps, before) = last_steps(account, STEPS_MAX);
    let row = |step: &ReplayStep| {
        html! {
            tr {
                th scope="row" { (day(step.from_day)) }
                td class="number" { (thousands(step.drawn_from)) }
                td class="number" { (thousands(step.agent_days)) }
                @for tier in TIERS {
                    @match of_step(step, tier) {
                        Some((line, passed)) => {
                            td class="number" { (power(line)) }
                            td class="number" { (thousands(passed)) }
                        }
                        None => td class="number" colspan="2" { "–" }
                    }
                }
            }
        }
    };
    html! {
        section id="steps" aria-labelledby="steps-title" {
            h2 id="steps-title" { "Step by step: its lines, and the days past them" }
            (scroll("Steps", &html! {
                table {
                    thead { tr {
                        th { "From" }
                        th class="number" { "Drawn from agent-days" }
                        th class="number" { "Its agent-days" }
                        @for tier in TIERS {
                            th class="number" { "Line of " (tier) }
                            th class="number" { "Days" }
                        }
                    } }
                    tbody { @for step in steps { (row(step)) } }
                }
            }))
            @if before > 0 { p class="note" { "And " (before) " before these." } }
            p class="note" {
                "The lines of a step are drawn from the days before it alone: no day is held against a \
                 line that it helped to draw. A day counts for the strongest line that it passed."
            }
        }
    }
}

fn others(account: &Account<'_>) -> Markup {
    let HeldOut { others, .. } = &account.backtest.held_out;
    html! {
        section id="others" aria-labelledby="others-title" {
            h2 id="others-title" { "What another budget for alerts or fences would have done" }
            (trials(account, "Other budgets", others.iter().map(|trial| (None, trial))))
        }
    }
}

/// Budgets and what came of them, of tiers or of none.
fn trials<'t>(
    account: &Account<'_>,
    label: &str,
    trials: impl Iterator<Item = (Option<Verdict>, &'t Trial)>,
) -> Markup {
    let row = |(tier, trial): (Option<Verdict>, &Trial)| {
        html! {
            tr {
                @if let Some(tier) = tier { th scope="row" { (badge(tier)) } }
                td class="number" { (trial.budget) }
                td class="number" { @if let Some(armed) = trial.armed { (power(armed)) } @else { "–" } }
                @match (missing(account, trial), trial.line) {
                    (None, Some(line)) => {
                        td class="number" { (power(line)) }
                        td class="number" { (thousands(trial.passed)) }
                        td class="number" { (thousands(trial.agent_days)) }
                        td class="number" { (bounded(trial.per_agent_month, 3)) }
                        td { (charts::strip(trial)) }
                    }
                    (why, _) => td colspan="5" { (why.unwrap_or_default()) }
                }
            }
        }
    };
    let mut trials = trials.peekable();
    let has_tiers = trials.peek().is_some_and(|(tier, _)| tier.is_some());
    scroll(
        label,
        &html! {
            table {
                thead { tr {
                    @if has_tiers { th { "Tier" } }
                    th class="number" { "Budget" }
                    th class="number" { "To arm" }
                    th class="number" { "Last" }
                    th class="number" { "Days" }
                    th class="number" { "Of" }
                    th class="number" { "Per agent-month (95 %)" }
                    th { "Against its budget" }
                } }
                tbody { @for trial in trials { (row(trial)) } }
            }
        },
    )
}

fn reliability(held_out: &HeldOut) -> Markup {
    let kept = held_out.reliability.as_slice();
    html! {
        section id="reliability" aria-labelledby="reliability-title" {
            h2 id="reliability-title" { "Whether a line keeps its share of the days" }
            @if kept.is_empty() {
                p { "Before its last step this history is too short for a line of any share." }
            } @else {
                (charts::reliability(kept))
                (scroll("Nominal and realised shares", &html! {
                    table {
                        thead { tr {
                            th class="number" { "Nominal" }
                            th class="number" { "Days" }
                            th class="number" { "Of" }
                            th class="number" { "Realised (95 %)" }
                            th class="number" { "Ratio" }
                        } }
                        tbody { @for one in kept {
                            tr {
                                td class="number" { (one.nominal) }
                                td class="number" { (thousands(one.passed)) }
                                td class="number" { (thousands(one.agent_days)) }
                                td class="number" { (bounded(one.realised, 6)) }
                                td class="number" { (format!("{:.2}", one.realised.seen / one.nominal)) }
                            }
                        } }
                    }
                }))
            }
        }
    }
}

fn agents(account: &Account<'_>) -> Markup {
    let backtest = account.backtest;
    let more = backtest.agents.len().saturating_sub(AGENTS_MAX);
    let end = charts::track_end(backtest);
    html! {
        section id="agents" aria-labelledby="agents-title" {
            h2 id="agents-title" { "How far each agent stayed below the lines" }
            (scroll("Agents", &html! {
                table {
                    thead { tr {
                        th { "Agent" }
                        th { "99 % of its days, its highest, and the lines" }
                        @for tier in TIERS { th class="number" { "To " (tier) } }
                        th class="number" { "Days" }
                        th class="number" { "Episodes" }
                        th { "Known" }
                    } }
                    tbody { @for agent in backtest.agents.iter().take(AGENTS_MAX) {
                        (agent_row(account, agent, end))
                    } }
                }
            }))
            @if more > 0 { p class="note" { "And " (more) " that came less far." } }
            p class="note" {
                "In powers of ten; what is below nothing passed the line. What the history is too short \
                 for is not armed."
            }
        }
    }
}

fn agent_row(account: &Account<'_>, agent: &AgentDays, end: f64) -> Markup {
    let backtest: &Backtest = account.backtest;
    html! {
        tr {
            th scope="row" class="name" { bdi { (cut(&agent.agent, NAME_CHARS_MAX)) } }
            td { (charts::track(backtest, agent, end)) }
            @for tier in TIERS {
                td class="number" {
                    @match distance(backtest, agent, tier) {
                        Some(left) => (format!("{left:.2}")),
                        None => "–",
                    }
                }
            }
            td class="number" { (thousands(agent.at_work)) }
            td class="number" { (thousands(agent.episodes)) }
            td { @if let Some(maturity) = account.agents.get(&agent.agent) { (maturity) } }
        }
    }
}

fn badge(verdict: Verdict) -> Markup {
    html! { span class={ "badge v" (code(verdict)) } { (verdict) } }
}

/// A score as people read it: 10 to its power.
fn power(score: Score) -> Markup {
    html! { "10" sup { (score) } }
}

fn foot(about: &AboutBacktest<'_>) -> Markup {
    html! {
        footer id="read" {
            h2 { "What was read" }
            (frame::counts(about.tally))
            ul { (frame::problems(about.tally)) }
            p class="note" { "Judged by model " code { (about.model.to_string()) } ", in the end." }
        }
    }
}
