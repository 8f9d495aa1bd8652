//! Any text as a policy document that stands in an account, and as a line of the action log: no panic,
//! what is put in comes out and leaves the same bytes, and a line that was not written here is refused.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use tripline_containment::{
    Chain, Denial, DenialName, IncidentId, Purpose, Request, denies, edit, pins_source_identity,
};
use tripline_iam::policy::{Actions, Effect, Resources, Statement};
use tripline_iam::{ActionPattern, Arn};

fn denial(incident: u64) -> Denial {
    let incident = IncidentId::new(incident);
    let name = DenialName { incident, purpose: Purpose::Kill, number: 0, was_alone: false };
    Denial::new("everybody".to_owned(), name, |sid| {
        let actions = Actions::Only(BTreeSet::from([ActionPattern::any()]));
        Statement::new(sid, Effect::Deny, actions, Resources::any(), Vec::new())
    })
    .expect("a plain denial")
}

fuzz_target!(|text: &str| {
    let role = Arn::parse("arn:aws:iam::111122223333:role/Agent").expect("an ARN");
    let _ = pins_source_identity(text, &role);
    let _ = denies(text, &Request::new("s3:GetObject", "arn:aws:s3:::b/k"));
    assert!(Chain::default().follow(text).is_err());
    let incident = IncidentId::new(u64::MAX);
    let ours_before = edit::ours(text).map_or(0, |ours| ours.len());
    let Ok(with) = edit::put(Some(text), &[denial(u64::MAX)]) else { return };
    assert!(edit::holds(Some(&with), &[denial(u64::MAX)]), "{with}");
    let taken = edit::take(&with, incident).expect("it was editable");
    assert!(taken.taken >= 1);
    // Where nothing of ours was there before, nothing else changed.
    if ours_before == 0 {
        assert_eq!(taken.text, text);
    }
});
