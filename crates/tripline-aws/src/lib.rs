//! AWS at the other end of the line: the objects that a trail writes to its bucket, and IAM, where the
//! kill switch acts.

mod approving;
mod canary;
mod channels;
mod depot;
mod doctor;
mod dynamo;
mod entrance;
mod iam;
mod logs;
mod queue;
mod s3;
mod secrets;
mod topic;
mod witness;

pub use approving::{Approving, ApprovingError, door};
pub use canary::RoleCanary;
pub use channels::{ChannelError, channels};
pub use depot::S3Depot;
pub use doctor::AwsProbe;
pub use dynamo::{DynamoState, DynamoStore};
pub use entrance::{Entrance, Rejected};
pub use iam::IamResponder;
pub use logs::{
    Batch, BucketLogs, BucketOptions, BucketTrail, EventHistory, Found, InvalidLookupUrl,
    InvalidS3Url, Look, LookupLogs, LookupUrl, Poll, PollError, Remote, S3Url, Span, reader,
};
pub use queue::{Queue, QueueError, Received};
pub use secrets::{SecretError, resolve};
