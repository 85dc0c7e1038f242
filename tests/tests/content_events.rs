//! What messages held, in events: for who has the scope, and for nobody else.
#![expect(clippy::unwrap_used, reason = "test code")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use msrp_testkit::http::{self, HttpResponse};
use msrp_testkit::{Config, Daemon, Draft, Media, MsrpEndpoint, MsrpPeer};
use msrpd_tests::{ALICE, BOB};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// SHA-256 of `first` and of `second`.
const FIRST: &str = "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e";
const SECOND: &str = "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4";
const ROOM: &str = "sip:lunch@example.com";
/// What only those with the scope may read.
const SECRET: &str = "the treasure lies below the oak";
/// More than an event carries of it.
const LONG_OCTETS: usize = 20_000;
/// What an event carries at most.
const TOLD_OCTETS: usize = 8192;

/// A node with a token that may do everything but read content, `first`, and one that may, `second`.
async fn node() -> Daemon {
    let tokens =
        format!("operator read,control,events,trace {FIRST}\nauditor events,content {SECOND}\n");
    let config = Config::new()
        .set("admin", "tokens", "tokens")
        .file("tokens", &tokens);
    Daemon::start(config).await
}

async fn ask(daemon: &Daemon, token: &str, method: &str, path: &str, body: &Value) -> HttpResponse {
    let shown = format!("Bearer {token}");
    let headers = [
        ("Authorization", shown.as_str()),
        ("Content-Type", "application/json"),
    ];
    let body = (*body != Value::Null).then(|| body.to_string());
    http::send(daemon.admin_addr(), method, path, &headers, body.as_deref()).await
}

async fn join(daemon: &Daemon, uri: &str) -> MsrpPeer {
    let endpoint = MsrpEndpoint::bind().await;
    let offer = endpoint.media().accept_wrapped_types("*").to_string();
    let new = json!({ "uri": uri, "offer": { "sdp": offer } });
    let path = "/v1/rooms/lunch/participants";
    let added = ask(daemon, "first", "POST", path, &new).await;
    assert_eq!(added.status, 201, "{}", added.body);
    let added: Value = serde_json::from_str(&added.body).unwrap();
    let answer = added["answer"]["sdp"].as_str().unwrap();
    let peer = endpoint.connect(&Media::parse(answer)).await;
    peer.bind().await;
    peer
}

/// A stream of events, with all that came on it.
struct Events {
    stream: BufReader<TcpStream>,
    seen: String,
}

impl Events {
    async fn open(daemon: &Daemon, token: &str, types: &str) -> Self {
        let mut stream = TcpStream::connect(daemon.admin_addr()).await.unwrap();
        let request = format!(
            "GET /v1/events?cursor=latest&types={types} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut events = Self {
            stream: BufReader::new(stream),
            seen: String::new(),
        };
        assert!(events.line().await.contains("200"));
        while events.line().await.trim() != "" {}
        events
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line);
        let read = tokio::time::timeout(msrp_testkit::DEADLINE, read).await;
        assert!(
            read.unwrap().unwrap() > 0,
            "the stream ended: {}",
            self.seen
        );
        self.seen.push_str(&line);
        line
    }

    /// The next event of this type.
    async fn next(&mut self, kind: &str) -> Value {
        loop {
            let line = self.line().await;
            let Some(data) = line.strip_prefix("data:") else {
                continue;
            };
            let event: Value = serde_json::from_str(data).unwrap();
            if event["type"] == kind {
                return event;
            }
        }
    }
}

#[tokio::test]
async fn content_is_refused_without_its_scope_to_streams_and_webhooks() {
    let daemon = node().await;
    for types in [
        "message_content",
        "room_started,message_content,message_ended",
    ] {
        let path = format!("/v1/events?types={types}");
        let refused = ask(&daemon, "first", "GET", &path, &Value::Null).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
        assert!(
            refused.body.contains("insufficient_scope"),
            "{}",
            refused.body
        );
    }
    let webhook = json!({
        "url": "http://127.0.0.1:9/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "types": ["message_content"],
    });
    let refused = ask(&daemon, "first", "PUT", "/v1/webhooks/leak", &webhook).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let hooks = ask(&daemon, "first", "GET", "/v1/webhooks", &Value::Null).await;
    assert_eq!(hooks.body.trim(), "{\"webhooks\":[]}");
}

#[tokio::test]
async fn content_is_told_to_who_has_the_scope_and_no_octet_of_it_to_others() {
    let daemon = node().await;
    let rules = json!({ "uris": [ROOM] });
    ask(&daemon, "first", "PUT", "/v1/rooms/lunch", &rules).await;
    let (alice, bob) = (join(&daemon, ALICE).await, join(&daemon, BOB).await);
    let others = "message_ended,final_report,messages_lost,session_ended,participant_removed";
    let mut watcher = Events::open(&daemon, "first", others).await;
    let mut reader = Events::open(&daemon, "second", "message_content").await;

    let sent = alice.send_ok(&Draft::text(ALICE, ROOM, SECRET)).await;
    bob.expect_text(ALICE, SECRET).await;
    let told = reader.next("message_content").await;
    assert_eq!(told["message_id"], sent.message_id.as_str());
    assert_eq!(
        (&told["room"], &told["text"]),
        (&json!("lunch"), &json!(SECRET))
    );
    assert_eq!(told["content_type"], "text/plain;charset=UTF-8");
    assert_eq!(
        (&told["truncated"], &told["base64"]),
        (&json!(false), &Value::Null)
    );

    let picture: Vec<u8> = (0..=255).collect();
    alice
        .send_ok(&Draft::wrapped(ALICE, ROOM, "image/png", &picture))
        .await;
    let told = reader.next("message_content").await;
    let expected = STANDARD.encode(&picture);
    assert_eq!(
        (&told["base64"], &told["text"]),
        (&json!(expected), &Value::Null)
    );

    // Two octets a letter behind one of one octet, so that the bound lies within a letter.
    let long = format!("x{}", "\u{e9}".repeat(LONG_OCTETS / 2));
    alice.send_ok(&Draft::text(ALICE, ROOM, &long)).await;
    let told = reader.next("message_content").await;
    assert_eq!(told["truncated"], true);
    let text = told["text"].as_str().unwrap();
    assert_eq!(
        text.len(),
        TOLD_OCTETS - 1,
        "a letter that is cut in two is left out"
    );
    assert!(long.starts_with(text));

    for _ in 0..3 {
        watcher.next("message_ended").await;
    }
    alice.close();
    watcher.next("session_ended").await;
    let base64 = STANDARD.encode(SECRET);
    for hidden in [SECRET, &base64[..20], &expected[..20], "\u{e9}\u{e9}"] {
        assert!(!watcher.seen.contains(hidden), "{}", watcher.seen);
    }
    assert!(!watcher.seen.contains("message_content"));
}

#[tokio::test]
async fn content_of_a_refused_message_and_of_one_that_began_before_is_not_told() {
    let daemon = node().await;
    let rules = json!({ "uris": [ROOM] });
    ask(&daemon, "first", "PUT", "/v1/rooms/lunch", &rules).await;
    let (alice, bob) = (join(&daemon, ALICE).await, join(&daemon, BOB).await);
    alice.send_ok(&Draft::text(ALICE, ROOM, "before")).await;
    bob.expect_text(ALICE, "before").await;
    let mut reader = Events::open(&daemon, "second", "message_content").await;
    let refused = alice.send(&Draft::text(BOB, ROOM, "not mine"));
    alice.expect_all(&refused, 403).await;
    alice.send_ok(&Draft::text(ALICE, ROOM, "after")).await;
    let told = reader.next("message_content").await;
    assert_eq!(told["text"], "after");
    assert!(!reader.seen.contains("before") && !reader.seen.contains("not mine"));
}
