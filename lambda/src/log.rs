//! The function's log: one JSON object a line, and metrics in CloudWatch's embedded format, which is a
//! line of the log too (CloudWatch/Embedded_Metric_Format_Specification).

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tripline_cloudtrail::EventTime;

/// The metrics' namespace.
const NAMESPACE: &str = "Tripline";

/// Writes a line. A log that cannot be written to is no reason to stop.
pub(crate) fn say(line: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
}

/// Writes lines as they are: their keys have an order.
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
    say(&Value::Object(line));
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
