//! What the grace after a deployment excuses: new work, and a pace that is somewhat higher; not harm, not
//! calls from where none of the agent's peers calls from, and no loop.

use serde_json::{Value, json};
use tripline_baseline::{Approval, Decisions, Feature, Peers, promote};
use tripline_detector::Invariants;
use tripline_engine::{Config, Model, is_sensitive};

use crate::paces::{READS, TODAY, learned, scored, session, time};

/// An agent that is known well, and eleven others like it.
fn model(config: &Config) -> Model {
    let by = Approval::new("somebody", time(TODAY), "a test").unwrap();
    let learned = learned(config, &json!({}));
    let promoted = promote(None, &learned, &Decisions::default(), &is_sensitive, &by).unwrap();
    let mut fleet = Peers::new(None);
    (0..12).for_each(|_| fleet.add(&promoted.next));
    let all = [promoted.next, fleet.finish(Some(20_000))];
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    model.with_learned(all.map(Ok::<_, ()>), 1).unwrap()
}

/// A session of the agent that does something besides, in this version of the agent.
fn works(version: Option<&str>, objects: u64, more: &Value) -> Vec<Value> {
    let mut records = session(900, TODAY, objects, more);
    let tags = records[0]["requestParameters"]["tags"].as_array_mut().unwrap();
    tags.extend(version.map(|version| json!({"key": "AgentVersion", "value": version})));
    records
}

/// What is found in a session, and how much the heaviest of it weighs.
fn heaviest(model: &Model, config: &Config, records: Vec<Value>, feature: Feature) -> f64 {
    let scored = scored(config, model, &[records], true);
    let reasons = scored.iter().flat_map(|one| &one.assessment.reasons);
    let weights = reasons.filter(|it| it.feature == feature).map(|it| it.weight);
    weights.fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn new_work_is_excused_but_neither_harm_nor_strangers_nor_loops() {
    let config = Config::parse("version = 1\n").unwrap();
    let model = model(&config);
    let of = |version, objects, more: Value, feature| {
        heaviest(&model, &config, works(version, objects, &more), feature)
    };
    let lists = json!({"eventSource": "sqs.amazonaws.com", "eventName": "ListQueues"});
    assert!(of(None, 8, lists.clone(), Feature::Action) > 1.0);
    assert!(of(Some("2"), 8, lists, Feature::Action) == 0.0);
    let deletes = json!({"eventSource": "sqs.amazonaws.com", "eventName": "PurgeQueue"});
    assert!(of(Some("2"), 8, deletes, Feature::Action) > 1.0);
    let elsewhere = json!({"sourceIPAddress": "198.51.100.7"});
    assert!(of(Some("2"), 8, elsewhere, Feature::Network) > 1.0);
    let region = json!({"awsRegion": "us-east-1"});
    assert!(of(None, 8, region.clone(), Feature::Region) > 1.0);
    assert!(of(Some("2"), 8, region, Feature::Region) == 0.0);
    // Eight different resources are the most that was learned.
    assert!(of(None, 20, json!({}), Feature::Rate) > 1.0);
    assert!(of(Some("2"), 20, json!({}), Feature::Rate) == 0.0);
    assert!(of(Some("2"), READS, json!({}), Feature::Rate) > 0.0);
}
