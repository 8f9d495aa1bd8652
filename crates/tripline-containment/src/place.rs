//! What the kill switch changes: texts that stand somewhere in IAM.
//!
//! Everything that containment does to an account is the change of one text in one place: a policy
//! document put, a trust policy extended, a key's status set. So reading back, undoing, drift and the
//! search for what somebody else changed are the same for all of them.

use std::fmt;

use serde::{Deserialize, Serialize};
use tripline_iam::policy::Quota;
use tripline_iam::{AccessKeyId, AccountId, RoleName, UserName};

use crate::denial::Denial;
use crate::edit::{self, NotEditable};
use crate::incident::IncidentId;

/// The name of the one inline policy, or managed policy, that is ours on a role or user. Each incident
/// has statements of its own in it: a policy is put by name, and a second name per incident would run
/// into the quota that all inline policies share.
pub const POLICY_NAME: &str = "TriplineContainment";

/// A role or a user, by account and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A role.
    Role {
        /// Its account.
        account: AccountId,
        /// Its name, without the path.
        name: RoleName,
    },
    /// A user.
    User {
        /// Its account.
        account: AccountId,
        /// Its name, without the path.
        name: UserName,
    },
}

impl Subject {
    /// The account.
    pub fn account(&self) -> AccountId {
        let (Self::Role { account, .. } | Self::User { account, .. }) = self;
        *account
    }

    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Role { name, .. } => name.as_str(),
            Self::User { name, .. } => name.as_str(),
        }
    }

    /// How much all its inline policies may hold together.
    pub fn inline_quota(&self) -> Quota {
        match self {
            Self::Role { .. } => Quota::RoleInline,
            Self::User { .. } => Quota::UserInline,
        }
    }
}

/// Safe anywhere: both alphabets are narrow.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Role { .. } => "role",
            Self::User { .. } => "user",
        };
        write!(f, "{kind} {} in {}", self.name(), self.account())
    }
}

/// Where a text stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The document of the inline policy [`POLICY_NAME`].
    Inline(Subject),
    /// The document of a managed policy of ours, attached to the subject alone: where the inline
    /// policies are full.
    Managed(Subject),
    /// A role's trust policy, which is somebody else's document.
    Trust {
        /// The role's account.
        account: AccountId,
        /// The role.
        role: RoleName,
    },
    /// The status of an access key: [`KEY_ACTIVE`] or [`KEY_INACTIVE`].
    Key {
        /// The user's account.
        account: AccountId,
        /// The user.
        user: UserName,
        /// The key.
        key: AccessKeyId,
    },
}

/// The status of a key that works.
pub const KEY_ACTIVE: &str = "Active";
/// The status of a key that is switched off.
pub const KEY_INACTIVE: &str = "Inactive";

impl Place {
    /// The account.
    pub fn account(&self) -> AccountId {
        match self {
            Self::Inline(subject) | Self::Managed(subject) => subject.account(),
            Self::Trust { account, .. } | Self::Key { account, .. } => *account,
        }
    }

    /// The role or user it belongs to.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Inline(subject) | Self::Managed(subject) => subject.clone(),
            Self::Trust { account, role } => {
                Subject::Role { account: *account, name: role.clone() }
            }
            Self::Key { account, user, .. } => {
                Subject::User { account: *account, name: user.clone() }
            }
        }
    }

    /// How many characters may stand there; none for a key's status.
    pub fn quota(&self) -> Option<Quota> {
        match self {
            Self::Inline(subject) => Some(subject.inline_quota()),
            Self::Managed(_) => Some(Quota::Managed),
            Self::Trust { .. } => Some(Quota::Trust),
            Self::Key { .. } => None,
        }
    }

    /// The API call that changes it.
    pub fn request(&self) -> &'static str {
        match self {
            Self::Inline(Subject::Role { .. }) => "iam:PutRolePolicy",
            Self::Inline(Subject::User { .. }) => "iam:PutUserPolicy",
            Self::Managed(Subject::Role { .. }) => "iam:CreatePolicy, iam:AttachRolePolicy",
            Self::Managed(Subject::User { .. }) => "iam:CreatePolicy, iam:AttachUserPolicy",
            Self::Trust { .. } => "iam:UpdateAssumeRolePolicy",
            Self::Key { .. } => "iam:UpdateAccessKey",
        }
    }

    /// The API call that takes back what was put there.
    pub fn undone_by(&self) -> &'static str {
        match self {
            Self::Inline(Subject::Role { .. }) => {
                "iam:DeleteRolePolicy, or iam:PutRolePolicy with what other incidents have there"
            }
            Self::Inline(Subject::User { .. }) => {
                "iam:DeleteUserPolicy, or iam:PutUserPolicy with what other incidents have there"
            }
            Self::Managed(Subject::Role { .. }) => "iam:DetachRolePolicy, iam:DeletePolicy",
            Self::Managed(Subject::User { .. }) => "iam:DetachUserPolicy, iam:DeletePolicy",
            Self::Trust { .. } => "iam:UpdateAssumeRolePolicy without these statements",
            Self::Key { .. } => "iam:UpdateAccessKey with the status it had",
        }
    }

    /// Where the same denial goes when this place refuses it for want of room.
    pub fn fallback(&self) -> Option<Self> {
        match self {
            Self::Inline(subject) => Some(Self::Managed(subject.clone())),
            Self::Managed(_) | Self::Trust { .. } | Self::Key { .. } => None,
        }
    }
}

/// What a change would make of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it is so already.
    None,
    /// This text, or none at all.
    To(Option<String>),
}

impl Place {
    /// What stands here with these denials in force.
    ///
    /// # Errors
    /// [`NotEditable`], when the document that is here cannot be changed without guessing.
    pub fn with(&self, here: Option<&str>, denials: &[Denial]) -> Result<Change, NotEditable> {
        let text = match self {
            Self::Key { .. } => KEY_INACTIVE.to_owned(),
            Self::Trust { .. } if here.is_none() => return Err(NotEditable::Malformed),
            Self::Inline(_) | Self::Managed(_) | Self::Trust { .. } => edit::put(here, denials)?,
        };
        Ok(if here == Some(text.as_str()) { Change::None } else { Change::To(Some(text)) })
    }

    /// What stands here without an incident, and how many other statements of ours stay.
    ///
    /// # Errors
    /// [`NotEditable`].
    pub fn without(
        &self,
        here: Option<&str>,
        incident: IncidentId,
        key_before: Option<&str>,
    ) -> Result<(Change, usize), NotEditable> {
        let Some(text) = here else { return Ok((Change::None, 0)) };
        if let Self::Key { .. } = self {
            // A key that works again was switched on by somebody else.
            let before = key_before.unwrap_or(KEY_ACTIVE);
            let change = match text == before {
                true => Change::None,
                false => Change::To(Some(before.to_owned())),
            };
            return Ok((change, 0));
        }
        let taken = edit::take(text, incident)?;
        let is_ours_alone = matches!(self, Self::Inline(_) | Self::Managed(_));
        let change = match (taken.taken, taken.is_empty && is_ours_alone) {
            (0, _) => Change::None,
            (_, true) => Change::To(None),
            (_, false) => Change::To(Some(taken.text)),
        };
        Ok((change, taken.ours_left))
    }
}

/// Safe anywhere: all parts have narrow alphabets.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject();
        match self {
            Self::Inline(_) => write!(f, "inline policy {POLICY_NAME} of {subject}"),
            Self::Managed(_) => write!(f, "managed policy {POLICY_NAME} of {subject}"),
            Self::Trust { .. } => write!(f, "trust policy of {subject}"),
            Self::Key { key, .. } => write!(f, "access key {key} of {subject}"),
        }
    }
}
