//! One simulated session, from its mint to its last call.

use crate::batch::Batch;
use crate::emit::{Live, Note, Pen, seat};
use crate::identity::{Credential, Principal};
use crate::mint::{Asked, assumed, request_details, role_resource, runner};
use crate::record::{Body, Call};
use crate::rng::{Rng, hash};
use crate::shift::perform;
use crate::simulation::pool::POOL;
use crate::simulation::raid::{Raid, attack};
use crate::simulation::worker::{Form, Temper, Worker, normal, unit};
use crate::work::{Action, Class};
use crate::world::{REGIONS, World};

/// A session that is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Whose.
    pub worker: u32,
    /// Which of the agent's.
    pub nth: u64,
    /// When it begins, seconds since 1970.
    pub begin: i64,
}

/// The sessions that begin on a day, in order of time.
pub(crate) fn shifts(world: &World, worker: &Worker, day: u32) -> Vec<Shift> {
    let index = u64::from(worker.agent.index);
    let start = world.spec.start + i64::from(day) * 86_400;
    let mut rng = Rng::stream(world.spec.seed, &[30, index, u64::from(day)]);
    let mut begins: Vec<i64> = match worker.temper {
        Temper::Newcomer => (day % 30 == 10).then_some(start + 36_000).into_iter().collect(),
        Temper::Regular => (0..24).map(|hour| start + hour * 3_600 + 7).collect(),
        _ => {
            let count = poisson(&mut rng, worker.sessions_per_day);
            (0..count).map(|_| start + by_day(&mut rng)).collect()
        }
    };
    begins.sort_unstable();
    let shift = |(nth, begin)| Shift {
        worker: worker.agent.index,
        nth: u64::from(day) << 16 | nth as u64,
        begin,
    };
    begins.into_iter().enumerate().map(shift).collect()
}

/// A second of the day: two of three about the early afternoon, the others at any time.
fn by_day(rng: &mut Rng) -> i64 {
    let any = |rng: &mut Rng| rng.below(86_400);
    let second = if rng.chance(660) { (any(rng) + any(rng) + any(rng)) / 3 } else { any(rng) };
    second as i64
}

fn poisson(rng: &mut Rng, mean: f64) -> u64 {
    let (floor, mut product, mut count) = ((-mean).exp(), unit(rng), 0);
    while product > floor {
        product *= unit(rng);
        count += 1;
    }
    count
}

/// Writes a session.
pub(crate) fn write(
    world: &World,
    worker: &Worker,
    shift: &Shift,
    raid: Option<&Raid>,
    batch: &mut Batch,
) {
    let stream = [31, u64::from(shift.worker), shift.nth];
    let mut pen = Pen::new(world, batch, &stream);
    let form = worker.at(shift.begin);
    let live = open(&mut pen, worker, &form, shift.begin);
    let work = Work::draw(&mut pen.rng, worker, &form, shift);
    let turn = raid.map(|_| work.calls.len() / 2);
    let mut time = shift.begin + 1;
    for (place, action) in work.calls.iter().enumerate() {
        if Some(place) == turn
            && let Some(raid) = raid
        {
            time = attack(&mut pen, &form, &live, raid, &work.calls, time);
        }
        time += work.pause(&mut pen.rng, place);
        if work.is_refused(place) {
            refused(&mut pen, &form, &live, action, time);
        } else {
            time = perform(&mut pen, &form.agent, &live, action, time, "work");
        }
    }
}

/// What is to be done in a session.
struct Work {
    calls: Vec<&'static Action>,
    /// Seconds between two calls, about.
    pause: f64,
    /// Every call takes the same time.
    is_regular: bool,
    /// One call that is refused.
    refused: Option<usize>,
}

impl Work {
    fn draw(rng: &mut Rng, worker: &Worker, form: &Form, shift: &Shift) -> Self {
        if worker.temper == Temper::Regular {
            let all: Vec<&Action> = form.tasks.iter().flatten().copied().collect();
            let calls = (0..20).map(|nth| all[nth % all.len()]).collect();
            return Self { calls, pause: 3.0, is_regular: true, refused: None };
        }
        let task = Self::task(rng, form);
        let spread = if worker.temper == Temper::Bursty { 1.1 } else { 0.75 };
        let mut count = (2.6 + spread * normal(rng)).exp();
        // Month's end, a backlog, a large pull request: now and then there is much more to do.
        if rng.chance(10) {
            count *= unit(rng).powf(-1.0 / 1.5).min(20.0);
        }
        let count = count.clamp(2.0, 600.0) as usize;
        let total: u32 = task.iter().map(|action| action.weight).sum();
        let pick = |rng: &mut Rng| {
            let mut draw = rng.below(u64::from(total)) as u32;
            for action in task {
                match draw.checked_sub(action.weight) {
                    Some(rest) => draw = rest,
                    None => return *action,
                }
            }
            task[0]
        };
        let mut calls: Vec<&Action> = (0..count).map(|_| pick(rng)).collect();
        let mut refused = None;
        // Once in 250 sessions it looks further than usual, and then mostly not at one thing only.
        if hash(rng.bits(), &[shift.nth]).is_multiple_of(250) {
            loop {
                let place = rng.index(calls.len() + 1);
                calls.insert(place, explored(rng, form.agent.class));
                if rng.chance(150) {
                    refused = Some(place);
                }
                if !rng.chance(400) {
                    break;
                }
            }
        }
        let pause = 6.0 * (0.5 * normal(rng)).exp();
        Self { calls, pause, is_regular: false, refused }
    }

    /// The first tasks are the frequent ones.
    fn task<'f>(rng: &mut Rng, form: &'f Form) -> &'f [&'static Action] {
        let mut place = 0;
        while place + 1 < form.tasks.len() && rng.chance(450) {
            place += 1;
        }
        &form.tasks[place]
    }

    fn pause(&self, rng: &mut Rng, place: usize) -> i64 {
        if self.is_regular || (place + 1).is_multiple_of(4) {
            return self.pause as i64;
        }
        (self.pause * -unit(rng).ln()).min(600.0) as i64
    }

    fn is_refused(&self, place: usize) -> bool {
        self.refused == Some(place)
    }
}

/// Something out of the ordinary: mostly what others of the class do, then of other classes, then
/// anything.
fn explored(rng: &mut Rng, class: Class) -> &'static Action {
    match rng.below(100) {
        0..60 => rng.pick(class.actions()),
        60..80 => {
            let other = *rng.pick(&Class::ALL);
            rng.pick(other.actions())
        }
        _ => rng.pick(POOL),
    }
}

fn refused(pen: &mut Pen<'_>, form: &Form, live: &Live, action: &Action, time: i64) {
    let agent = &form.agent;
    let note = Note::new(agent.account, agent.region, "refused").by(live.session);
    let places = pen.places(agent.taste, &note, &agent.id, &live.role_arn, time);
    let message = format!("User: {} is not authorized", live.credential.arn());
    pen.act(action, live, &places, Some(("AccessDenied", &message)), note, time);
}

/// Opens the session: the runner's `AssumeRole`, with tags that name agent and class.
fn open(pen: &mut Pen<'_>, worker: &Worker, form: &Form, time: i64) -> Live {
    let agent = &form.agent;
    let key = pen.fresh_key();
    let session_name = format!("run-{:08x}", pen.rng.bits() >> 32);
    let version = format!("1.{}.0", form.version);
    let mut tags = vec![("AgentID", agent.id.as_str()), ("AgentClass", agent.class.name())];
    if worker.tells_version {
        tags.push(("AgentVersion", &version));
    }
    let transitive = vec!["AgentID", "AgentClass"];
    let asked =
        Asked { session_name: &session_name, tags, transitive, duration: 3600, ..Asked::default() };
    let runner = runner(pen, agent.account, time);
    let token = pen.token();
    let request = asked.request(&agent.role);
    let response = assumed(&agent.role, &asked, &key, time, token, "");
    let resources = role_resource(&agent.role);
    let details = request_details(false, REGIONS[agent.region as usize]);
    let basis = agent.mint.basis();
    let session = pen.batch.open(key.clone(), Some(agent.index), Some(runner.session), basis);
    let note = Note::new(agent.account, agent.region, "mint-by-role").by(runner.session);
    let places = pen.places(agent.taste, &note, &agent.id, "", time);
    let call = Call {
        read_only: true,
        request: Body::Raw(&request),
        response: Body::Raw(&response),
        extra: Body::Raw(details.as_bytes()),
        resources: Body::Raw(&resources),
        ..pen.call(&note, &runner.seat, "sts", "AssumeRole", time)
    };
    pen.emit(Some(&runner.identity), &call, &places, note.minting(session));
    let principal = Principal::Role { role: agent.role.clone(), session_name };
    let credential = Credential::new(principal, key, Some(time));
    let mut seat = seat(&worker.agent, &mut pen.rng);
    if let Some(network) = form.network {
        seat.ip = format!("10.{}.{network}.{}", 100 + agent.account, 10 + pen.rng.below(20));
        seat.endpoint = seat.endpoint.map(|_| format!("vpce-0{:016x}", hash(7, &[network])));
    }
    if form.newer_tool {
        seat.user_agent =
            seat.user_agent.replace("Boto3/1.", "Boto3/2.").replace("aws-cli/2.", "aws-cli/3.");
    }
    Live { identity: credential.identity(), session, credential, seat, role_arn: agent.role.arn() }
}
