//! Who is named as the actor, and what the name rests on.

use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_text::Untrusted;

/// The longest name of an agent or class: what a tag's value may hold (IAM/id_session-tags).
const NAME_CHARS_MAX: usize = 256;

/// The name of an agent: the identity that behaviour is learned for. Any text, chosen by whoever
/// tagged the session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentId(#[serde(with = "tripline_text::stored")] pub(crate) Untrusted<'static>);

impl AgentId {
    /// From a text; `None` if it is empty or longer than 256 characters.
    pub fn of(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.chars().nth(NAME_CHARS_MAX).is_none();
        fits.then(|| Self(Untrusted::new(text.to_owned())))
    }

    /// The name.
    pub fn untrusted(&self) -> Untrusted<'_> {
        self.0.reborrow()
    }
}

/// An agent, and the class of agents that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Agent {
    /// Its name.
    pub id: AgentId,
    /// Agents of one kind share a class; by a session tag, or by `tripline.toml`.
    pub class: Option<AgentId>,
}

/// What an attribution rests on, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// A session tag of the credential, or of one it was minted from.
    SessionTag,
    /// The source identity, which a session keeps through every chain.
    SourceIdentity,
    /// A pattern of role session names.
    SessionName,
    /// The role.
    Role,
    /// The IAM user.
    User,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SessionTag => "session-tag",
            Self::SourceIdentity => "source-identity",
            Self::SessionName => "session-name",
            Self::Role => "role",
            Self::User => "user",
        })
    }
}
