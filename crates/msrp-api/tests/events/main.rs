//! Consumers of events that are killed at random: what they know in the end is what runs.
#![expect(clippy::unwrap_used, reason = "test code")]

mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use msrp_api::{Api, ApiConfig};
use msrp_control::{
    Addressing, Client, LocalMedia, Media, ParticipantConfig, ParticipantId, RoomConfig, RoomId,
};
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, Rules, ShardEngine};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A node with the API on a port of loopback.
struct Node {
    engine: Arc<ShardEngine>,
    client: Client,
    api: Arc<Api>,
    address: SocketAddr,
}

impl Node {
    async fn start(events_max: usize) -> Self {
        let config = EngineConfig {
            want: ring_io::Want::Epoll,
            shards: 2,
            pin_shards: false,
            listeners: vec![ListenerConfig {
                name: "lo".to_owned(),
                bind: "127.0.0.1:0".parse().unwrap(),
                advertise: None,
                transport: Default::default(),
            }],
            limits: EngineLimits::default(),
            ask_recipients: false,
            rules: Rules::default(),
        };
        let engine = msrp_shard::start(&config).unwrap().engine;
        let client = Client::new(engine.clone());
        let config = ApiConfig {
            version: "1".to_owned(),
            domain: "localhost".to_owned(),
            run: 0xabc,
            events_max,
            patience: webhook::patience(),
        };
        let api = Api::new(client.clone(), config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = api.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            api,
            engine,
            client,
            address,
        }
    }

    /// Makes so many events.
    async fn be_busy(&self, events: u64) {
        let room = RoomId::new("busy").unwrap();
        for _ in 0..events / 2 {
            self.client
                .create_room(room.clone(), rules())
                .await
                .unwrap();
            self.client.close_room(room.clone()).await.unwrap();
        }
    }

    /// What runs, by the engine's own word.
    async fn state(&self) -> Rooms {
        let mut rooms = Rooms::new();
        for room in self.client.rooms(None, 1000).await.unwrap() {
            let all = self.client.participants(room.room.clone(), None, 1000);
            let all = all.await.unwrap().into_iter();
            let names = all.map(|p| p.participant.to_string()).collect();
            rooms.insert(room.room.to_string(), names);
        }
        rooms
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.api.end_webhooks();
        self.engine.shutdown();
    }
}

type Rooms = BTreeMap<String, BTreeSet<String>>;

/// Numbers that look random and are the same each time.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// Makes, fills, empties and closes rooms; errors are part of it.
async fn churn(client: Client, mut seeded: Seeded, steps: usize) {
    for _ in 0..steps {
        let room = RoomId::new(&format!("room-{}", seeded.below(6))).unwrap();
        let name = format!("p-{}", seeded.below(9));
        let participant = ParticipantId::new(&name).unwrap();
        match seeded.below(10) {
            0 => drop(client.close_room(room).await),
            1 | 2 => drop(client.create_room(room, rules()).await),
            3..=5 => drop(client.remove_participant(room, participant).await),
            _ => {
                let (media, local) = (Media::MakeOffer, LocalMedia::default());
                let who = who(&name);
                drop(
                    client
                        .add_participant(room, participant, who, media, local)
                        .await,
                );
            }
        }
    }
    let end = RoomId::new(THE_END).unwrap();
    client.create_room(end, rules()).await.unwrap();
}

fn rules() -> RoomConfig {
    RoomConfig {
        uris: vec!["sip:room@localhost".to_owned()],
        message_octets_max: None,
        private_messages: true,
        nicknames: true,
        addressing: Addressing::Oma,
    }
}

fn who(name: &str) -> ParticipantConfig {
    let uri = format!("sip:{name}@example.com");
    ParticipantConfig {
        identities: vec![uri.clone()],
        entity: uri,
        is_hidden: false,
        may_send_private: true,
        shows_release: false,
        charging: None,
    }
}

/// What a consumer knows, from nothing but what it was told.
#[derive(Default)]
struct Consumer {
    cursor: Option<String>,
    rooms: Rooms,
    /// The parts of a snapshot that has not ended.
    snapshot: Rooms,
    seqs: Vec<u64>,
    gaps: usize,
    connections: usize,
}

impl Consumer {
    /// Connects, takes at most so many octets, and is killed.
    async fn live(&mut self, node: &Node, octets_max: u64) {
        self.connections += 1;
        self.snapshot.clear();
        let cursor = self.cursor.as_deref().unwrap_or_default();
        let request = format!("GET /v1/events?cursor={cursor} HTTP/1.0\r\n\r\n");
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut taken = stream.take(octets_max);
        let (mut octets, mut done) = (Vec::new(), 0);
        while !self.has_seen_the_end() {
            if taken.read_buf(&mut octets).await.unwrap() == 0 {
                return;
            }
            if done == 0
                && let Some(end) = octets.windows(4).position(|w| w == b"\r\n\r\n")
            {
                assert!(octets.starts_with(b"HTTP/1.0 200 OK\r\n"));
                done = end + 4;
            }
            if done == 0 {
                continue;
            }
            while let Some(end) = octets[done..].windows(2).position(|w| w == b"\n\n") {
                let event = str::from_utf8(&octets[done..done + end]).unwrap();
                self.take(event);
                done += end + 2;
            }
        }
    }

    fn take(&mut self, event: &str) {
        let of = |field: &str| event.lines().find_map(|line| line.strip_prefix(field));
        let data: Value = serde_json::from_str(of("data: ").unwrap()).unwrap();
        assert_eq!(data["type"], of("event: ").unwrap());
        assert_eq!(data["cursor"].as_str(), of("id: "));
        self.apply(&data);
    }

    fn apply(&mut self, data: &Value) {
        let kind = data["type"].as_str().unwrap();
        let room = data["room"].as_str().unwrap_or_default().to_owned();
        let participant = data["participant"].as_str().unwrap_or_default().to_owned();
        match kind {
            "gap" => self.gaps += 1,
            "snapshot" => {
                let names = data["participants"].as_array().unwrap().iter();
                let names = names.map(|p| p["participant"].as_str().unwrap().to_owned());
                self.snapshot.entry(room).or_default().extend(names);
            }
            "snapshot_end" => self.rooms = std::mem::take(&mut self.snapshot),
            "cut" | "progress" | "session_ended" => {}
            "room_started" => drop(self.rooms.insert(room, BTreeSet::new())),
            "room_closed" => drop(self.rooms.remove(&room)),
            "participant_joined" => {
                // Told of a room that a snapshot shows no more, it is followed by its end.
                self.rooms.entry(room).or_default().insert(participant);
            }
            "participant_removed" => {
                self.rooms.entry(room).or_default().remove(&participant);
            }
            other => panic!("an event {other}"),
        }
        if let Some(id) = data["cursor"].as_str() {
            self.cursor = Some(id.to_owned());
            if !matches!(kind, "snapshot_end" | "cut" | "progress") {
                self.seqs
                    .push(id.split_once('-').unwrap().1.parse().unwrap());
            }
        }
    }

    fn has_seen_the_end(&self) -> bool {
        self.rooms.contains_key(THE_END)
    }
}

const THE_END: &str = "the-end";
const STEPS: usize = 1500;

/// Reads until the end of the churn. While it is not connected, at times so many events happen.
async fn consume_until_the_end(node: &Node, seed: u64, meanwhile: u64) -> Consumer {
    let mut consumer = Consumer {
        // From the first event on.
        cursor: Some("abc-0".to_owned()),
        ..Consumer::default()
    };
    let churning = tokio::spawn(churn(node.client.clone(), Seeded(seed), STEPS));
    let mut seeded = Seeded(seed ^ 0xffff);
    while !consumer.has_seen_the_end() {
        let octets_max = seeded.below(6000);
        consumer.live(node, octets_max).await;
        if seeded.below(4) == 0 {
            node.be_busy(meanwhile).await;
        }
    }
    churning.await.unwrap();
    consumer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumer_killed_at_random_misses_nothing_and_gets_nothing_twice() {
    for seed in 1..=3 {
        let node = Node::start(100_000).await;
        let consumer = consume_until_the_end(&node, seed, 0).await;
        assert_eq!(consumer.rooms, node.state().await, "seed {seed}");
        let events = consumer.seqs.len() as u64;
        assert!(consumer.seqs.iter().copied().eq(1..=events), "seed {seed}");
        assert_eq!(consumer.gaps, 0);
        let connections = consumer.connections;
        assert!(connections > 10, "{connections} connections are no test");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumer_whose_events_are_gone_gets_the_state_and_ends_with_what_runs() {
    for seed in 1..=3 {
        let node = Node::start(20).await;
        let consumer = consume_until_the_end(&node, seed, 30).await;
        assert_eq!(consumer.rooms, node.state().await, "seed {seed}");
        assert!(consumer.gaps > 0, "seed {seed} had no gap");
    }
}
