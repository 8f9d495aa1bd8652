//! The heartbeat: which accounts and Regions are heard of, and how late their files come.
//!
//! A trail with validation on sends a digest for each account and Region every hour, whatever happened
//! there (UG/cloudtrail-log-file-validation-digest-file-structure). So silence is not calm: somebody
//! stopped the trail, or what brings its files to us.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::EventTime;
use tripline_cloudtrail::digest::{DigestName, LogName};
use tripline_iam::{AccountId, Region};
use tripline_text::Untrusted;

use super::partition::encoded;
use super::{Entry, Partition};
use crate::config::Heartbeat;
use crate::judge::DamagedRow;

/// An account's Region, as the names of its files tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    account: AccountId,
    region: Region,
}

/// Safe anywhere: both alphabets are narrow.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.account, self.region)
    }
}

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Sound {
    Digest,
    Log,
}

/// That a file of a source arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    source: Source,
    sound: Sound,
    /// How many minutes its newest record was old, rounded up to one of [`LAGS`]; 0 of a digest.
    lag_minutes: u16,
}

/// Few, so that an hour's set stays small.
const LAGS: [u16; 9] = [5, 10, 15, 20, 30, 45, 60, 120, u16::MAX];

/// How old the newest record of a file is at most, for the file to have just been written.
const HISTORY_MINUTES: i64 = 24 * 60;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// How long before a digest arrives its hour ended at most.
const DIGEST_HOURS: i64 = 3;
/// For how many days a source is known after it was last heard of.
const KNOWN_DAYS: i64 = 7;

impl Pulse {
    /// Whose it is.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// That a digest of this key arrived `now`; none if it is no digest's, or so old that it comes
    /// again, or was made afterwards: no sign of life.
    pub fn of_digest(key: &str, now: EventTime) -> Option<Self> {
        let name = DigestName::parse(key)?;
        if now.unix_secs().saturating_sub(name.end.unix_secs()) > DIGEST_HOURS * HOUR {
            return None;
        }
        let (account, region) = name.chain.scope();
        let source = source(&account, &region)?;
        Some(Self { source, sound: Sound::Digest, lag_minutes: 0 })
    }

    /// That a log file of this key arrived `now`, whose newest record is of `newest`; none if it is no
    /// log file's, or so old that somebody brought it here to read it again: no sign of life.
    pub fn of_log(key: &str, newest: EventTime, now: EventTime) -> Option<Self> {
        let name = LogName::parse(key)?;
        let minutes = now.unix_secs().saturating_sub(newest.unix_secs()) / 60;
        if minutes > HISTORY_MINUTES {
            return None;
        }
        let lag = LAGS.into_iter().find(|lag| minutes <= i64::from(*lag)).unwrap_or(u16::MAX);
        let source = source(&name.account, &name.region)?;
        Some(Self { source, sound: Sound::Log, lag_minutes: lag })
    }

    /// What says so in the state.
    pub fn entries(&self, now: EventTime) -> [Entry; 2] {
        let Self { source, sound, lag_minutes } = self;
        let secs = now.unix_secs();
        let heard = (source, sound, lag_minutes);
        [
            entry(Partition::Pulses(secs.div_euclid(HOUR)), &heard, now.plus_secs(3 * DAY)),
            entry(
                Partition::Sources(secs.div_euclid(DAY)),
                &(source, sound),
                now.plus_secs((KNOWN_DAYS + 2) * DAY),
            ),
        ]
    }
}

fn source(account: &Untrusted<'_>, region: &Untrusted<'_>) -> Option<Source> {
    let account = AccountId::parse(account.as_unescaped()).ok()?;
    Some(Source { account, region: Region::parse(region.as_unescaped()).ok()? })
}

fn entry(partition: Partition, value: &impl Serialize, until: EventTime) -> Entry {
    Entry::new(&partition, encoded(value), until)
}

/// How a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// It is heard of.
    Steady,
    /// Its files come, and late: by so many minutes at best.
    Late(u16),
    /// No digest for so many hours.
    NoDigest(u16),
    /// Nothing at all for so many hours, of a source that never sent digests.
    Nothing(u16),
}

/// What is known of the heartbeat, while it is read from the state.
///
/// Read [`Pulses::wanted`] and [`Pulses::give`] it; then [`Pulses::beats`].
#[derive(Clone, Debug)]
pub struct Pulses {
    now: EventTime,
    limits: Heartbeat,
    known: BTreeSet<(Source, Sound)>,
    /// By source and sound: the last hour it was heard in.
    heard: BTreeMap<(Source, Sound), i64>,
    /// The least lag of each source over the last two hours.
    lags: BTreeMap<Source, u16>,
}

impl Pulses {
    /// As of now, by these limits.
    pub fn at(now: EventTime, limits: Heartbeat) -> Self {
        let (known, heard, lags) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { now, limits, known, heard, lags }
    }

    /// What to read of the state.
    pub fn wanted(&self) -> Vec<Partition> {
        let (hour, day) = (self.hour(), self.now.unix_secs().div_euclid(DAY));
        let back = i64::from(self.limits.digest_hours.max(self.limits.log_hours));
        let hours = (hour - back..=hour).map(Partition::Pulses);
        hours.chain((day - KNOWN_DAYS..=day).map(Partition::Sources)).collect()
    }

    /// Takes what a partition holds.
    ///
    /// # Errors
    /// When an element is none of this program's, or damaged.
    pub fn give(&mut self, partition: &Partition, values: &[Vec<u8>]) -> Result<(), DamagedRow> {
        for value in values {
            let Partition::Pulses(hour) = partition else {
                self.known.insert(postcard::from_bytes(value).map_err(|_| DamagedRow)?);
                continue;
            };
            let (source, sound, lag): (Source, Sound, u16) =
                postcard::from_bytes(value).map_err(|_| DamagedRow)?;
            if sound == Sound::Log && *hour >= self.hour() - 1 {
                let least = self.lags.entry(source.clone()).or_insert(lag);
                *least = lag.min(*least);
            }
            let last = self.heard.entry((source, sound)).or_insert(*hour);
            *last = (*last).max(*hour);
        }
        Ok(())
    }

    /// How each source is that was heard of within a week.
    pub fn beats(&self) -> BTreeMap<Source, Beat> {
        let sources: BTreeSet<&Source> = self.known.iter().map(|(source, _)| source).collect();
        sources.into_iter().map(|source| (source.clone(), self.beat(source))).collect()
    }

    fn beat(&self, source: &Source) -> Beat {
        let limits = self.limits;
        let sends_digests = self.known.contains(&(source.clone(), Sound::Digest));
        let (sound, hours) = match sends_digests {
            true => (Sound::Digest, limits.digest_hours),
            false => (Sound::Log, limits.log_hours),
        };
        let heard = self.heard.get(&(source.clone(), sound));
        if heard.is_none_or(|heard| *heard < self.hour() - i64::from(hours)) {
            return if sends_digests { Beat::NoDigest(hours) } else { Beat::Nothing(hours) };
        }
        match self.lags.get(source) {
            Some(lag) if *lag > limits.lag_minutes => Beat::Late(*lag),
            _ => Beat::Steady,
        }
    }

    fn hour(&self) -> i64 {
        self.now.unix_secs().div_euclid(HOUR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/111122223333_CloudTrail_us-east-1_20261120T1005Z_Ab.json.gz";
    const DIGEST: &str = "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/11/20/111122223333_CloudTrail-Digest_eu-west-1_main_us-east-1_20261120T100131Z.json.gz";

    fn at(hours: i64) -> EventTime {
        EventTime::parse("2026-11-20T10:30:00Z").unwrap().plus_secs(hours * HOUR)
    }

    /// What is said at a time of what was heard at others.
    fn beats(heard: &[(Option<Pulse>, EventTime)], now: EventTime) -> Vec<(String, Beat)> {
        let mut pulses = Pulses::at(now, Heartbeat::default());
        for partition in pulses.wanted() {
            let entries = heard.iter().flat_map(|(pulse, at)| pulse.as_ref().unwrap().entries(*at));
            let values: BTreeSet<Vec<u8>> = entries
                .filter(|entry| entry.partition == partition.id() && entry.until > now)
                .map(|entry| entry.value)
                .collect();
            pulses.give(&partition, &values.into_iter().collect::<Vec<_>>()).unwrap();
        }
        let beats = pulses.beats().into_iter();
        beats.map(|(source, beat)| (source.to_string(), beat)).collect()
    }

    #[test]
    fn a_source_of_digests_is_silent_after_three_hours_and_until_it_is_forgotten() {
        let digest = [(Pulse::of_digest(DIGEST, at(0)), at(0))];
        let of = |beat| vec![("111122223333 eu-west-1".to_owned(), beat)];
        assert_eq!(beats(&digest, at(3)), of(Beat::Steady));
        assert_eq!(beats(&digest, at(4)), of(Beat::NoDigest(3)));
        assert_eq!(beats(&digest, at(7 * 24)), of(Beat::NoDigest(3)));
        assert_eq!(beats(&digest, at(10 * 24)), of(Beat::Steady)[..0]);
        // Log files do not stand in for digests: somebody switched validation off.
        let log = Pulse::of_log(&LOG.replace("us-east-1", "eu-west-1"), at(4), at(4));
        let both = [digest[0].clone(), (log, at(4))];
        assert_eq!(beats(&both, at(4)), of(Beat::NoDigest(3)));
    }

    #[test]
    fn a_source_of_logs_alone_may_be_quiet_for_a_day_and_late_for_half_an_hour() {
        let log =
            |minutes: i64, heard| (Pulse::of_log(LOG, heard, heard.plus_secs(60 * minutes)), heard);
        let of = |beat| vec![("111122223333 us-east-1".to_owned(), beat)];
        assert_eq!(beats(&[log(4, at(0))], at(24)), of(Beat::Steady));
        assert_eq!(beats(&[log(4, at(0))], at(25)), of(Beat::Nothing(24)));
        assert_eq!(beats(&[log(31, at(0))], at(0)), of(Beat::Late(45)));
        assert_eq!(beats(&[log(31, at(0)), log(7, at(0))], at(0)), of(Beat::Steady));
        assert_eq!(Pulse::of_log(LOG, at(0), at(25)), None);
        assert_eq!(Pulse::of_log(DIGEST, at(0), at(0)), None);
        assert_eq!(Pulse::of_digest(LOG, at(0)), None);
    }

    #[test]
    fn a_digest_that_comes_again_late_is_no_sign_of_life() {
        assert!(Pulse::of_digest(DIGEST, at(2)).is_some());
        assert_eq!(Pulse::of_digest(DIGEST, at(3)), None);
    }
}
