//! The edge of one machine: logs, settings and baselines on a local disk, and the port through which
//! logs come from elsewhere; copies of trails, whose digests are checked.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "edge: reads and writes files, and takes its hash keys from the system"
)]

mod desk;
mod doctor;
mod drill;
mod executor;
mod expectations;
#[cfg(feature = "webhook")]
mod http;
mod journal;
mod library;
#[cfg(feature = "webhook")]
mod listen;
mod live;
mod local;
mod messenger;
mod notice;
mod outbox;
mod responder;
mod settings;
mod shelf;
#[cfg(feature = "signatures")]
mod signatures;
mod source;
mod state;
mod store;
mod switch;
mod trail;
#[cfg(feature = "webhook")]
mod webhook;

pub use desk::{Desk, PressError};
pub use doctor::{Asked, Examined, Function, Probe, examine, models_of, reach};
pub use drill::{Canary, Chirp, Drilled, drill, drill_target};
pub use executor::{Cause, Drift, Executor, Patience, is_complete};
pub use expectations::expectations;
#[cfg(feature = "webhook")]
pub use http::{Address, Http, InvalidAddress, NoRoots};
pub use journal::{Journal, JournalError, read_entries, read_log};
pub use library::{
    Depot, DepotError, Digest, Edition, Got, Library, LibraryError, LocalDepot, News, Only,
    Pending, Published, publish,
};
#[cfg(feature = "webhook")]
pub use listen::{Caller, Pressed, listen};
pub use live::{Delivered, Live, LiveError, Models, Witness, beats, fired};
pub use local::{LocalFile, Unlisted, delivery_stamp, files};
pub use messenger::{Channel, LeastTold, Post, PostError, Posted};
pub use notice::{Ask, DECIDED, Message, ObjectRef, PRESSED, UnknownMessage, asks_of, messages};
pub use outbox::{Drained, Outbox};
pub use responder::{Clock, Responder, SystemClock};
pub use settings::{
    SettingsError, SettingsProblem, Together, all_baselines, baseline_of, hash_seed,
    peers_in_force, read_decisions, settings, settings_to_learn, work_of,
};
pub use shelf::{Leaf, Shelf, Staged, replace_file};
#[cfg(feature = "signatures")]
pub use signatures::{RsaKeys, UnusableKey};
pub use source::{Arrived, Content, Feed, Listed, LocalLogs, Page, Source, Unread};
pub use state::{EmbeddedState, State, StateError};
pub use store::{EmbeddedStore, LOG_FILE, Store, StoreError, log_text};
pub use switch::{Pulled, Switch, TickError, Ticked, describe, to_be_told};
pub use trail::{
    At, FILE_BYTES_MAX, LocalTrail, Period, Place, StoredDigest, Trail, Unfetched, place_in_copy,
    verify_trail,
};
pub use tripline_engine::Permit;
#[cfg(feature = "webhook")]
pub use webhook::{HttpChannel, SLACK_API};
