//! What a call adds to the evidence of its episode, and what that asks for.

use tripline_baseline::{Draw, Family, Feature};
use tripline_detector::{Evidence, Measure, Reason, Score, Standing, Verdict, verdict};
use tripline_text::Untrusted;

use crate::deed::Deed;
use crate::habits::{Habits, reason};
use crate::open::OpenEpisode;
use crate::pace::Exceeded;

/// A call as weighed against the habits of its agent.
#[derive(Debug)]
pub(crate) struct Weighed {
    /// What was new in it; each with the verdict that all of the episode asks for.
    pub(crate) reasons: Vec<Reason>,
    /// The evidence of the episode so far.
    pub(crate) score: Score,
    /// Whether this call added to it.
    pub(crate) adds: bool,
    /// What it asks for; nothing unless this call added to it.
    pub(crate) verdict: Verdict,
}

/// Weighs a call. `is_expected` says what a person said to expect.
pub(crate) fn weigh(
    habits: &Habits<'_>,
    standing: Standing,
    measure: &Measure,
    episode: &mut OpenEpisode,
    deed: &Deed<'_>,
    exceeded: Option<&Exceeded>,
    is_expected: impl Fn(&Draw<'_>) -> bool,
) -> Weighed {
    let home = deed.home();
    let news = deed.draws().filter(|draw| habits.is_news(draw, &home) && !is_expected(draw));
    // Whatever comes with a new action is no news beside it.
    let of_new_action = |draw: &Draw<'_>| {
        let action = draw.action.filter(|_| draw.family.is_given_action());
        action.is_some_and(|value| {
            habits.is_news(&Draw { family: Family::Action, action: None, value }, &home)
        })
    };
    let (mut reasons, mut is_harmful, mut adds) = (Vec::new(), false, false);
    for draw in news {
        if !episode.is_first(&draw) {
            continue;
        }
        let Some(novelty) = habits.novelty(&draw, &home, deed.is_denied, standing) else {
            continue;
        };
        let Some(chain) = habits.chain() else { continue };
        // A deployment brings new work; what does harm is weighed all the same.
        let is_excused = standing.in_grace && !novelty.is_harmful();
        let counts = !is_excused && !of_new_action(&draw) && episode.discovers(&draw);
        let weight = if counts { episode.evidence.add(&novelty, &chain) } else { 0.0 };
        adds |= weight > 0.0;
        is_harmful |= novelty.is_harmful();
        reasons.push(reason(&draw, &novelty, weight));
    }
    let pace = exceeded.and_then(|it| habits.add_pace(it, standing, &mut episode.evidence));
    adds |= pace.as_ref().is_some_and(|reason| reason.weight > 0.0);
    reasons.extend(pace);
    let evidence = &episode.evidence;
    let verdict =
        if adds { verdict(evidence, measure, standing, is_harmful) } else { Verdict::Normal };
    Weighed { reasons, score: evidence.score(), adds, verdict }
}

impl Weighed {
    /// The same with its verdict on what adds to the evidence; from a fence on, the evidence itself is
    /// one more reason.
    pub(crate) fn explained(mut self, measure: &Measure, evidence: &Evidence) -> Self {
        let verdict = self.verdict;
        for reason in self.reasons.iter_mut().filter(|reason| reason.weight > 0.0) {
            reason.verdict = verdict;
        }
        if verdict >= Verdict::Fence {
            self.reasons.push(summary(verdict, self.score, measure, evidence));
        }
        self
    }
}

fn summary(verdict: Verdict, score: Score, measure: &Measure, evidence: &Evidence) -> Reason {
    let mode = evidence.mode();
    let line = measure.lines.and_then(|lines| lines.of(verdict));
    let line = match line {
        Some(line) => format!("the line of a {verdict} is 10^{line}"),
        None => "by the model alone: run `tripline backtest` to draw lines".to_owned(),
    };
    Reason {
        verdict,
        feature: Feature::Evidence,
        value: Untrusted::new(mode.to_string()),
        weight: 0.0,
        detail: format!("evidence of {mode}: 10^{score}; {line}"),
        invariant: None,
        technique: None,
    }
}
