//! The ng dialect of the real daemon, as SIP proxies speak it.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::cell::Cell;
use std::time::Duration;

use msrp_testkit::{Config, Daemon, Draft, Media, MsrpEndpoint};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

/// A proxy: a socket and the number of its next cookie.
struct Proxy {
    socket: UdpSocket,
    next: Cell<u32>,
}

impl Proxy {
    async fn of(daemon: &Daemon) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(daemon.ng_addr()).await.unwrap();
        Self {
            socket,
            next: Cell::new(1),
        }
    }

    /// Sends octets and gives those that come back.
    async fn raw(&self, datagram: &[u8]) -> Vec<u8> {
        self.socket.send(datagram).await.unwrap();
        let mut answer = vec![0; 65_536];
        let received = tokio::time::timeout(Duration::from_secs(10), self.socket.recv(&mut answer));
        let octets = received.await.expect("an answer").unwrap();
        answer.truncate(octets);
        answer
    }

    async fn ask(&self, body: &Value) -> Value {
        let number = self.next.replace(self.next.get() + 1);
        let cookie = format!("c{number}");
        let answer = self.raw(format!("{cookie} {body}").as_bytes()).await;
        let answer = String::from_utf8(answer).unwrap();
        let body = answer.strip_prefix(&format!("{cookie} ")).unwrap();
        serde_json::from_str(body).unwrap()
    }

    async fn offer(&self, call: &str, from: &str, sdp: &str) -> Value {
        let offer = json!({ "command": "offer", "call-id": call, "from-tag": from, "sdp": sdp,
            "flags": ["trust-address"], "replace": ["origin", "session-connection"] });
        self.ask(&offer).await
    }

    async fn answer(&self, call: &str, (from, to): (&str, &str), sdp: &str) -> Value {
        let answer = json!({ "command": "answer", "call-id": call, "from-tag": from,
            "to-tag": to, "sdp": sdp });
        self.ask(&answer).await
    }
}

async fn daemon(config: Config) -> Daemon {
    Daemon::start(config.set("ng", "bind", "127.0.0.1:0")).await
}

#[tokio::test]
async fn ng_call_is_relayed_offered_again_by_the_other_side_queried_and_deleted() {
    let daemon = daemon(Config::new()).await;
    let proxy = Proxy::of(&daemon).await;
    let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
    let audio = "m=audio 49170 RTP/AVP 0 8\r\na=rtpmap:8 PCMA/8000\r\na=x-odd:  kept \r\n";
    let sdp = format!("{}{audio}", alice.media());
    let call = "call id@with (odd) characters";
    let offered = proxy.offer(call, "alice", &sdp).await;
    assert_eq!(offered["result"], "ok");
    let to_bob = offered["sdp"].as_str().unwrap();
    assert!(to_bob.ends_with(audio), "{to_bob}");
    let to_bob = Media::parse(to_bob);
    let answer = bob.media().to_string();
    let answered = proxy.answer(call, ("alice", "bob"), &answer).await;
    let to_alice = Media::parse(answered["sdp"].as_str().unwrap());
    let bob = bob.accept(&to_bob).await;
    bob.expect_empty().await;
    let alice = alice.connect(&to_alice).await;
    alice.bind().await;
    alice.send_ok(&Draft::new("text/plain", "hello")).await;
    assert_eq!(bob.expect_message().await.text(), "hello");

    let query = json!({ "command": "query", "call-id": call });
    let state = proxy.ask(&query).await;
    assert_eq!(state["tags"]["alice"]["in dialogue with"], "bob");
    assert_eq!(state["tags"]["alice"]["medias"][0]["stats"]["messages"], 1);
    assert_eq!(state["totals"]["MSRP"]["bytes"], 5);
    let list = proxy.ask(&json!({ "command": "list" })).await;
    assert_eq!(list["calls"], json!([call]));

    // Bob moves: now From is his tag.
    let moved = MsrpEndpoint::bind().await;
    let offered = proxy.offer(call, "bob", &moved.media().to_string()).await;
    assert_eq!(offered["result"], "ok", "{offered}");
    let same = Media::new(alice.uri()).to_string();
    let answered = proxy.answer(call, ("bob", "alice"), &same).await;
    bob.expect_closed().await;
    let bob = moved
        .connect(&Media::parse(answered["sdp"].as_str().unwrap()))
        .await;
    bob.bind().await;
    bob.send_ok(&Draft::new("text/plain", "from elsewhere"))
        .await;
    assert_eq!(alice.expect_message().await.text(), "from elsewhere");

    let delete =
        json!({ "command": "delete", "call-id": call, "from-tag": "alice", "to-tag": "bob" });
    let last = proxy.ask(&delete).await;
    assert_eq!(
        (&last["result"], &last["totals"]["MSRP"]["messages"]),
        (&json!("ok"), &json!(2))
    );
    alice.expect_closed().await;
    bob.expect_closed().await;
    let again = proxy.ask(&delete).await;
    assert_eq!(again["result"], "ok");
    assert_eq!(again["warning"], "Call-ID not found or tags didn't match");
    let mut fatal = delete;
    fatal["flags"] = json!(["fatal"]);
    assert_eq!(proxy.ask(&fatal).await["result"], "error");
}

#[tokio::test]
async fn ng_bencode_is_answered_in_bencode_and_a_cookie_twice_the_same() {
    let daemon = daemon(Config::new()).await;
    let proxy = Proxy::of(&daemon).await;
    assert_eq!(
        proxy.raw(b"1_2 d7:command4:pinge").await,
        b"1_2 d6:result4:ponge"
    );
    let sdp = MsrpEndpoint::bind().await.media().to_string();
    let offer = format!(
        "7 d7:call-id4:call7:command5:offer8:from-tag1:a3:sdp{}:{sdp}e",
        sdp.len()
    );
    let first = proxy.raw(offer.as_bytes()).await;
    assert!(first.starts_with(b"7 d6:result2:ok3:sdp"));
    assert_eq!(proxy.raw(offer.as_bytes()).await, first);
    let statistics = proxy.ask(&json!({ "command": "statistics" })).await;
    let statistics = &statistics["statistics"];
    assert_eq!(statistics["currentstatistics"]["sessionstotal"], 1);
    assert_eq!(statistics["totalstatistics"]["managedsessions"], 1);
    let broken = proxy.raw(b"8 d7:command").await;
    assert_eq!(
        broken,
        b"8 d6:result5:error12:error-reason27:Could not decode dictionarye"
    );
}

#[tokio::test]
async fn ng_limits_are_told_in_the_words_that_proxies_know() {
    let daemon = daemon(Config::new().set("limits", "bridges_max", 1)).await;
    let proxy = Proxy::of(&daemon).await;
    let sdp = MsrpEndpoint::bind().await.media().to_string();
    assert_eq!(proxy.offer("first", "a", &sdp).await["result"], "ok");
    let refused = proxy.offer("second", "a", &sdp).await;
    let full = json!({ "result": "load limit", "message": "Parallel session limit reached" });
    assert_eq!(refused, full);
    daemon.http_request("POST", "/v1/node:drain", None).await;
    let refused = proxy.offer("second", "a", &sdp).await;
    let spared = json!({ "result": "load limit", "message": "Load limit exceeded" });
    assert_eq!(refused, spared);
    for (body, reason) in [
        (
            json!({ "command": "query", "call-id": "x" }),
            "Unknown call-id",
        ),
        (json!({ "command": "nonsense" }), "Unrecognized command"),
        (
            json!({ "command": "offer", "from-tag": "a", "sdp": sdp }),
            "No call-id in message",
        ),
        (
            json!({ "command": "offer", "call-id": "x", "from-tag": "a" }),
            "No SDP body in message",
        ),
    ] {
        let answer = proxy.ask(&body).await;
        assert_eq!(answer["error-reason"], reason);
    }
}

#[tokio::test]
async fn ng_call_whose_bridge_ends_by_itself_is_forgotten() {
    let config = Config::new().set("limits", "bridge_unanswered_s", 1);
    let daemon = daemon(config).await;
    let proxy = Proxy::of(&daemon).await;
    let sdp = MsrpEndpoint::bind().await.media().to_string();
    proxy.offer("call", "a", &sdp).await;
    daemon
        .wait_metric("msrp_bridges", |count| count == 0.0)
        .await;
    let list = json!({ "command": "list" });
    let mut calls = proxy.ask(&list).await;
    for _ in 0..10_000 {
        if calls["calls"] == json!([]) {
            break;
        }
        tokio::task::yield_now().await;
        calls = proxy.ask(&list).await;
    }
    assert_eq!(calls["calls"], json!([]));
    assert_eq!(proxy.offer("call", "b", &sdp).await["result"], "ok");
}
