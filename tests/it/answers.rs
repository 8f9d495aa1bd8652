//! What follows from what people answer: once, whoever hears it, and also when nobody does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tripline_baseline::{Approval, Baseline, Decisions, promote};
use tripline_chat::{Heard, Markup, Message, SigningKey, Stage, Wanted, Who};
use tripline_cloudtrail::EventTime;
use tripline_containment::{
    Declined, Description, Dialogue, Event, Failure, Ledger, Place, Press, Response, Subject, Way,
};
use tripline_detector::{Budgets, Calibration, Invariants, Score, Verdict};
use tripline_engine::{
    Batch, Config, Filter, LiveIncident, Mode, Model, Permit, Pressing, Provenance, Purpose,
    is_sensitive,
};
use tripline_iam::AccountId;
use tripline_runtime::{
    Clock, Delivered, Desk, EmbeddedState, Journal, Live, Models, Page, Patience, Responder, Store,
    StoreError, Switch, expectations, to_be_told,
};
use tripline_text::Untrusted;

const CONFIG: &str = "version = 1\n[[people]]\nname = \"alice\"\nslack = \"UA\"\n\
                      may = [\"approve\", \"reject\", \"expect\"]\n";
pub(crate) const DAY: i64 = 86_400;
/// The first day of what is learned, and the day of what is not.
const FIRST: i64 = 1_790_000_000;
pub(crate) const TODAY: i64 = FIRST + 40 * DAY;

/// The clock stands still.
#[derive(Clone, Copy)]
struct At(i64);

impl Clock for At {
    fn now_unix_ms(&self) -> i64 {
        self.0 * 1_000
    }

    async fn sleep(&self, _: u64) {}
}

/// An action log that two processes add to.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Vec<String>>>);

impl Store for Shared {
    async fn lines(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn append(&self, from: u64, lines: &[String]) -> Result<(), StoreError> {
        let mut all = self.0.lock().unwrap();
        if all.len() as u64 != from {
            return Err(StoreError::Conflict);
        }
        all.extend_from_slice(lines);
        Ok(())
    }
}

/// What stands where in an account whose roles nobody may describe; without, nobody may do anything.
#[derive(Default)]
struct Account(Option<Mutex<BTreeMap<Place, String>>>);

impl Account {
    fn documents(&self) -> Result<std::sync::MutexGuard<'_, BTreeMap<Place, String>>, Failure> {
        Ok(self.0.as_ref().ok_or(Failure::AccessDenied)?.lock().unwrap())
    }
}

impl Responder for Account {
    async fn read(&self, place: &Place) -> Result<Option<String>, Failure> {
        let stands = self.documents()?.get(place).cloned();
        let trust = r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned();
        Ok(stands.or_else(|| matches!(place, Place::Trust { .. }).then_some(trust)))
    }

    async fn write(&self, _: &Permit, place: &Place, to: Option<&str>) -> Result<(), Failure> {
        match to {
            Some(to) => self.documents()?.insert(place.clone(), to.to_owned()),
            None => self.documents()?.remove(place),
        };
        Ok(())
    }

    async fn describe(&self, _: &Subject) -> Result<Description, Failure> {
        Err(Failure::AccessDenied)
    }

    async fn find(&self, _: AccountId) -> Result<Vec<(Place, String)>, Failure> {
        Err(Failure::AccessDenied)
    }
}

pub(crate) fn time(secs: i64) -> EventTime {
    EventTime::from_unix_secs(secs).unwrap()
}

fn record(at: i64, nth: u64, more: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.11", "eventTime": time(at).to_string(), "awsRegion": "eu-central-1",
        "sourceIPAddress": "203.0.113.9", "userAgent": "Boto3/1.43 md/Botocore#1.43",
        "eventID": format!("00000000-0000-4000-8000-{nth:012x}"), "eventType": "AwsApiCall",
        "managementEvent": true, "recipientAccountId": "111122223333", "readOnly": true,
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record
}

/// A session of the agent: it reads two things, and then does what is given.
pub(crate) fn session(nth: u64, at: i64, then: &[Value]) -> Vec<Value> {
    let key = format!("ASIA{nth:016}");
    let role = "arn:aws:iam::111122223333:role/Agents";
    let identity = json!({
        "type": "AssumedRole", "principalId": format!("AROAEXAMPLEROLEID:s{nth}"),
        "arn": format!("arn:aws:sts::111122223333:assumed-role/Agents/s{nth}"),
        "accountId": "111122223333", "accessKeyId": key,
        "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLEROLEID",
            "arn": role, "accountId": "111122223333", "userName": "Agents"},
            "attributes": {"creationDate": time(at).to_string(), "mfaAuthenticated": "false"}},
    });
    let mint = record(
        at,
        nth * 100,
        json!({
            "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole",
            "userIdentity": {"type": "AWSService", "invokedBy": "ecs.amazonaws.com"},
            "requestParameters": {"roleArn": role, "roleSessionName": format!("s{nth}"),
                "tags": [{"key": "AgentID", "value": "oncall"}], "durationSeconds": 3600},
            "responseElements": {"credentials": {"accessKeyId": key},
                "assumedRoleUser": {"assumedRoleId": format!("AROAEXAMPLEROLEID:s{nth}"),
                    "arn": format!("arn:aws:sts::111122223333:assumed-role/Agents/s{nth}")}},
        }),
    );
    let usual = [
        json!({"eventSource": "logs.amazonaws.com", "eventName": "DescribeLogGroups"}),
        json!({"eventSource": "monitoring.amazonaws.com", "eventName": "DescribeAlarms"}),
    ];
    let calls = usual.iter().chain(then).enumerate().map(|(call, what)| {
        let mut more = what.clone();
        more.as_object_mut().unwrap().insert("userIdentity".to_owned(), identity.clone());
        let call = u64::try_from(call).unwrap() + 1;
        record(at + i64::try_from(call).unwrap(), nth * 100 + call, more)
    });
    std::iter::once(mint).chain(calls).collect()
}

/// What the agent never did: from elsewhere, with another tool, it asks for secrets.
pub(crate) fn odd() -> Vec<Value> {
    ["GetSecretValue", "ListSecrets"]
        .map(|name| {
            json!({"eventSource": "secretsmanager.amazonaws.com", "eventName": name,
                "sourceIPAddress": "198.51.100.7", "userAgent": "curl/8.5.0",
                "requestParameters": {"secretId": "prod/db"}})
        })
        .to_vec()
}

pub(crate) fn page(records: &[Value]) -> Page {
    let bytes = json!({"Records": records}).to_string().into_bytes();
    Page { file: Arc::new(Untrusted::borrowed("a.json")), bytes }
}

/// What is known of the agent, which has done the same for a month, ten times a day; by any name.
pub(crate) fn baseline(config: &Config, agent: &str) -> Baseline {
    baseline_of(config, &|records| named(records, agent))
}

/// The same of whoever's records these are.
pub(crate) fn baseline_of(config: &Config, changed: &dyn Fn(Vec<Value>) -> Vec<Value>) -> Baseline {
    let empty = Model::new(Invariants::default(), Vec::new()).unwrap();
    let filter = Filter::default();
    let mut batch = Batch::new(config, &empty, &filter, Purpose::Learn, 1);
    for nth in 0..300 {
        let at = FIRST + i64::try_from(nth).unwrap() * DAY / 10;
        let Page { file, bytes } = page(&changed(session(nth, at, &[])));
        batch.read(&file, &bytes);
    }
    let learned = batch.finish(config).unwrap().baselines.remove(0);
    let by = Approval::new("somebody", time(TODAY), "a test").unwrap();
    promote(None, &learned, &Decisions::default(), &is_sensitive, &by).unwrap().next
}

/// The same, done by an agent of another name.
pub(crate) fn named(records: Vec<Value>, agent: &str) -> Vec<Value> {
    let named = Value::from(records).to_string().replace("\"oncall\"", &format!("\"{agent}\""));
    serde_json::from_str(&named).unwrap()
}

/// A model that knows the agent.
pub(crate) fn learned(config: &Config) -> Model {
    let model = Model::new(Invariants::default(), Vec::new()).unwrap();
    model.with_learned([Ok::<_, ()>(baseline(config, "oncall"))], 1).unwrap()
}

/// The same with lines to be killed by.
pub(crate) fn model(config: &Config) -> Model {
    let mut calibration = Calibration::default();
    let benign = std::iter::once((Score::default(), 3_000));
    calibration.add(&Untrusted::borrowed("oncall"), 3_000, 42_000, benign);
    learned(config).with_calibration(calibration, Budgets::default())
}

struct Scene {
    config: Config,
    model: Model,
    state: EmbeddedState,
    log: Shared,
    account: Account,
    mode: Mode,
    _directory: tempfile::TempDir,
}

/// What hears what is pressed, once.
struct Process {
    journal: Journal<Shared>,
    clock: At,
}

impl Scene {
    fn new(mode: Mode, settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::parse(&format!("{CONFIG}{settings}")).unwrap();
        Self {
            model: model(&config),
            config,
            state: EmbeddedState::open(directory.path()).unwrap(),
            log: Shared::default(),
            account: Account::default(),
            mode,
            _directory: directory,
        }
    }

    /// The same, in an account that lets itself be written to.
    fn writable(self) -> Self {
        Self { account: Account(Some(Mutex::default())), ..self }
    }

    /// With what people expect by now.
    async fn live(&self) -> Live<'_, EmbeddedState> {
        let live = Live::new(Models::Whole(&self.config, &self.model), &self.state, 1);
        live.expecting(expectations(&self.state).await.unwrap())
    }

    async fn deliver(&self, records: &[Value], now: i64) -> Delivered {
        let (live, pages) = (self.live().await, [(page(records), Provenance::Trail)]);
        let delivered = live.take_in(&pages, time(now)).await.unwrap();
        live.told(&delivered).await.unwrap();
        delivered
    }

    async fn process(&self, now: i64) -> Process {
        let actor = Untrusted::borrowed("test");
        Process { journal: Journal::open(self.log.clone(), actor).await.unwrap(), clock: At(now) }
    }

    fn desk<'a>(
        &'a self,
        process: &'a Process,
        live: &'a Live<'a, EmbeddedState>,
    ) -> Desk<'a, Account, Shared, At, EmbeddedState, EmbeddedState> {
        static NONE: BTreeMap<String, SigningKey> = BTreeMap::new();
        Desk {
            switch: Switch {
                responder: &self.account,
                journal: &process.journal,
                clock: &process.clock,
                mode: self.mode,
                brakes: &self.config.brakes,
                patience: Patience::default(),
            },
            live,
            remembered: &self.state,
            config: &self.config,
            passphrases: &NONE,
        }
    }

    /// Tells of an incident; the message.
    async fn tell(&self, incident: &LiveIncident, now: i64) -> Message {
        let (process, live) = (self.process(now).await, self.live().await);
        let desk = self.desk(&process, &live);
        let pulled = desk.switch.pull(incident).await.unwrap();
        let message = Message::of(&incident.incident, &pulled.outcome(time(now)));
        desk.ask(incident, &pulled, message).await.unwrap()
    }

    /// Tells of an incident, and presses that it was expected.
    async fn expect(&self, incident: &LiveIncident, now: i64) -> Heard {
        let message = self.tell(incident, now).await;
        assert_eq!(message.answers.is_expectable, incident.incident.can_be_expected());
        let (process, live) = (self.process(now).await, self.live().await);
        let wanted = wanted(&message, Press::Expect);
        self.desk(&process, &live).hear(&wanted, None).await.unwrap()
    }

    /// Presses under a message.
    async fn press(&self, message: &Message, press: Press, now: i64) -> Heard {
        let (process, live) = (self.process(now).await, self.live().await);
        self.desk(&process, &live).hear(&wanted(message, press), None).await.unwrap()
    }

    async fn look<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        self.process(TODAY).await.journal.look(look).await
    }
}

/// What alice presses under a message.
fn wanted(message: &Message, press: Press) -> Wanted {
    let pressing = Pressing { press, way: Way::Slack, round: message.answers.round };
    let who = Who::OfSlack(Untrusted::borrowed("UA"));
    Wanted { incident: message.incident, pressing, who }
}

/// What is new to the agent, and does no harm.
fn unusual() -> Value {
    json!({"eventSource": "logs.amazonaws.com", "eventName": "DescribeLogStreams",
        "sourceIPAddress": "198.51.100.7", "userAgent": "curl/8.5.0"})
}

/// What a rule kills for.
fn stop_logging() -> Value {
    json!({"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging",
        "readOnly": false, "requestParameters": {"name": "trail"}})
}

#[tokio::test]
async fn what_a_person_expects_is_silent_at_once_and_until_it_ends() {
    let scene = Scene::new(Mode::Observe, "");
    let named = scene.live().await.model_id();
    let first = scene.deliver(&session(1_000, TODAY, &odd()), TODAY + 60).await;
    assert_eq!(first.incidents.len(), 1, "{first:#?}");
    let incident = &first.incidents[0];
    assert!(incident.incident.can_be_expected());
    assert_eq!(scene.expect(incident, TODAY + 120).await, Heard::Done(Press::Expect));
    // What a verdict rests on has another name.
    assert_ne!(scene.live().await.model_id(), named);
    let id = incident.incident.target.incident;
    let spared = |ledger: &Ledger| ledger.dialogue(id).and_then(Dialogue::spared).cloned();
    let spared = scene.look(spared).await.unwrap();
    assert_eq!(spared.person.as_unescaped(), "alice");
    assert_eq!(spared.expected_until, Some(TODAY + 120 + 7 * DAY));

    let again = scene.deliver(&session(1_001, TODAY + 3_600, &odd()), TODAY + 3_700).await;
    assert!(again.findings.is_empty(), "{again:#?}");
    // The incident is the agent's, who has one more session now; it is left alone.
    for grown in &again.incidents {
        assert_eq!(grown.incident.target.incident, id);
        let message = scene.tell(grown, TODAY + 3_700).await;
        assert_eq!(message.stage, Stage::LeftAlone);
    }
    // What was not pressed is not expected.
    let mut other = odd();
    other.push(json!({"eventSource": "ssm.amazonaws.com", "eventName": "GetParameter",
        "requestParameters": {"name": "/prod/key"}}));
    let more = scene.deliver(&session(1_002, TODAY + 7_200, &other), TODAY + 7_300).await;
    assert!(!more.findings.is_empty());
    let after = TODAY + 8 * DAY;
    let after = scene.deliver(&session(1_003, after, &odd()), after + 60).await;
    assert_eq!(after.incidents.len(), 1, "{after:#?}");
}

#[tokio::test]
async fn what_a_rule_forbids_cannot_be_expected_away() {
    let scene = Scene::new(Mode::Observe, "");
    let told = scene.deliver(&session(1_000, TODAY, &[stop_logging()]), TODAY + 60).await;
    assert!(!told.incidents[0].incident.can_be_expected());
    let heard = scene.expect(&told.incidents[0], TODAY + 120).await;
    assert_eq!(heard, Heard::Declined(Declined::Rule));
    assert!(expectations(&scene.state).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_two_functions_that_hear_the_same_press_one_does_it() {
    let scene = Scene::new(Mode::Approve, "");
    let told = scene.deliver(&session(1_000, TODAY, &[stop_logging()]), TODAY + 60).await;
    let message = scene.tell(&told.incidents[0], TODAY + 60).await;
    assert_eq!(message.answers.presses, [Press::Approve, Press::Reject]);
    // Both have read the log when neither has heard anything.
    let (one, other) = (scene.process(TODAY + 90).await, scene.process(TODAY + 90).await);
    let (live, wanted) = (scene.live().await, wanted(&message, Press::Approve));
    let heard = scene.desk(&one, &live).hear(&wanted, None).await.unwrap();
    assert_eq!(heard, Heard::Done(Press::Approve));
    let heard = scene.desk(&other, &live).hear(&wanted, None).await.unwrap();
    assert_eq!(heard, Heard::Declined(Declined::Done));
    let log = scene.log.lines().await.unwrap().join("\n");
    assert_eq!(log.matches(r#""event":{"decided":"#).count(), 1, "{log}");
    assert_eq!(log.matches(r#""event":{"pressed":"#).count(), 2, "{log}");
    let actor = |ledger: &Ledger| ledger.case(message.incident).unwrap().actor.clone();
    assert_eq!(scene.look(actor).await.as_unescaped(), "alice");
}

#[tokio::test]
async fn what_was_pressed_and_not_done_is_done_by_whoever_comes_by() {
    let scene = Scene::new(Mode::Approve, "");
    let told = scene.deliver(&session(1_000, TODAY, &[stop_logging()]), TODAY + 60).await;
    let message = scene.tell(&told.incidents[0], TODAY + 60).await;
    // Whoever wrote it down went no further.
    let dead = scene.process(TODAY + 90).await;
    let pressed = Event::Pressed {
        press: Press::Approve,
        way: Way::Slack,
        address: None,
        person: Untrusted::borrowed("alice"),
        declined: None,
        missing: 0,
    };
    let at = (TODAY + 90) * 1_000;
    dead.journal.append(Some(message.incident), at, pressed).await.unwrap();
    let is_decided = |ledger: &Ledger| ledger.case(message.incident).is_some();
    let live = scene.live().await;
    for (secs, is_done) in [(100, false), (130, true)] {
        let process = scene.process(TODAY + secs).await;
        scene.desk(&process, &live).tick().await.unwrap();
        assert_eq!(scene.look(is_decided).await, is_done, "after {secs} s");
    }
}

const FENCED: &str = "[containment]\ndata_events_logged = []\n";

#[tokio::test]
async fn a_plan_that_nobody_answers_ends_in_a_fence_where_that_is_so_configured() {
    let fence = "[approvals]\nunanswered = \"fence\"\nanswer_minutes = 10\n";
    assert!(Config::parse(&format!("{CONFIG}{fence}")).is_err(), "nobody knows what it would cut");
    let scene = Scene::new(Mode::Approve, &format!("{fence}{FENCED}")).writable();
    let told = scene.deliver(&session(1_000, TODAY, &[stop_logging()]), TODAY + 60).await;
    let message = scene.tell(&told.incidents[0], TODAY + 60).await;
    assert_eq!(message.stage, Stage::Waiting);
    let live = scene.live().await;
    let response = |ledger: &Ledger| {
        let case = ledger.case(message.incident).filter(|case| case.closed.is_none())?;
        Some((case.plan.response, case.is_automatic))
    };
    let fenced = |at| Some((Response::Fence { until_unix_secs: TODAY + at + 1_800 }, true));
    // Held to its known work until somebody answers: the next fence stands before the one ends.
    let (first, next) = (fenced(660), fenced(2_400));
    let steps = [(659, None), (660, first), (720, first), (2_339, first), (2_400, next)];
    for (secs, expected) in steps {
        let process = scene.process(TODAY + secs).await;
        let desk = scene.desk(&process, &live);
        desk.tick().await.unwrap();
        desk.switch.tick(&scene.state).await.unwrap();
        assert_eq!(scene.look(response).await, expected, "after {secs} s");
    }
    // What waits may be answered all the while.
    let message = scene.tell(&told.incidents[0], TODAY + 2_500).await;
    assert_eq!(message.stage, Stage::Waiting, "{}", message.done_text());
    let presses = [Press::Approve, Press::Reject, Press::Restore];
    assert_eq!(message.answers.presses, presses);
    assert!(message.done_text().contains("held to its known work on its own"), "{message:#?}");
    assert_eq!(scene.press(&message, Press::Approve, TODAY + 2_510).await, Heard::Done(presses[0]));
    assert_eq!(scene.look(response).await, Some((Response::Kill, false)));
}

#[tokio::test]
async fn an_incident_opens_with_an_alert_and_is_the_same_when_it_is_worse() {
    let mut scene = Scene::new(Mode::Approve, FENCED);
    // Without lines what is new is told, and no more.
    scene.model = learned(&scene.config);
    let all = session(1_000, TODAY, &[unusual(), stop_logging()]);
    let (last, first) = all.split_last().unwrap();
    let told = scene.deliver(first, TODAY + 60).await;
    assert_eq!(told.incidents.len(), 1, "{told:#?}");
    let alert = scene.tell(&told.incidents[0], TODAY + 60).await;
    assert_eq!((alert.stage, alert.verdict), (Stage::Alert, Some(Verdict::Alert)), "{alert:#?}");
    assert_eq!(alert.answers.presses, [Press::Expect]);
    assert!(alert.headline.write(Markup::Terminal, 200).ends_with("which is unusual for it"));
    let told = scene.deliver(std::slice::from_ref(last), TODAY + 90).await;
    let kill = scene.tell(&told.incidents[0], TODAY + 90).await;
    assert_eq!((kill.incident, kill.stage), (alert.incident, Stage::Waiting));
    assert_eq!(kill.verdict, Some(Verdict::Kill));
}

#[tokio::test]
async fn who_approves_a_fence_does_not_approve_a_kill() {
    let scene = Scene::new(Mode::Approve, FENCED).writable();
    let new = json!({"eventSource": "secretsmanager.amazonaws.com", "eventName": "GetSecretValue",
        "requestParameters": {"secretId": "prod/db"}});
    let told = scene.deliver(&session(1_000, TODAY, std::slice::from_ref(&new)), TODAY + 60).await;
    let fence = scene.tell(&told.incidents[0], TODAY + 60).await;
    assert!(matches!(fence.answers.waits, Some(Response::Fence { .. })), "{fence:#?}");
    // It does more before anybody answers.
    let grown = scene.deliver(&session(1_000, TODAY, &[new, stop_logging()]), TODAY + 90).await;
    let response = |ledger: &Ledger| ledger.case(fence.incident).unwrap().plan.response;
    let heard = scene.press(&fence, Press::Approve, TODAY + 100).await;
    assert_eq!(heard, Heard::Done(Press::Approve));
    assert!(matches!(scene.look(response).await, Response::Fence { .. }));
    // People are asked about that by a question of its own.
    let kill = scene.tell(grown.incidents.last().unwrap(), TODAY + 110).await;
    assert_eq!(kill.answers.waits, Some(Response::Kill));
    let heard = scene.press(&fence, Press::Approve, TODAY + 120).await;
    assert_eq!(heard, Heard::Declined(Declined::Outdated));
    let heard = scene.press(&kill, Press::Approve, TODAY + 130).await;
    assert_eq!(heard, Heard::Done(Press::Approve));
    assert_eq!(scene.look(response).await, Response::Kill);
}

#[tokio::test]
async fn what_only_a_message_tells_does_not_cover_what_may_be_answered() {
    let all = session(1_000, TODAY, &[unusual(), stop_logging()]);
    let (last, known) = all.split_last().unwrap();
    let said =
        [(page(known), Provenance::Trail), (page(std::slice::from_ref(last)), Provenance::Event)];
    // A fence that may be approved is told, rather than a kill of which nobody knows yet; an alert is not.
    for (is_armed, expected) in [(true, Stage::Waiting), (false, Stage::Open)] {
        let mut scene = Scene::new(Mode::Approve, FENCED).writable();
        if !is_armed {
            scene.model = learned(&scene.config);
        }
        let live = scene.live().await;
        let delivered = live.take_in(&said, time(TODAY + 60)).await.unwrap();
        let certain: Vec<bool> = delivered.incidents.iter().map(|one| one.is_confirmed).collect();
        assert_eq!(certain, [true, false]);
        let process = scene.process(TODAY + 60).await;
        let desk = scene.desk(&process, &live);
        let mut looked_at = Vec::new();
        for incident in &delivered.incidents {
            let pulled = desk.switch.pull(incident).await.unwrap();
            let message = Message::of(&incident.incident, &pulled.outcome(time(TODAY + 60)));
            looked_at.push((Some(pulled), message));
        }
        let told = to_be_told(looked_at);
        assert_eq!(told.iter().map(|one| one.stage).collect::<Vec<_>>(), [expected], "{told:#?}");
    }
}

#[tokio::test]
async fn who_expects_what_is_unusual_does_not_expect_what_a_rule_forbids() {
    let mut scene = Scene::new(Mode::Approve, FENCED).writable();
    scene.model = learned(&scene.config);
    let all = session(1_000, TODAY, &[unusual(), stop_logging()]);
    let (late, known) = all.split_last().unwrap();
    let told = scene.deliver(known, TODAY + 60).await;
    let alert = scene.tell(&told.incidents[0], TODAY + 60).await;
    let heard = scene.press(&alert, Press::Expect, TODAY + 100).await;
    assert_eq!(heard, Heard::Done(Press::Expect));
    // It was made before that, and is delivered after.
    let told = scene.deliver(std::slice::from_ref(late), TODAY + 120).await;
    let kill = scene.tell(&told.incidents[0], TODAY + 120).await;
    assert_eq!((kill.stage, kill.verdict), (Stage::Waiting, Some(Verdict::Kill)), "{kill:#?}");
}

#[tokio::test]
async fn a_plan_that_nobody_answers_waits_or_is_carried_out_within_the_brakes() {
    let kill = "[approvals]\nunanswered = \"kill\"\nanswer_minutes = 10\n";
    let held = format!("{kill}[brakes]\nautomatic = false\n");
    for (settings, is_killed) in [(kill, true), ("", false), (&held, false)] {
        let scene = Scene::new(Mode::Approve, settings);
        let told = scene.deliver(&session(1_000, TODAY, &[stop_logging()]), TODAY + 60).await;
        let message = scene.tell(&told.incidents[0], TODAY + 60).await;
        let live = scene.live().await;
        let is_automatic =
            |ledger: &Ledger| ledger.case(message.incident).map(|case| case.is_automatic);
        for (secs, expected) in [(659, None), (660, is_killed.then_some(true))] {
            let process = scene.process(TODAY + secs).await;
            scene.desk(&process, &live).tick().await.unwrap();
            assert_eq!(scene.look(is_automatic).await, expected, "{settings} after {secs} s");
        }
    }
}
