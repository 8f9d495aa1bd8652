//! The edge of one machine: logs, settings and baselines on a local disk, and the port through which
//! logs come from elsewhere; copies of trails, whose digests are checked.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "edge: reads and writes files, and takes its hash keys from the system"
)]

mod executor;
mod journal;
mod local;
mod responder;
mod settings;
mod shelf;
#[cfg(feature = "signatures")]
mod signatures;
mod source;
mod store;
mod trail;

pub use executor::{Cause, Drift, Executor, Patience, is_complete};
pub use journal::{Journal, JournalError, read_log};
pub use local::{LocalFile, Unlisted, files};
pub use responder::{Clock, Responder, SystemClock};
pub use settings::{
    SettingsError, SettingsProblem, all_baselines, baseline_of, hash_seed, read_decisions,
    settings, settings_to_learn, work_of,
};
pub use shelf::{Leaf, Shelf, Staged, replace_file};
#[cfg(feature = "signatures")]
pub use signatures::{RsaKeys, UnusableKey};
pub use source::{Page, Source, SourceError, drive};
pub use store::{EmbeddedStore, LOG_FILE, Store, StoreError};
pub use trail::{At, LocalTrail, Period, Place, StoredDigest, Trail, Unfetched, verify_trail};
pub use tripline_engine::Permit;
