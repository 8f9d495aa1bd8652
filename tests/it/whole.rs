//! The pipeline over files in memory, as text that can be compared.

use std::path::{Path, PathBuf};

/// All files below a folder, sorted, with their bytes.
pub(crate) fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(next) = todo.pop() {
        if next.is_dir() {
            todo.extend(std::fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = std::fs::read(&next).unwrap();
            found.push((next, bytes));
        }
    }
    found.sort();
    found
}
