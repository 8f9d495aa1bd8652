//! Texts that many sessions share, each kept once.

use ahash::RandomState;
use hashbrown::HashTable;

/// Keeps each text once and knows it by a number.
pub(crate) struct Texts {
    texts: Vec<Box<str>>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

/// A text in [`Texts`], or what stands in its place. Within one table, equal texts are equal here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text(u32);

impl Text {
    /// There is none.
    pub(crate) const NONE: Self = Self(u32::MAX);
    /// Whether there is one was not told.
    pub(crate) const UNTOLD: Self = Self(u32::MAX - 1);
}

impl Texts {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, 21, 22, 23);
        Self { texts: Vec::new(), numbers: HashTable::new(), hasher }
    }

    pub(crate) fn get(&self, text: Text) -> Option<&str> {
        self.texts.get(text.0 as usize).map(|text| &**text)
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| &**text)
    }

    /// Keeps the smaller of two texts: of a session's records none should disagree, and where a
    /// forged one does, no order of arrival may decide.
    #[inline]
    pub(crate) fn least(&mut self, mine: &mut Text, theirs: Option<&str>) {
        let Some(theirs) = theirs else { return };
        match self.get(*mine) {
            Some(mine) if mine <= theirs => {}
            _ => *mine = self.intern(theirs),
        }
    }

    pub(crate) fn intern(&mut self, text: &str) -> Text {
        let hash = self.hasher.hash_one(text);
        let is_it = |at: &u32| self.texts.get(*at as usize).is_some_and(|known| &**known == text);
        if let Some(at) = self.numbers.find(hash, is_it) {
            return Text(*at);
        }
        let at = index(self.texts.len());
        self.texts.push(text.into());
        let (texts, hasher) = (&self.texts, &self.hasher);
        self.numbers.insert_unique(hash, at, |at| {
            hasher.hash_one(texts.get(*at as usize).map_or("", |text| &**text))
        });
        Text(at)
    }

    /// A text of another table, in this one.
    pub(crate) fn moved(&mut self, text: Text, from: &Self) -> Text {
        from.get(text).map_or(text, |text| self.intern(text))
    }
}

/// Four thousand million things are beyond any memory: their numbers fit 32 bits.
pub(crate) fn index(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
