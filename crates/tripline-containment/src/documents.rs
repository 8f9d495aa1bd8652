//! The conditions of our statements: whom they are about. All statements are explicit Denies: removing
//! a permission, or a boundary, would leave standing what a resource policy grants the session by name
//! (IAM/reference_policies_evaluation-logic).

use std::collections::BTreeSet;

use tripline_iam::policy::{
    Actions, Condition, ConditionKey, Effect, InvalidStatement, Operator, PolicyText, Principal,
    Resources, Statement,
};
use tripline_iam::{ActionPattern, PrincipalId, SourceIdentity, TagKey};
use tripline_text::Untrusted;

use crate::denial::{Denial, DenialName, Purpose};
use crate::incident::IncidentId;
use crate::plan::Refusal;

/// Whom a denial is about, and the words for it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) words: String,
    pub(crate) conditions: Vec<Condition>,
}

impl Who {
    pub(crate) fn new(words: impl Into<String>, conditions: Vec<Condition>) -> Self {
        Self { words: words.into(), conditions }
    }
}

/// Denies everything to each of `who`.
pub(crate) fn deny_all(incident: IncidentId, who: Vec<Who>) -> Result<Vec<Denial>, Refusal> {
    numbered(incident, Purpose::Kill, who, |sid, conditions| {
        let actions = Actions::Only(BTreeSet::from([ActionPattern::any()]));
        Statement::new(sid, Effect::Deny, actions, Resources::any(), conditions)
    })
}

/// Denies entry to a role, in its trust policy, to each of `who`.
pub(crate) fn deny_entry(incident: IncidentId, who: Vec<Who>) -> Result<Vec<Denial>, Refusal> {
    let actions = [
        "sts:AssumeRole",
        "sts:AssumeRoleWithSAML",
        "sts:AssumeRoleWithWebIdentity",
        "sts:TagSession",
    ];
    let actions: BTreeSet<ActionPattern> =
        actions.into_iter().filter_map(|action| ActionPattern::parse(action).ok()).collect();
    numbered(incident, Purpose::Entry, who, |sid, conditions| {
        let actions = Actions::Only(actions.clone());
        Statement::trust(sid, Effect::Deny, Principal::Everyone, actions, conditions)
    })
}

fn numbered(
    incident: IncidentId,
    purpose: Purpose,
    who: Vec<Who>,
    make: impl Fn(tripline_iam::policy::Sid, Vec<Condition>) -> Result<Statement, InvalidStatement>,
) -> Result<Vec<Denial>, Refusal> {
    (0_u8..)
        .zip(who)
        .map(|(number, who)| {
            let name = DenialName { incident, purpose, number, was_alone: false };
            Denial::new(who.words, name, |sid| make(sid, who.conditions))
                .map_err(|_| Refusal::NotInPolicy)
        })
        .collect()
}

/// These sessions, by what IAM knows them as.
pub(crate) fn user_ids<'p>(
    principals: impl IntoIterator<Item = &'p PrincipalId>,
) -> Result<Condition, Refusal> {
    let values: Result<Vec<_>, _> =
        principals.into_iter().map(|principal| exact(&principal.untrusted())).collect();
    Ok(Condition::any_of(Operator::StringEquals, ConditionKey::USER_ID, values?))
}

/// All sessions of the roles of these minters: a runner comes back under another session name.
pub(crate) fn minters<'p>(
    principals: impl IntoIterator<Item = &'p PrincipalId>,
) -> Result<Condition, Refusal> {
    let value = |principal: &PrincipalId| match (principal.unique_id(), principal.session_name()) {
        (Some(role), Some(_)) => {
            Ok(PolicyText::from(&role).followed_by(&PolicyText::literal(":*")))
        }
        _ => PolicyText::principal_id(principal).map_err(|_| Refusal::NotInPolicy),
    };
    let values: Result<Vec<_>, _> = principals.into_iter().map(value).collect();
    Ok(Condition::any_of(Operator::StringLike, ConditionKey::USER_ID, values?))
}

/// Sessions that carry the agent's tag.
pub(crate) fn principal_tag(tag: &TagKey, agent: &Untrusted<'_>) -> Result<Condition, Refusal> {
    let key = ConditionKey::principal_tag(tag).map_err(|_| Refusal::NotInPolicy)?;
    Ok(Condition::new(Operator::StringEquals, key, exact(agent)?))
}

/// Requests that would give a session the agent's tag.
pub(crate) fn request_tag(tag: &TagKey, agent: &Untrusted<'_>) -> Result<Condition, Refusal> {
    let key = ConditionKey::request_tag(tag).map_err(|_| Refusal::NotInPolicy)?;
    Ok(Condition::new(Operator::StringEquals, key, exact(agent)?))
}

/// Sessions that carry the source identity.
pub(crate) fn source_identity(identity: &SourceIdentity) -> Condition {
    Condition::new(Operator::StringEquals, ConditionKey::SOURCE_IDENTITY, identity.into())
}

/// Requests that would give a session the source identity.
pub(crate) fn requested_source_identity(identity: &SourceIdentity) -> Condition {
    Condition::new(Operator::StringEquals, ConditionKey::REQUESTED_SOURCE_IDENTITY, identity.into())
}

/// Requests for sessions of these names.
pub(crate) fn session_names<'n>(
    names: impl IntoIterator<Item = Untrusted<'n>>,
) -> Result<Condition, Refusal> {
    let values: Result<Vec<_>, Refusal> = names.into_iter().map(|name| exact(&name)).collect();
    Ok(Condition::any_of(Operator::StringEquals, ConditionKey::REQUESTED_SESSION_NAME, values?))
}

/// One OAuth session.
pub(crate) fn sign_in(arn: &Untrusted<'_>) -> Result<Condition, Refusal> {
    Ok(Condition::new(Operator::ArnEquals, ConditionKey::SIGN_IN_SESSION_ARN, pattern(arn)?))
}

/// Sessions minted before a moment.
pub(crate) fn minted_before(unix_secs: i64) -> Condition {
    Condition::new(
        Operator::DateLessThan,
        ConditionKey::TOKEN_ISSUE_TIME,
        PolicyText::unix_secs(unix_secs),
    )
}

/// Until a moment.
pub(crate) fn until(unix_secs: i64) -> Condition {
    Condition::new(
        Operator::DateLessThan,
        ConditionKey::CURRENT_TIME,
        PolicyText::unix_secs(unix_secs),
    )
}

fn exact(text: &Untrusted<'_>) -> Result<PolicyText, Refusal> {
    PolicyText::exact(text).map_err(|_| Refusal::NotInPolicy)
}

fn pattern(text: &Untrusted<'_>) -> Result<PolicyText, Refusal> {
    PolicyText::untrusted(text).map_err(|_| Refusal::NotInPolicy)
}
