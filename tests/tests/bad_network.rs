//! SIP over a network that loses a fifth of the datagrams in each direction and lets some overtake others.

use std::time::Duration;

use msrp_testkit::{Config, Daemon, Join, Participant, SipPeer};
use msrpd_tests::{ALICE, BOB, Document, FACTORY, person};
use tokio::task::JoinSet;

/// How many conferences run at a time, each with a network of its own.
const CONFERENCES: u64 = 12;

fn room(number: u64) -> String {
    format!("sip:room{number}@localhost")
}

fn config_with_rooms() -> Config {
    (0..CONFERENCES).fold(Config::new(), |config, number| {
        let document = Document::new(&room(number)).members(&[ALICE, BOB]);
        config.group(&format!("room{number}"), &document.xml())
    })
}

async fn group_session(daemon: &Daemon, number: u64) {
    let group = room(number);
    let dial = |identity, seed| Join::new(&group, identity).bad_network(seed);
    let alice = dial(ALICE, 2 * number).join(daemon).await;
    let bob = dial(BOB, 2 * number + 1).join(daemon).await;
    alice.say("hello").await;
    bob.expect_text(ALICE, "hello").await;
    let options = bob.dialog.exchange(bob.dialog.request("OPTIONS")).await;
    assert_eq!(options.status(), 200);
    bob.leave().await;
    alice.leave().await;
}

#[tokio::test]
async fn group_sessions_begin_and_end_over_a_bad_network() {
    let daemon = std::sync::Arc::new(Daemon::start(config_with_rooms()).await);
    let mut sessions = JoinSet::new();
    for number in 0..CONFERENCES {
        let daemon = std::sync::Arc::clone(&daemon);
        sessions.spawn(async move { group_session(&daemon, number).await });
    }
    while let Some(session) = sessions.join_next().await {
        session.unwrap();
    }
    assert_nothing_is_left(&daemon).await;
}

#[tokio::test]
async fn invitations_over_a_bad_network_are_accepted_refused_and_cancelled() {
    let proxy = SipPeer::bind_udp_in_bad_network(99).await;
    let daemon = Daemon::start(Config::new().outbound_proxy(&proxy.proxy_uri())).await;
    let daemon = std::sync::Arc::new(daemon);
    let mut calls = JoinSet::new();
    for number in 0..9 {
        let (daemon, proxy) = (std::sync::Arc::clone(&daemon), proxy.clone());
        calls.spawn(async move { ad_hoc_call(&daemon, &proxy, number).await });
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
    assert_nothing_is_left(&daemon).await;
}

async fn ad_hoc_call(daemon: &Daemon, proxy: &SipPeer, number: usize) {
    let invitee = person(number);
    let join = Join::new(FACTORY, ALICE).bad_network(1000 + number as u64);
    let joining = join
        .invite(|invite| invite.list(&[&invitee]))
        .start(daemon)
        .await;
    let invitation = proxy.accept_invite(|uri| uri == invitee).await;
    match number % 3 {
        0 => {
            let invited = Participant::accept(&invitation).await;
            let inviter = joining.complete().await;
            inviter.leave().await;
            invited.dialog.expect_bye().await;
        }
        1 => {
            invitation.reject(486, "Busy Here").await;
            joining.calling.expect_failure(486).await;
        }
        _ => {
            invitation.ring().await;
            let (_, ()) = tokio::join!(joining.calling.cancel(), invitation.expect_cancel());
            joining.calling.expect_failure(487).await;
        }
    }
}

/// How long a request may be repeated: 64 T1 of RFC 3261.
const REPEATED_MAX: Duration = Duration::from_secs(32);

/// Every conference and every room is gone, once the last BYE was answered.
async fn assert_nothing_is_left(daemon: &Daemon) {
    for series in ["msrp_rooms", "msrp_sip_conferences"] {
        let is_none = |value| value == 0.0;
        daemon
            .wait_metric_within(REPEATED_MAX, series, is_none)
            .await;
    }
}
