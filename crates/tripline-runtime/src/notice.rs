//! What AWS says when there is something new: which objects, or the records themselves.
//!
//! One message may stand inside another (S3 through SNS through SQS), so they are told apart by what
//! is in them. Forms: S3/notification-content-structure, S3/ev-events, SNS/sns-message-and-json-formats,
//! Lambda/with-sqs, UG/configure-sns-notifications-for-cloudtrail, EventBridge's CloudTrail events,
//! CloudWatch Logs subscriptions.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use thiserror::Error;
use tripline_iam::AccountId;
use tripline_text::Untrusted;

/// An object in a bucket, as a message names it: the text of somebody who could write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// The bucket.
    pub bucket: Untrusted<'static>,
    /// The key, decoded.
    pub key: Untrusted<'static>,
}

impl ObjectRef {
    /// Whether it is where a trail writes, in one of these buckets, and nobody else may
    /// (UG/cloudtrail-find-log-files).
    pub fn is_a_trails(&self, buckets: &BTreeSet<String>) -> bool {
        self.is_in(buckets, "CloudTrail")
    }

    /// Whether it is where a trail writes its digests, in one of these buckets.
    pub fn is_a_digest(&self, buckets: &BTreeSet<String>) -> bool {
        self.is_in(buckets, "CloudTrail-Digest")
    }

    fn is_in(&self, buckets: &BTreeSet<String>, folder: &str) -> bool {
        let mut folders = self.key.as_unescaped().split('/');
        buckets.contains(self.bucket.as_unescaped())
            && folders.any(|it| it == "AWSLogs")
            && folders.any(|it| it == folder)
    }

    /// The account whose calls are in it: it names a folder, below the organization's if there is one.
    pub fn account(&self) -> Option<AccountId> {
        let mut folders = self.key.as_unescaped().split('/').skip_while(|it| *it != "AWSLogs");
        folders.find_map(|folder| AccountId::parse(folder).ok())
    }
}

/// Something that a message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To read an object.
    Object(ObjectRef),
    /// To note that a digest arrived: a sign of life.
    Digest(ObjectRef),
    /// To read records that the message itself holds; as JSON.
    Records(Vec<u8>),
    /// To look at the clock.
    Tick,
    /// To do what was decided elsewhere.
    Decided(Value),
    /// To hear what was pressed elsewhere.
    Pressed(Value),
}

/// A message that stands or falls by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name in its queue, for saying that it failed; messages that came by no queue have none.
    pub id: Option<String>,
    /// As it came, for whoever has to look at it by hand.
    pub body: String,
    /// What it asks for; nothing in a test or a message about other things.
    pub asks: Result<Vec<Ask>, UnknownMessage>,
}

/// A message of no form that is known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnknownMessage {
    /// It is of another kind.
    #[error("is no message that tripline knows")]
    Unknown,
    /// It is not JSON.
    #[error("is not JSON")]
    NotJson,
    /// Messages stand inside each other without end.
    #[error("has messages inside messages, more than {0} deep")]
    TooDeep(u32),
}

/// S3 in SNS in SQS is three deep; somebody may forward that once more.
const DEPTH_MAX: u32 = 5;

/// The marker of a message from the detector to the responder.
pub const DECIDED: &str = "tripline-decided";
/// The marker of a message from the desk to the responder.
pub const PRESSED: &str = "tripline-pressed";

/// The messages of an event, as a function is given it.
pub fn messages(event: &Value) -> Vec<Message> {
    let records = event.get("Records").and_then(Value::as_array);
    let is_queue = |record: &Value| text(record, "eventSource") == Some("aws:sqs");
    match records.filter(|records| records.first().is_some_and(is_queue)) {
        None => vec![Message { id: None, body: event.to_string(), asks: asks(event, 0) }],
        Some(records) => records
            .iter()
            .map(|record| Message {
                id: text(record, "messageId").map(str::to_owned),
                body: text(record, "body").unwrap_or_default().to_owned(),
                asks: inner(record.get("body"), 0),
            })
            .collect(),
    }
}

/// What a message asks for that was taken from a queue as text.
///
/// # Errors
/// [`UnknownMessage`].
pub fn asks_of(body: &str) -> Result<Vec<Ask>, UnknownMessage> {
    asks(&serde_json::from_str(body).map_err(|_| UnknownMessage::NotJson)?, 0)
}

fn asks(message: &Value, depth: u32) -> Result<Vec<Ask>, UnknownMessage> {
    if depth > DEPTH_MAX {
        return Err(UnknownMessage::TooDeep(DEPTH_MAX));
    }
    // Sent once when a notification is set up: S3's test, SNS's question, CloudTrail's greeting.
    let is_test = text(message, "Event") == Some("s3:TestEvent")
        || text(message, "Type").is_some_and(|kind| kind.ends_with("Confirmation"));
    if is_test {
        return Ok(Vec::new());
    }
    if message.get("tick").is_some() {
        return Ok(vec![Ask::Tick]);
    }
    if let Some(decided) = message.get(DECIDED) {
        return Ok(vec![Ask::Decided(decided.clone())]);
    }
    if let Some(pressed) = message.get(PRESSED) {
        return Ok(vec![Ask::Pressed(pressed.clone())]);
    }
    if text(message, "Type") == Some("Notification") {
        return inner(message.get("Message"), depth);
    }
    if let (Some(bucket), Some(keys)) = (text(message, "s3Bucket"), message.get("s3ObjectKey")) {
        let keys = keys.as_array().map(Vec::as_slice).unwrap_or_default();
        return Ok(keys.iter().filter_map(|key| object(bucket, key.as_str()?)).collect());
    }
    if let Some(kind) = text(message, "detail-type") {
        return by_event_bridge(kind, message);
    }
    if message.get("awslogs").is_some() {
        return Ok(vec![Ask::Records(message.to_string().into_bytes())]);
    }
    let records = message.get("Records").and_then(Value::as_array);
    let records = records.ok_or(UnknownMessage::Unknown)?;
    let mut all = Vec::new();
    for record in records {
        all.append(&mut one_of_several(record, depth)?);
    }
    Ok(all)
}

/// A member of a list `Records`: of S3's, of SNS's, of SQS's.
fn one_of_several(record: &Value, depth: u32) -> Result<Vec<Ask>, UnknownMessage> {
    if let Some(s3) = record.get("s3") {
        let bucket = s3.pointer("/bucket/name").and_then(Value::as_str);
        let key = s3.pointer("/object/key").and_then(Value::as_str);
        let (bucket, key) = bucket.zip(key).ok_or(UnknownMessage::Unknown)?;
        // Form-encoded here, and only here.
        let key = key.replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8_lossy();
        return Ok(object(bucket, &key).into_iter().collect());
    }
    if let Some(sns) = record.get("Sns") {
        return inner(sns.get("Message"), depth);
    }
    match text(record, "eventSource") {
        Some("aws:sqs") => inner(record.get("body"), depth),
        _ => Err(UnknownMessage::Unknown),
    }
}

fn by_event_bridge(kind: &str, message: &Value) -> Result<Vec<Ask>, UnknownMessage> {
    match kind {
        "Scheduled Event" => Ok(vec![Ask::Tick]),
        "Object Created" => {
            let bucket = message.pointer("/detail/bucket/name").and_then(Value::as_str);
            let key = message.pointer("/detail/object/key").and_then(Value::as_str);
            let (bucket, key) = bucket.zip(key).ok_or(UnknownMessage::Unknown)?;
            Ok(object(bucket, key).into_iter().collect())
        }
        kind if kind.ends_with(" via CloudTrail") => {
            Ok(vec![Ask::Records(message.to_string().into_bytes())])
        }
        _ => Err(UnknownMessage::Unknown),
    }
}

fn inner(text: Option<&Value>, depth: u32) -> Result<Vec<Ask>, UnknownMessage> {
    let text = text.and_then(Value::as_str).ok_or(UnknownMessage::Unknown)?;
    // What CloudTrail says to a topic when a trail begins to use it.
    if text.starts_with("CloudTrail validation message") {
        return Ok(Vec::new());
    }
    asks(&serde_json::from_str(text).map_err(|_| UnknownMessage::NotJson)?, depth + 1)
}

/// An object to read, or to note; neither where its key says that nothing in it concerns us.
fn object(bucket: &str, key: &str) -> Option<Ask> {
    let is_other = ["/CloudTrail-Insight/", "/CloudTrail-Aggregated/"];
    if is_other.iter().any(|folder| key.contains(folder)) {
        return None;
    }
    let owned = |text: &str| Untrusted::new(text.to_owned());
    let object = ObjectRef { bucket: owned(bucket), key: owned(key) };
    Some(match key.contains("/CloudTrail-Digest/") {
        true => Ask::Digest(object),
        false => Ask::Object(object),
    })
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn s3() -> Value {
        json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": {
            "bucket": {"name": "trail"}, "object": {"key": "AWSLogs/a+b%3D.json.gz"}}}]})
    }

    fn expected() -> Vec<Ask> {
        object("trail", "AWSLogs/a b=.json.gz").into_iter().collect()
    }

    fn asks_for(event: &Value) -> Result<Vec<Ask>, UnknownMessage> {
        messages(event)
            .into_iter()
            .map(|message| message.asks)
            .collect::<Result<Vec<_>, _>>()
            .map(|asks| asks.into_iter().flatten().collect())
    }

    fn in_sns(message: &Value) -> Value {
        json!({"Type": "Notification", "TopicArn": "t", "Message": message.to_string()})
    }

    fn in_sqs(messages: &[Value]) -> Value {
        let record = |(nth, message): (usize, &Value)| json!({"eventSource": "aws:sqs", "messageId": format!("m{nth}"), "body": message.to_string()});
        json!({"Records": messages.iter().enumerate().map(record).collect::<Vec<_>>()})
    }

    #[test]
    fn an_object_is_found_however_its_name_came() {
        let sns =
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": s3().to_string()}}]});
        let bus = json!({"detail-type": "Object Created", "source": "aws.s3", "detail": {
            "bucket": {"name": "trail"}, "object": {"key": "AWSLogs/a b=.json.gz"}}});
        let trail = json!({"s3Bucket": "trail", "s3ObjectKey": ["AWSLogs/a b=.json.gz"]});
        for event in [
            s3(),
            sns,
            in_sqs(&[s3()]),
            in_sqs(&[in_sns(&s3())]),
            in_sqs(std::slice::from_ref(&bus)),
            bus,
            in_sqs(&[in_sns(&trail)]),
            in_sqs(&[in_sns(&in_sns(&s3()))]),
        ] {
            assert_eq!(asks_for(&event), Ok(expected()), "{event}");
        }
    }

    #[test]
    fn records_in_a_message_are_handed_on_as_they_are() {
        let call =
            json!({"detail-type": "AWS API Call via CloudTrail", "detail": {"eventName": "X"}});
        let logs = json!({"awslogs": {"data": "H4sI"}});
        for event in [call, logs] {
            assert_eq!(asks_for(&event), Ok(vec![Ask::Records(event.to_string().into_bytes())]));
        }
        let tick = json!({"detail-type": "Scheduled Event", "source": "aws.events"});
        assert_eq!(asks_for(&tick), Ok(vec![Ask::Tick]));
        assert_eq!(asks_for(&json!({"tick": "2026-11-20T10:00:00Z"})), Ok(vec![Ask::Tick]));
    }

    #[test]
    fn trap_18_tests_and_other_files_ask_for_nothing() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail"});
        let question = json!({"Type": "SubscriptionConfirmation", "Message": "You have chosen"});
        let greeting = json!({"Type": "Notification", "Message": "CloudTrail validation message."});
        let insight =
            json!({"s3Bucket": "b", "s3ObjectKey": ["AWSLogs/1/CloudTrail-Insight/x.gz"]});
        for event in [test, question, greeting, insight] {
            assert_eq!(asks_for(&in_sqs(std::slice::from_ref(&event))), Ok(Vec::new()), "{event}");
        }
        let digest = json!({"s3Bucket": "b", "s3ObjectKey": ["AWSLogs/1/CloudTrail-Digest/x.gz"]});
        let asks = asks_for(&in_sqs(&[digest])).unwrap();
        let [Ask::Digest(object)] = asks.as_slice() else { panic!("{asks:?}") };
        let buckets = ["b".to_owned()].into();
        assert!(object.is_a_digest(&buckets) && !object.is_a_trails(&buckets));
    }

    #[test]
    fn only_a_trails_own_folders_of_the_named_buckets_are_a_trails() {
        let buckets = ["trail", "other"].map(str::to_owned).into_iter().collect();
        let is = |bucket: &str, key: &str| match object(bucket, key) {
            Some(Ask::Object(object)) => object.is_a_trails(&buckets),
            _ => false,
        };
        assert!(is("trail", "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/x.json.gz"));
        assert!(is("other", "prefix/AWSLogs/o-abc/111122223333/CloudTrail/us-east-1/x.json.gz"));
        assert!(!is("evil", "AWSLogs/111122223333/CloudTrail/us-east-1/x.json.gz"));
        assert!(!is("trail", "uploads/x.json.gz"));
        assert!(!is("trail", "uploads/CloudTrail/AWSLogs/x.json.gz"));
        let account = |key: &str| match object("trail", key) {
            Some(Ask::Object(object)) => object.account().map(|account| account.to_string()),
            _ => None,
        };
        let of = "111122223333";
        let below = format!("444455556666/AWSLogs/o-abc/{of}/CloudTrail/us-east-1/x.json.gz");
        assert_eq!(account(&below).as_deref(), Some(of));
        assert_eq!(account("AWSLogs/CloudTrail/x.json.gz"), None);
    }

    #[test]
    fn one_bad_message_is_only_itself() {
        let all = messages(&in_sqs(&[json!({"a": 1}), s3()]));
        assert_eq!(all[0].asks, Err(UnknownMessage::Unknown));
        assert_eq!((all[1].id.as_deref(), &all[1].asks), (Some("m1"), &Ok(expected())));
        let mut deep = s3();
        for _ in 0..9 {
            deep = in_sns(&deep);
        }
        assert_eq!(messages(&in_sqs(&[deep]))[0].asks, Err(UnknownMessage::TooDeep(DEPTH_MAX)));
        assert_eq!(messages(&json!({"Records": 7}))[0].asks, Err(UnknownMessage::Unknown));
        assert_eq!(asks_of("{"), Err(UnknownMessage::NotJson));
    }
}
