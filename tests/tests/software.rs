//! What the node and its peers say of themselves in requests and responses.

use msrp_testkit::{Config, Invite, MsrpEndpoint, Participant, SipMessage};
use msrpd_tests::{ALICE, BOB, CAROL, FACTORY, FRIENDS, WAYS, config_with_friends};

fn assert_named(message: &SipMessage, field: &str) {
    let value = message.header(field).unwrap_or_default();
    let first = value.split(' ').next();
    assert_eq!(first, Some("IM-serv/OMA1.0"), "{field}: {value}");
}

// covers: COM-F.1-02, CTRL-7.2.2.2-09
#[tokio::test]
async fn requests_of_the_node_name_its_software() {
    for way in WAYS {
        let proxy = way.proxy().await;
        let config = Config::new().outbound_proxy(&proxy.proxy_uri());
        let daemon = way.start(config).await;
        let join = way.dial(FACTORY, ALICE);
        let joining = join
            .invite(|invite| invite.list(&[BOB, CAROL]))
            .start(&daemon)
            .await;
        let bob = proxy.accept_invite(|uri| uri == BOB).await;
        let carol = proxy.accept_invite(|uri| uri == CAROL).await;
        assert_named(bob.request(), "User-Agent");
        // An INVITE without any provisional response is not cancelled.
        carol.ring().await;
        // The target of the dialog comes with the 180; the 200 has none.
        bob.send(&bob.response(180, "Ringing")).await;
        let endpoint = MsrpEndpoint::bind().await;
        let accepted = bob.response(200, "OK").without("Contact");
        let accepted = accepted.with_media(&endpoint.media().setup("active"));
        let dialog = bob.accept_with(&accepted).await;
        let msrp = endpoint.connect(&bob.media()).await;
        msrp.bind().await;
        let alice = joining.complete().await;
        assert_named(alice.dialog.initial(), "Server");
        alice.leave().await;
        // The session ends with alice: carol's invitation is cancelled, bob is removed.
        let cancel = carol.expect_cancel_request().await;
        assert_named(cancel.request(), "User-Agent");
        cancel.respond(200, "OK").await;
        carol.reject(487, "Request Terminated").await;
        let bye = dialog.expect_bye().await;
        assert_named(&bye, "User-Agent");
        let ringing = bob.response(180, "Ringing");
        assert_eq!(Some(bye.request_uri()), ringing.contact_uri());
    }
}

// covers: COM-F.1-01
#[tokio::test]
async fn responses_of_the_node_name_its_software() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        assert_named(bob.dialog.initial(), "Server");
        for (method, status) in [
            ("INVITE", 488),
            ("UPDATE", 200),
            ("INFO", 405),
            ("PING", 501),
        ] {
            let request = bob.dialog.request(method);
            let request = if method == "INVITE" {
                request.with_media(
                    &MsrpEndpoint::bind()
                        .await
                        .media()
                        .accept_types("text/plain"),
                )
            } else {
                request
            };
            let response = bob.dialog.exchange(request).await;
            assert_eq!(response.status(), status, "{method}");
            assert_named(&response, "Server");
        }
        let agent = way.agent(&daemon).await;
        let media = MsrpEndpoint::bind().await.media();
        for (uri, status) in [("sip:nobody@localhost", 404), (FRIENDS, 403)] {
            let invite = Invite::new(uri, "sip:stranger@example.com").media(&media);
            let response = agent.invite(&invite).await.expect_failure(status).await;
            assert_named(&response, "Server");
        }
        assert_named(&bob.dialog.bye().await, "Server");
        // The dialog is gone: the answer is that of the SIP engine.
        let late = bob.dialog.exchange(bob.dialog.request("BYE")).await;
        assert_eq!(late.status(), 481);
        assert_named(&late, "Server");
    }
}

// covers: COM-F.1-03
#[tokio::test]
async fn software_of_a_peer_is_known_when_it_joins() {
    for (agent, shows) in [
        ("IM-client/OMA1.0 Acme/3 (phone)", "true"),
        ("Acme/3", "false"),
    ] {
        let daemon = WAYS[0].start(config_with_friends()).await;
        let join = WAYS[0].dial(FRIENDS, ALICE);
        let change = |invite: Invite| invite.without("User-Agent").header("User-Agent", agent);
        let alice: Participant = join.invite(change).join(&daemon).await;
        let line = daemon
            .wait_log("alice joined", |line| line.field("entity") == ALICE)
            .await;
        assert_eq!(line.field("shows_release"), shows);
        alice.leave().await;
    }
}
