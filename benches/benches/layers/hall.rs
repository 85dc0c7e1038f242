//! An engine with a room, a sender on plain TCP, and recipients of one transport.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use msrp_control::{
    Client, LocalMedia, Media, ParticipantConfig, ParticipantId, RoomConfig, RoomId,
};
use msrp_shard::{
    EngineConfig, EngineLimits, ListenerConfig, ListenerTransport, Origins, ShardEngine, TlsFiles,
};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use ring_io::Want;

use msrpd_benches::frame::{ROOM, frame};
use msrpd_benches::wait::block_on;

use crate::peer::{Stream, Transport, Trust};
use crate::thread_ns;

/// Everybody, connected.
pub(crate) struct Hall {
    engine: Arc<ShardEngine>,
    listeners: Vec<(String, SocketAddr)>,
    key: CertifiedKey<KeyPair>,
    directory: PathBuf,
    sender: Box<dyn Stream>,
    recipients: Vec<Box<dyn Stream>>,
    frame: Vec<u8>,
    /// Where the Message-ID lies in it.
    id_at: usize,
    count: usize,
}

impl Hall {
    /// Starts an engine and lets everybody in.
    pub(crate) fn open(transport: Transport, recipients: usize, body_octets: usize) -> Self {
        let key = generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let directory = std::env::temp_dir().join(format!("msrpd-layers-{}", transport.as_str()));
        std::fs::create_dir_all(&directory).unwrap();
        let files = TlsFiles {
            cert: directory.join("cert.pem"),
            key: directory.join("key.pem"),
            ..TlsFiles::default()
        };
        std::fs::write(&files.cert, key.cert.pem()).unwrap();
        std::fs::write(&files.key, key.signing_key.serialize_pem()).unwrap();
        let started = msrp_shard::start(&config(&files)).unwrap();
        let client = Client::new(started.engine.clone());
        let room = RoomId::new("room").unwrap();
        let rules = RoomConfig {
            uris: vec![ROOM.to_owned()],
            message_octets_max: None,
            private_messages: true,
            addressing: msrp_control::Addressing::Oma,
            nicknames: true,
        };
        block_on(client.create_room(room.clone(), rules)).unwrap();
        let join = |transport, index| join((&client, &room), (transport, &key), index);
        let (sender, paths) = join(Transport::Tcp, 0);
        let frame = frame(&paths, body_octets);
        let recipients = (1..=recipients).map(|index| join(transport, index).0);
        Self {
            recipients: recipients.collect(),
            engine: started.engine,
            listeners: started.listeners,
            directory,
            sender,
            id_at: memchr::memmem::find(&frame, b"Message-ID: ").unwrap() + 12,
            frame,
            count: 0,
            key,
        }
    }

    /// Sends messages, so many at a time. Gives the microseconds of the shard for each copy.
    pub(crate) fn run(&mut self, messages: usize, window: usize) -> f64 {
        self.burst(window);
        let before = thread_ns(SHARD);
        for _ in 0..messages / window {
            self.burst(window);
        }
        let spent = thread_ns(SHARD) - before;
        let count = messages / window * window * self.recipients.len();
        spent as f64 / 1000.0 / count as f64
    }

    /// So many messages at once, and everybody has all of them.
    fn burst(&mut self, window: usize) {
        let mut octets = Vec::new();
        for _ in 0..window {
            self.count += 1;
            let id = format!("m{:07}", self.count);
            self.frame[self.id_at..self.id_at + id.len()].copy_from_slice(id.as_bytes());
            octets.extend_from_slice(&self.frame);
        }
        self.sender.write_all(&octets).unwrap();
        for recipient in &mut self.recipients {
            until_ends(recipient.as_mut(), window);
        }
        until_ends(self.sender.as_mut(), window);
    }

    /// So many handshakes, one after the other. Gives the microseconds of the shard for each.
    pub(crate) fn shake_hands(&self, transport: Transport, trust: Trust, count: usize) -> f64 {
        let config = trust.config(&self.key);
        let is_it = |(name, _): &&(String, SocketAddr)| name == transport.as_str();
        let (_, to) = self.listeners.iter().find(is_it).unwrap();
        // What cannot be a request of this node: it answers and closes, so that the tickets come in.
        let noise = transport.wrapped("no MSRP at all\r\n");
        let visit = || {
            let mut stream = transport.connect(*to, &config);
            stream.write_all(&noise).unwrap();
            // Whichever way it ends.
            let _ = stream.read_to_end(&mut Vec::new());
        };
        visit();
        let before = thread_ns(SHARD);
        for _ in 0..count {
            visit();
        }
        (thread_ns(SHARD) - before) as f64 / 1000.0 / count as f64
    }

    pub(crate) fn close(self) {
        self.engine.shutdown();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn config(files: &TlsFiles) -> EngineConfig {
    let listener = |transport: Transport| ListenerConfig {
        name: transport.as_str().to_owned(),
        bind: "127.0.0.1:0".parse().unwrap(),
        advertise: None,
        transport: match transport {
            Transport::Tcp => ListenerTransport::Tcp,
            Transport::Tls => ListenerTransport::Tls(files.clone()),
            Transport::Ws => ListenerTransport::Ws(Origins::any()),
            Transport::Wss => ListenerTransport::Wss(files.clone(), Origins::any()),
        },
    };
    EngineConfig {
        pin_shards: false,
        want: Want::Auto,
        shards: 1,
        listeners: Transport::ALL.map(listener).to_vec(),
        limits: EngineLimits::default(),
        ask_recipients: false,
        rules: Default::default(),
    }
}

/// Joins the room; gives the connection and its path lines.
fn join(
    (client, room): (&Client, &RoomId),
    (transport, key): (Transport, &CertifiedKey<KeyPair>),
    index: usize,
) -> (Box<dyn Stream>, String) {
    let [scheme, below, protocol] = transport.names();
    let own = format!("{scheme}://127.0.0.1:9/participant{index:05};{below}");
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=message 9 {protocol} *\r\na=path:{own}\r\na=accept-types:message/cpim *\r\na=setup:active\r\n"
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
    let (media, local) = (Media::Offer(offer), LocalMedia::default());
    let added = client.add_participant(room.clone(), participant, config, media, local);
    let answer = block_on(added).unwrap();
    let theirs = answer.lines().find_map(|line| line.strip_prefix("a=path:"));
    let theirs = theirs.unwrap();
    let address = theirs.split('/').nth(2).unwrap().parse().unwrap();
    let paths = format!("To-Path: {theirs}\r\nFrom-Path: {own}\r\n");
    let mut stream = transport.connect(address, &Trust::Full.config(key));
    let hello =
        format!("MSRP hello123 SEND\r\n{paths}Message-ID: hello123\r\n-------hello123$\r\n");
    stream.write_all(&transport.wrapped(&hello)).unwrap();
    until_ends(stream.as_mut(), 1);
    (stream, paths)
}

/// Reads until so many messages and responses have ended. Nothing else in them holds the three octets.
fn until_ends(stream: &mut dyn Stream, wanted: usize) {
    let mut buffer = vec![0; 64 * 1024];
    let (mut ends, mut kept) = (0, 0);
    while ends < wanted {
        let count = stream.read(&mut buffer[kept..]).unwrap();
        assert!(count > 0, "the connection ended");
        let octets = &buffer[..kept + count];
        ends += memchr::memmem::find_iter(octets, b"$\r\n").count();
        // An end may lie on the border of two reads.
        let tail = octets.len().saturating_sub(2)..octets.len();
        kept = tail.len();
        buffer.copy_within(tail, 0);
    }
}

/// The name of a shard's thread. The shards of engines that wait do nothing.
const SHARD: &str = "shard-0";
