//! One record, in CloudTrail's order of keys.

use crate::civil;
use crate::json::{Put, fresh_guid};
use crate::rng::Rng;
use crate::template::{Places, expand};

/// A member of a record that may be `null`, a template, or JSON made elsewhere.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    /// The member is not there at all.
    Absent,
    Null,
    Template(&'a str),
    Raw(&'a [u8]),
}

impl Body<'_> {
    fn write(self, out: &mut Vec<u8>, name: &str, places: &Places<'_>, rng: &mut Rng) {
        if matches!(self, Self::Absent) {
            return;
        }
        out.text(",\"");
        out.text(name);
        out.text("\":");
        match self {
            Self::Absent => {}
            Self::Null => out.text("null"),
            Self::Template(template) => expand(out, template, places, rng),
            Self::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// What a record says beside its identity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// Without `.amazonaws.com`.
    pub(crate) source: &'a str,
    pub(crate) name: &'a str,
    pub(crate) read_only: bool,
    pub(crate) category: &'a str,
    pub(crate) event_type: &'a str,
    pub(crate) time: i64,
    pub(crate) region: &'a str,
    /// The account that receives the record.
    pub(crate) recipient: &'a str,
    pub(crate) ip: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) endpoint: Option<&'a str>,
    pub(crate) error: Option<(&'a str, &'a str)>,
    pub(crate) request: Body<'a>,
    pub(crate) response: Body<'a>,
    pub(crate) extra: Body<'a>,
    pub(crate) resources: Body<'a>,
    pub(crate) shared: Option<u128>,
    /// A client of the customer made the call, so there is TLS to tell of.
    pub(crate) tls: bool,
    pub(crate) console: bool,
    /// Members at the very end, as JSON text with a leading comma.
    pub(crate) tail: &'a str,
}

/// Writes the record and returns its event id.
pub(crate) fn write(
    out: &mut Vec<u8>,
    identity: Option<&[u8]>,
    call: &Call<'_>,
    places: &Places<'_>,
    rng: &mut Rng,
) -> u128 {
    out.text(version(call.source));
    if let Some(identity) = identity {
        out.text(",\"userIdentity\":");
        out.extend_from_slice(identity);
    }
    out.text(",\"eventTime\":\"");
    civil::iso(out, call.time);
    out.text("\",\"eventSource\":\"");
    out.text(call.source);
    out.text(".amazonaws.com\",\"eventName\":\"");
    out.text(call.name);
    out.text("\",\"awsRegion\":\"");
    out.text(call.region);
    out.text("\",\"sourceIPAddress\":");
    out.quoted(call.ip);
    out.text(",\"userAgent\":");
    if call.source == "s3" && call.tls {
        out.text("\"[");
        out.escaped(call.user_agent);
        out.text("]\"");
    } else {
        out.quoted(call.user_agent);
    }
    if let Some((code, message)) = call.error {
        out.text(",\"errorCode\":");
        out.quoted(code);
        out.text(",\"errorMessage\":");
        out.quoted(message);
    }
    call.request.write(out, "requestParameters", places, rng);
    call.response.write(out, "responseElements", places, rng);
    call.extra.write(out, "additionalEventData", places, rng);
    if call.event_type == "AwsApiCall" {
        out.text(",\"requestID\":\"");
        if call.source == "s3" {
            out.base32(u128::from(rng.bits()) << 16 | 0xA5, 16);
        } else {
            out.guid(fresh_guid(rng));
        }
        out.push(b'"');
    }
    let event_id = fresh_guid(rng);
    out.text(",\"eventID\":\"");
    out.guid(event_id);
    out.text(if call.read_only { "\",\"readOnly\":true" } else { "\",\"readOnly\":false" });
    call.resources.write(out, "resources", places, rng);
    out.text(",\"eventType\":\"");
    out.text(call.event_type);
    let management = call.category == "Management";
    out.text(if management {
        "\",\"managementEvent\":true"
    } else {
        "\",\"managementEvent\":false"
    });
    out.text(",\"recipientAccountId\":\"");
    out.text(call.recipient);
    out.push(b'"');
    if let Some(shared) = call.shared {
        out.text(",\"sharedEventID\":\"");
        out.guid(shared);
        out.push(b'"');
    }
    if let Some(endpoint) = call.endpoint {
        out.text(",\"vpcEndpointId\":\"");
        out.text(endpoint);
        out.text("\",\"vpcEndpointAccountId\":\"");
        out.text(places.account);
        out.push(b'"');
    }
    out.text(",\"eventCategory\":\"");
    out.text(call.category);
    out.push(b'"');
    if call.tls {
        tls(out, call);
    }
    if call.console {
        out.text(",\"sessionCredentialFromConsole\":\"true\"");
    }
    out.text(call.tail);
    out.push(b'}');
    event_id
}

/// Services moved to new minor versions at their own pace.
fn version(source: &str) -> &'static str {
    match source {
        "sts" | "monitoring" => "{\"eventVersion\":\"1.08\"",
        "ec2" | "logs" | "glue" | "athena" => "{\"eventVersion\":\"1.10\"",
        "lambda" | "iam" | "signin" => "{\"eventVersion\":\"1.09\"",
        _ => "{\"eventVersion\":\"1.11\"",
    }
}

fn tls(out: &mut Vec<u8>, call: &Call<'_>) {
    out.text(",\"tlsDetails\":{\"tlsVersion\":\"TLSv1.3\",\"cipherSuite\":\"TLS_AES_128_GCM_SHA256\",\"clientProvidedHostHeader\":\"");
    out.text(call.source);
    match call.source {
        // One endpoint for the world.
        "iam" | "organizations" => {}
        _ => {
            out.push(b'.');
            out.text(call.region);
        }
    }
    out.text(".amazonaws.com\"");
    if call.source == "s3" || call.source == "kms" {
        out.text(",\"keyExchange\":\"X25519MLKEM768\"");
    }
    out.push(b'}');
}
