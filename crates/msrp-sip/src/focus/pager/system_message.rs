//! Messages of the server itself to users, outside of any session.
//!
//! # Spec
//! SYS-5.4; RFC 4483 s.5.

use crate::address::Uri;
use crate::focus::Focus;
use crate::focus::pager::explosion::{Explosion, Recipient};
use crate::focus::pager::payload::BodyPart;
use crate::limits::{DOCUMENT_URL_OCTETS_MAX, MESSAGE_DATAGRAM_OCTETS_MAX};
use crate::ua::{Body, Headers};

/// A message of the server to users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemMessage {
    /// Who gets it, by registered address; each address once.
    pub recipients: Vec<Uri>,
    /// What it says.
    pub content: SystemContent,
    /// Whether users are to answer, by a MESSAGE to the domain of this node or in a way that
    /// [`Focus::note_system_answer`] is told of. Only a document can be answered.
    pub wants_answer: bool,
}

/// What a message of the server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemContent {
    /// This content, of at most [`MESSAGE_DATAGRAM_OCTETS_MAX`] octets.
    Inline(Body),
    /// The HTML document at this `http` or `https` URL.
    Document(String),
}

/// Why a message of the server was not sent. Nobody gets it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SystemMessageError {
    /// No recipient: the operator's fault.
    #[error("name at least one recipient")]
    NoRecipient,
    /// More recipients than a MESSAGE may have: the operator's fault.
    #[error("there are too many recipients; send the message in parts")]
    TooManyRecipients,
    /// The content is too large, or is to be answered: the operator's fault.
    #[error(
        "content of more than {MESSAGE_DATAGRAM_OCTETS_MAX} octets, or that is to be answered, has to be a document at a URL"
    )]
    NeedsDocument,
    /// The URL of the document cannot be used: the operator's fault.
    #[error("the document needs an http or https URL without blanks and quotes")]
    Url,
    /// Too many MESSAGEs wait to be sent: try again later.
    #[error("too many messages wait to be sent; try again later")]
    Overloaded,
    /// The node ends.
    #[error("the node takes no new messages")]
    Draining,
}

impl Focus {
    /// Sends a message of the server, one MESSAGE to each user, at the pace of all others. Returns
    /// the number of recipients.
    ///
    /// # Errors
    /// [`SystemMessageError`]; nothing was sent.
    ///
    /// # Spec
    /// SYS-5.4; TMR-15.1-01.
    pub fn send_system_message(
        &mut self,
        now: u64,
        message: &SystemMessage,
    ) -> Result<usize, SystemMessageError> {
        if self.is_draining {
            return Err(SystemMessageError::Draining);
        }
        let mut seen = std::collections::HashSet::new();
        let recipients: Vec<Recipient> = message
            .recipients
            .iter()
            .filter(|uri| seen.insert(uri.key()))
            .map(|uri| Recipient {
                uri: uri.clone(),
                is_hidden: false,
            })
            .collect();
        let count = recipients.len();
        if count == 0 {
            return Err(SystemMessageError::NoRecipient);
        }
        if count > self.policy.pager.recipients_max {
            return Err(SystemMessageError::TooManyRecipients);
        }
        let part = part(message)?;
        let owed_count = if message.wants_answer { count } else { 0 };
        if !self.pager.queue.has_room(count, part.octets.len())
            || !self.pager.supervision.has_room(owed_count)
        {
            return Err(SystemMessageError::Overloaded);
        }
        for recipient in recipients.iter().take(owed_count) {
            self.pager.supervision.expect(now, &recipient.uri);
        }
        tracing::info!(recipients = count, "system message sent");
        let explosion = Explosion::of_server(&self.policy.domain, part, recipients);
        self.pager.queue.push_copies(&self.policy.domain, explosion);
        self.send_messages(now);
        Ok(count)
    }

    /// Takes note that a user answered a message of the server in another way than SIP. Whether it
    /// owed an answer.
    pub fn note_system_answer(&mut self, user: &Uri) -> bool {
        self.pager.supervision.on_answer(std::slice::from_ref(user))
    }
}

/// # Spec
/// SYS-5.4-03; RFC 4483 s.5.4, s.5.8, s.5.10.
fn part(message: &SystemMessage) -> Result<BodyPart, SystemMessageError> {
    match &message.content {
        SystemContent::Inline(body) => {
            if message.wants_answer || body.octets.len() > MESSAGE_DATAGRAM_OCTETS_MAX {
                return Err(SystemMessageError::NeedsDocument);
            }
            Ok(BodyPart {
                content_type: body.content_type.clone(),
                fields: Headers::new(),
                octets: body.octets.clone(),
            })
        }
        SystemContent::Document(url) => {
            let is_web = ["http://", "https://"].iter().any(|s| url.starts_with(s));
            let is_legal = url
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"\"\\<>".contains(&b));
            if !is_web || !is_legal || url.len() > DOCUMENT_URL_OCTETS_MAX {
                return Err(SystemMessageError::Url);
            }
            Ok(BodyPart {
                content_type: format!("message/external-body; access-type=\"URL\"; URL=\"{url}\""),
                fields: Headers::new(),
                octets: b"Content-Type: text/html\r\nContent-Disposition: render\r\n\r\n".to_vec(),
            })
        }
    }
}
