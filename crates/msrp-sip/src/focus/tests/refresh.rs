//! Session refreshes in both directions.

use msrp_control::Command;

use super::world::{FACTORY, World, list_body, sdp, sdp_text, sdp_with};
use crate::ua::{Body, Headers, Method};

fn timer() -> Headers {
    Headers::new()
        .with("Supported", "timer")
        .with("Session-Expires", "1800;refresher=uac")
}

// covers: CTRL-7.2.1.11-01
#[test]
fn refresh_of_a_peer_restarts_the_timer() {
    let mut world = World::new();
    let (call, _) = world.one_to_one();
    world.now += 1000 * 1_000_000_000;
    for (method, body, has_sdp) in [
        (Method::Invite, Some(sdp("alice")), true),
        (Method::Invite, None, true),
        (Method::Update, None, false),
        (Method::Update, Some(sdp("alice")), true),
    ] {
        let answer = world.request(Some(call.dialog), method, timer(), body);
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.headers.first("Session-Expires"),
            Some("1800;refresher=uac")
        );
        assert_eq!(answer.headers.first("Require"), Some("timer"));
        assert!(answer.headers.first("Contact").unwrap().contains("isfocus"));
        let sdp = answer.body.map(|b| String::from_utf8(b.octets).unwrap());
        assert_eq!(sdp.is_some_and(|s| s.contains("/room-p0;tcp")), has_sdp);
    }
    // Bob, who never refreshed, is due first.
    assert_eq!(world.wait(), 768);
    world.finish();
}

// covers: CTRL-7.2.1.11-02
#[test]
fn peer_that_does_not_refresh_is_removed_before_the_end() {
    let mut world = World::new();
    let (call, bob) = world.one_to_one();
    assert_eq!(world.wait(), 1768);
    let byes = world.byes();
    assert_eq!(byes[0].0, call.dialog);
    assert_eq!(
        byes[0].2.first("Reason"),
        Some("SIP;cause=408;text=\"Session expired\"")
    );
    assert_eq!(byes[1].0, bob);
    for (_, transaction, _) in byes {
        world.finish_request(transaction, 200, Headers::new());
    }
    assert!(world.focus.is_idle());
    world.finish();
}

// covers: CTRL-7.2.2.1-14
#[test]
fn peer_without_timers_is_refreshed_by_us() {
    let mut world = World::new();
    let headers = Headers::new()
        .with("From", "<sip:alice@example.com>")
        .with("P-Asserted-Identity", "<sip:alice@example.com>");
    let call = world.invite(
        FACTORY,
        headers,
        list_body("alice", &["sip:bob@example.com"]),
    );
    let bob = world.invites()[0].0;
    world.respond(
        bob,
        200,
        Headers::new().with("Session-Expires", "1200;refresher=uac"),
        Some(sdp("bob")),
    );
    world.acknowledge(call);
    let answer = world.final_of(call);
    assert_eq!(
        answer.headers.first("Session-Expires"),
        Some("1800;refresher=uas")
    );
    assert_eq!(answer.headers.first("Require"), None);
    assert_eq!(world.wait(), 600);
    let (dialog, transaction, headers, body) = world.requests().remove(0);
    assert_eq!(dialog, bob);
    assert_eq!(headers.first("Session-Expires"), Some("1200;refresher=uac"));
    assert!(
        String::from_utf8(body.unwrap().octets)
            .unwrap()
            .contains("/room-p1;tcp")
    );
    world.finish_request(
        transaction,
        200,
        Headers::new().with("Session-Expires", "1200;refresher=uac"),
    );
    assert_eq!(world.wait(), 300);
    let (dialog, transaction, ..) = world.requests().remove(0);
    assert_eq!(dialog, call.dialog);
    world.finish_request(transaction, 200, Headers::new());
    assert_eq!(world.wait(), 300);
    assert_eq!(world.requests()[0].0, bob);
    world.finish();
}

#[test]
fn refresh_that_fails_is_tried_again_or_ends_the_dialog() {
    let start = || {
        let mut world = World::new();
        let (_, _) = (0, 0);
        world.ad_hoc(&["sip:bob@example.com", "sip:carol@example.com"]);
        let invites = world.invites();
        world.respond(invites[0].0, 200, Headers::new(), Some(sdp("bob")));
        world.accept(invites[1].0);
        world.sent.clear();
        assert_eq!(world.wait(), 900);
        let (_, transaction, ..) = world.requests().remove(0);
        (world, transaction, invites[0].0)
    };
    let (mut world, transaction, _) = start();
    world.finish_request(transaction, 491, Headers::new());
    assert!((2..=4).contains(&world.wait()));
    assert_eq!(world.requests().len(), 1);
    let (mut world, transaction, _) = start();
    world.finish_request(transaction, 500, Headers::new());
    assert_eq!(world.wait(), 434);
    assert_eq!(world.requests().len(), 1);
    for status in [408, 481] {
        let (mut world, transaction, bob) = start();
        world.finish_request(transaction, status, Headers::new());
        assert_eq!(world.byes()[0].0, bob);
    }
}

#[test]
fn refresh_by_an_invitee_is_not_answered_with_actpass() {
    let mut world = World::new();
    let (_, bob) = world.one_to_one();
    let offer = sdp_text(
        &format!("peer{}", bob.0),
        "message/cpim text/plain",
        "actpass",
    )
    .replace("o=- 1 1", "o=- 1 2");
    let body = Body {
        content_type: "application/sdp".into(),
        octets: offer.into_bytes(),
    };
    let answer = world.request(Some(bob), Method::Invite, timer(), Some(body));
    assert_eq!(answer.status, 200);
    assert!(
        String::from_utf8(answer.body.unwrap().octets)
            .unwrap()
            .contains("a=setup:passive\r\n")
    );
    world.finish();
}

#[test]
fn refreshes_that_cross_are_told_apart() {
    let mut world = World::new();
    world.ad_hoc(&["sip:bob@example.com"]);
    let bob = world.invites()[0].0;
    world.respond(bob, 200, Headers::new(), Some(sdp("bob")));
    world.wait();
    let (_, transaction, ..) = world.requests().remove(0);
    let answer = world.request(Some(bob), Method::Invite, timer(), Some(sdp("bob")));
    assert_eq!(answer.status, 491);
    world.finish_request(transaction, 200, Headers::new());
    let answer = world.request(Some(bob), Method::Invite, timer(), Some(sdp("bob")));
    assert_eq!(answer.status, 200);
    world.finish();
}

#[test]
fn requests_in_dialogs_that_do_not_stand_are_refused() {
    let mut world = World::new();
    let call = world.ad_hoc(&["sip:bob@example.com"]);
    let answer = world.request(Some(call.dialog), Method::Update, timer(), None);
    assert_eq!(
        (answer.status, answer.headers.first("Retry-After")),
        (500, Some("5"))
    );
    let unknown = world.request(
        Some(crate::ua::DialogId(999)),
        Method::Invite,
        timer(),
        None,
    );
    assert_eq!(unknown.status, 481);
    let small = timer().with("Session-Expires", "10");
    let bob = world.invites()[0].0;
    world.accept(bob);
    let answer = world.request(Some(call.dialog), Method::Info, small, None);
    assert_eq!(answer.status, 405);
    world.finish();
}

#[test]
fn small_refresh_interval_is_refused() {
    let mut world = World::new();
    let (call, _) = world.one_to_one();
    let headers = Headers::new()
        .with("Supported", "timer")
        .with("Session-Expires", "10");
    let answer = world.request(Some(call.dialog), Method::Update, headers, None);
    assert_eq!(
        (answer.status, answer.headers.first("Min-SE")),
        (422, Some("90"))
    );
    world.finish();
}

// covers: CLI-7.1.2.2-01, CLI-7.1.2.2-02, CLI-7.1.2.2-03
#[test]
fn refresh_is_taken_by_clients_each_in_its_way_and_the_session_goes_on() {
    let start = || {
        let mut world = World::new();
        let alice = world.ad_hoc(&["sip:bob@example.com"]);
        let bob = world.invites()[0].0;
        world.respond(bob, 200, Headers::new(), Some(sdp("bob")));
        world.acknowledge(alice);
        world.sent.clear();
        assert_eq!(world.wait(), 900);
        let (dialog, transaction, ..) = world.requests().remove(0);
        assert_eq!(dialog, bob);
        let refresh = world.request(Some(alice.dialog), Method::Update, timer(), None);
        assert_eq!(refresh.status, 200);
        (world, bob, transaction)
    };
    // It takes the refreshing over, and takes the wrapper alone from now on.
    let (mut world, bob, transaction) = start();
    let headers = Headers::new()
        .with("Session-Expires", "1800;refresher=uas")
        .with("Supported", "timer");
    let answer = sdp_with("bob", "message/CPIM");
    world.finish_with(transaction, 200, headers, Some(answer));
    let told = world.commands("answer").pop();
    assert!(
        matches!(&told, Some(Command::SetAnswer { sdp, .. }) if sdp.contains("a=accept-types:message/CPIM\r\n")),
        "{told:?}"
    );
    assert_eq!(world.wait(), 1768, "it is the client's turn");
    assert!(world.requests().is_empty());
    assert!(world.byes().iter().any(|(dialog, ..)| *dialog == bob));
    // It knows no such session, or cannot take the offer: it is asked again.
    for status in [606, 488] {
        let (mut world, bob, transaction) = start();
        let warning = Headers::new().with("Warning", "399 h \"Session does not exist\"");
        world.finish_request(transaction, status, warning);
        assert!(world.byes().is_empty() && world.participants_count() == 2);
        world.wait();
        assert_eq!(world.requests()[0].0, bob);
    }
}
