//! The nodes of a world: the one with the rooms, and the relay where there is one. Their shards are numbered one after the
//! other.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

#[cfg(feature = "planted-defects")]
use msrp_shard::simulation::Plant;
use msrp_shard::simulation::{Holdings, Run, SteppedNode};
use msrp_shard::{
    EngineConfig, HopNames, ListenerConfig, RelayOptions, RelayUsers, ShardEngine, SystemNames,
    UserList,
};

use super::{Deed, LISTENER, World, address, config};
use crate::kernel::{Kernel, LinkId, PeerId, SimulatedIo};
use crate::oracle::Verdict;
use crate::peer::{LOGIN, REALM, RELAY_SITE};
use crate::plan::Plan;
use crate::temper::Temper;

/// Where the relay listens, and the name that it is known by.
const RELAY: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9)),
    2855,
);
const RELAY_NAME: &str = "relay.example.com";

/// The nodes of a world.
pub(super) struct Nodes {
    rooms: SteppedNode<SimulatedIo>,
    relay: Option<SteppedNode<SimulatedIo>>,
    /// What relays that have died could not pass on.
    lost_before: usize,
    run: Arc<Run>,
    kernel: Rc<RefCell<Kernel>>,
    #[cfg(feature = "planted-defects")]
    plant: Option<Plant>,
}

/// The host of a participant that is known by name.
pub(super) fn name_of(peer: PeerId) -> String {
    format!("host{peer}.example.com")
}

/// Every name of a world.
#[derive(Debug)]
struct Names;

impl HopNames for Names {
    fn addresses(&self, host: &str, port: Option<u16>, _: bool) -> Vec<SocketAddr> {
        if host == RELAY_NAME {
            return vec![RELAY];
        }
        let number = host.strip_prefix("host");
        let number = number.and_then(|rest| rest.strip_suffix(".example.com")?.parse().ok());
        let Some(peer) = number else {
            return Vec::new();
        };
        let mut here = address(peer);
        here.set_port(port.unwrap_or(here.port()));
        // Nobody is at the first address of some.
        let nobody = SocketAddr::new(here.ip(), 9);
        if peer % 2 == 0 {
            vec![here]
        } else {
            vec![nobody, here]
        }
    }
}

impl Nodes {
    pub(super) fn new(
        plan: &Plan,
        run: &Arc<Run>,
        kernel: &Rc<RefCell<Kernel>>,
    ) -> std::io::Result<Self> {
        let relay = match &plan.relay {
            Some(relay) => {
                let first = kernel.borrow_mut().add_site(RELAY, relay.shards)?;
                Some(open_relay(run, kernel, first..first + relay.shards)?)
            }
            None => None,
        };
        Ok(Self {
            rooms: open(&config(plan), None, (run, kernel), 0..plan.shards)?,
            relay,
            lost_before: 0,
            run: Arc::clone(run),
            kernel: Rc::clone(kernel),
            #[cfg(feature = "planted-defects")]
            plant: None,
        })
    }

    /// The node with the rooms as its controllers see it.
    pub(super) fn engine(&self) -> &Arc<ShardEngine> {
        self.rooms.engine()
    }

    /// How many shards there are.
    pub(super) fn shards_count(&self) -> usize {
        let of_relay = self.relay.as_ref().map_or(0, SteppedNode::shards_count);
        self.rooms.shards_count() + of_relay
    }

    /// The node of a shard, and which of its shards that is.
    fn node_of(&self, shard: usize) -> (&SteppedNode<SimulatedIo>, usize) {
        let of_rooms = self.rooms.shards_count();
        match &self.relay {
            Some(relay) if shard >= of_rooms => (relay, shard - of_rooms),
            Some(_) | None => (&self.rooms, shard),
        }
    }

    pub(super) fn deadline_ns(&self, shard: usize) -> Option<u64> {
        let (node, shard) = self.node_of(shard);
        node.deadline_ns(shard)
    }

    pub(super) fn holdings(&self, shard: usize) -> Holdings {
        let (node, shard) = self.node_of(shard);
        node.holdings(shard)
    }

    /// Lets a shard go round its loop once.
    pub(super) fn step(&mut self, shard: usize) -> std::io::Result<()> {
        let of_rooms = self.rooms.shards_count();
        match &mut self.relay {
            Some(relay) if shard >= of_rooms => relay.step(shard - of_rooms),
            Some(_) | None => self.rooms.step(shard),
        }
    }

    /// What relays could not pass on.
    pub(super) fn lost_by_relay(&self) -> usize {
        let Some(relay) = &self.relay else { return 0 };
        let sums = relay.holdings(0).relayed;
        let lost = sums.refused + sums.failed + sums.sends_refused + sums.reports_dropped;
        self.lost_before + usize::try_from(lost).unwrap_or(usize::MAX)
    }

    /// A shard of the node with the rooms fails and is started again. Returns the owners of its connections.
    fn fail_shard(&mut self, shard: usize) -> std::io::Result<Vec<(PeerId, LinkId)>> {
        let mut owners = Vec::new();
        let kernel = &self.kernel;
        self.rooms.fail(shard, || {
            owners = kernel.borrow_mut().fail(shard)?;
            Kernel::shard(kernel, shard)
        })?;
        Ok(owners)
    }

    /// The relay dies, and another begins in its place.
    fn replace_relay(&mut self) -> std::io::Result<()> {
        let Some(relay) = self.relay.take() else {
            return Ok(());
        };
        // What was on its way in it is lost with it.
        let of_rooms = self.rooms.shards_count();
        let sides = of_rooms..of_rooms + relay.shards_count();
        drop(relay);
        self.lost_before = usize::MAX / 2;
        self.kernel.borrow_mut().kill(RELAY_SITE)?;
        let relay = open_relay(&self.run, &self.kernel, sides)?;
        #[cfg(feature = "planted-defects")]
        let relay = {
            let mut relay = relay;
            if let Some(plant) = self.plant {
                relay.plant(plant);
            }
            relay
        };
        self.relay = Some(relay);
        Ok(())
    }

    /// Every shard has this defect, if any.
    #[cfg(feature = "planted-defects")]
    pub(super) fn with_plant(mut self, plant: Option<Plant>) -> Self {
        self.plant = plant;
        if let Some(plant) = plant {
            self.rooms.plant(plant);
            self.relay.iter_mut().for_each(|relay| relay.plant(plant));
        }
        self
    }
}

fn open(
    config: &EngineConfig,
    relay: Option<RelayOptions>,
    (run, kernel): (&Arc<Run>, &Rc<RefCell<Kernel>>),
    sides: Range<usize>,
) -> std::io::Result<SteppedNode<SimulatedIo>> {
    let kernels = sides.map(|side| Kernel::shard(kernel, side));
    let kernels = kernels.collect::<std::io::Result<Vec<_>>>()?;
    SteppedNode::with_names(config, (relay, Arc::new(Names)), run, kernels)
}

fn open_relay(
    run: &Arc<Run>,
    kernel: &Rc<RefCell<Kernel>>,
    sides: Range<usize>,
) -> std::io::Result<SteppedNode<SimulatedIo>> {
    let users = UserList::parse(&LOGIN.line(REALM));
    let users = users.map_err(|error| std::io::Error::other(format!("{error:?}")))?;
    let options = RelayOptions {
        listener: None,
        realm: REALM.to_owned(),
        users: RelayUsers::new(users),
        expires_s: (60, 3600, 1800),
        allowed_addresses: vec![LISTENER.ip()],
        relays: Vec::new(),
        roots: None,
        allow_plain_auth: true,
        names: Arc::new(SystemNames),
    };
    let mut config = super::plain_config();
    config.shards = sides.len();
    config.listeners = vec![ListenerConfig {
        name: "relay".to_owned(),
        bind: RELAY,
        advertise: Some((RELAY_NAME.to_owned(), RELAY.port())),
        transport: Default::default(),
    }];
    open(&config, Some(options), (run, kernel), sides)
}

impl World {
    /// Writes down what is going to happen to the nodes.
    pub(super) fn plan_troubles(&mut self) {
        if let Some((shard, at_ns)) = self.plan.fails {
            self.plan_deed(at_ns, Deed::FailShard(shard));
        }
        let Some(relay) = self.plan.relay else { return };
        for _ in 0..relay.troubles {
            let at_ns = self.other.within(0..=self.plan.talk_ns);
            self.plan_deed(at_ns, Deed::ClogRelay);
        }
        if let Some(at_ns) = relay.dies_ns {
            self.plan_deed(at_ns, Deed::KillRelay);
        }
    }

    /// Nothing comes through between the nodes for some time.
    pub(super) fn clog_relay(&mut self) {
        let couplings = self.kernel.borrow().couplings().to_vec();
        let Some((near, far)) = self.other.pick(&couplings).copied() else {
            return;
        };
        let longest = if self.other.one_in(3) {
            LONG_CLOG_NS
        } else {
            self.plan.clog_ns_max
        };
        let until_ns = self.now_ns + self.other.within(1_000_000..=longest);
        let link = if self.other.one_in(2) { near } else { far };
        let both = [(true, true), (true, false), (false, true)];
        let ways = self.other.pick(&both).copied().unwrap_or((true, true));
        self.oracle.see("clog between nodes");
        self.kernel.borrow_mut().clog(link, ways, until_ns);
    }

    /// The relay dies and begins anew: who came through it has lost its session.
    pub(super) fn kill_relay(&mut self) -> Verdict {
        self.oracle.see("death of a relay");
        for peer in 0..self.peers.len() {
            if self.peers[peer].is_relayed() && self.peers[peer].link.is_some() {
                self.oracle.hurt(peer, self.now_ns);
                if self.oracle.witnesses[peer].is_bound {
                    self.oracle.expect_loss(peer);
                }
            }
        }
        let replaced = self.nodes.replace_relay();
        replaced.map_err(|error| format!("the relay could not begin anew: {error}"))
    }

    /// A shard fails: its rooms are lost, and those whose connections it had lose their sessions. Nobody else does.
    pub(super) fn fail_shard(&mut self, shard: usize) -> Verdict {
        self.oracle.see("failure of a shard");
        for peer in 0..self.peers.len() {
            if self.peers[peer].is_at_home(shard) {
                self.oracle.hurt(peer, self.now_ns);
            }
        }
        let owners = self.nodes.fail_shard(shard);
        let owners =
            owners.map_err(|error| format!("shard {shard} could not begin anew: {error}"))?;
        for peer in 0..self.peers.len() {
            let is_between = self.peers[peer].is_relayed();
            if owners.iter().any(|(owner, _)| *owner == peer) || is_between {
                self.oracle.hurt(peer, self.now_ns);
            }
            let own = self.peers[peer].link.map(|link| (peer, link));
            let is_alone = own.is_some_and(|own| owners.contains(&own)) && !is_between;
            if is_alone && self.oracle.witnesses[peer].is_bound {
                self.oracle.expect_loss(peer);
            }
        }
        self.hear_engine()?;
        let kept = self.peers.iter().find(|peer| {
            peer.is_at_home(shard) && !self.closed[peer.room] && peer.node_uri.is_some()
        });
        match kept {
            Some(peer) => Err(format!(
                "shard {shard} failed, and nobody was told that room {} is lost",
                peer.room
            )),
            None => Ok(()),
        }
    }

    /// Who comes through the relay hangs up there, and who has vanished is noticed to have.
    pub(super) fn leave_relay(&mut self) {
        for peer in self.peers.iter_mut().filter(|peer| peer.is_relayed()) {
            let Some(link) = peer.link else { continue };
            peer.is_over = true;
            let mut kernel = self.kernel.borrow_mut();
            match peer.temper {
                Temper::Dying => kernel.peer_reset(link),
                _ => kernel.peer_close(link),
            }
        }
    }
}

/// Longest time that nothing comes through between nodes: longer than a relay waits for an answer.
const LONG_CLOG_NS: u64 = 45_000_000_000;
