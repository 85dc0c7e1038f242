//! Requests for nicknames.

use msrp_control::Event;
use msrp_session::Timestamp;
use msrp_switch::{LegKey, NicknameChange};
use msrp_wire::{FailureReport, RequestHead, StatusCode};
use ring_io::{ConnKey, Io};

use super::Shard;
use crate::defect::Defect;

impl<I: Io> Shard<I> {
    /// Answers a NICKNAME request, and tells the controllers what it changed.
    ///
    /// Report flags may not stand in it; where they do, they change nothing.
    ///
    /// # Spec
    /// RFC 7701 s.7.1.
    pub(super) fn handle_nickname(
        &mut self,
        now: Timestamp,
        conn: ConnKey,
        leg: LegKey,
        head: &RequestHead<'_>,
    ) {
        let mut plain = *head;
        plain.failure_report = FailureReport::Yes;
        match self.switch.handle_nickname(now, leg, head.use_nickname) {
            Ok(change) => {
                self.answer(conn, &plain, StatusCode::OK);
                match change {
                    NicknameChange::Nothing => {}
                    NicknameChange::Taken(nickname) => self.tell_nickname(leg, Some(nickname)),
                    NicknameChange::GivenBack => self.tell_nickname(leg, None),
                }
            }
            Err(refused) => {
                tracing::debug!(%refused, "nickname refused");
                let is_rosy = self.environment.planted.strikes(Defect::NicknameRosy);
                let status = if is_rosy {
                    StatusCode::OK
                } else {
                    refused.status()
                };
                self.answer(conn, &plain, status);
            }
        }
    }

    fn tell_nickname(&self, leg: LegKey, nickname: Option<String>) {
        if self.environment.planted.strikes(Defect::NicknameForgotten) {
            return;
        }
        let Some(session) = self.sessions.get(leg) else {
            return;
        };
        self.environment.hub.publish(&Event::NicknameChanged {
            room: session.room.clone(),
            participant: session.participant.clone(),
            nickname,
        });
    }
}
