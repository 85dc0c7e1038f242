//! What one peer can make the relay keep, and what is answered at each bound.

use msrp_relay::{CloseReason, ConnectionId, limits};
use msrp_wire::MsrpUriBuf;

use crate::harness::{ALICE, BARE, BOB, SECOND, World, credentials, nonce, request, send};

#[test]
fn uris_of_one_connection_are_bounded() {
    let mut world = World::new();
    world.open(1);
    world.feed(1, request("AUTH", "auth0001", BARE, ALICE, ""));
    let nonce = nonce(&world.only(1));
    for number in 0..=limits::HANDLES_PER_CONNECTION_MAX {
        let count = u32::try_from(number).unwrap() + 1;
        let lines = format!(
            "Authorization: {}\r\n",
            credentials("alice", &nonce, count, BARE)
        );
        let from = format!("msrps://alice.invalid:9892/s{number};tcp");
        world.feed(1, request("AUTH", "auth0002", BARE, &from, &lines));
        let status = if number < limits::HANDLES_PER_CONNECTION_MAX {
            "200"
        } else {
            "403"
        };
        assert!(
            world
                .only(1)
                .starts_with(&format!("MSRP auth0002 {status} ")),
            "{number}"
        );
    }
    assert_eq!(
        world.relay.handles_count(),
        limits::HANDLES_PER_CONNECTION_MAX
    );
    world.close(1);
    assert_eq!(world.relay.handles_count(), 0);
}

#[test]
fn authorization_played_back_is_challenged_again() {
    let mut world = World::new();
    world.open(1);
    world.feed(1, request("AUTH", "auth0001", BARE, ALICE, ""));
    let lines = format!(
        "Authorization: {}\r\n",
        credentials("alice", &nonce(&world.only(1)), 1, BARE)
    );
    world.feed(1, request("AUTH", "auth0002", BARE, ALICE, &lines));
    assert!(world.only(1).starts_with("MSRP auth0002 200 "));
    world.open(2);
    world.feed(2, request("AUTH", "auth0003", BARE, ALICE, &lines));
    let answer = world.only(2);
    assert!(
        answer.starts_with("MSRP auth0003 401 ") && answer.contains("stale=true"),
        "{answer}"
    );
    assert_eq!(world.relay.handles_count(), 1);
}

#[test]
fn next_hops_that_one_client_asks_for_are_bounded_until_they_are_connected() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    let max = limits::CONNECTING_PER_CONNECTION_MAX;
    for port in 1..=max + 1 {
        let to = format!("{uri} msrp://bob.example.net:{port}/x;tcp");
        world.feed(1, send("send0001", &to, ALICE, "", "x", '$'));
        let status = if port <= max { "200" } else { "403" };
        assert!(
            world
                .only(1)
                .starts_with(&format!("MSRP send0001 {status} ")),
            "{port}"
        );
    }
    assert_eq!(world.connects.len(), max);
    world.connect(2, None);
    world.feed(
        1,
        send("send0002", &format!("{uri} {BOB}"), ALICE, "", "x", '$'),
    );
    assert!(world.only(1).starts_with("MSRP send0002 200 "));
}

#[test]
fn sends_without_an_answer_are_bounded() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    let to = format!("{uri} {BOB}");
    world.feed(1, send("first001", &to, ALICE, "", "x", '$'));
    world.connect(2, None);
    for number in 1..=limits::TRANSACTIONS_PER_CONNECTION_MAX {
        world.seen(1);
        world.feed(
            1,
            send(&format!("send{number:05}"), &to, ALICE, "", "x", '$'),
        );
    }
    assert!(world.only(1).contains(" 413 "));
    world.seen(2);
    world.pass(30);
    let reports = world.seen(1);
    assert_eq!(reports.len(), limits::TRANSACTIONS_PER_CONNECTION_MAX);
    assert!(
        reports
            .iter()
            .all(|report| report.contains("Status: 000 408"))
    );
}

#[test]
fn sends_that_ask_for_errors_only_never_fill_a_connection() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    let to = format!("{uri} {BOB}");
    world.feed(
        1,
        send(
            "first001",
            &to,
            ALICE,
            "Failure-Report: partial\r\n",
            "x",
            '$',
        ),
    );
    world.connect(2, None);
    let mut sent = world.seen(2);
    for number in 0..limits::TRANSACTIONS_PER_CONNECTION_MAX + 9 {
        world.feed(
            1,
            send(
                &format!("send{number:05}"),
                &to,
                ALICE,
                "Failure-Report: partial\r\n",
                "x",
                '$',
            ),
        );
        sent.extend(world.seen(2));
    }
    assert!(world.seen(1).is_empty());
    assert_eq!(sent.len(), limits::TRANSACTIONS_PER_CONNECTION_MAX + 10);
    assert_eq!(
        world.relay.sends_open_count(),
        limits::UNASKED_PER_CONNECTION_MAX
    );
    world.answer(2, &sent[0], "413 Enough");
    assert!(world.seen(1).is_empty(), "too late to be told");
    world.answer(2, sent.last().unwrap(), "413 Enough");
    assert!(world.only(1).contains("Status: 000 413"));
}

// covers: MSRP-4976-5.1-03
#[test]
fn peers_of_one_uri_are_bounded() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    let max = u64::try_from(limits::PEERS_PER_HANDLE_MAX).unwrap();
    for id in 2..=max + 2 {
        world.open(id);
        let from = format!("msrp://bob.example.net:{id}/x;tcp");
        world.feed(
            id,
            send("send0001", &format!("{uri} {ALICE}"), &from, "", "x", '$'),
        );
        let status = if id < max + 2 { "200" } else { "403" };
        assert!(
            world
                .only(id)
                .starts_with(&format!("MSRP send0001 {status} ")),
            "{id}"
        );
    }
}

#[test]
fn guessed_uris_reach_nobody() {
    let mut world = World::new();
    world.open(1);
    world.admit(1, BARE, ALICE, "");
    world.open(2);
    for number in 0..1000 {
        let guessed = format!("msrps://relay.example.com:2855/{number:022};tcp");
        world.feed(
            2,
            send("send0001", &format!("{guessed} {ALICE}"), BOB, "", "x", '$'),
        );
    }
    assert!(world.seen(1).is_empty());
    assert_eq!(world.closes, [(2, CloseReason::OnlyRefused)]);
    assert_eq!(world.relay.sums().sends_taken, 0);
}

#[test]
fn connection_that_comes_when_its_next_hop_was_given_up_is_closed() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    world.feed(
        1,
        send("send0001", &format!("{uri} {BOB}"), ALICE, "", "x", '$'),
    );
    world.pass(30);
    world.connect(2, None);
    assert_eq!(world.closes, [(2, CloseReason::TooLate)]);
    assert!(world.seen(2).is_empty());
}

#[test]
fn body_of_another_request_than_send_is_bounded() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    for (octets, status) in [(10_240, None), (10_241, Some(" 400 "))] {
        let lines = format!("Content-Type: text/plain\r\n\r\n{}\r\n", "x".repeat(octets));
        world.feed(
            1,
            request(
                "FROBNICATE",
                "frob0001",
                &format!("{uri} {BOB}"),
                ALICE,
                &lines,
            ),
        );
        let answer = world.seen(1).pop();
        assert_eq!(answer.is_some(), status.is_some());
        assert!(answer.is_none_or(|answer| answer.contains(status.unwrap())));
    }
}

// covers: MSRP-4976-6.5-01
#[test]
fn connection_that_no_session_needs_is_closed_when_it_was_unused_for_an_hour() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "Expires: 7200\r\n");
    let to = format!("{uri} {BOB}");
    world.feed(1, send("send0001", &to, ALICE, "", "x", '$'));
    world.connect(2, None);
    let sent = world.only(2);
    world.answer(2, &sent, "200 OK");
    // The peer of a session that came by itself could not be reached again.
    world.open(3);
    let carol = "msrp://carol.example.net:1/x;tcp";
    let back = format!("{uri} {ALICE}");
    world.feed(3, send("send0003", &back, carol, "", "x", '$'));
    world.pass(3000);
    world.feed(1, send("send0002", &to, ALICE, "", "x", '$'));
    let sent = world.seen(2).pop().unwrap();
    world.answer(2, &sent, "200 OK");
    world.pass(3599);
    assert_eq!(world.closes, []);
    world.pass(1);
    assert_eq!(world.closes, [(2, CloseReason::Idle)]);
    world.close(2);
    // The client and the peer are needed until the URI is worth nothing any more.
    world.pass(600);
    assert_eq!(world.relay.handles_count(), 0);
    world.pass(3601);
    assert_eq!(
        world.closes[1..],
        [(3, CloseReason::Idle), (1, CloseReason::Idle)]
    );
}

// covers: MSRP-4976-6.5-02, MSRP-4976-6.5-03
#[test]
fn room_is_made_by_closing_the_connection_that_was_unused_for_longest() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "Expires: 7200\r\n");
    for id in 2..=5 {
        let to = format!("{uri} msrp://bob.example.net:{id}/x;tcp");
        world.feed(1, send("send0001", &to, ALICE, "", "x", '$'));
        world.connect(id, None);
        let sent = world.only(id);
        world.answer(id, &sent, "200 OK");
        world.pass(1);
    }
    // Number 2 is used again, number 4 owes an answer.
    for (id, is_answered) in [(2, true), (4, false)] {
        world.pass(15);
        let to = format!("{uri} msrp://bob.example.net:{id}/x;tcp");
        world.feed(1, send("send0002", &to, ALICE, "", "x", '$'));
        let sent = world.only(id);
        if is_answered {
            world.answer(id, &sent, "200 OK");
        }
    }
    world.pass(26);
    assert!(!world.make_room(), "all were used within a minute");
    world.now = world.now.after(4 * SECOND);
    let mut closed = Vec::new();
    while world.make_room() {
        closed.extend(world.closes.pop());
    }
    assert_eq!(closed, [(3, CloseReason::Idle), (5, CloseReason::Idle)]);
    world.pass(60);
    assert!(world.make_room() && world.make_room() && !world.make_room());
    assert_eq!(
        world.closes,
        [(2, CloseReason::Idle), (4, CloseReason::Idle)]
    );
}

// covers: MSRP-4976-8-02
#[test]
fn next_hop_over_tls_that_is_an_address_has_a_port() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    for (host, is_refused) in [
        ("192.0.2.9", true),
        ("[2001:db8::9]", true),
        ("192.0.2.9:2855", false),
        ("[2001:db8::9]:2855", false),
        ("bob.example.net", false),
    ] {
        let to = format!("{uri} msrps://{host}/x;tcp");
        world.feed(1, send("send0001", &to, ALICE, "", "x", '$'));
        let status = if is_refused { 400 } else { 200 };
        let answer = world.only(1);
        assert!(answer.contains(&format!(" {status} ")), "{host}: {answer}");
    }
    assert_eq!(world.connects.len(), 3);
}

#[test]
fn relay_waits_for_what_is_due_first() {
    let mut world = World::new();
    assert_eq!(world.relay.poll_timeout(), None);
    world.open(1);
    let probation = world.now.after(limits::PROBATION_NS);
    let idle = world.now.after(limits::CONNECTION_IDLE_NS);
    assert_eq!(world.relay.poll_timeout(), Some(probation));
    world.admit(1, BARE, ALICE, "Expires: 7200\r\n");
    world.pass(30);
    assert_eq!(world.relay.poll_timeout(), Some(idle));
    world.close(1);
    assert_eq!(world.relay.poll_timeout(), None);
}

#[test]
fn relay_says_which_connections_and_uris_it_has() {
    let mut world = World::new();
    world.open(1);
    world.open(2);
    let is_there = [1, 2, 3].map(|id| world.relay.has_connection(ConnectionId(id)));
    assert_eq!(is_there, [true, true, false]);
    let uri = world.admit(1, BARE, ALICE, "");
    world.admit(1, BARE, "msrps://alice.invalid:9892/other;tcp", "");
    let sessions = [1, 2, 3].map(|id| world.relay.sessions_count(ConnectionId(id)));
    assert_eq!(sessions, [2, 0, 0]);
    let knows = |uri: &str| {
        let uri: MsrpUriBuf = uri.parse().unwrap();
        world.relay.knows(world.now, &uri.as_uri())
    };
    assert!(knows(&uri));
    assert!(!knows(BARE) && !knows("msrps://relay.example.com:2855/other;tcp"));
    assert!(!knows(
        &uri.replace("relay.example.com", "other.example.com")
    ));
}

#[test]
fn connection_of_a_relay_makes_room_once_nothing_is_under_way_on_it() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "Expires: 7200\r\n");
    world.open_with(2, World::facts(Some("other.example.com")));
    let from = format!("msrps://other.example.com:2855/x;tcp {BOB}");
    let message = send(
        "send0001",
        &format!("{uri} {ALICE}"),
        &from,
        "",
        "hello",
        '$',
    );
    let (first, rest) = message.split_at(message.len() - 20);
    world.feed(2, first);
    world.pass(61);
    assert!(!world.make_room(), "a SEND comes in");
    world.feed(2, rest);
    world.pass(61);
    assert!(world.make_room());
    assert_eq!(world.closes, [(2, CloseReason::Idle)]);
}
