//! What lies between the socket of a connection and MSRP: TLS, WebSocket, or both.
//!
//! ```text
//!   socket -> [ TLS ] -> [ WebSocket ] -> MSRP        MSRP -> [ WebSocket ] -> [ TLS ] -> wire -> socket
//! ```
//!
//! Which of them follows from the first URI on the way to the peer. The server's certificate is not looked at: this
//! measures, and protects nothing. It is code of its own, so that a fault of the server's layers shows.

use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

use memchr::memmem;
use msrp_wire::{Scheme, Transport};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::connection::Out;
use crate::sessions::Session;

/// The layers of one connection.
pub(super) struct Layer {
    tls: Option<Box<ClientConnection>>,
    websocket: Option<WebSocket>,
    wire: Out,
}

/// A WebSocket, from the client's side.
#[derive(Debug, Default)]
struct WebSocket {
    is_open: bool,
    /// What has come and was not read: the answer to the handshake, or the header of a frame.
    head: Vec<u8>,
    opcode: u8,
    payload_left: u64,
    control: Vec<u8>,
}

impl Layer {
    /// What a session asks for; `None` when that is plain TCP.
    ///
    /// # Errors
    /// A sentence: TLS cannot be set up.
    pub(super) fn of(session: &Session) -> Result<Option<Self>, String> {
        let path = session.remote.as_path();
        let Some(first) = path.as_ref().map(|path| path.first()) else {
            return Ok(None);
        };
        let is_secure = first.scheme() == Scheme::Msrps;
        let is_websocket = matches!(first.transport(), Transport::Ws);
        let tls = is_secure.then(|| begin_tls(session.connect.ip()));
        Ok((is_secure || is_websocket).then_some(Self {
            tls: tls.transpose()?,
            websocket: is_websocket.then(WebSocket::default),
            wire: Out::default(),
        }))
    }

    /// The socket is connected: the handshakes begin.
    ///
    /// # Errors
    /// As [`Layer::receive`].
    pub(super) fn begin(&mut self) -> Result<(), String> {
        if self.websocket.is_some() {
            self.put(UPGRADE)?;
        }
        self.seal()
    }

    /// Whether MSRP may be written.
    pub(super) fn is_open(&self) -> bool {
        let is_secure = self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking());
        is_secure && self.websocket.as_ref().is_none_or(|ws| ws.is_open)
    }

    /// What waits for the socket.
    pub(super) fn wire(&mut self) -> &mut Out {
        &mut self.wire
    }

    /// The same, to be looked at.
    pub(super) fn waiting(&self) -> &[u8] {
        self.wire.waiting()
    }

    /// Reads octets of the socket; the MSRP in them is appended to `plain`.
    ///
    /// # Errors
    /// A sentence: what the server did wrong.
    pub(super) fn receive(&mut self, mut octets: &[u8], plain: &mut Vec<u8>) -> Result<(), String> {
        let mut inner = Vec::new();
        if let Some(tls) = &mut self.tls {
            while !octets.is_empty() {
                tls.read_tls(&mut octets).map_err(|e| e.to_string())?;
                let state = tls.process_new_packets();
                let count = state.map_err(|e| format!("TLS failed: {e}"))?;
                let start = inner.len();
                inner.resize(start + count.plaintext_bytes_to_read(), 0);
                let read = tls.reader().read_exact(&mut inner[start..]);
                read.map_err(|e| e.to_string())?;
            }
        } else {
            inner.extend_from_slice(octets);
        }
        let mut answer = Vec::new();
        match &mut self.websocket {
            Some(websocket) => websocket.read(&inner, plain, &mut answer)?,
            None => plain.append(&mut inner),
        }
        self.put(&answer)?;
        self.seal()
    }

    /// Writes whole requests and responses: over WebSocket each is a message of its own.
    ///
    /// # Errors
    /// A sentence: TLS takes nothing.
    pub(super) fn write(&mut self, mut octets: &[u8]) -> Result<(), String> {
        while !octets.is_empty() {
            let length = if self.websocket.is_some() {
                first_length(octets)
            } else {
                octets.len()
            };
            let (message, rest) = octets.split_at(length);
            octets = rest;
            if self.websocket.is_some() {
                self.put(&frame_header(BINARY, message.len()))?;
            }
            self.put(message)?;
        }
        self.seal()
    }

    fn put(&mut self, octets: &[u8]) -> Result<(), String> {
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(octets).map_err(|e| e.to_string()),
            None => {
                self.wire.tail().extend_from_slice(octets);
                Ok(())
            }
        }
    }

    /// Moves what TLS has to send to the wire.
    fn seal(&mut self) -> Result<(), String> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(self.wire.tail()).map_err(|e| e.to_string())?;
            }
        }
        Ok(())
    }
}

impl WebSocket {
    fn read(
        &mut self,
        octets: &[u8],
        plain: &mut Vec<u8>,
        answer: &mut Vec<u8>,
    ) -> Result<(), String> {
        if !self.is_open {
            self.head.extend_from_slice(octets);
            let Some(end) = memmem::find(&self.head, b"\r\n\r\n") else {
                return Ok(());
            };
            if !self.head.starts_with(b"HTTP/1.1 101 ") {
                let text = String::from_utf8_lossy(&self.head);
                let line = text.lines().next().unwrap_or_default();
                return Err(format!("the WebSocket was refused: {line}"));
            }
            self.is_open = true;
            let frames = std::mem::take(&mut self.head).split_off(end + 4);
            return self.read_frames(&frames, plain, answer);
        }
        self.read_frames(octets, plain, answer)
    }

    fn read_frames(
        &mut self,
        mut octets: &[u8],
        plain: &mut Vec<u8>,
        answer: &mut Vec<u8>,
    ) -> Result<(), String> {
        while !octets.is_empty() {
            if self.payload_left == 0 {
                let (octet, rest) = (octets[0], &octets[1..]);
                octets = rest;
                self.head.push(octet);
                self.read_header()?;
            } else {
                let left = usize::try_from(self.payload_left).unwrap_or(usize::MAX);
                let (payload, rest) = octets.split_at(left.min(octets.len()));
                octets = rest;
                self.payload_left -= payload.len() as u64;
                let is_control = self.opcode & 8 != 0;
                let to = if is_control {
                    &mut self.control
                } else {
                    &mut *plain
                };
                to.extend_from_slice(payload);
            }
            if self.payload_left == 0 && self.head.is_empty() {
                self.end_frame(answer)?;
            }
        }
        Ok(())
    }

    /// Reads the header of a frame when all of it is there.
    fn read_header(&mut self) -> Result<(), String> {
        let (length_octets, short) = match self.head.get(1) {
            Some(second) if second & 0x80 != 0 => return Err("the server masks its frames".into()),
            Some(126) => (2, 0),
            Some(127) => (8, 0),
            Some(second) => (0, u64::from(*second)),
            None => return Ok(()),
        };
        if self.head.len() < 2 + length_octets {
            return Ok(());
        }
        let long = self.head[2..].iter();
        let long = long.fold(0, |length, octet| length << 8 | u64::from(*octet));
        self.payload_left = if length_octets == 0 { short } else { long };
        self.opcode = self.head[0] & 0x0f;
        self.head.clear();
        Ok(())
    }

    /// A frame has ended: a ping is answered.
    fn end_frame(&mut self, answer: &mut Vec<u8>) -> Result<(), String> {
        let control = std::mem::take(&mut self.control);
        match self.opcode {
            PING => {
                answer.extend_from_slice(&frame_header(PONG, control.len()));
                answer.extend_from_slice(&control);
                Ok(())
            }
            CLOSE => Err("the server closed the WebSocket".to_owned()),
            _ => Ok(()),
        }
    }
}

/// The header of a whole frame. The mask is zero: servers take it off all the same.
fn frame_header(opcode: u8, octets: usize) -> Vec<u8> {
    let mut header = vec![0x80 | opcode];
    match (u8::try_from(octets), u16::try_from(octets)) {
        (Ok(short), _) if short < 126 => header.push(0x80 | short),
        (_, Ok(medium)) => {
            header.push(0x80 | 126);
            header.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            header.push(0x80 | 127);
            header.extend_from_slice(&(octets as u64).to_be_bytes());
        }
    }
    header.extend_from_slice(&[0; 4]);
    header
}

/// The length of the first request or response of several that we have composed.
fn first_length(octets: &[u8]) -> usize {
    let id = octets.split(|octet| *octet == b' ').nth(1);
    let end_line = [b"-------", id.unwrap_or_default()].concat();
    let at = memmem::find(octets, &end_line);
    // The continuation flag and the end of the line.
    at.map_or(octets.len(), |at| octets.len().min(at + end_line.len() + 3))
}

fn begin_tls(to: IpAddr) -> Result<Box<ClientConnection>, String> {
    let provider = Arc::new(default_provider());
    let any = Arc::new(AnyServer(
        provider
            .signature_verification_algorithms
            .supported_schemes(),
    ));
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions();
    let config = builder
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(any)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::from(to));
    let mut connection = connection.map_err(|e| e.to_string())?;
    // What is composed is bounded before it comes here.
    connection.set_buffer_limit(None);
    Ok(Box::new(connection))
}

/// Takes every certificate.
#[derive(Debug)]
struct AnyServer(Vec<SignatureScheme>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: msrpload.invalid\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: msrp\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn websocket_cut_at_every_octet_gives_its_payload_and_answers_pings() {
        let mut octets = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        for (opcode, payload) in [(BINARY, vec![b'a'; 300]), (PING, b"hi".to_vec())] {
            let header = frame_header(opcode, payload.len());
            octets.extend_from_slice(&header[..header.len() - 4]);
            let at = octets.len() - header.len() + 4 + 1;
            octets[at] &= 0x7f;
            octets.extend_from_slice(&payload);
        }
        octets.extend_from_slice(&[0x82, 0]);
        for end in 0..octets.len() {
            let mut websocket = WebSocket::default();
            let (mut plain, mut answer) = (Vec::new(), Vec::new());
            for part in [&octets[..end], &octets[end..]] {
                websocket.read(part, &mut plain, &mut answer).unwrap();
            }
            assert_eq!(plain, vec![b'a'; 300], "{end}");
            assert_eq!(answer, b"\x8a\x82\0\0\0\0hi", "{end}");
        }
        let mut refused = WebSocket::default();
        let answer = b"HTTP/1.1 403 Forbidden\r\n\r\n";
        let error = refused.read(answer, &mut Vec::new(), &mut Vec::new());
        let expected = "the WebSocket was refused: HTTP/1.1 403 Forbidden";
        assert_eq!(error.unwrap_err(), expected);
    }

    #[test]
    fn messages_that_were_composed_one_behind_the_other_are_cut_apart() {
        let one = b"MSRP abcd1234 200 OK\r\nTo-Path: a\r\n-------abcd1234$\r\n";
        let two = b"MSRP efgh5678 SEND\r\n\r\n-------abcd1234$\r\n-------efgh5678+\r\n";
        let both = [&one[..], two].concat();
        assert_eq!(first_length(&both), one.len());
        assert_eq!(first_length(two), two.len());
    }
}
