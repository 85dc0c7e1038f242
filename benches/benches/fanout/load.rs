//! The load: one sender and N recipients on one spinning thread, which count octets.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::time::Duration;

use ring_io::{ConnKey, Epoll, Event, Io, SendOp, SendOutcome};

/// One connection of the load.
#[derive(Debug, Clone)]
pub(crate) struct Party {
    /// What it says first.
    pub(crate) hello: Vec<u8>,
    /// Octets that it gets back before the load begins.
    pub(crate) welcome_octets: usize,
    /// What a recipient answers to a copy: before and after the transaction id, and the end.
    pub(crate) response: [Vec<u8>; 3],
}

/// The connections, and how far each is.
pub(crate) struct Load {
    io: Epoll,
    conns: Vec<ConnKey>,
    parties: Vec<Party>,
    /// A message whose id ends with a number to be counted up.
    frame: Vec<u8>,
    received: Vec<Vec<u8>>,
    copies: Vec<u64>,
    window: u64,
    sent: u64,
    /// Messages that every recipient is to have.
    goal: u64,
    events: Vec<Event>,
}

impl Load {
    /// Connects everybody; the first party is the sender.
    pub(crate) fn connect(
        address: SocketAddr,
        parties: Vec<Party>,
        frame: Vec<u8>,
        window: usize,
    ) -> Self {
        let config = ring_io::Config {
            sndbuf_octets: None,
            ..ring_io::Config::default()
        };
        let mut io = Epoll::open(&config).unwrap();
        let mut events = Vec::new();
        let mut conns = Vec::new();
        let mut received = vec![Vec::new(); parties.len()];
        for (index, party) in parties.iter().enumerate() {
            let conn = io.connect(address).unwrap();
            conns.push(conn);
            let mut is_up = false;
            while !is_up || received[index].len() < party.welcome_octets {
                io.wait(Some(Duration::from_secs(10)), &mut events).unwrap();
                for event in events.drain(..) {
                    match event {
                        Event::Connected { .. } => {
                            is_up = true;
                            let mut ops = [SendOp::new(conn, 0..1)];
                            io.send_batch(&[IoSlice::new(&party.hello)], &mut ops)
                                .unwrap();
                        }
                        Event::Received { data, .. } => received[index].extend_from_slice(&data),
                        other => panic!("{other:?}"),
                    }
                }
            }
            received[index].clear();
        }
        Self {
            io,
            conns,
            frame,
            received,
            copies: vec![0; parties.len()],
            parties,
            window: window as u64,
            sent: 0,
            goal: 0,
            events: Vec::new(),
        }
    }

    /// Runs until so many more copies have been delivered; returns how many.
    pub(crate) fn run(&mut self, copies: usize) -> u64 {
        let start = self.delivered();
        self.begin(copies);
        while !self.step() {}
        (self.delivered() - start) * self.recipients()
    }

    /// Sends the first messages that make so many copies; [`Self::step`] does the rest. Gives how many copies it will be.
    pub(crate) fn begin(&mut self, copies: usize) -> u64 {
        let messages = (copies as u64).div_ceil(self.recipients());
        self.goal = self.delivered() + messages;
        self.send_frames();
        messages * self.recipients()
    }

    /// Reads and answers what is there, without waiting. `true` when all copies have come.
    pub(crate) fn step(&mut self) -> bool {
        if self.delivered() >= self.goal {
            return true;
        }
        let mut events = std::mem::take(&mut self.events);
        self.io.wait(Some(Duration::ZERO), &mut events).unwrap();
        let mut answers = vec![Vec::new(); self.parties.len()];
        for event in events.drain(..) {
            match event {
                Event::Received { conn, data } => self.take(conn, &data, &mut answers),
                other => panic!("{other:?}"),
            }
        }
        self.events = events;
        for (index, octets) in answers.iter().enumerate() {
            self.send(index, octets);
        }
        self.send_frames();
        false
    }

    fn recipients(&self) -> u64 {
        self.parties.len() as u64 - 1
    }

    /// Messages that every recipient has.
    fn delivered(&self) -> u64 {
        self.copies.iter().skip(1).copied().min().unwrap_or(0)
    }

    fn send_frames(&mut self) {
        let until = (self.delivered() + self.window).min(self.goal);
        let count = until.saturating_sub(self.sent) as usize;
        let mut octets = Vec::with_capacity(self.frame.len() * count);
        let place = memchr::memmem::find(&self.frame, b"message0").unwrap();
        for number in 0..count as u64 {
            let start = octets.len() + place;
            octets.extend_from_slice(&self.frame);
            let id = format!("m{:07}", (self.sent + number) % 10_000_000);
            octets[start..start + id.len()].copy_from_slice(id.as_bytes());
        }
        self.send(0, &octets);
        self.sent += count as u64;
    }

    /// Counts the copies that are complete, and writes an answer to each of their pieces.
    fn take(&mut self, conn: ConnKey, data: &[u8], answers: &mut [Vec<u8>]) {
        let index = self.conns.iter().position(|c| *c == conn).unwrap();
        if index == 0 {
            return;
        }
        let buffer = &mut self.received[index];
        buffer.extend_from_slice(data);
        let mut read = 0;
        while let Some((id, is_last, octets)) = piece(&buffer[read..]) {
            let [start, middle, end] = &self.parties[index].response;
            for part in [start.as_slice(), id, middle, id, end] {
                answers[index].extend_from_slice(part);
            }
            self.copies[index] += u64::from(is_last);
            read += octets;
        }
        buffer.drain(..read);
    }

    /// Sends everything, however long the server takes.
    fn send(&mut self, index: usize, mut octets: &[u8]) {
        while !octets.is_empty() {
            let mut ops = [SendOp::new(self.conns[index], 0..1)];
            self.io
                .send_batch(&[IoSlice::new(octets)], &mut ops)
                .unwrap();
            match ops[0].outcome {
                SendOutcome::Sent(sent) => octets = &octets[sent..],
                SendOutcome::WouldBlock => std::thread::yield_now(),
                SendOutcome::Failed(error) => panic!("{error}"),
            }
        }
    }
}

/// The transaction id of the first piece, whether it ends its message, and its octets, once it is
/// whole.
fn piece(octets: &[u8]) -> Option<(&[u8], bool, usize)> {
    let id = octets.get(5..)?.split(|octet| *octet == b' ').next()?;
    let mut line = b"\r\n-------".to_vec();
    line.extend_from_slice(id);
    let flag = memchr::memmem::find(octets, &line)? + line.len();
    let whole = flag + 3;
    (octets.len() >= whole).then(|| (id, octets[flag] == b'$', whole))
}
