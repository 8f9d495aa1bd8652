//! Each group of invariants, by records of the shape that AWS documents or that was captured.

use proptest::prelude::*;
use tripline_baseline::{Call, Feature, Scope};
use tripline_cloudtrail::Record;

use super::*;
use crate::Verdict::{self, Alert, Fence, Kill};

const AGENT: &str = r#""userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:run-7",
    "arn":"arn:aws:sts::111111111111:assumed-role/agent/run-7","accountId":"111111111111",
    "accessKeyId":"ASIAEXAMPLE","sessionContext":{"sessionIssuer":{"type":"Role",
    "arn":"arn:aws:iam::111111111111:role/team/agent","accountId":"111111111111","userName":"agent"}}}"#;

fn record(source: &str, event: &str, request: &str, rest: &str) -> String {
    let rest =
        if rest.contains("userIdentity") { rest.to_owned() } else { format!("{AGENT}{rest}") };
    format!(
        r#"{{"eventVersion":"1.11","eventTime":"2026-11-20T10:00:00Z","eventSource":"{source}.amazonaws.com",
        "eventName":"{event}","awsRegion":"eu-west-1","eventType":"AwsApiCall","eventCategory":"Management",
        "eventID":"f146e1b4-5796-40b0-aa1d-0123456789ab","recipientAccountId":"111111111111",
        "requestParameters":{request},"responseElements":null,{rest}}}"#
    )
}

fn look(invariants: &Invariants, text: &str) -> Vec<(&'static str, Verdict)> {
    let broken = invariants.look(&Record::parse(text).unwrap());
    broken.into_iter().map(|it| (it.invariant.id, it.verdict)).collect()
}

fn broken(source: &str, event: &str, request: &str) -> Vec<(&'static str, Verdict)> {
    look(&Invariants::default(), &record(source, event, request, ""))
}

#[test]
fn the_trail() {
    for event in
        ["StopLogging", "DeleteTrail", "DeleteEventDataStore", "StopEventDataStoreIngestion"]
    {
        assert_eq!(broken("cloudtrail", event, r#"{"name":"t"}"#), [("stop-trail", Kill)]);
    }
    assert_eq!(broken("cloudtrail", "PutEventSelectors", "null"), [("change-trail", Kill)]);
    assert_eq!(broken("cloudtrail", "PutInsightSelectors", "{}"), [("thin-trail", Fence)]);
    assert_eq!(broken("cloudtrail", "DescribeTrails", "{}"), []);
    assert_eq!(broken("other", "StopLogging", "{}"), []);
}

#[test]
fn the_trails_bucket() {
    let lifecycle = r#"{"bucketName":"aws-cloudtrail-logs-111111111111-ab","LifecycleConfiguration":{"Rule":{"Expiration":{"Days":1}}}}"#;
    assert_eq!(broken("s3", "PutBucketLifecycle", lifecycle), [("trail-bucket", Kill)]);
    let elsewhere = r#"{"bucketName":"org-trail"}"#;
    assert_eq!(broken("s3", "DeleteObject", elsewhere), []);
    let settings =
        InvariantSettings { trail_buckets: vec!["org-*".to_owned()], ..Default::default() };
    let configured = Invariants::new(&settings).unwrap();
    let text = record("s3", "DeleteObject", elsewhere, "");
    assert_eq!(look(&configured, &text), [("trail-bucket", Kill)]);
}

#[test]
fn guard_rails() {
    assert_eq!(
        broken("guardduty", "DeleteDetector", r#"{"detectorId":"1"}"#),
        [("disable-guard-rail", Kill)]
    );
    assert_eq!(
        broken("guardduty", "UpdateDetector", r#"{"detectorId":"1","enable":false}"#),
        [("disable-guard-rail", Kill)]
    );
    assert_eq!(
        broken(
            "guardduty",
            "UpdateDetector",
            r#"{"detectorId":"1","enable":true,"features":[{"name":"S3_DATA_EVENTS","status":"DISABLED"}]}"#
        ),
        [("weaken-guard-rail", Fence)]
    );
    assert_eq!(
        broken(
            "guardduty",
            "UpdateDetector",
            r#"{"enable":true,"findingPublishingFrequency":"SIX_HOURS"}"#
        ),
        []
    );
    assert_eq!(broken("guardduty", "CreateFilter", r#"{"action":"NOOP"}"#), []);
    assert_eq!(
        broken("config", "StopConfigurationRecorder", r#"{"configurationRecorderName":"default"}"#),
        [("disable-guard-rail", Kill)]
    );
    assert_eq!(broken("securityhub", "DisableSecurityHub", "null"), [("disable-guard-rail", Kill)]);
    let flow_logs = r#"{"DeleteFlowLogsRequest":{"FlowLogId":{"tag":1,"content":"fl-0"}}}"#;
    assert_eq!(broken("ec2", "DeleteFlowLogs", flow_logs), [("stop-network-logs", Fence)]);
    assert_eq!(
        broken("logs", "DeleteLogGroup", r#"{"logGroupName":"g"}"#),
        [("delete-logs", Fence)]
    );
    assert_eq!(
        broken(
            "s3",
            "PutBucketLogging",
            r#"{"bucketName":"b","BucketLoggingStatus":{"xmlns":""}}"#
        ),
        [("delete-logs", Fence)]
    );
    assert_eq!(
        broken("monitoring", "DeleteAlarms", r#"{"alarmNames":["a"]}"#),
        [("silence-alarms", Alert)]
    );
}

#[test]
fn the_organisation() {
    assert_eq!(
        broken("organizations", "LeaveOrganization", "null"),
        [("leave-organization", Kill)]
    );
    assert_eq!(
        broken("organizations", "DetachPolicy", r#"{"policyId":"p-1"}"#),
        [("lift-organization-guard", Kill)]
    );
    assert_eq!(broken("organizations", "CreateAccount", "{}"), [("grow-organization", Fence)]);
}

#[test]
fn permissions_of_its_own_and_of_others() {
    let attach = |role: &str| {
        broken(
            "iam",
            "AttachRolePolicy",
            &format!(
                r#"{{"roleName":"{role}","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}}"#
            ),
        )
    };
    assert_eq!(attach("agent"), [("edit-own-permissions", Kill)]);
    assert_eq!(attach("AGENT"), [("edit-own-permissions", Kill)]);
    assert_eq!(attach("team"), [("edit-permissions", Fence)]);
    assert_eq!(
        broken("iam", "UpdateAssumeRolePolicy", r#"{"roleName":"agent","policyDocument":"{}"}"#),
        [("edit-own-trust", Kill)]
    );
    assert_eq!(
        broken("iam", "UpdateAssumeRolePolicy", r#"{"roleName":"x","policyDocument":"{}"}"#),
        [("edit-trust", Fence)]
    );
    assert_eq!(
        broken("iam", "TagRole", r#"{"roleName":"agent","tags":[]}"#),
        [("edit-own-permissions", Kill)]
    );
    assert_eq!(broken("iam", "TagRole", r#"{"roleName":"x","tags":[]}"#), []);
    assert_eq!(
        broken(
            "iam",
            "CreatePolicyVersion",
            r#"{"policyArn":"arn:aws:iam::111111111111:policy/p"}"#
        ),
        [("edit-permissions", Fence)]
    );
}

#[test]
fn users_are_themselves_by_name_and_by_arn() {
    let as_user = |identity: &str| {
        let text = record(
            "iam",
            "PutUserPolicy",
            r#"{"userName":"bob","policyName":"p"}"#,
            &format!(r#""userIdentity":{{{identity}}}"#),
        );
        look(&Invariants::default(), &text)
    };
    let own = [("edit-own-permissions", Kill)];
    assert_eq!(as_user(r#""type":"IAMUser","userName":"bob""#), own);
    assert_eq!(as_user(r#""type":"IAMUser","arn":"arn:aws:iam::111111111111:user/team/bob""#), own);
    assert_eq!(as_user(r#""type":"IAMUser","userName":"alice""#), [("edit-permissions", Fence)]);
    // A role's session has the role's name there.
    assert_eq!(as_user(r#""type":"AssumedRole","userName":"bob""#), [("edit-permissions", Fence)]);
    let bare = r#""userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111111111111:assumed-role/agent/x"}"#;
    let text = record("iam", "PutRolePolicy", r#"{"roleName":"agent","policyName":"p"}"#, bare);
    assert_eq!(look(&Invariants::default(), &text), own);
}

#[test]
fn trust() {
    let role = |principal: &str| {
        let policy = format!(
            r#"{{\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":{principal},\"Action\":\"sts:AssumeRole\"}}]}}"#
        );
        broken(
            "iam",
            "CreateRole",
            &format!(r#"{{"roleName":"r","assumeRolePolicyDocument":"{policy}"}}"#),
        )
    };
    assert_eq!(role(r#"{\"AWS\":\"*\"}"#), [("trust-anyone", Kill)]);
    assert_eq!(
        role(r#"{\"AWS\":\"arn:aws:iam::222222222222:root\"}"#),
        [("trust-other-account", Fence)]
    );
    assert_eq!(role(r#"{\"Service\":\"lambda.amazonaws.com\"}"#), []);
    assert_eq!(role(r#"{\"AWS\":\"111111111111\"}"#), []);
}

#[test]
fn what_tripline_put_in_place() {
    let kill = ("undo-tripline", Kill);
    let delete = |policy: &str| {
        broken("iam", "DeleteRolePolicy", &format!(r#"{{"roleName":"r","policyName":"{policy}"}}"#))
    };
    assert_eq!(delete("TriplineKill-1"), [("edit-permissions", Fence), kill]);
    assert_eq!(delete("tripline-fence"), [("edit-permissions", Fence), kill]);
    assert_eq!(delete("MyTripline"), [("edit-permissions", Fence)]);
    assert_eq!(broken("events", "DisableRule", r#"{"name":"tripline-trail"}"#), [kill]);
    assert_eq!(
        broken(
            "lambda",
            "UpdateFunctionCode20150331v2",
            r#"{"functionName":"arn:aws:lambda:r:1:function:TriplineDetector"}"#
        ),
        [kill]
    );
    assert_eq!(broken("lambda", "UpdateFunctionCode20150331v2", r#"{"functionName":"mine"}"#), []);
}

#[test]
fn credentials() {
    for event in [
        "CreateAccessKey",
        "CreateLoginProfile",
        "UpdateLoginProfile",
        "CreateServiceSpecificCredential",
    ] {
        assert_eq!(
            broken("iam", event, r#"{"userName":"u"}"#),
            [("create-credential", Kill)],
            "{event}"
        );
    }
    assert_eq!(broken("iam", "CreateAccessKey", "null"), [("create-credential", Kill)]);
    assert_eq!(broken("iam", "UpdateAccessKey", r#"{"status":"Inactive"}"#), []);
    assert_eq!(
        broken("iam", "UpdateAccessKey", r#"{"status":"Active"}"#),
        [("create-credential", Kill)]
    );
    assert_eq!(broken("signin", "CreateBearerToken", "null"), [("create-credential", Kill)]);
    assert_eq!(broken("iam", "CreateUser", r#"{"userName":"u"}"#), [("create-user", Fence)]);
    assert_eq!(broken("identitystore", "CreateUser", "{}"), [("grant-access", Fence)]);
    assert_eq!(broken("iam", "DeactivateMFADevice", "{}"), [("change-mfa", Fence)]);
    assert_eq!(broken("sts", "GetFederationToken", r#"{"name":"x"}"#), [("mint-aside", Fence)]);
    assert_eq!(broken("sts", "AssumeRoot", "{}"), [("assume-root", Kill)]);
}

#[test]
fn ways_in_that_stay() {
    for (source, event) in [
        ("iam", "CreateOpenIDConnectProvider"),
        ("iam", "CreateSAMLProvider"),
        ("iam", "EnableOutboundWebIdentityFederation"),
        ("rolesanywhere", "CreateTrustAnchor"),
        ("rolesanywhere", "CreateProfile"),
    ] {
        assert_eq!(broken(source, event, "{}"), [("create-federation", Kill)], "{event}");
    }
    assert_eq!(broken("iam", "AcquireRole", "{}"), [("delegate", Kill)]);
    assert_eq!(broken("sso", "CreateAccountAssignment", "{}"), [("grant-access", Fence)]);
}

#[test]
fn opening_to_the_world() {
    let world = [("open-to-world", Kill)];
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}"#;
    assert_eq!(
        broken(
            "s3",
            "PutBucketPolicy",
            &format!(r#"{{"bucketName":"b","bucketPolicy":{policy}}}"#)
        ),
        world
    );
    assert_eq!(
        broken(
            "secretsmanager",
            "PutResourcePolicy",
            &format!(r#"{{"secretId":"s","resourcePolicy":{policy:?}}}"#)
        ),
        world
    );
    assert_eq!(
        broken(
            "sqs",
            "SetQueueAttributes",
            &format!(r#"{{"queueUrl":"https://sqs/1/q","attributes":{{"Policy":{policy:?}}}}}"#)
        ),
        world
    );
    assert_eq!(
        broken(
            "sns",
            "SetTopicAttributes",
            &format!(r#"{{"topicArn":"t","attributeName":"Policy","attributeValue":{policy:?}}}"#)
        ),
        world
    );
    assert_eq!(
        broken(
            "s3",
            "PutBucketAcl",
            r#"{"bucketName":"b","acl":"","accessControlList":{"x-amz-grant-write-acp":"uri=http://acs.amazonaws.com/groups/global/AuthenticatedUsers"}}"#
        ),
        world
    );
    assert_eq!(
        broken("s3", "PutBucketAcl", r#"{"bucketName":"b","x-amz-acl":["public-read"]}"#),
        world
    );
    assert_eq!(
        broken("s3", "PutObjectAcl", r#"{"key":"groups/global/AllUsers","x-amz-acl":["private"]}"#),
        []
    );
    assert_eq!(
        broken(
            "lambda",
            "AddPermission20150331v2",
            r#"{"principal":"*","action":"lambda:InvokeFunction"}"#
        ),
        world
    );
    assert_eq!(
        broken(
            "lambda",
            "AddPermission20150331v2",
            r#"{"principal":"*","sourceArn":"arn:aws:s3:::b"}"#
        ),
        []
    );
    assert_eq!(broken("lambda", "CreateFunctionUrlConfig", r#"{"authType":"NONE"}"#), world);
    assert_eq!(
        broken(
            "ec2",
            "ModifySnapshotAttribute",
            r#"{"snapshotId":"s","createVolumePermission":{"add":{"items":[{"group":"all"}]}}}"#
        ),
        world
    );
    assert_eq!(
        broken(
            "rds",
            "ModifyDBSnapshotAttribute",
            r#"{"attributeName":"restore","valuesToAdd":["all"]}"#
        ),
        world
    );
}

#[test]
fn sharing_with_other_accounts() {
    let shared = [("share-outside", Fence)];
    let image = |account: &str| {
        record(
            "ec2",
            "ModifyImageAttribute",
            &format!(
                r#"{{"imageId":"a","attributeType":"launchPermission","launchPermission":{{"add":{{"items":[{{"userId":"{account}"}}]}}}}}}"#
            ),
            "",
        )
    };
    let unchanged = Invariants::default();
    assert_eq!(look(&unchanged, &image("222222222222")), shared);
    assert_eq!(look(&unchanged, &image("111111111111")), []);
    let settings: InvariantSettings =
        serde_json::from_str(r#"{"own_accounts":["222222222222"]}"#).unwrap();
    assert_eq!(look(&Invariants::new(&settings).unwrap(), &image("222222222222")), []);
    assert_eq!(
        broken(
            "rds",
            "ModifyDBSnapshotAttribute",
            r#"{"attributeName":"restore","valuesToAdd":["222222222222"]}"#
        ),
        shared
    );
    assert_eq!(broken("ram", "CreateResourceShare", r#"{"principals":["222222222222"]}"#), shared);
    assert_eq!(
        broken(
            "ec2",
            "ModifySnapshotAttribute",
            r#"{"createVolumePermission":{"remove":{"items":[{"group":"all"}]}}}"#
        ),
        []
    );
}

#[test]
fn policies_for_other_accounts() {
    let shared = [("share-outside", Fence)];
    let policy = |principal: &str| {
        let statement =
            format!(r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"s3:*"}}"#);
        broken(
            "s3",
            "PutBucketPolicy",
            &format!(r#"{{"bucketName":"b","bucketPolicy":{{"Statement":[{statement}]}}}}"#),
        )
    };
    assert_eq!(policy("arn:aws:iam::222222222222:root"), shared);
    assert_eq!(policy("arn:aws:iam::111111111111:role/x"), []);
    let function = |principal: &str| {
        broken("lambda", "AddPermission20150331v2", &format!(r#"{{"principal":"{principal}"}}"#))
    };
    assert_eq!(function("222222222222"), shared);
    assert_eq!(function("events.amazonaws.com"), []);
}

#[test]
fn public_access_blocks_and_ports() {
    assert_eq!(
        broken(
            "s3",
            "PutBucketPublicAccessBlock",
            r#"{"bucketName":"b","PublicAccessBlockConfiguration":{"BlockPublicAcls":true,"RestrictPublicBuckets":false}}"#
        ),
        [("unblock-public-access", Fence)]
    );
    assert_eq!(
        broken(
            "s3",
            "PutBucketPublicAccessBlock",
            r#"{"bucketName":"b","PublicAccessBlockConfiguration":{"BlockPublicAcls":true}}"#
        ),
        []
    );
    assert_eq!(
        broken("s3", "DeleteBucketPublicAccessBlock", r#"{"bucketName":"b"}"#),
        [("unblock-public-access", Fence)]
    );
    let ingress = |from: u16, to: u16, block: &str| {
        broken(
            "ec2",
            "AuthorizeSecurityGroupIngress",
            &format!(
                r#"{{"groupId":"sg-1","ipPermissions":{{"items":[{{"ipProtocol":"tcp","fromPort":{from},"toPort":{to},"ipRanges":{{"items":[{{"cidrIp":"{block}"}}]}},"ipv6Ranges":{{}}}}]}}}}"#
            ),
        )
    };
    assert_eq!(ingress(22, 22, "0.0.0.0/0"), [("open-port", Fence)]);
    assert_eq!(ingress(3000, 4000, "0.0.0.0/0"), [("open-port", Fence)]);
    assert_eq!(ingress(443, 443, "0.0.0.0/0"), []);
    assert_eq!(ingress(22, 22, "10.0.0.0/8"), []);
}

#[test]
fn destroying_recovery() {
    assert_eq!(
        broken("kms", "ScheduleKeyDeletion", r#"{"keyId":"k","pendingWindowInDays":7}"#),
        [("destroy-key", Kill)]
    );
    assert_eq!(broken("kms", "DisableKey", r#"{"keyId":"k"}"#), [("destroy-key", Kill)]);
    assert_eq!(broken("backup", "DeleteRecoveryPoint", "{}"), [("destroy-backups", Kill)]);
    assert_eq!(
        broken(
            "dynamodb",
            "UpdateContinuousBackups",
            r#"{"tableName":"t","pointInTimeRecoverySpecification":{"pointInTimeRecoveryEnabled":false}}"#
        ),
        [("destroy-backups", Kill)]
    );
    assert_eq!(
        broken("ec2", "DeleteSnapshot", r#"{"snapshotId":"s"}"#),
        [("delete-snapshots", Fence)]
    );
    assert_eq!(
        broken("rds", "DeleteDBCluster", r#"{"skipFinalSnapshot":true}"#),
        [("delete-unsaved", Fence)]
    );
    assert_eq!(broken("rds", "DeleteDBCluster", r#"{"skipFinalSnapshot":false}"#), []);
    assert_eq!(
        broken(
            "s3",
            "PutBucketVersioning",
            r#"{"bucketName":"b","VersioningConfiguration":{"Status":"Suspended"}}"#
        ),
        [("suspend-versioning", Fence)]
    );
    assert_eq!(
        broken(
            "s3",
            "PutBucketVersioning",
            r#"{"bucketName":"b","VersioningConfiguration":{"Status":"Enabled"}}"#
        ),
        []
    );
}

#[test]
fn decoys_count_even_when_denied() {
    let scope = Scope::parse("version=1\nagent=\"a\"\n[canary]\nresources=[\"arn:aws:secretsmanager:*:*:secret:canary-*\"]").unwrap();
    let text = record(
        "secretsmanager",
        "GetSecretValue",
        r#"{"secretId":"canary-db"}"#,
        r#","errorCode":"AccessDenied""#,
    );
    let call = Call::of(&Record::parse(&text).unwrap());
    let unchanged = Invariants::default();
    let touched = unchanged.touched_canary(&call, Some(&scope)).unwrap();
    assert_eq!((touched.verdict, touched.feature), (Kill, Feature::Canary));
    assert!(touched.value.as_unescaped().ends_with(":secret:canary-db-??????"));
    assert!(unchanged.touched_canary(&call, None).is_none() && !unchanged.watches_canaries(None));
    let settings =
        InvariantSettings { canaries: vec!["*canary*".to_owned()], ..Default::default() };
    assert!(Invariants::new(&settings).unwrap().touched_canary(&call, None).is_some());
}

#[test]
fn attempts_are_fences_at_most() {
    let denied = record("cloudtrail", "StopLogging", "null", r#","errorCode":"AccessDenied""#);
    let broken = Invariants::default().look(&Record::parse(&denied).unwrap());
    assert_eq!(broken[0].verdict, Fence);
    assert_eq!(
        broken[0].detail,
        "`cloudtrail:StopLogging` stops or deletes a trail or an event data store: \
         without records nobody sees what comes next (tried, and was denied)"
    );
    let failed =
        record("cloudtrail", "StopLogging", "null", r#","errorCode":"TrailNotFoundException""#);
    assert_eq!(look(&Invariants::default(), &failed), [("stop-trail", Fence)]);
}

#[test]
fn services_and_repetitions_break_nothing() {
    let unchanged = Invariants::default();
    let by_service = record(
        "cloudtrail",
        "StopLogging",
        "null",
        r#""userIdentity":{"type":"AWSService","invokedBy":"x"}"#,
    );
    assert_eq!(look(&unchanged, &by_service), []);
    let call = record("cloudtrail", "StopLogging", "null", "");
    assert_eq!(look(&unchanged, &call.replace("AwsApiCall", "AwsServiceEvent")), []);
    let by_endpoint =
        call.replace("AwsApiCall", "AwsVpceEvent").replace("\"Management\"", "\"NetworkActivity\"");
    assert_eq!(look(&unchanged, &by_endpoint), []);
    // On the agent's behalf.
    let folded = call.replace(
        "\"accessKeyId\"",
        "\"invokedBy\":\"cloudformation.amazonaws.com\",\"accessKeyId\"",
    );
    assert_eq!(look(&unchanged, &folded), [("stop-trail", Kill)]);
}

#[test]
fn names_in_disguise_are_seen() {
    assert_eq!(broken("cloudtrail", r"\u0053topLogging", "null"), [("stop-trail", Kill)]);
    assert_eq!(broken("cloudtrail", "StopLogging2013", "null"), []);
    assert_eq!(
        broken("lambda", "AddPermission20150331", r#"{"principal":"*"}"#),
        [("open-to-world", Kill)]
    );
    let china = record("cloudtrail", "StopLogging", "null", "")
        .replace("amazonaws.com\"", "amazonaws.com.cn\"");
    assert_eq!(look(&Invariants::default(), &china), [("stop-trail", Kill)]);
}

#[test]
fn settings_override() {
    let text = record("cloudtrail", "StopLogging", "null", "");
    for (setting, found) in [
        ("off", vec![]),
        ("alert", vec![("stop-trail", Alert)]),
        ("kill", vec![("stop-trail", Kill)]),
    ] {
        let settings = format!(r#"{{"verdicts":{{"stop-trail":"{setting}"}}}}"#);
        let settings: InvariantSettings = serde_json::from_str(&settings).unwrap();
        assert_eq!(look(&Invariants::new(&settings).unwrap(), &text), found, "{setting}");
        assert!(settings.content_hash_input().contains(&format!(" stop-trail {setting}\n")));
    }
    let unknown: InvariantSettings =
        serde_json::from_str(r#"{"verdicts":{"stop\u001b":"off"}}"#).unwrap();
    assert_eq!(Invariants::new(&unknown).unwrap_err().to_string(), r"`stop\u{1b}` is no invariant");
    let pattern = InvariantSettings { canaries: vec!["arn:aws".to_owned()], ..Default::default() };
    assert!(
        Invariants::new(&pattern)
            .unwrap_err()
            .to_string()
            .starts_with("`canaries`: `arn:aws` is not a whole ARN")
    );
    assert!(serde_json::from_str::<InvariantSettings>(r#"{"verdict":{}}"#).is_err());
}

/// Requests made of the words that the checks look for.
fn requests() -> impl Strategy<Value = String> {
    let word = prop::sample::select(&[
        "roleName",
        "policyDocument",
        "bucketPolicy",
        "Statement",
        "Principal",
        "AWS",
        "Condition",
        "add",
        "items",
        "createVolumePermission",
        "ipPermissions",
        "attributes",
        "Policy",
        "enable",
        "all",
        "*",
        "Allow",
        "Effect",
        "PublicAccessBlockConfiguration",
        "false",
        "0.0.0.0/0",
        "agent",
        "222222222222",
        "\\",
        "{\\\"Statement\\\":{}}",
    ]);
    let leaf = prop_oneof![
        word.clone().prop_map(|word| format!("\"{word}\"")),
        Just("null".to_owned()),
        Just("1e9".to_owned())
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let member =
            (word.clone(), inner.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..5)
                .prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    #[test]
    fn looking_never_panics(at in 0..rules::RULES.len(), request in requests()) {
        let rule = &rules::RULES[at];
        let text = record(rule.service, rule.event, &request, "");
        if let Ok(record) = Record::parse(&text) {
            for broken in Invariants::default().look(&record) {
                prop_assert!(broken.detail.is_ascii());
            }
        }
    }

    #[test]
    fn the_table_agrees_with_a_walk_through_it(at in 0..rules::RULES.len(), service in "[a-z]{0,3}", cut in 0..3_usize) {
        let rule = &rules::RULES[at];
        let event = rule.event.get(cut..).unwrap_or_default();
        let source = if service.is_empty() { rule.service } else { &service };
        let wanted: Vec<_> = rules::RULES.iter()
            .filter(|rule| rule.event == event && rule.service == source && rule.check.is_none())
            .map(|rule| rule.invariant.id)
            .collect();
        let found: Vec<_> = broken(source, event, "null").into_iter().map(|(id, _)| id).collect();
        prop_assert!(wanted.iter().all(|id| found.contains(id)), "{wanted:?} {found:?}");
        if wanted.is_empty() && !rules::RULES.iter().any(|rule| rule.event == event && rule.service == source) {
            prop_assert!(found.is_empty());
        }
    }
}
