//! Rows in order of their keys, however many: sorted in memory, spilled to the work directory in
//! sorted runs when they grow, merged when they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// What rows are ordered by: bytes, compared from the first on.
pub(crate) type Key = [u8; 24];

/// How much the readers of all runs hold together while runs are merged, …
const READ_BUFFERS_BYTES: usize = 4 << 20;
/// … and each at least, and at most.
const READ_BUFFER_BYTES: (usize, usize) = (8 << 10, 64 << 10);

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

    /// Takes no more rows for now: gives the memory back, unless all fit into it.
    pub(crate) fn rest(&mut self) {
        if !self.runs.is_empty()
            && self.failure.is_none()
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

    fn spill(&mut self) -> io::Result<()> {
        self.index.sort_unstable_by_key(|(key, start, _)| (number(key), *start));
        let mut run = BufWriter::new(tempfile::tempfile_in(&self.work_dir)?);
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
            if let Some(failure) = sorter.failure {
                return Err(failure);
            }
            sorter.index.sort_unstable_by_key(|(key, start, _)| (number(key), *start));
            for file in sorter.runs {
                rows.runs.push(Run::Spilled(BufReader::with_capacity(buffer_bytes, file)));
            }
            rows.runs.push(Run::Memory { arena: sorter.arena, index: sorter.index.into_iter() });
        }
        for (nth, run) in rows.runs.iter_mut().enumerate() {
            if let Some((key, row)) = run.next()? {
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
    fn next(&mut self) -> io::Result<Option<(Key, Vec<u8>)>> {
        match self {
            Self::Memory { arena, index } => Ok(index.next().map(|(key, start, length)| {
                (key, arena.get(start..start + length as usize).unwrap_or_default().to_vec())
            })),
            Self::Spilled(file) => {
                let mut key = Key::default();
                match file.read_exact(&mut key) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                    outcome => outcome?,
                }
                let mut length = [0; 4];
                file.read_exact(&mut length)?;
                let mut row = vec![0; u32::from_le_bytes(length) as usize];
                file.read_exact(&mut row)?;
                Ok(Some((key, row)))
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
        let mut head = self.heads.peek_mut()?;
        let nth = head.0.nth;
        let first = match self.runs.get_mut(nth)?.next() {
            // In its place: one way down the heap instead of two.
            Ok(Some((key, row))) => {
                let next = Head { number: number(&key), nth, key, row };
                std::mem::replace(&mut *head, Reverse(next)).0
            }
            Ok(None) => PeekMut::pop(head).0,
            Err(error) => return Some(Err(error)),
        };
        Some(Ok((first.key, first.row)))
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
            let got: Vec<_> = Sorter::into_rows(parts).unwrap().map(Result::unwrap).collect();
            // Runs keep arrival order among equal keys; what counts is the set at each key.
            let mut sorted = got.clone();
            sorted.sort();
            prop_assert_eq!(&sorted, &expected);
            prop_assert!(got.is_sorted_by_key(|(key, _)| *key));
        }
    }
}
