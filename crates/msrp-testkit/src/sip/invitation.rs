//! An INVITE that arrived.

use super::dialog::Dialog;
use super::message::SipMessage;
use super::transaction::{ServerTransaction, T1};
use crate::sdp::{Media, Sections};

/// An initial INVITE that waits for its answer.
pub struct Invitation {
    transaction: ServerTransaction,
}

impl Invitation {
    pub(crate) fn new(transaction: ServerTransaction) -> Self {
        Self { transaction }
    }

    /// The INVITE.
    pub fn request(&self) -> &SipMessage {
        self.transaction.request()
    }

    /// The Request-URI: who is invited.
    pub fn uri(&self) -> &str {
        self.request().request_uri()
    }

    /// The offer.
    pub fn media(&self) -> Media {
        self.request().media()
    }

    /// Sends 180.
    pub async fn ring(&self) {
        self.transaction.send(&self.response(180, "Ringing")).await;
    }

    /// A response with Contact and the header fields that belong to the transaction.
    pub fn response(&self, status: u16, reason: &str) -> SipMessage {
        let user = self.uri().split([':', '@']).nth(1).unwrap_or("client");
        let contact = format!("{};+g.oma.sip-im", self.transaction.peer().contact(user));
        self.transaction
            .response(status, reason)
            .with("Contact", contact)
            .with("Server", "IM-client/OMA1.0 msrp-testkit")
            .with(
                "Allow",
                "INVITE, ACK, BYE, CANCEL, REFER, SUBSCRIBE, NOTIFY, MESSAGE, OPTIONS, UPDATE",
            )
    }

    /// Sends a response made by [`Self::response`].
    pub async fn send(&self, response: &SipMessage) {
        self.transaction.send(response).await;
    }

    /// Accepts with this answer and waits for ACK.
    pub async fn accept(&self, media: &Media) -> Dialog {
        self.accept_with(&self.acceptance().with_media(media)).await
    }

    /// Accepts with an answer of several sections and waits for ACK.
    pub async fn accept_sections(&self, sections: &Sections) -> Dialog {
        self.accept_with(&self.acceptance().with_sections(sections))
            .await
    }

    fn acceptance(&self) -> SipMessage {
        let mut response = self.response(200, "OK");
        if let Some(expires) = self.request().header("Session-Expires") {
            let seconds = expires.split(';').next().unwrap_or_default();
            let refresher = super::parameter(expires, "refresher").unwrap_or("uas");
            response = response.with("Require", "timer").with(
                "Session-Expires",
                format!("{seconds};refresher={refresher}"),
            );
        }
        response
    }

    /// Accepts with a 2xx made by [`Self::response`] and waits for ACK.
    pub async fn accept_with(&self, response: &SipMessage) -> Dialog {
        self.send(response).await;
        self.expect_ack(response).await;
        Dialog::of_invitee(&self.transaction, response)
    }

    /// Refuses and waits for ACK.
    pub async fn reject(&self, status: u16, reason: &str) {
        let response = self.transaction.response(status, reason);
        self.send(&response).await;
        self.expect_ack(&response).await;
    }

    /// Waits for CANCEL, answers 200 to it and 487 to the INVITE, and waits for ACK.
    pub async fn expect_cancel(&self) {
        self.expect_cancel_request().await.respond(200, "OK").await;
        self.reject(487, "Request Terminated").await;
    }

    /// Waits for CANCEL and answers nothing.
    pub async fn expect_cancel_request(&self) -> ServerTransaction {
        let ours = |request: &SipMessage| {
            request.method() == "CANCEL" && request.branch() == self.request().branch()
        };
        self.transaction
            .peer()
            .expect_request_where("CANCEL", ours)
            .await
    }

    /// Repeats the final response over UDP as the transaction would, until ACK is there.
    async fn expect_ack(&self, response: &SipMessage) {
        let (call_id, cseq) = (self.request().call_id(), self.request().cseq().0);
        let ours = |request: &SipMessage| {
            request.method() == "ACK" && request.call_id() == call_id && request.cseq().0 == cseq
        };
        let peer = self.transaction.peer();
        let ack = peer.expect_request_where("ACK", ours);
        tokio::pin!(ack);
        let mut interval = T1;
        while tokio::time::timeout(interval, &mut ack).await.is_err() {
            if peer.is_udp() {
                self.send(response).await;
            }
            interval *= 2;
        }
    }
}
