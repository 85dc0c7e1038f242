//! The state of the rooms and of the relays, told in parts.

use msrp_control::{Client, RoomId};
use serde_json::json;

use super::consumer::Ended;
use crate::limits::PAGE_MAX;
use crate::page::cut;
use crate::participant::ParticipantBody;
use crate::relay::RelayBody;
use crate::room::RoomBody;

/// Tells each room with its participants, in parts of at most a page. A room that ends meanwhile is
/// left out, or breaks off: the events behind tell of its end. Relays follow, unless rooms are chosen.
pub(super) async fn tell<F: Future<Output = Result<(), Ended>>>(
    client: &Client,
    wanted: Option<&[RoomId]>,
    tell: impl Fn(String) -> F,
) -> Result<(), Ended> {
    if let Some(rooms) = wanted {
        for room in rooms {
            tell_room(client, room, &tell).await?;
        }
        return Ok(());
    }
    let mut after = None;
    loop {
        let rooms = client.rooms(after, PAGE_MAX).await.map_err(|_| Ended)?;
        for room in &rooms {
            tell_room(client, &room.room, &tell).await?;
        }
        match rooms.last() {
            Some(last) if rooms.len() == PAGE_MAX => after = Some(last.room.clone()),
            _ => break,
        }
    }
    tell_relays(client, &tell).await
}

async fn tell_relays<F: Future<Output = Result<(), Ended>>>(
    client: &Client,
    tell: &impl Fn(String) -> F,
) -> Result<(), Ended> {
    let mut after = None;
    loop {
        let relays = client.bridges(after, PAGE_MAX).await.map_err(|_| Ended)?;
        for relay in &relays {
            if let Ok(state) = client.bridge(relay.clone()).await {
                let state = RelayBody::new(relay, &state);
                let part = json!({ "type": "snapshot", "relay": relay.as_str(), "state": state });
                tell(part.to_string()).await?;
            }
        }
        match relays.last() {
            Some(last) if relays.len() == PAGE_MAX => after = Some(last.clone()),
            _ => return Ok(()),
        }
    }
}

async fn tell_room<F: Future<Output = Result<(), Ended>>>(
    client: &Client,
    room: &RoomId,
    tell: &impl Fn(String) -> F,
) -> Result<(), Ended> {
    let Ok(state) = client.room(room.clone()).await else {
        return Ok(());
    };
    let rules = RoomBody::new(room, state);
    let mut after = None;
    loop {
        let page = client.participants(room.clone(), after, PAGE_MAX + 1).await;
        let Ok(mut page) = page else {
            return Ok(());
        };
        after = cut(&mut page, PAGE_MAX, |entry| entry.participant.clone());
        let page = page.into_iter();
        let participants: Vec<_> = page.map(|p| ParticipantBody::new(room, p)).collect();
        let part = json!({
            "type": "snapshot",
            "room": room.as_str(),
            "rules": rules,
            "participants": participants,
            "more": after.is_some(),
        });
        tell(part.to_string()).await?;
        if after.is_none() {
            return Ok(());
        }
    }
}
