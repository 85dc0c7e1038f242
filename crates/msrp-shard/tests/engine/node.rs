//! An engine with one room, driven by its own client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use msrp_control::metrics::Sample;
use msrp_control::{
    Client, ControlError, EndReason, Event, EventStream, LocalMedia, Media as Offer,
    ParticipantConfig, ParticipantId, RoomConfig, RoomId,
};
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, ListenerTransport, ShardEngine};
use msrp_testkit::{Media, MsrpEndpoint, MsrpPeer};

pub(crate) const ROOM: &str = "sip:room@example.com";

pub(crate) struct Node {
    pub(crate) engine: Arc<ShardEngine>,
    pub(crate) client: Client,
    pub(crate) room: RoomId,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.engine.shutdown();
    }
}

pub(crate) fn config(want: ring_io::Want, shards: usize) -> EngineConfig {
    EngineConfig {
        pin_shards: false,
        want,
        shards,
        listeners: vec![ListenerConfig {
            name: "lo".to_owned(),
            bind: "127.0.0.1:0".parse().unwrap(),
            advertise: None,
            transport: Default::default(),
        }],
        limits: EngineLimits::default(),
        ask_recipients: false,
        rules: Default::default(),
    }
}

/// One more listener.
pub(crate) fn listener(name: &str, transport: ListenerTransport) -> ListenerConfig {
    ListenerConfig {
        name: name.to_owned(),
        bind: "127.0.0.1:0".parse().unwrap(),
        advertise: None,
        transport,
    }
}

pub(crate) async fn node(config: EngineConfig) -> Node {
    let started = msrp_shard::start(&config).unwrap();
    let client = Client::new(started.engine.clone());
    let node = Node {
        engine: started.engine,
        client,
        room: RoomId::new("room").unwrap(),
    };
    node.create_room().await;
    node
}

pub(crate) fn identity(name: &str) -> String {
    format!("sip:{name}@example.com")
}

impl Node {
    async fn create_room(&self) {
        let rules = RoomConfig {
            uris: vec![ROOM.to_owned()],
            message_octets_max: None,
            private_messages: true,
            addressing: msrp_control::Addressing::Oma,
            nicknames: true,
        };
        self.client
            .create_room(self.room.clone(), rules)
            .await
            .unwrap();
    }

    /// Another room of the same engine. The engine ends with the first of them that is dropped.
    pub(crate) async fn another(&self, room: &str) -> Node {
        let node = Node {
            engine: Arc::clone(&self.engine),
            client: self.client.clone(),
            room: RoomId::new(room).unwrap(),
        };
        node.create_room().await;
        node
    }

    pub(crate) async fn offer(&self, name: &str, media: &Media) -> Media {
        self.try_offer(name, media).await.unwrap()
    }

    pub(crate) async fn try_offer(&self, name: &str, media: &Media) -> Result<Media, ControlError> {
        let config = ParticipantConfig {
            identities: vec![identity(name)],
            entity: identity(name),
            is_hidden: false,
            may_send_private: true,
            shows_release: false,
            charging: None,
        };
        let participant = ParticipantId::new(name).unwrap();
        let offer = Offer::Offer(media.to_string());
        let (room, local) = (self.room.clone(), LocalMedia::default());
        let answer = self
            .client
            .add_participant(room, participant, config, offer, local)
            .await?;
        Ok(Media::parse(&answer))
    }

    pub(crate) async fn join(&self, name: &str) -> MsrpPeer {
        let endpoint = MsrpEndpoint::bind().await;
        let answer = self.offer(name, &endpoint.media()).await;
        let peer = endpoint.connect(&answer).await;
        peer.bind().await;
        peer
    }
}

pub(crate) fn backends() -> [ring_io::Want; 2] {
    [ring_io::Want::Auto, ring_io::Want::Epoll]
}

impl Node {
    /// Adds a participant to whom the engine offers; returns the offer.
    pub(crate) async fn invite(&self, name: &str) -> Media {
        let config = ParticipantConfig {
            identities: vec![identity(name)],
            entity: identity(name),
            is_hidden: false,
            may_send_private: true,
            shows_release: false,
            charging: None,
        };
        let participant = ParticipantId::new(name).unwrap();
        let added = self.client.add_participant(
            self.room.clone(),
            participant,
            config,
            Offer::MakeOffer,
            LocalMedia::default(),
        );
        Media::parse(&added.await.unwrap())
    }

    /// A peer that nobody knows, which talks to this path.
    pub(crate) async fn stranger(&self, path: &str) -> MsrpPeer {
        let endpoint = MsrpEndpoint::bind().await;
        let media = Media::new(path.to_owned());
        endpoint.connect(&media).await
    }

    /// Gives the answer of an invited participant.
    pub(crate) async fn answer(&self, name: &str, media: &Media) {
        let participant = ParticipantId::new(name).unwrap();
        self.client
            .set_answer(self.room.clone(), participant, media.to_string())
            .await
            .unwrap();
    }

    pub(crate) async fn remove(&self, name: &str) {
        let participant = ParticipantId::new(name).unwrap();
        self.client
            .remove_participant(self.room.clone(), participant)
            .await
            .unwrap();
    }

    /// The present value of a metric's cell.
    pub(crate) fn metric(&self, name: &str, label: Option<&str>) -> u64 {
        let is_wanted = |sample: &Sample| {
            sample.name == name
                && label.is_none_or(|label| sample.labels.iter().any(|(_, value)| value == label))
        };
        let samples = msrp_control::Engine::samples(&*self.engine);
        samples
            .iter()
            .filter(|sample| is_wanted(sample))
            .map(|sample| sample.value)
            .sum()
    }
}

impl Node {
    /// Waits until a metric has come to a value.
    pub(crate) async fn until(
        &self,
        name: &str,
        label: Option<&str>,
        is_reached: impl Fn(u64) -> bool,
    ) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !is_reached(self.metric(name, label)) {
            let value = self.metric(name, label);
            assert!(Instant::now() < deadline, "{name} {label:?} is {value}");
            tokio::task::yield_now().await;
        }
    }
}

/// Waits for the end of a participant that no command asked for.
pub(crate) async fn expect_lost(events: &mut EventStream, name: &str) -> EndReason {
    loop {
        match events.recv().await.unwrap() {
            Event::ParticipantLost {
                participant,
                reason,
                ..
            } if participant.as_str() == name => {
                return reason;
            }
            Event::RoomLost { reason, .. } => panic!("the room ended: {reason}"),
            _ => {}
        }
    }
}
