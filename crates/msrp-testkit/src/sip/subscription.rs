//! Subscriptions, and the NOTIFYs inside them.

use super::conference_info::ConferenceInfo;
use super::dialog::Dialog;
use super::message::SipMessage;
use super::name_addr::parameter;
use super::peer::SipPeer;
use crate::ident::fresh;

/// A SUBSCRIBE outside of any dialog as an IM client sends it.
///
/// # Spec
/// CLI-7.1.1.11-01 of the requirement matrix; RFC 6665 s.4.1.2.
pub fn subscribe(peer: &SipPeer, to: &str, identity: &str) -> SipMessage {
    outside("SUBSCRIBE", peer, to, identity)
        .with("Event", "conference")
        .with("Accept", "application/conference-info+xml")
        .with("Expires", "600")
}

/// A REFER outside of any dialog as an IM client sends it.
///
/// # Spec
/// RFC 3515 s.2.1.
pub fn refer(peer: &SipPeer, to: &str, identity: &str, refer_to: &str) -> SipMessage {
    outside("REFER", peer, to, identity).with("Refer-To", refer_to)
}

fn outside(method: &str, peer: &SipPeer, to: &str, identity: &str) -> SipMessage {
    let user = identity.split([':', '@']).nth(1).unwrap_or("client");
    SipMessage::request(method, to)
        .with("From", format!("<{identity}>;tag={}", fresh("f")))
        .with("Contact", peer.contact(user))
        .with("P-Asserted-Identity", format!("<{identity}>"))
        .with("Accept-Contact", "*;+g.oma.sip-im")
        .with("User-Agent", "IM-client/OMA1.0 msrp-testkit")
}

impl SipPeer {
    /// Sends a request made by [`subscribe`] or [`refer`] and waits for its 2xx; gives the dialog
    /// that it made.
    ///
    /// # Panics
    /// When the request is refused.
    pub async fn open(&self, request: SipMessage) -> Dialog {
        let transaction = self.send(request).await;
        let response = transaction.expect_final().await;
        assert!(
            (200..300).contains(&response.status()),
            "final response is {}\n{}",
            response.status(),
            self.transcript()
        );
        Dialog::of_caller(&transaction, response)
    }
}

/// A NOTIFY that was answered with 200.
#[derive(Clone, Debug)]
pub struct Notify {
    /// The request.
    pub request: SipMessage,
}

impl Notify {
    /// Checks what every NOTIFY has.
    ///
    /// # Panics
    /// When something is missing.
    pub(crate) fn new(request: SipMessage) -> Self {
        let state = request.header("Subscription-State").unwrap_or_default();
        let is_whole = match state.split(';').next() {
            Some("active") => parameter(state, "expires").is_some_and(|s| s.parse::<u32>().is_ok()),
            Some("terminated") => parameter(state, "reason").is_some(),
            _ => false,
        };
        assert!(is_whole, "Subscription-State is {state:?}");
        assert!(request.header("Event").is_some(), "a NOTIFY without Event");
        assert_eq!(request.values("Contact").len(), 1, "Contact of a NOTIFY");
        Self { request }
    }

    /// The Subscription-State value.
    pub fn state(&self) -> &str {
        self.request
            .header("Subscription-State")
            .unwrap_or_default()
    }

    /// Why the subscription ended, when it did.
    pub fn ended(&self) -> Option<&str> {
        let is_ended = self.state().starts_with("terminated");
        parameter(self.state(), "reason").filter(|_| is_ended)
    }

    /// The conference document.
    ///
    /// # Panics
    /// When there is none, or it breaks the schema.
    pub fn info(&self) -> ConferenceInfo {
        assert_eq!(
            self.request.header("Content-Type"),
            Some("application/conference-info+xml")
        );
        let text = self.request.text();
        ConferenceInfo::parse(text).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
    }

    /// The report on a REFER: the status, and the lines behind the status line.
    ///
    /// # Panics
    /// When the body is no sipfrag with a status line.
    pub fn fragment(&self) -> (u16, Vec<&str>) {
        let content_type = self.request.header("Content-Type").unwrap_or_default();
        assert!(
            content_type.starts_with("message/sipfrag"),
            "{content_type}"
        );
        let mut lines = self.request.text().lines();
        let line = lines.next().unwrap_or_default();
        let status = line.strip_prefix("SIP/2.0 ").and_then(|l| l.get(..3));
        let status = status.and_then(|s| s.parse().ok());
        let status = status.unwrap_or_else(|| panic!("status line {line:?}"));
        (status, lines.collect())
    }
}
