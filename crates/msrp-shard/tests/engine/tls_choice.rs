//! Which certificate a client is shown, which clients are let in, and clients that never get that far.

use std::net::{Ipv4Addr, SocketAddr};

use msrp_shard::{EngineConfig, ListenerTransport, TlsFiles};
use msrp_testkit::{Draft, MsrpEndpoint};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::node::{Node, ROOM, backends, config, identity, listener, node};
use crate::tls::{Issued, client_with, fingerprint, join_tls};
use crate::tls_peer::{client_of, self_signed};

fn with_tls(want: ring_io::Want, files: TlsFiles) -> EngineConfig {
    let mut config = config(want, 1);
    let transport = ListenerTransport::Tls(files);
    config.listeners.push(listener("tls", transport));
    config
}

/// Where the node takes TLS.
async fn address_of(node: &Node) -> SocketAddr {
    let endpoint = MsrpEndpoint::bind().await.reached_over("msrps", "tcp");
    node.offer("somebody", &endpoint.media()).await.address()
}

/// Asks for a host by its name. Gives the kind of the handshake, and whether the server let the client in.
async fn ask(connector: &TlsConnector, to: SocketAddr, host: &str) -> Option<HandshakeKind> {
    let stream = TcpStream::connect(to).await.unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut stream = connector.connect(name, stream).await.ok()?;
    // A client of TLS 1.3 hears only now whether it was let in, and gets its tickets.
    stream.write_all(b"no MSRP\r\n").await.ok()?;
    let mut rest = Vec::new();
    let kind = stream.get_ref().1.handshake_kind();
    match stream.read_to_end(&mut rest).await {
        Ok(_) => kind,
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => None,
        Err(_) => kind,
    }
}

#[tokio::test]
async fn client_that_names_a_host_is_shown_the_certificate_of_it() {
    let (own, other) = (Issued::new(), Issued::new());
    let named = vec!["chat.example.org".to_owned(), "*.example.net".to_owned()];
    let named = generate_simple_self_signed(named).unwrap();
    other.write(&named);
    for want in backends() {
        let files = TlsFiles {
            others: vec![(other.files().cert, other.files().key)],
            ..own.files()
        };
        let node = node(with_tls(want, files)).await;
        let to = address_of(&node).await;
        let trusting = |key: &CertifiedKey<KeyPair>| client_of(key);
        for (host, key) in [
            ("127.0.0.1", &own.key),
            ("chat.example.org", &named),
            ("a.example.net", &named),
        ] {
            let kind = ask(&trusting(key), to, host).await;
            assert_eq!(kind, Some(HandshakeKind::Full), "{host}");
        }
        // A host that nobody has a certificate for gets the first one, which the client refuses.
        assert_eq!(ask(&trusting(&named), to, "b.example.org").await, None);
        // What session descriptions say is the certificate of the host in them.
        let endpoint = MsrpEndpoint::bind().await.reached_over("msrps", "tcp");
        let answer = node.offer("bob", &endpoint.media()).await;
        let line = format!("a=fingerprint:{}", fingerprint(&own.key));
        assert!(answer.lines.contains(&line), "{answer:?}");
    }
}

#[tokio::test]
async fn client_that_has_to_show_a_certificate_is_let_in_with_a_signed_one_alone() {
    let (own, rules) = (Issued::new(), Issued::new());
    let (client, stranger) = (self_signed(), self_signed());
    for want in backends() {
        let client_roots = rules.files().cert;
        std::fs::write(&client_roots, client.cert.pem()).unwrap();
        let files = TlsFiles {
            client_roots: Some(client_roots.clone()),
            ..own.files()
        };
        let node = node(with_tls(want, files)).await;
        let to = address_of(&node).await;
        let known = client_with(&own.key, &client);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            assert_eq!(ask(&known, to, "127.0.0.1").await, Some(kind));
        }
        assert_eq!(ask(&client_of(&own.key), to, "127.0.0.1").await, None);
        let strange = client_with(&own.key, &stranger);
        assert_eq!(ask(&strange, to, "127.0.0.1").await, None);
        // With other rules nobody comes in by an old ticket.
        std::fs::write(&client_roots, stranger.cert.pem()).unwrap();
        node.engine.reload_certificates().unwrap();
        assert_eq!(ask(&known, to, "127.0.0.1").await, None);
        let kind = ask(&strange, to, "127.0.0.1").await;
        assert_eq!(kind, Some(HandshakeKind::Full));
        // What is no certificate changes nothing.
        std::fs::write(&client_roots, "no certificate").unwrap();
        let fault = node.engine.reload_certificates().unwrap_err();
        assert_eq!(fault.file, client_roots);
        let kind = ask(&strange, to, "127.0.0.1").await;
        assert_eq!(kind, Some(HandshakeKind::Resumed));
    }
}

#[tokio::test]
async fn half_open_handshakes_keep_nobody_out_and_end_in_time() {
    let issued = Issued::new();
    for want in backends() {
        let mut config = with_tls(want, issued.files());
        config.limits.unbound_ns = 2_000_000_000;
        let node = node(config).await;
        let to = address_of(&node).await;
        let mut half_open = Vec::new();
        for index in 0..HALF_OPEN {
            let source = Ipv4Addr::new(127, 0, 1, u8::try_from(index % 250).unwrap() + 1);
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((source, 0).into()).unwrap();
            let mut stream = socket.connect(to).await.unwrap();
            // The first octets of a record that never ends.
            stream.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
            half_open.push(stream);
        }
        let alice = node.join("alice").await;
        let bob = join_tls(&node, "bob", &issued).await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "hello"))
            .await;
        bob.expect_text(&identity("alice"), "hello").await;
        for stream in &mut half_open {
            let mut rest = Vec::new();
            // It ends, by whichever kind of end.
            let _ = stream.read_to_end(&mut rest).await;
        }
        let metric = "msrp_connections_never_bound_total";
        node.until(metric, None, |count| count == HALF_OPEN).await;
        node.until("msrp_connections", None, |count| count == 2)
            .await;
        assert_eq!(node.metric("msrp_handshakes_total", Some("tls")), 1);
        bob.send_ok(&Draft::text(&identity("bob"), ROOM, "still here"))
            .await;
        alice.expect_text(&identity("bob"), "still here").await;
    }
}

const HALF_OPEN: u64 = 3000;
