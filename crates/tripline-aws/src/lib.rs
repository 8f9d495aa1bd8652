//! AWS at the other end of the line: the objects that a trail writes to its bucket, and IAM, where the
//! kill switch acts.

mod iam;
mod s3;

pub use iam::IamResponder;
pub use s3::{ObjectRef, S3Source};
