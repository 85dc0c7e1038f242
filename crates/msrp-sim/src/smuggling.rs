//! Trials to end a frame from inside its body.
//!
//! A sender and an accomplice are in one room with a victim. The accomplice tells the sender every transaction id that
//! it sees, at once: also that of the piece of the very message that is under way, before its last octets are sent. The
//! sender writes end lines of these ids into the rest, in all dresses that somebody might take for one. What the victim
//! gets is read by several lax models of other parsers; each of them has to see the frames that were written, and no
//! other.

mod reader;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use msrp_control::Reply;
use msrp_shard::simulation::{Run, SteppedNode};

use crate::chance::Chance;
use crate::controller::{About, Controller, room_uri};
use crate::kernel::{Kernel, LinkId, NetworkPlan, SimulatedIo};
use crate::plan::Guest;
use crate::temper::Temper;
use crate::world::{LISTENER, address, plain_config};
use reader::{Reader, find};

/// What trials have shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trials {
    /// End lines that the victim was sent inside of bodies.
    pub trials: u64,
    /// Messages that they were in.
    pub messages: u64,
    /// Of them, how many named the id of a piece of their own message.
    pub of_own_message: u64,
    /// What some reader saw that was not written, if anything.
    pub fault: Option<String>,
}

/// Makes at least so many trials.
///
/// # Errors
/// The node could not be made, or nobody could join its room.
pub fn smuggle(seed: u64, trials: u64) -> Result<Trials, String> {
    let mut den = Den::new(seed)?;
    den.settle_in()?;
    let mut shown = Trials::default();
    while shown.trials < trials && shown.fault.is_none() {
        den.trial(&mut shown);
    }
    Ok(shown)
}

/// Ids that the accomplice remembers.
const RUMOURS_MAX: usize = 12;

/// End lines in one message.
const CANDIDATES: usize = 24;

/// Who is there.
const SENDER: usize = 0;
const ACCOMPLICE: usize = 1;
const VICTIM: usize = 2;

/// A room with a sender, an accomplice and a victim.
struct Den {
    now_ns: u64,
    chance: Chance,
    run: Arc<Run>,
    kernel: Rc<RefCell<Kernel>>,
    node: SteppedNode<SimulatedIo>,
    controller: Controller,
    links: Vec<LinkId>,
    node_uris: Vec<String>,
    /// What each got and nobody has read.
    got: Vec<Vec<u8>>,
    rumours: VecDeque<String>,
    messages: u64,
}

impl Den {
    fn new(seed: u64) -> Result<Self, String> {
        let fault = |error: std::io::Error| error.to_string();
        let mut chance = Chance::new(seed);
        let plan = NetworkPlan {
            segment_octets_max: 9000,
            delay_ns_max: 1000,
            buffer_octets_max: 256 * 1024,
            slots: 64,
            short_sends: false,
        };
        let run = Arc::new(Run::new(seed));
        let kernel = Kernel::new(plan, (LISTENER, 1), chance.fork()).map_err(fault)?;
        let kernel = Rc::new(RefCell::new(kernel));
        let shard = Kernel::shard(&kernel, 0).map_err(fault)?;
        let node = SteppedNode::new(&plain_config(), &run, vec![shard]).map_err(fault)?;
        Ok(Self {
            now_ns: 0,
            chance,
            run,
            kernel,
            controller: Controller::new(Arc::clone(node.engine())),
            node,
            links: Vec::new(),
            node_uris: Vec::new(),
            got: vec![Vec::new(); 3],
            rumours: VecDeque::new(),
            messages: 0,
        })
    }

    /// Everybody comes into the room.
    fn settle_in(&mut self) -> Result<(), String> {
        self.controller.create_room(0);
        self.pass(1_000_000);
        for peer in [SENDER, ACCOMPLICE, VICTIM] {
            let guest = Guest::plain(Temper::Colluding);
            let entity = entity(peer);
            self.controller.join(peer, &guest, &entity, sdp(peer));
            self.pass(1_000_000);
            let answers = self.controller.answers();
            let path = answers.into_iter().find_map(|answer| match answer {
                (About::Join(_), Ok(Reply::Sdp(sdp))) => sdp
                    .lines()
                    .find_map(|line| line.strip_prefix("a=path:"))
                    .map(str::to_owned),
                _ => None,
            });
            self.node_uris.push(path.ok_or("nobody can join")?);
            let link = self.kernel.borrow_mut().peer_connect(peer);
            self.links.push(link);
            let bind = self.request(peer, &format!("bind{peer}"), "Byte-Range: 1-0/0\r\n", None);
            self.write(peer, &bind);
            self.pass(2_000_000);
        }
        self.got.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    /// Time passes, and the shard does what there is to do.
    fn pass(&mut self, ns: u64) {
        let until_ns = self.now_ns + ns;
        loop {
            let next = self.kernel.borrow().next_ns();
            let due = self.node.deadline_ns(0);
            let next = next.into_iter().chain(due).min().unwrap_or(until_ns);
            self.now_ns = next.clamp(self.now_ns + 1, until_ns.max(self.now_ns + 1));
            self.run.set_now_ns(self.now_ns);
            self.kernel.borrow_mut().advance(self.now_ns);
            let _ = self.kernel.borrow_mut().take_news();
            while self.kernel.borrow().has_news(0) {
                let _ = self.node.step(0);
            }
            if due.is_some_and(|due| due <= self.now_ns) {
                let _ = self.node.step(0);
            }
            for (peer, link) in self.links.iter().enumerate() {
                let octets = self.kernel.borrow_mut().peer_read(*link, usize::MAX);
                self.got[peer].extend(octets);
            }
            if self.now_ns >= until_ns {
                return;
            }
        }
    }

    fn write(&mut self, peer: usize, octets: &[u8]) {
        let mut kernel = self.kernel.borrow_mut();
        kernel.peer_write(self.links[peer], octets);
    }

    fn request(&self, peer: usize, id: &str, range: &str, body: Option<&[u8]>) -> Vec<u8> {
        let (to, from) = (&self.node_uris[peer], own_uri(peer));
        let mut octets = format!(
            "MSRP {id} SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: m{id}\r\n{range}"
        );
        if body.is_some() {
            octets += "Failure-Report: no\r\nContent-Type: message/cpim\r\n\r\n";
        }
        let mut octets = octets.into_bytes();
        if let Some(body) = body {
            octets.extend_from_slice(body);
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(format!("-------{id}$\r\n").as_bytes());
        octets
    }

    /// One message.
    fn trial(&mut self, shown: &mut Trials) {
        self.messages += 1;
        shown.messages += 1;
        let id = format!("smuggler{}", self.messages);
        let head = crate::message::head(0, &entity(SENDER), &[room_uri(0)], false);
        let first = head.len() + 40;
        let mut body = head;
        body.resize(first, b'x');
        // Nothing is known yet of how long the rest is.
        let total = first + CANDIDATES * CANDIDATE_OCTETS;
        let range = format!("Byte-Range: 1-{total}/{total}\r\n");
        let whole = self.request(SENDER, &id, &range, Some(&body));
        let open_octets = whole.len() - format!("\r\n-------{id}$\r\n").len();
        let (open, _) = whole.split_at(open_octets);
        self.write(SENDER, open);
        // Longer than the switch holds octets back: a piece of this message leaves.
        self.pass(8_000_000);
        let known_before = self.messages;
        let own = self.overhear();
        let mut rest = Vec::with_capacity(total - first);
        for _ in 0..CANDIDATES {
            let of_own = own && self.chance.one_in(2);
            let rumour = if of_own {
                self.rumours.back().cloned()
            } else {
                self.chance.pick(self.rumours.make_contiguous()).cloned()
            };
            shown.of_own_message += u64::from(of_own);
            let rumour = rumour.unwrap_or_else(|| format!("{known_before:022}"));
            let candidate = self.dress(&rumour);
            rest.extend(candidate);
            let padded = rest.len().div_ceil(CANDIDATE_OCTETS) * CANDIDATE_OCTETS;
            rest.resize(padded, b'.');
        }
        shown.trials += CANDIDATES as u64;
        rest.truncate(total - first);
        rest.extend_from_slice(format!("\r\n-------{id}$\r\n").as_bytes());
        self.write(SENDER, &rest);
        self.pass(8_000_000);
        self.overhear();
        self.got[SENDER].clear();
        shown.fault = self.judge();
    }

    /// An end line of this id and a request behind it, in one of many dresses.
    fn dress(&mut self, id: &str) -> Vec<u8> {
        let before = ["\r\n", "\n", "\r", "", "\r\n-", "\r\n ", "\r\n\r\n"];
        let marks = ["-------", "--------", "------- ", "-------\t"];
        let flags = ["$", "+", "#", "", " $", "$ ", "x"];
        let ends = ["\r\n", "\n", "\r", "\r\n\r\n"];
        let chance = &mut self.chance;
        let mut one = |of: &[&str]| {
            chance
                .pick(of)
                .map_or(String::new(), |text| (*text).to_owned())
        };
        let (before, mark, flag, end) = (one(&before), one(&marks), one(&flags), one(&ends));
        let id = match self.chance.within(0..=5) {
            0 => id.to_ascii_lowercase(),
            1 => id.to_ascii_uppercase(),
            2 => id.chars().take(8).collect(),
            _ => id.to_owned(),
        };
        format!("{before}{mark}{id}{flag}{end}MSRP zq9smug1 SEND\r\n-------zq9smug1$\r\n")
            .into_bytes()
    }

    /// The accomplice tells what ids it saw. Returns whether there was one.
    fn overhear(&mut self) -> bool {
        let octets = std::mem::take(&mut self.got[ACCOMPLICE]);
        let mut at = 0;
        let before = self.rumours.len();
        let mut has_heard = false;
        while let Some(start) = find(&octets, b"MSRP ", at) {
            let rest = octets.get(start + 5..).unwrap_or_default();
            let id: String = rest
                .iter()
                .take_while(|octet| **octet != b' ')
                .take(32)
                .map(|octet| char::from(*octet))
                .collect();
            if rest
                .get(id.len()..)
                .is_some_and(|rest| rest.starts_with(b" SEND\r\nTo-Path"))
                && !id.starts_with("zq9")
            {
                self.rumours.push_back(id);
                has_heard = true;
            }
            at = start + 5;
        }
        while self.rumours.len() > RUMOURS_MAX.max(before.min(RUMOURS_MAX)) {
            self.rumours.pop_front();
        }
        has_heard
    }

    /// What the readers make of what the victim got: all the same, and nothing that was not written.
    fn judge(&mut self) -> Option<String> {
        let octets = std::mem::take(&mut self.got[VICTIM]);
        if octets.is_empty() {
            return Some("the victim got nothing".to_owned());
        }
        for reader in Reader::ALL {
            let (ids, read) = reader.read(&octets);
            if read != octets.len() || ids.iter().any(|id| id.len() != 22) {
                let shown = octets.escape_ascii();
                return Some(format!(
                    "{reader:?} sees {ids:?}, {read} octets, in {shown}"
                ));
            }
        }
        None
    }
}

fn entity(peer: usize) -> String {
    format!("sip:user{peer}@example.com")
}

fn own_uri(peer: usize) -> String {
    format!("msrp://{}/den{peer};tcp", address(peer))
}

fn sdp(peer: usize) -> String {
    let (host, uri) = (address(peer).ip(), own_uri(peer));
    format!(
        "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n\
         m=message 7000 TCP/MSRP *\r\na=accept-types:message/cpim\r\n\
         a=accept-wrapped-types:*\r\na=path:{uri}\r\na=setup:active\r\n"
    )
}

/// Room for one end line with what is behind it.
const CANDIDATE_OCTETS: usize = 96;
