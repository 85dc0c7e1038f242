//! Bridges as their controllers see them: what was offered and answered, and which shard has them.
//!
//! Descriptions are read and written here, on the caller's thread; a shard learns where its two sessions are
//! reached and where their peers are. The registry keeps the last offer of each bridge, so that its answer can be
//! composed, and so that an answer that comes again gives the same.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use msrp_control::{
    BridgeCommand, BridgeConfig, BridgeEvent, BridgeId, BridgeTotals, ControlError, Drain,
    EndReason, ErrorCode, Event, PAGE_MAX, Reply, ReplySender, Side,
};
use msrp_sdp::{
    AddressMatch, CemaAnswer, Description, MediaTransport, MessageMedia, SdpError, Setup,
    answer_setup, offerer_connects,
};
use msrp_wire::{MsrpPathBuf, MsrpUriBuf};

use super::description::{Address, Advertised, Homes, Reach, sdp_error};
use super::{Hub, ShardEngine};
use crate::mailbox::{BridgeMessage, BridgeTask, PeerMedia, ShardMessage};

/// All bridges of the node.
#[derive(Default)]
pub(crate) struct Bridges {
    by_id: DashMap<BridgeId, Bridge>,
    started: AtomicU64,
    refused: AtomicU64,
}

/// What controllers have said of a bridge.
struct Bridge {
    shard: usize,
    config: BridgeConfig,
    /// In the order of [`Side::BOTH`].
    legs: [Leg; 2],
    /// The last offer, with what was made of it.
    offered: Offered,
    is_answered: bool,
}

/// Our side towards one peer.
struct Leg {
    own: MsrpUriBuf,
    /// The listener that `own` names.
    listener: usize,
    /// The peer's path, once it is known.
    peer: Option<MsrpPathBuf>,
}

/// An offer that passed through.
struct Offered {
    from: Side,
    description: Description,
    media: MessageMedia,
    /// Our URI towards its side, should it have moved, and the listener of that.
    fresh: (MsrpUriBuf, usize),
    /// Whether our offer for the other side had msrp-cema.
    has_cema: bool,
}

impl Bridges {
    /// A shard has ended a bridge.
    pub(crate) fn remove(&self, bridge: &BridgeId) {
        self.by_id.remove(bridge);
    }

    /// Whether the bridge is one of this shard.
    pub(crate) fn is_on(&self, bridge: &BridgeId, shard: usize) -> bool {
        let owner = self.by_id.get(bridge).map(|owner| owner.shard);
        owner == Some(shard)
    }

    /// Tells the controllers that the bridges of a shard are gone with it.
    pub(crate) fn report_lost(&self, shard: usize, hub: &Hub) {
        let mut lost = Vec::new();
        self.by_id.retain(|bridge, owner| {
            let is_lost = owner.shard == shard;
            if is_lost {
                lost.push(bridge.clone());
            }
            !is_lost
        });
        for bridge in lost {
            hub.publish(&Event::Bridge(BridgeEvent::Ended {
                bridge,
                reason: EndReason::ShardFailed,
                side: None,
                state: None,
            }));
        }
    }

    fn totals(&self) -> BridgeTotals {
        let unanswered = self.by_id.iter().filter(|bridge| !bridge.is_answered);
        BridgeTotals {
            unanswered: unanswered.count() as u64,
            bridges: self.by_id.len() as u64,
            started: self.started.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// The first bridges behind one, by id.
    fn list(&self, after: Option<&BridgeId>, limit: usize) -> Vec<BridgeId> {
        let limit = limit.min(PAGE_MAX);
        let mut first = BTreeMap::new();
        for entry in &self.by_id {
            if after.is_none_or(|after| entry.key() > after) {
                first.insert(entry.key().clone(), ());
                if first.len() > limit {
                    first.pop_last();
                }
            }
        }
        first.into_keys().collect()
    }
}

type Refused = (ReplySender, ControlError);

impl ShardEngine {
    pub(super) fn bridge(&self, command: BridgeCommand, reply: ReplySender) -> Result<(), Refused> {
        match command {
            BridgeCommand::Create {
                bridge,
                sdp,
                config,
            } => self.create_bridge(&bridge, &sdp, config, reply),
            BridgeCommand::Answer { bridge, sdp } => self.answer_bridge(bridge, sdp, reply),
            BridgeCommand::Reoffer { bridge, from, sdp } => {
                let offer = self.reoffer_bridge(&bridge, from, &sdp);
                let _ = reply.send(offer.map(Reply::Sdp));
                Ok(())
            }
            BridgeCommand::Delete { bridge } => {
                self.post_to_bridge(bridge, BridgeTask::Delete, reply)
            }
            BridgeCommand::Describe { bridge } => {
                self.post_to_bridge(bridge, BridgeTask::Describe, reply)
            }
            BridgeCommand::List { after, limit } => {
                let bridges = self.bridges.list(after.as_ref(), limit);
                let _ = reply.send(Ok(Reply::Bridges(bridges)));
                Ok(())
            }
            BridgeCommand::Totals => {
                let _ = reply.send(Ok(Reply::BridgeTotals(self.bridges.totals())));
                Ok(())
            }
        }
    }

    fn create_bridge(
        &self,
        id: &BridgeId,
        sdp: &str,
        config: BridgeConfig,
        reply: ReplySender,
    ) -> Result<(), Refused> {
        let shard = self.next_shard.fetch_add(1, Ordering::Relaxed) % self.shards.len().max(1);
        let composed = self
            .admit_bridge()
            .and_then(|()| Bridge::new(&self.advertised, shard, sdp, config));
        let (bridge, offer) = match composed {
            Ok(composed) => composed,
            Err(error) => return Err((reply, error)),
        };
        let own = [0, 1].map(|index: usize| bridge.legs[index].own.clone());
        match self.bridges.by_id.entry(id.clone()) {
            Entry::Occupied(_) => {
                let detail = "a bridge of this id is there already";
                return Err((reply, ControlError::new(ErrorCode::BridgeExists, detail)));
            }
            Entry::Vacant(vacant) => {
                vacant.insert(bridge);
            }
        }
        let posted = self.post_bridge(shard, id.clone(), BridgeTask::Create(own, offer), reply);
        match &posted {
            Ok(()) => {
                self.bridges.started.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => self.bridges.remove(id),
        }
        posted
    }

    fn admit_bridge(&self) -> Result<(), ControlError> {
        let is_leaving = self.is_stopping.load(Ordering::Relaxed);
        let error = if is_leaving || self.drain() != Drain::Off {
            let detail = "the node drains and takes no new bridges; use another node";
            ControlError::new(ErrorCode::Draining, detail)
        } else if self.bridges.by_id.len() >= self.limits.bridges_max {
            let max = self.limits.bridges_max;
            let detail = format!("the node has {max} bridges, the most it may have");
            ControlError::new(ErrorCode::Limit, detail)
        } else {
            return Ok(());
        };
        self.bridges.refused.fetch_add(1, Ordering::Relaxed);
        Err(error)
    }

    fn answer_bridge(&self, id: BridgeId, sdp: String, reply: ReplySender) -> Result<(), Refused> {
        let Some(mut bridge) = self.bridges.by_id.get_mut(&id) else {
            return Err((reply, no_such_bridge()));
        };
        match bridge.answer(&self.advertised, sdp) {
            // Posted while the entry is locked, so that answers come to the shard in their order.
            Ok(task) => self.post_bridge(bridge.shard, id, task, reply),
            Err(error) => Err((reply, error)),
        }
    }

    fn reoffer_bridge(&self, id: &BridgeId, from: Side, sdp: &str) -> Result<String, ControlError> {
        let mut bridge = self.bridges.by_id.get_mut(id).ok_or_else(no_such_bridge)?;
        bridge.reoffer(&self.advertised, from, sdp)
    }

    fn post_to_bridge(
        &self,
        bridge: BridgeId,
        what: BridgeTask,
        reply: ReplySender,
    ) -> Result<(), Refused> {
        let shard = self.bridges.by_id.get(&bridge).map(|owner| owner.shard);
        match shard {
            Some(shard) => self.post_bridge(shard, bridge, what, reply),
            None => Err((reply, no_such_bridge())),
        }
    }

    fn post_bridge(
        &self,
        shard: usize,
        bridge: BridgeId,
        what: BridgeTask,
        reply: ReplySender,
    ) -> Result<(), Refused> {
        let message = BridgeMessage {
            bridge,
            what,
            reply,
        };
        self.post(shard, ShardMessage::Bridge(Box::new(message)))
    }
}

impl Bridge {
    /// A bridge from the offer of its first side, and the offer for the second.
    fn new(
        advertised: &Advertised,
        shard: usize,
        sdp: &str,
        config: BridgeConfig,
    ) -> Result<(Self, String), ControlError> {
        let homes = Homes {
            carrier: shard,
            home: shard,
        };
        let (description, media) = read(sdp)?;
        let near = advertised.chosen_for_peer(config.legs[0].listener.as_deref(), &media)?;
        let far = match config.legs[1].listener.as_deref() {
            Some(listener) => advertised.chosen(Some(listener))?,
            None => like(advertised, &media)?,
        };
        let leg = |address: &Address| {
            Ok::<_, ControlError>(Leg {
                own: address.uri(homes)?,
                listener: address.index,
                peer: None,
            })
        };
        let legs = [leg(near)?, leg(far)?];
        let fresh = (legs[0].own.clone(), legs[0].listener);
        let offered = Offered {
            from: Side::Offerer,
            has_cema: media.cema && !config.legs[1].ignores_cema,
            description,
            media,
            fresh,
        };
        let bridge = Self {
            shard,
            config,
            legs,
            offered,
            is_answered: false,
        };
        let offer = bridge.offer(advertised, sdp)?;
        Ok((bridge, offer))
    }

    /// A new offer of a side: the offer for the other one.
    fn reoffer(
        &mut self,
        advertised: &Advertised,
        from: Side,
        sdp: &str,
    ) -> Result<String, ControlError> {
        let (description, media) = read(sdp)?;
        let wanted = &self.config.legs[from.index()];
        let address = advertised.chosen_for_peer(wanted.listener.as_deref(), &media)?;
        let homes = Homes {
            carrier: self.shard,
            home: self.shard,
        };
        let is_first = !self.is_answered;
        if is_first && from != self.offered.from {
            let detail = "the first offer is not answered; its own side may offer again";
            return Err(ControlError::new(ErrorCode::WrongState, detail));
        }
        // Nobody knows our URI before the first answer, so the one that there is can be kept.
        let own = &self.legs[from.index()];
        let fresh = if is_first && own.listener == address.index {
            own.own.clone()
        } else {
            address.uri(homes)?
        };
        self.offered = Offered {
            from,
            has_cema: media.cema && !self.config.legs[from.other().index()].ignores_cema,
            description,
            media,
            fresh: (fresh, address.index),
        };
        self.offer(advertised, sdp)
    }

    /// What the last offer becomes for the other side.
    fn offer(&self, advertised: &Advertised, sdp: &str) -> Result<String, ControlError> {
        let to = self.offered.from.other().index();
        let setup = if self.config.legs[to].is_active {
            Setup::Active
        } else {
            Setup::ActPass
        };
        let leg = &self.legs[to];
        let address = advertised.at(leg.listener)?;
        let mut anchor = address.anchor(leg.own.clone(), setup, self.offered.has_cema);
        anchor.replaces_origin = self.config.replaces_origin;
        Ok(anchor.apply(sdp, &self.offered.description, &self.offered.media))
    }

    /// What the shard has to do with an answer to the last offer.
    fn answer(&mut self, advertised: &Advertised, sdp: String) -> Result<BridgeTask, ControlError> {
        let (from, to) = (self.offered.from, self.offered.from.other());
        let description = Description::parse(&sdp).map_err(|error| sdp_error(&error))?;
        let media = match description.message_media() {
            Ok(media) => media,
            Err(SdpError::MediaRefused | SdpError::NoMessageMedia) => {
                return Ok(BridgeTask::Refuse(sdp));
            }
            Err(error) => return Err(sdp_error(&error)),
        };
        let far = advertised.at(self.legs[to.index()].listener)?;
        if far.kind.is_secure() != MediaTransport::of(&media).is_secure() {
            let detail = "the answer has TLS where the offer has none, or the reverse";
            return Err(ControlError::new(ErrorCode::NotAcceptable, detail));
        }
        let answerer = advertised.peer(&media, reach_answerer(&media, self.offered.has_cema)?)?;
        let (setup, has_cema) = self.our_answer();
        let reach = reach_offerer(&self.offered.media, setup, has_cema);
        let offerer = advertised.peer(&self.offered.media, reach)?;
        self.settle(from, &offerer);
        self.legs[to.index()].peer = Some(answerer.path.clone());
        let leg = &self.legs[from.index()];
        let near = advertised.at(leg.listener)?;
        let mut anchor = near.anchor(leg.own.clone(), setup, has_cema);
        anchor.replaces_origin = self.config.replaces_origin;
        let out = anchor.apply(&sdp, &description, &media);
        self.is_answered = true;
        let [first, second] = match from {
            Side::Offerer => [offerer, answerer],
            Side::Answerer => [answerer, offerer],
        };
        let own = |side: Side| self.legs[side.index()].own.clone();
        let peers = [(first, own(Side::Offerer)), (second, own(Side::Answerer))];
        Ok(BridgeTask::Connect(Box::new(peers), out))
    }

    /// The role and msrp-cema of our answer.
    ///
    /// # Spec
    /// RFC 6135 s.4.2.2, RFC 6714 s.4.3, AMB-66.
    fn our_answer(&self) -> (Setup, bool) {
        let offer = &self.offered.media;
        let wanted = &self.config.legs[self.offered.from.index()];
        let setup = if offer.setup == Some(Setup::ActPass) && wanted.is_active {
            Setup::Active
        } else {
            answer_setup(offer.setup)
        };
        let relay_connects = offer.uses_relay() && setup == Setup::Passive;
        (setup, offer.cema && !wanted.ignores_cema && !relay_connects)
    }

    /// The side that offered goes on with this peer: at a new URI of ours when it has moved.
    fn settle(&mut self, side: Side, peer: &PeerMedia) {
        let leg = &mut self.legs[side.index()];
        let known = leg.peer.as_ref().map(MsrpPathBuf::raw);
        if known != Some(peer.path.raw()) {
            leg.peer = Some(peer.path.clone());
            (leg.own, leg.listener) = self.offered.fresh.clone();
        }
    }
}

/// Who connects the side that answered us.
///
/// # Spec
/// RFC 6714 s.4.2.
fn reach_answerer(media: &MessageMedia, has_cema: bool) -> Result<Reach, ControlError> {
    let kind = if has_cema {
        media.after_cema_offer(media.address_match())
    } else {
        CemaAnswer::Path
    };
    match kind {
        _ if kind != CemaAnswer::OfferAgain && !offerer_connects(media.setup) => Ok(Reach::Waits),
        CemaAnswer::ConnectionLine => Ok(Reach::ConnectionLine),
        CemaAnswer::Path => Ok(Reach::Path),
        CemaAnswer::OfferAgain => {
            let detail = "somebody between changed the address of a peer without msrp-cema; make the \
                bridge anew with ignores_cema";
            Err(ControlError::new(ErrorCode::NotAcceptable, detail))
        }
    }
}

/// Who connects the side that offered, after an answer with this role.
///
/// # Spec
/// RFC 6714 s.4.3; MSRP-6714-4.3-07.
fn reach_offerer(media: &MessageMedia, setup: Setup, has_cema: bool) -> Reach {
    match setup {
        Setup::Active if has_cema && media.address_match() != AddressMatch::Matches => {
            Reach::ConnectionLine
        }
        Setup::Active => Reach::Path,
        Setup::Passive | Setup::ActPass | Setup::HoldConn => Reach::Waits,
    }
}

/// The listener for the second side when nothing is said of it: one that is as safe as that of the first, without
/// WebSocket, over which we could not connect.
fn like<'a>(advertised: &'a Advertised, media: &MessageMedia) -> Result<&'a Address, ControlError> {
    let kind = if MediaTransport::of(media).is_secure() {
        MediaTransport::Tls
    } else {
        MediaTransport::Tcp
    };
    match advertised.of_kind(kind) {
        Some(address) => Ok(address),
        None => advertised.chosen(None),
    }
}

fn read(sdp: &str) -> Result<(Description, MessageMedia), ControlError> {
    let description = Description::parse(sdp).map_err(|error| sdp_error(&error))?;
    let media = description
        .message_media()
        .map_err(|error| sdp_error(&error))?;
    Ok((description, media))
}

pub(crate) fn no_such_bridge() -> ControlError {
    ControlError::new(ErrorCode::NoSuchBridge, "no bridge of this id is there")
}
