//! MESSAGEs to lists, groups and sessions.

mod notifications;
mod pace;
mod refusals;
mod system_message;

use super::world::{FACTORY, Sent, World, anonymous, caller, peer, policy, sdp, uri};
use crate::focus::{PagerPolicy, Policy, SOFTWARE};
use crate::groups::{Group, Rights, Rule};
use crate::ua::{
    Answer, Body, Headers, Method, OutRequest, Peer, Request, Transport, TxnId, UaEvent,
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

/// What a MESSAGE of Alice to the factory is answered that comes over this transport.
fn message_over(world: &mut World, transport: Transport, body: Body) -> Vec<u16> {
    let transaction = TxnId(777 + u64::from(transport == Transport::Tcp));
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
    world.answers_to(transaction)
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
