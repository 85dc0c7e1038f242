//! `msrpctl events`: what happens, as it happens.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use msrp_control::RoomId;
use serde_json::Value;

use super::clock::clock_time;
use super::fault::Fault;
use super::lines::Lines;
use super::output::{cell, say};
use super::rooms::room_id;
use super::server::Server;

/// Which events are wanted.
#[derive(Debug, Clone, clap::Args)]
pub struct EventArguments {
    /// Only events of these types, with commas between, for example participant_lost.
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    pub types: Vec<String>,
    /// Only events of these rooms, with commas between.
    #[arg(long, value_name = "ROOM", value_delimiter = ',', value_parser = room_id)]
    pub rooms: Vec<RoomId>,
    /// Go on behind this cursor, which an event had; "state" tells first what runs.
    #[arg(long, value_name = "CURSOR", default_value = "latest")]
    pub cursor: String,
}

/// Shows events until it is ended. A connection that breaks is made anew, and goes on where it was.
pub(super) async fn run(
    server: &Server,
    arguments: &EventArguments,
    is_json: bool,
) -> Result<(), Fault> {
    let mut cursor = arguments.cursor.clone();
    let mut body = server.stream(&path(arguments, &cursor)?).await?;
    loop {
        if let Err(fault) = follow(server, body, &mut cursor, is_json).await {
            eprintln!("{fault}\nconnecting again ...");
        }
        body = loop {
            tokio::time::sleep(RETRY_AFTER).await;
            match server.stream(&path(arguments, &cursor)?).await {
                Ok(body) => break body,
                Err(Fault::Unreachable { .. }) => {}
                Err(fault) => return Err(fault),
            }
        };
    }
}

fn path(arguments: &EventArguments, cursor: &str) -> Result<String, Fault> {
    let is_safe = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b','))
    };
    let types = arguments.types.join(",");
    for text in [&types, cursor] {
        if !is_safe(text) {
            let sentence = format!("{text}: expected letters, digits, - and _ only");
            return Err(Fault::Local(sentence));
        }
    }
    let rooms: Vec<_> = arguments.rooms.iter().map(RoomId::as_str).collect();
    let cursor = if cursor == "state" { "" } else { cursor };
    let mut path = format!("/v1/events?cursor={cursor}");
    for (name, list) in [("types", types), ("rooms", rooms.join(","))] {
        if !list.is_empty() {
            path.push_str(&format!("&{name}={list}"));
        }
    }
    Ok(path)
}

/// Shows one stream to its end.
async fn follow(
    server: &Server,
    body: Body,
    cursor: &mut String,
    is_json: bool,
) -> Result<(), Fault> {
    let mut stream = body.into_data_stream();
    let mut lines = Lines::default();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| server.broken(&error))?;
        lines.push(&part);
        while let Some(line) = lines.next() {
            if let Some(id) = line.strip_prefix("id: ") {
                id.clone_into(cursor);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                show(data, is_json);
            }
        }
    }
    Err(server.broken(&"the stream ended"))
}

fn show(data: &str, is_json: bool) {
    if is_json {
        return say(data);
    }
    let Ok(event) = serde_json::from_str::<Value>(data) else {
        return;
    };
    if let Some(line) = sentence(&event) {
        say(&line);
    }
}

/// An event as one line; what the stream says of itself is left out, unless something is missing.
fn sentence(event: &Value) -> Option<String> {
    let kind = event.get("type")?.as_str()?;
    let mut line = match kind {
        "progress" | "snapshot_end" => return None,
        "snapshot" => {
            let count = event.get("participants").and_then(Value::as_array);
            let count = count.map_or(0, Vec::len);
            return Some(format!(
                "--:--:--  {:<20}  {}  {count} participants",
                "runs",
                cell(event, "room")
            ));
        }
        "gap" => return Some("--:--:--  events were missed".to_owned()),
        kind => {
            let time = event.get("time_ms").and_then(Value::as_u64);
            let time = time.map_or_else(|| "--:--:--".to_owned(), clock_time);
            format!("{time}  {kind:<20} ")
        }
    };
    for name in ["room", "participant"] {
        if event.get(name).is_some() {
            line.push_str(&format!(" {}", cell(event, name)));
        }
    }
    let more = event.as_object()?.iter().filter(|(name, value)| {
        let is_told = ["type", "cursor", "time_ms", "room", "participant"].contains(&name.as_str());
        !is_told && !value.is_object() && !value.is_array()
    });
    for (name, _) in more {
        line.push_str(&format!("  {name}={}", cell(event, name)));
    }
    Some(line)
}

/// Wait before a connection that broke is made anew.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn event_is_one_line_with_everything_that_it_tells() {
        let event = json!({
            "type": "participant_lost", "cursor": "1-2", "time_ms": 45_296_000, "room": "lunch",
            "participant": "alice", "reason": "stalled",
        });
        assert_eq!(
            sentence(&event).unwrap(),
            "12:34:56  participant_lost      lunch alice  reason=stalled"
        );
        assert_eq!(
            sentence(&json!({ "type": "progress", "cursor": "1-2" })),
            None
        );
    }

    #[test]
    fn path_holds_what_was_chosen_and_nothing_that_breaks_it() {
        let arguments = EventArguments {
            types: vec!["room_started".to_owned(), "room_closed".to_owned()],
            rooms: vec![RoomId::new("lunch").unwrap()],
            cursor: "latest".to_owned(),
        };
        let expected = "/v1/events?cursor=latest&types=room_started,room_closed&rooms=lunch";
        assert_eq!(path(&arguments, "latest").unwrap(), expected);
        assert!(path(&arguments, "a&b").is_err());
    }
}
