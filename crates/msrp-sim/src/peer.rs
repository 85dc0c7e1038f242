//! A participant: reads what comes, answers it, and says what it has to say.

mod mischief;
mod reading;
mod relaying;
mod speaking;

use msrp_testkit::msrp::FrameParser;

use crate::chance::Chance;
use crate::kernel::{Kernel, LinkId, PeerId, PeerView};
use crate::oracle::{Oracle, Verdict};
use crate::temper::Temper;

pub(crate) use relaying::{LOGIN, REALM, RELAY_SITE, Through};
pub(crate) use speaking::Speech;

/// What participants see of the world.
pub(crate) struct Scene<'a> {
    pub(crate) now_ns: u64,
    pub(crate) kernel: &'a mut Kernel,
    pub(crate) oracle: &'a mut Oracle,
    /// What those who collude have told each other: transaction ids and URIs that they saw.
    pub(crate) rumours: &'a mut Vec<String>,
    /// The world has healed: nobody does harm or is slow any more.
    pub(crate) is_healed: bool,
    /// Octets that participants may still send as texts.
    pub(crate) budget: &'a mut usize,
    pub(crate) is_pressing: bool,
    pub(crate) is_verbose: bool,
}

impl Scene<'_> {
    /// Says what happens, when somebody wants to know.
    pub(crate) fn tell(&self, text: impl FnOnce() -> String) {
        if self.is_verbose {
            println!("{:>10.6} {}", self.now_ns as f64 / 1e9, text());
        }
    }
}

/// A participant.
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) room: usize,
    pub(crate) temper: Temper,
    pub(crate) entity: String,
    pub(crate) room_uri: String,
    pub(crate) own_uri: String,
    /// The URI of the session that it has offered in the place of its present one.
    pub(crate) next_uri: Option<String>,
    pub(crate) is_hidden: bool,
    /// The URI that the node gave it.
    pub(crate) node_uri: Option<String>,
    /// The relay between it and the node.
    pub(crate) through: Through,
    /// It knows its path now, and comes.
    pub(crate) wants_to_join: bool,
    /// The transaction that names its session, until it is answered.
    naming: Option<String>,
    namings: u32,
    names_ns: Option<u64>,
    /// It says nothing before it was spoken to.
    pub(crate) waits: bool,
    pub(crate) link: Option<LinkId>,
    /// Whether it was told that its session is over.
    pub(crate) is_over: bool,
    /// Its connection stands, and nothing will ever come on it.
    pub(crate) has_vanished: bool,
    /// Whether it reads on, and answers nothing any more.
    pub(crate) is_deaf: bool,
    parser: FrameParser,
    out: Speech,
    chance: Chance,
    requests: u64,
    /// When it has something to say, in order.
    pub(crate) says_ns: Vec<u64>,
    /// When it asks for which nickname, in order.
    pub(crate) asks_ns: Vec<(u64, &'static str)>,
    dies_ns: Option<u64>,
    /// How much it reads at a time and how often; without it, everything at once.
    pace: Option<(usize, u64)>,
    reads_ns: u64,
    /// The next time at which it wants to act.
    pub(crate) wakes_ns: Option<u64>,
}

/// Who a participant is.
pub(crate) struct Who {
    pub(crate) id: PeerId,
    pub(crate) room: usize,
    pub(crate) temper: Temper,
    pub(crate) entity: String,
    pub(crate) room_uri: String,
    pub(crate) own_uri: String,
    pub(crate) is_hidden: bool,
}

impl Peer {
    pub(crate) fn new(who: Who, chance: Chance) -> Self {
        let mut peer = Self {
            id: who.id,
            room: who.room,
            temper: who.temper,
            entity: who.entity,
            room_uri: who.room_uri,
            own_uri: who.own_uri,
            next_uri: None,
            is_hidden: who.is_hidden,
            node_uri: None,
            through: Through::Nothing,
            wants_to_join: false,
            naming: None,
            namings: 0,
            names_ns: None,
            waits: false,
            link: None,
            is_over: false,
            has_vanished: false,
            is_deaf: false,
            parser: FrameParser::default(),
            out: Speech::default(),
            chance,
            requests: 0,
            says_ns: Vec::new(),
            asks_ns: Vec::new(),
            dies_ns: None,
            pace: None,
            reads_ns: 0,
            wakes_ns: None,
        };
        if peer.temper == Temper::Slow {
            let octets = peer.chance.octets(300..=20_000);
            peer.pace = Some((octets, peer.chance.within(50..=2_000) * 1_000_000));
        }
        peer
    }

    /// When it goes away, if it is of that temper.
    pub(crate) fn set_death(&mut self, at_ns: u64) {
        if self.temper == Temper::Dying {
            self.dies_ns = Some(at_ns);
        }
    }

    /// It connects to the node and names its session. Through a relay it is connected.
    pub(crate) fn connect(&mut self, scene: &mut Scene<'_>) {
        if self.is_relayed() {
            return self.bind(scene);
        }
        let link = scene.kernel.peer_connect(self.id);
        self.attach(link);
        self.bind(scene);
    }

    /// Whether its room is on this shard, whose number is in the session-id that the node gave it.
    pub(crate) fn is_at_home(&self, shard: usize) -> bool {
        let session = self
            .node_uri
            .as_deref()
            .and_then(|uri| uri.rsplit('/').next());
        let home = session.and_then(|session| usize::from_str_radix(session.get(2..4)?, 16).ok());
        home == Some(shard)
    }

    /// A URI of its own for another session.
    pub(crate) fn uri_beside(&self, bits: u64) -> String {
        let begin = self.own_uri.rfind('x').map_or(0, |at| at + 1);
        let place = self.own_uri.get(..begin).unwrap_or_default();
        format!("{place}{bits:012x};tcp")
    }

    /// Its old session is over: it says nothing more there, and goes on in the new one.
    pub(crate) fn move_to(&mut self, scene: &mut Scene<'_>, own_uri: String, node_uri: String) {
        if let Some(link) = self.link.take() {
            scene.kernel.peer_close(link);
        }
        self.own_uri = own_uri;
        self.node_uri = Some(node_uri);
        self.out = Speech::default();
        self.naming = None;
    }

    /// A connection that the node opened.
    pub(crate) fn attach(&mut self, link: LinkId) {
        self.link = Some(link);
        self.parser = FrameParser::default();
    }

    /// Whether it has nothing more to do or to wait for.
    pub(crate) fn is_quiet(&self, scene: &Scene<'_>) -> bool {
        let is_gone = self.is_over || scene.oracle.witnesses[self.id].gone_ns.is_some();
        let has_unread = self
            .link
            .is_some_and(|link| scene.kernel.peer_unread(link) > 0);
        is_gone || (self.out.is_empty() && !has_unread && scene.oracle.is_answered(self.id))
    }

    /// What it still has to do, in words.
    pub(crate) fn describe(&self, scene: &Scene<'_>) -> String {
        let unread = self.link.map_or(0, |link| scene.kernel.peer_unread(link));
        format!(
            "peer {} ({}): {} to write, {unread} to read, waits for {:?}, view {:?}",
            self.id,
            self.temper,
            self.out.octets(),
            scene.oracle.unanswered(self.id),
            self.link.map(|link| scene.kernel.peer_view(link)),
        )
    }

    /// Does what is to be done now.
    ///
    /// # Errors
    /// What the participant got must not be.
    pub(crate) fn act(&mut self, scene: &mut Scene<'_>) -> Verdict {
        self.wakes_ns = None;
        let Some(link) = self.link else {
            return Ok(());
        };
        if self.dies_ns.is_some_and(|at| at <= scene.now_ns) {
            self.die(scene, link);
            return Ok(());
        }
        self.read(scene, link)?;
        if self.is_over {
            return Ok(());
        }
        while let Some(due) = self.says_ns.first().copied()
            && due <= scene.now_ns
            && self.may_speak()
        {
            self.says_ns.remove(0);
            self.speak(scene);
        }
        while let Some((due, nickname)) = self.asks_ns.first().copied()
            && due <= scene.now_ns
            && self.may_speak()
        {
            self.asks_ns.remove(0);
            self.ask_nickname(scene, nickname);
        }
        if self.names_ns.is_some_and(|at| at <= scene.now_ns) {
            self.names_ns = None;
            self.bind(scene);
        }
        self.write(scene, link);
        self.wake_for(self.names_ns);
        let asks_ns = self.asks_ns.first().map(|(at, _)| *at);
        self.wake_for(asks_ns.filter(|_| self.may_speak()));
        self.wake_for(self.says_ns.first().copied().filter(|_| self.may_speak()));
        self.wake_for(self.dies_ns);
        Ok(())
    }

    /// Whether it knows where to say something, and was spoken to if that has to come first.
    fn may_speak(&self) -> bool {
        self.node_uri.is_some() && !self.waits
    }

    fn wake_for(&mut self, at_ns: Option<u64>) {
        self.wakes_ns = self.wakes_ns.into_iter().chain(at_ns).min();
    }

    fn read(&mut self, scene: &mut Scene<'_>, link: LinkId) -> Verdict {
        let octets_max = match self.pace.filter(|_| !scene.is_healed) {
            Some(_) if self.reads_ns > scene.now_ns => 0,
            Some((octets, each_ns)) => {
                self.reads_ns = scene.now_ns + each_ns;
                octets
            }
            None => usize::MAX,
        };
        if octets_max > 0 {
            let octets = scene.kernel.peer_read(link, octets_max);
            if !octets.is_empty() {
                self.hear(scene, &octets)?;
            }
        } else if scene.kernel.peer_unread(link) > 0 {
            self.wake_for(Some(self.reads_ns));
        }
        match scene.kernel.peer_view(link) {
            PeerView::Open => {}
            PeerView::AtEnd | PeerView::Reset => self.end(scene, link),
        }
        Ok(())
    }

    fn end(&mut self, scene: &mut Scene<'_>, link: LinkId) {
        if !self.is_over {
            self.is_over = true;
            scene.kernel.peer_close(link);
        }
    }

    fn die(&mut self, scene: &mut Scene<'_>, link: LinkId) {
        self.dies_ns = None;
        scene.oracle.hurt(self.id, scene.now_ns);
        if self.out.is_empty() && self.chance.one_in(3) {
            scene.oracle.see("death by deafness");
            self.is_deaf = true;
            self.says_ns.clear();
            self.asks_ns.clear();
            return;
        }
        self.is_over = true;
        let way = self.chance.within(0..=4);
        // A room hears from a relay that somebody has gone when it says something.
        if way < 4 && scene.oracle.witnesses[self.id].is_bound && !self.is_relayed() {
            scene.oracle.expect_loss(self.id);
        }
        match way {
            0 => {
                scene.oracle.see("death by FIN");
                scene.kernel.peer_close(link);
            }
            1 => {
                scene.oracle.see("death by half-close");
                scene.kernel.peer_end(link);
            }
            2 | 3 => {
                scene.oracle.see("death by RST");
                scene.kernel.peer_reset(link);
            }
            _ => {
                scene.oracle.see("death in silence");
                scene.kernel.vanish(link);
                self.has_vanished = true;
            }
        }
    }

    fn write(&mut self, scene: &mut Scene<'_>, link: LinkId) {
        while let Some(part) = self.out.front_mut() {
            if part.from_ns > scene.now_ns {
                let from_ns = part.from_ns;
                self.wake_for(Some(from_ns));
                return;
            }
            if let Some(number) = part.begins.take() {
                let sent = &mut scene.oracle.sent[number];
                sent.begun_ns.get_or_insert(scene.now_ns);
            }
            let rest = part.octets.get(part.written..).unwrap_or_default();
            let written = scene.kernel.peer_write(link, rest);
            let written_now = rest.get(..written).unwrap_or_default();
            scene.tell(|| said(self.id, written_now));
            part.written += written;
            if part.written < part.octets.len() {
                // The kernel tells when there is room again: whenever the node reads.
                return;
            }
            if let Some(number) = part.ends {
                let sent = &mut scene.oracle.sent[number];
                sent.written_ns.get_or_insert(scene.now_ns);
            }
            self.out.pop_front(scene.now_ns);
        }
    }
}

fn said(peer: PeerId, octets: &[u8]) -> String {
    let shown = octets.get(..500).unwrap_or(octets).escape_ascii();
    format!("<- peer {peer}: {shown}")
}
