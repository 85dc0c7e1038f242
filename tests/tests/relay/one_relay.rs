//! Two clients of one relay, and endpoints that are none.

use msrp_testkit::{Daemon, Draft};
use msrpd_tests::WAYS;

use crate::client::{config, pair};

#[tokio::test]
async fn two_clients_that_authenticate_by_md5_and_sha_256_talk_through_one_relay() {
    for way in WAYS {
        let relay = Daemon::start(config().backend(way.backend).shards(2)).await;
        let (alice, bob) = pair(&relay).await;
        for octets in [1, 2_000, 300_000] {
            let body = "x".repeat(octets);
            alice
                .peer
                .send_ok(&Draft::new("text/plain", body.clone()))
                .await;
            assert_eq!(bob.peer.expect_message().await.text(), body);
            bob.peer
                .send_ok(&Draft::new("text/plain", body.clone()))
                .await;
            assert_eq!(alice.peer.expect_message().await.text(), body);
        }
    }
}
