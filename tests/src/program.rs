//! A program of the project with its terminal.

use std::process::{ExitStatus, Stdio};

use msrp_testkit::Transcript;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// A running program. It is killed when the value is dropped.
pub struct Program {
    child: Child,
    keyboard: Option<ChildStdin>,
    screen: Lines<BufReader<ChildStdout>>,
    errors: ChildStderr,
    transcript: Transcript,
}

impl Program {
    /// Starts `msrpd` or `msrpctl`.
    ///
    /// # Panics
    /// When there is no such binary.
    #[must_use]
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(msrp_testkit::daemon::program(name));
        command.args(arguments).kill_on_drop(true);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("a started program");
        Self {
            keyboard: child.stdin.take(),
            screen: BufReader::new(child.stdout.take().expect("a piped stdout")).lines(),
            errors: child.stderr.take().expect("a piped stderr"),
            transcript: Transcript::new(format!("{name} {arguments:?}")),
            child,
        }
    }

    /// Waits for a line on the screen that `select` likes.
    ///
    /// # Panics
    /// When the program ends without it, or the deadline passes.
    pub async fn expect_line(&mut self, what: &str, select: impl Fn(&str) -> bool) -> String {
        let transcript = self.transcript.clone();
        let search = async {
            while let Some(line) = self.screen.next_line().await.expect("a readable stdout") {
                transcript.note(&line);
                if select(&line) {
                    return line;
                }
            }
            panic!("the program ended before {what}\n{transcript}");
        };
        transcript.within(what, search).await
    }

    /// The lines from here to the end of its output.
    ///
    /// # Panics
    /// When the output has not ended before the deadline.
    pub async fn rest_of_screen(&mut self) -> Vec<String> {
        let transcript = self.transcript.clone();
        let mut lines = Vec::new();
        let rest = async {
            while let Some(line) = self.screen.next_line().await.expect("a readable stdout") {
                lines.push(line);
            }
        };
        transcript.within("the end of the output", rest).await;
        lines
    }

    /// Writes a line.
    ///
    /// # Panics
    /// When nobody reads it.
    pub async fn type_line(&mut self, line: &str) {
        self.transcript.note(format_args!("types {line:?}"));
        let keyboard = self.keyboard.as_mut().expect("an open stdin");
        keyboard
            .write_all(format!("{line}\n").as_bytes())
            .await
            .expect("a program that reads");
    }

    /// Ends the input.
    pub fn end_input(&mut self) {
        self.keyboard = None;
    }

    /// Sends a signal by its name, such as `INT`.
    ///
    /// # Panics
    /// When the program has ended.
    pub async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("a running program").to_string();
        let kill = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid])
            .status();
        assert!(kill.await.expect("sh").success(), "signal {name}");
    }

    /// Waits for the end; gives the status, and what it wrote to its standard error.
    ///
    /// # Panics
    /// When it has not ended before the deadline.
    pub async fn wait_end(&mut self) -> (ExitStatus, String) {
        let transcript = self.transcript.clone();
        let end = async {
            let mut errors = String::new();
            self.errors
                .read_to_string(&mut errors)
                .await
                .expect("errors in UTF-8");
            while let Some(line) = self.screen.next_line().await.expect("a readable stdout") {
                transcript.note(&line);
            }
            let status = self.child.wait().await.expect("a status");
            (status, errors)
        };
        transcript.within("the end of the program", end).await
    }
}
