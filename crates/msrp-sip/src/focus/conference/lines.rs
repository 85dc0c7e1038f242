//! The lines of a conference: what its participants have side by side in one dialog. In the first one
//! people talk, or something is delivered; each further one is a file. Each is a room of the engine, and
//! each participant has a leg on those that it took.
//!
//! ```text
//!   offered --somebody takes it--> taken --its owner closes it or goes--> ending --all have it--> gone
//!      `--nobody does--> gone
//! ```
//! The engine is asked about every leg by itself. Where one answer of ours is about several legs, it is
//! gathered from theirs.
//!
//! # Spec
//! RFC 5547 s.8; AMB-77.

use std::collections::BTreeMap;

use msrp_control::{Command, ControlError, EndReason, ErrorCode, ParticipantId, Reply, RoomId};

use crate::focus::conference::delivering::Purpose;
use crate::focus::conference::{Conference, Env};
use crate::focus::desk::{Asked, Step};
use crate::focus::media::Remote;
use crate::focus::participant::{Gathering, Participant, State};
use crate::focus::slots::LineId;
use crate::ua::Headers;

/// One line of a conference.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its room.
    pub(super) room: RoomId,
    /// What it delivers; `None` where people talk.
    pub(super) purpose: Option<Purpose>,
    /// Whether content comes without a wrapper.
    pub(super) takes_bare: bool,
    /// Who offered it.
    pub(super) owner: u64,
    /// The types of whoever took it first.
    pub(super) accepted_types: Option<Vec<String>>,
    /// Whether the engine has its room.
    pub(super) runs: bool,
    /// Nothing more comes: those who are left leave it when they have everything.
    pub(super) is_ending: bool,
}

/// The lines of a conference; the first one is there as long as the conference.
pub(super) type Lines = BTreeMap<LineId, Line>;

/// The line in which people talk, or the first that delivers.
pub(super) const MAIN: LineId = 0;

impl Conference {
    /// Opens a line with a room of its own.
    pub(super) fn open_line(
        &mut self,
        purpose: Option<Purpose>,
        remote: &Remote,
        owner: u64,
        env: &mut Env<'_>,
    ) -> LineId {
        let line = self.next_line;
        self.next_line = self.next_line.wrapping_add(1);
        let room = room_of_line(&self.room, line);
        let config = self.room_config(purpose.is_some(), env.policy);
        let asked = if line == MAIN {
            Asked::Create(room.clone())
        } else {
            Asked::Forget
        };
        let command = Command::CreateRoom {
            room: room.clone(),
            config,
        };
        env.desk.command(asked, command);
        // AMB-47: content without a wrapper is relayed only when the sender's offer has no wrapper.
        let takes_bare = purpose.is_some() && !remote.takes_wrapped();
        self.lines.insert(
            line,
            Line {
                room,
                purpose,
                takes_bare,
                owner,
                accepted_types: None,
                runs: true,
                is_ending: false,
            },
        );
        self.set_delivery(line, env);
        line
    }

    /// How many files there are at once.
    pub(super) fn files_count(&self) -> usize {
        let is_file = |line: &&Line| line.purpose == Some(Purpose::File);
        self.lines.values().filter(is_file).count()
    }

    /// Whether people talk on this line.
    pub(super) fn is_talk(&self, line: LineId) -> bool {
        self.lines
            .get(&line)
            .is_some_and(|line| line.purpose.is_none())
    }

    /// Whether somebody took a line.
    pub(super) fn is_taken(&self) -> bool {
        self.lines
            .values()
            .any(|line| line.accepted_types.is_some())
    }

    /// Whether it is known if anybody takes a line.
    pub(super) fn is_decided(&self, id: LineId) -> bool {
        let Some(line) = self.lines.get(&id) else {
            return true;
        };
        let has_leg =
            |(key, p): (&u64, &Participant)| *key != line.owner && p.slots.leg(id).is_some();
        line.accepted_types.is_some() || !self.participants.iter().any(has_leg)
    }

    /// Somebody took a line.
    pub(super) fn note_taken(&mut self, key: u64, id: LineId) {
        let leg = self.participants.get(&key).and_then(|p| p.slots.leg(id));
        let remote = leg.and_then(|leg| leg.remote.as_ref());
        if let (Some(remote), Some(line)) = (remote, self.lines.get_mut(&id)) {
            let types = &remote.media.accept_types;
            line.accepted_types.get_or_insert_with(|| types.clone());
        }
    }

    /// Has the engine do the same step for several legs.
    pub(super) fn ask(
        &mut self,
        key: u64,
        step: Step,
        commands: Vec<(LineId, Command)>,
        env: &mut Env<'_>,
    ) {
        let seat = self.seat(key);
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.asked = Some(Gathering {
                step,
                left: commands.len(),
                error: None,
            });
        }
        for (line, command) in commands {
            env.desk
                .command(Asked::Leg(seat.clone(), step, line), command);
        }
    }

    /// The engine's answer about a leg.
    pub(crate) fn on_leg(
        &mut self,
        (key, line): (u64, LineId),
        step: Step,
        result: Result<Reply, ControlError>,
        env: &mut Env<'_>,
    ) {
        match step {
            Step::Serve => self.on_served((key, line), &result, env),
            Step::Extend => self.on_extended((key, line), result, env),
            Step::Change => self.on_changed((key, line), &result, env),
            Step::Offer | Step::Hide | Step::Accept | Step::Enter | Step::Reoffer => {
                if let Some(result) = self.gather((key, line), step, result, env) {
                    self.on_gathered(key, step, result, env);
                }
            }
        }
        self.settle(env);
    }

    fn on_gathered(
        &mut self,
        key: u64,
        step: Step,
        result: Result<(), ControlError>,
        env: &mut Env<'_>,
    ) {
        match step {
            Step::Offer => self.on_offer(key, result, env),
            Step::Hide => self.on_hidden(key, result, env),
            Step::Accept => self.on_accepted(key, result, env),
            Step::Enter => self.on_entered(key, result, env),
            Step::Reoffer => self.on_reoffered(key, result, env),
            Step::Serve | Step::Extend | Step::Change => {}
        }
    }

    /// Keeps one answer; gives the result when it was the last one.
    fn gather(
        &mut self,
        (key, line): (u64, LineId),
        step: Step,
        result: Result<Reply, ControlError>,
        env: &mut Env<'_>,
    ) -> Option<Result<(), ControlError>> {
        let wants_sdp = matches!(step, Step::Offer | Step::Enter | Step::Reoffer);
        let participant = self.participants.get_mut(&key)?;
        let is_added = (participant.reoffer.as_ref()).is_some_and(|r| r.adds.contains(&line));
        let mut fault = None;
        match result {
            Ok(Reply::Sdp(sdp)) if wants_sdp => participant.slots.take(line, sdp),
            Ok(Reply::Done) if !wants_sdp => {}
            Ok(_) => fault = Some(ControlError::new(ErrorCode::Unavailable, "no description")),
            Err(error) => {
                let is_new = matches!(step, Step::Offer | Step::Enter) || is_added;
                if let Some(leg) = participant.slots.leg_mut(line).filter(|_| is_new) {
                    leg.is_in_room = false;
                }
                fault = Some(error);
            }
        }
        if fault.is_some() && step == Step::Reoffer && is_added {
            // What was there before goes on without the file.
            fault = None;
            self.drop_line(line, env);
        }
        let participant = self.participants.get_mut(&key)?;
        let asked = participant.asked.as_mut().filter(|a| a.step == step)?;
        asked.left = asked.left.saturating_sub(1);
        asked.error = asked.error.take().or(fault);
        if asked.left > 0 {
            return None;
        }
        let asked = participant.asked.take()?;
        Some(asked.error.map_or(Ok(()), Err))
    }

    /// Takes a participant off a line. Until then it was there, or was never asked.
    pub(super) fn leave_line(&mut self, key: u64, line: LineId, env: &mut Env<'_>) {
        self.take_off(key, line, None, env);
    }

    /// A participant refuses a line that it was offered. The sender's report names it with this status.
    ///
    /// # Spec
    /// FR-5.7.3-17.
    pub(super) fn refuse_line(&mut self, key: u64, line: LineId, status: u16, env: &mut Env<'_>) {
        self.take_off(key, line, Some(status), env);
    }

    fn take_off(&mut self, key: u64, id: LineId, absence: Option<u16>, env: &mut Env<'_>) {
        let Some(participant) = self.participants.get_mut(&key) else {
            return;
        };
        let Some(leg) = participant.slots.close(id) else {
            return;
        };
        let participant_id = participant.id.clone();
        let line = self.lines.get(&id).filter(|line| line.runs);
        if let Some(line) = line.filter(|_| leg.is_in_room) {
            let command = farewell(line, participant_id, absence);
            env.desk.command(Asked::Forget, command);
        }
        self.tidy_lines(env);
    }

    /// Closes a line at once, for everybody on it.
    pub(super) fn drop_line(&mut self, id: LineId, env: &mut Env<'_>) {
        for key in self.on_line(id) {
            self.leave_line(key, id, env);
            self.offer_soon(key, env);
        }
        self.tidy_lines(env);
    }

    /// The owner of a line sends nothing more on it. Whoever has a leg on it keeps that until everything
    /// has arrived.
    pub(super) fn end_line(&mut self, id: LineId, env: &mut Env<'_>) {
        let Some(line) = self.lines.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut line.is_ending, true) {
            return;
        }
        for key in self.on_line(id) {
            let leg = self.participants.get(&key).and_then(|p| p.slots.leg(id));
            if leg.is_some_and(|leg| leg.is_offered) {
                self.leave_line(key, id, env);
                self.offer_soon(key, env);
            } else {
                self.ask_served(key, id, env);
            }
        }
        self.tidy_lines(env);
    }

    /// Ends the files of an owner that has gone from a conference that goes on.
    pub(super) fn end_lines_of(&mut self, owner: u64, env: &mut Env<'_>) {
        // What a sender leaves behind in a conference of its own is served first.
        if self.is_closing || (self.is_delivery() && owner == self.originator) {
            return;
        }
        let of_owner = |(id, line): (&LineId, &Line)| {
            (line.owner == owner && line.purpose.is_some()).then_some(*id)
        };
        let ids: Vec<LineId> = self.lines.iter().filter_map(of_owner).collect();
        for id in ids {
            self.end_line(id, env);
        }
    }

    /// Closes the rooms of files that nobody is on any more.
    pub(super) fn tidy_lines(&mut self, env: &mut Env<'_>) {
        let is_left = |id: &LineId| {
            *id != MAIN
                && !self
                    .participants
                    .values()
                    .any(|p| p.slots.leg(*id).is_some())
        };
        let ids: Vec<LineId> = self.lines.keys().copied().filter(is_left).collect();
        for id in ids {
            if let Some(line) = self.lines.remove(&id).filter(|line| line.runs) {
                let command = Command::CloseRoom { room: line.room };
                env.desk.command(Asked::Forget, command);
            }
        }
    }

    /// The keys of all who have a leg on a line.
    pub(super) fn on_line(&self, id: LineId) -> Vec<u64> {
        let has_leg = |(key, p): (&u64, &Participant)| p.slots.leg(id).map(|_| *key);
        self.participants.iter().filter_map(has_leg).collect()
    }

    /// Whether a participant takes part without this leg.
    pub(super) fn outlives(&self, key: u64, line: LineId) -> bool {
        self.participants.get(&key).is_some_and(|p| {
            let has_other = p.slots.legs().any(|leg| leg.line != line);
            matches!(p.state, State::Joined { .. }) && has_other && !self.is_talk(line)
        })
    }

    /// The engine lost a leg, or another controller took it away. When the participant has others, they go
    /// on; whether that is so.
    pub(super) fn lose_leg(&mut self, key: u64, line: LineId, env: &mut Env<'_>) -> bool {
        let leg = self.participants.get_mut(&key);
        let Some(leg) = leg.and_then(|p| p.slots.leg_mut(line)) else {
            return true;
        };
        leg.is_in_room = false;
        if !self.outlives(key, line) {
            return false;
        }
        tracing::info!(room = %self.room, line, "file ended for a participant");
        let is_owner = self.lines.get(&line).is_some_and(|l| l.owner == key);
        self.leave_line(key, line, env);
        self.offer_soon(key, env);
        if is_owner {
            self.end_line(line, env);
        }
        true
    }

    /// The engine lost the room of a line.
    pub(crate) fn on_line_lost(&mut self, id: LineId, reason: EndReason, env: &mut Env<'_>) {
        if id == MAIN {
            return self.on_room_lost(reason, env);
        }
        if let Some(line) = self.lines.get_mut(&id) {
            line.runs = false;
        }
        for key in self.on_line(id) {
            if !self.lose_leg(key, id, env) {
                let refusal = crate::focus::refusal::Refusal::Engine(ErrorCode::Unavailable);
                self.dismiss(key, &refusal, Headers::new(), env);
            }
        }
        self.settle(env);
    }

    /// The participant of this name.
    pub(super) fn key_of(&self, id: &ParticipantId) -> Option<u64> {
        let found = self.participants.iter().find(|(_, p)| p.id == *id);
        found.map(|(key, _)| *key)
    }
}

/// How the engine is told that somebody has gone from a line.
///
/// # Spec
/// FR-5.7.3-17.
pub(super) fn farewell(line: &Line, participant: ParticipantId, absence: Option<u16>) -> Command {
    let room = line.room.clone();
    match absence.filter(|_| line.purpose.is_some()) {
        Some(status) => Command::ExcuseParticipant {
            room,
            participant,
            status,
        },
        None => Command::RemoveParticipant { room, participant },
    }
}

/// The room of a line.
#[expect(
    clippy::expect_used,
    reason = "the name is made here of legal characters"
)]
fn room_of_line(conference: &RoomId, line: LineId) -> RoomId {
    if line == MAIN {
        return conference.clone();
    }
    RoomId::new(&format!("{conference}{LINE_MARK}{line}")).expect("a name and digits are legal")
}

/// The conference that a room is a line of, and which.
pub(crate) fn line_of_room(room: &RoomId) -> (RoomId, LineId) {
    let main = || (room.clone(), MAIN);
    let Some((name, line)) = room.as_str().split_once(LINE_MARK) else {
        return main();
    };
    match (RoomId::new(name), line.parse()) {
        (Ok(conference), Ok(line)) => (conference, line),
        _ => main(),
    }
}

/// Stands between the name of a conference and the number of a line.
const LINE_MARK: char = '.';
