//! The whole way of a record for an amount that fits in memory: one object of a live trail, a
//! demonstration, a test.

use std::collections::BTreeMap;
use std::sync::Arc;

use tripline_attribution::{Attributor, Coverage, Sessions, StoredMint};
use tripline_baseline::{Baseline, Decisions};
use tripline_cloudtrail::{EventTime, Limits, Reader, Tally};
use tripline_text::Untrusted;

use crate::config::Config;
use crate::drift::{Outcome, Remembered, Worked};
use crate::filter::Filter;
use crate::held::{Hold, Key};
use crate::incident::Incident;
use crate::intake::Intake;
use crate::intake::Purpose;
use crate::judge::{DamagedRow, Judge, Judged, Scored, judge_all};
use crate::learning::Learning;
use crate::model::Model;
use crate::open::Deployments;
use crate::settle::{Corrections, Settler};
use crate::target::View;
use crate::tick::{CallToLearn, Lesson, Tick, Ticked};

/// Takes files in until it is asked what there was in them.
#[derive(Debug)]
pub struct Batch<'m> {
    model: &'m Model,
    filter: &'m Filter,
    purpose: Purpose,
    intake: Intake<'m>,
    reader: Reader,
    held: MemoryRows,
    tally: Tally,
    view: View,
    expected: Option<&'m Decisions>,
    remembered: Option<Remembered>,
    deployments: Deployments,
    keeps_outcomes: bool,
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
    /// What was learned, of each agent; nothing unless that is what the batch is for.
    pub baselines: Vec<Baseline>,
    /// What was read.
    pub tally: Tally,
    /// What the episodes of agents that are known well came to, in order of time; nothing unless it was
    /// asked for.
    pub outcomes: Vec<Outcome>,
    /// The versions of agents that nothing was learned of.
    pub deployments: Deployments,
    /// What each lineage came to on each day; nothing unless it is live.
    pub(crate) worked: Vec<Worked>,
}

impl<'m> Batch<'m> {
    /// An empty batch. `hash_seed` keys the hash tables; no result depends on it.
    pub fn new(
        config: &Config,
        model: &'m Model,
        filter: &'m Filter,
        purpose: Purpose,
        hash_seed: u64,
    ) -> Self {
        let attributor = Attributor::new(config.agents.clone(), hash_seed);
        Self {
            model,
            filter,
            purpose,
            intake: Intake::new(model, filter, purpose, attributor),
            reader: Reader::new(Limits::default()),
            held: MemoryRows::default(),
            tally: Tally::default(),
            view: View::Whole,
            expected: None,
            remembered: None,
            deployments: Deployments::default(),
            keeps_outcomes: false,
        }
    }

    /// The same, and what episodes came to is kept.
    #[must_use]
    pub fn keeping_outcomes(self) -> Self {
        Self { keeps_outcomes: true, ..self }
    }

    /// The same, of some lineages only, at this moment, with what is remembered of others.
    #[must_use]
    pub(crate) fn live(self, now: EventTime, remembered: Remembered) -> Self {
        Self { view: View::Live(now), remembered: Some(remembered), ..self }
    }

    /// The same, with versions of agents that were seen before.
    #[must_use]
    pub fn knowing(self, deployments: Deployments) -> Self {
        Self { deployments, ..self }
    }

    /// The same, with exceptions beside the model's.
    #[must_use]
    pub(crate) fn expecting(self, expected: Option<&'m Decisions>) -> Self {
        Self { expected, ..self }
    }

    /// Takes in what was kept of a record.
    ///
    /// # Errors
    /// When the row is damaged.
    pub(crate) fn take_kept(&mut self, row: &[u8]) -> Result<(), DamagedRow> {
        let fate = self.intake.ingest_kept(row, &mut self.held)?;
        self.tally.record(fate);
        Ok(())
    }

    /// Learns what was kept of a mint.
    pub(crate) fn note_mint(&mut self, mint: &StoredMint) {
        self.intake.note_stored_mint(mint);
    }

    /// Takes a file in, as stored.
    pub fn read(&mut self, file: &Arc<Untrusted<'static>>, stored: &[u8]) {
        let Self { intake, reader, held, tally, .. } = self;
        tally.add(reader.read(file, stored, &mut intake.sink(held)));
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
        let (mut attributor, vocabulary, _) = self.intake.finish(&mut self.held);
        let copies = sorted(std::mem::take(&mut self.held.copies));
        let corrections = sorted(std::mem::take(&mut self.held.corrections));
        let mut corrections =
            Corrections::gather(corrections.into_iter().map(Ok::<_, DamagedRow>))?;
        let copies = copies.into_iter().map(Ok::<_, DamagedRow>);
        let mut settler = Settler::new(self.purpose, &mut attributor, &mut self.held);
        let mut duplicates = settler.copies(copies, &mut corrections)?;
        let MemoryRows { ticks, lessons, .. } = settler.hold();
        ticks.iter().for_each(|tick| corrections.note(tick.id()));
        lessons.iter().for_each(|lesson| corrections.note(lesson.tick().id()));
        duplicates += settler.corrections(corrections)?;

        let MemoryRows { mut ticks, mut lessons, calls, drawn, .. } = self.held;
        let calls = sorted(calls).into_iter().map(Ok);
        ticks.sort_by_key(Tick::key);
        lessons.sort_by_key(Lesson::key);
        let ticks = std::iter::once(Ok(ticks.into_iter().map(|tick| (0, tick))));
        let lessons = std::iter::once(Ok(lessons.into_iter().map(|lesson| (0, lesson))));
        let (vocabularies, all) = ([vocabulary], self.purpose == Purpose::ShowAll);
        let sessions = attributor.resolve();
        let is_to_learn = self.purpose == Purpose::Learn;
        let learning = is_to_learn.then(|| Learning::new(&sessions));
        let mut by_agent: BTreeMap<u32, Vec<CallToLearn>> = BTreeMap::new();
        let mut judge =
            Judge::new(self.model, self.filter, &config.tenants, sessions, &vocabularies, all)
                .expecting(self.expected)
                .knowing(self.deployments);
        if let Some(remembered) = self.remembered {
            judge = judge.remembering(remembered);
        }
        if self.keeps_outcomes {
            judge = judge.keeping_outcomes();
        }
        let mut scored = Vec::new();
        let mut sink = |one| {
            scored.push(one);
            Ok(())
        };
        duplicates += match &learning {
            None => judge_all::<_, _, DamagedRow>(ticks, calls, &mut judge, |_, _| {}, &mut sink)?,
            Some(learning) => {
                let counted = |_, lesson: Lesson| {
                    if let Some(agent) = learning.agent_of(lesson.tick().place) {
                        by_agent.entry(agent).or_default().push(lesson.of_part(0));
                    }
                };
                judge_all::<_, _, DamagedRow>(lessons, calls, &mut judge, counted, &mut sink)?
            }
        };
        self.tally.read_turned_duplicate(duplicates);
        let Judged { incidents, sessions, deployments, flagged, worked, outcomes } =
            judge.finish(self.view, config);
        let mut baselines = Vec::new();
        for (number, calls) in by_agent {
            let known = learning.as_ref();
            let Some(mut agent) = known.and_then(|it| it.agent(number, &flagged, &vocabularies))
            else {
                continue;
            };
            for call in calls {
                agent.call(&call, |row| read(&drawn, call.row, row))?;
            }
            baselines.push(agent.finish());
        }
        let coverage = sessions.coverage();
        let tally = self.tally;
        Ok(BatchReport {
            scored,
            incidents,
            sessions,
            coverage,
            baselines,
            tally,
            outcomes,
            deployments,
            worked,
        })
    }
}

/// Puts the row at a place of `drawn` into `row`.
fn read(drawn: &[Vec<u8>], at: u32, row: &mut Vec<u8>) -> Result<(), DamagedRow> {
    row.clear();
    row.extend_from_slice(drawn.get(at as usize).ok_or(DamagedRow)?);
    Ok(())
}

/// Rows in memory, as they come.
#[derive(Debug, Default)]
struct MemoryRows {
    drawn: Vec<Vec<u8>>,
    ticks: Vec<Tick>,
    lessons: Vec<Lesson>,
    calls: Vec<(Key, Vec<u8>)>,
    copies: Vec<(Key, Vec<u8>)>,
    corrections: Vec<(Key, Vec<u8>)>,
}

fn sorted(mut rows: Vec<(Key, Vec<u8>)>) -> Vec<(Key, Vec<u8>)> {
    rows.sort_unstable();
    rows
}

impl Hold for MemoryRows {
    fn tick(&mut self, tick: Tick) {
        self.ticks.push(tick);
    }
    fn call(&mut self, key: Key, row: &[u8]) {
        self.calls.push((key, row.to_vec()));
    }
    fn lesson(&mut self, lesson: Lesson) {
        self.lessons.push(lesson);
    }
    fn drawn(&mut self, row: &[u8]) -> u32 {
        self.drawn.push(row.to_vec());
        self.drawn.len() as u32 - 1
    }
    fn copy(&mut self, key: Key, row: &[u8]) {
        self.copies.push((key, row.to_vec()));
    }
    fn correction(&mut self, key: Key, row: &[u8]) {
        self.corrections.push((key, row.to_vec()));
    }
}
