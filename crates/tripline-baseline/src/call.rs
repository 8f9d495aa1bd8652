//! What a record did, owned and compact: the form in which a record is kept until its agent is
//! known, and in which scope and baseline look at it.

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::{EventId, EventTime, Record};
use tripline_iam::{AccountId, Action, Region};
use tripline_text::Untrusted;

use crate::bytes::bytes_out;
use crate::network::Network;
use crate::resources;
use crate::user_agent::UserAgentFamily;

/// One call, taken out of the record that tells of it.
///
/// Nothing secret is kept: of the parameters only names of resources, of the response nothing. Its
/// serialisation is for this program's own files (spill), which only this program reads back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The record's id.
    pub id: EventId,
    /// When the call completed.
    pub time: EventTime,
    /// Whose trail this copy is from.
    pub account: Option<AccountId>,
    /// Whose principal called.
    pub caller_account: Option<AccountId>,
    /// Where; missing if the record says none or something that is no Region's name.
    pub region: Option<Region>,
    /// Such as `iam.amazonaws.com`.
    #[serde(with = "tripline_text::stored")]
    pub event_source: Untrusted<'static>,
    /// Such as `CreateAccessKey`.
    #[serde(with = "tripline_text::stored")]
    pub event_name: Untrusted<'static>,
    /// The IAM action that this event stands for.
    pub action: Action,
    /// The resources touched, mostly ARNs; empty where the record does not tell. The six random
    /// characters of a secret that was asked for by name are question marks.
    #[serde(with = "stored_list")]
    pub resources: Vec<Untrusted<'static>>,
    /// Where the call came from.
    pub network: Network,
    /// How it ended.
    pub outcome: Outcome,
    /// The roles, or instance profiles, that the call hands over to a service: `iam:PassRole`, for which
    /// there is no event.
    #[serde(with = "stored_list")]
    pub passed_roles: Vec<Untrusted<'static>>,
    /// With what it was made.
    pub user_agent: UserAgentFamily,
    /// How many bytes left with the answer, where the record tells.
    pub bytes_out: Option<u64>,
}

/// How a call ended, by `errorCode`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// Without an error.
    Ok,
    /// Refused for want of permission, with the service's error code.
    Denied(#[serde(with = "tripline_text::stored")] Untrusted<'static>),
    /// Failed otherwise (a parameter, a limit, a missing resource), with the service's error code.
    Failed(#[serde(with = "tripline_text::stored")] Untrusted<'static>),
}

impl Call {
    /// The call that `record` tells of.
    pub fn of(record: &Record<'_>) -> Self {
        Self::by(record, UserAgentFamily::of(record))
    }

    /// The same where it is known already with what it was made: many calls are made with the same.
    pub fn by(record: &Record<'_>, user_agent: UserAgentFamily) -> Self {
        let event_source = record.event_source().untrusted().into_owned();
        let event_name = record.event_name().untrusted().into_owned();
        Self {
            id: record.id(),
            time: record.time(),
            account: record.recipient_account(),
            caller_account: record.identity().account(),
            region: record.region().and_then(|text| Region::parse(&text.decode()).ok()),
            action: Action::from_event(event_source.as_unescaped(), event_name.as_unescaped()),
            event_source,
            event_name,
            resources: resources::of(record),
            network: Network::of(record),
            outcome: Outcome::of(record),
            passed_roles: resources::roles_passed_by(record),
            user_agent,
            bytes_out: bytes_out(record),
        }
    }
}

impl Outcome {
    /// How the call that `record` tells of ended.
    pub fn of(record: &Record<'_>) -> Self {
        let Some(code) = record.error_code() else { return Self::Ok };
        let code = code.untrusted().into_owned();
        if record.is_denied() { Self::Denied(code) } else { Self::Failed(code) }
    }

    /// Whether the call did what it was asked to.
    pub fn is_ok(&self) -> bool {
        *self == Self::Ok
    }
}

/// Lists of texts in this program's own files.
mod stored_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tripline_text::Untrusted;

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Stored(#[serde(with = "tripline_text::stored")] Untrusted<'static>);

    pub(super) fn serialize<S: Serializer>(
        texts: &[Untrusted<'static>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(texts.iter().map(Untrusted::as_unescaped))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Untrusted<'static>>, D::Error> {
        Ok(Vec::<Stored>::deserialize(deserializer)?.into_iter().map(|stored| stored.0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"eventTime":"2026-11-20T10:00:00Z","eventID":"f146e1b4-5796-40b0-aa1d-0123456789ab",
        "eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1",
        "sourceIPAddress":"10.1.2.3","vpcEndpointId":"vpce-0a1b","recipientAccountId":"123456789012",
        "errorCode":"AccessDenied","userIdentity":{"type":"AssumedRole","accountId":"210987654321"},
        "requestParameters":{"bucketName":"b","key":"k"}}"#;

    #[test]
    fn a_record_becomes_a_call() {
        let call = Call::of(&Record::parse(RECORD).unwrap());
        assert_eq!(call.account.unwrap().to_string(), "123456789012");
        assert_eq!(call.caller_account.unwrap().to_string(), "210987654321");
        assert_eq!(call.resources, [Untrusted::borrowed("arn:aws:s3:::b/k")]);
        assert_eq!(call.outcome, Outcome::Denied(Untrusted::borrowed("AccessDenied")));
        assert_eq!(call.network.to_untrusted(), "vpce-0a1b");
    }

    #[test]
    fn a_call_comes_back_from_disk() {
        let call = Call::of(&Record::parse(RECORD).unwrap());
        let stored = postcard::to_stdvec(&call).unwrap();
        assert_eq!(postcard::from_bytes::<Call>(&stored).unwrap(), call);
    }

    #[test]
    fn networks_are_told_apart() {
        let network = |source: &str| {
            let text = RECORD.replace("vpce-0a1b", "AWS Internal").replace("10.1.2.3", source);
            Network::of(&Record::parse(&text).unwrap())
        };
        assert_eq!(network("::ffff:192.0.2.1"), Network::Address("192.0.2.1".parse().unwrap()));
        assert_eq!(network("AWS Internal/3"), Network::AwsInternal);
        assert_eq!(network(""), Network::Unknown);
        let service = "cloudformation.amazonaws.com";
        assert_eq!(network(service), Network::AwsService(Untrusted::borrowed(service)));
        assert_eq!(network("x"), Network::Other(Untrusted::borrowed("x")));
    }
}
