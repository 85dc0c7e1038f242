//! What new work is refused for: bounds that are reached.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use msrp_control::{ControlError, ErrorCode, Event};

use super::Hub;

/// The bounds of the process, and which of them was told when.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// The bound that the process has reached, by the word of whoever runs it.
    overload: Mutex<Option<&'static str>>,
    told: Mutex<HashMap<&'static str, Instant>>,
}

impl Admission {
    pub(super) fn set_overload(&self, limit: Option<&'static str>) {
        *self.overload.lock().unwrap_or_else(PoisonError::into_inner) = limit;
    }

    /// Whether the process can carry more.
    pub(super) fn check_process(&self, hub: &Hub) -> Result<(), ControlError> {
        let limit = *self.overload.lock().unwrap_or_else(PoisonError::into_inner);
        match limit {
            None => Ok(()),
            Some(limit) => {
                let detail = format!("the node has reached its bound of {limit}; try again later");
                Err(self.refuse(hub, limit, detail))
            }
        }
    }

    /// Refuses because of a bound, and tells of it once a second at most.
    pub(super) fn refuse(&self, hub: &Hub, limit: &'static str, detail: String) -> ControlError {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told
            .get(limit)
            .is_none_or(|at| now.duration_since(*at) >= TELL_EVERY);
        if is_due {
            told.insert(limit, now);
            drop(told);
            hub.publish(&Event::LimitReached { limit });
        }
        ControlError::new(ErrorCode::Limit, detail)
    }
}

/// How often one bound is told.
const TELL_EVERY: Duration = Duration::from_secs(1);
