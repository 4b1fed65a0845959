//! Which source addresses may send: a list of networks in CIDR form.

use std::net::IpAddr;
use std::str::FromStr;

/// One network, as `10.0.0.0/8` or `fd00::/8`; an address alone is a network of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: u128,
    /// Number of leading bits of the 128 that must agree. IPv4 lives in `::ffff:0:0/96`.
    prefix: u32,
}

/// The networks that may send; an empty list lets everyone in.
#[derive(Clone, Debug, Default)]
pub struct Allowed(Vec<Network>);

fn as_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
        IpAddr::V6(six) => six.to_bits(),
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no network; write it as 10.0.0.0/8 or fd00::/8");
        let (address, length) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(width), |bits| bits.parse::<u32>().map_err(|_| wrong()))?;
        if length > width {
            return Err(wrong());
        }
        Ok(Self { address: as_bits(address), prefix: 128 - width + length })
    }
}

impl Network {
    fn contains(self, bits: u128) -> bool {
        // A shift by all 128 bits would overflow; a prefix of 0 agrees with everything.
        self.prefix == 0 || (self.address ^ bits) >> (128 - self.prefix) == 0
    }
}

impl Allowed {
    /// Read a list of networks.
    ///
    /// # Errors
    /// A sentence that names the text that is no network.
    pub fn parse<S: AsRef<str>>(networks: &[S]) -> Result<Self, String> {
        networks.iter().map(|text| text.as_ref().parse()).collect::<Result<_, _>>().map(Self)
    }

    /// True when no list was given, so that nobody need look at addresses.
    #[must_use]
    pub fn is_everyone(&self) -> bool {
        self.0.is_empty()
    }

    /// May this address send? An unknown one (None) may only when everyone may.
    #[must_use]
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        self.is_everyone()
            || address.map(as_bits).is_some_and(|bits| self.0.iter().any(|network| network.contains(bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(networks: &[&str], address: &str) -> bool {
        Allowed::parse(networks).unwrap().admits(Some(address.parse().unwrap()))
    }

    #[test]
    fn an_empty_list_admits_everyone() {
        assert!(Allowed::default().admits(None));
        assert!(admits(&[], "203.0.113.7"));
    }

    #[test]
    fn networks_are_compared_by_their_leading_bits() {
        assert!(admits(&["10.0.0.0/8"], "10.255.1.2"));
        assert!(!admits(&["10.0.0.0/8"], "11.0.0.1"));
        assert!(admits(&["192.0.2.77/30"], "192.0.2.79"));
        assert!(!admits(&["192.0.2.77/30"], "192.0.2.80"));
        assert!(admits(&["fd00::/8"], "fdff::1"));
        assert!(!admits(&["fd00::/8"], "fe80::1"));
        assert!(admits(&["203.0.113.7"], "203.0.113.7"));
        assert!(!admits(&["203.0.113.7"], "203.0.113.6"));
    }

    #[test]
    fn the_widest_networks_hold_their_own_family() {
        assert!(admits(&["0.0.0.0/0"], "203.0.113.7"));
        assert!(!admits(&["0.0.0.0/0"], "2001:db8::1"));
        assert!(admits(&["::/0"], "2001:db8::1"));
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        assert!(admits(&["10.0.0.0/8"], "::ffff:10.1.2.3"));
    }

    #[test]
    fn an_unknown_source_is_refused_once_there_is_a_list() {
        assert!(!Allowed::parse(&["::/0"]).unwrap().admits(None));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for text in ["", "10.0.0.0/33", "::/129", "host", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8"] {
            let message = Allowed::parse(&[text]).unwrap_err();
            assert!(message.contains(&format!("'{text}'")), "{message}");
        }
    }
}
