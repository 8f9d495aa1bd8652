//! What comes in at once: what it leaves in the state, and whose sessions it touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tripline_attribution::{AnchorKind, Attributor, Use};
use tripline_cloudtrail::{EventTime, Limits, Reader, Record, Tally};
use tripline_text::Untrusted;

use super::blob::pack;
use super::{Anchor, Entry, HORIZON_SECS, Hearsay, Partition, Provenance};
use crate::aftermath::outcome;
use crate::config::Config;
use crate::filter::Filter;
use crate::held::{Key, call_key};
use crate::intake::{Intake, Purpose};
use crate::model::Model;
use crate::partial::{Kept, KeptCall, ToldBy};

/// Takes pages in that came together.
#[derive(Debug)]
pub struct Arrivals<'m> {
    intake: Intake<'m>,
    reader: Reader,
    sorted: Sorted<'m>,
    tally: Tally,
}

/// What came in.
#[derive(Debug)]
pub struct Arrival {
    /// For the state. All of it must be there before anything is looked at.
    pub entries: Vec<Entry>,
    /// The sessions to look at.
    pub touched: BTreeSet<Anchor>,
    /// What was read.
    pub tally: Tally,
    /// Calls of nobody who is watched.
    pub passed_over: u64,
}

impl<'m> Arrivals<'m> {
    /// Nothing yet. `now` is the time by the clock; `hash_seed` keys the hash tables, and no result
    /// depends on it.
    pub fn new(
        config: &'m Config,
        model: &'m Model,
        filter: &'m Filter,
        now: EventTime,
        hash_seed: u64,
    ) -> Self {
        let attributor = Attributor::new(config.agents.clone(), hash_seed);
        Self {
            intake: Intake::new(model, filter, Purpose::Keep, attributor),
            reader: Reader::new(Limits::default()),
            sorted: Sorted::new(config, oldest(now)),
            tally: Tally::default(),
        }
    }

    /// Takes a page in, as stored.
    pub fn read(&mut self, file: &Arc<Untrusted<'static>>, stored: &[u8], provenance: Provenance) {
        let Self { intake, reader, sorted, tally } = self;
        tally.add(reader.read(file, stored, |record| {
            let mut is_watched = true;
            let (fate, kept) = intake.kept(record, |used, shows_something| {
                is_watched = sorted.watches(used, record.time()) || shows_something;
                is_watched
            });
            sorted.passed_over += u64::from(!is_watched);
            if let Some(kept) = kept {
                sorted.take(call_key(record.time(), record.id()), &kept, provenance);
                if provenance == Provenance::Event {
                    sorted.doubt(record, &kept);
                }
                // A message alone proves no kill.
                let is_refused = provenance == Provenance::Trail && outcome(record) == Some(true);
                if let Some(call) = kept.call.as_ref().filter(|_| is_refused) {
                    let refusals = Partition::Refusals(Anchor::of(call.used.anchor()));
                    let time = record.time();
                    sorted.note(&refusals, &time.unix_secs(), until(time));
                }
            }
            fate
        }));
    }

    /// What it all comes to.
    pub fn finish(self) -> Arrival {
        self.sorted.finish(self.tally)
    }
}

/// The oldest time that is still looked at.
pub(super) fn oldest(now: EventTime) -> EventTime {
    EventTime::from_unix_secs(now.unix_secs() - HORIZON_SECS).unwrap_or(EventTime::EPOCH)
}

/// When what happened at this time may be forgotten: an hour after nobody looks at it any more.
pub(super) fn until(time: EventTime) -> EventTime {
    EventTime::from_unix_secs(time.unix_secs() + HORIZON_SECS + 3_600).unwrap_or(time)
}

type Rows = BTreeMap<(Partition, Provenance), (Vec<(Key, Vec<u8>)>, EventTime)>;

/// What a row mostly takes.
const ROW_BYTES: usize = 512;

/// Rows by where they belong.
#[derive(Debug)]
struct Sorted<'m> {
    config: &'m Config,
    oldest: EventTime,
    rows: Rows,
    entries: BTreeSet<Entry>,
    touched: BTreeSet<Anchor>,
    passed_over: u64,
}

impl<'m> Sorted<'m> {
    fn new(config: &'m Config, oldest: EventTime) -> Self {
        let (rows, entries, touched) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { config, oldest, rows, entries, touched, passed_over: 0 }
    }

    /// Whether anybody's call is watched who calls like this.
    fn watches(&self, used: &Use, time: EventTime) -> bool {
        time >= self.oldest && used.may_be_an_agents(&self.config.agents)
    }

    fn take(&mut self, key: Key, kept: &Kept, provenance: Provenance) {
        if let Some(mint) = &kept.mint
            && mint.time() >= self.oldest
        {
            let (child, until) = (Anchor::key(mint.key()), until(mint.time()));
            let value = (provenance, mint);
            self.note(&Partition::Mints(mint.key().into()), &value, until);
            if let Some(parent) = mint.parent() {
                let parent = Anchor::of(parent.anchor());
                self.note(&Partition::Children(parent), &child, until);
            }
            if let Some(principal) = mint.principal() {
                let peers = Partition::peers_at(principal.as_unescaped(), mint.time());
                self.note(&peers, &child, until);
            }
            self.touched.insert(child);
        }
        let Some(KeptCall { told, used, call, .. }) = &kept.call else { return };
        if call.time < self.oldest {
            self.passed_over += 1;
            return;
        }
        let (anchor, until) = (Anchor::of(used.anchor()), until(call.time));
        let is_watched = matches!(anchor.kind, AnchorKind::Key | AnchorKind::Console);
        if let Some((principal, created)) = used.created().filter(|_| is_watched) {
            let peers = Partition::peers_at(principal.as_unescaped(), created);
            self.note(&peers, &anchor, until);
        }
        // INVARIANT: no map and no unsized sequence, all that postcard refuses.
        let row = postcard::to_extend(kept, Vec::with_capacity(ROW_BYTES)).unwrap_or_default();
        if let ToldBy::Copy(shared) = told {
            self.row(Partition::Copies(*shared), key, row.clone(), provenance, until);
        }
        self.row(Partition::Rows(anchor.clone()), key, row, provenance, until);
        self.touched.insert(anchor);
    }

    /// Notes where CloudTrail can be asked about a record.
    fn doubt(&mut self, record: &Record<'_>, kept: &Kept) {
        let Some(said) = Hearsay::of(record, kept.mint.is_some()) else { return };
        let by = kept.call.as_ref().map(|call| Anchor::of(call.used.anchor()));
        let minted = kept.mint.as_ref().map(|mint| Anchor::key(mint.key()));
        for anchor in by.into_iter().chain(minted).filter(|_| record.time() >= self.oldest) {
            self.entries.insert(said.clone().said(anchor, record.time()));
        }
    }

    fn row(
        &mut self,
        partition: Partition,
        key: Key,
        row: Vec<u8>,
        provenance: Provenance,
        until: EventTime,
    ) {
        let place = self.rows.entry((partition, provenance));
        let (rows, last) = place.or_insert_with(|| (Vec::new(), until));
        rows.push((key, row));
        *last = (*last).max(until);
    }

    fn note(&mut self, partition: &Partition, value: &impl serde::Serialize, until: EventTime) {
        // INVARIANT: no map and no unsized sequence, all that postcard refuses.
        let value = postcard::to_extend(value, Vec::new()).unwrap_or_default();
        self.entries.insert(Entry::new(partition, value, until));
    }

    fn finish(self, tally: Tally) -> Arrival {
        let mut entries: Vec<Entry> = self.entries.into_iter().collect();
        for ((partition, provenance), (mut rows, until)) in self.rows {
            rows.sort_unstable();
            rows.dedup();
            let blobs = pack(&rows, provenance).into_iter();
            entries.extend(blobs.map(|blob| Entry::new(&partition, blob, until)));
        }
        Arrival { entries, touched: self.touched, tally, passed_over: self.passed_over }
    }
}
