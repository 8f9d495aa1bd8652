//! One test for each way of creating credentials.

use tripline_cloudtrail::Record;

use super::{
    ASSUME, TAGGED, agent_of, agent_session, assumed, at, call, ids, key, record, resolve,
    role_session, runner, session,
};
use crate::counted::Attributor;
use crate::{AgentRules, Basis, Cause};

#[test]
fn assume_role_with_a_list_of_tags() {
    let (mint, identity) = agent_session(1, &key(1));
    let sessions = resolve(&[mint, call(2, 5, &identity)]);
    let session = session(&sessions, &key(1));
    assert_eq!(agent_of(&session), Ok("agent-1"));
    assert_eq!(session.basis(), Some(Basis::SessionTag));
    assert_eq!((session.minted, session.ends_by), (Some(at(0)), Some(at(3_600))));
    assert_eq!(session.tag_is_transitive, Some(false));
    assert_eq!((session.first, session.records), (at(5), 1));
    assert_eq!(session.minter.as_ref().unwrap(), &"AROARunner:ci");
    assert_eq!(ids(&session.lineage), ["ASIARUNNER0000000000", &key(1)]);
    assert_eq!(session.root, session.id, "the runner is nobody's, so it is not this agent's root");
}

#[test]
fn a_chained_role_inherits_by_the_key_and_lives_an_hour() {
    let (mint, parent) = agent_session(1, &key(1));
    let asked = r#","durationSeconds":43200,"incomingTransitiveTags":{"TenantID":"t-9"}"#;
    let chained = record(2, 60, ASSUME, &parent, &assumed(&key(2), "Deep", "s2", asked));
    let sessions = resolve(&[mint, chained, call(3, 70, &role_session(&key(2), "Deep", "s2", 60))]);
    let session = session(&sessions, &key(2));
    assert_eq!(agent_of(&session), Ok("agent-1"));
    assert!(session.named.as_ref().unwrap().inherited);
    assert_eq!(session.ends_by, Some(at(3_660)));
    assert_eq!(session.tenant.as_ref().unwrap(), &"t-9");
    assert_eq!(session.root.untrusted(), key(1).as_str());
    assert_eq!(session.tag_is_transitive, None);
}

#[test]
fn inherited_transitive_tags_name_without_the_parent() {
    let asked = r#","incomingTransitiveTags":{"agentid":"agent-4"},"transitiveTagKeys":["x"]"#;
    let mint = record(1, 0, ASSUME, &runner(), &assumed(&key(1), "Tool", "s1", asked));
    let session = session(&resolve(&[mint]), &key(1));
    assert_eq!((agent_of(&session), session.tag_is_transitive), (Ok("agent-4"), Some(true)));
}

#[test]
fn saml_and_web_identity_have_a_map_of_tags_and_no_caller() {
    for (number, event, kind) in
        [(1, "AssumeRoleWithSAML", "SAMLUser"), (2, "AssumeRoleWithWebIdentity", "WebIdentityUser")]
    {
        let asked = r#","principalTags":{"AgentID":"agent-2"},"transitiveTagKeys":["AGENTID"]"#;
        let identity = format!(r#"{{"type":"{kind}","principalId":"p:a:sub","userName":"sub"}}"#);
        let more = assumed(&key(number), "Tool", "s1", asked);
        let sessions = resolve(&[record(1, 0, ("sts", event), &identity, &more)]);
        let minted = session(&sessions, &key(number));
        assert_eq!(agent_of(&minted), Ok("agent-2"));
        assert_eq!((minted.parent, minted.tag_is_transitive), (None, Some(true)));
        assert_eq!(agent_of(&session(&sessions, "p:a:sub")), Err(Cause::Unknown));
    }
}

#[test]
fn federation_and_session_tokens_of_a_user() {
    let user = r#"{"type":"IAMUser","principalId":"AIDAUSER","accountId":"111122223333",
        "arn":"arn:aws:iam::111122223333:user/ci","accessKeyId":"AKIA0000000000000001","userName":"ci"}"#;
    let federated = format!(
        r#","requestParameters":{{"name":"bob"{TAGGED}}},"responseElements":{{
        "credentials":{{"accessKeyId":"{}"}},"federatedUser":{{"federatedUserId":"111122223333:bob",
        "arn":"arn:aws:sts::111122223333:federated-user/bob"}}}}"#,
        key(1)
    );
    let token = format!(
        r#","requestParameters":{{"durationSeconds":900.0}},
        "responseElements":{{"credentials":{{"accessKeyId":"{}"}}}}"#,
        key(2)
    );
    let sessions = resolve(&[
        record(1, 0, ("sts", "GetFederationToken"), user, &federated),
        record(2, 0, ("sts", "GetSessionToken"), user, &token),
        call(3, 9, &format!(r#"{{"type":"IAMUser","accessKeyId":"{}"}}"#, key(2))),
    ]);
    let federated = session(&sessions, &key(1));
    assert_eq!((agent_of(&federated), federated.ends_by), (Ok("agent-1"), Some(at(43_200))));
    assert_eq!(federated.principal.unwrap(), "111122223333:bob");
    assert_eq!(federated.parent.unwrap().untrusted(), "AKIA0000000000000001");
    let token = session(&sessions, &key(2));
    assert_eq!((agent_of(&token), token.ends_by), (Err(Cause::NoTag), Some(at(900))));
    assert_eq!(token.root.untrusted(), "AKIA0000000000000001");
    assert_eq!(agent_of(&session(&sessions, "AKIA0000000000000001")), Err(Cause::LongLivedKey));
}

#[test]
fn assume_root_is_a_child_for_a_quarter_of_an_hour() {
    let (mint, identity) = agent_session(1, &key(1));
    let more = format!(
        r#","requestParameters":{{"targetPrincipal":"444455556666","durationSeconds":9000}},
        "responseElements":{{"credentials":{{"accessKeyId":"{}"}}}}"#,
        key(2)
    );
    let root = record(2, 60, ("sts", "AssumeRoot"), &identity, &more);
    let session = session(&resolve(&[mint, root]), &key(2));
    assert_eq!((agent_of(&session), session.ends_by), (Ok("agent-1"), Some(at(960))));
}

#[test]
fn pod_identity_is_minted_by_a_service() {
    let rules = AgentRules {
        agent_tags: vec![tripline_iam::TagKey::parse("kubernetes-service-account").unwrap()],
        ..AgentRules::default()
    };
    let identity = r#"{"type":"AWSService","invokedBy":"pods.eks.amazonaws.com"}"#;
    let asked = r#","durationSeconds":21600,"tags":[{"key":"eks-cluster-name","value":"c"},
        {"key":"kubernetes-service-account","value":"agent-3"}],
        "transitiveTagKeys":["kubernetes-service-account"]"#;
    let mint = record(1, 0, ASSUME, identity, &assumed(&key(1), "Pod", "eks-c-p-1", asked));
    let sessions = super::resolve_by(rules, &[mint]);
    let minted = session(&sessions, &key(1));
    assert_eq!((agent_of(&minted), minted.ends_by), (Ok("agent-3"), Some(at(21_600))));
    let service = session(&sessions, "pods.eks.amazonaws.com");
    assert_eq!(agent_of(&service), Err(Cause::Service));
}

/// Roles Anywhere logs the request, STS what Roles Anywhere asked it: one key, two records.
#[test]
fn roles_anywhere_and_sts_tell_of_one_mint() {
    let front = format!(
        r#","requestParameters":{{"roleArn":"arn:aws:iam::111122223333:role/Tool"}},
        "responseElements":{{"credentialSet":[{{"assumedRoleUser":{{"arn":"HIDDEN_DUE_TO_SECURITY_REASONS"}},
        "credentials":{{"accessKeyId":"{}","expiration":"Nov 20, 2026, 4:00:00 PM"}}}}]}}"#,
        key(1)
    );
    let unknown =
        r#"{"type":"Unknown","principalId":"","accountId":"111122223333","accessKeyId":""}"#;
    let service = r#"{"type":"AWSService","invokedBy":"rolesanywhere.amazonaws.com"}"#;
    let asked = r#","sourceIdentity":"CN=agent-1","tags":[{"key":"x509SAN/URI","value":"spiffe://a"},
        {"key":"AgentID","value":"agent-1"}]"#;
    let front = record(1, 1, ("rolesanywhere", "CreateSession"), unknown, &front);
    let sts = record(2, 0, ASSUME, service, &assumed(&key(1), "Tool", "0f", asked));
    let alone = session(&resolve(std::slice::from_ref(&front)), &key(1));
    assert_eq!(agent_of(&alone), Err(Cause::NoTag));
    let both = session(&resolve(&[front, sts]), &key(1));
    assert_eq!(agent_of(&both), Ok("agent-1"));
    assert_eq!(both.source_identity.unwrap(), "CN=agent-1");
    assert_eq!((both.minted, both.ends_by), (Some(at(0)), Some(at(6 * 3_600))));
}

#[test]
fn s3_express_keys_live_five_minutes_under_their_session() {
    let (mint, identity) = agent_session(1, &key(1));
    let more = format!(r#","responseElements":{{"credentials":{{"accessKeyId":"{}"}}}}"#, key(2));
    let express = record(2, 60, ("s3express", "CreateSession"), &identity, &more);
    let session = session(&resolve(&[mint, express]), &key(2));
    assert_eq!((agent_of(&session), session.ends_by), (Ok("agent-1"), Some(at(360))));
}

#[test]
fn access_grants_lead_from_the_requester_to_the_location_role() {
    let (mint, identity) = agent_session(1, &key(1));
    let front = format!(
        r#","requestParameters":{{"durationSeconds":43200}},
        "responseElements":{{"credentials":{{"accessKeyId":"{}"}}}}"#,
        key(2)
    );
    let front = record(2, 60, ("s3", "GetDataAccess"), &identity, &front);
    let service = r#"{"type":"AWSService","invokedBy":"access-grants.s3.amazonaws.com"}"#;
    let sts = record(3, 59, ASSUME, service, &assumed(&key(2), "Location", "ag", ""));
    let session = session(&resolve(&[mint, front, sts]), &key(2));
    assert_eq!(
        (agent_of(&session), session.role.clone().unwrap()),
        (
            Ok("agent-1"),
            tripline_text::Untrusted::borrowed("arn:aws:iam::111122223333:role/Location")
        )
    );
    assert_eq!(session.ends_by, Some(at(60 + 43_200)), "this is no chained role");
}

#[test]
fn cognito_and_identity_center_keys_where_they_are_logged() {
    let answer = |name: &str, member: &str, number| {
        format!(r#","responseElements":{{"{name}":{{"{member}":"{}"}}}}"#, key(number))
    };
    let nobody = r#"{"type":"Unknown","accountId":"111122223333"}"#;
    let sessions = resolve(&[
        record(
            1,
            0,
            ("cognito-identity", "GetCredentialsForIdentity"),
            nobody,
            &answer("credentials", "accessKeyId", 1),
        ),
        record(
            2,
            0,
            ("sso", "GetRoleCredentials"),
            nobody,
            &answer("roleCredentials", "accessKeyId", 2),
        ),
    ]);
    assert_eq!(session(&sessions, &key(1)).ends_by, Some(at(3_600)));
    assert_eq!(session(&sessions, &key(2)).ends_by, Some(at(43_200)));
}

/// Lake Formation's `GetDataAccess` and Bedrock's `CreateSession` hand out no key, nor are they
/// failed mints.
#[test]
fn like_named_events_of_other_services_mint_nothing() {
    for event in [("lakeformation", "GetDataAccess"), ("bedrock", "CreateSession")] {
        let more = r#","responseElements":{"sessionId":"x"}"#;
        let sessions = resolve(&[record(1, 0, event, &runner(), more)]);
        assert_eq!(
            (sessions.iter().count(), sessions.coverage().failed_mints),
            (1, 0),
            "{event:?}"
        );
    }
}

/// EC2 and Lambda leave the length of their sessions to STS: there `expiration` is all there is.
#[test]
fn expiration_lengthens_what_no_request_limits() {
    let service = r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#;
    let with = |expiration: &str| {
        let more =
            assumed(&key(1), "Host", "i-0", "").replace("Nov 20, 2026, 11:00:00 AM", expiration);
        session(&resolve(&[record(1, 0, ASSUME, service, &more)]), &key(1)).ends_by
    };
    assert_eq!(with("Nov 20, 2026, 4:30:00\u{202f}PM"), Some(at(23_400)));
    assert_eq!(with("Nov 20, 2036, 4:30:00 PM"), Some(at(43_200)), "no longer than can be");
    assert_eq!(with("whenever"), Some(at(3_600)));
}

/// Product rule 4: what is a secret is never kept.
#[test]
fn a_session_token_is_not_kept() {
    let (mint, identity) = agent_session(1, &key(1));
    let mut attributor = Attributor::new(AgentRules::default(), 1);
    attributor.observe(&Record::parse(&mint).unwrap());
    attributor.observe(&Record::parse(&call(2, 3, &identity)).unwrap());
    assert!(!attributor.texts.iter().any(|text| text.contains("SECRETTOKEN")));
}
