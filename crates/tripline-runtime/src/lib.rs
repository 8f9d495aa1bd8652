//! The edge of one machine: logs on a local disk.
#![expect(clippy::disallowed_methods, reason = "edge: reads files")]

mod local;

pub use local::{LocalFile, Unlisted, files};
