//! Who gets a URI, for how long, and what wrong credentials lead to.

use msrp_testkit::{Challenge, Daemon, Draft, Login, MsrpEndpoint, daemon};

use crate::client::{ALICE, BOB, Client, config, connect, pair, uri_of};
use crate::tls_peer::{client_of, over_tls};
use crate::two_relays::certificate;

// covers: MSRP-4976-6.3-02, MSRP-4976-6.3-03, MSRP-4976-6.3-11, MSRP-4976-5.1-04
#[tokio::test]
async fn wrong_password_is_challenged_again_and_again_until_the_connection_closes() {
    let relay = Daemon::start(config().shards(2)).await;
    let wrong = Login {
        password: "guess",
        ..ALICE
    };
    let peer = connect(&relay).await;
    for _ in 0..5 {
        let answer = peer.auth(&uri_of(&relay), &wrong, &[]).await;
        assert_eq!(answer.status(), Some(401));
        assert!(!Challenge::of(&answer, "SHA-256").is_stale);
    }
    peer.expect_closed().await;
    let nobody = Login {
        user: "nobody",
        ..ALICE
    };
    let answer = connect(&relay)
        .await
        .auth(&uri_of(&relay), &nobody, &[])
        .await;
    assert_eq!(answer.status(), Some(401), "as for a user who exists");
    // A user's line is for one algorithm.
    let other = Login {
        algorithm: "MD5",
        ..ALICE
    };
    let answer = connect(&relay)
        .await
        .auth(&uri_of(&relay), &other, &[])
        .await;
    assert_eq!(answer.status(), Some(401));
    assert_eq!(relay.metric("msrp_relay_uris").await, 0.0);
}

#[tokio::test]
async fn credentials_of_another_that_are_played_back_open_nothing() {
    let relay = Daemon::start(config().shards(2)).await;
    let uri = uri_of(&relay);
    let peer = connect(&relay).await;
    let challenge = peer.expect_status(&peer.send_auth(&uri, &[]), 401).await;
    let challenge = Challenge::of(&challenge, "SHA-256");
    let authorization = ALICE.answer(&challenge, 1, &uri);
    let fields = [("Authorization", authorization.as_str())];
    peer.expect_status(&peer.send_auth(&uri, &fields), 200)
        .await;
    let thief = connect(&relay).await;
    for _ in 0..20 {
        let answer = thief.send_auth(&uri, &fields);
        let answer = thief.expect_status(&answer, 401).await;
        assert!(
            Challenge::of(&answer, "SHA-256").is_stale,
            "no guess of a password"
        );
    }
    // The count goes on for who knows the password.
    let authorization = ALICE.answer(&challenge, 2, &uri);
    let fields = [("Authorization", authorization.as_str())];
    peer.expect_status(&peer.send_auth(&uri, &fields), 200)
        .await;
    assert_eq!(relay.metric("msrp_relay_uris").await, 1.0);
}

// covers: MSRP-4976-6.3-04, MSRP-4976-5.1-08
#[tokio::test]
async fn lifetime_is_bounded_and_the_same_uri_is_given_again() {
    let config = config()
        .set("relay", "expires_min_s", 1)
        .set("relay", "expires_s", 7)
        .set("relay", "expires_max_s", 10);
    let relay = Daemon::start(config.shards(2)).await;
    let uri = uri_of(&relay);
    let peer = connect(&relay).await;
    for (asked, status, field, value) in [
        ("0", 423, "Min-Expires", "1"),
        ("11", 423, "Max-Expires", "10"),
        ("4294967296", 423, "Max-Expires", "10"),
        ("soon", 400, "From-Path", uri.as_str()),
        ("3", 200, "Expires", "3"),
    ] {
        let answer = peer.auth(&uri, &ALICE, &[("Expires", asked)]).await;
        assert_eq!(answer.status(), Some(status), "{asked}");
        assert_eq!(answer.header(field), Some(value), "{asked}");
    }
    let first = peer.auth(&uri, &ALICE, &[]).await;
    assert_eq!(first.header("Expires"), Some("7"));
    let second = peer.use_path(&uri, &ALICE).await;
    assert_eq!(first.header("Use-Path"), Some(second.as_str()));
    assert_eq!(relay.metric("msrp_relay_uris_given_total").await, 1.0);
}

// covers: MSRP-4976-6.3-07
#[tokio::test]
async fn uri_that_is_not_refreshed_leads_nowhere_after_its_time() {
    let config = config().set("relay", "expires_min_s", 1);
    let relay = Daemon::start(config).await;
    let (mut alice, bob) = (Client::of(&relay, &ALICE).await, connect(&relay).await);
    let uri = uri_of(&relay);
    let answer = bob.auth(&uri, &BOB, &[("Expires", "1")]).await;
    let path = format!("{} {}", answer.header("Use-Path").unwrap(), bob.uri());
    alice.talk_to(&path);
    alice
        .peer
        .send_ok(&Draft::new("text/plain", "in time"))
        .await;
    assert_eq!(bob.expect_message().await.text(), "in time");
    relay
        .wait_metric("msrp_relay_uris", |uris| uris == 1.0)
        .await;
    let late = alice.peer.send(&Draft::new("text/plain", "late"));
    alice.peer.expect_all(&late, 481).await;
}

#[tokio::test]
async fn auth_on_a_connection_without_tls_is_refused_where_it_is_not_allowed() {
    let key = certificate();
    let config = config()
        .listeners(&[
            "name = \"plain\"\nbind = \"127.0.0.1:0\"\nadvertise = \"localhost:0\"\n",
            "name = \"tls\"\nbind = \"127.0.0.1:0\"\nadvertise = \"localhost:0\"\ntransport = \"tls\"\n\
             cert = \"cert.pem\"\nkey = \"key.pem\"\n",
        ])
        .set("relay", "allow_plain_auth", false)
        .set("relay", "ca", "cert.pem")
        .file("cert.pem", &key.cert.pem())
        .file("key.pem", &key.signing_key.serialize_pem());
    let relay = Daemon::start(config.shards(2)).await;
    let tls = relay.msrp_addr_of("tls");
    let uri = format!("msrps://localhost:{};tcp", tls.port());
    // On plain TCP nothing that msrps names is there.
    let plain = MsrpEndpoint::bind().await;
    let plain = plain.connect_to(relay.msrp_addr_of("tcp"), &uri).await;
    let refused = plain.expect_response(&plain.send_auth(&uri, &[])).await;
    assert_eq!(refused.status(), Some(481));
    let mut peers = Vec::new();
    for login in [ALICE, BOB] {
        let address = over_tls(client_of(&key), tls).await;
        let peer = MsrpEndpoint::bind().await.connect_to(address, &uri).await;
        let path = peer.use_path(&uri, &login).await;
        assert!(path.starts_with("msrps://localhost:"), "{path}");
        peers.push((peer, path));
    }
    let (bob, bobs) = peers.pop().unwrap();
    let (mut alice, alices) = peers.pop().unwrap();
    alice.set_remote_path(&format!("{alices} {bobs} {}", bob.uri()));
    alice
        .send_ok(&Draft::new("text/plain", "x".repeat(100_000)))
        .await;
    assert_eq!(bob.expect_message().await.body.len(), 100_000);
}

#[tokio::test]
async fn users_that_change_take_effect_and_a_wrong_file_does_not() {
    let relay = Daemon::start(config().shards(2)).await;
    let (alice, _bob) = pair(&relay).await;
    relay.write_file("users", &format!("{}nonsense\n", BOB.line("localhost")));
    relay.signal("HUP");
    let refused = relay.wait_log("the wrong line", |line| {
        line.message().contains("relay users were refused")
    });
    assert!(
        refused
            .await
            .field("error")
            .contains("users:2: write user:realm")
    );
    connect(&relay)
        .await
        .use_path(&uri_of(&relay), &ALICE)
        .await;
    relay.write_file("users", &BOB.line("localhost"));
    let is_read = |line: &daemon::LogLine| line.message() == "relay users read";
    relay.wait_log("the users", is_read).await;
    let answer = connect(&relay)
        .await
        .auth(&uri_of(&relay), &ALICE, &[])
        .await;
    assert_eq!(answer.status(), Some(401));
    connect(&relay).await.use_path(&uri_of(&relay), &BOB).await;
    // What was given stays, until its time is over.
    alice.peer.send_ok(&Draft::new("text/plain", "still")).await;
}

#[tokio::test]
async fn check_of_a_configuration_reads_the_users_and_names_the_line() {
    let config = "[relay]\nusers = \"people\"\n";
    let check = ["check", "--config", "msrpd.toml"];
    let line = ALICE.line("localhost");
    let secret = line.rsplit(':').next().unwrap().trim().to_owned();
    let twice = format!("# users\n{line}{line}");
    for (users, fault) in [
        (
            twice.as_str(),
            "people:3: remove it, an earlier line has this user",
        ),
        ("alice:localhost:SHA-1:00", "people:1: write SHA-256 or MD5"),
        (
            "alice:localhost:MD5:00",
            "people:1: write HA1 as 64 hexadecimal digits",
        ),
    ] {
        let files = [("msrpd.toml", config), ("people", users)];
        let output = daemon::run(&check, &files).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(
            output.stderr.contains("msrpd.toml:2:9: relay.users: "),
            "{output:?}"
        );
        assert!(output.stderr.contains(fault), "{output:?}");
        assert!(!output.stderr.contains(&secret), "a hash is shown");
    }
    let files = [("msrpd.toml", config), ("people", line.as_str())];
    assert!(daemon::run(&check, &files).await.status.success());
}

#[tokio::test]
async fn relay_that_cannot_be_served_stops_the_start_with_the_reason() {
    let start = ["serve", "--config", "msrpd.toml"];
    let line = ALICE.line("localhost");
    for (listener, relay, reason) in [
        ("", "", "it needs a listener over tls"),
        (
            "transport = \"ws\"",
            "allow_plain_auth = true\nlistener = \"a\"",
            "it needs a listener over tls",
        ),
        (
            "",
            "allow_plain_auth = true\nlistener = \"b\"",
            "no listener is called b",
        ),
        ("", "allow_plain_auth = true", "has to be a full name"),
        (
            "",
            "allow_plain_auth = true\nca = \"people\"",
            "it holds no certificate",
        ),
    ] {
        let config = format!(
            "[[msrp.listener]]\nname = \"a\"\nbind = \"127.0.0.1:0\"\n{}\n{listener}\n[relay]\nusers = \"people\"\n{relay}\n",
            if reason.contains("certificate") {
                "advertise = \"localhost:0\""
            } else {
                ""
            },
        );
        let files = [("msrpd.toml", config.as_str()), ("people", line.as_str())];
        let output = daemon::run(&start, &files).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(output.stderr.contains(reason), "{reason}: {output:?}");
    }
}
