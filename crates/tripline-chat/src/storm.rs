//! Many agents at once: one message with the list.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tripline_containment::{IncidentId, counted};
use tripline_text::Untrusted;

use crate::answers::Answers;
use crate::line::Line;
use crate::message::Message;
use crate::outcome::Stage;

/// So many incidents, each within so many seconds of the one before it, are a storm.
const STORM_MIN: usize = 5;
const STORM_APART_MS: i64 = 600_000;
/// How many of its incidents a storm's message names.
const NAMED_MAX: usize = 15;

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
}

/// Incidents that are told in one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storm {
    /// Its incidents, in order of time.
    pub briefs: Vec<Brief>,
}

/// The storms among incidents, in whatever order they come. What Tripline says of itself is no part of
/// one.
pub fn storms(mut briefs: Vec<Brief>) -> Vec<Storm> {
    briefs.retain(|brief| !brief.stage.is_of_itself());
    briefs.sort_by_key(|brief| (brief.first_unix_ms, brief.incident));
    let near =
        |a: &Brief, b: &Brief| b.first_unix_ms.saturating_sub(a.first_unix_ms) <= STORM_APART_MS;
    let groups = briefs.chunk_by(near).filter(|group| group.len() >= STORM_MIN);
    groups.map(|group| Storm { briefs: group.to_vec() }).collect()
}

impl Storm {
    /// Its name, as if it were one incident: it is that of its first one, and stays while it grows.
    pub fn id(&self) -> IncidentId {
        let first = self.briefs.first().map(|brief| brief.incident.to_string());
        let digest: [u8; 32] =
            Sha256::digest(format!("storm {}", first.unwrap_or_default())).into();
        IncidentId::new(digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
    }

    /// Whether an incident is told in it.
    pub fn has(&self, incident: IncidentId) -> bool {
        self.briefs.iter().any(|brief| brief.incident == incident)
    }

    /// What a channel that cannot change its messages is told once: how many there are, doubling.
    pub fn size(&self) -> u32 {
        self.briefs.len().max(1).ilog2()
    }

    /// Its message.
    pub fn message(&self) -> Message {
        let mut briefs: Vec<&Brief> = self.briefs.iter().collect();
        briefs.sort_by_key(|brief| !brief.stage.is_urgent());
        let line = |brief: &&Brief| {
            let incident = Line::code(&Untrusted::new(brief.incident.to_string()));
            brief.subject.clone().and(format!(": {}, incident ", brief.stage.word())).then(incident)
        };
        let mut lines: Vec<Line> = briefs.iter().take(NAMED_MAX).map(line).collect();
        let more = briefs.len().saturating_sub(NAMED_MAX);
        if more > 0 {
            lines.push(Line::ours(format!("and {more} more")));
        }
        let urgent = briefs.iter().filter(|brief| brief.stage.is_urgent()).count();
        let stage = briefs.first().map_or(Stage::Open, |brief| brief.stage);
        let count = counted(briefs.len(), "agent");
        let subject = Line::ours(format!("{count} at once"));
        Message {
            incident: self.id(),
            stage,
            headline: subject.clone().and(
                " did what they must never do: an attack on all of them, or a deployment gone wrong",
            ),
            subject,
            who: Vec::new(),
            reasons: lines,
            done: vec![Line::ours(format!(
                "{} need a look, {} do not",
                urgent,
                briefs.len().saturating_sub(urgent)
            ))],
            damage: Line::ours("see each incident"),
            next: Line::code(&Untrusted::borrowed("tripline status")),
            answers: Answers::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(nth: u64, at: i64) -> Brief {
        let incident = IncidentId::new(nth);
        let subject = Line::ours(format!("agent-{nth}"));
        Brief { incident, first_unix_ms: at, subject, stage: Stage::Killed }
    }

    #[test]
    fn a_few_are_told_one_by_one_and_many_in_one() {
        let few: Vec<_> = (0..4).map(|nth| brief(nth, 0)).collect();
        assert!(storms(few.clone()).is_empty());
        let apart = (0..9).map(|nth| brief(nth, nth as i64 * (STORM_APART_MS + 1)));
        assert!(storms(apart.collect()).is_empty());
        let mut many: Vec<_> = (0..40).rev().map(|nth| brief(nth, nth as i64)).collect();
        let storm = storms(many.clone()).remove(0);
        assert_eq!(storm.message().reasons.len(), NAMED_MAX + 1);
        // As it grows it stays the same one.
        many.push(brief(99, 1_000));
        let grown = storms(many).remove(0);
        assert_eq!(grown.id(), storm.id());
        assert!(grown.has(IncidentId::new(99)) && grown.size() == storm.size());
    }
}
