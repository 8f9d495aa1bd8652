//! What is kept when there is too much: a sample that does not depend on the order of arrival.
//!
//! Each text has a level, the leading zeros of its hash: half of all texts have level 0, a quarter 1,
//! and so on. What is kept is everything at or above a floor, and the floor is the lowest that fits.
//! More material can only raise the floor, so what is above the final one was never thrown away, and
//! the outcome is a function of the set (adaptive sampling: Wegman; Flajolet, Computing 43, 1990).

use sha2::{Digest, Sha256};

/// The first 64 bits of the SHA-256 of texts, each with its end marked. The same everywhere and for
/// ever: it decides what is stored.
pub(crate) fn stable_hash(texts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
        // No UTF-8 has this byte.
        hash.update([0xff]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The level of a hash.
pub(crate) fn level_of(hash: u64) -> u8 {
    // INVARIANT: at most 64.
    u8::try_from(hash.leading_zeros()).unwrap_or(u8::MAX)
}
