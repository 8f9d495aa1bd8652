//! Where requests of people arrive: what a request asks for, and whether it is believed. Nothing is
//! looked up here and nothing is done; whoever it says it is, is weighed afterwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tripline_containment::{IncidentId, Press, Way};
use tripline_engine::{Person, Pressing};
use tripline_text::Untrusted;

use crate::interaction::Signed;
use crate::key::SigningKey;
use crate::link::{LINK_PATH, Link, Links, TOKEN_FIELD, has_proven, proof_of};

/// Where Slack posts what was pressed.
pub const SLACK_PATH: &str = "/slack";
/// How large the body of a request may be, in bytes.
pub const BODY_BYTES_MAX: usize = 128 << 10;

/// What is known of whom to believe.
#[derive(Clone, Debug, Default)]
pub struct Door {
    /// What Slack signs with.
    pub slack: Option<SigningKey>,
    /// The links that we made.
    pub links: Option<Links>,
}

/// A request as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'r> {
    /// `GET`, `POST` and the like.
    pub method: &'r str,
    /// The path, without the query.
    pub path: &'r str,
    /// The query, without its question mark.
    pub query: &'r str,
    /// `X-Slack-Request-Timestamp`, or nothing.
    pub slack_timestamp: &'r str,
    /// `X-Slack-Signature`, or nothing.
    pub slack_signature: &'r str,
    /// The body, as it came.
    pub body: &'r [u8],
}

/// How much of what somebody calls himself is kept, in characters.
const NAME_CHARS_MAX: usize = 128;

/// What a request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// A link was opened: what it is about is to be shown.
    Look(Link, String),
    /// Something was pressed.
    Pressed(Sealed),
}

/// Something that was pressed, with all that makes it believed and nothing that is secret: it may lie in
/// a queue, and whoever takes it out checks it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sealed {
    /// By a button in Slack.
    Slack {
        /// `X-Slack-Request-Timestamp`.
        timestamp: String,
        /// `X-Slack-Signature`.
        signature: String,
        /// The body, as it came.
        body: String,
    },
    /// By a link.
    Link {
        /// Its token.
        token: String,
        /// Who says to have pressed.
        #[serde(with = "tripline_text::stored")]
        name: Untrusted<'static>,
        /// What the passphrase says about the token.
        proof: String,
    },
}

/// What somebody wants, of whom it is known what he says to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// About which incident.
    pub incident: IncidentId,
    /// What.
    pub pressing: Pressing,
    /// Who.
    pub who: Who,
}

/// Who wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever Slack knows by this id: that much is certain.
    OfSlack(Untrusted<'static>),
    /// Whoever has this person's passphrase: that is still to be seen.
    Claims {
        /// The name.
        name: Untrusted<'static>,
        /// About which token.
        token: String,
        /// What the passphrase says about it.
        proof: String,
    },
}

/// A request that is believed in nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unbelievable {
    /// Nothing is there.
    #[error("there is nothing at that path")]
    NoSuchPath,
    /// One cannot do that there.
    #[error("that method does nothing there")]
    Method,
    /// It is larger than anything that is pressed.
    #[error("the request is larger than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not signed, or by somebody else.
    #[error("the signature is wrong")]
    Signature,
    /// It is too old, or from the future: somebody may play it again.
    #[error("it is out of date")]
    Time,
    /// It is signed, and no button or link of ours.
    #[error("it is no button or link of this program")]
    NotOurs,
}

impl Unbelievable {
    /// The status of the answer (RFC 9110, 15.5).
    pub fn status(self) -> u16 {
        match self {
            Self::NoSuchPath => 404,
            Self::Method => 405,
            Self::TooLarge => 413,
            Self::Signature | Self::Time => 401,
            Self::NotOurs => 400,
        }
    }
}

impl Door {
    /// Whether anybody can come in.
    pub fn is_shut(&self) -> bool {
        self.slack.is_none() && self.links.is_none()
    }

    /// What a request asks for, if it is believed. `now` in seconds since 1970.
    ///
    /// # Errors
    /// [`Unbelievable`].
    pub fn open(&self, request: Request<'_>, now_unix_secs: i64) -> Result<Opened, Unbelievable> {
        if request.body.len() > BODY_BYTES_MAX {
            return Err(Unbelievable::TooLarge);
        }
        let opened = match (request.path, request.method) {
            (SLACK_PATH, "POST") if self.slack.is_some() => Opened::Pressed(Sealed::Slack {
                timestamp: request.slack_timestamp.to_owned(),
                signature: request.slack_signature.to_owned(),
                body: String::from_utf8(request.body.to_vec())
                    .map_err(|_| Unbelievable::NotOurs)?,
            }),
            (LINK_PATH, "GET" | "HEAD") => {
                let links = self.links.as_ref().ok_or(Unbelievable::NoSuchPath)?;
                let token = field(request.query.as_bytes(), TOKEN_FIELD);
                let token = token.ok_or(Unbelievable::NotOurs)?;
                return Ok(Opened::Look(links.believe(&token, now_unix_secs)?, token));
            }
            (LINK_PATH, "POST") if self.links.is_some() => {
                let field = |name| field(request.body, name).ok_or(Unbelievable::NotOurs);
                let (token, name) = (field(TOKEN_FIELD)?, field(NAME_FIELD)?);
                let proof = proof_of(&field(PASSPHRASE_FIELD)?, &token);
                let name: String = name.chars().take(NAME_CHARS_MAX).collect();
                Opened::Pressed(Sealed::Link { token, name: Untrusted::new(name), proof })
            }
            (SLACK_PATH, _) if self.slack.is_some() => return Err(Unbelievable::Method),
            (LINK_PATH, _) if self.links.is_some() => return Err(Unbelievable::Method),
            _ => return Err(Unbelievable::NoSuchPath),
        };
        if let Opened::Pressed(sealed) = &opened {
            self.believe(sealed, now_unix_secs)?;
        }
        Ok(opened)
    }

    /// What was pressed, if it is believed.
    ///
    /// # Errors
    /// [`Unbelievable`].
    pub fn believe(&self, sealed: &Sealed, now_unix_secs: i64) -> Result<Wanted, Unbelievable> {
        match sealed {
            Sealed::Slack { timestamp, signature, body } => {
                let key = self.slack.as_ref().ok_or(Unbelievable::NoSuchPath)?;
                Signed { timestamp, signature, body }.believe(key, now_unix_secs)
            }
            Sealed::Link { token, name, proof } => {
                let links = self.links.as_ref().ok_or(Unbelievable::NoSuchPath)?;
                let Link { incident, press, round, .. } = links.believe(token, now_unix_secs)?;
                Ok(Wanted {
                    incident,
                    pressing: Pressing { press, way: Way::Link, round },
                    who: Who::Claims {
                        name: name.clone(),
                        token: token.clone(),
                        proof: proof.clone(),
                    },
                })
            }
        }
    }
}

impl Who {
    /// What he is called by the service, or calls himself.
    pub fn called(&self) -> &Untrusted<'static> {
        match self {
            Self::OfSlack(id) => id,
            Self::Claims { name, .. } => name,
        }
    }

    /// Which of these people it is, if any. `passphrases` are by name.
    pub fn among<'p>(
        &self,
        people: &'p [Person],
        passphrases: &BTreeMap<String, SigningKey>,
    ) -> Option<&'p Person> {
        match self {
            Self::OfSlack(id) => {
                let is_it = |person: &&Person| person.slack.as_deref() == Some(id.as_unescaped());
                people.iter().find(is_it)
            }
            Self::Claims { name, token, proof } => {
                let person = people.iter().find(|person| person.name == name.as_unescaped())?;
                let passphrase = passphrases.get(&person.name)?;
                has_proven(passphrase, token, proof).then_some(person)
            }
        }
    }
}

/// The names of what is posted behind a link.
pub(crate) const NAME_FIELD: &str = "name";
/// The passphrase.
pub(crate) const PASSPHRASE_FIELD: &str = "passphrase";

/// A field of a form (`application/x-www-form-urlencoded`); the first of its name.
pub(crate) fn field(form: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

/// What became of something that was pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was done.
    Done(Press),
    /// It counts, and so many more people have to press it.
    MoreNeeded(Press, u32),
    /// It counts for nothing.
    Declined(tripline_containment::Declined),
    /// It is looked at as soon as that is possible.
    TakenIn,
    /// It is written down, and what it asks for is tried again.
    Failed,
}
