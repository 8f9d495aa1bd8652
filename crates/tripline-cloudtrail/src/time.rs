//! Event times: whole seconds UTC, CloudTrail's own resolution.

use std::fmt;
use std::num::NonZeroU32;

use jiff::{Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// A time in whole seconds since 1970-01-01T00:00:00Z.
///
/// `eventTime` is when the request *completed*, by the clock of the service's host, to the second:
/// 91 % of real events share their second with another, so times alone order nothing.
/// Source: UG/cloudtrail-event-reference-record-contents.
///
/// Four bytes, with or without an `Option`: there are several in each of a million sessions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct EventTime(NonZeroU32);

/// The bounds within which a time is believed: from 1970 to 2106-02-07T06:28:14Z. Anything else in a
/// record is a broken or a hostile value.
const UNIX_SECS_MAX: i64 = u32::MAX as i64 - 1;

/// A stored time outside these bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time outside the years 1970 to 2106")]
pub struct TimeOutOfBounds;

impl TryFrom<i64> for EventTime {
    type Error = TimeOutOfBounds;

    fn try_from(secs: i64) -> Result<Self, TimeOutOfBounds> {
        Self::from_unix_secs(secs).ok_or(TimeOutOfBounds)
    }
}

impl From<EventTime> for i64 {
    fn from(time: EventTime) -> Self {
        time.unix_secs()
    }
}

impl fmt::Debug for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventTime").field(&self.unix_secs()).finish()
    }
}

impl EventTime {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(NonZeroU32::MIN);

    /// From seconds since 1970; `None` outside the years 1970 to 2106.
    #[inline]
    pub fn from_unix_secs(secs: i64) -> Option<Self> {
        // Stored one higher, so that no time is zero.
        u32::try_from(secs).ok()?.checked_add(1).and_then(NonZeroU32::new).map(Self)
    }

    /// Seconds since 1970.
    #[inline]
    pub fn unix_secs(self) -> i64 {
        i64::from(self.0.get()) - 1
    }

    /// Whole minutes since 1970.
    #[inline]
    pub fn unix_minutes(self) -> i64 {
        self.unix_secs() / 60
    }

    /// This time moved by `secs`, kept within the years 1970 to 2106.
    pub fn plus_secs(self, secs: i64) -> Self {
        let moved = self.unix_secs().saturating_add(secs).clamp(0, UNIX_SECS_MAX);
        // INVARIANT: in bounds after clamping.
        Self::from_unix_secs(moved).unwrap_or(self)
    }

    /// Reads a time in any of the forms that CloudTrail, STS and log shippers write:
    /// `2026-11-20T10:00:00Z`, the same with a fraction or an offset, the basic form
    /// `20261120T100000Z`, seconds since 1970 (`1434589370.0`), and STS's `expiration`,
    /// `Nov 20, 2026, 10:00:00 AM`, with or without its second comma. Fractions are cut off.
    pub fn parse(text: &str) -> Option<Self> {
        extended(text.as_bytes()).or_else(|| unusual(text))
    }
}

/// `YYYY-MM-DDThh:mm:ssZ`, the form of all but a few records, without the general parser.
#[inline]
fn extended(text: &[u8]) -> Option<EventTime> {
    let &[
        y0,
        y1,
        y2,
        y3,
        b'-',
        m0,
        m1,
        b'-',
        d0,
        d1,
        b'T',
        h0,
        h1,
        b':',
        n0,
        n1,
        b':',
        s0,
        s1,
        b'Z',
    ] = text
    else {
        return None;
    };
    let two = |tens: u8, ones: u8| -> Option<i64> {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
    };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day) = (two(m0, m1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(n0, n1)?, two(s0, s1)?);
    // Day 29 to 31 and leap seconds are left to the general parser, which knows the calendar.
    if !(1..=12).contains(&month)
        || !(1..=28).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let days = days_since_1970(year, month, day);
    EventTime::from_unix_secs(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March so that the leap
/// day comes last (Fliegel and Van Flandern, CACM 11, 1968).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = (month + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cold]
fn unusual(text: &str) -> Option<EventTime> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return EventTime::from_unix_secs(timestamp.as_second());
    }
    if let Some(whole) = text.split('.').next()
        && (1..=13).contains(&whole.len())
        && whole.bytes().all(|byte| byte.is_ascii_digit())
    {
        let number: i64 = whole.parse().ok()?;
        // Of thirteen digits, milliseconds: so CloudWatch Logs writes times.
        return EventTime::from_unix_secs(if whole.len() == 13 { number / 1_000 } else { number });
    }
    // Newer Java runtimes put U+202F before AM and PM.
    let plain = text.replace('\u{202f}', " ");
    ["%Y%m%dT%H%M%SZ", "%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p"].iter().find_map(|form| {
        let time = civil::DateTime::strptime(form, &plain).ok()?;
        EventTime::from_unix_secs(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
    })
}

impl fmt::Display for EventTime {
    /// As `2026-11-20T10:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.unix_secs()) {
            Ok(timestamp) => timestamp.fmt(f),
            // INVARIANT: the constructor keeps the value within jiff's range.
            Err(_) => write!(f, "@{}", self.unix_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_seen_in_real_logs() {
        for text in [
            "2026-11-20T10:00:00Z",
            "2026-11-20T10:00:00.000Z",
            "2026-11-20T11:00:00+01:00",
            "20261120T100000Z",
            "1795168800",
            "1795168800.0",
            "1795168800000",
            "Nov 20, 2026, 10:00:00 AM",
            "Nov 20, 2026 10:00:00 AM",
            "Nov 20, 2026, 10:00:00\u{202f}AM",
        ] {
            let time = EventTime::parse(text).map(|time| time.to_string());
            assert_eq!(time.as_deref(), Some("2026-11-20T10:00:00Z"), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2106-02-07T06:28:15Z",
            "9999-01-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-13-20T10:00:00Z",
            "2026-11-20T24:00:01Z",
            "99999999999999",
        ] {
            assert_eq!(EventTime::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_form_agrees_with_the_calendar(secs in 0..=UNIX_SECS_MAX) {
            let time = EventTime::from_unix_secs(secs).unwrap();
            prop_assert_eq!(EventTime::parse(&time.to_string()), Some(time));
            if let Some(fast) = extended(time.to_string().as_bytes()) {
                prop_assert_eq!(fast, time);
            }
        }
    }
}
