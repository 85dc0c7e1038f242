//! The world around a focus under test.

use std::collections::{HashMap, HashSet, VecDeque};

use msrp_control::{Command, ControlError, ErrorCode, Event, Media, ParticipantId, Reply, RoomId};

use crate::address::Uri;
use crate::focus::{CommandId, Focus, Output, Policy};
use crate::groups::{Group, StaticGroups};
use crate::limits::NS_PER_S;
use crate::ua::{
    Answer, Body, DialogEnd, DialogId, Headers, Method, Origin, OutRequest, Peer, Request,
    Response, SipUa, Transport, TxnId, UaEvent,
};

/// Something that the focus sent.
#[derive(Debug, Clone)]
pub(super) enum Sent {
    Answer(TxnId, Answer),
    Invite(DialogId, OutRequest),
    Message(TxnId, OutRequest),
    Cancel(DialogId),
    Request(DialogId, TxnId, Method, Headers, Option<Body>),
    Bye(DialogId, TxnId, Headers),
    Accept(DialogId),
    Forget(DialogId),
}

/// A NOTIFY that the focus sent.
#[derive(Debug, Clone)]
pub(super) struct Notify {
    pub(super) dialog: DialogId,
    pub(super) transaction: TxnId,
    pub(super) headers: Headers,
    pub(super) body: Body,
}

/// A SIP engine that only remembers.
#[derive(Debug, Default)]
struct FakeUa {
    last: u64,
    sent: Vec<Sent>,
}

impl FakeUa {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl SipUa for FakeUa {
    fn answer(&mut self, transaction: TxnId, answer: Answer) {
        self.sent.push(Sent::Answer(transaction, answer));
    }

    fn accept_subscription(&mut self, transaction: TxnId, answer: Answer) -> Option<DialogId> {
        let dialog = DialogId(self.next());
        self.sent.push(Sent::Answer(transaction, answer));
        self.sent.push(Sent::Accept(dialog));
        Some(dialog)
    }

    fn forget(&mut self, dialog: DialogId) {
        self.sent.push(Sent::Forget(dialog));
    }

    fn invite(&mut self, request: OutRequest) -> DialogId {
        let dialog = DialogId(self.next());
        self.sent.push(Sent::Invite(dialog, request));
        dialog
    }

    fn cancel(&mut self, dialog: DialogId) {
        self.sent.push(Sent::Cancel(dialog));
    }

    fn request(
        &mut self,
        dialog: DialogId,
        method: Method,
        headers: Headers,
        body: Option<Body>,
    ) -> TxnId {
        let transaction = TxnId(self.next());
        self.sent
            .push(Sent::Request(dialog, transaction, method, headers, body));
        transaction
    }

    fn send(&mut self, request: OutRequest) -> TxnId {
        let transaction = TxnId(self.next());
        self.sent.push(Sent::Message(transaction, request));
        transaction
    }

    fn bye(&mut self, dialog: DialogId, headers: Headers) -> TxnId {
        let transaction = TxnId(self.next());
        self.sent.push(Sent::Bye(dialog, transaction, headers));
        transaction
    }
}

/// A media engine that keeps the sets of rooms and participants and does what it is told.
#[derive(Debug, Default)]
pub(super) struct FakeEngine {
    pub(super) rooms: HashMap<RoomId, HashSet<ParticipantId>>,
    pub(super) log: Vec<Command>,
    /// Refuses the next command of this name.
    pub(super) fails: HashMap<&'static str, ErrorCode>,
    /// Answers nothing while set.
    pub(super) is_held: bool,
    held: VecDeque<(CommandId, Command)>,
    /// Participants for which something is on its way or kept.
    pub(super) unserved: HashSet<ParticipantId>,
    /// As if everybody were in it.
    pub(super) serves_nobody: bool,
    awaiting: Vec<(CommandId, ParticipantId)>,
}

pub(super) fn name(command: &Command) -> &'static str {
    match command {
        Command::CreateRoom { .. } => "create",
        Command::CloseRoom { .. } => "close",
        Command::AddParticipant {
            media: Media::MakeOffer,
            ..
        } => "offer",
        Command::AddParticipant {
            media: Media::Offer(_),
            ..
        } => "enter",
        Command::SetAnswer { .. } => "answer",
        Command::Reoffer { .. } => "reoffer",
        Command::RemoveParticipant { .. } => "remove",
        Command::UpdateParticipant { .. } => "update",
        Command::SendMessage { .. } => "message",
        Command::SetDelivery { .. } => "delivery",
        Command::ExcuseParticipant { .. } => "excuse",
        Command::AwaitServed { .. } => "serve",
        Command::SetMuted { .. } => "mute",
        Command::Status => "status",
        _ => "of another controller",
    }
}

impl FakeEngine {
    fn execute(&mut self, command: &Command) -> Result<Reply, ControlError> {
        let refused = |code| Err(ControlError::new(code, "refused"));
        if let Some(code) = self.fails.remove(name(command)) {
            return refused(code);
        }
        match command {
            Command::CreateRoom { room, config } => {
                assert!(
                    !config.uris.is_empty() && config.uris.len() <= msrp_control::ROOM_URIS_MAX
                );
                assert!(self.rooms.insert(room.clone(), HashSet::new()).is_none());
                Ok(Reply::Done)
            }
            Command::CloseRoom { room } => match self.rooms.remove(room) {
                Some(_) => Ok(Reply::Done),
                None => refused(ErrorCode::NoSuchRoom),
            },
            Command::AddParticipant {
                room,
                participant,
                media,
                local,
                ..
            } => {
                let Some(participants) = self.rooms.get_mut(room) else {
                    return refused(ErrorCode::NoSuchRoom);
                };
                assert!(participants.insert(participant.clone()));
                let types = local.accept_types.clone().unwrap_or_default().join(" ");
                let setup = if matches!(media, Media::MakeOffer) {
                    "actpass"
                } else {
                    "passive"
                };
                Ok(Reply::Sdp(sdp_text(
                    &format!("room-{participant}"),
                    &types,
                    setup,
                )))
            }
            Command::UpdateParticipant {
                room, participant, ..
            }
            | Command::SetAnswer {
                room, participant, ..
            } => {
                let is_there = self
                    .rooms
                    .get(room)
                    .is_some_and(|p| p.contains(participant));
                if is_there {
                    Ok(Reply::Done)
                } else {
                    refused(ErrorCode::NoSuchParticipant)
                }
            }
            Command::Reoffer {
                room,
                participant,
                media,
                local,
            } => {
                let is_there = self
                    .rooms
                    .get(room)
                    .is_some_and(|p| p.contains(participant));
                let types = local.accept_types.clone().unwrap_or_default().join(" ");
                let setup = match media {
                    Media::MakeOffer => "actpass",
                    Media::Offer(_) => "passive",
                };
                if is_there {
                    let session = format!("room-{participant}");
                    Ok(Reply::Sdp(sdp_text(&session, &types, setup)))
                } else {
                    refused(ErrorCode::NoSuchParticipant)
                }
            }
            Command::SetDelivery { room, .. } if self.rooms.contains_key(room) => Ok(Reply::Done),
            Command::SetMuted {
                room, participant, ..
            }
            | Command::AwaitServed { room, participant } => {
                let room = self.rooms.get(room);
                if room.is_some_and(|p| p.contains(participant)) {
                    Ok(Reply::Done)
                } else {
                    refused(ErrorCode::NoSuchParticipant)
                }
            }
            Command::ExcuseParticipant {
                room, participant, ..
            }
            | Command::RemoveParticipant { room, participant } => {
                let removed = self
                    .rooms
                    .get_mut(room)
                    .is_some_and(|p| p.remove(participant));
                if removed {
                    Ok(Reply::Done)
                } else {
                    refused(ErrorCode::NoSuchParticipant)
                }
            }
            _ => refused(ErrorCode::WrongState),
        }
    }
}

/// An INVITE that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) transaction: TxnId,
    pub(super) dialog: DialogId,
}

/// A focus, its engines and its clock.
pub(super) struct World {
    pub(super) focus: Focus,
    pub(super) now: u64,
    ua: FakeUa,
    pub(super) engine: FakeEngine,
    pub(super) calls: Vec<Call>,
    cancelled: HashSet<TxnId>,
    answers: HashMap<TxnId, Vec<Answer>>,
    /// What was sent and not looked at.
    pub(super) sent: VecDeque<Sent>,
    next: u64,
}

pub(super) const FACTORY: &str = "sip:conference-factory@im.example";

pub(super) fn policy() -> Policy {
    Policy {
        contact_udp: Some("192.0.2.9:5060".into()),
        contact_tcp: Some("192.0.2.9:5061".into()),
        trusted_peers: vec!["127.0.0.0/8".parse().unwrap()],
        conference_factory: vec![uri(FACTORY)],
        ..Policy::new("im.example")
    }
}

pub(super) fn uri(text: &str) -> Uri {
    Uri::parse(text).unwrap()
}

pub(super) fn sdp_text(session: &str, types: &str, setup: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=message 7654 TCP/MSRP *\r\n\
         a=accept-types:{types}\r\na=accept-wrapped-types:text/plain image/png\r\n\
         a=path:msrp://192.0.2.1:7654/{session};tcp\r\na=setup:{setup}\r\n"
    )
}

pub(super) fn sdp(session: &str) -> Body {
    sdp_with(session, "message/cpim text/plain")
}

pub(super) fn sdp_with(session: &str, types: &str) -> Body {
    Body {
        content_type: "application/sdp".into(),
        octets: sdp_text(session, types, "active").into_bytes(),
    }
}

pub(super) fn list_body(session: &str, uris: &[&str]) -> Body {
    let entries: String = uris
        .iter()
        .map(|uri| format!("<entry uri=\"{uri}\"/>"))
        .collect();
    multipart(
        &sdp(session),
        &format!(
            "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>{entries}</list></resource-lists>"
        ),
    )
}

pub(super) fn multipart(sdp: &Body, list: &str) -> Body {
    let sdp = String::from_utf8(sdp.octets.clone()).unwrap();
    let text = format!(
        "--b1\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b1\r\nContent-Type: application/resource-lists+xml\r\n\
         Content-Disposition: recipient-list\r\n\r\n{list}\r\n--b1--\r\n"
    );
    Body {
        content_type: "multipart/mixed;boundary=b1".into(),
        octets: text.into_bytes(),
    }
}

/// Header fields of a caller: asserted identity, From, and support of timers.
pub(super) fn caller(user: &str) -> Headers {
    Headers::new()
        .with(
            "From",
            format!("\"{user} from\" <sip:{user}@example.com>;tag=1"),
        )
        .with(
            "P-Asserted-Identity",
            format!(
                "\"{user} pai\" <sip:{user}@example.com>, <tel:+1555{}>",
                user.len()
            ),
        )
        .with(
            "Contact",
            format!("<sip:{user}@192.0.2.1:5060>;+g.oma.sip-im"),
        )
        .with("Supported", "timer")
        .with("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")
}

pub(super) fn anonymous(user: &str) -> Headers {
    Headers::new()
        .with("From", "\"Joy\" <sip:anonymous@anonymous.invalid>;tag=1")
        .with(
            "P-Asserted-Identity",
            format!("\"{user} pai\" <sip:{user}@example.com>"),
        )
        .with("Privacy", "id")
}

pub(super) fn peer() -> Peer {
    Peer {
        address: "127.0.0.1:5070".parse().unwrap(),
        transport: Transport::Udp,
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(policy(), [])
    }

    pub(super) fn with(policy: Policy, groups: impl IntoIterator<Item = Group>) -> Self {
        Self {
            focus: Focus::new(policy, Box::new(StaticGroups::new(groups)), [7; 32]),
            now: NS_PER_S,
            ua: FakeUa {
                last: 1_000_000,
                sent: Vec::new(),
            },
            engine: FakeEngine::default(),
            calls: Vec::new(),
            cancelled: HashSet::new(),
            answers: HashMap::new(),
            sent: VecDeque::new(),
            next: 0,
        }
    }

    /// Drains the outputs and lets the engines work until all is quiet.
    pub(super) fn settle(&mut self) {
        loop {
            let mut is_quiet = true;
            while let Some(output) = self.focus.poll_output() {
                is_quiet = false;
                match output {
                    Output::Ua(action) => {
                        if let Some(receipt) = action.perform(&mut self.ua) {
                            self.focus.handle_receipt(self.now, receipt);
                        }
                    }
                    Output::Control(id, command) => {
                        self.engine.log.push(command.clone());
                        self.engine.held.push_back((id, command));
                    }
                }
            }
            if !self.engine.is_held
                && let Some((id, command)) = self.engine.held.pop_front()
            {
                is_quiet = false;
                if let Command::AwaitServed { participant, .. } = &command
                    && (self.engine.serves_nobody || self.engine.unserved.contains(participant))
                {
                    self.engine.awaiting.push((id, participant.clone()));
                    continue;
                }
                let result = self.engine.execute(&command);
                self.focus.handle_control(self.now, id, result);
            }
            if is_quiet {
                break;
            }
        }
        for sent in std::mem::take(&mut self.ua.sent) {
            if let Sent::Answer(transaction, answer) = &sent {
                self.answers
                    .entry(*transaction)
                    .or_default()
                    .push(answer.clone());
            }
            self.sent.push_back(sent);
        }
        self.check();
    }

    /// What holds at every moment.
    fn check(&self) {
        for call in &self.calls {
            let finals = self.finals(*call);
            let most = if self.cancelled.contains(&call.transaction) {
                0
            } else {
                1
            };
            assert!(finals.len() <= most, "{call:?} has the finals {finals:?}");
        }
    }

    fn finals(&self, call: Call) -> Vec<&Answer> {
        let answers = self
            .answers
            .get(&call.transaction)
            .map(Vec::as_slice)
            .unwrap_or_default();
        answers.iter().filter(|a| a.status >= 200).collect()
    }

    pub(super) fn ua(&mut self, event: UaEvent) {
        self.focus.handle_ua(self.now, event);
        self.settle();
    }

    pub(super) fn invite_from(
        &mut self,
        peer: Peer,
        uri: &str,
        headers: Headers,
        body: Option<Body>,
    ) -> Call {
        self.next += 1;
        let call = Call {
            transaction: TxnId(self.next),
            dialog: DialogId(self.next),
        };
        self.calls.push(call);
        let request = Request {
            method: Method::Invite,
            uri: uri.into(),
            headers,
            body,
        };
        self.ua(UaEvent::Invite {
            transaction: call.transaction,
            dialog: call.dialog,
            request,
            peer,
        });
        call
    }

    pub(super) fn invite(&mut self, uri: &str, headers: Headers, body: Body) -> Call {
        self.invite_from(peer(), uri, headers, Some(body))
    }

    /// Alice calls the factory with this list.
    pub(super) fn ad_hoc(&mut self, uris: &[&str]) -> Call {
        self.invite(FACTORY, caller("alice"), list_body("alice", uris))
    }

    pub(super) fn request(
        &mut self,
        dialog: Option<DialogId>,
        method: Method,
        headers: Headers,
        body: Option<Body>,
    ) -> Answer {
        self.request_to("sip:im.example", dialog, method, headers, body)
    }

    pub(super) fn request_to(
        &mut self,
        uri: &str,
        dialog: Option<DialogId>,
        method: Method,
        headers: Headers,
        body: Option<Body>,
    ) -> Answer {
        self.next += 1;
        let transaction = TxnId(self.next);
        let request = Request {
            method,
            uri: uri.into(),
            headers,
            body,
        };
        self.ua(UaEvent::Request {
            transaction,
            dialog,
            request,
            peer: peer(),
        });
        self.sent
            .retain(|s| !matches!(s, Sent::Answer(t, _) if *t == transaction));
        self.answers.remove(&transaction).unwrap().remove(0)
    }

    pub(super) fn respond(
        &mut self,
        dialog: DialogId,
        status: u16,
        headers: Headers,
        body: Option<Body>,
    ) {
        let response = Response {
            status,
            reason: String::new(),
            headers,
            body,
            origin: Origin::Peer,
        };
        self.ua(UaEvent::InviteResponse { dialog, response });
    }

    /// An invitee accepts.
    pub(super) fn accept(&mut self, dialog: DialogId) {
        self.accept_with(dialog, "Vendor/1");
    }

    /// Accepts, with this value of Server.
    pub(super) fn accept_with(&mut self, dialog: DialogId, server: &str) {
        let headers = Headers::new()
            .with("Server", server)
            .with("Session-Expires", "1800;refresher=uas")
            .with("Require", "timer");
        self.respond(
            dialog,
            200,
            headers,
            Some(sdp(&format!("peer{}", dialog.0))),
        );
    }

    pub(super) fn finish_request(&mut self, transaction: TxnId, status: u16, headers: Headers) {
        self.finish_with(transaction, status, headers, None);
    }

    pub(super) fn finish_with(
        &mut self,
        transaction: TxnId,
        status: u16,
        headers: Headers,
        body: Option<Body>,
    ) {
        let response = Response {
            status,
            reason: String::new(),
            headers,
            body,
            origin: Origin::Peer,
        };
        self.ua(UaEvent::Response {
            transaction,
            response,
        });
    }

    pub(super) fn acknowledge(&mut self, call: Call) {
        self.ua(UaEvent::Established {
            dialog: call.dialog,
        });
    }

    pub(super) fn end(&mut self, dialog: DialogId, why: DialogEnd) {
        if why == DialogEnd::Cancelled
            && let Some(call) = self.calls.iter().find(|c| c.dialog == dialog)
        {
            self.cancelled.insert(call.transaction);
        }
        self.ua(UaEvent::Ended { dialog, why });
    }

    pub(super) fn engine_event(&mut self, event: &Event) {
        if let Event::ParticipantLost {
            room, participant, ..
        }
        | Event::ParticipantRemoved { room, participant } = event
        {
            self.engine.rooms.get_mut(room).unwrap().remove(participant);
        }
        if let Event::RoomLost { room, .. } | Event::RoomClosed { room } = event {
            self.engine.rooms.remove(room);
        }
        self.focus.handle_engine_event(self.now, event);
        self.settle();
    }

    /// A participant has everything that was on its way to it.
    pub(super) fn serve(&mut self, participant: &str) {
        let participant = ParticipantId::new(participant).unwrap();
        self.engine.unserved.remove(&participant);
        let awaiting = std::mem::take(&mut self.engine.awaiting);
        for (id, waited_for) in awaiting {
            if waited_for == participant {
                self.focus.handle_control(self.now, id, Ok(Reply::Done));
            } else {
                self.engine.awaiting.push((id, waited_for));
            }
        }
        self.settle();
    }

    /// Everybody has everything, or is gone.
    pub(super) fn serve_all(&mut self) {
        self.engine.serves_nobody = false;
        for (id, _) in std::mem::take(&mut self.engine.awaiting) {
            self.focus.handle_control(self.now, id, Ok(Reply::Done));
        }
        self.settle();
    }

    /// Turns the clock on to the next deadline and past it; returns the seconds.
    pub(super) fn wait(&mut self) -> u64 {
        let at = self.focus.poll_timeout().unwrap();
        let waited = at.saturating_sub(self.now);
        self.now = self.now.max(at);
        self.focus.handle_timeout(self.now);
        self.settle();
        waited / NS_PER_S
    }

    /// The INVITEs that were sent and not looked at.
    pub(super) fn invites(&mut self) -> Vec<(DialogId, OutRequest)> {
        self.take(|s| match s {
            Sent::Invite(dialog, request) => Some((*dialog, request.clone())),
            _ => None,
        })
    }

    pub(super) fn cancels(&mut self) -> Vec<DialogId> {
        self.take(|s| match s {
            Sent::Cancel(dialog) => Some(*dialog),
            _ => None,
        })
    }

    pub(super) fn byes(&mut self) -> Vec<(DialogId, TxnId, Headers)> {
        self.take(|s| match s {
            Sent::Bye(dialog, transaction, headers) => {
                Some((*dialog, *transaction, headers.clone()))
            }
            _ => None,
        })
    }

    pub(super) fn requests(&mut self) -> Vec<(DialogId, TxnId, Headers, Option<Body>)> {
        self.take(|s| match s {
            Sent::Request(dialog, transaction, Method::Invite, headers, body) => {
                Some((*dialog, *transaction, headers.clone(), body.clone()))
            }
            _ => None,
        })
    }

    /// The dialogs of subscriptions that were made and not looked at.
    pub(super) fn accepted(&mut self) -> Vec<DialogId> {
        self.take(|s| match s {
            Sent::Accept(dialog) => Some(*dialog),
            _ => None,
        })
    }

    pub(super) fn forgotten(&mut self) -> Vec<DialogId> {
        self.take(|s| match s {
            Sent::Forget(dialog) => Some(*dialog),
            _ => None,
        })
    }

    /// The NOTIFYs that were sent and not looked at.
    pub(super) fn notifies(&mut self) -> Vec<Notify> {
        self.take(|s| match s {
            Sent::Request(dialog, transaction, Method::Notify, headers, Some(body)) => {
                Some(Notify {
                    dialog: *dialog,
                    transaction: *transaction,
                    headers: headers.clone(),
                    body: body.clone(),
                })
            }
            _ => None,
        })
    }

    pub(super) fn take<T>(&mut self, pick: impl Fn(&Sent) -> Option<T>) -> Vec<T> {
        let picked = self.sent.iter().filter_map(&pick).collect();
        self.sent.retain(|s| pick(s).is_none());
        picked
    }

    /// The one final answer to an INVITE.
    pub(super) fn final_of(&self, call: Call) -> Answer {
        let finals = self.finals(call);
        assert_eq!(finals.len(), 1, "{finals:?}");
        finals[0].clone()
    }

    /// The statuses of all answers to a request.
    pub(super) fn answers_to(&self, transaction: TxnId) -> Vec<u16> {
        let answers = self.answers.get(&transaction).map(Vec::as_slice);
        answers
            .unwrap_or_default()
            .iter()
            .map(|a| a.status)
            .collect()
    }

    pub(super) fn is_unanswered(&self, call: Call) -> bool {
        self.finals(call).is_empty()
    }

    pub(super) fn provisionals(&self, call: Call) -> Vec<Answer> {
        let answers = self
            .answers
            .get(&call.transaction)
            .map(Vec::as_slice)
            .unwrap_or_default();
        answers.iter().filter(|a| a.status < 200).cloned().collect()
    }

    /// The commands of this name so far.
    pub(super) fn commands(&self, wanted: &str) -> Vec<Command> {
        self.engine
            .log
            .iter()
            .filter(|c| name(c) == wanted)
            .cloned()
            .collect()
    }

    /// The only room.
    pub(super) fn room(&self) -> RoomId {
        assert_eq!(self.engine.rooms.len(), 1);
        self.engine.rooms.keys().next().unwrap().clone()
    }

    pub(super) fn participants_count(&self) -> usize {
        self.engine.rooms.values().map(HashSet::len).sum()
    }

    /// The refused call: its status and Warning.
    pub(super) fn refusal(&self, call: Call) -> (u16, Option<String>) {
        let answer = self.final_of(call);
        (
            answer.status,
            answer.headers.first("Warning").map(str::to_owned),
        )
    }

    /// Two calls that talk: alice, and bob who was invited.
    pub(super) fn one_to_one(&mut self) -> (Call, DialogId) {
        let call = self.ad_hoc(&["sip:bob@example.com"]);
        let (bob, _) = self.invites().remove(0);
        self.accept(bob);
        self.acknowledge(call);
        assert_eq!(self.final_of(call).status, 200);
        self.sent.clear();
        (call, bob)
    }

    /// Ends everything and checks that nothing is left anywhere.
    pub(super) fn finish(mut self) {
        self.engine.is_held = false;
        self.settle();
        self.focus.begin_shutdown(self.now);
        self.settle();
        for call in self.calls.clone() {
            if !self.cancelled.contains(&call.transaction) && self.final_of(call).status == 200 {
                self.acknowledge(call);
            }
        }
        for _ in 0..4 {
            let sent: Vec<Sent> = self.sent.drain(..).collect();
            for sent in sent {
                match sent {
                    Sent::Bye(_, transaction, _) => {
                        self.finish_request(transaction, 200, Headers::new())
                    }
                    Sent::Cancel(dialog) => self.respond(dialog, 487, Headers::new(), None),
                    Sent::Request(_, transaction, Method::Notify, ..) => {
                        self.finish_request(transaction, 200, Headers::new());
                    }
                    Sent::Message(transaction, _) => {
                        self.finish_request(transaction, 200, Headers::new());
                    }
                    Sent::Answer(..)
                    | Sent::Invite(..)
                    | Sent::Request(..)
                    | Sent::Accept(_)
                    | Sent::Forget(_) => {}
                }
            }
        }
        assert!(self.focus.is_idle(), "{:?}", self.focus);
        assert!(self.engine.rooms.is_empty(), "{:?}", self.engine.rooms);
        assert_eq!(self.focus.poll_timeout(), None);
    }
}
