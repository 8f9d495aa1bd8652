//! Whether the switch can still be pulled, for each role that agents use: by the planner itself, given
//! what IAM says of the role, and by what IAM says that the responder may do to it.

use std::collections::BTreeSet;

use tripline_containment::{
    Description, IncidentId, Place, Plan, Refusal, RoleFacts, SessionKind, StepKind, Target,
    TargetSession, plan_kill,
};
use tripline_iam::policy::Quota;
use tripline_iam::{AccountId, Arn, PrincipalId};
use tripline_text::Untrusted;

use super::{Answer, Check, Facts, Found, Group, Unknown};
use crate::brakes::Mode;

/// Everything about the switch.
#[derive(Clone, Debug)]
pub struct StopFacts {
    /// Who would act.
    pub responder: Found<Arn>,
    /// Whether a person stopped all automatic action.
    pub is_halted: Found<bool>,
    /// The roles that agents use.
    pub roles: Found<Vec<RoleState>>,
    /// Never contained, by the configuration.
    pub protected: BTreeSet<Arn>,
    /// Accounts in which nothing is contained.
    pub management_accounts: BTreeSet<AccountId>,
    /// Whether a guard of the organization holds in the accounts of the roles.
    pub guards: Vec<(AccountId, Found<Guard>)>,
}

/// A role that agents use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleState {
    /// Which.
    pub arn: Arn,
    /// How it opted in.
    pub opted_in: OptIn,
    /// What IAM says of it.
    pub described: Found<Description>,
    /// Whether its permissions boundary is the guard.
    pub is_guarded: bool,
    /// What the responder may do to it.
    pub rights: Found<Rights>,
}

/// How a role says that it may be contained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptIn {
    /// By the tag `tripline:contain = allowed`.
    Tag,
    /// It does not, as far as its tags tell; its path may.
    No,
}

/// What IAM's simulation says of each call.
pub type Rights = Vec<(&'static str, May)>;

/// Whether a call would be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// It would.
    Allowed,
    /// Nothing allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
    /// The organization does not allow it.
    NotByOrganization,
}

/// A guard of the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// A service control policy of ours holds there.
    InForce,
    /// None does.
    Missing,
    /// The account is in no organization.
    NoOrganization,
}

/// The calls by which a role is read, contained and given back.
pub const TO_CONTAIN: [&str; 7] = [
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListRolePolicies",
    "iam:ListAttachedRolePolicies",
    "iam:UpdateAssumeRolePolicy",
    "iam:PutRolePolicy",
    "iam:DeleteRolePolicy",
];

pub(super) fn judge(facts: &Facts) -> Vec<Check> {
    let stop = &facts.stop;
    let mut checks = vec![mode(facts), halted(stop)];
    if let Err(unknown) = &stop.responder {
        checks.push(Check::unknown(Group::Switch, "responder", unknown));
    }
    match &stop.roles {
        Err(unknown) => checks.push(Check::unknown(Group::Switch, "roles", unknown)),
        Ok(roles) if roles.is_empty() => checks.push(
            Check::new(Group::Switch, "roles", Answer::Warning, "no role of an agent is known")
                .next("tag agents' roles `tripline:contain = allowed`, or name them by --role"),
        ),
        Ok(roles) => checks.extend(roles.iter().flat_map(|role| of_role(role, facts))),
    }
    checks.extend(stop.guards.iter().map(|(account, guard)| guarded(*account, guard, stop)));
    checks
}

fn mode(facts: &Facts) -> Check {
    let check = |answer, says: &str| Check::new(Group::Switch, "mode", answer, says);
    match &facts.deployment {
        Err(unknown) => Check::unknown(Group::Switch, "mode", unknown),
        Ok(deployment) => match deployment.mode {
            Mode::Enforce => check(Answer::Ok, "enforce: it acts on its own, within the brakes"),
            Mode::Approve => check(Answer::Ok, "approve: it acts when a person says yes"),
            Mode::Observe | Mode::Recommend => check(
                Answer::Warning,
                "observe or recommend: it stops nobody, and its role may write nothing",
            )
            .next("deploy with Mode=approve or enforce when you have seen what it would do"),
        },
    }
}

fn halted(stop: &StopFacts) -> Check {
    match &stop.is_halted {
        Err(unknown) => Check::unknown(Group::Switch, "brake", unknown),
        Ok(false) => Check::new(Group::Switch, "brake", Answer::Ok, "nobody pulled the brake"),
        Ok(true) => Check::new(
            Group::Switch,
            "brake",
            Answer::Warning,
            "a person stopped all automatic action",
        )
        .next("tripline brake off --reason TEXT"),
    }
}

/// What stands in the way of stopping who uses a role; one line that says so where nothing does.
fn of_role(role: &RoleState, facts: &Facts) -> Vec<Check> {
    let arn = role.arn.untrusted();
    let check = |id, answer, says: String| Check::new(Group::Switch, id, answer, says).about(&arn);
    let mut checks = Vec::new();
    let plan = rehearse(role, &facts.stop, facts.now.unix_secs());
    let refusal = match &plan {
        Ok(plan) => plan.refused.first().map(|(_, refusal)| refusal),
        Err(refusal) => Some(refusal),
    };
    match refusal {
        Some(Refusal::TooLong { chars, quota }) => checks.push(
            check(
                "role-room",
                Answer::Failed,
                format!("no room for a denial: {chars} characters, {quota} are allowed"),
            )
            .next("shorten its inline policies, or detach a managed one"),
        ),
        Some(refusal @ Refusal::Protected) => {
            checks.push(check(
                "role-kind",
                Answer::Warning,
                format!("it is never contained: {refusal}"),
            ));
        }
        Some(refusal) => checks.push(
            check("role-kind", Answer::Failed, format!("it cannot be contained: {refusal}"))
                .next("give its agents a role of their own"),
        ),
        None => {}
    }
    if refusal.is_some() {
        return checks;
    }
    match &role.rights {
        Err(unknown) => {
            checks.push(Check::unknown(Group::Switch, "role-rights", unknown).about(&arn))
        }
        Ok(rights) => checks.extend(rights_of(role, rights, facts)),
    }
    if let Err(unknown) = &role.described {
        checks.push(Check::unknown(Group::Switch, "role-room", unknown).about(&arn));
    }
    if checks.is_empty()
        && let Ok(plan) = &plan
    {
        checks.push(room(plan).about(&arn));
    }
    checks
}

/// What the planner makes of a session of this role, as if it had to be stopped now.
fn rehearse(role: &RoleState, stop: &StopFacts, now_unix_secs: i64) -> Result<Plan, Refusal> {
    // Names of the longest kind: what has room for these has room for any.
    let principal = |id: &str| PrincipalId::parse(&format!("{id}:{}", "x".repeat(64))).ok();
    let session = TargetSession {
        id: Untrusted::borrowed("ASIAXXXXXXXXXXXXXXXX"),
        kind: SessionKind::Role,
        principal: principal("AROAXXXXXXXXXXXXXXXXX"),
        minted_by: principal("AROAYYYYYYYYYYYYYYYYY"),
        is_chained: false,
        role: Some(role.arn.clone()),
        user: None,
        account: role.arn.account(),
        minted_unix_secs: now_unix_secs,
        ends_by_unix_secs: now_unix_secs,
    };
    let described = role.described.clone().ok();
    let target = Target {
        agent: None,
        agent_tag: None,
        source_identity: None,
        incident: IncidentId::new(0),
        sessions: vec![session],
        roles: vec![RoleFacts {
            arn: role.arn.clone(),
            other_users: None,
            whole: false,
            described,
        }],
        created: Vec::new(),
        contain_created: false,
        protected: stop.protected.clone(),
        management_accounts: stop.management_accounts.clone(),
        now_unix_secs,
    };
    plan_kill(&target, target.grounds())
}

fn room(plan: &Plan) -> Check {
    let check = |answer, says: String| Check::new(Group::Switch, "role", answer, says);
    let trust = plan.steps.iter().find(|step| step.kind == StepKind::BlockReEntry);
    let deny = plan.steps.iter().find(|step| step.kind == StepKind::Deny);
    let Some(deny) = deny else {
        return check(Answer::Failed, "there is no way to deny anything to who uses it".to_owned());
    };
    if matches!(deny.place, Place::Managed(_)) {
        return check(
            Answer::Warning,
            "its inline policies are full: a managed policy would be attached in their place"
                .to_owned(),
        )
        .next("shorten its inline policies: two agents at once may find no room");
    }
    if trust.is_some_and(|step| step.chars.0 > Quota::Trust.chars()) {
        return check(
            Answer::Warning,
            "its trust policy is nearly full: IAM may refuse to block the way back in".to_owned(),
        )
        .next("shorten its trust policy, or ask for the quota of 4,096 characters");
    }
    let (chars, quota) = deny.chars;
    check(
        Answer::Ok,
        format!("can be contained and given back; {chars} of {quota} characters then"),
    )
}

fn rights_of(role: &RoleState, rights: &Rights, facts: &Facts) -> Option<Check> {
    let missing: Vec<&(&str, May)> =
        rights.iter().filter(|(_, may)| *may != May::Allowed).collect();
    let (_, worst) = missing.first()?;
    let arn = role.arn.untrusted();
    let check =
        |answer, says: String| Check::new(Group::Switch, "role-rights", answer, says).about(&arn);
    let calls: Vec<&str> = missing.iter().map(|(call, _)| *call).collect();
    let calls = calls.join(", ");
    if facts.deployment.as_ref().is_ok_and(|deployment| deployment.mode < Mode::Approve) {
        return Some(check(
            Answer::NotChecked { is_wanted: false },
            format!("in this mode the responder may not: {calls}"),
        ));
    }
    let (why, next) = match worst {
        May::NotByOrganization => {
            ("the organization does not let", "except the responder in the service control policy")
        }
        May::Denied => {
            ("a statement denies it to", "look for the Deny: ProtectedArns, a boundary, BindRoles")
        }
        May::NotAllowed | May::Allowed => match role.opted_in {
            OptIn::No => (
                "nothing lets",
                "tag it `tripline:contain = allowed`, or keep it below ContainPath",
            ),
            OptIn::Tag => ("nothing lets", "deploy the responder's role again (deploy/)"),
        },
    };
    Some(check(Answer::Failed, format!("{why} the responder: {calls}")).next(next))
}

fn guarded(account: AccountId, guard: &Found<Guard>, stop: &StopFacts) -> Check {
    let about = Untrusted::new(account.to_string());
    let check = |answer, says: &str| Check::new(Group::Switch, "guard", answer, says).about(&about);
    let roles = || stop.roles.iter().flatten().filter(|role| role.arn.account() == Some(account));
    if roles().next().is_some() && roles().all(|role| role.is_guarded) {
        return check(Answer::Ok, "every role's boundary keeps a kill from being undone");
    }
    let next = "tripline policy guard, and have it attached above this account";
    match guard {
        Ok(Guard::InForce) => {
            check(Answer::Ok, "a service control policy keeps a kill from being undone")
        }
        Ok(Guard::Missing) => check(
            Answer::Warning,
            "no guard: an agent that may change IAM can take a denial off itself",
        )
        .next(next),
        Ok(Guard::NoOrganization) => check(
            Answer::Warning,
            "in no organization, and not every role has a guard: an agent that may change IAM can take a denial off itself",
        )
        .next("tripline policy guard --form boundary, for each role"),
        Err(unknown @ Unknown::Refused(_)) => {
            // Only the management account and its delegates may ask: no fault of this account's.
            let mut check = Check::unknown(Group::Switch, "guard", unknown).about(&about);
            check.answer = Answer::NotChecked { is_wanted: false };
            "organizations cannot be asked from here".clone_into(&mut check.says);
            check.next("run doctor in the management account, or as its delegate for policies")
        }
        Err(unknown) => Check::unknown(Group::Switch, "guard", unknown).about(&about),
    }
}
