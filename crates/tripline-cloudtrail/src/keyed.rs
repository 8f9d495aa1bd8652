//! Hashing under a secret.

use ahash::RandomState;

/// A state of hashing under a secret `seed`, for one `purpose`: texts of records are hashed with it, and whoever
/// makes calls picks their names. All four keys follow from the seed, and none is known by another: where
/// two of them are, or differ by what is known, names can be picked that collide under any seed (in the
/// form of the algorithm that does without AES instructions, two keys are all that some blocks meet).
pub fn keyed(seed: u64, purpose: u64) -> RandomState {
    // The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): keys that nothing simple connects.
    let key = |nth: u64| {
        let step = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(purpose.wrapping_mul(4) + nth + 1);
        let mixed = seed.wrapping_add(step);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    RandomState::with_seeds(key(0), key(1), key(2), key(3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Of two blocks that meet two keys, one after the other, those collide that differ as the keys do.
        #[test]
        fn what_collides_under_one_seed_does_not_under_another(seed in any::<u64>(), other in any::<u64>(), purpose in 0_u64..100) {
            prop_assume!(seed != other);
            let text = [7_u64, 9];
            prop_assert_ne!(keyed(seed, purpose).hash_one(text), keyed(other, purpose).hash_one(text));
            prop_assert_ne!(keyed(seed, purpose).hash_one(text), keyed(seed, purpose + 1).hash_one(text));
            prop_assert_eq!(keyed(seed, purpose).hash_one(text), keyed(seed, purpose).hash_one(text));
        }
    }
}
