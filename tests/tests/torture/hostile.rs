//! Descriptions beyond their bounds.

use crate::case::Expected::Status;
use crate::case::{Case, with_body};

/// Calls with bodies that are too large, too many or too deep in one of their parts.
pub(crate) fn hostile() -> Vec<Case> {
    let sdp = |media: &str| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9 TCP/MSRP *\r\n{media}"
        )
    };
    let path = "a=path:msrp://127.0.0.1:9/s;tcp";
    let types = "a=accept-types:message/cpim";
    let good = format!("{types}\r\n{path}\r\n");
    let many =
        |line: &str, count: usize| sdp(&format!("{good}{}", format!("{line}\r\n").repeat(count)));
    let bodies = [
        (
            "a long path",
            488,
            sdp(&format!(
                "{types}\r\n{path}{}\r\n",
                " msrp://127.0.0.1:9/s;tcp".repeat(20)
            )),
        ),
        ("two paths", 400, sdp(&format!("{good}{path}x\r\n"))),
        (
            "a path without scheme",
            400,
            sdp(&format!("{types}\r\na=path:127.0.0.1\r\n")),
        ),
        (
            "many types",
            488,
            sdp(&format!("{types}{}\r\n{path}\r\n", " a/b".repeat(1_500))),
        ),
        (
            "types that are none",
            400,
            sdp(&format!("a=accept-types:\u{fc}\r\n{path}\r\n")),
        ),
        ("a size that is no number", 400, many("a=max-size:-1", 1)),
        (
            "directions that differ",
            400,
            sdp(&format!("{good}a=sendonly\r\na=recvonly\r\n")),
        ),
        ("a role that nobody has", 400, many("a=setup:both", 1)),
        (
            "many tokens",
            488,
            sdp(&format!(
                "{good}a=chatroom:{}\r\n",
                (0..200).map(|n| format!("t{n} ")).collect::<String>()
            )),
        ),
        ("many lines", 488, many("a=x:y", 3_000)),
        (
            "a long line",
            488,
            many(&format!("a=x:{}", "y".repeat(9_000)), 1),
        ),
        (
            "many sections",
            488,
            sdp(&"m=audio 9 RTP/AVP 0\r\n".repeat(100)),
        ),
        ("not a description", 400, "\u{0}".repeat(500)),
    ];
    let call = |(name, status, body): (&'static str, u16, String)| {
        let length: &'static str =
            Box::leak(format!("Content-Length: {}", body.len()).into_boxed_str());
        let lines = [
            "INVITE sip:friends@localhost SIP/2.0",
            "Via: %VIA%",
            "Max-Forwards: 70",
            "From: <sip:alice@example.com>;tag=1",
            "To: <sip:friends@localhost>",
            "Call-ID: %ID%",
            "CSeq: 1 INVITE",
            "P-Asserted-Identity: <sip:alice@example.com>",
            "Contact: <sip:alice@127.0.0.1:9>",
            "Content-Type: application/sdp",
            length,
        ];
        with_body(name, Status(status), &lines, body.as_bytes())
    };
    bodies.into_iter().map(call).collect()
}
