//! Roles that agents use, what the responder may do to them, and the organization's guard.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EntityType, PolicyEvaluationDecisionType, RoleDetail, Tag,
};
use aws_sdk_organizations::operation::list_policies_for_target::ListPoliciesForTargetError;
use aws_sdk_organizations::types::PolicyType;
use tripline_containment::guard::GUARD_SID;
use tripline_containment::{Failure, Subject};
use tripline_engine::doctor::{Found, Guard, May, OptIn, Rights, RoleState, TO_CONTAIN, Unknown};
use tripline_iam::{AccountId, Arn};
use tripline_runtime::Responder;

use super::refused;
use crate::iam::{IamResponder, decoded, failure};

/// The tag by which a role opts in (`deploy/template.yaml`).
const OPT_IN: (&str, &str) = ("tripline:contain", "allowed");

/// A role as it is listed, before it is looked at.
struct Listed {
    arn: Arn,
    opted_in: OptIn,
    boundary: Option<String>,
}

pub(super) async fn roles(hands: &IamResponder, named: &[String]) -> Found<Vec<RoleState>> {
    let home = hands.home();
    let iam = client(hands, home).await?;
    let mut listed = at_home(&iam, named).await?;
    for name in named {
        let Some(arn) = Arn::parse(name).ok().filter(|_| !name.ends_with('*')) else { continue };
        if listed.iter().any(|known| known.arn == arn) {
            continue;
        }
        listed.push(elsewhere(hands, arn).await?);
    }
    let mut guards = BTreeMap::new();
    let mut roles = Vec::new();
    for Listed { arn, opted_in, boundary } in listed {
        let subject = arn.account().zip(arn.role_name());
        let Some((account, name)) = subject else {
            return Err(Unknown::NotAsked("a name given by --role is not the ARN of a role"));
        };
        let described = hands.describe(&Subject::Role { account, name }).await.map_err(failed);
        let is_guarded = match boundary {
            None => false,
            Some(policy) => match guards.get(&policy) {
                Some(is_guard) => *is_guard,
                None => {
                    let is_guard = is_guard(&client(hands, account).await?, &policy).await?;
                    guards.insert(policy, is_guard);
                    is_guard
                }
            },
        };
        let rights = Err(Unknown::NotAsked("nobody is known who would act"));
        roles.push(RoleState { arn, opted_in, described, is_guarded, rights });
    }
    Ok(roles)
}

/// The roles of this account that opted in, and those that are named.
async fn at_home(iam: &Client, named: &[String]) -> Found<Vec<Listed>> {
    let pages = iam.get_account_authorization_details().filter(EntityType::Role).into_paginator();
    let mut pages = pages.send();
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| refused(&error))?;
        for role in page.role_detail_list() {
            let Some(arn) = role.arn().and_then(|arn| Arn::parse(arn).ok()) else { continue };
            let opted_in = opted_in(role.tags());
            let is_named = named.iter().any(|name| is_like(arn.untrusted().as_unescaped(), name));
            if opted_in == OptIn::Tag || is_named {
                listed.push(Listed { arn, opted_in, boundary: boundary(role) });
            }
        }
    }
    Ok(listed)
}

async fn elsewhere(hands: &IamResponder, arn: Arn) -> Found<Listed> {
    let Some((account, name)) = arn.account().zip(arn.role_name()) else {
        return Err(Unknown::NotAsked("a name given by --role is not the ARN of a role"));
    };
    let asked = client(hands, account).await?.get_role().role_name(name.as_str()).send().await;
    let role = asked.map_err(|error| refused(&error))?.role;
    let tags = role.as_ref().map(|role| role.tags()).unwrap_or_default();
    let boundary = role.as_ref().and_then(|role| role.permissions_boundary());
    Ok(Listed {
        arn,
        opted_in: opted_in(tags),
        boundary: boundary
            .and_then(|boundary| boundary.permissions_boundary_arn())
            .map(str::to_owned),
    })
}

/// Whether a name is meant: itself, or all that begin like it.
fn is_like(arn: &str, named: &str) -> bool {
    match named.strip_suffix('*') {
        Some(beginning) => arn.starts_with(beginning),
        None => arn == named,
    }
}

fn opted_in(tags: &[Tag]) -> OptIn {
    match tags.iter().any(|tag| (tag.key(), tag.value()) == OPT_IN) {
        true => OptIn::Tag,
        false => OptIn::No,
    }
}

fn boundary(role: &RoleDetail) -> Option<String> {
    role.permissions_boundary()?.permissions_boundary_arn().map(str::to_owned)
}

impl IamResponder {
    /// Whether a role opted in to be contained, by its tag.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn has_opted_in(&self, role: &Arn) -> Result<bool, Failure> {
        let Some((account, name)) = role.account().zip(role.role_name()) else { return Ok(false) };
        let asked = self.client(account).await?.get_role().role_name(name.as_str()).send().await;
        let role = asked.map_err(|error| failure(&error))?.role;
        Ok(role.is_some_and(|role| opted_in(role.tags()) == OptIn::Tag))
    }
}

async fn client(hands: &IamResponder, account: AccountId) -> Found<Client> {
    hands.client(account).await.map_err(failed)
}

fn failed(failure: Failure) -> Unknown {
    match failure {
        Failure::Other { message } => Unknown::Refused(message),
        known => Unknown::refused(known.to_string()),
    }
}

/// Whether a managed policy is the guard, or has it in it.
async fn is_guard(iam: &Client, arn: &str) -> Found<bool> {
    let policy = iam.get_policy().policy_arn(arn).send().await;
    let policy = policy.map_err(|error| refused(&error))?.policy;
    let Some(version) = policy.and_then(|policy| policy.default_version_id) else {
        return Ok(false);
    };
    let version = iam.get_policy_version().policy_arn(arn).version_id(version).send().await;
    let version = version.map_err(|error| refused(&error))?.policy_version;
    let document = version.and_then(|version| version.document).unwrap_or_default();
    Ok(decoded(&document).contains(GUARD_SID))
}

pub(super) async fn rights(
    hands: &IamResponder,
    who: &Arn,
    role: &RoleState,
    function: Option<&Arn>,
) -> Found<Rights> {
    let account = role.arn.account().unwrap_or(hands.home());
    let iam = client(hands, account).await?;
    let who = acting(hands, &iam, who, account).await?;
    let mut context = Vec::new();
    if role.opted_in == OptIn::Tag {
        context.push(entry(&format!("iam:ResourceTag/{}", OPT_IN.0), OPT_IN.1));
    }
    if let Some(function) = function {
        context.push(entry("lambda:SourceFunctionArn", function.untrusted().as_unescaped()));
    }
    let asked = iam
        .simulate_principal_policy()
        .policy_source_arn(who)
        .set_action_names(Some(TO_CONTAIN.map(str::to_owned).to_vec()))
        .resource_arns(role.arn.untrusted().as_unescaped())
        .set_context_entries(Some(context));
    let results = asked.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let results = results.map_err(|error| refused(&error))?;
    let found = TO_CONTAIN.iter().map(|call| {
        let result = results.iter().find(|result| result.eval_action_name() == *call);
        let result = result.ok_or_else(|| Unknown::refused("IAM left a call out of its answer"))?;
        let by_organization = result.organizations_decision_detail();
        let may = match result.eval_decision() {
            _ if by_organization.is_some_and(|detail| !detail.allowed_by_organizations()) => {
                May::NotByOrganization
            }
            PolicyEvaluationDecisionType::Allowed => May::Allowed,
            PolicyEvaluationDecisionType::ExplicitDeny => May::Denied,
            _ => May::NotAllowed,
        };
        Ok((*call, may))
    });
    found.collect()
}

/// Who acts in that account, as IAM takes it: a user, or a role rather than its session.
async fn acting(
    hands: &IamResponder,
    iam: &Client,
    who: &Arn,
    account: AccountId,
) -> Found<String> {
    if account != hands.home() {
        // Taken on there: the responder's role of that account.
        let there = hands.identity_in(account);
        return there.ok_or(Unknown::NotAsked("no containment.responder_role is configured"));
    }
    let text = who.untrusted().as_unescaped().to_owned();
    if text.ends_with(":root") {
        return Err(Unknown::NotAsked(
            "whoever acts is the root user, of whom IAM simulates nothing",
        ));
    }
    if who.role_session_name().is_none() {
        return Ok(text);
    }
    // A session's ARN leaves out the path of its role.
    let Some(name) = who.role_arn_of_assumed_role().and_then(|role| role.role_name()) else {
        return Ok(text);
    };
    let role = iam.get_role().role_name(name.as_str()).send().await;
    Ok(role.map_err(|error| refused(&error))?.role.map_or(text, |role| role.arn))
}

fn entry(key: &str, value: &str) -> ContextEntry {
    ContextEntry::builder()
        .context_key_name(key)
        .context_key_type(ContextKeyTypeEnum::String)
        .context_key_values(value)
        .build()
}

/// How many levels an organization may have, root included (Organizations, "Quotas").
const LEVELS_MAX: usize = 7;

/// Looks at the account's own policies, its unit's, and so on up to the root.
pub(super) async fn guard(config: &SdkConfig, account: AccountId) -> Found<Guard> {
    let client = aws_sdk_organizations::Client::new(config);
    let mut target = account.to_string();
    for _ in 0..LEVELS_MAX {
        let pages = client.list_policies_for_target().target_id(&target);
        let pages = pages.filter(PolicyType::ServiceControlPolicy).into_paginator();
        let mut pages = pages.send();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let is_alone = matches!(
                        error.as_service_error(),
                        Some(ListPoliciesForTargetError::AwsOrganizationsNotInUseException(_))
                    );
                    return if is_alone { Ok(Guard::NoOrganization) } else { Err(refused(&error)) };
                }
            };
            for policy in page.policies().iter().filter_map(|policy| policy.id()) {
                let policy = client.describe_policy().policy_id(policy).send().await;
                let policy = policy.map_err(|error| refused(&error))?.policy;
                let content = policy.and_then(|policy| policy.content).unwrap_or_default();
                if content.contains(GUARD_SID) {
                    return Ok(Guard::InForce);
                }
            }
        }
        // The root has policies, and no parent.
        if target.starts_with("r-") {
            break;
        }
        let parents = client.list_parents().child_id(&target).send().await;
        let parents = parents.map_err(|error| refused(&error))?;
        let parent = parents.parents().first().and_then(|parent| parent.id());
        let Some(parent) = parent else { break };
        target = parent.to_owned();
    }
    Ok(Guard::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_meant_by_name_or_by_how_they_begin() {
        let arn = "arn:aws:iam::111122223333:role/agents/Runtime";
        assert!(is_like(arn, arn) && is_like(arn, "arn:aws:iam::111122223333:role/agents/*"));
        assert!(!is_like(arn, "arn:aws:iam::111122223333:role/agents/"));
    }
}
