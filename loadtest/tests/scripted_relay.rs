//! Pairs over a relay that does what a test says.
//!
//! The relay reads MSRP by itself, as text, and checks Digest with the password that it knows.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use digest_auth::{AuthContext, HttpMethod, WwwAuthenticateHeader};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// What a relay does.
#[derive(Debug, Clone, Copy)]
struct Script {
    /// SHA-256 instead of MD5.
    algorithm: &'static str,
    /// The first nonce is not good any more when it is used.
    is_first_nonce_stale: bool,
    /// Expires of a URI, and how long it really is valid.
    expires_s: u64,
    /// Each AUTH gets another URI; else the same one lives on.
    is_uri_new: bool,
}

const SCRIPT: Script = Script {
    algorithm: "MD5",
    is_first_nonce_stale: false,
    expires_s: 600,
    is_uri_new: false,
};
const PASSWORD: &str = "open sesame";

/// A relay on loopback. Its threads end with the test's process.
struct Relay {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By session-id: where it leads and until when.
    uris: HashMap<String, Granted>,
    /// By session-id of one leg: that of the other. There for pairs without AUTH.
    partners: HashMap<String, String>,
    /// AUTH requests with credentials that were right.
    authorized: usize,
    /// AUTH requests that were answered with 401, by the reason.
    challenged: Vec<&'static str>,
    /// To-Path of each SEND with a body, as it came from its client.
    to_paths: Vec<String>,
    /// What a client must not do.
    wrong: Vec<String>,
}

struct Granted {
    connection: TcpStream,
    client: String,
    until: Instant,
}

/// One request or response as text.
struct Frame {
    id: String,
    kind: String,
    octets: Vec<u8>,
}

impl Frame {
    /// Takes the first one from what was read.
    fn take(read: &mut Vec<u8>) -> Option<Self> {
        let line_end = read.windows(2).position(|w| w == b"\r\n")?;
        let line = String::from_utf8(read[..line_end].to_vec()).unwrap();
        let mut words = line.split(' ').skip(1);
        let (id, kind) = (words.next().unwrap(), words.next().unwrap());
        let end_line = format!("-------{id}");
        let at = read
            .windows(end_line.len())
            .position(|w| w == end_line.as_bytes())?;
        let end = at + end_line.len() + 3;
        if read.len() < end {
            return None;
        }
        let (id, kind) = (id.to_owned(), kind.to_owned());
        let octets = read.drain(..end).collect();
        Some(Self { id, kind, octets })
    }

    fn header(&self, name: &str) -> Option<String> {
        let end = self.octets.windows(4).position(|w| w == b"\r\n\r\n");
        let head =
            String::from_utf8_lossy(&self.octets[..end.unwrap_or(self.octets.len())]).into_owned();
        let start = format!("{name}: ");
        head.split("\r\n")
            .find_map(|line| Some(line.strip_prefix(&start)?.to_owned()))
    }

    /// The same with other paths.
    fn with_paths(&self, to: &str, from: &str) -> Vec<u8> {
        let from_path = self.header("From-Path").unwrap();
        let start = self
            .octets
            .windows(from_path.len())
            .position(|w| w == from_path.as_bytes());
        let rest = &self.octets[start.unwrap() + from_path.len()..];
        let (id, kind) = (&self.id, &self.kind);
        let head = format!("MSRP {id} {kind}\r\nTo-Path: {to}\r\nFrom-Path: {from}");
        [head.as_bytes(), rest].concat()
    }
}

impl Relay {
    fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for (number, connection) in listener.incoming().enumerate() {
                let (state, connection) = (Arc::clone(&shared), connection.unwrap());
                thread::spawn(move || serve(number, script, address, &connection, &state));
            }
        });
        Self { address, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn uri(&self, session: &str) -> String {
        format!("msrp://{}/{session};tcp", self.address)
    }
}

fn serve(
    number: usize,
    script: Script,
    address: SocketAddr,
    connection: &TcpStream,
    state: &Mutex<State>,
) {
    let (mut read, mut octets, mut nonce) = (Vec::new(), vec![0; 65_536], 0);
    let mut granted = 0;
    loop {
        let count = (&mut &*connection).read(&mut octets).unwrap_or(0);
        if count == 0 {
            return;
        }
        read.extend_from_slice(&octets[..count]);
        while let Some(frame) = Frame::take(&mut read) {
            let mut state = state.lock().unwrap();
            match frame.kind.as_str() {
                "AUTH" => {
                    let headers = match authorize(&frame, script, address, &mut nonce, &mut state) {
                        Ok(()) => {
                            granted += usize::from(granted == 0 || script.is_uri_new);
                            grant(
                                &format!("client{number}x{granted}"),
                                &frame,
                                script,
                                connection,
                                &mut state,
                            )
                        }
                        Err(challenge) => {
                            format!("401 Unauthorized\r\nWWW-Authenticate: {challenge}")
                        }
                    };
                    let headers = headers.replace("@", &address.to_string());
                    answer(connection, &frame, &headers);
                }
                "SEND" => relay(&frame, address, connection, &mut state),
                _ => {}
            }
        }
    }
}

/// Checks credentials; the error is a challenge.
fn authorize(
    frame: &Frame,
    script: Script,
    address: SocketAddr,
    nonce: &mut u32,
    state: &mut State,
) -> Result<(), String> {
    let uri = format!("msrp://{address};tcp");
    if frame.header("To-Path").as_deref() != Some(&uri) {
        state.wrong.push("AUTH is not for the relay".to_owned());
    }
    let challenge = |nonce: u32| {
        let algorithm = script.algorithm;
        format!(r#"Digest realm="relay", qop="auth", nonce="nonce{nonce}", algorithm={algorithm}"#)
    };
    let Some(credentials) = frame.header("Authorization") else {
        state.challenged.push("none");
        return Err(challenge(*nonce));
    };
    if script.is_first_nonce_stale && *nonce == 0 {
        *nonce = 1;
        state.challenged.push("stale");
        return Err(format!("{}, stale=true", challenge(*nonce)));
    }
    let of = |name: &str| {
        let start = format!("{name}=");
        let mut parts = credentials.trim_start_matches("Digest ").split(", ");
        let part = parts.find_map(|part| part.strip_prefix(&start));
        part.unwrap_or_default().trim_matches('"').to_owned()
    };
    let mut prompt = WwwAuthenticateHeader::parse(&challenge(*nonce)).unwrap();
    prompt.nc = u32::from_str_radix(&of("nc"), 16).unwrap() - 1;
    let method = HttpMethod::from("AUTH");
    let mut context = AuthContext::new_with_method("alice", PASSWORD, uri, None::<&[u8]>, method);
    context.set_custom_cnonce(of("cnonce"));
    let right = prompt.respond(&context).unwrap();
    if of("response") == right.response && of("qop") == "auth" {
        state.authorized += 1;
        return Ok(());
    }
    state.challenged.push("wrong");
    Err(challenge(*nonce))
}

fn grant(
    session: &str,
    frame: &Frame,
    script: Script,
    connection: &TcpStream,
    state: &mut State,
) -> String {
    let expires = script.expires_s;
    let granted = Granted {
        connection: connection.try_clone().unwrap(),
        client: frame.header("From-Path").unwrap(),
        until: Instant::now() + Duration::from_secs(expires),
    };
    state.uris.insert(session.to_owned(), granted);
    format!("200 OK\r\nUse-Path: msrp://@/{session};tcp\r\nExpires: {expires}")
}

fn answer(mut connection: &TcpStream, frame: &Frame, status_and_headers: &str) {
    let (status, headers) = status_and_headers
        .split_once("\r\n")
        .unwrap_or((status_and_headers, ""));
    let from = frame.header("From-Path").unwrap();
    let to = frame.header("To-Path").unwrap();
    let own = to.split(' ').next().unwrap();
    let id = &frame.id;
    let headers = if headers.is_empty() {
        String::new()
    } else {
        format!("{headers}\r\n")
    };
    let text = format!(
        "MSRP {id} {status}\r\nTo-Path: {from}\r\nFrom-Path: {own}\r\n{headers}-------{id}$\r\n"
    );
    // A client that has gone does not read.
    let _ = connection.write_all(text.as_bytes());
}

/// Answers a SEND and passes it on, over both own URIs at once.
fn relay(frame: &Frame, address: SocketAddr, connection: &TcpStream, state: &mut State) {
    let to = frame.header("To-Path").unwrap();
    let from = frame.header("From-Path").unwrap();
    let hops: Vec<&str> = to.split(' ').collect();
    let session = |hop: &str| {
        let start = format!("msrp://{address}/");
        let id = hop
            .strip_prefix(&start)
            .and_then(|rest| rest.strip_suffix(";tcp"));
        id.unwrap_or_default().to_owned()
    };
    let own = session(hops[0]);
    let partner = state.partners.get(&own).cloned();
    if partner.is_some() && !state.uris.contains_key(&own) {
        let (connection, client) = (connection.try_clone().unwrap(), from.clone());
        let until = Instant::now() + Duration::from_secs(3600);
        state.uris.insert(
            own.clone(),
            Granted {
                connection,
                client,
                until,
            },
        );
    }
    if frame.header("Content-Type").is_none() {
        answer(connection, frame, "200 OK");
        return;
    }
    let way = match (&partner, hops.as_slice()) {
        (Some(partner), [_]) => {
            let client = state.uris.get(partner).map(|other| other.client.clone());
            client.map(|client| {
                (
                    partner.clone(),
                    client,
                    format!("msrp://{address}/{partner};tcp"),
                )
            })
        }
        (None, [first, second, peer]) => Some((
            session(second),
            (*peer).to_owned(),
            format!("{second} {first} {from}"),
        )),
        _ => None,
    };
    let is_valid = |id: &str| {
        state
            .uris
            .get(id)
            .is_some_and(|uri| uri.until > Instant::now())
    };
    let Some((other, client, from)) = way.filter(|way| is_valid(&own) && is_valid(&way.0)) else {
        state.wrong.push(format!("nothing leads to {to}"));
        answer(connection, frame, "481 No such session");
        return;
    };
    state.to_paths.push(to);
    answer(connection, frame, "200 OK");
    let mut far = &state.uris[&other].connection;
    // A client that has gone does not read.
    let _ = far.write_all(&frame.with_paths(&client, &from));
}

/// A file that goes with the test.
fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// Runs the generator to its end: whether its status was 0, its summary, and what it said.
fn load(arguments: &[&str]) -> (bool, Option<Value>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_msrpload"));
    let output = command
        .arg("--json")
        .arg("--warmup=0")
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).ok();
    (output.status.success(), summary, said)
}

/// Runs pairs over a relay.
fn load_over(relay: &Relay, password: &str, arguments: &[&str]) -> (bool, Option<Value>, String) {
    let users = file(&format!("# one user\nalice:{password}\n"));
    let uri = format!("--relay=msrp://{};tcp", relay.address);
    let file = format!("--relay-users={}", users.path().display());
    let all: Vec<&str> = [uri.as_str(), file.as_str()]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    load(&all)
}

fn number(summary: &Value, path: &str) -> u64 {
    let value = summary.pointer(path).and_then(Value::as_u64);
    value.unwrap_or_else(|| panic!("no number {path} in {summary:#}"))
}

#[test]
fn pairs_over_a_relay_use_the_paths_that_auth_gave() {
    for algorithm in ["MD5", "SHA-256"] {
        let relay = Relay::start(Script {
            algorithm,
            ..SCRIPT
        });
        let arguments = ["--relay-pairs=2", "--window=4", "--duration=0.4"];
        let (ok, summary, said) = load_over(&relay, PASSWORD, &arguments);
        assert!(ok, "{said} {summary:#?}");
        let summary = summary.unwrap();
        let sent = number(&summary, "/account/messages/sent");
        assert!(sent > 0);
        assert_eq!(number(&summary, "/account/copies/received"), sent);
        let state = relay.state();
        assert_eq!(state.authorized, 4);
        assert_eq!(state.challenged, ["none"; 4]);
        assert_eq!(state.wrong, [""; 0]);
        assert_eq!(state.to_paths.len() as u64, sent);
        let first = relay.uri("client0x1");
        let second = relay.uri("client1x1");
        let ways = [format!("{first} {second} "), format!("{second} {first} ")];
        for way in &ways {
            let is_used = state.to_paths.iter().any(|path| path.starts_with(way));
            assert!(is_used, "{way} in {:?}", state.to_paths.first());
        }
    }
}

#[test]
fn nonce_that_is_stale_is_exchanged() {
    let relay = Relay::start(Script {
        is_first_nonce_stale: true,
        ..SCRIPT
    });
    let arguments = ["--relay-pairs=1", "--window=1", "--duration=0.2"];
    let (ok, summary, said) = load_over(&relay, PASSWORD, &arguments);
    assert!(ok, "{said} {summary:#?}");
    let mut challenged = relay.state().challenged.clone();
    challenged.sort_unstable();
    assert_eq!(challenged, ["none", "none", "stale", "stale"]);
}

#[test]
fn password_that_is_wrong_ends_the_run_and_says_what_to_do() {
    let relay = Relay::start(SCRIPT);
    let arguments = ["--relay-pairs=1", "--window=1", "--duration=0.2"];
    let (ok, summary, said) = load_over(&relay, "open barley", &arguments);
    assert!(!ok && summary.is_none(), "{said}");
    assert!(
        said.contains("401") && said.contains("--relay-users"),
        "{said}"
    );
    assert!(said.contains("alice") && !said.contains("barley"), "{said}");
    let state = relay.state();
    assert_eq!((state.authorized, state.to_paths.len()), (0, 0));
}

#[test]
fn uris_are_asked_for_again_before_they_expire() {
    for (is_uri_new, name) in [(false, "same"), (true, "new")] {
        let script = Script {
            expires_s: 2,
            is_uri_new,
            ..SCRIPT
        };
        let relay = Relay::start(script);
        let arguments = ["--relay-pairs=1", "--rate=100", "--duration=3.5"];
        let (ok, summary, said) = load_over(&relay, PASSWORD, &arguments);
        assert!(ok, "{name}: {said} {summary:#?}");
        let state = relay.state();
        // Each leg at the start, after 1.5 s and after 3 s.
        assert!(state.authorized >= 6, "{name}: {}", state.authorized);
        assert_eq!(state.wrong, [""; 0]);
        let last = state.to_paths.last().unwrap();
        assert_eq!(last.contains("x1;tcp"), !is_uri_new, "{last}");
    }
}

/// A list of pairs without AUTH.
fn list(relay: &Relay, pairs: usize) -> NamedTempFile {
    let leg = |session: &str, local: &str| {
        json!({"local_uri": format!("msrp://127.0.0.1:9/{local};tcp"), "remote_path": relay.uri(session),
            "connect": relay.address.to_string()})
    };
    let entries = (0..pairs).map(|pair| {
        let [one, two] = ["a", "b"].map(|side| format!("session{pair}{side}"));
        let mut state = relay.state();
        state.partners.insert(one.clone(), two.clone());
        state.partners.insert(two.clone(), one.clone());
        json!({"legs": [leg(&one, &format!("local{pair}a")), leg(&two, &format!("local{pair}b"))]})
    });
    let entries = Value::Array(entries.collect());
    file(&entries.to_string())
}

#[test]
fn pairs_of_a_list_write_to_each_other() {
    let relay = Relay::start(SCRIPT);
    let file = list(&relay, 3);
    let pairs = format!("--pairs={}", file.path().display());
    let (ok, summary, said) = load(&[&pairs, "--window=4", "--duration=0.3"]);
    assert!(ok, "{said} {summary:#?}");
    let summary = summary.unwrap();
    assert_eq!(number(&summary, "/settings/participants"), 6);
    let sent = number(&summary, "/account/messages/sent");
    assert!(sent > 0);
    assert_eq!(number(&summary, "/account/copies/received"), sent);
    assert_eq!(relay.state().authorized, 0);
}

#[test]
fn parts_of_a_list_are_run_apart() {
    let relay = Relay::start(SCRIPT);
    let file = list(&relay, 3);
    let pairs = format!("--pairs={}", file.path().display());
    for (part, participants) in [("--part=1/2", 4), ("--part=2/2", 2)] {
        let (ok, summary, said) = load(&[&pairs, part, "--window=1", "--duration=0.2"]);
        assert!(ok, "{said} {summary:#?}");
        assert_eq!(
            number(&summary.unwrap(), "/settings/participants"),
            participants
        );
    }
    let bound = relay.state().uris.len();
    assert_eq!(bound, 6);
    let (ok, _, said) = load(&[&pairs, "--part=4/4", "--duration=0.2"]);
    assert!(!ok && said.contains("this part"), "{said}");
}
