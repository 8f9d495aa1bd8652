//! How fast the kill switch is: from a record being read to the decision, and, on the AWS emulator,
//! from the decision to the last policy attached and read back, for an agent with five roles in two
//! accounts; and how fast all of it is given back.
//!
//! `TRIPLINE_COMPONENTS=$(./tests/components) cargo bench -p tripline-benches --features aws --bench switch`
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench measures with the clock, starts the emulator, prints, and may fail loudly"
)]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_iam::config::Credentials;
use tripline_aws::IamResponder;
use tripline_containment::{
    IncidentId, Ledger, Plan, RoleFacts, SessionKind, Target, TargetSession, plan_kill,
};
use tripline_detector::Invariants;
use tripline_engine::{
    Asked, Batch, Brakes, Config, Decision, Evidence, Filter, Mode, Model, Purpose, authorize,
    authorize_return,
};
use tripline_iam::{Arn, PrincipalId, RoleName, TagKey};
use tripline_runtime::{EmbeddedStore, Executor, Journal, Patience, SystemClock, files};
use tripline_text::Untrusted;

const ROUNDS: u64 = 200;
const HOME: &str = "123456789012";
const AWAY: &str = "444455556666";
const ROLES: [(&str, &str); 5] = [
    (HOME, "AgentOne"),
    (HOME, "AgentTwo"),
    (HOME, "AgentThree"),
    (AWAY, "AgentFour"),
    (AWAY, "AgentFive"),
];
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;
const ALLOW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

fn main() {
    decision();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(switch());
}

/// From bytes to a decision: the demonstration's trail, one object after another.
fn decision() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/demo");
    let objects: Vec<Vec<u8>> =
        files(&[fixtures]).0.iter().map(|file| std::fs::read(&file.path).unwrap()).collect();
    let config = Config::default();
    let model = Model::new(Invariants::new(&config.invariants).unwrap(), Vec::new()).unwrap();
    let filter = Filter::default();
    let name = Arc::new(Untrusted::borrowed("object"));
    let mut times = Vec::new();
    for seed in 0..ROUNDS {
        let started = Instant::now();
        let mut batch = Batch::new(&config, &model, &filter, Purpose::ShowFindings, seed);
        objects.iter().for_each(|object| batch.read(&name, object));
        let report = batch.finish(&config).unwrap();
        let plan = report.incidents[0].plan.as_ref().unwrap();
        let evidence = Evidence { is_rule: true, is_covered: true, class: None };
        let now = report.incidents[0].opened.unix_secs() * 1_000;
        let decision = authorize(
            plan,
            Mode::Enforce,
            &Asked::ByDetector(evidence),
            &Brakes::default(),
            &Ledger::default(),
            now,
        );
        assert!(matches!(decision, Decision::Do(_)), "{decision:?}");
        times.push(started.elapsed());
    }
    println!("{} objects of the demonstration, read to decided", objects.len());
    print("  to decision", times);
}

async fn switch() {
    let Some(components) = std::env::var_os("TRIPLINE_COMPONENTS").map(PathBuf::from) else {
        println!("no emulator: set TRIPLINE_COMPONENTS to what ./tests/components prints");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let (emulator, endpoint) = Emulator::start(&components, directory.path());
    for (account, role) in ROLES.into_iter().chain([(AWAY, "TriplineResponder")]) {
        let iam = aws_sdk_iam::Client::new(&config(&endpoint, account).await);
        let create = iam.create_role().role_name(role).assume_role_policy_document(TRUST);
        create.send().await.unwrap();
        let put = iam.put_role_policy().role_name(role).policy_name("all").policy_document(ALLOW);
        put.send().await.unwrap();
    }
    let role = RoleName::parse("TriplineResponder").unwrap();
    let responder = IamResponder::new(&config(&endpoint, HOME).await, Some(role)).await.unwrap();
    let store = EmbeddedStore::open(&directory.path().join("state")).unwrap();
    let journal = Journal::open(store, Untrusted::borrowed("bench")).await.unwrap();
    let executor = Executor::new(&responder, &journal, &SystemClock, Patience::default());
    let permit = authorize_return(Mode::Approve).unwrap();
    let (mut attached, mut returned) = (Vec::new(), Vec::new());
    for incident in 0..ROUNDS {
        let plan = plan(incident);
        let ledger = Ledger::default();
        let asked = Asked::ByPerson { said_yes: true };
        let Decision::Do(authorized) =
            authorize(&plan, Mode::Approve, &asked, &Brakes::default(), &ledger, 0)
        else {
            continue;
        };
        let started = Instant::now();
        let case = executor.contain(&authorized, Default::default()).await.unwrap();
        attached.push(started.elapsed());
        assert_eq!(case.open_steps().count(), 0, "{case:?}");
        let started = Instant::now();
        let case = executor.give_back(&permit, plan.incident, "bench").await.unwrap();
        returned.push(started.elapsed());
        assert!(case.closed.is_some(), "{case:?}");
    }
    println!("five roles in two accounts, ten places, on the emulator, log on disk");
    print("  decided to attached", attached);
    print("  given back", returned);
    drop(emulator);
}

fn plan(incident: u64) -> Plan {
    let arn = |(account, role): (&str, &str)| {
        Arn::parse(&format!("arn:aws:iam::{account}:role/{role}")).unwrap()
    };
    let session = |(nth, role): (usize, (&str, &str))| TargetSession {
        id: Untrusted::new(format!("ASIASESSION{nth}")),
        kind: SessionKind::Role,
        principal: PrincipalId::parse(&format!("AROAAGENTAGENTAGENT{nth}A:run")).ok(),
        minted_by: PrincipalId::parse("AROARUNNERRUNNERRUNNE:i-1").ok(),
        is_chained: nth > 0,
        role: Some(arn(role)),
        user: None,
        account: None,
        minted_unix_secs: 1_795_168_800,
        ends_by_unix_secs: 1_795_172_400,
    };
    let facts =
        |role| RoleFacts { arn: arn(role), other_users: Some(2), whole: false, described: None };
    let target = Target {
        agent: Some(Untrusted::borrowed("agent")),
        agent_tag: TagKey::parse("AgentID").ok(),
        source_identity: None,
        incident: IncidentId::new(incident),
        sessions: ROLES.into_iter().enumerate().map(session).collect(),
        roles: ROLES.into_iter().map(facts).collect(),
        created: Vec::new(),
        contain_created: false,
        protected: Default::default(),
        management_accounts: Default::default(),
        now_unix_secs: 1_795_168_900,
    };
    let plan = plan_kill(&target, target.grounds()).unwrap();
    assert_eq!(plan.steps.len(), 10);
    plan
}

async fn config(endpoint: &str, account: &str) -> SdkConfig {
    // The emulator takes an account's id for its root keys.
    let keys = Credentials::new(account, "test", None, None, "bench");
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(keys)
        .load()
        .await
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{what}: p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms of {}",
        at(0.5),
        at(0.99),
        at(1.0),
        times.len()
    );
}

/// The emulator, for as long as this lives.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Emulator {
    fn start(components: &Path, directory: &Path) -> (Self, String) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(components.join("python/bin/ministack"))
            .env("AUTH", "true")
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_ACCOUNT_ID", HOME)
            .current_dir(directory)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the emulator does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(500));
        (Self(child), format!("http://127.0.0.1:{port}"))
    }
}
