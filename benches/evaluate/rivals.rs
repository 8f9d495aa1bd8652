//! What others do, over the same calls.
//!
//! Each is given what its makers would not have: histories that never forget to be kept, user agents
//! without their versions, buckets told from objects, and a threshold set to the same false actions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use extended_isolation_forest::{Forest, ForestOptions};
use rayon::prelude::*;
use tripline_cloudtrail::{EventId, Fate, JsonText, Limits, Reader, Record};
use tripline_testkit::Simulation;
use tripline_testkit::rng::hash;
use tripline_text::Untrusted;

use crate::operator::{DAY, Desk};
use crate::outcome::{Benign, METHODS, Trace, Verdicts};
use crate::trial::Planned;

/// What the others say of a fleet.
pub(crate) struct Compared {
    pub(crate) sessions: u64,
    /// By method, the sessions of the test with a score.
    pub(crate) benign: BTreeMap<usize, Vec<Benign>>,
    /// Of each planned attack, by method from the second on.
    pub(crate) traces: Vec<[Trace; METHODS.len() - 1]>,
}

const TEST_FROM: i64 = 60;
/// The forest is grown on the sessions of these days, when the agents are known.
const GROWN_ON: std::ops::Range<i64> = 15..60;
const FEATURES: usize = 11;
type Features = [f64; FEATURES];

/// A call, as these methods look at it.
#[derive(Clone, Copy)]
struct Fact {
    time: i64,
    action: u64,
    /// Network, Region, tool, bucket: kind by kind, 0 where there is none.
    others: [u64; 4],
    is_error: bool,
    is_write: bool,
    is_attack: bool,
}

/// What is kept of an agent.
#[derive(Default)]
struct State {
    /// The last day of each value; actions are kind 0.
    seen: BTreeMap<(u8, u64), i64>,
    first_day: Option<i64>,
    /// In how many batches of 15 minutes an action was, and how many there were.
    batches_with: BTreeMap<u64, u32>,
    batches: u32,
    /// Of the logarithm of calls in a batch: sum and sum of squares.
    volume: (f64, f64),
}

/// What the three online methods say of a session, and the features for the fourth.
struct Opinion {
    traces: [Trace; 3],
    features: Features,
}

/// Features to a millionth: the library draws between two of them, and does not come to an end where
/// they differ in the last bit only.
fn coarse(features: &Features) -> Features {
    features.map(|feature| (feature * 1e6).round() / 1e6)
}

pub(crate) fn run(seed: u64, simulation: &Simulation, plan: &[Planned]) -> Compared {
    let workers = 0..simulation.workers().len() as u32;
    let by_agent: Vec<_> =
        workers.into_par_iter().map(|worker| agent(simulation, worker, plan)).collect();
    let grown: Vec<Features> = by_agent
        .iter()
        .flat_map(|(sessions, _)| sessions)
        .filter(|(day, _)| GROWN_ON.contains(day))
        .map(|(_, opinion)| coarse(&opinion.features))
        .collect();
    let options = ForestOptions {
        n_trees: 100,
        sample_size: 256.min(grown.len()),
        max_tree_depth: None,
        extension_level: 0,
    };
    let forest = Forest::from_slice(&grown, &options).ok();
    let alien =
        |features: &Features| forest.as_ref().map_or(0.0, |forest| forest.score(&coarse(features)));
    let mut compared = Compared {
        sessions: 0,
        benign: BTreeMap::new(),
        traces: vec![Default::default(); plan.len()],
    };
    for (worker, (sessions, attacked)) in by_agent.into_iter().enumerate() {
        let class = simulation.workers()[worker].class();
        for (day, opinion) in sessions.into_iter().filter(|(day, _)| *day >= TEST_FROM) {
            compared.sessions += 1;
            let highest = |trace: &Trace| trace.last().map_or(0.0, |(_, score)| *score);
            let scores = opinion.traces.iter().map(highest).chain([alien(&opinion.features)]);
            for (method, score) in scores.enumerate().filter(|(_, score)| *score > 0.0) {
                let benign = Benign {
                    seed,
                    agent: worker as u32,
                    class,
                    day: day as u32,
                    is_mature: true,
                    score,
                    killing: 0.0,
                    verdicts: Verdicts::default(),
                    why: Vec::new(),
                };
                compared.benign.entry(method + 1).or_default().push(benign);
            }
        }
        for (nth, opinion, calls) in attacked {
            let [one, two, three] = opinion.traces;
            compared.traces[nth] = [one, two, three, vec![(calls, alien(&opinion.features))]];
        }
    }
    compared
}

type Sessions = Vec<(i64, Opinion)>;
type Attacked = Vec<(usize, Opinion, u32)>;

/// One agent's sessions in order of time, and the attacks on some of them.
fn agent(simulation: &Simulation, worker: u32, plan: &[Planned]) -> (Sessions, Attacked) {
    let mut state = State::default();
    let (mut desk, mut reader) = (Desk::default(), Reader::new(Limits::default()));
    let (mut sessions, mut attacked) = (Vec::new(), Vec::new());
    for day in 0..90 {
        for shift in simulation.shifts(worker, day) {
            let due = plan.iter().enumerate().filter(|(_, it)| it.shift == shift);
            for (nth, planned) in due {
                desk.write(simulation, &shift, Some(&planned.raid));
                let facts = facts(&desk, &mut reader);
                let calls = facts.iter().filter(|fact| fact.is_attack).count() as u32;
                attacked.push((nth, state.look(&facts), calls));
            }
            desk.write(simulation, &shift, None);
            let facts = facts(&desk, &mut reader);
            let day = (shift.begin - simulation.start()).div_euclid(DAY);
            sessions.push((day, state.look(&facts)));
            state.learn(&facts);
        }
    }
    (sessions, attacked)
}

fn facts(desk: &Desk, reader: &mut Reader) -> Vec<Fact> {
    let truths: BTreeMap<u128, (bool, bool)> = desk
        .records
        .truths()
        .map(|(id, _, is_agents, attack)| (id, (is_agents, attack.is_some())))
        .collect();
    let mut facts = Vec::new();
    let mut note = |record: &Record<'_>| {
        if let Some((true, is_attack)) = truths.get(&EventId::bits(record.id())) {
            facts.push(fact(record, *is_attack));
        }
        Fate::Read
    };
    let file = Arc::new(Untrusted::borrowed("simulated"));
    let tally = reader.read(&file, &desk.json, &mut note);
    assert!(!tally.has_problems(), "what is simulated can be read");
    facts.sort_by_key(|fact| fact.time);
    facts
}

fn fact(record: &Record<'_>, is_attack: bool) -> Fact {
    let digest = |text: &str| text.bytes().fold(17, |acc, byte| hash(acc, &[u64::from(byte)]));
    let text = |text: Option<JsonText<'_>>| text.map(|text| text.decode().into_owned());
    let name = record.event_source().decode().into_owned() + ":" + &record.event_name().decode();
    let ip = text(record.source_ip()).unwrap_or_default();
    let network = text(record.vpc_endpoint())
        .unwrap_or_else(|| ip.rsplit_once('.').map_or(ip.clone(), |(front, _)| front.to_owned()));
    let agent = text(record.user_agent()).unwrap_or_default();
    let tool = agent.split('.').next().unwrap_or_default();
    let bucket = record.resource_arns().find_map(|arn| {
        let arn = arn.decode().into_owned();
        let bucket = arn.strip_prefix("arn:aws:s3:::")?.split('/').next()?.to_owned();
        Some(digest(&bucket))
    });
    let region = text(record.region()).unwrap_or_default();
    Fact {
        time: record.time().unix_secs(),
        action: digest(&name),
        others: [digest(&network), digest(&region), digest(tool), bucket.unwrap_or(0)],
        is_error: record.error_code().is_some(),
        is_write: record.is_read_only() == Some(false),
        is_attack,
    }
}

const FORGOTTEN_AFTER: [i64; 2] = [30, 28];
const LEARNED_FOR: i64 = 7;

impl State {
    fn knows(&self, key: (u8, u64), day: i64, days: i64) -> bool {
        self.seen.get(&key).is_some_and(|last| day - last <= days)
    }

    fn values(fact: &Fact) -> impl Iterator<Item = (u8, u64)> {
        let others = (1..).zip(fact.others).filter(|(_, value)| *value != 0);
        std::iter::once((0, fact.action)).chain(others)
    }

    fn look(&self, facts: &[Fact]) -> Opinion {
        let Some(first) = facts.first() else {
            return Opinion { traces: Default::default(), features: [0.0; FEATURES] };
        };
        let day = first.time.div_euclid(DAY);
        let age = self.first_day.map_or(0, |first| day - first);
        let mut traces: [Trace; 3] = Default::default();
        let (mut attack_calls, mut new_actions, mut new_values) = (0, 0, 0);
        let (mut actions, mut values) = (BTreeSet::new(), BTreeSet::new());
        for fact in facts {
            attack_calls += u32::from(fact.is_attack);
            let is_new = |state: &Self, key, days| !state.knows(key, day, days);
            if actions.insert(fact.action) && is_new(self, (0, fact.action), FORGOTTEN_AFTER[0]) {
                new_actions += 1;
            }
            for key in Self::values(fact) {
                if values.insert(key) && is_new(self, key, FORGOTTEN_AFTER[1]) {
                    new_values += 1;
                }
            }
            if age >= LEARNED_FOR {
                note(&mut traces[0], attack_calls, f64::from(new_actions));
                note(&mut traces[1], attack_calls, f64::from(new_values));
            }
        }
        let rarest = self.batches(facts, &mut traces[2]);
        let count =
            |of: &dyn Fn(&Fact) -> bool| facts.iter().filter(|fact| of(fact)).count() as f64;
        let span = facts.last().map_or(0, |last| last.time - first.time) as f64;
        let buckets: BTreeSet<u64> = facts.iter().map(|fact| fact.others[3]).collect();
        let rarity = |action: &u64| self.rarity(*action);
        let features = [
            (facts.len() as f64).ln_1p(),
            actions.len() as f64,
            f64::from(new_actions),
            f64::from(new_values),
            rarest,
            actions.iter().map(rarity).sum(),
            count(&|fact| fact.is_error),
            count(&|fact| fact.is_write),
            facts.len() as f64 / (span / 60.0 + 1.0),
            buckets.len() as f64,
            span.ln_1p(),
        ];
        Opinion { traces, features }
    }

    /// The scores of each batch of 15 minutes, told at its end; the rarest action of all.
    fn batches(&self, facts: &[Fact], trace: &mut Trace) -> f64 {
        let (mut rarest, mut attack_calls): (f64, u32) = (0.0, 0);
        for batch in facts.chunk_by(|one, other| one.time / 900 == other.time / 900) {
            attack_calls += batch.iter().filter(|fact| fact.is_attack).count() as u32;
            let rare = batch.iter().map(|fact| self.rarity(fact.action)).fold(0.0, f64::max);
            rarest = rarest.max(rare);
            note(trace, attack_calls, rare.max(self.spike(batch.len())));
        }
        rarest
    }

    /// -log10 of the share of batches that an action is in.
    fn rarity(&self, action: u64) -> f64 {
        let with = self.batches_with.get(&action).copied().unwrap_or(0);
        -((f64::from(with) + 0.5) / (f64::from(self.batches) + 1.0)).log10()
    }

    /// -log10 of the tail of a log-normal distribution of the calls in a batch.
    fn spike(&self, calls: usize) -> f64 {
        let count = f64::from(self.batches);
        if count < 20.0 {
            return 0.0;
        }
        let mean = self.volume.0 / count;
        let deviation = (self.volume.1 / count - mean * mean).max(0.01).sqrt();
        let far = ((calls as f64).ln_1p() - mean) / deviation;
        // Mills' ratio, which is close where it matters.
        if far < 1.0 {
            0.0
        } else {
            (far * far / 2.0 + (far * 2.5066).ln()) / std::f64::consts::LN_10
        }
    }

    fn learn(&mut self, facts: &[Fact]) {
        for fact in facts {
            let day = fact.time.div_euclid(DAY);
            self.first_day.get_or_insert(day);
            for key in Self::values(fact) {
                self.seen.insert(key, day);
            }
        }
        for batch in facts.chunk_by(|one, other| one.time / 900 == other.time / 900) {
            self.batches += 1;
            let volume = (batch.len() as f64).ln_1p();
            self.volume.0 += volume;
            self.volume.1 += volume * volume;
            let actions: BTreeSet<u64> = batch.iter().map(|fact| fact.action).collect();
            for action in actions {
                *self.batches_with.entry(action).or_default() += 1;
            }
        }
    }
}

/// Notes a score where it grew.
fn note(trace: &mut Trace, calls: u32, score: f64) {
    if trace.last().map_or(0.0, |(_, highest)| *highest) < score {
        trace.push((calls, score));
    }
}
