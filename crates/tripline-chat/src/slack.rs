//! The message as Slack's Block Kit.

use serde_json::{Value, json};

use crate::message::Message;

/// Slack's limits on a header and on the text of a section, in characters (Block Kit reference).
const HEADER_CHARS_MAX: usize = 150;
const SECTION_CHARS_MAX: usize = 3_000;

impl Message {
    /// The message as it would be posted to Slack.
    pub fn to_slack(&self) -> Value {
        let mut blocks = vec![json!({
            "type": "header",
            "text": {"type": "plain_text", "text": cut(&self.headline, HEADER_CHARS_MAX)},
        })];
        let who: Vec<String> =
            self.who.iter().map(|(label, text)| format!("*{label}* {text}")).collect();
        let reasons: Vec<String> =
            self.reasons.iter().map(|reason| format!("• {reason}")).collect();
        let last =
            format!("*done* {}\n*so far* {}\n*next* `{}`", self.done, self.damage, self.next);
        for text in [who.join("\n"), reasons.join("\n"), last] {
            if !text.is_empty() {
                let text = json!({"type": "mrkdwn", "text": cut(&text, SECTION_CHARS_MAX), "verbatim": true});
                blocks.push(json!({"type": "section", "text": text}));
            }
        }
        json!({"text": cut(&self.headline, SECTION_CHARS_MAX), "blocks": blocks})
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
    }
}
