//! Reading: every file once, in parallel, with what has to be looked at again set aside.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tripline_attribution::{AgentRules, Attributor, Sessions, StoredMint};
use tripline_cloudtrail::{Limits, Reader, Tally};
use tripline_engine::{
    Corrections, Hold, Intake, KeptCall, Key, Lesson, Normal, Purpose, Reach, Settler, Tick,
    Ticked, Vocabulary,
};
use tripline_runtime::{Feed, Source, Unread};

use crate::judged::Resolved;
use crate::log::Log;
use crate::partial::PartialRows;
use crate::run::{HistoryError, Job, Progress, Selection, TableRows, lock};
use crate::sorter::Sorter;
use crate::ticks::Ticks;

/// How much of the calls that are set aside stays in memory, over all threads.
const HELD_BYTES_MAX: usize = 10 << 20;
/// How much waits to know its agent before it is set aside, over all threads.
const WAITING_BYTES_MAX: usize = 6 << 20;
/// How much of the ticks does, over all threads: two hundred thousand of them, or 160,000 lessons.
const TICK_BYTES_MAX: usize = 6 << 20;

/// How much of what calls show does, for learning, over all threads.
const DRAWN_BYTES_MAX: usize = 16 << 20;

/// All files, read.
pub(crate) struct Taken {
    purpose: Purpose,
    attributor: Attributor,
    parts: Vec<Part>,
    tally: Tally,
    spilled_bytes: u64,
}

/// What one thread has set aside.
pub(crate) struct Part {
    pub(crate) ticks: Ticks<Tick>,
    pub(crate) lessons: Ticks<Lesson>,
    pub(crate) calls: Sorter,
    drawn: Log,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) normal: Normal,
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
    normal: Normal,
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

    fn into_part(self, vocabulary: Vocabulary, normal: Normal) -> Part {
        let Self { ticks, lessons, calls, drawn, .. } = self;
        Part { ticks, lessons, calls, drawn, vocabulary, normal }
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
            let Done { mut held, vocabulary, normal, tally: read } = done;
            spilled_bytes += held.spilled_bytes();
            let empty = || Sorter::new(&job.work_dir, 0);
            copies.push(std::mem::replace(&mut held.copies, empty()));
            corrections.push(std::mem::replace(&mut held.corrections, empty()));
            parts.push(held.into_part(vocabulary, normal));
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
        self.parts.push(held.into_part(Vocabulary::new(job.hash_seed), Normal::default()));
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
    let ordered: Vec<(&dyn Source, Vec<usize>)> =
        job.logs.iter().map(|logs| (logs.source, logs.in_reading_order())).collect();
    let feeds: Vec<(&dyn Source, Box<dyn Feed + '_>)> =
        ordered.iter().map(|(source, which)| (*source, source.open(which))).collect();
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
                let tally = arrived.read(&file.file, reader, buffer, &mut intake.sink(held));
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
        let (_, vocabulary, normal) = intake.finish(&mut held);
        // What comes now needs the memory.
        held.calls.rest();
        Done { held, vocabulary, normal, tally }
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
}
