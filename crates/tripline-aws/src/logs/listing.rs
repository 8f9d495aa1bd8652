//! What there is in a bucket, listed by as few calls as its folders allow.

use aws_config::Region;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{Object, RequestPayer};
use futures_util::stream::{self, StreamExt};

use super::BucketOptions;
use super::layout::{Level, Wanted};
use super::remote::{Remote, why};

/// Calls that list, at once.
pub(super) const LISTS_AT_ONCE: usize = 16;

/// A bucket, and how it is asked.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
    pub(super) payer: Option<RequestPayer>,
}

/// A run of keys, in their order.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) prefix: String,
    /// Whether it is a Region's, whose days tell where to begin and to end.
    pub(super) is_region: bool,
}

/// The folders of an account that trails write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Log files.
    Logs,
    /// Digests of log files.
    Digests,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Logs => "CloudTrail/",
            Self::Digests => "CloudTrail-Digest/",
        }
    }
}

impl Bucket {
    /// In the Region that it is in: S3 says so even to who may not read it.
    pub(super) async fn open(remote: &Remote, name: &str, options: BucketOptions) -> Self {
        let client = Client::new(&remote.config);
        let region = match client.head_bucket().bucket(name).send().await {
            Ok(answer) => answer.bucket_region,
            Err(error) => error
                .raw_response()
                .and_then(|response| response.headers().get("x-amz-bucket-region"))
                .map(str::to_owned),
        };
        let client = match region {
            Some(region) => {
                let config = aws_sdk_s3::config::Builder::from(&remote.config);
                Client::from_conf(config.region(Region::new(region)).build())
            }
            // What is wrong will be said when it is listed.
            None => client,
        };
        let payer = options.requester_pays.then_some(RequestPayer::Requester);
        Self { client, name: name.to_owned(), payer }
    }

    /// The runs of keys below a folder that are wanted, and the folders that could not be listed.
    pub(super) async fn descend(
        &self,
        folder: String,
        wanted: &Wanted,
        kind: Kind,
    ) -> (Vec<Stretch>, Vec<(String, String)>) {
        let (mut stretches, mut failed, mut level) = (Vec::new(), Vec::new(), vec![folder]);
        while !level.is_empty() {
            let mut ask = Vec::new();
            for folder in std::mem::take(&mut level) {
                match Level::of(&folder) {
                    Level::Within => stretches.push(Stretch { prefix: folder, is_region: false }),
                    Level::Region => stretches.push(Stretch { prefix: folder, is_region: true }),
                    Level::Account => level.push(format!("{folder}{}", kind.folder())),
                    Level::Outside | Level::Logs | Level::Trail => ask.push(folder),
                }
            }
            let asks = ask.into_iter().map(|folder| self.folders(folder)).collect::<Vec<_>>();
            let answers: Vec<_> = stream::iter(asks).buffered(LISTS_AT_ONCE).collect().await;
            for (folder, found) in answers {
                match found {
                    Ok(found) => choose(folder, found, wanted, &mut level, &mut stretches),
                    Err(why) => failed.push((folder, why)),
                }
            }
        }
        (stretches, failed)
    }

    /// Gives the objects of a run of keys to `each`, as far as they can be listed and their days are
    /// wanted.
    pub(super) async fn walk(
        &self,
        stretch: &Stretch,
        wanted: &Wanted,
        mut each: impl FnMut(Object) + Send,
    ) -> Result<(), String> {
        let Stretch { prefix, is_region } = stretch;
        let mut start = wanted.start_after(prefix).filter(|_| *is_region);
        let mut token = None;
        loop {
            let page = self.page(prefix, None, start.take(), token).await?;
            let mut is_past = false;
            for object in page.contents.unwrap_or_default() {
                let past = |key: &String| *is_region && wanted.is_past(prefix, key);
                is_past |= object.key.as_ref().is_some_and(past);
                each(object);
            }
            token = page.next_continuation_token;
            if is_past || token.is_none() {
                return Ok(());
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

    /// Whether there is nothing at all with this prefix.
    pub(super) async fn is_empty(&self, prefix: &str) -> bool {
        let probe = self.page(prefix, None, None, None).await;
        probe.is_ok_and(|page| page.contents().is_empty())
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
            .bucket(&self.name)
            .prefix(prefix)
            .set_delimiter(delimiter.map(str::to_owned))
            .set_start_after(start_after)
            .set_continuation_token(token)
            .set_request_payer(self.payer.clone())
            .send()
            .await
            .map_err(why)
    }
}

/// Which of the folders in a folder to go on with.
fn choose(
    folder: String,
    found: Vec<String>,
    wanted: &Wanted,
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
            Level::Logs => name.starts_with("o-") || wanted.account(name),
            _ => wanted.region(name),
        };
        if is_wanted {
            level.push(below);
        }
    }
}
