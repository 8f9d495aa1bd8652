//! One fleet, from its first day to its last.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tripline_attribution::{EpisodeCutter, EpisodeId};
use tripline_cloudtrail::{EventId, EventTime};
use tripline_detector::{Calibration, Score, Verdict};
use tripline_engine::{BatchReport, Model, Purpose, Scored};
use tripline_testkit::simulation::{Raid, RaidKind, Shift, Temper};
use tripline_testkit::{Class, Rng, Simulation};
use tripline_text::Untrusted;

use crate::Arguments;
use crate::operator::{Desk, Operator};
use crate::outcome::{
    Benign, METHODS, Outcome, Run, Trace, Verdicts, Work, by_day, highest_by_day,
};
use crate::rivals;

const LEARNED: u32 = 30;
const TEST_FROM: u32 = 60;
const END: u32 = 90;
/// The operator learns anew this often …
const EVERY: u32 = 7;

/// An attack that is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    pub(crate) raid: Raid,
    pub(crate) shift: Shift,
    pub(crate) day: u32,
}

/// Runs a fleet.
pub(crate) fn run(seed: u64, arguments: &Arguments) -> Outcome {
    let simulation = Simulation::new(seed, arguments.agents, END);
    let plan = plan(seed, &simulation, arguments);
    let mut outcome = Outcome {
        agent_months: f64::from(arguments.agents) * f64::from(END - TEST_FROM) / 30.0,
        ..Outcome::default()
    };
    for class in Class::ALL {
        let days = (TEST_FROM..END).filter(|day| simulation.class_deploys(class, *day));
        outcome.shocks.extend(days.map(|day| (seed, class.name(), day)));
    }
    let mut runs: Vec<Option<Run>> = vec![None; plan.len()];
    let mut operator = Operator::new(&simulation);
    operator.learn(0..LEARNED);
    for day in LEARNED..END {
        if day == TEST_FROM {
            operator.arm(calibration(&operator, &outcome));
        }
        let told = score(seed, &mut operator, day, arguments.explain, &mut outcome);
        let due: Vec<_> = plan.iter().enumerate().filter(|(_, it)| it.day == day).collect();
        let done: Vec<(usize, Run)> =
            due.into_par_iter().map(|(nth, planned)| (nth, attack(&operator, planned))).collect();
        done.into_iter().for_each(|(nth, run)| runs[nth] = Some(run));
        operator.answer(&told);
        if (day + 1 - LEARNED).is_multiple_of(EVERY) {
            operator.learn(day + 1 - LEARNED..day + 1);
        }
    }
    let mut runs: Vec<Run> = runs.into_iter().map(Option::unwrap).collect();
    let compared = rivals::run(seed, &simulation, &plan);
    outcome.sessions = compared.sessions;
    outcome.rivals = compared.benign;
    for (run, traces) in runs.iter_mut().zip(compared.traces) {
        for (slot, trace) in run.traces.iter_mut().skip(1).zip(traces) {
            *slot = trace;
        }
    }
    outcome.runs = runs;
    outcome
}

/// Where the benign days of the agents that are known well ended up.
fn calibration(operator: &Operator<'_>, outcome: &Outcome) -> Calibration {
    let mut calibration = Calibration::default();
    for (worker, agent) in (0..).zip(operator.simulation.workers()) {
        let Some(work) = outcome.of_agents.get(&worker) else { continue };
        let own = outcome.calibration.iter().filter(|it| it.agent == worker && it.is_mature);
        let of_days = |scores: Vec<f64>| {
            let silent = work.agent_days.saturating_sub(scores.len() as u64);
            let scores = scores.into_iter().map(|score| (Score::of(score), 1));
            scores.chain([(Score::default(), silent)])
        };
        let name = Untrusted::borrowed(agent.id());
        let scores = of_days(by_day(own.clone()));
        calibration.add(&name, work.days, work.episodes, scores);
        calibration.add_killing(&name, of_days(highest_by_day(own, |it| it.killing)));
    }
    calibration
}

/// Who is attacked, when and how: agents that have been at work for a while.
fn plan(seed: u64, simulation: &Simulation, arguments: &Arguments) -> Vec<Planned> {
    let at_work = |temper| !matches!(temper, Temper::Idle | Temper::Newcomer);
    let workers = simulation.workers().iter().enumerate();
    let victims: Vec<u32> =
        workers.filter(|(_, worker)| at_work(worker.temper)).map(|(nth, _)| nth as u32).collect();
    let mut rng = Rng::stream(seed, &[40]);
    let mut plan = Vec::new();
    for kind in RaidKind::ALL {
        for (tempo, origin) in Raid::cells(kind) {
            for variant in 0..u64::from(arguments.runs) {
                let (shift, day) = loop {
                    let day = rng.between(u64::from(TEST_FROM), u64::from(END) - 1) as u32;
                    let shifts = simulation.shifts(*rng.pick(&victims), day);
                    if !shifts.is_empty() {
                        break (*rng.pick(&shifts), day);
                    }
                };
                plan.push(Planned {
                    raid: Raid { kind, tempo, origin, variant, spread: None },
                    shift,
                    day,
                });
            }
        }
    }
    plan
}

/// How far the evidence of a call's episode had come with it.
fn score_of(one: &Scored) -> f64 {
    one.assessment.score.unwrap_or_default()
}

/// Scores a day of all agents' work; what was told of it.
fn score(
    seed: u64,
    operator: &mut Operator<'_>,
    day: u32,
    explain: bool,
    outcome: &mut Outcome,
) -> Vec<Scored> {
    let simulation = operator.simulation;
    let workers = 0..simulation.workers().len() as u32;
    let before = &*operator;
    let days: Vec<_> = workers
        .into_par_iter()
        .map(|worker| {
            let (mut episodes, mut calls) = (0_u64, 0_u64);
            let mut cutter = EpisodeCutter::default();
            let mut nth = 0;
            let mut count = |_: &Shift, desk: &Desk| {
                nth += 1;
                let mut last = None;
                for (_, time, is_agents, _) in desk.records.truths() {
                    calls += 1;
                    let Some(time) = EventTime::from_unix_secs(time).filter(|_| is_agents) else {
                        continue;
                    };
                    let start = cutter.start_of(nth, time);
                    if last.replace(start) != Some(start) {
                        episodes += 1;
                    }
                }
            };
            let shifts = before.shifts(worker, day..day + 1);
            // Every call: of evidence below ten to one there is no finding.
            let all = Purpose::ShowAll;
            let report = before.read(&before.model, all, shifts, &|_| None, &mut count);
            let armed = before.armed.as_ref().map(|model| {
                let shifts = before.shifts(worker, day..day + 1);
                let findings = Purpose::ShowFindings;
                before.read(model, findings, shifts, &|_| None, &mut |_, _| {}).scored
            });
            let BatchReport { mut scored, outcomes, deployments, .. } = report;
            scored.retain(|one| score_of(one) > 0.0 || one.assessment.verdict > Verdict::Normal);
            // A shift is one lineage, and its episodes have a start each.
            let killing: BTreeMap<u32, f64> =
                outcomes.iter().map(|it| (it.start_minute, it.counted.log10())).collect();
            let armed = armed.unwrap_or_default();
            (worker, episodes, calls, scored, killing, armed, deployments)
        })
        .collect();
    let mut told = Vec::new();
    let is_test = day >= TEST_FROM;
    for (worker, episodes, calls, scored, killing, armed, deployments) in days {
        operator.deployments.extend(&deployments);
        let is_mature = operator.is_mature(worker);
        if is_mature {
            if is_test {
                outcome.tested += Work::of_day(episodes);
            } else {
                *outcome.of_agents.entry(worker).or_default() += Work::of_day(episodes);
                outcome.calibrating += Work::of_day(episodes);
            }
        }
        outcome.calls += calls;
        let class = simulation.workers()[worker as usize].class();
        let mut by_episode: BTreeMap<EpisodeId, Benign> = BTreeMap::new();
        let silent = || Benign {
            seed,
            agent: worker,
            class,
            day,
            is_mature,
            score: 0.0,
            killing: 0.0,
            verdicts: Verdicts::default(),
            why: Vec::new(),
        };
        for one in &armed {
            let entry = by_episode.entry(one.episode.clone()).or_insert_with(silent);
            entry.verdicts = entry.verdicts.max(Verdicts::of(one));
        }
        for one in &scored {
            let entry = by_episode.entry(one.episode.clone()).or_insert_with(silent);
            entry.score = score_of(one).max(entry.score);
            let start = u32::try_from(one.episode.start.unix_minutes()).unwrap();
            // Of days of which something was learned, as the first one after it may be (some sessions go on
            // after midnight), nobody says how much counts for a kill: then all, which draws lines higher.
            entry.killing = killing.get(&start).copied().unwrap_or(entry.score);
            if !is_test {
                entry.verdicts = entry.verdicts.max(Verdicts::of(one));
            }
            if explain {
                let reasons = one.assessment.reasons.iter();
                entry.why.extend(reasons.map(|reason| {
                    let value = reason.value.as_unescaped();
                    format!("{:+.2} {} {value}: {}", reason.weight, reason.feature, reason.detail)
                }));
            }
        }
        let of = if is_test { &mut outcome.test } else { &mut outcome.calibration };
        of.extend(by_episode.into_values());
        told.extend(scored.into_iter().filter(|one| one.assessment.verdict >= Verdict::Alert));
    }
    told
}

/// An attack, seen by the program.
fn attack(operator: &Operator<'_>, planned: &Planned) -> Run {
    let raid = planned.raid;
    let is_mature = operator.is_mature(planned.shift.worker);
    let is_armed_to_kill = operator.is_armed_to_kill(planned.shift.worker);
    let mut traces: [Trace; METHODS.len()] = Default::default();
    let mut scores: BTreeMap<EpisodeId, f64> = BTreeMap::new();
    // Every call: weak evidence is no finding.
    each_since(operator, &operator.model, Purpose::ShowAll, planned, |nth, one| {
        let score = score_of(one);
        let before = scores.insert(one.episode.clone(), score).unwrap_or_default();
        // What was there before the attack began is the session's own.
        let has_grown = nth > 0 && is_mature && score > before;
        if has_grown && traces[0].last().is_none_or(|(_, highest)| *highest < score) {
            traces[0].push((nth, score));
        }
    });
    let [mut fenced, mut killed, mut fenced_by_evidence, mut killed_by_evidence] = [None; 4];
    let armed = operator.armed.as_ref().unwrap_or(&operator.model);
    each_since(operator, armed, Purpose::ShowFindings, planned, |nth, one| {
        let Verdicts { by_rule, by_evidence } = Verdicts::of(one);
        for (least, first, first_by_evidence) in [
            (Verdict::Fence, &mut fenced, &mut fenced_by_evidence),
            (Verdict::Kill, &mut killed, &mut killed_by_evidence),
        ] {
            if nth > 0 && by_rule.max(by_evidence) >= least {
                first.get_or_insert(nth);
            }
            if nth > 0 && by_evidence >= least {
                first_by_evidence.get_or_insert(nth);
            }
        }
    });
    let Raid { kind, tempo, origin, .. } = raid;
    Run {
        kind,
        tempo,
        origin,
        is_mature,
        is_armed_to_kill,
        traces,
        fenced,
        killed,
        fenced_by_evidence,
        killed_by_evidence,
    }
}

/// What is shown of an attacked session in order of time, each with the number of the attack's calls until
/// then: 0 before it began.
fn each_since(
    operator: &Operator<'_>,
    model: &Model,
    purpose: Purpose,
    planned: &Planned,
    mut each: impl FnMut(u32, &Scored),
) {
    let mut order: Vec<(u128, i64, bool)> = Vec::new();
    let mut note = |_: &Shift, desk: &Desk| {
        let truths = desk.records.truths().filter(|(_, _, is_agents, _)| *is_agents);
        order.extend(truths.map(|(id, time, _, attack)| (id, time, attack.is_some())));
    };
    let shifts = std::iter::once(planned.shift);
    let raid = planned.raid;
    let report = operator.read(model, purpose, shifts, &|_| Some(raid), &mut note);
    // The program judges in order of time and id.
    order.sort_by_key(|(id, time, _)| (*time, *id));
    let mut calls = 0;
    let mut so_far: BTreeMap<u128, u32> = BTreeMap::new();
    for (id, _, is_attack) in &order {
        calls += u32::from(*is_attack);
        so_far.insert(*id, calls);
    }
    for one in &report.scored {
        each(so_far.get(&EventId::bits(one.call.id)).copied().unwrap_or(0), one);
    }
}
