//! Sessions that open sessions: role chaining, cross-account copies, S3 Express keys.

use crate::emit::{Live, Note, Pen};
use crate::identity::{Credential, Principal, Role};
use crate::json::{Put, fresh_guid};
use crate::mint::{Asked, assumed, request_details, role_resource};
use crate::record::{Body, Call};
use crate::shift::{one_call, pause};
use crate::work::Class;
use crate::world::{Agent, REGIONS};

/// A benign hop in the middle of a session. Returns the time after it.
pub(crate) fn hop(pen: &mut Pen<'_>, agent: &Agent, live: &Live, time: i64) -> i64 {
    match agent.class {
        Class::DataPipeline if pen.rng.chance(500) => express(pen, agent, live, time),
        Class::DataPipeline => through_role(pen, agent, live, time, "LakeWriter"),
        Class::DeployBot => cross_account(pen, agent, live, time),
        _ => through_role(pen, agent, live, time, "IncidentReader"),
    }
}

fn through_role(pen: &mut Pen<'_>, agent: &Agent, live: &Live, time: i64, name: &str) -> i64 {
    let role = pen.world.role(agent.account, name);
    let child = assume(pen, agent, live, &role, agent.account, time, None);
    use_child(pen, agent, &child, time, "chained")
}

/// The role belongs to the next account: two copies of one call, and work over there.
fn cross_account(pen: &mut Pen<'_>, agent: &Agent, live: &Live, time: i64) -> i64 {
    let other = (agent.account + 1) % pen.world.accounts.len() as u16;
    let role = pen.world.role(other, "DeployTarget");
    let child = assume(pen, agent, live, &role, other, time, None);
    // The deployment continues in the other account: the same job, another recipient.
    let there = Agent { account: other, ..agent.clone() };
    use_child(pen, &there, &child, time, "chained-cross-account")
}

fn use_child(
    pen: &mut Pen<'_>,
    agent: &Agent,
    child: &Live,
    time: i64,
    shape: &'static str,
) -> i64 {
    let mut now = time + 1;
    for _ in 0..pen.rng.between(3, 8) {
        now = one_call(pen, agent, child, now, shape);
        now += pause(pen);
    }
    now
}

/// `AssumeRole` by a live session. Across accounts it is logged twice with one `sharedEventID`.
pub(crate) fn assume(
    pen: &mut Pen<'_>,
    agent: &Agent,
    live: &Live,
    role: &Role,
    owner: u16,
    time: i64,
    attack: Option<&'static str>,
) -> Live {
    let key = pen.fresh_key();
    let token = pen.token();
    let session_name = format!("hop-{:08x}", pen.rng.bits() >> 32);
    let tagged = agent.mint.basis() == "session-tag" && agent.tag_is_transitive();
    let source_identity = live.credential.source_identity.clone();
    let asked = Asked {
        session_name: &session_name,
        source_identity: source_identity.as_deref(),
        // A tag that is not transitive is gone: only the key tells whose child this is.
        incoming: if tagged { vec![(agent.tag_key(), agent.id.as_str())] } else { Vec::new() },
        duration: 900,
        ..Asked::default()
    };
    let request = asked.request(role);
    let response = assumed(role, &asked, &key, time, token, "");
    let resources = role_resource(role);
    let details = request_details(false, REGIONS[agent.region as usize]);
    let across = owner != agent.account;
    let shared = across.then(|| fresh_guid(&mut pen.rng));
    let shape = if across { "mint-cross-account" } else { "mint-chained" };
    let note = Note::new(agent.account, agent.region, shape).attack(attack).by(live.session);
    let session = pen.batch.open(key.clone(), Some(agent.index), Some(live.session), "lineage");
    let places = pen.places(agent.taste, &note, &agent.id, "", time);
    let call = Call {
        read_only: true,
        request: Body::Raw(&request),
        response: Body::Raw(&response),
        extra: Body::Raw(details.as_bytes()),
        resources: Body::Raw(&resources),
        shared,
        endpoint: None,
        ..pen.call(&note, &live.seat, "sts", "AssumeRole", time)
    };
    pen.emit(Some(&live.identity), &call, &places, note.minting(session));
    if across {
        let mut identity = b"{\"type\":\"AWSAccount\",\"principalId\":".to_vec();
        identity.quoted(&live.credential.principal_id());
        crate::identity::member(&mut identity, "accountId", live.credential.account());
        identity.push(b'}');
        let copy = Note { account: owner, shape: "mint-cross-account-copy", ..note };
        let recipient = pen.world.account(owner);
        let call = Call { recipient, ..call };
        pen.emit(Some(&identity), &call, &places, copy.minting(session));
    }
    let principal = Principal::Role { role: role.clone(), session_name };
    let mut credential = Credential::new(principal, key, Some(time));
    credential.source_identity = source_identity;
    Live {
        identity: credential.identity(),
        session,
        credential,
        seat: live.seat.clone(),
        role_arn: role.arn(),
    }
}

/// `s3express:CreateSession`: a key for five minutes, which object calls then carry.
fn express(pen: &mut Pen<'_>, agent: &Agent, live: &Live, time: i64) -> i64 {
    let key = pen.fresh_key();
    let token = pen.token();
    let mut response = b"{".to_vec();
    crate::mint::credentials(&mut response, &key, time + 300, token);
    response.push(b'}');
    let session = pen.batch.open(key.clone(), Some(agent.index), Some(live.session), "lineage");
    let note = Note::new(agent.account, agent.region, "mint-s3express").by(live.session);
    let places = pen.places(agent.taste, &note, &agent.id, "", time);
    let resource = r#"[{"accountId":"$a","type":"AWS::S3Express::DirectoryBucket","ARN":"arn:aws:s3express:$r:$a:bucket/scratch--use1-az4--x-s3"}]"#;
    let call = Call {
        read_only: true,
        request: Body::Template(
            r#"{"bucketName":"scratch--use1-az4--x-s3","host":"scratch--use1-az4--x-s3.s3express-use1-az4.$r.amazonaws.com","x-amz-create-session-mode":"ReadWrite"}"#,
        ),
        response: Body::Raw(&response),
        resources: Body::Template(resource),
        ..pen.call(&note, &live.seat, "s3express", "CreateSession", time)
    };
    pen.emit(Some(&live.identity), &call, &places, note.minting(session));
    let mut credential = live.credential.clone();
    credential.key = Some(key);
    let identity = credential.identity();
    let mut now = time;
    for name in ["PutObject", "GetObject", "GetObject", "GetObject"] {
        now += pen.rng.between(0, 20) as i64;
        let note = Note::new(agent.account, agent.region, "s3express").by(session);
        let places = pen.places(agent.taste, &note, &agent.id, "", now);
        let call = Call {
            read_only: name == "GetObject",
            category: "Data",
            request: Body::Template(
                r#"{"bucketName":"scratch--use1-az4--x-s3","key":"$w/tmp-$h","host":"scratch--use1-az4--x-s3.s3express-use1-az4.$r.amazonaws.com"}"#,
            ),
            extra: Body::Template(
                r#"{"bytesTransferredIn":0,"SignatureVersion":"SigV4","AuthenticationMethod":"AuthHeader","x-amz-id-2":"$x","bytesTransferredOut":$n,"availabilityZone":"use1-az4"}"#,
            ),
            resources: Body::Template(resource),
            ..pen.call(&note, &live.seat, "s3express", name, now)
        };
        pen.emit(Some(&identity), &call, &places, note);
    }
    now
}
