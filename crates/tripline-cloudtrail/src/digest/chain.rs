//! What is thought of each digest of a chain, from the newest to the oldest.
//!
//! That way round, because a digest's successor knows what the digest should be: its hash and its
//! signature. So a copy without the metadata of S3 can be checked too, but for the newest digest: the
//! signature is CloudTrail's wherever it was kept. And a digest that a proven successor vouches for is
//! proven even where the key that signed it is not at hand.

use tripline_text::Untrusted;

use super::file::{Digest, ObjectRef, Previous, Signature};
use super::finding::What;
use super::name::{DigestName, Kind};
use crate::time::EventTime;

/// Checks RSASSA-PKCS1-v1_5 signatures with SHA-256. Whoever implements it holds the public keys:
/// from a file, or as `ListPublicKeys` gives them.
pub trait Verifier {
    /// Whether `signature` is over `signed`, by the key of this fingerprint.
    ///
    /// # Errors
    /// [`NotVerified`].
    fn verify(
        &self,
        fingerprint: &Untrusted<'_>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), NotVerified>;
}

/// Why a signature does not prove anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotVerified {
    /// It does not fit.
    Mismatch,
    /// There is no key of this fingerprint.
    NoKey,
}

/// What is thought of one digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as CloudTrail wrote it.
    Valid(Proof),
    /// Nothing speaks against it, and nothing proves it.
    Unproven(Unproven),
    /// It is not as CloudTrail wrote it; what it says counts for nothing.
    Tampered(Tampering),
}

/// What proves a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Its signature.
    Signature,
    /// Its signature, as the next digest carries it.
    SignatureInNext,
    /// Its hash, in the next digest, which is proven.
    HashInNext,
}

/// Why a digest is not proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// Its signature was not given, and no next digest carries it.
    NoSignature,
    /// The key that it says it was signed with is not among those given.
    NoKey,
    /// Its signature was not given, and the next digest was tampered with.
    NextTampered,
}

/// How it shows that a digest was tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// Its signature does not fit it.
    Signature,
    /// The signature that the next digest carries does not fit it: one of the two was changed.
    SignatureInNext,
    /// The next digest says another hash.
    HashInNext,
}

/// A chain, as far as it has been walked: from the newest digest to the oldest.
#[derive(Debug)]
pub struct Chain<'a, V> {
    verifier: &'a V,
    next: Option<Next>,
}

/// The digest that was met last, which comes next in time.
#[derive(Debug)]
struct Next {
    place: ObjectRef,
    start: EventTime,
    verdict: Verdict,
    previous: Option<Previous>,
}

impl Next {
    /// What it says of the digest at `place`, if it names that one.
    fn claim(&self, place: &ObjectRef) -> Option<&Previous> {
        self.previous.as_ref().filter(|previous| previous.place == *place)
    }

    fn is_tampered(&self) -> bool {
        matches!(self.verdict, Verdict::Tampered(_))
    }
}

impl<'a, V: Verifier> Chain<'a, V> {
    /// A chain of which nothing is known yet.
    pub fn new(verifier: &'a V) -> Self {
        Self { verifier, next: None }
    }

    /// What is thought of a digest that comes before those met so far. `signature` is what stood
    /// beside it: `None` when nothing did.
    pub fn judge(&self, digest: &Digest, signature: Option<&Untrusted<'_>>) -> Verdict {
        let by_own = match signature {
            None => None,
            Some(text) => match Signature::parse(text.as_unescaped()) {
                None => Some(Err(NotVerified::Mismatch)),
                Some(signature) => Some(self.verify(digest, &signature)),
            },
        };
        match by_own {
            Some(Ok(())) => Verdict::Valid(Proof::Signature),
            Some(Err(NotVerified::Mismatch)) => Verdict::Tampered(Tampering::Signature),
            Some(Err(NotVerified::NoKey)) => self.judge_by_next(digest, Unproven::NoKey),
            None => self.judge_by_next(digest, Unproven::NoSignature),
        }
    }

    /// By what the next digest says, or else unproven for this reason.
    fn judge_by_next(&self, digest: &Digest, otherwise: Unproven) -> Verdict {
        let Some(next) = &self.next else { return Verdict::Unproven(otherwise) };
        let Some(claim) = next.claim(&digest.place) else {
            // What a forged digest names may have been changed as well.
            return Verdict::Unproven(match (next.is_tampered(), otherwise) {
                (true, Unproven::NoSignature) => Unproven::NextTampered,
                _ => otherwise,
            });
        };
        let carried = self.verify(digest, &claim.signature);
        match (carried, next.verdict) {
            // It proves itself, whoever carried it.
            (Ok(()), _) => Verdict::Valid(Proof::SignatureInNext),
            (Err(_), Verdict::Tampered(_)) => Verdict::Unproven(Unproven::NextTampered),
            _ if claim.hash != digest.hash => Verdict::Tampered(Tampering::HashInNext),
            (Err(_), Verdict::Valid(_)) => Verdict::Valid(Proof::HashInNext),
            (Err(NotVerified::Mismatch), _) => Verdict::Tampered(Tampering::SignatureInNext),
            (Err(NotVerified::NoKey), _) => Verdict::Unproven(Unproven::NoKey),
        }
    }

    fn verify(&self, digest: &Digest, signature: &Signature) -> Result<(), NotVerified> {
        self.verifier.verify(&digest.fingerprint, &digest.signed_bytes(), signature.as_bytes())
    }

    /// Goes on to a digest; what is wrong between it and the one met before, and with which object.
    pub fn step(&mut self, digest: &Digest, verdict: Verdict) -> Option<(ObjectRef, What)> {
        let between = self.next.as_ref().and_then(|next| between(digest, verdict, next));
        self.next = Some(Next {
            place: digest.place.clone(),
            start: digest.start,
            verdict,
            previous: digest.previous.clone(),
        });
        between
    }

    /// Goes past a digest that cannot be read: nothing is known from it of the one before.
    pub fn skip(&mut self) {
        self.next = None;
    }

    /// What is missing before the oldest digest met, when the chain should reach back to `since`, or as
    /// far as it goes.
    pub fn finish(&self, kind: Kind, since: Option<EventTime>) -> Option<(ObjectRef, What)> {
        let next = self.next.as_ref().filter(|next| !next.is_tampered())?;
        let Some(previous) = &next.previous else {
            // Backfill digests come when there is something to fill in.
            let since = since.filter(|since| kind == Kind::Hourly && *since < next.start)?;
            let what = What::NotCovered { from: since, to: next.start };
            return Some((next.place.clone(), what));
        };
        let name = DigestName::parse(previous.place.key.as_unescaped());
        let is_before = |since| name.is_some_and(|name| name.end <= since);
        (!since.is_some_and(is_before)).then(|| {
            let what = What::DigestMissing { from: since, to: next.start };
            (previous.place.clone(), what)
        })
    }
}

/// What is wrong between a digest and the one that comes next.
fn between(digest: &Digest, verdict: Verdict, next: &Next) -> Option<(ObjectRef, What)> {
    let gap = (digest.end < next.start).then_some((digest.end, next.start));
    let not_covered = || {
        let (from, to) = gap?;
        Some((next.place.clone(), What::NotCovered { from, to }))
    };
    match (&next.previous, next.claim(&digest.place)) {
        // What it says of the one before counts for nothing.
        _ if next.is_tampered() => not_covered(),
        // The trail, or the validation, was switched off and on again.
        (None, _) => not_covered(),
        (Some(_), Some(claim)) => {
            let is_contradicted = matches!(verdict, Verdict::Valid(_)) && claim.hash != digest.hash;
            is_contradicted.then(|| (next.place.clone(), What::LinkBroken))
        }
        (Some(previous), None) => {
            let what = What::DigestMissing { from: Some(digest.end), to: next.start };
            Some((previous.place.clone(), what))
        }
    }
}
