//! One stay in a room: the SIP dialog and the MSRP session together.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use msrp_sip::ua::SipUa;
use msrp_wire::limits::NICKNAME_OCTETS_MAX;
use msrp_wire::{Ident, StatusCode, cpim};
use rand_core::{OsRng, TryRngCore};

use super::media::{OwnMedia, SwitchMedia};
use super::message::{self, Addresses};
use super::msrp_leg::{LegEvent, MsrpLeg, Order, StartError};
use super::session::{Session, SessionEvent};
use super::sip_leg::{Invitation, SipEvent, SipLeg, UaEvents};
use super::{ChatEvent, JoinError, Refusal};

/// One stay in a room.
pub(super) struct Room<U> {
    sip: SipLeg<U>,
    msrp: MsrpLeg,
    addresses: Addresses,
    max_size: Option<u64>,
    /// Whether the switch declares nicknames.
    has_nicknames: bool,
    over: Option<String>,
}

impl<U: SipUa> Room<U> {
    /// Joins with this SIP engine; `host` is the client's address.
    ///
    /// # Errors
    /// [`JoinError`]. The dialog has been ended then.
    pub(super) async fn join(
        ua: U,
        events: UaEvents,
        invitation: &Invitation,
        host: IpAddr,
    ) -> Result<Self, JoinError> {
        let session = Ident::from_random(random_bits());
        let number = u64::from(u32::try_from(random_bits() >> 96).unwrap_or_default());
        let media = OwnMedia::new(host, session.as_str(), number).map_err(JoinError::Engine)?;
        let own = media.uri();
        let (mut sip, switch) = SipLeg::invite(ua, events, invitation, media).await?;
        let session = Session::new(own, switch.path, random_bits);
        let msrp = match MsrpLeg::start(switch.address, session).await {
            Ok(msrp) => msrp,
            Err(error) => {
                sip.bye().await;
                return Err(match error {
                    StartError::Connection(error) => JoinError::Connection(error),
                    StartError::Refused(refusal) => JoinError::Session(refusal),
                });
            }
        };
        let addresses = Addresses {
            from: invitation.identity.clone(),
            display: invitation.display.clone(),
            to: invitation.room.clone(),
        };
        let SwitchMedia {
            max_size,
            has_nicknames,
            ..
        } = switch;
        Ok(Self {
            sip,
            msrp,
            addresses,
            max_size,
            has_nicknames,
            over: None,
        })
    }

    /// Queues a text at once and gives the wait for the switch's answer.
    pub(super) fn send(
        &self,
        text: &str,
    ) -> impl Future<Output = Result<(), Refusal>> + Send + use<U> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let datetime = cpim::datetime(since.map_or(0, |since| since.as_secs()));
        let content = message::compose(&self.addresses, &datetime, text);
        let is_too_long = self.max_size.is_some_and(|max| content.len() as u64 > max);
        let order = Order::Message(content);
        let answered = (!is_too_long).then(|| self.msrp.outbox().send(order));
        async move {
            match answered {
                Some(answered) => answered.await,
                None => {
                    let reason = b"the message is longer than the room takes";
                    Err(Refusal::new(StatusCode::STOP_SENDING, Some(reason)))
                }
            }
        }
    }

    /// Asks for a nickname and gives the wait for the switch's answer.
    pub(super) fn ask_nickname(
        &self,
        nickname: &str,
    ) -> impl Future<Output = Result<(), Refusal>> + Send + use<U> {
        let refused = if !self.has_nicknames {
            let reason = b"the room has no nicknames";
            Err(Refusal::new(StatusCode::FORBIDDEN, Some(reason)))
        } else if nickname.len() > NICKNAME_OCTETS_MAX {
            let reason = b"the nickname is too long";
            Err(Refusal::new(StatusCode::NICKNAME_MALFORMED, Some(reason)))
        } else {
            Ok(())
        };
        let outbox = self.msrp.outbox();
        let answered = refused.map(|()| outbox.send(Order::Nickname(nickname.to_owned())));
        async move { answered?.await }
    }

    /// Asks to be told who takes part.
    pub(super) fn watch(&mut self) {
        self.sip.watch();
    }

    /// What happens next. After [`ChatEvent::Ended`] it is always that. Losing the future loses
    /// nothing.
    pub(super) async fn next(&mut self) -> ChatEvent {
        if let Some(reason) = &self.over {
            return ChatEvent::Ended {
                reason: reason.clone(),
            };
        }
        let reason = tokio::select! {
            biased;
            event = self.msrp.next() => match event {
                Some(LegEvent::Session(SessionEvent::Message(message))) => {
                    return ChatEvent::Message {
                        from: message.from,
                        display: message.display,
                        text: message.text,
                    };
                }
                Some(LegEvent::Session(SessionEvent::Refused(refusal))) => {
                    return ChatEvent::Refused(refusal);
                }
                Some(LegEvent::Ended(reason)) => reason,
                None => "the session ended".to_owned(),
            },
            event = self.sip.next() => match event {
                SipEvent::Presence(presence) => return ChatEvent::Presence(presence),
                SipEvent::Ended(reason) => reason,
            },
        };
        self.over = Some(reason.clone());
        ChatEvent::Ended { reason }
    }

    /// Leaves with BYE; closes the connection when that is answered.
    pub(super) async fn leave(mut self) {
        self.sip.bye().await;
    }
}

/// 128 bits of the operating system's generator.
fn random_bits() -> u128 {
    let mut octets = [0; 16];
    // Without its generator of random numbers the operating system runs nothing that a chat needs.
    let _ = OsRng.try_fill_bytes(&mut octets);
    u128::from_le_bytes(octets)
}

#[cfg(test)]
mod tests;
