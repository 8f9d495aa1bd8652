//! What the names of digest and log files tell.

use tripline_text::Untrusted;

use crate::time::EventTime;

/// What a digest file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An hour's deliveries.
    Hourly,
    /// Log files that their hour's digest left out.
    Backfill,
}

/// A chain of digests: those of one account, Region and trail, and of one kind. Not of one bucket: when
/// a trail moves, its chain goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChainId {
    /// `ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION`.
    stem: Untrusted<'static>,
    /// The kind.
    pub kind: Kind,
}

/// The name of a digest file:
/// `ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION_YYYYMMDDTHHmmssZ[_backfill].json.gz`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DigestName {
    /// Whose.
    pub chain: ChainId,
    /// Up to when log files were delivered that it lists.
    pub end: EventTime,
}

/// The folder of digest files, and a part of their names.
const DIGESTS: &str = "CloudTrail-Digest";
/// The folder of log files, and a part of their names.
const LOGS: &str = "CloudTrail";

impl DigestName {
    /// From a path or key, by its last part. `None` for what is no digest file.
    pub fn parse(path: &str) -> Option<Self> {
        let rest = file_name(path).strip_suffix(".json.gz")?;
        let (rest, kind) = match rest.strip_suffix("_backfill") {
            Some(rest) => (rest, Kind::Backfill),
            None => (rest, Kind::Hourly),
        };
        let (stem, stamp) = rest.rsplit_once('_')?;
        let mut parts = stem.split('_');
        let _account = parts.next()?;
        (parts.next()? == DIGESTS && parts.next().is_some()).then_some(())?;
        Some(Self {
            chain: ChainId { stem: Untrusted::new(stem.to_owned()), kind },
            end: stamp.ends_with('Z').then(|| EventTime::parse(stamp)).flatten()?,
        })
    }
}

impl ChainId {
    /// The account and the Region whose deliveries it is about, as written.
    pub fn scope(&self) -> (Untrusted<'_>, Untrusted<'_>) {
        let mut parts = self.stem.as_unescaped().split('_');
        let account = parts.next().unwrap_or_default();
        let region = parts.nth(1).unwrap_or_default();
        (Untrusted::borrowed(account), Untrusted::borrowed(region))
    }

    /// The trail and its home Region, as written; trails' names may have underscores themselves.
    pub fn trail(&self) -> (Untrusted<'_>, Untrusted<'_>) {
        let rest = self.stem.as_unescaped().splitn(4, '_').nth(3).unwrap_or_default();
        let (trail, home) = rest.rsplit_once('_').unwrap_or((rest, ""));
        (Untrusted::borrowed(trail), Untrusted::borrowed(home))
    }
}

/// The name of a log file: `ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_UNIQUE.json.gz`
/// (UG/get-and-view-cloudtrail-log-files).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName {
    /// The account, as written.
    pub account: Untrusted<'static>,
    /// The Region, as written.
    pub region: Untrusted<'static>,
    /// When it was delivered, to the minute.
    pub delivered: EventTime,
}

impl LogName {
    /// From a path or key, by its last part. `None` for what is no log file, other kinds of
    /// CloudTrail's files included.
    pub fn parse(path: &str) -> Option<Self> {
        let mut parts = file_name(path).split('_');
        let (account, kind) = (parts.next()?, parts.next()?);
        let (region, stamp, unique) = (parts.next()?, parts.next()?, parts.next()?);
        let is_log = kind == LOGS && unique.contains(".json") && parts.next().is_none();
        is_log.then_some(())?;
        // To the minute: `20261120T1005Z`.
        let seconds = format!("{}00Z", stamp.strip_suffix('Z')?);
        Some(Self {
            account: Untrusted::new(account.to_owned()),
            region: Untrusted::new(region.to_owned()),
            delivered: EventTime::parse(&seconds)?,
        })
    }
}

/// Whether a path or key is in the folder of log files, where nothing else is.
pub fn is_among_logs(path: &str) -> bool {
    path.rsplit(['/', '\\']).skip(1).any(|folder| folder == LOGS)
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_whose_and_when() {
        let name = |tail: &str| {
            DigestName::parse(&format!("a/b/111122223333_CloudTrail-Digest_us-east-1_{tail}"))
        };
        let hourly = name("my_trail_eu-west-1_20261120T100131Z.json.gz").unwrap();
        assert_eq!(hourly.end.to_string(), "2026-11-20T10:01:31Z");
        assert_eq!(hourly.chain.kind, Kind::Hourly);
        let (account, region) = hourly.chain.scope();
        assert!(account == "111122223333" && region == "us-east-1");
        let (trail, home) = hourly.chain.trail();
        assert!(trail == "my_trail" && home == "eu-west-1");
        let late = name("my_trail_eu-west-1_20261120T100131Z_backfill.json.gz").unwrap();
        assert_eq!(late.chain.kind, Kind::Backfill);
        assert_ne!(late.chain, hourly.chain);
        for tail in ["", "t_r_20261120T100131Z.json.gz.signature", "t_r_2026.json.gz", "t_r_x.json"]
        {
            assert_eq!(name(tail), None, "{tail}");
        }
    }

    #[test]
    fn a_log_file_is_told_from_the_others() {
        let log = LogName::parse("x/1_CloudTrail_us-east-1_20261120T1005Z_Ab.json.gz").unwrap();
        assert_eq!(log.delivered.to_string(), "2026-11-20T10:05:00Z");
        assert_eq!(log.region, "us-east-1");
        for path in [
            "1_CloudTrail-Digest_us-east-1_t_us-east-1_20261120T100500Z.json.gz",
            "1_CloudTrail-Insight_us-east-1_20261120T1005Z_Ab.json.gz",
            "notes.txt",
        ] {
            assert_eq!(LogName::parse(path), None, "{path}");
        }
        assert!(is_among_logs("1/CloudTrail/us-east-1/x") && is_among_logs("CloudTrail/x"));
        assert!(!is_among_logs("1/CloudTrail-Insight/x") && !is_among_logs("1/CloudTrail"));
    }
}
