//! What goes through the relay, and what its senders hear.

use msrp_relay::{AddressPolicy, CloseReason, ConnectionId, RelayConfig, limits};
use msrp_wire::TransactionId;

use crate::harness::{
    ALICE, BARE, BOB, RELAY, World, body, config, credentials, field, flag, nonce, request,
    response, send, tid,
};

/// Alice on connection 1 with her URI; Bob on connection 2, connected by the relay for her first SEND, which is answered.
pub(crate) fn pair() -> (World, String) {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    world.feed(
        1,
        send("first001", &format!("{uri} {BOB}"), ALICE, "", "hello", '$'),
    );
    assert_eq!(world.connect(2, None).as_str(), BOB);
    let first = world.only(2);
    world.answer(2, &first, "200 OK");
    world.seen(1);
    (world, uri)
}

/// A whole SEND of Alice to Bob, with more header lines: `send0001`.
fn to_bob(uri: &str, lines: &str, body: &str) -> String {
    let to = format!("{uri} {BOB}");
    send("send0001", &to, ALICE, lines, body, '$')
}

// covers: MSRP-4976-6.4-01, MSRP-4976-6.4-02, MSRP-4976-6.4-03, MSRP-4976-6.4.1-01, MSRP-4976-6.4.1-02, MSRP-4976-6.4.1-10
#[test]
fn send_of_the_owner_is_answered_and_forwarded_with_moved_paths() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    let lines = "Byte-Range: 1-5/5\r\nSuccess-Report: yes\r\nX-Other: kept\r\n";
    world.feed(1, to_bob(&uri, lines, "hello"));
    let answer = world.only(1);
    assert!(answer.starts_with("MSRP send0001 200 OK\r\n"), "{answer}");
    assert_eq!(field(&answer, "To-Path").unwrap(), ALICE);
    assert_eq!(field(&answer, "From-Path").unwrap(), uri);
    world.connect(2, None);
    let sent = world.only(2);
    assert_ne!(tid(&sent), "send0001");
    assert_eq!(field(&sent, "To-Path").unwrap(), BOB);
    assert_eq!(field(&sent, "From-Path").unwrap(), format!("{uri} {ALICE}"));
    assert_eq!(field(&sent, "Byte-Range").unwrap(), "1-5/5");
    assert_eq!(field(&sent, "Success-Report").unwrap(), "yes");
    assert_eq!(field(&sent, "X-Other").unwrap(), "kept");
    assert_eq!((body(&sent), flag(&sent)), ("hello", '$'));
    world.answer(2, &sent, "200 OK");
    assert!(world.seen(1).is_empty());
    assert_eq!(world.relay.sums().delivered, 1);
}

#[test]
fn send_towards_the_owner_goes_to_its_connection() {
    let (mut world, uri) = pair();
    world.feed(
        2,
        send("back0001", &format!("{uri} {ALICE}"), BOB, "", "hi", '$'),
    );
    assert!(world.only(2).starts_with("MSRP back0001 200 "));
    let sent = world.only(1);
    assert_eq!(field(&sent, "To-Path").unwrap(), ALICE);
    assert_eq!(field(&sent, "From-Path").unwrap(), format!("{uri} {BOB}"));
}

// covers: MSRP-4976-9.2-07
#[test]
fn peer_that_connects_itself_is_answered_over_its_connection() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    let facts = msrp_relay::ConnectionFacts {
        is_tls: false,
        ..World::facts(None)
    };
    world.open_with(2, facts);
    world.feed(
        2,
        send("bob00001", &format!("{uri} {ALICE}"), BOB, "", "hi", '$'),
    );
    assert!(world.only(1).contains(" SEND\r\n"));
    world.feed(1, to_bob(&uri, "", "hello"));
    assert!(world.connects.is_empty());
    assert_eq!(world.seen(2).len(), 2);
}

#[test]
fn two_clients_of_one_relay_reach_each_other_through_it() {
    const CAROL: &str = "msrps://carol.invalid:9000/x;tcp";
    let mut world = World::new();
    world.open(1);
    world.open(2);
    let alice = world.admit(1, BARE, ALICE, "");
    let carol = world.admit(2, BARE, CAROL, "");
    world.feed(
        1,
        send(
            "send0001",
            &format!("{alice} {carol} {CAROL}"),
            ALICE,
            "",
            "hi",
            '$',
        ),
    );
    let sent = world.only(2);
    assert_eq!(field(&sent, "To-Path").unwrap(), CAROL);
    assert_eq!(
        field(&sent, "From-Path").unwrap(),
        format!("{carol} {alice} {ALICE}")
    );
    world.seen(1);
    world.feed(
        2,
        send(
            "send0002",
            &format!("{alice} {carol} {CAROL}"),
            CAROL,
            "",
            "hi",
            '$',
        ),
    );
    assert!(world.only(2).starts_with("MSRP send0002 403 "));
}

// covers: MSRP-4976-6.2-01, MSRP-4976-6.4.1-11, MSRP-4976-6.4.1-12
#[test]
fn request_for_another_relay_is_refused_and_its_connection_closed() {
    let mut world = World::new();
    world.open(1);
    world.feed(
        1,
        send(
            "send0001",
            "msrps://other.example.com:2855/x;tcp",
            ALICE,
            "",
            "x",
            '$',
        ),
    );
    assert!(world.only(1).starts_with("MSRP send0001 481 "));
    assert_eq!(world.closes, [(1, CloseReason::NotAddressedHere)]);
}

#[test]
fn request_that_is_not_allowed_is_answered_as_the_table_says() {
    // Each world has the same seed, so Alice's URI is the same in all of them.
    let (_, uri) = pair();
    let guessed = format!("msrps://relay.example.com:2855/abcdefghijklmnopqrstuv;tcp {BOB}");
    let cases = [
        // Somebody else uses Alice's URI to reach a third.
        (3, format!("{uri} msrp://third.example.net:1/x;tcp"), "403"),
        (1, guessed, "481"),
        (1, BARE.to_owned(), "481"),
        (1, uri.clone(), "481"),
        (1, format!("{uri} msrp://127.0.0.1:22/x;tcp"), "403"),
        (
            1,
            format!("{uri} msrp://[::ffff:169.254.169.254]:80/x;tcp"),
            "403",
        ),
        (1, format!("{uri} msrp://192.0.2.99:2855/x;tcp"), "403"),
        (1, format!("{uri} msrp://localhost:1/x;tcp"), "403"),
        (1, format!("{uri} msrp://bob.example.net:1/x;ws"), "403"),
        (1, format!("{uri} {uri} {uri} {BOB}"), "403"),
        (1, format!("{uri} {uri} {BOB}"), "403"),
    ];
    for (connection, to, status) in cases {
        let mut world = World::with(RelayConfig {
            addresses: AddressPolicy {
                own: vec!["192.0.2.99".parse().unwrap()],
                ..AddressPolicy::default()
            },
            ..config()
        });
        world.open(1);
        world.open(3);
        assert_eq!(world.admit(1, BARE, ALICE, ""), uri, "seeded");
        world.feed(connection, send("send0001", &to, ALICE, "", "x", '$'));
        let answer = world.only(connection);
        assert!(
            answer.starts_with(&format!("MSRP send0001 {status} ")),
            "{to}: {answer}"
        );
        assert!(world.connects.is_empty());
    }
}

#[test]
fn session_of_a_peer_is_not_taken_over_by_another_connection() {
    let mut world = World::new();
    for id in 1..=3 {
        world.open(id);
    }
    let uri = world.admit(1, BARE, ALICE, "");
    let to = format!("{uri} {ALICE}");
    world.feed(2, send("bob00001", &to, BOB, "", "hi", '$'));
    world.feed(3, send("evil0001", &to, BOB, "", "hi", '$'));
    assert!(world.only(3).starts_with("MSRP evil0001 506 "));
    world.close(2);
    world.feed(3, send("bob00002", &to, BOB, "", "hi", '$'));
    assert!(world.only(3).starts_with("MSRP bob00002 200 "));
}

#[test]
fn request_in_a_circle_or_with_too_long_a_path_is_refused() {
    let (mut world, uri) = pair();
    let twice = format!("{uri} {uri} {ALICE}");
    let to = format!("{uri} {BOB}");
    world.feed(1, send("send0000", &to, &twice, "", "x", '$'));
    assert!(world.only(1).starts_with("MSRP send0000 200 "));
    let circle = format!("{uri} {uri} {uri} {ALICE}");
    world.feed(
        1,
        send("send0001", &format!("{uri} {BOB}"), &circle, "", "x", '$'),
    );
    assert!(world.only(1).starts_with("MSRP send0001 403 "));
    for (uris, status) in [(15, 200), (16, 400)] {
        let from = vec![ALICE; uris].join(" ");
        world.feed(1, send("send0002", &to, &from, "", "x", '$'));
        let answer = world.only(1);
        assert!(
            answer.starts_with(&format!("MSRP send0002 {status} ")),
            "{answer}"
        );
    }
    // Two URIs of the relay stand in front at the next hop.
    let to = format!("{uri} {uri} {BOB}");
    let from = vec![ALICE; 16].join(" ");
    world.feed(1, send("send0003", &to, &from, "", "x", '$'));
    assert!(world.only(1).starts_with("MSRP send0003 400 "));
}

// covers: MSRP-4976-6.4.1-06, MSRP-4976-6.4.1-09
#[test]
fn send_in_parts_leaves_in_pieces_before_it_has_ended() {
    let (mut world, uri) = pair();
    let text: String = (0..200_000)
        .map(|n| char::from(b'a' + u8::try_from(n % 23).unwrap()))
        .collect();
    let whole = to_bob(&uri, "Byte-Range: 1-*/200000\r\n", &text);
    let (first, second) = whole.split_at(100_000);
    world.feed(1, first);
    let mut pieces = world.seen(2);
    assert!(!pieces.is_empty());
    assert!(world.seen(1).is_empty());
    world.feed(1, second);
    assert!(world.only(1).starts_with("MSRP send0001 200 "));
    pieces.extend(world.seen(2));
    let mut next = 1;
    let mut all = String::new();
    for piece in &pieces {
        let last = next + body(piece).len() - 1;
        assert_eq!(
            field(piece, "Byte-Range").unwrap(),
            format!("{next}-{last}/200000")
        );
        all.push_str(body(piece));
        next = last + 1;
        assert_eq!(flag(piece), if next == 200_001 { '$' } else { '+' });
        world.answer(2, piece, "200 OK");
    }
    assert_eq!(all, text);
    assert_eq!(world.relay.sums().delivered, 2);
}

#[test]
fn interrupted_and_given_up_messages_end_as_they_came() {
    for end in ['+', '#'] {
        let (mut world, uri) = pair();
        world.feed(
            1,
            send(
                "send0001",
                &format!("{uri} {BOB}"),
                ALICE,
                "Byte-Range: 4-*/9\r\n",
                "abc",
                end,
            ),
        );
        assert!(world.only(1).starts_with("MSRP send0001 200 "));
        let sent = world.only(2);
        assert_eq!((body(&sent), flag(&sent)), ("abc", end));
        assert_eq!(field(&sent, "Byte-Range").unwrap(), "4-6/9");
    }
}

#[test]
fn send_without_body_is_forwarded_without_body() {
    let (mut world, uri) = pair();
    let to = format!("{uri} {BOB}");
    world.feed(
        1,
        request("SEND", "send0001", &to, ALICE, "Message-ID: msg00001\r\n"),
    );
    assert!(world.only(1).starts_with("MSRP send0001 200 "));
    let sent = world.only(2);
    assert!(
        sent.ends_with(&format!(
            "Message-ID: msg00001\r\n-------{}$\r\n",
            tid(&sent)
        )),
        "{sent}"
    );
}

// covers: MSRP-4976-6.4.1-03, MSRP-4976-6.4.1-04, MSRP-4976-6.4.1-05, MSRP-4976-6.4.3-03
#[test]
fn failure_is_reported_exactly_as_failure_report_says() {
    let timeout = |world: &mut World, _: &str| world.pass(30);
    let refusal = |world: &mut World, sent: &str| world.answer(2, sent, "413 Enough");
    let loss = |world: &mut World, _: &str| world.close(2);
    type Event = fn(&mut World, &str);
    let cases: [(&str, Event, Option<&str>); 9] = [
        ("yes", timeout, Some("000 408")),
        ("yes", refusal, Some("000 413")),
        ("yes", loss, Some("000 481")),
        ("partial", timeout, None),
        ("partial", refusal, Some("000 413")),
        ("partial", loss, Some("000 481")),
        ("no", timeout, None),
        ("no", refusal, None),
        ("no", loss, None),
    ];
    for (value, event, expected) in cases {
        let (mut world, uri) = pair();
        let lines = format!("Byte-Range: 3-7/9\r\nFailure-Report: {value}\r\n");
        world.feed(
            1,
            send(
                "send0001",
                &format!("{uri} {BOB}"),
                ALICE,
                &lines,
                "hello",
                '+',
            ),
        );
        assert_eq!(world.seen(1).len(), usize::from(value == "yes"));
        let sent = world.only(2);
        world.pass(29);
        assert!(world.seen(1).is_empty());
        event(&mut world, &sent);
        let reports = world.seen(1);
        assert_eq!(
            reports.len(),
            usize::from(expected.is_some()),
            "{value} {reports:?}"
        );
        if let Some(status) = expected {
            assert!(reports[0].contains(" REPORT\r\n"));
            assert_eq!(field(&reports[0], "To-Path").unwrap(), ALICE);
            assert_eq!(field(&reports[0], "From-Path").unwrap(), uri);
            assert_eq!(field(&reports[0], "Message-ID").unwrap(), "msg00001");
            assert_eq!(field(&reports[0], "Byte-Range").unwrap(), "3-7/9");
            assert!(field(&reports[0], "Status").unwrap().starts_with(status));
        }
        assert_eq!(world.relay.sends_open_count(), 0);
    }
}

// covers: MSRP-4976-6.4.1-03
#[test]
fn time_of_an_answer_runs_from_the_last_octet_written() {
    let (mut world, uri) = pair();
    world.tells_written = false;
    world.feed(1, to_bob(&uri, "", "hello"));
    world.seen(1);
    world.pass(100);
    assert!(world.seen(1).is_empty());
    world.tells_written = true;
    world.feed(1, "");
    world.pass(29);
    assert!(world.seen(1).is_empty());
    world.pass(1);
    assert!(world.only(1).contains("Status: 000 408"));
}

#[test]
fn next_hop_that_cannot_be_reached_fails_what_waits_for_it() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    let to = format!("{uri} {BOB}");
    world.feed(1, send("send0001", &to, ALICE, "", "hello", '$'));
    world.feed(1, send("send0002", &to, ALICE, "", "again", '$'));
    assert_eq!(world.connects.len(), 1, "one connection");
    world.feed(
        1,
        request(
            "NICKNAME",
            "nick0001",
            &to,
            ALICE,
            "Use-Nickname: \"A\"\r\n",
        ),
    );
    world.seen(1);
    let (hop, _) = world.connects.remove(0);
    world.relay.handle_unreachable(hop);
    world.feed(1, "");
    let told = world.seen(1);
    assert_eq!(told.len(), 3);
    assert!(told[0].contains("Status: 000 408") && told[1].contains("Status: 000 408"));
    assert!(told[2].starts_with("MSRP nick0001 408 "));
    world.feed(1, send("send0003", &to, ALICE, "", "once more", '$'));
    assert_eq!(world.connects.len(), 1, "asked for again");
    world.seen(1);
    world.pass(30);
    assert!(world.only(1).contains("Status: 000 408"));
}

#[test]
fn much_for_a_next_hop_that_is_being_connected_waits_for_it() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    let text = "x".repeat(1_000_000);
    let to = format!("{uri} {BOB}");
    world.feed(1, send("send0001", &to, ALICE, "", &text, '$'));
    assert!(world.only(1).starts_with("MSRP send0001 200 "));
    world.connect(2, None);
    let octets: usize = world.seen(2).iter().map(|piece| body(piece).len()).sum();
    assert_eq!(octets, text.len());
}

#[test]
fn too_much_for_a_next_hop_that_is_being_connected_is_stopped() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    world.feed(1, to_bob(&uri, "", &"x".repeat(1_200_000)));
    assert!(world.only(1).starts_with("MSRP send0001 413 "));
    assert_eq!(world.relay.sums().failed, 0, "what waits has not ended yet");
    let (hop, _) = world.connects.remove(0);
    world.relay.handle_unreachable(hop);
    assert_eq!(world.relay.sums().told_by_response, 1);
    assert!(world.seen(1).is_empty());
}

#[test]
fn failure_while_a_send_comes_in_is_its_response() {
    let (mut world, uri) = pair();
    let whole = to_bob(&uri, "", &"x".repeat(150_000));
    let (first, second) = whole.split_at(100_000);
    world.feed(1, first);
    let sent = world.seen(2);
    world.answer(2, &sent[0], "413 Enough");
    assert!(world.only(1).starts_with("MSRP send0001 413 "));
    world.feed(1, second);
    for piece in &sent[1..] {
        world.answer(2, piece, "200 OK");
    }
    assert!(world.seen(1).is_empty());
    assert!(world.seen(2).is_empty());
    assert_eq!(world.relay.sums().refused, 1);
}

#[test]
fn failure_by_silence_while_a_send_comes_in_ends_it_at_the_next_hop() {
    let (mut world, uri) = pair();
    let whole = to_bob(&uri, "", &"x".repeat(150_000));
    world.feed(1, &whole[..100_000]);
    let sent = world.seen(2);
    assert_eq!(flag(sent.last().unwrap()), '+');
    world.pass(31);
    assert!(world.only(1).starts_with("MSRP send0001 408 "));
    assert_eq!(flag(&world.only(2)), '#');
}

#[test]
fn report_that_begins_behind_a_send_and_ends_later_is_forwarded() {
    let (mut world, uri) = pair();
    let message = send("send0001", &format!("{uri} {ALICE}"), BOB, "", "hello", '$');
    let lines = "Message-ID: msg00001\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n";
    let report = request(
        "REPORT",
        "repo0001",
        &format!("{uri} {ALICE}"),
        BOB,
        &format!("{lines}Content-Type: text/plain\r\n\r\nbody\r\n"),
    );
    let (first, rest) = report.split_at(report.len() - 20);
    world.feed(2, format!("{message}{first}"));
    world.feed(2, rest);
    let seen = world.seen(1);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[1].contains(" REPORT\r\n"), "{seen:?}");
}

#[test]
fn body_beyond_the_total_is_refused_and_given_up_at_the_next_hop() {
    let (mut world, uri) = pair();
    let whole = to_bob(&uri, "Byte-Range: 1-*/80000\r\n", &"x".repeat(90_000));
    let (first, second) = whole.split_at(75_000);
    world.feed(1, first);
    world.feed(1, second);
    assert!(world.only(1).starts_with("MSRP send0001 400 "));
    let sent = world.seen(2);
    assert_eq!(flag(sent.last().unwrap()), '#');
}

#[test]
fn sender_that_is_lost_leaves_no_half_message() {
    let (mut world, uri) = pair();
    let whole = to_bob(&uri, "", &"x".repeat(9_000));
    world.feed(1, &whole[..5_000]);
    world.close(1);
    let sent = world.seen(2);
    assert_eq!(flag(sent.last().unwrap()), '#');
    for piece in sent {
        world.answer(2, &piece, "200 OK");
    }
    assert_eq!(world.relay.sums().sender_gone, 1);
}

// covers: MSRP-4976-6.4.2-01, MSRP-4976-6.4.2-02
#[test]
fn report_is_forwarded_unchanged_and_never_answered() {
    let (mut world, uri) = pair();
    let lines = "Message-ID: msg00001\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\nX-Other: y\r\n";
    let report = request(
        "REPORT",
        "repo0001",
        &format!("{uri} {ALICE}"),
        BOB,
        &format!("{lines}Content-Type: text/plain\r\n\r\nbody\r\n"),
    );
    world.feed(2, report);
    let sent = world.only(1);
    assert!(sent.contains(lines), "{sent}");
    assert_eq!(body(&sent), "body");
    assert_eq!(field(&sent, "From-Path").unwrap(), format!("{uri} {BOB}"));
    assert!(world.seen(2).is_empty());
    world.pass(60);
    assert!(world.seen(2).is_empty());
    world.feed(
        2,
        request(
            "REPORT",
            "repo0002",
            &format!("{uri} msrps://x.example:1/y;tcp"),
            BOB,
            lines,
        ),
    );
    assert!(world.seen(2).is_empty());
    assert_eq!(world.relay.sums().reports_dropped, 1);
}

// covers: MSRP-4976-6.4.2-03, MSRP-4976-6.4.3-04, MSRP-4976-6.4.3-05, MSRP-4976-6.4.3-06
#[test]
fn request_of_any_other_method_is_forwarded_and_its_response_finds_back() {
    for method in ["NICKNAME", "FROBNICATE"] {
        let (mut world, uri) = pair();
        world.feed(
            1,
            request(
                method,
                "nick0001",
                &format!("{uri} {BOB}"),
                ALICE,
                "Use-Nickname: \"A\"\r\n",
            ),
        );
        assert!(world.seen(1).is_empty());
        let sent = world.only(2);
        assert!(
            sent.contains(&format!(" {method}\r\n")) && sent.contains("Use-Nickname: \"A\"\r\n")
        );
        let to = format!("{uri} {ALICE}");
        world.feed(
            2,
            response(&tid(&sent), "425 Taken", &to, BOB, "X-Why: x\r\n"),
        );
        let answer = world.only(1);
        assert!(
            answer.starts_with("MSRP nick0001 425 Taken\r\n"),
            "{answer}"
        );
        assert_eq!(field(&answer, "To-Path").unwrap(), ALICE);
        assert_eq!(field(&answer, "From-Path").unwrap(), format!("{uri} {BOB}"));
        assert_eq!(field(&answer, "X-Why").unwrap(), "x");
        world.feed(2, response(&tid(&sent), "425 Taken", &to, BOB, ""));
        world.pass(60);
        assert!(world.seen(1).is_empty(), "one response, no timer");
        world.feed(
            1,
            request(method, "nick0002", &format!("{uri} {BOB}"), ALICE, ""),
        );
        let sent = world.only(2);
        world.close(1);
        world.feed(2, response(&tid(&sent), "200 OK", &to, BOB, ""));
        assert!(world.seen(1).is_empty());
    }
}

// covers: MSRP-4976-6.4.2-04
#[test]
fn request_of_a_method_that_is_blocked_or_ends_here_is_not_understood() {
    let mut world = World::with(RelayConfig {
        block_unknown_methods: true,
        ..config()
    });
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    world.feed(
        1,
        request("FROBNICATE", "frob0001", &format!("{uri} {BOB}"), ALICE, ""),
    );
    assert!(world.only(1).starts_with("MSRP frob0001 501 "));
    world.feed(1, request("NICKNAME", "nick0001", RELAY, ALICE, ""));
    assert!(world.only(1).starts_with("MSRP nick0001 501 "));
}

// covers: MSRP-4976-6.4.3-01, MSRP-4976-6.4.3-02
#[test]
fn response_for_another_or_without_paths_is_dropped() {
    let (mut world, uri) = pair();
    world.feed(1, to_bob(&uri, "", "hello"));
    world.seen(1);
    let sent = world.only(2);
    world.feed(
        2,
        response(
            &tid(&sent),
            "413 No",
            "msrps://other.example.com:1/x;tcp",
            BOB,
            "",
        ),
    );
    world.feed(
        2,
        format!(
            "MSRP {0} 413 No\r\nTo-Path: nowhere\r\n-------{0}$\r\n",
            tid(&sent)
        ),
    );
    assert!(world.seen(1).is_empty());
    assert_eq!(world.relay.sums().responses_dropped, 2);
    world.answer(2, &sent, "200 OK");
    assert_eq!(world.relay.sums().delivered, 2);
}

// covers: MSRP-4976-6.3-05
#[test]
fn uri_of_a_relay_leads_over_any_connection_to_that_relay() {
    let intra = "msrps://intra.example.com:9000/jui7;tcp";
    let from = format!("{intra} {ALICE}");
    let mut world = World::new();
    world.open_with(1, World::facts(Some("intra.example.com")));
    let path = world.admit(1, BARE, &from, "");
    let uri = path.rsplit(' ').next().unwrap().to_owned();
    world.close(1);
    world.open_with(3, World::facts(Some("INTRA.example.com")));
    world.open(2);
    world.feed(
        2,
        send("bob00001", &format!("{uri} {from}"), BOB, "", "hi", '$'),
    );
    let sent = world.only(3);
    assert_eq!(field(&sent, "To-Path").unwrap(), from);
    world.close(3);
    world.feed(
        2,
        send("bob00002", &format!("{uri} {from}"), BOB, "", "hi", '$'),
    );
    assert_eq!(world.connect(4, Some("intra.example.com")).as_str(), intra);
    assert!(world.only(4).contains(" SEND\r\n"));
    world.feed(
        4,
        send("send0001", &format!("{uri} {BOB}"), &from, "", "hi", '$'),
    );
    assert!(world.only(4).starts_with("MSRP send0001 200 "));
}

// covers: MSRP-4976-6.3-12
#[test]
fn auth_to_a_relay_further_on_is_forwarded_and_its_failures_count() {
    const EXTRA: &str = "msrps://extra.example.com;tcp";
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    let to = format!("{uri} {EXTRA}");
    let back = format!("{uri} {ALICE}");
    for round in 0..6 {
        let lines = format!(
            "Authorization: {}\r\nExpires: 900\r\n",
            credentials("x", &"0".repeat(64), 1, EXTRA)
        );
        world.feed(1, request("AUTH", "mnbvw000", &to, ALICE, &lines));
        if round == 0 {
            assert_eq!(world.connect(2, Some("extra.example.com")).as_str(), EXTRA);
        }
        let sent = world.only(2);
        assert!(sent.contains(&lines), "{sent}");
        assert_eq!(field(&sent, "From-Path").unwrap(), back);
        let stale = if round == 0 { ", stale=TRUE" } else { "" };
        let challenge = format!(
            "WWW-Authenticate: Digest realm=\"e\", qop=\"auth\", nonce=\"{}\"{stale}\r\n",
            "n".repeat(64)
        );
        assert!(world.closes.is_empty(), "round {round}");
        world.feed(
            2,
            response(&tid(&sent), "401 Unauthorized", &back, EXTRA, &challenge),
        );
        let answer = world.only(1);
        assert!(answer.starts_with("MSRP mnbvw000 401 ") && answer.contains(&challenge));
        assert_eq!(field(&answer, "From-Path").unwrap(), to);
        assert_eq!(nonce(&answer).len(), 64);
    }
    assert_eq!(world.closes, [(1, CloseReason::AuthFailures)]);
}

#[test]
fn few_octets_of_a_send_that_pauses_leave_after_the_hold_time() {
    let (mut world, uri) = pair();
    let whole = to_bob(&uri, "", "slow typing");
    let (first, rest) = whole.split_at(whole.find(" typing").unwrap());
    world.feed(1, first);
    assert!(world.seen(2).is_empty(), "more may come at once");
    world.now = world.now.after(limits::HOLD_NS);
    world.pass(0);
    let piece = world.only(2);
    assert_eq!((body(&piece), flag(&piece)), ("slo", '+'));
    world.feed(1, rest);
    let piece = world.only(2);
    assert_eq!((body(&piece), flag(&piece)), ("w typing", '$'));
}

#[test]
fn send_that_finds_no_room_at_its_next_hop_is_reported_with_413() {
    let (mut world, uri) = pair();
    world.tells_written = false;
    world.feed(1, to_bob(&uri, "", "x"));
    assert!(world.only(1).starts_with("MSRP send0001 200 "));
    let id = TransactionId::parse(tid(&world.only(2)).as_bytes()).unwrap();
    world.relay.handle_no_room(ConnectionId(2), id);
    world.pass(0);
    assert!(world.only(1).contains("Status: 000 413"));
    assert_eq!(world.relay.sums().failed, 1);
}

#[test]
fn request_with_an_illegal_header_section_is_400_where_its_sender_may_hear_it() {
    let (mut world, uri) = pair();
    let to = format!("{uri} {BOB}");
    for (method, lines, is_answered) in [
        ("SEND", "", true),
        ("SEND", "Failure-Report: partial\r\n", true),
        ("SEND", "Failure-Report: no\r\n", false),
        ("REPORT", "", false),
        ("AUTH", "", true),
    ] {
        let lines = format!("Message-ID: msg00001\r\nByte-Range: nonsense\r\n{lines}");
        world.feed(1, request(method, "send0001", &to, ALICE, &lines));
        let answers = world.seen(1);
        assert_eq!(answers.len(), usize::from(is_answered), "{method} {lines}");
        assert!(
            answers
                .iter()
                .all(|answer| answer.starts_with("MSRP send0001 400 "))
        );
    }
    assert!(world.seen(2).is_empty());
}

#[test]
fn refused_send_is_answered_to_the_previous_hop_alone() {
    let (mut world, _) = pair();
    let from = format!("msrps://hop.example.com:1/x;tcp {ALICE}");
    let to = format!("msrps://relay.example.com:2855/unknown;tcp {BOB}");
    world.feed(1, send("send0001", &to, &from, "", "x", '$'));
    let answer = world.only(1);
    assert!(answer.starts_with("MSRP send0001 481 "));
    assert_eq!(
        field(&answer, "To-Path").unwrap(),
        "msrps://hop.example.com:1/x;tcp"
    );
}

#[test]
fn failure_while_a_send_comes_in_that_wants_no_word_of_it_is_told_nobody() {
    let (mut world, uri) = pair();
    let lines = "Failure-Report: no\r\nByte-Range: 1-*/10\r\n";
    let to = format!("{uri} {BOB}");
    world.feed(1, send("send0001", &to, ALICE, lines, "more than ten", '$'));
    assert!(world.seen(1).is_empty() && world.seen(2).is_empty());
    let sums = world.relay.sums();
    assert_eq!((sums.told_nothing, sums.told_by_response), (1, 0));
}

#[test]
fn response_to_another_name_of_the_relay_is_an_answer() {
    let (mut world, uri) = pair();
    let to = format!("{uri} {BOB}");
    for own in [BARE, RELAY] {
        world.feed(1, send("send0001", &to, ALICE, "", "x", '$'));
        let sent = world.only(2);
        world.feed(2, response(&tid(&sent), "200 OK", own, BOB, ""));
    }
    assert_eq!(world.relay.sums().delivered, 3);
}

#[test]
fn challenge_of_a_relay_further_on_is_no_failure_of_a_client_that_showed_nothing() {
    const EXTRA: &str = "msrps://extra.example.com;tcp";
    let (mut world, uri) = pair();
    let to = format!("{uri} {EXTRA}");
    let back = format!("{uri} {ALICE}");
    let shown = credentials("x", &"0".repeat(64), 1, EXTRA);
    for round in 0..20 {
        let (lines, status) = match round % 2 {
            0 => (String::new(), "401 Unauthorized"),
            _ => (format!("Authorization: {shown}\r\n"), "200 OK"),
        };
        world.feed(1, request("AUTH", "auth0001", &to, ALICE, &lines));
        if round == 0 {
            world.connect(3, Some("extra.example.com"));
        }
        let sent = world.only(3);
        world.feed(3, response(&tid(&sent), status, &back, EXTRA, ""));
        assert!(world.only(1).contains(status));
    }
    assert!(world.closes.is_empty());
}
