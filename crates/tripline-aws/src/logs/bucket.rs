//! The logs in a bucket: what of them is needed, listed, and fetched by several calls at once.

use std::sync::Arc;

use aws_config::Region;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::RequestPayer;
use futures_util::stream::{self, StreamExt};
use tripline_engine::Filter;
use tripline_runtime::{Feed, Listed, Source, Unread, delivery_stamp};
use tripline_text::Untrusted;

use super::fetch::{Fetching, Objects};
use super::layout::{Level, S3Url, Wanted};
use super::remote::{Remote, why};

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

/// Calls that list, at once.
const LISTS_AT_ONCE: usize = 16;

/// A run of keys, in their order.
#[derive(Debug)]
struct Stretch {
    prefix: String,
    /// Whether it is a Region's, whose days tell where to begin and to end.
    is_region: bool,
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
            let client = client_for(remote, &url.bucket).await;
            let payer = options.requester_pays.then_some(RequestPayer::Requester);
            let mut lister = Lister {
                client,
                bucket: &url.bucket,
                payer,
                wanted: Wanted::of(filter),
                files: Vec::new(),
                unlisted: Vec::new(),
                found,
            };
            lister.list(url.prefix.clone()).await;
            lister
        };
        let Lister { client, bucket, payer, mut files, unlisted, .. } =
            remote.runtime.block_on(listing);
        files.sort_by(|a, b| (&a.delivered, &a.file).cmp(&(&b.delivered, &b.file)));
        files.dedup_by(|a, b| a.file == b.file);
        let objects = Objects { client, bucket: bucket.to_owned(), payer, files };
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

/// A client for the Region that a bucket is in: S3 says so even to who may not read it.
async fn client_for(remote: &Remote, bucket: &str) -> Client {
    let client = Client::new(&remote.config);
    let region = match client.head_bucket().bucket(bucket).send().await {
        Ok(answer) => answer.bucket_region,
        Err(error) => error
            .raw_response()
            .and_then(|response| response.headers().get("x-amz-bucket-region"))
            .map(str::to_owned),
    };
    match region {
        Some(region) => {
            let config = aws_sdk_s3::config::Builder::from(&remote.config);
            Client::from_conf(config.region(Region::new(region)).build())
        }
        // What is wrong will be said when it is listed.
        None => client,
    }
}

struct Lister<'a> {
    client: Client,
    bucket: &'a str,
    payer: Option<RequestPayer>,
    wanted: Wanted,
    files: Vec<Listed>,
    unlisted: Vec<Unread>,
    found: &'a (dyn Fn(u64) + Sync),
}

impl Lister<'_> {
    async fn list(&mut self, prefix: String) {
        let stretches = self.descend(prefix.clone()).await;
        let lists = stretches.iter().map(|stretch| self.stretch(stretch)).collect::<Vec<_>>();
        let mut lists = stream::iter(lists).buffer_unordered(LISTS_AT_ONCE);
        let (mut files, mut unlisted) = (Vec::new(), Vec::new());
        while let Some((mut some, failed)) = lists.next().await {
            files.append(&mut some);
            unlisted.extend(failed);
            (self.found)(files.len() as u64);
        }
        drop(lists);
        self.files = files;
        self.unlisted.append(&mut unlisted);
        if self.files.is_empty() && self.unlisted.is_empty() {
            let probe = self.page(&prefix, None, None, None).await;
            if probe.is_ok_and(|page| page.contents().is_empty()) {
                self.fail(&prefix, "there is nothing there".to_owned());
            }
        }
    }

    /// The runs of keys below a folder that are wanted.
    async fn descend(&mut self, folder: String) -> Vec<Stretch> {
        let (mut stretches, mut level) = (Vec::new(), vec![folder]);
        while !level.is_empty() {
            let mut ask = Vec::new();
            for folder in std::mem::take(&mut level) {
                match Level::of(&folder) {
                    Level::Within => stretches.push(Stretch { prefix: folder, is_region: false }),
                    Level::Region => stretches.push(Stretch { prefix: folder, is_region: true }),
                    Level::Account => level.push(format!("{folder}CloudTrail/")),
                    Level::Outside | Level::Logs | Level::Trail => ask.push(folder),
                }
            }
            let asks = ask.into_iter().map(|folder| self.folders(folder)).collect::<Vec<_>>();
            let answers: Vec<_> = stream::iter(asks).buffered(LISTS_AT_ONCE).collect().await;
            for (folder, found) in answers {
                match found {
                    Ok(found) => self.choose(folder, found, &mut level, &mut stretches),
                    Err(why) => self.fail(&folder, why),
                }
            }
        }
        stretches
    }

    /// Which of the folders in a folder to go on with.
    fn choose(
        &self,
        folder: String,
        found: Vec<String>,
        level: &mut Vec<String>,
        stretches: &mut Vec<Stretch>,
    ) {
        let kind = Level::of(&folder);
        if kind == Level::Outside {
            let logs = format!("{folder}AWSLogs/");
            match found.contains(&logs) {
                true => level.push(logs),
                // Trails' folders may be further down, among others: each key tells.
                false => stretches.push(Stretch { prefix: folder, is_region: false }),
            }
            return;
        }
        for below in found {
            let name = below.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let is_wanted = match kind {
                Level::Logs => name.starts_with("o-") || self.wanted.account(name),
                _ => self.wanted.region(name),
            };
            if is_wanted {
                level.push(below);
            }
        }
    }

    /// The folders in a folder.
    async fn folders(&self, folder: String) -> (String, Result<Vec<String>, String>) {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let page = match self.page(&folder, Some("/"), None, token).await {
                Ok(page) => page,
                Err(why) => return (folder, Err(why)),
            };
            let folders = page.common_prefixes.unwrap_or_default().into_iter();
            found.extend(folders.filter_map(|one| one.prefix));
            token = page.next_continuation_token;
            if token.is_none() {
                return (folder, Ok(found));
            }
        }
    }

    /// The objects of a run of keys, as far as they can be listed.
    async fn stretch(&self, stretch: &Stretch) -> (Vec<Listed>, Option<Unread>) {
        let Stretch { prefix, is_region } = stretch;
        let mut start = self.wanted.start_after(prefix).filter(|_| *is_region);
        let (mut files, mut token) = (Vec::new(), None);
        loop {
            let page = match self.page(prefix, None, start.take(), token).await {
                Ok(page) => page,
                Err(why) => return (files, Some(self.unread(prefix, why))),
            };
            let mut is_past = false;
            for object in page.contents.unwrap_or_default() {
                let Some(key) = object.key else { continue };
                is_past |= *is_region && self.wanted.is_past(prefix, &key);
                if self.wanted.object(&key) {
                    files.push(Listed {
                        bytes: object.size.and_then(|size| size.try_into().ok()).unwrap_or(0),
                        delivered: delivery_stamp(&key).to_owned(),
                        version: object.e_tag,
                        file: self.name(&key),
                    });
                }
            }
            token = page.next_continuation_token;
            if is_past || token.is_none() {
                return (files, None);
            }
        }
    }

    async fn page(
        &self,
        prefix: &str,
        delimiter: Option<&str>,
        start_after: Option<String>,
        token: Option<String>,
    ) -> Result<ListObjectsV2Output, String> {
        self.client
            .list_objects_v2()
            .bucket(self.bucket)
            .prefix(prefix)
            .set_delimiter(delimiter.map(str::to_owned))
            .set_start_after(start_after)
            .set_continuation_token(token)
            .set_request_payer(self.payer.clone())
            .send()
            .await
            .map_err(why)
    }

    fn name(&self, key: &str) -> Arc<Untrusted<'static>> {
        Arc::new(Untrusted::new(format!("s3://{}/{key}", self.bucket)))
    }

    fn unread(&self, key: &str, why: String) -> Unread {
        Unread { file: self.name(key), why }
    }

    fn fail(&mut self, key: &str, why: String) {
        let unread = self.unread(key, why);
        self.unlisted.push(unread);
    }
}
