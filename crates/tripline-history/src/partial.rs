//! Partial baselines as files: written from a history, united, and learned from.
//!
//! A file is gzip over a head (`tripline-partial`, the version of the format, the fingerprint of the
//! settings) and rows in order of time and id, each with its key and its length. It is this program's
//! own: sets of rows, so that to unite files is to merge them and to leave out what is there twice.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use thiserror::Error;
use tripline_cloudtrail::Tally;
use tripline_engine::{DamagedRow, Fingerprint, Key, Purpose};

use crate::run::{HistoryError, Job, Progress};
use crate::sorter::Sorter;
use crate::take::Taken;

const MAGIC: &[u8; 20] = b"tripline-partial 1\n\0";
/// Longer rows no record leads to: a record is at most 256 KB (UG/cloudtrail-limits), in which a byte
/// may stand for itself.
const ROW_BYTES_MAX: u32 = 1 << 22;

/// A partial baseline that cannot be learned from.
#[derive(Debug, Error)]
#[error("`{}`: {kind}", path.display())]
pub struct PartialError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub kind: PartialProblem,
}

/// What is wrong with a partial baseline.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PartialProblem {
    /// It cannot be read, is cut off, or is damaged.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is something else.
    #[error("is no partial baseline that this program reads (`tripline-partial 1`)")]
    Foreign,
    /// It was made with other settings for how agents are named, or other invariants.
    #[error("was learned with other settings in tripline.toml: learn it again from its logs")]
    OtherSettings,
    /// A row makes no sense.
    #[error("row {0} is damaged")]
    Damaged(u64),
}

/// What [`keep`] wrote.
#[derive(Debug)]
pub struct KeepReport {
    /// What was read, rows of other partials included.
    pub tally: Tally,
    /// Rows written.
    pub rows: u64,
    /// How much of the work directory was used.
    pub spilled_bytes: u64,
}

/// Writes what learning needs of the logs and partials of `job` to `out`, as one partial baseline.
///
/// # Errors
/// When the work directory or `out` fails, threads cannot be started, or a partial is not one.
pub fn keep(
    job: &Job<'_>,
    progress: &dyn Progress,
    out: &mut dyn Write,
) -> Result<KeepReport, HistoryError> {
    let taken = Taken::read(job, Purpose::Keep, progress)?;
    let (sorters, mut tally, spilled_bytes) = taken.into_kept();
    let failed = |source| job.work_dir_failed(source);
    let rows = Sorter::into_rows(sorters).map_err(failed)?.map(|row| row.map_err(failed));
    let mut readers = job
        .partials
        .iter()
        .map(|path| PartialRows::open(path, job.fingerprint()))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sources: Vec<Source<'_>> = vec![Box::new(rows)];
    for reader in &mut readers {
        sources.push(Box::new(reader.map(|row| row.map_err(HistoryError::Partial))));
    }
    let mut writer = PartialWriter::begin(out, job.fingerprint()).map_err(HistoryError::Output)?;
    let (mut rows, mut twice) = (0, 0);
    for group in Groups::of(sources) {
        let mut group = group?;
        let all = group.len() as u64;
        group.sort_unstable();
        group.dedup();
        for (key, row) in &group {
            writer.row(key, row).map_err(HistoryError::Output)?;
            rows += 1;
        }
        twice += all - group.len() as u64;
    }
    let kept = tally.records.seen;
    tally.read_turned_duplicate(twice.min(kept));
    let out = writer.finish().map_err(HistoryError::Output)?;
    out.flush().map_err(HistoryError::Output)?;
    Ok(KeepReport { tally, rows, spilled_bytes })
}

pub(crate) type Row = (Key, Vec<u8>);

/// Writes a partial, row by row, in order of their keys.
pub(crate) struct PartialWriter<W: Write> {
    out: GzEncoder<BufWriter<W>>,
}

impl<W: Write> PartialWriter<W> {
    pub(crate) fn begin(out: W, fingerprint: Fingerprint) -> io::Result<Self> {
        let mut out = GzEncoder::new(BufWriter::new(out), Compression::fast());
        out.write_all(&[MAGIC.as_slice(), &fingerprint.0].concat())?;
        Ok(Self { out })
    }

    pub(crate) fn row(&mut self, key: &Key, row: &[u8]) -> io::Result<()> {
        self.out.write_all(key)?;
        self.out.write_all(&(row.len() as u32).to_le_bytes())?;
        self.out.write_all(row)
    }

    /// What it was written to, with all of it.
    pub(crate) fn finish(self) -> io::Result<W> {
        self.out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// The rows of a file.
pub(crate) struct PartialRows {
    path: PathBuf,
    input: GzDecoder<BufReader<File>>,
    row: u64,
    last: Option<Key>,
}

impl PartialRows {
    pub(crate) fn open(path: &Path, fingerprint: Fingerprint) -> Result<Self, PartialError> {
        let failed = |kind| PartialError { path: path.to_owned(), kind };
        let unreadable = |source| failed(PartialProblem::Unreadable(source));
        let file = File::open(path).map_err(unreadable)?;
        let mut input = GzDecoder::new(BufReader::with_capacity(1 << 18, file));
        let (mut magic, mut theirs) = ([0; MAGIC.len()], [0; 32]);
        let is_ours = input.read_exact(&mut magic).is_ok() && magic == *MAGIC;
        if !is_ours || input.read_exact(&mut theirs).is_err() {
            return Err(failed(PartialProblem::Foreign));
        }
        if theirs != fingerprint.0 {
            return Err(failed(PartialProblem::OtherSettings));
        }
        Ok(Self { path: path.to_owned(), input, row: 0, last: None })
    }

    fn read(&mut self) -> Result<Option<Row>, PartialProblem> {
        let mut key = Key::default();
        match self.input.read(key.get_mut(..1).unwrap_or_default())? {
            0 => return Ok(None),
            _ => self.input.read_exact(key.get_mut(1..).unwrap_or_default())?,
        }
        self.row += 1;
        let mut length = [0; 4];
        self.input.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        // In order, or merging would go wrong in silence.
        if length > ROW_BYTES_MAX || self.last.is_some_and(|last| key < last) {
            return Err(PartialProblem::Damaged(self.row));
        }
        self.last = Some(key);
        let mut row = vec![0; length as usize];
        self.input.read_exact(&mut row)?;
        Ok(Some((key, row)))
    }

    /// What is wrong with the row that was read last.
    pub(crate) fn damaged(&self, _: DamagedRow) -> PartialError {
        PartialError { path: self.path.clone(), kind: PartialProblem::Damaged(self.row) }
    }
}

impl Iterator for PartialRows {
    type Item = Result<Row, PartialError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().map_err(|kind| PartialError { path: self.path.clone(), kind }).transpose()
    }
}

/// Rows in order of their keys.
pub(crate) type Source<'s> = Box<dyn Iterator<Item = Result<Row, HistoryError>> + 's>;

/// Rows of several sources, all of one key at a time.
pub(crate) struct Groups<'s> {
    sources: Vec<Peekable<Source<'s>>>,
}

impl<'s> Groups<'s> {
    pub(crate) fn of(sources: Vec<Source<'s>>) -> Self {
        Self { sources: sources.into_iter().map(Iterator::peekable).collect() }
    }
}

impl Iterator for Groups<'_> {
    type Item = Result<Vec<Row>, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut least: Option<Key> = None;
        for source in &mut self.sources {
            match source.peek() {
                Some(Ok((key, _))) => least = Some(least.map_or(*key, |least| least.min(*key))),
                Some(Err(_)) => return source.next().map(|failed| failed.map(|row| vec![row])),
                None => {}
            }
        }
        let least = least?;
        let mut group = Vec::new();
        for source in &mut self.sources {
            let is_least =
                |row: &Result<Row, HistoryError>| row.as_ref().is_ok_and(|(key, _)| *key == least);
            while let Some(Ok(row)) = source.next_if(is_least) {
                group.push(row);
            }
        }
        Some(Ok(group))
    }
}
