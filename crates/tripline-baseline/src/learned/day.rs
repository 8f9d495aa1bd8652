//! Days, sets of days, and when something was first seen.

use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::EventTime;

const MINUTES: u32 = 24 * 60;

/// The last minute that has a text: 2106-02-07T06:28Z, where event times end.
pub(crate) const MINUTE_MAX: u32 = 71_582_788;

/// A day of the UTC calendar, as days since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(u32);

impl Day {
    /// The day of a time.
    pub fn of(time: EventTime) -> Self {
        Self::of_minute(super::family::minute_of(time))
    }

    /// The day of a minute since 1970.
    pub(crate) fn of_minute(minute: u32) -> Self {
        Self(minute.min(MINUTE_MAX) / MINUTES)
    }

    /// How many days lie between; 0 if `earlier` is later.
    pub fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    /// So many days before; the first day of all at the most.
    #[must_use]
    pub fn minus(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// The day after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// When it begins.
    pub fn start(self) -> EventTime {
        EventTime::EPOCH.plus_secs(i64::from(self.0) * 86_400)
    }

    /// Reads `2026-11-20`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let whole = text.len() == "2026-11-20".len() && text.is_ascii();
        time_that_begins(text).filter(|_| whole).map(Self::of)
    }
}

impl fmt::Display for Day {
    /// As `2026-11-20`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begins = self.0.min(MINUTE_MAX / MINUTES);
        Self(begins).start().as_text(|text| f.pad(text.get(..10).unwrap_or_default()))
    }
}

/// A minute as `2026-11-20T10:00Z`.
pub(crate) struct Minute(pub(crate) u32);

impl Minute {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let short = text
            .strip_suffix('Z')
            .filter(|short| short.len() == "2026-11-20T10:00".len() && short.is_ascii())?;
        time_that_begins(short).map(|time| Self(super::family::minute_of(time)))
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = EventTime::EPOCH.plus_secs(i64::from(self.0.min(MINUTE_MAX)) * 60);
        time.as_text(|text| f.write_str(text.get(..16).unwrap_or_default()))?;
        f.write_str("Z")
    }
}

/// The first time whose text begins so.
fn time_that_begins(text: &str) -> Option<EventTime> {
    let mut whole = *b"0000-00-00T00:00:00Z";
    whole.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    EventTime::parse(std::str::from_utf8(&whole).ok()?)
}

/// The days on which something was seen: the last of them exactly, and which of the 63 before it.
///
/// Merging is union; what is older than the window falls out whatever the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DaySet {
    last: Day,
    /// Bit `n`: the day `n` before `last`. The lowest is always set.
    bits: u64,
}

impl DaySet {
    pub(crate) fn of(day: Day) -> Self {
        Self { last: day, bits: 1 }
    }

    /// From stored parts; `None` if the last day itself is not in the set.
    pub(crate) fn from_parts(last: Day, bits: u64) -> Option<Self> {
        let from_1970 = bits.checked_shr(last.0.saturating_add(1)).unwrap_or(0) == 0;
        (bits & 1 == 1 && from_1970).then_some(Self { last, bits })
    }

    pub(crate) fn last(self) -> Day {
        self.last
    }

    pub(crate) fn bits(self) -> u64 {
        self.bits
    }

    /// How many days.
    pub(crate) fn count(self) -> u32 {
        self.bits.count_ones()
    }

    pub(crate) fn insert(&mut self, day: Day) {
        *self = self.union(Self::of(day));
    }

    pub(crate) fn union(self, other: Self) -> Self {
        let (new, old) = if self.last >= other.last { (self, other) } else { (other, self) };
        let moved = old.bits.checked_shl(new.last.since(old.last)).unwrap_or(0);
        Self { last: new.last, bits: new.bits | moved }
    }
}

/// The episode in which something was first seen: enough of it to tell which things were new
/// together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct First {
    pub(crate) minute: u32,
    /// The highest 16 bits of the root's hash.
    pub(crate) root: u16,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_and_minutes_read_as_written() {
        let day = Day::parse("2026-11-20").unwrap();
        assert_eq!(day.to_string(), "2026-11-20");
        assert_eq!(Minute::parse("2026-11-20T10:07Z").unwrap().to_string(), "2026-11-20T10:07Z");
        for text in ["", "2026-11-31", "2026-1-1", "20261120", "2026-11-20T", "٢٠٢٦٠"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
        assert_eq!(Minute(MINUTE_MAX).to_string(), "2106-02-07T06:28Z");
        assert_eq!(Minute::parse("2106-02-07T06:29Z").map(|minute| minute.0), None);
    }

    proptest! {
        #[test]
        fn a_set_of_days_is_that_of_any_order(mut days in prop::collection::vec(0_u32..200, 1..40), turn in 0_usize..40) {
            let set = |days: &[u32]| {
                let sets = days.iter().map(|&day| DaySet::of(Day(day)));
                sets.reduce(DaySet::union).unwrap()
            };
            let wanted = set(&days);
            let last = *days.iter().max().unwrap();
            let kept: std::collections::BTreeSet<u32> =
                days.iter().copied().filter(|day| last - day < 64).collect();
            prop_assert_eq!(wanted.count() as usize, kept.len());
            let turn = turn % days.len();
            days.rotate_left(turn);
            prop_assert_eq!(set(&days), wanted);
            prop_assert_eq!(DaySet::from_parts(wanted.last(), wanted.bits()), Some(wanted));
        }
    }
}
