//! `learn`: every file read once, in parallel; then the calls of each agent in order of time, agents
//! in parallel.

use std::cell::RefCell;
use std::io;
use std::sync::Mutex;

use rayon::prelude::*;
use tripline_attribution::Coverage;
use tripline_baseline::{Baseline, EpisodeFacts, Whose};
use tripline_cloudtrail::Tally;
use tripline_engine::{AgentLearning, DamagedRow, Key, Learning, Purpose, TICK_BYTES, Tick};

use crate::log::Log;
use crate::run::{HistoryError, Job, Progress, Taken, lock};
use crate::sorter::Sorter;

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

/// How much of the calls of agents stays in memory while they are put in order, over all threads.
const SORTED_BYTES_MAX: usize = 64 << 20;

/// Takes each agent's baseline.
pub type BaselineSink<'s> = dyn FnMut(Baseline) -> io::Result<()> + Send + 's;

/// Learns what each agent normally does and hands its baseline to `sink`, agents in no order. In each
/// thread one agent is in memory at a time, so that their number does not matter.
///
/// # Errors
/// When the work directory or `sink` fails or threads cannot be started.
pub fn learn(
    job: &Job<'_>,
    progress: &dyn Progress,
    sink: &mut BaselineSink<'_>,
) -> Result<LearnReport, HistoryError> {
    let mut taken = Taken::read(job, Purpose::Learn, progress)?;
    let logs = taken.take_logs();
    let judged = taken.judge(job, false, &mut |_| Ok(()))?;
    let learning = Learning::new(&judged.sessions, &judged.flagged, &judged.vocabularies);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(job.threads).build()?;
    let shards = by_agent(job, &pool, &learning, logs)?;
    let mut spilled_bytes = judged.spilled_bytes;
    spilled_bytes += shards.iter().flatten().map(Sorter::spilled_bytes).sum::<u64>();
    let sink = Mutex::new(sink);
    pool.install(|| {
        shards.into_par_iter().try_for_each(|shard| learn_shard(job, &learning, shard, &sink))
    })?;
    let coverage = judged.sessions.coverage();
    Ok(LearnReport { coverage, tally: judged.tally, spilled_bytes, files_before: 0 })
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
    let mut taken = Taken::read(job, Purpose::Learn, progress)?;
    let logs = taken.take_logs();
    let judged = taken.judge(job, false, &mut |_| Ok(()))?;
    let learning = Learning::new(&judged.sessions, &judged.flagged, &judged.vocabularies);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let shards = by_agent(job, &pool, &learning, logs)?;
    let mut spilled_bytes = judged.spilled_bytes;
    spilled_bytes += shards.iter().flatten().map(Sorter::spilled_bytes).sum::<u64>();
    let sink = RefCell::new(sink);
    let begin = |number| {
        let Some(agent) = learning.agent(number) else { return Ok(None) };
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
        each_agent(job, shard, begin, take, finish)?;
    }
    Ok(LearnReport {
        coverage: judged.sessions.coverage(),
        tally: judged.tally,
        files_before: 0,
        spilled_bytes,
    })
}

/// The rows of all logs, in as many shards as there are threads: each agent in one of them, its calls
/// in order of time.
fn by_agent(
    job: &Job<'_>,
    pool: &rayon::ThreadPool,
    learning: &Learning<'_>,
    logs: Vec<Log>,
) -> Result<Vec<Vec<Sorter>>, HistoryError> {
    let shards = job.threads.max(1);
    let budget = SORTED_BYTES_MAX / shards / logs.len().max(1);
    let sort = |(part, log): (usize, Log)| -> Result<Vec<Sorter>, HistoryError> {
        let new = || Sorter::new(&job.work_dir, budget);
        let mut sorters: Vec<Sorter> = (0..shards).map(|_| new()).collect();
        let mut row = Vec::new();
        log.drain(|tick, drawn| {
            let Some(agent) = learning.agent_of(tick.place) else { return };
            row.clear();
            row.extend_from_slice(&tick.to_bytes());
            row.extend_from_slice(&(part as u32).to_le_bytes());
            row.extend_from_slice(drawn);
            if let Some(sorter) = sorters.get_mut(agent as usize % shards) {
                sorter.push(agent_key(agent, &tick), &row);
            }
        })
        .map_err(|source| job.work_dir_failed(source))?;
        Ok(sorters)
    };
    let parts: Vec<Vec<Sorter>> = pool.install(|| {
        let logs: Vec<(usize, Log)> = logs.into_iter().enumerate().collect();
        logs.into_par_iter().map(sort).collect::<Result<_, _>>()
    })?;
    let mut by_shard: Vec<Vec<Sorter>> = (0..shards).map(|_| Vec::new()).collect();
    for part in parts {
        by_shard.iter_mut().zip(part).for_each(|(shard, sorter)| shard.push(sorter));
    }
    Ok(by_shard)
}

/// Agent, time, id: four bytes, five, and what is left for the id, whose first 15
/// bytes tell neighbours in time apart; the row has all of it.
fn agent_key(agent: u32, tick: &Tick) -> Key {
    let (secs, id) = tick.key();
    let mut key = Key::default();
    let agent = agent.to_be_bytes().into_iter();
    let bytes = agent.chain(secs.to_be_bytes().into_iter().skip(3)).chain(id.to_be_bytes());
    key.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    key
}

fn learn_shard(
    job: &Job<'_>,
    learning: &Learning<'_>,
    shard: Vec<Sorter>,
    sink: &Mutex<&mut BaselineSink<'_>>,
) -> Result<(), HistoryError> {
    let finish = |agent: AgentLearning<'_>| (lock(sink))(agent.finish());
    each_agent(job, shard, |number| Ok(learning.agent(number)), |_| Ok(()), finish)
}

/// Takes the calls of a shard in, agent by agent. `look` sees each agent after every call.
fn each_agent<'l>(
    job: &Job<'_>,
    shard: Vec<Sorter>,
    begin: impl Fn(u32) -> io::Result<Option<AgentLearning<'l>>>,
    mut look: impl FnMut(&mut AgentLearning<'l>) -> io::Result<()>,
    mut finish: impl FnMut(AgentLearning<'l>) -> io::Result<()>,
) -> Result<(), HistoryError> {
    let rows = Sorter::into_rows(shard).map_err(|source| job.work_dir_failed(source))?;
    let mut current: Option<(u32, AgentLearning<'l>)> = None;
    let mut finish = |current: Option<(u32, AgentLearning<'l>)>| match current {
        Some((_, agent)) => finish(agent).map_err(HistoryError::Output),
        None => Ok(()),
    };
    for row in rows {
        let (key, row) = row.map_err(|source| job.work_dir_failed(source))?;
        let number = key.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        if current.as_ref().is_none_or(|(agent, _)| *agent != number) {
            finish(current.take())?;
            let next = begin(number).map_err(HistoryError::Output)?;
            current = next.map(|agent| (number, agent));
        }
        let (tick, rest) = row.split_first_chunk::<TICK_BYTES>().ok_or(DamagedRow)?;
        let (part, drawn) = rest.split_first_chunk::<4>().ok_or(DamagedRow)?;
        if let Some((_, agent)) = &mut current {
            agent.call(u32::from_le_bytes(*part) as usize, Tick::from_bytes(tick), drawn)?;
            look(agent).map_err(HistoryError::Output)?;
        }
    }
    finish(current)
}
