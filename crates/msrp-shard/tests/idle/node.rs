//! The engine with many idle sessions.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::time::Duration;

use msrp_control::{
    Client, Engine as _, LocalMedia, Media as Offer, ParticipantConfig, ParticipantId, RoomConfig,
    RoomId,
};
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, ShardEngine};
use msrp_testkit::Media;
use tokio::task::JoinSet;

use crate::{meter, peers, process};

/// Most times that the receive pool is filled, and growth that counts as none.
const FILLS_MAX: usize = 12;
const STEADY_OCTETS: u64 = 64 * 1024;

/// Sessions that are there before the first look at the memory.
const SESSIONS_FIRST: usize = 500;
/// Sessions of a room.
const SESSIONS_PER_ROOM: usize = 10;
/// Files that the process has besides connections, generously.
const FILES_SPARE: usize = 200;
/// Most that an idle session may cost.
const OCTETS_PER_SESSION_MAX: u64 = 1536;
/// More than the receive buffers of a shard: they belong to the shard, not to sessions.
const FILL_OCTETS: usize = 20_000_000;
/// Most of its time that a shard may be at work while nothing happens. It wakes four times a second to give a
/// sign of life; a walk over all sessions in each of those turns would be above this.
const IDLE_TIME_MAX: Duration = Duration::from_millis(5);

struct Node {
    engine: Arc<ShardEngine>,
    client: Client,
    runtime: tokio::runtime::Runtime,
    peers: Peers,
    sessions: usize,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.engine.shutdown();
    }
}

struct Peers {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Drop for Peers {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

impl Peers {
    fn start() -> Self {
        let mut command = process("peers");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Self {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn command(&mut self, line: &str) {
        let input = self.input.as_mut().unwrap();
        input.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        while !answer.contains(peers::DONE) {
            answer.clear();
            let octets = self.output.read_line(&mut answer).unwrap();
            assert!(octets > 0, "the peers ended at: {line}");
        }
    }
}

fn room_uri(room: usize) -> String {
    format!("sip:chat-{room:05}@conference.example.com")
}

fn identity(number: usize) -> String {
    format!("sip:participant-{number:05}@example.com")
}

impl Node {
    fn start(want: ring_io::Want) -> Self {
        let config = EngineConfig {
            want,
            shards: 1,
            pin_shards: false,
            listeners: vec![ListenerConfig {
                name: "lo".to_owned(),
                bind: "127.0.0.1:0".parse().unwrap(),
                advertise: None,
                transport: Default::default(),
            }],
            limits: EngineLimits::default(),
            ask_recipients: false,
            rules: msrp_shard::Rules::default(),
        };
        let engine = msrp_shard::start(&config).unwrap().engine;
        Self {
            client: Client::new(engine.clone()),
            engine,
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap(),
            peers: Peers::start(),
            sessions: 0,
        }
    }

    fn create_room(&self, room: usize) {
        let rules = RoomConfig {
            uris: vec![room_uri(room)],
            message_octets_max: None,
            private_messages: true,
            addressing: msrp_control::Addressing::Oma,
            nicknames: true,
        };
        let id = RoomId::new(&format!("room-{room:05}")).unwrap();
        self.runtime
            .block_on(self.client.create_room(id, rules))
            .unwrap();
    }

    /// Adds a room with its sessions, and binds them.
    fn add_room(&mut self) {
        let room = self.sessions / SESSIONS_PER_ROOM;
        self.create_room(room);
        let mut added = JoinSet::new();
        let guard = self.runtime.enter();
        for number in self.sessions..self.sessions + SESSIONS_PER_ROOM {
            added.spawn(add_session(self.client.clone(), room, number));
        }
        drop(guard);
        let mut uris = self.runtime.block_on(added.join_all());
        uris.sort_unstable();
        let uris = uris.into_iter().map(|(_, uri)| uri);
        self.peers
            .command(&format!("bind {}", uris.collect::<Vec<_>>().join(" ")));
        self.sessions += SESSIONS_PER_ROOM;
    }

    fn say(&mut self, from: usize, to: usize) {
        let (sender, room) = (identity(from), room_uri(from / SESSIONS_PER_ROOM));
        self.peers
            .command(&format!("say {from} {to} {sender} {room}"));
    }

    /// Sends until the receive pool has been used all through, which shows in that the memory does not grow any
    /// more. Returns the memory then.
    fn fill_receive_pool(&mut self) -> u64 {
        let mut resident = meter::resident_octets();
        let mut steady = 0;
        for _ in 0..FILLS_MAX {
            self.peers.command(&format!("fill 2 {FILL_OCTETS}"));
            let now = meter::resident_octets();
            steady = if now < resident + STEADY_OCTETS {
                steady + 1
            } else {
                0
            };
            resident = now;
            if steady == 2 {
                break;
            }
        }
        resident
    }

    fn metric(&self, name: &str) -> u64 {
        let samples = self.engine.samples();
        let found = samples.iter().filter(|sample| sample.name == name);
        found.map(|sample| sample.value).sum()
    }
}

/// Adds a session; returns its number and our URI.
async fn add_session(client: Client, room: usize, number: usize) -> (usize, String) {
    let config = ParticipantConfig {
        identities: vec![identity(number)],
        entity: identity(number),
        is_hidden: false,
        may_send_private: true,
        shows_release: false,
        charging: None,
    };
    let added = client.add_participant(
        RoomId::new(&format!("room-{room:05}")).unwrap(),
        ParticipantId::new(&format!("participant-{number:05}")).unwrap(),
        config,
        Offer::Offer(Media::new(peers::own_uri(number)).to_string()),
        LocalMedia::default(),
    );
    let answer = added.await.unwrap();
    (number, Media::parse(&answer).path.remove(0))
}

pub(crate) fn run(want: ring_io::Want, wanted: usize) {
    let files_max = meter::files_max();
    let sessions = wanted.min(files_max.saturating_sub(FILES_SPARE));
    let sessions = sessions - sessions % SESSIONS_PER_ROOM;
    let mut node = Node::start(want);
    while node.sessions < SESSIONS_FIRST {
        node.add_room();
    }
    node.say(0, 1);
    let before = node.fill_receive_pool();
    while node.sessions < sessions {
        node.add_room();
    }
    let after = meter::resident_octets();
    let each = after.saturating_sub(before) / (sessions - SESSIONS_FIRST) as u64;
    println!("{want:?}: {sessions} sessions (limit of files {files_max}), {each} octets each");

    let (turns, time) = (
        node.metric("msrp_shard_turns_total"),
        meter::threads_time("shard"),
    );
    let started = std::time::Instant::now();
    // The shard's own signs of life are the clock.
    while started.elapsed() < Duration::from_secs(1) {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let turns = node.metric("msrp_shard_turns_total") - turns;
    let time = meter::threads_time("shard") - time;
    println!(
        "{want:?}: {turns} turns and {time:?} of processor time in {:?} of idling",
        started.elapsed()
    );

    node.say(sessions - 2, sessions - 1);
    assert!(each <= OCTETS_PER_SESSION_MAX, "{each} octets each");
    assert!(turns <= 20, "{turns} turns");
    assert!(time <= IDLE_TIME_MAX, "{time:?}");
}
