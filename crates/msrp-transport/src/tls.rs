//! TLS on one connection, either side.
//!
//! ```text
//!   incoming records --process--> plain octets
//!   plain octets --encrypt--> records of at most 16 KiB, straight into the wire buffer
//! ```
//!
//! The handshake needs randomness, and the lifetime of certificates a clock: rustls asks its provider and
//! the system for them. Nothing else here does.
//!
//! # Spec
//! RFC 4975 s.14.2, s.14.4; RFC 8446, RFC 5246; AMB-65.

mod certificate;
mod clients;
mod connector;
mod fingerprint;
mod known_hosts;
mod verifier;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::CertificateDer;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};

use crate::Failure;
use crate::limits::{RECORD_OCTETS_MAX, TLS_UNREAD_OCTETS_MAX};

pub use certificate::{Certificate, CertificateError, CertificateStore};
pub use connector::{Connector, ConnectorError};
pub use fingerprint::Fingerprint;
pub use known_hosts::{KnownHosts, certificates_of_pem};

/// TLS on one connection.
pub(crate) struct Tls {
    side: Side,
    /// Records that have not come whole. The connection knows places in them: nothing may be taken out
    /// but what it says.
    incoming: Vec<u8>,
    /// The peer sends no more.
    is_ended: bool,
    /// Something went wrong, or we have closed: nothing is read or written any more.
    is_broken: bool,
}

enum Side {
    Passive(UnbufferedServerConnection),
    Active(UnbufferedClientConnection),
}

/// What a state of the connection asks for.
enum Next {
    /// To look again.
    Again,
    /// More octets of the peer.
    More,
    /// Nothing: the peer sends no more.
    Ended,
}

impl Tls {
    pub(crate) fn passive(connection: UnbufferedServerConnection) -> Self {
        Self::new(Side::Passive(connection))
    }

    pub(crate) fn active(connection: UnbufferedClientConnection) -> Self {
        Self::new(Side::Active(connection))
    }

    fn new(side: Side) -> Self {
        Self {
            side,
            incoming: Vec::new(),
            is_ended: false,
            is_broken: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        match &self.side {
            Side::Passive(connection) => !connection.is_handshaking(),
            Side::Active(connection) => !connection.is_handshaking(),
        }
    }

    /// Whether the peer has said that it sends no more.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The peer's certificate in DER, when it has shown one.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        self.peer_chain().first().map(AsRef::as_ref)
    }

    /// The certificates that the peer has shown, its own first.
    pub(crate) fn peer_chain(&self) -> &[CertificateDer<'static>] {
        let chain = match &self.side {
            Side::Passive(connection) => connection.peer_certificates(),
            Side::Active(connection) => connection.peer_certificates(),
        };
        chain.unwrap_or_default()
    }

    /// Reads records: plain text is appended to `plain`, what the handshake has to say to `wire`. With
    /// no octets, the active side begins.
    ///
    /// # Errors
    /// [`Failure::Tls`] or [`Failure::Certificate`]; the alert is in `wire`.
    pub(crate) fn receive(
        &mut self,
        octets: &[u8],
        plain: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        if self.is_ended || self.is_broken {
            return Ok(());
        }
        self.incoming.extend_from_slice(octets);
        let mut read: usize = 0;
        let result = loop {
            let (discard, next) = self.step(read, plain, wire);
            read = read.saturating_add(discard);
            match next {
                Ok(Next::Again) => {}
                Ok(Next::More) => break Ok(()),
                Ok(Next::Ended) => {
                    self.is_ended = true;
                    break Ok(());
                }
                Err(failure) => {
                    self.is_broken = true;
                    self.write_alert(read, wire);
                    break Err(failure);
                }
            }
        };
        self.discard(read);
        if self.incoming.len() > TLS_UNREAD_OCTETS_MAX {
            self.is_broken = true;
            return Err(Failure::Tls);
        }
        result
    }

    /// Takes out what the connection has read.
    fn discard(&mut self, octets: usize) {
        if octets >= self.incoming.len() {
            self.incoming = Vec::new();
        } else {
            self.incoming.drain(..octets);
        }
    }

    fn step(
        &mut self,
        read: usize,
        plain: &mut Vec<u8>,
        wire: &mut Vec<u8>,
    ) -> (usize, Result<Next, Failure>) {
        let incoming = self.incoming.get_mut(read..).unwrap_or_default();
        match &mut self.side {
            Side::Passive(connection) => {
                carry_out(connection.process_tls_records(incoming), plain, wire)
            }
            Side::Active(connection) => {
                carry_out(connection.process_tls_records(incoming), plain, wire)
            }
        }
    }

    /// What failed left an alert behind, which comes first. Looking further would read on in what is
    /// broken.
    fn write_alert(&mut self, read: usize, wire: &mut Vec<u8>) {
        let _ = self.step(read, &mut Vec::new(), wire);
    }

    /// Appends plain octets to `wire` as records.
    ///
    /// # Errors
    /// [`Failure::Tls`] when the connection is not open any more.
    pub(crate) fn encrypt(&mut self, plain: &[u8], wire: &mut Vec<u8>) -> Result<(), Failure> {
        for record in plain.chunks(RECORD_OCTETS_MAX) {
            let octets = record.len().saturating_add(RECORD_OVERHEAD);
            self.write(wire, octets, |traffic, out| match traffic {
                Traffic::Passive(traffic) => traffic.encrypt(record, out),
                Traffic::Active(traffic) => traffic.encrypt(record, out),
            })?;
        }
        Ok(())
    }

    /// Appends the alert that nothing more comes. Nothing is read after it either.
    pub(crate) fn close(&mut self, wire: &mut Vec<u8>) {
        // A handshake that has not ended has nothing to close.
        let _ = self.write(wire, RECORD_OVERHEAD, |traffic, out| match traffic {
            Traffic::Passive(traffic) => traffic.queue_close_notify(out),
            Traffic::Active(traffic) => traffic.queue_close_notify(out),
        });
        self.is_broken = true;
    }

    fn write(
        &mut self,
        wire: &mut Vec<u8>,
        mut room: usize,
        mut write: impl FnMut(Traffic<'_, '_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), Failure> {
        let start = wire.len();
        while !self.is_broken {
            wire.resize(start.saturating_add(room), 0);
            let out = wire.get_mut(start..).unwrap_or_default();
            let incoming = &mut self.incoming;
            let (discard, written) = match &mut self.side {
                Side::Passive(connection) => {
                    let status = connection.process_tls_records(incoming);
                    let written = match status.state {
                        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                            Some(write(Traffic::Passive(&mut traffic), out))
                        }
                        _ => None,
                    };
                    (status.discard, written)
                }
                Side::Active(connection) => {
                    let status = connection.process_tls_records(incoming);
                    let written = match status.state {
                        Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                            Some(write(Traffic::Active(&mut traffic), out))
                        }
                        _ => None,
                    };
                    (status.discard, written)
                }
            };
            self.discard(discard);
            match written {
                Some(Ok(octets)) => {
                    wire.truncate(start.saturating_add(octets));
                    return Ok(());
                }
                Some(Err(EncryptError::InsufficientSize(InsufficientSizeError {
                    required_size,
                }))) if required_size > room => room = required_size,
                Some(Err(_)) | None => {
                    wire.truncate(start);
                    break;
                }
            }
        }
        Err(Failure::Tls)
    }
}

/// A connection to which plain text can be given.
enum Traffic<'a, 'c> {
    Passive(&'a mut rustls::unbuffered::WriteTraffic<'c, rustls::server::ServerConnectionData>),
    Active(&'a mut rustls::unbuffered::WriteTraffic<'c, rustls::client::ClientConnectionData>),
}

/// Does what a state asks for. Gives the octets that have been read, too.
fn carry_out<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &mut Vec<u8>,
    wire: &mut Vec<u8>,
) -> (usize, Result<Next, Failure>) {
    let next = match status.state {
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            let mut result = Ok(Next::Again);
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => plain.extend_from_slice(record.payload),
                    Err(_) => result = Err(Failure::Tls),
                }
            }
            result
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            let start = wire.len();
            let mut room = RECORD_OVERHEAD;
            loop {
                wire.resize(start.saturating_add(room), 0);
                match data.encode(wire.get_mut(start..).unwrap_or_default()) {
                    Ok(octets) => {
                        wire.truncate(start.saturating_add(octets));
                        break Ok(Next::Again);
                    }
                    Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size }))
                        if required_size > room =>
                    {
                        room = required_size;
                    }
                    Err(_) => {
                        wire.truncate(start);
                        break Err(Failure::Tls);
                    }
                }
            }
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Next::Again)
        }
        Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => Ok(Next::More),
        Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Ok(Next::Ended),
        // Early data is never accepted.
        Ok(_) => Err(Failure::Tls),
        Err(rustls::Error::InvalidCertificate(_)) => Err(Failure::Certificate),
        Err(_) => Err(Failure::Tls),
    };
    (status.discard, next)
}

/// Room for the header, the nonce, the padding and the tag of a record, and for an alert.
const RECORD_OVERHEAD: usize = 64;

#[cfg(test)]
mod tests;
