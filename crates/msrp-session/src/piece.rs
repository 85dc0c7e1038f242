//! A piece: one complete SEND of ours, in parts that all its recipients share.
//!
//! ```text
//!   MSRP tid SEND CRLF                       start   shared
//!   To-Path: ... CRLF From-Path: ... CRLF    paths   the recipient's own, made once per session
//!   Message-ID ... Content-Type CRLF CRLF    tail    shared
//!   body octets                              body    shared handles on the receive buffers
//!   CRLF ------- tid flag CRLF               end     shared
//! ```
//!
//! A recipient costs a list of pointers: nothing is built or copied for it.
//!
//! A piece without octets, as ends a message that its sender gave up, has an empty body and not
//! none: a SEND without body is a sign of life (AMB-70), not a chunk.
//!
//! # Fix the bytes, then draw the id
//!
//! [`Piece::compose`] takes the body complete and asks for the transaction id afterwards. As long
//! as bytes under a start line can still be chosen by a sender, nobody may know the id in that
//! line: a sender with one accomplice among the recipients could otherwise write the end line
//! inside the body and requests of its own after it, into everybody's stream. The id is also
//! looked for in the body, and drawn again if it occurs.

use std::rc::Rc;

use bytes::Bytes;
use msrp_wire::{
    ByteRange, ContentTypeBuf, ContinuationFlag, FailureReport, MessageId, Method,
    RelayedHeadersBuf, SuccessReport, TransactionId, encode, end_line_occurs,
};
use smallvec::SmallVec;

/// The body of a piece: handles on the buffers in which it arrived, in order.
pub type PieceBody = SmallVec<[Bytes; 2]>;

/// The header fields of a piece, all from parsed values.
#[derive(Debug, Clone)]
pub struct PieceFields {
    /// The message it belongs to.
    pub message_id: MessageId,
    /// Its exact octets in the message, and the total where it is known.
    pub byte_range: ByteRange,
    /// Whether the recipient is asked for success REPORTs.
    pub success_report: SuccessReport,
    /// Whether the recipient is asked for responses and failure REPORTs.
    pub failure_report: FailureReport,
    /// The sender's header fields that travel on.
    pub relayed: Rc<RelayedHeadersBuf>,
    /// The type of the whole message.
    pub content_type: Rc<ContentTypeBuf>,
    /// How the piece ends.
    pub flag: ContinuationFlag,
}

/// One complete SEND without its path lines. See the module's text.
#[derive(Debug, Clone)]
pub struct Piece {
    id: TransactionId,
    /// Start line, tail and end line, one after the other.
    lines: Box<[u8]>,
    start_octets: usize,
    end_octets: usize,
    body: PieceBody,
    body_octets: usize,
    flag: ContinuationFlag,
    continues: Option<u32>,
}

impl Piece {
    /// Puts a piece together around a complete body. `draw` gives unpredictable transaction ids;
    /// it is called after the body is fixed, again while the id occurs in the body.
    ///
    /// One allocation, whatever the number of recipients.
    ///
    /// # Spec
    /// RFC 4975 s.7.1.
    pub fn compose(
        fields: &PieceFields,
        body: PieceBody,
        mut draw: impl FnMut() -> TransactionId,
    ) -> Self {
        let mut id = draw();
        while occurs(id, &body) {
            id = draw();
        }
        let body_octets = body.iter().map(Bytes::len).sum();
        let mut lines = Vec::with_capacity(LINES_OCTETS_USUAL);
        encode::start_line(&mut lines, id, &Method::Send);
        let start_octets = lines.len();
        encode::send_headers_tail(
            &mut lines,
            &encode::SendTail {
                message_id: fields.message_id,
                byte_range: Some(fields.byte_range),
                success_report: fields.success_report,
                failure_report: fields.failure_report,
                relayed: fields.relayed.lines(),
                content_type: Some(fields.content_type.as_content_type()),
            },
        );
        let before_end = lines.len();
        encode::body_end(&mut lines, id, fields.flag);
        let end_octets = lines.len().saturating_sub(before_end);
        Self {
            id,
            lines: lines.into_boxed_slice(),
            start_octets,
            end_octets,
            body,
            body_octets,
            flag: fields.flag,
            continues: (fields.byte_range.start > SMALL_OCTETS_MAX)
                .then(|| number_of(fields.message_id)),
        }
    }

    /// The same piece under another id, for a second session on one connection: there the ids of
    /// outstanding transactions must differ (RFC 4975 s.7.1). The body is shared.
    #[must_use]
    pub fn renamed(&self, mut draw: impl FnMut() -> TransactionId) -> Self {
        let mut id = draw();
        while occurs(id, &self.body) {
            id = draw();
        }
        let mut lines = Vec::with_capacity(self.lines.len());
        encode::start_line(&mut lines, id, &Method::Send);
        let start_octets = lines.len();
        lines.extend_from_slice(self.tail());
        let before_end = lines.len();
        encode::body_end(&mut lines, id, self.flag);
        let end_octets = lines.len().saturating_sub(before_end);
        Self {
            id,
            lines: lines.into_boxed_slice(),
            start_octets,
            end_octets,
            ..self.clone()
        }
    }

    /// The transaction id.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// The start line with its line end.
    #[must_use]
    pub fn start(&self) -> &[u8] {
        self.lines.get(..self.start_octets).unwrap_or_default()
    }

    /// The header fields after the paths, and the blank line.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        let end = self.lines.len().saturating_sub(self.end_octets);
        self.lines.get(self.start_octets..end).unwrap_or_default()
    }

    /// The body's buffers in order.
    #[must_use]
    pub fn body(&self) -> &[Bytes] {
        &self.body
    }

    /// The end line, with the line end before it.
    #[must_use]
    pub fn end(&self) -> &[u8] {
        let end = self.lines.len().saturating_sub(self.end_octets);
        self.lines.get(end..).unwrap_or_default()
    }

    /// Octets of the body.
    #[must_use]
    pub fn body_octets(&self) -> usize {
        self.body_octets
    }

    /// For a piece that continues a large message: a number that is the same for all of its pieces; two
    /// messages seldom share one. `None` for a piece that starts a message, and for one of its first 16 KiB:
    /// nothing has to go before the rest of those.
    #[must_use]
    pub fn continues(&self) -> Option<u32> {
        self.continues
    }

    /// Octets of everything but the path lines.
    #[must_use]
    pub fn octets_without_paths(&self) -> usize {
        self.lines.len().saturating_add(self.body_octets)
    }
}

/// Whether an end line of this id could stand in the body.
fn occurs(id: TransactionId, body: &[Bytes]) -> bool {
    end_line_occurs(body.iter().map(AsRef::as_ref), id)
}

/// A message that has more octets is large.
const SMALL_OCTETS_MAX: u64 = 16 * 1024;

/// A number for a message (FNV-1a).
fn number_of(message_id: MessageId) -> u32 {
    let octets = message_id.as_bytes().iter();
    octets.fold(0x811c_9dc5, |number, octet| {
        (number ^ u32::from(*octet)).wrapping_mul(0x0100_0193)
    })
}

/// Start line, tail and end line together are seldom longer, in octets.
const LINES_OCTETS_USUAL: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(flag: ContinuationFlag) -> PieceFields {
        PieceFields {
            message_id: MessageId::parse(b"m1234").unwrap(),
            byte_range: ByteRange {
                start: 1,
                end: Some(5),
                total: Some(5),
            },
            success_report: SuccessReport::No,
            failure_report: FailureReport::Partial,
            relayed: Rc::new(RelayedHeadersBuf::default()),
            content_type: Rc::new(ContentTypeBuf::parse(b"message/cpim").unwrap()),
            flag,
        }
    }

    fn whole(piece: &Piece) -> String {
        let mut out = piece.start().to_vec();
        out.extend_from_slice(b"To-Path: t\r\nFrom-Path: f\r\n");
        out.extend_from_slice(piece.tail());
        for slice in piece.body() {
            out.extend_from_slice(slice);
        }
        out.extend_from_slice(piece.end());
        String::from_utf8(out).unwrap()
    }

    // covers: MSRP-4975-7.1-03, MSRP-4975-7.1-04, MSRP-4975-7.1-05, MSRP-4975-7.1-09
    // covers: MSRP-4975-7.1-10, MSRP-4975-7.1-11, MSRP-4975-7.1.1-03
    #[test]
    fn piece_with_body_is_a_complete_send() {
        let body = PieceBody::from_iter([Bytes::from_static(b"he"), Bytes::from_static(b"llo")]);
        let id = TransactionId::parse(b"abcd1234").unwrap();
        let piece = Piece::compose(&fields(ContinuationFlag::Last), body, || id);
        assert_eq!(
            whole(&piece),
            "MSRP abcd1234 SEND\r\nTo-Path: t\r\nFrom-Path: f\r\nMessage-ID: m1234\r\n\
             Byte-Range: 1-5/5\r\nFailure-Report: partial\r\nContent-Type: message/cpim\r\n\r\n\
             hello\r\n-------abcd1234$\r\n"
        );
    }

    // covers: MSRP-4975-7.1-12
    #[test]
    fn piece_of_no_octets_is_a_chunk_with_an_empty_body() {
        let id = TransactionId::parse(b"abcd1234").unwrap();
        let piece = Piece::compose(&fields(ContinuationFlag::Abort), PieceBody::new(), || id);
        assert!(
            whole(&piece).ends_with("Content-Type: message/cpim\r\n\r\n\r\n-------abcd1234#\r\n")
        );
    }

    // covers: MSRP-4975-7.1-14, MSRP-4975-7.1-15
    #[test]
    fn piece_id_that_occurs_in_the_body_is_drawn_again() {
        let splits: [&[&[u8]]; 3] = [
            &[b"x\r\n-------first000$\r\ny"],
            &[b"x\r\n-------fir", b"st000$\r\ny"],
            &[b"x\r\n-----", b"--f", b"irs", b"t", b"000$\r\n", b"y"],
        ];
        for split in splits {
            let body: PieceBody = split.iter().map(|s| Bytes::copy_from_slice(s)).collect();
            let mut ids = ["first000", "second00"]
                .map(|id| TransactionId::parse(id.as_bytes()).unwrap())
                .into_iter();
            let piece = Piece::compose(&fields(ContinuationFlag::Last), body, || {
                ids.next().unwrap()
            });
            assert_eq!(piece.id().as_bytes(), b"second00");
        }
    }

    proptest! {
        // covers: MSRP-4975-7.1-14
        #[test]
        fn piece_id_is_found_in_a_body_however_it_is_split(
            before in proptest::collection::vec(any::<u8>(), 0..40),
            keep in 0_usize..=15,
            after in proptest::collection::vec(any::<u8>(), 0..40),
            cuts in proptest::collection::vec(0_usize..100, 0..8),
        ) {
            let id = TransactionId::parse(b"abcd1234").unwrap();
            let end_line = b"-------abcd1234";
            let whole = [&before[..], &end_line[..keep], &after[..]].concat();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (whole.len() + 1)).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let body: Vec<Bytes> = cuts
                .windows(2)
                .map(|cut| Bytes::copy_from_slice(&whole[cut[0]..cut[1]]))
                .collect();
            if whole.windows(end_line.len()).any(|window| window == end_line) {
                prop_assert!(occurs(id, &body));
            }
            if !whole.windows(8).any(|window| window == id.as_bytes()) {
                prop_assert!(!occurs(id, &body));
            }
        }
    }

    #[test]
    fn piece_renamed_differs_in_the_id_alone() {
        let body = PieceBody::from_iter([Bytes::from_static(b"hello")]);
        let first = TransactionId::parse(b"first000").unwrap();
        let second = TransactionId::parse(b"second00").unwrap();
        let piece = Piece::compose(&fields(ContinuationFlag::More), body, || first);
        let renamed = piece.renamed(|| second);
        assert_eq!(
            whole(&renamed),
            whole(&piece).replace("first000", "second00")
        );
    }
}
