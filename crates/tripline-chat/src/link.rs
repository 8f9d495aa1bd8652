//! Links that say what may be pressed, about which incident and until when, signed: what stands in
//! messages where a service has no buttons of its own. Services open links by themselves; so to open
//! one only shows what it is about, and nothing is done before somebody posts a name and a passphrase.

use std::fmt;

use tripline_containment::{IncidentId, Press, Round};

use crate::door::Unbelievable;
use crate::key::{SigningKey, hex, unhex};

/// Where links lead, below the configured URL.
pub const LINK_PATH: &str = "/press";
/// The name of the token in a link.
pub(crate) const TOKEN_FIELD: &str = "t";
/// What is signed begins with this, so that no other signature of the same key is one of a link.
const DOMAIN: &[u8] = b"tripline-link:";
/// What a passphrase signs begins with.
const PROOF_DOMAIN: &[u8] = b"tripline-press:";
/// The version of the token.
const VERSION: &str = "v1";

/// Makes links, and knows them again.
#[derive(Clone, Debug)]
pub struct Links {
    url: String,
    key: SigningKey,
    lasts_secs: i64,
}

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// About which incident.
    pub incident: IncidentId,
    /// What.
    pub press: Press,
    /// When it was offered.
    pub round: Round,
    /// Until when, in seconds since 1970.
    pub until_unix_secs: i64,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { incident, press, round, until_unix_secs } = self;
        let Round { era, counted } = round;
        write!(f, "{VERSION}.{incident}.{press}.{era}.{counted}.{until_unix_secs}")
    }
}

impl Links {
    /// Links that lead there and are good for so long.
    pub fn new(url: &str, key: SigningKey, lasts_secs: i64) -> Self {
        Self { url: url.trim_end_matches('/').to_owned(), key, lasts_secs }
    }

    /// The link by which this may be pressed.
    pub fn url(
        &self,
        press: Press,
        incident: IncidentId,
        round: Round,
        now_unix_secs: i64,
    ) -> String {
        // To the hour: a message that is posted again has the same link.
        let hours = now_unix_secs.saturating_add(self.lasts_secs).div_euclid(3_600);
        let until_unix_secs = hours.saturating_add(1).saturating_mul(3_600);
        let token = self.token(&Link { incident, press, round, until_unix_secs });
        format!("{}{LINK_PATH}?{TOKEN_FIELD}={token}", self.url)
    }

    fn token(&self, link: &Link) -> String {
        let text = link.to_string();
        format!("{text}.{}", hex(&self.key.sign(&[DOMAIN, text.as_bytes()])))
    }

    /// What a token says. The signature is checked before anything else is read.
    pub(crate) fn believe(&self, token: &str, now_unix_secs: i64) -> Result<Link, Unbelievable> {
        let (text, signature) = token.rsplit_once('.').ok_or(Unbelievable::Signature)?;
        let signature = unhex(signature).ok_or(Unbelievable::Signature)?;
        if !self.key.has_signed(&[DOMAIN, text.as_bytes()], &signature) {
            return Err(Unbelievable::Signature);
        }
        let link = read(text).ok_or(Unbelievable::NotOurs)?;
        match now_unix_secs <= link.until_unix_secs {
            true => Ok(link),
            false => Err(Unbelievable::Time),
        }
    }
}

fn read(text: &str) -> Option<Link> {
    let mut parts = text.split('.');
    if parts.next()? != VERSION {
        return None;
    }
    Some(Link {
        incident: parts.next()?.parse().ok()?,
        press: parts.next()?.parse().ok()?,
        round: Round { era: parts.next()?.parse().ok()?, counted: parts.next()?.parse().ok()? },
        until_unix_secs: parts.next()?.parse().ok().filter(|_| parts.next().is_none())?,
    })
}

/// What a passphrase says about a token: who has the passphrase makes the same one, and it is good for
/// this token alone. So the passphrase itself goes no further than the door.
pub(crate) fn proof_of(passphrase: &str, token: &str) -> String {
    // What is too short is nobody's passphrase.
    let key = SigningKey::new(passphrase.as_bytes());
    key.map_or_else(|_| String::new(), |key| hex(&key.sign(&[PROOF_DOMAIN, token.as_bytes()])))
}

/// Whether whoever has this passphrase made the proof.
pub(crate) fn has_proven(passphrase: &SigningKey, token: &str, proof: &str) -> bool {
    let proof = unhex(proof).unwrap_or_default();
    passphrase.has_signed(&[PROOF_DOMAIN, token.as_bytes()], &proof)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_795_168_800;

    fn links() -> Links {
        let key = SigningKey::new(b"0123456789abcdef").unwrap();
        Links::new("https://tripline.example/", key, 86_400)
    }

    fn token() -> String {
        let round = Round { era: 3, counted: 1 };
        let url = links().url(Press::Restore, IncidentId::new(0xfeed), round, NOW);
        url.strip_prefix("https://tripline.example/press?t=").unwrap().to_owned()
    }

    #[test]
    fn a_link_is_known_again_until_it_ends() {
        let token = token();
        let link = links().believe(&token, NOW).unwrap();
        assert_eq!((link.press, link.incident), (Press::Restore, IncidentId::new(0xfeed)));
        assert_eq!(link.round, Round { era: 3, counted: 1 });
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "{token}");
        assert!(links().believe(&token, link.until_unix_secs).is_ok());
        let late = links().believe(&token, link.until_unix_secs + 1);
        assert_eq!(late, Err(Unbelievable::Time));
        assert!((86_400..=86_400 + 3_600).contains(&(link.until_unix_secs - NOW)));
    }

    #[test]
    fn of_another_key_or_purpose_it_is_none() {
        let token = token();
        let other = Links::new("", SigningKey::new(b"0123456789abcdeg").unwrap(), 1);
        assert_eq!(other.believe(&token, NOW), Err(Unbelievable::Signature));
        let (text, _) = token.rsplit_once('.').unwrap();
        let signed = crate::signature(&links().key, NOW, text.as_bytes());
        let forged = format!("{text}.{}", signed.strip_prefix("v1=").unwrap());
        assert_eq!(links().believe(&forged, NOW), Err(Unbelievable::Signature));
    }

    #[test]
    fn a_proof_is_of_one_passphrase_and_one_token() {
        let passphrase = "correct horse battery";
        let key = SigningKey::new(passphrase.as_bytes()).unwrap();
        let proof = proof_of(passphrase, "one");
        assert!(has_proven(&key, "one", &proof) && !has_proven(&key, "two", &proof));
        assert!(!has_proven(&key, "one", &proof_of("correct horse batterx", "one")));
        assert!(
            !has_proven(&key, "one", &proof_of("short", "one")) && !has_proven(&key, "one", "")
        );
    }

    proptest! {
        #[test]
        fn nothing_that_was_changed_is_believed(at in 0_usize..200, to in any::<char>()) {
            let token = token();
            let changed: String = token
                .chars()
                .enumerate()
                .map(|(nth, character)| if nth == at % token.len() { to } else { character })
                .collect();
            // Digits of the signature may be written large.
            if !changed.eq_ignore_ascii_case(&token) {
                prop_assert!(links().believe(&changed, NOW).is_err());
            }
        }
    }
}
