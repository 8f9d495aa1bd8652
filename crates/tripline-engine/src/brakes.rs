//! Who may pull the switch: a person, or the program on its own within bounds.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tripline_cloudtrail::EventTime;
use tripline_containment::{Case, DELIVERY_LAG_SECS, Ledger, Plan, Response, StepKind};
use tripline_iam::AccountId;
use tripline_text::Untrusted;

/// What the program may do to AWS. The default writes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Says what it would have done.
    #[default]
    Observe,
    /// Says what a person should do.
    Recommend,
    /// Does what a person approved.
    Approve,
    /// Acts on its own, within the brakes.
    Enforce,
}

/// The bounds of what the program does on its own. A person is not bound by them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Brakes {
    /// Whether it may act on its own at all.
    pub automatic: bool,
    /// Kills in any hour.
    pub kills_per_hour: u32,
    /// Kills in any hour that touch one account.
    pub kills_per_hour_per_account: u32,
    /// Kills in any hour of agents of one class: a deployment gone wrong looks like an attack on all of
    /// them.
    pub kills_per_hour_per_class: u32,
    /// Minutes after an incident of an agent was closed, in which it is not contained again.
    pub cool_down_minutes: u32,
    /// Minutes after which a fence ends by itself that the program put up on its own.
    pub fence_minutes: NonZeroU32,
}

impl Default for Brakes {
    fn default() -> Self {
        Self {
            automatic: true,
            kills_per_hour: 6,
            kills_per_hour_per_account: 3,
            kills_per_hour_per_class: 2,
            cool_down_minutes: 30,
            fence_minutes: const { NonZeroU32::new(30).unwrap() },
        }
    }
}

impl Brakes {
    /// When a fence ends that is put up now, in seconds since 1970.
    pub fn fence_until(&self, now: EventTime) -> i64 {
        now.unix_secs().saturating_add(i64::from(self.fence_minutes.get()) * 60)
    }
}

/// Who asks for a plan to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// A person, who has seen the plan and said yes; or not yet.
    ByPerson {
        /// Whether yes was said.
        said_yes: bool,
    },
    /// The detector.
    ByDetector(Evidence<'a>),
}

/// What a verdict rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence<'a> {
    /// Whether it rests on an invariant or a scope, which need no statistics.
    pub is_rule: bool,
    /// Whether it is known which data events the trail logs: a fence denies what is not known.
    pub is_covered: bool,
    /// The agent's class.
    pub class: Option<&'a Untrusted<'static>>,
}

/// A plan that may be carried out: only [`authorize`] makes one, and nothing writes to AWS without.
#[derive(Debug)]
pub struct Authorized<'p> {
    plan: &'p Plan,
    is_automatic: bool,
}

impl Authorized<'_> {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        self.plan
    }

    /// Whether the program decided on its own.
    pub fn is_automatic(&self) -> bool {
        self.is_automatic
    }

    /// What a call that writes must show.
    pub fn permit(&self) -> Permit {
        Permit(())
    }
}

/// Leave to write to AWS.
#[derive(Debug)]
pub struct Permit(());

/// What is to become of a plan.
#[derive(Debug)]
pub enum Decision<'p> {
    /// It may be carried out.
    Do(Authorized<'p>),
    /// It would have been, in another mode.
    WouldHave,
    /// A person has to say yes first.
    Ask,
    /// The brakes hold it: a person may still do it.
    Held(Held),
}

/// Why the program does not act on its own.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Held {
    /// A person stopped all automatic action.
    #[error("all automatic action was stopped")]
    Halted,
    /// The configuration has it so.
    #[error("the configuration leaves every action to a person")]
    NotAutomatic,
    /// Too many kills.
    #[error("{done} kills in the last hour, {allowed} are allowed {scope}")]
    Budget {
        /// How many there were.
        done: u32,
        /// How many there may be.
        allowed: u32,
        /// Of what.
        scope: &'static str,
    },
    /// It was given back a short while ago.
    #[error("the agent was given back less than {minutes} minutes ago")]
    CoolDown {
        /// The bound.
        minutes: u32,
    },
    /// Another agent of the class was killed, and nobody has dealt with that yet.
    #[error(
        "another kill of its class is open; statistics kill one agent of a class until a person has closed it"
    )]
    ClassOpen,
    /// All its sessions are over.
    #[error("all its sessions are over: old news never kills")]
    Stale,
    /// Nobody knows what a fence would cut.
    #[error(
        "nobody has said which data events the trail logs, and so what a fence would cut: data_events_logged in [containment]"
    )]
    Uncovered,
}

/// Decides on a plan.
///
/// `now` in milliseconds since 1970; the ledger must know what was done in the last hour.
pub fn authorize<'p>(
    plan: &'p Plan,
    mode: Mode,
    asked: &Asked<'_>,
    brakes: &Brakes,
    ledger: &Ledger,
    now_unix_ms: i64,
) -> Decision<'p> {
    match (mode, asked) {
        (Mode::Observe | Mode::Recommend, _) => Decision::WouldHave,
        (Mode::Approve | Mode::Enforce, Asked::ByPerson { said_yes: true }) => {
            Decision::Do(Authorized { plan, is_automatic: false })
        }
        (_, Asked::ByPerson { said_yes: false }) | (Mode::Approve, Asked::ByDetector(_)) => {
            Decision::Ask
        }
        (Mode::Enforce, Asked::ByDetector(evidence)) => {
            match held(plan, evidence, brakes, ledger, now_unix_ms) {
                Some(held) => Decision::Held(held),
                None => Decision::Do(Authorized { plan, is_automatic: true }),
            }
        }
    }
}

/// Leave to give back what was taken: always a person's, in any mode that writes.
pub fn authorize_return(mode: Mode) -> Option<Permit> {
    (mode >= Mode::Approve).then_some(Permit(()))
}

const HOUR_MS: i64 = 3_600_000;

fn held(
    plan: &Plan,
    evidence: &Evidence<'_>,
    brakes: &Brakes,
    ledger: &Ledger,
    now: i64,
) -> Option<Held> {
    if ledger.halted().is_some() {
        return Some(Held::Halted);
    }
    if !brakes.automatic {
        return Some(Held::NotAutomatic);
    }
    let is_kill = plan.response == Response::Kill;
    if !is_kill && !evidence.is_covered {
        return Some(Held::Uncovered);
    }
    // A plan that only blocks the way back in cuts nothing, and is never stale.
    let cuts = plan.steps.iter().any(|step| step.kind != StepKind::BlockReEntry);
    let over = |ends: i64| now.div_euclid(1_000) > ends.saturating_add(DELIVERY_LAG_SECS);
    if cuts && plan.sessions.iter().all(|session| session.ends_by_unix_secs.is_some_and(over)) {
        return Some(Held::Stale);
    }
    let cool_down = i64::from(brakes.cool_down_minutes).saturating_mul(60_000);
    let given_back = |case: &Case| {
        // A fence that had its time was not given back: whoever goes on is fenced again.
        let closed = case.closed.as_ref().map(|(_, at, _)| *at);
        let closed = closed.filter(|at| !case.plan.has_expired(at.div_euclid(1_000)));
        case.plan.agent.is_some()
            && case.plan.agent == plan.agent
            && closed.is_some_and(|at| now.saturating_sub(at) < cool_down)
    };
    if ledger.cases().any(|(_, case)| given_back(case)) {
        return Some(Held::CoolDown { minutes: brakes.cool_down_minutes });
    }
    if is_kill && !evidence.is_rule && is_class_open(plan, evidence, ledger) {
        return Some(Held::ClassOpen);
    }
    if is_kill { over_budget(plan, evidence, brakes, ledger, now) } else { None }
}

/// The circuit breaker of a class: it stays open until a person has closed the kill that opened it. What
/// a rule says is not held back, so that decoys save nobody.
fn is_class_open(plan: &Plan, evidence: &Evidence<'_>, ledger: &Ledger) -> bool {
    evidence.class.is_some()
        && ledger.cases().map(|(_, case)| case).any(|case| {
            case.is_automatic
                && case.plan.response == Response::Kill
                && case.plan.incident != plan.incident
                && case.class.as_ref() == evidence.class
                && case.closed.is_none()
        })
}

fn over_budget(
    plan: &Plan,
    evidence: &Evidence<'_>,
    brakes: &Brakes,
    ledger: &Ledger,
    now: i64,
) -> Option<Held> {
    let recent = |case: &&Case| {
        case.is_automatic
            && case.plan.response == Response::Kill
            && case.plan.incident != plan.incident
            && now.saturating_sub(case.times.decided) < HOUR_MS
    };
    let kills: Vec<&Case> = ledger.cases().map(|(_, case)| case).filter(recent).collect();
    let accounts = accounts(plan);
    let busiest = accounts.iter().map(|account| {
        kills.iter().filter(|case| self::accounts(&case.plan).contains(account)).count()
    });
    let of_class = evidence
        .class
        .map_or(0, |class| kills.iter().filter(|case| case.class.as_ref() == Some(class)).count());
    [
        (kills.len(), brakes.kills_per_hour, "in all"),
        (busiest.max().unwrap_or(0), brakes.kills_per_hour_per_account, "in one account"),
        (of_class, brakes.kills_per_hour_per_class, "in one class of agents"),
    ]
    .into_iter()
    .map(|(done, allowed, scope)| (u32::try_from(done).unwrap_or(u32::MAX), allowed, scope))
    .find(|(done, allowed, _)| done >= allowed)
    .map(|(done, allowed, scope)| Held::Budget { done, allowed, scope })
}

fn accounts(plan: &Plan) -> BTreeSet<AccountId> {
    plan.steps.iter().map(|step| step.place.account()).collect()
}

#[cfg(test)]
mod tests {
    use tripline_containment::{
        Entry, Event, IncidentId, RoleFacts, SessionKind, Target, TargetSession, plan_kill,
    };
    use tripline_iam::{Arn, PrincipalId};

    use super::*;

    const NOW_MS: i64 = 1_795_168_800_000;

    /// A kill of an agent in an account.
    fn plan(agent: &str, incident: u64, account: &str) -> Plan {
        let arn = Arn::parse(&format!("arn:aws:iam::{account}:role/Agent")).unwrap();
        let session = TargetSession {
            id: Untrusted::new(format!("ASIA{incident}")),
            kind: SessionKind::Role,
            principal: PrincipalId::parse(&format!("AROAA:{agent}")).ok(),
            minted_by: None,
            is_chained: false,
            role: Some(arn.clone()),
            user: None,
            account: None,
            minted_unix_secs: NOW_MS / 1_000 - 60,
            ends_by_unix_secs: NOW_MS / 1_000 + 3_000,
        };
        let target = Target {
            agent: Some(Untrusted::new(agent.to_owned())),
            agent_tag: None,
            source_identity: None,
            incident: IncidentId::new(incident),
            sessions: vec![session],
            roles: vec![RoleFacts { arn, other_users: Some(1), whole: false, described: None }],
            created: Vec::new(),
            contain_created: false,
            protected: Default::default(),
            management_accounts: Default::default(),
            now_unix_secs: NOW_MS / 1_000,
        };
        plan_kill(&target, target.grounds()).unwrap()
    }

    fn decided(ledger: &mut Ledger, plan: &Plan, at: i64, class: Option<&'static str>) {
        let event = Event::Decided {
            plan: Box::new(plan.clone()),
            reason: Untrusted::borrowed(""),
            event_unix_ms: None,
            seen_unix_ms: None,
            is_automatic: true,
            class: class.map(Untrusted::borrowed),
        };
        record(ledger, plan, at, event);
    }

    fn record(ledger: &mut Ledger, plan: &Plan, at: i64, event: Event) {
        let actor = Untrusted::borrowed("tripline");
        let incident = Some(plan.incident);
        ledger.record(&Entry { time_unix_ms: at, actor, incident, event }).unwrap();
    }

    fn rule<'c>(class: Option<&'c Untrusted<'static>>) -> Evidence<'c> {
        Evidence { is_rule: true, is_covered: true, class }
    }

    fn held_at(plan: &Plan, evidence: Evidence<'_>, ledger: &Ledger, now: i64) -> Option<Held> {
        let asked = Asked::ByDetector(evidence);
        match authorize(plan, Mode::Enforce, &asked, &Brakes::default(), ledger, now) {
            Decision::Do(authorized) => {
                assert!(authorized.is_automatic());
                None
            }
            Decision::Held(held) => Some(held),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn kills_have_a_budget_in_all_and_by_account_and_class() {
        let class = Untrusted::borrowed("investigators");
        let mut ledger = Ledger::default();
        let held = |ledger: &Ledger, account: &str, class| {
            held_at(&plan("next", 99, account), rule(class), ledger, NOW_MS)
        };
        assert_eq!(held(&ledger, "111122223333", Some(&class)), None);
        for (nth, account) in ["111122223333", "111122223333", "444455556666"].iter().enumerate() {
            let nth = u64::try_from(nth).unwrap();
            let class = (nth < 2).then_some("investigators");
            decided(&mut ledger, &plan(&format!("a{nth}"), nth, account), NOW_MS - 60_000, class);
        }
        let of = |done, allowed, scope| Some(Held::Budget { done, allowed, scope });
        assert_eq!(held(&ledger, "777788889999", Some(&class)), of(2, 2, "in one class of agents"));
        assert_eq!(held(&ledger, "111122223333", None), None);
        decided(&mut ledger, &plan("a3", 3, "111122223333"), NOW_MS - 60_000, None);
        assert_eq!(held(&ledger, "111122223333", None), of(3, 3, "in one account"));
        for nth in 4..6 {
            decided(&mut ledger, &plan("a", nth, "444455556666"), NOW_MS - 60_000, None);
        }
        assert_eq!(held(&ledger, "777788889999", None), of(6, 6, "in all"));
        // An hour later there is room again; and a person needs none.
        let later =
            held_at(&plan("next", 99, "777788889999"), rule(None), &ledger, NOW_MS + HOUR_MS);
        assert_eq!(later, None);
        let asked = Asked::ByPerson { said_yes: true };
        let plan = plan("next", 99, "111122223333");
        let decision = authorize(&plan, Mode::Enforce, &asked, &Brakes::default(), &ledger, NOW_MS);
        assert!(matches!(decision, Decision::Do(_)));
    }

    #[test]
    fn statistics_kill_one_of_a_class_until_a_person_has_closed_it() {
        let class = Untrusted::borrowed("investigators");
        let statistics = || Evidence { is_rule: false, is_covered: true, class: Some(&class) };
        let mut ledger = Ledger::default();
        let first = plan("a1", 1, "111122223333");
        decided(&mut ledger, &first, NOW_MS - 5 * HOUR_MS, Some("investigators"));
        let next = plan("a2", 2, "111122223333");
        assert_eq!(held_at(&next, statistics(), &ledger, NOW_MS), Some(Held::ClassOpen));
        assert_eq!(held_at(&next, rule(Some(&class)), &ledger, NOW_MS), None);
        let closed =
            Event::Closed { reason: Untrusted::borrowed("a deployment"), has_expired: false };
        record(&mut ledger, &first, NOW_MS - HOUR_MS, closed);
        assert_eq!(held_at(&next, statistics(), &ledger, NOW_MS), None);
    }

    #[test]
    fn a_fence_needs_to_know_what_it_cuts_and_goes_up_again_where_one_had_its_time() {
        let next = |response| Plan { response, ..plan("agent", 2, "111122223333") };
        let fence = next(Response::Fence { until_unix_secs: NOW_MS / 1_000 + 1_800 });
        let unknown = Evidence { is_covered: false, ..rule(None) };
        assert_eq!(
            held_at(&fence, unknown.clone(), &Ledger::default(), NOW_MS),
            Some(Held::Uncovered)
        );
        assert_eq!(held_at(&next(Response::Kill), unknown, &Ledger::default(), NOW_MS), None);
        let given_back_at = |until_unix_secs| {
            let mut ledger = Ledger::default();
            let response = Response::Fence { until_unix_secs };
            let before = Plan { response, ..plan("agent", 1, "111122223333") };
            decided(&mut ledger, &before, NOW_MS - HOUR_MS, None);
            let closed = Event::Closed { reason: Untrusted::borrowed(""), has_expired: false };
            record(&mut ledger, &before, NOW_MS - 60_000, closed);
            held_at(&fence, rule(None), &ledger, NOW_MS)
        };
        assert_eq!(given_back_at(NOW_MS / 1_000 - 90), None);
        assert_eq!(given_back_at(NOW_MS / 1_000 + 90), Some(Held::CoolDown { minutes: 30 }));
    }

    #[test]
    fn old_news_cool_down_one_kind_and_the_red_switch_hold() {
        let plan = plan("agent", 1, "111122223333");
        let mut ledger = Ledger::default();
        let later = NOW_MS + 3_000_000 + 16 * 60_000;
        assert_eq!(held_at(&plan, rule(None), &ledger, later), Some(Held::Stale));
        let learned = Evidence { is_rule: false, is_covered: true, class: None };
        assert_eq!(held_at(&plan, learned, &ledger, NOW_MS), None);

        let before = super::tests::plan("agent", 2, "111122223333");
        decided(&mut ledger, &before, NOW_MS - 2 * HOUR_MS, None);
        record(
            &mut ledger,
            &before,
            NOW_MS - 60_000,
            Event::Closed { reason: Untrusted::borrowed(""), has_expired: false },
        );
        assert_eq!(
            held_at(&plan, rule(None), &ledger, NOW_MS),
            Some(Held::CoolDown { minutes: 30 })
        );
        assert_eq!(held_at(&plan, rule(None), &ledger, NOW_MS + 30 * 60_000), None);

        record(&mut ledger, &plan, NOW_MS, Event::Halted { reason: Untrusted::borrowed("") });
        assert_eq!(held_at(&plan, rule(None), &ledger, NOW_MS + HOUR_MS / 2), Some(Held::Halted));
        record(&mut ledger, &plan, NOW_MS, Event::Resumed { reason: Untrusted::borrowed("") });
        assert_eq!(held_at(&plan, rule(None), &ledger, NOW_MS + HOUR_MS / 2), None);
    }
}
