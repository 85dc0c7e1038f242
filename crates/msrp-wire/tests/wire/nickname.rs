//! Requests for a nickname.

use msrp_wire::{Decoder, Event, Limits, Method, MsrpUriBuf, TransactionId, UseNickname, encode};

fn head_of<T>(text: &[u8], check: impl FnOnce(Event<'_>) -> T) -> T {
    let mut decoder = Decoder::new(Limits::default());
    check(decoder.decode(text).unwrap().event.unwrap())
}

// covers: MSRP-7701-7.1-04
#[test]
fn nickname_request_is_written_without_body_and_report_flags() {
    let mut out = Vec::new();
    encode::nickname(
        &mut out,
        TransactionId::parse(b"d93kswow").unwrap(),
        MsrpUriBuf::parse("msrp://chat.example.com:12763/kjhd;tcp").unwrap(),
        MsrpUriBuf::parse("msrp://client.example.com:7654/jshA;tcp").unwrap(),
        "Alice the great",
    );
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "MSRP d93kswow NICKNAME\r\n\
         To-Path: msrp://chat.example.com:12763/kjhd;tcp\r\n\
         From-Path: msrp://client.example.com:7654/jshA;tcp\r\n\
         Use-Nickname: \"Alice the great\"\r\n\
         -------d93kswow$\r\n"
    );
}

#[test]
fn nickname_request_of_any_value_is_read_and_its_value_judged_apart() {
    for (value, is_legal) in [
        ("\"Alice\"", true),
        ("\"\"", true),
        ("", false),
        ("Alice", false),
        ("\"a\u{1}b\"", false),
        ("\"a\u{7f}\"", false),
    ] {
        let text = format!(
            "MSRP d93kswow NICKNAME\r\nTo-Path: msrp://a:1/b;tcp\r\nFrom-Path: msrp://c:1/d;tcp\r\n\
             Use-Nickname: {value}\r\n-------d93kswow$\r\n"
        );
        head_of(text.as_bytes(), |event| {
            let Event::Request(head) = event else {
                panic!("{event:?}")
            };
            assert_eq!(head.method, Method::Nickname);
            let read = UseNickname::parse(head.use_nickname.unwrap());
            assert_eq!(read.is_ok(), is_legal, "{value:?}");
        });
    }
}
