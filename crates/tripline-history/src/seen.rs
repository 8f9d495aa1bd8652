//! Which records were seen already: exactly, in bounded memory.
//!
//! Event ids are random, so neither order nor locality helps. The newest ids are kept in memory;
//! when a shard is full its ids go to the work directory as a sorted run. A filter in memory says of
//! most new ids that no run holds them; where it cannot, the runs are looked up, so that no filter
//! ever *decides* that a record is a duplicate.
//!
//! Memory: about 36 MB for the newest 1.8 million ids, and one to two bytes for each id beyond.
//! Disk: 16 bytes an id.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ahash::RandomState;
use hashbrown::HashSet;
use tripline_cloudtrail::EventId;

const SHARDS: usize = 64;
/// Seven eighths of a power of two: what a table of that many slots holds before it grows.
const NEWEST_PER_SHARD: usize = 28_672;
/// Ids between two entries of a run's index: a look-up reads one such block, 4 KB.
const BLOCK_IDS: usize = 256;
const ID_BYTES: usize = 16;

/// The ids of all records so far; shared by threads.
#[derive(Debug)]
pub(crate) struct SeenIds {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug)]
struct Shard {
    newest: HashSet<u128, RandomState>,
    spilled: Option<Spilled>,
    work_dir: PathBuf,
    failure: Option<io::Error>,
}

#[derive(Debug)]
struct Spilled {
    file: File,
    /// For each run: where it starts, in ids, and the first id of each of its blocks.
    runs: Vec<(u64, Vec<u128>)>,
    ids: u64,
    filter: Filter,
}

impl SeenIds {
    /// Nothing seen so far; spills below `work_dir`.
    pub(crate) fn new(work_dir: &Path, seed: u64) -> Self {
        let shard = || Shard {
            newest: HashSet::with_hasher(RandomState::with_seeds(seed, 1, 2, 3)),
            spilled: None,
            work_dir: work_dir.to_owned(),
            failure: None,
        };
        Self { shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect() }
    }

    /// Notes an id; whether it is new. After a failure of the disk, ids that were spilled count as
    /// new: [`SeenIds::failure`] says so, and the run must end with it.
    pub(crate) fn is_first(&self, id: EventId) -> bool {
        let bits = id.bits();
        let nth = (bits % SHARDS as u128) as usize;
        let Some(shard) = self.shards.get(nth) else { return true };
        shard.lock().unwrap_or_else(PoisonError::into_inner).is_first(bits)
    }

    /// The first failure of the disk, if there was one.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.shards
            .iter()
            .find_map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).failure.take())
    }

    /// Bytes written to the work directory.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        let of = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.spilled.as_ref().map_or(0, |spilled| spilled.ids * ID_BYTES as u64)
        };
        self.shards.iter().map(of).sum()
    }
}

impl Shard {
    fn is_first(&mut self, bits: u128) -> bool {
        // One look at a table that is larger than any cache; taken back in the rare case below.
        if !self.newest.insert(bits) {
            return false;
        }
        if let Some(spilled) = &mut self.spilled {
            match spilled.holds(bits) {
                Ok(true) => {
                    self.newest.remove(&bits);
                    return false;
                }
                Ok(false) => {}
                Err(failure) => self.failure = Some(failure),
            }
        }
        if self.newest.len() >= NEWEST_PER_SHARD
            && self.failure.is_none()
            && let Err(failure) = self.spill()
        {
            self.failure = Some(failure);
        }
        true
    }

    fn spill(&mut self) -> io::Result<()> {
        let mut ids: Vec<u128> = self.newest.drain().collect();
        ids.sort_unstable();
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(Spilled {
                file: tempfile::tempfile_in(&self.work_dir)?,
                runs: Vec::new(),
                ids: 0,
                filter: Filter::for_ids(4 * NEWEST_PER_SHARD),
            }),
        };
        spilled.append(&ids)
    }
}

impl Spilled {
    fn append(&mut self, ids: &[u128]) -> io::Result<()> {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        self.file.seek(SeekFrom::Start(self.ids * ID_BYTES as u64))?;
        self.file.write_all(&bytes)?;
        let firsts = ids.chunks(BLOCK_IDS).filter_map(|block| block.first().copied()).collect();
        self.runs.push((self.ids, firsts));
        self.ids += ids.len() as u64;
        if self.ids as usize > self.filter.ids_max {
            self.rebuild_filter()?;
        } else {
            ids.iter().for_each(|id| self.filter.note(*id));
        }
        Ok(())
    }

    /// A filter of twice the size, from what is on disk.
    fn rebuild_filter(&mut self) -> io::Result<()> {
        let mut filter = Filter::for_ids(self.filter.ids_max * 2);
        let mut block = [0_u8; BLOCK_IDS * ID_BYTES];
        self.file.rewind()?;
        let mut left = self.ids as usize * ID_BYTES;
        while left > 0 {
            let piece = block.get_mut(..left.min(BLOCK_IDS * ID_BYTES)).unwrap_or_default();
            self.file.read_exact(piece)?;
            left -= piece.len();
            for id in piece.as_chunks::<ID_BYTES>().0 {
                filter.note(u128::from_le_bytes(*id));
            }
        }
        self.filter = filter;
        Ok(())
    }

    fn holds(&mut self, bits: u128) -> io::Result<bool> {
        if !self.filter.may_hold(bits) {
            return Ok(false);
        }
        for nth in 0..self.runs.len() {
            if self.run_holds(nth, bits)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn run_holds(&mut self, nth: usize, bits: u128) -> io::Result<bool> {
        let Some((start, firsts)) = self.runs.get(nth) else { return Ok(false) };
        let Some(block) = firsts.partition_point(|first| *first <= bits).checked_sub(1) else {
            return Ok(false);
        };
        let end = self.runs.get(nth + 1).map_or(self.ids, |(next, _)| *next);
        let from = start + (block * BLOCK_IDS) as u64;
        let count = (end - from).min(BLOCK_IDS as u64) as usize;
        let mut bytes = [0_u8; BLOCK_IDS * ID_BYTES];
        let bytes = bytes.get_mut(..count * ID_BYTES).unwrap_or_default();
        self.file.seek(SeekFrom::Start(from * ID_BYTES as u64))?;
        self.file.read_exact(bytes)?;
        let ids = bytes.as_chunks::<ID_BYTES>().0;
        Ok(ids.binary_search_by_key(&bits, |id| u128::from_le_bytes(*id)).is_ok())
    }
}

/// A Bloom filter whose bits for one id lie in one word, hence one cache miss; 16 bits an id and
/// four set, so that it sends about one new id in a hundred to the disk.
#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
    ids_max: usize,
}

impl Filter {
    fn for_ids(ids_max: usize) -> Self {
        Self { words: vec![0; (ids_max / 4).next_power_of_two()], ids_max }
    }

    /// The word and the bits of an id. The bits of a GUID are random, but for a few fixed ones in
    /// the middle and those that chose the shard: a multiplication spreads the rest.
    fn place(&self, id: u128) -> (usize, u64) {
        let spread = ((id >> 64) as u64 ^ id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bits = (0..4).fold(0, |bits, nth| bits | 1 << ((spread >> (6 * nth)) & 63));
        ((spread >> 32) as usize & (self.words.len() - 1), bits)
    }

    fn note(&mut self, id: u128) {
        let (word, bits) = self.place(id);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bits;
        }
    }

    fn may_hold(&self, id: u128) -> bool {
        let (word, bits) = self.place(id);
        self.words.get(word).is_some_and(|word| word & bits == bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GUID-like numbers; the same ones for the same seed.
    fn ids(seed: u64, count: usize) -> impl Iterator<Item = EventId> {
        let mut state = seed;
        let mut word = move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^ (mixed >> 27)
        };
        (0..count).map(move |_| EventId::from_bits(u128::from(word()) << 64 | u128::from(word())))
    }

    #[test]
    fn every_id_is_new_once_however_many_were_spilled() {
        let dir = tempfile::tempdir().unwrap();
        let seen = SeenIds::new(dir.path(), 7);
        // Enough for every shard to spill several runs, and for the filter to be made anew.
        let count = SHARDS * NEWEST_PER_SHARD * 6;
        assert_eq!(ids(1, count).filter(|id| seen.is_first(*id)).count(), count);
        assert!(seen.spilled_bytes() > 4 * (SHARDS * NEWEST_PER_SHARD * ID_BYTES) as u64);
        assert_eq!(ids(1, count).step_by(97).filter(|id| seen.is_first(*id)).count(), 0);
        assert!(ids(2, 1_000).all(|id| seen.is_first(id)));
        assert!(seen.failure().is_none());
    }
}
