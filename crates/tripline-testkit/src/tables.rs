//! The calls of each class: realistic bodies, weights by how such agents work.

use crate::work::{Action, change, read};

const S3_EXTRA: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"$x","bytesTransferredOut":$n}"#;
const S3_EXTRA_IN: &str = r#"{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":$n,"SSEApplied":"SSE_KMS","AuthenticationMethod":"AuthHeader","x-amz-id-2":"$x","bytesTransferredOut":0}"#;
const S3_WRITTEN: &str = r#"{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:$r:$a:key/$v","x-amz-server-side-encryption-bucket-key-enabled":"true"}"#;
const TABLE: &str = r#"[{"accountId":"$a","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:$r:$a:table/support-$w"}]"#;
const MODEL_USE: &str = r#"{"inferenceRegion":"$r","modelInvocationLogging":"enabled"}"#;

pub(crate) const ONCALL: &[Action] = &[
    read("logs", "DescribeLogGroups", "logs:DescribeLogGroups", 8, r#"{"logGroupNamePrefix":"/app/$w","limit":50}"#),
    read("logs", "DescribeLogStreams", "logs:DescribeLogStreams", 8, r#"{"logGroupName":"/app/$w","orderBy":"LastEventTime","descending":true,"limit":10}"#),
    read("logs", "FilterLogEvents", "logs:FilterLogEvents", 14, r#"{"logGroupName":"/app/$w","startTime":$e,"endTime":$t,"filterPattern":"?ERROR ?Exception ?timeout","limit":200}"#),
    read("logs", "StartQuery", "logs:StartQuery", 10, r#"{"logGroupNames":["/app/$w"],"startTime":$e,"endTime":$t,"queryString":"fields @timestamp, @message | filter level = 'ERROR' | sort @timestamp desc | limit 100"}"#),
    read("logs", "GetQueryResults", "logs:GetQueryResults", 12, r#"{"queryId":"$u"}"#),
    read("logs", "GetLogEvents", "logs:GetLogEvents", 8, r#"{"logGroupName":"/app/$w","logStreamName":"$w/$i","startTime":$e,"limit":500,"startFromHead":false}"#),
    read("monitoring", "DescribeAlarms", "cloudwatch:DescribeAlarms", 7, r#"{"alarmNamePrefix":"$w-","stateValue":"ALARM","maxRecords":50}"#),
    read("monitoring", "GetMetricData", "cloudwatch:GetMetricData", 10, r#"{"metricDataQueries":[{"id":"m1","metricStat":{"metric":{"namespace":"AWS/ApplicationELB","metricName":"HTTPCode_Target_5XX_Count","dimensions":[{"name":"LoadBalancer","value":"app/$w/$h"}]},"period":60,"stat":"Sum"},"returnData":true}],"startTime":"$S","endTime":"$s"}"#),
    read("monitoring", "GetMetricStatistics", "cloudwatch:GetMetricStatistics", 4, r#"{"namespace":"AWS/EC2","metricName":"CPUUtilization","dimensions":[{"name":"InstanceId","value":"$i"}],"startTime":"$S","endTime":"$s","period":60,"statistics":["Average","Maximum"]}"#),
    read("ec2", "DescribeInstances", "ec2:DescribeInstances", 6, r#"{"maxResults":100,"instancesSet":{"items":[{"instanceId":"$i"}]},"filterSet":{"items":[{"name":"instance-state-name","valueSet":{"items":[{"value":"running"},{"value":"stopping"}]}},{"name":"tag:Service","valueSet":{"items":[{"value":"$w"}]}}]}}"#),
    read("ec2", "DescribeInstanceStatus", "ec2:DescribeInstanceStatus", 3, r#"{"instancesSet":{"items":[{"instanceId":"$i"}]},"filterSet":{},"includeAllInstances":true}"#),
    read("s3", "GetObject", "s3:GetObject", 9, r#"{"bucketName":"incident-logs-$a","Host":"incident-logs-$a.s3.$r.amazonaws.com","key":"$w/$p/app-$T.log.gz"}"#)
        .data(S3_EXTRA, r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::incident-logs-$a/$w/$p/app-$T.log.gz"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::incident-logs-$a"}]"#)
        .decrypts_through("AWS Internal"),
    read("xray", "GetTraceSummaries", "xray:GetTraceSummaries", 4, r#"{"StartTime":"$S","EndTime":"$s","FilterExpression":"service(\"$w\") AND fault","Sampling":true}"#).late(),
];

pub(crate) const COST: &[Action] = &[
    read("ce", "GetCostAndUsage", "ce:GetCostAndUsage", 14, r#"{"TimePeriod":{"Start":"2026-11-01","End":"$y"},"Granularity":"DAILY","Metrics":["UnblendedCost","UsageQuantity"],"GroupBy":[{"Type":"DIMENSION","Key":"SERVICE"},{"Type":"TAG","Key":"team"}],"Filter":{"Tags":{"Key":"service","Values":["$w"]}}}"#),
    read("ce", "GetCostForecast", "ce:GetCostForecast", 5, r#"{"TimePeriod":{"Start":"$y","End":"2026-12-31"},"Metric":"UNBLENDED_COST","Granularity":"MONTHLY"}"#),
    read("ce", "GetDimensionValues", "ce:GetDimensionValues", 3, r#"{"TimePeriod":{"Start":"2026-11-01","End":"$y"},"Dimension":"SERVICE"}"#),
    read("ce", "GetReservationUtilization", "ce:GetReservationUtilization", 3, r#"{"TimePeriod":{"Start":"2026-11-01","End":"$y"},"Granularity":"MONTHLY"}"#),
    read("ec2", "DescribeInstances", "ec2:DescribeInstances", 6, r#"{"maxResults":1000,"instancesSet":{},"filterSet":{"items":[{"name":"tag:Service","valueSet":{"items":[{"value":"$w"}]}}]}}"#),
    read("ec2", "DescribeVolumes", "ec2:DescribeVolumes", 4, r#"{"maxResults":500,"volumeSet":{},"filterSet":{"items":[{"name":"status","valueSet":{"items":[{"value":"available"}]}}]}}"#),
    read("ec2", "DescribeReservedInstances", "ec2:DescribeReservedInstances", 2, r#"{"reservedInstancesSet":{},"filterSet":{}}"#),
    read("rds", "DescribeDBInstances", "rds:DescribeDBInstances", 4, r#"{"maxRecords":100}"#),
    read("monitoring", "GetMetricStatistics", "cloudwatch:GetMetricStatistics", 8, r#"{"namespace":"AWS/Billing","metricName":"EstimatedCharges","dimensions":[{"name":"Currency","value":"USD"},{"name":"ServiceName","value":"$w"}],"startTime":"$S","endTime":"$s","period":21600,"statistics":["Maximum"]}"#),
    read("s3", "GetObject", "s3:GetObject", 8, r#"{"bucketName":"cost-reports-$a","Host":"cost-reports-$a.s3.$r.amazonaws.com","key":"cur/$p/part-$N.parquet"}"#)
        .data(S3_EXTRA, r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::cost-reports-$a/cur/$p/part-$N.parquet"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::cost-reports-$a"}]"#),
    change("s3", "PutObject", "s3:PutObject", 3, r#"{"bucketName":"cost-reports-$a","Host":"cost-reports-$a.s3.$r.amazonaws.com","key":"weekly/$y/$w.html"}"#, S3_WRITTEN)
        .data(S3_EXTRA_IN, r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::cost-reports-$a/weekly/$y/$w.html"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::cost-reports-$a"}]"#)
        .decrypts_through("AWS Internal"),
    read("compute-optimizer", "GetEC2InstanceRecommendations", "compute-optimizer:GetEC2InstanceRecommendations", 3, r#"{"instanceArns":["arn:aws:ec2:$r:$a:instance/$i"],"maxResults":100}"#).late(),
];

pub(crate) const DEPLOY: &[Action] = &[
    read("codecommit", "GetPullRequest", "codecommit:GetPullRequest", 8, r#"{"pullRequestId":"$N"}"#),
    read("codecommit", "GetDifferences", "codecommit:GetDifferences", 8, r#"{"repositoryName":"$w","beforeCommitSpecifier":"refs/heads/main","afterCommitSpecifier":"$h$h"}"#),
    change("codecommit", "PostCommentForPullRequest", "codecommit:PostCommentForPullRequest", 4, r#"{"pullRequestId":"$N","repositoryName":"$w","beforeCommitId":"$h","afterCommitId":"$h","content":"HIDDEN_DUE_TO_SECURITY_REASONS","clientRequestToken":"$u"}"#, r#"{"repositoryName":"$w","pullRequestId":"$N","comment":{"commentId":"$u","authorArn":"$R","deleted":false}}"#),
    change("codebuild", "StartBuild", "codebuild:StartBuild", 5, r#"{"projectName":"$w-build","sourceVersion":"$h","environmentVariablesOverride":[{"name":"STAGE","value":"prod","type":"PLAINTEXT"}]}"#, r#"{"build":{"id":"$w-build:$u","arn":"arn:aws:codebuild:$r:$a:build/$w-build:$v","buildNumber":$N,"currentPhase":"QUEUED","buildStatus":"IN_PROGRESS","initiator":"$g","timeoutInMinutes":60,"encryptionKey":"arn:aws:kms:$r:$a:alias/aws/s3"}}"#),
    read("codebuild", "BatchGetBuilds", "codebuild:BatchGetBuilds", 10, r#"{"ids":["$w-build:$v"]}"#),
    read("ecr", "DescribeImages", "ecr:DescribeImages", 5, r#"{"registryId":"$a","repositoryName":"$w","imageIds":[{"imageTag":"$T"}]}"#)
        .on(r#"[{"accountId":"$a","ARN":"arn:aws:ecr:$r:$a:repository/$w"}]"#),
    read("lambda", "GetFunction20150331v2", "lambda:GetFunction", 6, r#"{"functionName":"$w-handler"}"#),
    change("lambda", "UpdateFunctionConfiguration20150331v2", "lambda:UpdateFunctionConfiguration", 3, r#"{"functionName":"$w-handler","memorySize":512,"timeout":30,"environment":{}}"#, r#"{"functionName":"$w-handler","functionArn":"arn:aws:lambda:$r:$a:function:$w-handler","runtime":"provided.al2023","role":"arn:aws:iam::$a:role/$w-handler","handler":"bootstrap","codeSize":$n,"timeout":30,"memorySize":512,"lastModified":"$s","version":"$$LATEST","environment":{},"tracingConfig":{"mode":"Active"},"revisionId":"$u","state":"Active","lastUpdateStatus":"InProgress","packageType":"Zip","architectures":["arm64"]}"#),
    change("cloudformation", "CreateChangeSet", "cloudformation:CreateChangeSet", 4, r#"{"stackName":"$w-prod","changeSetName":"deploy-$T","changeSetType":"UPDATE","templateURL":"https://deploy-artifacts-$a.s3.$r.amazonaws.com/$w/$T.template","capabilities":["CAPABILITY_NAMED_IAM"],"tags":[{"value":"$w","key":"Service"}]}"#, r#"{"id":"arn:aws:cloudformation:$r:$a:changeSet/deploy-$T/$v","stackId":"arn:aws:cloudformation:$r:$a:stack/$w-prod/$v"}"#),
    change("cloudformation", "ExecuteChangeSet", "cloudformation:ExecuteChangeSet", 4, r#"{"stackName":"$w-prod","changeSetName":"deploy-$T","clientRequestToken":"$u"}"#, "").on(FORWARDS),
    read("cloudformation", "DescribeStacks", "cloudformation:DescribeStacks", 10, r#"{"stackName":"$w-prod"}"#),
    read("cloudformation", "DescribeStackEvents", "cloudformation:DescribeStackEvents", 8, r#"{"stackName":"arn:aws:cloudformation:$r:$a:stack/$w-prod/$v"}"#),
    change("codedeploy", "CreateDeployment", "codedeploy:CreateDeployment", 3, r#"{"applicationName":"$w","deploymentGroupName":"prod","revision":{"revisionType":"S3","s3Location":{"bucket":"deploy-artifacts-$a","key":"$w/$T.zip","bundleType":"zip"}},"description":"$g"}"#, r#"{"deploymentId":"d-$T"}"#).late(),
];

/// Marks the call after which CloudFormation acts with the caller's permissions.
pub(crate) const FORWARDS: &str = r#"[{"accountId":"$a","type":"AWS::CloudFormation::Stack","ARN":"arn:aws:cloudformation:$r:$a:stack/$w-prod/$v"}]"#;

pub(crate) const DATA: &[Action] = &[
    read("s3", "ListObjects", "s3:ListBucket", 6, r#"{"list-type":"2","bucketName":"raw-events-$a","encoding-type":"url","max-keys":"1000","prefix":"$w/$p/","delimiter":"","Host":"raw-events-$a.s3.$r.amazonaws.com"}"#)
        .data(S3_EXTRA, r#"[{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::raw-events-$a/$w/$p/"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::raw-events-$a"}]"#),
    read("s3", "GetObject", "s3:GetObject", 20, r#"{"bucketName":"raw-events-$a","Host":"raw-events-$a.s3.$r.amazonaws.com","key":"$w/$p/part-$h.json.gz","x-amz-checksum-mode":"ENABLED"}"#)
        .data(S3_EXTRA, r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::raw-events-$a/$w/$p/part-$h.json.gz"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::raw-events-$a"}]"#)
        .decrypts_through("AWS Internal"),
    change("s3", "PutObject", "s3:PutObject", 14, r#"{"bucketName":"lake-$a","Host":"lake-$a.s3.$r.amazonaws.com","key":"curated/$w/dt=$y/part-$h.parquet","x-amz-server-side-encryption":"aws:kms"}"#, S3_WRITTEN)
        .data(S3_EXTRA_IN, r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::lake-$a/curated/$w/dt=$y/part-$h.parquet"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::lake-$a"}]"#)
        .decrypts_through("AWS Internal"),
    read("glue", "GetTable", "glue:GetTable", 7, r#"{"databaseName":"lake","name":"$w","catalogId":"$a"}"#),
    read("glue", "GetPartitions", "glue:GetPartitions", 6, r#"{"databaseName":"lake","tableName":"$w","expression":"dt = '$y'","maxResults":500}"#),
    change("glue", "BatchCreatePartition", "glue:BatchCreatePartition", 4, r#"{"databaseName":"lake","tableName":"$w","partitionInputList":[{"values":["$y"],"storageDescriptor":{"location":"s3://lake-$a/curated/$w/dt=$y/","inputFormat":"org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat","compressed":false,"numberOfBuckets":0,"storedAsSubDirectories":false}}]}"#, r#"{"errors":[]}"#),
    change("glue", "StartJobRun", "glue:StartJobRun", 3, r#"{"jobName":"$w-curate","arguments":"HIDDEN_DUE_TO_SECURITY_REASONS","workerType":"G.1X","numberOfWorkers":10}"#, r#"{"jobRunId":"jr_$h$h"}"#),
    read("glue", "GetJobRun", "glue:GetJobRun", 8, r#"{"jobName":"$w-curate","runId":"jr_$h$h","predecessorsIncluded":false}"#),
    change("athena", "StartQueryExecution", "athena:StartQueryExecution", 8, r#"{"queryString":"HIDDEN_DUE_TO_SECURITY_REASONS","clientRequestToken":"$u","queryExecutionContext":{"database":"lake","catalog":"AwsDataCatalog"},"resultConfiguration":{"outputLocation":"s3://athena-results-$a/$g/"},"workGroup":"agents"}"#, r#"{"queryExecutionId":"$u"}"#),
    read("athena", "GetQueryExecution", "athena:GetQueryExecution", 12, r#"{"queryExecutionId":"$u"}"#),
    read("athena", "GetQueryResults", "athena:GetQueryResults", 6, r#"{"queryExecutionId":"$u","maxResults":1000}"#),
    read("lakeformation", "GetDataAccess", "lakeformation:GetDataAccess", 4, r#"{"tableArn":"arn:aws:glue:$r:$a:table/lake/$w","permissions":["SELECT"],"durationSeconds":3600,"auditContext":{"additionalAuditContext":"{queryId: $u}"}}"#).late(),
];

pub(crate) const SUPPORT: &[Action] = &[
    read("dynamodb", "GetItem", "dynamodb:GetItem", 24, r#"{"tableName":"support-$w","key":{"customerId":{"s":"HIDDEN_DUE_TO_SECURITY_REASONS"}},"consistentRead":false}"#).data("", TABLE),
    read("dynamodb", "Query", "dynamodb:Query", 18, r#"{"tableName":"support-$w","indexName":"by-status","keyConditionExpression":"s = :s AND d > :d","expressionAttributeNames":{"s":"status","d":"day"},"limit":25,"scanIndexForward":false}"#).data("", TABLE),
    change("dynamodb", "UpdateItem", "dynamodb:UpdateItem", 8, r#"{"tableName":"support-$w","key":{"ticketId":{"s":"HIDDEN_DUE_TO_SECURITY_REASONS"}},"expressionAttributeNames":{"a":"answer"},"updateExpression":"SET a = :a","returnConsumedCapacity":"NONE"}"#, "").data("", TABLE),
    change("dynamodb", "PutItem", "dynamodb:PutItem", 6, r#"{"tableName":"support-$w","key":{"ticketId":{"s":"HIDDEN_DUE_TO_SECURITY_REASONS"}},"items":["ticketId","day","author"]}"#, "").data("", TABLE),
    read("dynamodb", "DescribeTable", "dynamodb:DescribeTable", 3, r#"{"tableName":"support-$w"}"#).on(TABLE),
    change("ses", "SendEmail", "ses:SendEmail", 6, r#"{"fromEmailAddress":"support@example.com","destination":{"toAddresses":["HIDDEN_DUE_TO_SECURITY_REASONS"]},"content":"HIDDEN_DUE_TO_SECURITY_REASONS","configurationSetName":"support-$w"}"#, r#"{"messageId":"$h-$u-000000"}"#),
    change("sqs", "SendMessage", "sqs:SendMessage", 5, r#"{"queueUrl":"https://sqs.$r.amazonaws.com/$a/support-$w","messageBody":"HIDDEN_DUE_TO_SECURITY_REASONS","delaySeconds":0}"#, r#"{"messageId":"$u","mD5OfMessageBody":"$h$h"}"#)
        .data("", r#"[{"accountId":"$a","type":"AWS::SQS::Queue","ARN":"arn:aws:sqs:$r:$a:support-$w"}]"#),
    change("sqs", "ReceiveMessage", "sqs:ReceiveMessage", 9, r#"{"queueUrl":"https://sqs.$r.amazonaws.com/$a/support-$w","maxNumberOfMessages":10,"waitTimeSeconds":20}"#, "")
        .data("", r#"[{"accountId":"$a","type":"AWS::SQS::Queue","ARN":"arn:aws:sqs:$r:$a:support-$w"}]"#),
    read("bedrock", "InvokeModel", "bedrock:InvokeModel", 7, r#"{"modelId":"anthropic.claude-support-v1","accept":"application/json","contentType":"application/json"}"#),
    read("kendra", "Query", "kendra:Query", 4, r#"{"indexId":"$v","queryText":"HIDDEN_DUE_TO_SECURITY_REASONS","pageSize":10}"#).late(),
];

pub(crate) const BACKUP: &[Action] = &[
    read("ec2", "DescribeVolumes", "ec2:DescribeVolumes", 10, r#"{"maxResults":500,"volumeSet":{},"filterSet":{"items":[{"name":"tag:Backup","valueSet":{"items":[{"value":"daily"}]}}]}}"#),
    change("ec2", "CreateSnapshot", "ec2:CreateSnapshot", 8, r#"{"volumeId":"vol-0$h","description":"$g $y","tagSpecificationSet":{"items":[{"resourceType":"snapshot","tags":[{"key":"Service","value":"$w"},{"key":"Backup","value":"daily"}]}]}}"#, r#"{"requestId":"$u","snapshotId":"snap-0$h","volumeId":"vol-0$h","status":"pending","startTime":$t,"progress":"","ownerId":"$a","volumeSize":"$N","description":"$g $y","encrypted":true,"tagSet":{"items":[{"key":"Service","value":"$w"},{"key":"Backup","value":"daily"}]}}"#),
    read("ec2", "DescribeSnapshots", "ec2:DescribeSnapshots", 12, r#"{"maxResults":1000,"snapshotSet":{},"ownersSet":{"items":[{"owner":"$a"}]},"sharedUsersSet":{},"filterSet":{"items":[{"name":"tag:Service","valueSet":{"items":[{"value":"$w"}]}}]}}"#),
    change("ec2", "DeleteSnapshot", "ec2:DeleteSnapshot", 5, r#"{"snapshotId":"snap-0$h"}"#, r#"{"requestId":"$u","_return":true}"#),
    change("backup", "StartBackupJob", "backup:StartBackupJob", 6, r#"{"backupVaultName":"vault-$w","resourceArn":"arn:aws:dynamodb:$r:$a:table/$w","iamRoleArn":"arn:aws:iam::$a:role/service-role/AWSBackupDefaultServiceRole","idempotencyToken":"$u","startWindowMinutes":60,"lifecycle":{"deleteAfterDays":35}}"#, r#"{"backupJobId":"$u","creationDate":"$s"}"#),
    read("backup", "DescribeBackupJob", "backup:DescribeBackupJob", 12, r#"{"backupJobId":"$u"}"#),
    read("backup", "ListRecoveryPointsByBackupVault", "backup:ListRecoveryPointsByBackupVault", 5, r#"{"backupVaultName":"vault-$w","maxResults":1000}"#),
    read("rds", "DescribeDBSnapshots", "rds:DescribeDBSnapshots", 6, r#"{"dBInstanceIdentifier":"$w","snapshotType":"manual","maxRecords":100,"includeShared":false,"includePublic":false}"#),
    change("rds", "CreateDBSnapshot", "rds:CreateDBSnapshot", 4, r#"{"dBSnapshotIdentifier":"$w-$y-$T","dBInstanceIdentifier":"$w","tags":[{"key":"Backup","value":"daily"}]}"#, r#"{"dBSnapshotIdentifier":"$w-$y-$T","dBInstanceIdentifier":"$w","engine":"postgres","allocatedStorage":$N,"status":"creating","port":5432,"engineVersion":"17.4","snapshotType":"manual","storageType":"gp3","encrypted":true,"kmsKeyId":"arn:aws:kms:$r:$a:key/$v","dBSnapshotArn":"arn:aws:rds:$r:$a:snapshot:$w-$y-$T"}"#),
    change("s3", "PutObject", "s3:PutObject", 4, r#"{"bucketName":"backup-index-$a","Host":"backup-index-$a.s3.$r.amazonaws.com","key":"$w/$y.json"}"#, S3_WRITTEN)
        .data(S3_EXTRA_IN, r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::backup-index-$a/$w/$y.json"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::backup-index-$a"}]"#),
    read("elasticfilesystem", "DescribeFileSystems", "elasticfilesystem:DescribeFileSystems", 4, r#"{"maxItems":100}"#).late(),
];

pub(crate) const INVENTORY: &[Action] = &[
    read(
        "ec2",
        "DescribeInstances",
        "ec2:DescribeInstances",
        10,
        r#"{"maxResults":1000,"instancesSet":{},"filterSet":{}}"#,
    ),
    read(
        "ec2",
        "DescribeSecurityGroups",
        "ec2:DescribeSecurityGroups",
        8,
        r#"{"maxResults":1000,"securityGroupSet":{},"securityGroupIdSet":{},"filterSet":{}}"#,
    ),
    read("ec2", "DescribeVpcs", "ec2:DescribeVpcs", 5, r#"{"vpcSet":{},"filterSet":{}}"#),
    read("ec2", "DescribeSubnets", "ec2:DescribeSubnets", 5, r#"{"subnetSet":{},"filterSet":{}}"#),
    read(
        "ec2",
        "DescribeNetworkInterfaces",
        "ec2:DescribeNetworkInterfaces",
        5,
        r#"{"maxResults":1000,"networkInterfaceIdSet":{},"filterSet":{}}"#,
    ),
    read("s3", "ListBuckets", "s3:ListAllMyBuckets", 5, r#"{"Host":"s3.$r.amazonaws.com"}"#),
    read(
        "s3",
        "GetBucketEncryption",
        "s3:GetEncryptionConfiguration",
        7,
        r#"{"bucketName":"$w-$a","Host":"$w-$a.s3.$r.amazonaws.com","encryption":""}"#,
    )
    .on(r#"[{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::$w-$a"}]"#),
    read("lambda", "ListFunctions20150331", "lambda:ListFunctions", 6, r#"{"maxItems":50}"#),
    read("rds", "DescribeDBInstances", "rds:DescribeDBInstances", 5, r#"{"maxRecords":100}"#),
    read("dynamodb", "ListTables", "dynamodb:ListTables", 4, r#"{"limit":100}"#),
    read("eks", "ListClusters", "eks:ListClusters", 4, r#"{"maxResults":100}"#),
    read("eks", "DescribeCluster", "eks:DescribeCluster", 3, r#"{"name":"$w"}"#),
    read(
        "tagging",
        "GetResources",
        "tag:GetResources",
        8,
        r#"{"resourcesPerPage":100,"paginationToken":"","tagFilters":[{"key":"Service","values":["$w"]}]}"#,
    ),
    read(
        "config",
        "SelectResourceConfig",
        "config:SelectResourceConfig",
        5,
        r#"{"expression":"SELECT resourceId, resourceType WHERE tags.key = 'Service' AND tags.value = '$w'","limit":100}"#,
    ),
    read(
        "elasticloadbalancing",
        "DescribeLoadBalancers",
        "elasticloadbalancing:DescribeLoadBalancers",
        5,
        r#"{"pageSize":400}"#,
    ),
    read(
        "acm",
        "ListCertificates",
        "acm:ListCertificates",
        3,
        r#"{"maxItems":1000,"certificateStatuses":["ISSUED"]}"#,
    )
    .late(),
];

pub(crate) const MODEL: &[Action] = &[
    read("bedrock", "Converse", "bedrock:InvokeModel", 20, r#"{"modelId":"arn:aws:bedrock:$r:$a:inference-profile/us.anthropic.claude-$w-v1:0"}"#).data(MODEL_USE, r#"[{"accountId":"$a","type":"AWS::Bedrock::Model","ARN":"arn:aws:bedrock:$r:$a:inference-profile/us.anthropic.claude-$w-v1:0"}]"#),
    read("bedrock", "InvokeModelWithResponseStream", "bedrock:InvokeModelWithResponseStream", 10, r#"{"modelId":"anthropic.claude-$w-v1:0","contentType":"application/json"}"#).data(MODEL_USE, ""),
    read("bedrock", "Retrieve", "bedrock:Retrieve", 10, r#"{"knowledgeBaseId":"KB$T","retrievalQuery":"HIDDEN_DUE_TO_SECURITY_REASONS","retrievalConfiguration":{"vectorSearchConfiguration":{"numberOfResults":8,"overrideSearchType":"HYBRID"}}}"#).data("", r#"[{"accountId":"$a","type":"AWS::Bedrock::KnowledgeBase","ARN":"arn:aws:bedrock:$r:$a:knowledge-base/KB$T"}]"#),
    read("bedrock-agentcore", "GetWorkloadAccessToken", "bedrock-agentcore:GetWorkloadAccessToken", 5, r#"{"workloadName":"$g"}"#),
    change("bedrock-agentcore", "CreateEvent", "bedrock-agentcore:CreateEvent", 8, r#"{"memoryId":"$g-$T","actorId":"user-$T","sessionId":"$u","payload":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#, r#"{"event":{"memoryId":"$g-$T","eventId":"$u"}}"#).data("", ""),
    read("bedrock-agentcore", "RetrieveMemoryRecords", "bedrock-agentcore:RetrieveMemoryRecords", 7, r#"{"memoryId":"$g-$T","namespace":"/facts/user-$T","searchCriteria":"HIDDEN_DUE_TO_SECURITY_REASONS","maxResults":20}"#).data("", ""),
    read("secretsmanager", "GetSecretValue", "secretsmanager:GetSecretValue", 2, r#"{"secretId":"agent/$g/tools"}"#).decrypts_through("secretsmanager.amazonaws.com"),
    read("s3", "GetObject", "s3:GetObject", 8, r#"{"bucketName":"prompts-$a","Host":"prompts-$a.s3.$r.amazonaws.com","key":"$g/$w.md"}"#)
        .data(S3_EXTRA, r#"[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::prompts-$a/$g/$w.md"},{"accountId":"$a","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::prompts-$a"}]"#),
    change("logs", "PutLogEvents", "logs:PutLogEvents", 6, r#"{"logGroupName":"/aws/bedrock-agentcore/runtimes/$g","logStreamName":"$y/$T","logEvents":[]}"#, ""),
    read("lambda", "Invoke", "lambda:InvokeFunction", 7, r#"{"functionName":"arn:aws:lambda:$r:$a:function:tool-$w","invocationType":"RequestResponse","clientContext":"","logType":"None"}"#).data(r#"{"functionVersion":"arn:aws:lambda:$r:$a:function:tool-$w:$$LATEST"}"#, r#"[{"accountId":"$a","type":"AWS::Lambda::Function","ARN":"arn:aws:lambda:$r:$a:function:tool-$w"}]"#),
    change("bedrock-agentcore", "InvokeCodeInterpreter", "bedrock-agentcore:InvokeCodeInterpreter", 3, r#"{"codeInterpreterIdentifier":"$g-$T","sessionId":"$u","name":"executeCode","arguments":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#, "").data("", "").late(),
];
