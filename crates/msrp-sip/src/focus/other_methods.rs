//! Requests that neither change a session nor subscribe nor refer.
//!
//! # Spec
//! COM-5.1-06, COM-5.1-07; RFC 3261 s.8.2.1 and s.11, RFC 6665 s.4.

use crate::focus::admission::{Caller, check_extensions};
use crate::focus::headers::{ACCEPT, ALLOW, SOFTWARE};
use crate::focus::policy::Policy;
use crate::focus::refusal::Refusal;
use crate::focus::subscription::ALLOW_EVENTS;
use crate::ua::{Answer, Headers, Method, Peer, Request};

/// The answer to a request outside of any dialog.
pub(crate) fn answer_outside(
    policy: &Policy,
    request: &Request,
    peer: Peer,
) -> Result<Answer, Refusal> {
    if request.method == Method::Publish {
        Caller::read(policy, &request.headers, peer)?;
    }
    check_extensions(&request.headers)?;
    Ok(answer_plain(&request.method))
}

/// The answer to a request inside a dialog that has ended.
pub(crate) fn answer_gone() -> Answer {
    Answer {
        status: 481,
        reason: None,
        headers: Headers::new().with("Server", SOFTWARE),
        body: None,
    }
}

/// The answer that depends on the method alone.
pub(crate) fn answer_plain(method: &Method) -> Answer {
    let status = match method {
        Method::Options => 200,
        Method::Notify => 481,
        _ => 405,
    };
    let mut headers = Headers::new().with("Server", SOFTWARE).with("Allow", ALLOW);
    if status == 200 {
        headers.push("Accept", ACCEPT);
        headers.push("Allow-Events", ALLOW_EVENTS);
        headers.push(
            "Supported",
            "timer, recipient-list-invite, recipient-list-message, multiple-refer, norefersub",
        );
    }
    Answer {
        status,
        reason: None,
        headers,
        body: None,
    }
}
