//! A verdict and what it rests on.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tripline_baseline::{Breach, Feature};
use tripline_text::Untrusted;

use crate::invariant::Broken;
use crate::verdict::Verdict;

/// The verdict on one call, with its reasons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// What the call asks for.
    pub verdict: Verdict,
    /// The evidence of the episode so far, log10; `None` while no statistical model exists.
    pub score: Option<f64>,
    /// Why, strongest first; the order does not depend on the order of the inputs.
    pub reasons: Vec<Reason>,
}

/// One ground of a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// The verdict that this reason alone would give.
    pub verdict: Verdict,
    /// What it is about.
    pub feature: Feature,
    /// What the call had there.
    #[serde(with = "tripline_text::stored")]
    pub value: Untrusted<'static>,
    /// The share of the evidence, log10: 0 for rules, which need none.
    pub weight: f64,
    /// A sentence for a person, made of our own words, numbers and validated identifiers only.
    pub detail: String,
    /// The id of the broken invariant.
    pub invariant: Option<Cow<'static, str>>,
    /// The MITRE ATT&CK technique, such as `T1562.008`.
    pub technique: Option<Cow<'static, str>>,
}

/// The assessment of a call by rules alone: a broken invariant has its own verdict, a breach of the
/// scope is a fence, and the strongest of them is the verdict of the call.
pub fn assess(broken: &[Broken], breaches: &[Breach]) -> Assessment {
    let broken = broken.iter().map(Reason::of_broken);
    Assessment::of(broken.chain(breaches.iter().map(Reason::of_breach)).collect())
}

impl Assessment {
    /// The assessment that these reasons make, whatever order they come in.
    pub fn of(mut reasons: Vec<Reason>) -> Self {
        reasons.sort_by(|one, other| {
            let by = |it: &Reason| (std::cmp::Reverse(it.verdict), it.feature);
            by(one)
                .cmp(&by(other))
                .then_with(|| one.value.cmp(&other.value))
                .then_with(|| one.invariant.cmp(&other.invariant))
                .then_with(|| one.detail.cmp(&other.detail))
        });
        reasons.dedup();
        let verdict = reasons.first().map_or(Verdict::Normal, |reason| reason.verdict);
        Assessment { verdict, score: None, reasons }
    }
}

impl Reason {
    fn of_broken(broken: &Broken) -> Self {
        Self {
            verdict: broken.verdict,
            feature: broken.feature,
            value: broken.value.clone(),
            weight: 0.0,
            detail: broken.detail.clone(),
            invariant: Some(Cow::Borrowed(broken.invariant.id)),
            technique: broken.invariant.technique.map(Cow::Borrowed),
        }
    }

    fn of_breach(breach: &Breach) -> Self {
        Self {
            verdict: Verdict::Fence,
            feature: breach.feature,
            value: breach.value.clone(),
            weight: 0.0,
            detail: breach.detail.clone(),
            invariant: None,
            technique: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::Invariant;

    fn broken(verdict: Verdict, value: &str) -> Broken {
        let invariant = Invariant::by_id("stop-trail").unwrap();
        let value = Untrusted::new(value.to_owned());
        Broken { invariant, verdict, feature: Feature::Invariant, value, detail: "why".to_owned() }
    }

    fn breach(feature: Feature, value: &str) -> Breach {
        Breach { feature, value: Untrusted::new(value.to_owned()), detail: "why".to_owned() }
    }

    #[test]
    fn nothing_is_normal() {
        assert_eq!(assess(&[], &[]), Assessment::default());
    }

    #[test]
    fn the_strongest_reason_decides_and_stands_first() {
        let assessment = assess(
            &[broken(Verdict::Alert, "a"), broken(Verdict::Kill, "b")],
            &[breach(Feature::Resource, "c"), breach(Feature::Action, "d")],
        );
        assert_eq!(assessment.verdict, Verdict::Kill);
        assert_eq!(assessment.score, None);
        let values: Vec<_> = assessment.reasons.iter().map(|it| it.value.as_unescaped()).collect();
        assert_eq!(values, ["b", "d", "c", "a"]);
        assert_eq!(assessment.reasons[0].technique.as_deref(), Some("T1562.008"));
        assert_eq!(assess(&[], &[breach(Feature::Limit, "")]).verdict, Verdict::Fence);
    }

    proptest! {
        #[test]
        fn the_order_of_reasons_is_that_of_none_of_the_inputs(
            mut ours in prop::collection::vec((select(&[Verdict::Alert, Verdict::Fence, Verdict::Kill]), "[ab]"), 0..5),
            mut theirs in prop::collection::vec((select(&[Feature::Never, Feature::Region]), "[ab]"), 0..5),
        ) {
            let assessed = |ours: &[(Verdict, String)], theirs: &[(Feature, String)]| {
                let broken: Vec<_> = ours.iter().map(|(verdict, value)| broken(*verdict, value)).collect();
                let breaches: Vec<_> = theirs.iter().map(|(feature, value)| breach(*feature, value)).collect();
                assess(&broken, &breaches)
            };
            let forward = assessed(&ours, &theirs);
            ours.reverse();
            theirs.reverse();
            prop_assert_eq!(forward, assessed(&ours, &theirs));
        }
    }
}
