//! Unix seconds as the texts CloudTrail writes, without a time library.

use crate::json::Put;

/// A moment in UTC, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Civil {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

impl Civil {
    /// Days to a date after Hinnant's `civil_from_days`; for times after 1970.
    pub(crate) fn of(unix: i64) -> Self {
        let unix = u64::try_from(unix).unwrap_or(0);
        let (days, rest) = (unix / 86_400, unix % 86_400);
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let doe = shifted % 146_097;
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        Self {
            year: yoe + era * 400 + u64::from(month <= 2),
            month,
            day: doy - (153 * mp + 2) / 5 + 1,
            hour: rest / 3_600,
            minute: rest % 3_600 / 60,
            second: rest % 60,
        }
    }
}

/// `2026-11-20T10:00:00Z`
pub(crate) fn iso(out: &mut Vec<u8>, unix: i64) {
    let c = Civil::of(unix);
    out.digits(c.year, 4);
    out.push(b'-');
    out.digits(c.month, 2);
    out.push(b'-');
    out.digits(c.day, 2);
    out.push(b'T');
    out.digits(c.hour, 2);
    out.push(b':');
    out.digits(c.minute, 2);
    out.push(b':');
    out.digits(c.second, 2);
    out.push(b'Z');
}

/// `20261120T100000Z`
pub(crate) fn basic(out: &mut Vec<u8>, unix: i64) {
    let c = Civil::of(unix);
    for (value, width) in [(c.year, 4), (c.month, 2), (c.day, 2)] {
        out.digits(value, width);
    }
    out.push(b'T');
    for value in [c.hour, c.minute, c.second] {
        out.digits(value, 2);
    }
    out.push(b'Z');
}

/// `Nov 20, 2026, 11:00:00 AM`: how STS writes an expiration.
pub(crate) fn localised(out: &mut Vec<u8>, unix: i64) {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let c = Civil::of(unix);
    let month = usize::try_from(c.month - 1).unwrap_or(0);
    out.text(MONTHS[month]);
    out.push(b' ');
    out.number(c.day);
    out.text(", ");
    out.number(c.year);
    out.text(", ");
    out.number(if c.hour.is_multiple_of(12) { 12 } else { c.hour % 12 });
    out.push(b':');
    out.digits(c.minute, 2);
    out.push(b':');
    out.digits(c.second, 2);
    out.text(if c.hour < 12 { " AM" } else { " PM" });
}

/// The ISO form as a `String`.
pub(crate) fn iso_string(unix: i64) -> String {
    let mut out = Vec::with_capacity(20);
    iso(&mut out, unix);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(iso_string(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso_string(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(iso_string(1_795_168_800), "2026-11-20T10:00:00Z");
        let mut out = Vec::new();
        localised(&mut out, 1_795_168_800);
        assert_eq!(out, b"Nov 20, 2026, 10:00:00 AM");
    }
}
