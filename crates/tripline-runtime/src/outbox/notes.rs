//! What the outbox notes in the state, and what it reads from there.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tripline_chat::{Brief, Message};
use tripline_cloudtrail::EventTime;
use tripline_containment::IncidentId;
use tripline_engine::{Entry, Partition};

use crate::messenger::Posted;

pub(super) const DAY_SECS: i64 = 86_400;
/// How long a message that could not be posted is kept trying with, in days.
pub(super) const DAYS: i64 = 2;
/// How long is remembered what was told of an incident.
const THREAD_SECS: i64 = 30 * DAY_SECS;

/// What is noted of a day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// There is a message of an incident.
    News { brief: Brief, at_unix_ms: i64, digest: u64 },
    /// All channels have what was noted then. The same text may be news again later.
    Settled {
        incident: IncidentId,
        digest: u64,
        #[serde(default)]
        at_unix_ms: i64,
    },
    /// A channel is to be left alone.
    Wait { channel: String, until_unix_ms: i64 },
}

/// What is noted of an incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Mark {
    /// A message.
    Card { at_unix_ms: i64, message: Box<Message> },
    /// A channel has a message.
    Told {
        channel: String,
        at_unix_ms: i64,
        digest: u64,
        news: u64,
        #[serde(default)]
        more: u64,
        posted: Posted,
    },
    /// Somebody is about to post it.
    Claim { channel: String, digest: u64, slot: i64 },
}

/// What a channel was told last.
pub(super) struct Told<'m> {
    pub(super) at_unix_ms: i64,
    pub(super) digest: u64,
    pub(super) news: u64,
    pub(super) more: u64,
    pub(super) posted: &'m Posted,
}

/// The message that was noted last, and when.
pub(super) fn card(marks: &[Mark]) -> Option<(i64, &Message)> {
    let cards = marks.iter().filter_map(|mark| match mark {
        Mark::Card { at_unix_ms, message } => Some((*at_unix_ms, &**message)),
        _ => None,
    });
    cards.max_by_key(|(at, message)| (*at, digest_of(message)))
}

/// When it was first told that it is as grave: an alert, or worse than that.
pub(super) fn first_at(marks: &[Mark], message: &Message) -> Option<i64> {
    let cards = marks.iter().filter_map(|mark| match mark {
        Mark::Card { at_unix_ms, message: told } if told.is_alert() == message.is_alert() => {
            Some(*at_unix_ms)
        }
        _ => None,
    });
    cards.min()
}

pub(super) fn told<'m>(marks: &'m [Mark], name: &str) -> Option<Told<'m>> {
    let told = marks.iter().filter_map(|mark| match mark {
        Mark::Told { channel, at_unix_ms, digest, news, more, posted } if channel == name => {
            let (at_unix_ms, digest, news, more) = (*at_unix_ms, *digest, *news, *more);
            Some(Told { at_unix_ms, digest, news, more, posted })
        }
        _ => None,
    });
    told.max_by_key(|told| (told.at_unix_ms, told.digest))
}

pub(super) fn digest_of(message: &Message) -> u64 {
    hash(message)
}

pub(super) fn hash(value: &impl Serialize) -> u64 {
    let digest: [u8; 32] = Sha256::digest(written(value)).into();
    digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

pub(super) fn mark_entry(incident: IncidentId, mark: &Mark, now_unix_ms: i64) -> Entry {
    Entry::new(&Partition::Thread(incident), written(mark), after(now_unix_ms, THREAD_SECS))
}

pub(super) fn note_entry(note: &Note, now_unix_ms: i64) -> Entry {
    let day = Partition::Outbox(now_unix_ms.div_euclid(DAY_SECS * 1_000));
    Entry::new(&day, written(note), after(now_unix_ms, (DAYS + 2) * DAY_SECS))
}

pub(super) fn after(now_unix_ms: i64, secs: i64) -> EventTime {
    let until = now_unix_ms.div_euclid(1_000).saturating_add(secs);
    EventTime::from_unix_secs(until).unwrap_or(EventTime::EPOCH)
}

pub(super) fn written(value: &impl Serialize) -> Vec<u8> {
    // INVARIANT: all keys are strings, for which serde_json has no error.
    serde_json::to_vec(value).unwrap_or_default()
}

/// What a newer program may have written is passed over: it posts it itself.
pub(super) fn read<T: for<'de> Deserialize<'de>>(value: &[u8]) -> Option<T> {
    serde_json::from_slice(value).ok()
}
