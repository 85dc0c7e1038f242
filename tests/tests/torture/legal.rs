//! Legal messages in unusual forms.

use crate::case::Expected::{Silence, Status};
use crate::case::{Case, case, usual};

/// Legal messages in unusual forms.
pub(crate) fn legal() -> Vec<Case> {
    let long = "x".repeat(4_000);
    let long: &'static str = Box::leak(format!("X-Long: {long}").into_boxed_str());
    vec![
        case(
            "plain",
            Status(200),
            usual!("OPTIONS", "sip:friends@localhost"),
        ),
        case(
            "compact names, folded lines and odd blanks",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost;unknownparam SIP/2.0",
                "v : %VIA%",
                "TO :",
                " sip:friends@localhost",
                "   ;   unknown",
                "from: \"A \\\"quoted\\\" name \\\\\"",
                "      <sip:alice@example.com>",
                "  ;",
                "  tag = 98asjd8",
                "MaX-fOrWaRdS: 0068",
                "i: %ID%",
                "Cseq:  9",
                "  OPTIONS",
                "NewFangledHeader:   newfangled value",
                " continued newfangled value",
                "UnknownHeaderWithUnusualValue: ;;,,;;,;",
                "s:",
                "m:\"Quoted string \\\"\\\"\" <sip:alice@example.com> ; newparam =",
                "      newvalue ;",
                "  secondparam ; q = 0.33",
                "l: 0",
            ],
        ),
        case(
            "methods, tags and user parts of every token character",
            Status(501),
            &[
                "!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@localhost SIP/2.0",
                "Via: %VIA%",
                "Max-Forwards: 255",
                "From: token1~` token2'+_ token3*%!.- <sip:alice@example.com:5060>;tag=_token~1'+`*%!-.",
                "To: \"BEL:\u{7} DEL:\u{7f}\" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@localhost>",
                "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
                "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~",
                "Content-Length: 0",
            ],
        ),
        case(
            "escapes in the user part",
            Status(200),
            usual!("OPTIONS", "sip:sips%3Auser%40example.com@localhost"),
        ),
        case(
            "an escaped NUL in the user part",
            Status(200),
            usual!("OPTIONS", "sip:null-%00-null@localhost"),
        ),
        case(
            "an escape in the method is no escape",
            Status(501),
            usual!("OP%54IONS", "sip:friends@localhost"),
        ),
        case(
            "no blank before the address",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "Max-Forwards: 70",
                "From: caller<sip:alice@example.com>;tag=1",
                "To: \"\"<sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 60 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "long values",
            Status(200),
            usual!("OPTIONS", "sip:friends@localhost", long, long),
        ),
        case(
            "a semicolon in the user part",
            Status(200),
            usual!("OPTIONS", "sip:user;par=u%40example.net@localhost"),
        ),
        case(
            "transports that nobody knows below the topmost Via",
            Status(200),
            usual!(
                "OPTIONS",
                "sip:friends@localhost",
                "Via: SIP/2.0/SCTP t1.example.com;branch=z9hG4bK1, SIP / 2.0 / UNKNOWN t2.example.com;branch=z9hG4bK2",
                "v: SIP/2.0/TLS [2001:db8::9:1]:5061;branch=z9hG4bK3"
            ),
        ),
        case(
            "no forwards left, at the end of the way",
            Status(200),
            &[
                "OPTIONS sip:friends@localhost SIP/2.0",
                "Via: %VIA%",
                "Max-Forwards: 0",
                "From: <sip:alice@example.com>;tag=1",
                "To: <sip:friends@localhost>",
                "Call-ID: %ID%",
                "CSeq: 1 OPTIONS",
                "Content-Length: 0",
            ],
        ),
        case(
            "a date in no known zone",
            Status(200),
            usual!(
                "OPTIONS",
                "sip:friends@localhost",
                "Date: Fri, 01 Jan 2010 16:00:00 EST"
            ),
        ),
        case(
            "octets after the body of a datagram",
            Status(200),
            usual!("OPTIONS", "sip:friends@localhost"),
        )
        .followed_by(b"INVITE sip:second@localhost SIP/2.0\r\n"),
        case(
            "a header field that is not text",
            Status(200),
            usual!("OPTIONS", "sip:friends@localhost", "Subject: SUBJECT"),
        )
        .with_octets(b"SUBJECT", b"caf\xe9 \xff\xfe"),
        case(
            "nobody's method without identity",
            Status(403),
            usual!("MESSAGE", "sip:friends@localhost"),
        ),
        case(
            "a method that is known and not served",
            Status(405),
            usual!("REGISTER", "sip:localhost"),
        ),
        case(
            "an ACK for nothing",
            Silence,
            usual!("ACK", "sip:friends@localhost"),
        ),
        case(
            "a CANCEL for nothing",
            Status(481),
            usual!("CANCEL", "sip:friends@localhost"),
        ),
        case(
            "a BYE for nothing",
            Status(481),
            usual!("BYE", "sip:friends@localhost"),
        ),
    ]
}
