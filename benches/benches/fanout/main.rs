//! What a delivered copy costs the engine, beside a bare loop that does the same sends and reads
//! the same responses without looking at them.
//!
//! One sender, N recipients that answer every copy with a response, W messages in flight. The load
//! spins on the other core and only counts octets. The figure is the time that the serving thread
//! spent on its core (user and system, as the scheduler counts it), for each delivered copy. Floor
//! and engine take turns in one run; what counts is their ratio.
//!
//! ```sh
//! cargo bench -p msrpd-benches --bench fanout                        # the table
//! cargo bench -p msrpd-benches --bench fanout -- epoll 200 100 1     # one cell
//! ```
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the numbers of a bench are small"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]

mod engine;
mod floor;
mod load;

use ring_io::Want;

use load::Load;

/// One cell of the table.
#[derive(Debug, Clone, Copy)]
struct Cell {
    body_octets: usize,
    recipients_count: usize,
    window: usize,
}

/// Something that fans out, on a thread of its own.
trait Server {
    /// The name in the first column.
    const NAME: &'static str;
    /// Starts it and gives what the load needs to know.
    fn start(want: Want, cell: Cell) -> (Self, Load)
    where
        Self: Sized;
    /// The name of its thread.
    fn thread(&self) -> &'static str;
    /// Ends it.
    fn stop(self);
}

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    println!("backend,body_octets,recipients,window,floor_us,engine_us,ratio");
    for want in [Want::Uring, Want::Epoll] {
        for cell in cells(is_bench) {
            let name = format!("{want:?}").to_lowercase();
            let numbers = [cell.body_octets, cell.recipients_count, cell.window];
            let labels = numbers.map(|number| number.to_string());
            let is_wanted = wanted.iter().enumerate().all(|(index, arg)| {
                if index == 0 {
                    *arg == name
                } else {
                    labels.get(index - 1) == Some(arg)
                }
            });
            if is_wanted && ring_io::open(want, &ring_io::Config::default()).is_ok() {
                row(
                    want,
                    &name,
                    cell,
                    if is_bench { ROUNDS } else { 1 },
                    is_bench,
                );
            }
        }
    }
}

fn cells(is_bench: bool) -> Vec<Cell> {
    if !is_bench {
        return vec![Cell {
            body_octets: 200,
            recipients_count: 3,
            window: 2,
        }];
    }
    let mut cells = Vec::new();
    for (body_octets, windows) in [(200, [1, 16]), (4096, [1, 16]), (60_000, [1, 4])] {
        for window in windows {
            for recipients_count in [10, 100, 1000] {
                cells.push(Cell {
                    body_octets,
                    recipients_count,
                    window,
                });
            }
        }
    }
    cells
}

/// Measures floor and engine in turn; the smallest of each counts.
fn row(want: Want, name: &str, cell: Cell, rounds: usize, is_bench: bool) {
    let (mut floor, mut engine) = (f64::MAX, f64::MAX);
    for _ in 0..rounds {
        floor = floor.min(measure::<floor::Floor>(want, cell, is_bench));
        engine = engine.min(measure::<engine::Engine>(want, cell, is_bench));
    }
    let Cell {
        body_octets,
        recipients_count,
        window,
    } = cell;
    let ratio = engine / floor;
    println!("{name},{body_octets},{recipients_count},{window},{floor:.3},{engine:.3},{ratio:.2}");
}

/// Microseconds of the serving thread for each delivered copy.
fn measure<S: Server>(want: Want, cell: Cell, is_bench: bool) -> f64 {
    let (server, mut load) = S::start(want, cell);
    let copies = if is_bench {
        COPIES.max(cell.recipients_count * 40)
    } else {
        300
    };
    load.run(copies / 4);
    let before = thread_ns(server.thread());
    let delivered = load.run(copies);
    let spent = thread_ns(server.thread()) - before;
    server.stop();
    assert!(delivered >= copies as u64, "{} lost copies", S::NAME);
    spent as f64 / 1000.0 / delivered as f64
}

/// Nanoseconds that the thread of this name has run.
fn thread_ns(name: &str) -> u64 {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        if std::fs::read_to_string(folder.join("comm")).unwrap().trim() == name {
            let text = std::fs::read_to_string(folder.join("schedstat")).unwrap();
            total += text
                .split_whitespace()
                .next()
                .unwrap()
                .parse::<u64>()
                .unwrap();
        }
    }
    total
}

/// Copies of one measurement.
const COPIES: usize = 200_000;
/// Measurements of each cell.
const ROUNDS: usize = 3;
