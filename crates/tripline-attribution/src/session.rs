//! A session as it is known in the end.

use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::EventTime;
use tripline_iam::AccountId;
use tripline_text::Untrusted;

use crate::agent::{Agent, Basis};
use crate::coverage::Cause;
use crate::used::AnchorKind;

/// The name of a session: its anchor as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(#[serde(with = "tripline_text::stored")] Untrusted<'static>);

impl SessionId {
    pub(crate) fn new(text: &str) -> Self {
        Self(Untrusted::new(text.to_owned()))
    }

    /// The access key, `principalId@creationDate`, the `signInSessionArn`, or a principal.
    pub fn untrusted(&self) -> Untrusted<'_> {
        self.0.reborrow()
    }
}

/// One minted credential and everything done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What holds it together.
    pub kind: AnchorKind,
    /// Its anchor.
    pub id: SessionId,
    /// The session that minted it.
    pub parent: Option<SessionId>,
    /// The first session of its chain that is the same agent's: itself, often.
    pub root: SessionId,
    pub(crate) root_place: u32,
    /// From the first session of its chain, whoever's that is, to itself; of a chain of more than 64
    /// the last 64.
    pub lineage: Vec<SessionId>,
    /// What IAM calls the session that minted it.
    pub minter: Option<Untrusted<'static>>,
    /// The ARN of its role.
    pub role: Option<Untrusted<'static>>,
    /// `AROA…:session-name` and the like: what IAM calls `aws:userid`.
    pub principal: Option<Untrusted<'static>>,
    /// Its source identity.
    pub source_identity: Option<Untrusted<'static>>,
    /// The name of its IAM user.
    pub user: Option<Untrusted<'static>>,
    /// The tenant that it works for, by a tag of its own or of its lineage.
    pub tenant: Option<Untrusted<'static>>,
    /// The version of the agent, by a tag of its own or of its lineage.
    pub version: Option<Untrusted<'static>>,
    /// The account of its principal.
    pub account: Option<AccountId>,
    /// When it was created.
    pub minted: Option<EventTime>,
    /// When its credential ends at the latest, as far as the mint tells.
    pub ends_by: Option<EventTime>,
    /// Whether the agent's tag is on this very session, and if so, whether it is handed on.
    pub tag_is_transitive: Option<bool>,
    /// Its first call, or else its mint.
    pub first: EventTime,
    /// Its last call, or else its mint.
    pub last: EventTime,
    /// Its calls.
    pub records: u64,
    /// Whose it is, what that rests on, and whether a session above it in its chain said so; or why
    /// nobody's.
    pub named: Result<Named, Cause>,
}

/// Whose a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The agent.
    pub agent: Agent,
    /// What the attribution rests on.
    pub basis: Basis,
    /// Whether a session above it in its chain carries the name, and not itself.
    pub inherited: bool,
}

impl Session {
    /// The agent, if there is one.
    pub fn agent(&self) -> Option<&Agent> {
        self.named.as_ref().ok().map(|named| &named.agent)
    }

    /// What the attribution rests on, if there is one.
    pub fn basis(&self) -> Option<Basis> {
        self.named.as_ref().ok().map(|named| named.basis)
    }
}

impl fmt::Display for AnchorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Console => "console",
            Self::SignIn => "sign-in",
            Self::Service => "service",
            Self::Principal => "principal",
        })
    }
}
