//! A process without descriptors: a listener rests instead of spinning, and goes on by itself.
//!
//! Alone in its own process, because the limit is the process's.
#![allow(unsafe_code, reason = "the limit of descriptors has no safe interface")]
#![expect(clippy::unwrap_used, reason = "test code")]

use std::fs::File;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ring_io::{Config, Event, Io, Want, bind_reuseport, open};

fn limit_descriptors(soft: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is a valid rlimit and outlives the call.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(result, 0);
    limit.rlim_cur = soft;
    // SAFETY: as above; setrlimit only reads.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(result, 0);
}

/// Collects events until one is as wanted; says how many waits it took.
fn until(io: &mut dyn Io, events: &mut Vec<Event>, wanted: fn(&Event) -> bool) -> usize {
    let deadline = Instant::now() + Duration::from_secs(20);
    for waits in 1.. {
        assert!(Instant::now() < deadline, "{events:?}");
        io.wait(Some(Duration::from_secs(1)), events).unwrap();
        if events.iter().any(wanted) {
            return waits;
        }
    }
    unreachable!()
}

#[test]
fn listener_without_descriptors_rests_and_recovers() {
    limit_descriptors(64);
    for want in [Want::Epoll, Want::Auto] {
        let (mut io, _) = open(want, &Config::default()).unwrap();
        let listener = bind_reuseport("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        io.listen(listener).unwrap();
        let mut events = Vec::new();
        let _peer = TcpStream::connect(addr).unwrap();
        until(&mut *io, &mut events, |event| {
            matches!(event, Event::Accepted { .. })
        });
        events.clear();

        let mut peers = Vec::new();
        let spare = File::open("/dev/null").unwrap();
        let files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        drop(spare);
        peers.push(TcpStream::connect(addr).unwrap());
        until(&mut *io, &mut events, |event| {
            matches!(event, Event::AcceptFailed { .. })
        });
        let Some(Event::AcceptFailed { error, .. }) = events.first() else {
            panic!("{events:?}")
        };
        assert_eq!(error.number(), libc::EMFILE);
        events.clear();
        // Still none: one more try after each rest, not a busy loop.
        let before = Instant::now();
        let waits = until(&mut *io, &mut events, |event| {
            matches!(event, Event::AcceptFailed { .. })
        });
        assert!(before.elapsed() >= ring_io::limits::ACCEPT_REST / 2);
        assert!(waits < 10, "{waits} waits");
        events.clear();

        drop(files);
        until(&mut *io, &mut events, |event| {
            matches!(event, Event::Accepted { .. })
        });
    }
}
