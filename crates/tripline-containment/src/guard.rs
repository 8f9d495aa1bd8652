//! Policies to put in place beforehand: what keeps a kill from being undone, and what makes an agent's
//! tag a name that can be trusted.
//!
//! A role's own Deny is a race against an agent that may change IAM: it can take the Deny off, and the
//! published tool for it does so twice a second. What it cannot change is a policy of the organization,
//! or a boundary that denies its own removal (facts, 4.6).

use std::collections::BTreeSet;

use thiserror::Error;
use tripline_iam::policy::{
    Actions, Condition, ConditionKey, Effect, InvalidStatement, Operator, PolicyDocument,
    PolicyText, Principal, Quota, Resources, Sid, Statement,
};
use tripline_iam::{ActionPattern, Arn, InvalidId, TagKey};
use tripline_text::Untrusted;
use tripline_text::escape::NotInPolicy;

use crate::place::POLICY_NAME;

/// A policy that cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unwritable {
    /// Longer than its kind may be.
    #[error("the policy has {chars} characters, {quota} are allowed: name fewer, or by wildcards")]
    TooLong {
        /// Its length.
        chars: usize,
        /// What is allowed.
        quota: usize,
    },
    /// A name that cannot stand in a policy.
    #[error("a name cannot stand in a policy: {0}")]
    NotInPolicy(#[from] NotInPolicy),
    /// A statement that IAM would refuse.
    #[error(transparent)]
    Statement(#[from] InvalidStatement),
    /// A statement id that IAM would refuse.
    #[error(transparent)]
    Id(#[from] InvalidId),
}

/// The id of the guard's statement about roles: a policy that has it is a guard.
pub const GUARD_SID: &str = "TriplineGuardRoles";

/// Whom the guard keeps what.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// The agents' roles.
    pub roles: BTreeSet<PolicyText>,
    /// The agents' users.
    pub users: BTreeSet<PolicyText>,
    /// Who may change them, by `aws:PrincipalArn`: of a session, its role.
    pub responders: BTreeSet<PolicyText>,
}

/// What changes the permissions of a role. Source: facts, 4.6.
const ROLE_ACTIONS: &[&str] = &[
    "iam:AttachRolePolicy",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
];

/// The same of a user, and ways to give it other credentials.
const USER_ACTIONS: &[&str] = &[
    "iam:AddUserToGroup",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:DeleteUser",
    "iam:DeleteUserPermissionsBoundary",
    "iam:DeleteUserPolicy",
    "iam:DetachUserPolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:RemoveUserFromGroup",
    "iam:TagUser",
    "iam:UntagUser",
    "iam:UpdateAccessKey",
    "iam:UpdateLoginProfile",
    "iam:UpdateUser",
];

/// What changes a managed policy that is attached.
const POLICY_ACTIONS: &[&str] = &[
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:SetDefaultPolicyVersion",
];

impl Guard {
    /// As a service control policy, minified.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn service_control_policy(&self) -> Result<String, Unwritable> {
        minified(self.denials()?, Quota::ServiceControl)
    }

    /// As the permissions boundary of each of the roles and users: it allows everything else, so that
    /// their own policies decide as before.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn boundary(&self) -> Result<String, Unwritable> {
        let all = Actions::Only(BTreeSet::from([ActionPattern::any()]));
        let sid = Sid::parse("TriplineElseAsBefore")?;
        let mut statements =
            vec![Statement::new(sid, Effect::Allow, all, Resources::any(), Vec::new())?];
        statements.extend(self.denials()?);
        minified(statements, Quota::Managed)
    }

    fn denials(&self) -> Result<Vec<Statement>, Unwritable> {
        let policies =
            BTreeSet::from([PolicyText::literal("arn:*:iam::*:policy/").followed_by(&ours())]);
        let parts = [
            (GUARD_SID, ROLE_ACTIONS, &self.roles),
            ("TriplineGuardUsers", USER_ACTIONS, &self.users),
            ("TriplineGuardPolicies", POLICY_ACTIONS, &policies),
            // Who can change the responder can be the responder.
            ("TriplineGuardResponder", ROLE_ACTIONS, &self.responders),
        ];
        let mut statements = Vec::new();
        for (sid, actions, resources) in parts {
            if resources.is_empty() {
                continue;
            }
            let but_responders = Condition::any_of(
                Operator::ArnNotLike,
                ConditionKey::PRINCIPAL_ARN,
                self.responders.iter().cloned(),
            );
            statements.push(Statement::new(
                Sid::parse(sid)?,
                Effect::Deny,
                patterns(actions),
                Resources::Only(resources.clone()),
                vec![but_responders],
            )?);
        }
        Ok(statements)
    }
}

/// Who may give agents their names.
#[derive(Clone, Debug)]
pub struct NamedAgents {
    /// The tag that names them.
    pub tag: TagKey,
    /// Their roles.
    pub roles: BTreeSet<PolicyText>,
    /// Who mints their sessions, by `aws:PrincipalArn`.
    pub minters: BTreeSet<PolicyText>,
}

const MINTING: &[&str] =
    &["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"];

impl NamedAgents {
    /// The service control policy: no session of these roles without the tag, and nobody but the minters
    /// sets it. A session that goes on from one that carries the tag is let through.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub fn service_control_policy(&self) -> Result<String, Unwritable> {
        let absent = |key| Condition::new(Operator::Null, key, PolicyText::literal("true"));
        let untagged = Statement::new(
            Sid::parse("TriplineNoAgentWithoutName")?,
            Effect::Deny,
            patterns(MINTING),
            Resources::Only(self.roles.clone()),
            vec![
                absent(ConditionKey::request_tag(&self.tag)?),
                absent(ConditionKey::principal_tag(&self.tag)?),
            ],
        )?;
        let but_minters = Condition::any_of(
            Operator::ArnNotLike,
            ConditionKey::PRINCIPAL_ARN,
            self.minters.iter().cloned(),
        );
        let this_tag = Condition::new(
            Operator::ForAnyValueStringEquals,
            ConditionKey::TAG_KEYS,
            PolicyText::exact(&self.tag.untrusted())?,
        );
        let forged = Statement::new(
            Sid::parse("TriplineNobodyElseNamesAgents")?,
            Effect::Deny,
            patterns(&["sts:TagSession"]),
            Resources::any(),
            vec![but_minters, this_tag],
        )?;
        minified(vec![untagged, forged], Quota::ServiceControl)
    }
}

/// The trust policy of a role that only these minters may assume, only in these agents' names, which are
/// handed on to every further role. It pins the tag: [`crate::pins_tag`] says so.
///
/// # Errors
/// [`Unwritable`].
pub fn trust_policy(
    tag: &TagKey,
    minters: BTreeSet<Arn>,
    agents: &[Untrusted<'_>],
) -> Result<String, Unwritable> {
    let names: Result<Vec<_>, _> = agents.iter().map(PolicyText::exact).collect();
    let key = PolicyText::exact(&tag.untrusted())?;
    let conditions = vec![
        Condition::any_of(Operator::StringEquals, ConditionKey::request_tag(tag)?, names?),
        Condition::new(Operator::ForAllValuesStringEquals, ConditionKey::TRANSITIVE_TAG_KEYS, key),
        // "All of none" holds: that there is one is said apart.
        Condition::new(
            Operator::Null,
            ConditionKey::TRANSITIVE_TAG_KEYS,
            PolicyText::literal("false"),
        ),
        Condition::new(
            Operator::StringLike,
            ConditionKey::REQUESTED_SOURCE_IDENTITY,
            PolicyText::literal("?*"),
        ),
    ];
    let statement = Statement::trust(
        Sid::parse("NamedAgentsOnly")?,
        Effect::Allow,
        Principal::Arns(minters),
        patterns(&["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]),
        conditions,
    )?;
    minified(vec![statement], Quota::Trust)
}

fn ours() -> PolicyText {
    PolicyText::literal(POLICY_NAME).followed_by(&PolicyText::literal("*"))
}

fn patterns(actions: &[&str]) -> Actions {
    // INVARIANT: the lists of this file are actions.
    Actions::Only(actions.iter().filter_map(|action| ActionPattern::parse(action).ok()).collect())
}

fn minified(statements: Vec<Statement>, quota: Quota) -> Result<String, Unwritable> {
    let document = PolicyDocument::new(statements)?;
    let (chars, quota) = (document.quota_chars(), quota.chars());
    match chars > quota {
        true => Err(Unwritable::TooLong { chars, quota }),
        false => Ok(document.to_minified_json()),
    }
}

#[cfg(test)]
mod tests {
    use iam_rs::{
        Arn as OracleArn, Context, Decision, IAMPolicy, IAMRequest, Principal, PrincipalId,
        evaluate_policy,
    };

    use super::*;
    use crate::trust::pins_tag;

    fn texts(texts: &[&str]) -> BTreeSet<PolicyText> {
        texts.iter().map(|text| PolicyText::arn_pattern(text).unwrap()).collect()
    }

    fn guard() -> Guard {
        Guard {
            roles: texts(&["arn:aws:iam::*:role/agents/*"]),
            users: texts(&["arn:aws:iam::*:user/agents/*"]),
            responders: texts(&["arn:aws:iam::*:role/TriplineResponder"]),
        }
    }

    /// What an evaluator by another hand says.
    fn decision(document: &str, who: &str, action: &str, resource: &str) -> Decision {
        let policy: IAMPolicy = serde_json::from_str(document).unwrap();
        let context = Context::new().with_string("aws:PrincipalArn", who.to_owned());
        let request = IAMRequest::new_with_context(
            Principal::Aws(PrincipalId::String(who.to_owned())),
            action,
            OracleArn::parse(resource).unwrap(),
            context,
        );
        evaluate_policy(&policy, &request).unwrap()
    }

    const AGENT: &str = "arn:aws:iam::111122223333:role/agents/Runtime";
    const RESPONDER: &str = "arn:aws:iam::111122223333:role/TriplineResponder";

    #[test]
    fn the_responder_may_and_nobody_else() {
        let scp = guard().service_control_policy().unwrap();
        let boundary = guard().boundary().unwrap();
        let policy = "arn:aws:iam::111122223333:policy/TriplineContainment-role-Runtime";
        for (action, resource) in [
            ("iam:DeleteRolePolicy", AGENT),
            ("iam:UpdateAssumeRolePolicy", AGENT),
            ("iam:DetachRolePolicy", AGENT),
            ("iam:DeleteRolePermissionsBoundary", AGENT),
            ("iam:SetDefaultPolicyVersion", policy),
            ("iam:UpdateAssumeRolePolicy", RESPONDER),
            ("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/agents/bot"),
        ] {
            for document in [&scp, &boundary] {
                assert_eq!(decision(document, AGENT, action, resource), Decision::Deny, "{action}");
                assert_ne!(
                    decision(document, RESPONDER, action, resource),
                    Decision::Deny,
                    "{action}"
                );
            }
        }
        // Everything else is as before.
        let other = "arn:aws:iam::111122223333:role/other";
        assert_eq!(decision(&boundary, AGENT, "iam:DeleteRolePolicy", other), Decision::Allow);
        assert_eq!(decision(&boundary, AGENT, "s3:GetObject", "arn:aws:s3:::b/k"), Decision::Allow);
        assert!(
            scp.len() < Quota::ServiceControl.chars() && boundary.len() < Quota::Managed.chars()
        );
        assert!(!scp.contains(char::is_whitespace));
    }

    #[test]
    fn too_many_names_are_refused_before_aws_does() {
        let mut guard = guard();
        guard.roles = (0..400)
            .map(|nth| {
                PolicyText::arn_pattern(&format!("arn:aws:iam::*:role/agents/{nth:032}")).unwrap()
            })
            .collect();
        assert!(matches!(guard.service_control_policy(), Err(Unwritable::TooLong { .. })));
    }

    #[test]
    fn the_trust_policy_pins_the_tag() {
        let tag = TagKey::parse("AgentID").unwrap();
        let role = Arn::parse(AGENT).unwrap();
        let minters =
            BTreeSet::from([Arn::parse("arn:aws:iam::111122223333:role/Runner").unwrap()]);
        let names = [Untrusted::borrowed("a1"), Untrusted::borrowed("a2")];
        let trust = trust_policy(&tag, minters, &names).unwrap();
        assert!(pins_tag(&trust, &tag, &role), "{trust}");
        assert!(
            trust.contains(r#""ForAllValues:StringEquals":{"sts:TransitiveTagKeys":"AgentID"}"#),
            "{trust}"
        );
    }

    #[test]
    fn names_are_required_and_given_by_minters_only() {
        let named = NamedAgents {
            tag: TagKey::parse("AgentID").unwrap(),
            roles: texts(&["arn:aws:iam::*:role/agents/*"]),
            minters: texts(&["arn:aws:iam::*:role/Runner"]),
        };
        let scp = named.service_control_policy().unwrap();
        assert_eq!(
            scp,
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"TriplineNoAgentWithoutName","Effect":"Deny","Action":["sts:AssumeRole","sts:AssumeRoleWithSAML","sts:AssumeRoleWithWebIdentity"],"Resource":"arn:aws:iam::*:role/agents/*","Condition":{"Null":{"aws:PrincipalTag/AgentID":"true","aws:RequestTag/AgentID":"true"}}},{"Sid":"TriplineNobodyElseNamesAgents","Effect":"Deny","Action":"sts:TagSession","Resource":"*","Condition":{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/Runner"},"ForAnyValue:StringEquals":{"aws:TagKeys":"AgentID"}}}]}"#
        );
    }
}
