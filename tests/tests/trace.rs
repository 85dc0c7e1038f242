//! msrpctl trace beside the real daemon, and what Wireshark makes of its file.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::process::{Command, Stdio};

use msrp_testkit::http;
use msrp_testkit::{Config, Daemon, Draft, Media, MsrpEndpoint, MsrpPeer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

const ROOM: &str = "sip:lunch@localhost";
const ALICE: &str = "sip:alice@example.com";
const BOB: &str = "sip:bob@example.com";

async fn join(daemon: &Daemon, id: &str, uri: &str) -> MsrpPeer {
    let endpoint = MsrpEndpoint::bind().await;
    let offer = endpoint.media().to_string();
    let new = json!({ "participant": id, "uri": uri, "offer": { "sdp": offer } });
    let headers = [("Content-Type", "application/json")];
    let path = "/v1/rooms/lunch/participants";
    let text = new.to_string();
    let added = http::send(daemon.admin_addr(), "POST", path, &headers, Some(&text)).await;
    assert_eq!(added.status, 201, "{}", added.body);
    let added: Value = serde_json::from_str(&added.body).unwrap();
    let answer = Media::parse(added["answer"]["sdp"].as_str().unwrap());
    let peer = endpoint.connect(&answer).await;
    peer.bind().await;
    peer
}

/// The method or the status of each MSRP frame that tshark finds; `None` where it is not installed.
fn dissected(file: &str) -> Option<Vec<String>> {
    let fields = [
        "-T",
        "fields",
        "-e",
        "msrp.method",
        "-e",
        "msrp.status.code",
    ];
    let output = Command::new("tshark")
        .args(["-r", file, "-Y", "msrp && !_ws.malformed"])
        .args(fields)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(|line| line.trim().to_owned()).collect())
}

#[tokio::test]
async fn trace_file_is_dissected_frame_by_frame() {
    let daemon = Daemon::start(Config::new()).await;
    let made = http::send(daemon.admin_addr(), "PUT", "/v1/rooms/lunch", &[], None).await;
    assert_eq!(made.status, 201);
    let alice = join(&daemon, "alice", ALICE).await;
    let bob = join(&daemon, "bob", BOB).await;
    let file = std::env::temp_dir().join(format!("msrpd-trace-{}.pcapng", std::process::id()));
    let file = file.to_str().unwrap();
    let admin = daemon.admin_addr().to_string();
    let mut trace = tokio::process::Command::new(msrp_testkit::daemon::program("msrpctl"))
        .args([
            "--admin", &admin, "trace", "lunch", "--count", "5", "--pcap", file,
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(trace.stderr.take().unwrap()).lines();
    let began = said.next_line().await.unwrap().unwrap();
    assert_eq!(began, "tracing lunch; Ctrl-C ends");
    alice.send_ok(&Draft::text(ALICE, ROOM, "hello")).await;
    bob.expect_text(ALICE, "hello").await;
    let sent = alice.send(&Draft::text(BOB, ROOM, "a lie"));
    alice.expect_all(&sent, 403).await;
    let ended = said.next_line().await.unwrap().unwrap();
    assert_eq!(ended, format!("5 frames written to {file}"));
    assert!(trace.wait().await.unwrap().success());
    let octets = std::fs::read(file).unwrap();
    let clear = String::from_utf8_lossy(&octets);
    assert!(clear.contains("hello") && clear.contains("a lie"));
    match dissected(file) {
        // A false From is refused before the SEND that has it ends.
        Some(found) => assert_eq!(found, ["SEND", "200", "SEND", "403", "SEND"]),
        None => println!("not dissected: tshark is not installed (Debian: apt-get install tshark)"),
    }
    std::fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn collector_of_the_configuration_gets_header_sections_and_no_bodies() {
    let collector = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = collector.local_addr().unwrap().to_string();
    let config = Config::new().set("trace", "hep", to.as_str());
    let daemon = Daemon::start(config).await;
    let made = http::send(daemon.admin_addr(), "PUT", "/v1/rooms/lunch", &[], None).await;
    assert_eq!(made.status, 201);
    let alice = join(&daemon, "alice", ALICE).await;
    let bob = join(&daemon, "bob", BOB).await;
    alice.send_ok(&Draft::text(ALICE, ROOM, "private")).await;
    bob.expect_text(ALICE, "private").await;
    let mut buffer = vec![0; 65_536];
    // The copy for bob comes last.
    loop {
        let octets = collector.recv(&mut buffer).await.unwrap();
        let frame = String::from_utf8_lossy(&buffer[..octets]);
        assert!(
            frame.starts_with("HEP3") && !frame.contains("private"),
            "{frame}"
        );
        if frame.contains("Failure-Report: partial") {
            assert!(frame.contains("Content-Type: message/cpim"), "{frame}");
            return;
        }
    }
}
