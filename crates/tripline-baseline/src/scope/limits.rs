//! The pace that a scope allows.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::EventTime;
use tripline_text::Untrusted;

use super::breach::{Breach, Feature};

/// `[limits]` of a scope; what is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls within one minute of the clock.
    pub calls_per_minute: Option<NonZeroU32>,
    /// Calls within one hour of the clock.
    pub calls_per_hour: Option<NonZeroU32>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The stretch of time that a limit counts over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Window {
    /// `floor(unix seconds / 60)`.
    Minute,
    /// `floor(unix seconds / 3600)`.
    Hour,
}

impl Window {
    fn bucket(self, time: EventTime) -> i64 {
        match self {
            Self::Minute => time.unix_secs() / 60,
            Self::Hour => time.unix_secs() / 3_600,
        }
    }
}

/// A limit, at the first call that goes over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exceeded {
    /// Which of the limits.
    pub window: Window,
    /// How many calls it allows.
    pub limit: NonZeroU32,
}

impl Exceeded {
    /// The same as a breach of the scope.
    pub fn breach(self) -> Breach {
        let (value, window) = match self.window {
            Window::Minute => ("calls_per_minute", "minute"),
            Window::Hour => ("calls_per_hour", "hour"),
        };
        Breach {
            feature: Feature::Limit,
            value: Untrusted::borrowed(value),
            detail: format!(
                "more than the {} calls in one {window} that the scope declares",
                self.limit
            ),
        }
    }
}

/// Counts the calls of one agent against its [`Limits`].
///
/// Feed it the agent's calls in the order of time and event id. Buckets are those of the clock, not
/// sliding windows: which call is the first over the limit then depends on the set of calls alone,
/// not on where somebody began to count. Its size is fixed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitCounter {
    limits: Limits,
    minute: Count,
    hour: Count,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    bucket: i64,
    calls: u32,
}

impl LimitCounter {
    /// A counter that has seen nothing.
    pub fn new(limits: Limits) -> Self {
        Self { limits, minute: Count::default(), hour: Count::default() }
    }

    /// Counts a call; what comes out are the limits that this very call is the first to exceed in
    /// its bucket. A call that is older than the current bucket breaks the order and is not counted:
    /// replay from the start instead.
    pub fn count(&mut self, time: EventTime) -> impl Iterator<Item = Exceeded> + use<> {
        let minute = self.minute.count(Window::Minute, self.limits.calls_per_minute, time);
        let hour = self.hour.count(Window::Hour, self.limits.calls_per_hour, time);
        [minute, hour].into_iter().flatten()
    }
}

impl Count {
    fn count(
        &mut self,
        window: Window,
        limit: Option<NonZeroU32>,
        time: EventTime,
    ) -> Option<Exceeded> {
        let limit = limit?;
        let bucket = window.bucket(time);
        if bucket < self.bucket {
            return None;
        }
        if bucket > self.bucket {
            *self = Self { bucket, calls: 0 };
        }
        self.calls = self.calls.saturating_add(1);
        // Saturation cannot repeat the event: `limit + 1` is passed once on the way up.
        (self.calls.checked_sub(1) == Some(limit.get())).then_some(Exceeded { window, limit })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(minute: u32, hour: u32) -> Limits {
        Limits { calls_per_minute: NonZeroU32::new(minute), calls_per_hour: NonZeroU32::new(hour) }
    }

    fn exceeded(limits: Limits, secs: &[i64]) -> Vec<(usize, Window)> {
        let mut counter = LimitCounter::new(limits);
        let calls = secs.iter().map(|&secs| EventTime::from_unix_secs(secs).unwrap()).enumerate();
        calls
            .flat_map(|(at, time)| {
                counter.count(time).map(move |it| (at, it.window)).collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn the_first_call_over_a_limit_is_named_once_a_bucket() {
        assert_eq!(
            exceeded(limits(2, 0), &[0, 1, 59, 60, 61, 62, 63]),
            [(2, Window::Minute), (5, Window::Minute)]
        );
        assert_eq!(exceeded(limits(2, 2), &[0, 1, 2]), [(2, Window::Minute), (2, Window::Hour)]);
        assert_eq!(exceeded(limits(2, 0), &[0, 1]), []);
        assert_eq!(exceeded(Limits::default(), &[0, 0, 0, 0]), []);
    }

    #[test]
    fn the_breach_reads_well() {
        let exceeded = Exceeded { window: Window::Hour, limit: NonZeroU32::new(600).unwrap() };
        let breach = exceeded.breach();
        assert_eq!(breach.detail, "more than the 600 calls in one hour that the scope declares");
        assert_eq!(breach.value, "calls_per_hour");
    }

    proptest! {
        #[test]
        fn counting_agrees_with_grouping(mut secs in prop::collection::vec(0_i64..400, 0..60), limit in 1_u32..6) {
            secs.sort_unstable();
            let mut wanted = Vec::new();
            for minute in 0..7 {
                let calls = secs.iter().enumerate().filter(|(_, secs)| **secs / 60 == minute);
                wanted.extend(calls.map(|(at, _)| (at, Window::Minute)).nth(limit as usize));
            }
            prop_assert_eq!(exceeded(limits(limit, 0), &secs), wanted);
        }
    }
}
