//! Requests that are legal and not served.

use crate::case::Expected::Status;
use crate::case::{Case, case, usual, with_body};

/// Legal requests that ask for what is not served, and others that an application has to refuse.
pub(crate) fn refused() -> Vec<Case> {
    let asserted = "P-Asserted-Identity: <sip:alice@example.com>";
    let contact = "Contact: <sip:alice@127.0.0.1:9>";
    vec![
        case(
            "an extension that nobody has, asked of OPTIONS",
            Status(420),
            usual!(
                "OPTIONS",
                "sip:friends@localhost",
                "Require: nothingSupportsThis, nothingSupportsThisEither"
            ),
        ),
        case(
            "an extension that nobody has, asked of INVITE",
            Status(420),
            usual!(
                "INVITE",
                "sip:friends@localhost",
                asserted,
                contact,
                "Require: nothingSupportsThis"
            ),
        ),
        case(
            "a scheme that nobody knows",
            Status(416),
            usual!(
                "INVITE",
                "nobodyKnowsThisScheme:totallyopaquecontent",
                asserted,
                contact
            ),
        ),
        case(
            "a scheme that others know",
            Status(416),
            usual!("INVITE", "soap.beep://192.0.2.103:3002", asserted, contact),
        ),
        with_body(
            "a body of a type that nobody knows",
            Status(415),
            &[
                "INVITE sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "Max-Forwards: 70",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 INVITE",
                asserted,
                contact,
                "Content-Type: application/unknownformat",
                "Content-Length: 40",
            ],
            b"<audio>\r\n <pcmu port=\"443\"/>\r\n</audio>\r\n",
        ),
        case(
            "an INVITE without an offer",
            Status(488),
            usual!("INVITE", "sip:friends@localhost", asserted, contact),
        ),
        case(
            "an INVITE for a dialog that is not there",
            Status(481),
            &[
                "INVITE sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "Max-Forwards: 70",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>;tag=gone",
                "Call-ID: %ID%",
                "CSeq: 1 INVITE",
                asserted,
                contact,
                "Content-Length: 0",
            ],
        ),
        case(
            "an interval below the least",
            Status(422),
            usual!(
                "INVITE",
                "sip:friends@localhost",
                asserted,
                contact,
                "Supported: timer",
                "Session-Expires: 10"
            ),
        ),
        case(
            "an identity that cannot be read",
            Status(403),
            usual!(
                "INVITE",
                "sip:friends@localhost",
                "P-Asserted-Identity: <<<>>>",
                contact
            ),
        ),
    ]
}
