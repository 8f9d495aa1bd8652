//! Where records are made: a place in the company from which calls go out, and the pen that writes them.

use crate::batch::{Batch, Kind, Meta};
use crate::identity::Credential;
use crate::record::{Body, Call, write};
use crate::rng::{Rng, hash};
use crate::template::Places;
use crate::work::Action;
use crate::world::{REGIONS, World};

/// A credential in use from some machine.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) credential: Credential,
    pub(crate) identity: Vec<u8>,
    /// Its place in the batch's sessions.
    pub(crate) session: u32,
    pub(crate) seat: Seat,
    pub(crate) role_arn: String,
}

/// The machine and program that make the calls.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) ip: String,
    pub(crate) user_agent: String,
    pub(crate) endpoint: Option<String>,
}

/// What is true about a record, beside what it says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note {
    pub(crate) account: u16,
    pub(crate) region: u8,
    pub(crate) session: Option<u32>,
    pub(crate) mints: Option<u32>,
    pub(crate) attack: Option<&'static str>,
    pub(crate) shape: &'static str,
    pub(crate) kind: Kind,
}

impl Note {
    pub(crate) const fn new(account: u16, region: u8, shape: &'static str) -> Self {
        Self {
            account,
            region,
            session: None,
            mints: None,
            attack: None,
            shape,
            kind: Kind::CloudTrail,
        }
    }

    pub(crate) const fn by(self, session: u32) -> Self {
        Self { session: Some(session), ..self }
    }

    pub(crate) const fn minting(self, session: u32) -> Self {
        Self { mints: Some(session), ..self }
    }

    pub(crate) const fn attack(self, attack: Option<&'static str>) -> Self {
        Self { attack, ..self }
    }
}

/// Writes records into a batch.
#[derive(Debug)]
pub(crate) struct Pen<'w> {
    pub(crate) world: &'w World,
    pub(crate) batch: &'w mut Batch,
    pub(crate) rng: Rng,
}

impl<'w> Pen<'w> {
    pub(crate) fn new(world: &'w World, batch: &'w mut Batch, stream: &[u64]) -> Self {
        Self { world, batch, rng: Rng::stream(world.spec.seed, stream) }
    }

    /// A call with the usual members, to be changed with struct update.
    pub(crate) fn call<'a>(
        &self,
        note: &Note,
        seat: &'a Seat,
        source: &'a str,
        name: &'a str,
        time: i64,
    ) -> Call<'a>
    where
        'w: 'a,
    {
        Call {
            source,
            name,
            read_only: false,
            category: "Management",
            event_type: "AwsApiCall",
            time,
            region: REGIONS[note.region as usize],
            recipient: self.world.account(note.account),
            ip: &seat.ip,
            user_agent: &seat.user_agent,
            endpoint: seat.endpoint.as_deref(),
            error: None,
            request: Body::Null,
            response: Body::Null,
            extra: Body::Absent,
            resources: Body::Absent,
            shared: None,
            tls: true,
            console: false,
            tail: "",
        }
    }

    pub(crate) fn places<'a>(
        &mut self,
        taste: u64,
        note: &Note,
        agent: &'a str,
        role: &'a str,
        now: i64,
    ) -> Places<'a>
    where
        'w: 'a,
    {
        let account = self.world.account(note.account);
        let region = REGIONS[note.region as usize];
        Places::draw(&mut self.rng, taste, account, region, agent, role, now)
    }

    /// Writes one record.
    pub(crate) fn emit(
        &mut self,
        identity: Option<&[u8]>,
        call: &Call<'_>,
        places: &Places<'_>,
        note: Note,
    ) {
        let start = self.batch.json.len();
        let event_id = write(&mut self.batch.json, identity, call, places, &mut self.rng);
        self.note(start, event_id, call.time, call.shared, note);
    }

    /// Notes a record that was written by hand from `start` on.
    pub(crate) fn note(
        &mut self,
        start: usize,
        event_id: u128,
        time: i64,
        shared: Option<u128>,
        note: Note,
    ) {
        let delivery = time + self.lag();
        let twice = self.rng.chance(self.world.spec.duplicate_permille);
        self.batch.records.push(Meta {
            start,
            end: self.batch.json.len(),
            time,
            delivery,
            account: note.account,
            region: note.region,
            kind: note.kind,
            event_id,
            session: note.session,
            mints: note.mints,
            shared,
            attack: note.attack,
            shape: note.shape,
            twice,
        });
    }

    /// From the event to its file, as measured on public logs: half under 3.3 minutes, 90 % under 7, all under 10.
    fn lag(&mut self) -> i64 {
        let seconds = match self.rng.below(100) {
            0..50 => self.rng.between(45, 198),
            50..90 => self.rng.between(198, 420),
            _ => self.rng.between(420, 600),
        };
        seconds as i64
    }

    /// An action of a class's table, done with a live session.
    pub(crate) fn act(
        &mut self,
        action: &Action,
        live: &Live,
        places: &Places<'_>,
        error: Option<(&str, &str)>,
        note: Note,
        time: i64,
    ) {
        let body = |template: &'static str, empty| {
            if template.is_empty() { empty } else { Body::Template(template) }
        };
        let call = Call {
            read_only: action.read_only,
            category: if action.data { "Data" } else { "Management" },
            error,
            request: body(action.request, Body::Null),
            response: if error.is_some() { Body::Null } else { body(action.response, Body::Null) },
            extra: body(action.extra, Body::Absent),
            resources: body(action.resources, Body::Absent),
            ..self.call(&note, &live.seat, action.source, action.name, time)
        };
        self.emit(Some(&live.identity), &call, places, note);
    }

    /// A number for the marker that stands where a session token would be.
    pub(crate) fn token(&mut self) -> u64 {
        self.rng.below(1_000_000_000)
    }

    /// A fresh `ASIA...` key of this stream.
    pub(crate) fn fresh_key(&mut self) -> String {
        crate::json::unique_id("ASIA", 16, self.rng.bits())
    }
}

/// Where an agent's machines are: inside the VPC or behind one public address.
pub(crate) fn seat(agent: &crate::world::Agent, rng: &mut Rng) -> Seat {
    let taste = agent.taste;
    let desk = rng.below(3);
    let inside = !agent.has_habit(5, 4);
    let ip = if inside {
        format!("10.{}.{}.{}", agent.account % 200, taste >> 8 & 0xFF, 10 + (taste & 0x3F) + desk)
    } else {
        format!("198.51.100.{}", 1 + (hash(taste, &[6, desk]) % 250))
    };
    let endpoint = inside.then(|| {
        format!("vpce-0{:016x}", hash(u64::from(agent.account), &[7, u64::from(agent.region)]))
    });
    Seat { ip, user_agent: user_agent(agent, rng), endpoint }
}

/// The SDK's user agent; the feature letters are a set, in no fixed order.
fn user_agent(agent: &crate::world::Agent, rng: &mut Rng) -> String {
    let mut features = ["Z", "b", "D", "n", "AN"];
    let known = if agent.has_habit(6, 5) { 5 } else { 4 };
    rng.shuffle(&mut features[..known]);
    let features = features[..known].join(",");
    match agent.mint {
        crate::world::MintShape::PodIdentity => format!(
            "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.12.40 md/arch#aarch64 lang/python#3.13.7 md/pyimpl#CPython m/{features} cfg/retry-mode#standard Botocore/1.44.5"
        ),
        _ if agent.has_habit(7, 3) => format!(
            "aws-cli/2.36.1 md/awscrt#0.29.0 ua/2.1 os/linux#6.12.40 md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython m/{features} sid/{:012x} cfg/retry-mode#standard md/installer#exe md/prompt#off",
            rng.bits() >> 16
        ),
        _ => format!(
            "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.12.40 md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython m/{features} cfg/retry-mode#standard app/{} Botocore/1.44.5",
            agent.class.name()
        ),
    }
}
