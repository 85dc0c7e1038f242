//! Random walks: whatever happens in whatever order, every INVITE has exactly one final answer and
//! nothing is left.

use proptest::prelude::*;

use super::files::{Line, answer_to, description, start};
use super::world::{
    FACTORY, Sent, World, anonymous, caller, list_body, multipart, policy, sdp, uri,
};
use crate::groups::Group;
use crate::ua::{Body, DialogEnd, DialogId, Headers, Method, TxnId};
use msrp_control::{EndReason, ErrorCode, Event};

const GROUP: &str = "sip:club@im.example";

/// What the world knows of the dialogs while it walks.
#[derive(Default)]
struct Known {
    invited: Vec<(DialogId, Option<Body>)>,
    /// Numbers of requests that were made of ours.
    last: u64,
    standing: Vec<DialogId>,
    requests: Vec<(TxnId, Option<Body>)>,
    unacknowledged: Vec<super::world::Call>,
    watching: Vec<DialogId>,
}

impl Known {
    fn look(&mut self, world: &mut World) {
        for sent in world.sent.drain(..) {
            match sent {
                Sent::Invite(dialog, request) => self.invited.push((dialog, request.body)),
                Sent::Bye(dialog, transaction, _) => {
                    self.standing.retain(|d| *d != dialog);
                    self.unacknowledged.retain(|c| c.dialog != dialog);
                    self.requests.push((transaction, None));
                }
                Sent::Request(_, transaction, _, _, body) => {
                    self.requests.push((transaction, body));
                }
                Sent::Answer(transaction, answer) if answer.status == 200 => {
                    self.unacknowledged
                        .extend(world.calls.iter().find(|c| c.transaction == transaction));
                }
                Sent::Accept(dialog) => self.watching.push(dialog),
                Sent::Forget(dialog) => self.watching.retain(|d| *d != dialog),
                Sent::Answer(..) | Sent::Cancel(_) | Sent::Message(..) => {}
            }
        }
    }
}

fn step(world: &mut World, known: &mut Known, action: u8, pick: usize) {
    let users = ["alice", "bob", "carol"];
    let user = users[pick % 3];
    match action {
        0 => drop(world.invite(
            FACTORY,
            caller(user),
            list_body(user, &["sip:dave@example.com", "sip:erin@example.com"]),
        )),
        1 => drop(world.invite(GROUP, caller(user), sdp(user))),
        2 => drop(world.invite(GROUP, anonymous(user), sdp(user))),
        3 | 4 if !known.invited.is_empty() => {
            let (dialog, offer) = known.invited.swap_remove(pick % known.invited.len());
            accept(world, dialog, offer, pick);
            known.standing.push(dialog);
        }
        5 if !known.invited.is_empty() => {
            let (dialog, _) = known.invited.swap_remove(pick % known.invited.len());
            world.respond(
                dialog,
                [486, 422, 302, 500][pick % 4],
                Headers::new().with("Min-SE", "2000"),
                None,
            );
        }
        6 if !known.standing.is_empty() => {
            let dialog = known.standing.swap_remove(pick % known.standing.len());
            world.end(dialog, DialogEnd::Bye);
        }
        7 if !known.unacknowledged.is_empty() => {
            let call = known
                .unacknowledged
                .swap_remove(pick % known.unacknowledged.len());
            known.standing.push(call.dialog);
            world.acknowledge(call);
        }
        8 if !known.requests.is_empty() => {
            let (transaction, body) = known.requests.swap_remove(pick % known.requests.len());
            let status = [200, 408, 491, 500][pick % 4];
            let is_offer = |b: &Body| b.content_type == "application/sdp" && status == 200;
            let body = body.filter(is_offer);
            let body = body.map(|offer| answer_to(&offer, true, |place| (pick >> place) & 1 == 0));
            world.finish_with(transaction, status, Headers::new(), body);
        }
        9 => {
            let pending: Vec<_> = world
                .calls
                .iter()
                .filter(|c| world.is_unanswered(**c))
                .copied()
                .collect();
            if !pending.is_empty() {
                world.end(pending[pick % pending.len()].dialog, DialogEnd::Cancelled);
            }
        }
        10 => drop(world.focus.poll_timeout().map(|_| world.wait())),
        11 => drop(world.engine.fails.insert(
            ["create", "offer", "enter", "answer", "reoffer"][pick % 5],
            ErrorCode::Limit,
        )),
        12 => world.engine.is_held = pick.is_multiple_of(2),
        13 => {
            let found = world
                .engine
                .rooms
                .iter()
                .find_map(|(r, p)| p.iter().next().map(|p| (r.clone(), p.clone())));
            if let Some((room, participant)) = found {
                world.engine_event(&Event::ParticipantLost {
                    room,
                    participant,
                    reason: EndReason::ConnectionLost,
                });
            }
        }
        14 if pick.is_multiple_of(4) => {
            if let Some(room) = world.engine.rooms.keys().next().cloned() {
                world.engine_event(&Event::RoomLost {
                    room,
                    reason: EndReason::ShardFailed,
                });
            }
        }
        15 if !known.standing.is_empty() => {
            let dialog = known.standing[pick % known.standing.len()];
            world.request(
                Some(dialog),
                Method::Update,
                Headers::new().with("Supported", "timer"),
                None,
            );
        }
        16 => {
            let headers = caller(user)
                .with("Event", "conference")
                .with("Expires", ["0", "60", "3600"][pick % 3]);
            world.request_to(GROUP, None, Method::Subscribe, headers, None);
        }
        17 if !known.watching.is_empty() || !known.standing.is_empty() => {
            let both: Vec<_> = known.watching.iter().chain(&known.standing).collect();
            let dialog = *both[pick % both.len()];
            let headers = Headers::new()
                .with("Event", "conference")
                .with("Expires", ["0", "60"][pick % 2]);
            world.request(Some(dialog), Method::Subscribe, headers, None);
        }
        18 | 19 => {
            let target = ["alice", "bob", "carol", "dave"][pick % 4];
            let method = ["INVITE", "BYE"][usize::from(action - 18)];
            let headers = caller(user)
                .with("CSeq", "7 REFER")
                .with(
                    "Refer-To",
                    format!("<sip:{target}@example.com;method={method}>"),
                )
                .with("Refer-Sub", ["true", "false"][pick % 2]);
            let dialog = known.standing.get(pick % 8).copied();
            world.request_to(GROUP, dialog, Method::Refer, headers, None);
        }
        20 if !known.watching.is_empty() => {
            let dialog = known.watching[pick % known.watching.len()];
            world.end(dialog, DialogEnd::Bye);
        }
        21 => {
            let tag = "*;+g.oma.sip-im.large-message";
            let headers = caller(user).with("Accept-Contact", tag);
            let list = ["sip:dave@example.com", "sip:erin@example.com"];
            if pick.is_multiple_of(2) {
                world.invite(FACTORY, headers, list_body(user, &list));
            } else {
                world.invite(GROUP, headers, sdp(user));
            }
        }
        22 => {
            world.engine.serves_nobody = pick.is_multiple_of(2);
            if pick.is_multiple_of(3) {
                world.serve_all();
            }
        }
        23 => {
            let found = world
                .engine
                .rooms
                .iter()
                .find_map(|(r, p)| p.iter().next().map(|p| (r.clone(), p.clone())));
            if let Some((room, participant)) = found {
                world.engine_event(&Event::ParticipantTooLate { room, participant });
            }
        }
        24 | 25 if !known.standing.is_empty() => {
            let dialog = known.standing[pick % known.standing.len()];
            let id = u32::try_from(pick).unwrap();
            let mut lines = vec![Line::Talk, Line::File(id % 3), Line::Closed, Line::File(7)];
            lines.truncate(1 + pick % 4);
            if pick.is_multiple_of(5) {
                let other = pick % lines.len();
                lines.swap(0, other);
            }
            known.last += 1;
            start(
                world,
                dialog,
                1 << 40 | known.last,
                description("moved", &lines),
            );
        }
        26 => {
            let list = "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list><entry uri=\"sip:dave@example.com\"/><entry uri=\"sip:erin@example.com\"/></list></resource-lists>";
            let lines = [Line::Talk, Line::File(1), Line::File(2)];
            let offer = description(user, &lines[pick % 2..]);
            world.invite(FACTORY, caller(user), multipart(&offer, list));
        }
        _ => {}
    }
    known.look(world);
}

/// Accepts, with as many lines as the offer has.
fn accept(world: &mut World, dialog: DialogId, offer: Option<Body>, pick: usize) {
    let Some(offer) = offer.filter(|o| o.octets.windows(2).filter(|w| w == b"m=").count() > 1)
    else {
        return world.accept(dialog);
    };
    let talks = String::from_utf8_lossy(&offer.octets).contains("message/cpim");
    let body = answer_to(&offer, talks, |place| (pick >> place) & 1 == 0);
    world.respond(dialog, 200, Headers::new(), Some(body));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn walk_ends_with_one_final_answer_each_and_nothing_left(steps in prop::collection::vec((0u8..27, 0usize..64), 0..60)) {
        let group = ["alice", "bob", "carol"]
            .iter()
            .fold(Group::new(uri(GROUP)), |g, user| g.with_member(uri(&format!("sip:{user}@example.com")), None));
        let mut world = World::with(policy(), [Group { invite_members: true, ..group }]);
        let mut known = Known::default();
        for (action, pick) in steps {
            step(&mut world, &mut known, action, pick);
        }
        world.engine.is_held = false;
        world.engine.fails.clear();
        world.settle();
        world.serve_all();
        world.focus.begin_shutdown(world.now);
        world.settle();
        known.look(&mut world);
        for _ in 0..8 {
            for call in std::mem::take(&mut known.unacknowledged) {
                world.acknowledge(call);
            }
            for (dialog, _) in std::mem::take(&mut known.invited) {
                world.respond(dialog, 487, Headers::new(), None);
            }
            for (transaction, _) in std::mem::take(&mut known.requests) {
                world.finish_request(transaction, 200, Headers::new());
            }
            known.look(&mut world);
        }
        world.finish();
    }

    #[test]
    fn invite_with_a_mutated_body_never_panics(at in 0usize..1200, octet: u8, cut in 0usize..1200) {
        let mut world = World::new();
        let list = "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list><entry uri=\"sip:bob@example.com\"/></list></resource-lists>";
        let mut body = multipart(&sdp("alice"), list);
        let length = body.octets.len();
        body.octets[at % length] = octet;
        if cut < length {
            body.octets.truncate(cut);
        }
        world.invite(FACTORY, caller("alice"), body);
        world.finish();
    }
}
