//! What the request must look like for an event to break its invariant.

use tripline_baseline::ResourcePattern;
use tripline_cloudtrail::{Json, JsonText, Record};
use tripline_iam::AccountId;

use super::caller;
use super::policy::{self, Reach};
use super::rules::TRIPLINE_PREFIX;

/// A record under examination, with what the settings add to it.
pub(super) struct Examined<'r, 'a> {
    pub(super) record: &'r Record<'a>,
    /// `requestParameters`; missing when it was `null`, too large, or never written.
    pub(super) request: Option<Json<'a>>,
    pub(super) trail_buckets: &'r [ResourcePattern],
    pub(super) own_accounts: &'r [AccountId],
}

/// Whether a record with the right event name breaks the invariant.
pub(super) type Check = fn(&Examined<'_, '_>) -> bool;

impl<'a> Examined<'_, 'a> {
    fn text(&self, parameter: &str) -> Option<JsonText<'a>> {
        self.request?.get_text(parameter)
    }

    fn is(&self, parameter: &str, value: &str) -> bool {
        self.text(parameter).is_some_and(|text| text.is(value))
    }

    /// The value at the end of a path of members.
    fn at(&self, path: &[&str]) -> Option<Json<'a>> {
        path.iter().try_fold(self.request?, |json, key| json.get(key))
    }

    fn is_false(&self, path: &[&str]) -> bool {
        let value = self.at(path).and_then(Json::text);
        value.is_some_and(|text| text.as_written().eq_ignore_ascii_case("false"))
    }

    fn is_true(&self, path: &[&str]) -> bool {
        self.at(path).is_some_and(Json::is_true)
    }

    /// Whether an account is the caller's, the trail's, or listed as one's own.
    fn is_own_account(&self, account: &str) -> bool {
        let Ok(account) = AccountId::parse(account) else { return false };
        self.record.identity().account() == Some(account)
            || self.record.recipient_account() == Some(account)
            || self.own_accounts.contains(&account)
    }

    fn reach_of(&self, policy: Option<Json<'_>>) -> Reach {
        policy.map_or(Reach::Inside, |policy| policy::reach(policy, &|it| self.is_own_account(it)))
    }
}

pub(super) fn on_self(it: &Examined<'_, '_>) -> bool {
    it.request.is_some_and(|request| caller::is_target(it.record, request))
}

pub(super) fn on_other(it: &Examined<'_, '_>) -> bool {
    !on_self(it)
}

/// `UpdateAccessKey` switches keys off more often than on; on is what matters.
pub(super) fn activates(it: &Examined<'_, '_>) -> bool {
    it.is("status", "Active")
}

/// Some part of the request names a thing of Tripline's: a policy, a role, a rule, a function.
///
/// The last part of a name or ARN counts; a path or an account before it is the caller's to choose.
pub(super) fn tripline_named(it: &Examined<'_, '_>) -> bool {
    const PARAMETERS: [&str; 14] = [
        "functionName",
        "name",
        "permissionsBoundary",
        "policyArn",
        "policyName",
        "queueUrl",
        "roleName",
        "rule",
        "ruleName",
        "stackName",
        "subscriptionArn",
        "tableName",
        "topicArn",
        "userName",
    ];
    PARAMETERS.iter().filter_map(|parameter| it.text(parameter)).any(|text| {
        let text = text.decode();
        text.rsplit(['/', ':']).any(|part| {
            part.get(..TRIPLINE_PREFIX.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(TRIPLINE_PREFIX))
        })
    })
}

pub(super) fn on_trail_bucket(it: &Examined<'_, '_>) -> bool {
    let Some(bucket) = it.text("bucketName") else { return false };
    let bucket = bucket.decode();
    bucket.starts_with("aws-cloudtrail-logs-")
        || it.trail_buckets.iter().any(|pattern| pattern.matches(&bucket))
}

/// GuardDuty's `UpdateDetector` with `enable: false`.
pub(super) fn not_enabled(it: &Examined<'_, '_>) -> bool {
    it.is_false(&["enable"])
}

/// A filter that archives findings as they come, rather than one to look through.
pub(super) fn archives(it: &Examined<'_, '_>) -> bool {
    it.is("action", "ARCHIVE")
}

/// Part of a service switched off: a feature `DISABLED`, a data source `false`.
pub(super) fn partly_disabled(it: &Examined<'_, '_>) -> bool {
    let Some(request) = it.request else { return false };
    let parts =
        ["features", "dataSources", "controlStatus", "standardsControlStatus", "associationStatus"];
    !not_enabled(it)
        && parts.iter().filter_map(|part| request.get(part)).any(|part| {
            let written = part.as_written();
            written.contains("\"DISABLED\"") || written.contains("false")
        })
}

/// `PutBucketLogging` without a target switches logging off.
pub(super) fn without_log_target(it: &Examined<'_, '_>) -> bool {
    it.at(&["BucketLoggingStatus"]).is_some_and(|status| status.get("LoggingEnabled").is_none())
}

/// A resource policy lets everybody in.
pub(super) fn policy_for_anyone(it: &Examined<'_, '_>) -> bool {
    resource_policy(it) == Reach::Anyone
}

/// A resource policy lets another account in.
pub(super) fn policy_for_other_account(it: &Examined<'_, '_>) -> bool {
    resource_policy(it) == Reach::OtherAccount
}

/// The reach of a resource policy, under any of the names that services give the parameter.
fn resource_policy(it: &Examined<'_, '_>) -> Reach {
    const PARAMETERS: [&str; 8] = [
        "accessPolicies",
        "bucketPolicy",
        "policy",
        "policyDocument",
        "policyInJson",
        "policyText",
        "resourcePolicy",
        "Policy",
    ];
    PARAMETERS.iter().map(|name| it.reach_of(it.at(&[name]))).max().unwrap_or_default()
}

/// SQS keeps the policy among the attributes; SNS names one attribute and its value.
pub(super) fn attribute_for_anyone(it: &Examined<'_, '_>) -> bool {
    let sns = it.is("attributeName", "Policy").then(|| it.at(&["attributeValue"])).flatten();
    it.reach_of(sns.or_else(|| it.at(&["attributes", "Policy"]))) == Reach::Anyone
}

/// A principal `*` given on its own, not narrowed by an organisation or a source.
pub(super) fn principal_anyone(it: &Examined<'_, '_>) -> bool {
    let narrowed = ["principalOrgID", "organizationId", "sourceAccount", "sourceArn", "condition"];
    it.is("principal", "*") && narrowed.iter().all(|name| it.at(&[name]).is_none_or(Json::is_null))
}

/// A principal of another account given on its own: an id, or an ARN.
pub(super) fn principal_outside(it: &Examined<'_, '_>) -> bool {
    it.at(&["principal"]).is_some_and(|principal| {
        policy::named(principal, &|account| it.is_own_account(account)) == Reach::OtherAccount
    })
}

/// A function URL that asks for no signature.
pub(super) fn unsigned_url(it: &Examined<'_, '_>) -> bool {
    it.is("authType", "NONE")
}

/// The grants of a bucket's or object's ACL, in headers, or in a body.
pub(super) fn acl_for_anyone(it: &Examined<'_, '_>) -> bool {
    let Some(request) = it.request else { return false };
    let is_grant = |name: &str| {
        name.starts_with("x-amz-acl")
            || name.starts_with("x-amz-grant")
            || matches!(name, "accessControlList" | "AccessControlPolicy" | "acl")
    };
    // Source: S3/acl-overview, predefined groups and canned ACLs.
    let public = [
        "groups/global/AllUsers",
        "groups/global/AuthenticatedUsers",
        "\"public-read\"",
        "\"public-read-write\"",
        "\"authenticated-read\"",
    ];
    request.members().filter(|(name, _)| is_grant(&name.decode())).any(|(_, grant)| {
        let written = grant.as_written().replace("\\/", "/");
        public.iter().any(|text| written.contains(text))
    })
}

/// Any of the four settings of a public access block given as false.
pub(super) fn unblocks(it: &Examined<'_, '_>) -> bool {
    it.at(&["PublicAccessBlockConfiguration"])
        .is_some_and(|block| block.as_written().contains("false"))
}

pub(super) fn trusts_anyone(it: &Examined<'_, '_>) -> bool {
    trusted(it) == Reach::Anyone
}

pub(super) fn trusts_other_account(it: &Examined<'_, '_>) -> bool {
    trusted(it) == Reach::OtherAccount
}

fn trusted(it: &Examined<'_, '_>) -> Reach {
    let document = it.at(&["assumeRolePolicyDocument"]).or_else(|| it.at(&["policyDocument"]));
    it.reach_of(document)
}

pub(super) fn shares_with_anyone(it: &Examined<'_, '_>) -> bool {
    sharing(it) == Reach::Anyone
}

pub(super) fn shares_outside(it: &Examined<'_, '_>) -> bool {
    sharing(it) == Reach::OtherAccount
}

/// With whom a snapshot, an image, a document or a resource share is shared: EC2's XML lists, RDS's
/// and SSM's plain ones.
fn sharing(it: &Examined<'_, '_>) -> Reach {
    let lists = [
        &["createVolumePermission", "add", "items"][..],
        &["launchPermission", "add", "items"],
        &["accountIdsToAdd"],
        &["accountWithRestoreAccess"],
        &["principals"],
        &["valuesToAdd"],
    ];
    // RDS has other attributes, whose values are no accounts.
    if it.text("attributeName").is_some_and(|name| !name.is("restore")) {
        return Reach::Inside;
    }
    let reach_of = |text: JsonText<'_>| {
        let text = text.decode();
        let account =
            if text.starts_with("arn:") { text.split(':').nth(4) } else { Some(text.as_ref()) };
        match account {
            Some("all") => Reach::Anyone,
            Some(account) if policy::is_account(account) && !it.is_own_account(account) => {
                Reach::OtherAccount
            }
            _ => Reach::Inside,
        }
    };
    let values =
        lists.iter().filter_map(|path| it.at(path)).flat_map(|list| list.items().chain([list]));
    let texts = values.flat_map(|value| {
        let members = [value.get_text("userId"), value.get_text("group")];
        value.text().into_iter().chain(members.into_iter().flatten())
    });
    texts.map(reach_of).max().unwrap_or_default()
}

/// A rule for the whole internet that covers SSH, RDP or every port; in the list form or in the flat
/// one. Source: EC2 API reference, AuthorizeSecurityGroupIngress.
pub(super) fn opens_administration(it: &Examined<'_, '_>) -> bool {
    let Some(request) = it.request else { return false };
    let listed = it.at(&["ipPermissions", "items"]).into_iter().flat_map(Json::items);
    listed.chain([request]).any(|rule| is_from_everywhere(rule) && covers_administration(rule))
}

fn is_from_everywhere(rule: Json<'_>) -> bool {
    let is_all = |block: JsonText<'_>| block.as_written().ends_with("/0");
    let ranges =
        ["ipRanges", "ipv6Ranges"].into_iter().filter_map(|name| rule.get(name)?.get("items"));
    let blocks = ranges.flat_map(Json::items).chain([rule]);
    let mut texts =
        blocks.flat_map(|block| ["cidrIp", "cidrIpv6"].map(|name| block.get_text(name)));
    texts.any(|text| text.is_some_and(is_all))
}

fn covers_administration(rule: Json<'_>) -> bool {
    let port = |name: &str| rule.get_text(name)?.as_written().parse::<i32>().ok();
    // Protocol -1 means all protocols and all ports.
    rule.get_text("ipProtocol").is_some_and(|protocol| protocol.is("-1"))
        || matches!((port("fromPort"), port("toPort")), (Some(from), Some(to))
            if [22, 3389].iter().any(|port| (from..=to).contains(port)))
}

pub(super) fn skips_final_snapshot(it: &Examined<'_, '_>) -> bool {
    it.is_true(&["skipFinalSnapshot"])
}

pub(super) fn stops_point_in_time_recovery(it: &Examined<'_, '_>) -> bool {
    it.is_false(&["pointInTimeRecoverySpecification", "pointInTimeRecoveryEnabled"])
}

pub(super) fn suspends_versioning(it: &Examined<'_, '_>) -> bool {
    let status = it.at(&["VersioningConfiguration", "Status"]).and_then(Json::text);
    status.is_some_and(|status| status.is("Suspended"))
}
