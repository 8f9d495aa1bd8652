//! The containers that the same records come in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::civil::iso_string;
use crate::delivery::gzip;
use crate::fleet::Event;
use crate::json::Put;

fn joined(events: &[Event], separator: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (place, event) in events.iter().enumerate() {
        out.text(if place > 0 { separator } else { "" });
        out.extend_from_slice(&event.json);
    }
    out
}

fn wrapped(before: &str, inner: &[u8], after: &str) -> Vec<u8> {
    [before.as_bytes(), inner, after.as_bytes()].concat()
}

fn text(event: &Event) -> &str {
    std::str::from_utf8(&event.json).unwrap_or_default()
}

/// `{"Records":[...]}`: what CloudTrail puts into S3.
#[must_use]
pub fn records(events: &[Event]) -> Vec<u8> {
    wrapped("{\"Records\":[", &joined(events, ","), "]}")
}

/// A bare array.
#[must_use]
pub fn array(events: &[Event]) -> Vec<u8> {
    wrapped("[", &joined(events, ",\n"), "]\n")
}

/// One object a line.
#[must_use]
pub fn lines(events: &[Event]) -> Vec<u8> {
    wrapped("", &joined(events, "\n"), "\n")
}

/// One EventBridge event a line: the record is its `detail`.
#[must_use]
pub fn eventbridge(events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        let id = &event.truth.event_id;
        out.text(&format!(
            "{{\"version\":\"0\",\"id\":\"{id}\",\"detail-type\":\"AWS API Call via CloudTrail\",\"source\":\"aws.sts\",\"account\":\"111122223333\",\"time\":\"{}\",\"region\":\"us-east-1\",\"resources\":[],\"detail\":",
            iso_string(event.time)
        ));
        out.extend_from_slice(&event.json);
        out.text("}\n");
    }
    out
}

/// A CloudWatch Logs subscription's payload, as it is inside.
#[must_use]
pub fn logs_payload(events: &[Event]) -> Vec<u8> {
    let mut out = b"{\"messageType\":\"DATA_MESSAGE\",\"owner\":\"111122223333\",\"logGroup\":\"CloudTrail/logs\",\"logStream\":\"111122223333_CloudTrail_us-east-1\",\"subscriptionFilters\":[\"tripline\"],\"logEvents\":[".to_vec();
    for (place, event) in events.iter().enumerate() {
        out.text(if place > 0 { "," } else { "" });
        out.text(&format!(
            "{{\"id\":\"{place:056}\",\"timestamp\":{},\"message\":",
            event.time * 1000
        ));
        out.quoted(text(event));
        out.push(b'}');
    }
    out.text("]}");
    out
}

/// A CloudWatch Logs subscription's event, as a Lambda function gets it.
#[must_use]
pub fn logs_subscription(events: &[Event]) -> Vec<u8> {
    let data = STANDARD.encode(gzip(&logs_payload(events), 6));
    format!("{{\"awslogs\":{{\"data\":\"{data}\"}}}}").into_bytes()
}

/// A `LookupEvents` response.
#[must_use]
pub fn lookup(events: &[Event]) -> Vec<u8> {
    let mut out = b"{\"Events\":[".to_vec();
    for (place, event) in events.iter().enumerate() {
        out.text(if place > 0 { "," } else { "" });
        out.text(&format!(
            "{{\"EventId\":\"{}\",\"ReadOnly\":\"true\",\"EventTime\":{}.0,\"Resources\":[],\"CloudTrailEvent\":",
            event.truth.event_id, event.time
        ));
        out.quoted(text(event));
        out.push(b'}');
    }
    out.text("]}");
    out
}

/// One object a line, the record as a string under `name`: `original`, `message`.
#[must_use]
pub fn string_under(name: &str, events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        out.text(&format!("{{\"host\":\"collector-1\",\"{name}\":"));
        out.quoted(text(event));
        out.text("}\n");
    }
    out
}

/// As logstash ships it: the record's members at the top, `@timestamp` for `eventTime`.
#[must_use]
pub fn logstash(events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        let time = iso_string(event.time);
        let member = format!("\"eventTime\":\"{time}\"");
        let stamp =
            format!("\"@version\":\"1\",\"@timestamp\":\"{}.000Z\"", time.trim_end_matches('Z'));
        out.text(&text(event).replace(&member, &stamp));
        out.push(b'\n');
    }
    out
}

/// `{"Records":[...]}` that ends in the middle of its last record.
#[must_use]
pub fn cut_mid_record(events: &[Event]) -> Vec<u8> {
    let mut out = records(events);
    let last = events.last().map_or(0, |event| event.json.len());
    out.truncate(out.len().saturating_sub(2 + last / 2));
    out
}

/// Bytes without their last third: a gzip member that ends too early.
#[must_use]
pub fn cut_bytes(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().take(bytes.len() * 2 / 3).collect()
}

/// Lines of which the one in the middle is no JSON.
#[must_use]
pub fn bad_line(events: &[Event]) -> Vec<u8> {
    let (first, rest) = events.split_at(events.len() / 2);
    [
        lines(first),
        b"{\"eventVersion\":\"1.11\",\"eventName\":\"Broken\",,}\n".to_vec(),
        lines(rest),
    ]
    .concat()
}

/// `{"Records":[...]}` of which the item in the middle is no object.
#[must_use]
pub fn bad_record(events: &[Event]) -> Vec<u8> {
    let (first, rest) = events.split_at(events.len() / 2);
    let items = [joined(first, ","), b",\"not a record\",".to_vec(), joined(rest, ",")].concat();
    wrapped("{\"Records\":[", &items, "]}")
}

/// `{"Records":[...]}` with bytes in a string that are no UTF-8.
#[must_use]
pub fn bad_utf8(events: &[Event]) -> Vec<u8> {
    let mut out = records(events);
    let mark = b"\"userAgent\":\"";
    if let Some(at) = out.windows(mark.len()).position(|window| window == mark) {
        let at = at + mark.len();
        out.splice(at..at, [0xFF, 0xFE, 0xC3]);
    }
    out
}

/// `depth` arrays in one another inside a record's parameters.
#[must_use]
pub fn deep(depth: usize) -> Vec<u8> {
    let inner = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    format!("{{\"Records\":[{{\"eventVersion\":\"1.11\",\"userIdentity\":{{\"type\":\"IAMUser\",\"accountId\":\"111122223333\"}},\"eventTime\":\"2026-11-20T10:00:00Z\",\"eventSource\":\"ec2.amazonaws.com\",\"eventName\":\"DescribeVpcs\",\"awsRegion\":\"us-east-1\",\"sourceIPAddress\":\"192.0.2.1\",\"requestParameters\":{inner},\"responseElements\":null,\"eventID\":\"dee90000-0000-4000-8000-000000000001\",\"eventType\":\"AwsApiCall\"}}]}}").into_bytes()
}
