//! User identities that were read before.
//!
//! A session writes the same `userIdentity`, byte for byte, into every record. Comparing some six
//! hundred bytes with the last one of its kind is several times faster than taking them apart again.

use ahash::RandomState;

use crate::fields::identity;
use crate::json::{Cursor, Stuck};
use crate::record::{Spans, UserIdentity};

/// Identities by a hash of their beginning, the newest of each hash. What comes out is what parsing
/// would give, whatever was read before.
#[derive(Debug)]
pub(crate) struct Identities {
    hasher: RandomState,
    keeps: bool,
    /// Empty until the first one is read.
    slots: Vec<Seen>,
}

/// An identity as it was written, and where in it its texts are.
#[derive(Clone, Debug, Default)]
struct Seen {
    text: String,
    spans: Spans,
}

/// A power of two, and so many that the hundreds that are met at a time seldom share a place. Those alone take
/// room in the processor's caches, some seven hundred bytes each.
const SLOTS: usize = 4_096;

/// How much of an identity is hashed: as far as the access key of a role's session mostly is.
const HASHED_BYTES: usize = 320;

/// Longer ones are read anew each time.
const TEXT_BYTES_MAX: usize = 4_096;

impl Default for Identities {
    /// Keeps none: for one record by itself.
    fn default() -> Self {
        // Somebody who makes them collide makes reading as slow as it was without all this.
        let hasher = RandomState::with_seeds(21, 22, 23, 24);
        Self { hasher, keeps: false, slots: Vec::new() }
    }
}

impl Identities {
    /// Keeps those that it reads.
    pub(crate) fn keeping() -> Self {
        Self { keeps: true, ..Self::default() }
    }

    /// Reads the identity at the cursor, which is left behind it, into `place`.
    #[inline]
    pub(crate) fn read<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        place: &mut UserIdentity<'a>,
    ) -> Result<(), Stuck> {
        let rest = cursor.rest();
        let hash = self.hash(rest.as_bytes());
        let nth = hash as usize % SLOTS;
        if let Some(seen) = self.slots.get(nth)
            && seen.read_again(rest, hash, place).is_some()
        {
            cursor.at += seen.text.len();
            return Ok(());
        }
        self.read_anew(cursor, nth, hash, place)
    }

    /// An identity that was not met lately. Never within the loop over a record's fields, from all of which it
    /// would take registers: a tenth more instructions for reading.
    #[inline(never)]
    fn read_anew<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        nth: usize,
        hash: u32,
        place: &mut UserIdentity<'a>,
    ) -> Result<(), Stuck> {
        *place = identity(cursor)?;
        place.hash = hash;
        self.remember(nth, place);
        Ok(())
    }

    /// Of the text up to the end of the first object in it, so that nothing behind an identity counts.
    #[inline]
    fn hash(&self, rest: &[u8]) -> u32 {
        let window = rest.get(..HASHED_BYTES).unwrap_or(rest);
        let end = memchr::memchr(b'}', window).unwrap_or(window.len());
        self.hasher.hash_one(window.get(..end).unwrap_or_default()) as u32
    }

    fn remember(&mut self, nth: usize, read: &UserIdentity<'_>) {
        let written = read.written;
        // Only an object ends by itself: of a number the next byte decides.
        if !self.keeps || !written.starts_with('{') || written.len() > TEXT_BYTES_MAX {
            return;
        }
        if self.slots.is_empty() {
            self.slots = vec![Seen::default(); SLOTS];
        }
        let Some(seen) = self.slots.get_mut(nth) else { return };
        seen.text.clear();
        seen.text.push_str(written);
        seen.spans = read.spans;
    }
}

impl Seen {
    /// Reads the identity into `place`, if it is the text's first.
    #[inline]
    fn read_again<'a>(&self, rest: &'a str, hash: u32, place: &mut UserIdentity<'a>) -> Option<()> {
        let written = rest.get(..self.text.len()).filter(|written| **written == *self.text)?;
        if written.is_empty() {
            return None;
        }
        *place = UserIdentity { written, hash, spans: self.spans };
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROLE: &str = r#"{"type":"AssumedRole","principalId":"AROA:s","arn":"arn:aws:sts::1:x",
        "accountId":"1","accessKeyId":"ASIAK","sessionContext":{"sessionIssuer":{"arn":"r",
        "accountId":"1","userName":""},"attributes":{"creationDate":"2026-11-20T10:00:00Z"},
        "sourceIdentity":"a\"b"},"novel":[{}]}"#;

    fn read(identities: &mut Identities, text: &str) -> (String, usize) {
        let mut cursor = Cursor::new(text);
        let mut read = UserIdentity::default();
        let outcome = identities.read(&mut cursor, &mut read);
        (format!("{outcome:?} {read:?}"), cursor.at)
    }

    #[test]
    fn an_identity_read_again_is_the_same() {
        let mut identities = Identities::keeping();
        let first = read(&mut identities, &format!("{ROLE},\"eventName\":\"X\"}}"));
        assert_eq!(first.1, ROLE.len());
        assert!(identities.slots.iter().any(|seen| seen.text == ROLE));
        assert_eq!(read(&mut identities, &format!("{ROLE}}}")), first);
        assert!(
            first.0.contains("ASIAK") && first.0.contains("sourceIdentity")
                || first.0.contains("a\\")
        );
    }

    proptest! {
        /// Whatever was read before, however alike, leaves no trace.
        #[test]
        fn what_was_read_before_changes_nothing(
            texts in proptest::collection::vec(
                prop_oneof![
                    Just(ROLE.to_owned()),
                    "\\{\"type\":\"[ab]{1,2}\"(,\"arn\":(\"[a-c]{0,2}\"|null|1))?\\}",
                    "(null|1|12|\"a\"|\\{\\}|\\{\"sessionContext\":\\{\"assumedRoot\":true\\}\\})",
                    "\\{\"type\" \"[ab]\"\\}",
                ],
                1..12,
            ),
        ) {
            let mut identities = Identities::keeping();
            for text in texts {
                let text = format!("{text},\"eventName\":\"X\"}}");
                prop_assert_eq!(
                    read(&mut identities, &text),
                    read(&mut Identities::default(), &text)
                );
            }
        }
    }
}
