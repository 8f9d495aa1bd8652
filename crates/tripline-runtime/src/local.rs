//! Logs on a local disk: which files there are, in which order, and their bytes.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tripline_cloudtrail::{Reader, Sink, Tally};
use tripline_text::Untrusted;
use walkdir::WalkDir;

use crate::source::{Listed, Page};

/// A file below a path that the user gave. What is in it is found out by reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is, as stored.
    pub bytes: u64,
    /// When it was delivered, as its name says; empty where it does not.
    delivered: String,
}

/// A path that could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list `{}`: {source}", path.display())]
pub struct Unlisted {
    /// The path, or the place below it.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Files of more than this are read in pieces of that size when they are not compressed.
const PIECE_BYTES: usize = 1 << 20;

/// Plain files up to this size are read at once, like the compressed ones, which hold at most 50 MB
/// of JSON when they come from CloudTrail (UG/WhatIsCloudTrail-Limits).
const WHOLE_BYTES_MAX: u64 = 64 << 20;

/// All files at and below `paths`, each once, in the order of the delivery times in their names as
/// far as they have one, so that a mint and its uses, and two copies of a record, come close
/// together: that saves memory and changes nothing else.
///
/// Links to directories are not followed.
pub fn files(paths: &[PathBuf]) -> (Vec<LocalFile>, Vec<Unlisted>) {
    let (mut files, mut unlisted) = (Vec::new(), Vec::new());
    for root in paths {
        for entry in WalkDir::new(root) {
            match entry.and_then(|entry| Ok((entry.metadata()?, entry.into_path()))) {
                Ok((metadata, _)) if metadata.is_dir() => {}
                Ok((metadata, path)) => {
                    let name = path.file_name().unwrap_or_default();
                    let delivered = delivery_stamp(&name.to_string_lossy()).to_owned();
                    files.push(LocalFile { path, bytes: metadata.len(), delivered });
                }
                Err(error) => unlisted.push(Unlisted {
                    path: error.path().unwrap_or(root).to_owned(),
                    source: error.into(),
                }),
            }
        }
    }
    files.sort_by(|a, b| (&a.delivered, &a.path).cmp(&(&b.delivered, &b.path)));
    files.dedup_by(|a, b| a.path == b.path);
    (files, unlisted)
}

/// The `YYYYMMDDTHHmmZ` of `ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_UNIQUE.json.gz`, or nothing
/// (UG/get-and-view-cloudtrail-log-files).
pub fn delivery_stamp(name: &str) -> &str {
    let is_stamp = |part: &&str| {
        part.len() == 14
            && part.ends_with('Z')
            && part.bytes().take(8).all(|byte| byte.is_ascii_digit())
    };
    name.split('_').find(is_stamp).unwrap_or_default()
}

impl LocalFile {
    /// A path as text, for messages; bytes that are not UTF-8 become U+FFFD.
    pub fn name_of(path: &Path) -> Arc<Untrusted<'static>> {
        Arc::new(Untrusted::new(path.to_string_lossy().into_owned()))
    }

    /// What a listing says of it.
    pub(crate) fn listed(&self) -> Listed {
        Listed {
            file: Self::name_of(&self.path),
            bytes: self.bytes,
            delivered: self.delivered.clone(),
            version: None,
        }
    }

    /// The file that was listed; `path` where it is not as its name says.
    pub(crate) fn of(listed: &Listed, path: Option<&PathBuf>) -> Self {
        let named = || PathBuf::from(listed.file.as_unescaped());
        Self {
            path: path.cloned().unwrap_or_else(named),
            bytes: listed.bytes,
            delivered: listed.delivered.clone(),
        }
    }

    /// The file as it is, for a delivery.
    ///
    /// # Errors
    /// When it cannot be read, or is longer than any object of a trail.
    pub fn page(&self) -> io::Result<Page> {
        if self.bytes > WHOLE_BYTES_MAX {
            let why = format!("longer than {WHOLE_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        Ok(Page { file: Self::name_of(&self.path), bytes: fs::read(&self.path)? })
    }

    /// Reads the file through `reader`, whole or in pieces. A file that cannot be read is a problem
    /// in the tally, with what was read of it before.
    pub fn read(
        &self,
        reader: &mut Reader,
        buffer: &mut Vec<u8>,
        sink: &mut (impl Sink + ?Sized),
    ) -> Tally {
        let name = Self::name_of(&self.path);
        let outcome = match self.bytes <= WHOLE_BYTES_MAX {
            true => self.read_whole(buffer).map(|()| reader.read(&name, buffer, sink)),
            false => self.read_in_pieces(reader, &name, buffer, sink),
        };
        outcome.unwrap_or_else(|error| {
            let mut tally = Tally::default();
            tally.unreadable(name, error.to_string());
            tally
        })
    }

    fn read_whole(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        // One more than the size, so that a file that grew is still read to its end.
        File::open(&self.path)?.read_to_end(buffer).map(|_| ())
    }

    fn read_in_pieces(
        &self,
        reader: &Reader,
        name: &Arc<Untrusted<'static>>,
        buffer: &mut Vec<u8>,
        sink: &mut (impl Sink + ?Sized),
    ) -> io::Result<Tally> {
        let mut file = File::open(&self.path)?;
        let mut stream = reader.stream(name);
        buffer.resize(PIECE_BYTES, 0);
        loop {
            match file.read(buffer) {
                Ok(0) => return Ok(stream.finish(sink)),
                Ok(count) => stream.feed(buffer.get(..count).unwrap_or_default(), sink),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // What came before stays read; the file counts as failed.
                    stream.broken(error.to_string());
                    return Ok(stream.finish(sink));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_order_of_delivery_and_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b/1_CloudTrail_eu_20260101T0005Z_x.json.gz",
            "a/1_CloudTrail_us_20260101T0010Z_x.json.gz",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        let root = dir.path().to_owned();
        let (files, unlisted) = files(&[root.clone(), root.join("a"), root.join("none")]);
        let names: Vec<_> =
            files.iter().map(|file| file.path.strip_prefix(&root).unwrap().to_owned()).collect();
        assert_eq!(names.len(), 2);
        assert!(names[0].starts_with("b") && names[1].starts_with("a"));
        assert_eq!(unlisted.len(), 1);
    }
}
