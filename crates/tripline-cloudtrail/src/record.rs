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

/// The top level of the object at the cursor, which stands behind its opening brace; afterwards it
/// stands behind the closing one. Of a key that comes twice the last counts.
pub(crate) fn fields<'a>(
    cursor: &mut Cursor<'a>,
    identities: &mut Identities,
    fields: &mut Fields<'a>,
) -> Result<(), Stuck> {
    let mut are_usual = true;
    loop {
        // Where no key stands as usual, as in a record whose keys were sorted, none is looked for again.
        are_usual = are_usual && usual_fields(cursor, identities, fields)?;
        if !field(cursor, identities, fields)? {
            return Ok(());
        }
    }
}

/// The next member, whatever it is; whether there was one.
#[inline(always)]
fn field<'a>(
    cursor: &mut Cursor<'a>,
    identities: &mut Identities,
    fields: &mut Fields<'a>,
) -> Result<bool, Stuck> {
    let Some(key) = cursor.key()? else { return Ok(false) };
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
    Ok(true)
}

/// Reads on from the cursor as long as the keys that CloudTrail writes come next, compact and in its order;
/// whether any did. A key that is left out costs one comparison, and one that is there about half of what
/// [`field`] takes, which finds out which it is; what does not come so is left to that.
#[inline(always)]
fn usual_fields<'a>(
    cursor: &mut Cursor<'a>,
    identities: &mut Identities,
    fields: &mut Fields<'a>,
) -> Result<bool, Stuck> {
    let from = cursor.at;
    macro_rules! text {
        ($key:literal, $slot:ident) => {
            if cursor.steps_over(concat!(",\"", $key, "\":\"")) {
                fields.$slot = Some(cursor.string_body()?);
            }
        };
    }
    macro_rules! json {
        ($key:literal, $slot:ident) => {
            if cursor.steps_to_value(concat!(",\"", $key, "\":")) {
                fields.$slot = Some(cursor.value()?);
            }
        };
    }
    if cursor.steps_over("\"eventVersion\":\"") {
        cursor.string_body()?;
    }
    // What is kept of a record begins with it.
    if cursor.steps_to_value(",\"userIdentity\":") || cursor.steps_to_value("\"userIdentity\":") {
        identities.read(cursor, &mut fields.identity)?;
    }
    text!("eventTime", event_time);
    text!("eventSource", event_source);
    text!("eventName", event_name);
    text!("awsRegion", aws_region);
    text!("sourceIPAddress", source_ip_address);
    text!("userAgent", user_agent);
    text!("errorCode", error_code);
    text!("errorMessage", error_message);
    json!("requestParameters", request_parameters);
    // Of most calls there are none.
    if cursor.steps_over(",\"responseElements\":null") {
        fields.response_elements = Some(Json::NULL);
    }
    json!("responseElements", response_elements);
    json!("additionalEventData", additional_event_data);
    if cursor.steps_over(",\"requestID\":\"") {
        cursor.string_body()?;
    }
    text!("eventID", event_id);
    for literal in [",\"readOnly\":true", ",\"readOnly\":false"] {
        if cursor.steps_over(literal) {
            fields.read_only = literal.get(",\"readOnly\":".len()..).map(JsonText::of_body);
        }
    }
    json!("resources", resources);
    text!("eventType", event_type);
    for literal in [",\"managementEvent\":true", ",\"managementEvent\":false"] {
        cursor.steps_over(literal);
    }
    text!("recipientAccountId", recipient_account_id);
    text!("sharedEventID", shared_event_id);
    text!("vpcEndpointId", vpc_endpoint_id);
    text!("vpcEndpointAccountId", vpc_endpoint_account_id);
    text!("eventCategory", event_category);
    if cursor.steps_to_value(",\"tlsDetails\":") {
        cursor.value()?;
    }
    Ok(cursor.at > from)
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
    let (rest, from) = (cursor.rest(), cursor.at);
    let mut texts = IdentityTexts { rest, spans: Spans::default() };
    if cursor.enter_object()? {
        texts.read(cursor)?;
    }
    let written = rest.get(..cursor.at - from).unwrap_or_default();
    Ok(UserIdentity { written, hash: 0, spans: texts.spans })
}

/// The texts of the identity at the beginning of `rest`, as far as they were read. Of a key that comes twice
/// the last counts.
struct IdentityTexts<'a> {
    rest: &'a str,
    spans: Spans,
}

impl<'a> IdentityTexts<'a> {
    /// Reads the identity whose inside is at the cursor.
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Stuck> {
        while let Some(key) = cursor.key()? {
            let which = match key {
                _ if key.is("type") => IdentityText::Type,
                _ if key.is("principalId") => IdentityText::PrincipalId,
                _ if key.is("arn") => IdentityText::Arn,
                _ if key.is("accountId") => IdentityText::AccountId,
                _ if key.is("accessKeyId") => IdentityText::AccessKeyId,
                _ if key.is("userName") => IdentityText::UserName,
                _ if key.is("invokedBy") => IdentityText::InvokedBy,
                _ if key.is("sessionContext") => {
                    self.read_session(cursor)?;
                    continue;
                }
                _ => {
                    cursor.value()?;
                    continue;
                }
            };
            self.text(which, cursor)?;
        }
        Ok(())
    }

    fn read_session(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Stuck> {
        if !cursor.enter_object()? {
            return Ok(());
        }
        while let Some(key) = cursor.key()? {
            match key {
                _ if key.is("sessionIssuer") => self.read_issuer(cursor)?,
                _ if key.is("attributes") => {
                    // One member of two or three is wanted.
                    let created = cursor.value()?.get_text("creationDate");
                    self.note(IdentityText::CreationDate, created);
                }
                _ if key.is("sourceIdentity") => self.text(IdentityText::SourceIdentity, cursor)?,
                _ if key.is("signInSessionArn") => {
                    self.text(IdentityText::SignInSessionArn, cursor)?;
                }
                _ if key.is("assumedRoot") => self.text(IdentityText::AssumedRoot, cursor)?,
                _ => {
                    cursor.value()?;
                }
            }
        }
        Ok(())
    }

    fn read_issuer(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Stuck> {
        if !cursor.enter_object()? {
            return Ok(());
        }
        while let Some(key) = cursor.key()? {
            match key {
                _ if key.is("arn") => self.text(IdentityText::IssuerArn, cursor)?,
                _ if key.is("accountId") => self.text(IdentityText::IssuerAccountId, cursor)?,
                _ => {
                    cursor.value()?;
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, which: IdentityText, cursor: &mut Cursor<'a>) -> Result<(), Stuck> {
        let text = cursor.text_value()?;
        self.note(which, text);
        Ok(())
    }

    fn note(&mut self, which: IdentityText, text: Option<JsonText<'a>>) {
        let span = |text: JsonText<'_>| {
            let body = text.as_written();
            let from = body.as_ptr().addr().saturating_sub(self.rest.as_ptr().addr());
            // INVARIANT: the longest record that is read has a few megabytes.
            (from as u32, (from + body.len()) as u32)
        };
        let span = text.map_or((0, 0), span);
        if let Some(place) = self.spans.get_mut(which as usize) {
            *place = span;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    /// Members of a record, those that are usual and others; any of them, and half the time in their order.
    fn members() -> impl Strategy<Value = String> {
        let keys = [
            "eventVersion",
            "userIdentity",
            "eventTime",
            "eventSource",
            "eventName",
            "awsRegion",
            "sourceIPAddress",
            "userAgent",
            "errorCode",
            "errorMessage",
            "requestParameters",
            "responseElements",
            "additionalEventData",
            "requestID",
            "eventID",
            "readOnly",
            "resources",
            "eventType",
            "apiVersion",
            "managementEvent",
            "recipientAccountId",
            "sharedEventID",
            "vpcEndpointId",
            "vpcEndpointAccountId",
            "eventCategory",
            "sessionCredentialFromConsole",
            "tlsDetails",
            "eventI",
            "readOnlys",
            "Records",
            "detail",
            "eventNam\\u0065",
        ];
        let text = prop::sample::select(vec![r#""x\"y""#, r#""""#, r#""é""#]);
        let other = ["null", "true", "truex", "false", "7", "[]", r#"{"arn":"b","a":["}é"]}"#];
        let value = prop_oneof![text, prop::sample::select(other.to_vec())];
        let blank = || prop_oneof![8 => Just(""), 1 => Just(" "), 1 => Just("\n")];
        let comma = prop_oneof![16 => Just(","), 1 => Just(""), 1 => Just(",,")];
        let around = (blank(), comma, blank(), blank(), blank());
        let members = prop::collection::vec((0..keys.len(), value, around), 0..40);
        (members, any::<[bool; 2]>()).prop_map(move |(mut members, [are_in_order, has_version])| {
            if are_in_order {
                members.sort_by_key(|(nth, ..)| *nth);
            }
            let mut text = if has_version { r#""eventVersion":"1.11""# } else { "" }.to_owned();
            for (nth, value, (before, comma, after, behind_key, behind_colon)) in members {
                let comma = if text.is_empty() { "" } else { comma };
                let key = keys[nth];
                text.push_str(&format!(
                    "{before}{comma}{after}\"{key}\"{behind_key}:{behind_colon}{value}"
                ));
            }
            text.push('}');
            text
        })
    }

    /// What the fields are, read with keys looked for where they usually are, and without.
    fn both_ways(text: &str) -> [Result<(usize, String), Stuck>; 2] {
        let read = |how: &dyn Fn(&mut Cursor<'_>) -> Result<String, Stuck>| {
            let mut cursor = Cursor::new(text);
            how(&mut cursor).map(|fields| (cursor.at, fields))
        };
        let usually = read(&|cursor| {
            let mut all = Fields::default();
            fields(cursor, &mut Identities::default(), &mut all)?;
            Ok(format!("{all:?}"))
        });
        let otherwise = read(&|cursor| {
            let mut all = Fields::default();
            while field(cursor, &mut Identities::default(), &mut all)? {}
            Ok(format!("{all:?}"))
        });
        [usually, otherwise]
    }

    proptest! {
        #[test]
        fn where_keys_usually_are_is_read_what_is_there(members in members(), cut in 0.0..2.0_f64) {
            let cut = members.floor_char_boundary((members.len() as f64 * cut) as usize);
            let [usually, otherwise] = both_ways(members.get(..cut).unwrap_or(&members));
            prop_assert_eq!(usually, otherwise);
        }
    }

    #[test]
    fn blanks_around_usual_keys_change_nothing() {
        for text in [
            r#""userIdentity": {"arn":"x"},"eventTime":"t"}"#,
            "\"eventVersion\":\"1\",\"requestParameters\": {},\"resources\":\t[]}",
            "\"eventVersion\":\"1\",\"responseElements\": null,\"tlsDetails\":\n{}}",
            r#""eventVersion":"1","requestParameters": "#,
            r#""eventVersion":"1","readOnly":truex,"eventID":"é"}"#,
        ] {
            let [usually, otherwise] = both_ways(text);
            assert_eq!(usually, otherwise, "{text}");
        }
    }

    #[test]
    fn a_record_as_cloudtrail_writes_it_has_all_its_keys_where_they_usually_are() {
        let text = r#""eventVersion":"1.11","userIdentity":{},"eventTime":"t","eventSource":"s",
            "eventName":"n","awsRegion":"r","sourceIPAddress":"i","userAgent":"u","errorCode":"c",
            "errorMessage":"m","requestParameters":{},"responseElements":{},"additionalEventData":{},
            "requestID":"q","eventID":"e","readOnly":true,"resources":[],"eventType":"y",
            "managementEvent":false,"recipientAccountId":"a","sharedEventID":"h","vpcEndpointId":"v",
            "vpcEndpointAccountId":"w","eventCategory":"g","tlsDetails":{}}"#;
        let text: String = text.lines().map(str::trim_start).collect();
        let (mut cursor, mut fields) = (Cursor::new(&text), Fields::default());
        assert_eq!(usual_fields(&mut cursor, &mut Identities::default(), &mut fields), Ok(true));
        assert_eq!(cursor.rest(), "}");
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
