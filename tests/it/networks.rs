//! Where a call came from, as far as it weighs: a VPC endpoint of somebody else's is a place on the internet,
//! not one more VPC of one's own. Live, from parts and late, as in a history.

use serde_json::{Value, json};
use tripline_baseline::{Approval, Decisions, Feature, Peers, promote};
use tripline_detector::Invariants;
use tripline_engine::{Config, Model, Provenance, Scored, is_sensitive};
use tripline_runtime::{EmbeddedState, Live, Models};

use crate::paces::{TODAY, learned, page, scored, session, time, verdicts};

const CONFIG: &str = "version = 1\n";
/// Whose agents and trail these are.
const OWN: &str = "111122223333";

/// Through an endpoint, and whose it is said to be.
fn through(endpoint: &str, owner: &str) -> Value {
    json!({"sourceIPAddress": "10.0.4.9", "vpcEndpointId": endpoint, "vpcEndpointAccountId": owner})
}

/// Of an agent that always came that way, as eleven others did.
fn model_of(config: &Config, way: &Value) -> Model {
    let by = Approval::new("somebody", time(TODAY), "a test").unwrap();
    let learned = learned(config, way);
    let promoted = promote(None, &learned, &Decisions::default(), &is_sensitive, &by).unwrap();
    let mut fleet = Peers::new(None);
    (0..12).for_each(|_| fleet.add(&promoted.next));
    let all = [promoted.next, fleet.finish(Some(20_000))];
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    model.with_learned(all.map(Ok::<_, ()>), 1).unwrap()
}

/// How much the network weighs; nothing where it is no news.
fn weight(scored: &[Scored]) -> Option<f64> {
    let reasons = scored.iter().flat_map(|one| &one.assessment.reasons);
    let networks = reasons.filter(|it| it.feature == Feature::Network);
    networks.map(|it| it.weight).max_by(f64::total_cmp)
}

fn weighs(config: &Config, model: &Model, way: &Value) -> Option<f64> {
    weight(&scored(config, model, &[session(900, TODAY, 8, way)], true))
}

#[test]
fn stolen_credentials_weigh_the_same_from_the_internet_and_through_the_thiefs_own_endpoint() {
    let config = Config::parse(CONFIG).unwrap();
    let model = model_of(&config, &through("vpce-0a", OWN));
    let of = |way: Value| weighs(&config, &model, &way);
    assert_eq!(of(through("vpce-0a", OWN)), None);
    let internet = of(json!({"sourceIPAddress": "198.51.100.7"})).unwrap();
    let moved = of(through("vpce-0b", OWN)).unwrap();
    assert!(internet > moved + 1.0, "{internet}, {moved}");
    assert_eq!(of(through("vpce-0b", "444455556666")), Some(internet));
    // Whose it is, is not always told: then it is taken for one's own, as ever.
    for owner in
        ["AWS Internal", "ec2.amazonaws.com", "", "44445555666", "4444555566667", "\u{1b}[2J@"]
    {
        assert_eq!(of(through("vpce-0b", owner)), Some(moved), "{owner:?}");
        assert_eq!(of(through("vpce-0a", owner)), None, "{owner:?}");
    }
    let untold = json!({"sourceIPAddress": "10.0.4.9", "vpcEndpointId": "vpce-0b"});
    assert_eq!(of(untold), Some(moved));
    // There is one endpoint of an id. What was learned without its account is known with it.
    assert_eq!(of(through("vpce-0a", "444455556666")), None);
}

#[test]
fn endpoints_of_a_network_account_are_as_ones_own() {
    let config = Config::parse(CONFIG).unwrap();
    let (hub, thief) = ("777788889999", "444455556666");
    let model = model_of(&config, &through("vpce-0a", hub));
    let plain = model_of(&config, &through("vpce-0a", OWN));
    let of = |way: Value| weighs(&config, &model, &way);
    let as_if_plain = |way: Value| weighs(&config, &plain, &way);
    assert_eq!(of(through("vpce-0a", hub)), None);
    assert_eq!(of(json!({"sourceIPAddress": "10.0.4.9", "vpcEndpointId": "vpce-0a"})), None);
    assert_eq!(of(through("vpce-0b", hub)), as_if_plain(through("vpce-0b", OWN)));
    let internet = json!({"sourceIPAddress": "198.51.100.7"});
    assert_eq!(of(internet.clone()), as_if_plain(internet.clone()));
    assert_eq!(of(through("vpce-0b", thief)), of(internet));
}

#[test]
fn whose_endpoint_it_was_is_kept_of_what_waits_and_of_what_comes_live() {
    let config = Config::parse(CONFIG).unwrap();
    let model = model_of(&config, &through("vpce-0a", OWN));
    let records = session(900, TODAY, 8, &through("vpce-0b", "444455556666"));
    let wanted = scored(&config, &model, std::slice::from_ref(&records), false);
    assert!(weight(&wanted) > weighs(&config, &model, &through("vpce-0b", OWN)));
    let shown = |found: &[Scored]| -> Vec<String> {
        let reasons = found.iter().flat_map(|one| &one.assessment.reasons);
        let networks = reasons.filter(|it| it.feature == Feature::Network);
        networks.map(|it| it.value.as_unescaped().to_owned()).collect()
    };
    assert_eq!(shown(&wanted), ["vpce-0b@444455556666"]);
    // Its mint comes last: until then nobody knows whose calls these are.
    let (mint, calls) = records.split_at(1);
    let pages = [calls.to_vec(), mint.to_vec()];
    assert_eq!(verdicts(&scored(&config, &model, &pages, false)), verdicts(&wanted));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let state = EmbeddedState::open(directory.path()).unwrap();
    let live = Live::new(Models::Whole(&config, &model), &state, 1);
    let mut told = Vec::new();
    for (secs, records) in (1_000..).zip(&pages) {
        let pages = [(page(records), Provenance::Trail)];
        told = runtime.block_on(live.take_in(&pages, time(TODAY + secs))).unwrap().findings;
    }
    assert_eq!(verdicts(&told), verdicts(&wanted));
}
