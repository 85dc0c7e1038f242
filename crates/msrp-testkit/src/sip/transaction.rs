//! Client and server transactions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::message::SipMessage;
use super::peer::{Shared, SipPeer};
use super::transport;
use crate::ident::fresh;

/// RFC 3261 s.17.1.1.1: estimate of the round trip.
pub(crate) const T1: Duration = Duration::from_millis(500);
/// RFC 3261 s.17.1.2.2: longest interval between retransmissions of a request other than INVITE.
const T2: Duration = Duration::from_secs(4);
/// RFC 3261: the transaction fails after 64 times T1, which is longer than every wait here.
const RETRANSMISSIONS_MAX: u32 = 10;

/// A request that was sent.
pub struct ClientTransaction {
    peer: SipPeer,
    request: SipMessage,
    to: SocketAddr,
}

impl ClientTransaction {
    pub(crate) fn new(peer: SipPeer, request: SipMessage, to: SocketAddr) -> Self {
        Self { peer, request, to }
    }

    /// The request with everything that was added to it.
    pub fn request(&self) -> &SipMessage {
        &self.request
    }

    /// The peer that sent it.
    pub fn peer(&self) -> &SipPeer {
        &self.peer
    }

    /// Where it was sent.
    pub fn destination(&self) -> SocketAddr {
        self.to
    }

    /// Waits for a provisional response with this status.
    pub async fn expect_provisional(&self, status: u16) -> SipMessage {
        self.take(&format!("{status}"), |response| response.status() == status)
            .await
    }

    /// Waits for the final response.
    pub async fn expect_final(&self) -> SipMessage {
        self.take("a final response", |response| response.status() >= 200)
            .await
    }

    /// Waits for the final response and checks its status.
    pub async fn expect_status(&self, status: u16) -> SipMessage {
        let response = self.expect_final().await;
        let method = self.request.method();
        assert_eq!(
            response.status(),
            status,
            "final response to {method}\n{}",
            self.peer.transcript()
        );
        response
    }

    async fn take(&self, what: &str, select: impl Fn(&SipMessage) -> bool) -> SipMessage {
        let what = format!(
            "{what} to {} {}",
            self.request.method(),
            self.request.request_uri()
        );
        let key = |message: &SipMessage| (message.branch().to_owned(), message.method().to_owned());
        let ours = |response: &SipMessage| key(response) == key(&self.request) && select(response);
        let taken = self
            .peer
            .transcript()
            .within(&what, self.peer.shared.responses.take(ours))
            .await;
        let response = self.peer.unwrap(&what, taken);
        for name in ["Call-ID", "CSeq", "From"] {
            let (sent, seen) = (self.request.header(name), response.header(name));
            assert_eq!(
                seen,
                sent,
                "{name} of the response\n{}",
                self.peer.transcript()
            );
        }
        response
    }
}

/// A request that arrived. All its responses carry one tag.
pub struct ServerTransaction {
    peer: SipPeer,
    request: SipMessage,
    from: SocketAddr,
    tag: String,
}

impl ServerTransaction {
    pub(crate) fn new(peer: SipPeer, request: SipMessage, from: SocketAddr) -> Self {
        Self {
            peer,
            request,
            from,
            tag: fresh("t"),
        }
    }

    /// The request.
    pub fn request(&self) -> &SipMessage {
        &self.request
    }

    /// The peer that received it.
    pub fn peer(&self) -> &SipPeer {
        &self.peer
    }

    /// Where it came from.
    pub fn source(&self) -> SocketAddr {
        self.from
    }

    /// The tag of the responses.
    pub fn tag(&self) -> &str {
        self.request.to_tag().unwrap_or(&self.tag)
    }

    /// A response with the header fields that belong to the transaction.
    pub fn response(&self, status: u16, reason: &str) -> SipMessage {
        response_to(&self.request, status, reason, &self.tag)
    }

    /// Sends a response made by [`Self::response`].
    pub async fn send(&self, response: &SipMessage) {
        self.peer.respond(&self.request, response, self.from).await;
    }

    /// Sends a response without more header fields.
    pub async fn respond(&self, status: u16, reason: &str) {
        self.send(&self.response(status, reason)).await;
    }
}

/// Via, From, To, Call-ID and CSeq as RFC 3261 s.8.2.6.2 says; Record-Route as s.12.1.1 says.
pub(crate) fn response_to(
    request: &SipMessage,
    status: u16,
    reason: &str,
    tag: &str,
) -> SipMessage {
    let mut response = SipMessage::response(status, reason);
    let copied = ["Via", "From", "To", "Call-ID", "CSeq", "Record-Route"];
    for (name, value) in &request.headers {
        let adds_tag =
            name.eq_ignore_ascii_case("To") && request.to_tag().is_none() && status > 100;
        if copied
            .iter()
            .any(|copied| copied.eq_ignore_ascii_case(name))
        {
            let value = if adds_tag {
                format!("{value};tag={tag}")
            } else {
                value.clone()
            };
            response = response.with(name, value);
        }
    }
    response
}

/// The ACK of the transaction itself.
///
/// # Spec
/// RFC 3261 s.17.1.1.3.
pub(crate) fn ack_to_failure(request: &SipMessage, response: &SipMessage) -> SipMessage {
    hop_by_hop(request, "ACK").with("To", response.header("To").unwrap_or_default())
}

/// The CANCEL of a request.
///
/// # Spec
/// RFC 3261 s.9.1.
pub(crate) fn cancel(request: &SipMessage) -> SipMessage {
    hop_by_hop(request, "CANCEL").with("To", request.header("To").unwrap_or_default())
}

fn hop_by_hop(request: &SipMessage, method: &str) -> SipMessage {
    let mut message = SipMessage::request(method, request.request_uri()).with(
        "Via",
        request.values("Via").first().copied().unwrap_or_default(),
    );
    for (name, value) in &request.headers {
        if ["Max-Forwards", "From", "Call-ID", "Route"]
            .iter()
            .any(|copied| copied.eq_ignore_ascii_case(name))
        {
            message = message.with(name, value);
        }
    }
    message.with("CSeq", format!("{} {method}", request.cseq().0))
}

/// Timers A and E: repeats a request over UDP until it is answered.
pub(crate) async fn retransmit(
    shared: Arc<Shared>,
    request: SipMessage,
    to: SocketAddr,
    mut answered: watch::Receiver<bool>,
) {
    let octets = request.to_octets();
    let longest = if request.method() == "INVITE" {
        Duration::MAX
    } else {
        T2
    };
    let mut interval = T1;
    for _ in 0..RETRANSMISSIONS_MAX {
        if tokio::time::timeout(interval, answered.wait_for(|answered| *answered))
            .await
            .is_ok()
        {
            return;
        }
        if transport::send(&shared, to, &octets).await.is_err() {
            return;
        }
        interval = interval.saturating_mul(2).min(longest);
    }
}
