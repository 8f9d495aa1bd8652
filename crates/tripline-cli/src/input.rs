//! What was typed → what it means.

use std::env;
use std::path::{Path, PathBuf};
use std::thread;

use jiff::{Timestamp, civil, tz::TimeZone};
use tempfile::TempDir;
use tripline_cloudtrail::EventTime;
use tripline_engine::{Config, Filter, Model};
use tripline_history::{BaselineSink, Job, LearnReport, Selection, Table};
use tripline_iam::{AccountId, Region};
use tripline_runtime::{SettingsError, Source, hash_seed, settings, settings_to_learn};
use tripline_text::Untrusted;

use crate::args::{AnyFormat, InputArgs};
use crate::exit::Failure;
use crate::sources;

/// Everything a run needs, checked before anything is read.
pub(crate) struct Prepared {
    pub(crate) filter: Filter,
    pub(crate) model: Model,
    config: Config,
    sources: Vec<Box<dyn Source>>,
    /// Folders that were exported, …
    #[cfg(feature = "columns")]
    exports: Vec<PathBuf>,
    /// … and what is in them.
    tables: Vec<Box<dyn Table>>,
    threads: usize,
    work_dir: PathBuf,
    /// Removed with all that is in it when the run is over.
    temporary: Option<TempDir>,
}

/// The present time.
pub(crate) fn now() -> EventTime {
    EventTime::from_unix_secs(Timestamp::now().as_second()).unwrap_or(EventTime::EPOCH)
}

/// Who runs the program, as far as the environment tells.
pub(crate) fn user() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| env::var(name).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "somebody".to_owned())
}

/// The configuration that was named, else the one that lies here.
pub(crate) fn config_file(named: Option<&Path>) -> Option<PathBuf> {
    let default = Path::new("tripline.toml");
    named.or_else(|| default.is_file().then_some(default)).map(Path::to_owned)
}

impl<F: AnyFormat> InputArgs<F> {
    /// To learn: scopes are kept to, what was learned before is not judged by. Partial baselines may
    /// stand in for logs.
    pub(crate) fn prepare_to_learn(
        &self,
        baselines: Option<&Path>,
        partials: &[PathBuf],
    ) -> Result<Prepared, Failure> {
        self.prepare_by(baselines, !partials.is_empty(), settings_to_learn)
    }

    pub(crate) fn prepare(&self, baselines: Option<&Path>) -> Result<Prepared, Failure> {
        self.prepare_by(baselines, false, settings)
    }

    fn prepare_by(
        &self,
        baselines: Option<&Path>,
        may_be_empty: bool,
        settings: impl Fn(Option<&Path>, Option<&Path>) -> Result<(Config, Model), SettingsError>,
    ) -> Result<Prepared, Failure> {
        if self.paths.is_empty() && !may_be_empty {
            return usage(
                "no PATH given".to_owned(),
                "name files or directories with logs, or s3://BUCKET/PREFIX",
            );
        }
        let exports: Vec<PathBuf> =
            self.paths.iter().filter(|path| is_export(path)).cloned().collect();
        let tables = tables(&exports)?;
        let (config, model) = settings(self.config_file().as_deref(), baselines)?;
        let temporary = match &self.work_dir {
            Some(_) => None,
            None => Some(
                tempfile::Builder::new()
                    .prefix("tripline-")
                    .tempdir()
                    .map_err(Failure::Temporary)?,
            ),
        };
        let work_dir = match (&self.work_dir, &temporary) {
            (Some(given), _) => given.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => PathBuf::new(),
        };
        if !work_dir.is_dir() {
            return usage(
                format!("`{}` is not a directory", work_dir.display()),
                "create the directory that --work-dir names",
            );
        }
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let filter = self.filter()?;
        Ok(Prepared {
            sources: sources::of(self, &filter)?,
            filter,
            model,
            config,
            #[cfg(feature = "columns")]
            exports,
            tables,
            threads: self.threads.map_or_else(cores, usize::from),
            work_dir,
            temporary,
        })
    }

    /// The configuration, if there is one.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        config_file(self.config.as_deref())
    }

    fn filter(&self) -> Result<Filter, Failure> {
        let accounts: Result<_, Failure> = self
            .account
            .iter()
            .map(|text| match AccountId::parse(text) {
                Ok(account) => Ok(account),
                Err(_) => usage(
                    format!("`{text}` is not an account id"),
                    "an account id has twelve digits",
                ),
            })
            .collect();
        let regions: Result<_, Failure> = self
            .region
            .iter()
            .map(|text| match Region::parse(text) {
                Ok(region) => Ok(region),
                Err(_) => usage(format!("`{text}` is not a Region"), "for example eu-central-1"),
            })
            .collect();
        let (since, until) = period(self.since.as_deref(), self.until.as_deref())?;
        Ok(Filter {
            since,
            until,
            accounts: accounts?,
            regions: regions?,
            agents: self.agent.iter().map(|name| Untrusted::new(name.clone())).collect(),
        })
    }
}

impl Prepared {
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn sources(&self) -> &[Box<dyn Source>] {
        &self.sources
    }

    /// Where what is read of files is kept for the next run: in the work directory, if one was named and
    /// there are files that can be told from what they were.
    pub(crate) fn parts(&self) -> Result<Option<PathBuf>, Failure> {
        let mut files = self.sources.iter().flat_map(|source| source.files());
        if self.temporary.is_some() || files.all(|file| file.version.is_none()) {
            return Ok(None);
        }
        let parts = self.work_dir.join("parts");
        let failed = |source| Failure::File { path: parts.clone(), source };
        std::fs::create_dir_all(&parts).map_err(failed)?;
        Ok(Some(parts))
    }

    pub(crate) fn job(&self) -> Job<'_> {
        let (logs, unlisted) = Selection::all_of(&self.sources);
        Job {
            logs,
            unlisted,
            partials: Vec::new(),
            tables: &self.tables,
            config: &self.config,
            model: &self.model,
            filter: self.filter.clone(),
            threads: self.threads,
            work_dir: self.work_dir.clone(),
            hash_seed: hash_seed(),
        }
    }
}

/// What an export knows of its episodes.
#[cfg(feature = "columns")]
impl Prepared {
    /// Learns from the episodes of an export, if they are all that there is to learn from and nothing
    /// judges their calls anew.
    pub(crate) fn relearned(
        &self,
        partials: &[PathBuf],
        sink: &BaselineSink<'_>,
    ) -> Result<Option<LearnReport>, Failure> {
        let [export] = self.exports.as_slice() else { return Ok(None) };
        let is_all = self.sources.iter().all(|source| source.files().is_empty());
        let is_all = is_all && partials.is_empty();
        if !is_all || self.filter != Filter::default() || self.model.judges_agents() {
            return Ok(None);
        }
        let fingerprint = tripline_engine::Fingerprint::of(&self.config, &self.model);
        Ok(tripline_columns::relearn(export, fingerprint, self.threads, hash_seed(), sink)?)
    }
}

#[cfg(not(feature = "columns"))]
impl Prepared {
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn relearned(
        &self,
        _: &[PathBuf],
        _: &BaselineSink<'_>,
    ) -> Result<Option<LearnReport>, Failure> {
        Ok(None)
    }
}

/// Whether a folder was written by `tripline export`.
#[cfg(feature = "columns")]
pub(crate) fn is_export(path: &Path) -> bool {
    tripline_columns::is_export(path)
}

#[cfg(not(feature = "columns"))]
pub(crate) fn is_export(_: &Path) -> bool {
    false
}

/// What is in exported folders.
#[cfg(feature = "columns")]
fn tables(exports: &[PathBuf]) -> Result<Vec<Box<dyn Table>>, Failure> {
    let mut tables = Vec::new();
    for folder in exports {
        tables.extend(tripline_columns::open(folder)?);
    }
    Ok(tables)
}

#[cfg(not(feature = "columns"))]
#[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
fn tables(_: &[PathBuf]) -> Result<Vec<Box<dyn Table>>, Failure> {
    Ok(Vec::new())
}

/// The bounds of `--since` and `--until`.
pub(crate) fn period(
    since: Option<&str>,
    until: Option<&str>,
) -> Result<(Option<EventTime>, Option<EventTime>), Failure> {
    let now = Timestamp::now().as_second();
    let time = |text: Option<&str>| text.map(|text| time(text, now)).transpose();
    let (since, until) = (time(since)?, time(until)?);
    if since.zip(until).is_some_and(|(since, until)| since >= until) {
        return usage("--since is not before --until".to_owned(), "nothing lies between the two");
    }
    Ok((since, until))
}

/// A date, a time, or an age (`30s`, `90m`, `12h`, `7d`) before `now`.
pub(crate) fn time(text: &str, now: i64) -> Result<EventTime, Failure> {
    let age = secs(text);
    let date = || {
        let midnight = text.parse::<civil::Date>().ok()?.to_zoned(TimeZone::UTC).ok()?;
        EventTime::from_unix_secs(midnight.timestamp().as_second())
    };
    let found = match age {
        Some(age) => EventTime::from_unix_secs(now.saturating_sub(age)),
        None => text
            .parse::<Timestamp>()
            .ok()
            .and_then(|time| EventTime::from_unix_secs(time.as_second()))
            .or_else(date),
    };
    found.map_or_else(
        || {
            usage(
                format!("`{}` is not a time", text.escape_debug()),
                "for example 2026-11-20, 2026-11-20T10:00:00Z or 7d",
            )
        },
        Ok,
    )
}

/// A length of time (`30s`, `90m`, `12h`, `7d`) in seconds.
pub(crate) fn duration(text: &str) -> Result<i64, Failure> {
    let found = secs(text).filter(|secs| *secs > 0);
    found.map_or_else(
        || {
            usage(
                format!("`{}` is not a length of time", text.escape_debug()),
                "for example 30s, 30m, 4h or 2d",
            )
        },
        Ok,
    )
}

fn secs(text: &str) -> Option<i64> {
    let (number, unit) =
        text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let secs = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    Some(i64::from(number.parse::<u32>().ok()?) * secs)
}

pub(crate) fn usage<T>(message: String, hint: &'static str) -> Result<T, Failure> {
    Err(Failure::Usage { message, hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ages() {
        let check = |text: &str| time(text, 1_000_000).map(EventTime::unix_secs).ok();
        assert_eq!(check("1970-01-02"), Some(86_400));
        assert_eq!(check("1970-01-02T00:00:01Z"), Some(86_401));
        assert_eq!(check("90m"), Some(1_000_000 - 5_400));
        assert_eq!(check("2d"), Some(1_000_000 - 172_800));
        for text in ["", "d", "yesterday", "-1d", "é"] {
            assert_eq!(check(text), None, "{text}");
        }
    }
}
