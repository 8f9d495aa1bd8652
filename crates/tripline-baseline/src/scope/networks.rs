//! `allow.networks` of a scope.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::network::Network;

/// The networks that an agent may call from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Networks {
    blocks: Vec<IpNet>,
    endpoints: Vec<String>,
    services: Vec<String>,
}

/// How long an endpoint's or a service's name may be; a DNS name has at most 253 characters.
const NAME_BYTES_MAX: usize = 253;

impl Networks {
    /// Adds an address, a CIDR block, a VPC endpoint's id or the DNS name of an AWS service; `None`
    /// if the text is neither.
    pub(crate) fn add(&mut self, text: &str) -> Option<()> {
        if let Ok(block) = text.parse::<IpNet>() {
            self.blocks.push(block.trunc());
        } else if let Ok(address) = text.parse::<IpAddr>() {
            self.blocks.push(IpNet::from(address.to_canonical()));
        } else if is_name(text) && text.starts_with("vpce-") {
            self.endpoints.push(text.to_owned());
        } else if is_name(text)
            && text.contains('.')
            && text.bytes().any(|byte| byte.is_ascii_lowercase())
        {
            self.services.push(text.to_owned());
        } else {
            return None;
        }
        Some(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.len() + self.endpoints.len() + self.services.len()
    }

    /// Whether a call may come from there.
    ///
    /// Once an endpoint is listed, a call through any endpoint needs its own listed: addresses
    /// behind an endpoint are private and mean another machine in another VPC. Whose account an endpoint
    /// is in makes no difference: it is listed by its id, of which all of AWS has one, and those of a
    /// network account may serve blocks as well. `AWS Internal` and a missing network tell no place, so
    /// they are no breach.
    pub(crate) fn allow(&self, network: &Network) -> bool {
        let in_block = |address: &IpAddr| self.blocks.iter().any(|block| block.contains(address));
        match network {
            Network::Address(address) => in_block(address),
            Network::VpcEndpoint { id, address } | Network::ForeignEndpoint { id, address, .. } => {
                match self.endpoints.is_empty() {
                    true => address.as_ref().is_some_and(in_block),
                    false => self.lists_endpoint(id.as_unescaped()),
                }
            }
            Network::AwsService(name) => {
                self.services.iter().any(|service| name == service.as_str())
            }
            Network::AwsInternal | Network::Unknown => true,
            Network::Other(_) => false,
        }
    }

    fn lists_endpoint(&self, id: &str) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint == id)
    }

    /// All of them in a form that does not depend on the order written.
    pub(crate) fn canonical(&self) -> Vec<String> {
        let blocks = self.blocks.iter().map(IpNet::to_string);
        let mut all: Vec<_> =
            blocks.chain(self.endpoints.clone()).chain(self.services.clone()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use tripline_text::Untrusted;

    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        let mut networks = Networks::default();
        assert!(texts.iter().all(|text| networks.add(text).is_some()));
        networks
    }

    fn endpoint(id: &'static str, address: &str) -> Network {
        Network::VpcEndpoint { id: Untrusted::borrowed(id), address: address.parse().ok() }
    }

    #[test]
    fn addresses_endpoints_and_services() {
        let networks =
            networks(&["10.0.0.0/8", "2001:db8::/32", "192.0.2.7", "cloudformation.amazonaws.com"]);
        let address = |text: &str| Network::Address(text.parse().unwrap());
        assert!(networks.allow(&address("10.255.0.1")) && networks.allow(&address("192.0.2.7")));
        assert!(networks.allow(&address("2001:db8::1")) && !networks.allow(&address("11.0.0.1")));
        assert!(
            networks
                .allow(&Network::AwsService(Untrusted::borrowed("cloudformation.amazonaws.com")))
        );
        assert!(!networks.allow(&Network::AwsService(Untrusted::borrowed("athena.amazonaws.com"))));
        assert!(networks.allow(&Network::AwsInternal) && networks.allow(&Network::Unknown));
        assert!(!networks.allow(&Network::Other(Untrusted::borrowed("?"))));
        assert!(
            networks.allow(&endpoint("vpce-1", "10.1.1.1"))
                && !networks.allow(&endpoint("vpce-1", ""))
        );
    }

    #[test]
    fn a_listed_endpoint_shuts_out_the_others() {
        let networks = networks(&["10.0.0.0/8", "vpce-1"]);
        assert!(networks.allow(&endpoint("vpce-1", "10.1.1.1")));
        assert!(!networks.allow(&endpoint("vpce-2", "10.1.1.1")));
    }

    #[test]
    fn whose_account_an_endpoint_is_in_makes_no_difference() {
        for (texts, id) in [(&["10.0.0.0/8", "vpce-1"][..], "vpce-1"), (&["10.0.0.0/8"], "vpce-2")]
        {
            let networks = networks(texts);
            for (id, address) in [(id, "10.1.1.1"), (id, "11.1.1.1"), ("vpce-3", "10.1.1.1")] {
                let theirs = Network::of_texts(address, Some(&format!("{id}@111122223333")));
                assert!(matches!(theirs, Network::ForeignEndpoint { .. }));
                assert_eq!(networks.allow(&theirs), networks.allow(&endpoint(id, address)));
            }
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "office", "999.1.1.1", "UPPER.example", "a b.c", "*"] {
            assert_eq!(Networks::default().add(text), None, "{text}");
        }
    }
}
