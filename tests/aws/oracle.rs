//! Every document that the planner writes, before an evaluator by other authors: it must cut exactly
//! whom the plan claims.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use proptest::prelude::*;
use serde_json::{Value, json};
use tripline_containment::guard::Guard;
use tripline_containment::{
    Denial, Description, IncidentId, Plan, Request, RoleFacts, SessionKind, StepKind, Target,
    TargetSession, Work, edit, plan_fence, plan_kill, statement_denies,
};
use tripline_iam::policy::PolicyText;
use tripline_iam::{ActionPattern, Arn, PrincipalId, TagKey};
use tripline_text::Untrusted;

use crate::world::components;

const NOW: i64 = 1_795_168_800;
const ROLE: &str = "arn:aws:iam::111122223333:role/AgentRuntime";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/AgentRuntime/somebody";
const RUNNER: &str = "AROARUNNERRUNNERRUNNE:i-1";
const PINNED: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Runner"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"aws:RequestTag/AgentID":["a","b"]}}}]}"#;

/// The evaluator, in its own process.
struct Oracle {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Oracle {
    fn start() -> Option<Self> {
        let node = components()?.join("node");
        let mut child = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/aws/oracle.mjs"))
            .arg(node)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Some(Self { child, to, from: BufReader::new(from) })
    }

    /// `Allowed`, `ExplicitlyDenied` or `ImplicitlyDenied`.
    fn ask(&mut self, question: &Value) -> String {
        writeln!(self.to, "{question}").unwrap();
        self.to.flush().unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        let decision = answer["decision"].as_str().unwrap().to_owned();
        assert!(decision.ends_with("Denied") || decision == "Allowed", "{question}: {decision}");
        decision
    }

    fn denies(&mut self, denials: &[Denial], is_trust: bool, caller: &Caller) -> bool {
        let (action, resource) = caller.call();
        let (document, place) = match is_trust {
            true => (edit::put(Some(&trusting_all()), denials).unwrap(), "trust"),
            false => (edit::put(None, denials).unwrap(), "identity"),
        };
        let document: Value = serde_json::from_str(&document).unwrap();
        let mut question = json!({"principal": SESSION, "action": action, "resource": resource, "context": caller.context()});
        question[place] = document;
        self.ask(&question) == "ExplicitlyDenied"
    }
}

fn trusting_all() -> String {
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["sts:AssumeRole","sts:TagSession"]}]}"#.to_owned()
}

/// Somebody who calls, as IAM sees it.
#[derive(Clone, Debug)]
struct Caller {
    user_id: String,
    tag: Option<String>,
    /// The tag and the session name it asks for, when it asks for a session.
    asks: Option<(String, String)>,
    action: &'static str,
    issued: &'static str,
    at: &'static str,
}

impl Caller {
    fn of(user_id: &str, tag: Option<&str>) -> Self {
        Self {
            user_id: user_id.to_owned(),
            tag: tag.map(str::to_owned),
            asks: None,
            action: "s3:GetObject",
            issued: "2026-11-20T09:50:00Z",
            at: "2026-11-20T10:00:10Z",
        }
    }

    fn asking(user_id: &str, tag: &str) -> Self {
        let asks = Some((tag.to_owned(), "next-name".to_owned()));
        Self { asks, action: "sts:AssumeRole", ..Self::of(user_id, None) }
    }

    fn call(&self) -> (&'static str, &'static str) {
        match self.action {
            "sts:AssumeRole" => (self.action, ROLE),
            "s3:GetObject" => (self.action, "arn:aws:s3:::bucket/key"),
            "iam:CreateAccessKey" => (self.action, "arn:aws:iam::111122223333:user/u"),
            _ => (self.action, "*"),
        }
    }

    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let mut pairs = vec![
            ("aws:userid", self.user_id.as_str()),
            ("aws:TokenIssueTime", self.issued),
            ("aws:CurrentTime", self.at),
        ];
        pairs.extend(self.tag.as_deref().map(|tag| ("aws:PrincipalTag/AgentID", tag)));
        if let Some((tag, name)) = &self.asks {
            pairs.extend([("aws:RequestTag/AgentID", tag.as_str()), ("sts:RoleSessionName", name)]);
        }
        pairs
    }

    fn context(&self) -> Value {
        self.pairs().into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect()
    }

    fn request(&self) -> Request {
        let (action, resource) = self.call();
        let request = Request::new(action, resource);
        self.pairs().into_iter().fold(request, |request, (key, value)| request.with(key, value))
    }
}

fn target(agent: &str, pinned: bool, alone: bool) -> Target {
    let session = TargetSession {
        id: Untrusted::borrowed("ASIAMINE"),
        kind: SessionKind::Role,
        principal: PrincipalId::parse(&format!("AROAAGENTAGENTAGENTA:{agent}")).ok(),
        minted_by: PrincipalId::parse(RUNNER).ok(),
        is_chained: false,
        role: Arn::parse(ROLE).ok(),
        user: None,
        account: None,
        minted_unix_secs: NOW - 600,
        ends_by_unix_secs: NOW + 3_000,
    };
    let described = pinned.then(|| Description {
        trust: Some(PINNED.to_owned()),
        inline_chars: 0,
        has_room_to_attach: true,
    });
    let role = RoleFacts {
        arn: Arn::parse(ROLE).unwrap(),
        other_users: Some(usize::from(!alone)),
        whole: false,
        described,
    };
    Target {
        agent: Some(Untrusted::new(agent.to_owned())),
        agent_tag: TagKey::parse("AgentID").ok(),
        source_identity: None,
        incident: IncidentId::new(7),
        sessions: vec![session],
        roles: vec![role],
        created: Vec::new(),
        contain_created: false,
        protected: BTreeSet::new(),
        management_accounts: BTreeSet::new(),
        now_unix_secs: NOW,
    }
}

fn agrees(oracle: &mut Oracle, plan: &Plan, callers: &[Caller]) -> Result<usize, TestCaseError> {
    let mut compared = 0;
    for step in &plan.steps {
        let is_trust = step.kind == StepKind::BlockReEntry;
        for caller in callers.iter().filter(|caller| caller.asks.is_some() == is_trust) {
            let claim = step
                .denials
                .iter()
                .any(|denial| statement_denies(denial.text(), &caller.request()).unwrap());
            let oracle = oracle.denies(&step.denials, is_trust, caller);
            // This evaluator knows no `${$}`, which AWS documents, so it cannot say that such a name (which
            // STS would refuse) is hit; that nobody else is, it can.
            let knows = step.denials.iter().all(|denial| !denial.text().contains("${$}"));
            prop_assert!(
                oracle == claim || (!knows && !oracle),
                "{oracle} but the claim is {claim}: {caller:?} under {:?}",
                step.denials
            );
            compared += 1;
        }
    }
    Ok(compared)
}

/// Names as an attacker would choose them, and as they may be.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        Just("*".to_owned()),
        Just("a?".to_owned()),
        Just("${aws:PrincipalTag/AgentID}".to_owned()),
        Just("a\",\"Effect\":\"Allow".to_owned()),
        "[ -~]{1,12}",
    ]
}

#[test]
fn the_planners_claims_are_the_evaluators() {
    let Some(oracle) = Oracle::start() else { return };
    let oracle = RefCell::new(oracle);
    let config =
        ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    let compared = RefCell::new(0);
    proptest!(config, |(mine in name(), other in name(), pinned: bool, alone: bool, fence: bool)| {
        let my_id = format!("AROAAGENTAGENTAGENTA:{mine}");
        let other_id = format!("AROAAGENTAGENTAGENTA:{other}");
        let mut callers = vec![
            Caller::of(&my_id, Some(&mine)),
            Caller::of(&my_id, None),
            Caller::of(&other_id, Some(&other)),
            Caller::of(&other_id, None),
            Caller::of("AROAAGENTAGENTAGENTA:fresh", Some(&mine)),
            Caller { issued: "2026-11-20T10:05:00Z", ..Caller::of(&other_id, None) },
            Caller { at: "2026-11-20T12:00:00Z", ..Caller::of(&my_id, Some(&mine)) },
            Caller::asking(RUNNER, &mine),
            Caller::asking(RUNNER, &other),
            Caller::asking("AROARUNNERRUNNERRUNNE:i-2", &mine),
            Caller::asking("AROASOMEBODYELSESOME:x", &mine),
        ];
        for action in ["ec2:DescribeInstances", "iam:CreateAccessKey", "sqs:ListQueues"] {
            callers.push(Caller { action, ..Caller::of(&my_id, Some(&mine)) });
            callers.push(Caller { action, ..Caller::of(&other_id, Some(&other)) });
        }
        let target = target(&mine, pinned, alone);
        let actions = ["ec2:Describe*", "s3:ListAllMyBuckets", "s3:GetObject", "sqs:List*"];
        let actions = actions.into_iter().map(|action| ActionPattern::parse(action).unwrap()).collect();
        let resources = BTreeSet::from([PolicyText::arn_pattern("arn:aws:s3:::other/*").unwrap()]);
        let work = Work { actions, resources, ..Work::default() };
        let plan = match fence {
            true => plan_fence(&target, target.grounds(), &work, NOW + 3_600),
            false => plan_kill(&target, target.grounds()),
        };
        *compared.borrow_mut() += agrees(&mut oracle.borrow_mut(), &plan.unwrap(), &callers)?;
    });
    assert!(compared.into_inner() > 500);
}

#[test]
fn the_guard_holds_against_all_but_the_responder() {
    let Some(mut oracle) = Oracle::start() else { return };
    let arn = |text: &str| BTreeSet::from([PolicyText::arn_pattern(text).unwrap()]);
    let guard = Guard {
        roles: arn("arn:aws:iam::*:role/Agent*"),
        users: BTreeSet::new(),
        responders: arn("arn:aws:iam::*:role/Responder"),
    };
    let scp: Value = serde_json::from_str(&guard.service_control_policy().unwrap()).unwrap();
    let boundary: Value = serde_json::from_str(&guard.boundary().unwrap()).unwrap();
    for (who, action, denied) in [
        ("AgentRuntime", "iam:DeleteRolePolicy", true),
        ("AgentRuntime", "iam:UpdateAssumeRolePolicy", true),
        ("Responder", "iam:PutRolePolicy", false),
        ("Responder", "iam:UpdateAssumeRolePolicy", false),
        ("AgentRuntime", "iam:GetRole", false),
    ] {
        let context = json!({"aws:PrincipalArn": format!("arn:aws:iam::111122223333:role/{who}")});
        let principal = format!("arn:aws:sts::111122223333:assumed-role/{who}/s");
        let ask =
            json!({"principal": principal, "action": action, "resource": ROLE, "context": context});
        for (place, document) in [("scp", json!([scp])), ("boundary", boundary.clone())] {
            let mut ask = ask.clone();
            ask[place] = document;
            assert_eq!(oracle.ask(&ask) == "ExplicitlyDenied", denied, "{who} {action} {place}");
        }
    }
}
