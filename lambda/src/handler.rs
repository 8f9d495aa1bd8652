//! One S3 notification: which objects it names, and what the pipeline says of them.

use std::path::Path;
use std::{env, io};

use aws_config::SdkConfig;
use aws_lambda_events::s3::S3Event;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use thiserror::Error;
use tripline_aws::{ObjectRef, S3Source};
use tripline_engine::{Batch, Config, DamagedRow, Filter, Model, Purpose};
use tripline_report::ndjson;
use tripline_runtime::{SettingsError, drive, hash_seed, settings};
use tripline_text::Untrusted;

/// What the function is set up with.
#[derive(Debug)]
pub(crate) struct Settings {
    config: Config,
    model: Model,
}

/// A function that is not set up, or an event that is not for it.
#[derive(Debug, Error)]
pub(crate) enum HandlerError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("not an S3 notification: {0}")]
    NotS3(#[from] serde_json::Error),
    #[error("the pipeline's own rows are damaged: {0}")]
    Damaged(#[from] DamagedRow),
    #[error("cannot write the verdicts: {0}")]
    Output(#[from] io::Error),
}

impl Settings {
    /// From `TRIPLINE_HOME` (in a function's package: `/var/task`, where it is set up by default):
    /// `tripline.toml`, if there is one, and `baselines/<agent>/scope.toml`.
    pub(crate) fn from_environment() -> Result<Self, HandlerError> {
        let home = env::var_os("TRIPLINE_HOME").unwrap_or_else(|| "/var/task".into());
        Self::from_home(Path::new(&home))
    }

    fn from_home(home: &Path) -> Result<Self, HandlerError> {
        let present = |name: &str| Some(home.join(name)).filter(|path| path.exists());
        let (config, model) =
            settings(present("tripline.toml").as_deref(), present("baselines").as_deref())?;
        Ok(Self { config, model })
    }
}

/// Reads the objects that `event` names, and writes a line a finding to the function's log. The
/// answer is the account of what was read.
pub(crate) async fn handle(
    event: Value,
    aws: &SdkConfig,
    settings: &Settings,
) -> Result<Value, HandlerError> {
    // Sent once when a notification is set up; an error here would be retried for nothing.
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(json!({ "test": true }));
    }
    let mut source = S3Source::new(aws, objects(event)?);
    let filter = Filter::default();
    let mut batch =
        Batch::new(&settings.config, &settings.model, &filter, Purpose::ShowFindings, hash_seed());
    drive(&mut source, &mut batch).await;
    let found = batch.finish(&settings.config)?;
    let mut log = io::stdout().lock();
    for scored in found.scored.iter().filter(|scored| scored.is_finding()) {
        ndjson::write_scored(&mut log, scored, settings.model.id())?;
    }
    let records = found.tally.records;
    Ok(json!({
        "seen": records.seen, "read": records.read, "skipped": records.skipped,
        "failed": records.failed, "duplicate": records.duplicate, "incidents": found.incidents.len(),
    }))
}

/// The objects of a notification, keys decoded (they are form-encoded in it).
fn objects(event: Value) -> Result<Vec<ObjectRef>, HandlerError> {
    let event: S3Event = serde_json::from_value(event)?;
    let object = |record: aws_lambda_events::s3::S3EventRecord| {
        let key = record.s3.object.key?.replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8_lossy().into_owned();
        Some(ObjectRef { bucket: Untrusted::new(record.s3.bucket.name?), key: Untrusted::new(key) })
    };
    Ok(event.records.into_iter().filter_map(object).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_names_its_objects_with_decoded_keys() {
        let event = json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "awsRegion": "eu-central-1", "eventTime": "2026-11-20T10:00:00.000Z", "userIdentity": {}, "requestParameters": {},
            "responseElements": {}, "s3": {"bucket": {"name": "trail"}, "object": {"key": "AWSLogs/a+b%3D.json.gz", "size": 1}}}]});
        let objects = objects(event).unwrap();
        assert_eq!(objects.len(), 1);
        assert!(objects[0].bucket == "trail" && objects[0].key == "AWSLogs/a b=.json.gz");
    }

    #[tokio::test]
    async fn trap_18_the_test_event_is_acknowledged_and_nonsense_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let settings = Settings::from_home(home.path()).unwrap();
        let aws = SdkConfig::builder().build();
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "trail"});
        assert_eq!(handle(test, &aws, &settings).await.unwrap(), json!({"test": true}));
        assert!(handle(json!({"Records": 7}), &aws, &settings).await.is_err());
    }
}
