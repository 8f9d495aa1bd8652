//! Many agents at once: one message with the list.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tripline_containment::{IncidentId, Press, counted};
use tripline_detector::Verdict;
use tripline_text::Untrusted;

use crate::answers::{Answers, Question};
use crate::line::Line;
use crate::message::Message;
use crate::outcome::Stage;

/// So many incidents, each within so many seconds of the one before it, are a storm.
const STORM_MIN: usize = 5;
const STORM_APART_MS: i64 = 600_000;
/// How many of its incidents a storm's message lists: with what may be pressed about each there is room
/// for so many in what Slack (50 blocks) and Teams (28 KB) take.
const LISTED_MAX: usize = 15;

/// What a storm knows of one incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// Which.
    pub incident: IncidentId,
    /// When it was first told of, in milliseconds since 1970.
    pub first_unix_ms: i64,
    /// Who it is.
    pub subject: Line,
    /// How far it is.
    pub stage: Stage,
    /// How grave it is.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// What may be pressed about it, and what was.
    #[serde(default, skip_serializing_if = "Answers::is_empty")]
    pub answers: Answers,
}

impl Brief {
    /// Whether somebody pressed something about it. Then it is told by itself, too: what came of the
    /// press, and what the next person may press, is in a message of its own.
    pub fn is_answered(&self) -> bool {
        !self.answers.lines.is_empty()
    }

    /// Whether it is no more than an alert.
    fn is_alert(&self) -> bool {
        self.verdict == Some(Verdict::Alert)
    }

    /// What a storm's message says of it.
    pub(crate) fn line(&self) -> Line {
        let incident = Line::code(&Untrusted::new(self.incident.to_string()));
        let line = self.subject.clone().and(format!(": {}, incident ", self.stage.word()));
        let line = line.then(incident);
        if self.is_answered() { line.and(", answered: see its own message") } else { line }
    }

    /// What may be answered about it, there.
    pub(crate) fn question(&self) -> Question<'_> {
        static NOTHING: Answers = Answers::nothing();
        let answers = if self.is_answered() { &NOTHING } else { &self.answers };
        Question { incident: self.incident, subject: &self.subject, answers }
    }
}

/// Incidents that are told in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storm {
    /// Its incidents, in order of time.
    pub briefs: Vec<Brief>,
}

/// The storms among incidents, in whatever order they come. What Tripline says of itself is no part of
/// one. Alerts have storms of their own: else many of them would hide what is worse.
pub fn storms(mut briefs: Vec<Brief>) -> Vec<Storm> {
    briefs.retain(|brief| !brief.stage.is_of_itself());
    let (alerts, graver): (Vec<_>, Vec<_>) = briefs.into_iter().partition(Brief::is_alert);
    [alerts, graver].into_iter().flat_map(storms_of).collect()
}

fn storms_of(mut briefs: Vec<Brief>) -> Vec<Storm> {
    briefs.sort_by_key(|brief| (brief.first_unix_ms, brief.incident));
    let near =
        |a: &Brief, b: &Brief| b.first_unix_ms.saturating_sub(a.first_unix_ms) <= STORM_APART_MS;
    let groups = briefs.chunk_by(near).filter(|group| group.len() >= STORM_MIN);
    groups.map(|group| Storm { briefs: group.to_vec() }).collect()
}

impl Storm {
    /// Its name, as if it were one incident: it is that of its first one, and stays while
    /// that one is a part of it.
    pub fn id(&self) -> IncidentId {
        let first = self.briefs.first().map(|brief| brief.incident.to_string());
        let of = if self.is_of_alerts() { "storm of alerts" } else { "storm" };
        let digest: [u8; 32] = Sha256::digest(format!("{of} {}", first.unwrap_or_default())).into();
        IncidentId::new(digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
    }

    fn is_of_alerts(&self) -> bool {
        self.briefs.iter().all(Brief::is_alert)
    }

    /// Whether an incident is told in it.
    pub fn has(&self, incident: IncidentId) -> bool {
        self.briefs.iter().any(|brief| brief.incident == incident)
    }

    /// What a channel that cannot change its messages is told once: how many there are, doubling.
    pub fn size(&self) -> u32 {
        self.briefs.len().max(1).ilog2()
    }

    /// Its incidents, those that wait for somebody first.
    fn in_order(&self) -> Vec<&Brief> {
        let mut briefs: Vec<&Brief> = self.briefs.iter().collect();
        let rank = |brief: &Brief| {
            let waits = brief.stage == Stage::Waiting && !brief.is_answered();
            (!waits, !brief.stage.is_urgent(), std::cmp::Reverse(brief.verdict))
        };
        briefs.sort_by_key(|brief| rank(brief));
        briefs
    }

    /// What may be pressed in its message, as a number: another one means that there is more to press,
    /// or something else.
    pub fn offers(&self) -> u64 {
        let mut digest = Sha256::new();
        for brief in self.in_order().into_iter().take(LISTED_MAX) {
            let answers = brief.question().answers;
            let presses: Vec<&str> = answers.presses.iter().map(|press| press.word()).collect();
            let era = answers.round.era;
            digest.update(format!("{} {era} {}\n", brief.incident, presses.join(" ")));
        }
        let digest: [u8; 32] = digest.finalize().into();
        digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Its message.
    pub fn message(&self) -> Message {
        let briefs = self.in_order();
        let more = briefs.len().saturating_sub(LISTED_MAX);
        let rest = (more > 0).then(|| {
            Line::ours(format!("and {more} more, which come up as those above are answered"))
        });
        let urgent = briefs.iter().filter(|brief| brief.stage.is_urgent()).count();
        let stage = briefs.first().map_or(Stage::Open, |brief| brief.stage);
        let count = counted(briefs.len(), "agent");
        let subject = Line::ours(format!("{count} at once"));
        Message {
            incident: self.id(),
            stage,
            verdict: self.briefs.iter().map(|brief| brief.verdict).max().flatten(),
            headline: subject.clone().and(match self.is_of_alerts() {
                true => " did what is unusual for them: a deployment, or the beginning of an attack",
                false => " went beyond what they may do: an attack on all of them, or a deployment gone wrong",
            }),
            subject,
            who: Vec::new(),
            reasons: rest.into_iter().collect(),
            listed: briefs.iter().take(LISTED_MAX).map(|brief| (*brief).clone()).collect(),
            done: vec![Line::ours(format!(
                "{} need a look, {} do not",
                urgent,
                briefs.len().saturating_sub(urgent)
            ))],
            damage: Line::ours("see each incident"),
            next: next(&briefs),
            answers: Answers::default(),
        }
    }
}

/// What to run, where nothing can be pressed.
fn next(briefs: &[&Brief]) -> Line {
    let code = |text: &'static str| Line::code(&Untrusted::borrowed(text));
    let may = |press: Press| briefs.iter().any(|brief| brief.answers.presses.contains(&press));
    let mut line = code("tripline status");
    if may(Press::Approve) {
        let stop = code("tripline kill --agent NAME --mode approve PATH...");
        line = line.and("; to stop one: ").then(stop);
    }
    if may(Press::Restore) {
        let restore = code("tripline restore INCIDENT --reason TEXT");
        line = line.and("; to give one back: ").then(restore);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(nth: u64, at: i64) -> Brief {
        let incident = IncidentId::new(nth);
        let subject = Line::ours(format!("agent-{nth}"));
        let answers = Answers { presses: vec![Press::Restore], ..Answers::default() };
        Brief {
            incident,
            first_unix_ms: at,
            subject,
            stage: Stage::Killed,
            verdict: Some(Verdict::Kill),
            answers,
        }
    }

    #[test]
    fn a_few_are_told_one_by_one_and_many_in_one() {
        let few: Vec<_> = (0..4).map(|nth| brief(nth, 0)).collect();
        assert!(storms(few.clone()).is_empty());
        let apart = (0..9).map(|nth| brief(nth, nth as i64 * (STORM_APART_MS + 1)));
        assert!(storms(apart.collect()).is_empty());
        let mut many: Vec<_> = (0..40).rev().map(|nth| brief(nth, nth as i64)).collect();
        let storm = storms(many.clone()).remove(0);
        let message = storm.message();
        assert_eq!((message.listed.len(), message.reasons.len()), (LISTED_MAX, 1));
        // As it grows it stays the same one.
        many.push(brief(99, 1_000));
        let grown = storms(many).remove(0);
        assert_eq!(grown.id(), storm.id());
        assert!(grown.has(IncidentId::new(99)) && grown.size() == storm.size());
    }

    #[test]
    fn alerts_hide_nothing_that_is_worse() {
        let alert = |nth| {
            let (stage, verdict) = (Stage::Alert, Some(Verdict::Alert));
            Brief { stage, verdict, ..brief(nth, 0) }
        };
        let mut briefs: Vec<_> = (0..20).map(alert).collect();
        let before = storms(briefs.clone()).remove(0);
        assert!(before.message().is_alert());
        briefs[0] = brief(0, 0);
        let after = storms(briefs);
        assert!(!after.iter().any(|storm| storm.has(IncidentId::new(0))), "it is told by itself");
        // The first of a storm may get worse, with others: that is another message.
        let graver: Vec<_> = (0..5).map(|nth| brief(nth, 0)).collect();
        assert_ne!(storms(graver)[0].id(), before.id());
    }

    #[test]
    fn who_waits_comes_first_and_who_is_answered_is_told_elsewhere() {
        let mut briefs: Vec<_> = (0..40).map(|nth| brief(nth, 0)).collect();
        for late in &mut briefs[20..] {
            late.stage = Stage::Waiting;
            late.answers.presses = vec![Press::Approve, Press::Reject];
        }
        let storm = storms(briefs.clone()).remove(0);
        let message = storm.message();
        assert_eq!(message.stage, Stage::Waiting);
        assert!(message.listed.iter().all(|brief| brief.stage == Stage::Waiting));
        let offers = storm.offers();
        // Whoever is answered makes room for the next that waits.
        for answered in &mut briefs[20..30] {
            answered.answers.lines.push(Line::ours("alice pressed approve"));
        }
        let storm = storms(briefs).remove(0);
        let message = storm.message();
        let waiting = message.listed.iter().filter(|brief| !brief.is_answered());
        assert_eq!(waiting.filter(|brief| brief.stage == Stage::Waiting).count(), 10);
        let answered = message.listed.iter().find(|brief| brief.is_answered()).unwrap();
        assert!(answered.question().answers.presses.is_empty());
        assert_ne!(storm.offers(), offers);
    }
}
