//! Rooms and participants: shown, spoken to, ended.

use axum::http::Method;
use msrp_control::{ParticipantId, RoomId};
use serde_json::{Value, json};

use super::fault::Fault;
use super::output::{cell, put, say, table};
use super::server::Server;

/// A message of the room itself.
#[derive(Debug, Clone, clap::Args)]
pub struct MessageArguments {
    /// The room.
    #[arg(value_parser = room_id)]
    pub room: RoomId,
    /// What is said; "-" reads it from stdin.
    pub text: String,
    /// Only to these participants, with commas between.
    #[arg(long, value_name = "PARTICIPANT", value_delimiter = ',', value_parser = participant_id)]
    pub to: Vec<ParticipantId>,
    /// The name that the message shows as its sender.
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// The media type of the text.
    #[arg(long = "type", value_name = "TYPE")]
    pub content_type: Option<String>,
}

/// `msrpctl rooms`.
pub(super) async fn list(server: &Server, is_json: bool) -> Result<(), Fault> {
    let rooms = all(server, "/v1/rooms", "rooms").await?;
    if is_json {
        say(&json!({ "rooms": rooms }).to_string());
        return Ok(());
    }
    let mut rows = vec![vec!["ROOM".to_owned(), "PARTICIPANTS".to_owned()]];
    let row = |room: &Value| vec![cell(room, "room"), cell(room, "participants_count")];
    rows.extend(rooms.iter().map(row));
    put(&table(&rows));
    Ok(())
}

/// `msrpctl room`.
pub(super) async fn show(server: &Server, room: &RoomId, is_json: bool) -> Result<(), Fault> {
    let room = server.get(&format!("/v1/rooms/{room}")).await?;
    if is_json {
        say(&room.to_string());
        return Ok(());
    }
    let mut rows: Vec<_> = SHOWN
        .iter()
        .map(|(title, name)| vec![(*title).to_owned(), cell(&room, name)])
        .collect();
    // What a later version tells more of a room.
    let known = |name: &String| SHOWN.iter().any(|(_, shown)| shown == name);
    let more = room.as_object().into_iter().flatten();
    let more = more.filter(|(name, _)| !known(name));
    rows.extend(more.map(|(name, _)| vec![name.replace('_', " "), cell(&room, name)]));
    put(&table(&rows));
    Ok(())
}

/// `msrpctl participants`.
pub(super) async fn participants(
    server: &Server,
    room: &RoomId,
    is_json: bool,
) -> Result<(), Fault> {
    let path = format!("/v1/rooms/{room}/participants");
    let participants = all(server, &path, "participants").await?;
    if is_json {
        say(&json!({ "participants": participants }).to_string());
        return Ok(());
    }
    let heads = ["PARTICIPANT", "ADDRESS", "NICKNAME", "SESSION", "REMARKS"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(participants.iter().map(participant_row));
    put(&table(&rows));
    Ok(())
}

/// `msrpctl kick`.
pub(super) async fn kick(
    server: &Server,
    room: &RoomId,
    participant: &ParticipantId,
    is_json: bool,
) -> Result<(), Fault> {
    let path = format!("/v1/rooms/{room}/participants/{participant}");
    server.send(Method::DELETE, &path, None).await?;
    done(
        is_json,
        &format!("{participant} was removed from {room}"),
        &json!({ "removed": { "room": room.as_str(), "participant": participant.as_str() } }),
    );
    Ok(())
}

/// `msrpctl close-room`.
pub(super) async fn close(server: &Server, room: &RoomId, is_json: bool) -> Result<(), Fault> {
    let path = format!("/v1/rooms/{room}");
    server.send(Method::DELETE, &path, None).await?;
    let closed = json!({ "closed": { "room": room.as_str() } });
    done(is_json, &format!("{room} was closed"), &closed);
    Ok(())
}

/// `msrpctl message`.
pub(super) async fn message(
    server: &Server,
    message: &MessageArguments,
    is_json: bool,
) -> Result<(), Fault> {
    let text = if message.text == "-" {
        let text = std::io::read_to_string(std::io::stdin());
        text.map_err(|error| Fault::Local(format!("stdin cannot be read as text: {error}")))?
    } else {
        message.text.clone()
    };
    let room = &message.room;
    let mut body = json!({ "body": text });
    if let Some(content_type) = &message.content_type {
        body["content_type"] = content_type.as_str().into();
    }
    if let Some(from) = &message.from {
        body["from_display_name"] = from.as_str().into();
    }
    if !message.to.is_empty() {
        body["to"] = message.to.iter().map(ParticipantId::as_str).collect();
    }
    let path = format!("/v1/rooms/{room}/messages");
    server.send(Method::POST, &path, Some(body)).await?;
    let accepted = json!({ "accepted": { "room": room.as_str() } });
    done(is_json, &format!("{room} takes the message"), &accepted);
    Ok(())
}

/// All pages of a list.
async fn all(server: &Server, path: &str, name: &str) -> Result<Vec<Value>, Fault> {
    let mut entries = Vec::new();
    let mut after = String::new();
    loop {
        let page = server.get(&format!("{path}?limit={PAGE}{after}")).await?;
        let on_page = page.get(name).and_then(Value::as_array);
        entries.extend(on_page.into_iter().flatten().cloned());
        match page.get("next").and_then(Value::as_str) {
            // An id holds only characters that stand in a query as they are.
            Some(next) => after = format!("&after={next}"),
            None => return Ok(entries),
        }
    }
}

fn participant_row(participant: &Value) -> Vec<String> {
    let is = |name: &str| participant.get(name) == Some(&Value::Bool(true));
    let mut remarks: Vec<&str> = REMARKS
        .iter()
        .filter(|(name, _)| is(name))
        .map(|(_, remark)| *remark)
        .collect();
    if participant.get("may_send_private") == Some(&Value::Bool(false)) {
        remarks.push("no private messages");
    }
    vec![
        cell(participant, "participant"),
        cell(participant, "entity"),
        cell(participant, "nickname"),
        if is("bound") { "connected" } else { "waiting" }.to_owned(),
        remarks.join(", "),
    ]
}

/// Says that something was done.
fn done(is_json: bool, sentence: &str, document: &Value) {
    if is_json {
        say(&document.to_string());
    } else {
        say(sentence);
    }
}

/// Reads the id of a room.
pub(super) fn room_id(text: &str) -> Result<RoomId, String> {
    RoomId::new(text).map_err(|error| format!("{error}; msrpctl rooms shows the ids"))
}

/// Reads the id of a participant.
pub(super) fn participant_id(text: &str) -> Result<ParticipantId, String> {
    ParticipantId::new(text)
        .map_err(|error| format!("{error}; msrpctl participants ROOM shows the ids"))
}

/// What is shown of a room: a title and the field.
const SHOWN: &[(&str, &str)] = &[
    ("room", "room"),
    ("addresses", "uris"),
    ("participants", "participants_count"),
    ("longest message", "message_octets_max"),
    ("private messages", "private_messages"),
    ("nicknames", "nicknames"),
    ("addressing", "addressing"),
];
/// What is remarked of a participant when the field is true.
const REMARKS: &[(&str, &str)] = &[
    ("muted", "muted"),
    ("hidden", "hidden"),
    ("takes_private", "takes private messages"),
];
/// Entries of a page.
const PAGE: usize = msrp_api::limits::PAGE_MAX;
