//! The `Condition` block: which requests a statement is about.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Serialize;
use tripline_text::escape::NotInPolicy;

use super::PolicyText;
use crate::TagKey;

/// How a condition compares. On a key that a request does not have, the negated operators and their
/// like are true, all others false. Source: IAM User Guide, "Condition operators".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[expect(missing_docs, reason = "AWS's words, documented by AWS")]
pub enum Operator {
    ArnEquals,
    ArnLike,
    ArnNotEquals,
    ArnNotLike,
    Bool,
    DateGreaterThan,
    DateLessThan,
    #[serde(rename = "ForAllValues:StringEquals")]
    ForAllValuesStringEquals,
    #[serde(rename = "ForAnyValue:StringEquals")]
    ForAnyValueStringEquals,
    Null,
    StringEquals,
    StringLike,
    StringNotEquals,
    StringNotLike,
}

/// What a condition looks at, compared without regard to case, as IAM does.
#[derive(Debug, Clone)]
pub struct ConditionKey(Cow<'static, str>);

impl ConditionKey {
    /// When the session was minted; absent for long-lived keys.
    pub const TOKEN_ISSUE_TIME: Self = Self::named("aws:TokenIssueTime");
    /// When the request is made.
    pub const CURRENT_TIME: Self = Self::named("aws:CurrentTime");
    /// The caller's [`crate::PrincipalId`].
    pub const USER_ID: Self = Self::named("aws:userid");
    /// The source identity that the calling session carries.
    pub const SOURCE_IDENTITY: Self = Self::named("aws:SourceIdentity");
    /// The sign-in session behind an OAuth session; to be compared with `ArnEquals`.
    pub const SIGN_IN_SESSION_ARN: Self = Self::named("aws:SignInSessionArn");
    /// The caller's ARN: for a session the role's, never the session's.
    pub const PRINCIPAL_ARN: Self = Self::named("aws:PrincipalArn");
    /// In a trust policy: the source identity that the caller asks for.
    pub const REQUESTED_SOURCE_IDENTITY: Self = Self::named("sts:SourceIdentity");
    /// In a trust policy: the session name that the caller asks for.
    pub const REQUESTED_SESSION_NAME: Self = Self::named("sts:RoleSessionName");

    /// In a trust policy: the keys of the tags that will be handed on.
    pub const TRANSITIVE_TAG_KEYS: Self = Self::named("sts:TransitiveTagKeys");
    /// The keys of the tags that a request brings.
    pub const TAG_KEYS: Self = Self::named("aws:TagKeys");

    /// A key named by the program itself.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// A tag that the caller carries: the session's, else the role's.
    ///
    /// # Errors
    /// [`NotInPolicy`] when the key has a character outside IAM's alphabet for tag keys.
    pub fn principal_tag(key: &TagKey) -> Result<Self, NotInPolicy> {
        Self::tag("aws:PrincipalTag", key)
    }

    /// A tag that the caller asks for, in a trust policy: of the session to be minted.
    ///
    /// # Errors
    /// [`NotInPolicy`] when the key has a character outside IAM's alphabet for tag keys.
    pub fn request_tag(key: &TagKey) -> Result<Self, NotInPolicy> {
        Self::tag("aws:RequestTag", key)
    }

    /// Keys have no escapes, hence the stricter rule: IAM's `tagKeyType`, `[\p{L}\p{Z}\p{N}_.:/=+\-@]+`,
    /// as far as a policy document can hold it.
    fn tag(prefix: &str, key: &TagKey) -> Result<Self, NotInPolicy> {
        let text = key.untrusted();
        let is_allowed = |character: char| {
            character <= '\u{ff}'
                && (character.is_alphanumeric() || " \u{a0}_.:/=+-@".contains(character))
        };
        match text.as_unescaped().chars().find(|&character| !is_allowed(character)) {
            None => Ok(Self(format!("{prefix}/{}", text.as_unescaped()).into())),
            Some(character) => Err(NotInPolicy { character }),
        }
    }

    /// The key as it will stand in the document.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl PartialEq for ConditionKey {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}

impl Eq for ConditionKey {}

/// One comparison; a request meets it when the key compares to any of the values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How to compare.
    pub operator: Operator,
    /// What to compare.
    pub key: ConditionKey,
    /// What to compare with.
    pub values: BTreeSet<PolicyText>,
}

impl Condition {
    /// A comparison with one value.
    #[must_use]
    pub fn new(operator: Operator, key: ConditionKey, value: PolicyText) -> Self {
        Self::any_of(operator, key, [value])
    }

    /// A comparison with several values; for negated operators, true when none of them compares equal.
    #[must_use]
    pub fn any_of(
        operator: Operator,
        key: ConditionKey,
        values: impl IntoIterator<Item = PolicyText>,
    ) -> Self {
        Self { operator, key, values: values.into_iter().collect() }
    }
}
