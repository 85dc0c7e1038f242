//! Everything that passes on a node, to a collector: `trace.hep` of the configuration.
//!
//! ```text
//!   shards --trace of the node, bounded--> exporter --HEP by UDP--> collector
//! ```
//!
//! Nothing waits for the collector: what does not fit into the queue of the trace, or into the
//! socket, is counted and told once a minute.

use std::time::Duration;

use msrp_control::{Client, ControlError, TraceRecord, TraceScope, TraceStream};
use tokio::time::{Instant, timeout};

use super::hep::Collector;
use super::{Frames, head_of};

/// Begins to capture, and gives what sends it on as long as the node runs: that never ends by itself.
pub async fn export(
    client: Client,
    collector: Collector,
    with_bodies: bool,
) -> impl Future<Output = ()> {
    let restarts = restarts(&client);
    let first = client.trace(TraceScope::Node).await;
    send_on(client, collector, with_bodies, (first, restarts))
}

async fn send_on(
    client: Client,
    mut collector: Collector,
    with_bodies: bool,
    (mut traced, mut restarts): (Result<TraceStream, ControlError>, u64),
) {
    loop {
        match traced {
            Ok(mut stream) => {
                let mut frames = Frames::default();
                let mut tally = Tally::default();
                let mut looked = Instant::now();
                loop {
                    // A shard that starts again knows nothing of the trace.
                    if looked.elapsed() >= LOOK_EVERY {
                        looked = Instant::now();
                        if restarts != self::restarts(&client) {
                            break;
                        }
                    }
                    match timeout(LOOK_EVERY, stream.next()).await {
                        Ok(Some(record)) => {
                            tally.dropped = tally.dropped.saturating_add(record.dropped);
                            if let Some(frame) = frames.add(record) {
                                tally.failed +=
                                    u64::from(!send(&mut collector, frame, with_bodies));
                            }
                        }
                        Ok(None) => break,
                        Err(_) => {}
                    }
                    tally.tell();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "nothing is captured for the collector; it is tried again");
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
        restarts = self::restarts(&client);
        traced = client.trace(TraceScope::Node).await;
    }
}

fn send(collector: &mut Collector, mut frame: TraceRecord, with_bodies: bool) -> bool {
    if !with_bodies {
        let head = head_of(&frame.octets).len();
        frame.octets.truncate(head);
    }
    collector.send(&frame)
}

/// How often shards were started again.
fn restarts(client: &Client) -> u64 {
    let samples = client.engine().samples();
    let restarts = samples
        .iter()
        .filter(|s| s.name == "msrp_shard_restarts_total");
    restarts.map(|sample| sample.value).sum()
}

/// What did not reach the collector since it was told last.
#[derive(Debug, Default)]
struct Tally {
    dropped: u64,
    failed: u64,
    told: Option<Instant>,
}

impl Tally {
    fn tell(&mut self) {
        let is_due = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if self.dropped + self.failed == 0 || !is_due {
            return;
        }
        let (dropped, failed) = (self.dropped, self.failed);
        tracing::warn!(dropped, failed, "frames did not reach the collector");
        *self = Self {
            told: Some(Instant::now()),
            ..Self::default()
        };
    }
}

/// How often it is looked whether a shard was started again, and the wait after a failure.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is told that frames were lost.
const TELL_EVERY: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::sync::Arc;

    use msrp_control::metrics::Sample;
    use msrp_control::{
        Command, Direction, Engine, EventStream, ParticipantId, Reply, ReplySender, RoomId, Tracer,
    };
    use tokio::sync::mpsc;

    use super::*;

    /// An engine that hands out the tracers it is given.
    struct Traced(mpsc::UnboundedSender<Tracer>);

    impl Engine for Traced {
        fn submit(&self, command: Command, reply: ReplySender) {
            if let Command::StartTrace {
                scope: TraceScope::Node,
                tracer,
            } = command
            {
                self.0.send(tracer).unwrap();
                reply.send(Ok(Reply::Done)).unwrap();
            }
        }

        fn subscribe(&self) -> EventStream {
            unreachable!("the exporter needs no events")
        }

        fn samples(&self) -> Vec<Sample> {
            Vec::new()
        }

        fn is_alive(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn frames_reach_the_collector_without_bodies_unless_they_are_wanted() {
        for with_bodies in [false, true] {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let collector = Collector::new(socket.local_addr().unwrap()).unwrap();
            let (sender, mut tracers) = mpsc::unbounded_channel();
            let client = Client::new(Arc::new(Traced(sender)));
            let task = tokio::spawn(export(client, collector, with_bodies).await);
            let tracer = tracers.recv().await.unwrap();
            assert!(tracer.give(TraceRecord {
                time_ns: 1,
                room: RoomId::new("lunch").unwrap(),
                participant: ParticipantId::new("alice").unwrap(),
                direction: Direction::In,
                addresses: None,
                ends_frame: true,
                octets: b"MSRP a SEND\r\n\r\nprivate".to_vec(),
                dropped: 0,
            }));
            let received = tokio::task::spawn_blocking(move || {
                let mut buffer = [0; 1500];
                let octets = socket.recv(&mut buffer).unwrap();
                String::from_utf8_lossy(&buffer[..octets]).into_owned()
            });
            let received = received.await.unwrap();
            assert!(received.contains("MSRP a SEND\r\n\r\n"), "{received}");
            assert_eq!(received.contains("private"), with_bodies);
            task.abort();
        }
    }
}
