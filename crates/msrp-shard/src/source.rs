//! Where a node's time and chance come from: in service from the operating system, in a simulation from the run.

#[cfg(feature = "simulation")]
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use msrp_session::Timestamp;
use rand_core::{OsRng, TryRngCore};

#[cfg(feature = "simulation")]
use crate::simulation::Run;

/// The one source of a node. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The operating system; time counts from here.
    System(Instant),
    /// A simulated run.
    #[cfg(feature = "simulation")]
    Run(Arc<Run>),
}

impl Source {
    /// That of the operating system, with time beginning now.
    pub(crate) fn system() -> Self {
        Self::System(Instant::now())
    }

    pub(crate) fn now(&self) -> Timestamp {
        match self {
            Self::System(start) => {
                let elapsed = start.elapsed().as_nanos();
                Timestamp::from_ns(u64::try_from(elapsed).unwrap_or(u64::MAX))
            }
            #[cfg(feature = "simulation")]
            Self::Run(run) => run.now(),
        }
    }

    /// The time of day, in seconds since 1970.
    pub(crate) fn unix_seconds(&self) -> u64 {
        match self {
            Self::System(_) => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                since.map_or(0, |since| since.as_secs())
            }
            #[cfg(feature = "simulation")]
            Self::Run(run) => run.unix_seconds(),
        }
    }

    /// 256 bits that nobody can predict.
    ///
    /// # Errors
    /// The operating system gives none.
    pub(crate) fn seed(&self) -> std::io::Result<[u8; 32]> {
        let mut seed = [0; 32];
        self.fill(&mut seed)?;
        Ok(seed)
    }

    /// 128 bits that nobody can predict.
    ///
    /// # Errors
    /// The operating system gives none.
    pub(crate) fn bits(&self) -> std::io::Result<u128> {
        let mut octets = [0; 16];
        self.fill(&mut octets)?;
        Ok(u128::from_ne_bytes(octets))
    }

    fn fill(&self, octets: &mut [u8]) -> std::io::Result<()> {
        match self {
            Self::System(_) => OsRng
                .try_fill_bytes(octets)
                .map_err(|error| std::io::Error::other(error.to_string())),
            #[cfg(feature = "simulation")]
            Self::Run(run) => {
                run.fill(octets);
                Ok(())
            }
        }
    }
}
