//! The two tasks of a connection, and what they share with its peer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};

use super::event::{Closed, Event, Mode};
use super::frame::Frame;
use super::frame_parser::FrameParser;
use super::message::Assembly;
use crate::mailbox::Mailbox;
use crate::transcript::{Transcript, lock};

pub(super) struct Shared {
    pub(super) events: Mailbox<Event>,
    pub(super) transcript: Transcript,
    pub(super) mode: watch::Sender<Mode>,
    pub(super) outgoing: Mutex<Option<mpsc::UnboundedSender<Outgoing>>>,
    pub(super) unwritten_octets: AtomicUsize,
    pub(super) written_octets: AtomicUsize,
    pub(super) uris: Mutex<Vec<String>>,
}

pub(super) enum Outgoing {
    Octets(Vec<u8>),
    Flushed(oneshot::Sender<()>),
}

impl Shared {
    pub(super) fn write(&self, octets: Vec<u8>) {
        self.transcript.octets("->", &octets);
        self.unwritten_octets
            .fetch_add(octets.len(), Ordering::AcqRel);
        self.enqueue(Outgoing::Octets(octets));
    }

    /// After the end of the connection the octets go nowhere, as on a real socket.
    pub(super) fn enqueue(&self, outgoing: Outgoing) {
        if let Some(sender) = &*lock(&self.outgoing) {
            let _ended = sender.send(outgoing);
        }
    }

    fn handle(&self, frame: Frame, assembly: &mut Assembly) -> Result<(), String> {
        let to_path = frame.header("To-Path").unwrap_or_default();
        if !lock(&self.uris).iter().any(|uri| uri == to_path) {
            return Err(format!("To-Path {to_path:?} is not ours"));
        }
        let event = match frame.method() {
            None => Event::Response(frame),
            Some("REPORT") => Event::Report(frame),
            Some("SEND") => return self.handle_send(frame, assembly),
            Some(_) => Event::Other(frame),
        };
        self.events.push(event);
        Ok(())
    }

    fn handle_send(&self, frame: Frame, assembly: &mut Assembly) -> Result<(), String> {
        let mode = *self.mode.borrow();
        if mode == Mode::Auto && frame.wants_response() {
            self.write(response(&frame, 200, "OK").to_octets());
        }
        if frame.body.is_none() {
            self.events.push(Event::Empty(frame));
            return Ok(());
        }
        let message = assembly.add(&frame)?;
        if mode == Mode::Manual {
            self.events.push(Event::Chunk(frame));
        }
        if let Some(message) = message {
            self.events.push(Event::Message(message));
        }
        Ok(())
    }
}

/// # Spec
/// RFC 4975 s.7.2: a response to SEND goes to the leftmost URI of From-Path only.
pub(super) fn response(request: &Frame, status: u16, comment: &str) -> Frame {
    let from_path = request.header("From-Path").unwrap_or_default();
    let to_path = match request.method() {
        Some("SEND") => from_path.split(' ').next().unwrap_or_default(),
        _ => from_path,
    };
    let own = request
        .to_path()
        .first()
        .copied()
        .unwrap_or_default()
        .to_owned();
    Frame::response(status, comment, &request.tid, to_path, &own)
}

pub(super) async fn read(shared: Arc<Shared>, mut reader: OwnedReadHalf) {
    let mut mode = shared.mode.subscribe();
    let (mut parser, mut assembly) = (FrameParser::default(), Assembly::default());
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if mode.wait_for(|mode| *mode != Mode::Deaf).await.is_err() {
            return;
        }
        if *mode.borrow() == Mode::Reset {
            return reset(&shared, &reader);
        }
        let read = tokio::select! {
            read = reader.read(&mut buffer) => read,
            _ = mode.changed() => continue,
        };
        let error = match read {
            Ok(0) => None,
            Err(error) => Some(error.to_string()),
            Ok(octets) => {
                shared.transcript.octets("<-", &buffer[..octets]);
                parser.push(&buffer[..octets]);
                if let Err(fault) = drain(&shared, &mut parser, &mut assembly) {
                    shared
                        .transcript
                        .note(format_args!("FAULT of the peer: {fault}"));
                    return shared
                        .events
                        .fail(format!("the peer broke a rule: {fault}"));
                }
                continue;
            }
        };
        shared
            .transcript
            .note(format_args!("<- end of the connection {error:?}"));
        let closed = Closed {
            rest: parser.rest().to_vec(),
            unfinished: assembly.unfinished(),
            error,
        };
        shared.events.push(Event::Closed(closed));
        return shared.events.fail("the connection has ended");
    }
}

/// The kernel resets the connection when the last half of it is gone.
fn reset(shared: &Shared, reader: &OwnedReadHalf) {
    reader.as_ref().set_zero_linger().expect("SO_LINGER");
    lock(&shared.outgoing).take();
    shared.events.push(Event::Closed(Closed {
        rest: Vec::new(),
        unfinished: Vec::new(),
        error: Some("reset by this end".into()),
    }));
    shared.events.fail("this end has reset the connection");
}

fn drain(shared: &Shared, parser: &mut FrameParser, assembly: &mut Assembly) -> Result<(), String> {
    while let Some(frame) = parser.next_frame()? {
        shared.handle(frame, assembly)?;
    }
    Ok(())
}

pub(super) async fn write(
    shared: Arc<Shared>,
    mut writer: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
) {
    while let Some(outgoing) = queue.recv().await {
        match outgoing {
            Outgoing::Octets(octets) => {
                if let Err(error) = writer.write_all(&octets).await {
                    return shared.transcript.note(format_args!("-> failed: {error}"));
                }
                shared
                    .unwritten_octets
                    .fetch_sub(octets.len(), Ordering::AcqRel);
                shared
                    .written_octets
                    .fetch_add(octets.len(), Ordering::AcqRel);
            }
            Outgoing::Flushed(sender) => {
                let _gone = sender.send(());
            }
        }
    }
    if *shared.mode.borrow() == Mode::Reset {
        return writer.forget();
    }
    let _ended = writer.shutdown().await;
}
