//! What the bots say.

/// One bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bot {
    pub(super) uri: &'static str,
    pub(super) name: &'static str,
}

pub(super) const ADA: Bot = Bot {
    uri: "sip:ada@localhost",
    name: "ada",
};
pub(super) const GRACE: Bot = Bot {
    uri: "sip:grace@localhost",
    name: "grace",
};

/// The conversation, from the start again after its end. Ada begins, and they take turns.
pub(super) const LINES: &[&str] = &[
    "Hello Grace! We both came in by SIP, and now we talk by MSRP.",
    "Hello Ada! And the switch hands every line to everybody else in the room.",
    "It checks who wrote it first: nobody here can speak in another's name.",
    "And it does not wait for the end of a long message, it passes it on while it comes in.",
    "A slow reader slows nobody down for long: every queue has a bound.",
    "Whoever asked for it is told what became of a message. Nothing gets lost in silence.",
    "All lines come in the same order for all of us.",
    "Curious how many there were? The admin address counts them under /metrics.",
    "One thread for each core, io_uring where the kernel allows it, epoll everywhere else.",
    "And no copying of message bodies on the way, which keeps the cores cool.",
    "Anybody else here? Say something, one of us will answer.",
    "Until then we two keep the line warm.",
];

/// An answer to somebody who is not a bot; `count` is how many there were before.
pub(super) fn reply(name: &str, count: usize) -> String {
    let rest = REPLIES
        .get(count % REPLIES.len())
        .copied()
        .unwrap_or_default();
    format!("Hello {name}! {rest}")
}

const REPLIES: &[&str] = &[
    "Your line reached us both, as one SEND each.",
    "Read you loud and clear.",
    "Nice to have you here. Open a second terminal and bring a friend.",
    "We are only bots with a small script, but we listen.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_has_an_even_number_of_lines_so_that_turns_go_on() {
        assert_eq!(LINES.len() % 2, 0);
    }

    #[test]
    fn reply_greets_by_name_and_varies() {
        assert!(reply("alice", 0).starts_with("Hello alice! "));
        assert_ne!(reply("alice", 0), reply("alice", 1));
        assert_eq!(reply("alice", 0), reply("alice", REPLIES.len()));
    }
}
