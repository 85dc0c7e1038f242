//! Lines of a stream that comes in parts.

/// What has come of a stream and was not taken yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    octets: Vec<u8>,
}

impl Lines {
    /// Adds what has come.
    pub(super) fn push(&mut self, part: &[u8]) {
        self.octets.extend_from_slice(part);
    }

    /// Takes the next whole line, without its end. What is not UTF-8 in it is replaced.
    pub(super) fn next(&mut self) -> Option<String> {
        let end = self.octets.iter().position(|octet| *octet == b'\n')?;
        let line: Vec<u8> = self.octets.drain(..=end).collect();
        let line = String::from_utf8_lossy(&line);
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_given_once_it_is_whole() {
        let mut lines = Lines::default();
        lines.push(b"one\ntw");
        assert_eq!(lines.next().as_deref(), Some("one"));
        assert_eq!(lines.next(), None);
        lines.push(b"o\r\n\n");
        assert_eq!(lines.next().as_deref(), Some("two"));
        assert_eq!(lines.next().as_deref(), Some(""));
    }
}
