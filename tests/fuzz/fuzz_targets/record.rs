//! Any text as a record: no panic, and where serde_json reads an object that we take for a record,
//! both see the same fields. What is made of the record afterwards must not panic either.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tripline_baseline::Call;
use tripline_cloudtrail::{JsonText, Record};

fn same(ours: Option<JsonText<'_>>, theirs: &Value) {
    if let Value::String(theirs) = theirs {
        assert_eq!(ours.map(|text| text.decode().into_owned()).as_deref(), Some(theirs.as_str()));
    }
}

fuzz_target!(|text: &str| {
    let Ok(record) = Record::parse(text) else { return };
    let _ = Call::of(&record);
    let Ok(value) = serde_json::from_str::<Value>(record.as_written()) else { return };
    // With a key twice, serde_json keeps the last and a lookup of ours may keep the first.
    let Some(object) = value.as_object() else { panic!("a record that is no object") };
    if object.len() == record.as_written().matches("\":").count() {
        same(Some(record.event_name()), object.get("eventName").unwrap_or(&Value::Null));
        same(record.user_agent(), object.get("userAgent").unwrap_or(&Value::Null));
        same(record.region(), object.get("awsRegion").unwrap_or(&Value::Null));
    }
});
