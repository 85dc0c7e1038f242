//! Logs on stderr: JSON lines for programs, plain lines for a terminal.
//!
//! The JSON form has one object a line with `timestamp`, `level`, `target` and the event's own
//! fields, `message` among them, on the top level.

mod pacing;
mod queue;

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use pacing::Pacing;
use queue::Queue;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line.
    Json,
    /// For a person.
    Plain,
}

impl Form {
    /// [`Form::Plain`] when stderr is a terminal, else [`Form::Json`].
    #[must_use]
    pub fn of_stderr() -> Self {
        if stderr().is_terminal() {
            Self::Plain
        } else {
            Self::Json
        }
    }
}

/// A filter that cannot be read. The operator's fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    filter: String,
    reason: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (filter, reason) = (&self.filter, &self.reason);
        write!(
            f,
            "--log {filter}: expected a filter such as {DEFAULT_FILTER}: {reason}"
        )
    }
}

impl std::error::Error for FilterError {}

/// Starts logging for the whole process. A second call changes nothing.
///
/// # Errors
/// [`FilterError`] when the filter cannot be read.
pub fn start(filter: &str, form: Form) -> Result<(), FilterError> {
    start_to(filter, form, stderr)
}

/// As [`start`], for a process that must not wait for the reader of its log: a thread writes, and what it cannot write is
/// lost and counted. Panics are logged too. [`flush`] belongs to the end.
///
/// # Errors
/// As [`start`].
pub fn start_queued(filter: &str, form: Form) -> Result<(), FilterError> {
    match Queue::start(stderr()) {
        Ok(queue) => {
            let queue = QUEUE.get_or_init(|| queue);
            start_to(filter, form, queue.clone())?;
            std::panic::set_hook(Box::new(log_panic));
            Ok(())
        }
        // Without a thread for it, those who log write.
        Err(_) => start(filter, form),
    }
}

/// Waits until what was logged is written, for a second at most. Nothing to wait for without [`start_queued`].
pub fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.flush();
    }
}

static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Takes the place of what writes to the standard error and would wait for it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let reason = panic.payload_as_str();
    tracing::error!(place, reason, "panicked");
}

fn start_to<W>(filter: &str, form: Form, writer: W) -> Result<(), FilterError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt()
        .with_env_filter(read_filter(filter)?)
        .with_writer(writer);
    // An error here says that a subscriber is in place already.
    let _ = match form {
        Form::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .finish()
            .with(Pacing::new())
            .try_init(),
        Form::Plain => layer
            .with_ansi(stderr().is_terminal())
            .finish()
            .with(Pacing::new())
            .try_init(),
    };
    Ok(())
}

fn read_filter(filter: &str) -> Result<EnvFilter, FilterError> {
    EnvFilter::try_new(filter).map_err(|e| FilterError {
        filter: filter.to_owned(),
        reason: e.to_string(),
    })
}

/// What is logged unless the operator says otherwise. The SIP stack logs every message at `info`.
pub const DEFAULT_FILTER: &str = "info,rsipstack=warn";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_that_cannot_be_read_is_named() {
        let error = read_filter("info,msrpd=loud").unwrap_err().to_string();
        assert!(
            error.starts_with("--log info,msrpd=loud: expected a filter"),
            "{error}"
        );
    }

    #[test]
    fn filter_default_is_legal() {
        assert!(read_filter(DEFAULT_FILTER).is_ok());
    }
}
