//! What a participant hears, and what it answers.

use msrp_testkit::Frame;
use msrp_testkit::msrp::Start;

use super::{Peer, Scene};
use crate::message::Number;
use crate::oracle::{SMUGGLED, Verdict};
use crate::temper::Temper;

/// Rumours that those who collude remember at most.
const RUMOURS_MAX: usize = 16;

impl Peer {
    /// Octets came.
    pub(super) fn hear(&mut self, scene: &mut Scene<'_>, octets: &[u8]) -> Verdict {
        self.parser.push(octets);
        loop {
            let frame = self.parser.next_frame();
            let frame = frame.map_err(|fault| {
                format!("peer {} gets octets that are not MSRP: {fault}", self.id)
            })?;
            let Some(frame) = frame else { return Ok(()) };
            self.hear_frame(scene, &frame)?;
        }
    }

    fn hear_frame(&mut self, scene: &mut Scene<'_>, frame: &Frame) -> Verdict {
        scene.tell(|| heard(self.id, frame));
        if frame.tid.contains(SMUGGLED) {
            return Err(format!(
                "peer {} gets a request that a body smuggled in",
                self.id
            ));
        }
        if self.temper == Temper::Colluding {
            scene.rumours.push(frame.tid.clone());
            if scene.rumours.len() > RUMOURS_MAX {
                scene.rumours.remove(0);
            }
        }
        if self.hear_relay(frame) {
            return Ok(());
        }
        self.check_paths(frame)?;
        for (_, value) in &frame.headers {
            scene.oracle.on_text(self.id, value.as_bytes())?;
        }
        if let Some(body) = &frame.body {
            scene.oracle.on_text(self.id, body)?;
        }
        match &frame.start {
            Start::Response(status, _) => {
                if *status != 200 && self.names_by(&frame.tid) {
                    self.name_again(scene);
                }
                scene
                    .oracle
                    .on_response((self.id, scene.now_ns), &frame.tid, *status)
            }
            Start::Request(method) if method == "SEND" => self.hear_send(scene, frame),
            Start::Request(method) if method == "REPORT" => self.hear_report(scene, frame),
            Start::Request(method) => Err(format!("peer {} gets a request {method}", self.id)),
        }
    }

    /// Everything comes from its session's URI to its own.
    fn check_paths(&self, frame: &Frame) -> Verdict {
        let is_mine = frame.to_path() == [self.own_uri.as_str()];
        let is_nodes = self.is_from_room(&frame.from_path());
        if is_mine && is_nodes || !self.temper.is_honest() {
            Ok(())
        } else {
            Err(format!(
                "peer {} gets a frame of others: {frame:?}",
                self.id
            ))
        }
    }

    fn hear_send(&mut self, scene: &mut Scene<'_>, frame: &Frame) -> Verdict {
        self.waits = false;
        let complete = scene.oracle.on_send(self.id, scene.now_ns, frame)?;
        let number = frame
            .message_id()
            .and_then(|id| scene.oracle.number_under(self.id, id));
        if self.is_deaf {
            return Ok(());
        }
        let status = self.choose_status(scene);
        if frame.wants_response() {
            if let Some(status) = status {
                self.respond(frame, status);
            }
        } else if self.temper == Temper::Lax && self.chance.one_in(8) {
            // Nobody asked.
            self.respond(frame, 200);
        }
        if status != Some(200)
            && let Some(number) = number
        {
            scene.oracle.note_refusal(self.id, number);
        }
        if let Some(number) = complete.filter(|_| status == Some(200))
            && frame.header("Success-Report") == Some("yes")
        {
            self.report(scene, frame, number);
        }
        Ok(())
    }

    /// What it answers to a SEND: nearly always 200.
    fn choose_status(&mut self, scene: &Scene<'_>) -> Option<u16> {
        if self.temper != Temper::Hostile || scene.is_healed || !self.chance.one_in(6) {
            return Some(200);
        }
        match self.chance.within(0..=4) {
            0 => Some(413),
            1 => Some(400),
            2 => Some(501),
            3 => Some(408),
            _ => None,
        }
    }

    fn respond(&mut self, frame: &Frame, status: u16) {
        let to = frame.from_path().first().copied().unwrap_or_default();
        let response = Frame::response(status, "said so", &frame.tid, to, &self.own_uri);
        self.out.push_soon(response.to_octets());
    }

    fn report(&mut self, scene: &mut Scene<'_>, frame: &Frame, number: Number) {
        let id = self.transaction_id(None);
        let octets = scene.oracle.sent[number].message.octets.len();
        let to = frame.from_path().join(" ");
        let report = Frame::request("REPORT", &id, &to, &self.own_uri)
            .with("Message-ID", frame.message_id().unwrap_or_default())
            .with("Byte-Range", format!("1-{octets}/{octets}"))
            .with("Status", "000 200 OK");
        scene.oracle.note_report(self.id, number);
        self.out.push_soon(report.to_octets());
    }

    /// A REPORT to it is a final report of a message that it sent, or tells of its failure.
    fn hear_report(&mut self, scene: &mut Scene<'_>, frame: &Frame) -> Verdict {
        let id = frame.message_id().unwrap_or_default();
        let mut sent = scene.oracle.sent.iter().rev();
        let number = sent
            .find(|sent| sent.message.sender == self.id && sent.message.id == id)
            .map(|sent| sent.message.number);
        let Some(number) = number else {
            let is_naming = id.strip_prefix('b').is_some_and(|id| self.names_by(id));
            if is_naming {
                self.name_again(scene);
            }
            if is_naming || !self.temper.is_honest() {
                return Ok(());
            }
            return Err(format!(
                "peer {} gets a REPORT on {id}, which it never sent",
                self.id
            ));
        };
        scene.oracle.see("report");
        let Some(body) = &frame.body else {
            let status = frame.report_status().unwrap_or_default();
            return scene.oracle.on_failure_report(self.id, number, status);
        };
        if !scene.oracle.sent[number].message.asks_for_report {
            return Err(format!(
                "peer {}: nobody asked for a report on {id}",
                self.id
            ));
        }
        let (legs, is_last) = read_document(body)?;
        scene.oracle.on_final_report(number, &legs, is_last)
    }
}

/// The legs of a final report, and whether it is the last one.
fn read_document(body: &[u8]) -> Result<(Vec<(String, u16)>, bool), String> {
    let text = std::str::from_utf8(body).map_err(|_| "a final report that is not UTF-8")?;
    let mut legs = Vec::new();
    for line in text.split("<leg ").skip(1) {
        let value = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value)
        };
        let (Some(uri), Some(status)) = (value("uri"), value("status")) else {
            return Err(format!(
                "a leg of a final report without uri or status: {line}"
            ));
        };
        let status = status
            .parse()
            .map_err(|_| format!("status {status:?} of a leg"))?;
        legs.push((uri.to_owned(), status));
    }
    Ok((legs, text.contains("last=\"true\"")))
}

fn heard(peer: usize, frame: &Frame) -> String {
    let body = frame.body.as_deref().unwrap_or_default();
    let shown = body.get(..200).unwrap_or(body).escape_ascii();
    let (start, headers) = (&frame.start, frame.headers.get(2..).unwrap_or_default());
    let flag = char::from(frame.flag.octet());
    format!("-> peer {peer}: {start:?} {headers:?} {shown} {flag}")
}
