//! What the readers of a SIP stream make of octets, for fuzzing. Not part of a usual build.

use std::net::{Ipv4Addr, SocketAddr};

use super::framing::{Framed, Framer};
use super::screen::{Fault, Screen, Screened};

/// What became of one message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// A question for a sign of life.
    Ping,
    /// It would go to the engine: everything that was read from it, as text.
    Passed(String),
    /// It is answered with these octets.
    Refused(Vec<u8>),
    /// It cannot be answered.
    Dropped,
    /// Nobody can say where it ends: the connection is closed.
    Endless,
}

/// Reads a stream that comes in these parts, until it ends or cannot be read on.
pub fn read_stream<'a>(reads: impl Iterator<Item = &'a [u8]>) -> Vec<Judged> {
    let (mut framer, screen) = (Framer::default(), Screen::new("inspection"));
    let mut judged = Vec::new();
    for octets in reads {
        framer.buffer().extend_from_slice(octets);
        loop {
            let (head, body, fault) = match framer.poll() {
                Framed::NeedMore => break,
                Framed::Ping => {
                    judged.push(Judged::Ping);
                    continue;
                }
                Framed::Endless => {
                    judged.push(Judged::Endless);
                    return judged;
                }
                Framed::Message(head, body) => (head, body, None),
                Framed::Broken(head, fault) => (head, Default::default(), Some(fault)),
            };
            judged.push(judge(&screen, &head, &body, fault));
            if fault.is_some() {
                return judged;
            }
        }
    }
    judged
}

fn judge(screen: &Screen, head: &super::head::Head, body: &[u8], fault: Option<Fault>) -> Judged {
    let source = SocketAddr::from((Ipv4Addr::LOCALHOST, 5070));
    match screen.judge(head, body, source, fault) {
        Screened::Pass(message) => Judged::Passed(format!(
            "{:?} {:?} {:?} {:?}",
            message.start, message.headers, message.body, message.ids
        )),
        Screened::Refuse(octets, _) => Judged::Refused(octets),
        Screened::Drop(_) => Judged::Dropped,
    }
}
