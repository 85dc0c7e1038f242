//! A listening port and the URI of one session, before the peer is known.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::peer::MsrpPeer;
use crate::ident::fresh;
use crate::sdp::Media;
use crate::transcript::Transcript;

/// What goes into an offer or answer. It becomes a peer by connecting or by accepting a connection.
pub struct MsrpEndpoint {
    listener: TcpListener,
    uri: String,
    receive_buffer_octets: Option<u32>,
    transcript: Transcript,
}

impl MsrpEndpoint {
    /// Listens on a free port of loopback.
    ///
    /// # Panics
    /// When loopback refuses.
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port on loopback");
        let address = listener.local_addr().expect("the address of a listener");
        let uri = format!("msrp://{address}/{};tcp", fresh("s"));
        Self {
            listener,
            transcript: Transcript::new(&uri),
            uri,
            receive_buffer_octets: None,
        }
    }

    /// The own URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Makes the own URI one of another scheme and transport, as `msrps` and `ws`. The endpoint still speaks MSRP over
    /// TCP: something has to stand between it and its peer.
    #[must_use]
    pub fn reached_over(mut self, scheme: &str, transport: &str) -> Self {
        let rest = self.uri.split_once(':').map_or("", |(_, rest)| rest);
        let rest = rest.split(';').next().unwrap_or_default();
        self.uri = format!("{scheme}:{rest};{transport}");
        self
    }

    /// Makes the own URI one with another address: that of something that passes its octets on to this endpoint.
    #[must_use]
    pub fn reached_at(mut self, address: SocketAddr) -> Self {
        let scheme = self.uri.split(':').next().unwrap_or_default();
        let rest = self.uri.rsplit('/').next().unwrap_or_default();
        self.uri = format!("{scheme}://{address}/{rest}");
        self
    }

    /// A media section with the own URI.
    pub fn media(&self) -> Media {
        Media::new(&self.uri)
    }

    /// Asks the kernel for a receive buffer of this size on the connection made by [`Self::connect`], so that a peer
    /// that does not read is noticed after fewer octets.
    #[must_use]
    pub fn receive_buffer_octets(mut self, octets: u32) -> Self {
        self.receive_buffer_octets = Some(octets);
        self
    }

    /// Connects to the first URI of the remote media and talks to its whole path.
    ///
    /// # Panics
    /// When nobody listens there.
    pub async fn connect(self, remote: &Media) -> MsrpPeer {
        self.connect_to(remote.address(), &remote.path.join(" "))
            .await
    }

    /// Connects to an address and talks to a path of URIs parted by blanks.
    ///
    /// # Panics
    /// When nobody listens there.
    pub async fn connect_to(self, address: SocketAddr, remote_path: &str) -> MsrpPeer {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }
        .expect("a socket");
        if let Some(octets) = self.receive_buffer_octets {
            socket
                .set_recv_buffer_size(octets)
                .expect("a receive buffer");
        }
        self.transcript.note(format_args!("connects to {address}"));
        let stream = self
            .transcript
            .within(
                &format!("a connection to {address}"),
                socket.connect(address),
            )
            .await;
        let stream = stream
            .unwrap_or_else(|error| panic!("{address} refused: {error}\n{}", self.transcript));
        MsrpPeer::start(stream, &self.uri, remote_path, self.transcript)
    }

    /// Waits for a peer to connect, as the endpoint of this URI, and talks to a path of URIs parted by blanks.
    ///
    /// # Panics
    /// When nobody connects before the deadline.
    pub async fn accept_as(self, uri: &str, remote_path: &str) -> MsrpPeer {
        let accepted = self
            .transcript
            .within("a connection", self.listener.accept())
            .await;
        let (stream, from) = accepted.expect("a connection");
        self.transcript.note(format_args!("accepted {from}"));
        MsrpPeer::start(stream, uri, remote_path, self.transcript)
    }

    /// Waits for the peer of the remote media to connect, and talks to its whole path.
    ///
    /// # Panics
    /// When nobody connects before the deadline.
    pub async fn accept(self, remote: &Media) -> MsrpPeer {
        let (stream, from) = self
            .transcript
            .within("a connection", self.listener.accept())
            .await
            .expect("a connection");
        self.transcript.note(format_args!("accepted {from}"));
        MsrpPeer::start(stream, &self.uri, &remote.path.join(" "), self.transcript)
    }
}
