//! All of it, live: agents act, records come as CloudTrail would deliver them, the functions run as the
//! programs that they are, and the agent's next call is denied.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::history::Histories;
use crate::world::{HOME, World};

pub(crate) const AGENTS: &str = "arn:aws:iam::123456789012:role/Agents";
const SOMEBODY: &str = "arn:aws:iam::123456789012:root";
pub(crate) const OBJECT: &str = "AWSLogs/123456789012/CloudTrail/us-east-1/2026/11/20/a.json.gz";

/// The functions deployed, a hijacked agent at work and one beside it.
pub(crate) fn deployed(mode: &str) -> Option<World> {
    deployed_with(mode, &json!({}))
}

pub(crate) fn deployed_with(mode: &str, environment: &Value) -> Option<World> {
    let mut world = World::start()?;
    for role in ["Detector", "Responder", "Desk"] {
        world.role(HOME, role, &[SOMEBODY]);
    }
    world.role(HOME, "Agents", &[SOMEBODY]);
    let program = bootstrap(world.directory.path());
    world.tell(json!({
        "do": "deploy", "program": program, "mode": mode, "environment": environment,
        "detector": "arn:aws:iam::123456789012:role/Detector",
        "responder": "arn:aws:iam::123456789012:role/Responder",
        "desk": "arn:aws:iam::123456789012:role/Desk",
    }));
    world.tell(json!({"do": "user", "account": HOME, "name": "runner", "id": "runner",
        "inline": {"all": crate::world::ALLOW_ALL}}));
    world.session("runner", "hijacked", AGENTS, &[("AgentID", "oncall")]);
    world.session("runner", "other", AGENTS, &[("AgentID", "reports")]);
    for id in ["hijacked", "other"] {
        assert!(!world.is_denied(id, "s3"));
    }
    world.tell(json!({"do": "stop_logging", "id": "hijacked"}));
    assert!(!world.is_denied("hijacked", "s3"));
    Some(world)
}

/// The functions' program, in a file of its own.
fn bootstrap(directory: &Path) -> PathBuf {
    let program = directory.join("bootstrap");
    std::fs::copy(tripline_tests::function(), &program).unwrap();
    // Without its symbols it is a third as long; where there is no `strip`, longer.
    let _ = Command::new("strip").arg(&program).status();
    program
}

/// Waits until a session is denied; how long that took.
pub(crate) fn until_denied(world: &mut World, id: &str) -> Duration {
    until_denied_at(world, id, "s3")
}

/// The same of one service.
pub(crate) fn until_denied_at(world: &mut World, id: &str, service: &str) -> Duration {
    let started = Instant::now();
    while !world.is_denied(id, service) {
        assert!(started.elapsed() < Duration::from_secs(60), "{}", log(world));
        std::thread::sleep(Duration::from_millis(20));
    }
    started.elapsed()
}

pub(crate) fn log(world: &World) -> String {
    std::fs::read_to_string(world.directory.path().join("emulator.log")).unwrap()
}

fn is_other_at_work(world: &mut World) -> bool {
    !world.is_denied("other", "s3") && !world.is_denied("runner", "sqs")
}

#[test]
fn an_object_in_the_bucket_stops_the_agent_by_way_of_a_queue() {
    let Some(mut world) = deployed("enforce") else { return };
    world.tell(json!({"do": "deliver", "key": OBJECT}));
    let took = until_denied(&mut world, "hijacked");
    println!("from the object to the denied call: {} ms", took.as_millis());
    assert!(is_other_at_work(&mut world));
    // The way back in is closed too.
    assert!(world.is_kept_out("runner", AGENTS, &[("AgentID", "oncall")]));
    let policies = world.policies(HOME, "Agents");
    // It is contained, and once its refusals are in the logs it is seen to be.
    let tick = json!({"do": "invoke", "function": "responder", "event": {"tick": "now"}});
    assert_eq!(world.tell(tick.clone())["answer"]["proven"], 0);
    world.tell(json!({"do": "deliver", "key": OBJECT.replace("/a.", "/later.")}));
    let until = Instant::now() + Duration::from_secs(30);
    while world.tell(tick.clone())["answer"]["proven"] != 1 {
        assert!(Instant::now() < until, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(500));
    }
    // The same object once more changes nothing.
    world.tell(json!({"do": "deliver", "key": OBJECT.replace("/a.", "/again.")}));
    world.tell(json!({"do": "settle"}));
    assert_eq!(world.policies(HOME, "Agents"), policies);
}

#[test]
#[ignore = "a measurement, with nothing to fail: some minutes, in a release build"]
fn how_soon_after_its_object_an_agent_is_denied() {
    const ROUNDS: usize = 200;
    let brakes = "{ kills_per_hour = 999, kills_per_hour_per_account = 999, kills_per_hour_per_class = 999 }";
    let environment = json!({"TRIPLINE_BRAKES": brakes});
    let Some(mut world) = deployed_with("enforce", &environment) else { return };
    let mut times: Vec<Duration> = Vec::new();
    for nth in 0..ROUNDS {
        let (id, role) = (format!("agent{nth}"), format!("Agents{nth}"));
        world.role(HOME, &role, &[SOMEBODY]);
        let role = format!("arn:aws:iam::{HOME}:role/{role}");
        world.session("runner", &id, &role, &[("AgentID", &id)]);
        world.tell(json!({"do": "stop_logging", "id": id}));
        assert!(!world.is_denied(&id, "s3"));
        let key = OBJECT.replace("/a.", &format!("/{nth}."));
        world.tell(json!({"do": "deliver", "key": key, "news": true}));
        times.push(until_denied(&mut world, &id));
    }
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_millis();
    println!(
        "{ROUNDS} objects: p50 {}, p90 {}, p99 {}, most {} ms",
        at(50),
        at(90),
        at(99),
        at(100)
    );
    for (name, kilobytes) in peaks("bootstrap") {
        println!("{name}: {kilobytes} kB at its peak");
    }
}

/// The highest resident size of each process of this name, with the function that it serves.
fn peaks(program: &str) -> Vec<(String, u64)> {
    let processes = std::fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let peak = |process: PathBuf| {
        let read = |name: &str| std::fs::read(process.join(name)).ok();
        let text = |name: &str| Some(String::from_utf8_lossy(&read(name)?).into_owned());
        let is_it = text("comm")?.trim() == program;
        let environment = text("environ").filter(|_| is_it)?;
        let name = environment.split('\0').find_map(|it| it.strip_prefix("TRIPLINE_ROLE="))?;
        let status = text("status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some((name.to_owned(), peak.trim().trim_end_matches(" kB").parse().ok()?))
    };
    processes.filter_map(peak).collect()
}

#[test]
fn an_object_stops_the_agent_by_way_of_a_topic_and_a_queue() {
    let Some(mut world) = deployed("enforce") else { return };
    world.tell(json!({"do": "deliver", "key": format!("topic/{OBJECT}")}));
    until_denied(&mut world, "hijacked");
    assert!(is_other_at_work(&mut world));
}

#[test]
fn a_message_alone_kills_nobody_and_the_object_behind_it_does() {
    let Some(mut world) = deployed("enforce") else { return };
    let records = world.tell(json!({"do": "records"}))["records"].clone();
    for record in records.as_array().unwrap() {
        let event = json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
            "account": HOME, "detail": record});
        let answer = world.tell(json!({"do": "invoke", "function": "detector", "event": event}));
        assert_eq!(answer["answer"]["read"], 1, "{answer}");
    }
    // Nor does a forged one save anybody: it tells of the same credential as another agent's.
    let mut forged = records
        .as_array()
        .unwrap()
        .iter()
        .find(|record| record["requestParameters"]["roleSessionName"] == "hijacked")
        .unwrap()
        .clone();
    forged["requestParameters"]["tags"][0]["value"] = json!("somebody-else");
    forged["eventID"] = json!("11111111-2222-4333-8444-555555555555");
    let event = json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.sts",
        "account": HOME, "detail": forged});
    world.tell(json!({"do": "invoke", "function": "detector", "event": event}));
    world.tell(json!({"do": "settle"}));
    assert!(!world.is_denied("hijacked", "s3"), "{}", log(&world));
    // An object elsewhere, which anybody may have written.
    world.tell(json!({"do": "deliver", "key": "uploads/forged.json.gz"}));
    let forged = s3_event("uploads/forged.json.gz");
    let answer = world.tell(json!({"do": "invoke", "function": "detector", "event": forged}));
    assert_eq!(answer["answer"]["poison"], 1, "{answer}");
    let dead = world.tell(json!({"do": "waiting", "queue": "dead"}));
    let reason = dead["messages"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("not where a trail of ours writes"), "{reason}");
    assert!(!world.is_denied("hijacked", "s3"));
    // Its own object, by a notification of S3's own.
    world.tell(json!({"do": "deliver", "key": format!("quiet/{OBJECT}")}));
    let event = s3_event(&format!("quiet/{OBJECT}"));
    world.tell(json!({"do": "invoke", "function": "detector", "event": event}));
    until_denied(&mut world, "hijacked");
    assert!(is_other_at_work(&mut world));
}

#[test]
fn a_message_kills_once_cloudtrail_tells_the_same() {
    let histories = Arc::new(Histories::default());
    let service = histories.serve();
    let environment = json!({"AWS_ENDPOINT_URL_CLOUDTRAIL": service.url});
    let Some(mut world) = deployed_with("enforce", &environment) else { return };
    let records = world.tell(json!({"do": "records"}))["records"].as_array().unwrap().clone();
    // Somebody forges that the other agent did the same.
    let find = |name: &str, of: &str| {
        let is = |record: &&Value| {
            let text = record.to_string();
            record["eventName"] == name && text.contains(of)
        };
        records.iter().find(is).unwrap().clone()
    };
    let others = find("ListBuckets", "/other")["userIdentity"].clone();
    let mut forged = find("StopLogging", "/hijacked");
    forged["userIdentity"] = others;
    forged["eventID"] = json!("11111111-2222-4333-8444-555555555555");
    let tick = json!({"do": "invoke", "function": "responder", "event": {"tick": "now"}});
    for record in records.iter().chain([&forged]) {
        let event = json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
            "account": HOME, "detail": record});
        world.tell(json!({"do": "invoke", "function": "detector", "event": event}));
    }
    // CloudTrail was asked, and has none of it so far.
    let until = Instant::now() + Duration::from_secs(30);
    while histories.calls() == 0 {
        assert!(Instant::now() < until, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(100));
    }
    world.tell(tick.clone());
    assert!(!world.is_denied("hijacked", "s3"), "{}", log(&world));
    histories.tell(records);
    world.tell(tick);
    assert!(world.is_denied("hijacked", "s3"), "{}", log(&world));
    assert!(is_other_at_work(&mut world));
}

#[test]
fn in_observe_mode_nothing_is_written() {
    let Some(mut world) = deployed("observe") else { return };
    let before = world.policies(HOME, "Agents");
    let bus = json!({"detail-type": "Object Created", "source": "aws.s3", "detail": {
        "bucket": {"name": "trail-of-the-test"}, "object": {"key": format!("quiet/{OBJECT}")}}});
    world.tell(json!({"do": "deliver", "key": format!("quiet/{OBJECT}")}));
    let answer = world.tell(json!({"do": "invoke", "function": "detector", "event": bus}));
    assert_eq!(answer["answer"]["incidents"], 1, "{answer}");
    // Of a batch, what can never be read is put aside, and the rest is taken in.
    let record = |id: &str, body: &Value| json!({"eventSource": "aws:sqs", "messageId": id, "body": body.to_string()});
    let (good, gone) = (format!("quiet/{OBJECT}"), format!("quiet/{OBJECT}.gone"));
    let batch = json!({"Records": [
        record("good", &s3_event(&good)),
        record("gone", &s3_event(&gone)),
        record("strange", &json!({"hello": 1})),
    ]});
    let answer = world.tell(json!({"do": "invoke", "function": "detector", "event": batch}));
    let answer = &answer["answer"];
    assert_eq!((&answer["poison"], &answer["batchItemFailures"]), (&json!(2), &json!([])));
    assert!(answer["read"].as_u64().unwrap() > 3, "{answer}");
    // A single one that is missing.
    let missing = s3_event(&format!("quiet/{OBJECT}.gone"));
    let answer = world.tell(json!({"do": "invoke", "function": "detector", "event": missing}));
    assert_eq!(answer["answer"]["poison"], 1, "{answer}");
    world.tell(json!({"do": "settle"}));
    assert!(!world.is_denied("hijacked", "s3"));
    assert_eq!(world.policies(HOME, "Agents"), before);
}

#[test]
fn a_watch_on_one_machine_stops_the_agent_and_then_stops_itself() {
    let Some(mut world) = deployed("observe") else { return };
    world.session("runner", "responder", "arn:aws:iam::123456789012:role/Responder", &[]);
    let logs = world.logs();
    std::fs::create_dir_all(&logs).unwrap();
    let (url, posts) = chat();
    let mut watch = world.tripline("responder");
    watch.args(["watch", "--mode", "enforce", "--every", "1", "--format", "ndjson"]).arg(logs);
    watch.args(["--slack-webhook-env", "CHAT"]).env("CHAT", &url);
    let watch = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    world.write_logs();
    until_denied(&mut world, "hijacked");
    assert!(is_other_at_work(&mut world));
    let pid = watch.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = watch.wait_with_output().unwrap();
    let (out, err) = (tripline_tests::stdout(&ended), tripline_tests::stderr(&ended));
    assert_eq!(ended.status.code(), Some(0), "{err}");
    let kills = out.lines().filter(|line| line.contains(r#""verdict":"kill""#)).count();
    assert_eq!(kills, 1, "{out}");
    {
        let posts = posts.lock().unwrap();
        // That it holds may be told as well, once the logs show it.
        let killed: Vec<_> = posts.iter().filter(|post| post.contains("[KILLED]")).collect();
        assert_eq!(killed.len(), 1, "{posts:?}");
        let (killed, stopped) = (killed[0], "stopped on its own");
        assert!(killed.contains("oncall") && killed.contains(stopped), "{posts:?}");
    }
    // Another one goes on from there. More of the same is no news: nothing is told twice, and what was
    // done is on record.
    world.write_logs();
    let mut again = world.tripline("responder");
    let again = again.args(["watch", "--once", "--mode", "enforce", "--format", "ndjson"]);
    let again = again.args(["--slack-webhook-env", "CHAT"]).env("CHAT", url).arg(world.logs());
    let again = again.output().unwrap();
    assert_eq!(tripline_tests::stdout(&again), "");
    let killed = posts.lock().unwrap().iter().filter(|post| post.contains("[KILLED]")).count();
    assert_eq!(killed, 1);
    assert!(tripline_tests::stderr(&again).contains("records"), "{again:?}");
    let status = world.tripline("responder").arg("status").output().unwrap();
    assert!(tripline_tests::stdout(&status).contains("oncall"), "{status:?}");
    // What a person gave back stays given back, whatever the agent does that it may do.
    let mut restore = world.tripline("responder");
    let restore = restore.args(["restore", "--agent", "oncall", "--reason", "a test", "--yes"]);
    assert_eq!(restore.output().unwrap().status.code(), Some(0));
    world.session("runner", "again", AGENTS, &[("AgentID", "oncall")]);
    assert!(!world.is_denied("again", "s3"));
    world.write_logs();
    let mut after = world.tripline("responder");
    let after = after.args(["watch", "--once", "--mode", "enforce"]).arg(world.logs());
    let after = after.output().unwrap();
    assert!(tripline_tests::stdout(&after).contains("it was given back"), "{after:?}");
    assert!(!world.is_denied("again", "s3"));
}

/// A chat service: its webhook, and what was posted there.
pub(crate) fn chat() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/services/T/B/X", listener.local_addr().unwrap());
    let posts = Arc::new(Mutex::new(Vec::new()));
    let posted = Arc::clone(&posts);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut buffer) = (String::new(), [0; 8_192]);
            while !request.ends_with('}') {
                let count = stream.read(&mut buffer).unwrap();
                request.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
            posted.lock().unwrap().push(request);
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, posts)
}

fn s3_event(key: &str) -> Value {
    json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
        "bucket": {"name": "trail-of-the-test"}, "object": {"key": key}}}]})
}
