//! What calls touched, small enough to be kept of every call, and how many different things that were.

/// What a call touched, in 16 bits: all the resources that it names, taken together. Nothing is a
/// value of its own.
///
/// It is a hash, so that some things are taken for one: of 1,000 about eight, of 10,000 about 730. The
/// hash is the same everywhere and for ever, since it decides what is stored, and is no secret: whoever
/// would hide behind it, and finds the names as they are, could take one object in 65,535. Whoever chooses
/// one of the names in a call (the target of a copy, a name in a list that does not exist) can choose it
/// so that calls count as one thing: then nothing bounds what it hides, but the calls are still counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched(u16);

impl Touched {
    /// Nothing, as far as the record tells.
    pub const NOTHING: Self = Self(0);

    /// These resources, in whatever order and however often each is named.
    pub fn of<'t>(resources: impl IntoIterator<Item = &'t str>) -> Self {
        let mut touching = Touching::default();
        resources.into_iter().for_each(|resource| touching.add(resource));
        touching.finish()
    }

    /// As a number.
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Back from a number.
    pub fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
}

/// Resources on their way to a [`Touched`].
#[derive(Clone, Debug, Default)]
pub struct Touching {
    first: Option<u64>,
    /// Nearly all calls name one.
    more: Vec<u64>,
}

impl Touching {
    /// One more, or one of those before.
    #[inline]
    pub fn add(&mut self, resource: &str) {
        let hash = hash(resource);
        match self.first {
            None => self.first = Some(hash),
            Some(first) if first == hash || self.more.contains(&hash) => {}
            Some(_) => self.more.push(hash),
        }
    }

    /// What all of them are.
    #[inline]
    pub fn finish(&self) -> Touched {
        let Some(first) = self.first else { return Touched::NOTHING };
        let sum = self.more.iter().fold(first, |sum, hash| sum.wrapping_add(*hash));
        Touched(((mix(sum) >> 48) as u16).max(1))
    }
}

#[inline]
fn hash(text: &str) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let start = mix(SEED ^ text.len() as u64);
    let state = words.iter().fold(start, |state, word| mix(state ^ u64::from_le_bytes(*word)));
    let rest = rest.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    mix(state ^ rest)
}

/// Any odd numbers without a pattern: the fractions of the golden ratio and of the root of three.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
const SEED: u64 = 0xbb67_ae85_84ca_a73b;

/// The two halves of a product, one over the other (as in wyhash).
#[inline]
fn mix(number: u64) -> u64 {
    let product = u128::from(number ^ SEED) * u128::from(FACTOR);
    product as u64 ^ (product >> 64) as u64
}

/// Everything that one episode touched; 8 KiB at most.
#[derive(Clone, Debug)]
pub struct TouchedSet {
    /// In order.
    few: Vec<u16>,
    /// One bit each, once there are too many.
    many: Option<Box<[u64; WORDS]>>,
}

/// How many are kept one by one.
const FEW_MAX: usize = 128;
const WORDS: usize = 1 << 10;

impl Default for TouchedSet {
    /// Nothing.
    fn default() -> Self {
        Self { few: Vec::new(), many: None }
    }
}

impl TouchedSet {
    /// Adds what a call touched; whether none before it did. Nothing is never new.
    #[inline]
    pub fn insert(&mut self, touched: Touched) -> bool {
        if touched == Touched::NOTHING {
            return false;
        }
        if let Some(many) = &mut self.many {
            return set_bit(many, touched.0);
        }
        let Err(place) = self.few.binary_search(&touched.0) else { return false };
        self.few.insert(place, touched.0);
        if self.few.len() > FEW_MAX {
            let mut many = Box::new([0; WORDS]);
            self.few.iter().for_each(|one| {
                set_bit(&mut many, *one);
            });
            *self = Self { few: Vec::new(), many: Some(many) };
        }
        true
    }
}

/// Whether the bit was not set before.
#[inline]
fn set_bit(words: &mut [u64; WORDS], number: u16) -> bool {
    let Some(word) = words.get_mut(usize::from(number >> 6)) else { return false };
    let bit = 1 << (number & 63);
    let is_new = *word & bit == 0;
    *word |= bit;
    is_new
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_are_much_alike_are_told_apart_as_well_as_any() {
        // 65,535 × (1 − e^(−n / 65,535)) for names without any likeness.
        for (names, expected) in [(100, 100), (1_000, 992), (10_000, 9_273), (100_000, 51_289)] {
            for name in [
                |nth: u32| format!("arn:aws:s3:::data/2026/11/20/{nth:08}.json"),
                |nth: u32| format!("arn:aws:s3:::{nth}/k"),
                |nth: u32| format!("{}{nth}", "x".repeat(nth as usize % 17)),
            ] {
                let mut set = TouchedSet::default();
                let new = (0..names).filter(|nth| set.insert(Touched::of([&*name(*nth)]))).count();
                let off = new.abs_diff(expected);
                assert!(off <= 3 + expected / 100, "{new} of {names}");
            }
        }
    }

    #[test]
    fn what_is_stored_stays_what_it_is() {
        assert_eq!(Touched::of([]), Touched::NOTHING);
        let touched = [
            Touched::of([""]),
            Touched::of(["arn:aws:s3:::b/k"]),
            Touched::of(["arn:aws:s3:::b/k", "arn:aws:s3:::b/l"]),
        ];
        assert_eq!(touched.map(Touched::bits), [18_135, 58_585, 3_662]);
    }

    proptest! {
        #[test]
        fn neither_order_nor_repetition_is_another_thing(
            names in prop::collection::vec("[a-c]{0,20}", 0..6),
        ) {
            let touched = Touched::of(names.iter().map(String::as_str));
            let again = names.iter().rev().chain(&names).map(String::as_str);
            prop_assert_eq!(Touched::of(again), touched);
            prop_assert_eq!(touched == Touched::NOTHING, names.is_empty());
        }

        #[test]
        fn a_set_is_one_however_large(all in prop::collection::vec(0_u16..3_000, 0..4_000)) {
            let (mut set, mut known) = (TouchedSet::default(), BTreeSet::new());
            for one in all {
                let is_new = one != 0 && known.insert(one);
                prop_assert_eq!(set.insert(Touched::from_bits(one)), is_new);
            }
        }
    }
}
