//! Messages from a stream of octets.

use super::message::SipMessage;

/// Takes octets in any portions, gives whole messages. Content-Length is mandatory on a stream.
///
/// # Spec
/// RFC 3261 s.7.5 (CRLF between messages is skipped) and s.18.3.
#[derive(Default)]
pub(crate) struct StreamParser {
    buffer: Vec<u8>,
}

impl StreamParser {
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    pub(crate) fn next_message(&mut self) -> Result<Option<SipMessage>, String> {
        let blank = self
            .buffer
            .iter()
            .take_while(|octet| matches!(octet, b'\r' | b'\n'))
            .count();
        self.buffer.drain(..blank);
        let Some(head) = self
            .buffer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
        else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&self.buffer[..head]).to_ascii_lowercase();
        let length = text.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            matches!(name.trim_end(), "content-length" | "l")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        let end = head
            + 4
            + length.ok_or_else(|| format!("no Content-Length on a stream in {text:?}"))?;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let message = SipMessage::parse(&self.buffer[..end])?;
        self.buffer.drain(..end);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_in_single_octets_gives_every_message() {
        let message = SipMessage::response(200, "OK")
            .with("Via", "SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK1")
            .with("From", "<sip:a@example.com>;tag=1")
            .with("To", "<sip:b@example.com>;tag=2")
            .with("Call-ID", "x")
            .with("CSeq", "1 BYE")
            .with_body("text/plain", "a\r\n\r\nb");
        let octets = [
            message.to_octets(),
            b"\r\n\r\n".to_vec(),
            message.to_octets(),
        ]
        .concat();
        let (mut parser, mut bodies) = (StreamParser::default(), Vec::new());
        for octet in octets {
            parser.push(&[octet]);
            bodies.extend(parser.next_message().unwrap().map(|message| message.body));
        }
        assert_eq!(bodies, [b"a\r\n\r\nb", b"a\r\n\r\nb"]);
    }

    #[test]
    fn stream_without_content_length_is_a_fault() {
        let mut parser = StreamParser::default();
        parser.push(b"SIP/2.0 200 OK\r\n\r\n");
        assert!(parser.next_message().is_err());
    }
}
