//! What comes out of a trial, before anything is made of it.

use std::collections::BTreeMap;

use tripline_detector::{Assessment, Verdict};
use tripline_engine::Scored;
use tripline_testkit::simulation::{Origin, RaidKind, Tempo};

/// Methods, in the order of tables: the detector, then what it is compared with.
pub(crate) const METHODS: [&str; 5] = [
    "evidence",
    "first-seen action, forgotten after 30 d",
    "new value, learned 7 d, forgotten after 28 d",
    "rare and spike, batches of 15 min",
    "isolation forest, whole sessions",
];

/// How much a method's score had become after so many calls of the attack, where it grew.
pub(crate) type Trace = Vec<(u32, f64)>;

/// A benign episode (of the detector) or session (of the others) with something to say about it.
#[derive(Clone, Debug)]
pub(crate) struct Benign {
    pub(crate) seed: u64,
    pub(crate) agent: u32,
    pub(crate) class: &'static str,
    pub(crate) day: u32,
    /// Whether the agent was known well enough to be acted on; the others accept all.
    pub(crate) is_mature: bool,
    pub(crate) score: f64,
    /// What of it counts for a kill.
    pub(crate) killing: f64,
    pub(crate) verdicts: Verdicts,
    /// Its strongest reasons, if they were asked for.
    pub(crate) why: Vec<String>,
}

/// An attack, and what each method made of it.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) kind: RaidKind,
    pub(crate) tempo: Tempo,
    pub(crate) origin: Origin,
    /// Whether the victim was known well enough to be acted on.
    pub(crate) is_mature: bool,
    /// Whether it was known well enough to be killed by evidence.
    pub(crate) is_armed_to_kill: bool,
    pub(crate) traces: [Trace; METHODS.len()],
    /// Calls of the attack until the program's own fence and kill, …
    pub(crate) fenced: Option<u32>,
    pub(crate) killed: Option<u32>,
    /// … and until those that need no invariant.
    pub(crate) fenced_by_evidence: Option<u32>,
    pub(crate) killed_by_evidence: Option<u32>,
}

/// The strongest verdicts of an episode: of rules, and of what was learned.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Verdicts {
    pub(crate) by_rule: Verdict,
    pub(crate) by_evidence: Verdict,
}

impl Verdicts {
    pub(crate) fn of(scored: &Scored) -> Self {
        let Assessment { verdict, reasons, .. } = &scored.assessment;
        let strongest = |is_rule: bool| {
            let reasons = reasons.iter().filter(|reason| reason.invariant.is_some() == is_rule);
            reasons.map(|reason| reason.verdict).max().unwrap_or_default()
        };
        let by_rule = strongest(true);
        // What no reason asks for by itself, their sum does.
        let by_evidence = if *verdict > by_rule { *verdict } else { strongest(false) };
        Self { by_rule, by_evidence }
    }

    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            by_rule: self.by_rule.max(other.by_rule),
            by_evidence: self.by_evidence.max(other.by_evidence),
        }
    }
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) agent_months: f64,
    /// What is benign in the calibration and in the test, of agents that are known well.
    pub(crate) calibrating: Work,
    pub(crate) tested: Work,
    /// Benign sessions of the test.
    pub(crate) sessions: u64,
    pub(crate) calibration: Vec<Benign>,
    pub(crate) test: Vec<Benign>,
    /// Of each method but the first.
    pub(crate) rivals: BTreeMap<usize, Vec<Benign>>,
    pub(crate) runs: Vec<Run>,
    /// Seed, class and day on which a whole class was deployed, within the test.
    pub(crate) shocks: Vec<(u64, &'static str, u32)>,
    pub(crate) calls: u64,
    /// What is benign in the calibration, by agent of one fleet, while it was known well.
    pub(crate) of_agents: BTreeMap<u32, Work>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    pub(crate) episodes: u64,
    /// Days on which an agent worked.
    pub(crate) agent_days: u64,
    /// All days.
    pub(crate) days: u32,
}

impl Work {
    /// Of one agent on one day.
    pub(crate) fn of_day(episodes: u64) -> Self {
        Self { episodes, agent_days: u64::from(episodes > 0), days: 1 }
    }
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.episodes += other.episodes;
        self.agent_days += other.agent_days;
        self.days += other.days;
    }
}

/// The highest score of each day of an agent.
pub(crate) fn by_day<'b>(benign: impl Iterator<Item = &'b Benign>) -> Vec<f64> {
    highest_by_day(benign, |one| one.score)
}

/// The highest of something on each day of an agent.
pub(crate) fn highest_by_day<'b>(
    benign: impl Iterator<Item = &'b Benign>,
    of: impl Fn(&Benign) -> f64,
) -> Vec<f64> {
    let mut days: BTreeMap<(u64, u32, u32), f64> = BTreeMap::new();
    for one in benign {
        let highest = days.entry((one.seed, one.agent, one.day)).or_default();
        *highest = highest.max(of(one));
    }
    days.into_values().collect()
}

impl Outcome {
    /// Takes another fleet's in.
    pub(crate) fn add(&mut self, other: Self) {
        self.agent_months += other.agent_months;
        self.calibrating += other.calibrating;
        self.tested += other.tested;
        self.sessions += other.sessions;
        self.calibration.extend(other.calibration);
        self.test.extend(other.test);
        self.runs.extend(other.runs);
        self.shocks.extend(other.shocks);
        self.calls += other.calls;
        for (method, scores) in other.rivals {
            self.rivals.entry(method).or_default().extend(scores);
        }
    }

    /// The benign scores of the test, of a method.
    pub(crate) fn benign(&self, method: usize) -> impl Iterator<Item = &Benign> {
        let benign = match method {
            0 => &self.test,
            _ => self.rivals.get(&method).map_or(&[][..], Vec::as_slice),
        };
        benign.iter().filter(|it| it.is_mature)
    }
}
