//! An engine with one room, a sender, and recipients that read nothing while the clock runs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use msrp_control::{
    Client, LocalMedia, Media, ParticipantConfig, ParticipantId, RoomConfig, RoomId,
};
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, ShardEngine};
use ring_io::Want;

use crate::frame::{ROOM, frame};
use crate::wait::block_on;

const BODY_OCTETS: usize = 200;

/// An engine with one room and everybody's connections.
pub struct Town {
    /// To be shut down in the end.
    pub engine: Arc<ShardEngine>,
    sender: TcpStream,
    recipients: Vec<Recipient>,
    paths: String,
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
    /// Starts an engine and lets everybody join.
    #[must_use]
    pub fn new(want: Want, shards: usize, recipients: usize) -> Self {
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
            frame: frame(&paths, BODY_OCTETS),
            paths,
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

    /// The beginning of a message of 1 GB, with more of its first chunk to come; how long it takes until the
    /// last recipient has octets of it. The message ends after that.
    pub fn first_octets(&mut self) -> Duration {
        self.count += 1;
        let id = format!("g{:07}", self.count % 10_000_000);
        let wrapper = format!(
            "From: <sip:user0@example.com>\r\nTo: <{ROOM}>\r\n\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        let paths = &self.paths;
        let head = format!(
            "MSRP gigabyte1 SEND\r\n{paths}Message-ID: {id}\r\nByte-Range: 1-*/1000000000\r\n\
             Content-Type: message/cpim\r\n\r\n{wrapper}{}",
            "x".repeat(60_000)
        );
        let start = Instant::now();
        self.sender.write_all(head.as_bytes()).unwrap();
        for recipient in &mut self.recipients {
            recipient.stream.peek(&mut [0]).unwrap();
        }
        let elapsed = start.elapsed();
        self.sender.write_all(b"\r\n-------gigabyte1#\r\n").unwrap();
        for recipient in &mut self.recipients {
            recipient.read_to_abort();
        }
        self.hear_answer();
        elapsed
    }

    /// One message; how long it takes until the last of each shard has it.
    pub fn round(&mut self) -> Duration {
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
    /// Reads until a message has ended with `#`.
    fn read_to_abort(&mut self) {
        let mut octets = Vec::new();
        let mut buffer = [0; 65_536];
        while !octets.ends_with(b"#\r\n") {
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the connection ended");
            octets.extend_from_slice(&buffer[..count]);
        }
    }

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
        charging: None,
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
