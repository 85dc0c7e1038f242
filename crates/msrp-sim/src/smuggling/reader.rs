//! Lax models of how others read MSRP: where they believe that a frame ends.
//!
//! Each takes the id of the start line as it stands and looks for the end line in a way of its own. None of them is
//! right; what is written must mean the same to all of them.

/// A way to look for the end line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Seven hyphens, the id and a flag at the start of a line.
    Strict,
    /// The same anywhere in a line.
    Anywhere,
    /// A line may end with a bare line feed.
    BareLineFeed,
    /// Any octet may follow the id.
    AnyFlag,
    /// Upper and lower case are one in the id.
    CaseBlind,
    /// Eight characters of the id are enough.
    ShortId,
    /// Blanks may stand around the id, and any number of hyphens above six before it.
    Blanks,
    /// The length of the body is that of Byte-Range; the end line is looked for behind it.
    Counting,
}

impl Reader {
    pub(crate) const ALL: [Self; 8] = [
        Self::Strict,
        Self::Anywhere,
        Self::BareLineFeed,
        Self::AnyFlag,
        Self::CaseBlind,
        Self::ShortId,
        Self::Blanks,
        Self::Counting,
    ];

    /// The ids of the frames that it sees, and how many octets of the stream they take.
    pub(crate) fn read(self, stream: &[u8]) -> (Vec<String>, usize) {
        let (mut ids, mut at) = (Vec::new(), 0);
        while let Some((id, octets)) = self.frame(stream.get(at..).unwrap_or_default()) {
            ids.push(id);
            at += octets;
        }
        (ids, at)
    }

    /// The first frame: its id and its octets.
    fn frame(self, stream: &[u8]) -> Option<(String, usize)> {
        let line_end = find(stream, b"\r\n", 0)?;
        let line = std::str::from_utf8(stream.get(..line_end)?).ok()?;
        let mut words = line.split(' ');
        let id = words.nth(1)?.to_owned();
        let from = match self {
            Self::Counting => line_end.max(counted(stream)?),
            _ => line_end,
        };
        let mut from = from;
        while let Some(at) = find(stream, b"-------", from) {
            if let Some(behind) = self.end_line(stream, at, &id) {
                let end = find(stream, b"\n", behind)? + 1;
                return Some((id, end));
            }
            from = at + 1;
        }
        None
    }

    /// Where the id of an end line ends, if one begins at these hyphens.
    fn end_line(self, stream: &[u8], at: usize, id: &str) -> Option<usize> {
        let before = stream.get(..at)?;
        let starts_line = match self {
            Self::Anywhere => true,
            Self::BareLineFeed | Self::Blanks => before.ends_with(b"\n"),
            _ => before.ends_with(b"\r\n"),
        };
        let mut rest = stream.get(at + 7..)?;
        if self == Self::Blanks {
            while let [b'-' | b' ' | b'\t', more @ ..] = rest {
                rest = more;
            }
        }
        let wanted = match self {
            Self::ShortId => id.get(..8)?,
            _ => id,
        };
        let shown = rest.get(..wanted.len())?;
        let is_same = match self {
            Self::CaseBlind => shown.eq_ignore_ascii_case(wanted.as_bytes()),
            _ => shown == wanted.as_bytes(),
        };
        let flag = rest.get(wanted.len()).copied();
        let is_ended = match self {
            Self::AnyFlag | Self::ShortId | Self::Blanks => flag.is_some(),
            _ => matches!(flag, Some(b'$' | b'+' | b'#')),
        };
        (starts_line && is_same && is_ended).then_some(stream.len() - rest.len() + wanted.len())
    }
}

/// Where the body of the first frame ends by its Byte-Range.
fn counted(stream: &[u8]) -> Option<usize> {
    let Some(head_end) = find(stream, b"\r\n\r\n", 0) else {
        return Some(0);
    };
    let head = std::str::from_utf8(stream.get(..head_end)?).ok();
    let range = head.and_then(|head| head.split("Byte-Range: ").nth(1));
    let Some((start, rest)) = range.and_then(|range| range.split_once('-')) else {
        return Some(0);
    };
    let end = rest.split('/').next()?.parse::<usize>();
    let (Ok(start), Ok(end)) = (start.parse::<usize>(), end) else {
        return Some(0);
    };
    Some(head_end + 4 + (end + 1).saturating_sub(start))
}

pub(crate) fn find(octets: &[u8], word: &[u8], from: usize) -> Option<usize> {
    let (first, mut at) = (*word.first()?, from);
    loop {
        at += octets.get(at..)?.iter().position(|octet| *octet == first)?;
        if octets.get(at..)?.starts_with(word) {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(id: &str, body: &str) -> String {
        let octets = body.len();
        format!(
            "MSRP {id} SEND\r\nTo-Path: a\r\nByte-Range: 1-{octets}/{octets}\r\n\
             Content-Type: text/plain\r\n\r\n{body}\r\n-------{id}$\r\n"
        )
    }

    #[test]
    fn reader_of_plain_frames_sees_them_as_they_are() {
        let stream = frame("abcdefgh1234", "hello") + &frame("bcdefghi2345", "\r\n-------\r\n");
        for reader in Reader::ALL {
            let (ids, octets) = reader.read(stream.as_bytes());
            assert_eq!(ids, ["abcdefgh1234", "bcdefghi2345"], "{reader:?}");
            assert_eq!(octets, stream.len(), "{reader:?}");
        }
    }

    #[test]
    fn reader_of_a_forwarder_that_draws_its_ids_first_is_deceived() {
        let smuggled = "\r\n-------abcdefgh1234$\r\nMSRP zq9smug1 SEND\r\n-------zq9smug1$\r\n";
        let stream = frame("abcdefgh1234", smuggled);
        for reader in Reader::ALL {
            let (ids, _) = reader.read(stream.as_bytes());
            let is_deceived = ids.iter().any(|id| id == "zq9smug1");
            assert_eq!(is_deceived, reader != Reader::Counting, "{reader:?}");
        }
    }
}
