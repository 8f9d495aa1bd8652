//! What makes two records the same record, or the same call.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The identity of a record: its `eventID`.
///
/// AWS writes a GUID, kept here as its 128 bits. A record without one (eventVersion 1.0, some log
/// shippers) is identified by its own bytes, and an id of another form by its text: both as the
/// first 128 bits of a SHA-256, so that they cannot be made to collide on purpose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(u128);

/// What the copies of one call share when it is delivered to more than one account: its
/// `sharedEventID`. Each copy has an [`EventId`] of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SharedEventId(u128);

impl EventId {
    /// The id that `text` writes.
    pub fn of(text: &str) -> Self {
        Self(guid_bits(text.as_bytes()).unwrap_or_else(|| digest_bits(b"event id", text)))
    }

    /// The id of a record that has none.
    pub fn of_content(record: &str) -> Self {
        Self(digest_bits(b"record", record))
    }

    /// The 128 bits; uniform for GUIDs of version 4 but for six fixed bits.
    pub fn bits(self) -> u128 {
        self.0
    }

    /// The id with these bits: the inverse of [`EventId::bits`].
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

impl SharedEventId {
    /// The id that `text` writes.
    pub fn of(text: &str) -> Self {
        Self(guid_bits(text.as_bytes()).unwrap_or_else(|| digest_bits(b"shared event id", text)))
    }

    /// The 128 bits.
    pub fn bits(self) -> u128 {
        self.0
    }
}

/// `8-4-4-4-12` hex digits, lower case, as AWS writes them. Upper case is another text, hence
/// another id: no two spellings may be taken for one.
#[inline]
fn guid_bits(text: &[u8]) -> Option<u128> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut bits = 0_u128;
    for (at, byte) in text.iter().enumerate() {
        let digit = match (at, byte) {
            (8 | 13 | 18 | 23, b'-') => continue,
            (8 | 13 | 18 | 23, _) => return None,
            (_, b'0'..=b'9') => byte - b'0',
            (_, b'a'..=b'f') => byte - b'a' + 10,
            _ => return None,
        };
        bits = (bits << 4) | u128::from(digit);
    }
    Some(bits)
}

#[cold]
fn digest_bits(kind: &[u8], text: &str) -> u128 {
    let digest = Sha256::new().chain_update(kind).chain_update([0]).chain_update(text).finalize();
    digest.iter().take(16).fold(0, |bits, byte| (bits << 8) | u128::from(*byte))
}

fn write_guid(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let part = |shift: u32, digits: u32| (bits >> shift) & ((1_u128 << (4 * digits)) - 1);
    write!(
        f,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        part(96, 8),
        part(80, 4),
        part(64, 4),
        part(48, 4),
        part(0, 12)
    )
}

impl fmt::Display for EventId {
    /// As a GUID. Of an id that was not one, this is the form of its digest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_guid(self.0, f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_guid(self.0, f)
    }
}

impl fmt::Debug for SharedEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_guid(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_comes_back_as_written() {
        let text = "f146e1b4-5796-40b0-aa1d-0123456789ab";
        assert_eq!(EventId::of(text).to_string(), text);
    }

    #[test]
    fn other_texts_are_told_apart() {
        let ids = ["", "a", "F146E1B4-5796-40B0-AA1D-0123456789AB", "f146e1b4-5796-40b0-aa1d-0123456789ab"];
        let all: std::collections::BTreeSet<EventId> = ids.iter().map(|text| EventId::of(text)).collect();
        assert_eq!(all.len(), ids.len());
        assert_ne!(EventId::of("a"), EventId::of_content("a"));
    }
}
