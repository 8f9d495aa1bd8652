//! From a CloudTrail event to the IAM action behind it: they differ for about one operation in eight.

use std::borrow::Cow;

use super::table::{EVENT_ACTIONS, SERVICE_PREFIXES};
use super::{Action, NAME_BYTES_MAX, SERVICE_BYTES_MAX, is_name_byte, is_service_byte};

pub(super) fn action(event_source: &str, event_name: &str) -> Action {
    let service = service_prefix(event_source);
    let name = without_api_version(event_name);
    match exception(&service, name) {
        Some(action) => Action(action.into()),
        None => {
            let service = sanitised(&service, SERVICE_BYTES_MAX, is_service_byte);
            let name = sanitised(name, NAME_BYTES_MAX, is_name_byte);
            Action(format!("{service}:{name}").into())
        }
    }
}

fn exception(service: &str, name: &str) -> Option<&'static str> {
    let index = EVENT_ACTIONS.binary_search_by(|(its_service, its_name, _)| {
        (*its_service, *its_name).cmp(&(service, name))
    });
    EVENT_ACTIONS.get(index.ok()?).map(|(_, _, action)| *action)
}

/// The IAM service prefix of an event source: what stands before the domain, but for the exceptions.
fn service_prefix(event_source: &str) -> Cow<'_, str> {
    let source: Cow<'_, str> = if event_source.bytes().any(|byte| byte.is_ascii_uppercase()) {
        event_source.to_ascii_lowercase().into()
    } else {
        event_source.into()
    };
    let host = [".amazonaws.com", ".amazonaws.com.cn"]
        .iter()
        .find_map(|domain| source.strip_suffix(domain))
        // AWS MCP Server: `aws-mcp.us-east-1.api.aws`.
        .or_else(|| source.strip_suffix(".api.aws")?.split('.').next());
    let Some(host) = host else { return source };
    match SERVICE_PREFIXES.binary_search_by_key(&host, |(host, _)| host) {
        Ok(index) => SERVICE_PREFIXES.get(index).map_or("", |(_, prefix)| prefix).into(),
        Err(_) => host.to_owned().into(),
    }
}

/// Cuts the API version off the event names of services that log it (`UpdateFunctionCode20150331v2`).
///
/// Only a whole date counts (`20150331`, `2015_03_31`), with a revision that may follow it (`v2`, `_1`):
/// many names end in digits of their own (`ListObjectsV2`), and are left to the table.
fn without_api_version(event_name: &str) -> &str {
    let unrevised = event_name.trim_end_matches(is_digit).strip_suffix(['v', '_']);
    let is_revised = event_name.ends_with(is_digit);
    unrevised
        .filter(|_| is_revised)
        .and_then(without_date)
        .or_else(|| without_date(event_name))
        .unwrap_or(event_name)
}

fn without_date(text: &str) -> Option<&str> {
    ["20dddddd", "20dd_dd_dd"].into_iter().find_map(|form| {
        let (name, date) = text.split_at_checked(text.len().checked_sub(form.len())?)?;
        let is_date = form.chars().zip(date.chars()).all(|(wanted, found)| match wanted {
            'd' => is_digit(found),
            mark => mark == found,
        });
        (is_date && !name.is_empty() && !name.ends_with(is_digit)).then_some(name)
    })
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

/// Replaces what an action cannot have by `_`, which no real action has.
fn sanitised(text: &str, bytes_max: usize, is_allowed: fn(u8) -> bool) -> Cow<'_, str> {
    if (1..=bytes_max).contains(&text.len()) && text.bytes().all(is_allowed) {
        return text.into();
    }
    let mut sanitised: String = text
        .chars()
        .take(bytes_max - 1)
        .map(|character| match u8::try_from(character) {
            Ok(byte) if is_allowed(byte) => character,
            _ => '_',
        })
        .collect();
    if text.chars().nth(bytes_max - 1).is_some() || sanitised.is_empty() {
        sanitised.push('_');
    }
    sanitised.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(event_source: &str, event_name: &str, expected: &str) {
        let action = action(event_source, event_name);
        assert_eq!(action.as_str(), expected);
        assert_eq!(Action::parse(expected).as_ref(), Ok(&action));
    }

    #[test]
    fn most_events_are_named_like_their_action() {
        check("iam.amazonaws.com", "CreateAccessKey", "iam:CreateAccessKey");
        check("EC2.amazonaws.com", "RunInstances", "ec2:RunInstances");
        check("ec2.amazonaws.com.cn", "RunInstances", "ec2:RunInstances");
        check("s3.amazonaws.com", "GetAccountPublicAccessBlock", "s3:GetAccountPublicAccessBlock");
        check("dynamodb.amazonaws.com", "ExecuteStatement", "dynamodb:ExecuteStatement");
    }

    #[test]
    fn trap_20_service_prefixes_differ() {
        check("monitoring.amazonaws.com", "PutMetricAlarm", "cloudwatch:PutMetricAlarm");
        check("streams.dynamodb.amazonaws.com", "GetRecords", "dynamodb:GetRecords");
        check("tagging.amazonaws.com", "GetResources", "tag:GetResources");
        check("amazonmq.amazonaws.com", "CreateBroker", "mq:CreateBroker");
        check("aws-mcp.us-east-1.api.aws", "CallTool", "aws-mcp:CallTool");
    }

    #[test]
    fn trap_20_names_differ() {
        check("s3.amazonaws.com", "ListObjectsV2", "s3:ListBucket");
        check("s3.amazonaws.com", "HeadObject", "s3:GetObject");
        check("s3.amazonaws.com", "CopyObject", "s3:PutObject");
        check("s3.amazonaws.com", "ListBuckets", "s3:ListAllMyBuckets");
        check("s3.amazonaws.com", "PutBucketLifecycle", "s3:PutLifecycleConfiguration");
        check("s3.amazonaws.com", "PutBucketReplication", "s3:PutReplicationConfiguration");
        check("s3express.amazonaws.com", "GetObject", "s3express:CreateSession");
        check("lambda.amazonaws.com", "Invoke", "lambda:InvokeFunction");
        check("bedrock.amazonaws.com", "Converse", "bedrock:InvokeModel");
        check("kms.amazonaws.com", "ReEncrypt", "kms:ReEncryptFrom");
        check("sqs.amazonaws.com", "SendMessageBatch", "sqs:SendMessage");
        check("apigateway.amazonaws.com", "CreateRestApi", "apigateway:POST");
    }

    #[test]
    fn trap_20_api_versions_are_cut_off() {
        check("lambda.amazonaws.com", "UpdateFunctionCode20150331v2", "lambda:UpdateFunctionCode");
        check("lambda.amazonaws.com", "ListFunctions20150331", "lambda:ListFunctions");
        check("lambda.amazonaws.com", "GetLayerVersionByArn20181031", "lambda:GetLayerVersion");
        check(
            "cloudfront.amazonaws.com",
            "CreateDistribution2020_05_31",
            "cloudfront:CreateDistribution",
        );
        check("lambda.amazonaws.com", "PublishVersion20150331_1", "lambda:PublishVersion");
    }

    #[test]
    fn digits_that_belong_to_the_name_stay() {
        check("cognito-idp.amazonaws.com", "CreateThingV2", "cognito-idp:CreateThingV2");
        check("ec2.amazonaws.com", "Thing19990101", "ec2:Thing19990101");
        check("ec2.amazonaws.com", "Thing120150331", "ec2:Thing120150331");
        check("ec2.amazonaws.com", "Thing20150331v", "ec2:Thing20150331v");
        check("ec2.amazonaws.com", "Thing20150331vv2", "ec2:Thing20150331vv2");
        check("ec2.amazonaws.com", "20150331", "ec2:20150331");
    }

    #[test]
    fn hostile_names_never_become_real_ones() {
        check("iam.amazonaws.com", "Create Access\u{202e}Key", "iam:Create_Access_Key");
        check("i.am", "x", "i_am:x");
        check("", "", "_:_");
        let (bounded, long) = ("x".repeat(NAME_BYTES_MAX), "x".repeat(NAME_BYTES_MAX + 1));
        assert_eq!(action("s3.amazonaws.com", &bounded).name(), bounded);
        let cut = action("s3.amazonaws.com", &long);
        assert_eq!(cut.name(), format!("{}_", "x".repeat(NAME_BYTES_MAX - 1)));
        assert_eq!(cut.to_pattern(), None);
    }

    proptest! {
        #[test]
        fn every_event_has_an_action(source in any::<String>(), name in any::<String>()) {
            for source in [source.clone(), source + ".amazonaws.com"] {
                let action = action(&source, &name);
                prop_assert_eq!(Action::parse(action.as_str()), Ok(action));
            }
        }

        #[test]
        fn versions_do_not_matter(name in "[A-Z][A-Za-z]{0,20}", version in "20([0-9]{6}|[0-9]{2}_[0-9]{2}_[0-9]{2})(v[0-9]{1,2}|_[0-9]{1,2})?") {
            let plain = action("lambda.amazonaws.com", &name);
            prop_assert_eq!(action("lambda.amazonaws.com", &format!("{name}{version}")), plain);
        }
    }
}
