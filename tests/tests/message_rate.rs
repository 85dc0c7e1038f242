//! What a MESSAGE costs: processor time of the daemon for lists of a thousand, over each transport.

use std::time::Duration;

use msrp_testkit::{Config, SipMessage};
use msrpd_tests::{ALICE, FACTORY, WAYS, person};

/// Seconds of processor time that a process has used.
fn processor_s(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let fields: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let ticks = [11, 12].iter().map(|i| fields[*i].parse::<f64>());
    ticks.map(|ticks| ticks.unwrap_or(0.0)).sum::<f64>() / 100.0
}

/// The most memory that a process had, in KiB.
fn resident_peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    number.expect("a number of KiB")
}

fn to_list(uris: &[String]) -> SipMessage {
    let entries: String = uris
        .iter()
        .map(|uri| format!("<entry uri=\"{uri}\"/>"))
        .collect();
    let body = format!(
        "--b\r\nContent-Type: text/plain\r\n\r\n{}\r\n--b\r\n\
         Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n\
         <resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>{entries}</list></resource-lists>\r\n\
         --b--\r\n",
        "x".repeat(200)
    );
    SipMessage::request("MESSAGE", FACTORY)
        .with("From", format!("<{ALICE}>;tag=1"))
        .with("P-Asserted-Identity", format!("<{ALICE}>"))
        .with("Require", "recipient-list-message")
        .with_body("multipart/mixed;boundary=b", body)
}

/// Over UDP a copy may be sent again for 32 s.
const MINUTE: Duration = Duration::from_secs(60);

async fn measure(lists: u32) {
    println!("transport,messages,server_cpu_s,messages_per_s_and_core,peak_kib");
    for way in [WAYS[3], WAYS[1]] {
        // Over UDP a faster pace loses answers at the test, and copies are sent again.
        let pace = if way.tcp { 1_000_000 } else { 1000 };
        let proxy = way.proxy().await;
        proxy.answer_automatically("MESSAGE");
        let config =
            Config::new()
                .outbound_proxy(&proxy.proxy_uri())
                .set("pager", "messages_per_s", pace);
        let daemon = way.start(config).await;
        // The list of a thousand is too large for UDP.
        let agent = WAYS[1].agent(&daemon).await;
        let people: Vec<String> = (0..1000).map(person).collect();
        let before_s = processor_s(daemon.pid());
        for number in 1..=lists {
            assert_eq!(agent.request(to_list(&people)).await.status(), 202);
            let all = f64::from(number) * 1000.0;
            daemon
                .wait_metric_within(MINUTE, "msrp_sip_messages_taken_total", |n| n >= all)
                .await;
        }
        let used_s = processor_s(daemon.pid()) - before_s;
        let messages = f64::from(lists) * 1000.0;
        let peak = resident_peak_kib(daemon.pid());
        let transport = if way.tcp { "tcp" } else { "udp" };
        println!(
            "{transport},{messages},{used_s:.2},{:.0},{peak}",
            messages / used_s
        );
        assert_eq!(daemon.metric("msrp_sip_messages_failed_total").await, 0.0);
        assert!(peak < 96 * 1024, "{peak} KiB");
    }
}

#[tokio::test]
async fn lists_of_a_thousand_are_sent_in_bounded_memory() {
    measure(2).await;
}

#[tokio::test]
#[ignore = "a figure: MSRPD_BIN=target/release/msrpd cargo test -p msrpd-tests --test message_rate -- --ignored --nocapture"]
async fn messages_of_many_lists_cost_this_much() {
    measure(10).await;
}
