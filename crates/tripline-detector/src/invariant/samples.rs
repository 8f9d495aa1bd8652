//! The invariants over real attack records, where the samples are at hand: set `TRIPLINE_SAMPLES` to
//! their folder.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tripline_cloudtrail::{Json, Record};

use super::*;

#[expect(
    clippy::disallowed_methods,
    reason = "a test that reads samples from disk if they are there"
)]
fn samples() -> Option<PathBuf> {
    std::env::var_os("TRIPLINE_SAMPLES").map(PathBuf::from).filter(|folder| folder.is_dir())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that reads samples from disk if they are there"
)]
fn found_in(file: &std::path::Path) -> BTreeSet<&'static str> {
    let text = std::fs::read_to_string(file).unwrap();
    let invariants = Invariants::default();
    let mut found = BTreeSet::new();
    for item in Json::first_in(&text).unwrap().items() {
        if let Ok(record) = Record::parse(item.as_written()) {
            found.extend(invariants.look(&record).into_iter().map(|broken| broken.invariant.id));
        }
    }
    found
}

#[test]
fn stratus_techniques_are_found() {
    let Some(folder) = samples() else {
        println!("skipped: TRIPLINE_SAMPLES is not the folder of the samples");
        return;
    };
    for (technique, wanted) in [
        ("defense-evasion.cloudtrail-delete", &["stop-trail"][..]),
        ("defense-evasion.cloudtrail-stop", &["stop-trail"]),
        ("defense-evasion.dns-delete-logs", &["stop-network-logs"]),
        ("defense-evasion.vpc-remove-flow-logs", &["stop-network-logs"]),
        ("exfiltration.ec2-security-group-open-port-22-ingress", &["open-port"]),
        ("exfiltration.ec2-share-ami", &["share-outside"]),
        ("exfiltration.rds-share-snapshot", &["share-outside"]),
        ("persistence.iam-backdoor-user", &["create-credential"]),
        ("persistence.rolesanywhere-create-trust-anchor", &["create-federation"]),
        ("privilege-escalation.iam-update-user-login-profile", &["create-credential"]),
        // Behaviour, which only a scope or a baseline can tell from honest work.
        ("credential-access.secretsmanager-batch-retrieve-secrets", &[]),
        ("execution.ssm-send-command", &[]),
        ("initial-access.console-login-without-mfa", &[]),
    ] {
        let file = folder.join("stratus").join(format!("aws.{technique}.json"));
        let found = found_in(&file);
        assert_eq!(found, wanted.iter().copied().collect(), "{technique}");
    }
}
