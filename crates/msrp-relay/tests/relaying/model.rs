//! Random traffic beside a small model that knows only what both ends see.
//!
//! The model has no tables of the relay: it keeps for each SEND what was fed, which pieces came out at the other end and how
//! they ended there, and what the sender heard. From that follows what the sender must have heard.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::harness::{ALICE, BARE, BOB, SECOND, World, body, field, flag, send, tid};

#[derive(Debug, Clone)]
enum Op {
    /// A SEND of so many octets; its first part is fed at once.
    Send {
        from_alice: bool,
        octets: usize,
        report: usize,
        end: usize,
        part: usize,
    },
    /// More of the SEND that is coming in.
    Feed {
        from_alice: bool,
        octets: usize,
    },
    /// An answer to the oldest or youngest piece that has none.
    Answer {
        oldest: bool,
        is_ok: bool,
    },
    Pass {
        seconds: u64,
    },
    Connect,
    Unreachable,
    CloseBob,
    CloseAlice,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (any::<bool>(), 1..150_000_usize, 0..3_usize, 0..3_usize, 0..150_000_usize).prop_map(
            |(from_alice, octets, report, end, part)| Op::Send { from_alice, octets, report, end, part }
        ),
        3 => (any::<bool>(), 1..90_000_usize).prop_map(|(from_alice, octets)| Op::Feed { from_alice, octets }),
        6 => (any::<bool>(), prop::bool::weighted(0.8)).prop_map(|(oldest, is_ok)| Op::Answer { oldest, is_ok }),
        1 => (1..40_u64).prop_map(|seconds| Op::Pass { seconds }),
        4 => Just(Op::Connect),
        1 => Just(Op::Unreachable),
        1 => Just(Op::CloseBob),
        1 => Just(Op::CloseAlice),
    ]
}

/// How a piece ended, as its receiver knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open { since: u64 },
    Ok,
    Refused,
    Late,
    Lost,
}

#[derive(Debug)]
struct Piece {
    connection: u64,
    text: String,
    end: End,
}

#[derive(Debug)]
struct Sent {
    connection: u64,
    tid: String,
    report: &'static str,
    body: String,
    end: char,
    pieces: Vec<Piece>,
    answers: Vec<String>,
    reports: usize,
}

struct Model {
    world: World,
    uri: String,
    alice: u64,
    bob: Option<u64>,
    next_connection: u64,
    sent: BTreeMap<String, Sent>,
    /// What is left of the SEND that is coming in, by connection.
    rest: BTreeMap<u64, Vec<u8>>,
}

impl Model {
    fn new() -> Self {
        let mut world = World::new();
        world.open(1);
        let uri = world.admit(1, BARE, ALICE, "");
        Self {
            world,
            uri,
            alice: 1,
            bob: None,
            next_connection: 2,
            sent: BTreeMap::new(),
            rest: BTreeMap::new(),
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Send {
                from_alice,
                octets,
                report,
                end,
                part,
            } => self.send(from_alice, octets, report, end, part),
            Op::Feed { from_alice, octets } => {
                let sender = if from_alice {
                    Some(self.alice)
                } else {
                    self.bob
                };
                if let Some(sender) = sender {
                    self.feed(sender, octets);
                }
            }
            Op::Answer { oldest, is_ok } => self.answer(oldest, is_ok),
            Op::Pass { seconds } => self.pass(seconds),
            Op::Connect if !self.world.connects.is_empty() => {
                let id = self.fresh();
                self.world.connect(id, None);
                // Too late, when the relay has given the next hop up.
                let is_closed = self.world.closes.iter().any(|(closed, _)| *closed == id);
                if is_closed {
                    self.world.close(id);
                } else {
                    self.bob = Some(id);
                }
            }
            Op::Unreachable if !self.world.connects.is_empty() => {
                let (hop, _) = self.world.connects.remove(0);
                self.world.relay.handle_unreachable(hop);
                self.world.feed(self.alice, "");
            }
            Op::Connect | Op::Unreachable => {}
            Op::CloseBob => {
                if let Some(bob) = self.bob.take() {
                    self.close(bob);
                }
            }
            Op::CloseAlice => {
                self.close(self.alice);
                self.alice = self.fresh();
                self.world.open(self.alice);
                self.uri = self.world.admit(self.alice, BARE, ALICE, "");
            }
        }
        self.look();
    }

    fn fresh(&mut self) -> u64 {
        self.next_connection += 1;
        self.next_connection
    }

    fn close(&mut self, id: u64) {
        self.look();
        for piece in self.sent.values_mut().flat_map(|sent| &mut sent.pieces) {
            if piece.connection == id && matches!(piece.end, End::Open { .. }) {
                piece.end = End::Lost;
            }
        }
        self.rest.remove(&id);
        self.world.close(id);
    }

    fn send(&mut self, from_alice: bool, octets: usize, report: usize, end: usize, part: usize) {
        let sender = if from_alice {
            Some(self.alice)
        } else {
            self.bob
        };
        let Some(sender) = sender else { return };
        self.feed(sender, usize::MAX);
        let number = self.sent.len();
        let (tid, message) = (format!("send{number:04}"), format!("mess{number:04}"));
        let report = ["yes", "partial", "no"][report];
        let end = ['$', '+', '#'][end];
        let body: String = (0..octets)
            .map(|n| char::from(b"abcdefghijk\r\n-+$#"[(n * 7 + number) % 17]))
            .collect();
        let (to, from) = if from_alice {
            (BOB, ALICE)
        } else {
            (ALICE, BOB)
        };
        let lines = format!("Byte-Range: 1-*/*\r\nFailure-Report: {report}\r\n");
        let text = send(
            &tid,
            &format!("{} {to}", self.uri),
            from,
            &lines,
            &body,
            end,
        )
        .replace("msg00001", &message);
        let sent = Sent {
            connection: sender,
            tid,
            report,
            body,
            end,
            pieces: Vec::new(),
            answers: Vec::new(),
            reports: 0,
        };
        self.sent.insert(message, sent);
        self.rest.insert(sender, text.into_bytes());
        self.feed(sender, part);
    }

    fn feed(&mut self, sender: u64, octets: usize) {
        if let Some(mut rest) = self.rest.remove(&sender) {
            let later = rest.split_off(octets.min(rest.len()));
            self.world.feed(sender, rest);
            if !later.is_empty() {
                self.rest.insert(sender, later);
            }
        }
        self.look();
    }

    fn answer(&mut self, oldest: bool, is_ok: bool) {
        let pieces = self.sent.values_mut().flat_map(|sent| &mut sent.pieces);
        let mut open: Vec<&mut Piece> = pieces
            .filter(|piece| matches!(piece.end, End::Open { .. }))
            .collect();
        let piece = if oldest {
            (!open.is_empty()).then(|| open.remove(0))
        } else {
            open.pop()
        };
        let Some(piece) = piece else { return };
        piece.end = if is_ok { End::Ok } else { End::Refused };
        let (id, text) = (piece.connection, piece.text.clone());
        // An answer in the middle of a request of the same connection is not MSRP.
        self.feed(id, usize::MAX);
        self.world
            .answer(id, &text, if is_ok { "200 OK" } else { "413 Enough" });
    }

    fn pass(&mut self, seconds: u64) {
        let now = self.world.now.after(seconds * SECOND).as_ns();
        for piece in self.sent.values_mut().flat_map(|sent| &mut sent.pieces) {
            if let End::Open { since } = piece.end
                && since + 30 * SECOND <= now
            {
                piece.end = End::Late;
            }
        }
        self.world.pass(seconds);
        self.look();
    }

    /// Reads what was written to both ends.
    fn look(&mut self) {
        for id in 1..=self.next_connection {
            for text in self.world.seen(id) {
                self.read(id, text);
            }
        }
    }

    fn read(&mut self, id: u64, text: String) {
        let start = text.split("\r\n").next().unwrap().to_owned();
        let message = field(&text, "Message-ID");
        let since = self.world.now.as_ns();
        if start.ends_with(" SEND") {
            let sent = self.sent.get_mut(&message.unwrap()).unwrap();
            assert_ne!(sent.connection, id, "nobody gets what they sent");
            sent.pieces.push(Piece {
                connection: id,
                text,
                end: End::Open { since },
            });
        } else if start.ends_with(" REPORT") {
            let sent = self.sent.get_mut(&message.unwrap()).unwrap();
            assert_eq!(sent.connection, id, "a REPORT goes to the sender");
            sent.reports += 1;
        } else {
            let sent = self
                .sent
                .values_mut()
                .find(|sent| sent.tid == tid(&text))
                .unwrap();
            assert_eq!(sent.connection, id, "a response goes to the sender");
            sent.answers
                .push(start.split(' ').nth(2).unwrap().to_owned());
        }
    }

    fn finish(mut self) {
        for sender in [Some(self.alice), self.bob].into_iter().flatten() {
            self.feed(sender, usize::MAX);
        }
        self.pass(31);
        self.pass(31);
        assert_eq!(
            self.world.relay.sends_open_count(),
            0,
            "everything has ended"
        );
        for (message, sent) in &self.sent {
            let is_sender_there =
                sent.connection == self.alice || Some(sent.connection) == self.bob;
            if is_sender_there {
                check(message, sent);
            }
        }
    }
}

/// What a sender who has stayed must have heard.
fn check(message: &str, sent: &Sent) {
    let arrived: String = sent.pieces.iter().map(|piece| body(&piece.text)).collect();
    let is_whole = arrived == sent.body
        && sent
            .pieces
            .last()
            .is_some_and(|piece| flag(&piece.text) == sent.end);
    assert!(
        sent.body.starts_with(&arrived),
        "{message}: octets in order"
    );
    let ends = |end: End| sent.pieces.iter().any(|piece| piece.end == end);
    let has_failed = match sent.report {
        "yes" => !is_whole || ends(End::Refused) || ends(End::Lost) || ends(End::Late),
        "partial" => !is_whole || ends(End::Refused) || ends(End::Lost),
        _ => false,
    };
    let errors = sent
        .answers
        .iter()
        .filter(|answer| *answer != "200")
        .count();
    assert_eq!(
        errors + sent.reports,
        usize::from(has_failed),
        "{message}: told once {sent:?}"
    );
    let responses = match sent.report {
        "yes" => sent.answers.len() == 1,
        "partial" => sent.answers.iter().all(|answer| answer != "200"),
        _ => sent.answers.is_empty(),
    };
    assert!(responses, "{message}: {} {:?}", sent.report, sent.answers);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    // covers: MSRP-4976-6.4.1-01, MSRP-4976-6.4.1-05, MSRP-4976-6.4.1-08
    #[test]
    fn senders_hear_exactly_what_they_asked_for(ops in prop::collection::vec(op(), 1..40)) {
        let mut model = Model::new();
        for op in &ops {
            model.apply(op);
        }
        model.finish();
    }
}
