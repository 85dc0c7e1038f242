//! What the switch does with MSRP, seen by participants that joined over SIP.
#![expect(clippy::unwrap_used, reason = "test code")]

use msrp_testkit::{
    Config, Daemon, Draft, Event, Flag, Frame, Media, Message, Mode, MsrpEndpoint, MsrpPeer,
    Participant,
};
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FRIENDS, WAYS, Way, config_with_friends, expect_reset};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A session of some friends.
async fn friends(way: Way, daemon: &Daemon, identities: &[&str]) -> Vec<Participant> {
    let mut people = Vec::new();
    for identity in identities {
        people.push(way.join(daemon, FRIENDS, identity).await);
    }
    people
}

async fn three(way: Way) -> (Daemon, Participant, Participant, Participant) {
    let daemon = way.start(config_with_friends()).await;
    let mut people = friends(way, &daemon, &[ALICE, BOB, CAROL])
        .await
        .into_iter();
    let mut next = || people.next().unwrap();
    (daemon, next(), next(), next())
}

/// Shows that the session works, and that nothing came before.
async fn assert_next_is(text: &str, from: &Participant, to: &[&Participant]) {
    from.say(text).await;
    for other in to {
        other.expect_text(&from.identity, text).await;
        other.msrp.assert_nothing_left();
    }
}

/// The most memory that the daemon had so far.
fn memory_peak_kb(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// A request of one chunk under this transaction id.
fn send_frame(peer: &MsrpPeer, tid: &str, draft: &Draft) -> Frame {
    let mut frame = draft
        .frames(peer.remote_path(), peer.uri())
        .into_iter()
        .next()
        .unwrap();
    frame.tid = tid.into();
    frame
}

// covers: UPS-7.2.3.1-04, UPS-7.2.3.3-01, MSRP-7701-6.1-03, MSRP-7701-6.1-05, MSRP-7701-6.3-04, MSRP-4975-10-05, MSRP-3862-4-01
#[tokio::test]
async fn message_with_a_false_from_is_refused_and_goes_nowhere() {
    for way in WAYS {
        let (_daemon, alice, bob, carol) = three(way).await;
        for from in [
            BOB,
            "sip:eve@example.com",
            "sip:alice@example.org",
            "im:alice@example.com",
            FRIENDS,
        ] {
            let sent = alice.msrp.send(&Draft::text(from, FRIENDS, "lie"));
            alice.msrp.expect_all(&sent, 403).await;
        }
        let angled = [ALICE, FRIENDS].map(|uri| format!("<{uri}>"));
        for header in [("From", angled[0].as_str()), ("To", &angled[1])] {
            let sent = alice
                .msrp
                .send(&Draft::wrapped_with(&[header], "text/plain", b"half"));
            alice.msrp.expect_all(&sent, 403).await;
        }
        // The chunks that follow a refused one are refused too.
        let draft = Draft::text(BOB, FRIENDS, &"lie".repeat(2_000)).chunk_octets(2_048);
        let sent = alice.msrp.send(&draft);
        alice.msrp.expect_all(&sent, 403).await;
        assert_next_is("truth", &alice, &[&bob, &carol]).await;
    }
}

// covers: MSRP-4975-7.3.1-06, MSRP-7701-6.3-03, UPS-7.2.3.1-02
#[tokio::test]
async fn message_without_a_wrapper_is_refused() {
    for way in WAYS {
        let (_daemon, alice, bob, carol) = three(way).await;
        for kind in [
            "text/plain",
            "multipart/mixed;boundary=x",
            "application/octet-stream",
        ] {
            let sent = alice.msrp.send(&Draft::new(kind, "hello"));
            alice.msrp.expect_all(&sent, 415).await;
        }
        let sent = alice
            .msrp
            .send(&Draft::new("message/cpim", "no wrapper at all"));
        let status = alice.msrp.expect_response(&sent.tids[0]).await.status();
        assert!(matches!(status, Some(400 | 403)), "{status:?}");
        assert_next_is("wrapped", &alice, &[&bob, &carol]).await;
    }
}

// covers: UPS-7.2.3.3-07, MSRP-7701-6.1-07, MSRP-3862-2.2-01, MSRP-3862-2.2-12, MSRP-3862-2.2-13, MSRP-3862-6-01
// covers: MSRP-4975-7.1.1-29, MSRP-4975-14.3-02, MSRP-3862-3.5-01, CLI-7.1.3.2-06
#[tokio::test]
async fn message_arrives_octet_for_octet() {
    const ATTACHMENT: &str = "attachment; filename=\"a; b.png\"";
    for way in WAYS {
        let (_daemon, alice, bob, carol) = three(way).await;
        let angled = [ALICE, FRIENDS].map(|uri| format!("\"N\" <{uri}>"));
        let headers = [
            ("Subject", "a\\u00e9 \\\" b"),
            ("To", angled[1].as_str()),
            ("From", &angled[0]),
            ("NS", "x <http://example.com/ns>"),
            ("x.Odd-Name", "kept"),
            ("Require", "x.Odd-Name"),
        ];
        let body = (0..=255).cycle().take(3_000).collect::<Vec<u8>>();
        let draft = Draft::wrapped_with(&headers, "image/png; name=\"a;b\"", &body);
        let whole = draft.frames("a", "b")[0].body.clone().unwrap();
        let draft = draft.mime_header("Content-Disposition", ATTACHMENT);
        alice.msrp.send_ok(&draft).await;
        // These take text only, and what they do not take does not reach them.
        assert_next_is("text", &alice, &[&bob, &carol]).await;
        let daemon = way.start(config_with_friends()).await;
        let any = |identity: &str| {
            let join = way.dial(FRIENDS, identity);
            join.offer(|media| media.accept_wrapped_types("*"))
        };
        let alice = any(ALICE).join(&daemon).await;
        let bob = any(BOB).join(&daemon).await;
        let sent = alice.msrp.send_ok(&draft).await;
        let message = bob.msrp.expect_message().await;
        assert!(message.body == whole, "{}", message.describe());
        assert_eq!(message.header("Content-Disposition"), Some(ATTACHMENT));
        assert_eq!(message.content_type(), Some("message/cpim"));
        assert_eq!(message.id, sent.message_id);
    }
}

// covers: MSRP-4975-5.4-10, MSRP-4975-5.4-11, MSRP-4975-5.4-12, MSRP-4975-7.3-01, MSRP-4975-7.3-02
// covers: SEC-14.1.5-01
#[tokio::test]
async fn connection_that_names_a_wrong_session_is_told() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let mut people = friends(way, &daemon, &[ALICE, BOB]).await.into_iter();
        let (alice, bob) = (people.next().unwrap(), people.next().unwrap());
        // A second connection names a session that has one.
        let path = alice.msrp.remote_path().to_owned();
        let thief = MsrpEndpoint::bind().await;
        let thief = thief.connect_to(daemon.msrp_addr(), &path).await;
        let sent = thief.send(&Draft::empty());
        thief.expect_all(&sent, 506).await;
        let sent = thief.send(&Draft::text(ALICE, FRIENDS, "stolen"));
        thief.expect_all(&sent, 506).await;
        // A connection names no session of this node, or several.
        let address = daemon.msrp_addr();
        let paths = [
            format!("msrp://{address}/unknown;tcp"),
            format!("msrp://{address}/{};tcp", "0".repeat(28)),
            path.replace(";tcp", "x;tcp"),
            format!("{path} {path}"),
        ];
        for path in &paths {
            let stranger = MsrpEndpoint::bind().await.connect_to(address, path).await;
            let sent = stranger.send(&Draft::empty());
            stranger.expect_all(&sent, 481).await;
            let silent = stranger.send(&Draft::empty().failure_report("no"));
            let sent = stranger.send(&Draft::empty());
            stranger.expect_all(&sent, 481).await;
            stranger.assert_nothing_left();
            assert_eq!(silent.tids.len(), 1);
        }
        // The session of another participant, on a connection that is bound.
        let sent = alice
            .msrp
            .send(&Draft::empty().to_path(bob.msrp.remote_path()));
        alice.msrp.expect_all(&sent, 506).await;
        let sent = alice.msrp.send(&Draft::empty().to_path(&paths[0]));
        alice.msrp.expect_all(&sent, 481).await;
        assert_next_is("not stolen", &alice, &[&bob]).await;
        assert_next_is("nor here", &bob, &[&alice]).await;
    }
}

// covers: MSRP-4975-5.4-09
#[tokio::test]
async fn participant_that_connects_late_gets_what_was_said_since_its_answer() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let joining = way.dial(FRIENDS, BOB).start(&daemon).await;
        let (dialog, endpoint, ..) = joining.answered().await;
        alice.say("are you there").await;
        alice.say("bob").await;
        let bob = endpoint.connect(&dialog.remote_media()).await;
        bob.bind().await;
        bob.expect_text(ALICE, "are you there").await;
        bob.expect_text(ALICE, "bob").await;
        alice.say("yes").await;
        bob.expect_text(ALICE, "yes").await;
        bob.assert_nothing_left();
    }
}

// covers: MSRP-4975-5.4-01, MSRP-4975-5.4-23, MSRP-4975-7.1-01
#[tokio::test]
async fn connection_may_carry_several_sessions() {
    for way in WAYS {
        // One shard: a bound connection stays where it is.
        let daemon = Daemon::start(config_with_friends().backend(way.backend).shards(1)).await;
        let first = way.dial(FRIENDS, ALICE).start(&daemon).await;
        let (alice_dialog, endpoint, ..) = first.answered().await;
        let shared = Media::new(endpoint.uri().replace(";tcp", "b;tcp"));
        let second = way.dial(FRIENDS, BOB).offer(move |_| shared.clone());
        let (bob_dialog, ..) = second.start(&daemon).await.answered().await;
        let msrp = endpoint.connect(&alice_dialog.remote_media()).await;
        let bob_uri = msrp.uri().replace(";tcp", "b;tcp");
        msrp.add_uri(&bob_uri);
        msrp.bind().await;
        let bob_path = bob_dialog.remote_media().path.join(" ");
        let as_bob = |draft: Draft| draft.to_path(&bob_path).from_path(&bob_uri);
        msrp.send_ok(&as_bob(Draft::empty())).await;
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        carol.say("to both").await;
        let [one, other] = [
            msrp.expect_text(CAROL, "to both").await,
            msrp.expect_text(CAROL, "to both").await,
        ];
        assert_ne!(one.chunks[0].tid, other.chunks[0].tid);
        msrp.send_ok(&as_bob(Draft::text(BOB, FRIENDS, "from bob")))
            .await;
        carol.expect_text(BOB, "from bob").await;
        msrp.expect_text(BOB, "from bob").await;
        // One session ends; the connection serves the other.
        alice_dialog.bye().await;
        msrp.send_ok(&as_bob(Draft::text(BOB, FRIENDS, "bob stays")))
            .await;
        carol.expect_text(BOB, "bob stays").await;
        bob_dialog.bye().await;
        msrp.expect_closed().await;
    }
}

// covers: MSRP-4975-10-04
#[tokio::test]
async fn request_that_is_malformed_within_clear_borders_is_answered_400() {
    for way in WAYS {
        let (daemon, alice, bob, carol) = three(way).await;
        let paths = format!(
            "To-Path: {}\r\nFrom-Path: {}\r\n",
            alice.msrp.remote_path(),
            alice.msrp.uri()
        );
        let broken = [
            format!("{paths}Byte-Range: 1-3/3\r\n"),
            format!("{paths}Message-ID: m1234\r\nByte-Range: none\r\n"),
            format!("{paths}Message-ID: a b\r\n"),
            format!("{paths}Message-ID: m1234\r\nMessage-ID: m1234\r\n"),
        ];
        for (at, head) in broken.iter().enumerate() {
            let tid = format!("broken{at}");
            let request = format!("MSRP {tid} SEND\r\n{head}-------{tid}$\r\n");
            alice.msrp.write_raw(request.as_bytes());
            alice.msrp.expect_status(&tid, 400).await;
            let request =
                format!("MSRP {tid} SEND\r\n{head}Failure-Report: no\r\n-------{tid}$\r\n");
            alice.msrp.write_raw(request.as_bytes());
        }
        assert_next_is("still connected", &alice, &[&bob, &carol]).await;
        alice.msrp.assert_nothing_left();
        assert_eq!(daemon.metric("msrp_requests_rejected_total").await, 8.0);
    }
}

// covers: MSRP-4975-5.4-13, CTRL-7.2.2.12-01
#[tokio::test]
async fn octets_that_are_not_msrp_end_their_connection_alone() {
    for way in WAYS {
        let (daemon, alice, bob, carol) = three(way).await;
        let fine = alice.msrp.send(&alice.text("before the garbage"));
        alice.msrp.write_raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        alice.msrp.expect_all(&fine, 200).await;
        alice.expect_removed().await;
        for other in [&bob, &carol] {
            other.expect_text(ALICE, "before the garbage").await;
        }
        // On connections that never named a session it ends them too.
        for garbage in [&b"\0\0\0\0"[..], b"MSRP \r\n\r\n", &[b'x'; 70_000]] {
            let mut stream = TcpStream::connect(daemon.msrp_addr()).await.unwrap();
            // It may be closed while octets are on their way.
            let _closed = stream.write_all(garbage).await;
            assert!(matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)));
        }
        assert_next_is("unharmed", &bob, &[&carol]).await;
        daemon
            .wait_metric("msrp_connections_malformed_total", |count| count >= 4.0)
            .await;
    }
}

// covers: MSRP-4975-7.2-05, MSRP-4975-7.1.2-07, MSRP-4975-7.1.2-08, MSRP-4975-7.1.1-11, MSRP-4975-7.3.2-06, MSRP-7701-6.3-07
#[tokio::test]
async fn method_that_is_unknown_is_answered_and_a_report_is_not() {
    for way in WAYS {
        let (_daemon, alice, bob, carol) = three(way).await;
        alice.say("reported").await;
        let message = bob.expect_text(ALICE, "reported").await;
        carol.expect_text(ALICE, "reported").await;
        bob.msrp.report(&message, "1-10/10", "000 200 OK");
        bob.msrp.report(&message, "1-10/10", "000 413 Stop");
        let unknown = Message {
            id: "m-nobody-knows".into(),
            ..message
        };
        bob.msrp.report(&unknown, "1-10/10", "000 200 OK");
        for method in ["AUTH", "FOO"] {
            let tid = format!("tid{method}");
            let first = format!("{} {}", "msrp://127.0.0.1:9/relay;tcp", bob.msrp.uri());
            let request = Frame::request(method, &tid, bob.msrp.remote_path(), &first);
            bob.msrp.add_uri(&first);
            bob.msrp.write(&request);
            let response = bob.msrp.expect_status(&tid, 501).await;
            assert_eq!(response.header("To-Path"), Some(first.as_str()));
            assert_eq!(response.header("From-Path"), Some(bob.msrp.remote_path()));
        }
        assert_next_is("no answers to reports", &bob, &[&alice, &carol]).await;
        bob.msrp.assert_nothing_left();
    }
}

// covers: MSRP-4975-7.1.4-01, MSRP-4975-7.1.4-03, MSRP-4975-7.1.4-04, MSRP-4975-7.1.4-05, MSRP-4975-7.1.1-10
// covers: MSRP-4975-7.2-01, MSRP-4975-7.2-02, MSRP-4975-7.2-03, MSRP-4975-7.2-06, MSRP-4975-7.2-07, MSRP-7701-6.3-05, CLI-7.1.3.2-08
#[tokio::test]
async fn response_follows_failure_report() {
    for way in WAYS {
        let (_daemon, alice, bob, _carol) = three(way).await;
        for (value, ok, refused) in [
            ("yes", true, true),
            ("partial", false, true),
            ("no", false, false),
        ] {
            let good = alice.text(value).failure_report(value).chunk_octets(100);
            let bad = Draft::text(BOB, FRIENDS, value).failure_report(value);
            let (good, bad) = (alice.msrp.send(&good), alice.msrp.send(&bad));
            if ok {
                alice.msrp.expect_all(&good, 200).await;
            }
            if refused {
                alice.msrp.expect_all(&bad, 403).await;
            }
            alice.msrp.bind().await;
            alice.msrp.assert_nothing_left();
            bob.expect_text(ALICE, value).await;
        }
        let sent = alice.say("by default").await;
        assert_eq!(sent.tids.len(), 1);
    }
}

// covers: MSRP-4975-7.2-04
#[tokio::test]
async fn response_goes_to_the_first_hop_of_a_send() {
    for way in WAYS {
        let (_daemon, alice, ..) = three(way).await;
        let relay = "msrp://127.0.0.1:9/relay;tcp";
        alice.msrp.add_uri(relay);
        let path = format!("{relay} {}", alice.msrp.uri());
        let sent = alice.msrp.send(&alice.text("by a relay").from_path(&path));
        let response = alice.msrp.expect_status(&sent.tids[0], 200).await;
        assert_eq!(response.header("To-Path"), Some(relay));
        assert_eq!(response.header("From-Path"), Some(alice.msrp.remote_path()));
        assert_eq!(response.flag, Flag::Last);
    }
}

// covers: MSRP-4975-7.1.3-01, MSRP-4975-7.1.3-02, MSRP-4975-7.1.3-04, MSRP-4975-7.1.3-05, MSRP-4975-7.1.2-01
// covers: MSRP-4975-7.1.2-02, MSRP-4975-7.1.2-03, MSRP-4975-7.1.2-04, MSRP-4975-7.1.1-09, CLI-7.1.3.2-08
#[tokio::test]
async fn success_is_reported_to_those_who_ask() {
    for way in WAYS {
        let (_daemon, alice, bob, _carol) = three(way).await;
        for quiet in [
            alice.text("unasked"),
            alice.text("refused").success_report("no"),
        ] {
            alice.msrp.send_ok(&quiet).await;
        }
        let asked = alice
            .text(&"asked".repeat(1_000))
            .success_report("yes")
            .chunk_octets(2_048);
        let sent = alice.msrp.send_ok(&asked).await;
        let report = alice.msrp.expect_report().await;
        assert_eq!(report.message_id(), Some(sent.message_id.as_str()));
        assert_eq!(
            report
                .header("Status")
                .unwrap()
                .split(' ')
                .take(2)
                .collect::<Vec<_>>(),
            ["000", "200"]
        );
        let range = format!("1-{0}/{0}", asked.octets());
        assert_eq!(report.header("Byte-Range"), Some(range.as_str()));
        assert_eq!(report.header("To-Path"), Some(alice.msrp.uri()));
        assert_eq!(report.header("From-Path"), Some(alice.msrp.remote_path()));
        assert!(
            report.header("Success-Report").is_none() && report.header("Failure-Report").is_none()
        );
        alice.msrp.bind().await;
        alice.msrp.assert_nothing_left();
        bob.msrp.expect_message().await;
    }
}

#[tokio::test]
async fn frames_in_single_octets_and_many_in_one_write_are_the_same() {
    for way in WAYS {
        let (_daemon, alice, bob, carol) = three(way).await;
        let frame = send_frame(&alice.msrp, "one-by-one", &alice.text("drop by drop"));
        for octet in frame.to_octets() {
            alice.msrp.write_raw(&[octet]);
            alice.msrp.flushed().await;
        }
        alice.msrp.expect_status("one-by-one", 200).await;
        let mut octets = Vec::new();
        for number in 0..100 {
            let draft = alice.text(&format!("flood {number}"));
            octets.extend(send_frame(&alice.msrp, &format!("flood{number}"), &draft).to_octets());
        }
        alice.msrp.write_raw(&octets);
        for number in 0..100 {
            alice
                .msrp
                .expect_status(&format!("flood{number}"), 200)
                .await;
        }
        for other in [&bob, &carol] {
            other.expect_text(ALICE, "drop by drop").await;
            for number in 0..100 {
                other.expect_text(ALICE, &format!("flood {number}")).await;
            }
            other.msrp.assert_nothing_left();
        }
    }
}

#[tokio::test]
async fn requests_right_behind_the_first_are_served() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        // More than one, so that some connection arrives at a shard that does not own the room.
        for round in 0..4 {
            let (dialog, endpoint, ..) = way
                .dial(FRIENDS, ALICE)
                .start(&daemon)
                .await
                .answered()
                .await;
            let alice = endpoint.connect(&dialog.remote_media()).await;
            let drafts = [
                Draft::empty(),
                Draft::text(ALICE, FRIENDS, &format!("first {round}")),
                Draft::text(ALICE, FRIENDS, &format!("second {round}")),
            ];
            let frames = drafts
                .iter()
                .map(|draft| draft.frames(alice.remote_path(), alice.uri()).remove(0));
            let frames = frames.collect::<Vec<_>>();
            let octets = frames.iter().flat_map(Frame::to_octets).collect::<Vec<_>>();
            let half = octets.len() * round / 4;
            alice.write_raw(&octets[..half]);
            alice.flushed().await;
            alice.write_raw(&octets[half..]);
            for frame in &frames {
                alice.expect_status(&frame.tid, 200).await;
            }
            bob.expect_text(ALICE, &format!("first {round}")).await;
            bob.expect_text(ALICE, &format!("second {round}")).await;
            dialog.bye().await;
        }
    }
}

// covers: MSRP-4975-7.1-09, MSRP-4975-7.1-10, MSRP-4975-7.1-14
#[tokio::test]
async fn body_that_looks_like_frames_is_only_a_body() {
    for way in WAYS {
        let (_daemon, alice, bob, carol) = three(way).await;
        let bodies = [
            "-------abcd$\r\n".to_owned(),
            "\r\n-------foreign$\r\nMSRP foreign SEND\r\n\r\n".to_owned(),
            "\r\n-------frame1+\r\n-------frame1".to_owned(),
            "-------".repeat(500),
            "\r\n-------frame".repeat(300),
        ];
        for (at, body) in bodies.iter().enumerate() {
            let tid = format!("outer{at}");
            for cut in [usize::MAX, 1, 7, 50] {
                let frame = send_frame(&alice.msrp, &tid, &alice.text(body)).to_octets();
                for part in frame.chunks(cut.min(frame.len())).take(40) {
                    alice.msrp.write_raw(part);
                }
                let written = cut.min(frame.len()).saturating_mul(40).min(frame.len());
                alice.msrp.write_raw(&frame[written..]);
                alice.msrp.expect_status(&tid, 200).await;
                for other in [&bob, &carol] {
                    other.expect_text(ALICE, body).await;
                }
            }
        }
        assert_next_is("all read", &alice, &[&bob, &carol]).await;
    }
}

// covers: MSRP-4975-7.1.1-14, MSRP-4975-7.1.1-24, MSRP-4975-7.1.1-28, MSRP-4975-7.3.1-01, MSRP-4975-7.3.1-05
#[tokio::test]
async fn byte_range_of_every_form_gives_the_same_message() {
    for way in WAYS {
        let (_daemon, alice, bob, carol) = three(way).await;
        let text = "0123456789".repeat(700);
        let draft = || alice.text(&text);
        let forms = [
            draft(),
            draft().without_byte_range(),
            draft().open_end(),
            draft().open_total(),
            draft().open_end().open_total().chunk_octets(1_000),
            draft().chunk_octets(2_048),
            draft().chunk_octets(100),
            draft().chunk_octets(60),
        ];
        for form in forms {
            alice.msrp.send_ok(&form).await;
            for other in [&bob, &carol] {
                other.expect_text(ALICE, &text).await;
            }
        }
        // A range end that lies about the body is not believed.
        let mut frame = send_frame(&alice.msrp, "liar", &draft());
        for (name, value) in &mut frame.headers {
            if name == "Byte-Range" {
                *value = format!("1-5/{}", draft().octets());
            }
        }
        alice.msrp.write(&frame);
        alice.msrp.expect_status("liar", 200).await;
        bob.expect_text(ALICE, &text).await;
    }
}

// covers: MSRP-4975-7.1.1-02, MSRP-4975-7.1.1-12, MSRP-4975-7.1.1-13, MSRP-4975-7.1.1-17, MSRP-4975-7.1.1-19
// covers: MSRP-7701-6.1-08, MSRP-4975-13-04
#[tokio::test]
async fn message_in_tiny_chunks_leaves_in_order_in_its_own_pieces() {
    for way in WAYS {
        let (_daemon, alice, bob, _carol) = three(way).await;
        let text = "0123456789".repeat(30_000);
        let mut octets = Vec::new();
        let draft = alice.text(&text).chunk_octets(1_000);
        for frame in draft.frames(alice.msrp.remote_path(), alice.msrp.uri()) {
            octets.extend(frame.to_octets());
        }
        alice.msrp.write_raw(&octets);
        let message = bob.expect_text(ALICE, &text).await;
        let total = format!("/{}", draft.octets());
        let mut next = 1;
        for chunk in &message.chunks {
            assert_eq!(chunk.start, next);
            assert!(chunk.byte_range.as_ref().unwrap().ends_with(&total));
            next += u64::try_from(chunk.octets).unwrap();
        }
    }
}

// covers: MSRP-4975-14.5-01
#[tokio::test]
async fn byte_range_that_announces_much_allocates_nothing() {
    const GROWTH_KB_MAX: u64 = 25_000;
    for way in WAYS {
        let (daemon, alice, bob, carol) = three(way).await;
        let before = memory_peak_kb(&daemon);
        for number in 0..20 {
            let draft = alice.text(&format!("begins {number}"));
            let mut frame = send_frame(&alice.msrp, &format!("huge{number}"), &draft);
            for (name, value) in &mut frame.headers {
                if name == "Byte-Range" {
                    *value = "1-4000000000/4000000000".into();
                }
            }
            frame.flag = Flag::More;
            alice.msrp.write(&frame);
            alice.msrp.expect_status(&frame.tid, 200).await;
        }
        assert_next_is("real", &alice, &[&bob, &carol]).await;
        let growth = memory_peak_kb(&daemon) - before;
        assert!(growth < GROWTH_KB_MAX, "{growth} kB");
    }
}

// covers: MSRP-4975-10-02, MSRP-4975-7.1.1-08, CLI-5.7.5-02
#[tokio::test]
async fn recipient_that_refuses_a_message_gets_no_more_of_it() {
    for way in WAYS {
        let (daemon, alice, bob, carol) = three(way).await;
        bob.msrp.set_mode(Mode::Manual);
        let text = "x".repeat(20_000);
        let draft = alice.text(&text);
        let first = alice.msrp.send_chunk(&draft, 0, 5_000, Flag::More);
        alice.msrp.expect_status(&first, 200).await;
        let chunk = bob.msrp.expect_chunk().await;
        bob.msrp.respond(&chunk, 413, "Stop");
        let refused = "msrp_copies_total{outcome=\"refused\"}";
        daemon.wait_metric(refused, |count| count == 1.0).await;
        assert_eq!(bob.msrp.expect_chunk().await.flag, Flag::Abort);
        let ended = bob.msrp.expect_message().await;
        assert_eq!(ended.ended, Flag::Abort);
        assert_eq!(ended.body.len(), 5_000);
        bob.msrp.set_mode(Mode::Auto);
        let rest = alice
            .msrp
            .send_chunk(&draft, 5_000, draft.octets(), Flag::Last);
        alice.msrp.expect_status(&rest, 200).await;
        carol.expect_text(ALICE, &text).await;
        assert_next_is("another", &alice, &[&bob, &carol]).await;
    }
}

// covers: UPS-7.2.3.3-13, MSRP-4975-7.1-12, MSRP-4975-7.1-13, MSRP-4975-5.1-01
#[tokio::test]
async fn message_that_is_given_up_ends_with_an_abort_at_all() {
    for way in WAYS {
        let (_daemon, alice, bob, carol) = three(way).await;
        let text = "x".repeat(9_000);
        let given_up = alice.text(&text);
        for (from, to, flag) in [(0, 4_000, Flag::More), (4_000, 5_000, Flag::Abort)] {
            let chunk = alice.msrp.send_chunk(&given_up, from, to, flag);
            alice.msrp.expect_status(&chunk, 200).await;
        }
        // One that is interrupted, with another in between, goes on.
        let paused = alice.text(&text);
        let first = alice.msrp.send_chunk(&paused, 0, 5_000, Flag::More);
        alice.msrp.expect_status(&first, 200).await;
        alice.say("in between").await;
        let last = alice
            .msrp
            .send_chunk(&paused, 5_000, paused.octets(), Flag::Last);
        alice.msrp.expect_status(&last, 200).await;
        for other in [&bob, &carol] {
            let message = other.msrp.expect_message().await;
            assert_eq!(message.ended, Flag::Abort);
            assert!((4_000..=5_000).contains(&message.body.len()));
            other.expect_text(ALICE, "in between").await;
            other.expect_text(ALICE, &text).await;
            other.msrp.assert_nothing_left();
        }
    }
}

// covers: UPS-7.2.3.3-13, MSRP-4975-5.4-13, CTRL-7.2.2.12-01, CTRL-7.2.2.12-03
#[tokio::test]
async fn sender_whose_connection_is_lost_is_removed_and_its_message_given_up() {
    for way in WAYS {
        let (_daemon, alice, bob, carol) = three(way).await;
        let draft = alice.text(&"x".repeat(9_000));
        let chunk = send_frame(&alice.msrp, "cut-off", &draft).to_octets();
        for other in [&bob, &carol] {
            other.msrp.set_mode(Mode::Manual);
        }
        alice.msrp.write_raw(&chunk[..5_000]);
        for other in [&bob, &carol] {
            other.msrp.expect_chunk().await;
            other.msrp.set_mode(Mode::Auto);
        }
        alice.msrp.close();
        for other in [&bob, &carol] {
            let message = other.msrp.expect_message().await;
            assert_eq!(message.ended, Flag::Abort);
        }
        alice.dialog.expect_bye().await;
        assert_next_is("without alice", &bob, &[&carol]).await;
        bob.dialog.peer().assert_no_request_left();
    }
}

// covers: MSRP-4975-5.4-13, CTRL-7.2.2.12-01, CTRL-7.2.2.12-03
#[tokio::test]
async fn recipient_whose_connection_is_lost_is_removed_alone() {
    for way in WAYS {
        let (daemon, alice, bob, carol) = three(way).await;
        let text = "x".repeat(200_000);
        let draft = alice.text(&text);
        let first = alice.msrp.send_chunk(&draft, 0, 100_000, Flag::More);
        alice.msrp.expect_status(&first, 200).await;
        // Octets that nobody read are on the way: the kernel resets the connection.
        let Participant { dialog, msrp, .. } = bob;
        drop(msrp);
        let rest = alice
            .msrp
            .send_chunk(&draft, 100_000, draft.octets(), Flag::Last);
        alice.msrp.expect_status(&rest, 200).await;
        dialog.expect_bye().await;
        carol.expect_text(ALICE, &text).await;
        assert_next_is("two are left", &alice, &[&carol]).await;
        daemon
            .wait_metric("msrp_participants", |count| count == 2.0)
            .await;
    }
}

// covers: UPS-7.2.3.3-03, UPS-7.2.3.3-04, UPS-7.2.3.3-05, MSRP-4975-8.6-11, MSRP-4975-7.1.4-02, MSRP-4975-7.1.4-06
#[tokio::test]
async fn message_above_max_size_is_withheld_and_the_sender_told() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.dial(FRIENDS, BOB).offer(|media| media.max_size(1_000));
        let bob = bob.join(&daemon).await;
        let long = alice.text(&"x".repeat(2_000));
        // Nobody can take it.
        let sent = alice.msrp.send(&long);
        let response = alice.msrp.expect_response(&sent.tids[0]).await;
        if response.status() == Some(200) {
            alice.msrp.expect_report_of(&sent.message_id, 413).await;
        } else {
            assert_eq!(response.status(), Some(413));
        }
        alice.say("short").await;
        bob.expect_text(ALICE, "short").await;
        // One can.
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        alice
            .msrp
            .send_ok(&long.clone().message_id("m-second"))
            .await;
        carol.expect_text(ALICE, &"x".repeat(2_000)).await;
        // A total that shows only in the end.
        let open = alice
            .text(&"y".repeat(3_000))
            .open_total()
            .chunk_octets(500);
        alice.msrp.send_ok(&open).await;
        carol.expect_text(ALICE, &"y".repeat(3_000)).await;
        let begun = bob.msrp.expect_message().await;
        assert_eq!(begun.ended, Flag::Abort);
        assert!(begun.body.len() <= 1_000, "{}", begun.body.len());
        assert_next_is("short again", &alice, &[&bob, &carol]).await;
    }
}

#[tokio::test]
async fn message_above_the_limit_of_the_room_is_refused() {
    for way in WAYS {
        let config = config_with_friends().set("limits", "message_octets_max", 10_000);
        let daemon = way.start(config).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        assert_eq!(alice.dialog.remote_media().max_size, Some(10_000));
        let sent = alice.msrp.send(&alice.text(&"x".repeat(20_000)));
        alice.msrp.expect_all(&sent, 413).await;
        // Without a total it shows when the octets have come; some have left by then.
        let open = alice.text(&"x".repeat(20_000)).open_total();
        let first = alice.msrp.send_chunk(&open, 0, 5_000, Flag::More);
        alice.msrp.expect_status(&first, 200).await;
        let rest = alice
            .msrp
            .send_chunk(&open, 5_000, open.octets(), Flag::Last);
        alice.msrp.expect_status(&rest, 413).await;
        let message = bob.msrp.expect_message().await;
        assert_eq!(message.ended, Flag::Abort);
        assert_next_is("short", &alice, &[&bob]).await;
    }
}

// covers: MSRP-4975-8.6-05, MSRP-4975-8.6-08, MSRP-7701-6.1-09, MSRP-7701-6.1-10
#[tokio::test]
async fn content_that_a_participant_does_not_take_is_withheld_from_it() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let join = |identity: &str, types: &'static str, wrapped: &'static str| {
            let join = way.dial(FRIENDS, identity);
            join.offer(move |media| media.accept_types(types).accept_wrapped_types(wrapped))
        };
        let text = join(BOB, "message/cpim", "text/plain").join(&daemon).await;
        let pictures = join(CAROL, "message/cpim", "image/png").join(&daemon).await;
        let all = join(DAVE, "message/cpim", "*").join(&daemon).await;
        let picture = Draft::wrapped(ALICE, FRIENDS, "image/png", b"png");
        alice.msrp.send_ok(&picture).await;
        alice.say("text").await;
        alice.msrp.send_ok(&picture.message_id("m-second")).await;
        text.expect_text(ALICE, "text").await;
        for other in [&pictures, &all] {
            other.expect_text(ALICE, "png").await;
        }
        all.expect_text(ALICE, "text").await;
        for other in [&pictures, &all] {
            other.expect_text(ALICE, "png").await;
        }
        for other in [&text, &pictures, &all] {
            other.msrp.assert_nothing_left();
        }
    }
}

// covers: MSRP-7701-6.4-01, MSRP-7701-6.4-04, CTRL-7.2.2.12-01
#[tokio::test]
async fn recipient_that_takes_nothing_is_shed_and_the_others_get_everything() {
    const MESSAGES: usize = 60;
    // All messages have 30 MB; what the daemon may keep of them is its receive buffers and the backlog of a
    // connection.
    const GROWTH_KB_MAX: u64 = 25_000;
    for way in WAYS {
        let config = config_with_friends().set("limits", "stall_s", 1);
        let daemon = way.start(config).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let endpoint = MsrpEndpoint::bind().await.receive_buffer_octets(4_096);
        let carol = way.dial(FRIENDS, CAROL).endpoint(endpoint);
        let carol = carol.join(&daemon).await;
        carol.msrp.set_mode(Mode::Deaf);
        let before = memory_peak_kb(&daemon);
        let text = "z".repeat(500_000);
        let sent = (0..MESSAGES)
            .map(|_| alice.msrp.send(&alice.text(&text).chunk_octets(50_000)))
            .collect::<Vec<_>>();
        carol.dialog.expect_bye().await;
        let growth = memory_peak_kb(&daemon) - before;
        assert!(growth < GROWTH_KB_MAX, "{growth} kB");
        for sent in &sent {
            bob.expect_text(ALICE, &text).await;
            alice.msrp.expect_all(sent, 200).await;
        }
        assert!(daemon.metric("msrp_senders_paused_total").await >= 1.0);
        assert_eq!(
            daemon
                .metric("msrp_sessions_ended_total{reason=\"stalled\"}")
                .await,
            1.0
        );
        daemon
            .wait_metric("msrp_receive_slots_in_use", |count| count == 0.0)
            .await;
        assert_next_is("without carol", &alice, &[&bob]).await;
    }
}

// covers: MSRP-4975-5.4-09
#[tokio::test]
async fn connection_that_names_no_session_is_closed_in_time() {
    for way in WAYS {
        let config = config_with_friends().set("limits", "unbound_s", 1);
        let daemon = way.start(config).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let mut silent = TcpStream::connect(daemon.msrp_addr()).await.unwrap();
        let mut slow = TcpStream::connect(daemon.msrp_addr()).await.unwrap();
        slow.write_all(b"MSRP half SEND\r\nTo-Path: ")
            .await
            .unwrap();
        for stream in [&mut silent, &mut slow] {
            let mut octets = Vec::new();
            stream.read_to_end(&mut octets).await.unwrap();
            assert!(octets.is_empty(), "data before a request: {octets:?}");
        }
        // A participant that never connects.
        let joining = way.dial(FRIENDS, CAROL).start(&daemon).await;
        let (dialog, ..) = joining.answered().await;
        dialog.expect_bye().await;
        assert_eq!(
            daemon.metric("msrp_connections_never_bound_total").await,
            2.0
        );
        assert_next_is("those who came stay", &alice, &[&bob]).await;
    }
}

#[tokio::test]
async fn connection_above_the_limit_is_reset_as_it_comes() {
    for way in WAYS {
        let config = config_with_friends().set("limits", "connections_max", 2);
        let daemon = Daemon::start(config.backend(way.backend).shards(1)).await;
        let people = friends(way, &daemon, &[ALICE, BOB]).await;
        expect_reset(TcpStream::connect(daemon.msrp_addr())).await;
        assert_eq!(daemon.metric("msrp_connections_refused_total").await, 1.0);
        assert_next_is("two is enough", &people[0], &[&people[1]]).await;
        people[1].leave().await;
        people[1].msrp.expect_closed().await;
        people[1].msrp.close();
        daemon
            .wait_metric("msrp_connections", |count| count == 1.0)
            .await;
        way.join(&daemon, FRIENDS, CAROL).await;
    }
}

// covers: UPS-7.2.3.1-08, UPS-7.2.3.3-08, MSRP-4975-7.3.1-04, MSRP-4975-5.3-01
#[tokio::test]
async fn message_is_relayed_while_it_arrives() {
    for way in WAYS {
        let (_daemon, alice, bob, _carol) = three(way).await;
        bob.msrp.set_mode(Mode::Manual);
        let draft = alice.text(&"x".repeat(100_000));
        let octets = send_frame(&alice.msrp, "unfinished", &draft).to_octets();
        alice.msrp.write_raw(&octets[..40_000]);
        let first = bob.msrp.expect_chunk().await;
        assert_eq!(first.flag, Flag::More);
        assert!(first.byte_range().unwrap().start == 1);
        alice.msrp.write_raw(&octets[40_000..]);
        alice.msrp.expect_status("unfinished", 200).await;
        let is_message = |event: &Event| matches!(event, Event::Message(_));
        loop {
            let event = bob.msrp.expect_next().await;
            if is_message(&event) {
                break;
            }
        }
        let sent = alice
            .msrp
            .send(&Draft::text(BOB, FRIENDS, &"x".repeat(100_000)).message_id("m-false"));
        alice.msrp.expect_all(&sent, 403).await;
    }
}

// covers: UPS-7.2.3.3-11, MSRP-4975-7.1.1-27
#[tokio::test]
async fn small_message_does_not_wait_for_a_large_one() {
    for way in WAYS {
        let daemon = way
            .start(Config::new().group("friends", &msrpd_tests::friends().xml()))
            .await;
        let mut people = friends(way, &daemon, &[ALICE, BOB, CAROL])
            .await
            .into_iter();
        let (alice, bob, carol) = (
            people.next().unwrap(),
            people.next().unwrap(),
            people.next().unwrap(),
        );
        let text = "x".repeat(300_000);
        let large = alice.text(&text);
        let chunk = alice.msrp.send_chunk(&large, 0, 200_000, Flag::More);
        alice.msrp.expect_status(&chunk, 200).await;
        bob.say("small").await;
        carol.expect_text(BOB, "small").await;
        let chunk = alice
            .msrp
            .send_chunk(&large, 200_000, large.octets(), Flag::Last);
        alice.msrp.expect_status(&chunk, 200).await;
        carol.expect_text(ALICE, &text).await;
    }
}

// covers: UPS-7.2.3.3-10, FR-5.7.1-01, CLI-5.7.2-01, CLI-5.7.2-02, CLI-5.7.2-03, CLI-5.7.5-01
#[tokio::test]
async fn message_that_asks_for_a_final_report_gets_one_leg_for_each_recipient() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        let (from, to) = (format!("<{ALICE}>"), format!("<{FRIENDS}>"));
        let headers = [
            ("From", from.as_str()),
            ("To", &to),
            ("NS", "FR <urn:oma:xml:poc:final-report>"),
            ("FR.Final-Report", "yes"),
        ];
        let draft = Draft::wrapped_with(&headers, "text/plain", b"did you get it?");
        let draft = draft.success_report("yes").failure_report("yes");
        let sent = alice.msrp.send_ok(&draft).await;
        for recipient in [&bob, &carol] {
            let message = recipient.msrp.expect_message().await;
            let octets = message.body.len();
            recipient
                .msrp
                .report(&message, &format!("1-{octets}/{octets}"), "000 200 OK");
        }
        let report = alice.msrp.expect_report_of(&sent.message_id, 200).await;
        let document = String::from_utf8(report.body.unwrap()).unwrap();
        for person in [BOB, CAROL] {
            let leg = format!("uri=\"{person}\" status=\"200\"");
            assert!(document.contains(&leg), "{document}");
        }
        assert!(document.contains("last=\"true\"") && !document.contains(ALICE));
    }
}
