//! Two scripted SIP user agents against each other over loopback.

use msrp_testkit::sip::{SipMessage, StartLine};
use msrp_testkit::{Dialog, Invite, Media, SipPeer};
use tokio::net::{TcpListener, UdpSocket};

const ALICE: &str = "sip:alice@example.com";
const BOB: &str = "sip:bob@example.com";

#[derive(Clone, Copy)]
enum Over {
    Udp,
    Tcp,
}

async fn pair(over: Over) -> (SipPeer, SipPeer) {
    let (alice, bob) = match over {
        Over::Udp => (SipPeer::bind_udp().await, SipPeer::bind_udp().await),
        Over::Tcp => (SipPeer::bind_tcp().await, SipPeer::bind_tcp().await),
    };
    alice.set_next_hop(bob.address());
    (alice, bob)
}

fn media(port: u16) -> Media {
    Media::new(format!("msrp://127.0.0.1:{port}/abc;tcp"))
}

fn invite() -> Invite {
    Invite::new(BOB, ALICE).media(&media(2855))
}

async fn call(alice: &SipPeer, bob: &SipPeer) -> (Dialog, Dialog) {
    let invite = invite();
    let answer = async { bob.expect_invite().await.accept(&media(2856)).await };
    tokio::join!(alice.call(&invite), answer)
}

async fn call_has_every_step(over: Over) {
    let (alice, bob) = pair(over).await;
    let calling = alice.invite(&invite()).await;
    let invitation = bob.accept_invite(|uri| uri == BOB).await;
    assert_eq!(invitation.media(), media(2855));
    assert_eq!(invitation.request().asserted_uris(), [ALICE]);
    invitation.ring().await;
    calling.expect_provisional(180).await;
    let (caller, callee) = tokio::join!(calling.expect_success(), async {
        invitation.accept(&media(2856)).await
    });
    assert_eq!(caller.remote_media(), media(2856));
    assert_eq!(
        caller.initial().header("Session-Expires"),
        Some("1800;refresher=uac")
    );

    let new = media(2857);
    let (response, request) = tokio::join!(caller.reinvite(&new), callee.expect_reinvite(&new));
    assert_eq!((response.media(), request.cseq().0), (new, 2));

    tokio::join!(callee.bye(), caller.expect_bye());
    alice.assert_no_request_left();
    bob.assert_no_request_left();
}

#[tokio::test]
async fn call_over_udp_has_every_step() {
    call_has_every_step(Over::Udp).await;
}

#[tokio::test]
async fn call_over_tcp_has_every_step() {
    call_has_every_step(Over::Tcp).await;
}

#[tokio::test]
async fn call_refused_is_acknowledged_without_the_test() {
    for over in [Over::Udp, Over::Tcp] {
        let (alice, bob) = pair(over).await;
        let calling = alice.invite(&invite()).await;
        bob.expect_invite().await.reject(486, "Busy Here").await;
        calling.expect_failure(486).await;
    }
}

#[tokio::test]
async fn call_cancelled_ends_with_487() {
    for over in [Over::Udp, Over::Tcp] {
        let (alice, bob) = pair(over).await;
        let calling = alice.invite(&invite()).await;
        let invitation = bob.expect_invite().await;
        invitation.ring().await;
        calling.expect_provisional(180).await;
        tokio::join!(calling.cancel(), invitation.expect_cancel());
        calling.expect_failure(487).await;
    }
}

#[tokio::test]
async fn request_outside_of_a_dialog_is_answered() {
    let (alice, bob) = pair(Over::Udp).await;
    let message = SipMessage::request("MESSAGE", BOB).with_body("text/plain", "hello");
    let (response, ()) = tokio::join!(alice.request(message), async {
        let transaction = bob.expect_request("MESSAGE").await;
        assert_eq!(transaction.request().text(), "hello");
        transaction.respond(202, "Accepted").await;
    });
    assert_eq!(response.status(), 202);
}

#[tokio::test]
async fn request_of_an_automatic_method_is_answered_and_kept() {
    let (alice, bob) = pair(Over::Udp).await;
    bob.answer_automatically("OPTIONS");
    let response = alice.request(SipMessage::request("OPTIONS", BOB)).await;
    assert_eq!(response.status(), 200);
    bob.expect_request("OPTIONS").await;
}

#[tokio::test]
async fn request_repeated_gets_the_same_response_and_is_seen_once() {
    let (alice, bob) = pair(Over::Udp).await;
    let (dialog, callee) = call(&alice, &bob).await;
    let sent = dialog.send(dialog.request("INFO")).await;
    callee.expect_request("INFO").await.respond(200, "OK").await;
    sent.expect_status(200).await;
    alice
        .send_raw(bob.address(), &sent.request().to_octets())
        .await;
    tokio::join!(dialog.bye(), callee.expect_bye());
    bob.assert_no_request_left();
}

#[tokio::test]
async fn acceptance_repeated_is_acknowledged_again() {
    let (alice, bob) = pair(Over::Udp).await;
    let calling = alice.invite(&invite()).await;
    let invitation = bob.expect_invite().await;
    let response = invitation.response(200, "OK").with_media(&media(2856));
    let (dialog, callee) =
        tokio::join!(calling.expect_success(), invitation.accept_with(&response));
    // The ACK of the repeated 2xx is the same ACK, which the other side absorbs.
    invitation.send(&response).await;
    tokio::join!(dialog.bye(), callee.expect_bye());
    let acks = alice.transcript().to_string().matches("| ACK sip:").count();
    assert_eq!(acks, 2, "{}", alice.transcript());
}

#[tokio::test]
async fn request_unanswered_over_udp_is_repeated_until_it_is_answered() {
    let alice = SipPeer::bind_udp().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    alice.set_next_hop(socket.local_addr().unwrap());
    let sent = alice.send(SipMessage::request("OPTIONS", BOB)).await;
    let mut buffer = [0; 2048];
    for _ in 0..2 {
        let received = alice
            .transcript()
            .within("an OPTIONS at the other side", socket.recv(&mut buffer));
        let octets = received.await.unwrap();
        assert_eq!(buffer[..octets], sent.request().to_octets());
    }
    let mut response = sent.request().clone();
    response.start = StartLine::Response(200, "OK".into());
    socket
        .send_to(&response.to_octets(), alice.address())
        .await
        .unwrap();
    sent.expect_status(200).await;
}

#[tokio::test]
async fn request_over_tcp_to_a_closed_port_panics_at_once() {
    let alice = SipPeer::bind_tcp().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    alice.set_next_hop(listener.local_addr().unwrap());
    drop(listener);
    let request = async move { drop(alice.request(SipMessage::request("OPTIONS", BOB)).await) };
    let panic = tokio::spawn(request)
        .await
        .unwrap_err()
        .into_panic()
        .downcast_ref::<String>()
        .cloned();
    assert!(
        panic
            .as_ref()
            .is_some_and(|text| text.contains("failed: Connection refused")),
        "{panic:?}"
    );
}

#[tokio::test]
async fn anonymous_invite_hides_from_and_keeps_the_asserted_identity() {
    let (alice, bob) = pair(Over::Udp).await;
    alice
        .invite(
            &invite()
                .anonymous("A")
                .without("Supported")
                .header("Subject", "x"),
        )
        .await;
    let invitation = bob.expect_invite().await;
    let request = invitation.request();
    assert_eq!(request.from_uri(), "sip:anonymous@anonymous.invalid");
    assert_eq!(
        (request.asserted_uris(), request.header("Privacy")),
        (vec![ALICE], Some("id"))
    );
    assert_eq!(
        (request.header("Supported"), request.header("Subject")),
        (None, Some("x"))
    );
}

#[tokio::test]
async fn broken_rule_of_the_other_side_fails_the_wait_with_the_transcript() {
    let (alice, bob) = pair(Over::Udp).await;
    alice
        .send_raw(
            bob.address(),
            b"OPTIONS sip:x@y SIP/2.0\r\nCall-ID: 1\r\n\r\n",
        )
        .await;
    let error = tokio::spawn(async move { drop(bob.expect_request("OPTIONS").await) })
        .await
        .unwrap_err();
    let panic = error
        .into_panic()
        .downcast_ref::<String>()
        .cloned()
        .unwrap();
    assert!(panic.contains("0 times From"), "{panic}");
    assert!(panic.contains("| OPTIONS sip:x@y SIP/2.0"), "{panic}");
}
