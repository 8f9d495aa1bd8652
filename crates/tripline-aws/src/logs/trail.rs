//! A trail's bucket as it is checked: digests with their signatures, and the log files they speak of.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use tripline_cloudtrail::digest::{Audit, DigestName, ObjectRef, Verifier};
use tripline_engine::Filter;
use tripline_runtime::{
    At, FILE_BYTES_MAX, Period, Place, StoredDigest, Trail, Unfetched, place_in_copy, verify_trail,
};
use tripline_text::Untrusted;

use super::BucketOptions;
use super::layout::{S3Url, Wanted};
use super::listing::{Bucket, Kind};
use super::remote::{Remote, why};

/// The digests and log files in a bucket.
pub struct BucketTrail<'a> {
    remote: Remote,
    bucket: Bucket,
    folder: String,
    wanted: Wanted,
    /// What was said already of folders that cannot be listed.
    unlisted: BTreeSet<String>,
    fetched: AtomicU64,
    progress: &'a (dyn Fn(u64) + Sync),
}

impl fmt::Debug for BucketTrail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketTrail").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// Where a digest's signature is: `x-amz-meta-signature`
/// (UG/cloudtrail-log-file-validation-digest-file-structure).
const SIGNATURE: &str = "signature";

impl<'a> BucketTrail<'a> {
    /// What there is below `url`; log files are listed for the period only. `progress` is told how many
    /// objects were fetched so far.
    pub fn open(
        remote: &Remote,
        url: &S3Url,
        options: BucketOptions,
        period: Period,
        progress: &'a (dyn Fn(u64) + Sync),
    ) -> Self {
        let bucket = remote.runtime.block_on(Bucket::open(remote, &url.bucket, options));
        let filter = Filter { since: period.since, until: period.until, ..Filter::default() };
        Self {
            remote: remote.clone(),
            bucket,
            folder: url.prefix.clone(),
            wanted: Wanted::of(&filter),
            unlisted: BTreeSet::new(),
            fetched: AtomicU64::new(0),
            progress,
        }
    }

    /// Checks all digests and log files of a period.
    pub fn verify(mut self, verifier: &(impl Verifier + Sync), period: Period) -> Audit {
        let runtime = Arc::clone(&self.remote.runtime);
        runtime.block_on(verify_trail(&mut self, verifier, period))
    }

    /// An object, and all that is said of it; `None` when there is none.
    async fn get(&self, at: &At) -> Result<Option<(GetObjectOutput, Vec<u8>)>, Unfetched> {
        let failed = |why: String| Unfetched { at: at.clone(), why };
        (self.progress)(self.fetched.fetch_add(1, Ordering::Relaxed) + 1);
        let asked = self.bucket.client.get_object().bucket(&self.bucket.name);
        let asked = asked.key(at.as_unescaped()).set_request_payer(self.bucket.payer.clone());
        let mut got = match asked.send().await {
            Ok(got) => got,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(failed(why(error))),
        };
        let bytes = got.content_length().and_then(|bytes| u64::try_from(bytes).ok());
        if bytes.is_some_and(|bytes| bytes > FILE_BYTES_MAX) {
            return Err(failed(format!("longer than {FILE_BYTES_MAX} bytes")));
        }
        let body = std::mem::take(&mut got.body).collect().await;
        let body = body.map_err(|error| failed(format!("it broke off: {error}")))?;
        Ok(Some((got, body.to_vec())))
    }

    fn named(&self, place: &str, why: String) -> Unfetched {
        Unfetched { at: Untrusted::new(format!("s3://{}/{place}", self.bucket.name)), why }
    }

    /// All keys below a folder that may be of a kind, and what could not be listed.
    async fn keys(&self, kind: Kind, mut each: impl FnMut(String) + Send) -> Vec<Unfetched> {
        let folder = self.folder.clone();
        let (stretches, failed) = self.bucket.descend(folder, &self.wanted, kind).await;
        let mut unfetched: Vec<Unfetched> =
            failed.into_iter().map(|(folder, why)| self.named(&folder, why)).collect();
        for stretch in &stretches {
            let each =
                |object: aws_sdk_s3::types::Object| object.key.into_iter().for_each(&mut each);
            if let Err(why) = self.bucket.walk(stretch, &self.wanted, each).await {
                unfetched.push(self.named(&stretch.prefix, why));
            }
        }
        unfetched
    }
}

impl Trail for BucketTrail<'_> {
    async fn digests(&mut self) -> (Vec<At>, Vec<Unfetched>) {
        let mut found = Vec::new();
        let each = |key: String| {
            if DigestName::parse(&key).is_some() {
                found.push(Untrusted::new(key));
            }
        };
        let unfetched = self.keys(Kind::Digests, each).await;
        self.unlisted = unfetched.iter().map(|it| it.at.as_unescaped().to_owned()).collect();
        (found, unfetched)
    }

    async fn digest(&mut self, at: &At) -> Result<StoredDigest, Unfetched> {
        let gone = || Unfetched { at: at.clone(), why: "it is not there any more".to_owned() };
        let (got, bytes) = self.get(at).await?.ok_or_else(gone)?;
        let signature = got.metadata().and_then(|metadata| metadata.get(SIGNATURE));
        Ok(StoredDigest { bytes, signature: signature.cloned().map(Untrusted::new) })
    }

    fn place_of(&self, at: &At, itself: &ObjectRef, object: &ObjectRef) -> Place {
        // A replica has another name, and holds what its original did.
        if object.bucket != itself.bucket {
            return Place::Outside;
        }
        place_in_copy(at, itself, object)
    }

    async fn log(&mut self, at: &At) -> Result<Option<Vec<u8>>, Unfetched> {
        Ok(self.get(at).await?.map(|(_, bytes)| bytes))
    }

    async fn files(&mut self, each: &mut (dyn FnMut(At) + Send)) -> Vec<Unfetched> {
        let mut unfetched = self.keys(Kind::Logs, |key| each(Untrusted::new(key))).await;
        unfetched.retain(|it| !self.unlisted.contains(it.at.as_unescaped()));
        unfetched
    }
}
