//! `msrpctl chat`: a chat in a terminal, or behind a pipe.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use msrp_sip::conference_view::{Change, Presence};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::nickname;
use super::output::say;
use super::typed::Typed;
use crate::client::{Chat, ChatConfig, ChatEvent, JoinError, Refusal};
use crate::signal::Signals;
use crate::text::{printable, short_name};

/// Joins, talks until one side ends it, and leaves.
pub(super) async fn run(config: &ChatConfig, is_json: bool) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return refuse(&format!("signals cannot be received: {error}")),
    };
    let joined = tokio::select! {
        joined = join(config) => joined,
        _ = signals.next() => return ExitCode::FAILURE,
    };
    let mut chat = match joined {
        Ok(chat) => chat,
        Err(error) => return refuse(&error.to_string()),
    };
    if is_json {
        say(&json!({ "type": "joined", "room": config.room }).to_string());
    } else {
        say(&format!("joined {}", printable(&config.room)));
    }
    chat.watch();
    if std::io::stdin().is_terminal() && !is_json {
        say("Type a line and press Enter. /nick NAME asks for a nickname. Ctrl-D leaves.");
    }
    let mut terminal = Terminal {
        chat,
        lines: BufReader::new(stdin()).lines(),
        is_open: true,
        sending: JoinSet::new(),
        is_json,
    };
    match terminal.talk(&mut signals).await {
        End::Left => {
            signals.end_at_next();
            terminal.chat.leave().await;
            say(if is_json {
                "{\"type\":\"left\"}"
            } else {
                "left"
            });
            ExitCode::SUCCESS
        }
        End::Ended(reason) => refuse(&format!("the chat ended: {}", printable(&reason))),
    }
}

/// Joins, and says so when it takes long.
async fn join(config: &ChatConfig) -> Result<Chat, JoinError> {
    let joining = Chat::join(config);
    tokio::pin!(joining);
    match timeout(PATIENCE, &mut joining).await {
        Ok(joined) => joined,
        Err(_) => {
            eprintln!("waiting for the SIP server at {} ...", config.server);
            joining.await
        }
    }
}

struct Terminal {
    chat: Chat,
    lines: Lines<BufReader<Stdin>>,
    is_open: bool,
    /// What waits for its answer; gives what to say about it.
    sending: JoinSet<Option<String>>,
    /// Whether what happens is shown as one JSON object a line.
    is_json: bool,
}

/// How a chat ended.
enum End {
    Left,
    Ended(String),
}

impl Terminal {
    async fn talk(&mut self, signals: &mut Signals) -> End {
        while self.is_open || !self.sending.is_empty() {
            let is_free = self.sending.len() < SENDING_MAX;
            tokio::select! {
                _ = signals.next() => return End::Left,
                line = self.lines.next_line(), if self.is_open && is_free => match line {
                    Ok(Some(line)) => self.send(&line),
                    Ok(None) | Err(_) => self.is_open = false,
                },
                event = self.chat.next() => match event {
                    ChatEvent::Ended { reason } => return End::Ended(reason),
                    event if self.is_json => say(&document(&event).to_string()),
                    event => show(&event),
                },
                Some(sent) = self.sending.join_next() => {
                    if let Ok(Some(sentence)) = sent {
                        self.note(&sentence);
                    }
                }
            }
        }
        End::Left
    }

    /// Shows what became of a line that was typed.
    fn note(&self, sentence: &str) {
        if self.is_json {
            say(&json!({ "type": "note", "text": sentence }).to_string());
        } else {
            say(sentence);
        }
    }

    fn send(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let line = match Typed::read(line) {
            Typed::Text(text) => text.to_owned(),
            Typed::Nickname(name) => {
                let (name, answered) = (name.to_owned(), self.chat.ask_nickname(name));
                let sentence = async move { Some(nickname::sentence(&name, &answered.await)) };
                self.sending.spawn(sentence);
                return;
            }
            Typed::Unknown(word) => {
                let word = printable(word);
                return self.note(&format!(
                    "there is no command /{word}, and nothing was said: /nick NAME asks for a nickname; \
                     for a text that begins with a slash, type it twice"
                ));
            }
        };
        let answered = self.chat.send(&line);
        self.sending.spawn(async move {
            let refusal = answered.await.err()?;
            Some(refused_sentence(&line, &refusal))
        });
    }
}

fn show(event: &ChatEvent) {
    match event {
        ChatEvent::Message {
            from,
            display,
            text,
        } => {
            let name = display.as_deref().unwrap_or_else(|| short_name(from));
            say(&format!("{}: {}", printable(name), printable(text)));
        }
        ChatEvent::Refused(refusal) => {
            say(&format!(
                "{}: a message did not reach everybody",
                printable(&refusal.to_string())
            ));
        }
        ChatEvent::Presence(presence) => say(&presence_sentence(presence)),
        ChatEvent::Ended { .. } => {}
    }
}

/// The same for programs; texts are as they came.
fn document(event: &ChatEvent) -> Value {
    match event {
        ChatEvent::Message {
            from,
            display,
            text,
        } => json!({ "type": "message", "from": from, "display": display, "text": text }),
        ChatEvent::Refused(refusal) => {
            json!({ "type": "refused", "reason": refusal.to_string() })
        }
        ChatEvent::Presence(presence) => {
            let change = match presence.change {
                Change::Present => "present",
                Change::Joined => "joined",
                Change::Left => "left",
                Change::Renamed => "renamed",
            };
            json!({ "type": "presence", "entity": presence.entity, "name": presence.name,
                    "change": change })
        }
        ChatEvent::Ended { reason } => json!({ "type": "ended", "reason": reason }),
    }
}

/// Starts with a star, to be told from what people write.
fn presence_sentence(presence: &Presence) -> String {
    let user = printable(short_name(&presence.entity));
    let name = presence.name.as_deref().map(printable);
    let shown = name.filter(|name| *name != user);
    match (presence.change, shown) {
        (Change::Renamed, Some(name)) => format!("* {user} is called {name} now"),
        (Change::Renamed, None) => format!("* {user} is called {user} now"),
        (change, shown) => {
            let what = match change {
                Change::Left => "left",
                Change::Joined => "joined",
                Change::Present | Change::Renamed => "is here",
            };
            let called = shown.map_or_else(String::new, |name| format!(" ({name})"));
            format!("* {user}{called} {what}")
        }
    }
}

fn refused_sentence(line: &str, refusal: &Refusal) -> String {
    let refusal = printable(&refusal.to_string());
    let shown: String = printable(line).chars().take(SHOWN_MAX).collect();
    let more = if line.chars().count() > SHOWN_MAX {
        "..."
    } else {
        ""
    };
    format!("{refusal}: the switch did not accept \"{shown}{more}\"")
}

fn refuse(reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::FAILURE
}

/// How long joining takes before the user is told about it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most lines that wait for their answer; reading waits at the limit.
const SENDING_MAX: usize = 32;
/// Most characters of a refused line that are shown.
const SHOWN_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_is_a_sentence() {
        let sentence = |name: Option<&str>, change| {
            presence_sentence(&Presence {
                entity: "sip:bob@localhost".to_owned(),
                name: name.map(str::to_owned),
                change,
            })
        };
        assert_eq!(sentence(None, Change::Present), "* bob is here");
        assert_eq!(sentence(Some("bob"), Change::Joined), "* bob joined");
        let dopey = Some("Dopey\x1b");
        assert_eq!(sentence(dopey, Change::Left), "* bob (Dopey ) left");
        let renamed = "* bob is called Dopey  now";
        assert_eq!(sentence(dopey, Change::Renamed), renamed);
    }

    #[test]
    fn document_keeps_texts_as_they_came() {
        let message = ChatEvent::Message {
            from: "sip:bob@localhost".to_owned(),
            display: None,
            text: "one\u{1b}[2J".to_owned(),
        };
        let line = document(&message).to_string();
        let expected =
            r#"{"display":null,"from":"sip:bob@localhost","text":"one\u001b[2J","type":"message"}"#;
        assert_eq!(line, expected);
    }

    #[test]
    fn refused_line_is_named_in_a_sentence() {
        let refusal = Refusal {
            status: 403,
            phrase: "Forbidden".to_owned(),
        };
        assert_eq!(
            refused_sentence("hello", &refusal),
            "403 Forbidden: the switch did not accept \"hello\""
        );
        let long = refused_sentence(&"x".repeat(50), &refusal);
        assert!(
            long.ends_with(&format!("\"{}...\"", "x".repeat(40))),
            "{long}"
        );
    }
}
