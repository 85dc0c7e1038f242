//! The stream of frames, cut anywhere.

use proptest::prelude::*;

use super::*;

fn opened() -> WebSocket {
    WebSocket {
        state: State::Open(Reader::default()),
        has_sent_close: false,
    }
}

/// A masked frame as a client sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 77, 177, 250];
    let mut frame = Vec::new();
    frame::write_header(&mut frame, Opcode::Binary, payload.len());
    frame[0] = first;
    frame[1] |= 0x80;
    frame.extend_from_slice(&mask);
    frame.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(octet, mask)| octet ^ mask),
    );
    frame
}

/// What a WebSocket makes of octets: MSRP, answers, and how it ended.
fn read(octets: &[u8]) -> (Vec<u8>, Vec<u8>, Result<(), Failure>) {
    let (mut plain, mut answer) = (Vec::new(), Vec::new());
    let read = opened().receive(octets, (&mut plain, &mut answer), true);
    (plain, answer, read)
}

// covers: MSRP-7977-4.2-01, MSRP-7977-4.2-02
#[test]
fn text_and_binary_and_fragments_give_their_octets_as_they_are() {
    let octets = [
        frame(0x81, b"\xff\xfetext"),
        frame(0x82, b"binary"),
        frame(0x02, b"fra"),
        frame(0x89, b"hello"),
        frame(0x00, b"gme"),
        frame(0x80, b"nts"),
        frame(0x82, b""),
    ]
    .concat();
    let (plain, answer, read) = read(&octets);
    assert_eq!(read, Ok(()));
    assert_eq!(plain, b"\xff\xfetextbinaryfragments");
    assert_eq!(answer, b"\x8a\x05hello");
}

#[test]
fn frames_out_of_place_end_the_websocket_with_1002() {
    for octets in [
        frame(0x80, b"continues nothing"),
        [frame(0x01, b"open"), frame(0x82, b"another")].concat(),
        frame(0x88, b"\x03"),
        frame(0x88, &1005u16.to_be_bytes()),
        frame(0xc2, b"compressed"),
        b"\x82\x05plain".to_vec(),
    ] {
        let (_, answer, read) = read(&octets);
        assert_eq!(read, Err(Failure::Frame), "{octets:x?}");
        assert_eq!(answer, b"\x88\x02\x03\xea", "{octets:x?}");
    }
}

#[test]
fn message_that_is_too_long_ends_the_websocket_with_1009_before_its_payload() {
    let mut header = vec![0x82, 0xff];
    header.extend_from_slice(&(MESSAGE_OCTETS_MAX + 1).to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    let in_parts = [frame(0x02, b"a"), {
        let mut header = vec![0x00, 0xff];
        header.extend_from_slice(&MESSAGE_OCTETS_MAX.to_be_bytes());
        header.extend_from_slice(&[0; 4]);
        header
    }]
    .concat();
    for octets in [header, in_parts] {
        let (_, answer, read) = read(&octets);
        assert_eq!(read, Err(Failure::MessageTooLong));
        assert_eq!(answer, b"\x88\x02\x03\xf1");
    }
}

#[test]
fn close_is_answered_with_its_code_and_nothing_is_read_after_it() {
    for (payload, echoed) in [
        (&b"\x03\xe9bye"[..], &b"\x88\x02\x03\xe9"[..]),
        (b"", b"\x88\x00"),
    ] {
        let octets = [frame(0x88, payload), frame(0x82, b"late")].concat();
        let (plain, answer, read) = read(&octets);
        assert_eq!(
            (plain.as_slice(), answer.as_slice(), read),
            (&b""[..], echoed, Ok(()))
        );
    }
}

#[test]
fn close_of_ours_is_not_said_twice() {
    let mut websocket = opened();
    let (mut plain, mut answer) = (Vec::new(), Vec::new());
    websocket.close(Some(CloseCode::NORMAL), &mut answer);
    let echo = frame(0x88, &1000u16.to_be_bytes());
    websocket
        .receive(&echo, (&mut plain, &mut answer), true)
        .unwrap();
    assert_eq!(answer, b"\x88\x02\x03\xe8");
    assert!(websocket.is_closed());
}

/// Frames of a client and the MSRP in them.
fn conversation() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let payload = proptest::collection::vec(any::<u8>(), 0..300);
    let message = (
        proptest::collection::vec(payload, 1..4),
        any::<bool>(),
        any::<bool>(),
    );
    proptest::collection::vec(message, 1..6).prop_map(|messages| {
        let (mut wire, mut plain) = (Vec::new(), Vec::new());
        for (fragments, is_text, has_ping) in messages {
            let last = fragments.len() - 1;
            for (index, payload) in fragments.iter().enumerate() {
                let opcode = if index > 0 {
                    0
                } else if is_text {
                    1
                } else {
                    2
                };
                wire.extend(frame(
                    opcode | if index == last { 0x80 } else { 0 },
                    payload,
                ));
                if has_ping {
                    wire.extend(frame(0x89, b"ping"));
                }
                plain.extend_from_slice(payload);
            }
        }
        (wire, plain)
    })
}

proptest! {
    #[test]
    fn frames_cut_anywhere_give_the_same_octets(
        (wire, expected) in conversation(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len())).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let mut websocket = opened();
        let (mut plain, mut answer) = (Vec::new(), Vec::new());
        for ends in cuts.windows(2) {
            websocket.receive(&wire[ends[0]..ends[1]], (&mut plain, &mut answer), true).unwrap();
        }
        prop_assert_eq!(plain, expected);
    }

    #[test]
    fn octets_of_any_kind_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&octets);
        let mut websocket = WebSocket::accept(Arc::new(Origins::any()));
        let _ = websocket.receive(&octets, (&mut Vec::new(), &mut Vec::new()), true);
    }
}
