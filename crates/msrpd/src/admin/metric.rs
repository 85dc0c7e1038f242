//! Every metric that `/metrics` shows, and those of the process itself.

use std::fmt::Write as _;

use msrp_control::metrics::{Kind, Sample};
use msrp_sip::ua_rsipstack;

use super::process;
use crate::{certificates, usage};

/// Name, help and kind of a metric.
pub type Metric = (&'static str, &'static str, Kind);

/// The metrics of a process that started at this time, seconds since 1970.
pub(super) fn of_process(start_s: u64) -> Vec<Sample> {
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    let mut all = vec![
        sample(START_TIME, Vec::new(), start_s),
        sample(BUILD_INFO, version, 1),
    ];
    let values = process::Used::look();
    let values = PROCESS.into_iter().zip(values.in_order());
    all.extend(values.map(|(metric, value)| sample(metric, Vec::new(), value)));
    all
}

/// The text of `docs/metrics.md`.
#[must_use]
pub fn document() -> String {
    let mut text = String::from(HEAD);
    let process = [START_TIME, BUILD_INFO].into_iter().chain(PROCESS);
    let process: Vec<Metric> = process.chain([certificates::METRIC]).collect();
    section(&mut text, "Process", &process);
    section(&mut text, "MSRP engine", &msrp_shard::METRICS());
    for (name, help) in msrp_shard::HISTOGRAMS {
        let _ = writeln!(text, "| `{name}` | histogram | {help} |");
    }
    section(&mut text, "SIP focus", SIP);
    section(&mut text, "Usage records", &usage::METRICS);
    text
}

fn section(text: &mut String, title: &str, metrics: &[Metric]) {
    let _ = write!(
        text,
        "\n## {title}\n\n| Metric | Kind | Meaning |\n| --- | --- | --- |\n"
    );
    for (name, help, kind) in metrics {
        let kind = kind.as_str();
        let _ = writeln!(text, "| `{name}` | {kind} | {help} |");
    }
}

fn sample(metric: Metric, labels: Vec<(&'static str, String)>, value: u64) -> Sample {
    let (name, help, kind) = metric;
    Sample {
        name,
        help,
        kind,
        labels,
        value,
    }
}

const START_TIME: Metric = (
    "process_start_time_seconds",
    "When the process started, seconds since 1970.",
    Kind::Gauge,
);
const BUILD_INFO: Metric = (
    "msrpd_build_info",
    "Always 1; the label `version` says what runs.",
    Kind::Gauge,
);

/// What the process uses, as `/proc` tells it, in the order of [`process::Used::in_order`].
const PROCESS: [Metric; 4] = [
    (
        "process_cpu_seconds_total",
        "Processor time of all threads, in seconds.",
        Kind::CounterNs,
    ),
    (
        "process_resident_memory_bytes",
        "Resident memory, in octets.",
        Kind::Gauge,
    ),
    (
        "process_open_fds",
        "File descriptors that are open. Each connection has one.",
        Kind::Gauge,
    ),
    (
        "process_max_fds",
        "Most file descriptors that may be open.",
        Kind::Gauge,
    ),
];

/// The metrics of the SIP focus. Those with a label appear with their first count.
const SIP: &[Metric] = &[
    ("msrp_sip_conferences", "Conferences that run.", Kind::Gauge),
    (
        "msrp_sip_dialogs",
        "SIP dialogs of participants.",
        Kind::Gauge,
    ),
    (
        "msrp_sip_subscriptions",
        "Subscriptions to conferences and to the outcome of REFERs.",
        Kind::Gauge,
    ),
    (
        "msrp_sip_invites_total",
        "Final answers to INVITEs that arrived, by status (`code`).",
        Kind::Counter,
    ),
    (
        "msrp_sip_refusals_total",
        "Requests that were refused, by `reason`.",
        Kind::Counter,
    ),
    (
        ua_rsipstack::METRICS[0].0,
        ua_rsipstack::METRICS[0].1,
        Kind::Counter,
    ),
    (
        ua_rsipstack::METRICS[1].0,
        ua_rsipstack::METRICS[1].1,
        Kind::Counter,
    ),
    (
        "msrp_sip_messages_waiting",
        "MESSAGEs that wait to be sent.",
        Kind::Gauge,
    ),
    (
        "msrp_sip_messages_taken_total",
        "MESSAGEs that were sent and answered with a 2xx.",
        Kind::Counter,
    ),
    (
        "msrp_sip_messages_failed_total",
        "MESSAGEs that were not taken, or could not be sent.",
        Kind::Counter,
    ),
];

const HEAD: &str = "\
# Metrics

`GET /metrics` on the admin address answers in the Prometheus text format, version 0.0.4, or in the
protobuf format for whoever names it first in `Accept`. Counters start at 0 with the process. No label
holds a user, a room or a call.

Histograms have classic buckets in both formats, and in the protobuf format native ones beside them:
eight buckets for each doubling, from a microsecond to 64 s, so that a quantile is never off by more than a
tenth. Prometheus asks for them with `--enable-feature=native-histograms`, or `scrape_native_histograms` in
later versions.

This file is written from the declarations in the code; a test compares the two.
";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn metrics_document_agrees_with_the_code() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
        let document = document();
        if std::env::var_os("MSRPD_WRITE_DOCS").is_some() {
            std::fs::write(&file, &document).unwrap();
        }
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(
            written == document,
            "run the test once with MSRPD_WRITE_DOCS=1 to write {file:?}"
        );
    }

    #[test]
    fn metrics_are_declared_once() {
        let mut all = vec![START_TIME.0, BUILD_INFO.0];
        all.extend(msrp_shard::METRICS().iter().map(|m| m.0));
        all.extend(SIP.iter().chain(&usage::METRICS).map(|m| m.0));
        all.extend(PROCESS.iter().map(|m| m.0));
        all.push(certificates::METRIC.0);
        all.extend(msrp_shard::HISTOGRAMS.map(|(name, _)| name));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
