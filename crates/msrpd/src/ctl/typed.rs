//! What somebody typed into a chat.

/// A line, and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed<'a> {
    /// For the room, as it is here.
    Text(&'a str),
    /// Asks for a nickname; empty gives the present one back.
    Nickname(&'a str),
    /// A word with a slash that is no command. It is not said to the room: who mistypes a command does not mean it for others.
    Unknown(&'a str),
}

impl<'a> Typed<'a> {
    pub(super) fn read(line: &'a str) -> Self {
        let Some(behind) = line.trim_start().strip_prefix(SLASH) else {
            return Self::Text(line);
        };
        if behind.starts_with(SLASH) {
            return Self::Text(behind);
        }
        let (word, rest) = behind
            .split_once(char::is_whitespace)
            .unwrap_or((behind, ""));
        match word {
            "nick" => Self::Nickname(rest.trim()),
            word => Self::Unknown(word),
        }
    }
}

/// How a command begins. Twice: a text that begins with it once.
const SLASH: char = '/';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_a_text_unless_it_begins_with_one_slash() {
        for (line, expected) in [
            ("/nick Al", Typed::Nickname("Al")),
            ("  /nick   Al the great ", Typed::Nickname("Al the great")),
            ("/nick", Typed::Nickname("")),
            ("/nick  ", Typed::Nickname("")),
            ("/nickname Al", Typed::Unknown("nickname")),
            ("/help", Typed::Unknown("help")),
            ("/", Typed::Unknown("")),
            ("//help", Typed::Text("/help")),
            ("say /nick Al", Typed::Text("say /nick Al")),
            ("nick Al", Typed::Text("nick Al")),
            (" ", Typed::Text(" ")),
        ] {
            assert_eq!(Typed::read(line), expected, "{line:?}");
        }
    }
}
