//! What happens in one moment.

use std::cmp::Reverse;

use msrp_control::{Event, Reply, RoomId};

use super::{Deed, World};
use crate::controller::{About, peer_of, room_id};
use crate::kernel::PeerId;
use crate::oracle::Verdict;

/// Least time between two turns of a shard, and how much longer it may take.
const TURN_NS: (u64, u64) = (1_000, 60_000);

impl World {
    /// The next moment at which something happens, not after this one.
    fn next_ns(&self, until_ns: u64) -> u64 {
        let script = self.script.peek().map(|Reverse((at, _))| *at);
        let wake = self.wakes.peek().map(|Reverse((at, _))| *at);
        let turns = self.turns_ns.iter().flatten().copied();
        let next = [self.kernel.borrow().next_ns(), script, wake];
        let next = next.into_iter().flatten().chain(turns).min();
        next.unwrap_or(until_ns).clamp(self.now_ns, until_ns)
    }

    /// Goes on until this time, or until `is_done` says so.
    ///
    /// # Errors
    /// What the oracle says.
    pub(super) fn go_on(
        &mut self,
        until_ns: u64,
        mut is_done: impl FnMut(&mut Self) -> bool,
    ) -> Verdict {
        let mut looks = 0_u32;
        while self.now_ns < until_ns {
            self.now_ns = self.next_ns(until_ns);
            self.run.set_now_ns(self.now_ns);
            self.moment()?;
            looks += 1;
            if looks.is_multiple_of(16) && is_done(self) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn moment(&mut self) -> Verdict {
        self.kernel.borrow_mut().advance(self.now_ns);
        while let Some(Reverse((at, deed))) = self.script.peek().copied()
            && at <= self.now_ns
        {
            self.script.pop();
            self.do_deed(self.deeds[deed])?;
        }
        self.let_peers_act()?;
        for shard in 0..self.turns_ns.len() {
            if self.turns_ns[shard].is_some_and(|at| at <= self.now_ns) {
                self.turns_ns[shard] = None;
                self.turn(shard)?;
            }
        }
        self.hear_engine()?;
        self.plan_turns();
        Ok(())
    }

    fn let_peers_act(&mut self) -> Verdict {
        let (mut awake, knocks) = self.kernel.borrow_mut().take_news();
        for (peer, link) in knocks {
            if let Some(peer) = self.peers.get_mut(peer) {
                peer.attach(link);
            }
            awake.push(peer);
        }
        while let Some(Reverse((at, peer))) = self.wakes.peek().copied()
            && at <= self.now_ns
        {
            self.wakes.pop();
            awake.push(peer);
        }
        awake.sort_unstable();
        awake.dedup();
        for peer in awake {
            self.let_act(peer)?;
        }
        Ok(())
    }

    pub(super) fn let_act(&mut self, peer: PeerId) -> Verdict {
        let acted = self.with_peer(peer, |peer, scene| peer.act(scene).map(|()| peer.wakes_ns));
        if self
            .peers
            .get_mut(peer)
            .is_some_and(|peer| std::mem::take(&mut peer.wants_to_join))
        {
            self.join(peer);
        }
        match acted {
            Some(Ok(wakes_ns)) => {
                if let Some(at) = wakes_ns {
                    self.wakes.push(Reverse((at.max(self.now_ns + 1), peer)));
                }
                Ok(())
            }
            Some(Err(fault)) => Err(fault),
            None => Ok(()),
        }
    }

    fn turn(&mut self, shard: usize) -> Verdict {
        self.turns += 1;
        let stepped = self.nodes.step(shard);
        stepped.map_err(|error| format!("shard {shard} broke: {error}"))?;
        if self.peers.len() < 16 || self.turns.is_multiple_of(64) {
            self.check_bounds(shard)?;
        }
        Ok(())
    }

    /// When each shard has something to do next.
    fn plan_turns(&mut self) {
        for shard in 0..self.turns_ns.len() {
            let (least, more) = TURN_NS;
            let soon = self.now_ns + least;
            let deadline = self.nodes.deadline_ns(shard);
            let deadline = deadline.map(|at| at.max(soon + more));
            let news = self.kernel.borrow().has_news(shard);
            let planned = self.turns_ns[shard];
            let news = if news && planned.is_none_or(|at| at > soon + more) {
                Some(soon + self.chance.within(0..=more))
            } else {
                None
            };
            let is_planned_by_news = planned.filter(|at| *at <= soon + more);
            self.turns_ns[shard] = [is_planned_by_news, news, deadline]
                .into_iter()
                .flatten()
                .min();
        }
    }

    /// What the engine tells its controller.
    pub(super) fn hear_engine(&mut self) -> Verdict {
        let answers = self.controller.answers();
        while let Some(event) = self.controller.event() {
            self.hear_event(&event)?;
        }
        for (about, answer) in answers {
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    self.hear_error(about, &error.to_string())?;
                    continue;
                }
            };
            match (about, answer) {
                (About::Join(peer), Reply::Sdp(sdp)) => self.joined(peer, &sdp),
                (About::Answer(peer), _) => self.answered(peer),
                (About::Move(peer), Reply::Sdp(sdp)) => self.moved(peer, &sdp),
                _ => {}
            }
        }
        while let Some(event) = self.controller.event() {
            self.hear_event(&event)?;
        }
        Ok(())
    }

    /// A room went with its shard.
    fn room_lost(&mut self, room: &RoomId, reason: &str) -> Verdict {
        let lost = (0..self.closed.len()).find(|number| room_id(*number) == *room);
        let Some(lost) = lost.filter(|_| self.plan.fails.is_some()) else {
            return Err(format!("room {room} was lost: {reason}"));
        };
        self.closed[lost] = true;
        for peer in 0..self.peers.len() {
            let witness = &self.oracle.witnesses[peer];
            if witness.room != lost {
                continue;
            }
            let is_honest = witness.gone_ns.is_none() && witness.temper.is_honest();
            if is_honest && witness.maybe_from_ns.is_some() && self.peers[peer].node_uri.is_some() {
                return Err(format!(
                    "room {room} was lost, and its shard has not failed"
                ));
            }
            self.oracle.drop_nickname(peer, self.now_ns);
            self.oracle.remove(peer, self.now_ns);
        }
        Ok(())
    }

    /// A command about somebody who may be gone may fail; no other may.
    fn hear_error(&mut self, about: About, error: &str) -> Verdict {
        let is_excused = match about {
            About::Join(peer)
            | About::Answer(peer)
            | About::Offer(peer)
            | About::Move(peer)
            | About::Remove(peer) => {
                let witness = &self.oracle.witnesses[peer];
                witness.gone_ns.is_some()
                    || self.closed[witness.room]
                    || !witness.temper.is_honest()
            }
            About::Mute | About::Say | About::Close => true,
            About::Room => false,
        };
        if is_excused {
            Ok(())
        } else {
            Err(format!("{about:?} failed: {error}"))
        }
    }

    fn hear_event(&mut self, event: &Event) -> Verdict {
        self.tell(|| format!("event {event:?}"));
        match event {
            Event::ParticipantLost {
                participant,
                reason,
                ..
            } => match peer_of(participant) {
                Some(peer) => {
                    self.oracle.drop_nickname(peer, self.now_ns);
                    self.oracle.lost(peer, self.now_ns, reason.as_str())
                }
                None => Ok(()),
            },
            Event::ParticipantBound { participant, .. } => {
                if let Some(peer) = peer_of(participant) {
                    self.oracle.witnesses[peer].is_bound = true;
                }
                Ok(())
            }
            Event::NicknameChanged {
                participant,
                nickname,
                ..
            } => match peer_of(participant) {
                Some(peer) => self
                    .oracle
                    .on_nickname(peer, self.now_ns, nickname.as_deref()),
                None => Ok(()),
            },
            Event::ParticipantRemoved { participant, .. } => {
                if let Some(peer) = peer_of(participant) {
                    self.oracle.drop_nickname(peer, self.now_ns);
                }
                Ok(())
            }
            Event::RoomLost { room, reason } => self.room_lost(room, reason.as_str()),
            _ => Ok(()),
        }
    }

    fn do_deed(&mut self, deed: Deed) -> Verdict {
        self.tell(|| format!("deed {deed:?}"));
        match deed {
            Deed::Join(peer) => self.join(peer),
            Deed::Clog => self.clog(),
            Deed::Command => self.command(),
            Deed::ClogRelay => self.clog_relay(),
            Deed::FailShard(shard) => return self.fail_shard(shard),
            Deed::Move(peer) => self.offer_move(peer),
            Deed::KillRelay => return self.kill_relay(),
        }
        Ok(())
    }

    fn join(&mut self, peer: PeerId) {
        let guest = self.plan.guests[peer].clone();
        if self.closed[guest.room] {
            return;
        }
        if guest.is_relayed && !self.peers[peer].is_relayed() {
            self.with_peer(peer, |peer, scene| peer.log_in(scene));
            self.wakes.push(Reverse((self.now_ns + 1, peer)));
            return;
        }
        self.oracle.witnesses[peer].maybe_from_ns = Some(self.now_ns);
        let (sdp, entity) = (self.sdp(peer), self.peers[peer].entity.clone());
        self.controller.join(peer, &guest, &entity, sdp);
    }

    /// What a participant says of itself.
    fn sdp(&self, peer: PeerId) -> String {
        let uri = self.peers[peer].path();
        self.sdp_with(peer, &uri)
    }

    fn sdp_with(&self, peer: PeerId, uri: &str) -> String {
        let setup = if self.plan.guests[peer].is_passive {
            "passive"
        } else {
            "active"
        };
        let host = super::address(peer).ip();
        format!(
            "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n\
             m=message 7000 TCP/MSRP *\r\na=accept-types:message/cpim text/plain\r\n\
             a=accept-wrapped-types:*\r\na=path:{uri}\r\na=setup:{setup}\r\n"
        )
    }

    fn joined(&mut self, peer: PeerId, sdp: &str) {
        let path = sdp.lines().find_map(|line| line.strip_prefix("a=path:"));
        self.peers[peer].node_uri = path.map(str::to_owned);
        if self.peers[peer].temper == crate::temper::Temper::Colluding {
            self.rumours.extend(path.map(str::to_owned));
        }
        let guest = self.plan.guests[peer].clone();
        if guest.is_invited {
            let sdp = self.sdp(peer);
            self.controller.answer((guest.room, peer), sdp);
        } else {
            self.answered(peer);
        }
        self.peers[peer].waits = guest.is_passive && guest.is_relayed;
        if !guest.is_passive {
            self.with_peer(peer, |peer, scene| peer.connect(scene));
        }
        self.wakes.push(Reverse((self.now_ns + 1, peer)));
    }

    /// Somebody offers another path, for another session in the place of its present one.
    fn offer_move(&mut self, peer: PeerId) {
        let witness = &self.oracle.witnesses[peer];
        let is_here = witness.surely_from_ns.is_some() && witness.gone_ns.is_none();
        let mover = &self.peers[peer];
        let is_free = witness.is_bound && !mover.is_relayed();
        if !is_here || !is_free || mover.is_over || mover.next_uri.is_some() {
            return;
        }
        let bits = self.other.bits() >> 16;
        let next = self.peers[peer].uri_beside(bits);
        let sdp = self.sdp_with(peer, &next);
        self.peers[peer].next_uri = Some(next);
        self.controller
            .offer_move((self.peers[peer].room, peer), sdp);
    }

    /// The engine has answered the offer of another path.
    fn moved(&mut self, peer: PeerId, sdp: &str) {
        let path = sdp.lines().find_map(|line| line.strip_prefix("a=path:"));
        let Some((next, node_uri)) = self.peers[peer].next_uri.take().zip(path) else {
            return;
        };
        if self.oracle.witnesses[peer].gone_ns.is_some() || self.peers[peer].is_over {
            return;
        }
        self.oracle.moved(peer, self.now_ns);
        let is_passive = self.plan.guests[peer].is_passive;
        let node_uri = node_uri.to_owned();
        self.with_peer(peer, |peer, scene| {
            peer.move_to(scene, next, node_uri);
            if !is_passive {
                peer.connect(scene);
            }
        });
        self.wakes.push(Reverse((self.now_ns + 1, peer)));
    }

    fn answered(&mut self, peer: PeerId) {
        self.oracle.witnesses[peer].surely_from_ns = Some(self.now_ns);
    }

    /// Nothing comes through somewhere for some time.
    fn clog(&mut self) {
        let peer = self.chance.index(self.peers.len());
        let Some(link) = self.peers[peer].link else {
            return;
        };
        let until_ns = self.now_ns + self.chance.within(1_000_000..=self.plan.clog_ns_max);
        let both = [(true, true), (true, false), (false, true)];
        let ways = self.chance.pick(&both).copied().unwrap_or((true, true));
        self.oracle.see("clog");
        self.kernel.borrow_mut().clog(link, ways, until_ns);
    }

    /// The controller does something to somebody.
    fn command(&mut self) {
        let peer = self.chance.index(self.peers.len());
        let room = self.peers[peer].room;
        let witness = &self.oracle.witnesses[peer];
        let is_here = witness.surely_from_ns.is_some() && witness.gone_ns.is_none();
        let who = (room, peer);
        match self.chance.within(0..=9) {
            0 | 1 if is_here => {
                self.oracle.see("removal");
                self.oracle.remove(peer, self.now_ns);
                self.controller.remove(room, peer);
            }
            2 | 3 if is_here => {
                self.oracle.see("offer again");
                let sdp = self.sdp(peer);
                self.controller.reoffer(who, sdp);
            }
            4 | 5 if is_here => {
                self.oracle.see("mute");
                self.oracle.witnesses[peer].is_muted = true;
                let is_muted = self.chance.one_in(2);
                self.controller.mute(who, is_muted);
            }
            6 if self.closed.len() > 1 => self.close_room(room),
            _ if self.closed[room] => {}
            _ => {
                self.oracle.expect_own_message(room);
                self.controller.say(room);
            }
        }
    }

    pub(super) fn close_room(&mut self, room: usize) {
        self.oracle.see("closed room");
        self.closed[room] = true;
        for peer in 0..self.peers.len() {
            if self.peers[peer].room == room {
                self.oracle.remove(peer, self.now_ns);
            }
        }
        self.controller.close_room(room);
    }
}
