//! Two clients, each behind a relay of its own, where one relay is msrpd and the other one somebody else's.
//!
//! `relayed_talk OTHER MSRPD PASSWORD`: the URIs of the relays, and the password of alice at the first and of bob at the second.
//! Ends with a panic when something is not as it has to be. `tests/interop/relay` uses it with Kamailio.
#![expect(clippy::unwrap_used, reason = "whatever is missing ends the run")]

use std::net::SocketAddr;

use msrp_testkit::{Draft, Login, MsrpEndpoint, MsrpPeer};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [other, own, password] = &arguments[..] else {
        panic!("usage: relayed_talk OTHER MSRPD PASSWORD");
    };
    // Who speaks first decides which relay connects to the other one.
    for alice_begins in [true, false] {
        let (mut alice, alices) = client(other, "alice", password).await;
        let (mut bob, bobs) = client(own, "bob", password).await;
        alice.set_remote_path(&format!("{alices} {bobs} {}", bob.uri()));
        bob.set_remote_path(&format!("{bobs} {alices} {}", alice.uri()));
        for round in 0..ROUNDS {
            if alice_begins {
                say(&alice, &bob, round).await;
                say(&bob, &alice, round).await;
            } else {
                say(&bob, &alice, round).await;
                say(&alice, &bob, round).await;
            }
        }
        alice.close();
        bob.close();
    }
    println!("all messages were relayed");
}

/// A client that has authenticated at a relay, and its URI there.
async fn client(relay: &str, user: &str, password: &str) -> (MsrpPeer, String) {
    let login = Login {
        user,
        password,
        algorithm: "MD5",
    };
    let peer = MsrpEndpoint::bind().await;
    let peer = peer.connect_to(address_of(relay), relay).await;
    let path = peer.use_path(relay, &login).await;
    (peer, path)
}

/// A message in chunks of 2,048 octets as clients send them, which the other side says that it has.
async fn say(from: &MsrpPeer, to: &MsrpPeer, round: usize) {
    let text = format!("{round} {}", "x".repeat(round * 997 % 20_000));
    let octets = text.len();
    let draft = Draft::new("text/plain", text.as_str()).chunk_octets(2048);
    let sent = from.send_ok(&draft.success_report("yes")).await;
    let message = to.expect_message().await;
    assert_eq!(message.text(), text);
    to.report(&message, &format!("1-{octets}/{octets}"), "000 200 OK");
    from.expect_report_of(&sent.message_id, 200).await;
}

/// Both relays are on this machine.
fn address_of(relay: &str) -> SocketAddr {
    let port = relay.rsplit_once(':').unwrap().1.split(';').next();
    SocketAddr::from(([127, 0, 0, 1], port.unwrap().parse().unwrap()))
}

/// Messages each way.
const ROUNDS: usize = 50;
