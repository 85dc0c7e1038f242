//! The `m=` lines of one dialog.
//!
//! Each holds one MSRP session of the participant, a leg, or none any more. Lines keep their place for
//! the life of the dialog: one that ended stays with port 0, and its place is taken again only when there
//! are as many as a description may have.
//!
//! ```text
//!   the engine's offers and answers, one for each leg --take--> legs --compose--> our description
//! ```
//!
//! # Spec
//! RFC 3264 s.6, s.8; RFC 5547 s.8.

use msrp_control::LocalMedia;
use msrp_sdp::limits::MEDIA_SECTIONS_MAX;
use msrp_sdp::{ClosedSection, Description, Place};

use crate::focus::media::Remote;

/// Names a line of a conference: 0 is the one that it was made with.
pub(crate) type LineId = u32;

/// What our descriptions towards a participant may name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// The types beside the wrapper; `None` leaves them to the switch.
    pub(crate) types: Option<Vec<String>>,
    /// The longest message, in octets.
    pub(crate) max_size: Option<u64>,
}

/// One MSRP session of a participant.
#[derive(Debug)]
pub(crate) struct Leg {
    /// The line of the conference.
    pub(crate) line: LineId,
    /// The participant's section, once it was seen.
    pub(crate) remote: Option<Remote>,
    /// What our descriptions may name, whatever it offers later.
    pub(crate) terms: Terms,
    /// Whether the engine has it, or was asked to.
    pub(crate) is_in_room: bool,
    /// Whether it is in an offer of ours, inside the session, that was not accepted.
    pub(crate) is_offered: bool,
    /// Whether that offer has left.
    pub(crate) is_sent: bool,
    /// Whether the engine said that everything has arrived.
    pub(crate) is_served: bool,
    /// Our section as the engine wrote it last, as long as no description holds it.
    fresh: Option<String>,
}

impl Leg {
    /// A leg that the participant offers; the engine knows nothing of it.
    pub(crate) fn of_peer(line: LineId, remote: Option<&Remote>) -> Self {
        Self {
            line,
            remote: remote.cloned(),
            terms: Terms::default(),
            is_in_room: false,
            is_offered: false,
            is_sent: false,
            is_served: false,
            fresh: None,
        }
    }

    /// A leg that the engine is asked to offer with these values.
    pub(crate) fn of_ours(line: LineId, local: &LocalMedia) -> Self {
        Self {
            terms: Terms {
                types: local.accept_types.clone(),
                max_size: local.max_size,
            },
            is_in_room: true,
            ..Self::of_peer(line, None)
        }
    }

    /// Whether our section has not been in any description yet.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.fresh.is_none() && self.is_offered
    }
}

#[derive(Debug, Default)]
struct Slot {
    leg: Option<Leg>,
    /// What the line is without a leg; nothing before a description of ours or the peer's had it.
    closed: Option<ClosedSection>,
    /// Whether both sides have it.
    is_agreed: bool,
}

/// The `m=` lines of one dialog, in their order.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    list: Vec<Slot>,
    /// Our present description.
    text: Option<String>,
}

impl Slots {
    /// How many lines there are.
    pub(crate) fn count(&self) -> usize {
        self.list.len()
    }

    /// How many lines both sides have.
    pub(crate) fn agreed_count(&self) -> usize {
        self.list.iter().filter(|slot| slot.is_agreed).count()
    }

    /// The peer answered an offer of ours with as many lines.
    pub(crate) fn agree(&mut self, count: usize) {
        for slot in self.list.iter_mut().take(count) {
            slot.is_agreed = true;
        }
    }

    /// The peer refused an offer of ours as a whole: lines that only we have are no lines.
    pub(crate) fn retract(&mut self) {
        while let Some(Slot {
            leg: None,
            is_agreed: false,
            ..
        }) = self.list.last()
        {
            self.list.pop();
        }
    }

    /// Our present description.
    pub(crate) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The legs that there are.
    pub(crate) fn legs(&self) -> impl Iterator<Item = &Leg> {
        self.list.iter().filter_map(|slot| slot.leg.as_ref())
    }

    /// The same, to be changed.
    pub(crate) fn legs_mut(&mut self) -> impl Iterator<Item = &mut Leg> {
        self.list.iter_mut().filter_map(|slot| slot.leg.as_mut())
    }

    /// The lines of all legs.
    pub(crate) fn lines(&self) -> Vec<LineId> {
        self.legs().map(|leg| leg.line).collect()
    }

    /// The leg on this line.
    pub(crate) fn leg(&self, line: LineId) -> Option<&Leg> {
        self.legs().find(|leg| leg.line == line)
    }

    /// The same, to be changed.
    pub(crate) fn leg_mut(&mut self, line: LineId) -> Option<&mut Leg> {
        self.legs_mut().find(|leg| leg.line == line)
    }

    /// The leg at this place of a description.
    pub(crate) fn leg_at(&self, place: usize) -> Option<&Leg> {
        self.list.get(place)?.leg.as_ref()
    }

    /// Whether a line of ours waits for the peer to see or to accept it.
    pub(crate) fn has_offered(&self) -> bool {
        self.legs().any(|leg| leg.is_offered)
    }

    /// Keeps what the peer says at this place, which may be the next one, and the leg for it. A leg that
    /// is there stays when none comes.
    pub(crate) fn set(&mut self, place: usize, closed: ClosedSection, leg: Option<Leg>) {
        if place == self.list.len() {
            self.list.push(Slot::default());
        }
        if let Some(slot) = self.list.get_mut(place) {
            slot.closed = Some(closed);
            slot.is_agreed = true;
            if leg.is_some() {
                slot.leg = leg;
            }
        }
    }

    /// Adds a leg that we offer. `false` when the dialog can have no more.
    pub(crate) fn add(&mut self, leg: Leg) -> bool {
        let free = |slot: &&mut Slot| slot.leg.is_none();
        if self.list.len() < MEDIA_SECTIONS_MAX {
            self.list.push(Slot {
                leg: Some(leg),
                closed: None,
                is_agreed: false,
            });
            true
        } else if let Some(slot) = self.list.iter_mut().find(free) {
            slot.leg = Some(leg);
            true
        } else {
            false
        }
    }

    /// Takes a leg away. Its place stays, unless nobody was shown it.
    pub(crate) fn close(&mut self, line: LineId) -> Option<Leg> {
        let of_line = |leg: &mut Leg| leg.line == line;
        let mut slots = self.list.iter_mut();
        let leg = slots.find_map(|slot| slot.leg.take_if(of_line));
        while let Some(Slot {
            leg: None,
            closed: None,
            ..
        }) = self.list.last()
        {
            self.list.pop();
        }
        leg
    }

    /// Keeps our section of a leg as the engine wrote it.
    pub(crate) fn take(&mut self, line: LineId, sdp: String) {
        let of_line = |leg: &Leg| leg.line == line;
        let mut slots = self.list.iter_mut();
        let Some(slot) = slots.find(|slot| slot.leg.as_ref().is_some_and(of_line)) else {
            return;
        };
        if slot.closed.is_none() {
            slot.closed = Description::parse(&sdp).ok().and_then(|d| d.closed(0));
        }
        if let Some(leg) = &mut slot.leg {
            leg.fresh = Some(sdp);
        }
    }

    /// Writes an offer with all lines.
    pub(crate) fn offer(&mut self) -> String {
        self.compose(self.list.len(), true)
    }

    /// Writes an answer to an offer with as many lines. Offers of ours that were not accepted are not in it.
    pub(crate) fn answer(&mut self, count: usize) -> String {
        self.compose(count, false)
    }

    /// Our description: what the engine wrote of each leg, what the last description had of it, or port 0.
    /// The version of the `o=` line grows by one when anything changed.
    fn compose(&mut self, count: usize, with_offered: bool) -> String {
        let last = self
            .text
            .as_deref()
            .and_then(|t| Description::parse(t).ok());
        let mut open: Vec<Option<Description>> = Vec::with_capacity(count);
        for (place, slot) in self.list.iter_mut().take(count).enumerate() {
            let leg = slot.leg.as_mut().filter(|l| with_offered || !l.is_offered);
            let text = leg.and_then(|leg| {
                // An offer that is not accepted may have to be made again.
                let fresh = if leg.is_offered {
                    leg.is_sent |= leg.fresh.is_some();
                    leg.fresh.clone()
                } else {
                    leg.fresh.take()
                };
                fresh.or_else(|| last.as_ref()?.only(place))
            });
            open.push(text.and_then(|text| Description::parse(&text).ok()));
        }
        let places: Vec<Place<'_>> = (self.list.iter().zip(&open))
            .filter_map(|(slot, open)| match open {
                Some(open) => Some(Place::Open(open)),
                None => slot.closed.as_ref().map(Place::Closed),
            })
            .collect();
        let Some(base) = last.as_ref().or_else(|| open.iter().flatten().next()) else {
            return String::new();
        };
        let version = base.origin().1;
        let mut text = base.join(version, &places);
        if self.text.as_ref().is_some_and(|old| *old != text) {
            text = base.join(version.wrapping_add(1), &places);
        }
        self.text = Some(text.clone());
        text
    }
}
