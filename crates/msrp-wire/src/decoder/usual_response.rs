//! Responses as nearly all peers write them, read in one walk.
//!
//! A conference reads one response for each copy it sends, so that reading them is a good part of what a copy costs.
//! What is unusual, cut by a read, or wrong is left to the general reader, which tells what is wrong with it: whatever
//! is read here, that one reads in the same way.

use crate::end_line::{ContinuationFlag, HYPHENS};
use crate::head::ResponseHead;
use crate::header::Headers;
use crate::ident::TransactionId;
use crate::limits::Limits;
use crate::octet_class::OctetClass;
use crate::octets;
use crate::status::StatusCode;

/// Reads a response without body that lies whole at the start of `input`, and its length. `None` for anything else.
pub(super) fn usual_response<'a>(
    input: &'a [u8],
    limits: &Limits,
) -> Option<(ResponseHead<'a>, usize)> {
    let (id, rest) = OctetClass::IDENT.split_run(input.strip_prefix(b"MSRP ")?);
    let (code, rest) = match rest {
        [b' ', a @ b'0'..=b'9', b, c, rest @ ..] => ([*a, *b, *c], rest),
        _ => return None,
    };
    let transaction_id = TransactionId::of_run(id)?;
    let status = StatusCode::parse(&code).ok()?;
    let (comment, mut rest) = line(rest)?;
    if !matches!(comment, [] | [b' ', ..]) {
        return None;
    }
    let section = rest;
    for _ in 0..limits.header_lines_max.min(LINES_USUAL) {
        let (text, next) = line(rest)?;
        match text {
            [b'-', ..] => {
                let octets = input.len().checked_sub(next.len())?;
                let flag = text.strip_prefix(HYPHENS.as_slice())?.strip_prefix(id)?;
                let is_end =
                    matches!(flag, [flag] if ContinuationFlag::from_octet(*flag).is_some());
                let section = section.get(..section.len().checked_sub(rest.len())?)?;
                let head = ResponseHead {
                    transaction_id,
                    status,
                    comment: octets::comment(comment),
                    headers: Headers::of_section(section),
                };
                return (is_end && octets <= limits.head_octets_max).then_some((head, octets));
            }
            [] => return None,
            _ => rest = next,
        }
    }
    None
}

/// A line without its CR LF, and what is behind it.
fn line(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = text.split_at_checked(memchr::memchr3(b'\r', b'\n', 0, text)?)?;
    Some((line, rest.strip_prefix(b"\r\n")?))
}

/// Lines behind the first one, the end line included: both paths, and a few more.
const LINES_USUAL: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Decoder, Event};

    const USUAL: &[u8] =
        b"MSRP a786hjs2 200 OK\r\nTo-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp\r\n\
        From-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp\r\n-------a786hjs2$\r\n";

    type Told = (TransactionId, StatusCode, Option<Vec<u8>>, Vec<Vec<u8>>);

    fn told(head: &ResponseHead<'_>) -> Told {
        let lines = head.headers.map(|line| line.value.to_vec());
        let comment = head.comment.map(<[u8]>::to_vec);
        (head.transaction_id, head.status, comment, lines.collect())
    }

    /// As the general reader has it, which reads what comes in more than one part.
    fn read_generally(input: &[u8]) -> Option<Told> {
        let mut decoder = Decoder::new(Limits::default());
        let (first, mut rest) = input.split_at_checked(1)?;
        assert!(decoder.decode(first).ok()?.event.is_none());
        let step = decoder.decode(rest).ok()?;
        rest = rest.get(step.consumed..)?;
        match step.event {
            Some(Event::Response(head)) if rest.is_empty() => Some(told(&head)),
            _ => None,
        }
    }

    fn read_usually(input: &[u8]) -> Option<Told> {
        let (head, octets) = usual_response(input, &Limits::default())?;
        assert_eq!(octets, input.len());
        Some(told(&head))
    }

    #[test]
    fn response_of_the_usual_form_is_read_with_what_it_says() {
        let (id, status, comment, lines) = read_usually(USUAL).unwrap();
        assert_eq!(id.as_bytes(), b"a786hjs2");
        assert_eq!(
            (status.value(), comment.as_deref()),
            (200, Some(&b"OK"[..]))
        );
        assert_eq!(lines.len(), 2);
        assert_eq!(read_generally(USUAL), read_usually(USUAL));
    }

    #[test]
    fn response_is_left_to_the_general_reader_when_anything_is_unusual() {
        let text = String::from_utf8(USUAL.to_vec()).unwrap();
        let cases = [
            text.replace("200 OK", "20 OK"),
            text.replace("200 OK", "2000 OK"),
            text.replace("200 OK", "SEND"),
            text.replace("-------a786hjs2$", "-------a786hjs2!"),
            text.replace("-------a786hjs2$", "-------a786hjs3$"),
            text.replace("-------a786hjs2$", "------a786hjs2$"),
            text.replace("-------a786hjs2$", "-------a786hjs2$ "),
            text.replace("-------a786hjs2$", "\r\n-------a786hjs2$"),
            text.replace("To-Path", "To-\0Path"),
            text.replace("To-Path", "To\rPath"),
            text.replace("To-Path", "To\nPath"),
            text.replace("To-Path", &"Other: x\r\n".repeat(8)),
            text.replace("a786hjs2", "a7"),
            text.replace("MSRP", "MSRQ"),
            text[..text.len() - 1].to_owned(),
            String::new(),
        ];
        for case in cases {
            assert!(read_usually(case.as_bytes()).is_none(), "{case}");
        }
    }

    proptest! {
        #[test]
        fn response_that_is_read_usually_is_read_generally_in_the_same_way(
            changes in proptest::collection::vec((0..USUAL.len(), prop_oneof![
                any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b' '), Just(0), b'0'..=b'9',
            ]), 0..3),
            cut in prop_oneof![Just(0), 0..USUAL.len()],
        ) {
            let mut input = USUAL.to_vec();
            for (at, octet) in changes {
                input[at] = octet;
            }
            input.truncate(USUAL.len() - cut);
            if let Some(told) = read_usually(&input) {
                prop_assert_eq!(read_generally(&input), Some(told));
            }
        }
    }
}
