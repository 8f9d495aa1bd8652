//! The message for a topic of SNS: as text for whoever subscribed (mail, SMS, a queue), and in the
//! schema of custom notifications of Amazon Q Developer in chat applications, which posts it in a thread.

use serde_json::{Value, json};

use crate::answers::Ways;
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
    pub fn to_mail(&self, ways: &Ways, now_unix_secs: i64) -> String {
        let text = |line: &Line| line.write(Markup::Inert, LINE_CHARS_MAX);
        let mut lines = vec![self.heading(Markup::Inert, LINE_CHARS_MAX), String::new()];
        lines.extend(self.who.iter().map(|(label, line)| format!("{label}: {}", text(line))));
        lines.push(String::new());
        for brief in &self.listed {
            lines.push(format!("* {}", text(&brief.line())));
            let links = brief.question().links(ways, now_unix_secs).into_iter();
            lines.extend(links.map(|(button, url)| format!("  {}: {url}", button.label)));
        }
        lines.extend(self.reasons.iter().map(|line| format!("* {}", text(line))));
        lines.push(String::new());
        let done = self.done_and_pressed();
        lines.extend(done.map(|(label, line)| format!("{label}: {}", text(line))));
        lines.push(format!("so far: {}", text(&self.damage)));
        lines.push(format!("next: {}", text(&self.next)));
        let links = self.question().links(ways, now_unix_secs).into_iter();
        lines.extend(links.map(|(button, url)| format!("{}: {url}", button.label)));
        lines.join("\n")
    }

    /// A custom notification (Amazon Q Developer in chat applications, "Custom notifications", version
    /// 1.0). All that is told of one incident is one thread.
    pub fn to_amazon_q(&self, ways: &Ways, now_unix_secs: i64) -> Value {
        let text = |line: &Line| line.write(Markup::Inert, LINE_CHARS_MAX);
        let mut lines: Vec<String> =
            self.who.iter().map(|(label, line)| format!("*{label}* {}", text(line))).collect();
        lines.extend(self.listed.iter().map(|brief| format!("• {}", text(&brief.line()))));
        lines.extend(self.reasons.iter().map(|line| format!("• {}", text(line))));
        let done = self.done_and_pressed();
        lines.extend(done.map(|(label, line)| format!("*{label}* {}", text(line))));
        lines.push(format!("*so far* {}", text(&self.damage)));
        let links = self.question().links(ways, now_unix_secs).into_iter();
        let links = links.map(|(button, url)| format!("[{}]({url})", button.label));
        let of_listed = self.listed.iter().flat_map(|brief| {
            let who = brief.subject.write(Markup::Inert, SENTENCE_CHARS_MAX);
            let links = brief.question().links(ways, now_unix_secs).into_iter();
            links.map(move |(button, url)| format!("{who}: [{}]({url})", button.label))
        });
        let next = std::iter::once(text(&self.next)).chain(links).chain(of_listed);
        let next: Vec<String> = next.collect();
        json!({
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": self.heading(Markup::Inert, SENTENCE_CHARS_MAX),
                "description": lines.join("\n"),
                "nextSteps": next,
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
