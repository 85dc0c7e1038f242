//! What deciding costs, without any I/O: the check of a CPIM wrapper, and a message's way through the switch for N
//! recipients, from its header section to the last settled copy.
//!
//! ```sh
//! cargo bench -p msrpd-benches --bench switch
//! benches/callgrind-switch.sh                   # instructions instead of time
//! ```
#![expect(clippy::unwrap_used, reason = "a bench stops where its input is wrong")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group};
use memchr::memmem;
use msrp_session::Timestamp;
use msrp_switch::{Acceptance, LegKey, LegSpec, Outcome, Output, RoomSpec, Switch, SwitchConfig};
use msrp_wire::{
    ContinuationFlag, Decoder, Event, FailureReport, Identity, Limits, RequestHead, cpim,
};

const ROOM: &str = "sip:room@example.com";

/// A header section, with the body in front of which it stands.
fn message(body_octets: usize) -> (Vec<u8>, Bytes) {
    let mut body = format!(
        "From: <sip:user0@example.com>\r\nTo: <{ROOM}>\r\nDateTime: 2026-01-01T00:00:00Z\r\n\r\n\
         Content-Type: text/plain\r\n\r\n"
    )
    .into_bytes();
    body.resize(body.len().max(body_octets), b'x');
    let head = format!(
        "MSRP a786hjs2aB SEND\r\nTo-Path: msrp://127.0.0.1:2855/00kjhd37s2s20w2a;tcp\r\n\
         From-Path: msrp://127.0.0.1:7654/jshA7weztas;tcp\r\nMessage-ID: 87652491ab\r\n\
         Byte-Range: 1-{0}/{0}\r\nContent-Type: message/cpim\r\n\r\n",
        body.len()
    );
    (head.into_bytes(), body.into())
}

/// A switch with one room and its legs, the sender first.
fn room(recipients: usize) -> (Switch, Vec<LegKey>) {
    let mut switch = Switch::new(&SwitchConfig {
        failure_report: FailureReport::Partial,
        final_report_ns: 1,
        rules: msrp_switch::Rules::default(),
        seed: [7; 32],
    });
    let spec = RoomSpec {
        uri: ROOM.to_owned(),
        addresses: vec![Identity::parse(ROOM).unwrap()],
        message_octets_max: 1 << 32,
        private_messages: true,
        addressing: msrp_switch::Addressing::Oma,
        nicknames: true,
    };
    let room = switch.create_room(spec).unwrap();
    let legs = (0..=recipients).map(|index| {
        let entity = format!("sip:user{index}@example.com");
        let spec = LegSpec {
            participant: msrp_switch::Participant {
                identities: vec![Identity::parse(&entity).unwrap()],
                entity,
                is_hidden: false,
                may_send_private: true,
                shows_release: true,
            },
            acceptance: Acceptance::everything(),
            may_send: true,
            may_receive: true,
        };
        let leg = switch.add_leg(room, spec).unwrap();
        switch.join(leg);
        leg
    });
    let legs = legs.collect();
    (switch, legs)
}

/// Brings one message through the switch and settles every copy; gives how many there were.
fn fan_out(switch: &mut Switch, sender: LegKey, head: &RequestHead<'_>, body: &Bytes) -> usize {
    let mut copies = 0;
    switch.handle_chunk(Timestamp::default(), sender, head);
    switch.handle_body(sender, body.clone());
    switch.handle_end(sender, ContinuationFlag::Last);
    while let Some(output) = switch.poll_output() {
        if let Output::Piece { to, message, .. } = black_box(output) {
            for leg in to.iter() {
                switch.settle(*leg, message, Outcome::Sent);
                copies += 1;
            }
        }
    }
    switch.end_turn(Timestamp::default());
    copies
}

/// The least that N copies can be: for each a handle to the octets put where it is sent from, taken from there, and a
/// count of what is open on both sides.
struct Floor {
    queues: Vec<VecDeque<(Rc<Bytes>, usize)>>,
    open: Vec<usize>,
}

impl Floor {
    fn new(recipients: usize) -> Self {
        Self {
            queues: vec![VecDeque::with_capacity(4); recipients],
            open: vec![0; recipients],
        }
    }

    fn fan_out(&mut self, body: &Bytes) -> usize {
        let (shared, mut left) = (Rc::new(body.clone()), 0);
        for (queue, open) in self.queues.iter_mut().zip(&mut self.open) {
            queue.push_back((Rc::clone(&shared), body.len()));
            *open += 1;
            left += 1;
        }
        for (queue, open) in self.queues.iter_mut().zip(&mut self.open) {
            *open -= queue.pop_front().map_or(0, |_| 1);
            left -= 1;
        }
        left
    }
}

fn with_head<T>(octets: &[u8], run: impl FnOnce(&RequestHead<'_>) -> T) -> T {
    let mut decoder = Decoder::new(Limits::default());
    let Some(Event::Request(head)) = decoder.decode(octets).unwrap().event else {
        panic!("the request is legal");
    };
    run(&head)
}

fn planning(c: &mut Criterion) {
    let (octets, body) = message(200);
    let mut group = c.benchmark_group("fan_out_plan");
    for recipients in [10, 100, 1000] {
        let (mut switch, legs) = room(recipients);
        group.throughput(Throughput::Elements(recipients as u64));
        with_head(&octets, |head| {
            assert_eq!(fan_out(&mut switch, legs[0], head, &body), recipients);
            group.bench_function(format!("switch_{recipients}"), |b| {
                b.iter(|| fan_out(&mut switch, legs[0], black_box(head), black_box(&body)));
            });
        });
        let mut floor = Floor::new(recipients);
        group.bench_function(format!("floor_{recipients}"), |b| {
            b.iter(|| floor.fan_out(black_box(&body)));
        });
    }
    group.finish();
}

/// Reads the wrapper and compares its From with the sender's addresses, as the switch does once for each message.
fn check(body: &[u8], sender: &Identity) -> bool {
    let Ok(wrapper) = cpim::Wrapper::parse(body) else {
        return false;
    };
    Identity::parse(wrapper.from.uri).is_ok_and(|from| from == *sender)
}

fn wrapper(c: &mut Criterion) {
    let (_, body) = message(200);
    let sender = Identity::parse("sip:user0@example.com").unwrap();
    assert!(check(&body, &sender));
    let mut group = c.benchmark_group("cpim_check");
    group.bench_function("wrapper_and_from", |b| {
        b.iter(|| check(black_box(&body), &sender));
    });
    let finder = memmem::Finder::new(b"\r\n\r\n");
    group.bench_function("floor_two_blank_lines", |b| {
        b.iter(|| {
            let body = black_box(&body[..]);
            let head = finder.find(body).unwrap() + 4;
            head + finder.find(&body[head..]).unwrap()
        });
    });
    group.finish();
}

/// Brings messages through the switch, or the floor, and does nothing else: for counting instructions.
fn count(what: &str, recipients: usize, messages: usize) {
    let (octets, body) = message(200);
    let (mut switch, legs) = room(recipients);
    let mut floor = Floor::new(recipients);
    with_head(&octets, |head| {
        for _ in 0..messages {
            match what {
                "floor" => black_box(floor.fan_out(black_box(&body))),
                _ => fan_out(&mut switch, legs[0], black_box(head), black_box(&body)),
            };
        }
    });
}

criterion_group!(benches, wrapper, planning);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, what, recipients, messages, ..] = arguments.as_slice()
        && flag == "--count"
    {
        count(what, recipients.parse().unwrap(), messages.parse().unwrap());
        return;
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
