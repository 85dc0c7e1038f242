//! The start line and the header fields of a message, read without judging them.
//!
//! Whatever stands here came from a peer. Octets that are not UTF-8 become U+FFFD and control
//! characters become blanks, so that no value can add a line when it is written again.

use super::limits::FIELDS_MAX;

/// A header section cut in its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The start line.
    pub(super) start: String,
    /// The fields in order, names in their long form, folded lines joined.
    pub(super) fields: Vec<(String, String)>,
    /// The first thing that is wrong with the lines themselves.
    pub(super) fault: Option<&'static str>,
}

/// What a header section says about the length of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentLength {
    /// No field.
    Absent,
    /// Octets.
    Octets(usize),
    /// Not a number, too large to count, or several that differ.
    Unreadable,
}

impl Head {
    /// Reads the octets before the empty line.
    pub(super) fn read(octets: &[u8]) -> Self {
        let text = String::from_utf8_lossy(octets);
        let mut lines = text.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l));
        let start = clean(lines.next().unwrap_or_default());
        let mut head = Self {
            start,
            fields: Vec::with_capacity(16),
            fault: None,
        };
        for line in lines {
            head.take_line(line);
        }
        head
    }

    fn take_line(&mut self, line: &str) {
        if line.starts_with([' ', '\t']) {
            match self.fields.last_mut() {
                Some((_, value)) => {
                    value.push(' ');
                    value.push_str(&clean(line));
                }
                None => self.blame("Folded Line Without Header Field"),
            }
            return;
        }
        if line.is_empty() {
            return;
        }
        let Some((name, value)) = line.split_once(':') else {
            return self.blame("Header Field Without Colon");
        };
        let name = name.trim_end();
        if !is_token(name) {
            return self.blame("Bad Header Field Name");
        }
        if self.fields.len() >= FIELDS_MAX {
            return self.blame("Too Many Header Fields");
        }
        self.fields.push((long_name(name).to_owned(), clean(value)));
    }

    fn blame(&mut self, fault: &'static str) {
        self.fault.get_or_insert(fault);
    }

    /// The value of the first field of this name.
    pub(super) fn first<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// The values of all fields of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// How long the body says it is.
    pub(super) fn content_length(&self) -> ContentLength {
        let mut found = ContentLength::Absent;
        for value in self.all("Content-Length") {
            let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            let octets = match value.parse::<usize>() {
                Ok(octets) if digits => octets,
                _ => return ContentLength::Unreadable,
            };
            match found {
                ContentLength::Octets(before) if before != octets => {
                    return ContentLength::Unreadable;
                }
                _ => found = ContentLength::Octets(octets),
            }
        }
        found
    }
}

/// Whether `text` is a token (RFC 3261 s.25.1).
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

/// One line without blanks at its ends and without control characters.
pub(super) fn clean(text: &str) -> String {
    let text = text.trim_matches([' ', '\t']);
    if text.chars().any(char::is_control) {
        text.replace(char::is_control, " ")
    } else {
        text.to_owned()
    }
}

/// The long form of a header field name; other names stay as they are.
fn long_name(name: &str) -> &str {
    let [letter] = name.as_bytes() else {
        return name;
    };
    match letter.to_ascii_lowercase() {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'n' => "Identity-Info",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_with_folds_and_short_names_is_joined_and_lengthened() {
        let head = Head::read(b"OPTIONS sip:a SIP/2.0\r\nf: <sip:b>\r\n ;tag=1\r\nX-Y:z\r\n");
        assert_eq!(head.start, "OPTIONS sip:a SIP/2.0");
        assert_eq!(head.first("from"), Some("<sip:b> ;tag=1"));
        assert_eq!(head.first("X-Y"), Some("z"));
        assert_eq!(head.fault, None);
    }

    #[test]
    fn head_with_odd_octets_keeps_its_other_fields() {
        let head = Head::read(b"A b c\r\nSubject: caf\xe9\r\nTo: x\ry\r\n");
        assert_eq!(head.first("Subject"), Some("caf\u{fffd}"));
        assert_eq!(head.first("To"), Some("x y"));
    }

    #[test]
    fn head_with_line_without_colon_has_a_fault() {
        assert!(Head::read(b"A b c\r\nnonsense\r\n").fault.is_some());
        assert!(Head::read(b"A b c\r\n folded\r\n").fault.is_some());
        assert!(Head::read(b"A b c\r\nbad name: x\r\n").fault.is_some());
    }

    #[test]
    fn content_length_that_is_no_single_number_is_unreadable() {
        let length =
            |line: &str| Head::read(format!("A b c\r\n{line}").as_bytes()).content_length();
        assert_eq!(length(""), ContentLength::Absent);
        assert_eq!(length("l: 12"), ContentLength::Octets(12));
        assert_eq!(
            length("l: 12\r\nContent-Length: 12"),
            ContentLength::Octets(12)
        );
        for bad in ["-1", "+1", "1 2", "", "x", "99999999999999999999999"] {
            assert_eq!(
                length(&format!("l: {bad}")),
                ContentLength::Unreadable,
                "{bad}"
            );
        }
        assert_eq!(length("l: 1\r\nl: 2"), ContentLength::Unreadable);
    }
}
