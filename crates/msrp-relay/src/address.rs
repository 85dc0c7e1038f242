//! To which addresses the relay connects.
//!
//! A client names the next hop. Without a policy it could make the relay speak to services that only the relay's own
//! machine or network reaches. So an address is first brought into one form, then compared.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use msrp_wire::Host;

/// Which next hops are allowed. A name that means loopback is, where a loopback address is.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    /// Addresses that are connected to although they would be denied.
    pub allowed: Vec<IpAddr>,
    /// The relay's own addresses: denied.
    pub own: Vec<IpAddr>,
}

/// Why a next hop is denied: 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeniedAddress {
    /// `0.0.0.0/8` or `::`.
    Unspecified,
    /// `127.0.0.0/8`, `::1`, or a name that means it.
    Loopback,
    /// `169.254.0.0/16` or `fe80::/10`.
    LinkLocal,
    /// Many at once: multicast, broadcast, `240.0.0.0/4`.
    Multicast,
    /// The relay itself.
    Own,
    /// A name that some resolvers read as a number, such as `0x7f.1`.
    NumericName,
}

impl AddressPolicy {
    /// Whether the relay connects to this address. The caller asks for every address that a name resolved to.
    ///
    /// # Errors
    /// [`DeniedAddress`]; the peer's fault.
    pub fn check(&self, address: IpAddr) -> Result<IpAddr, DeniedAddress> {
        let address = canonical(address);
        let is = |list: &[IpAddr]| list.iter().any(|other| canonical(*other) == address);
        if is(&self.allowed) {
            return Ok(address);
        }
        if is(&self.own) {
            return Err(DeniedAddress::Own);
        }
        match address {
            IpAddr::V4(address) => check_v4(address)?,
            IpAddr::V6(address) => check_v6(address)?,
        }
        Ok(address)
    }

    /// The same for a host as it stands in a URI; a name is looked at as a name only.
    ///
    /// # Errors
    /// [`DeniedAddress`]; the peer's fault.
    pub fn check_host(&self, host: Host<'_>) -> Result<(), DeniedAddress> {
        match host {
            Host::V4(address) => self.check(IpAddr::V4(address)).map(|_| ()),
            Host::V6(address) => self.check(IpAddr::V6(address)).map(|_| ()),
            Host::Name(name) => match check_name(name) {
                // What it leads to is looked at when it is known.
                Err(DeniedAddress::Loopback) if self.allowed.iter().any(IpAddr::is_loopback) => {
                    Ok(())
                }
                checked => checked,
            },
        }
    }
}

/// One form for each address: an IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4) is the IPv4 address, since
/// that is where the octets end.
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let [a, b, c, d, e, f, high, low] = v6.segments();
    let inside = match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff | 0] if high != 0 || low > 1 => Some((high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0] => Some((high, low)),
        [0x2002, ..] => Some((b, c)),
        _ => None,
    };
    inside.map_or(address, |(high, low)| {
        IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
    })
}

fn check_v4(address: Ipv4Addr) -> Result<(), DeniedAddress> {
    match address.octets() {
        [0, ..] => Err(DeniedAddress::Unspecified),
        [127, ..] => Err(DeniedAddress::Loopback),
        [169, 254, ..] => Err(DeniedAddress::LinkLocal),
        [224..=255, ..] => Err(DeniedAddress::Multicast),
        _ => Ok(()),
    }
}

fn check_v6(address: Ipv6Addr) -> Result<(), DeniedAddress> {
    if address.is_unspecified() || address.to_ipv4_mapped().is_some() {
        Err(DeniedAddress::Unspecified)
    } else if address.is_loopback() {
        Err(DeniedAddress::Loopback)
    } else if address.is_unicast_link_local() {
        Err(DeniedAddress::LinkLocal)
    } else if address.is_multicast() {
        Err(DeniedAddress::Multicast)
    } else {
        Ok(())
    }
}

/// Names are resolved by the caller; those that need no resolver are denied here.
fn check_name(name: &str) -> Result<(), DeniedAddress> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.eq_ignore_ascii_case("localhost") {
        return Err(DeniedAddress::Loopback);
    }
    // No top-level domain begins with a digit, and a percent sign hides what the name is.
    if last.starts_with(|c: char| c.is_ascii_digit()) || last.is_empty() || name.contains('%') {
        return Err(DeniedAddress::NumericName);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_that_reaches_inside_is_denied_in_every_form() {
        let policy = AddressPolicy {
            allowed: Vec::new(),
            own: vec!["192.0.2.1".parse().unwrap()],
        };
        let cases = [
            ("0.0.0.0", DeniedAddress::Unspecified),
            ("0.1.2.3", DeniedAddress::Unspecified),
            ("::", DeniedAddress::Unspecified),
            ("::ffff:0.0.0.0", DeniedAddress::Unspecified),
            ("127.9.9.9", DeniedAddress::Loopback),
            ("::1", DeniedAddress::Loopback),
            ("::2", DeniedAddress::Unspecified),
            ("::ffff:127.0.0.1", DeniedAddress::Loopback),
            ("::127.0.0.1", DeniedAddress::Loopback),
            ("64:ff9b::7f00:1", DeniedAddress::Loopback),
            ("2002:7f00:1::", DeniedAddress::Loopback),
            ("169.254.169.254", DeniedAddress::LinkLocal),
            ("fe80::1", DeniedAddress::LinkLocal),
            ("::ffff:169.254.169.254", DeniedAddress::LinkLocal),
            ("224.0.0.1", DeniedAddress::Multicast),
            ("255.255.255.255", DeniedAddress::Multicast),
            ("ff02::1", DeniedAddress::Multicast),
            ("192.0.2.1", DeniedAddress::Own),
            ("::ffff:192.0.2.1", DeniedAddress::Own),
        ];
        for (text, expected) in cases {
            assert_eq!(policy.check(text.parse().unwrap()), Err(expected), "{text}");
        }
        for text in ["192.0.2.2", "10.0.0.1", "2001:db8::1"] {
            assert!(policy.check(text.parse().unwrap()).is_ok(), "{text}");
        }
    }

    #[test]
    fn address_that_is_allowed_passes_in_every_form() {
        let policy = AddressPolicy {
            allowed: vec!["127.0.0.1".parse().unwrap()],
            own: vec!["127.0.0.1".parse().unwrap()],
        };
        assert!(policy.check("::ffff:127.0.0.1".parse().unwrap()).is_ok());
        assert!(policy.check("127.0.0.2".parse().unwrap()).is_err());
    }

    #[test]
    fn host_name_that_needs_no_resolver_is_denied() {
        let policy = AddressPolicy::default();
        for name in [
            "localhost",
            "a.LOCALHOST.",
            "127.1",
            "0x7f.1",
            "2130706433",
            "a.0x7f",
            "%6cocalhost",
        ] {
            assert!(policy.check_host(Host::Name(name)).is_err(), "{name}");
        }
        assert!(policy.check_host(Host::Name("relay.example.com")).is_ok());
        assert!(policy.check_host(Host::V4([127, 0, 0, 1].into())).is_err());
    }

    #[test]
    fn name_that_means_loopback_is_looked_up_where_a_loopback_address_is_allowed() {
        let mut policy = AddressPolicy::default();
        let host = Host::Name("localhost");
        assert_eq!(policy.check_host(host), Err(DeniedAddress::Loopback));
        policy.allowed = vec!["192.0.2.1".parse().unwrap()];
        assert_eq!(policy.check_host(host), Err(DeniedAddress::Loopback));
        policy.allowed = vec!["127.0.0.1".parse().unwrap()];
        assert_eq!(policy.check_host(host), Ok(()));
        let numeric = policy.check_host(Host::Name("0x7f.1"));
        assert_eq!(numeric, Err(DeniedAddress::NumericName));
    }
}
