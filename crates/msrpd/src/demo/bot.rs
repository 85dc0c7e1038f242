//! The two bots: clients like any other, over real SIP and MSRP.

use std::net::SocketAddr;
use std::time::Duration;

use msrp_sip::ua::Transport;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::ROOM;
use super::script::{ADA, Bot, GRACE, LINES, reply};
use crate::client::{Chat, ChatConfig, ChatEvent, JoinError, Refusal};
use crate::text::{printable, short_name};

/// Joins both and lets them talk until `stop` is ready, then both leave.
///
/// # Errors
/// Why they could not go on, as a part of a sentence.
pub(super) async fn run<S>(
    server: SocketAddr,
    stop: impl Future<Output = S>,
) -> Result<(), String> {
    tokio::pin!(stop);
    let joined = async { tokio::try_join!(join(ADA, server), join(GRACE, server)) };
    let (ada, grace) = tokio::select! {
        joined = joined => joined.map_err(|error| error.to_string())?,
        _ = &mut stop => return Ok(()),
    };
    let mut talk = Talk::new(ada, grace);
    let result = tokio::select! {
        reason = talk.run() => Err(reason),
        _ = &mut stop => Ok(()),
    };
    tokio::join!(talk.ada.leave(), talk.grace.leave());
    result
}

async fn join(bot: Bot, server: SocketAddr) -> Result<Chat, JoinError> {
    let config = ChatConfig {
        server,
        transport: Transport::Udp,
        room: ROOM.to_owned(),
        identity: bot.uri.to_owned(),
        display: Some(bot.name.to_owned()),
    };
    Chat::join(&config).await
}

struct Talk {
    ada: Chat,
    grace: Chat,
    sending: JoinSet<Result<(), Refusal>>,
    next_line: usize,
    replies: usize,
    last_reply: Option<Instant>,
    screen: Screen,
}

impl Talk {
    fn new(ada: Chat, grace: Chat) -> Self {
        Self {
            ada,
            grace,
            sending: JoinSet::new(),
            next_line: 0,
            replies: 0,
            last_reply: None,
            screen: Screen::default(),
        }
    }

    /// Talks until a stay ends; says why.
    async fn run(&mut self) -> String {
        let mut pace = interval_at(Instant::now() + FIRST_PAUSE, PAUSE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = pace.tick() => self.speak(),
                event = self.ada.next() => match event {
                    ChatEvent::Ended { reason } => return reason,
                    ChatEvent::Refused(refusal) => trouble(&refusal),
                    ChatEvent::Presence(_) => {}
                    ChatEvent::Message { from, display, text } => {
                        self.on_message(&from, display.as_deref(), &text);
                    }
                },
                event = self.grace.next() => match event {
                    ChatEvent::Ended { reason } => return reason,
                    ChatEvent::Refused(refusal) => trouble(&refusal),
                    // Ada sees what the others say; here only she is news.
                    ChatEvent::Message { from, text, .. } if from == ADA.uri => {
                        self.screen.show(ADA.name, &text);
                    }
                    ChatEvent::Message { .. } | ChatEvent::Presence(_) => {}
                },
                Some(sent) = self.sending.join_next() => {
                    if let Ok(Err(refusal)) = sent {
                        trouble(&refusal);
                    }
                }
            }
        }
    }

    fn speak(&mut self) {
        let line = LINES[self.next_line % LINES.len()];
        let speaker = if self.next_line.is_multiple_of(2) {
            &self.ada
        } else {
            &self.grace
        };
        self.sending.spawn(speaker.send(line));
        self.next_line += 1;
    }

    fn on_message(&mut self, from: &str, display: Option<&str>, text: &str) {
        let name = display.unwrap_or_else(|| short_name(from));
        self.screen.show(name, text);
        let is_too_soon = self.last_reply.is_some_and(|at| at.elapsed() < REPLY_PAUSE);
        if from == GRACE.uri || is_too_soon {
            return;
        }
        let speaker = if self.replies.is_multiple_of(2) {
            &self.grace
        } else {
            &self.ada
        };
        self.sending
            .spawn(speaker.send(&reply(&printable(name), self.replies)));
        self.replies += 1;
        self.last_reply = Some(Instant::now());
    }
}

/// Where the talk is shown: a burst of messages would run away from a reader.
#[derive(Default)]
struct Screen {
    second: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Screen {
    fn show(&mut self, name: &str, text: &str) {
        if let Some(line) = self.line(Instant::now(), name, text) {
            println!("{line}");
        }
    }

    /// What is shown of one more line that came at `now`.
    fn line(&mut self, now: Instant, name: &str, text: &str) -> Option<String> {
        let is_new = self.second.is_none_or(|start| now - start >= SECOND);
        if is_new {
            self.second = Some(now);
            self.lines = 0;
        }
        if self.lines == LINES_PER_SECOND_MAX {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        let before = match std::mem::take(&mut self.left_out) {
            0 => String::new(),
            count => format!("({count} lines more, too fast to read)\n"),
        };
        Some(format!("{before}{}: {}", printable(name), printable(text)))
    }
}

fn trouble(refusal: &Refusal) {
    tracing::warn!(%refusal, "a line of a bot was not accepted");
}

/// Before the first line.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Between two lines.
const PAUSE: Duration = Duration::from_secs(4);
/// Between two answers; messages that come sooner get none.
const REPLY_PAUSE: Duration = Duration::from_millis(500);
/// Over which lines are counted.
const SECOND: Duration = Duration::from_secs(1);
/// Lines that are shown in a second; further ones are counted.
const LINES_PER_SECOND_MAX: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn screen_counts_what_comes_too_fast_to_read() {
        let (mut screen, start) = (Screen::default(), Instant::now());
        let shown = (0..100).filter_map(|_| screen.line(start, "ada", "hello"));
        assert_eq!(shown.count(), 20);
        assert_eq!(
            screen.line(start + SECOND, "ada", "bye").as_deref(),
            Some("(80 lines more, too fast to read)\nada: bye")
        );
    }
}
