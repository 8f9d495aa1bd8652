//! One CloudTrail record, borrowed from the buffer it was delivered in.
//!
//! Only the top level and `userIdentity` are taken apart; request parameters, response elements
//! and the like stay [`Json`] until somebody asks. Field names and meanings:
//! UG/cloudtrail-event-reference-record-contents and -user-identity (eventVersion 1.11). Fields
//! that are unknown are passed over, since AWS adds some at any time.

use tripline_iam::AccountId;

use crate::ids::{EventId, SharedEventId};
use crate::json::{Json, JsonText};
use crate::time::EventTime;

/// One CloudTrail event as delivered. Every text in it may be written by somebody hostile.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    pub(crate) raw: &'a str,
    pub(crate) id: EventId,
    pub(crate) time: EventTime,
    pub(crate) kind: RecordKind,
    pub(crate) fields: Fields<'a>,
}

/// The families of records that share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// An API call, a sign-in, a console or service event: management and data events.
    Log,
    /// A VPC endpoint's view of a call (`eventCategory` NetworkActivity).
    NetworkActivity,
    /// An anomaly of rates, as CloudTrail Insights sees it; no identity in it.
    Insight,
    /// Counts of data events over five minutes; no identity in it.
    Aggregated,
}

/// The top level as found; absent and `null` are alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields<'a> {
    pub(crate) event_time: Option<JsonText<'a>>,
    pub(crate) event_source: Option<JsonText<'a>>,
    pub(crate) event_name: Option<JsonText<'a>>,
    pub(crate) event_type: Option<JsonText<'a>>,
    pub(crate) event_category: Option<JsonText<'a>>,
    pub(crate) event_id: Option<JsonText<'a>>,
    pub(crate) shared_event_id: Option<JsonText<'a>>,
    pub(crate) aws_region: Option<JsonText<'a>>,
    pub(crate) source_ip_address: Option<JsonText<'a>>,
    pub(crate) user_agent: Option<JsonText<'a>>,
    pub(crate) error_code: Option<JsonText<'a>>,
    pub(crate) error_message: Option<JsonText<'a>>,
    pub(crate) recipient_account_id: Option<JsonText<'a>>,
    pub(crate) vpc_endpoint_id: Option<JsonText<'a>>,
    pub(crate) vpc_endpoint_account_id: Option<JsonText<'a>>,
    pub(crate) read_only: Option<JsonText<'a>>,
    pub(crate) session_from_console: Option<JsonText<'a>>,
    pub(crate) identity: UserIdentity<'a>,
    pub(crate) request_parameters: Option<Json<'a>>,
    pub(crate) response_elements: Option<Json<'a>>,
    pub(crate) additional_event_data: Option<Json<'a>>,
    pub(crate) resources: Option<Json<'a>>,
    pub(crate) addendum: Option<Json<'a>>,
    pub(crate) timestamp: Option<JsonText<'a>>,
    pub(crate) wrapped: Option<(Wrapper, Json<'a>)>,
}

/// A top-level key that says: this object is not a record, but holds some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapper {
    /// An array of records or of further wrappers: `Records`, `Events`, `logEvents`.
    Array,
    /// An object that is a record: EventBridge's `detail`.
    Object,
    /// A record as text: `CloudTrailEvent`, `original`, `message`.
    Text,
    /// Base64 of gzip: the `data` of a CloudWatch Logs subscription's `awslogs`.
    Packed,
    /// A digest file, which holds no records.
    Digest,
}

/// Who made the call. All fields are optional, since each is missing somewhere in real logs.
#[derive(Clone, Debug, Default)]
pub struct UserIdentity<'a> {
    pub(crate) written: &'a str,
    pub(crate) hash: u32,
    /// Few of its texts are asked for.
    pub(crate) spans: Spans,
}

/// What a record says of the session of its credentials.
#[derive(Clone, Copy, Debug)]
pub struct SessionContext<'i, 'a> {
    identity: &'i UserIdentity<'a>,
}

/// A text of an identity or of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdentityText {
    Type,
    PrincipalId,
    Arn,
    AccountId,
    AccessKeyId,
    UserName,
    InvokedBy,
    CreationDate,
    SourceIdentity,
    SignInSessionArn,
    IssuerArn,
    IssuerAccountId,
    AssumedRoot,
}

/// How many there are.
const TEXTS: usize = IdentityText::AssumedRoot as usize + 1;

/// Where in an identity as written its texts are, by their numbers: from, to; both zero where there is no
/// such text, since none begins at a brace.
pub(crate) type Spans = [(u32, u32); TEXTS];

/// Whether an error code says that the call was refused for want of permission; see
/// [`Record::is_denied`].
pub fn is_refusal(code: &str) -> bool {
    ["AccessDenied", "Unauthorized", "NotAuthorized", "Forbidden"]
        .iter()
        .any(|word| code.contains(word))
}

impl<'a> Record<'a> {
    /// Room for a record.
    pub(crate) fn blank() -> Self {
        let (id, time) = (EventId::from_bits(0), EventTime::EPOCH);
        Self { raw: "", id, time, kind: RecordKind::Log, fields: Fields::default() }
    }

    /// The record as written.
    pub fn as_written(&self) -> &'a str {
        self.raw
    }
    /// `eventID`, or what stands for it (see [`EventId`]).
    pub fn id(&self) -> EventId {
        self.id
    }
    /// `sharedEventID`: present only when the call was delivered to more than one account.
    pub fn shared_id(&self) -> Option<SharedEventId> {
        self.fields.shared_event_id.map(|text| SharedEventId::of(&text.decode()))
    }
    /// `eventTime`; of records from log shippers that drop it, `@timestamp`.
    pub fn time(&self) -> EventTime {
        self.time
    }
    /// Which family it belongs to.
    pub fn kind(&self) -> RecordKind {
        self.kind
    }
    /// `eventSource`, such as `iam.amazonaws.com`; empty if missing.
    pub fn event_source(&self) -> JsonText<'a> {
        self.fields.event_source.unwrap_or_default()
    }
    /// `eventName`, such as `CreateAccessKey`; empty only in records without identity.
    pub fn event_name(&self) -> JsonText<'a> {
        self.fields.event_name.unwrap_or_default()
    }
    /// Whether this is the event `name` of the service `source` (`sts.amazonaws.com`).
    pub fn is_event(&self, source: &str, name: &str) -> bool {
        self.event_name().is(name) && self.event_source().is(source)
    }
    /// `eventType`, such as `AwsApiCall`.
    pub fn event_type(&self) -> Option<JsonText<'a>> {
        self.fields.event_type
    }
    /// `awsRegion`; made-up names occur in anonymised logs.
    pub fn region(&self) -> Option<JsonText<'a>> {
        self.fields.aws_region
    }
    /// `sourceIPAddress`: an address, a service's DNS name, `AWS Internal`, or nothing.
    pub fn source_ip(&self) -> Option<JsonText<'a>> {
        self.fields.source_ip_address.filter(|text| !text.is_empty())
    }
    /// `userAgent`, up to 1 KB, written by the caller.
    pub fn user_agent(&self) -> Option<JsonText<'a>> {
        self.fields.user_agent
    }
    /// `errorCode`: present when the call failed.
    pub fn error_code(&self) -> Option<JsonText<'a>> {
        self.fields.error_code.filter(|text| !text.is_empty())
    }
    /// `errorMessage`.
    pub fn error_message(&self) -> Option<JsonText<'a>> {
        self.fields.error_message
    }
    /// Whether the call was refused for want of permission, by any service's spelling: for
    /// example `AccessDenied`, `AccessDeniedException`, `Client.UnauthorizedOperation`,
    /// `VpceAccessDenied`.
    pub fn is_denied(&self) -> bool {
        self.error_code().is_some_and(|code| is_refusal(&code.decode()))
    }
    /// `recipientAccountId`: whose trail this copy is from.
    pub fn recipient_account(&self) -> Option<AccountId> {
        AccountId::parse(&self.fields.recipient_account_id?.decode()).ok()
    }
    /// The same as written.
    pub fn recipient_account_text(&self) -> Option<JsonText<'a>> {
        self.fields.recipient_account_id
    }
    /// `vpcEndpointId`.
    pub fn vpc_endpoint(&self) -> Option<JsonText<'a>> {
        self.fields.vpc_endpoint_id.filter(|text| !text.is_empty())
    }
    /// `vpcEndpointAccountId`: the account that the VPC endpoint is in (eventVersion 1.09 and later).
    /// Nothing where AWS called from a VPC of its own: then it reads `AWS Internal` or names a service.
    pub fn vpc_endpoint_account(&self) -> Option<AccountId> {
        AccountId::parse(&self.fields.vpc_endpoint_account_id?.decode()).ok()
    }
    /// The same where it is somebody else's: neither the caller's account nor the one that this copy was
    /// delivered to. Nothing where the record tells neither of these.
    #[inline]
    pub fn foreign_endpoint_account(&self) -> Option<AccountId> {
        let written = self.fields.vpc_endpoint_account_id?.as_written();
        let own = [self.fields.recipient_account_id, self.identity().account_text()];
        // So it is nearly always, and nothing has to be parsed.
        if own.into_iter().flatten().any(|own| own.as_written() == written) {
            return None;
        }
        let own = [self.recipient_account(), self.identity().account()];
        let mut told = own.into_iter().flatten().peekable();
        told.peek()?;
        self.vpc_endpoint_account().filter(|account| told.all(|own| own != *account))
    }
    /// `readOnly`, the service's own opinion: AssumeRole counts as read-only.
    pub fn is_read_only(&self) -> Option<bool> {
        Some(self.fields.read_only?.as_written().eq_ignore_ascii_case("true"))
    }
    /// `sessionCredentialFromConsole`: only ever present when true, and a string.
    pub fn is_from_console(&self) -> bool {
        self.fields
            .session_from_console
            .is_some_and(|text| text.as_written().eq_ignore_ascii_case("true"))
    }
    /// `userIdentity`; all empty when missing.
    pub fn identity(&self) -> &UserIdentity<'a> {
        &self.fields.identity
    }
    /// `requestParameters`, unless missing or null.
    pub fn request(&self) -> Option<Json<'a>> {
        self.fields.request_parameters.filter(|json| !json.is_null())
    }
    /// `responseElements`, unless missing or null. May hold a live `sessionToken`: never keep it.
    pub fn response(&self) -> Option<Json<'a>> {
        self.fields.response_elements.filter(|json| !json.is_null())
    }
    /// `additionalEventData`, unless missing or null.
    pub fn additional(&self) -> Option<Json<'a>> {
        self.fields.additional_event_data.filter(|json| !json.is_null())
    }
    /// `resources`, unless missing.
    pub fn resources(&self) -> Option<Json<'a>> {
        self.fields.resources
    }
    /// The ARNs of `resources`, `ARNPrefix` where S3 writes that instead. Absent in 96 % of
    /// management events.
    pub fn resource_arns(&self) -> impl Iterator<Item = JsonText<'a>> {
        let items = self.resources().into_iter().flat_map(Json::items);
        items.filter_map(|item| {
            let [arn, prefix] =
                item.get_each(["ARN", "ARNPrefix"]).map(|it| it.and_then(Json::text));
            arn.or(prefix)
        })
    }
    /// Of a late correction (`addendum.reason` UPDATED_DATA), the id of the record it corrects.
    pub fn corrects(&self) -> Option<EventId> {
        let addendum = self.fields.addendum?;
        let original = addendum.get_text("originalEventID")?;
        (addendum.get_text("reason")?.is("UPDATED_DATA")).then(|| EventId::of(&original.decode()))
    }
}

impl<'a> UserIdentity<'a> {
    #[inline]
    fn text(&self, which: IdentityText) -> Option<JsonText<'a>> {
        let (from, to) = *self.spans.get(which as usize)?;
        let body = self.written.get(from as usize..to as usize).filter(|_| from > 0)?;
        Some(JsonText::of_body(body))
    }

    /// The same, unless it is empty.
    fn text_told(&self, which: IdentityText) -> Option<JsonText<'a>> {
        self.text(which).filter(|text| !text.is_empty())
    }

    /// The identity as written; empty when missing. All records of a session mostly have the same.
    pub fn as_written(&self) -> &'a str {
        self.written
    }
    /// A hash of how it is written, for looking it up among others.
    pub fn hash(&self) -> u32 {
        self.hash
    }
    /// `type`: AssumedRole, IAMUser, Root, AWSService and others; an open set.
    pub fn kind(&self) -> Option<JsonText<'a>> {
        self.text(IdentityText::Type)
    }
    /// `principalId`: `AROA…:session-name` for roles, `account:name` for federated users.
    pub fn principal_id(&self) -> Option<JsonText<'a>> {
        self.text_told(IdentityText::PrincipalId)
    }
    /// `arn`.
    pub fn arn(&self) -> Option<JsonText<'a>> {
        self.text_told(IdentityText::Arn)
    }
    /// `accountId` of the caller, as written.
    pub fn account_text(&self) -> Option<JsonText<'a>> {
        self.text(IdentityText::AccountId)
    }
    /// `accountId` of the caller.
    pub fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account_text()?.decode()).ok()
    }
    /// `accessKeyId` as written; AWS may leave it out or empty, and shippers mask it.
    pub fn access_key(&self) -> Option<JsonText<'a>> {
        self.text_told(IdentityText::AccessKeyId)
    }
    /// `userName`.
    pub fn user_name(&self) -> Option<JsonText<'a>> {
        self.text_told(IdentityText::UserName)
    }
    /// `invokedBy`: the AWS service that made the call on the identity's behalf.
    pub fn invoked_by(&self) -> Option<JsonText<'a>> {
        self.text_told(IdentityText::InvokedBy)
    }
    /// `sessionContext`.
    pub fn session(&self) -> SessionContext<'_, 'a> {
        SessionContext { identity: self }
    }
}

impl<'a> SessionContext<'_, 'a> {
    /// `attributes.creationDate`, in the extended or the basic form.
    pub fn created(self) -> Option<EventTime> {
        EventTime::parse(&self.identity.text(IdentityText::CreationDate)?.decode())
    }
    /// `sourceIdentity`: on every event of a session that set it.
    pub fn source_identity(self) -> Option<JsonText<'a>> {
        self.identity.text_told(IdentityText::SourceIdentity)
    }
    /// `signInSessionArn`: OAuth and MCP sessions; survives the rotation of keys.
    pub fn sign_in_session_arn(self) -> Option<JsonText<'a>> {
        self.identity.text_told(IdentityText::SignInSessionArn)
    }
    /// `sessionIssuer.arn`: the role (or user) that the session's permissions come from.
    pub fn issuer_arn(self) -> Option<JsonText<'a>> {
        self.identity.text_told(IdentityText::IssuerArn)
    }
    /// `sessionIssuer.accountId`.
    pub fn issuer_account(self) -> Option<AccountId> {
        let text = self.identity.text(IdentityText::IssuerAccountId)?;
        AccountId::parse(&text.decode()).ok()
    }
    /// `assumedRoot`, a string "true": a root session of AssumeRoot.
    pub fn is_assumed_root(self) -> bool {
        self.identity
            .text(IdentityText::AssumedRoot)
            .is_some_and(|text| text.as_written().eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a call by 1111…, delivered to 2222…, with these changes.
    fn foreign(changes: &[(&str, &str)]) -> Option<String> {
        let mut text =
            r#"{"eventTime":"2026-11-20T10:00:00Z","eventID":"a","eventName":"GetObject",
            "userIdentity":{"accountId":"111111111111"},"recipientAccountId":"222222222222",
            "vpcEndpointId":"vpce-0a1b","vpcEndpointAccountId":"333333333333"}"#
                .to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let record = Record::parse(&text).unwrap();
        let found = record.foreign_endpoint_account().map(|account| account.to_string());
        let mut essence = String::new();
        record.write_essence(&mut essence);
        let kept = Record::parse(&essence).unwrap().foreign_endpoint_account();
        assert_eq!(kept.map(|account| account.to_string()), found, "{essence}");
        assert_eq!(essence.contains("vpcEndpointAccountId"), found.is_some());
        found
    }

    #[test]
    fn an_endpoint_is_foreign_where_neither_caller_nor_trail_has_its_account() {
        let theirs = Some("333333333333".to_owned());
        assert_eq!(foreign(&[]), theirs);
        for own in ["111111111111", "222222222222", r"\u0031\u003111111111\u0031"] {
            assert_eq!(foreign(&[("333333333333", own)]), None, "{own}");
        }
        // One of the two is enough to tell by; by none nothing is told.
        let no_caller = (r#""accountId":"111111111111""#, "");
        let no_recipient = (r#""recipientAccountId":"222222222222","#, "");
        assert_eq!(foreign(&[no_caller]), theirs);
        assert_eq!(foreign(&[no_recipient]), theirs);
        assert_eq!(foreign(&[no_caller, no_recipient]), None);
        assert_eq!(foreign(&[("222222222222", "?"), ("111111111111", "HIDDEN")]), None);
    }

    #[test]
    fn what_is_no_account_tells_nothing() {
        for text in [
            r#""""#,
            r#""AWS Internal""#,
            r#""thinclient.amazonaws.com""#,
            // Seen in AWS's own example of a call by Aurora DSQL.
            r#""vpce-1a2b3c4d5e6f1a2b3""#,
            r#""33333333333""#,
            r#""3333333333333""#,
            r#""33333333333 ""#,
            r#""33333333333３""#,
            r#""333333333333@""#,
            "null",
            "{}",
            "[333333333333]",
        ] {
            assert_eq!(foreign(&[(r#""333333333333""#, text)]), None, "{text}");
        }
        assert_eq!(foreign(&[(r#","vpcEndpointAccountId":"333333333333""#, "")]), None);
        // As a number it is one all the same.
        assert!(foreign(&[(r#""333333333333""#, "333333333333")]).is_some());
    }
}
