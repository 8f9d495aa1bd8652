//! The function's log: one JSON object a line, with the invocation that it belongs to; and metrics in
//! CloudWatch's embedded format, which is a line of the log too
//! (CloudWatch/Embedded_Metric_Format_Specification).

use std::fmt::Display;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tripline_cloudtrail::EventTime;
use tripline_text::{Untrusted, escape};

/// The metrics' namespace.
const NAMESPACE: &str = "Tripline";

/// Has all that is told of from here on written to the log: what this program tells, and what is wrong
/// with what it rests on.
pub(crate) fn open() {
    let ours = Targets::new().with_default(Level::WARN).with_target("bootstrap", Level::INFO);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}

/// What somebody else may have written, harmless wherever the log is read.
pub(crate) fn harmless(text: impl Display) -> String {
    escape::terminal(&Untrusted::new(text.to_string())).to_string()
}

/// Writes lines as they are: their keys have an order. A log that cannot be written to is no reason to
/// stop.
pub(crate) fn say_lines(lines: &[u8]) {
    let _ = std::io::stdout().lock().write_all(lines);
}

/// Writes counts as metrics.
pub(crate) fn count(function: &str, counts: &[(&str, u64)]) {
    let metrics: Vec<Value> =
        counts.iter().map(|(name, _)| json!({"Name": name, "Unit": "Count"})).collect();
    let mut line: Map<String, Value> =
        counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    line.insert("function".to_owned(), json!(function));
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now_unix_ms(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE, "Dimensions": [["function"]], "Metrics": metrics,
            }],
        }),
    );
    say_lines(format!("{}\n", Value::Object(line)).as_bytes());
}

/// Milliseconds since 1970.
pub(crate) fn now_unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// The time by the clock.
pub(crate) fn now() -> EventTime {
    EventTime::from_unix_secs(now_unix_ms().div_euclid(1_000)).unwrap_or(EventTime::EPOCH)
}
