//! Where in a bucket trails write, and which of it a question needs
//! (UG/get-and-view-cloudtrail-log-files): `AWSLogs/[ORGANIZATION/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/`.

use thiserror::Error;
use tripline_cloudtrail::EventTime;
use tripline_engine::{Filter, HORIZON_SECS};
use tripline_iam::{AccountId, Region};

/// `s3://BUCKET[/PREFIX]`, or one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Url {
    /// The bucket.
    pub bucket: String,
    /// The object's key, or a folder: nothing, or a text that ends with a slash.
    pub prefix: String,
}

/// A text that names no place in S3.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{}` names no bucket", .0.escape_debug())]
pub struct InvalidS3Url(String);

impl S3Url {
    /// Reads `s3://BUCKET[/PREFIX]`. What ends with `.gz` or `.json` is an object, all else a folder.
    ///
    /// # Errors
    /// [`InvalidS3Url`].
    pub fn parse(text: &str) -> Result<Self, InvalidS3Url> {
        let invalid = || InvalidS3Url(text.to_owned());
        let rest = text.strip_prefix("s3://").ok_or_else(invalid)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if !(3..=255).contains(&bucket.len()) || !bucket.bytes().all(is_allowed) {
            return Err(invalid());
        }
        let mut prefix = prefix.to_owned();
        let is_object = [".gz", ".json"].iter().any(|end| prefix.ends_with(end));
        if !prefix.is_empty() && !prefix.ends_with('/') && !is_object {
            prefix.push('/');
        }
        Ok(Self { bucket: bucket.to_owned(), prefix })
    }
}

/// What a folder of a bucket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Trails do not write here, or they do further down.
    Outside,
    /// `AWSLogs/`, or an organization's folder in it: there are accounts in it.
    Logs,
    /// An account's.
    Account,
    /// `CloudTrail/` of an account: there are Regions in it.
    Trail,
    /// A Region's: there are days in it, by delivery.
    Region,
    /// Something below, or an object.
    Within,
}

impl Level {
    pub(super) fn of(folder: &str) -> Self {
        let Some(parts) = below_logs(folder) else { return Self::Outside };
        match parts.as_slice() {
            [] => Self::Logs,
            [account] if is_account(account) => Self::Account,
            [organization] if organization.starts_with("o-") => Self::Logs,
            [_, account] if is_account(account) => Self::Account,
            [account, "CloudTrail"] | [_, account, "CloudTrail"] if is_account(account) => {
                Self::Trail
            }
            [account, "CloudTrail", _] | [_, account, "CloudTrail", _] if is_account(account) => {
                Self::Region
            }
            _ => Self::Within,
        }
    }
}

/// The folders below the last `AWSLogs`, without what follows the last slash.
fn below_logs(key: &str) -> Option<Vec<&str>> {
    let (folders, _) = key.rsplit_once('/')?;
    let folders: Vec<&str> = folders.split('/').collect();
    let at = folders.iter().rposition(|folder| *folder == "AWSLogs")?;
    folders.get(at + 1..).map(<[&str]>::to_vec)
}

fn is_account(folder: &str) -> bool {
    AccountId::parse(folder).is_ok()
}

/// The Regions in which each partition's global services are recorded, sessions that STS mints by its
/// global endpoint among them: needed to know whose a credential is, whichever Region it is used in.
const GLOBAL: [&str; 3] = ["us-east-1", "us-gov-west-1", "cn-north-1"];

/// By when what happened on one day is delivered, as far as is reckoned with: mostly within minutes.
const LATE_SECS: i64 = 86_400;

/// Which folders a question needs.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    filter: Filter,
    /// The first and the last day of delivery, as `YYYY/MM/DD`.
    first: Option<String>,
    last: Option<String>,
}

impl Wanted {
    /// For this filter. A credential may have been minted long before it was used; what was before
    /// that is left out by the filter itself.
    pub(super) fn of(filter: &Filter) -> Self {
        let day = |time: EventTime| time.to_string().get(..10).map(|day| day.replace('-', "/"));
        Self {
            first: filter.since.and_then(|since| day(since.plus_secs(-HORIZON_SECS))),
            last: filter.until.and_then(|until| day(until.plus_secs(LATE_SECS))),
            filter: filter.clone(),
        }
    }

    pub(super) fn account(&self, folder: &str) -> bool {
        let accounts = &self.filter.accounts;
        let account = AccountId::parse(folder).ok();
        account.is_some_and(|account| accounts.is_empty() || accounts.contains(&account))
    }

    pub(super) fn region(&self, folder: &str) -> bool {
        let regions = &self.filter.regions;
        let region = Region::parse(folder).ok();
        regions.is_empty()
            || GLOBAL.contains(&folder)
            || region.is_some_and(|region| regions.contains(&region))
    }

    /// After which key the wanted days of a Region's folder begin.
    pub(super) fn start_after(&self, region: &str) -> Option<String> {
        self.first.as_ref().map(|first| format!("{region}{first}"))
    }

    /// Whether this key is of a day after the last wanted one, of a Region's folder.
    pub(super) fn is_past(&self, region: &str, key: &str) -> bool {
        let Some(last) = &self.last else { return false };
        let day = key.strip_prefix(region).and_then(|rest| rest.get(..10));
        day.is_some_and(|day| day > last.as_str())
    }

    /// Whether an object is wanted, by its whole key: what no trail wrote is, since somebody asked for
    /// the folder that it is in.
    pub(super) fn object(&self, key: &str) -> bool {
        if key.ends_with('/') {
            return false;
        }
        let Some(folders) = below_logs(key) else { return true };
        let Some(at) = folders.iter().position(|folder| is_account(folder)) else { return true };
        let mut rest = folders.iter().skip(at);
        let account = rest.next().is_some_and(|account| self.account(account));
        let is_a_trails = rest.next().is_none_or(|kind| *kind == "CloudTrail");
        let region = rest.next().is_none_or(|region| self.region(region));
        let day: Vec<&str> = rest.copied().take(3).collect();
        let day = day.join("/");
        let is_between = day.len() != 10
            || (self.first.as_ref().is_none_or(|first| day >= *first)
                && self.last.as_ref().is_none_or(|last| day <= *last));
        account && is_a_trails && region && is_between
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORG: &str = "p/AWSLogs/o-abc/111122223333/CloudTrail/eu-central-1/";

    #[test]
    fn urls_name_folders_and_objects() {
        let parse = |text: &str| S3Url::parse(text).map(|url| (url.bucket, url.prefix));
        let is = |text: &str, bucket: &str, prefix: &str| {
            assert_eq!(parse(text), Ok((bucket.to_owned(), prefix.to_owned())), "{text}");
        };
        is("s3://trail-logs", "trail-logs", "");
        is("s3://trail-logs/", "trail-logs", "");
        is("s3://trail-logs/p/AWSLogs", "trail-logs", "p/AWSLogs/");
        is("s3://trail-logs/x/a.json.gz", "trail-logs", "x/a.json.gz");
        for text in ["s3://", "s3:///x", "s3://no such/x", "trail-logs", "s3://x/"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn folders_are_known_by_where_they_are() {
        for (folder, level) in [
            ("", Level::Outside),
            ("p/", Level::Outside),
            ("p/AWSLogs/", Level::Logs),
            ("AWSLogs/o-abc/", Level::Logs),
            ("AWSLogs/111122223333/", Level::Account),
            ("AWSLogs/o-abc/111122223333/", Level::Account),
            ("o-abc/AWSLogs/o-abc/111122223333/CloudTrail/", Level::Trail),
            (ORG, Level::Region),
            ("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/", Level::Within),
            ("AWSLogs/111122223333/elasticloadbalancing/", Level::Within),
        ] {
            assert_eq!(Level::of(folder), level, "{folder}");
        }
    }

    #[test]
    fn a_question_needs_its_accounts_regions_and_days_and_what_minted_before() {
        let time = |text: &str| EventTime::parse(text).unwrap();
        let wanted = Wanted::of(&Filter {
            since: Some(time("2026-11-10T20:00:00Z")),
            until: Some(time("2026-11-12T00:00:00Z")),
            accounts: [AccountId::parse("111122223333").unwrap()].into(),
            regions: [Region::parse("eu-central-1").unwrap()].into(),
            ..Filter::default()
        });
        assert!(wanted.account("111122223333") && !wanted.account("444455556666"));
        assert!(wanted.region("eu-central-1") && wanted.region("us-east-1"));
        assert!(!wanted.region("eu-west-1"));
        assert_eq!(wanted.start_after(ORG), Some(format!("{ORG}2026/11/09")));
        assert!(!wanted.is_past(ORG, &format!("{ORG}2026/11/13/x.json.gz")));
        assert!(wanted.is_past(ORG, &format!("{ORG}2026/11/14/x.json.gz")));
        for (key, is_wanted) in [
            ("2026/11/09/x.json.gz", true),
            ("2026/11/13/x.json.gz", true),
            ("2026/11/08/x.json.gz", false),
            ("2026/11/14/x.json.gz", false),
            ("2026/11/10/", false),
        ] {
            assert_eq!(wanted.object(&format!("{ORG}{key}")), is_wanted, "{key}");
        }
        assert!(wanted.object("exports/x.json"));
        assert!(!wanted.object("AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/x.json.gz"));
        assert!(!wanted.object("AWSLogs/444455556666/CloudTrail/eu-central-1/2026/11/10/x.gz"));
    }
}
