//! An export, read back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use tripline_baseline::{Baseline, Learner, Whose};
use tripline_cloudtrail::Tally;
use tripline_engine::Fingerprint;
use tripline_history::{LearnReport, Table, TableError, TableRows};
use tripline_text::Untrusted;

use crate::cells::{EpisodeCells, EpisodeRow, EventCells, MintCells};
use crate::error::{ColumnsError, ColumnsProblem};
use crate::schema::{FORMAT, FORMAT_KEY, Kind, LABEL, TABLE_KEY};
use crate::write::{Label, hex};

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 8_192;
/// More no label has.
const LABEL_BYTES_MAX: u64 = 1 << 20;

/// Whether a folder is an export.
pub fn is_export(folder: &Path) -> bool {
    folder.join(LABEL).is_file()
}

/// The tables of an export, a file each; their heads were read and are in order, and all rows are
/// there that were written.
///
/// # Errors
/// When the folder or a file in it is not what it should be.
pub fn open(folder: &Path) -> Result<Vec<Box<dyn Table>>, ColumnsError> {
    let label = label_of(folder)?;
    for kind in [Kind::Mints, Kind::Events] {
        complete(folder, kind, &label)?;
    }
    tables_of(folder, &label.settings)
}

/// The tables of a folder that calls are in, complete or not.
pub(crate) fn tables_of(
    folder: &Path,
    settings: &str,
) -> Result<Vec<Box<dyn Table>>, ColumnsError> {
    let mut tables: Vec<Box<dyn Table>> = Vec::new();
    // Mints first, so that agents are known when their calls come.
    for kind in [Kind::Mints, Kind::Events] {
        let files = files_of(&folder.join(kind.name()), kind, settings)?;
        tables.extend(files.into_iter().map(|file| Box::new(file) as Box<dyn Table>));
    }
    Ok(tables)
}

/// The files of a table, if all rows are there that were written.
fn complete(folder: &Path, kind: Kind, label: &Label) -> Result<Vec<DayFile>, ColumnsError> {
    let folder = folder.join(kind.name());
    let files = files_of(&folder, kind, &label.settings)?;
    let found = files.iter().map(|file| file.rows).sum();
    let expected = label.rows.get(kind.name()).copied().unwrap_or(0);
    if found != expected {
        let problem = ColumnsProblem::Incomplete { found, files: files.len(), expected };
        return Err(problem.at(&folder));
    }
    Ok(files)
}

/// Learns agents again from the episodes of an export, and hands each baseline to `sink`: those that
/// [`tripline_history::learn`] would make of its calls under the settings of that fingerprint, where no
/// scope judges them. `None` where the export has no episodes. `hash_seed` keys the tables.
///
/// # Errors
/// When the export is not what it should be, or was made with other settings.
pub fn relearn(
    folder: &Path,
    fingerprint: Fingerprint,
    hash_seed: u64,
    sink: &mut dyn FnMut(Baseline) -> io::Result<()>,
) -> Result<Option<LearnReport>, ColumnsError> {
    let label = label_of(folder)?;
    let Some(learned) = &label.learned else { return Ok(None) };
    if label.settings != hex(&fingerprint) {
        return Err(ColumnsProblem::OtherSettings.at(folder));
    }
    let mut tally = Tally::default();
    let mut agents = Agents::new(hash_seed);
    for file in complete(folder, Kind::Episodes, &label)? {
        let failed = |problem: ColumnsProblem| problem.at(&file.path);
        file.batches(|batch, first| {
            EpisodeCells::of(batch, first)?.each(|row| Ok(agents.take(&row, sink)?))
        })
        .map_err(failed)?;
        tally.files.seen += 1;
        tally.files.read += 1;
        tally.bytes_stored += file.bytes;
    }
    agents.finish(sink).map_err(|error| ColumnsProblem::Io(error).at(folder))?;
    tally.records.seen = learned.seen;
    tally.records.read = learned.read;
    tally.records.duplicate = learned.duplicate;
    Ok(Some(LearnReport {
        coverage: learned.coverage.clone(),
        tally,
        files_before: 0,
        spilled_bytes: 0,
    }))
}

/// Agents while their episodes come, one after another.
struct Agents {
    hash_seed: u64,
    current: Option<Learner>,
}

impl Agents {
    fn new(hash_seed: u64) -> Self {
        Self { hash_seed, current: None }
    }

    fn take(
        &mut self,
        row: &EpisodeRow<'_>,
        sink: &mut dyn FnMut(Baseline) -> io::Result<()>,
    ) -> io::Result<()> {
        let is_next = |learner: &Learner| match learner.whose() {
            Whose::Agent { agent, .. } => agent.as_unescaped() != row.agent,
            Whose::Class(_) | Whose::Fleet => true,
        };
        if self.current.as_ref().is_none_or(is_next) {
            self.finish(sink)?;
        }
        let owned = |text: &str| Untrusted::new(text.to_owned());
        let learner = self.current.get_or_insert_with(|| {
            let (agent, class) = (owned(row.agent), row.class.map(owned));
            Learner::new(Whose::Agent { agent, class }, self.hash_seed)
        });
        if let Some(key) = row.key {
            let versions = row.versions.iter().copied();
            learner.episode(key, versions, &row.peaks, row.draws.iter().copied());
        }
        Ok(())
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Baseline) -> io::Result<()>) -> io::Result<()> {
        self.current.take().map_or(Ok(()), |learner| sink(learner.finish()))
    }
}

fn label_of(folder: &Path) -> Result<Label, ColumnsError> {
    let path = folder.join(LABEL);
    let at = |problem: ColumnsProblem| problem.at(&path);
    let read = || -> io::Result<String> {
        let mut text = String::new();
        io::Read::read_to_string(
            &mut io::Read::take(File::open(&path)?, LABEL_BYTES_MAX),
            &mut text,
        )?;
        Ok(text)
    };
    let text = read().map_err(|error| at(error.into()))?;
    // The version first: of another one the rest may look different.
    let version = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(&text).ok();
    let version = version.as_ref().and_then(|label| label.get("format")?.as_u64());
    match version.map(|version| u32::try_from(version).unwrap_or(u32::MAX)) {
        None => Err(at(ColumnsProblem::Foreign("label"))),
        Some(FORMAT) => {
            serde_json::from_str(&text).map_err(|_| at(ColumnsProblem::Foreign("label")))
        }
        Some(found) => Err(at(ColumnsProblem::OtherFormat { found })),
    }
}

/// The files of one table, in order of their days.
fn files_of(folder: &Path, kind: Kind, settings: &str) -> Result<Vec<DayFile>, ColumnsError> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>, ColumnsError> {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| ColumnsProblem::Io(error).at(folder))?;
        Ok(entries.into_iter().map(|entry| entry.path()).collect())
    };
    let is_parquet = |path: &PathBuf| path.extension().is_some_and(|it| it == "parquet");
    let mut paths = Vec::new();
    for day in if folder.is_dir() { list(folder)? } else { Vec::new() } {
        let is_day = day.file_name().is_some_and(|name| name.to_string_lossy().starts_with("day="));
        if is_day {
            let files = list(&day)?.into_iter();
            paths.extend(files.filter(is_parquet));
        }
    }
    if kind == Kind::Episodes && folder.is_dir() {
        paths.extend(list(folder)?.into_iter().filter(is_parquet));
    }
    paths.sort();
    paths.into_iter().map(|path| DayFile::open(path, kind, settings)).collect()
}

/// One file of a table.
#[derive(Debug)]
struct DayFile {
    path: PathBuf,
    kind: Kind,
    settings: String,
    bytes: u64,
    rows: u64,
}

impl DayFile {
    fn open(path: PathBuf, kind: Kind, settings: &str) -> Result<Self, ColumnsError> {
        let head = || -> Result<(u64, u64), ColumnsProblem> {
            let file = File::open(&path)?;
            let bytes = file.metadata()?.len();
            let builder = checked(file, kind)?;
            Ok((bytes, builder.metadata().file_metadata().num_rows().max(0).cast_unsigned()))
        };
        let (bytes, rows) = head().map_err(|problem| problem.at(&path))?;
        Ok(Self { kind, settings: settings.to_owned(), bytes, rows, path })
    }

    fn rows_to(&self, rows: &mut dyn TableRows) -> Result<(), ColumnsProblem> {
        self.batches(|batch, first| match self.kind {
            Kind::Events => EventCells::of(batch, first)?.each(|call| rows.call(call)),
            Kind::Mints => MintCells::of(batch, first)?.each(|mint| rows.mint(mint)),
            Kind::Episodes => Ok(()),
        })
    }

    /// Hands out every batch, with the number of its first row.
    fn batches(
        &self,
        mut take: impl FnMut(&RecordBatch, u64) -> Result<(), ColumnsProblem>,
    ) -> Result<(), ColumnsProblem> {
        let mut first = 0;
        for batch in batches(File::open(&self.path)?, self.kind)? {
            let batch: RecordBatch =
                batch.map_err(|error| ColumnsProblem::Parquet(error.into()))?;
            take(&batch, first)?;
            first += batch.num_rows() as u64;
        }
        Ok(())
    }
}

impl Table for DayFile {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn check(&self, fingerprint: Fingerprint) -> Result<(), TableError> {
        match self.settings == hex(&fingerprint) {
            true => Ok(()),
            false => Err(ColumnsProblem::OtherSettings.at(&self.path).into()),
        }
    }

    fn read(&self, rows: &mut dyn TableRows) -> Result<(), TableError> {
        Ok(self.rows_to(rows).map_err(|problem| problem.at(&self.path))?)
    }
}

type Builder = ParquetRecordBatchReaderBuilder<File>;

/// A file whose head says that it is such a table, with all columns that are read.
fn checked(file: File, kind: Kind) -> Result<Builder, ColumnsProblem> {
    let builder = Builder::try_new(file)?;
    let head = builder.metadata().file_metadata().key_value_metadata();
    let value = |key: &str| {
        let entry = head?.iter().find(|entry| entry.key == key)?;
        entry.value.clone()
    };
    if value(TABLE_KEY).as_deref() != Some(kind.name()) {
        return Err(ColumnsProblem::Foreign(kind.name()));
    }
    match value(FORMAT_KEY).and_then(|found| found.parse().ok()) {
        Some(FORMAT) => {}
        Some(found) => return Err(ColumnsProblem::OtherFormat { found }),
        None => return Err(ColumnsProblem::Foreign(kind.name())),
    }
    for column in columns_read(kind) {
        let ours = kind.schema().field_with_name(column).ok();
        let expected = ours.map_or(&DataType::Utf8, |field| field.data_type());
        let found = builder.schema().field_with_name(column);
        let found = found.map_err(|_| ColumnsProblem::NoColumn(column))?;
        if found.data_type() != expected {
            let expected = expected.to_string();
            return Err(ColumnsProblem::ColumnType { column, expected });
        }
    }
    Ok(builder)
}

fn batches(file: File, kind: Kind) -> Result<ParquetRecordBatchReader, ColumnsProblem> {
    let builder = checked(file, kind)?;
    let mask =
        ProjectionMask::columns(builder.parquet_schema(), columns_read(kind).iter().copied());
    Ok(builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?)
}

/// What is read back; the rest follows from it.
fn columns_read(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Events => EventCells::COLUMNS,
        Kind::Mints => MintCells::COLUMNS,
        Kind::Episodes => EpisodeCells::COLUMNS,
    }
}
