//! Real records, where a folder of public samples is given: `TRIPLINE_SAMPLES`, or `shared/samples`
//! beside the project. Nothing in the project needs them; without them these tests say so and pass.

use std::path::PathBuf;

use serde_json::Value;

use tripline_tests::workspace;
use tripline_tests::{stderr, stdout, tripline};

fn samples(folder: &str) -> Option<PathBuf> {
    let given = std::env::var_os("TRIPLINE_SAMPLES").map(PathBuf::from);
    let root = given.unwrap_or_else(|| workspace().join("../shared/samples"));
    let found = root.join(folder);
    if !found.is_dir() {
        eprintln!("skipped: no samples at {}", found.display());
    }
    found.is_dir().then_some(found)
}

/// The records that a folder of samples holds, all of which must be read.
fn all_read(folder: &str, records: u64) {
    let Some(path) = samples(folder) else { return };
    let output =
        tripline().args(["score", "--all", "--format", "ndjson"]).arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = stdout(&output);
    let mut last = String::new();
    let mut count = 0;
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let time = line["event_time"].as_str().unwrap().to_owned();
        assert!(last <= time, "not in order of time");
        last = time;
        count += 1;
    }
    let summary = stderr(&output);
    assert!(
        summary.contains(&format!("records {records} seen"))
            || summary.contains(&records.to_string()),
        "{summary}"
    );
    assert!(count <= records && count > records / 2, "{count} of {records}");
}

#[test]
fn stratus_is_read_whole() {
    all_read("stratus", 219);
}

#[test]
fn invictus_is_read_whole() {
    all_read("invictus", 1_448);
}

#[test]
fn otrf_is_read_whole() {
    all_read("otrf", 103);
}

#[test]
fn umccr_is_read_whole() {
    all_read("umccr", 206);
}

#[test]
fn splunk_examples_are_read_whole() {
    all_read("splunk-examples", 48);
}

#[test]
fn stopping_the_trail_is_seen_in_real_records() {
    let Some(path) = samples("stratus") else { return };
    let output = tripline().args(["score", "--format", "ndjson"]).arg(&path).output().unwrap();
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for name in [
        "StopLogging",
        "DeleteTrail",
        "CreateTrustAnchor",
        "ModifyDBSnapshotAttribute",
        "CreateAccessKey",
    ] {
        assert!(lines.iter().any(|line| line["event_name"] == name), "{name}");
    }
}
