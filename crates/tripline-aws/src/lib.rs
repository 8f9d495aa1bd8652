//! AWS at the other end of the line: the objects that a trail writes to its bucket, and IAM, where the
//! kill switch acts.

mod dynamo;
mod iam;
mod queue;
mod s3;

pub use dynamo::{DynamoState, DynamoStore};
pub use iam::IamResponder;
pub use queue::{Queue, QueueError, Received};
pub use s3::{ObjectError, Objects};
