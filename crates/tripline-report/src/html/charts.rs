//! The drawings of a backtest. What each shows stands beside it as text, too.

use maud::{Markup, html};
use tripline_detector::Score;
use tripline_engine::{AgentDays, Backtest, HEIGHT, Rate, Reliability, TIERS, Trial};

use super::frame::{round, thousands};
use super::island::code;
use crate::backtest::{Height, bounded, heights as bars};

/// Where days ended up, a bar for each height, and the lines to arm.
pub(super) fn heights(backtest: &Backtest) -> Markup {
    const WIDE: f64 = 960.0;
    const HIGH: f64 = 150.0;
    let bars = bars(backtest);
    let width = WIDE / bars.len().max(1) as f64;
    let step = f64::from(HEIGHT) / 100.0;
    let x = |score: f64| round((score / step * width).min(WIDE - 1.0));
    html! {
        figure class="wide" {
            svg class="chart pulse" viewBox="0 -34 960 204" role="img" aria-labelledby="heights-caption" {
                @for (nth, Height { from, days, length, .. }) in bars.iter().enumerate() {
                    @let left = round(width * nth as f64);
                    g {
                        title { "from 10^" (from) ": " (thousands(*days)) " agent-days" }
                        rect x=(left) y="0" width=(round(width)) height=(HIGH) class="catch" {}
                        rect x=(left) y=(round(HIGH * (1.0 - length))) width=(round((width - 2.0).max(1.0)))
                            height=(round(HIGH * length)) class="bar" {}
                        @if nth % 2 == 0 {
                            text x=(left) y="166" class="tick" { "10^" (format!("{:.0}", from.log10())) }
                        }
                    }
                }
                @for (nth, (tier, line)) in armed(backtest).enumerate() {
                    @let at = x(line.log10());
                    @let y = -24 + 12 * nth as i32;
                    line x1=(at) x2=(at) y1=(y) y2=(HIGH) class={ "level v" (code(tier)) } {}
                    // Beside the line, on the side where there is room.
                    @let is_left = at > WIDE * 0.8;
                    text x=(if is_left { at - 4.0 } else { at + 4.0 }) y=(y + 8)
                        text-anchor=(if is_left { "end" } else { "start" })
                        class={ "tick v" (code(tier)) } { (tier) " " (line) }
                }
                path d="M0 150.5H960" class="axis" {}
            }
            figcaption id="heights-caption" {
                "Where the agents' days ended up, by powers of ten; bars count days by their logarithm. \
                 The lines are those to arm."
            }
        }
    }
}

/// The lines that the history gives, the strongest first.
fn armed(backtest: &Backtest) -> impl Iterator<Item = (tripline_detector::Verdict, Score)> {
    TIERS.into_iter().filter_map(|tier| Some((tier, backtest.lines.of(tier)?)))
}

/// A rate with its bounds, beside the budget that it is to keep, from a thousandth to a hundred.
pub(super) fn strip(trial: &Trial) -> Markup {
    const WIDE: f64 = 190.0;
    let x = |rate: f64| round(log_place(rate, -3.0, 2.0) * WIDE + 5.0);
    let Rate { seen, low, high } = trial.per_agent_month;
    html! {
        svg class="strip" viewBox="0 0 200 16" width="200" height="16" role="img"
            aria-label={ (bounded(trial.per_agent_month, 3)) " of a budget of " (trial.budget) } {
            line x1=(x(low)) x2=(x(high)) y1="8" y2="8" class="span" {}
            circle cx=(x(seen)) cy="8" r="3.5" class="dot" {}
            line x1=(x(trial.budget)) x2=(x(trial.budget)) y1="1" y2="15" class="goal" {}
        }
    }
}

/// Where on a logarithmic scale from 10^`low` to 10^`high` a number lies, 0 to 1.
fn log_place(number: f64, low: f64, high: f64) -> f64 {
    // Nothing is at the low end, like all that is below it.
    ((number.log10() - low) / (high - low)).clamp(0.0, 1.0)
}

/// Nominal shares against realised ones: what is kept exactly lies on the diagonal.
pub(super) fn reliability(kept: &[Reliability]) -> Markup {
    const SIDE: f64 = 240.0;
    const LEFT: f64 = 56.0;
    let x = |share: f64| round(LEFT + log_place(share, -5.0, 0.0) * SIDE);
    let y = |share: f64| round(10.0 + (1.0 - log_place(share, -5.0, 0.0)) * SIDE);
    html! {
        figure {
            svg class="chart" viewBox="0 0 320 290" width="320" height="290" role="img"
                aria-labelledby="reliability-caption" {
                @for power in -5..=0_i32 {
                    @let share = 10_f64.powi(power);
                    line x1=(LEFT) x2=(LEFT + SIDE) y1=(y(share)) y2=(y(share)) class="grid" {}
                    line x1=(x(share)) x2=(x(share)) y1="10" y2="250" class="grid" {}
                    text x=(LEFT - 6.0) y=(y(share) + 4.0) text-anchor="end" class="tick" { "10^" (power) }
                    text x=(x(share)) y="266" text-anchor="middle" class="tick" { "10^" (power) }
                }
                line x1=(x(1e-5)) y1=(y(1e-5)) x2=(x(1.0)) y2=(y(1.0)) class="lane" {}
                @for one in kept {
                    @let Rate { seen, low, high } = one.realised;
                    g class="strip" {
                        title { (one.nominal) ": " (bounded(one.realised, 6)) }
                        line x1=(x(one.nominal)) x2=(x(one.nominal)) y1=(y(low)) y2=(y(high)) class="span" {}
                        circle cx=(x(one.nominal)) cy=(y(seen)) r="4" class="dot" {}
                    }
                }
                text x=(LEFT + SIDE / 2.0) y="284" text-anchor="middle" class="tick" { "nominal share of days" }
            }
            figcaption id="reliability-caption" {
                "Realised against nominal shares, with bounds of 95 %. On the diagonal a line keeps what it \
                 promises; below it, it does better."
            }
        }
    }
}

/// How far the tracks of agents reach: to the highest of them and of the lines.
pub(super) fn track_end(backtest: &Backtest) -> f64 {
    let highest = backtest.agents.iter().map(|agent| agent.highest);
    let end = highest.chain(armed(backtest).map(|(_, line)| line)).max().unwrap_or_default();
    (end.log10() * 1.05).max(1.0)
}

/// An agent's usual days and its highest, with the lines.
pub(super) fn track(backtest: &Backtest, agent: &AgentDays, end: f64) -> Markup {
    const WIDE: f64 = 200.0;
    let x = |score: Score| round(score.log10() / end * WIDE);
    html! {
        svg class="strip" viewBox="-5 0 210 16" width="210" height="16" role="img"
            aria-label={ "99 % of its days up to 10^" (agent.usual) ", the highest 10^" (agent.highest) } {
            line x1="0" x2=(x(agent.highest)) y1="8" y2="8" class="span" {}
            rect x="0" y="5" width=(x(agent.usual).max(1.0)) height="6" class="usual" {}
            circle cx=(x(agent.highest)) cy="8" r="3.5" class="dot" {}
            @for (tier, line) in armed(backtest) {
                line x1=(x(line)) x2=(x(line)) y1="1" y2="15" class={ "level v" (code(tier)) } {}
            }
        }
    }
}
