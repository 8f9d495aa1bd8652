//! The doctor, on a deployment in the emulator: what it finds wrong, and that it finds nothing wrong
//! any more once that is put right; and a fire drill on a canary.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tripline_tests::{stderr, stdout};

use crate::heartbeat::{deliver_digest, now};
use crate::service::{Answer, Service};
use crate::world::{ALLOW_ALL, HOME, World, trust};

const OPS: &str = "arn:aws:iam::123456789012:user/ops";
const CANARY: &str = "arn:aws:iam::123456789012:role/Canary";

/// A person with all rights, and two roles: one that opted in and lets the person in, one that did not.
fn account() -> Option<World> {
    let mut world = World::start()?;
    world.tell(json!({"do": "user", "account": HOME, "name": "ops", "id": "ops", "inline": {"all": ALLOW_ALL}}));
    world.tell(json!({"do": "role", "account": HOME, "name": "Canary", "trust": trust(&[OPS]),
        "inline": {"all": ALLOW_ALL}, "tags": {"tripline:contain": "allowed"}}));
    world.role(HOME, "Other", &[OPS]);
    Some(world)
}

/// The answers by check and what it is about, and the exit code.
fn answers(
    world: &mut World,
    arguments: &[&str],
    variables: &[(&str, String)],
) -> (BTreeMap<(String, String), Value>, Option<i32>) {
    let mut command = world.tripline("ops");
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let output =
        command.args(["doctor", "--format", "ndjson", "-q"]).args(arguments).output().unwrap();
    let lines = stdout(&output);
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let checks = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        ((text(&line, "check"), text(&line, "about")), line)
    });
    let checks: BTreeMap<_, _> = checks.collect();
    assert!(!checks.is_empty(), "{}", stderr(&output));
    (checks, output.status.code())
}

fn answer<'c>(checks: &'c BTreeMap<(String, String), Value>, check: &str, about: &str) -> &'c str {
    let found = checks.get(&(check.to_owned(), about.to_owned()));
    found.unwrap_or_else(|| unreachable!("{check} {about}: {checks:#?}"))["answer"]
        .as_str()
        .unwrap()
}

#[test]
fn what_is_wrong_is_found_and_once_it_is_put_right_it_is_not() {
    let Some(mut world) = account() else { return };
    world.role(HOME, "Detector", &[OPS]);
    let responder = trust(&[OPS]);
    world.tell(json!({"do": "role", "account": HOME, "name": "Responder", "trust": responder}));
    // The functions need not run for this: any file is a program.
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/aws/agents.py");
    world.tell(json!({
        "do": "deploy", "program": program, "mode": "enforce", "stack": "tripline",
        "detector": "arn:aws:iam::123456789012:role/Detector",
        "responder": "arn:aws:iam::123456789012:role/Responder",
    }));
    let posts = Arc::new(Mutex::new(Vec::new()));
    let posted = Arc::clone(&posts);
    let chat = Service::start(move |asked| match &*asked.path {
        "/works" if asked.body.contains("WELL") => {
            posted.lock().unwrap().push(asked.body.clone());
            Answer { status: 200, kind: "text/plain", body: "ok".to_owned() }
        }
        // As Slack answers an empty message.
        "/works" => Answer { status: 400, kind: "text/plain", body: "no_text".to_owned() },
        _ => Answer { status: 404, kind: "text/plain", body: "no_service".to_owned() },
    });
    let config = world.directory.path().join("chat.toml");
    let hook = |name: &str, place: &str| {
        format!("[[channels]]\nname = \"{name}\"\nservice = \"slack-webhook\"\nurl = \"{place}\"\n")
    };
    let channels = [("wall", "env:WORKS"), ("old", "env:GONE"), ("pager", "ssm:/gone")];
    let channels = channels.map(|(name, place)| hook(name, place)).concat();
    std::fs::write(&config, format!("version = 1\n{channels}")).unwrap();
    let urls = [("WORKS", format!("{}/works", chat.url)), ("GONE", format!("{}/SECRET", chat.url))];
    let (sick, code) =
        answers(&mut world, &["--stack", "tripline", "--config", config.to_str().unwrap()], &urls);
    assert!(!format!("{sick:?}").contains("SECRET"));
    for (check, about, expected) in [
        ("trail-logging", "trail", "ok"),
        ("trail-validation", "trail", "failed"),
        ("trail-coverage", "", "failed"),
        ("notifications", "trail-of-the-test", "ok"),
        ("function", "tripline-detector", "ok"),
        ("queue", "new", "warning"),
        ("table", "tripline", "warning"),
        ("heartbeats", "", "failed"),
        ("role-rights", CANARY, "failed"),
        ("chat-reachable", "wall", "ok"),
        ("chat-reachable", "old", "failed"),
        ("chat-reachable", "pager", "not checked"),
    ] {
        assert_eq!(answer(&sick, check, about), expected, "{check} {about}: {sick:#?}");
    }
    assert!(!sick.contains_key(&("role-rights".to_owned(), "Other".to_owned())));
    assert!([Some(1), Some(3)].contains(&code), "{code:?}");
    // A timer tells people what turned.
    let wall = world.directory.path().join("wall.toml");
    std::fs::write(&wall, format!("version = 1\n{}", hook("wall", "env:WORKS"))).unwrap();
    let visit = |world: &mut World| {
        let arguments = ["--stack", "tripline", "--config", wall.to_str().unwrap(), "--tell"];
        answers(world, &arguments, &urls)
    };
    let told = || -> Vec<String> { posts.lock().unwrap().clone() };
    visit(&mut world);
    visit(&mut world);
    assert_eq!(told().len(), 1, "{:?}", told());
    assert!(told()[0].contains("[UNWELL]"), "{:?}", told());
    world.tell(json!({"do": "heal"}));
    deliver_digest(&world, now());
    world.tell(json!({"do": "put", "account": HOME, "role": "Responder", "policy": "all", "document": ALLOW_ALL}));
    let (healthy, _) = visit(&mut world);
    for (check, about) in [
        ("trail-validation", "trail"),
        ("trail-coverage", ""),
        ("queue", "new"),
        ("queue", "dead"),
        ("table", "tripline"),
        ("heartbeats", ""),
        ("brake", ""),
        ("role", CANARY),
    ] {
        assert_eq!(answer(&healthy, check, about), "ok", "{check} {about}: {healthy:#?}");
    }
    let failed: Vec<&Value> = healthy.values().filter(|it| it["answer"] == "failed").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(told().len(), 2, "{:?}", told());
    assert_ne!(told()[0], told()[1]);
    // For people it says the same.
    let table = world.tripline("ops").args(["doctor", "--stack", "tripline"]).output().unwrap();
    assert!(stdout(&table).contains("Can we still stop an agent?"), "{}", stdout(&table));
}

#[test]
fn a_fire_drill_contains_a_canary_and_gives_back_what_it_took() {
    let Some(mut world) = account() else { return };
    let before = world.policies(HOME, "Canary");
    let drill = |world: &mut World, role: &str, arguments: &[&str]| {
        let mut command = world.tripline("ops");
        command.args(["doctor", "--fire-drill", role]).args(arguments).stdin(Stdio::null());
        let output = command.output().unwrap();
        (output.status.code(), format!("{}{}", stdout(&output), stderr(&output)))
    };
    // A role that did not opt in is left alone; without a yes every role is.
    let (code, text) = drill(&mut world, "arn:aws:iam::123456789012:role/Other", &["--yes"]);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = drill(&mut world, CANARY, &[]);
    assert!(code == Some(4) && text.contains("nothing was changed"), "{text}");
    let (code, text) = drill(&mut world, CANARY, &["--yes", "--mode", "observe"]);
    assert!(code == Some(0) && text.contains("nothing was changed"), "{text}");
    assert_eq!(world.policies(HOME, "Canary"), before);
    let (code, text) = drill(&mut world, CANARY, &["--yes"]);
    println!("{text}");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("to the canary's call refused: "), "{text}");
    assert!(text.contains("2 of 2 places as they were, byte for byte"), "{text}");
    assert_eq!(world.policies(HOME, "Canary"), before);
    let verified = world.tripline("ops").args(["log", "verify"]).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", stdout(&verified));
    let status = world.tripline("ops").args(["status"]).output().unwrap();
    assert!(stdout(&status).contains("nothing is in force"), "{}", stdout(&status));
}
