//! The pace of an agent: how many calls, of which kind, in which stretch of time.

use std::fmt;

use crate::touched::Touched;

/// What is counted. A call counts as [`Self::All`] and as some of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateClass {
    /// Every call.
    All,
    /// Calls that list or read.
    Read,
    /// Calls that read what customers store.
    Data,
    /// Calls that change something.
    Write,
    /// Calls that change who may do what.
    Permissions,
    /// Calls that failed.
    Error,
    /// Not calls but bytes that went out.
    Bytes,
    /// Not calls but what was touched for the first time in the episode, each at the earliest of its
    /// times: late and repeated deliveries change nothing.
    Resources,
}

impl RateClass {
    /// How many there are.
    pub const COUNT: usize = 8;

    /// All of them, in the order of the stored text.
    pub const ALL: [Self; Self::COUNT] = [
        Self::All,
        Self::Read,
        Self::Data,
        Self::Write,
        Self::Permissions,
        Self::Error,
        Self::Bytes,
        Self::Resources,
    ];

    /// The name in stored text.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Read => "read",
            Self::Data => "data",
            Self::Write => "write",
            Self::Permissions => "permissions",
            Self::Error => "error",
            Self::Bytes => "bytes",
            Self::Resources => "resources",
        }
    }

    /// The class of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

impl fmt::Display for RateClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The classes that one call counts as; [`RateClass::All`] is always one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateClasses(u8);

impl Default for RateClasses {
    fn default() -> Self {
        Self(1 << RateClass::All as u8)
    }
}

impl RateClasses {
    /// Also as `class`. [`RateClass::Bytes`] and [`RateClass::Resources`] are none of calls and change
    /// nothing.
    #[must_use]
    pub fn with(self, class: RateClass) -> Self {
        match class {
            RateClass::Bytes | RateClass::Resources => self,
            class => Self(self.0 | 1 << class as u8),
        }
    }

    /// Whether `class` is one of them.
    pub fn has(self, class: RateClass) -> bool {
        self.0 & 1 << class as u8 != 0
    }
}

/// All that is counted of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// As what it counts.
    pub classes: RateClasses,
    /// How many bytes went out, where that is known.
    pub bytes_out: Option<u64>,
    /// What it touched.
    pub touched: Touched,
}

impl Counts {
    /// By how much a class grows; `is_new` says whether the episode had not touched before what this
    /// call touches.
    #[inline]
    pub fn of(&self, class: RateClass, is_new: bool) -> u64 {
        match class {
            RateClass::Bytes => self.bytes_out.unwrap_or(0),
            RateClass::Resources => u64::from(is_new),
            class => u64::from(self.classes.has(class)),
        }
    }
}

/// The stretch of time that is counted over: buckets of the clock, `floor(time / length)`, so that a
/// late call only raises an old bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateWindow {
    /// One second.
    Second,
    /// Ten seconds.
    TenSeconds,
    /// One minute.
    Minute,
    /// Ten minutes.
    TenMinutes,
    /// One hour.
    Hour,
    /// The whole episode.
    Episode,
}

impl RateWindow {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// All of them, in the order of the stored text.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Second, Self::TenSeconds, Self::Minute, Self::TenMinutes, Self::Hour, Self::Episode];

    /// The name in stored text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "1s",
            Self::TenSeconds => "10s",
            Self::Minute => "1m",
            Self::TenMinutes => "10m",
            Self::Hour => "1h",
            Self::Episode => "episode",
        }
    }

    /// The window of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.name() == name)
    }

    /// The number of the bucket of a time in seconds since 1970; an episode is one bucket.
    pub fn bucket(self, unix_secs: i64) -> i64 {
        match self {
            Self::Second => unix_secs,
            Self::TenSeconds => unix_secs / 10,
            Self::Minute => unix_secs / 60,
            Self::TenMinutes => unix_secs / 600,
            Self::Hour => unix_secs / 3_600,
            Self::Episode => 0,
        }
    }
}

impl fmt::Display for RateWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A pace: what, and over which window.
pub(crate) type Pace = (RateWindow, RateClass);

/// A peak of twice the highest is never taken to be rarer than one in sixteen of those.
const INDEX_MIN: f64 = 0.25;

/// The peaks of episodes: how often the busiest bucket of an episode held about so much.
///
/// Eight sub-buckets an octave, so a peak is known to an eighth; the highest one is exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PeakHistogram {
    max: u64,
    /// `(bucket, episodes)`, in order: mostly a few dozen, and never more than there are buckets, 496.
    buckets: Vec<(u16, u32)>,
}

impl PeakHistogram {
    /// From stored parts: the highest peak, and `(lowest value of the bucket, episodes)` in order.
    pub(crate) fn from_parts(max: u64, parts: &[(u64, u32)]) -> Option<Self> {
        let buckets: Vec<(u16, u32)> =
            parts.iter().map(|&(low, episodes)| (bucket_of(low), episodes)).collect();
        let begins = |(&(low, episodes), &(bucket, _)): (&(u64, u32), &(u16, u32))| {
            low > 0 && low == low_of(bucket) && episodes > 0
        };
        let fits = parts.iter().zip(&buckets).all(begins)
            && buckets.is_sorted_by(|(one, _), (other, _)| one < other)
            && buckets.last().is_some_and(|(last, _)| *last == bucket_of(max));
        fits.then_some(Self { max, buckets })
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// `(lowest value of the bucket, episodes)`, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u64, u32)> {
        self.buckets.iter().map(|&(bucket, episodes)| (low_of(bucket), episodes))
    }

    /// How many episodes had any.
    pub(crate) fn episodes(&self) -> u32 {
        self.buckets.iter().fold(0, |sum, (_, episodes)| sum.saturating_add(*episodes))
    }

    /// Counts the peak of one episode; none at all is not counted.
    pub(crate) fn add(&mut self, peak: u64) {
        if peak > 0 {
            self.add_many(bucket_of(peak), 1);
            self.max = self.max.max(peak);
        }
    }

    fn add_many(&mut self, bucket: u16, episodes: u32) {
        self.change(bucket, |count| count.saturating_add(episodes));
    }

    /// Changes how many episodes a bucket has, from none where it is not there yet.
    fn change(&mut self, bucket: u16, to: impl FnOnce(u32) -> u32) {
        let at = self.buckets.partition_point(|(it, _)| *it < bucket);
        match self.buckets.get_mut(at) {
            Some((it, count)) if *it == bucket => *count = to(*count),
            _ => self.buckets.insert(at, (bucket, to(0))),
        }
    }

    /// The two of disjoint histories together.
    pub(crate) fn add_all(&mut self, other: &Self) {
        for &(bucket, episodes) in &other.buckets {
            self.add_many(bucket, episodes);
        }
        self.max = self.max.max(other.max);
    }

    /// The two of histories that may overlap: the larger count of each bucket.
    pub(crate) fn widen(&mut self, other: &Self) {
        for &(bucket, episodes) in &other.buckets {
            self.change(bucket, |count| count.max(episodes));
        }
        self.max = self.max.max(other.max);
    }

    /// Nothing above `limit`: what is above counts as `limit`; a limit of 0 leaves nothing.
    pub(crate) fn clip(&mut self, limit: u64) {
        if self.max <= limit {
            return;
        }
        let top = bucket_of(limit);
        let above = self.buckets.split_off(self.buckets.partition_point(|(it, _)| *it <= top));
        self.max = limit;
        if limit == 0 {
            self.buckets.clear();
            return;
        }
        above.into_iter().for_each(|(_, episodes)| self.add_many(top, episodes));
    }

    /// The index of a Pareto tail: Hill's estimate over the highest twentieth of the peaks, and not
    /// less than what so few of them can tell.
    pub(crate) fn tail_index(&self) -> f64 {
        let episodes = f64::from(self.episodes().max(1));
        let wanted = (episodes / 20.0).max(1.0);
        let (mut seen, mut sum, mut from) = (0.0, 0.0, self.max);
        for (low, count) in self.buckets.iter().rev().map(|&(it, count)| (low_of(it), count)) {
            from = low.max(1);
            if seen >= wanted {
                break;
            }
            seen += f64::from(count);
            sum += f64::from(count) * libm::log(low.max(1) as f64);
        }
        let hill = (sum / seen.max(1.0) - libm::log(from as f64)).max(0.0);
        hill.max(INDEX_MIN).max(1.5 / episodes.sqrt())
    }

    /// Only the highest bucket, for texts that would be too large.
    pub(crate) fn flatten(&mut self) {
        let episodes = self.episodes();
        self.buckets.clear();
        if episodes > 0 {
            self.add_many(bucket_of(self.max), episodes);
        }
    }
}

/// Below 16 the value itself, above it eight buckets for each doubling.
fn bucket_of(value: u64) -> u16 {
    let exponent = value.checked_ilog2().unwrap_or(0);
    if exponent <= 3 {
        return u16::try_from(value).unwrap_or(0);
    }
    let eighth = value >> (exponent - 3) & 7;
    u16::try_from(u64::from(exponent - 2) * 8 + eighth).unwrap_or(u16::MAX)
}

/// The lowest value of a bucket.
fn low_of(bucket: u16) -> u64 {
    if bucket < 16 {
        return u64::from(bucket);
    }
    (8 + u64::from(bucket % 8)) << (bucket / 8 - 1)
}

/// A learned pace as a limit that a person understands, in the form of a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What is counted.
    pub class: RateClass,
    /// The most in ten seconds.
    pub burst: u64,
    /// The most in an hour: the rate at which the bucket refills.
    pub per_hour: u64,
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.class {
            RateClass::All => "calls",
            RateClass::Read => "reading calls",
            RateClass::Data => "calls that read stored data",
            RateClass::Write => "writing calls",
            RateClass::Permissions => "calls on permissions",
            RateClass::Error => "failing calls",
            RateClass::Bytes => "bytes out",
            RateClass::Resources => "different resources",
        };
        write!(f, "{what}: at most {} in 10 s, {} in an hour", self.burst, self.per_hour)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_peaks_are_exact_and_large_ones_known_to_an_eighth() {
        for value in 1..16 {
            assert_eq!(low_of(bucket_of(value)), value);
        }
        assert_eq!((bucket_of(16), bucket_of(17), bucket_of(18), bucket_of(32)), (16, 16, 17, 24));
        assert_eq!(low_of(bucket_of(u64::MAX)), 15 << 60);
    }

    #[test]
    fn the_burstier_the_agent_the_heavier_its_tail() {
        let index = |peaks: &mut dyn Iterator<Item = u64>| {
            let mut histogram = PeakHistogram::default();
            peaks.for_each(|peak| histogram.add(peak));
            histogram.tail_index()
        };
        // Never a different peak: as calm as it is ever taken to be, once that is seen often enough.
        assert_eq!(index(&mut (0..400).map(|_| 40)), INDEX_MIN);
        assert!(index(&mut (0..4).map(|_| 40)) > 0.7);
        // Peaks of a Pareto law of index 1: the n-th of N is N / n.
        let heavy = index(&mut (1..=2_000).map(|n| 20_000 / n));
        assert!((0.7..1.3).contains(&heavy), "{heavy}");
    }

    #[test]
    fn nothing_stays_above_a_clip() {
        let mut peaks = PeakHistogram::default();
        [3, 100, 1_000].into_iter().for_each(|peak| peaks.add(peak));
        peaks.clip(100);
        assert_eq!((peaks.max(), peaks.episodes()), (100, 3));
        assert_eq!(peaks.parts().collect::<Vec<_>>(), [(3, 1), (96, 2)]);
        peaks.clip(0);
        assert_eq!(peaks, PeakHistogram::default());
    }

    proptest! {
        #[test]
        fn buckets_are_in_order_and_an_eighth_wide(value in 1_u64.., step in 0_u64..1_000_000) {
            let low = low_of(bucket_of(value));
            prop_assert!(low <= value && value - low <= value / 8);
            prop_assert!(bucket_of(value) <= bucket_of(value.saturating_add(step)));
        }

        #[test]
        fn clipping_leaves_what_parses(peaks in prop::collection::vec(1_u64..5_000, 1..20), limit in 1_u64..6_000) {
            let mut histogram = PeakHistogram::default();
            peaks.iter().for_each(|&peak| histogram.add(peak));
            histogram.clip(limit);
            prop_assert_eq!(histogram.episodes() as usize, peaks.len());
            let parts: Vec<_> = histogram.parts().collect();
            prop_assert_eq!(PeakHistogram::from_parts(histogram.max(), &parts), Some(histogram));
        }
    }
}
