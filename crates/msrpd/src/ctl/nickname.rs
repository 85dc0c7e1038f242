//! `/nick` in a chat: what became of it.

use crate::client::Refusal;
use crate::text::printable;

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

#[cfg(test)]
mod tests {
    use super::*;

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
