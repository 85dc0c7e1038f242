//! Our own MSRP URIs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use msrp_wire::{Host, Ident, MsrpUriBuf, Scheme, Transport};
use rand_core::{OsRng, TryRngCore};

/// The address of this host from which packets to a peer leave.
///
/// # Errors
/// There is no way to the peer.
pub fn own_address(peer: SocketAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Connecting a UDP socket sends nothing; it only chooses the way.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}

/// A URI with a session-id that nobody can guess. The port is the one of endpoints that only connect.
///
/// # Errors
/// A sentence: the operating system gave no random octets.
pub fn draw(address: IpAddr) -> Result<MsrpUriBuf, String> {
    draw_over(address, Scheme::Msrp, Transport::Tcp)
}

/// The same, for a session over TLS (`msrps`) or WebSocket.
///
/// # Errors
/// As [`draw`].
pub fn draw_over(
    address: IpAddr,
    scheme: Scheme,
    transport: Transport<'_>,
) -> Result<MsrpUriBuf, String> {
    let mut octets = [0; 16];
    OsRng
        .try_fill_bytes(&mut octets)
        .map_err(|e| e.to_string())?;
    let session = Ident::from_random(u128::from_le_bytes(octets));
    let host = match address {
        IpAddr::V4(v4) => Host::V4(v4),
        IpAddr::V6(v6) => Host::V6(v6),
    };
    let (port, id) = (Some(DISCARD_PORT), Some(session.as_str()));
    let uri = MsrpUriBuf::compose(scheme, host, port, id, transport);
    uri.map_err(|e| e.to_string())
}

/// Stands in a description whose side connects. Source: RFC 4145 s.4.1.
pub const DISCARD_PORT: u16 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_uris_differ_and_have_the_address() {
        let [one, two] = [(); 2].map(|()| draw(Ipv4Addr::LOCALHOST.into()).unwrap());
        assert_ne!(one.as_str(), two.as_str());
        assert!(
            one.as_str().starts_with("msrp://127.0.0.1:9/"),
            "{}",
            one.as_str()
        );
    }
}
