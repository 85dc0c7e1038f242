//! The rest that listeners take when the process is out of descriptors or memory.

use std::time::{Duration, Instant};

use crate::{Errno, limits};

/// Until when listeners rest. Accepting again at once would fail again at once, and spin.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    until: Option<Instant>,
}

impl Rest {
    /// Whether a failed accept calls for a rest; other failures concern the one connection only.
    pub(crate) fn is_due(error: Errno) -> bool {
        matches!(
            error.number(),
            libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS
        )
    }

    pub(crate) fn start(&mut self) {
        self.until = Some(Instant::now() + limits::ACCEPT_REST);
    }

    /// A descriptor was closed: try again at the next wait.
    pub(crate) fn end(&mut self) {
        if self.until.is_some() {
            self.until = Some(Instant::now());
        }
    }

    /// True once when a rest is over: listeners must be started again.
    pub(crate) fn take_over(&mut self) -> bool {
        let over = self.until.is_some_and(|until| until <= Instant::now());
        if over {
            self.until = None;
        }
        over
    }

    /// A wait's timeout that does not oversleep the end of the rest.
    pub(crate) fn shorten(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some(until) = self.until else {
            return timeout;
        };
        let left = until.saturating_duration_since(Instant::now());
        Some(timeout.map_or(left, |timeout| timeout.min(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_shortens_waits_and_ends_early_when_a_descriptor_is_free() {
        let mut rest = Rest::default();
        assert!(!rest.take_over());
        assert_eq!(rest.shorten(None), None);
        rest.start();
        assert!(!rest.take_over());
        assert!(rest.shorten(None).unwrap() <= limits::ACCEPT_REST);
        assert_eq!(rest.shorten(Some(Duration::ZERO)), Some(Duration::ZERO));
        rest.end();
        assert!(rest.take_over());
        assert!(!rest.take_over());
        assert!(Rest::is_due(Errno::new(libc::EMFILE)));
        assert!(!Rest::is_due(Errno::new(libc::ECONNABORTED)));
    }
}
