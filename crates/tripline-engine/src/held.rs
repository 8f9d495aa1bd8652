//! What is set aside until everything was read: calls whose agent is not known yet, calls that
//! have something to show, and copies of which only one may count.

use serde::{Deserialize, Serialize};
use tripline_attribution::Use;
use tripline_baseline::{Call, UserAgentFamily};
use tripline_cloudtrail::{EventId, EventTime, Record, SharedEventId};
use tripline_detector::Reason;

use crate::judge::DamagedRow;
use crate::tick::{Lesson, Tick};
use crate::vocabulary::EventKey;

/// What rows are ordered by: bytes, compared from the first on.
pub type Key = [u8; 24];

/// Where rows are put; the world decides whether that is memory or a disk.
pub trait Hold {
    /// Keeps a call's tick, to be counted in order of [`Tick::key`].
    fn tick(&mut self, tick: Tick);
    /// Keeps a call, to be judged in order of `key`, together with its tick.
    fn call(&mut self, key: Key, row: &[u8]);
    /// Keeps one of several copies of a call; those whose keys share their first 16 bytes are one
    /// call, and the first in order of `key` stands for it.
    fn copy(&mut self, key: Key, row: &[u8]);
    /// Keeps the same of a call that is learned from, in place of its tick.
    fn lesson(&mut self, lesson: Lesson);
    /// Keeps what there is to learn of calls; where, for their lessons.
    fn drawn(&mut self, row: &[u8]) -> u32;
    /// Keeps a late correction of another record; those whose keys share their first 16 bytes correct
    /// the same one, and the first in order of `key` counts. There are few.
    fn correction(&mut self, key: Key, row: &[u8]);
}

/// A call, with all that is needed to attribute and to judge it later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Of copies and corrections, which have no tick yet.
    pub(crate) used: Option<Use>,
    pub(crate) call: Call,
    /// What the record itself shows, whoever's call it was.
    pub(crate) reasons: Vec<Reason>,
}

impl Held {
    /// What a row holds.
    pub(crate) fn decode(row: &[u8]) -> Result<Self, DamagedRow> {
        let (head, rest) = Head::decode(row)?;
        Self::decode_by(head.form, rest, UserAgentFamily::of)
    }

    /// The same, of what comes behind the head; `user_agent` finds out with what a call was made.
    pub(crate) fn decode_by(
        form: Form,
        rest: &[u8],
        user_agent: impl FnOnce(&Record<'_>) -> UserAgentFamily,
    ) -> Result<Self, DamagedRow> {
        match form {
            Form::Call => postcard::from_bytes(rest).map_err(|_| DamagedRow),
            Form::Record(_) => {
                let record = Head::record(rest)?;
                let call = Call::by(&record, user_agent(&record));
                Ok(Self { used: None, call, reasons: Vec::new() })
            }
        }
    }

    /// Its row, behind the head.
    pub(crate) fn encode(&self, head: Vec<u8>) -> Vec<u8> {
        // INVARIANT: it has no map and no unsized sequence, all that postcard refuses.
        postcard::to_extend(self, head).unwrap_or_default()
    }

    /// Which of two rows of one time and id counts. They can differ only where one of the records is
    /// not as CloudTrail wrote it; then neither order nor chance may decide, nor the form.
    pub(crate) fn one_of(one: Vec<u8>, other: Vec<u8>) -> Result<Vec<u8>, DamagedRow> {
        let [one, other] = [one, other].map(|row| -> Result<_, DamagedRow> {
            let (head, _) = Head::decode(&row)?;
            match head.form {
                Form::Call => Ok(row),
                Form::Record(_) => {
                    let head = Head { form: Form::Call, ..head }.encode(Vec::new());
                    Ok(Self::decode(&row)?.encode(head))
                }
            }
        });
        Ok(one?.min(other?))
    }
}

impl<'a> Head<'a> {
    /// The head of a row, and the rest of it.
    pub(crate) fn decode(row: &'a [u8]) -> Result<(Self, &'a [u8]), DamagedRow> {
        postcard::take_from_bytes(row).map_err(|_| DamagedRow)
    }

    /// The record whose essence comes behind a head that says so.
    pub(crate) fn record(rest: &[u8]) -> Result<Record<'_>, DamagedRow> {
        let text = std::str::from_utf8(rest).map_err(|_| DamagedRow)?;
        Record::parse(text).map_err(|_| DamagedRow)
    }

    /// The beginning of a row, written into the empty `row`.
    pub(crate) fn encode(&self, row: Vec<u8>) -> Vec<u8> {
        // INVARIANT: as above.
        postcard::to_extend(self, row).unwrap_or_default()
    }
}

/// What comes first in a row, to be looked at before the rest is: most calls whose agent had to be
/// waited for turn out to be in its scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head<'a> {
    #[serde(borrow)]
    pub(crate) event: EventKey<'a>,
    pub(crate) has_reasons: bool,
    pub(crate) form: Form,
}

/// What comes behind the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Form {
    /// What was held.
    Call,
    /// The essence of the record, of which nothing else is held: most that had to wait for their agent
    /// are never asked for more than the head. With [`Told::meant`](crate::told::Told), where that is known.
    Record(Option<u64>),
}

impl Form {
    pub(crate) fn meant(self) -> Option<u64> {
        match self {
            Self::Call => None,
            Self::Record(meant) => meant,
        }
    }
}

/// Judged calls are ordered by time, then id: the order in which evidence counts.
pub(crate) fn call_key(time: EventTime, id: EventId) -> Key {
    key(u128::from(time.unix_secs().unsigned_abs()) << 64 | id.bits() >> 64, id.bits() as u64)
}

/// What [`call_key`] was made of, as [`Ticked::key`](crate::Ticked::key) tells it.
pub(crate) fn place_of(key: &Key) -> (u64, u128) {
    let id = key.last_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    (time_of(key), id)
}

/// The time of a call by its key, in seconds since 1970.
pub fn time_of(key: &Key) -> u64 {
    key.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
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

/// What the keys of copies of one call share: the id that they share, or correct.
pub(crate) fn shared_bits(key: &Key) -> u128 {
    key.first_chunk::<16>().map_or(0, |bytes| u128::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::event_key;

    #[test]
    fn a_key_tells_time_and_id() {
        let time = EventTime::from_unix_secs(i64::from(u32::MAX) - 1).unwrap();
        let id = EventId::from_bits(0x0123_4567_89ab_cdef_0fed_cba9_8765_4321);
        assert_eq!(place_of(&call_key(time, id)), (u64::from(u32::MAX) - 1, id.bits()));
    }
    /// The rows of a record that read an object, as a call and as its essence.
    fn rows(key: &str) -> [Vec<u8>; 2] {
        let text = format!(
            r#"{{"eventTime":"2026-11-20T10:00:00Z","eventID":"a","eventSource":"s3.amazonaws.com",
            "eventName":"GetObject","userAgent":"aws-cli/2","awsRegion":"eu-west-1",
            "requestParameters":{{"bucketName":"b","key":"{key}"}},"responseElements":{{"x":1}}}}"#
        );
        let record = Record::parse(&text).unwrap();
        let head = |form| Head { event: event_key(&record), has_reasons: false, form };
        let held = Held { used: None, call: Call::of(&record), reasons: Vec::new() };
        let mut essence = String::new();
        record.write_essence(&mut essence);
        let mut by_essence = head(Form::Record(Some(1))).encode(Vec::new());
        by_essence.extend_from_slice(essence.as_bytes());
        [held.encode(head(Form::Call).encode(Vec::new())), by_essence]
    }

    #[test]
    fn a_row_holds_the_same_call_in_either_form() {
        let [call, essence] = rows("k").map(|row| Held::decode(&row).unwrap());
        assert_eq!(call, essence);
    }

    #[test]
    fn which_of_two_rows_counts_depends_on_neither_order_nor_form() {
        let (ones, others) = (rows("k"), rows("l"));
        let wanted = Held::decode(&ones[0].clone().min(others[0].clone())).unwrap();
        for one in &ones {
            for other in &others {
                for (first, second) in [(one, other), (other, one)] {
                    let row = Held::one_of(first.clone(), second.clone()).unwrap();
                    assert_eq!(Held::decode(&row).unwrap(), wanted);
                }
            }
        }
    }
}
