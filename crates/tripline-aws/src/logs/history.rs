//! An account's own event history (CloudTrail/LookupEvents): the management events of 90 days, Region by
//! Region, without a trail. Two calls a second are allowed for an account and Region, of fifty events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use futures_util::stream::{self, Stream};
use tokio::time::{Instant, sleep_until};
use tripline_cloudtrail::EventTime;
use tripline_iam::{AccountId, Region};

use super::remote::why;

/// Between two calls to a Region.
const APART: Duration = Duration::from_millis(500);
/// How often a call is tried that others leave no room for, and how long the longest wait is.
const TRIES: u32 = 10;
const WAIT_MAX: Duration = Duration::from_secs(30);
/// How much of what was found is handed on at once.
const BATCH_BYTES: usize = 1 << 20;

/// The event history of the account that the credentials are of.
#[derive(Clone, Debug)]
pub struct EventHistory {
    config: SdkConfig,
    regions: Arc<Mutex<BTreeMap<Region, InRegion>>>,
}

#[derive(Clone, Debug)]
struct InRegion {
    client: Client,
    /// When the next call may be made.
    next: Arc<tokio::sync::Mutex<Instant>>,
}

/// What is looked for: all there is of a time, both ends included.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// From then on.
    pub since: EventTime,
    /// Until then.
    pub until: EventTime,
}

/// An event that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its `eventID`.
    pub id: String,
    /// The record, as JSON.
    pub record: String,
}

/// Records that make one JSON text.
#[derive(Clone, Debug, Default)]
pub struct Batch(Vec<u8>);

impl EventHistory {
    /// With these credentials.
    pub fn new(config: &SdkConfig) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(TRIES).with_max_backoff(WAIT_MAX);
        Self::hasty(&config.to_builder().retry_config(retry).build())
    }

    /// The same for somebody who cannot wait: as patient as `config` is.
    pub(crate) fn hasty(config: &SdkConfig) -> Self {
        Self { config: config.clone(), regions: Arc::default() }
    }

    /// The account.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn account(&self) -> Result<AccountId, String> {
        let caller = aws_sdk_sts::Client::new(&self.config).get_caller_identity().send().await;
        let account = caller.map_err(why)?.account;
        let account = account.and_then(|account| AccountId::parse(&account).ok());
        account.ok_or_else(|| "GetCallerIdentity names no account".to_owned())
    }

    /// The Regions that are enabled.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn enabled_regions(&self) -> Result<Vec<Region>, String> {
        use aws_sdk_account::types::RegionOptStatus::{Enabled, EnabledByDefault};
        let client = aws_sdk_account::Client::new(&self.config);
        let request = client.list_regions().region_opt_status_contains(Enabled);
        let request = request.region_opt_status_contains(EnabledByDefault);
        let mut pages = request.into_paginator().items().send();
        let mut regions = Vec::new();
        while let Some(region) = pages.next().await {
            let name = region.map_err(why)?.region_name;
            regions.extend(name.and_then(|name| Region::parse(&name).ok()));
        }
        Ok(regions)
    }

    /// All events of a Region and time, newest first, by page.
    pub fn walk(
        &self,
        region: &Region,
        span: Span,
    ) -> impl Stream<Item = Result<Vec<Found>, String>> + Send + 'static {
        let (history, region) = (self.clone(), region.clone());
        // The token of the page to come; none when there is no more.
        let first = Some(None);
        stream::unfold(first, move |token| {
            let (history, region) = (history.clone(), region.clone());
            async move {
                let token: Option<String> = token?;
                match history.page(&region, Some(span), None, token).await {
                    Ok((found, next)) => Some((Ok(found), next.map(Some))),
                    Err(why) => Some((Err(why), None)),
                }
            }
        })
    }

    /// The event with this id, if the history of a Region has it yet.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn event(&self, region: &Region, id: &str) -> Result<Vec<Found>, String> {
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventId)
            .attribute_value(id)
            .build()
            .map_err(|error| error.to_string())?;
        let (mut found, _) = self.page(region, None, Some(attribute), None).await?;
        found.retain(|found| found.id == id);
        Ok(found)
    }

    async fn page(
        &self,
        region: &Region,
        span: Option<Span>,
        attribute: Option<LookupAttribute>,
        token: Option<String>,
    ) -> Result<(Vec<Found>, Option<String>), String> {
        let InRegion { client, next } = self.region(region);
        {
            let mut next = next.lock().await;
            sleep_until(*next).await;
            *next = Instant::now() + APART;
        }
        let time = |time: EventTime| DateTime::from_secs(time.unix_secs());
        let answer = client
            .lookup_events()
            .set_start_time(span.map(|span| time(span.since)))
            .set_end_time(span.map(|span| time(span.until)))
            .set_lookup_attributes(attribute.map(|attribute| vec![attribute]))
            .set_next_token(token)
            .send()
            .await
            .map_err(why)?;
        let events = answer.events.unwrap_or_default().into_iter();
        let found = events.filter_map(|event| {
            Some(Found { id: event.event_id?, record: event.cloud_trail_event? })
        });
        Ok((found.collect(), answer.next_token))
    }

    fn region(&self, region: &Region) -> InRegion {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let config = aws_sdk_cloudtrail::config::Builder::from(&self.config)
                .region(aws_config::Region::new(region.as_str().to_owned()));
            InRegion {
                client: Client::from_conf(config.build()),
                next: Arc::new(tokio::sync::Mutex::new(Instant::now())),
            }
        };
        regions.entry(region.clone()).or_insert_with(new).clone()
    }
}

impl Batch {
    /// Adds a record; all of them, when that is enough for once.
    pub fn push(&mut self, found: &Found) -> Option<Vec<u8>> {
        let separator: &[u8] = if self.0.is_empty() { br#"{"Records":["# } else { b"," };
        self.0.extend_from_slice(separator);
        self.0.extend_from_slice(found.record.as_bytes());
        if self.0.len() >= BATCH_BYTES { self.finish() } else { None }
    }

    /// What there is, as a log file would have it.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        let mut json = std::mem::take(&mut self.0);
        if json.is_empty() {
            return None;
        }
        json.extend_from_slice(b"]}");
        Some(json)
    }
}
