//! `msrpctl status`: a few sums of a running node.

use std::net::SocketAddr;
use std::process::ExitCode;

use crate::http;

/// Asks the admin server and prints; the status is 0 when the node is ready.
pub(super) async fn run(admin: SocketAddr) -> ExitCode {
    let answers = tokio::try_join!(http::get(admin, "/readyz"), http::get(admin, "/metrics"));
    let (ready, metrics) = match answers {
        Ok(answers) => answers,
        Err(error) => {
            eprintln!("the admin server at {admin} did not answer: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{:<14}{}", "state", ready.body.trim());
    for (title, name) in SHOWN {
        if let Some(value) = sum(&metrics.body, name) {
            println!("{title:<14}{value}");
        }
    }
    if ready.status == 200 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The sum of all values of a metric; `None` when there is none.
fn sum(exposition: &str, name: &str) -> Option<u64> {
    let mut total = None;
    for line in exposition.lines() {
        let Some(rest) = line
            .strip_prefix(name)
            .filter(|rest| rest.starts_with(['{', ' ']))
        else {
            continue;
        };
        let value = rest
            .rsplit(' ')
            .next()
            .and_then(|value| value.parse::<u64>().ok())?;
        total = Some(total.unwrap_or(0_u64).saturating_add(value));
    }
    total
}

/// What is shown: a title and the metric.
const SHOWN: &[(&str, &str)] = &[
    ("shards", "msrp_shards"),
    ("rooms", "msrp_rooms"),
    ("participants", "msrp_participants"),
    ("connections", "msrp_connections"),
    ("requests", "msrp_requests_received_total"),
    ("copies", "msrp_copies_total"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_adds_the_values_of_one_metric() {
        let text = "# TYPE a counter\na{l=\"x y\"} 1\na{l=\"z\"} 2\na_total 9\nb 7\n";
        assert_eq!(sum(text, "a"), Some(3));
        assert_eq!(sum(text, "b"), Some(7));
        assert_eq!(sum(text, "c"), None);
    }

    #[test]
    fn sum_shown_metrics_exist() {
        let all: Vec<_> = msrp_shard::METRICS()
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        for (_, name) in SHOWN {
            assert!(all.contains(name), "{name}");
        }
    }
}
