//! Messages that break the rules.

use crate::case::Expected::{Silence, Status};
use crate::case::{Case, case, usual};

/// Messages that break the rules. Those whose meaning is plain all the same are served.
pub(crate) fn illegal() -> Vec<Case> {
    vec![
        case(
            "separators without values",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%;;,;,,",
                "Max-Forwards: 70",
                "From: <sip:alice@example.com>;;;;tag=1",
                "To: \"J Rosenberg\" <sip:friends@localhost>;",
                "Call-ID: %ID%",
                "CSeq: 0009",
                "Content-Length: 0",
            ],
        ),
        case(
            "a length beyond the datagram",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 9999",
            ],
        )
        .udp_only(),
        case(
            "a negative length",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: -999",
            ],
        ),
        case(
            "two lengths that differ",
            Status(400),
            usual!("OPTIONS", "sip:friends@localhost", "Content-Length: 13"),
        ),
        case(
            "a number in CSeq that is too large",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 36893488147419103232 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "a quotation without end",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: \"Mr J. User <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "brackets around the Request-URI",
            Status(400),
            usual!("OPTIONS", "<sip:friends@localhost>"),
        ),
        case(
            "blanks in the Request-URI",
            Status(400),
            usual!("OPTIONS", "sip:friends@localhost; lr"),
        ),
        case(
            "two blanks in the Request-Line",
            Status(400),
            usual!("OPTIONS", " sip:friends@localhost"),
        ),
        case(
            "a blank after the version",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0 ",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "another version",
            Status(505),
            &[
                "OPTIONS sip:friends@localhost SIP/7.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "blanks inside an address",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: \"Watson, Thomas\" < sip:t.watson@example.org >",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "a name that is neither tokens nor quoted",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: Bell, Alexander <sip:alice@example.com>;tag=1",
                "To: Watson, Thomas <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "a method in CSeq that is another",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 8 INVITE",
                "Content-Length: 0",
            ],
        ),
        case(
            "no Call-ID, From and To",
            Silence,
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "no tag in From",
            Status(400),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "From: <sip:alice@example.com>",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "no Via",
            Silence,
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "two of what must stand once",
            Status(400),
            usual!(
                "OPTIONS",
                "sip:friends@localhost",
                "Call-ID: another",
                "CSeq: 2 OPTIONS"
            ),
        ),
        case(
            "a line without colon",
            Status(400),
            usual!("OPTIONS", "sip:friends@localhost", "no header field at all"),
        ),
        case(
            "an ACK that cannot be read",
            Silence,
            usual!("ACK", "<sip:friends@localhost>"),
        ),
        case(
            "a response with a status of ten digits",
            Silence,
            &[
                "SIP/2.0 4294967301 better not break the receiver",
                "Via: %VIA%",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>;tag=2",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "a response to nothing, with a Via of somebody else",
            Silence,
            &[
                "SIP/2.0 200 OK",
                "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>;tag=2",
                "Call-ID: %ID%",
                "CSeq: 1 INVITE",
                "Content-Length: 0",
            ],
        ),
        case(
            "a line that is no message",
            Silence,
            &["what is this", "Content-Length: 0"],
        ),
    ]
}
