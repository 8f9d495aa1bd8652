//! What of a record is kept while it waits for its agent to be known: a third of its text.

use crate::json::{Json, JsonText};
use crate::record::Record;

impl Record<'_> {
    /// Writes a record, as JSON, that shows the same call: who made it but for the session, what was
    /// asked for, from where, and how it ended. The service's answer is left out, and what else only
    /// minting and attributing need. Empty for a record without an id, which is known by its whole text.
    pub fn write_essence(&self, out: &mut String) {
        let fields = &self.fields;
        if fields.event_id.is_none_or(JsonText::is_empty) {
            return;
        }
        // Nobody asks for the account of an endpoint of one's own.
        let endpoint_account =
            fields.vpc_endpoint_account_id.filter(|_| self.foreign_endpoint_account().is_some());
        // In the order of records, in which they are read fastest.
        out.push_str("{\"userIdentity\":{");
        member(out, "\"arn\":\"", self.identity().arn());
        member(out, "\"accountId\":\"", self.identity().account_text());
        close(out);
        out.push(',');
        member(out, "\"eventTime\":\"", fields.event_time.or(fields.timestamp));
        member(out, "\"eventSource\":\"", fields.event_source);
        member(out, "\"eventName\":\"", fields.event_name);
        member(out, "\"awsRegion\":\"", fields.aws_region);
        member(out, "\"sourceIPAddress\":\"", fields.source_ip_address);
        member(out, "\"userAgent\":\"", fields.user_agent);
        member(out, "\"errorCode\":\"", fields.error_code);
        json(out, "\"requestParameters\":", self.request());
        json(out, "\"additionalEventData\":", self.additional());
        member(out, "\"eventID\":\"", fields.event_id);
        json(out, "\"resources\":", fields.resources);
        member(out, "\"eventType\":\"", fields.event_type);
        member(out, "\"recipientAccountId\":\"", fields.recipient_account_id);
        member(out, "\"vpcEndpointId\":\"", fields.vpc_endpoint_id);
        member(out, "\"vpcEndpointAccountId\":\"", endpoint_account);
        close(out);
    }
}

/// Scalars become strings, which makes no difference to those who read them.
fn member(out: &mut String, key: &str, text: Option<JsonText<'_>>) {
    if let Some(text) = text {
        out.push_str(key);
        out.push_str(text.as_written());
        out.push_str("\",");
    }
}

/// A value that stays as it was written.
fn json(out: &mut String, key: &str, value: Option<Json<'_>>) {
    if let Some(value) = value {
        out.push_str(key);
        out.push_str(value.as_written());
        out.push(',');
    }
}

/// Ends an object, in place of the comma behind its last member.
fn close(out: &mut String) {
    if out.ends_with(',') {
        out.pop();
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_is_made_of_is_kept_as_written() {
        let text = r#"{"userIdentity":{"type":"AssumedRole","arn":"arn:x","accountId":"123456789012",
            "accessKeyId":"ASIAK"},"eventTime":"2026-11-20T10:00:00Z","eventSource":"s3.amazonaws.com",
            "eventName":"Get\"Object","awsRegion":7,"sourceIPAddress":"10.0.0.1","userAgent":"",
            "errorCode":null,"requestParameters":{"key":"b,}"},"responseElements":{"secret":1},
            "additionalEventData":{"bytesTransferredOut":243.0},"eventID":"i","readOnly":true,
            "resources":[{"ARN":"arn:y"}],"requestID":"r","recipientAccountId":"210987654321"}"#;
        let record = Record::parse(text).unwrap();
        let mut essence = String::new();
        record.write_essence(&mut essence);
        assert_eq!(
            essence,
            r#"{"userIdentity":{"arn":"arn:x","accountId":"123456789012"},"#.to_owned()
                + r#""eventTime":"2026-11-20T10:00:00Z","eventSource":"s3.amazonaws.com","#
                + r#""eventName":"Get\"Object","awsRegion":"7","sourceIPAddress":"10.0.0.1","#
                + r#""userAgent":"","requestParameters":{"key":"b,}"},"#
                + r#""additionalEventData":{"bytesTransferredOut":243.0},"#
                + r#""eventID":"i","resources":[{"ARN":"arn:y"}],"#
                + r#""recipientAccountId":"210987654321"}"#
        );
        let again = Record::parse(&essence).unwrap();
        assert_eq!((again.id(), again.time()), (record.id(), record.time()));
        let mut twice = String::new();
        again.write_essence(&mut twice);
        assert_eq!(twice, essence);
    }

    #[test]
    fn a_record_that_is_known_by_its_text_has_none() {
        let mut essence = String::new();
        let text = r#"{"eventTime":"2026-11-20T10:00:00Z","eventName":"X"}"#;
        Record::parse(text).unwrap().write_essence(&mut essence);
        assert_eq!(essence, "");
    }
}
