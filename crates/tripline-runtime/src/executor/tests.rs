//! The executor against an IAM in memory that can be made to fail, and to stop dead, at any call.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tripline_containment::{
    Description, Grounds, IncidentId, KEY_ACTIVE, KEY_INACTIVE, Plan, RoleFacts, SessionKind,
    Subject, Target, TargetSession, plan_kill,
};
use tripline_engine::{Asked, Brakes, Decision, Evidence, Mode, authorize, authorize_return};
use tripline_iam::{AccessKeyId, AccountId, Arn, PrincipalId, RoleName, TagKey, UserName};

use super::*;
use crate::store::StoreError;

const ROLE: &str = "arn:aws:iam::111122223333:role/agents/Runtime";
const HOP: &str = "arn:aws:iam::444455556666:role/Exports";
const TRUST: &str = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [ { \"Effect\": \"Allow\", \"Principal\": { \"AWS\": \"arn:aws:iam::111122223333:role/Runner\" }, \"Action\": \"sts:AssumeRole\" } ]\n}";
const NOW_MS: i64 = 1_795_168_800_000;

fn account(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

/// What the world is: texts in places. It can be cut off from its caller at any call.
#[derive(Debug, Default)]
struct World {
    places: Mutex<BTreeMap<Place, String>>,
    calls: Mutex<Vec<(&'static str, Place)>>,
    failures: Mutex<BTreeMap<Place, Vec<Failure>>>,
    line: Line,
}

/// The line to the world and to the disk: it goes dead at a number of calls, before or after the call
/// has had its effect.
#[derive(Debug, Default)]
struct Line {
    left: Mutex<Option<(usize, bool)>>,
}

impl Line {
    fn cut_after(&self, calls: usize, takes_effect: bool) {
        *self.left.lock().unwrap() = Some((calls, takes_effect));
    }

    /// Runs a call; never returns once the line is dead.
    async fn call<T>(&self, act: impl FnOnce() -> T) -> T {
        let (dies, takes_effect) = {
            let mut left = self.left.lock().unwrap();
            match left.as_mut() {
                None => (false, true),
                Some((0, takes_effect)) => (true, std::mem::take(takes_effect)),
                Some((calls, _)) => {
                    *calls -= 1;
                    (false, true)
                }
            }
        };
        let outcome = takes_effect.then(act);
        match outcome {
            Some(outcome) if !dies => outcome,
            _ => std::future::pending().await,
        }
    }
}

impl World {
    fn new() -> Self {
        let world = Self::default();
        {
            let mut places = world.places.lock().unwrap();
            places.insert(trust("111122223333", "Runtime"), TRUST.to_owned());
            places.insert(trust("444455556666", "Exports"), TRUST.to_owned());
            places.insert(key(), KEY_ACTIVE.to_owned());
        }
        world
    }

    fn state(&self) -> BTreeMap<Place, String> {
        self.places.lock().unwrap().clone()
    }

    fn fails(&self, place: Place, failures: &[Failure]) {
        // Taken from the end.
        let failures = failures.iter().rev().cloned().collect();
        self.failures.lock().unwrap().insert(place, failures);
    }

    fn writes(&self) -> usize {
        self.calls.lock().unwrap().iter().filter(|(verb, _)| *verb == "write").count()
    }
}

impl Responder for World {
    async fn read(&self, place: &Place) -> Result<Option<String>, Failure> {
        self.line
            .call(|| {
                self.calls.lock().unwrap().push(("read", place.clone()));
                Ok(self.places.lock().unwrap().get(place).cloned())
            })
            .await
    }

    async fn write(&self, _: &Permit, place: &Place, text: Option<&str>) -> Result<(), Failure> {
        self.line
            .call(|| {
                self.calls.lock().unwrap().push(("write", place.clone()));
                let failure = self.failures.lock().unwrap().get_mut(place).and_then(Vec::pop);
                if let Some(failure) = failure {
                    return Err(failure);
                }
                let mut places = self.places.lock().unwrap();
                match text {
                    Some(text) => places.insert(place.clone(), text.to_owned()),
                    None => places.remove(place),
                };
                Ok(())
            })
            .await
    }

    async fn describe(&self, subject: &Subject) -> Result<Description, Failure> {
        let trust = self.places.lock().unwrap().iter().find_map(|(place, text)| {
            (matches!(place, Place::Trust { .. }) && place.subject() == *subject)
                .then(|| text.clone())
        });
        Ok(Description { trust, inline_chars: 0, has_room_to_attach: true })
    }

    async fn find(&self, account: AccountId) -> Result<Vec<(Place, String)>, Failure> {
        let places = self.places.lock().unwrap();
        Ok(places
            .iter()
            .filter(|(place, text)| {
                place.account() == account && edit::ours(text).is_ok_and(|ours| !ours.is_empty())
            })
            .map(|(place, text)| (place.clone(), text.clone()))
            .collect())
    }
}

/// A disk in memory, on the same line.
#[derive(Debug, Default)]
struct Disk {
    lines: Mutex<Vec<String>>,
    line: Line,
}

impl Store for &Disk {
    async fn lines(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.lines.lock().unwrap().clone())
    }

    async fn append(&self, from: u64, lines: &[String]) -> Result<(), StoreError> {
        self.line
            .call(|| {
                let mut kept = self.lines.lock().unwrap();
                if kept.len() as u64 != from {
                    return Err(StoreError::Conflict);
                }
                kept.extend_from_slice(lines);
                Ok(())
            })
            .await
    }
}

/// Time goes on only while somebody waits.
#[derive(Debug)]
struct Watch(Mutex<i64>);

impl Clock for Watch {
    fn now_unix_ms(&self) -> i64 {
        *self.0.lock().unwrap()
    }

    async fn sleep(&self, milliseconds: u64) {
        *self.0.lock().unwrap() += i64::try_from(milliseconds).unwrap();
    }
}

fn trust(account_id: &str, role: &str) -> Place {
    Place::Trust { account: account(account_id), role: RoleName::parse(role).unwrap() }
}

fn inline(account_id: &str, role: &str) -> Place {
    let name = RoleName::parse(role).unwrap();
    Place::Inline(Subject::Role { account: account(account_id), name })
}

fn key() -> Place {
    Place::Key {
        account: account("111122223333"),
        user: UserName::parse("agent-user").unwrap(),
        key: AccessKeyId::parse("AKIAKEYKEYKEYKEYKEYK").unwrap(),
    }
}

fn session(id: &str, principal: &str, role: Option<&str>) -> TargetSession {
    TargetSession {
        id: Untrusted::new(id.to_owned()),
        kind: if role.is_some() { SessionKind::Role } else { SessionKind::LongLivedKey },
        principal: PrincipalId::parse(principal).ok(),
        minted_by: PrincipalId::parse("AROARUNNERRUNNERRUNNE:i-1").ok(),
        is_chained: role == Some(HOP),
        role: role.and_then(|role| Arn::parse(role).ok()),
        user: role.is_none().then(|| Untrusted::borrowed("agent-user")),
        account: role.is_none().then(|| account("111122223333")),
        minted_unix_secs: NOW_MS / 1_000 - 600,
        ends_by_unix_secs: NOW_MS / 1_000 + 3_000,
    }
}

/// An agent in two accounts, with a chained session and a long-lived key: five places.
fn kill_of(agent: &str, incident: u64) -> Plan {
    let facts = |role: &str| RoleFacts {
        arn: Arn::parse(role).unwrap(),
        other_users: Some(3),
        whole: false,
        described: None,
    };
    let target = Target {
        agent: Some(Untrusted::new(agent.to_owned())),
        agent_tag: TagKey::parse("AgentID").ok(),
        source_identity: None,
        incident: IncidentId::new(incident),
        sessions: vec![
            session("ASIAROOTROOTROOTROOT", &format!("AROAAGENTAGENTAGENTA:{agent}"), Some(ROLE)),
            session("ASIAHOPHOPHOPHOPHOPH", &format!("AROAHOPHOPHOPHOPHOPH:{agent}"), Some(HOP)),
            session("AKIAKEYKEYKEYKEYKEYK", "AIDAUSERUSERUSERUSER", None),
        ],
        roles: vec![facts(ROLE), facts(HOP)],
        created: Vec::new(),
        contain_created: false,
        protected: Default::default(),
        management_accounts: Default::default(),
        now_unix_secs: NOW_MS / 1_000,
    };
    plan_kill(&target, Grounds::LiveSession).unwrap()
}

/// Acts until done, or until the line goes dead; whether it was done.
async fn run(world: &World, disk: &Disk, act: Act<'_>) -> Option<Case> {
    let clock = Watch(Mutex::new(NOW_MS));
    let work = async {
        let journal = Journal::open(disk, Untrusted::borrowed("test")).await.unwrap();
        let executor = Executor::new(world, &journal, &clock, Patience::default());
        let permit = authorize_return(Mode::Approve).unwrap();
        match act {
            Act::Contain(plan) => {
                let ledger = journal.ledger().await;
                let Decision::Do(authorized) = authorize(
                    plan,
                    Mode::Approve,
                    &Asked::ByPerson { said_yes: true },
                    &Brakes::default(),
                    &ledger,
                    NOW_MS,
                ) else {
                    panic!("a person said yes");
                };
                executor.contain(&authorized, Cause::default()).await.unwrap()
            }
            Act::CarryOn(incident) => executor.carry_on(&permit, incident).await.unwrap(),
            Act::GiveBack(incident) => {
                executor.give_back(&permit, incident, "a test").await.unwrap()
            }
            Act::Verify(incident) => {
                executor.verify(Some(&permit), incident).await.unwrap();
                executor.case(incident).await.unwrap()
            }
        }
    };
    // The clock of the test stands still but for waits, so nothing but a dead line takes real time.
    tokio::time::timeout(std::time::Duration::from_millis(100), work).await.ok()
}

#[derive(Clone, Copy)]
enum Act<'a> {
    Contain(&'a Plan),
    CarryOn(IncidentId),
    GiveBack(IncidentId),
    Verify(IncidentId),
}

fn is_done(case: &Case) -> bool {
    is_complete(case, NOW_MS)
}

#[tokio::test(start_paused = true)]
async fn a_kill_is_carried_out_and_given_back_byte_for_byte() {
    let (world, disk) = (World::new(), Disk::default());
    let before = world.state();
    let plan = kill_of("a1", 1);
    let case = run(&world, &disk, Act::Contain(&plan)).await.unwrap();
    assert!(is_done(&case), "{case:?}");
    assert_eq!(case.proof(NOW_MS / 1_000), Proof::Attached);
    let state = world.state();
    assert_eq!(state.get(&key()).map(String::as_str), Some(KEY_INACTIVE));
    assert_eq!(state.len(), before.len() + 3);
    let case = run(&world, &disk, Act::GiveBack(plan.incident)).await.unwrap();
    assert!(case.closed.is_some());
    assert!(
        case.places.values().all(|status| *status == Status::Returned(Returned::Exact)),
        "{case:?}"
    );
    assert_eq!(world.state(), before);
}

#[tokio::test(start_paused = true)]
async fn trap_7_two_kills_on_the_same_roles_leave_each_other_alone() {
    let (world, disk) = (World::new(), Disk::default());
    let before = world.state();
    let (first, second) = (kill_of("a1", 1), kill_of("a2", 2));
    run(&world, &disk, Act::Contain(&first)).await.unwrap();
    let first_only = world.state();
    run(&world, &disk, Act::Contain(&second)).await.unwrap();
    let holds = |plan: &Plan| {
        let state = world.state();
        plan.steps
            .iter()
            .all(|step| is_in_force(&step.place, step, state.get(&step.place).map(String::as_str)))
    };
    assert!(holds(&first) && holds(&second));
    let case = run(&world, &disk, Act::GiveBack(second.incident)).await.unwrap();
    assert!(case.closed.is_some());
    assert!(holds(&first));
    assert_eq!(world.state(), first_only);
    run(&world, &disk, Act::GiveBack(first.incident)).await.unwrap();
    assert_eq!(world.state(), before);
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_call_ends_in_the_same_state_and_loses_nothing() {
    let plan = kill_of("a1", 1);
    let (whole, whole_disk) = (World::new(), Disk::default());
    run(&whole, &whole_disk, Act::Contain(&plan)).await.unwrap();
    let expected = whole.state();
    let mut crashes = 0;
    for on_disk in [false, true] {
        for takes_effect in [false, true] {
            for calls in 0.. {
                let (world, disk) = (World::new(), Disk::default());
                let before = world.state();
                let line = if on_disk { &disk.line } else { &world.line };
                line.cut_after(calls, takes_effect);
                if run(&world, &disk, Act::Contain(&plan)).await.is_some() {
                    break;
                }
                crashes += 1;
                *line.left.lock().unwrap() = None;
                if disk.lines.lock().unwrap().is_empty() {
                    // Before the decision was on disk, nothing was done.
                    assert_eq!(world.state(), before);
                    continue;
                }
                let case = run(&world, &disk, Act::CarryOn(plan.incident)).await.unwrap();
                assert!(is_done(&case));
                assert_eq!(world.state(), expected, "call {calls}");

                line.cut_after(calls, takes_effect);
                if run(&world, &disk, Act::GiveBack(plan.incident)).await.is_none() {
                    crashes += 1;
                    *line.left.lock().unwrap() = None;
                    // Its last entry may have been written: then it is closed already.
                    let journal = Journal::open(&disk, Untrusted::borrowed("test")).await.unwrap();
                    let is_closed =
                        journal.look(|ledger| ledger.case(plan.incident).unwrap().closed.is_some());
                    if !is_closed.await {
                        run(&world, &disk, Act::GiveBack(plan.incident)).await.unwrap();
                    }
                }
                *line.left.lock().unwrap() = None;
                assert_eq!(world.state(), before, "call {calls}");
            }
        }
    }
    assert!(crashes > 60, "{crashes}");
}

#[tokio::test(start_paused = true)]
async fn a_full_role_gets_a_managed_policy_and_a_refused_step_is_never_called_done() {
    let (world, disk) = (World::new(), Disk::default());
    let before = world.state();
    let place = inline("111122223333", "Runtime");
    world.fails(place.clone(), &[Failure::Throttled, Failure::LimitExceeded]);
    let denied = trust("444455556666", "Exports");
    world.fails(denied.clone(), &[Failure::AccessDenied]);
    let plan = kill_of("a1", 1);
    let case = run(&world, &disk, Act::Contain(&plan)).await.unwrap();
    assert!(!is_done(&case));
    assert_eq!(case.proof(NOW_MS / 1_000), Proof::Incomplete);
    let open: Vec<_> = case.open_steps().map(|(step, why)| (&step.place, why)).collect();
    assert_eq!(open, [(&denied, Some(&Failure::AccessDenied))]);
    let managed = place.fallback().unwrap();
    assert!(world.state().contains_key(&managed) && !world.state().contains_key(&place));
    run(&world, &disk, Act::GiveBack(plan.incident)).await.unwrap();
    assert_eq!(world.state(), before);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_changed_is_kept_and_told() {
    let (world, disk) = (World::new(), Disk::default());
    let plan = kill_of("a1", 1);
    run(&world, &disk, Act::Contain(&plan)).await.unwrap();
    let place = trust("111122223333", "Runtime");
    let changed = world.state()[&place].replace("Runner", "Walker");
    world.places.lock().unwrap().insert(place.clone(), changed);
    let case = run(&world, &disk, Act::GiveBack(plan.incident)).await.unwrap();
    let theirs = TRUST.replace("Runner", "Walker");
    assert_eq!(world.state()[&place], theirs);
    let Status::Returned(Returned::Changed { original, written, left }) = &case.places[&place]
    else {
        panic!("{:?}", case.places[&place]);
    };
    assert_eq!((original.as_deref(), left.as_deref()), (Some(TRUST), Some(theirs.as_str())));
    assert!(written.as_ref().unwrap().contains("TriplineEntry"));
}

#[tokio::test(start_paused = true)]
async fn what_was_stripped_is_put_back_and_counted() {
    let (world, disk) = (World::new(), Disk::default());
    let plan = kill_of("a1", 1);
    run(&world, &disk, Act::Contain(&plan)).await.unwrap();
    let in_force = world.state();
    world.places.lock().unwrap().remove(&inline("111122223333", "Runtime"));
    let case = run(&world, &disk, Act::Verify(plan.incident)).await.unwrap();
    assert_eq!(case.stripped, 1);
    assert_eq!(world.state(), in_force);
    let case = run(&world, &disk, Act::Verify(plan.incident)).await.unwrap();
    assert_eq!(case.stripped, 1);
}

#[tokio::test(start_paused = true)]
async fn observe_and_recommend_write_nothing() {
    let plan = kill_of("a1", 1);
    let ledger = Ledger::default();
    let detector = Asked::ByDetector(Evidence { is_rule: true, is_covered: true, class: None });
    for mode in [Mode::Observe, Mode::Recommend] {
        for asked in [Asked::ByPerson { said_yes: true }, detector.clone()] {
            let decision = authorize(&plan, mode, &asked, &Brakes::default(), &ledger, NOW_MS);
            // Without an authorization there is no permit, and without a permit `write` cannot be called.
            assert!(matches!(decision, Decision::WouldHave), "{decision:?}");
        }
        assert!(authorize_return(mode).is_none());
    }
    let world = World::new();
    let disk = Disk::default();
    let before = world.state();
    let clock = Watch(Mutex::new(NOW_MS));
    let journal = Journal::open(&disk, Untrusted::borrowed("test")).await.unwrap();
    let event = Event::Decided {
        plan: Box::new(plan.clone()),
        reason: Untrusted::borrowed(""),
        event_unix_ms: None,
        seen_unix_ms: None,
        is_automatic: false,
        class: None,
    };
    journal.append(Some(plan.incident), NOW_MS, event).await.unwrap();
    for step in &plan.steps {
        let place = step.place.clone();
        journal
            .append(Some(plan.incident), NOW_MS, Event::Attached { place, after: None })
            .await
            .unwrap();
    }
    // To look without a permit changes nothing, even where everything is missing.
    let executor = Executor::new(&world, &journal, &clock, Patience::default());
    let drift = executor.verify(None, plan.incident).await.unwrap();
    assert_eq!(drift.len(), plan.steps.len());
    assert_eq!((world.state(), world.writes()), (before, 0));
}

#[tokio::test(start_paused = true)]
async fn a_responder_that_gets_no_answer_stops_at_its_time_limit() {
    let (world, disk) = (World::new(), Disk::default());
    let place = trust("111122223333", "Runtime");
    world.fails(place.clone(), &vec![Failure::Unreachable; 1_000]);
    let plan = kill_of("a1", 1);
    let case = run(&world, &disk, Act::Contain(&plan)).await.unwrap();
    assert_eq!(case.places[&place], Status::Failed(Failure::Unreachable));
    assert!(world.writes() < 60);
    // A passing failure is tried again when it is carried on.
    world.fails(place.clone(), &[]);
    let case = run(&world, &disk, Act::CarryOn(plan.incident)).await.unwrap();
    assert!(is_done(&case));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_as_a_policy_is_named_and_left_as_it_is() {
    let (world, disk) = (World::new(), Disk::default());
    let place = trust("111122223333", "Runtime");
    world.places.lock().unwrap().insert(place.clone(), "{\"Version\":".to_owned());
    let before = world.state();
    let plan = kill_of("a1", 1);
    let case = run(&world, &disk, Act::Contain(&plan)).await.unwrap();
    assert_eq!(case.places[&place], Status::Failed(Failure::NotEditable));
    let open: Vec<_> = case.open_steps().map(|(step, _)| step.place.clone()).collect();
    assert_eq!(open, std::slice::from_ref(&place));
    assert_eq!(world.state()[&place], before[&place]);
    run(&world, &disk, Act::GiveBack(plan.incident)).await.unwrap();
    assert_eq!(world.state(), before);
}
