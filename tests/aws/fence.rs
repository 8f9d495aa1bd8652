//! A fence, put up by the functions as they are deployed.

use std::fs;

use serde_json::json;

use crate::live::{OBJECT, deployed_with, until_denied, until_denied_at};
use crate::world::HOME;

const SETTINGS: &str = "version = 1\n[containment]\ndata_events_logged = []\n";
const SCOPE: &str =
    "version = 1\nagent = \"reports\"\n[allow]\nactions = [\"s3:ListAllMyBuckets\"]\n";

#[test]
fn an_agent_beyond_its_scope_is_fenced_and_goes_on_with_its_work() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("baselines/reports");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("scope.toml"), SCOPE).unwrap();
    fs::write(home.path().join("tripline.toml"), SETTINGS).unwrap();
    let environment = json!({"TRIPLINE_CONFIG": home.path()});
    let Some(mut world) = deployed_with("enforce", &environment) else { return };
    assert!(!world.is_denied("other", "sqs"));
    world.tell(json!({"do": "deliver", "key": OBJECT}));
    until_denied_at(&mut world, "other", "sqs");
    let work = ["s3", "sqs", "dynamodb"].map(|service| world.is_denied("other", service));
    assert_eq!(work, [false, true, true]);
    // The other one, of which no work is known, was killed.
    until_denied(&mut world, "hijacked");
    let status = world.policies(HOME, "Agents").to_string();
    assert!(status.contains("aws:CurrentTime"), "it ends by itself: {status}");
}
