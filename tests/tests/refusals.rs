//! What the SIP side refuses, and what it survives.

use msrp_testkit::sip::{Part, compose_multipart, resource_list};
use msrp_testkit::{Config, Daemon, Invite, Media, SipMessage};
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FACTORY, FRIENDS, WAYS, Way, config_with_friends};

const OFFER: &str = "msrp://127.0.0.1:9/offer;tcp";

/// Sends an INVITE with a plain offer after a change; gives its failure.
async fn refused(
    way: Way,
    daemon: &Daemon,
    to: &str,
    status: u16,
    change: impl FnOnce(Invite) -> Invite,
) -> SipMessage {
    let invite = Invite::new(to, ALICE).media(&Media::new(OFFER));
    let agent = way.agent(daemon).await;
    let calling = agent.invite(&change(invite)).await;
    let response = calling.expect_failure(status).await;
    let server = response.header("Server").unwrap_or_default();
    assert!(server.starts_with("IM-serv/OMA1.0"), "Server is {server:?}");
    response
}

/// Shows that the daemon still serves.
async fn assert_alive(way: Way, daemon: &Daemon) {
    let alice = way.join(daemon, FRIENDS, ALICE).await;
    let bob = way.join(daemon, FRIENDS, BOB).await;
    alice.say("still here").await;
    bob.expect_text(ALICE, "still here").await;
    bob.leave().await;
    alice.leave().await;
}

// covers: COM-5.1-01, COM-5.1-03, COM-5.1-05, COM-5.1-06, COM-5.1-07, CTRL-7.2.1.2-03, SEC-14.1.1-02
// covers: SEC-14.1.3-01, COM-5.6-01
#[tokio::test]
async fn caller_without_an_asserted_identity_is_refused() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        for to in [FRIENDS, FACTORY] {
            let response = refused(way, &daemon, to, 403, |invite| {
                let invite = invite.without("P-Asserted-Identity");
                invite.header("P-Preferred-Identity", &format!("<{ALICE}>"))
            });
            assert!(response.await.has_warning(127));
        }
        for method in ["MESSAGE", "REFER", "SUBSCRIBE", "PUBLISH"] {
            let request = SipMessage::request(method, FRIENDS)
                .with("From", format!("<{ALICE}>;tag=1"))
                .with("Contact", "<sip:alice@127.0.0.1:9>");
            let response = way.agent(&daemon).await.request(request).await;
            assert_eq!(response.status(), 403, "{method}");
            assert!(response.has_warning(127), "{method}");
        }
        assert_eq!(daemon.metric("msrp_rooms").await, 0.0);
    }
}

// covers: COM-5.1-01
#[tokio::test]
async fn caller_with_several_asserted_identities_is_known_by_the_sip_one() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let values = format!("<tel:+15550100>, <{ALICE}>");
        let join = way.dial(FRIENDS, ALICE);
        let alice = join
            .invite(move |invite| invite.asserted(&values))
            .join(&daemon)
            .await;
        alice.say("by sip").await;
        bob.expect_text(ALICE, "by sip").await;
    }
}

// covers: COM-5.1-05, COM-5.1-06, COM-5.1-07, SEC-14.1.1-01
#[tokio::test]
async fn caller_that_a_stranger_asserts_is_refused() {
    for way in WAYS {
        let config = config_with_friends().set("sip", "trusted_peers", ["192.0.2.0/24"]);
        let daemon = way.start(config).await;
        let response = refused(way, &daemon, FRIENDS, 403, |invite| invite).await;
        assert!(response.has_warning(127));
    }
}

// covers: CTRL-7.2.1.2-08, CTRL-7.2.1.3-09, MSRP-4975-8.6-01, MSRP-7701-5.2-03
#[tokio::test]
async fn offer_that_cannot_be_served_is_told_what_can() {
    let good = Media::new(OFFER).to_string();
    let unacceptable = [
        good.replace("m=message 9 TCP/MSRP *", "m=audio 9 RTP/AVP 0"),
        good.replace("TCP/MSRP", "UDP/MSRP"),
        good.replace("accept-types:message/cpim", "accept-types:text/plain"),
        good.replace("a=accept-types:message/cpim\r\n", ""),
    ];
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        for sdp in &unacceptable {
            assert_ne!(*sdp, good);
            let sdp = sdp.clone();
            let change = |invite: Invite| invite.body("application/sdp", sdp.clone());
            let response = refused(way, &daemon, FRIENDS, 488, change).await;
            assert!(response.header("Warning").is_some(), "{sdp}");
            assert_eq!(response.header("Content-Type"), Some("application/sdp"));
            assert!(response.text().contains("m=message 0 TCP/MSRP *\r\n"));
            assert!(response.text().contains("a=accept-types:message/cpim"));
        }
        let tls = good
            .replace("TCP/MSRP", "TCP/TLS/MSRP")
            .replace("msrp:", "msrps:");
        let change = |invite: Invite| invite.body("application/sdp", tls);
        let response = refused(way, &daemon, FRIENDS, 488, change).await;
        assert!(response.text().contains("m=message 0 TCP/MSRP *\r\n"));
        daemon.wait_metric("msrp_rooms", |count| count == 0.0).await;
        let factory = refused(way, &daemon, FACTORY, 488, |invite| {
            let list = Part::new("application/resource-lists+xml", resource_list(&[BOB]));
            let sdp = Part::new("application/sdp", unacceptable[3].as_str());
            let body = compose_multipart(
                "b",
                &[sdp, list.with("Content-Disposition", "recipient-list")],
            );
            invite.body("multipart/mixed;boundary=\"b\"", body)
        });
        assert!(factory.await.text().contains("m=message 0"));
        assert_eq!(daemon.metric("msrp_rooms").await, 0.0);
    }
}

#[tokio::test]
async fn body_that_cannot_be_read_is_refused() {
    let multipart = |list: &str, kind: &str| {
        let sdp = Part::new("application/sdp", Media::new(OFFER).to_string());
        let list = Part::new(kind, list).with("Content-Disposition", "recipient-list");
        compose_multipart("b", &[sdp, list])
    };
    let mixed = "multipart/mixed;boundary=\"b\"";
    let lists = "application/resource-lists+xml";
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let malformed = |invite: Invite| invite.body("application/sdp", "v=0\r\nnonsense");
        refused(way, &daemon, FRIENDS, 400, malformed).await;
        let unknown = |invite: Invite| invite.body("text/html", "<p>hello</p>");
        let response = refused(way, &daemon, FRIENDS, 415, unknown).await;
        for kind in ["application/sdp", "multipart/mixed", lists] {
            assert!(response.lists("Accept", kind), "{kind} in Accept");
        }
        let encoded = |invite: Invite| invite.header("Content-Encoding", "gzip");
        let response = refused(way, &daemon, FRIENDS, 415, encoded).await;
        assert!(response.header("Accept-Encoding").is_some());
        let body = multipart("<x/>", "application/x-unknown");
        refused(way, &daemon, FACTORY, 415, |invite| {
            invite.body(mixed, body)
        })
        .await;
        for list in ["<resource-lists>", "<!DOCTYPE x><x/>", &resource_list(&[])] {
            let body = multipart(list, lists);
            refused(way, &daemon, FACTORY, 400, |invite| {
                invite.body(mixed, body)
            })
            .await;
        }
        refused(way, &daemon, FACTORY, 400, |invite| invite).await;
        // Nobody but the caller itself.
        let body = multipart(&resource_list(&[ALICE]), lists);
        refused(way, &daemon, FACTORY, 400, |invite| {
            invite.body(mixed, body)
        })
        .await;
        assert_eq!(daemon.metric("msrp_rooms").await, 0.0);
    }
}

// covers: CTRL-7.2.1.2-02, CTRL-7.2.1.2-04, CTRL-7.2.1.2-09, SEC-14.3-05, PAR-I.2-02
#[tokio::test]
async fn factory_call_that_is_not_allowed_invites_nobody() {
    for way in WAYS {
        let proxy = way.proxy().await;
        let config = config_with_friends()
            .outbound_proxy(&proxy.proxy_uri())
            .set("limits", "adhoc_participants_max", 2)
            .set("policy", "anonymity", false);
        let daemon = way.start(config).await;
        let other = "sip:other-factory@localhost";
        refused(way, &daemon, other, 404, |invite| invite.list(&[BOB])).await;
        let many = |invite: Invite| invite.list(&[BOB, CAROL, DAVE]);
        assert!(
            refused(way, &daemon, FACTORY, 486, many)
                .await
                .has_warning(102)
        );
        let hidden = |invite: Invite| invite.list(&[BOB]).anonymous("Miss Joy");
        assert!(
            refused(way, &daemon, FACTORY, 403, hidden)
                .await
                .has_warning(119)
        );
        let joining = way
            .dial(FACTORY, ALICE)
            .invite(|invite| invite.list(&[BOB, CAROL]));
        let _calling = joining.start(&daemon).await;
        for identity in [BOB, CAROL] {
            proxy.accept_invite(|uri| uri == identity).await;
        }
        proxy.assert_no_request_left();
    }
}

#[tokio::test]
async fn extension_or_interval_that_is_not_supported_is_named() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let change = |invite: Invite| invite.header("Require", "timer, teleport");
        let response = refused(way, &daemon, FRIENDS, 420, change).await;
        assert_eq!(response.values("Unsupported"), ["teleport"]);
        let change = |invite: Invite| invite.header("Session-Expires", "60;refresher=uac");
        let response = refused(way, &daemon, FRIENDS, 422, change).await;
        assert_eq!(response.header("Min-SE"), Some("90"));
    }
}

#[tokio::test]
async fn methods_that_are_not_served_are_answered() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let agent = way.agent(&daemon).await;
        let statuses = [
            ("SUBSCRIBE", 489),
            ("REFER", 400),
            ("MESSAGE", 400),
            ("PUBLISH", 405),
            ("NOTIFY", 481),
            ("BYE", 481),
        ];
        for (method, status) in statuses {
            let request = SipMessage::request(method, FRIENDS)
                .with("From", format!("<{ALICE}>;tag=1"))
                .with("Contact", "<sip:alice@127.0.0.1:9>")
                .with("P-Asserted-Identity", format!("<{ALICE}>"));
            let request = if method == "BYE" {
                request.with("To", format!("<{FRIENDS}>;tag=2"))
            } else {
                request
            };
            let response = agent.request(request).await;
            assert_eq!(response.status(), status, "{method}");
        }
        let response = agent
            .request(
                SipMessage::request("OPTIONS", FRIENDS).with("From", format!("<{ALICE}>;tag=1")),
            )
            .await;
        assert_eq!(response.status(), 200);
        for method in ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"] {
            assert!(response.lists("Allow", method), "{method} in Allow");
        }
        assert!(response.lists("Accept", "application/sdp"));
    }
}

// covers: CTRL-7.2.1.4-09, CTRL-7.2.1.5-10
#[tokio::test]
async fn offer_that_cannot_join_a_running_session_leaves_it_alone() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let session = alice.dialog.remote_target();
        for to in [FRIENDS, &session] {
            let media = Media::new(OFFER).accept_types("text/plain");
            let change = |invite: Invite| invite.media(&media).asserted(&format!("<{BOB}>"));
            refused(way, &daemon, to, 488, change).await;
        }
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        alice.say("undisturbed").await;
        bob.expect_text(ALICE, "undisturbed").await;
    }
}

// covers: COM-5.1-04, CTRL-7.2.1.4-08, UPS-7.2.3.1-05, SEC-14.3-03, SEC-14.3-06
#[tokio::test]
async fn anonymous_member_is_let_in_only_where_the_group_says_so() {
    let shown = msrpd_tests::friends().member_rule(
        "<allow-initiate-conference>true</allow-initiate-conference><join-handling>true</join-handling>\
         <allow-anonymity>false</allow-anonymity>",
    );
    for way in WAYS {
        let daemon = way
            .start(Config::new().group("friends", &shown.xml()))
            .await;
        let hidden = |invite: Invite| invite.anonymous("Miss Joy");
        let response = refused(way, &daemon, FRIENDS, 403, hidden).await;
        assert!(response.has_warning(119));
        let open = way.start(config_with_friends()).await;
        let bob = way.join(&open, FRIENDS, BOB).await;
        let joining = way
            .dial(FRIENDS, ALICE)
            .invite(|invite| invite.anonymous("Miss Joy"));
        let alice = joining.join(&open).await;
        assert!(!format!("{:?}", alice.dialog.initial().headers).contains("alice"));
        let alias = "sip:anonymous@anonymous.invalid";
        alice
            .msrp
            .send_ok(&msrp_testkit::Draft::text(alias, FRIENDS, "guess"))
            .await;
        let message = bob.expect_text(alias, "guess").await;
        assert!(!format!("{message:?}").contains("alice"));
    }
}

#[tokio::test]
async fn garbage_on_the_sip_ports_hurts_nobody() {
    let daemon = WAYS[0].start(config_with_friends()).await;
    let good = SipMessage::request("OPTIONS", FRIENDS)
        .with("Via", "SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1")
        .with("From", "<sip:a@example.com>;tag=1")
        .with("To", format!("<{FRIENDS}>"))
        .with("Call-ID", "garbage")
        .with("CSeq", "1 OPTIONS")
        .with("Max-Forwards", "70")
        .to_octets();
    let mut garbage = vec![
        vec![],
        vec![0; 1_000],
        vec![255; 1_200],
        b"\r\n\r\n".to_vec(),
        b"INVITE\r\n\r\n".to_vec(),
        b"SIP/2.0 200 OK\r\n\r\n".to_vec(),
        b"INVITE sip:x SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        b"SIP/2.0 999 \xff\r\nVia: ;;;\r\nCSeq: x\r\n\r\n".to_vec(),
    ];
    garbage.extend((1..good.len()).step_by(7).map(|at| good[..at].to_vec()));
    let stranger = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for octets in &garbage {
        stranger.send_to(octets, daemon.sip_udp()).await.unwrap();
    }
    for octets in garbage.iter().filter(|octets| !octets.is_empty()) {
        let mut stream = tokio::net::TcpStream::connect(daemon.sip_tcp())
            .await
            .unwrap();
        // The daemon may close at the first octets.
        let _closed = tokio::io::AsyncWriteExt::write_all(&mut stream, octets).await;
    }
    for way in WAYS {
        assert_alive(way, &daemon).await;
    }
}

/// Half of a request, then the rest on the same connection.
#[tokio::test]
async fn sip_message_that_arrives_in_single_octets_is_served() {
    let daemon = WAYS[1].start(config_with_friends()).await;
    let agent = WAYS[1].agent(&daemon).await;
    let port = agent.address().port();
    let request = format!(
        "OPTIONS {FRIENDS} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:{port};branch=z9hG4bKhalf\r\n\
         From: <{ALICE}>;tag=1\r\nTo: <{FRIENDS}>\r\nCall-ID: half\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let mut stream = tokio::net::TcpStream::connect(daemon.sip_tcp())
        .await
        .unwrap();
    stream.set_nodelay(true).unwrap();
    for octet in request.as_bytes() {
        tokio::io::AsyncWriteExt::write_all(&mut stream, &[*octet])
            .await
            .unwrap();
    }
    let mut answer = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut answer)
        .await
        .unwrap();
    assert_eq!(&answer, b"SIP/2.0 200 ");
}

// covers: CTRL-7.2.1.2-08, CTRL-7.2.1.3-09, MSRP-4975-5.4-06, MSRP-4975-6-03
#[tokio::test]
async fn offer_for_tls_is_refused_with_a_reason_before_anybody_is_invited() {
    for way in WAYS {
        let proxy = way.proxy().await;
        let config = config_with_friends().outbound_proxy(&proxy.proxy_uri());
        let daemon = way.start(config).await;
        let agent = way.agent(&daemon).await;
        let media = Media::new("msrps://127.0.0.1:9/offer;tcp");
        let calls = [
            Invite::new(FACTORY, ALICE).media(&media).list(&[BOB]),
            Invite::new(FRIENDS, ALICE).media(&media),
        ];
        for call in calls {
            let refused = agent.invite(&call).await.expect_failure(488).await;
            assert!(refused.header("Warning").is_some());
        }
        proxy.assert_no_request_left();
    }
}
