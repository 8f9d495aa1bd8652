//! What a plan says.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tripline_iam::Arn;
use tripline_text::Untrusted;

use crate::denial::Denial;
use crate::incident::IncidentId;
use crate::place::Place;
use crate::target::Created;

/// How hard an agent is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Everything outside its known work is denied, until a time; then the denial ends by itself.
    Fence {
        /// When it ends, in seconds since 1970.
        until_unix_secs: i64,
    },
    /// Everything is denied, until a person gives it back.
    Kill,
}

impl Response {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fence { .. } => "fence",
            Self::Kill => "kill",
        }
    }

    /// Whether it takes more from an agent than the other.
    pub fn outweighs(self, other: Self) -> bool {
        matches!((self, other), (Self::Kill, Self::Fence { .. }))
    }
}

/// The ordered steps that stop an agent, and what they leave standing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whose marks the steps leave.
    pub incident: IncidentId,
    /// How hard.
    pub response: Response,
    /// The agent, if it has a name.
    #[serde(with = "tripline_text::stored::option")]
    pub agent: Option<Untrusted<'static>>,
    /// In the order of execution: first the way back in, then what is alive.
    pub steps: Vec<Step>,
    /// The sessions that are to be cut off.
    pub sessions: Vec<CutSession>,
    /// What is not touched, and why.
    pub refused: Vec<(LeftAlone, Refusal)>,
    /// What goes on in spite of all steps.
    pub survives: Vec<String>,
    /// What else could be done, but not without a person's word.
    pub offered: Vec<String>,
    /// What the agent created, and was not asked to be contained.
    pub created: Vec<Created>,
}

/// "1 session", "2 sessions".
pub fn counted(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

impl Plan {
    /// Whether it was a fence, and has ended by itself.
    pub fn has_expired(&self, now_unix_secs: i64) -> bool {
        matches!(self.response, Response::Fence { until_unix_secs } if until_unix_secs <= now_unix_secs)
    }

    /// The plan of an incident of which there is no record.
    pub(crate) fn unknown(incident: IncidentId) -> Self {
        Self {
            incident,
            response: Response::Kill,
            agent: None,
            steps: Vec::new(),
            sessions: Vec::new(),
            refused: Vec::new(),
            survives: Vec::new(),
            offered: Vec::new(),
            created: Vec::new(),
        }
    }
}

/// A session that is to be cut off, by what is watched of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutSession {
    /// Its anchor: mostly the access key.
    #[serde(with = "tripline_text::stored")]
    pub id: Untrusted<'static>,
    /// When its credential ends at the latest, in seconds since 1970; none for one that does not end
    /// by itself.
    pub ends_by_unix_secs: Option<i64>,
}

/// What was left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftAlone {
    /// A role.
    Role(Arn),
    /// A session.
    Session(#[serde(with = "tripline_text::stored")] Untrusted<'static>),
}

impl LeftAlone {
    /// Its name.
    pub fn untrusted(&self) -> Untrusted<'_> {
        match self {
            Self::Role(role) => role.untrusted(),
            Self::Session(session) => session.reborrow(),
        }
    }
}

/// One change in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What it is for.
    pub kind: StepKind,
    /// Where.
    pub place: Place,
    /// What is put there; nothing where a key is switched off.
    pub denials: Vec<Denial>,
    /// Their length as the quota counts it, and the quota.
    pub chars: (usize, usize),
    /// The sessions it cuts off, by their anchors.
    #[serde(with = "tripline_text::stored::vec")]
    pub cuts: Vec<Untrusted<'static>>,
    /// Others who use the same role and go on working, because the key of the denial is not theirs.
    pub others_spared: usize,
    /// Others who lose their work by it.
    pub others_hit: usize,
}

/// What steps are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// The agent is not let in again.
    BlockReEntry,
    /// A long-lived key is switched off.
    DeactivateKey,
    /// Everything is denied, or everything outside the known work.
    Deny,
}

impl Step {
    /// What it does, for people.
    pub fn purpose(&self) -> &'static str {
        match self.kind {
            StepKind::BlockReEntry => "block the way back in",
            StepKind::DeactivateKey => "switch the access key off",
            StepKind::Deny => match self.denials.first().map(Denial::sid) {
                Some(sid) if sid.starts_with("TriplineFence") => {
                    "deny everything outside the known work"
                }
                _ => "deny everything",
            },
        }
    }

    /// How it is seen to hold. GetCallerIdentity proves nothing: it works under any Deny.
    pub fn verified_by(&self) -> &'static str {
        match self.kind {
            StepKind::BlockReEntry => {
                "an AssumeRole refused with AccessDenied; no new session of the agent"
            }
            StepKind::DeactivateKey => "calls fail with InvalidClientTokenId",
            StepKind::Deny => {
                "a call of each session refused with an explicit deny; no success after it"
            }
        }
    }

    /// What is done when IAM refuses it.
    pub fn fallback(&self) -> &'static str {
        match self.kind {
            StepKind::BlockReEntry => {
                "LimitExceeded or AccessDenied: not done; a service control policy with the same Deny"
            }
            StepKind::DeactivateKey => "AccessDenied: the user's Deny alone",
            StepKind::Deny => {
                "LimitExceeded: a managed policy instead; AccessDenied: not done; a service control policy"
            }
        }
    }
}

/// Why something is not planned.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Nothing asks for one.
    #[error("it is an alert: for a person to look at")]
    NotCalledFor,
    /// There is no session to contain.
    #[error("no session is known")]
    NoSession,
    /// Nothing identifies the sessions to IAM.
    #[error("no principal is known: nothing in the logs says what to deny")]
    NoPrincipal,
    /// The responder itself, or a break-glass principal.
    #[error("it is protected by the configuration")]
    Protected,
    /// IAM lets nobody change a service-linked role.
    #[error("service-linked roles cannot be changed; stop the service instead")]
    ServiceLinked,
    /// IAM lets nobody change a role of Identity Center.
    #[error(
        "a role of Identity Center: remove the assignments there, delete the session in its console, and \
         deny `identitystore:UserId` by a service control policy for 12 hours"
    )]
    IdentityCenter,
    /// The root user of an account, which no policy of the account denies.
    #[error("the root user of an account: only a service control policy denies it")]
    Root,
    /// A role or user of the organization's management account.
    #[error(
        "it is in the management account, where no guard holds and a mistake locks everybody out: a person's to do in IAM"
    )]
    ManagementAccount,
    /// A text that cannot stand in a policy.
    #[error("a name in the logs has characters that cannot stand in a policy")]
    NotInPolicy,
    /// The document is longer than IAM takes.
    #[error("the document has {chars} characters, {quota} are allowed")]
    TooLong {
        /// Its length.
        chars: usize,
        /// What is allowed.
        quota: usize,
    },
    /// A fence needs to know what the agent normally does.
    #[error(
        "nothing is known of the agent's normal work: there is no fence without a scope or a baseline"
    )]
    NothingKnown,
}
