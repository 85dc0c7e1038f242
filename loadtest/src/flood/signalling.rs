//! SIP: INVITE, SUBSCRIBE, OPTIONS, long lists of recipients.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::seat::{fresh_identity, fresh_path, invite, offer, request};
use super::{Flood, STRANGE_ADDRESS, Tally, before};

/// INVITEs to the room, each from somebody else, without ACK. Counts datagrams.
///
/// # Errors
/// No socket could be had.
pub async fn invites(flood: &Flood, until: Instant) -> io::Result<u64> {
    storm(flood, NEIGHBOUR, until, |own| fresh_invite(flood, own)).await
}

/// The same from an address that a server can tell from those of its neighbours. Counts datagrams.
///
/// # Errors
/// No socket could be had.
pub async fn strangers(flood: &Flood, until: Instant) -> io::Result<u64> {
    storm(flood, STRANGE_ADDRESS, until, |own| {
        fresh_invite(flood, own)
    })
    .await
}

fn fresh_invite(flood: &Flood, own: SocketAddr) -> String {
    invite(&flood.room, &fresh_identity(), &fresh_path(), own)
}

/// SUBSCRIBEs to the conference of the room, each from somebody else. Counts datagrams.
///
/// # Errors
/// No socket could be had.
pub async fn subscribes(flood: &Flood, until: Instant) -> io::Result<u64> {
    storm(flood, NEIGHBOUR, until, |own| {
        let identity = fresh_identity();
        let text = request("SUBSCRIBE", &flood.room, &identity, own, "text/plain", "");
        let fields =
            "Event: conference\r\nAccept: application/conference-info+xml\r\nExpires: 3600\r\n";
        text.replacen("Content-Type: text/plain\r\n", fields, 1)
    })
    .await
}

/// OPTIONS. Counts datagrams.
///
/// # Errors
/// No socket could be had.
pub async fn options(flood: &Flood, until: Instant) -> io::Result<u64> {
    storm(flood, NEIGHBOUR, until, |own| {
        request(
            "OPTIONS",
            &flood.room,
            "sip:flood@localhost",
            own,
            "text/plain",
            "",
        )
    })
    .await
}

/// Sends datagrams and reads no answer.
async fn storm(
    flood: &Flood,
    from: IpAddr,
    until: Instant,
    mut next: impl FnMut(SocketAddr) -> String,
) -> io::Result<u64> {
    let socket = UdpSocket::bind((from, 0)).await?;
    socket.connect(flood.sip).await?;
    let own = socket.local_addr()?;
    let tally = Tally::default();
    before(until, async {
        loop {
            if socket.send(next(own).as_bytes()).await.is_ok() {
                tally.add();
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    Ok(tally.sum())
}

/// Lists over TCP: INVITEs with a million recipients from some connections, and MESSAGEs with a thousand from the others.
/// Counts requests that were written to their end.
///
/// # Errors
/// None; attempts that fail are not counted.
pub async fn lists(flood: &Flood, until: Instant) -> io::Result<u64> {
    let tally = Tally::default();
    let mut running = JoinSet::new();
    let long = list(ENTRIES_OF_MILLION);
    for number in 0..CONNECTIONS {
        let (server, tally) = (flood.sip_tcp, tally.clone());
        if number % 2 == 0 {
            let long = long.clone();
            running.spawn(async move { invite_many(server, &long, &tally).await });
        } else {
            running.spawn(async move { message_many(server, &tally).await });
        }
    }
    before(until, async {
        while running.join_next().await.is_some() {}
    })
    .await;
    Ok(tally.sum())
}

async fn invite_many(server: SocketAddr, list: &str, tally: &Tally) {
    loop {
        let sdp = offer(&fresh_path());
        let body = format!("--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n{list}");
        write_one(server, "INVITE", &body, tally).await;
    }
}

async fn message_many(server: SocketAddr, tally: &Tally) {
    let list = list(ENTRIES);
    loop {
        let body = format!("--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n{list}");
        write_one(server, "MESSAGE", &body, tally).await;
    }
}

/// Writes one request on a connection of its own, and waits for an answer or the end.
async fn write_one(server: SocketAddr, method: &str, body: &str, tally: &Tally) {
    let Ok(mut stream) = TcpStream::connect(server).await else {
        return tokio::task::yield_now().await;
    };
    let Ok(own) = stream.local_addr() else { return };
    let uri = "sip:conference-factory@localhost";
    let content_type = "multipart/mixed;boundary=b";
    let text = request(method, uri, "sip:flood@localhost", own, content_type, body);
    let text = text.replacen("SIP/2.0/UDP", "SIP/2.0/TCP", 1);
    let require = format!(
        "Require: recipient-list-{}\r\nContent-Type",
        method.to_lowercase()
    );
    let text = text.replacen("Content-Type", &require, 1);
    if stream.write_all(text.as_bytes()).await.is_ok() {
        tally.add();
        // What the answer is does not matter.
        let _ = stream.read(&mut [0; 4096]).await;
    }
}

/// A body part with a list of so many recipients, and the end of the body.
fn list(entries: usize) -> String {
    let mut text = String::from(
        "--b\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n\
         <resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>",
    );
    for number in 0..entries {
        // Writing to a string does not fail.
        let _ = write!(text, "<entry uri=\"sip:n{number}@127.0.0.1:9\"/>");
    }
    text.push_str("</list></resource-lists>\r\n--b--\r\n");
    text
}

/// Where neighbours are.
const NEIGHBOUR: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Connections that bring lists.
const CONNECTIONS: usize = 8;
/// Recipients of a list that nobody takes.
const ENTRIES_OF_MILLION: usize = 1_000_000;
/// Recipients of a list of a MESSAGE: as many as the server takes when nothing is configured.
const ENTRIES: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_has_its_entries() {
        let text = list(3);
        assert_eq!(text.matches("<entry ").count(), 3);
        assert!(text.ends_with("--b--\r\n"));
    }
}
