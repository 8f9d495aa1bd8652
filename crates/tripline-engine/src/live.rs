//! The way of a record that comes by itself, minutes after it happened, to whichever machine is free.
//!
//! What a delivery leaves in the state is a set: what was kept of its records, by session, and who
//! minted whom. Sets can be united in any order and any number of times, so nobody has to agree with
//! anybody: a delivery first adds to the state, then looks again at the lineages it touched, whole,
//! through the same code that judges a history. Of two that touch one lineage at the same time, the one
//! that looks last sees both.

mod arrival;
mod blob;
mod hearsay;
mod partition;
mod past;
mod pulse;
mod sighting;
mod slice;
mod telling;

pub use arrival::{Arrival, Arrivals};
pub use hearsay::Hearsay;
pub use partition::{Entry, Partition, PartitionId};
pub use pulse::{Beat, Pulse, Pulses, Source};
pub use sighting::Sighting;
pub use slice::{LiveIncident, LiveReport, Slice};
pub use telling::Telling;

use serde::{Deserialize, Serialize};
use tripline_attribution::AnchorKind;

/// How long a record is looked at after it happened: as long as the longest session that is minted
/// (36 hours, STS/API_GetSessionToken), and what its logs may be late.
pub const HORIZON_SECS: i64 = 37 * 3_600;

/// How a record came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Provenance {
    /// By the trail's own bucket.
    Trail,
    /// By a message that somebody else might have sent: faster, and not enough for a kill.
    Event,
}

/// What holds a session together, as a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Anchor {
    kind: AnchorKind,
    id: Box<str>,
}

impl Anchor {
    fn of((kind, id): (AnchorKind, &str)) -> Self {
        Self { kind, id: id.into() }
    }

    fn is(&self, (kind, id): (AnchorKind, &str)) -> bool {
        self.kind == kind && *self.id == *id
    }

    fn key(id: &str) -> Self {
        Self { kind: AnchorKind::Key, id: id.into() }
    }
}
