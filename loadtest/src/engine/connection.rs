//! One connection, and the sessions that share it.
//!
//! ```text
//!   octets in --> Decoder --request, by To-Path--> the leg it is for --answers--.
//!                     \------response, by To-Path--> the leg that asked         v
//!   octets out <-- Out <-- chunks, one leg after the other <-- turn (legs with something to say)
//! ```

use std::collections::{HashMap, VecDeque};

use msrp_wire::{Decoder, Event, Limits, Malformed, Path, ResponseHead};
use ring_io::ConnKey;

use super::desk::Desk;
use super::layer::Layer;
use super::leg::{Change, Leg};
use crate::limits::OUT_OCTETS_SOFT;

/// One connection.
pub(super) struct Connection {
    pub(super) key: ConnKey,
    pub(super) out: Out,
    /// What lies between its socket and MSRP; on plain TCP nothing.
    pub(super) layer: Option<Box<Layer>>,
    /// The legs whose sessions use it, in the order in which they came.
    pub(super) legs: Vec<usize>,
    /// Whether its socket is connected.
    pub(super) is_connected: bool,
    /// Whether MSRP may be written: the handshakes of its layer are over, too.
    pub(super) is_open: bool,
    /// Whether it is over.
    pub(super) is_lost: bool,
    /// Whether the socket takes nothing at the moment.
    pub(super) is_blocked: bool,
    /// Whether it stands in the list of those with something to send.
    pub(super) is_dirty: bool,
    /// Whether reading rests because answers cannot be written.
    pub(super) is_resting: bool,
    by_uri: HashMap<Box<[u8]>, usize>,
    /// The leg whose request is being read.
    reading: usize,
    /// Legs with something to say; each writes one chunk before the next has its turn.
    turn: VecDeque<usize>,
    decoder: Decoder,
}

/// What a socket has not taken.
#[derive(Debug, Default)]
pub(super) struct Out {
    octets: Vec<u8>,
    at: usize,
}

impl Connection {
    pub(super) fn new(key: ConnKey, layer: Option<Layer>) -> Self {
        Self {
            key,
            out: Out::default(),
            layer: layer.map(Box::new),
            legs: Vec::new(),
            is_connected: false,
            is_open: false,
            is_lost: false,
            is_blocked: false,
            is_dirty: false,
            is_resting: false,
            by_uri: HashMap::new(),
            reading: usize::MAX,
            turn: VecDeque::new(),
            decoder: Decoder::new(Limits::default()),
        }
    }

    /// Gives a session its place on the connection.
    pub(super) fn add(&mut self, leg: usize, uri: &str) {
        self.legs.push(leg);
        self.by_uri.insert(uri.as_bytes().into(), leg);
    }

    /// Gives a leg a turn to write.
    pub(super) fn queue(&mut self, index: usize, leg: &mut Leg) {
        if !leg.is_queued {
            leg.is_queued = true;
            self.turn.push_back(index);
        }
    }

    /// Whether there is something to send, or somebody who may have.
    pub(super) fn has_work(&self) -> bool {
        !self.out.waiting().is_empty() || !self.to_send().is_empty() || !self.turn.is_empty()
    }

    /// What goes into the socket next.
    pub(super) fn to_send(&self) -> &[u8] {
        match &self.layer {
            Some(layer) => layer.waiting(),
            None => self.out.waiting(),
        }
    }

    /// The socket took this many octets of it. `true` when it took all.
    pub(super) fn advance(&mut self, octets: usize) -> bool {
        match &mut self.layer {
            Some(layer) => layer.wire().advance(octets),
            None => self.out.advance(octets),
        }
    }

    /// Gives what was written to the layer, when there is one that takes it.
    ///
    /// # Errors
    /// A sentence: the layer takes nothing.
    pub(super) fn encode(&mut self) -> Result<(), String> {
        let Some(layer) = self.layer.as_mut().filter(|_| self.is_open) else {
            return Ok(());
        };
        let octets = self.out.waiting().len();
        layer.write(self.out.waiting())?;
        self.out.advance(octets);
        Ok(())
    }

    /// Takes octets of the peer. What changed in a session is put to `changes`, with its leg.
    ///
    /// # Errors
    /// [`Malformed`]: the peer does not speak MSRP.
    pub(super) fn handle_input(
        &mut self,
        input: &[u8],
        legs: &mut [Leg],
        desk: &mut Desk,
        changes: &mut Vec<(usize, Change)>,
    ) -> Result<(), Malformed> {
        let mut rest = input;
        loop {
            let step = self.decoder.decode(rest)?;
            let Some(event) = step.event else {
                return Ok(());
            };
            let touched = match event {
                Event::Request(head) => {
                    let index = leg_of(&self.legs, &self.by_uri, Some(head.to_path));
                    self.reading = index;
                    legs[index].on_request(&head, desk);
                    None
                }
                Event::Body(body) => {
                    legs[self.reading].on_body(body, rest);
                    None
                }
                Event::End(flag) => {
                    legs[self.reading].on_end(flag, &mut self.out, desk);
                    Some(self.reading)
                }
                Event::Response(head) => {
                    let index = leg_of_response(&self.legs, &self.by_uri, &head);
                    if let Some(change) = legs[index].on_response(&head, desk) {
                        changes.push((index, change));
                    }
                    Some(index)
                }
                Event::Rejected(_) => {
                    desk.counts.illegal_requests += 1;
                    None
                }
            };
            if let Some(index) = touched.filter(|index| !legs[*index].is_queued) {
                legs[index].is_queued = true;
                self.turn.push_back(index);
            }
            rest = rest.get(step.consumed..).unwrap_or_default();
        }
    }

    /// Composes chunks, one of each leg in turn, until the socket has enough to do.
    pub(super) fn fill(&mut self, legs: &mut [Leg], desk: &mut Desk) {
        while self.out.waiting().len() < OUT_OCTETS_SOFT {
            let Some(index) = self.turn.pop_front() else {
                return;
            };
            let leg = &mut legs[index];
            leg.is_queued = leg.write_next(&mut self.out, desk);
            if leg.is_queued {
                self.turn.push_back(index);
            }
        }
    }
}

/// The leg that a To-Path names. A path that names none goes to the first leg, which says that it is not its own.
fn leg_of(legs: &[usize], by_uri: &HashMap<Box<[u8]>, usize>, to_path: Option<Path<'_>>) -> usize {
    let first = legs.first().copied().unwrap_or(0);
    if legs.len() < 2 {
        return first;
    }
    let named = to_path.and_then(|path| by_uri.get(path.last().raw()));
    named.copied().unwrap_or(first)
}

fn leg_of_response(
    legs: &[usize],
    by_uri: &HashMap<Box<[u8]>, usize>,
    head: &ResponseHead<'_>,
) -> usize {
    match legs {
        [only] => *only,
        // The path is read only where it is needed.
        _ => leg_of(legs, by_uri, head.to_path()),
    }
}

impl Out {
    /// Where more is written to.
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.octets
    }

    /// Octets that wait for the socket.
    pub(super) fn waiting(&self) -> &[u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }

    /// The socket took this many octets. `true` when it took all.
    pub(super) fn advance(&mut self, octets: usize) -> bool {
        self.at += octets;
        let is_empty = self.at >= self.octets.len();
        if is_empty {
            self.octets.clear();
            self.at = 0;
        } else if self.at > OUT_OCTETS_SOFT {
            self.octets.drain(..self.at);
            self.at = 0;
        }
        is_empty
    }
}
