//! What one event costs once it is parsed, as a distribution: the mean hides what a caller waits for.
//!
//! `cargo bench -p tripline-benches --bench per_event`. A simulated fleet is learned for thirty days and
//! scored for three more, with lines drawn, so that every part of the detector is on. Timed are taking a
//! parsed record in (attribution, counting, the first look at habits) and judging it (paces, evidence,
//! lines); both with the clock's own cost in them, which is shown beside.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a bench measures with the clock, prints, and may fail loudly"
)]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use tripline_attribution::Attributor;
use tripline_baseline::{Approval, Baseline, Decisions, Held, HeldBack, Peers, Whose, promote};
use tripline_cloudtrail::{EventTime, Fate, Limits, Reader, Record, Sink as _};
use tripline_detector::{Budgets, Calibration, Invariants, Score};
use tripline_engine::{
    Batch, Config, DamagedRow, Filter, Hold, Intake, Judge, Key, Lesson, Model, Purpose, Tick,
    is_sensitive, judge_all,
};
use tripline_testkit::{Batch as Records, Simulation};
use tripline_text::Untrusted;

const AGENTS: u32 = 96;
const LEARNED: u32 = 30;
const END: u32 = 33;
const QUANTILES: [f64; 5] = [0.5, 0.9, 0.99, 0.999, 0.9999];

fn main() {
    let simulation = Simulation::new(1, AGENTS, END);
    let config = Config::parse("version = 1\n").expect("a configuration");
    let filter = Filter::default();
    let model = learned(&simulation, &config, &filter);
    let file = Arc::new(Untrusted::borrowed("simulated"));

    let attributor = Attributor::new(config.agents.clone(), 1);
    let mut intake = Intake::new(&model, &filter, Purpose::ShowFindings, attributor);
    let (mut reader, mut rows) = (Reader::new(Limits::default()), Rows::default());
    let (mut taken, mut fates) = (Vec::new(), Vec::new());
    let mut last = Vec::new();
    for worker in 0..AGENTS {
        for json in days(&simulation, worker, LEARNED..END) {
            let mut one_by_one = |record: &Record<'_>| {
                let begun = Instant::now();
                intake.sink(&mut rows).take(std::slice::from_ref(record), &mut fates);
                taken.push(nanos(begun));
                fates.pop().unwrap_or(Fate::Read)
            };
            let _ = reader.read(&file, &json, &mut one_by_one);
        }
    }
    let (attributor, vocabulary, _) = intake.finish(&mut rows);

    let Rows { mut ticks, mut calls } = rows;
    ticks.sort_by_key(Tick::key);
    calls.sort_unstable();
    let set_aside = calls.len();
    let vocabularies = [vocabulary];
    let sessions = attributor.resolve();
    let mut judge = Judge::new(&model, &filter, &config.tenants, sessions, &vocabularies, false);
    let mut judged = Vec::with_capacity(ticks.len());
    let mut begun = Instant::now();
    // The judge asks for a call when it is done with the one before.
    let ticks = ticks.into_iter().map(|tick| {
        judged.push(nanos(begun));
        begun = Instant::now();
        Ok::<_, DamagedRow>([(0, tick)])
    });
    let mut findings = 0_u64;
    let mut sink = |_| {
        findings += 1;
        Ok(())
    };
    let rows = calls.into_iter().map(Ok);
    judge_all::<_, _, DamagedRow>(ticks, rows, &mut judge, |_, _| {}, &mut sink)
        .expect("rows of this process");
    for _ in 0..1_000_000 {
        last.push(nanos(Instant::now()));
    }

    println!(
        "{} calls of {AGENTS} agents; {set_aside} set aside for a closer look, {findings} findings",
        judged.len()
    );
    print!("{:<34}{:>9}", "nanoseconds", "mean");
    QUANTILES.iter().for_each(|quantile| print!("{:>10}", format!("p{}", quantile * 100.0)));
    println!("{:>12}", "most");
    row("taken in, after parsing", taken);
    row("judged", judged);
    row("the clock alone", last);
}

/// The model of a fleet that was learned, armed by a history in which nothing happened: its lines are
/// the model's own.
fn learned(simulation: &Simulation, config: &Config, filter: &Filter) -> Model {
    let bare = Model::new(Invariants::default(), Vec::new()).expect("a model");
    let file = Arc::new(Untrusted::borrowed("simulated"));
    let now = EventTime::from_unix_secs(simulation.start() + i64::from(LEARNED) * 86_400);
    let by = Approval::new("bench", now.expect("a time"), "promotion").expect("a reason");
    let baselines: Vec<Baseline> = (0..AGENTS)
        .into_par_iter()
        .flat_map_iter(|worker| {
            let mut batch = Batch::new(config, &bare, filter, Purpose::Learn, 1);
            for json in days(simulation, worker, 0..LEARNED) {
                batch.read(&file, &json);
            }
            batch.finish(config).expect("rows of this process").baselines
        })
        .map(|candidate| promoted(&candidate, &by))
        .collect();
    let mut fleet = Peers::new(None);
    baselines.iter().for_each(|baseline| fleet.add(baseline));
    let all = baselines.into_iter().chain([fleet.finish(Some(20_000))]);
    let model = Model::new(Invariants::default(), Vec::new()).expect("a model");
    let model = model.with_learned(all.map(Ok::<_, Infallible>), 1).expect("a model");
    let mut calm = Calibration::default();
    for worker in simulation.workers() {
        let name = Untrusted::borrowed(worker.id());
        calm.add(&name, 600, 600 * 14, [(Score::default(), 600)]);
    }
    model.with_calibration(calm, Budgets::default())
}

/// In force, with everything approved that waits for a person.
fn promoted(candidate: &Baseline, by: &Approval) -> Baseline {
    let promotion = |decisions: &Decisions| {
        promote(None, candidate, decisions, &is_sensitive, by).expect("a first baseline")
    };
    let mut decisions = Decisions::default();
    if let Whose::Agent { agent, .. } = candidate.whose() {
        for HeldBack { what, .. } in promotion(&decisions).held {
            if let Held::Key(key) = what {
                decisions.approve(agent, key, by.clone());
            }
        }
    }
    promotion(&decisions).next
}

/// The files of an agent's sessions.
fn days(
    simulation: &Simulation,
    worker: u32,
    days: std::ops::Range<u32>,
) -> impl Iterator<Item = Vec<u8>> {
    days.flat_map(move |day| simulation.shifts(worker, day)).map(|shift| {
        let mut records = Records::default();
        simulation.write(&shift, None, &mut records);
        let mut json = Vec::new();
        records.write_file(&mut json);
        json
    })
}

fn nanos(begun: Instant) -> u32 {
    u32::try_from(begun.elapsed().as_nanos()).unwrap_or(u32::MAX)
}

fn row(what: &str, mut nanos: Vec<u32>) {
    nanos.sort_unstable();
    let mean = nanos.iter().map(|it| f64::from(*it)).sum::<f64>() / nanos.len().max(1) as f64;
    print!("{what:<34}{mean:>9.0}");
    for quantile in QUANTILES {
        let at = (nanos.len() as f64 * quantile) as usize;
        print!("{:>10}", nanos.get(at).copied().unwrap_or(0));
    }
    println!("{:>12}", nanos.last().copied().unwrap_or(0));
}

/// What the intake sets aside. The simulation has no copies and no corrections.
#[derive(Default)]
struct Rows {
    ticks: Vec<Tick>,
    calls: Vec<(Key, Vec<u8>)>,
}

impl Hold for Rows {
    fn tick(&mut self, tick: Tick) {
        self.ticks.push(tick);
    }
    fn call(&mut self, key: Key, row: &[u8]) {
        self.calls.push((key, row.to_vec()));
    }
    fn lesson(&mut self, _lesson: Lesson) {}
    fn drawn(&mut self, _row: &[u8]) -> u32 {
        0
    }
    fn copy(&mut self, _key: Key, _row: &[u8]) {}
    fn correction(&mut self, _key: Key, _row: &[u8]) {}
}
