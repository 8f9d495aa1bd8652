//! CloudTrail's files where CloudTrail puts them.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use tripline_runtime::{Page, Source, SourceError};
use tripline_text::Untrusted;

/// An object in a bucket, as a notification names it: the text of somebody who could write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// The bucket.
    pub bucket: Untrusted<'static>,
    /// The key, decoded.
    pub key: Untrusted<'static>,
}

/// The longest object that is fetched. CloudTrail's hold 50 MB before compression
/// (UG/WhatIsCloudTrail-Limits).
const OBJECT_BYTES_MAX: i64 = 64 << 20;

/// Gives the objects of a list, one a page.
#[derive(Debug)]
pub struct S3Source {
    client: Client,
    objects: VecDeque<ObjectRef>,
}

impl S3Source {
    /// A source of these objects, in this order.
    pub fn new(config: &SdkConfig, objects: impl IntoIterator<Item = ObjectRef>) -> Self {
        Self { client: Client::new(config), objects: objects.into_iter().collect() }
    }

    async fn fetch(&self, object: &ObjectRef) -> Result<Vec<u8>, String> {
        let request = self
            .client
            .get_object()
            .bucket(object.bucket.as_unescaped())
            .key(object.key.as_unescaped());
        let response =
            request.send().await.map_err(|error| DisplayErrorContext(error).to_string())?;
        if response.content_length().is_some_and(|bytes| bytes > OBJECT_BYTES_MAX) {
            return Err(format!("longer than {OBJECT_BYTES_MAX} bytes"));
        }
        let body = response.body.collect().await.map_err(|error| error.to_string())?;
        Ok(body.to_vec())
    }
}

impl Source for S3Source {
    async fn next(&mut self) -> Option<Result<Page, SourceError>> {
        let object = self.objects.pop_front()?;
        let name = format!("s3://{}/{}", object.bucket.as_unescaped(), object.key.as_unescaped());
        let file = Arc::new(Untrusted::new(name));
        Some(match self.fetch(&object).await {
            Ok(bytes) => Ok(Page { file, bytes }),
            Err(why) => Err(SourceError { file, why }),
        })
    }
}
