//! CloudTrail's files where CloudTrail puts them.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use thiserror::Error;
use tripline_runtime::{ObjectRef, Page};
use tripline_text::Untrusted;

/// The longest object that is fetched. CloudTrail's hold 50 MB before compression
/// (UG/WhatIsCloudTrail-Limits).
const OBJECT_BYTES_MAX: i64 = 64 << 20;

/// Fetches objects.
#[derive(Debug)]
pub(crate) struct Objects {
    client: Client,
}

/// An object that could not be fetched.
#[derive(Debug, Error)]
pub(crate) enum ObjectError {
    /// Not there, not allowed, too long: it will not be otherwise the next time.
    #[error("{0}")]
    Final(String),
    /// S3 or the way to it failed.
    #[error("{0}")]
    Passing(String),
}

impl Objects {
    /// With this configuration.
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// An object, as stored.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub(crate) async fn fetch(&self, object: &ObjectRef) -> Result<Page, ObjectError> {
        let request = self
            .client
            .get_object()
            .bucket(object.bucket.as_unescaped())
            .key(object.key.as_unescaped());
        let response = request.send().await.map_err(|error| {
            let is_final = matches!(
                error.code(),
                Some(
                    "NoSuchKey"
                        | "NoSuchBucket"
                        | "AccessDenied"
                        | "InvalidObjectState"
                        | "KMS.DisabledException"
                        | "KMS.NotFoundException"
                        | "KMS.InvalidStateException"
                )
            );
            let why = DisplayErrorContext(error).to_string();
            if is_final { ObjectError::Final(why) } else { ObjectError::Passing(why) }
        })?;
        if response.content_length().is_some_and(|bytes| bytes > OBJECT_BYTES_MAX) {
            return Err(ObjectError::Final(format!("longer than {OBJECT_BYTES_MAX} bytes")));
        }
        let body = response.body.collect().await;
        let body = body.map_err(|error| ObjectError::Passing(error.to_string()))?;
        let name = format!("s3://{}/{}", object.bucket.as_unescaped(), object.key.as_unescaped());
        Ok(Page { file: Arc::new(Untrusted::new(name)), bytes: body.to_vec() })
    }
}
