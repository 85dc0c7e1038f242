//! An established dialog.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::invite::Calling;
use super::message::SipMessage;
use super::peer::SipPeer;
use super::subscription::Notify;
use super::transaction::{ClientTransaction, ServerTransaction};
use crate::sdp::{Media, Sections};
use crate::transcript::lock;

/// A dialog made by an INVITE, on either side of it.
///
/// # Spec
/// RFC 3261 s.12.
pub struct Dialog {
    peer: SipPeer,
    call_id: String,
    local: String,
    remote: String,
    local_tag: String,
    remote_target: Mutex<String>,
    route_set: Vec<String>,
    cseq: AtomicU32,
    to: SocketAddr,
    contact: String,
    initial: SipMessage,
}

impl Dialog {
    /// The caller's side, from its INVITE and the response that has a tag.
    pub(crate) fn of_caller(invite: &ClientTransaction, response: SipMessage) -> Self {
        let request = invite.request();
        let mut route_set = owned(response.values("Record-Route"));
        route_set.reverse();
        Self {
            peer: invite.peer().clone(),
            call_id: request.call_id().into(),
            local: request.header("From").unwrap_or_default().into(),
            remote: response.header("To").unwrap_or_default().into(),
            local_tag: request.from_tag().unwrap_or_default().into(),
            remote_target: Mutex::new(response.contact_uri().unwrap_or_default().into()),
            route_set,
            cseq: AtomicU32::new(request.cseq().0),
            to: invite.destination(),
            contact: request.header("Contact").unwrap_or_default().into(),
            initial: response,
        }
    }

    /// The invitee's side, from the INVITE and its own 2xx.
    pub(crate) fn of_invitee(invite: &ServerTransaction, response: &SipMessage) -> Self {
        let request = invite.request();
        Self {
            peer: invite.peer().clone(),
            call_id: request.call_id().into(),
            local: response.header("To").unwrap_or_default().into(),
            remote: request.header("From").unwrap_or_default().into(),
            local_tag: invite.tag().into(),
            remote_target: Mutex::new(request.contact_uri().unwrap_or_default().into()),
            route_set: owned(request.values("Record-Route")),
            cseq: AtomicU32::new(0),
            to: invite.peer().next_hop().unwrap_or_else(|| invite.source()),
            contact: response.header("Contact").unwrap_or_default().into(),
            initial: request.clone(),
        }
    }

    /// The peer.
    pub fn peer(&self) -> &SipPeer {
        &self.peer
    }

    /// What the other side sent to make the dialog: the 2xx for the caller, the INVITE for the invitee.
    pub fn initial(&self) -> &SipMessage {
        &self.initial
    }

    /// The other side's media in [`Self::initial`].
    pub fn remote_media(&self) -> Media {
        self.initial.media()
    }

    /// The Contact URI of the other side, which is the session identity when the other side is a focus.
    pub fn remote_target(&self) -> String {
        lock(&self.remote_target).clone()
    }

    /// The Call-ID.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The tag of this side.
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// A request inside the dialog with the next CSeq.
    pub fn request(&self, method: &str) -> SipMessage {
        let cseq = self.cseq.fetch_add(1, Ordering::Relaxed) + 1;
        self.request_with(method, cseq)
    }

    /// Sends a request made by [`Self::request`].
    pub async fn send(&self, request: SipMessage) -> ClientTransaction {
        self.peer.send_to(request, self.to).await
    }

    /// Sends a request made by [`Self::request`] and waits for its final response; a 2xx to INVITE is acknowledged.
    pub async fn exchange(&self, request: SipMessage) -> SipMessage {
        let is_invite = request.method() == "INVITE";
        let transaction = self.send(request).await;
        let response = transaction.expect_final().await;
        if is_invite && response.status() < 300 {
            if let Some(target) = response.contact_uri() {
                target.clone_into(&mut lock(&self.remote_target));
            }
            self.acknowledge(transaction.request().cseq().0).await;
        }
        response
    }

    /// Sends BYE and waits for 200.
    pub async fn bye(&self) -> SipMessage {
        let bye = self.request("BYE");
        self.send(bye).await.expect_status(200).await
    }

    /// Sends a re-INVITE with an offer, waits for its 2xx and acknowledges it.
    pub async fn reinvite(&self, media: &Media) -> SipMessage {
        let request = self
            .request("INVITE")
            .with("Supported", "timer")
            .with_media(media);
        let response = self.exchange(request).await;
        assert!(
            response.status() < 300,
            "status of the re-INVITE\n{}",
            self.peer.transcript()
        );
        response
    }

    /// Sends a re-INVITE as it is, to be followed step by step.
    pub async fn start_reinvite(&self, request: SipMessage) -> Calling {
        Calling::new(self.send(request).await)
    }

    /// Acknowledges a 2xx to the INVITE with this CSeq number.
    pub async fn acknowledge(&self, cseq: u32) {
        self.peer
            .acknowledge(self.request_with("ACK", cseq).without("Contact"), self.to)
            .await;
    }

    /// Acknowledges a 2xx that has an offer, with this answer.
    pub async fn acknowledge_with(&self, cseq: u32, answer: &Media) {
        let ack = self.request_with("ACK", cseq).without("Contact");
        self.peer.acknowledge(ack.with_media(answer), self.to).await;
    }

    /// Waits for a request of this method inside the dialog.
    pub async fn expect_request(&self, method: &str) -> ServerTransaction {
        let what = format!("{method} in dialog {}", self.call_id);
        let ours = |request: &SipMessage| request.method() == method && self.owns(request);
        self.peer.expect_request_where(&what, ours).await
    }

    /// Waits for a NOTIFY of this event package inside the dialog and answers 200.
    ///
    /// # Panics
    /// When it lacks what every NOTIFY has.
    pub async fn expect_notify(&self, package: &str) -> Notify {
        let what = format!("NOTIFY of {package} in dialog {}", self.call_id);
        let ours = |request: &SipMessage| {
            let event = request.header("Event").unwrap_or_default();
            request.method() == "NOTIFY"
                && self.owns(request)
                && event.split(';').next() == Some(package)
        };
        let notify = self.peer.expect_request_where(&what, ours).await;
        notify.respond(200, "OK").await;
        Notify::new(notify.request().clone())
    }

    /// Waits for BYE and answers 200.
    pub async fn expect_bye(&self) -> SipMessage {
        let bye = self.expect_request("BYE").await;
        bye.respond(200, "OK").await;
        bye.request().clone()
    }

    /// Waits for a re-INVITE, answers 200 with this media and waits for ACK.
    pub async fn expect_reinvite(&self, media: &Media) -> SipMessage {
        let invite = self.expect_request("INVITE").await;
        let response = invite
            .response(200, "OK")
            .with("Contact", &self.contact)
            .with_media(media);
        invite.send(&response).await;
        self.expect_request("ACK").await;
        invite.request().clone()
    }

    /// Answers a re-INVITE that arrived with 200 and these sections, and waits for ACK.
    pub async fn accept_reinvite(&self, invite: &ServerTransaction, sections: &Sections) {
        let response = invite
            .response(200, "OK")
            .with("Contact", &self.contact)
            .with_sections(sections);
        invite.send(&response).await;
        self.expect_request("ACK").await;
    }

    fn owns(&self, request: &SipMessage) -> bool {
        request.call_id() == self.call_id && request.to_tag() == Some(&self.local_tag)
    }

    fn request_with(&self, method: &str, cseq: u32) -> SipMessage {
        let mut request = SipMessage::request(method, &lock(&self.remote_target));
        for route in &self.route_set {
            request = request.with("Route", route);
        }
        request
            .with("From", &self.local)
            .with("To", &self.remote)
            .with("Call-ID", &self.call_id)
            .with("CSeq", format!("{cseq} {method}"))
            .with("Contact", &self.contact)
    }
}

fn owned(values: Vec<&str>) -> Vec<String> {
    values.into_iter().map(Into::into).collect()
}
