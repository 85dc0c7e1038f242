//! What readiness means: the inbound half of the epoll backend.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};

use super::Epoll;
use super::poller::Readiness;
use crate::pool::Overrun;
use crate::rest::Rest;
use crate::token::{Kind, Token};
use crate::{ConnKey, Errno, Event, ListenerKey, Read, limits, socket};

impl Epoll {
    pub(super) fn on_ready(&mut self, ready: Readiness, events: &mut Vec<Event>) -> io::Result<()> {
        let Some(token) = Token::unpack(ready.token) else {
            return Ok(());
        };
        match token.kind {
            Kind::Wake => {
                if self.waker.acknowledge() {
                    events.push(Event::Woken);
                }
            }
            Kind::Listener => self.on_listener(token, events),
            Kind::Connection => return self.on_connection(token, ready.mask, events),
            Kind::Writability | Kind::Send | Kind::Cancel => {
                debug_assert!(false, "not a token of this backend")
            }
        }
        Ok(())
    }

    fn on_listener(&mut self, token: Token, events: &mut Vec<Event>) {
        let Some(generation) = self.listeners.generation(token.index as usize) else {
            return;
        };
        let Some(listener) = self.listeners.get_mut(token.index as usize, generation) else {
            return;
        };
        if !token.is_of(generation) {
            return;
        }
        let key = ListenerKey::new(token.index, generation);
        for _ in 0..limits::ACCEPTS_PER_WAIT {
            match accept(&listener.listener) {
                Ok((stream, peer)) => {
                    events.push(Event::Accepted {
                        listener: key,
                        stream,
                        peer,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    let error = Errno::of(&error);
                    events.push(Event::AcceptFailed {
                        listener: key,
                        error,
                    });
                    if Rest::is_due(error) {
                        let _ =
                            self.poller
                                .watch(listener.listener.as_raw_fd(), 0, listener.mask, 0);
                        listener.mask = 0;
                        self.rest.start();
                        return;
                    }
                }
            }
        }
    }

    /// Watches the listeners again after their rest.
    pub(super) fn resume_listeners(&mut self) -> io::Result<()> {
        if !self.rest.take_over() {
            return Ok(());
        }
        for (index, generation, listener) in self.listeners.iter_mut() {
            let token = Token::new(Kind::Listener, index, generation).pack();
            self.poller.watch(
                listener.listener.as_raw_fd(),
                token,
                listener.mask,
                READABLE,
            )?;
            listener.mask = READABLE;
        }
        Ok(())
    }

    fn on_connection(
        &mut self,
        token: Token,
        mask: u32,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        let Some(key) = self.key_of(token) else {
            return Ok(());
        };
        let Some(conn) = self.conn(key) else {
            return Ok(());
        };
        if conn.connecting {
            conn.connecting = false;
            let result = conn
                .stream
                .take_error()?
                .map_or(Ok(()), |error| Err(Errno::of(&error)));
            self.on_attempt(key, result, events);
            return self.sync(key);
        }
        let broken = mask & BROKEN != 0;
        if conn.want_writable && (broken || mask & WRITABLE != 0) {
            conn.want_writable = false;
            events.push(Event::Writable { conn: key });
        }
        if conn.mask & READABLE != 0 && (broken || mask & READABLE != 0) {
            self.receive(key, events)?;
        }
        self.sync(key)
    }

    pub(super) fn on_attempt(
        &mut self,
        key: ConnKey,
        result: Result<(), Errno>,
        events: &mut Vec<Event>,
    ) {
        let Some(conn) = self.conn(key).filter(|conn| !conn.ended) else {
            return;
        };
        match result {
            Ok(()) => events.push(Event::Connected { conn: key }),
            Err(error) => {
                conn.ended = true;
                conn.want_writable = false;
                events.push(Event::Failed { conn: key, error });
            }
        }
    }

    fn key_of(&mut self, token: Token) -> Option<ConnKey> {
        let generation = self.conns.generation(token.index as usize)?;
        token
            .is_of(generation)
            .then(|| ConnKey::new(token.index, generation))
    }

    /// Receives until the socket is empty, the connection had its share, or no slot is left.
    fn receive(&mut self, key: ConnKey, events: &mut Vec<Event>) -> io::Result<()> {
        let mut share = limits::RECEIVED_PER_WAIT_OCTETS;
        while share > 0 {
            if !self.has_room() {
                self.pool.count_pause();
                self.starved.push_back(key);
                if let Some(conn) = self.conn(key) {
                    conn.starved = true;
                }
                return Ok(());
            }
            match self.receive_once(key, share, events)? {
                Received::Part(octets) => share -= octets,
                Received::All => return Ok(()),
            }
        }
        Ok(())
    }

    /// One receive into the current slot, of at most `share` octets.
    fn receive_once(
        &mut self,
        key: ConnKey,
        share: usize,
        events: &mut Vec<Event>,
    ) -> io::Result<Received> {
        let (Some(slot), Some(conn)) =
            (self.slot, self.conns.get_mut(key.index(), key.generation()))
        else {
            return Ok(Received::All);
        };
        let room = (self.pool.slot_octets() - self.pool.filled(slot)).min(share);
        // SAFETY: `room` octets from `tail` on lie inside the slot and were not given out yet (module documentation of
        // the pool), so nobody else reads or writes them.
        let received =
            unsafe { socket::receive(conn.stream.as_raw_fd(), self.pool.tail(slot), room) };
        let event = match received {
            Ok(0) => Event::PeerClosed { conn: key },
            Ok(octets) => {
                let once = conn.read == Read::Once;
                if once {
                    conn.read = Read::Paused;
                }
                let data = self
                    .pool
                    .consume(slot, octets)
                    .map_err(|Overrun| io::Error::other("slot overrun"))?;
                events.push(Event::Received { conn: key, data });
                let more = octets == room && !once;
                return Ok(if more {
                    Received::Part(octets)
                } else {
                    Received::All
                });
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                return Ok(Received::All);
            }
            Err(error) => Event::Failed {
                conn: key,
                error: Errno::of(&error),
            },
        };
        conn.ended = true;
        events.push(event);
        Ok(Received::All)
    }
}

/// Accepts one connection, non-blocking and close-on-exec.
fn accept(listener: &TcpListener) -> io::Result<(OwnedFd, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream.into(), peer))
}

/// How one receive left the connection.
enum Received {
    /// It filled the room; there may be more than these octets.
    Part(usize),
    /// Nothing more now.
    All,
}

pub(super) const READABLE: u32 = libc::EPOLLIN.cast_unsigned();
pub(super) const WRITABLE: u32 = libc::EPOLLOUT.cast_unsigned();
const BROKEN: u32 = (libc::EPOLLERR | libc::EPOLLHUP).cast_unsigned();
