//! What those try who may not.

use msrp_testkit::{Daemon, Draft, Flag, Mode, MsrpEndpoint};

use crate::client::{ALICE, BOB, Client, config, connect, pair, uri_of};

// covers: MSRP-4976-6.3-08, MSRP-4976-6.3-09
#[tokio::test]
async fn guessed_uris_reach_nobody_and_cost_the_connection() {
    let relay = Daemon::start(config().shards(2)).await;
    let (alice, bob) = pair(&relay).await;
    let known = bob.relay_uri().to_owned();
    let (base, session) = known.rsplit_once('/').unwrap();
    let mut guesses = vec![format!("{base}/{}", session.to_lowercase())];
    for index in 5..12 {
        let mut octets = session.as_bytes().to_vec();
        octets[index] = if octets[index] == b'A' { b'B' } else { b'A' };
        guesses.push(format!("{base}/{}", String::from_utf8(octets).unwrap()));
    }
    let thief = connect(&relay).await;
    thief
        .expect_status(&thief.send_auth(&uri_of(&relay), &[]), 401)
        .await;
    assert_eq!(guesses.len(), 8);
    for guess in &guesses {
        let to = format!("{guess} {}", bob.peer.uri());
        let sent = thief.send(&Draft::new("text/plain", "spam").to_path(&to));
        thief.expect_all(&sent, 481).await;
    }
    thief.expect_closed().await;
    alice.peer.send_ok(&Draft::new("text/plain", "first")).await;
    assert_eq!(bob.peer.expect_message().await.text(), "first");
}

// covers: MSRP-4976-6.4-01, MSRP-4976-6.4-02
#[tokio::test]
async fn client_cannot_use_the_uri_of_another_to_reach_others() {
    let relay = Daemon::start(config().shards(2)).await;
    let alice = Client::of(&relay, &ALICE).await;
    let mallory = Client::of(&relay, &BOB).await;
    let victim = MsrpEndpoint::bind().await;
    // To the world under somebody else's URI: only its owner may.
    let to = format!("{} {}", alice.relay_uri(), victim.uri());
    let sent = mallory
        .peer
        .send(&Draft::new("text/plain", "x").to_path(&to));
    mallory.peer.expect_all(&sent, 403).await;
    // Through the URI of another to a third one.
    let to = format!(
        "{} {} {}",
        alice.relay_uri(),
        mallory.relay_uri(),
        victim.uri()
    );
    let sent = mallory
        .peer
        .send(&Draft::new("text/plain", "x").to_path(&to));
    mallory.peer.expect_all(&sent, 403).await;
    // Without any URI: an open relay would do it.
    let to = format!("{} {}", uri_of(&relay), victim.uri());
    let sent = mallory
        .peer
        .send(&Draft::new("text/plain", "x").to_path(&to));
    mallory.peer.expect_all(&sent, 481).await;
}

#[tokio::test]
async fn session_of_a_peer_has_one_owner_however_many_claim_it() {
    let relay = Daemon::start(config().shards(2)).await;
    let alice = Client::of(&relay, &ALICE).await;
    for round in 0..RACES {
        // All are the same peer, as far as they say.
        let uri = format!("msrp://peer.invalid:9/race{round};tcp");
        let mut racers = Vec::new();
        for _ in 0..RACERS {
            let endpoint = MsrpEndpoint::bind().await;
            let racer = endpoint.connect_to(relay.msrp_addr(), &alice.path).await;
            racer.add_uri(&uri);
            racers.push(racer);
        }
        let draft = || Draft::new("text/plain", "mine").from_path(&uri);
        let sent: Vec<_> = racers.iter().map(|racer| racer.send(&draft())).collect();
        let mut statuses = Vec::new();
        for (racer, sent) in racers.iter().zip(&sent) {
            statuses.extend(racer.expect_response(&sent.tids[0]).await.status());
        }
        let winners = statuses.iter().filter(|status| **status == 200).count();
        let losers = statuses.iter().filter(|status| **status == 506).count();
        assert_eq!((winners, losers), (1, RACERS - 1), "{statuses:?}");
        assert_eq!(alice.peer.expect_message().await.text(), "mine");
        for racer in &racers {
            racer.close();
        }
        for racer in &racers {
            racer.expect_closed().await;
        }
        relay
            .wait_metric("msrp_connections", |count| count == 1.0)
            .await;
    }
    alice.peer.assert_nothing_left();
}

/// How often the session is fought for, and by how many at a time.
const RACES: usize = 25;
const RACERS: usize = 40;

#[tokio::test]
async fn addresses_that_a_stranger_must_not_reach_are_denied() {
    let relay = Daemon::start(config().set("relay", "allow_addresses", [] as [&str; 0])).await;
    let alice = Client::of(&relay, &ALICE).await;
    let victim = MsrpEndpoint::bind().await;
    let port = victim
        .uri()
        .split(':')
        .nth(2)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    for host in [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[fe80::1]",
        "localhost",
        "LOCALHOST",
        "metadata.localhost",
        "0x7f.1",
        "2130706433",
    ] {
        let to = format!("{} msrp://{host}:{port}/abcd;tcp", alice.relay_uri());
        let sent = alice.peer.send(&Draft::new("text/plain", "x").to_path(&to));
        let answer = alice.peer.expect_response(&sent.tids[0]).await;
        assert_eq!(answer.status(), Some(403), "{host}");
    }
    assert_eq!(relay.metric("msrp_relay_sends_taken_total").await, 0.0);
}

#[tokio::test]
async fn relay_does_not_connect_to_itself_under_another_name() {
    let relay = Daemon::start(config().set("relay", "allow_addresses", ["127.0.0.9"])).await;
    let mut alice = Client::of(&relay, &ALICE).await;
    let port = relay.msrp_addr().port();
    alice.talk_to(&format!("msrp://127.0.0.1:{port}/abcd;tcp"));
    let sent = alice.peer.send(&Draft::new("text/plain", "x"));
    alice.peer.expect_all(&sent, 403).await;
}

#[tokio::test]
async fn frames_beyond_their_bounds_are_refused_and_the_others_go_on() {
    let relay = Daemon::start(config()).await;
    let (alice, bob) = pair(&relay).await;
    // More octets than the Byte-Range announced.
    let liar = Client::of(&relay, &ALICE).await;
    let to = format!("{} {}", liar.relay_uri(), bob.path);
    let head = format!(
        "MSRP liar0001 SEND\r\nTo-Path: {to}\r\nFrom-Path: {}\r\nMessage-ID: liar1\r\n\
         Byte-Range: 1-*/5\r\nContent-Type: text/plain\r\n\r\n{}\r\n-------liar0001$\r\n",
        liar.peer.uri(),
        "x".repeat(100_000)
    );
    liar.peer.write_raw(head.as_bytes());
    liar.peer.expect_status("liar0001", 400).await;
    // A header section without end.
    let endless = connect(&relay).await;
    endless.write_raw(b"MSRP long0001 AUTH\r\nTo-Path: ");
    endless.write_raw(&[b'm'; 200_000]);
    endless.expect_closed().await;
    // A body where only small ones are taken.
    let body = "y".repeat(100_000);
    let frame = format!(
        "MSRP rep00001 REPORT\r\nTo-Path: {to}\r\nFrom-Path: {}\r\nMessage-ID: r1\r\nByte-Range: 1-5/5\r\n\
         Status: 000 200 OK\r\nContent-Type: text/plain\r\n\r\n{body}\r\n-------rep00001$\r\n",
        liar.peer.uri()
    );
    liar.peer.write_raw(frame.as_bytes());
    alice.peer.send_ok(&Draft::new("text/plain", "fine")).await;
    let message = bob.peer.expect_message().await;
    let text = if message.ended == Flag::Abort {
        bob.peer.expect_message().await
    } else {
        message
    };
    assert_eq!(text.text(), "fine");
}

#[tokio::test]
async fn bytes_that_are_not_msrp_end_the_connection_and_the_uri_of_its_client() {
    let relay = Daemon::start(config()).await;
    let (alice, bob) = pair(&relay).await;
    bob.peer.set_mode(Mode::Manual);
    bob.peer.write_raw(b"GET / HTTP/1.1\r\n\r\n");
    bob.peer.expect_closed().await;
    let sent = alice.peer.send(&Draft::new("text/plain", "gone"));
    alice.peer.expect_all(&sent, 481).await;
    relay
        .wait_metric("msrp_relay_uris", |uris| uris == 1.0)
        .await;
}
