//! What one peer can make the relay keep, and what is answered at each bound.

use msrp_relay::{CloseReason, limits};

use crate::harness::{ALICE, BARE, BOB, World, credentials, nonce, request, send};

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
