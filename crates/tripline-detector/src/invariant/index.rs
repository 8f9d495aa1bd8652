//! From an event name to its rules, for a look-up that nearly always says "none".

use super::rules::Rule;

/// A hash table over the names of a fixed list of rules. An attacker may choose names, not entries:
/// the longest chain is a property of our own table, and a test bounds it.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// One more than the position of the first rule of a name; 0 is an empty slot.
    slots: Box<[u16]>,
}

/// Many more slots than names: a miss then mostly ends at the first slot.
const SLOTS: usize = 2_048;

impl Index {
    /// Over rules that are sorted by event name.
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut slots = vec![0_u16; SLOTS].into_boxed_slice();
        let mut previous = "";
        for (at, rule) in rules.iter().enumerate() {
            if rule.event == previous {
                continue;
            }
            previous = rule.event;
            let mut slot = slot_of(rule.event);
            while slots.get(slot).is_some_and(|&taken| taken != 0) {
                slot = (slot + 1) % SLOTS;
            }
            if let (Some(slot), Ok(entry)) = (slots.get_mut(slot), u16::try_from(at + 1)) {
                *slot = entry;
            }
        }
        Self { slots }
    }

    /// The rules for events of this name.
    #[inline]
    pub(super) fn find<'r>(&self, rules: &'r [Rule], name: &str) -> &'r [Rule] {
        let mut slot = slot_of(name);
        loop {
            let entry = usize::from(self.slots.get(slot).copied().unwrap_or_default());
            // INVARIANT: the table is never full, so that an empty slot ends every search.
            let Some(first) = entry.checked_sub(1) else { return &[] };
            let rest = rules.get(first..).unwrap_or_default();
            if rest.first().is_some_and(|rule| rule.event == name) {
                let end = rest.iter().position(|rule| rule.event != name).unwrap_or(rest.len());
                return rest.get(..end).unwrap_or_default();
            }
            slot = (slot + 1) % SLOTS;
        }
    }
}

/// By the first and the last eight bytes and the length: event names differ in verb and object.
#[inline]
fn slot_of(name: &str) -> usize {
    let bytes = name.as_bytes();
    let (first, last) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (bytes.iter().fold(0, |word, &byte| (word << 8) | u64::from(byte)), 0),
    };
    let mixed =
        (first ^ last.rotate_left(23) ^ bytes.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    // The top 11 bits of the product depend on all the bits below.
    (mixed >> 53) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::rules::RULES;

    #[test]
    fn every_name_is_found_and_no_other() {
        let index = Index::new(RULES);
        for rule in RULES {
            let found = index.find(RULES, rule.event);
            assert!(found.iter().all(|other| other.event == rule.event));
            let all = RULES.iter().filter(|other| other.event == rule.event).count();
            assert_eq!(found.len(), all, "{}", rule.event);
        }
        for name in ["", "GetObject", "AssumeRole", "StopLoggin", "StopLoggings", "é"] {
            assert!(index.find(RULES, name).is_empty(), "{name}");
        }
    }

    #[test]
    fn chains_are_short() {
        let index = Index::new(RULES);
        let chains = index.slots.split(|&slot| slot == 0);
        let longest = chains.map(<[u16]>::len).max().unwrap_or_default();
        assert!(longest <= 8, "{longest}");
    }
}
