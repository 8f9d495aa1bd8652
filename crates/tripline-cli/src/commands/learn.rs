//! `tripline learn --out DIR PATH...`

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tripline_baseline::{
    Approval, BASELINE_BYTES_MAX, Baseline, Decisions, Promotion, Stage, Whose, promote,
};
use tripline_engine::is_sensitive;
use tripline_history::{HistoryError, LearnReport, waits_for_a_person};
use tripline_iam::Catalogue;
use tripline_report::table;
use tripline_runtime::{Leaf, Shelf, Staged, Together, all_baselines, baseline_of, read_decisions};
use tripline_text::Untrusted;

use crate::args::LearnArgs;
use crate::exit::{Ended, Failure};
use crate::input::{now, user};
use crate::output::{Output, problems};
use crate::progress::Bar;

pub(crate) fn run(arguments: &LearnArgs) -> Result<Ended, Failure> {
    match (&arguments.out, &arguments.partial) {
        (Some(out), None) => learn(arguments, out),
        (None, Some(partial)) => keep(arguments, partial),
        _ => Err(Failure::Usage {
            message: "one of --out and --partial must say where what is learned goes".to_owned(),
            hint: "tripline learn --out baselines logs/",
        }),
    }
}

fn learn(arguments: &LearnArgs, out: &Path) -> Result<Ended, Failure> {
    let input = &arguments.input;
    let failed = |source| Failure::File { path: out.to_owned(), source };
    let shelf = Shelf::new(out);
    // What is there is read first: a run that cannot be kept is not begun.
    let prepared = input.prepare_to_learn(out.is_dir().then_some(out), &arguments.merge)?;
    let decisions = read_decisions(&shelf)?;
    let learned = Learned::new(&shelf, decisions)?;
    let mut job = prepared.job();
    job.partials = arguments.merge.clone();
    let bar = Bar::new(input.quiet);
    let take = |baseline| learned.take(baseline);
    let report = match (prepared.relearned(&arguments.merge, &take)?, prepared.parts()?) {
        (Some(report), _) => report,
        (None, Some(parts)) => tripline_history::learn_in_parts(&job, &parts, &bar, &take)?,
        (None, None) => tripline_history::learn(&job, &bar, &take)?,
    };
    bar.finish();
    let summary = learned.publish(failed)?;
    problems(&report.tally)?;
    let mut to = Output::new(input.color).for_summary(input.format, input.quiet);
    summary.write(&mut to, out)?;
    account(&mut to, &report)?;
    Ok(Ended { unread: report.tally.has_problems(), ..Ended::default() })
}

/// What there is to say of the logs themselves.
fn account(to: &mut Output, report: &LearnReport) -> io::Result<()> {
    let style = to.style();
    table::write_tally(to, &report.tally)?;
    table::write_coverage(to, &report.coverage, style)?;
    if report.files_before > 0 {
        writeln!(to, "read by an earlier run: {} of the files", report.files_before)?;
    }
    write_spilled(to, report.spilled_bytes)?;
    to.flush()
}

fn write_spilled(to: &mut Output, bytes: u64) -> io::Result<()> {
    match bytes {
        0 => Ok(()),
        bytes => writeln!(to, "work directory: {} MB written", bytes.div_ceil(1_000_000)),
    }
}

/// Writes a partial baseline.
fn keep(arguments: &LearnArgs, to: &Path) -> Result<Ended, Failure> {
    let input = &arguments.input;
    let prepared = input.prepare_to_learn(None, &arguments.merge)?;
    let mut job = prepared.job();
    job.partials = arguments.merge.clone();
    let failed = |source| Failure::File { path: to.to_owned(), source };
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file =
        tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let bar = Bar::new(input.quiet);
    let mut out = BufWriter::new(file.as_file_mut());
    let report = tripline_history::keep(&job, &bar, &mut out)?;
    out.flush().map_err(failed)?;
    drop(out);
    bar.finish();
    File::sync_all(file.as_file()).map_err(failed)?;
    file.persist(to).map_err(|error| failed(error.error))?;
    problems(&report.tally)?;
    let mut summary = Output::new(input.color).for_summary(input.format, input.quiet);
    writeln!(summary, "{} records kept; fold them in by `tripline learn --merge`", report.rows)?;
    table::write_tally(&mut summary, &report.tally)?;
    write_spilled(&mut summary, report.spilled_bytes)?;
    summary.flush()?;
    Ok(Ended { unread: report.tally.has_problems(), ..Ended::default() })
}

/// Baselines while they come in, in several threads at once.
struct Learned<'s> {
    shelf: &'s Shelf,
    decisions: Decisions,
    by: Approval,
    staged: Staged,
    sum: Mutex<Sum>,
}

/// What all of them come to.
#[derive(Default)]
struct Sum {
    summary: Summary,
    /// The agents that were learned, …
    learned: BTreeSet<Untrusted<'static>>,
    /// … and those whose baselines in force are among their peers' already.
    seen: BTreeSet<Untrusted<'static>>,
    /// Those that went live, and those that are live already.
    together: Together,
    failure: Option<Failure>,
}

#[derive(Debug, Default)]
struct Summary {
    agents: usize,
    first: usize,
    pending: usize,
    agents_with_pending: usize,
    stages: BTreeMap<Stage, usize>,
    /// The least that any agent has, in words.
    least: Option<(u32, String)>,
    sizes: Vec<usize>,
}

impl<'s> Learned<'s> {
    fn new(shelf: &'s Shelf, decisions: Decisions) -> Result<Self, Failure> {
        let staged = shelf
            .stage()
            .map_err(|source| Failure::File { path: shelf.folder(&Whose::Fleet), source })?;
        let by = Approval::new("tripline learn", now(), "the first baseline").ok_or_else(|| {
            Failure::Usage { message: "the clock cannot be read".to_owned(), hint: "" }
        })?;
        Ok(Self { shelf, decisions, by, staged, sum: Mutex::default() })
    }

    fn sum(&self) -> MutexGuard<'_, Sum> {
        self.sum.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, baseline: Baseline) -> io::Result<()> {
        let candidate = baseline.with_catalogue(Catalogue::VERSION);
        let text = candidate.to_text();
        self.sum().note(&candidate, text.len())?;
        self.staged.write(candidate.whose(), Leaf::Candidate, &text)?;
        let checked = is_replaceable(&self.shelf.path(candidate.whose(), Leaf::Candidate));
        let live = match checked.and_then(|()| self.live(&candidate)) {
            Ok(live) => live,
            Err(failure) => {
                self.sum().failure.get_or_insert(failure);
                return Ok(());
            }
        };
        self.sum().join(&live);
        Ok(())
    }

    /// The live baseline of an agent: its own, or the first one, made of the candidate.
    fn live(&self, candidate: &Baseline) -> Result<Baseline, Failure> {
        if let Some(live) = baseline_of(self.shelf, candidate.whose(), Leaf::Baseline)? {
            return Ok(live);
        }
        let promotion = promote(None, candidate, &self.decisions, &is_sensitive, &self.by);
        let Promotion { next, held } =
            promotion.map_err(|error| Failure::Usage { message: error.to_string(), hint: "" })?;
        let waiting = held.iter().filter(|held| waits_for_a_person(held)).count();
        self.sum().summary.note_first(waiting);
        let written = self.staged.write(next.whose(), Leaf::Baseline, &next.to_text());
        written.map_err(|source| Failure::File {
            path: self.shelf.path(next.whose(), Leaf::Baseline),
            source,
        })?;
        Ok(next)
    }

    /// Puts everything in its place, with what classes and the fleet know together.
    fn publish(self, failed: impl Fn(io::Error) -> Failure) -> Result<Summary, Failure> {
        let mut sum = self.sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = sum.failure {
            return Err(failure);
        }
        if sum.summary.agents > 0 {
            // Agents that these logs do not show are peers as well.
            for live in all_baselines(self.shelf, Leaf::Baseline)? {
                sum.join(&live?);
            }
            for together in sum.together.finish() {
                let written =
                    self.staged.write(together.whose(), Leaf::Baseline, &together.to_text());
                written.map_err(&failed)?;
            }
        }
        self.staged.publish().map_err(failed)?;
        Ok(sum.summary)
    }
}

impl Sum {
    /// Notes what was learned of an agent. Of two baselines of one, it would be chance which one stays.
    fn note(&mut self, candidate: &Baseline, bytes: usize) -> io::Result<()> {
        if let Whose::Agent { agent, .. } = candidate.whose()
            && !self.learned.insert(agent.clone())
        {
            let message = format!("the agent {agent:?} stands in two places");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        self.summary.note(candidate, bytes);
        Ok(())
    }

    /// Adds a baseline that is in force to its class and the fleet.
    fn join(&mut self, live: &Baseline) {
        let Whose::Agent { agent, .. } = live.whose() else { return };
        if self.seen.insert(agent.clone()) {
            self.together.add(live);
        }
    }
}

/// What stands in a candidate's place is replaced only if it is one, of a format that is known: a
/// newer program's, or a file of somebody else's, is left alone.
fn is_replaceable(path: &Path) -> Result<(), Failure> {
    let Ok(file) = File::open(path) else { return Ok(()) };
    let mut line = String::new();
    let read = BufReader::new(file.take(BASELINE_BYTES_MAX as u64)).read_line(&mut line);
    let known = read.is_ok() && line.trim_end() == "tripline-baseline 1";
    match known {
        true => Ok(()),
        false => Err(Failure::Usage {
            message: format!("`{}` is no candidate that this program wrote", path.display()),
            hint: "move it away, or update tripline if a newer one wrote it",
        }),
    }
}

impl Summary {
    /// Notes a first baseline, in which so many values wait for a person.
    fn note_first(&mut self, waiting: usize) {
        self.first += 1;
        self.pending += waiting;
        self.agents_with_pending += usize::from(waiting > 0);
    }

    fn note(&mut self, candidate: &Baseline, bytes: usize) {
        self.agents += 1;
        self.sizes.push(bytes);
        let maturity = candidate.maturity();
        *self.stages.entry(maturity.stage()).or_default() += 1;
        let least = (maturity.episodes, maturity.to_string());
        // Of equals the one whose text comes first: they come in no order.
        if self.least.as_ref().is_none_or(|known| least < *known) {
            self.least = Some(least);
        }
    }

    fn write(&self, to: &mut impl Write, out: &Path) -> io::Result<()> {
        let folder = out.display();
        let Some((_, least)) = &self.least else {
            return writeln!(to, "no agent was seen: nothing was learned");
        };
        let count = |stage| self.stages.get(&stage).copied().unwrap_or(0);
        let (mature, learning) = (count(Stage::Mature), count(Stage::Learning));
        writeln!(
            to,
            "agents learned: {}, of these {mature} mature, {learning} learning, {} with too little yet (the least: {least})",
            self.agents,
            count(Stage::Immature),
        )?;
        if self.first > 0 {
            writeln!(
                to,
                "without a baseline before: {}; what was learned of them is in force",
                self.first
            )?;
        }
        if self.first < self.agents {
            writeln!(
                to,
                "with one, which stays in force: {}; see `tripline baseline diff --baselines {folder} AGENT`",
                self.agents - self.first
            )?;
        }
        if self.pending > 0 {
            writeln!(
                to,
                "sensitive values that wait for a person: {} of {} agents; `tripline baseline show --baselines {folder}`",
                self.pending, self.agents_with_pending
            )?;
        }
        let mut sizes = self.sizes.clone();
        sizes.sort_unstable();
        let median = sizes.get(sizes.len() / 2).copied().unwrap_or(0);
        let largest = sizes.last().copied().unwrap_or(0);
        writeln!(to, "baselines: median {median} bytes, largest {largest} bytes")
    }
}

impl From<tripline_history::PartialError> for Failure {
    fn from(error: tripline_history::PartialError) -> Self {
        Self::History(HistoryError::Partial(error))
    }
}

/// Who runs the program, as far as the environment tells.
pub(crate) fn decided_by(given: Option<&str>, why: &str) -> Result<Approval, Failure> {
    let who = given.map_or_else(user, str::to_owned);
    Approval::new(&who, now(), why).ok_or_else(|| Failure::Usage {
        message: "--by and --why must have 1 to 512 bytes".to_owned(),
        hint: "say who decides and why: --by alice --why \"OPS-12\"",
    })
}

#[cfg(test)]
mod tests {
    use tripline_baseline::Learner;

    use super::*;

    #[test]
    fn an_agent_is_learned_once() {
        let of = |name: &'static str| {
            Learner::new(Whose::Agent { agent: Untrusted::borrowed(name), class: None }, 1).finish()
        };
        let mut sum = Sum::default();
        assert!(sum.note(&of("a"), 1).is_ok() && sum.note(&of("b\u{1b}"), 1).is_ok());
        let error = sum.note(&of("b\u{1b}"), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
        assert_eq!(sum.summary.agents, 2);
    }
}
