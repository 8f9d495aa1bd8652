//! From a target to a plan.

use tripline_iam::policy::{Condition, Quota};
use tripline_iam::{Arn, PrincipalId};
use tripline_text::Untrusted;

use crate::documents::{
    Sized, deny_all, deny_entry, minted_before, principal_tag, request_tag, session_name, sign_in,
    user_ids,
};
use crate::plan::{Plan, Refusal, Step, StepKind};
use crate::target::{Grounds, RoleFacts, SessionKind, Target, TargetSession, TrustKnowledge};

/// How far behind `now` the cut-off of a revocation lies: clocks differ, and sessions are minted while
/// the policy spreads. The console uses 30 seconds (IAM/id_roles_use_revoke-sessions).
const REVOKE_MARGIN_SECS: i64 = 30;

/// Plans to stop the agent of `target`.
///
/// Denials are keyed on what the agent cannot change. A session tag is such a key only where the
/// role's trust policy was read and pins it; otherwise the exact sessions are denied, and their minter
/// is kept from opening more of them. A role that others use is never denied as a whole.
///
/// # Errors
/// When nothing at all can be planned. What cannot be done for one role is in [`Plan::refused`].
pub fn plan(target: &Target, grounds: Grounds) -> Result<Plan, Refusal> {
    if target.sessions.is_empty() {
        return Err(Refusal::NoSession);
    }
    let mut plan = Plan {
        agent: target.agent.clone(),
        steps: Vec::new(),
        refused: Vec::new(),
        survives: survivors(target),
        offered: Vec::new(),
    };
    for role in &target.roles {
        let refusal = untouchable(target, role);
        let outcome = refusal.map_or_else(|| contain_role(target, role, grounds), Err);
        match outcome {
            Ok(steps) => plan.steps.extend(steps),
            Err(refusal) => plan.refused.push((role.arn.clone(), refusal)),
        }
        if role.other_users > 0 && !plan.offered.contains(&ROLE_WIDE) {
            plan.offered.push(ROLE_WIDE);
        }
    }
    for session in &target.sessions {
        match contain_user(target, session, grounds) {
            Ok(steps) => plan.steps.extend(steps),
            // Of a session without a role there is no role to name; its refusal is the plan's.
            Err(refusal) => match &session.role {
                Some(role) => plan.refused.push((role.clone(), refusal)),
                None => return Err(refusal),
            },
        }
    }
    if plan.steps.is_empty() && plan.refused.is_empty() {
        return Err(Refusal::NoPrincipal);
    }
    // What lets the agent back in comes before what cuts it off; otherwise it is back in between.
    plan.steps.sort_by_key(|step| step.kind != StepKind::BlockReEntry);
    plan.offered.push("contain what the agent created: list it with the incident's findings");
    Ok(plan)
}

const ROLE_WIDE: &str =
    "deny the whole role: cuts everybody who uses it, so only a person may ask for it";

/// Why a role is left alone, if it is.
fn untouchable(target: &Target, role: &RoleFacts) -> Option<Refusal> {
    let resource = role.arn.resource();
    let resource = resource.as_unescaped();
    if target.protected.contains(&role.arn) {
        Some(Refusal::Protected)
    } else if resource.starts_with("role/aws-service-role/") {
        Some(Refusal::ServiceLinked)
    } else if resource.contains("AWSReservedSSO_") {
        Some(Refusal::IdentityCenter)
    } else {
        None
    }
}

/// The sessions of the lineage that act as a role and may still be used.
fn alive_as<'t>(target: &'t Target, role: &'t Arn) -> impl Iterator<Item = &'t TargetSession> {
    target.sessions.iter().filter(move |session| {
        session.role.as_ref() == Some(role)
            && session.kind == SessionKind::Role
            && session.may_be_alive(target.now_unix_secs)
    })
}

fn contain_role(target: &Target, role: &RoleFacts, grounds: Grounds) -> Result<Vec<Step>, Refusal> {
    let mut steps = vec![];
    if let Some(conditions) = re_entry(target, role)? {
        let document = deny_entry(&format!("TriplineEntry{:016x}", target.incident), conditions)?;
        steps.push(step(StepKind::BlockReEntry, target, role, document, &[]));
    }
    if grounds == Grounds::ReEntry {
        return Ok(steps);
    }
    let alive: Vec<&TargetSession> = alive_as(target, &role.arn).collect();
    let principals: Vec<&PrincipalId> =
        alive.iter().filter_map(|session| session.principal.as_ref()).collect();
    let sid = format!("TriplineKill{:016x}", target.incident);
    let mut put = |kind, conditions| -> Result<(), Refusal> {
        let document = deny_all(&sid, conditions, Quota::RoleInline)?;
        steps.push(step(kind, target, role, document, &alive));
        Ok(())
    };
    if role.trust == TrustKnowledge::PinsTag
        && let (Some(tag), Some(agent)) = (&target.agent_tag, &target.agent)
    {
        put(StepKind::DenyTag, vec![principal_tag(tag, agent)?])?;
    }
    if !principals.is_empty() {
        // A tag that was not handed on is not there to match in a chained session: its id is.
        put(StepKind::DenySessions, vec![user_ids(principals)?])?;
    }
    if role.other_users == 0 && !alive.is_empty() {
        let newest = alive.iter().map(|session| session.minted_unix_secs).max().unwrap_or(i64::MIN);
        let cut_off = target.now_unix_secs.max(newest).saturating_add(REVOKE_MARGIN_SECS);
        put(StepKind::RevokeOlder, vec![minted_before(cut_off)])?;
    }
    Ok(steps)
}

/// What identifies the agent's next attempt to get into a role, if anything does.
fn re_entry(target: &Target, role: &RoleFacts) -> Result<Option<Vec<Condition>>, Refusal> {
    let is_root_role =
        target.sessions.first().is_some_and(|root| root.role.as_ref() == Some(&role.arn));
    let mut conditions = Vec::new();
    if !is_root_role {
        // It came here from its other sessions: those are kept from coming again.
        let from =
            target.sessions.iter().filter(|session| session.role.as_ref() != Some(&role.arn));
        let from: Vec<&PrincipalId> =
            from.filter_map(|session| session.principal.as_ref()).collect();
        if from.is_empty() {
            return Ok(None);
        }
        conditions.push(user_ids(from)?);
        return Ok(Some(conditions));
    }
    if let (Some(tag), Some(agent)) = (&target.agent_tag, &target.agent) {
        conditions.push(request_tag(tag, agent)?);
    } else {
        let root = target.sessions.first().and_then(|root| root.principal.as_ref());
        let Some(name) = root.and_then(PrincipalId::session_name) else { return Ok(None) };
        conditions.push(session_name(&name)?);
    }
    // Where callers may choose their tags, somebody else's minter must not be hit by this name.
    if role.trust != TrustKnowledge::PinsTag
        && let Some(minter) = &target.minted_by
    {
        conditions.push(user_ids([minter])?);
    }
    Ok(Some(conditions))
}

/// Users and sign-ins: credentials that are not a role's.
fn contain_user(
    target: &Target,
    session: &TargetSession,
    grounds: Grounds,
) -> Result<Vec<Step>, Refusal> {
    if grounds == Grounds::ReEntry || !session.may_be_alive(target.now_unix_secs) {
        return Ok(Vec::new());
    }
    let sid = format!("TriplineKill{:016x}", target.incident);
    let one = |kind, subject: &Untrusted<'static>, document: Sized| Step {
        kind,
        subject: subject.clone(),
        account: session.account,
        policy_name: (kind != StepKind::DeactivateKey).then(|| policy_name(kind, target.incident)),
        document: document.text,
        chars: document.chars,
        cuts: vec![session.id.clone()],
        others_spared: 0,
    };
    Ok(match (session.kind, &session.user) {
        (SessionKind::LongLivedKey, Some(user)) => {
            let key = Sized { text: String::new(), chars: (0, 0) };
            // The key's sessions outlive it and follow the user's policies.
            let deny = deny_all(&sid, Vec::new(), Quota::UserInline)?;
            vec![one(StepKind::DeactivateKey, user, key), one(StepKind::DenyUser, user, deny)]
        }
        (SessionKind::UserSession, Some(user)) => match &session.principal {
            Some(principal) => {
                let deny = deny_all(&sid, vec![user_ids([principal])?], Quota::UserInline)?;
                vec![one(StepKind::DenyUser, user, deny)]
            }
            None => Vec::new(),
        },
        (SessionKind::SignIn, _) => {
            let subject = session.role.as_ref().map(|role| role.untrusted().into_owned());
            let subject = subject.or_else(|| session.user.clone());
            let deny = deny_all(&sid, vec![sign_in(&session.id)?], Quota::RoleInline)?;
            subject.map(|subject| one(StepKind::DenySignIn, &subject, deny)).into_iter().collect()
        }
        _ => Vec::new(),
    })
}

fn step(
    kind: StepKind,
    target: &Target,
    role: &RoleFacts,
    document: Sized,
    cuts: &[&TargetSession],
) -> Step {
    Step {
        kind,
        subject: role.arn.untrusted().into_owned(),
        account: role.account,
        policy_name: (kind != StepKind::BlockReEntry).then(|| policy_name(kind, target.incident)),
        document: document.text,
        chars: document.chars,
        cuts: cuts.iter().map(|session| session.id.clone()).collect(),
        others_spared: role.other_users,
    }
}

/// One name a step and incident: a policy is put by name, and the second of a name overwrites the
/// first.
fn policy_name(kind: StepKind, incident: u64) -> String {
    let what = match kind {
        StepKind::RevokeOlder => "Revoke",
        StepKind::DenyTag => "KillTag",
        StepKind::DenySignIn => "KillSignIn",
        _ => "Kill",
    };
    format!("Tripline{what}-{incident:016x}")
}

/// What no statement of IAM's cuts (facts: IAM/id_roles_use_revoke-sessions and the services' own
/// token lifetimes).
fn survivors(target: &Target) -> Vec<&'static str> {
    let mut survives = vec![
        "sts:GetCallerIdentity, which works under any Deny and proves nothing",
        "calls already in flight, and jobs that services run under roles of their own",
        "tokens handed out before: ECR and CodeArtifact 12 h, web identity 1 h, database and SSM sessions until they end",
        "what the agent created, and resource policies it edited",
    ];
    if target.roles.iter().any(|role| role.trust == TrustKnowledge::NotRead) {
        survives.push("sessions that somebody else mints for the agent under another name: trust policies were not read");
    }
    let managed = |role: &RoleFacts| {
        role.account.is_some_and(|account| target.management_accounts.contains(&account))
    };
    if target.roles.iter().any(managed) {
        survives.push("removal of these statements by the agent: no service control policy holds in the management account");
    }
    survives
}
