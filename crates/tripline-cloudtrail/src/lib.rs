//! What CloudTrail delivers: bytes in, records out.

pub mod digest;
mod essence;
mod fields;
mod identities;
mod ids;
mod json;
mod keyed;
mod parse;
mod reader;
mod record;
mod scan;
mod tally;
mod time;
mod unpack;
mod walk;

pub use ids::{EventId, SharedEventId};
pub use json::{Json, JsonText};
pub use keyed::keyed;
pub use reader::{Reader, Sink, Stream};
pub use record::{Record, RecordKind, SessionContext, UserIdentity, is_refusal};
pub use tally::{Counts, Fate, Limits, Origin, Problem, ProblemKind, Skip, Tally};
pub use time::EventTime;
