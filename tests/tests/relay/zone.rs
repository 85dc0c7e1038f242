//! A name server on loopback with a few records.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread::{self, JoinHandle};

/// What a name has.
#[derive(Clone, Copy)]
pub(crate) enum Record {
    Address(Ipv4Addr),
    /// Port and host.
    Service(u16, &'static str),
}

/// The records of a domain, served until dropped.
pub(crate) struct Zone {
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Zone {
    pub(crate) fn serve(records: Vec<(&'static str, Record)>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let serve = move || {
            let mut buffer = [0; 1500];
            // A datagram without octets ends it.
            while let Ok((octets @ 1.., from)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(&reply(&records, &buffer[..octets]), from);
            }
        };
        let thread = Some(thread::spawn(serve));
        Self { address, thread }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Zone {
    fn drop(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let _ = socket.send_to(&[], self.address);
        let _ = self.thread.take().unwrap().join();
    }
}

/// The answer to a query with one question.
///
/// # Spec
/// RFC 1035 s.4.1; RFC 2782.
fn reply(records: &[(&str, Record)], query: &[u8]) -> Vec<u8> {
    let labels = query[12..].split(|octet| *octet == 0).next().unwrap();
    let end = 12 + labels.len() + 1;
    let name = text_of(labels);
    let kind = u16::from_be_bytes([query[end], query[end + 1]]);
    let answers: Vec<_> = records
        .iter()
        .filter(|(owner, record)| owner.eq_ignore_ascii_case(&name) && record.kind() == kind)
        .collect();
    let mut reply = query[..2].to_vec();
    let is_known = records
        .iter()
        .any(|(owner, _)| owner.eq_ignore_ascii_case(&name));
    // An authoritative answer; names that nobody has do not exist.
    reply.extend([0x85, if is_known { 0x80 } else { 0x83 }, 0, 1, 0]);
    reply.push(u8::try_from(answers.len()).unwrap());
    reply.extend([0, 0, 0, 0]);
    reply.extend_from_slice(&query[12..end + 4]);
    for (_, record) in answers {
        // The name of the question, this kind, class IN, for a minute.
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 60]);
        let data = record.data();
        reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        reply.extend(data);
    }
    reply
}

impl Record {
    fn kind(self) -> u16 {
        match self {
            Self::Address(_) => 1,
            Self::Service(..) => 33,
        }
    }

    fn data(self) -> Vec<u8> {
        match self {
            Self::Address(address) => address.octets().to_vec(),
            Self::Service(port, host) => {
                let mut data = vec![0, 1, 0, 1];
                data.extend(port.to_be_bytes());
                for label in host.split('.') {
                    data.push(u8::try_from(label.len()).unwrap());
                    data.extend_from_slice(label.as_bytes());
                }
                data.push(0);
                data
            }
        }
    }
}

/// Labels with their lengths as a name with dots.
fn text_of(mut labels: &[u8]) -> String {
    let mut parts = Vec::new();
    while let Some((length, rest)) = labels.split_first() {
        let (label, rest) = rest.split_at(usize::from(*length));
        parts.push(String::from_utf8_lossy(label).into_owned());
        labels = rest;
    }
    parts.join(".")
}
