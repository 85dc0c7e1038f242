//! What is asked of the kernel: arming, cancelling, entering. Shared by both halves of the io_uring backend.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{opcode, squeue};

use super::Uring;
use super::buffer_ring::GROUP;
use super::completion::Completion;
use super::conn::{Phase, Receive};
use crate::token::{Kind, Token};
use crate::{ConnKey, Errno, ListenerKey, Read};

impl Uring {
    /// Gives every free slot to the kernel.
    pub(super) fn provide(&mut self) {
        self.pool.reclaim();
        let before = self.provided;
        while let Some(slot) = self.pool.take() {
            self.buffers.provide(&self.pool, slot);
            self.provided += 1;
        }
        if self.provided != before {
            self.buffers.publish();
        }
    }

    /// Arms starved connections again if there is a slot; else asks the pool for a signal.
    pub(super) fn feed(&mut self) {
        self.provide();
        if self.starved.is_empty() {
            return;
        }
        if self.provided == 0 && self.pool.starve() {
            self.provide();
        }
        if self.provided == 0 {
            return;
        }
        for key in std::mem::take(&mut self.starved) {
            if let Some(conn) = self
                .conn(key)
                .filter(|conn| conn.receive == Receive::Starved)
            {
                conn.receive = Receive::Idle;
                self.arm_receive(key);
            }
        }
    }

    /// Arms what the connection's state calls for.
    pub(super) fn arm_receive(&mut self, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key.index(), key.generation()) else {
            return;
        };
        let (Some(next), Some(stream)) = (conn.next_receive(), &conn.stream) else {
            return;
        };
        let fd = Fd(stream.as_raw_fd());
        conn.receive = next;
        let entry = match next {
            Receive::Multi => opcode::RecvMulti::new(fd, GROUP).build(),
            _ => opcode::Recv::new(fd, std::ptr::null_mut(), 0)
                .buf_group(GROUP)
                .build()
                .flags(squeue::Flags::BUFFER_SELECT),
        };
        self.push(&entry.user_data(key.token(Kind::Connection).pack()));
    }

    /// Arms one poll for writability unless one is armed.
    pub(super) fn arm_poll(&mut self, key: ConnKey) {
        let Some(conn) = self
            .conns
            .get_mut(key.index(), key.generation())
            .filter(|conn| !conn.polling)
        else {
            return;
        };
        let Some(stream) = &conn.stream else { return };
        let fd = Fd(stream.as_raw_fd());
        conn.polling = true;
        let entry = opcode::PollAdd::new(fd, WRITABLE).build();
        self.push(&entry.user_data(key.token(Kind::Writability).pack()));
    }

    pub(super) fn arm_waker(&mut self) {
        let entry = opcode::PollAdd::new(Fd(self.waker.fd()), READABLE)
            .multi(true)
            .build();
        self.push(&entry.user_data(Token::new(Kind::Wake, 0, 0).pack()));
    }

    pub(super) fn arm_listener(&mut self, key: ListenerKey) {
        let Some(entry) = self.listeners.get_mut(key.index(), key.generation()) else {
            return;
        };
        if entry.armed || entry.closing {
            return;
        }
        entry.armed = true;
        let fd = Fd(entry.listener.as_raw_fd());
        let accept = opcode::AcceptMulti::new(fd)
            .flags(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
            .build();
        self.push(&accept.user_data(key.token(Kind::Listener).pack()));
    }

    /// Starts the listeners again after their rest.
    pub(super) fn resume_listeners(&mut self) {
        if self.rest.take_over() {
            let keys: Vec<_> = self
                .listeners
                .iter_mut()
                .map(|(index, of, _)| ListenerKey::new(index, of))
                .collect();
            keys.into_iter().for_each(|key| self.arm_listener(key));
        }
    }

    /// Cancels one operation; it still ends with a completion of its own.
    pub(super) fn cancel(&mut self, token: Token) {
        let entry = opcode::AsyncCancel::new(token.pack()).build();
        let own = Token::new(Kind::Cancel, 0, 0);
        self.push(
            &entry
                .flags(squeue::Flags::SKIP_SUCCESS)
                .user_data(own.pack()),
        );
    }

    /// Cancels the receive if the caller no longer wants what is armed.
    pub(super) fn cancel_unwanted(&mut self, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key.index(), key.generation()) else {
            return;
        };
        if conn.must_cancel() {
            conn.receive = Receive::Ending;
            self.cancel(key.token(Kind::Connection));
        }
    }

    /// Ends a connection: now if nothing is armed, else when the last armed operation has ended.
    pub(super) fn retire(&mut self, key: ConnKey) {
        let Some(conn) = self.conns.get_mut(key.index(), key.generation()) else {
            return;
        };
        if !conn.in_flight() {
            self.conns.remove(key.index(), key.generation());
            return;
        }
        conn.phase = Phase::Closing;
        conn.read = Read::Paused;
        let (receive, polling) = (conn.must_cancel(), conn.polling);
        if receive {
            self.cancel_unwanted(key);
        }
        if polling {
            self.cancel(key.token(Kind::Writability));
        }
    }

    /// Queues a submission; a full queue is submitted first.
    pub(super) fn push(&mut self, entry: &squeue::Entry) {
        while self.broken.is_none() {
            // SAFETY: the entry's descriptor belongs to a table entry that lives until the operation has ended. It
            // points to no memory, save a send's header, which `send` keeps in place until the send has ended.
            if unsafe { self.ring.submission().push(entry) }.is_ok() {
                return;
            }
            let _ = self.submit(0);
            self.collect();
        }
    }

    /// Submits what is queued and waits for `want` completions. The caller collects them.
    pub(super) fn submit(&mut self, want: usize) -> io::Result<()> {
        self.intact()?;
        let result = self.ring.submit_and_wait(want);
        self.entered(result)
    }

    /// One enter of the ring: submits, runs deferred work, and waits for a completion as long as `timeout` says.
    pub(super) fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.intact()?;
        let result = match timeout {
            None => self.ring.submit_and_wait(1),
            Some(Duration::ZERO) => {
                let queued = u32::try_from(self.ring.submission().len()).unwrap_or(u32::MAX);
                // SAFETY: no argument is passed, so there is nothing that could dangle.
                unsafe {
                    self.ring
                        .submitter()
                        .enter::<libc::sigset_t>(queued, 0, ENTER_GETEVENTS, None)
                }
            }
            Some(timeout) => {
                let timeout = Timespec::new()
                    .sec(timeout.as_secs())
                    .nsec(timeout.subsec_nanos());
                self.ring
                    .submitter()
                    .submit_with_args(1, &SubmitArgs::new().timespec(&timeout))
            }
        };
        let result = self.entered(result);
        self.collect();
        result
    }

    /// Tells a failure of the ring, which is kept, from what just ends an enter early.
    pub(super) fn entered(&mut self, result: io::Result<usize>) -> io::Result<()> {
        match result {
            Ok(_) => Ok(()),
            // A timeout, a signal, or a kernel that wants completions to be taken first: the next enter goes on.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ETIME | libc::EINTR | libc::EAGAIN | libc::EBUSY)
                ) =>
            {
                Ok(())
            }
            Err(error) => {
                self.broken = Some(Errno::of(&error));
                Err(error)
            }
        }
    }

    pub(super) fn intact(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |errno| Err(errno.into()))
    }

    /// Moves completions out of the ring, in order.
    pub(super) fn collect(&mut self) {
        self.completions
            .extend(self.ring.completion().map(Completion::from));
    }
}

const READABLE: u32 = libc::POLLIN as u32;
const WRITABLE: u32 = libc::POLLOUT as u32;

/// `IORING_ENTER_GETEVENTS` of `<linux/io_uring.h>`: run deferred work and show its completions.
const ENTER_GETEVENTS: u32 = 1;
