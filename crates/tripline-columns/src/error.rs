//! What can be wrong with an export.

use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use thiserror::Error;

/// An export that cannot be read or written, and where.
#[derive(Debug, Error)]
#[error("`{}`: {problem}", path.display())]
pub struct ColumnsError {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub problem: ColumnsProblem,
}

/// What is wrong with a file or folder of an export.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ColumnsProblem {
    /// The system says so.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Something is there that an export would overwrite.
    #[error("is there already, and is not overwritten")]
    Occupied,
    /// It is no Parquet, is cut off, or is damaged.
    #[error("is damaged, or no Parquet file: {0}")]
    Parquet(#[from] ParquetError),
    /// It is no table of an export.
    #[error("is no `{0}` table that `tripline export` wrote")]
    Foreign(&'static str),
    /// It is one of another version.
    #[error(
        "has format {found}; this program reads format {}: export it again from its logs",
        crate::schema::FORMAT
    )]
    OtherFormat {
        /// The version of its format, if it is a number.
        found: u32,
    },
    /// It was made with other settings.
    #[error("was exported with other settings in tripline.toml: export it again from its logs")]
    OtherSettings,
    /// It lacks a column.
    #[error("has no column `{0}`")]
    NoColumn(&'static str),
    /// A column of another type.
    #[error("column `{column}` is not of type {expected}")]
    ColumnType {
        /// Which.
        column: &'static str,
        /// What it should be.
        expected: String,
    },
    /// A value that cannot be what its column says.
    #[error("column `{column}`, row {row}: {why}")]
    Value {
        /// Which column.
        column: &'static str,
        /// Which row, from 0.
        row: u64,
        /// Why not.
        why: &'static str,
    },
    /// Not all of it is there.
    #[error(
        "has {found} rows in {files} files, where `{}` promises {expected}",
        crate::schema::LABEL
    )]
    Incomplete {
        /// Rows that are there.
        found: u64,
        /// In so many files.
        files: usize,
        /// Rows that were written.
        expected: u64,
    },
}

impl ColumnsProblem {
    pub(crate) fn at(self, path: &Path) -> ColumnsError {
        ColumnsError { path: path.to_owned(), problem: self }
    }
}
