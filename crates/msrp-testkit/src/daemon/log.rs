//! The log of the daemon, line by line.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use tokio::sync::watch;

use crate::transcript::{Transcript, lock};

/// One line of the log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// The line as it was.
    pub raw: String,
    /// The line as JSON; null when it is none.
    pub json: Value,
}

impl LogLine {
    fn new(raw: String) -> Self {
        Self {
            json: serde_json::from_str(&raw).unwrap_or(Value::Null),
            raw,
        }
    }

    /// The field `message`; empty when missing.
    pub fn message(&self) -> String {
        self.field("message")
    }

    /// A field as text, at the top or below `fields`; empty when missing.
    pub fn field(&self, name: &str) -> String {
        let value = self
            .json
            .get(name)
            .or_else(|| self.json.get("fields")?.get(name));
        match value {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }
}

/// Both outputs of the process. Two threads read them until their end, whatever the test does.
pub(super) struct Log {
    lines: Mutex<Vec<LogLine>>,
    stdout: Mutex<String>,
    /// How many outputs are open, changed with every line too.
    open: watch::Sender<usize>,
    /// Held by who wants the outputs not to be read.
    reading: Mutex<()>,
}

impl Log {
    pub(super) fn read(child: &mut Child, transcript: &Transcript) -> Arc<Self> {
        let log = Arc::new(Self {
            lines: Mutex::default(),
            stdout: Mutex::default(),
            open: watch::Sender::new(2),
            reading: Mutex::default(),
        });
        let stderr = child.stderr.take().expect("a piped stderr");
        let stdout = child.stdout.take().expect("a piped stdout");
        log.follow(stderr, transcript.clone(), |log, line| {
            lock(&log.lines).push(LogLine::new(line))
        });
        log.follow(stdout, transcript.clone(), |log, line| {
            lock(&log.stdout).push_str(&format!("{line}\n"))
        });
        log
    }

    fn follow(
        self: &Arc<Self>,
        output: impl Read + Send + 'static,
        transcript: Transcript,
        add: impl Fn(&Self, String) + Send + 'static,
    ) {
        let log = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                drop(lock(&log.reading));
                let line = String::from_utf8_lossy(&line).into_owned();
                transcript.note(&line);
                add(&log, line);
                log.open.send_modify(|_| ());
            }
            log.open.send_modify(|open| *open -= 1);
        });
    }

    /// Reads nothing from now on but what is buffered, until the value goes.
    pub(super) fn pause(&self) -> MutexGuard<'_, ()> {
        lock(&self.reading)
    }

    pub(super) fn lines(&self) -> Vec<LogLine> {
        lock(&self.lines).clone()
    }

    pub(super) fn stdout(&self) -> String {
        lock(&self.stdout).clone()
    }

    /// The first line that `select` likes, or `None` when the process ended without it.
    pub(super) async fn wait(&self, select: impl Fn(&LogLine) -> bool) -> Option<LogLine> {
        let mut open = self.open.subscribe();
        let mut seen = 0;
        loop {
            let ended = *open.borrow_and_update() == 0;
            let found = {
                let lines = lock(&self.lines);
                let found = lines[seen..].iter().find(|line| select(line)).cloned();
                seen = lines.len();
                found
            };
            if found.is_some() || ended || open.changed().await.is_err() {
                return found;
            }
        }
    }

    /// Waits until both outputs are closed.
    pub(super) async fn ended(&self) {
        let mut open = self.open.subscribe();
        let _closed = open.wait_for(|open| *open == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn script(text: &str) -> (Child, Arc<Log>) {
        let mut command = Command::new("sh");
        command
            .args(["-c", text])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::read(&mut child, &Transcript::new("script"));
        (child, log)
    }

    #[test]
    fn log_line_fields_are_found_flat_and_nested() {
        let flat = LogLine::new(r#"{"message":"listening","kind":"sip","port":5}"#.into());
        assert_eq!(
            (
                flat.message().as_str(),
                flat.field("kind").as_str(),
                flat.field("port").as_str()
            ),
            ("listening", "sip", "5")
        );
        let nested = LogLine::new(r#"{"fields":{"message":"ready"}}"#.into());
        assert_eq!(
            (nested.message().as_str(), nested.field("kind").as_str()),
            ("ready", "")
        );
        assert_eq!(LogLine::new("panicked".into()).message(), "");
    }

    #[tokio::test]
    async fn log_wait_finds_the_line_or_the_end() {
        let (mut child, log) = script("echo '{\"message\":\"ready\"}' >&2; echo out; read x");
        assert_eq!(
            log.wait(|line| line.message() == "ready")
                .await
                .unwrap()
                .message(),
            "ready"
        );
        child.kill().unwrap();
        assert!(log.wait(|line| line.message() == "never").await.is_none());
        log.ended().await;
        child.wait().unwrap();
        assert!(log.lines().len() == 1);
    }
}
