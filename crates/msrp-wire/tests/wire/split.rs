//! Properties of the decoder: reads may cut anywhere, nothing panics, and a plain search agrees.

use msrp_wire::{ContinuationFlag, Decoder, Limits, TransactionId};
use proptest::prelude::*;

use crate::seen::{self, Seen};

/// Finds the end line as the grammar says it, octet by octet, in a text that starts behind the blank line.
fn plain_search(text: &[u8], tid: &[u8]) -> Option<(usize, u8)> {
    let with_blank_line: Vec<u8> = [b"\r\n", text].concat();
    let line_octets = 9 + tid.len() + 3;
    with_blank_line
        .windows(line_octets)
        .enumerate()
        .find_map(|(at, window)| {
            let (start, rest) = window.split_at(9);
            let (id, end) = rest.split_at(tid.len());
            let fits = start == b"\r\n-------"
                && id == tid
                && b"$+#".contains(&end[0])
                && &end[1..] == b"\r\n";
            fits.then_some((at.saturating_sub(2), end[0]))
        })
}

/// Texts made of pieces of end lines.
fn body_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"-".to_vec()),
        Just(b"-------".to_vec()),
        Just(b"\r\n-------".to_vec()),
        Just(b"abcd".to_vec()),
        Just(b"abcde".to_vec()),
        Just(b"\r\n-------abcd".to_vec()),
        Just(b"\r\n-------abcd$".to_vec()),
        Just(b"\r\n-------abcd*\r\n".to_vec()),
        Just(b"\r\n-------abcd+\r\n".to_vec()),
        Just(b"-------abcd#\r\n".to_vec()),
        Just(b"$\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..80),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn cut(text: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = cuts
        .iter()
        .map(|index| index.index(text.len() + 1))
        .collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| text[pair[0]..pair[1]].to_vec())
        .collect()
}

fn head(lines: &str) -> Vec<u8> {
    format!(
        "MSRP abcd SEND\r\n{}Message-ID: 8765\r\n{lines}Content-Type: a/b\r\n\r\n",
        seen::PATHS
    )
    .into_bytes()
}

/// Frames of all kinds, most of them legal.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let frame = prop_oneof![
        body_text().prop_map(|body| [head(""), body, b"\r\n-------abcd$\r\n".to_vec()].concat()),
        body_text().prop_map(|body| [
            head("Byte-Range: x\r\n"),
            body,
            b"\r\n-------abcd$\r\n".to_vec()
        ]
        .concat()),
        Just(seen::send("", None)),
        Just(format!("MSRP zz99 200 OK\r\n{}-------zz99$\r\n", seen::PATHS).into_bytes()),
        body_text().prop_map(|body| {
            let head = format!("MSRP abcd 413\r\n{}\r\n", seen::PATHS).into_bytes();
            [head, body, b"\r\n-------abcd$\r\n".to_vec()].concat()
        }),
        Just(b"MSRP abcd SEND\r\nX\r\n-------abcd$\r\n".to_vec()),
    ];
    prop::collection::vec(frame, 1..5).prop_map(|frames| frames.concat())
}

/// Long reads are searched in another way than short ones.
#[test]
fn end_line_behind_a_long_body_is_found_wherever_it_is_cut() {
    let body = [vec![b'x'; 700], b"\r\n-------abc\r\r\n--".to_vec()].concat();
    let start = head("").len();
    let text = [&head("")[..], &body, b"\r\n-------abcd+\r\n"].concat();
    let mut long = body.clone();
    long.extend([b'y'; 900]);
    let decoder = || Decoder::new(Limits::default());
    for cut in start + 513..text.len() {
        let (first, second) = text.split_at(cut);
        let seen = seen::decode_with(&mut decoder(), [&first[..start], &first[start..], second]);
        assert_eq!(seen::only_body(&seen), body, "cut at {cut}");
        assert_eq!(seen.last(), Some(&Seen::End(ContinuationFlag::More)));
    }
    // A beginning of an end line that is none goes on as body, however long the second read is.
    for cut in 1..12 {
        let begun = &b"\r\n-------abcd+\r\n"[..cut];
        let whole = [&long[..], begun, &long[..], b"\r\n-------abcd$\r\n"].concat();
        let first = long.len() + cut;
        let seen = seen::decode_with(
            &mut decoder(),
            [&head("")[..], &whole[..first], &whole[first..]],
        );
        assert_eq!(
            seen::only_body(&seen),
            [&long[..], begun, &long[..]].concat()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn body_scan_agrees_with_a_plain_search(
        body in body_text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let text = [body, b"\r\n-------abcd$\r\n".to_vec()].concat();
        let (octets, flag) = plain_search(&text, b"abcd").unwrap();
        let whole = [head(""), text[..octets].to_vec(), b"\r\n-------abcd".to_vec(), vec![flag], b"\r\n".to_vec()].concat();
        let rest = [head(""), text.clone()].concat();
        let expected = seen::decode(&whole);
        prop_assert_eq!(seen::only_body(&expected), &text[..octets]);
        let seen = seen::decode_pieces(cut(&rest, &cuts).iter().map(Vec::as_slice));
        prop_assert_eq!(&seen[..expected.len()], expected.as_slice());
    }

    #[test]
    fn frames_cut_anywhere_read_as_when_whole(
        text in frames(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let whole = seen::decode(&text);
        prop_assert_eq!(&seen::decode_pieces(cut(&text, &cuts).iter().map(Vec::as_slice)), &whole);
        prop_assert_eq!(&seen::decode_pieces(text.chunks(1)), &whole);
    }

    #[test]
    fn frames_with_changed_octets_cut_anywhere_read_as_when_whole(
        text in frames(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut text = text;
        for (index, octet) in changes {
            let at = index.index(text.len());
            text[at] = octet;
        }
        let whole = seen::decode(&text);
        prop_assert_eq!(seen::decode_pieces(cut(&text, &cuts).iter().map(Vec::as_slice)), whole);
    }

    #[test]
    fn garbage_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..400), start in 0..3_usize) {
        let start: &[u8] = [b"".as_slice(), b"MSRP abcd SEND\r\n", b"MSRP abcd 200 OK\r\n"][start];
        let text = [start, &garbage].concat();
        prop_assert_eq!(seen::decode(&text), seen::decode_pieces(text.chunks(3)));
    }

    #[test]
    fn id_that_does_not_occur_keeps_the_body_whole(
        body in body_text(),
        bits in any::<u128>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let slices = cut(&body, &cuts);
        let occurs = |tid| msrp_wire::end_line_occurs(slices.iter().map(Vec::as_slice), tid);
        let known = TransactionId::parse(b"abcd").unwrap();
        let needle = b"-------abcd";
        prop_assert_eq!(occurs(known), body.windows(needle.len()).any(|window| window == needle));
        prop_assert!(!occurs(TransactionId::from_random(bits)));
    }
}

#[test]
fn body_scan_finds_a_planted_early_end() {
    // The properties above would miss a scanner that never ends early if no text held an end line.
    let text = [
        head(""),
        b"x\r\n-------abcd+\r\n".to_vec(),
        seen::send("", None),
    ]
    .concat();
    let mut decoder = Decoder::new(Limits::default());
    let seen = seen::decode_with(&mut decoder, [text.as_slice()]);
    assert!(matches!(
        seen.as_slice(),
        [
            Seen::Request(_),
            Seen::Body(_),
            Seen::End(_),
            Seen::Request(_),
            Seen::End(_)
        ]
    ));
}
