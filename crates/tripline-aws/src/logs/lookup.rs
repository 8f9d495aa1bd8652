//! An account's event history as logs: a file for each Region and day.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tripline_cloudtrail::EventTime;
use tripline_engine::{Filter, HORIZON_SECS};
use tripline_iam::{AccountId, Region};
use tripline_runtime::{Arrived, Content, Feed, Listed, Source, Unread};
use tripline_text::Untrusted;

use super::history::{Batch, EventHistory, Span};
use super::remote::Remote;

const SCHEME: &str = "lookup-events://";
const DAY_SECS: i64 = 86_400;
/// How long events are kept (CloudTrail/LookupEvents).
const DAYS_MAX: u16 = 90;

/// `lookup-events://[REGION,…][?days=N]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupUrl {
    /// The Regions; empty for all that are enabled.
    pub regions: Vec<Region>,
    /// How many days back.
    pub days: Option<u16>,
}

/// A text that names no event history.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{}` names no event history", .0.escape_debug())]
pub struct InvalidLookupUrl(String);

impl LookupUrl {
    /// Whether a text is meant to be one.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Reads `lookup-events://[REGION,…][?days=N]`.
    ///
    /// # Errors
    /// [`InvalidLookupUrl`].
    pub fn parse(text: &str) -> Result<Self, InvalidLookupUrl> {
        let invalid = || InvalidLookupUrl(text.to_owned());
        let rest = text.strip_prefix(SCHEME).ok_or_else(invalid)?;
        let (regions, query) = match rest.split_once('?') {
            Some((regions, query)) => (regions, Some(query)),
            None => (rest, None),
        };
        let names = regions.split(',').filter(|_| !regions.is_empty());
        let regions: Result<Vec<_>, _> = names.map(Region::parse).collect();
        let days = match query {
            None => None,
            Some(query) => {
                let days = query.strip_prefix("days=").and_then(|days| days.parse().ok());
                Some(days.filter(|days| (1..=DAYS_MAX).contains(days)).ok_or_else(invalid)?)
            }
        };
        Ok(Self { regions: regions.map_err(|_| invalid())?, days })
    }
}

/// An account's event history.
#[derive(Debug)]
pub struct LookupLogs {
    remote: Remote,
    history: EventHistory,
    files: Vec<Listed>,
    spans: Vec<(Region, Span)>,
    unlisted: Vec<Unread>,
}

impl LookupLogs {
    /// What there is to look up at `url`, as far as `filter` needs it. `now` is the time by the clock.
    pub fn list(remote: &Remote, url: &LookupUrl, filter: &Filter, now: EventTime) -> Self {
        let history = EventHistory::new(&remote.config);
        let asked = remote.runtime.block_on(async {
            let regions = match url.regions.is_empty() {
                true => history.enabled_regions().await.map_err(|why| {
                    format!("cannot ask which Regions are enabled: {why}; name them instead: lookup-events://REGION,REGION")
                })?,
                false => url.regions.clone(),
            };
            Ok::<_, String>((history.account().await?, regions))
        });
        let (mut files, mut spans, mut unlisted) = (Vec::new(), Vec::new(), Vec::new());
        match asked {
            Ok((account, mut regions)) => {
                let wanted = &filter.regions;
                regions.retain(|region| wanted.is_empty() || wanted.contains(region));
                for span in days(url.days, filter, now) {
                    for region in &regions {
                        files.push(listed(account, region, span, now));
                        spans.push((region.clone(), span));
                    }
                }
            }
            Err(why) => {
                let file = Arc::new(Untrusted::new(SCHEME.to_owned()));
                unlisted.push(Unread { file, why });
            }
        }
        Self { remote: remote.clone(), history, files, spans, unlisted }
    }
}

/// The days, oldest first.
fn days(days: Option<u16>, filter: &Filter, now: EventTime) -> Vec<Span> {
    let back = i64::from(days.unwrap_or(DAYS_MAX)) * DAY_SECS;
    let mut first = now.unix_secs() - back;
    if let Some(since) = filter.since {
        // What was minted before may be used after.
        first = first.max(since.unix_secs() - HORIZON_SECS);
    }
    let last = filter.until.map_or(now, |until| until.min(now)).unix_secs();
    let mut spans = Vec::new();
    while first <= last {
        let end = (first - first.rem_euclid(DAY_SECS) + DAY_SECS - 1).min(last);
        let time = EventTime::from_unix_secs;
        if let (Some(since), Some(until)) = (time(first), time(end)) {
            spans.push(Span { since, until });
        }
        first = end + 1;
    }
    spans
}

fn listed(account: AccountId, region: &Region, span: Span, now: EventTime) -> Listed {
    let since = span.since.to_string();
    let day = since.get(..10).unwrap_or_default();
    let name = format!("{SCHEME}{account}/{}/{day}", region.as_str());
    // Long over, and the whole of it: there will be no more.
    let length = span.until.unix_secs() - span.since.unix_secs();
    let is_over = now.unix_secs() - span.until.unix_secs() > DAY_SECS && length == DAY_SECS - 1;
    Listed {
        file: Arc::new(Untrusted::new(name)),
        bytes: 0,
        delivered: format!("{}T0000Z", day.replace('-', "")),
        version: is_over.then(|| "over".to_owned()),
    }
}

impl Source for LookupLogs {
    fn files(&self) -> &[Listed] {
        &self.files
    }

    fn unlisted(&self) -> &[Unread] {
        &self.unlisted
    }

    fn open<'s>(&'s self, which: &'s [usize]) -> Box<dyn Feed + 's> {
        let mut by_region: BTreeMap<&Region, Vec<(usize, Span)>> = BTreeMap::new();
        for nth in which {
            if let Some((region, span)) = self.spans.get(*nth) {
                by_region.entry(region).or_default().push((*nth, *span));
            }
        }
        let (to, from) = mpsc::channel(by_region.len().max(1));
        let look_up = |(region, spans): (&Region, Vec<(usize, Span)>)| {
            let (history, region, to) = (self.history.clone(), region.clone(), to.clone());
            // Each Region has a limit of its own.
            self.remote.runtime.spawn(look_up(history, region, spans, to))
        };
        let tasks = by_region.into_iter().map(look_up).collect();
        Box::new(Looking { arrived: Mutex::new(from), tasks })
    }
}

async fn look_up(
    history: EventHistory,
    region: Region,
    spans: Vec<(usize, Span)>,
    to: mpsc::Sender<Arrived>,
) {
    for (nth, span) in spans {
        let mut batch = Batch::default();
        let mut pages = Box::pin(history.walk(&region, span));
        let mut failed = None;
        while let Some(page) = pages.next().await {
            match page {
                Ok(found) => {
                    for full in found.iter().filter_map(|found| batch.push(found)) {
                        if to.send(part(nth, full, true)).await.is_err() {
                            return;
                        }
                    }
                }
                Err(why) => failed = Some(why),
            }
        }
        let rest = batch.finish().unwrap_or_else(|| br#"{"Records":[]}"#.to_vec());
        let last = part(nth, rest, failed.is_some());
        let why =
            failed.map(|why| Arrived { nth, content: Content::Missing(why), has_more: false });
        for arrived in [Some(last), why].into_iter().flatten() {
            if to.send(arrived).await.is_err() {
                return;
            }
        }
    }
}

fn part(nth: usize, json: Vec<u8>, has_more: bool) -> Arrived {
    Arrived { nth, content: Content::Whole(Box::new(json)), has_more }
}

struct Looking {
    arrived: Mutex<mpsc::Receiver<Arrived>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Feed for Looking {
    fn next(&self) -> Option<Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_regions_and_days() {
        let all = LookupUrl::parse("lookup-events://").unwrap();
        assert_eq!((all.regions.len(), all.days), (0, None));
        let some = LookupUrl::parse("lookup-events://eu-central-1,us-east-1?days=7").unwrap();
        assert_eq!((some.regions.len(), some.days), (2, Some(7)));
        for text in ["s3://x", "lookup-events://eu central", "lookup-events://?days=91"] {
            assert!(LookupUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_looked_up_by_days_that_meet_and_do_not_overlap() {
        let now = EventTime::parse("2026-11-20T10:00:00Z").unwrap();
        let spans = days(Some(2), &Filter::default(), now);
        let texts: Vec<_> =
            spans.iter().map(|span| format!("{}..{}", span.since, span.until)).collect();
        assert_eq!(
            texts,
            [
                "2026-11-18T10:00:00Z..2026-11-18T23:59:59Z",
                "2026-11-19T00:00:00Z..2026-11-19T23:59:59Z",
                "2026-11-20T00:00:00Z..2026-11-20T10:00:00Z",
            ]
        );
        let filter = Filter { since: Some(now), until: Some(now), ..Filter::default() };
        let first = days(None, &filter, now).remove(0).since;
        assert_eq!(now.unix_secs() - first.unix_secs(), HORIZON_SECS);
        let account = AccountId::parse("111122223333").unwrap();
        let region = Region::parse("eu-central-1").unwrap();
        let versions: Vec<_> =
            spans.iter().map(|span| listed(account, &region, *span, now).version).collect();
        // The first is not whole, the others are too young.
        assert_eq!(versions, [None, None, None]);
        let later = now.plus_secs(3 * DAY_SECS);
        assert!(listed(account, &region, spans[1], later).version.is_some());
    }
}
