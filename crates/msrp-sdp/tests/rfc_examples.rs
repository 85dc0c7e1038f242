//! The session descriptions that the standards print, read as values.

use msrp_sdp::{AddressMatch, Description, Direction, MessageMedia, Protocol, SdpError};

/// Reads a description whose lines are indented, as the standards print them.
fn read(indented: &str) -> Result<MessageMedia, SdpError> {
    let lines: Vec<&str> = indented
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    Description::parse(&(lines.join("\r\n") + "\r\n"))
        .and_then(|description| description.message_media())
}

fn path(media: &MessageMedia) -> Vec<&str> {
    media
        .path
        .iter()
        .map(msrp_wire::MsrpUriBuf::as_str)
        .collect()
}

// covers: MSRP-4975-8.1-02, MSRP-4975-8.1-03
#[test]
fn rfc4975_offer_is_read() {
    let media = read(
        "v=0
        o=usera 2890844526 2890844527 IN IP4 alice.example.com
        s= -
        c=IN IP4 alice.example.com
        t=0 0
        m=message 7394 TCP/MSRP *
        a=accept-types:message/cpim text/plain text/html
        a=path:msrp://alice.example.com:7394/2s93i93idj;tcp",
    )
    .unwrap();
    assert_eq!(media.index, 0);
    assert_eq!(media.protocol, Protocol::TcpMsrp);
    assert_eq!(media.port, 7394);
    assert_eq!(media.connection.as_deref(), Some("alice.example.com"));
    assert_eq!(
        path(&media),
        ["msrp://alice.example.com:7394/2s93i93idj;tcp"]
    );
    assert_eq!(
        media.accept_types,
        ["message/cpim", "text/plain", "text/html"]
    );
    assert!(media.accept_wrapped_types.is_empty());
    assert_eq!(media.max_size, None);
    assert_eq!(media.direction, Direction::SendRecv);
    assert_eq!(media.setup, None);
    assert_eq!(media.chatroom, None);
    assert!(!media.cema);
    assert_eq!(media.fingerprint, None);
    assert_eq!(media.attributes.len(), 2);
    assert_eq!(media.address_match(), AddressMatch::Matches);
}

#[test]
fn rfc4975_fingerprint_example_is_read() {
    let media = read(
        "v=0
        c=IN IP4 atlanta.example.com
        m=message 7654 TCP/TLS/MSRP *
        a=accept-types:text/plain
        a=path:msrps://atlanta.example.com:7654/jshA7weso3ks;tcp
        a=fingerprint:SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB",
    )
    .unwrap();
    assert_eq!(media.protocol, Protocol::TcpTlsMsrp);
    assert_eq!(
        media.fingerprint.as_deref(),
        Some("SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB")
    );
}

// covers: MSRP-4975-8.3-01
#[test]
fn rfc4976_answer_behind_a_relay_keeps_the_order_of_the_path() {
    let media = read(
        "v=0
        c=IN IP4 bob.example.com
        m=message 1234 TCP/TLS/MSRP *
        a=accept-types: message/cpim text/plain
        a=path:msrps://relay.example.com:9000/hjdhfha;tcp msrps://bob.example.com:1234/fuige;tcp",
    )
    .unwrap();
    let expected = [
        "msrps://relay.example.com:9000/hjdhfha;tcp",
        "msrps://bob.example.com:1234/fuige;tcp",
    ];
    assert_eq!(path(&media), expected);
    assert_eq!(media.accept_types, ["message/cpim", "text/plain"]);
    assert!(media.uses_relay());
    assert_eq!(
        media.connect_address(false),
        ("relay.example.com".to_owned(), 9000)
    );
}

#[test]
fn rfc5547_offer_of_a_file_keeps_its_file_attributes() {
    let media = read(
        r#"v=0
        o=alice 2890844526 2890844526 IN IP4 host.atlanta.example.com
        s=
        c=IN IP4 host.atlanta.example.com
        t=0 0
        m=message 7654 TCP/MSRP *
        i=This is my latest picture
        a=sendonly
        a=accept-types:message/cpim
        a=accept-wrapped-types:*
        a=path:msrp://atlanta.example.com:7654/jshA7we;tcp
        a=file-selector:name:"My cool picture.jpg" type:image/jpeg size:32349 hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E
        a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd
        a=file-disposition:attachment
        a=file-date:creation:"Mon, 15 May 2006 15:01:31 +0300"
        a=file-icon:cid:id2@alicepc.example.com
        a=file-range:1-32349"#,
    )
    .unwrap();
    assert_eq!(media.direction, Direction::SendOnly);
    assert!(media.accepts_inside("message/cpim", "image/jpeg"));
    assert!(!media.accepts("image/jpeg"));
    let copied = media.copyable_attributes();
    let names: Vec<&str> = copied.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "sendonly",
        "file-selector",
        "file-transfer-id",
        "file-disposition",
        "file-date",
        "file-icon",
        "file-range",
    ];
    assert_eq!(names, expected);
    let selector = r#"name:"My cool picture.jpg" type:image/jpeg size:32349 hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E"#;
    assert_eq!(
        copied.get(1).and_then(|(_, value)| value.as_deref()),
        Some(selector)
    );
}

#[test]
fn rfc5547_capabilities_have_no_usable_section() {
    let media = read(
        "v=0
        o=bob 2890844656 2890855439 IN IP4 bobpc.example.com
        s=-
        c=IN IP4 bobpc.example.com
        t=0 0
        m=message 0 TCP/MSRP *
        a=accept-types:message/cpim
        a=accept-wrapped-types:*
        a=max-size:20000
        a=file-selector",
    );
    assert_eq!(media, Err(SdpError::MediaRefused));
}

#[test]
fn rfc7701_answer_of_a_chat_room_is_read() {
    let media = read(
        "v=0
        o=chat 2890844527 2890844527 IN IP4 chat.example.com
        s=-
        c=IN IP4 chat.example.com
        m=message 12763 TCP/MSRP *
        a=accept-types:message/cpim
        a=accept-wrapped-types:text/plain text/html *
        a=path:msrp://chat.example.com:12763/kjhd37s2s20w2a;tcp
        a=chatroom:nickname private-messages",
    )
    .unwrap();
    assert_eq!(
        media.chatroom,
        Some(vec!["nickname".to_owned(), "private-messages".to_owned()])
    );
    assert!(media.supports_nicknames());
    assert!(media.supports_private_messages());
    assert!(media.accepts("message/cpim"));
    assert!(!media.accepts("text/plain"));
    assert!(media.accepts_inside("message/cpim", "application/xml"));
}

#[test]
fn rfc7977_offer_of_a_websocket_client_is_read() {
    let media = read(
        "v=0
        c=IN IP4 a.example.com
        m=message 1234 TCP/TLS/MSRP *
        a=accept-types:message/cpim text/plain text/html
        a=path:msrps://a.example.com:2855/jui787s2f;tcp msrps://df7jal23ls0d.invalid:2855/98cjs;ws",
    )
    .unwrap();
    assert_eq!(media.path.len(), 2);
    assert_eq!(
        media.connect_address(false),
        ("a.example.com".to_owned(), 2855)
    );
}
