//! The laws of the whole way of a record: any permutation, any split into files, any duplication of
//! the same records ends in the same sessions and the same verdicts.

use std::sync::Arc;

use proptest::prelude::*;
use tripline_detector::Invariants;
use tripline_engine::{Batch, Config, Filter, Model, Purpose};
use tripline_report::ndjson;
use tripline_testkit::{AttackPlan, Event, Fleet, FleetSpec, envelope, gzip};
use tripline_text::Untrusted;

const CONFIG: &str = "version = 1\n[[agents.fallbacks]]\nby = \"source-identity\"\n[[agents.fallbacks]]\nby = \"role\"\n";

/// A small fleet with attacks, each record once.
fn events(seed: u64) -> Vec<Event> {
    let mut spec = FleetSpec::new(seed, 3, 1);
    spec.attacks = AttackPlan::OneIn(4);
    let mut events = Fleet::new(spec).events();
    events.truncate(900);
    events
}

/// Everything that reaches the user, as text.
fn outcome(files: &[Vec<Event>]) -> String {
    let config = Config::parse(CONFIG).unwrap();
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    let filter = Filter::default();
    let mut batch = Batch::new(&config, &model, &filter, Purpose::ShowAll, 1);
    for (nth, file) in files.iter().enumerate() {
        let name = Arc::new(Untrusted::new(format!("file {nth}")));
        batch.read(&name, &gzip(&envelope::records(file), 1));
    }
    let report = batch.finish(&config).unwrap();
    assert!(report.tally.reconcile());
    let mut out = Vec::new();
    for scored in &report.scored {
        ndjson::write_scored(&mut out, scored, model.id()).unwrap();
    }
    for session in report.sessions.iter() {
        ndjson::write_session(&mut out, &session).unwrap();
    }
    let mut text = String::from_utf8(out).unwrap();
    for incident in &report.incidents {
        let lineage: Vec<_> = incident.lineage.iter().map(|session| &session.id).collect();
        text.push_str(&format!("{:?} {lineage:?}\n", incident.root));
        if let Ok(plan) = &incident.plan {
            plan.write_text(&mut text).unwrap();
        }
    }
    text.push_str(&format!("{:?}", report.coverage));
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn order_split_and_duplicates_leave_no_trace(
        seed in 0_u64..1_000,
        order in any::<u64>(),
        parts in 1_usize..6,
        twice in 0_usize..400,
    ) {
        let events = events(seed);
        let expected = outcome(std::slice::from_ref(&events));
        let mut rng = tripline_testkit::Rng::new(order);
        let mut shuffled = events.clone();
        shuffled.extend(events.iter().take(twice).cloned());
        rng.shuffle(&mut shuffled);
        let split = rng.split(shuffled, parts);
        let got = outcome(&split);
        let differs = got.lines().zip(expected.lines()).find(|(got, expected)| got != expected);
        prop_assert_eq!(differs, None);
        prop_assert_eq!(got.len(), expected.len());
    }
}
