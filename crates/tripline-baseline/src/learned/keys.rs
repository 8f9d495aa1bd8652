//! The values of one family, while they are learned.

use std::borrow::Cow;

use ahash::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::day::First;
use super::family::Family;
use super::key::Fact;
use super::sample::{level_of, stable_hash};
use super::token::is_same;

/// How long a value may be, in bytes; of a longer one the beginning is kept, and a hash.
pub(crate) const VALUE_BYTES_MAX: usize = 128;

/// A value that is not too long.
pub(crate) fn bounded(value: &str) -> Cow<'_, str> {
    if value.len() <= VALUE_BYTES_MAX {
        return Cow::Borrowed(value);
    }
    let kept = value.get(..value.floor_char_boundary(VALUE_BYTES_MAX - 17)).unwrap_or_default();
    Cow::Owned(format!("{kept}~{:016x}", stable_hash(&[value.as_bytes()])))
}

/// A value, and what was counted of it.
#[derive(Debug)]
pub(crate) struct Key {
    /// Action and value, one after the other.
    text: Box<str>,
    action_len: usize,
    pub(crate) number: u32,
    hash: u64,
    /// The number of the episode that saw it last: most draws are repeats within one.
    seen_by: u32,
    pub(crate) fact: Fact,
}

impl Key {
    pub(crate) fn action(&self) -> &str {
        self.text.get(..self.action_len).unwrap_or_default()
    }

    pub(crate) fn value(&self) -> &str {
        self.text.get(self.action_len..).unwrap_or_default()
    }

    fn is(&self, action: &str, value: &str) -> bool {
        self.action_len == action.len()
            && self.text.len() == action.len() + value.len()
            && is_same(self.value(), value)
            && is_same(self.action(), action)
    }
}

/// What there is to do about a draw.
pub(crate) enum Found<'k> {
    /// Nothing: the episode has it already.
    Again,
    /// It is new to the episode, and noted as seen by it.
    Now(u32, &'k mut Fact),
    /// The value is not kept here.
    Never,
}

/// The stable hashes of the values that an episode has seen, of all families. Not their numbers: a
/// value may be thrown away and come again.
#[derive(Debug, Default)]
pub(crate) struct Drawn(HashTable<u64>);

impl Drawn {
    /// Forgets them, and keeps the room.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether the value is new.
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        match self.0.entry(hash, |it| *it == hash, |it| *it) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(hash);
                true
            }
        }
    }
}

/// The values of one family.
#[derive(Debug)]
pub(crate) struct Keys {
    table: HashTable<Key>,
    family: Family,
    /// The number of the next value.
    next: u32,
    floor: u8,
    kept_max: usize,
}

impl Keys {
    pub(crate) fn new(family: Family, kept_max: usize) -> Self {
        Self { table: HashTable::new(), family, next: 0, floor: 0, kept_max }
    }

    /// Whether there were more values than are kept; see [`super::sample`].
    pub(crate) fn is_sample(&self) -> bool {
        self.floor > 0
    }

    /// Looks a value up for the episode of that number.
    #[inline]
    pub(crate) fn find(
        &mut self,
        hasher: &RandomState,
        (action, value): (&str, &str),
        episode: u32,
        drawn: &mut Drawn,
    ) -> Found<'_> {
        let hash = hasher.hash_one((action, value));
        let Some(key) = self.table.find_mut(hash, |key| key.is(action, value)) else {
            return Found::Never;
        };
        // Most draws are repeats within one episode, and most episodes are alone.
        if std::mem::replace(&mut key.seen_by, episode) == episode || !drawn.insert(key.hash) {
            return Found::Again;
        }
        Found::Now(key.number, &mut key.fact)
    }

    /// What is the same about a value in every run: it decides whether the value is kept.
    pub(crate) fn stable_hash(&self, (action, value): (&str, &str)) -> u64 {
        stable_hash(&[self.family.name().as_bytes(), action.as_bytes(), value.as_bytes()])
    }

    /// Whether a value of this stable hash is kept.
    pub(crate) fn keeps(&self, hash: u64) -> bool {
        level_of(hash) >= self.floor
    }

    /// Takes a value in that is not there yet, with its stable hash; its number.
    pub(crate) fn insert(
        &mut self,
        hasher: &RandomState,
        (action, value): (&str, &str),
        hash: u64,
        first: First,
        episode: u32,
    ) -> u32 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        let key = Key {
            text: [action, value].concat().into(),
            action_len: action.len(),
            number,
            hash,
            seen_by: episode,
            fact: Fact::of(first),
        };
        let place = |key: &Key| hasher.hash_one((key.action(), key.value()));
        self.table.insert_unique(place(&key), key, place);
        while self.table.len() > self.kept_max && self.floor < 64 {
            self.floor += 1;
            let floor = self.floor;
            self.table.retain(|key| level_of(key.hash) >= floor);
        }
        number
    }

    /// The values in order.
    pub(crate) fn sorted(&self) -> Vec<&Key> {
        let mut keys: Vec<&Key> = self.table.iter().collect();
        keys.sort_unstable_by(|one, other| {
            (one.action(), one.value()).cmp(&(other.action(), other.value()))
        });
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_stay_apart_and_short() {
        let long = "é".repeat(100);
        assert_eq!(bounded("short"), "short");
        assert!(bounded(&long).len() <= VALUE_BYTES_MAX);
        assert_ne!(bounded(&long), bounded(&format!("{long}x")));
        assert_eq!(bounded(&"x".repeat(VALUE_BYTES_MAX)).len(), VALUE_BYTES_MAX);
    }

    #[test]
    fn what_is_kept_of_too_much_is_the_same_in_any_order() {
        let kept = |values: &[u32]| {
            let hasher = RandomState::with_seeds(1, 2, 3, 4);
            let mut keys = Keys::new(Family::Network, 16);
            let mut drawn = Drawn::default();
            for value in values {
                let value = value.to_string();
                let first = First { minute: 0, root: 0 };
                let hash = keys.stable_hash(("", &value));
                let found = keys.find(&hasher, ("", &value), 1, &mut drawn);
                if matches!(found, Found::Never) && keys.keeps(hash) {
                    keys.insert(&hasher, ("", &value), hash, first, 1);
                }
            }
            let texts: Vec<String> = keys.sorted().iter().map(|key| key.value().into()).collect();
            (keys.floor, texts)
        };
        let forward: Vec<u32> = (0..1_000).collect();
        let backward: Vec<u32> = (0..1_000).rev().collect();
        let (floor, texts) = kept(&forward);
        assert!(floor > 3 && (1..=16).contains(&texts.len()));
        assert_eq!(kept(&backward), (floor, texts));
    }
}
