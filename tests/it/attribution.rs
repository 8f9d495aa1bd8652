//! Attribution against the generator's own truth, record by record. The generator imports nothing
//! of ours: two understandings of the same facts meet here.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use tripline_tests::tripline;
use tripline_tests::workspace;

/// The lines of a truth file, by event id.
fn truth(file: &str) -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(workspace().join("fixtures").join(file)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["event_id"].as_str().unwrap().to_owned(), line)).collect()
}

/// What the program says of every record, by event id.
fn scored(folder: &str, config: &str) -> BTreeMap<String, Value> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tripline.toml");
    std::fs::write(&file, config).unwrap();
    let mut command: Command = tripline();
    command.args(["score", "--all", "--format", "ndjson", "--config"]).arg(&file);
    let output = command.arg(workspace().join("fixtures").join(folder)).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| (line["event_id"].as_str().unwrap().to_owned(), line)).collect()
}

fn check(folder: &str, truth_file: &str) {
    let truth = truth(truth_file);
    let scored = scored(
        folder,
        "version = 1\n[agents]\nagent_tags = [\"AgentID\", \"kubernetes-service-account\"]\n",
    );
    let (mut agents, mut sessions, mut wrong) = (0, 0, Vec::new());
    for (id, line) in &scored {
        let Some(expected) = truth.get(id) else { continue };
        if expected["basis"].as_str().is_some_and(|basis| basis.contains("tag")) {
            agents += 1;
            if line["agent"] != expected["agent"] {
                wrong.push(format!("{id} agent {} for {}", line["agent"], expected));
            }
        } else if expected["agent"].is_null() && !line["agent"].is_null() {
            wrong.push(format!("{id} nobody's call went to {}", line["agent"]));
        }
        // A sign-in names no session yet: the one it opens is known by its creation date afterwards.
        if !expected["session"].is_null() && expected["shape"] != "console-login" {
            sessions += 1;
            if line["session"] != expected["session"] {
                wrong.push(format!("{id} session {} for {}", line["session"], expected));
            }
        }
    }
    assert!(agents > 500 && sessions > 500, "{agents} {sessions}");
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong[..wrong.len().min(15)].join("\n"));
}

#[test]
fn every_tagged_record_of_the_demo_goes_to_its_agent_and_session() {
    check("demo", "truth/demo.ndjson");
}

#[test]
fn every_tagged_record_of_the_corpus_goes_to_its_agent_and_session() {
    check("corpus", "truth/corpus.ndjson");
}
