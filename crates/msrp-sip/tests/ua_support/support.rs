//! What the engine tests share: engines on loopback, events with a bound, raw peers.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code"
)]
#![allow(dead_code, reason = "each test file uses a part")]

use std::net::SocketAddr;
use std::time::Duration;

use msrp_sip::ua::{
    Answer, Body, DialogId, Headers, Method, OutRequest, Peer, Request, Response, SipUa, Transport,
    TxnId, UaEvent,
};
use msrp_sip::ua_rsipstack::{Ua, UaConfig, UaLimits, start};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Longer than anything in these tests takes.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

pub(crate) fn config(transports: &[Transport]) -> UaConfig {
    UaConfig {
        bind: transports
            .iter()
            .map(|t| (*t, "127.0.0.1:0".parse().unwrap()))
            .collect(),
        outbound_proxy: None,
        user_agent: "test-ua/1".to_owned(),
        domain: "test.invalid".to_owned(),
        name_servers: Vec::new(),
        tls: Default::default(),
        trusted_peers: Vec::new(),
        limits: UaLimits::default(),
    }
}

/// T1 of 10 ms: a transaction gives up after 640 ms.
pub(crate) fn hasty(mut config: UaConfig) -> UaConfig {
    config.limits.t1 = Duration::from_millis(10);
    config
}

pub(crate) async fn ua(transport: Transport) -> Ua {
    start(config(&[transport])).await.unwrap()
}

pub(crate) async fn both() -> Ua {
    start(config(&[Transport::Udp, Transport::Tcp]))
        .await
        .unwrap()
}

pub(crate) fn address(ua: &Ua) -> SocketAddr {
    ua.addresses[0].1
}

pub(crate) fn uri(ua: &Ua, user: &str) -> String {
    let (transport, address) = ua.addresses[0];
    format!("sip:{user}@{address};transport={transport}")
}

pub(crate) async fn event(ua: &mut Ua) -> UaEvent {
    timeout(BOUND, ua.events.recv())
        .await
        .expect("an event in time")
        .expect("a running engine")
}

pub(crate) async fn invited(ua: &mut Ua) -> (TxnId, DialogId, Request, Peer) {
    match event(ua).await {
        UaEvent::Invite {
            transaction,
            dialog,
            request,
            peer,
        } => (transaction, dialog, request, peer),
        other => panic!("not an INVITE: {other:?}"),
    }
}

pub(crate) async fn requested(ua: &mut Ua) -> (TxnId, Option<DialogId>, Request) {
    match event(ua).await {
        UaEvent::Request {
            transaction,
            dialog,
            request,
            ..
        } => (transaction, dialog, request),
        other => panic!("not a request: {other:?}"),
    }
}

pub(crate) async fn invite_response(ua: &mut Ua, wanted: DialogId) -> Response {
    match event(ua).await {
        UaEvent::InviteResponse { dialog, response } => {
            assert_eq!(dialog, wanted);
            response
        }
        other => panic!("not a response to an INVITE: {other:?}"),
    }
}

/// The next response to an INVITE that is not 100.
pub(crate) async fn ringing_or_final(ua: &mut Ua, wanted: DialogId) -> Response {
    loop {
        let response = invite_response(ua, wanted).await;
        if response.status != 100 {
            return response;
        }
    }
}

pub(crate) async fn response(ua: &mut Ua, wanted: TxnId) -> Response {
    match event(ua).await {
        UaEvent::Response {
            transaction,
            response,
        } => {
            assert_eq!(transaction, wanted);
            response
        }
        other => panic!("not a response: {other:?}"),
    }
}

pub(crate) fn answer(status: u16) -> Answer {
    Answer {
        status,
        reason: None,
        headers: Headers::new(),
        body: None,
    }
}

pub(crate) fn out(method: Method, uri: &str) -> OutRequest {
    OutRequest {
        method,
        uri: uri.to_owned(),
        from: "\"A\" <sip:a@test.invalid>".to_owned(),
        to: format!("<{uri}>"),
        contact: None,
        headers: Headers::new(),
        body: None,
    }
}

pub(crate) fn text(content: &str) -> Body {
    Body {
        content_type: "text/plain".to_owned(),
        octets: content.as_bytes().to_vec(),
    }
}

/// A call from `a` to `b`, answered and acknowledged.
pub(crate) async fn call(a: &mut Ua, b: &mut Ua) -> (DialogId, DialogId) {
    let target = uri(b, "b");
    let ours = a.handle.invite(out(Method::Invite, &target));
    let (transaction, theirs, ..) = invited(b).await;
    b.handle.answer(transaction, answer(200));
    assert_eq!(ringing_or_final(a, ours).await.status, 200);
    assert_eq!(event(b).await, UaEvent::Established { dialog: theirs });
    (ours, theirs)
}

/// A peer that writes and reads octets.
pub(crate) enum Raw {
    Udp(UdpSocket, SocketAddr),
    Tcp(TcpStream, Vec<u8>),
}

impl Raw {
    pub(crate) async fn new(ua: &Ua) -> Self {
        let (transport, address) = ua.addresses[0];
        match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                Self::Udp(socket, address)
            }
            Transport::Tcp | Transport::Tls => {
                Self::Tcp(TcpStream::connect(address).await.unwrap(), Vec::new())
            }
        }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        match self {
            Self::Udp(socket, _) => socket.local_addr().unwrap(),
            Self::Tcp(stream, _) => stream.local_addr().unwrap(),
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        match self {
            Self::Udp(socket, to) => {
                socket.send_to(text.as_bytes(), *to).await.unwrap();
            }
            Self::Tcp(stream, _) => stream.write_all(text.as_bytes()).await.unwrap(),
        }
    }

    /// The next message: start line and fields, and the body.
    pub(crate) async fn receive(&mut self) -> (String, Vec<u8>) {
        timeout(BOUND, self.read())
            .await
            .expect("a message in time")
    }

    async fn read(&mut self) -> (String, Vec<u8>) {
        match self {
            Self::Udp(socket, _) => {
                let mut buffer = vec![0; 65_535];
                let (octets, _) = socket.recv_from(&mut buffer).await.unwrap();
                buffer.truncate(octets);
                let (head, _) = cut(&mut buffer).expect("a whole message");
                (head, buffer)
            }
            Self::Tcp(stream, buffer) => loop {
                if let Some((head, octets)) = cut(buffer) {
                    while buffer.len() < octets {
                        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "ended in a body");
                    }
                    return (head, buffer.drain(..octets).collect());
                }
                assert_ne!(
                    stream.read_buf(buffer).await.unwrap(),
                    0,
                    "the engine closed"
                );
            },
        }
    }

    /// The next message that is not 100 Trying.
    pub(crate) async fn receive_final(&mut self) -> String {
        loop {
            let (head, _) = self.receive().await;
            if !head.starts_with("SIP/2.0 100") {
                return head;
            }
        }
    }

    /// Whether the engine closes the connection.
    pub(crate) async fn is_closed(&mut self) -> bool {
        match self {
            Self::Udp(..) => false,
            Self::Tcp(stream, buffer) => timeout(BOUND, async {
                loop {
                    match stream.read_buf(buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(_) => {}
                    }
                }
            })
            .await
            .is_ok(),
        }
    }

    pub(crate) fn transport(&self) -> &'static str {
        match self {
            Self::Udp(..) => "UDP",
            Self::Tcp(..) => "TCP",
        }
    }

    /// A request with the usual fields; `more` are lines with their ends.
    pub(crate) fn request(
        &self,
        method: &str,
        branch: &str,
        to_tag: &str,
        more: &str,
        body: &str,
    ) -> String {
        let cseq = 1;
        self.numbered(method, cseq, branch, to_tag, more, body)
    }

    pub(crate) fn numbered(
        &self,
        method: &str,
        cseq: u32,
        branch: &str,
        to_tag: &str,
        more: &str,
        body: &str,
    ) -> String {
        let (local, transport) = (self.local(), self.transport());
        let tag = if to_tag.is_empty() {
            String::new()
        } else {
            format!(";tag={to_tag}")
        };
        format!(
            "{method} sip:b@test.invalid SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};branch=z9hG4bK{branch}\r\n\
             From: <sip:raw@test.invalid>;tag=raw\r\n\
             To: <sip:b@test.invalid>{tag}\r\n\
             Call-ID: raw-call\r\n\
             CSeq: {cseq} {method}\r\n\
             Max-Forwards: 70\r\n\
             Contact: <sip:raw@{local};transport={}>\r\n\
             {more}Content-Length: {}\r\n\r\n{body}",
            transport.to_lowercase(),
            body.len()
        )
    }

    /// An answer to a request that was received.
    pub(crate) fn reply(request: &str, status: &str, to_tag: &str, more: &str) -> String {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for line in request.lines().skip(1) {
            let name = line.split(':').next().unwrap();
            let is_tagged_to = name == "To" && line.contains(";tag=");
            let is_copied = ["Via", "From", "Call-ID", "CSeq", "Record-Route"].contains(&name);
            if is_copied || is_tagged_to {
                text.push_str(line);
                text.push_str("\r\n");
            } else if name == "To" {
                text.push_str(&format!("{line};tag={to_tag}\r\n"));
            }
        }
        text.push_str(more);
        text.push_str("Content-Length: 0\r\n\r\n");
        text
    }
}

fn cut(buffer: &mut Vec<u8>) -> Option<(String, usize)> {
    let end = buffer.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head: Vec<u8> = buffer.drain(..end + 4).collect();
    let head = String::from_utf8(head).unwrap();
    let octets = field(&head, "Content-Length").parse().unwrap();
    Some((head, octets))
}

/// The value of the first field of this name.
pub(crate) fn field(head: &str, name: &str) -> String {
    head.lines()
        .skip(1)
        .find_map(|line| line.strip_prefix(&format!("{name}: ")))
        .unwrap_or_else(|| panic!("no {name} in {head}"))
        .to_owned()
}

/// The tag in the To field.
pub(crate) fn to_tag(head: &str) -> String {
    let to = field(head, "To");
    to.rsplit_once(";tag=").expect("a tag").1.to_owned()
}
