//! Every container, and every way in which one may be broken.

use std::io::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;
use crate::tally::{Counts, Skip};

/// A record named `name`, of about the shape of real ones.
fn record(name: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","sessionContext":{{"attributes":{{}}}}}},"eventTime":"2026-11-20T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":"{name}","requestParameters":{{"key":"a}}]\"{{"}},"eventID":"{name}","eventCategory":"Data"}}"#
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn name() -> Arc<Untrusted<'static>> {
    Arc::new(Untrusted::borrowed("file"))
}

/// The names of the records in a file read at once, and the account.
fn whole(bytes: &[u8]) -> (Vec<String>, Tally) {
    let mut names = Vec::new();
    let tally = Reader::default().read(&name(), bytes, &mut |record: &Record<'_>| {
        names.push(record.event_name().decode().into_owned());
        Fate::Read
    });
    assert!(tally.reconcile(), "{tally:?}");
    (names, tally)
}

/// The same, with the file in pieces of `step` bytes.
fn pieces(bytes: &[u8], step: usize) -> (Vec<String>, Tally) {
    let reader = Reader::default();
    let mut stream = reader.stream(&name());
    let mut names = Vec::new();
    let mut sink = |record: &Record<'_>| {
        names.push(record.event_name().decode().into_owned());
        Fate::Read
    };
    bytes.chunks(step).for_each(|piece| stream.feed(piece, &mut sink));
    let tally = stream.finish(&mut sink);
    assert!(tally.reconcile(), "{tally:?}");
    (names, tally)
}

fn problems(tally: &Tally) -> Vec<ProblemKind> {
    tally.problems.iter().map(|problem| problem.kind.clone()).collect()
}

#[test]
fn every_container_gives_the_same_records() {
    let (a, b) = (record("A"), record("B"));
    let text = |record: &str| serde_json::to_string(record).unwrap();
    let payload = format!(
        r#"{{"messageType":"DATA_MESSAGE","owner":"1","logEvents":[{{"id":"1","timestamp":1,"message":{}}},{{"id":"2","message":{}}}]}}"#,
        text(&a),
        text(&b)
    );
    let packed = base64::engine::general_purpose::STANDARD.encode(gzip(payload.as_bytes()));
    let containers = [
        format!(r#"{{"Records":[{a},{b}]}}"#),
        format!(r#" {{ "Records" : [ {a} , {b} ] , "more" : {{}} }} "#),
        format!(r#"{{"first":1,"Records":[{a},{b}]}}"#),
        format!("\u{feff}[{a},\n{b}]"),
        format!("{a}\n{b}\n"),
        format!("{a}{b}"),
        format!(r#"{{"version":"0","detail-type":"x","detail":{a}}}{{"detail":{b}}}"#),
        format!(
            r#"{{"Events":[{{"EventId":"1","CloudTrailEvent":{}}},{{"CloudTrailEvent":{}}}]}}"#,
            text(&a),
            text(&b)
        ),
        format!("{{\"original\":{}}}\n{{\"@timestamp\":\"x\",\"message\":{}}}", text(&a), text(&b)),
        payload,
        format!(r#"{{"awslogs":{{"data":"{packed}"}}}}"#),
    ];
    for container in &containers {
        for bytes in [container.as_bytes().to_vec(), gzip(container.as_bytes())] {
            let (names, tally) = whole(&bytes);
            assert_eq!(names, ["A", "B"], "{container}");
            assert!(!tally.has_problems(), "{container}: {:?}", tally.problems);
            assert_eq!(tally.files, Counts { seen: 1, read: 1, ..Counts::default() });
        }
    }
}

#[test]
fn two_gzip_members_are_both_read() {
    let member = gzip(record("A").as_bytes());
    let (names, tally) = whole(&[member.clone(), member].concat());
    assert_eq!(names, ["A", "A"]);
    assert!(!tally.has_problems());
}

#[test]
fn trap_13_other_families_are_told_apart() {
    let other = |kind: &str, category: &str| {
        record("X").replace(
            "\"eventCategory\":\"Data\"",
            &format!("\"eventType\":\"{kind}\",\"eventCategory\":\"{category}\""),
        )
    };
    let insight = other("AwsCloudTrailInsight", "Insight")
        .replace("userIdentity", "nobody")
        .replace("eventName", "none");
    let network = other("AwsVpceEvents", "NetworkActivity");
    let aggregated = r#"{"eventVersion":"1.0","eventId":"1","eventCategory":"Aggregated","eventType":"AwsAggregatedEvent","summary":{}}"#;
    let (names, tally) =
        whole(format!(r#"{{"Records":[{insight},{network},{aggregated}]}}"#).as_bytes());
    assert!(names.is_empty());
    assert_eq!(tally.records, Counts { seen: 3, skipped: 3, ..Counts::default() });
    let digest = r#"{"awsAccountId":"1","digestS3Bucket":"b","digestS3Object":"o","logFiles":[]}"#;
    let (_, tally) = whole(digest.as_bytes());
    assert_eq!(tally.files, Counts { seen: 1, skipped: 1, ..Counts::default() });
    assert_eq!(tally.records, Counts::default());
}

#[test]
fn trap_15_a_bad_record_costs_only_itself() {
    let (a, b) = (record("A"), record("B"));
    let bad = [
        r#"{"eventVersion":"1.11","eventName" "X"}"#.to_owned(),
        r#"{"eventVersion":"1.11","eventName":"X}"#.to_owned(),
        r#"{"eventVersion":"1.11","eventName":X}"#.to_owned(),
        r#"{"eventVersion":"1.11","eventName":"X","eventTime":"noon"}"#.to_owned(),
        "7".to_owned(),
        "\"text\"".to_owned(),
        "{}".to_owned(),
    ];
    for bad in bad {
        for text in [format!(r#"{{"Records":[{a},{bad},{b}]}}"#), format!("{a}\n{bad}\n{b}\n")] {
            let (names, tally) = whole(text.as_bytes());
            assert_eq!(names, ["A", "B"], "{text}");
            assert_eq!(
                tally.records,
                Counts { seen: 3, read: 2, failed: 1, ..Counts::default() },
                "{text}"
            );
            assert_eq!(tally.problems.len(), 1);
            assert_eq!(tally.problems[0].origin.record, Some(1));
        }
    }
}

#[test]
fn trap_15_bytes_that_are_not_utf8_cost_their_record() {
    let mut bytes =
        format!(r#"{{"Records":[{},{},{}]}}"#, record("A"), record("B\u{1}\u{1}"), record("C"))
            .into_bytes();
    bytes.iter_mut().filter(|byte| **byte == 1).for_each(|byte| *byte = 0xff);
    for (names, tally) in [whole(&bytes), pieces(&bytes, 7)] {
        assert_eq!(names, ["A", "C"]);
        assert_eq!(problems(&tally), [ProblemKind::NotUtf8]);
    }
}

#[test]
fn a_file_cut_anywhere_keeps_its_whole_records() {
    let text = format!(r#"{{"Records":[{},{}]}}"#, record("A"), record("B"));
    let first = text.find(",{").unwrap();
    for cut in 1..text.len() {
        let (names, tally) = whole(&text.as_bytes()[..cut]);
        assert_eq!(names.contains(&"A".to_owned()), cut >= first, "{cut}");
        // Between two records, and before the last two brackets, nothing of a record is lost.
        let inside = !(first..=first + 1).contains(&cut) && cut > 12 && cut < text.len() - 2;
        if inside {
            assert!(
                matches!(problems(&tally)[..], [ProblemKind::Truncated { .. }]),
                "{cut} {tally:?}"
            );
            assert_eq!(tally.files.failed, 1);
        }
    }
}

#[test]
fn a_cut_or_damaged_gzip_keeps_what_came_before() {
    let many: Vec<String> = (0..2_000).map(|nth| record(&format!("N{nth}"))).collect();
    let packed = gzip(format!(r#"{{"Records":[{}]}}"#, many.join(",")).as_bytes());
    let (names, tally) = whole(&packed[..packed.len() / 2]);
    assert!(!names.is_empty() && names.len() < 2_000);
    assert!(problems(&tally).contains(&ProblemKind::BadGzip));
    assert_eq!(tally.files.failed, 1);
}

#[test]
fn a_gzip_bomb_stops_at_the_limit() {
    let limits = Limits {
        unpacked_bytes_max: 1 << 20,
        unpack_whole_bytes_max: 1 << 20,
        ..Limits::default()
    };
    let check = |bytes: usize| {
        let packed = gzip(&vec![b' '; bytes]);
        problems(&Reader::new(limits).read(&name(), &packed, &mut |_: &Record<'_>| Fate::Read))
    };
    assert_eq!(check((1 << 20) - 1), []);
    assert_eq!(check(1 << 20), []);
    assert_eq!(check((1 << 20) + 1), [ProblemKind::Bomb { limit: 1 << 20 }]);
    assert_eq!(check(1 << 24), [ProblemKind::Bomb { limit: 1 << 20 }]);
}

#[test]
fn a_record_over_the_limit_is_stepped_over() {
    let limits = Limits { record_bytes_max: 4_096, ..Limits::default() };
    let long = record("L").replace("a}]", &"x".repeat(200_000));
    let text = format!(r#"{{"Records":[{},{long},{}]}}"#, record("A"), record("B"));
    let mut names = Vec::new();
    let reader = Reader::new(limits);
    let mut stream = reader.stream(&name());
    let mut sink = |record: &Record<'_>| {
        names.push(record.event_name().decode().into_owned());
        Fate::Read
    };
    text.as_bytes().chunks(1_000).for_each(|piece| stream.feed(piece, &mut sink));
    let tally = stream.finish(&mut sink);
    assert_eq!(names, ["A", "B"]);
    assert_eq!(problems(&tally), [ProblemKind::TooLong { limit: 4_096 }]);
}

#[test]
fn wrappers_inside_each_other_have_a_limit_and_nesting_costs_no_stack() {
    let mut text = record("A");
    for _ in 0..6 {
        text = format!(r#"{{"detail":{text}}}"#);
    }
    assert_eq!(problems(&whole(text.as_bytes()).1), [ProblemKind::TooDeep { limit: 4 }]);
    let deep = record("A").replace("\"a}]", &format!("{}\"a", "[".repeat(200_000)));
    let (names, _) = whole(format!("{}\n{}", record("B"), deep).as_bytes());
    assert_eq!(names, ["B"]);
}

#[test]
fn nothing_and_nonsense_are_counted() {
    assert_eq!(whole(b"").1.files, Counts { seen: 1, skipped: 1, ..Counts::default() });
    assert_eq!(
        whole(br#"{"Records":[]}"#).1.files,
        Counts { seen: 1, read: 1, ..Counts::default() }
    );
    let (_, tally) = whole(b"<html>no</html>\n");
    assert_eq!(tally.files, Counts { seen: 1, failed: 1, ..Counts::default() });
}

proptest! {
    /// However a file is cut into pieces, the records and the account are the same.
    #[test]
    fn pieces_do_not_matter(
        parts in proptest::collection::vec(prop_oneof![
            Just(record("A")), Just(record("B")), Just("{}".to_owned()), Just("{\"eventVersion\":1 2}".to_owned()),
            Just("[".to_owned()), Just("]".to_owned()), Just("\n".to_owned()), Just("{\"Records\":[".to_owned()),
            Just("]}".to_owned()), Just(",".to_owned()), Just("\u{e9}".to_owned()), "[ -~]{0,8}",
        ], 0..12),
        step in 1_usize..300,
    ) {
        let text = parts.concat();
        let (names, tally) = whole(text.as_bytes());
        let (names_in_pieces, tally_in_pieces) = pieces(text.as_bytes(), step);
        prop_assert_eq!(names, names_in_pieces);
        prop_assert_eq!(tally.records, tally_in_pieces.records);
    }

    /// Anything at all: no panic, and the account reconciles.
    #[test]
    fn any_bytes_are_accounted_for(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = whole(&bytes);
        let _ = pieces(&bytes, 5);
    }
}

/// Notes names by the batches that they come in.
#[derive(Default)]
struct Batches(Vec<Vec<String>>);

impl Sink for Batches {
    fn take(&mut self, records: &[Record<'_>], fates: &mut Vec<Fate>) {
        let names = records.iter().map(|record| record.event_name().decode().into_owned());
        self.0.push(names.collect());
        // Every third is turned away: what becomes of each is told apart.
        fates.extend(records.iter().map(|record| match record.event_name().as_written() {
            name if name.ends_with('3') => Fate::Skipped(Skip::Filtered),
            _ => Fate::Read,
        }));
    }
}

#[test]
fn records_come_in_batches_and_none_is_lost_or_comes_twice() {
    for count in [0, 1, 31, 32, 33, 64, 65, 200] {
        let wrapped = format!(r#"{{"detail":{}}}"#, record("D"));
        let passed_over = record("I").replace(r#""Data""#, r#""Insight""#);
        let mut names: Vec<String> = (0..count).map(|nth| format!("N{nth}")).collect();
        let mut objects: Vec<String> = names.iter().map(|name| record(name)).collect();
        if count > 40 {
            names.insert(40, "D".to_owned());
            objects.insert(40, r#"{"eventName":"X"}"#.to_owned());
            objects.insert(40, wrapped);
            objects.insert(40, passed_over);
        }
        let text = format!(r#"{{"Records":[{}]}}"#, objects.join(","));
        let mut batches = Batches::default();
        let tally = Reader::default().read(&name(), text.as_bytes(), &mut batches);
        assert!(tally.reconcile(), "{tally:?}");
        assert_eq!(batches.0.concat(), names);
        let sizes: Vec<usize> = batches.0.iter().map(Vec::len).collect();
        assert!(sizes.iter().all(|size| (1..=32).contains(size)), "{sizes:?}");
        assert!(count < 64 || sizes.contains(&32));
        let filtered = names.iter().filter(|name| name.ends_with('3')).count() as u64;
        assert_eq!(tally.skips.get(&Skip::Filtered).copied().unwrap_or_default(), filtered);
        // Of the one that is no record the number is right, whatever was still to be handed on.
        let numbers: Vec<_> = tally.problems.iter().map(|it| it.origin.record).collect();
        assert_eq!(numbers, if count > 40 { vec![Some(42)] } else { vec![] });
    }
}
