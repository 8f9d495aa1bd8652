//! The statistics of the report.

use statrs::distribution::{Beta, Binomial, ContinuousCDF as _, DiscreteCDF as _};

/// Clopper's and Pearson's bounds of a share, both at 95 % together.
pub(crate) fn bounds(hits: u64, of: u64) -> (f64, f64) {
    let quantile = |a: u64, b: u64, p: f64| Beta::new(a as f64, b as f64).unwrap().inverse_cdf(p);
    let low = if hits == 0 { 0.0 } else { quantile(hits, of - hits + 1, 0.025) };
    let high = if hits == of { 1.0 } else { quantile(hits + 1, of - hits, 0.975) };
    (low, high)
}

/// The upper 95 % bound alone, as a rate per `per`, of so many events in so many trials.
pub(crate) fn upper(hits: u64, of: u64, per: f64) -> f64 {
    let share = if hits >= of {
        1.0
    } else {
        Beta::new(hits as f64 + 1.0, (of - hits) as f64).unwrap().inverse_cdf(0.95)
    };
    share * of as f64 / per
}

/// The line that at most `allowed` of the scores are above.
pub(crate) fn line(scores: &mut [f64], allowed: usize) -> f64 {
    scores.sort_by(|one, other| other.total_cmp(one));
    scores.get(allowed).copied().unwrap_or(0.0)
}

/// A quantile of numbers in order; none of none.
pub(crate) fn quantile(sorted: &[u32], share: f64) -> Option<u32> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).ceil() as usize).copied()
}

/// How likely an even chance for each is to bring so many of the runs that only one of two methods caught to
/// the other one, or more: the exact test for pairs, one-sided (McNemar, Psychometrika 12, 1947).
pub(crate) fn chance_of_more(only_one: u64, only_other: u64) -> f64 {
    let even = Binomial::new(0.5, only_one + only_other).unwrap();
    only_other.checked_sub(1).map_or(1.0, |fewer| even.sf(fewer))
}
