//! The statistics of the report.

use statrs::distribution::{Beta, ContinuousCDF as _};

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

/// Whether one share is below another, at 95 % confidence (two samples, normal approximation).
pub(crate) fn is_below(hits: usize, of: usize, other_hits: usize, other_of: usize) -> bool {
    let (one, other) = (hits as f64 / of as f64, other_hits as f64 / other_of as f64);
    let both = (hits + other_hits) as f64 / (of + other_of) as f64;
    let deviation = (both * (1.0 - both) * (1.0 / of as f64 + 1.0 / other_of as f64)).sqrt();
    deviation > 0.0 && (other - one) / deviation > 1.645
}
