//! What the kernel says about a process: processor time and memory.

use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io};

use serde::Serialize;

/// Processor time and memory of a process at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Time in user mode, seconds, of all threads. Resolution 10 ms.
    pub user_s: f64,
    /// Time in the kernel, seconds, of all threads. Resolution 10 ms.
    pub system_s: f64,
    /// Resident memory, octets.
    pub rss_octets: u64,
}

impl Usage {
    /// Reads `/proc/PID/stat` and `/proc/PID/status`, of the process and of those that it has started: servers with
    /// several processes have one that starts the others. Memory that they share counts for each.
    ///
    /// # Errors
    /// There is no such process, or its files do not have the form that is documented in proc(5).
    pub fn of(pid: u32) -> io::Result<Self> {
        let mut all = Self::read(&PathBuf::from(format!("/proc/{pid}")))?;
        for child in children(pid) {
            // One that has ended since the list was read has nothing to add.
            if let Ok(usage) = Self::read(&PathBuf::from(format!("/proc/{child}"))) {
                all.user_s += usage.user_s;
                all.system_s += usage.system_s;
                all.rss_octets += usage.rss_octets;
            }
        }
        Ok(all)
    }

    /// The generator's own.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn of_self() -> io::Result<Self> {
        Self::read(&PathBuf::from("/proc/self"))
    }

    fn read(directory: &std::path::Path) -> io::Result<Self> {
        let stat = fs::read_to_string(directory.join("stat"))?;
        let status = fs::read_to_string(directory.join("status"))?;
        Self::parse(&stat, &status).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The name of the program may have blanks and brackets; fields are counted behind it, from number 3 on.
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut times = fields.split(' ').skip(UTIME_FIELD - 3);
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss_kib: u64 = rss?.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(Self {
            user_s: times.next()?.parse::<f64>().ok()? / TICKS_PER_S,
            system_s: times.next()?.parse::<f64>().ok()? / TICKS_PER_S,
            rss_octets: rss_kib * 1024,
        })
    }

    /// Processor time since an earlier moment.
    #[must_use]
    pub fn cpu_since(&self, earlier: &Self) -> Duration {
        let seconds = self.user_s + self.system_s - earlier.user_s - earlier.system_s;
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}

/// The processes that the threads of a process have started. Empty where the kernel does not list them.
fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let lists: Vec<String> = lists.collect();
    let pids = lists.iter().flat_map(|list| list.split_whitespace());
    pids.filter_map(|pid| pid.parse().ok()).collect()
}

/// Processor time of the calling thread. `None` where the kernel does not keep it.
#[must_use]
pub fn thread_cpu() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

/// The number of `utime` in `/proc/PID/stat`; `stime` follows. Source: proc(5).
const UTIME_FIELD: usize = 14;
/// The unit of those times. Source: USER_HZ, which is 100 on all current architectures.
const TICKS_PER_S: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_behind_a_name_with_blanks_and_brackets() {
        let stat = "77 (a) b (c) S 1 77 77 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 1 0 99 1000 5";
        let status = "Name:\ta\nVmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n";
        let usage = Usage::parse(stat, status).unwrap();
        assert_eq!((usage.user_s, usage.system_s), (2.5, 0.5));
        assert_eq!(usage.rss_octets, 2 * 1024 * 1024);
        let earlier = Usage {
            user_s: 1.0,
            ..usage
        };
        assert_eq!(usage.cpu_since(&earlier), Duration::from_millis(1500));
        assert_eq!(Usage::parse("77 (a", status), None);
    }

    #[test]
    fn children_of_a_process_are_found() {
        // A program that waits for its input until that is closed.
        let mut command = std::process::Command::new("cat");
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let found = children(std::process::id());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(found.contains(&child.id()), "{found:?}");
        assert!(children(u32::MAX).is_empty());
    }

    #[test]
    fn usage_of_the_own_process_is_there() {
        assert!(Usage::of_self().unwrap().rss_octets > 0);
        assert!(Usage::of(u32::MAX).is_err());
        assert!(thread_cpu() <= thread_cpu());
    }
}
