//! Offers of participants inside a session: what they change, what they end, which files they add.
//!
//! A file that is added is offered to everybody else; the request is answered when somebody takes it, or
//! nobody does.
//!
//! # Spec
//! RFC 3264 s.8; RFC 5547 s.8.1, s.8.2; AMB-77.

use msrp_control::Command;

use crate::focus::conference::delivering::Purpose;
use crate::focus::conference::{Conference, Env};
use crate::focus::desk::Step;
use crate::focus::media::{PeerDescription, Remote, offer_again};
use crate::focus::participant::Reoffer;
use crate::focus::refusal::Refusal;
use crate::focus::session_timer::Agreement;
use crate::focus::slots::{Leg, LineId};
use crate::limits::{ADDING_NS_MAX, FILES_MAX};
use crate::ua::{Method, TxnId};

/// Why an offer cannot be taken now.
#[derive(Debug)]
pub(super) enum Untaken {
    /// It cannot be served.
    Refused(Refusal),
    /// Another offer is under way: 491.
    Crossing,
}

/// What an offer inside a session does with the lines.
#[derive(Debug, Default)]
pub(super) struct Plan {
    closes: Vec<LineId>,
    adds: Vec<usize>,
}

impl Conference {
    /// What an offer of a participant does.
    ///
    /// # Errors
    /// [`Untaken`]; nothing is done then.
    pub(super) fn plan(
        &self,
        key: u64,
        offer: &PeerDescription,
        method: &Method,
    ) -> Result<Plan, Untaken> {
        let Some(participant) = self.participants.get(&key) else {
            return Err(Untaken::Crossing);
        };
        let slots = &participant.slots;
        if offer.count() < slots.agreed_count() {
            let text = "The offer lacks m= lines that the session has.";
            return Err(Untaken::Refused(Refusal::NotAcceptable(text.into())));
        }
        let mut plan = Plan::default();
        for place in 0..offer.count() {
            match (slots.leg_at(place), offer.at(place)) {
                (Some(leg), _) if leg.is_offered => {
                    if !offer.is_closed(place) {
                        return Err(Untaken::Crossing);
                    }
                }
                (Some(leg), Some(remote)) => {
                    let check = self.check_wrapper(leg.line, remote);
                    check.map_err(Untaken::Refused)?;
                    if self.is_another_file(key, leg, remote) {
                        plan.closes.push(leg.line);
                        plan.adds.push(place);
                    }
                }
                (Some(leg), None) => {
                    self.check_closing(leg, offer.is_closed(place))?;
                    plan.closes.push(leg.line);
                }
                (None, Some(remote)) if remote.is_of_file() && *method == Method::Invite => {
                    plan.adds.push(place);
                }
                (None, _) => {}
            }
        }
        self.bound(&mut plan)?;
        Ok(plan)
    }

    /// Only files end by port 0. A session in which people talk ends by BYE.
    fn check_closing(&self, leg: &Leg, is_closed: bool) -> Result<(), Untaken> {
        if is_closed && self.is_file(leg.line) {
            return Ok(());
        }
        let text = "The offer has no message media for a session that goes on.";
        Err(Untaken::Refused(Refusal::NotAcceptable(text.into())))
    }

    /// Keeps as many new files as there may be at once. While others are asked whether they take a file,
    /// no further one is asked about.
    fn bound(&self, plan: &mut Plan) -> Result<(), Untaken> {
        let is_adding = |reoffer: &Reoffer| !reoffer.adds.is_empty();
        let mut reoffers = self
            .participants
            .values()
            .filter_map(|p| p.reoffer.as_ref());
        if !plan.adds.is_empty() && reoffers.any(is_adding) {
            return Err(Untaken::Crossing);
        }
        let open = self.files_count().saturating_sub(plan.closes.len());
        let most = if self.is_large() || self.is_serving {
            0
        } else {
            FILES_MAX.saturating_sub(open)
        };
        plan.adds.truncate(most);
        Ok(())
    }

    /// Whether the owner of a file starts another transfer in its place.
    ///
    /// # Spec
    /// RFC 5547 s.8.1.
    fn is_another_file(&self, key: u64, leg: &Leg, remote: &Remote) -> bool {
        let is_owner = self.lines.get(&leg.line).is_some_and(|l| l.owner == key);
        let old = leg.remote.as_ref().and_then(Remote::transfer_id);
        is_owner && self.is_file(leg.line) && remote.is_of_file() && old != remote.transfer_id()
    }

    /// Does what an offer says. Its answer follows when others have said whether they take what it adds.
    pub(super) fn carry_out(
        &mut self,
        key: u64,
        plan: Plan,
        (transaction, agreement): (TxnId, Agreement),
        offer: PeerDescription,
        env: &mut Env<'_>,
    ) {
        for line in plan.closes {
            self.close_for(key, line, env);
        }
        let mut adds = Vec::new();
        for (place, closed) in offer.closed().enumerate() {
            let remote = offer.at(place).filter(|_| plan.adds.contains(&place));
            let leg = remote.map(|remote| {
                let line = self.open_line(Some(Purpose::File), remote, key, env);
                adds.push((line, remote));
                Leg::of_peer(line, Some(remote))
            });
            if let Some(participant) = self.participants.get_mut(&key) {
                participant.slots.set(place, closed.clone(), leg);
            }
        }
        for (line, remote) in &adds {
            self.offer_line((key, *line), &remote.for_invitees(), env);
        }
        let adds: Vec<LineId> = adds.into_iter().map(|(line, _)| line).collect();
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.reoffer = Some(Reoffer {
                transaction,
                agreement,
                offer: Some(offer),
                adds,
                decides_ns: Some(env.now.saturating_add(ADDING_NS_MAX)),
            });
        }
        self.settle(env);
    }

    /// Asks the engine about all lines of an offer, or for an offer of ours.
    pub(super) fn ask_reoffer(&mut self, key: u64, env: &mut Env<'_>) {
        let reoffer = self.participants.get_mut(&key);
        let Some(reoffer) = reoffer.and_then(|p| p.reoffer.as_mut()) else {
            return;
        };
        reoffer.decides_ns = None;
        let adds = reoffer.adds.clone();
        for line in &adds {
            if self
                .lines
                .get(line)
                .is_some_and(|l| l.accepted_types.is_none())
            {
                self.drop_line(*line, env);
            }
        }
        let Some(participant) = self.participants.get(&key) else {
            return;
        };
        let agreed = participant.slots.legs().filter(|leg| !leg.is_offered);
        let lines: Vec<LineId> = agreed.map(|leg| leg.line).collect();
        let mut commands = Vec::new();
        for line in lines {
            let command = if adds.contains(&line) {
                self.entering(key, line, env)
            } else {
                self.reoffering(key, line)
            };
            commands.extend(command.map(|command| (line, command)));
        }
        if commands.is_empty() {
            return self.on_reoffered(key, Ok(()), env);
        }
        self.ask(key, Step::Reoffer, commands, env);
    }

    /// What takes a new offer of a leg that there is, or has one made.
    fn reoffering(&self, key: u64, line: LineId) -> Option<Command> {
        let participant = self.participants.get(&key)?;
        let slots = &participant.slots;
        let place =
            (0..slots.count()).find(|at| slots.leg_at(*at).is_some_and(|l| l.line == line))?;
        let offer = participant.reoffer.as_ref()?.offer.as_ref();
        let remote = match offer {
            Some(offer) => Some(offer.at(place)?),
            None => None,
        };
        let (media, local) = offer_again(remote, &slots.leg(line)?.terms);
        Some(Command::Reoffer {
            room: self.lines.get(&line)?.room.clone(),
            participant: participant.id.clone(),
            media,
            local,
        })
    }
}
