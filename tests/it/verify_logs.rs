//! `tripline verify-logs` on trails that were tampered with, and on some that only have gaps.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tripline_tests::{stderr, stdout, tripline};

use crate::signed::{SignedTrail, Written, gzip, sha256};

/// The exit code, and class and kind of each finding.
fn verify(trail: &SignedTrail, more: &[&str]) -> (i32, Vec<String>) {
    verify_with(trail.root(), &trail.keys(), more)
}

fn verify_with(root: &Path, keys: &Path, more: &[&str]) -> (i32, Vec<String>) {
    let output = tripline()
        .args(["verify-logs", "--format", "ndjson", "--keys"])
        .arg(keys)
        .arg(root)
        .args(more)
        .output()
        .unwrap();
    let findings = stdout(&output)
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            format!("{} {}", line["class"].as_str().unwrap(), line["kind"].as_str().unwrap())
        })
        .collect();
    reconciles(&stderr(&output));
    (output.status.code().unwrap(), findings)
}

/// `seen = …` and `listed = …` add up.
fn reconciles(summary: &str) {
    for what in ["digests ", "log files ", "files not listed "] {
        let line = summary.lines().find(|line| line.starts_with(what) && line.contains(" = "));
        let line = line.expect(summary);
        let (whole, parts) = line.split(';').next().unwrap().split_once(" = ").unwrap();
        let number =
            |text: &str| -> u64 { text.split(' ').find_map(|word| word.parse().ok()).unwrap() };
        assert_eq!(number(whole), parts.split(" + ").map(number).sum::<u64>(), "{line}");
    }
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn a_whole_trail_is_proven_with_keys_in_either_encoding() {
    let trail = SignedTrail::new();
    trail.hours(0..4, None);
    assert_eq!(verify(&trail, &[]), (0, none()));
    assert_eq!(verify_with(trail.root(), &trail.spki_keys(), &[]), (0, none()));
    // `aws s3 sync s3://BUCKET/AWSLogs logs/`, as the README has it.
    let keys = trail.keys();
    assert_eq!(verify_with(&trail.path("AWSLogs"), &keys, &[]), (0, none()));
    assert_eq!(verify_with(&trail.path("AWSLogs/111122223333"), &keys, &[]), (0, none()));
}

#[test]
fn a_copy_without_metadata_is_proven_up_to_its_newest_digest() {
    let trail = SignedTrail::new();
    trail.without_signatures(&trail.hours(0..4, None));
    assert_eq!(verify(&trail, &[]), (3, vec!["unproven no-signature".to_owned()]));
    assert_eq!(verify(&trail, &["--until", "2026-11-20T03:01:31Z"]), (0, none()));
}

#[test]
fn a_changed_log_is_tampering() {
    let trail = SignedTrail::new();
    let digests = trail.hours(0..3, None);
    let log = &digests[1].logs[0];
    let stored = fs::read(trail.path(log)).unwrap();
    trail.store(log, br#"{"Records": [{"eventID": "1-6"}]}"#);
    assert_eq!(verify(&trail, &[]), (1, vec!["tampered log-changed".to_owned()]));
    // Any one byte of what is stored, but for those of the gzip header that say nothing.
    for at in 10..stored.len() {
        let mut bytes = stored.clone();
        bytes[at] ^= 1;
        fs::write(trail.path(log), bytes).unwrap();
        let (code, findings) = verify(&trail, &[]);
        assert_eq!((code, findings.len()), (1, 1), "byte {at}: {findings:?}");
    }
    // Records behind the end, which a reader of gzip reads along.
    let more = gzip(br#"{"Records": [{"eventID": "forged"}]}"#);
    fs::write(trail.path(log), [stored.clone(), more].concat()).unwrap();
    assert_eq!(verify(&trail, &[]), (1, vec!["tampered log-damaged".to_owned()]));
    fs::write(trail.path(log), stored).unwrap();
    assert_eq!(verify(&trail, &[]), (0, none()));
}

#[test]
fn a_removed_log_is_a_gap_that_does_not_hide_tampering() {
    let trail = SignedTrail::new();
    let digests = trail.hours(0..3, None);
    trail.remove(&digests[1].logs[0]);
    assert_eq!(verify(&trail, &[]), (3, vec!["gap log-missing".to_owned()]));
    trail.store(&digests[1].logs[1], b"{}");
    let both = vec!["tampered log-changed".to_owned(), "gap log-missing".to_owned()];
    assert_eq!(verify(&trail, &[]), (1, both));
}

#[test]
fn a_log_that_nobody_lists_is_named() {
    let trail = SignedTrail::new();
    trail.hours(0..3, None);
    trail.log(1, 20);
    assert_eq!(verify(&trail, &[]), (3, vec!["gap log-unlisted".to_owned()]));
    // Whoever puts a file in chooses its name.
    let trail = SignedTrail::new();
    trail.hours(0..3, None);
    trail.store("AWSLogs/111122223333/CloudTrail/us-east-1/x.json.gz", b"{}");
    assert_eq!(verify(&trail, &[]), (3, vec!["gap log-unlisted".to_owned()]));
    // One that came after the last digest is only counted: its digest may be yet to come.
    let trail = SignedTrail::new();
    trail.hours(0..3, None);
    trail.log(3, 20);
    assert_eq!(verify(&trail, &[]), (3, none()));
    assert_eq!(verify(&trail, &["--until", "2026-11-20T03:00:00Z"]), (0, none()));
}

#[test]
fn a_log_that_was_delivered_late_is_listed_behind_the_period() {
    let trail = SignedTrail::new();
    let digests = trail.hours(0..2, None);
    let late = trail.log(1, 59);
    trail.digest(3, "", &[late], digests.last());
    assert_eq!(verify(&trail, &["--until", "2026-11-20T02:00:00Z"]), (0, none()));
    trail.log(1, 58);
    let found = vec!["gap log-unlisted".to_owned()];
    assert_eq!(verify(&trail, &["--until", "2026-11-20T02:00:00Z"]), (3, found));
}

#[test]
fn a_removed_digest_is_a_gap() {
    let trail = SignedTrail::new();
    let digests = trail.hours(0..4, None);
    trail.remove(&digests[1].key);
    assert_eq!(verify(&trail, &[]), (3, vec!["gap digest-missing".to_owned()]));
    // Without the digest that carries its signature, nothing proves the one before.
    let trail = SignedTrail::new();
    let digests = trail.hours(0..4, None);
    trail.remove(&digests[1].key);
    trail.without_signatures(&digests);
    let found = ["gap digest-missing", "unproven no-signature", "unproven no-signature"];
    assert_eq!(verify(&trail, &[]), (3, found.map(str::to_owned).to_vec()));
}

/// Lists another log in a digest, and makes all hashes after it fit.
fn forge(trail: &SignedTrail, digests: &[Written], nth: usize) {
    let mut forged = digests.to_vec();
    let log = forged[nth].logs[0].clone();
    trail.store(&log, b"forged");
    forged[nth].json["logFiles"][0]["hashValue"] = sha256(b"forged").into();
    for at in nth..forged.len() {
        if at > nth {
            let before = sha256(forged[at - 1].json.to_string().as_bytes());
            forged[at].json["previousDigestHashValue"] = before.into();
        }
        trail.write(&forged[at]);
    }
}

#[test]
fn a_digest_that_was_replaced_and_hashed_anew_is_tampering() {
    let trail = SignedTrail::new();
    let digests = trail.hours(0..4, None);
    forge(&trail, &digests, 1);
    let (code, findings) = verify(&trail, &[]);
    assert_eq!((code, findings), (1, vec!["tampered digest-signature-invalid".to_owned(); 3]));
    trail.without_signatures(&digests);
    let (code, findings) = verify(&trail, &[]);
    assert_eq!(code, 1);
    assert_eq!(findings[0], "tampered digest-signature-in-next-invalid");
    // Only the one, so that the next one's hash for it no longer fits.
    let trail = SignedTrail::new();
    let digests = trail.hours(0..3, None);
    trail.without_signatures(&digests[..2]);
    let mut forged = digests[1].clone();
    forged.json["logFiles"] = Value::Array(Vec::new());
    trail.write(&forged);
    assert_eq!(verify(&trail, &[]), (1, vec!["tampered digest-changed".to_owned()]));
}

#[test]
fn a_digest_that_was_put_elsewhere_is_tampering() {
    let trail = SignedTrail::new();
    let digests = trail.hours(0..3, None);
    // Yesterday's quiet hour in the place of today's.
    fs::copy(trail.path(&digests[0].key), trail.path(&digests[1].key)).unwrap();
    let (code, findings) = verify(&trail, &[]);
    assert_eq!((code, findings), (1, vec!["tampered digest-moved".to_owned()]));
}

#[test]
fn a_trail_that_was_stopped_is_a_gap_and_its_new_start_no_tampering() {
    let trail = SignedTrail::new();
    trail.hours(0..2, None);
    trail.hours(5..7, None);
    assert_eq!(verify(&trail, &[]), (3, vec!["gap not-covered".to_owned()]));
    assert_eq!(verify(&trail, &["--since", "2026-11-20T05:01:31Z"]), (0, none()));
    assert_eq!(verify(&trail, &["--until", "2026-11-20T02:00:00Z"]), (0, none()));
    let late =
        verify(&trail, &["--since", "2026-11-20T05:01:31Z", "--until", "2026-11-20T09:00:00Z"]);
    assert_eq!(late, (3, vec!["gap not-covered".to_owned()]));
}

#[test]
fn a_copy_that_begins_within_a_chain_needs_a_since() {
    let trail = SignedTrail::new();
    let digests = trail.hours(0..4, None);
    trail.remove(&digests[0].key);
    trail.remove(&digests[0].logs[0]);
    trail.remove(&digests[0].logs[1]);
    assert_eq!(verify(&trail, &[]), (3, vec!["gap digest-missing".to_owned()]));
    assert_eq!(verify(&trail, &["--since", "2026-11-20T01:01:31Z"]), (0, none()));
    assert_eq!(verify(&trail, &["--since", "2026-11-20T00:30:00Z"]).0, 3);
}

#[test]
fn backfill_digests_make_a_chain_of_their_own() {
    let trail = SignedTrail::new();
    trail.hours(0..3, None);
    let first = trail.digest(1, "_backfill", &[trail.log(0, 50)], None);
    let second = trail.digest(3, "_backfill", &[trail.log(1, 50)], Some(&first));
    assert_eq!(verify(&trail, &[]), (0, none()));
    trail.remove(&first.key);
    let found = vec!["gap digest-missing".to_owned(), "gap log-unlisted".to_owned()];
    assert_eq!(verify(&trail, &[]), (3, found));
    trail.write(&first);
    trail.remove(&second.logs[0]);
    assert_eq!(verify(&trail, &[]), (3, vec!["gap log-missing".to_owned()]));
}

#[test]
fn keys_of_another_region_prove_nothing_and_accuse_nobody() {
    let trail = SignedTrail::new();
    trail.hours(0..2, None);
    let other = SignedTrail::new();
    let keys = trail.keys_of(&other.public_key(), "00000000000000000000000000000000");
    let (code, findings) = verify_with(trail.root(), &keys, &[]);
    assert_eq!((code, findings), (3, vec!["unproven no-key".to_owned(); 2]));
    // A key that claims this one's fingerprint does not verify.
    let (code, findings) = verify_with(trail.root(), &other.keys(), &[]);
    assert_eq!((code, findings), (1, vec!["tampered digest-signature-invalid".to_owned(); 2]));
}

#[test]
fn what_cannot_be_read_and_what_cannot_be_used() {
    let trail = SignedTrail::new();
    let digests = trail.hours(0..2, None);
    trail.remove(&digests[0].logs[0]);
    fs::create_dir(trail.path(&digests[0].logs[0])).unwrap();
    assert_eq!(verify(&trail, &[]), (3, vec!["unread unread".to_owned()]));
    let code = |args: &[&str]| {
        tripline().arg("verify-logs").args(args).output().unwrap().status.code().unwrap()
    };
    let (root, keys) = (trail.root().to_str().unwrap(), trail.keys());
    let keys = keys.to_str().unwrap();
    assert_eq!(code(&[root]), 2, "no keys");
    assert_eq!(code(&[root, "--keys", "no-such-file"]), 2);
    assert_eq!(code(&["no-such-folder", "--keys", keys]), 2);
    let log = trail.path(&digests[0].logs[1]);
    assert_eq!(code(&[root, "--keys", log.to_str().unwrap()]), 2, "no keys in it");
    let (since, until) = ("2026-11-20", "2026-11-19");
    assert_eq!(code(&[root, "--keys", keys, "--since", since, "--until", until]), 2);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(code(&[empty.path().to_str().unwrap(), "--keys", keys]), 3, "nothing is proven");
}

/// Trap 9, for a digest that nobody signed.
#[test]
fn a_hostile_digest_reaches_neither_the_terminal_nor_other_files() {
    let trail = SignedTrail::new();
    let outside = tempfile::NamedTempFile::new_in(trail.root().parent().unwrap()).unwrap();
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    let hash = sha256(b"");
    let hostile = "AWSLogs/111122223333/CloudTrail/\u{1b}]0;x\u{7}\u{202e}\n.json.gz";
    let logs = [
        (hostile.to_owned(), hash.clone()),
        (format!("../{name}"), hash.clone()),
        (format!("AWSLogs/../../{name}"), hash.clone()),
        (outside.path().to_str().unwrap().to_owned(), hash),
    ];
    let digest = trail.digest(1, "", &logs, None);
    trail.without_signatures(&[digest]);
    for format in ["table", "ndjson"] {
        let output = tripline()
            .args(["verify-logs", "--color", "never", "--format", format, "--keys"])
            .arg(trail.keys())
            .arg(trail.root())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3));
        let text = stdout(&output) + &stderr(&output);
        let harmful =
            |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        assert_eq!(text.lines().find(|line| line.chars().any(harmful)), None);
        assert!(text.contains("4 listed = 0 valid + 0 changed + 4 missing"), "{text}");
    }
}

#[test]
fn what_people_read_is_reviewed() {
    let trail = SignedTrail::new();
    let digests = trail.hours(0..5, None);
    trail.digest(1, "_backfill", &[trail.log(0, 50)], None);
    trail.store(&digests[3].logs[0], b"forged");
    trail.remove(&digests[3].logs[1]);
    trail.remove(&digests[1].key);
    trail.log(2, 20);
    fs::remove_file(trail.beside(&digests[4])).unwrap();
    let output = tripline()
        .args(["verify-logs", "--keys"])
        .arg(trail.keys())
        .arg(trail.root())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    insta::assert_snapshot!("verify_logs_table", stdout(&output));
    let help = tripline().args(["verify-logs", "--help"]).output().unwrap();
    insta::assert_snapshot!("verify_logs_help", stdout(&help));
}
