//! Where a call came from, as far as a record tells.

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use tripline_cloudtrail::Record;
use tripline_text::Untrusted;

/// The network end of a call: `sourceIPAddress` and `vpcEndpointId`, told apart.
///
/// Source: UG/cloudtrail-event-reference-record-contents. AWS fills both fields in; the caller
/// chooses only which address and which endpoint it really uses.
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
}

impl Network {
    /// The network end of the call that `record` tells of.
    pub fn of(record: &Record<'_>) -> Self {
        let source = record.source_ip().map(|text| text.decode());
        let endpoint = record.vpc_endpoint().map(|text| text.decode());
        Self::of_texts(source.as_deref().unwrap_or_default(), endpoint.as_deref())
    }

    /// The same of the two fields alone.
    pub fn of_texts(source: &str, endpoint: Option<&str>) -> Self {
        let address = source.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        // The field may also read `AWS Internal` or be a service's name: that is no endpoint.
        if let Some(id) = endpoint.filter(|id| id.starts_with("vpce-")) {
            return Self::VpcEndpoint { id: owned(id), address };
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

    /// What [`Network::of_texts`] makes the same network of: the source, and the endpoint's id.
    pub fn to_texts(&self) -> (Untrusted<'static>, Option<Untrusted<'static>>) {
        match self {
            Self::VpcEndpoint { id, address } => {
                let source = address.map(|address| address.to_string()).unwrap_or_default();
                (Untrusted::new(source), Some(id.clone()))
            }
            other => (other.to_untrusted(), None),
        }
    }

    /// The network as one text, for a reason's value: the endpoint's id rather than the address
    /// behind it.
    pub fn to_untrusted(&self) -> Untrusted<'static> {
        match self {
            Self::Address(address) => Untrusted::new(address.to_string()),
            Self::VpcEndpoint { id: text, .. } | Self::AwsService(text) | Self::Other(text) => {
                text.clone()
            }
            Self::AwsInternal => Untrusted::borrowed("AWS Internal"),
            Self::Unknown => Untrusted::borrowed(""),
        }
    }

    /// What of the network there is to learn: an endpoint's or a service's name, or the /24 (IPv4) or
    /// /48 (IPv6) that an address lies in, which is about what one site has.
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

    /// Whether a network, told by its [key](Network::key), is one of the internet rather than of a VPC;
    /// nothing where AWS itself called, or nobody knows.
    pub fn is_outside(key: &str) -> Option<bool> {
        if key.starts_with("vpce-") {
            return Some(false);
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
        let through = Network::of_texts("203.0.113.9", Some("vpce-0a1b"));
        assert_eq!(side(&key(&through)), Some(false));
        for text in ["AWS Internal", "cloudformation.amazonaws.com", "", "a/24"] {
            assert_eq!(side(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_network_comes_back_from_its_texts(
            source in "AWS Internal(/[0-9])?|[0-9]{1,3}(\\.[0-9]{1,3}){3}|[a-z]{0,9}\\.amazonaws\\.com|.{0,12}",
            endpoint in proptest::option::of("vpce-[0-9a-f]{4}|.{0,6}"),
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
