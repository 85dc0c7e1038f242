//! Descriptions that pass through us.
#![expect(clippy::unwrap_used, reason = "test code")]

use msrp_sdp::{Anchor, Description, Protocol, Setup};
use msrp_wire::MsrpUriBuf;
use proptest::prelude::*;

fn anchor(path: &str) -> Anchor {
    Anchor {
        path: MsrpUriBuf::parse(path.as_bytes()).unwrap(),
        protocol: Protocol::TcpMsrp,
        setup: Setup::ActPass,
        cema: false,
        fingerprint: None,
        replaces_origin: false,
    }
}

fn apply(anchor: &Anchor, text: &str) -> String {
    let description = Description::parse(text).unwrap();
    let media = description.message_media().unwrap();
    anchor.apply(text, &description, &media)
}

const OURS: &str = "msrp://192.0.2.9:2855/ours;tcp";

const TWO_SECTIONS: &str = "v=0\r\no=alice 7 8 IN IP4 192.0.2.1\r\ns= \r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    a=x-unknown:  kept \r\nm=audio 49170 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=setup:active\r\n\
    m=message 7654 TCP/MSRP *\r\ni=chat\r\na=accept-types:text/plain message/cpim\r\na=path:msrp://192.0.2.1:7654/s1;tcp\r\n\
    a=max-size:5000\r\na=connection:new\r\na=setup:active\r\na=x-last:1\r\nm=video 1 RTP/AVP 31\r\na=path:kept\r\n";

// covers: MSRP-6135-4.4-01
#[test]
fn anchor_changes_the_message_section_and_nothing_else() {
    let expected = TWO_SECTIONS
        .replace("m=message 7654", "m=message 2855")
        .replace("i=chat\r\n", "i=chat\r\nc=IN IP4 192.0.2.9\r\n")
        .replace(
            "a=path:msrp://192.0.2.1:7654/s1;tcp\r\n",
            &format!("a=path:{OURS}\r\na=setup:actpass\r\n"),
        )
        .replace("a=connection:new\r\na=setup:active\r\n", "");
    assert_eq!(apply(&anchor(OURS), TWO_SECTIONS), expected);
}

#[test]
fn anchor_of_the_only_section_takes_the_shared_connection_line() {
    let text = "v=0\no=- 7 8 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n\
        m=message 7654 TCP/TLS/MSRP *\na=accept-types:*\na=fingerprint:SHA-1 AA\na=path:msrps://192.0.2.1:7654/s1;tcp";
    let mut anchor = anchor("msrps://[2001:db8::9]:2856/ours;tcp");
    anchor.protocol = Protocol::TcpTlsMsrp;
    anchor.setup = Setup::Passive;
    anchor.cema = true;
    anchor.fingerprint = Some("SHA-256 BB".to_owned());
    anchor.replaces_origin = true;
    let expected = "v=0\no=- 7 8 IN IP6 2001:db8::9\ns=-\nc=IN IP6 2001:db8::9\nt=0 0\n\
        m=message 2856 TCP/TLS/MSRP *\na=accept-types:*\na=path:msrps://[2001:db8::9]:2856/ours;tcp\na=setup:passive\n\
        a=fingerprint:SHA-256 BB\na=msrp-cema\n";
    assert_eq!(apply(&anchor, text), expected);
}

#[test]
fn anchor_of_another_protocol_changes_the_media_line() {
    let text = "v=0\r\no=- 7 8 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=message 7654 TCP/TLS/MSRP *\r\n\
        c=IN IP4 192.0.2.1\r\na=accept-types:*\r\na=path:msrps://192.0.2.1:7654/s1;tcp\r\na=fingerprint:SHA-1 AA\r\n";
    let out = apply(&anchor(OURS), text);
    assert!(
        out.contains("m=message 2855 TCP/MSRP *\r\nc=IN IP4 192.0.2.9\r\n"),
        "{out}"
    );
    assert!(!out.contains("fingerprint"), "{out}");
}

proptest! {
    #[test]
    fn anchored_description_reads_as_ours_and_keeps_the_other_lines(
        extra in proptest::collection::vec("a=[a-z]{1,8}(:[ -~]{0,20})?", 0..6),
        at in 0_usize..6,
        has_own_connection in any::<bool>(),
    ) {
        let mut lines = extra.clone();
        lines.insert(at.min(lines.len()), "a=path:msrp://192.0.2.1:7654/s1;tcp".to_owned());
        lines.insert(0, "a=accept-types:*".to_owned());
        if has_own_connection {
            lines.insert(0, "c=IN IP4 192.0.2.1".to_owned());
        }
        let text = format!(
            "v=0\r\no=- 7 8 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n\
            m=message 7654 TCP/MSRP *\r\n{}\r\n", lines.join("\r\n"));
        let readable = Description::parse(&text).and_then(|d| d.message_media());
        prop_assume!(readable.is_ok());
        let out = apply(&anchor(OURS), &text);
        let media = Description::parse(&out).unwrap().message_media().unwrap();
        prop_assert_eq!(media.path[0].as_str(), OURS);
        prop_assert_eq!(media.connection.as_deref(), Some("192.0.2.9"));
        prop_assert_eq!((media.port, media.setup), (2855, Some(Setup::ActPass)));
        prop_assert!(out.contains("t=0 0\r\nm=audio 9 RTP/AVP 0\r\nm=message"));
        let ours = |line: &&String| ["path", "setup", "fingerprint", "msrp-cema", "connection"]
            .iter().any(|name| line[2..].split(':').next() == Some(name));
        let mut rest = out.as_str();
        for line in extra.iter().filter(|line| !ours(line)) {
            let place = rest.find(line.as_str());
            prop_assert!(place.is_some(), "{} is missing in {}", line, out);
            rest = &rest[place.unwrap()..];
        }
    }
}
