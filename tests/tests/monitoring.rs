//! The alert rules and the dashboard name what a running server shows.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use msrpd_tests::{ALICE, FRIENDS, WAYS, config_with_friends};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path: PathBuf = root.join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The expressions of the alert rules.
fn rules() -> Vec<String> {
    let text = file("deploy/prometheus/alerts.yml");
    let mut lines = text.lines();
    let mut all = Vec::new();
    while let Some(line) = lines.next() {
        if line.trim() == "expr: >-" {
            all.push(lines.next().unwrap().trim().to_owned());
        }
    }
    all
}

/// The expressions of the dashboard.
fn panels() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana/msrpd.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array());
    let mut all: Vec<String> = targets
        .flatten()
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect();
    let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    all.extend(variables.filter_map(|v| v["query"].as_str().map(str::to_owned)));
    all
}

/// The names of our metrics in an expression.
fn metrics(expression: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c: char| !is_name(c));
    let prefixes = ["msrp_", "msrpd_", "process_"];
    words
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

/// The labels in an expression with the values that they shall have.
fn labels(expression: &str) -> Vec<(&str, &str)> {
    let matchers = expression.split(['{', '}', ',']);
    let pairs = matchers.filter_map(|m| m.split_once('='));
    let pairs = pairs.map(|(name, value)| {
        let name = name.trim().trim_end_matches('!');
        (name, value.trim_start_matches('~'))
    });
    pairs
        .filter(|(name, value)| *name != "job" && value.starts_with('"'))
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect()
}

/// A server with every kind of listener that has metrics of its own.
async fn exposition() -> String {
    let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let listener = "[[msrp.listener]]\nname = \"safe\"\nbind = \"127.0.0.1:0\"\ntransport = \"tls\"\n\
        cert = \"cert.pem\"\nkey = \"key.pem\"\n";
    let config = config_with_friends()
        .file("cert.pem", &key.cert.pem())
        .file("key.pem", &key.signing_key.serialize_pem())
        .raw(listener);
    let daemon = WAYS[0].start(config).await;
    let _alice = WAYS[0].join(&daemon, FRIENDS, ALICE).await;
    let (status, text) = daemon.metrics().await;
    assert_eq!(status, 200);
    text
}

#[tokio::test]
async fn rules_and_dashboard_name_metrics_and_labels_that_there_are() {
    let shown = exposition().await;
    let series = shown.lines().filter(|line| !line.starts_with('#'));
    let names = series.filter_map(|line| line.split(['{', ' ']).next());
    // A native histogram has one series of its own name.
    let types = shown.lines().filter_map(|l| l.strip_prefix("# TYPE "));
    let names: BTreeSet<&str> = names
        .chain(types.filter_map(|l| l.strip_suffix(" histogram")))
        .collect();
    let (rules, panels) = (rules(), panels());
    assert!(rules.len() > 10 && panels.len() > 30);
    for expression in rules.iter().chain(&panels) {
        for name in metrics(expression) {
            assert!(names.contains(name), "{name} in {expression}");
        }
        for (label, value) in labels(expression) {
            let values = value.split('|').filter(|_| label != "instance");
            for value in values {
                let pair = format!("{label}=\"{value}\"");
                assert!(shown.contains(&pair), "{pair} in {expression}");
            }
        }
    }
    let end = "msrpd_certificate_not_after_seconds{listener=\"msrp:safe\"} ";
    let end = shown
        .lines()
        .find_map(|line| line.strip_prefix(end))
        .unwrap();
    assert!(end.parse::<u64>().unwrap() > 1_700_000_000, "{end}");
}

#[test]
fn alert_has_its_page_and_its_place_in_the_operator_s_book() {
    let text = file("deploy/prometheus/alerts.yml");
    let page = file("docs/alerts.md");
    let alerts: Vec<_> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let headings: Vec<_> = page.lines().filter_map(|l| l.strip_prefix("## ")).collect();
    assert_eq!(alerts, headings);
    for alert in alerts {
        let place = format!("docs/operations.md#{}", alert.to_lowercase());
        assert!(
            text.contains(&format!("runbook_url: \"{place}\"")),
            "{place}"
        );
    }
}

#[tokio::test]
async fn native_histograms_are_given_to_whoever_asks_for_protobuf() {
    let daemon = WAYS[0].start(config_with_friends()).await;
    let format = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let accept = format!("{format};q=0.7,text/plain;version=0.0.4;q=0.3");
    let mut stream = TcpStream::connect(daemon.admin_addr()).await.unwrap();
    let request = format!("GET /metrics HTTP/1.0\r\nAccept: {accept}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let has = |part: &[u8]| answer.windows(part.len()).any(|window| window == part);
    let head = "content-type: application/vnd.google.protobuf; \
        proto=io.prometheus.client.MetricFamily; encoding=delimited\r\n";
    assert!(has(head.as_bytes()), "{}", String::from_utf8_lossy(&answer));
    assert!(has(b"msrp_forward_seconds") && !has(b"# TYPE"));
    // Histogram is field 7 of Metric; schema, the field 5 of it, is 3: zigzag 6.
    assert!(has(b"\x28\x06"));
}
