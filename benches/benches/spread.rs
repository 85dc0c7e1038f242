//! When the last recipient of a large room is served: a room on one shard beside one that is spread
//! over two.
//!
//! One sender, N recipients that read nothing while the clock runs; it runs from the sender's write
//! until the last connection of each shard has its copy. The two engines take turns in one run; what
//! counts is the ratio. The times need two idle cores, which the best round is the likeliest to have had;
//! beside them stands the processor time of the busier shard, which needs none.
//!
//! ```sh
//! cargo bench -p msrpd-benches --bench spread                  # 200 octets, 2000 recipients, auto
//! cargo bench -p msrpd-benches --bench spread -- epoll 500     # backend, recipients
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a bench stops where something is missing"
)]

use std::time::Duration;

use ring_io::Want;

use msrpd_benches::town::Town;

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    let want = match args.first().map(String::as_str) {
        Some("epoll") => Want::Epoll,
        Some("uring") => Want::Uring,
        Some(_) | None => Want::Auto,
    };
    let (usual, rounds) = if is_bench { (2000, 101) } else { (40, 3) };
    let recipients = args
        .get(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(usual);
    let mut towns = [
        Town::new(want, 1, recipients),
        Town::new(want, 2, recipients),
    ];
    let mut times = [Vec::new(), Vec::new()];
    let mut busy = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (index, town) in towns.iter_mut().enumerate() {
            let before = SHARDS.map(thread_ns);
            times[index].push(town.round());
            let after = SHARDS.map(thread_ns);
            let spent = after
                .iter()
                .zip(before)
                .map(|(after, before)| after - before);
            busy[index].push(Duration::from_nanos(spent.max().unwrap_or(0)));
        }
    }
    println!("recipients,what,one_shard_us,two_shards_us,ratio");
    for times in times.iter_mut().chain(&mut busy) {
        times.sort_unstable();
    }
    for (what, times, rank) in [
        ("last_served_best", &times, 0),
        ("last_served_median", &times, rounds / 2),
        ("busier_shard_median", &busy, rounds / 2),
    ] {
        let [one, two] = times
            .each_ref()
            .map(|times| times[rank].as_secs_f64() * 1e6);
        println!("{recipients},{what},{one:.0},{two:.0},{:.2}", two / one);
    }
    for town in towns {
        town.engine.shutdown();
    }
}

const SHARDS: [&str; 2] = ["shard-0", "shard-1"];

/// Nanoseconds that the threads of this name have run. Those of the engine that waits do nothing.
fn thread_ns(name: &str) -> u64 {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let folder = task.unwrap().path();
        if std::fs::read_to_string(folder.join("comm")).unwrap().trim() == name {
            let text = std::fs::read_to_string(folder.join("schedstat")).unwrap();
            let ran = text.split_whitespace().next().unwrap();
            total += ran.parse::<u64>().unwrap();
        }
    }
    total
}
