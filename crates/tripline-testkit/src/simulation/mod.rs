//! Months of a fleet at work, and attacks in the middle of it: what a detector is evaluated on.
//!
//! Unlike [`crate::fleet`], which shows every shape of a record, this shows how work varies: tasks,
//! heavy tails, days on which an agent looks further than usual, deployments to one agent and to a
//! whole class, moves. It writes session by session, so that nobody has to hold three months.

mod pool;
mod raid;
mod session;
mod steps;
mod worker;

pub use raid::{Origin, Raid, RaidKind, Tempo};
pub use session::Shift;
pub use worker::{Temper, Worker, class_deploys};

use crate::batch::Batch;
use crate::work::Class;
use crate::world::{FleetSpec, World};

/// A simulated fleet.
#[derive(Clone, Debug)]
pub struct Simulation {
    world: World,
    workers: Vec<Worker>,
}

impl Simulation {
    /// A fleet of so many agents in eight classes, for so many days. The same numbers give the same
    /// records.
    #[must_use]
    pub fn new(seed: u64, agents: u32, days: u32) -> Self {
        let spec = FleetSpec { duplicate_permille: 0, ..FleetSpec::new(seed, 0, days) };
        let world = World::new(spec);
        let workers = (0..agents).map(|index| Worker::new(&world, index, agents, days)).collect();
        Self { world, workers }
    }

    /// Its agents.
    #[must_use]
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// The first moment, seconds since 1970.
    #[must_use]
    pub fn start(&self) -> i64 {
        self.world.spec.start
    }

    /// Whether all agents of a class get a new version on a day.
    #[must_use]
    pub fn class_deploys(&self, class: Class, day: u32) -> bool {
        class_deploys(self.world.spec.seed, class, day)
    }

    /// The sessions of an agent that begin on a day, in order of time.
    #[must_use]
    pub fn shifts(&self, worker: u32, day: u32) -> Vec<Shift> {
        session::shifts(&self.world, &self.workers[worker as usize], day)
    }

    /// Writes a session, with an attack in its middle if there is one.
    pub fn write(&self, shift: &Shift, raid: Option<&Raid>, batch: &mut Batch) {
        let worker = &self.workers[shift.worker as usize];
        session::write(&self.world, worker, shift, raid, batch);
    }
}

impl Batch {
    /// All records as one log file, `{"Records":[...]}`.
    pub fn write_file(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(b"{\"Records\":[");
        for (nth, meta) in self.records.iter().enumerate() {
            if nth > 0 {
                out.push(b',');
            }
            out.extend_from_slice(self.bytes(meta));
        }
        out.extend_from_slice(b"]}");
    }

    /// Of each record, in order: its id, its time in seconds since 1970, whether an agent made the call,
    /// and the attack that it is a part of.
    pub fn truths(&self) -> impl Iterator<Item = (u128, i64, bool, Option<&'static str>)> {
        self.records.iter().map(|meta| {
            let session = meta.session.and_then(|at| self.sessions.get(at as usize));
            let is_agents = session.is_some_and(|session| session.agent.is_some());
            (meta.event_id, meta.time, is_agents, meta.attack)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const DAYS: u32 = 20;

    fn fleet() -> Simulation {
        Simulation::new(5, 24, DAYS)
    }

    /// The records of an agent's sessions of a day.
    fn records(simulation: &Simulation, worker: u32, day: u32, raid: Option<&Raid>) -> Vec<Value> {
        let mut batch = Batch::default();
        let mut json = Vec::new();
        let shifts = simulation.shifts(worker, day);
        shifts.iter().for_each(|shift| simulation.write(shift, raid, &mut batch));
        batch.write_file(&mut json);
        let mut file: Value = serde_json::from_slice(&json).unwrap();
        match file["Records"].take() {
            Value::Array(records) => records,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_record_parses_and_names_nothing_by_halves() {
        let simulation = fleet();
        for worker in 0..24 {
            for record in records(&simulation, worker, 3, None) {
                assert!(!record.to_string().contains("$?"), "{record}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_work() {
        for worker in 0..8 {
            let [one, two] = [fleet(), fleet()].map(|it| records(&it, worker, 7, None));
            assert_eq!(one, two);
        }
    }

    #[test]
    fn work_is_as_it_is_said_to_be() {
        let simulation = fleet();
        let count =
            |worker| (0..DAYS).map(|day| simulation.shifts(worker, day).len()).sum::<usize>();
        let tempers: Vec<Temper> = simulation.workers().iter().map(|it| it.temper).collect();
        for (worker, temper) in (0..).zip(&tempers) {
            let per_day = count(worker) as f64 / f64::from(DAYS);
            match temper {
                Temper::Regular => assert!((per_day - 24.0).abs() < 0.01),
                Temper::Idle => assert!(per_day < 1.0),
                Temper::Newcomer => assert_eq!(count(worker), 1),
                Temper::Usual | Temper::Bursty => assert!((2.0..60.0).contains(&per_day)),
            }
        }
        assert_eq!(tempers.iter().collect::<BTreeSet<_>>().len(), 5);
        let regular = tempers.iter().position(|it| *it == Temper::Regular).unwrap();
        let calls = |day| {
            let names = records(&simulation, regular as u32, day, None);
            let names = names.into_iter().filter(|it| it["errorCode"].is_null());
            names.map(|it| it["eventName"].to_string()).collect::<BTreeSet<_>>()
        };
        assert_eq!(calls(4), calls(16));
    }

    /// Every attack is made of the victim's session, is marked, and is in the middle of its work.
    #[test]
    fn attacks_are_in_the_middle_of_the_victims_work() {
        let simulation = fleet();
        let shift = simulation.shifts(1, 9)[0];
        for kind in RaidKind::ALL {
            for (tempo, origin) in Raid::cells(kind) {
                let raid = Raid { kind, tempo, origin, variant: 2, spread: None };
                let mut batch = Batch::default();
                simulation.write(&shift, Some(&raid), &mut batch);
                let truths: Vec<_> = batch.truths().collect();
                let marked: Vec<usize> = truths
                    .iter()
                    .enumerate()
                    .filter(|(_, (.., attack))| *attack == Some(kind.name()))
                    .map(|(nth, _)| nth)
                    .collect();
                assert!(!marked.is_empty(), "{}", kind.name());
                assert!(marked.iter().all(|nth| truths[*nth].2), "by the agent");
                assert!(marked[0] > 1 && *marked.last().unwrap() < truths.len() - 1);
                let elsewhere = String::from_utf8_lossy(&batch.json).contains("203.0.113.");
                assert_eq!(elsewhere, origin == Origin::Elsewhere);
            }
        }
    }
}
