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
        let silent: Vec<&Check> = checks.iter().filter(|check| is_bad(check)).collect();
        let all = format!("{} accounts' Regions", checks.len());
        let name = |check: &&Check| check.about.as_ref().map(Line::name).unwrap_or_default();
        let (stage, headline, done, damage) = match silent.len() {
            0 => (
                Stage::Sees,
                format!(
                    "none of {all} is silent or late any more, of those heard of within a week"
                ),
                Line::ours("nothing: what arrives late is judged as it arrives"),
                "what was delivered since is judged as it comes",
            ),
            count => (
                Stage::Blind,
                format!("{count} of {all} are silent or late: an agent there is not seen in time"),
                // Whose silence it is makes the difference between old news and new.
                listed("nothing: nobody can judge what is not delivered by ", &silent, name),
                "unknown there",
            ),
        };
        let reason = |check: &&Check| name(check).and(format!(": {}", check.says));
        let reasons = silent.iter().map(reason).collect();
        Self::of_itself("heartbeat", (stage, headline), reasons, done, damage)
    }

    /// Of which classes the calibration does not hold any more, by the checks of it: evidence kills none of
    /// their agents from the days on that these name. It says the same until an answer turns.
    pub fn of_calibration(checks: &[Check]) -> Self {
        let bad: Vec<&Check> = checks.iter().filter(|check| is_bad(check)).collect();
        let name = |check: &&Check| check.about.as_ref().map(Line::name).unwrap_or_default();
        let (stage, headline, done, damage) = match bad.len() {
            0 => (
                Stage::Well,
                "the lines of evidence hold as they were drawn, or were drawn anew".to_owned(),
                Line::ours("evidence kills again where it may, in the modes that act"),
                "what was fenced meanwhile and not killed, its own incident tells",
            ),
            count => (
                Stage::Unwell,
                format!(
                    "the lines of evidence do not hold for {count} of the classes of agents: what they \
                     do has changed, or an attack goes through all of them"
                ),
                listed(
                    "from the day named above on, evidence fences, and kills none any more of: ",
                    &bad,
                    name,
                ),
                "none by itself; rules and scopes kill as before",
            ),
        };
        let reason = |check: &&Check| name(check).and(format!(": {}", check.says));
        let reasons = bad.iter().map(reason).collect();
        Self::of_itself("calibration", (stage, headline), reasons, done, damage)
    }

    /// That there are no lines any more which could hold or not: the end of what
    /// [`Self::of_calibration`] told.
    pub fn of_no_calibration() -> Self {
        let headline = "there are no lines of evidence any more, so that none can fail to hold";
        let done = Line::ours("without lines nothing is killed by evidence, in any class");
        let damage = "rules and scopes kill as before";
        Self::of_itself("calibration", (Stage::Well, headline.to_owned()), Vec::new(), done, damage)
    }

    /// What a doctor's visit found wrong, in a message that is the same until an answer turns: what was
    /// counted or timed is left to the doctor.
    pub fn of_doctor(checks: &[Check]) -> Self {
        // Where an answer was to come and did not, nobody knows that all is well.
        let is_open = |check: &&Check| {
            is_bad(check) || check.answer == Answer::NotChecked { is_wanted: true }
        };
        let mut bad: Vec<&Check> = checks.iter().filter(is_open).collect();
        bad.sort_by_key(|check| std::cmp::Reverse(check.answer));
        let failed = bad.iter().filter(|check| check.answer == Answer::Failed).count();
        let found = format!("{failed} failed, {} to be looked at", bad.len() - failed);
        let (stage, headline, done, damage) = match bad.len() {
            0 => (
                Stage::Well,
                "every check was made, and none fails or warns any more".to_owned(),
                Line::ours("nothing: it was put right"),
                "what came meanwhile and was not seen, tripline score over the logs tells",
            ),
            _ => (
                Stage::Unwell,
                format!("{found}: an agent may not be seen, or not be stopped"),
                Line::ours("nothing: somebody has to look at it"),
                "unknown",
            ),
        };
        let reason = |check: &&Check| {
            let says = format!("{} {}", check.id, check.answer.word());
            match &check.about {
                Some(about) => Line::name(about).and(format!(": {says}")),
                None => Line::ours(says),
            }
        };
        let reasons = bad.iter().map(reason).collect();
        Self::of_itself("doctor", (stage, headline), reasons, done, damage)
    }

    /// A message that is no incident's, and has an incident's place.
    fn of_itself(
        name: &str,
        (stage, headline): (Stage, String),
        reasons: Vec<Line>,
        done: Line,
        damage: &'static str,
    ) -> Self {
        let digest: [u8; 32] = Sha256::digest(name).into();
        let id = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Self {
            incident: IncidentId::new(id),
            stage,
            subject: Line::ours("Tripline itself"),
            headline: Line::ours(headline),
            who: Vec::new(),
            reasons: named(reasons, "more"),
            listed: Vec::new(),
            done: vec![done],
            damage: Line::ours(damage),
            verdict: None,
            next: Line::code(&Untrusted::borrowed("tripline doctor --stack NAME")),
            answers: Answers::default(),
        }
    }
}

/// Our words, and the first names behind them.
fn listed(words: &'static str, checks: &[&Check], name: impl Fn(&&Check) -> Line) -> Line {
    let names = named(checks.iter().map(name).collect(), "more");
    let join = |line: Line, (nth, name)| match nth {
        0 => line.then(name),
        _ => line.and(", ").then(name),
    };
    names.into_iter().enumerate().fold(Line::ours(words), join)
}

fn is_bad(check: &Check) -> bool {
    check.answer >= Answer::Warning
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tripline_attribution::AgentId;
    use tripline_baseline::Day;
    use tripline_cloudtrail::EventTime;
    use tripline_engine::doctor::{Group, calibrations};

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
    fn a_visit_of_the_doctor_says_the_same_until_an_answer_turns() {
        let late = |minutes: u32| Check {
            says: format!("{minutes} minutes old"),
            ..check("eu-west-1", Answer::Warning)
        };
        let failed = Check { id: "trail-validation", ..check("us-east-1", Answer::Failed) };
        let bad = Message::of_doctor(&[late(40), failed.clone(), check("us-west-2", Answer::Ok)]);
        insta::assert_snapshot!(bad.to_text());
        assert_eq!(bad, Message::of_doctor(&[failed.clone(), late(41)]));
        assert_ne!(bad, Message::of_doctor(&[late(40)]));
        // Who may not ask any more is not well.
        let unasked = check("us-east-1", Answer::NotChecked { is_wanted: true });
        assert_eq!(Message::of_doctor(&[unasked]).stage, Stage::Unwell);
        let again = Message::of_doctor(&[check("us-east-1", Answer::Ok)]);
        insta::assert_snapshot!(again.to_text());
        assert_eq!(bad.incident, again.incident);
        assert!(bad.stage.is_urgent() && !again.stage.is_urgent());
    }

    #[test]
    fn a_calibration_that_does_not_hold_is_told_by_class_and_new_lines_as_well() {
        let day = Day::of(EventTime::parse("2026-11-20T00:00:00Z").unwrap());
        let fired = [(AgentId::of("etl"), day), (None, day)].into();
        let bad = Message::of_calibration(&calibrations(&fired));
        insta::assert_snapshot!(bad.to_text());
        let again = Message::of_calibration(&calibrations(&BTreeMap::new()));
        insta::assert_snapshot!(again.to_text());
        assert_eq!(bad.incident, again.incident);
        assert_ne!(bad.incident, Message::of_doctor(&[]).incident);
        let gone = Message::of_no_calibration();
        insta::assert_snapshot!(gone.to_text());
        assert_eq!((gone.incident, gone.stage), (bad.incident, again.stage));
        assert!(bad.stage.is_urgent() && !again.stage.is_urgent());
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
