//! The action log of a deployment, in the hands of a person at a terminal.

use serde_json::json;

use crate::live::{OBJECT, deployed, until_denied};
use crate::world::World;

const STATE: [&str; 2] = ["--state", "dynamodb://tripline"];

/// Runs a command of a person who may do everything; what it wrote.
fn run(world: &mut World, arguments: &[&str]) -> String {
    let mut command = world.tripline("person");
    let output = command.args(arguments).args(STATE).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    tripline_tests::stdout(&output)
}

#[test]
fn what_a_deployment_stopped_is_given_back_by_a_command_and_stays_so() {
    let Some(mut world) = deployed("enforce") else { return };
    world.session("runner", "person", "arn:aws:iam::123456789012:role/Responder", &[]);
    world.tell(json!({"do": "deliver", "key": OBJECT}));
    until_denied(&mut world, "hijacked");
    let status = run(&mut world, &["status", "--format", "ndjson"]);
    let line: serde_json::Value = serde_json::from_str(status.trim()).unwrap();
    assert_eq!(line["agent"], "oncall");
    let incident = line["incident"].as_str().unwrap().to_owned();

    let said = run(&mut world, &["restore", &incident, "--reason", "false alarm", "--yes"]);
    assert!(said.contains("closed: given back"), "{said}");
    assert!(!world.is_denied("hijacked", "s3"));
    // Whoever looks after what is contained knows of it.
    let tick = json!({"do": "invoke", "function": "responder", "event": {"tick": "now"}});
    let ticked = world.tell(tick);
    assert_eq!(ticked["answer"]["open"], 0, "{ticked}");
    assert!(!world.is_denied("hijacked", "s3"));
    assert!(run(&mut world, &["status"]).contains("nothing is in force"));
    assert!(run(&mut world, &["log", "verify"]).contains("entries hold"));

    let page = world.directory.path().join("report.html");
    world.write_logs();
    let (page, logs) = (page.to_str().unwrap().to_owned(), world.logs());
    run(&mut world, &["report", "--out", &page, logs.to_str().unwrap()]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("closed: false alarm"), "the report has what was done");

    // Who halts it here halts the functions.
    run(&mut world, &["brake", "on", "--reason", "a test"]);
    world.session("runner", "again", crate::live::AGENTS, &[("AgentID", "again")]);
    world.tell(json!({"do": "stop_logging", "id": "again"}));
    world.tell(json!({"do": "deliver", "key": OBJECT.replace("/a.", "/b.")}));
    world.tell(json!({"do": "settle"}));
    assert!(!world.is_denied("again", "s3"));
    let log = crate::live::log(&world);
    assert!(log.contains(r#"{"Held":1,"#), "{log}");
}
