//! Participants that come over TLS, and those that are connected to over TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use msrp_control::{
    BridgeConfig, EndReason, ErrorCode, LocalMedia, ParticipantConfig, ParticipantId,
};
use msrp_shard::{ListenerTransport, Origins, TlsFiles};
use msrp_testkit::{Draft, Media, Mode, MsrpEndpoint, MsrpPeer};
use msrp_transport::Fingerprint;
use rcgen::{CertifiedKey, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::bridges;
use crate::gateway::over_websocket;
use crate::node::{Node, ROOM, backends, config, expect_lost, identity, listener, node};
use crate::tls_peer::{client_of, over_tls, roots, self_signed, shake_hands};

/// A certificate for loopback in files of its own, which go with it.
pub(crate) struct Issued {
    pub(crate) key: CertifiedKey<KeyPair>,
    directory: TempDir,
}

impl Issued {
    pub(crate) fn new() -> Self {
        let issued = Self {
            key: self_signed(),
            directory: TempDir::new().unwrap(),
        };
        issued.write(&issued.key);
        issued
    }

    pub(crate) fn write(&self, key: &CertifiedKey<KeyPair>) {
        let files = self.files();
        std::fs::write(files.cert, key.cert.pem()).unwrap();
        std::fs::write(files.key, key.signing_key.serialize_pem()).unwrap();
    }

    pub(crate) fn files(&self) -> TlsFiles {
        TlsFiles {
            cert: self.directory.path().join("cert.pem"),
            key: self.directory.path().join("key.pem"),
            ..TlsFiles::default()
        }
    }
}

pub(crate) fn fingerprint(key: &CertifiedKey<KeyPair>) -> String {
    Fingerprint::describe(key.cert.der())
}

fn private_key(key: &CertifiedKey<KeyPair>) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap()
}

/// One that shows a certificate of its own.
pub(crate) fn client_with(
    trusted: &CertifiedKey<KeyPair>,
    own: &CertifiedKey<KeyPair>,
) -> TlsConnector {
    let config = ClientConfig::builder().with_root_certificates(roots(trusted));
    let chain: Vec<CertificateDer<'static>> = vec![own.cert.der().clone()];
    let config = config
        .with_client_auth_cert(chain, private_key(own))
        .unwrap();
    TlsConnector::from(Arc::new(config))
}

/// Takes one TLS connection and carries what is in it to `to`.
async fn out_of_tls(own: &CertifiedKey<KeyPair>, to: SocketAddr) -> SocketAddr {
    let chain: Vec<CertificateDer<'static>> = vec![own.cert.der().clone()];
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(chain, private_key(own)).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(stream).await else {
            return;
        };
        let mut peer = TcpStream::connect(to).await.unwrap();
        let _ = copy_bidirectional(&mut peer, &mut stream).await;
    });
    address
}

/// A node with a listener of each transport.
async fn served(want: ring_io::Want, shards: usize, issued: &Issued) -> Node {
    node(with_all_transports(config(want, shards), issued)).await
}

fn with_all_transports(
    mut config: msrp_shard::EngineConfig,
    issued: &Issued,
) -> msrp_shard::EngineConfig {
    let files = issued.files();
    config.listeners.extend([
        listener("tls", ListenerTransport::Tls(files.clone())),
        listener("ws", ListenerTransport::Ws(Origins::any())),
        listener("wss", ListenerTransport::Wss(files, Origins::any())),
    ]);
    config
}

async fn bound(endpoint: MsrpEndpoint, gateway: SocketAddr, answer: &Media) -> MsrpPeer {
    let peer = endpoint.connect_to(gateway, &answer.path.join(" ")).await;
    peer.bind().await;
    peer
}

pub(crate) async fn join_tls(node: &Node, name: &str, issued: &Issued) -> MsrpPeer {
    let endpoint = MsrpEndpoint::bind().await.reached_over("msrps", "tcp");
    let answer = node.offer(name, &endpoint.media()).await;
    assert!(answer.path[0].starts_with("msrps:"), "{answer:?}");
    let line = format!("a=fingerprint:{}", fingerprint(&issued.key));
    assert!(answer.lines.contains(&line), "{answer:?}");
    let gateway = over_tls(client_of(&issued.key), answer.address()).await;
    bound(endpoint, gateway, &answer).await
}

async fn join_ws(node: &Node, name: &str) -> MsrpPeer {
    let endpoint = MsrpEndpoint::bind().await.reached_over("msrp", "ws");
    let answer = node.offer(name, &endpoint.media()).await;
    let gateway = over_websocket(answer.address());
    bound(endpoint, gateway, &answer).await
}

async fn join_wss(node: &Node, name: &str, issued: &Issued) -> MsrpPeer {
    let endpoint = MsrpEndpoint::bind().await.reached_over("msrps", "ws");
    let answer = node.offer(name, &endpoint.media()).await;
    assert!(answer.path[0].starts_with("msrps:") && answer.path[0].ends_with(";ws"));
    let tls = over_tls(client_of(&issued.key), answer.address()).await;
    let gateway = tokio::task::spawn_blocking(move || over_websocket(tls));
    bound(endpoint, gateway.await.unwrap(), &answer).await
}

// covers: MSRP-4975-5.4-06, MSRP-4975-14.4-01, MSRP-7977-5.1-02, MSRP-7977-9-01, SEC-14.1.4-01
#[tokio::test]
async fn room_of_members_on_every_transport_exchanges_messages_in_all_directions() {
    let issued = Issued::new();
    for want in backends() {
        for shards in [1, 3] {
            let mut config = with_all_transports(config(want, shards), &issued);
            // With this, connections of a room's members lie on all shards.
            config.limits.spread_participants_min = if shards == 1 { 32 } else { 1 };
            let node = node(config).await;
            let people = [
                ("alice", node.join("alice").await),
                ("bob", join_tls(&node, "bob", &issued).await),
                ("carol", join_ws(&node, "carol").await),
                ("dave", join_wss(&node, "dave", &issued).await),
            ];
            for (name, sender) in &people {
                for octets in [1, 20_000, 300_000] {
                    let text = format!("{name} {}", "x".repeat(octets));
                    let draft = Draft::text(&identity(name), ROOM, &text);
                    let sent = sender.send(&draft.chunk_octets(90_000));
                    for (other, recipient) in &people {
                        if other != name {
                            recipient.expect_text(&identity(name), &text).await;
                        }
                    }
                    sender.expect_all(&sent, 200).await;
                }
            }
            for transport in ["tls", "ws", "wss"] {
                assert_eq!(node.metric("msrp_handshakes_total", Some(transport)), 1);
            }
        }
    }
}

#[tokio::test]
async fn tls_member_that_reads_late_gets_everything_and_its_sender_waits() {
    let issued = Issued::new();
    for want in backends() {
        let node = served(want, 1, &issued).await;
        let alice = node.join("alice").await;
        let late = join_tls(&node, "late", &issued).await;
        late.set_mode(Mode::Deaf);
        let text = "s".repeat(20_000_000);
        let sent = alice.send(&Draft::text(&identity("alice"), ROOM, &text).chunk_octets(60_000));
        node.until("msrp_senders_paused_total", None, |paused| paused > 0)
            .await;
        late.set_mode(Mode::Auto);
        late.expect_text(&identity("alice"), &text).await;
        alice.expect_all(&sent, 200).await;
        node.until("msrp_copies_total", Some("sent"), |sent| sent == 1)
            .await;
    }
}

// covers: MSRP-4975-6-03
#[tokio::test]
async fn session_of_one_security_is_not_found_over_the_other() {
    let issued = Issued::new();
    for want in backends() {
        let node = served(want, 1, &issued).await;
        let endpoint = MsrpEndpoint::bind().await.reached_over("msrps", "tcp");
        let secure = node.offer("bob", &endpoint.media()).await;
        let endpoint = MsrpEndpoint::bind().await;
        let plain = node.offer("carol", &endpoint.media()).await;
        let rewritten = |media: &Media, scheme: &str| {
            let (_, rest) = media.path[0].split_once(':').unwrap();
            format!("{scheme}:{rest}")
        };
        for scheme in ["msrp", "msrps"] {
            let path = rewritten(&secure, scheme);
            let stranger = MsrpEndpoint::bind().await;
            let stranger = stranger.connect_to(plain.address(), &path).await;
            let sent = stranger.send(&Draft::empty());
            stranger.expect_all(&sent, 481).await;
            let path = rewritten(&plain, scheme);
            let gateway = over_tls(client_of(&issued.key), secure.address()).await;
            let stranger = MsrpEndpoint::bind().await;
            let stranger = stranger.connect_to(gateway, &path).await;
            let sent = stranger.send(&Draft::empty());
            stranger.expect_all(&sent, 481).await;
        }
        // Over its own security a session is not found under the other scheme.
        let gateway = over_tls(client_of(&issued.key), secure.address()).await;
        for (media, scheme, address) in [
            (&secure, "msrp", gateway),
            (&plain, "msrps", plain.address()),
        ] {
            let stranger = MsrpEndpoint::bind().await;
            let path = rewritten(media, scheme);
            let stranger = stranger.connect_to(address, &path).await;
            let sent = stranger.send(&Draft::empty());
            stranger.expect_all(&sent, 481).await;
        }
    }
}

// covers: MSRP-4975-5.4-08, MSRP-6135-4.3-01
#[tokio::test]
async fn participant_that_waits_for_tls_is_connected_to_when_its_fingerprint_fits() {
    let (issued, theirs) = (Issued::new(), self_signed());
    let cases = backends()
        .into_iter()
        .flat_map(|want| [(want, "127.0.0.1"), (want, "localhost")]);
    for (want, host) in cases {
        let node = served(want, 2, &issued).await;
        let alice = node.join("alice").await;
        let endpoint = MsrpEndpoint::bind().await;
        let gateway = out_of_tls(&theirs, endpoint.media().address()).await;
        let endpoint = endpoint.reached_over("msrps", "tcp").reached_at(gateway);
        let mut media = endpoint.media().setup("passive");
        media.path = vec![media.path.join(" ").replace("127.0.0.1", host)];
        let media = media.line(&format!("a=fingerprint:{}", fingerprint(&theirs)));
        let answer = node.offer("bob", &media).await;
        assert_eq!(answer.setup.as_deref(), Some("active"));
        let bob = endpoint
            .accept_as(&media.path.join(" "), &answer.path.join(" "))
            .await;
        bob.expect_empty().await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "hello"))
            .await;
        bob.expect_text(&identity("alice"), "hello").await;
        bob.send_ok(&Draft::text(&identity("bob"), ROOM, "hello to you"))
            .await;
        alice.expect_text(&identity("bob"), "hello to you").await;
    }
}

// covers: MSRP-4975-5.4-07, MSRP-4975-14.4-02
#[tokio::test]
async fn participant_with_another_certificate_than_it_names_is_not_talked_to() {
    let (issued, theirs) = (Issued::new(), self_signed());
    for want in backends() {
        let node = served(want, 1, &issued).await;
        let mut events = node.client.subscribe();
        // Without a fingerprint a certificate that nobody has signed is worth nothing.
        let other = format!("a=fingerprint:{}", fingerprint(&self_signed()));
        for (name, host, line) in [
            ("bob", "127.0.0.1", Some(other.clone())),
            ("carol", "127.0.0.1", None),
            ("dave", "localhost", Some(other)),
            ("eve", "localhost", None),
        ] {
            let endpoint = MsrpEndpoint::bind().await;
            let gateway = out_of_tls(&theirs, endpoint.media().address()).await;
            let endpoint = endpoint.reached_over("msrps", "tcp").reached_at(gateway);
            let mut media = endpoint.media().setup("passive");
            media.path = vec![media.path.join(" ").replace("127.0.0.1", host)];
            media.lines.extend(line);
            node.offer(name, &media).await;
            let reason = expect_lost(&mut events, name).await;
            assert_eq!(reason, EndReason::ConnectFailed);
        }
        let metric = "msrp_layer_failures_total";
        assert_eq!(node.metric(metric, Some("certificate")), 4);
    }
}

#[tokio::test]
async fn client_certificate_is_held_against_the_fingerprint_of_its_session() {
    let issued = Issued::new();
    let (theirs, others) = (self_signed(), self_signed());
    for want in backends() {
        for shards in [1, 3] {
            let mut config = with_all_transports(config(want, shards), &issued);
            config.limits.spread_participants_min = 0;
            let node = node(config).await;
            let mut events = node.client.subscribe();
            let offer = async |name: &str| {
                let endpoint = MsrpEndpoint::bind().await.reached_over("msrps", "tcp");
                let line = format!("a=fingerprint:{}", fingerprint(&theirs));
                let answer = node.offer(name, &endpoint.media().line(&line)).await;
                (endpoint, answer)
            };
            let (endpoint, answer) = offer("bob").await;
            let gateway = over_tls(client_with(&issued.key, &theirs), answer.address()).await;
            bound(endpoint, gateway, &answer).await;
            let (endpoint, answer) = offer("mallory").await;
            let gateway = over_tls(client_with(&issued.key, &others), answer.address()).await;
            let mallory = endpoint.connect_to(gateway, &answer.path.join(" ")).await;
            let sent = mallory.send(&Draft::empty());
            mallory.expect_all(&sent, 481).await;
            let reason = expect_lost(&mut events, "mallory").await;
            assert_eq!(reason, EndReason::ProtocolError);
        }
    }
}

#[tokio::test]
async fn bridge_joins_plain_tcp_websocket_and_tls_on_the_listeners_that_are_chosen() {
    let (issued, theirs) = (Issued::new(), self_signed());
    for want in backends() {
        for (far, setup) in [("tls", "active"), ("tls", "passive"), ("ws", "active")] {
            let node = served(want, 2, &issued).await;
            let alice = MsrpEndpoint::bind().await;
            let mut wanted = BridgeConfig::default();
            wanted.legs[1].listener = Some(far.to_owned());
            let to_bob = bridges::offer(&node, &alice.media(), wanted).await;
            let endpoint = MsrpEndpoint::bind().await;
            let bob = if far == "ws" {
                let endpoint = endpoint.reached_over("msrp", "ws");
                let answer = endpoint.media().setup(setup);
                let to_alice = bridges::answer(&node, &answer).await;
                let alice = alice.connect(&to_alice).await;
                alice.bind().await;
                let gateway = over_websocket(to_bob.address());
                (alice, bound(endpoint, gateway, &to_bob).await)
            } else {
                let ours = format!("a=fingerprint:{}", fingerprint(&issued.key));
                assert_eq!(to_bob.protocol, "TCP/TLS/MSRP");
                assert!(to_bob.lines.contains(&ours), "{to_bob:?}");
                let gateway = out_of_tls(&theirs, endpoint.media().address()).await;
                let endpoint = endpoint.reached_over("msrps", "tcp").reached_at(gateway);
                let line = format!("a=fingerprint:{}", fingerprint(&theirs));
                let answer = endpoint.media().setup(setup).line(&line);
                let to_alice = bridges::answer(&node, &answer).await;
                assert_eq!(to_alice.protocol, "TCP/MSRP");
                assert!(!to_alice.to_string().contains("fingerprint"));
                let alice = alice.connect(&to_alice).await;
                alice.bind().await;
                let bob = if setup == "passive" {
                    let bob = endpoint.accept(&to_bob).await;
                    bob.expect_empty().await;
                    bob
                } else {
                    let client = client_with(&issued.key, &theirs);
                    let gateway = over_tls(client, to_bob.address()).await;
                    bound(endpoint, gateway, &to_bob).await
                };
                (alice, bob)
            };
            let (alice, bob) = bob;
            alice.send_ok(&Draft::new("text/plain", "to bob")).await;
            assert_eq!(bob.expect_message().await.text(), "to bob");
            bob.send_ok(&Draft::new("text/plain", "to alice")).await;
            assert_eq!(alice.expect_message().await.text(), "to alice");
        }
    }
}

#[tokio::test]
async fn offer_of_the_engine_names_the_listener_that_is_chosen() {
    let issued = Issued::new();
    let node = served(ring_io::Want::Auto, 1, &issued).await;
    for (listener, begin) in [
        (None, "msrp://"),
        (Some("lo"), "msrp://"),
        (Some("tls"), "msrps://"),
        (Some("wss"), "msrps://"),
        (Some("nowhere"), ""),
    ] {
        let who = identity("bob");
        let config = ParticipantConfig {
            identities: vec![who.clone()],
            entity: who,
            is_hidden: false,
            may_send_private: true,
            shows_release: false,
            charging: None,
        };
        let local = LocalMedia {
            listener: listener.map(str::to_owned),
            ..LocalMedia::default()
        };
        let bob = ParticipantId::new(listener.unwrap_or("none")).unwrap();
        let room = node.room.clone();
        let added = node
            .client
            .add_participant(room, bob, config, msrp_control::Media::MakeOffer, local)
            .await;
        match added {
            Ok(offer) => assert!(Media::parse(&offer).path[0].starts_with(begin), "{offer}"),
            Err(error) => assert_eq!((error.code, begin), (ErrorCode::NotAcceptable, "")),
        }
    }
}

#[tokio::test]
async fn bridge_answer_of_the_other_security_is_refused() {
    let issued = Issued::new();
    let node = served(ring_io::Want::Auto, 1, &issued).await;
    let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
    bridges::offer(&node, &alice.media(), BridgeConfig::default()).await;
    let bob = bob.reached_over("msrps", "tcp").media().to_string();
    let refused = node.client.answer_bridge(bridges::id("call"), bob).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::NotAcceptable);
}

#[tokio::test]
async fn certificate_read_anew_serves_new_handshakes_and_disturbs_no_session() {
    let issued = Issued::new();
    for want in backends() {
        issued.write(&issued.key);
        let node = served(want, 1, &issued).await;
        let bob = join_tls(&node, "bob", &issued).await;
        let alice = node.join("alice").await;
        let next = self_signed();
        issued.write(&next);
        node.engine.reload_certificates().unwrap();

        let endpoint = MsrpEndpoint::bind().await.reached_over("msrps", "tcp");
        let answer = node.offer("carol", &endpoint.media()).await;
        let line = format!("a=fingerprint:{}", fingerprint(&next));
        assert!(answer.lines.contains(&line), "{answer:?}");
        let gateway = over_tls(client_of(&next), answer.address()).await;
        let carol = bound(endpoint, gateway, &answer).await;

        std::fs::write(issued.files().key, "no key").unwrap();
        let fault = node.engine.reload_certificates().unwrap_err();
        assert_eq!(fault.file, issued.files().key);
        shake_hands(&client_of(&next), answer.address()).await;
        alice
            .send_ok(&Draft::text(&identity("alice"), ROOM, "still here"))
            .await;
        bob.expect_text(&identity("alice"), "still here").await;
        carol.expect_text(&identity("alice"), "still here").await;
    }
}

#[tokio::test]
async fn tls_session_is_resumed_by_a_client_that_comes_again() {
    let issued = Issued::new();
    for want in backends() {
        let node = served(want, 3, &issued).await;
        let endpoint = MsrpEndpoint::bind().await.reached_over("msrps", "tcp");
        let answer = node.offer("bob", &endpoint.media()).await;
        let connector = client_of(&issued.key);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut stream = shake_hands(&connector, answer.address()).await;
            stream.write_all(b"no MSRP\r\n").await.unwrap();
            let mut rest = Vec::new();
            // The tickets come before the end of the stream.
            let _ = stream.read_to_end(&mut rest).await;
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind));
        }
    }
}

#[tokio::test]
async fn connection_that_makes_no_handshake_is_closed() {
    let issued = Issued::new();
    for want in backends() {
        let mut config = with_all_transports(config(want, 1), &issued);
        config.limits.unbound_ns = 200_000_000;
        let node = node(config).await;
        let endpoint = MsrpEndpoint::bind().await.reached_over("msrps", "tcp");
        let answer = node.offer("bob", &endpoint.media()).await;
        let mut silent = TcpStream::connect(answer.address()).await.unwrap();
        // The first octets of a record that never ends.
        silent.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
        let mut rest = Vec::new();
        let _ = silent.read_to_end(&mut rest).await;
        assert_eq!(node.metric("msrp_connections_never_bound_total", None), 1);
        let mut plain = TcpStream::connect(answer.address()).await.unwrap();
        plain.write_all(b"MSRP abcd1234 SEND\r\n").await.unwrap();
        let _ = plain.read_to_end(&mut rest).await;
        let metric = "msrp_layer_failures_total";
        assert_eq!(node.metric(metric, Some("tls")), 1);
        assert_eq!(rest[0], 0x15, "an alert says so");
    }
}

#[test]
fn certificate_that_cannot_be_used_stops_the_start_with_its_file() {
    let issued = Issued::new();
    std::fs::write(issued.files().cert, "no certificate").unwrap();
    let mut config = config(ring_io::Want::Epoll, 1);
    let transport = ListenerTransport::Tls(issued.files());
    config.listeners.push(listener("tls", transport));
    let error = msrp_shard::start(&config).unwrap_err().to_string();
    let file = issued.files().cert.display().to_string();
    assert!(error.contains(&file), "{error}");
    issued.write(&issued.key);
    let other = self_signed().signing_key.serialize_pem();
    std::fs::write(issued.files().key, other).unwrap();
    let error = msrp_shard::start(&config).unwrap_err().to_string();
    assert!(error.contains("not that of the certificate"), "{error}");
}

#[tokio::test]
async fn more_requests_than_a_turn_may_have_are_all_answered_over_every_transport() {
    const BURST: usize = 1_000;
    let issued = Issued::new();
    for want in backends() {
        let node = served(want, 1, &issued).await;
        let people = [
            ("tcp", node.join("tcp").await),
            ("tls", join_tls(&node, "tls", &issued).await),
            ("ws", join_ws(&node, "ws").await),
            ("wss", join_wss(&node, "wss", &issued).await),
        ];
        for (name, sender) in &people {
            // Twice, so that the second burst finds the connection bounded.
            for _ in 0..2 {
                let draft = Draft::text(&identity(name), ROOM, "hello");
                let sent: Vec<_> = (0..BURST).map(|_| sender.send(&draft)).collect();
                for one in &sent {
                    sender.expect_all(one, 200).await;
                }
            }
        }
    }
}
