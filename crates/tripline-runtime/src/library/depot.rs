//! Where models are kept.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use thiserror::Error;

use super::Digest;
use crate::shelf::replace_bytes;

/// Something that is waited for.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, DepotError>> + Send + 'a>>;

/// A place of named bytes, each of which is there whole or not at all.
pub trait Depot: fmt::Debug + Send + Sync {
    /// What to call it.
    fn name(&self) -> String;

    /// What is there, unless its tag is the one that is known.
    fn get<'a>(&'a self, key: &'a str, known: Option<&'a str>) -> Pending<'a, Got>;

    /// Puts something there, on a condition; false if that does not hold.
    fn put<'a>(&'a self, key: &'a str, bytes: &'a [u8], only: Only<'a>) -> Pending<'a, bool>;
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    /// Nothing.
    Missing,
    /// The same as before.
    Same,
    /// This.
    New {
        /// Its bytes.
        bytes: Vec<u8>,
        /// What tells it from what was there before.
        tag: String,
    },
}

/// When something may be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only<'a> {
    /// If nothing is there.
    IfAbsent,
    /// If what has this tag is still there.
    IfStill(&'a str),
}

/// A place that failed.
#[derive(Debug, Error)]
#[error("`{place}`: {why}")]
pub struct DepotError {
    /// What failed.
    pub place: String,
    /// Why.
    pub why: String,
}

/// A folder.
#[derive(Debug)]
pub struct LocalDepot {
    root: PathBuf,
}

impl LocalDepot {
    /// This folder; it need not exist before something is written.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn failed(&self, key: &str, error: &io::Error) -> DepotError {
        let place = self.root.join(key).display().to_string();
        DepotError { place, why: error.to_string() }
    }

    fn read(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.root.join(key)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn replace(&self, key: &str, bytes: &[u8], only: Only<'_>) -> io::Result<bool> {
        fs::create_dir_all(&self.root)?;
        // Of two at once, one looks after the other wrote.
        let lock = File::create(self.root.join(".lock"))?;
        lock.lock()?;
        let there = self.read(key)?;
        let holds = match only {
            Only::IfAbsent => there.is_none(),
            Only::IfStill(tag) => there.is_some_and(|there| tag_of(&there) == tag),
        };
        if holds {
            replace_bytes(&self.root.join(key), bytes)?;
        }
        Ok(holds)
    }
}

fn tag_of(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

impl Depot for LocalDepot {
    fn name(&self) -> String {
        self.root.display().to_string()
    }

    fn get<'a>(&'a self, key: &'a str, known: Option<&'a str>) -> Pending<'a, Got> {
        Box::pin(async move {
            let found = self.read(key).map_err(|error| self.failed(key, &error))?;
            Ok(match found.map(|bytes| (tag_of(&bytes), bytes)) {
                None => Got::Missing,
                Some((tag, _)) if Some(tag.as_str()) == known => Got::Same,
                Some((tag, bytes)) => Got::New { bytes, tag },
            })
        })
    }

    fn put<'a>(&'a self, key: &'a str, bytes: &'a [u8], only: Only<'a>) -> Pending<'a, bool> {
        let put =
            async move { self.replace(key, bytes, only).map_err(|error| self.failed(key, &error)) };
        Box::pin(put)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_two_who_replace_the_same_one_comes_too_late() {
        let directory = tempfile::tempdir().unwrap();
        let depot = LocalDepot::new(&directory.path().join("new"));
        assert_eq!(depot.get("a/b", None).await.unwrap(), Got::Missing);
        assert!(depot.put("a/b", b"1", Only::IfAbsent).await.unwrap());
        assert!(!depot.put("a/b", b"2", Only::IfAbsent).await.unwrap());
        let Got::New { bytes, tag } = depot.get("a/b", None).await.unwrap() else { panic!() };
        assert_eq!(bytes, b"1");
        assert_eq!(depot.get("a/b", Some(&tag)).await.unwrap(), Got::Same);
        assert!(depot.put("a/b", b"2", Only::IfStill(&tag)).await.unwrap());
        assert!(!depot.put("a/b", b"3", Only::IfStill(&tag)).await.unwrap());
    }
}
