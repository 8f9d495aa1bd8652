//! Which resources a call touched, as ARNs where the record tells enough to write one.
//!
//! `resources[]` is absent in 96 % of real management events (facts 7), so the names in
//! `requestParameters` are made into ARNs. The table below grows by a line a parameter.

use std::borrow::Cow;

use tripline_cloudtrail::{Json, JsonText, Record};
use tripline_text::Untrusted;

use crate::pattern::bare_log_group;

/// How many resources of one call are kept. The longest list of names that an API of the table
/// takes is 100 (`BatchGetItem`).
pub const RESOURCES_MAX: usize = 256;

/// How the value of a request parameter names a resource.
#[derive(Clone, Copy)]
enum Shape {
    /// An ARN as it stands; anything else is kept as text.
    Arn,
    /// The name behind this prefix, in the caller's region and account.
    Regional(&'static str),
    /// The name behind this prefix, in the caller's account; IAM has no regions.
    Global(&'static str),
    /// The name of a secret, whose ARN ends in six random characters.
    Secret,
    /// A parameter's name, with or without its leading slash.
    Parameter,
    /// A KMS key: an id, or `alias/name`.
    Key,
    /// A function: a name, or `account:function:name`.
    Function,
    /// `https://sqs.region.amazonaws.com/account/name`.
    QueueUrl,
}

/// Event source without `.amazonaws.com`, request parameter (a text or a list of texts), and how it
/// names the resource. Several lines of one source may all apply.
///
/// Source: the request parameters of each service's API reference, with the ARN formats of the
/// Service Authorization Reference; spelling as CloudTrail writes it (first letter small).
const TABLE: &[(&str, &str, Shape)] = &[
    ("dynamodb", "tableName", Shape::Regional("table/")),
    ("ecr", "repositoryName", Shape::Regional("repository/")),
    ("iam", "groupName", Shape::Global("group/")),
    ("iam", "instanceProfileName", Shape::Global("instance-profile/")),
    ("iam", "policyArn", Shape::Arn),
    ("iam", "roleName", Shape::Global("role/")),
    ("iam", "userName", Shape::Global("user/")),
    ("kms", "keyId", Shape::Key),
    ("lambda", "functionName", Shape::Function),
    ("logs", "logGroupIdentifier", Shape::Regional("log-group:")),
    ("logs", "logGroupIdentifiers", Shape::Regional("log-group:")),
    ("logs", "logGroupName", Shape::Regional("log-group:")),
    ("logs", "logGroupNames", Shape::Regional("log-group:")),
    ("secretsmanager", "secretId", Shape::Secret),
    ("secretsmanager", "secretIdList", Shape::Secret),
    ("sns", "targetArn", Shape::Arn),
    ("sns", "topicArn", Shape::Arn),
    ("sqs", "queueUrl", Shape::QueueUrl),
    // `name` and `names` mean documents and much else in calls that are not about parameters.
    ("ssm", "name", Shape::Parameter),
    ("ssm", "names", Shape::Parameter),
    ("ssm", "path", Shape::Parameter),
    ("states", "executionArn", Shape::Arn),
    ("states", "stateMachineArn", Shape::Arn),
    ("sts", "roleArn", Shape::Arn),
];

/// The resources of the call that `record` tells of, in the order written, without repetitions.
pub(crate) fn of(record: &Record<'_>) -> Vec<Untrusted<'static>> {
    let mut found = Found { record, arns: Vec::new() };
    let source = record.event_source().decode();
    let service = service_of(&source);
    if service == "s3" && found.s3() {
        return found.arns;
    }
    for arn in record.resource_arns() {
        found.add(bare_log_group(&arn.decode()).to_owned());
    }
    if found.arns.is_empty() {
        found.by_table(service);
    }
    found.arns
}

/// `iam` of `iam.amazonaws.com`, in any partition.
fn service_of(source: &str) -> &str {
    let china = source.strip_suffix(".cn").unwrap_or(source);
    china.strip_suffix(".amazonaws.com").unwrap_or(source)
}

struct Found<'r, 'a> {
    record: &'r Record<'a>,
    arns: Vec<Untrusted<'static>>,
}

impl Found<'_, '_> {
    fn add(&mut self, resource: String) {
        let resource = Untrusted::new(resource);
        if self.arns.len() < RESOURCES_MAX && !self.arns.contains(&resource) {
            self.arns.push(resource);
        }
    }

    /// S3 lists the bucket beside each object in `resources[]`, while IAM asks about the object
    /// alone: so the request decides, where it names a bucket.
    fn s3(&mut self) -> bool {
        let Some(request) = self.record.request() else { return false };
        let Some(bucket) = request.get_text("bucketName").and_then(known) else { return false };
        let partition = partition_of(self.record);
        // An access point's ARN may stand in the bucket's place.
        let bucket = match bucket {
            Cow::Borrowed(arn) if arn.starts_with("arn:") => arn.to_owned(),
            name => format!("arn:{partition}:s3:::{name}"),
        };
        match request.get_text("key").and_then(known) {
            Some(key) => self.add(format!("{bucket}/{key}")),
            None => self.add(bucket),
        }
        // The source of a copy is read, by the same call.
        if let Some(copied) = request.get_text("x-amz-copy-source").and_then(known) {
            let copied = copied.split('?').next().unwrap_or_default();
            let copied = copied.strip_prefix('/').unwrap_or(copied);
            self.add(format!("arn:{partition}:s3:::{copied}"));
        }
        true
    }

    fn by_table(&mut self, service: &str) {
        let lines = TABLE.iter().filter(|line| line.0 == service);
        let Some(request) = self.record.request() else { return };
        for (_, parameter, shape) in lines {
            let Some(value) = request.get(parameter) else { continue };
            for text in value.text().into_iter().chain(value.items().filter_map(Json::text)) {
                let Some(text) = known(text) else { continue };
                if let Some(resource) = self.resource(service, *shape, &text) {
                    self.add(bare_log_group(&resource).to_owned());
                }
            }
        }
    }

    fn resource(&self, service: &str, shape: Shape, text: &str) -> Option<String> {
        if text.starts_with("arn:") {
            return Some(text.to_owned());
        }
        let name = match shape {
            Shape::Arn => return Some(text.to_owned()),
            Shape::Global(prefix) => {
                let partition = partition_of(self.record);
                return Some(format!(
                    "arn:{partition}:{service}::{}:{prefix}{text}",
                    self.account()
                ));
            }
            Shape::QueueUrl => return self.queue(text),
            Shape::Parameter if !self.record.event_name().as_written().contains("Parameter") => {
                return None;
            }
            Shape::Parameter => format!("parameter/{}", text.strip_prefix('/').unwrap_or(text)),
            Shape::Regional(prefix) => format!("{prefix}{text}"),
            Shape::Secret => format!("secret:{text}-??????"),
            Shape::Key if text.starts_with("alias/") => text.to_owned(),
            Shape::Key => format!("key/{text}"),
            Shape::Function => match text.split_once(":function:") {
                Some((account, name)) => {
                    return Some(self.regional(service, account, &format!("function:{name}")));
                }
                None => format!("function:{text}"),
            },
        };
        Some(self.regional(service, &self.account(), &name))
    }

    fn queue(&self, url: &str) -> Option<String> {
        let mut path = url.rsplit('/');
        let (name, account) = (path.next()?, path.next()?);
        Some(self.regional("sqs", account, name))
    }

    fn regional(&self, service: &str, account: &str, name: &str) -> String {
        let region = self.record.region().map(JsonText::decode).unwrap_or_default();
        format!("arn:{}:{service}:{region}:{account}:{name}", partition_of(self.record))
    }

    /// A bare name means the account in which the call was made.
    fn account(&self) -> String {
        let account = self.record.recipient_account().or_else(|| self.record.identity().account());
        account.map(|account| account.to_string()).unwrap_or_default()
    }
}

/// A value that tells something: CloudTrail masks some.
fn known(text: JsonText<'_>) -> Option<Cow<'_, str>> {
    let text = text.decode();
    let masked = matches!(text.as_ref(), "" | "***" | "HIDDEN_DUE_TO_SECURITY_REASONS");
    (!masked).then_some(text)
}

/// The partition of the call: by the caller's ARN, else by the region's name.
fn partition_of<'a>(record: &Record<'a>) -> Cow<'a, str> {
    if let Some(Cow::Borrowed(arn)) = record.identity().arn().map(JsonText::decode)
        && let Some(partition) = arn.split(':').nth(1)
        && (1..=16).contains(&partition.len())
    {
        return Cow::Borrowed(partition);
    }
    let region = record.region().map(JsonText::as_written).unwrap_or_default();
    let by_prefix = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eusc-", "aws-eusc"),
    ];
    let partition = by_prefix.iter().find(|(prefix, _)| region.starts_with(prefix));
    Cow::Borrowed(partition.map_or("aws", |(_, partition)| partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(source: &str, name: &str, request: &str) -> Vec<String> {
        let text = format!(
            r#"{{"eventTime":"2026-11-20T10:00:00Z","eventID":"a","eventSource":"{source}.amazonaws.com",
            "eventName":"{name}","awsRegion":"eu-west-1","recipientAccountId":"123456789012",
            "userIdentity":{{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/a/b"}},
            {request}}}"#
        );
        let record = Record::parse(&text).unwrap();
        of(&record).iter().map(|text| text.as_unescaped().to_owned()).collect()
    }

    fn by_request(source: &str, name: &str, parameters: &str) -> Vec<String> {
        resources(source, name, &format!(r#""requestParameters":{parameters}"#))
    }

    #[test]
    fn names_become_arns() {
        for (source, name, parameters, arn) in [
            (
                "dynamodb",
                "GetItem",
                r#"{"tableName":"t"}"#,
                "arn:aws:dynamodb:eu-west-1:123456789012:table/t",
            ),
            (
                "lambda",
                "Invoke",
                r#"{"functionName":"f"}"#,
                "arn:aws:lambda:eu-west-1:123456789012:function:f",
            ),
            (
                "lambda",
                "Invoke",
                r#"{"functionName":"999999999999:function:f"}"#,
                "arn:aws:lambda:eu-west-1:999999999999:function:f",
            ),
            (
                "kms",
                "Decrypt",
                r#"{"keyId":"alias/a"}"#,
                "arn:aws:kms:eu-west-1:123456789012:alias/a",
            ),
            (
                "ssm",
                "GetParameter",
                r#"{"name":"/prod/db"}"#,
                "arn:aws:ssm:eu-west-1:123456789012:parameter/prod/db",
            ),
            (
                "sqs",
                "SendMessage",
                r#"{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/123456789012/q"}"#,
                "arn:aws:sqs:eu-west-1:123456789012:q",
            ),
            ("iam", "CreateAccessKey", r#"{"userName":"u"}"#, "arn:aws:iam::123456789012:user/u"),
            (
                "secretsmanager",
                "GetSecretValue",
                r#"{"secretId":"db"}"#,
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-??????",
            ),
            (
                "sts",
                "AssumeRole",
                r#"{"roleArn":"arn:aws:iam::1:role/x"}"#,
                "arn:aws:iam::1:role/x",
            ),
            (
                "logs",
                "GetLogEvents",
                r#"{"logGroupIdentifier":"arn:aws:logs:r:a:log-group:g:*"}"#,
                "arn:aws:logs:r:a:log-group:g",
            ),
        ] {
            assert_eq!(by_request(source, name, parameters), [arn], "{source} {name}");
        }
        assert_eq!(by_request("ssm", "DescribeDocument", r#"{"name":"x"}"#), [""; 0]);
        assert_eq!(by_request("ssm", "GetParameter", r#"{"name":"***"}"#), [""; 0]);
    }

    #[test]
    fn lists_are_taken_apart() {
        let found = by_request(
            "secretsmanager",
            "BatchGetSecretValue",
            r#"{"secretIdList":["a","b","a"]}"#,
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn an_object_is_not_its_bucket() {
        let both = r#""requestParameters":{"bucketName":"b","key":"k/1","x-amz-copy-source":"/c/d?versionId=1"},
            "resources":[{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::b"}]"#;
        assert_eq!(resources("s3", "CopyObject", both), ["arn:aws:s3:::b/k/1", "arn:aws:s3:::c/d"]);
        assert_eq!(by_request("s3", "ListObjects", r#"{"bucketName":"b"}"#), ["arn:aws:s3:::b"]);
    }

    #[test]
    fn resources_win_over_names() {
        let both = r#""requestParameters":{"keyId":"alias/a"},"resources":[{"ARN":"arn:aws:kms:r:a:key/1"}]"#;
        assert_eq!(resources("kms", "Decrypt", both), ["arn:aws:kms:r:a:key/1"]);
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.windows(2).all(|pair| (pair[0].0, pair[0].1) < (pair[1].0, pair[1].1)));
    }
}
