//! What all participants of one load thread share.

use std::sync::Arc;

use msrp_wire::{MessageId, TransactionId};
use rand_chacha::ChaCha8Rng;
use rand_core::{OsRng, RngCore, SeedableRng, TryRngCore};

use crate::account::Counts;
use crate::clock::datetime_now;
use crate::plan::{Load, Room};
use crate::stage::{Pace, Stage, StageFigures};

use super::Totals;

/// What all participants of one load thread share. No locks: the thread has it to itself.
pub(super) struct Desk {
    pub(super) load: Arc<Load>,
    pub(super) rooms: Arc<Vec<Room>>,
    /// When the present turn began; every arrival in it counts from here.
    pub(super) now_ns: u64,
    /// The time of day for wrappers, renewed once a second.
    pub(super) datetime: String,
    datetime_ns: u64,
    pub(super) stage: Option<Stage>,
    pub(super) figures: StageFigures,
    pub(super) counts: Counts,
    pub(super) totals: Totals,
    random: ChaCha8Rng,
}

impl Desk {
    pub(super) fn new(load: Arc<Load>, rooms: Arc<Vec<Room>>) -> Result<Self, String> {
        let mut seed = [0; 32];
        OsRng.try_fill_bytes(&mut seed).map_err(|e| e.to_string())?;
        Ok(Self {
            load,
            rooms,
            now_ns: 0,
            datetime: datetime_now(),
            datetime_ns: 0,
            stage: None,
            figures: StageFigures::default(),
            counts: Counts::default(),
            totals: Totals::default(),
            random: ChaCha8Rng::from_seed(seed),
        })
    }

    /// Begins a turn.
    pub(super) fn set_time(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        if now_ns.saturating_sub(self.datetime_ns) >= DATETIME_NS {
            self.datetime_ns = now_ns;
            self.datetime = datetime_now();
        }
    }

    /// Whether a time counts in the figures of the stage.
    pub(super) fn measures(&self, time_ns: u64) -> bool {
        self.stage.is_some_and(|stage| stage.measures(time_ns))
    }

    /// The window of a closed loop, while its stage runs.
    pub(super) fn window(&self) -> u32 {
        match self.stage {
            Some(Stage {
                pace: Pace::Window(window),
                start_ns,
                end_ns,
                ..
            }) if (start_ns..end_ns).contains(&self.now_ns) => window,
            _ => 0,
        }
    }

    /// An id that nobody knew before. It is drawn when the octets under it are fixed, so they cannot contain it.
    pub(super) fn draw_transaction_id(&mut self) -> TransactionId {
        TransactionId::from_random(self.bits())
    }

    pub(super) fn draw_message_id(&mut self) -> MessageId {
        MessageId::from_random(self.bits())
    }

    fn bits(&mut self) -> u128 {
        u128::from(self.random.next_u64()) << 64 | u128::from(self.random.next_u64())
    }
}

/// How old the time of day in wrappers may be.
const DATETIME_NS: u64 = 1_000_000_000;
