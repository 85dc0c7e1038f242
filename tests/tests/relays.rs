//! Two-leg relays of the real daemon, as a proxy script and an application server use them.

use std::net::SocketAddr;

use msrp_testkit::http::{self, HttpResponse};
use msrp_testkit::{Config, Daemon, Draft, Media, MsrpEndpoint};
use serde_json::{Value, json};

async fn ask(
    to: SocketAddr,
    (method, path): (&str, &str),
    content_type: &str,
    body: Option<&str>,
    more: &[(&str, &str)],
) -> HttpResponse {
    let mut headers = vec![("Content-Type", content_type)];
    headers.extend(more);
    http::send(to, method, path, &headers, body).await
}

async fn json_of(to: SocketAddr, what: (&str, &str), body: Value) -> (u16, Value) {
    let body = (body != Value::Null).then(|| body.to_string());
    let answer = ask(to, what, "application/json", body.as_deref(), &[]).await;
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    (answer.status, body)
}

#[tokio::test]
async fn relay_of_a_script_takes_sdp_and_gives_sdp_and_other_sections_stay() {
    let daemon = Daemon::start(Config::new()).await;
    let to = daemon.admin_addr();
    let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
    let audio = "m=audio 49170 RTP/AVP 0 8\r\na=rtpmap:8 PCMA/8000\r\na=x-odd:  kept \r\n";
    let offer = format!("{}{audio}", alice.media().line("a=file-selector:type:x/y"));
    let create = ("POST", "/v1/relays?relay=call");
    let made = ask(to, create, "application/sdp", Some(&offer), &[]).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("Content-Type"), Some("application/sdp"));
    assert_eq!(made.header("Location"), Some("/v1/relays/call"));
    assert!(made.body.ends_with(audio) && made.body.contains("a=file-selector:type:x/y\r\n"));
    let put = ("PUT", "/v1/relays/call/answer");
    let answer = bob.media().setup("active").to_string();
    let answered = ask(to, put, "application/sdp", Some(&answer), &[]).await;
    assert_eq!(answered.status, 200);
    let bob = bob.connect(&Media::parse(&made.body)).await;
    bob.bind().await;
    let alice = alice.connect(&Media::parse(&answered.body)).await;
    alice.bind().await;
    alice.send_ok(&Draft::new("text/plain", "hello")).await;
    assert_eq!(bob.expect_message().await.text(), "hello");

    let (status, relay) = json_of(to, ("GET", "/v1/relays/call"), Value::Null).await;
    assert_eq!((status, &relay["answered"]), (200, &json!(true)));
    assert_eq!(relay["offerer"]["messages"], 1);
    assert_eq!(relay["offerer"]["octets"], 5);
    assert_eq!(relay["answerer"]["state"], "connected");
    let (_, list) = json_of(to, ("GET", "/v1/relays"), Value::Null).await;
    assert_eq!(list["relays"][0]["relay"], "call");
    let (status, last) = json_of(to, ("DELETE", "/v1/relays/call"), Value::Null).await;
    assert_eq!((status, &last["offerer"]["messages"]), (200, &json!(1)));
    alice.expect_closed().await;
    bob.expect_closed().await;
    // The gauge is published when the turn that closed the connections ends.
    daemon.wait_metric("msrp_bridges", |n| n == 0.0).await;
}

#[tokio::test]
async fn relay_in_json_is_made_once_for_a_key_and_offered_again_from_either_side() {
    let daemon = Daemon::start(Config::new()).await;
    let to = daemon.admin_addr();
    let (alice, bob) = (MsrpEndpoint::bind().await, MsrpEndpoint::bind().await);
    let new = json!({ "offer": { "sdp": alice.media().to_string() },
        "answerer": { "listener": "tcp", "active": true }, "replace_origin": true });
    let key = [("Idempotency-Key", "invite-1")];
    let create = |body: String| async move {
        let what = ("POST", "/v1/relays");
        ask(to, what, "application/json", Some(&body), &key).await
    };
    let made = create(new.to_string()).await;
    let again = create(new.to_string()).await;
    assert_eq!((made.status, again.status), (201, 201));
    assert_eq!(made.body, again.body);
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let relay = made["relay"].as_str().unwrap().to_owned();
    let to_bob = Media::parse(made["offer"]["sdp"].as_str().unwrap());
    assert_eq!(to_bob.setup.as_deref(), Some("active"));
    assert_eq!(made["msrp_uri"], to_bob.path[0]);
    let put = format!("/v1/relays/{relay}/answer");
    let answer = json!({ "sdp": bob.media().setup("passive").to_string() });
    let (status, answered) = json_of(to, ("PUT", &put), answer).await;
    assert_eq!(status, 200);
    let to_alice = Media::parse(answered["answer"]["sdp"].as_str().unwrap());
    let bob = bob.accept(&to_bob).await;
    bob.expect_empty().await;
    let alice = alice.connect(&to_alice).await;
    alice.bind().await;

    let moved = MsrpEndpoint::bind().await;
    let again = json!({ "from": "answerer", "offer": { "sdp": moved.media().to_string() } });
    let path = format!("/v1/relays/{relay}/offer");
    let (status, offered) = json_of(to, ("POST", &path), again).await;
    assert_eq!(
        (status, &offered["msrp_uri"]),
        (200, &json!(to_alice.path[0]))
    );
    let same = json!({ "sdp": Media::new(alice.uri()).to_string() });
    let (status, back) = json_of(to, ("PUT", &put), same).await;
    assert_eq!(status, 200);
    bob.expect_closed().await;
    let back = Media::parse(back["answer"]["sdp"].as_str().unwrap());
    let bob = moved.connect(&back).await;
    bob.bind().await;
    alice.send_ok(&Draft::new("text/plain", "hello")).await;
    assert_eq!(bob.expect_message().await.text(), "hello");
}

#[tokio::test]
async fn relay_that_cannot_be_made_is_a_problem_with_its_sip_status() {
    let config = Config::new().set("limits", "bridges_max", 1);
    let daemon = Daemon::start(config).await;
    let to = daemon.admin_addr();
    let offer = MsrpEndpoint::bind().await.media().to_string();
    let new = |id: &str| json!({ "relay": id, "offer": { "sdp": offer } });
    let post = ("POST", "/v1/relays");
    assert_eq!(json_of(to, post, new("a")).await.0, 201);
    for (what, body, status, code, sip_status) in [
        (post, new("b"), 503, "limit", 503),
        (post, json!({}), 400, "malformed_sdp", 400),
        (post, json!({ "nonsense": 1 }), 400, "malformed_json", 400),
        (
            ("GET", "/v1/relays/x"),
            Value::Null,
            404,
            "no_such_bridge",
            404,
        ),
        (
            ("DELETE", "/v1/relays/x"),
            Value::Null,
            404,
            "no_such_bridge",
            404,
        ),
        (
            ("PUT", "/v1/relays/a/answer"),
            json!({ "sdp": "x" }),
            400,
            "malformed_sdp",
            400,
        ),
    ] {
        let (got, problem) = json_of(to, what, body).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{what:?}");
        assert_eq!(problem["sip_status"], sip_status, "{what:?}");
    }
}
