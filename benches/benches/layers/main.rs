//! What TLS and WebSocket cost the engine: for each delivered copy, and for each handshake.
//!
//! One room on one shard, one sender on plain TCP, N recipients that come by one transport and answer nothing.
//! The load reads everything out of its layer and counts what ended. The figure is the time that the shard's
//! thread spent on its core for each delivered copy; the transports take turns in one run, and what counts is
//! their ratio to plain TCP. A handshake is counted from the TCP connection to its end, on the shard's side alone.
//!
//! ```sh
//! cargo bench -p msrpd-benches --bench layers                  # the tables, about a minute
//! cargo bench -p msrpd-benches --bench layers -- copies 200 16 # one cell: octets, window
//! cargo bench -p msrpd-benches --bench layers -- handshakes    # the second one alone
//! ```
#![expect(
    clippy::cast_precision_loss,
    reason = "the numbers of a bench are small"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]

mod hall;
mod peer;

use hall::Hall;
use peer::{Transport, Trust};

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    let first = wanted.first().map(String::as_str);
    if first != Some("handshakes") {
        copies(wanted.get(1..).unwrap_or_default(), is_bench);
    }
    if first != Some("copies") {
        handshakes(is_bench);
    }
}

/// Processor time for each copy, by transport.
fn copies(wanted: &[String], is_bench: bool) {
    println!(
        "body_octets,recipients,window,tcp_us,tls_us,ws_us,wss_us,tls_ratio,ws_ratio,wss_ratio"
    );
    let recipients = if is_bench { 100 } else { 3 };
    let cells: &[(usize, usize)] = if is_bench {
        &[
            (200, 1),
            (200, 16),
            (4096, 1),
            (4096, 16),
            (60_000, 1),
            (60_000, 4),
        ]
    } else {
        &[(200, 2)]
    };
    for &(octets, window) in cells {
        let numbers = [octets, window].map(|number| number.to_string());
        if !wanted.iter().zip(&numbers).all(|(wanted, n)| wanted == n) {
            continue;
        }
        let mut halls = Transport::ALL.map(|transport| Hall::open(transport, recipients, octets));
        let mut least = [f64::MAX; 4];
        for _ in 0..if is_bench { ROUNDS } else { 1 } {
            for (hall, least) in halls.iter_mut().zip(&mut least) {
                let messages = if is_bench { MESSAGES } else { 4 };
                *least = least.min(hall.run(messages, window));
            }
        }
        for hall in halls {
            hall.close();
        }
        let [tcp, tls, ws, wss] = least;
        println!(
            "{octets},{recipients},{window},{tcp:.3},{tls:.3},{ws:.3},{wss:.3},{:.2},{:.2},{:.2}",
            tls / tcp,
            ws / tcp,
            wss / tcp
        );
    }
}

/// Processor time for each handshake, and how many a core makes in a second.
fn handshakes(is_bench: bool) {
    println!("transport,handshake,us,per_second_and_core");
    let count = if is_bench { 1000 } else { 3 };
    let hall = Hall::open(Transport::Tcp, 1, 200);
    for (transport, trust) in [
        (Transport::Tcp, Trust::Full),
        (Transport::Ws, Trust::Full),
        (Transport::Tls, Trust::Full),
        (Transport::Tls, Trust::Resuming),
        (Transport::Wss, Trust::Full),
    ] {
        let us = (0..if is_bench { ROUNDS } else { 1 })
            .map(|_| hall.shake_hands(transport, trust, count))
            .fold(f64::MAX, f64::min);
        let (name, kind) = (transport.as_str(), trust.as_str());
        println!("{name},{kind},{us:.1},{:.0}", 1e6 / us);
    }
    hall.close();
}

/// Nanoseconds that the thread of this name has run.
fn thread_ns(name: &str) -> u64 {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        // A thread may end between the listing and the look.
        let comm = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
        if comm.trim() == name {
            let text = std::fs::read_to_string(folder.join("schedstat")).unwrap();
            let ran = text.split_whitespace().next().unwrap();
            total += ran.parse::<u64>().unwrap();
        }
    }
    total
}

/// Messages of one measurement.
const MESSAGES: usize = 320;
/// Measurements of each cell; the smallest counts.
const ROUNDS: usize = 5;
