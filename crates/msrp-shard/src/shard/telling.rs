//! What controllers are told of single messages and of what a session carried.

use msrp_control::{
    CopyCounts, EndReason, Event, MessageClass, MessageOutcome, ParticipantId, ReportOutcome,
    RoomId, SessionStatistics,
};
use msrp_session::Timestamp;
use msrp_switch::{
    ContentClass, CopySums, LegKey, LegSums, MessageContent, MessageEnd, ReportEnd, RoomKey, Told,
};
use ring_io::Io;

use super::Shard;
use super::session::Session;

impl<I: Io> Shard<I> {
    /// Tells how messages ended. `gone` is a session that is known here no more.
    pub(super) fn tell_messages(&mut self, gone: Option<(LegKey, &Session)>) {
        while let Some(told) = self.switch.poll_told() {
            let event = match told {
                Told::Message(end) => self.message_event(&end, gone),
                Told::Report(end) => self.report_event(&end, gone),
                Told::Content(content) => self.content_event(content, gone),
            };
            if let Some(event) = event {
                self.environment.hub.publish(&event);
            }
        }
        let untold = self.switch.take_untold();
        if untold > 0 {
            self.environment.hub.note_lost(untold);
        }
    }

    fn message_event(&self, end: &MessageEnd, gone: Option<(LegKey, &Session)>) -> Option<Event> {
        let (room, participant) = self.names(end.room, end.sender, gone)?;
        let message = MessageOutcome {
            participant,
            message_id: end.message_id.as_str().to_owned(),
            octets: end.octets,
            class: end.class.map(class),
            refused: end.refused.map(|status| status.value()),
            copies: counts(end.copies),
        };
        let message = Box::new(message);
        Some(Event::MessageEnded { room, message })
    }

    fn report_event(&self, end: &ReportEnd, gone: Option<(LegKey, &Session)>) -> Option<Event> {
        let (room, participant) = self.names(end.room, Some(end.sender), gone)?;
        let report = ReportOutcome {
            participant,
            message_id: end.message_id.as_str().to_owned(),
            is_sent: end.is_sent,
            results: end.results.clone(),
        };
        let report = Box::new(report);
        Some(Event::FinalReport { room, report })
    }

    fn content_event(
        &self,
        content: MessageContent,
        gone: Option<(LegKey, &Session)>,
    ) -> Option<Event> {
        let (room, participant) = self.names(content.room, content.sender, gone)?;
        let content = msrp_control::MessageContent {
            participant,
            message_id: content.message_id.as_str().to_owned(),
            content_type: content.content_type,
            octets: content.octets.into(),
            is_whole: content.is_whole,
        };
        let content = Box::new(content);
        Some(Event::MessageContent { room, content })
    }

    /// The names that the controllers gave.
    fn names(
        &self,
        room: RoomKey,
        leg: Option<LegKey>,
        gone: Option<(LegKey, &Session)>,
    ) -> Option<(RoomId, Option<ParticipantId>)> {
        let session = leg.and_then(|leg| {
            let gone = gone.filter(|(key, _)| *key == leg);
            gone.map_or_else(|| self.sessions.get(leg), |(_, session)| Some(session))
        });
        if let Some(session) = session {
            let names = (session.room.clone(), Some(session.participant.clone()));
            return Some(names);
        }
        // A message of the room itself, or of somebody who left before the last copy ended.
        let mut rooms = self.rooms.iter();
        let (room, _) = rooms.find(|(_, running)| running.key == room)?;
        Some((room.clone(), None))
    }

    /// Tells what a session carried that is over now.
    pub(super) fn tell_session_end(
        &self,
        now: Timestamp,
        session: &Session,
        sums: LegSums,
        reason: EndReason,
    ) {
        let statistics = SessionStatistics {
            duration_ms: now.since(session.started) / NS_PER_MS,
            messages_sent: u32::try_from(sums.accepted.total()).unwrap_or(u32::MAX),
            requests_refused: sums.refused,
            octets_sent: sums.octets_sent,
            received: counts(sums.copies),
            octets_received: sums.octets_received,
        };
        self.environment.hub.publish(&Event::SessionEnded {
            room: session.room.clone(),
            participant: session.participant.clone(),
            reason,
            statistics: Box::new(statistics),
        });
    }
}

fn class(class: ContentClass) -> MessageClass {
    match class {
        ContentClass::Text => MessageClass::Text,
        ContentClass::Composing => MessageClass::Composing,
        ContentClass::Disposition => MessageClass::Disposition,
        ContentClass::File => MessageClass::File,
        ContentClass::Other => MessageClass::Other,
    }
}

fn counts(sums: CopySums) -> CopyCounts {
    CopyCounts {
        delivered: sums.delivered,
        sent: sums.sent,
        refused: sums.refused,
        failed: sums.failed,
        aborted: sums.aborted,
    }
}

const NS_PER_MS: u64 = 1_000_000;
