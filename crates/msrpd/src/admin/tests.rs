use std::sync::atomic::{AtomicBool, Ordering};

use msrp_control::metrics::Kind;
use msrp_control::{Command, Engine, EventStream, ReplySender};

use super::*;
use crate::http;

/// An engine that is alive when it is told so, with one metric.
struct FakeEngine(AtomicBool);

impl Engine for FakeEngine {
    fn submit(&self, _: Command, reply: ReplySender) {
        drop(reply);
    }

    fn subscribe(&self) -> EventStream {
        futures_channel::mpsc::channel(1).1
    }

    fn samples(&self) -> Vec<Sample> {
        vec![sample("engine_total")]
    }

    fn is_alive(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn sample(name: &'static str) -> Sample {
    Sample {
        name,
        help: "A count.",
        kind: Kind::Counter,
        labels: Vec::new(),
        value: 7,
    }
}

async fn server() -> (AdminServer, Arc<FakeEngine>, Arc<Node>) {
    let engine = Arc::new(FakeEngine(AtomicBool::new(true)));
    let node = Arc::new(Node::new(Client::new(engine.clone()), "localhost"));
    let bind = "127.0.0.1:0".parse().unwrap();
    let server = AdminServer::start(&Admin::on(bind), node.clone(), AdminExtras::default())
        .await
        .unwrap();
    (server, engine, node)
}

async fn get(server: &AdminServer, path: &str) -> (u16, String) {
    let answer = http::get(server.address(), path).await.unwrap();
    (answer.status, answer.body)
}

#[tokio::test]
async fn livez_engine_that_stops_going_round_is_503() {
    let (server, engine, _) = server().await;
    assert_eq!(get(&server, "/livez").await, (200, "ok\n".to_owned()));
    engine.0.store(false, Ordering::Relaxed);
    let (status, body) = get(&server, "/livez").await;
    assert_eq!(status, 503);
    assert!(body.contains("a shard has not gone round"), "{body}");
}

#[tokio::test]
async fn readyz_follows_the_life_of_the_node() {
    let (server, _, node) = server().await;
    assert_eq!(
        get(&server, "/readyz").await,
        (503, "starting\n".to_owned())
    );
    node.set_phase(Phase::Ready);
    assert_eq!(get(&server, "/readyz").await, (200, "ready\n".to_owned()));
    node.set_phase(Phase::Stopping);
    assert_eq!(
        get(&server, "/readyz").await,
        (503, "stopping\n".to_owned())
    );
}

#[tokio::test]
async fn metrics_hold_process_engine_and_focus() {
    let (server, _, node) = server().await;
    node.add_sip(Box::new(|| vec![sample("sip_total")]));
    let answer = http::get(server.address(), "/metrics").await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some(exposition::CONTENT_TYPE)
    );
    for line in [
        "engine_total 7",
        "sip_total 7",
        "# TYPE msrpd_build_info gauge",
    ] {
        assert!(
            answer.body.lines().any(|l| l == line),
            "{line} in {}",
            answer.body
        );
    }
    assert!(
        answer.body.contains("\nprocess_start_time_seconds 1") || answer.body.contains("seconds 2")
    );
}

#[tokio::test]
async fn path_that_is_not_served_is_a_problem() {
    let (server, _, _) = server().await;
    let answer = http::get(server.address(), "/nothing").await.unwrap();
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert!(
        answer.body.contains("\"code\":\"no_such_path\""),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn method_that_is_not_served_is_a_problem() {
    let (server, _, _) = server().await;
    let answer = http::request(server.address(), "DELETE", "/livez")
        .await
        .unwrap();
    assert_eq!(answer.status, 405);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
}
