//! msrpctl as an operator uses it, beside a daemon that runs.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use tempfile::TempDir;

const MSRPD: &str = env!("CARGO_BIN_EXE_msrpd");
const MSRPCTL: &str = env!("CARGO_BIN_EXE_msrpctl");

/// A daemon of its own directory, with an admin socket and one token for reading.
struct Node {
    child: Child,
    log: BufReader<ChildStderr>,
    directory: TempDir,
    admin: String,
}

impl Node {
    fn start() -> Self {
        let directory = TempDir::new().unwrap();
        // The SHA-256 of `secret`.
        let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let tokens = format!("reader read {hash}\n");
        std::fs::write(directory.path().join("tokens"), tokens).unwrap();
        std::fs::write(directory.path().join("token"), "secret\n").unwrap();
        std::fs::write(directory.path().join("msrpd.toml"), CONFIG).unwrap();
        let mut child = Command::new(MSRPD)
            .args(["serve", "--config"])
            .arg(directory.path().join("msrpd.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut admin = String::new();
        loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it did not start");
            if line.contains("\"kind\":\"admin\"") {
                let (_, rest) = line.split_once("\"address\":\"").unwrap();
                admin = rest.split('"').next().unwrap().to_owned();
            }
            if line.contains("\"message\":\"ready\"") {
                break;
            }
        }
        Self {
            child,
            log,
            directory,
            admin,
        }
    }

    fn path(&self, name: &str) -> String {
        self.directory
            .path()
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// By the socket, which may do everything.
    fn ctl(&self, arguments: &[&str]) -> Output {
        let socket = self.path("admin.sock");
        ctl(&[&["--socket", &socket], arguments].concat())
    }

    /// What a command prints that has to succeed.
    fn shown(&self, arguments: &[&str]) -> String {
        let output = self.ctl(arguments);
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {out}{error}");
        out
    }

    fn make_room(&self, room: &str) {
        let mut stream =
            std::os::unix::net::UnixStream::connect(self.directory.path().join("admin.sock"))
                .unwrap();
        let request = format!(
            "PUT /v1/rooms/{room} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        assert!(answer.contains(" 201 "), "{answer}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ctl(arguments: &[&str]) -> Output {
    Command::new(MSRPCTL)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

const CONFIG: &str = "[[msrp.listener]]\nname = \"one\"\nbind = \"127.0.0.1:0\"\n\
                      [sip]\nbind = [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"]\n\
                      [io]\nshards = 1\n\
                      [admin]\nbind = \"127.0.0.1:0\"\ntokens = \"tokens\"\nsocket = \"admin.sock\"\n";

#[test]
fn rooms_are_listed_spoken_to_and_closed() {
    let node = Node::start();
    assert_eq!(node.shown(&["rooms"]), "ROOM  PARTICIPANTS\n");
    node.make_room("lunch");
    node.make_room("dinner");
    let rooms = node.shown(&["rooms"]);
    assert_eq!(rooms, "ROOM    PARTICIPANTS\ndinner  0\nlunch   0\n");
    let room = node.shown(&["room", "lunch"]);
    assert!(
        room.contains("addresses         sip:lunch@localhost\n"),
        "{room}"
    );
    let json = node.shown(&["rooms", "--json"]);
    assert!(
        json.contains(r#"{"participants_count":0,"room":"dinner"}"#),
        "{json}"
    );
    let participants = node.shown(&["participants", "lunch"]);
    assert_eq!(
        participants,
        "PARTICIPANT  ADDRESS  NICKNAME  SESSION  REMARKS\n"
    );
    assert_eq!(
        node.shown(&["message", "lunch", "hi"]),
        "lunch takes the message\n"
    );
    assert_eq!(node.shown(&["close-room", "lunch"]), "lunch was closed\n");
    assert_eq!(node.shown(&["rooms"]), "ROOM    PARTICIPANTS\ndinner  0\n");
}

#[test]
fn room_or_participant_that_is_not_there_is_status_5() {
    let node = Node::start();
    node.make_room("lunch");
    for (arguments, help) in [
        (&["room", "nowhere"][..], "msrpctl rooms shows"),
        (&["close-room", "nowhere"], "msrpctl rooms shows"),
        (
            &["kick", "lunch", "nobody"],
            "msrpctl participants ROOM shows",
        ),
    ] {
        let output = node.ctl(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{arguments:?}: {error}");
        assert!(error.contains(help), "{error}");
    }
    let output = node.ctl(&["--json", "room", "nowhere"]);
    let error = text(&output.stderr);
    assert!(
        error.starts_with(r#"{"error":{"code":"no_such_room""#),
        "{error}"
    );
    assert_eq!(node.ctl(&["room", "a b"]).status.code(), Some(2));
}

#[test]
fn token_is_asked_for_and_its_scope_is_kept() {
    let node = Node::start();
    let admin = ["--admin", &node.admin];
    let output = ctl(&[&admin[..], &["rooms"]].concat());
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{error}");
    assert!(error.contains("--token-file FILE"), "{error}");
    let token = node.path("token");
    let with_token = [&admin[..], &["--token-file", &token]].concat();
    let output = ctl(&[&with_token[..], &["rooms"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = ctl(&[&with_token[..], &["drain"]].concat());
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4));
    assert!(error.contains("lacks the scope control"), "{error}");
    let output = ctl(&[&with_token[..], &["trace", "lunch"]].concat());
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("lacks the scope trace"));
    let gone = [&admin[..], &["--token-file", "/nowhere", "rooms"]].concat();
    let output = ctl(&gone);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("the token file /nowhere cannot be read"));
}

#[test]
fn drain_counts_what_is_left_and_is_undone() {
    let node = Node::start();
    assert_eq!(
        node.shown(&["drain", "--wait"]),
        "draining           yes\nrooms left         0\nparticipants left  0\n"
    );
    let status = node.ctl(&["status"]);
    assert_eq!(status.status.code(), Some(1));
    assert!(text(&status.stdout).starts_with("state         draining\n"));
    assert_eq!(node.shown(&["undrain"]), "msrpd takes new rooms again\n");
    assert!(node.shown(&["status"]).starts_with("state         ready\n"));
    let json = node.shown(&["status", "--json"]);
    assert!(json.contains(r#""state":"ready""#), "{json}");
}

#[test]
fn reload_of_a_wrong_file_is_refused_with_the_place() {
    let mut node = Node::start();
    assert_eq!(
        node.shown(&["reload"]),
        "msrpd has read its groups and certificates anew\n"
    );
    let file = node.path("msrpd.toml");
    std::fs::write(&file, format!("{CONFIG}[limits]\nstall_s = \"soon\"\n")).unwrap();
    let output = node.ctl(&["reload"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("limits.stall_s: expected a whole number"),
        "{error}"
    );
    std::fs::write(&file, format!("{CONFIG}[limits]\nstall_s = 31\n")).unwrap();
    assert!(node.shown(&["reload"]).contains("restart msrpd"));
    // The signal does the same, and the log tells.
    std::fs::write(&file, "domian = \"x\"\n").unwrap();
    let pid = node.child.id().to_string();
    let sent = Command::new("kill").args(["-HUP", &pid]).status();
    assert!(sent.unwrap().success());
    let refused = "the reload was refused; nothing has changed";
    let mut line = String::new();
    // The request before was refused as well.
    for _ in 0..2 {
        loop {
            line.clear();
            assert!(node.log.read_line(&mut line).unwrap() > 0, "it ended");
            if line.contains(refused) {
                break;
            }
        }
    }
    assert!(line.contains("domian"), "{line}");
}

#[test]
fn top_prints_one_screen_of_80_by_24() {
    let node = Node::start();
    node.make_room("lunch");
    let shown = node.shown(&["top", "--once"]);
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines.len() <= 24, "{shown}");
    assert!(
        lines[0].starts_with("msrpd ") && lines[0].contains("   READY   "),
        "{shown}"
    );
    assert!(
        lines.iter().any(|line| line.starts_with("lunch ")),
        "{shown}"
    );
    let json = node.shown(&["top", "--once", "--json"]);
    assert!(
        json.contains(r#""requests received":{"per_second":0,"sum":0}"#),
        "{json}"
    );
}

#[test]
fn events_are_shown_as_they_happen() {
    let node = Node::start();
    node.make_room("early");
    let socket = node.path("admin.sock");
    let mut child = Command::new(MSRPCTL)
        .args(["--socket", &socket, "events", "--cursor", "state"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = shown.next().unwrap().unwrap();
    assert_eq!(
        first,
        "--:--:--  runs                  early  0 participants"
    );
    node.make_room("late");
    let next = shown.next().unwrap().unwrap();
    assert!(next.ends_with("  room_started          late"), "{next}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn service_manager_hears_of_each_turn_in_the_life_of_the_daemon() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("manager");
    let manager = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    let config = directory.path().join("msrpd.toml");
    let admin = CONFIG.split("tokens").next().unwrap();
    std::fs::write(&config, admin).unwrap();
    let mut daemon = Command::new(MSRPD)
        .args(["serve", "--config"])
        .arg(&config)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "100000")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let hear = |expected: &str| loop {
        let mut octets = [0; 256];
        let count = manager.recv(&mut octets).unwrap();
        let heard = text(&octets[..count]);
        if heard.starts_with(expected) {
            return;
        }
        assert_eq!(heard, "WATCHDOG=1", "before {expected}");
    };
    let pid = daemon.id().to_string();
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.unwrap().success());
    };
    hear("READY=1");
    hear("WATCHDOG=1");
    hear("WATCHDOG=1");
    signal("-HUP");
    hear("RELOADING=1");
    hear("READY=1");
    signal("-TERM");
    hear("STOPPING=1");
    assert!(daemon.wait().unwrap().success());
}

#[test]
fn completions_of_each_shell_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = ctl(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        let script = text(&output.stdout);
        assert!(script.contains("close-room"), "{shell}");
    }
}
