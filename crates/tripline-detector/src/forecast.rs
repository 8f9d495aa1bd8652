//! The model's lock of a kill: how high the model itself expects benign episodes to come.
//!
//! That evidence passes `1/α` in a share of at most `α` of benign episodes (Ville) is a bound, and a
//! loose one: where an intruder's novelties are seen for what they are, evidence does not stop at the
//! line but jumps far over it, so that the line is passed more seldom than the bound allows. By the
//! model, the chance of reaching a line is the average of `1/E` over the ways in which it is reached.
//! Drawing episodes from the model and counting gives that chance itself: under the same assumption as
//! the bound, that the model is right, and without its slack.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evidence::{ONE_PACE, PACE_SHARE, Score};

/// Where episodes ended up that were drawn from the model, by what [counts for a
/// kill](crate::Evidence::killing).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// How many of a million episodes show anything new.
    novel_per_million: u32,
    /// Episodes that do, as drawn, by the highest that they came to.
    scores: BTreeMap<Score, u64>,
}

impl Forecast {
    /// From episodes that show something new, each by the highest that it came to, and the share of
    /// those in all.
    pub fn new(novel_share: f64, highest: impl IntoIterator<Item = Score>) -> Self {
        let mut scores = BTreeMap::new();
        highest.into_iter().for_each(|score| *scores.entry(score).or_default() += 1);
        // In range by the clamp.
        let novel_per_million = libm::ceil(novel_share.clamp(0.0, 1.0) * 1e6) as u32;
        Self { novel_per_million, scores }
    }

    /// Whether there is a model that this may be of.
    pub(crate) fn is_sound(&self) -> bool {
        let drawn = self.scores.values().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        self.novel_per_million <= 1_000_000 && drawn.is_some()
    }

    /// The chance that a benign episode comes as high as this, if the model is right: two standard errors
    /// above what was counted, since it was drawn.
    pub fn chance(&self, score: Score) -> f64 {
        let sum = |counts: &mut dyn Iterator<Item = &u64>| {
            counts.fold(0_u64, |sum, count| sum.saturating_add(*count)) as f64
        };
        let drawn = sum(&mut self.scores.values());
        let reaching = sum(&mut self.scores.range(score..).map(|(_, count)| count));
        let most = (reaching + 2.0 * libm::sqrt(reaching) + 1.0).min(drawn + 1.0);
        let novel = f64::from(self.novel_per_million) / 1e6;
        // Of an episode that shows nothing new there is only the pace, and it is alone.
        let of_pace = libm::exp10(PACE_SHARE - ONE_PACE - score.log10());
        novel * most / (drawn + 1.0) + (1.0 - novel) * of_pace
    }

    /// The lowest score that benign episodes reach with a chance of at most `share`, if the model is
    /// right; [`Score::MAX`] where none is as rare.
    pub fn line(&self, share: f64) -> Score {
        let (mut low, mut high) = (0, Score::MAX.hundredths());
        while low < high {
            let middle = low.midpoint(high);
            let score = Score::from_hundredths(middle).unwrap_or(Score::MAX);
            if self.chance(score) <= share { high = middle } else { low = middle + 1 }
        }
        Score::from_hundredths(low).unwrap_or(Score::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_as_rare_as_it_says() {
        // Of a thousand novel episodes, two in a hundred of all, ten come to 3.00 and one to 5.00.
        let of = |hundredths, count| {
            std::iter::repeat_n(Score::from_hundredths(hundredths).unwrap(), count)
        };
        let forecast = Forecast::new(0.02, of(120, 989).chain(of(300, 10)).chain(of(500, 1)));
        let line = forecast.line(5e-4);
        assert!(line > Score::of(1.2) && line <= Score::of(3.0), "{line}");
        assert!(forecast.line(1e-4) > Score::of(3.0));
        assert!(
            (forecast.chance(Score::of(3.0))
                - (0.02 * (12.0 + 2.0 * 11.0_f64.sqrt()) / 1_001.0 + 0.98e-3 * 0.03))
                .abs()
                < 1e-6
        );
        assert_eq!(forecast.line(0.0), Score::MAX);
        // Without any news there are paces, and they are calibrated by themselves.
        let calm = Forecast::new(0.0, []);
        assert_eq!(calm.line(1e-4), Score::of(4.0 - ONE_PACE + PACE_SHARE));
    }

    proptest! {
        #[test]
        fn rarer_is_higher(scores in prop::collection::vec(0_u16..600, 0..200), share in 1e-6_f64..1.0) {
            let scores = scores.into_iter().map(|it| Score::from_hundredths(it).unwrap());
            let forecast = Forecast::new(0.03, scores);
            let line = forecast.line(share);
            prop_assert!(line == Score::MAX || forecast.chance(line) <= share);
            prop_assert!(forecast.line(share / 2.0) >= line);
            if let Some(lower) = line.hundredths().checked_sub(1).and_then(Score::from_hundredths) {
                prop_assert!(forecast.chance(lower) > share);
            }
        }
    }
}
