//! How much IAM lets us write.

/// A limit on the size of policy documents, by where they go.
///
/// Source: IAM User Guide, "IAM and AWS STS quotas"; Organizations User Guide, "Quotas" (November 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quota {
    /// All inline policies of one role together.
    RoleInline,
    /// All inline policies of one user together.
    UserInline,
    /// All inline policies of one group together.
    GroupInline,
    /// One managed policy.
    Managed,
    /// A role's trust policy, as every account has it.
    Trust,
    /// A role's trust policy, in an account that was given the most.
    TrustRaised,
    /// The policy of one session.
    Session,
    /// One service control policy; white space counts when an SDK saves it.
    ServiceControl,
    /// One resource control policy; white space counts when an SDK saves it.
    ResourceControl,
}

impl Quota {
    /// How many policies may be attached to one role or user, as every account has it.
    pub const ATTACHED_POLICIES: usize = 10;
    /// How many policies may be attached to one role or user, in an account that was given the most.
    pub const ATTACHED_POLICIES_RAISED: usize = 20;
    /// How many service control policies may be attached to one root, unit or account.
    pub const SERVICE_CONTROL_POLICIES: usize = 10;
    /// How many resource control policies may be attached to one root, unit or account.
    pub const RESOURCE_CONTROL_POLICIES: usize = 5;

    /// The limit in characters, to compare with [`super::PolicyDocument::quota_chars`].
    #[must_use]
    pub const fn chars(self) -> usize {
        match self {
            Self::RoleInline | Self::ServiceControl => 10_240,
            Self::UserInline | Self::Trust | Self::Session => 2_048,
            Self::GroupInline | Self::ResourceControl => 5_120,
            Self::Managed => 6_144,
            Self::TrustRaised => 4_096,
        }
    }
}
