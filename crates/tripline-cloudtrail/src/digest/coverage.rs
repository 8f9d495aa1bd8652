//! The times whose deliveries are known.

use std::collections::BTreeMap;

use tripline_text::Untrusted;

use super::name::LogName;
use crate::time::EventTime;

/// For each account and Region, the times that hourly digests cover.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    spans: BTreeMap<(Untrusted<'static>, Untrusted<'static>), Vec<(EventTime, EventTime)>>,
}

/// A file is named before it is delivered. What comes so shortly before the end of a digest may be
/// listed in the next.
const LATE_SECS: i64 = 3_600;

impl Coverage {
    /// Adds the time of a digest. Digests come from the newest to the oldest, so mostly this one ends
    /// where the last one begins.
    pub fn add(&mut self, scope: (Untrusted<'_>, Untrusted<'_>), from: EventTime, to: EventTime) {
        let scope = (scope.0.into_owned(), scope.1.into_owned());
        let spans = self.spans.entry(scope).or_default();
        match spans.last_mut() {
            Some(last) if last.0 <= to && from <= last.1 => {
                *last = (last.0.min(from), last.1.max(to));
            }
            _ => spans.push((from, to)),
        }
    }

    /// Whether a log file of this name would be listed, had CloudTrail delivered it.
    pub fn covers(&self, log: &LogName) -> bool {
        let scope = (log.account.clone(), log.region.clone());
        let is_within = |(from, to): &(EventTime, EventTime)| {
            *from <= log.delivered && log.delivered.plus_secs(LATE_SECS) <= *to
        };
        self.spans.get(&scope).is_some_and(|spans| spans.iter().any(is_within))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_hours_make_one_span() {
        let time = |secs| EventTime::from_unix_secs(secs).unwrap();
        let scope = || (Untrusted::borrowed("1"), Untrusted::borrowed("us-east-1"));
        let mut coverage = Coverage::default();
        coverage.add(scope(), time(7_200), time(10_800));
        coverage.add(scope(), time(3_600), time(7_200));
        coverage.add(scope(), time(0), time(1_800));
        let covers = |account, secs| {
            let account = Untrusted::borrowed(account);
            let region = Untrusted::borrowed("us-east-1");
            coverage.covers(&LogName { account, region, delivered: time(secs) })
        };
        assert!(covers("1", 3_600) && covers("1", 7_200));
        assert!(!covers("1", 7_201), "the next digest may list it");
        assert!(!covers("1", 100) && !covers("1", 3_599) && !covers("2", 3_600));
    }
}
