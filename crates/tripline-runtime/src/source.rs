//! What comes from where logs are.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tripline_cloudtrail::{Reader, Sink, Tally};
use tripline_text::Untrusted;

use crate::local::{LocalFile, files};

/// A file or an object, as stored.
#[derive(Debug)]
pub struct Page {
    /// Where it is from.
    pub file: Arc<Untrusted<'static>>,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A file, as the listing of its source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub file: Arc<Untrusted<'static>>,
    /// How long it is, as stored; 0 where that is not known before.
    pub bytes: u64,
    /// When it was delivered, as its name says (`YYYYMMDDTHHmmZ`); empty where it does not.
    pub delivered: String,
    /// What it is told by from every other content that was or will be there, as an ETag does; `None`
    /// where nothing does.
    pub version: Option<String>,
}

/// A file, or a place of files, that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Where.
    pub file: Arc<Untrusted<'static>>,
    /// What the other side said.
    pub why: String,
}

/// Logs somewhere, listed: a tree on a disk, a bucket, an account's event history.
pub trait Source: fmt::Debug + Sync {
    /// What there is, in the order in which it is read best.
    fn files(&self) -> &[Listed];

    /// What could not be listed.
    fn unlisted(&self) -> &[Unread];

    /// Begins to fetch those of the files that have these places among [`Source::files`].
    fn open<'s>(&'s self, which: &'s [usize]) -> Box<dyn Feed + 's>;
}

/// Files that are on their way.
pub trait Feed: Sync {
    /// Whichever is here first; waits for it. Each of several threads is given its own, until there
    /// are no more.
    fn next(&self) -> Option<Arrived>;
}

/// A file that is here, or a part of it.
#[derive(Debug)]
pub struct Arrived {
    /// Its place among [`Source::files`].
    pub nth: usize,
    /// What is in it.
    pub content: Content,
    /// Whether more of the same file comes.
    pub has_more: bool,
}

/// What is in a file.
pub enum Content {
    /// It is on this machine.
    Local(LocalFile),
    /// As stored.
    Whole(Box<dyn AsRef<[u8]> + Send>),
    /// As stored, piece by piece, as it is fetched; what cannot be fetched says why.
    Pieces(Box<dyn Iterator<Item = Result<Vec<u8>, String>> + Send>),
    /// It could not be fetched.
    Missing(String),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(file) => f.debug_tuple("Local").field(file).finish(),
            Self::Whole(bytes) => {
                f.debug_tuple("Whole").field(&bytes.as_ref().as_ref().len()).finish()
            }
            Self::Pieces(_) => f.write_str("Pieces"),
            Self::Missing(why) => f.debug_tuple("Missing").field(why).finish(),
        }
    }
}

impl Arrived {
    /// Reads it through `reader`. What cannot be read is a problem in the tally.
    pub fn read(
        self,
        name: &Arc<Untrusted<'static>>,
        reader: &mut Reader,
        buffer: &mut Vec<u8>,
        sink: &mut (impl Sink + ?Sized),
    ) -> Tally {
        let mut tally = match self.content {
            Content::Local(file) => file.read(reader, buffer, sink),
            Content::Whole(bytes) => reader.read(name, bytes.as_ref().as_ref(), sink),
            Content::Pieces(pieces) => {
                let mut stream = reader.stream(name);
                for piece in pieces {
                    match piece {
                        Ok(piece) => stream.feed(&piece, sink),
                        Err(why) => stream.broken(why),
                    }
                }
                stream.finish(sink)
            }
            Content::Missing(why) => {
                let mut tally = Tally::default();
                tally.unreadable(Arc::clone(name), why);
                tally
            }
        };
        if self.has_more {
            // Counted with its last part.
            tally.files = Default::default();
        }
        tally
    }
}

/// Trees on a disk. There may be a hundred thousand files with long paths: each is kept once.
#[derive(Debug)]
pub struct LocalLogs {
    listed: Vec<Listed>,
    /// Paths that are no text, so that a name does not tell them, by the place of their file.
    odd_paths: BTreeMap<usize, PathBuf>,
    unlisted: Vec<Unread>,
}

impl LocalLogs {
    /// All files at and below `paths`, each once; see [`files`].
    pub fn list(paths: &[PathBuf]) -> Self {
        let (files, unlisted) = files(paths);
        let listed = files.iter().map(LocalFile::listed).collect();
        let odd_paths = files.into_iter().map(|file| file.path).enumerate();
        let odd_paths = odd_paths.filter(|(_, path)| path.to_str().is_none()).collect();
        let unread = |path: crate::local::Unlisted| Unread {
            file: LocalFile::name_of(&path.path),
            why: path.source.to_string(),
        };
        Self { listed, odd_paths, unlisted: unlisted.into_iter().map(unread).collect() }
    }
}

impl Source for LocalLogs {
    fn files(&self) -> &[Listed] {
        &self.listed
    }

    fn unlisted(&self) -> &[Unread] {
        &self.unlisted
    }

    fn open<'s>(&'s self, which: &'s [usize]) -> Box<dyn Feed + 's> {
        Box::new(LocalFeed { logs: self, which, next: AtomicUsize::new(0) })
    }
}

struct LocalFeed<'s> {
    logs: &'s LocalLogs,
    which: &'s [usize],
    next: AtomicUsize,
}

impl Feed for LocalFeed<'_> {
    fn next(&self) -> Option<Arrived> {
        let nth = *self.which.get(self.next.fetch_add(1, Ordering::Relaxed))?;
        let file = LocalFile::of(self.logs.listed.get(nth)?, self.logs.odd_paths.get(&nth));
        let content = Content::Local(file);
        Some(Arrived { nth, content, has_more: false })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_file_whose_path_is_no_text_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let names = [&b"a.json"[..], b"b\xff.json", b"c.json"];
        let paths = names.map(|name| dir.path().join(OsStr::from_bytes(name)));
        for path in &paths {
            std::fs::write(path, "{}").unwrap();
        }
        let logs = LocalLogs::list(&[dir.path().to_owned()]);
        let which: Vec<usize> = (0..logs.files().len()).collect();
        let feed = logs.open(&which);
        let arrived = std::iter::from_fn(|| feed.next());
        let found: Vec<PathBuf> = arrived
            .map(|it| match it.content {
                Content::Local(file) => file.path,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, paths);
    }
}
