//! An agent of the simulation: what it is for, how fast it works, and how that changes over months.

use crate::rng::{Rng, hash};
use crate::simulation::pool::POOL;
use crate::work::{Action, Class};
use crate::world::{Agent, MintShape, REGIONS, World};

/// How an agent works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Temper {
    /// Some sessions a day, of some calls each.
    Usual,
    /// Now and then ten times as much.
    Bursty,
    /// The same calls in the same order at the same pace, each time.
    Regular,
    /// A session every few days.
    Idle,
    /// Three sessions in all.
    Newcomer,
}

impl Temper {
    fn of(index: u32, agents: u32) -> Self {
        match index % 24 {
            _ if index + 1 == agents => Self::Newcomer,
            3 | 15 => Self::Bursty,
            5 => Self::Regular,
            11 => Self::Idle,
            _ => Self::Usual,
        }
    }
}

/// What changes in an agent's work, from a moment on.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A new version of it does these too.
    Deployment(Vec<&'static Action>),
    /// Its machines move to another network.
    Network(u64),
    /// Its SDK's next major version.
    Tool,
    /// It works in one more Region.
    Region(u8),
    /// It looks after other services.
    Things(u64),
}

/// A simulated agent.
#[derive(Clone, Debug)]
pub struct Worker {
    pub(crate) agent: Agent,
    /// How it works.
    pub temper: Temper,
    /// Whether the sessions' tags tell which version of it runs.
    pub(crate) tells_version: bool,
    pub(crate) sessions_per_day: f64,
    tasks: Vec<Vec<&'static Action>>,
    /// In order of time.
    changes: Vec<(i64, Change)>,
}

/// An agent as it is at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// Region and things as they are now.
    pub(crate) agent: Agent,
    pub(crate) tasks: Vec<Vec<&'static Action>>,
    /// How many deployments there were.
    pub(crate) version: usize,
    pub(crate) network: Option<u64>,
    pub(crate) newer_tool: bool,
}

impl Worker {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.agent.id
    }

    /// Its class's name.
    #[must_use]
    pub fn class(&self) -> &'static str {
        self.agent.class.name()
    }

    pub(crate) fn new(world: &World, index: u32, agents: u32, days: u32) -> Self {
        let seed = world.spec.seed;
        let mut rng = Rng::stream(seed, &[20, u64::from(index)]);
        let class = Class::ALL[index as usize % Class::ALL.len()];
        let account = (rng.bits() % world.accounts.len() as u64) as u16;
        let region = rng.below(3) as u8;
        let agent = Agent {
            index,
            id: format!("{}-{index}", class.name()),
            class,
            mint: MintShape::AssumeRole,
            account,
            region,
            other_region: if rng.chance(300) { rng.below(3) as u8 } else { region },
            role: world.role(account, class.role_name()),
            taste: rng.bits(),
        };
        let temper = Temper::of(index, agents);
        let sessions_per_day = match temper {
            Temper::Idle => 0.2,
            Temper::Regular => 24.0,
            _ => 12.4 * (0.5 * normal(&mut rng)).exp(),
        };
        let tasks = tasks(seed, class, &mut rng);
        let mut worker = Self {
            agent,
            temper,
            tells_version: rng.chance(500),
            sessions_per_day,
            tasks,
            changes: Vec::new(),
        };
        if temper != Temper::Regular {
            worker.changes = worker.plan(world, days);
        }
        worker
    }

    /// Deployments of its own every 45 days, of its class every 60, the rest more rarely.
    fn plan(&self, world: &World, days: u32) -> Vec<(i64, Change)> {
        let seed = world.spec.seed;
        let class = self.agent.class as u64;
        let mut changes = Vec::new();
        for day in 1..days {
            let start = world.spec.start + i64::from(day) * 86_400;
            let mut rng = Rng::stream(seed, &[21, u64::from(self.agent.index), u64::from(day)]);
            let at = start + rng.between(6, 20) as i64 * 3_600;
            if class_deploys(seed, self.agent.class, day) {
                let mut news = Rng::stream(seed, &[22, class, u64::from(day)]);
                let roll_out = start + 9 * 3_600 + rng.below(7_200) as i64;
                changes.push((roll_out, self.deployment(&mut news)));
            }
            if rng.below(45) == 0 {
                changes.push((at, self.deployment(&mut rng)));
            }
            if rng.below(90) == 0 {
                changes.push((at, Change::Network(rng.below(200))));
            }
            if rng.below(120) == 0 {
                changes.push((at, Change::Tool));
            }
            if rng.below(150) == 0 {
                changes.push((at, Change::Region(rng.below(REGIONS.len() as u64) as u8)));
            }
            if rng.below(120) == 0 {
                changes.push((at, Change::Things(rng.bits())));
            }
        }
        changes.sort_by_key(|(at, _)| *at);
        changes
    }

    fn deployment(&self, rng: &mut Rng) -> Change {
        let count = rng.between(1, 3);
        let class = self.agent.class.actions();
        let pick = |rng: &mut Rng| if rng.chance(400) { rng.pick(class) } else { rng.pick(POOL) };
        Change::Deployment((0..count).map(|_| pick(rng)).collect())
    }

    /// The agent at a moment.
    pub(crate) fn at(&self, time: i64) -> Form {
        let mut form = Form {
            agent: self.agent.clone(),
            tasks: self.tasks.clone(),
            version: 0,
            network: None,
            newer_tool: false,
        };
        for (_, change) in self.changes.iter().take_while(|(at, _)| *at <= time) {
            match change {
                Change::Deployment(news) => {
                    form.version += 1;
                    let tasks = form.tasks.len();
                    for (place, action) in news.iter().enumerate() {
                        form.tasks[(form.version + place) % tasks].push(action);
                    }
                }
                Change::Network(network) => form.network = Some(*network),
                Change::Tool => form.newer_tool = true,
                Change::Region(region) => form.agent.other_region = *region,
                Change::Things(taste) => form.agent.taste = *taste,
            }
        }
        form
    }
}

/// Whether all agents of a class get a new version on a day.
#[must_use]
pub fn class_deploys(seed: u64, class: Class, day: u32) -> bool {
    hash(seed, &[23, class as u64, u64::from(day)]).is_multiple_of(60)
}

/// A class has six tasks, each a part of its table; an agent has some of them, one with a tail of its own.
fn tasks(seed: u64, class: Class, own: &mut Rng) -> Vec<Vec<&'static Action>> {
    let mut tasks = Vec::new();
    for task in 0..6 {
        let mut rng = Rng::stream(seed, &[24, class as u64, task]);
        let mut actions: Vec<&Action> = class.actions().iter().collect();
        rng.shuffle(&mut actions);
        actions.truncate(rng.between(3, 6) as usize);
        let taken = own.chance(600);
        if taken || (task == 5 && tasks.is_empty()) {
            tasks.push(actions);
        }
    }
    let last = tasks.len() - 1;
    tasks[last].extend((0..own.between(0, 3)).map(|_| own.pick(POOL)));
    tasks
}

/// A draw from the standard normal distribution, by Box and Muller.
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * unit(rng).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(rng)).cos()
}

/// Above 0, up to 1.
pub(crate) fn unit(rng: &mut Rng) -> f64 {
    ((rng.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}
