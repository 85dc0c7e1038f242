//! Descriptions with several MSRP sessions, taken apart and put together.

use msrp_sdp::{Description, Place};

const OFFER: &str = "v=0\r\no=alice 7 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=setup:active\r\n\
    m=message 7001 TCP/MSRP *\r\na=accept-types:message/cpim\r\na=path:msrp://192.0.2.1:7001/chat;tcp\r\n\
    m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n\
    m=message 7002 TCP/MSRP *\r\nc=IN IP4 192.0.2.2\r\na=accept-types:image/png\r\n\
    a=path:msrp://192.0.2.2:7002/file;tcp\r\na=file-selector:name:\"a.png\"\r\na=file-transfer-id:xyz\r\n\
    a=file-date:creation:\"Mon, 15 May 2006 15:01:31 +0300\"\r\n";

#[test]
fn section_alone_keeps_what_was_said_for_all() {
    let offer = Description::parse(OFFER).unwrap();
    let file = Description::parse(&offer.only(2).unwrap()).unwrap();
    assert_eq!(file.media_count(), 1);
    let (alone, among) = (
        file.message_media().unwrap(),
        offer.message_media_at(2).unwrap(),
    );
    assert_eq!((alone.path, alone.setup), (among.path, among.setup));
    assert_eq!(alone.connection.as_deref(), Some("192.0.2.2"));
    let chat = Description::parse(&offer.only(0).unwrap()).unwrap();
    assert_eq!(
        chat.message_media().unwrap().connection.as_deref(),
        Some("192.0.2.1")
    );
    assert_eq!(offer.only(3), None);
}

#[test]
fn joined_sections_keep_order_addresses_and_the_file_that_is_closed() {
    let offer = Description::parse(OFFER).unwrap();
    let alone = |index| Description::parse(&offer.only(index).unwrap()).unwrap();
    let (chat, file) = (alone(0), alone(2));
    let audio = offer.closed(1).unwrap();
    let text = chat.join(
        9,
        &[
            Place::Open(&chat),
            Place::Closed(&audio),
            Place::Open(&file),
        ],
    );
    let joined = Description::parse(&text).unwrap();
    assert_eq!(joined.origin(), ("7", 9));
    assert!(joined.is_closed(1) && !joined.is_closed(0) && !joined.is_closed(3));
    assert!(text.contains("m=audio 0 RTP/AVP 0 8\r\n"), "{text}");
    assert!(!text.contains("rtpmap"), "{text}");
    for index in [0, 2] {
        assert_eq!(
            joined.message_media_at(index).unwrap(),
            offer.message_media_at(index).unwrap()
        );
    }
    let ended = offer.closed(2).unwrap();
    let text = joined.join(
        10,
        &[
            Place::Open(&chat),
            Place::Closed(&audio),
            Place::Closed(&ended),
        ],
    );
    assert!(text.contains("m=message 0 TCP/MSRP *\r\n"), "{text}");
    assert!(
        text.contains("a=file-transfer-id:xyz\r\n") && text.contains("a=file-selector:"),
        "{text}"
    );
    assert!(
        !text.contains("file-date") && !text.contains("/file;tcp"),
        "{text}"
    );
    assert_eq!(offer.closed(3), None);
}

#[test]
fn text_that_is_joined_again_is_the_same() {
    let offer = Description::parse(OFFER).unwrap();
    let alone = Description::parse(&offer.only(0).unwrap()).unwrap();
    let once = alone.join(3, &[Place::Open(&alone)]);
    let again = Description::parse(&once).unwrap();
    assert_eq!(again.join(3, &[Place::Open(&again)]), once);
}
