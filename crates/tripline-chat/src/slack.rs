//! The message as Slack's Block Kit.

use serde_json::{Value, json};

use tripline_containment::Press;

use crate::answers::{Button, Question, Ways};
use crate::interaction::{ACTION_PREFIX, value};
use crate::line::{Line, Markup};
use crate::message::Message;

/// Slack's limits on a header and on the text of a section, in characters (Block Kit reference).
const HEADER_CHARS_MAX: usize = 150;
const SECTION_CHARS_MAX: usize = 3_000;
/// How long a name may be in what is asked before a press, of which Slack takes 300 characters: a long
/// one must not push the question out.
const ASKED_NAME_CHARS_MAX: usize = 120;

impl Message {
    /// The message as it would be posted to Slack.
    pub fn to_slack(&self, ways: &Ways) -> Value {
        let mut blocks = vec![json!({
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": self.heading(Markup::Slack, HEADER_CHARS_MAX),
                "emoji": false,
            },
        })];
        let who = self.who.iter().map(|(label, line)| (format!("*{label}* "), line));
        let reasons = self.reasons.iter().map(|line| ("• ".to_owned(), line));
        let done = self.done_and_pressed().map(|(label, line)| (format!("*{label}* "), line));
        let last = [("*so far* ".to_owned(), &self.damage), ("*next* ".to_owned(), &self.next)];
        blocks.extend(section_block(who));
        for brief in &self.listed {
            // As in a message of its own: what it is about, and below it what may be pressed.
            blocks.extend(section_block(std::iter::once(("• ".to_owned(), &brief.line()))));
            blocks.extend(actions_block(brief.question(), ways));
        }
        blocks.extend(section_block(reasons));
        blocks.extend(section_block(done));
        blocks.extend(section_block(last.into_iter()));
        blocks.extend(actions_block(self.question(), ways));
        json!({"text": self.heading(Markup::Slack, SECTION_CHARS_MAX), "blocks": blocks})
    }

    /// What a reply in the message's thread says: how far it is now, and what was done.
    pub fn to_slack_reply(&self) -> String {
        let word = Line::ours(format!("[{}]", self.stage.word()));
        let lines = std::iter::once(&word).chain(self.done_and_pressed().map(|(_, line)| line));
        section(lines.map(|line| (String::new(), line)))
    }
}

fn section_block<'l>(lines: impl Iterator<Item = (String, &'l Line)>) -> Option<Value> {
    let text = Some(section(lines)).filter(|text| !text.is_empty())?;
    let text = json!({"type": "mrkdwn", "text": text, "verbatim": true});
    Some(json!({"type": "section", "text": text}))
}

fn actions_block(question: Question<'_>, ways: &Ways) -> Option<Value> {
    let buttons = question.buttons(ways);
    let elements: Vec<Value> = buttons.iter().map(|it| slack_button(question, it)).collect();
    (!elements.is_empty()).then(|| json!({"type": "actions", "elements": elements}))
}

fn slack_button(question: Question<'_>, button: &Button) -> Value {
    let plain = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
    let who = question.subject.write(Markup::Slack, ASKED_NAME_CHARS_MAX);
    let mut shown = json!({
        "type": "button",
        "action_id": format!("{ACTION_PREFIX}{}", button.press),
        "value": value(question.incident, question.answers.round.era),
        "text": plain(button.label),
        "confirm": {
            "title": plain(button.label),
            "text": plain(&format!("{who}: {}", button.question)),
            "confirm": plain("Yes"),
            "deny": plain("No"),
        },
    });
    if let Some(shown) = shown.as_object_mut().filter(|_| button.press == Press::Approve) {
        shown.insert("style".to_owned(), json!("danger"));
    }
    shown
}

/// Lines with what stands before each, as many as there is room for.
fn section<'l>(lines: impl Iterator<Item = (String, &'l Line)>) -> String {
    let mut text = String::new();
    for (before, line) in lines {
        let used = text.chars().count() + before.chars().count() + 1;
        let line = line.write(Markup::Slack, SECTION_CHARS_MAX.saturating_sub(used));
        if line.is_empty() {
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&before);
        text.push_str(&line);
    }
    text
}
