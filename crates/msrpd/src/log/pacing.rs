//! A bound on log lines of one kind: what a peer can cause again and again must not fill a disk.
//!
//! A kind is a place in the code that logs. Beyond [`LINES_PER_S_MAX`] its lines are left out until the second is over,
//! and how many they were is told before its next line.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Keeps the bound for everything that passes it.
pub(super) struct Pacing {
    begin: Instant,
    kinds: Mutex<HashMap<Identifier, Kind>>,
}

/// What came of one kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Kind {
    second: u64,
    lines: u32,
    left_out: u64,
}

impl Pacing {
    pub(super) fn new() -> Self {
        Self {
            begin: Instant::now(),
            kinds: Mutex::default(),
        }
    }
}

impl<S: Subscriber> Layer<S> for Pacing {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let second = self.begin.elapsed().as_secs();
        let metadata = event.metadata();
        let (is_taken, left_out) = {
            let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            kinds.entry(metadata.callsite()).or_default().take(second)
        };
        if left_out > 0 {
            let (place, line) = (metadata.target(), metadata.line());
            tracing::warn!(lines = left_out, place, line, "log lines were left out");
        }
        is_taken
    }
}

impl Kind {
    /// One more line: whether it is taken, and how many were left out before, told once.
    fn take(&mut self, second: u64) -> (bool, u64) {
        let mut told = 0;
        if self.second != second {
            told = self.left_out;
            *self = Self {
                second,
                ..Self::default()
            };
        }
        if self.lines >= LINES_PER_S_MAX {
            self.left_out += 1;
            return (false, 0);
        }
        self.lines += 1;
        (true, told)
    }
}

/// Lines of one kind in a second: a node that a thousand people join in a second still names each. Source: ours.
const LINES_PER_S_MAX: u32 = 1000;

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn lines_beyond_the_bound_are_left_out_and_told_with_the_next() {
        let mut kind = Kind::default();
        for _ in 0..LINES_PER_S_MAX {
            assert_eq!(kind.take(5), (true, 0));
        }
        assert_eq!(kind.take(5), (false, 0));
        assert_eq!(kind.take(5), (false, 0));
        assert_eq!(kind.take(6), (true, 2));
        assert_eq!(kind.take(6), (true, 0));
    }

    #[derive(Clone, Default)]
    struct Pages(Arc<Mutex<Vec<u8>>>);

    impl Write for Pages {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(octets)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn storm_of_one_kind_leaves_other_kinds_alone() {
        let pages = Pages::default();
        let writer = pages.clone();
        let lines = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .finish()
            .with(Pacing::new());
        tracing::subscriber::with_default(lines, || {
            for number in 0..20 * LINES_PER_S_MAX {
                tracing::info!(number, "again");
            }
            tracing::info!("another");
        });
        let text = String::from_utf8(pages.0.lock().unwrap().clone()).unwrap();
        let again = text.lines().filter(|line| line.contains("again")).count();
        // A second may end meanwhile, though hardly ten.
        assert!((1000..10_000).contains(&again), "{again}");
        assert!(text.contains("another"));
    }
}
