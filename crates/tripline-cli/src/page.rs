//! A page to look at, written as a file: whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::Failure;

/// A file that is to become a page.
pub(crate) struct Page {
    path: PathBuf,
    file: NamedTempFile,
}

impl Page {
    /// At this place. To be called before anything is read: a place that cannot be written to is told at
    /// once.
    pub(crate) fn at(path: &Path) -> Result<Self, Failure> {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let file = NamedTempFile::new_in(folder.unwrap_or_else(|| ".".as_ref()));
        let path = path.to_owned();
        match file {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(Failure::File { path, source }),
        }
    }

    /// Puts it there, and says how many bytes it has. A file that is there is replaced.
    pub(crate) fn write(
        self,
        content: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
    ) -> Result<u64, Failure> {
        let Self { path, mut file } = self;
        let failed = |source| Failure::File { path: path.clone(), source };
        let mut out = BufWriter::new(file.as_file_mut());
        content(&mut out).and_then(|()| out.flush()).map_err(failed)?;
        drop(out);
        let bytes = file.as_file().metadata().map_err(failed)?.len();
        // A temporary file is its owner's alone, and so is the page: it tells much of the fleet.
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(bytes)
    }
}
