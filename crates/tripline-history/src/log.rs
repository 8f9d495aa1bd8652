//! Rows that are read again by the place where each was put: in memory, then below the work directory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::run::lock;

/// Places are told in these, so that 16 GB have one.
const STEP_BYTES: usize = 4;
/// The one after it is that of no row.
const LAST_PLACE: u32 = u32::MAX - 1;

/// Takes rows.
#[derive(Debug)]
pub(crate) struct Log {
    work_dir: PathBuf,
    memory_bytes_max: usize,
    newest: Vec<u8>,
    spilled: Option<File>,
    spilled_bytes: u64,
    /// The first failure; rows after it are not kept.
    failure: Option<io::Error>,
}

impl Log {
    /// Keeps about `memory_bytes_max` in memory and the rest below `work_dir`.
    pub(crate) fn new(work_dir: &Path, memory_bytes_max: usize) -> Self {
        Self {
            work_dir: work_dir.to_owned(),
            memory_bytes_max,
            newest: Vec::new(),
            spilled: None,
            spilled_bytes: 0,
            failure: None,
        }
    }

    /// Keeps a row; where. What fails is reported by [`Log::into_rows`].
    pub(crate) fn push(&mut self, row: &[u8]) -> u32 {
        if self.failure.is_none()
            && self.newest.len() > self.memory_bytes_max
            && let Err(failure) = self.spill()
        {
            self.failure = Some(failure);
        }
        if self.failure.is_some() {
            return u32::MAX;
        }
        let place = (self.spilled_bytes + self.newest.len() as u64) / STEP_BYTES as u64;
        let (Ok(place @ ..=LAST_PLACE), Ok(length)) =
            (u32::try_from(place), u32::try_from(row.len()))
        else {
            self.failure = Some(io::ErrorKind::FileTooLarge.into());
            return u32::MAX;
        };
        self.newest.extend_from_slice(&length.to_le_bytes());
        self.newest.extend_from_slice(row);
        self.newest.resize(self.newest.len().next_multiple_of(STEP_BYTES), 0);
        place
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.spilled {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.work_dir)?),
        };
        file.write_all(&self.newest)?;
        self.spilled_bytes += self.newest.len() as u64;
        self.newest.clear();
        Ok(())
    }

    /// Bytes written to the work directory so far.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.spilled_bytes
    }

    /// All of it; nothing is left.
    pub(crate) fn take(&mut self) -> Self {
        let empty = Self::new(&self.work_dir, self.memory_bytes_max);
        std::mem::replace(self, empty)
    }

    /// Its rows, for any thread.
    pub(crate) fn into_rows(self) -> io::Result<LogRows> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(LogRows {
                spilled: self.spilled.map(Mutex::new),
                spilled_bytes: self.spilled_bytes,
                newest: self.newest,
            }),
        }
    }
}

/// The rows of a [`Log`].
#[derive(Debug)]
pub(crate) struct LogRows {
    spilled: Option<Mutex<File>>,
    spilled_bytes: u64,
    newest: Vec<u8>,
}

impl LogRows {
    /// Puts the row of a place into `row`.
    pub(crate) fn read(&self, place: u32, row: &mut Vec<u8>) -> io::Result<()> {
        let at = u64::from(place) * STEP_BYTES as u64;
        match (at.checked_sub(self.spilled_bytes), &self.spilled) {
            (Some(at), _) => {
                let at = usize::try_from(at).ok().and_then(|at| self.newest.get(at..));
                read_row(at.unwrap_or_default(), row)
            }
            (None, Some(file)) => {
                let mut file = lock(file);
                file.seek(SeekFrom::Start(at))?;
                read_row(&mut *file, row)
            }
            (None, None) => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn read_row(mut from: impl Read, row: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    row.resize(u32::from_le_bytes(length) as usize, 0);
    from.read_exact(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_from_their_places_whatever_was_spilled() {
        let dir = tempfile::tempdir().unwrap();
        for budget in [0, 100, 1 << 20] {
            let mut log = Log::new(dir.path(), budget);
            let rows = (0..50_u8).map(|nth| vec![nth; usize::from(nth) % 7]);
            let placed: Vec<_> = rows.map(|row| (log.push(&row), row)).collect();
            assert_eq!(log.spilled_bytes() > 0, budget < 1 << 20);
            let rows = log.into_rows().unwrap();
            let mut read = Vec::new();
            for (place, row) in placed.iter().rev() {
                rows.read(*place, &mut read).unwrap();
                assert_eq!(&read, row);
            }
            assert!(rows.read(u32::MAX, &mut read).is_err());
        }
    }
}
