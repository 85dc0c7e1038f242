//! The generator against the real daemon.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::net::SocketAddr;
use std::process::Command;

use msrp_testkit::{Config, Daemon, Dialog, Invite, Login, Media, SipPeer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ROOM: &str = "sip:load@localhost";

/// A group that everybody may join.
const GROUP: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<group xmlns="urn:oma:xml:poc:list-service" xmlns:cp="urn:ietf:params:xml:ns:common-policy"
       xmlns:oxe="urn:oma:xml:xdm:extensions">
<list-service uri="sip:load@localhost"><list/>
<cp:ruleset><cp:rule id="all"><cp:conditions/><cp:actions><join-handling>true</join-handling>
<allow-initiate-conference>true</allow-initiate-conference>
<oxe:allow-private-message>true</oxe:allow-private-message></cp:actions></cp:rule></cp:ruleset>
</list-service></group>"#;

async fn daemon() -> Daemon {
    let config = Config::new().set("limits", "stall_s", 1);
    Daemon::start(config.group("load", GROUP)).await
}

/// Runs the generator to its end: whether its status was 0, and its summary.
async fn load(daemon: &Daemon, arguments: &[&str]) -> (bool, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_msrpload"));
    command.arg("--json");
    let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    let is_listed = arguments.iter().any(|a| a.starts_with("--sessions"));
    if !is_listed {
        command.args(["--room", ROOM]);
    }
    let is_tcp = arguments.iter().any(|a| a == "--transport=tcp");
    let server = if is_tcp {
        daemon.sip_tcp()
    } else {
        daemon.sip_udp()
    };
    command.arg("--server").arg(server.to_string());
    command.arg("--pid").arg(daemon.pid().to_string());
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout);
    (
        output.status.success(),
        summary.unwrap_or_else(|e| panic!("{e}\n{error}\n{}", daemon.transcript())),
    )
}

fn number(summary: &Value, path: &str) -> u64 {
    let value = summary.pointer(path).and_then(Value::as_u64);
    value.unwrap_or_else(|| panic!("no number {path} in {summary:#}"))
}

#[tokio::test]
async fn texts_over_tls_and_websocket_arrive_once_at_everybody_else() {
    let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = "cert = \"cert.pem\"\nkey = \"key.pem\"\n";
    let listener = |transport: &str, rest: &str| {
        format!(
            "name = \"{transport}\"\nbind = \"127.0.0.1:0\"\ntransport = \"{transport}\"\n{rest}"
        )
    };
    let listeners = [
        listener("tcp", ""),
        listener("tls", certificate),
        listener("ws", ""),
        listener("wss", certificate),
    ];
    let config = Config::new()
        .group("load", GROUP)
        .listeners(&listeners.each_ref().map(String::as_str))
        .file("cert.pem", &key.cert.pem())
        .file("key.pem", &key.signing_key.serialize_pem());
    let daemon = Daemon::start(config).await;
    for transport in ["tls", "ws", "wss"] {
        let transport_argument = format!("--msrp-transport={transport}");
        let arguments = [
            transport_argument.as_str(),
            "--participants=4",
            "--warmup=0.2",
            "--duration=0.5",
            "--rate=50",
            "--size=3000",
        ];
        let (ok, summary) = load(&daemon, &arguments).await;
        assert!(ok, "{summary:#}");
        let sent = number(&summary, "/account/messages/sent");
        assert!(sent > 30, "{summary:#}");
        assert_eq!(number(&summary, "/account/copies/received"), 3 * sent);
        let counted = format!("msrp_handshakes_total{{transport=\"{transport}\"}}");
        daemon.wait_metric(&counted, |count| count == 4.0).await;
    }
}

#[tokio::test]
async fn texts_of_an_open_loop_arrive_once_at_everybody_else() {
    let daemon = daemon().await;
    let arguments = [
        "--participants=5",
        "--warmup=0.2",
        "--duration=1",
        "--rate=100",
    ];
    let (ok, summary) = load(&daemon, &arguments).await;
    assert!(ok, "{summary:#}");
    let sent = number(&summary, "/account/messages/sent");
    assert!(sent > 100, "{summary:#}");
    assert_eq!(number(&summary, "/account/messages/accepted"), sent);
    assert_eq!(number(&summary, "/account/copies/received"), 4 * sent);
    for wrong in ["missing", "duplicate", "reordered", "misdelivered"] {
        assert_eq!(number(&summary, &format!("/account/copies/{wrong}")), 0);
    }
    let measured = number(&summary, "/stages/0/end_to_end/count");
    assert!(measured > 0 && measured < 4 * sent, "{summary:#}");
    assert!(number(&summary, "/stages/0/server/rss_octets") > 0);
}

#[tokio::test]
async fn sessions_that_share_connections_get_each_copy_of_their_own() {
    let daemon = daemon().await;
    let arguments = [
        "--participants=10",
        "--per-connection=4",
        "--slow=1",
        "--slow-rate=100000000",
        "--mix=carrier",
        "--window=2",
        "--warmup=0",
        "--duration=0.5",
    ];
    let (ok, summary) = load(&daemon, &arguments).await;
    assert!(ok, "{summary:#}");
    // Copies of the slow reader are in the account, and counted apart beside that.
    assert_eq!(number(&summary, "/account/slow/readers"), 1);
    assert!(number(&summary, "/account/slow/received") > 0);
    assert!(number(&summary, "/stages/0/end_to_end_apart/count") > 0);
    // Nine that share, by four, and one slow reader alone.
    assert_eq!(number(&summary, "/account/connections"), 4, "{summary:#}");
    let units = number(&summary, "/account/requests_sent") / (3 + 2 * 9);
    assert!(units > 0);
    assert_eq!(number(&summary, "/account/copies/received"), units * 5 * 9);
}

#[tokio::test]
async fn carrier_mix_makes_the_requests_that_it_says() {
    let daemon = daemon().await;
    let arguments = [
        "--participants=5",
        "--mix=carrier",
        "--window=2",
        "--warmup=0",
        "--duration=0.5",
        "--threads=2",
        "--transport=tcp",
    ];
    let (ok, summary) = load(&daemon, &arguments).await;
    assert!(ok, "{summary:#}");
    let requests =
        number(&summary, "/account/requests_sent") + number(&summary, "/account/requests_received");
    let units = requests / (3 + 7 * 4);
    assert!(units > 0);
    assert_eq!(requests, units * (3 + 7 * 4), "{summary:#}");
    assert_eq!(number(&summary, "/account/copies/received"), units * 5 * 4);
}

#[tokio::test]
async fn files_in_chunks_pass_a_stalled_reader_and_its_peers_get_all() {
    let daemon = daemon().await;
    let arguments = [
        "--participants=5",
        "--stalled=1",
        "--senders=1",
        "--mix=file",
        "--size=200000",
        "--chunk=10000",
        "--rate=40",
        "--warmup=0",
        "--duration=3",
    ];
    let (ok, summary) = load(&daemon, &arguments).await;
    assert!(ok, "{summary:#}");
    let sent = number(&summary, "/account/messages/sent");
    assert!(sent > 0);
    assert_eq!(number(&summary, "/account/copies/expected"), 3 * sent);
    assert_eq!(number(&summary, "/account/copies/received"), 3 * sent);
    assert_eq!(number(&summary, "/account/copies/corrupted/body"), 0);
    assert_eq!(number(&summary, "/account/shed_readers"), 1, "{summary:#}");
    assert_eq!(number(&summary, "/account/stalled/shed"), 1, "{summary:#}");
    assert!(
        number(&summary, "/account/stalled/received") < sent,
        "{summary:#}"
    );
}

#[tokio::test]
async fn reports_of_success_come_when_they_are_asked_for() {
    let daemon = daemon().await;
    let arguments = [
        "--participants=3",
        "--success-report",
        "--window=1",
        "--warmup=0",
        "--duration=0.3",
    ];
    let (ok, summary) = load(&daemon, &arguments).await;
    assert!(ok, "{summary:#}");
    let sent = number(&summary, "/account/messages/sent");
    assert_eq!(number(&summary, "/account/reports/200"), sent);
}

#[tokio::test]
async fn room_that_does_not_exist_fails_with_status_one_and_no_summary() {
    let daemon = daemon().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_msrpload"));
    command.args(["--room", "sip:nobody@localhost", "--participants=2"]);
    command.arg("--server").arg(daemon.sip_udp().to_string());
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("could not join"), "{error}");
}

/// Dials in with SIP alone; the sessions are not bound.
async fn dial(daemon: &Daemon, peer: &SipPeer, count: usize) -> Vec<(String, String, Dialog)> {
    peer.set_next_hop(daemon.sip_udp());
    let mut dialogs = Vec::new();
    for number in 0..count {
        let identity = format!("sip:listed{number}@localhost");
        let local = format!("msrp://127.0.0.1:9/listed{number};tcp");
        let media = Media::new(local.as_str()).setup("active");
        let dialog = peer.call(&Invite::new(ROOM, &identity).media(&media)).await;
        dialogs.push((identity, local, dialog));
    }
    dialogs
}

/// Writes the session list; `through` is where to connect to instead of the switch.
fn list(
    daemon: &Daemon,
    dialogs: &[(String, String, Dialog)],
    through: Option<SocketAddr>,
) -> String {
    let entries = dialogs.iter().map(|(identity, local, dialog)| {
        let remote = dialog.remote_media();
        json!({
            "room": ROOM, "identity": identity, "local_uri": local,
            "remote_path": remote.path.join(" "),
            "connect": through.unwrap_or(remote.address()).to_string(),
        })
    });
    let text = Value::Array(entries.collect()).to_string();
    let file = daemon.write_file("sessions.json", &text);
    format!("--sessions={}", file.display())
}

#[tokio::test]
async fn sessions_of_a_list_are_driven_without_sip() {
    let daemon = daemon().await;
    let peer = SipPeer::bind_udp().await;
    let dialogs = dial(&daemon, &peer, 3).await;
    let sessions = list(&daemon, &dialogs, None);
    let arguments = [
        sessions.as_str(),
        "--window=4",
        "--warmup=0",
        "--duration=0.3",
    ];
    let (ok, summary) = load(&daemon, &arguments).await;
    assert!(ok, "{summary:#}");
    let sent = number(&summary, "/account/messages/sent");
    assert_eq!(number(&summary, "/account/copies/received"), 2 * sent);
}

/// Passes connections on to the switch, and changes one octet of one message on the way back.
async fn damaging_proxy(switch: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut is_damaged = false;
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(switch).await.unwrap();
            let (mut near_read, mut near_write) = near.into_split();
            let (mut far_read, mut far_write) = far.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut near_read, &mut far_write).await });
            let mut may_damage = !std::mem::replace(&mut is_damaged, true);
            tokio::spawn(async move {
                let mut octets = vec![0; 65_536];
                loop {
                    let count = far_read.read(&mut octets).await.unwrap_or(0);
                    let read = &mut octets[..count];
                    let stamp = read.windows(9).position(|w| w == b"msrpload:");
                    if let Some(at) = stamp.filter(|at| may_damage && at + 150 < count) {
                        read[at + 140] ^= 1;
                        may_damage = false;
                    }
                    if count == 0 || near_write.write_all(read).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn one_octet_changed_on_the_way_fails_the_run() {
    let daemon = daemon().await;
    let peer = SipPeer::bind_udp().await;
    let dialogs = dial(&daemon, &peer, 3).await;
    let proxy = damaging_proxy(daemon.msrp_addr()).await;
    let sessions = list(&daemon, &dialogs, Some(proxy));
    let arguments = [
        sessions.as_str(),
        "--rate=100",
        "--warmup=0",
        "--duration=0.5",
    ];
    let (ok, summary) = load(&daemon, &arguments).await;
    assert!(!ok, "{summary:#}");
    assert_eq!(
        summary["faults"],
        json!(["1 copies corrupted"]),
        "{summary:#}"
    );
    assert_eq!(number(&summary, "/account/copies/corrupted/body"), 1);
    assert_eq!(number(&summary, "/account/copies/missing"), 0);
}

// covers: MSRP-4976-3.1-01, MSRP-4976-5.1-01, MSRP-4976-5.1-02, MSRP-4976-5.1-05, MSRP-4976-5.2-01
#[tokio::test]
async fn pairs_authenticate_at_the_relay_of_the_daemon_and_every_message_arrives() {
    let login = |algorithm| Login {
        user: "alice",
        password: "open sesame",
        algorithm,
    };
    let lines = [login("SHA-256"), login("MD5")].map(|login| login.line("localhost"));
    let listener = "name = \"relay\"\nbind = \"127.0.0.1:0\"\nadvertise = \"localhost:0\"\n";
    let config = Config::new()
        .listeners(&[listener])
        .file("users", &lines.concat())
        .set("relay", "users", "users")
        .set("relay", "allow_plain_auth", true);
    let daemon = Daemon::start(config).await;
    let users = daemon.write_file("passwords", "alice:open sesame\n");
    let relay = format!("msrp://localhost:{};tcp", daemon.msrp_addr().port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_msrpload"));
    command
        .args(["--json", "--relay", &relay, "--relay-users"])
        .arg(users);
    command.args([
        "--relay-pairs=3",
        "--window=4",
        "--warmup=0.2",
        "--duration=1",
    ]);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{summary:#}");
    assert!(number(&summary, "/account/copies/received") > 0);
    assert_eq!(number(&summary, "/account/copies/missing"), 0);
    // Each session has a URI of its own, and uses the connection on which it got it.
    assert_eq!(daemon.metric("msrp_relay_uris_given_total").await, 6.0);
    assert_eq!(daemon.metric("msrp_connections_accepted_total").await, 6.0);
}
