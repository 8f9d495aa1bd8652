//! The policy statements of a kill. All are explicit Denies: removing a permission, or a boundary,
//! would leave standing what a resource policy grants the session by name
//! (IAM/reference_policies_evaluation-logic).

use std::collections::BTreeSet;

use tripline_iam::policy::{
    Actions, Condition, ConditionKey, Effect, Operator, PolicyDocument, PolicyText, Principal,
    Quota, Resources, Sid, Statement,
};
use tripline_iam::{ActionPattern, PrincipalId, TagKey};
use tripline_text::Untrusted;

use crate::plan::Refusal;

/// A document and what it measures against.
pub(crate) struct Sized {
    pub(crate) text: String,
    pub(crate) chars: (usize, usize),
}

/// Denies everything where all `conditions` hold.
pub(crate) fn deny_all(
    sid: &str,
    conditions: Vec<Condition>,
    quota: Quota,
) -> Result<Sized, Refusal> {
    let actions = Actions::Only(BTreeSet::from([ActionPattern::any()]));
    let statement =
        Statement::new(self::sid(sid)?, Effect::Deny, actions, Resources::any(), conditions)
            .map_err(|_| Refusal::NotInPolicy)?;
    let document = PolicyDocument::new(vec![statement]).map_err(|_| Refusal::NotInPolicy)?;
    let chars = (document.quota_chars(), quota.chars());
    if chars.0 > chars.1 {
        return Err(Refusal::TooLong { chars: chars.0, quota: chars.1 });
    }
    Ok(Sized { text: document.to_minified_json(), chars })
}

/// The statement that is merged into a role's trust policy: whoever matches is not let in. Such a
/// policy is replaced as a whole, so the one in force is read first and kept.
pub(crate) fn deny_entry(sid: &str, conditions: Vec<Condition>) -> Result<Sized, Refusal> {
    let actions = [
        "sts:AssumeRole",
        "sts:AssumeRoleWithSAML",
        "sts:AssumeRoleWithWebIdentity",
        "sts:TagSession",
    ];
    let actions =
        actions.into_iter().filter_map(|action| ActionPattern::parse(action).ok()).collect();
    let statement = Statement::trust(
        self::sid(sid)?,
        Effect::Deny,
        Principal::Everyone,
        Actions::Only(actions),
        conditions,
    )
    .map_err(|_| Refusal::NotInPolicy)?;
    let text = statement.to_minified_json();
    Ok(Sized {
        chars: (text.chars().filter(|c| !c.is_whitespace()).count(), Quota::Trust.chars()),
        text,
    })
}

/// These sessions, by what IAM knows them as.
pub(crate) fn user_ids<'p>(
    principals: impl IntoIterator<Item = &'p PrincipalId>,
) -> Result<Condition, Refusal> {
    let values: Result<Vec<_>, _> = principals.into_iter().map(PolicyText::principal_id).collect();
    let values = values.map_err(|_| Refusal::NotInPolicy)?;
    Ok(Condition::any_of(Operator::StringEquals, ConditionKey::USER_ID, values))
}

/// Sessions that carry the agent's tag.
pub(crate) fn principal_tag(tag: &TagKey, agent: &Untrusted<'_>) -> Result<Condition, Refusal> {
    let key = ConditionKey::principal_tag(tag).map_err(|_| Refusal::NotInPolicy)?;
    Ok(Condition::new(Operator::StringEquals, key, text(agent)?))
}

/// Requests that would give a session the agent's tag.
pub(crate) fn request_tag(tag: &TagKey, agent: &Untrusted<'_>) -> Result<Condition, Refusal> {
    let key = ConditionKey::request_tag(tag).map_err(|_| Refusal::NotInPolicy)?;
    Ok(Condition::new(Operator::StringEquals, key, text(agent)?))
}

/// Requests for a session of this name.
pub(crate) fn session_name(name: &Untrusted<'_>) -> Result<Condition, Refusal> {
    Ok(Condition::new(Operator::StringEquals, ConditionKey::REQUESTED_SESSION_NAME, text(name)?))
}

/// One OAuth session.
pub(crate) fn sign_in(arn: &Untrusted<'_>) -> Result<Condition, Refusal> {
    Ok(Condition::new(Operator::ArnEquals, ConditionKey::SIGN_IN_SESSION_ARN, text(arn)?))
}

/// Sessions minted before a moment.
pub(crate) fn minted_before(unix_secs: i64) -> Condition {
    Condition::new(
        Operator::DateLessThan,
        ConditionKey::TOKEN_ISSUE_TIME,
        PolicyText::unix_secs(unix_secs),
    )
}

fn text(text: &Untrusted<'_>) -> Result<PolicyText, Refusal> {
    PolicyText::untrusted(text).map_err(|_| Refusal::NotInPolicy)
}

fn sid(text: &str) -> Result<Sid, Refusal> {
    Sid::parse(text).map_err(|_| Refusal::NotInPolicy)
}
