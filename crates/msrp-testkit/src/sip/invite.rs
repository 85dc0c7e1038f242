//! An INVITE to be sent, and the call it starts.

use super::dialog::Dialog;
use super::message::SipMessage;
use super::multipart::{Part, compose_multipart};
use super::peer::SipPeer;
use super::resource_list::resource_list;
use super::transaction::{ClientTransaction, cancel};
use crate::ident::fresh;
use crate::sdp::{Media, Sections};

/// An initial INVITE as an IM client sends it: service tag, version, Allow, session timer.
///
/// # Spec
/// CLI-7.1.1.1-01 to CLI-7.1.1.1-07 of the requirement matrix; RFC 5366 s.5 for the list.
#[derive(Clone, Debug)]
pub struct Invite {
    to: String,
    identity: String,
    from: Option<String>,
    asserted: Option<String>,
    offer: Option<String>,
    list: Vec<String>,
    body: Option<(String, Vec<u8>)>,
    added: Vec<(String, String)>,
    removed: Vec<String>,
}

impl Invite {
    /// An INVITE to a URI from an identity, which From and P-Asserted-Identity carry.
    pub fn new(to: &str, identity: &str) -> Self {
        Self {
            to: to.into(),
            identity: identity.into(),
            from: None,
            asserted: Some(format!("<{identity}>")),
            offer: None,
            list: Vec::new(),
            body: None,
            added: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// Sets the offer.
    #[must_use]
    pub fn media(mut self, media: &Media) -> Self {
        self.offer = Some(media.to_string());
        self
    }

    /// Sets an offer with several sections.
    #[must_use]
    pub fn sections(mut self, sections: &Sections) -> Self {
        self.offer = Some(sections.to_string());
        self
    }

    /// Adds a list of invitees next to the offer.
    #[must_use]
    pub fn list(mut self, uris: &[&str]) -> Self {
        self.list = uris.iter().map(|uri| (*uri).into()).collect();
        self
    }

    /// Replaces the body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some((content_type.into(), body.into()));
        self
    }

    /// Replaces the value of From without its tag, such as `"A" <sip:anonymous@anonymous.invalid>`.
    #[must_use]
    pub fn from(mut self, value: &str) -> Self {
        self.from = Some(value.into());
        self
    }

    /// Replaces the value of P-Asserted-Identity.
    #[must_use]
    pub fn asserted(mut self, value: &str) -> Self {
        self.asserted = Some(value.into());
        self
    }

    /// Asks for anonymity: Privacy: id and an anonymous From under this name.
    #[must_use]
    pub fn anonymous(self, name: &str) -> Self {
        self.from(&format!("\"{name}\" <sip:anonymous@anonymous.invalid>"))
            .header("Privacy", "id")
    }

    /// Adds a header field; replaces the standard one of that name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.removed.push(name.into());
        self.added.push((name.into(), value.into()));
        self
    }

    /// Leaves a standard header field out, such as P-Asserted-Identity.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.removed.push(name.into());
        self
    }

    pub(crate) fn to_request(&self, peer: &SipPeer) -> SipMessage {
        let user = self.identity.split([':', '@']).nth(1).unwrap_or("client");
        let from = self
            .from
            .clone()
            .unwrap_or_else(|| format!("<{}>", self.identity));
        let mut request = SipMessage::request("INVITE", &self.to)
            .with("From", format!("{from};tag={}", fresh("f")))
            .with("Contact", format!("{};+g.oma.sip-im", peer.contact(user)))
            .with("Accept-Contact", "*;+g.oma.sip-im")
            .with("User-Agent", "IM-client/OMA1.0 msrp-testkit")
            .with(
                "Allow",
                "INVITE, ACK, BYE, CANCEL, REFER, SUBSCRIBE, NOTIFY, MESSAGE, OPTIONS, UPDATE",
            )
            .with("Supported", "timer")
            .with("Session-Expires", "1800;refresher=uac");
        if let Some(asserted) = &self.asserted {
            request = request.with("P-Asserted-Identity", asserted);
        }
        if !self.list.is_empty() {
            request = request.with("Require", "recipient-list-invite");
        }
        for name in &self.removed {
            request = request.without(name);
        }
        request.headers.extend(self.added.iter().cloned());
        self.with_body(request)
    }

    fn with_body(&self, request: SipMessage) -> SipMessage {
        if let Some((content_type, body)) = &self.body {
            return request.with_body(content_type, body.clone());
        }
        if self.list.is_empty() {
            return match &self.offer {
                Some(offer) => request.with_body("application/sdp", offer.clone()),
                None => request,
            };
        }
        let uris = self.list.iter().map(String::as_str).collect::<Vec<_>>();
        let list = Part::new("application/resource-lists+xml", resource_list(&uris));
        let list = list.with("Content-Disposition", "recipient-list");
        let offer = self.offer.as_ref();
        let sdp = offer.map(|offer| Part::new("application/sdp", offer.clone()));
        let boundary = fresh("boundary");
        let body = compose_multipart(
            &boundary,
            &sdp.into_iter().chain([list]).collect::<Vec<_>>(),
        );
        request.with_body(&format!("multipart/mixed;boundary=\"{boundary}\""), body)
    }
}

/// An INVITE that was sent and waits for its responses.
pub struct Calling {
    transaction: ClientTransaction,
}

impl Calling {
    pub(crate) fn new(transaction: ClientTransaction) -> Self {
        Self { transaction }
    }

    /// The INVITE.
    pub fn request(&self) -> &SipMessage {
        self.transaction.request()
    }

    /// Waits for a provisional response with this status.
    pub async fn expect_provisional(&self, status: u16) -> SipMessage {
        self.transaction.expect_provisional(status).await
    }

    /// Waits for the final response. A failure is acknowledged already, a 2xx is not.
    pub async fn expect_final(&self) -> SipMessage {
        self.transaction.expect_final().await
    }

    /// Waits for a failure with this status.
    pub async fn expect_failure(&self, status: u16) -> SipMessage {
        self.transaction.expect_status(status).await
    }

    /// Waits for the 2xx and acknowledges it.
    pub async fn expect_success(&self) -> Dialog {
        let dialog = self.expect_success_unacknowledged().await;
        dialog.acknowledge(self.request().cseq().0).await;
        dialog
    }

    /// Waits for the 2xx and leaves the ACK to [`Dialog::acknowledge`].
    pub async fn expect_success_unacknowledged(&self) -> Dialog {
        let response = self.expect_final().await;
        self.dialog(response)
    }

    /// Waits for the 2xx and acknowledges it, or for the failure, which is given.
    ///
    /// # Errors
    /// The failure.
    pub async fn expect_either(&self) -> Result<Dialog, SipMessage> {
        let response = self.expect_final().await;
        if response.status() >= 300 {
            return Err(response);
        }
        let dialog = self.dialog(response);
        dialog.acknowledge(self.request().cseq().0).await;
        Ok(dialog)
    }

    fn dialog(&self, response: SipMessage) -> Dialog {
        let transcript = self.transaction.peer().transcript();
        assert!(
            response.status() < 300,
            "final response to INVITE is {}\n{transcript}",
            response.status()
        );
        assert!(
            response.to_tag().is_some(),
            "a 2xx to INVITE without a tag\n{transcript}"
        );
        assert_eq!(
            response.values("Contact").len(),
            1,
            "Contact of a 2xx to INVITE\n{transcript}"
        );
        Dialog::of_caller(&self.transaction, response)
    }

    /// Sends CANCEL and waits for its 200. The final response to INVITE is still to come.
    pub async fn cancel(&self) -> SipMessage {
        let cancel = cancel(self.request());
        let peer = self.transaction.peer();
        let transaction = peer.send_to(cancel, self.transaction.destination()).await;
        transaction.expect_status(200).await
    }
}
