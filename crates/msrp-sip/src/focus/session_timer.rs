//! Session timers: what is agreed, and when something has to happen.
//!
//! ```text
//!            we refresh                          the peer refreshes
//!   start --- half interval: re-INVITE ---+      start ---------------------------+
//!     ^                                   |        ^                              |
//!     +------------- 2xx -----------------+        +-- re-INVITE or UPDATE -- 200 +
//!   shortly before the end: BYE                   shortly before the end: BYE
//! ```
//!
//! # Spec
//! RFC 4028 s.7 to s.10; AMB-20.

use crate::focus::headers::has_token;
use crate::focus::policy::Policy;
use crate::focus::refusal::Refusal;
use crate::limits::{NS_PER_S, SESSION_INTERVAL_S_MIN};
use crate::ua::Headers;

/// Who has to refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresher {
    /// This node.
    Us,
    /// The peer.
    Peer,
}

/// What an answer of ours says about the timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// The interval, in seconds.
    pub(crate) interval_s: u32,
    /// Who refreshes.
    pub(crate) refresher: Refresher,
    /// Whether the peer knows session timers.
    is_known: bool,
}

impl Agreement {
    /// What we answer to a request that may ask for a timer.
    ///
    /// # Errors
    /// [`Refusal::MalformedHeader`] -> 400, [`Refusal::IntervalTooSmall`] -> 422.
    ///
    /// # Spec
    /// RFC 4028 s.9 table 2; AMB-20.
    pub(crate) fn answering(headers: &Headers, policy: &Policy) -> Result<Self, Refusal> {
        let asked = headers.first("Session-Expires");
        let asked = asked
            .map(|v| read(v).ok_or(Refusal::MalformedHeader("Session-Expires")))
            .transpose()?;
        let least = headers
            .first("Min-SE")
            .map(|v| read(v).ok_or(Refusal::MalformedHeader("Min-SE")))
            .transpose()?;
        let least_s = least.map_or(SESSION_INTERVAL_S_MIN, |(s, _)| {
            s.max(SESSION_INTERVAL_S_MIN)
        });
        let is_known =
            has_token(headers, "Supported", "timer") || has_token(headers, "Require", "timer");
        if is_known && asked.is_some_and(|(s, _)| s < policy.min_se_s) {
            return Err(Refusal::IntervalTooSmall);
        }
        let wanted_s = policy.session_expires_s.max(least_s);
        let interval_s = asked.map_or(wanted_s, |(s, _)| {
            s.min(wanted_s).max(SESSION_INTERVAL_S_MIN)
        });
        let refresher = match (is_known, asked.and_then(|(_, role)| role)) {
            (true, Some(Role::Uac) | None) => Refresher::Peer,
            (true, Some(Role::Uas)) | (false, _) => Refresher::Us,
        };
        Ok(Self {
            interval_s,
            refresher,
            is_known,
        })
    }

    /// Writes the agreement into a 2xx.
    pub(crate) fn write(self, headers: &mut Headers) {
        let role = match self.refresher {
            Refresher::Us => "uas",
            Refresher::Peer => "uac",
        };
        headers.push(
            "Session-Expires",
            format!("{};refresher={role}", self.interval_s),
        );
        headers.push("Supported", "timer");
        if self.is_known {
            headers.push("Require", "timer");
        }
    }

    /// What a 2xx to a request of ours agreed. A peer that says nothing is refreshed by us at our
    /// own interval.
    ///
    /// # Spec
    /// RFC 4028 s.7.2.
    pub(crate) fn answered(headers: &Headers, asked_s: u32) -> Self {
        let value = headers.first("Session-Expires").and_then(read);
        let interval_s = value.map_or(asked_s, |(s, _)| s.max(SESSION_INTERVAL_S_MIN));
        let refresher = match value.and_then(|(_, role)| role) {
            Some(Role::Uas) => Refresher::Peer,
            Some(Role::Uac) | None => Refresher::Us,
        };
        Self {
            interval_s,
            refresher,
            is_known: value.is_some(),
        }
    }
}

/// The smallest interval that a 422 asks for, in seconds.
pub(crate) fn read_min_se(headers: &Headers) -> Option<u32> {
    headers.first("Min-SE").and_then(read).map(|(s, _)| s)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Uac,
    Uas,
}

/// Reads `delta-seconds *(;param)`.
fn read(value: &str) -> Option<(u32, Option<Role>)> {
    let mut parts = value.split(';').map(str::trim);
    let number = parts
        .next()
        .filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))?;
    let role = parts.find_map(|p| {
        let (name, value) = p.split_once('=')?;
        match (
            name.trim().to_ascii_lowercase().as_str(),
            value.trim().to_ascii_lowercase().as_str(),
        ) {
            ("refresher", "uac") => Some(Role::Uac),
            ("refresher", "uas") => Some(Role::Uas),
            _ => None,
        }
    });
    // More digits than fit are a legal interval that never ends here.
    Some((number.parse().unwrap_or(u32::MAX), role))
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send a refresh.
    Refresh,
    /// End the dialog.
    Expired,
}

/// The running timer of one dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionTimer {
    /// The agreed interval, in seconds.
    pub(crate) interval_s: u32,
    /// When our next refresh leaves; none while one is unanswered or when the peer refreshes.
    refresh_ns: Option<u64>,
    /// When we give up.
    expires_ns: u64,
}

impl SessionTimer {
    /// Starts or restarts it.
    pub(crate) fn start(now: u64, agreement: Agreement) -> Self {
        let interval_ns = u64::from(agreement.interval_s).saturating_mul(NS_PER_S);
        let margin_ns = (32 * NS_PER_S).min(interval_ns / 3);
        Self {
            interval_s: agreement.interval_s,
            refresh_ns: (agreement.refresher == Refresher::Us)
                .then(|| now.saturating_add(interval_ns / 2)),
            expires_ns: now.saturating_add(interval_ns - margin_ns),
        }
    }

    /// When [`SessionTimer::take_due`] has something.
    pub(crate) fn deadline(&self) -> u64 {
        self.refresh_ns
            .map_or(self.expires_ns, |at| at.min(self.expires_ns))
    }

    /// What is due now. A refresh is told once.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<Due> {
        if now >= self.expires_ns {
            return Some(Due::Expired);
        }
        self.refresh_ns
            .take_if(|at| *at <= now)
            .map(|_| Due::Refresh)
    }

    /// Our refresh failed for now: tries again half way to the end.
    pub(crate) fn retry_later(&mut self, now: u64) {
        let left_ns = self.expires_ns.saturating_sub(now);
        self.refresh_ns = Some(now.saturating_add((left_ns / 2).max(NS_PER_S)));
    }

    /// Our refresh met one of the peer: tries again after this time.
    pub(crate) fn retry_after(&mut self, now: u64, wait_ns: u64) {
        self.refresh_ns = Some(now.saturating_add(wait_ns));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy::new("im.example")
    }

    fn answer(pairs: &[(&str, &str)]) -> Result<Agreement, Refusal> {
        let headers = pairs.iter().fold(Headers::new(), |h, (n, v)| h.with(*n, v));
        Agreement::answering(&headers, &policy())
    }

    #[test]
    fn agreement_follows_the_table() {
        use Refresher::{Peer, Us};
        type Case<'a> = (&'a [(&'a str, &'a str)], u32, Refresher, bool);
        let cases: [Case<'_>; 7] = [
            (&[], 1800, Us, false),
            (&[("Supported", "100rel, timer")], 1800, Peer, true),
            (
                &[("Supported", "timer"), ("Session-Expires", "600")],
                600,
                Peer,
                true,
            ),
            (
                &[
                    ("Supported", "timer"),
                    ("Session-Expires", "3600;refresher=uas"),
                ],
                1800,
                Us,
                true,
            ),
            (
                &[
                    ("Require", "timer"),
                    ("Session-Expires", "3600;Refresher=UAC"),
                    ("Min-SE", "2000"),
                ],
                2000,
                Peer,
                true,
            ),
            (&[("Session-Expires", "30")], 90, Us, false),
            (
                &[("Supported", "timer"), ("Session-Expires", "99999999999")],
                1800,
                Peer,
                true,
            ),
        ];
        for (pairs, interval_s, refresher, is_known) in cases {
            assert_eq!(
                answer(pairs),
                Ok(Agreement {
                    interval_s,
                    refresher,
                    is_known
                }),
                "{pairs:?}"
            );
        }
        let small = [("Supported", "timer"), ("Session-Expires", "89")];
        assert_eq!(answer(&small), Err(Refusal::IntervalTooSmall));
        assert_eq!(
            answer(&[("Session-Expires", "soon")]),
            Err(Refusal::MalformedHeader("Session-Expires"))
        );
    }

    #[test]
    fn answered_without_timer_is_refreshed_by_us() {
        let agreed = Agreement::answered(&Headers::new(), 1800);
        assert_eq!((agreed.interval_s, agreed.refresher), (1800, Refresher::Us));
        let agreed = Agreement::answered(
            &Headers::new().with("Session-Expires", "600;refresher=uas"),
            1800,
        );
        assert_eq!(
            (agreed.interval_s, agreed.refresher),
            (600, Refresher::Peer)
        );
    }

    #[test]
    fn timer_of_ours_refreshes_at_half_and_expires_before_the_end() {
        let agreement = Agreement {
            interval_s: 1800,
            refresher: Refresher::Us,
            is_known: true,
        };
        let mut timer = SessionTimer::start(0, agreement);
        assert_eq!(timer.deadline(), 900 * NS_PER_S);
        assert_eq!(timer.take_due(900 * NS_PER_S - 1), None);
        assert_eq!(timer.take_due(900 * NS_PER_S), Some(Due::Refresh));
        assert_eq!(timer.take_due(900 * NS_PER_S), None);
        assert_eq!(timer.deadline(), 1768 * NS_PER_S);
        timer.retry_later(1000 * NS_PER_S);
        assert_eq!(timer.deadline(), 1384 * NS_PER_S);
        assert_eq!(timer.take_due(1768 * NS_PER_S), Some(Due::Expired));
    }

    #[test]
    fn timer_of_the_peer_only_expires() {
        let agreement = Agreement {
            interval_s: 90,
            refresher: Refresher::Peer,
            is_known: true,
        };
        let mut timer = SessionTimer::start(0, agreement);
        assert_eq!(timer.deadline(), 60 * NS_PER_S);
        assert_eq!(timer.take_due(59 * NS_PER_S), None);
        assert_eq!(timer.take_due(60 * NS_PER_S), Some(Due::Expired));
    }
}
