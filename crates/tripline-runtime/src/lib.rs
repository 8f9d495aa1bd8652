//! The edge of one machine: logs on a local disk, and the port through which others come.
#![expect(clippy::disallowed_methods, reason = "edge: reads files")]

mod local;
mod source;

pub use local::{LocalFile, Unlisted, files};
pub use source::{Page, Source, SourceError, drive};
