//! Identifiers whose alphabet is narrow enough to be shown anywhere.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::marker::PhantomData;
use std::num::NonZeroU64;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};
use thiserror::Error;

/// Text that is not the identifier it was taken for.
///
/// It names the rule and leaves the text out: that may be hostile, and the caller still has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not {what}: expected {expected}")]
pub struct InvalidId {
    /// What the text should have been, with its article.
    pub what: &'static str,
    /// The rule that it broke.
    pub expected: &'static str,
}

/// Reads a string and parses it, without an allocation of its own.
pub(crate) fn deserialize_parsed<'de, D, T>(
    deserializer: D,
    parse: fn(&str) -> Result<T, InvalidId>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
{
    struct Parsed<T>(fn(&str) -> Result<T, InvalidId>, PhantomData<T>);

    impl<T> Visitor<'_> for Parsed<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an identifier as a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Parsed(parse, PhantomData))
}

/// The parts that every identifier kept as text shares: `parse`, `Serialize`, `Deserialize`.
macro_rules! text_id {
    ($name:ident, $what:literal, $expected:literal, $is_valid:expr) => {
        impl $name {
            #[doc = concat!("Parses ", $what, ": ", $expected, ".")]
            ///
            /// # Errors
            /// [`InvalidId`](crate::InvalidId) when the text breaks that rule.
            pub fn parse(text: &str) -> Result<Self, $crate::InvalidId> {
                let is_valid: fn(&str) -> bool = $is_valid;
                if is_valid(text) {
                    Ok(Self(text.to_owned().into()))
                } else {
                    Err($crate::InvalidId { what: $what, expected: $expected })
                }
            }
        }

        /// As a plain string, for this program's own files.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        /// Fails on text that [`Self::parse`] refuses.
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                $crate::id::deserialize_parsed(d, Self::parse)
            }
        }
    };
}

/// The parts that only an identifier with a safe alphabet may have: `as_str` and `Display`.
macro_rules! shown_as_is {
    ($name:ident) => {
        impl $name {
            /// The text as it was parsed.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

/// The parts of an identifier that may hold any text: a way to it as `Untrusted`, and `Debug` by it.
macro_rules! shown_escaped {
    ($name:ident) => {
        impl $name {
            /// The text, to be escaped for wherever it goes.
            #[must_use]
            pub fn untrusted(&self) -> tripline_text::Untrusted<'_> {
                tripline_text::Untrusted::borrowed(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.untrusted()).finish()
            }
        }
    };
}

pub(crate) use {shown_as_is, shown_escaped, text_id};

/// An AWS account: twelve digits, leading zeros included.
///
/// Eight bytes, with or without an `Option`: stored one higher, so that no account is zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(NonZeroU64);

impl From<AccountId> for u64 {
    fn from(account: AccountId) -> Self {
        account.0.get() - 1
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AccountId").field(&u64::from(*self)).finish()
    }
}

impl AccountId {
    /// Parses exactly twelve ASCII digits.
    ///
    /// # Errors
    /// [`InvalidId`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        const INVALID: InvalidId = InvalidId { what: "an AWS account id", expected: "12 digits" };
        if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(INVALID);
        }
        let number: u64 = text.parse().map_err(|_| INVALID)?;
        NonZeroU64::new(number + 1).map(Self).ok_or(INVALID)
    }

    /// Its twelve digits, in ASCII: to write it where the way through `Display` takes too long.
    pub fn digits(self) -> [u8; 12] {
        let mut digits = [b'0'; 12];
        let mut rest = u64::from(self);
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        digits
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digits().into_iter().try_for_each(|digit| f.write_char(char::from(digit)))
    }
}

/// As twelve digits in a string: a number would lose its leading zeros.
impl Serialize for AccountId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Fails on text that [`Self::parse`] refuses.
impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_parsed(deserializer, Self::parse)
    }
}

/// An access key id, the anchor of a session. Not a secret. Compared with regard to case.
///
/// Source: IAM API reference, `accessKeyIdType`. Masked ids (`AKIA****`), which published logs have,
/// are refused: many keys would look like one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId(Box<str>);

text_id!(AccessKeyId, "an access key id", "16 to 128 ASCII letters, digits or _", |text| {
    is_word(text, 16, 128)
});
shown_as_is!(AccessKeyId);

impl AccessKeyId {
    /// How long a key lives, by its prefix.
    #[must_use]
    pub fn kind(&self) -> AccessKeyKind {
        match self.0.get(..4) {
            Some("AKIA") => AccessKeyKind::LongLived,
            Some("ASIA") => AccessKeyKind::Temporary,
            _ => AccessKeyKind::Other,
        }
    }
}

/// What an access key's prefix says. Source: IAM User Guide, "IAM identifiers", unique ID prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessKeyKind {
    /// `AKIA`: lives until somebody deletes it.
    LongLived,
    /// `ASIA`: minted by STS, expires.
    Temporary,
    /// Any other prefix, service credentials and anonymised keys among them.
    Other,
}

/// An identity's unique id (`AROA…`), which unlike its name is never used again.
///
/// Source: IAM API reference, `idType`; IAM User Guide, "IAM identifiers".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueId(Box<str>);

text_id!(UniqueId, "an IAM unique id", "16 to 128 ASCII letters, digits or _", |text| {
    is_word(text, 16, 128)
});
shown_as_is!(UniqueId);

impl UniqueId {
    /// What the id identifies, by its prefix.
    #[must_use]
    pub fn kind(&self) -> UniqueIdKind {
        match self.0.get(..4) {
            Some("AROA") => UniqueIdKind::Role,
            Some("AIDA") => UniqueIdKind::User,
            Some("AGPA") => UniqueIdKind::Group,
            Some("AIPA") => UniqueIdKind::InstanceProfile,
            _ => UniqueIdKind::Other,
        }
    }
}

/// What a unique id's prefix says. Source: IAM User Guide, "IAM identifiers", unique ID prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UniqueIdKind {
    /// `AROA`: a role.
    Role,
    /// `AIDA`: a user.
    User,
    /// `AGPA`: a user group.
    Group,
    /// `AIPA`: an EC2 instance profile.
    InstanceProfile,
    /// Any other prefix.
    Other,
}

/// A partition, the first part of every ARN: an island of AWS with its own IAM. An open set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(Cow<'static, str>);

impl Partition {
    /// The commercial partition.
    pub const AWS: Self = Self(Cow::Borrowed("aws"));
    /// China: Beijing and Ningxia.
    pub const AWS_CN: Self = Self(Cow::Borrowed("aws-cn"));
    /// AWS GovCloud (US).
    pub const AWS_US_GOV: Self = Self(Cow::Borrowed("aws-us-gov"));
}

text_id!(
    Partition,
    "an AWS partition",
    "`aws`, or `aws-` and up to 28 lower-case ASCII letters, digits or -",
    |text| text == "aws" || text.strip_prefix("aws-").is_some_and(|rest| is_label(rest, 28))
);
shown_as_is!(Partition);

/// A Region code. Never checked against a list: anonymised logs have Regions that do not exist, and
/// AWS opens new ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Box<str>);

text_id!(Region, "an AWS Region", "1 to 32 lower-case ASCII letters, digits or -", |text| {
    is_label(text, 32)
});
shown_as_is!(Region);

/// A role's name, without its path. Source: IAM API reference, `roleNameType`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(Box<str>);

text_id!(RoleName, "a role name", "1 to 64 ASCII letters, digits or _+=,.@-", |text| is_name(
    text, 1, 64
));
shown_as_is!(RoleName);

/// A user's name, without its path. Source: IAM API reference, `userNameType`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(Box<str>);

text_id!(UserName, "a user name", "1 to 64 ASCII letters, digits or _+=,.@-", |text| is_name(
    text, 1, 64
));
shown_as_is!(UserName);

/// The name that a caller of `AssumeRole` gave the session; anybody who may assume the role may choose
/// the same one again. Source: STS API reference, `roleSessionNameType`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleSessionName(Box<str>);

text_id!(
    RoleSessionName,
    "a role session name",
    "2 to 64 ASCII letters, digits or _+=,.@-",
    |text| { is_name(text, 2, 64) }
);
shown_as_is!(RoleSessionName);

/// Who is behind a session, set once and kept through role chaining. Source: STS API reference,
/// `sourceIdentityType`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceIdentity(Box<str>);

text_id!(SourceIdentity, "a source identity", "2 to 64 ASCII letters, digits or _+=,.@-", |text| {
    is_name(text, 2, 64)
});
shown_as_is!(SourceIdentity);

fn is_word(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_label(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn is_name(text: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn account_ids_are_twelve_digits() {
        let account = AccountId::parse("000123456789").unwrap();
        assert_eq!(account.to_string(), "000123456789");
        assert_eq!(serde_json::to_string(&account).unwrap(), r#""000123456789""#);
        for text in ["", "12345678901", "1234567890123", "12345678901a", "+12345678901", "１２３４"]
        {
            assert!(AccountId::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn masked_access_keys_are_refused() {
        for text in
            ["AKIA****", "AKIA****************", "ASIAIOSFODNN7EX", "", "ASIAIOSFODNN7EXAMPL\u{1b}"]
        {
            assert!(AccessKeyId::parse(text).is_err(), "{text}");
        }
        let kind = |text: &str| AccessKeyId::parse(text).unwrap().kind();
        assert_eq!(kind("AKIAIOSFODNN7EXAMPLE"), AccessKeyKind::LongLived);
        assert_eq!(kind("ASIAIOSFODNN7EXAMPLE"), AccessKeyKind::Temporary);
        assert_eq!(kind("asiaiosfodnn7example"), AccessKeyKind::Other);
    }

    #[test]
    fn unique_ids_say_what_they_identify() {
        let kind = |text: &str| UniqueId::parse(text).unwrap().kind();
        assert_eq!(kind("AROATFQR7NSC6Q6YRQ2Q7"), UniqueIdKind::Role);
        assert_eq!(kind("AIDA32NEE582826ECMV4"), UniqueIdKind::User);
        assert_eq!(kind("AAAAAAAAAAAAAAAAAAAAA"), UniqueIdKind::Other);
        assert!(UniqueId::parse("140429656527").is_err());
    }

    #[test]
    fn partitions_and_regions_are_open_sets() {
        assert_eq!(Partition::parse("aws"), Ok(Partition::AWS));
        assert_eq!(Partition::parse("aws-us-gov"), Ok(Partition::AWS_US_GOV));
        assert_eq!(Partition::parse("aws-cn"), Ok(Partition::AWS_CN));
        assert!(Partition::parse("aws-iso-b").is_ok());
        assert!(Region::parse("apiso-centralnorth-2r").is_ok());
        for text in ["", "AWS", "aws-", "awsome", "aws_cn"] {
            assert!(Partition::parse(text).is_err(), "{text}");
        }
        assert!(Region::parse(&"a".repeat(32)).is_ok());
        assert!(Region::parse(&"a".repeat(33)).is_err());
    }

    #[test]
    fn names_keep_to_their_alphabet_and_bounds() {
        assert!(RoleName::parse("a").is_ok());
        assert!(RoleName::parse(&"a".repeat(64)).is_ok());
        assert!(RoleName::parse(&"a".repeat(65)).is_err());
        assert!(RoleSessionName::parse("a").is_err());
        assert!(RoleSessionName::parse("i-0dbc91f429e48eeed").is_ok());
        assert!(SourceIdentity::parse("CN=agent_42+x,y.z@w").is_ok());
        for text in ["a b", "a*", "a:b", "a/b", "é1", "a\n"] {
            assert!(RoleSessionName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn errors_leave_the_text_out() {
        assert_eq!(
            AccountId::parse("\u{1b}[2J").unwrap_err().to_string(),
            "not an AWS account id: expected 12 digits"
        );
    }

    #[test]
    fn reading_back_validates() {
        assert!(serde_json::from_str::<RoleName>(r#""Tool""#).is_ok());
        assert!(serde_json::from_str::<RoleName>(r#""Tool/""#).is_err());
        assert!(serde_json::from_str::<AccountId>("123456789012").is_err());
    }

    proptest! {
        #[test]
        fn shown_ids_parse_back(name in "[A-Za-z0-9_+=,.@-]{2,64}", key in "[A-Za-z0-9_]{16,128}", account in "[0-9]{12}") {
            prop_assert_eq!(RoleSessionName::parse(&name).unwrap().to_string(), name);
            prop_assert_eq!(AccessKeyId::parse(&key).unwrap().to_string(), key);
            prop_assert_eq!(AccountId::parse(&account).unwrap().to_string(), account);
        }

        #[test]
        fn no_text_makes_a_parser_panic(text in any::<String>()) {
            let _ = (AccountId::parse(&text), AccessKeyId::parse(&text), Partition::parse(&text));
        }
    }
}
