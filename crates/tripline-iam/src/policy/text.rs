//! Text that is fit for a policy document.

use serde::Serialize;
use tripline_text::Untrusted;
use tripline_text::escape::{NotInPolicy, policy_exact, policy_literal};

use crate::{
    AccountId, Arn, PrincipalId, RoleName, RoleSessionName, SourceIdentity, UniqueId, UserName,
};

/// A string value of a policy document, with the meaning that was intended: wildcards and policy
/// variables are there only where this program wrote them.
///
/// Not yet quoted as JSON; [`super::PolicyDocument::to_minified_json`] does that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PolicyText(String);

impl PolicyText {
    /// Text of the program itself, in which `*`, `?` and `${…}` keep their meaning.
    #[must_use]
    pub fn literal(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// Text from a record as a pattern, which will match itself only.
    ///
    /// # Errors
    /// [`NotInPolicy`] when it has a character that no policy document may hold.
    pub fn untrusted(text: &Untrusted<'_>) -> Result<Self, NotInPolicy> {
        Ok(Self(policy_literal(text)?.to_string()))
    }

    /// Text from a record, to be compared with `StringEquals`: a pattern would be another text.
    ///
    /// # Errors
    /// [`NotInPolicy`] when it has a character that no policy document may hold.
    pub fn exact(text: &Untrusted<'_>) -> Result<Self, NotInPolicy> {
        Ok(Self(policy_exact(text)?.to_string()))
    }

    /// An ARN from a record, which will match itself only.
    ///
    /// # Errors
    /// [`NotInPolicy`] when its resource has a character that no policy document may hold.
    pub fn arn(arn: &Arn) -> Result<Self, NotInPolicy> {
        Self::untrusted(&arn.untrusted())
    }

    /// An ARN that a person wrote, in which `*` and `?` are wildcards; none if it is no ARN, or has a
    /// policy variable.
    #[must_use]
    pub fn arn_pattern(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'$');
        let has_parts = text.starts_with("arn:") && text.splitn(6, ':').count() == 6;
        (is_plain && has_parts && text.len() <= 2048).then(|| Self(text.to_owned()))
    }

    /// A value of `aws:userid`, which will match itself only.
    ///
    /// # Errors
    /// [`NotInPolicy`] when it has a character that no policy document may hold.
    pub fn principal_id(id: &PrincipalId) -> Result<Self, NotInPolicy> {
        Self::untrusted(&id.untrusted())
    }

    /// A date for the `Date…` operators, in seconds since 1970; dates before that, or after the year
    /// 9999, become the nearest that can be written.
    #[must_use]
    pub fn unix_secs(secs: i64) -> Self {
        let latest = jiff::Timestamp::MAX;
        let secs = secs.clamp(0, latest.as_second());
        // INVARIANT: in range after clamping. The default errs to late: a Deny of older sessions then
        // holds for all of them.
        Self(jiff::Timestamp::from_second(secs).unwrap_or(latest).to_string())
    }

    /// This text with the other appended: `AROA…` and a literal `:*`, say.
    #[must_use]
    pub fn followed_by(mut self, other: &Self) -> Self {
        self.0.push_str(&other.0);
        self
    }

    /// The text as it will stand in the document, before it is quoted as JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Identifiers whose alphabet has none of the characters that mean something in a policy.
macro_rules! from_safe_id {
    ($($id:ty),+) => {
        $(
            impl From<&$id> for PolicyText {
                fn from(id: &$id) -> Self {
                    Self(id.to_string())
                }
            }
        )+
    };
}

from_safe_id!(AccountId, RoleName, RoleSessionName, SourceIdentity, UniqueId, UserName);
