//! What an agent may come to do beside its class's table: the calls of its tail, of deployments and of
//! days on which it looks further than usual.

use crate::work::{Action, change, read};

const NAMED: &str = r#"{"name":"$w"}"#;
const BUCKET: &str = r#"{"bucketName":"$w-$a","Host":"$w-$a.s3.$r.amazonaws.com"}"#;
const BUCKET_ARN: &str =
    r#"[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$w-$a"}]"#;
const DONE: &str = r#"{"requestId":"$u","_return":true}"#;

/// A read without anything to name.
const fn look(source: &'static str, name: &'static str) -> Action {
    read(source, name, "", 4, r#"{"maxResults":100}"#)
}

/// A read of one thing.
const fn named(source: &'static str, name: &'static str, request: &'static str) -> Action {
    read(source, name, "", 4, request)
}

/// A read of one bucket's settings.
const fn bucket(name: &'static str) -> Action {
    read("s3", name, "", 4, BUCKET).on(BUCKET_ARN)
}

const fn write(source: &'static str, name: &'static str, request: &'static str) -> Action {
    change(source, name, "", 3, request, DONE)
}

/// All of them. A few are what an intruder's first look is made of: honest agents do that too.
pub(crate) const POOL: &[Action] = &[
    look("ec2", "DescribeImages"),
    look("ec2", "DescribeKeyPairs"),
    look("ec2", "DescribeAddresses"),
    look("ec2", "DescribeRouteTables"),
    look("ec2", "DescribeNatGateways"),
    look("ec2", "DescribeLaunchTemplates"),
    look("ec2", "DescribeTags"),
    look("ec2", "DescribeRegions"),
    look("ec2", "DescribeAvailabilityZones"),
    look("ec2", "DescribeVpcEndpoints"),
    look("ec2", "DescribeFlowLogs"),
    look("ec2", "DescribeInstanceTypes"),
    look("ec2", "DescribeNetworkAcls"),
    bucket("GetBucketLocation"),
    bucket("GetBucketTagging"),
    bucket("GetBucketVersioning"),
    bucket("GetBucketLifecycle"),
    bucket("GetBucketPolicyStatus"),
    bucket("GetBucketAcl"),
    look("s3", "ListBuckets"),
    look("iam", "ListRoles"),
    look("iam", "ListUsers"),
    look("iam", "GetAccountSummary"),
    named("iam", "GetRole", r#"{"roleName":"$w-handler"}"#),
    named("iam", "ListAttachedRolePolicies", r#"{"roleName":"$w-handler"}"#),
    named("lambda", "GetFunctionConfiguration20150331v2", r#"{"functionName":"$w-handler"}"#),
    named("lambda", "ListVersionsByFunction20150331", r#"{"functionName":"$w-handler"}"#),
    named("lambda", "GetPolicy20150331v2", r#"{"functionName":"$w-handler"}"#),
    look("sqs", "ListQueues"),
    named("sqs", "GetQueueAttributes", r#"{"queueUrl":"https://sqs.$r.amazonaws.com/$a/$w"}"#),
    look("sns", "ListTopics"),
    named("sns", "GetTopicAttributes", r#"{"topicArn":"arn:aws:sns:$r:$a:$w"}"#),
    look("rds", "DescribeDBClusters"),
    look("rds", "DescribeEvents"),
    named("rds", "DescribeDBParameters", r#"{"dBParameterGroupName":"$w"}"#),
    look("ecs", "ListClusters"),
    named("ecs", "DescribeServices", r#"{"cluster":"$w","services":["$w"]}"#),
    named("ecs", "ListTasks", r#"{"cluster":"$w"}"#),
    named("eks", "ListNodegroups", NAMED),
    named("ssm", "GetParameter", r#"{"name":"/$w/config","withDecryption":false}"#),
    look("ssm", "DescribeParameters"),
    look("ssm", "DescribeInstanceInformation"),
    look("secretsmanager", "ListSecrets"),
    named("secretsmanager", "DescribeSecret", r#"{"secretId":"$w/config"}"#),
    look("kms", "ListAliases"),
    named("kms", "DescribeKey", r#"{"keyId":"alias/$w"}"#),
    named("logs", "DescribeMetricFilters", r#"{"logGroupName":"/app/$w"}"#),
    named("logs", "GetLogGroupFields", r#"{"logGroupName":"/app/$w"}"#),
    look("monitoring", "ListMetrics"),
    look("monitoring", "DescribeAlarmHistory"),
    named("monitoring", "GetDashboard", r#"{"dashboardName":"$w"}"#),
    look("cloudformation", "ListStacks"),
    named("cloudformation", "GetTemplate", r#"{"stackName":"$w-prod"}"#),
    named("cloudformation", "DescribeStackResources", r#"{"stackName":"$w-prod"}"#),
    look("autoscaling", "DescribeAutoScalingGroups"),
    look("elasticloadbalancing", "DescribeTargetGroups"),
    named(
        "elasticloadbalancing",
        "DescribeTargetHealth",
        r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:$r:$a:targetgroup/$w/$h"}"#,
    ),
    look("route53", "ListHostedZones"),
    look("cloudtrail", "LookupEvents"),
    look("cloudtrail", "DescribeTrails"),
    look("config", "DescribeConfigRules"),
    look("guardduty", "ListDetectors"),
    look("organizations", "DescribeOrganization"),
    look("ce", "GetTags"),
    named("ecr", "ListImages", r#"{"repositoryName":"$w"}"#),
    look("ecr", "GetAuthorizationToken"),
    look("glue", "GetDatabases"),
    named("glue", "GetTables", r#"{"databaseName":"$w"}"#),
    named("glue", "GetCrawler", NAMED),
    look("athena", "ListWorkGroups"),
    look("states", "ListStateMachines"),
    named(
        "states",
        "DescribeExecution",
        r#"{"executionArn":"arn:aws:states:$r:$a:execution:$w:$u"}"#,
    ),
    look("events", "ListRules"),
    look("dynamodb", "ListTables"),
    named("dynamodb", "DescribeTimeToLive", r#"{"tableName":"support-$w"}"#),
    look("sagemaker", "ListEndpoints"),
    look("wafv2", "ListWebACLs"),
    look("servicequotas", "ListServiceQuotas"),
    look("health", "DescribeEvents"),
    look("support", "DescribeTrustedAdvisorChecks"),
    look("tagging", "GetTagKeys"),
    write(
        "ec2",
        "CreateTags",
        r#"{"resourcesSet":{"items":[{"resourceId":"$i"}]},"tagSet":{"items":[{"key":"Seen","value":"$y"}]}}"#,
    ),
    write("ec2", "StartInstances", r#"{"instancesSet":{"items":[{"instanceId":"$i"}]}}"#),
    write("ec2", "RebootInstances", r#"{"instancesSet":{"items":[{"instanceId":"$i"}]}}"#),
    write("logs", "CreateLogStream", r#"{"logGroupName":"/app/$w","logStreamName":"$g/$y"}"#),
    write("logs", "PutRetentionPolicy", r#"{"logGroupName":"/app/$w","retentionInDays":30}"#),
    write(
        "sns",
        "Publish",
        r#"{"topicArn":"arn:aws:sns:$r:$a:$w","message":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
    ),
    write("sqs", "DeleteMessage", r#"{"queueUrl":"https://sqs.$r.amazonaws.com/$a/$w"}"#),
    write("s3", "PutObjectTagging", BUCKET).on(BUCKET_ARN),
    write("monitoring", "PutMetricData", r#"{"namespace":"Agents"}"#),
    write("monitoring", "PutDashboard", r#"{"dashboardName":"$w"}"#),
    write("ssm", "PutParameter", r#"{"name":"/$g/state","type":"String","overwrite":true}"#),
    write("lambda", "PublishVersion20150331", r#"{"functionName":"$w-handler"}"#),
    write("ecs", "UpdateService", r#"{"cluster":"$w","service":"$w","desiredCount":3}"#),
    write("codebuild", "RetryBuild", r#"{"id":"$w-build:$v"}"#),
    write("events", "PutEvents", r#"{"entries":[{"source":"agents","detailType":"done"}]}"#),
    write(
        "states",
        "StartExecution",
        r#"{"stateMachineArn":"arn:aws:states:$r:$a:stateMachine:$w"}"#,
    ),
    write(
        "dynamodb",
        "TagResource",
        r#"{"resourceArn":"arn:aws:dynamodb:$r:$a:table/support-$w","tags":[{"key":"Seen","value":"$y"}]}"#,
    ),
    write("glue", "StartCrawler", NAMED),
    write(
        "rds",
        "AddTagsToResource",
        r#"{"resourceName":"arn:aws:rds:$r:$a:db:$w","tags":[{"key":"Seen","value":"$y"}]}"#,
    ),
    write(
        "autoscaling",
        "SetDesiredCapacity",
        r#"{"autoScalingGroupName":"$w","desiredCapacity":4}"#,
    ),
];
