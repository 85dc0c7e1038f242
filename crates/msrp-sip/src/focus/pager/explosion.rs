//! One accepted MESSAGE, and the copies that are made of it.
//!
//! # Spec
//! PGR-8.3.2.1; RFC 5365 s.7.2, s.7.3.

use crate::address::{Uri, write_name_addr};
use crate::focus::admission::Caller;
use crate::focus::headers::SOFTWARE;
use crate::focus::pager::history::{ANONYMOUS, without_method};
use crate::focus::pager::imdn::{Readdress, readdress};
use crate::focus::pager::payload::{BodyPart, compose};
use crate::ua::{Headers, Method, OutRequest};

/// One who gets a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient {
    /// The address.
    pub(crate) uri: Uri,
    /// Whether the sender may not learn it.
    pub(crate) is_hidden: bool,
}

/// For whom the copies are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Behalf {
    /// The sender itself: it brought a list.
    Sender,
    /// A group or a session, by its P-Asserted-Identity value.
    Conference(String),
}

/// A MESSAGE that was accepted.
#[derive(Debug)]
pub(crate) struct Explosion {
    /// Who gets it.
    pub(crate) recipients: Vec<Recipient>,
    /// The gathering of its notifications.
    pub(crate) collection: Option<u64>,
    /// The address of ours to which notifications go, when any were asked for.
    pub(crate) returns_to: Option<String>,
    /// What it carries.
    pub(crate) parts: Vec<BodyPart>,
    /// Parts the parts of the copies.
    pub(crate) boundary: String,
    from: String,
    fields: Headers,
    is_hidden: bool,
}

impl Explosion {
    /// The copies of a MESSAGE of this caller with these header fields.
    pub(crate) fn new(
        caller: &Caller,
        behalf: Behalf,
        given: &Headers,
        parts: Vec<BodyPart>,
        recipients: Vec<Recipient>,
        boundary: String,
    ) -> Self {
        let is_hidden = caller.is_anonymous;
        let from = if is_hidden {
            write_name_addr(Some("Anonymous"), ANONYMOUS)
        } else {
            write_name_addr(
                caller.from.display_name.as_deref(),
                caller.from.uri.as_str(),
            )
        };
        Self {
            fields: fields(caller, behalf, given),
            recipients,
            collection: None,
            returns_to: None,
            parts,
            boundary,
            from,
            is_hidden,
        }
    }

    /// The copies of a message of the server of this domain.
    ///
    /// # Spec
    /// SYS-5.4-02, SYS-5.4-05, SYS-5.4-06.
    pub(crate) fn of_server(domain: &str, part: BodyPart, recipients: Vec<Recipient>) -> Self {
        let own = format!("<sip:{domain}>");
        Self {
            fields: Headers::new()
                .with(
                    "Accept-Contact",
                    "*;+g.oma.sip-im;+g.oma.sip-im.system-message",
                )
                .with("Server", SOFTWARE)
                .with("P-Asserted-Identity", &own),
            recipients,
            collection: None,
            returns_to: None,
            parts: vec![part],
            boundary: String::new(),
            from: own,
            is_hidden: false,
        }
    }

    /// The octets that it holds until its last copy went.
    pub(crate) fn octets(&self) -> usize {
        self.parts.iter().map(|p| p.octets.len()).sum()
    }

    /// The copy for a recipient.
    ///
    /// # Spec
    /// PGR-8.3.2.1-01, PGR-8.3.2.1-08.
    pub(crate) fn copy(&self, recipient: &Recipient) -> OutRequest {
        let uri = without_method(&recipient.uri);
        let (of_body, body) = match self.readdressed(&uri) {
            Some(parts) => compose(&parts, &self.boundary),
            None => compose(&self.parts, &self.boundary),
        };
        let mut headers = self.fields.clone();
        for (name, value) in of_body.iter() {
            headers.push(name, value);
        }
        OutRequest {
            method: Method::Message,
            from: self.from.clone(),
            to: format!("<{uri}>"),
            uri,
            contact: None,
            headers,
            body: Some(body),
        }
    }

    /// The parts for this recipient, when they are not the same for all.
    fn readdressed(&self, uri: &str) -> Option<Vec<BodyPart>> {
        if self.returns_to.is_none() && !self.is_hidden {
            return None;
        }
        let change = Readdress {
            hides_sender: self.is_hidden,
            recipient: self.returns_to.as_deref().map(|own| (uri, own)),
        };
        let written = |part: &BodyPart| {
            if part.is_wrapped() {
                readdress(part, change)
            } else {
                part.clone()
            }
        };
        Some(self.parts.iter().map(written).collect())
    }
}

/// The header fields of every copy.
///
/// # Spec
/// PGR-8.3.2.1-02 to PGR-8.3.2.1-07; COM-5.1-02; AMB-68.
fn fields(caller: &Caller, behalf: Behalf, given: &Headers) -> Headers {
    let mut fields = Headers::new()
        .with("Accept-Contact", "*;+g.oma.sip-im")
        .with("Server", SOFTWARE);
    let sender = write_name_addr(caller.display_name(None).as_deref(), caller.address());
    match behalf {
        Behalf::Sender if caller.is_anonymous => {}
        Behalf::Sender => {
            fields.push("P-Asserted-Identity", sender);
            for other in caller.addresses.iter().skip(1) {
                fields.push("P-Asserted-Identity", format!("<{other}>"));
            }
        }
        Behalf::Conference(identity) => {
            fields.push("P-Asserted-Identity", identity);
            if caller.is_anonymous {
                fields.push("Referred-By", format!("<{ANONYMOUS}>"));
            } else {
                fields.push("Referred-By", format!("<{}>", caller.address()));
            }
        }
    }
    if caller.is_anonymous {
        fields.push("Privacy", "id");
    }
    let credentials = CREDENTIALS.iter().filter(|_| !caller.is_anonymous);
    for name in COPIED.iter().chain(credentials) {
        for value in given.all(name) {
            fields.push(*name, value);
        }
    }
    fields
}

/// Fields of a MESSAGE that its copies keep.
const COPIED: [&str; 5] = ["Subject", "Date", "Expires", "Priority", "In-Reply-To"];

/// Fields that copies keep unless the sender is hidden: they are for others, since this service has
/// no realm.
const CREDENTIALS: [&str; 2] = ["Authorization", "Proxy-Authorization"];
