//! Batches of sends: the outbound half of the io_uring backend.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};

use io_uring::opcode;
use io_uring::types::Fd;

use super::Uring;
use super::completion::Completion;
use super::conn::Phase;
use crate::io::parts_of;
use crate::token::{Kind, Token};
use crate::{ConnKey, Errno, SendOp, SendOutcome, limits, socket};

impl Uring {
    /// Runs all operations; none is under way when it returns.
    pub(super) fn send(&mut self, slices: &[IoSlice<'_>], ops: &mut [SendOp]) -> io::Result<()> {
        for batch in ops.chunks_mut(limits::SENDS_PER_SUBMIT) {
            if batch.len() < limits::SENDS_PER_SUBMIT_MIN {
                self.send_directly(slices, batch);
            } else {
                self.send_submitted(slices, batch)?;
            }
        }
        Ok(())
    }

    fn send_directly(&self, slices: &[IoSlice<'_>], ops: &mut [SendOp]) {
        for op in ops {
            op.outcome = match self.target(slices, op) {
                Ok((fd, parts)) => socket::send(fd, parts),
                Err(error) => SendOutcome::Failed(error),
            };
        }
    }

    /// One submission for the whole batch. The slices are borrowed until this returns, and it does not return before
    /// every send has completed.
    fn send_submitted(&mut self, slices: &[IoSlice<'_>], ops: &mut [SendOp]) -> io::Result<()> {
        self.intact()?;
        self.make_room(ops.len())?;
        self.headers.clear();
        let mut under_way = 0usize;
        for (position, op) in (0u32..).zip(ops.iter_mut()) {
            let (fd, parts) = match self.target(slices, op) {
                Ok(target) => target,
                Err(error) => {
                    op.outcome = SendOutcome::Failed(error);
                    continue;
                }
            };
            debug_assert!(
                self.headers.len() < self.headers.capacity(),
                "headers must not move"
            );
            self.headers.push(socket::message(parts));
            let Some(header) = self.headers.last() else {
                continue;
            };
            let entry = opcode::SendMsg::new(Fd(fd), header)
                .flags(socket::SEND_FLAGS.cast_unsigned())
                .build();
            self.push(&entry.user_data(Token::new(Kind::Send, position, 0).pack()));
            under_way += 1;
        }
        let mut want = 0;
        while under_way > 0 {
            self.submit(want)?;
            under_way -= self.take_outcomes(ops);
            // Sends that may not wait have all completed by now; should one not have, it is waited for.
            want = 1;
        }
        Ok(())
    }

    /// Where an operation goes and what it carries.
    fn target<'a, 'b>(
        &self,
        slices: &'a [IoSlice<'b>],
        op: &SendOp,
    ) -> Result<(RawFd, &'a [IoSlice<'b>]), Errno> {
        let fd = self.send_fd(op.conn).ok_or(Errno::new(libc::EBADF))?;
        let parts = parts_of(slices, op).ok_or(Errno::new(libc::EINVAL))?;
        Ok((fd, parts))
    }

    fn send_fd(&self, key: ConnKey) -> Option<RawFd> {
        let conn = self
            .conns
            .get(key.index(), key.generation())
            .filter(|conn| conn.phase != Phase::Closing)?;
        conn.stream.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Empties the submission queue unless it has room for a whole batch, so that the batch goes in one submission.
    fn make_room(&mut self, sends: usize) -> io::Result<()> {
        loop {
            let queue = self.ring.submission();
            if queue.capacity() - queue.len() >= sends {
                return Ok(());
            }
            drop(queue);
            self.submit(0)?;
            self.collect();
        }
    }

    /// Takes the completions of the sends, keeping the others in order for the next wait; says how many they were.
    fn take_outcomes(&mut self, ops: &mut [SendOp]) -> usize {
        let mut taken = 0;
        for completion in self.ring.completion().map(Completion::from) {
            match completion.token() {
                Some(token) if token.kind == Kind::Send => {
                    taken += 1;
                    if let Some(op) = ops.get_mut(token.index as usize) {
                        op.outcome = outcome(completion);
                    }
                }
                _ => self.completions.push_back(completion),
            }
        }
        taken
    }
}

fn outcome(completion: Completion) -> SendOutcome {
    match completion.outcome() {
        Ok(octets) => SendOutcome::Sent(octets),
        Err(error) => socket::outcome(error),
    }
}
