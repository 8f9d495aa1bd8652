//! One session of one agent, from its mint to its last call.

use crate::attack;
use crate::batch::Batch;
use crate::chain;
use crate::emit::{Live, Note, Pen};
use crate::mint;
use crate::record::{Body, Call};
use crate::tables::FORWARDS;
use crate::template::Places;
use crate::work::{Action, usual_error};
use crate::world::{Agent, REGIONS, World};

/// Writes the agent's session number `ordinal`, which begins at `begin`.
pub(crate) fn work(world: &World, agent: &Agent, ordinal: u32, begin: i64, batch: &mut Batch) {
    let stream = [1, u64::from(agent.index), u64::from(ordinal)];
    let mut pen = Pen::new(world, batch, &stream);
    let live = mint::open(&mut pen, agent, begin);
    let mut time = begin + pen.rng.below(3) as i64;
    if pen.rng.chance(300) {
        caller_identity(&mut pen, agent, &live, time);
    }
    let calls = pen.rng.between(12, 40);
    let attack = world.attack(agent, ordinal);
    let turn = if attack.is_some() { calls * 3 / 4 } else { calls + 1 };
    let hop = if agent.class.chains() && pen.rng.chance(250) { calls / 2 } else { calls + 1 };
    for number in 0..calls {
        time += pause(&mut pen);
        if number == hop {
            time = chain::hop(&mut pen, agent, &live, time);
        }
        if number == turn
            && let Some(attack) = attack
        {
            time = attack::splice(&mut pen, agent, &live, attack, time);
        }
        time = one_call(&mut pen, agent, &live, time, "work");
    }
}

/// Agents think in bursts.
pub(crate) fn pause(pen: &mut Pen<'_>) -> i64 {
    let seconds = if pen.rng.chance(300) { pen.rng.below(2) } else { pen.rng.between(2, 30) };
    seconds as i64
}

/// A call of the agent's job, with its retries and forwarded calls. Returns the time it ended.
pub(crate) fn one_call(
    pen: &mut Pen<'_>,
    agent: &Agent,
    live: &Live,
    time: i64,
    shape: &'static str,
) -> i64 {
    let action = choose(pen, agent, time);
    perform(pen, agent, live, action, time, shape)
}

/// A call of one action, with its retries and forwarded calls. Returns the time it ended.
pub(crate) fn perform(
    pen: &mut Pen<'_>,
    agent: &Agent,
    live: &Live,
    action: &Action,
    mut time: i64,
    shape: &'static str,
) -> i64 {
    let region = if pen.rng.chance(150) { agent.other_region } else { agent.region };
    let region = if attack::is_global(action.source) { 0 } else { region };
    let note = Note::new(agent.account, region, shape).by(live.session);
    let places = pen.places(agent.taste, &note, &agent.id, &live.role_arn, time);
    while pen.rng.chance(12) {
        let message = "Rate exceeded";
        let note = Note { shape: "throttled", ..note };
        pen.act(action, live, &places, Some(("ThrottlingException", message)), note, time);
        time += pen.rng.between(1, 4) as i64;
    }
    if pen.rng.chance(14) {
        let (code, message) = usual_error(action, &places);
        pen.act(action, live, &places, Some((code, &message)), note, time);
        return time;
    }
    pen.act(action, live, &places, None, note, time);
    if let Some(service) = action.kms
        && pen.rng.chance(300)
    {
        decrypt(pen, agent, live, action, service, &places, note, time);
    }
    if action.resources == FORWARDS {
        time = cloudformation(pen, agent, live, &places, note, time);
    }
    time
}

fn choose(pen: &mut Pen<'_>, agent: &Agent, time: i64) -> &'static Action {
    let actions = agent.class.actions();
    let newer = pen.world.deployed(time);
    let total: u32 =
        actions.iter().filter(|action| newer || !action.late).map(|action| action.weight).sum();
    let mut draw = pen.rng.below(u64::from(total)) as u32;
    for action in actions.iter().filter(|action| newer || !action.late) {
        if draw < action.weight {
            return action;
        }
        draw -= action.weight;
    }
    &actions[0]
}

fn caller_identity(pen: &mut Pen<'_>, agent: &Agent, live: &Live, time: i64) {
    let note = Note::new(agent.account, agent.region, "work").by(live.session);
    let places = pen.places(agent.taste, &note, &agent.id, "", time);
    let details = mint::request_details(false, REGIONS[agent.region as usize]);
    let call = Call {
        read_only: true,
        extra: Body::Raw(details.as_bytes()),
        ..pen.call(&note, &live.seat, "sts", "GetCallerIdentity", time)
    };
    pen.emit(Some(&live.identity), &call, &places, note);
}

/// The same session acting through a service: a fresh key, the same principal and creation date.
fn forwarded(pen: &mut Pen<'_>, live: &Live, service: &'static str) -> Live {
    let mut credential = live.credential.clone();
    credential.key = Some(pen.fresh_key());
    credential.invoked_by = Some(service);
    // CloudTrail does not capture the source identity where a service acts on somebody's behalf.
    credential.source_identity = None;
    Live {
        identity: credential.identity(),
        credential,
        session: live.session,
        seat: crate::emit::Seat {
            ip: service.to_owned(),
            user_agent: service.to_owned(),
            endpoint: None,
        },
        role_arn: live.role_arn.clone(),
    }
}

#[expect(clippy::too_many_arguments, reason = "the call that was forwarded, and where")]
fn decrypt(
    pen: &mut Pen<'_>,
    agent: &Agent,
    live: &Live,
    action: &Action,
    service: &'static str,
    places: &Places<'_>,
    note: Note,
    time: i64,
) {
    let through = forwarded(pen, live, service);
    let name = if action.read_only { "Decrypt" } else { "GenerateDataKey" };
    let request = r#"{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::$w-$a"}}"#;
    let note = Note { shape: "forwarded", ..note };
    let call = Call {
        read_only: true,
        request: Body::Template(request),
        resources: Body::Template(
            r#"[{"accountId":"$a","type":"AWS::KMS::Key","ARN":"arn:aws:kms:$r:$a:key/$v"}]"#,
        ),
        tls: false,
        ..pen.call(&note, &through.seat, "kms", name, time)
    };
    debug_assert_eq!(pen.world.account(agent.account), places.account, "an agent's own account");
    pen.emit(Some(&through.identity), &call, places, note);
}

/// What `CloudFormation` does with the caller's permissions after a change set.
fn cloudformation(
    pen: &mut Pen<'_>,
    agent: &Agent,
    live: &Live,
    places: &Places<'_>,
    note: Note,
    time: i64,
) -> i64 {
    let through = forwarded(pen, live, "cloudformation.amazonaws.com");
    let note = Note { shape: "forwarded", region: agent.region, ..note };
    let steps: [(&str, &str, bool, &str); 3] = [
        ("iam", "GetRole", true, r#"{"roleName":"$w-handler"}"#),
        (
            "lambda",
            "UpdateFunctionCode20150331v2",
            false,
            r#"{"functionName":"$w-handler","s3Bucket":"deploy-artifacts-$a","s3Key":"$w/$T.zip","publish":false,"dryRun":false}"#,
        ),
        (
            "s3",
            "GetObject",
            true,
            r#"{"bucketName":"deploy-artifacts-$a","Host":"deploy-artifacts-$a.s3.$r.amazonaws.com","key":"$w/$T.zip"}"#,
        ),
    ];
    let mut now = time;
    for (source, name, read_only, request) in steps {
        now += pen.rng.between(1, 5) as i64;
        let region = if source == "iam" { 0 } else { note.region };
        let note = Note { region, ..note };
        let call = Call {
            read_only,
            category: if source == "s3" { "Data" } else { "Management" },
            request: Body::Template(request),
            tls: false,
            ..pen.call(&note, &through.seat, source, name, now)
        };
        pen.emit(Some(&through.identity), &call, places, note);
    }
    now
}
