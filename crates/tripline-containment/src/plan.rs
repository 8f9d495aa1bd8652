//! What a plan says.

use thiserror::Error;
use tripline_iam::{AccountId, Arn};
use tripline_text::Untrusted;

/// The ordered steps that stop an agent, and what they leave standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The agent, if it has a name.
    pub agent: Option<Untrusted<'static>>,
    /// In the order of execution: first the way back in, then what is alive.
    pub steps: Vec<Step>,
    /// Roles that are not touched, and why.
    pub refused: Vec<(Arn, Refusal)>,
    /// What goes on in spite of all steps.
    pub survives: Vec<&'static str>,
    /// What else could be done, but not without a person's word.
    pub offered: Vec<&'static str>,
}

/// One request to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// The role or user it changes.
    pub subject: Untrusted<'static>,
    /// In which account.
    pub account: Option<AccountId>,
    /// The policy's name, of steps that put one.
    pub policy_name: Option<String>,
    /// The statement or document, minified; record text in it is escaped for the policy language.
    pub document: String,
    /// Its length as the quota counts it, and the quota.
    pub chars: (usize, usize),
    /// The sessions it cuts off, by their anchors.
    pub cuts: Vec<Untrusted<'static>>,
    /// Others who use the same role and go on working, because the key of the denial is not theirs.
    pub others_spared: usize,
}

/// The kinds of steps. Which API call each is, how it is seen to hold and how it is taken back is
/// the same for all of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// A Deny in the role's trust policy: the agent is not let in again.
    BlockReEntry,
    /// A Deny of everything to exactly these sessions, without an end.
    DenySessions,
    /// A Deny of everything to whoever carries the agent's tag, which the trust policy pins.
    DenyTag,
    /// A Deny of everything to sessions minted before now, on a role that nobody else uses.
    RevokeOlder,
    /// A Deny of everything to a user whose key the agent uses.
    DenyUser,
    /// The user's access key, switched off.
    DeactivateKey,
    /// A Deny of everything to an OAuth session.
    DenySignIn,
}

impl StepKind {
    /// The API call.
    pub fn request(self) -> &'static str {
        match self {
            Self::BlockReEntry => "iam:UpdateAssumeRolePolicy",
            Self::DenyUser => "iam:PutUserPolicy",
            Self::DeactivateKey => "iam:UpdateAccessKey",
            Self::DenySessions | Self::DenyTag | Self::RevokeOlder | Self::DenySignIn => {
                "iam:PutRolePolicy"
            }
        }
    }

    /// What it does, for people.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::BlockReEntry => "block the way back in",
            Self::DenySessions => "deny everything to these sessions",
            Self::DenyTag => "deny everything to the agent, by its tag",
            Self::RevokeOlder => "revoke all sessions minted until now",
            Self::DenyUser => "deny everything to the user",
            Self::DeactivateKey => "switch the access key off",
            Self::DenySignIn => "deny everything to the sign-in session",
        }
    }

    /// How it is seen to hold. GetCallerIdentity proves nothing: it works under any Deny.
    pub fn verified_by(self) -> &'static str {
        match self {
            Self::BlockReEntry => {
                "an AssumeRole refused with AccessDenied; no new session of the agent"
            }
            Self::DeactivateKey => {
                "GetAccessKeyLastUsed no longer moves; calls fail with InvalidClientTokenId"
            }
            _ => "a call of each session refused with an explicit deny; no success after it",
        }
    }

    /// How it is taken back.
    pub fn undone_by(self) -> &'static str {
        match self {
            Self::BlockReEntry => "iam:UpdateAssumeRolePolicy with the document read before",
            Self::DenyUser => "iam:DeleteUserPolicy",
            Self::DeactivateKey => "iam:UpdateAccessKey Active",
            _ => "iam:DeleteRolePolicy",
        }
    }

    /// What to do when IAM refuses it.
    pub fn fallback(self) -> &'static str {
        match self {
            Self::BlockReEntry => {
                "LimitExceeded: the same Deny as a service control policy on the account"
            }
            Self::DeactivateKey => "AccessDenied: the user's Deny alone",
            _ => {
                "LimitExceeded: a managed policy attached instead; AccessDenied: a service control policy"
            }
        }
    }
}

/// Why something is not planned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
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
}
