//! What may be pressed under a message, and what was.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tripline_containment::{Dialogue, IncidentId, Press, Pressed, Response, Round};

use crate::line::Line;
use crate::link::Links;
use crate::message::Message;
use crate::outcome::{Outcome, Stage};

/// What may be pressed about an incident, and what was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// What may be pressed.
    pub presses: Vec<Press>,
    /// As of when.
    pub round: Round,
    /// What was pressed, and whether it counts.
    pub lines: Vec<Line>,
    /// Whether it could be expected of the agent: no rule alone speaks against it.
    pub is_expectable: bool,
    /// What waits for a person's yes, if anything does. Something less may be in force meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Response>,
    /// Whether anything is in force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_in_force: bool,
}

/// How whoever reads a message may answer it.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// By buttons, in Slack.
    pub has_buttons: bool,
    /// By links, elsewhere.
    pub links: Option<Links>,
    /// What anybody may press at all.
    pub presses: BTreeSet<Press>,
}

/// What may be answered about one incident.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'m> {
    pub(crate) incident: IncidentId,
    /// Who it is about.
    pub(crate) subject: &'m Line,
    pub(crate) answers: &'m Answers,
}

/// Something that may be pressed, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Button {
    pub(crate) press: Press,
    pub(crate) label: &'static str,
    /// What is asked once more before it counts.
    pub(crate) question: &'static str,
}

/// How many of the last presses are told.
const TOLD_MAX: usize = 3;

impl Answers {
    /// Nothing to press, and nothing pressed.
    pub(crate) const fn nothing() -> Self {
        let round = Round { era: 0, counted: 0 };
        Self {
            presses: Vec::new(),
            round,
            lines: Vec::new(),
            is_expectable: false,
            waits: None,
            is_in_force: false,
        }
    }

    /// Whether there is nothing of the kind.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether more waits than what is in force.
    fn is_more_waiting(&self) -> bool {
        self.waits.is_some() && self.is_in_force
    }

    /// The same once something else became of the incident.
    pub(crate) fn after(self, outcome: &Outcome<'_>) -> Self {
        let mut presses = outcome.presses();
        let is_over =
            matches!(outcome.stage(), Stage::Restored | Stage::Expired | Stage::LeftAlone);
        if self.is_expectable && !is_over {
            presses.push(Press::Expect);
        }
        let is_in_force =
            matches!(outcome, Outcome::Contained { case, .. } if case.closed.is_none());
        Self { presses, is_in_force, ..self }
    }
}

impl Message {
    /// The same with what was said about it so far.
    #[must_use]
    pub fn in_dialogue(mut self, dialogue: Option<&Dialogue>) -> Self {
        let Some(dialogue) = dialogue else { return self };
        let answers = &mut self.answers;
        answers.round = dialogue.round();
        answers.waits = dialogue.asked().map(|asked| asked.plan.response);
        if answers.is_more_waiting() {
            let asked = [Press::Approve, Press::Reject];
            answers.presses.retain(|press| !asked.contains(press));
            answers.presses.splice(0..0, asked);
            let waits = answers.waits.map_or("plan", Response::word);
            let waits = Line::ours(format!("a person has to say yes to a {waits} besides"));
            if self.done.last() != Some(&waits) {
                self.done.push(waits);
            }
            if matches!(self.stage, Stage::Fenced | Stage::Holds) {
                self.stage = Stage::Waiting;
            }
        }
        if let Some((pending, _)) = dialogue.pending() {
            answers.presses.retain(|press| *press != pending);
        }
        let pressed = dialogue.pressed();
        let first = pressed.len().saturating_sub(TOLD_MAX);
        answers.lines = pressed.iter().skip(first).map(told).collect();
        self
    }

    /// What may be answered about it; of a storm, nothing: each of its incidents is a question.
    pub(crate) fn question(&self) -> Question<'_> {
        Question { incident: self.incident, subject: &self.subject, answers: &self.answers }
    }
}

impl<'m> Question<'m> {
    /// The buttons in Slack.
    pub(crate) fn buttons(self, ways: &Ways) -> Vec<Button> {
        if ways.has_buttons { self.offered(ways).collect() } else { Vec::new() }
    }

    /// The links elsewhere: what they do, and where they lead.
    pub(crate) fn links(self, ways: &Ways, now_unix_secs: i64) -> Vec<(Button, String)> {
        let Some(links) = &ways.links else { return Vec::new() };
        let (incident, round): (IncidentId, Round) = (self.incident, self.answers.round);
        let url =
            |button: Button| (button, links.url(button.press, incident, round, now_unix_secs));
        self.offered(ways).map(url).collect()
    }

    fn offered<'a>(self, ways: &'a Ways) -> impl Iterator<Item = Button> + use<'a, 'm> {
        let presses = self.answers.presses.iter().copied();
        let waits = self.answers.waits;
        presses.filter(|press| ways.presses.contains(press)).map(move |press| button(press, waits))
    }
}

fn button(press: Press, waits: Option<Response>) -> Button {
    let (label, question) = match (press, waits) {
        (Press::Approve, Some(Response::Fence { .. })) => {
            ("Fence it", "The agent is held to its known work for a while.")
        }
        (Press::Approve, _) => ("Stop it", "The agent is cut off from everything."),
        (Press::Reject, _) => ("Leave it alone", "Nothing is done until it does something new."),
        (Press::Restore, _) => ("Give it back", "The agent may go on with everything it could do."),
        (Press::Expect, _) => ("This was expected", "What was new is an exception for a while."),
    };
    Button { press, label, question }
}

fn told(pressed: &Pressed) -> Line {
    let line = Line::name(&pressed.person).and(format!(" pressed {}", pressed.press));
    match (pressed.declined, pressed.missing) {
        (Some(why), _) => line.and(format!(", which was REFUSED: {why}")),
        (None, 0) => line,
        (None, 1) => line.and(": another person has to, too"),
        (None, missing) => line.and(format!(": {missing} more people have to, too")),
    }
}
