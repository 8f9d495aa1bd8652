//! The members of a record's text, and of its identity's, each to its place.

use crate::identities::Identities;
use crate::json::{Cursor, Json, JsonText, Key, Stuck};
use crate::record::{Fields, IdentityText, Spans, UserIdentity, Wrapper};

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
}
