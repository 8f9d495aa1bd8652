//! What a call adds to the evidence of its episode, and what that asks for.

use tripline_baseline::{Draw, Family, Feature};
use tripline_detector::{Evidence, Measure, Novelty, Reason, Score, Standing, Verdict, verdict};
use tripline_text::Untrusted;

use crate::deed::Deed;
use crate::drift::Turned;
use crate::habits::{Entries, Habits, reason};
use crate::open::OpenEpisode;
use crate::pace::{Exceeded, Excess};

/// A call as weighed against the habits of its agent.
#[derive(Debug)]
pub(crate) struct Weighed<'d> {
    /// What was new in it.
    news: Vec<News<'d>>,
    /// A pace above every one that was learned, and what it weighs.
    pace: Option<(Exceeded, f64)>,
    /// The evidence of the episode so far.
    pub(crate) score: Score,
    /// Whether this call added to it.
    pub(crate) adds: bool,
    /// What it asks for; nothing unless this call added to it.
    pub(crate) verdict: Verdict,
    /// Why that is another verdict than the evidence asks for.
    turned: Option<Turned>,
}

#[derive(Debug)]
struct News<'d> {
    draw: Draw<'d>,
    novelty: Novelty,
    weight: f64,
}

/// What the calls of an agent are held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Against<'m> {
    pub(crate) habits: Habits<'m>,
    pub(crate) standing: Standing,
    pub(crate) measure: Measure,
}

/// Weighs a call. `is_expected` says what a person said to expect.
pub(crate) fn weigh<'d>(
    Against { habits, standing, measure }: &Against<'_>,
    entries: &mut Entries,
    episode: &mut OpenEpisode,
    deed: &'d Deed<'_>,
    excess: Option<&Excess>,
    is_expected: impl Fn(&Draw<'_>) -> bool,
) -> Weighed<'d> {
    let standing = *standing;
    let home = deed.home();
    let drawn = deed.draws().filter(|draw| habits.is_news(draw, &home) && !is_expected(draw));
    // Whatever comes with a new action is no news beside it.
    let of_new_action = |draw: &Draw<'_>| {
        let action = draw.action.filter(|_| draw.family.is_given_action());
        action.is_some_and(|value| {
            habits.is_news(&Draw { family: Family::Action, action: None, value }, &home)
        })
    };
    let (mut news, mut is_harmful, mut adds) = (Vec::new(), false, false);
    for draw in drawn {
        if !episode.is_first(&draw) {
            continue;
        }
        let entry = entries.of(&draw);
        let Some(mut novelty) = habits.novelty(&draw, &home, deed.is_denied, standing, entry)
        else {
            continue;
        };
        let Some(chain) = habits.chain() else { continue };
        // A deployment brings new work; what does harm, or comes from elsewhere, is weighed as ever.
        let is_work = standing.in_grace && !novelty.is_harmful() && !novelty.is_foreign();
        let chain = if is_work { chain.in_grace() } else { chain };
        let counts = !of_new_action(&draw) && episode.discovers(&draw);
        novelty.part = match draw.family {
            Family::Action if counts => {
                let parts = deed.draws_of(draw.value).filter_map(|it| habits.part(&it, &home));
                // Of several the one that the agent is the least likely to lay hands on.
                parts.min_by(|one, other| one.ratio().total_cmp(&other.ratio()))
            }
            // Of what waits for a person it is known that the agent works with it.
            Family::Resource if counts && novelty.seen == 0 => habits.part(&draw, &home),
            _ => None,
        };
        let weight = if counts { episode.evidence_mut().add(&novelty, &chain) } else { 0.0 };
        adds |= weight > 0.0;
        is_harmful |= novelty.is_harmful();
        news.push(News { draw, novelty, weight });
    }
    let pace = excess.and_then(|it| habits.add_pace(it, standing, episode));
    adds |= pace.is_some_and(|(_, weight)| weight > 0.0);
    let score = episode.score();
    let verdict = match adds {
        true => verdict(episode.evidence(), measure, standing, is_harmful),
        false => Verdict::Normal,
    };
    Weighed { news, pace, score, adds, verdict, turned: None }
}

impl Weighed<'_> {
    /// Takes what it asks for in view of what happened elsewhere.
    pub(crate) fn settle(&mut self, (verdict, turned): (Verdict, Option<Turned>)) {
        (self.verdict, self.turned) = (verdict, turned);
    }

    /// Why it has its verdict: what adds to the evidence, and the evidence itself from a fence on, or where
    /// it alone asks for something else. With `all` also what adds nothing.
    pub(crate) fn reasons(
        self,
        Against { habits, standing, measure }: &Against<'_>,
        evidence: &Evidence,
        all: bool,
    ) -> Vec<Reason> {
        let standing = *standing;
        // Nearly always nobody is told anything.
        if self.verdict == Verdict::Normal && !all {
            return Vec::new();
        }
        let news = self.news.iter().map(|it| reason(&it.draw, &it.novelty, it.weight));
        let pace = self.pace;
        let pace = pace.and_then(|(it, weight)| habits.pace_reason(&it, weight, standing));
        let mut reasons: Vec<Reason> = news.chain(pace).collect();
        for reason in reasons.iter_mut().filter(|reason| reason.weight > 0.0) {
            reason.verdict = self.verdict;
        }
        if self.verdict >= Verdict::Fence || self.turned.is_some() {
            reasons.push(summary(
                self.verdict,
                self.turned,
                self.score,
                standing,
                measure,
                evidence,
            ));
        }
        reasons
    }
}

fn summary(
    verdict: Verdict,
    turned: Option<Turned>,
    score: Score,
    standing: Standing,
    measure: &Measure,
    evidence: &Evidence,
) -> Reason {
    let mode = evidence.mode();
    let line = |of| measure.lines.and_then(|lines| lines.of(of));
    let to_kill = line(Verdict::Kill).filter(|line| score >= *line);
    let counts = match evidence.killing() {
        killing if to_kill.is_some() && killing < score => {
            format!(", of which 10^{killing} counts for a kill")
        }
        _ => String::new(),
    };
    let held = |why| match line(Verdict::Kill) {
        Some(line) => format!("the line of a kill is 10^{line}, and it is no kill since {why}"),
        None => format!("it is no kill since {why}"),
    };
    let line = match (turned, line(verdict)) {
        (Some(Turned::Slowly), _) => {
            let article = if verdict == Verdict::Alert { "an" } else { "a" };
            format!("{article} {verdict} together with the agent's days before, by their ranks")
        }
        (Some(Turned::OffCalibration), _) => held("the lines of its class do not hold any more"),
        (Some(Turned::ClassTripped), _) => held("others of its class were killed just before"),
        // Whoever sees so much evidence asks why it is no kill.
        (None, Some(line)) => match to_kill.filter(|_| verdict < Verdict::Kill) {
            Some(_) if standing.in_grace => held("a new version of the agent was deployed"),
            Some(to_kill) => {
                format!("the line of a {verdict} is 10^{line}, of a kill 10^{to_kill}")
            }
            None => format!("the line of a {verdict} is 10^{line}"),
        },
        (None, None) => "by the model alone: run `tripline backtest` to draw lines".to_owned(),
    };
    Reason {
        verdict,
        feature: Feature::Evidence,
        value: Untrusted::new(mode.to_string()),
        weight: 0.0,
        detail: format!("evidence of {mode}: 10^{score}{counts}; {line}"),
        invariant: None,
        technique: None,
    }
}

#[cfg(test)]
mod tests {
    use tripline_attribution::{Agent, AgentId};
    use tripline_detector::Invariants;

    use super::*;
    use crate::model::Model;

    #[test]
    fn an_alert_that_only_the_days_before_make_says_so() {
        let model = Model::new(Invariants::default(), Vec::new()).unwrap();
        let agent = Agent { id: AgentId::of("oncall").unwrap(), class: None };
        let (habits, measure) = (model.habits_of(&agent), model.measure_of(&agent));
        let why = |turned| {
            let (score, verdict) = (Score::of(0.5), Verdict::Alert);
            let weighed =
                Weighed { news: Vec::new(), pace: None, score, adds: true, verdict, turned };
            let against = Against { habits, standing: habits.standing(false), measure };
            weighed.reasons(&against, &Evidence::default(), false)
        };
        assert_eq!(why(None), []);
        let [reason] = &why(Some(Turned::Slowly))[..] else { panic!() };
        assert_eq!(reason.verdict, Verdict::Alert);
        assert!(reason.detail.contains("an alert together with"), "{}", reason.detail);
    }
}
