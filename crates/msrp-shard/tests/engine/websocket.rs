//! Participants that come by WebSocket.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use msrp_control::EndReason;
use msrp_shard::{ListenerTransport, Origins};
use msrp_testkit::{Draft, Media, Mode, MsrpEndpoint, MsrpPeer};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Bytes, Message};

use crate::gateway::{assert_one_chunk, over_websocket, websocket};
use crate::node::{Node, ROOM, backends, config, expect_lost, identity, listener, node};

pub(crate) async fn served(want: ring_io::Want, shards: usize, origins: Origins) -> Node {
    let mut config = config(want, shards);
    let transport = ListenerTransport::Ws(origins);
    config.listeners.push(listener("ws", transport));
    node(config).await
}

/// The description of a WebSocket client and the engine's answer.
async fn offer(node: &Node, name: &str) -> (MsrpEndpoint, Media) {
    let endpoint = MsrpEndpoint::bind().await.reached_over("msrp", "ws");
    let media = endpoint.media().setup("active");
    let answer = node.offer(name, &media).await;
    assert!(answer.path[0].ends_with(";ws"), "{answer:?}");
    (endpoint, answer)
}

pub(crate) async fn join(node: &Node, name: &str) -> MsrpPeer {
    let (endpoint, answer) = offer(node, name).await;
    let gateway = over_websocket(answer.address());
    let peer = endpoint.connect_to(gateway, &answer.path.join(" ")).await;
    peer.bind().await;
    peer
}

// covers: MSRP-7977-4.1-03, MSRP-7977-5.1-01, MSRP-7977-5.1-03, MSRP-7977-6-03
#[tokio::test]
async fn room_of_tcp_and_websocket_members_exchanges_messages_in_all_directions() {
    for want in backends() {
        for shards in [1, 3] {
            let node = served(want, shards, Origins::any()).await;
            let people = [
                ("alice", node.join("alice").await),
                ("bob", join(&node, "bob").await),
                ("carol", join(&node, "carol").await),
            ];
            for (name, sender) in &people {
                for octets in [1, 300, 70_000] {
                    let text = format!("{name} {}", "x".repeat(octets));
                    let draft = Draft::text(&identity(name), ROOM, &text);
                    let sent = sender.send(&draft.chunk_octets(30_000));
                    for (other, recipient) in &people {
                        if other != name {
                            recipient.expect_text(&identity(name), &text).await;
                        }
                    }
                    sender.expect_all(&sent, 200).await;
                }
            }
            assert_eq!(node.metric("msrp_handshakes_total", Some("ws")), 2);
            assert!(node.metric("msrp_body_octets_copied_total", Some("websocket")) > 210_000);
        }
    }
}

// covers: MSRP-7977-5.1-04
#[tokio::test]
async fn large_message_of_a_tcp_member_reaches_websocket_members_in_chunks() {
    for want in backends() {
        let node = served(want, 1, Origins::any()).await;
        let alice = node.join("alice").await;
        let bob = join(&node, "bob").await;
        let text = "l".repeat(3_000_000);
        // One chunk of the sender: the gateway sees that each WebSocket message is one chunk.
        let sent = alice.send(&Draft::text(&identity("alice"), ROOM, &text));
        bob.expect_text(&identity("alice"), &text).await;
        alice.expect_all(&sent, 200).await;
        let sent = bob.send(&Draft::text(&identity("bob"), ROOM, &text));
        alice.expect_text(&identity("bob"), &text).await;
        bob.expect_all(&sent, 200).await;
    }
}

#[tokio::test]
async fn websocket_member_that_reads_late_gets_everything_and_its_sender_waits() {
    for want in backends() {
        let node = served(want, 1, Origins::any()).await;
        let alice = node.join("alice").await;
        let (endpoint, answer) = offer(&node, "late").await;
        let gateway = over_websocket(answer.address());
        let endpoint = endpoint.receive_buffer_octets(4096);
        let late = endpoint.connect_to(gateway, &answer.path.join(" ")).await;
        late.bind().await;
        late.set_mode(Mode::Deaf);
        let text = "s".repeat(12_000_000);
        let sent = alice.send(&Draft::text(&identity("alice"), ROOM, &text).chunk_octets(60_000));
        node.until("msrp_senders_paused_total", None, |paused| paused > 0)
            .await;
        late.set_mode(Mode::Auto);
        late.expect_text(&identity("alice"), &text).await;
        alice.expect_all(&sent, 200).await;
        assert_eq!(node.metric("msrp_copies_total", Some("sent")), 1);
    }
}

#[tokio::test]
async fn websocket_member_that_takes_nothing_is_shed() {
    for want in backends() {
        let mut config = config(want, 1);
        config.limits.stall_ns = 300_000_000;
        let transport = ListenerTransport::Ws(Origins::any());
        config.listeners.push(listener("ws", transport));
        let node = node(config).await;
        let mut events = node.client.subscribe();
        let alice = node.join("alice").await;
        let (_endpoint, answer) = offer(&node, "deaf").await;
        let mut deaf = websocket(answer.address());
        deaf.send(Message::Text(empty_send(&answer).into()))
            .unwrap();
        node.until("msrp_sessions_bound_total", None, |bound| bound == 2)
            .await;
        let text = "s".repeat(12_000_000);
        let sent = alice.send(&Draft::text(&identity("alice"), ROOM, &text).chunk_octets(60_000));
        alice.expect_all(&sent, 200).await;
        assert_eq!(expect_lost(&mut events, "deaf").await, EndReason::Stalled);
        assert_eq!(node.metric("msrp_copies_total", Some("failed")), 1);
    }
}

/// The request with which a client binds its session.
fn empty_send(answer: &Media) -> String {
    let path = answer.path.join(" ");
    format!(
        "MSRP bind1234 SEND\r\nTo-Path: {path}\r\nFrom-Path: msrp://client.invalid:2855/c123;ws\r\n\
         Message-ID: m1234\r\nByte-Range: 1-0/0\r\n-------bind1234$\r\n"
    )
}

#[tokio::test]
async fn ping_is_answered_and_a_removed_member_hears_a_close_frame() {
    for want in backends() {
        let node = served(want, 2, Origins::any()).await;
        let (_endpoint, answer) = offer(&node, "bob").await;
        let mut client = websocket(answer.address());
        client
            .send(Message::Ping(Bytes::from_static(b"early")))
            .unwrap();
        assert_eq!(
            client.read().unwrap(),
            Message::Pong(Bytes::from_static(b"early"))
        );
        client
            .send(Message::Text(empty_send(&answer).into()))
            .unwrap();
        let Message::Binary(response) = client.read().unwrap() else {
            panic!("no response")
        };
        assert_one_chunk(&response);
        assert!(response.starts_with(b"MSRP bind1234 200"));
        client
            .send(Message::Ping(Bytes::from_static(b"late")))
            .unwrap();
        assert_eq!(
            client.read().unwrap(),
            Message::Pong(Bytes::from_static(b"late"))
        );
        node.remove("bob").await;
        assert_eq!(close_code(client.read().unwrap()), 1000);
        assert!(client.read().is_err());
    }
}

// covers: MSRP-7977-6-01
#[tokio::test]
async fn websocket_that_is_silent_is_pinged_and_stays() {
    for want in backends() {
        let mut config = config(want, 2);
        config.limits.ping_ns = 50_000_000;
        let transport = ListenerTransport::Ws(Origins::any());
        config.listeners.push(listener("ws", transport));
        let node = node(config).await;
        let (_endpoint, answer) = offer(&node, "bob").await;
        let mut client = websocket(answer.address());
        client
            .send(Message::Text(empty_send(&answer).into()))
            .unwrap();
        assert!(matches!(client.read().unwrap(), Message::Binary(_)));
        // The client library answers each ping when it reads on.
        for _ in 0..3 {
            assert_eq!(client.read().unwrap(), Message::Ping(Bytes::new()));
        }
        client
            .send(Message::Text(
                empty_send(&answer).replace("bind1234", "late1234").into(),
            ))
            .unwrap();
        loop {
            match client.read().unwrap() {
                Message::Binary(response) => {
                    assert!(response.starts_with(b"MSRP late1234 200"));
                    break;
                }
                other => assert_eq!(other, Message::Ping(Bytes::new())),
            }
        }
    }
}

#[tokio::test]
async fn node_that_goes_down_says_so_in_its_close_frames() {
    for want in backends() {
        let node = served(want, 2, Origins::any()).await;
        let (_endpoint, answer) = offer(&node, "bob").await;
        let mut member = websocket(answer.address());
        let mut nobody = websocket(answer.address());
        member
            .send(Message::Text(empty_send(&answer).into()))
            .unwrap();
        member.read().unwrap();
        let engine = Arc::clone(&node.engine);
        tokio::task::spawn_blocking(move || engine.shutdown())
            .await
            .unwrap();
        assert_eq!(close_code(member.read().unwrap()), 1001);
        assert_eq!(close_code(nobody.read().unwrap()), 1001);
    }
}

#[tokio::test]
async fn member_that_closes_its_websocket_is_answered_and_lost() {
    for want in backends() {
        let node = served(want, 1, Origins::any()).await;
        let mut events = node.client.subscribe();
        let (_endpoint, answer) = offer(&node, "bob").await;
        let mut client = websocket(answer.address());
        client
            .send(Message::Text(empty_send(&answer).into()))
            .unwrap();
        client.read().unwrap();
        let frame = CloseFrame {
            code: 4001.into(),
            reason: "done".into(),
        };
        client.close(Some(frame)).unwrap();
        assert_eq!(close_code(client.read().unwrap()), 4001);
        let reason = expect_lost(&mut events, "bob").await;
        assert_eq!(reason, EndReason::ConnectionLost);
    }
}

fn close_code(message: Message) -> u16 {
    match message {
        Message::Close(Some(frame)) => frame.code.into(),
        other => panic!("no Close frame: {other:?}"),
    }
}

const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: msrp\r\nOrigin: https://good.example.com\r\n\r\n";

/// What the listener answers to octets until it closes.
fn answer_to(address: SocketAddr, octets: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(octets).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn handshake_that_is_not_allowed_is_refused_and_counted() {
    for want in backends() {
        let origins = Origins::only(vec!["https://good.example.com".to_owned()]);
        let node = served(want, 1, origins).await;
        let (_endpoint, answer) = offer(&node, "bob").await;
        let table = [
            (HANDSHAKE.replace("good", "evil"), "403", "origin"),
            (
                HANDSHAKE.replace("Protocol: msrp", "Protocol: sip"),
                "400",
                "subprotocol",
            ),
            (
                HANDSHAKE.replace("Version: 13", "Version: 7"),
                "426",
                "version",
            ),
            (empty_send(&answer), "400", "not_websocket"),
            (
                HANDSHAKE.replace("Host: a", &"X: y\r\n".repeat(2000)),
                "431",
                "handshake_too_long",
            ),
        ];
        for (request, status, reason) in table {
            let octets = answer_to(answer.address(), request.as_bytes());
            let text = String::from_utf8_lossy(&octets).into_owned();
            assert_eq!(text.split(' ').nth(1), Some(status), "{text}");
            let metric = "msrp_layer_failures_total";
            assert_eq!(node.metric(metric, Some(reason)), 1, "{reason}");
        }
    }
}

#[tokio::test]
async fn frames_that_break_a_rule_end_the_connection_with_a_close_code() {
    for want in backends() {
        let node = served(want, 1, Origins::any()).await;
        let (_endpoint, answer) = offer(&node, "bob").await;
        let oversize = [&[0x82, 0xff][..], &(1u64 << 40).to_be_bytes(), &[0; 4]].concat();
        let table = [
            (b"\x82\x05plain".to_vec(), 1002u16, "frame"),
            (b"\x83\x80\0\0\0\0".to_vec(), 1002, "frame"),
            (oversize, 1009, "message_too_long"),
            (
                b"\x82\x85\0\0\0\0NOISE\x82\x85\0\0\0\0\r\n\r\nX".to_vec(),
                1002,
                "",
            ),
        ];
        for (frames, code, _) in table {
            let octets = [HANDSHAKE.as_bytes(), &frames].concat();
            let answer = answer_to(answer.address(), &octets);
            let [high, low] = code.to_be_bytes();
            assert!(answer.ends_with(&[0x88, 2, high, low]), "{answer:x?}");
        }
        let metric = "msrp_layer_failures_total";
        assert_eq!(node.metric(metric, Some("frame")), 2);
        assert_eq!(node.metric(metric, Some("message_too_long")), 1);
        assert_eq!(node.metric("msrp_connections_malformed_total", None), 1);
    }
}

#[tokio::test]
async fn participant_of_a_transport_without_listener_is_refused_with_the_reason() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        for (scheme, transport, named) in [
            ("msrp", "ws", "plain WebSocket"),
            ("msrps", "ws", "WebSocket over TLS"),
            ("msrps", "tcp", "TLS"),
        ] {
            let endpoint = MsrpEndpoint::bind().await;
            let media = endpoint.reached_over(scheme, transport).media();
            let error = node.try_offer("bob", &media).await.unwrap_err();
            assert_eq!(error.code, msrp_control::ErrorCode::NotAcceptable);
            assert!(error.detail.contains(named), "{error}");
        }
    }
}
