//! When the last recipient of a large room is served: a room on one shard beside one that is spread
//! over two.
//!
//! One sender, N recipients that read nothing while the clock runs; it runs from the sender's write
//! until the last connection of each shard has its copy. The two engines take turns in one run; what
//! counts is the ratio. The times need two idle cores, which the best round is the likeliest to have had;
//! beside them stands the processor time of the busier shard, which needs none.
//!
//! ```sh
//! cargo bench -p msrpd-benches --bench spread                  # 200 octets, 2000 recipients, auto
//! cargo bench -p msrpd-benches --bench spread -- epoll 500     # backend, recipients
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use msrp_control::{
    Client, LocalMedia, Media, ParticipantConfig, ParticipantId, RoomConfig, RoomId,
};
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, ShardEngine};
use ring_io::Want;

const ROOM: &str = "sip:room@example.com";
const BODY_OCTETS: usize = 200;

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    let want = match args.first().map(String::as_str) {
        Some("epoll") => Want::Epoll,
        Some("uring") => Want::Uring,
        Some(_) | None => Want::Auto,
    };
    let (usual, rounds) = if is_bench { (2000, 101) } else { (40, 3) };
    let recipients = args
        .get(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(usual);
    let mut towns = [
        Town::new(want, 1, recipients),
        Town::new(want, 2, recipients),
    ];
    let mut times = [Vec::new(), Vec::new()];
    let mut busy = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (index, town) in towns.iter_mut().enumerate() {
            let before = SHARDS.map(thread_ns);
            times[index].push(town.round());
            let after = SHARDS.map(thread_ns);
            let spent = after
                .iter()
                .zip(before)
                .map(|(after, before)| after - before);
            busy[index].push(Duration::from_nanos(spent.max().unwrap_or(0)));
        }
    }
    println!("recipients,what,one_shard_us,two_shards_us,ratio");
    for times in times.iter_mut().chain(&mut busy) {
        times.sort_unstable();
    }
    for (what, times, rank) in [
        ("last_served_best", &times, 0),
        ("last_served_median", &times, rounds / 2),
        ("busier_shard_median", &busy, rounds / 2),
    ] {
        let [one, two] = times
            .each_ref()
            .map(|times| times[rank].as_secs_f64() * 1e6);
        println!("{recipients},{what},{one:.0},{two:.0},{:.2}", two / one);
    }
    for town in towns {
        town.engine.shutdown();
    }
}

const SHARDS: [&str; 2] = ["shard-0", "shard-1"];

/// Nanoseconds that the threads of this name have run. Those of the engine that waits do nothing.
fn thread_ns(name: &str) -> u64 {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        if std::fs::read_to_string(folder.join("comm")).unwrap().trim() == name {
            let text = std::fs::read_to_string(folder.join("schedstat")).unwrap();
            let ran = text.split_whitespace().next().unwrap();
            total += ran.parse::<u64>().unwrap();
        }
    }
    total
}

/// An engine with one room and everybody's connections.
struct Town {
    engine: Arc<ShardEngine>,
    sender: TcpStream,
    recipients: Vec<Recipient>,
    frame: Vec<u8>,
    count: u64,
}

struct Recipient {
    stream: TcpStream,
    carrier: String,
    /// Octets of a copy to it.
    copy_octets: usize,
}

impl Town {
    fn new(want: Want, shards: usize, recipients: usize) -> Self {
        let config = EngineConfig {
            pin_shards: true,
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
        };
        let started = msrp_shard::start(&config).unwrap();
        let client = Client::new(started.engine.clone());
        let address = started.listeners[0].1;
        let room = RoomId::new("room").unwrap();
        let rules = RoomConfig {
            uris: vec![ROOM.to_owned()],
            message_octets_max: None,
            private_messages: true,
            addressing: msrp_control::Addressing::Oma,
            nicknames: true,
        };
        block_on(client.create_room(room.clone(), rules)).unwrap();
        let (sender, paths, _) = join(&client, &room, address, 0);
        let recipients = (1..=recipients).map(|index| {
            let (stream, _, carrier) = join(&client, &room, address, index);
            Recipient {
                stream,
                carrier,
                copy_octets: 0,
            }
        });
        let mut town = Self {
            engine: started.engine,
            sender,
            recipients: recipients.collect(),
            frame: send(&paths),
            count: 0,
        };
        town.learn();
        town
    }

    /// Writes a message.
    fn speak(&mut self) {
        self.count += 1;
        let id = format!("m{:07}", self.count % 10_000_000);
        let place = memchr::memmem::find(&self.frame, b"Message-ID: ").unwrap() + 12;
        self.frame[place..place + id.len()].copy_from_slice(id.as_bytes());
        self.sender.write_all(&self.frame).unwrap();
    }

    /// Learns how long the copies are: all of one recipient have the same length.
    fn learn(&mut self) {
        self.speak();
        for recipient in &mut self.recipients {
            let mut octets = Vec::new();
            let mut buffer = [0; 4096];
            while !octets.ends_with(b"$\r\n") {
                let count = recipient.stream.read(&mut buffer).unwrap();
                assert!(count > 0, "the connection ended");
                octets.extend_from_slice(&buffer[..count]);
            }
            recipient.copy_octets = octets.len();
        }
        self.hear_answer();
    }

    fn hear_answer(&mut self) {
        let mut octets = Vec::new();
        let mut buffer = [0; 4096];
        while !octets.ends_with(b"$\r\n") {
            let count = self.sender.read(&mut buffer).unwrap();
            assert!(count > 0, "the connection ended");
            octets.extend_from_slice(&buffer[..count]);
        }
    }

    /// One message; how long it takes until the last of each shard has it.
    fn round(&mut self) -> Duration {
        let mut lasts: Vec<usize> = Vec::new();
        for (index, recipient) in self.recipients.iter().enumerate().rev() {
            let is_seen = |last: &usize| self.recipients[*last].carrier == recipient.carrier;
            if !lasts.iter().any(is_seen) {
                lasts.push(index);
            }
        }
        let start = Instant::now();
        self.speak();
        for &last in &lasts {
            self.recipients[last].take();
        }
        let elapsed = start.elapsed();
        for index in 0..self.recipients.len() {
            if !lasts.contains(&index) {
                self.recipients[index].take();
            }
        }
        self.hear_answer();
        elapsed
    }
}

impl Recipient {
    fn take(&mut self) {
        let mut octets = vec![0; self.copy_octets];
        self.stream.read_exact(&mut octets).unwrap();
        assert!(octets.ends_with(b"$\r\n"), "not a whole copy");
    }
}

/// Joins the room; gives the connection, its path lines and the digits of its carrier.
fn join(
    client: &Client,
    room: &RoomId,
    address: SocketAddr,
    index: usize,
) -> (TcpStream, String, String) {
    let own = format!("msrp://127.0.0.1:9/participant{index:05};tcp");
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=message 9 TCP/MSRP *\r\na=path:{own}\r\na=accept-types:message/cpim *\r\na=setup:active\r\n"
    );
    let identity = format!("sip:user{index}@example.com");
    let config = ParticipantConfig {
        identities: vec![identity.clone()],
        entity: identity,
        is_hidden: false,
        may_send_private: true,
        shows_release: true,
    };
    let participant = ParticipantId::new(&format!("p{index}")).unwrap();
    let added = client.add_participant(
        room.clone(),
        participant,
        config,
        Media::Offer(offer),
        LocalMedia::default(),
    );
    let answer = block_on(added).unwrap();
    let theirs = answer
        .lines()
        .find_map(|line| line.strip_prefix("a=path:"))
        .unwrap();
    let (_, session_id) = theirs.rsplit_once('/').unwrap();
    let carrier = session_id[..2].to_owned();
    let paths = format!("To-Path: {theirs}\r\nFrom-Path: {own}\r\n");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let hello =
        format!("MSRP hello123 SEND\r\n{paths}Message-ID: hello123\r\n-------hello123$\r\n");
    let welcome = format!("MSRP hello123 200 OK\r\n{paths}-------hello123$\r\n");
    stream.write_all(hello.as_bytes()).unwrap();
    stream.read_exact(&mut vec![0; welcome.len()]).unwrap();
    (stream, paths, carrier)
}

fn send(paths: &str) -> Vec<u8> {
    let mut body = format!(
        "From: <sip:user0@example.com>\r\nTo: <{ROOM}>\r\n\r\nContent-Type: text/plain\r\n\r\n"
    );
    while body.len() < BODY_OCTETS {
        body.push('x');
    }
    let octets = body.len();
    format!(
        "MSRP send1234 SEND\r\n{paths}Message-ID: message0\r\nByte-Range: 1-{octets}/{octets}\r\n\
         Content-Type: message/cpim\r\n\r\n{body}\r\n-------send1234$\r\n"
    )
    .into_bytes()
}

/// Waits for a future that another thread completes.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        if let Some(value) = future.as_mut().now_or_never() {
            return value;
        }
        std::thread::yield_now();
    }
}
