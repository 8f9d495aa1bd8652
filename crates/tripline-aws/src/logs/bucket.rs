//! The logs in a bucket: what of them is needed, listed, and fetched by several calls at once.

use std::sync::Arc;

use aws_sdk_s3::types::Object;
use futures_util::stream::{self, StreamExt};
use tripline_engine::Filter;
use tripline_runtime::{Feed, Listed, Source, Unread, delivery_stamp};
use tripline_text::Untrusted;

use super::fetch::{Fetching, Objects};
use super::layout::{S3Url, Wanted};
use super::listing::{Bucket, Kind, LISTS_AT_ONCE, Stretch};
use super::remote::Remote;

/// How a bucket is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct BucketOptions {
    /// Whoever reads pays, not the bucket's owner.
    pub requester_pays: bool,
}

/// Logs in a bucket, listed.
#[derive(Debug)]
pub struct BucketLogs {
    remote: Remote,
    objects: Arc<Objects>,
    unlisted: Vec<Unread>,
}

impl BucketLogs {
    /// What there is below `url` that `filter` needs, and that trails wrote. Accounts, Regions and days
    /// are left out without listing them, where the folders are a trail's. `found` is told how many
    /// objects there are so far.
    pub fn list(
        remote: &Remote,
        url: &S3Url,
        options: BucketOptions,
        filter: &Filter,
        found: &(dyn Fn(u64) + Sync),
    ) -> Self {
        let listing = async {
            let bucket = Bucket::open(remote, &url.bucket, options).await;
            let wanted = Wanted::of(filter);
            let mut lister =
                Lister { bucket, wanted, files: Vec::new(), unlisted: Vec::new(), found };
            lister.list(url.prefix.clone()).await;
            lister
        };
        let Lister { bucket, mut files, unlisted, .. } = remote.runtime.block_on(listing);
        files.sort_by(|a, b| (&a.delivered, &a.file).cmp(&(&b.delivered, &b.file)));
        files.dedup_by(|a, b| a.file == b.file);
        let Bucket { client, name: bucket, payer } = bucket;
        let objects = Objects { client, bucket, payer, files };
        Self { remote: remote.clone(), objects: Arc::new(objects), unlisted }
    }
}

impl Source for BucketLogs {
    fn files(&self) -> &[Listed] {
        &self.objects.files
    }

    fn unlisted(&self) -> &[Unread] {
        &self.unlisted
    }

    fn open<'s>(&'s self, which: &'s [usize]) -> Box<dyn Feed + 's> {
        let objects = Arc::clone(&self.objects);
        Box::new(Fetching::begin(&self.remote.runtime, objects, which.to_vec()))
    }
}

struct Lister<'a> {
    bucket: Bucket,
    wanted: Wanted,
    files: Vec<Listed>,
    unlisted: Vec<Unread>,
    found: &'a (dyn Fn(u64) + Sync),
}

impl Lister<'_> {
    async fn list(&mut self, prefix: String) {
        let (stretches, failed) =
            self.bucket.descend(prefix.clone(), &self.wanted, Kind::Logs).await;
        let lists = stretches.iter().map(|stretch| self.stretch(stretch)).collect::<Vec<_>>();
        let mut lists = stream::iter(lists).buffer_unordered(LISTS_AT_ONCE);
        let (mut files, mut unlisted) = (Vec::new(), Vec::new());
        while let Some((mut some, failed)) = lists.next().await {
            files.append(&mut some);
            unlisted.extend(failed);
            (self.found)(files.len() as u64);
        }
        drop(lists);
        unlisted.extend(failed.into_iter().map(|(folder, why)| self.unread(&folder, why)));
        self.files = files;
        self.unlisted = unlisted;
        if self.files.is_empty() && self.unlisted.is_empty() && self.bucket.is_empty(&prefix).await
        {
            self.unlisted.push(self.unread(&prefix, "there is nothing there".to_owned()));
        }
    }

    /// The objects of a run of keys, as far as they can be listed.
    async fn stretch(&self, stretch: &Stretch) -> (Vec<Listed>, Option<Unread>) {
        let mut files = Vec::new();
        let each = |object: Object| {
            let Some(key) = object.key.filter(|key| self.wanted.object(key)) else { return };
            files.push(Listed {
                bytes: object.size.and_then(|size| size.try_into().ok()).unwrap_or(0),
                delivered: delivery_stamp(&key).to_owned(),
                version: object.e_tag,
                file: self.name(&key),
            });
        };
        let walked = self.bucket.walk(stretch, &self.wanted, each).await;
        (files, walked.err().map(|why| self.unread(&stretch.prefix, why)))
    }

    fn name(&self, key: &str) -> Arc<Untrusted<'static>> {
        Arc::new(Untrusted::new(format!("s3://{}/{key}", self.bucket.name)))
    }

    fn unread(&self, key: &str, why: String) -> Unread {
        Unread { file: self.name(key), why }
    }
}
