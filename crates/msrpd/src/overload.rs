//! Memory and processor time of the process, against the bounds of the configuration.
//!
//! Beyond a bound new rooms and new participants are refused, so that those who are there are served
//! well. Below nine tenths of it they are taken again.

use std::collections::VecDeque;
use std::time::Duration;

use msrp_control::Client;
use msrp_sip::ua_rsipstack::UaHandle;
use tokio::time::Instant;

use crate::admin::process;
use crate::config::Limits;

/// Looks at the process for ever, and tells the engine and SIP what it has reached.
pub async fn watch(limits: &Limits, client: Client, sip: Option<UaHandle>) {
    let bounds = Bounds::of(limits);
    if bounds == Bounds::default() {
        return std::future::pending().await;
    }
    let (mut samples, mut reached) = (VecDeque::with_capacity(LOOKS), None);
    let mut looks = 0_usize;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = Sample::take(&client);
        let before = samples.front().unwrap_or(&now);
        let present = bounds.reached(before, &now, reached);
        if samples.len() == LOOKS {
            samples.pop_front();
        }
        samples.push_back(now);
        looks = looks.wrapping_add(1);
        if reached == Some(MEMORY) && looks.is_multiple_of(LOOKS) {
            // What was freed since would count as in use for ever.
            let _ = tokio::task::spawn_blocking(ring_io::release_freed_memory).await;
        }
        if present == reached {
            continue;
        }
        reached = present;
        match reached {
            Some(limit) => tracing::warn!(limit, "a bound is reached; new work is refused"),
            None => tracing::info!("new work is taken again"),
        }
        // Answering each request of a storm would hold memory too.
        if let Some(sip) = &sip {
            sip.refuse_new(reached == Some(MEMORY));
        }
        // An engine that does not answer takes nothing either.
        let _ = client.set_overload(reached).await;
    }
}

/// The bounds; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Bounds {
    memory_octets: u64,
    /// Of all processors together.
    cpu_percent: u64,
}

/// The process at one moment.
#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Instant,
    memory_octets: u64,
    cpu_ns: u64,
}

impl Bounds {
    fn of(limits: &Limits) -> Self {
        Self {
            memory_octets: limits.memory_octets_max,
            cpu_percent: limits.cpu_percent_max.into(),
        }
    }

    /// The bound that is reached, `present` being the one that was so far.
    fn reached(
        &self,
        before: &Sample,
        now: &Sample,
        present: Option<&'static str>,
    ) -> Option<&'static str> {
        let passed_ns = now.at.duration_since(before.at).as_nanos();
        let passed_ns = u64::try_from(passed_ns).unwrap_or(u64::MAX).max(1);
        let used_ns = now.cpu_ns.saturating_sub(before.cpu_ns);
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        // Over less than that, the time of a start would count as much as a load.
        let cpu_percent = if passed_ns >= CPU_OVER_NS {
            self.cpu_percent
        } else {
            0
        };
        let measured = [
            (MEMORY, now.memory_octets, self.memory_octets),
            (
                "cpu",
                used_ns.saturating_mul(100) / passed_ns / processors,
                cpu_percent,
            ),
        ];
        let is_reached = |(name, value, bound): &(&'static str, u64, u64)| {
            let again = if present == Some(name) { bound / 10 } else { 0 };
            *bound > 0 && *value >= bound - again
        };
        measured.iter().find(|m| is_reached(m)).map(|m| m.0)
    }
}

impl Sample {
    fn take(client: &Client) -> Self {
        Self {
            at: Instant::now(),
            memory_octets: client.engine().load().resident_octets,
            cpu_ns: process::cpu_ns(),
        }
    }
}

/// The bound of memory.
const MEMORY: &str = "memory";
/// How often it is looked: a storm of requests takes some ten megabytes in that time.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks over which processor time is measured: a second.
const LOOKS: usize = 10;
/// Shortest time over which processor time is judged, in nanoseconds.
const CPU_OVER_NS: u64 = 900_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bound_that_is_reached_is_left_below_nine_tenths_of_it() {
        let at = Instant::now();
        let sample = |memory_octets, cpu_ms: u64, s| Sample {
            at: at + Duration::from_secs(s),
            memory_octets,
            cpu_ns: cpu_ms * 1_000_000,
        };
        let bounds = Bounds {
            memory_octets: 1000,
            cpu_percent: 50,
        };
        let idle = sample(0, 0, 0);
        let reached = |now, present| bounds.reached(&idle, &now, present);
        assert_eq!(reached(sample(999, 0, 1), None), None);
        assert_eq!(reached(sample(1000, 0, 1), None), Some("memory"));
        assert_eq!(reached(sample(950, 0, 1), Some("memory")), Some("memory"));
        assert_eq!(reached(sample(899, 0, 1), Some("memory")), None);
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let half = processors * 500;
        assert_eq!(reached(sample(0, half, 1), None), Some("cpu"));
        assert_eq!(reached(sample(0, half - 10, 1), None), None);
    }
}
