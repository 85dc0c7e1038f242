//! Single messages as clients send and answer them.

use msrp_testkit::{Config, Daemon, MsrpEndpoint, Participant, SipMessage, SipPeer};
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FACTORY, FRIENDS, WAYS, Way, config_with_friends};

const CLIENT: &str = "IM-client/OMA1.0 msrp-testkit";

/// Octets of a message from which on UDP does not carry it.
const PAGER_OCTETS_MAX: usize = 1300;

async fn start(way: Way, config: Config) -> (Daemon, SipPeer, SipPeer) {
    let proxy = way.proxy().await;
    let daemon = way.start(config.outbound_proxy(&proxy.proxy_uri())).await;
    let agent = way.agent(&daemon).await;
    (daemon, proxy, agent)
}

/// A MESSAGE of alice as clients write it.
fn message(to: &str) -> SipMessage {
    SipMessage::request("MESSAGE", to)
        .with("From", format!("<{ALICE}>;tag=1"))
        .with("P-Asserted-Identity", format!("<{ALICE}>"))
        .with("Accept-Contact", "*;+g.oma.sip-im")
        .with("User-Agent", CLIENT)
}

fn list(uris: &[&str], text: &str) -> String {
    let entries: String = uris
        .iter()
        .map(|uri| format!("<entry uri=\"{uri}\"/>"))
        .collect();
    format!(
        "--b\r\nContent-Type: text/plain\r\n\r\n{text}\r\n--b\r\n\
         Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n\
         <resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>{entries}</list></resource-lists>\r\n\
         --b--\r\n"
    )
}

/// The copy for a user, answered as clients answer.
async fn take(proxy: &SipPeer, uri: &str) -> SipMessage {
    let is_it = |r: &SipMessage| r.method() == "MESSAGE" && r.request_uri() == uri;
    let copy = proxy.expect_request_where("a MESSAGE", is_it).await;
    let answer = copy.response(200, "OK").with("User-Agent", CLIENT);
    copy.send(&answer).await;
    copy.request().clone()
}

// covers: CLI-8.1-02, CLI-8.1-03, CLI-8.1-04, CLI-8.1-05, CLI-8.2-05
#[tokio::test]
async fn message_of_a_client_reaches_lists_groups_and_sessions() {
    for way in WAYS {
        let (daemon, proxy, agent) = start(way, config_with_friends()).await;
        let to_list = message(&format!("{FACTORY};sessiontype=adhoc"))
            .with("Require", "recipient-list-message")
            .with_body(
                "multipart/mixed;boundary=b",
                list(&[BOB, CAROL], "to a list"),
            );
        assert_eq!(agent.request(to_list).await.status(), 202);
        for uri in [BOB, CAROL] {
            let copy = take(&proxy, uri).await;
            assert_eq!(copy.header("Accept-Contact"), Some("*;+g.oma.sip-im"));
            assert!(copy.text().contains("to a list"));
        }
        let to_group = message(FRIENDS).with_body("text/plain", "to a group");
        assert_eq!(agent.request(to_group).await.status(), 202);
        for uri in [BOB, CAROL, DAVE] {
            assert_eq!(take(&proxy, uri).await.text(), "to a group");
        }
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let _bob = way.join(&daemon, FRIENDS, BOB).await;
        let session = alice.dialog.remote_target();
        let to_session = message(&session).with_body("text/plain", "to a session");
        assert_eq!(agent.request(to_session).await.status(), 202);
        assert_eq!(take(&proxy, BOB).await.text(), "to a session");
        let hidden = message(FACTORY)
            .replaced("From", "\"Joy\" <sip:anonymous@anonymous.invalid>;tag=2")
            .with("Privacy", "id")
            .with("Require", "recipient-list-message")
            .with_body("multipart/mixed;boundary=b", list(&[BOB], "guess who"));
        assert_eq!(agent.request(hidden).await.status(), 202);
        let copy = take(&proxy, BOB).await;
        assert_eq!(copy.header("Privacy"), Some("id"));
        assert!(!format!("{:?}", copy.headers).contains("alice"));
        daemon
            .wait_metric("msrp_sip_messages_taken_total", |taken| taken == 7.0)
            .await;
    }
}

// covers: CLI-8.1-07
#[tokio::test]
async fn reference_to_stored_content_passes_as_it_is() {
    for way in WAYS {
        let (_daemon, proxy, agent) = start(way, config_with_friends()).await;
        let kind = "message/external-body; access-type=\"URL\"; \
                    URL=\"http://www.example.com/foo.jpg\"; size=87432";
        let body = "Content-Type: image/jpeg\r\nContent-ID: <1@example.com>\r\n\r\n";
        let request = message(FRIENDS).with_body(kind, body);
        assert_eq!(agent.request(request).await.status(), 202);
        for uri in [BOB, CAROL, DAVE] {
            let copy = take(&proxy, uri).await;
            assert_eq!(copy.text(), body);
            let given = copy.header("Content-Type").unwrap();
            assert!(given.starts_with("message/external-body"), "{given}");
            assert!(
                given.contains("URL=\"http://www.example.com/foo.jpg\""),
                "{given}"
            );
        }
    }
}

// covers: CLI-8.1-01
#[tokio::test]
async fn client_sends_what_is_too_large_for_a_message_as_a_large_message() {
    let way = WAYS[0];
    let (daemon, proxy, agent) = start(way, config_with_friends()).await;
    for octets in [100, PAGER_OCTETS_MAX + 1] {
        let text = "x".repeat(octets);
        let request = message(FRIENDS).with_body("text/plain", text.clone());
        if octets < PAGER_OCTETS_MAX {
            assert_eq!(agent.request(request).await.status(), 202);
            assert_eq!(take(&proxy, BOB).await.text(), text);
            continue;
        }
        // Over UDP it would not be taken.
        assert_eq!(agent.request(request).await.status(), 413);
        let joining = way
            .dial(FRIENDS, ALICE)
            .invite(|invite| {
                let tags = "*;+g.oma.sip-im;+g.oma.sip-im.large-message";
                invite.header("Accept-Contact", tags)
            })
            .offer(|media| media.line("a=sendonly"))
            .start(&daemon)
            .await;
        let bob = proxy.accept_invite(|uri| uri == BOB).await;
        let endpoint = MsrpEndpoint::bind().await;
        let answer = endpoint.media().setup("active").line("a=recvonly");
        let bob = Participant::accept_with(&bob, endpoint, &answer).await;
        let alice = joining.complete().await;
        alice.say(&text).await;
        bob.expect_text(ALICE, &text).await;
        alice.leave().await;
        bob.expect_removed().await;
    }
}
