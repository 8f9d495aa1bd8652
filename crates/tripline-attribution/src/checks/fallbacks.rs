//! What names an agent where there is no tag.

use super::{
    ASSUME, TAGGED, agent_of, assumed, call, key, record, resolve_by, role_session, session,
};
use crate::{AgentRules, Basis, Cause, Fallback, NamePattern, Pattern};

fn glob(text: &str) -> Pattern {
    Pattern::try_from(text.to_owned()).unwrap()
}

fn rules(fallbacks: Vec<Fallback>) -> AgentRules {
    AgentRules { fallbacks, ..AgentRules::default() }
}

fn by_role(text: &str) -> Fallback {
    Fallback::Role { matching: glob(text) }
}

fn by_session_name(session: &str, role: &str) -> Fallback {
    Fallback::SessionName {
        matching: Pattern::default(),
        role: glob(role),
        prefix: String::new(),
        session: NamePattern::try_from(session.to_owned()).unwrap(),
    }
}

fn with_source_identity(identity: &str, name: &str) -> String {
    identity.replace(r#""attributes""#, &format!(r#""sourceIdentity":"{name}","attributes""#))
}

#[test]
fn a_source_identity_names_with_and_without_the_mint() {
    let rules = || rules(vec![Fallback::SourceIdentity { matching: glob("agent-*") }]);
    let tool = role_session(&key(1), "Tool", "s1", 0);
    let used = call(1, 5, &with_source_identity(&tool, "agent-9"));
    let named = session(&resolve_by(rules(), &[used]), &key(1));
    assert_eq!((agent_of(&named), named.basis()), (Ok("agent-9"), Some(Basis::SourceIdentity)));
    let asked = r#","sourceIdentity":"agent-9""#;
    let mint = record(2, 0, ASSUME, &super::runner(), &assumed(&key(1), "Tool", "s1", asked));
    assert_eq!(agent_of(&session(&resolve_by(rules(), &[mint]), &key(1))), Ok("agent-9"));
    let person = call(1, 5, &with_source_identity(&tool, "ann"));
    let person = session(&resolve_by(rules(), &[person]), &key(1));
    assert_eq!(agent_of(&person), Err(Cause::NoMintAtAll));
}

#[test]
fn a_part_of_the_session_name_names_in_some_roles() {
    let rules = || rules(vec![by_session_name("agent-{agent}-*", "deploy-*")]);
    let of = |role: &str, name: &str| {
        let used = call(1, 5, &role_session(&key(1), role, name, 0));
        session(&resolve_by(rules(), &[used]), &key(1)).agent().cloned()
    };
    let named = of("deploy-eu", "agent-web-17").unwrap();
    assert_eq!(named.id.untrusted(), "web");
    assert_eq!(of("other", "agent-web-17"), None);
    assert_eq!(of("deploy-eu", "web-17"), None);
}

#[test]
fn an_agent_known_by_its_role_stays_itself_in_another() {
    let tool = role_session(&key(1), "agent-tool", "s1", 0);
    let chained = record(1, 60, ASSUME, &tool, &assumed(&key(2), "agent-deep", "s2", ""));
    let sessions = resolve_by(rules(vec![by_role("agent-*")]), std::slice::from_ref(&chained));
    let child = session(&sessions, &key(2));
    assert_eq!((agent_of(&child), child.basis()), (Ok("agent-tool"), Some(Basis::Role)));
    assert_eq!(child.root.untrusted(), key(1).as_str());
    let by_arn = rules(vec![by_role("arn:aws:iam::111122223333:role/agent-deep")]);
    assert_eq!(agent_of(&session(&resolve_by(by_arn, &[chained]), &key(2))), Ok("agent-deep"));
}

#[test]
fn a_user_names_what_its_key_mints_and_a_token_subject_does_not() {
    let rules = || rules(vec![Fallback::User { matching: Pattern::default() }]);
    let user = r#"{"type":"IAMUser","principalId":"AIDAUSER","accessKeyId":"AKIA0000000000000001","userName":"bot"}"#;
    let mint = record(1, 0, ASSUME, user, &assumed(&key(1), "Tool", "s1", ""));
    let child = session(&resolve_by(rules(), &[mint]), &key(1));
    assert_eq!((agent_of(&child), child.basis()), (Ok("bot"), Some(Basis::User)));
    let web = r#"{"type":"WebIdentityUser","principalId":"p:a:sub","userName":"sub"}"#;
    let event = ("sts", "AssumeRoleWithWebIdentity");
    let mint = record(1, 0, event, web, &assumed(&key(1), "Tool", "s1", ""));
    let sessions = resolve_by(rules(), &[mint]);
    assert!(sessions.iter().all(|session| session.agent().is_none()));
}

#[test]
fn a_tag_comes_before_every_fallback_and_fallbacks_in_their_order() {
    let fallbacks = vec![by_session_name("s-{agent}", "*"), by_role("*")];
    let of = |name: &str, asked: &str| {
        let mint = record(1, 0, ASSUME, &super::runner(), &assumed(&key(1), "Tool", name, asked));
        let named = session(&resolve_by(rules(fallbacks.clone()), &[mint]), &key(1));
        (agent_of(&named).unwrap().to_owned(), named.basis().unwrap())
    };
    assert_eq!(of("s-x", TAGGED), ("agent-1".to_owned(), Basis::SessionTag));
    assert_eq!(of("s-x", ""), ("x".to_owned(), Basis::SessionName));
    assert_eq!(of("t-x", ""), ("Runner".to_owned(), Basis::Role));
}
