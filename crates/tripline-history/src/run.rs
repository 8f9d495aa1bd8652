//! `sessions` and `score`: every file read once, in parallel, then what was set aside judged in
//! order.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use thiserror::Error;
use tripline_attribution::{AgentRules, Attributor, Sessions, StoredMint};
use tripline_baseline::PromotionError;
use tripline_cloudtrail::{Fate, Limits, Reader, Record, Tally};
use tripline_engine::{
    Config, Corrections, DamagedRow, Deployments, Filter, Fingerprint, Flagged, Hold, Incident,
    Intake, Judge, KeptCall, Key, Lesson, Model, Outcome, Purpose, Reach, Scored, Settler, Tick,
    Ticked, View, Vocabulary, judge_all,
};
use tripline_runtime::{Feed, SettingsError, Source, Unread};

use crate::ahead::ahead;
use crate::log::Log;
use crate::partial::{PartialError, PartialRows};
use crate::sorter::{Batch, SharedRow, Sorter};
use crate::ticks::Ticks;

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

/// How much of the calls that are set aside stays in memory, over all threads.
const HELD_BYTES_MAX: usize = 10 << 20;
/// How much waits to know its agent before it is set aside, over all threads.
const WAITING_BYTES_MAX: usize = 6 << 20;
/// How much of the ticks does, over all threads: two hundred thousand of them, or 160,000 lessons.
const TICK_BYTES_MAX: usize = 6 << 20;

/// How much of what calls show does, for learning, over all threads.
const DRAWN_BYTES_MAX: usize = 16 << 20;

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

/// All files, read.
pub(crate) struct Taken {
    purpose: Purpose,
    attributor: Attributor,
    parts: Vec<Part>,
    tally: Tally,
    spilled_bytes: u64,
}

/// What one thread has set aside.
struct Part {
    ticks: Ticks<Tick>,
    lessons: Ticks<Lesson>,
    calls: Sorter,
    drawn: Log,
    vocabulary: Vocabulary,
}

/// All calls, counted and judged.
pub(crate) struct Judged {
    pub(crate) incidents: Vec<Incident>,
    pub(crate) sessions: Sessions,
    pub(crate) deployments: Deployments,
    pub(crate) flagged: Flagged,
    pub(crate) outcomes: Vec<Outcome>,
    /// Of each thread.
    pub(crate) vocabularies: Vec<Vocabulary>,
    pub(crate) tally: Tally,
    pub(crate) spilled_bytes: u64,
}

/// What one thread has read.
struct Worker<'m> {
    intake: Intake<'m, Shared<'m>>,
    held: HeldRows,
    tally: Tally,
}

/// What is left of a worker.
struct Done {
    held: HeldRows,
    vocabulary: Vocabulary,
    tally: Tally,
}

/// The one attributor of all workers. What it does with a record takes a tenth of what reading it
/// does, so two seldom meet here; an attributor for each would know most sessions twice.
#[derive(Clone, Copy)]
struct Shared<'a>(&'a Mutex<Attributor>);

impl Reach for Shared<'_> {
    #[inline]
    fn with<T>(&mut self, act: impl FnOnce(&mut Attributor) -> T) -> T {
        act(&mut lock(self.0))
    }
}

struct HeldRows {
    ticks: Ticks<Tick>,
    /// In place of ticks, for learning.
    lessons: Ticks<Lesson>,
    calls: Sorter,
    copies: Sorter,
    corrections: Sorter,
    drawn: Log,
}

impl Hold for HeldRows {
    #[inline]
    fn tick(&mut self, tick: Tick) {
        self.ticks.push(tick);
    }
    fn call(&mut self, key: Key, row: &[u8]) {
        self.calls.push(key, row);
    }
    fn copy(&mut self, key: Key, row: &[u8]) {
        self.copies.push(key, row);
    }
    fn correction(&mut self, key: Key, row: &[u8]) {
        self.corrections.push(key, row);
    }
    #[inline]
    fn lesson(&mut self, lesson: Lesson) {
        self.lessons.push(lesson);
    }
    fn drawn(&mut self, row: &[u8]) -> u32 {
        self.drawn.push(row)
    }
}

impl HeldRows {
    fn spilled_bytes(&self) -> u64 {
        let sorters = [&self.calls, &self.copies, &self.corrections];
        self.ticks.spilled_bytes()
            + self.lessons.spilled_bytes()
            + self.drawn.spilled_bytes()
            + sorters.map(Sorter::spilled_bytes).iter().sum::<u64>()
    }

    fn into_part(self, vocabulary: Vocabulary) -> Part {
        let Self { ticks, lessons, calls, drawn, .. } = self;
        Part { ticks, lessons, calls, drawn, vocabulary }
    }
}

impl Taken {
    /// Reads all files of `job`.
    pub(crate) fn read(
        job: &Job<'_>,
        purpose: Purpose,
        progress: &dyn Progress,
    ) -> Result<Self, HistoryError> {
        for table in job.tables {
            table.check(job.fingerprint()).map_err(HistoryError::Table)?;
        }
        let files: usize = job.logs.iter().map(|logs| logs.which.len()).sum();
        let stored = job.logs.iter().map(Selection::stored_bytes);
        let stored = stored.chain(job.tables.iter().map(|table| table.bytes())).sum();
        progress.total((files + job.tables.len()) as u64, stored);
        let attributor = Mutex::new(Attributor::new(job.config.agents.clone(), job.hash_seed));
        let workers = read_files(job, purpose, files, &attributor, progress)?;
        let mut tally = Tally::default();
        let mut spilled_bytes = 0;
        let (mut parts, mut copies, mut corrections) = (Vec::new(), Vec::new(), Vec::new());
        for done in each_on_its_thread(workers, Worker::finish) {
            let Done { mut held, vocabulary, tally: read } = done;
            spilled_bytes += held.spilled_bytes();
            let empty = || Sorter::new(&job.work_dir, 0);
            copies.push(std::mem::replace(&mut held.copies, empty()));
            corrections.push(std::mem::replace(&mut held.corrections, empty()));
            parts.push(held.into_part(vocabulary));
            tally.add(read);
        }
        let attributor = attributor.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Self { purpose, attributor, parts, tally, spilled_bytes };
        for Unread { file, why } in &job.unlisted {
            taken.tally.unreadable(Arc::clone(file), why.clone());
        }
        taken.settle(job, copies, corrections)?;
        Ok(taken)
    }

    /// Copies and corrections that count become calls like the others, in a part of their own.
    fn settle(
        &mut self,
        job: &Job<'_>,
        copies: Vec<Sorter>,
        corrections: Vec<Sorter>,
    ) -> Result<(), HistoryError> {
        let failed = |source| job.work_dir_failed(source);
        let rows = |sorters| Sorter::into_rows(sorters).map_err(failed);
        let corrections = rows(corrections)?.map(|row| row.map_err(failed));
        let mut corrections = Corrections::gather(corrections)?;
        let mut held = job.held_rows(1);
        let copies = rows(copies)?.map(|row| row.map_err(failed));
        let mut settler = Settler::new(self.purpose, &mut self.attributor, &mut held);
        let mut duplicates = settler.copies(copies, &mut corrections)?;
        if !corrections.is_empty() {
            let HeldRows { ticks, lessons, .. } = settler.hold();
            let parts = self.parts.iter_mut().map(|part| (&mut part.ticks, &mut part.lessons));
            let known = &corrections;
            let corrected = each_on_its_thread(parts.chain([(ticks, lessons)]), |part| {
                let (ticks, lessons) = part;
                let mut found = Vec::new();
                let mut look = |tick: Tick| {
                    if known.correct(tick.id()) {
                        found.push(tick.id());
                    }
                };
                ticks.for_each(|tick| look(*tick))?;
                lessons.for_each(|lesson| look(lesson.tick()))?;
                Ok(found)
            });
            for found in corrected {
                found.map_err(failed)?.into_iter().for_each(|id| corrections.note(id));
            }
        }
        duplicates += settler.corrections(corrections)?;
        self.tally.read_turned_duplicate(duplicates);
        self.spilled_bytes += held.spilled_bytes();
        self.parts.push(held.into_part(Vocabulary::new(job.hash_seed)));
        Ok(())
    }

    /// The rows that were kept, with what was read and how much was spilled.
    pub(crate) fn into_kept(self) -> (Vec<Sorter>, Tally, u64) {
        let calls = self.parts.into_iter().map(|part| part.calls).collect();
        (calls, self.tally, self.spilled_bytes)
    }

    /// The same, with whose each call was.
    pub(crate) fn into_attributed(mut self) -> (Vec<Sorter>, Sessions, Tally, u64) {
        let rules = AgentRules::default();
        let attributor = std::mem::replace(&mut self.attributor, Attributor::new(rules, 0));
        let (rows, tally, spilled_bytes) = self.into_kept();
        (rows, attributor.resolve(), tally, spilled_bytes)
    }

    /// What there is to learn from calls, by part.
    pub(crate) fn take_logs(&mut self) -> Vec<Log> {
        self.parts.iter_mut().map(|part| part.drawn.take()).collect()
    }

    /// Finds out whose each call was.
    pub(crate) fn resolve(self) -> Resolved {
        let Self { purpose, attributor, parts, tally, spilled_bytes } = self;
        Resolved { purpose, sessions: attributor.resolve(), parts, tally, spilled_bytes }
    }
}

/// All files, read, and whose each call was.
pub(crate) struct Resolved {
    purpose: Purpose,
    pub(crate) sessions: Sessions,
    parts: Vec<Part>,
    tally: Tally,
    spilled_bytes: u64,
}

impl Resolved {
    /// Counts all calls, and judges those that were set aside.
    pub(crate) fn judge(
        mut self,
        job: &Job<'_>,
        keeps_outcomes: bool,
        before: Deployments,
        sink: &mut dyn FnMut(&Scored) -> io::Result<()>,
    ) -> Result<Judged, HistoryError> {
        let new = || Ticks::new(&job.work_dir, 0);
        let ticks = self.parts.iter_mut().map(|part| std::mem::replace(&mut part.ticks, new()));
        let ticks = ticks.collect();
        self.judge_by(ticks, job, keeps_outcomes, before, |_, _| {}, sink)
    }

    /// The same of calls that are to be learned from: `counted` sees the lesson of each, in order of time,
    /// with the number of its part.
    pub(crate) fn judge_lessons(
        mut self,
        job: &Job<'_>,
        counted: impl FnMut(usize, Lesson),
    ) -> Result<Judged, HistoryError> {
        let new = || Ticks::new(&job.work_dir, 0);
        let lessons = self.parts.iter_mut().map(|part| std::mem::replace(&mut part.lessons, new()));
        let lessons = lessons.collect();
        self.judge_by(lessons, job, false, Deployments::default(), counted, &mut |_| Ok(()))
    }

    fn judge_by<T: Ticked>(
        self,
        ticks: Vec<Ticks<T>>,
        job: &Job<'_>,
        keeps_outcomes: bool,
        before: Deployments,
        counted: impl FnMut(usize, T),
        sink: &mut dyn FnMut(&Scored) -> io::Result<()>,
    ) -> Result<Judged, HistoryError> {
        let failed = |source| job.work_dir_failed(source);
        let (mut calls, mut vocabularies) = (Vec::new(), Vec::new());
        for part in self.parts {
            calls.push(part.calls);
            vocabularies.push(part.vocabulary);
        }
        let ticks = Ticks::into_sorted(ticks).map_err(failed)?.batches();
        let ticks = ticks.map(|batch| batch.map_err(failed));
        let batches = Sorter::into_rows(calls).map_err(failed)?.batches();
        let batches = batches.map(|batch| batch.map_err(failed));
        let show_all = self.purpose == Purpose::ShowAll;
        let sessions = self.sessions;
        let tenants = &job.config.tenants;
        let mut judge =
            Judge::new(job.model, &job.filter, tenants, sessions, &vocabularies, show_all)
                .for_whole()
                .knowing(before);
        if keeps_outcomes {
            judge = judge.keeping_outcomes();
        }
        let mut sink = |scored| sink(&scored).map_err(HistoryError::Output);
        let duplicates = match job.threads {
            1 => judge_all(ticks, rows_of(batches), &mut judge, counted, &mut sink)?,
            // Judging takes one thread, which need not bring them into order as well.
            _ => ahead(ticks, |ticks| {
                ahead(batches, |batches| {
                    judge_all(ticks, rows_of(batches), &mut judge, counted, &mut sink)
                })
            })?,
        };
        let mut tally = self.tally;
        tally.read_turned_duplicate(duplicates);
        let judged = judge.finish(View::Whole, job.config);
        let tripline_engine::Judged { incidents, sessions, deployments, flagged, .. } = judged;
        let mut outcomes = judged.outcomes;
        // Of agents that nobody asked for, nothing was weighed.
        outcomes.retain(|outcome| job.filter.shows(Some(&outcome.agent.untrusted())));
        let spilled_bytes = self.spilled_bytes;
        Ok(Judged {
            incidents,
            sessions,
            deployments,
            flagged,
            outcomes,
            vocabularies,
            tally,
            spilled_bytes,
        })
    }
}

/// The rows of batches, up to one that failed.
fn rows_of<E>(
    batches: impl Iterator<Item = Result<Batch, E>>,
) -> impl Iterator<Item = Result<(Key, SharedRow), E>> {
    batches.flat_map(|batch| {
        let (rows, failed) = match batch {
            Ok(batch) => (Some(batch.into_rows()), None),
            Err(error) => (None, Some(Err(error))),
        };
        rows.into_iter().flatten().map(Ok).chain(failed)
    })
}

/// Reads all files with as many workers as there are threads. Which worker reads which file is a
/// matter of chance and changes nothing.
fn read_files<'m>(
    job: &'m Job<'m>,
    purpose: Purpose,
    files: usize,
    attributor: &'m Mutex<Attributor>,
    progress: &dyn Progress,
) -> Result<Vec<Worker<'m>>, HistoryError> {
    // What is kept is united, not read.
    let is_read = !matches!(purpose, Purpose::Keep | Purpose::Export);
    let partials = if is_read { job.partials.as_slice() } else { &[] };
    let sources = files + partials.len() + job.tables.len();
    let threads = job.threads.clamp(1, sources.max(1));
    let next_table = Mutex::new(job.tables.iter());
    let next = AtomicUsize::new(0);
    let feeds: Vec<(&dyn Source, Box<dyn Feed + '_>)> =
        job.logs.iter().map(|logs| (logs.source, logs.source.open(&logs.which))).collect();
    let work = || {
        let mut worker = Worker {
            intake: Intake::new(job.model, &job.filter, purpose, Shared(attributor))
                .with_room_to_wait(WAITING_BYTES_MAX / threads),
            held: job.held_rows(threads),
            tally: Tally::default(),
        };
        let (mut reader, mut buffer) = (Reader::new(Limits::default()), Vec::new());
        for (source, feed) in &feeds {
            while let Some(arrived) = feed.next() {
                let Some(file) = source.files().get(arrived.nth) else { continue };
                let Worker { intake, held, .. } = &mut worker;
                let (reader, buffer, has_more) = (&mut reader, &mut buffer, arrived.has_more);
                let ingest = |record: &Record<'_>| intake.ingest(record, held);
                let tally = arrived.read(&file.file, reader, buffer, ingest);
                if !has_more {
                    progress.file(file.bytes, tally.records.seen);
                }
                worker.tally.add(tally);
            }
        }
        while let Some(path) = partials.get(next.fetch_add(1, Ordering::Relaxed)) {
            worker.read_partial(job, path)?;
        }
        let take = || lock(&next_table).next();
        while let Some(table) = take() {
            let before = worker.tally.records.seen;
            table.read(&mut worker).map_err(HistoryError::Table)?;
            progress.file(table.bytes(), worker.tally.records.seen - before);
            worker.tally.files.seen += 1;
            worker.tally.files.read += 1;
            worker.tally.bytes_stored += table.bytes();
        }
        // Here, where every thread does its own share.
        worker.held.ticks.rest();
        worker.held.lessons.rest();
        Ok(worker)
    };
    if threads == 1 {
        return Ok(vec![work()?]);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    pool.broadcast(|_| work()).into_iter().collect()
}

impl TableRows for Worker<'_> {
    fn mint(&mut self, mint: StoredMint) {
        self.intake.ingest_mint(mint, &mut self.held);
    }

    fn call(&mut self, call: KeptCall) {
        let fate = self.intake.ingest_call(call, &mut self.held);
        self.tally.record(fate);
    }
}

/// Does something with each of them at once: one to a thread.
fn each_on_its_thread<T: Send, R: Send>(
    items: impl IntoIterator<Item = T>,
    act: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let act = &act;
    let mut items = items.into_iter();
    let Some(first) = items.next() else { return Vec::new() };
    thread::scope(|scope| {
        let others: Vec<_> = items.map(|item| scope.spawn(move || act(item))).collect();
        let first = act(first);
        let others = others.into_iter().map(|other| match other.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(first).chain(others).collect()
    })
}

impl Worker<'_> {
    /// Sets the last calls aside, now that as much is known of their agents as the files tell.
    fn finish(self) -> Done {
        let Self { intake, mut held, tally } = self;
        let (_, vocabulary) = intake.finish(&mut held);
        // What comes now needs the memory.
        held.calls.rest();
        Done { held, vocabulary, tally }
    }

    fn read_partial(&mut self, job: &Job<'_>, path: &Path) -> Result<(), HistoryError> {
        let mut rows = PartialRows::open(path, job.fingerprint())?;
        while let Some(row) = rows.next() {
            let (_, row) = row?;
            let taken = self.intake.ingest_kept(&row, &mut self.held);
            let fate = taken.map_err(|damaged| rows.damaged(damaged))?;
            self.tally.record(fate);
        }
        Ok(())
    }
}

impl Job<'_> {
    /// What one of so many workers sets aside.
    fn held_rows(&self, workers: usize) -> HeldRows {
        let sorter = |bytes| Sorter::new(&self.work_dir, bytes);
        let held = HELD_BYTES_MAX / workers;
        HeldRows {
            ticks: Ticks::new(&self.work_dir, TICK_BYTES_MAX / workers),
            lessons: Ticks::new(&self.work_dir, TICK_BYTES_MAX / workers),
            calls: sorter(held * 3 / 4),
            copies: sorter(held / 8),
            corrections: sorter(held / 8),
            drawn: Log::new(&self.work_dir, DRAWN_BYTES_MAX / workers),
        }
    }

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
