//! The client's end of one MSRP session: octets of the connection to messages, and back.
//!
//! Does no I/O: what is to be written collects in [`Session::out`], what happened in
//! [`Session::poll_event`].
//!
//! # Spec
//! RFC 4975 s.5.4, s.7.1, s.7.2.

use std::collections::{HashMap, VecDeque};

use msrp_wire::encode::{self, Report, SendTail};
use msrp_wire::{
    Body, ByteRange, ContentType, ContinuationFlag, Decoder, Event, FailureReport, Limits,
    Malformed, MessageId, Method, MsrpPathBuf, MsrpUriBuf, Rejected, RequestHead, ResponseHead,
    Status, StatusCode, SuccessReport, TransactionId, end_line_occurs,
};
use tokio::sync::oneshot;

use super::Refusal;
use super::assembly::{Assembly, ChunkError};
use super::message::{self, Incoming};

/// Where the outcome of a message goes.
pub(super) type Answer = oneshot::Sender<Result<(), Refusal>>;

/// Something that the other side said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SessionEvent {
    /// A message for people.
    Message(Incoming),
    /// A report says that a message of ours did not reach everybody.
    Refused(Refusal),
}

/// One MSRP session.
pub(super) struct Session {
    decoder: Decoder,
    core: Core,
}

/// Everything but the decoder, whose events borrow it.
struct Core {
    own: MsrpUriBuf,
    peer: MsrpPathBuf,
    draw: fn() -> u128,
    out: Vec<u8>,
    reading: Option<Reading>,
    assembly: Assembly,
    transactions: HashMap<TransactionId, MessageId>,
    messages: HashMap<MessageId, Outgoing>,
    events: VecDeque<SessionEvent>,
}

/// A request whose end line has not come.
struct Reading {
    method: Method,
    transaction_id: TransactionId,
    message_id: Option<MessageId>,
    from: MsrpPathBuf,
    /// Number of the next octet of the message.
    next: u64,
    success_report: SuccessReport,
    failure_report: FailureReport,
    verdict: StatusCode,
}

/// A message of ours that is not answered.
struct Outgoing {
    unanswered: usize,
    answer: Answer,
}

impl Session {
    /// A session between these two ends. `draw` gives 128 random bits.
    pub(super) fn new(own: MsrpUriBuf, peer: MsrpPathBuf, draw: fn() -> u128) -> Self {
        let core = Core {
            own,
            peer,
            draw,
            out: Vec::new(),
            reading: None,
            assembly: Assembly::default(),
            transactions: HashMap::new(),
            messages: HashMap::new(),
            events: VecDeque::new(),
        };
        Self {
            decoder: Decoder::new(Limits::default()),
            core,
        }
    }

    /// Takes octets of the connection.
    ///
    /// # Errors
    /// [`Malformed`]: the peer does not speak MSRP; close the connection.
    pub(super) fn handle_input(&mut self, input: &[u8]) -> Result<(), Malformed> {
        let mut rest = input;
        loop {
            let step = self.decoder.decode(rest)?;
            let Some(event) = step.event else {
                return Ok(());
            };
            self.core.on_event(event, rest);
            rest = rest.get(step.consumed..).unwrap_or_default();
        }
    }

    /// Sends the request that binds the session to the connection.
    pub(super) fn bind(&mut self, answer: Answer) {
        let id = MessageId::from_random((self.core.draw)());
        let range = ByteRange {
            start: 1,
            end: Some(0),
            total: Some(0),
        };
        self.core.await_answer(id, 1, answer);
        self.core
            .write_send(id, range, None, ContinuationFlag::Last);
    }

    /// Sends a Message/CPIM message, in chunks of at most [`CHUNK_OCTETS_MAX`].
    pub(super) fn send(&mut self, content: &[u8], answer: Answer) {
        let id = MessageId::from_random((self.core.draw)());
        let chunks: Vec<&[u8]> = content.chunks(CHUNK_OCTETS_MAX).collect();
        self.core.await_answer(id, chunks.len(), answer);
        let (mut start, total) = (1, content.len() as u64);
        for (index, chunk) in chunks.iter().enumerate() {
            let end = start + chunk.len() as u64;
            let range = ByteRange {
                start,
                end: Some(end - 1),
                total: Some(total),
            };
            let is_last = index + 1 == chunks.len();
            let flag = if is_last {
                ContinuationFlag::Last
            } else {
                ContinuationFlag::More
            };
            self.core.write_send(id, range, Some(chunk), flag);
            start = end;
        }
    }

    /// Asks for a nickname; for none when it is empty.
    pub(super) fn ask_nickname(&mut self, nickname: &str, answer: Answer) {
        // Nothing of this name is on the wire; it leads from the answer to who waits for it.
        let id = MessageId::from_random((self.core.draw)());
        self.core.await_answer(id, 1, answer);
        let tid = self.core.draw_transaction_id(&[]);
        self.core.transactions.insert(tid, id);
        let Core { out, peer, own, .. } = &mut self.core;
        encode::nickname(out, tid, &*peer, &*own, nickname);
    }

    /// What is to be written; drain it from its start.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.core.out
    }

    /// The next thing that happened.
    pub(super) fn poll_event(&mut self) -> Option<SessionEvent> {
        self.core.events.pop_front()
    }

    /// Whether [`SENDING_MAX`] messages wait for their answer. Forgets those that nobody waits for.
    pub(super) fn is_full(&mut self) -> bool {
        if self.core.messages.len() >= SENDING_MAX {
            let Core {
                messages,
                transactions,
                ..
            } = &mut self.core;
            messages.retain(|_, message| !message.answer.is_closed());
            transactions.retain(|_, id| messages.contains_key(id));
        }
        self.core.messages.len() >= SENDING_MAX
    }
}

impl Core {
    fn on_event(&mut self, event: Event<'_>, input: &[u8]) {
        match event {
            Event::Request(head) => self.on_request(&head),
            Event::Body(Body::Input(range)) => self.on_body(input.get(range).unwrap_or_default()),
            Event::Body(Body::Carried(octets)) => self.on_body(octets),
            Event::End(flag) => self.on_end(flag),
            Event::Response(head) => self.on_response(&head),
            Event::Rejected(rejected) => self.on_rejected(&rejected),
        }
    }

    fn on_request(&mut self, head: &RequestHead<'_>) {
        let verdict = match head.method {
            _ if !head.to_path.last().same_as(&self.own.as_uri()) => StatusCode::NO_SESSION,
            Method::Send => content_verdict(head.content_type),
            Method::Report => {
                self.on_report(head);
                StatusCode::OK
            }
            Method::Auth | Method::Nickname | Method::Other(_) => StatusCode::UNKNOWN_METHOD,
        };
        self.reading = Some(Reading {
            method: head.method,
            transaction_id: head.transaction_id,
            message_id: head.message_id,
            from: head.from_path.to_buf(),
            next: head.byte_range.unwrap_or(ByteRange::WHOLE).start,
            success_report: head.success_report,
            failure_report: head.failure_report,
            verdict,
        });
    }

    fn on_report(&mut self, head: &RequestHead<'_>) {
        let Some(status) = head.status.filter(|s| !s.code.is_success()) else {
            return;
        };
        self.events
            .push_back(SessionEvent::Refused(Refusal::new(status.code, None)));
    }

    fn on_body(&mut self, octets: &[u8]) {
        let Some(reading) = &mut self.reading else {
            return;
        };
        let Some(id) = reading.message_id.filter(|_| reading.is_accepted_send()) else {
            return;
        };
        match self.assembly.put(id, reading.next, octets) {
            Ok(()) => reading.next = reading.next.saturating_add(octets.len() as u64),
            Err(ChunkError::Gap) => reading.verdict = StatusCode::BAD_REQUEST,
            Err(ChunkError::TooMuch) => reading.verdict = StatusCode::STOP_SENDING,
        }
    }

    fn on_end(&mut self, flag: ContinuationFlag) {
        let Some(reading) = self.reading.take() else {
            return;
        };
        self.answer(&reading);
        let Some(id) = reading
            .message_id
            .filter(|_| reading.method == Method::Send)
        else {
            return;
        };
        if flag == ContinuationFlag::More && reading.verdict.is_success() {
            return;
        }
        let message = self.assembly.take(id);
        if flag == ContinuationFlag::Abort || !reading.verdict.is_success() || message.is_empty() {
            return;
        }
        if reading.success_report == SuccessReport::Yes {
            self.report_success(&reading, id, message.len() as u64);
        }
        if let Some(incoming) = message::read(&message) {
            self.events.push_back(SessionEvent::Message(incoming));
        }
    }

    fn answer(&mut self, reading: &Reading) {
        let is_owed = match (reading.method, reading.failure_report) {
            (Method::Report, _) | (Method::Send, FailureReport::No) => false,
            (Method::Send, FailureReport::Partial) => !reading.verdict.is_success(),
            _ => true,
        };
        let Some(from) = reading.from.as_path().filter(|_| is_owed) else {
            return;
        };
        let (tid, status) = (reading.transaction_id, reading.verdict);
        match reading.method {
            Method::Send => {
                encode::response(&mut self.out, tid, status, None, from.first(), &self.own)
            }
            _ => encode::response(&mut self.out, tid, status, None, from, &self.own),
        }
    }

    fn report_success(&mut self, reading: &Reading, id: MessageId, octets: u64) {
        let report = Report {
            message_id: id,
            byte_range: Some(ByteRange {
                start: 1,
                end: Some(octets),
                total: Some(octets),
            }),
            status: Status::new(StatusCode::OK),
            comment: None,
            body: None,
        };
        let tid = TransactionId::from_random((self.draw)());
        encode::report(&mut self.out, tid, &reading.from, &self.own, &report);
    }

    fn on_response(&mut self, head: &ResponseHead<'_>) {
        let Some(id) = self.transactions.remove(&head.transaction_id) else {
            return;
        };
        let Some(message) = self.messages.get_mut(&id) else {
            return;
        };
        message.unanswered = message.unanswered.saturating_sub(1);
        let result = if !head.status.is_success() {
            Err(Refusal::new(head.status, head.comment))
        } else if message.unanswered == 0 {
            Ok(())
        } else {
            return;
        };
        if let Some(message) = self.messages.remove(&id) {
            // Nobody waits any longer when this fails.
            let _ = message.answer.send(result);
        }
    }

    fn on_rejected(&mut self, rejected: &Rejected<'_>) {
        let is_owed =
            rejected.method != Method::Report && rejected.failure_report != Some(FailureReport::No);
        if let Some(from) = rejected.from_path.filter(|_| is_owed) {
            let tid = rejected.transaction_id;
            let status = StatusCode::BAD_REQUEST;
            encode::response(&mut self.out, tid, status, None, from.first(), &self.own);
        }
    }

    fn await_answer(&mut self, id: MessageId, unanswered: usize, answer: Answer) {
        self.messages.insert(id, Outgoing { unanswered, answer });
    }

    fn write_send(
        &mut self,
        id: MessageId,
        range: ByteRange,
        body: Option<&[u8]>,
        flag: ContinuationFlag,
    ) {
        let tid = self.draw_transaction_id(body.unwrap_or_default());
        self.transactions.insert(tid, id);
        encode::start_line(&mut self.out, tid, &Method::Send);
        encode::paths(&mut self.out, &self.peer, &self.own);
        let tail = SendTail {
            message_id: id,
            byte_range: Some(range),
            success_report: SuccessReport::No,
            failure_report: FailureReport::Yes,
            relayed: msrp_wire::RelayedHeaders::default(),
            content_type: body.map(|_| ContentType::MESSAGE_CPIM),
        };
        encode::send_headers_tail(&mut self.out, &tail);
        match body {
            Some(body) => {
                self.out.extend_from_slice(body);
                encode::body_end(&mut self.out, tid, flag);
            }
            None => encode::end_line(&mut self.out, tid, flag),
        }
    }

    /// An id that is drawn after the body is fixed and does not occur in it.
    fn draw_transaction_id(&self, body: &[u8]) -> TransactionId {
        loop {
            let tid = TransactionId::from_random((self.draw)());
            if !end_line_occurs([body], tid) {
                return tid;
            }
        }
    }
}

impl Reading {
    fn is_accepted_send(&self) -> bool {
        self.method == Method::Send && self.verdict.is_success()
    }
}

fn content_verdict(content_type: Option<&[u8]>) -> StatusCode {
    match content_type.map(ContentType::parse) {
        None => StatusCode::OK,
        Some(Ok(value)) if value == ContentType::MESSAGE_CPIM => StatusCode::OK,
        Some(Ok(_)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Some(Err(_)) => StatusCode::BAD_REQUEST,
    }
}

/// Octets of one chunk: the size up to which a chunk need not be interruptible. Source: RFC 4975
/// s.5.1.
const CHUNK_OCTETS_MAX: usize = 2048;
/// Most messages that wait for their answer; the next one waits until one is answered.
const SENDING_MAX: usize = 256;

#[cfg(test)]
mod tests;
