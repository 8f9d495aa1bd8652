//! The calls of each kind of attack. Some kinds have several ways, taken in turn.

use crate::attack::{Step, step};

const fn look(source: &'static str, name: &'static str) -> Step<'static> {
    step(source, name, r#"{"maxResults":100}"#)
}

const fn read(source: &'static str, name: &'static str, request: &'static str) -> Step<'static> {
    step(source, name, request)
}

const fn write(source: &'static str, name: &'static str, request: &'static str) -> Step<'static> {
    Step { read_only: false, ..step(source, name, request) }
}

/// The size of an object as the agents' own reads have it: amounts alone must not give it away.
const S3: &str = r#"{"SignatureVersion":"SigV4","AuthenticationMethod":"AuthHeader","x-amz-id-2":"$x","bytesTransferredIn":0,"bytesTransferredOut":$n}"#;

const fn data(step: Step<'static>, resources: &'static str) -> Step<'static> {
    Step { data: true, resources, extra: S3, ..step }
}

pub(crate) const WHO_AM_I: Step<'static> = read("sts", "GetCallerIdentity", "null");

pub(crate) const RECON: &[Step<'static>] = &[
    WHO_AM_I,
    look("iam", "ListUsers"),
    look("iam", "ListRoles"),
    look("iam", "ListPolicies"),
    look("iam", "GetAccountAuthorizationDetails"),
    look("iam", "GetAccountPasswordPolicy"),
    Step { extra: S3, ..read("s3", "ListBuckets", r#"{"Host":"s3.$r.amazonaws.com"}"#) },
    look("ec2", "DescribeInstances"),
    look("ec2", "DescribeSecurityGroups"),
    look("ec2", "DescribeVpcs"),
    look("lambda", "ListFunctions20150331"),
    look("rds", "DescribeDBInstances"),
    look("secretsmanager", "ListSecrets"),
    look("kms", "ListKeys"),
    look("organizations", "DescribeOrganization"),
    look("cloudtrail", "DescribeTrails"),
];

pub(crate) const ESCALATION: &[&[Step<'static>]] = &[
    &[
        look("iam", "ListUsers"),
        write(
            "iam",
            "AttachUserPolicy",
            r#"{"userName":"ci-automation","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}"#,
        ),
    ],
    &[
        look("iam", "ListPolicies"),
        write(
            "iam",
            "CreatePolicyVersion",
            r#"{"policyArn":"arn:aws:iam::$a:policy/agents","setAsDefault":true,"policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}"}"#,
        ),
    ],
    &[
        look("iam", "ListRoles"),
        write(
            "iam",
            "PutRolePolicy",
            r#"{"roleName":"ExportsAdmin","policyName":"more","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}"}"#,
        ),
    ],
    &[
        look("iam", "ListRoles"),
        write(
            "lambda",
            "CreateFunction20150331",
            r#"{"functionName":"maintenance","runtime":"python3.13","role":"arn:aws:iam::$a:role/ExportsAdmin","handler":"index.handler"}"#,
        ),
        write(
            "lambda",
            "Invoke",
            r#"{"functionName":"maintenance","invocationType":"RequestResponse"}"#,
        ),
    ],
    &[
        read("ec2", "DescribeInstances", r#"{"maxResults":100}"#),
        write(
            "ec2",
            "AssociateIamInstanceProfile",
            r#"{"AssociateIamInstanceProfileRequest":{"InstanceId":"$i","IamInstanceProfile":{"Name":"ExportsAdmin"}}}"#,
        ),
        write(
            "ssm",
            "SendCommand",
            r#"{"documentName":"AWS-RunShellScript","instanceIds":["$i"]}"#,
        ),
    ],
    &[
        look("ssm", "DescribeInstanceInformation"),
        write("ssm", "StartSession", r#"{"target":"$i"}"#),
    ],
];

pub(crate) const PERSISTENCE: &[&[Step<'static>]] = &[
    &[
        write("iam", "CreateUser", r#"{"userName":"backup-svc"}"#),
        write("iam", "CreateAccessKey", r#"{"userName":"backup-svc"}"#),
    ],
    &[write(
        "iam",
        "CreateLoginProfile",
        r#"{"userName":"ci-automation","passwordResetRequired":false}"#,
    )],
    &[write(
        "iam",
        "UpdateAssumeRolePolicy",
        r#"{"roleName":"ExportsAdmin","policyDocument":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::999900001111:root\"},\"Action\":\"sts:AssumeRole\"}]}"}"#,
    )],
    &[
        write(
            "lambda",
            "CreateFunction20150331",
            r#"{"functionName":"health","runtime":"python3.13","role":"arn:aws:iam::$a:role/AgentRuntime","handler":"index.handler"}"#,
        ),
        write(
            "lambda",
            "AddPermission20150331v2",
            r#"{"functionName":"health","statementId":"any","action":"lambda:InvokeFunction","principal":"*"}"#,
        ),
        write("events", "PutRule", r#"{"name":"health","scheduleExpression":"rate(5 minutes)"}"#),
    ],
    &[
        write("ec2", "ImportKeyPair", r#"{"keyName":"ops","publicKeyMaterial":"c3NoLXJzYQ=="}"#),
        write(
            "ec2",
            "AuthorizeSecurityGroupIngress",
            r#"{"groupId":"sg-0$h","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]}}]}}"#,
        ),
    ],
];

const RUN: Step<'static> = write(
    "ec2",
    "RunInstances",
    r#"{"instancesSet":{"items":[{"imageId":"ami-0$h","minCount":10,"maxCount":10}]},"instanceType":"c7i.24xlarge","monitoring":{"enabled":false}}"#,
);

pub(crate) const MINING: &[Step<'static>] = &[
    look("servicequotas", "ListServiceQuotas"),
    look("ec2", "DescribeInstanceTypes"),
    write("ec2", "CreateKeyPair", r#"{"keyName":"batch-workers"}"#),
    write(
        "ec2",
        "CreateSecurityGroup",
        r#"{"groupName":"batch-workers","groupDescription":"batch"}"#,
    ),
    RUN,
    RUN,
    RUN,
    RUN,
    RUN,
];

const DROP_SNAPSHOT: Step<'static> = write("ec2", "DeleteSnapshot", r#"{"snapshotId":"snap-0$h"}"#);
const DROP_OBJECTS: Step<'static> = Step {
    extra: S3,
    resources: r#"[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$w-$a"}]"#,
    ..write(
        "s3",
        "DeleteObjects",
        r#"{"bucketName":"$w-$a","delete":"","Host":"$w-$a.s3.$r.amazonaws.com"}"#,
    )
};
const DROP_BUCKET: Step<'static> = Step {
    resources: r#"[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$w-$a"}]"#,
    ..write("s3", "DeleteBucket", r#"{"bucketName":"$w-$a","Host":"$w-$a.s3.$r.amazonaws.com"}"#)
};

pub(crate) const DESTRUCTION: &[&[Step<'static>]] = &[
    &[
        look("rds", "DescribeDBInstances"),
        write(
            "rds",
            "DeleteDBInstance",
            r#"{"dBInstanceIdentifier":"$w","skipFinalSnapshot":true,"deleteAutomatedBackups":true}"#,
        ),
        write("rds", "DeleteDBCluster", r#"{"dBClusterIdentifier":"$w","skipFinalSnapshot":true}"#),
        DROP_SNAPSHOT,
        DROP_SNAPSHOT,
        DROP_SNAPSHOT,
        write(
            "backup",
            "DeleteRecoveryPoint",
            r#"{"backupVaultName":"vault-$w","recoveryPointArn":"arn:aws:ec2:$r::snapshot/snap-0$h"}"#,
        ),
        write("kms", "ScheduleKeyDeletion", r#"{"keyId":"$v","pendingWindowInDays":7}"#),
    ],
    &[DROP_OBJECTS, DROP_OBJECTS, DROP_OBJECTS, DROP_BUCKET, DROP_BUCKET],
    &[
        look("dynamodb", "ListTables"),
        write("dynamodb", "DeleteTable", r#"{"tableName":"support-$w"}"#),
        write("dynamodb", "DeleteTable", r#"{"tableName":"support-$w"}"#),
        write("ec2", "TerminateInstances", r#"{"instancesSet":{"items":[{"instanceId":"$i"}]}}"#),
        write("ec2", "TerminateInstances", r#"{"instancesSet":{"items":[{"instanceId":"$i"}]}}"#),
    ],
    &[
        look("cloudformation", "ListStacks"),
        write("cloudformation", "DeleteStack", r#"{"stackName":"$w-prod"}"#),
        write("cloudformation", "DeleteStack", r#"{"stackName":"$w-prod"}"#),
        write("ecs", "DeleteCluster", r#"{"cluster":"$w"}"#),
    ],
];

pub(crate) const LOOT: &[Step<'static>] = &[
    Step { extra: S3, ..read("s3", "ListBuckets", r#"{"Host":"s3.$r.amazonaws.com"}"#) },
    data(
        read(
            "s3",
            "ListObjects",
            r#"{"list-type":"2","bucketName":"customer-exports-$a","prefix":"","Host":"customer-exports-$a.s3.$r.amazonaws.com"}"#,
        ),
        r#"[{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::customer-exports-$a/"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::customer-exports-$a"}]"#,
    ),
];

pub(crate) const TAKE: Step<'static> = data(
    read(
        "s3",
        "GetObject",
        r#"{"bucketName":"customer-exports-$a","Host":"customer-exports-$a.s3.$r.amazonaws.com","key":"$p/customers-part-$h.csv.gz"}"#,
    ),
    r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::customer-exports-$a/$p/customers-part-$h.csv.gz"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::customer-exports-$a"}]"#,
);

pub(crate) const SECRETS: &[Step<'static>] = &[
    look("secretsmanager", "ListSecrets"),
    read("secretsmanager", "GetSecretValue", r#"{"secretId":"prod/payments/db"}"#),
    read("secretsmanager", "GetSecretValue", r#"{"secretId":"prod/crm/api"}"#),
    read("secretsmanager", "GetSecretValue", r#"{"secretId":"prod/exports/service"}"#),
    read(
        "ssm",
        "GetParametersByPath",
        r#"{"path":"/prod","recursive":true,"withDecryption":true}"#,
    ),
];

pub(crate) const EVASION: &[&[Step<'static>]] = &[
    &[write("cloudtrail", "StopLogging", r#"{"name":"arn:aws:cloudtrail:$r:$a:trail/org-trail"}"#)],
    &[write(
        "cloudtrail",
        "PutEventSelectors",
        r#"{"trailName":"org-trail","eventSelectors":[{"readWriteType":"WriteOnly","includeManagementEvents":false}]}"#,
    )],
    &[write("guardduty", "DeleteDetector", r#"{"detectorId":"$h"}"#)],
    &[write("guardduty", "UpdateDetector", r#"{"detectorId":"$h","enable":false}"#)],
    &[write("logs", "DeleteLogGroup", r#"{"logGroupName":"/app/$w"}"#)],
    &[write(
        "ec2",
        "DeleteFlowLogs",
        r#"{"DeleteFlowLogsRequest":{"FlowLogId":{"tag":1,"content":"fl-0$h"}}}"#,
    )],
    &[write("config", "StopConfigurationRecorder", r#"{"configurationRecorderName":"default"}"#)],
    &[write("monitoring", "DeleteAlarms", r#"{"alarmNames":["$w-5xx"]}"#)],
];
