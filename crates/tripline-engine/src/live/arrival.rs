//! What comes in at once: what it leaves in the state, and whose sessions it touches.

use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashMap;
use tripline_attribution::{AnchorKind, Attributor, StoredMint, Use};
use tripline_cloudtrail::{EventTime, Limits, Reader, Record, Tally, keyed};
use tripline_text::Untrusted;

use super::blob::Packer;
use super::partition::{Groups, encoded};
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
            sorted: Sorted::new(config, oldest(now), hash_seed),
            tally: Tally::default(),
        }
    }

    /// Takes a page in, as stored; the time of its newest record.
    pub fn read(
        &mut self,
        file: &Arc<Untrusted<'static>>,
        stored: &[u8],
        provenance: Provenance,
    ) -> Option<EventTime> {
        let Self { intake, reader, sorted, tally } = self;
        let mut newest = None;
        tally.add(reader.read(file, stored, &mut |record: &Record<'_>| {
            newest = newest.max(Some(record.time()));
            let mut is_watched = true;
            let (fate, kept) = intake.kept(record, |used, shows_something| {
                is_watched = sorted.watches(used, record.time()) || shows_something;
                is_watched
            });
            sorted.passed_over += u64::from(!is_watched);
            if let Some(kept) = kept {
                if provenance == Provenance::Event {
                    sorted.doubt(record, &kept);
                }
                // A message alone proves no kill.
                let is_refused = provenance == Provenance::Trail && outcome(record) == Some(true);
                if let Some(call) = kept.call.as_ref().filter(|_| is_refused) {
                    let refusals = Partition::Refusals(Anchor::of(call.used.anchor()));
                    let time = record.time();
                    sorted.groups.add(refusals, &time.unix_secs(), until(time));
                }
                sorted.take(call_key(record.time(), record.id()), kept, provenance);
            }
            fate
        }));
        newest
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

/// When what happened at this time may be forgotten: an hour after nobody looks at it any more. Whole
/// hours, so that the same said again is mostly the same to the state.
pub(super) fn until(time: EventTime) -> EventTime {
    let over = time.unix_secs() + HORIZON_SECS + 3_600;
    EventTime::from_unix_secs(over - over.rem_euclid(3_600) + 3_600).unwrap_or(time)
}

type Rows = HashMap<(Partition, Provenance), Together, RandomState>;

/// What goes to one place.
#[derive(Debug)]
struct Together {
    rows: Vec<(Key, Vec<u8>)>,
    until: EventTime,
    /// Whose session it is, and when that began: of most, all calls say the same.
    began: Option<(Box<str>, EventTime)>,
}

/// Rows by where they belong.
#[derive(Debug)]
struct Sorted<'m> {
    config: &'m Config,
    oldest: EventTime,
    rows: Rows,
    groups: Groups,
    passed_over: u64,
}

impl<'m> Sorted<'m> {
    fn new(config: &'m Config, oldest: EventTime, hash_seed: u64) -> Self {
        let hasher = keyed(hash_seed, 0);
        let (rows, groups) = (HashMap::with_hasher(hasher), Groups::default());
        Self { config, oldest, rows, groups, passed_over: 0 }
    }

    /// Whether anybody's call is watched who calls like this.
    fn watches(&self, used: &Use, time: EventTime) -> bool {
        time >= self.oldest && used.may_be_an_agents(&self.config.agents)
    }

    fn take(&mut self, key: Key, kept: Kept, provenance: Provenance) {
        if let Some(mint) = kept.mint.clone().filter(|mint| mint.time() >= self.oldest) {
            self.take_mint(key, mint, provenance);
        }
        let Some(KeptCall { told, used, call, .. }) = &kept.call else { return };
        if call.time < self.oldest {
            self.passed_over += 1;
            return;
        }
        let (anchor, until) = (Anchor::of(used.anchor()), until(call.time));
        let row = encoded(&kept);
        if let ToldBy::Copy(shared) = told {
            let copies = (Partition::Copies(*shared), provenance);
            put(&mut self.rows, copies, (key, row.clone()), until);
        }
        let is_watched = matches!(anchor.kind, AnchorKind::Key | AnchorKind::Console);
        let began = used.created().filter(|_| is_watched);
        let place = (Partition::Rows(anchor.clone()), provenance);
        let together = put(&mut self.rows, place, (key, row), until);
        match (began, &together.began) {
            (Some((principal, created)), None) => {
                together.began = Some((principal.as_unescaped().into(), created));
            }
            (Some((principal, created)), Some((known, known_created)))
                if (principal.as_unescaped(), created) != (known.as_ref(), *known_created) =>
            {
                let peers = Partition::peers_at(principal.as_unescaped(), created);
                self.groups.add(peers, &anchor, until);
            }
            _ => {}
        }
    }

    /// Notes where CloudTrail can be asked about a record.
    fn doubt(&mut self, record: &Record<'_>, kept: &Kept) {
        let Some(said) = Hearsay::of(record, kept.mint.is_some()) else { return };
        let by = kept.call.as_ref().map(|call| Anchor::of(call.used.anchor()));
        let minted = kept.mint.as_ref().map(|mint| Anchor::key(mint.key()));
        for anchor in by.into_iter().chain(minted).filter(|_| record.time() >= self.oldest) {
            said.clone().note(anchor, record.time(), &mut self.groups);
        }
    }

    fn take_mint(&mut self, key: Key, mint: StoredMint, provenance: Provenance) {
        let (child, until) = (Anchor::key(mint.key()), until(mint.time()));
        if let Some(parent) = mint.parent() {
            let parent = Anchor::of(parent.anchor());
            self.groups.add(Partition::Children(parent), &child, until);
        }
        if let Some(principal) = mint.principal() {
            let peers = Partition::peers_at(principal.as_unescaped(), mint.time());
            self.groups.add(peers, &child, until);
        }
        let mints = (Partition::Mints(mint.key().into()), provenance);
        let row = encoded(&Kept { mint: Some(mint), call: None });
        put(&mut self.rows, mints, (key, row), until);
    }

    /// Notes whose sessions these are, and when they began; which sessions there are.
    fn sessions(&mut self) -> BTreeSet<Anchor> {
        let mut touched = BTreeSet::new();
        for ((partition, _), together) in &self.rows {
            let anchor = match partition {
                Partition::Rows(anchor) => anchor.clone(),
                Partition::Mints(key) => Anchor::key(key),
                _ => continue,
            };
            if let Some((principal, created)) = &together.began {
                let peers = Partition::peers_at(principal, *created);
                self.groups.add(peers, &anchor, together.until);
            }
            touched.insert(anchor);
        }
        touched
    }

    /// Puts a session's calls where its mint is, if that came too: one item then, which is read in any
    /// case.
    fn unite(rows: &mut Rows) {
        let mints = rows.keys().filter_map(|(partition, provenance)| match partition {
            Partition::Mints(key) => Some((key.clone(), *provenance)),
            _ => None,
        });
        for (key, provenance) in mints.collect::<Vec<_>>() {
            let calls = rows.remove(&(Partition::Rows(Anchor::key(&key)), provenance));
            let mint = rows.get_mut(&(Partition::Mints(key), provenance));
            if let Some((mut calls, mint)) = calls.zip(mint) {
                mint.rows.append(&mut calls.rows);
                mint.until = mint.until.max(calls.until);
            }
        }
    }

    fn finish(mut self, tally: Tally) -> Arrival {
        let touched = self.sessions();
        let Self { mut rows, groups, passed_over, .. } = self;
        Self::unite(&mut rows);
        let (mut entries, mut packer) = (groups.finish(), Packer::new());
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for ((partition, provenance), Together { mut rows, until, .. }) in rows {
            rows.sort_unstable();
            rows.dedup();
            let blobs = packer.pack(&rows, provenance).into_iter();
            entries.extend(blobs.map(|blob| Entry::new(&partition, blob, until)));
        }
        Arrival { entries, touched, tally, passed_over }
    }
}

fn put(
    rows: &mut Rows,
    place: (Partition, Provenance),
    row: (Key, Vec<u8>),
    until: EventTime,
) -> &mut Together {
    let together = || Together { rows: Vec::new(), until, began: None };
    let together = rows.entry(place).or_insert_with(together);
    together.rows.push(row);
    together.until = together.until.max(until);
    together
}
