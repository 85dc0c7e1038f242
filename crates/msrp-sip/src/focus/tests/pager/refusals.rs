//! MESSAGEs that are refused, and why.

use super::super::world::{FACTORY, World, anonymous, caller, policy};
use super::{GROUP, list, marked, message_over, plain, team, warning, with_pager};
use crate::focus::{PagerPolicy, Policy};
use crate::ua::{Headers, Method, Transport};

// covers: PGR-8.3.1.1-04
#[test]
fn message_to_a_session_that_is_not_known_is_refused() {
    let mut world = World::new();
    let session = format!("sip:im-{}@im.example", "0".repeat(32));
    let answer = world.message(&session, caller("alice"), plain("Hi"));
    assert_eq!(answer.status, 403);
    assert!(warning(&answer).contains("123 Session does not exist"));
    assert!(world.messages().is_empty());
}

// covers: PGR-8.3.1.1-01, PGR-8.3.1.1-02
#[test]
fn list_while_lists_are_switched_off_is_a_bad_extension() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            lists: false,
            ..PagerPolicy::default()
        }),
        [team()],
    );
    let required = caller("alice").with("Require", "recipient-list-message");
    for headers in [caller("alice"), required] {
        let answer = world.message(FACTORY, headers, list(&["bob"]));
        assert_eq!(answer.status, 420);
        assert_eq!(
            answer.headers.first("Unsupported"),
            Some("recipient-list-message")
        );
        assert!(warning(&answer).contains("122 Function not allowed"));
    }
    assert_eq!(
        world.message(GROUP, caller("alice"), plain("Hi")).status,
        202
    );
}

// covers: PGR-8.3.1.1-03, COM-11.2-01
#[test]
fn message_to_an_unknown_or_unfit_group_is_not_found() {
    let mut silent = team();
    silent.supports_pager = false;
    let mut world = World::with(policy(), [silent]);
    for to in [GROUP, "sip:other@im.example"] {
        assert_eq!(
            world.message(to, caller("alice"), plain("Hi")).status,
            404,
            "{to}"
        );
    }
    assert_eq!(
        world
            .message("mailto:a@h", caller("alice"), plain("Hi"))
            .status,
        416
    );
}

// covers: PGR-8.3.1.1-05
#[test]
fn message_with_too_many_recipients_is_refused() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            recipients_max: 2,
            ..PagerPolicy::default()
        }),
        [team()],
    );
    let answer = world.message(FACTORY, caller("alice"), list(&["a", "b", "c"]));
    assert_eq!(answer.status, 486);
    assert!(warning(&answer).contains("102 Too many participants"));
    let two = list(&["a", "b", "a"]);
    assert_eq!(world.message(FACTORY, caller("alice"), two).status, 202);
    assert_eq!(
        world.message(GROUP, caller("alice"), plain("Hi")).status,
        202
    );
}

// covers: PGR-8.3.1.1-06, PGR-8.3.1.1-07, COM-5.1-06, COM-5.1-07
#[test]
fn message_of_somebody_without_right_is_refused() {
    let mut closed = team();
    closed.rules = Some(Vec::new());
    let mut world = World::with(policy(), [closed]);
    let nobody = Headers::new().with("From", "<sip:alice@example.com>;tag=1");
    for (to, headers) in [(FACTORY, nobody), (GROUP, caller("alice"))] {
        let answer = world.message(to, headers, list(&["bob"]));
        assert_eq!(answer.status, 403, "{to}");
        assert!(warning(&answer).contains("127 Service not authorised"));
    }
    assert!(world.messages().is_empty());
}

// covers: PGR-8.3.1.1-08, PGR-8.3.1.1-09
#[test]
fn hidden_sender_needs_the_permission_of_the_group_or_the_operator() {
    let mut world = World::with(
        Policy {
            anonymity: false,
            ..policy()
        },
        [team()],
    );
    for (to, body) in [(FACTORY, list(&["bob"])), (GROUP, plain("Hi"))] {
        let answer = world.message(to, anonymous("alice"), body);
        assert_eq!(answer.status, 403, "{to}");
        assert!(warning(&answer).contains("119 Anonymity not allowed"));
    }
    assert!(world.messages().is_empty());
}

#[test]
fn large_message_over_udp_is_refused_and_over_tcp_taken() {
    let mut world = World::new();
    for (transport, expected) in [(Transport::Udp, 413), (Transport::Tcp, 202)] {
        let body = marked(
            "<entry uri=\"sip:bob@example.com\"/>",
            &format!("Content-Type: text/plain\r\n\r\n{}", "x".repeat(1300)),
        );
        assert_eq!(message_over(&mut world, transport, body), [expected]);
    }
    assert_eq!(world.answered(200).len(), 1);
}

#[test]
fn message_that_cannot_be_read_is_refused() {
    let mut world = World::new();
    let unreadable = marked("<entry/>", "Content-Type: text/plain\r\n\r\nHello");
    for (body, expected) in [(plain("Hi"), 400), (unreadable, 400), (list(&[]), 400)] {
        assert_eq!(
            world.message(FACTORY, caller("alice"), body).status,
            expected
        );
    }
    let encoded = caller("alice").with("Content-Encoding", "gzip");
    assert_eq!(world.message(FACTORY, encoded, list(&["bob"])).status, 415);
    let answer = world.request_to(FACTORY, None, Method::Message, caller("alice"), None);
    assert_eq!(answer.status, 400);
}
