//! How much of its means the node uses.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use msrp_control::Load;

use super::ShardEngine;
use crate::limits::{ALIVE_NS, MEMORY_LOOK_NS};

/// The resident memory, as it was when it was looked at last.
#[derive(Debug, Default)]
pub(super) struct Memory {
    octets: AtomicU64,
    /// Nanoseconds of the engine's clock, plus one; 0 before the first look.
    looked_ns: AtomicU64,
}

impl Memory {
    /// Octets, not older than [`MEMORY_LOOK_NS`].
    fn resident_octets(&self, now_ns: u64) -> u64 {
        let looked_ns = self.looked_ns.load(Ordering::Relaxed);
        let is_fresh = looked_ns > 0 && now_ns.saturating_sub(looked_ns) < MEMORY_LOOK_NS;
        if !is_fresh {
            let next_ns = now_ns.saturating_add(1);
            self.looked_ns.store(next_ns, Ordering::Relaxed);
            self.octets.store(resident_octets(), Ordering::Relaxed);
        }
        self.octets.load(Ordering::Relaxed)
    }
}

impl ShardEngine {
    /// See [`msrp_control::Engine::load`].
    pub(super) fn load_at(&self, now_ns: u64) -> Load {
        let busy = self.counters.iter().map(|shard| {
            let alive_ns = shard.alive_ns.load(Ordering::Relaxed);
            if now_ns.saturating_sub(alive_ns) < ALIVE_NS {
                shard.business.permille()
            } else {
                1000
            }
        });
        Load {
            busy_permille: busy.max().unwrap_or_default(),
            resident_octets: self.memory.resident_octets(now_ns),
            sessions_count: self.counters.iter().map(|c| c.participants()).sum(),
            connections_count: self.counters.iter().map(|c| c.connections()).sum(),
        }
    }
}

/// The resident set of this process; 0 where `/proc` does not tell.
fn resident_octets() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    resident_of(&status).unwrap_or_default()
}

fn resident_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_status_of_the_process() {
        let status = "Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t   4 kB\n";
        assert_eq!(resident_of(status), Some(4096));
        assert_eq!(resident_of("VmRSS:\tnone\n"), None);
        assert!(
            resident_octets() > 1_000_000,
            "a test has a megabyte at least"
        );
    }

    #[test]
    fn memory_is_looked_at_again_when_the_last_look_is_old() {
        let memory = Memory::default();
        assert!(memory.resident_octets(5) > 0);
        memory.octets.store(1, Ordering::Relaxed);
        assert_eq!(memory.resident_octets(6), 1);
        assert!(memory.resident_octets(6 + MEMORY_LOOK_NS) > 1);
    }
}
