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

    /// The id with these bits.
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

/// `8-4-4-4-12` hex digits, lower case, as AWS writes them. Upper case is another text, hence
/// another id: no two spellings may be taken for one.
#[inline]
fn guid_bits(text: &[u8]) -> Option<u128> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let [
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        b'-',
        i,
        j,
        k,
        l,
        b'-',
        m,
        n,
        o,
        p,
        b'-',
        q,
        r,
        s,
        t,
        b'-',
        tail @ ..,
    ] = *text
    else {
        return None;
    };
    let first = four_bytes([a, b, c, d, e, f, g, h])?;
    let second = four_bytes([i, j, k, l, m, n, o, p])?;
    let [u, v, w, x, rest @ ..] = tail;
    let third = four_bytes([q, r, s, t, u, v, w, x])?;
    let fourth = four_bytes(rest)?;
    let join = |high: u32, low: u32| u128::from(high) << 32 | u128::from(low);
    Some(join(first, second) << 64 | join(third, fourth))
}

/// Eight hex digits at once: each byte of a word is made its digit's value, then neighbours are
/// joined, pairs, then fours.
#[inline]
fn four_bytes(digits: [u8; 8]) -> Option<u32> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let word = u64::from_be_bytes(digits);
    // A byte is at least `x` when adding `0x80 - x` sets its high bit; bytes above 0x7f are out.
    let at_least = |x: u64| word.wrapping_add((0x80 - x) * ONES);
    let is_digit = at_least(0x30) & !at_least(0x3a);
    let is_letter = at_least(0x61) & !at_least(0x67);
    if word & HIGH != 0 || (is_digit | is_letter) & HIGH != HIGH {
        return None;
    }
    let letters = (is_letter & HIGH) >> 7;
    let nibbles = (word & (0x0f * ONES)).wrapping_add(letters.wrapping_mul(9));
    let pairs = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    Some((fours | fours >> 16) as u32)
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

impl fmt::Display for SharedEventId {
    /// As a GUID, as an [`EventId`] is.
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

    /// The same answer, one digit at a time.
    fn guid_bits_plainly(text: &str) -> Option<u128> {
        let at = |nth: usize| matches!(nth, 8 | 13 | 18 | 23);
        let shape = text.len() == 36
            && text.bytes().enumerate().all(|(nth, byte)| at(nth) == (byte == b'-'));
        let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        (shape && lower).then(|| u128::from_str_radix(&text.replace('-', ""), 16).unwrap())
    }

    proptest::proptest! {
        #[test]
        fn eight_digits_at_once_agree_with_one(bits: u128, at in 0_usize..36, byte: u8) {
            let good = EventId::from_bits(bits).to_string();
            proptest::prop_assert_eq!(guid_bits(good.as_bytes()), Some(bits));
            let mut spoilt = good.into_bytes();
            spoilt[at] = byte & 0x7f;
            let spoilt = String::from_utf8(spoilt).unwrap();
            proptest::prop_assert_eq!(guid_bits(spoilt.as_bytes()), guid_bits_plainly(&spoilt));
        }
    }

    #[test]
    fn other_texts_are_told_apart() {
        let ids = [
            "",
            "a",
            "F146E1B4-5796-40B0-AA1D-0123456789AB",
            "f146e1b4-5796-40b0-aa1d-0123456789ab",
        ];
        let all: std::collections::BTreeSet<EventId> =
            ids.iter().map(|text| EventId::of(text)).collect();
        assert_eq!(all.len(), ids.len());
        assert_ne!(EventId::of("a"), EventId::of_content("a"));
    }
}
