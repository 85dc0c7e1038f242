//! Floods are bounded, and the log says so.

use msrp_testkit::daemon::LogLine;
use msrp_testkit::{Daemon, Flag};
use msrpd_tests::{ALICE, BOB, FRIENDS, WAYS, config_with_friends};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Most messages that one session may have begun and not ended.
const UNFINISHED_MESSAGES_MAX: usize = 64;
/// Most requests for a nickname at once.
const NICKNAMES_AT_ONCE_MAX: usize = 10;

async fn expect_closed(mut stream: TcpStream) {
    let mut octets = [0; 8];
    assert!(matches!(stream.read(&mut octets).await, Ok(0) | Err(_)));
}

async fn wait_logged(daemon: &Daemon, text: &str) {
    let is_it =
        |line: &LogLine| line.message().contains(text) || line.field("reason").contains(text);
    daemon.wait_log(text, is_it).await;
}

// covers: SEC-14.1.5-02
#[tokio::test]
async fn flood_of_any_kind_is_bounded_and_logged_and_the_others_talk_on() {
    for way in &WAYS[..2] {
        let config = config_with_friends()
            .set("limits", "connections_max", 3)
            .set("limits", "unbound_s", 3);
        let daemon = Daemon::start(config.backend(way.backend).shards(1)).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let idle = TcpStream::connect(daemon.msrp_addr()).await.unwrap();
        let open = |count: f64| count == 3.0;
        daemon.wait_metric("msrp_connections", open).await;
        let one_more = TcpStream::connect(daemon.msrp_addr()).await.unwrap();
        expect_closed(one_more).await;
        wait_logged(&daemon, "connections_max is reached").await;
        expect_closed(idle).await;
        wait_logged(&daemon, "named no session in time").await;

        for number in 0..=UNFINISHED_MESSAGES_MAX {
            let draft = alice
                .text("never finished")
                .message_id(&format!("half-{number}"));
            let half = alice
                .msrp
                .send_chunk(&draft, 0, draft.octets() - 1, Flag::More);
            let status = if number < UNFINISHED_MESSAGES_MAX {
                200
            } else {
                413
            };
            alice.msrp.expect_status(&half, status).await;
        }
        wait_logged(&daemon, "message refused").await;
        for number in 0..=NICKNAMES_AT_ONCE_MAX {
            let status = if number < NICKNAMES_AT_ONCE_MAX {
                200
            } else {
                403
            };
            alice.msrp.ask_nickname(&format!("n{number}"), status).await;
        }
        bob.say("still here").await;
        alice.expect_text(BOB, "still here").await;
    }
}
