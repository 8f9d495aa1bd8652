//! What the grace after a deployment makes less of: new work, and a pace that is somewhat higher; not harm, not
//! calls from where none of the agent's peers calls from, and no loop. And that it is bounded: in a history as
//! live, in whatever order things become known.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tripline_baseline::{Approval, Baseline, Decisions, Feature, Peers, promote};
use tripline_detector::{Invariants, Verdict};
use tripline_engine::{
    Batch, Config, Deployments, Entry, Filter, Model, PartitionId, Provenance, Purpose, Scored,
    is_sensitive,
};
use tripline_runtime::{EmbeddedState, Live, Models, Page, State, StateError};
use tripline_testkit::Rng;

use crate::days::{Counting, runtime, state};
use crate::paces::{
    DAY, READS, TODAY, learned, learned_from, page, scored, session, time, verdicts,
};

fn config() -> Config {
    Config::parse("version = 1\n").unwrap()
}

/// Of an agent that is known well, and of eleven others like it.
fn model_of(learned: &Baseline) -> Model {
    let by = Approval::new("somebody", time(TODAY), "a test").unwrap();
    let promoted = promote(None, learned, &Decisions::default(), &is_sensitive, &by).unwrap();
    let mut fleet = Peers::new(None);
    (0..12).for_each(|_| fleet.add(&promoted.next));
    let all = [promoted.next, fleet.finish(Some(20_000))];
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    model.with_learned(all.map(Ok::<_, ()>), 1).unwrap()
}

/// The same, of an agent that tells its version: until now the first.
fn model(config: &Config) -> Model {
    let session = |nth, at| tagged(session(nth, at, 8, &json!({})), "1");
    model_of(&learned_from(config, &session))
}

/// A session, run in this version of its agent.
pub(crate) fn tagged(mut records: Vec<Value>, version: &str) -> Vec<Value> {
    let tags = records[0]["requestParameters"]["tags"].as_array_mut().unwrap();
    tags.push(json!({"key": "AgentVersion", "value": version}));
    records
}

/// A session of the agent that does something besides.
fn works(version: &str, objects: u64, more: &Value) -> Vec<Value> {
    tagged(session(900, TODAY, objects, more), version)
}

/// What the agent never did, and what does no harm.
fn lists() -> Value {
    json!({"eventSource": "sqs.amazonaws.com", "eventName": "ListQueues"})
}

/// A session at so many minutes from now: one that does what it always did, or something new.
fn at(nth: u64, minute: i64, version: &str, more: &Value) -> Vec<Value> {
    tagged(session(nth, TODAY + minute * 60, 8, more), version)
}

/// How much the heaviest of what is found of a feature weighs.
fn weight(scored: &[Scored], feature: Feature) -> f64 {
    let reasons = scored.iter().flat_map(|one| &one.assessment.reasons);
    let weights = reasons.filter(|it| it.feature == feature).map(|it| it.weight);
    weights.fold(f64::NEG_INFINITY, f64::max)
}

/// What a new action weighs more than, unless it is new work of a grace.
const STRANGE: f64 = 3.0;

/// Whether all that is new among what is found is taken for the work of a new version: told at most.
fn is_excused(scored: &[Scored]) -> bool {
    let is_told = |one: &Scored| one.assessment.verdict <= Verdict::Alert;
    scored.iter().all(is_told) && weight(scored, Feature::Action) < STRANGE
}

fn heaviest(model: &Model, config: &Config, records: Vec<Value>, feature: Feature) -> f64 {
    weight(&scored(config, model, &[records], true), feature)
}

#[test]
fn new_work_weighs_less_but_neither_harm_nor_strangers_nor_loops() {
    let config = config();
    let model = model(&config);
    let of = |version, objects, more: Value, feature| {
        heaviest(&model, &config, works(version, objects, &more), feature)
    };
    let weighs_less = |more: Value, feature| {
        let [without, within] = ["1", "2"].map(|version| of(version, 8, more.clone(), feature));
        assert!(without > 1.0 && within < without - 0.3, "{without}, {within}");
    };
    weighs_less(lists(), Feature::Action);
    let deletes = json!({"eventSource": "sqs.amazonaws.com", "eventName": "PurgeQueue"});
    assert!(of("2", 8, deletes, Feature::Action) > 1.0);
    let elsewhere = json!({"sourceIPAddress": "198.51.100.7"});
    assert!(of("2", 8, elsewhere, Feature::Network) > 1.0);
    let region = json!({"awsRegion": "us-east-1"});
    weighs_less(region, Feature::Region);
    // Eight different resources are the most that was learned.
    assert!(of("1", 20, json!({}), Feature::Rate) > 1.0);
    assert!(of("2", 20, json!({}), Feature::Rate) == 0.0);
    assert!(of("2", READS, json!({}), Feature::Rate) > 0.0);
}

#[test]
fn an_agent_that_never_told_a_version_is_given_no_time_for_one() {
    let config = config();
    let model = model_of(&learned(&config, &json!({})));
    // Nor for the second that is named a minute later.
    let sessions = [at(900, 0, "1", &json!({})), at(901, 1, "2", &lists())];
    assert!(weight(&scored(&config, &model, &sessions, true), Feature::Action) > 1.0);
    assert!(heaviest(&model, &config, works("2", 8, &lists()), Feature::Action) > 1.0);
}

/// Histories with a deployment, each with whether what is new at its end is excused.
fn histories() -> Vec<(Vec<Vec<Value>>, bool)> {
    let quiet = |nth, minute, version: &str| at(nth, minute, version, &json!({}));
    let day = DAY / 60;
    let late = vec![quiet(900, 0, "2"), at(901, day, "2", &lists())];
    let soon = vec![quiet(900, 0, "2"), at(901, day - 1, "2", &lists())];
    let many = |before: u64| {
        let before = (0..before).map(|nth| quiet(900 + nth, nth as i64, "2"));
        before.chain([at(990, 60, "2", &lists())]).collect()
    };
    let after_another =
        |minute| vec![quiet(900, 0, "2"), quiet(901, day, "1"), at(902, minute, "3", &lists())];
    vec![
        (soon, true),
        (late, false),
        (many(49), true),
        (many(50), false),
        (after_another(7 * day), true),
        (after_another(7 * day - 1), false),
    ]
}

#[test]
fn a_grace_begins_with_the_first_call_whether_all_calls_are_shown_or_not() {
    let config = config();
    let model = model(&config);
    for (sessions, excused) in histories() {
        let mut all = scored(&config, &model, &sessions, true);
        assert_eq!(is_excused(&all), excused);
        all.retain(Scored::is_finding);
        for one in &mut all {
            one.assessment.reasons.retain(|reason| reason.verdict > Default::default());
        }
        let found = scored(&config, &model, &sessions, false);
        assert_eq!(is_excused(&found), excused);
        assert_eq!(verdicts(&found), verdicts(&all));
    }
}

#[test]
fn a_history_in_parts_has_the_graces_of_the_whole() {
    let config = config();
    let (model, filter) = (model(&config), Filter::default());
    for (sessions, excused) in histories() {
        let (mut deployments, mut found) = (Deployments::default(), Vec::new());
        for records in &sessions {
            let purpose = Purpose::ShowFindings;
            let batch = Batch::new(&config, &model, &filter, purpose, 1);
            let mut batch = batch.knowing(deployments);
            let Page { file, bytes } = page(records);
            batch.read(&file, &bytes);
            let report = batch.finish(&config).unwrap();
            deployments = report.deployments;
            found.extend(report.scored);
        }
        assert_eq!(is_excused(&found), excused);
        assert_eq!(verdicts(&found), verdicts(&scored(&config, &model, &sessions, false)));
    }
}

/// What is told of sessions that are delivered one after the other, each when it is over.
fn by_deliveries(config: &Config, model: &Model, sessions: &[Vec<Value>]) -> Vec<Scored> {
    let (_directory, state) = state();
    let mut told = Vec::new();
    for records in sessions {
        let live = Live::new(Models::Whole(config, model), &state, 1);
        let pages = [(page(records), Provenance::Trail)];
        let last = records.last().unwrap()["eventTime"].as_str().unwrap().to_owned();
        let now = tripline_cloudtrail::EventTime::parse(&last).unwrap();
        let delivered = runtime().block_on(live.take_in(&pages, now)).unwrap();
        told.extend(delivered.findings);
    }
    told
}

#[test]
fn live_a_grace_has_the_bounds_that_it_has_in_a_history() {
    let config = config();
    let model = model(&config);
    for (sessions, excused) in histories() {
        let found = scored(&config, &model, &sessions, false);
        assert_eq!(is_excused(&found), excused);
        assert_eq!(verdicts(&by_deliveries(&config, &model, &sessions)), verdicts(&found));
    }
}

/// Somebody who may mint names a new version in each session.
fn by_a_tagger() -> Vec<Vec<Value>> {
    let version = |nth: u64| format!("x{nth}");
    (0..8).map(|nth| at(900 + nth, 90 * nth as i64, &version(nth), &lists())).collect()
}

#[test]
fn whoever_names_a_version_in_each_session_is_given_time_once() {
    let config = config();
    let model = model(&config);
    let sessions = by_a_tagger();
    let found = scored(&config, &model, &sessions, false);
    let episodes = |found: &[Scored]| {
        let strange = found.iter().filter(|one| !is_excused(std::slice::from_ref(*one)));
        let episodes = strange.map(|one| one.episode.clone());
        episodes.collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(episodes(&found), 7, "all but the first");
    let told = by_deliveries(&config, &model, &sessions);
    assert_eq!(verdicts(&told), verdicts(&found));
    // In any order and however often: once all is there, it is as if a history had been read.
    for seed in 0..6 {
        let mut rng = Rng::new(seed);
        let mut shuffled = sessions.concat();
        shuffled.extend(sessions.concat().into_iter().take(100));
        rng.shuffle(&mut shuffled);
        let (_directory, state) = state();
        let live = Live::new(Models::Whole(&config, &model), &state, seed);
        let now = time(TODAY + DAY);
        for part in rng.split(shuffled.clone(), 5) {
            runtime().block_on(live.take_in(&[(page(&part), Provenance::Trail)], now)).unwrap();
        }
        let pages = [(page(&shuffled), Provenance::Trail)];
        let whole = runtime().block_on(live.take_in(&pages, now)).unwrap();
        assert_eq!(verdicts(&whole.findings), verdicts(&found));
    }
}

/// A state of which everybody waits for everybody else.
struct Lockstep(EmbeddedState);

impl State for Lockstep {
    async fn put(&self, entries: &[Entry]) -> Result<(), StateError> {
        tokio::task::yield_now().await;
        self.0.put(entries).await
    }

    async fn claim(&self, entry: &Entry) -> Result<bool, StateError> {
        tokio::task::yield_now().await;
        self.0.claim(entry).await
    }

    async fn read(&self, partitions: &[PartitionId]) -> Result<Vec<Vec<Vec<u8>>>, StateError> {
        tokio::task::yield_now().await;
        self.0.read(partitions).await
    }
}

#[test]
fn of_sessions_that_are_looked_at_at_once_one_is_given_time() {
    let config = config();
    let model = model(&config);
    let sessions = by_a_tagger();
    let (_directory, inner) = state();
    let state = Lockstep(inner);
    let live = Live::new(Models::Whole(&config, &model), &state, 1);
    let pages: Vec<_> = sessions.iter().map(|it| [(page(it), Provenance::Trail)]).collect();
    let now = time(TODAY + DAY);
    let at_once = pages.iter().map(|pages| live.take_in(pages, now));
    let delivered = runtime().block_on(join_all(at_once));
    let mut told: Vec<Scored> = delivered.into_iter().flat_map(|it| it.unwrap().findings).collect();
    told.sort_by_key(|one| (one.call.time, one.call.id));
    assert_eq!(verdicts(&told), verdicts(&scored(&config, &model, &sessions, false)));
}

#[test]
fn a_message_alone_leaves_no_trace_of_a_version() {
    let config = config();
    let model = model(&config);
    let (_directory, state) = state();
    let live = Live::new(Models::Whole(&config, &model), &state, 1);
    let now = time(TODAY + DAY / 2);
    let forged = at(900, 0, "x", &json!({}));
    runtime().block_on(live.take_in(&[(page(&forged), Provenance::Event)], now)).unwrap();
    // Else the agent's own deployment would be given no time.
    let deployed = at(901, 60, "2", &lists());
    let pages = [(page(&deployed), Provenance::Trail)];
    let delivered = runtime().block_on(live.take_in(&pages, now)).unwrap();
    assert!(is_excused(&delivered.findings));
}

#[test]
fn only_versions_that_were_not_learned_cost_anything() {
    let config = config();
    let model = model(&config);
    let (_directory, inner) = state();
    let state = Counting { inner, written: AtomicUsize::new(0), read: AtomicUsize::new(0) };
    let live = Live::new(Models::Whole(&config, &model), &state, 1);
    let cost = |nth: u64, version: &str| {
        let pages = [(page(&at(nth, 0, version, &json!({}))), Provenance::Trail)];
        runtime().block_on(live.take_in(&pages, time(TODAY + 3_600))).unwrap();
        (state.written.swap(0, Ordering::Relaxed), state.read.swap(0, Ordering::Relaxed))
    };
    let (written, read) = cost(900, "1");
    assert_eq!(cost(901, "2"), (written + 1, read + 2));
    let again = cost(900, "1");
    assert_eq!(cost(901, "2"), (again.0, again.1 + 1));
}
