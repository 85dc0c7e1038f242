//! The HTTP API of the real daemon, as an application server uses it.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::net::SocketAddr;

use msrp_testkit::http::{self, HttpResponse};
use msrp_testkit::msrp::Start;
use msrp_testkit::{Config, Daemon, Draft, Media, MsrpEndpoint, MsrpPeer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ROOM: &str = "sip:lunch@localhost";
const ALICE: &str = "sip:alice@example.com";
const BOB: &str = "sip:bob@example.com";

/// A client of the API.
struct As(SocketAddr);

impl As {
    async fn new(daemon: &Daemon) -> Self {
        let client = Self(daemon.admin_addr());
        let (status, room) = client.json("PUT", "/v1/rooms/lunch", json!({})).await;
        assert_eq!((status, &room["uris"]), (201, &json!([ROOM])));
        client
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Option<&str>,
    ) -> HttpResponse {
        let headers = [("Content-Type", content_type)];
        http::send(self.0, method, path, &headers, body).await
    }

    async fn json(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = (body != Value::Null).then(|| body.to_string());
        let answer = self
            .ask(method, path, "application/json", body.as_deref())
            .await;
        let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        (answer.status, body)
    }

    /// The status and the code of a refusal.
    async fn refusal(&self, method: &str, path: &str, body: Value) -> (u16, String, u64) {
        let (status, problem) = self.json(method, path, body).await;
        let code = problem["code"].as_str().unwrap_or_default().to_owned();
        (status, code, problem["sip_status"].as_u64().unwrap_or(0))
    }

    /// Joins with an offer of the participant.
    async fn join(&self, id: &str, uri: &str) -> MsrpPeer {
        let endpoint = MsrpEndpoint::bind().await;
        let offer = endpoint.media().to_string();
        let new = json!({ "participant": id, "uri": uri, "offer": { "sdp": offer } });
        let (status, added) = self.json("POST", PARTICIPANTS, new).await;
        assert_eq!(status, 201, "{added}");
        let answer = added["answer"]["sdp"].as_str().unwrap();
        assert!(answer.contains(added["msrp_uri"].as_str().unwrap()));
        let peer = endpoint.connect(&Media::parse(answer)).await;
        peer.bind().await;
        peer
    }
}

const PARTICIPANTS: &str = "/v1/rooms/lunch/participants";

fn says(uri: &str, text: &str) -> Draft {
    Draft::text(uri, ROOM, text)
}

#[tokio::test]
async fn two_participants_join_a_room_of_the_api_talk_and_are_kicked() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let alice = api.join("alice", ALICE).await;
    let bob = api.join("bob", BOB).await;
    alice.send_ok(&says(ALICE, "hello")).await;
    bob.expect_text(ALICE, "hello").await;

    let (status, shown) = api
        .json("GET", "/v1/rooms/lunch/participants/bob", Value::Null)
        .await;
    assert_eq!((status, &shown["bound"]), (200, &json!(true)));
    let message = json!({ "body": "closing at noon", "from_display_name": "SysAdmin" });
    let (status, _) = api.json("POST", "/v1/rooms/lunch/messages", message).await;
    assert_eq!(status, 202);
    bob.expect_text(ROOM, "closing at noon").await;
    alice.expect_text(ROOM, "closing at noon").await;
    let path = "/v1/rooms/lunch/messages?to=bob";
    let sent = api.ask("POST", path, "text/plain", Some("for you")).await;
    assert_eq!(sent.status, 202);
    bob.expect_text(ROOM, "for you").await;
    alice.assert_nothing_left();
    let to = json!({ "body": "by address", "to": ["SIP:bob@EXAMPLE.com", BOB] });
    let (status, _) = api.json("POST", "/v1/rooms/lunch/messages", to).await;
    assert_eq!(status, 202);
    bob.expect_text(ROOM, "by address").await;
    alice.assert_nothing_left();
    bob.assert_nothing_left();
    let path = "/v1/rooms/lunch/messages?to=sip:stranger@example.com,sip:bob@example.com";
    let stranger = api.ask("POST", path, "text/plain", Some("who?")).await;
    assert_eq!(stranger.status, 404);
    assert!(stranger.body.contains("stranger"), "{}", stranger.body);

    let path = "/v1/rooms/lunch/participants/bob";
    assert_eq!(api.json("DELETE", path, Value::Null).await.0, 204);
    bob.expect_closed().await;
    let gone = (404, "no_such_participant".to_owned(), 404);
    assert_eq!(api.refusal("DELETE", path, Value::Null).await, gone);
    let (status, _) = api.json("DELETE", "/v1/rooms/lunch", Value::Null).await;
    assert_eq!(status, 204);
    alice.expect_closed().await;
}

#[tokio::test]
async fn script_that_posts_sdp_gets_sdp_and_the_place_of_the_participant() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let endpoint = MsrpEndpoint::bind().await;
    let offer = endpoint.media().to_string();
    let path = format!("{PARTICIPANTS}?participant=alice&uri=sip%3Aalice%40example.com");
    let added = api
        .ask("POST", &path, "application/sdp", Some(&offer))
        .await;
    assert_eq!(
        (added.status, added.header("Content-Type")),
        (201, Some("application/sdp"))
    );
    let place = "/v1/rooms/lunch/participants/alice";
    assert_eq!(added.header("Location"), Some(place));
    let alice = endpoint.connect(&Media::parse(&added.body)).await;
    alice.bind().await;

    let moved = MsrpEndpoint::bind().await;
    let offer = moved.media().to_string();
    let path = format!("{place}/offer");
    let answer = api
        .ask("POST", &path, "application/sdp", Some(&offer))
        .await;
    assert_eq!(answer.status, 200);
    alice.expect_closed().await;
    let alice = moved.connect(&Media::parse(&answer.body)).await;
    alice.bind().await;
    let bob = api.join("bob", BOB).await;
    alice.send_ok(&says(ALICE, "still here")).await;
    bob.expect_text(ALICE, "still here").await;
}

#[tokio::test]
async fn participant_to_whom_the_engine_offers_takes_part_from_its_answer_on() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let bob = api.join("bob", BOB).await;
    let new = json!({ "participant": "alice", "uri": ALICE });
    let (status, added) = api.json("POST", PARTICIPANTS, new).await;
    assert_eq!(status, 201);
    let offer = Media::parse(added["offer"]["sdp"].as_str().unwrap());
    let endpoint = MsrpEndpoint::bind().await;
    let answer = endpoint.media().setup("active").to_string();
    let path = "/v1/rooms/lunch/participants/alice/answer";
    let answered = api.ask("PUT", path, "application/sdp", Some(&answer)).await;
    assert_eq!(answered.status, 204);
    let alice = endpoint.connect(&offer).await;
    alice.bind().await;
    bob.send_ok(&says(BOB, "welcome")).await;
    alice.expect_text(BOB, "welcome").await;
}

#[tokio::test]
async fn change_of_a_participant_leaves_what_it_does_not_name() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let alice = api.join("alice", ALICE).await;
    let bob = api.join("bob", BOB).await;
    let place = "/v1/rooms/lunch/participants/alice";
    let (status, muted) = api.json("PATCH", place, json!({ "muted": true })).await;
    assert_eq!((status, &muted["muted"]), (200, &json!(true)));
    alice
        .expect_all(&alice.send(&says(ALICE, "hello")), 403)
        .await;
    let change = json!({ "muted": false, "may_send_private": false });
    let (_, changed) = api.json("PATCH", place, change).await;
    assert_eq!(changed["identities"], json!([ALICE]));
    assert_eq!(changed["muted"], json!(false));
    alice.send_ok(&says(ALICE, "hello")).await;
    bob.expect_text(ALICE, "hello").await;
    let (_, changed) = api
        .json("PATCH", place, json!({ "uri": "sip:al@example.com" }))
        .await;
    assert_eq!(changed["may_send_private"], json!(false));
    assert_eq!(changed["entity"], json!("sip:al@example.com"));
    alice
        .expect_all(&alice.send(&says(ALICE, "who")), 403)
        .await;
    let typo = api.refusal("PATCH", place, json!({ "mutted": true })).await;
    assert_eq!(typo, (400, "malformed_json".to_owned(), 400));
}

#[tokio::test]
async fn participant_above_its_rate_is_told_to_slow_down_until_the_rate_is_lifted() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let alice = api.join("alice", ALICE).await;
    let bob = api.join("bob", BOB).await;
    let place = "/v1/rooms/lunch/participants/alice";
    let rate = json!({ "messages": 1, "per_s": 86_400, "burst": 2 });
    let (status, changed) = api.json("PATCH", place, json!({ "rate": rate })).await;
    assert_eq!((status, &changed["rate"]), (200, &rate));
    for text in ["one", "two"] {
        alice.send_ok(&says(ALICE, text)).await;
        bob.expect_text(ALICE, text).await;
    }
    let sent = alice.send(&says(ALICE, "three"));
    let refused = alice.expect_status(&sent.tids[0], 413).await;
    let comment = "Too Many Messages, Slow Down".to_owned();
    assert_eq!(refused.start, Start::Response(413, Some(comment)));
    daemon
        .wait_metric("msrp_messages_too_fast_total", |count| count == 1.0)
        .await;
    let (_, changed) = api.json("PATCH", place, json!({ "muted": false })).await;
    assert_eq!(changed["rate"], rate, "what is not named stays");
    let (_, changed) = api.json("PATCH", place, json!({ "rate": null })).await;
    assert_eq!(changed["rate"], Value::Null);
    alice.send_ok(&says(ALICE, "four")).await;
    bob.expect_text(ALICE, "four").await;
    let nothing = json!({ "rate": { "messages": 0 } });
    let refused = api.refusal("PATCH", place, nothing).await;
    assert_eq!(refused, (400, "malformed_json".to_owned(), 400));
}

#[tokio::test]
async fn participant_may_be_added_with_a_rate() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let new = json!({ "participant": "carol", "uri": "sip:carol@example.com", "rate": { "messages": 5 } });
    let (status, _) = api.json("POST", PARTICIPANTS, new).await;
    assert_eq!(status, 201);
    let (_, carol) = api
        .json("GET", "/v1/rooms/lunch/participants/carol", Value::Null)
        .await;
    assert_eq!(
        carol["rate"],
        json!({ "messages": 5, "per_s": 1, "burst": 5 })
    );
}

#[tokio::test]
async fn room_is_made_once_and_lists_come_in_pages() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let put = |rules| api.json("PUT", "/v1/rooms/lunch", rules);
    assert_eq!(put(json!({})).await.0, 200);
    let (status, differs) = put(json!({ "nicknames": false })).await;
    assert_eq!((status, &differs["code"]), (409, &json!("room_differs")));
    for room in ["a", "b", "z"] {
        let path = format!("/v1/rooms/{room}");
        assert_eq!(api.json("PUT", &path, Value::Null).await.0, 201);
    }
    let mut names = Vec::new();
    let mut path = "/v1/rooms?limit=3".to_owned();
    loop {
        let (_, page) = api.json("GET", &path, Value::Null).await;
        names.extend(
            page["rooms"]
                .as_array()
                .unwrap()
                .iter()
                .map(|r| r["room"].clone()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/rooms?limit=3&after={next}"),
            None => break,
        }
    }
    assert_eq!(Value::from(names), json!(["a", "b", "lunch", "z"]));
    let path = "/v1/rooms?limit=0";
    let refusal = api.refusal("GET", path, Value::Null).await;
    assert_eq!(refusal, (400, "malformed_query".to_owned(), 400));
}

#[tokio::test]
async fn request_with_a_key_is_carried_out_once() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let bob = api.join("bob", BOB).await;
    let path = "/v1/rooms/lunch/messages";
    let address = api.0;
    let send = |text: &'static str| async move {
        let headers = [("Content-Type", "text/plain"), ("Idempotency-Key", "k1")];
        http::send(address, "POST", path, &headers, Some(text)).await
    };
    assert_eq!(send("once").await.status, 202);
    assert_eq!(send("once").await.status, 202);
    bob.expect_text(ROOM, "once").await;
    bob.assert_nothing_left();
    let other = send("another").await;
    assert_eq!(other.status, 422);
    assert!(other.body.contains("idempotency_key_reused"));
}

#[tokio::test]
async fn refusals_say_what_to_answer_by_sip() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let _bob = api.join("bob", BOB).await;
    let new =
        |id: &str, sdp: &str| json!({ "participant": id, "uri": ALICE, "offer": { "sdp": sdp } });
    let no_msrp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    let cases = [
        (
            "POST",
            PARTICIPANTS,
            new("a", no_msrp),
            (488, "not_acceptable", 422),
        ),
        (
            "POST",
            PARTICIPANTS,
            new("a", "nonsense"),
            (400, "malformed_sdp", 400),
        ),
        (
            "POST",
            PARTICIPANTS,
            json!({ "participant": "a" }),
            (400, "malformed_address", 400),
        ),
        (
            "POST",
            PARTICIPANTS,
            new("a b", no_msrp),
            (400, "malformed_id", 400),
        ),
        (
            "POST",
            PARTICIPANTS,
            json!({ "participant": "bob", "uri": ALICE }),
            (500, "participant_exists", 409),
        ),
        (
            "PUT",
            "/v1/rooms/x",
            json!({ "uris": ["no uri"] }),
            (400, "malformed_address", 400),
        ),
        (
            "PUT",
            "/v1/rooms/x%20y",
            json!({}),
            (400, "malformed_id", 400),
        ),
        (
            "GET",
            "/v1/rooms/nothing",
            Value::Null,
            (404, "no_such_room", 404),
        ),
        (
            "DELETE",
            "/v1/node",
            Value::Null,
            (405, "method_not_allowed", 405),
        ),
        (
            "GET",
            "/v1/nothing",
            Value::Null,
            (404, "no_such_path", 404),
        ),
    ];
    for (method, path, body, (sip, code, status)) in cases {
        let refusal = api.refusal(method, path, body).await;
        assert_eq!(refusal, (status, code.to_owned(), sip), "{method} {path}");
    }
    let long = "x".repeat(300_000);
    let refused = api
        .ask("POST", PARTICIPANTS, "application/sdp", Some(&long))
        .await;
    assert_eq!(refused.status, 413);
    assert_eq!(
        refused.header("Content-Type"),
        Some("application/problem+json")
    );
    let xml = api
        .ask("PUT", "/v1/rooms/x", "text/xml", Some("<x/>"))
        .await;
    assert_eq!(xml.status, 415);
}

#[tokio::test]
async fn draining_node_says_so_and_when_to_come_back() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let (status, node) = api.json("POST", "/v1/node:drain", Value::Null).await;
    assert_eq!(
        (status, &node["draining"], &node["rooms_count"]),
        (200, &json!(true), &json!(1))
    );
    let refused = api
        .ask("PUT", "/v1/rooms/new", "application/json", None)
        .await;
    assert_eq!(
        (refused.status, refused.header("Retry-After")),
        (503, Some("30"))
    );
    let ready = http::get(api.0, "/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "draining\n"));
    api.join("alice", ALICE).await;
    let (_, node) = api.json("POST", "/v1/node:undrain", Value::Null).await;
    assert_eq!(node["draining"], json!(false));
    assert_eq!(http::get(api.0, "/readyz").await.status, 200);
    assert_eq!(api.json("PUT", "/v1/rooms/new", Value::Null).await.0, 201);
}

/// Opens a stream of events and reads past the head of the answer.
async fn open(api: &As, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(api.0).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream
}

/// The type and the participant of the next server-sent event.
async fn next_event(stream: &mut TcpStream) -> (String, String, String) {
    let mut text = Vec::new();
    while !text.ends_with(b"\n\n") {
        text.push(stream.read_u8().await.unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let data: Value = serde_json::from_str(of("data: ").unwrap()).unwrap();
    let who = data["participant"].as_str().unwrap_or_default().to_owned();
    let cursor = of("id: ").unwrap_or_default().to_owned();
    (of("event: ").unwrap().to_owned(), who, cursor)
}

#[tokio::test]
async fn events_tell_the_life_of_a_participant_and_go_on_behind_a_cursor() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    // The start of the room may be told again behind the snapshot.
    let types = "participant_joined,participant_bound,nickname_changed";
    let request = format!("GET /v1/events?types={types} HTTP/1.0\r\n\r\n");
    let mut events = open(&api, &request).await;
    assert_eq!(next_event(&mut events).await.0, "snapshot");
    assert_eq!(next_event(&mut events).await.0, "snapshot_end");
    let alice = api.join("alice", ALICE).await;
    let (kind, who, cursor) = next_event(&mut events).await;
    assert_eq!(
        (kind.as_str(), who.as_str()),
        ("participant_joined", "alice")
    );
    assert_eq!(next_event(&mut events).await.0, "participant_bound");
    alice.ask_nickname("Al", 200).await;
    assert_eq!(next_event(&mut events).await.0, "nickname_changed");
    drop((events, alice));

    let path =
        format!("/v1/events?cursor={cursor}&types=participant_lost,participant_bound&rooms=lunch");
    let mut events = open(&api, &format!("GET {path} HTTP/1.0\r\n\r\n")).await;
    assert_eq!(next_event(&mut events).await.0, "participant_bound");
    assert_eq!(next_event(&mut events).await.0, "participant_lost");
    let again = format!("GET /v1/events HTTP/1.0\r\nLast-Event-ID: {cursor}\r\n\r\n");
    let mut events = open(&api, &again).await;
    assert_eq!(next_event(&mut events).await.0, "participant_bound");

    let mut events = open(&api, "GET /v1/events?cursor=1-1 HTTP/1.0\r\n\r\n").await;
    assert_eq!(next_event(&mut events).await.0, "gap");
    assert_eq!(next_event(&mut events).await.0, "snapshot");
    for path in [
        "/v1/events?types=nonsense",
        "/v1/events?cursor=nonsense",
        "/v1/events?what=1",
    ] {
        let refusal = api.refusal("GET", path, Value::Null).await;
        assert_eq!(refusal, (400, "malformed_query".to_owned(), 400));
    }
}

#[tokio::test]
async fn events_come_as_websocket_messages_as_well() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let request = format!(
        "GET /v1/events?cursor=latest&types=participant_joined,participant_bound HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        api.0
    );
    let mut events = open(&api, &request).await;
    let _alice = api.join("alice", ALICE).await;
    for expected in ["participant_joined", "participant_bound"] {
        assert_eq!(events.read_u8().await.unwrap(), 0x81, "a whole text frame");
        let octets = match events.read_u8().await.unwrap() {
            126 => events.read_u16().await.unwrap(),
            octets => octets.into(),
        };
        let mut text = vec![0; octets.into()];
        events.read_exact(&mut text).await.unwrap();
        let event: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(
            (&event["type"], &event["room"]),
            (&json!(expected), &json!("lunch"))
        );
        assert!(event["cursor"].is_string() && event["time_ms"].is_u64());
    }
}

/// A line of a file of tokens, of the token `secret`.
fn token(scopes: &str) -> String {
    let hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    format!("proxy {scopes} {hash}\n")
}

#[tokio::test]
async fn token_opens_what_its_scopes_say() {
    let tokens = token("read,control");
    let config = Config::new()
        .file("tokens", &tokens)
        .set("admin", "tokens", "tokens");
    let daemon = Daemon::start(config).await;
    let address = daemon.admin_addr();
    let ask = |method: &'static str, path: &'static str, shown: &'static str| async move {
        let headers = [
            ("Authorization", shown),
            ("Content-Type", "application/json"),
        ];
        let answer = http::send(address, method, path, &headers, None).await;
        let challenge = answer.header("WWW-Authenticate").unwrap_or_default();
        (answer.status, challenge.to_owned())
    };
    let plain = "Bearer realm=\"msrpd\"".to_owned();
    for path in ["/v1/node", "/metrics", "/v1/events", "/v1/nothing"] {
        assert_eq!(ask("GET", path, "").await, (401, plain.clone()), "{path}");
        assert_eq!(ask("GET", path, "Bearer wrong").await.0, 401);
    }
    assert_eq!(ask("GET", "/livez", "").await.0, 200);
    assert_eq!(ask("GET", "/readyz", "").await.0, 200);
    assert_eq!(ask("GET", "/v1/node", "Bearer secret").await.0, 200);
    assert_eq!(ask("PUT", "/v1/rooms/a", "bearer secret").await.0, 201);
    let (status, challenge) = ask("GET", "/v1/events", "Bearer secret").await;
    assert_eq!(status, 403);
    assert!(challenge.contains("insufficient_scope"));
}

#[tokio::test]
async fn address_without_tokens_serves_programs_and_no_pages() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let headers = [
        ("Origin", "https://evil.example"),
        ("Content-Type", "text/plain"),
    ];
    let path = "/v1/rooms/lunch/messages";
    let refused = http::send(api.0, "POST", path, &headers, Some("spam")).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("foreign_origin"), "{}", refused.body);
}

#[tokio::test]
async fn local_socket_serves_the_own_user_without_a_token() {
    let config = Config::new()
        .file("tokens", &token("events"))
        .set("admin", "tokens", "tokens")
        .set("admin", "socket", "admin.sock");
    let mut daemon = Daemon::start(config).await;
    let path = daemon.directory().join("admin.sock");
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let request = b"PUT /v1/rooms/a HTTP/1.0\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 201 Created"), "{answer}");
    assert!(daemon.terminate().await.success());
    assert!(!path.exists());
}

#[tokio::test]
async fn rules_of_a_room_change_while_it_runs() {
    let daemon = Daemon::start(Config::new()).await;
    let api = As::new(&daemon).await;
    let (alice, bob) = (api.join("alice", ALICE).await, api.join("bob", BOB).await);
    let change = async |body: Value| api.json("PATCH", "/v1/rooms/lunch", body).await;
    alice.send_ok(&says(ALICE, "a text of some length")).await;
    bob.expect_text(ALICE, "a text of some length").await;
    let short = json!({ "message_octets_max": 200, "nicknames": false });
    let (status, room) = change(short).await;
    assert_eq!((status, &room["message_octets_max"]), (200, &json!(200)));
    assert_eq!(room["uris"], json!([ROOM]));
    let long = "x".repeat(300);
    alice
        .expect_all(&alice.send(&says(ALICE, &long)), 413)
        .await;
    alice.ask_nickname("Al", 403).await;
    let (_, room) = change(json!({ "message_octets_max": 1000, "nicknames": true })).await;
    assert_eq!(room["nicknames"], true);
    alice.send_ok(&says(ALICE, &long)).await;
    bob.expect_text(ALICE, &long).await;
    alice.ask_nickname("Al", 200).await;
    let elsewhere = "sip:brunch@localhost";
    change(json!({ "uris": [elsewhere] })).await;
    alice
        .send_ok(&Draft::text(ALICE, elsewhere, "here now"))
        .await;
    bob.expect_text(ALICE, "here now").await;
    for (body, code) in [
        (json!({ "uris": [] }), "malformed_address"),
        (
            json!({ "uris": ["nothing of the kind"] }),
            "malformed_address",
        ),
        (json!({ "colour": "red" }), "malformed_json"),
    ] {
        let refusal = api.refusal("PATCH", "/v1/rooms/lunch", body).await;
        assert_eq!(refusal, (400, code.to_owned(), 400));
    }
    let nowhere = api.refusal("PATCH", "/v1/rooms/nowhere", json!({})).await;
    assert_eq!(nowhere, (404, "no_such_room".to_owned(), 404));
}
