//! What a plan is made for.

use std::collections::BTreeSet;

use tripline_iam::{AccountId, Arn, PrincipalId, TagKey};
use tripline_text::Untrusted;

/// An agent's breach as far as containment needs it: one lineage of sessions and the roles in it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The agent's name, if it has one.
    pub agent: Option<Untrusted<'static>>,
    /// The session tag that carries the name, if that is what the attribution rests on.
    pub agent_tag: Option<TagKey>,
    /// Names the incident in policy names and statement ids, so that a second plan for the same
    /// role does not overwrite the first.
    pub incident: u64,
    /// The lineage, in order of minting; the first is the root.
    pub sessions: Vec<TargetSession>,
    /// Who minted the root: whose way back in must be blocked.
    pub minted_by: Option<PrincipalId>,
    /// What is known of the roles of these sessions.
    pub roles: Vec<RoleFacts>,
    /// Principals that are never contained: the responder itself and break-glass roles.
    pub protected: BTreeSet<Arn>,
    /// Accounts in which service control policies have no effect.
    pub management_accounts: BTreeSet<AccountId>,
    /// The moment for which the plan is made, in seconds since 1970.
    pub now_unix_secs: i64,
}

/// One session of the lineage.
#[derive(Clone, Debug)]
pub struct TargetSession {
    /// Its anchor: mostly the access key.
    pub id: Untrusted<'static>,
    /// What kind of credential it is.
    pub kind: SessionKind,
    /// What IAM calls `aws:userid`.
    pub principal: Option<PrincipalId>,
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

/// What is known of a role, from logs or from IAM.
#[derive(Clone, Debug)]
pub struct RoleFacts {
    /// The role.
    pub arn: Arn,
    /// Its account.
    pub account: Option<AccountId>,
    /// How many others used it in the period that was looked at.
    pub other_users: usize,
    /// What is known of who may assume it, as whom.
    pub trust: TrustKnowledge,
}

/// What is known of a role's trust policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustKnowledge {
    /// It was not read: all that logs alone allow.
    NotRead,
    /// It pins the agent's tag to the caller: nobody else can carry it.
    PinsTag,
    /// It lets callers choose their tags.
    LeavesTagFree,
}

/// Why containment may be planned at all. Old news never kills: a session that is over is not
/// contained, though the way back in may be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// At least one session of the lineage may still be alive.
    LiveSession,
    /// All are over.
    ReEntry,
    /// A person asked for it.
    Operator,
}

/// How long after its end a session may still turn up in logs: delivery takes up to ten minutes
/// (`UG/get-and-view-cloudtrail-log-files`: five on average, not guaranteed).
const DELIVERY_LAG_SECS: i64 = 900;

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
