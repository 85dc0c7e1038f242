//! What became of the copies, as their sender is told.

use super::super::world::{FACTORY, World, caller, policy};
use super::{GROUP, asking, asking_list, list, team, text, with_pager};
use crate::focus::PagerPolicy;
use crate::groups::{Rights, Rule};
use crate::ua::{Body, Headers, Origin, Response, UaEvent};

/// What this user's client reports.
fn notification(name: &str, user: &str, kind: &str, status: &str) -> Body {
    let text = format!(
        "From: <sip:{user}@example.com>\r\nTo: <sip:alice@example.com>\r\n\
         NS: imdn <urn:ietf:params:imdn>\r\nimdn.IMDN-Route: <{FACTORY}>\r\nimdn.Message-ID: n{user}\r\n\r\n\
         Content-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n\
         <?xml version=\"1.0\"?><imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id>{name}</message-id>\
         <datetime>2026-11-21T10:00:00Z</datetime><recipient-uri>sip:{user}@example.com</recipient-uri>\
         <{kind}-notification><status><{status}/></status></{kind}-notification></imdn>"
    );
    Body {
        content_type: "message/cpim".into(),
        octets: text.into_bytes(),
    }
}

// covers: PGR-8.3.1.1-10, PGR-8.3.1.2-02, PGR-8.3.1.3-01, PGR-8.3.1.2-01, PGR-D.3-01, TMR-15.1-02
#[test]
fn notifications_are_told_together_and_the_late_one_alone() {
    let mut world = World::new();
    let users = ["bob", "carol", "dave"];
    let body = asking_list("m1", "positive-delivery", &users);
    assert_eq!(world.message(FACTORY, caller("alice"), body).status, 202);
    for copy in world.answered(200) {
        let text = text(&copy);
        assert!(text.contains(&format!("To: <{}>\r\n", copy.uri)), "{text}");
        assert!(text.contains(&format!("imdn.IMDN-Record-Route: <{FACTORY}>\r\n")));
        assert!(text.contains(&format!("imdn.Original-To: <{FACTORY}>\r\n")));
    }
    for user in ["bob", "carol"] {
        let body = notification("m1", user, "delivery", "delivered");
        assert_eq!(world.message(FACTORY, caller(user), body).status, 202);
    }
    assert!(world.messages().is_empty());
    assert_eq!(world.wait(), 30);
    let told = world.answered(200);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].uri, "sip:alice@example.com");
    assert_eq!(told[0].from, format!("<{FACTORY}>"));
    let aggregate = text(&told[0]);
    assert!(
        aggregate.contains("Content-Type: multipart/mixed;boundary="),
        "{aggregate}"
    );
    assert!(aggregate.contains("Content-Disposition: notification\r\n"));
    assert_eq!(
        aggregate.matches("Content-Type: message/imdn+xml").count(),
        2
    );
    assert!(aggregate.contains("bob") && aggregate.contains("carol"));
    for _ in 0..3 {
        assert_eq!(world.wait(), 30);
        assert!(world.messages().is_empty());
    }
    let late = notification("m1", "dave", "delivery", "delivered");
    assert_eq!(world.message(FACTORY, caller("dave"), late).status, 202);
    let told = world.answered(200);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].uri, "sip:alice@example.com");
    let alone = text(&told[0]);
    assert!(alone.contains("Content-Type: message/imdn+xml"), "{alone}");
    assert!(!alone.contains("IMDN-Route"), "{alone}");
}

// covers: PGR-8.3.1.3-03
#[test]
fn aggregate_goes_when_the_last_recipient_reported() {
    let mut world = World::new();
    let body = asking_list("m1", "positive-delivery", &["bob", "carol"]);
    world.message(FACTORY, caller("alice"), body);
    world.answered(200);
    for user in ["bob", "carol"] {
        assert!(world.messages().is_empty());
        let body = notification("m1", user, "delivery", "delivered");
        world.message(FACTORY, caller(user), body);
    }
    assert_eq!(world.answered(200).len(), 1);
    world.finish();
}

// covers: PGR-8.3.1.4-01, PGR-8.3.1.4-04
#[test]
fn refused_copies_become_notifications_of_failure() {
    let mut world = World::new();
    let body = asking_list(
        "m1",
        "positive-delivery, negative-delivery",
        &["bob", "carol"],
    );
    world.message(FACTORY, caller("alice"), body);
    let copies = world.messages();
    world.finish_request(copies[0].0, 404, Headers::new());
    assert!(world.messages().is_empty());
    world.finish_request(copies[1].0, 603, Headers::new());
    let told = world.answered(200);
    assert_eq!(told.len(), 1);
    let text = text(&told[0]);
    assert_eq!(
        text.matches("<status><failed/></status>").count(),
        2,
        "{text}"
    );
    assert!(text.contains("<message-id>m1</message-id>"));
    assert!(text.contains("<datetime>2026-11-21T10:00:00Z</datetime>"));
    assert!(text.contains("<recipient-uri>sip:bob@example.com</recipient-uri>"));
    world.finish();
}

// covers: PGR-8.3.1.4-02
#[test]
fn refused_copies_that_nobody_asked_about_are_not_told() {
    let mut world = World::new();
    for (name, wish) in [("m1", "positive-delivery"), ("m2", "display")] {
        let body = asking_list(name, wish, &["bob", "carol"]);
        assert_eq!(world.message(FACTORY, caller("alice"), body).status, 202);
        assert_eq!(world.answered(404).len(), 2);
    }
    assert_eq!(
        world
            .message(FACTORY, caller("alice"), list(&["bob"]))
            .status,
        202
    );
    assert_eq!(world.answered(500).len(), 1);
    assert!(world.messages().is_empty());
    world.finish();
}

// covers: PGR-8.3.1.4-03
#[test]
fn failure_after_the_gathering_is_told_at_once() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            notification_restarts: 0,
            ..PagerPolicy::default()
        }),
        [],
    );
    let body = asking_list("m1", "negative-delivery", &["bob", "carol"]);
    world.message(FACTORY, caller("alice"), body);
    let copies = world.messages();
    world.wait();
    world.finish_request(copies[0].0, 408, Headers::new());
    let told = world.answered(200);
    assert_eq!(told.len(), 1);
    assert!(text(&told[0]).contains("<failed/>"));
}

#[test]
fn notification_of_a_stranger_is_refused_and_display_is_forwarded() {
    let mut world = World::new();
    let body = asking_list("m1", "positive-delivery, display", &["bob"]);
    world.message(FACTORY, caller("alice"), body);
    world.answered(200);
    let forged = notification("m1", "bob", "delivery", "delivered");
    assert_eq!(world.message(FACTORY, caller("eve"), forged).status, 403);
    assert!(world.messages().is_empty());
    let display = notification("m1", "bob", "display", "displayed");
    assert_eq!(world.message(FACTORY, caller("bob"), display).status, 202);
    let told = world.answered(200);
    assert_eq!(told[0].uri, "sip:alice@example.com");
    assert_eq!(told[0].from, "\"bob from\" <sip:bob@example.com>");
    assert!(text(&told[0]).contains("<displayed/>"));
}

#[test]
fn notification_of_a_forgotten_message_follows_its_own_header() {
    let mut world = World::new();
    let body = notification("old", "bob", "delivery", "delivered");
    assert_eq!(world.message(FACTORY, caller("bob"), body).status, 202);
    assert_eq!(world.answered(200)[0].uri, "sip:alice@example.com");
    let elsewhere = notification("old", "bob", "delivery", "delivered");
    let answer = world.message("sip:x@elsewhere.example", caller("bob"), elsewhere);
    assert_eq!(answer.status, 404);
}

#[test]
fn name_of_a_message_under_way_cannot_be_used_by_another() {
    let mut world = World::new();
    let body = || asking_list("m1", "positive-delivery", &["bob"]);
    assert_eq!(world.message(FACTORY, caller("alice"), body()).status, 202);
    assert_eq!(world.message(FACTORY, caller("eve"), body()).status, 400);
}

#[test]
fn shutdown_tells_what_is_known_and_takes_nothing_new() {
    let mut world = World::new();
    let body = asking_list("m1", "positive-delivery", &["bob", "carol"]);
    world.message(FACTORY, caller("alice"), body);
    world.answered(200);
    let body = notification("m1", "bob", "delivery", "delivered");
    world.message(FACTORY, caller("bob"), body);
    assert!(world.messages().is_empty());
    world.focus.begin_shutdown(world.now);
    world.settle();
    assert!(!world.focus.is_idle());
    assert_eq!(world.answered(200).len(), 1);
    assert!(world.focus.is_idle());
    assert_eq!(
        world
            .message(FACTORY, caller("alice"), list(&["bob"]))
            .status,
        503
    );
}

#[test]
fn aggregate_that_finds_no_way_goes_one_by_one() {
    let mut world = World::new();
    let body = asking_list("m1", "positive-delivery", &["bob", "carol"]);
    world.message(FACTORY, caller("alice"), body);
    world.answered(200);
    for user in ["bob", "carol"] {
        let body = notification("m1", user, "delivery", "delivered");
        world.message(FACTORY, caller(user), body);
    }
    let (transaction, _) = world.messages().remove(0);
    let response = Response {
        status: 503,
        reason: String::new(),
        headers: Headers::new(),
        body: None,
        origin: Origin::Transport,
    };
    world.ua(UaEvent::Response {
        transaction,
        response,
    });
    for user in ["bob", "carol"] {
        let told = world.answered(200);
        assert_eq!(told.len(), 1);
        assert!(text(&told[0]).contains(user));
        assert!(!text(&told[0]).contains("multipart"));
    }
    assert!(world.messages().is_empty());
    world.finish();
}

#[test]
fn notifications_do_not_show_members_that_the_sender_may_not_see() {
    let mut closed = team();
    let rights = Rights {
        initiate: true,
        ..Rights::default()
    };
    closed.rules = Some(vec![Rule {
        conditions: Vec::new(),
        rights,
    }]);
    let mut world = World::with(policy(), [closed]);
    let wrapped = Body {
        content_type: "message/cpim".into(),
        octets: asking("m1", "positive-delivery, negative-delivery").into_bytes(),
    };
    assert_eq!(world.message(GROUP, caller("alice"), wrapped).status, 202);
    let copies = world.messages();
    world.finish_request(copies[0].0, 404, Headers::new());
    world.finish_request(copies[1].0, 200, Headers::new());
    let body = notification("m1", "carol", "delivery", "delivered");
    assert_eq!(world.message(GROUP, caller("carol"), body).status, 202);
    let told = world.answered(200);
    assert_eq!(told.len(), 1);
    let whole = format!("{:?}{}", told[0], text(&told[0]));
    assert!(whole.contains("<failed/>") && whole.contains("<delivered/>"));
    assert!(
        !whole.contains("bob") && !whole.contains("carol"),
        "{whole}"
    );
}

#[test]
fn name_of_a_message_that_was_told_stays_its_senders() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            notification_restarts: 0,
            ..PagerPolicy::default()
        }),
        [],
    );
    let body = || asking_list("m1", "positive-delivery", &["bob"]);
    assert_eq!(world.message(FACTORY, caller("alice"), body()).status, 202);
    world.wait();
    assert_eq!(world.message(FACTORY, caller("eve"), body()).status, 400);
    assert_eq!(world.message(FACTORY, caller("alice"), body()).status, 202);
}
