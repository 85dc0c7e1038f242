//! The `msrpd` process under test.

mod binary;
mod config;
mod directory;
mod log;
mod metrics;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

pub use binary::program;
pub use config::{Config, Toml};
use log::Log;
pub use log::LogLine;
use tempfile::TempDir;

use crate::http::{self, HttpResponse};
use crate::transcript::Transcript;

/// A running daemon. It is killed when the value is dropped.
///
/// It was started with a configuration in a directory of its own, which goes with it.
pub struct Daemon {
    child: Child,
    log: Arc<Log>,
    directory: TempDir,
    transcript: Transcript,
}

/// What a command of `msrpd` printed and how it ended.
#[derive(Clone, Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Daemon {
    /// Starts `msrpd serve --config FILE` and waits until it logs `ready`. Takes a [`Config`] or the text of a
    /// configuration, in which `@DIR@` stands for the directory of the daemon.
    ///
    /// # Panics
    /// When there is no binary, or it does not become ready before the deadline.
    pub async fn start(config: impl Into<Config>) -> Self {
        let directory = TempDir::new().expect("a directory for the daemon");
        let file = config.into().write(directory.path());
        let file = file.to_str().expect("a path in UTF-8").to_owned();
        let command = command(&["serve", "--config", &file], directory.path());
        Self::launch(directory, command).await
    }

    /// Starts `msrpd` with other arguments, such as `demo`, and waits until it logs `ready`.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_with_args(args: &[&str]) -> Self {
        let directory = TempDir::new().expect("a directory for the daemon");
        let command = command(args, directory.path());
        Self::launch(directory, command).await
    }

    async fn launch(directory: TempDir, mut command: Command) -> Self {
        let transcript = Transcript::new(format!("{command:?}"));
        let mut child = command.spawn().expect("a started msrpd");
        let log = Log::read(&mut child, &transcript);
        let daemon = Self {
            child,
            log,
            directory,
            transcript,
        };
        daemon
            .wait_log("ready", |line| line.message() == "ready")
            .await;
        daemon
    }

    /// The address of the first MSRP listener.
    ///
    /// # Panics
    /// When the daemon has not logged one.
    pub fn msrp_addr(&self) -> SocketAddr {
        self.listening("msrp", None)
    }

    /// The address of the first MSRP listener of a transport, such as `tls`.
    ///
    /// # Panics
    /// When the daemon has not logged one.
    pub fn msrp_addr_of(&self, transport: &str) -> SocketAddr {
        self.listening("msrp", Some(transport))
    }

    /// The address of SIP over UDP.
    ///
    /// # Panics
    /// When the daemon has not logged one.
    pub fn sip_udp(&self) -> SocketAddr {
        self.listening("sip", Some("udp"))
    }

    /// The address of SIP over TCP.
    ///
    /// # Panics
    /// When the daemon has not logged one.
    pub fn sip_tcp(&self) -> SocketAddr {
        self.listening("sip", Some("tcp"))
    }

    /// The UDP address of the ng dialect.
    ///
    /// # Panics
    /// When there is none.
    pub fn ng_addr(&self) -> SocketAddr {
        self.listening("ng", Some("udp"))
    }

    /// The address of the admin door.
    ///
    /// # Panics
    /// When the daemon has not logged one.
    pub fn admin_addr(&self) -> SocketAddr {
        self.listening("admin", None)
    }

    fn listening(&self, kind: &str, transport: Option<&str>) -> SocketAddr {
        let lines = self.log.lines();
        let line = lines.iter().find(|line| {
            let named =
                transport.is_none_or(|name| line.field("transport").eq_ignore_ascii_case(name));
            line.message() == "listening" && line.field("kind") == kind && named
        });
        let address = line.and_then(|line| line.field("address").parse().ok());
        address.unwrap_or_else(|| {
            panic!(
                "no listener {kind} {transport:?} in the log\n{}",
                self.transcript
            )
        })
    }

    /// The lines of the log so far.
    pub fn log_lines(&self) -> Vec<LogLine> {
        self.log.lines()
    }

    /// Stops reading what the daemon writes to its outputs, as long as the value lives: at most one line more of each. The
    /// pipes fill up then.
    #[must_use]
    pub fn pause_log(&self) -> impl Drop + '_ {
        self.log.pause()
    }

    /// Waits for a line of the log, from the start on; `what` names it when the wait fails.
    ///
    /// # Panics
    /// When the line has not come before the deadline, or the daemon ended before.
    pub async fn wait_log(&self, what: &str, select: impl Fn(&LogLine) -> bool) -> LogLine {
        let line = self
            .transcript
            .within(&format!("log line {what}"), self.log.wait(select))
            .await;
        line.unwrap_or_else(|| panic!("msrpd ended before log line {what}\n{}", self.transcript))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The directory of the daemon, where its configuration stands.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file into the directory of the daemon, whole or not at all.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write_file(&self, name: &str, text: &str) -> PathBuf {
        directory::write(self.directory.path(), name, text)
    }

    /// Sends a signal by its name, such as `HUP`.
    ///
    /// # Panics
    /// When there is no such signal, or the process is gone.
    pub fn signal(&self, name: &str) {
        self.transcript.note(format_args!("signal {name}"));
        let pid = self.child.id().to_string();
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name, &pid])
            .status()
            .expect("sh");
        assert!(
            status.success(),
            "signal {name} to msrpd\n{}",
            self.transcript
        );
    }

    /// Sends TERM and waits for the end.
    ///
    /// # Panics
    /// When the daemon has not ended before the deadline.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait_end().await
    }

    /// Waits, however long, until the daemon has closed its outputs: until it ends.
    pub async fn outputs_closed(&self) {
        self.log.ended().await;
    }

    /// Waits for the end of the daemon.
    ///
    /// # Panics
    /// When the daemon has not ended before the deadline.
    pub async fn wait_end(&mut self) -> ExitStatus {
        self.transcript
            .within("the end of msrpd", self.log.ended())
            .await;
        // Both outputs are closed, so the process is at its end and this does not block for long.
        let status = self.child.wait().expect("the status of msrpd");
        self.transcript.note(format_args!("ended: {status}"));
        status
    }

    /// What the daemon wrote to its standard output so far.
    pub fn stdout(&self) -> String {
        self.log.stdout()
    }

    /// The record of the daemon: its log.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// GET of a path of the admin door.
    pub async fn http_get(&self, path: &str) -> HttpResponse {
        http::get(self.admin_addr(), path).await
    }

    /// Another request to the admin door; the body comes with its Content-Type.
    pub async fn http_request(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &str)>,
    ) -> HttpResponse {
        http::request(self.admin_addr(), method, path, body).await
    }

    /// Status and body of `/metrics`.
    pub async fn metrics(&self) -> (u16, String) {
        let response = self.http_get("/metrics").await;
        (response.status, response.body)
    }

    /// The value of a series, written as in `/metrics` with its labels: `name{label="value"}`.
    ///
    /// # Panics
    /// When there is no such series.
    pub async fn metric(&self, series: &str) -> f64 {
        let (status, body) = self.metrics().await;
        assert_eq!(status, 200, "GET /metrics: {body}");
        metrics::value(&body, series).unwrap_or_else(|| panic!("no series {series}\n{body}"))
    }

    /// Reads a series again and again until its value is right. A missing series counts as 0.
    ///
    /// # Panics
    /// When it is not before the deadline.
    pub async fn wait_metric(&self, series: &str, is_right: impl Fn(f64) -> bool) -> f64 {
        self.wait_metric_within(crate::DEADLINE, series, is_right)
            .await
    }

    /// The same with a deadline of its own, where the standard lets something take long.
    ///
    /// # Panics
    /// When the value is not right before the deadline.
    pub async fn wait_metric_within(
        &self,
        deadline: Duration,
        series: &str,
        is_right: impl Fn(f64) -> bool,
    ) -> f64 {
        let mut last = String::new();
        let poll = async {
            let mut turn = tokio::time::interval(metrics::POLL);
            loop {
                turn.tick().await;
                last = self.metrics().await.1;
                let value = metrics::value(&last, series).unwrap_or(0.0);
                if is_right(value) {
                    return value;
                }
            }
        };
        match tokio::time::timeout(deadline, poll).await {
            Ok(value) => value,
            Err(_) => panic!("{series} did not become right\n{last}\n{}", self.transcript),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.transcript);
        }
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Runs a command of `msrpd` to its end, such as `check --config FILE`, in a directory of its own. The files are
/// written there first and can be named by their bare names.
///
/// # Panics
/// When there is no binary, or the command has not ended before the deadline.
pub async fn run(args: &[&str], files: &[(&str, &str)]) -> Output {
    let directory = TempDir::new().expect("a directory for the daemon");
    for (name, text) in files {
        directory::write(directory.path(), name, text);
    }
    run_to_end(command(args, directory.path())).await
}

async fn run_to_end(mut command: Command) -> Output {
    let transcript = Transcript::new(format!("{command:?}"));
    let mut child = command.spawn().expect("a started msrpd");
    let log = Log::read(&mut child, &transcript);
    let ended = tokio::time::timeout(crate::DEADLINE, log.ended()).await;
    if ended.is_err() {
        let _gone = child.kill();
    }
    let status = child.wait().expect("the status of msrpd");
    assert!(ended.is_ok(), "msrpd did not end\n{transcript}");
    let stderr = log
        .lines()
        .iter()
        .map(|line| format!("{}\n", line.raw))
        .collect();
    Output {
        status,
        stdout: log.stdout(),
        stderr,
    }
}

fn command(args: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(binary::path());
    command.args(args).current_dir(directory);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[cfg(test)]
impl Daemon {
    /// A process that logs as the daemon does, with SIP over UDP at this address, and ends at TERM.
    pub(crate) async fn stand_in(sip_udp: SocketAddr) -> Self {
        let directory = TempDir::new().expect("a directory for the daemon");
        let listening = |kind: &str, transport: &str, address: &str| {
            format!(
                r#"{{"fields":{{"message":"listening","kind":"{kind}","transport":"{transport}","address":"{address}"}}}}"#
            )
        };
        let lines = [
            listening("sip", "udp", &sip_udp.to_string()),
            listening("msrp", "tcp", "127.0.0.1:1"),
            listening("msrp", "TLS", "127.0.0.1:2"),
            r#"{"fields":{"message":"ready"}}"#.to_owned(),
        ];
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "printf '%s\n' \"$@\" >&2; exec tail -f /dev/null",
                "sh",
            ])
            .args(lines);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self::launch(directory, command).await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[tokio::test]
    async fn daemon_addresses_come_from_its_log() {
        let sip = "127.0.0.1:5060".parse().unwrap();
        let daemon = Daemon::stand_in(sip).await;
        assert_eq!(daemon.sip_udp(), sip);
        assert_eq!(daemon.msrp_addr().port(), 1);
        assert_eq!(daemon.msrp_addr_of("tls").port(), 2);
        assert_eq!(daemon.log_lines().len(), 4);
    }

    #[tokio::test]
    async fn daemon_terminated_gives_its_status() {
        let mut daemon = Daemon::stand_in("127.0.0.1:5060".parse().unwrap()).await;
        let directory = daemon.directory().to_owned();
        assert!(daemon.write_file("groups/a.xml", "<a/>").exists());
        assert_eq!(daemon.terminate().await.signal(), Some(15));
        drop(daemon);
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn command_run_to_its_end_gives_status_and_outputs() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = run_to_end(command).await;
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(
            (output.stdout.as_str(), output.stderr.as_str()),
            ("out\n", "err\n")
        );
    }

    #[tokio::test]
    async fn daemon_that_ends_before_ready_is_reported() {
        let start = async {
            let mut command = Command::new("sh");
            command.args(["-c", "echo 'config.toml: line 3: unknown key' >&2; exit 2"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            Daemon::launch(TempDir::new().expect("a directory for the daemon"), command).await;
        };
        let panic = tokio::spawn(start).await.unwrap_err().into_panic();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("msrpd ended before log line ready"), "{text}");
        assert!(text.contains("line 3: unknown key"), "{text}");
    }
}
