//! The end of a node that drains: what is refused, who is waited for, and what its status says.

use msrp_testkit::daemon::LogLine;
use msrp_testkit::{Config, Daemon, Invite, MsrpEndpoint, http};
use msrpd_tests::{ALICE, BOB, CAROL, FRIENDS, WAYS, config_with_friends};
use serde_json::{Value, json};

async fn ask(daemon: &Daemon, method: &str, path: &str, body: Value) -> (u16, Value) {
    let body = (body != Value::Null).then(|| body.to_string());
    let json = [("Content-Type", "application/json")];
    let answer = http::send(daemon.admin_addr(), method, path, &json, body.as_deref()).await;
    let body = serde_json::from_str(&answer.body).unwrap_or_default();
    (answer.status, body)
}

async fn ready(daemon: &Daemon) -> u16 {
    daemon.http_get("/readyz").await.status
}

#[tokio::test]
async fn drain_with_a_deadline_tells_the_rooms_and_ends_when_the_last_one_has_left() {
    for way in WAYS {
        let mut daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let plan = json!({ "deadline_s": 600, "refuse": "sessions", "message": "maintenance" });
        let (status, node) = ask(&daemon, "POST", "/v1/node:drain", plan).await;
        assert_eq!((status, &node["drain"]), (200, &json!("sessions")));
        assert!(node["ends_in_s"].as_u64().unwrap() > 500, "{node}");
        assert_eq!(node["participants_count"], 1);
        alice.expect_text(FRIENDS, "maintenance").await;
        assert_eq!(ready(&daemon).await, 503);
        assert_eq!(daemon.http_get("/livez").await.status, 200);
        let invite = Invite::new(FRIENDS, BOB).media(&MsrpEndpoint::bind().await.media());
        let calling = way.agent(&daemon).await.invite(&invite).await;
        let refused = calling.expect_failure(503).await;
        assert!(refused.header("Retry-After").is_some());
        alice.leave().await;
        assert_eq!(daemon.wait_end().await.code(), Some(0));
    }
}

#[tokio::test]
async fn drain_that_is_called_off_takes_everything_again() {
    let way = WAYS[0];
    let daemon = way.start(config_with_friends()).await;
    let alice = way.join(&daemon, FRIENDS, ALICE).await;
    let plan = json!({ "deadline_s": 600 });
    assert_eq!(ask(&daemon, "POST", "/v1/node:drain", plan).await.0, 200);
    let (_, node) = ask(&daemon, "POST", "/v1/node:undrain", Value::Null).await;
    assert_eq!(
        (&node["drain"], &node["ends_in_s"]),
        (&json!("off"), &Value::Null)
    );
    assert_eq!(ready(&daemon).await, 200);
    let bob = way.join(&daemon, FRIENDS, BOB).await;
    alice.say("still here").await;
    bob.expect_text(ALICE, "still here").await;
    let plan = json!({ "deadline_s": 100_000_000 });
    let (status, problem) = ask(&daemon, "POST", "/v1/node:drain", plan).await;
    assert_eq!((status, &problem["code"]), (400, &json!("malformed_drain")));
}

#[tokio::test]
async fn drain_ends_at_its_deadline_with_bye_and_says_so_by_its_status() {
    let way = WAYS[0];
    let mut daemon = way.start(config_with_friends()).await;
    let alice = way.join(&daemon, FRIENDS, ALICE).await;
    let plan = json!({ "deadline_s": 0 });
    assert_eq!(ask(&daemon, "POST", "/v1/node:drain", plan).await.0, 200);
    alice.expect_removed().await;
    assert_eq!(daemon.wait_end().await.code(), Some(3));
}

#[tokio::test]
async fn daemon_that_is_terminated_drains_for_as_long_as_the_configuration_says() {
    let way = WAYS[0];
    for (drain_s, status) in [(600, 0), (1, 3)] {
        let config = config_with_friends().set("limits", "drain_s", drain_s);
        let mut daemon = way.start(config).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        daemon.signal("TERM");
        daemon
            .wait_log("draining", |line| line.message() == "draining")
            .await;
        let (status_of_undrain, problem) =
            ask(&daemon, "POST", "/v1/node:undrain", Value::Null).await;
        assert_eq!(
            (status_of_undrain, &problem["code"]),
            (409, &json!("ending"))
        );
        if status == 0 {
            alice.leave().await;
        } else {
            alice.expect_removed().await;
        }
        assert_eq!(daemon.wait_end().await.code(), Some(status));
    }
}

#[tokio::test]
async fn participant_of_sip_that_the_api_removes_gets_bye_and_the_others_stay() {
    for way in WAYS {
        let daemon = way.start(config_with_friends()).await;
        let alice = way.join(&daemon, FRIENDS, ALICE).await;
        let bob = way.join(&daemon, FRIENDS, BOB).await;
        let (_, rooms) = ask(&daemon, "GET", "/v1/rooms", Value::Null).await;
        let room = rooms["rooms"][0]["room"].as_str().unwrap().to_owned();
        let all = format!("/v1/rooms/{room}/participants");
        let (_, listed) = ask(&daemon, "GET", &all, Value::Null).await;
        let listed = listed["participants"].as_array().unwrap();
        let of_bob = listed.iter().find(|p| p["entity"] == BOB).unwrap();
        let path = format!("{all}/{}", of_bob["participant"].as_str().unwrap());
        assert_eq!(ask(&daemon, "DELETE", &path, Value::Null).await.0, 204);
        bob.expect_removed().await;
        let carol = way.join(&daemon, FRIENDS, CAROL).await;
        alice.say("and then there were two").await;
        carol.expect_text(ALICE, "and then there were two").await;
        let path = format!("/v1/rooms/{room}");
        assert_eq!(ask(&daemon, "DELETE", &path, Value::Null).await.0, 204);
        alice.expect_removed().await;
        carol.expect_removed().await;
    }
}

#[tokio::test]
async fn drain_without_a_deadline_stays() {
    let daemon = Daemon::start(Config::new()).await;
    let (_, node) = ask(&daemon, "POST", "/v1/node:drain", Value::Null).await;
    assert_eq!(
        (&node["drain"], &node["ends_in_s"]),
        (&json!("rooms"), &Value::Null)
    );
    let (status, problem) = ask(&daemon, "PUT", "/v1/rooms/r", json!({})).await;
    assert_eq!((status, &problem["code"]), (503, &json!("draining")));
    assert_eq!(ready(&daemon).await, 503);
}

#[tokio::test]
async fn session_beyond_a_limit_is_refused_and_those_who_are_there_go_on() {
    let way = WAYS[0];
    for (key, limit) in [
        ("sessions_max", "sessions"),
        ("memory_octets_max", "memory"),
    ] {
        let config = config_with_friends().set("limits", key, 1);
        let daemon = way.start(config).await;
        let mut first = None;
        if key == "memory_octets_max" {
            let reached = |line: &LogLine| line.message().starts_with("a bound is reached");
            daemon.wait_log("the bound to be reached", reached).await;
        } else {
            first = Some(way.join(&daemon, FRIENDS, ALICE).await);
            daemon.wait_metric("msrp_participants", |n| n > 0.0).await;
        }
        let invite = Invite::new(FRIENDS, BOB).media(&MsrpEndpoint::bind().await.media());
        let calling = way.agent(&daemon).await.invite(&invite).await;
        let refused = calling.expect_failure(503).await;
        assert!(refused.header("Retry-After").is_some(), "{limit}");
        assert_eq!(ready(&daemon).await, 200);
        // Who is there is served.
        if let Some(alice) = first {
            alice.say("still here").await;
        }
    }
}
