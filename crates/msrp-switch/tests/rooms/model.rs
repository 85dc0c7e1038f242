//! Random rooms and random traffic against a plain model.
//!
//! The model knows nothing of pieces, buffers or turns. It knows messages as a whole: who is to get
//! one, who is not, what becomes of each copy, and what the sender is told for each chunk.

mod plan;
mod run;

use std::collections::{BTreeMap, VecDeque};

use msrp_switch::{Addressing, Outcome};
use msrp_wire::{ContinuationFlag, FailureReport, SuccessReport};
use proptest::prelude::*;

use crate::harness::*;
use plan::{Announced, Ending, Form, From, GuestPlan, MessagePlan, Takes, To};
pub(crate) use plan::{Plan, plan};
use run::Run;

/// What the model knows of a guest.
struct Guest {
    plan: GuestPlan,
    is_joined: bool,
    is_here: bool,
    open: Open,
    /// Octets that are still to be read from it, and the message that they belong to.
    wire: Vec<u8>,
    speaking: usize,
    /// Pieces that were looked at.
    pieces_seen: usize,
    pieces_at_leave: Option<usize>,
}

/// The chunk that a guest is sending.
#[derive(Clone, Copy)]
enum Open {
    No,
    WithoutMessage,
    Dropped(usize),
    Of { message: usize, position: usize },
}

/// What the model knows of a message.
struct Message {
    plan: MessagePlan,
    body: Vec<u8>,
    /// Octets of the CPIM headers, and of these and the MIME headers.
    cpim_octets: usize,
    head_octets: usize,
    chunks: VecDeque<(usize, usize, ContinuationFlag)>,
    state: State,
    arrived: Vec<bool>,
    accepted_octets: usize,
    total: Option<usize>,
    copies: BTreeMap<Who, Copy>,
    oversize: usize,
    fitting: usize,
    refused_by: usize,
    is_lost: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    /// The switch does not know the id.
    Unknown,
    Gathering,
    Relaying,
    Refused(u16),
}

struct Copy {
    outcome: Option<Outcome>,
    /// Whether the switch itself keeps the rest from a recipient that has room for no more.
    is_withheld: bool,
    pieces: usize,
    octets: usize,
    pieces_at_end: Option<usize>,
}

/// Octets of a wrapper, and of what is kept while it is not complete.
const GATHERED_OCTETS_MAX: usize = 16_384;

struct Model {
    room_max: usize,
    private_messages: bool,
    addressing: Addressing,
    says_428: bool,
    guests: Vec<Guest>,
    messages: Vec<Message>,
    expected: Vec<(Who, u16, bool)>,
    expected_reports: Vec<(Who, String, usize, u16)>,
    opened: u64,
    outcomes: BTreeMap<&'static str, u64>,
}

fn name_of(name: usize) -> String {
    format!("user{name}")
}

fn alias_of(who: Who) -> String {
    format!("sip:anonymous{who}@anonymous.invalid")
}

impl Message {
    fn new(index: usize, plan: &MessagePlan, guests: &[GuestPlan]) -> Self {
        let mut plan = plan.clone();
        plan.sender %= guests.len();
        let sender = &guests[plan.sender];
        let from = match plan.from {
            From::Sender if sender.is_hidden => alias_of(plan.sender),
            From::Sender => address(&name_of(sender.name)),
            From::Name(name) => address(&name_of(name)),
        };
        let mut head = format!("Subject: m{index:02}\r\n");
        match plan.form {
            Form::Good | Form::NotCpim => {
                head += &format!("From: <{from}>\r\n");
            }
            Form::Malformed => head += "this is no header\r\n",
            Form::WithoutFrom => {}
        }
        for to in &plan.to {
            let to = match to {
                To::Room => ROOM.to_owned(),
                To::Name(name) => address(&name_of(*name)),
                To::Alias(who) => alias_of(*who),
                To::Nobody => address("nobody"),
            };
            head += &format!("To: <{to}>\r\n");
        }
        head += "\r\n";
        let cpim_octets = head.len();
        let content = if plan.is_image {
            "image/png"
        } else {
            "text/plain"
        };
        head += &format!("Content-Type: {content}\r\n\r\n");
        let head_octets = head.len();
        let mut body = head.into_bytes();
        body.extend((0..=250).cycle().take(plan.octets));
        Self {
            chunks: chunks(&plan, body.len()),
            arrived: vec![false; body.len()],
            body,
            plan,
            cpim_octets,
            head_octets,
            state: State::Unknown,
            accepted_octets: 0,
            total: None,
            copies: BTreeMap::new(),
            oversize: 0,
            fitting: 0,
            refused_by: 0,
            is_lost: false,
        }
    }

    fn announced(&self) -> Option<usize> {
        match self.plan.announced {
            Announced::No => None,
            Announced::Exact => Some(self.body.len()),
            Announced::TooMuch => Some(self.body.len() + 500),
            Announced::TooLittle => Some(self.body.len() / 2),
        }
    }

    /// Octets that arrived from the first on without a hole.
    fn prefix(&self) -> usize {
        self.arrived.iter().take_while(|octet| **octet).count()
    }

    fn end(&self) -> usize {
        let last = self.arrived.iter().rposition(|octet| *octet);
        last.map_or(0, |last| last + 1)
    }

    fn chunk(&mut self) -> Option<Chunk> {
        let (start, end, flag) = self.chunks.pop_front()?;
        let total = if start == 0 { self.announced() } else { None };
        // Senders number their messages themselves, so that ids of two of them may be the same.
        let id = format!("mess{}", self.plan.id);
        let mut chunk = chunk(&id, &self.body, start..end, total, flag).failure(self.plan.failure);
        if self.plan.success {
            chunk.success = SuccessReport::Yes;
        }
        if self.plan.form == Form::NotCpim {
            chunk.content_type = Some("text/plain".to_owned());
        }
        if start == end {
            chunk = chunk.without_body();
        }
        Some(chunk)
    }
}

/// Where the message is cut, and in which order the parts are sent: the first one first.
fn chunks(plan: &MessagePlan, octets: usize) -> VecDeque<(usize, usize, ContinuationFlag)> {
    let mut cuts: Vec<usize> = plan
        .cuts
        .iter()
        .map(|cut| usize::from(*cut) * octets / 65_536)
        .chain([0, octets])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut parts: Vec<_> = cuts.windows(2).map(|cut| (cut[0], cut[1], More)).collect();
    if plan.ending == Ending::Last {
        parts.last_mut().unwrap().2 = Last;
    }
    if plan.is_reversed {
        parts[1..].reverse();
    }
    match plan.ending {
        Ending::Last => {}
        Ending::Abort => {
            let end = parts.last().unwrap().1;
            parts.push((end, end, Abort));
        }
        Ending::Never => {
            if parts.len() > 1 {
                parts.pop();
            }
        }
    }
    parts.into()
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Sent => "sent",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
        Outcome::Aborted => "aborted",
    }
}

impl Model {
    fn respond(&mut self, who: Who, message: Option<usize>, status: u16) {
        let failure = message.map_or(FailureReport::Yes, |m| self.messages[m].plan.failure);
        let is_due = match failure {
            FailureReport::Yes => true,
            FailureReport::Partial => status != 200,
            FailureReport::No => false,
        };
        self.expected.push((who, status, is_due));
    }

    fn count(&mut self, outcome: Outcome, copies: u64) {
        *self.outcomes.entry(name(outcome)).or_default() += copies;
    }

    fn end_copy(&mut self, message: usize, who: Who, outcome: Outcome) -> bool {
        let Some(copy) = self.messages[message].copies.get_mut(&who) else {
            return false;
        };
        if copy.outcome.is_some() {
            return false;
        }
        copy.outcome = Some(outcome);
        if !matches!(outcome, Outcome::Aborted) {
            copy.pieces_at_end = Some(copy.pieces);
        }
        self.count(outcome, 1);
        true
    }

    fn settle(&mut self, message: usize, who: Who, outcome: Outcome) {
        if self.end_copy(message, who, outcome) && outcome == Outcome::Refused {
            self.messages[message].refused_by += 1;
        }
    }

    fn abort_copies(&mut self, message: usize) {
        self.messages[message].is_lost = true;
        for who in 0..self.guests.len() {
            self.end_copy(message, who, Outcome::Aborted);
        }
    }

    fn refuse(&mut self, message: usize, status: u16) {
        let sender = self.messages[message].plan.sender;
        self.respond(sender, Some(message), status);
        self.abort_copies(message);
        self.messages[message].state = State::Refused(status);
        self.guests[sender].open = Open::Dropped(message);
    }

    fn on_head(&mut self, index: usize, start: usize, has_body: bool) {
        let message = &self.messages[index];
        let sender = message.plan.sender;
        let is_given_up = message.fitting > 0 && message.refused_by == message.fitting;
        let verdict = match message.state {
            State::Refused(status) => Err(status),
            State::Relaying if is_given_up => Err(413),
            State::Relaying | State::Gathering => Ok(()),
            State::Unknown if !has_body => {
                self.guests[sender].open = Open::WithoutMessage;
                return;
            }
            State::Unknown => self.admit(index, start),
        };
        match verdict {
            Err(status) => self.refuse(index, status),
            Ok(()) => {
                if self.messages[index].state == State::Unknown {
                    self.messages[index].state = State::Gathering;
                }
                self.guests[sender].open = Open::Of {
                    message: index,
                    position: start,
                };
            }
        }
    }

    fn admit(&self, index: usize, start: usize) -> Result<(), u16> {
        let message = &self.messages[index];
        if !self.guests[message.plan.sender].plan.may_send {
            Err(403)
        } else if message.plan.form == Form::NotCpim {
            Err(415)
        } else if start != 0 {
            Err(400)
        } else if message
            .announced()
            .is_some_and(|total| total > self.room_max)
        {
            Err(413)
        } else {
            Ok(())
        }
    }

    fn on_body(&mut self, who: Who, octets: usize) {
        let Open::Of { message, position } = self.guests[who].open else {
            return;
        };
        let end = position + octets;
        self.guests[who].open = Open::Of {
            message,
            position: end,
        };
        if let Err(status) = self.accept(message, position, end) {
            self.refuse(message, status);
        }
    }

    fn accept(&mut self, index: usize, start: usize, end: usize) -> Result<(), u16> {
        let room_max = self.room_max;
        let message = &mut self.messages[index];
        if end > room_max {
            return Err(413);
        }
        if message.total.is_some_and(|total| end > total) {
            return Err(400);
        }
        // What comes ahead of the wrapper is kept with it up to the bound of a wrapper.
        if message.state == State::Gathering
            && start > message.prefix()
            && message.accepted_octets + end - start > GATHERED_OCTETS_MAX
        {
            return Err(400);
        }
        message.arrived[start..end].fill(true);
        message.accepted_octets += end - start;
        let was_gathering = message.state == State::Gathering;
        if was_gathering {
            self.decide(index, false)?;
        }
        if self.messages[index].state == State::Relaying {
            let end = if was_gathering {
                self.messages[index].end()
            } else {
                end
            };
            self.withhold(index, end);
        }
        Ok(())
    }

    fn withhold(&mut self, index: usize, end: usize) {
        for who in 0..self.guests.len() {
            let is_over = self.guests[who].plan.max_size.is_some_and(|max| end > max);
            if is_over && self.end_copy(index, who, Outcome::Refused) {
                let message = &mut self.messages[index];
                message.copies.get_mut(&who).unwrap().is_withheld = true;
                message.oversize += 1;
                message.fitting -= 1;
            }
        }
    }

    /// Fixes who gets the message, once its headers are there.
    fn decide(&mut self, index: usize, is_whole: bool) -> Result<(), u16> {
        let message = &self.messages[index];
        let (plan, prefix) = (&message.plan, message.prefix());
        if prefix < message.cpim_octets {
            return if is_whole { Err(400) } else { Ok(()) };
        }
        match plan.form {
            Form::Malformed => return Err(400),
            Form::WithoutFrom => return Err(403),
            Form::Good | Form::NotCpim => {}
        }
        if prefix < message.head_octets && !is_whole {
            return Ok(());
        }
        let by = &self.guests[plan.sender].plan;
        let is_own = !by.is_hidden && plan.from == From::Name(by.name);
        if plan.from != From::Sender && !is_own {
            return Err(403);
        }
        if self.addressing == Addressing::Rfc7701 && plan.to.len() > 1 {
            return Err(403);
        }
        let is_image = plan.is_image && prefix >= message.head_octets;
        let (addressed, lacking) = self.addressed(plan)?;
        let (announced, sender) = (message.announced(), plan.sender);
        let mut copies = BTreeMap::new();
        let (mut unfit, mut oversize) = (lacking, 0);
        for who in addressed.into_iter().filter(|who| *who != sender) {
            let guest = &self.guests[who].plan;
            let takes = match guest.takes {
                Takes::Everything => true,
                Takes::Text => !is_image,
                Takes::Images => is_image,
                Takes::NoCpim => false,
            };
            if !takes || !guest.may_receive {
                unfit += 1;
            } else if announced
                .zip(guest.max_size)
                .is_some_and(|(n, max)| n > max)
            {
                oversize += 1;
            } else {
                copies.insert(
                    who,
                    Copy {
                        outcome: None,
                        is_withheld: false,
                        pieces: 0,
                        octets: 0,
                        pieces_at_end: None,
                    },
                );
            }
        }
        self.opened += (copies.len() + unfit + oversize) as u64;
        self.count(Outcome::Refused, (unfit + oversize) as u64);
        let message = &mut self.messages[index];
        message.oversize = oversize;
        message.fitting = copies.len();
        message.copies = copies;
        message.state = State::Relaying;
        Ok(())
    }

    /// Who is in the room and meant by the To lines, and how many are meant and take no private
    /// messages.
    fn addressed(&self, plan: &MessagePlan) -> Result<(Vec<Who>, usize), u16> {
        let is_in = |who: &Who| {
            let guest = &self.guests[*who];
            guest.is_here && (guest.is_joined || *who == plan.sender)
        };
        let all = (0..self.guests.len()).filter(is_in);
        if plan.to.contains(&To::Room) {
            return Ok((all.collect(), 0));
        }
        if !self.private_messages || !self.guests[plan.sender].plan.may_send_private {
            return Err(403);
        }
        let is_named = |who: &Who| {
            let guest = &self.guests[*who].plan;
            let name = if guest.is_hidden {
                To::Alias(*who)
            } else {
                To::Name(guest.name)
            };
            plan.to.contains(&name)
        };
        let named: Vec<Who> = all.filter(is_named).collect();
        if named.is_empty() {
            return Err(404);
        }
        let others = named.iter().filter(|who| **who != plan.sender).count();
        let takes = |who: &Who| {
            let guest = &self.guests[*who].plan;
            *who != plan.sender && (guest.shows_release || guest.declares_private)
        };
        let takers: Vec<Who> = named.into_iter().filter(takes).collect();
        let lacking = others - takers.len();
        if lacking > 0 && takers.is_empty() {
            let is_428 = self.says_428 || self.addressing == Addressing::Rfc7701;
            return Err(if is_428 { 428 } else { 403 });
        }
        Ok((takers, lacking))
    }

    fn on_end(&mut self, who: Who, flag: ContinuationFlag) {
        let speaking = self.guests[who].speaking;
        match std::mem::replace(&mut self.guests[who].open, Open::No) {
            Open::No => {}
            Open::WithoutMessage => self.respond(who, Some(speaking), 200),
            Open::Dropped(message) => {
                if flag != More {
                    self.messages[message].state = State::Unknown;
                }
            }
            Open::Of { message, position } => self.on_end_of(who, message, position, flag),
        }
    }

    fn on_end_of(&mut self, who: Who, index: usize, position: usize, flag: ContinuationFlag) {
        let message = &self.messages[index];
        let shown = (flag == Last).then(|| position.max(message.end()));
        let total = message.total.or(shown);
        let is_over = flag != Abort
            && message.state == State::Gathering
            && total.is_some_and(|total| message.prefix() >= total);
        if is_over && let Err(status) = self.decide(index, true) {
            self.refuse(index, status);
            self.messages[index].state = State::Unknown;
            self.guests[who].open = Open::No;
            return;
        }
        self.respond(who, Some(index), 200);
        if flag == Abort {
            self.abort_copies(index);
            self.messages[index].state = State::Unknown;
            return;
        }
        let message = &mut self.messages[index];
        if flag == Last {
            let total = position.max(message.end());
            message.total.get_or_insert(total);
        }
        if message.total.is_some_and(|total| message.prefix() >= total) {
            self.finish(index);
        }
    }

    fn finish(&mut self, index: usize) {
        let message = &mut self.messages[index];
        message.state = State::Unknown;
        let total = message.total.unwrap();
        let is_for_nobody = message.oversize > 0 && message.fitting == 0;
        let status = if is_for_nobody {
            (message.plan.failure != FailureReport::No).then_some(413)
        } else {
            message.plan.success.then_some(200)
        };
        if let Some(status) = status {
            let id = format!("mess{}", message.plan.id);
            self.expected_reports
                .push((message.plan.sender, id, total, status));
        }
    }

    fn leave(&mut self, who: Who) {
        for index in 0..self.messages.len() {
            let message = &self.messages[index];
            if message.plan.sender == who && message.state != State::Unknown {
                self.abort_copies(index);
                self.messages[index].state = State::Unknown;
            }
        }
        for index in 0..self.messages.len() {
            self.end_copy(index, who, Outcome::Failed);
        }
        self.guests[who].is_here = false;
        self.guests[who].wire.clear();
    }
}

impl Guest {
    fn new(plan: &GuestPlan) -> Self {
        Self {
            plan: plan.clone(),
            is_joined: plan.is_early,
            is_here: true,
            open: Open::No,
            wire: Vec::new(),
            speaking: 0,
            pieces_seen: 0,
            pieces_at_leave: None,
        }
    }
}

/// Runs a plan through the switch and the model side by side.
pub(crate) fn check(plan: &Plan) {
    let mut run = Run::new(plan);
    for step in &plan.steps {
        run.step(*step);
    }
    run.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    // covers: PM-7.2.3.4-02, PM-7.2.3.4-04, MSRP-7701-6.1-06, MSRP-7701-6.2-05, ALIAS-7.2.3.2-13
    // covers: UPS-7.2.3.1-04, UPS-7.2.3.3-06, UPS-7.2.3.3-07, UPS-7.2.3.3-12, UPS-7.2.3.3-13, PM-7.2.3.4-05
    #[test]
    fn random_rooms_do_what_the_model_says(plan in plan()) {
        check(&plan);
    }
}
