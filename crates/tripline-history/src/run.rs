//! `sessions` and `score`: what is to be read, and what comes of it. Every file is read once, in parallel
//! (`take.rs`), then what was set aside is judged in order (`judged.rs`).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tripline_attribution::{Sessions, StoredMint};
use tripline_baseline::PromotionError;
use tripline_cloudtrail::{Fate, Reader, Record, Tally};
use tripline_engine::{
    Config, DamagedRow, Deployments, Filter, Fingerprint, Incident, KeptCall, Model, Outcome,
    Purpose, Scored,
};
use tripline_runtime::{SettingsError, Source, Unread};

use crate::judged::Judged;
use crate::partial::PartialError;
use crate::take::Taken;

/// What is to be read, and how.
#[derive(Debug)]
pub struct Job<'m> {
    /// The logs.
    pub logs: Vec<Selection<'m>>,
    /// What of them could not be listed, to be counted with them.
    pub unlisted: Vec<Unread>,
    /// Partial baselines to learn from as well.
    pub partials: Vec<PathBuf>,
    /// What was kept of other records, in tables; read like logs.
    pub tables: &'m [Box<dyn Table>],
    /// The user's settings.
    pub config: &'m Config,
    /// What calls are judged by.
    pub model: &'m Model,
    /// What is left out.
    pub filter: Filter,
    /// How many files are read at once.
    pub threads: usize,
    /// Where what must be remembered goes when it grows; must exist.
    pub work_dir: PathBuf,
    /// Keys the hash tables, so that nobody can choose keys that collide. No result depends on it.
    pub hash_seed: u64,
}

/// Files of a source.
#[derive(Clone, Debug)]
pub struct Selection<'s> {
    /// Where they are.
    pub source: &'s dyn Source,
    /// Their places among its files.
    pub which: Vec<usize>,
}

impl<'s> Selection<'s> {
    /// All that it has.
    pub fn all(source: &'s dyn Source) -> Self {
        Self { source, which: (0..source.files().len()).collect() }
    }

    /// What all files of these sources are, as they are given to a job, and what could not be listed.
    pub fn all_of(sources: &'s [Box<dyn Source>]) -> (Vec<Self>, Vec<Unread>) {
        let logs = sources.iter().map(|source| Self::all(&**source)).collect();
        let unlisted = sources.iter().flat_map(|source| source.unlisted()).cloned().collect();
        (logs, unlisted)
    }

    /// Reads them one after the other; for what a first reading did not look for.
    pub fn read(
        &self,
        reader: &mut Reader,
        buffer: &mut Vec<u8>,
        mut sink: impl FnMut(&Record<'_>) -> Fate,
    ) -> Tally {
        let (mut tally, feed) = (Tally::default(), self.source.open(&self.which));
        while let Some(arrived) = feed.next() {
            if let Some(file) = self.source.files().get(arrived.nth) {
                tally.add(arrived.read(&file.file, reader, buffer, &mut sink));
            }
        }
        tally
    }

    /// The files in the order in which a history is read: so that a mint comes before its uses, mostly, and two
    /// copies of a record come close together. That saves time and memory, and changes nothing else.
    ///
    /// By the day of their delivery; on each day those of us-east-1 first, where the calls to the global endpoint
    /// of STS are logged wherever they were served (facts, 2.5), but for other partitions; then as they are
    /// listed, by the time.
    pub(crate) fn in_reading_order(&self) -> Vec<usize> {
        let order = |nth: &usize| {
            let listed = self.source.files().get(*nth);
            let (delivered, path) =
                listed.map_or(("", ""), |it| (&*it.delivered, it.file.as_unescaped()));
            let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
            (delivered.get(..8).unwrap_or_default(), !name.contains("_us-east-1_"))
        };
        let mut which = self.which.clone();
        which.sort_by(|a, b| order(a).cmp(&order(b)));
        which
    }

    pub(crate) fn stored_bytes(&self) -> u64 {
        let files = self.which.iter().filter_map(|nth| self.source.files().get(*nth));
        files.map(|file| file.bytes).sum()
    }
}

/// Records that were read before, by what was kept of each. Read once, on any thread.
pub trait Table: fmt::Debug + Sync {
    /// How long it is, as stored.
    fn bytes(&self) -> u64;

    /// Whether it was made with these settings: rows of others would fit neither agents nor invariants.
    ///
    /// # Errors
    /// When it was not.
    fn check(&self, fingerprint: Fingerprint) -> Result<(), TableError>;

    /// Hands out every row.
    ///
    /// # Errors
    /// When it is damaged, or was made by somebody else. Nothing is done with what it told before.
    fn read(&self, rows: &mut dyn TableRows) -> Result<(), TableError>;
}

/// Takes the rows of a [`Table`].
pub trait TableRows {
    /// What was kept of a credential's creation.
    fn mint(&mut self, mint: StoredMint);
    /// What was kept of a call.
    fn call(&mut self, call: KeptCall);
}

/// What is wrong with a table, in words that name file and column.
pub type TableError = Box<dyn std::error::Error + Send + Sync>;

/// Is told how far a run is. Called from several threads.
pub trait Progress: Sync {
    /// How much there is to read, before anything is read.
    fn total(&self, files: u64, stored_bytes: u64);
    /// A file is done.
    fn file(&self, stored_bytes: u64, records: u64);
}

/// What was found, besides the calls that [`score`] hands out.
#[derive(Debug)]
pub struct Report {
    /// What must be stopped, each with its plan.
    pub incidents: Vec<Incident>,
    /// Every session with its agent and lineage.
    pub sessions: Sessions,
    /// What was read.
    pub tally: Tally,
    /// How much of the work directory was used.
    pub spilled_bytes: u64,
}

/// A run that could not be brought to its end. Input that cannot be read is not among these: it is
/// in the tally.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// The work directory failed.
    #[error("the work directory `{}` failed: {source}", path.display())]
    WorkDir {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The threads could not be started.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// What the caller does with the results failed.
    #[error("cannot write the results: {0}")]
    Output(#[source] io::Error),
    /// A partial baseline cannot be learned from.
    #[error(transparent)]
    Partial(#[from] PartialError),
    /// A learned baseline cannot be used.
    #[error(transparent)]
    Baselines(#[from] SettingsError),
    /// Baselines do not belong together.
    #[error(transparent)]
    Promotion(#[from] PromotionError),
    /// A table cannot be read.
    #[error("{0}")]
    Table(#[source] TableError),
    /// A row that was spilled did not come back as it was.
    #[error(transparent)]
    DamagedRow(#[from] DamagedRow),
}

/// Judges the calls in the logs of `job` and hands those with a verdict to `sink`, or with `all`
/// every one, in order of time and event id.
///
/// # Errors
/// When the work directory or `sink` fails or threads cannot be started.
pub fn score(
    job: &Job<'_>,
    all: bool,
    progress: &dyn Progress,
    sink: &mut dyn FnMut(&Scored) -> io::Result<()>,
) -> Result<Report, HistoryError> {
    let purpose = if all { Purpose::ShowAll } else { Purpose::ShowFindings };
    let resolved = Taken::read(job, purpose, progress)?.resolve();
    let judged = resolved.judge(job, false, Deployments::default(), sink)?;
    let Judged { incidents, sessions, tally, spilled_bytes, .. } = judged;
    Ok(Report { incidents, sessions, tally, spilled_bytes })
}

/// The same, with what each episode came to of the agents that are known well, in order of time; only
/// episodes that began after the last day that their agent was learned from.
///
/// # Errors
/// As [`score`].
pub fn backtest(
    job: &Job<'_>,
    progress: &dyn Progress,
    sink: &mut dyn FnMut(&Scored) -> io::Result<()>,
) -> Result<(Report, Vec<Outcome>), HistoryError> {
    let resolved = Taken::read(job, Purpose::ShowFindings, progress)?.resolve();
    let judged = resolved.judge(job, true, Deployments::default(), sink)?;
    let Judged { incidents, sessions, tally, spilled_bytes, outcomes, .. } = judged;
    Ok((Report { incidents, sessions, tally, spilled_bytes }, outcomes))
}

impl Job<'_> {
    /// What rows that are kept of this job fit together with.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.config, self.model)
    }

    pub(crate) fn work_dir_failed(&self, source: io::Error) -> HistoryError {
        HistoryError::WorkDir { path: Path::to_owned(&self.work_dir), source }
    }
}

/// A worker that panicked has lost its own share only; the panic itself is passed on by the pool.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tripline_runtime::LocalLogs;

    use super::*;

    #[test]
    fn on_each_day_us_east_1_is_read_first() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = [
            "b/1_CloudTrail_eu-west-1_20251231T2355Z_x.json.gz",
            "d/1_CloudTrail_us-east-1_20260101T0015Z_x.json.gz",
            "c_us-east-1_/1_CloudTrail_eu-west-1_20260101T0005Z_x.json.gz",
            "a/1_CloudTrail_us-west-2_20260101T0010Z_x.json.gz",
            "e/1_CloudTrail_us-east-1_20260102T0000Z_x.json.gz",
        ];
        for name in wanted {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        let logs = LocalLogs::list(&[dir.path().to_owned()]);
        let read = Selection::all(&logs).in_reading_order();
        let names: Vec<&str> =
            read.iter().map(|nth| logs.files()[*nth].file.as_unescaped()).collect();
        let wanted = wanted.map(|name| dir.path().join(name).to_string_lossy().into_owned());
        assert_eq!(names, wanted);
    }
}
