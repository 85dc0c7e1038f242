//! `/nick` in a chat: what is asked for, and what became of it.

use crate::client::Refusal;
use crate::text::printable;

/// The nickname that a line asks for; empty when the present one is to be given back. `None` for a
/// line that is for the room.
pub(super) fn asked_for(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix(COMMAND)?;
    let is_command = rest.is_empty() || rest.starts_with(char::is_whitespace);
    is_command.then(|| rest.trim())
}

/// What the switch made of it, in a sentence.
pub(super) fn sentence(nickname: &str, answer: &Result<(), Refusal>) -> String {
    let name = printable(nickname);
    let refusal = match answer {
        Ok(()) if nickname.is_empty() => return "you have no nickname now".to_owned(),
        Ok(()) => return format!("your nickname is \"{name}\" now"),
        Err(refusal) => refusal,
    };
    let advice = match refusal.status {
        424 => format!("\"{name}\" cannot be a nickname; leave out unusual characters"),
        425 => format!("\"{name}\" belongs to somebody else or is reserved; choose another"),
        _ => "your nickname stays as it was".to_owned(),
    };
    format!("{}: {advice}", printable(&refusal.to_string()))
}

/// How a line begins that asks for a nickname.
const COMMAND: &str = "/nick";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nickname_is_asked_for_by_a_line_of_its_own_word() {
        for (line, expected) in [
            ("/nick Al", Some("Al")),
            ("  /nick   Al the great ", Some("Al the great")),
            ("/nick", Some("")),
            ("/nick  ", Some("")),
            ("/nickname Al", None),
            ("say /nick Al", None),
            ("nick Al", None),
        ] {
            assert_eq!(asked_for(line), expected, "{line:?}");
        }
    }

    #[test]
    fn nickname_that_was_answered_is_told_in_a_sentence() {
        let refused = |status, phrase: &str| {
            Err(Refusal {
                status,
                phrase: phrase.to_owned(),
            })
        };
        for (nickname, answer, expected) in [
            ("Al", Ok(()), "your nickname is \"Al\" now"),
            ("", Ok(()), "you have no nickname now"),
            (
                "Al",
                refused(424, "Bad"),
                "424 Bad: \"Al\" cannot be a nickname; leave out unusual characters",
            ),
            (
                "Al",
                refused(425, "Used"),
                "425 Used: \"Al\" belongs to somebody else or is reserved; choose another",
            ),
            (
                "Al",
                refused(403, "No"),
                "403 No: your nickname stays as it was",
            ),
        ] {
            assert_eq!(sentence(nickname, &answer), expected);
        }
    }
}
