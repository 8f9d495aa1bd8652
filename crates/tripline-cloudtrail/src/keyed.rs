//! Hashing under a secret.

use ahash::RandomState;

/// A state of hashing under a secret `seed`, for one `purpose`: texts of records are hashed with it, and whoever
/// makes calls picks their names. All four keys follow from the seed, and none is known by another: where
/// two of them are, or differ by what is known, names can be picked that collide under any seed (in the
/// form of the algorithm that does without AES instructions, two keys are all that some blocks meet).
pub fn keyed(seed: u64, purpose: u64) -> RandomState {
    let [k0, k1, k2, k3] = keys(seed, purpose);
    RandomState::with_seeds(k0, k1, k2, k3)
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): keys that nothing simple connects.
fn keys(seed: u64, purpose: u64) -> [u64; 4] {
    [1, 2, 3, 4].map(|nth| {
        let step = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(purpose.wrapping_mul(4) + nth);
        let mixed = seed.wrapping_add(step);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whoever knows a key, or how two of them differ, can pick texts that collide.
        #[test]
        fn no_key_is_known_without_the_seed_nor_how_two_differ(
            seed in any::<u64>(),
            other in any::<u64>(),
            purpose in 0_u64..100,
        ) {
            prop_assume!(seed != other);
            let (one, another) = (keys(seed, purpose), keys(other, purpose));
            for (nth, (key, same)) in one.into_iter().zip(another).enumerate() {
                prop_assert_ne!(key, same);
                for before in 0..nth {
                    prop_assert_ne!(key ^ one[before], same ^ another[before]);
                }
            }
            let hash = |seed, purpose| keyed(seed, purpose).hash_one([7_u64, 9]);
            prop_assert_eq!(hash(seed, purpose), hash(seed, purpose));
            prop_assert_ne!(hash(seed, purpose), hash(seed, purpose + 1));
        }
    }
}
