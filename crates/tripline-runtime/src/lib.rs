//! The edge of one machine: logs and settings on a local disk, and the port through which logs come
//! from elsewhere.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "edge: reads files, and takes its hash keys from the system"
)]

mod local;
mod settings;
mod source;

pub use local::{LocalFile, Unlisted, files};
pub use settings::{SettingsError, SettingsProblem, hash_seed, settings};
pub use source::{Page, Source, SourceError, drive};
