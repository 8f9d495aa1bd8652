//! What a plan is made for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tripline_iam::{
    AccessKeyId, AccountId, Arn, PrincipalId, RoleName, SourceIdentity, TagKey, UserName,
};
use tripline_text::Untrusted;

use crate::incident::IncidentId;
use crate::place::Subject;

/// An agent's breach as far as containment needs it: its sessions and the roles they act as.
#[derive(Clone, Debug)]
pub struct Target {
    /// The agent's name, if it has one.
    pub agent: Option<Untrusted<'static>>,
    /// The session tag that carries the name, if that is what the attribution rests on.
    pub agent_tag: Option<TagKey>,
    /// The source identity that carries the name, if that is what the attribution rests on.
    pub source_identity: Option<SourceIdentity>,
    /// Names the incident in statement ids, so that a second plan for the same role does not overwrite
    /// the first.
    pub incident: IncidentId,
    /// The sessions, in order of minting.
    pub sessions: Vec<TargetSession>,
    /// What is known of the roles of these sessions.
    pub roles: Vec<RoleFacts>,
    /// What the agent created.
    pub created: Vec<Created>,
    /// Whether that is contained too.
    pub contain_created: bool,
    /// Principals that are never contained: the responder itself and break-glass roles.
    pub protected: BTreeSet<Arn>,
    /// Accounts in which service control policies have no effect.
    pub management_accounts: BTreeSet<AccountId>,
    /// The moment for which the plan is made, in seconds since 1970.
    pub now_unix_secs: i64,
}

/// One session of the agent.
#[derive(Clone, Debug)]
pub struct TargetSession {
    /// Its anchor: mostly the access key.
    pub id: Untrusted<'static>,
    /// What kind of credential it is.
    pub kind: SessionKind,
    /// What IAM calls `aws:userid`.
    pub principal: Option<PrincipalId>,
    /// What IAM calls the one who minted it.
    pub minted_by: Option<PrincipalId>,
    /// Whether that one is another session of this target.
    pub is_chained: bool,
    /// The role it acts as.
    pub role: Option<Arn>,
    /// The user it acts as, or whose permissions it has.
    pub user: Option<Untrusted<'static>>,
    /// Its account.
    pub account: Option<AccountId>,
    /// When it was minted, in seconds since 1970.
    pub minted_unix_secs: i64,
    /// When it ends at the latest, in seconds since 1970.
    pub ends_by_unix_secs: i64,
}

/// What kind of credential a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// A role's.
    Role,
    /// A long-lived key of a user.
    LongLivedKey,
    /// Temporary credentials of a user or of a federated user: they follow the user's policies.
    UserSession,
    /// An OAuth or MCP sign-in, whose keys rotate under one `signInSessionArn`.
    SignIn,
}

/// What is known of a role, from logs and from IAM.
#[derive(Clone, Debug)]
pub struct RoleFacts {
    /// The role.
    pub arn: Arn,
    /// How many others used it in the period that was looked at; none, if nothing was looked at.
    pub other_users: Option<usize>,
    /// Whether a person said that the whole role is to be denied, whoever uses it.
    pub whole: bool,
    /// What IAM says of it; none, if IAM was not asked.
    pub described: Option<Description>,
}

/// What IAM says of a role or a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The trust policy; none of a user.
    pub trust: Option<String>,
    /// The characters that inline policies other than ours hold, as the quota counts them.
    pub inline_chars: usize,
    /// Whether our managed policy could still be attached.
    pub has_room_to_attach: bool,
}

/// A principal or credential that the agent made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Created {
    /// An access key of a user.
    Key {
        /// The user's account.
        account: AccountId,
        /// The user.
        user: UserName,
        /// The key.
        key: AccessKeyId,
    },
    /// A user, or a way in for one that there was.
    User {
        /// Its account.
        account: AccountId,
        /// Its name.
        name: UserName,
    },
    /// A role.
    Role {
        /// Its account.
        account: AccountId,
        /// Its name.
        name: RoleName,
    },
}

impl Created {
    /// Whom to deny.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Key { account, user, .. } => {
                Subject::User { account: *account, name: user.clone() }
            }
            Self::User { account, name } => Subject::User { account: *account, name: name.clone() },
            Self::Role { account, name } => Subject::Role { account: *account, name: name.clone() },
        }
    }
}

/// Safe anywhere: all parts have narrow alphabets.
impl std::fmt::Display for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key { key, .. } => write!(f, "access key {key} of {}", self.subject()),
            Self::User { .. } | Self::Role { .. } => self.subject().fmt(f),
        }
    }
}

/// Why containment may be planned at all. Old news never kills: a session that is over is not
/// contained, though the way back in may be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grounds {
    /// At least one session may still be alive.
    LiveSession,
    /// All are over.
    ReEntry,
    /// A person asked for it.
    Operator,
}

/// How long after its end a session may still turn up in logs: delivery takes up to ten minutes
/// (`UG/get-and-view-cloudtrail-log-files`: five on average, not guaranteed).
pub const DELIVERY_LAG_SECS: i64 = 900;

impl TargetSession {
    /// Whether the session may still be used.
    pub fn may_be_alive(&self, now_unix_secs: i64) -> bool {
        self.kind == SessionKind::LongLivedKey
            || self.kind == SessionKind::SignIn
            || now_unix_secs <= self.ends_by_unix_secs.saturating_add(DELIVERY_LAG_SECS)
    }
}

impl Target {
    /// The grounds that the sessions themselves give.
    pub fn grounds(&self) -> Grounds {
        match self.sessions.iter().any(|session| session.may_be_alive(self.now_unix_secs)) {
            true => Grounds::LiveSession,
            false => Grounds::ReEntry,
        }
    }
}
