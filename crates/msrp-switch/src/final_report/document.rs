//! The XML of a final report, in documents of bounded size.
//!
//! # Spec
//! OMA SIMPLE IM Appendix O.1; AMB-03, AMB-06.

use msrp_wire::MessageId;

use super::{NAMESPACE, ReportLeg, Status};

/// Writes the results that were not told before, in as many documents as it takes. With `is_last`
/// the last one says that it is.
/// A document with one leg may be longer than `octets_max`.
pub(crate) fn write(
    message_id: MessageId,
    legs: &[ReportLeg],
    octets_max: usize,
    is_last: bool,
) -> Vec<Vec<u8>> {
    let head = head(message_id, false);
    let around = self::head(message_id, true).len().saturating_add(END.len());
    let mut documents = Vec::new();
    let mut lines = String::new();
    for leg in legs {
        let Some(status) = leg.unreported() else {
            continue;
        };
        let line = line(&leg.uri, status);
        let octets = around
            .saturating_add(lines.len())
            .saturating_add(line.len());
        if octets > octets_max && !lines.is_empty() {
            documents.push(document(&head, &lines));
            lines.clear();
        }
        lines.push_str(&line);
    }
    documents.push(document(&self::head(message_id, is_last), &lines));
    documents
}

fn document(head: &str, lines: &str) -> Vec<u8> {
    [head, lines, END].concat().into_bytes()
}

fn head(message_id: MessageId, is_last: bool) -> String {
    let mut head = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<final xmlns=\"{NAMESPACE}\" Message-ID=\""
    );
    escape(&mut head, message_id.as_str());
    head.push('"');
    if is_last {
        head.push_str(" last=\"true\"");
    }
    head.push_str(">\r\n");
    head
}

fn line(uri: &str, status: Status) -> String {
    let mut line = "<leg uri=\"".to_owned();
    escape(&mut line, uri);
    let status = match status {
        Status::Code(code) => format!("\" status=\"{code}\"/>\r\n"),
        Status::TooLarge(max) => format!("\" status=\"9999\" max-size=\"{max}\"/>\r\n"),
    };
    line.push_str(&status);
    line
}

/// Appends a text so that it can stand in an attribute. What XML 1.0 cannot hold becomes the
/// replacement character.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
}

const END: &str = "</final>\r\n";

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use msrp_wire::StatusCode;

    use super::*;

    fn leg(uri: &str, status: Status) -> ReportLeg {
        ReportLeg::withheld(&Rc::from(uri), status)
    }

    // covers: FR-O.1-01, FR-O.1-08
    #[test]
    fn document_text_is_escaped_and_holds_what_xml_can_hold() {
        let ok = Status::Code(StatusCode::OK);
        let legs = [
            leg("sip:a&<>\"'\u{1}\n@é.example", ok),
            leg("sip:b@example.com", Status::TooLarge(10_240)),
        ];
        let id = MessageId::parse(b"8822-1aB").unwrap();
        let documents = write(id, &legs, 10_239, true);
        assert_eq!(
            String::from_utf8(documents.concat()).unwrap(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <final xmlns=\"urn:oma:xml:poc:final-report\" Message-ID=\"8822-1aB\" last=\"true\">\r\n\
             <leg uri=\"sip:a&amp;&lt;&gt;&quot;&apos;\u{fffd}&#10;@é.example\" status=\"200\"/>\r\n\
             <leg uri=\"sip:b@example.com\" status=\"9999\" max-size=\"10240\"/>\r\n</final>\r\n"
        );
    }

    // covers: FR-5.7.3-11, FR-5.7.3-17, FR-O.1-05
    #[test]
    fn document_over_the_bound_is_split_and_the_last_part_says_so() {
        let legs: Vec<ReportLeg> = (0..300)
            .map(|i| {
                leg(
                    &format!("sip:someone-{i:03}@{}.example", "x".repeat(i)),
                    Status::Code(StatusCode::TIMEOUT),
                )
            })
            .collect();
        let id = MessageId::parse(b"8822-1aB").unwrap();
        let documents = write(id, &legs, 10_239, true);
        assert!(documents.len() > 1);
        let mut uris = Vec::new();
        for (index, document) in documents.iter().enumerate() {
            assert!(document.len() < 10_240);
            let text = String::from_utf8(document.clone()).unwrap();
            let is_last = index + 1 == documents.len();
            assert_eq!(text.contains(" last=\"true\""), is_last);
            uris.extend(
                text.split("uri=\"")
                    .skip(1)
                    .map(|rest| rest[..19].to_owned()),
            );
        }
        let expected: Vec<String> = legs.iter().map(|leg| leg.uri[..19].to_owned()).collect();
        assert_eq!(uris, expected);
        assert_eq!(write(id, &[], 10_239, true).len(), 1);
    }
}
