//! The first call of somebody who tries the API: `tests/interop/first-calls/run` uses it.
//!
//! `first_call sip PROXY`: two callers dial the room by a SIP server at this UDP address, and a third one dials a room
//! that does not run. `first_call command ADMIN PROGRAM ARGUMENTS...`: the program brings Alice into the room; it finds
//! her offer in `offer.sdp` and writes the answer to its standard output. Bob comes by the HTTP API at the admin address.
//! In both cases what Alice says has to reach Bob. Ends with a panic when something is not as it has to be.
#![expect(clippy::unwrap_used, reason = "whatever is missing ends the run")]

use std::net::SocketAddr;

use msrp_testkit::{Draft, Invite, Media, MsrpEndpoint, MsrpPeer, SipPeer, http};
use tokio::process::Command;

const ALICE: &str = "sip:alice@example.com";
const BOB: &str = "sip:bob@example.com";
const ROOM: &str = "sip:lunch@example.com";
/// Somebody whose address holds what has a meaning in a query: it has to reach msrpd as it is.
const PHONE: &str = "sip:+4930&entity=1@example.com";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["sip", proxy] => by_sip(proxy.parse().unwrap()).await,
        ["command", admin, program, ref rest @ ..] => {
            by_command(admin.parse().unwrap(), program, rest).await;
        }
        _ => panic!("usage: first_call sip PROXY | first_call command ADMIN PROGRAM ARGUMENTS..."),
    }
    println!("what was said was heard");
}

async fn by_sip(proxy: SocketAddr) {
    let sip = SipPeer::bind_udp().await;
    sip.set_next_hop(proxy);
    let mut joined = Vec::new();
    for identity in [ALICE, BOB, PHONE] {
        let endpoint = MsrpEndpoint::bind().await;
        let invite = Invite::new(ROOM, identity).media(&offer(&endpoint));
        let calling = sip.invite(&invite).await;
        let dialog = calling.expect_success().await;
        let answer = dialog.initial().media();
        joined.push((connected(endpoint, &answer).await, dialog));
    }
    talk(&joined[0].0, ALICE, &joined[1].0).await;
    joined[2].0.expect_text(ALICE, "hello").await;
    talk(&joined[2].0, PHONE, &joined[0].0).await;
    for (_, dialog) in &joined {
        assert_eq!(dialog.bye().await.status(), 200);
    }
    let endpoint = MsrpEndpoint::bind().await;
    let nowhere = Invite::new("sip:nowhere@example.com", ALICE).media(&offer(&endpoint));
    sip.invite(&nowhere).await.expect_failure(404).await;
}

async fn by_command(admin: SocketAddr, program: &str, arguments: &[&str]) {
    let endpoint = MsrpEndpoint::bind().await;
    std::fs::write("offer.sdp", offer(&endpoint).to_string()).unwrap();
    let output = Command::new(program).args(arguments).output().await;
    let output = output.unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{answer}\n{error}");
    let alice = connected(endpoint, &Media::parse(&answer)).await;

    let endpoint = MsrpEndpoint::bind().await;
    let path = format!("/v1/rooms/lunch/participants?uri={BOB}");
    let offer = offer(&endpoint).to_string();
    let body = Some(("application/sdp", offer.as_str()));
    let response = http::request(admin, "POST", &path, body).await;
    assert_eq!(response.status, 201, "{}", response.body);
    let bob = connected(endpoint, &Media::parse(&response.body)).await;
    talk(&alice, ALICE, &bob).await;
}

fn offer(endpoint: &MsrpEndpoint) -> Media {
    endpoint.media().setup("active")
}

async fn connected(endpoint: MsrpEndpoint, answer: &Media) -> MsrpPeer {
    let peer = endpoint.connect(answer).await;
    peer.bind().await;
    peer
}

async fn talk(from: &MsrpPeer, identity: &str, to: &MsrpPeer) {
    from.send_ok(&Draft::text(identity, ROOM, "hello")).await;
    to.expect_text(identity, "hello").await;
}
