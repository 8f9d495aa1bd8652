//! From a target to a plan.

use std::collections::{BTreeMap, BTreeSet};

use tripline_iam::policy::Quota;
use tripline_iam::{AccessKeyId, AccountId, PrincipalId, UserName};
use tripline_text::Untrusted;

use crate::denial::Denial;
use crate::documents::{
    Who, deny_all, deny_entry, minted_before, minters, principal_tag, request_tag,
    requested_source_identity, session_names, sign_in, source_identity, until, user_ids,
};
use crate::place::{Place, Subject};
use crate::plan::{CutSession, LeftAlone, Plan, Refusal, Response, Step, StepKind, counted};
use crate::target::{Created, Grounds, RoleFacts, SessionKind, Target, TargetSession};
use crate::trust::{pins_source_identity, pins_tag};
use crate::work::Work;

/// How far behind `now` the cut-off of a revocation lies: clocks differ, and sessions are minted while
/// the policy spreads. The console uses 30 seconds (IAM/id_roles_use_revoke-sessions).
const REVOKE_MARGIN_SECS: i64 = 30;

/// Plans to kill the agent of `target`.
///
/// Denials are keyed on what the agent cannot change. A session tag or a source identity is such a key
/// only where the role's trust policy was read and pins it; the exact sessions are denied in any case,
/// because a tag that is not handed on is not there in a chained one. A role that others use is denied
/// as a whole only when a person says so.
///
/// # Errors
/// When nothing at all can be planned. What cannot be done for one role is in [`Plan::refused`].
pub fn plan_kill(target: &Target, grounds: Grounds) -> Result<Plan, Refusal> {
    Planner { target, grounds, response: Response::Kill, work: None }.plan()
}

/// Plans to fence the agent of `target`: everything outside `work` is denied until a time, to whom a
/// kill would deny everything.
///
/// # Errors
/// As [`plan_kill`]; and [`Refusal::NothingKnown`] where the work names no action.
pub fn plan_fence(
    target: &Target,
    grounds: Grounds,
    work: &Work,
    until_unix_secs: i64,
) -> Result<Plan, Refusal> {
    if work.is_unknown() {
        return Err(Refusal::NothingKnown);
    }
    let response = Response::Fence { until_unix_secs };
    Planner { target, grounds, response, work: Some(work) }.plan()
}

struct Planner<'t> {
    target: &'t Target,
    grounds: Grounds,
    response: Response,
    work: Option<&'t Work>,
}

const ROLE_WIDE: &str =
    "deny the whole role: cuts everybody who uses it, so only a person may ask for it";

impl Planner<'_> {
    fn plan(&self) -> Result<Plan, Refusal> {
        let target = self.target;
        if target.sessions.is_empty() && target.roles.iter().all(|role| !role.whole) {
            return Err(Refusal::NoSession);
        }
        let mut steps = Vec::new();
        let mut refused = Vec::new();
        for role in &target.roles {
            // What can be done for a role is done, even where something else cannot.
            let outcome =
                untouchable(target, role).map_or_else(|| self.contain_role(role, &mut steps), Err);
            if let Err(refusal) = outcome {
                refused.push((LeftAlone::Role(role.arn.clone()), refusal));
            }
        }
        let mut users = Users::default();
        for session in &target.sessions {
            if let Err(refusal) = self.note_user(session, &mut users) {
                refused.push((LeftAlone::Session(session.id.clone()), refusal));
            }
        }
        if target.contain_created {
            target.created.iter().for_each(|created| self.note_created(created, &mut users));
        }
        steps.extend(users.keys);
        for (subject, denied) in users.denied {
            steps.push(self.deny_subject(subject, denied)?);
        }
        if steps.is_empty() && refused.is_empty() {
            return Err(Refusal::NoPrincipal);
        }
        // What lets the agent back in comes before what cuts it off; otherwise it is back in between.
        steps.sort_by_key(|step| step.kind);
        let created = match target.contain_created {
            true => Vec::new(),
            false => target.created.clone(),
        };
        let sessions = self.cut_sessions(&steps);
        Ok(Plan {
            sessions,
            incident: target.incident,
            response: self.response,
            agent: target.agent.clone(),
            steps,
            refused,
            survives: self.survivors(),
            offered: self.offers(),
            created,
        })
    }

    fn contain_role(&self, role: &RoleFacts, steps: &mut Vec<Step>) -> Result<(), Refusal> {
        let Some((account, name)) = role.arn.account().zip(role.arn.role_name()) else {
            return Err(Refusal::NoPrincipal);
        };
        let entry = self.entry(role)?;
        if !entry.is_empty() {
            let denials = deny_entry(self.target.incident, entry)?;
            let trust = role.described.as_ref().and_then(|described| described.trust.as_deref());
            let there = trust.map_or(0, quota_chars);
            // Accounts may have been given more than the default; IAM knows.
            let chars = sized(&denials, there, Quota::Trust)
                .or_else(|_| sized(&denials, there, Quota::TrustRaised))?;
            steps.push(Step {
                kind: StepKind::BlockReEntry,
                place: Place::Trust { account, role: name.clone() },
                denials,
                chars,
                cuts: Vec::new(),
                others_spared: role.other_users.unwrap_or(0),
                others_hit: 0,
            });
        }
        if self.grounds == Grounds::ReEntry {
            return Ok(());
        }
        let alive: Vec<&TargetSession> = self.alive_as(role).collect();
        let who = self.whom(role, &alive)?;
        if who.is_empty() {
            return Ok(());
        }
        let subject = Subject::Role { account, name };
        let described = role.described.as_ref();
        let there = described.map_or(0, |described| described.inline_chars);
        let place = Place::Inline(subject);
        let step = |place: Place, denials: Vec<Denial>, chars| Step {
            kind: StepKind::Deny,
            place,
            denials,
            chars,
            cuts: alive.iter().map(|session| session.id.clone()).collect(),
            others_spared: if role.whole { 0 } else { role.other_users.unwrap_or(0) },
            others_hit: if role.whole { role.other_users.unwrap_or(0) } else { 0 },
        };
        let denials = self.denials(who, there, place.quota())?;
        match sized(&denials, there, Quota::RoleInline) {
            Ok(chars) => steps.push(step(place, denials, chars)),
            // Full with other policies: the same as a managed policy, if one can still be attached.
            Err(refusal) => match place.fallback() {
                Some(managed) if described.is_none_or(|described| described.has_room_to_attach) => {
                    let chars = sized(&denials, 0, Quota::Managed)?;
                    steps.push(step(managed, denials, chars));
                }
                _ => return Err(refusal),
            },
        }
        Ok(())
    }

    /// The sessions that act as a role and may still be used.
    fn alive_as<'s>(&'s self, role: &'s RoleFacts) -> impl Iterator<Item = &'s TargetSession> {
        self.target.sessions.iter().filter(move |session| {
            session.role.as_ref() == Some(&role.arn)
                && matches!(session.kind, SessionKind::Role | SessionKind::SignIn)
                && session.may_be_alive(self.target.now_unix_secs)
        })
    }

    /// Whom to deny on a role.
    fn whom(&self, role: &RoleFacts, alive: &[&TargetSession]) -> Result<Vec<Who>, Refusal> {
        if role.whole {
            return Ok(vec![Who::new("everybody who uses the role", Vec::new())]);
        }
        let target = self.target;
        let mut who = self.pinned(role)?;
        // A fence's list of work is long: one key, if it is one that new sessions carry as well.
        let one_is_enough = self.work.is_some() && !who.is_empty();
        let principals: BTreeSet<&PrincipalId> =
            alive.iter().filter_map(|session| session.principal.as_ref()).collect();
        if !principals.is_empty() && !one_is_enough {
            // A tag that was not handed on is not there to match in a chained session: its id is.
            let words = format!("{} by aws:userid", counted(principals.len(), "session"));
            who.push(Who::new(words, vec![user_ids(principals)?]));
        }
        for session in alive.iter().filter(|session| session.kind == SessionKind::SignIn) {
            who.push(Who::new("the sign-in session", vec![sign_in(&session.id)?]));
        }
        if role.other_users == Some(0) && !alive.is_empty() && self.work.is_none() {
            let newest =
                alive.iter().map(|session| session.minted_unix_secs).max().unwrap_or(i64::MIN);
            let cut_off = target.now_unix_secs.max(newest).saturating_add(REVOKE_MARGIN_SECS);
            let words = "all sessions minted until now: nobody else uses the role";
            who.push(Who::new(words, vec![minted_before(cut_off)]));
        }
        Ok(who)
    }

    /// The agent by what the role's trust policy pins it to.
    fn pinned(&self, role: &RoleFacts) -> Result<Vec<Who>, Refusal> {
        let target = self.target;
        let mut who = Vec::new();
        if let Some((tag, agent)) = self.pinned_tag(role) {
            who.push(Who::new(
                "the agent's tag, which the trust policy pins",
                vec![principal_tag(tag, agent)?],
            ));
        }
        if let Some(identity) = &target.source_identity
            && self.trust(role).is_some_and(|trust| pins_source_identity(trust, &role.arn))
        {
            let words = "the source identity, which the trust policy pins";
            who.push(Who::new(words, vec![source_identity(identity)]));
        }
        Ok(who)
    }

    fn pinned_tag(&self, role: &RoleFacts) -> Option<(&tripline_iam::TagKey, &Untrusted<'static>)> {
        let (tag, agent) = self.target.agent_tag.as_ref().zip(self.target.agent.as_ref())?;
        pins_tag(self.trust(role)?, tag, &role.arn).then_some((tag, agent))
    }

    fn trust<'r>(&self, role: &'r RoleFacts) -> Option<&'r str> {
        role.described.as_ref()?.trust.as_deref()
    }

    /// What identifies the agent's next attempt to get into a role.
    fn entry(&self, role: &RoleFacts) -> Result<Vec<Who>, Refusal> {
        let target = self.target;
        let is_pinned = self.pinned_tag(role).is_some();
        // The whole role is denied, or new sessions carry the fence's key as well: let them come.
        if role.whole || (self.work.is_some() && is_pinned) {
            return Ok(Vec::new());
        }
        let here =
            || target.sessions.iter().filter(|session| session.role.as_ref() == Some(&role.arn));
        let minted: BTreeSet<&PrincipalId> = here()
            .filter(|session| !session.is_chained)
            .filter_map(|session| session.minted_by.as_ref())
            .collect();
        let chained: BTreeSet<&PrincipalId> = target
            .sessions
            .iter()
            .filter(|session| session.role.as_ref() != Some(&role.arn))
            .filter_map(|session| session.principal.as_ref())
            .collect();
        let mut who = Vec::new();
        if here().any(|session| !session.is_chained) {
            let names = self.next_name(&here().collect::<Vec<_>>())?;
            for (words, name) in names {
                let mut conditions = vec![name];
                // Where callers may choose their tags, a sibling's minter must not be hit by a name
                // that somebody else took.
                if !is_pinned && !minted.is_empty() {
                    conditions.push(minters(minted.iter().copied())?);
                }
                who.push(Who::new(words, conditions));
            }
        }
        if is_pinned && let Some((tag, agent)) = self.pinned_tag(role) {
            // An inherited tag is the caller's, not the request's.
            who.push(Who::new(
                "callers that carry the agent's tag",
                vec![principal_tag(tag, agent)?],
            ));
        }
        if here().any(|session| session.is_chained) && !chained.is_empty() {
            who.push(Who::new("the agent's other sessions", vec![user_ids(chained)?]));
        }
        if let Response::Fence { until_unix_secs } = self.response {
            for who in &mut who {
                who.conditions.push(until(until_unix_secs));
            }
        }
        Ok(who)
    }

    /// What the next session of the agent will ask for: its tag, else its source identity, else one of
    /// its session names.
    fn next_name(
        &self,
        here: &[&TargetSession],
    ) -> Result<Vec<(&'static str, tripline_iam::policy::Condition)>, Refusal> {
        let target = self.target;
        if let (Some(tag), Some(agent)) = (&target.agent_tag, &target.agent) {
            return Ok(vec![("requests for the agent's tag", request_tag(tag, agent)?)]);
        }
        if let Some(identity) = &target.source_identity {
            let words = "requests for the source identity";
            return Ok(vec![(words, requested_source_identity(identity))]);
        }
        let names: Vec<Untrusted<'_>> =
            here.iter().filter_map(|session| session.principal.as_ref()?.session_name()).collect();
        match names.is_empty() {
            true => Ok(Vec::new()),
            false => Ok(vec![("requests for its session names", session_names(names)?)]),
        }
    }

    /// Users: credentials that are not a role's.
    fn note_user(&self, session: &TargetSession, users: &mut Users) -> Result<(), Refusal> {
        let is_users = matches!(session.kind, SessionKind::LongLivedKey | SessionKind::UserSession)
            || (session.kind == SessionKind::SignIn && session.role.is_none());
        if !is_users
            || self.grounds == Grounds::ReEntry
            || !session.may_be_alive(self.target.now_unix_secs)
        {
            return Ok(());
        }
        let account = session.account.ok_or(Refusal::NoPrincipal)?;
        if is_managed(self.target, Some(account)) {
            return Err(Refusal::ManagementAccount);
        }
        let Some(user) = &session.user else {
            let root = account.to_string();
            let is_root = session.principal.as_ref().is_some_and(|id| id.untrusted() == *root);
            return Err(if is_root { Refusal::Root } else { Refusal::NoPrincipal });
        };
        let user = UserName::parse(user.as_unescaped()).map_err(|_| Refusal::NotInPolicy)?;
        if self.target.protected.iter().any(|protected| is_user(protected, account, &user)) {
            return Err(Refusal::Protected);
        }
        let who = match session.kind {
            SessionKind::LongLivedKey => {
                if let Ok(key) = AccessKeyId::parse(session.id.as_unescaped()) {
                    users.keys.extend(self.key(account, user.clone(), key, Some(&session.id)));
                }
                // The key's sessions outlive it and follow the user's policies.
                Who::new("the user, whose key the agent uses", Vec::new())
            }
            SessionKind::SignIn => Who::new("the sign-in session", vec![sign_in(&session.id)?]),
            SessionKind::Role | SessionKind::UserSession => {
                let principal = session.principal.as_ref().ok_or(Refusal::NoPrincipal)?;
                Who::new("the session by its aws:userid", vec![user_ids([principal])?])
            }
        };
        users.deny(Subject::User { account, name: user }, who, Some(&session.id));
        Ok(())
    }

    /// Only the agent can know of what it made, so the whole of it is denied.
    fn note_created(&self, created: &Created, users: &mut Users) {
        match created {
            Created::Key { account, user, key } => {
                users.keys.extend(self.key(*account, user.clone(), key.clone(), None));
            }
            Created::User { .. } | Created::Role { .. } => {
                users.deny(created.subject(), Who::new("what the agent created", Vec::new()), None);
            }
        }
    }

    /// A fence leaves the key: what is outside the known work is denied to its user.
    fn key(
        &self,
        account: AccountId,
        user: UserName,
        key: AccessKeyId,
        cut: Option<&Untrusted<'static>>,
    ) -> Option<Step> {
        (self.response == Response::Kill).then(|| Step {
            kind: StepKind::DeactivateKey,
            place: Place::Key { account, user, key },
            denials: Vec::new(),
            chars: (0, 0),
            cuts: cut.into_iter().cloned().collect(),
            others_spared: 0,
            others_hit: 0,
        })
    }

    fn deny_subject(&self, subject: Subject, denied: Denied) -> Result<Step, Refusal> {
        let quota = subject.inline_quota();
        let place = Place::Inline(subject);
        let denials = self.denials(denied.who, 0, Some(quota))?;
        let chars = sized(&denials, 0, quota)?;
        Ok(Step {
            kind: StepKind::Deny,
            place,
            denials,
            chars,
            cuts: denied.cuts,
            others_spared: 0,
            others_hit: 0,
        })
    }

    /// The denials themselves: of everything, or of everything outside the work.
    fn denials(
        &self,
        who: Vec<Who>,
        there: usize,
        quota: Option<Quota>,
    ) -> Result<Vec<Denial>, Refusal> {
        match (self.response, self.work) {
            (Response::Fence { until_unix_secs }, Some(work)) => {
                let room = quota.map_or(0, Quota::chars).saturating_sub(there);
                work.deny_outside(self.target.incident, who, until_unix_secs, room)
            }
            _ => deny_all(self.target.incident, who),
        }
    }

    /// What is to be seen refused: every session that a step cuts.
    fn cut_sessions(&self, steps: &[Step]) -> Vec<CutSession> {
        let cut: BTreeSet<&Untrusted<'_>> = steps.iter().flat_map(|step| &step.cuts).collect();
        let sessions = self.target.sessions.iter().filter(|session| cut.contains(&session.id));
        sessions
            .map(|session| {
                let ends = matches!(session.kind, SessionKind::Role | SessionKind::UserSession);
                CutSession {
                    id: session.id.clone(),
                    ends_by_unix_secs: ends.then_some(session.ends_by_unix_secs),
                }
            })
            .collect()
    }

    /// What no statement of IAM's cuts (facts: IAM/id_roles_use_revoke-sessions and the services' own
    /// token lifetimes).
    fn survivors(&self) -> Vec<String> {
        let target = self.target;
        let mut survives = vec![
            "sts:GetCallerIdentity, which works under any Deny and proves nothing",
            "calls already in flight, and jobs that services run under roles of their own",
            "tokens handed out before: ECR and CodeArtifact 12 h, web identity 1 h, S3 Access Grants up to 12 h, \
             database and SSM sessions until they end",
            "compute that the agent started under other roles, and resource policies that it edited",
        ];
        if !target.contain_created {
            survives.push("what the agent created: see the list, and --contain-created");
        }
        if target.roles.iter().any(|role| role.described.is_none()) {
            survives.push(
                "sessions that somebody else mints for the agent under another name: trust policies were not read",
            );
        }
        let mut survives: Vec<String> = survives.into_iter().map(str::to_owned).collect();
        if let Some(work) = self.work {
            survives.extend(work.not_cut());
        }
        survives
    }

    fn offers(&self) -> Vec<String> {
        let target = self.target;
        let mut offered = Vec::new();
        if target.roles.iter().any(|role| !role.whole && role.other_users != Some(0)) {
            offered.push(ROLE_WIDE.to_owned());
        }
        if !target.contain_created && !target.created.is_empty() {
            offered.push("contain what the agent created, with --contain-created".to_owned());
        }
        offered
    }
}

fn is_managed(target: &Target, account: Option<AccountId>) -> bool {
    account.is_some_and(|account| target.management_accounts.contains(&account))
}

/// Why a role is left alone, if it is.
fn untouchable(target: &Target, role: &RoleFacts) -> Option<Refusal> {
    let resource = role.arn.resource();
    let resource = resource.as_unescaped();
    let same_role = |protected: &tripline_iam::Arn| {
        (protected.account(), protected.role_name()) == (role.arn.account(), role.arn.role_name())
    };
    if target.protected.iter().any(same_role) {
        Some(Refusal::Protected)
    } else if is_managed(target, role.arn.account()) {
        Some(Refusal::ManagementAccount)
    } else if resource.starts_with("role/aws-service-role/") {
        Some(Refusal::ServiceLinked)
    } else if resource.contains("AWSReservedSSO_") {
        Some(Refusal::IdentityCenter)
    } else {
        None
    }
}

/// Users, and what else is denied as a whole, each once however many sessions it has.
#[derive(Default)]
struct Users {
    keys: Vec<Step>,
    denied: BTreeMap<Subject, Denied>,
}

#[derive(Default)]
struct Denied {
    who: Vec<Who>,
    cuts: Vec<Untrusted<'static>>,
}

impl Users {
    fn deny(&mut self, subject: Subject, who: Who, cut: Option<&Untrusted<'static>>) {
        let denied = self.denied.entry(subject).or_default();
        denied.cuts.extend(cut.cloned());
        let covers_all = |who: &Who| who.conditions.is_empty();
        if covers_all(&who) {
            denied.who = vec![who];
        } else if !denied.who.iter().any(covers_all) && !denied.who.contains(&who) {
            denied.who.push(who);
        }
    }
}

fn is_user(arn: &tripline_iam::Arn, account: AccountId, user: &UserName) -> bool {
    let resource = arn.resource();
    arn.account() == Some(account)
        && resource
            .as_unescaped()
            .strip_prefix("user/")
            .is_some_and(|path| path.rsplit('/').next() == Some(user.as_str()))
}

/// The length of a document with these statements beside `there` characters of others, and the quota.
fn sized(denials: &[Denial], there: usize, quota: Quota) -> Result<(usize, usize), Refusal> {
    let text = crate::edit::put(None, denials).unwrap_or_default();
    let chars = quota_chars(&text).saturating_add(there);
    match chars > quota.chars() {
        true => Err(Refusal::TooLong { chars, quota: quota.chars() }),
        false => Ok((chars, quota.chars())),
    }
}

/// IAM does not count white space. Blanks inside strings are counted here, because AWS does not say:
/// a little too high, never too low.
fn quota_chars(document: &str) -> usize {
    serde_json::from_str::<serde_json::Value>(document)
        .map_or_else(|_| document.chars().count(), |value| value.to_string().chars().count())
}
