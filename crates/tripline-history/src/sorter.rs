//! Rows in order of their keys, however many: sorted in memory, spilled to the work directory in
//! sorted runs when they grow, merged when they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What rows are ordered by: bytes, compared from the first on.
pub(crate) type Key = [u8; 24];

/// How much the readers of all runs hold together while runs are merged, …
const READ_BUFFERS_BYTES: usize = 4 << 20;
/// … and each at least, and at most.
const READ_BUFFER_BYTES: (usize, usize) = (8 << 10, 64 << 10);

/// How much of a run is written at a time: few calls of the system, each of which takes as long as a few
/// records do.
const WRITE_BUFFER_BYTES: usize = 256 << 10;

/// A file for a run, which is gone with it.
pub(crate) fn new_run(work_dir: &Path) -> io::Result<BufWriter<File>> {
    Ok(BufWriter::with_capacity(WRITE_BUFFER_BYTES, tempfile::tempfile_in(work_dir)?))
}

/// Takes rows in any order.
#[derive(Debug)]
pub(crate) struct Sorter {
    work_dir: PathBuf,
    memory_bytes_max: usize,
    arena: Vec<u8>,
    index: Vec<(Key, usize, u32)>,
    runs: Vec<File>,
    spilled_bytes: u64,
    /// The first failure to spill; rows after it are not kept.
    failure: Option<io::Error>,
}

impl Sorter {
    /// A sorter that keeps about `memory_bytes_max` in memory and the rest below `work_dir`.
    pub(crate) fn new(work_dir: &Path, memory_bytes_max: usize) -> Self {
        Self {
            work_dir: work_dir.to_owned(),
            memory_bytes_max,
            arena: Vec::new(),
            index: Vec::new(),
            runs: Vec::new(),
            spilled_bytes: 0,
            failure: None,
        }
    }

    /// Keeps a row. A disk that fails is reported by [`Sorter::into_rows`].
    pub(crate) fn push(&mut self, key: Key, row: &[u8]) {
        let Ok(length) = u32::try_from(row.len()) else { return };
        self.index.push((key, self.arena.len(), length));
        self.arena.extend_from_slice(row);
        let used = self.arena.len() + self.index.len() * size_of::<(Key, usize, u32)>();
        if used > self.memory_bytes_max
            && self.failure.is_none()
            && let Err(failure) = self.spill()
        {
            self.failure = Some(failure);
        }
    }

    /// Takes no more rows for now: gives the memory back, or if all fit into it sorts them, so that
    /// nobody who comes later need.
    pub(crate) fn rest(&mut self) {
        if self.runs.is_empty() {
            self.sort();
        } else if self.failure.is_none()
            && let Err(failure) = self.spill()
        {
            self.failure = Some(failure);
        }
        self.arena.shrink_to_fit();
        self.index.shrink_to_fit();
    }

    /// Bytes written to the work directory so far.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.spilled_bytes
    }

    fn sort(&mut self) {
        self.index.sort_unstable_by_key(|(key, start, _)| (number(key), *start));
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let mut run = new_run(&self.work_dir)?;
        for (key, start, length) in &self.index {
            let row = self.arena.get(*start..*start + *length as usize).unwrap_or_default();
            run.write_all(key)?;
            run.write_all(&length.to_le_bytes())?;
            run.write_all(row)?;
            self.spilled_bytes += (size_of::<Key>() + size_of::<u32>() + row.len()) as u64;
        }
        let mut run = run.into_inner().map_err(io::IntoInnerError::into_error)?;
        run.rewind()?;
        self.runs.push(run);
        self.index.clear();
        self.arena.clear();
        Ok(())
    }

    /// All rows of several sorters, in order of their keys; rows of equal keys in no order.
    pub(crate) fn into_rows(sorters: Vec<Self>) -> io::Result<Rows> {
        let mut rows = Rows { runs: Vec::new(), heads: BinaryHeap::new() };
        let runs: usize = sorters.iter().map(|sorter| sorter.runs.len()).sum();
        let (least, most) = READ_BUFFER_BYTES;
        let buffer_bytes = (READ_BUFFERS_BYTES / runs.max(1)).clamp(least, most);
        for mut sorter in sorters {
            if let Some(failure) = sorter.failure.take() {
                return Err(failure);
            }
            sorter.sort();
            for file in sorter.runs {
                rows.runs.push(Run::Spilled(BufReader::with_capacity(buffer_bytes, file)));
            }
            rows.runs.push(Run::Memory { arena: sorter.arena, index: sorter.index.into_iter() });
        }
        for (nth, run) in rows.runs.iter_mut().enumerate() {
            let mut row = Vec::new();
            if let Some(key) = run.next(&mut row)? {
                rows.heads.push(Reverse(Head { number: number(&key), nth, key, row }));
            }
        }
        Ok(rows)
    }
}

/// A key as numbers, which compare in the same order, and faster.
fn number(key: &Key) -> (u128, u64) {
    let [high @ .., l0, l1, l2, l3, l4, l5, l6, l7] = *key;
    (u128::from_be_bytes(high), u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]))
}

#[derive(Debug)]
enum Run {
    Memory { arena: Vec<u8>, index: std::vec::IntoIter<(Key, usize, u32)> },
    Spilled(BufReader<File>),
}

impl Run {
    /// The next key, and its row in place of what `row` held.
    fn next(&mut self, row: &mut Vec<u8>) -> io::Result<Option<Key>> {
        match self {
            Self::Memory { arena, index } => {
                let Some((key, start, length)) = index.next() else { return Ok(None) };
                row.clear();
                row.extend_from_slice(
                    arena.get(start..start + length as usize).unwrap_or_default(),
                );
                Ok(Some(key))
            }
            Self::Spilled(file) => {
                let mut key = Key::default();
                match file.read_exact(&mut key) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                    outcome => outcome?,
                }
                let mut length = [0; 4];
                file.read_exact(&mut length)?;
                row.resize(u32::from_le_bytes(length) as usize, 0);
                file.read_exact(row)?;
                Ok(Some(key))
            }
        }
    }
}

/// The next row of a run. Ordered by its key, then by the run.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    number: (u128, u64),
    nth: usize,
    key: Key,
    row: Vec<u8>,
}

/// Rows of several runs, in order.
#[derive(Debug)]
pub(crate) struct Rows {
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<Head>>,
}

impl Iterator for Rows {
    type Item = io::Result<(Key, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut row = Vec::new();
        self.append(&mut row).transpose().map(|key| Ok((key?, row)))
    }
}

impl Rows {
    /// Appends the next row to `rows`; its key.
    fn append(&mut self, rows: &mut Vec<u8>) -> io::Result<Option<Key>> {
        let Some(mut head) = self.heads.peek_mut() else { return Ok(None) };
        let Some(run) = self.runs.get_mut(head.0.nth) else { return Ok(None) };
        let first = head.0.key;
        rows.extend_from_slice(&head.0.row);
        // In its place: one way down the heap instead of two, and no memory is asked for.
        match run.next(&mut head.0.row)? {
            Some(key) => (head.0.number, head.0.key) = (number(&key), key),
            None => drop(PeekMut::pop(head)),
        }
        Ok(Some(first))
    }

    /// The same rows, many at a time.
    pub(crate) fn batches(self) -> Batches {
        Batches(self)
    }
}

/// About how many bytes are handed over at a time.
const BATCH_BYTES: usize = 128 << 10;

/// Rows of several runs, in order, in batches.
#[derive(Debug)]
pub(crate) struct Batches(Rows);

impl Iterator for Batches {
    type Item = io::Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut rows, mut index) = (Vec::with_capacity(BATCH_BYTES * 9 / 8), Vec::new());
        while rows.len() < BATCH_BYTES {
            match self.0.append(&mut rows) {
                Ok(Some(key)) => index.push((key, rows.len())),
                Ok(None) => break,
                Err(error) => return Some(Err(error)),
            }
        }
        (!index.is_empty()).then(|| Ok(Batch { rows: Arc::new(rows), index }))
    }
}

/// Some rows, in order.
#[derive(Debug)]
pub(crate) struct Batch {
    rows: Arc<Vec<u8>>,
    /// The key of each, and where it ends.
    index: Vec<(Key, usize)>,
}

impl Batch {
    /// One by one.
    pub(crate) fn into_rows(self) -> impl Iterator<Item = (Key, SharedRow)> {
        let mut start = 0;
        self.index.into_iter().map(move |(key, end)| {
            let place = std::mem::replace(&mut start, end)..end;
            (key, SharedRow { rows: Arc::clone(&self.rows), place })
        })
    }
}

/// A row in memory that it shares with its neighbours.
#[derive(Debug)]
pub(crate) struct SharedRow {
    rows: Arc<Vec<u8>>,
    place: Range<usize>,
}

impl AsRef<[u8]> for SharedRow {
    fn as_ref(&self) -> &[u8] {
        self.rows.get(self.place.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_split_and_any_budget_give_one_order(
            rows in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..20)), 0..200),
            sorters in 1_usize..4,
            budget in 1_usize..2_000,
            rest in 0_usize..14,
            is_batched in any::<bool>(),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut parts: Vec<Sorter> = (0..sorters).map(|_| Sorter::new(dir.path(), budget)).collect();
            let mut expected = Vec::new();
            for (nth, (key, row)) in rows.iter().enumerate() {
                let mut full = Key::default();
                full[3] = *key;
                parts[nth % sorters].push(full, row);
                if nth % 7 == rest {
                    parts[nth % sorters].rest();
                }
                expected.push((full, row.clone()));
            }
            expected.sort();
            let got = Sorter::into_rows(parts).unwrap();
            let got: Vec<_> = match is_batched {
                true => got
                    .batches()
                    .flat_map(|batch| batch.unwrap().into_rows())
                    .map(|(key, row)| (key, row.as_ref().to_vec()))
                    .collect(),
                false => got.map(Result::unwrap).collect(),
            };
            // Runs keep arrival order among equal keys; what counts is the set at each key.
            let mut sorted = got.clone();
            sorted.sort();
            prop_assert_eq!(&sorted, &expected);
            prop_assert!(got.is_sorted_by_key(|(key, _)| *key));
        }
    }
}
