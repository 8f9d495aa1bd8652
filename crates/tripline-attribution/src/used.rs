//! Which session a record belongs to, and what it tells of that session.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::{EventTime, JsonText, Record};
use tripline_iam::AccountId;
use tripline_text::{Untrusted, stored};

use crate::mint::{is_failed_mint, is_masked};
use crate::rules::AgentRules;

/// What holds a session together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AnchorKind {
    /// An access key.
    Key,
    /// `principalId@creationDate`: console sessions have a fresh key for every request, and calls
    /// that a service makes for a session (`invokedBy`) too.
    Console,
    /// The `signInSessionArn` of an OAuth or MCP session, which survives the rotation of its keys.
    SignIn,
    /// An AWS service acting for itself.
    Service,
    /// Neither key nor session: sign-ins, anonymous calls, copies in a bucket owner's trail.
    Principal,
}

/// A use of a session: all that attribution takes from a record, borrowed from it.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub(crate) kind: AnchorKind,
    pub(crate) id: AnchorId<'a>,
    pub(crate) time: EventTime,
    pub(crate) account: Option<AccountId>,
    pub(crate) created: Option<EventTime>,
    pub(crate) principal: Option<Untrusted<'a>>,
    pub(crate) role: Option<Untrusted<'a>>,
    pub(crate) user: Option<Untrusted<'a>>,
    pub(crate) source_identity: Option<Untrusted<'a>>,
    /// Whether the credentials come from the console: a person's, most likely.
    pub(crate) from_console: bool,
    /// Whether it asked for a credential and tells of none.
    pub(crate) is_failed_mint: bool,
}

/// What names a session, not yet written out: that would cost an allocation for each record.
#[derive(Clone, Debug)]
pub(crate) enum AnchorId<'a> {
    /// An access key, an ARN, a name.
    Text(Untrusted<'a>),
    /// What holds a session together whose keys rotate: a principal, and since when it is one.
    Since(Untrusted<'a>, EventTime),
}

impl AnchorId<'_> {
    /// The id as text; written into `scratch` where it has to be put together.
    pub(crate) fn written<'t>(&'t self, scratch: &'t mut String) -> &'t str {
        match self {
            Self::Text(text) => text.as_unescaped(),
            Self::Since(principal, created) => {
                scratch.clear();
                // INVARIANT: writing to a string does not fail.
                let _ = write!(scratch, "{}@{created}", principal.as_unescaped());
                scratch
            }
        }
    }
}

/// The same, owned: for calls that are set aside. Its serialisation is for this program's own files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    kind: AnchorKind,
    #[serde(with = "stored")]
    id: Untrusted<'static>,
    time: EventTime,
    account: Option<AccountId>,
    created: Option<EventTime>,
    #[serde(with = "stored::option")]
    principal: Option<Untrusted<'static>>,
    #[serde(with = "stored::option")]
    role: Option<Untrusted<'static>>,
    #[serde(with = "stored::option")]
    user: Option<Untrusted<'static>>,
    #[serde(with = "stored::option")]
    source_identity: Option<Untrusted<'static>>,
    from_console: bool,
    is_failed_mint: bool,
}

/// The parts of a [`Use`], for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UseParts<'a> {
    /// What holds the session together.
    pub kind: AnchorKind,
    /// The anchor itself.
    pub id: &'a str,
    /// When.
    pub time: EventTime,
    /// The account of the principal.
    pub account: Option<AccountId>,
    /// When the session says it was created.
    pub created: Option<EventTime>,
    /// What IAM calls `aws:userid`.
    pub principal: Option<&'a str>,
    /// The ARN of the role.
    pub role: Option<&'a str>,
    /// The name of the IAM user.
    pub user: Option<&'a str>,
    /// The source identity.
    pub source_identity: Option<&'a str>,
    /// Whether the credentials come from the console.
    pub from_console: bool,
    /// Whether it asked for a credential and tells of none.
    pub is_failed_mint: bool,
}

impl Use {
    /// Its parts.
    pub fn parts(&self) -> UseParts<'_> {
        fn text<'u>(text: &'u Option<Untrusted<'static>>) -> Option<&'u str> {
            text.as_ref().map(Untrusted::as_unescaped)
        }
        UseParts {
            kind: self.kind,
            id: self.id.as_unescaped(),
            time: self.time,
            account: self.account,
            created: self.created,
            principal: text(&self.principal),
            role: text(&self.role),
            user: text(&self.user),
            source_identity: text(&self.source_identity),
            from_console: self.from_console,
            is_failed_mint: self.is_failed_mint,
        }
    }

    /// A use of these parts.
    pub fn from_parts(parts: &UseParts<'_>) -> Self {
        let owned = |text: &str| Untrusted::new(text.to_owned());
        Self {
            kind: parts.kind,
            id: owned(parts.id),
            time: parts.time,
            account: parts.account,
            created: parts.created,
            principal: parts.principal.map(owned),
            role: parts.role.map(owned),
            user: parts.user.map(owned),
            source_identity: parts.source_identity.map(owned),
            from_console: parts.from_console,
            is_failed_mint: parts.is_failed_mint,
        }
    }

    /// What `record` tells of its session.
    pub fn of(record: &Record<'_>) -> Self {
        Self::of_facts(&Facts::of(record))
    }

    pub(crate) fn of_facts(facts: &Facts<'_>) -> Self {
        let owned =
            |text: &Option<Untrusted<'_>>| text.as_ref().map(|text| text.reborrow().into_owned());
        Self {
            kind: facts.kind,
            id: Untrusted::new(facts.id.written(&mut String::new()).to_owned()),
            time: facts.time,
            account: facts.account,
            created: facts.created,
            principal: owned(&facts.principal),
            role: owned(&facts.role),
            user: owned(&facts.user),
            source_identity: owned(&facts.source_identity),
            from_console: facts.from_console,
            is_failed_mint: facts.is_failed_mint,
        }
    }

    #[cfg(test)]
    pub(crate) fn time(&self) -> EventTime {
        self.time
    }

    /// Whether it asked for a credential and tells of none.
    pub fn is_failed_mint(&self) -> bool {
        self.is_failed_mint
    }

    /// Whether the record names an access key: of the copies of a cross-account call, the caller's.
    pub fn has_access_key(&self) -> bool {
        self.kind == AnchorKind::Key
    }

    /// The principal and the creation date that it shows: what calls by way of a service share with
    /// the session's own.
    pub fn created(&self) -> Option<(Untrusted<'_>, EventTime)> {
        Some((self.principal.as_ref()?.reborrow(), self.created?))
    }

    /// Whether an agent may turn up whose session it is: one by tag needs a minted key.
    pub fn may_be_an_agents(&self, rules: &AgentRules) -> bool {
        let is_minted = match self.kind {
            AnchorKind::Key => !is_long_lived(self.id.as_unescaped()),
            AnchorKind::Console => true,
            AnchorKind::SignIn | AnchorKind::Service | AnchorKind::Principal => false,
        };
        is_minted || !rules.fallbacks.is_empty()
    }

    /// What holds the session of a record together.
    pub fn anchor_of<'a>(record: &Record<'a>) -> (AnchorKind, Untrusted<'a>) {
        let facts = Facts::of(record);
        let id = match facts.id {
            AnchorId::Text(text) => text,
            since => Untrusted::new(since.written(&mut String::new()).to_owned()),
        };
        (facts.kind, id)
    }

    /// What holds its session together.
    pub fn anchor(&self) -> (AnchorKind, &str) {
        (self.kind, self.id.as_unescaped())
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            kind: self.kind,
            id: AnchorId::Text(self.id.reborrow()),
            time: self.time,
            account: self.account,
            created: self.created,
            principal: self.principal.as_ref().map(Untrusted::reborrow),
            role: self.role.as_ref().map(Untrusted::reborrow),
            user: self.user.as_ref().map(Untrusted::reborrow),
            source_identity: self.source_identity.as_ref().map(Untrusted::reborrow),
            from_console: self.from_console,
            is_failed_mint: self.is_failed_mint,
        }
    }
}

impl<'a> Facts<'a> {
    /// Reads them.
    pub fn of(record: &Record<'a>) -> Self {
        let identity = record.identity();
        let session = identity.session();
        let created = session.created();
        let principal = identity.principal_id().map(JsonText::untrusted);
        let (kind, id) = anchor(record, principal.as_ref(), created);
        Self {
            kind,
            id,
            time: record.time(),
            account: identity.account().or_else(|| session.issuer_account()),
            created,
            principal,
            // For a user's own temporary credentials the issuer is the user.
            role: session
                .issuer_arn()
                .map(JsonText::untrusted)
                .filter(|arn| arn.as_unescaped().contains(":role/")),
            // Web identities have a `userName` too, which is their token's subject.
            user: identity
                .user_name()
                .filter(|_| identity.kind().is_some_and(|kind| kind.is("IAMUser")))
                .map(JsonText::untrusted)
                .filter(|name| !is_masked(name.as_unescaped())),
            source_identity: session.source_identity().map(JsonText::untrusted),
            from_console: record.is_from_console(),
            is_failed_mint: is_failed_mint(record),
        }
    }
}

/// The anchor of the session that made the call: `signInSessionArn`, else principal and creation
/// date where the keys rotate, else the key.
fn anchor<'a>(
    record: &Record<'a>,
    principal: Option<&Untrusted<'a>>,
    created: Option<EventTime>,
) -> (AnchorKind, AnchorId<'a>) {
    let identity = record.identity();
    if let Some(arn) = identity.session().sign_in_session_arn() {
        return (AnchorKind::SignIn, AnchorId::Text(arn.untrusted()));
    }
    let key = identity.access_key().filter(|key| is_key(key.as_written()));
    let rotates = key.is_none() || record.is_from_console() || identity.invoked_by().is_some();
    if rotates && let (Some(principal), Some(created)) = (principal, created) {
        return (AnchorKind::Console, AnchorId::Since(principal.clone(), created));
    }
    if let Some(key) = key {
        return (AnchorKind::Key, AnchorId::Text(key.untrusted()));
    }
    let service = identity.kind().is_some_and(|kind| kind.is("AWSService"));
    let named = |text: Option<JsonText<'a>>| text.map(JsonText::untrusted);
    let (kind, text) = match identity.invoked_by() {
        Some(by) if service || principal.is_none() => (AnchorKind::Service, by.untrusted()),
        _ if service => (AnchorKind::Service, named(record.source_ip()).unwrap_or_default()),
        _ => {
            let text = named(identity.arn()).or_else(|| principal.cloned());
            let account = || identity.account().map(|account| Untrusted::new(account.to_string()));
            (AnchorKind::Principal, text.or_else(account).unwrap_or_default())
        }
    };
    (kind, AnchorId::Text(text))
}

/// Whether a text is an access key id, rather than empty or masked by CloudTrail or a shipper
/// (`AKIA****`). Source of the alphabet: the STS API reference, `Credentials.AccessKeyId`.
pub(crate) fn is_key(text: &str) -> bool {
    (16..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !is_masked(text)
}

/// Whether a key was made to last: a user's, or the root's. Others are minted.
/// Source: IAM/reference_identifiers, unique ID prefixes.
pub(crate) fn is_long_lived(key: &str) -> bool {
    key.starts_with("AKIA")
}
