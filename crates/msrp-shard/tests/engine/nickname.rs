//! Nicknames, as controllers hear of them.

use msrp_control::{Event, EventStream, LocalMedia, Media as Offer, ParticipantConfig};
use msrp_control::{ParticipantId, RoomConfig, RoomId};
use msrp_testkit::{Media, MsrpEndpoint};

use crate::node::{backends, config, identity, node};

/// The next change of a nickname: whose, and to what.
async fn next_change(events: &mut EventStream) -> (String, Option<String>) {
    loop {
        let event = events.recv().await.unwrap();
        if let Event::NicknameChanged {
            participant,
            nickname,
            ..
        } = event
        {
            return (participant.as_str().to_owned(), nickname);
        }
    }
}

#[tokio::test]
async fn nickname_that_changes_is_told_once_and_a_refused_one_never() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let mut events = node.client.subscribe();
        alice.ask_nickname("  Al ", 200).await;
        alice.ask_nickname("Al", 200).await;
        bob.ask_nickname("AL", 425).await;
        bob.ask_nickname("\u{1}", 424).await;
        alice.ask_nickname("", 200).await;
        alice.ask_nickname("", 200).await;
        bob.ask_nickname("AL", 200).await;
        for (who, nickname) in [("alice", Some("Al")), ("alice", None), ("bob", Some("AL"))] {
            let expected = (who.to_owned(), nickname.map(str::to_owned));
            assert_eq!(next_change(&mut events).await, expected);
        }
        for (label, count) in [("NICKNAME", 7), ("424", 1), ("425", 1)] {
            let name = match label {
                "NICKNAME" => "msrp_requests_received_total",
                _ => "msrp_responses_sent_total",
            };
            assert_eq!(node.metric(name, Some(label)), count, "{label}");
        }
    }
}

// covers: MSRP-7701-8-01
#[tokio::test]
async fn description_declares_what_the_rules_of_its_room_allow() {
    let node = node(config(ring_io::Want::Auto, 1)).await;
    for (number, nicknames, private_messages, line) in [
        (0, false, false, "a=chatroom"),
        (1, true, false, "a=chatroom:nickname"),
        (2, false, true, "a=chatroom:private-messages"),
        (3, true, true, "a=chatroom:nickname private-messages"),
    ] {
        let room = RoomId::new(&format!("room{number}")).unwrap();
        let rules = RoomConfig {
            uris: vec![format!("sip:room{number}@example.com")],
            message_octets_max: None,
            private_messages,
            addressing: msrp_control::Addressing::Oma,
            nicknames,
        };
        node.client.create_room(room.clone(), rules).await.unwrap();
        let endpoint = MsrpEndpoint::bind().await;
        let offered = Offer::Offer(endpoint.media().to_string());
        for (name, media) in [("caller", offered), ("invitee", Offer::MakeOffer)] {
            let config = ParticipantConfig {
                identities: vec![identity(name)],
                entity: identity(name),
                is_hidden: false,
                may_send_private: true,
                shows_release: true,
                charging: None,
            };
            let participant = ParticipantId::new(name).unwrap();
            let local = LocalMedia::default();
            let added =
                node.client
                    .add_participant(room.clone(), participant, config, media, local);
            let media = Media::parse(&added.await.unwrap());
            let declared: Vec<_> = media
                .lines
                .iter()
                .filter(|l| l.contains("chatroom"))
                .collect();
            assert_eq!(declared, [line], "{name}");
        }
    }
}
