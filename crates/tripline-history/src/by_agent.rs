//! From the calls of all agents in order of time to those of one agent after another, each agent's in
//! the order in which they came, however many.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::sorter::new_run;
use tripline_engine::{CALL_TO_LEARN_BYTES, CallToLearn};

/// How much a run's reader holds.
const READ_BUFFER_BYTES: usize = 32 << 10;

/// Takes calls, each with the number of its agent.
#[derive(Debug)]
pub(crate) struct ByAgent {
    work_dir: PathBuf,
    in_memory_max: usize,
    newest: Vec<(u32, CallToLearn)>,
    runs: Vec<File>,
    spilled_bytes: u64,
    /// The first failure to spill; calls after it are not kept.
    failure: Option<io::Error>,
}

impl ByAgent {
    /// Keeps about `memory_bytes_max` in memory and the rest below `work_dir`.
    pub(crate) fn new(work_dir: &Path, memory_bytes_max: usize) -> Self {
        Self {
            work_dir: work_dir.to_owned(),
            in_memory_max: memory_bytes_max / size_of::<(u32, CallToLearn)>(),
            newest: Vec::new(),
            runs: Vec::new(),
            spilled_bytes: 0,
            failure: None,
        }
    }

    /// Keeps a call. A disk that fails is reported by [`ByAgent::into_calls`].
    #[inline]
    pub(crate) fn push(&mut self, agent: u32, call: CallToLearn) {
        self.newest.push((agent, call));
        if self.newest.len() >= self.in_memory_max {
            self.make_room();
        }
    }

    #[cold]
    fn make_room(&mut self) {
        if self.failure.is_none()
            && let Err(failure) = self.spill()
        {
            self.failure = Some(failure);
        }
        self.newest.clear();
    }

    fn spill(&mut self) -> io::Result<()> {
        // Stable: those of one agent stay in order.
        self.newest.sort_by_key(|(agent, _)| *agent);
        let mut run = new_run(&self.work_dir)?;
        for (agent, call) in &self.newest {
            run.write_all(&agent.to_le_bytes())?;
            run.write_all(&call.to_bytes())?;
        }
        self.spilled_bytes += (self.newest.len() * (4 + CALL_TO_LEARN_BYTES)) as u64;
        let mut run = run.into_inner().map_err(io::IntoInnerError::into_error)?;
        run.rewind()?;
        self.runs.push(run);
        Ok(())
    }

    /// Bytes written to the work directory so far.
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.spilled_bytes
    }

    /// All calls, agent by agent.
    pub(crate) fn into_calls(mut self) -> io::Result<AgentCalls> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        self.newest.sort_by_key(|(agent, _)| *agent);
        let spilled = self.runs.into_iter();
        let spilled =
            spilled.map(|run| Run::Spilled(BufReader::with_capacity(READ_BUFFER_BYTES, run)));
        let all = spilled.chain([Run::Memory(self.newest.into_iter())]);
        let mut runs = Vec::new();
        for mut run in all {
            runs.push((run.next()?, run));
        }
        Ok(AgentCalls { runs, agent: None, at: 0 })
    }
}

#[derive(Debug)]
enum Run {
    Memory(std::vec::IntoIter<(u32, CallToLearn)>),
    Spilled(BufReader<File>),
}

impl Run {
    #[inline]
    fn next(&mut self) -> io::Result<Option<(u32, CallToLearn)>> {
        let file = match self {
            Self::Memory(calls) => return Ok(calls.next()),
            Self::Spilled(file) => file,
        };
        let (mut agent, mut call) = ([0; 4], [0; CALL_TO_LEARN_BYTES]);
        match file.read_exact(&mut agent) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            outcome => outcome?,
        }
        file.read_exact(&mut call)?;
        Ok(Some((u32::from_le_bytes(agent), CallToLearn::from_bytes(&call))))
    }
}

/// The calls of one agent after another.
#[derive(Debug)]
pub(crate) struct AgentCalls {
    /// In the order in which they were spilled, each with its next call.
    runs: Vec<(Option<(u32, CallToLearn)>, Run)>,
    /// Whose turn it is.
    agent: Option<u32>,
    /// The run that its calls come from.
    at: usize,
}

impl AgentCalls {
    /// The next call and the number of its agent.
    #[inline]
    pub(crate) fn next(&mut self) -> io::Result<Option<(u32, CallToLearn)>> {
        loop {
            if let Some((head, run)) = self.runs.get_mut(self.at)
                && self.agent.is_some()
            {
                if let Some(next) = *head
                    && Some(next.0) == self.agent
                {
                    *head = run.next()?;
                    return Ok(Some(next));
                }
                self.at += 1;
                continue;
            }
            self.at = 0;
            let heads = self.runs.iter().filter_map(|(head, _)| *head);
            self.agent = heads.map(|(agent, _)| agent).min();
            if self.agent.is_none() {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_agents_calls_stay_in_order(
            agents in proptest::collection::vec(0_u32..7, 0..200),
            budget in 1_usize..60,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut by_agent = ByAgent::new(dir.path(), budget * size_of::<(u32, CallToLearn)>());
            let mut expected = Vec::new();
            for (nth, agent) in agents.iter().enumerate() {
                let call = CallToLearn::from_bytes(&[nth as u8; CALL_TO_LEARN_BYTES]);
                by_agent.push(*agent, call);
                expected.push((*agent, call));
            }
            prop_assert_eq!(by_agent.spilled_bytes() > 0, agents.len() >= budget);
            expected.sort_by_key(|(agent, _)| *agent);
            let mut calls = by_agent.into_calls().unwrap();
            let mut got = Vec::new();
            while let Some(call) = calls.next().unwrap() {
                got.push(call);
            }
            prop_assert_eq!(got, expected);
        }
    }
}
