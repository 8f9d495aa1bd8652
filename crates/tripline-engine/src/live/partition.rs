//! Where in the state things are, and what is written there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tripline_attribution::{AgentId, CREATION_SECS_APART_MAX, SessionId};
use tripline_baseline::Day;
use tripline_cloudtrail::{EventTime, SharedEventId};
use tripline_containment::IncidentId;

use super::Anchor;
use crate::judge::DamagedRow;
use crate::model::CalibrationId;

/// A set in the state, read as a whole. None grows with the number of agents or sessions there are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// What was kept of the calls of a session.
    Rows(Anchor),
    /// When calls of a session were refused by an explicit Deny.
    Refusals(Anchor),
    /// What was told of the mint of an access key.
    Mints(Box<str>),
    /// The sessions that a session minted.
    Children(Anchor),
    /// The sessions of a principal that began in one span of time.
    Peers(Box<str>, i64),
    /// The copies of a call that was delivered to more than one account.
    Copies(SharedEventId),
    /// The sessions of an agent.
    Sessions(AgentId),
    /// The roots of an agent's lineages that had to be stopped.
    Incidents(AgentId),
    /// What was told of a lineage already, by its root.
    Told(SessionId),
    /// Which incidents there is something to tell of, by the day since 1970.
    Outbox(i64),
    /// What was told of an incident, where, and what is to be.
    Thread(IncidentId),
    /// The records of a session that messages alone told of.
    Hearsay(Anchor),
    /// The lineages that CloudTrail is to be asked about, in one span of time.
    Pending(i64),
    /// Up to when an event history was looked up.
    LookedUp(Box<str>),
    /// Where the lineage of an incident begins that people were told of.
    Root(IncidentId),
    /// What people expect of agents for a while: few, and of all agents together.
    Expected,
    /// Whose files arrived in an hour, counted from 1970.
    Pulses(i64),
    /// Whose files arrived on a day, counted from 1970.
    Sources(i64),
    /// How high an agent came on its last days, by one calibration.
    Days(CalibrationId, AgentId),
    /// The agents of a class by whom it is watched on a day, and whether each came above the line.
    Class(CalibrationId, Option<AgentId>, Day),
    /// How the calibration of a class has held.
    Watchdog(CalibrationId, Option<AgentId>),
    /// The classes of which a calibration does not hold.
    Fired(CalibrationId),
    /// The versions of an agent that nothing was learned of, and the first episodes that ran them.
    Versions(AgentId),
}

/// What is written at once into some sets: many elements of one set are one entry, since a store is
/// paid by entries.
#[derive(Debug, Default)]
pub(super) struct Groups(BTreeMap<Partition, (BTreeSet<Vec<u8>>, EventTime)>);

/// How much goes into one entry: below the 400 KB of a DynamoDB item (DynamoDB/ServiceQuotas).
const GROUP_BYTES_MAX: usize = 300 << 10;

impl Groups {
    pub(super) fn add(&mut self, partition: Partition, element: &impl Serialize, until: EventTime) {
        let (elements, last) = self.0.entry(partition).or_insert_with(|| (BTreeSet::new(), until));
        elements.insert(encoded(element));
        *last = (*last).max(until);
    }

    pub(super) fn finish(self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.0.len());
        for (partition, (elements, until)) in self.0 {
            let id = partition.id();
            let mut value = Vec::new();
            for element in elements {
                if !value.is_empty() && value.len() + element.len() > GROUP_BYTES_MAX {
                    entries.push(Entry { partition: id, value: std::mem::take(&mut value), until });
                }
                value.extend_from_slice(&element);
            }
            entries.push(Entry { partition: id, value, until });
        }
        entries
    }
}

pub(super) fn encoded(element: &impl Serialize) -> Vec<u8> {
    // INVARIANT: no map and no unsized sequence, all that postcard refuses.
    postcard::to_extend(element, Vec::with_capacity(64)).unwrap_or_default()
}

/// The elements of an entry of [`Groups`].
pub(super) fn elements<T: DeserializeOwned>(mut value: &[u8]) -> Result<Vec<T>, DamagedRow> {
    let mut elements = Vec::new();
    while !value.is_empty() {
        let (element, rest) = postcard::take_from_bytes(value).map_err(|_| DamagedRow)?;
        elements.push(element);
        value = rest;
    }
    Ok(elements)
}

/// A partition's name in a store: nothing that somebody else wrote, and of one length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionId(u128);

/// One element of a set. Its place in the set is its content, so that it is there once however often
/// it is put.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Of which set.
    pub partition: PartitionId,
    /// The element.
    pub value: Vec<u8>,
    /// When it may be forgotten.
    pub until: EventTime,
}

impl Partition {
    /// Its name.
    pub fn id(&self) -> PartitionId {
        let mut hash = Sha256::new();
        for part in self.parts() {
            // The length first, so that no two lists of parts run together into one text.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        PartitionId(digest.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes)))
    }

    fn parts(&self) -> Vec<Vec<u8>> {
        let anchor = |tag: &str, anchor: &Anchor| {
            vec![tag.into(), anchor.kind.to_string().into_bytes(), anchor.id.as_bytes().to_vec()]
        };
        let agent =
            |tag: &str, of: &AgentId| vec![tag.into(), of.untrusted().as_unescaped().into()];
        let of_class = |tag: &str, calibration: &CalibrationId, class: &Option<AgentId>| {
            let parts = [tag.as_bytes().to_vec(), calibration.to_bytes().to_vec()].into_iter();
            let class = class.as_ref().map(|class| class.untrusted().as_unescaped().into());
            parts.chain(class).collect::<Vec<Vec<u8>>>()
        };
        match self {
            Self::Rows(of) => anchor("rows", of),
            Self::Refusals(of) => anchor("refusals", of),
            Self::Children(of) => anchor("children", of),
            Self::Mints(key) => vec![b"mints".to_vec(), key.as_bytes().to_vec()],
            Self::Peers(principal, span) => {
                let span = span.to_le_bytes().to_vec();
                vec![b"peers".to_vec(), principal.as_bytes().to_vec(), span]
            }
            Self::Hearsay(of) => anchor("hearsay", of),
            Self::Pending(span) => vec![b"pending".to_vec(), span.to_le_bytes().to_vec()],
            Self::LookedUp(place) => vec![b"looked-up".to_vec(), place.as_bytes().to_vec()],
            Self::Copies(shared) => vec![b"copies".to_vec(), shared.bits().to_le_bytes().to_vec()],
            Self::Sessions(of) => agent("sessions", of),
            Self::Incidents(of) => agent("incidents", of),
            Self::Versions(of) => agent("versions", of),
            Self::Outbox(day) => vec![b"outbox".to_vec(), day.to_le_bytes().to_vec()],
            Self::Thread(of) => vec![b"thread".to_vec(), of.to_string().into_bytes()],
            Self::Root(of) => vec![b"root".to_vec(), of.to_string().into_bytes()],
            Self::Expected => vec![b"expected".to_vec()],
            Self::Pulses(hour) => vec![b"pulses".to_vec(), hour.to_le_bytes().to_vec()],
            Self::Sources(day) => vec![b"sources".to_vec(), day.to_le_bytes().to_vec()],
            Self::Days(calibration, agent) => of_class("days", calibration, &Some(agent.clone())),
            Self::Class(calibration, class, day) => {
                let day = day.to_string().into_bytes();
                [of_class("class", calibration, class), vec![day]].concat()
            }
            Self::Watchdog(calibration, class) => of_class("watchdog", calibration, class),
            Self::Fired(calibration) => of_class("fired", calibration, &None),
            Self::Told(root) => {
                vec![b"told".to_vec(), root.untrusted().as_unescaped().as_bytes().to_vec()]
            }
        }
    }

    /// Where sessions of a principal are that began at about this time.
    pub(super) fn peers(principal: &str, began: EventTime) -> BTreeSet<Self> {
        let ends = [-CREATION_SECS_APART_MAX, 0, CREATION_SECS_APART_MAX];
        let spans = ends.map(|apart| (began.unix_secs() + apart) / PEERS_SPAN_SECS);
        spans.into_iter().map(|span| Self::Peers(principal.into(), span)).collect()
    }

    /// Where a session of a principal is noted that began then.
    pub(super) fn peers_at(principal: &str, began: EventTime) -> Self {
        Self::Peers(principal.into(), began.unix_secs() / PEERS_SPAN_SECS)
    }
}

/// How much time shares a set of peers: wide, so that mostly one is to be read, and narrow, so that it
/// has few elements.
const PEERS_SPAN_SECS: i64 = 16;

impl Entry {
    /// An element of a set.
    pub fn new(partition: &Partition, value: Vec<u8>, until: EventTime) -> Self {
        Self { partition: partition.id(), value, until }
    }

    /// Its place in its set.
    pub fn sort(&self) -> [u8; 16] {
        let digest: [u8; 32] = Sha256::digest(&self.value).into();
        digest.first_chunk().copied().unwrap_or_default()
    }
}

impl PartitionId {
    /// From bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// As bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
