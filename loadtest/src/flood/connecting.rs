//! Connections that come and go, that name no session, whose header section does not end.
//!
//! They come from one address beside that of everybody else, so that a server can tell them apart.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{STRANGE_ADDRESS, Tally, before};

/// Connects and resets, from several tasks. Counts connections.
///
/// # Errors
/// None; attempts that fail are not counted.
pub async fn come_and_go(server: SocketAddr, until: Instant) -> io::Result<u64> {
    for_all(TASKS, until, move |tally| async move {
        loop {
            if connect(server).await.is_ok() {
                tally.add();
            }
        }
    })
    .await
}

/// Holds as many silent connections as the server leaves open, and makes those anew that it closes. Counts connections.
///
/// # Errors
/// None; attempts that fail are not counted.
pub async fn stay(server: SocketAddr, until: Instant) -> io::Result<u64> {
    for_all(SOCKETS, until, move |tally| async move {
        loop {
            if let Ok(mut stream) = connect(server).await {
                tally.add();
                // It ends when the server closes it.
                let _ = stream.read(&mut [0; 16]).await;
            }
            sleep(PAUSE).await;
        }
    })
    .await
}

/// Writes the header section of a request octet by octet on many connections. Counts octets.
///
/// # Errors
/// None; attempts that fail are not counted.
pub async fn trickle(server: SocketAddr, until: Instant) -> io::Result<u64> {
    for_all(SLOW_SOCKETS, until, move |tally| async move {
        loop {
            if let Ok(mut stream) = connect(server).await {
                write_slowly(&mut stream, &tally).await;
            }
            sleep(PAUSE).await;
        }
    })
    .await
}

async fn write_slowly(stream: &mut TcpStream, tally: &Tally) {
    let start = b"MSRP abcd1234 SEND\r\nTo-Path: msrp://";
    for octet in start.iter().chain(b"x".iter().cycle()) {
        if stream.write_all(&[*octet]).await.is_err() {
            return;
        }
        tally.add();
        sleep(PAUSE).await;
    }
}

/// A connection from the address of the flood, which is reset when it is dropped: so no port is used up by waiting.
async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let socket = match server {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if server.ip().is_loopback() && server.is_ipv4() {
        socket.bind(SocketAddr::new(STRANGE_ADDRESS, 0))?;
    }
    socket.set_zero_linger()?;
    socket.connect(server).await
}

/// Runs the same in many tasks until the time is over. Gives what they counted.
async fn for_all<F, T>(tasks: usize, until: Instant, task: F) -> io::Result<u64>
where
    F: Fn(Tally) -> T,
    T: Future<Output = ()> + Send + 'static,
{
    let tally = Tally::default();
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        running.spawn(task(tally.clone()));
    }
    before(until, async {
        while running.join_next().await.is_some() {}
    })
    .await;
    Ok(tally.sum())
}

/// How many connect at once.
const TASKS: usize = 64;
/// Silent connections.
const SOCKETS: usize = 8_000;
/// Connections that write slowly.
const SLOW_SOCKETS: usize = 2_000;
/// Between two octets, and before a connection is made anew.
const PAUSE: Duration = Duration::from_millis(100);
