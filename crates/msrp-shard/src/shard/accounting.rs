//! What each session used, and the records of it.

use std::sync::Arc;
use std::time::SystemTime;

use msrp_control::{
    Charging, ClassCounts, EndReason, Reply, RoomId, SessionUsage, UsageEvent, UsageNote,
    UsageRecord,
};
use msrp_session::Timestamp;
use msrp_switch::{ContentClass, LegKey};
use msrp_wire::Identity;
use ring_io::Io;

use super::Shard;
use super::commands::{Answer, no_such_room};
use super::session::Session;

/// The account of a session. It is empty, and stays so, when no records were made as it began.
#[derive(Debug, Default)]
pub(super) struct Account(Option<Box<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    number: u64,
    usage: SessionUsage,
    charging: Option<Arc<Charging>>,
}

impl Account {
    pub(super) fn new(number: u64, charging: Option<Arc<Charging>>) -> Self {
        let is_needed = number > 0 || charging.is_some();
        Self(is_needed.then(|| {
            Box::new(Entries {
                number,
                charging,
                ..Entries::default()
            })
        }))
    }

    /// What other systems call the session.
    pub(super) fn charging(&self) -> Option<Arc<Charging>> {
        self.0.as_ref()?.charging.clone()
    }

    pub(super) fn set_charging(&mut self, charging: Option<Arc<Charging>>) {
        if charging.is_some() || self.0.is_some() {
            self.0.get_or_insert_default().charging = charging;
        }
    }

    /// Octets of a SEND came.
    pub(super) fn count_received(&mut self, octets: usize) {
        if let Some(usage) = self.open() {
            usage.octets_received = usage.octets_received.saturating_add(octets as u64);
        }
    }

    /// A message of the participant was accepted.
    pub(super) fn count_message(&mut self, class: ContentClass) {
        if let Some(usage) = self.open() {
            count(&mut usage.messages_received, class);
        }
    }

    /// A piece is on its way to the participant; with `ended`, the last one of a message of this class.
    pub(super) fn count_sent(&mut self, octets: u64, ended: Option<ContentClass>) {
        let Some(usage) = self.open() else { return };
        usage.octets_sent = usage.octets_sent.saturating_add(octets);
        if let Some(class) = ended {
            count(&mut usage.messages_sent, class);
        }
    }

    /// What it is known by in the records; 0 when none are made of it.
    fn number(&self) -> u64 {
        self.0.as_ref().map_or(0, |entries| entries.number)
    }

    fn usage(&self) -> SessionUsage {
        self.0
            .as_ref()
            .map(|entries| entries.usage)
            .unwrap_or_default()
    }

    /// What is counted on, when anything is.
    fn open(&mut self) -> Option<&mut SessionUsage> {
        self.0.as_mut().map(|entries| &mut entries.usage)
    }
}

fn count(counts: &mut ClassCounts, class: ContentClass) {
    let sum = match class {
        ContentClass::Text => &mut counts.text,
        ContentClass::Composing => &mut counts.composing,
        ContentClass::Disposition => &mut counts.disposition,
        ContentClass::File => &mut counts.file,
        ContentClass::Other => &mut counts.other,
    };
    *sum = sum.saturating_add(1);
}

impl<I: Io> Shard<I> {
    /// A message of a leg was accepted.
    pub(super) fn account_message(&mut self, leg: LegKey, class: ContentClass) {
        if let Some(session) = self.sessions.get_mut(leg) {
            session.account.count_message(class);
        }
    }

    /// Makes the first record of a session.
    pub(super) fn record_start(&self, now: Timestamp, leg: LegKey) {
        if let Some(session) = self.sessions.get(leg) {
            self.record(now, leg, session, UsageEvent::Start);
        }
    }

    /// Makes the last record of a session, while its leg is still there.
    pub(super) fn record_stop(
        &self,
        now: Timestamp,
        leg: LegKey,
        session: &Session,
        reason: EndReason,
    ) {
        self.record(now, leg, session, UsageEvent::Stop(reason));
    }

    /// Makes a record of each session of a room.
    pub(super) fn record_room(&self, now: Timestamp, room: &RoomId) -> Answer {
        let running = self.rooms.get(room).ok_or_else(no_such_room)?;
        for leg in running.participants.values() {
            if let Some(session) = self.sessions.get(*leg) {
                self.record(now, *leg, session, UsageEvent::Interim);
            }
        }
        Ok(Reply::Done)
    }

    fn record(&self, now: Timestamp, leg: LegKey, session: &Session, event: UsageEvent) {
        let tap = &self.environment.usage;
        if !tap.is_open() {
            return;
        }
        let who = self.switch.participant(leg);
        let text = |identity: &Identity| identity.as_str().to_owned();
        let (entity, identities) = who.map_or_else(Default::default, |who| {
            (who.entity, who.identities.iter().map(text).collect())
        });
        tap.put(UsageNote::Record(Box::new(UsageRecord {
            session: session.account.number(),
            event,
            at: SystemTime::now(),
            duration_ms: now.since(session.started) / NS_PER_MS,
            room: session.room.clone(),
            participant: session.participant.clone(),
            entity,
            identities,
            charging: session.account.charging(),
            usage: session.account.usage(),
        })));
    }
}

const NS_PER_MS: u64 = 1_000_000;
