//! How many different things an episode touches: told apart from how often, the same in any order of
//! delivery, and live as in a history.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tripline_baseline::{Approval, Baseline, Decisions, Feature, RateClass, promote};
use tripline_cloudtrail::{EventId, EventTime};
use tripline_detector::{Assessment, Invariants};
use tripline_engine::{Batch, Config, Filter, Model, Provenance, Purpose, Scored, is_sensitive};
use tripline_runtime::{EmbeddedState, Live, Models, Page};
use tripline_testkit::Rng;
use tripline_text::Untrusted;

pub(crate) const DAY: i64 = 86_400;
pub(crate) const FIRST: i64 = 1_790_000_000;
pub(crate) const TODAY: i64 = FIRST + 40 * DAY;
/// How often a session reads something.
pub(crate) const READS: u64 = 40;

pub(crate) fn time(secs: i64) -> EventTime {
    EventTime::from_unix_secs(secs).unwrap()
}

fn record(at: i64, nth: u64, more: &Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.11", "eventTime": time(at).to_string(), "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.9", "userAgent": "Boto3/1.43 md/Botocore#1.43",
        "eventID": format!("00000000-0000-4000-8000-{nth:012x}"), "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333", "readOnly": true,
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record
}

/// A session of the agent that reads now and then, of so many objects one after the other.
pub(crate) fn session(nth: u64, at: i64, objects: u64, more: &Value) -> Vec<Value> {
    let key = format!("ASIA{nth:016}");
    let role = "arn:aws:iam::111122223333:role/Agents";
    let user = format!("arn:aws:sts::111122223333:assumed-role/Agents/s{nth}");
    let identity = json!({
        "type": "AssumedRole", "principalId": format!("AROAEXAMPLEROLEID:s{nth}"), "arn": user,
        "accountId": "111122223333", "accessKeyId": key,
        "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLEROLEID",
            "arn": role, "accountId": "111122223333", "userName": "Agents"},
            "attributes": {"creationDate": time(at).to_string(), "mfaAuthenticated": "false"}},
    });
    let mint = json!({
        "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole",
        "userIdentity": {"type": "AWSService", "invokedBy": "ecs.amazonaws.com"},
        "requestParameters": {"roleArn": role, "roleSessionName": format!("s{nth}"),
            "tags": [{"key": "AgentID", "value": "oncall"}], "durationSeconds": 3600},
        "responseElements": {"credentials": {"accessKeyId": key},
            "assumedRoleUser": {"assumedRoleId": format!("AROAEXAMPLEROLEID:s{nth}"), "arn": user}},
    });
    let read = |call: u64| {
        // A new name each time, in a place where new names keep coming.
        let object =
            format!("in/00000000-0000-4000-8000-{:012x}.json", nth * 1_000 + call % objects);
        let mut read = json!({
            "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "userIdentity": identity,
            "requestParameters": {"bucketName": "reports", "key": object},
        });
        read.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let secs = i64::try_from(call).unwrap() * 10 + 10;
        record(at + secs, nth * 1_000 + call + 1, &read)
    };
    std::iter::once(record(at, nth * 1_000, &mint)).chain((0..READS).map(read)).collect()
}

pub(crate) fn page(records: &[Value]) -> Page {
    let bytes = json!({"Records": records}).to_string().into_bytes();
    Page { file: Arc::new(Untrusted::borrowed("a.json")), bytes }
}

/// What is learned of an agent that has read eight objects five times each, ten times a day for a month.
pub(crate) fn learned(config: &Config, more: &Value) -> Baseline {
    learned_from(config, &|nth, at| session(nth, at, 8, more))
}

/// What is learned of an agent that has run a session ten times a day for a month.
pub(crate) fn learned_from(config: &Config, session: &dyn Fn(u64, i64) -> Vec<Value>) -> Baseline {
    let empty = Model::new(Invariants::default(), Vec::new()).unwrap();
    let filter = Filter::default();
    let mut batch = Batch::new(config, &empty, &filter, Purpose::Learn, 1);
    for nth in 0..300 {
        let at = FIRST + i64::try_from(nth).unwrap() * DAY / 10;
        let Page { file, bytes } = page(&session(nth, at));
        batch.read(&file, &bytes);
    }
    batch.finish(config).unwrap().baselines.remove(0)
}

fn model(config: &Config) -> Model {
    let learned = learned(config, &json!({}));
    let limits = learned.limits();
    let limit = limits.iter().find(|limit| limit.class == RateClass::Resources).unwrap();
    assert_eq!(limit.to_string(), "different resources: at most 1 in 10 s, 8 in an hour");
    let by = Approval::new("somebody", time(TODAY), "a test").unwrap();
    let promoted = promote(None, &learned, &Decisions::default(), &is_sensitive, &by).unwrap();
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    model.with_learned([Ok::<_, ()>(promoted.next)], 1).unwrap()
}

pub(crate) fn scored(
    config: &Config,
    model: &Model,
    pages: &[Vec<Value>],
    all: bool,
) -> Vec<Scored> {
    let filter = Filter::default();
    let purpose = if all { Purpose::ShowAll } else { Purpose::ShowFindings };
    let mut batch = Batch::new(config, model, &filter, purpose, 1);
    for records in pages {
        let Page { file, bytes } = page(records);
        batch.read(&file, &bytes);
    }
    batch.finish(config).unwrap().scored
}

/// What paces are found to be too high, with what is said of each.
fn paces(scored: &[Scored]) -> BTreeSet<(String, String)> {
    let reasons = scored.iter().flat_map(|one| &one.assessment.reasons);
    let paces = reasons.filter(|reason| reason.feature == Feature::Rate);
    paces.map(|it| (it.value.as_unescaped().to_owned(), it.detail.clone())).collect()
}

#[test]
fn whoever_reads_each_thing_once_reads_more_things() {
    let config = Config::parse("version = 1\n").unwrap();
    let model = model(&config);
    let of = |records: Vec<Value>| paces(&scored(&config, &model, &[records], true));
    assert_eq!(of(session(900, TODAY, 8, &json!({}))), BTreeSet::new());
    let thief = session(900, TODAY, READS, &json!({}));
    let found = of(thief.clone());
    assert!(!found.is_empty() && found.iter().all(|(what, _)| what.starts_with("resources ")));
    let said = |text: &str| found.iter().any(|(_, detail)| detail.contains(text));
    assert!(said("34 different resources within 1h; at most 8 in 300 episodes"), "{found:?}");
    // What is refused touches nothing, when it is learned as when it is judged.
    let denied = json!({"errorCode": "AccessDenied"});
    let limits = learned(&config, &denied).limits();
    assert!(limits.iter().all(|limit| limit.class != RateClass::Resources), "{limits:?}");
    let refused = of(session(900, TODAY, READS, &denied));
    assert!(refused.iter().all(|(what, _)| !what.starts_with("resources ")), "{refused:?}");
}

/// Which calls have which verdict, and why. How much else is known of a call depends on whether it had to
/// be set aside.
pub(crate) fn verdicts(scored: &[Scored]) -> Vec<(EventId, &Assessment)> {
    scored.iter().map(|one| (one.call.id, &one.assessment)).collect()
}

#[test]
fn late_and_repeated_deliveries_change_no_count_live_or_not() {
    let config = Config::parse("version = 1\n").unwrap();
    let model = model(&config);
    let thief = session(900, TODAY, READS, &json!({}));
    let wanted = scored(&config, &model, std::slice::from_ref(&thief), false);
    assert!(!wanted.is_empty(), "an empty test proves nothing");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in 0..6 {
        let mut rng = Rng::new(seed);
        let mut records: Vec<Value> = thief.iter().chain(thief.iter().take(20)).cloned().collect();
        rng.shuffle(&mut records);
        let pages = rng.split(records, 4);
        let got = scored(&config, &model, &pages, false);
        assert_eq!(verdicts(&got), verdicts(&wanted));
        let directory = tempfile::tempdir().unwrap();
        let state = EmbeddedState::open(directory.path()).unwrap();
        let live = Live::new(Models::Whole(&config, &model), &state, seed);
        let mut told = Vec::new();
        for (nth, records) in pages.iter().enumerate() {
            let pages = [(page(records), Provenance::Trail)];
            let now = time(TODAY + 1_000 + i64::try_from(nth).unwrap());
            let delivered = runtime.block_on(live.take_in(&pages, now)).unwrap();
            told = delivered.findings;
        }
        // The last delivery is looked at with all of them, and nobody was told of any.
        assert_eq!(verdicts(&told), verdicts(&wanted));
    }
}
