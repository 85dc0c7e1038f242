//! Runs seeded mutations of a corpus for a time: `soak TARGET SECONDS [SEED]`.
//!
//! For machines without a nightly toolchain. It knows nothing of coverage; libFuzzer finds more in the same time.
#![expect(clippy::print_stderr, reason = "a tool that tells its result")]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use msrpd_fuzz_targets::TARGETS;
use msrpd_fuzz_targets::mutation::{Numbers, mutate};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, seconds, seed) = match arguments.as_slice() {
        [name, seconds] => (name, seconds.parse().ok(), Some(1)),
        [name, seconds, seed] => (name, seconds.parse().ok(), seed.parse().ok()),
        _ => return usage(),
    };
    let target = TARGETS.iter().find(|target| target.name == name);
    let (Some(target), Some(seconds), Some(seed)) = (target, seconds, seed) else {
        return usage();
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(name);
    let mut corpus: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.ok()?.path()).ok())
        .collect();
    corpus.push(Vec::new());
    corpus.sort();
    let mut numbers = Numbers::of_seed(seed);
    let (start, mut executions) = (Instant::now(), 0_u64);
    while start.elapsed() < Duration::from_secs(seconds) {
        let input = &corpus[numbers.below(corpus.len())];
        let input = mutate(&mut numbers, input, &corpus, target.words);
        let outcome = std::panic::catch_unwind(|| (target.run)(&input));
        if outcome.is_err() {
            eprintln!("{name}: b\"{}\"", input.escape_ascii());
            return ExitCode::FAILURE;
        }
        executions += 1;
    }
    eprintln!("{name}: {executions} executions in {seconds} s, nothing found");
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    eprintln!(
        "usage: soak TARGET SECONDS [SEED]; targets: {}",
        names.join(" ")
    );
    ExitCode::from(2)
}
