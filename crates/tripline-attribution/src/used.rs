//! Which session a record belongs to, and what it tells of that session.

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::{EventTime, JsonText, Record};
use tripline_iam::AccountId;
use tripline_text::{Untrusted, stored};

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
pub(crate) struct Facts<'a> {
    pub(crate) kind: AnchorKind,
    pub(crate) id: Untrusted<'a>,
    pub(crate) time: EventTime,
    pub(crate) account: Option<AccountId>,
    pub(crate) created: Option<EventTime>,
    pub(crate) principal: Option<Untrusted<'a>>,
    pub(crate) role: Option<Untrusted<'a>>,
    pub(crate) user: Option<Untrusted<'a>>,
    pub(crate) source_identity: Option<Untrusted<'a>>,
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
}

impl Use {
    /// What `record` tells of its session.
    pub fn of(record: &Record<'_>) -> Self {
        let facts = Facts::of(record);
        let owned = |text: Option<Untrusted<'_>>| text.map(Untrusted::into_owned);
        Self {
            kind: facts.kind,
            id: facts.id.into_owned(),
            time: facts.time,
            account: facts.account,
            created: facts.created,
            principal: owned(facts.principal),
            role: owned(facts.role),
            user: owned(facts.user),
            source_identity: owned(facts.source_identity),
        }
    }

    /// Whether the record names an access key: of the copies of a cross-account call, the caller's.
    pub fn has_access_key(&self) -> bool {
        self.kind == AnchorKind::Key
    }

    /// What holds the session of a record together.
    pub fn anchor_of<'a>(record: &Record<'a>) -> (AnchorKind, Untrusted<'a>) {
        let facts = Facts::of(record);
        (facts.kind, facts.id)
    }

    /// What holds its session together.
    pub fn anchor(&self) -> (AnchorKind, &str) {
        (self.kind, self.id.as_unescaped())
    }

    pub(crate) fn facts(&self) -> Facts<'_> {
        Facts {
            kind: self.kind,
            id: self.id.reborrow(),
            time: self.time,
            account: self.account,
            created: self.created,
            principal: self.principal.as_ref().map(Untrusted::reborrow),
            role: self.role.as_ref().map(Untrusted::reborrow),
            user: self.user.as_ref().map(Untrusted::reborrow),
            source_identity: self.source_identity.as_ref().map(Untrusted::reborrow),
        }
    }
}

impl<'a> Facts<'a> {
    pub(crate) fn of(record: &Record<'a>) -> Self {
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
            user: identity.user_name().map(JsonText::untrusted),
            source_identity: session.source_identity().map(JsonText::untrusted),
        }
    }
}

/// The anchor of the session that made the call: `signInSessionArn`, else principal and creation
/// date where the keys rotate, else the key.
fn anchor<'a>(
    record: &Record<'a>,
    principal: Option<&Untrusted<'a>>,
    created: Option<EventTime>,
) -> (AnchorKind, Untrusted<'a>) {
    let identity = record.identity();
    if let Some(arn) = identity.session().sign_in_session_arn() {
        return (AnchorKind::SignIn, arn.untrusted());
    }
    let key = identity.access_key().filter(|key| is_key(key.as_written()));
    let rotates = key.is_none() || record.is_from_console() || identity.invoked_by().is_some();
    if rotates && let (Some(principal), Some(created)) = (principal, created) {
        return (AnchorKind::Console, console_id(principal, created));
    }
    if let Some(key) = key {
        return (AnchorKind::Key, key.untrusted());
    }
    let service = identity.kind().is_some_and(|kind| kind.is("AWSService"));
    let named = |text: Option<JsonText<'a>>| text.map(JsonText::untrusted);
    match identity.invoked_by() {
        Some(by) if service || principal.is_none() => (AnchorKind::Service, by.untrusted()),
        _ if service => (AnchorKind::Service, named(record.source_ip()).unwrap_or_default()),
        _ => {
            let text = named(identity.arn()).or_else(|| principal.cloned());
            let account = || identity.account().map(|account| Untrusted::new(account.to_string()));
            (AnchorKind::Principal, text.or_else(account).unwrap_or_default())
        }
    }
}

/// What holds a session together whose keys rotate.
pub(crate) fn console_id<'a>(principal: &Untrusted<'_>, created: EventTime) -> Untrusted<'a> {
    Untrusted::new(format!("{}@{created}", principal.as_unescaped()))
}

/// Whether a text is an access key id, rather than empty or masked by a shipper (`AKIA****`).
/// Source of the alphabet: the STS API reference, `Credentials.AccessKeyId`.
pub(crate) fn is_key(text: &str) -> bool {
    (16..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a key was made to last: a user's, or the root's. Others are minted.
/// Source: IAM/reference_identifiers, unique ID prefixes.
pub(crate) fn is_long_lived(key: &str) -> bool {
    key.starts_with("AKIA")
}
