//! Nicknames: one for each user of a room, and what was answered agrees with what the controller was told.
//!
//! # Spec
//! RFC 7701 s.7.

use super::{Oracle, Verdict};
use crate::kernel::PeerId;

/// A nickname that somebody had for some time.
#[derive(Debug)]
pub(crate) struct Held {
    peer: PeerId,
    /// In the form in which nicknames are compared.
    folded: String,
    from_ns: u64,
    until_ns: u64,
}

/// A request for a nickname that was not answered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) text: String,
    pub(crate) sent_ns: u64,
}

/// What no nickname can be.
pub(crate) const MALFORMED: &str = "\u{1}";

/// The form in which nicknames are compared, of those that participants ask for here.
fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

impl Oracle {
    /// The controller was told that somebody has another nickname, or none.
    ///
    /// # Errors
    /// Somebody else has it, or nobody asked for it.
    pub(crate) fn on_nickname(
        &mut self,
        peer: PeerId,
        now_ns: u64,
        nickname: Option<&str>,
    ) -> Verdict {
        self.see("nickname changed");
        self.drop_nickname(peer, now_ns);
        let Some(nickname) = nickname else {
            return Ok(());
        };
        let (folded, room) = (folded(nickname), self.witnesses[peer].room);
        let other = self.nicknames.iter().find(|held| {
            held.until_ns == u64::MAX
                && held.folded == folded
                && self.witnesses[held.peer].room == room
        });
        if let Some(other) = other {
            return Err(format!(
                "peers {} and {peer} are both known as {nickname:?}",
                other.peer
            ));
        }
        self.nicknames.push(Held {
            peer,
            folded,
            from_ns: now_ns,
            until_ns: u64::MAX,
        });
        Ok(())
    }

    /// Somebody is known by no nickname any more.
    pub(crate) fn drop_nickname(&mut self, peer: PeerId, now_ns: u64) {
        for held in &mut self.nicknames {
            if held.peer == peer {
                held.until_ns = held.until_ns.min(now_ns);
            }
        }
    }

    /// A request for a nickname was answered.
    ///
    /// # Errors
    /// The answer does not agree with what others are known by.
    pub(super) fn on_nickname_answer(
        &mut self,
        peer: PeerId,
        now_ns: u64,
        (wanted, status): (&Wanted, u16),
    ) -> Verdict {
        let witness = &self.witnesses[peer];
        let is_excused = witness.is_hurt
            || !witness.temper.is_honest()
            || (witness.is_relayed && !self.is_calm && status != 200);
        let (name, room) = (folded(&wanted.text), witness.room);
        let at_some_time = |held: &Held| held.until_ns >= wanted.sent_ns && held.from_ns <= now_ns;
        let all_the_time = |held: &Held| held.from_ns < wanted.sent_ns && held.until_ns > now_ns;
        let same = |held: &&Held| held.folded == name && self.witnesses[held.peer].room == room;
        let all = || self.nicknames.iter().filter(same);
        let is_right = match status {
            200 if name.is_empty() => true,
            200 => {
                wanted.text != MALFORMED
                    && all().any(|held| held.peer == peer && at_some_time(held))
                    && !all().any(|held| held.peer != peer && all_the_time(held))
            }
            424 => wanted.text == MALFORMED,
            425 => all().any(|held| held.peer != peer && at_some_time(held)),
            _ => false,
        };
        self.see(match status {
            200 => "nickname given",
            425 => "nickname in use",
            _ => "nickname refused",
        });
        if is_right || is_excused {
            Ok(())
        } else {
            Err(format!(
                "peer {peer} asked for the nickname {:?} and was answered with {status}",
                wanted.text
            ))
        }
    }
}
