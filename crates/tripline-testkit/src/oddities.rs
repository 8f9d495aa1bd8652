//! Every oddity that public logs have, one record each, and strings that somebody hostile would write.

use crate::json::Put;

/// One record a line. The event id ends in the oddity's number.
#[must_use]
pub fn ndjson() -> Vec<u8> {
    let mut out = Vec::new();
    for (number, odd) in oddities().iter().enumerate() {
        record(&mut out, number + 1, odd);
    }
    out
}

/// The members that differ from a plain record; `None` leaves a member out.
#[derive(Clone, Debug)]
struct Odd {
    identity: Option<String>,
    time: Option<&'static str>,
    user_agent: String,
    error: Option<String>,
    request: &'static str,
    more: String,
}

const USER: &str = r#"{"type":"IAMUser","principalId":"AIDAODDITY0000000USER","arn":"arn:aws:iam::111122223333:user/odd","accountId":"111122223333","accessKeyId":"AKIAODDITY00000EXAMP","userName":"odd"}"#;
const PLAIN: &str = r#","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}"#;

impl Default for Odd {
    fn default() -> Self {
        Self {
            identity: Some(USER.to_owned()),
            time: Some("\"2026-11-20T10:00:00Z\""),
            user_agent: "aws-cli/2.36.1".to_owned(),
            error: None,
            request: r#"{"maxResults":5}"#,
            more: PLAIN.to_owned(),
        }
    }
}

fn record(out: &mut Vec<u8>, number: usize, odd: &Odd) {
    out.text("{\"eventVersion\":\"1.08\"");
    if let Some(identity) = &odd.identity {
        out.text(&format!(",\"userIdentity\":{identity}"));
    }
    if let Some(time) = odd.time {
        out.text(&format!(",\"eventTime\":{time}"));
    }
    out.text(",\"eventSource\":\"ec2.amazonaws.com\",\"eventName\":\"DescribeInstances\",\"awsRegion\":\"apiso-centralnorth-2r\",\"sourceIPAddress\":\"192.0.2.9\",\"userAgent\":");
    out.quoted(&odd.user_agent);
    if let Some(error) = &odd.error {
        out.text(",\"errorCode\":\"AccessDenied\",\"errorMessage\":");
        out.quoted(error);
    }
    out.text(&format!(
        ",\"requestParameters\":{},\"responseElements\":null,\"requestID\":\"0dd17e57-0000-4000-9000-{number:012}\",\"eventID\":\"0dd17e57-0000-4000-8000-{number:012}\"",
        odd.request
    ));
    out.text(&odd.more);
    out.push(b'\n');
}

fn plain() -> Odd {
    Odd::default()
}

fn identity(text: &str) -> Odd {
    Odd { identity: Some(text.to_owned()), ..plain() }
}

fn time(text: &'static str) -> Odd {
    Odd { time: Some(text), ..plain() }
}

fn more(text: &str) -> Odd {
    Odd { more: format!("{text}{PLAIN}"), ..plain() }
}

fn role_with_session_name(name: &str) -> Odd {
    let mut text = b"{\"type\":\"AssumedRole\",\"principalId\":".to_vec();
    text.quoted(&format!("AROAODDITY0000000ROLE:{name}"));
    text.text(",\"arn\":");
    text.quoted(&format!("arn:aws:sts::111122223333:assumed-role/AgentRuntime/{name}"));
    text.text(r#","accountId":"111122223333","accessKeyId":"ASIAODDITY00000EXAMP","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAODDITY0000000ROLE","arn":"arn:aws:iam::111122223333:role/AgentRuntime","accountId":"111122223333","userName":"AgentRuntime"},"attributes":{"creationDate":"2026-11-20T09:00:00Z","mfaAuthenticated":"false"}}}"#);
    identity(&crate::json::lossless(text))
}

fn oddities() -> Vec<Odd> {
    let hostile = "\u{1b}[2J\u{1b}[31mkill approved\u{1b}[0m \u{202e}gnihtyreve\u{2066}\u{200b}\r\n<!channel> <script>alert(1)</script> ${aws:username} *?";
    vec![
        // Booleans as strings.
        Odd { more: r#","readOnly":"true","eventType":"AwsApiCall","managementEvent":"true","recipientAccountId":"111122223333","eventCategory":"Management"}"#.to_owned(), ..plain() },
        // Times: fraction, offset, basic, seconds, milliseconds as a string, and none.
        time("\"2026-11-20T10:00:01.250Z\""),
        time("\"2026-11-20T11:00:02+01:00\""),
        time("\"20261120T100003Z\""),
        time("1795168804"),
        time("\"1795168805000\""),
        Odd { time: None, ..more(r#","@timestamp":"2026-11-20T10:00:06.000Z""#) },
        Odd { time: None, ..plain() },
        time("\"yesterday\""),
        // Parameters: null, the text null, a JSON string, an array, empty.
        Odd { request: "null", ..plain() },
        Odd { request: "\"null\"", ..plain() },
        Odd { request: r#""{\"maxResults\":5}""#, ..plain() },
        Odd { request: "[]", ..plain() },
        Odd { request: "{}", ..plain() },
        // Resources: a string, a prefix, items without type or account, null, an object.
        more(r#","resources":"arn:aws:s3:::example""#),
        more(r#","resources":[{"ARNPrefix":"arn:aws:s3:::example/","type":"AWS::S3::Object"}]"#),
        more(r#","resources":[{"ARN":"arn:aws:ssm:us-east-1:111122223333:parameter/x","accountId":"111122223333"}]"#),
        more(r#","resources":[{"ARN":"arn:aws:s3:::example","type":"AWS::S3::Bucket"},{}]"#),
        more(r#","resources":null"#),
        more(r#","resources":{"ARN":"arn:aws:s3:::example"}"#),
        // Byte counts as floats and as strings.
        more(r#","additionalEventData":{"bytesTransferredIn":0.0,"bytesTransferredOut":243.0}"#),
        more(r#","additionalEventData":{"bytesTransferredIn":"0","bytesTransferredOut":1e9}"#),
        // Identities: missing, null, empty, without type, without arn, masked, empty key, unknown type.
        Odd { identity: None, ..plain() },
        identity("null"),
        identity("{}"),
        identity(r#"{"accountId":"111122223333","invokedBy":"AWS Internal"}"#),
        identity(r#"{"type":"IAMUser","principalId":"AIDAODDITY0000000USER","accountId":"111122223333","accessKeyId":"AKIA****","userName":"odd"}"#),
        identity(r#"{"type":"IAMUser","principalId":"AIDAODDITY0000000USER","arn":"arn:aws:iam::111122223333:user/odd","accountId":"111122223333","accessKeyId":"","userName":"odd"}"#),
        identity(r#"{"type":"SomethingNew","principalId":"x","accountId":"111122223333"}"#),
        identity(r#"{"type":"IAMUser","principalId":"AIDAODDITY0000000USER","arn":"arn:aws:iam::111122223333:user/odd","accountId":"111122223333","accessKeyId":"ASIAODDITY00001EXAMP","userName":"odd","sessionContext":{"sessionIssuer":{},"webIdFederationData":{},"attributes":{"creationDate":"20261120T090000Z","mfaAuthenticated":true}}}"#),
        identity("\"arn:aws:iam::111122223333:user/odd\""),
        // Hostile strings wherever a caller chooses one.
        Odd { user_agent: hostile.to_owned(), ..plain() },
        Odd { error: Some(hostile.to_owned()), ..plain() },
        role_with_session_name(hostile),
        role_with_session_name("../../../etc/passwd"),
        role_with_session_name("=HYPERLINK(\"http://203.0.113.9/\")"),
        Odd { user_agent: "x".repeat(70_000), ..plain() },
        // Members twice, unknown members, an unknown event type, a record of the wrong version.
        more(r#","eventName":"TerminateInstances","surprise":{"a":[1,2,{"b":null}]}"#),
        Odd { more: PLAIN.replace("AwsApiCall", "AwsSomethingNew"), ..plain() },
        more(r#","eventVersion":"2.0""#),
        // A lone surrogate, which is JSON and no Unicode.
        Odd { request: r#"{"name":"\ud83d","other":"\u0000"}"#, ..plain() },
    ]
}
