//! Logs that are read as a history: a bucket's, and an account's own.

mod bucket;
mod fetch;
mod history;
mod layout;
mod listing;
mod lookup;
mod poll;
mod remote;
mod trail;

pub use bucket::{BucketLogs, BucketOptions};
pub use history::{Batch, EventHistory, Found, Span};
pub use layout::{InvalidS3Url, S3Url};
pub use lookup::{InvalidLookupUrl, LookupLogs, LookupUrl};
pub use poll::{Look, Poll, PollError};
pub use remote::{Remote, reader};
pub use trail::BucketTrail;
