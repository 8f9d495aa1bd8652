//! Where a call came from, as far as a record tells.

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::Record;
use tripline_iam::AccountId;
use tripline_text::Untrusted;

/// The network end of a call: `sourceIPAddress`, `vpcEndpointId` and `vpcEndpointAccountId`, told apart.
///
/// Source: UG/cloudtrail-event-reference-record-contents. AWS fills the fields in; the caller
/// chooses only which address and which endpoint it really uses, and no endpoint's id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Network {
    /// An address, IPv4-mapped IPv6 folded into IPv4.
    Address(IpAddr),
    /// A VPC endpoint; the address is then a private one, whose meaning depends on the VPC.
    VpcEndpoint {
        /// `vpce-…`.
        #[serde(with = "tripline_text::stored")]
        id: Untrusted<'static>,
        /// The caller's address inside the VPC.
        address: Option<IpAddr>,
    },
    /// An AWS service that called with the agent's permissions, such as
    /// `cloudformation.amazonaws.com`.
    AwsService(#[serde(with = "tripline_text::stored")] Untrusted<'static>),
    /// `AWS Internal` or `AWS Internal/<n>`: from within AWS, nothing more is told.
    AwsInternal,
    /// Anything else that was written there.
    Other(#[serde(with = "tripline_text::stored")] Untrusted<'static>),
    /// Nothing was written.
    Unknown,
    /// A VPC endpoint in an account that is neither the caller's nor the trail's: a shared one, or an
    /// intruder's. Last, so that what was stored before there was this one reads as ever.
    ForeignEndpoint {
        /// `vpce-…`.
        #[serde(with = "tripline_text::stored")]
        id: Untrusted<'static>,
        /// The account that it is in.
        owner: AccountId,
        /// The caller's address inside the VPC.
        address: Option<IpAddr>,
    },
}

/// Between the id of a foreign endpoint and its account. No endpoint's id has it.
const OWNED_BY: char = '@';

impl Network {
    /// The network end of the call that `record` tells of.
    pub fn of(record: &Record<'_>) -> Self {
        let source = record.source_ip().map(|text| text.decode());
        let endpoint = record.vpc_endpoint().map(|text| text.decode());
        let network = Self::of_texts(source.as_deref().unwrap_or_default(), endpoint.as_deref());
        match (network, record.foreign_endpoint_account()) {
            (Self::VpcEndpoint { id, address }, Some(owner)) => {
                Self::ForeignEndpoint { id, owner, address }
            }
            (network, _) => network,
        }
    }

    /// The same of two texts: the source, and the endpoint as [`Network::key`] has it.
    pub fn of_texts(source: &str, endpoint: Option<&str>) -> Self {
        let address = source.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        // The field may also read `AWS Internal` or be a service's name: that is no endpoint.
        if let Some(key) = endpoint.filter(|key| key.starts_with(ENDPOINT)) {
            return match foreign(key) {
                Some((id, owner)) => Self::ForeignEndpoint { id: owned(id), owner, address },
                None => Self::VpcEndpoint { id: owned(key), address },
            };
        }
        match address {
            Some(address) => Self::Address(address),
            None if source.is_empty() => Self::Unknown,
            None if source == "AWS Internal" || source.starts_with("AWS Internal/") => {
                Self::AwsInternal
            }
            None if is_aws_name(source) => Self::AwsService(owned(source)),
            None => Self::Other(owned(source)),
        }
    }

    /// What [`Network::of_texts`] makes the same network of: the source, and the endpoint.
    pub fn to_texts(&self) -> (Untrusted<'static>, Option<Untrusted<'static>>) {
        match self {
            Self::VpcEndpoint { address, .. } | Self::ForeignEndpoint { address, .. } => {
                let source = address.map(|address| address.to_string()).unwrap_or_default();
                (Untrusted::new(source), Some(self.to_untrusted()))
            }
            other => (other.to_untrusted(), None),
        }
    }

    /// The network as one text, for a reason's value: the endpoint's id rather than the address
    /// behind it, and whose it is where it is a foreign one (`vpce-0a1b@111122223333`).
    pub fn to_untrusted(&self) -> Untrusted<'static> {
        match self {
            Self::Address(address) => Untrusted::new(address.to_string()),
            Self::VpcEndpoint { id: text, .. } | Self::AwsService(text) | Self::Other(text) => {
                text.clone()
            }
            Self::ForeignEndpoint { id, owner, .. } => {
                Untrusted::new(format!("{}{OWNED_BY}{owner}", id.as_unescaped()))
            }
            Self::AwsInternal => Untrusted::borrowed("AWS Internal"),
            Self::Unknown => Untrusted::borrowed(""),
        }
    }

    /// What of the network there is to learn: an endpoint or a service as [`Network::to_untrusted`] has
    /// them, or the /24 (IPv4) or /48 (IPv6) that an address lies in, which is about what one site has.
    pub fn key(&self) -> Untrusted<'static> {
        match self {
            Self::Address(IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                Untrusted::new(format!("{a}.{b}.{c}.0/24"))
            }
            Self::Address(IpAddr::V6(address)) => {
                let [a, b, c, ..] = address.segments();
                let prefix = Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0);
                Untrusted::new(format!("{prefix}/48"))
            }
            other => other.to_untrusted(),
        }
    }

    /// Of a foreign endpoint, told by its [key](Network::key), the account that it is in.
    pub fn owner(key: &str) -> Option<AccountId> {
        foreign(key).map(|(_, owner)| owner)
    }

    /// A key without the account. All of AWS has one endpoint of an id: with and without it, that is the
    /// same place. Records before eventVersion 1.09, at which not every service is, do not tell the account.
    pub fn place(key: &str) -> &str {
        foreign(key).map_or(key, |(id, _)| id)
    }

    /// Whether a network, told by its [key](Network::key), is one of the internet, or in somebody else's
    /// VPC, rather than in one's own; nothing where AWS itself called, or nobody knows.
    pub fn is_outside(key: &str) -> Option<bool> {
        if key.starts_with(ENDPOINT) {
            return Some(foreign(key).is_some());
        }
        let (address, _) = key.split_once('/')?;
        Some(match address.parse().ok()? {
            IpAddr::V4(address) => {
                // What RFC 6598 shares out is nobody's on the internet, either.
                let [a, b, ..] = address.octets();
                let is_shared = a == 100 && (64..128).contains(&b);
                !(address.is_private() || address.is_link_local() || is_shared)
            }
            IpAddr::V6(address) => !(address.is_unique_local() || address.is_unicast_link_local()),
        })
    }
}

/// How the ids of endpoints begin.
const ENDPOINT: &str = "vpce-";

/// Id and account, of a key that is a foreign endpoint's.
fn foreign(key: &str) -> Option<(&str, AccountId)> {
    let (id, owner) = key.rsplit_once(OWNED_BY).filter(|(id, _)| id.starts_with(ENDPOINT))?;
    Some((id, AccountId::parse(owner).ok()?))
}

fn owned(text: &str) -> Untrusted<'static> {
    Untrusted::new(text.to_owned())
}

/// The domains in which AWS names its services in records; `api.aws` since the MCP server.
fn is_aws_name(text: &str) -> bool {
    [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| text.ends_with(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(network: &Network) -> String {
        network.key().as_unescaped().to_owned()
    }

    #[test]
    fn neighbours_have_one_key() {
        for (address, expected) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2::3", "2001:db8:1::/48"),
            ("::1", "::/48"),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(key(&Network::Address(address.to_canonical())), expected);
        }
        let id = Untrusted::borrowed("vpce-1");
        let address = Some("10.0.0.1".parse().unwrap());
        assert_eq!(key(&Network::VpcEndpoint { id, address }), "vpce-1");
        assert_eq!(key(&Network::AwsInternal), "AWS Internal");
        assert_eq!(key(&Network::Unknown), "");
        let service = Untrusted::borrowed("cloudformation.amazonaws.com");
        assert_eq!(key(&Network::AwsService(service)), "cloudformation.amazonaws.com");
    }

    #[test]
    fn the_internet_is_told_from_vpcs() {
        let side = |text: &str| Network::is_outside(text);
        for address in ["203.0.113.9", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2001:db8:1:2::3"] {
            assert_eq!(side(&key(&Network::of_texts(address, None))), Some(true), "{address}");
        }
        for address in ["10.1.2.3", "172.31.9.9", "192.168.0.1", "100.64.3.4", "fd00:1::2"] {
            assert_eq!(side(&key(&Network::of_texts(address, None))), Some(false), "{address}");
        }
        let through = |endpoint| key(&Network::of_texts("203.0.113.9", Some(endpoint)));
        assert_eq!(side(&through("vpce-0a1b")), Some(false));
        assert_eq!(side(&through("vpce-0a1b@111122223333")), Some(true));
        for text in ["AWS Internal", "cloudformation.amazonaws.com", "", "a/24"] {
            assert_eq!(side(text), None, "{text}");
        }
    }

    const RECORD: &str = r#"{"eventTime":"2026-11-20T10:00:00Z","eventID":"a","eventName":"GetObject",
        "userIdentity":{"accountId":"111111111111"},"recipientAccountId":"222222222222",
        "sourceIPAddress":"10.1.2.3","vpcEndpointId":"vpce-0a1b"}"#;

    /// The same record, with the account of the endpoint.
    fn with_owner(record: &str, owner: &str) -> String {
        format!(r#"{},"vpcEndpointAccountId":"{owner}"}}"#, record.strip_suffix('}').unwrap())
    }

    fn by_owner(owner: &str) -> Network {
        Network::of(&Record::parse(&with_owner(RECORD, owner)).unwrap())
    }

    #[test]
    fn an_endpoint_of_somebody_else_is_known_by_its_account_as_well() {
        let theirs = by_owner("333333333333");
        assert_eq!(key(&theirs), "vpce-0a1b@333333333333");
        assert_eq!(theirs.to_untrusted(), theirs.key());
        let owner = AccountId::parse("333333333333").unwrap();
        assert_eq!(Network::owner(&key(&theirs)), Some(owner));
        assert_eq!(Network::place(&key(&theirs)), "vpce-0a1b");
        assert_eq!(Network::is_outside(&key(&theirs)), Some(true));
        assert_ne!(theirs, by_owner("444444444444"));
        let stored = postcard::to_stdvec(&theirs).unwrap();
        assert_eq!(postcard::from_bytes::<Network>(&stored).unwrap(), theirs);
    }

    #[test]
    fn what_was_stored_before_there_were_foreign_endpoints_reads_as_ever() {
        // As the version before wrote it: variant 1, the id, and an address of four bytes.
        let stored = [&[1, 6][..], b"vpce-1", &[1, 0, 10, 0, 0, 1]].concat();
        let (id, address) = (Untrusted::borrowed("vpce-1"), "10.0.0.1".parse().ok());
        let network = Network::VpcEndpoint { id, address };
        assert_eq!(postcard::from_bytes::<Network>(&stored).unwrap(), network);
        assert_eq!(postcard::to_stdvec(&network).unwrap(), stored);
    }

    #[test]
    fn what_looks_like_an_account_and_is_none_belongs_to_the_id() {
        for id in
            ["vpce-1@", "vpce-1@1", "vpce-1@11112222333 ", "vpce-1@1111222233334", "vpce-1@x@"]
        {
            let network = Network::of_texts("10.0.0.1", Some(id));
            assert_eq!((key(&network).as_str(), Network::owner(id)), (id, None));
            assert_eq!((Network::place(id), Network::is_outside(id)), (id, Some(false)));
        }
        // Only endpoints have owners.
        for text in ["x@111122223333", "@111122223333", "10.0.0.0/24", "AWS Internal"] {
            assert_eq!((Network::owner(text), Network::place(text)), (None, text));
        }
    }

    proptest! {
        #[test]
        fn without_an_account_or_with_ones_own_a_network_is_what_it_was(
            source in "[0-9]{1,3}(\\.[0-9]{1,3}){3}|[a-z]{0,9}",
            endpoint in proptest::option::of("vpce-[0-9a-f]{4}|[a-zA-Z .]{0,6}"),
            owner in "111111111111|222222222222|AWS Internal|[a-z.]{0,12}|[0-9]{0,11}|[0-9]{13}",
        ) {
            let text = RECORD.replace("10.1.2.3", &source).replace(
                r#""vpcEndpointId":"vpce-0a1b""#,
                &endpoint.as_ref().map_or(r#""x":0"#.to_owned(), |it| format!(r#""vpcEndpointId":"{it}""#)),
            );
            let expected = Network::of_texts(&source, endpoint.as_deref());
            for text in [with_owner(&text, &owner), text] {
                prop_assert_eq!(&Network::of(&Record::parse(&text).unwrap()), &expected);
            }
        }

        #[test]
        fn a_network_comes_back_from_its_texts(
            source in "AWS Internal(/[0-9])?|[0-9]{1,3}(\\.[0-9]{1,3}){3}|[a-z]{0,9}\\.amazonaws\\.com|.{0,12}",
            endpoint in proptest::option::of("vpce-[0-9a-f]{4}(@[0-9]{11,13})?|.{0,6}"),
        ) {
            let network = Network::of_texts(&source, endpoint.as_deref());
            let (source, endpoint) = network.to_texts();
            let endpoint = endpoint.as_ref().map(Untrusted::as_unescaped);
            prop_assert_eq!(Network::of_texts(source.as_unescaped(), endpoint), network);
        }

        #[test]
        fn a_key_is_a_network_that_holds_the_address(bytes in any::<[u8; 16]>(), is_v4 in any::<bool>()) {
            let [a, b, c, d, ..] = bytes;
            let address = if is_v4 { IpAddr::from([a, b, c, d]) } else { IpAddr::from(bytes) };
            let network: ipnet::IpNet = key(&Network::Address(address)).parse().unwrap();
            prop_assert!(network.contains(&address));
            prop_assert_eq!(network.trunc(), network);
        }
    }
}
