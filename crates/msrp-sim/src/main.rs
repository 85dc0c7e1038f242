//! Runs worlds, many at once, and says which of them went wrong.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use msrp_sim::{Outcome, Temper, Wish};

/// Simulated worlds: seeds whose oracle is not content are printed, one a line, and the exit code is 1.
#[derive(Debug, Parser)]
struct Arguments {
    /// One seed, or a range of them: 17 or 0..20000.
    #[arg(long, value_parser = parse_seeds, default_value = "0..100")]
    seeds: Range<u64>,
    /// Instead of worlds: so many trials to end a frame from inside its body.
    #[arg(long)]
    smuggle: Option<u64>,
    /// Half of the participants are of this temper.
    #[arg(long)]
    temper: Option<Temper>,
    /// Tell everything that happens. For one seed.
    #[arg(long)]
    verbose: bool,
    /// For each defect that can be planted, look for the first of the seeds whose oracle sees it.
    #[cfg(feature = "planted-defects")]
    #[arg(long)]
    defects: bool,
    /// Plant this defect.
    #[cfg(feature = "planted-defects")]
    #[arg(long)]
    plant: Option<String>,
    /// Worlds at once; as many as there are cores when it is not said.
    #[arg(long)]
    jobs: Option<usize>,
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("{text:?} is no seed; say 17 or 0..20000"))
    };
    match text.split_once("..") {
        Some((first, behind)) => Ok(number(first)?..number(behind)?),
        None => number(text).map(|seed| seed..seed + 1),
    }
}

/// What a swarm has shown.
#[derive(Debug, Default)]
struct Sum {
    faults: Vec<(u64, String)>,
    sights: BTreeMap<&'static str, u64>,
    turns: u64,
    peers: usize,
}

impl Sum {
    fn add(&mut self, outcome: Outcome) {
        self.turns += outcome.turns;
        self.peers += outcome.peers;
        for (what, count) in outcome.sights {
            *self.sights.entry(what).or_default() += count;
        }
        if let Some(fault) = outcome.fault {
            println!("seed {}: {fault}", outcome.seed);
            self.faults.push((outcome.seed, fault));
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(trials) = arguments.smuggle {
        return smuggle(arguments.seeds.start, trials);
    }
    let wish = Wish {
        temper: arguments.temper,
        is_verbose: arguments.verbose,
        #[cfg(feature = "planted-defects")]
        plant: planted(arguments.plant.as_deref()),
    };
    #[cfg(feature = "planted-defects")]
    if arguments.defects {
        return find_defects(&arguments.seeds, wish);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(arguments.seeds.start);
    let sum = Mutex::new(Sum::default());
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.unwrap_or(cores).max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= arguments.seeds.end {
                        return;
                    }
                    let outcome = msrp_sim::run(seed, wish);
                    if let Ok(mut sum) = sum.lock() {
                        sum.add(outcome);
                    }
                }
            });
        }
    });
    let Ok(sum) = sum.into_inner() else {
        return ExitCode::FAILURE;
    };
    report(&arguments.seeds, &sum, start.elapsed().as_secs_f64());
    if sum.faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn smuggle(seed: u64, trials: u64) -> ExitCode {
    let start = Instant::now();
    let shown = match msrp_sim::smuggle(seed, trials) {
        Ok(shown) => shown,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "{} end lines in {} messages, {} of them with the id of a piece of their own message, {:.1} s",
        shown.trials,
        shown.messages,
        shown.of_own_message,
        start.elapsed().as_secs_f64()
    );
    match shown.fault {
        Some(fault) => {
            println!("{fault}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn report(seeds: &Range<u64>, sum: &Sum, seconds: f64) {
    let worlds = seeds.end.saturating_sub(seeds.start);
    println!(
        "{worlds} worlds, {} participants, {} turns, {:.1} s, {} faults",
        sum.peers,
        sum.turns,
        seconds,
        sum.faults.len()
    );
    for (what, count) in &sum.sights {
        println!("{count:>12} {what}");
    }
}

#[cfg(feature = "planted-defects")]
fn planted(name: Option<&str>) -> Option<msrp_sim::Plant> {
    let name = name?;
    let found = msrp_sim::plants()
        .into_iter()
        .find(|(plant, _)| plant == name);
    let Some((_, plant)) = found else {
        eprintln!("no defect is called {name}");
        std::process::exit(2);
    };
    Some(plant)
}

/// Says for each defect which seed shows it, and how.
#[cfg(feature = "planted-defects")]
fn find_defects(seeds: &Range<u64>, wish: Wish) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    let mut hidden = 0;
    let plants = msrp_sim::plants();
    for (name, plant) in &plants {
        let wish = Wish {
            plant: Some(*plant),
            ..wish
        };
        let fault = |seed| msrp_sim::run(seed, wish).fault.map(|fault| (seed, fault));
        match seeds.clone().find_map(fault) {
            Some((seed, fault)) => {
                let fault: String = fault.chars().take(100).collect();
                println!("{name}: seed {seed}: {}", fault.replace('\n', " "));
            }
            None => {
                hidden += 1;
                println!("{name}: NOT FOUND");
            }
        }
    }
    println!("{} defects, {hidden} not found", plants.len());
    if hidden == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
