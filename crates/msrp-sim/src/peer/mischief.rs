//! What participants do that mean harm, or break off.

use super::speaking::Part;
use super::{Peer, Scene};
use crate::message::{self, Cut, Fate, Number, To};
use crate::temper::Temper;

impl Peer {
    /// Does harm instead of saying something. `false` when it says something after all.
    pub(super) fn does_harm(&mut self, scene: &mut Scene<'_>) -> bool {
        let means_harm = match self.temper {
            Temper::Hostile => self.chance.one_in(2),
            Temper::Colluding => self.chance.one_in(4),
            Temper::Correct | Temper::Lax | Temper::Slow | Temper::Dying => false,
        };
        if !means_harm || scene.is_healed {
            return false;
        }
        match self.chance.within(0..=9) {
            0 | 1 => self.forge_sender(scene),
            2 => self.rewrite_wrapper(scene),
            3 => self.claim_session(scene),
            4 => self.send_stray_answers(scene),
            5 => self.send_stray_reports(scene),
            6 => self.send_odd_requests(),
            7 => self.begin_without_end(scene),
            8 => self.go_silent(scene),
            _ => self.send_garbage(),
        }
        true
    }

    fn another(&mut self, scene: &Scene<'_>) -> Option<String> {
        let others: Vec<_> = scene
            .oracle
            .witnesses
            .iter()
            .filter(|witness| witness.room == self.room && witness.entity != self.entity)
            .collect();
        self.chance
            .pick(&others)
            .map(|witness| witness.entity.clone())
    }

    /// Says something in the name of another.
    fn forge_sender(&mut self, scene: &mut Scene<'_>) {
        let Some(from) = self.another(scene) else {
            return;
        };
        scene.oracle.see("forged sender");
        let parts = (To::Room, Fate::Refused(403), from.as_str());
        let message = self.compose(scene, parts, 100);
        self.send(scene, message);
    }

    /// Sends the wrapper again with another sender in it, behind the one that was checked.
    fn rewrite_wrapper(&mut self, scene: &mut Scene<'_>) {
        let Some(from) = self.another(scene) else {
            return;
        };
        scene.oracle.see("rewritten wrapper");
        let own = self.entity.clone();
        let mut message = self.compose(scene, (To::Room, Fate::Any, &own), 6000);
        message.ending = message::Ending::Last;
        message.asks_for_report = false;
        let number = message.number;
        scene.oracle.add_message(message.clone());
        let room = [self.room_uri.clone()];
        let forged = message::head(number, &from, &room, false);
        let (octets, head) = (message.octets.len(), message.head_octets);
        let first_end = self.chance.octets(head..=octets - 1);
        let mut lie = message.clone();
        for (to, from) in lie.octets.iter_mut().zip(&forged).take(head) {
            *to = *from;
        }
        let cut = |start, end, flag| Cut { start, end, flag };
        let mut parts = self.chunk(scene, &message, cut(0, first_end, b'+'));
        if let Some(first) = parts.first_mut() {
            first.begins = Some(number);
        }
        parts.extend(self.chunk(scene, &lie, cut(0, head, b'+')));
        parts.extend(self.chunk(scene, &message, cut(first_end, octets, b'$')));
        for part in parts {
            self.out.push_back(part);
        }
    }

    /// Connects once more and names a session that is not its own, or nobody's.
    fn claim_session(&mut self, scene: &mut Scene<'_>) {
        scene.oracle.see("claimed session");
        let link = scene.kernel.peer_connect(self.id);
        let claimed = self.chance.pick(scene.rumours).cloned();
        let node_uri = self.node_uri.clone().unwrap_or_default();
        let claimed = claimed
            .filter(|rumour| rumour.starts_with("msrp:"))
            .unwrap_or_else(|| node_uri.replace("/00", "/000"));
        let id = self.transaction_id(None);
        let request = format!(
            "MSRP {id} SEND\r\nTo-Path: {claimed}\r\nFrom-Path: {}\r\nMessage-ID: c{id}\r\n\
             Byte-Range: 1-0/0\r\n-------{id}$\r\n",
            self.own_uri
        );
        scene.kernel.peer_write(link, request.as_bytes());
    }

    /// Answers what nobody asked it.
    fn send_stray_answers(&mut self, scene: &mut Scene<'_>) {
        scene.oracle.see("stray answers");
        let node_uri = self.to_path();
        for _ in 0..self.chance.within(1..=5) {
            let rumour = self.chance.pick(scene.rumours).cloned();
            let id = rumour.unwrap_or_else(|| format!("{:016x}", self.chance.bits()));
            let status = if self.chance.one_in(2) { 200 } else { 413 };
            let own = &self.own_uri;
            let answer = format!(
                "MSRP {id} {status} x\r\nTo-Path: {node_uri}\r\nFrom-Path: {own}\r\n-------{id}$\r\n"
            );
            self.out.push_back(Part::new(answer.into_bytes()));
        }
    }

    /// Reports on messages that it never got.
    fn send_stray_reports(&mut self, scene: &mut Scene<'_>) {
        scene.oracle.see("stray reports");
        let node_uri = self.to_path();
        for _ in 0..self.chance.within(1..=5) {
            let count = scene.oracle.sent.len();
            let number: Number = self.chance.index(count.max(1));
            let message = scene.oracle.sent.get(number);
            let message_id = message.map_or("none1".to_owned(), |sent| sent.message.id.clone());
            let status = self
                .chance
                .pick(&["200", "413", "500"])
                .copied()
                .unwrap_or("200");
            let (id, own) = (self.transaction_id(None), &self.own_uri);
            let report = format!(
                "MSRP {id} REPORT\r\nTo-Path: {node_uri}\r\nFrom-Path: {own}\r\nMessage-ID: {message_id}\r\n\
                 Byte-Range: 1-9999999/9999999\r\nStatus: 000 {status} x\r\n-------{id}$\r\n"
            );
            self.out.push_back(Part::new(report.into_bytes()));
        }
    }

    /// Legal frames that make no sense here.
    fn send_odd_requests(&mut self) {
        let node_uri = self.to_path();
        let (id, own) = (self.transaction_id(None), &self.own_uri);
        let paths = format!("To-Path: {node_uri}\r\nFrom-Path: {own}\r\n");
        let request = match self.chance.within(0..=4) {
            0 => format!("MSRP {id} AUTH\r\n{paths}-------{id}$\r\n"),
            1 => format!("MSRP {id} DANCE\r\n{paths}-------{id}$\r\n"),
            2 => format!("MSRP {id} NICKNAME\r\n{paths}Use-Nickname: \"{id}\"\r\n-------{id}$\r\n"),
            3 => format!(
                "MSRP {id} SEND\r\nTo-Path: {node_uri} {node_uri}\r\nFrom-Path: {own}\r\n\
                 Message-ID: o{id}\r\nByte-Range: 1-2/2\r\nContent-Type: text/plain\r\n\r\nab\r\n-------{id}$\r\n"
            ),
            _ => format!(
                "MSRP {id} SEND\r\n{paths}Message-ID: o{id}\r\nByte-Range: 5-2/1\r\n\
                 Content-Type: message/cpim\r\n\r\nab\r\n-------{id}$\r\n"
            ),
        };
        self.out.push_back(Part::new(request.into_bytes()));
    }

    /// Begins a message and never goes on.
    fn begin_without_end(&mut self, scene: &mut Scene<'_>) {
        scene.oracle.see("message without end");
        let own = self.entity.clone();
        let message = self.compose(scene, (To::Room, Fate::Any, &own), 3000);
        scene.oracle.add_message(message.clone());
        let end = self
            .chance
            .octets(message.head_octets..=message.octets.len() - 1);
        let flag = b'+';
        let cut = Cut {
            start: 0,
            end,
            flag,
        };
        for mut part in self.chunk(scene, &message, cut) {
            part.begins = Some(message.number);
            self.out.push_back(part);
        }
    }

    /// Reads nothing for a long time.
    fn go_silent(&mut self, scene: &mut Scene<'_>) {
        scene.oracle.see("silence");
        self.pace = Some((1, self.chance.within(1..=40) * 1_000_000_000));
    }

    fn send_garbage(&mut self) {
        let octets = match self.chance.within(0..=2) {
            0 => b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            1 => vec![0; self.chance.octets(1..=3000)],
            _ => {
                let mut octets = b"MSRP abcd1234 SEND\r\nTo-Path: ".to_vec();
                octets.resize(self.chance.octets(100..=70_000), b'a');
                octets
            }
        };
        self.out.push_back(Part::new(octets));
    }
}
