//! Participants under an alias.

use proptest::prelude::*;

use crate::harness::*;

const ALIAS: &str = "sip:anonymous2@anonymous.invalid";
const ORIGINAL: &str = "sip:anonymous@anonymous.invalid";

/// A wrapped text from any address.
fn wrapped_from(from: &str, to: &str, text: &str) -> Vec<u8> {
    let head = format!("From: <{from}>\r\nTo: <{to}>\r\n\r\nContent-Type: text/plain\r\n\r\n");
    [head.as_bytes(), text.as_bytes()].concat()
}

// covers: ALIAS-7.2.3.2-12, MSRP-7701-6.1-04
#[test]
fn alias_is_the_only_from_of_a_hidden_participant() {
    let hidden = guest("a").hidden_as(ALIAS);
    let mut house = House::new([hidden, guest("b"), guest("c").hidden_as(ORIGINAL)]);
    for (from, answer) in [(ALIAS, 200), (ORIGINAL, 403), (&address("a"), 403)] {
        let message = wrapped_from(from, ROOM, "hello");
        assert_eq!(house.say(0, &whole("mess1", &message)), [answer], "{from}");
    }
    assert_eq!(house.texts(1), [wrapped_from(ALIAS, ROOM, "hello")]);
}

// covers: ALIAS-7.2.3.2-12
#[test]
fn original_from_of_a_hidden_participant_is_good_while_nobody_else_has_it() {
    let hidden = guest("a").hidden_as(ALIAS).also_known_as(ORIGINAL);
    let mut house = House::new([hidden, guest("b")]);
    let message = wrapped_from(ORIGINAL, ROOM, "hello");
    assert_eq!(house.say(0, &whole("mess1", &message)), [200]);
    let other = house.add(guest("c").hidden_as(ORIGINAL));
    assert_eq!(house.say(0, &whole("mess2", &message)), [403]);
    assert_eq!(house.say(other, &whole("mess3", &message)), [200]);
    house.leave(other);
    assert_eq!(house.say(0, &whole("mess4", &message)), [200]);
}

// covers: ALIAS-7.2.3.2-13
#[test]
fn private_message_to_an_alias_reaches_its_owner_alone() {
    let hidden = guest("a").hidden_as(ALIAS).also_known_as(ORIGINAL);
    let owner = guest("c").hidden_as(ORIGINAL);
    let mut house = House::new([hidden, guest("b"), owner]);
    for (to, getter) in [(ALIAS, 0), (ORIGINAL, 2)] {
        let message = wrapped("b", &[to], "psst");
        assert_eq!(house.say(1, &whole("mess1", &message)), [200]);
        assert_eq!(house.getters(&message), [getter]);
    }
}

#[test]
fn message_of_a_hidden_sender_is_reported_under_the_senders_own_id() {
    let mut house = House::new([guest("a").hidden_as(ALIAS), guest("b")]);
    let asks = "NS: Rep <urn:oma:xml:poc:final-report>\r\nRep.Final-Report: yes\r\n";
    let text = String::from_utf8(wrapped_from(ALIAS, ROOM, "hello")).unwrap();
    let message = text
        .replacen("\r\n\r\n", &format!("\r\n{asks}\r\n"), 1)
        .into_bytes();
    house.say(0, &whole("mess1", &message).success());
    let piece = house.pieces(1)[0].clone();
    assert_ne!(piece.id, "mess1");
    let id = msrp_wire::MessageId::parse(piece.id.as_bytes()).unwrap();
    let ok = msrp_wire::StatusCode::OK;
    assert!(house.switch.handle_report(house.key(1), id, None, ok));
    house.drain();
    let n = message.len();
    let range = format!("1-{n}/{n}");
    assert_eq!(house.reports(), [(0, "mess1", range.as_str(), 200)]);
}

/// What a client makes itself: its Message-IDs, header fields, and parameters of the type.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    name: &'static str,
    entity_is_known: bool,
    id_prefix: String,
    extra: String,
    parameters: String,
}

fn client(name: &'static str) -> impl Strategy<Value = Client> {
    let extra = prop_oneof![
        Just(String::new()),
        Just(format!("X-Extra: {name}\r\n")),
        Just(format!("Content-ID: <1@{name}.example.com>\r\n")),
        Just(format!("X-Host: {name}\r\nX-Extra: {name}\r\n")),
    ];
    let parameters = prop_oneof![Just(String::new()), Just(format!(";by={name}"))];
    let id_prefix = prop_oneof![Just(name.to_owned()), Just("same".to_owned())];
    (any::<bool>(), id_prefix, extra, parameters).prop_map(
        move |(entity_is_known, id_prefix, extra, parameters)| Client {
            name,
            entity_is_known,
            id_prefix,
            extra,
            parameters,
        },
    )
}

#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    /// Whether it is for one of the others, its octets, where it is cut, and how it ends.
    messages: Vec<(bool, usize, u16, bool)>,
}

fn traffic() -> impl Strategy<Value = Traffic> {
    let message = (any::<bool>(), 0_usize..3000, any::<u16>(), any::<bool>());
    proptest::collection::vec(message, 1..5).prop_map(|messages| Traffic { messages })
}

/// Everything that the others receive when this client sends the traffic under the alias. Ids that
/// were seen before keep their place in the order of their first appearance.
fn received(client: &Client, traffic: &Traffic) -> Vec<Vec<u8>> {
    let mut hidden = guest(client.name).hidden_as(ALIAS);
    if client.entity_is_known {
        hidden = hidden.also_known_as(&address(client.name));
    }
    let mut house = House::new([guest("b"), hidden, guest("c")]);
    for (index, (is_private, octets, cut, is_given_up)) in traffic.messages.iter().enumerate() {
        let to = if *is_private {
            address("b")
        } else {
            ROOM.to_owned()
        };
        let message = wrapped_from(ALIAS, &to, &"x".repeat(*octets));
        let n = message.len();
        let cut = usize::from(*cut) * n / 65_536;
        let id = format!("{}{index}", client.id_prefix);
        let flag = if *is_given_up { Abort } else { Last };
        for (start, end, flag) in [(0, cut, More), (cut, n, flag)] {
            let mut chunk = chunk(&id, &message, start..end, Some(n), flag);
            chunk.extra.clone_from(&client.extra);
            chunk.content_type = Some(format!("message/cpim{}", client.parameters));
            if start < end {
                house.say(1, &chunk);
            }
        }
    }
    for who in [0, 2] {
        let mut ids = house.pieces(who).iter().map(|piece| &piece.id);
        assert!(
            ids.all(|id| !id.starts_with(&client.id_prefix)),
            "an id of the client"
        );
    }
    [0, 2].map(|who| house.heard(who)).concat()
}

/// What the others receive is the same, whoever of the two is behind the alias.
pub(crate) fn check(one: &Client, two: &Client, traffic: &Traffic) {
    let (one, two) = (received(one, traffic), received(two, traffic));
    for octets in one.iter().chain(&two) {
        let text = String::from_utf8_lossy(octets);
        assert!(
            !text.contains("alice") && !text.contains("robert"),
            "{text}"
        );
    }
    assert_eq!(one, two);
}

/// Two clients, and what each of them sends.
pub(crate) fn cases() -> impl Strategy<Value = (Client, Client, Traffic)> {
    (client("alice"), client("robert"), traffic())
}

proptest! {
    // covers: MSRP-7701-6.1-04
    #[test]
    fn others_cannot_tell_who_is_behind_an_alias(
        (one, two, traffic) in cases(),
    ) {
        check(&one, &two, &traffic);
    }
}
