//! Floods are bounded, and the log says so.

#![expect(clippy::unwrap_used, reason = "test code")]

use std::io;

use msrp_testkit::daemon::LogLine;
use msrp_testkit::{Config, Daemon, Flag, Invite, MsrpEndpoint};
use msrpd_tests::{
    ALICE, BOB, CAROL, Document, FRIENDS, WAYS, config_with_friends, expect_reset, person,
};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

/// Most messages that one session may have begun and not ended.
const UNFINISHED_MESSAGES_MAX: usize = 64;
/// Most requests for a nickname at once.
const NICKNAMES_AT_ONCE_MAX: usize = 10;

async fn expect_closed(mut stream: TcpStream) {
    let mut octets = [0; 8];
    assert!(matches!(stream.read(&mut octets).await, Ok(0) | Err(_)));
}

async fn wait_logged(daemon: &Daemon, text: &str) {
    let is_it =
        |line: &LogLine| line.message().contains(text) || line.field("reason").contains(text);
    daemon.wait_log(text, is_it).await;
}

// covers: SEC-14.1.5-02
#[tokio::test]
async fn flood_of_any_kind_is_bounded_and_logged_and_the_others_talk_on() {
    for way in &WAYS[..2] {
        let config = config_with_friends()
            .set("limits", "connections_max", 3)
            .set("limits", "unbound_s", 3);
        let daemon = Daemon::start(config.backend(way.backend).shards(1)).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let idle = TcpStream::connect(daemon.msrp_addr()).await.unwrap();
        let open = |count: f64| count == 3.0;
        daemon.wait_metric("msrp_connections", open).await;
        expect_reset(TcpStream::connect(daemon.msrp_addr())).await;
        wait_logged(&daemon, "connections_max is reached").await;
        expect_closed(idle).await;
        wait_logged(&daemon, "named no session in time").await;

        for number in 0..=UNFINISHED_MESSAGES_MAX {
            let draft = alice
                .text("never finished")
                .message_id(&format!("half-{number}"));
            let half = alice
                .msrp
                .send_chunk(&draft, 0, draft.octets() - 1, Flag::More);
            let status = if number < UNFINISHED_MESSAGES_MAX {
                200
            } else {
                413
            };
            alice.msrp.expect_status(&half, status).await;
        }
        wait_logged(&daemon, "message refused").await;
        for number in 0..=NICKNAMES_AT_ONCE_MAX {
            let status = if number < NICKNAMES_AT_ONCE_MAX {
                200
            } else {
                403
            };
            alice.msrp.ask_nickname(&format!("n{number}"), status).await;
        }
        bob.say("still here").await;
        alice.expect_text(BOB, "still here").await;
    }
}

/// An attacker's address: everybody else is at 127.0.0.1.
const STRANGER: &str = "127.0.0.2";

/// A connection from the attacker's address.
async fn connect_strange(daemon: &Daemon) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(format!("{STRANGER}:0").parse().unwrap())
        .unwrap();
    socket.connect(daemon.msrp_addr()).await
}

#[tokio::test]
async fn source_with_too_many_silent_connections_is_refused_and_the_others_are_served() {
    for way in &WAYS[..2] {
        let config = config_with_friends().set("limits", "source_unbound_max", 2);
        let daemon = Daemon::start(config.backend(way.backend).shards(1)).await;
        let silent = [
            connect_strange(&daemon).await.unwrap(),
            connect_strange(&daemon).await.unwrap(),
        ];
        daemon.wait_metric("msrp_connections", |n| n == 2.0).await;
        expect_reset(connect_strange(&daemon)).await;
        wait_logged(&daemon, "too many without a session").await;
        let refused = "msrp_limits_reached_total{limit=\"source_unbound_max\"}";
        assert!(daemon.metric(refused).await >= 1.0);
        // Those that have named their session do not count: three from one address.
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let _carol = way.join(&daemon, FRIENDS, CAROL).await;
        alice.say("meanwhile").await;
        bob.expect_text(ALICE, "meanwhile").await;
        let refused = daemon.metric(refused).await;
        assert_eq!(
            daemon.metric("msrp_connections_refused_total").await,
            refused
        );
        drop(silent);
        daemon.wait_metric("msrp_connections", |n| n == 3.0).await;
        let _again = connect_strange(&daemon).await.unwrap();
        daemon.wait_metric("msrp_connections", |n| n == 4.0).await;
    }
}

/// A stranger who asks whether somebody is there.
struct Scanner {
    socket: UdpSocket,
    asked: u32,
}

impl Scanner {
    async fn at(daemon: &Daemon) -> Self {
        let socket = UdpSocket::bind((STRANGER, 0)).await.unwrap();
        socket.connect(daemon.sip_udp()).await.unwrap();
        Self { socket, asked: 0 }
    }

    /// Asks until the answer is refused for its number, or is not.
    async fn ask_until(&mut self, is_refused: bool) {
        loop {
            self.asked += 1;
            let (n, own) = (self.asked, self.socket.local_addr().unwrap());
            let request = format!(
                "OPTIONS sip:nobody@localhost SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKscan{n}\r\n\
                 From: <sip:s@localhost>;tag=s\r\nTo: <sip:nobody@localhost>\r\nCall-ID: scan{n}\r\n\
                 CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            );
            self.socket.send(request.as_bytes()).await.unwrap();
            let mut octets = vec![0; 4096];
            let count = self.socket.recv(&mut octets).await.unwrap();
            let answer = String::from_utf8_lossy(&octets[..count]);
            if answer.starts_with("SIP/2.0 503 ") == is_refused {
                assert_eq!(answer.contains("Retry-After"), is_refused);
                return;
            }
        }
    }
}

#[tokio::test]
async fn source_with_too_many_sip_requests_is_refused_and_the_others_are_served() {
    let way = WAYS[0];
    let config = config_with_friends()
        .set("sip", "trusted_peers", &["127.0.0.1/32"][..])
        .set("limits", "sip_source_requests_per_s", 5);
    let daemon = way.start(config).await;
    let mut scanner = Scanner::at(&daemon).await;
    scanner.ask_until(true).await;
    wait_logged(&daemon, "too many SIP requests").await;
    let refused = "msrp_sip_limits_reached_total{limit=\"sip_source_requests_per_s\"}";
    assert!(daemon.metric(refused).await >= 1.0);
    let alice = way.join(&daemon, FRIENDS, ALICE).await;
    let bob = way.join(&daemon, FRIENDS, BOB).await;
    alice.say("meanwhile").await;
    bob.expect_text(ALICE, "meanwhile").await;
    scanner.ask_until(false).await;
}

#[tokio::test]
async fn invites_that_nobody_acknowledges_are_bounded_and_newcomers_join_after_them() {
    const UNFINISHED_MAX: usize = 4;
    let bound = u32::try_from(UNFINISHED_MAX).unwrap();
    let people: Vec<_> = (0..=UNFINISHED_MAX).map(person).collect();
    let group = Document::new(FRIENDS).members(&people);
    for way in &WAYS[..2] {
        let config =
            Config::new()
                .group("friends", &group.xml())
                .set("limits", "sip_unfinished_max", bound);
        let daemon = way.start(config).await;
        let agent = way.agent(&daemon).await;
        let mut endpoints = Vec::new();
        for person in &people[..UNFINISHED_MAX] {
            let endpoint = MsrpEndpoint::bind().await;
            let invite = Invite::new(FRIENDS, person).media(&endpoint.media());
            let calling = agent.invite(&invite).await;
            assert_eq!(calling.expect_final().await.status(), 200);
            endpoints.push(endpoint);
        }
        let endpoint = MsrpEndpoint::bind().await;
        let invite = Invite::new(FRIENDS, &people[UNFINISHED_MAX]).media(&endpoint.media());
        let mut refused = 0;
        let newcomer = loop {
            match agent.invite(&invite).await.expect_either().await {
                Ok(dialog) => break dialog,
                Err(failure) => assert_eq!(failure.status(), 503),
            }
            refused += 1;
        };
        let limit = "msrp_sip_limits_reached_total{limit=\"sip_unfinished_max\"}";
        assert_eq!(daemon.metric(limit).await, f64::from(refused));
        // It made room, and did not end by itself after 32 s.
        assert_eq!(daemon.metric("msrp_sip_given_up_total").await, 1.0);
        let peer = endpoint.connect(&newcomer.remote_media()).await;
        peer.bind().await;
    }
}
