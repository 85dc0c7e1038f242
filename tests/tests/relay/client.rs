//! A relay and clients of it.

use std::net::SocketAddr;

use msrp_testkit::{Config, Daemon, Login, MsrpEndpoint, MsrpPeer};

/// The users of every relay here.
pub(crate) const ALICE: Login<'_> = Login {
    user: "alice",
    password: "wonderland",
    algorithm: "SHA-256",
};
pub(crate) const BOB: Login<'_> = Login {
    user: "bob",
    password: "builder",
    algorithm: "MD5",
};

/// A relay that takes AUTH without TLS and connects to loopback.
pub(crate) fn config() -> Config {
    let users = [ALICE.line("localhost"), BOB.line("localhost")].concat();
    Config::new()
        .listeners(&["name = \"relay\"\nbind = \"127.0.0.1:0\"\nadvertise = \"localhost:0\"\n"])
        .file("users", &users)
        .set("relay", "users", "users")
        .set("relay", "allow_plain_auth", true)
        .set("relay", "allow_addresses", ["127.0.0.1"])
}

/// The URI under which clients know a relay.
pub(crate) fn uri_of(relay: &Daemon) -> String {
    uri_at(relay.msrp_addr())
}

pub(crate) fn uri_at(address: SocketAddr) -> String {
    format!("msrp://localhost:{};tcp", address.port())
}

/// A connection to a relay, nothing said.
pub(crate) async fn connect(relay: &Daemon) -> MsrpPeer {
    let endpoint = MsrpEndpoint::bind().await;
    endpoint.connect_to(relay.msrp_addr(), &uri_of(relay)).await
}

/// A client with a URI of the relay.
pub(crate) struct Client {
    pub(crate) peer: MsrpPeer,
    /// Its path, as it stands in its session description: the relay's URI, then its own.
    pub(crate) path: String,
}

impl Client {
    /// Connects and authenticates.
    pub(crate) async fn of(relay: &Daemon, login: &Login<'_>) -> Self {
        let peer = connect(relay).await;
        let use_path = peer.use_path(&uri_of(relay), login).await;
        Self {
            path: format!("{use_path} {}", peer.uri()),
            peer,
        }
    }

    /// The URI of the relay.
    pub(crate) fn relay_uri(&self) -> &str {
        self.path.split(' ').next().unwrap_or_default()
    }

    /// Talks to a peer by its path: through the own relay first.
    pub(crate) fn talk_to(&mut self, path: &str) {
        let to = format!("{} {path}", self.relay_uri());
        self.peer.set_remote_path(&to);
    }
}

/// Two clients of one relay that know each other's paths.
pub(crate) async fn pair(relay: &Daemon) -> (Client, Client) {
    let mut alice = Client::of(relay, &ALICE).await;
    let mut bob = Client::of(relay, &BOB).await;
    alice.talk_to(&bob.path);
    bob.talk_to(&alice.path);
    (alice, bob)
}
