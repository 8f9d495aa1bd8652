//! The message as an Adaptive Card, in the envelope that a Workflows webhook of Microsoft Teams takes.
//!
//! All text is in text runs, in which no markdown is read (Adaptive Cards, `TextRun`); what others wrote
//! is made inert besides, for the previews and clients that read more into it.

use serde_json::{Value, json};

use crate::answers::{Button, Question, Ways};
use crate::line::{Line, Markup};
use crate::message::Message;
use crate::outcome::Stage;

/// How long a line may be: of at most 28 KB, which is what Teams takes, there is room for all of them.
const LINE_CHARS_MAX: usize = 300;

impl Message {
    /// The message as it would be posted to a Workflows webhook.
    pub fn to_teams(&self, ways: &Ways, now_unix_secs: i64) -> Value {
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": self.to_card(ways, now_unix_secs),
            }],
        })
    }

    /// The card alone.
    pub fn to_card(&self, ways: &Ways, now_unix_secs: i64) -> Value {
        let heading = json!({
            "type": "TextRun",
            "text": self.heading(Markup::Inert, LINE_CHARS_MAX),
            "size": "Large",
            "weight": "Bolder",
            "color": color(self.stage),
        });
        let mut body = vec![rich(vec![heading])];
        let labelled = |label: &str, line: &Line| {
            rich(vec![
                json!({"type": "TextRun", "text": format!("{label}  "), "weight": "Bolder"}),
                json!({"type": "TextRun", "text": line.write(Markup::Inert, LINE_CHARS_MAX)}),
            ])
        };
        body.extend(self.who.iter().map(|(label, line)| labelled(label, line)));
        for brief in &self.listed {
            body.push(labelled("•", &brief.line()));
            let actions = actions(brief.question(), ways, now_unix_secs);
            if !actions.is_empty() {
                body.push(json!({"type": "ActionSet", "actions": actions, "spacing": "None"}));
            }
        }
        body.extend(self.reasons.iter().map(|line| labelled("•", line)));
        body.extend(self.done_and_pressed().map(|(label, line)| labelled(label, line)));
        body.push(labelled("so far", &self.damage));
        body.push(labelled("next", &self.next));
        let mut card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "msteams": {"width": "Full"},
            "fallbackText": self.heading(Markup::Inert, LINE_CHARS_MAX),
            "body": body,
        });
        let actions = actions(self.question(), ways, now_unix_secs);
        if let Some(card) = card.as_object_mut().filter(|_| !actions.is_empty()) {
            card.insert("actions".to_owned(), Value::Array(actions));
        }
        card
    }
}

fn actions(question: Question<'_>, ways: &Ways, now_unix_secs: i64) -> Vec<Value> {
    let action = |(button, url): (Button, String)| json!({"type": "Action.OpenUrl", "title": button.label, "url": url});
    question.links(ways, now_unix_secs).into_iter().map(action).collect()
}

fn rich(inlines: Vec<Value>) -> Value {
    json!({"type": "RichTextBlock", "inlines": inlines, "spacing": "Small"})
}

fn color(stage: Stage) -> &'static str {
    match stage {
        Stage::Alert | Stage::Open | Stage::Waiting => "Warning",
        Stage::Incomplete | Stage::Broken | Stage::Blind | Stage::Unwell => "Attention",
        Stage::Fenced | Stage::Killed => "Accent",
        Stage::Holds
        | Stage::Restored
        | Stage::Expired
        | Stage::LeftAlone
        | Stage::Sees
        | Stage::Well
        | Stage::Test => "Good",
    }
}
