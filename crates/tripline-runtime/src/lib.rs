//! The edge of one machine: logs, settings and baselines on a local disk, and the port through which
//! logs come from elsewhere.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "edge: reads and writes files, and takes its hash keys from the system"
)]

mod local;
mod settings;
mod shelf;
mod source;

pub use local::{LocalFile, Unlisted, files};
pub use settings::{
    SettingsError, SettingsProblem, all_baselines, baseline_of, hash_seed, read_decisions,
    settings, settings_to_learn,
};
pub use shelf::{Leaf, Shelf, Staged, replace_file};
pub use source::{Page, Source, SourceError, drive};
