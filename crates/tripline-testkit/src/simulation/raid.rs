//! Attacks in the middle of a simulated session: what is done, how fast, and from where.

use crate::attack::{Step, write_step};
use crate::chain;
use crate::emit::{Live, Pen, Seat};
use crate::shift::perform;
use crate::simulation::steps;
use crate::simulation::worker::Form;
use crate::work::Action;

/// A kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RaidKind {
    /// Looks around: who and what there is.
    Recon,
    /// Gives itself, or somebody it can become, more permissions.
    Escalation,
    /// Leaves a way back in.
    Persistence,
    /// Starts machines to mine on.
    Mining,
    /// Deletes data and what could bring it back.
    Destruction,
    /// Reads four hundred things of a kind that the agent reads every day.
    ExfilBulk,
    /// Reads buckets that nobody reads.
    ExfilNew,
    /// The keys are used from elsewhere, for a look and for what the agent does anyway.
    Theft,
    /// Reads secrets.
    Secrets,
    /// One call that blinds somebody.
    Evasion,
    /// An instruction in its input has it do one thing that agents of its class do, and it never did.
    Injected,
    /// Does what the agent does every day, at its usual pace.
    Mimicry,
    /// Six hundred times the same call.
    Runaway,
    /// [`Self::ExfilNew`] with a new session for every three calls.
    Hopping,
}

impl RaidKind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Recon,
        Self::Escalation,
        Self::Persistence,
        Self::Mining,
        Self::Destruction,
        Self::ExfilBulk,
        Self::ExfilNew,
        Self::Theft,
        Self::Secrets,
        Self::Evasion,
        Self::Runaway,
        Self::Hopping,
        Self::Injected,
        Self::Mimicry,
    ];

    /// Its name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recon => "recon",
            Self::Escalation => "privilege escalation",
            Self::Persistence => "persistence",
            Self::Mining => "crypto mining",
            Self::Destruction => "destruction",
            Self::ExfilBulk => "exfiltration, bulk",
            Self::ExfilNew => "exfiltration, new buckets",
            Self::Theft => "credential theft",
            Self::Secrets => "secrets grab",
            Self::Evasion => "defence evasion, one call",
            Self::Injected => "injected, in vocabulary",
            Self::Mimicry => "mimicry",
            Self::Runaway => "runaway loop",
            Self::Hopping => "session for three calls",
        }
    }

    /// Whether it stays within what agents of the class do, so that no baseline can be held to tell it.
    #[must_use]
    pub const fn is_in_vocabulary(self) -> bool {
        matches!(self, Self::Injected | Self::Mimicry)
    }
}

/// How fast, and among what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tempo {
    /// A call every few seconds.
    Fast,
    /// Ten times slower.
    Slow,
    /// Two calls of the agent's work after each.
    Interleaved,
}

/// From where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// From the agent's own machine, by its own program.
    Victim,
    /// From the intruder's network, by the intruder's program.
    Elsewhere,
}

/// An attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raid {
    /// What.
    pub kind: RaidKind,
    /// How fast.
    pub tempo: Tempo,
    /// From where.
    pub origin: Origin,
    /// Which of the ways to do it.
    pub variant: u64,
    /// Of a runaway loop: as many calls instead, evenly over three quarters of an hour.
    pub spread: Option<u32>,
}

impl Raid {
    /// Its tempos and origins: those of credential theft come from elsewhere, and a loop is fast.
    #[must_use]
    pub fn cells(kind: RaidKind) -> Vec<(Tempo, Origin)> {
        let tempos = match kind {
            RaidKind::Runaway => vec![Tempo::Fast],
            RaidKind::Evasion | RaidKind::Injected => vec![Tempo::Fast],
            _ => vec![Tempo::Fast, Tempo::Slow, Tempo::Interleaved],
        };
        let origins = match kind {
            RaidKind::Theft => vec![Origin::Elsewhere],
            RaidKind::Runaway | RaidKind::Injected | RaidKind::Mimicry => vec![Origin::Victim],
            _ => vec![Origin::Victim, Origin::Elsewhere],
        };
        let cells = tempos.iter().flat_map(|tempo| origins.iter().map(|from| (*tempo, *from)));
        cells.collect()
    }

    fn gap(&self, pen: &mut Pen<'_>) -> i64 {
        let seconds = match self.kind {
            RaidKind::Runaway => u64::from(pen.rng.chance(120)),
            RaidKind::ExfilBulk => u64::from(pen.rng.chance(250)),
            _ => pen.rng.between(1, 8),
        };
        match self.tempo {
            Tempo::Slow if self.kind == RaidKind::ExfilBulk => pen.rng.between(1, 4) as i64,
            Tempo::Slow => seconds as i64 * 10,
            _ => seconds as i64,
        }
    }
}

/// One call of an attack.
enum Move {
    Step(Step<'static>),
    /// Something that agents of the class do.
    Work(&'static Action),
}

/// Writes the attack; the time after it. `calls` are those of the session's own work.
pub(crate) fn attack(
    pen: &mut Pen<'_>,
    form: &Form,
    live: &Live,
    raid: &Raid,
    calls: &[&'static Action],
    mut time: i64,
) -> i64 {
    let mut hand = live.clone();
    if raid.origin == Origin::Elsewhere {
        hand.seat = elsewhere(raid.variant);
    }
    let begun = time;
    for (nth, next) in moves(pen, form, raid, calls).into_iter().enumerate() {
        if raid.kind == RaidKind::Hopping && nth.is_multiple_of(3) {
            let seat = hand.seat.clone();
            let role = form.agent.role.clone();
            let agent = &form.agent;
            time += raid.gap(pen);
            let from = if nth == 0 { live } else { &hand };
            let mut next = chain::assume(pen, agent, from, &role, agent.account, time, Some("hop"));
            next.seat = seat;
            hand = next;
        }
        time = match raid.spread {
            Some(count) => begun + 2_700 * nth as i64 / i64::from(count.max(1)),
            None => time + raid.gap(pen),
        };
        let before = pen.batch.records.len();
        match next {
            Move::Step(step) => {
                write_step(pen, &form.agent, &hand, raid.kind.name(), &step, time);
            }
            Move::Work(action) => {
                time = perform(pen, &form.agent, &hand, action, time, "attack");
            }
        }
        let written = pen.batch.records[before..].iter_mut();
        written.for_each(|meta| meta.attack = Some(raid.kind.name()));
        if raid.tempo == Tempo::Interleaved {
            for _ in 0..2 {
                time += pen.rng.between(1, 10) as i64;
                let action = calls[pen.rng.index(calls.len())];
                time = perform(pen, &form.agent, live, action, time, "work");
            }
        }
    }
    time
}

fn moves(pen: &mut Pen<'_>, form: &Form, raid: &Raid, calls: &[&'static Action]) -> Vec<Move> {
    let one_of = |ways: &[&'static [Step<'static>]]| {
        let way = ways[(raid.variant % ways.len() as u64) as usize];
        way.iter().map(|step| Move::Step(*step)).collect::<Vec<_>>()
    };
    let known = |pen: &mut Pen<'_>| Move::Work(calls[pen.rng.index(calls.len())]);
    match raid.kind {
        RaidKind::Recon => {
            let mut steps = one_of(&[steps::RECON]);
            pen.rng.shuffle(&mut steps);
            steps
        }
        RaidKind::Escalation => one_of(steps::ESCALATION),
        RaidKind::Persistence => one_of(steps::PERSISTENCE),
        RaidKind::Mining => one_of(&[steps::MINING]),
        RaidKind::Destruction => one_of(steps::DESTRUCTION),
        RaidKind::ExfilNew | RaidKind::Hopping => {
            let mut steps = one_of(&[steps::LOOT]);
            steps.extend((0..24).map(|_| Move::Step(steps::TAKE)));
            steps
        }
        RaidKind::Secrets => one_of(&[steps::SECRETS]),
        RaidKind::Evasion => one_of(steps::EVASION),
        RaidKind::Theft => {
            let mut moves = vec![Move::Step(steps::WHO_AM_I)];
            moves.extend((0..9).map(|_| known(pen)));
            moves
        }
        RaidKind::ExfilBulk => {
            let read = calls.iter().find(|action| action.read_only && action.data);
            let read = read.or_else(|| calls.iter().find(|action| action.read_only));
            let action = *read.unwrap_or(&calls[0]);
            (0..400).map(|_| Move::Work(action)).collect()
        }
        RaidKind::Runaway => {
            let action = calls[pen.rng.index(calls.len())];
            (0..raid.spread.unwrap_or(600)).map(|_| Move::Work(action)).collect()
        }
        RaidKind::Mimicry => (0..15).map(|_| known(pen)).collect(),
        RaidKind::Injected => {
            let is_own = |action: &Action| {
                let same = |own: &&Action| own.name == action.name && own.source == action.source;
                form.tasks.iter().flatten().any(same)
            };
            let class = form.agent.class.actions();
            let others: Vec<&Action> = class.iter().filter(|action| !is_own(action)).collect();
            let action = if others.is_empty() { &class[0] } else { *pen.rng.pick(&others) };
            vec![Move::Work(action)]
        }
    }
}

/// The intruder's machine.
fn elsewhere(variant: u64) -> Seat {
    Seat {
        ip: format!("203.0.113.{}", 10 + variant % 200),
        user_agent: "aws-cli/1.44.0 md/Botocore#1.42.0 ua/2.1 os/linux#6.16.8-amd64 md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython m/b,E,Z cfg/retry-mode#legacy botocore/1.42.0".to_owned(),
        endpoint: None,
    }
}
