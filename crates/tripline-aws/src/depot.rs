//! Models in a bucket.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use tripline_runtime::{Depot, DepotError, Got, Only, Pending};

/// Below a prefix of a bucket.
#[derive(Debug)]
pub struct S3Depot {
    client: Client,
    bucket: String,
    prefix: String,
}

impl S3Depot {
    /// What an address like `s3://bucket/prefix` names; nothing if it is none.
    pub fn parse(aws: &SdkConfig, address: &str) -> Option<Self> {
        let (bucket, prefix) = bucket_and_prefix(address)?;
        Some(Self { client: Client::new(aws), bucket, prefix })
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn failed(&self, key: &str, why: &impl ToString) -> DepotError {
        let place = format!("s3://{}/{}", self.bucket, self.key(key));
        DepotError { place, why: why.to_string() }
    }
}

/// The prefix ends with a slash, or is empty.
fn bucket_and_prefix(address: &str) -> Option<(String, String)> {
    let rest = address.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    (!bucket.is_empty()).then(|| (bucket.to_owned(), prefix))
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

impl Depot for S3Depot {
    fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix.trim_end_matches('/'))
    }

    fn get<'a>(&'a self, key: &'a str, known: Option<&'a str>) -> Pending<'a, Got> {
        Box::pin(async move {
            let request = self.client.get_object().bucket(&self.bucket).key(self.key(key));
            let response = match request.set_if_none_match(known.map(str::to_owned)).send().await {
                Ok(response) => response,
                Err(error) if status(&error) == Some(304) => return Ok(Got::Same),
                // Who may not list a bucket is told of what is not there that it may not be read
                // (S3/API_GetObject).
                Err(error) if matches!(error.code(), Some("NoSuchKey" | "AccessDenied")) => {
                    return Ok(Got::Missing);
                }
                Err(error) => return Err(self.failed(key, &DisplayErrorContext(error))),
            };
            let tag = response.e_tag().unwrap_or_default().to_owned();
            let bytes = response.body.collect().await;
            let bytes = bytes.map_err(|error| self.failed(key, &error))?.to_vec();
            Ok(Got::New { bytes, tag })
        })
    }

    fn put<'a>(&'a self, key: &'a str, bytes: &'a [u8], only: Only<'a>) -> Pending<'a, bool> {
        Box::pin(async move {
            let request = self.client.put_object().bucket(&self.bucket).key(self.key(key));
            let request = match only {
                Only::IfAbsent => request.if_none_match("*"),
                Only::IfStill(tag) => request.if_match(tag),
            };
            match request.body(bytes.to_vec().into()).send().await {
                Ok(_) => Ok(true),
                // Another one was quicker (S3/conditional-writes).
                Err(error) if matches!(status(&error), Some(409 | 412)) => Ok(false),
                Err(error) => Err(self.failed(key, &DisplayErrorContext(error))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_bucket_and_what_is_below() {
        let parsed = |address| bucket_and_prefix(address);
        let is = |bucket: &str, prefix: &str| Some((bucket.to_owned(), prefix.to_owned()));
        assert_eq!(parsed("s3://models"), is("models", ""));
        assert_eq!(parsed("s3://models/"), is("models", ""));
        assert_eq!(parsed("s3://models/a/b/"), is("models", "a/b/"));
        assert_eq!(parsed("s3:///a"), None);
        assert_eq!(parsed("/models"), None);
    }
}
