//! Session and resource tags.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::id::{shown_escaped, text_id};

/// A tag's key. Keeps its spelling, but compares without regard to case, as IAM does for session tags
/// (STS documentation, "Passing session tags"): `AgentID` and `agentid` are one key.
///
/// Of two spellings a set keeps the one that came first, so output that must not depend on the order
/// of records may not depend on the spelling.
#[derive(Clone)]
pub struct TagKey(Box<str>);

text_id!(TagKey, "a tag key", "1 to 128 characters", |text| {
    !text.is_empty() && at_most(text, 128)
});
shown_escaped!(TagKey);

impl TagKey {
    fn folded(&self) -> impl Iterator<Item = char> {
        self.0.chars().flat_map(char::to_lowercase)
    }
}

impl PartialEq for TagKey {
    fn eq(&self, other: &Self) -> bool {
        match self.0.is_ascii() && other.0.is_ascii() {
            // The same, and as good as always.
            true => self.0.eq_ignore_ascii_case(&other.0),
            false => self.folded().eq(other.folded()),
        }
    }
}

impl Eq for TagKey {}

impl PartialOrd for TagKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TagKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}

impl Hash for TagKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded().for_each(|character| character.hash(state));
        // Ends the key, as `str` does, so that neighbouring fields do not run together.
        state.write_u8(0xff);
    }
}

/// A tag's value: any text, perhaps empty; compared with regard to case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagValue(Box<str>);

text_id!(TagValue, "a tag value", "at most 256 characters", |text| at_most(text, 256));
shown_escaped!(TagValue);

/// Stops counting at the limit: the text may be megabytes.
fn at_most(text: &str, chars_max: usize) -> bool {
    text.chars().nth(chars_max).is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::DefaultHasher;

    use proptest::prelude::*;

    use super::*;

    fn hash(key: &TagKey) -> u64 {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn trap_10_keys_compare_without_regard_to_case() {
        let (upper, lower) = (TagKey::parse("AgentID").unwrap(), TagKey::parse("agentid").unwrap());
        assert_eq!(upper, lower);
        assert_eq!(hash(&upper), hash(&lower));
        assert_eq!(upper.untrusted(), "AgentID");
        assert_eq!(BTreeSet::from([upper, lower]).len(), 1);
    }

    #[test]
    fn bounds_are_in_characters() {
        assert!(TagKey::parse("").is_err());
        assert!(TagKey::parse(&"é".repeat(128)).is_ok());
        assert!(TagKey::parse(&"é".repeat(129)).is_err());
        assert!(TagValue::parse("").is_ok());
        assert!(TagValue::parse(&"é".repeat(256)).is_ok());
        assert!(TagValue::parse(&"é".repeat(257)).is_err());
    }

    #[test]
    fn debug_is_escaped() {
        assert_eq!(format!("{:?}", TagValue::parse("\u{1b}").unwrap()), r#"TagValue("\u{1b}")"#);
    }

    proptest! {
        #[test]
        fn equal_keys_hash_and_order_alike(left in "[aAbBéÉ]{1,3}", right in "[aAbBéÉ]{1,3}") {
            let (left, right) = (TagKey::parse(&left).unwrap(), TagKey::parse(&right).unwrap());
            prop_assert_eq!(left == right, left.cmp(&right) == Ordering::Equal);
            prop_assert_eq!(left == right, hash(&left) == hash(&right));
        }
    }
}
