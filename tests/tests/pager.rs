//! Single messages: to lists, to groups and to sessions, and what their senders are told.

#![expect(clippy::unwrap_used, reason = "test code")]

use msrp_testkit::sip::{ServerTransaction, resource_list_uris};
use msrp_testkit::{Config, Daemon, SipMessage, SipPeer};
use msrpd_tests::{
    ALICE, BOB, CAROL, DAVE, FACTORY, FRIENDS, WAYS, Way, config_with_friends, person,
};
use tokio::net::TcpSocket;

/// A daemon whose MESSAGEs reach a proxy, and an agent that asks it.
async fn start(way: Way, config: Config) -> (Daemon, SipPeer, SipPeer) {
    let proxy = way.proxy().await;
    let daemon = way.start(config.outbound_proxy(&proxy.proxy_uri())).await;
    let agent = way.agent(&daemon).await;
    (daemon, proxy, agent)
}

/// The same with a proxy over UDP, whose TCP port is taken and silent.
async fn start_with_udp_alone() -> (Daemon, SipPeer, SipPeer, TcpSocket) {
    let way = WAYS[0];
    loop {
        let proxy = way.proxy().await;
        let reserved = TcpSocket::new_v4().unwrap();
        if reserved.bind(proxy.address()).is_err() {
            continue;
        }
        let config = Config::new().outbound_proxy(&proxy.proxy_uri());
        let daemon = way.start(config).await;
        let agent = way.agent(&daemon).await;
        return (daemon, proxy, agent, reserved);
    }
}

fn message(to: &str, from: &str) -> SipMessage {
    SipMessage::request("MESSAGE", to)
        .with("From", format!("<{from}>;tag=1"))
        .with("P-Asserted-Identity", format!("<{from}>"))
}

fn list_body(uris: &[&str], mark: &str, content: &str) -> String {
    let entries: String = uris
        .iter()
        .map(|uri| format!("<entry uri=\"{uri}\" {mark}/>"))
        .collect();
    format!(
        "--b\r\n{content}\r\n--b\r\nContent-Type: application/resource-lists+xml\r\n\
         Content-Disposition: recipient-list\r\n\r\n\
         <resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\" \
         xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"><list>{entries}</list></resource-lists>\r\n--b--\r\n"
    )
}

fn to_list(uris: &[&str], mark: &str, content: &str) -> SipMessage {
    message(FACTORY, ALICE)
        .with("Require", "recipient-list-message")
        .with_body("multipart/mixed;boundary=b", list_body(uris, mark, content))
}

const HELLO: &str = "Content-Type: text/plain\r\n\r\nHello";

/// A CPIM message that asks for these notifications.
fn asking(name: &str, wish: &str) -> String {
    format!(
        "Content-Type: message/cpim\r\n\r\nFrom: <{ALICE}>\r\nTo: <{FACTORY}>\r\n\
         DateTime: 2026-11-21T10:00:00Z\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {name}\r\n\
         imdn.Disposition-Notification: {wish}\r\n\r\nContent-Type: text/plain\r\n\r\nHello"
    )
}

/// Tells that this message was delivered to this user, on the way that the message asks for.
async fn report(agent: &SipPeer, copy: &SipMessage, name: &str) {
    let user = copy.request_uri();
    let (_, rest) = copy.text().split_once("imdn.IMDN-Record-Route: <").unwrap();
    let route = rest.split('>').next().unwrap();
    let body = format!(
        "From: <{user}>\r\nTo: <{ALICE}>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.IMDN-Route: <{route}>\r\n\
         imdn.Message-ID: of-{name}\r\n\r\nContent-Type: message/imdn+xml\r\n\
         Content-Disposition: notification\r\n\r\n<?xml version=\"1.0\"?>\
         <imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id>{name}</message-id><datetime/>\
         <recipient-uri>{user}</recipient-uri><delivery-notification><status><delivered/></status>\
         </delivery-notification></imdn>"
    );
    let response = agent
        .request(message(route, user).with_body("message/cpim", body))
        .await;
    assert_eq!(response.status(), 202);
}

/// The copies for these users in any order, each answered with this status.
async fn copies(proxy: &SipPeer, uris: &[&str], status: u16) -> Vec<SipMessage> {
    let mut copies = Vec::new();
    for uri in uris {
        let copy = expect(proxy, uri).await;
        copy.respond(status, "Answered").await;
        copies.push(copy.request().clone());
    }
    copies
}

async fn expect(proxy: &SipPeer, uri: &str) -> ServerTransaction {
    let is_it = |r: &SipMessage| r.method() == "MESSAGE" && r.request_uri() == uri;
    proxy.expect_request_where("a MESSAGE", is_it).await
}

// covers: PGR-8.3.2.1-01, PGR-8.3.2.1-12, PGR-8.3.1.1-11, PGR-8.3.1.1-12, PGR-8.3.2.1-03, PGR-8.3.2.1-13
#[tokio::test]
async fn list_message_reaches_every_recipient_as_a_request_of_its_own() {
    for way in WAYS {
        let (_daemon, proxy, agent) = start(way, Config::new()).await;
        let request = to_list(&[BOB, CAROL], "cp:copyControl=\"to\"", HELLO);
        let sent = agent.send(request).await;
        assert_eq!(sent.expect_final().await.status(), 202);
        let copies = copies(&proxy, &[BOB, CAROL], 200).await;
        for copy in &copies {
            assert_eq!(copy.asserted_uris(), [ALICE]);
            assert_eq!(copy.from_uri(), ALICE);
            assert_eq!(copy.to_uri(), copy.request_uri());
            assert_eq!(copy.cseq(), (1, "MESSAGE"));
            assert_eq!(copy.header("Max-Forwards"), Some("70"));
            assert_eq!(copy.header("Accept-Contact"), Some("*;+g.oma.sip-im"));
            assert_eq!(copy.header("Contact"), None);
            assert!(copy.header("Route").unwrap().contains(&proxy.proxy_uri()));
            for name in ["User-Agent", "Server"] {
                assert!(copy.header(name).unwrap().starts_with("IM-serv/OMA1.0 "));
            }
            let parts = copy.parts();
            assert_eq!(parts.len(), 2, "{}", copy.text());
            let (content, history) = (&parts[0], &parts[1]);
            assert_eq!(content.body, b"Hello");
            assert_eq!(
                resource_list_uris(std::str::from_utf8(&history.body).unwrap()),
                [BOB, CAROL]
            );
        }
        assert_ne!(copies[0].call_id(), copies[1].call_id());
        assert_ne!(copies[0].from_tag(), copies[1].from_tag());
        assert_ne!(copies[0].call_id(), sent.request().call_id());
    }
}

// covers: PGR-8.3.2.1-04, PGR-8.3.2.1-05, PGR-8.3.2.1-10
#[tokio::test]
async fn group_message_comes_from_the_group() {
    for way in WAYS {
        let (_daemon, proxy, agent) = start(way, config_with_friends()).await;
        let request = message(FRIENDS, ALICE).with_body("text/plain", "Hi all");
        assert_eq!(agent.request(request).await.status(), 202);
        for copy in copies(&proxy, &[BOB, CAROL, DAVE], 200).await {
            assert_eq!(copy.asserted_uris(), [FRIENDS]);
            assert!(copy.header("Referred-By").unwrap().contains(ALICE));
            assert_eq!(copy.text(), "Hi all");
        }
        proxy.assert_no_request_left();
    }
}

// covers: CTRL-7.2.1.1-02, PGR-8.3.2.1-06, PGR-8.3.2.1-07, PGR-8.3.2.1-11
#[tokio::test]
async fn session_message_reaches_the_other_participants() {
    for way in WAYS {
        let (daemon, proxy, _agent) = start(way, config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let methods = [
            "INVITE",
            "ACK",
            "BYE",
            "CANCEL",
            "REFER",
            "SUBSCRIBE",
            "NOTIFY",
            "MESSAGE",
            "OPTIONS",
        ];
        for method in methods {
            assert!(alice.dialog.initial().lists("Allow", method), "{method}");
        }
        let _bob = way.join(&daemon, FRIENDS, BOB).await;
        let request = alice
            .dialog
            .request("MESSAGE")
            .with("P-Asserted-Identity", format!("<{ALICE}>"))
            .with_body("text/plain", "Hi here");
        assert_eq!(alice.dialog.exchange(request).await.status(), 202);
        let copy = &copies(&proxy, &[BOB], 200).await[0];
        assert!(copy.asserted_uris()[0].starts_with("sip:im-"));
        assert!(copy.header("Referred-By").unwrap().contains(ALICE));
        assert_eq!(copy.text(), "Hi here");
        proxy.assert_no_request_left();
    }
}

// covers: PGR-8.3.1.1-10, PGR-8.3.1.3-01, PGR-8.3.1.4-01, PGR-8.3.1.4-04, PGR-8.3.1.2-01, PGR-D.3-01, TMR-15.1-02
// covers: CLI-8.1-06, CLI-8.2-01, CLI-8.2-04
#[tokio::test]
async fn sender_is_told_together_what_came_in_time_and_alone_what_came_late() {
    for way in [WAYS[1], WAYS[2]] {
        let config = Config::new().set("pager", "notification_wait_s", 1).set(
            "pager",
            "notification_restarts",
            0,
        );
        let (_daemon, proxy, agent) = start(way, config).await;
        let content = asking("m1", "positive-delivery, negative-delivery");
        let request = to_list(&[BOB, CAROL, DAVE], "", &content);
        assert_eq!(agent.request(request).await.status(), 202);
        let mut taken = copies(&proxy, &[BOB, DAVE], 202).await;
        copies(&proxy, &[CAROL], 404).await;
        let dave = taken.pop().unwrap();
        let bob = taken.pop().unwrap();
        assert!(bob.text().contains(&format!("To: <{BOB}>\r\n")));
        report(&agent, &bob, "m1").await;
        let told = expect(&proxy, ALICE).await;
        told.respond(200, "OK").await;
        let text = told.request().text();
        assert_eq!(text.matches("Content-Type: message/imdn+xml").count(), 2);
        assert!(
            text.contains("<delivered/>") && text.contains(BOB),
            "{text}"
        );
        assert!(text.contains("<failed/>") && text.contains(CAROL), "{text}");
        report(&agent, &dave, "m1").await;
        let late = expect(&proxy, ALICE).await;
        late.respond(200, "OK").await;
        let text = late.request().text();
        assert!(text.contains(DAVE) && !text.contains(BOB), "{text}");
        proxy.assert_no_request_left();
    }
}

// covers: PGR-8.3.1.1-01, PGR-8.3.1.1-02, PGR-8.3.1.1-03, PGR-8.3.1.1-04, PGR-8.3.1.1-05, PGR-8.3.1.1-06, PGR-8.3.1.1-07
// covers: PGR-8.3.1.1-09
#[tokio::test]
async fn messages_that_are_not_served_are_refused_with_the_reason() {
    let way = WAYS[0];
    let config = config_with_friends()
        .set("limits", "pager_recipients_max", 2)
        .set("policy", "anonymity", false);
    let (_daemon, proxy, agent) = start(way, config).await;
    let plain = |to: &str, from: &str| message(to, from).with_body("text/plain", "Hi");
    let session = "sip:im-00000000000000000000000000000000@localhost";
    let hidden = to_list(&[BOB], "", HELLO).with("Privacy", "id");
    let cases = [
        (
            to_list(&[BOB, CAROL, DAVE], "", HELLO),
            486,
            "102 Too many participants",
        ),
        (plain(session, ALICE), 403, "123 Session does not exist"),
        (plain("sip:other@localhost", ALICE), 404, ""),
        (
            plain(FRIENDS, "sip:eve@example.com"),
            403,
            "127 Service not authorised",
        ),
        (hidden, 403, "119 Anonymity not allowed"),
    ];
    for (request, status, warning) in cases {
        let response = agent.request(request).await;
        assert_eq!(response.status(), status, "{warning}");
        let given = response.header("Warning").unwrap_or_default();
        assert!(given.contains(warning), "{given}");
    }
    let (_daemon, _, agent) = start(way, Config::new().set("pager", "lists", false)).await;
    let response = agent.request(to_list(&[BOB], "", HELLO)).await;
    assert_eq!(response.status(), 420);
    assert_eq!(response.values("Unsupported"), ["recipient-list-message"]);
    assert!(
        response
            .header("Warning")
            .unwrap()
            .contains("122 Function not allowed")
    );
    proxy.assert_no_request_left();
}

#[tokio::test]
async fn large_message_goes_over_tcp_alone() {
    let content = format!("Content-Type: text/plain\r\n\r\n{}", "x".repeat(3000));
    let (daemon, proxy, agent, _reserved) = start_with_udp_alone().await;
    let response = agent.request(to_list(&[BOB], "", &content)).await;
    assert_eq!(response.status(), 413);
    // The next hop is reached over UDP, so that the copy cannot go, and the sender is told.
    let tcp = SipPeer::bind_tcp().await;
    tcp.set_next_hop(daemon.sip_tcp());
    let asking = format!("{}{}", asking("m1", "negative-delivery"), "x".repeat(3000));
    let response = tcp.request(to_list(&[BOB], "", &asking)).await;
    assert_eq!(response.status(), 202);
    let told = expect(&proxy, ALICE).await;
    told.respond(200, "OK").await;
    assert!(told.request().text().contains("<failed/>"));
    let (_daemon, proxy, agent) = start(WAYS[2], Config::new()).await;
    let response = agent.request(to_list(&[BOB], "", &content)).await;
    assert_eq!(response.status(), 202);
    let copy = &copies(&proxy, &[BOB], 200).await[0];
    assert_eq!(copy.text(), "x".repeat(3000));
}

#[tokio::test]
async fn thousand_recipients_each_get_one_copy() {
    let way = WAYS[2];
    let config = Config::new().set("pager", "messages_per_s", 2000);
    let (daemon, proxy, agent) = start(way, config).await;
    proxy.answer_automatically("MESSAGE");
    let people: Vec<String> = (0..1000).map(person).collect();
    let uris: Vec<&str> = people.iter().map(String::as_str).collect();
    let request = to_list(&uris, "", HELLO);
    assert_eq!(agent.request(request).await.status(), 202);
    for uri in &uris {
        let copy = expect(&proxy, uri).await;
        assert_eq!(copy.request().text(), "Hello");
    }
    proxy.assert_no_request_left();
    daemon
        .wait_metric("msrp_sip_messages_taken_total", |taken| taken == 1000.0)
        .await;
    assert_eq!(daemon.metric("msrp_sip_messages_failed_total").await, 0.0);
}

#[tokio::test]
async fn notifications_too_large_for_udp_are_told_one_by_one() {
    let (_daemon, proxy, agent, _reserved) = start_with_udp_alone().await;
    let content = asking("m1", "positive-delivery");
    let request = to_list(&[BOB, CAROL, DAVE], "", &content);
    assert_eq!(agent.request(request).await.status(), 202);
    for copy in copies(&proxy, &[BOB, CAROL, DAVE], 200).await {
        report(&agent, &copy, "m1").await;
    }
    for user in [BOB, CAROL, DAVE] {
        let told = expect(&proxy, ALICE).await;
        told.respond(200, "OK").await;
        let text = told.request().text();
        assert!(text.contains(user), "{text}");
        assert_eq!(text.matches("<delivered/>").count(), 1);
    }
    proxy.assert_no_request_left();
}
