//! Tables, for people and as CSV.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tripline_detector::Verdict;
use tripline_testkit::simulation::{Origin, RaidKind, Tempo};

use crate::Arguments;
use crate::outcome::{Benign, METHODS, Outcome, Run, Verdicts, Work, by_day};
use crate::stats::{bounds, chance_of_more, line, quantile, upper};

/// False actions per agent-month that all methods are set to alike.
const BUDGETS: [f64; 4] = [0.02, 0.1, 1.0, 5.0];
/// A kind is detected where so many of its runs are.
const DETECTED: f64 = 0.9;

/// All figures.
pub(crate) struct Report {
    outcome: Outcome,
    boil: f64,
    lines: Vec<[f64; BUDGETS.len()]>,
}

impl Report {
    pub(crate) fn of(outcome: Outcome, boil: f64) -> Self {
        let lines = (0..METHODS.len())
            .map(|method| {
                let mut scores = by_day(outcome.benign(method));
                BUDGETS.map(|budget| {
                    line(&mut scores, (budget * outcome.agent_months).floor() as usize)
                })
            })
            .collect();
        Self { outcome, boil, lines }
    }

    /// Calls of the attack until a method's score is above its line for a budget.
    fn caught(&self, run: &Run, method: usize, budget: usize) -> Option<u32> {
        let line = self.lines[method][budget];
        let trace = &run.traces[method];
        // What was there before the attack began is the session's own.
        trace.iter().find(|(calls, score)| *calls > 0 && *score > line).map(|(calls, _)| *calls)
    }

    fn runs(&self, kind: RaidKind) -> impl Iterator<Item = &Run> {
        self.outcome.runs.iter().filter(move |run| run.kind == kind)
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.size(&mut out);
        self.detection(&mut out);
        self.cells(&mut out);
        self.worse(&mut out);
        self.verdicts(&mut out);
        self.reliability(&mut out);
        self.shocks(&mut out);
        out
    }

    fn size(&self, out: &mut String) {
        let it = &self.outcome;
        let _ = writeln!(
            out,
            "benign: {} calibrating, {} tested ({:.0} agent-months); {} calls; {} attacks",
            size(it.calibrating),
            size(it.tested),
            it.agent_months,
            it.calls,
            it.runs.len()
        );
        fn with_any(scores: impl Iterator<Item = f64>, all: u64) -> f64 {
            100.0 * scores.filter(|score| *score > 0.0).count() as f64 / all as f64
        }
        let _ = writeln!(
            out,
            "of the test with any evidence: {:.2} % of episodes, {:.2} % of agent-days",
            with_any(it.benign(0).map(|benign| benign.score), it.tested.episodes),
            with_any(by_day(it.benign(0)).into_iter(), it.tested.agent_days)
        );
        let known = it.runs.iter().filter(|run| run.is_mature).count() as f64;
        let _ = writeln!(
            out,
            "attacks on agents that are known well: {:.1} %; the others are not fenced nor killed by evidence",
            100.0 * known / it.runs.len() as f64
        );
        let _ = writeln!(out, "slow boil: {:.2} times in 90 days\n", self.boil);
    }

    fn detection(&self, out: &mut String) {
        let _ = writeln!(
            out,
            "Share of runs caught, at false actions per agent-month (test; what is false counts once a day)"
        );
        for (method, name) in METHODS.iter().enumerate() {
            let _ = writeln!(out, "\n{name}");
            let _ = write!(out, "{:<28}", "");
            BUDGETS.iter().for_each(|budget| {
                let _ = write!(out, "{budget:>16}");
            });
            let _ = writeln!(out);
            let mut kinds = [0.0; BUDGETS.len()];
            let mut mean = [0.0; BUDGETS.len()];
            let counted = RaidKind::ALL.iter().filter(|kind| !kind.is_in_vocabulary()).count();
            for kind in RaidKind::ALL {
                let _ = write!(out, "{:<28}", kind.name());
                for budget in 0..BUDGETS.len() {
                    let cell = Caught::of(self.runs(kind), &|run| self.caught(run, method, budget));
                    if !kind.is_in_vocabulary() {
                        mean[budget] += cell.share / counted as f64;
                        kinds[budget] += f64::from(u8::from(cell.share >= DETECTED));
                    }
                    let _ = write!(out, "{:>16}", cell.text());
                }
                let _ = writeln!(out);
            }
            let _ = write!(out, "{:<28}", "mean of kinds");
            mean.iter().for_each(|mean| {
                let _ = write!(out, "{mean:>16.2}");
            });
            let _ = write!(out, "\n{:<28}", "kinds detected");
            kinds.iter().for_each(|kinds| {
                let _ = write!(out, "{:>16}", format!("{kinds} of {counted}"));
            });
            let _ = write!(out, "\n{:<28}", "line");
            self.lines[method].iter().for_each(|line| {
                let _ = write!(out, "{line:>16.2}");
            });
            let _ = writeln!(out);
        }
        let _ = writeln!(out, "(in brackets: calls of the attack until then, median and 95 %)\n");
    }

    fn cells(&self, out: &mut String) {
        let _ = writeln!(out, "Evidence at 1 false action per agent-month, by tempo and origin");
        let cells: BTreeSet<(Origin, Tempo)> =
            self.outcome.runs.iter().map(|run| (run.origin, run.tempo)).collect();
        let _ = write!(out, "{:<28}", "");
        for (origin, tempo) in &cells {
            let origin = if *origin == Origin::Victim { "own" } else { "other" };
            let _ = write!(out, "{:>18}", format!("{tempo:?}, {origin}").to_lowercase());
        }
        let _ = writeln!(out);
        for kind in RaidKind::ALL {
            let _ = write!(out, "{:<28}", kind.name());
            for cell in &cells {
                let runs: Vec<&Run> =
                    self.runs(kind).filter(|run| (run.origin, run.tempo) == *cell).collect();
                let hits = runs.iter().filter(|run| self.caught(run, 0, 2).is_some()).count();
                let shown = match runs.len() {
                    0 => "-".to_owned(),
                    all => format!("{:.2}", hits as f64 / all as f64),
                };
                let _ = write!(out, "{shown:>18}");
            }
            let _ = writeln!(out);
        }
        let _ = writeln!(out);
    }

    /// Kinds of which another method caught more.
    fn worse(&self, out: &mut String) {
        let _ = writeln!(out, "Kinds that another method caught more of; * is sure at 95 %");
        for (place, budget) in BUDGETS.iter().enumerate() {
            for kind in RaidKind::ALL {
                let all = self.runs(kind).count();
                for (method, name) in METHODS.iter().enumerate().skip(1) {
                    // Both were given the same attacks.
                    let (mut own, mut others, mut only_own, mut only_other) = (0, 0, 0, 0);
                    for run in self.runs(kind) {
                        let [by_own, by_other] =
                            [0, method].map(|method| self.caught(run, method, place).is_some());
                        own += usize::from(by_own);
                        others += usize::from(by_other);
                        only_own += u64::from(by_own && !by_other);
                        only_other += u64::from(by_other && !by_own);
                    }
                    if others > own {
                        let chance = chance_of_more(only_own, only_other);
                        let _ = writeln!(
                            out,
                            "{budget:>6} {} {:<28}{own} of {all}, {others} by {name} (only evidence {only_own}, only the other {only_other}; p = {chance:.3})",
                            if chance <= 0.05 { '*' } else { ' ' },
                            kind.name()
                        );
                    }
                }
            }
        }
        let _ = writeln!(out);
    }

    /// The verdicts as the program gives them.
    fn verdicts(&self, out: &mut String) {
        let it = &self.outcome;
        let _ = writeln!(out, "The program's own verdicts");
        for row in self.false_ones() {
            let _ = writeln!(
                out,
                "false {:<18}{:>6} agent-days, {:.3} per agent-month (at most {:.3} at 95 %), {} episodes",
                row.what,
                row.days,
                row.days as f64 / it.agent_months,
                upper(row.days, it.tested.agent_days, it.agent_months),
                row.episodes,
            );
        }
        let _ = write!(out, "{:<28}", "caught");
        for (name, _, _) in &VERDICTS {
            let _ = write!(out, "{name:>20}");
        }
        let _ = writeln!(out);
        for kind in RaidKind::ALL {
            let _ = write!(out, "{:<28}", kind.name());
            for (_, among, column) in &VERDICTS {
                let cell = Caught::of(self.runs(kind).filter(|run| among(run)), column);
                let _ = write!(out, "{:>20}", cell.text());
            }
            let _ = writeln!(out);
        }
        let _ = write!(out, "{:<28}", "mean of kinds");
        for (_, among, column) in &VERDICTS {
            let counted = RaidKind::ALL.into_iter().filter(|kind| !kind.is_in_vocabulary());
            let shares: Vec<f64> = counted
                .map(|kind| Caught::of(self.runs(kind).filter(|run| among(run)), column).share)
                .collect();
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let detected = shares.iter().filter(|share| **share >= DETECTED).count();
            let _ = write!(out, "{:>20}", format!("{mean:.2} ({detected} kinds)"));
        }
        let _ = writeln!(out, "\n");
    }

    fn false_ones(&self) -> Vec<FalseOnes> {
        let mut rows = Vec::new();
        for verdict in [Verdict::Alert, Verdict::Fence, Verdict::Kill] {
            for (how, of) in [
                ("by evidence", (|it| it.by_evidence) as fn(Verdicts) -> Verdict),
                ("by rule", |it| it.by_rule),
            ] {
                let hit = self.outcome.test.iter().filter(|benign| of(benign.verdicts) >= verdict);
                let days: BTreeSet<_> = hit.clone().map(|it| (it.seed, it.agent, it.day)).collect();
                let what = format!("{verdict}, {how}");
                rows.push(FalseOnes { what, episodes: hit.count(), days: days.len() as u64 });
            }
        }
        rows
    }

    /// Split-conformal lines from the calibration, held against the test: by agent-days, as lines are
    /// drawn, and by episodes.
    fn realised(&self) -> Vec<Realised> {
        let it = &self.outcome;
        let known = |all: &'_ [Benign]| -> Vec<Benign> {
            all.iter().filter(|benign| benign.is_mature).cloned().collect()
        };
        let (before, after) = (known(&it.calibration), known(&it.test));
        let scores = |all: &[Benign]| all.iter().map(|benign| benign.score).collect::<Vec<f64>>();
        let mut rows = Vec::new();
        for (unit, mut calibrating, of, tested, all) in [
            (
                "agent-days",
                by_day(before.iter()),
                it.calibrating.agent_days,
                by_day(after.iter()),
                it.tested.agent_days,
            ),
            (
                "episodes",
                scores(&before),
                it.calibrating.episodes,
                scores(&after),
                it.tested.episodes,
            ),
        ] {
            for nominal in [1e-1, 1e-2, 1e-3, 1e-4] {
                let rank = (nominal * (of as f64 + 1.0)).floor() as usize;
                if rank == 0 {
                    continue;
                }
                let line = line(&mut calibrating, rank - 1);
                let hits = tested.iter().filter(|score| **score > line).count() as u64;
                let (low, high) = bounds(hits, all);
                let share = hits as f64 / all as f64;
                rows.push(Realised { unit, nominal, hits, share, low, high });
            }
        }
        rows
    }

    fn reliability(&self, out: &mut String) {
        let _ =
            writeln!(out, "Nominal and realised, lines from days 30 to 59, held on days 60 to 89");
        for Realised { unit, nominal, hits, share, low, high } in self.realised() {
            let _ = writeln!(
                out,
                "{nominal:>8.0e}  {share:.2e}  (95 %: {low:.2e} to {high:.2e}; {hits} {unit})  ratio {:.2}",
                share / nominal
            );
        }
        let _ = writeln!(out);
    }

    fn shocks(&self, out: &mut String) {
        let line = self.lines[0][0];
        let mut worst = 0;
        for (seed, class, day) in &self.outcome.shocks {
            let hit: BTreeSet<u32> = self
                .outcome
                .test
                .iter()
                .filter(|it| (it.seed, it.class) == (*seed, class))
                .filter(|it| (*day..day + 2).contains(&it.day))
                .filter(|it| it.is_mature && it.score > line)
                .map(|it| it.agent)
                .collect();
            worst = worst.max(hit.len());
        }
        let _ = writeln!(
            out,
            "deployments to a class: {}; agents above the line of 0.02 on such a day and the next: at most {worst}",
            self.outcome.shocks.len()
        );
    }

    pub(crate) fn csv(&self, arguments: &Arguments) -> String {
        let mut out = format!(
            "# cargo bench -p tripline-benches --bench evaluate -- --seeds {} --first-seed {} --agents {} --runs {}\nwhat,method,kind,budget,value,median_calls,p95_calls\n",
            arguments.seeds, arguments.first_seed, arguments.agents, arguments.runs
        );
        let it = &self.outcome;
        for (what, value) in [
            ("episodes calibrating", it.calibrating.episodes as f64),
            ("agent-days calibrating", it.calibrating.agent_days as f64),
            ("episodes tested", it.tested.episodes as f64),
            ("agent-days tested", it.tested.agent_days as f64),
            ("agent-months", it.agent_months),
            ("slow boil factor", self.boil),
        ] {
            let _ = writeln!(out, "{what},,,,{value:.3},,");
        }
        for (method, name) in METHODS.iter().enumerate() {
            for kind in RaidKind::ALL {
                for (place, budget) in BUDGETS.iter().enumerate() {
                    let cell = Caught::of(self.runs(kind), &|run| self.caught(run, method, place));
                    let _ = writeln!(
                        out,
                        "caught,\"{name}\",\"{}\",{budget},{}",
                        kind.name(),
                        cell.csv()
                    );
                }
            }
        }
        for kind in RaidKind::ALL {
            for (name, among, column) in &VERDICTS {
                let cell = Caught::of(self.runs(kind).filter(|run| among(run)), column);
                let _ = writeln!(out, "caught,\"{name}\",\"{}\",,{}", kind.name(), cell.csv());
            }
        }
        for row in self.false_ones() {
            let rate = row.days as f64 / it.agent_months;
            let _ = writeln!(out, "false per agent-month,\"{}\",,,{rate:.4},,", row.what);
            let most = upper(row.days, it.tested.agent_days, it.agent_months);
            let _ = writeln!(out, "the same at most,\"{}\",,,{most:.4},,", row.what);
            let episodes = row.episodes as f64 / it.agent_months;
            let _ = writeln!(out, "episodes per agent-month,\"{}\",,,{episodes:.4},,", row.what);
        }
        for Realised { unit, nominal, share, low, high, .. } in self.realised() {
            let _ = writeln!(out, "realised,{unit},,{nominal:e},{share:.3e},,");
            let _ = writeln!(out, "realised low 95 %,{unit},,{nominal:e},{low:.3e},,");
            let _ = writeln!(out, "realised high 95 %,{unit},,{nominal:e},{high:.3e},,");
        }
        out
    }
}

/// How often a nominal share was passed.
struct Realised {
    unit: &'static str,
    nominal: f64,
    hits: u64,
    share: f64,
    low: f64,
    high: f64,
}

fn size(work: Work) -> String {
    format!("{} episodes on {} agent-days", work.episodes, work.agent_days)
}

/// Calls of an attack until something.
type Until = fn(&Run) -> Option<u32>;

/// Which attacks are looked at.
type Among = fn(&Run) -> bool;

/// The program's own verdicts on attacks, and those on agents that are known well enough to be killed:
/// of the others it only kills by rules.
const VERDICTS: [(&str, Among, Until); 5] = [
    ("fence", |_| true, |run| run.fenced),
    ("fence, evidence", |_| true, |run| run.fenced_by_evidence),
    ("kill", |_| true, |run| run.killed),
    ("kill, evidence", |_| true, |run| run.killed_by_evidence),
    ("kill, where armed", |run| run.is_armed_to_kill, |run| run.killed),
];

struct FalseOnes {
    what: String,
    episodes: usize,
    days: u64,
}

/// How many of some runs were caught, and after how many calls of the attack.
struct Caught {
    share: f64,
    median: Option<u32>,
    late: Option<u32>,
}

impl Caught {
    fn of<'r>(runs: impl Iterator<Item = &'r Run>, when: &dyn Fn(&Run) -> Option<u32>) -> Self {
        let calls: Vec<Option<u32>> = runs.map(when).collect();
        let mut hits: Vec<u32> = calls.iter().flatten().copied().collect();
        hits.sort_unstable();
        Self {
            share: share(hits.len(), calls.len()),
            median: quantile(&hits, 0.5),
            late: quantile(&hits, 0.95),
        }
    }

    fn text(&self) -> String {
        let of = |calls: Option<u32>| calls.map_or("-".to_owned(), |calls| calls.to_string());
        format!("{:.2} ({}, {})", self.share, of(self.median), of(self.late))
    }

    fn csv(&self) -> String {
        let of = |calls: Option<u32>| calls.map_or(String::new(), |calls| calls.to_string());
        format!("{:.4},{},{}", self.share, of(self.median), of(self.late))
    }
}

fn share(hits: usize, of: usize) -> f64 {
    hits as f64 / of as f64
}

/// What the highest benign scores rest on.
pub(crate) fn explained(outcome: &Outcome) -> String {
    let mut out = String::from("\nThe highest benign scores, calibration and test\n");
    let mut all: Vec<&Benign> = outcome.calibration.iter().chain(&outcome.test).collect();
    all.sort_by(|one, other| other.score.total_cmp(&one.score));
    for it in all.iter().take(60) {
        let _ = writeln!(
            out,
            "{:.2} {} day {} {}",
            it.score, it.class, it.day, it.verdicts.by_evidence
        );
        it.why.iter().take(8).for_each(|why| {
            let _ = writeln!(out, "    {why}");
        });
    }
    let mut kinds: BTreeMap<String, (usize, f64)> = BTreeMap::new();
    for it in all.iter().take(1_000) {
        for why in &it.why {
            let mut words = why.split(' ');
            let weight: f64 = words.next().and_then(|it| it.parse().ok()).unwrap_or(0.0);
            let entry = kinds.entry(words.next().unwrap_or_default().to_owned()).or_default();
            *entry = (entry.0 + 1, entry.1 + weight);
        }
    }
    let _ = writeln!(out, "\nof the thousand highest: reasons and their weight, by family");
    for (family, (count, weight)) in kinds {
        let _ = writeln!(out, "{family:<12}{count:>8}{weight:>12.0}");
    }
    out
}
