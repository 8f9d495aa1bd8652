//! What Tripline finds wrong with itself: one message that changes, told when it turns and once more
//! when it is over.

use sha2::{Digest, Sha256};
use tripline_containment::IncidentId;
use tripline_engine::doctor::{Answer, Check};
use tripline_text::Untrusted;

use crate::answers::Answers;
use crate::line::Line;
use crate::message::Message;
use crate::outcome::{Stage, named};

impl Message {
    /// Which accounts' Regions are not heard of, by the checks of the heartbeat. It has the same name
    /// each time, as if it were one incident, and says the same until an answer turns.
    pub fn of_heartbeat(checks: &[Check]) -> Self {
        let silent: Vec<&Check> =
            checks.iter().filter(|check| check.answer >= Answer::Warning).collect();
        let all = format!("{} accounts' Regions", checks.len());
        let (stage, headline, done, damage) = match silent.len() {
            0 => (
                Stage::Sees,
                format!("all of {all} are heard of again"),
                "nothing: what arrives late is judged as it arrives".to_owned(),
                "what was delivered since is judged as it comes",
            ),
            count => (
                Stage::Blind,
                format!("{count} of {all} are silent or late: an agent there is not seen in time"),
                format!("nothing: nobody can judge what is not delivered ({count} of {all})"),
                "unknown there",
            ),
        };
        let reason = |check: &&Check| {
            let about = check.about.as_ref().map(Line::name).unwrap_or_default();
            about.and(format!(": {}", check.says))
        };
        Self {
            incident: heartbeat_id(),
            stage,
            subject: Line::ours("Tripline itself"),
            headline: Line::ours(headline),
            who: Vec::new(),
            reasons: named(silent.iter().map(reason).collect(), "more"),
            listed: Vec::new(),
            done: vec![Line::ours(done)],
            damage: Line::ours(damage),
            next: Line::code(&Untrusted::borrowed("tripline doctor --stack NAME")),
            answers: Answers::default(),
        }
    }
}

/// What the message of the heartbeat is known by: no incident's, all the same.
fn heartbeat_id() -> IncidentId {
    let digest: [u8; 32] = Sha256::digest("heartbeat").into();
    IncidentId::new(digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
}

#[cfg(test)]
mod tests {
    use tripline_engine::doctor::Group;

    use super::*;

    fn check(region: &str, answer: Answer) -> Check {
        let about = Untrusted::new(format!("111122223333 {region}"));
        Check {
            group: Group::Delivery,
            id: "heartbeat",
            about: Some(about),
            answer,
            says: "no digest for more than 3 hours".to_owned(),
            quoted: None,
            next: String::new(),
        }
    }

    #[test]
    fn silence_is_told_by_place_and_its_end_as_well() {
        let well = check("us-east-1", Answer::Ok);
        let silent = check("eu-west-1", Answer::Failed);
        let bad = Message::of_heartbeat(&[well.clone(), silent]);
        insta::assert_snapshot!(bad.to_text());
        let again = Message::of_heartbeat(&[well.clone(), check("eu-west-1", Answer::Ok)]);
        insta::assert_snapshot!(again.to_text());
        assert_eq!(bad.incident, again.incident);
        assert!(bad.stage.is_urgent() && !again.stage.is_urgent());
    }
}
