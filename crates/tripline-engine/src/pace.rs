//! The pace of an episode against the paces that were learned.

use tripline_baseline::{Known, RateClass, RateClasses, RateWindow};
use tripline_cloudtrail::EventTime;

/// A pace above every one that was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) window: RateWindow,
    pub(crate) class: RateClass,
    pub(crate) count: u64,
    pub(crate) limit: u64,
}

/// How much was done in the current bucket of each window, in one episode. Calls come in order of
/// time.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    buckets: [i64; RateWindow::COUNT],
    counts: [[u64; RateClass::COUNT]; RateWindow::COUNT],
    /// Where the next word is due: not before the excess has grown by a quarter.
    told: [[u64; RateClass::COUNT]; RateWindow::COUNT],
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            buckets: [i64::MIN; RateWindow::COUNT],
            counts: Default::default(),
            told: Default::default(),
        }
    }
}

impl Pace {
    /// Counts a call; the excess that is most out of proportion, if there is a new one.
    pub(crate) fn note(
        &mut self,
        known: &Known,
        time: EventTime,
        classes: RateClasses,
        bytes_out: u64,
    ) -> Option<Exceeded> {
        let mut worst: Option<Exceeded> = None;
        let windows = RateWindow::ALL.into_iter().zip(&mut self.buckets);
        let counters = self.counts.iter_mut().zip(&mut self.told);
        for ((window, bucket), (counts, told)) in windows.zip(counters) {
            let now = window.bucket(time.unix_secs());
            if *bucket != now {
                *bucket = now;
                *counts = Default::default();
            }
            for ((class, count), told) in RateClass::ALL.into_iter().zip(counts).zip(told) {
                let more = match class {
                    RateClass::Bytes => bytes_out,
                    class => u64::from(classes.has(class)),
                };
                *count += more;
                let count = *count;
                // What did not grow was held against its limit when it last did.
                if more == 0 || count <= *told {
                    continue;
                }
                let Some(limit) = known.limit(window, class).filter(|limit| count > *limit) else {
                    continue;
                };
                *told = count.saturating_add(count / 4);
                let exceeded = Exceeded { window, class, count, limit };
                // Compared by cross-multiplication; of equals the shortest window.
                let is_worse = |worst: &Exceeded| {
                    u128::from(exceeded.count) * u128::from(worst.limit.max(1))
                        > u128::from(worst.count) * u128::from(limit.max(1))
                };
                if worst.as_ref().is_none_or(is_worse) {
                    worst = Some(exceeded);
                }
            }
        }
        worst
    }
}
