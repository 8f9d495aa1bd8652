//! A button that was pressed in Slack, as a checked fact.

use serde::Deserialize;
use tripline_containment::{IncidentId, Press, Round, Way};
use tripline_engine::Pressing;
use tripline_text::Untrusted;

use crate::door::{Unbelievable, Wanted, Who, field};
use crate::key::{SigningKey, unhex};

/// How old a request may be, and how far ahead of our clock (Slack, "Verifying requests from Slack").
const SECS_APART_MAX: u64 = 300;

/// What the ids of our buttons begin with.
pub(crate) const ACTION_PREFIX: &str = "tripline:";

/// What is signed, by the names of its headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'r> {
    /// `X-Slack-Request-Timestamp`.
    pub(crate) timestamp: &'r str,
    /// `X-Slack-Signature`.
    pub(crate) signature: &'r str,
    /// The body, as it came.
    pub(crate) body: &'r str,
}

/// The value of a button: what is pressed about which incident, as it was offered.
pub(crate) fn value(incident: IncidentId, era: u32) -> String {
    format!("{incident} {era}")
}

impl Signed<'_> {
    /// What was pressed. The signature is checked before anything else is read.
    pub(crate) fn believe(
        &self,
        key: &SigningKey,
        now_unix_secs: i64,
    ) -> Result<Wanted, Unbelievable> {
        let signature = self.signature.strip_prefix("v0=").and_then(unhex);
        let parts = [b"v0:", self.timestamp.as_bytes(), b":", self.body.as_bytes()];
        if !signature.is_some_and(|signature| key.has_signed(&parts, &signature)) {
            return Err(Unbelievable::Signature);
        }
        let sent: i64 = self.timestamp.parse().map_err(|_| Unbelievable::Time)?;
        if now_unix_secs.abs_diff(sent) > SECS_APART_MAX {
            return Err(Unbelievable::Time);
        }
        read(self.body.as_bytes()).ok_or(Unbelievable::NotOurs)
    }
}

fn read(body: &[u8]) -> Option<Wanted> {
    let payload: Payload = serde_json::from_str(&field(body, "payload")?).ok()?;
    let action = payload.actions.first()?;
    let press: Press = action.action_id.strip_prefix(ACTION_PREFIX)?.parse().ok()?;
    let (incident, era) = action.value.split_once(' ')?;
    let round = Round { era: era.parse().ok()?, counted: 0 };
    Some(Wanted {
        incident: incident.parse().ok()?,
        pressing: Pressing { press, way: Way::Slack, round },
        who: Who::OfSlack(Untrusted::new(payload.user.id)),
    })
}

#[derive(Deserialize)]
struct Payload {
    user: User,
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct User {
    id: String,
}

#[derive(Deserialize)]
struct Action {
    action_id: String,
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::hex;

    const NOW: i64 = 1_795_168_800;

    fn key() -> SigningKey {
        SigningKey::new(b"8f742231b10e8888abcd99yyyzzz85a5").unwrap()
    }

    fn body() -> String {
        let payload = r#"{"type":"block_actions","user":{"id":"UA"},"actions":[{"action_id":"tripline:restore","value":"000000000000feed 3"}]}"#;
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", payload).finish()
    }

    fn believe(timestamp: &str, signature: &str, body: &str) -> Result<Wanted, Unbelievable> {
        Signed { timestamp, signature, body }.believe(&key(), NOW)
    }

    fn sign(timestamp: &str, body: &str) -> String {
        let parts = [b"v0:", timestamp.as_bytes(), b":", body.as_bytes()];
        format!("v0={}", hex(&key().sign(&parts)))
    }

    #[test]
    fn a_button_is_believed_when_slack_signed_it_just_now() {
        let (body, at) = (body(), NOW.to_string());
        let wanted = believe(&at, &sign(&at, &body), &body).unwrap();
        let round = Round { era: 3, counted: 0 };
        assert_eq!(
            wanted,
            Wanted {
                incident: IncidentId::new(0xfeed),
                pressing: Pressing { press: Press::Restore, way: Way::Slack, round },
                who: Who::OfSlack(Untrusted::borrowed("UA")),
            }
        );
        for late in [NOW - 301, NOW + 301, i64::MIN, i64::MAX] {
            let at = late.to_string();
            assert_eq!(believe(&at, &sign(&at, &body), &body), Err(Unbelievable::Time));
        }
        for odd in ["", "now", "1795168800.5"] {
            assert_eq!(believe(odd, &sign(odd, &body), &body), Err(Unbelievable::Time));
        }
        let edge = (NOW - 300).to_string();
        assert!(believe(&edge, &sign(&edge, &body), &body).is_ok());
    }

    #[test]
    fn anything_else_is_not() {
        let (body, at) = (body(), NOW.to_string());
        let good = sign(&at, &body);
        let forged = good.replace("v0=", "v1=");
        for signature in ["", "v0=", "v0=zz", "v0=é", &forged, good.get(..20).unwrap()] {
            assert_eq!(believe(&at, signature, &body), Err(Unbelievable::Signature), "{signature}");
        }
        let other = body.replace("restore", "approve");
        assert_eq!(believe(&at, &good, &other), Err(Unbelievable::Signature));
        assert_eq!(believe(&(NOW + 1).to_string(), &good, &body), Err(Unbelievable::Signature));
        for strange in ["", "payload=", "payload=%7B%7D", "x=1", "payload=%ff"] {
            let signed = sign(&at, strange);
            assert_eq!(believe(&at, &signed, strange), Err(Unbelievable::NotOurs));
        }
    }

    #[test]
    fn the_signature_is_the_one_that_others_make() {
        // printf 'v0:1795168800:a=b' | openssl dgst -sha256 -hmac 8f742231b10e8888abcd99yyyzzz85a5
        let signature = "v0=b000d2810dcc94ae0b5f666225d866d6e0a18682625369945ac7f92927421a8f";
        assert_eq!(believe("1795168800", signature, "a=b"), Err(Unbelievable::NotOurs));
    }
}
