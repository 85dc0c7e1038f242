//! What each session used, and the records of it.

use std::sync::Arc;
use std::time::SystemTime;

use msrp_control::{
    Charging, ClassCounts, EndReason, Reply, RoomId, SessionUsage, UsageEvent, UsageNote,
    UsageRecord,
};
use msrp_session::Timestamp;
use msrp_switch::{ClassSums, LegKey, LegSums};
use msrp_wire::Identity;
use ring_io::Io;

use super::Shard;
use super::commands::{Answer, no_such_room};
use super::session::Session;

/// What the records of a session are made with, beside the sums of its leg. It is empty, and stays so, when no
/// records were made as it began.
#[derive(Debug, Default)]
pub(super) struct Account(Option<Box<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    number: u64,
    charging: Option<Arc<Charging>>,
}

impl Account {
    pub(super) fn new(number: u64, charging: Option<Arc<Charging>>) -> Self {
        let is_needed = number > 0 || charging.is_some();
        Self(is_needed.then(|| Box::new(Entries { number, charging })))
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

    /// Whether records are made of it, so that what leaves towards it is counted.
    pub(super) fn is_kept(&self) -> bool {
        self.number() > 0
    }

    /// What it is known by in the records; 0 when none are made of it.
    fn number(&self) -> u64 {
        self.0.as_ref().map_or(0, |entries| entries.number)
    }
}

fn usage(sums: LegSums) -> SessionUsage {
    SessionUsage {
        messages_received: counts(sums.accepted),
        octets_received: sums.octets_sent,
        messages_sent: counts(sums.left),
        octets_sent: sums.octets_left,
    }
}

fn counts(sums: ClassSums) -> ClassCounts {
    let count = |sum| u32::try_from(sum).unwrap_or(u32::MAX);
    ClassCounts {
        text: count(sums.text),
        composing: count(sums.composing),
        disposition: count(sums.disposition),
        file: count(sums.file),
        other: count(sums.other),
    }
}

impl<I: Io> Shard<I> {
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
            usage: usage(self.switch.leg_sums(leg)),
        })));
    }
}

const NS_PER_MS: u64 = 1_000_000;
