//! Two clients that call each other through a SIP proxy which has its MSRP relayed by msrpd.
//!
//! `proxied_call PROXY ADMIN`: the proxy's UDP address, and msrpd's admin address. Ends with a panic when something is
//! not as it has to be. `tests/interop/run` uses it with Kamailio.
#![expect(clippy::unwrap_used, reason = "whatever is missing ends the run")]

use std::net::SocketAddr;

use msrp_testkit::http;
use msrp_testkit::{Draft, Invite, Media, MsrpEndpoint, MsrpPeer, SipPeer};

/// What a proxy for MSRP must not touch.
const AUDIO: &str = "m=audio 49170 RTP/AVP 0 8\r\na=rtpmap:8 PCMA/8000\r\na=x-odd:  kept \r\n";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let addresses: Vec<SocketAddr> = std::env::args()
        .skip(1)
        .map(|a| a.parse().unwrap())
        .collect();
    let [proxy, admin] = addresses[..] else {
        panic!("usage: proxied_call PROXY ADMIN");
    };
    for (caller_setup, callee_setup) in [(None, None), (Some("actpass"), Some("active"))] {
        call(proxy, admin, caller_setup, callee_setup).await;
    }
    refused(proxy, admin).await;
    println!("all calls were relayed");
}

async fn relays(admin: SocketAddr) -> String {
    http::get(admin, "/v1/relays").await.body
}

fn with_setup(endpoint: &MsrpEndpoint, setup: Option<&str>) -> Media {
    let media = endpoint.media().accept_types("text/plain");
    setup.map_or(media.clone(), |setup| media.setup(setup))
}

fn sdp(media: &Media) -> String {
    format!("{media}{AUDIO}")
}

/// A call, messages both ways, a new offer of the callee from another address, and the end.
async fn call(
    proxy: SocketAddr,
    admin: SocketAddr,
    caller_setup: Option<&str>,
    callee_setup: Option<&str>,
) {
    let (alice, bob) = (SipPeer::bind_udp().await, SipPeer::bind_udp().await);
    alice.set_next_hop(proxy);
    let (a, b) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
    let to = format!("sip:bob@{}", bob.address());
    let offer = sdp(&with_setup(&a, caller_setup));
    let invite = Invite::new(&to, "sip:alice@example.com").body("application/sdp", offer);
    let calling = alice.invite(&invite).await;
    let invitation = bob.expect_invite().await;
    let offered = invitation.request().text().to_owned();
    assert!(offered.ends_with(AUDIO), "{offered}");
    let to_bob = Media::parse(&offered);
    assert_ne!(to_bob.path, [a.uri()], "the proxy has put msrpd between");
    let answer = sdp(&with_setup(&b, callee_setup));
    let response = invitation
        .response(200, "OK")
        .with_body("application/sdp", answer);
    let (bob_dialog, alice_dialog) =
        tokio::join!(invitation.accept_with(&response), calling.expect_success());
    let answered = alice_dialog.initial().text().to_owned();
    assert!(answered.ends_with(AUDIO), "{answered}");
    let b = connected(b, &to_bob, callee_setup != Some("active")).await;
    let a = connected(a, &Media::parse(&answered), false).await;
    talk(&a, &b).await;

    // The callee moves: now From has the tag that was in To.
    let moved = MsrpEndpoint::bind().await;
    let again = bob_dialog
        .request("INVITE")
        .with_body("application/sdp", sdp(&with_setup(&moved, Some("actpass"))));
    let calling = bob_dialog.start_reinvite(again).await;
    let asked = alice_dialog.expect_request("INVITE").await;
    assert_eq!(asked.request().media().path, [a.remote_path()]);
    let same = sdp(&Media::new(a.uri()).accept_types("text/plain"));
    let response = asked.response(200, "OK").with_body("application/sdp", same);
    asked.send(&response).await;
    let accepted = calling.expect_final().await;
    assert_eq!(accepted.status(), 200);
    bob_dialog.acknowledge(accepted.cseq().0).await;
    b.expect_closed().await;
    let b = connected(moved, &accepted.media(), false).await;
    talk(&a, &b).await;

    assert!(relays(admin).await.contains("\"answered\":true"));
    let (ended, asked) = tokio::join!(alice_dialog.bye(), bob_dialog.expect_bye());
    assert_eq!((ended.status(), asked.method()), (200, "BYE"));
    a.expect_closed().await;
    b.expect_closed().await;
    assert!(relays(admin).await.contains("\"relays\":[]"));
}

/// A call that nobody takes leaves no relay.
async fn refused(proxy: SocketAddr, admin: SocketAddr) {
    let (alice, bob) = (SipPeer::bind_udp().await, SipPeer::bind_udp().await);
    alice.set_next_hop(proxy);
    let a = MsrpEndpoint::bind().await;
    let to = format!("sip:bob@{}", bob.address());
    let offer = sdp(&with_setup(&a, None));
    let invite = Invite::new(&to, "sip:alice@example.com").body("application/sdp", offer);
    let calling = alice.invite(&invite).await;
    let invitation = bob.expect_invite().await;
    assert!(relays(admin).await.contains("\"answered\":false"));
    tokio::join!(
        invitation.reject(486, "Busy Here"),
        calling.expect_failure(486)
    );
    assert!(relays(admin).await.contains("\"relays\":[]"));
}

async fn connected(endpoint: MsrpEndpoint, remote: &Media, waits: bool) -> MsrpPeer {
    if waits {
        let peer = endpoint.accept(remote).await;
        peer.expect_empty().await;
        peer
    } else {
        let peer = endpoint.connect(remote).await;
        peer.bind().await;
        peer
    }
}

async fn talk(a: &MsrpPeer, b: &MsrpPeer) {
    for (from, to) in [(a, b), (b, a)] {
        let sent = from
            .send_ok(&Draft::new("text/plain", "hello").success_report("yes"))
            .await;
        let got = to.expect_message().await;
        assert_eq!((got.text(), &got.id), ("hello", &sent.message_id));
        to.report(&got, "1-5/5", "000 200 OK");
        from.expect_report_of(&sent.message_id, 200).await;
    }
}
