//! An account's event history looked up again and again: what is new in it since the last time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use futures_util::stream::{BoxStream, SelectAll, StreamExt};
use thiserror::Error;
use tripline_cloudtrail::EventTime;
use tripline_engine::{DamagedRow, HORIZON_SECS, Partition};
use tripline_iam::{AccountId, Region};
use tripline_runtime::{Page, State, StateError};
use tripline_text::Untrusted;

use super::history::{Batch, EventHistory, Found, Span};
use super::lookup::LookupUrl;

/// How far back each look goes behind the last one: events are in the history within some five minutes,
/// and in no order (UG/how-cloudtrail-works).
const OVERLAP_SECS: i64 = 1_200;

/// An event history that is watched.
#[derive(Debug)]
pub struct Poll {
    history: EventHistory,
    account: AccountId,
    /// Since when each Region is to be looked up.
    since: BTreeMap<Region, EventTime>,
    /// What the last look found.
    seen: BTreeSet<String>,
}

/// A page of a Region's history.
type Answer = Result<Vec<Found>, String>;

/// One look at all Regions.
pub struct Look {
    pages: SelectAll<BoxStream<'static, (Region, Answer)>>,
    until: EventTime,
    failed: BTreeSet<Region>,
    found: BTreeSet<String>,
    batch: Batch,
    full: VecDeque<Vec<u8>>,
    is_over: bool,
}

/// An event history that cannot be watched.
#[derive(Debug, Error)]
pub enum PollError {
    /// AWS did not answer.
    #[error("the event history cannot be looked up: {0}")]
    Aws(String),
    /// The state failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// Something in the state is not this program's.
    #[error("the state holds what this version of tripline cannot read")]
    Damaged(#[from] DamagedRow),
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Poll {
    /// Goes on where the state says that it stopped; else goes back as far as `url` says, if at all.
    ///
    /// # Errors
    /// [`PollError`].
    pub async fn open(
        config: &SdkConfig,
        url: &LookupUrl,
        state: &impl State,
        now: EventTime,
    ) -> Result<Self, PollError> {
        let history = EventHistory::new(config);
        let account = history.account().await.map_err(PollError::Aws)?;
        let regions = match url.regions.is_empty() {
            true => history.enabled_regions().await.map_err(PollError::Aws)?,
            false => url.regions.clone(),
        };
        let back = url.days.map_or(0, |days| i64::from(days) * 86_400);
        let mut since = BTreeMap::new();
        for region in regions {
            let set = Partition::LookedUp(place(account, &region).into());
            let values = state.read(&[set.id()]).await?.into_iter().flatten();
            let last = Partition::last_looked_up(values)?.unwrap_or(now.plus_secs(-back));
            // Nothing older is looked at.
            since.insert(region, last.max(now.plus_secs(-HORIZON_SECS)));
        }
        Ok(Self { history, account, since, seen: BTreeSet::new() })
    }

    /// Begins to look up what there is until `now`.
    pub fn look(&self, now: EventTime) -> Look {
        let walk = |(region, since): (&Region, &EventTime)| {
            let span = Span { since: since.plus_secs(-OVERLAP_SECS), until: now.max(*since) };
            let name = region.clone();
            self.history.walk(region, span).map(move |page| (name.clone(), page)).boxed()
        };
        Look {
            pages: self.since.iter().map(walk).collect(),
            until: now,
            failed: BTreeSet::new(),
            found: BTreeSet::new(),
            batch: Batch::default(),
            full: VecDeque::new(),
            is_over: false,
        }
    }

    /// The next records that the last look did not find, or why a Region's cannot be had; none when all
    /// was looked up.
    pub async fn next(&self, look: &mut Look) -> Option<Result<Page, String>> {
        loop {
            if let Some(bytes) = look.full.pop_front() {
                let file = Arc::new(Untrusted::new(format!("lookup-events://{}", self.account)));
                return Some(Ok(Page { file, bytes }));
            }
            if look.is_over {
                return None;
            }
            match look.pages.next().await {
                Some((_, Ok(found))) => {
                    for found in found {
                        if look.found.insert(found.id.clone()) && !self.seen.contains(&found.id) {
                            look.full.extend(look.batch.push(&found));
                        }
                    }
                }
                Some((region, Err(why))) => {
                    let said = format!("the event history of {region}: {why}");
                    look.failed.insert(region);
                    return Some(Err(said));
                }
                None => {
                    look.is_over = true;
                    look.full.extend(look.batch.finish());
                }
            }
        }
    }

    /// Notes how far it looked, once all that was found is where it belongs.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn done(&mut self, look: Look, state: &impl State) -> Result<(), StateError> {
        let mut entries = Vec::new();
        for (region, since) in &mut self.since {
            if !look.failed.contains(region) {
                *since = look.until;
                entries.push(Partition::looked_up_to(&place(self.account, region), look.until));
            }
        }
        match look.failed.is_empty() {
            true => self.seen = look.found,
            false => self.seen.extend(look.found),
        }
        state.put(&entries).await
    }
}

fn place(account: AccountId, region: &Region) -> String {
    format!("{account}/{region}")
}
