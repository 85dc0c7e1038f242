//! What the kernel did not take of one connection, in memory of its own.
//!
//! ```text
//!   push --starts a message, response, report--> first ----+
//!      \--continues a message--> a flow for each message --+--> leaving --> kernel
//! ```
//!
//! The messages take turns piece by piece, and what starts one goes before what continues a large one: a
//! small message never waits for the rest of a large one. Messages start in the order in which they were
//! pushed, and the pieces of one message stay in their order. Only as much is chosen to leave as the
//! next send may take, so that what comes later can still go before the rest.

use std::collections::VecDeque;
use std::io::IoSlice;

use super::outbox::Mark;
use crate::limits::{BACKLOG_RUN_OCTETS, BACKLOG_SEND_OCTETS, SLICES_PER_SEND_MAX};

/// A part that leaves as a whole before the next one: a piece, or small things one behind the other.
#[derive(Debug)]
struct Segment {
    octets: Vec<u8>,
    /// What is known when so many octets of it have left.
    marks: VecDeque<(usize, Mark)>,
    /// Its place in the order of pushing.
    number: u64,
}

impl Segment {
    fn new(number: u64) -> Self {
        Self {
            octets: Vec::new(),
            marks: VecDeque::new(),
            number,
        }
    }

    fn append<'a>(
        &mut self,
        parts: impl Iterator<Item = &'a [u8]>,
        done: impl IntoIterator<Item = Mark>,
    ) {
        for part in parts {
            self.octets.extend_from_slice(part);
        }
        let end = self.octets.len();
        self.marks.extend(done.into_iter().map(|mark| (end, mark)));
    }
}

/// The pieces of one message that wait.
#[derive(Debug)]
struct Flow {
    message: u32,
    segments: VecDeque<Segment>,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    /// Chosen to leave, in order. Of the front one, `left` octets have left.
    leaving: VecDeque<Segment>,
    left: usize,
    first: VecDeque<Segment>,
    /// The one at the front is the next to have a turn.
    flows: VecDeque<Flow>,
    octets: usize,
    /// Those of `first`, and those of `flows`.
    first_octets: usize,
    flow_octets: usize,
    pushed: u64,
    /// Octets of `first` since a flow had its turn.
    run_octets: usize,
}

impl Backlog {
    /// Octets that wait.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// Octets of its kind that something pushed now would wait for: those of what continues a large
    /// message, or of what starts one. What has been chosen to leave is of neither.
    pub(super) fn octets_of_kind(&self, continues: bool) -> usize {
        if continues {
            self.flow_octets
        } else {
            self.first_octets
        }
    }

    /// Adds something of so many octets behind what has to leave before it.
    pub(super) fn push<'a>(
        &mut self,
        parts: impl Iterator<Item = &'a [u8]>,
        octets: usize,
        continues: Option<u32>,
        done: impl IntoIterator<Item = Mark>,
    ) {
        self.octets += octets;
        self.pushed += 1;
        if continues.is_none()
            && let Some(back) = self.first.back_mut()
            && back.octets.len() + octets <= SEGMENT_OCTETS
        {
            self.first_octets += octets;
            return back.append(parts, done);
        }
        let mut segment = Segment::new(self.pushed);
        segment.octets.reserve_exact(octets);
        segment.append(parts, done);
        let Some(message) = continues else {
            self.first_octets += octets;
            return self.first.push_back(segment);
        };
        self.flow_octets += octets;
        match self.flows.iter_mut().find(|flow| flow.message == message) {
            Some(flow) => flow.segments.push_back(segment),
            None => self.flows.push_back(Flow {
                message,
                segments: VecDeque::from([segment]),
            }),
        }
    }

    /// Adds the rest of something that has partly left. The backlog has to be empty.
    pub(super) fn push_rest<'a>(
        &mut self,
        parts: impl Iterator<Item = &'a [u8]>,
        octets: usize,
        done: impl IntoIterator<Item = Mark>,
    ) {
        self.octets += octets;
        let mut rest = Segment::new(0);
        rest.octets.reserve_exact(octets);
        rest.append(parts, done);
        self.leaving.push_back(rest);
    }

    /// Chooses what the next send offers, and appends it to `slices`. Returns its octets.
    pub(super) fn offer<'a>(&'a mut self, slices: &mut Vec<IoSlice<'a>>) -> usize {
        let chosen: usize = self.leaving.iter().map(|s| s.octets.len()).sum();
        let mut offered = chosen - self.left;
        while offered < BACKLOG_SEND_OCTETS
            && self.leaving.len() < SLICES_PER_SEND_MAX
            && let Some((segment, _)) = self.choose()
        {
            offered += segment.octets.len();
            self.leaving.push_back(segment);
        }
        let mut skip = self.left;
        for segment in &self.leaving {
            slices.push(IoSlice::new(&segment.octets[skip..]));
            skip = 0;
        }
        offered
    }

    /// Takes out what is to leave next, whole, and gives it to `take` in parts: up to where each mark lies,
    /// and whether it continues a message. `false` when there is nothing. For a backlog of which nothing was
    /// ever offered.
    pub(super) fn take_next(&mut self, mut take: impl FnMut(&[u8], bool, Option<Mark>)) -> bool {
        let Some((segment, continues)) = self.choose() else {
            return false;
        };
        self.octets -= segment.octets.len();
        let mut start = 0;
        for (end, mark) in segment.marks {
            take(&segment.octets[start..end], continues, Some(mark));
            start = end;
        }
        if start < segment.octets.len() {
            take(&segment.octets[start..], continues, None);
        }
        true
    }

    /// Takes the segment that is to leave next, and says whether it continues a message. A flow has a turn after a run of others, but only when
    /// what it continues was pushed, and so left, before the one whose turn it takes.
    fn choose(&mut self) -> Option<(Segment, bool)> {
        let oldest = self.first.front().map(|segment| segment.number);
        let is_run_over = self.run_octets >= BACKLOG_RUN_OCTETS;
        let next = self.flows.front().and_then(|flow| flow.segments.front());
        let is_flows_turn = match (oldest, next) {
            (None, _) => true,
            (Some(oldest), Some(next)) => is_run_over && next.number < oldest,
            (Some(_), None) => false,
        };
        if !is_flows_turn {
            let segment = self.first.pop_front()?;
            self.first_octets -= segment.octets.len();
            self.run_octets += segment.octets.len();
            return Some((segment, false));
        }
        self.run_octets = 0;
        let mut flow = self.flows.pop_front()?;
        let segment = flow.segments.pop_front()?;
        self.flow_octets -= segment.octets.len();
        if !flow.segments.is_empty() {
            self.flows.push_back(flow);
        }
        Some((segment, true))
    }

    /// So many octets of what was offered have left; what is known then is added to `done`.
    pub(super) fn taken(&mut self, octets: usize, done: &mut Vec<Mark>) {
        self.octets -= octets;
        self.left += octets;
        while let Some(front) = self.leaving.front_mut() {
            while let Some((_, mark)) = front.marks.pop_front_if(|(end, _)| *end <= self.left) {
                done.push(mark);
            }
            if self.left < front.octets.len() {
                break;
            }
            self.left -= front.octets.len();
            self.leaving.pop_front();
        }
    }
}

/// Small things join each other up to so many octets.
const SEGMENT_OCTETS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mark(number: u32) -> Option<Mark> {
        Some(Mark::Lent { home: 0, number })
    }

    fn push(backlog: &mut Backlog, octets: &[u8], continues: Option<u32>, done: Option<Mark>) {
        backlog.push([octets].into_iter(), octets.len(), continues, done);
    }

    /// Lets the kernel take a part of what is offered. Returns the octets and the marks that are known then.
    fn send(backlog: &mut Backlog, part: usize) -> (Vec<u8>, Vec<Mark>) {
        let mut slices = Vec::new();
        let offered = backlog.offer(&mut slices);
        let octets: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(octets.len(), offered);
        let taken = offered * part / 256;
        let mut done = Vec::new();
        backlog.taken(taken, &mut done);
        (octets[..taken].to_vec(), done)
    }

    #[test]
    fn small_message_goes_before_the_rest_of_a_large_one() {
        let mut backlog = Backlog::default();
        for _ in 0..4 {
            push(&mut backlog, &[b'L'; 50_000], Some(1), None);
        }
        let (octets, _) = send(&mut backlog, 1);
        assert!(octets.iter().all(|octet| *octet == b'L'));
        // What leaves is nothing that a small message has to wait for.
        assert_eq!(backlog.octets_of_kind(false), 0);
        assert_eq!(backlog.octets_of_kind(true), 2 * 50_000);
        push(&mut backlog, b"small", None, mark(1));
        assert_eq!(backlog.octets_of_kind(false), 5);
        // What was chosen to leave leaves first: two pieces, of 4.
        let (octets, done) = send(&mut backlog, 256);
        assert!(octets.len() < 100_000 && done.is_empty());
        let (octets, done) = send(&mut backlog, 256);
        assert!(octets.starts_with(b"smallL"));
        assert_eq!(done, Vec::from_iter(mark(1)));
    }

    #[test]
    fn large_messages_take_turns_and_none_starves() {
        let mut backlog = Backlog::default();
        for message in [1, 1, 1, 2, 3] {
            let octet = b'0' + u8::try_from(message).unwrap();
            push(&mut backlog, &[octet; 60_000], Some(message), None);
        }
        let mut order = Vec::new();
        while backlog.octets() > 0 {
            let (octets, _) = send(&mut backlog, 256);
            order.extend(octets.chunks(60_000).map(|piece| piece[0]));
            // Messages start all the time.
            push(&mut backlog, &[b'S'; 70_000], None, None);
            if order.len() > 20 {
                break;
            }
        }
        let of_large: Vec<u8> = order.iter().copied().filter(|o| *o != b'S').collect();
        assert_eq!(of_large, b"12311");
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// A piece of this message, the first one or a further one, of so many octets.
        Piece(u8, usize),
        Send(usize),
    }

    proptest! {
        /// Whatever is pushed and taken: all octets leave once, the pieces of a message in their order, and
        /// messages start in the order in which they were pushed.
        #[test]
        fn pieces_leave_whole_once_and_in_the_order_of_their_message(
            steps in proptest::collection::vec(
                prop_oneof![
                    (0_u8..6, 4_usize..90_000).prop_map(|(message, octets)| Step::Piece(message, octets)),
                    (0_usize..=256).prop_map(Step::Send),
                ],
                1..60,
            ),
        ) {
            let mut backlog = Backlog::default();
            let mut pieces = [0_u32; 6];
            let mut starts = Vec::new();
            let mut pushed = Vec::new();
            let (mut left, mut done) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Piece(message, octets) => {
                        let count = &mut pieces[usize::from(message)];
                        if *count == 0 {
                            starts.push(message);
                        }
                        let continues = (*count > 0).then_some(u32::from(message));
                        *count += 1;
                        // A frame: message, which piece, and how long.
                        let length = u32::try_from(octets).unwrap().to_be_bytes();
                        let mut frame = vec![message, u8::try_from(*count).unwrap()];
                        frame.extend_from_slice(&length);
                        frame.resize(frame.len() + octets, b'x');
                        pushed.push((message, u8::try_from(*count).unwrap()));
                        let number = u32::try_from(pushed.len()).unwrap();
                        push(&mut backlog, &frame, continues, mark(number));
                    }
                    Step::Send(part) => {
                        let (octets, marks) = send(&mut backlog, part);
                        left.extend(octets);
                        done.extend(marks);
                    }
                }
            }
            while backlog.octets() > 0 {
                let (octets, marks) = send(&mut backlog, 256);
                left.extend(octets);
                done.extend(marks);
            }
            let mut frames = Vec::new();
            let mut rest = &left[..];
            while let [message, count, a, b, c, d, tail @ ..] = rest {
                frames.push((*message, *count));
                rest = &tail[u32::from_be_bytes([*a, *b, *c, *d]) as usize..];
            }
            prop_assert!(rest.is_empty());
            prop_assert_eq!(backlog.octets_of_kind(false), 0);
            prop_assert_eq!(backlog.octets_of_kind(true), 0);
            // The marks name the frames that left, in the order in which they left.
            let marked: Vec<_> = done
                .iter()
                .map(|mark| match mark {
                    Mark::Lent { number, .. } => pushed[*number as usize - 1],
                    Mark::Copy(_) | Mark::Relayed(_) | Mark::Piece(_) => unreachable!(),
                })
                .collect();
            prop_assert_eq!(&marked, &frames);
            for message in 0..6 {
                let of: Vec<u8> = frames.iter().filter(|f| f.0 == message).map(|f| f.1).collect();
                let all: Vec<u8> = (1..=pieces[usize::from(message)]).map(|n| u8::try_from(n).unwrap()).collect();
                prop_assert_eq!(of, all);
            }
            let started: Vec<u8> = frames.iter().filter(|f| f.1 == 1).map(|f| f.0).collect();
            prop_assert_eq!(started, starts);
        }
    }
}
