//! UDP: one socket for each address, read by a task of its own, written by whoever has something
//! to say. Writing never waits: a datagram without room is lost, and retransmission makes up.
//!
//! An answer that the system refuses is lost in the same way: the peer asks again, and what was answered stays answered
//! (RFC 6026 s.7.1). A request that is refused has failed, so that the next hop is tried at once.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rsipstack::platform::net::UdpSocket as StackSocket;
use rsipstack::transport::SipConnection;
use rsipstack::transport::udp::{UdpConnection, UdpInner};
use tokio::net::UdpSocket;

use super::head::{ContentLength, Head};
use super::limits::{BODY_OCTETS_MAX, DATAGRAM_OCTETS_MAX, HEAD_OCTETS_MAX};
use super::net::{Arrival, Ingress, Shared, sip_addr};
use super::screen::{Fault, Screened};
use crate::ua::Transport;

/// A UDP port of ours.
pub(super) struct UdpPort {
    /// The stack's handle.
    pub(super) connection: SipConnection,
    /// The address that peers see.
    pub(super) advertised: SocketAddr,
    socket: Arc<Socket>,
}

impl UdpPort {
    /// Takes a bound socket.
    pub(super) async fn new(socket: UdpSocket, advertised: SocketAddr) -> io::Result<Self> {
        // Until the first wait the runtime does not know that there is room, and would lose the
        // first datagrams.
        socket.writable().await?;
        let socket = Arc::new(Socket {
            inner: socket,
            failed: AtomicBool::new(false),
        });
        let inner = UdpInner {
            conn: socket.clone(),
            addr: sip_addr(Transport::Udp, advertised),
        };
        let connection = UdpConnection::attach(inner, None, None).await;
        Ok(Self {
            connection: SipConnection::Udp(connection),
            advertised,
            socket,
        })
    }

    /// Sends octets past the stack.
    pub(super) fn send(&self, octets: &[u8], to: SocketAddr) {
        if let Err(error) = self.socket.try_send(octets, to) {
            tracing::debug!(%error, %to, "datagram not sent");
        }
    }

    /// Whether the stack's last datagram was refused by the operating system.
    pub(super) fn has_failed(&self) -> bool {
        self.socket.failed.load(Ordering::Relaxed)
    }
}

/// The socket as the stack writes to it.
struct Socket {
    inner: UdpSocket,
    failed: AtomicBool,
}

impl Socket {
    fn try_send(&self, octets: &[u8], to: SocketAddr) -> io::Result<()> {
        match self.inner.try_send_to(octets, to) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

type Boxed<'f, T> = Pin<Box<dyn Future<Output = Result<T, rsipstack::Error>> + Send + 'f>>;

impl StackSocket for Socket {
    fn recv_from<'a, 'b, 'f>(&'a self, buffer: &'b mut [u8]) -> Boxed<'f, (usize, SocketAddr)>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        Box::pin(async move { Ok(self.inner.recv_from(buffer).await?) })
    }

    fn send_to<'a, 'b, 'f>(&'a self, octets: &'b [u8], to: SocketAddr) -> Boxed<'f, usize>
    where
        'a: 'f,
        'b: 'f,
        Self: 'f,
    {
        let sent = match self.try_send(octets, to) {
            Err(error) if is_answer(octets) => {
                tracing::debug!(%error, %to, "answer not sent");
                Ok(())
            }
            sent => sent,
        };
        self.failed.store(sent.is_err(), Ordering::Relaxed);
        let octets = octets.len();
        Box::pin(async move {
            sent?;
            Ok(octets)
        })
    }

    fn local_addr(&self) -> Result<SocketAddr, rsipstack::Error> {
        Ok(self.inner.local_addr()?)
    }
}

fn is_answer(octets: &[u8]) -> bool {
    octets.starts_with(b"SIP/2.0 ")
}

/// Reads datagrams until the engine is gone.
pub(super) async fn serve(port: Arc<UdpPort>, shared: Shared) {
    let mut buffer = vec![0; DATAGRAM_OCTETS_MAX];
    while !shared.ingress.is_closed() {
        match port.socket.inner.recv_from(&mut buffer).await {
            Ok((octets, source)) => {
                let datagram = buffer.get(..octets).unwrap_or_default();
                take(&port, &shared, datagram, source);
            }
            Err(error) => {
                // Some errors are left over from a datagram that could not be delivered; the pause
                // keeps lasting ones from taking the core.
                tracing::debug!(%error, "no datagram");
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
}

fn take(port: &Arc<UdpPort>, shared: &Shared, datagram: &[u8], source: SocketAddr) {
    if datagram.iter().all(|b| b"\r\n\0 \t".contains(b)) {
        if datagram == b"\r\n\r\n" {
            port.send(b"\r\n", source);
        }
        return;
    }
    let (head, body, found) = cut(datagram);
    match shared.screen.judge(&head, body, source, found) {
        Screened::Pass(message) => {
            let arrival = Arrival::Udp(port.clone(), source);
            let message = Ingress::Message(message, arrival);
            if shared.ingress.try_send(message).is_err() {
                tracing::debug!(%source, "datagram lost: too many messages wait");
            }
        }
        Screened::Refuse(octets, reply_to) => port.send(&octets, reply_to),
        Screened::Drop(why) => tracing::debug!(%source, why, "datagram dropped"),
    }
}

/// Cuts a datagram; without Content-Length the body is all the rest (RFC 3261 s.18.3).
fn cut(datagram: &[u8]) -> (Head, &[u8], Option<Fault>) {
    let start = datagram
        .iter()
        .position(|b| !b"\r\n".contains(b))
        .unwrap_or(0);
    let datagram = datagram.get(start..).unwrap_or_default();
    let (head, rest, mut found) = match memchr::memmem::find(datagram, b"\r\n\r\n") {
        Some(end) => (
            datagram.get(..end).unwrap_or_default(),
            datagram.get(end + 4..).unwrap_or_default(),
            None,
        ),
        None => (
            datagram,
            Default::default(),
            Some(Fault::bad("Header Section Has No End")),
        ),
    };
    if head.len() > HEAD_OCTETS_MAX {
        found = Some(Fault {
            status: 513,
            reason: "Message Too Large",
        });
    }
    let head = Head::read(head);
    let body = match head.content_length() {
        ContentLength::Absent => rest,
        ContentLength::Octets(octets) => rest.get(..octets).unwrap_or_else(|| {
            found.get_or_insert(Fault::bad("Body Is Shorter Than Content-Length"));
            rest
        }),
        ContentLength::Unreadable => {
            found.get_or_insert(Fault::bad("Bad Content-Length"));
            rest
        }
    };
    (head, body, found)
}

/// A datagram cannot carry a longer body than we take.
const _: () = assert!(DATAGRAM_OCTETS_MAX <= BODY_OCTETS_MAX);

const ERROR_PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answer_that_the_system_refuses_is_lost_and_a_request_has_failed() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.writable().await.unwrap();
        let socket = Socket {
            inner: socket,
            failed: AtomicBool::new(false),
        };
        // Nothing can be sent to port 0.
        let nowhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let answered = socket.send_to(b"SIP/2.0 200 OK\r\n\r\n", nowhere).await;
        assert_eq!(answered.unwrap(), 18);
        assert!(!socket.failed.load(Ordering::Relaxed));
        let request = b"BYE sip:alice@127.0.0.1 SIP/2.0\r\n\r\n";
        assert!(socket.send_to(request, nowhere).await.is_err());
        assert!(socket.failed.load(Ordering::Relaxed));
    }
}
