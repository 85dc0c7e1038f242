//! One world, from its seed to its end.
//!
//! ```text
//!   talk: participants come, talk, do harm, go; links clog and break; the controller does its part
//!   heal: everything comes through again, nobody does harm; what waits has to leave
//!   probe: everybody who is left says something, and everybody has to get it
//!   close: the rooms close, and nothing may be left of them
//! ```
//!
//! Between two moments at which something happens no time passes. In each moment the participants and the controller
//! act, then every shard that has something to do goes round its loop, then the oracle looks.

mod acting;
mod nodes;
mod phases;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use msrp_shard::simulation::Run;
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, Rules};

use crate::chance::Chance;
use crate::controller::Controller;
use crate::kernel::{Kernel, PeerId};
use crate::oracle::Oracle;
use crate::peer::{Peer, Scene, Who};
use crate::plan::Plan;
use crate::temper::Temper;
use nodes::Nodes;

/// What is asked of a world.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    /// Half of the participants are of this temper.
    pub temper: Option<Temper>,
    /// Tell what happens on standard output.
    pub is_verbose: bool,
    /// The shards have this defect.
    #[cfg(feature = "planted-defects")]
    pub plant: Option<msrp_shard::simulation::Plant>,
}

/// How a world went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Everything that happened, as one number.
    pub trace: u64,
    /// How many participants there were.
    pub peers: usize,
    /// How often a shard went round its loop.
    pub turns: u64,
    /// What was seen, and how often.
    pub sights: BTreeMap<&'static str, u64>,
    /// What was wrong, if anything was.
    pub fault: Option<String>,
}

/// A world that is running.
struct World {
    now_ns: u64,
    chance: Chance,
    /// What happens in some worlds only.
    other: Chance,
    plan: Plan,
    wish: Wish,
    run: Arc<Run>,
    kernel: Rc<RefCell<Kernel>>,
    nodes: Nodes,
    controller: Controller,
    oracle: Oracle,
    peers: Vec<Peer>,
    rumours: Vec<String>,
    budget: usize,
    is_healed: bool,
    /// When peers want to act.
    wakes: BinaryHeap<Reverse<(u64, PeerId)>>,
    /// When each shard goes round its loop next.
    turns_ns: Vec<Option<u64>>,
    turns: u64,
    /// What is going to happen in the talk, by time.
    script: BinaryHeap<Reverse<(u64, usize)>>,
    deeds: Vec<Deed>,
    /// Rooms that were closed before the end.
    closed: Vec<bool>,
}

/// Something that happens at a time of its own.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Join(PeerId),
    Clog,
    Command,
    ClogRelay,
    KillRelay,
    Move(PeerId),
    FailShard(usize),
}

/// Runs the world of a seed. A panic inside it is a fault as any other.
#[must_use]
pub fn run(seed: u64, wish: Wish) -> Outcome {
    let outcome = catch_unwind(AssertUnwindSafe(|| run_world(seed, wish)));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let text = text.unwrap_or_else(|| "without words".to_owned());
        Outcome::failed(seed, format!("a panic: {text}"))
    })
}

impl Outcome {
    fn failed(seed: u64, fault: String) -> Self {
        Self {
            seed,
            trace: 0,
            peers: 0,
            turns: 0,
            sights: BTreeMap::new(),
            fault: Some(fault),
        }
    }
}

fn run_world(seed: u64, wish: Wish) -> Outcome {
    let mut chance = Chance::new(seed);
    let mut other = Chance::new(seed ^ OTHER);
    let plan = Plan::draw(&mut chance, &mut other, wish.temper);
    let mut world = match World::new(seed, plan, wish, (chance, other)) {
        Ok(world) => world,
        Err(error) => {
            return Outcome::failed(seed, format!("the world could not be made: {error}"));
        }
    };
    let verdict = world.live();
    let trace = world.kernel.borrow().trace();
    Outcome {
        seed,
        trace,
        peers: world.peers.len(),
        turns: world.turns,
        sights: std::mem::take(&mut world.oracle.sights),
        fault: verdict.err(),
    }
}

/// The nicknames that participants ask for.
const NICKNAMES: [&str; 6] = ["Al", " al ", "AL", "Bo", "", crate::oracle::MALFORMED];

/// What makes the seed of everything that only some worlds have.
const OTHER: u64 = 0xa076_1d64_78bd_642f;

/// Where the node listens.
pub(crate) const LISTENER: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    2855,
);

impl World {
    fn new(
        seed: u64,
        plan: Plan,
        wish: Wish,
        (mut chance, other): (Chance, Chance),
    ) -> std::io::Result<Self> {
        let run = Arc::new(Run::new(seed));
        let mut kernel = Kernel::new(plan.network, (LISTENER, plan.shards), chance.fork())?;
        kernel.is_verbose = wish.is_verbose;
        let kernel = Rc::new(RefCell::new(kernel));
        let nodes = Nodes::new(&plan, &run, &kernel)?;
        #[cfg(feature = "planted-defects")]
        let nodes = nodes.with_plant(wish.plant);
        let controller = Controller::new(Arc::clone(nodes.engine()));
        let mut world = Self {
            now_ns: 0,
            chance,
            other,
            wish,
            run,
            kernel,
            controller,
            oracle: Oracle {
                is_calm: plan.is_calm,
                has_relay: plan.relay.is_some(),
                ..Oracle::default()
            },
            peers: Vec::new(),
            rumours: Vec::new(),
            budget: plan.budget,
            is_healed: false,
            wakes: BinaryHeap::new(),
            turns_ns: vec![Some(0); nodes.shards_count()],
            turns: 0,
            script: BinaryHeap::new(),
            deeds: Vec::new(),
            closed: vec![false; plan.rooms],
            nodes,
            plan,
        };
        world.people();
        world.plan_troubles();
        Ok(world)
    }

    /// Makes the participants and writes down what is going to happen.
    fn people(&mut self) {
        let talk_ns = self.plan.talk_ns;
        for (id, guest) in self.plan.guests.clone().into_iter().enumerate() {
            let mut chance = self.chance.fork();
            let entity = if guest.is_hidden {
                format!("sip:anonymous{id}@anonymous.invalid")
            } else {
                format!("sip:user{id}@example.com")
            };
            let address = address(id);
            let secret = if guest.is_hidden {
                crate::oracle::SECRET
            } else {
                "s"
            };
            let bits = chance.bits() >> 16;
            let host = if guest.is_named {
                format!("{}:{}", nodes::name_of(id), address.port())
            } else {
                address.to_string()
            };
            let own_uri = format!("msrp://{host}/{secret}{id}x{bits:012x};tcp");
            self.kernel.borrow_mut().peer_listen(id, address);
            self.oracle.add_witness(guest.room, guest.temper, &entity);
            let mut says: Vec<_> = (0..guest.says)
                .map(|_| chance.within(guest.joins_ns..=talk_ns))
                .collect();
            says.sort_unstable();
            let death_ns = chance.within(guest.joins_ns..=talk_ns);
            let who = Who {
                id,
                room: guest.room,
                temper: guest.temper,
                entity,
                room_uri: crate::controller::room_uri(guest.room),
                own_uri,
                is_hidden: guest.is_hidden,
            };
            let mut peer = Peer::new(who, chance);
            peer.says_ns = says;
            peer.set_death(death_ns);
            self.peers.push(peer);
            self.oracle.witnesses[id].is_relayed = guest.is_relayed;
            self.plan_requests(id);
            self.plan_deed(guest.joins_ns, Deed::Join(id));
        }
        for _ in 0..self.plan.troubles {
            let at_ns = self.chance.within(0..=talk_ns);
            self.plan_deed(at_ns, Deed::Clog);
        }
        for _ in 0..self.plan.commands {
            let at_ns = self.chance.within(talk_ns / 4..=talk_ns);
            self.plan_deed(at_ns, Deed::Command);
        }
    }

    /// When a participant asks for nicknames, and when it moves.
    fn plan_requests(&mut self, id: PeerId) {
        let (guest, talk_ns) = (self.plan.guests[id].clone(), self.plan.talk_ns);
        for _ in 0..guest.nicknames {
            let at_ns = self.other.within(guest.joins_ns..=talk_ns);
            let nickname = self.other.pick(&NICKNAMES).copied().unwrap_or_default();
            self.peers[id].asks_ns.push((at_ns, nickname));
        }
        self.peers[id].asks_ns.sort_unstable();
        for _ in 0..guest.moves {
            let at_ns = self.other.within(guest.joins_ns..=talk_ns);
            self.plan_deed(at_ns, Deed::Move(id));
        }
    }

    fn plan_deed(&mut self, at_ns: u64, deed: Deed) {
        self.script.push(Reverse((at_ns, self.deeds.len())));
        self.deeds.push(deed);
    }

    /// Lets somebody do something with everything that participants see.
    fn with_peer<T>(
        &mut self,
        peer: PeerId,
        act: impl FnOnce(&mut Peer, &mut Scene<'_>) -> T,
    ) -> Option<T> {
        let mut kernel = self.kernel.borrow_mut();
        let mut scene = Scene {
            now_ns: self.now_ns,
            kernel: &mut kernel,
            oracle: &mut self.oracle,
            rumours: &mut self.rumours,
            is_healed: self.is_healed,
            budget: &mut self.budget,
            is_pressing: self.plan.is_pressing,
            is_verbose: self.wish.is_verbose,
        };
        let peer = self.peers.get_mut(peer)?;
        Some(act(peer, &mut scene))
    }

    fn tell(&self, text: impl FnOnce() -> String) {
        if self.wish.is_verbose {
            println!("{:>10.6} {}", self.now_ns as f64 / 1e9, text());
        }
    }
}

/// Where a participant can be connected to.
pub(crate) fn address(peer: PeerId) -> SocketAddr {
    let (high, low) = (peer / 250, peer % 250 + 1);
    let octet = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    SocketAddr::from(([10, 0, octet(high), octet(low)], 7000))
}

/// A node with one shard and nothing out of the ordinary.
pub(crate) fn plain_config() -> EngineConfig {
    let mut plan = Plan::draw(&mut Chance::new(0), &mut Chance::new(0), None);
    plan.shards = 1;
    plan.ask_recipients = false;
    config(&plan)
}

pub(crate) fn config(plan: &Plan) -> EngineConfig {
    EngineConfig {
        want: ring_io::Want::Epoll,
        shards: plan.shards,
        pin_shards: false,
        listeners: vec![ListenerConfig {
            name: "simulated".to_owned(),
            bind: LISTENER,
            advertise: None,
            transport: Default::default(),
        }],
        limits: EngineLimits {
            final_report_ns: plan.final_report_ns,
            spread_participants_min: plan.spread_min,
            ..EngineLimits::default()
        },
        ask_recipients: plan.ask_recipients,
        rules: Rules {
            interim_reports: plan.interim_reports,
            ..Rules::default()
        },
    }
}
