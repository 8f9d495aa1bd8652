//! AWS at the other end of the line: the objects that a trail writes to its bucket, and IAM, where the
//! kill switch acts.

mod canary;
mod doctor;
mod dynamo;
mod entrance;
mod iam;
mod queue;
mod s3;
mod secrets;

pub use canary::RoleCanary;
pub use doctor::AwsProbe;
pub use dynamo::{DynamoState, DynamoStore};
pub use entrance::{Entrance, Rejected};
pub use iam::IamResponder;
pub use queue::{Queue, QueueError, Received};
pub use secrets::{SecretError, secret};
