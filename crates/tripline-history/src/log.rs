//! Rows in the order in which they came, however many: in memory, then below the work directory.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use tripline_engine::{TICK_BYTES, Tick};

/// How much a reader holds.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// Takes rows, each with its tick.
#[derive(Debug)]
pub(crate) struct Log {
    work_dir: PathBuf,
    memory_bytes_max: usize,
    newest: Vec<u8>,
    spilled: Option<File>,
    spilled_bytes: u64,
    /// The first failure to spill; rows after it are not kept.
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

    /// Keeps a row. A disk that fails is reported by [`Log::drain`].
    #[inline]
    pub(crate) fn push(&mut self, tick: Tick, row: &[u8]) {
        let Ok(length) = u32::try_from(row.len()) else { return };
        self.newest.extend_from_slice(&tick.to_bytes());
        self.newest.extend_from_slice(&length.to_le_bytes());
        self.newest.extend_from_slice(row);
        if self.newest.len() > self.memory_bytes_max {
            self.make_room();
        }
    }

    #[cold]
    fn make_room(&mut self) {
        if self.failure.is_none()
            && let Err(failure) = self.spill()
        {
            self.failure = Some(failure);
        }
        self.newest.clear();
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match &mut self.spilled {
            Some(file) => file,
            none => none.insert(tempfile::tempfile_in(&self.work_dir)?),
        };
        file.write_all(&self.newest)?;
        self.spilled_bytes += self.newest.len() as u64;
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

    /// Hands every row to `look`.
    pub(crate) fn drain(self, mut look: impl FnMut(Tick, &[u8])) -> io::Result<()> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if let Some(mut file) = self.spilled {
            file.rewind()?;
            each_row(&mut BufReader::with_capacity(READ_BUFFER_BYTES, file), &mut look)?;
        }
        each_row(&mut self.newest.as_slice(), &mut look)
    }
}

fn each_row(rows: &mut impl Read, look: &mut impl FnMut(Tick, &[u8])) -> io::Result<()> {
    let (mut tick, mut length, mut row) = ([0; TICK_BYTES], [0; 4], Vec::new());
    loop {
        match rows.read_exact(&mut tick) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            outcome => outcome?,
        }
        rows.read_exact(&mut length)?;
        row.resize(u32::from_le_bytes(length) as usize, 0);
        rows.read_exact(&mut row)?;
        look(Tick::from_bytes(&tick), &row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_order_whatever_was_spilled() {
        let dir = tempfile::tempdir().unwrap();
        for budget in [1, 100, 1 << 20] {
            let mut log = Log::new(dir.path(), budget);
            for nth in 0..50_u8 {
                log.push(Tick::from_bytes(&[nth; TICK_BYTES]), &vec![nth; usize::from(nth) % 7]);
            }
            assert_eq!(log.spilled_bytes() > 0, budget < 1 << 20);
            let mut next = 0;
            log.drain(|tick, row| {
                assert_eq!(tick, Tick::from_bytes(&[next; TICK_BYTES]));
                assert_eq!(row, vec![next; usize::from(next) % 7]);
                next += 1;
            })
            .unwrap();
            assert_eq!(next, 50);
        }
    }
}
