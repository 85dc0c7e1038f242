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
//! cargo bench -p msrpd-benches --bench fanout -- epoll 200 100 1     # one cell, of any three numbers
//! cargo bench -p msrpd-benches --bench fanout -- runtimes            # the bare loop on other runtimes
//! cargo bench -p msrpd-benches --bench fanout -- shards              # two shards beside one
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
mod runtimes;
mod shards;

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
    /// Ends it, and the load.
    fn stop(self, load: Load);
}

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    match wanted.first().map(String::as_str) {
        Some("runtimes") => compare_runtimes(&wanted[1..], is_bench),
        Some("shards") => shards::compare(is_bench),
        _ => {
            fan_outs(&wanted, is_bench);
            if !is_bench {
                compare_runtimes(&[], is_bench);
                shards::compare(is_bench);
            }
        }
    }
}

/// Floor and engine, cell by cell.
fn fan_outs(wanted: &[String], is_bench: bool) {
    println!("backend,body_octets,recipients,window,floor_us,engine_us,ratio");
    for want in [Want::Uring, Want::Epoll] {
        let name = format!("{want:?}").to_lowercase();
        if wanted.first().is_some_and(|wanted| *wanted != name) || !is_there(want) {
            continue;
        }
        for cell in wanted_cells(wanted.get(1..).unwrap_or_default(), is_bench) {
            row(want, &name, cell, is_bench);
        }
    }
}

/// The bare loop on `ring-io` and on other runtimes, in turn; the smallest of each counts.
fn compare_runtimes(wanted: &[String], is_bench: bool) {
    println!("body_octets,recipients,window,uring_us,epoll_us,tokio_us,tokio_uring_us");
    let rounds = if is_bench { ROUNDS } else { 1 };
    for cell in &wanted_cells(wanted, is_bench) {
        let mut least = [f64::MAX; 4];
        for _ in 0..rounds {
            let figures = [
                is_there(Want::Uring)
                    .then(|| measure::<floor::Floor>(Want::Uring, *cell, is_bench)),
                Some(measure::<floor::Floor>(Want::Epoll, *cell, is_bench)),
                Some(measure::<runtimes::OnTokio>(Want::Epoll, *cell, is_bench)),
                is_there(Want::Uring)
                    .then(|| measure::<runtimes::OnTokioUring>(Want::Uring, *cell, is_bench)),
            ];
            for (least, figure) in least.iter_mut().zip(figures) {
                *least = least.min(figure.unwrap_or(f64::NAN));
            }
        }
        let figures = least.map(|figure| format!("{figure:.3}")).join(",");
        let [octets, recipients, window] = cell.numbers();
        println!("{octets},{recipients},{window},{figures}");
    }
}

/// Whether the kernel lets us use this interface.
fn is_there(want: Want) -> bool {
    ring_io::open(want, &ring_io::Config::default()).is_ok()
}

impl Cell {
    fn numbers(self) -> [usize; 3] {
        [self.body_octets, self.recipients_count, self.window]
    }

    /// Whether the numbers on the command line, as many as there are, are those of the cell.
    fn is_wanted(self, wanted: &[String]) -> bool {
        let numbers = self.numbers().map(|number| number.to_string());
        wanted
            .iter()
            .zip(&numbers)
            .all(|(wanted, number)| wanted == number)
    }
}

/// Those cells of the table whose first numbers these are; of three numbers a cell of its own.
fn wanted_cells(wanted: &[String], is_bench: bool) -> Vec<Cell> {
    if let [body_octets, recipients_count, window] = wanted {
        return vec![Cell {
            body_octets: body_octets.parse().unwrap(),
            recipients_count: recipients_count.parse().unwrap(),
            window: window.parse().unwrap(),
        }];
    }
    let mut cells = cells(is_bench);
    cells.retain(|cell| cell.is_wanted(wanted));
    cells
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
fn row(want: Want, name: &str, cell: Cell, is_bench: bool) {
    let (mut floor, mut engine) = (f64::MAX, f64::MAX);
    for _ in 0..if is_bench { ROUNDS } else { 1 } {
        floor = floor.min(measure::<floor::Floor>(want, cell, is_bench));
        engine = engine.min(measure::<engine::Engine>(want, cell, is_bench));
    }
    let ratio = engine / floor;
    let [octets, recipients, window] = cell.numbers();
    println!("{name},{octets},{recipients},{window},{floor:.3},{engine:.3},{ratio:.2}");
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
    server.stop(load);
    assert!(delivered >= copies as u64, "{} lost copies", S::NAME);
    spent as f64 / 1000.0 / delivered as f64
}

/// Nanoseconds that the thread of this name has run, and threads that the kernel started for its ring.
fn thread_ns(name: &str) -> u64 {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        // A thread may end between the listing and the look.
        let comm = std::fs::read_to_string(folder.join("comm")).unwrap_or_default();
        if comm.trim() == name || comm.starts_with("iou-wrk") {
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
