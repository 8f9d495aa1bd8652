//! Where the digests and logs of a trail are kept, and the walk through them.

mod local;
mod verify;

use std::path::{Component, Path};

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

/// The folder of digests, which every copy must have.
const DIGESTS: &str = "CloudTrail-Digest";

/// The longest stored file that is read. CloudTrail's log files hold 50 MB of JSON at most
/// (UG/WhatIsCloudTrail-Limits), some 5 MB when compressed.
pub const FILE_BYTES_MAX: u64 = 256 << 20;

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

    /// Calls `each` with the places of all files; those that could not be looked into, as far as
    /// [`Self::digests`] did not say so.
    fn files(
        &mut self,
        each: &mut (dyn FnMut(At) + Send),
    ) -> impl Future<Output = Vec<Unfetched>> + Send;
}

/// Where an object is in a bucket, or a copy of any part of one, of which a digest speaks that lies `at`
/// and says that it is `itself`.
pub fn place_in_copy(at: &At, itself: &ObjectRef, object: &ObjectRef) -> Place {
    let Some((folder, prefix)) = copied_to(at.as_unescaped(), itself.key.as_unescaped()) else {
        return Place::Moved;
    };
    let below = object.key.as_unescaped().strip_prefix(prefix);
    match below.filter(|below| stays_below(below)) {
        Some(below) => Place::At(Untrusted::new(format!("{folder}{below}"))),
        None => Place::Outside,
    }
}

/// For a file that lies at `at` and was delivered as `key`: which folder of the copy holds what had
/// which prefix in the bucket, each empty or ending in a slash. `None` if they do not agree from the
/// folder of digests on.
fn copied_to<'a>(at: &'a str, key: &'a str) -> Option<(&'a str, &'a str)> {
    let same = at.rsplit('/').zip(key.rsplit('/')).take_while(|(a, b)| a == b);
    let (mut length, mut has_digests) = (0, false);
    for (part, _) in same {
        length += part.len() + 1;
        has_digests |= part == DIGESTS;
    }
    has_digests.then_some(())?;
    // Where all of it agrees, there is no slash before it.
    let before = |text: &'a str| text.get(..(text.len() + 1).saturating_sub(length));
    before(at).zip(before(key))
}

/// Whether a key is a plain path downwards: it comes from a file that anybody may have written.
fn stays_below(key: &str) -> bool {
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0']);
    key.split('/').all(is_plain)
        && Path::new(key).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_any_part_of_the_bucket_are_understood() {
        let key = "logs/AWSLogs/1/CloudTrail-Digest/r/d.json.gz";
        let check = |at: &'static str| copied_to(at, key);
        assert_eq!(check("logs/AWSLogs/1/CloudTrail-Digest/r/d.json.gz"), Some(("", "")));
        assert_eq!(check("1/CloudTrail-Digest/r/d.json.gz"), Some(("", "logs/AWSLogs/")));
        assert_eq!(check("CloudTrail-Digest/r/d.json.gz"), Some(("", "logs/AWSLogs/1/")));
        assert_eq!(check("b/logs/AWSLogs/1/CloudTrail-Digest/r/d.json.gz"), Some(("b/", "")));
        assert_eq!(check("b/1/CloudTrail-Digest/r/d.json.gz"), Some(("b/", "logs/AWSLogs/")));
        assert_eq!(check("1/CloudTrail-Digest/other/d.json.gz"), None);
        assert_eq!(check("d.json.gz"), None);
        assert_eq!(check(""), None);
    }
}
