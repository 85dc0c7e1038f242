//! Why the focus refuses, and the one table that says how.

use std::borrow::Cow;

use msrp_control::{ControlError, ErrorCode};

use crate::focus::conference_info::CONFERENCE_INFO;
use crate::focus::headers;
use crate::focus::media;
use crate::focus::policy::Policy;
use crate::focus::subscription::ALLOW_EVENTS;
use crate::limits::{RETRY_AFTER_S, SUBSCRIPTION_S_MIN};
use crate::ua::{Answer, Headers};

/// A legal or illegal request that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The neighbour is not trusted, or asserts no identity.
    NoIdentity,
    /// Require names extensions that we do not have.
    BadExtension(String),
    /// The dialog to be replaced does not exist.
    NothingToReplace,
    /// A header field of the request cannot be read.
    MalformedHeader(&'static str),
    /// The session interval is too small.
    IntervalTooSmall,
    /// The Request-URI has a scheme that we do not know.
    UnknownScheme,
    /// No such factory, group or other address here.
    UnknownAddress,
    /// The session identity names no running session.
    NoSession,
    /// The caller is itself a focus. Holds the refused group.
    CallerIsFocus(Option<String>),
    /// The group does not let the caller start a session.
    InitiationForbidden,
    /// The group has no member but the caller.
    NobodyToInvite,
    /// The group does not let the caller join.
    JoinForbidden,
    /// The sender may not write to these recipients.
    MessageForbidden,
    /// The user owes an answer to a message of the server.
    AccessBlocked,
    /// MESSAGEs with lists are not served.
    ListsForbidden,
    /// A MESSAGE over UDP is too large for it.
    TooLargeForUdp,
    /// The caller may not come back to this session.
    RejoinForbidden,
    /// The asker may not do what it asks for.
    FunctionForbidden,
    /// The event package is not known here.
    BadEvent,
    /// The subscription would be too short.
    IntervalTooBrief,
    /// The asker does not read what a subscription tells.
    NothingToRead,
    /// The group is for certain ages only.
    AgeUnknown,
    /// The caller wants to be hidden and may not.
    AnonymityForbidden,
    /// The body cannot be read. The text names the fault.
    MalformedBody(String),
    /// A part of the body is of a type that we do not know.
    UnsupportedBody,
    /// The body is encoded.
    UnsupportedEncoding,
    /// The offer is legal and not acceptable. The text names the fault.
    NotAcceptable(String),
    /// The session has, or would have, too many participants.
    TooManyParticipants,
    /// All invitees refused; the lowest of their statuses.
    AllRefused(u16),
    /// The session ended while the caller waited.
    SessionEnded,
    /// The node takes no new sessions.
    Draining,
    /// The node holds as many sessions as it can.
    Overloaded,
    /// The engine refused.
    Engine(ErrorCode),
}

/// One row of the table.
struct Row {
    status: u16,
    /// The text of Warning 399.
    warning: Option<Cow<'static, str>>,
    /// The word for logs and counters.
    word: &'static str,
}

fn row(status: u16, word: &'static str) -> Row {
    Row {
        status,
        warning: None,
        word,
    }
}

fn warned(status: u16, word: &'static str, warning: impl Into<Cow<'static, str>>) -> Row {
    Row {
        status,
        warning: Some(warning.into()),
        word,
    }
}

impl Refusal {
    /// What the engine said to a description or an address, for the one who wrote it; of its other
    /// troubles only the kind.
    pub(crate) fn of_engine(error: ControlError) -> Self {
        match error.code {
            ErrorCode::NotAcceptable => Self::NotAcceptable(error.detail),
            ErrorCode::MalformedSdp => Self::MalformedBody(error.detail),
            code => Self::Engine(code),
        }
    }

    /// The table.
    ///
    /// # Spec
    /// `warning_texts.tsv`; AMB-08, AMB-10, AMB-11, AMB-22, AMB-71.
    fn row(&self) -> Row {
        match self {
            Self::NoIdentity => warned(403, "no_identity", "127 Service not authorised"),
            Self::BadExtension(_) => row(420, "bad_extension"),
            Self::NothingToReplace => row(481, "nothing_to_replace"),
            Self::MalformedHeader(name) => warned(
                400,
                "malformed_header",
                format!("The header field {name} cannot be read"),
            ),
            Self::IntervalTooSmall => row(422, "interval_too_small"),
            Self::UnknownScheme => row(416, "unknown_scheme"),
            Self::UnknownAddress => row(404, "unknown_address"),
            Self::NoSession => warned(403, "no_session", "123 Session does not exist"),
            Self::CallerIsFocus(_) => {
                warned(403, "caller_is_focus", "105 isfocus already assigned")
            }
            Self::InitiationForbidden => {
                warned(403, "initiation_forbidden", "127 Service not authorised")
            }
            Self::NobodyToInvite => warned(
                480,
                "nobody_to_invite",
                "The group has no member to send this to",
            ),
            Self::JoinForbidden => warned(403, "join_forbidden", "127 Service not authorised"),
            Self::MessageForbidden => {
                warned(403, "message_forbidden", "127 Service not authorised")
            }
            Self::AccessBlocked => warned(403, "access_blocked", "127 Service not authorised"),
            Self::ListsForbidden => warned(420, "lists_forbidden", "122 Function not allowed"),
            Self::TooLargeForUdp => warned(
                413,
                "too_large_for_udp",
                "A MESSAGE with more than 1300 octets has to come over TCP or TLS",
            ),
            Self::RejoinForbidden => warned(403, "rejoin_forbidden", "122 Function not allowed"),
            Self::FunctionForbidden => {
                warned(403, "function_forbidden", "122 Function not allowed")
            }
            Self::BadEvent => row(489, "bad_event"),
            Self::IntervalTooBrief => row(423, "interval_too_brief"),
            Self::NothingToRead => row(406, "nothing_to_read"),
            Self::AgeUnknown => warned(
                403,
                "age_unknown",
                "124 Service not allowed due to the age limit",
            ),
            Self::AnonymityForbidden => {
                warned(403, "anonymity_forbidden", "119 Anonymity not allowed")
            }
            Self::MalformedBody(text) => warned(400, "malformed_body", text.clone()),
            Self::UnsupportedBody => row(415, "unsupported_body"),
            Self::UnsupportedEncoding => row(415, "unsupported_encoding"),
            Self::NotAcceptable(text) => warned(488, "not_acceptable", text.clone()),
            Self::TooManyParticipants => {
                warned(486, "too_many_participants", "102 Too many participants")
            }
            Self::AllRefused(status) => row(*status, "all_refused"),
            Self::SessionEnded => row(480, "session_ended"),
            Self::Draining => row(503, "draining"),
            Self::Overloaded => row(503, "overloaded"),
            Self::Engine(code) => row(code.sip_status(), "engine"),
        }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> u16 {
        self.row().status
    }

    /// One word for logs and counters.
    pub(crate) fn word(&self) -> &'static str {
        self.row().word
    }

    /// The final answer.
    pub(crate) fn answer(&self, policy: &Policy) -> Answer {
        let row = self.row();
        let mut headers = Headers::new().with("Server", headers::SOFTWARE);
        if let Some(text) = row.warning {
            headers.push("Warning", headers::warning(&policy.domain, &text));
        }
        let mut body = None;
        match self {
            Self::ListsForbidden => headers.push("Unsupported", "recipient-list-message"),
            Self::BadExtension(names) => headers.push("Unsupported", names),
            Self::IntervalTooSmall => headers.push("Min-SE", policy.min_se_s.to_string()),
            Self::CallerIsFocus(Some(group)) => {
                headers.push("P-Refused-URI-List", format!("<{group}>"))
            }
            Self::UnsupportedBody => headers.push("Accept", headers::ACCEPT),
            Self::BadEvent => headers.push("Allow-Events", ALLOW_EVENTS),
            Self::IntervalTooBrief => headers.push("Min-Expires", SUBSCRIPTION_S_MIN.to_string()),
            Self::NothingToRead => headers.push("Accept", CONFERENCE_INFO),
            Self::UnsupportedEncoding => headers.push("Accept-Encoding", "identity"),
            Self::Overloaded
            | Self::Draining
            | Self::Engine(ErrorCode::Limit | ErrorCode::Draining) => {
                headers.push("Retry-After", RETRY_AFTER_S.to_string())
            }
            Self::NotAcceptable(_) => body = Some(media::supported(policy)),
            _ => {}
        }
        Answer {
            status: row.status,
            reason: None,
            headers,
            body,
        }
    }
}
