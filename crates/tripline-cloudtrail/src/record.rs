//! One CloudTrail record, borrowed from the buffer it was delivered in.
//!
//! Only the top level and `userIdentity` are taken apart; request parameters, response elements
//! and the like stay [`Json`] until somebody asks. Field names and meanings:
//! UG/cloudtrail-event-reference-record-contents and -user-identity (eventVersion 1.11). Fields
//! that are unknown are passed over, since AWS adds some at any time.

use tripline_iam::AccountId;

use crate::identities::Identities;
use crate::ids::{EventId, SharedEventId};
use crate::json::{Cursor, Json, JsonText, Key, Stuck};
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
    pub(crate) kind: Option<JsonText<'a>>,
    pub(crate) principal_id: Option<JsonText<'a>>,
    pub(crate) arn: Option<JsonText<'a>>,
    pub(crate) account_id: Option<JsonText<'a>>,
    pub(crate) access_key_id: Option<JsonText<'a>>,
    pub(crate) user_name: Option<JsonText<'a>>,
    pub(crate) invoked_by: Option<JsonText<'a>>,
    pub(crate) session: SessionContext<'a>,
}

/// How many texts an identity and its session have.
pub(crate) const TEXTS: usize = 13;

/// What a record says of the session of its credentials.
#[derive(Clone, Debug, Default)]
pub struct SessionContext<'a> {
    pub(crate) creation_date: Option<JsonText<'a>>,
    pub(crate) source_identity: Option<JsonText<'a>>,
    pub(crate) sign_in_session_arn: Option<JsonText<'a>>,
    pub(crate) issuer_arn: Option<JsonText<'a>>,
    pub(crate) issuer_account_id: Option<JsonText<'a>>,
    pub(crate) assumed_root: Option<JsonText<'a>>,
}

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
        let own = [self.fields.recipient_account_id, self.fields.identity.account_id];
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
    /// Every text, present or not.
    #[inline]
    pub(crate) fn texts(&mut self) -> [&mut Option<JsonText<'a>>; TEXTS] {
        let session = &mut self.session;
        [
            &mut self.kind,
            &mut self.principal_id,
            &mut self.arn,
            &mut self.account_id,
            &mut self.access_key_id,
            &mut self.user_name,
            &mut self.invoked_by,
            &mut session.creation_date,
            &mut session.source_identity,
            &mut session.sign_in_session_arn,
            &mut session.issuer_arn,
            &mut session.issuer_account_id,
            &mut session.assumed_root,
        ]
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
        self.kind
    }
    /// `principalId`: `AROA…:session-name` for roles, `account:name` for federated users.
    pub fn principal_id(&self) -> Option<JsonText<'a>> {
        self.principal_id.filter(|text| !text.is_empty())
    }
    /// `arn`.
    pub fn arn(&self) -> Option<JsonText<'a>> {
        self.arn.filter(|text| !text.is_empty())
    }
    /// `accountId` of the caller.
    pub fn account(&self) -> Option<AccountId> {
        AccountId::parse(&self.account_id?.decode()).ok()
    }
    /// `accessKeyId` as written; AWS may leave it out or empty, and shippers mask it.
    pub fn access_key(&self) -> Option<JsonText<'a>> {
        self.access_key_id.filter(|text| !text.is_empty())
    }
    /// `userName`.
    pub fn user_name(&self) -> Option<JsonText<'a>> {
        self.user_name.filter(|text| !text.is_empty())
    }
    /// `invokedBy`: the AWS service that made the call on the identity's behalf.
    pub fn invoked_by(&self) -> Option<JsonText<'a>> {
        self.invoked_by.filter(|text| !text.is_empty())
    }
    /// `sessionContext`.
    pub fn session(&self) -> &SessionContext<'a> {
        &self.session
    }
}

impl<'a> SessionContext<'a> {
    /// `attributes.creationDate`, in the extended or the basic form.
    pub fn created(&self) -> Option<EventTime> {
        EventTime::parse(&self.creation_date?.decode())
    }
    /// `sourceIdentity`: on every event of a session that set it.
    pub fn source_identity(&self) -> Option<JsonText<'a>> {
        self.source_identity.filter(|text| !text.is_empty())
    }
    /// `signInSessionArn`: OAuth and MCP sessions; survives the rotation of keys.
    pub fn sign_in_session_arn(&self) -> Option<JsonText<'a>> {
        self.sign_in_session_arn.filter(|text| !text.is_empty())
    }
    /// `sessionIssuer.arn`: the role (or user) that the session's permissions come from.
    pub fn issuer_arn(&self) -> Option<JsonText<'a>> {
        self.issuer_arn.filter(|text| !text.is_empty())
    }
    /// `sessionIssuer.accountId`.
    pub fn issuer_account(&self) -> Option<AccountId> {
        AccountId::parse(&self.issuer_account_id?.decode()).ok()
    }
    /// `assumedRoot`, a string "true": a root session of AssumeRoot.
    pub fn is_assumed_root(&self) -> bool {
        self.assumed_root.is_some_and(|text| text.as_written().eq_ignore_ascii_case("true"))
    }
}

/// The top level of the object at the cursor, which stands behind its opening brace; afterwards it
/// stands behind the closing one. Of a key that comes twice the last counts.
pub(crate) fn fields<'a>(
    cursor: &mut Cursor<'a>,
    identities: &mut Identities,
    fields: &mut Fields<'a>,
) -> Result<(), Stuck> {
    while let Some(key) = cursor.key()? {
        if key.is("userIdentity") {
            identities.read(cursor, &mut fields.identity)?;
        } else if let Some(slot) = text_slot(key, fields) {
            *slot = cursor.text_value()?;
        } else if let Some(slot) = json_slot(key, fields) {
            *slot = Some(cursor.value()?);
        } else {
            let value = cursor.value()?;
            if let Some(wrapper) = wrapper(key, value) {
                fields.wrapped.get_or_insert((wrapper, value));
            }
        }
    }
    Ok(())
}

/// The place of a top-level text. By the length of its key first, which leaves few to compare with.
#[inline(always)]
fn text_slot<'f, 'a>(
    key: Key<'a>,
    fields: &'f mut Fields<'a>,
) -> Option<&'f mut Option<JsonText<'a>>> {
    Some(match key.len() {
        7 if key.is("eventID") => &mut fields.event_id,
        8 if key.is("readOnly") => &mut fields.read_only,
        9 if key.is("eventTime") => &mut fields.event_time,
        9 if key.is("eventName") => &mut fields.event_name,
        9 if key.is("awsRegion") => &mut fields.aws_region,
        9 if key.is("userAgent") => &mut fields.user_agent,
        9 if key.is("errorCode") => &mut fields.error_code,
        9 if key.is("eventType") => &mut fields.event_type,
        10 if key.is("@timestamp") => &mut fields.timestamp,
        11 if key.is("eventSource") => &mut fields.event_source,
        12 if key.is("errorMessage") => &mut fields.error_message,
        13 if key.is("sharedEventID") => &mut fields.shared_event_id,
        13 if key.is("eventCategory") => &mut fields.event_category,
        13 if key.is("vpcEndpointId") => &mut fields.vpc_endpoint_id,
        15 if key.is("sourceIPAddress") => &mut fields.source_ip_address,
        18 if key.is("recipientAccountId") => &mut fields.recipient_account_id,
        20 if key.is("vpcEndpointAccountId") => &mut fields.vpc_endpoint_account_id,
        28 if key.is("sessionCredentialFromConsole") => &mut fields.session_from_console,
        _ => return None,
    })
}

/// The place of a top-level value that stays JSON.
#[inline(always)]
fn json_slot<'f, 'a>(key: Key<'a>, fields: &'f mut Fields<'a>) -> Option<&'f mut Option<Json<'a>>> {
    Some(match key.len() {
        8 if key.is("addendum") => &mut fields.addendum,
        9 if key.is("resources") => &mut fields.resources,
        16 if key.is("responseElements") => &mut fields.response_elements,
        17 if key.is("requestParameters") => &mut fields.request_parameters,
        19 if key.is("additionalEventData") => &mut fields.additional_event_data,
        _ => return None,
    })
}

/// Whether a key that no record has, with this value, wraps records.
#[inline(always)]
fn wrapper(key: Key<'_>, value: Json<'_>) -> Option<Wrapper> {
    let starts = |byte| value.as_written().as_bytes().first() == Some(&byte);
    match key {
        _ if key.is("Records") || key.is("Events") || key.is("logEvents") => {
            starts(b'[').then_some(Wrapper::Array)
        }
        _ if key.is("detail") => starts(b'{').then_some(Wrapper::Object),
        _ if key.is("CloudTrailEvent") || key.is("original") || key.is("message") => {
            starts(b'"').then_some(Wrapper::Text)
        }
        _ if key.is("awslogs") => starts(b'{').then_some(Wrapper::Packed),
        _ if key.is("digestS3Object") => starts(b'"').then_some(Wrapper::Digest),
        _ => None,
    }
}

/// The identity at the cursor, taken apart; all empty if it is no object.
pub(crate) fn identity<'a>(cursor: &mut Cursor<'a>) -> Result<UserIdentity<'a>, Stuck> {
    let mut identity = UserIdentity::default();
    if !cursor.enter_object()? {
        return Ok(identity);
    }
    while let Some(key) = cursor.key()? {
        let slot = match key {
            _ if key.is("type") => &mut identity.kind,
            _ if key.is("principalId") => &mut identity.principal_id,
            _ if key.is("arn") => &mut identity.arn,
            _ if key.is("accountId") => &mut identity.account_id,
            _ if key.is("accessKeyId") => &mut identity.access_key_id,
            _ if key.is("userName") => &mut identity.user_name,
            _ if key.is("invokedBy") => &mut identity.invoked_by,
            _ if key.is("sessionContext") => {
                session_context(cursor, &mut identity.session)?;
                continue;
            }
            _ => {
                cursor.value()?;
                continue;
            }
        };
        *slot = cursor.text_value()?;
    }
    Ok(identity)
}

fn session_context<'a>(
    cursor: &mut Cursor<'a>,
    session: &mut SessionContext<'a>,
) -> Result<(), Stuck> {
    if !cursor.enter_object()? {
        return Ok(());
    }
    while let Some(key) = cursor.key()? {
        match key {
            _ if key.is("sessionIssuer") => session_issuer(cursor, session)?,
            _ if key.is("attributes") => {
                // One member of two or three is wanted.
                session.creation_date = cursor.value()?.get_text("creationDate");
            }
            _ if key.is("sourceIdentity") => session.source_identity = cursor.text_value()?,
            _ if key.is("signInSessionArn") => session.sign_in_session_arn = cursor.text_value()?,
            _ if key.is("assumedRoot") => session.assumed_root = cursor.text_value()?,
            _ => {
                cursor.value()?;
            }
        }
    }
    Ok(())
}

fn session_issuer<'a>(
    cursor: &mut Cursor<'a>,
    session: &mut SessionContext<'a>,
) -> Result<(), Stuck> {
    if !cursor.enter_object()? {
        return Ok(());
    }
    while let Some(key) = cursor.key()? {
        match key {
            _ if key.is("arn") => session.issuer_arn = cursor.text_value()?,
            _ if key.is("accountId") => session.issuer_account_id = cursor.text_value()?,
            _ => {
                cursor.value()?;
            }
        }
    }
    Ok(())
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
