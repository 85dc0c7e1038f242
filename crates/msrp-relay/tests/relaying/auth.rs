//! AUTH that ends at the relay, and which URIs are valid for whom.

use msrp_relay::{CloseReason, ConnectionFacts, NotARelay, Relay, RelayConfig, UserList};

use crate::harness::{ALICE, BARE, BOB, World, config, credentials, field, nonce, request, send};

// covers: MSRP-4976-4.2-01, MSRP-4976-5.1-04, MSRP-4976-5.1-08, MSRP-4976-6.3-02, MSRP-4976-9.1-01, MSRP-4976-9.1-09, MSRP-4976-8-01
#[test]
fn auth_of_a_client_is_challenged_and_then_given_a_uri() {
    let mut world = World::new();
    world.open(1);
    world.feed(1, request("AUTH", "49fh0000", BARE, ALICE, ""));
    let challenge = world.only(1);
    assert!(
        challenge.starts_with("MSRP 49fh0000 401 Unauthorized\r\n"),
        "{challenge}"
    );
    assert_eq!(field(&challenge, "To-Path").unwrap(), ALICE);
    assert_eq!(field(&challenge, "From-Path").unwrap(), BARE);
    assert_eq!(challenge.matches("WWW-Authenticate: Digest ").count(), 2);
    let lines = format!(
        "Authorization: {}\r\n",
        credentials("alice", &nonce(&challenge), 1, BARE)
    );
    world.feed(1, request("AUTH", "49fi0000", BARE, ALICE, &lines));
    let answer = world.only(1);
    assert!(answer.starts_with("MSRP 49fi0000 200 OK\r\n"), "{answer}");
    assert_eq!(field(&answer, "Expires").unwrap(), "1800");
    assert!(
        field(&answer, "Authentication-Info")
            .unwrap()
            .contains("rspauth=")
    );
    let uri = field(&answer, "Use-Path").unwrap();
    assert!(uri.starts_with("msrps://relay.example.com:2855/"), "{uri}");
    assert_eq!(world.relay.handles_count(), 1);
}

// covers: MSRP-4976-6.3-08
#[test]
fn uri_of_another_path_is_another_and_of_the_same_path_the_same() {
    let mut world = World::new();
    world.open(1);
    world.open(2);
    let first = world.admit(1, BARE, ALICE, "");
    assert_eq!(world.admit(1, BARE, ALICE, ""), first);
    let other = world.admit(1, BARE, "msrps://alice.invalid:9892/other;tcp", "");
    assert_ne!(other, first);
    // Another connection under the same URI is another client.
    assert_ne!(world.admit(2, BARE, ALICE, ""), first);
    let session = first
        .strip_prefix("msrps://relay.example.com:2855/")
        .unwrap();
    assert_eq!(session.strip_suffix(";tcp").unwrap().len(), 22, "128 bits");
}

// covers: MSRP-4976-6.3-04
#[test]
fn auth_with_a_lifetime_out_of_bounds_is_told_the_bound() {
    let cases = [
        ("59", "423", Some(("Min-Expires", "60"))),
        ("0", "423", Some(("Min-Expires", "60"))),
        ("86401", "423", Some(("Max-Expires", "86400"))),
        (
            "99999999999999999999",
            "423",
            Some(("Max-Expires", "86400")),
        ),
        ("soon", "400", None),
        ("+60", "400", None),
        ("60", "200", Some(("Expires", "60"))),
        ("86400", "200", Some(("Expires", "86400"))),
    ];
    for (asked, status, expected) in cases {
        let mut world = World::new();
        world.open(1);
        let answer = world.auth(1, BARE, ALICE, &format!("Expires: {asked}\r\n"));
        assert!(
            answer.starts_with(&format!("MSRP auth0002 {status} ")),
            "{asked}: {answer}"
        );
        if let Some((name, value)) = expected {
            assert_eq!(field(&answer, name).as_deref(), Some(value), "{asked}");
        }
        assert_eq!(world.relay.handles_count(), usize::from(status == "200"));
    }
}

// covers: MSRP-4976-6.3-07, MSRP-4976-6.3-09
#[test]
fn uri_whose_time_is_over_leads_nowhere_and_a_refreshed_one_goes_on() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "Expires: 60\r\n");
    world.pass(59);
    assert_eq!(world.admit(1, BARE, ALICE, "Expires: 60\r\n"), uri);
    world.pass(59);
    assert_eq!(world.relay.handles_count(), 1);
    world.pass(1);
    assert_eq!(world.relay.handles_count(), 0);
    world.open(2);
    world.feed(
        2,
        send("send0001", &format!("{uri} {ALICE}"), BOB, "", "x", '$'),
    );
    assert!(world.only(2).starts_with("MSRP send0001 481 "));
    assert!(world.seen(1).is_empty());
}

// covers: MSRP-4976-6.3-06
#[test]
fn uri_of_a_client_ends_with_its_connection() {
    let mut world = World::new();
    world.open(1);
    let uri = world.admit(1, BARE, ALICE, "");
    world.close(1);
    assert_eq!(world.relay.handles_count(), 0);
    world.open(2);
    world.feed(
        2,
        send("send0001", &format!("{uri} {BOB}"), ALICE, "", "x", '$'),
    );
    assert!(world.only(2).starts_with("MSRP send0001 481 "));
}

// covers: MSRP-4976-6.3-11
#[test]
fn client_with_wrong_credentials_again_and_again_is_cut_off() {
    let mut world = World::new();
    world.open(1);
    world.feed(1, request("AUTH", "49fh0000", BARE, ALICE, ""));
    let nonce = nonce(&world.only(1));
    for count in 1..=5 {
        assert!(world.closes.is_empty());
        let lines = format!(
            "Authorization: {}\r\n",
            credentials("mallory", &nonce, count, BARE)
        );
        world.feed(1, request("AUTH", "49fi0000", BARE, ALICE, &lines));
        assert!(world.only(1).starts_with("MSRP 49fi0000 401 "));
    }
    assert_eq!(world.closes, [(1, CloseReason::AuthFailures)]);
}

// covers: MSRP-4976-6.3-13
#[test]
fn relay_with_wrong_credentials_again_and_again_stays() {
    let mut world = World::new();
    world.open_with(1, World::facts(Some("intra.example.com")));
    let from = format!("msrps://intra.example.com:9000/jui7;tcp {ALICE}");
    world.feed(1, request("AUTH", "49fh0000", BARE, &from, ""));
    let nonce = nonce(&world.only(1));
    for count in 1..=6 {
        let lines = format!(
            "Authorization: {}\r\n",
            credentials("mallory", &nonce, count, BARE)
        );
        world.feed(1, request("AUTH", "49fi0000", BARE, &from, &lines));
    }
    assert!(world.closes.is_empty());
}

// covers: MSRP-4976-6.3-01, MSRP-4976-8-03, MSRP-4976-9.2-04
#[test]
fn auth_over_a_connection_that_is_not_trusted_is_refused() {
    let through = format!("msrps://intra.example.com:9000/jui7;tcp {ALICE}");
    let plain = ConnectionFacts {
        is_tls: false,
        ..World::facts(None)
    };
    let cases = [
        (plain, ALICE),
        (World::facts(None), through.as_str()),
        (World::facts(Some("other.example.com")), through.as_str()),
    ];
    for (facts, from) in cases {
        let mut world = World::new();
        world.open_with(1, facts);
        world.feed(1, request("AUTH", "49fh0000", BARE, from, ""));
        assert!(world.only(1).starts_with("MSRP 49fh0000 403 "));
    }
}

#[test]
fn auth_through_a_relay_gets_the_way_back_in_the_order_of_to_path() {
    let mut world = World::new();
    world.open_with(1, World::facts(Some("Intra.example.com")));
    let intra = "msrps://intra.example.com:9000/jui7;tcp";
    let path = world.admit(1, BARE, &format!("{intra} {ALICE}"), "");
    let (first, second) = path.split_once(' ').unwrap();
    assert_eq!(first, intra);
    assert!(second.starts_with("msrps://relay.example.com:2855/"));
}

// covers: MSRP-4976-6.1-02, MSRP-4976-6.1-03
#[test]
fn connection_without_an_accepted_request_is_closed() {
    let mut world = World::new();
    world.open(1);
    world.open(2);
    world.open(3);
    world.admit(2, BARE, ALICE, "");
    for _ in 0..8 {
        world.feed(
            3,
            send("send0001", &format!("{BARE} {BOB}"), ALICE, "", "x", '$'),
        );
    }
    assert_eq!(world.closes, [(3, CloseReason::OnlyRefused)]);
    world.pass(29);
    assert_eq!(world.closes.len(), 1);
    world.pass(1);
    assert_eq!(world.closes[1..], [(1, CloseReason::Probation)]);
}

#[test]
fn configuration_that_makes_no_relay_is_refused() {
    let refused =
        |config: RelayConfig| Relay::new(config, UserList::default(), [0; 32]).unwrap_err();
    for uri in [
        "msrps://192.0.2.1:2855;tcp",
        "msrps://relay.example.com;tcp",
        "msrps://relay.example.com:1/x;tcp",
    ] {
        let config = RelayConfig {
            advertised: uri.parse().unwrap(),
            ..config()
        };
        assert_eq!(refused(config), NotARelay::AdvertisedUri, "{uri}");
    }
    for expires_s in [(0, 9, 5), (5, 9, 4), (5, 9, 10)] {
        assert_eq!(
            refused(RelayConfig {
                expires_s,
                ..config()
            }),
            NotARelay::Expires
        );
    }
}
