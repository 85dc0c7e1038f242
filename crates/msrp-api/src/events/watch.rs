//! Who wants events of messages, and what messages held. The engine makes them only while somebody does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use msrp_control::{Interest, MessagesWanted};

use super::EventLog;
use super::log::Detail;

/// Counts who wants events of messages.
#[derive(Debug)]
pub(crate) struct MessageWatch {
    log: Arc<EventLog>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    interest: Interest,
    messages: Level,
    content: Level,
}

/// Those who want events of one detail.
#[derive(Debug, Default)]
struct Level {
    count: usize,
    /// Held while somebody wants them.
    wanted: Option<MessagesWanted>,
}

/// Keeps the events of messages coming until it is dropped.
#[derive(Debug)]
pub(crate) struct WantsMessages {
    watch: Arc<MessageWatch>,
    detail: Detail,
}

impl MessageWatch {
    pub(crate) fn new(log: Arc<EventLog>, interest: Interest) -> Arc<Self> {
        Arc::new(Self {
            log,
            state: Mutex::new(State {
                interest,
                messages: Level::default(),
                content: Level::default(),
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody wants events of this detail from now on; `None` when they come anyhow.
    pub(crate) fn want(self: &Arc<Self>, detail: Detail) -> Option<WantsMessages> {
        (detail > Detail::Others).then(|| self.wanted(detail))
    }

    fn wanted(self: &Arc<Self>, detail: Detail) -> WantsMessages {
        let mut state = self.lock();
        let State {
            interest,
            messages,
            content,
        } = &mut *state;
        if messages.count == 0 {
            self.log.begin(Detail::Messages);
            messages.wanted = Some(interest.in_messages());
        }
        messages.count += 1;
        if detail == Detail::Content {
            if content.count == 0 {
                self.log.begin(Detail::Content);
                content.wanted = Some(interest.in_content());
            }
            content.count += 1;
        }
        WantsMessages {
            watch: Arc::clone(self),
            detail,
        }
    }

    /// The events come from another subscription from now on.
    pub(crate) fn renew(&self, interest: Interest) {
        let mut state = self.lock();
        state.messages.wanted = (state.messages.count > 0).then(|| interest.in_messages());
        state.content.wanted = (state.content.count > 0).then(|| interest.in_content());
        state.interest = interest;
    }
}

impl WantsMessages {
    /// One more who wants them.
    pub(crate) fn again(&self) -> Self {
        self.watch.wanted(self.detail)
    }
}

impl Drop for WantsMessages {
    fn drop(&mut self) {
        let mut state = self.watch.lock();
        if self.detail == Detail::Content && state.content.leaves() {
            // What participants said is not kept when nobody reads it.
            self.watch.log.begin(Detail::Content);
        }
        state.messages.leaves();
    }
}

impl Level {
    /// One less; whether it was the last.
    fn leaves(&mut self) -> bool {
        self.count -= 1;
        if self.count == 0 {
            self.wanted = None;
        }
        self.count == 0
    }
}
