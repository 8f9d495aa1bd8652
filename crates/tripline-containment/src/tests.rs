//! A plan cuts the agent, and nobody beside it: judged by what each session can still do afterwards.

use std::collections::BTreeSet;

use iam_rs::{
    Arn as OracleArn, Context, Decision, IAMPolicy, IAMRequest, Principal, PrincipalId as OracleId,
    evaluate_policy,
};
use proptest::prelude::*;
use serde_json::Value;
use tripline_iam::{AccountId, Arn, PrincipalId, TagKey};
use tripline_text::Untrusted;

use crate::{
    Grounds, Plan, Refusal, RoleFacts, SessionKind, StepKind, Target, TargetSession,
    TrustKnowledge, plan,
};

const NOW: i64 = 1_795_168_800;
const ROLE: &str = "arn:aws:iam::111122223333:role/AgentRuntime";
const OTHER_ROLE: &str = "arn:aws:iam::444455556666:role/Exports";

fn session(id: &str, principal: &str, role: &str) -> TargetSession {
    TargetSession {
        id: Untrusted::new(id.to_owned()),
        kind: SessionKind::Role,
        principal: PrincipalId::parse(principal).ok(),
        role: Arn::parse(role).ok(),
        user: None,
        account: AccountId::parse("111122223333").ok(),
        minted_unix_secs: NOW - 600,
        ends_by_unix_secs: NOW + 3_000,
    }
}

fn role(arn: &str, other_users: usize, trust: TrustKnowledge) -> RoleFacts {
    let arn = Arn::parse(arn).unwrap();
    RoleFacts { account: arn.account(), arn, other_users, trust }
}

fn target(agent: &str, sessions: Vec<TargetSession>, roles: Vec<RoleFacts>) -> Target {
    Target {
        agent: Some(Untrusted::new(agent.to_owned())),
        agent_tag: TagKey::parse("AgentID").ok(),
        incident: 7,
        sessions,
        minted_by: PrincipalId::parse("AROARUNNERRUNNERRUNNE:i-1").ok(),
        roles,
        protected: BTreeSet::new(),
        management_accounts: BTreeSet::new(),
        now_unix_secs: NOW,
    }
}

/// What a caller looks like to IAM.
#[derive(Clone, Debug, Default)]
struct Caller {
    user_id: String,
    agent_tag: Option<String>,
    requested_tag: Option<String>,
    issued: i64,
}

/// A second, naive reading of the few constructs that our documents use.
fn denies(statement: &Value, caller: &Caller) -> bool {
    assert_eq!(statement["Effect"], "Deny");
    let Some(conditions) = statement["Condition"].as_object() else { return true };
    conditions.iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, values)| {
            let values: Vec<String> = match values {
                Value::Array(many) => {
                    many.iter().map(|one| literal(one.as_str().unwrap())).collect()
                }
                one => vec![literal(one.as_str().unwrap())],
            };
            let actual = match key.as_str() {
                "aws:userid" => Some(caller.user_id.clone()),
                "aws:PrincipalTag/AgentID" => caller.agent_tag.clone(),
                "aws:RequestTag/AgentID" => caller.requested_tag.clone(),
                "aws:TokenIssueTime" => {
                    assert_eq!(operator, "DateLessThan");
                    let cut_off: jiff::Timestamp = values[0].parse().unwrap();
                    return caller.issued < cut_off.as_second();
                }
                other => panic!("{other} is not among the constructs we use"),
            };
            assert_eq!(operator, "StringEquals");
            // A key that is missing compares to nothing.
            actual.is_some_and(|actual| values.contains(&actual))
        })
    })
}

/// `${*}`, `${?}` and `${$}` are the characters themselves; any other `${` would be a variable.
fn literal(text: &str) -> String {
    let plain = text.replace("${*}", "*").replace("${?}", "?").replace("${$}", "\u{0}");
    assert!(!plain.contains('$'), "a variable in {text}");
    plain.replace('\u{0}', "$")
}

fn statements<'p>(plan: &'p Plan, kind: StepKind) -> impl Iterator<Item = Value> + 'p {
    plan.steps.iter().filter(move |step| step.kind == kind).map(|step| {
        let document: Value = serde_json::from_str(&step.document).unwrap();
        match document.get("Statement") {
            Some(statements) => statements[0].clone(),
            None => document,
        }
    })
}

fn is_cut(plan: &Plan, caller: &Caller) -> bool {
    [StepKind::DenySessions, StepKind::DenyTag]
        .into_iter()
        .any(|kind| statements(plan, kind).any(|statement| denies(&statement, caller)))
}

/// The same, by somebody else's evaluator.
fn oracle_denies(document: &str, caller: &Caller) -> bool {
    let policy: IAMPolicy = serde_json::from_str(document).unwrap();
    let mut context = Context::new().with_string("aws:userid", caller.user_id.clone());
    if let Some(tag) = &caller.agent_tag {
        context = context.with_string("aws:PrincipalTag/AgentID", tag.clone());
    }
    let request = IAMRequest::new_with_context(
        Principal::Aws(OracleId::String("arn:aws:iam::111122223333:role/AgentRuntime".to_owned())),
        "s3:GetObject",
        OracleArn::parse("arn:aws:s3:::bucket/key").unwrap(),
        context,
    );
    evaluate_policy(&policy, &request).unwrap() == Decision::Deny
}

/// Names as an attacker would choose them.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        Just("*".to_owned()),
        Just("?".to_owned()),
        Just("${aws:PrincipalTag/AgentID}".to_owned()),
        Just("a\",\"Effect\":\"Allow".to_owned()),
        "[ -~]{1,12}",
    ]
}

proptest! {
    #[test]
    fn a_plan_cuts_the_agent_and_not_its_sibling(mine in name(), sibling in name(), pinned: bool) {
        prop_assume!(mine != sibling);
        let trust = if pinned { TrustKnowledge::PinsTag } else { TrustKnowledge::NotRead };
        let my_id = format!("AROAAGENTAGENTAGENTA:{mine}");
        let target = target(&mine, vec![session("ASIAMINE", &my_id, ROLE)], vec![role(ROLE, 1, trust)]);
        let plan = plan(&target, target.grounds()).unwrap();
        let me = Caller { user_id: my_id, agent_tag: Some(mine.clone()), ..Caller::default() };
        let beside = Caller {
            user_id: format!("AROAAGENTAGENTAGENTA:{sibling}"),
            agent_tag: Some(sibling.clone()),
            ..Caller::default()
        };
        prop_assert!(is_cut(&plan, &me));
        prop_assert!(!is_cut(&plan, &beside));
        let untagged = Caller { agent_tag: None, ..beside.clone() };
        prop_assert!(!is_cut(&plan, &untagged));
        // Pinned, a fresh session is cut by its tag; otherwise the minter is kept from opening one.
        let fresh = Caller { user_id: "AROAAGENTAGENTAGENTA:fresh-name".to_owned(), agent_tag: Some(mine.clone()), ..Caller::default() };
        prop_assert_eq!(is_cut(&plan, &fresh), pinned);
        let entry = |user_id: &str, requested: &str| {
            let caller = Caller { user_id: user_id.to_owned(), requested_tag: Some(requested.to_owned()), ..Caller::default() };
            statements(&plan, StepKind::BlockReEntry).any(|statement| denies(&statement, &caller))
        };
        prop_assert!(entry("AROARUNNERRUNNERRUNNE:i-1", &mine));
        prop_assert!(!entry("AROARUNNERRUNNERRUNNE:i-1", &sibling));
        prop_assert_eq!(entry("AROASOMEBODYELSESOME:x", &mine), pinned);
        // The oracle knows no `${*}`: names without those characters only.
        let plain = |name: &str| name.chars().all(|c| c.is_ascii_lowercase());
        if plain(&mine) && plain(&sibling) {
            for step in plan.steps.iter().filter(|step| step.kind != StepKind::BlockReEntry) {
                prop_assert!(oracle_denies(&step.document, &me), "{}", step.document);
                prop_assert!(!oracle_denies(&step.document, &beside), "{}", step.document);
            }
        }
        let mut text = String::new();
        plan.write_text(&mut text).unwrap();
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        prop_assert_eq!(plan.to_json()["steps"].as_array().unwrap().len(), plan.steps.len());
    }
}

fn kinds(plan: &Plan) -> Vec<StepKind> {
    plan.steps.iter().map(|step| step.kind).collect()
}

#[test]
fn the_way_in_is_blocked_first_and_a_chain_is_followed_into_another_account() {
    let sessions =
        vec![session("ASIAROOT", "AROAA:run", ROLE), session("ASIAHOP", "AROAB:hop", OTHER_ROLE)];
    let roles =
        vec![role(ROLE, 2, TrustKnowledge::NotRead), role(OTHER_ROLE, 0, TrustKnowledge::NotRead)];
    let target = target("agent", sessions, roles);
    let plan = plan(&target, target.grounds()).unwrap();
    assert_eq!(
        kinds(&plan),
        [
            StepKind::BlockReEntry,
            StepKind::BlockReEntry,
            StepKind::DenySessions,
            StepKind::DenySessions,
            StepKind::RevokeOlder
        ]
    );
    // The tag was lost on the way: the second role is entered by the first session's id.
    let entry: Vec<Value> = statements(&plan, StepKind::BlockReEntry).collect();
    assert_eq!(entry[1]["Condition"]["StringEquals"]["aws:userid"], "AROAA:run");
    // A role that others use is offered as a whole, never planned.
    assert!(
        plan.steps
            .iter()
            .all(|step| step.kind != StepKind::RevokeOlder || step.subject == *OTHER_ROLE)
    );
    assert!(plan.offered.iter().any(|line| line.contains("whole role")));
}

#[test]
fn trap_22_a_revocation_hits_what_was_minted_until_now_and_nothing_later() {
    let target = target(
        "agent",
        vec![session("ASIAROOT", "AROAA:run", ROLE)],
        vec![role(ROLE, 0, TrustKnowledge::NotRead)],
    );
    let plan = plan(&target, target.grounds()).unwrap();
    let statement = statements(&plan, StepKind::RevokeOlder).next().unwrap();
    assert!(denies(&statement, &Caller { issued: NOW, ..Caller::default() }));
    assert!(!denies(&statement, &Caller { issued: NOW + 60, ..Caller::default() }));
}

#[test]
fn trap_21_old_news_contains_no_session() {
    let mut target = target(
        "agent",
        vec![session("ASIAROOT", "AROAA:run", ROLE)],
        vec![role(ROLE, 0, TrustKnowledge::NotRead)],
    );
    target.now_unix_secs = NOW + 86_400;
    assert_eq!(target.grounds(), Grounds::ReEntry);
    assert_eq!(kinds(&plan(&target, target.grounds()).unwrap()), [StepKind::BlockReEntry]);
}

#[test]
fn trap_8_what_must_not_be_touched_is_left_alone_and_the_rest_is_planned() {
    let linked =
        "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX";
    let sso =
        "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1";
    let responder = "arn:aws:iam::111122223333:role/Responder";
    let roles = [linked, sso, responder, ROLE].map(|arn| role(arn, 0, TrustKnowledge::NotRead));
    let sessions = [linked, sso, responder, ROLE].map(|arn| session("ASIA", "AROAA:run", arn));
    let mut target = target("agent", sessions.to_vec(), roles.to_vec());
    target.protected.insert(Arn::parse(responder).unwrap());
    let plan = plan(&target, target.grounds()).unwrap();
    let refused: Vec<&Refusal> = plan.refused.iter().map(|(_, why)| why).collect();
    assert_eq!(refused, [&Refusal::ServiceLinked, &Refusal::IdentityCenter, &Refusal::Protected]);
    assert!(!plan.steps.is_empty() && plan.steps.iter().all(|step| step.subject == *ROLE));
}

#[test]
fn a_text_that_no_policy_can_hold_concerns_its_role_only() {
    let sessions = vec![
        session("ASIAROOT", "AROAA:\u{4e2d}", ROLE),
        session("ASIAHOP", "AROAB:hop", OTHER_ROLE),
    ];
    let roles =
        vec![role(ROLE, 0, TrustKnowledge::NotRead), role(OTHER_ROLE, 0, TrustKnowledge::NotRead)];
    let target = target("agent", sessions, roles);
    let plan = plan(&target, target.grounds()).unwrap();
    assert!(plan.refused.iter().any(|(_, why)| *why == Refusal::NotInPolicy));
}

#[test]
fn a_long_lived_key_is_switched_off_and_its_user_denied() {
    let mut key = session("AKIAKEYKEYKEYKEYKEYK", "AIDAUSER", ROLE);
    key.kind = SessionKind::LongLivedKey;
    key.role = None;
    key.user = Some(Untrusted::borrowed("agent-user"));
    let target = target("agent", vec![key], Vec::new());
    let plan = plan(&target, target.grounds()).unwrap();
    assert_eq!(kinds(&plan), [StepKind::DeactivateKey, StepKind::DenyUser]);
}

#[test]
fn trap_7_two_incidents_have_two_names() {
    let mut first = target(
        "agent",
        vec![session("ASIAROOT", "AROAA:run", ROLE)],
        vec![role(ROLE, 1, TrustKnowledge::NotRead)],
    );
    let names = |target: &Target| -> Vec<Option<String>> {
        plan(target, target.grounds())
            .unwrap()
            .steps
            .into_iter()
            .map(|step| step.policy_name)
            .collect()
    };
    let before = names(&first);
    assert_eq!(before, names(&first));
    first.incident = 8;
    assert_ne!(before, names(&first));
}

#[test]
fn nothing_known_is_a_refusal() {
    let empty = target("agent", Vec::new(), Vec::new());
    assert_eq!(plan(&empty, Grounds::Operator).unwrap_err(), Refusal::NoSession);
    let mut nameless = session("ASIA", "AROAA:run", ROLE);
    nameless.principal = None;
    nameless.role = None;
    let target = target("agent", vec![nameless], Vec::new());
    assert_eq!(plan(&target, target.grounds()).unwrap_err(), Refusal::NoPrincipal);
}
