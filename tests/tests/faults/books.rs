//! The books of the server: what its metrics and its events say that became of each copy.

use std::collections::BTreeMap;
use std::time::Duration;

use msrp_testkit::Daemon;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Reads the events of a daemon until their stream ends.
pub(crate) struct Books {
    task: JoinHandle<()>,
    entries: watch::Receiver<Entries>,
}

/// What the events said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    /// The copies of each message by outcome, in the order of [`OUTCOMES`].
    copies: BTreeMap<String, [u64; 5]>,
    /// All copies by outcome, those of the server's own messages too.
    sums: [u64; 5],
    /// How many legs each final report called delivered.
    reports: BTreeMap<String, usize>,
    /// Shards and rooms that failed.
    lost: Vec<Value>,
    /// Messages that ended twice, and events that were lost.
    faults: Vec<Value>,
}

const OUTCOMES: [&str; 5] = ["delivered", "sent", "refused", "failed", "aborted"];

impl Books {
    /// Begins to read.
    pub(crate) async fn open(daemon: &Daemon) -> Self {
        let mut stream = TcpStream::connect(daemon.admin_addr()).await.unwrap();
        let types = "message_ended,final_report,messages_lost,shard_lost,room_lost";
        let request = format!("GET /v1/events?cursor=latest&types={types} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let status = lines.next_line().await.unwrap().unwrap();
        assert!(status.contains(" 200 "), "{status}");
        let (write, entries) = watch::channel(Entries::default());
        let task = tokio::spawn(read(lines, write));
        Self { task, entries }
    }

    /// Waits until every copy has its outcome, and metrics and events say the same of all of them.
    pub(crate) async fn balance(&mut self, daemon: &Daemon) -> Entries {
        let mut metrics = (0, [0; 5]);
        let agree = async {
            loop {
                metrics = in_metrics(daemon).await;
                let is_settled = metrics.0 == metrics.1.iter().sum::<u64>();
                let is_same = self.entries.borrow_and_update().sums == metrics.1;
                if is_settled && is_same {
                    return;
                }
                // An event ends the wait; outcomes without one are looked for at the end of it.
                let change = self.entries.changed();
                let _late = tokio::time::timeout(Duration::from_millis(50), change).await;
            }
        };
        let agreed = tokio::time::timeout(msrp_testkit::DEADLINE, agree).await;
        let entries = self.entries.borrow().clone();
        assert!(
            agreed.is_ok(),
            "{metrics:?} by metrics, opened first; {:?} by events: {entries:?}",
            entries.sums
        );
        assert!(entries.faults.is_empty(), "{:?}", entries.faults);
        entries
    }

    /// Every copy has its outcome by the metrics, and events say as much or less.
    pub(crate) async fn settle(&self, daemon: &Daemon) -> Entries {
        let (opened, ended) = in_metrics(daemon).await;
        assert_eq!(opened, ended.iter().sum::<u64>(), "{ended:?}");
        let entries = self.entries.borrow().clone();
        assert!(entries.faults.is_empty(), "{:?}", entries.faults);
        let mut both = entries.sums.iter().zip(&ended);
        assert!(
            both.all(|(told, counted)| told <= counted),
            "{entries:?} {ended:?}"
        );
        entries
    }

    /// What was said until the stream ended.
    pub(crate) async fn close(self) -> Entries {
        self.task.await.unwrap();
        self.entries.borrow().clone()
    }
}

impl Entries {
    /// How many copies of a message are booked as delivered.
    pub(crate) fn delivered(&self, id: &str) -> usize {
        let copies = self.copies.get(id);
        copies.map_or(0, |copies| usize::try_from(copies[0]).unwrap())
    }

    /// How many legs of a message its final report called delivered; `None` when none was made.
    pub(crate) fn reported(&self, id: &str) -> Option<usize> {
        self.reports.get(id).copied()
    }

    /// Shards, then rooms that were told as lost.
    pub(crate) fn lost(&self) -> [usize; 2] {
        ["shard_lost", "room_lost"].map(|kind| {
            self.lost
                .iter()
                .filter(|event| event["type"] == kind)
                .count()
        })
    }

    fn note(&mut self, event: &Value) {
        let id = event["message_id"].as_str().unwrap_or_default().to_owned();
        if event["type"] == "message_ended" {
            let copies = OUTCOMES.map(|outcome| event["copies"][outcome].as_u64().unwrap());
            for (sum, count) in self.sums.iter_mut().zip(copies) {
                *sum += count;
            }
            if self.copies.insert(id, copies).is_some() {
                self.faults.push(event.clone());
            }
        } else if event["type"] == "final_report" {
            let results = event["results"].as_array().unwrap().iter();
            let delivered = results.filter(|result| result["status"] == 200);
            let delivered = delivered
                .filter_map(|result| result["count"].as_u64())
                .sum::<u64>();
            let delivered = usize::try_from(delivered).unwrap();
            // One that comes in parts has an event for each.
            *self.reports.entry(id).or_default() += delivered;
        } else if event["type"] == "shard_lost" || event["type"] == "room_lost" {
            self.lost.push(event.clone());
        } else if event["type"] == "messages_lost" {
            self.faults.push(event.clone());
        }
    }
}

async fn read(mut lines: Lines<BufReader<TcpStream>>, write: watch::Sender<Entries>) {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(data) = line.strip_prefix("data:") {
            let event = serde_json::from_str(data).unwrap();
            write.send_modify(|entries| entries.note(&event));
        }
    }
}

/// Copies that were opened, and those that ended, by outcome.
async fn in_metrics(daemon: &Daemon) -> (u64, [u64; 5]) {
    let (_, text) = daemon.metrics().await;
    let value = |series: &str| -> u64 {
        let mut lines = text.lines();
        let found = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found.map_or(0, |value| value.parse().unwrap())
    };
    let ended =
        OUTCOMES.map(|outcome| value(&format!("msrp_copies_total{{outcome=\"{outcome}\"}}")));
    (value("msrp_copies_opened_total"), ended)
}
