//! Texts that many sessions share, each kept once.

use ahash::RandomState;
use hashbrown::HashTable;
use tripline_cloudtrail::keyed;

use crate::chunks::Chunks;

/// Keeps each text once and knows it by a number. Texts stand one behind another: a history has a
/// million of them, most of some forty bytes.
pub(crate) struct Texts {
    pieces: Vec<String>,
    places: Chunks<Place>,
    numbers: HashTable<u32>,
    hasher: RandomState,
}

/// Where a text stands.
#[derive(Clone, Copy)]
struct Place {
    piece: u32,
    start: u32,
    end: u32,
}

/// How much of texts is asked for at once. A longer text has a piece of its own.
const PIECE_BYTES: usize = 1 << 16;

/// A text in [`Texts`], or what stands in its place. Within one table, equal texts are equal here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text(u32);

impl Text {
    /// There is none.
    pub(crate) const NONE: Self = Self(u32::MAX);
    /// Whether there is one was not told.
    pub(crate) const UNTOLD: Self = Self(u32::MAX - 1);

    /// Its number, if it is a text.
    pub(crate) fn number(self) -> Option<u32> {
        (self.0 < Self::UNTOLD.0).then_some(self.0)
    }
}

impl Texts {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = keyed(seed, 21);
        Self { pieces: Vec::new(), places: Chunks::new(), numbers: HashTable::new(), hasher }
    }

    #[inline]
    pub(crate) fn get(&self, text: Text) -> Option<&str> {
        self.at(text.0)
    }

    #[inline]
    fn at(&self, at: u32) -> Option<&str> {
        let place = self.places.get(at as usize)?;
        self.pieces.get(place.piece as usize)?.get(place.start as usize..place.end as usize)
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.places.len() as u32).filter_map(|at| self.at(at))
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
        let is_it = |at: &u32| self.at(*at).is_some_and(|known| known == text);
        if let Some(at) = self.numbers.find(hash, is_it) {
            return Text(*at);
        }
        let at = index(self.places.len());
        let place = self.keep(text);
        self.places.push(place);
        let (pieces, places, hasher) = (&self.pieces, &self.places, &self.hasher);
        self.numbers.insert_unique(hash, at, |at| {
            let text = places.get(*at as usize).and_then(|place| {
                pieces.get(place.piece as usize)?.get(place.start as usize..place.end as usize)
            });
            hasher.hash_one(text.unwrap_or_default())
        });
        Text(at)
    }

    /// Forgets how to find a text's number: nothing more will be kept.
    pub(crate) fn close(&mut self) {
        self.numbers = HashTable::new();
    }

    fn keep(&mut self, text: &str) -> Place {
        let room = |piece: &String| piece.capacity() - piece.len();
        if self.pieces.last().is_none_or(|last| room(last) < text.len()) {
            self.pieces.push(String::with_capacity(PIECE_BYTES.max(text.len())));
        }
        let piece = index(self.pieces.len() - 1);
        let Some(last) = self.pieces.last_mut() else { return Place { piece, start: 0, end: 0 } };
        let start = index(last.len());
        last.push_str(text);
        Place { piece, start, end: index(last.len()) }
    }
}

/// Four thousand million things are beyond any memory: their numbers fit 32 bits.
pub(crate) fn index(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
