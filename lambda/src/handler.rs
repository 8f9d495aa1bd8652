//! One S3 notification: which objects it names, and what the pipeline says of them.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use aws_config::SdkConfig;
use aws_lambda_events::s3::S3Event;
use serde_json::{Value, json};
use thiserror::Error;
use tripline_aws::{ObjectRef, S3Source};
use tripline_runtime::{Batch, Config, Filter, Model, drive, report};
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
    #[error("cannot read `{}`: {source}", path.display())]
    Settings { path: PathBuf, source: io::Error },
    #[error("`{}`: {why}", path.display())]
    Invalid { path: PathBuf, why: String },
    #[error("not an S3 notification: {0}")]
    NotS3(#[from] serde_json::Error),
    #[error("the pipeline's own rows are damaged: {0}")]
    Damaged(#[from] tripline_runtime::DamagedRow),
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
        let invalid = |path: &Path, why: String| HandlerError::Invalid { path: path.to_owned(), why };
        let (config, model) = tripline_runtime::settings(
            &home.join("tripline.toml"),
            Some(&home.join("baselines")),
        )
        .map_err(|error| invalid(home, error.to_string()))?;
        Ok(Self { config, model })
    }
}

/// Reads the objects that `event` names, and writes a line a finding to the function's log. The
/// answer is the account of what was read.
pub(crate) async fn handle(event: Value, aws: &SdkConfig, settings: &Settings) -> Result<Value, HandlerError> {
    // Sent once when a notification is set up; an error here would be retried for nothing.
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(json!({ "test": true }));
    }
    let mut source = S3Source::new(aws, objects(event)?);
    let filter = Filter::default();
    let mut batch = Batch::new(&settings.config, &settings.model, &filter, false, hash_seed());
    drive(&mut source, &mut batch).await;
    let found = batch.finish(&settings.config)?;
    let mut log = io::stdout().lock();
    for scored in found.scored.iter().filter(|scored| scored.is_finding()) {
        report::ndjson::write_scored(&mut log, scored, settings.model.id())?;
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
        let key = record.s3.object.url_decoded_key.or(record.s3.object.key)?;
        Some(ObjectRef { bucket: Untrusted::new(record.s3.bucket.name?), key: Untrusted::new(key) })
    };
    Ok(event.records.into_iter().filter_map(object).collect())
}
