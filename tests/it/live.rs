//! The laws of what comes live, with the state of one machine.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tripline_baseline::Scope;
use tripline_containment::Response;
use tripline_detector::{Invariants, Verdict};
use tripline_engine::{Batch, Config, Filter, LiveIncident, Model, Provenance, Purpose};
use tripline_runtime::{EmbeddedState, Live, Models, Page};
use tripline_testkit::{AttackPlan, Event};

use crate::live_laws::{
    FALLBACKS, TAGS_ONLY, World, check, check_confirmed, events_with, last, model, page,
};

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

/// A model in which all agents of these may do one thing.
fn scoped(config: &Config, events: &[Event], action: &str) -> Model {
    let (filter, model) = (Filter::default(), model());
    let mut batch = Batch::new(config, &model, &filter, Purpose::ShowFindings, 1);
    let Page { file, bytes } = page(0, events);
    batch.read(&file, &bytes);
    let sessions = batch.finish(config).unwrap().sessions;
    let agents = sessions.iter().filter_map(|session| session.agent().cloned());
    let names: BTreeSet<String> =
        agents.map(|agent| agent.id.untrusted().as_unescaped().to_owned()).collect();
    let scope = |name: String| {
        let allow = format!("[allow]\nactions = [\"{action}\"]\n");
        Scope::parse(&format!("version = 1\nagent = \"{name}\"\n{allow}")).unwrap()
    };
    Model::new(Invariants::default(), names.into_iter().map(scope).collect()).unwrap()
}

#[test]
fn whoever_leaves_its_scope_is_fenced_live_whoever_tells_it() {
    let directory = tempfile::tempdir().unwrap();
    let state = EmbeddedState::open(directory.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let settings = "version = 1\n[containment]\ndata_events_logged = [\"s3\"]\n";
    let config = Config::parse(settings).unwrap();
    let events = events_with(3, AttackPlan::None);
    let (now, model) = (last(&events), scoped(&config, &events, "sts:GetCallerIdentity"));
    let live = Live::new(Models::Whole(&config, &model), &state, 1);
    let take = |nth, told| {
        let delivered = runtime.block_on(live.take_in(&[(page(nth, &events), told)], now)).unwrap();
        runtime.block_on(live.told(&delivered)).unwrap();
        // One agent of the fleet becomes root: a rule kills it, whatever its scope says.
        let is_by_rule = |one: &LiveIncident| one.incident.verdict == Verdict::Kill;
        delivered.incidents.into_iter().filter(|one| !is_by_rule(one)).collect::<Vec<_>>()
    };
    let is_fence = |one: &LiveIncident| {
        let plan = one.incident.plan.as_ref().unwrap();
        assert_eq!(plan.response, Response::Fence { until_unix_secs: now.unix_secs() + 1_800 });
        let work: Vec<String> = one.incident.work.actions.iter().map(ToString::to_string).collect();
        assert_eq!(work, ["sts:GetCallerIdentity"]);
        one.incident.is_covered && !plan.steps.is_empty()
    };
    let doubtful = take(0, Provenance::Event);
    assert!(!doubtful.is_empty(), "an empty test proves nothing");
    assert!(doubtful.iter().all(|one| is_fence(one) && !one.is_confirmed));
    let certain = take(1, Provenance::Trail);
    assert!(certain.iter().all(|one| is_fence(one) && one.is_confirmed));
    assert_eq!(certain.len(), doubtful.len());
    assert!(take(2, Provenance::Trail).is_empty(), "it was told");
}
