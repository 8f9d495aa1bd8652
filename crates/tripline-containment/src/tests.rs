//! A plan cuts the agent, and nobody beside it: judged by what each caller can still do afterwards, by
//! the plan's own claims and by somebody else's evaluator.

use std::collections::BTreeSet;

use iam_rs::{
    Arn as OracleArn, Context, Decision, IAMPolicy, IAMRequest, Principal, PrincipalId as OracleId,
    evaluate_policy,
};
use proptest::prelude::*;
use tripline_iam::{
    AccessKeyId, AccountId, Arn, PrincipalId, RoleName, SourceIdentity, TagKey, UserName,
};
use tripline_text::Untrusted;

use crate::*;

const NOW: i64 = 1_795_168_800;
const ROLE: &str = "arn:aws:iam::111122223333:role/agents/AgentRuntime";
const OTHER_ROLE: &str = "arn:aws:iam::444455556666:role/Exports";
const RUNNER: &str = "AROARUNNERRUNNERRUNNE:i-1";
/// Pins the tag and the source identity to the runner.
const PINNED: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Runner"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{"StringEquals":{"aws:RequestTag/AgentID":["a","b"],"sts:SourceIdentity":["a","b"]}}}]}"#;

fn session(id: &str, principal: &str, role: &str) -> TargetSession {
    TargetSession {
        id: Untrusted::new(id.to_owned()),
        kind: SessionKind::Role,
        principal: PrincipalId::parse(principal).ok(),
        minted_by: PrincipalId::parse(RUNNER).ok(),
        is_chained: false,
        role: Arn::parse(role).ok(),
        user: None,
        account: AccountId::parse("111122223333").ok(),
        minted_unix_secs: NOW - 600,
        ends_by_unix_secs: NOW + 3_000,
    }
}

fn chained(id: &str, principal: &str, role: &str) -> TargetSession {
    TargetSession { is_chained: true, ..session(id, principal, role) }
}

fn role(arn: &str, other_users: usize, trust: Option<&str>) -> RoleFacts {
    let described = trust.map(|trust| Description {
        trust: Some(trust.to_owned()),
        inline_chars: 0,
        has_room_to_attach: true,
    });
    let arn = Arn::parse(arn).unwrap();
    RoleFacts { arn, other_users: Some(other_users), whole: false, described }
}

fn target(agent: &str, sessions: Vec<TargetSession>, roles: Vec<RoleFacts>) -> Target {
    Target {
        agent: Some(Untrusted::new(agent.to_owned())),
        agent_tag: TagKey::parse("AgentID").ok(),
        source_identity: None,
        incident: IncidentId::new(7),
        sessions,
        roles,
        created: Vec::new(),
        contain_created: false,
        protected: BTreeSet::new(),
        management_accounts: BTreeSet::new(),
        now_unix_secs: NOW,
    }
}

fn kill(target: &Target) -> Plan {
    plan_kill(target, target.grounds()).unwrap()
}

/// Statements of the plan: those that let nobody in, or the others.
fn denials(plan: &Plan, entry: bool) -> impl Iterator<Item = &Denial> {
    let steps =
        plan.steps.iter().filter(move |step| (step.kind == StepKind::BlockReEntry) == entry);
    steps.flat_map(|step| &step.denials)
}

/// A call of a session, as IAM sees it.
fn call(user_id: &str, tag: Option<&str>) -> Request {
    let call = Request::new("s3:GetObject", "arn:aws:s3:::bucket/key")
        .with("aws:userid", user_id)
        .with("aws:TokenIssueTime", "2026-11-20T09:50:00Z")
        .with("aws:CurrentTime", "2026-11-20T10:00:01Z");
    match tag {
        Some(tag) => call.with("aws:PrincipalTag/AgentID", tag),
        None => call,
    }
}

/// A request for a session with a tag.
fn request(user_id: &str, tag: &str) -> Request {
    Request::new("sts:AssumeRole", ROLE)
        .with("aws:userid", user_id)
        .with("aws:RequestTag/AgentID", tag)
        .with("sts:RoleSessionName", "any-name")
}

fn is_cut(plan: &Plan, request: &Request) -> bool {
    denials(plan, false).any(|denial| statement_denies(denial.text(), request).unwrap())
}

fn is_kept_out(plan: &Plan, request: &Request) -> bool {
    denials(plan, true).any(|denial| statement_denies(denial.text(), request).unwrap())
}

/// The same, by somebody else's evaluator.
fn oracle_denies(denial: &Denial, user_id: &str, tag: Option<&str>) -> bool {
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, denial.text());
    let policy: IAMPolicy = serde_json::from_str(&document).unwrap();
    let mut context = Context::new().with_string("aws:userid", user_id.to_owned());
    if let Some(tag) = tag {
        context = context.with_string("aws:PrincipalTag/AgentID", tag.to_owned());
    }
    let request = IAMRequest::new_with_context(
        Principal::Aws(OracleId::String(ROLE.to_owned())),
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
        let my_id = format!("AROAAGENTAGENTAGENTA:{mine}");
        let sibling_id = format!("AROAAGENTAGENTAGENTA:{sibling}");
        let trust = pinned.then_some(PINNED);
        let target = target(&mine, vec![session("ASIAMINE", &my_id, ROLE)], vec![role(ROLE, 1, trust)]);
        let plan = kill(&target);
        prop_assert!(is_cut(&plan, &call(&my_id, Some(&mine))));
        prop_assert!(!is_cut(&plan, &call(&sibling_id, Some(&sibling))));
        prop_assert!(!is_cut(&plan, &call(&sibling_id, None)));
        // Pinned, a fresh session is cut by its tag; otherwise the minter is kept from opening one.
        let fresh = call("AROAAGENTAGENTAGENTA:fresh-name", Some(&mine));
        prop_assert_eq!(is_cut(&plan, &fresh), pinned);
        // Trap 8: not pinned, nobody but the agent's own minter is kept out: a sibling that tags itself
        // with this name cannot have the agent's real minter locked out, nor the agent itself cut.
        prop_assert!(is_kept_out(&plan, &request(RUNNER, &mine)));
        prop_assert!(is_kept_out(&plan, &request("AROARUNNERRUNNERRUNNE:i-2", &mine)));
        prop_assert!(!is_kept_out(&plan, &request(RUNNER, &sibling)));
        prop_assert_eq!(is_kept_out(&plan, &request("AROASOMEBODYELSESOME:x", &mine)), pinned);
        // The oracle knows no `${*}`: names without those characters only.
        let plain = |name: &str| !name.contains(['*', '?', '$']);
        if plain(&mine) && plain(&sibling) {
            for denial in denials(&plan, false) {
                let claims = |request: &Request| statement_denies(denial.text(), request).unwrap();
                for (user_id, tag) in [(&my_id, Some(&mine)), (&sibling_id, Some(&sibling)), (&sibling_id, None)] {
                    let tag = tag.map(String::as_str);
                    let claim = claims(&call(user_id, tag));
                    prop_assert_eq!(oracle_denies(denial, user_id, tag), claim, "{}", denial.text());
                }
            }
        }
        let mut text = String::new();
        plan.write_text(&mut text).unwrap();
        prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
        let stored = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&stored).unwrap(), plan);
    }
}

fn kinds(plan: &Plan) -> Vec<StepKind> {
    plan.steps.iter().map(|step| step.kind).collect()
}

#[test]
fn the_way_in_is_blocked_first_and_a_chain_is_followed_into_another_account() {
    let sessions =
        vec![session("ASIAROOT", "AROAA:run", ROLE), chained("ASIAHOP", "AROAB:hop", OTHER_ROLE)];
    let target = target("agent", sessions, vec![role(ROLE, 2, None), role(OTHER_ROLE, 0, None)]);
    let plan = kill(&target);
    use StepKind::{BlockReEntry, Deny};
    assert_eq!(kinds(&plan), [BlockReEntry, BlockReEntry, Deny, Deny]);
    let accounts: Vec<String> =
        plan.steps.iter().map(|step| step.place.account().to_string()).collect();
    assert_eq!(accounts, ["111122223333", "444455556666", "111122223333", "444455556666"]);
    // Trap 3: the tag was lost on the way: the second role is entered, and the session in it denied, by
    // the sessions' ids.
    assert!(is_kept_out(&plan, &request("AROAA:run", "any")));
    assert!(is_cut(&plan, &call("AROAB:hop", None)));
    // A role that others use is offered as a whole, never planned; one that nobody else uses is revoked.
    let older = call("AROAB:older", None);
    let on = |place: usize| {
        plan.steps[place]
            .denials
            .iter()
            .any(|denial| statement_denies(denial.text(), &older).unwrap())
    };
    assert!(!on(2) && on(3));
    assert!(plan.offered.iter().any(|line| line.contains("whole role")));
}

#[test]
fn trap_22_a_revocation_hits_what_was_minted_until_now_and_nothing_later() {
    let sessions = vec![session("ASIAROOT", "AROAA:run", ROLE)];
    let plan = kill(&target("agent", sessions, vec![role(ROLE, 0, None)]));
    let minted = |time: &str| call("AROAA:another", None).with("aws:TokenIssueTime", time);
    assert!(is_cut(&plan, &minted("2026-11-20T10:00:00Z")));
    assert!(!is_cut(&plan, &minted("2026-11-20T10:01:00Z")));
}

#[test]
fn trap_21_old_news_contains_no_session() {
    let sessions = vec![session("ASIAROOT", "AROAA:run", ROLE)];
    let mut target = target("agent", sessions, vec![role(ROLE, 0, None)]);
    target.now_unix_secs = NOW + 86_400;
    assert_eq!(target.grounds(), Grounds::ReEntry);
    assert_eq!(kinds(&kill(&target)), [StepKind::BlockReEntry]);
}

#[test]
fn trap_8_what_must_not_be_touched_is_left_alone_and_the_rest_is_planned() {
    let linked =
        "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX";
    let sso =
        "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1";
    let responder = "arn:aws:iam::111122223333:role/tools/Responder";
    let all = [linked, sso, responder, ROLE];
    let sessions = all.map(|arn| session("ASIA", "AROAA:run", arn)).to_vec();
    let mut target = target("agent", sessions, all.map(|arn| role(arn, 0, None)).to_vec());
    // Who acts is known by the session's ARN, which leaves the path out.
    let acting = "arn:aws:sts::111122223333:assumed-role/Responder/tripline";
    target.protected.insert(Arn::parse(acting).unwrap());
    let plan = kill(&target);
    let refused: Vec<&Refusal> = plan.refused.iter().map(|(_, why)| why).collect();
    assert_eq!(refused, [&Refusal::ServiceLinked, &Refusal::IdentityCenter, &Refusal::Protected]);
    let name = RoleName::parse("AgentRuntime").unwrap();
    let is_its_own = |step: &Step| step.place.subject().name() == name.as_str();
    assert!(!plan.steps.is_empty() && plan.steps.iter().all(is_its_own));
}

#[test]
fn a_text_that_no_policy_can_hold_concerns_its_role_only() {
    let sessions = vec![
        session("ASIAROOT", "AROAA:\u{4e2d}", ROLE),
        session("ASIAHOP", "AROAB:hop", OTHER_ROLE),
    ];
    let target = target("agent", sessions, vec![role(ROLE, 0, None), role(OTHER_ROLE, 0, None)]);
    let plan = kill(&target);
    assert!(plan.refused.iter().any(|(_, why)| *why == Refusal::NotInPolicy));
    assert!(is_cut(&plan, &call("AROAB:hop", None)));
}

fn key_of_a_user() -> TargetSession {
    TargetSession {
        kind: SessionKind::LongLivedKey,
        role: None,
        user: Some(Untrusted::borrowed("agent-user")),
        ..session("AKIAKEYKEYKEYKEYKEYK", "AIDAUSER", ROLE)
    }
}

#[test]
fn a_long_lived_key_is_switched_off_and_its_user_denied_once() {
    // Temporary credentials of the same user: covered by the denial of the user.
    let temporary = TargetSession {
        id: Untrusted::borrowed("ASIATEMPORARY"),
        kind: SessionKind::UserSession,
        ..key_of_a_user()
    };
    let plan = kill(&target("agent", vec![key_of_a_user(), temporary], Vec::new()));
    assert_eq!(kinds(&plan), [StepKind::DeactivateKey, StepKind::Deny]);
    assert_eq!(plan.steps[1].denials.len(), 1);
    assert!(is_cut(&plan, &call("AIDAANY", None)));
    assert!(plan.sessions.iter().all(
        |session| session.ends_by_unix_secs.is_none() || session.id != *"AKIAKEYKEYKEYKEYKEYK"
    ));
}

#[test]
fn a_federated_user_is_denied_through_its_user_and_alone() {
    let federated = TargetSession {
        kind: SessionKind::UserSession,
        principal: PrincipalId::parse("111122223333:bot").ok(),
        ..key_of_a_user()
    };
    let plan = kill(&target("agent", vec![federated], Vec::new()));
    assert_eq!(kinds(&plan), [StepKind::Deny]);
    assert!(is_cut(&plan, &call("111122223333:bot", None)));
    assert!(!is_cut(&plan, &call("111122223333:other", None)));
    assert!(!is_cut(&plan, &call("AIDAUSER", None)));
}

#[test]
fn the_root_user_and_protected_users_are_left_alone() {
    let root = TargetSession {
        kind: SessionKind::UserSession,
        user: None,
        principal: PrincipalId::parse("111122223333").ok(),
        ..key_of_a_user()
    };
    let mut target = target("agent", vec![root, key_of_a_user()], Vec::new());
    target.protected.insert(Arn::parse("arn:aws:iam::111122223333:user/ops/agent-user").unwrap());
    let plan = kill(&target);
    let refused: Vec<&Refusal> = plan.refused.iter().map(|(_, why)| why).collect();
    assert_eq!(refused, [&Refusal::Root, &Refusal::Protected]);
    assert!(plan.steps.is_empty());
}

#[test]
fn the_management_account_is_left_to_a_person() {
    let account = AccountId::parse("111122223333").unwrap();
    let sessions = vec![session("ASIAROOT", "AROAA:run", ROLE), key_of_a_user()];
    let mut target = target("agent", sessions, vec![role(ROLE, 1, None)]);
    target.management_accounts.insert(account);
    let plan = kill(&target);
    assert!(plan.steps.is_empty());
    assert!(plan.refused.iter().all(|(_, why)| *why == Refusal::ManagementAccount));
    assert_eq!(plan.refused.len(), 2);
}

#[test]
fn a_sign_in_is_denied_by_its_arn() {
    let arn = "arn:aws:signin:us-east-1:111122223333:session/0c1f";
    let sign_in = TargetSession { kind: SessionKind::SignIn, ..session(arn, "AROAA:person", ROLE) };
    let plan = kill(&target("agent", vec![sign_in], vec![role(ROLE, 4, None)]));
    let by_arn = |arn: &str| call("AROAX:x", None).with("aws:SignInSessionArn", arn);
    assert!(is_cut(&plan, &by_arn(arn)));
    assert!(!is_cut(&plan, &by_arn("arn:aws:signin:us-east-1:111122223333:session/0c1e")));
}

#[test]
fn a_pinned_source_identity_is_a_key_and_one_that_is_not_is_none() {
    for (trust, expected) in [(Some(PINNED), true), (None, false)] {
        let mut target =
            target("a", vec![session("ASIAROOT", "AROAA:run", ROLE)], vec![role(ROLE, 3, trust)]);
        target.agent_tag = None;
        target.source_identity = SourceIdentity::parse("agent-42").ok();
        let plan = kill(&target);
        let fresh = call("AROAA:fresh", None).with("aws:SourceIdentity", "agent-42");
        assert_eq!(is_cut(&plan, &fresh), expected);
        let entry = Request::new("sts:AssumeRole", ROLE)
            .with("aws:userid", RUNNER)
            .with("sts:SourceIdentity", "agent-42");
        assert!(is_kept_out(&plan, &entry));
    }
}

#[test]
fn a_whole_role_is_denied_only_by_a_persons_word_and_says_whom_it_hits() {
    let mut facts = role(ROLE, 5, None);
    facts.whole = true;
    let plan = plan_kill(&target("agent", Vec::new(), vec![facts]), Grounds::Operator).unwrap();
    assert_eq!(kinds(&plan), [StepKind::Deny]);
    assert!(is_cut(&plan, &call("AROAA:anybody", None)));
    assert_eq!((plan.steps[0].others_hit, plan.steps[0].others_spared), (5, 0));
    let mut text = String::new();
    plan.write_text(&mut text).unwrap();
    assert!(text.contains("ALSO HITS 5 other users"), "{text}");
}

#[test]
fn a_full_role_gets_a_managed_policy_and_one_without_room_says_so() {
    let full = |has_room_to_attach| {
        let mut facts = role(ROLE, 1, Some(PINNED));
        facts.described.as_mut().unwrap().inline_chars = 10_200;
        facts.described.as_mut().unwrap().has_room_to_attach = has_room_to_attach;
        target("a", vec![session("ASIAROOT", "AROAA:run", ROLE)], vec![facts])
    };
    let plan = kill(&full(true));
    let place = &plan.steps.last().unwrap().place;
    assert!(matches!(place, Place::Managed(_)), "{place}");
    // Without any room the sessions cannot be cut, which is said; the way in is blocked all the same.
    let plan = kill(&full(false));
    assert_eq!(kinds(&plan), [StepKind::BlockReEntry]);
    assert!(matches!(plan.refused[0].1, Refusal::TooLong { quota: 10_240, .. }));
}

#[test]
fn what_the_agent_created_is_listed_or_contained() {
    let account = AccountId::parse("111122223333").unwrap();
    let user = UserName::parse("backdoor").unwrap();
    let key = AccessKeyId::parse("AKIANEWNEWNEWNEWNEWN").unwrap();
    let mut target =
        target("a", vec![session("ASIAROOT", "AROAA:run", ROLE)], vec![role(ROLE, 1, None)]);
    target.created = vec![
        Created::User { account, name: user.clone() },
        Created::Key { account, user, key },
        Created::Role { account, name: RoleName::parse("Backdoor").unwrap() },
    ];
    let plan = kill(&target);
    assert_eq!(plan.created.len(), 3);
    assert!(plan.offered.iter().any(|line| line.contains("--contain-created")));
    target.contain_created = true;
    let plan = kill(&target);
    assert!(plan.created.is_empty());
    let places: Vec<String> = plan.steps.iter().map(|step| step.place.to_string()).collect();
    for expected in [
        "access key AKIANEWNEWNEWNEWNEWN of user backdoor in 111122223333",
        "inline policy TriplineContainment of role Backdoor in 111122223333",
        "inline policy TriplineContainment of user backdoor in 111122223333",
    ] {
        assert!(places.iter().any(|place| place == expected), "{expected} in {places:?}");
    }
}

#[test]
fn nothing_known_is_a_refusal() {
    let empty = target("agent", Vec::new(), Vec::new());
    assert_eq!(plan_kill(&empty, Grounds::Operator).unwrap_err(), Refusal::NoSession);
    let mut nameless = session("ASIA", "AROAA:run", ROLE);
    nameless.principal = None;
    nameless.role = None;
    let target = target("agent", vec![nameless], Vec::new());
    assert_eq!(plan_kill(&target, target.grounds()).unwrap_err(), Refusal::NoPrincipal);
    let work = Work::default();
    assert_eq!(
        plan_fence(&target, Grounds::Operator, &work, NOW).unwrap_err(),
        Refusal::NothingKnown
    );
}
