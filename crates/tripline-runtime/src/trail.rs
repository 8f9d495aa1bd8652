//! Where the digests and logs of a trail are kept, and the walk through them.

mod local;
mod verify;

use thiserror::Error;
use tripline_cloudtrail::digest::ObjectRef;
use tripline_text::{Untrusted, escape};

pub use local::LocalTrail;
pub use verify::{Period, verify_trail};

/// A place in a trail's bucket, or in a copy of one: a key, or a path below the copy's folder.
pub type At = Untrusted<'static>;

/// A digest file, and what stands beside it.
#[derive(Clone, Debug)]
pub struct StoredDigest {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its signature, as written; `None` when there is none.
    pub signature: Option<Untrusted<'static>>,
}

/// What a file beside a digest is called that holds its signature.
const SIGNATURE: &str = ".signature";

/// Where something should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Here.
    At(At),
    /// Somewhere that is not part of this trail's copy.
    Outside,
    /// The digest that speaks of it is itself not where it says it is.
    Moved,
}

/// Something that could not be listed or fetched.
#[derive(Clone, Debug, Error)]
#[error("cannot read `{}`: {why}", escape::terminal(.at))]
pub struct Unfetched {
    /// Where.
    pub at: At,
    /// What the other side said.
    pub why: String,
}

/// A bucket, or a copy of one. In S3 a digest's signature is in the metadata of its object
/// (`x-amz-meta-signature`).
pub trait Trail: Send {
    /// All places of files that have a digest's name, and those that could not be looked into.
    fn digests(&mut self) -> impl Future<Output = (Vec<At>, Vec<Unfetched>)> + Send;

    /// Fetches a digest.
    fn digest(&mut self, at: &At) -> impl Future<Output = Result<StoredDigest, Unfetched>> + Send;

    /// Where an object is, of which a digest speaks that lies `at` and says that it is `itself`.
    fn place_of(&self, at: &At, itself: &ObjectRef, object: &ObjectRef) -> Place;

    /// Fetches a log file as stored; `None` when there is none.
    fn log(&mut self, at: &At) -> impl Future<Output = Result<Option<Vec<u8>>, Unfetched>> + Send;

    /// Calls `each` with the places of all files.
    fn files(&mut self, each: &mut (dyn FnMut(At) + Send)) -> impl Future<Output = ()> + Send;
}
