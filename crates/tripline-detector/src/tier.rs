//! From evidence to a verdict.

use tripline_baseline::Stage;

use crate::calibration::Lines;
use crate::evidence::{Evidence, Score};
use crate::novelty::Standing;
use crate::verdict::Verdict;

/// What evidence is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The lines that were drawn on the history; nothing where none was scored.
    pub lines: Option<Lines>,
    /// The highest score of the agent's own episodes when they were drawn; nothing if it was not
    /// there.
    pub highest: Option<Score>,
}

/// Without lines: from here on somebody is told …
const ALERT: f64 = 1.0;
/// … and from here on what does harm is fenced off. By the model alone, one episode in ten thousand
/// comes so far.
const FENCE: f64 = 4.0;

/// What the evidence of an episode asks for, once a call has added to it. `is_harmful`: whether that
/// call shows an action, new to the agent, that can do more harm than reading what is stored.
///
/// What the history has not certified is not armed: without lines nothing is killed, and only harm is
/// fenced. An agent that is not known yet is not acted on at all; one that has just been deployed anew is
/// not killed, and only lines fence it: what is new then is mostly its new work.
pub fn verdict(
    evidence: &Evidence,
    measure: &Measure,
    standing: Standing,
    is_harmful: bool,
) -> Verdict {
    let score = evidence.score().log10();
    let stage = standing.stage();
    if stage == Stage::Immature && !is_harmful {
        return Verdict::Normal;
    }
    let told = if score >= ALERT { Verdict::Alert } else { Verdict::Normal };
    if !standing.maturity.is_armed() {
        return told;
    }
    match measure.lines {
        Some(lines) => {
            // An agent without a history of its own is not killed.
            let highest = measure.highest.unwrap_or(Score::MAX);
            let most = match standing.maturity.is_armed_to_kill() && !standing.in_grace {
                true => Verdict::Kill,
                false => Verdict::Fence,
            };
            let verdict = lines.verdict(evidence, highest).min(most);
            if lines.of(Verdict::Alert).is_some() { verdict } else { verdict.max(told) }
        }
        None if is_harmful && score >= FENCE && stage == Stage::Mature && !standing.in_grace => {
            Verdict::Fence
        }
        None => told,
    }
}

#[cfg(test)]
mod tests {
    use tripline_baseline::{Discoveries, Family, Maturity};
    use tripline_iam::{AccessLevel, Risk};
    use tripline_text::Untrusted;

    use super::*;
    use crate::calibration::{Budgets, Calibration};
    use crate::evidence::Chain;
    use crate::novelty::tests::{action, around};

    const MATURE: Maturity =
        Maturity { episodes: 4_212, days: 60, draws: 40_000, news: 60, is_whole: true };

    fn standing(maturity: Maturity, in_grace: bool) -> Standing {
        Standing { maturity, in_grace }
    }

    /// A calm agent that comes from elsewhere and asks for credentials.
    fn theft() -> Evidence {
        let found = Discoveries {
            came: [4_000.0, 40.0, 16.0, 10.0],
            went_on: [40.0, 16.0, 6.0, 4.0],
            by_family: [30.0, 30.0, 1.0, 2.0, 4.0, 20.0, 3.0],
        };
        let chain = Chain::new(&found, None);
        let mut evidence = Evidence::default();
        for one in [
            around(Family::Network),
            around(Family::UserAgent),
            action(AccessLevel::Read, &[Risk::CredentialExposure]),
        ] {
            evidence.add(&one, &chain);
        }
        evidence
    }

    fn lines(days: u32) -> Lines {
        let mut calibration = Calibration::default();
        let zero = std::iter::once((Score::default(), u64::from(days)));
        calibration.add(&Untrusted::borrowed("agent"), days, u64::from(days) * 14, zero);
        Lines::draw(&calibration, &Budgets::default())
    }

    #[test]
    fn only_what_is_certified_kills() {
        let mature = standing(MATURE, false);
        let judged = |lines, highest| verdict(&theft(), &Measure { lines, highest }, mature, true);
        assert_eq!(judged(None, Some(Score::default())), Verdict::Fence);
        assert_eq!(judged(Some(lines(30)), Some(Score::default())), Verdict::Fence);
        assert_eq!(judged(Some(lines(3_000)), Some(Score::default())), Verdict::Kill);
        assert_eq!(judged(Some(lines(3_000)), None), Verdict::Fence);
        assert_eq!(judged(Some(lines(3_000)), Some(Score::of(9.0))), Verdict::Fence);
    }

    #[test]
    fn nobody_is_acted_on_while_it_is_learned_or_killed_while_it_is_deployed() {
        let measure = Measure { lines: Some(lines(3_000)), highest: Some(Score::default()) };
        let learning = Maturity { episodes: 41, days: 9, draws: 900, news: 2, ..MATURE };
        let immature = Maturity { episodes: 12, ..learning };
        let judged = |maturity, in_grace, is_harmful| {
            verdict(&theft(), &measure, standing(maturity, in_grace), is_harmful)
        };
        assert_eq!(judged(learning, false, true), Verdict::Fence, "known well enough for that");
        assert_eq!(judged(MATURE, true, true), Verdict::Fence);
        let unlined = Measure { lines: None, ..measure };
        assert_eq!(verdict(&theft(), &unlined, standing(MATURE, true), true), Verdict::Alert);
        assert_eq!(judged(immature, false, true), Verdict::Alert);
        assert_eq!(judged(immature, false, false), Verdict::Normal);
        let none = Evidence::default();
        assert_eq!(verdict(&none, &measure, standing(MATURE, false), true), Verdict::Normal);
    }
}
