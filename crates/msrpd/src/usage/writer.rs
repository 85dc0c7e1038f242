//! The thread that writes the lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use msrp_shard::UsageRecords;

use super::line::Lines;
use super::{STOP_MAX, Shared};
use crate::config::UsageFile;

/// Where the lines go.
#[derive(Debug)]
pub(super) enum Output {
    Stdout,
    File(PathBuf, File),
}

impl Output {
    /// Opens it.
    ///
    /// # Errors
    /// A sentence with the name of the file.
    pub(super) fn open(file: &UsageFile) -> Result<Self, String> {
        match file {
            UsageFile::Stdout => Ok(Self::Stdout),
            UsageFile::Path(path) => append(path)
                .map(|opened| Self::File(path.clone(), opened))
                .map_err(|error| {
                    format!(
                        "the file of usage records {} cannot be opened: {error}",
                        path.display()
                    )
                }),
        }
    }

    /// Opens the file again by its name. The old one stays when that fails.
    fn reopen(&mut self) -> io::Result<()> {
        if let Self::File(path, file) = self {
            *file = append(path)?;
        }
        Ok(())
    }

    /// Writes whole lines from the beginning of the octets. Returns how many octets are done, of
    /// complete lines; a line that was written in part is taken back from a file.
    fn write(&mut self, octets: &[u8]) -> (usize, io::Result<()>) {
        let (done, result) = match self {
            Self::Stdout => write_all(&mut io::stdout().lock(), octets),
            Self::File(_, file) => write_all(file, octets),
        };
        if result.is_ok() {
            return (done, result);
        }
        let written = octets.get(..done).unwrap_or_default();
        let whole = written
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |i| i + 1);
        match self {
            // What has gone to a pipe cannot be taken back: the rest of the line follows.
            Self::Stdout => (done, result),
            Self::File(_, file) => {
                let torn = (done - whole) as u64;
                let cut = file.metadata().and_then(|data| {
                    let is_regular = data.is_file() && torn > 0;
                    if is_regular {
                        file.set_len(data.len().saturating_sub(torn))?;
                    }
                    Ok(())
                });
                let done = if cut.is_ok() { whole } else { done };
                (done, result)
            }
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// As [`Write::write_all`], and says how far it came.
fn write_all(to: &mut impl Write, octets: &[u8]) -> (usize, io::Result<()>) {
    let mut done = 0;
    while let Some(rest) = octets.get(done..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => return (done, Err(io::ErrorKind::WriteZero.into())),
            Ok(octets) => done += octets,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (done, Err(error)),
        }
    }
    (done, to.flush())
}

/// The thread's work.
#[derive(Debug)]
pub(super) struct Writer {
    records: UsageRecords,
    lines: Lines,
    output: Output,
    shared: Arc<Shared>,
    /// Lines that are to be written.
    octets: Vec<u8>,
    lines_count: u64,
    /// Whether the last write failed, so that a failure is logged once.
    is_failing: bool,
}

impl Writer {
    pub(super) fn new(
        records: UsageRecords,
        lines: Lines,
        output: Output,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            records,
            lines,
            output,
            shared,
            octets: Vec::new(),
            lines_count: 0,
            is_failing: false,
        }
    }

    /// Writes until it is told to stop, then what is left.
    pub(super) fn run(mut self) {
        let mut gives_up = None;
        loop {
            // Read before the queue: whatever was in it then is taken below.
            let is_stopping = self.shared.is_stopping.load(Ordering::Acquire);
            if self.shared.wants_reopening.swap(false, Ordering::AcqRel) {
                self.reopen();
            }
            let is_empty = self.gather(is_stopping);
            self.write();
            if !is_stopping {
                continue;
            }
            if is_empty && self.octets.is_empty() {
                return;
            }
            let deadline = *gives_up.get_or_insert_with(|| Instant::now() + STOP_MAX);
            if Instant::now() >= deadline {
                let lines = self.lines_count;
                tracing::error!(
                    lines,
                    "usage records are lost: they could not be written in time"
                );
                return;
            }
        }
    }

    /// Takes records out of the queue. `true` when none is left there.
    fn gather(&mut self, is_stopping: bool) -> bool {
        if self.is_failing {
            // They wait in the queue, which is bounded.
            std::thread::park_timeout(if is_stopping { LOOK } else { RETRY });
            if !self.octets.is_empty() {
                return false;
            }
        }
        let mut wait = if is_stopping { Duration::ZERO } else { LOOK };
        while self.octets.len() < WRITE_OCTETS {
            let Some(note) = self.records.next(wait) else {
                return true;
            };
            self.lines.write(&note, &mut self.octets);
            self.lines_count += 1;
            self.shared.held.store(self.lines_count, Ordering::Relaxed);
            wait = Duration::ZERO;
        }
        false
    }

    fn write(&mut self) {
        if self.octets.is_empty() {
            return;
        }
        let (done, result) = self.output.write(&self.octets);
        let count = |octets: &[u8]| octets.iter().filter(|b| **b == b'\n').count() as u64;
        let written = count(self.octets.get(..done).unwrap_or_default());
        self.octets.drain(..done);
        self.lines_count = self.lines_count.saturating_sub(written);
        self.shared.held.store(self.lines_count, Ordering::Relaxed);
        self.shared.written.fetch_add(written, Ordering::Relaxed);
        match result {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                tracing::info!("usage records are written again");
            }
            Ok(()) => {}
            Err(error) => {
                self.shared.failures.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(%error, "usage records cannot be written; they wait");
                }
            }
        }
    }

    fn reopen(&mut self) {
        match self.output.reopen() {
            Ok(()) => tracing::info!("the file of usage records was opened again"),
            Err(error) => {
                tracing::error!(%error, "the file of usage records cannot be opened again; the old one stays");
            }
        }
    }
}

/// Octets that are written at a time.
const WRITE_OCTETS: usize = 64 * 1024;
/// How often it is looked for orders while no record comes.
const LOOK: Duration = Duration::from_millis(100);
/// How long to wait after a write that failed.
const RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many octets and no more.
    struct Small(Vec<u8>, usize);

    impl Write for Small {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let room = self.1 - self.0.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = octets.len().min(room).min(3);
            self.0.extend_from_slice(&octets[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn write_says_how_far_it_came() {
        let mut small = Small(Vec::new(), 7);
        let (done, result) = write_all(&mut small, b"0123456789");
        assert_eq!(
            (done, result.unwrap_err().kind()),
            (7, io::ErrorKind::StorageFull)
        );
        let (done, result) = write_all(&mut Small(Vec::new(), 99), b"0123456789");
        assert_eq!(done, 10);
        result.unwrap();
    }

    #[test]
    fn full_disk_takes_nothing_and_keeps_the_lines() {
        let mut output = Output::open(&UsageFile::Path("/dev/full".into())).unwrap();
        let (done, result) = output.write(b"one\ntwo\n");
        assert_eq!(done, 0);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn file_that_cannot_be_opened_is_named() {
        let missing = UsageFile::Path("/nonexistent/usage.jsonl".into());
        let error = Output::open(&missing).unwrap_err();
        assert!(error.contains("/nonexistent/usage.jsonl"), "{error}");
    }
}
