//! Files side by side, and files added to sessions.

use msrp_control::{Command, EndReason, ErrorCode, Event, ParticipantId, RoomId};

use super::world::{Call, FACTORY, Sent, World, caller, multipart, sdp};
use crate::limits::{ADDING_NS_MAX, FILES_MAX, NS_PER_S};
use crate::ua::{Answer, Body, DialogEnd, DialogId, Headers, Method, Request, TxnId, UaEvent};

const BOB: &str = "sip:bob@example.com";
const CAROL: &str = "sip:carol@example.com";

/// A section of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Talk,
    File(u32),
    Closed,
}

use Line::{Closed, File, Talk};

/// A description with these sections.
pub(super) fn description(session: &str, lines: &[Line]) -> Body {
    let mut text =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n".to_owned();
    for (place, line) in lines.iter().enumerate() {
        let port = if *line == Closed { 0 } else { 7654 };
        text += &format!("m=message {port} TCP/MSRP *\r\n");
        if *line != Closed {
            text +=
                &format!("a=path:msrp://192.0.2.1:7654/{session}{place};tcp\r\na=setup:active\r\n");
        }
        text += match line {
            Talk => "a=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\n",
            File(_) => "a=accept-types:image/png\r\n",
            Closed => "",
        };
        if let File(id) = line {
            text += &format!(
                "a=file-selector:name:\"{id}.png\"\r\na=file-transfer-id:t{id}\r\na=sendonly\r\n"
            );
        }
    }
    Body {
        content_type: "application/sdp".into(),
        octets: text.into_bytes(),
    }
}

fn text_of(body: &Body) -> String {
    String::from_utf8(body.octets.clone()).unwrap()
}

/// What the sections of a description of ours are, as far as the stand-in of the engine says it.
fn ports(body: &Body) -> Vec<u16> {
    let text = text_of(body);
    let lines = text.lines().filter_map(|l| l.strip_prefix("m=message "));
    lines
        .map(|l| l.split(' ').next().unwrap().parse().unwrap())
        .collect()
}

fn version(body: &Body) -> u64 {
    let text = text_of(body);
    let origin = text.lines().find_map(|l| l.strip_prefix("o=")).unwrap();
    origin.split(' ').nth(2).unwrap().parse().unwrap()
}

/// An answer to an offer of ours that takes the talk in the first place, and the files that it wants.
pub(super) fn answer_to(offer: &Body, talks: bool, takes: impl Fn(usize) -> bool) -> Body {
    let line = |(place, port): (usize, u16)| match place {
        _ if port == 0 => Closed,
        0 if talks => Talk,
        _ if takes(place) => File(0),
        _ => Closed,
    };
    let lines: Vec<Line> = ports(offer).into_iter().enumerate().map(line).collect();
    description("peer", &lines)
}

fn timer() -> Headers {
    Headers::new()
        .with("Supported", "timer")
        .with("Session-Expires", "1800;refresher=uac")
}

/// A request whose answer may have to wait.
pub(super) fn start(world: &mut World, dialog: DialogId, number: u64, body: Body) -> TxnId {
    start_as(world, Method::Invite, dialog, number, body)
}

fn start_as(world: &mut World, method: Method, dialog: DialogId, number: u64, body: Body) -> TxnId {
    let transaction = TxnId(number);
    world.ua(UaEvent::Request {
        transaction,
        dialog: Some(dialog),
        request: Request {
            method,
            uri: "sip:im.example".into(),
            headers: timer(),
            body: Some(body),
        },
        peer: super::world::peer(),
    });
    transaction
}

fn answer(world: &mut World, transaction: TxnId) -> Option<Answer> {
    let found = world.take(|sent| match sent {
        Sent::Answer(t, answer) if *t == transaction => Some(answer.clone()),
        _ => None,
    });
    found.into_iter().next()
}

/// Alice, bob and carol talk: her call, and their dialogs.
fn talk() -> (World, Call, DialogId, DialogId) {
    let mut world = World::new();
    let call = world.ad_hoc(&[BOB, CAROL]);
    let dialogs: Vec<DialogId> = world.invites().iter().map(|(d, _)| *d).collect();
    for dialog in &dialogs {
        let answer = Some(description("peer", &[Talk]));
        world.respond(*dialog, 200, Headers::new(), answer);
    }
    world.acknowledge(call);
    world.sent.clear();
    (world, call, dialogs[0], dialogs[1])
}

/// The offers of ours inside dialogs: for each its transaction and its body.
fn offers(world: &mut World) -> Vec<(DialogId, TxnId, Body)> {
    let requests = world.requests().into_iter();
    requests
        .map(|(d, t, _, body)| (d, t, body.unwrap()))
        .collect()
}

/// They have a file of alice that both take.
fn with_file() -> (World, Call, DialogId, DialogId) {
    let (mut world, call, bob, carol) = talk();
    let adding = start(
        &mut world,
        call.dialog,
        9000,
        description("alice", &[Talk, File(1)]),
    );
    for (_, transaction, offer) in offers(&mut world) {
        let body = answer_to(&offer, true, |_| true);
        world.finish_with(transaction, 200, Headers::new(), Some(body));
    }
    assert_eq!(answer(&mut world, adding).unwrap().status, 200);
    assert_eq!(world.engine.rooms.len(), 2);
    (world, call, bob, carol)
}

/// The room of the only file.
fn file_room(world: &World) -> RoomId {
    let mut rooms = world.engine.rooms.keys();
    let room = rooms.find(|room| room.as_str().contains('.')).unwrap();
    room.clone()
}

fn is_in(world: &World, room: &RoomId) -> Vec<String> {
    let mut all: Vec<String> = world.engine.rooms[room]
        .iter()
        .map(ToString::to_string)
        .collect();
    all.sort();
    all
}

#[test]
fn file_that_is_added_waits_for_the_first_who_takes_it() {
    let (mut world, call, bob, carol) = talk();
    let adding = start(
        &mut world,
        call.dialog,
        9000,
        description("alice", &[Talk, File(1)]),
    );
    assert!(answer(&mut world, adding).is_none());
    let made = offers(&mut world);
    assert_eq!(made.iter().map(|o| o.0).collect::<Vec<_>>(), [bob, carol]);
    for (_, _, offer) in &made {
        assert_eq!((ports(offer).len(), version(offer)), (2, 2));
    }
    let refused = answer_to(&made[0].2, true, |_| false);
    world.finish_with(made[0].1, 200, Headers::new(), Some(refused));
    assert!(answer(&mut world, adding).is_none());
    let excused = world.commands("excuse");
    assert!(
        matches!(
            &excused[..],
            [Command::ExcuseParticipant { status: 603, .. }]
        ),
        "{excused:?}"
    );
    let taken = answer_to(&made[1].2, true, |_| true);
    world.finish_with(made[1].1, 200, Headers::new(), Some(taken));
    let answer = answer(&mut world, adding).unwrap();
    assert_eq!(
        (answer.status, ports(&answer.body.unwrap()).len()),
        (200, 2)
    );
    assert_eq!(is_in(&world, &file_room(&world)), ["p0", "p2"]);
    world.finish();
}

#[test]
fn file_that_nobody_answers_about_in_time_gets_port_zero() {
    let (mut world, call, ..) = talk();
    let adding = start(
        &mut world,
        call.dialog,
        9000,
        description("alice", &[Talk, File(1)]),
    );
    let made = offers(&mut world);
    world.now += ADDING_NS_MAX - 1;
    world.focus.handle_timeout(world.now);
    world.settle();
    assert!(answer(&mut world, adding).is_none());
    world.wait();
    let body = answer(&mut world, adding).unwrap().body.unwrap();
    assert_eq!(ports(&body), [7654, 0]);
    assert!(text_of(&body).contains("a=file-transfer-id:t1"));
    assert_eq!(world.engine.rooms.len(), 1);
    // Who takes it now is told that it is over.
    let late = answer_to(&made[0].2, true, |_| true);
    world.finish_with(made[0].1, 200, Headers::new(), Some(late));
    let told = offers(&mut world);
    assert_eq!(told.len(), 1, "{told:?} {made:?}");
    assert_eq!((ports(&told[0].2), version(&told[0].2)), (vec![7654, 0], 3));
    world.finish();
}

#[test]
fn file_ends_by_port_zero_of_its_owner_when_all_have_it() {
    let (mut world, call, ..) = with_file();
    world.engine.serves_nobody = true;
    let closing = start(
        &mut world,
        call.dialog,
        9001,
        description("alice", &[Talk, Closed]),
    );
    let body = answer(&mut world, closing).unwrap().body.unwrap();
    assert_eq!((ports(&body), version(&body)), (vec![7654, 0], 3));
    assert!(offers(&mut world).is_empty());
    world.serve_all();
    let told = offers(&mut world);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|(_, _, offer)| ports(offer) == [7654, 0]));
    assert_eq!(world.engine.rooms.len(), 1);
    world.finish();
}

#[test]
fn file_goes_on_without_a_recipient_that_closes_it() {
    let (mut world, _, bob, _) = with_file();
    let closing = start(&mut world, bob, 9001, description("peer", &[Talk, Closed]));
    assert_eq!(answer(&mut world, closing).unwrap().status, 200);
    assert_eq!(is_in(&world, &file_room(&world)), ["p0", "p2"]);
    assert!(offers(&mut world).is_empty());
    world.finish();
}

#[test]
fn another_transfer_in_the_same_place_ends_the_first_and_is_offered_anew() {
    let (mut world, call, ..) = with_file();
    let first = file_room(&world);
    let again = start(
        &mut world,
        call.dialog,
        9001,
        description("alice", &[Talk, File(2)]),
    );
    // The end of the first and the offer of the second go together.
    let made = offers(&mut world);
    assert_eq!(made.len(), 2);
    let mut last = made;
    while !last.is_empty() {
        for (_, transaction, offer) in std::mem::take(&mut last) {
            let body = answer_to(&offer, true, |_| true);
            world.finish_with(transaction, 200, Headers::new(), Some(body));
        }
        last = offers(&mut world);
    }
    let body = answer(&mut world, again).unwrap().body.unwrap();
    assert_eq!(ports(&body), [7654, 7654]);
    assert!(!world.engine.rooms.contains_key(&first));
    assert_eq!(is_in(&world, &file_room(&world)), ["p0", "p1", "p2"]);
    world.finish();
}

#[test]
fn media_of_a_file_that_are_lost_end_the_file_alone() {
    let loses = |participant: &str| {
        let (mut world, ..) = with_file();
        let room = file_room(&world);
        world.engine_event(&Event::ParticipantLost {
            room,
            participant: ParticipantId::new(participant).unwrap(),
            reason: EndReason::ConnectionLost,
        });
        assert!(world.byes().is_empty());
        let told = offers(&mut world);
        assert!(told.iter().all(|(_, _, offer)| ports(offer) == [7654, 0]));
        let rooms = world.engine.rooms.len();
        world.finish();
        (told.len(), rooms)
    };
    // With its owner it ends for all.
    assert_eq!(loses("p0"), (3, 1));
    assert_eq!(loses("p1"), (1, 2));

    let (mut world, ..) = with_file();
    let room = file_room(&world);
    world.engine_event(&Event::RoomLost {
        room,
        reason: EndReason::ShardFailed,
    });
    assert_eq!(offers(&mut world).len(), 3);
    assert!(world.byes().is_empty());
    world.finish();

    let (mut world, ..) = with_file();
    let room = file_room(&world);
    let participant = ParticipantId::new("p2").unwrap();
    world.engine_event(&Event::ParticipantTooLate { room, participant });
    assert_eq!(offers(&mut world).len(), 1);
    let excused = world.commands("excuse");
    assert!(
        matches!(
            &excused[..],
            [Command::ExcuseParticipant { status: 408, .. }]
        ),
        "{excused:?}"
    );
    world.finish();
}

#[test]
fn file_of_an_owner_that_leaves_ends_and_the_talk_goes_on() {
    let (mut world, _, bob, carol) = talk();
    let adding = start(&mut world, bob, 9000, description("peer", &[Talk, File(1)]));
    for (dialog, transaction, offer) in offers(&mut world) {
        let body = answer_to(&offer, true, |_| dialog == carol);
        world.finish_with(transaction, 200, Headers::new(), Some(body));
    }
    assert_eq!(answer(&mut world, adding).unwrap().status, 200);
    assert_eq!(is_in(&world, &file_room(&world)), ["p1", "p2"]);
    world.end(bob, DialogEnd::Bye);
    let told = offers(&mut world);
    assert_eq!((told.len(), told[0].0), (1, carol));
    assert_eq!(ports(&told[0].2), [7654, 0]);
    assert_eq!(world.engine.rooms.len(), 1);
    world.finish();
}

#[test]
fn file_that_the_engine_refuses_gets_port_zero_and_the_talk_goes_on() {
    for step in ["offer", "answer", "enter"] {
        let (mut world, call, ..) = talk();
        world.engine.fails.insert(step, ErrorCode::Limit);
        let adding = start(
            &mut world,
            call.dialog,
            9000,
            description("alice", &[Talk, File(1)]),
        );
        let mut made = offers(&mut world);
        // One of the two is refused by the engine: the other has to refuse by himself.
        let takes = step == "enter";
        let first = made
            .first()
            .map(|(_, transaction, offer)| (*transaction, offer.clone()));
        for (_, transaction, offer) in made.drain(..) {
            let is_first = first.as_ref().is_some_and(|(t, _)| *t == transaction);
            let wants = takes || (step == "answer" && is_first);
            let body = answer_to(&offer, true, |place| wants && place == 1);
            world.finish_with(transaction, 200, Headers::new(), Some(body));
        }
        let answer = answer(&mut world, adding).unwrap();
        assert_eq!(
            (answer.status, ports(&answer.body.unwrap())),
            (200, vec![7654, 0]),
            "{step}"
        );
        assert!(world.byes().is_empty(), "{step}");
        assert_eq!(world.engine.rooms.len(), 1, "{step}");
        world.finish();
    }
}

#[test]
fn offer_that_breaks_the_order_of_lines_is_refused() {
    let (mut world, call, ..) = with_file();
    for lines in [&[Talk][..], &[Closed, File(1)]] {
        let refused = start(&mut world, call.dialog, 9001, description("alice", lines));
        assert_eq!(
            answer(&mut world, refused).unwrap().status,
            488,
            "{lines:?}"
        );
    }
    // An UPDATE has to be answered at once.
    let lines = [Talk, File(1), File(2)];
    let body = description("alice", &lines);
    let update = start_as(&mut world, Method::Update, call.dialog, 9002, body);
    let body = answer(&mut world, update).unwrap().body.unwrap();
    assert_eq!(ports(&body), [7654, 7654, 0]);
    world.finish();
}

#[test]
fn files_beyond_the_limit_get_port_zero() {
    let (mut world, call, ..) = talk();
    let mut lines = vec![Talk];
    lines.extend((0..=FILES_MAX).map(|n| File(u32::try_from(n).unwrap())));
    let adding = start(&mut world, call.dialog, 9000, description("alice", &lines));
    for (_, transaction, offer) in offers(&mut world) {
        assert_eq!(ports(&offer).len(), 1 + FILES_MAX);
        let body = answer_to(&offer, true, |_| true);
        world.finish_with(transaction, 200, Headers::new(), Some(body));
    }
    let ports = ports(&answer(&mut world, adding).unwrap().body.unwrap());
    assert_eq!(
        ports.iter().filter(|port| **port != 0).count(),
        1 + FILES_MAX
    );
    assert_eq!((ports.len(), ports[1 + FILES_MAX]), (2 + FILES_MAX, 0));
    assert_eq!(world.engine.rooms.len(), 1 + FILES_MAX);
    world.finish();
}

#[test]
fn offer_that_meets_another_is_made_again() {
    let (mut world, call, bob, carol) = talk();
    let adding = start(
        &mut world,
        call.dialog,
        9000,
        description("alice", &[Talk, File(1)]),
    );
    let made = offers(&mut world);
    let crossing = start(&mut world, bob, 9001, sdp("bob"));
    assert_eq!(answer(&mut world, crossing).unwrap().status, 491);
    world.finish_request(made[0].1, 491, Headers::new());
    let refused = answer_to(&made[1].2, true, |_| false);
    world.finish_with(made[1].1, 200, Headers::new(), Some(refused));
    // His own offer goes through meanwhile; what was offered to him comes again.
    let own = start(&mut world, bob, 9002, sdp("bob"));
    let body = answer(&mut world, own).unwrap().body.unwrap();
    assert_eq!(ports(&body), [7654]);
    let too = start(
        &mut world,
        carol,
        9003,
        description("peer", &[Talk, Closed, File(2)]),
    );
    assert_eq!(answer(&mut world, too).unwrap().status, 491);
    let again = offers(&mut world);
    assert_eq!(again.len(), 1);
    assert_eq!((again[0].0, ports(&again[0].2).len()), (bob, 2));
    let taken = answer_to(&again[0].2, true, |_| true);
    world.finish_with(again[0].1, 200, Headers::new(), Some(taken));
    assert_eq!(answer(&mut world, adding).unwrap().status, 200);
    assert_eq!(is_in(&world, &file_room(&world)), ["p0", "p1"]);
    world.finish();
}

#[test]
fn caller_with_several_files_waits_until_each_is_decided() {
    let mut world = World::new();
    let list = format!(
        "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>\
         <entry uri=\"{BOB}\"/><entry uri=\"{CAROL}\"/></list></resource-lists>"
    );
    let offer = description("alice", &[File(1), File(2)]);
    let call = world.invite(FACTORY, caller("alice"), multipart(&offer, &list));
    let invites = world.invites();
    let body = |at: usize| invites[at].1.body.clone().unwrap();
    assert_eq!(ports(&body(0)).len(), 2);
    let first = answer_to(&body(0), false, |place| place == 0);
    world.respond(invites[0].0, 200, Headers::new(), Some(first));
    assert!(world.is_unanswered(call));
    world.respond(invites[1].0, 603, Headers::new(), None);
    let answer = world.final_of(call);
    assert_eq!(
        (answer.status, ports(&answer.body.unwrap())),
        (200, vec![7654, 0])
    );
    assert_eq!(world.engine.rooms.len(), 1);
    world.acknowledge(call);
    assert!(world.now < 100 * NS_PER_S);
    world.finish();
}

#[test]
fn answer_that_leaves_the_file_out_refuses_it() {
    let (mut world, call, ..) = talk();
    let lines = [Talk, File(1)];
    let adding = start(&mut world, call.dialog, 9000, description("alice", &lines));
    for (_, transaction, _) in offers(&mut world) {
        let body = description("peer", &[Talk]);
        world.finish_with(transaction, 200, Headers::new(), Some(body));
    }
    let body = answer(&mut world, adding).unwrap().body.unwrap();
    assert_eq!(ports(&body), [7654, 0]);
    assert!(offers(&mut world).is_empty());
    world.finish();
}

// An invitee may send as soon as the engine has its answer.
#[test]
fn caller_that_asks_for_a_file_is_in_the_room_before_its_giver() {
    let mut world = World::new();
    let list = format!(
        "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>\
         <entry uri=\"{BOB}\"/></list></resource-lists>"
    );
    let mut offer = description("alice", &[File(1)]);
    offer.octets = text_of(&offer).replace("sendonly", "recvonly").into();
    let call = world.invite(FACTORY, caller("alice"), multipart(&offer, &list));
    let invites = world.invites();
    let given = answer_to(&invites[0].1.body.clone().unwrap(), false, |_| true);
    world.respond(invites[0].0, 200, Headers::new(), Some(given));
    let place = |is_it: fn(&Command) -> bool| world.engine.log.iter().rposition(is_it).unwrap();
    let added = place(|command| matches!(command, Command::AddParticipant { .. }));
    let answered = place(|command| matches!(command, Command::SetAnswer { .. }));
    assert!(added < answered, "{:?}", world.engine.log);
    assert_eq!(world.final_of(call).status, 200);
}
