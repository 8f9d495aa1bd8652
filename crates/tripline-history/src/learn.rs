//! `learn`: every file read once, in parallel; all calls judged in order of time; then those of each
//! agent learned from, agents in parallel.

use std::cell::RefCell;
use std::io;

use rayon::prelude::*;
use tripline_attribution::Coverage;
use tripline_baseline::{Baseline, EpisodeFacts, Whose};
use tripline_cloudtrail::Tally;
use tripline_engine::{
    AgentLearning, DamagedRow, Flagged, Learning, Lesson, Purpose, Ticked, Vocabulary,
};

use crate::by_agent::ByAgent;
use crate::judged::Judged;
use crate::log::{Log, LogRows};
use crate::run::{HistoryError, Job, Progress};
use crate::take::Taken;

/// What was learned from, besides the baselines that [`learn`] hands out.
#[derive(Debug)]
pub struct LearnReport {
    /// What stays unattributed, and why.
    pub coverage: Coverage,
    /// What was read.
    pub tally: Tally,
    /// How much of the work directory was used.
    pub spilled_bytes: u64,
    /// Files that an earlier run had read: see [`learn_in_parts`](crate::learn_in_parts).
    pub files_before: u64,
}

/// How many calls of agents stay in memory until all were judged, over all threads.
const CALLS_BYTES_MAX: usize = 16 << 20;

/// Takes each agent's baseline, in several threads at once.
pub type BaselineSink<'s> = dyn Fn(Baseline) -> io::Result<()> + Sync + 's;

/// Learns what each agent normally does and hands its baseline to `sink`, agents in no order. In each
/// thread one agent is in memory at a time, so that their number does not matter.
///
/// # Errors
/// When the work directory or `sink` fails or threads cannot be started.
pub fn learn(
    job: &Job<'_>,
    progress: &dyn Progress,
    sink: &BaselineSink<'_>,
) -> Result<LearnReport, HistoryError> {
    // More of them than threads, so that none waits long for another.
    let shards = if job.threads > 1 { job.threads * SHARDS_PER_THREAD } else { 1 };
    let (lessons, shards, report) = Lessons::read(job, shards, progress)?;
    let learn_shard = |shard| {
        let begin = |number| Ok(lessons.agent(number));
        let finish = |agent: AgentLearning<'_>| sink(agent.finish());
        lessons.each_agent(job, shard, begin, |_| Ok(()), finish)
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(job.threads).build()?;
    pool.install(|| shards.into_par_iter().try_for_each(learn_shard))?;
    Ok(report)
}

/// Takes what an episode of an agent showed; `None` says that the agent is there.
pub type EpisodeSink<'s> = dyn FnMut(&Whose, Option<EpisodeFacts>) -> io::Result<()> + 's;

/// Hands `sink` the episodes that [`learn`] would learn from, those of one agent after another, each
/// agent with `None` first. On one thread, so that the order is a function of the order of the input.
///
/// # Errors
/// When the work directory or `sink` fails.
pub fn episodes(
    job: &Job<'_>,
    progress: &dyn Progress,
    sink: &mut EpisodeSink<'_>,
) -> Result<LearnReport, HistoryError> {
    let (lessons, shards, report) = Lessons::read(job, 1, progress)?;
    let sink = RefCell::new(sink);
    let begin = |number| {
        let Some(agent) = lessons.agent(number) else { return Ok(None) };
        let mut agent = agent.keeping_episodes();
        (sink.borrow_mut())(agent.learner().whose(), None)?;
        Ok(Some(agent))
    };
    let take = |agent: &mut AgentLearning<'_>| -> io::Result<()> {
        let ended = agent.learner().take_episodes();
        let whose = agent.learner().whose();
        ended.into_iter().try_for_each(|facts| (sink.borrow_mut())(whose, Some(facts)))
    };
    let finish = |mut agent: AgentLearning<'_>| {
        agent.learner().end_episodes();
        take(&mut agent)
    };
    for shard in shards {
        lessons.each_agent(job, shard, begin, take, finish)?;
    }
    Ok(report)
}

/// How many shards each thread has to do.
const SHARDS_PER_THREAD: usize = 4;

/// All that there is to learn from, besides the calls themselves.
struct Lessons {
    learning: Learning,
    flagged: Flagged,
    vocabularies: Vec<Vocabulary>,
    /// What the calls of each part show.
    rows: Vec<LogRows>,
}

impl Lessons {
    /// Reads and judges all of `job`, and puts the calls into so many shards, each agent in one of them.
    fn read(
        job: &Job<'_>,
        shards: usize,
        progress: &dyn Progress,
    ) -> Result<(Self, Vec<ByAgent>, LearnReport), HistoryError> {
        let mut taken = Taken::read(job, Purpose::Learn, progress)?;
        let logs = taken.take_logs().into_iter().map(Log::into_rows);
        let rows = logs.collect::<Result<_, _>>().map_err(|source| job.work_dir_failed(source))?;
        let resolved = taken.resolve();
        let learning = Learning::new(&resolved.sessions);
        let new = || ByAgent::new(&job.work_dir, CALLS_BYTES_MAX / shards);
        let mut shards: Vec<ByAgent> = (0..shards).map(|_| new()).collect();
        let counted = |part, lesson: Lesson| {
            let Some(agent) = learning.agent_of(lesson.tick().place) else { return };
            let nth = agent as usize % shards.len();
            if let Some(shard) = shards.get_mut(nth) {
                shard.push(agent, lesson.of_part(part as u16));
            }
        };
        let judged = resolved.judge_lessons(job, counted)?;
        let Judged { sessions, flagged, vocabularies, tally, spilled_bytes, .. } = judged;
        let spilled_bytes = spilled_bytes + shards.iter().map(ByAgent::spilled_bytes).sum::<u64>();
        let coverage = sessions.coverage();
        let report = LearnReport { coverage, tally, spilled_bytes, files_before: 0 };
        Ok((Self { learning, flagged, vocabularies, rows }, shards, report))
    }

    fn agent(&self, number: u32) -> Option<AgentLearning<'_>> {
        self.learning.agent(number, &self.flagged, &self.vocabularies)
    }

    /// Takes the calls of a shard in, agent by agent. `look` sees each agent after every call.
    fn each_agent<'l>(
        &'l self,
        job: &Job<'_>,
        shard: ByAgent,
        begin: impl Fn(u32) -> io::Result<Option<AgentLearning<'l>>>,
        mut look: impl FnMut(&mut AgentLearning<'l>) -> io::Result<()>,
        mut finish: impl FnMut(AgentLearning<'l>) -> io::Result<()>,
    ) -> Result<(), HistoryError> {
        let failed = |source| job.work_dir_failed(source);
        let mut calls = shard.into_calls().map_err(failed)?;
        let mut current: Option<(u32, AgentLearning<'l>)> = None;
        let mut finish = |current: Option<(u32, AgentLearning<'l>)>| match current {
            Some((_, agent)) => finish(agent).map_err(HistoryError::Output),
            None => Ok(()),
        };
        while let Some((number, call)) = calls.next().map_err(failed)? {
            if current.as_ref().is_none_or(|(agent, _)| *agent != number) {
                finish(current.take())?;
                let next = begin(number).map_err(HistoryError::Output)?;
                current = next.map(|agent| (number, agent));
            }
            if let Some((_, agent)) = &mut current {
                agent.call(&call, |row| -> Result<(), HistoryError> {
                    let rows = self.rows.get(call.part as usize).ok_or(DamagedRow)?;
                    rows.read(call.row, row).map_err(failed)
                })?;
                look(agent).map_err(HistoryError::Output)?;
            }
        }
        finish(current)
    }
}
