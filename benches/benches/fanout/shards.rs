//! Two shards beside one: many small rooms, dealt out to the shards.
//!
//! Two figures for each. *Wall*: copies a second as the clock sees them; it says something only where the load and every
//! shard have a core of their own. *Capacity*: copies for each second that the busiest shard ran on a core; where cores
//! are free this is what the shards could do, and it doubles when the work is spread evenly and costs no more.

use std::time::Instant;

use ring_io::Want;

use crate::engine::Engine;
use crate::load::Load;
use crate::{Cell, thread_ns};

/// What was measured with so many shards.
#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    wall_per_s: f64,
    capacity_per_s: f64,
    /// The part of the work that the busiest shard had.
    busiest_share: f64,
}

/// Prints a line for each window, one and two shards taking turns; the best of each counts.
pub(crate) fn compare(is_bench: bool) {
    println!(
        "backend,rooms,recipients,window,wall_1,wall_2,wall_ratio,capacity_1,capacity_2,capacity_ratio,busiest_share_2"
    );
    let (rooms, rounds) = if is_bench { (64, 3) } else { (4, 1) };
    for (name, want) in [("uring", Want::Uring), ("epoll", Want::Epoll)] {
        for window in [1, 16] {
            if !crate::is_there(want) {
                continue;
            }
            let cell = Cell {
                body_octets: 200,
                recipients_count: 10,
                window,
            };
            let mut best = [Figures::default(); 2];
            for _ in 0..rounds {
                for (shards, best) in (1..).zip(&mut best) {
                    let figures = measure(want, shards, rooms, cell, is_bench);
                    if figures.capacity_per_s > best.capacity_per_s {
                        *best = figures;
                    }
                }
            }
            let [one, two] = best;
            println!(
                "{name},{rooms},{},{window},{:.0},{:.0},{:.2},{:.0},{:.0},{:.2},{:.2}",
                cell.recipients_count,
                one.wall_per_s,
                two.wall_per_s,
                two.wall_per_s / one.wall_per_s,
                one.capacity_per_s,
                two.capacity_per_s,
                two.capacity_per_s / one.capacity_per_s,
                two.busiest_share
            );
        }
    }
}

fn measure(want: Want, shards: usize, rooms: usize, cell: Cell, is_bench: bool) -> Figures {
    let (engine, mut loads) = Engine::with_rooms(want, shards, rooms, cell);
    let copies = if is_bench { 6400 } else { 40 };
    let mut run = |copies: usize| -> u64 {
        let goal = loads.iter_mut().map(|load| load.begin(copies)).sum();
        loop {
            // Every load takes its step; `all` would leave out those behind one that is not done.
            let steps = loads.iter_mut().map(Load::step);
            if steps.filter(|is_done| !is_done).count() == 0 {
                return goal;
            }
        }
    };
    run(copies / 4);
    let names: Vec<String> = (0..shards).map(|shard| format!("shard-{shard}")).collect();
    let before: Vec<u64> = names.iter().map(|name| thread_ns(name)).collect();
    let start = Instant::now();
    let delivered = run(copies) as f64;
    let elapsed = start.elapsed().as_secs_f64();
    let spent = names
        .iter()
        .zip(before)
        .map(|(name, before)| thread_ns(name) - before);
    let spent: Vec<u64> = spent.collect();
    engine.shutdown();
    drop(loads);
    let busiest = spent.iter().copied().max().unwrap_or(0) as f64;
    Figures {
        wall_per_s: delivered / elapsed,
        capacity_per_s: delivered * 1e9 / busiest,
        busiest_share: busiest / spent.iter().sum::<u64>() as f64,
    }
}
