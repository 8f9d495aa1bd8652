//! A trail's bucket is checked where it is: the signatures are in the objects' metadata.

use std::path::Path;

use serde_json::{Value, json};

use crate::signed::SignedTrail;
use crate::world::{HOME, World};

/// The exit code, class and kind of each finding, and the summary.
fn verify(
    world: &mut World,
    place: &str,
    keys: &Path,
    more: &[&str],
) -> (i32, Vec<String>, String) {
    let mut command = world.tripline("runner");
    command.args(["verify-logs", "--format", "ndjson", "--keys"]).arg(keys).arg(place).args(more);
    let output = command.output().unwrap();
    let finding = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        format!("{} {}", line["class"].as_str().unwrap(), line["kind"].as_str().unwrap())
    };
    let findings = tripline_tests::stdout(&output).lines().map(finding).collect();
    (output.status.code().unwrap(), findings, tripline_tests::stderr(&output))
}

#[test]
fn a_bucket_is_proven_where_it_is_and_what_was_changed_there_is_found() {
    let Some(mut world) = World::start() else { return };
    world.tell(json!({"do": "user", "account": HOME, "name": "runner", "id": "runner",
        "inline": {"all": crate::world::ALLOW_ALL}}));
    let trail = SignedTrail::new();
    let digests = trail.hours(0..4, None);
    let keys = trail.keys();
    let upload = |world: &mut World| {
        let bucket = "example-trail";
        world.tell(json!({"do": "upload", "from": trail.root(), "bucket": bucket}));
    };
    upload(&mut world);
    for place in ["s3://example-trail", "s3://example-trail/AWSLogs/111122223333"] {
        let (code, findings, summary) = verify(&mut world, place, &keys, &[]);
        assert_eq!((code, findings), (0, Vec::new()), "{place}: {summary}");
        assert!(summary.contains("digests 4 seen = 4 valid"), "{summary}");
        assert!(summary.contains("log files 8 listed = 8 valid"), "{summary}");
    }
    // A part of it.
    let period = ["--since", "2026-11-20T01:30:00Z", "--until", "2026-11-20T03:01:31Z"];
    let (code, findings, summary) = verify(&mut world, "s3://example-trail", &keys, &period);
    assert_eq!((code, findings), (0, Vec::new()), "{summary}");
    // A log of another content, and one that no digest lists.
    trail.store(&digests[1].logs[0], br#"{"Records": [{"eventID": "1-6"}]}"#);
    trail.log(2, 20);
    upload(&mut world);
    let (code, findings, summary) = verify(&mut world, "s3://example-trail", &keys, &[]);
    let found = ["tampered log-changed", "gap log-unlisted"].map(str::to_owned).to_vec();
    assert_eq!((code, findings), (1, found), "{summary}");
    let (code, findings, said) = verify(&mut world, "s3://no-such-bucket", &keys, &[]);
    assert_eq!((code, findings), (3, vec!["unread unread".to_owned()]), "{said}");
}
