//! What messages alone told of, so that CloudTrail itself can be asked about it: only what it tells is
//! enough for a kill.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::{EventId, EventTime, Record};
use tripline_detector::Verdict;
use tripline_iam::{AccountId, Region};

use super::arrival::until;
use super::partition::{Groups, elements, encoded};
use super::slice::LiveIncident;
use super::{Anchor, Entry, HORIZON_SECS, Partition};
use crate::judge::DamagedRow;

/// A record that a message told of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Hearsay {
    is_mint: bool,
    id: EventId,
    account: AccountId,
    region: Region,
}

/// An element of [`Partition::Hearsay`].
#[derive(Debug, Serialize, Deserialize)]
enum Heard {
    /// Somebody said so.
    Said(Hearsay),
    /// CloudTrail said so too.
    Confirmed(EventId),
}

/// How many records of an incident are asked for at once: two a second are allowed.
const ASKED_MAX: usize = 16;

/// How long a record is asked for: in five minutes mostly, and in fifteen nearly always, the trail has
/// delivered it (UG/how-cloudtrail-works).
const PENDING_SPAN_SECS: i64 = 1_800;

impl Hearsay {
    pub(super) fn of(record: &Record<'_>, is_mint: bool) -> Option<Self> {
        let region = Region::parse(&record.region()?.decode()).ok()?;
        Some(Self { is_mint, id: record.id(), account: record.recipient_account()?, region })
    }

    pub(super) fn note(self, by: Anchor, time: EventTime, groups: &mut Groups) {
        groups.add(Partition::Hearsay(by), &Heard::Said(self), until(time));
    }

    /// The account that it was delivered to.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The Region that it is of.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Its `eventID`, if it has one of AWS's form.
    pub fn event_id(&self) -> String {
        let bits = format!("{:032x}", self.id.bits());
        let part = |from, to| bits.get(from..to).unwrap_or_default();
        let parts = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)];
        parts.join("-")
    }
}

impl LiveIncident {
    /// Where the state holds what messages alone told of its lineage.
    pub fn hearsay(&self) -> Vec<Partition> {
        let sessions = self.incident.lineage.iter();
        let anchor = |kind, id: &str| Partition::Hearsay(Anchor::of((kind, id)));
        let sessions = sessions.map(|one| anchor(one.kind, one.id.untrusted().as_unescaped()));
        let all: BTreeSet<Partition> =
            sessions.chain([Partition::Hearsay(self.root.clone())]).collect();
        all.into_iter().collect()
    }

    /// The records that it rests on, of those that such sets tell of: the calls that had the verdict,
    /// and who got which credential. What was confirmed already is none of them.
    ///
    /// # Errors
    /// When an element is none of this program's, or damaged.
    pub fn doubts(
        &self,
        values: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Vec<Hearsay>, DamagedRow> {
        let (mut said, mut confirmed) = (BTreeSet::new(), BTreeSet::new());
        for value in values {
            for heard in elements(&value)? {
                match heard {
                    Heard::Said(hearsay) => {
                        said.insert(hearsay);
                    }
                    Heard::Confirmed(id) => {
                        confirmed.insert(id);
                    }
                }
            }
        }
        let findings = self.incident.findings.iter();
        let kills = findings.filter(|finding| finding.assessment.verdict == Verdict::Kill);
        let kills: BTreeSet<EventId> = kills.map(|finding| finding.call.id).collect();
        said.retain(|one| !confirmed.contains(&one.id) && (one.is_mint || kills.contains(&one.id)));
        let mut doubts: Vec<Hearsay> = said.into_iter().collect();
        doubts.sort_by_key(|one| !kills.contains(&one.id));
        doubts.truncate(ASKED_MAX);
        Ok(doubts)
    }

    /// What says, once it is in the state, that CloudTrail told of this record too.
    pub fn confirmed(&self, hearsay: &Hearsay, now: EventTime) -> Entry {
        let partition = Partition::Hearsay(self.root.clone());
        entry(&partition, &Heard::Confirmed(hearsay.id), until(now))
    }

    /// What says, once it is in the state, that CloudTrail is to be asked again.
    pub fn pending(&self, now: EventTime) -> Entry {
        let span = Partition::Pending(now.unix_secs() / PENDING_SPAN_SECS);
        entry(&span, &self.root, now.plus_secs(HORIZON_SECS))
    }
}

impl Partition {
    /// Where the lineages are that CloudTrail is to be asked about again.
    pub fn pending(now: EventTime) -> [Self; 2] {
        let span = now.unix_secs() / PENDING_SPAN_SECS;
        [Self::Pending(span - 1), Self::Pending(span)]
    }

    /// The lineages that such sets name, by their roots.
    ///
    /// # Errors
    /// When an element is none of this program's, or damaged.
    pub fn pending_roots(
        values: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<BTreeSet<Anchor>, DamagedRow> {
        let root = |value: Vec<u8>| postcard::from_bytes(&value).map_err(|_| DamagedRow);
        values.into_iter().map(root).collect()
    }

    /// What says, once it is in the state, that an event history was looked up to a time.
    pub fn looked_up_to(place: &str, time: EventTime) -> Entry {
        let partition = Self::LookedUp(place.into());
        entry(&partition, &time.unix_secs(), time.plus_secs(HORIZON_SECS))
    }

    /// Up to when such a set says that it was.
    ///
    /// # Errors
    /// When an element is none of this program's, or damaged.
    pub fn last_looked_up(
        values: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Option<EventTime>, DamagedRow> {
        let secs = |value: Vec<u8>| postcard::from_bytes::<i64>(&value).map_err(|_| DamagedRow);
        let times = values.into_iter().map(secs).collect::<Result<Vec<_>, _>>()?;
        Ok(times.into_iter().max().and_then(EventTime::from_unix_secs))
    }
}

fn entry(partition: &Partition, value: &impl Serialize, until: EventTime) -> Entry {
    Entry::new(partition, encoded(value), until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_aws_writes_it() {
        let text = "01234567-89ab-4def-8123-456789abcdef";
        let hearsay = Hearsay {
            is_mint: false,
            id: EventId::of(text),
            account: AccountId::parse("111122223333").unwrap(),
            region: Region::parse("eu-central-1").unwrap(),
        };
        assert_eq!(hearsay.event_id(), text);
    }

    #[test]
    fn the_latest_of_times_counts() {
        let time = |text: &str| EventTime::parse(text).unwrap();
        let (early, late) = (time("2026-11-20T10:00:00Z"), time("2026-11-20T10:01:00Z"));
        let values = [late, early].map(|time| Partition::looked_up_to("here", time).value);
        assert_eq!(Partition::last_looked_up(values).unwrap(), Some(late));
        assert_eq!(Partition::last_looked_up([]).unwrap(), None);
    }
}
