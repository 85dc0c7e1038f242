//! What the process uses, as `/proc` tells it.

use std::fs;

/// What the process uses. What cannot be read is 0.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    cpu_ns: u64,
    resident_octets: u64,
    open_fds: u64,
    max_fds: u64,
}

impl Used {
    /// Looks now.
    pub(super) fn look() -> Self {
        let read =
            |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Self {
            cpu_ns: cpu_ns(),
            resident_octets: resident_octets(&read("status")).unwrap_or_default(),
            // The directory that is read is one of them.
            open_fds: u64::try_from(open).unwrap_or_default().saturating_sub(1),
            max_fds: max_fds(&read("limits")).unwrap_or_default(),
        }
    }

    /// The values in the order of their metrics.
    pub(super) fn in_order(self) -> [u64; 4] {
        [
            self.cpu_ns,
            self.resident_octets,
            self.open_fds,
            self.max_fds,
        ]
    }
}

/// Processor time of all threads since the process began, in nanoseconds.
pub(crate) fn cpu_ns() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    cpu_ns_of(&stat).unwrap_or_default()
}

/// User and system time: the 12th and 13th field behind the name, which may hold anything.
fn cpu_ns_of(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) * NS_PER_TICK)
}

fn resident_octets(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn max_fds(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Linux tells times of processes in hundredths of a second, whatever its own clock.
const NS_PER_TICK: u64 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_uses_what_the_files_of_proc_say() {
        let stat = "1 (a) b) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 5 0 1 1 1";
        assert_eq!(cpu_ns_of(stat), Some(3_000_000_000));
        assert_eq!(resident_octets("VmRSS:\t  12 kB\n"), Some(12_288));
        let limits =
            "Limit  Soft  Hard\nMax open files            1024                 4096  files\n";
        assert_eq!(max_fds(limits), Some(1024));
    }

    #[test]
    fn process_of_the_test_uses_something_of_each() {
        let [_, resident, open, most] = Used::look().in_order();
        assert!(
            resident > 1_000_000 && open >= 3 && most > open,
            "{resident} {open} {most}"
        );
    }
}
