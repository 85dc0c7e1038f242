//! Usage records: one line of JSON for the beginning, the course and the end of each session.
//!
//! ```text
//!   shards --bounded queue--> thread "usage" --> file, or standard output
//!              full: lost, counted                 refused (disk full): kept, tried again each second
//! ```
//!
//! The media path never waits for a disk. What cannot be written waits in the queue, which is counted
//! and logged; records are lost only when the queue is full, and each of them is counted.

mod line;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use msrp_control::metrics::{Kind, Sample};
use msrp_control::{Client, PAGE_MAX};
use msrp_shard::{ShardEngine, UsageGauge};

use crate::admin::metric::Metric;
use crate::config::Usage;

use line::Lines;
use writer::{Output, Writer};

/// What the writing thread and others share.
#[derive(Debug, Default)]
struct Shared {
    is_stopping: AtomicBool,
    wants_reopening: AtomicBool,
    written: AtomicU64,
    failures: AtomicU64,
    /// Records that are out of the queue and not yet written.
    held: AtomicU64,
}

/// The thread that writes the records of a node.
pub struct UsageKeeper {
    shared: Arc<Shared>,
    gauge: UsageGauge,
    thread: JoinHandle<()>,
    interim: Option<tokio::task::JoinHandle<()>>,
}

/// What asks the thread for something while it runs.
#[derive(Clone)]
pub struct UsageHandle(Arc<Shared>, UsageGauge);

impl UsageKeeper {
    /// Starts to keep the records of an engine; `None` when the configuration wants none.
    ///
    /// # Errors
    /// A sentence that says which file cannot be written: the operator's fault.
    pub fn start(
        config: &Usage,
        node: &str,
        engine: &Arc<ShardEngine>,
    ) -> Result<Option<Self>, String> {
        let Some(file) = &config.file else {
            return Ok(None);
        };
        let output = Output::open(file)?;
        let Some(records) = engine.usage_records(RECORDS_MAX) else {
            return Err("the usage records are kept already".to_owned());
        };
        let shared = Arc::new(Shared::default());
        let gauge = records.gauge();
        let lines = Lines::new(node, config.identities);
        let writer = Writer::new(records, lines, output, Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("usage".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| format!("the thread of the usage records was not started: {error}"))?;
        let interim = (config.interim_s > 0).then(|| {
            let client = Client::new(engine.clone());
            let interval = Duration::from_secs(u64::from(config.interim_s));
            tokio::spawn(record_rooms(client, interval))
        });
        Ok(Some(Self {
            shared,
            gauge,
            thread,
            interim,
        }))
    }

    /// What asks it for something.
    #[must_use]
    pub fn handle(&self) -> UsageHandle {
        UsageHandle(Arc::clone(&self.shared), self.gauge.clone())
    }

    /// Writes what is there and ends. Blocks until then, for 5 s at most when nothing can be
    /// written. To be called when the engine has ended.
    pub fn stop(self) {
        if let Some(interim) = &self.interim {
            interim.abort();
        }
        self.shared.is_stopping.store(true, Ordering::Release);
        // A panic in there has been logged.
        let _ = self.thread.join();
    }
}

impl UsageHandle {
    /// Has the file opened anew, by its name: it was moved away.
    pub fn reopen(&self) {
        self.0.wants_reopening.store(true, Ordering::Release);
    }

    /// The metrics of the records.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let Self(shared, gauge) = self;
        let waiting = gauge.waiting() + shared.held.load(Ordering::Relaxed);
        samples([
            shared.written.load(Ordering::Relaxed),
            waiting,
            gauge.lost(),
            shared.failures.load(Ordering::Relaxed),
        ])
    }
}

/// The metrics of a node that keeps no records.
#[must_use]
pub fn no_samples() -> Vec<Sample> {
    samples([0; METRICS.len()])
}

fn samples(values: [u64; METRICS.len()]) -> Vec<Sample> {
    let sample = |((name, help, kind), value): (&Metric, u64)| Sample {
        name,
        help,
        kind: *kind,
        labels: Vec::new(),
        value,
    };
    METRICS.iter().zip(values).map(sample).collect()
}

/// Has an interim record made of each session once in each interval, the rooms one after the other.
async fn record_rooms(client: Client, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let mut after = None;
        while let Ok(page) = client.rooms(after.take(), PAGE_MAX).await {
            let is_full = page.len() == PAGE_MAX;
            for summary in page {
                after = Some(summary.room.clone());
                // A room that has ended meanwhile has its last records.
                let _ = client.record_usage(summary.room).await;
            }
            if !is_full {
                break;
            }
        }
    }
}

/// The metrics of the records.
pub(crate) const METRICS: [Metric; 4] = [
    (
        "msrpd_usage_records_written_total",
        "Usage records that were written.",
        Kind::Counter,
    ),
    (
        "msrpd_usage_records_waiting",
        "Usage records that wait to be written.",
        Kind::Gauge,
    ),
    (
        "msrpd_usage_records_lost_total",
        "Usage records that were lost because too many waited to be written.",
        Kind::Counter,
    ),
    (
        "msrpd_usage_write_failures_total",
        "Times that the usage records could not be written; they are kept and tried again.",
        Kind::Counter,
    ),
];

/// Most records that wait to be written, beside those of one write. One more is lost, and counted.
const RECORDS_MAX: usize = 65_536;

/// How long the end of the node waits for a file that takes nothing.
const STOP_MAX: Duration = Duration::from_secs(5);
