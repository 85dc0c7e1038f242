//! Everything over IPv6, with the project's own client.

use msrp_testkit::Daemon;
use msrpd_tests::{ALICE, BOB, FRIENDS, Program, config_with_friends};

#[tokio::test]
async fn members_talk_over_ipv6() {
    for transport in ["udp", "tcp"] {
        let config = config_with_friends()
            .listeners(&["name = \"six\"\nbind = \"[::1]:0\"\ntransport = \"tcp\"\n"])
            .set("sip", "bind", ["udp:[::1]:0", "tcp:[::1]:0"])
            .set("sip", "trusted_peers", ["::1/128"]);
        let daemon = Daemon::start(config).await;
        let server = match transport {
            "udp" => daemon.sip_udp(),
            _ => daemon.sip_tcp(),
        };
        assert!(server.is_ipv6(), "{server}");
        let join = async |identity| {
            let server = server.to_string();
            let arguments = [
                "chat",
                FRIENDS,
                "--as",
                identity,
                "--server",
                &server,
                "--transport",
                transport,
            ];
            let mut person = Program::start("msrpctl", &arguments);
            person
                .expect_line("the room", |line| {
                    line.contains("joined sip:friends@localhost")
                })
                .await;
            person
        };
        let (mut alice, mut bob) = (join(ALICE).await, join(BOB).await);
        alice.type_line("hello over six").await;
        bob.expect_line("the line", |line| line.contains("hello over six"))
            .await;
        for person in [&mut alice, &mut bob] {
            person.end_input();
            let (status, errors) = person.wait_end().await;
            assert!(status.success(), "{errors}");
        }
    }
}
