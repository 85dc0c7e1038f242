//! What session descriptions declare of a chat room.

use msrp_control::RoomConfig;

/// The functions of a chat room that we support and its rules allow.
///
/// # Spec
/// RFC 7701 s.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChatFunctions {
    nicknames: bool,
    private_messages: bool,
}

impl ChatFunctions {
    /// Of a room with these rules.
    pub(crate) fn of(config: &RoomConfig) -> Self {
        Self {
            nicknames: config.nicknames,
            private_messages: config.private_messages,
        }
    }

    /// The tokens of `a=chatroom`.
    pub(crate) fn tokens(self) -> Vec<String> {
        let known = [
            ("nickname", self.nicknames),
            ("private-messages", self.private_messages),
        ];
        let allowed = known.into_iter().filter(|(_, is_allowed)| *is_allowed);
        allowed.map(|(token, _)| token.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // covers: MSRP-7701-8-01
    #[test]
    fn chat_functions_are_declared_as_the_room_allows() {
        for (nicknames, private_messages, tokens) in [
            (false, false, &[][..]),
            (true, false, &["nickname"]),
            (false, true, &["private-messages"]),
            (true, true, &["nickname", "private-messages"]),
        ] {
            let functions = ChatFunctions {
                nicknames,
                private_messages,
            };
            assert_eq!(functions.tokens(), tokens);
        }
    }
}
