//! An export, read back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::PageIndexPolicy;
use rayon::prelude::*;
use tripline_baseline::{Learner, Whose};
use tripline_cloudtrail::Tally;
use tripline_engine::Fingerprint;
use tripline_history::{BaselineSink, LearnReport, Table, TableError, TableRows};
use tripline_text::Untrusted;

use crate::cells::{AgentCells, EpisodeCells, EpisodeRow, EventCells, MintCells};
use crate::error::{ColumnsError, ColumnsProblem};
use crate::schema::{FORMAT, FORMAT_KEY, Kind, LABEL, TABLE_KEY, with_places};
use crate::write::{Label, hex};

/// Rows that are decoded at a time, …
const BATCH_ROWS: usize = 8_192;
/// … and of episodes, each of which has many values.
const EPISODES_BATCH_ROWS: usize = 1_024;
/// How many shares of the episodes each thread has to do: the more, the less one waits for another, and each
/// skips the rows before its own anew.
const SHARES_PER_THREAD: usize = 2;
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

/// Learns agents again from the episodes of an export, so many at a time, and hands each baseline to
/// `sink`: those that [`tripline_history::learn`] would make of its calls under the settings of that
/// fingerprint, where no scope judges them. `None` where the export has no episodes. `hash_seed` keys the
/// tables.
///
/// # Errors
/// When the export is not what it should be, or was made with other settings.
pub fn relearn(
    folder: &Path,
    fingerprint: Fingerprint,
    threads: usize,
    hash_seed: u64,
    sink: &BaselineSink<'_>,
) -> Result<Option<LearnReport>, ColumnsError> {
    let label = label_of(folder)?;
    let Some(learned) = &label.learned else { return Ok(None) };
    if label.settings != hex(&fingerprint) {
        return Err(ColumnsProblem::OtherSettings.at(folder));
    }
    let mut tally = Tally::default();
    let files = complete(folder, Kind::Episodes, &label)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| ColumnsProblem::Io(io::Error::other(error)).at(folder))?;
    // All agents are in one file, which no agent is in by halves. There is none if there are no agents.
    if let Some(second) = files.get(1) {
        return Err(ColumnsProblem::Foreign(Kind::Episodes.name()).at(&second.path));
    }
    for file in &files {
        let share = |rows: Range<usize>| {
            let mut agents = Agents { hash_seed, sink, current: None };
            file.batches(EpisodeCells::COLUMNS, rows, |batch, first| {
                EpisodeCells::of(batch, first)?.each(|row| Ok(agents.take(row)?))
            })?;
            Ok(agents.finish()?)
        };
        let shares = if threads > 1 { threads * SHARES_PER_THREAD } else { 1 };
        let learned = file
            .shares(shares)
            .and_then(|shares| pool.install(|| shares.into_par_iter().try_for_each(share)));
        learned.map_err(|problem: ColumnsProblem| problem.at(&file.path))?;
        tally.files.seen += 1;
        tally.files.read += 1;
        tally.bytes_stored += file.bytes;
    }
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
struct Agents<'s> {
    hash_seed: u64,
    sink: &'s BaselineSink<'s>,
    current: Option<Learner>,
}

impl Agents<'_> {
    fn take(&mut self, row: &EpisodeRow<'_>) -> io::Result<()> {
        let is_next = |learner: &Learner| match learner.whose() {
            Whose::Agent { agent, .. } => agent.as_unescaped() != row.agent,
            Whose::Class(_) | Whose::Fleet => true,
        };
        if self.current.as_ref().is_none_or(is_next) {
            self.finish()?;
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

    fn finish(&mut self) -> io::Result<()> {
        self.current.take().map_or(Ok(()), |learner| (self.sink)(learner.finish()))
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
            let builder = checked(file, kind, ArrowReaderOptions::new())?;
            Ok((bytes, builder.metadata().file_metadata().num_rows().max(0).cast_unsigned()))
        };
        let (bytes, rows) = head().map_err(|problem| problem.at(&path))?;
        Ok(Self { kind, settings: settings.to_owned(), bytes, rows, path })
    }

    fn rows_to(&self, rows: &mut dyn TableRows) -> Result<(), ColumnsProblem> {
        self.batches(columns_read(self.kind), 0..self.rows_len(), |batch, first| match self.kind {
            Kind::Events => EventCells::of(batch, first)?.each(|call| rows.call(call)),
            Kind::Mints => MintCells::of(batch, first)?.each(|mint| rows.mint(mint)),
            Kind::Episodes => Ok(()),
        })
    }

    /// How many rows there are.
    fn rows_len(&self) -> usize {
        usize::try_from(self.rows).unwrap_or(usize::MAX)
    }

    /// About so many ranges of rows, of much the same length, where no agent has rows in two of them.
    fn shares(&self, count: usize) -> Result<Vec<Range<usize>>, ColumnsProblem> {
        let all = 0..self.rows_len();
        if count < 2 {
            return Ok(vec![all]);
        }
        let enough = all.len().div_ceil(count);
        let (mut shares, mut start, mut at) = (Vec::new(), 0, 0);
        let mut before = String::new();
        self.batches(AgentCells::COLUMNS, all.clone(), |batch, first| {
            AgentCells::of(batch, first)?.each(|agent| {
                if agent != before {
                    if at - start >= enough {
                        shares.push(std::mem::replace(&mut start, at)..at);
                    }
                    agent.clone_into(&mut before);
                }
                at += 1;
            })
        })?;
        if at != all.end {
            let (found, expected) = (at as u64, self.rows);
            return Err(ColumnsProblem::Incomplete { found, files: 1, expected });
        }
        shares.push(start..all.end);
        Ok(shares)
    }

    /// Hands out these columns of these rows, in batches, each with the number of its first row.
    fn batches(
        &self,
        columns: &[&str],
        rows: Range<usize>,
        mut take: impl FnMut(&RecordBatch, u64) -> Result<(), ColumnsProblem>,
    ) -> Result<(), ColumnsProblem> {
        let mut first = rows.start as u64;
        for batch in self.reader(columns, rows)? {
            let batch: RecordBatch =
                batch.map_err(|error| ColumnsProblem::Parquet(error.into()))?;
            take(&batch, first)?;
            first += batch.num_rows() as u64;
        }
        Ok(())
    }

    fn reader(
        &self,
        columns: &[&str],
        rows: Range<usize>,
    ) -> Result<ParquetRecordBatchReader, ColumnsProblem> {
        // Where pages begin, so that those before the first row are not decoded.
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let mut builder = checked(File::open(&self.path)?, self.kind, options)?;
        let mut batch_rows = BATCH_ROWS;
        if self.kind == Kind::Episodes {
            batch_rows = EPISODES_BATCH_ROWS;
            let options = ArrowReaderOptions::new().with_schema(with_places(builder.schema()));
            let head = ArrowReaderMetadata::try_new(Arc::clone(builder.metadata()), options)?;
            builder = Builder::new_with_metadata(File::open(&self.path)?, head);
        }
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
        let builder = builder.with_projection(mask).with_batch_size(batch_rows);
        let builder = match rows.len() == self.rows_len() {
            true => builder,
            false => builder.with_offset(rows.start).with_limit(rows.len()),
        };
        Ok(builder.build()?)
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
fn checked(file: File, kind: Kind, options: ArrowReaderOptions) -> Result<Builder, ColumnsProblem> {
    let builder = Builder::try_new_with_options(file, options)?;
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

/// What is read back; the rest follows from it.
fn columns_read(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Events => EventCells::COLUMNS,
        Kind::Mints => MintCells::COLUMNS,
        Kind::Episodes => EpisodeCells::COLUMNS,
    }
}

#[cfg(test)]
mod tests {
    use parquet::arrow::ArrowWriter;
    use tripline_baseline::{EpisodeDraw, EpisodeFacts, EpisodeKey, Family};

    use super::*;
    use crate::rows::{EpisodeRows, Rows as _};
    use crate::write::properties;

    /// More rows than a page has, of agents with one, two, three, … episodes, the last with most.
    fn episodes(path: &Path) {
        let kind = Kind::Episodes;
        let mut rows = EpisodeRows::default();
        for agent in 0..220_u32 {
            let whose = Whose::Agent { agent: Untrusted::new(format!("a{agent}")), class: None };
            rows.push(&whose, None);
            for start_minute in 0..=agent {
                let draw = |value: u32| EpisodeDraw {
                    family: if value == 0 { Family::Action } else { Family::Resource },
                    action: format!("s3:{}", agent % 7).into(),
                    value: format!("{}", agent * value).into(),
                };
                rows.push(
                    &whose,
                    Some(&EpisodeFacts {
                        key: EpisodeKey { start_minute, root: u64::from(agent) },
                        versions: (0..agent % 3).map(|nth| nth.to_string().into()).collect(),
                        peaks: [[u64::from(start_minute); _]; _],
                        draws: (0..start_minute % 5).map(draw).collect(),
                    }),
                );
            }
        }
        let file = File::create_new(path).unwrap();
        let schema = kind.schema().clone();
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties(kind))).unwrap();
        writer.write(&rows.take().unwrap()).unwrap();
        writer.close().unwrap();
    }

    /// All that these rows tell, each with its agent.
    fn told(file: &DayFile, rows: Range<usize>) -> Vec<(String, String)> {
        let mut told = Vec::new();
        let read = file.batches(EpisodeCells::COLUMNS, rows, |batch, first| {
            EpisodeCells::of(batch, first)?.each(|row| {
                let EpisodeRow { key, versions, peaks, draws, .. } = row;
                let peaks = peaks.as_flattened();
                let text = format!("{key:?} {versions:?} {peaks:?} {draws:?}");
                told.push((row.agent.to_owned(), text));
                Ok(())
            })
        });
        read.unwrap();
        told
    }

    #[test]
    fn shares_are_all_rows_and_no_agent_is_in_two() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("episodes.parquet");
        episodes(&path);
        let file = DayFile::open(path, Kind::Episodes, "").unwrap();
        let all = told(&file, 0..file.rows_len());
        assert_eq!(all.len(), 220 + 220 * 221 / 2);
        assert!(all[all.len() - 1].1.contains("219 }"), "{:?}", all[all.len() - 1]);
        for count in [1, 2, 7, 40] {
            let shares = file.shares(count).unwrap();
            assert!(shares.len() <= count && (count == 1) == (shares.len() == 1), "{shares:?}");
            let mut together = Vec::new();
            for rows in shares {
                let share = told(&file, rows);
                let ends_before = |last: &(String, String)| last.0 != share[0].0;
                assert!(together.last().is_none_or(ends_before));
                together.extend(share);
            }
            assert!(together == all, "{count} shares");
        }
        let promised = DayFile { rows: file.rows + 1, ..file };
        let error = promised.shares(2).unwrap_err();
        assert!(matches!(error, ColumnsProblem::Incomplete { .. }), "{error}");
    }
}
