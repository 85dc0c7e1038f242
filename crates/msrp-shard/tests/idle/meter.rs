//! What the system says about this process.

use std::time::Duration;

/// Resident memory in octets.
pub(crate) fn resident_octets() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: u64 = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib * 1024
}

/// Most files that this process may have open.
pub(crate) fn files_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    line.unwrap()
        .split_whitespace()
        .nth(3)
        .unwrap()
        .parse()
        .unwrap()
}

/// Processor time of all threads whose name begins so.
pub(crate) fn threads_time(name: &str) -> Duration {
    let mut ns = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let is_it = std::fs::read_to_string(task.join("comm"))
            .unwrap()
            .starts_with(name);
        if is_it {
            let stat = std::fs::read_to_string(task.join("schedstat")).unwrap();
            ns += stat
                .split_whitespace()
                .next()
                .unwrap()
                .parse::<u64>()
                .unwrap();
        }
    }
    Duration::from_nanos(ns)
}
