//! From sessions, as attribution knows them, to a target of containment.

use std::collections::{BTreeMap, BTreeSet};

use tripline_attribution::{AgentId, AnchorKind, Basis, Session, SessionId, Sessions};
use tripline_cloudtrail::EventTime;
use tripline_containment::{IncidentId, RoleFacts, SessionKind, Target, TargetSession};
use tripline_iam::{Arn, PrincipalId, SourceIdentity, TagKey};
use tripline_text::Untrusted;

use crate::config::Config;

/// By role, who used it: agents, or (`None`) somebody else.
pub type RoleUsers = BTreeMap<Untrusted<'static>, BTreeSet<Option<AgentId>>>;

/// How much of what happened was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// All that there is: who is not in it did nothing.
    Whole,
    /// Some lineages, as they are known at this moment: of others it says nothing.
    Live(EventTime),
}

/// Who used the roles of these sessions, in the logs that were read.
pub fn role_users<'s>(sessions: &Sessions, of: impl IntoIterator<Item = &'s Session>) -> RoleUsers {
    sessions.users_of(of.into_iter().filter_map(|session| session.role.clone()).collect())
}

/// Sessions to be contained as one incident: those of one agent, in order of first use.
///
/// `now` is the moment for which the plan is made; `users` must know the roles of the sessions, unless
/// nothing is known of who else uses them.
pub fn target(
    incident: IncidentId,
    chosen: &[Session],
    users: Option<&RoleUsers>,
    config: &Config,
    now: EventTime,
) -> Target {
    let named = chosen.iter().find(|session| session.agent().is_some());
    let agent = named.and_then(Session::agent).map(|agent| &agent.id);
    let basis = named.and_then(Session::basis);
    let mut roles: Vec<RoleFacts> = Vec::new();
    for session in chosen {
        let Some(role) = &session.role else { continue };
        let Ok(arn) = Arn::parse(role.as_unescaped()) else { continue };
        if roles.iter().any(|known| known.arn == arn) {
            continue;
        }
        let of_role = |users: &RoleUsers| {
            let others = |users: &BTreeSet<Option<AgentId>>| {
                users.iter().filter(|user| user.as_ref() != agent).count()
            };
            users.get(role).map_or(0, others)
        };
        let other_users = users.map(of_role);
        roles.push(RoleFacts { arn, other_users, whole: false, described: None });
    }
    let ids: BTreeSet<&SessionId> = chosen.iter().map(|session| &session.id).collect();
    let responder = config.containment.responder.iter();
    Target {
        agent: agent.map(|agent| agent.untrusted().into_owned()),
        agent_tag: agent_tag(basis, config),
        source_identity: named
            .filter(|_| basis == Some(Basis::SourceIdentity))
            .and_then(|session| session.source_identity.as_ref())
            .and_then(|text| SourceIdentity::parse(text.as_unescaped()).ok()),
        incident,
        sessions: chosen.iter().map(|session| target_session(session, &ids)).collect(),
        roles,
        created: Vec::new(),
        contain_created: false,
        protected: responder.chain(&config.containment.protected).cloned().collect(),
        management_accounts: config.containment.management_accounts.iter().copied().collect(),
        now_unix_secs: now.unix_secs(),
    }
}

fn agent_tag(basis: Option<Basis>, config: &Config) -> Option<TagKey> {
    (basis == Some(Basis::SessionTag)).then(|| config.agents.agent_tags.first().cloned())?
}

/// How long a session lives that no mint tells the end of: the longest that a role's can (12 hours).
const UNKNOWN_LIFE_SECS: i64 = 43_200;

/// Whether a session may still be used at a moment.
pub(crate) fn may_be_alive(session: &Session, now: EventTime) -> bool {
    target_session(session, &BTreeSet::new()).may_be_alive(now.unix_secs())
}

fn target_session(session: &Session, chosen: &BTreeSet<&SessionId>) -> TargetSession {
    let id = session.id.untrusted();
    let kind = match session.kind {
        AnchorKind::SignIn => SessionKind::SignIn,
        _ if id.as_unescaped().starts_with("AKIA") => SessionKind::LongLivedKey,
        _ if session.role.is_some() => SessionKind::Role,
        _ => SessionKind::UserSession,
    };
    let minted = session.minted.unwrap_or(session.first);
    let principal = |text: &Option<Untrusted<'static>>| {
        text.as_ref().and_then(|text| PrincipalId::parse(text.as_unescaped()).ok())
    };
    TargetSession {
        kind,
        principal: principal(&session.principal),
        minted_by: principal(&session.minter),
        is_chained: session.parent.as_ref().is_some_and(|parent| chosen.contains(parent)),
        role: session.role.as_ref().and_then(|role| Arn::parse(role.as_unescaped()).ok()),
        user: session.user.clone(),
        account: session.account,
        minted_unix_secs: minted.unix_secs(),
        ends_by_unix_secs: session
            .ends_by
            .unwrap_or(minted.plus_secs(UNKNOWN_LIFE_SECS))
            .unix_secs(),
        id: id.into_owned(),
    }
}
