//! A session to attack from: a dialog by SIP over UDP, and the connection of its MSRP session.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::{Flood, fresh};

/// A session, as the one who writes requests knows it.
#[derive(Clone, Debug)]
pub struct Seat {
    to_path: String,
    from_path: String,
    identity: String,
    room: String,
}

impl Seat {
    /// Joins the room of a flood and binds the session, which the server ends when the connection goes. `window` is how
    /// many octets the kernel may keep unread.
    ///
    /// # Errors
    /// The server did not answer, or refused.
    pub async fn take(flood: &Flood, window: Option<u32>) -> io::Result<(Self, TcpStream)> {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await?;
        socket.connect(flood.sip).await?;
        let own = socket.local_addr()?;
        let (identity, from_path) = (fresh_identity(), fresh_path());
        let invite = invite(&flood.room, &identity, &from_path, own);
        let answer = exchange(&socket, &invite).await?;
        let contact = field(&answer, "Contact").unwrap_or_default();
        let target = contact.split(['<', '>']).nth(1).unwrap_or(&flood.room);
        socket
            .send(ack(&invite, &answer, target).as_bytes())
            .await?;
        let to_path = answer
            .lines()
            .find_map(|line| line.strip_prefix("a=path:"))
            .ok_or_else(|| io::Error::other("an answer without a path"))?
            .trim()
            .to_owned();
        let mut stream = connect(flood.msrp, window).await?;
        let seat = Self {
            to_path,
            from_path,
            identity,
            room: flood.room.clone(),
        };
        seat.bind(&mut stream).await?;
        Ok((seat, stream))
    }

    async fn bind(&self, stream: &mut TcpStream) -> io::Result<()> {
        let (id, head) = self.head("SEND");
        let text = format!(
            "{head}Message-ID: {}\r\nByte-Range: 1-0/0\r\n-------{id}$\r\n",
            fresh("bind")
        );
        stream.write_all(text.as_bytes()).await?;
        let mut answer = [0; 1024];
        let count = timeout(ANSWER_TIME, stream.read(&mut answer)).await??;
        let is_good = String::from_utf8_lossy(&answer[..count]).contains(" 200");
        is_good
            .then_some(())
            .ok_or_else(|| io::Error::other("the session was not bound"))
    }

    /// Start line and paths of a request, with its transaction id.
    #[must_use]
    pub fn head(&self, method: &str) -> (String, String) {
        let id = fresh("tx");
        let (to, from) = (&self.to_path, &self.from_path);
        let head = format!("MSRP {id} {method}\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n");
        (id, head)
    }

    /// The wrapper of a message to the room, with more header lines of its own.
    #[must_use]
    pub fn wrapper(&self, more: &str) -> String {
        let (from, to) = (&self.identity, &self.room);
        format!("From: <{from}>\r\nTo: <{to}>\r\n{more}\r\nContent-Type: text/plain\r\n\r\n")
    }
}

async fn connect(server: SocketAddr, window: Option<u32>) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(octets) = window {
        socket.set_recv_buffer_size(octets)?;
    }
    socket.set_zero_linger()?;
    socket.connect(server).await
}

/// Sends a request until a final answer comes, which has to be a success.
async fn exchange(socket: &UdpSocket, request: &str) -> io::Result<String> {
    let mut octets = vec![0; 65_536];
    for _ in 0..TRIES {
        socket.send(request.as_bytes()).await?;
        while let Ok(count) = timeout(ANSWER_TIME, socket.recv(&mut octets)).await {
            let answer = String::from_utf8_lossy(&octets[..count?]).into_owned();
            if answer.starts_with("SIP/2.0 2") {
                return Ok(answer);
            }
            if answer.starts_with("SIP/2.0 ") && !answer.starts_with("SIP/2.0 1") {
                let line = answer.lines().next().unwrap_or_default();
                return Err(io::Error::other(line.to_owned()));
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no answer by SIP"))
}

/// The address of somebody who has not been there before.
#[must_use]
pub fn fresh_identity() -> String {
    format!("sip:{}@localhost", fresh("flood"))
}

/// The path of a session that has not been there before.
#[must_use]
pub fn fresh_path() -> String {
    format!("msrp://127.0.0.1:9/{};tcp", fresh("session"))
}

/// An INVITE to a room, which offers a session with this path.
#[must_use]
pub fn invite(room: &str, identity: &str, path: &str, own: SocketAddr) -> String {
    let body = offer(path);
    request("INVITE", room, identity, own, "application/sdp", &body)
}

/// A request outside of a dialog.
#[must_use]
pub fn request(
    method: &str,
    uri: &str,
    identity: &str,
    own: SocketAddr,
    content_type: &str,
    body: &str,
) -> String {
    let (branch, tag, call) = (fresh("z9hG4bK"), fresh("tag"), fresh("call"));
    let octets = body.len();
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch={branch}\r\nMax-Forwards: 70\r\n\
         From: <{identity}>;tag={tag}\r\nTo: <{uri}>\r\nCall-ID: {call}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:flood@{own}>;+g.oma.sip-im\r\nP-Asserted-Identity: <{identity}>\r\n\
         Accept-Contact: *;+g.oma.sip-im\r\nUser-Agent: IM-client/OMA1.0 msrpflood\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nContent-Type: {content_type}\r\nContent-Length: {octets}\r\n\r\n{body}"
    )
}

/// The offer of a session whose connection we open.
#[must_use]
pub fn offer(path: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n\
         a=accept-types:message/cpim\r\na=accept-wrapped-types:*\r\na=setup:active\r\na=path:{path}\r\n"
    )
}

fn ack(invite: &str, answer: &str, target: &str) -> String {
    let copied = ["From", "Call-ID"].map(|name| field(invite, name).unwrap_or_default());
    let [from, call] = copied;
    let to = field(answer, "To").unwrap_or_default();
    let via = field(invite, "Via").unwrap_or_default();
    let via = via.split(";branch=").next().unwrap_or_default();
    let branch = fresh("z9hG4bK");
    format!(
        "ACK {target} SIP/2.0\r\nVia: {via};branch={branch}\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\n\
         Call-ID: {call}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The value of the first field of this name.
fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let lines = message.lines().take_while(|line| !line.is_empty());
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    fields.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value.trim()))
}

/// How long an answer may take before a request is sent again.
const ANSWER_TIME: Duration = Duration::from_secs(2);
/// How often it is sent.
const TRIES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ack_has_the_dialog_of_the_answer() {
        let own = "127.0.0.1:7".parse().unwrap();
        let invite = request(
            "INVITE",
            "sip:r@localhost",
            "sip:a@localhost",
            own,
            "x/y",
            "",
        );
        let answer = "SIP/2.0 200 OK\r\nto: <sip:r@localhost>;tag=9\r\n\r\nTo: no\r\n";
        let ack = ack(&invite, answer, "sip:target");
        assert_eq!(field(&ack, "To"), Some("<sip:r@localhost>;tag=9"));
        assert_eq!(field(&ack, "Call-ID"), field(&invite, "Call-ID"));
        assert_ne!(field(&ack, "Via"), field(&invite, "Via"));
        assert!(ack.starts_with("ACK sip:target SIP/2.0\r\n"));
    }
}
