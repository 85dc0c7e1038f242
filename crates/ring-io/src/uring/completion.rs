//! What completions mean: the inbound half of the io_uring backend.

use std::io;
use std::net::TcpStream;
use std::os::fd::{FromRawFd, OwnedFd};

use bytes::Bytes;
use io_uring::cqueue;

use super::Uring;
use super::conn::{Phase, Receive};
use crate::pool::Overrun;
use crate::rest::Rest;
use crate::token::{Kind, Token};
use crate::{ConnKey, Errno, Event, ListenerKey, Read};

/// A completion, copied out of the ring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Completion {
    user_data: u64,
    result: i32,
    flags: u32,
}

impl From<cqueue::Entry> for Completion {
    fn from(entry: cqueue::Entry) -> Self {
        Self {
            user_data: entry.user_data(),
            result: entry.result(),
            flags: entry.flags(),
        }
    }
}

impl Completion {
    pub(super) fn token(&self) -> Option<Token> {
        Token::unpack(self.user_data)
    }

    /// The number of octets (or the descriptor), or the error.
    pub(super) fn outcome(&self) -> Result<usize, Errno> {
        usize::try_from(self.result).map_err(|_| Errno::new(self.result.saturating_neg()))
    }

    /// Whether the operation goes on.
    fn more(&self) -> bool {
        cqueue::more(self.flags)
    }

    /// The accepted socket of a listener's completion. Called once for each completion, here or nowhere.
    pub(super) fn accepted(&self) -> Option<OwnedFd> {
        if self.result < 0
            || self
                .token()
                .is_none_or(|token| token.kind != Kind::Listener)
        {
            return None;
        }
        // SAFETY: a successful accept's result is a new descriptor that nobody owns yet, and each completion is taken
        // out of the queue once.
        Some(unsafe { OwnedFd::from_raw_fd(self.result) })
    }
}

impl Uring {
    pub(super) fn on_completion(
        &mut self,
        completion: Completion,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        let Some(token) = completion.token() else {
            return Ok(());
        };
        match token.kind {
            Kind::Connection => return self.on_received(token, completion, events),
            Kind::Writability => self.on_writable(token, events),
            Kind::Listener => self.on_accepted(token, completion, events),
            Kind::Wake => self.on_woken(completion, events),
            // Only failed cancellations complete: what they were for had ended by itself.
            Kind::Cancel => {}
            Kind::Send => debug_assert!(false, "sends end inside their batch"),
        }
        Ok(())
    }

    fn key_of(&self, token: Token) -> Option<ConnKey> {
        let generation = self.conns.generation(token.index as usize)?;
        token
            .is_of(generation)
            .then(|| ConnKey::new(token.index, generation))
    }

    fn on_received(
        &mut self,
        token: Token,
        completion: Completion,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        // First of all and in any case: octets of closed connections, too, used up their part of a slot.
        let data = self.take_data(completion)?;
        let Some(key) = self.key_of(token) else {
            return Ok(());
        };
        let Some(conn) = self.conns.get_mut(key.index(), key.generation()) else {
            return Ok(());
        };
        if !completion.more() {
            conn.receive = Receive::Idle;
        }
        if conn.phase == Phase::Closing {
            return self.after_operation(key);
        }
        if let Some(data) = data {
            if conn.read == Read::Once {
                conn.read = Read::Paused;
            }
            events.push(Event::Received { conn: key, data });
        } else {
            match completion.outcome() {
                Ok(_) => {
                    conn.ended = true;
                    events.push(Event::PeerClosed { conn: key });
                }
                Err(error) => self.on_receive_error(key, error, events),
            }
        }
        self.cancel_unwanted(key);
        self.after_operation(key)
    }

    /// The octets of a receive, in place. The slot is finished when the kernel says that it was used up.
    fn take_data(&mut self, completion: Completion) -> io::Result<Option<Bytes>> {
        let octets = completion.outcome().unwrap_or(0);
        // A receive without octets used up nothing, whatever its flags say about the buffer.
        let (Some(slot), 1..) = (cqueue::buffer_select(completion.flags), octets) else {
            return Ok(None);
        };
        let data = self.pool.consume(slot, octets).map_err(|Overrun| {
            // The place of every further octet would be a guess: better no data than somebody else's.
            self.broken = Some(Errno::new(libc::EIO));
            io::Error::other("the kernel filled a receive slot beyond its end")
        })?;
        if !cqueue::buffer_more(completion.flags) {
            self.pool.finish(slot);
            self.provided -= 1;
        }
        Ok(Some(data))
    }

    fn on_receive_error(&mut self, key: ConnKey, error: Errno, events: &mut Vec<Event>) {
        let Some(conn) = self.conn(key) else { return };
        match error.number() {
            libc::ENOBUFS => {
                conn.receive = Receive::Starved;
                self.starved.push_back(key);
                self.pool.count_pause();
            }
            // Our own cancellation, or nothing at all: `after_operation` arms what is wanted.
            libc::ECANCELED | libc::EINTR | libc::EAGAIN => {}
            _ => {
                conn.ended = true;
                events.push(Event::Failed { conn: key, error });
            }
        }
    }

    /// An operation may have ended: removes a closed connection, arms the next receive of an open one.
    fn after_operation(&mut self, key: ConnKey) -> io::Result<()> {
        let Some(conn) = self.conns.get(key.index(), key.generation()) else {
            return Ok(());
        };
        if conn.phase == Phase::Closing {
            if !conn.in_flight() {
                self.conns.remove(key.index(), key.generation());
            }
        } else if conn.receive == Receive::Idle {
            self.arm_receive(key);
        }
        Ok(())
    }

    fn on_writable(&mut self, token: Token, events: &mut Vec<Event>) {
        let Some(key) = self.key_of(token) else {
            return;
        };
        let Some(conn) = self.conns.get_mut(key.index(), key.generation()) else {
            return;
        };
        conn.polling = false;
        match conn.phase {
            Phase::Closing => {
                if !conn.in_flight() {
                    self.conns.remove(key.index(), key.generation());
                }
            }
            Phase::Connecting => {
                let error = conn
                    .stream
                    .as_ref()
                    .and_then(|stream| stream.take_error().ok().flatten());
                self.on_attempt(
                    key,
                    error.map_or(Ok(()), |error| Err(Errno::of(&error))),
                    events,
                );
            }
            Phase::Open => {
                if std::mem::take(&mut conn.want_writable) {
                    events.push(Event::Writable { conn: key });
                }
            }
        }
    }

    /// A connection attempt has ended.
    pub(super) fn on_attempt(
        &mut self,
        key: ConnKey,
        result: Result<(), Errno>,
        events: &mut Vec<Event>,
    ) {
        let Some(conn) = self.conn(key) else { return };
        conn.phase = Phase::Open;
        match result {
            Ok(()) => {
                let poll = conn.want_writable;
                events.push(Event::Connected { conn: key });
                self.arm_receive(key);
                if poll {
                    self.arm_poll(key);
                }
            }
            Err(error) => {
                conn.ended = true;
                conn.want_writable = false;
                events.push(Event::Failed { conn: key, error });
            }
        }
    }

    fn on_accepted(&mut self, token: Token, completion: Completion, events: &mut Vec<Event>) {
        let accepted = completion.accepted();
        let Some(generation) = self.listeners.generation(token.index as usize) else {
            return;
        };
        let Some(entry) = self
            .listeners
            .get_mut(token.index as usize, generation)
            .filter(|_| token.is_of(generation))
        else {
            return;
        };
        let key = ListenerKey::new(token.index, generation);
        if !completion.more() {
            entry.armed = false;
        }
        if entry.closing {
            if !entry.armed {
                self.listeners.remove(key.index(), generation);
            }
            return;
        }
        match (accepted, completion.outcome()) {
            (Some(stream), _) => {
                let stream = TcpStream::from(stream);
                // A peer that is gone already has no address; there is nobody left to tell.
                if let Ok(peer) = stream.peer_addr() {
                    events.push(Event::Accepted {
                        listener: key,
                        stream: stream.into(),
                        peer,
                    });
                }
            }
            (None, Err(error)) if !is_harmless(error) => {
                events.push(Event::AcceptFailed {
                    listener: key,
                    error,
                });
                if Rest::is_due(error) {
                    self.rest.start();
                    return;
                }
            }
            (None, _) => {}
        }
        self.arm_listener(key);
    }

    fn on_woken(&mut self, completion: Completion, events: &mut Vec<Event>) {
        if self.waker.acknowledge() {
            events.push(Event::Woken);
        }
        if !completion.more() {
            self.arm_waker();
        }
    }
}

/// Errors after which the operation is just armed again.
fn is_harmless(error: Errno) -> bool {
    matches!(error.number(), libc::ECANCELED | libc::EINTR | libc::EAGAIN)
}
