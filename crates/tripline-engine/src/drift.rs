//! What is remembered of episodes that are over: what holds verdicts back, and what makes up for
//! attacks that are spread thin.

use std::collections::BTreeMap;

use tripline_attribution::{Agent, AgentId, Sessions};
use tripline_baseline::Day;
use tripline_cloudtrail::EventTime;
use tripline_detector::{Score, Slow, Verdict, Watchdog};

use crate::breaker::Breakers;
use crate::model::Model;
use crate::open::Over;

/// What is remembered of agents and classes between episodes.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    breakers: Breakers,
    slow: BTreeMap<AgentId, Slow>,
    watchdogs: BTreeMap<Option<AgentId>, Watchdog>,
    /// The day that each agent is at, and the highest score on it.
    days: BTreeMap<AgentId, (Day, Score)>,
    /// What the episodes of agents that are known well came to; kept if somebody wants it.
    outcomes: Option<Vec<Outcome>>,
}

/// What an episode came to, of an agent that is known well.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The minute since 1970 in which it began.
    pub start_minute: u32,
    /// Whose.
    pub agent: AgentId,
    /// The agent's class.
    pub class: Option<AgentId>,
    /// The highest score.
    pub highest: Score,
    /// The highest of what [counts for a kill](tripline_detector::Evidence::killing), while the agent was
    /// known well enough to be killed. What holds a kill back besides (other agents of its class, a
    /// calibration that does not hold) is not looked at.
    pub killing: Score,
    /// What the evidence asked for; rules are not part of it.
    pub verdict: Verdict,
}

/// Where a verdict is to be held against what happened elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) agent: &'a AgentId,
    pub(crate) class: Option<&'a AgentId>,
    /// The agents of the class.
    pub(crate) peers: u64,
    pub(crate) root: u32,
    pub(crate) minute: u32,
}

impl Drift {
    /// One that keeps what episodes came to.
    pub(crate) fn keeping() -> Self {
        Self { outcomes: Some(Vec::new()), ..Self::default() }
    }

    /// Notes episodes that are over.
    pub(crate) fn note(&mut self, over: &[Over], model: &Model, sessions: &Sessions) {
        for episode in over {
            let Some(agent) = sessions.agent_at(episode.agent) else { continue };
            let habits = model.habits_of(agent);
            if !habits.standing(false).maturity.is_armed() {
                continue;
            }
            let day = day_of(episode.start_minute);
            if let Some((calibration, lines)) = model.calibration().zip(model.lines()) {
                let slow = self.slow.entry(agent.id.clone()).or_default();
                *slow = slow.after(calibration, episode.highest);
                if let Some(highest) =
                    day.and_then(|day| self.day_over(agent, day, episode.highest))
                {
                    let watchdog = self.watchdogs.entry(agent.class.clone()).or_default();
                    watchdog.note(calibration, lines, highest);
                }
            }
            let learned = habits.own.and_then(|own| own.until).zip(day);
            let is_held_out = learned.is_none_or(|(until, day)| day > until);
            if let Some(outcomes) = self.outcomes.as_mut().filter(|_| is_held_out) {
                outcomes.push(Outcome {
                    start_minute: episode.start_minute,
                    agent: agent.id.clone(),
                    class: agent.class.clone(),
                    highest: episode.highest,
                    killing: episode.killing,
                    verdict: episode.verdict,
                });
            }
        }
    }

    /// Adds an episode to its agent's day; what the day before came to, if another one has begun.
    fn day_over(&mut self, agent: &Agent, day: Day, highest: Score) -> Option<Score> {
        let Some(at) = self.days.get_mut(&agent.id) else {
            self.days.insert(agent.id.clone(), (day, highest));
            return None;
        };
        if at.0 == day {
            at.1 = at.1.max(highest);
            return None;
        }
        let (_, over) = std::mem::replace(at, (day, highest));
        Some(over)
    }

    /// What a verdict on an episode with this evidence becomes in view of the agent's earlier episodes
    /// and of its class.
    pub(crate) fn settle(
        &mut self,
        verdict: Verdict,
        place: &Place<'_>,
        model: &Model,
        score: Score,
    ) -> Verdict {
        let Some(calibration) = model.calibration() else { return verdict };
        let before = self.slow.get(place.agent).copied().unwrap_or_default();
        let slowly = before.after(calibration, score).verdict(calibration, model.budgets());
        let class = place.class.cloned();
        let is_off = self.watchdogs.get(&class).is_some_and(Watchdog::has_fired);
        let is_kill = verdict == Verdict::Kill;
        let may_kill = is_kill
            && !is_off
            && self.breakers.allows(place.class, place.peers, place.root, place.minute);
        match verdict {
            Verdict::Kill if !may_kill => Verdict::Fence,
            verdict => verdict.max(slowly),
        }
    }

    /// What episodes came to, in order of time.
    pub(crate) fn into_outcomes(self) -> Vec<Outcome> {
        let mut outcomes = self.outcomes.unwrap_or_default();
        outcomes.sort();
        outcomes
    }
}

fn day_of(minute: u32) -> Option<Day> {
    EventTime::from_unix_secs(i64::from(minute) * 60).map(Day::of)
}
