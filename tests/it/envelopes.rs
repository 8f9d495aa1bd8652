//! The same five records in every container, and containers that are broken.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use tripline_tests::workspace;
use tripline_tests::{stderr, stdout, tripline};

/// The event ids that the program reads from a file of `fixtures/envelopes`, and its exit code.
fn read(file: &str) -> (BTreeSet<String>, Option<i32>, String) {
    let path = workspace().join("fixtures/envelopes").join(file);
    let output =
        tripline().args(["score", "--all", "--format", "ndjson"]).arg(path).output().unwrap();
    let ids = stdout(&output)
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["event_id"].as_str().unwrap().to_owned()
        })
        .collect();
    (ids, output.status.code(), stderr(&output))
}

#[test]
fn every_container_holds_the_same_records() {
    let (expected, code, _) = read("records.json");
    assert_eq!((expected.len(), code), (5, Some(0)));
    for file in [
        "array.json",
        "array.json.gz",
        "lines.ndjson",
        "lines.ndjson.gz",
        "records.json.gz",
        "eventbridge.ndjson",
        "logs-payload.json",
        "logs-payload.json.gz",
        "logs-subscription.json",
        "lookup-events.json",
        "message.ndjson",
        "original.ndjson",
        "byte-order-mark.json",
        "duplicates.json",
    ] {
        let (ids, code, text) = read(file);
        assert_eq!(ids, expected, "{file} {text}");
        assert_eq!(code, Some(0), "{file} {text}");
    }
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_read() {
    let expected: BTreeMap<&str, usize> = [
        ("bad-line.ndjson", 4),
        ("bad-record.json", 4),
        ("bad-utf8.json", 4),
        ("cut-mid-record.json", 4),
    ]
    .into();
    for (file, at_least) in expected {
        let (ids, code, text) = read(file);
        assert!(ids.len() >= at_least, "{file} {} {text}", ids.len());
        assert_eq!(code, Some(3), "{file} {text}");
        assert!(text.contains(file), "{file} {text}");
    }
    for file in ["cut-gzip.json.gz", "not-json.txt"] {
        assert_eq!(read(file).1, Some(3), "{file}");
    }
}

#[test]
fn every_oddity_of_real_logs_is_read() {
    let (ids, code, text) = read("oddities.ndjson");
    assert_eq!(ids.len(), 39, "{text}");
    // Two have no time at all, or `yesterday`: they are named.
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("no `eventTime`") && text.contains("is not a time"), "{text}");
}
