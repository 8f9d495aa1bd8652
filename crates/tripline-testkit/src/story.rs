//! What is committed under `fixtures/`: each file's bytes, from nothing but constants.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::attack::Attack;
use crate::batch::Batch;
use crate::delivery::{self, Cut, gzip};
use crate::envelope;
use crate::fleet::{Event, Fleet};
use crate::oddities;
use crate::work::Class;
use crate::world::{AttackPlan, FleetSpec, MintShape, NamedAgent};

/// Changes when the same spec gives other bytes.
pub const GENERATOR_VERSION: u32 = 1;
/// The level that committed files are compressed with.
const LEVEL: i32 = 12;
/// 2026-11-20T09:00:00Z, a Friday.
const FRIDAY: i64 = 1_795_165_200;

/// Files by their path under `fixtures/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Six agents at work for three hours in one account; the investigator's last session is hijacked.
#[must_use]
pub fn demo_spec() -> FleetSpec {
    let named = [
        (Class::OncallInvestigator, MintShape::AssumeRole),
        (Class::CostReporter, MintShape::AssumeRole),
        (Class::DeployBot, MintShape::WebIdentity),
        (Class::SupportBot, MintShape::AssumeRole),
        (Class::DataPipeline, MintShape::AssumeRole),
        (Class::BackupAgent, MintShape::SourceIdentity),
    ]
    .map(|(class, mint)| NamedAgent { id: class.name().to_owned(), class, mint, account: 0 });
    FleetSpec {
        named: named.to_vec(),
        start: FRIDAY,
        span_secs: 10_800,
        accounts: 1,
        regions: 1,
        sessions_per_day: 40,
        attacks: AttackPlan::Listed(vec![(0, 4, Attack::Hijack)]),
        duplicate_permille: 0,
        background_secs: 0,
        deployed_after_secs: u32::MAX,
        ..FleetSpec::new(DEMO_SEED, 6, 1)
    }
}

/// The demo's seed: with it all tag keys are `AgentID`, and the investigator works inside the VPC with a tag that is not
/// transitive and no source identity, so that only the key shows whose child the hijacked role session is.
pub const DEMO_SEED: u64 = 20_261_146;
/// The corpus's seed.
pub const CORPUS_SEED: u64 = 7;

/// A small fleet that shows every shape of record there is.
#[must_use]
pub fn corpus_spec() -> FleetSpec {
    FleetSpec {
        start: FRIDAY,
        span_secs: 10_800,
        sessions_per_day: 24,
        tagged_permille: 600,
        attacks: AttackPlan::Listed(
            Attack::ALL
                .iter()
                .enumerate()
                .map(|(at, attack)| (at as u32 * 3, 1, *attack))
                .collect(),
        ),
        duplicate_permille: 80,
        background_secs: 10_800,
        organization: Some("o-exampleorg1".to_owned()),
        deployed_after_secs: 7_200,
        ..FleetSpec::new(CORPUS_SEED, 22, 1)
    }
}

/// All fixtures, `MANIFEST` included.
#[must_use]
pub fn fixtures() -> Files {
    let mut files = Files::new();
    let demo = Fleet::new(demo_spec());
    tree(&mut files, "demo", &demo, 3_600);
    let corpus = Fleet::new(corpus_spec());
    tree(&mut files, "corpus", &corpus, 1_800);
    let key = delivery::digest_key(corpus.world(), 0, 0, FRIDAY + 3_600);
    files.insert(format!("corpus/{key}"), gzip(digest().as_bytes(), LEVEL));
    envelopes(&mut files, &demo.events(), &corpus.events());
    let manifest = manifest(&files);
    files.insert("MANIFEST".to_owned(), manifest.into_bytes());
    files
}

fn tree(files: &mut Files, name: &str, fleet: &Fleet, slot_secs: u32) {
    let mut truth = Vec::new();
    for unit in fleet.units(u64::MAX) {
        let mut batch = Batch::default();
        fleet.make(unit, &mut batch);
        fleet.truth_lines(&batch, &mut truth);
        let cut = Cut { slot_secs, ..Cut::default() };
        for file in fleet.files(unit, &batch, cut) {
            let mut body = Vec::new();
            delivery::body(&batch, &file, &mut body);
            files.insert(format!("{name}/{}", file.key), gzip(&body, LEVEL));
        }
    }
    files.insert(format!("truth/{name}.ndjson"), truth);
}

fn digest() -> String {
    "{\"awsAccountId\":\"111122223333\",\"digestStartTime\":\"2026-11-20T09:00:00Z\",\"digestEndTime\":\"2026-11-20T10:00:00Z\",\"digestS3Bucket\":\"example-trail\",\"digestS3Object\":\"AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/11/20/111122223333_CloudTrail-Digest_us-east-1_org-trail_us-east-1_20261120T100000Z.json.gz\",\"digestPublicKeyFingerprint\":\"0123456789abcdef0123456789abcdef\",\"digestSignatureAlgorithm\":\"SHA256withRSA\",\"newestEventTime\":null,\"oldestEventTime\":null,\"previousDigestS3Bucket\":null,\"previousDigestS3Object\":null,\"previousDigestHashValue\":null,\"previousDigestHashAlgorithm\":null,\"previousDigestSignature\":null,\"logFiles\":[]}".to_owned()
}

/// A mint, a data event, a management event, a forwarded call and a refused one.
fn five(demo: &[Event]) -> Vec<Event> {
    let wanted: [&dyn Fn(&Event) -> bool; 5] = [
        &|event| event.truth.shape == "mint-by-role",
        &|event| named(event, "GetObject") && event.truth.shape == "work",
        &|event| named(event, "DescribeInstances") && event.truth.shape == "work",
        &|event| event.truth.shape == "forwarded",
        &|event| named(event, "PutBucketPolicy"),
    ];
    wanted.iter().filter_map(|is| demo.iter().find(|event| is(event)).cloned()).collect()
}

fn named(event: &Event, name: &str) -> bool {
    let member = format!("\"eventName\":\"{name}\"");
    event.json.windows(member.len()).any(|window| window == member.as_bytes())
}

fn of_shape(events: &[Event], shape: &str) -> Vec<Event> {
    events
        .iter()
        .filter(|event| event.truth.shape == shape && !event.truth.copy)
        .take(2)
        .cloned()
        .collect()
}

fn envelopes(files: &mut Files, demo: &[Event], corpus: &[Event]) {
    let five = five(demo);
    let one = five.get(..1).unwrap_or_default();
    let mut put = |name: &str, bytes: Vec<u8>| files.insert(format!("envelopes/{name}"), bytes);
    put("records.json", envelope::records(&five));
    put("records.json.gz", gzip(&envelope::records(&five), LEVEL));
    put("array.json", envelope::array(&five));
    put("array.json.gz", gzip(&envelope::array(&five), LEVEL));
    put("one.json", envelope::lines(one));
    put("lines.ndjson", envelope::lines(&five));
    put("lines.ndjson.gz", gzip(&envelope::lines(&five), LEVEL));
    put("eventbridge.ndjson", envelope::eventbridge(&five));
    put("eventbridge-one.json", envelope::eventbridge(one));
    put("logs-subscription.json", envelope::logs_subscription(&five));
    put("logs-payload.json", envelope::logs_payload(&five));
    put("logs-payload.json.gz", gzip(&envelope::logs_payload(&five), LEVEL));
    put("lookup-events.json", envelope::lookup(&five));
    put("original.ndjson", envelope::string_under("original", &five));
    put("message.ndjson", envelope::string_under("message", &five));
    put("logstash.ndjson", envelope::logstash(&five));
    put("cut-mid-record.json", envelope::cut_mid_record(&five));
    put("cut-gzip.json.gz", envelope::cut_bytes(&gzip(&envelope::records(&five), LEVEL)));
    put(
        "two-gzip-members.json.gz",
        [gzip(&envelope::lines(&five), LEVEL), gzip(&envelope::lines(one), LEVEL)].concat(),
    );
    put("bad-line.ndjson", envelope::bad_line(&five));
    put("bad-record.json", envelope::bad_record(&five));
    put("bad-utf8.json", envelope::bad_utf8(&five));
    put("byte-order-mark.json", [b"\xEF\xBB\xBF".to_vec(), envelope::records(&five)].concat());
    put("duplicates.json", envelope::records(&[five.clone(), five.clone()].concat()));
    put("no-records.json", envelope::records(&[]));
    put("deep-100.json", envelope::deep(100));
    put("deep-100000.json", envelope::deep(100_000));
    put("empty.json", Vec::new());
    put("empty.json.gz", gzip(b"", LEVEL));
    put("not-json.txt", b"2026-11-20 10:00:00 INFO this is no CloudTrail\n".to_vec());
    put("digest.json", digest().into_bytes());
    put("insight.json", envelope::records(&of_shape(corpus, "insight")));
    put("network-activity.json", envelope::records(&of_shape(corpus, "network-activity")));
    put("aggregated.json", envelope::records(&of_shape(corpus, "aggregated")));
    put("oddities.ndjson", oddities::ndjson());
}

fn manifest(files: &Files) -> String {
    let mut text = format!(
        "# Generated by `cargo xtask fixtures`; never edited by hand. `cargo xtask fixtures --check` tells whether it is fresh.\n# generator {GENERATOR_VERSION}, demo seed {DEMO_SEED}, corpus seed {CORPUS_SEED}\n# sha256  size  path\n"
    );
    for (path, bytes) in files {
        let mut hex = String::with_capacity(64);
        for byte in Sha256::digest(bytes) {
            // Writing to a `String` cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        let _ = writeln!(text, "{hex}  {:>8}  {path}", bytes.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(files: &Files, folder: &str, end: &str) -> usize {
        files
            .iter()
            .filter(|(path, _)| path.starts_with(folder) && path.ends_with(end))
            .map(|(_, bytes)| bytes.len())
            .sum()
    }

    #[test]
    fn fixtures_are_small_and_always_the_same() {
        let files = fixtures();
        assert!(bytes(&files, "demo/", ".gz") < 300_000);
        assert!(bytes(&files, "corpus/", ".gz") < 400_000);
        assert_eq!(files, fixtures());
    }

    #[test]
    fn every_log_file_unpacks_to_records() {
        for (path, bytes) in fixtures().iter().filter(|(path, _)| path.contains("AWSLogs/")) {
            let mut out = vec![0; 50_000_000];
            let size = libdeflater::Decompressor::new().gzip_decompress(bytes, &mut out).unwrap();
            let value: serde_json::Value = serde_json::from_slice(&out[..size]).unwrap();
            assert!(value.get("Records").is_some() || path.contains("CloudTrail-Digest"), "{path}");
        }
    }

    #[test]
    fn the_investigator_is_hijacked_from_outside_at_the_end() {
        let demo = Fleet::new(demo_spec());
        let agent = &demo.world().agents()[0];
        assert_eq!(agent.id, "oncall-investigator");
        assert_eq!(
            demo.world().agents().iter().filter(|other| other.role.id == agent.role.id).count(),
            3
        );
        assert!(!agent.tag_is_transitive() && !agent.sets_source_identity());
        assert!(!agent.has_habit(5, 4), "inside the VPC");
        assert!(demo.world().agents().iter().all(|agent| agent.tag_key() == "AgentID"));
        let events = demo.events();
        let outside: Vec<_> = events
            .iter()
            .filter(|event| String::from_utf8_lossy(&event.json).contains("\"203.0.113."))
            .collect();
        assert!(
            outside.len() > 20 && outside.iter().all(|event| event.truth.attack == Some("hijack"))
        );
        let first = outside.iter().map(|event| event.time).min().unwrap();
        assert!(first > FRIDAY + 8_640);
        assert!(
            events
                .iter()
                .filter(|event| event.truth.attack.is_none()
                    && event.truth.agent.as_deref() == Some("oncall-investigator"))
                .all(|event| !String::from_utf8_lossy(&event.json).contains("secretsmanager"))
        );
    }

    #[test]
    fn five_records_go_into_the_envelopes() {
        assert_eq!(five(&Fleet::new(demo_spec()).events()).len(), 5);
    }

    #[test]
    fn oddities_are_one_object_a_line() {
        let lines = oddities::ndjson();
        let objects = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        for line in objects {
            let text = std::str::from_utf8(line).unwrap();
            if !text.contains("\\ud83d\"") {
                assert!(
                    serde_json::from_str::<serde_json::Value>(text).unwrap().is_object(),
                    "{text}"
                );
            }
        }
    }
}
