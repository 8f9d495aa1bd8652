//! The only source of chance: xoshiro256** (Blackman and Vigna, public domain), its state filled by repeated `SplitMix64` mixing.
//!
//! Written out here, so that a seed gives the same bytes for ever, whatever a library changes.

/// A small deterministic generator. Not for secrets.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

/// One step of `SplitMix64`: a well mixed function of `value`.
#[must_use]
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Mixes a path of numbers under a seed into one number.
#[must_use]
pub fn hash(seed: u64, path: &[u64]) -> u64 {
    path.iter().fold(mix(seed), |acc, step| mix(acc ^ mix(step.wrapping_add(0x5851_F42D))))
}

impl Rng {
    /// A generator from one number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let a = mix(seed);
        let b = mix(a);
        let c = mix(b);
        Self { state: [a, b, c, mix(c)] }
    }

    /// An independent stream named by a path, such as (agent, session): streams need no order.
    #[must_use]
    pub fn stream(seed: u64, path: &[u64]) -> Self {
        Self::new(hash(seed, path))
    }

    /// The next 64 bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c2, d2) = (c ^ a, d ^ b);
        self.state = [a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)];
        result
    }

    /// A number in `0..bound`; 0 where `bound` is 0. The bias is below 2^-32 for our small bounds.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.bits()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number in `low..=high`.
    #[inline]
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `permille` of 1,000 cases.
    #[inline]
    pub fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < u64::from(permille)
    }

    /// An index in `0..len`.
    #[inline]
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    /// One item of a list.
    ///
    /// # Panics
    /// On an empty list.
    #[inline]
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Puts the items into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.index(last + 1);
            items.swap(last, other);
        }
    }

    /// Splits items into `parts` lists, each item in one of them, order kept inside a list.
    pub fn split<T>(&mut self, items: Vec<T>, parts: usize) -> Vec<Vec<T>> {
        let mut lists: Vec<Vec<T>> = (0..parts.max(1)).map(|_| Vec::new()).collect();
        for item in items {
            let part = self.index(lists.len());
            lists[part].push(item);
        }
        lists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference implementation's first numbers from the state 1, 2, 3, 4.
    #[test]
    fn the_step_is_xoshiro256_star_star() {
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let got: Vec<u64> = (0..4).map(|_| rng.bits()).collect();
        assert_eq!(got, [11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    /// What every fixture rests on: if this fails, all fixtures change.
    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let mut rng = Rng::new(42);
        let got: Vec<u64> = (0..2).map(|_| rng.bits()).collect();
        assert_eq!(got, [6_667_968_346_354_703_667, 16_249_806_489_848_801_414]);
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::new(7);
        assert!((0..10_000).all(|_| rng.below(13) < 13));
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn split_keeps_every_item() {
        let mut rng = Rng::new(1);
        let parts = rng.split((0..100).collect(), 7);
        let mut all: Vec<i32> = parts.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }
}
