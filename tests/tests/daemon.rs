//! The process: start, configuration, log, metrics, end.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeMap;

use msrp_testkit::daemon::run;
use msrp_testkit::{Config, Daemon, Draft, Flag};
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FACTORY, FRIENDS, WAYS, accept, config_with_friends};

#[tokio::test]
async fn daemon_that_is_terminated_says_goodbye_to_all() {
    for way in WAYS {
        let mut daemon = way.start(config_with_friends()).await;
        let mut people = Vec::new();
        for identity in [ALICE, BOB, CAROL] {
            people.push(way.join(&daemon, FRIENDS, identity).await);
        }
        let begun = people[0].text(&"x".repeat(9_000));
        let chunk = people[0].msrp.send_chunk(&begun, 0, 5_000, Flag::More);
        people[0].msrp.expect_status(&chunk, 200).await;
        daemon.signal("TERM");
        for person in &people {
            person.dialog.expect_bye().await;
        }
        for person in &people {
            let closed = person.msrp.expect_closed().await;
            // Who leaves before alice gets no end of what she had begun.
            assert!(closed.rest.is_empty() && closed.unfinished.len() <= 1);
            assert_eq!(closed.error, None);
        }
        assert_eq!(daemon.wait_end().await.code(), Some(0));
    }
}

#[tokio::test]
async fn daemon_that_is_terminated_with_nobody_there_ends_at_once() {
    for signal in ["TERM", "INT"] {
        let mut daemon = Daemon::start(Config::new()).await;
        daemon.signal(signal);
        assert_eq!(daemon.wait_end().await.code(), Some(0));
        let last = daemon.log_lines().pop().unwrap();
        assert_eq!(last.message(), "stopped");
    }
}

#[tokio::test]
async fn daemon_that_is_terminated_ends_although_nobody_answers() {
    let mut daemon = WAYS[0].start(config_with_friends()).await;
    let alice = WAYS[0].join(&daemon, FRIENDS, ALICE).await;
    daemon.signal("TERM");
    alice.dialog.expect_request("BYE").await;
    assert_eq!(daemon.wait_end().await.code(), Some(0));
    alice.msrp.expect_closed().await;
}

#[tokio::test]
async fn daemon_that_is_terminated_twice_waits_for_nobody() {
    let mut daemon = WAYS[1].start(config_with_friends()).await;
    let alice = WAYS[1].join(&daemon, FRIENDS, ALICE).await;
    daemon.signal("TERM");
    alice.dialog.expect_request("BYE").await;
    daemon.signal("TERM");
    assert_eq!(daemon.wait_end().await.code(), Some(130));
}

#[tokio::test]
async fn daemon_that_is_terminated_cancels_open_invitations() {
    for way in WAYS {
        let proxy = way.proxy().await;
        let config = Config::new().outbound_proxy(&proxy.proxy_uri());
        let mut daemon = way.start(config).await;
        let join = way
            .dial(FACTORY, ALICE)
            .invite(|invite| invite.list(&[BOB, CAROL]));
        let joining = join.start(&daemon).await;
        let bob = proxy.accept_invite(|uri| uri == BOB).await;
        let carol = proxy.accept_invite(|uri| uri == CAROL).await;
        bob.ring().await;
        carol.ring().await;
        joining.calling.expect_provisional(180).await;
        daemon.signal("TERM");
        joining.calling.expect_failure(503).await;
        for invitation in [&bob, &carol] {
            let cancel = invitation.expect_cancel_request().await;
            cancel.respond(200, "OK").await;
            let response = invitation.response(487, "Request Terminated");
            invitation.send(&response).await;
        }
        assert_eq!(daemon.wait_end().await.code(), Some(0));
    }
}

#[tokio::test]
async fn configuration_with_a_fault_stops_the_start_at_its_line() {
    let cases = [
        ("[limits]\nstall = 3\n", "2:1", "limits.stall: ", "stall_s"),
        ("[io]\nshards = \"two\"\n", "2:10", "io.shards: ", "\"two\""),
        ("[sip]\nmin_se_s = 5\n", "2:12", "sip.min_se_s: ", "90"),
        (
            "[io]\nbackend = \"kqueue\"\n",
            "2:11",
            "io.backend: ",
            "epoll",
        ),
        ("domain = 5\n", "1:10", "domain: ", "expected"),
        ("domain = \"a\"\ndomain = \"b\"\n", "2:1", "", ""),
        (
            "[groups]\ndirectory = \"nowhere\"\n",
            "2:13",
            "groups.directory: ",
            "nowhere",
        ),
        (
            "[admin]\nbind = \"192.0.2.1:80\"\n",
            "2:8",
            "admin.bind: ",
            "loopback",
        ),
        (
            "[admin]\ntokens = \"bad.toml\"\n",
            "2:10",
            "admin.tokens: ",
            "bad.toml: line 1: expected NAME SCOPES SHA256",
        ),
    ];
    for (text, place, key, expectation) in cases {
        for command in ["check", "serve"] {
            let output = run(&[command, "--config", "bad.toml"], &[("bad.toml", text)]).await;
            assert_eq!(output.status.code(), Some(1), "{text}");
            let error = &output.stderr;
            assert!(
                error.starts_with(&format!("bad.toml:{place}: {key}")),
                "{text}: {error}"
            );
            assert!(error.contains(expectation), "{text}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}

#[tokio::test]
async fn configuration_that_is_good_is_ok() {
    let text = "domain = \"im.example\"\n[limits]\nstall_s = 3\n";
    let output = run(&["check", "--config", "good.toml"], &[("good.toml", text)]).await;
    assert_eq!(output.status.code(), Some(0), "{}", output.stderr);
    assert_eq!(output.stdout, "good.toml: ok\n");
    let text = "[admin]\nbind = \"0.0.0.0:80\"\nallow_unauthenticated = true\n";
    let output = run(&["check", "--config", "open.toml"], &[("open.toml", text)]).await;
    let expected = "open.toml: ok\nadmin: 0.0.0.0:80 serves everybody who reaches it, without \
                    authentication\n";
    assert_eq!(output.stdout, expected);
    let output = run(&["check", "--config", "missing.toml"], &[]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.contains("missing.toml"), "{}", output.stderr);
}

#[tokio::test]
async fn configuration_reaches_the_engine_and_the_answer() {
    let listener = "name = \"nat\"\nbind = \"127.0.0.1:0\"\nadvertise = \"im.example:0\"\n";
    let config = config_with_friends()
        .listeners(&[listener])
        .set("limits", "message_octets_max", 5_000)
        .set("sip", "session_expires_s", 300);
    let daemon = WAYS[0].start(config).await;
    let joining = WAYS[0].dial(FRIENDS, ALICE).start(&daemon).await;
    let dialog = joining.calling.expect_success().await;
    let media = dialog.remote_media();
    let port = daemon.msrp_addr().port();
    assert!(media.path[0].starts_with(&format!("msrp://im.example:{port}/")));
    assert_eq!((media.host.as_str(), media.port), ("im.example", port));
    assert_eq!(media.max_size, Some(5_000));
    assert_eq!(
        dialog.initial().header("Session-Expires"),
        Some("300;refresher=uac")
    );
}

#[tokio::test]
async fn admin_door_tells_life_and_readiness() {
    let daemon = Daemon::start(Config::new().shards(2)).await;
    for path in ["/livez", "/readyz"] {
        assert_eq!(daemon.http_get(path).await.status, 200, "{path}");
    }
    let metrics = daemon.http_get("/metrics").await;
    assert!(
        metrics
            .header("Content-Type")
            .unwrap()
            .starts_with("text/plain")
    );
    assert!(metrics.body.ends_with('\n'));
    assert_eq!(daemon.metric("msrp_shards").await, 2.0);
    assert_eq!(daemon.http_get("/nowhere").await.status, 404);
    assert_eq!(
        daemon.http_request("POST", "/livez", None).await.status,
        405
    );
}

/// Every series of `/metrics`.
async fn series(daemon: &Daemon) -> BTreeMap<String, f64> {
    let (_, text) = daemon.metrics().await;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let split = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(split).collect()
}

fn sum(series: &BTreeMap<String, f64>, name: &str) -> f64 {
    let is_of = |key: &&String| key.split('{').next() == Some(name);
    series.keys().filter(is_of).map(|key| series[key]).sum()
}

#[tokio::test]
async fn metrics_agree_with_what_the_participants_saw() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let mut people = Vec::new();
        for identity in [ALICE, BOB, CAROL, DAVE] {
            people.push(way.join(&daemon, FRIENDS, identity).await);
        }
        let text = "x".repeat(50_000);
        let (mut pieces, mut sends) = (0, people.len());
        for speaker in &people {
            for draft in [
                speaker.text("small"),
                speaker.text(&text).chunk_octets(20_000),
            ] {
                sends += speaker.msrp.send_ok(&draft).await.tids.len();
                for other in people.iter().filter(|p| p.identity != speaker.identity) {
                    pieces += other.msrp.expect_message().await.chunks.len();
                }
            }
            let false_one = speaker
                .msrp
                .send(&Draft::text("sip:eve@example.com", FRIENDS, "x"));
            speaker.msrp.expect_all(&false_one, 403).await;
            sends += 1;
        }
        let given_up = people[0].text(&text);
        for (from, to, flag) in [(0, 4_000, Flag::More), (4_000, 5_000, Flag::Abort)] {
            let chunk = people[0].msrp.send_chunk(&given_up, from, to, flag);
            people[0].msrp.expect_status(&chunk, 200).await;
            sends += 1;
        }
        for other in &people[1..] {
            pieces += other.msrp.expect_message().await.chunks.len();
        }
        for person in &people {
            person.leave().await;
            person.msrp.expect_closed().await;
            person.msrp.close();
        }
        daemon
            .wait_metric("msrp_connections", |count| count == 0.0)
            .await;
        daemon
            .wait_metric("msrp_sip_conferences", |count| count == 0.0)
            .await;
        daemon.wait_metric("msrp_rooms", |count| count == 0.0).await;
        let octets = people
            .iter()
            .map(|person| person.msrp.written_octets())
            .sum();
        let series = series(&daemon).await;
        let count = |key: &str| series.get(key).copied().unwrap_or_default();
        let whole = |number: usize| f64::from(u32::try_from(number).unwrap());
        // 4 speakers with 2 messages to 3 others, and one that was given up to 3.
        assert_eq!(count("msrp_copies_opened_total"), 27.0);
        assert_eq!(sum(&series, "msrp_copies_total"), 27.0);
        assert_eq!(count("msrp_copies_total{outcome=\"aborted\"}"), 3.0);
        assert_eq!(
            count("msrp_copies_total{outcome=\"sent\"}")
                + count("msrp_copies_total{outcome=\"delivered\"}"),
            24.0
        );
        assert_eq!(count("msrp_pieces_sent_total"), whole(pieces));
        assert_eq!(sum(&series, "msrp_responses_sent_total"), whole(sends));
        assert_eq!(count("msrp_responses_sent_total{status=\"403\"}"), 4.0);
        assert_eq!(count("msrp_connections_accepted_total"), 4.0);
        assert_eq!(count("msrp_sessions_bound_total"), 4.0);
        assert_eq!(count("msrp_octets_received_total"), whole(octets));
        assert_eq!(sum(&series, "msrp_sessions_ended_total"), 4.0);
        assert_eq!(count("msrp_sip_invites_total{code=\"200\"}"), 4.0);
        assert_eq!(count("msrp_participants"), 0.0);
        assert_eq!(count("msrp_sip_dialogs"), 0.0);
        assert_eq!(count("msrp_receive_slots_in_use"), 0.0);
        assert_eq!(
            count("msrp_requests_received_total{method=\"SEND\"}"),
            whole(sends)
        );
    }
}

// covers: MSRP-4975-3-02
#[tokio::test]
async fn log_has_a_start_and_an_end_of_each_and_no_secret() {
    for way in WAYS {
        let proxy = way.proxy().await;
        let config = config_with_friends().outbound_proxy(&proxy.proxy_uri());
        let mut daemon = way.start(config).await;
        let mut secrets = vec!["msrp://".to_owned()];
        let mut people = Vec::new();
        for identity in [ALICE, BOB, CAROL] {
            people.push(way.join(&daemon, FRIENDS, identity).await);
        }
        let join = way.dial(FACTORY, DAVE).invite(|invite| invite.list(&[BOB]));
        let joining = join.start(&daemon).await;
        let invitation = proxy.accept_invite(|uri| uri == BOB).await;
        people.push(accept(&daemon, &invitation, Some("active")).await);
        people.push(joining.complete().await);
        for (at, person) in people.iter().enumerate() {
            let id = |path: &str| {
                path.rsplit('/')
                    .next()
                    .unwrap()
                    .trim_end_matches(";tcp")
                    .to_owned()
            };
            secrets.extend([id(person.msrp.remote_path()), id(person.msrp.uri())]);
            let text = format!("secret-text-{at}");
            person.say(&text).await;
            let lie = format!("secret-lie-{at}");
            let false_one = person
                .msrp
                .send(&Draft::text("sip:eve@example.com", FRIENDS, &lie));
            person.msrp.expect_all(&false_one, 403).await;
            secrets.extend([text, lie]);
        }
        people[1].leave().await;
        people[2].msrp.write_raw(b"secret-garbage\r\n\r\n");
        people[2].expect_removed().await;
        secrets.push("secret-garbage".into());
        daemon.signal("TERM");
        for person in [&people[0], &people[3], &people[4]] {
            person.dialog.expect_bye().await;
        }
        assert_eq!(daemon.wait_end().await.code(), Some(0));
        let lines = daemon.log_lines();
        for line in &lines {
            assert!(line.json.is_object(), "not JSON: {}", line.raw);
            let secret = secrets.iter().find(|secret| line.raw.contains(*secret));
            assert!(secret.is_none(), "{secret:?} in {}", line.raw);
        }
        let events = |message: &str| {
            let of = lines.iter().filter(|line| line.message() == message);
            let mut named = of
                .map(|line| (line.field("room"), line.field("participant")))
                .collect::<Vec<_>>();
            named.sort();
            named
        };
        for (start, end, count) in [
            ("room started", "room ended", 2),
            ("session started", "session ended", 5),
            ("conference started", "conference ended", 2),
        ] {
            assert_eq!(events(start), events(end));
            assert_eq!(events(start).len(), count, "{start}");
            let mut once = events(start);
            once.dedup();
            assert_eq!(once.len(), count, "{start} twice");
        }
        assert_eq!(daemon.stdout(), "");
    }
}
