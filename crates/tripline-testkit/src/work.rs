//! What agents do all day: one table of calls a class.

use crate::template::Places;

/// A kind of agent: agents of one class have the same job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Reads logs and metrics when something is broken.
    OncallInvestigator,
    /// Adds up what things cost.
    CostReporter,
    /// Reviews and deploys.
    DeployBot,
    /// Moves data through S3, Glue and Athena.
    DataPipeline,
    /// Answers customers out of DynamoDB.
    SupportBot,
    /// Makes and prunes snapshots.
    BackupAgent,
    /// Lists everything there is.
    InventoryCrawler,
    /// Calls models.
    ModelAgent,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::OncallInvestigator,
        Self::CostReporter,
        Self::DeployBot,
        Self::DataPipeline,
        Self::SupportBot,
        Self::BackupAgent,
        Self::InventoryCrawler,
        Self::ModelAgent,
    ];

    /// The class's name, which is also how its agents are called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OncallInvestigator => "oncall-investigator",
            Self::CostReporter => "cost-reporter",
            Self::DeployBot => "deploy-bot",
            Self::DataPipeline => "data-pipeline",
            Self::SupportBot => "support-bot",
            Self::BackupAgent => "backup-agent",
            Self::InventoryCrawler => "inventory-crawler",
            Self::ModelAgent => "model-agent",
        }
    }

    /// The role its agents run as. Three classes share one: that is the point.
    #[must_use]
    pub const fn role_name(self) -> &'static str {
        match self {
            Self::OncallInvestigator | Self::CostReporter | Self::SupportBot => "AgentRuntime",
            Self::DeployBot => "AgentDeploy",
            Self::DataPipeline => "AgentData",
            Self::BackupAgent => "AgentBackup",
            Self::InventoryCrawler => "AgentInventory",
            Self::ModelAgent => "AmazonBedrockAgentCoreSDKRuntime-us-east-1-d4f0bc5a29",
        }
    }

    /// The IAM actions its agents need: every benign call is in here.
    #[must_use]
    pub fn scope(self) -> Vec<&'static str> {
        let mut actions: Vec<&str> = self.actions().iter().map(|action| action.iam).collect();
        if self.actions().iter().any(|action| action.kms.is_some()) {
            actions.extend(["kms:Decrypt", "kms:GenerateDataKey"]);
        }
        if self.chains() {
            actions.push("sts:AssumeRole");
        }
        actions.push("sts:GetCallerIdentity");
        if self == Self::DataPipeline {
            // One role reads for the Express bucket too.
            actions.extend(["s3express:CreateSession", "s3:GetObject", "s3:PutObject"]);
        }
        if self == Self::DeployBot {
            actions.extend(["lambda:UpdateFunctionCode", "iam:GetRole", "s3:GetObject"]);
        }
        actions.sort_unstable();
        actions.dedup();
        actions
    }

    /// Whether its agents assume a second role for a part of their work.
    pub(crate) const fn chains(self) -> bool {
        matches!(self, Self::OncallInvestigator | Self::DataPipeline | Self::DeployBot)
    }

    pub(crate) const fn actions(self) -> &'static [Action] {
        match self {
            Self::OncallInvestigator => crate::tables::ONCALL,
            Self::CostReporter => crate::tables::COST,
            Self::DeployBot => crate::tables::DEPLOY,
            Self::DataPipeline => crate::tables::DATA,
            Self::SupportBot => crate::tables::SUPPORT,
            Self::BackupAgent => crate::tables::BACKUP,
            Self::InventoryCrawler => crate::tables::INVENTORY,
            Self::ModelAgent => crate::tables::MODEL,
        }
    }
}

/// A call that an agent makes, as a template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action {
    pub(crate) source: &'static str,
    pub(crate) name: &'static str,
    pub(crate) iam: &'static str,
    /// How often, against the other calls of the table.
    pub(crate) weight: u32,
    pub(crate) read_only: bool,
    pub(crate) data: bool,
    /// Done only since the newer version of the agent.
    pub(crate) late: bool,
    /// A service that decrypts with the agent's permissions: a forwarded call follows.
    pub(crate) kms: Option<&'static str>,
    pub(crate) request: &'static str,
    /// Empty is `null`.
    pub(crate) response: &'static str,
    /// Empty is absent.
    pub(crate) extra: &'static str,
    /// Empty is absent.
    pub(crate) resources: &'static str,
}

/// A read-only management call.
pub(crate) const fn read(
    source: &'static str,
    name: &'static str,
    iam: &'static str,
    weight: u32,
    request: &'static str,
) -> Action {
    Action {
        source,
        name,
        iam,
        weight,
        read_only: true,
        data: false,
        late: false,
        kms: None,
        request,
        response: "",
        extra: "",
        resources: "",
    }
}

/// A call that changes something, and what it answers.
pub(crate) const fn change(
    source: &'static str,
    name: &'static str,
    iam: &'static str,
    weight: u32,
    request: &'static str,
    response: &'static str,
) -> Action {
    Action { read_only: false, response, ..read(source, name, iam, weight, request) }
}

impl Action {
    /// A data event.
    pub(crate) const fn data(self, extra: &'static str, resources: &'static str) -> Self {
        Self { data: true, extra, resources, ..self }
    }

    pub(crate) const fn on(self, resources: &'static str) -> Self {
        Self { resources, ..self }
    }

    pub(crate) const fn late(self) -> Self {
        Self { late: true, ..self }
    }

    pub(crate) const fn decrypts_through(self, service: &'static str) -> Self {
        Self { kms: Some(service), ..self }
    }
}

/// The error that this call could meet on a bad day.
pub(crate) fn usual_error(action: &Action, places: &Places<'_>) -> (&'static str, String) {
    match action.source {
        "s3" => ("NoSuchKey", "The specified key does not exist.".to_owned()),
        "logs" => {
            ("ResourceNotFoundException", "The specified log group does not exist.".to_owned())
        }
        "ec2" => (
            "Client.InvalidInstanceID.NotFound",
            format!("The instance ID 'i-0{:016x}' does not exist", places.thing),
        ),
        "dynamodb" => {
            ("ConditionalCheckFailedException", "The conditional request failed".to_owned())
        }
        _ => (
            "ValidationException",
            format!("1 validation error detected: no such {} in this account", places.word),
        ),
    }
}
