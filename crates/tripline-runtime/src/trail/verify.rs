//! The walk through a trail's chains, from the newest digest of each to the oldest.
//!
//! Memory holds the names of all digests, one digest, one log file, and sixteen bytes for each log
//! file that is listed.

use std::collections::{BTreeMap, BTreeSet};

use tripline_cloudtrail::digest::{
    Audit, Chain, ChainId, ContentHash, Coverage, Digest, DigestName, DigestedFile, Finding, Kind,
    LogName, ObjectRef, Tampering, Verdict, Verifier, WalkedChain, What, is_among_logs,
};
use tripline_cloudtrail::{EventTime, Limits};
use tripline_text::Untrusted;

use super::{At, Place, SIGNATURE, Trail, Unfetched};

/// The time whose deliveries are checked; without a bound, all there is on that side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Period {
    /// From when on.
    pub since: Option<EventTime>,
    /// Up to when.
    pub until: Option<EventTime>,
}

/// How long a digest is: what ends later than this behind the period has nothing of it.
const DIGEST_SECS: i64 = 3_600;

impl Period {
    fn is_before(&self, end: EventTime) -> bool {
        self.since.is_some_and(|since| end <= since)
    }

    fn is_after(&self, end: EventTime) -> bool {
        self.until.is_some_and(|until| until.plus_secs(DIGEST_SECS) <= end)
    }

    fn has(&self, time: EventTime) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }
}

/// Checks all digests and log files of a period.
pub async fn verify_trail(
    trail: &mut impl Trail,
    verifier: &(impl Verifier + Sync),
    period: Period,
) -> Audit {
    let (digests, unfetched) = trail.digests().await;
    let mut walk = Walk {
        trail,
        period,
        audit: Audit::default(),
        coverage: Coverage::default(),
        listed: BTreeSet::new(),
    };
    for error in unfetched {
        walk.found(error.at, None, What::Unread(error.why));
    }
    let mut chains: BTreeMap<ChainId, BTreeMap<EventTime, Vec<At>>> = BTreeMap::new();
    for at in digests {
        if let Some(name) = DigestName::parse(at.as_unescaped()) {
            chains.entry(name.chain).or_default().entry(name.end).or_default().push(at);
        }
    }
    for (id, by_end) in chains {
        walk.chain(verifier, id, by_end).await;
    }
    walk.unlisted().await;
    walk.audit.sort();
    walk.audit
}

struct Walk<'a, T> {
    trail: &'a mut T,
    period: Period,
    audit: Audit,
    coverage: Coverage,
    /// The places of the log files that digests list, by the first half of their hash.
    listed: BTreeSet<u128>,
}

/// A digest that could be read, and what is thought of it.
struct Judged {
    at: At,
    digest: Digest,
    verdict: Verdict,
}

impl<T: Trail> Walk<'_, T> {
    fn found(&mut self, at: At, object: Option<ObjectRef>, what: What) {
        self.audit.found(Finding { at, object, what });
    }

    /// Walks one chain, given the places of its digests by the time that each covers up to. There may
    /// be copies: then each is judged, and the best goes on.
    async fn chain(
        &mut self,
        verifier: &impl Verifier,
        id: ChainId,
        mut by_end: BTreeMap<EventTime, Vec<At>>,
    ) {
        let mut chain = Chain::new(verifier);
        let period = self.period;
        let before: Vec<_> = by_end.extract_if(.., |end, _| period.is_before(*end)).collect();
        let after: Vec<_> = by_end.extract_if(.., |end, _| period.is_after(*end)).collect();
        for (_, places) in before.iter().chain(&after) {
            self.audit.counts.digests.seen += places.len() as u64;
            self.audit.counts.digests.outside += places.len() as u64;
        }
        if id.kind == Kind::Hourly {
            let newest_before = before.last().and_then(|(_, places)| places.first());
            self.check_end(&by_end, newest_before, after.is_empty());
        }
        if let Some((_, places)) = after.into_iter().next() {
            self.successor(&mut chain, &id, places).await;
        }
        let mut walked = WalkedChain { id, buckets: Vec::new(), digests: 0, span: None };
        let mut oldest = None;
        for (_, places) in by_end.into_iter().rev() {
            oldest = self.hour(&mut chain, &mut walked, places).await;
        }
        if let Some(oldest) = oldest
            && let Some((object, what)) = chain.finish(walked.id.kind, period.since)
        {
            self.not_there(&oldest, object, what);
        }
        self.audit.chains.push(walked);
    }

    /// Whether digests reach up to the end of the period.
    fn check_end(
        &mut self,
        by_end: &BTreeMap<EventTime, Vec<At>>,
        newest_before: Option<&At>,
        is_last: bool,
    ) {
        let Some(to) = self.period.until else { return };
        let (from, at) = match (by_end.last_key_value(), newest_before, self.period.since) {
            (Some((end, places)), _, _) if is_last => (*end, places.first()),
            (None, Some(at), Some(since)) => (since, Some(at)),
            _ => return,
        };
        if let Some(at) = at.filter(|_| from < to) {
            self.found(at.clone(), None, What::NotCovered { from, to });
        }
    }

    /// Takes in the digest that comes after the period: it has the signature of the period's last one,
    /// and lists what was named before the period's end and delivered after. What is wrong with it is not
    /// of the period.
    async fn successor(
        &mut self,
        chain: &mut Chain<'_, impl Verifier>,
        id: &ChainId,
        places: Vec<At>,
    ) {
        let mut judged = Vec::new();
        for at in places {
            let Ok(stored) = self.trail.digest(&at).await else { continue };
            let Ok(digest) = Digest::parse(&stored.bytes) else { continue };
            if self.trail.place_of(&at, &digest.place, &digest.place) != Place::Moved {
                let verdict = chain.judge(&digest, stored.signature.as_ref());
                judged.push(Judged { at, digest, verdict });
            }
        }
        let Some(Judged { at, digest, verdict }) = best(judged) else { return };
        let _ = chain.step(&digest, verdict);
        if matches!(verdict, Verdict::Tampered(_)) {
            return;
        }
        if id.kind == Kind::Hourly {
            self.coverage.add(id.scope(), digest.start, digest.end);
        }
        for file in &digest.files {
            if let Place::At(place) = self.trail.place_of(&at, &digest.place, &file.place) {
                self.listed.insert(mark(&place));
            }
        }
    }

    /// Judges the digest of an hour, and its copies if there are any, and checks what they list. The
    /// one to go on with; `None` when none can be read.
    async fn hour(
        &mut self,
        chain: &mut Chain<'_, impl Verifier>,
        walked: &mut WalkedChain,
        places: Vec<At>,
    ) -> Option<Judged> {
        let mut all = Vec::new();
        for at in places {
            walked.digests += 1;
            all.extend(self.digest(chain, at).await);
        }
        for judged in &all {
            self.listed_by(judged, walked).await;
        }
        let Some(best) = best(all) else {
            chain.skip();
            return None;
        };
        if let Some((object, what)) = chain.step(&best.digest, best.verdict) {
            let is_later = what.span().0.zip(self.period.until).is_some_and(|(a, b)| b <= a);
            if !is_later {
                self.not_there(&best, object, what);
            }
        }
        Some(best)
    }

    /// Reads and judges one digest.
    async fn digest(&mut self, chain: &Chain<'_, impl Verifier>, at: At) -> Option<Judged> {
        let stored = match self.trail.digest(&at).await {
            Ok(stored) => stored,
            Err(error) => {
                self.audit.counts.digests.seen += 1;
                self.audit.counts.digests.unread += 1;
                self.found(error.at, None, What::Unread(error.why));
                return None;
            }
        };
        // Both stand for what CloudTrail wrote, and are not that.
        let tampered = Verdict::Tampered(Tampering::Signature);
        let digest = match Digest::parse(&stored.bytes) {
            Ok(digest) => digest,
            Err(why) => {
                self.audit.counts.judged(tampered);
                self.found(at, None, What::DigestMalformed(why));
                return None;
            }
        };
        if self.trail.place_of(&at, &digest.place, &digest.place) == Place::Moved {
            self.audit.counts.judged(tampered);
            self.found(at, Some(digest.place), What::DigestMoved);
            return None;
        }
        let verdict = chain.judge(&digest, stored.signature.as_ref());
        self.audit.counts.judged(verdict);
        let what = match verdict {
            Verdict::Valid(_) => None,
            Verdict::Unproven(why) => Some(What::DigestUnproven(why)),
            Verdict::Tampered(how) => Some(What::DigestTampered(how)),
        };
        if let Some(what) = what {
            self.found(at.clone(), Some(digest.place.clone()), what);
        }
        Some(Judged { at, digest, verdict })
    }

    /// Checks the log files that a digest lists. What a changed digest lists counts for nothing.
    async fn listed_by(&mut self, judged: &Judged, walked: &mut WalkedChain) {
        let Judged { at, digest, verdict } = judged;
        if matches!(verdict, Verdict::Tampered(_)) {
            return;
        }
        if walked.id.kind == Kind::Hourly {
            self.coverage.add(walked.id.scope(), digest.start, digest.end);
        }
        let (from, to) = walked.span.unwrap_or((digest.start, digest.end));
        walked.span = Some((from.min(digest.start), to.max(digest.end)));
        if !walked.buckets.contains(&digest.place.bucket) {
            walked.buckets.push(digest.place.bucket.clone());
        }
        for file in &digest.files {
            self.audit.counts.files.listed += 1;
            self.audit.counts.files.unproven += u64::from(matches!(verdict, Verdict::Unproven(_)));
            match self.trail.place_of(at, &digest.place, &file.place) {
                Place::At(place) => self.log(place, file).await,
                Place::Outside | Place::Moved => {
                    self.audit.counts.files.missing += 1;
                    let at = file.place.key.clone();
                    self.found(at, Some(file.place.clone()), What::LogOutside);
                }
            }
        }
    }

    async fn log(&mut self, at: At, file: &DigestedFile) {
        self.listed.insert(mark(&at));
        let what = match self.trail.log(&at).await {
            Ok(None) => What::LogMissing,
            Err(error) => What::Unread(error.why),
            Ok(Some(stored)) => {
                match ContentHash::of_stored(&stored, Limits::default().unpacked_bytes_max) {
                    Ok(found) if found == file.hash => {
                        self.audit.counts.files.valid += 1;
                        return;
                    }
                    Ok(found) => What::LogChanged { listed: file.hash, found },
                    Err(why) => What::LogDamaged(why),
                }
            }
        };
        let files = &mut self.audit.counts.files;
        match what {
            What::LogMissing => files.missing += 1,
            What::Unread(_) => files.unread += 1,
            _ => files.changed += 1,
        }
        self.found(at, Some(file.place.clone()), what);
    }

    /// Notes an object that is not where `from`, a digest, puts it, or what it does not tell.
    fn not_there(&mut self, from: &Judged, object: ObjectRef, what: What) {
        if matches!(what, What::DigestMissing { .. }) {
            self.audit.counts.digests.missing += 1;
        }
        let at = match self.trail.place_of(&from.at, &from.digest.place, &object) {
            Place::At(at) => at,
            Place::Outside | Place::Moved => object.key.clone(),
        };
        self.found(at, Some(object), what);
    }

    /// Looks for files that no digest lists. Their names are chosen by whoever put them there, and the rest
    /// of the program reads whatever is a record: so all are counted.
    async fn unlisted(&mut self) {
        let Self { trail, period, audit, coverage, listed } = self;
        let mut each = |at: At| {
            if listed.contains(&mark(&at)) || is_digest(&at) {
                return;
            }
            let files = &mut audit.counts.files;
            match LogName::parse(at.as_unescaped()) {
                Some(log) if !period.has(log.delivered) => files.outside += 1,
                Some(log) if !coverage.covers(&log) => files.not_covered += 1,
                None if !is_among_logs(at.as_unescaped()) => files.other += 1,
                _ => {
                    files.unlisted += 1;
                    audit.found(Finding { at, object: None, what: What::LogUnlisted });
                }
            }
        };
        for Unfetched { at, why } in trail.files(&mut each).await {
            self.found(at, None, What::Unread(why));
        }
    }
}

/// Of copies of a digest the one that is proven, else the one that may be.
fn best(judged: Vec<Judged>) -> Option<Judged> {
    judged.into_iter().min_by_key(|judged| match judged.verdict {
        Verdict::Valid(_) => 0,
        Verdict::Unproven(_) => 1,
        Verdict::Tampered(_) => 2,
    })
}

/// Whether this is a digest, or the signature beside one.
fn is_digest(at: &Untrusted<'_>) -> bool {
    let path = at.as_unescaped();
    DigestName::parse(path.strip_suffix(SIGNATURE).unwrap_or(path)).is_some()
}

fn mark(at: &Untrusted<'_>) -> u128 {
    let hash = ContentHash::of(at.as_unescaped().as_bytes());
    hash.as_bytes().first_chunk().copied().map_or(0, u128::from_le_bytes)
}
