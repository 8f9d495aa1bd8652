//! The message for a webhook of one's own: JSON, signed so that its receiver knows who sent it and when.

use serde_json::{Value, json};

use crate::answers::{Question, Ways};
use crate::key::{SigningKey, hex};
use crate::line::{Line, Markup};
use crate::message::Message;

/// How long a line may be.
const LINE_CHARS_MAX: usize = 2_000;

impl Message {
    /// The body of a generic webhook, version 1.
    pub fn to_webhook(&self, ways: &Ways, now_unix_secs: i64) -> Value {
        let text = |line: &Line| line.write(Markup::Inert, LINE_CHARS_MAX);
        let texts = |lines: &[Line]| lines.iter().map(text).collect::<Vec<_>>();
        let who = self.who.iter().map(|(label, line)| (label.clone(), json!(text(line))));
        let mut body = json!({
            "version": 1,
            "incident": self.incident,
            "stage": self.stage,
            "verdict": self.verdict,
            "is_urgent": self.stage.is_urgent(),
            "headline": text(&self.headline),
            "who": who.collect::<serde_json::Map<_, _>>(),
            "reasons": texts(&self.reasons),
            "done": texts(&self.done),
            "damage": text(&self.damage),
            "next": text(&self.next),
            "pressed": texts(&self.answers.lines),
        });
        let listed = self.listed.iter().map(|brief| {
            json!({
                "incident": brief.incident,
                "stage": brief.stage,
                "text": text(&brief.line()),
                "links": links(brief.question(), ways, now_unix_secs),
            })
        });
        let more =
            [("links", links(self.question(), ways, now_unix_secs)), ("listed", listed.collect())];
        if let Some(body) = body.as_object_mut() {
            let more = more.into_iter().filter(|(_, values)| !values.is_empty());
            body.extend(more.map(|(name, values)| (name.to_owned(), Value::Array(values))));
        }
        body
    }
}

fn links(question: Question<'_>, ways: &Ways, now_unix_secs: i64) -> Vec<Value> {
    let links = question.links(ways, now_unix_secs).into_iter();
    links
        .map(|(button, url)| json!({"press": button.press, "label": button.label, "url": url}))
        .collect()
}

/// What signs the body of a webhook: `v1=` and the HMAC-SHA256, in hex, of `v1:`, the time in seconds
/// since 1970, `:` and the body.
pub fn signature(key: &SigningKey, unix_secs: i64, body: &[u8]) -> String {
    let time = unix_secs.to_string();
    format!("v1={}", hex(&key.sign(&[b"v1:", time.as_bytes(), b":", body])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_signed_as_its_receiver_checks_it() {
        // printf 'v1:1795168800:{}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let key = SigningKey::new(b"0123456789abcdef").unwrap();
        let signed = signature(&key, 1_795_168_800, b"{}");
        assert_eq!(signed, "v1=b074eb9a658f8ccd37b5180fde6f2651373ec5e803d91dabd7ca41b9ae5b9100");
    }
}
