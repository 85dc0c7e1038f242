//! The two programs as an operator starts them: command lines, logs, signals, statuses.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use tempfile::NamedTempFile;

const MSRPD: &str = env!("CARGO_BIN_EXE_msrpd");
const MSRPCTL: &str = env!("CARGO_BIN_EXE_msrpctl");

/// A configuration file that goes with the test.
fn written(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// A running program that ends with the test at the latest.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn terminate(&self) {
        let status = Command::new("kill")
            .arg(self.0.id().to_string())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lines up to and with the first that contains the text.
fn lines_until(reader: &mut impl BufRead, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let octets = reader.read_line(&mut line).unwrap();
        assert!(octets > 0, "{text} never came, but {lines:#?}");
        let is_last = line.contains(text);
        lines.push(line.trim_end().to_owned());
        if is_last {
            return lines;
        }
    }
}

/// A daemon that is ready, its log up to then, and the rest of it.
fn serve(file: &NamedTempFile) -> (Running, Vec<String>, BufReader<ChildStderr>) {
    let mut daemon = Running::start(
        Command::new(MSRPD)
            .args(["serve", "--config"])
            .arg(file.path()),
    );
    let mut log = BufReader::new(daemon.0.stderr.take().unwrap());
    let lines = lines_until(&mut log, "\"message\":\"ready\"");
    (daemon, lines, log)
}

/// The value of a string field of a JSON line.
fn field(line: &str, name: &str) -> String {
    let start = format!("\"{name}\":\"");
    let at = line
        .find(&start)
        .unwrap_or_else(|| panic!("no {name} in {line}"))
        + start.len();
    line[at..].split('"').next().unwrap().to_owned()
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

const FREE_PORTS: &str = "[[msrp.listener]]\nname = \"one\"\nbind = \"127.0.0.1:0\"\n\
                          [sip]\nbind = [\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"]\n\
                          [io]\nshards = 2\n";

#[test]
fn check_good_file_is_ok() {
    let file = written("domain = \"im.example\"\n");
    let output = run(MSRPD, &["check", "--config", file.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stdout),
        format!("{}: ok\n", file.path().display())
    );
}

#[test]
fn check_bad_file_names_the_place() {
    let file = written("[limits]\nstall_s = \"soon\"\n");
    for arguments in [["check", "--config"], ["serve", "--config"]] {
        let path = file.path().to_str().unwrap();
        let output = run(MSRPD, &[arguments[0], arguments[1], path]);
        assert_eq!(output.status.code(), Some(1));
        let expected = format!(
            "{path}:2:11: limits.stall_s: expected a whole number from 1 to 31536000, found \"soon\"\n"
        );
        assert_eq!(text(&output.stderr), expected);
    }
}

#[test]
fn wrong_use_is_status_2() {
    for arguments in [
        &["check"][..],
        &["serve", "--port", "1"],
        &["--log", "a=b=c", "serve"],
    ] {
        assert_eq!(
            run(MSRPD, arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
    assert_eq!(run(MSRPCTL, &["chat"]).status.code(), Some(2));
}

#[test]
fn version_is_printed() {
    for (program, name) in [(MSRPD, "msrpd"), (MSRPCTL, "msrpctl")] {
        let output = run(program, &["--version"]);
        assert_eq!(
            text(&output.stdout),
            format!("{name} {}\n", env!("CARGO_PKG_VERSION"))
        );
    }
}

#[test]
fn status_without_a_server_says_where_it_asked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let output = run(MSRPCTL, &["status", "--admin", &address.to_string()]);
    assert_eq!(output.status.code(), Some(3));
    let error = text(&output.stderr);
    assert!(
        error.starts_with(&format!("msrpd does not answer at {address}: ")),
        "{error}"
    );
}

#[test]
fn serve_announces_its_listeners_and_ends_at_a_signal() {
    let file = written(&format!("{FREE_PORTS}[admin]\nbind = \"127.0.0.1:0\"\n"));
    let mut daemon = Running::start(
        Command::new(MSRPD)
            .args(["serve", "--config"])
            .arg(file.path()),
    );
    let mut log = BufReader::new(daemon.0.stderr.take().unwrap());
    let lines = lines_until(&mut log, "\"message\":\"ready\"");
    let listening: Vec<_> = lines
        .iter()
        .filter(|l| l.contains("\"message\":\"listening\""))
        .collect();
    let kinds: Vec<_> = listening
        .iter()
        .map(|l| (field(l, "kind"), field(l, "name"), field(l, "transport")))
        .collect();
    let kind = |kind: &str, name: &str, transport: &str| {
        (kind.to_owned(), name.to_owned(), transport.to_owned())
    };
    let expected = [
        kind("msrp", "one", "tcp"),
        kind("sip", "sip", "udp"),
        kind("sip", "sip", "tcp"),
        kind("admin", "admin", "tcp"),
    ];
    assert_eq!(kinds, expected);
    for line in &listening {
        assert_ne!(
            field(line, "address")
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .port(),
            0
        );
        assert!(line.starts_with("{\"timestamp\":\"20"), "{line}");
        assert_eq!(field(line, "level"), "INFO");
    }
    let path = lines
        .iter()
        .find(|l| l.contains("\"message\":\"data path\""))
        .unwrap();
    assert!(["io_uring", "epoll"].contains(&field(path, "backend").as_str()));
    assert!(!field(path, "reason").is_empty());
    let admin = field(listening[3], "address");
    let status = run(MSRPCTL, &["status", "--admin", &admin]);
    assert_eq!(status.status.code(), Some(0), "{}", text(&status.stderr));
    let shown = text(&status.stdout);
    assert!(
        shown.starts_with("state         ready\nshards        2\n"),
        "{shown}"
    );
    daemon.terminate();
    lines_until(&mut log, "\"message\":\"stopped\"");
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
}

#[test]
fn serve_address_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let file = written(&format!("{FREE_PORTS}[admin]\nbind = \"{address}\"\n"));
    let output = run(MSRPD, &["serve", "--config", file.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let log = text(&output.stderr);
    let expected = format!("the admin address {address} could not be bound");
    assert!(
        log.contains("\"message\":\"not started\"") && log.contains(&expected),
        "{log}"
    );
}

#[test]
fn serve_msrp_address_of_another_msrpd_is_named() {
    let file = written(&format!("{FREE_PORTS}[admin]\nbind = \"127.0.0.1:0\"\n"));
    let (_daemon, lines, _) = serve(&file);
    let is_msrp = |l: &&String| l.contains("\"kind\":\"msrp\"");
    let address = field(lines.iter().find(is_msrp).unwrap(), "address");
    let second = FREE_PORTS.replace("127.0.0.1:0\"\n[sip]", &format!("{address}\"\n[sip]"));
    let file = written(&format!("{second}[admin]\nbind = \"127.0.0.1:0\"\n"));
    let output = run(MSRPD, &["serve", "--config", file.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let log = text(&output.stderr);
    assert!(
        log.contains(&format!("the MSRP address {address} could not be bound")),
        "{log}"
    );
}

#[test]
fn demo_address_that_is_taken_is_named_with_the_flag_that_helps() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--sip", "--msrp", "--admin"] {
        let mut arguments = vec!["demo"];
        for other in ["--sip", "--msrp", "--admin"] {
            arguments.extend([
                other,
                if other == flag {
                    &address
                } else {
                    "127.0.0.1:0"
                },
            ]);
        }
        let output = run(MSRPD, &arguments);
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        let help =
            format!("Choose another address than {address} with: msrpd demo {flag} 127.0.0.1:PORT");
        assert!(error.contains(&help), "{error}");
    }
}

#[test]
fn demo_room_is_joined_by_bots_and_by_a_person() {
    let ports = [
        "demo",
        "--sip",
        "127.0.0.1:0",
        "--msrp",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ];
    let mut demo = Running::start(Command::new(MSRPD).args(ports));
    let mut shown = BufReader::new(demo.0.stdout.take().unwrap());
    let welcome = lines_until(&mut shown, "msrpctl chat");
    let command = welcome
        .last()
        .unwrap()
        .trim_start()
        .strip_prefix("msrpctl ")
        .unwrap();
    let mut alice = Command::new(MSRPCTL)
        .args(command.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Running)
        .unwrap();
    let mut keyboard = alice.0.stdin.take().unwrap();
    let mut screen = BufReader::new(alice.0.stdout.take().unwrap());
    lines_until(&mut screen, "joined sip:demo@localhost");
    lines_until(&mut screen, "Hello Ada! And the switch hands");
    keyboard.write_all(b"good morning\n").unwrap();
    lines_until(&mut screen, "grace: Hello alice!");
    keyboard.write_all(b"one\ntwo\n").unwrap();
    drop(keyboard);
    lines_until(&mut screen, "left");
    assert_eq!(alice.0.wait().unwrap().code(), Some(0));
    let seen = lines_until(&mut shown, "alice: two");
    for line in ["alice: good morning", "alice: one"] {
        assert!(seen.iter().any(|l| l == line), "{line} in {seen:#?}");
    }
    demo.terminate();
    lines_until(&mut shown, "The demo has ended.");
    assert_eq!(demo.0.wait().unwrap().code(), Some(0));
}

#[test]
fn chat_room_that_does_not_exist_is_refused_in_a_sentence_and_counted() {
    let file = written(&format!("{FREE_PORTS}[admin]\nbind = \"127.0.0.1:0\"\n"));
    let mut daemon = Running::start(
        Command::new(MSRPD)
            .args(["serve", "--config"])
            .arg(file.path()),
    );
    let mut log = BufReader::new(daemon.0.stderr.take().unwrap());
    let lines = lines_until(&mut log, "\"message\":\"ready\"");
    for transport in ["udp", "tcp"] {
        let is_ours =
            |l: &&String| l.contains("\"kind\":\"sip\"") && field(l, "transport") == transport;
        let server = field(lines.iter().find(is_ours).unwrap(), "address");
        let chat = [
            "chat",
            "sip:nowhere@localhost",
            "--as",
            "sip:alice@localhost",
        ];
        let output = run(
            MSRPCTL,
            &[&chat[..], &["--server", &server, "--transport", transport]].concat(),
        );
        assert_eq!(output.status.code(), Some(1));
        let error = text(&output.stderr);
        assert!(
            error.starts_with("the room was not joined: 404 "),
            "{error}"
        );
    }
    let is_admin = |l: &&String| l.contains("\"kind\":\"admin\"");
    let admin = field(lines.iter().find(is_admin).unwrap(), "address");
    assert_eq!(shown_metrics(&admin), documented_metrics());
}

/// The metrics that the admin server shows.
fn shown_metrics(admin: &str) -> BTreeSet<String> {
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let types = answer.lines().filter_map(|l| l.strip_prefix("# TYPE "));
    types
        .map(|l| l.split(' ').next().unwrap().to_owned())
        .collect()
}

/// The metrics that docs/metrics.md names, but for those of certificates, of which there are none.
fn documented_metrics() -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let document = std::fs::read_to_string(file).unwrap();
    let rows = document.lines().filter_map(|l| l.strip_prefix("| `"));
    rows.map(|l| l.split('`').next().unwrap().to_owned())
        .filter(|name| !name.starts_with("msrpd_certificate_"))
        .collect()
}
