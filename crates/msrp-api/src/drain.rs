//! Draining: what a node refuses before it goes down, and when it goes.
//!
//! ```text
//!   serving --drain--> draining --nothing left, or the deadline--> to be ended by its process
//!      ^                  |
//!      +-----undrain------+      (not when the process was told to end)
//! ```
//!
//! Without a deadline a draining node stays. The engine does the refusing and ends nothing: whoever
//! runs the node awaits [`Api::drained`] and ends it then.

use std::time::Duration;

use axum::http::StatusCode;
use msrp_control::{ControlError, Drain, MessageTo, OwnMessage};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::limits::{DRAIN_LOOK_EVERY, PAGE_MAX};
use crate::{Api, Problem};

/// How a node drains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainPlan {
    /// What it refuses.
    pub drain: Drain,
    /// After how long it ends what is left; `None` means never.
    pub deadline: Option<Duration>,
    /// What participants of every room are told, as a message of the room.
    pub message: Option<String>,
    /// Whether the process was told to end: this drain cannot be undone.
    pub is_final: bool,
}

/// How the present drain goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Draining {
    /// When the node ends.
    pub(crate) ends_at: Option<Instant>,
    is_final: bool,
}

impl Draining {
    /// Whole seconds until the node ends.
    pub(crate) fn left_s(self) -> Option<u64> {
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        self.ends_at.map(|at| left(at).as_secs())
    }
}

/// Where the drain of a node is kept.
pub(crate) type DrainSwitch = watch::Sender<Draining>;

impl Api {
    /// Begins to drain, or drains in another way from now on.
    ///
    /// # Errors
    /// The engine does not answer, or its end was ordered before by the process.
    pub async fn drain(&self, plan: DrainPlan) -> Result<(), Problem> {
        self.check_not_final(plan.is_final)?;
        let deadline_s = plan.deadline.map(|deadline| deadline.as_secs());
        self.client.set_draining(plan.drain, deadline_s).await?;
        self.draining.send_replace(Draining {
            ends_at: plan.deadline.map(|deadline| Instant::now() + deadline),
            is_final: plan.is_final,
        });
        tracing::info!(drain = ?plan.drain, deadline_s, "draining");
        if let Some(message) = plan.message {
            self.tell_rooms(&message).await?;
        }
        Ok(())
    }

    /// Takes everything again.
    ///
    /// # Errors
    /// As of [`Api::drain`].
    pub async fn undrain(&self) -> Result<(), Problem> {
        self.check_not_final(false)?;
        self.client.set_draining(Drain::Off, None).await?;
        self.draining.send_replace(Draining::default());
        tracing::info!("not draining any more");
        Ok(())
    }

    fn check_not_final(&self, is_final: bool) -> Result<(), Problem> {
        if self.draining.borrow().is_final && !is_final {
            let detail = "The process was told to end; that cannot be undone.";
            return Err(Problem::new(StatusCode::CONFLICT, "ending", 503, detail));
        }
        Ok(())
    }

    /// Waits until a drain with a deadline is over: nobody takes part any more, or its time has come.
    /// Returns how many take part still.
    pub async fn drained(&self) -> u64 {
        let mut draining = self.draining.subscribe();
        loop {
            let Some(ends_at) = draining.borrow_and_update().ends_at else {
                if draining.changed().await.is_err() {
                    return 0;
                }
                continue;
            };
            // An engine that does not answer has nobody to wait for but the deadline.
            let left = self.client.status().await;
            let left = left.map_or(u64::MAX, |status| status.participants_count);
            if left == 0 || Instant::now() >= ends_at {
                return if left == u64::MAX { 0 } else { left };
            }
            let look_at = ends_at.min(Instant::now() + DRAIN_LOOK_EVERY);
            if timeout_at(look_at, draining.changed()).await.is_err() {
                sleep_until(look_at).await;
            }
        }
    }

    /// Sends a message of its own to every room. A room that ends meanwhile, or cannot say it, is
    /// left out.
    async fn tell_rooms(&self, text: &str) -> Result<(), ControlError> {
        let mut after = None;
        loop {
            let rooms = self.client.rooms(after, PAGE_MAX).await?;
            for room in &rooms {
                let message = OwnMessage {
                    to: MessageTo::Room,
                    from_display_name: None,
                    content_type: "text/plain;charset=UTF-8".to_owned(),
                    body: text.as_bytes().to_vec(),
                };
                let _ = self.client.send_message(room.room.clone(), message).await;
            }
            match rooms.last() {
                Some(last) if rooms.len() == PAGE_MAX => after = Some(last.room.clone()),
                _ => return Ok(()),
            }
        }
    }
}
