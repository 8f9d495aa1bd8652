//! The switch is pulled while agents work: what each can still do afterwards.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tripline_tests::{stderr, stdout};

use crate::world::{ALLOW_ALL, AWAY, HOME, World, trust};

const AGENTS: &str = "arn:aws:iam::123456789012:role/Agents";
const EXPORTS: &str = "arn:aws:iam::444455556666:role/Exports";

/// A shared role that a runner mints sessions of for three agents; a second role in another account,
/// to which two of them went on; and the responder, who may do IAM in both.
fn fleet() -> Option<World> {
    let mut world = World::start()?;
    let home_root = "arn:aws:iam::123456789012:root";
    world.role(HOME, "Runner", &[home_root]);
    world.role(HOME, "Agents", &["arn:aws:iam::123456789012:role/Runner"]);
    world.role(AWAY, "Exports", &[AGENTS]);
    world.role(AWAY, "TriplineResponder", &[home_root]);
    world.tell(json!({"do": "user", "account": HOME, "name": "ops", "id": "ops", "inline": {"all": ALLOW_ALL}}));
    let config = "version = 1\n[containment]\nresponder_role = \"TriplineResponder\"\n";
    std::fs::write(world.directory.path().join("tripline.toml"), config).unwrap();
    world.session(HOME, "runner", "arn:aws:iam::123456789012:role/Runner", &[]);
    for agent in ["a1", "a2", "a3"] {
        world.session("runner", agent, AGENTS, &[("AgentID", agent)]);
    }
    world.session("a1", "hop", EXPORTS, &[]);
    world.session("a2", "sibling-hop", EXPORTS, &[]);
    for id in ["a1", "a2", "a3", "hop", "sibling-hop"] {
        world.is_denied(id, "s3");
    }
    Some(world)
}

fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn kill(world: &mut World, arguments: &[&str]) -> Command {
    let logs = world.logs();
    let mut command = world.tripline("ops");
    command.arg("kill").args(arguments).args(["--yes", "-q"]).arg(logs);
    command
}

fn restore(world: &mut World, arguments: &[&str]) -> Output {
    let mut command = world.tripline("ops");
    command.args(["restore", "--yes", "--reason", "a test"]).args(arguments).output().unwrap()
}

fn check(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(output), stderr(output));
}

/// Of a session at work: how often each service refused it, and its last success anywhere.
fn refusals(world: &mut World, id: &str) -> (usize, Vec<String>, i64) {
    let report = world.report(id);
    let refused: Vec<String> = report
        .iter()
        .filter(|(_, seen)| seen["denied"].as_u64().unwrap() > 0)
        .map(|(service, _)| service.clone())
        .collect();
    let others: Vec<&Value> = report.values().map(|seen| &seen["others"]).collect();
    assert!(others.iter().all(|others| others.as_array().unwrap().is_empty()), "{id}: {others:?}");
    let last = report.values().filter_map(|seen| seen["last_ok_ms"].as_i64()).max().unwrap_or(0);
    (report.len(), refused, last)
}

#[test]
fn one_agent_is_cut_off_everywhere_and_no_sibling_loses_a_call() {
    let Some(mut world) = fleet() else { return };
    let before = (world.policies(HOME, "Agents"), world.policies(AWAY, "Exports"));
    for id in ["a1", "a2", "a3", "hop", "sibling-hop"] {
        world.tell(json!({"do": "work", "id": id}));
    }
    pause(1_500);
    world.write_logs();
    let output = kill(&mut world, &["--agent", "a1"]).output().unwrap();
    check(&output, 0);
    let done = now_ms();
    pause(1_500);
    // The way back in is shut to the agent alone.
    assert!(world.is_kept_out("runner", AGENTS, &[("AgentID", "a1")]));
    assert!(!world.is_kept_out("runner", AGENTS, &[("AgentID", "a4")]));
    world.tell(json!({"do": "stop"}));
    for id in ["a1", "hop"] {
        let (services, refused, last) = refusals(&mut world, id);
        assert!(services >= 8 && refused.len() == services, "{id}: {refused:?}");
        assert!(last < done, "{id} went on for {} ms", last - done);
    }
    for id in ["a2", "a3", "sibling-hop"] {
        let (services, refused, last) = refusals(&mut world, id);
        assert!(services >= 8 && refused.is_empty() && last > done, "{id}: {refused:?}");
    }
    let status =
        world.tripline("ops").args(["status", "--check", "--format", "ndjson"]).output().unwrap();
    check(&status, 0);
    let line: Value = serde_json::from_str(&stdout(&status)).unwrap();
    assert_eq!((&line["state"], &line["agent"]), (&json!("attached"), &json!("a1")));
    assert_eq!(line["places"].as_array().unwrap().len(), 4);

    check(&restore(&mut world, &["--agent", "a1"]), 0);
    assert_eq!((world.policies(HOME, "Agents"), world.policies(AWAY, "Exports")), before);
    assert!(!world.is_denied("a1", "dynamodb") && !world.is_denied("hop", "dynamodb"));
    assert!(!world.is_kept_out("runner", AGENTS, &[("AgentID", "a1")]));
    let verified = world.tripline("ops").args(["log", "verify"]).output().unwrap();
    check(&verified, 0);
}

#[test]
fn a_second_kill_does_not_undo_the_first_and_each_is_given_back_alone() {
    let Some(mut world) = fleet() else { return };
    let before = (world.policies(HOME, "Agents"), world.policies(AWAY, "Exports"));
    world.write_logs();
    check(&kill(&mut world, &["--agent", "a1"]).output().unwrap(), 0);
    let first = (world.policies(HOME, "Agents"), world.policies(AWAY, "Exports"));
    check(&kill(&mut world, &["--agent", "a2"]).output().unwrap(), 0);
    let denied = |world: &mut World| {
        ["a1", "hop", "a2", "sibling-hop", "a3"].map(|id| world.is_denied(id, "kms"))
    };
    assert_eq!(denied(&mut world), [true, true, true, true, false]);
    check(&restore(&mut world, &["--agent", "a2"]), 0);
    assert_eq!(denied(&mut world), [true, true, false, false, false]);
    assert_eq!((world.policies(HOME, "Agents"), world.policies(AWAY, "Exports")), first);
    check(&restore(&mut world, &["--all"]), 0);
    assert_eq!((world.policies(HOME, "Agents"), world.policies(AWAY, "Exports")), before);
}

/// Runs a command to its end, while the trail goes on to be delivered.
fn run_while_logs_go_on(world: &mut World, command: &mut Command) -> Output {
    let mut child: Child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for _ in 0..120 {
        if child.try_wait().unwrap().is_some() {
            return child.wait_with_output().unwrap();
        }
        pause(500);
        world.write_logs();
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    unreachable!("it does not end: {}{}", stdout(&output), stderr(&output));
}

#[test]
fn it_is_done_when_it_is_seen_to_hold() {
    let Some(mut world) = fleet() else { return };
    for id in ["a1", "hop"] {
        world.tell(json!({"do": "work", "id": id}));
    }
    world.write_logs();
    let mut command = kill(&mut world, &["--agent", "a1", "--wait"]);
    let output = run_while_logs_go_on(&mut world, &mut command);
    check(&output, 0);
    assert!(
        stdout(&output).contains("effective: every live session was seen refused"),
        "{}",
        stdout(&output)
    );
    assert!(stdout(&output).contains("in place to first refusal"), "{}", stdout(&output));
}

#[test]
fn a_key_is_switched_off_and_its_user_denied_and_both_come_back() {
    let Some(mut world) = fleet() else { return };
    world.tell(json!({"do": "user", "account": HOME, "name": "bot", "id": "bot", "inline": {"all": ALLOW_ALL}}));
    let key =
        world.tell(json!({"do": "credentials", "id": "bot"}))["key"].as_str().unwrap().to_owned();
    let inspect = json!({"do": "inspect", "account": HOME, "user": "bot"});
    let before = world.tell(inspect.clone());
    assert!(!world.is_denied("bot", "s3"));
    world.write_logs();
    check(&kill(&mut world, &["--session", &key]).output().unwrap(), 0);
    assert_eq!(world.tell(inspect.clone())["keys"][&key], "Inactive");
    assert!(world.is_denied("bot", "s3"));
    check(&restore(&mut world, &["--all"]), 0);
    assert_eq!(world.tell(inspect), before);
    assert!(!world.is_denied("bot", "s3"));
}

#[test]
fn when_the_log_is_lost_iam_itself_is_enough() {
    let Some(mut world) = fleet() else { return };
    let before = (world.policies(HOME, "Agents"), world.policies(AWAY, "Exports"));
    world.write_logs();
    check(&kill(&mut world, &["--agent", "a1"]).output().unwrap(), 0);
    std::fs::remove_dir_all(world.directory.path().join("state")).unwrap();
    let status = world.tripline("ops").args(["status", "--from-iam", HOME]).output().unwrap();
    assert!(stdout(&status).contains("trust policy of role Agents"), "{}", stdout(&status));
    check(&restore(&mut world, &["--from-iam", HOME]), 0);
    check(&restore(&mut world, &["--from-iam", AWAY]), 0);
    assert_eq!((world.policies(HOME, "Agents"), world.policies(AWAY, "Exports")), before);
    assert!(!world.is_denied("a1", "s3") && !world.is_denied("hop", "s3"));
}

#[test]
fn nothing_is_written_in_observe_mode_or_without_a_yes() {
    let Some(mut world) = fleet() else { return };
    let before = (world.policies(HOME, "Agents"), world.policies(AWAY, "Exports"));
    world.write_logs();
    let logs = world.logs();
    for (arguments, code) in [
        (&["--mode", "observe", "--yes"][..], 0),
        (&["--mode", "recommend", "--yes"], 0),
        (&["--plan-only", "--yes"], 0),
        (&["--mode", "approve"], 4),
    ] {
        let mut command = world.tripline("ops");
        command
            .args(["kill", "--agent", "a1", "-q"])
            .args(arguments)
            .arg(&logs)
            .stdin(Stdio::null());
        check(&command.output().unwrap(), code);
        assert_eq!((world.policies(HOME, "Agents"), world.policies(AWAY, "Exports")), before);
    }
}

#[test]
fn a_step_that_is_refused_is_named_and_the_rest_is_done() {
    let Some(mut world) = fleet() else { return };
    // No way into the other account.
    std::fs::write(world.directory.path().join("tripline.toml"), "version = 1\n").unwrap();
    world.write_logs();
    let output = kill(&mut world, &["--agent", "a1"]).output().unwrap();
    check(&output, 4);
    let text = stdout(&output);
    assert!(text.contains("NOT DONE: some steps failed"), "{text}");
    assert!(text.contains("FAILED: inline policy TriplineContainment of role Exports"), "{text}");
    assert!(world.is_denied("a1", "s3") && !world.is_denied("hop", "s3"));
}

/// An accomplice on the same role, whom nobody suspects, takes every denial away twice a second.
fn accomplice(world: &mut World) {
    world.session("runner", "accomplice", AGENTS, &[("AgentID", "a9")]);
    let trust = trust(&["arn:aws:iam::123456789012:role/Runner"]);
    world.tell(json!({"do": "strip", "id": "accomplice", "role": "Agents", "trust": trust}));
}

#[test]
fn a_kill_that_is_stripped_is_put_back_and_never_called_proven() {
    let Some(mut world) = fleet() else { return };
    accomplice(&mut world);
    world.tell(json!({"do": "work", "id": "a1"}));
    world.write_logs();
    let mut command = kill(&mut world, &["--agent", "a1", "--wait", "--wait-at-most", "6s"]);
    let output = run_while_logs_go_on(&mut world, &mut command);
    check(&output, 4);
    let text = stdout(&output);
    assert!(text.contains("DOES NOT HOLD"), "{text}");
    assert!(text.contains("assumed-role/Agents/accomplice"), "{text}");
    assert!(text.contains("tripline policy guard"), "{text}");
}

#[test]
fn with_the_guard_nobody_strips_it() {
    let Some(mut world) = fleet() else { return };
    let guard = world
        .tripline("ops")
        .args([
            "policy",
            "guard",
            "--form",
            "boundary",
            "--role",
            "arn:aws:iam::123456789012:role/Agents",
        ])
        .args(["--responder", "arn:aws:iam::123456789012:user/ops"])
        .output()
        .unwrap();
    check(&guard, 0);
    let document = stdout(&guard);
    world.tell(
        json!({"do": "boundary", "account": HOME, "role": "Agents", "document": document.trim()}),
    );
    accomplice(&mut world);
    world.tell(json!({"do": "work", "id": "a1"}));
    world.write_logs();
    let mut command = kill(&mut world, &["--agent", "a1"]);
    let output = run_while_logs_go_on(&mut world, &mut command);
    check(&output, 0);
    pause(2_500);
    assert!(world.is_denied("a1", "s3"));
    let stripped = world.tell(json!({"do": "report", "id": "accomplice"}))["stripped"].clone();
    let attempts = stripped.as_array().unwrap();
    assert!(
        attempts.len() >= 4 && attempts.iter().all(|attempt| attempt["ok"] == false),
        "{stripped}"
    );
    let status = world.tripline("ops").args(["status", "--check"]).output().unwrap();
    check(&status, 0);
}

#[test]
fn a_fenced_agent_goes_on_with_its_work_and_the_fence_ends_by_itself() {
    let Some(mut world) = fleet() else { return };
    let before = world.policies(HOME, "Agents");
    let folder = world.directory.path().join("baselines/a1");
    std::fs::create_dir_all(&folder).unwrap();
    let scope = "version = 1\nagent = \"a1\"\n[allow]\nactions = [\"s3:ListAllMyBuckets\", \"sqs:ListQueues\"]\n";
    std::fs::write(folder.join("scope.toml"), scope).unwrap();
    world.write_logs();
    let logs = world.logs();
    let mut command = world.tripline("ops");
    command.args(["fence", "--agent", "a1", "--for", "15s", "--yes", "-q"]).arg(logs);
    check(&command.output().unwrap(), 0);
    let work = |world: &mut World, id: &str| {
        ["s3", "sqs", "dynamodb", "kms", "iam"].map(|service| world.is_denied(id, service))
    };
    assert_eq!(work(&mut world, "a1"), [false, false, true, true, true]);
    assert_eq!(work(&mut world, "hop"), [false, false, true, true, true]);
    assert_eq!(work(&mut world, "a2"), [false; 5]);
    // It ends by itself; how soon after the first look depends on how busy this machine is.
    for _ in 0..60 {
        if !world.is_denied("a1", "dynamodb") {
            break;
        }
        pause(500);
    }
    assert_eq!(work(&mut world, "a1"), [false; 5]);
    check(&restore(&mut world, &["--expired"]), 0);
    assert_eq!(world.policies(HOME, "Agents"), before);
}
