//! What senders say.

/// The room of a bench that has one.
pub const ROOM: &str = "sip:room@example.com";

/// A SEND with a message of the first user to the room, of so many octets with its wrapper or a little more.
#[must_use]
pub fn frame(paths: &str, body_octets: usize) -> Vec<u8> {
    let mut body = format!(
        "From: <sip:user0@example.com>\r\nTo: <{ROOM}>\r\n\r\nContent-Type: text/plain\r\n\r\n"
    );
    while body.len() < body_octets {
        body.push('x');
    }
    let octets = body.len();
    format!(
        "MSRP send1234 SEND\r\n{paths}Message-ID: message0\r\nByte-Range: 1-{octets}/{octets}\r\n\
         Content-Type: message/cpim\r\n\r\n{body}\r\n-------send1234$\r\n"
    )
    .into_bytes()
}
