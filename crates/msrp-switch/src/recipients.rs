//! Who gets a message: decided once, from its CPIM headers, before the first octet leaves.

use std::collections::BTreeSet;

use msrp_session::Arena;
use msrp_wire::{ContentType, Identity, StatusCode, cpim};

use crate::final_report::{ReportLeg, Status};
use crate::kind::Kind;
use crate::leg::{Leg, LegKey};
use crate::limits::NAMED_RECIPIENTS_MAX;
use crate::refused::Refused;
use crate::room::{Addressing, Room};
use crate::wrapper::Wrapper;

/// The decision.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Recipients {
    /// Who gets it.
    pub(crate) to: Vec<LegKey>,
    /// Addressed legs that cannot take it by type or direction, or take no private messages.
    pub(crate) unfit_count: usize,
    /// Addressed legs that cannot take it by size.
    pub(crate) oversize_count: usize,
    /// The smallest max-size among `to`.
    pub(crate) smallest_max_size: Option<u64>,
    /// Who is addressed and has not joined, in a room that delivers messages.
    pub(crate) late: Vec<LegKey>,
    /// Everybody addressed but the sender, when the sender asks for a final report.
    pub(crate) report: Option<Vec<ReportLeg>>,
}

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a, 'b> {
    pub(crate) sender: LegKey,
    pub(crate) wrapper: &'a Wrapper<'b>,
    /// The announced size of the message.
    pub(crate) total: Option<u64>,
    pub(crate) kind: Option<Kind>,
    /// What the sender is told when nobody whom it names takes private messages.
    pub(crate) private_refusal: Refused,
}

/// Decides from the wrapper.
///
/// The sender's From is checked first; nothing else is looked at for a false one.
///
/// # Errors
/// [`Refused::FromNotSender`], [`Refused::NoSuchRecipient`], [`Refused::NoPrivateMessages`],
/// [`Refused::TooManyRecipients`], and the question's own refusal.
///
/// # Spec
/// UPS-7.2.3.1-04, UPS-7.2.3.3-01 to -09; PM-7.2.3.4-02, -04; AMB-25, AMB-26, AMB-29 to AMB-31.
pub(crate) fn decide(
    room: &Room,
    legs: &Arena<Leg>,
    question: &Question<'_, '_>,
) -> Result<Recipients, Refused> {
    let Question {
        sender, wrapper, ..
    } = *question;
    check_from(room, legs, sender, &wrapper.cpim)?;
    let named = named(room, &wrapper.cpim)?;
    if named.is_some() && !legs.get(sender.0).is_some_and(|leg| leg.may_send_private) {
        return Err(Refused::NoPrivateMessages);
    }
    let mut recipients = Recipients {
        report: wrapper.asks_for_final_report().then(Vec::new),
        ..Recipients::default()
    };
    let mut is_anybody_named = false;
    let (mut takers, mut others) = (0_usize, 0_usize);
    for &key in &room.legs {
        let Some(leg) = legs
            .get(key.0)
            .filter(|leg| is_addressed(leg, named.as_deref()))
        else {
            continue;
        };
        is_anybody_named |= leg.is_joined || key == sender;
        if key == sender {
            continue;
        }
        if !leg.is_joined {
            if is_waited_for(room, leg) {
                recipients.wait_for(key, leg);
            }
            continue;
        }
        if named.is_some() && !leg.takes_private() {
            others = others.saturating_add(1);
            recipients.withhold_private(leg, question.private_refusal);
        } else {
            takers = takers.saturating_add(1);
            recipients.add(key, leg, question);
        }
    }
    if named.is_some() && !is_anybody_named {
        return Err(Refused::NoSuchRecipient);
    }
    if others > 0 && takers == 0 {
        return Err(question.private_refusal);
    }
    match (recipients.report.as_mut(), named.as_deref()) {
        (Some(report), Some(named)) => {
            add_unknown(report, room, legs, (sender, named), &wrapper.cpim);
        }
        (Some(report), None) => report.extend(
            room.excused
                .iter()
                .map(|(uri, status)| ReportLeg::withheld(uri, Status::Code(*status))),
        ),
        (None, _) => {}
    }
    Ok(recipients)
}

/// Decides without a wrapper: the message is for everybody, and nobody is told what became of it.
///
/// # Spec
/// AMB-47.
pub(crate) fn everybody(
    room: &Room,
    legs: &Arena<Leg>,
    sender: LegKey,
    content_type: &ContentType<'_>,
    total: Option<u64>,
) -> Recipients {
    let mut recipients = Recipients::default();
    let others = room.legs.iter().filter(|key| **key != sender);
    for (key, leg) in others.filter_map(|key| Some((*key, legs.get(key.0)?))) {
        if is_waited_for(room, leg) {
            recipients.late.push(key);
        } else if leg.is_joined {
            let fitness = fitness(leg, leg.acceptance.takes_bare(content_type), total);
            recipients.place(key, leg, fitness);
        }
    }
    recipients
}

/// Whether a message is kept for a participant: one that has not joined a room that delivers, and that was
/// not asked to do nothing but send.
fn is_waited_for(room: &Room, leg: &Leg) -> bool {
    room.delivery.is_some() && !leg.is_joined && leg.may_receive
}

/// Whether a participant that may take content of this type gets a message.
#[inline]
pub(crate) fn fitness(leg: &Leg, takes_type: bool, total: Option<u64>) -> Result<(), Status> {
    if !leg.may_receive || !takes_type {
        return Err(Status::Code(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    match (total, leg.acceptance.max_size) {
        (Some(total), Some(max)) if total > max => Err(Status::TooLarge(max)),
        _ => Ok(()),
    }
}

/// Appends the named addresses that nobody here has, each once.
///
/// # Spec
/// FR-5.7.3-17.
fn add_unknown(
    report: &mut Vec<ReportLeg>,
    room: &Room,
    legs: &Arena<Leg>,
    (sender, named): (LegKey, &[Identity]),
    wrapper: &cpim::Parsed<'_>,
) {
    let known: BTreeSet<&Identity> = room
        .legs
        .iter()
        .filter_map(|key| {
            legs.get(key.0)
                .filter(|leg| leg.is_joined || *key == sender)
        })
        .filter(|leg| is_addressed(leg, Some(named)))
        .flat_map(Leg::names)
        .collect();
    let (mut seen, mut unreadable) = (BTreeSet::new(), BTreeSet::new());
    for mbox in wrapper.to.iter().chain(&wrapper.cc) {
        let is_new = match Identity::parse(mbox.uri) {
            Ok(identity) => !known.contains(&identity) && seen.insert(identity),
            Err(_) => unreadable.insert(mbox.uri),
        };
        if is_new {
            report.push(ReportLeg::unknown(mbox.uri));
        }
    }
}

/// # Spec
/// AMB-26.
fn check_from(
    room: &Room,
    legs: &Arena<Leg>,
    sender: LegKey,
    wrapper: &cpim::Parsed<'_>,
) -> Result<(), Refused> {
    let from = Identity::parse(wrapper.from.uri).map_err(|_| Refused::FromNotSender)?;
    let is_used_by_others = || {
        let mut others = room.legs.iter().filter(|key| **key != sender);
        others.any(|key| legs.get(key.0).is_some_and(|leg| leg.is(&from)))
    };
    let is_own = legs
        .get(sender.0)
        .is_some_and(|leg| leg.names().contains(&from) || (leg.is(&from) && !is_used_by_others()));
    if is_own {
        Ok(())
    } else {
        Err(Refused::FromNotSender)
    }
}

/// The named recipients of a private message, sorted; `None` for a message to the room.
fn named(room: &Room, wrapper: &cpim::Parsed<'_>) -> Result<Option<Vec<Identity>>, Refused> {
    let addresses = wrapper.to.iter().chain(&wrapper.cc);
    if room.addressing == Addressing::Rfc7701 && addresses.clone().count() > 1 {
        return Err(Refused::TooManyRecipients);
    }
    let mut named = Vec::new();
    for mbox in addresses {
        // An address that cannot be read belongs to nobody.
        let Ok(identity) = Identity::parse(mbox.uri) else {
            continue;
        };
        if room.is(&identity) {
            return Ok(None);
        }
        if named.len() >= NAMED_RECIPIENTS_MAX {
            return Err(Refused::TooManyRecipients);
        }
        named.push(identity);
    }
    if room.private_messages {
        named.sort_unstable();
        Ok(Some(named))
    } else {
        Err(Refused::NoPrivateMessages)
    }
}

fn is_addressed(leg: &Leg, named: Option<&[Identity]>) -> bool {
    named.is_none_or(|named| {
        let mut names = leg.names().iter();
        names.any(|identity| named.binary_search(identity).is_ok())
    })
}

impl Recipients {
    /// A participant that is named and takes no private messages.
    ///
    /// # Spec
    /// AMB-30, AMB-31; MSRP-7701-6.2-05.
    fn withhold_private(&mut self, leg: &Leg, refusal: Refused) {
        self.unfit_count = self.unfit_count.saturating_add(1);
        if let Some(report) = &mut self.report {
            let status = Status::Code(refusal.status());
            report.push(ReportLeg::withheld(&leg.entity, status));
        }
    }

    fn add(&mut self, key: LegKey, leg: &Leg, question: &Question<'_, '_>) {
        let (inner, total) = (question.wrapper.inner.as_ref(), question.total);
        let has_refused = question
            .kind
            .is_some_and(|kind| leg.refused_kinds.contains(kind));
        let takes_type = leg.acceptance.takes(inner) && !has_refused;
        if takes_type && leg.may_receive && total.is_none_or(|total| leg.acceptance.fits(total)) {
            self.give(key, leg);
        } else {
            self.place(key, leg, fitness(leg, takes_type, total));
        }
    }

    /// The usual case of [`Recipients::place`].
    fn give(&mut self, key: LegKey, leg: &Leg) {
        self.smallest_max_size = smaller(self.smallest_max_size, leg.acceptance.max_size);
        self.to.push(key);
        if let Some(report) = &mut self.report {
            report.push(ReportLeg::open(key, &leg.entity));
        }
    }

    fn place(&mut self, key: LegKey, leg: &Leg, fitness: Result<(), Status>) {
        match fitness {
            Err(Status::Code(_)) => self.unfit_count = self.unfit_count.saturating_add(1),
            Err(Status::TooLarge(_)) => {
                self.oversize_count = self.oversize_count.saturating_add(1);
            }
            Ok(()) => return self.give(key, leg),
        }
        if let (Some(report), Err(status)) = (&mut self.report, fitness) {
            report.push(ReportLeg::withheld(&leg.entity, status));
        }
    }

    /// A participant that has not joined: what it takes is not known.
    fn wait_for(&mut self, key: LegKey, leg: &Leg) {
        self.late.push(key);
        if let Some(report) = &mut self.report {
            report.push(ReportLeg::open(key, &leg.entity));
        }
    }
}

/// The smaller of two limits of which each may be absent.
pub(crate) fn smaller(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}
