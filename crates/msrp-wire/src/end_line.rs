//! End lines: seven hyphens, the transaction id, a flag.

use crate::ident::TransactionId;
use crate::limits::IDENT_OCTETS_MAX;

/// What follows after a chunk.
///
/// # Spec
/// RFC 4975 s.7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContinuationFlag {
    /// `$`: the chunk ends the message.
    Last,
    /// `+`: more of the message will come.
    More,
    /// `#`: the message is given up.
    Abort,
}

impl ContinuationFlag {
    /// The flag of a character.
    #[must_use]
    pub fn from_octet(c: u8) -> Option<Self> {
        match c {
            b'$' => Some(Self::Last),
            b'+' => Some(Self::More),
            b'#' => Some(Self::Abort),
            _ => None,
        }
    }

    /// The character.
    #[must_use]
    pub fn octet(self) -> u8 {
        match self {
            Self::Last => b'$',
            Self::More => b'+',
            Self::Abort => b'#',
        }
    }
}

/// The octets of an end line, stored inline; they can be shared by every copy that uses the same transaction id.
///
/// ```text
///  \r \n  - - - - - - -  a 7 8 6 h j s 2  $  \r \n
/// '-----' '------------------------------------'
///  only behind a body        the end line
/// ```
///
/// # Spec
/// RFC 4975 s.7.1, s.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndLine {
    octets: [u8; END_LINE_OCTETS_MAX],
    len: u8,
}

impl EndLine {
    /// The end line of a transaction.
    #[must_use]
    pub fn new(tid: TransactionId, flag: ContinuationFlag) -> Self {
        let mut octets = [0; END_LINE_OCTETS_MAX];
        let flag = [flag.octet()];
        let parts = [
            LINE_END,
            HYPHENS.as_slice(),
            tid.as_bytes(),
            flag.as_slice(),
            LINE_END,
        ];
        let mut len = 0_usize;
        for part in parts {
            let end = len.saturating_add(part.len());
            if let Some(room) = octets.get_mut(len..end) {
                room.copy_from_slice(part);
                len = end;
            }
        }
        Self {
            octets,
            len: u8::try_from(len).unwrap_or(0),
        }
    }

    /// CR LF and the end line, as it follows a body.
    #[must_use]
    pub fn after_body(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The end line alone, as it follows the last header line of a request without a body.
    #[must_use]
    pub fn after_headers(&self) -> &[u8] {
        self.after_body().get(LINE_END.len()..).unwrap_or_default()
    }
}

/// Whether seven hyphens and the transaction id occur in a text that lies in several slices.
///
/// Asks for less than a complete end line, so a `false` holds whatever follows the text.
/// O(octets); looks at the id only where hyphens stand, so that a text without them costs one scan
/// for the first hyphen of each.
///
/// # Spec
/// RFC 4975 s.7.1: an end line must not occur in the body that it ends.
#[must_use]
pub fn end_line_occurs<'a>(slices: impl IntoIterator<Item = &'a [u8]>, tid: TransactionId) -> bool {
    let line = EndLine::new(tid, ContinuationFlag::Last);
    let needle = line.after_headers();
    let needle = needle
        .get(..needle.len().saturating_sub(FLAG_AND_LINE_END_OCTETS))
        .unwrap_or_default();
    let keep = needle.len().saturating_sub(1);
    let mut border = Border::default();
    slices
        .into_iter()
        .any(|slice| border.joins_into(slice, keep, needle) || occurs_in(slice, needle))
}

/// Whether `needle`, which starts with hyphens, occurs.
fn occurs_in(text: &[u8], needle: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'-', rest) {
        let found = rest.get(at..).unwrap_or_default();
        if found.starts_with(needle) {
            return true;
        }
        // A run of hyphens is left at once but for the seven that could start the needle.
        let run = found.iter().take_while(|c| **c == b'-').count();
        let passed = if run > HYPHENS.len() {
            run.saturating_sub(HYPHENS.len())
        } else {
            run
        };
        rest = found.get(passed..).unwrap_or_default();
    }
    false
}

/// The last octets of the slices so far, for matches that lie across a border.
#[derive(Default)]
struct Border {
    octets: smallvec::SmallVec<[u8; 96]>,
}

impl Border {
    /// Whether a match lies across the border to `slice`. Keeps the last `keep` octets for the next border.
    fn joins_into(&mut self, slice: &[u8], keep: usize, needle: &[u8]) -> bool {
        let is_first = self.octets.is_empty();
        self.octets
            .extend_from_slice(slice.get(..keep).unwrap_or(slice));
        let found = !is_first && occurs_in(&self.octets, needle);
        if slice.len() > keep {
            self.octets.clear();
            self.octets.extend_from_slice(
                slice
                    .get(slice.len().saturating_sub(keep)..)
                    .unwrap_or_default(),
            );
        } else {
            let old = self.octets.len().saturating_sub(keep);
            self.octets.drain(..old);
        }
        found
    }
}

/// Seven hyphens start an end line.
pub(crate) const HYPHENS: &[u8; 7] = b"-------";

/// Ends every line.
pub(crate) const LINE_END: &[u8] = b"\r\n";

/// A flag, CR and LF.
pub(crate) const FLAG_AND_LINE_END_OCTETS: usize = 3;

/// CR LF, seven hyphens, the longest id, a flag, CR LF.
pub(crate) const END_LINE_OCTETS_MAX: usize = 2 + 7 + IDENT_OCTETS_MAX + FLAG_AND_LINE_END_OCTETS;
