//! Who wants events of messages. The engine makes them only while somebody does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use msrp_control::{Interest, MessagesWanted};

use super::EventLog;

/// Counts who wants events of messages.
#[derive(Debug)]
pub(crate) struct MessageWatch {
    log: Arc<EventLog>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    interest: Interest,
    count: usize,
    /// Held while somebody wants them.
    wanted: Option<MessagesWanted>,
}

/// Keeps the events of messages coming until it is dropped.
#[derive(Debug)]
pub(crate) struct WantsMessages(Arc<MessageWatch>);

impl MessageWatch {
    pub(crate) fn new(log: Arc<EventLog>, interest: Interest) -> Arc<Self> {
        Arc::new(Self {
            log,
            state: Mutex::new(State {
                interest,
                count: 0,
                wanted: None,
            }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody wants them from now on.
    pub(crate) fn want(self: &Arc<Self>) -> WantsMessages {
        let mut state = self.lock();
        state.count += 1;
        if state.wanted.is_none() {
            self.log.begin_messages();
            state.wanted = Some(state.interest.in_messages());
        }
        WantsMessages(Arc::clone(self))
    }

    /// The events come from another subscription from now on.
    pub(crate) fn renew(&self, interest: Interest) {
        let mut state = self.lock();
        state.wanted = (state.count > 0).then(|| interest.in_messages());
        state.interest = interest;
    }
}

impl WantsMessages {
    /// One more who wants them.
    pub(crate) fn again(&self) -> Self {
        self.0.want()
    }
}

impl Drop for WantsMessages {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.count -= 1;
        if state.count == 0 {
            state.wanted = None;
        }
    }
}
