//! The notifications of one message, until its sender has been told.
//!
//! ```text
//!            delivery, failure: kept           delivery, failure: told at once
//!   gathers --------------------------> gathers ---- last one, or Ts2 ends ----> forwards --> forgotten
//!      ^  `-- Ts2 ends, some are outstanding, restarts are left: tells, again --'
//! ```
//!
//! # Spec
//! PGR-8.3.1.2 to PGR-8.3.1.4, TMR-15.1-02; RFC 5438 s.8.3; AMB-51.

use std::collections::HashMap;

use crate::address::Uri;
use crate::focus::pager::imdn::{self, Notification, Request};
use crate::limits::{COLLECTION_NS_MAX, NS_PER_S};

/// Where the notifications of a message go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnAddress {
    /// Its sender.
    pub(crate) sender: String,
    /// What its CPIM header From said to the recipients.
    pub(crate) wrapped_sender: String,
    /// The address of ours to which the message went, with its name.
    pub(crate) own: String,
}

/// A recipient whose notification may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Awaited {
    /// Whether the sender may not learn its address.
    is_hidden: bool,
    /// Whether it reported its delivery, or could not be reached.
    is_settled: bool,
}

/// The notifications of one message.
#[derive(Debug)]
pub(crate) struct Collection {
    /// What the sender wants to be told.
    pub(crate) request: Request,
    /// Whom to tell.
    pub(crate) back: ReturnAddress,
    /// By the key of the address.
    recipients: HashMap<String, Awaited>,
    outstanding: usize,
    stored: Vec<String>,
    state: State,
    wait_ns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Ts2 runs.
    Gathers { ends_ns: u64, restarts_left: u32 },
    /// Everything goes on at once.
    Forwards { forgotten_ns: u64 },
}

/// What to do with a notification that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was kept.
    Kept,
    /// These go to the sender, together.
    Tell(Vec<String>),
    /// It goes on as it came.
    Forward,
    /// The sender of the notification is no recipient of the message.
    Stranger,
}

impl Collection {
    /// Begins to gather, or to forward when the wait is 0.
    pub(crate) fn new<'a>(
        request: Request,
        back: ReturnAddress,
        recipients: impl Iterator<Item = (&'a Uri, bool)>,
        wait_s: u64,
        restarts: u32,
        now: u64,
    ) -> Self {
        let awaited = |is_hidden| Awaited {
            is_hidden,
            is_settled: false,
        };
        let recipients: HashMap<String, Awaited> = recipients
            .map(|(uri, is_hidden)| (uri.key(), awaited(is_hidden)))
            .collect();
        let wait_ns = wait_s.saturating_mul(NS_PER_S);
        let state = if wait_ns == 0 {
            forwards(now)
        } else {
            State::Gathers {
                ends_ns: now.saturating_add(wait_ns),
                restarts_left: restarts,
            }
        };
        Self {
            request,
            back,
            outstanding: recipients.len(),
            recipients,
            stored: Vec::new(),
            state,
            wait_ns,
        }
    }

    /// When Ts2 ends, or when the collection may be forgotten.
    pub(crate) fn deadline(&self) -> u64 {
        match self.state {
            State::Gathers { ends_ns, .. } => ends_ns,
            State::Forwards { forgotten_ns } => forgotten_ns,
        }
    }

    /// Whether Ts2 runs.
    pub(crate) fn is_gathering(&self) -> bool {
        matches!(self.state, State::Gathers { .. })
    }

    /// Takes a notification from the user of these addresses.
    ///
    /// # Spec
    /// PGR-8.3.1.2-01, PGR-8.3.1.2-02, PGR-8.3.1.3-03.
    pub(crate) fn on_notification(
        &mut self,
        now: u64,
        from: &[Uri],
        notification: &Notification,
    ) -> Verdict {
        let key = from
            .iter()
            .map(Uri::key)
            .find(|key| self.recipients.contains_key(key));
        let Some(awaited) = key.and_then(|key| self.recipients.get_mut(&key)) else {
            return Verdict::Stranger;
        };
        let document = if awaited.is_hidden {
            &notification.nameless
        } else {
            &notification.document
        };
        if notification.is_delivery && matches!(self.state, State::Gathers { .. }) {
            // One word about a delivery is enough, and the first one counts.
            if std::mem::replace(&mut awaited.is_settled, true) {
                return Verdict::Kept;
            }
            self.stored.push(document.clone());
            self.outstanding = self.outstanding.saturating_sub(1);
            return self.conclude(now);
        }
        if awaited.is_hidden {
            Verdict::Tell(vec![document.clone()])
        } else {
            Verdict::Forward
        }
    }

    /// A recipient could not be reached.
    ///
    /// # Spec
    /// PGR-8.3.1.4.
    pub(crate) fn on_failure(&mut self, now: u64, recipient: &Uri) -> Verdict {
        let Some(awaited) = self.recipients.get_mut(&recipient.key()) else {
            return Verdict::Stranger;
        };
        if std::mem::replace(&mut awaited.is_settled, true) {
            return Verdict::Kept;
        }
        self.outstanding = self.outstanding.saturating_sub(1);
        if self.request.wants_negative {
            let shown = (!awaited.is_hidden).then(|| recipient.as_str());
            self.stored.push(imdn::failed(&self.request, shown));
        }
        self.conclude(now)
    }

    /// Ts2 may have ended: what to tell then.
    ///
    /// # Spec
    /// PGR-8.3.1.3-01, PGR-8.3.1.3-02.
    pub(crate) fn handle_timeout(&mut self, now: u64) -> Vec<String> {
        match self.state {
            State::Gathers {
                ends_ns,
                restarts_left,
            } if ends_ns <= now => {
                self.state = match restarts_left.checked_sub(1) {
                    Some(restarts_left) => State::Gathers {
                        ends_ns: now.saturating_add(self.wait_ns),
                        restarts_left,
                    },
                    None => forwards(now),
                };
                std::mem::take(&mut self.stored)
            }
            State::Gathers { .. } | State::Forwards { .. } => Vec::new(),
        }
    }

    /// Gathers no more; what was gathered is to be told.
    pub(crate) fn finish(&mut self, now: u64) -> Vec<String> {
        if self.is_gathering() {
            self.state = forwards(now);
        }
        std::mem::take(&mut self.stored)
    }

    fn conclude(&mut self, now: u64) -> Verdict {
        if self.outstanding == 0 || !self.is_gathering() {
            let stored = self.finish(now);
            if !stored.is_empty() {
                return Verdict::Tell(stored);
            }
        }
        Verdict::Kept
    }
}

fn forwards(now: u64) -> State {
    State::Forwards {
        forgotten_ns: now.saturating_add(COLLECTION_NS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(user: &str) -> Uri {
        Uri::parse(&format!("sip:{user}@h")).unwrap()
    }

    fn collection(wants_negative: bool, wait_s: u64, restarts: u32) -> Collection {
        let request = Request {
            message_id: "m".into(),
            datetime: String::new(),
            wants_positive: true,
            wants_negative,
        };
        let back = ReturnAddress {
            sender: "sip:a@h".into(),
            wrapped_sender: "sip:a@h".into(),
            own: "sip:list@h".into(),
        };
        let (bob, carol) = (uri("bob"), uri("carol"));
        let recipients = [(&bob, false), (&carol, true)];
        Collection::new(request, back, recipients.into_iter(), wait_s, restarts, 0)
    }

    fn delivered(user: &str) -> Notification {
        Notification {
            message_id: "m".into(),
            is_delivery: true,
            to: "sip:a@h".into(),
            document: format!("of {user}"),
            nameless: "of somebody".into(),
        }
    }

    // covers: PGR-8.3.1.2-02, PGR-8.3.1.3-03
    #[test]
    fn last_notification_ends_the_gathering() {
        let mut c = collection(true, 30, 3);
        assert_eq!(
            c.on_notification(1, &[uri("bob")], &delivered("bob")),
            Verdict::Kept
        );
        assert_eq!(
            c.on_notification(1, &[uri("bob")], &delivered("bob")),
            Verdict::Kept
        );
        let told = c.on_notification(2, &[uri("x"), uri("carol")], &delivered("carol"));
        assert_eq!(
            told,
            Verdict::Tell(vec!["of bob".into(), "of somebody".into()])
        );
        assert!(!c.is_gathering());
    }

    // covers: PGR-8.3.1.3-02, PGR-8.3.1.2-01, TMR-15.1-02
    #[test]
    fn timer_tells_what_came_and_starts_again_as_often_as_allowed() {
        let mut c = collection(true, 30, 1);
        assert_eq!(c.deadline(), 30 * NS_PER_S);
        c.on_notification(1, &[uri("bob")], &delivered("bob"));
        assert_eq!(c.handle_timeout(29 * NS_PER_S), Vec::<String>::new());
        assert_eq!(c.handle_timeout(30 * NS_PER_S), vec!["of bob".to_owned()]);
        assert_eq!(c.deadline(), 60 * NS_PER_S);
        assert!(c.is_gathering());
        assert_eq!(c.handle_timeout(60 * NS_PER_S), Vec::<String>::new());
        assert!(!c.is_gathering());
        let late = c.on_notification(61 * NS_PER_S, &[uri("bob")], &delivered("bob"));
        assert_eq!(late, Verdict::Forward);
        let hidden = c.on_notification(61 * NS_PER_S, &[uri("carol")], &delivered("carol"));
        assert_eq!(hidden, Verdict::Tell(vec!["of somebody".into()]));
        assert_eq!(c.deadline(), 60 * NS_PER_S + COLLECTION_NS_MAX);
    }

    // covers: PGR-8.3.1.4-03, PGR-8.3.1.4-04
    #[test]
    fn failures_are_kept_while_gathering_and_told_afterwards() {
        let mut c = collection(true, 30, 0);
        assert_eq!(c.on_failure(1, &uri("bob")), Verdict::Kept);
        let told = c.handle_timeout(30 * NS_PER_S);
        assert!(told.len() == 1 && told[0].contains("<failed/>") && told[0].contains("sip:bob@h"));
        let Verdict::Tell(told) = c.on_failure(31 * NS_PER_S, &uri("carol")) else {
            panic!()
        };
        assert!(
            told[0].contains("<failed/>") && !told[0].contains("carol"),
            "{told:?}"
        );
    }

    // covers: PGR-8.3.1.4-02
    #[test]
    fn failures_that_nobody_asked_for_are_settled_in_silence() {
        let mut c = collection(false, 30, 0);
        assert_eq!(c.on_failure(1, &uri("bob")), Verdict::Kept);
        assert_eq!(c.on_failure(1, &uri("carol")), Verdict::Kept);
        assert!(!c.is_gathering());
    }

    #[test]
    fn display_is_forwarded_and_strangers_are_not_heard() {
        let mut c = collection(true, 30, 0);
        let display = Notification {
            is_delivery: false,
            ..delivered("bob")
        };
        assert_eq!(
            c.on_notification(1, &[uri("bob")], &display),
            Verdict::Forward
        );
        assert_eq!(
            c.on_notification(1, &[uri("eve")], &delivered("eve")),
            Verdict::Stranger
        );
        assert_eq!(c.on_failure(1, &uri("eve")), Verdict::Stranger);
    }

    #[test]
    fn wait_of_zero_forwards_at_once() {
        let mut c = collection(true, 0, 3);
        assert_eq!(
            c.on_notification(1, &[uri("bob")], &delivered("bob")),
            Verdict::Forward
        );
        assert!(matches!(c.on_failure(1, &uri("carol")), Verdict::Tell(_)));
    }
}
