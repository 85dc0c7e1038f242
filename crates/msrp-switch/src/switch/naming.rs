//! Requests for nicknames.
//!
//! # Spec
//! RFC 7701 s.7.

use msrp_session::Timestamp;
use msrp_wire::UseNickname;

use super::Switch;
use crate::leg::LegKey;
use crate::limits::{NICKNAME_NS, NICKNAMES_AT_ONCE_MAX};
use crate::nickname::Nickname;
use crate::rate::Rate;
use crate::refused::Refused;

/// What a request for a nickname changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicknameChange {
    /// Nothing: the session is known by what it asked for already.
    Nothing,
    /// The session is known by this nickname from now on.
    Taken(String),
    /// The session is known by no nickname any more.
    GivenBack,
}

impl Switch {
    /// Handles a NICKNAME request with the value of its Use-Nickname header field. To be answered
    /// with 200, or with the status of the refusal, whatever its report flags say.
    ///
    /// The nickname belongs to this session, until it leaves or asks for another. Other sessions of
    /// the same user, whose first identity is the same, may ask for the same nickname and have it
    /// only when they do.
    ///
    /// # Errors
    /// [`Refused::NoNicknames`] and [`Refused::TooManyNicknames`] -> 403,
    /// [`Refused::MalformedNickname`] -> 424, [`Refused::NicknameReserved`] and
    /// [`Refused::NicknameInUse`] -> 425. The session keeps the nickname that it has.
    ///
    /// # Spec
    /// RFC 7701 s.7.1 to s.7.3.
    pub fn handle_nickname(
        &mut self,
        now: Timestamp,
        key: LegKey,
        use_nickname: Option<&[u8]>,
    ) -> Result<NicknameChange, Refused> {
        let leg = self.legs.get_mut(key.0).ok_or(Refused::NoNicknames)?;
        let room = self.rooms.get_mut(leg.room.0);
        let room = room.filter(|room| room.has_nicknames);
        let room = room.ok_or(Refused::NoNicknames)?;
        if !leg.nicknames_paid.take(now, NICKNAMES) {
            return Err(Refused::TooManyNicknames);
        }
        let value = use_nickname.unwrap_or_default();
        let asked = UseNickname::parse(value).map_err(|_| Refused::MalformedNickname)?;
        let change = match asked.nickname() {
            None if room.nicknames.release(key) => NicknameChange::GivenBack,
            None => NicknameChange::Nothing,
            Some(typed) => {
                let nickname = Nickname::new(typed).ok_or(Refused::MalformedNickname)?;
                self.take_nickname(key, nickname)?
            }
        };
        self.check_invariants_in_debug();
        Ok(change)
    }

    /// The nickname of a session as it is shown.
    #[must_use]
    pub fn nickname(&self, key: LegKey) -> Option<&str> {
        let leg = self.legs.get(key.0)?;
        self.rooms.get(leg.room.0)?.nicknames.of(key)
    }

    /// For [`Switch::check_invariants`].
    pub(super) fn are_nicknames_sound(&self) -> bool {
        let is_there = |leg: LegKey| self.legs.get(leg.0).is_some();
        self.rooms
            .iter()
            .all(|(_, room)| room.nicknames.is_sound(is_there))
    }

    fn take_nickname(
        &mut self,
        key: LegKey,
        nickname: Nickname,
    ) -> Result<NicknameChange, Refused> {
        if nickname.is_reserved() {
            return Err(Refused::NicknameReserved);
        }
        let leg = self.legs.get(key.0).ok_or(Refused::NoNicknames)?;
        let room = self.rooms.get_mut(leg.room.0).ok_or(Refused::NoNicknames)?;
        let is_same_user = |holder: &LegKey| {
            let holder = self.legs.get(holder.0);
            holder.is_some_and(|holder| holder.is_same_user(leg))
        };
        if !room.nicknames.holders(&nickname).iter().all(is_same_user) {
            return Err(Refused::NicknameInUse);
        }
        if room.nicknames.of(key) == Some(&nickname.shown) {
            return Ok(NicknameChange::Nothing);
        }
        let shown = nickname.shown.clone().into();
        room.nicknames.take(key, nickname);
        Ok(NicknameChange::Taken(shown))
    }
}

/// How often a session may ask for a nickname.
const NICKNAMES: Rate = Rate {
    count: 1,
    per_ns: NICKNAME_NS,
    burst: NICKNAMES_AT_ONCE_MAX,
};
