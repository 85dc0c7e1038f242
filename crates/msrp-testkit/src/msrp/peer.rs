//! One end of an MSRP connection with its session.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::connection::{Outgoing, Shared, read, response, write};
use super::draft::{Draft, Sent};
use super::event::{Closed, Event, Mode};
use super::frame::{Flag, Frame};
use super::message::Message;
use crate::ident::fresh;
use crate::mailbox::Mailbox;
use crate::transcript::{Transcript, lock};

/// A scripted MSRP peer. Two tasks of its own read and write; they end when the peer is dropped.
///
/// What arrives is parsed strictly. A broken rule makes every later wait panic with the rule and the transcript.
pub struct MsrpPeer {
    shared: Arc<Shared>,
    local: SocketAddr,
    uri: String,
    remote_path: String,
    _tasks: JoinSet<()>,
}

impl MsrpPeer {
    pub(crate) fn start(
        stream: TcpStream,
        uri: &str,
        remote_path: &str,
        transcript: Transcript,
    ) -> Self {
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let local = stream.local_addr().expect("the own address");
        let (reader, writer) = stream.into_split();
        let (outgoing, incoming) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            events: Mailbox::new(),
            transcript,
            mode: watch::Sender::new(Mode::Auto),
            outgoing: Mutex::new(Some(outgoing)),
            unwritten_octets: AtomicUsize::new(0),
            written_octets: AtomicUsize::new(0),
            uris: Mutex::new(vec![uri.into()]),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(read(Arc::clone(&shared), reader));
        tasks.spawn(write(Arc::clone(&shared), writer, incoming));
        Self {
            shared,
            local,
            uri: uri.into(),
            remote_path: remote_path.into(),
            _tasks: tasks,
        }
    }

    /// The address of this end of the connection.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    /// The own URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Talks to another path from now on: that of a peer that is known after the connection was made.
    pub fn set_remote_path(&mut self, path: &str) {
        self.remote_path = path.into();
    }

    /// The remote path, URIs parted by blanks.
    pub fn remote_path(&self) -> &str {
        &self.remote_path
    }

    /// The record of this peer.
    pub fn transcript(&self) -> &Transcript {
        &self.shared.transcript
    }

    /// Takes requests to another own URI too, for a connection that carries several sessions.
    pub fn add_uri(&self, uri: &str) {
        lock(&self.shared.uris).push(uri.into());
    }

    /// Changes what happens to octets from now on.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.transcript.note(format_args!("mode {mode:?}"));
        self.shared.mode.send_replace(mode);
    }

    /// Queues octets as they are.
    pub fn write_raw(&self, octets: &[u8]) {
        self.shared.write(octets.to_vec());
    }

    /// Queues a frame.
    pub fn write(&self, frame: &Frame) {
        self.write_raw(&frame.to_octets());
    }

    /// Waits until the kernel has taken all queued octets.
    ///
    /// # Panics
    /// When it has not before the deadline, or the connection ended.
    pub async fn flushed(&self) {
        let (sender, receiver) = oneshot::channel();
        self.shared.enqueue(Outgoing::Flushed(sender));
        let flushed = self
            .shared
            .transcript
            .within("the kernel to take the octets", receiver)
            .await;
        assert!(
            flushed.is_ok(),
            "the connection ended before the octets were written\n{}",
            self.transcript()
        );
    }

    /// Octets that are queued and that the kernel has not taken.
    pub fn unwritten_octets(&self) -> usize {
        self.shared.unwritten_octets.load(Ordering::Acquire)
    }

    /// Octets that the kernel has taken since the connection began.
    pub fn written_octets(&self) -> usize {
        self.shared.written_octets.load(Ordering::Acquire)
    }

    /// Queues all chunks of a message.
    pub fn send(&self, draft: &Draft) -> Sent {
        let frames = draft.frames(&self.remote_path, &self.uri);
        frames.iter().for_each(|frame| self.write(frame));
        Sent {
            message_id: draft.message_id.clone(),
            tids: frames.into_iter().map(|frame| frame.tid).collect(),
        }
    }

    /// Queues one chunk: the octets of the body from index `from` up to index `to`. Gives its transaction id.
    pub fn send_chunk(&self, draft: &Draft, from: usize, to: usize, flag: Flag) -> String {
        let frame = draft.chunk(from, to, flag, &self.remote_path, &self.uri);
        self.write(&frame);
        frame.tid
    }

    /// Sends a message and waits for 200 to each chunk, if the message asks for responses.
    pub async fn send_ok(&self, draft: &Draft) -> Sent {
        let sent = self.send(draft);
        if draft.wants_response() {
            self.expect_all(&sent, 200).await;
        }
        sent
    }

    /// Sends a SEND without a body and waits for its 200, which binds the connection to the session.
    pub async fn bind(&self) {
        self.send_ok(&Draft::empty()).await;
    }

    /// Answers a request.
    pub fn respond(&self, request: &Frame, status: u16, comment: &str) {
        self.write(&response(request, status, comment));
    }

    /// Sends a REPORT about octets of a message, such as `report(&message, "1-5/5", "000 200 OK")`.
    pub fn report(&self, message: &Message, byte_range: &str, status: &str) -> String {
        let to_path = message.header("From-Path").unwrap_or(&self.remote_path);
        let report = Frame::request("REPORT", &fresh("t"), to_path, &self.uri)
            .with("Message-ID", &message.id)
            .with("Byte-Range", byte_range)
            .with("Status", status);
        self.write(&report);
        report.tid
    }

    /// Waits for the response to a transaction.
    pub async fn expect_response(&self, tid: &str) -> Frame {
        let what = format!("a response to {tid}");
        let ours = |event: &Event| matches!(event, Event::Response(frame) if frame.tid == tid);
        self.frame(self.take(&what, ours).await)
    }

    /// Waits for the response to a transaction and checks its status.
    pub async fn expect_status(&self, tid: &str, status: u16) -> Frame {
        let frame = self.expect_response(tid).await;
        assert_eq!(
            frame.status(),
            Some(status),
            "status of the response to {tid}\n{}",
            self.transcript()
        );
        frame
    }

    /// Waits for responses to all chunks and checks their status.
    pub async fn expect_all(&self, sent: &Sent, status: u16) {
        for tid in &sent.tids {
            self.expect_status(tid, status).await;
        }
    }

    /// Waits for the next REPORT.
    pub async fn expect_report(&self) -> Frame {
        self.frame(
            self.take("a REPORT", |event| matches!(event, Event::Report(_)))
                .await,
        )
    }

    /// Waits for the next REPORT about a message and checks the code of its Status.
    pub async fn expect_report_of(&self, message_id: &str, status: u16) -> Frame {
        let what = format!("a REPORT about {message_id}");
        let ours = |event: &Event| matches!(event, Event::Report(frame) if frame.message_id() == Some(message_id));
        let frame = self.frame(self.take(&what, ours).await);
        assert_eq!(
            frame.report_status(),
            Some(status),
            "status of {what}\n{}",
            self.transcript()
        );
        frame
    }

    /// Waits for the next message, whatever it is.
    pub async fn expect_message(&self) -> Message {
        match self
            .take("a message", |event| matches!(event, Event::Message(_)))
            .await
        {
            Event::Message(message) => message,
            event => panic!("{event:?}"),
        }
    }

    /// Waits for the next message, which must be a whole one and carry this text in a CPIM wrapper from this URI.
    ///
    /// Messages come in one order, so the text of a message sent later also shows that nothing came before it.
    pub async fn expect_text(&self, from: &str, text: &str) -> Message {
        let message = self.expect_message().await;
        let cpim = message.cpim();
        let seen = (message.ended, cpim.from_uri(), cpim.text());
        assert_eq!(
            seen,
            (Flag::Last, Some(from), text),
            "the next message\n{}",
            self.transcript()
        );
        message
    }

    /// Waits for the next SEND with a body in [`Mode::Manual`].
    pub async fn expect_chunk(&self) -> Frame {
        self.frame(
            self.take("a SEND with a body", |event| {
                matches!(event, Event::Chunk(_))
            })
            .await,
        )
    }

    /// Waits for a SEND without a body.
    pub async fn expect_empty(&self) -> Frame {
        self.frame(
            self.take("a SEND without a body", |event| {
                matches!(event, Event::Empty(_))
            })
            .await,
        )
    }

    /// Waits for a request other than SEND and REPORT.
    pub async fn expect_other(&self, method: &str) -> Frame {
        let ours =
            |event: &Event| matches!(event, Event::Other(frame) if frame.method() == Some(method));
        self.frame(self.take(method, ours).await)
    }

    /// Waits for the end of the connection, by either side of the protocol.
    pub async fn expect_closed(&self) -> Closed {
        match self
            .take("the end of the connection", |event| {
                matches!(event, Event::Closed(_))
            })
            .await
        {
            Event::Closed(closed) => closed,
            event => panic!("{event:?}"),
        }
    }

    /// Waits for the next event that nobody has taken, whatever it is.
    pub async fn expect_next(&self) -> Event {
        self.take("any event", |_| true).await
    }

    /// As [`MsrpPeer::expect_next`], however long it takes.
    ///
    /// # Panics
    /// When the peer broke a rule, or everything up to the end of the connection has been taken.
    pub async fn next(&self) -> Event {
        let event = self.shared.events.take(|_| true).await;
        event.unwrap_or_else(|fault| panic!("{fault}\n{}", self.transcript()))
    }

    /// Waits for the next event, which must be the one that `select` describes: nothing else came before it.
    ///
    /// # Panics
    /// When another event comes first.
    pub async fn expect_nothing_until(&self, what: &str, select: impl Fn(&Event) -> bool) -> Event {
        let event = self.take(what, |_| true).await;
        assert!(
            select(&event),
            "{event:?} came before {what}\n{}",
            self.transcript()
        );
        event
    }

    /// Checks that every event so far has been taken. Shows nothing about what is still on its way: let a later
    /// message arrive first.
    ///
    /// # Panics
    /// When an event is left.
    pub fn assert_nothing_left(&self) {
        self.shared.events.inspect(|events| {
            assert!(events.is_empty(), "left: {events:?}\n{}", self.transcript())
        });
    }

    /// Ends the own direction of the connection after the queued octets.
    pub fn close(&self) {
        self.shared.transcript.note("closes");
        lock(&self.shared.outgoing).take();
    }

    async fn take(&self, what: &str, select: impl FnMut(&Event) -> bool) -> Event {
        let event = self
            .shared
            .transcript
            .within(what, self.shared.events.take(select))
            .await;
        event.unwrap_or_else(|fault| panic!("{fault}, waiting for {what}\n{}", self.transcript()))
    }

    fn frame(&self, event: Event) -> Frame {
        match event {
            Event::Chunk(frame) | Event::Empty(frame) | Event::Response(frame) => frame,
            Event::Report(frame) | Event::Other(frame) => frame,
            Event::Message(_) | Event::Closed(_) => {
                panic!("{event:?} has no frame\n{}", self.transcript())
            }
        }
    }
}
