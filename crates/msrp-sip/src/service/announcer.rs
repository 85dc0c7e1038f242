//! The door for messages of the server.

use msrp_control::{
    Announcement, AnnouncementContent, AnnouncementReply, Announcer, ControlError, ErrorCode,
};
use tokio::sync::mpsc;

use super::Order;
use crate::address::Uri;
use crate::focus::{SystemContent, SystemMessage, SystemMessageError};
use crate::ua::Body;

/// Gives orders to the task of the service.
pub(super) struct OrderedAnnouncer {
    orders: mpsc::UnboundedSender<Order>,
}

impl OrderedAnnouncer {
    pub(super) fn new(orders: mpsc::UnboundedSender<Order>) -> Self {
        Self { orders }
    }
}

impl Announcer for OrderedAnnouncer {
    fn announce(&self, announcement: Announcement, reply: AnnouncementReply) {
        match system_message(announcement) {
            Ok(message) => {
                if let Err(unsent) = self.orders.send(Order::Announce(message, reply))
                    && let Order::Announce(_, reply) = unsent.0
                {
                    let _ = reply.send(Err(control_error(SystemMessageError::Draining)));
                }
            }
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    fn note_answer(&self, user: &str) -> Result<(), ControlError> {
        let user = address(user)?;
        // Once the end has begun nobody is waited for.
        let _ = self.orders.send(Order::SystemAnswer(user));
        Ok(())
    }
}

fn system_message(announcement: Announcement) -> Result<SystemMessage, ControlError> {
    let recipients = announcement.recipients.iter().map(|text| address(text));
    let content = match announcement.content {
        AnnouncementContent::Inline { content_type, body } => SystemContent::Inline(Body {
            content_type: media_type(content_type)?,
            octets: body,
        }),
        AnnouncementContent::Document(url) => SystemContent::Document(url),
    };
    Ok(SystemMessage {
        recipients: recipients.collect::<Result<_, _>>()?,
        content,
        wants_answer: announcement.wants_answer,
    })
}

fn address(text: &str) -> Result<Uri, ControlError> {
    Uri::parse(text).map_err(|error| {
        ControlError::new(ErrorCode::MalformedAddress, format!("{text:?}: {error}"))
    })
}

/// The text, when it may stand in a header field and names a type.
fn media_type(text: String) -> Result<String, ControlError> {
    let is_type = text.split_once('/').is_some_and(|(kind, rest)| {
        let is_token = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
        };
        is_token(kind) && is_token(rest.split(';').next().unwrap_or_default().trim_end())
    });
    if is_type && !text.chars().any(char::is_control) {
        return Ok(text);
    }
    let detail = format!("{text:?} is no media type, such as text/plain");
    Err(ControlError::new(ErrorCode::MalformedContent, detail))
}

/// Why a message was not sent, for controllers.
pub(super) fn control_error(error: SystemMessageError) -> ControlError {
    let code = match error {
        SystemMessageError::NoRecipient => ErrorCode::MalformedAddress,
        SystemMessageError::NeedsDocument | SystemMessageError::Url => ErrorCode::MalformedContent,
        SystemMessageError::TooManyRecipients | SystemMessageError::Overloaded => ErrorCode::Limit,
        SystemMessageError::Draining => ErrorCode::Draining,
    };
    ControlError::new(code, error.to_string())
}
