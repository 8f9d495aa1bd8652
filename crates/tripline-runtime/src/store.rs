//! Where the action log is kept, so that nothing that was done is ever forgotten.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use thiserror::Error;

/// Keeps the lines of the action log, in order.
pub trait Store: Sync {
    /// All lines.
    ///
    /// # Errors
    /// [`StoreError`].
    fn lines(&self) -> impl Future<Output = Result<Vec<String>, StoreError>> + Send;

    /// Adds lines, of which the first is number `from`: all of them, durably, or none.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else added lines meanwhile.
    fn append(
        &self,
        from: u64,
        lines: &[String],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A store that failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("`{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    /// Somebody else added lines.
    #[error("the action log was added to by another process meanwhile")]
    Conflict,
    /// The disk, or what is on it.
    #[error("`{}`: {why}", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// A store that is somewhere else failed.
    #[error("the action log at `{place}` failed: {why}")]
    Remote {
        /// Which.
        place: String,
        /// What it said.
        why: String,
    },
    /// The log says otherwise than the store.
    #[error(
        "`{}` has lines that are not in the store: one of the two was changed by hand",
        .0.display()
    )]
    Diverged(PathBuf),
}

const LOG: TableDefinition<'_, u64, &str> = TableDefinition::new("action_log");

/// The store of one machine: an ACID file, and beside it the same log as JSON lines, for people and
/// for the day when the store is lost.
#[derive(Debug)]
pub struct EmbeddedStore {
    database: Database,
    log: Mutex<fs::File>,
    directory: PathBuf,
}

/// The names of the two files.
const STORE_FILE: &str = "tripline.redb";
/// The log as JSON lines.
pub const LOG_FILE: &str = "actions.jsonl";

/// The log of a directory as JSON lines, whoever is adding to it at this moment: a line that is being
/// written is left out.
///
/// # Errors
/// When it cannot be read.
pub fn log_text(directory: &Path) -> io::Result<String> {
    let mut text = fs::read_to_string(directory.join(LOG_FILE))?;
    text.truncate(whole_of(&text));
    Ok(text)
}

/// How much of a log are whole lines.
fn whole_of(text: &str) -> usize {
    text.rfind('\n').map_or(0, |end| end.saturating_add(1))
}

impl EmbeddedStore {
    /// Opens the store of a directory, and makes one where there is none.
    ///
    /// A crash between the two files leaves the log a few lines behind: they are added. A lost store is
    /// made again from the log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let store = directory.join(STORE_FILE);
        let path = directory.join(LOG_FILE);
        fs::create_dir_all(directory).map_err(|error| broken(directory, &error))?;
        let database = Database::create(&store).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(store.clone()),
            other => broken(&store, &other),
        })?;
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| broken(&path, &error))?;
        let opened = Self { database, log: Mutex::new(log), directory: directory.to_owned() };
        opened.reconcile(&path)?;
        Ok(opened)
    }

    fn reconcile(&self, path: &Path) -> Result<(), StoreError> {
        let text = fs::read_to_string(path).map_err(|error| broken(path, &error))?;
        // A line without its end was being written when the machine went down: the store has it whole.
        let (whole, torn) = text.split_at_checked(whole_of(&text)).unwrap_or((&text, ""));
        let logged: Vec<&str> = whole.lines().collect();
        let stored = self.stored()?;
        if stored.iter().zip(&logged).any(|(stored, logged)| stored != logged) {
            return Err(StoreError::Diverged(path.to_owned()));
        }
        if !torn.is_empty() {
            let bytes = u64::try_from(whole.len()).unwrap_or(u64::MAX);
            self.log(|log| log.set_len(bytes)).map_err(|error| broken(path, &error))?;
        }
        if let Some(missing) = stored.get(logged.len()..).filter(|missing| !missing.is_empty()) {
            self.log(|log| write_lines(log, missing)).map_err(|error| broken(path, &error))?;
        }
        if let Some(missing) = logged.get(stored.len()..).filter(|missing| !missing.is_empty()) {
            let lines: Vec<String> = missing.iter().map(|line| (*line).to_owned()).collect();
            self.commit(stored.len() as u64, &lines)?;
        }
        Ok(())
    }

    fn stored(&self) -> Result<Vec<String>, StoreError> {
        let path = self.directory.join(STORE_FILE);
        let read = || -> Result<Vec<String>, redb::Error> {
            let transaction = self.database.begin_read()?;
            let table = match transaction.open_table(LOG) {
                Ok(table) => table,
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                Err(other) => return Err(other.into()),
            };
            table.iter()?.map(|row| Ok(row?.1.value().to_owned())).collect()
        };
        read().map_err(|error| broken(&path, &error))
    }

    fn commit(&self, from: u64, lines: &[String]) -> Result<(), StoreError> {
        let path = self.directory.join(STORE_FILE);
        let write = || -> Result<bool, redb::Error> {
            let transaction = self.database.begin_write()?;
            {
                let mut table = transaction.open_table(LOG)?;
                let next = table.last()?.map_or(0, |(last, _)| last.value().saturating_add(1));
                if next != from {
                    return Ok(false);
                }
                for (number, line) in (from..).zip(lines) {
                    table.insert(number, line.as_str())?;
                }
            }
            transaction.commit()?;
            Ok(true)
        };
        match write() {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::Conflict),
            Err(error) => Err(broken(&path, &error)),
        }
    }

    fn log(&self, write: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<()> {
        // A writer that panicked left at worst a torn line, which is cut off when the store is opened.
        let mut log = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        write(&mut log)
    }
}

impl Store for EmbeddedStore {
    async fn lines(&self) -> Result<Vec<String>, StoreError> {
        self.stored()
    }

    async fn append(&self, from: u64, lines: &[String]) -> Result<(), StoreError> {
        self.commit(from, lines)?;
        let path = self.directory.join(LOG_FILE);
        self.log(|log| write_lines(log, lines)).map_err(|error| broken(&path, &error))
    }
}

fn write_lines(log: &mut fs::File, lines: &[String]) -> io::Result<()> {
    let mut text = lines.join("\n");
    text.push('\n');
    log.write_all(text.as_bytes())?;
    log.sync_data()
}

fn broken(path: &Path, why: &impl ToString) -> StoreError {
    StoreError::Broken { path: path.to_owned(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[tokio::test]
    async fn what_was_added_is_there_again_and_nothing_is_added_twice() {
        let directory = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(directory.path()).unwrap();
        store.append(0, &lines(&["a", "b"])).await.unwrap();
        assert!(matches!(store.append(1, &lines(&["x"])).await, Err(StoreError::Conflict)));
        assert!(matches!(EmbeddedStore::open(directory.path()), Err(StoreError::InUse(_))));
        drop(store);
        let store = EmbeddedStore::open(directory.path()).unwrap();
        store.append(2, &lines(&["c"])).await.unwrap();
        assert_eq!(store.lines().await.unwrap(), lines(&["a", "b", "c"]));
        assert_eq!(fs::read_to_string(directory.path().join(LOG_FILE)).unwrap(), "a\nb\nc\n");
    }

    #[tokio::test]
    async fn either_file_makes_up_for_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let open = || EmbeddedStore::open(directory.path());
        let (store_file, log_file) =
            (directory.path().join(STORE_FILE), directory.path().join(LOG_FILE));
        open().unwrap().append(0, &lines(&["a", "b"])).await.unwrap();
        // The machine went down while the second line was written.
        fs::write(&log_file, "a\nb").unwrap();
        assert_eq!(open().unwrap().lines().await.unwrap(), lines(&["a", "b"]));
        assert_eq!(fs::read_to_string(&log_file).unwrap(), "a\nb\n");
        fs::remove_file(&store_file).unwrap();
        assert_eq!(open().unwrap().lines().await.unwrap(), lines(&["a", "b"]));
        fs::write(&log_file, "a\nB\n").unwrap();
        assert!(matches!(open(), Err(StoreError::Diverged(_))));
    }
}
