//! A participant that takes next to nothing, to watch how the room does without it.
//!
//! It comes in by the engine's commands, as the HTTP API would put it in, and reads its connection as a
//! phone in a tunnel would: what the bots say, and hardly more.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use msrp_control::{Client, LocalMedia, Media, ParticipantConfig, ParticipantId, RoomId};
use msrp_wire::MsrpUriBuf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::client::{OwnMedia, SwitchMedia};

/// A slow reader in the room. It leaves when this is dropped: its connection closes.
pub(super) struct SlowReader {
    task: JoinHandle<()>,
    octets: Arc<AtomicU64>,
}

impl SlowReader {
    /// Octets that it has read; `None` when it is not in the room any more.
    pub(super) fn octets(&self) -> Option<u64> {
        let is_here = !self.task.is_finished();
        is_here.then(|| self.octets.load(Ordering::Relaxed))
    }
}

impl Drop for SlowReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Puts one into a room and lets it read.
///
/// # Errors
/// Why it could not come in, as a part of a sentence.
pub(super) async fn join(client: &Client, room: RoomId) -> Result<SlowReader, String> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("slow-reader-{number}");
    let participant = ParticipantId::new(&name).map_err(|e| e.to_string())?;
    let own = OwnMedia::new(IpAddr::V4(Ipv4Addr::LOCALHOST), &name, number)?;
    let identity = format!("sip:{name}@localhost");
    let config = ParticipantConfig {
        entity: identity.clone(),
        identities: vec![identity],
        is_hidden: false,
        may_send_private: false,
        shows_release: false,
        charging: None,
    };
    let (offer, local) = (Media::Offer(own.offer()), LocalMedia::default());
    let answer = client.add_participant(room.clone(), participant.clone(), config, offer, local);
    let answer = answer.await.map_err(|e| e.to_string())?;
    let bound = bind(&answer, &own.uri(), &name).await;
    let stream = match bound {
        Ok(stream) => stream,
        Err(reason) => {
            // Its session has no connection; without this it would wait for one.
            let _ = client.remove_participant(room, participant).await;
            return Err(reason);
        }
    };
    let octets = Arc::new(AtomicU64::new(0));
    let task = tokio::spawn(read(stream, Arc::clone(&octets)));
    Ok(SlowReader { task, octets })
}

/// Connects and sends the request that names the session.
async fn bind(answer: &str, own: &MsrpUriBuf, id: &str) -> Result<TcpStream, String> {
    let switch = SwitchMedia::read(answer).await?;
    let mut stream = connect(switch.address).await.map_err(|e| e.to_string())?;
    let path = String::from_utf8_lossy(switch.path.raw());
    let request = format!(
        "MSRP {id} SEND\r\nTo-Path: {path}\r\nFrom-Path: {own}\r\nMessage-ID: {id}\r\n-------{id}$\r\n"
    );
    let written = stream.write_all(request.as_bytes()).await;
    written.map_err(|e| e.to_string())?;
    Ok(stream)
}

/// Connects with a receive buffer that hides as little as the kernel allows.
async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_recv_buffer_size(RECEIVE_BUFFER_OCTETS)?;
    socket.connect(address).await
}

/// Reads a little, again and again, until the connection ends. It answers nothing: the engine asks
/// recipients for errors only.
async fn read(mut stream: TcpStream, octets: Arc<AtomicU64>) {
    let mut buffer = [0; READ_OCTETS];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        octets.fetch_add(read as u64, Ordering::Relaxed);
        sleep(PAUSE).await;
    }
}

/// Tells one slow reader from the next.
static NUMBER: AtomicU64 = AtomicU64::new(1);
/// Octets of one read.
const READ_OCTETS: usize = 512;
/// Between two reads: 2 KiB in a second, a quarter of what the engine expects of a recipient.
const PAUSE: Duration = Duration::from_millis(250);
/// Octets that its kernel takes in; the smallest that Linux gives is about that.
const RECEIVE_BUFFER_OCTETS: u32 = 2304;
