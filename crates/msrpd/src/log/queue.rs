//! A queue between those who log and the standard error, which may take nothing: its reader stands still, its disk is full.
//!
//! ```text
//!   any thread --bounded queue--> thread "log" --> standard error
//!                 full: lost, counted             refused (disk full): lost, counted
//! ```
//!
//! Nobody who logs waits. How many lines were lost is told in a line of its own when lines are taken again.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// The end of the queue that lines go into. Each write is one line.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    sender: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    Line(Vec<u8>),
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
}

impl Queue {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, items) = sync_channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let queue = Self { sender, lost };
        let lost = Arc::clone(&queue.lost);
        let thread = std::thread::Builder::new().name("log".to_owned());
        thread.spawn(move || write(&items, output, &lost))?;
        Ok(queue)
    }

    /// Waits until what was logged before is written, for [`FLUSH_MAX`] at most.
    pub(super) fn flush(&self) {
        let deadline = Instant::now() + FLUSH_MAX;
        let (done, flushed) = sync_channel(1);
        let mut item = Item::Flush(done);
        while let Err(TrySendError::Full(back)) = self.sender.try_send(item) {
            if Instant::now() >= deadline {
                return;
            }
            item = back;
            std::thread::sleep(FLUSH_LOOK);
        }
        // Late, or the thread is gone: what is left is lost with the process.
        let _ = flushed.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> &'a Self {
        self
    }
}

impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.sender.try_send(Item::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes until nobody can log any more.
fn write(items: &Receiver<Item>, mut output: impl Write, lost: &AtomicU64) {
    while let Ok(item) = items.recv() {
        match item {
            Item::Line(line) => match output.write_all(&line) {
                Ok(()) => tell_lost(lost),
                Err(_) => {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            },
            Item::Flush(done) => {
                let _ = output.flush();
                let _ = done.try_send(());
            }
        }
    }
}

/// Says how many lines were lost since it was said last. The line goes through the queue, behind those that had room.
fn tell_lost(lost: &AtomicU64) {
    let lines = lost.swap(0, Ordering::Relaxed);
    if lines > 0 {
        tracing::warn!(lines, "log lines were lost: they could not be written");
    }
}

/// Most lines that wait to be written, some 3 MB. One more is lost, and counted. Source: ours; a storm of one kind has
/// 1000 in a second at most.
const LINES_MAX: usize = 8192;
/// How long the end of the process waits for an output that takes nothing.
const FLUSH_MAX: Duration = Duration::from_secs(1);
/// How often it looks meanwhile whether there is room.
const FLUSH_LOOK: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Takes lines while the other end lets it, and fails so often before.
    #[derive(Clone, Default)]
    struct Pages {
        taken: Arc<Mutex<Vec<String>>>,
        failures: Arc<AtomicU64>,
    }

    impl Write for Pages {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let mut taken = self.taken.lock().unwrap();
            if self.failures.load(Ordering::Relaxed) > 0 {
                self.failures.fetch_sub(1, Ordering::Relaxed);
                return Err(io::ErrorKind::StorageFull.into());
            }
            taken.push(String::from_utf8_lossy(line).into_owned());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(queue: &Queue, lines: usize) {
        for number in 0..lines {
            let mut writer = queue;
            writer
                .write_all(format!("line {number}\n").as_bytes())
                .unwrap();
        }
    }

    #[test]
    fn lines_that_find_no_room_are_counted_and_nobody_waits() {
        let pages = Pages::default();
        let blocked = pages.taken.lock().unwrap();
        let queue = Queue::start(pages.clone()).unwrap();
        log(&queue, LINES_MAX + 10);
        let lost = queue.lost.load(Ordering::Relaxed);
        // One line may be with the thread already.
        assert!((9..=10).contains(&lost), "{lost}");
        drop(blocked);
        queue.flush();
        assert_eq!(
            pages.taken.lock().unwrap().len() as u64,
            LINES_MAX as u64 + 10 - lost
        );
        assert_eq!(queue.lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn lines_that_are_refused_are_counted_and_the_next_ones_written() {
        let pages = Pages::default();
        pages.failures.store(2, Ordering::Relaxed);
        let queue = Queue::start(pages.clone()).unwrap();
        log(&queue, 2);
        queue.flush();
        assert_eq!(queue.lost.load(Ordering::Relaxed), 2);
        log(&queue, 1);
        queue.flush();
        assert_eq!(*pages.taken.lock().unwrap(), ["line 0\n"]);
        assert_eq!(queue.lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn flush_of_an_output_that_takes_nothing_ends() {
        let pages = Pages::default();
        let _blocked = pages.taken.lock().unwrap();
        let queue = Queue::start(pages.clone()).unwrap();
        log(&queue, 5);
        queue.flush();
    }
}
