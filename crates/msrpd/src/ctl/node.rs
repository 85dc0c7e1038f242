//! The node: what it carries, whether it takes new rooms, and reading its files anew.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::exposition::Exposition;
use super::fault::{FAILED, Fault};
use super::output::{cell, put, say, table};
use super::server::Server;
use crate::config::Config;
use crate::groups::GroupSource;

/// `msrpctl status`; the status is 0 when the node is ready.
pub(super) async fn status(server: &Server, is_json: bool) -> Result<ExitCode, Fault> {
    let (ready, metrics, node) = tokio::try_join!(
        server.ask_any(Method::GET, "/readyz", None),
        server.ask(Method::GET, "/metrics", None),
        server.get("/v1/node"),
    )?;
    let metrics = Exposition::new(&metrics.body);
    let state = ready.body.trim();
    if is_json {
        let mut document = json!({ "state": state, "node": node });
        for (_, name) in SHOWN {
            document[name] = metrics.sum(name).into();
        }
        say(&document.to_string());
    } else {
        say(&format!("{:<14}{state}", "state"));
        for (title, name) in SHOWN {
            if let Some(value) = metrics.sum(name) {
                say(&format!("{title:<14}{value}"));
            }
        }
        say(&format!("{:<14}{}", "version", cell(&node, "version")));
    }
    Ok(if ready.status == 200 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

/// How a drain is asked for.
#[derive(Debug, Clone, clap::Args)]
pub struct DrainArguments {
    /// Seconds after which msrpd ends what is left, and itself; it ends sooner when nobody is left.
    /// Without it nothing is ended.
    #[arg(long, value_name = "SECONDS")]
    pub deadline: Option<u32>,
    /// Refuse new participants as well.
    #[arg(long)]
    pub sessions: bool,
    /// What every room is told, as a message of the room.
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Wait until nobody takes part any more; the status is 1 when the deadline cut somebody off.
    #[arg(long)]
    pub wait: bool,
}

impl DrainArguments {
    /// What the API is asked; nothing where everything is as usual.
    fn body(&self) -> Option<Value> {
        let mut body = json!({});
        if let Some(seconds) = self.deadline {
            body["deadline_s"] = seconds.into();
        }
        if self.sessions {
            body["refuse"] = "sessions".into();
        }
        if let Some(message) = &self.message {
            body["message"] = message.as_str().into();
        }
        body.as_object()
            .is_some_and(|body| !body.is_empty())
            .then_some(body)
    }
}

/// `msrpctl drain`.
pub(super) async fn drain(
    server: &Server,
    arguments: &DrainArguments,
    is_json: bool,
) -> Result<ExitCode, Fault> {
    let body = arguments.body();
    let node = server.send(Method::POST, "/v1/node:drain", body).await?;
    if arguments.deadline.is_some() && node.get("ends_in_s").is_none() {
        return Err(Fault::Local(
            "msrpd drains, but this version of it knows no deadline: nothing will be ended. \
             msrpctl undrain takes it back."
                .to_owned(),
        ));
    }
    if !arguments.wait {
        tell_drained(&node, is_json);
        return Ok(ExitCode::SUCCESS);
    }
    let deadline = arguments.deadline.map(u64::from).map(Duration::from_secs);
    wait_until_drained(server, node, deadline, is_json).await
}

/// Looks until nobody is left, or the node has ended itself.
async fn wait_until_drained(
    server: &Server,
    mut node: Value,
    deadline: Option<Duration>,
    is_json: bool,
) -> Result<ExitCode, Fault> {
    let began = tokio::time::Instant::now();
    let left = |node: &Value| {
        let count = node.get("participants_count").and_then(Value::as_u64);
        count.unwrap_or(0)
    };
    let mut told = None;
    while left(&node) > 0 {
        if told != Some(left(&node)) && !is_json {
            tell_drained(&node, false);
        }
        told = Some(left(&node));
        tokio::time::sleep(LOOK_EVERY).await;
        node = match server.get("/v1/node").await {
            Ok(node) => node,
            // It has ended: because nobody was left, unless its time was over.
            Err(Fault::Unreachable { .. }) if deadline.is_some() => {
                let is_over = deadline.is_some_and(|deadline| began.elapsed() >= deadline);
                return Ok(tell_ended(left(&node), is_over, is_json));
            }
            Err(fault) => return Err(fault),
        };
        if node.get("draining") == Some(&Value::Bool(false)) {
            return Err(Fault::Local(
                "somebody undid the drain; msrpd takes new rooms".to_owned(),
            ));
        }
    }
    tell_drained(&node, is_json);
    Ok(ExitCode::SUCCESS)
}

/// Says how a node has ended that had so many participants when it was looked at last.
fn tell_ended(left: u64, is_over: bool, is_json: bool) -> ExitCode {
    let cut_off = if is_over { left } else { 0 };
    if is_json {
        say(&json!({ "ended": true, "participants_cut_off": cut_off }).to_string());
    } else if cut_off == 0 {
        say("msrpd has ended; nobody was left");
    } else {
        say(&format!(
            "msrpd has ended at the deadline; up to {cut_off} participants were cut off"
        ));
    }
    ExitCode::from(if cut_off == 0 { 0 } else { FAILED })
}

/// `msrpctl undrain`.
pub(super) async fn undrain(server: &Server, is_json: bool) -> Result<(), Fault> {
    let node = server.send(Method::POST, "/v1/node:undrain", None).await?;
    if is_json {
        say(&node.to_string());
    } else {
        say("msrpd takes new rooms again");
    }
    Ok(())
}

/// `msrpctl reload`.
pub(super) async fn reload(server: &Server, is_json: bool) -> Result<(), Fault> {
    let reloaded = server.send(Method::POST, "/v1/node:reload", None).await?;
    if is_json {
        say(&reloaded.to_string());
        return Ok(());
    }
    let warnings = reloaded.get("warnings").and_then(Value::as_array);
    for warning in warnings.into_iter().flatten() {
        if let Some(warning) = warning.as_str() {
            say(&format!("{warning}\n  what was read before stays in force"));
        }
    }
    say("msrpd has read its groups and certificates anew");
    if reloaded.get("needs_restart") == Some(&Value::Bool(true)) {
        say("the configuration file has changed: restart msrpd for that to be in force");
    }
    Ok(())
}

/// `msrpctl check`: the same as `msrpd check`, without a node.
pub(super) fn check(file: &Path, is_json: bool) -> ExitCode {
    let faults = match Config::load(file) {
        Err(error) => vec![error.to_string()],
        Ok(config) => match GroupSource::open(&config.groups.directory) {
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
            Ok(_) => Vec::new(),
        },
    };
    if is_json {
        let name = file.display().to_string();
        say(&json!({ "file": name, "ok": faults.is_empty(), "faults": faults }).to_string());
    } else if faults.is_empty() {
        say(&format!("{}: ok", file.display()));
    } else {
        for fault in &faults {
            eprintln!("{fault}");
        }
    }
    ExitCode::from(if faults.is_empty() { 0 } else { FAILED })
}

fn tell_drained(node: &Value, is_json: bool) {
    if is_json {
        return say(&node.to_string());
    }
    let rows = [
        ["draining", "rooms left", "participants left"],
        ["draining", "rooms_count", "participants_count"],
    ];
    let [titles, names] = rows;
    let row = |(title, name): (&str, &str)| vec![title.to_owned(), cell(node, name)];
    let rows: Vec<_> = titles.into_iter().zip(names).map(row).collect();
    put(&table(&rows));
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
/// How often a drain is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drain_asks_for_what_was_said_alone() {
        let mut arguments = DrainArguments {
            deadline: None,
            sessions: false,
            message: None,
            wait: true,
        };
        assert_eq!(arguments.body(), None);
        arguments.deadline = Some(600);
        arguments.sessions = true;
        arguments.message = Some("closing".to_owned());
        let expected = json!({ "deadline_s": 600, "refuse": "sessions", "message": "closing" });
        assert_eq!(arguments.body(), Some(expected));
    }

    #[test]
    fn status_shown_metrics_exist() {
        let all: Vec<_> = msrp_shard::METRICS()
            .into_iter()
            .map(|(name, ..)| name)
            .collect();
        for (_, name) in SHOWN {
            assert!(all.contains(name), "{name}");
        }
    }
}
