//! Which roles a call hands over to a service. CloudTrail logs no event for it
//! (IAM/id_roles_use_passrole): it shows in the parameters alone.
//!
//! A role is known by two things together: a parameter that is named for one, at any depth, and a
//! value that is the ARN of one. That holds for the 180 services of botocore 1.43 with such
//! parameters, and for those to come. Where a service takes a mere name, there is a line for it.

use tripline_cloudtrail::{Json, Record};
use tripline_text::Untrusted;

use super::table::{Line, Shape, lines_named};
use super::{DEPTH_MAX, Found, Naming, distinct, each_text, is_ec2_wrapper, service_of};
use crate::pattern::arn_parts;

/// The roles that the call hands over to a service, without repetitions.
pub(crate) fn roles_passed_by(record: &Record<'_>) -> Vec<Untrusted<'static>> {
    distinct(|sink| each_passed_role(record, &mut String::new(), sink))
}

/// Whether calls of an event, by its source and name, may hand a role over.
///
/// What only reads hands nothing over, whatever it filters by; nor do calls by which the caller itself
/// becomes a role. The services that agents call most have none, or few.
pub(crate) fn may_pass_role(event_source: &str, event_name: &str) -> bool {
    let reads = ["Assume", "BatchGet", "Describe", "Get", "Head", "Invoke", "List", "Search"];
    if reads.iter().any(|verb| event_name.starts_with(verb)) {
        return false;
    }
    match service_of(event_source) {
        // Security Hub imports findings, in which other people's roles are named.
        "dynamodb" | "kms" | "securityhub" | "signin" | "sqs" | "sts" => false,
        "iam" => event_name == "AddRoleToInstanceProfile",
        "rolesanywhere" => event_name != "CreateSession",
        "s3" => ["AccessGrants", "CreateJob", "Notification", "Replication"]
            .iter()
            .any(|word| event_name.contains(word)),
        _ => true,
    }
}

/// Hands each role, or instance profile, that a call hands over to a service to `sink`; one that is
/// named twice may come twice. `scratch` is room for texts that have to be put together.
pub fn each_passed_role(record: &Record<'_>, scratch: &mut String, sink: &mut dyn FnMut(&str)) {
    let (source, name) = (record.event_source().decode(), record.event_name().decode());
    if may_pass_role(&source, &name) {
        each_role(record, service_of(&source), scratch, sink);
    }
}

/// The same, where it is known already how such calls name things.
pub fn each_passed_role_by(
    naming: &Naming,
    record: &Record<'_>,
    scratch: &mut String,
    sink: &mut dyn FnMut(&str),
) {
    if naming.may_pass_role {
        each_role(record, &naming.of_service.service, scratch, sink);
    }
}

fn each_role(record: &Record<'_>, service: &str, scratch: &mut String, sink: &mut dyn FnMut(&str)) {
    let Some(request) = record.request() else { return };
    let mut found = Found { record, scratch, sink, count: 0, looked_at: 0 };
    if may_hold_role(request.as_written()) {
        found.role_arns(request, Named::Otherwise, 0);
    }
    let lines = lines_by_name(service);
    if lines.is_empty() {
        return;
    }
    for (name, value) in request.members() {
        let is_wrapper = is_ec2_wrapper(service, name, value);
        let wrapped = is_wrapper.then(|| value.members()).into_iter().flatten();
        for (name, value) in std::iter::once((name, value)).chain(wrapped) {
            for (path, shape) in lines_named(lines, None, name.as_written()) {
                let rest = path.split_once('.').map_or("", |(_, rest)| rest);
                each_text(value, rest, 0, &mut |text| {
                    if !text.starts_with("arn:") {
                        found.value("iam", *shape, request, text);
                    }
                });
            }
        }
    }
}

/// Whether a text may hold the ARN of a role, or hides by escapes what it holds.
fn may_hold_role(json: &str) -> bool {
    json.contains(":role") || json.contains(":instance-profile") || json.contains('\\')
}

/// Whether a parameter, or one around it, is named for a role.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    ForRole,
    Otherwise,
}

impl Found<'_, '_, '_> {
    fn role_arns(&mut self, value: Json<'_>, named: Named, depth: usize) {
        if depth == DEPTH_MAX {
            return;
        }
        if let Some(text) = value.text() {
            if named == Named::ForRole {
                let text = text.decode();
                if is_role(&text) {
                    self.add(&text);
                }
            }
            return;
        }
        for item in value.items() {
            self.role_arns(item, named, depth + 1);
        }
        for (name, value) in value.members() {
            let named = if is_for_role(name.as_written()) { Named::ForRole } else { named };
            self.role_arns(value, named, depth + 1);
        }
    }
}

/// `roleArn`, `executionRole`, `iamInstanceProfile`, EC2's `DeliverLogsPermissionArn` and the like; not
/// those in which a role is who may do something.
fn is_for_role(parameter: &str) -> bool {
    let holds = |word: &str| {
        let mut places = parameter.as_bytes().windows(word.len());
        places.any(|place| place.eq_ignore_ascii_case(word.as_bytes()))
    };
    (holds("role") || holds("instanceprofile") || holds("permissionarn")) && !holds("principal")
}

fn is_role(text: &str) -> bool {
    let Some([_, _, "iam", _, _, resource]) = arn_parts(text) else { return false };
    resource.starts_with("role/") || resource.starts_with("instance-profile/")
}

const ROLE: Shape = Shape::Global("role/");
const PROFILE: Shape = Shape::Global("instance-profile/");

/// The parameters in which a service takes the mere name of a role or an instance profile, by the
/// services' API references.
fn lines_by_name(service: &str) -> &'static [Line] {
    match service {
        "autoscaling" => &[("iamInstanceProfile", PROFILE)],
        "batch" => &[("computeResources.instanceRole", PROFILE), ("serviceRole", ROLE)],
        "ec2" => &[
            ("iamInstanceProfile.name", PROFILE),
            ("launchSpecification.iamInstanceProfile.name", PROFILE),
            ("launchTemplateData.iamInstanceProfile.name", PROFILE),
            ("spotFleetRequestConfig.launchSpecifications.iamInstanceProfile.name", PROFILE),
        ],
        "ecs" => &[
            ("executionRoleArn", ROLE),
            ("overrides.executionRoleArn", ROLE),
            ("overrides.taskRoleArn", ROLE),
            ("role", ROLE),
            ("taskRoleArn", ROLE),
        ],
        "elasticmapreduce" => &[
            ("autoScalingRole", ROLE),
            ("instances.ec2InstanceProfile", PROFILE),
            ("jobFlowRole", PROFILE),
            ("serviceRole", ROLE),
        ],
        "glue" => &[("jobUpdate.role", ROLE), ("role", ROLE)],
        "iam" => &[("roleName", ROLE)],
        "imagebuilder" => &[("instanceProfileName", PROFILE)],
        "rds" => &[("customIamInstanceProfile", PROFILE)],
        "ssm" => &[("iamRole", ROLE)],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(source: &str, event: &str, request: &str) -> Vec<String> {
        let text = format!(
            r#"{{"eventTime":"2026-11-20T10:00:00Z","eventID":"a","eventSource":"{source}.amazonaws.com",
            "eventName":"{event}","awsRegion":"eu-west-1","recipientAccountId":"123456789012",
            "userIdentity":{{"arn":"arn:aws:sts::123456789012:assumed-role/a/b"}},"requestParameters":{request}}}"#
        );
        let record = Record::parse(&text).unwrap();
        let roles = roles_passed_by(&record);
        roles.iter().map(|text| text.as_unescaped().to_owned()).collect()
    }

    const ADMIN: &str = "arn:aws:iam::123456789012:role/admin";
    const PROFILE_ARN: &str = "arn:aws:iam::123456789012:instance-profile/p";

    #[test]
    fn an_arn_in_a_parameter_named_for_a_role_is_handed_over() {
        for (source, event, request) in [
            ("lambda", "CreateFunction20150331", r#"{"role":"ADMIN"}"#),
            ("lambda", "UpdateFunctionConfiguration20150331v2", r#"{"role":"ADMIN"}"#),
            (
                "ecs",
                "RegisterTaskDefinition",
                r#"{"taskRoleArn":"ADMIN","executionRoleArn":"ADMIN"}"#,
            ),
            ("ecs", "RunTask", r#"{"overrides":{"taskRoleArn":"ADMIN"}}"#),
            ("cloudformation", "CreateStack", r#"{"roleARN":"ADMIN"}"#),
            ("states", "CreateStateMachine", r#"{"roleArn":"ADMIN"}"#),
            ("scheduler", "CreateSchedule", r#"{"target":{"arn":"x","roleArn":"ADMIN"}}"#),
            ("events", "PutTargets", r#"{"targets":[{"id":"1"},{"id":"2","roleArn":"ADMIN"}]}"#),
            ("sagemaker", "CreateNotebookInstance", r#"{"roleArn":"ADMIN"}"#),
            ("bedrock", "CreateAgent", r#"{"agentResourceRoleArn":"ADMIN"}"#),
            ("bedrock-agentcore", "CreateCodeInterpreter", r#"{"executionRoleArn":"ADMIN"}"#),
            ("codebuild", "StartBuild", r#"{"serviceRoleOverride":"ADMIN"}"#),
            (
                "codepipeline",
                "CreatePipeline",
                r#"{"pipeline":{"stages":[{"actions":[{"roleArn":"ADMIN"}]}]}}"#,
            ),
            ("glue", "CreateDevEndpoint", r#"{"roleArn":"ADMIN"}"#),
            ("redshift", "ModifyClusterIamRoles", r#"{"addIamRoles":["ADMIN"]}"#),
            ("cognito-identity", "SetIdentityPoolRoles", r#"{"roles":{"authenticated":"ADMIN"}}"#),
            (
                "s3",
                "PutBucketReplication",
                r#"{"bucketName":"b","ReplicationConfiguration":{"Role":"ADMIN"}}"#,
            ),
            (
                "ec2",
                "CreateFlowLogs",
                r#"{"CreateFlowLogsRequest":{"DeliverLogsPermissionArn":"ADMIN"}}"#,
            ),
            ("rolesanywhere", "CreateProfile", r#"{"roleArns":["ADMIN"]}"#),
            ("a-service-to-come", "CreateThing", r#"{"config":{"roleArn":"ADMIN"}}"#),
            ("glue", "CreateJob", r#"{"role":"admin"}"#),
            ("glue", "UpdateJob", r#"{"jobUpdate":{"role":"admin"}}"#),
            ("ssm", "CreateActivation", r#"{"iamRole":"admin"}"#),
            (
                "iam",
                "AddRoleToInstanceProfile",
                r#"{"instanceProfileName":"p","roleName":"admin"}"#,
            ),
        ] {
            assert_eq!(
                passed(source, event, &request.replace("ADMIN", ADMIN)),
                [ADMIN],
                "{source} {event}"
            );
        }
    }

    #[test]
    fn an_instance_profile_is_handed_over() {
        for (event, request) in [
            ("RunInstances", r#"{"iamInstanceProfile":{"name":"p"}}"#),
            ("RunInstances", r#"{"iamInstanceProfile":{"arn":"PROFILE"}}"#),
            (
                "AssociateIamInstanceProfile",
                r#"{"AssociateIamInstanceProfileRequest":{"IamInstanceProfile":{"Name":"p"},"InstanceId":"i-1"}}"#,
            ),
            (
                "CreateLaunchTemplate",
                r#"{"CreateLaunchTemplateRequest":{"LaunchTemplateData":{"IamInstanceProfile":{"Arn":"PROFILE"}}}}"#,
            ),
        ] {
            assert_eq!(
                passed("ec2", event, &request.replace("PROFILE", PROFILE_ARN)),
                [PROFILE_ARN]
            );
        }
    }

    #[test]
    fn roles_that_are_read_taken_on_or_let_in_are_not_handed_over() {
        for (source, event, request) in [
            ("sts", "AssumeRole", r#"{"roleArn":"ADMIN"}"#),
            ("rolesanywhere", "CreateSession", r#"{"roleArn":"ADMIN"}"#),
            ("iam", "GetRole", r#"{"roleName":"admin"}"#),
            ("iam", "AttachRolePolicy", r#"{"roleName":"admin","policyArn":"p"}"#),
            ("sagemaker", "ListTrainingJobs", r#"{"roleArn":"ADMIN"}"#),
            ("eks", "CreateAccessEntry", r#"{"principalArn":"ADMIN"}"#),
            ("kms", "CreateGrant", r#"{"granteePrincipal":"ADMIN"}"#),
            ("datazone", "CreateGroupProfile", r#"{"rolePrincipalArn":"ADMIN"}"#),
            ("lambda", "AddPermission20150331v2", r#"{"principal":"ADMIN"}"#),
            ("s3", "PutObject", r#"{"bucketName":"b","key":"roleArn"}"#),
            ("bedrock", "Converse", r#"{"messages":[{"role":"user"}]}"#),
            ("lambda", "CreateFunction20150331", r#"{"role":"***"}"#),
            (
                "ecs",
                "RegisterTaskDefinition",
                r#"{"containerDefinitions":[{"environment":[{"name":"role","value":"ADMIN"}]}]}"#,
            ),
        ] {
            assert_eq!(
                passed(source, event, &request.replace("ADMIN", ADMIN)),
                [""; 0],
                "{source} {event}"
            );
        }
    }

    #[test]
    fn escapes_do_not_hide_a_role() {
        let written = ADMIN.replace(':', "\\u003a").replace('/', "\\/");
        assert_eq!(
            passed("lambda", "CreateFunction", &format!(r#"{{"role":"{written}"}}"#)),
            [ADMIN]
        );
    }
}
