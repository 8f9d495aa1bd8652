//! Digest files: what CloudTrail says it delivered, hour by hour, signed.
//!
//! With log file validation on, CloudTrail writes a digest file every hour, even when nothing was
//! delivered. It lists the log files of that hour with the hashes of their content, and the place,
//! hash and signature of the digest before it, so that the digests of one trail and Region make a
//! chain. The signature of a digest stands beside it, in the metadata of its S3 object, and once more
//! in the digest that follows. Digests of late files (`_backfill`) make a chain of their own.
//!
//! Hashes are over the content, not over the compressed bytes: so say UG/cloudtrail-log-file-custom-
//! validation and UG/cloudtrail-log-file-validation-digest-file-structure, and so does AWS's own
//! client (aws-cli, `customizations/cloudtrail/validation.py`, which inflates before it hashes, logs
//! and digests alike).
//!
//! What is found is told apart by [`Class`]: what was *tampered* with, what is a *gap* (not there,
//! which a stopped trail or a partial copy explains as well), what is *unproven* for want of a
//! signature or a key, and what could not be *read*.

mod audit;
mod chain;
mod coverage;
mod file;
mod finding;
mod hash;
mod keys;
mod name;
#[cfg(test)]
mod tests;

pub use audit::{Audit, WalkedChain};
pub use chain::{Chain, NotVerified, Proof, Tampering, Unproven, Verdict, Verifier};
pub use coverage::Coverage;
pub use file::{Digest, DigestedFile, Malformed, ObjectRef, Previous, Signature};
pub use finding::{Class, Counts, DigestCounts, FileCounts, Finding, What};
pub use hash::{ContentHash, Damage, content};
pub use keys::{NotKeys, PublicKey, public_keys};
pub use name::{ChainId, DigestName, Kind, LogName, is_among_logs};
