//! What controllers do to a room that runs.

use msrp_control::{
    CopyCounts, Drain, EndReason, ErrorCode, Event, MessageClass, MessageOutcome, MessageTo,
    OwnMessage, ParticipantConfig, ParticipantId, RoomId, Told,
};
use msrp_testkit::{Draft, Flag, MsrpEndpoint};

use crate::node::{Node, ROOM, backends, config, identity, node};

fn id(name: &str) -> ParticipantId {
    ParticipantId::new(name).unwrap()
}

fn known(name: &str) -> ParticipantConfig {
    ParticipantConfig {
        identities: vec![identity(name)],
        entity: identity(name),
        is_hidden: false,
        may_send_private: true,
        shows_release: false,
        charging: None,
    }
}

async fn update(node: &Node, name: &str, config: ParticipantConfig) {
    let updated = node
        .client
        .update_participant(node.room.clone(), id(name), config);
    updated.await.unwrap();
}

fn notice(to: MessageTo) -> OwnMessage {
    OwnMessage {
        to,
        from_display_name: Some("SysAdmin".to_owned()),
        content_type: "text/plain".to_owned(),
        body: b"closing at noon".to_vec(),
    }
}

// covers: SYS-7.2.3.5-01, SYS-7.2.3.5-02, SYS-7.2.3.5-03, SYS-7.2.3.5-04
#[tokio::test]
async fn room_message_of_a_controller_reaches_each_in_a_wrapper_of_its_own() {
    for want in backends() {
        let node = node(config(want, 2)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let send = |to| node.client.send_message(node.room.clone(), notice(to));
        send(MessageTo::Room).await.unwrap();
        for (peer, name) in [(&alice, "alice"), (&bob, "bob")] {
            let message = peer.expect_message().await;
            let cpim = message.cpim();
            assert_eq!(cpim.text(), "closing at noon");
            assert_eq!(cpim.to_uris(), [identity(name)]);
            assert_eq!(cpim.from_uri(), Some(ROOM));
            assert!(cpim.header("From").unwrap().starts_with("\"SysAdmin\" "));
            assert!(cpim.header("DateTime").unwrap().starts_with("20"));
        }
        let some = MessageTo::Participants(vec![id("bob")]);
        send(some).await.unwrap();
        assert_eq!(bob.expect_message().await.cpim().text(), "closing at noon");
        alice.assert_nothing_left();
        let cases = [
            (
                notice(MessageTo::Participants(vec![id("bob"), id("carol")])),
                ErrorCode::NoSuchParticipant,
            ),
            (
                OwnMessage {
                    content_type: "nonsense".to_owned(),
                    ..notice(MessageTo::Room)
                },
                ErrorCode::MalformedContent,
            ),
            (
                OwnMessage {
                    body: vec![b'x'; 32 * 1024 + 1],
                    ..notice(MessageTo::Room)
                },
                ErrorCode::MalformedContent,
            ),
        ];
        for (message, code) in cases {
            let sent = node.client.send_message(node.room.clone(), message);
            assert_eq!(sent.await.unwrap_err().code, code);
        }
        alice.assert_nothing_left();
        bob.assert_nothing_left();
    }
}

// covers: PM-7.2.3.4-04, MSRP-7701-5.2-07
#[tokio::test]
async fn private_message_needs_the_token_of_the_description_or_the_release() {
    let node = node(config(backends()[0], 2)).await;
    let alice = node.join("alice").await;
    let bob = node.join("bob").await;
    let endpoint = MsrpEndpoint::bind().await;
    let mut media = endpoint.media();
    media
        .lines
        .push("a=chatroom:nickname private-messages".to_owned());
    let answer = node.offer("carol", &media).await;
    let carol = endpoint.connect(&answer).await;
    carol.bind().await;
    let to = |name: &str| Draft::text(&identity("alice"), &identity(name), "psst");
    alice.send_ok(&to("carol")).await;
    carol.expect_text(&identity("alice"), "psst").await;
    alice.expect_all(&alice.send(&to("bob")), 403).await;
    let shows_release = ParticipantConfig {
        shows_release: true,
        ..known("bob")
    };
    update(&node, "bob", shows_release).await;
    alice.send_ok(&to("bob")).await;
    bob.expect_text(&identity("alice"), "psst").await;
    let without_right = ParticipantConfig {
        may_send_private: false,
        ..known("alice")
    };
    update(&node, "alice", without_right).await;
    alice.expect_all(&alice.send(&to("bob")), 403).await;
    bob.assert_nothing_left();
}

// covers: MSRP-7701-5.2-04, MSRP-7701-5.2-05
#[tokio::test]
async fn answer_lists_the_wrapper_and_everything_inside_it() {
    let node = node(config(backends()[0], 1)).await;
    let answer = node
        .offer("alice", &MsrpEndpoint::bind().await.media())
        .await;
    assert_eq!(answer.accept_types[0], "message/cpim");
    assert_eq!(answer.accept_wrapped_types, ["*"]);
}

#[tokio::test]
async fn messages_are_counted_by_what_they_hold() {
    let node = node(config(backends()[0], 1)).await;
    let alice = node.join("alice").await;
    let composing = "application/im-iscomposing+xml";
    let body = b"<isComposing><state>active</state></isComposing>";
    let notice = Draft::wrapped(&identity("alice"), ROOM, composing, body);
    alice.send_ok(&notice).await;
    let text = Draft::text(&identity("alice"), ROOM, "hello");
    alice.send_ok(&text).await;
    alice.send_ok(&text).await;
    // The sums of a turn are shown at its end, before the next request is read.
    alice.send_ok(&Draft::empty()).await;
    let count = |label| node.metric("msrp_messages_total", Some(label));
    assert_eq!((count("composing"), count("text")), (1, 2));
}

#[tokio::test]
async fn participant_that_is_somebody_else_now_speaks_and_is_met_as_such() {
    let node = node(config(backends()[0], 1)).await;
    let alice = node.join("alice").await;
    let bob = node.join("bob").await;
    update(&node, "alice", known("eve")).await;
    let old = Draft::text(&identity("alice"), ROOM, "old");
    alice.expect_all(&alice.send(&old), 403).await;
    alice
        .send_ok(&Draft::text(&identity("eve"), ROOM, "new"))
        .await;
    bob.expect_text(&identity("eve"), "new").await;
    let client = &node.client;
    let unknown = client.update_participant(node.room.clone(), id("x"), known("x"));
    assert_eq!(
        unknown.await.unwrap_err().code,
        ErrorCode::NoSuchParticipant
    );
    let nobody = ParticipantConfig {
        identities: Vec::new(),
        ..known("bob")
    };
    let shown = ParticipantConfig {
        identities: vec!["sip:anonymous@anonymous.invalid".to_owned()],
        is_hidden: true,
        ..known("bob")
    };
    for config in [nobody, shown] {
        let malformed = client.update_participant(node.room.clone(), id("bob"), config);
        let error = malformed.await.unwrap_err();
        assert_eq!(error.code, ErrorCode::MalformedAddress);
    }
}

// covers: ALIAS-7.2.3.2-12, MSRP-7701-6.1-04
#[tokio::test]
async fn what_a_hidden_participant_sends_names_nobody() {
    let node = node(config(backends()[0], 1)).await;
    let alice = node.join("alice").await;
    let bob = node.join("bob").await;
    let alias = "sip:anonymous@anonymous.invalid";
    let hidden = ParticipantConfig {
        identities: vec![alias.to_owned()],
        entity: alias.to_owned(),
        is_hidden: true,
        ..known("alice")
    };
    update(&node, "alice", hidden).await;
    let draft = Draft::text(alias, ROOM, "boo")
        .message_id("alice-phone-1")
        .header("X-Client", "alice")
        .mime_header("Content-ID", "<1@alice.example.com>");
    alice.send_ok(&draft).await;
    let message = bob.expect_text(alias, "boo").await;
    assert_ne!(message.id, "alice-phone-1");
    let mut names = message.headers.iter().map(|(name, _)| name.as_str());
    assert!(!names.any(|name| name == "X-Client" || name == "Content-ID"));
}

#[tokio::test]
async fn participant_that_is_removed_in_the_middle_of_a_message_gets_its_abort() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let carol = node.join("carol").await;
        let text = "x".repeat(20_000);
        let draft = Draft::text(&identity("alice"), ROOM, &text).chunk_octets(10_000);
        let tid = alice.send_chunk(&draft, 0, 10_000, Flag::More);
        alice.expect_status(&tid, 200).await;
        node.remove("bob").await;
        assert_eq!(bob.expect_message().await.ended, Flag::Abort);
        let end = draft.octets();
        alice.send_chunk(&draft, 10_000, end, Flag::Last);
        assert_eq!(carol.expect_message().await.text().len(), end);
    }
}

#[tokio::test]
async fn muted_participant_is_refused_and_receives_until_it_has_the_word_again() {
    let node = node(config(backends()[0], 2)).await;
    let alice = node.join("alice").await;
    let bob = node.join("bob").await;
    let mute = |is_muted| {
        node.client
            .set_muted(node.room.clone(), id("alice"), is_muted)
    };
    mute(true).await.unwrap();
    let text = Draft::text(&identity("alice"), ROOM, "hello");
    alice.expect_all(&alice.send(&text), 403).await;
    bob.send_ok(&Draft::text(&identity("bob"), ROOM, "hush"))
        .await;
    alice.expect_text(&identity("bob"), "hush").await;
    // Who changes what a participant is does not give it the word.
    update(&node, "alice", known("alice")).await;
    alice.expect_all(&alice.send(&text), 403).await;
    mute(false).await.unwrap();
    alice.send_ok(&text).await;
    bob.expect_text(&identity("alice"), "hello").await;
    let unknown = node.client.set_muted(node.room.clone(), id("carol"), true);
    assert_eq!(
        unknown.await.unwrap_err().code,
        ErrorCode::NoSuchParticipant
    );
}

#[tokio::test]
async fn room_and_participants_are_described_as_they_are() {
    let node = node(config(backends()[0], 2)).await;
    let other = node.another("another").await;
    let _alice = node.join("alice").await;
    node.offer("bob", &MsrpEndpoint::bind().await.media()).await;
    let client = &node.client;
    let rooms = client.rooms(None, 10).await.unwrap();
    let rooms: Vec<_> = rooms
        .iter()
        .map(|room| (room.room.as_str(), room.participants_count))
        .collect();
    assert_eq!(rooms, [("another", 0), (node.room.as_str(), 2)]);
    let behind = client.rooms(Some(other.room.clone()), 1).await.unwrap();
    assert_eq!(behind[0].room, node.room);
    let room = client.room(node.room.clone()).await.unwrap();
    assert_eq!(
        (room.config.uris[0].as_str(), room.participants_count),
        (ROOM, 2)
    );
    let all = client.participants(node.room.clone(), None, 10);
    let all = all.await.unwrap();
    let all: Vec<_> = all
        .iter()
        .map(|p| (p.participant.as_str(), p.is_bound, p.is_muted))
        .collect();
    assert_eq!(all, [("alice", true, false), ("bob", false, false)]);
    let bob = client.participants(node.room.clone(), Some(id("alice")), 1);
    let bob = bob.await.unwrap();
    assert_eq!(bob[0].config, known("bob"));
    assert_eq!(
        client.participant(node.room.clone(), id("bob")).await,
        Ok(bob[0].clone())
    );
    let nobody = client.participant(node.room.clone(), id("carol")).await;
    assert_eq!(nobody.unwrap_err().code, ErrorCode::NoSuchParticipant);
    let nothing = client.room(RoomId::new("nothing").unwrap()).await;
    assert_eq!(nothing.unwrap_err().code, ErrorCode::NoSuchRoom);
}

#[tokio::test]
async fn draining_node_refuses_new_rooms_and_goes_on_with_those_it_has() {
    let node = node(config(backends()[0], 1)).await;
    node.client.set_draining(Drain::Rooms, None).await.unwrap();
    assert_eq!(node.client.status().await.unwrap().drain, Drain::Rooms);
    let rules = node.client.room(node.room.clone()).await.unwrap().config;
    let create = || {
        let room = RoomId::new("later").unwrap();
        node.client.create_room(room, rules.clone())
    };
    assert_eq!(create().await.unwrap_err().code, ErrorCode::Draining);
    let _alice = node.join("alice").await;
    node.client.set_draining(Drain::Off, None).await.unwrap();
    create().await.unwrap();
}

fn without_duration(mut event: Event) -> Event {
    if let Event::SessionEnded { statistics, .. } = &mut event {
        statistics.duration_ms = 0;
    }
    event
}

#[tokio::test]
async fn draining_node_that_takes_no_participants_refuses_them_and_tells_all() {
    let node = node(config(backends()[0], 1)).await;
    let mut events = node.client.subscribe();
    let drain = Drain::Sessions;
    node.client.set_draining(drain, Some(60)).await.unwrap();
    let told = Event::DrainChanged {
        drain,
        deadline_s: Some(60),
    };
    assert_eq!(events.try_recv(), Ok(told));
    let endpoint = MsrpEndpoint::bind().await;
    let refused = node.try_offer("alice", &endpoint.media()).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Draining);
    node.client.set_draining(Drain::Off, None).await.unwrap();
    let _alice = node.join("alice").await;
}

#[tokio::test]
async fn new_work_beyond_a_bound_is_refused_and_told_once_a_second() {
    let mut config = config(backends()[0], 1);
    config.limits.sessions_max = 1;
    let node = node(config).await;
    let _alice = node.join("alice").await;
    let mut events = node.client.subscribe();
    let refused = async |name: &str| {
        let endpoint = MsrpEndpoint::bind().await;
        let refused = node.try_offer(name, &endpoint.media()).await;
        refused.unwrap_err().code
    };
    for name in ["bob", "carol"] {
        assert_eq!(refused(name).await, ErrorCode::Limit);
    }
    let told = |limit| Ok(Event::LimitReached { limit });
    assert_eq!(events.try_recv(), told("sessions"));
    node.client.set_overload(Some("memory")).await.unwrap();
    let rules = node.client.room(node.room.clone()).await.unwrap().config;
    let later = RoomId::new("later").unwrap();
    let refused = node.client.create_room(later.clone(), rules.clone()).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Limit);
    assert_eq!(events.try_recv(), told("memory"));
    node.client.set_overload(None).await.unwrap();
    node.client.create_room(later, rules).await.unwrap();
}

#[tokio::test]
async fn events_tell_how_messages_ended_and_what_a_session_carried() {
    for want in backends() {
        let node = node(config(want, 1)).await;
        let mut events = node.client.subscribe_with_interest();
        let alice = node.join("alice").await;
        let bob = node.join("bob").await;
        let _wanted = events.interest().in_messages();
        let draft = Draft::wrapped(&identity("alice"), ROOM, "text/plain", b"hello");
        let sent = alice.send_ok(&draft).await;
        bob.expect_message().await;
        node.remove("alice").await;
        let (mut message, mut session) = (None, None);
        while session.is_none() {
            match events.next().await {
                Some(Told::Event(Event::MessageEnded { message: end, .. })) => message = Some(end),
                Some(Told::Event(Event::SessionEnded { statistics, .. })) => {
                    session = Some(statistics);
                }
                Some(_) => {}
                None => panic!("the events ended"),
            }
        }
        let octets = draft.octets() as u64;
        let copies = CopyCounts {
            sent: 1,
            ..CopyCounts::default()
        };
        let expected = MessageOutcome {
            participant: Some(id("alice")),
            message_id: sent.message_id,
            octets,
            class: Some(MessageClass::Text),
            refused: None,
            copies,
        };
        assert_eq!(message.as_deref(), Some(&expected));
        let session = session.unwrap();
        assert_eq!((session.messages_sent, session.octets_sent), (1, octets));
        assert_eq!(session.received, CopyCounts::default());
    }
}

#[tokio::test]
async fn events_tell_what_commands_changed_before_the_command_is_answered() {
    let node = node(config(backends()[0], 1)).await;
    let mut events = node.client.subscribe();
    let room = node.another("told").await;
    let of = room.room.clone();
    room.offer("alice", &MsrpEndpoint::bind().await.media())
        .await;
    update(&room, "alice", known("alice")).await;
    let removed = node.client.remove_participant(of.clone(), id("alice"));
    removed.await.unwrap();
    node.client.close_room(of.clone()).await.unwrap();
    let told = std::iter::from_fn(|| events.try_recv().ok()).map(without_duration);
    let told: Vec<_> = told.collect();
    let (room, participant) = (of, id("alice"));
    let expected = [
        Event::RoomStarted { room: room.clone() },
        Event::ParticipantJoined {
            room: room.clone(),
            participant: participant.clone(),
            entity: identity("alice"),
        },
        Event::ParticipantUpdated {
            room: room.clone(),
            participant: participant.clone(),
        },
        Event::SessionEnded {
            room: room.clone(),
            participant: participant.clone(),
            reason: EndReason::Removed,
            statistics: Box::default(),
        },
        Event::ParticipantRemoved {
            room: room.clone(),
            participant,
        },
        Event::RoomClosed { room },
    ];
    assert_eq!(told, expected);
}
