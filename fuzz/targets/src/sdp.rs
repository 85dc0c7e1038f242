//! Session descriptions.

use msrp_sdp::{Description, Local, MessageMedia, Protocol};
use msrp_wire::MsrpUriBuf;

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nt=0 0\r\n",
    "m=message 2855 TCP/MSRP *\r\n",
    "m=message 0 TCP/TLS/MSRP *\r\n",
    "m=audio 4000 RTP/AVP 0\r\n",
    "c=IN IP4 127.0.0.1\r\n",
    "c=IN IP6 ::1\r\n",
    "a=path:msrp://127.0.0.1:2855/x;tcp\r\n",
    "a=accept-types:message/cpim *\r\n",
    "a=accept-wrapped-types:text/plain image/*\r\n",
    "a=max-size:1000\r\n",
    "a=setup:actpass\r\n",
    "a=chatroom:nickname private-messages\r\n",
    "a=msrp-cema\r\n",
    "a=sendonly\r\n",
    "a=fingerprint:sha-256 4A:AD\r\n",
    "a=file-selector:name:\"x\" size:3\r\n",
    "\r\n",
];

/// The input is an offer.
pub fn sdp(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let Ok(offer) = Description::parse(text) else {
        return;
    };
    let own = local(Protocol::TcpMsrp);
    check_own(&own.answer_none(&offer), offer.media_count());
    for index in 0..offer.media_count() {
        let _ = offer.message_media_at(index).map(|media| check(&media));
    }
    let Ok(media) = offer.message_media() else {
        return;
    };
    let own = local(media.protocol);
    let answer = own.answer(&offer, &media);
    let read = check_own(&answer, offer.media_count());
    let answered = read
        .message_media_at(media.index)
        .unwrap_or_else(|e| panic!("{e}: {answer}"));
    assert_eq!(answered.path, std::slice::from_ref(&own.path));
    let copied = Local {
        attributes: media.copyable_attributes(),
        ..local(media.protocol)
    };
    let onward = copied.offer();
    let onward = check_own(&onward, 1)
        .message_media()
        .unwrap_or_else(|e| panic!("{e}: {onward}"));
    assert_eq!(
        onward.path,
        std::slice::from_ref(&own.path),
        "a copied attribute changed the path"
    );
    check_own(&own.offer_again(&offer, &media), offer.media_count());
}

fn check(media: &MessageMedia) {
    assert!((1..=16).contains(&media.path.len()));
    assert!(media.port > 0);
    assert!(!media.accept_types.is_empty());
    let _ = (
        media.uses_relay(),
        media.address_match(),
        media.preferred(&["text/plain"]),
    );
    for by_connection_line in [false, true] {
        let (host, _) = media.connect_address(by_connection_line);
        assert!(!host.contains(['\r', '\n', ' ']), "{host:?}");
    }
}

/// What we wrote is readable and has as many sections as it must.
fn check_own(text: &str, sections: usize) -> Description {
    let read = Description::parse(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(read.media_count(), sections, "{text}");
    assert_eq!(text.matches("m=").count().min(sections), sections);
    read
}

/// Our side, with the protocol of the peer, as its contract wants.
fn local(protocol: Protocol) -> Local {
    let scheme = match protocol {
        Protocol::TcpMsrp => "msrp",
        Protocol::TcpTlsMsrp => "msrps",
    };
    let path = MsrpUriBuf::parse(format!("{scheme}://192.0.2.9:2855/own;tcp"));
    let path = path.unwrap_or_else(|e| panic!("{e}"));
    Local::new(("192.0.2.9".to_owned(), 2855), path, 7)
}
