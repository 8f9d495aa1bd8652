//! What the doctor asks AWS: trails, buckets, queues, functions, the table, roles, the organization.
//! Only reads; who runs it needs leave for these calls (`deploy/README.md`), not the functions' roles.

mod parts;
mod roles;
mod trails;

use aws_config::SdkConfig;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use tripline_engine::doctor::{
    Found, Guard, Notifications, QueueState, Rights, RoleState, TableState, TrailFacts, Unknown,
};
use tripline_iam::{AccountId, Arn};
use tripline_runtime::{Function, Probe};

use crate::iam::IamResponder;

/// Asks with the credentials of whoever runs it; about IAM by way of the responder.
#[derive(Debug)]
pub struct AwsProbe<'h> {
    config: SdkConfig,
    hands: &'h IamResponder,
}

impl<'h> AwsProbe<'h> {
    /// With these credentials.
    pub fn new(config: &SdkConfig, hands: &'h IamResponder) -> Self {
        Self { config: config.clone(), hands }
    }
}

impl Probe for AwsProbe<'_> {
    async fn function(&self, name: &str) -> Found<Function> {
        parts::function(&self.config, name).await
    }

    async fn trails(&self) -> Found<Vec<TrailFacts>> {
        trails::trails(&self.config).await
    }

    async fn notifications(&self, bucket: &str) -> Found<Notifications> {
        parts::notifications(&self.config, bucket).await
    }

    async fn queue(&self, queue: &str) -> Found<QueueState> {
        parts::queue(&self.config, queue).await
    }

    async fn table(&self, name: &str) -> Found<TableState> {
        parts::table(&self.config, name).await
    }

    async fn roles(&self, named: &[String]) -> Found<Vec<RoleState>> {
        roles::roles(self.hands, named).await
    }

    async fn rights(&self, who: &Arn, role: &RoleState, function: Option<&Arn>) -> Found<Rights> {
        roles::rights(self.hands, who, role, function).await
    }

    async fn guard(&self, account: AccountId) -> Found<Guard> {
        roles::guard(&self.config, account).await
    }
}

/// Why there is no answer: the code and what AWS says, or that it cannot be reached.
fn refused<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Unknown {
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => Unknown::refused(format!("{code}: {message}")),
        (Some(code), None) => Unknown::refused(code),
        (None, _) => Unknown::refused(error.to_string()),
    }
}
