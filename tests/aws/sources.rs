//! Logs in a bucket are read as logs in a directory are; what cannot be fetched is named, and learning
//! goes on where it stopped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use tripline_testkit::{AttackPlan, Event, Fleet, FleetSpec, envelope, gzip};

use crate::service::{Answer, Service};
use crate::world::{HOME, World};

const READER: &str = "arn:aws:iam::123456789012:role/Reader";
const BUCKET: &str = "trail-logs";

/// A fleet of some days, as its trail's bucket holds it: keys and what is in them.
fn objects(days: u32) -> BTreeMap<String, Vec<u8>> {
    let mut spec = FleetSpec::new(7, 4, days);
    spec.attacks = AttackPlan::OneIn(5);
    let mut files: BTreeMap<String, Vec<Event>> = BTreeMap::new();
    for event in Fleet::new(spec).events() {
        // What is of no use is not listed: neither here, nor is the second trail's folder.
        let key = &event.object_key;
        if key.starts_with("AWSLogs/") && key.contains("/CloudTrail/") {
            files.entry(event.object_key.clone()).or_default().push(event);
        }
    }
    let pack = |events: Vec<Event>| gzip(&envelope::records(&events), 1);
    files.into_iter().map(|(key, events)| (key, pack(events))).collect()
}

fn write(folder: &Path, objects: impl IntoIterator<Item = (String, Vec<u8>)>) {
    for (key, bytes) in objects {
        let path = folder.join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// A bucket, what is in it on disk, and somebody who may read it.
fn world(objects: impl IntoIterator<Item = (String, Vec<u8>)>) -> Option<(World, PathBuf)> {
    let mut world = World::start()?;
    world.role(HOME, "Reader", &["arn:aws:iam::123456789012:root"]);
    world.tell(json!({"do": "user", "account": HOME, "name": "runner", "id": "runner",
        "inline": {"all": crate::world::ALLOW_ALL}}));
    world.session("runner", "reader", READER, &[]);
    let logs = world.logs();
    write(&logs, objects);
    world.tell(json!({"do": "upload", "from": logs, "bucket": BUCKET}));
    Some((world, logs))
}

fn run(command: &mut Command, arguments: &[&str]) -> (Option<i32>, String, String) {
    let ended: Output = command.args(arguments).output().unwrap();
    (ended.status.code(), tripline_tests::stdout(&ended), tripline_tests::stderr(&ended))
}

/// All that was learned, in a folder of baselines: what was promoted says when.
fn candidates(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.ends_with("candidate.txt") => {
                    let bytes = fs::read(&path).unwrap();
                    found.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
                }
                false => {}
            }
        }
    }
    found
}

#[test]
fn a_bucket_is_read_as_a_directory_is() {
    let Some((mut world, logs)) = world(objects(2)) else { return };
    let (local, everything) = (logs.display().to_string(), format!("s3://{BUCKET}"));
    let folder = format!("s3://{BUCKET}/AWSLogs");
    let account = fs::read_dir(logs.join("AWSLogs")).unwrap().next().unwrap().unwrap();
    let account = account.file_name().into_string().unwrap();
    for arguments in [
        vec!["sessions", "--format", "ndjson"],
        vec!["score", "--format", "ndjson", "--all"],
        vec!["score", "--format", "ndjson", "--account", &account, "--since", "2020-01-01"],
    ] {
        let (_, expected, counted) = run(world.tripline("reader").arg(arguments[0]), &{
            let mut rest = arguments[1..].to_vec();
            rest.push(&local);
            rest
        });
        assert!(expected.lines().count() > 10, "{counted}");
        for place in [&everything, &folder] {
            let mut command = world.tripline("reader");
            let (code, found, err) = run(command.args(&arguments), &[place]);
            assert_eq!((code, found.as_str()), (Some(0), expected.as_str()), "{err}");
        }
        // By a role that somebody takes on.
        let role = ["--read-role", READER, "--requester-pays", &folder];
        let mut command = world.tripline("runner");
        assert_eq!(run(command.args(&arguments), &role).1, expected);
    }
}

#[test]
fn what_cannot_be_fetched_is_named_and_all_else_is_read() {
    let mut objects = objects(1);
    let (first, bytes) = objects.pop_first().unwrap();
    let beside = |name: &str| first.replace("_CloudTrail_", &format!("_CloudTrail_{name}_"));
    objects.insert(beside("empty"), Vec::new());
    objects.insert(beside("corrupt"), b"\x1f\x8b\x08 no gzip".to_vec());
    objects.insert(beside("denied"), bytes.clone());
    // Longer than what is fetched in one piece.
    let blank = [vec![b' '; 9 << 20], br#"{"Records":[]}"#.to_vec()].concat();
    objects.insert(beside("long").replace(".gz", ""), blank);
    let Some((mut world, _)) = world(objects) else { return };
    let denied = format!("arn:aws:s3:::{BUCKET}/{}", beside("denied"));
    world.tell(json!({"do": "put", "account": HOME, "role": "Reader", "policy": "no",
        "document": json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Action": "s3:GetObject", "Resource": denied}]}).to_string()}));
    let all = format!("s3://{BUCKET}/AWSLogs/");
    let nothing = format!("s3://{BUCKET}/AWSLogs/999988887777");
    let mut command = world.tripline("reader");
    let places = [&*all, &*nothing, "s3://no-such-bucket-here/AWSLogs"];
    let (code, found, err) = run(command.args(["sessions"]), &places);
    assert_eq!(code, Some(3), "{err}");
    assert!(found.contains("oncall") || found.lines().count() > 10, "{found}");
    for (name, why) in [
        (beside("denied"), "cannot be read: not allowed: "),
        (beside("corrupt"), "damaged or cut off gzip"),
        ("AWSLogs/999988887777/".to_owned(), "there is nothing there"),
        ("no-such-bucket-here".to_owned(), "there is no such bucket"),
    ] {
        let line = err.lines().find(|line| line.contains(&name)).unwrap_or_else(|| {
            unreachable!("{name} is not named: {err}");
        });
        assert!(line.contains(why), "{line}");
    }
    assert_eq!(err.lines().filter(|line| line.contains("cannot be read: ")).count(), 3, "{err}");
    // Another account's folder is not even listed.
    let mut command = world.tripline("reader");
    let (code, _, err) = run(command.args(["sessions", "--account", "999988887777"]), &[&all]);
    assert_eq!(code, Some(0), "{err}");
}

#[test]
fn learning_from_a_bucket_goes_on_where_it_stopped() {
    let objects = objects(3);
    let stamp = |key: &str| key.split('_').find(|part| part.ends_with('Z')).unwrap().to_owned();
    let day = |key: &str| stamp(key).get(..8).unwrap().to_owned();
    let last = objects.keys().map(|key| day(key)).max().unwrap();
    let mut first = objects.clone();
    first.retain(|key, _| day(key) < last);
    let before = first.len();
    let Some((mut world, logs)) = world(first) else { return };
    let directory = world.directory.path().to_owned();
    fs::create_dir(directory.join("work")).unwrap();
    let folder = format!("s3://{BUCKET}/AWSLogs");
    let learn = |world: &mut World, out: &str, more: &[&str]| {
        let mut command = world.tripline("reader");
        run(command.args(["learn", "--out", out]), more)
    };
    let (code, out, err) = learn(&mut world, "before", &["--work-dir", "work", &folder]);
    assert_eq!(code, Some(0), "{err}");
    assert!(!out.contains("read by an earlier run"), "{out}");
    write(&logs, objects);
    world.tell(json!({"do": "upload", "from": logs, "bucket": BUCKET}));
    let (code, out, err) = learn(&mut world, "after", &["--work-dir", "work", &folder]);
    assert_eq!(code, Some(0), "{err}");
    let again = out.lines().find(|line| line.starts_with("read by an earlier run: ")).unwrap();
    assert_eq!(again, format!("read by an earlier run: {before} of the files"));
    // It ends where one that never stopped does, and counts the same.
    let (_, expected, _) = learn(&mut world, "whole", &[&logs.display().to_string()]);
    let counts = |text: &str| -> Vec<String> {
        let is_count = |line: &&str| line.starts_with("files") || line.starts_with("records");
        text.lines().filter(is_count).map(str::to_owned).collect()
    };
    assert_eq!(counts(&out), counts(&expected));
    assert!(!counts(&out).is_empty(), "{out}");
    assert_eq!(candidates(&directory.join("after")), candidates(&directory.join("whole")));
    // Without a work directory it is read in one go.
    let (_, out, _) = learn(&mut world, "once", &[&folder]);
    assert_eq!(counts(&out), counts(&expected));
    assert_eq!(candidates(&directory.join("once")), candidates(&directory.join("whole")));
}

#[test]
fn an_object_whose_key_may_not_be_used_says_so() {
    let listing = r#"<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount><Contents><Key>AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/a.json.gz</Key><ETag>"1"</ETag><Size>10</Size></Contents></ListBucketResult>"#;
    let denied = r#"<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::111122223333:assumed-role/R/s is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext</Message></Error>"#;
    let service = Service::start(move |asked| match asked.path.contains("list-type=2") {
        true => Answer { status: 200, kind: "application/xml", body: listing.to_owned() },
        false if asked.method == "HEAD" => {
            Answer { status: 200, kind: "application/xml", body: String::new() }
        }
        false => Answer { status: 403, kind: "application/xml", body: denied.to_owned() },
    });
    let folder = "s3://trail-logs/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/";
    let (code, _, err) = run(&mut service.tripline(), &["sessions", folder]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("allow kms:Decrypt on its KMS key"), "{err}");
}
