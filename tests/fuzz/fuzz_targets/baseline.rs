//! Any text as a learned baseline: no panic, and what is read is written as the same text. The digest
//! is put right, or nothing but its check would ever be reached.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use tripline_baseline::{
    Approval, Baseline, BaselineDiff, Decisions, Draw, Family, Home, Peers, State, promote,
};
use tripline_cloudtrail::EventTime;

fn signed(body: &str) -> String {
    let digest = Sha256::digest(body);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{body}digest sha256:{digest}\n")
}

fuzz_target!(|text: &str| {
    let _ = Baseline::parse(text);
    let (body, value) = text.split_once("digest").unwrap_or((text, "arn:aws:s3:::b/x"));
    let mut body = body.to_owned();
    if !body.ends_with('\n') {
        body.push('\n');
    }
    if !body.starts_with("tripline-baseline 1\n") {
        body.insert_str(0, "tripline-baseline 1\n");
    }
    let text = signed(&body);
    let Ok(baseline) = Baseline::parse(&text) else { return };
    assert_eq!(baseline.to_text(), text);

    // What is done with a baseline that was read must not panic either, nor lose what was read.
    let known = baseline.compile(1);
    for family in Family::ALL {
        let draw = Draw { family, action: Some("s3:GetObject"), value };
        let _ = known.ask(&draw, &Home::default());
    }
    let _ = (baseline.maturity().to_string(), baseline.limits(), baseline.graces());
    let mut peers = Peers::new(None);
    peers.add(&baseline);
    let fleet = peers.finish(Some(4)).to_text();
    assert!(Baseline::parse(&fleet).is_ok(), "{fleet}");
    let by = Approval::new("fuzz", EventTime::EPOCH, "fuzz").expect("neither is empty");
    let decisions = Decisions::default();
    let sensitive = |draw: &Draw<'_>| draw.value.contains("iam:");
    if baseline.state() == State::Candidate
        && let Ok(first) = promote(None, &baseline, &decisions, &sensitive, &by)
    {
        let read = Baseline::parse(&first.next.to_text());
        assert_eq!(read.as_ref(), Ok(&first.next));
        let again = promote(Some(&first.next), &baseline, &decisions, &sensitive, &by);
        let again = again.expect("the same agent's");
        assert!(Baseline::parse(&again.next.to_text()).is_ok());
        let _ = BaselineDiff::between(&first.next, &again.next, &sensitive).to_string();
    }
});
