//! An account's event history: read like logs, watched, and asked before a kill that rests on a message.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::service::{Answer, Asked, Service};
use crate::world::{HOME, World};

const AGENTS: &str = "arn:aws:iam::123456789012:role/Agents";
const REGIONS: [&str; 2] = ["eu-central-1", "us-east-1"];

/// Events to a page: few, so that there are several.
const PAGE: usize = 2;

/// Event histories as CloudTrail has them: by Region, newest first, in pages, and not always at once.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    events: Mutex<Vec<Value>>,
    /// Calls, and those of them that were refused for being too many.
    calls: AtomicUsize,
    throttled: Mutex<BTreeSet<String>>,
}

impl Histories {
    /// How often it was asked.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Has these events from now on.
    pub(crate) fn tell(&self, events: Vec<Value>) {
        *self.events.lock().unwrap() = events;
    }

    pub(crate) fn serve(self: &Arc<Self>) -> Service {
        let histories = Arc::clone(self);
        Service::start(move |asked| histories.answer(asked))
    }

    fn answer(&self, asked: &Asked) -> Answer {
        if asked.path.starts_with("/listRegions") {
            let regions: Vec<Value> =
                REGIONS.iter().map(|name| json!({"RegionName": name})).collect();
            let body = json!({"Regions": regions}).to_string();
            return Answer { status: 200, kind: "application/json", body };
        }
        if asked.body.contains("GetCallerIdentity") {
            let body = format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>arn:aws:iam::{HOME}:user/u</Arn><UserId>AIDA</UserId><Account>{HOME}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
            );
            return Answer { status: 200, kind: "text/xml", body };
        }
        assert!(asked.target.ends_with("LookupEvents"), "{asked:?}");
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.throttled.lock().unwrap().insert(asked.region.clone()) {
            return Answer::json(
                400,
                &json!({"__type": "ThrottlingException", "message": "Rate exceeded"}),
            );
        }
        let wanted: Value = serde_json::from_str(&asked.body).unwrap();
        let events = self.events.lock().unwrap();
        let mut found: Vec<&Value> = events
            .iter()
            .filter(|event| {
                event["awsRegion"] == asked.region.as_str() && is_wanted(event, &wanted)
            })
            .collect();
        found.sort_by_key(|event| std::cmp::Reverse(event["eventTime"].as_str().unwrap()));
        let from = wanted["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let told: Vec<Value> = found
            .iter()
            .skip(from)
            .take(PAGE)
            .map(|event| {
                json!({"EventId": event["eventID"], "ReadOnly": "false", "CloudTrailEvent": event.to_string()})
            })
            .collect();
        let mut answer = json!({"Events": told});
        if found.len() > from + PAGE {
            answer["NextToken"] = json!((from + PAGE).to_string());
        }
        Answer::json(200, &answer)
    }
}

fn is_wanted(event: &Value, wanted: &Value) -> bool {
    let time =
        event["eventTime"].as_str().unwrap().parse::<Timestamp>().unwrap().as_second() as f64;
    let start = wanted["StartTime"].as_f64().is_none_or(|start| time >= start);
    let end = wanted["EndTime"].as_f64().is_none_or(|end| time <= end);
    let attribute = wanted["LookupAttributes"].get(0);
    start
        && end
        && attribute.is_none_or(|attribute| {
            assert_eq!(attribute["AttributeKey"], "EventId");
            attribute["AttributeValue"] == event["eventID"]
        })
}

/// An agent that stopped the trail, in the logs of the emulator's world; all records of it.
fn records(world: &mut World) -> Vec<Value> {
    world.tell(json!({"do": "user", "account": HOME, "name": "runner", "id": "runner",
        "inline": {"all": crate::world::ALLOW_ALL}}));
    world.role(HOME, "Agents", &["arn:aws:iam::123456789012:root"]);
    world.session("runner", "hijacked", AGENTS, &[("AgentID", "oncall")]);
    for service in ["s3", "sqs", "sns"] {
        assert!(!world.is_denied("hijacked", service));
    }
    world.ask(json!({"do": "stop_logging", "id": "hijacked"}));
    let mut records = world.tell(json!({"do": "records"}))["records"].as_array().unwrap().clone();
    // Some of it elsewhere.
    for record in records.iter_mut().skip(1).step_by(3) {
        record["awsRegion"] = json!(REGIONS[0]);
    }
    records
}

#[test]
fn an_event_history_is_read_as_a_file_of_it_is() {
    let Some(mut world) = World::start() else { return };
    let histories = Arc::new(Histories::default());
    let records = records(&mut world);
    let file = world.directory.path().join("trail.json");
    std::fs::write(&file, json!({"Records": records}).to_string()).unwrap();
    histories.tell(records);
    let service = histories.serve();
    let run = |place: &str| {
        let arguments = ["score", "--all", "--format", "ndjson", "--since", "1h", place];
        let ended = service.tripline().args(arguments).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        tripline_tests::stdout(&ended)
    };
    let expected = run(&file.display().to_string());
    assert!(expected.contains("StopLogging"), "{expected}");
    assert_eq!(run("lookup-events://"), expected);
    assert_eq!(run("lookup-events://us-east-1,eu-central-1?days=2"), expected);
    assert_eq!(histories.throttled.lock().unwrap().len(), REGIONS.len());
    // One Region's is what that Region has.
    let some = run("lookup-events://eu-central-1");
    assert!(!some.is_empty() && some.len() < expected.len(), "{some}");
}

#[test]
fn an_event_history_is_watched_and_each_event_told_once() {
    let Some(mut world) = World::start() else { return };
    let histories = Arc::new(Histories::default());
    let mut records = records(&mut world);
    let last = records.pop().unwrap();
    histories.tell(records);
    let service = histories.serve();
    let watch = || {
        let mut command = service.tripline();
        command.env("TRIPLINE_STATE", world.directory.path().join("watched"));
        command.args(["watch", "--once", "--format", "ndjson", "lookup-events://?days=1"]);
        let ended = command.output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        (tripline_tests::stdout(&ended), tripline_tests::stderr(&ended))
    };
    let (told, counted) = watch();
    assert!(
        !told.contains("StopLogging") && !counted.contains("records 0 seen"),
        "{told}{counted}"
    );
    histories.events.lock().unwrap().push(last);
    let (told, _) = watch();
    assert_eq!(told.lines().filter(|line| line.contains("StopLogging")).count(), 1, "{told}");
    let (told, _) = watch();
    assert_eq!(told, "");
}
