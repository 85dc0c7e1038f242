//! MESSAGEs to lists, groups and sessions, and what their senders are told.

use super::world::{FACTORY, Sent, World, anonymous, caller, peer, policy, sdp, uri};
use crate::focus::{
    PagerPolicy, Policy, SOFTWARE, SystemContent, SystemMessage, SystemMessageError,
};
use crate::groups::{Group, Rights, Rule};
use crate::limits::NS_PER_S;
use crate::ua::{
    Answer, Body, Headers, Method, Origin, OutRequest, Peer, Request, Response, Transport, TxnId,
    UaEvent,
};

const GROUP: &str = "sip:team@im.example";

fn plain(text: &str) -> Body {
    Body {
        content_type: "text/plain".into(),
        octets: text.as_bytes().to_vec(),
    }
}

fn marked(entries: &str, content: &str) -> Body {
    let text = format!(
        "--b1\r\n{content}\r\n--b1\r\nContent-Type: application/resource-lists+xml\r\n\
         Content-Disposition: recipient-list\r\n\r\n\
         <resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\" \
         xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"><list>{entries}</list></resource-lists>\r\n--b1--\r\n"
    );
    Body {
        content_type: "multipart/mixed;boundary=b1".into(),
        octets: text.into_bytes(),
    }
}

fn entries(uris: &[String]) -> String {
    uris.iter()
        .map(|u| format!("<entry uri=\"{u}\"/>"))
        .collect()
}

fn list(users: &[&str]) -> Body {
    let uris: Vec<String> = users
        .iter()
        .map(|u| format!("sip:{u}@example.com"))
        .collect();
    marked(&entries(&uris), "Content-Type: text/plain\r\n\r\nHello")
}

/// A CPIM message that asks for these notifications.
fn asking(name: &str, wish: &str) -> String {
    format!(
        "From: <sip:alice@example.com>\r\nTo: <{FACTORY}>\r\nDateTime: 2026-11-21T10:00:00Z\r\n\
         NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {name}\r\n\
         imdn.Disposition-Notification: {wish}\r\n\r\nContent-Type: text/plain\r\n\r\nHello"
    )
}

fn asking_list(name: &str, wish: &str, users: &[&str]) -> Body {
    let uris: Vec<String> = users
        .iter()
        .map(|u| format!("sip:{u}@example.com"))
        .collect();
    let content = format!("Content-Type: message/cpim\r\n\r\n{}", asking(name, wish));
    marked(&entries(&uris), &content)
}

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

fn text(request: &OutRequest) -> String {
    String::from_utf8(request.body.as_ref().unwrap().octets.clone()).unwrap()
}

fn warning(answer: &Answer) -> &str {
    answer.headers.first("Warning").unwrap_or_default()
}

fn with_pager(pager: PagerPolicy) -> Policy {
    Policy { pager, ..policy() }
}

fn team() -> Group {
    let mut group = Group::open_to_all(uri(GROUP)).with_display_name("Team");
    for user in ["alice", "bob", "carol", "bob"] {
        group = group.with_member(uri(&format!("sip:{user}@example.com")), None);
    }
    group
}

impl World {
    fn message(&mut self, to: &str, headers: Headers, body: Body) -> Answer {
        self.request_to(to, None, Method::Message, headers, Some(body))
    }

    /// The MESSAGEs that were sent and not looked at.
    fn messages(&mut self) -> Vec<(TxnId, OutRequest)> {
        self.take(|s| match s {
            Sent::Message(transaction, request) => Some((*transaction, request.clone())),
            _ => None,
        })
    }

    /// The same, each answered with this status.
    fn answered(&mut self, status: u16) -> Vec<OutRequest> {
        let messages = self.messages();
        for (transaction, _) in &messages {
            self.finish_request(*transaction, status, Headers::new());
        }
        messages.into_iter().map(|(_, request)| request).collect()
    }
}

// covers: PGR-8.3.1.1-11, PGR-8.3.1.1-12, PGR-8.3.2.1-02, PGR-8.3.2.1-03, PGR-8.3.2.1-08, PGR-8.3.2.1-09
#[test]
fn list_message_is_accepted_and_copied_to_each_distinct_entry() {
    let mut world = World::new();
    let headers = caller("alice")
        .with("Require", "recipient-list-message")
        .with("Subject", "Lunch");
    let answer = world.message(FACTORY, headers, list(&["bob", "carol", "bob", "alice"]));
    assert_eq!(answer.status, 202);
    let copies = world.answered(200);
    let uris: Vec<&str> = copies.iter().map(|c| c.uri.as_str()).collect();
    assert_eq!(
        uris,
        [
            "sip:bob@example.com",
            "sip:carol@example.com",
            "sip:alice@example.com"
        ]
    );
    for copy in &copies {
        assert_eq!(copy.method, Method::Message);
        assert_eq!(copy.to, format!("<{}>", copy.uri));
        assert_eq!(copy.from, "\"alice from\" <sip:alice@example.com>");
        let asserted: Vec<&str> = copy.headers.all("P-Asserted-Identity").collect();
        assert_eq!(
            asserted,
            ["\"alice pai\" <sip:alice@example.com>", "<tel:+15555>"]
        );
        assert_eq!(
            copy.headers.first("Accept-Contact"),
            Some("*;+g.oma.sip-im")
        );
        assert_eq!(copy.headers.first("Server"), Some(SOFTWARE));
        assert_eq!(copy.headers.first("Subject"), Some("Lunch"));
        assert_eq!(copy.headers.first("Referred-By"), None);
        assert_eq!(copy.headers.first("Require"), None);
        assert_eq!(copy.body, Some(plain("Hello")));
    }
    world.finish();
}

// covers: PGR-8.3.2.1-13
#[test]
fn marked_list_shows_recipients_to_each_other_unless_switched_off() {
    let body = || {
        marked(
            "<entry uri=\"sip:bob@example.com\" cp:copyControl=\"to\"/><entry uri=\"sip:carol@example.com\"/>",
            "Content-Type: text/plain\r\n\r\nHello",
        )
    };
    let mut world = World::new();
    assert_eq!(world.message(FACTORY, caller("alice"), body()).status, 202);
    for copy in world.answered(200) {
        let text = text(&copy);
        assert!(
            text.contains("Content-Disposition: recipient-list-history; handling=optional\r\n")
        );
        assert!(
            text.contains("Content-Type: text/plain\r\n\r\nHello\r\n"),
            "{text}"
        );
        assert!(text.contains("bob") && !text.contains("carol"), "{text}");
    }
    let mut world = World::with(
        with_pager(PagerPolicy {
            recipient_history: false,
            ..PagerPolicy::default()
        }),
        [],
    );
    assert_eq!(world.message(FACTORY, caller("alice"), body()).status, 202);
    assert!(
        world
            .answered(200)
            .iter()
            .all(|c| c.body == Some(plain("Hello")))
    );
}

// covers: PGR-8.3.2.1-04, PGR-8.3.2.1-05, PGR-8.3.2.1-10
#[test]
fn group_message_goes_to_the_other_members_in_the_groups_name() {
    let mut world = World::with(policy(), [team()]);
    let answer = world.message(GROUP, caller("alice"), plain("Hi all"));
    assert_eq!(answer.status, 202);
    let copies = world.answered(200);
    let uris: Vec<&str> = copies.iter().map(|c| c.uri.as_str()).collect();
    assert_eq!(uris, ["sip:bob@example.com", "sip:carol@example.com"]);
    for copy in copies {
        let group = format!("\"Team\" <{GROUP}>");
        assert_eq!(
            copy.headers.first("P-Asserted-Identity"),
            Some(group.as_str())
        );
        assert_eq!(
            copy.headers.first("Referred-By"),
            Some("<sip:alice@example.com>")
        );
        assert_eq!(copy.body, Some(plain("Hi all")));
    }
    world.finish();
}

// covers: PGR-8.3.2.1-06, PGR-8.3.2.1-07, PGR-8.3.2.1-11
#[test]
fn session_message_goes_to_the_other_participants_in_the_sessions_name() {
    let mut world = World::new();
    let (call, _) = world.one_to_one();
    let session = format!("sip:{}@im.example", world.room());
    let body = || plain("Hi");
    assert_eq!(world.message(&session, caller("alice"), body()).status, 202);
    let copies = world.answered(200);
    assert_eq!(copies.len(), 1);
    let copy = &copies[0];
    assert_eq!(copy.uri, "sip:bob@example.com");
    assert_eq!(
        copy.headers.first("P-Asserted-Identity"),
        Some(format!("<{session}>").as_str())
    );
    assert_eq!(
        copy.headers.first("Referred-By"),
        Some("<sip:alice@example.com>")
    );
    // The same inside the dialog of the session.
    let inside = world.request_to(
        &session,
        Some(call.dialog),
        Method::Message,
        caller("alice"),
        Some(body()),
    );
    assert_eq!(inside.status, 202);
    assert_eq!(world.answered(200).len(), 1);
    let stranger = world.message(&session, caller("eve"), body());
    assert_eq!(stranger.status, 403);
    assert!(warning(&stranger).contains("127 Service not authorised"));
    world.finish();
}

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

// covers: PAR-I.2-04
#[test]
fn message_to_the_exploder_is_served_as_one_to_the_factory() {
    let exploder = "sip:list@im.example";
    let mut world = World::with(
        with_pager(PagerPolicy {
            exploder: vec![uri(exploder)],
            ..PagerPolicy::default()
        }),
        [team()],
    );
    let mut sent = Vec::new();
    for target in [FACTORY, exploder] {
        let answer = world.message(target, caller("alice"), list(&["bob", "carol"]));
        assert_eq!(answer.status, 202);
        let copies = world.answered(200).into_iter();
        sent.push(copies.map(|copy| (copy.uri, copy.body)).collect::<Vec<_>>());
    }
    assert_eq!(sent[0].len(), 2);
    assert_eq!(sent[0], sent[1]);
    // Another address of the domain is no exploder.
    let answer = world.message("sip:nobody@im.example", caller("alice"), list(&["bob"]));
    assert_eq!(answer.status, 404);
    world.finish();
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
fn copies_of_a_hidden_sender_do_not_show_it() {
    let mut open = team();
    let rights = Rights {
        initiate: true,
        anonymity: true,
        ..Rights::default()
    };
    open.rules = Some(vec![Rule {
        conditions: Vec::new(),
        rights,
    }]);
    let mut world = World::with(policy(), [open]);
    let wrapped = Body {
        content_type: "message/cpim".into(),
        octets: asking("m", "display").into_bytes(),
    };
    assert_eq!(
        world.message(GROUP, anonymous("alice"), wrapped).status,
        202
    );
    let body = asking_list("m2", "positive-delivery", &["bob"]);
    assert_eq!(world.message(FACTORY, anonymous("alice"), body).status, 202);
    let copies = world.messages();
    // Bob has two, and gets the second when he took the first.
    assert_eq!(copies.len(), 2);
    for (transaction, _) in &copies {
        world.finish_request(*transaction, 200, Headers::new());
    }
    let last = world.messages();
    assert_eq!(last.len(), 1);
    for (_, copy) in copies.iter().chain(&last) {
        let whole = format!("{copy:?}{}", text(copy));
        assert!(!whole.contains("alice"), "{whole}");
        assert_eq!(copy.from, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
        assert_eq!(copy.headers.first("Privacy"), Some("id"));
    }
}

#[test]
fn large_message_over_udp_is_refused_and_over_tcp_taken() {
    let mut world = World::new();
    for (transport, expected) in [(Transport::Udp, 413), (Transport::Tcp, 202)] {
        let body = marked(
            "<entry uri=\"sip:bob@example.com\"/>",
            &format!("Content-Type: text/plain\r\n\r\n{}", "x".repeat(1300)),
        );
        let transaction = TxnId(777 + u64::from(expected));
        world.ua(UaEvent::Request {
            transaction,
            dialog: None,
            request: Request {
                method: Method::Message,
                uri: FACTORY.into(),
                headers: caller("alice"),
                body: Some(body),
            },
            peer: Peer {
                transport,
                ..peer()
            },
        });
        assert_eq!(world.answers_to(transaction), [expected]);
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
fn one_address_has_one_message_at_a_time() {
    let mut world = World::new();
    for text in ["1", "2", "3"] {
        let body = marked(
            "<entry uri=\"sip:bob@example.com\"/>",
            &format!("Content-Type: text/plain\r\n\r\n{text}"),
        );
        assert_eq!(world.message(FACTORY, caller("alice"), body).status, 202);
    }
    for text in ["1", "2", "3"] {
        let copies = world.answered(200);
        assert_eq!(copies.len(), 1);
        assert_eq!(copies[0].body, Some(plain(text)));
    }
    assert!(world.messages().is_empty());
    world.finish();
}

#[test]
fn thousand_recipients_are_served_at_the_pace_of_the_operator() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            messages_per_s: 100,
            ..PagerPolicy::default()
        }),
        [],
    );
    let users: Vec<String> = (0..1000).map(|n| format!("sip:u{n}@example.com")).collect();
    let body = marked(&entries(&users), "Content-Type: text/plain\r\n\r\nHello");
    let transaction = TxnId(777);
    world.ua(UaEvent::Request {
        transaction,
        dialog: None,
        request: Request {
            method: Method::Message,
            uri: FACTORY.into(),
            headers: caller("alice"),
            body: Some(body),
        },
        peer: Peer {
            transport: Transport::Tcp,
            ..peer()
        },
    });
    assert_eq!(world.answers_to(transaction), [202]);
    let started = world.now;
    let mut reached = Vec::new();
    while reached.len() < 1000 {
        let sent = world.answered(200);
        let seconds = (world.now - started) / NS_PER_S;
        reached.extend(sent.into_iter().map(|copy| copy.uri));
        let allowed = 100 * (seconds + 1) + 6;
        assert!(
            u64::try_from(reached.len()).unwrap() <= allowed,
            "{seconds} s"
        );
        if reached.len() < 1000 {
            world.wait();
        }
    }
    assert!((world.now - started) / NS_PER_S <= 10);
    assert_eq!(reached, users);
    world.finish();
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

fn notice(content: SystemContent, wants_answer: bool) -> SystemMessage {
    let recipients = [
        "sip:bob@example.com",
        "tel:+15550100",
        "sip:bob@example.com",
    ];
    SystemMessage {
        recipients: recipients.into_iter().map(uri).collect(),
        content,
        wants_answer,
    }
}

// covers: SYS-5.4-01, SYS-5.4-02, SYS-5.4-04, SYS-5.4-05, SYS-5.4-06
#[test]
fn system_message_goes_to_each_user_in_the_servers_name() {
    let mut world = World::new();
    let message = notice(SystemContent::Inline(plain("Maintenance at noon")), false);
    assert_eq!(world.focus.send_system_message(world.now, &message), Ok(2));
    world.settle();
    let copies = world.answered(200);
    let uris: Vec<&str> = copies.iter().map(|c| c.uri.as_str()).collect();
    assert_eq!(uris, ["sip:bob@example.com", "tel:+15550100"]);
    for copy in copies {
        assert_eq!(copy.method, Method::Message);
        assert_eq!(copy.from, "<sip:im.example>");
        assert_eq!(
            copy.headers.first("P-Asserted-Identity"),
            Some("<sip:im.example>")
        );
        let accept = copy.headers.first("Accept-Contact").unwrap();
        assert!(
            accept
                .split(';')
                .any(|t| t == "+g.oma.sip-im.system-message")
        );
        assert_eq!(copy.headers.first("Server"), Some(SOFTWARE));
        assert_eq!(copy.body, Some(plain("Maintenance at noon")));
    }
    world.finish();
}

// covers: SYS-5.4-03
#[test]
fn large_or_answered_system_message_points_at_a_document() {
    let mut world = World::new();
    let large = SystemContent::Inline(plain(&"x".repeat(1301)));
    let small = SystemContent::Inline(plain("Agree?"));
    for message in [notice(large, false), notice(small, true)] {
        let sent = world.focus.send_system_message(world.now, &message);
        assert_eq!(sent, Err(SystemMessageError::NeedsDocument));
    }
    let url = "https://im.example/terms?x=1".to_owned();
    let message = notice(SystemContent::Document(url), true);
    assert_eq!(world.focus.send_system_message(world.now, &message), Ok(2));
    world.settle();
    for copy in world.answered(200) {
        let body = copy.body.as_ref().unwrap();
        assert_eq!(
            body.content_type,
            "message/external-body; access-type=\"URL\"; URL=\"https://im.example/terms?x=1\""
        );
        assert_eq!(
            text(&copy),
            "Content-Type: text/html\r\nContent-Disposition: render\r\n\r\n"
        );
    }
}

#[test]
fn system_message_that_cannot_be_sent_says_why() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            recipients_max: 1,
            ..PagerPolicy::default()
        }),
        [],
    );
    let hello = || SystemContent::Inline(plain("Hello"));
    let nobody = SystemMessage {
        recipients: Vec::new(),
        ..notice(hello(), false)
    };
    let one = |content| SystemMessage {
        recipients: vec![uri("sip:bob@example.com")],
        ..notice(content, false)
    };
    let file = SystemContent::Document("file:///etc/passwd".into());
    let quoted = SystemContent::Document("http://h/\";x=\"".into());
    for (message, expected) in [
        (nobody, SystemMessageError::NoRecipient),
        (
            notice(hello(), false),
            SystemMessageError::TooManyRecipients,
        ),
        (one(file), SystemMessageError::Url),
        (one(quoted), SystemMessageError::Url),
    ] {
        let sent = world.focus.send_system_message(world.now, &message);
        assert_eq!(sent, Err(expected));
    }
    world.focus.begin_shutdown(world.now);
    let sent = world.focus.send_system_message(world.now, &one(hello()));
    assert_eq!(sent, Err(SystemMessageError::Draining));
    world.settle();
    assert!(world.messages().is_empty());
}

#[test]
fn short_list_does_not_wait_for_a_long_one() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            messages_per_s: 10,
            ..PagerPolicy::default()
        }),
        [],
    );
    let many: Vec<String> = (0..20).map(|n| format!("u{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        world.message(FACTORY, caller("alice"), list(&many)).status,
        202
    );
    assert_eq!(
        world
            .message(FACTORY, caller("carol"), list(&["x", "y"]))
            .status,
        202
    );
    let mut order = Vec::new();
    while order.len() < 22 {
        order.extend(world.answered(200).into_iter().map(|copy| copy.uri));
        if order.len() < 22 {
            world.wait();
        }
    }
    let place = |user: &str| {
        order
            .iter()
            .position(|u| *u == format!("sip:{user}@example.com"))
    };
    assert!(place("y") < place("u5"), "{order:?}");
    assert!(place("u18") < place("u19"));
    world.finish();
}

#[test]
fn message_to_a_session_of_one_is_accepted_and_keeps_nothing() {
    let mut world = World::with(policy(), [team()]);
    let call = world.invite(GROUP, caller("alice"), sdp("alice"));
    world.acknowledge(call);
    let session = format!("sip:{}@im.example", world.room());
    for _ in 0..3 {
        let answer = world.message(&session, caller("alice"), plain("Anybody?"));
        assert_eq!(answer.status, 202);
    }
    assert!(world.messages().is_empty());
    world.finish();
}

// covers: SYS-5.4-07, TMR-15.1-01
#[test]
fn user_who_owes_an_answer_is_not_served_until_it_answers() {
    let mut world = World::with(
        with_pager(PagerPolicy {
            answer_wait_s: 60,
            block_unanswered: true,
            ..PagerPolicy::default()
        }),
        [team()],
    );
    let url = "https://im.example/terms".to_owned();
    let message = notice(SystemContent::Document(url), true);
    assert_eq!(world.focus.send_system_message(world.now, &message), Ok(2));
    world.settle();
    world.answered(200);
    assert_eq!(world.message(GROUP, caller("bob"), plain("Hi")).status, 202);
    world.answered(200);
    assert_eq!(world.wait(), 60);
    let refused = world.message(GROUP, caller("bob"), plain("Hi"));
    assert_eq!(refused.status, 403);
    assert!(warning(&refused).contains("127 Service not authorised"));
    let call = world.invite(GROUP, caller("bob"), sdp("bob"));
    assert_eq!(world.final_of(call).status, 403);
    let stranger = world.message("sip:im.example", caller("carol"), plain("Yes"));
    assert_eq!(stranger.status, 404);
    let answer = world.message("sip:im.example", caller("bob"), plain("Yes"));
    assert_eq!(answer.status, 202);
    assert_eq!(world.message(GROUP, caller("bob"), plain("Hi")).status, 202);
    world.answered(200);
    assert!(world.focus.note_system_answer(&uri("tel:+15550100")));
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

#[test]
fn more_copies_than_may_wait_are_refused_until_some_have_gone() {
    let users = (0..10_000).map(|n| uri(&format!("sip:u{n}@example.com")));
    let group = "sip:all@im.example";
    let all = users.fold(Group::open_to_all(uri(group)), |all, user| {
        all.with_member(user, None)
    });
    let mut world = World::with(
        with_pager(PagerPolicy {
            messages_per_s: 20,
            recipients_max: 10_000,
            ..PagerPolicy::default()
        }),
        [all],
    );
    let mut send = || world.message(group, caller("alice"), plain("Hello"));
    for _ in 0..10 {
        assert_eq!(send().status, 202);
    }
    let full = send();
    assert_eq!(full.status, 503);
    assert!(full.headers.first("Retry-After").is_some());
    // Those that went at once are what the pace allows.
    assert!((1..=2).contains(&world.messages().len()));
}
