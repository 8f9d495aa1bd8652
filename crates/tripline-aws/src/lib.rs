//! AWS at the other end of the line: so far, the objects that a trail writes to its bucket.

mod s3;

pub use s3::{ObjectRef, S3Source};
