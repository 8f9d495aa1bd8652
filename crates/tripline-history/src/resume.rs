//! Learning from a long history in parts, so that a run that was broken off goes on where it stopped.
//!
//! The files are parted by the day of their delivery. Of each part a partial baseline is kept, under a
//! name that is a digest of what it was made of: the settings, and the name, length and version of each
//! file. So a later run, over more days as well, reads what is new and nothing else; and since partials
//! add up to the whole, whatever way it was parted, it ends in the same baselines.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tripline_cloudtrail::{Counts, Skip, Tally};
use tripline_engine::Filter;
use tripline_runtime::Listed;

use crate::learn::{BaselineSink, LearnReport, learn};
use crate::partial::keep;
use crate::run::{HistoryError, Job, Progress, Selection};

/// How much of one day is one part, as stored: what is read again at most after a run was broken off.
const PART_BYTES_MAX: u64 = 256 << 20;
const PART_FILES_MAX: usize = 10_000;

/// Like [`learn`], with what was read of each part kept in `kept`, a directory that exists. Files whose
/// source does not tell one content from another are read each time, and so are parts in which
/// something could not be read.
///
/// # Errors
/// As for [`learn`], and when `kept` fails.
pub fn learn_in_parts(
    job: &Job<'_>,
    kept: &Path,
    progress: &dyn Progress,
    sink: &BaselineSink<'_>,
) -> Result<LearnReport, HistoryError> {
    let (parts, rest) = parts_of(&job.logs);
    let files = |logs: &[Selection<'_>]| logs.iter().map(|one| one.which.len()).sum::<usize>();
    let bytes = |logs: &[Selection<'_>]| logs.iter().map(Selection::stored_bytes).sum::<u64>();
    progress.total(files(&job.logs) as u64, bytes(&job.logs));
    let progress = &Within(progress);
    let mut partials = job.partials.clone();
    let (mut tally, mut spilled_bytes, mut files_before) = (Tally::default(), 0, 0);
    for part in parts {
        let path = kept.join(format!("{}.partial", name_of(job, &part)));
        let note = path.with_extension("tally");
        match Read::before(&note).filter(|_| path.is_file()) {
            Some(before) => {
                files_before += before.files.seen;
                progress.file(part.stored_bytes(), before.records.seen);
                before.add_to(&mut tally);
            }
            None => {
                let failed = |source| HistoryError::WorkDir { path: kept.to_owned(), source };
                let mut file = NamedTempFile::new_in(kept).map_err(failed)?;
                let of_part = Job {
                    logs: vec![part],
                    unlisted: Vec::new(),
                    partials: Vec::new(),
                    tables: &[],
                    filter: Filter::default(),
                    work_dir: job.work_dir.clone(),
                    ..*job
                };
                let report = keep(&of_part, progress, file.as_file_mut())?;
                put(file, &path).map_err(failed)?;
                if !report.tally.has_problems() {
                    // Last: what is noted is there.
                    Read::of(&report.tally).note(&note, kept).map_err(failed)?;
                }
                spilled_bytes += report.spilled_bytes;
                tally.add(report.tally);
            }
        }
        partials.push(path);
    }
    let whole = Job {
        logs: rest,
        unlisted: job.unlisted.clone(),
        partials,
        filter: job.filter.clone(),
        work_dir: job.work_dir.clone(),
        ..*job
    };
    let report = learn(&whole, progress, sink)?;
    // What was read of the parts is what was seen in their partials.
    tally.records.seen -= tally.records.read;
    tally.records.read = 0;
    tally.add(report.tally);
    let spilled_bytes = spilled_bytes + report.spilled_bytes;
    Ok(LearnReport { tally, spilled_bytes, files_before, ..report })
}

/// A run within another, which has said already how much there is.
struct Within<'p>(&'p dyn Progress);

impl Progress for Within<'_> {
    fn total(&self, _: u64, _: u64) {}

    fn file(&self, stored_bytes: u64, records: u64) {
        self.0.file(stored_bytes, records);
    }
}

/// The parts, and what cannot be kept in parts.
fn parts_of<'s>(logs: &[Selection<'s>]) -> (Vec<Selection<'s>>, Vec<Selection<'s>>) {
    let (mut parts, mut rest) = (Vec::new(), Vec::new());
    for Selection { source, which } in logs {
        let (mut untold, mut part): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
        let (mut day, mut bytes) = ("", 0);
        let files = source.files();
        for (nth, file) in which.iter().filter_map(|nth| Some((*nth, files.get(*nth)?))) {
            if file.version.is_none() {
                untold.push(nth);
                continue;
            }
            let delivered = file.delivered.get(..8).unwrap_or_default();
            let is_full = bytes + file.bytes > PART_BYTES_MAX || part.len() >= PART_FILES_MAX;
            if !part.is_empty() && (delivered != day || is_full) {
                parts.push(Selection { source: *source, which: std::mem::take(&mut part) });
                bytes = 0;
            }
            day = delivered;
            bytes += file.bytes;
            part.push(nth);
        }
        for (to, which) in [(&mut parts, part), (&mut rest, untold)] {
            if !which.is_empty() {
                to.push(Selection { source: *source, which });
            }
        }
    }
    (parts, rest)
}

/// What a part's partial is called.
fn name_of(job: &Job<'_>, part: &Selection<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(job.fingerprint().0);
    let files = part.which.iter().filter_map(|nth| part.source.files().get(*nth));
    for Listed { file, bytes, version, .. } in files {
        let version = version.as_deref().unwrap_or_default();
        for text in [file.as_unescaped(), version] {
            // The length first, so that no two lists of texts run together into one.
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.update(bytes.to_le_bytes());
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a file in its place, on disk when it is there.
fn put(file: NamedTempFile, path: &PathBuf) -> io::Result<()> {
    File::sync_all(file.as_file())?;
    file.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// What was read of a part, without a problem.
#[derive(Debug, Serialize, Deserialize)]
struct Read {
    files: Counts,
    records: Counts,
    skips: Vec<(Skip, u64)>,
    bytes_stored: u64,
    bytes_json: u64,
}

impl Read {
    fn of(tally: &Tally) -> Self {
        Self {
            files: tally.files,
            records: tally.records,
            skips: tally.skips.iter().map(|(why, count)| (*why, *count)).collect(),
            bytes_stored: tally.bytes_stored,
            bytes_json: tally.bytes_json,
        }
    }

    /// What an earlier run noted; what cannot be read was not noted.
    fn before(note: &Path) -> Option<Self> {
        postcard::from_bytes(&fs::read(note).ok()?).ok()
    }

    fn note(&self, note: &Path, kept: &Path) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(kept)?;
        // INVARIANT: no map and no unsized sequence, all that postcard refuses.
        file.write_all(&postcard::to_extend(self, Vec::new()).unwrap_or_default())?;
        put(file, &note.to_owned())
    }

    fn add_to(self, tally: &mut Tally) {
        tally.add(Tally {
            files: self.files,
            records: self.records,
            skips: self.skips.into_iter().collect(),
            bytes_stored: self.bytes_stored,
            bytes_json: self.bytes_json,
            ..Tally::default()
        });
    }
}
