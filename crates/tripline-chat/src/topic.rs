//! The message for a topic of SNS: as text for whoever subscribed (mail, SMS, a queue), and in the
//! schema of custom notifications of Amazon Q Developer in chat applications, which posts it in a thread.

use serde_json::{Value, json};

use crate::line::{Line, Markup};
use crate::message::Message;

/// How long a line may be.
const LINE_CHARS_MAX: usize = 600;
/// How long the one sentence may be: an SMS has 140 bytes.
const SENTENCE_CHARS_MAX: usize = 140;

impl Message {
    /// The subject of a mail: our own words only, since SNS takes ASCII, on one line of less than 100
    /// characters.
    pub fn to_subject(&self) -> String {
        format!("Tripline: {} (incident {})", self.stage.word(), self.incident)
    }

    /// The text of a mail.
    pub fn to_mail(&self) -> String {
        let text = |line: &Line| line.write(Markup::Inert, LINE_CHARS_MAX);
        let mut lines = vec![self.heading(Markup::Inert, LINE_CHARS_MAX), String::new()];
        lines.extend(self.who.iter().map(|(label, line)| format!("{label}: {}", text(line))));
        lines.push(String::new());
        lines.extend(self.reasons.iter().map(|line| format!("* {}", text(line))));
        lines.push(String::new());
        lines.extend(self.done.iter().map(|line| format!("done: {}", text(line))));
        lines.push(format!("so far: {}", text(&self.damage)));
        lines.push(format!("next: {}", text(&self.next)));
        lines.join("\n")
    }

    /// A custom notification (Amazon Q Developer in chat applications, "Custom notifications", version
    /// 1.0). All that is told of one incident is one thread.
    pub fn to_amazon_q(&self) -> Value {
        let text = |line: &Line| line.write(Markup::Inert, LINE_CHARS_MAX);
        let mut lines: Vec<String> =
            self.who.iter().map(|(label, line)| format!("*{label}* {}", text(line))).collect();
        lines.extend(self.reasons.iter().map(|line| format!("• {}", text(line))));
        lines.extend(self.done.iter().map(|line| format!("*done* {}", text(line))));
        lines.push(format!("*so far* {}", text(&self.damage)));
        json!({
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": self.heading(Markup::Inert, SENTENCE_CHARS_MAX),
                "description": lines.join("\n"),
                "nextSteps": [text(&self.next)],
                "keywords": ["Tripline", self.stage.word()],
            },
            "metadata": {
                "threadId": format!("tripline-{}", self.incident),
                "summary": self.heading(Markup::Inert, SENTENCE_CHARS_MAX),
                "eventType": "tripline-incident",
            },
        })
    }
}
