//! The floor: the sends and receives of a fan-out, and nothing else.
//!
//! It knows the length of a message and forwards the body of each from the receive buffer, with
//! ready-made lines around it, in one send for each recipient and turn. It answers the sender with
//! ready-made octets and drops what recipients answer. No parsing, no sessions, no bookkeeping.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use ring_io::{ConnKey, Event, Io, Read, SendOp, SendOutcome, Waker, Want};

use crate::engine;
use crate::load::Load;
use crate::{Cell, Server};

/// The bare loop on its thread.
pub(crate) struct Floor {
    is_ending: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Server for Floor {
    const NAME: &'static str = "floor";

    fn start(want: Want, cell: Cell) -> (Self, Load) {
        let listener = ring_io::bind_reuseport("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let is_ending = Arc::new(AtomicBool::new(false));
        let (sender, opened) = std::sync::mpsc::channel();
        let ending = Arc::clone(&is_ending);
        let (_, frame) = engine::plain(0, cell.body_octets, address);
        let frame_octets = frame.len();
        let thread = std::thread::Builder::new()
            .name("floor".to_owned())
            .spawn(move || {
                // The floor keeps nothing back that the kernel could take.
                let config = ring_io::Config {
                    notsent_octets: None,
                    ..ring_io::Config::default()
                };
                let (mut io, _) = ring_io::open(want, &config).unwrap();
                io.listen(listener).unwrap();
                sender.send(io.waker()).unwrap();
                serve(&mut *io, cell, frame_octets, &ending);
            })
            .unwrap();
        let waker = opened.recv().unwrap();
        let mut parties = Vec::new();
        for index in 0..=cell.recipients_count {
            let (mut party, _) = engine::plain(index, cell.body_octets, address);
            party.welcome_octets = 1;
            parties.push(party);
        }
        let load = Load::connect(address, parties, frame, cell.window);
        (
            Self {
                is_ending,
                waker,
                thread,
            },
            load,
        )
    }

    fn thread(&self) -> &'static str {
        "floor"
    }

    fn stop(self, load: Load) {
        self.is_ending.store(true, Ordering::Relaxed);
        self.waker.wake();
        self.thread.join().unwrap();
        drop(load);
    }
}

/// The state of the loop.
struct Fan {
    conns: Vec<ConnKey>,
    lines: Vec<[Vec<u8>; 4]>,
    /// The sender's octets that have not been forwarded.
    pending: Vec<Bytes>,
    pending_octets: usize,
}

fn serve(io: &mut dyn Io, cell: Cell, frame_octets: usize, is_ending: &AtomicBool) {
    let mut fan = Fan {
        conns: Vec::new(),
        lines: (0..=cell.recipients_count)
            .map(|i| engine::copy(i, cell.body_octets))
            .collect(),
        pending: Vec::new(),
        pending_octets: 0,
    };
    let mut events = Vec::new();
    while !is_ending.load(Ordering::Relaxed) {
        io.wait(Some(Duration::from_millis(250)), &mut events)
            .unwrap();
        for event in events.drain(..) {
            match event {
                Event::Accepted { stream, .. } => {
                    fan.conns.push(io.adopt(stream, Read::Continuous).unwrap());
                }
                Event::Received { conn, data } if fan.conns.len() <= cell.recipients_count => {
                    let _ = data;
                    send(io, &[IoSlice::new(b"!")], conn);
                }
                Event::Received { conn, data } => fan.take(io, conn, data),
                Event::Woken | Event::Writable { .. } => {}
                Event::PeerClosed { conn } => io.close(conn),
                other => panic!("{other:?}"),
            }
        }
        let frames = fan.pending_octets / frame_octets;
        if frames > 0 {
            fan.forward(io, frames, frame_octets, cell.body_octets);
        }
    }
}

impl Fan {
    fn take(&mut self, io: &mut dyn Io, conn: ConnKey, data: Bytes) {
        if conn == self.conns[0] {
            self.pending_octets += data.len();
            self.pending.push(data);
        } else if data.starts_with(b"MSRP hello") {
            send(io, &[IoSlice::new(b"!")], conn);
        }
    }

    /// Sends the bodies of the next messages to every recipient, and an answer to the sender.
    fn forward(&mut self, io: &mut dyn Io, frames: usize, frame_octets: usize, body_octets: usize) {
        let whole: Bytes = match self.pending.as_slice() {
            [one] => one.clone(),
            many => many.concat().into(),
        };
        let bodies: Vec<Bytes> = (0..frames)
            .map(|n| {
                let end = (n + 1) * frame_octets - END_OCTETS;
                whole.slice(end - body_octets..end)
            })
            .collect();
        let rest = whole.slice(frames * frame_octets..);
        self.pending_octets = rest.len();
        self.pending = if rest.is_empty() {
            Vec::new()
        } else {
            vec![rest]
        };
        let mut slices = Vec::with_capacity(self.conns.len() * frames * 5);
        let mut ops = Vec::with_capacity(self.conns.len());
        let answer = vec![b'a'; ANSWER_OCTETS * frames];
        slices.push(IoSlice::new(&answer));
        ops.push(SendOp::new(self.conns[0], 0..1));
        for (conn, [start, paths, tail, end]) in self.conns.iter().zip(&self.lines).skip(1) {
            let first = slices.len() as u32;
            for body in &bodies {
                for part in [start.as_slice(), paths, tail, &body[..], end] {
                    slices.push(IoSlice::new(part));
                }
            }
            ops.push(SendOp::new(*conn, first..slices.len() as u32));
        }
        let mut offered: Vec<usize> = Vec::with_capacity(ops.len());
        for op in &ops {
            let range = op.parts.start as usize..op.parts.end as usize;
            offered.push(slices[range].iter().map(|slice| slice.len()).sum());
        }
        io.send_batch(&slices, &mut ops).unwrap();
        for (op, offered) in ops.iter().zip(offered) {
            // The window fits the send buffers; a short send would make the figure meaningless.
            assert_eq!(op.outcome, SendOutcome::Sent(offered));
        }
    }
}

fn send(io: &mut dyn Io, slices: &[IoSlice<'_>], conn: ConnKey) {
    io.send_batch(slices, &mut [SendOp::new(conn, 0..slices.len() as u32)])
        .unwrap();
}

/// CR LF, seven hyphens, the sender's transaction id, the flag and CR LF.
pub(crate) const END_OCTETS: usize = 2 + 7 + 8 + 1 + 2;
/// What an answer to a SEND is long.
const ANSWER_OCTETS: usize = 170;
