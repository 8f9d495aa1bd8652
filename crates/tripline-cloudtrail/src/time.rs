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

/// `YYYY-MM-DDThh:mm:ssZ`, the form of all but a few records, without the general parser and eight bytes at a
/// time.
#[inline]
fn extended(text: &[u8]) -> Option<EventTime> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let (words, _) = text.as_chunks::<8>();
    let (_, last) = text.as_rchunks::<8>();
    let [date, time] = words else { return None };
    let [_, end] = last else { return None };
    let date = pairs_of_digits(*date, *b"0000-00-")?;
    let time = pairs_of_digits(*time, *b"00T00:00")?;
    let end = pairs_of_digits(*end, *b"0:00:00Z")?;
    let pair = |pairs: u64, at: u32| i64::from((pairs >> (8 * at)) as u8);
    let year = pair(date, 0) * 100 + pair(date, 2);
    let (month, day) = (pair(date, 5), pair(time, 0));
    let (hour, minute, second) = (pair(time, 3), pair(time, 6), pair(end, 5));
    // Leap seconds are left to the general parser.
    if !(1..=12).contains(&month)
        || !(1..=days_in_month(year, month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let days = days_since_1970(year, month, day);
    EventTime::from_unix_secs(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// Of eight bytes with a digit wherever `form` has a zero, and else what it has: in each byte ten times the digit
/// there plus the digit behind it.
#[inline]
fn pairs_of_digits(bytes: [u8; 8], form: [u8; 8]) -> Option<u64> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let digit = |byte: u8| if byte == b'0' { 0x76 } else { 0x7f };
    // What a digit, or a byte that is right, comes to stays below the highest bit.
    let most = u64::from_le_bytes(form.map(digit));
    let digits = u64::from_le_bytes(bytes) ^ u64::from_le_bytes(form);
    let is_right = (digits.wrapping_add(most) | digits) & (EACH << 7) == 0;
    is_right.then(|| digits.wrapping_mul(10).wrapping_add(digits >> 8))
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

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day: [`days_since_1970`] undone.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (era * 400 + year, month, day)
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

impl EventTime {
    /// The bytes of `2026-11-20T10:00:00Z`.
    fn written(self) -> [u8; 20] {
        let secs = self.unix_secs();
        let (year, month, day) = date_of(secs.div_euclid(86_400));
        let in_day = secs.rem_euclid(86_400);
        let mut text = *b"0000-00-00T00:00:00Z";
        let parts = [
            (0, year / 100),
            (2, year % 100),
            (5, month),
            (8, day),
            (11, in_day / 3_600),
            (14, in_day / 60 % 60),
            (17, in_day % 60),
        ];
        for (at, number) in parts {
            if let Some([tens, ones]) = text.get_mut(at..at + 2) {
                // INVARIANT: none of them is above 99.
                (*tens, *ones) = (*tens + (number / 10) as u8, *ones + (number % 10) as u8);
            }
        }
        text
    }

    /// What `show` makes of the time as text, `2026-11-20T10:00:00Z`; nothing is allocated.
    pub fn as_text<T>(self, show: impl FnOnce(&str) -> T) -> T {
        // INVARIANT: digits and punctuation.
        show(std::str::from_utf8(&self.written()).unwrap_or_default())
    }
}

impl fmt::Display for EventTime {
    /// As `2026-11-20T10:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_text(|text| f.pad(text))
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
        fn times_are_written_and_read_as_the_calendar_has_them(secs in 0..=UNIX_SECS_MAX) {
            let time = EventTime::from_unix_secs(secs).unwrap();
            let text = Timestamp::from_second(secs).unwrap().to_string();
            prop_assert_eq!(time.to_string(), text.as_str());
            prop_assert_eq!(extended(text.as_bytes()), Some(time));
        }
    }

    #[test]
    fn no_byte_passes_for_another() {
        let text = *b"2026-11-20T10:39:58Z";
        for (nth, right) in text.iter().enumerate() {
            for byte in 0..=u8::MAX {
                let mut other = text;
                other[nth] = byte;
                let plain = std::str::from_utf8(&other).ok();
                let stamp = plain.and_then(|text| text.parse::<Timestamp>().ok());
                let is_alike = byte.is_ascii_digit() == right.is_ascii_digit()
                    && (byte.is_ascii_digit() || byte == *right);
                let wanted = stamp.filter(|_| is_alike).map(|stamp| stamp.as_second());
                let wanted = wanted.and_then(EventTime::from_unix_secs);
                let found = extended(&other);
                // Seconds that leap are the general parser's.
                let leaps = nth == 17 && byte == b'6';
                assert_eq!(found, wanted.filter(|_| !leaps), "{nth} {byte}");
            }
        }
    }

    #[test]
    fn every_day_is_the_calendars_and_no_other_is_one() {
        let mut days = 0;
        for (year, month, day) in
            (1970..2106).flat_map(|y| (0..14).flat_map(move |m| (0..33).map(move |d| (y, m, d))))
        {
            let text = format!("{year}-{month:02}-{day:02}T12:00:00Z");
            let date = civil::Date::new(year, month, day).ok();
            let time = extended(text.as_bytes());
            assert_eq!(time.is_some(), date.is_some(), "{text}");
            let Some(time) = time else { continue };
            assert_eq!(time.unix_secs(), days * 86_400 + 43_200, "{text}");
            assert_eq!(time.to_string(), text);
            days += 1;
        }
        assert_eq!(days, 49_673);
    }
}
