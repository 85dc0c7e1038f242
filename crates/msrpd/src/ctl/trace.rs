//! `msrpctl trace`: the MSRP of a session or a room as it passes, on the screen, into a file for
//! Wireshark, or to a collector.

mod line;
mod pcapng;

use std::fs::File;
use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::body::Body;
use futures_util::StreamExt as _;
use msrp_control::{ParticipantId, RoomId, TraceRecord};

use super::fault::Fault;
use super::lines::Lines;
use super::output::say;
use super::rooms::{participant_id, room_id};
use super::server::Server;
use crate::capture::Frames;
use crate::capture::hep::Collector;
use crate::signal::Signals;
use pcapng::Pcapng;

/// What is traced, and where it goes.
#[derive(Debug, Clone, clap::Args)]
pub struct TraceArguments {
    /// The room.
    #[arg(value_parser = room_id)]
    pub room: RoomId,
    /// One participant of it; without one, all of them.
    #[arg(value_parser = participant_id)]
    pub participant: Option<ParticipantId>,
    /// Write pcapng, in clear, for Wireshark and tshark; "-" is stdout.
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// Send HEP version 3 by UDP to a collector.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub hep: Option<SocketAddr>,
    /// Show header sections only, no bodies.
    #[arg(long)]
    pub headers: bool,
    /// End after so many frames.
    #[arg(long, value_name = "FRAMES")]
    pub count: Option<u64>,
}

/// Shows what passes until it is over, or a signal comes.
pub(super) async fn run(
    server: &Server,
    arguments: &TraceArguments,
    is_json: bool,
) -> Result<(), Fault> {
    let signals = Signals::listen();
    let mut signals =
        signals.map_err(|e| Fault::Local(format!("signals cannot be received: {e}")))?;
    let room = &arguments.room;
    let path = match &arguments.participant {
        Some(participant) => format!("/v1/rooms/{room}/participants/{participant}/trace"),
        None => format!("/v1/rooms/{room}/trace"),
    };
    let mut sink = Sink::open(arguments, is_json)?;
    let body = server.stream(&path).await?;
    if !is_json && !sink.writes_to_stdout() {
        eprintln!("tracing {room}; Ctrl-C ends");
    }
    let followed = tokio::select! {
        followed = follow(server, body, &mut sink, arguments.count) => followed,
        _ = signals.next() => Ok(()),
    };
    sink.end();
    followed
}

/// Takes frames until the stream ends, or there were enough.
async fn follow(
    server: &Server,
    body: Body,
    sink: &mut Sink,
    count: Option<u64>,
) -> Result<(), Fault> {
    let mut stream = body.into_data_stream();
    let mut lines = Lines::default();
    let mut frames = Frames::default();
    while let Some(part) = stream.next().await {
        let part = part.map_err(|error| server.broken(&error))?;
        lines.push(&part);
        while let Some(line) = lines.next() {
            if let Some(frame) = line::record(&line).and_then(|record| frames.add(record)) {
                sink.take(&frame, &line)?;
            }
            if count.is_some_and(|count| sink.frames >= count) {
                return Ok(());
            }
        }
    }
    eprintln!("what was traced is over");
    Ok(())
}

/// Where frames go.
struct Sink {
    is_json: bool,
    headers_only: bool,
    file: Option<(PathBuf, Pcapng<Box<dyn Write + Send>>)>,
    collector: Option<Collector>,
    frames: u64,
    dropped: u64,
}

impl Sink {
    fn open(arguments: &TraceArguments, is_json: bool) -> Result<Self, Fault> {
        let file = arguments.pcap.as_ref().map(|path| {
            let failed = |e| Fault::Local(format!("{} cannot be written: {e}", path.display()));
            let out: Box<dyn Write + Send> = if path.as_os_str() == "-" {
                Box::new(stdout())
            } else {
                Box::new(File::create(path).map_err(failed)?)
            };
            Ok::<_, Fault>((path.clone(), Pcapng::new(out).map_err(failed)?))
        });
        let collector = arguments.hep.map(|to| {
            let failed = |e| Fault::Local(format!("nothing can be sent to {to}: {e}"));
            Collector::new(to).map_err(failed)
        });
        Ok(Self {
            is_json,
            headers_only: arguments.headers,
            file: file.transpose()?,
            collector: collector.transpose()?,
            frames: 0,
            dropped: 0,
        })
    }

    fn writes_to_stdout(&self) -> bool {
        let file = self.file.as_ref();
        file.is_some_and(|(path, _)| path.as_os_str() == "-")
    }

    /// Takes a frame; `line` is what it came with last.
    fn take(&mut self, frame: &TraceRecord, line: &str) -> Result<(), Fault> {
        self.frames += 1;
        self.dropped += frame.dropped;
        if let Some((path, file)) = &mut self.file {
            let written = file.write(frame);
            let failed = |e| Fault::Local(format!("{} cannot be written: {e}", path.display()));
            written.map_err(failed)?;
        }
        if let Some(collector) = &mut self.collector {
            collector.send(frame);
        }
        if self.writes_to_stdout() {
            return Ok(());
        }
        if self.is_json {
            say(line);
        } else if self.file.is_none() && self.collector.is_none() {
            say(&line::shown(frame, self.headers_only));
        }
        Ok(())
    }

    fn end(&self) {
        if let Some((path, _)) = &self.file {
            eprintln!("{} frames written to {}", self.frames, path.display());
        }
        if let Some(collector) = &self.collector {
            eprintln!("{}", collector.summary());
        }
        if self.dropped > 0 {
            let dropped = self.dropped;
            eprintln!("{dropped} parts are missing: msrpd had them sooner than they were taken");
        }
    }
}
