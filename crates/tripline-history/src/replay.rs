//! A history replayed as it came: in steps, each judged by what would have been known by then.
//!
//! What is known are baselines, learned anew after each step from its days and put in force by the rules of
//! promotion, as `tripline learn` and `tripline baseline promote` do it; and lines, which the caller draws
//! from the scores of the steps before. Nothing of a step reaches what it is judged by.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use tempfile::TempDir;
use tripline_attribution::SessionId;
use tripline_baseline::{
    Approval, Baseline, Decisions, Held, HeldBack, HoldReason, Promotion, Whose, promote,
};
use tripline_cloudtrail::{EventTime, Tally};
use tripline_detector::{Calibration, Forecast};
use tripline_engine::{Deployments, Filter, Model, Outcome, Purpose, Relearned, is_sensitive};
use tripline_iam::Catalogue;
use tripline_runtime::{
    Leaf, Shelf, Staged, all_baselines, baseline_of, peers_in_force, read_decisions, replace_file,
};
use tripline_text::Untrusted;

use crate::days::{Days, Step};
use crate::learn::learn;
use crate::run::{HistoryError, Job, Progress, lock};
use crate::take::Taken;

/// A history that is being replayed.
#[derive(Debug)]
pub struct Replay<'j> {
    job: &'j Job<'j>,
    every_days: u32,
    steps: std::vec::IntoIter<Step>,
    /// The step that was judged last: the next one's baselines are learned from it as well.
    judged: Option<Step>,
    /// Removed with what is in it when the replay is over.
    _days: Days,
    shelf: Shelf,
    _folder: TempDir,
    decisions: Decisions,
    /// What scopes and invariants say; learning keeps to it.
    declared: Model,
    /// What the last step was judged by.
    model: Model,
    tally: Tally,
    relearned: Relearned,
    /// Values of agents that wait for a person.
    waiting: BTreeMap<Untrusted<'static>, u64>,
    /// Versions that were seen in the steps before.
    deployments: Deployments,
    /// Lineages that a rule would have killed.
    killed_by_rule: BTreeSet<SessionId>,
}

/// What came of a step.
#[derive(Debug)]
pub struct Replayed {
    /// Its first day, as days since 1970.
    pub from_day: u32,
    /// What its episodes came to, in order of time; as for [`backtest`](crate::backtest).
    pub outcomes: Vec<Outcome>,
    /// What the model expects that it was judged by.
    pub forecast: Option<Forecast>,
    /// How much was kept of it.
    pub bytes: u64,
}

/// What there is to say of a replay in the end.
#[derive(Debug)]
pub struct ReplayReport {
    /// What the last step was judged by.
    pub model: Model,
    /// How that came about.
    pub relearned: Relearned,
    /// Kills by rules, which need no line.
    pub kills_by_rule: usize,
    /// What was read.
    pub tally: Tally,
}

impl<'j> Replay<'j> {
    /// Reads the logs of `job`, once, and sets what was kept of them aside by days in its work directory.
    /// It begins with the baselines in the folder `baselines`, which stays as it is; of the job's model
    /// only what is declared counts.
    ///
    /// # Errors
    /// When the work directory fails, threads cannot be started, or a baseline cannot be read.
    pub fn read(
        job: &'j Job<'j>,
        baselines: &Path,
        every_days: u32,
        progress: &dyn Progress,
    ) -> Result<Self, HistoryError> {
        let failed = |source| job.work_dir_failed(source);
        let folder = tempfile::Builder::new().prefix("baselines-").tempdir_in(&job.work_dir);
        let folder = folder.map_err(failed)?;
        let shelf = Shelf::new(folder.path());
        let theirs = Shelf::new(baselines);
        for live in all_baselines(&theirs, Leaf::Baseline)? {
            let whose = live?.whose().clone();
            let to = shelf.path(&whose, Leaf::Baseline);
            fs::create_dir_all(shelf.folder(&whose)).map_err(failed)?;
            fs::copy(theirs.path(&whose, Leaf::Baseline), to).map_err(failed)?;
        }
        let (days, tally) = Days::read(job, progress)?;
        let declared = job.model.declared();
        Ok(Self {
            job,
            every_days,
            steps: days.steps(every_days).into_iter(),
            judged: None,
            _days: days,
            shelf,
            _folder: folder,
            decisions: read_decisions(&theirs)?,
            model: declared.clone(),
            declared,
            tally,
            relearned: Relearned { every_days, times: 0, promotions: 0, waiting: 0 },
            waiting: BTreeMap::new(),
            deployments: Deployments::default(),
            killed_by_rule: BTreeSet::new(),
        })
    }

    /// How many steps are left, and how much was kept of them.
    pub fn left(&self) -> (u64, u64) {
        let left = self.steps.as_slice();
        (left.len() as u64, left.iter().map(|step| step.bytes).sum())
    }

    /// Learns from the step before, and judges the next one, with lines drawn from `calibration`; `None` at
    /// the end. To be strict, that is of steps before.
    ///
    /// # Errors
    /// When the work directory fails or threads cannot be started.
    pub fn step(
        &mut self,
        calibration: Option<Calibration>,
    ) -> Result<Option<Replayed>, HistoryError> {
        let Some(step) = self.steps.next() else { return Ok(None) };
        // Before the new one is made: there need not be room for both.
        self.model = self.declared.clone();
        if let Some(before) = self.judged.take() {
            self.learn(&before)?;
        }
        let learned = all_baselines(&self.shelf, Leaf::Baseline)?;
        let model = self.declared.clone().with_learned(learned, self.job.hash_seed)?;
        // An exception holds from its decision on.
        let model = model.with_decisions(self.decisions.clone());
        let budgets = self.job.config.budgets;
        let forecast = calibration.as_ref().and_then(|before| model.forecast(before, &budgets));
        self.model = match calibration.map(|it| it.with_forecast(forecast.clone())) {
            Some(calibration) => model.with_calibration(calibration, budgets),
            None => model,
        };
        let job = job_of(self.job, &step, &self.model);
        let taken = Taken::read(&job, Purpose::ShowFindings, &Silent)?;
        let before = std::mem::take(&mut self.deployments);
        let judged = taken.resolve().judge(&job, true, before, &mut |_| Ok(()))?;
        self.deployments = judged.deployments;
        let by_rule = judged.incidents.iter().filter(|incident| incident.rests_on_rule());
        self.killed_by_rule.extend(by_rule.map(|incident| incident.root.clone()));
        // Records were counted when they were read; that two tell of one call is found out here.
        self.tally.read_turned_duplicate(judged.tally.records.duplicate);
        let (from_day, bytes) = (step.from_day, step.bytes);
        self.judged = Some(step);
        Ok(Some(Replayed { from_day, outcomes: judged.outcomes, forecast, bytes }))
    }

    /// Ends the replay.
    pub fn end(self) -> ReplayReport {
        let waiting = self.waiting.values().sum();
        ReplayReport {
            model: self.model,
            relearned: Relearned { waiting, ..self.relearned },
            kills_by_rule: self.killed_by_rule.len(),
            tally: self.tally,
        }
    }

    /// Learns the days of a step, and puts in force what may be.
    fn learn(&mut self, step: &Step) -> Result<(), HistoryError> {
        let failed = |source| self.job.work_dir_failed(source);
        let end = i64::from(step.from_day.saturating_add(self.every_days)) * 86_400;
        let end = EventTime::from_unix_secs(end).unwrap_or(EventTime::EPOCH);
        let by = Approval::new("tripline backtest", end, "replay");
        let mut round = Round {
            shelf: &self.shelf,
            staged: self.shelf.stage().map_err(failed)?,
            decisions: self.decisions.before(end),
            // INVARIANT: both texts are short, and neither is empty.
            by: by.ok_or(tripline_engine::DamagedRow)?,
            promotions: 0,
            waiting: &mut self.waiting,
        };
        // Learned are all agents, whomever somebody asked for: some are others' peers.
        let job = Job { filter: Filter::default(), ..job_of(self.job, step, &self.declared) };
        let (taken, failure) = (Mutex::new(&mut round), Mutex::new(None));
        let learned = learn(&job, &Silent, &|candidate| {
            lock(&taken).take(candidate).map_err(|error| {
                *lock(&failure) = Some(error);
                std::io::Error::other("a baseline cannot be promoted")
            })
        });
        if let Some(failure) = lock(&failure).take() {
            return Err(failure);
        }
        learned?;
        self.relearned.times += 1;
        self.relearned.promotions += round.promotions;
        round.staged.publish().map_err(failed)?;
        for together in peers_in_force(&self.shelf)? {
            let path = self.shelf.path(together.whose(), Leaf::Baseline);
            replace_file(&path, &together.to_text()).map_err(failed)?;
        }
        Ok(())
    }
}

/// Over what was kept of a step, with the same settings.
fn job_of<'s>(job: &'s Job<'s>, step: &Step, model: &'s Model) -> Job<'s> {
    Job {
        logs: Vec::new(),
        unlisted: Vec::new(),
        partials: step.partials.clone(),
        tables: &[],
        model,
        filter: job.filter.clone(),
        work_dir: job.work_dir.clone(),
        ..*job
    }
}

/// Baselines while they come in, one at a time.
struct Round<'r> {
    shelf: &'r Shelf,
    staged: Staged,
    decisions: Decisions,
    by: Approval,
    promotions: u64,
    waiting: &'r mut BTreeMap<Untrusted<'static>, u64>,
}

impl Round<'_> {
    fn take(&mut self, candidate: Baseline) -> Result<(), HistoryError> {
        let candidate = candidate.with_catalogue(Catalogue::VERSION);
        let live = baseline_of(self.shelf, candidate.whose(), Leaf::Baseline)?;
        let last = |baseline: &Baseline| baseline.span().map(|(_, last)| last);
        // What it was learned from before, it is not learned from again.
        if live.as_ref().is_some_and(|live| last(live) >= last(&candidate)) {
            return Ok(());
        }
        let promotion =
            promote(live.as_ref(), &candidate, &self.decisions, &is_sensitive, &self.by);
        let Promotion { next, held } = promotion?;
        let waiting = held.iter().filter(|held| waits_for_a_person(held)).count() as u64;
        if let Whose::Agent { agent, .. } = next.whose() {
            self.waiting.insert(agent.clone(), waiting);
        }
        self.promotions += 1;
        let written = self.staged.write(next.whose(), Leaf::Baseline, &next.to_text());
        written.map_err(|source| HistoryError::WorkDir {
            path: self.shelf.path(next.whose(), Leaf::Baseline),
            source,
        })
    }
}

/// Whether something is held back until a person decides, rather than until it was seen more often.
pub fn waits_for_a_person(held: &HeldBack) -> bool {
    let needs_person = matches!(held.why, HoldReason::Sensitive | HoldReason::NeedsPerson);
    needs_person || matches!(held.what, Held::Rate(..))
}

/// Steps are told as steps, not by their files.
struct Silent;

impl Progress for Silent {
    fn total(&self, _: u64, _: u64) {}

    fn file(&self, _: u64, _: u64) {}
}
