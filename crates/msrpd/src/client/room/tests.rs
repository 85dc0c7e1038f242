use std::net::Ipv4Addr;

use msrp_sip::ua::{DialogEnd, Headers, UaEvent};
use tokio::io::AsyncWriteExt;

use super::*;
use crate::client::fake_switch::FakeSwitch;
use crate::client::fake_ua::{Call, DIALOG, FakeUa, Script, fake_ua, invitation, response};

/// Joins a room whose switch answers the first request with this status.
async fn join(status: &str) -> (Result<Room<FakeUa>, JoinError>, FakeSwitch, Script) {
    let listener = FakeSwitch::listen().await;
    let sdp = listener.sdp();
    let (ua, events, script) = fake_ua();
    script
        .respond(response(200, Headers::new(), Some(&sdp)))
        .await;
    let serve = listener.bind(status);
    let invitation = invitation();
    let room = Room::join(ua, events, &invitation, Ipv4Addr::LOCALHOST.into());
    let (room, switch) = tokio::join!(room, serve);
    (room, switch, script)
}

// covers: CLI-7.1.3.2-01, CLI-7.1.3.2-02
#[tokio::test]
async fn room_message_is_sent_and_accepted() {
    let (room, mut switch, _script) = join("200 OK").await;
    let room = room.unwrap();
    let sent = tokio::spawn(room.send("hello"));
    let request = switch.request().await;
    for part in [
        "Content-Type: message/cpim\r\n",
        "\r\n\r\nFrom: \"Alice\" <sip:alice@localhost>\r\nTo: <sip:demo@localhost>\r\nDateTime: 20",
        "\r\n\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhello\r\n-------",
    ] {
        assert!(request.contains(part), "{part} in {request}");
    }
    switch.answer(&request, "200 OK").await;
    assert_eq!(sent.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn room_message_refused_tells_status_and_phrase() {
    let (room, mut switch, _script) = join("200 OK").await;
    let room = room.unwrap();
    let sent = tokio::spawn(room.send("hello"));
    let request = switch.request().await;
    switch.answer(&request, "403").await;
    assert_eq!(
        sent.await.unwrap().unwrap_err().to_string(),
        "403 Forbidden"
    );
}

#[tokio::test]
async fn room_message_longer_than_the_room_takes_is_not_sent() {
    let (room, _switch, _script) = join("200 OK").await;
    let refusal = room.unwrap().send(&"x".repeat(5000)).await.unwrap_err();
    assert_eq!(refusal.status, 413);
}

#[tokio::test]
async fn room_message_of_another_is_told_and_answered() {
    let (room, mut switch, script) = join("200 OK").await;
    let mut room = room.unwrap();
    let Some(Call::Invite(invite)) = script.calls().into_iter().next() else {
        panic!("no INVITE");
    };
    let offer = String::from_utf8(invite.body.unwrap().octets).unwrap();
    let own = offer
        .lines()
        .find_map(|l| l.strip_prefix("a=path:"))
        .unwrap();
    let text = format!(
        "MSRP abcd SEND\r\nTo-Path: {own}\r\nFrom-Path: msrp://127.0.0.1/peer;tcp\r\n\
         Message-ID: mess\r\nContent-Type: message/cpim\r\n\r\nFrom: Bob <sip:bob@localhost>\r\n\
         To: <sip:demo@localhost>\r\n\r\nContent-Type: text/plain\r\n\r\nhi\r\n-------abcd$\r\n"
    );
    switch.stream.write_all(text.as_bytes()).await.unwrap();
    let event = ChatEvent::Message {
        from: "sip:bob@localhost".to_owned(),
        display: Some("Bob".to_owned()),
        text: "hi".to_owned(),
    };
    assert_eq!(room.next().await, event);
    assert!(switch.request().await.starts_with("MSRP abcd 200"));
}

#[tokio::test]
async fn room_whose_switch_refuses_the_session_is_left_with_bye() {
    let (room, _switch, script) = join("481").await;
    let error = room.err().unwrap();
    assert!(
        matches!(&error, JoinError::Session(r) if r.status == 481),
        "{error}"
    );
    assert_eq!(script.calls().last(), Some(&Call::Bye));
}

#[tokio::test]
async fn room_ends_with_the_connection() {
    let (room, switch, _script) = join("200 OK").await;
    let mut room = room.unwrap();
    drop(switch);
    let ended = ChatEvent::Ended {
        reason: "the switch closed the connection".to_owned(),
    };
    assert_eq!(room.next().await, ended);
    assert_eq!(room.next().await, ended);
    assert_eq!(room.send("x").await.unwrap_err().status, 408);
}

#[tokio::test]
async fn room_ends_with_bye_of_the_other_side() {
    let (room, _switch, script) = join("200 OK").await;
    script
        .tell(UaEvent::Ended {
            dialog: DIALOG,
            why: DialogEnd::Bye,
        })
        .await;
    let ended = ChatEvent::Ended {
        reason: "the room ended the session".to_owned(),
    };
    assert_eq!(room.unwrap().next().await, ended);
}

#[tokio::test]
async fn room_left_sends_bye() {
    let (room, _switch, script) = join("200 OK").await;
    room.unwrap().leave().await;
    assert_eq!(script.calls().last(), Some(&Call::Bye));
}
