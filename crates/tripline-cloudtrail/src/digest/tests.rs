//! Chains, with a signature that needs no key pair: what is thought of them does not hang on RSA.

use std::io::Write as _;

use proptest::prelude::*;
use tripline_text::Untrusted;

use super::*;
use crate::time::EventTime;

pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

/// "Signs" by hashing a secret and the text.
struct Seal;

fn seal(signed: &[u8]) -> String {
    ContentHash::of(&[b"secret".as_slice(), signed].concat()).to_string()
}

impl Verifier for Seal {
    fn verify(
        &self,
        fingerprint: &Untrusted<'_>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), NotVerified> {
        if *fingerprint != "key" {
            return Err(NotVerified::NoKey);
        }
        let fits = Signature::parse(&seal(signed)).is_some_and(|own| own.as_bytes() == signature);
        if fits { Ok(()) } else { Err(NotVerified::Mismatch) }
    }
}

/// A digest file and what stands beside it.
#[derive(Clone, Debug)]
struct Stored {
    text: String,
    signature: Option<String>,
}

impl Stored {
    fn digest(&self) -> Digest {
        Digest::parse(self.text.as_bytes()).unwrap()
    }

    /// Signs it anew, as only CloudTrail can.
    fn sealed(mut self) -> Self {
        self.signature = Some(seal(&self.digest().signed_bytes()));
        self
    }
}

fn time(hour: u32) -> EventTime {
    EventTime::from_unix_secs(1_795_132_800 + i64::from(hour) * 3_600).unwrap()
}

/// The digest that ends at `hour`, after `previous`.
fn stored(hour: u32, previous: Option<&Stored>) -> Stored {
    let stamp = time(hour).to_string().replace(['-', ':'], "");
    let before = previous.map(|previous| {
        let digest = previous.digest();
        let signature = seal(&digest.signed_bytes());
        (digest, signature)
    });
    let text = serde_json::json!({
        "digestStartTime": time(hour - 1).to_string(),
        "digestEndTime": time(hour).to_string(),
        "digestS3Bucket": "bucket",
        "digestS3Object": format!("k/1_CloudTrail-Digest_us-east-1_t_us-east-1_{stamp}.json.gz"),
        "digestPublicKeyFingerprint": "key",
        "previousDigestS3Bucket": before.as_ref().map(|_| "bucket"),
        "previousDigestS3Object":
            before.as_ref().map(|(digest, _)| digest.place.key.as_unescaped()),
        "previousDigestHashValue": before.as_ref().map(|(digest, _)| digest.hash.to_string()),
        "previousDigestSignature": before.as_ref().map(|(_, signature)| signature),
        "logFiles": [],
    });
    Stored { text: text.to_string(), signature: None }.sealed()
}

fn chain(hours: std::ops::RangeInclusive<u32>) -> Vec<Stored> {
    let mut all: Vec<Stored> = Vec::new();
    for hour in hours {
        all.push(stored(hour, all.last()));
    }
    all
}

/// The verdicts from the newest to the oldest, and what is wrong between them and before the oldest.
fn walk(oldest_first: &[Stored], since: Option<EventTime>) -> (Vec<Verdict>, Vec<What>) {
    let mut chain = Chain::new(&Seal);
    let (mut verdicts, mut between) = (Vec::new(), Vec::new());
    for stored in oldest_first.iter().rev() {
        let digest = stored.digest();
        let signature = stored.signature.clone().map(Untrusted::new);
        let verdict = chain.judge(&digest, signature.as_ref());
        between.extend(chain.step(&digest, verdict).map(|(_, what)| what));
        verdicts.push(verdict);
    }
    between.extend(chain.finish(Kind::Hourly, since).map(|(_, what)| what));
    (verdicts, between)
}

const SIGNED: Verdict = Verdict::Valid(Proof::Signature);
const BY_NEXT: Verdict = Verdict::Valid(Proof::SignatureInNext);

#[test]
fn a_whole_chain_is_valid_from_its_start() {
    assert_eq!(walk(&chain(1..=3), None), (vec![SIGNED; 3], vec![]));
    let not_covered = What::NotCovered { from: time(0), to: time(1) };
    assert_eq!(walk(&chain(2..=3), Some(time(0))).1, [not_covered]);
}

#[test]
fn the_next_digest_carries_the_signature() {
    let mut all = chain(1..=3);
    all.iter_mut().for_each(|stored| stored.signature = None);
    let newest = Verdict::Unproven(Unproven::NoSignature);
    assert_eq!(walk(&all, None), (vec![newest, BY_NEXT, BY_NEXT], vec![]));
}

#[test]
fn a_proven_digest_vouches_for_one_whose_key_is_unknown() {
    let mut all = chain(1..=1);
    all[0].text = all[0].text.replace("\"key\"", "\"old key\"");
    all.push(stored(2, all.last()));
    all.push(stored(3, all.last()));
    let vouched = Verdict::Valid(Proof::HashInNext);
    assert_eq!(walk(&all, None), (vec![SIGNED, SIGNED, vouched], vec![]));
    assert_eq!(walk(&all[..1], None).0, [Verdict::Unproven(Unproven::NoKey)]);
}

#[test]
fn a_changed_digest_is_found_by_signature_or_by_the_next_one() {
    let mut all = chain(1..=3);
    all[1].text = all[1].text.replace("\"logFiles\":[]", "\"logFiles\":[ ]");
    let by_signature = Verdict::Tampered(Tampering::Signature);
    assert_eq!(walk(&all, None), (vec![SIGNED, by_signature, SIGNED], vec![]));
    all[1].signature = None;
    let by_next = Verdict::Tampered(Tampering::HashInNext);
    assert_eq!(walk(&all, None), (vec![SIGNED, by_next, SIGNED], vec![]));
    all[0].signature = None;
    assert_eq!(walk(&all, None).0, [SIGNED, by_next, BY_NEXT]);
    all[1].signature = Some("None".to_owned());
    assert_eq!(walk(&all, None).0, [SIGNED, by_signature, BY_NEXT]);
}

/// Who cannot sign can still make all hashes fit.
#[test]
fn a_chain_that_was_hashed_anew_is_found() {
    let mut all = chain(1..=3);
    all.iter_mut().for_each(|stored| stored.signature = None);
    let rehash = |older: &Stored, changed: &Stored, newer: &mut Stored| {
        let (from, to) = (older.digest().hash.to_string(), changed.digest().hash.to_string());
        newer.text = newer.text.replace(&from, &to);
    };
    let mut forged = all.clone();
    forged[1].text = forged[1].text.replace("\"logFiles\":[]", "\"logFiles\":[ ]");
    let (changed, newer) = (forged[1].clone(), &mut forged[2]);
    rehash(&all[1], &changed, newer);
    let (verdicts, between) = walk(&forged, None);
    let newest = Verdict::Unproven(Unproven::NoSignature);
    assert_eq!(verdicts, [newest, Verdict::Tampered(Tampering::SignatureInNext), BY_NEXT]);
    assert_eq!(between, []);
}

#[test]
fn a_newest_digest_that_lies_about_a_genuine_one_is_found() {
    let mut all = chain(1..=2);
    let genuine = all[0].digest().hash.to_string();
    all[1].text = all[1].text.replace(&genuine, &ContentHash::of(b"").to_string());
    all[1].signature = None;
    let newest = Verdict::Unproven(Unproven::NoSignature);
    assert_eq!(walk(&all, None), (vec![newest, SIGNED], vec![What::LinkBroken]));
    all[1].signature = Some(seal(b"something else"));
    all[0].signature = Some(seal(&all[0].digest().signed_bytes()));
    let tampered = Verdict::Tampered(Tampering::Signature);
    assert_eq!(walk(&all, None), (vec![tampered, SIGNED], vec![]));
}

/// What a changed digest says of the one before counts for nothing, but for a signature that fits.
#[test]
fn a_changed_digest_accuses_nobody() {
    let mut all = chain(1..=2);
    all[0].signature = None;
    all[1].text = all[1].text.replace("\"logFiles\":[]", "\"logFiles\":[ ]");
    let tampered = Verdict::Tampered(Tampering::Signature);
    assert_eq!(walk(&all, None), (vec![tampered, BY_NEXT], vec![]));
    let carried = seal(&all[0].digest().signed_bytes());
    let mut changed = all.clone();
    changed[1].text = changed[1].text.replace(&carried, &seal(b"something else"));
    let unproven = Verdict::Unproven(Unproven::NextTampered);
    assert_eq!(walk(&changed, None), (vec![tampered, unproven], vec![]));
    let mut changed = all.clone();
    let hash = changed[0].digest().hash.to_string();
    changed[1].text = changed[1].text.replace(&hash, &ContentHash::of(b"").to_string());
    assert_eq!(walk(&changed, None), (vec![tampered, BY_NEXT], vec![]));
    // It cannot pretend that the chain began with it, nor name another digest.
    let mut changed = all.clone();
    changed[1].text = changed[1].text.replace("_20", "_19");
    assert_eq!(walk(&changed, None), (vec![tampered, unproven], vec![]));
}

#[test]
fn a_digest_that_is_not_there_is_a_gap() {
    let mut all = chain(1..=4);
    all.remove(1);
    let missing = What::DigestMissing { from: Some(time(1)), to: time(2) };
    assert_eq!(walk(&all, None), (vec![SIGNED; 3], vec![missing]));
    assert_eq!(missing_class(&all), Some(Class::Gap));
    // The copy begins in the middle of the chain.
    assert_eq!(walk(&all[1..], None).1, [What::DigestMissing { from: None, to: time(2) }]);
    assert_eq!(walk(&all[1..], Some(time(2))).1, []);
    let since = Some(time(1));
    assert_eq!(walk(&all[1..], since).1, [What::DigestMissing { from: since, to: time(2) }]);
}

fn missing_class(all: &[Stored]) -> Option<Class> {
    walk(all, None).1.first().map(What::class)
}

#[test]
fn a_trail_that_was_switched_off_and_on_is_a_gap() {
    let mut all = chain(1..=2);
    all.extend(chain(5..=6));
    let off = What::NotCovered { from: time(2), to: time(4) };
    assert_eq!(walk(&all, None), (vec![SIGNED; 4], vec![off]));
    assert_eq!(missing_class(&all), Some(Class::Gap));
    // On again at once: nothing is lost.
    let mut all = chain(1..=2);
    all.extend(chain(3..=4));
    assert_eq!(walk(&all, None), (vec![SIGNED; 4], vec![]));
}

#[test]
fn backfill_digests_need_no_unbroken_time() {
    let all = chain(1..=1);
    let mut chain = Chain::new(&Seal);
    let digest = all[0].digest();
    let verdict = chain.judge(&digest, None);
    assert_eq!(chain.step(&digest, verdict), None);
    assert_eq!(chain.finish(Kind::Backfill, EventTime::from_unix_secs(0)), None);
}

#[test]
fn counts_reconcile() {
    let mut counts = Counts::default();
    for verdict in walk(&chain(1..=3), None).0 {
        counts.judged(verdict);
    }
    assert!(counts.reconcile() && counts.digests.valid == 3);
    counts.files.listed += 1;
    assert!(!counts.reconcile());
}

proptest! {
    /// Whatever one byte of one digest is changed to, no verdict of the whole calls it valid.
    #[test]
    fn no_change_goes_unnoticed(which in 0_usize..3, at in 0_usize..900, to in 0x20_u8..0x7f) {
        let mut all = chain(1..=3);
        let bytes = all[which].text.as_bytes();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != to);
        let mut bytes = bytes.to_vec();
        bytes[at] = to;
        let text = String::from_utf8(bytes).unwrap();
        if Digest::parse(text.as_bytes()).is_ok() {
            all[which].text = text;
            let verdict = walk(&all, None).0[2 - which];
            prop_assert!(!matches!(verdict, Verdict::Valid(_)), "{verdict:?}");
        }
    }

    /// Any bytes at all: an answer, no panic.
    #[test]
    fn anything_may_be_in_a_file(bytes in prop::collection::vec(any::<u8>(), 0..200), name in ".*") {
        let _ = Digest::parse(&bytes);
        let _ = ContentHash::of_stored(&bytes, 100);
        let _ = public_keys(&String::from_utf8_lossy(&bytes));
        let _ = DigestName::parse(&name);
        let _ = LogName::parse(&name);
    }
}
