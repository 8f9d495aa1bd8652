//! The whole way of a record for an amount that fits in memory: one object of a live trail, a
//! demonstration, a test.

use std::collections::BTreeSet;
use std::sync::Arc;

use tripline_attribution::{Attributor, Coverage, Sessions};
use tripline_cloudtrail::{EventId, Limits, Reader, Tally};
use tripline_text::Untrusted;

use crate::config::Config;
use crate::filter::Filter;
use crate::held::{Hold, Key, Seen};
use crate::incident::Incident;
use crate::intake::Intake;
use crate::model::Model;
use crate::settle::{DamagedRow, Judge, Scored, settle_copies};

/// Takes files in until it is asked what there was in them.
#[derive(Debug)]
pub struct Batch<'m> {
    model: &'m Model,
    filter: &'m Filter,
    all: bool,
    intake: Intake<'m>,
    reader: Reader,
    seen: MemorySeen,
    held: MemoryRows,
    tally: Tally,
}

/// What a [`Batch`] found.
#[derive(Debug)]
pub struct BatchReport {
    /// Calls in order of time and id: all, or those with a verdict.
    pub scored: Vec<Scored>,
    /// What must be stopped, each with its plan.
    pub incidents: Vec<Incident>,
    /// Every session.
    pub sessions: Sessions,
    /// What stays unattributed, and why.
    pub coverage: Coverage,
    /// What was read.
    pub tally: Tally,
}

impl<'m> Batch<'m> {
    /// An empty batch. With `all`, calls without a verdict are reported too. `hash_seed` keys the
    /// hash tables; no result depends on it.
    pub fn new(
        config: &Config,
        model: &'m Model,
        filter: &'m Filter,
        all: bool,
        hash_seed: u64,
    ) -> Self {
        let attributor = Attributor::new(config.agents.clone(), hash_seed);
        Self {
            model,
            filter,
            all,
            intake: Intake::new(model, filter, all, attributor),
            reader: Reader::new(Limits::default()),
            seen: MemorySeen::default(),
            held: MemoryRows::default(),
            tally: Tally::default(),
        }
    }

    /// Takes a file in, as stored.
    pub fn read(&mut self, file: &Arc<Untrusted<'static>>, stored: &[u8]) {
        let Self { intake, reader, seen, held, tally, .. } = self;
        tally.add(reader.read(file, stored, |record| intake.ingest(record, seen, held)));
    }

    /// Notes a file that could not be fetched.
    pub fn unreadable(&mut self, file: Arc<Untrusted<'static>>, why: String) {
        self.tally.unreadable(file, why);
    }

    /// Judges what was taken in.
    ///
    /// # Errors
    /// Never in practice: the rows are this program's own, and do not leave its memory.
    pub fn finish(mut self, config: &Config) -> Result<BatchReport, DamagedRow> {
        let mut attributor = self.intake.finish(&mut self.held);
        let copies = std::mem::take(&mut self.held.copies);
        let copies = copies.into_iter().map(Ok::<_, DamagedRow>);
        let duplicates = settle_copies(copies, &mut attributor, &mut self.seen, &mut self.held)?;
        self.tally.read_turned_duplicate(duplicates);
        let sessions = attributor.resolve();
        let mut judge = Judge::new(self.model, self.filter, &sessions, self.all);
        let mut scored = Vec::new();
        for (_, row) in &self.held.calls {
            scored.extend(judge.judge(row)?);
        }
        let incidents = judge.into_incidents(config);
        let coverage = sessions.coverage();
        Ok(BatchReport { scored, incidents, sessions, coverage, tally: self.tally })
    }
}

/// Event ids in memory.
#[derive(Debug, Default)]
pub struct MemorySeen(BTreeSet<EventId>);

impl Seen for MemorySeen {
    fn is_first(&mut self, id: EventId) -> bool {
        self.0.insert(id)
    }
}

/// Rows in memory, in order of their keys.
#[derive(Debug, Default)]
pub struct MemoryRows {
    /// Calls to be judged.
    pub calls: BTreeSet<(Key, Vec<u8>)>,
    /// Copies of which one counts.
    pub copies: BTreeSet<(Key, Vec<u8>)>,
}

impl Hold for MemoryRows {
    fn call(&mut self, key: Key, row: &[u8]) {
        self.calls.insert((key, row.to_vec()));
    }
    fn copy(&mut self, key: Key, row: &[u8]) {
        self.copies.insert((key, row.to_vec()));
    }
}
