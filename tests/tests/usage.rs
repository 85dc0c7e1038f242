//! Usage records of the real daemon.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use msrp_testkit::{Config, Daemon, Draft, Invite, Media, MsrpEndpoint, Participant};
use msrpd_tests::{ALICE, BOB, FRIENDS, WAYS, config_with_friends};
use serde_json::{Value, json};

const FILE: &str = "usage.jsonl";

fn config(more: &str) -> Config {
    config_with_friends().raw(&format!("[usage]\nfile = \"{FILE}\"\n{more}"))
}

/// The records of a file so far; every line has to be whole.
fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.split_inclusive('\n').filter(|l| l.ends_with('\n'));
    lines.map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// Waits until the file holds records of these events, in any order.
async fn wait_records(daemon: &Daemon, name: &str, events: &[&str]) -> Vec<Value> {
    let path = daemon.directory().join(name);
    let mut expected = events.to_vec();
    expected.sort_unstable();
    let mut turn = tokio::time::interval(Duration::from_millis(10));
    let deadline = tokio::time::Instant::now() + msrp_testkit::DEADLINE;
    loop {
        turn.tick().await;
        let found = records(&path);
        let mut seen: Vec<_> = found.iter().filter_map(|r| r["event"].as_str()).collect();
        seen.sort_unstable();
        if seen == expected {
            return found;
        }
        let is_late = tokio::time::Instant::now() > deadline;
        assert!(!is_late, "{expected:?} expected, {found:#?}");
    }
}

fn of<'a>(records: &'a [Value], event: &str, entity: &str) -> &'a Value {
    let is_it = |r: &&Value| r["event"] == event && r["entity"] == entity;
    records.iter().find(is_it).unwrap()
}

async fn join_with_vector(daemon: &Daemon) -> Participant {
    let vector = "icid-value=\"icid-77\"; orig-ioi=home1.net";
    let charge = |invite: Invite| invite.header("P-Charging-Vector", vector);
    let join = WAYS[0].dial(FRIENDS, ALICE);
    let everything = |media: Media| media.accept_wrapped_types("*");
    join.invite(charge).offer(everything).join(daemon).await
}

#[tokio::test]
async fn session_by_sip_has_records_with_its_call_and_charging_ids_and_what_it_carried() {
    let mut daemon = WAYS[0].start(config("")).await;
    let alice = join_with_vector(&daemon).await;
    let bob = WAYS[0].join(&daemon, FRIENDS, BOB).await;
    alice.say("hello").await;
    bob.expect_text(ALICE, "hello").await;
    let typing = Draft::wrapped(
        BOB,
        FRIENDS,
        "application/im-iscomposing+xml",
        b"<isComposing/>",
    );
    bob.msrp.send_ok(&typing).await;
    alice.msrp.expect_message().await;
    let file = Draft::wrapped(BOB, FRIENDS, "image/png", b"PNG");
    bob.msrp.send_ok(&file).await;
    alice.msrp.expect_message().await;
    let call_id = alice.dialog.initial().header("Call-ID").unwrap().to_owned();
    alice.leave().await;
    let found = wait_records(&daemon, FILE, &["start", "start", "stop"]).await;
    let (start, stop) = (of(&found, "start", ALICE), of(&found, "stop", ALICE));
    for record in [start, stop] {
        assert_eq!(record["version"], 1);
        assert_eq!(record["call_id"], call_id.as_str());
        assert_eq!(record["charging_id"], "icid-77");
        assert_eq!(record["session"], start["session"]);
        assert!(record.get("identities").is_none());
    }
    assert_eq!(start["received"]["octets"], 0);
    assert_eq!(start.get("end_reason"), None);
    assert_eq!(stop["end_reason"], "removed");
    let none = json!({ "text": 0, "composing": 0, "disposition": 0, "file": 0, "other": 0 });
    let with = |octets: &Value, counts: &[(&str, u64)]| {
        let mut all = none.clone();
        all["octets"] = octets.clone();
        for (class, count) in counts {
            all[class] = json!(count);
        }
        all
    };
    assert_eq!(
        stop["received"],
        with(&stop["received"]["octets"], &[("text", 1)])
    );
    let sent = with(&stop["sent"]["octets"], &[("composing", 1), ("file", 1)]);
    assert_eq!(stop["sent"], sent);
    assert!(stop["received"]["octets"].as_u64().unwrap() > 100, "{stop}");
    assert!(stop["sent"]["octets"].as_u64().unwrap() > 200, "{stop}");
    // The end of the node is the end of its sessions, and nothing of it is lost.
    let path = daemon.directory().join(FILE);
    daemon.terminate().await;
    let found = records(&path);
    let stop = of(&found, "stop", BOB);
    assert_eq!(stop["sent"]["text"], 1);
    assert_eq!(stop["received"]["file"], 1);
    assert_eq!(found.len(), 4);
}

#[tokio::test]
async fn session_by_api_has_the_ids_that_the_client_gave() {
    let daemon = Daemon::start(config("identities = \"all\"\n")).await;
    let ask = |method, path: &str, body: Value| {
        let path = path.to_owned();
        let daemon = &daemon;
        async move {
            let body = body.to_string();
            let body = Some(("application/json", body.as_str()));
            daemon.http_request(method, &path, body).await
        }
    };
    assert_eq!(ask("PUT", "/v1/rooms/lunch", json!({})).await.status, 201);
    let offer = MsrpEndpoint::bind().await.media().to_string();
    let mut new = json!({
        "participant": "alice", "uri": ALICE, "identities": ["tel:+15550100"],
        "offer": { "sdp": offer }, "call_id": "call-1", "charging_id": "account 9",
    });
    let path = "/v1/rooms/lunch/participants";
    let refused = ask("POST", path, new.clone()).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    new["charging_id"] = json!("account-9");
    assert_eq!(ask("POST", path, new).await.status, 201);
    let one = format!("{path}/alice");
    let changed = ask("PATCH", &one, json!({ "may_send_private": false })).await;
    assert_eq!(changed.status, 200);
    assert_eq!(
        ask("DELETE", "/v1/rooms/lunch", Value::Null).await.status,
        204
    );
    let found = wait_records(&daemon, FILE, &["start", "stop"]).await;
    for record in &found {
        assert_eq!(record["room"], "lunch");
        assert_eq!(record["participant"], "alice");
        assert_eq!(record["call_id"], "call-1");
        assert_eq!(record["charging_id"], "account-9");
        assert_eq!(record["identities"], json!([ALICE, "tel:+15550100"]));
    }
    assert_eq!(of(&found, "stop", ALICE)["end_reason"], "room_closed");
}

#[tokio::test]
async fn session_that_goes_on_has_interim_records() {
    let daemon = WAYS[0]
        .start(config("interim_s = 1\nidentities = \"none\"\n"))
        .await;
    let _alice = WAYS[0].join(&daemon, FRIENDS, ALICE).await;
    let found = wait_records(&daemon, FILE, &["start", "interim", "interim"]).await;
    assert!(found[2]["duration_ms"].as_u64() > found[1]["duration_ms"].as_u64());
    assert!(found.iter().all(|record| record.get("entity").is_none()));
}

#[tokio::test]
async fn file_that_was_moved_is_opened_again_on_hangup() {
    let daemon = WAYS[0].start(config("")).await;
    let alice = WAYS[0].join(&daemon, FRIENDS, ALICE).await;
    wait_records(&daemon, FILE, &["start"]).await;
    let path = daemon.directory().join(FILE);
    fs::rename(&path, daemon.directory().join("usage.1")).unwrap();
    daemon.signal("HUP");
    daemon
        .wait_log("opened again", |line| {
            line.message().contains("opened again")
        })
        .await;
    alice.leave().await;
    wait_records(&daemon, FILE, &["stop"]).await;
    wait_records(&daemon, "usage.1", &["start"]).await;
}

#[tokio::test]
async fn disk_that_is_full_is_seen_and_holds_up_nobody() {
    let full = config_with_friends().raw("[usage]\nfile = \"/dev/full\"\n");
    let daemon = WAYS[0].start(full).await;
    let alice = WAYS[0].join(&daemon, FRIENDS, ALICE).await;
    let bob = WAYS[0].join(&daemon, FRIENDS, BOB).await;
    daemon
        .wait_metric("msrpd_usage_write_failures_total", |count| count >= 1.0)
        .await;
    daemon
        .wait_metric("msrpd_usage_records_waiting", |count| count == 2.0)
        .await;
    daemon
        .wait_log("the full disk", |line| {
            line.message().contains("cannot be written")
        })
        .await;
    assert_eq!(
        daemon.metric("msrpd_usage_records_written_total").await,
        0.0
    );
    assert_eq!(daemon.metric("msrpd_usage_records_lost_total").await, 0.0);
    alice.say("hello").await;
    bob.expect_text(ALICE, "hello").await;
}
