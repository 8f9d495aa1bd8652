//! The traps of the facts, chapter 8, by their numbers.

use std::collections::BTreeMap;

use tripline_cloudtrail::{EventTime, Record};

use super::{
    ASSUME, TAGGED, agent_of, agent_session, assumed, at, call, ids, key, record, resolve,
    role_session, runner, session,
};
use crate::counted::Attributor;
use crate::{AgentRules, AnchorKind, Basis, Cause};

#[test]
fn trap_1_the_tag_is_on_the_mint_only() {
    let (mint, identity) = agent_session(1, &key(1));
    let alone = resolve(&[call(2, 5, &identity)]);
    assert_eq!(agent_of(&session(&alone, &key(1))), Err(Cause::NoMintAtAll));
    let joined = resolve(&[mint, call(2, 5, &identity)]);
    assert_eq!(agent_of(&session(&joined, &key(1))), Ok("agent-1"));
}

#[test]
fn trap_3_a_chain_of_any_length_leads_back() {
    let (mint, mut identity) = agent_session(0, &key(1));
    let mut records = vec![mint];
    for hop in 2..500 {
        let name = format!("s{hop}");
        let more = assumed(&key(hop), "Hop", &name, "");
        records.push(record(hop, hop as i64, ASSUME, &identity, &more));
        identity = role_session(&key(hop), "Hop", &name, hop as i64);
    }
    records.push(call(500, 600, &identity));
    let sessions = resolve(&records);
    let last = session(&sessions, &key(499));
    assert_eq!(agent_of(&last), Ok("agent-1"));
    assert_eq!(last.root.untrusted(), key(1).as_str());
    assert_eq!(last.lineage.len(), 64);
    assert_eq!(sessions.lineage_of(&last).len(), 499);
}

#[test]
fn trap_3_another_class_does_not_cut_off_the_past() {
    let (mint, identity) = agent_session(1, &key(1));
    let tags = r#","tags":[{"key":"AgentClass","value":"other"}]"#;
    let child = record(2, 60, ASSUME, &identity, &assumed(&key(2), "Deep", "s2", tags));
    let child = session(&resolve(&[mint, child]), &key(2));
    assert_eq!(child.root.untrusted(), key(1).as_str());
    let class = child.agent().unwrap().class.as_ref().unwrap();
    assert_eq!(class.untrusted(), "other");
}

#[test]
fn trap_4_a_use_before_its_mint_and_what_is_certain_when() {
    let (mint, identity) = agent_session(1, &key(1));
    let (mint, early, late) = (mint, call(2, 5, &identity), call(3, 6, &identity));
    let mut attributor = Attributor::new(AgentRules::default(), 1);
    let attributed = attributor.observe(&Record::parse(&early).unwrap());
    assert!(attributed.agent().is_none() && attributed.may_be_an_agent());
    attributor.observe(&Record::parse(&mint).unwrap());
    let attributed = attributor.observe(&Record::parse(&late).unwrap());
    let agent = attributor.agent_at(attributed.agent().unwrap()).unwrap();
    assert_eq!(agent.id.untrusted(), "agent-1");
    let session = session(&attributor.resolve(), &key(1));
    assert_eq!((session.first, session.last, session.records), (at(5), at(6), 2));
}

#[test]
fn trap_5_no_mint_at_all_is_told_from_some_missing() {
    let lost = call(1, 5, &role_session(&key(9), "Tool", "s9", 0));
    let none = resolve(std::slice::from_ref(&lost));
    assert_eq!(agent_of(&session(&none, &key(9))), Err(Cause::NoMintAtAll));
    assert!(Cause::NoMintAtAll.hint().contains("WriteOnly"));
    let (mint, identity) = agent_session(2, &key(1));
    let some = resolve(&[lost, mint, call(3, 7, &identity)]);
    assert_eq!(agent_of(&session(&some, &key(9))), Err(Cause::NoMint));
    let coverage = some.coverage();
    assert_eq!((coverage.attributed.sessions, coverage.attributed.records), (1, 1));
    // The lost session, and the runner.
    assert_eq!(coverage.unattributed[&Cause::NoMint].sessions, 2);
}

#[test]
fn trap_9_a_forged_mint_moves_no_session_to_another_agent() {
    let (mint, identity) = agent_session(1, &key(1));
    let other = r#","tags":[{"key":"AgentID","value":"agent-2"}]"#;
    let forgeries = [
        ("another agent", record(2, 0, ASSUME, &runner(), &assumed(&key(1), "Tool", "s1", other))),
        ("another role", record(2, 0, ASSUME, &runner(), &assumed(&key(1), "Root", "s1", TAGGED))),
        ("another time", record(2, 60, ASSUME, &runner(), &assumed(&key(1), "Tool", "s1", TAGGED))),
        (
            "another parent",
            record(2, 0, ASSUME, &identity, &assumed(&key(1), "Tool", "s1", TAGGED)),
        ),
    ];
    for (what, forged) in forgeries {
        let sessions = resolve(&[mint.clone(), forged, call(3, 5, &identity)]);
        let session = session(&sessions, &key(1));
        assert_eq!(agent_of(&session), Err(Cause::Contested), "{what}");
        assert_eq!((session.parent, session.tenant), (None, None), "{what}");
    }
}

#[test]
fn trap_9_no_mint_gives_a_long_lived_key_to_an_agent() {
    let user =
        r#"{"type":"IAMUser","principalId":"AIDAUSER","accessKeyId":"AKIA0000000000000001"}"#;
    let more = assumed("AKIA0000000000000001", "Tool", "s1", TAGGED);
    let sessions = resolve(&[record(1, 0, ASSUME, &runner(), &more), call(2, 1, user)]);
    assert_eq!(agent_of(&session(&sessions, "AKIA0000000000000001")), Err(Cause::LongLivedKey));
}

#[test]
fn trap_9_forged_cycles_end_and_name_nobody() {
    for (tag, cause) in [(TAGGED, Cause::Contested), ("", Cause::NoTag)] {
        let mut records = Vec::new();
        for (number, tag) in [tag, ""].iter().enumerate() {
            let parent = role_session(&key(1 - number), "Tool", "s", 0);
            let more = assumed(&key(number), "Tool", "s", tag);
            records.push(record(number, 0, ASSUME, &parent, &more));
        }
        let below = assumed(&key(2), "Tool", "t", "");
        records.push(record(3, 9, ASSUME, &role_session(&key(0), "Tool", "s", 0), &below));
        let sessions = resolve(&records);
        for number in 0..3 {
            assert_eq!(agent_of(&session(&sessions, &key(number))), Err(cause), "{number}");
        }
        assert_eq!(session(&sessions, &key(2)).lineage.len(), 2);
    }
}

#[test]
fn trap_10_keys_of_tags_in_any_case_and_empty_values() {
    for (tags, agent) in [
        (r#","tags":[{"key":"agentid","value":"a"}]"#, Ok("a")),
        (r#","tags":[{"key":"AGENTID","value":""}]"#, Err(Cause::NoMint)),
        (r#","tags":[]"#, Err(Cause::NoMint)),
    ] {
        let mint = record(1, 0, ASSUME, &runner(), &assumed(&key(1), "Tool", "s1", tags));
        assert_eq!(agent_of(&session(&resolve(&[mint]), &key(1))), agent, "{tags}");
    }
    let (mint, identity) = agent_session(1, &key(1));
    let empty = r#","tags":[{"key":"AgentID","value":""}]"#;
    let child = record(2, 60, ASSUME, &identity, &assumed(&key(2), "Deep", "s2", empty));
    let child = session(&resolve(&[mint, child]), &key(2));
    assert_eq!(agent_of(&child), Ok("agent-1"), "an empty tag sheds no identity");
}

#[test]
fn trap_11_a_failed_mint_binds_nothing_and_is_counted() {
    let refused = assumed(&key(1), "Tool", "s1", TAGGED).replace("accessKeyId", "gone");
    let errored =
        format!(r#"{},"errorCode":"AccessDenied""#, assumed(&key(1), "Tool", "s1", TAGGED));
    let masked = assumed("HIDDEN_DUE_TO_SECURITY_REASONS", "Tool", "s1", TAGGED);
    let records: Vec<String> = [refused, errored, masked]
        .iter()
        .zip(1..)
        .map(|(more, id)| record(id, 0, ASSUME, &runner(), more))
        .collect();
    let sessions = resolve(&records);
    assert_eq!(sessions.coverage().failed_mints, 3);
    assert_eq!(sessions.iter().count(), 1, "the runner");
}

#[test]
fn trap_12_calls_with_rotating_keys_are_one_session() {
    let console = |id, key: &str| {
        let identity = role_session(key, "Admin", "ann", 0);
        record(
            id,
            id as i64,
            ("s3", "ListBuckets"),
            &identity,
            r#","sessionCredentialFromConsole":"true""#,
        )
    };
    let sessions = resolve(&[console(1, &key(1)), console(2, &key(2)), console(3, "")]);
    let all: Vec<_> = sessions.iter().collect();
    assert_eq!((all.len(), all[0].records, all[0].kind), (1, 3, AnchorKind::Console));
    assert_eq!(all[0].id.untrusted(), "AROAAdmin:ann@2026-11-20T10:00:00Z");
    assert_eq!(agent_of(&all[0]), Err(Cause::Person));
}

#[test]
fn trap_12_sign_in_sessions_outlive_their_keys() {
    let arn = "arn:aws:signin:us-east-1:111122223333:session/0f";
    let with = |id, key: &str| {
        let identity = role_session(key, "Admin", "ann", id as i64)
            .replace(r#""attributes""#, &format!(r#""signInSessionArn":"{arn}","attributes""#));
        call(id, id as i64, &identity)
    };
    let sessions = resolve(&[with(1, &key(1)), with(2, &key(2)), with(3, "")]);
    let session = session(&sessions, arn);
    assert_eq!((session.records, session.kind), (3, AnchorKind::SignIn));
}

fn forwarded(id: usize, key: &str, name: &str, created: i64) -> String {
    let identity = role_session(key, "Tool", name, created)
        .replace(r#""sessionContext""#, r#""invokedBy":"athena.amazonaws.com","sessionContext""#);
    call(id, 20 + id as i64, &identity)
}

#[test]
fn trap_12_calls_that_a_service_makes_belong_to_the_session_they_are_made_for() {
    let (mint, identity) = agent_session(1, &key(1));
    let sessions = resolve(&[
        mint,
        call(2, 5, &identity),
        forwarded(3, &key(70), "s1", 0),
        forwarded(4, &key(71), "s1", 0),
    ]);
    let session = session(&sessions, &key(1));
    assert_eq!((session.records, agent_of(&session)), (3, Ok("agent-1")));
    assert_eq!(super::session(&sessions, "AROATool:s1@2026-11-20T10:00:00Z"), session);
}

/// An S3 Express key shows the principal and the date of the session that minted it.
#[test]
fn trap_12_a_sessions_own_children_do_not_rival_it() {
    let (mint, identity) = agent_session(1, &key(1));
    let more = format!(r#","responseElements":{{"credentials":{{"accessKeyId":"{}"}}}}"#, key(2));
    let sessions = resolve(&[
        mint,
        record(2, 60, ("s3express", "CreateSession"), &identity, &more),
        call(3, 61, &role_session(&key(2), "Tool", "s1", 0)),
        forwarded(4, &key(70), "s1", 0),
    ]);
    assert_eq!(session(&sessions, &key(1)).records, 2);
    assert_eq!(session(&sessions, &key(2)).records, 1);
}

#[test]
fn trap_12_a_fold_needs_one_session_within_two_seconds() {
    for (created, records) in [(-3, 0), (-2, 1), (-1, 1), (0, 1), (1, 1), (2, 1), (3, 0)] {
        let (mint, _) = agent_session(1, &key(1));
        let sessions = resolve(&[mint, forwarded(2, &key(70), "s1", created)]);
        assert_eq!(session(&sessions, &key(1)).records, records, "{created}");
        if records == 0 {
            let id = format!("AROATool:s1@{}", at(created));
            // Somebody's role session, of which no mint is known: not a person at the console.
            assert_eq!(agent_of(&session(&sessions, &id)), Err(Cause::NoMint));
        }
    }
}

#[test]
fn trap_8_of_two_sessions_of_one_name_neither_takes_the_call_unless_it_is_all_the_same() {
    let mint = |id, key: &str, agent: &str| {
        let tags = format!(r#","tags":[{{"key":"AgentID","value":"{agent}"}}]"#);
        record(id, 0, ASSUME, &runner(), &assumed(key, "Tool", "s1", &tags))
    };
    let id = "AROATool:s1@2026-11-20T10:00:00Z";
    let same =
        resolve(&[mint(1, &key(1), "a"), mint(2, &key(2), "a"), forwarded(3, &key(70), "s1", 0)]);
    assert_eq!(agent_of(&session(&same, id)), Ok("a"));
    assert_eq!(session(&same, id).records, 1);
    assert_eq!(session(&same, id).basis(), Some(Basis::SessionTag));
    let other =
        resolve(&[mint(1, &key(1), "a"), mint(2, &key(2), "b"), forwarded(3, &key(70), "s1", 0)]);
    assert_eq!(agent_of(&session(&other, id)), Err(Cause::Ambiguous));
}

/// What such a session mints is the agent's as well.
#[test]
fn trap_8_what_an_undecided_session_mints_follows_it() {
    let mint =
        |id, key: &str| record(id, 0, ASSUME, &runner(), &assumed(key, "Tool", "s1", TAGGED));
    let caller = role_session(&key(70), "Tool", "s1", 0)
        .replace(r#""sessionContext""#, r#""invokedBy":"states.amazonaws.com","sessionContext""#);
    let child = record(3, 30, ASSUME, &caller, &assumed(&key(3), "Deep", "s3", ""));
    let sessions = resolve(&[mint(1, &key(1)), mint(2, &key(2)), child]);
    let child = session(&sessions, &key(3));
    assert_eq!(agent_of(&child), Ok("agent-1"));
    assert_eq!(child.root.untrusted(), "AROATool:s1@2026-11-20T10:00:00Z");
}

#[test]
fn trap_13_a_record_without_identity_is_nobodys() {
    let sessions = resolve(&[record(1, 0, ("s3", "GetObject"), "null", "")]);
    let session = session(&sessions, "");
    assert_eq!((agent_of(&session), session.kind), (Err(Cause::Unknown), AnchorKind::Principal));
}

/// Not even where somebody was met before: the place of those who were met lately is not theirs.
#[test]
fn trap_13_nor_is_it_anybodys_who_was_there_before() {
    let (mint, identity) = agent_session(1, &key(1));
    let without = record(3, 6, ("s3", "GetObject"), "null", "");
    let without = without.replace("\"userIdentity\":null", "\"somethingElse\":null");
    assert!(without.contains("somethingElse"));
    let sessions = resolve(&[mint, call(2, 5, &identity), without]);
    assert_eq!(session(&sessions, "").records, 1);
    assert_eq!(session(&sessions, &key(1)).records, 1);
}

/// The role owner's copy leaves out the caller's key; each copy has an event id of its own.
#[test]
fn trap_14_copies_of_one_mint_are_one() {
    let (mint, parent) = agent_session(1, &key(1));
    let shared = r#","sharedEventID":"0f0f0f0f-0000-4000-8000-000000000000""#;
    let more = format!("{}{shared}", assumed(&key(2), "Far", "s2", ""));
    let owner = r#"{"type":"AWSAccount","principalId":"AROATool:s1","accountId":"111122223333"}"#;
    let (theirs, owners) =
        (record(2, 9, ASSUME, &parent, &more), record(3, 9, ASSUME, owner, &more));
    let alone = session(&resolve(&[mint.clone(), owners.clone()]), &key(2));
    assert_eq!((agent_of(&alone), &alone.parent), (Err(Cause::NoTag), &None));
    let sessions = resolve(&[mint, theirs, owners]);
    let both = session(&sessions, &key(2));
    assert_eq!(agent_of(&both), Ok("agent-1"));
    assert_eq!(ids(&both.lineage)[1..], [key(1), key(2)]);
    assert_eq!(session(&sessions, &key(1)).records, 1, "one call, however many copies");
}

/// As long as another account's copy may name a parent, nothing is certain.
#[test]
fn trap_14_the_owners_copy_alone_settles_nothing() {
    let (mint, parent) = agent_session(1, &key(1));
    let shared = r#","sharedEventID":"0f0f0f0f-0000-4000-8000-000000000000""#;
    let more = format!("{}{shared}", assumed(&key(2), "Far", "s2", ""));
    let owner = r#"{"type":"AWSAccount","principalId":"AROATool:s1","accountId":"111122223333"}"#;
    let used = call(4, 12, &role_session(&key(2), "Far", "s2", 9));
    let mut attributor = Attributor::new(AgentRules::default(), 1);
    attributor.observe(&Record::parse(&mint).unwrap());
    attributor.note_mint(&Record::parse(&record(3, 9, ASSUME, owner, &more)).unwrap());
    assert!(attributor.observe(&Record::parse(&used).unwrap()).may_be_an_agent());
    attributor.note_mint(&Record::parse(&record(2, 9, ASSUME, &parent, &more)).unwrap());
    let attributed = attributor.observe(&Record::parse(&used).unwrap());
    let agent = attributor.agent_at(attributed.agent().unwrap()).unwrap();
    assert_eq!(agent.id.untrusted(), "agent-1");
}

/// The service that was asked logs no tags: STS may yet name another agent than the caller.
#[test]
fn trap_14_a_front_alone_settles_nothing() {
    let (mint, identity) = agent_session(1, &key(1));
    let front = format!(r#","responseElements":{{"credentials":{{"accessKeyId":"{}"}}}}"#, key(2));
    let front = record(2, 60, ("s3", "GetDataAccess"), &identity, &front);
    let used = call(3, 70, &role_session(&key(2), "Location", "ag", 59));
    let mut attributor = Attributor::new(AgentRules::default(), 1);
    attributor.observe(&Record::parse(&mint).unwrap());
    attributor.observe(&Record::parse(&front).unwrap());
    let attributed = attributor.observe(&Record::parse(&used).unwrap());
    assert!(attributed.agent().is_none() && attributed.may_be_an_agent());
    let sessions = attributor.resolve();
    assert_eq!(agent_of(&session(&sessions, &key(2))), Ok("agent-1"));
}

/// Two trails, or a shipper that drops event ids: the same said twice is not a contradiction.
#[test]
fn trap_14_a_mint_told_twice_under_two_ids_is_one() {
    let ((mint, identity), (again, _)) = (agent_session(1, &key(1)), agent_session(2, &key(1)));
    let sessions = resolve(&[mint, again, call(3, 5, &identity)]);
    assert_eq!(agent_of(&session(&sessions, &key(1))), Ok("agent-1"));
}

#[test]
fn trap_15_odd_records_are_no_panic() {
    for identity in [
        "{}",
        r#"{"type":null,"principalId":"","accessKeyId":""}"#,
        r#"{"accessKeyId":"AKIA****************"}"#,
        r#"{"accessKeyId":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
        r#"{"principalId":"x","sessionContext":{"attributes":{"creationDate":"never"}}}"#,
    ] {
        for more in [
            "",
            r#","requestParameters":null,"responseElements":null"#,
            r#","responseElements":{"credentials":[]}"#,
        ] {
            let sessions = resolve(&[record(1, 0, ASSUME, identity, more)]);
            assert!(sessions.iter().all(|session| session.kind != AnchorKind::Key), "{identity}");
        }
    }
}

/// A filtered mint's caller was not counted, and still is the parent.
#[test]
fn trap_21_what_was_minted_before_the_period_has_its_lineage() {
    let (mint, identity) = agent_session(1, &key(1));
    let chained = record(2, 60, ASSUME, &identity, &assumed(&key(2), "Deep", "s2", ""));
    let mut attributor = Attributor::new(AgentRules::default(), 1);
    for text in [&chained, &mint] {
        attributor.note_mint(&Record::parse(text).unwrap());
    }
    let used = call(3, 70, &role_session(&key(2), "Deep", "s2", 60));
    attributor.observe(&Record::parse(&used).unwrap());
    let sessions = attributor.resolve();
    assert_eq!(agent_of(&session(&sessions, &key(2))), Ok("agent-1"));
    assert_eq!(session(&sessions, &key(1)).records, 0);
    assert_eq!(sessions.coverage().attributed.sessions, 1);
}

#[test]
fn episodes_are_cut_over_the_whole_lineage() {
    let (mint, identity) = agent_session(1, &key(1));
    let chained = record(2, 20 * 60, ASSUME, &identity, &assumed(&key(2), "Deep", "s2", ""));
    let child = role_session(&key(2), "Deep", "s2", 20 * 60);
    let calls = [(3, 45 * 60, &child), (4, 62 * 60, &identity), (5, 63 * 60, &child)];
    let mut records: Vec<String> =
        calls.into_iter().map(|(id, secs, identity)| call(id, secs, identity)).collect();
    records.extend([mint, chained]);
    let mut attributor = crate::Attributor::new(AgentRules::default(), 7);
    let mut calls: Vec<(EventTime, u32)> = records
        .iter()
        .map(|text| {
            let record = Record::parse(text).unwrap();
            attributor.note_mint(&record);
            (record.time(), attributor.observe(&crate::Facts::of(&record)).place())
        })
        .collect();
    calls.sort();
    let mut sessions = attributor.resolve();
    let episodes: BTreeMap<EventTime, String> = calls
        .into_iter()
        .map(|(time, place)| {
            let turn = sessions.note_call(place, time, false);
            (time, sessions.episode_id(&turn).to_untrusted().as_unescaped().to_owned())
        })
        .collect();
    let episode = |secs| episodes[&at(secs)].as_str();
    assert_eq!(episode(45 * 60), episode(62 * 60), "idle no longer than 30 minutes");
    assert_eq!(episode(45 * 60), episode(20 * 60));
    assert_eq!(episode(63 * 60), format!("{}/2026-11-20T10:20:00Z", key(1)));
}
