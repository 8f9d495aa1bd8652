//! What is set aside until everything was read: calls whose agent is not known yet, calls that
//! have something to show, and copies of which only one may count.

use serde::{Deserialize, Serialize};
use tripline_attribution::{AnchorKind, Use};
use tripline_baseline::Call;
use tripline_cloudtrail::{EventId, EventTime, SharedEventId};
use tripline_detector::Reason;

use crate::known::EventKey;
use crate::settle::DamagedRow;

/// What rows are ordered by: bytes, compared from the first on.
pub type Key = [u8; 24];

/// Where rows are put; the world decides whether that is memory or a disk.
pub trait Hold {
    /// Keeps a call, to be judged in order of `key`.
    fn call(&mut self, key: Key, row: &[u8]);
    /// Keeps one of several copies of a call; those whose keys share their first 16 bytes are one
    /// call, and the first in order of `key` stands for it.
    fn copy(&mut self, key: Key, row: &[u8]);
}

/// Says of each record whether it was there before.
pub trait Seen {
    /// Notes the id; whether it is new.
    fn is_first(&mut self, id: EventId) -> bool;
}

/// A call, with all that is needed to attribute and to judge it later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Of copies, which are not counted to their session yet.
    pub(crate) used: Option<Use>,
    pub(crate) call: Call,
    /// What the record itself shows, whoever's call it was.
    pub(crate) reasons: Vec<Reason>,
    /// Of a late correction: the record that it corrects.
    pub(crate) corrects: Option<EventId>,
}

impl Held {
    pub(crate) fn decode(row: &[u8]) -> Result<Self, DamagedRow> {
        let (_, rest) = Head::decode(row)?;
        postcard::from_bytes(rest).map_err(|_| DamagedRow)
    }
}

impl<'a> Head<'a> {
    /// The head of a row, and the rest of it.
    pub(crate) fn decode(row: &'a [u8]) -> Result<(Self, &'a [u8]), DamagedRow> {
        postcard::take_from_bytes(row).map_err(|_| DamagedRow)
    }
}

/// What comes first in a row, to be looked at before the rest is: most calls whose agent had to be
/// waited for turn out to be in its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head<'a> {
    pub(crate) kind: AnchorKind,
    #[serde(borrow)]
    pub(crate) id: &'a str,
    #[serde(borrow)]
    pub(crate) event: EventKey<'a>,
    pub(crate) has_reasons: bool,
}

/// Judged calls are ordered by time, then id: the order in which evidence counts.
pub(crate) fn call_key(time: EventTime, id: EventId) -> Key {
    key(u128::from(time.unix_secs().unsigned_abs()) << 64 | id.bits() >> 64, id.bits() as u64)
}

/// Copies are grouped by what they share. Of the copies of a cross-account call the one that names
/// the caller's key comes first, then the smallest account's.
pub(crate) fn copy_key(shared: SharedEventId, used: &Use, call: &Call) -> Key {
    let account = call.account.map_or(u64::MAX >> 1, u64::from);
    key(shared.bits(), u64::from(!used.has_access_key()) << 63 | account)
}

/// Corrections are grouped by the record they correct; the earliest comes first.
pub(crate) fn correction_key(original: EventId, time: EventTime) -> Key {
    key(original.bits(), time.unix_secs().unsigned_abs())
}

fn key(high: u128, low: u64) -> Key {
    let mut key = Key::default();
    let bytes = high.to_be_bytes().into_iter().chain(low.to_be_bytes());
    key.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    key
}

/// Whether two keys are of copies of one call.
pub(crate) fn same_call(a: &Key, b: &Key) -> bool {
    a.first_chunk::<16>() == b.first_chunk::<16>()
}
