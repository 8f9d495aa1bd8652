//! The pace of an episode against the paces that were learned.

use tripline_baseline::{Counts, Known, RateClass, RateWindow, TouchedSet};
use tripline_cloudtrail::EventTime;

/// A pace above every one that was learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) window: RateWindow,
    pub(crate) class: RateClass,
    pub(crate) count: u64,
    pub(crate) limit: u64,
}

impl Exceeded {
    /// The number of its window and class among all pairs of them.
    pub(crate) fn nth(&self) -> u16 {
        // INVARIANT: there are six windows and eight classes.
        (self.window as u16) * RateClass::COUNT as u16 + self.class as u16
    }

    /// Whether it is more out of proportion; of equals the shorter window.
    fn is_worse_than(&self, other: &Self) -> bool {
        // Compared by cross-multiplication.
        let [mine, theirs] = [(self, other), (other, self)]
            .map(|(one, other)| u128::from(one.count) * u128::from(other.limit.max(1)));
        let first = (self.window, self.class) < (other.window, other.class);
        mine > theirs || mine == theirs && first
    }
}

/// Paces above every one that was learned, all of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    /// The one that is most out of proportion: what is told.
    pub(crate) worst: Exceeded,
    /// All of them.
    pub(crate) all: Vec<Exceeded>,
}

/// How much was done in the current bucket of each window, in one episode. Calls come in order of
/// time.
///
/// Laid out by class: a call counts as two or three of the eight, and need not touch the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    classes: [[Count; RateWindow::COUNT]; RateClass::COUNT],
    touched: TouchedSet,
}

/// What was done of one class in the current bucket of one window.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    bucket: i64,
    count: u64,
    /// Up to here there is nothing to tell: below the limit, or before the excess has grown by a quarter.
    told: u64,
}

impl Count {
    /// Counts more; the count and the limit, if a word is due. The limit is always the same one.
    #[inline]
    fn add(
        &mut self,
        bucket: i64,
        more: u64,
        limit: impl FnOnce() -> Option<u64>,
    ) -> Option<(u64, u64)> {
        if self.bucket != bucket {
            (self.bucket, self.count) = (bucket, 0);
        }
        self.count = self.count.saturating_add(more);
        if self.count <= self.told {
            return None;
        }
        let limit = limit().unwrap_or(u64::MAX);
        if self.count <= limit {
            self.told = limit;
            return None;
        }
        self.told = self.count.saturating_add(self.count / 4);
        Some((self.count, limit))
    }
}

impl Pace {
    /// Counts a call; the excesses that are new, if there are any.
    pub(crate) fn note(
        &mut self,
        known: &Known,
        time: EventTime,
        counts: &Counts,
    ) -> Option<Excess> {
        let windows = RateWindow::ALL.map(|window| (window, window.bucket(time.unix_secs())));
        let is_new = self.touched.insert(counts.touched);
        let mut excess: Option<Excess> = None;
        for (&class, running) in RateClass::ALL.iter().zip(&mut self.classes) {
            let more = counts.of(class, is_new);
            // What does not grow was held against its limit when it last did.
            if more == 0 {
                continue;
            }
            for (&(window, bucket), count) in windows.iter().zip(running) {
                let due = count.add(bucket, more, || known.limit(window, class));
                let exceeded = due.map(|(count, limit)| Exceeded { window, class, count, limit });
                let Some(exceeded) = exceeded else { continue };
                let excess =
                    excess.get_or_insert_with(|| Excess { worst: exceeded, all: Vec::new() });
                if exceeded.is_worse_than(&excess.worst) {
                    excess.worst = exceeded;
                }
                excess.all.push(exceeded);
            }
        }
        excess
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_is_due_above_the_limit_and_again_when_a_quarter_came_on_top(
            added in prop::collection::vec((0_i64..4, 1_u64..6), 1..60),
            limit in prop::option::of(0_u64..12),
        ) {
            let mut added = added;
            added.sort_by_key(|(bucket, _)| *bucket);
            let mut count = Count::default();
            let (mut in_bucket, mut last, mut told) = (0, None, 0);
            for (bucket, more) in added {
                in_bucket = if last == Some(bucket) { in_bucket + more } else { more };
                last = Some(bucket);
                let due = limit.filter(|limit| in_bucket > *limit && in_bucket > told);
                told = due.map_or(told, |_| in_bucket + in_bucket / 4);
                let wanted = due.map(|limit| (in_bucket, limit));
                prop_assert_eq!(count.add(bucket, more, || limit), wanted);
            }
        }
    }

    #[test]
    fn amounts_beyond_all_bounds_are_counted_as_the_largest() {
        let mut count = Count::default();
        count.add(0, u64::MAX - 1, || Some(5));
        assert_eq!((count.add(0, u64::MAX - 1, || Some(5)), count.count), (None, u64::MAX));
    }

    #[test]
    fn of_two_excesses_the_greater_counts_and_of_equals_the_shorter_window() {
        let [minute, hour] = [RateWindow::Minute, RateWindow::Hour];
        let exceeded =
            |window, count, limit| Exceeded { window, class: RateClass::All, count, limit };
        assert!(exceeded(hour, 30, 10).is_worse_than(&exceeded(minute, 20, 10)));
        assert!(exceeded(minute, 20, 10).is_worse_than(&exceeded(hour, 40, 20)));
        assert!(!exceeded(hour, 40, 20).is_worse_than(&exceeded(minute, 20, 10)));
        // Where nothing is normal, any count is out of proportion.
        assert!(exceeded(hour, 3, 0).is_worse_than(&exceeded(minute, 20, 10)));
    }
}
