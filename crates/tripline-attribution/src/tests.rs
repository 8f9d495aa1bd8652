//! Every shape of mint, every anchor, and the traps of joining them. The laws of order, split and
//! duplication are held over whole fleets in `tests/it/laws.rs`, and here over small hostile worlds.

use proptest::prelude::*;
use tripline_cloudtrail::Record;

use crate::counted::Attributor;
use crate::{AgentRules, Basis, Cause, Session, Sessions, Use};

const PARENT: &str = "ASIAPARENTPARENTPARE";
const CHILD: &str = "ASIACHILDCHILDCHILDC";

/// A record of an event, with these members beside the usual ones.
fn record(name: &str, second: u32, members: &str) -> String {
    format!(
        r#"{{"eventVersion":"1.11","eventTime":"2026-11-20T10:00:{second:02}Z","eventSource":"sts.amazonaws.com","eventName":"{name}","eventID":"{name}-{second}-{}",{members}}}"#,
        members.len()
    )
}

/// The identity of a caller with a key, as a role session.
fn by_key(key: &str) -> String {
    format!(
        r#""userIdentity":{{"type":"AssumedRole","principalId":"AROA{}:run","accessKeyId":"{key}","sessionContext":{{"sessionIssuer":{{"arn":"arn:aws:iam::111122223333:role/Role-{}"}},"attributes":{{"creationDate":"2026-11-20T09:59:00Z"}}}}}}"#,
        key.get(4..8).unwrap(),
        key.get(4..8).unwrap()
    )
}

/// A response that hands out `key`.
fn hands_out(key: &str) -> String {
    format!(
        r#""responseElements":{{"credentials":{{"accessKeyId":"{key}","sessionToken":"secret"}},"assumedRoleUser":{{"assumedRoleId":"AROAX:name","arn":"arn:aws:sts::111122223333:assumed-role/X/name"}}}}"#
    )
}

fn used(key: &str, second: u32) -> String {
    record("GetObject", second, &by_key(key))
}

fn minted(caller: &str, request: &str, key: &str) -> String {
    record(
        "AssumeRole",
        1,
        &format!(r#"{caller},"requestParameters":{request},{}"#, hands_out(key)),
    )
}

fn resolve_with(rules: AgentRules, records: &[String]) -> Sessions {
    let mut attributor = Attributor::new(rules, 1);
    for text in records {
        attributor.observe(&Record::parse(text).unwrap());
    }
    attributor.resolve()
}

fn session_of(sessions: &Sessions, id: &str) -> Session {
    sessions.iter().find(|session| session.id.untrusted() == *id).unwrap()
}

/// The agent of the child key, what that rests on, and whether it was inherited.
fn agent_of(rules: AgentRules, records: &[String]) -> Result<(String, Basis, bool), Cause> {
    let session = session_of(&resolve_with(rules, records), CHILD);
    let named = session.named?;
    Ok((named.agent.id.untrusted().as_unescaped().to_owned(), named.basis, named.inherited))
}

fn tagged(name: &str) -> Result<(String, Basis, bool), Cause> {
    Ok((name.to_owned(), Basis::SessionTag, false))
}

const TAGS: &str = r#"{"tags":[{"key":"AgentID","value":"a"}]}"#;

#[test]
fn trap_10_tags_come_in_three_shapes_and_any_case() {
    for request in [
        TAGS,
        r#"{"tags":[{"key":"agentid","value":"a"}]}"#,
        r#"{"principalTags":{"AgentID":"a"},"transitiveTagKeys":["AgentID"]}"#,
        r#"{"tags":[{"key":"Task","value":"t"}],"incomingTransitiveTags":{"AGENTID":"a"}}"#,
    ] {
        let records = [minted(&by_key(PARENT), request, CHILD), used(CHILD, 5)];
        assert_eq!(agent_of(AgentRules::default(), &records), tagged("a"), "{request}");
    }
    let empty = r#"{"tags":[{"key":"AgentID","value":""}]}"#;
    let records = [minted(&by_key("AKIAUSERUSERUSERUSER"), empty, CHILD), used(CHILD, 5)];
    assert_eq!(agent_of(AgentRules::default(), &records), Err(Cause::NoTag));
}

#[test]
fn every_minting_call_is_known() {
    let nobody =
        r#""userIdentity":{"type":"WebIdentityUser","principalId":"p:aud:sub","userName":"sub"}"#;
    let service = r#""userIdentity":{"type":"AWSService","invokedBy":"pods.eks.amazonaws.com"}"#;
    let request = r#""requestParameters":{"tags":[{"key":"AgentID","value":"a"}]}"#;
    let set = format!(
        r#""responseElements":{{"credentialSet":[{{"credentials":{{"accessKeyId":"{CHILD}"}}}}]}}"#
    );
    for (event, caller, response) in [
        ("AssumeRoleWithSAML", nobody.to_owned(), hands_out(CHILD)),
        ("AssumeRoleWithWebIdentity", nobody.to_owned(), hands_out(CHILD)),
        ("AssumeRole", service.to_owned(), hands_out(CHILD)),
        ("GetFederationToken", by_key("AKIAUSERUSERUSERUSER"), hands_out(CHILD)),
        ("GetSessionToken", by_key("AKIAUSERUSERUSERUSER"), hands_out(CHILD)),
        ("AssumeRoot", by_key(PARENT), hands_out(CHILD)),
        ("CreateSession", nobody.to_owned(), set),
    ] {
        let mint = record(event, 1, &format!("{caller},{request},{response}"));
        assert_eq!(
            agent_of(AgentRules::default(), &[mint, used(CHILD, 5)]),
            tagged("a"),
            "{event}"
        );
    }
}

#[test]
fn trap_3_a_tag_that_is_lost_in_a_chain_is_found_by_lineage() {
    let third = "ASIATHIRDTHIRDTHIRDT";
    let records = [
        minted(&by_key("AKIAUSERUSERUSERUSER"), TAGS, PARENT),
        minted(&by_key(PARENT), "{}", third),
        // S3 Express and the like: a key of a key.
        record("CreateSession", 2, &format!("{},{}", by_key(third), hands_out(CHILD))),
        used(CHILD, 5),
    ];
    assert_eq!(
        agent_of(AgentRules::default(), &records),
        Ok(("a".to_owned(), Basis::SessionTag, true))
    );
    let sessions = resolve_with(AgentRules::default(), &records);
    let child = session_of(&sessions, CHILD);
    assert_eq!(child.lineage.len(), 4);
    // The user who opened the first session is not the agent: the root is where the agent begins.
    assert_eq!(child.root.untrusted(), *PARENT);
    assert_eq!(sessions.lineage_of(&child).len(), 3);
}

#[test]
fn trap_4_a_use_before_its_mint_is_attributed_when_the_mint_comes() {
    let records = [used(CHILD, 5), minted(&by_key("AKIAUSERUSERUSERUSER"), TAGS, CHILD)];
    assert_eq!(agent_of(AgentRules::default(), &records), tagged("a"));
    let mut attributor = Attributor::new(AgentRules::default(), 1);
    let early = Record::parse(&records[0]).unwrap();
    let place = {
        let attributed = attributor.observe(&early);
        assert!(attributed.agent().is_none() && attributed.may_be_an_agent());
        attributed.place()
    };
    attributor.observe(&Record::parse(&records[1]).unwrap());
    assert!(attributor.look_again(place).agent().is_some());
}

#[test]
fn trap_11_a_refused_mint_binds_nothing() {
    let refused = minted(&by_key(PARENT), TAGS, CHILD)
        .replace(r#""eventName""#, r#""errorCode":"AccessDenied","eventName""#);
    assert_eq!(
        agent_of(AgentRules::default(), &[refused, used(CHILD, 5)]),
        Err(Cause::NoMintAtAll)
    );
}

#[test]
fn copies_of_a_mint_in_two_accounts_are_one() {
    let request = format!(r#""requestParameters":{TAGS}"#);
    let shared = r#""sharedEventID":"shared-1""#;
    let owner = r#""userIdentity":{"type":"AWSAccount","accountId":"111122223333"}"#;
    let copies = [
        record("AssumeRole", 1, &format!("{owner},{request},{shared},{}", hands_out(CHILD))),
        record(
            "AssumeRole",
            1,
            &format!("{},{request},{shared},{}", by_key(PARENT), hands_out(CHILD)),
        ),
    ];
    for order in [[0, 1], [1, 0]] {
        let records = [copies[order[0]].clone(), copies[order[1]].clone(), used(CHILD, 5)];
        assert_eq!(agent_of(AgentRules::default(), &records), tagged("a"));
        let child = session_of(&resolve_with(AgentRules::default(), &records), CHILD);
        assert_eq!(child.parent.map(|parent| parent.untrusted() == *PARENT), Some(true));
    }
}

#[test]
fn trap_9_two_records_that_claim_one_key_give_it_to_nobody() {
    let other = r#"{"tags":[{"key":"AgentID","value":"sibling"}]}"#;
    let records = [
        minted(&by_key(PARENT), TAGS, CHILD),
        minted(&by_key(PARENT), other, CHILD),
        used(CHILD, 5),
    ];
    assert_eq!(agent_of(AgentRules::default(), &records), Err(Cause::Contested));
    // A forged circle of mints ends.
    let circle = [
        minted(&by_key(CHILD), "{}", PARENT),
        minted(&by_key(PARENT), "{}", CHILD),
        used(CHILD, 5),
    ];
    assert_eq!(agent_of(AgentRules::default(), &circle), Err(Cause::NoTag));
}

#[test]
fn trap_12_keys_that_rotate_are_one_session() {
    let console = |key: &str, second| {
        let identity = by_key("ASIACONSOLECONSOLECO").replace("ASIACONSOLECONSOLECO", key);
        record(
            "ListBuckets",
            second,
            &format!(r#"{identity},"sessionCredentialFromConsole":"true""#),
        )
    };
    let records =
        [console("ASIAONEONEONEONEONEO", 1), console("ASIATWOTWOTWOTWOTWOT", 2), console("", 3)];
    let sessions: Vec<Session> = resolve_with(AgentRules::default(), &records).iter().collect();
    assert_eq!(sessions.len(), 1);
    assert_eq!((sessions[0].records, sessions[0].named.clone()), (3, Err(Cause::Person)));

    let sign_in = |key: &str, second| {
        let identity = format!(
            r#""userIdentity":{{"type":"IAMUser","principalId":"AIDA","accessKeyId":"{key}","invokedBy":"aws-mcp.amazonaws.com","sessionContext":{{"signInSessionArn":"arn:aws:signin:us-east-1:111122223333:session/1"}}}}"#
        );
        record("ListUsers", second, &identity)
    };
    let records = [sign_in("ASIAONEONEONEONEONEO", 1), sign_in("ASIATWOTWOTWOTWOTWOT", 2)];
    assert_eq!(resolve_with(AgentRules::default(), &records).iter().count(), 1);
}

#[test]
fn a_call_that_a_service_makes_for_a_session_is_that_sessions() {
    let forwarded = |second| {
        let identity = by_key(CHILD).replace(CHILD, "ASIAFRESHFRESHFRESHF");
        record(
            "Decrypt",
            second,
            &identity.replace(
                r#""sessionContext""#,
                r#""invokedBy":"s3.amazonaws.com","sessionContext""#,
            ),
        )
    };
    let records = [
        used(CHILD, 5),
        forwarded(6),
        forwarded(7),
        minted(&by_key("AKIAUSERUSERUSERUSER"), TAGS, CHILD),
    ];
    let sessions = resolve_with(AgentRules::default(), &records);
    assert_eq!(session_of(&sessions, CHILD).records, 3);
    let record = Record::parse(&records[1]).unwrap();
    let (kind, id) = Use::anchor_of(&record);
    assert_eq!(sessions.by_id(&id).unwrap().id.untrusted(), *CHILD);
    assert_eq!(kind, crate::AnchorKind::Console);
}

/// Rules as a user writes them.
fn rules(fallbacks: &str) -> AgentRules {
    serde_json::from_str(&format!(r#"{{"fallbacks":[{fallbacks}]}}"#)).unwrap()
}

#[test]
fn fallbacks_name_in_their_order_and_a_role_by_the_chains_beginning() {
    let request = r#"{"roleArn":"arn:aws:iam::111122223333:role/X","sourceIdentity":"who","roleSessionName":"agent-7"}"#;
    let records = [minted(&by_key("AKIAUSERUSERUSERUSER"), request, CHILD)];
    let check = |fallbacks: &str| {
        agent_of(rules(fallbacks), &records).map(|(name, basis, _)| (name, basis))
    };
    assert_eq!(
        check(r#"{"by":"source-identity"},{"by":"role"}"#),
        Ok(("who".to_owned(), Basis::SourceIdentity))
    );
    assert_eq!(
        check(r#"{"by":"source-identity","matching":"bot-*"},{"by":"role","matching":"X"}"#),
        Ok(("X".to_owned(), Basis::Role))
    );
    assert_eq!(
        check(r#"{"by":"session-name","matching":"na*","prefix":"na"}"#),
        Ok(("me".to_owned(), Basis::SessionName))
    );
    assert_eq!(check(r#"{"by":"session-name","matching":"no*"}"#), Err(Cause::NoTag));
    let chained = [used(PARENT, 1), minted(&by_key(PARENT), request, CHILD)];
    let named = agent_of(rules(r#"{"by":"role"}"#), &chained);
    assert_eq!(named, Ok(("Role-PARE".to_owned(), Basis::Role, true)));
}

#[test]
fn a_class_is_a_tag_or_else_a_list() {
    let class_of = |classes: &str, request: &str| {
        let rules: AgentRules =
            serde_json::from_str(&format!(r#"{{"classes":{{{classes}}}}}"#)).unwrap();
        let records = [used(CHILD, 5), minted(&by_key("AKIAUSERUSERUSERUSER"), request, CHILD)];
        let sessions = resolve_with(rules, &records);
        let session = session_of(&sessions, CHILD);
        let class = session.agent().and_then(|agent| agent.class.clone());
        class.map(|class| class.untrusted().as_unescaped().to_owned())
    };
    let plain = r#"{"tags":[{"key":"AgentID","value":"a"}]}"#;
    let tagged =
        r#"{"tags":[{"key":"AgentID","value":"a"},{"key":"AgentClass","value":"tagged"}]}"#;
    assert_eq!(class_of(r#""listed":["b","a"]"#, plain).as_deref(), Some("listed"));
    assert_eq!(class_of(r#""listed":["b","a"]"#, tagged).as_deref(), Some("tagged"));
    assert_eq!(class_of(r#""listed":["b"]"#, plain), None);
    let twice =
        serde_json::from_str::<AgentRules>(r#"{"classes":{"one":["a\u001b"],"two":["a\u001b"]}}"#);
    let error = twice.unwrap_err().to_string();
    assert!(error.starts_with(r"`a\u{1b}` is in two classes: `one` and `two`"), "{error}");
    assert!(serde_json::from_str::<AgentRules>(r#"{"classes":{"":["a"]}}"#).is_err());
}

#[test]
fn trap_5_what_stays_unattributed_says_why() {
    let other = minted(&by_key("AKIAUSERUSERUSERUSER"), TAGS, PARENT);
    let service = record(
        "Decrypt",
        1,
        r#""userIdentity":{"type":"AWSService","invokedBy":"x.amazonaws.com"}"#,
    );
    let nobody = record(
        "ConsoleLogin",
        1,
        r#""userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/u"}"#,
    );
    let records = [other, used(CHILD, 5), used("AKIAUSERUSERUSERUSER", 6), service, nobody];
    let coverage = resolve_with(AgentRules::default(), &records).coverage();
    let causes: Vec<Cause> = coverage.unattributed.keys().copied().collect();
    assert_eq!(causes, [Cause::NoMint, Cause::LongLivedKey, Cause::Service, Cause::Unknown]);
    assert_eq!(agent_of(AgentRules::default(), &[used(CHILD, 5)]), Err(Cause::NoMintAtAll));
}

/// Everything that is known in the end, as text.
fn rendered(sessions: &Sessions) -> String {
    let mut text = format!("{:?}\n", sessions.coverage());
    for session in sessions.iter() {
        let lineage: Vec<_> =
            sessions.lineage_of(&session).into_iter().map(|session| session.id).collect();
        let Session { id, root, parent, named, first, last, records, role, account, .. } = &session;
        text += &format!(
            "{id:?} {root:?} {parent:?} {named:?} {first} {last} {records} {role:?} {account:?} {lineage:?} "
        );
        text.push('\n');
    }
    text
}

/// Mints and uses over a few keys, forged ones among them.
fn world() -> impl Strategy<Value = Vec<String>> {
    let keys =
        ["AKIAUSERUSERUSERUSER", PARENT, CHILD, "ASIATHIRDTHIRDTHIRDT", "ASIAFOURTHFOURTHFOUR"];
    let key = proptest::sample::select(keys.to_vec());
    let request =
        proptest::sample::select(vec!["{}", TAGS, r#"{"tags":[{"key":"AgentID","value":"b"}]}"#]);
    let step = prop_oneof![
        (key.clone(), 0_u32..59).prop_map(|(key, second)| used(key, second)),
        (key.clone(), request, key).prop_map(|(caller, request, child)| minted(
            &by_key(caller),
            request,
            child
        )),
    ];
    proptest::collection::vec(step, 1..14)
}

proptest! {
    #[test]
    fn order_leaves_no_trace(records in world().prop_flat_map(|records| {
        let shuffled = Just(records.clone()).prop_shuffle();
        (Just(records), shuffled)
    })) {
        let (records, shuffled) = records;
        let expected = rendered(&resolve_with(AgentRules::default(), &records));
        let mut attributor = Attributor::new(AgentRules::default(), 3);
        for (nth, text) in shuffled.iter().enumerate() {
            let record = Record::parse(text).unwrap();
            // Directly, or by way of what is set aside: the same.
            if nth % 2 == 0 {
                attributor.observe(&record);
            } else {
                attributor.note_mint(&record);
                attributor.note_mint(&record);
                attributor.observe_call(&Use::of(&record));
            }
        }
        prop_assert_eq!(rendered(&attributor.resolve()), expected);
    }
}
