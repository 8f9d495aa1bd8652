//! An export while it is written: beside its place, and put there whole when all is done.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tripline_attribution::{Coverage, StoredMint};
use tripline_cloudtrail::{Counts, EventTime};
use tripline_engine::{Filter, Fingerprint, KeptCall};
use tripline_history::{Attributed, HistoryError, Job, Progress, TableSink, episodes};

use crate::error::{ColumnsError, ColumnsProblem};
use crate::read::tables_of;
use crate::rows::{EpisodeRows, EventRows, MintRows, Rows};
use crate::schema::{FORMAT, FORMAT_KEY, Kind, LABEL, TABLE_KEY};

/// Rows that are put together before they are encoded.
const BATCH_ROWS: usize = 8_192;
/// Rows of a row group: what a reader skips or takes as a whole, and what is in memory while it is
/// written, at some 100 bytes each.
const GROUP_ROWS: usize = 131_072;

/// Says that a folder is an export, and what is in it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Label {
    /// The version of the format.
    pub(crate) format: u32,
    /// The settings that it was made with.
    pub(crate) settings: String,
    /// Rows of each table.
    pub(crate) rows: BTreeMap<String, u64>,
    /// What the episodes were learned from, if there is such a table.
    pub(crate) learned: Option<Learned>,
}

/// What episodes were learned from: what `learn` says of the calls that it need not read again.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learned {
    /// Records, …
    pub(crate) seen: u64,
    /// … those that counted, …
    pub(crate) read: u64,
    /// … and copies.
    pub(crate) duplicate: u64,
    /// Whose they were.
    pub(crate) coverage: Coverage,
}

/// Nobody watches.
struct Unseen;

impl Progress for Unseen {
    fn total(&self, _: u64, _: u64) {}
    fn file(&self, _: u64, _: u64) {}
}

/// An export that is not done. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Export {
    out: PathBuf,
    stage: TempDir,
    settings: Fingerprint,
    events: TableFile<EventRows>,
    mints: TableFile<MintRows>,
    episodes: TableFile<EpisodeRows>,
    learned: Option<Learned>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows of `events`.
    pub events: u64,
    /// Rows of `mints`.
    pub mints: u64,
    /// Rows of `episodes`.
    pub episodes: u64,
    /// Files.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl Export {
    /// Begins an export that is to stand at `out`, where nothing may be but an empty folder.
    ///
    /// # Errors
    /// When something is there, or the folder around it cannot be written to.
    pub fn create(out: &Path, settings: Fingerprint) -> Result<Self, ColumnsError> {
        let failed = |error: io::Error| ColumnsProblem::Io(error).at(out);
        match fs::read_dir(out) {
            Ok(mut entries) => match entries.next() {
                None => {}
                Some(_) => return Err(ColumnsProblem::Occupied.at(out)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(ColumnsProblem::Occupied.at(out));
            }
            Err(error) => return Err(failed(error)),
        }
        let around = out.parent().filter(|around| !around.as_os_str().is_empty());
        let around = around.unwrap_or(Path::new("."));
        fs::create_dir_all(around).map_err(failed)?;
        // In the same file system, so that it can be renamed.
        let stage = tempfile::Builder::new().prefix(".tripline-export-").tempdir_in(around);
        let stage = stage.map_err(failed)?;
        Ok(Self {
            out: out.to_owned(),
            settings,
            events: TableFile::new(Kind::Events, &stage),
            mints: TableFile::new(Kind::Mints, &stage),
            episodes: TableFile::new(Kind::Episodes, &stage),
            learned: None,
            stage,
        })
    }

    /// Adds the table of episodes, by which agents are learned again without their calls. `job` says how
    /// calls are to be read; it reads the tables that were written.
    ///
    /// # Errors
    /// When the work directory or the disk fails.
    pub fn add_episodes(&mut self, job: &Job<'_>) -> Result<(), HistoryError> {
        let ended = self.events.close().and_then(|()| self.mints.close());
        ended.map_err(HistoryError::Output)?;
        let opened = tables_of(self.stage.path(), &hex(&self.settings));
        let tables = opened.map_err(|error| HistoryError::Table(error.into()))?;
        let job = Job {
            logs: Vec::new(),
            unlisted: Vec::new(),
            partials: Vec::new(),
            tables: &tables,
            // What a filter left out is not there to be left out again.
            filter: Filter::default(),
            threads: 1,
            work_dir: job.work_dir.clone(),
            ..*job
        };
        let table = &mut self.episodes;
        let report = episodes(&job, &Unseen, &mut |whose, facts| {
            table.columns.push(whose, facts.as_ref());
            table.grown()
        })?;
        let Counts { seen, read, duplicate, .. } = report.tally.records;
        self.learned = Some(Learned { seen, read, duplicate, coverage: report.coverage });
        Ok(())
    }

    /// Puts the export in its place.
    ///
    /// # Errors
    /// When the disk fails, or somebody put something there in the meantime; then nothing is left.
    pub fn publish(mut self) -> Result<Written, ColumnsError> {
        let out = self.out.clone();
        let failed = |error: io::Error| ColumnsProblem::Io(error).at(&out);
        let closed = self.events.close().and_then(|()| self.mints.close());
        closed.and_then(|()| self.episodes.close()).map_err(failed)?;
        let (events, mints) = (self.events.rows, self.mints.rows);
        let episodes = self.episodes.rows;
        let rows = [(Kind::Events, events), (Kind::Mints, mints), (Kind::Episodes, episodes)];
        let label = Label {
            format: FORMAT,
            settings: hex(&self.settings),
            learned: self.learned,
            rows: rows.map(|(kind, rows)| (kind.name().to_owned(), rows)).into(),
        };
        let text = serde_json::to_string_pretty(&label).map_err(|error| failed(error.into()))?;
        let written = Written {
            events,
            mints,
            episodes,
            files: self.events.files + self.mints.files + self.episodes.files,
            bytes: self.events.bytes + self.mints.bytes + self.episodes.bytes,
        };
        let stage = self.stage.path();
        fs::write(stage.join(LABEL), text + "\n").map_err(failed)?;
        readable_by_others(stage).map_err(failed)?;
        // An empty folder gives way; anything else stays, and this fails.
        fs::rename(stage, &self.out).map_err(failed)?;
        // Nothing is left there to be removed.
        let _ = self.stage.keep();
        Ok(written)
    }
}

/// A temporary folder is its owner's alone; an export is like any other folder.
fn readable_by_others(folder: &Path) -> io::Result<()> {
    let usual = folder.join(Kind::Mints.name());
    fs::create_dir_all(&usual)?;
    fs::set_permissions(folder, fs::metadata(usual)?.permissions())
}

impl TableSink for Export {
    fn call(&mut self, call: &KeptCall, whose: &Attributed) -> io::Result<()> {
        self.events.move_to(day_of(call.call.time))?;
        self.events.columns.push(call, whose)?;
        self.events.grown()
    }

    fn mint(&mut self, mint: &StoredMint) -> io::Result<()> {
        self.mints.move_to(day_of(mint.time()))?;
        self.mints.columns.push(mint).map_err(io::Error::other)?;
        self.mints.grown()
    }
}

/// `day=2026-11-20`, as Hive names partitions.
fn day_of(time: EventTime) -> String {
    let text = time.to_string();
    format!("day={}", text.split('T').next().unwrap_or_default())
}

/// One table, of which one file is open: rows come in order of time.
#[derive(Debug)]
struct TableFile<R> {
    kind: Kind,
    folder: PathBuf,
    day: String,
    columns: R,
    writer: Option<ArrowWriter<File>>,
    rows: u64,
    files: u64,
    bytes: u64,
}

impl<R: Rows + Default> TableFile<R> {
    fn new(kind: Kind, stage: &TempDir) -> Self {
        Self {
            kind,
            folder: stage.path().join(kind.name()),
            day: String::new(),
            columns: R::default(),
            writer: None,
            rows: 0,
            files: 0,
            bytes: 0,
        }
    }

    fn move_to(&mut self, day: String) -> io::Result<()> {
        if day != self.day {
            self.close()?;
            self.day = day;
        }
        Ok(())
    }

    fn grown(&mut self) -> io::Result<()> {
        self.rows += 1;
        if self.columns.len() >= BATCH_ROWS { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> io::Result<()> {
        let batch = self.columns.take().map_err(io::Error::other)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                // What is of no day lies in the table's own folder.
                let folder = self.folder.join(&self.day);
                fs::create_dir_all(&folder)?;
                let path = folder.join(format!("{}.parquet", self.kind.name()));
                // A day comes once, since rows come in order of time.
                let file = File::create_new(path)?;
                let schema = self.kind.schema().clone();
                none.insert(ArrowWriter::try_new(file, schema, Some(properties(self.kind)))?)
            }
        };
        Ok(writer.write(&batch)?)
    }

    fn close(&mut self) -> io::Result<()> {
        if self.columns.len() > 0 {
            self.write()?;
        }
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let file = writer.into_inner()?;
        file.sync_all()?;
        self.files += 1;
        self.bytes += file.metadata()?.len();
        Ok(())
    }
}

pub(crate) fn properties(kind: Kind) -> WriterProperties {
    let entry = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_key_value_metadata(Some(vec![
            entry(FORMAT_KEY, FORMAT.to_string()),
            entry(TABLE_KEY, kind.name().to_owned()),
        ]))
        .build()
}

/// A fingerprint as text.
pub(crate) fn hex(fingerprint: &Fingerprint) -> String {
    fingerprint.0.iter().map(|byte| format!("{byte:02x}")).collect()
}
