//! UDP and TCP on loopback.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;

use super::message::SipMessage;
use super::peer::Shared;
use super::stream_parser::StreamParser;
use super::weather::Weather;
use crate::transcript::{DEADLINE, lock};

/// One socket of its own port; TCP connections are known by the address of their other end.
pub(crate) enum Transport {
    Udp(UdpSocket, Option<Mutex<Weather>>),
    Tcp(
        TcpListener,
        Mutex<HashMap<SocketAddr, mpsc::UnboundedSender<Vec<u8>>>>,
    ),
}

impl Transport {
    /// With a seed the network is bad.
    pub(crate) async fn udp(seed: Option<u64>) -> Self {
        Self::Udp(
            UdpSocket::bind("127.0.0.1:0")
                .await
                .expect("a port on loopback"),
            seed.map(|seed| Mutex::new(Weather::new(seed))),
        )
    }

    pub(crate) async fn tcp() -> Self {
        Self::Tcp(
            TcpListener::bind("127.0.0.1:0")
                .await
                .expect("a port on loopback"),
            Mutex::default(),
        )
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Udp(..) => "UDP",
            Self::Tcp(..) => "TCP",
        }
    }

    pub(crate) fn local_address(&self) -> SocketAddr {
        match self {
            Self::Udp(socket, _) => socket.local_addr(),
            Self::Tcp(listener, _) => listener.local_addr(),
        }
        .expect("the address of a socket")
    }
}

/// Sends octets; over TCP on the connection with that address, which is made when there is none.
///
/// # Errors
/// What the kernel said, in words. It stands in the transcript too.
pub(crate) async fn send(
    shared: &Arc<Shared>,
    to: SocketAddr,
    octets: &[u8],
) -> Result<(), String> {
    shared.transcript.octets(&format!("-> {to}"), octets);
    let sent = match &shared.transport {
        Transport::Udp(socket, None) => socket.send_to(octets, to).await.map(|_| ()),
        Transport::Udp(socket, Some(weather)) => {
            let out = lock(weather).out((to, octets.to_vec()));
            if out.is_empty() {
                shared.transcript.note("the network keeps it");
            }
            for (to, octets) in out {
                socket.send_to(&octets, to).await.ok();
            }
            Ok(())
        }
        Transport::Tcp(_, connections) => {
            let known = lock(connections)
                .get(&to)
                .is_some_and(|writer| writer.send(octets.to_vec()).is_ok());
            if known {
                Ok(())
            } else {
                send_on_new_connection(shared, to, octets).await
            }
        }
    };
    sent.map_err(|error| {
        let fault = format!("-> {to} failed: {error}");
        shared.transcript.note(&fault);
        fault
    })
}

async fn send_on_new_connection(
    shared: &Arc<Shared>,
    to: SocketAddr,
    octets: &[u8],
) -> std::io::Result<()> {
    let stream = tokio::time::timeout(DEADLINE, TcpStream::connect(to)).await??;
    let _sent = add_connection(shared, stream, to).send(octets.to_vec());
    Ok(())
}

/// Reads until the peer is dropped.
pub(crate) async fn receive(shared: Arc<Shared>) {
    match &shared.transport {
        Transport::Udp(socket, weather) => {
            let mut buffer = vec![0; 65_536];
            // An error here reports an earlier datagram to a closed port, so the loop goes on.
            loop {
                let arrives = |octets: &[u8]| {
                    weather
                        .as_ref()
                        .is_none_or(|weather| lock(weather).lets_in(octets))
                };
                if let Ok((octets, from)) = socket.recv_from(&mut buffer).await
                    && arrives(&buffer[..octets])
                {
                    receive_datagram(&shared, &buffer[..octets], from).await;
                }
            }
        }
        Transport::Tcp(listener, _) => {
            while let Ok((stream, from)) = listener.accept().await {
                add_connection(&shared, stream, from);
            }
        }
    }
}

async fn receive_datagram(shared: &Arc<Shared>, octets: &[u8], from: SocketAddr) {
    shared.transcript.octets(&format!("<- {from}"), octets);
    if octets
        .iter()
        .all(|octet| matches!(octet, b'\r' | b'\n' | 0))
    {
        return;
    }
    match SipMessage::parse(octets) {
        Ok(message) => shared.handle(message, from).await,
        Err(fault) => shared.fail(&fault),
    }
}

fn add_connection(
    shared: &Arc<Shared>,
    stream: TcpStream,
    remote: SocketAddr,
) -> mpsc::UnboundedSender<Vec<u8>> {
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let (reader, mut writer) = stream.into_split();
    let (sender, mut queue) = mpsc::unbounded_channel::<Vec<u8>>();
    if let Transport::Tcp(_, connections) = &shared.transport {
        lock(connections).insert(remote, sender.clone());
    }
    shared.spawn(async move {
        while let Some(octets) = queue.recv().await {
            if writer.write_all(&octets).await.is_err() {
                return;
            }
        }
    });
    shared.spawn(read_stream(Arc::clone(shared), reader, remote));
    sender
}

async fn read_stream(shared: Arc<Shared>, mut reader: OwnedReadHalf, from: SocketAddr) {
    let (mut parser, mut buffer) = (StreamParser::default(), vec![0; 65_536]);
    while let Ok(octets @ 1..) = reader.read(&mut buffer).await {
        shared
            .transcript
            .octets(&format!("<- {from}"), &buffer[..octets]);
        parser.push(&buffer[..octets]);
        loop {
            match parser.next_message() {
                Ok(Some(message)) => shared.handle(message, from).await,
                Ok(None) => break,
                Err(fault) => return shared.fail(&fault),
            }
        }
    }
    shared
        .transcript
        .note(format_args!("<- {from} end of the connection"));
    if let Transport::Tcp(_, connections) = &shared.transport {
        lock(connections).remove(&from);
    }
}
