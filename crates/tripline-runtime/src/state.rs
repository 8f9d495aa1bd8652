//! What is remembered from one delivery to the next.

use std::fs;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use thiserror::Error;
use tripline_cloudtrail::EventTime;
use tripline_engine::{Entry, PartitionId};

/// Sets that only grow, until their elements are forgotten. No order in which elements are put, and no
/// number of times, leaves a trace; so whoever fails between two of them may begin again.
pub trait State: Sync {
    /// Adds elements: all are there, durably, once this returns. When it fails, some may be.
    ///
    /// # Errors
    /// [`StateError`].
    fn put(&self, entries: &[Entry]) -> impl Future<Output = Result<(), StateError>> + Send;

    /// Adds an element that nobody added before; whether it was this call that did. Of several at once
    /// it is one.
    ///
    /// # Errors
    /// [`StateError`]; the element may be there then.
    fn claim(&self, entry: &Entry) -> impl Future<Output = Result<bool, StateError>> + Send;

    /// What each of these sets holds, in the order in which they are asked for: everything that was
    /// put before this was called, by whomever.
    ///
    /// # Errors
    /// [`StateError`].
    fn read(
        &self,
        partitions: &[PartitionId],
    ) -> impl Future<Output = Result<Vec<Vec<Vec<u8>>>, StateError>> + Send;
}

/// A state that failed.
#[derive(Debug, Error)]
pub enum StateError {
    /// It has too much to do: the same again later will do.
    #[error("the state has too much to do: {0}")]
    Throttled(String),
    /// Anything else.
    #[error("the state at `{place}` failed: {why}")]
    Broken {
        /// Which.
        place: String,
        /// What went wrong.
        why: String,
    },
}

/// By partition and place in it: sixteen bytes each.
const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
/// The same places by when they may be forgotten.
const ENDS: TableDefinition<'_, (i64, &[u8]), ()> = TableDefinition::new("ends");

/// The name of its file.
const STATE_FILE: &str = "state.redb";

/// The state of one machine, in one file. Losing it loses what is being watched, and nothing that was
/// done.
#[derive(Debug)]
pub struct EmbeddedState {
    database: Database,
    path: PathBuf,
}

impl EmbeddedState {
    /// Opens the state of a directory, and makes one where there is none.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(directory: &Path) -> Result<Self, StateError> {
        let path = directory.join(STATE_FILE);
        fs::create_dir_all(directory).map_err(|error| broken(&path, &error))?;
        let database = Database::create(&path).map_err(|error| broken(&path, &error))?;
        Ok(Self { database, path })
    }

    /// Forgets what may be forgotten by now; how much that was.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn forget(&self, now: EventTime) -> Result<u64, StateError> {
        let forget = || -> Result<u64, redb::Error> {
            let transaction = self.database.begin_write()?;
            let mut forgotten = 0;
            {
                let mut entries = transaction.open_table(ENTRIES)?;
                let mut ends = transaction.open_table(ENDS)?;
                let over = (i64::MIN, [].as_slice())..(now.unix_secs(), [].as_slice());
                for end in ends.extract_from_if(over, |_, ()| true)? {
                    entries.remove(end?.0.value().1)?;
                    forgotten += 1;
                }
            }
            transaction.commit()?;
            Ok(forgotten)
        };
        forget().map_err(|error| broken(&self.path, &error))
    }

    /// How many of these were not there.
    fn keep(&self, kept: &[Entry]) -> Result<u64, redb::Error> {
        let transaction = self.database.begin_write()?;
        let mut added = 0;
        {
            let mut entries = transaction.open_table(ENTRIES)?;
            let mut ends = transaction.open_table(ENDS)?;
            for entry in kept {
                let place = [entry.partition.to_bytes(), entry.sort()].concat();
                let end = entry.until.unix_secs();
                let before = entries.get(place.as_slice())?.and_then(|value| end_of(value.value()));
                if before.is_some_and(|before| before >= end) {
                    continue;
                }
                added += u64::from(before.is_none());
                if let Some(before) = before {
                    ends.remove((before, place.as_slice()))?;
                }
                let value = [&end.to_le_bytes(), entry.value.as_slice()].concat();
                entries.insert(place.as_slice(), value.as_slice())?;
                ends.insert((end, place.as_slice()), ())?;
            }
        }
        transaction.commit()?;
        Ok(added)
    }

    fn look_up(&self, partitions: &[PartitionId]) -> Result<Vec<Vec<Vec<u8>>>, redb::Error> {
        let transaction = self.database.begin_read()?;
        let entries = match transaction.open_table(ENTRIES) {
            Ok(entries) => entries,
            Err(redb::TableError::TableDoesNotExist(_)) => {
                return Ok(vec![Vec::new(); partitions.len()]);
            }
            Err(other) => return Err(other.into()),
        };
        let mut found = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let first = [partition.to_bytes(), [0; 16]].concat();
            let last = [partition.to_bytes(), [u8::MAX; 16]].concat();
            let values = entries.range(first.as_slice()..=last.as_slice())?;
            let value = |value: &[u8]| value.get(8..).unwrap_or_default().to_vec();
            let values = values.map(|entry| Ok(value(entry?.1.value())));
            found.push(values.collect::<Result<_, redb::StorageError>>()?);
        }
        Ok(found)
    }
}

impl State for EmbeddedState {
    async fn put(&self, entries: &[Entry]) -> Result<(), StateError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.keep(entries).map(drop).map_err(|error| broken(&self.path, &error))
    }

    async fn claim(&self, entry: &Entry) -> Result<bool, StateError> {
        let added = self.keep(std::slice::from_ref(entry));
        added.map(|added| added == 1).map_err(|error| broken(&self.path, &error))
    }

    async fn read(&self, partitions: &[PartitionId]) -> Result<Vec<Vec<Vec<u8>>>, StateError> {
        self.look_up(partitions).map_err(|error| broken(&self.path, &error))
    }
}

/// A value begins with when it may be forgotten.
fn end_of(value: &[u8]) -> Option<i64> {
    value.first_chunk().map(|end| i64::from_le_bytes(*end))
}

fn broken(path: &Path, why: &impl ToString) -> StateError {
    StateError::Broken { place: path.display().to_string(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(partition: u8, value: &str, until: i64) -> Entry {
        Entry {
            partition: PartitionId::from_bytes([partition; 16]),
            value: value.as_bytes().to_vec(),
            until: EventTime::from_unix_secs(until).unwrap(),
        }
    }

    #[tokio::test]
    async fn what_was_put_is_there_once_until_it_may_be_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let state = EmbeddedState::open(directory.path()).unwrap();
        let ids = [2, 1, 3].map(|id| entry(id, "", 0).partition);
        assert_eq!(state.read(&ids).await.unwrap(), vec![Vec::<Vec<u8>>::new(); 3]);
        state.put(&[entry(1, "a", 10), entry(1, "b", 20), entry(2, "a", 10)]).await.unwrap();
        // Put again for longer, and for less.
        state.put(&[entry(1, "a", 30), entry(1, "b", 5)]).await.unwrap();
        let texts = async || {
            let found = state.read(&ids).await.unwrap().into_iter();
            let text = |value: Vec<u8>| String::from_utf8(value).unwrap();
            let set = |values: Vec<Vec<u8>>| {
                let mut set: Vec<String> = values.into_iter().map(text).collect();
                set.sort();
                set.join("")
            };
            found.map(set).collect::<Vec<_>>()
        };
        assert_eq!(texts().await, ["a", "ab", ""]);
        let at = |secs| EventTime::from_unix_secs(secs).unwrap();
        assert_eq!(state.forget(at(11)).unwrap(), 1);
        assert_eq!(texts().await, ["", "ab", ""]);
        assert_eq!(state.forget(at(21)).unwrap(), 1);
        assert_eq!(texts().await, ["", "a", ""]);
    }
}
