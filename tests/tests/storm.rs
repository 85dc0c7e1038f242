//! Traffic of several rooms at once, cut anywhere.

use msrp_testkit::{Config, Flag, Frame, Participant};
use msrpd_tests::{Document, WAYS, person};

const ROOMS: usize = 4;
const PEOPLE: usize = 6;
const MESSAGES: usize = 200;
const SIZES: [usize; 6] = [1, 10, 100, 3_000, 70_000, 200_000];
const CHUNKS: [usize; 5] = [50, 500, 2_048, 10_000, 100_000];
const WRITE_OCTETS_MAX: usize = 9_000;
const SMALL_OCTETS: usize = 16 * 1024;

/// Numbers that are the same in every run (xorshift).
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let bound = u64::try_from(bound).expect("usize fits u64");
        usize::try_from(self.0 % bound).expect("less than a usize")
    }
}

/// Queues a message of some size in chunks of some size, in writes of any size.
fn storm(speaker: &Participant, text: &str, draws: &mut Draws) {
    let size = SIZES[draws.below(SIZES.len())];
    let chunk = CHUNKS[draws.below(CHUNKS.len())].max(size / 50 + 1);
    let draft = speaker
        .text(&format!("{text}{}", "y".repeat(size)))
        .chunk_octets(chunk)
        .failure_report("partial");
    let frames = draft.frames(speaker.msrp.remote_path(), speaker.msrp.uri());
    let octets = frames.iter().flat_map(Frame::to_octets).collect::<Vec<_>>();
    let mut rest = octets.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at((1 + draws.below(WRITE_OCTETS_MAX)).min(rest.len()));
        speaker.msrp.write_raw(now);
        rest = later;
    }
}

// covers: UPS-7.2.3.3-06, UPS-7.2.3.3-11, MSRP-4975-7.1.1-24
#[tokio::test]
async fn rooms_in_a_storm_lose_nothing_and_mix_nothing() {
    let people = (0..PEOPLE).map(person).collect::<Vec<_>>();
    let uris = (0..ROOMS).map(|room| format!("sip:room{room}@localhost"));
    let uris = uris.collect::<Vec<_>>();
    let mut config = Config::new();
    for (number, uri) in uris.iter().enumerate() {
        let document = Document::new(uri).members(&people);
        config = config.group(&format!("room{number}"), &document.xml());
    }
    for way in WAYS {
        let daemon = way.start(config.clone()).await;
        let mut rooms = Vec::new();
        for uri in &uris {
            let mut room = Vec::new();
            for identity in &people {
                room.push(way.join(&daemon, uri, identity).await);
            }
            rooms.push(room);
        }
        let mut draws = Draws(0x9e37_79b9_7f4a_7c15);
        let mut said = [[0_usize; PEOPLE]; ROOMS];
        for _ in 0..MESSAGES {
            let (room, speaker) = (draws.below(ROOMS), draws.below(PEOPLE));
            let text = format!("{room} {} ", said[room][speaker]);
            storm(&rooms[room][speaker], &text, &mut draws);
            said[room][speaker] += 1;
        }
        for (number, room) in rooms.iter().enumerate() {
            for (own, listener) in room.iter().enumerate() {
                expect_all(number, own, listener, &people, &said[number]).await;
            }
        }
        let copies = f64::from(u32::try_from(MESSAGES * (PEOPLE - 1)).expect("few messages"));
        let sent = "msrp_copies_total{outcome=\"sent\"}";
        daemon.wait_metric(sent, |count| count == copies).await;
        assert_eq!(daemon.metric("msrp_copies_opened_total").await, copies);
    }
}

/// Waits for every message of the others: each whole and once, of this room, and the small ones of one speaker
/// in their order. A large one may be overtaken.
async fn expect_all(
    room: usize,
    own: usize,
    listener: &Participant,
    people: &[String],
    said: &[usize],
) {
    let mut heard = [const { Vec::new() }; PEOPLE];
    let others = (0..PEOPLE).filter(|speaker| *speaker != own);
    for _ in 0..others.map(|speaker| said[speaker]).sum() {
        let message = listener.msrp.expect_message().await;
        assert_eq!(message.ended, Flag::Last);
        let cpim = message.cpim();
        let from = cpim.from_uri().expect("a From");
        let speaker = people.iter().position(|identity| identity == from);
        let speaker = speaker.expect("somebody of the room");
        assert!(speaker != own, "a message came back");
        let start = cpim.text().trim_end_matches('y').trim_end();
        let (in_room, number) = start.split_once(' ').expect("two numbers");
        assert_eq!(in_room.parse(), Ok(room));
        let number: usize = number.parse().expect("a number");
        heard[speaker].push((number, message.body.len() > SMALL_OCTETS));
    }
    for speaker in (0..PEOPLE).filter(|speaker| *speaker != own) {
        let heard = &mut heard[speaker];
        let small = heard.iter().filter(|(_, is_large)| !is_large);
        assert!(small.is_sorted(), "order of {}", people[speaker]);
        heard.sort_unstable();
        let numbers = heard.iter().map(|(number, _)| *number);
        assert!(numbers.eq(0..said[speaker]), "{}", people[speaker]);
    }
    listener.msrp.assert_nothing_left();
}
