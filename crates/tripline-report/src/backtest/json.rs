//! A backtest for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json as object};
use tripline_detector::{Score, Verdict};
use tripline_engine::{
    AgentDays, Backtest, HeldOut, Rate, Recent, Relearned, Reliability, ReplayStep, Stopped, TIERS,
    Trial,
};

use super::{Account, day, distance};
use crate::json::{self, Layout};

/// For programs: one object.
///
/// # Errors
/// Those of `out`.
pub fn write_backtest_json(out: &mut impl Write, account: &Account<'_>) -> io::Result<()> {
    let backtest = account.backtest;
    let Backtest { calibration, lines, agents, quantiles, heights, asked, held_out } = backtest;
    let ends = quantiles.iter();
    let ends = ends.map(|(share, score)| object!({"share": share, "score": score.log10()}));
    let heights = heights.iter();
    let heights = heights.map(|(from, days)| object!({"score": from.log10(), "agent_days": days}));
    let asked = asked.iter().map(|(verdict, count)| (verdict.to_string(), *count));
    let object = object!({
        "episodes": calibration.episodes(),
        "agent_days": calibration.agent_days(),
        "agent_months": calibration.agent_months(),
        "quantiles": ends.collect::<Vec<_>>(),
        "heights": heights.collect::<Vec<_>>(),
        "lines": by_tier(|tier| lines.of(tier).map(Score::log10)),
        "asked": asked.collect::<BTreeMap<_, _>>(),
        "held_out": of_held_out(held_out),
        "agents": agents.iter().map(|agent| of_agent(backtest, agent)).collect::<Vec<_>>(),
        "kills_by_rule": account.kills_by_rule,
        "relearned": account.relearned.as_ref().map(of_relearned),
    });
    let mut line = String::new();
    json::write(&object, Layout::Line, &mut line);
    writeln!(out, "{line}")
}

/// A number for each tier, null where there is none.
fn by_tier(of: impl Fn(Verdict) -> Option<f64>) -> BTreeMap<String, Option<f64>> {
    TIERS.into_iter().map(|tier| (tier.to_string(), of(tier))).collect()
}

fn of_agent(backtest: &Backtest, agent: &AgentDays) -> Value {
    object!({
        "agent": json::text(&agent.agent), "episodes": agent.episodes,
        "days_at_work": agent.at_work, "days": agent.days,
        "usual": agent.usual.log10(), "highest": agent.highest.log10(),
        "distance": by_tier(|tier| distance(backtest, agent, tier)),
    })
}

fn of_trial(trial: &Trial) -> Value {
    let Trial { budget, armed, line, passed, agent_days, agent_months, .. } = trial;
    let Rate { seen, low, high } = trial.per_agent_month;
    object!({
        "budget": budget, "armed": armed.map(Score::log10), "line": line.map(Score::log10),
        "from": line.map(|_| day(trial.from_day)), "agent_days": agent_days,
        "agent_months": agent_months, "passed": passed, "per_agent_month": seen, "low": low, "high": high,
    })
}

fn of_reliability(kept: &Reliability) -> Value {
    let Reliability { nominal, agent_days, passed, realised: Rate { seen, low, high } } = kept;
    object!({
        "nominal": nominal, "agent_days": agent_days, "passed": passed, "realised": seen, "low": low,
        "high": high,
    })
}

fn of_relearned(relearned: &Relearned) -> Value {
    let Relearned { every_days, times, promotions, waiting } = relearned;
    object!({
        "every_days": every_days, "times": times, "promotions": promotions, "waiting": waiting,
    })
}

fn of_step(step: &ReplayStep) -> Value {
    let ReplayStep { from_day, drawn_from, agent_days, lines, passed, killed } = step;
    let passed = passed.iter().map(|(verdict, days)| (verdict.to_string(), *days));
    object!({
        "from": day(*from_day), "drawn_from": drawn_from, "agent_days": agent_days,
        "lines": by_tier(|tier| lines.of(tier).map(Score::log10)),
        "passed": passed.collect::<BTreeMap<_, _>>(), "killed": killed,
    })
}

fn of_held_out(held_out: &HeldOut) -> Value {
    let tiers = held_out.tiers.iter().map(|(verdict, trial)| {
        let mut tier = of_trial(trial);
        if let Value::Object(members) = &mut tier {
            members.insert("verdict".to_owned(), object!(verdict));
        }
        tier
    });
    object!({
        "from": day(held_out.from_day), "agent_days": held_out.agent_days,
        "agent_months": held_out.agent_months,
        "steps": held_out.steps.iter().map(of_step).collect::<Vec<_>>(),
        "tiers": tiers.collect::<Vec<_>>(),
        "others": held_out.others.iter().map(of_trial).collect::<Vec<_>>(),
        "reliability": held_out.reliability.iter().map(of_reliability).collect::<Vec<_>>(),
        "recent": of_recent(&held_out.recent),
    })
}

fn of_recent(recent: &Recent) -> Value {
    let stopped = recent.stopped.iter().map(|stopped| {
        let Stopped { day: at, agent, verdict, highest } = stopped;
        object!({
            "day": day(*at), "agent": json::text(agent), "verdict": verdict,
            "score": highest.log10(),
        })
    });
    let passed = recent.passed.iter().map(|(verdict, days)| (verdict.to_string(), *days));
    object!({
        "from": day(recent.from_day), "days": recent.days,
        "passed": passed.collect::<BTreeMap<_, _>>(), "killed": recent.killed,
        "stopped": stopped.collect::<Vec<_>>(),
    })
}
