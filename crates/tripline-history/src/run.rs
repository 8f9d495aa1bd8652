//! `sessions` and `score`: every file read once, in parallel, then what was set aside judged in
//! order.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tripline_attribution::{Attributor, Coverage, News, Sessions};
use tripline_cloudtrail::{EventId, Limits, Reader, Tally};
use tripline_engine::{
    Config, DamagedRow, Filter, Hold, Incident, Intake, Judge, Key, Model, Scored, Seen,
    settle_copies,
};
use tripline_runtime::{LocalFile, files};

use crate::seen::SeenIds;
use crate::sorter::Sorter;

/// What is to be read, and how.
#[derive(Debug)]
pub struct Job<'m> {
    /// Files and directories.
    pub paths: Vec<PathBuf>,
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

/// Is told how far a run is. Called from several threads.
pub trait Progress: Sync {
    /// How much there is to read, before anything is read.
    fn total(&self, files: u64, stored_bytes: u64);
    /// A file is done.
    fn file(&self, stored_bytes: u64, records: u64);
}

/// The sessions of a history.
#[derive(Debug)]
pub struct SessionsReport {
    /// Every session with its agent and lineage.
    pub sessions: Sessions,
    /// What stays unattributed, and why.
    pub coverage: Coverage,
    /// What was read.
    pub tally: Tally,
}

/// What [`score`] found, besides the calls it handed out.
#[derive(Debug)]
pub struct ScoreReport {
    /// What must be stopped, each with its plan.
    pub incidents: Vec<Incident>,
    /// What stays unattributed, and why.
    pub coverage: Coverage,
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
    /// A row that was spilled did not come back as it was.
    #[error(transparent)]
    DamagedRow(#[from] DamagedRow),
}

/// How much of the calls that are set aside stays in memory, over all threads.
const HELD_BYTES_MAX: usize = 48 << 20;

/// The sessions in the logs of `job`.
///
/// # Errors
/// When the work directory fails or threads cannot be started.
pub fn sessions(job: &Job<'_>, progress: &dyn Progress) -> Result<SessionsReport, HistoryError> {
    let taken = take_in(job, false, progress)?;
    let sessions = taken.attributor.resolve();
    Ok(SessionsReport { coverage: sessions.coverage(), sessions, tally: taken.tally })
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
) -> Result<ScoreReport, HistoryError> {
    let taken = take_in(job, all, progress)?;
    let sessions = taken.attributor.resolve();
    let spilled_bytes = taken.spilled_bytes + spilled(&taken.calls);
    let mut judge = Judge::new(job.model, &job.filter, &sessions, all);
    for row in Sorter::into_rows(taken.calls).map_err(|source| job.work_dir_failed(source))? {
        let (_, row) = row.map_err(|source| job.work_dir_failed(source))?;
        if let Some(scored) = judge.judge(&row)? {
            sink(&scored).map_err(HistoryError::Output)?;
        }
    }
    let incidents = judge.into_incidents(job.config);
    Ok(ScoreReport { incidents, coverage: sessions.coverage(), tally: taken.tally, spilled_bytes })
}

/// All files, read.
struct Taken {
    attributor: Attributor,
    calls: Vec<Sorter>,
    tally: Tally,
    spilled_bytes: u64,
}

/// What one thread has read.
struct Worker<'m> {
    intake: Intake<'m>,
    held: HeldRows,
    tally: Tally,
}

struct HeldRows {
    calls: Sorter,
    copies: Sorter,
}

impl Hold for HeldRows {
    fn call(&mut self, key: Key, row: &[u8]) {
        self.calls.push(key, row);
    }
    fn copy(&mut self, key: Key, row: &[u8]) {
        self.copies.push(key, row);
    }
}

impl Seen for &SeenIds {
    fn is_first(&mut self, id: EventId) -> bool {
        SeenIds::is_first(self, id)
    }
}

fn take_in(job: &Job<'_>, all: bool, progress: &dyn Progress) -> Result<Taken, HistoryError> {
    let (files, unlisted) = files(&job.paths);
    progress.total(files.len() as u64, files.iter().map(|file| file.bytes).sum());
    let seen = SeenIds::new(&job.work_dir, job.hash_seed);
    let workers = read_files(job, all, &files, &seen, progress)?;

    // The others are merged into the first worker's facts: they are the larger part of the memory.
    let mut attributor: Option<Attributor> = None;
    let (mut calls, mut copies, mut tally) = (Vec::new(), Vec::new(), Tally::default());
    for mut worker in workers {
        let facts = worker.intake.finish(&mut worker.held);
        match &mut attributor {
            Some(attributor) => attributor.merge(facts),
            none => *none = Some(facts),
        }
        calls.push(worker.held.calls);
        copies.push(worker.held.copies);
        tally.add(worker.tally);
    }
    let mut attributor = attributor.unwrap_or_else(|| job.attributor());
    for path in unlisted {
        let file = LocalFile::name_of(&path.path);
        tally.unreadable(file, path.source.to_string());
    }
    let mut spilled_bytes = seen.spilled_bytes() + spilled(&copies);
    // Copies that count become calls like the others.
    let mut settled = job.held_rows(HELD_BYTES_MAX);
    let rows = Sorter::into_rows(copies).map_err(|source| job.work_dir_failed(source))?;
    let rows = rows.map(|row| row.map_err(|source| job.work_dir_failed(source)));
    let duplicates = settle_copies(rows, &mut attributor, &mut &seen, &mut settled)?;
    tally.read_turned_duplicate(duplicates);
    spilled_bytes += settled.calls.spilled_bytes();
    calls.push(settled.calls);
    match seen.failure() {
        Some(source) => Err(job.work_dir_failed(source)),
        None => Ok(Taken { attributor, calls, tally, spilled_bytes }),
    }
}

/// Reads all files with as many workers as there are threads. Which worker reads which file is a
/// matter of chance and changes nothing.
fn read_files<'m>(
    job: &'m Job<'m>,
    all: bool,
    files: &[LocalFile],
    seen: &SeenIds,
    progress: &dyn Progress,
) -> Result<Vec<Worker<'m>>, HistoryError> {
    let threads = job.threads.clamp(1, files.len().max(1));
    let next = Mutex::new(files.iter());
    let exchange = Mutex::new(Vec::new());
    let work = || {
        let mut worker = Worker {
            intake: Intake::new(job.model, &job.filter, all, job.attributor()),
            held: job.held_rows(HELD_BYTES_MAX / threads),
            tally: Tally::default(),
        };
        let (mut reader, mut buffer) = (Reader::new(Limits::default()), Vec::new());
        let mut known_news = 0;
        // Not in the loop's condition, where the lock would last as long as its body.
        let take = || lock(&next).next();
        while let Some(file) = take() {
            worker.hear_news(&exchange, &mut known_news);
            let (mut seen, Worker { intake, held, .. }) = (seen, &mut worker);
            let tally = file
                .read(&mut reader, &mut buffer, |record| intake.ingest(record, &mut seen, held));
            progress.file(file.bytes, tally.records.seen);
            worker.tally.add(tally);
            worker.tell_news(&exchange, threads);
        }
        worker
    };
    if threads == 1 {
        return Ok(vec![work()]);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    Ok(pool.broadcast(|_| work()))
}

impl Worker<'_> {
    /// Hears which keys others saw minted, so that fewer calls have to wait for their agent.
    fn hear_news(&mut self, exchange: &Mutex<Vec<News>>, known: &mut usize) {
        let news = lock(exchange);
        news.get(*known..)
            .unwrap_or_default()
            .iter()
            .for_each(|one| self.intake.attributor().hear(one));
        *known = news.len();
    }

    fn tell_news(&mut self, exchange: &Mutex<Vec<News>>, threads: usize) {
        let news = self.intake.attributor().take_news();
        if threads > 1 {
            lock(exchange).extend(news);
        }
    }
}

impl Job<'_> {
    fn attributor(&self) -> Attributor {
        Attributor::new(self.config.agents.clone(), self.hash_seed)
    }

    fn held_rows(&self, memory_bytes_max: usize) -> HeldRows {
        let sorter = |bytes| Sorter::new(&self.work_dir, bytes);
        HeldRows { calls: sorter(memory_bytes_max * 3 / 4), copies: sorter(memory_bytes_max / 4) }
    }

    fn work_dir_failed(&self, source: io::Error) -> HistoryError {
        HistoryError::WorkDir { path: Path::to_owned(&self.work_dir), source }
    }
}

fn spilled(sorters: &[Sorter]) -> u64 {
    sorters.iter().map(Sorter::spilled_bytes).sum()
}

/// A worker that panicked has lost its own share only; the panic itself is passed on by the pool.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
