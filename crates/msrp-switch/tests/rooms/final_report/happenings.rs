//! Final reports of messages with which anything may happen, in any order.

use msrp_switch::Outcome;
use msrp_switch::limits::FINAL_REPORT_NS;
use proptest::prelude::*;

use super::{asking, code, deliver_all, document, house, refuse, report_on, report_range};
use crate::harness::*;
use crate::report_document::ReportDocument;

/// What a recipient does; several things may happen to one.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Report(u16),
    Refuse,
    Deliver,
    Fail,
    Leave,
    Nothing,
}

fn happening() -> impl Strategy<Value = (usize, Happening)> {
    let what = prop_oneof![
        Just(Happening::Report(200)),
        Just(Happening::Report(415)),
        Just(Happening::Refuse),
        Just(Happening::Deliver),
        Just(Happening::Fail),
        Just(Happening::Leave),
        Just(Happening::Nothing),
    ];
    (1_usize..6, what)
}

proptest! {
    // covers: FR-5.7.3-17
    #[test]
    fn final_report_names_everybody_once_with_what_happened_first(
        happenings in proptest::collection::vec(happening(), 0..20),
        late in 0_usize..20,
    ) {
        let mut house = house(["a", "b", "c", "d", "e", "f"].map(guest));
        let message = asking("a", &[ROOM]);
        let n = message.len();
        house.say(0, &chunk("mess1", &message, 0..n - 20, Some(n), More).success());
        house.say(0, &chunk("mess1", &message, n - 20..n - 5, Some(n), More).success());
        let last = chunk("mess1", &message, n - 5..n, Some(n), Last).success();
        let mut expected = [None; 6];
        let mut settled = [false; 6];
        let mut is_said = false;
        for (index, (who, what)) in happenings.into_iter().enumerate() {
            if index == late && !is_said {
                is_said = true;
                if house.say(0, &last) != [200] {
                    return Ok(());
                }
            }
            let key = house.pieces(who)[0].key;
            let is_gone = expected[who] == Some(481);
            let was_settled = settled[who];
            let result = match what {
                _ if is_gone => None,
                Happening::Report(status) => {
                    report_range(&mut house, who, None, status);
                    settled[who] |= status != 200 && expected[who].is_none();
                    Some(status)
                }
                Happening::Refuse => {
                    refuse(&mut house, who, 413);
                    settled[who] = true;
                    (!was_settled).then_some(413)
                }
                Happening::Deliver if is_said => {
                    house.settle(who, key, Outcome::Delivered);
                    settled[who] = true;
                    None
                }
                Happening::Fail => {
                    house.settle(who, key, Outcome::Failed);
                    settled[who] = true;
                    (!was_settled).then_some(408)
                }
                Happening::Leave => {
                    // One that is final and still here may go on to settle; it is not looked at.
                    let status = expected[who].unwrap_or(481);
                    house.leave(who);
                    settled[who] = true;
                    Some(status)
                }
                Happening::Deliver | Happening::Nothing => None,
            };
            if expected[who].is_none() {
                // A success that comes before the last chunk is final with it.
                expected[who] = result;
            }
        }
        if !is_said && house.say(0, &last) != [200] {
            return Ok(());
        }
        for who in 1..6 {
            let key = house.pieces(who)[0].key;
            house.settle(who, key, Outcome::Delivered);
        }
        house.end_turn();
        house.pass_ns(FINAL_REPORT_NS);
        let (_, document) = document(&house);
        prop_assert_eq!(document.legs.len(), 5);
        for (leg, (name, who)) in document.legs.iter().zip([("b", 1), ("c", 2), ("d", 3), ("e", 4), ("f", 5)]) {
            prop_assert_eq!(&leg.uri, &address(name));
            // A success REPORT that came too early counts only if nothing worse came before the end.
            if expected[who] != Some(200) {
                prop_assert_eq!(leg.status, expected[who].unwrap_or(408), "{}", name);
            }
        }
        prop_assert!(house.switch.is_idle());
        let sums = house.switch.sums();
        prop_assert_eq!((sums.opened, sums.settled()), (5, 5));
    }
}

/// One step of a room in which several messages with final reports cross each other.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The next chunk of one of the sender's messages.
    Say(Who, usize),
    Abort(Who, usize),
    /// A report on one of the messages that this participant got, by position.
    Report(Who, usize, u16),
    Refuse(Who, usize),
    Settle,
    Leave(Who),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0_usize..SPEAKERS;
    prop_oneof![
        8 => (who.clone(), 0..MESSAGES).prop_map(|(who, m)| Step::Say(who, m)),
        1 => (who.clone(), 0..MESSAGES).prop_map(|(who, m)| Step::Abort(who, m)),
        6 => (who.clone(), 0_usize..8).prop_map(|(who, at)| Step::Report(who, at, 200)),
        1 => (who.clone(), 0_usize..8).prop_map(|(who, at)| Step::Report(who, at, 403)),
        1 => (who.clone(), 0_usize..8).prop_map(|(who, at)| Step::Refuse(who, at)),
        4 => Just(Step::Settle),
        1 => who.prop_map(Step::Leave),
        1 => (0_u64..FINAL_REPORT_NS * 2).prop_map(Step::Pass),
    ]
}

const SPEAKERS: usize = 4;

const MESSAGES: usize = 3;

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    Half,
    All,
    /// Refused, given up, or its sender left before its end.
    Void,
}

proptest! {
    // covers: FR-5.7.3-17, FR-5.7.3-18
    #[test]
    fn final_reports_that_cross_each_other_are_each_complete_once(
        steps in proptest::collection::vec(step(), 0..60),
    ) {
        let names = ["a", "b", "c", "d"];
        let mut house = house(names.map(guest));
        let mut said = [[Said::Nothing; MESSAGES]; SPEAKERS];
        let mut is_here = [true; SPEAKERS];
        // The ids of different senders are the same on purpose.
        let id = |m: usize| format!("mess{m}");
        for step in steps {
            match step {
                Step::Say(who, m) | Step::Abort(who, m) if is_here[who] => {
                    let message = asking(names[who], &[ROOM]);
                    let is_abort = matches!(step, Step::Abort(..));
                    let (from, to, flag, next) = match said[who][m] {
                        Said::Nothing if is_abort => continue,
                        Said::Nothing => (0, message.len() - 9, More, Said::Half),
                        Said::Half if is_abort => (message.len() - 9, message.len(), Abort, Said::Void),
                        Said::Half => (message.len() - 9, message.len(), Last, Said::All),
                        Said::All | Said::Void => continue,
                    };
                    let part = chunk(&id(m), &message, from..to, Some(message.len()), flag);
                    let answer = house.say(who, &part.success());
                    said[who][m] = if answer == [200] { next } else { Said::Void };
                }
                Step::Report(who, at, status) if is_here[who] => {
                    let pieces = house.pieces(who);
                    if let Some(piece) = pieces.get(at % pieces.len().max(1)) {
                        let id = piece.id.clone();
                        report_on(&mut house, who, &id, None, status);
                    }
                }
                Step::Refuse(who, at) if is_here[who] => {
                    let pieces = house.pieces(who);
                    if let Some(piece) = pieces.get(at % pieces.len().max(1)) {
                        let (leg, key) = (house.key(who), piece.key);
                        house.switch.settle_refused(leg, key, None, code(413));
                        house.drain();
                    }
                }
                Step::Settle => {
                    house.settle_next();
                }
                Step::Leave(who) if is_here[who] => {
                    house.leave(who);
                    is_here[who] = false;
                }
                Step::Pass(ns) => {
                    house.end_turn();
                    house.pass_ns(ns);
                }
                Step::Say(..) | Step::Abort(..) | Step::Report(..) | Step::Refuse(..) | Step::Leave(_) => {}
            }
        }
        deliver_all(&mut house);
        house.pass_ns(FINAL_REPORT_NS);
        let mut told = [[0; MESSAGES]; SPEAKERS];
        for seen in &house.outputs_seen {
            let Seen::Report { who, body: Some((_, body)), .. } = seen else {
                panic!("{seen:?}");
            };
            let document = ReportDocument::parse(body);
            let m: usize = document.message_id[4..].parse().unwrap();
            prop_assert!(document.is_last);
            prop_assert!(document.legs.iter().all(|leg| leg.uri != address(names[*who])));
            told[*who][m] += 1;
        }
        for who in 0..SPEAKERS {
            for m in 0..MESSAGES {
                let is_whole = said[who][m] == Said::All;
                prop_assert!(told[who][m] <= usize::from(is_whole), "{who} {m}");
                if is_whole && is_here[who] {
                    prop_assert_eq!(told[who][m], 1, "{} {}", who, m);
                }
            }
        }
        let sums = house.switch.sums();
        let all: usize = said.iter().flatten().filter(|said| **said == Said::All).count();
        let ended = [
            sums.final_reports_sent,
            sums.final_reports_timed_out,
            sums.final_reports_skipped,
        ];
        prop_assert_eq!(ended.iter().sum::<u64>(), all as u64);
        for who in 0..SPEAKERS {
            house.leave(who);
        }
        prop_assert!(house.switch.is_idle());
        let sums = house.switch.sums();
        prop_assert_eq!(sums.opened, sums.settled());
        prop_assert_eq!(house.switch.poll_timeout(), None);
    }
}
