//! What arrived and nobody has taken yet, in order of arrival.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::watch;

use crate::transcript::lock;

/// Many may wait at once, each for an item of its own choice.
pub(crate) struct Mailbox<T> {
    state: Mutex<State<T>>,
    changed: watch::Sender<()>,
}

struct State<T> {
    items: VecDeque<T>,
    fault: Option<String>,
}

impl<T> Mailbox<T> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                fault: None,
            }),
            changed: watch::Sender::new(()),
        }
    }

    pub(crate) fn push(&self, item: T) {
        lock(&self.state).items.push_back(item);
        self.changed.send_replace(());
    }

    /// Ends every wait whose item has not arrived. The first fault is kept.
    pub(crate) fn fail(&self, fault: impl Into<String>) {
        lock(&self.state).fault.get_or_insert_with(|| fault.into());
        self.changed.send_replace(());
    }

    /// Takes the first item that `select` likes, now or when it arrives.
    ///
    /// # Errors
    /// The fault, when the item is not there and the source has failed.
    pub(crate) async fn take(&self, mut select: impl FnMut(&T) -> bool) -> Result<T, String> {
        let mut changed = self.changed.subscribe();
        loop {
            {
                let mut state = lock(&self.state);
                if let Some(item) = position(&mut state.items, &mut select) {
                    return Ok(item);
                }
                if let Some(fault) = &state.fault {
                    return Err(fault.clone());
                }
            }
            if changed.changed().await.is_err() {
                return Err("the mailbox is gone".into());
            }
        }
    }

    /// Looks at every item that nobody has taken.
    pub(crate) fn inspect<R>(&self, look: impl FnOnce(&VecDeque<T>) -> R) -> R {
        look(&lock(&self.state).items)
    }
}

fn position<T>(items: &mut VecDeque<T>, select: &mut impl FnMut(&T) -> bool) -> Option<T> {
    let index = items.iter().position(select)?;
    items.remove(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn mailbox_item_is_taken_by_choice_not_by_order() {
        let mailbox = Mailbox::new();
        mailbox.push(1);
        mailbox.push(2);
        assert_eq!(mailbox.take(|item| *item == 2).await, Ok(2));
        assert_eq!(mailbox.take(|_| true).await, Ok(1));
        mailbox.inspect(|items| assert!(items.is_empty()));
    }

    #[tokio::test]
    async fn mailbox_push_during_wait_wakes_the_waiter() {
        let mailbox = Mailbox::new();
        let (taken, ()) = tokio::join!(mailbox.take(|item| *item == 7), async { mailbox.push(7) });
        assert_eq!(taken, Ok(7));
    }

    #[tokio::test]
    async fn mailbox_failed_gives_what_is_there_then_the_fault() {
        let mailbox = Mailbox::new();
        mailbox.push(1);
        mailbox.fail("closed");
        mailbox.fail("later");
        assert_eq!(mailbox.take(|_| true).await, Ok(1));
        assert_eq!(mailbox.take(|_| true).await, Err("closed".into()));
    }
}
