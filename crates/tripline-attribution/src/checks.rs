//! Records as AWS documents them, and what comes of them.

use std::collections::BTreeMap;

use tripline_cloudtrail::{EventTime, Record};
use tripline_text::Untrusted;

use crate::counted::Attributor;
use crate::{AgentRules, Cause, Session, SessionId, Sessions, Use};

mod fallbacks;
mod laws;
mod mints;
mod traps;

/// 2026-11-20T10:00:00Z
const TEN: i64 = 1_795_168_800;

fn at(secs: i64) -> EventTime {
    EventTime::from_unix_secs(TEN + secs).unwrap()
}

/// A key as AWS makes them: 20 characters.
fn key(number: usize) -> String {
    format!("ASIA{number:016}")
}

/// The identity of a role session with this key, and since when.
fn role_session(key: &str, role: &str, name: &str, created: i64) -> String {
    format!(
        r#"{{"type":"AssumedRole","principalId":"AROA{role}:{name}","accountId":"111122223333",
        "arn":"arn:aws:sts::111122223333:assumed-role/{role}/{name}","accessKeyId":"{key}",
        "sessionContext":{{"sessionIssuer":{{"type":"Role","arn":"arn:aws:iam::111122223333:role/{role}",
        "accountId":"111122223333","userName":"{role}"}},
        "attributes":{{"creationDate":"{}","mfaAuthenticated":"false"}}}}}}"#,
        at(created)
    )
}

/// A record; `more` is its further members, each with a leading comma.
fn record(id: usize, secs: i64, event: (&str, &str), identity: &str, more: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.11","eventID":"00000000-0000-4000-8000-{id:012}","eventTime":"{}",
        "eventSource":"{}.amazonaws.com","eventName":"{}","awsRegion":"eu-central-1",
        "eventType":"AwsApiCall","recipientAccountId":"111122223333","userIdentity":{identity}{more}}}"#,
        at(secs),
        event.0,
        event.1
    )
}

fn call(id: usize, secs: i64, identity: &str) -> String {
    record(id, secs, ("s3", "ListBuckets"), identity, "")
}

/// What an `AssumeRole` of `role` asks for and answers; `asked` is further members of the request.
fn assumed(child: &str, role: &str, name: &str, asked: &str) -> String {
    format!(
        r#","requestParameters":{{"roleArn":"arn:aws:iam::111122223333:role/{role}",
        "roleSessionName":"{name}"{asked}}},
        "responseElements":{{"credentials":{{"accessKeyId":"{child}","sessionToken":"SECRETTOKEN",
        "expiration":"Nov 20, 2026, 11:00:00 AM"}},
        "assumedRoleUser":{{"assumedRoleId":"AROA{role}:{name}",
        "arn":"arn:aws:sts::111122223333:assumed-role/{role}/{name}"}}}}"#
    )
}

const TAGGED: &str = r#","tags":[{"key":"AgentID","value":"agent-1"}]"#;
const ASSUME: (&str, &str) = ("sts", "AssumeRole");
/// Somebody whose mint nobody saw.
fn runner() -> String {
    role_session("ASIARUNNER0000000000", "Runner", "ci", -500)
}

/// A role session of agent-1, minted by the runner: its mint and its identity.
fn agent_session(id: usize, key: &str) -> (String, String) {
    let mint = record(id, 0, ASSUME, &runner(), &assumed(key, "Tool", "s1", TAGGED));
    (mint, role_session(key, "Tool", "s1", 0))
}

/// Takes records in as the engine does: of the copies of a cross-account call one counts, the one
/// with a key if there is such a one.
fn observe_all<'r>(
    attributor: &mut Attributor,
    records: impl IntoIterator<Item = &'r String>,
    copies: &mut BTreeMap<u128, Vec<Use>>,
) {
    for text in records {
        let record = Record::parse(text).unwrap();
        match record.shared_id() {
            Some(shared) => {
                attributor.note_mint(&record);
                copies.entry(shared.bits()).or_default().push(Use::of(&record));
            }
            None => {
                attributor.observe(&record);
            }
        }
    }
}

fn settle_copies(attributor: &mut Attributor, copies: BTreeMap<u128, Vec<Use>>) {
    for mut copies in copies.into_values() {
        copies.sort_by_key(|copy| (!copy.has_access_key(), format!("{copy:?}")));
        attributor.observe_call(&copies[0]);
    }
}

fn resolve_by(rules: AgentRules, records: &[String]) -> Sessions {
    let mut attributor = Attributor::new(rules, 7);
    let mut copies = BTreeMap::new();
    observe_all(&mut attributor, records, &mut copies);
    settle_copies(&mut attributor, copies);
    attributor.resolve()
}

/// The same in both orders: what is checked for one must hold for the other.
fn resolve(records: &[String]) -> Sessions {
    let reversed: Vec<String> = records.iter().rev().cloned().collect();
    let sessions = resolve_by(AgentRules::default(), records);
    assert_eq!(shown(&sessions), shown(&resolve_by(AgentRules::default(), &reversed)));
    sessions
}

fn shown(sessions: &Sessions) -> String {
    let plain = |session| Session { root_place: 0, ..session };
    let all: Vec<Session> = sessions.iter().map(plain).collect();
    format!("{all:#?} {:?}", sessions.coverage())
}

fn session(sessions: &Sessions, id: &str) -> Session {
    sessions.by_id(&Untrusted::borrowed(id)).unwrap()
}

fn agent_of(session: &Session) -> Result<&str, Cause> {
    session.named.as_ref().map(|named| named.agent.id.0.as_unescaped()).map_err(|cause| *cause)
}

fn ids(ids: &[SessionId]) -> Vec<String> {
    ids.iter().map(|id| id.untrusted().as_unescaped().to_owned()).collect()
}
