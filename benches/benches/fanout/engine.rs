//! The engine: one shard, one room.

use std::net::SocketAddr;
use std::sync::Arc;

use msrp_control::{
    Client, LocalMedia, Media, ParticipantConfig, ParticipantId, RoomConfig, RoomId,
};
use msrp_shard::{EngineConfig, EngineLimits, ListenerConfig, ShardEngine};
use msrpd_benches::wait::block_on;
use ring_io::Want;

use crate::load::{Load, Party};
use crate::{Cell, Server};

fn room_uri(number: usize) -> String {
    format!("sip:room{number:02}@example.com")
}

/// The engine with one room.
pub(crate) struct Engine {
    engine: Arc<ShardEngine>,
}

impl Server for Engine {
    const NAME: &'static str = "engine";

    fn start(want: Want, cell: Cell) -> (Self, Load) {
        let (engine, mut loads) = Self::with_rooms(want, 1, 1, cell);
        (engine, loads.remove(0))
    }

    fn thread(&self) -> &'static str {
        "shard-0"
    }

    fn stop(self, load: Load) {
        self.engine.shutdown();
        drop(load);
    }
}

impl Engine {
    /// The engine with so many shards and rooms, and a load for each room.
    pub(crate) fn with_rooms(
        want: Want,
        shards: usize,
        rooms: usize,
        cell: Cell,
    ) -> (Self, Vec<Load>) {
        let config = EngineConfig {
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
            ask_recipients: true,
            rules: Default::default(),
        };
        let started = msrp_shard::start(&config).unwrap();
        let address = started.listeners[0].1;
        let client = Client::new(started.engine.clone());
        let load = |number| {
            let (parties, frame) = block_on(join(&client, number, cell));
            Load::connect(address, parties, frame, cell.window)
        };
        let loads = (0..rooms).map(load).collect();
        let engine = started.engine;
        (Self { engine }, loads)
    }

    /// Ends it.
    pub(crate) fn shutdown(self) {
        self.engine.shutdown();
    }
}

async fn join(client: &Client, number: usize, cell: Cell) -> (Vec<Party>, Vec<u8>) {
    let room = RoomId::new(&format!("room{number}")).unwrap();
    let rules = RoomConfig {
        uris: vec![room_uri(number)],
        message_octets_max: None,
        private_messages: true,
        addressing: msrp_control::Addressing::Oma,
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
            is_hidden: false,
            may_send_private: true,
            shows_release: false,
            charging: None,
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
            frame = send(&own, theirs, &room_uri(number), cell.body_octets);
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

fn send(own: &str, theirs: &str, room: &str, body_octets: usize) -> Vec<u8> {
    let mut body = format!(
        "From: <sip:user0@example.com>\r\nTo: <{room}>\r\n\r\nContent-Type: text/plain\r\n\r\n"
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
    let frame = send(&own, &theirs, &room_uri(0), body_octets);
    (party(&own, &theirs), frame)
}
