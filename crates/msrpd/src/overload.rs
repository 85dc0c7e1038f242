//! Memory and processor time of the process, against the bounds of the configuration.
//!
//! At a bound new rooms and new participants are refused, so that those who are there are served well. Below nine tenths of
//! it they are taken again. For memory that begins at a mark below the bound: what is on its way, and what happens between two
//! looks, still needs some.

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
    let mut looks_since_release = LOOKS;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let mut now = Sample::take(&client);
        looks_since_release = looks_since_release.saturating_add(1);
        if looks_since_release >= LOOKS && bounds.is_memory_short(&now, reached) {
            // What was freed would count as in use for ever.
            let _ = tokio::task::spawn_blocking(ring_io::release_freed_memory).await;
            looks_since_release = 0;
            now = Sample::take(&client);
        }
        let before = samples.front().unwrap_or(&now);
        let present = bounds.reached(before, &now, reached);
        if samples.len() == LOOKS {
            samples.pop_front();
        }
        samples.push_back(now);
        // Answering each request of a storm would hold memory too. It is said at each look, since each time something is
        // given up.
        if let Some(sip) = &sip
            && (present == Some(MEMORY) || reached == Some(MEMORY))
        {
            sip.refuse_new(present == Some(MEMORY));
        }
        if present == reached {
            continue;
        }
        reached = present;
        match reached {
            Some(limit) => tracing::warn!(limit, "a bound is reached; new work is refused"),
            None => tracing::info!("new work is taken again"),
        }
        // An engine that does not answer takes nothing either.
        let _ = client.set_overload(reached).await;
    }
}

/// The bounds; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Bounds {
    /// The mark from which on memory is short.
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
        let bound = limits.memory_octets_max;
        Self {
            memory_octets: bound - bound / 100 * (100 - MEMORY_MARK_PERCENT),
            cpu_percent: limits.cpu_percent_max.into(),
        }
    }

    /// Whether memory is at its mark, or was and is not far enough below it.
    fn is_memory_short(&self, now: &Sample, present: Option<&'static str>) -> bool {
        let is_at_mark = self.memory_octets > 0 && now.memory_octets >= self.memory_octets;
        present == Some(MEMORY) || is_at_mark
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
/// How much of its bound memory may take before nothing new is taken, in hundredths.
const MEMORY_MARK_PERCENT: u64 = 85;
/// Looks over which processor time is measured: a second.
const LOOKS: usize = 10;
/// Shortest time over which processor time is judged, in nanoseconds.
const CPU_OVER_NS: u64 = 900_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_short_before_its_bound_is_reached() {
        let limits = Limits {
            memory_octets_max: 1000,
            ..Limits::default()
        };
        let bounds = Bounds::of(&limits);
        let sample = |memory_octets| Sample {
            at: Instant::now(),
            memory_octets,
            cpu_ns: 0,
        };
        let reached = |octets| bounds.reached(&sample(0), &sample(octets), None);
        assert_eq!(reached(849), None);
        assert_eq!(reached(850), Some(MEMORY));
        assert!(!bounds.is_memory_short(&sample(849), None));
        assert!(bounds.is_memory_short(&sample(850), None));
        assert!(bounds.is_memory_short(&sample(800), Some(MEMORY)));
        let none = Bounds::of(&Limits::default());
        assert!(!none.is_memory_short(&sample(850), None));
    }

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
