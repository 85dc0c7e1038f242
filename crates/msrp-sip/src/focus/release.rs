//! When a session ends by itself.
//!
//! # Spec
//! REL-7.2.2.8; AMB-39, AMB-41.

use std::fmt;

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReleaseReason {
    /// The originator left.
    OriginatorLeft,
    /// Too few are left.
    TooFew,
    /// It ran as long as it may.
    TooLong,
    /// Everybody who was invited refused.
    AllRefused,
    /// Its group is gone.
    GroupGone,
    /// The engine could not serve it.
    Engine,
    /// Its originator asked for the end.
    Requested,
    /// The node goes down.
    Shutdown,
}

impl fmt::Display for ReleaseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OriginatorLeft => "originator_left",
            Self::TooFew => "too_few",
            Self::TooLong => "too_long",
            Self::AllRefused => "all_refused",
            Self::GroupGone => "group_gone",
            Self::Engine => "engine",
            Self::Requested => "requested",
            Self::Shutdown => "shutdown",
        })
    }
}

/// The kind of a session, as far as its end depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Two users.
    OneToOne,
    /// A list of users. Ends at this many participants.
    AdHoc {
        /// The threshold.
        remaining: usize,
    },
    /// A message from one user to others.
    Delivery,
    /// A pre-defined group.
    Group {
        /// The threshold.
        remaining: usize,
        /// Whether it ends with its originator.
        auto_release: bool,
        /// Ends below this many, once they were there.
        participants_min: Option<usize>,
    },
}

/// Who is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Census {
    /// Whether the originator is in the session or waits for it.
    pub(crate) has_originator: bool,
    /// Participants, those whose invitation is open included.
    pub(crate) counted: usize,
    /// Participants without the open invitations.
    pub(crate) present: usize,
    /// The most that were present at once.
    pub(crate) present_peak: usize,
}

/// Whether the session ends now. Asked after departures and failed invitations, never at the start.
pub(crate) fn verdict(rules: Rules, census: Census) -> Option<ReleaseReason> {
    let remaining = match rules {
        Rules::Delivery | Rules::OneToOne | Rules::AdHoc { .. } if !census.has_originator => {
            return Some(ReleaseReason::OriginatorLeft);
        }
        Rules::Delivery | Rules::OneToOne => 1,
        Rules::AdHoc { remaining } => remaining,
        Rules::Group {
            remaining,
            auto_release,
            participants_min,
        } => {
            // Nobody is there yet who could go on without the originator.
            if !census.has_originator && (auto_release || census.present == 0) {
                return Some(ReleaseReason::OriginatorLeft);
            }
            if participants_min
                .is_some_and(|least| census.present_peak >= least && census.present < least)
            {
                return Some(ReleaseReason::TooFew);
            }
            remaining
        }
    };
    (census.counted <= remaining).then_some(ReleaseReason::TooFew)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReleaseReason::{OriginatorLeft, TooFew};

    fn census(has_originator: bool, counted: usize, present: usize) -> Census {
        Census {
            has_originator,
            counted,
            present,
            present_peak: 3,
        }
    }

    // covers: REL-7.2.2.8-04, REL-7.2.2.8-05, REL-7.2.2.8-07, REL-7.2.2.8-08, REL-7.2.2.8-09, REL-7.2.2.8-10, REL-7.2.2.8-11
    #[test]
    fn verdict_follows_the_release_rules() {
        let group = |remaining, auto_release| Rules::Group {
            remaining,
            auto_release,
            participants_min: None,
        };
        let cases = [
            (Rules::OneToOne, census(false, 1, 1), Some(OriginatorLeft)),
            (Rules::OneToOne, census(true, 1, 1), Some(TooFew)),
            (Rules::OneToOne, census(true, 2, 1), None),
            (
                Rules::AdHoc { remaining: 1 },
                census(false, 5, 5),
                Some(OriginatorLeft),
            ),
            (
                Rules::AdHoc { remaining: 1 },
                census(true, 1, 1),
                Some(TooFew),
            ),
            (Rules::AdHoc { remaining: 0 }, census(true, 1, 1), None),
            (Rules::AdHoc { remaining: 1 }, census(true, 2, 1), None),
            (group(0, false), census(false, 2, 2), None),
            (group(0, true), census(false, 2, 2), Some(OriginatorLeft)),
            (group(0, true), census(true, 1, 1), None),
            (group(0, false), census(false, 0, 0), Some(OriginatorLeft)),
            (group(0, false), census(false, 3, 0), Some(OriginatorLeft)),
            (group(1, false), census(true, 1, 1), Some(TooFew)),
        ];
        for (rules, census, expected) in cases {
            assert_eq!(verdict(rules, census), expected, "{rules:?} {census:?}");
        }
    }

    #[test]
    fn verdict_counts_the_minimum_only_once_it_was_reached() {
        let rules = |least| Rules::Group {
            remaining: 0,
            auto_release: false,
            participants_min: Some(least),
        };
        assert_eq!(verdict(rules(3), census(true, 2, 2)), Some(TooFew));
        assert_eq!(verdict(rules(4), census(true, 2, 2)), None);
        assert_eq!(verdict(rules(2), census(true, 2, 2)), None);
    }
}
