//! The engine: one shard, one room.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::FutureExt as _;
use msrp_control::{
    Client, LocalMedia, Media, ParticipantConfig, ParticipantId, RoomConfig, RoomId,
};
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, ShardEngine};
use ring_io::Want;

use crate::load::{Load, Party};
use crate::{Cell, Server};

const ROOM: &str = "sip:room@example.com";

/// The engine with one room.
pub(crate) struct Engine {
    engine: Arc<ShardEngine>,
}

impl Server for Engine {
    const NAME: &'static str = "engine";

    fn start(want: Want, cell: Cell) -> (Self, Load) {
        let config = EngineConfig {
            want,
            shards: 1,
            listeners: vec![ListenerConfig {
                name: "lo".to_owned(),
                bind: "127.0.0.1:0".parse().unwrap(),
                advertise: None,
            }],
            limits: EngineLimits::default(),
            ask_recipients: true,
        };
        let started = msrp_shard::start(&config).unwrap();
        let address = started.listeners[0].1;
        let client = Client::new(started.engine.clone());
        let (parties, frame) = block_on(join(&client, cell));
        let load = Load::connect(address, parties, frame, cell.window);
        (
            Self {
                engine: started.engine,
            },
            load,
        )
    }

    fn thread(&self) -> &'static str {
        "shard-0"
    }

    fn stop(self) {
        self.engine.shutdown();
    }
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

async fn join(client: &Client, cell: Cell) -> (Vec<Party>, Vec<u8>) {
    let room = RoomId::new("room").unwrap();
    let rules = RoomConfig {
        uris: vec![ROOM.to_owned()],
        message_octets_max: None,
        private_messages: true,
        nicknames: false,
    };
    client.create_room(room.clone(), rules).await.unwrap();
    let mut parties = Vec::new();
    let mut frame = Vec::new();
    for index in 0..=cell.recipients_count {
        let own = format!("msrp://127.0.0.1:9/participant{index:05};tcp");
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=message 9 TCP/MSRP *\r\na=path:{own}\r\na=accept-types:message/cpim *\r\na=setup:active\r\n"
        );
        let identity = format!("sip:user{index}@example.com");
        let config = ParticipantConfig {
            identities: vec![identity.clone()],
            entity: identity,
        };
        let participant = ParticipantId::new(&format!("p{index}")).unwrap();
        let local = LocalMedia::default();
        let added = client.add_participant(
            room.clone(),
            participant,
            config,
            Media::Offer(offer),
            local,
        );
        let answer = added.await.unwrap();
        let theirs = answer
            .lines()
            .find_map(|line| line.strip_prefix("a=path:"))
            .unwrap();
        if index == 0 {
            frame = send(&own, theirs, cell.body_octets);
        }
        parties.push(party(&own, theirs));
    }
    (parties, frame)
}

fn party(own: &str, theirs: &str) -> Party {
    let paths = format!("To-Path: {theirs}\r\nFrom-Path: {own}\r\n");
    let hello =
        format!("MSRP hello123 SEND\r\n{paths}Message-ID: hello123\r\n-------hello123$\r\n");
    let welcome = format!("MSRP hello123 200 OK\r\n{paths}-------hello123$\r\n");
    Party {
        hello: hello.into_bytes(),
        welcome_octets: welcome.len(),
        response: [
            b"MSRP ".to_vec(),
            format!(" 200 OK\r\n{paths}-------").into_bytes(),
            b"$\r\n".to_vec(),
        ],
    }
}

fn send(own: &str, theirs: &str, body_octets: usize) -> Vec<u8> {
    let mut body = format!(
        "From: <sip:user0@example.com>\r\nTo: <{ROOM}>\r\n\r\nContent-Type: text/plain\r\n\r\n"
    )
    .into_bytes();
    body.resize(body_octets.max(body.len()), b'x');
    let mut frame = format!(
        "MSRP send1234 SEND\r\nTo-Path: {theirs}\r\nFrom-Path: {own}\r\nMessage-ID: message0\r\n\
         Byte-Range: 1-{0}/{0}\r\nContent-Type: message/cpim\r\n\r\n",
        body.len()
    )
    .into_bytes();
    frame.extend_from_slice(&body);
    frame.extend_from_slice(b"\r\n-------send1234$\r\n");
    frame
}

/// What one copy of the message looks like on the wire, for the floor to write the same octets.
pub(crate) fn copy(index: usize, body_octets: usize) -> [Vec<u8>; 4] {
    let id = "Bl4aYvmLGYIQarRxsrfSg0";
    [
        format!("MSRP {id} SEND\r\n").into_bytes(),
        format!(
            "To-Path: msrp://127.0.0.1:9/participant{index:05};tcp\r\n\
             From-Path: msrp://127.0.0.1:40871/00CpdyFBrF3hVa8v5Cg8UKjq;tcp\r\n"
        )
        .into_bytes(),
        format!(
            "Message-ID: message0\r\nByte-Range: 1-{body_octets}/{body_octets}\r\n\
             Content-Type: message/cpim\r\n\r\n"
        )
        .into_bytes(),
        format!("\r\n-------{id}$\r\n").into_bytes(),
    ]
}

/// The sender's message and a party, for the floor to read the same octets.
pub(crate) fn plain(index: usize, body_octets: usize, address: SocketAddr) -> (Party, Vec<u8>) {
    let own = format!("msrp://127.0.0.1:9/participant{index:05};tcp");
    let theirs = format!("msrp://{address}/00CpdyFBrF3hVa8v5Cg8UKjq;tcp");
    (party(&own, &theirs), send(&own, &theirs, body_octets))
}
