//! The laws of what comes live, with the state of one machine.

use proptest::prelude::*;
use tripline_runtime::EmbeddedState;

use crate::live_laws::{FALLBACKS, TAGS_ONLY, World, check, check_confirmed};

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn any_delivery_ends_as_a_history_does(
        seed in 0_u64..1_000,
        order in any::<u64>(),
        parts in 1_usize..9,
        twice in 0_usize..300,
        one_in in prop_oneof![Just(0_u64), 6_u64..30],
        config in prop_oneof![Just(TAGS_ONLY), Just(FALLBACKS)],
    ) {
        let directory = tempfile::tempdir().unwrap();
        let state = EmbeddedState::open(directory.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(World { seed, order, parts, twice, one_in, config }, state));
    }

    #[test]
    fn what_messages_tell_counts_once_cloudtrail_tells_it(seed in 0_u64..1_000) {
        let directory = tempfile::tempdir().unwrap();
        let state = EmbeddedState::open(directory.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check_confirmed(seed, state));
    }
}
