//! Bounds of a share, exact whatever the share is.

use statrs::distribution::{Beta, ContinuousCDF};
use tripline_engine::Rate;

/// The share that `hits` of `trials` are, with the bounds of Clopper and Pearson (Biometrika 26, 1934)
/// at 95 %, two-sided: never narrower than promised. Of no trials nothing is known.
///
/// Hits beyond the trials count as all of them.
pub(super) fn clopper_pearson(hits: u64, trials: u64) -> Rate {
    let hits = hits.min(trials);
    let (hit, missed) = (hits as f64, (trials - hits) as f64);
    // A shape of zero is no distribution: there the bound is the end of the scale.
    let at = |a: f64, b: f64, p: f64| Beta::new(a, b).ok()?.try_inverse_cdf(p).ok();
    Rate {
        seen: if trials == 0 { 0.0 } else { hit / trials as f64 },
        low: at(hit, missed + 1.0, TAIL).unwrap_or(0.0),
        high: at(hit + 1.0, missed, 1.0 - TAIL).unwrap_or(1.0),
    }
}

/// What is left out at either end.
const TAIL: f64 = 0.025;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use statrs::distribution::{Binomial, DiscreteCDF};

    use super::*;

    #[test]
    fn the_bounds_are_the_published_ones() {
        let near = |found: Rate, low: f64, high: f64| {
            assert!((found.low - low).abs() < 5.1e-5, "{found:?}");
            assert!((found.high - high).abs() < 5.1e-5, "{found:?}");
        };
        // Newcombe, Statistics in Medicine 17 (1998), table I, "Clopper-Pearson".
        near(clopper_pearson(81, 263), 0.2527, 0.3676);
        near(clopper_pearson(15, 148), 0.0578, 0.1617);
        near(clopper_pearson(0, 20), 0.0, 0.1684);
        near(clopper_pearson(1, 29), 0.0009, 0.1776);
        // Without a hit, and with nothing else, they have a closed form: the tail's n-th root.
        near(clopper_pearson(0, 100), 0.0, 1.0 - 0.025_f64.powf(0.01));
        near(clopper_pearson(100, 100), 0.025_f64.powf(0.01), 1.0);
        // Of nothing nothing is known.
        near(clopper_pearson(0, 0), 0.0, 1.0);
    }

    proptest! {
        /// What the bounds are defined by: at either of them, the tail that was seen is just likely
        /// enough.
        #[test]
        fn bounds_are_where_the_binomial_says(trials in 1_u64..300_000, share in 0.0_f64..1.0) {
            let hits = (share.powi(6) * trials as f64) as u64;
            let Rate { seen, low, high } = clopper_pearson(hits, trials);
            prop_assert!(low <= seen && seen <= high);
            if hits < trials {
                let at_most = Binomial::new(high, trials).unwrap().cdf(hits);
                prop_assert!((at_most / TAIL - 1.0).abs() < 1e-3, "{at_most}");
            }
            if hits > 0 {
                let at_least = Binomial::new(low, trials).unwrap().sf(hits - 1);
                prop_assert!((at_least / TAIL - 1.0).abs() < 1e-3, "{at_least}");
            }
        }
    }
}
