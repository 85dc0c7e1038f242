//! Connections whose octets pass through TLS or WebSocket before they are MSRP.
//!
//! ```text
//!   received -> layer -> plain octets -> intake      (as if they had been received)
//!   outbox --lend--> layer -> wire octets -> kernel  (what is lent counts as waiting until it has left)
//! ```
//!
//! A connection on plain TCP has no layer, and nothing here is on its way. One with a layer writes from
//! the layer's wire buffer: what it has queued is copied there once, when the turn ends. What has been copied
//! there cannot be overtaken, so it is at most [`WIRE_OCTETS_AHEAD`]: the rest becomes the backlog, where
//! small messages go before the rest of large ones. A layer goes to another shard with its socket.

use bytes::Bytes;
use msrp_control::EndReason;
use msrp_session::Timestamp;
use msrp_transport::{CloseCode, Failure, KnownHosts, Layer, Received};
use ring_io::{ConnKey, Io};

use super::Shard;
use super::connection::{Connection, Phase};
use super::outbox::Queued;
use crate::limits::WIRE_OCTETS_AHEAD;
use crate::metrics::Cell;

/// The layer of a connection.
#[derive(Debug)]
pub(super) struct Layered {
    layer: Layer,
    /// The kernel has not taken everything; the rest waits until it can.
    is_blocked: bool,
    /// Whether the peer has sent something since it was looked at.
    is_heard: bool,
    /// Octets that its kernel had acknowledged when it was looked at, and since when it has not acknowledged
    /// more, if it has something to acknowledge.
    waits: Option<(u64, Timestamp)>,
}

impl Layered {
    pub(super) fn new(layer: Layer) -> Self {
        Self {
            layer,
            is_blocked: false,
            is_heard: true,
            waits: None,
        }
    }

    pub(super) fn is_websocket(&self) -> bool {
        self.layer.is_websocket()
    }

    /// Whether the peer has sent nothing since this was asked last.
    pub(super) fn was_silent(&mut self) -> bool {
        !std::mem::replace(&mut self.is_heard, false)
    }

    /// Since when the peer's kernel, as far as was asked, has acknowledged nothing of what it was given.
    pub(super) fn waits_since(
        &mut self,
        now: Timestamp,
        (written, unacknowledged): (u64, u64),
    ) -> Timestamp {
        let acknowledged = written.saturating_sub(unacknowledged);
        self.waits = match self.waits {
            _ if unacknowledged == 0 => None,
            Some((before, since)) if before == acknowledged => Some((before, since)),
            Some(_) | None => Some((acknowledged, now)),
        };
        self.waits.map_or(now, |(_, since)| since)
    }

    /// Asks the peer for a sign of life, unless octets wait for it already.
    pub(super) fn ping(&mut self) {
        if self.layer.wire().is_empty() {
            self.layer.ping();
        }
    }

    pub(super) fn into_layer(self) -> Box<Layer> {
        Box::new(self.layer)
    }

    /// What is to be written now. `None` while the kernel takes nothing.
    pub(super) fn offer(&self) -> Option<&[u8]> {
        (!self.is_blocked).then(|| self.layer.wire())
    }
}

impl Connection {
    /// Whether TLS protects the connection, here or on the shard that has its socket.
    pub(super) fn is_secure(&self) -> bool {
        let carried = self.carrier.as_ref().map(|carrier| carrier.is_secure);
        let own = self.layer.as_ref().map(|layered| layered.layer.is_secure());
        carried.or(own).unwrap_or(false)
    }

    /// Whether its layer has not come up.
    pub(super) fn is_shaking_hands(&self) -> bool {
        let layered = self.layer.as_ref();
        layered.is_some_and(|layered| !layered.layer.is_opened())
    }

    /// The peer's certificate, when it has shown one.
    pub(super) fn peer_certificate(&self) -> Option<&[u8]> {
        match (&self.carrier, &self.layer) {
            (Some(carrier), _) => carrier.certificate.as_deref(),
            (None, Some(layered)) => layered.layer.peer_certificate(),
            (None, None) => None,
        }
    }

    /// Which of these hosts its peer is, by its certificate.
    pub(super) fn peer_host(&self, hosts: &KnownHosts) -> Option<Box<str>> {
        match (&self.carrier, &self.layer) {
            (Some(carrier), _) => carrier.relay.clone(),
            (None, Some(layered)) => layered.layer.peer_host(hosts).map(Box::from),
            (None, None) => None,
        }
    }

    /// Octets that were given to the kernel since the connection began.
    pub(super) fn written_octets(&self) -> u64 {
        match &self.layer {
            Some(layered) => layered.layer.sent_octets(),
            None => self.outbox.written_octets(),
        }
    }

    /// Octets that wait in its layer.
    pub(super) fn wire_octets(&self) -> usize {
        self.layer
            .as_ref()
            .map_or(0, |layered| layered.layer.wire().len())
    }
}

impl<I: Io> Shard<I> {
    /// Octets arrived on a connection with a layer.
    pub(super) fn receive_layered(&mut self, now: Timestamp, conn: ConnKey, octets: &Bytes) {
        let Some(connection) = self.connections.get_mut(conn).filter(|c| c.is_read()) else {
            return;
        };
        let Some(layered) = connection.layer.as_deref_mut() else {
            return;
        };
        layered.is_heard = true;
        let layer = &mut layered.layer;
        let was_opened = layer.is_opened();
        let mut plain = Vec::with_capacity(octets.len());
        let read = layer.receive(octets, &mut plain);
        let is_just_opened = !was_opened && layer.is_opened();
        let has_to_write = !layer.wire().is_empty();
        self.environment
            .counters
            .add(copied_cell(layer), plain.len() as u64);
        if is_just_opened {
            self.environment.counters.count(handshake_cell(layer));
        }
        if has_to_write {
            self.mark_dirty(conn);
        }
        if is_just_opened {
            // Where the connection is ours, it names its session now.
            self.connected(now, conn);
        }
        if !plain.is_empty() {
            self.take_in(now, conn, plain.into());
        } else if read == Ok(Received::Open) {
            self.read_unnamed(conn);
        }
        match read {
            Ok(Received::Open) => {}
            Ok(Received::Ended) => {
                self.write_wire(conn);
                self.peer_closed(now, conn);
            }
            Err(failure) => self.reject_layer(now, conn, failure),
        }
    }

    /// The layers cannot go on: what the peer has to be told is written, then the connection closes.
    fn reject_layer(&mut self, now: Timestamp, conn: ConnKey, failure: Failure) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        self.environment.counters.count(failure_cell(failure));
        tracing::info!(reason = %failure, "connection closed");
        let mut sessions = std::mem::take(&mut connection.sessions);
        let reason = match connection.phase {
            Phase::Opening(leg) => {
                sessions.push(leg);
                EndReason::ConnectFailed
            }
            Phase::Reaching(hop) => return self.hop_failed(conn, hop),
            Phase::Unnamed
            | Phase::Early(_)
            | Phase::Serving
            | Phase::Closing
            | Phase::Lingering => EndReason::ProtocolError,
        };
        connection.phase = Phase::Closing;
        self.abandon_routes(conn, reason);
        self.leave_relay(conn);
        for leg in sessions {
            self.end_session(now, leg, reason);
        }
        self.mark_dirty(conn);
    }

    /// Gives what waits for a connection to its layer, as far as that is to have octets ahead. `false` when
    /// it has none.
    pub(super) fn encode(&mut self, now: Timestamp, conn: ConnKey) -> bool {
        let is_layered = self.encode_ahead(conn, WIRE_OCTETS_AHEAD);
        let connection = self.connections.get(conn);
        if is_layered && connection.is_some_and(|c| c.outbox.has_backlog()) {
            self.watch(now, conn);
        }
        is_layered
    }

    fn encode_ahead(&mut self, conn: ConnKey, octets_max: usize) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else {
            return false;
        };
        let Some(Layered { layer, .. }) = connection.layer.as_deref_mut() else {
            return false;
        };
        connection.is_dirty = false;
        let outbox = &mut connection.outbox;
        let counters = &self.environment.counters;
        let ahead = layer.wire().len().saturating_add(outbox.item_octets());
        if !outbox.has_backlog() && ahead <= octets_max {
            let mut copied = 0;
            layer.reserve(outbox.item_octets());
            outbox.lend(|lent, number| copied += write(layer, &lent, number));
            counters.add(copied_cell(layer), copied);
        } else {
            let spilled = outbox.spill(0);
            counters.add(Cell::CopiedBacklog, spilled);
            // Once more when they are encoded.
            counters.add(copied_cell(layer), spilled);
            while layer.wire().len() < octets_max
                && outbox.lend_next(|octets, number| layer.write(octets, number as usize))
            {
            }
        }
        layer.flush();
        true
    }

    /// The kernel took `octets` of the `offered` that the layer of a connection had for it.
    pub(super) fn wire_sent(
        &mut self,
        now: Timestamp,
        conn: ConnKey,
        (octets, offered): (usize, usize),
    ) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let Some(Layered {
            layer, is_blocked, ..
        }) = connection.layer.as_deref_mut()
        else {
            return;
        };
        *is_blocked = octets < offered;
        layer.took(octets);
        while let Some(part) = layer.next_gone() {
            connection
                .outbox
                .lent_written(u32::try_from(part).unwrap_or(u32::MAX), &mut self.done);
        }
        let goes_on = !*is_blocked && connection.outbox.has_backlog();
        self.environment
            .counters
            .add(Cell::OctetsSent, octets as u64);
        self.settle_done(now, conn);
        if goes_on {
            self.mark_dirty(conn);
        }
        self.after_send(now, conn);
    }

    /// Writes at once what the layer of a connection that ends has for it, as far as the kernel takes it.
    fn write_wire(&mut self, conn: ConnKey) {
        let Some(connection) = self.connections.get(conn) else {
            return;
        };
        if let Some(wire) = connection.layer.as_deref().and_then(Layered::offer) {
            let slices = [std::io::IoSlice::new(wire)];
            let mut ops = [ring_io::SendOp::new(conn, 0..1)];
            // The connection ends whatever comes of it.
            let _ = self.io.send_batch(&slices, &mut ops);
        }
    }

    /// The node goes down: the peer is told so, as far as the kernel takes it.
    pub(super) fn say_goodbye(&mut self, conn: ConnKey) {
        if self.close_layer(conn) {
            self.write_wire(conn);
        }
    }

    /// The socket of a connection with a layer takes octets again. `false` when it has none.
    pub(super) fn unblock_layer(&mut self, conn: ConnKey) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else {
            return false;
        };
        let Some(layered) = connection.layer.as_deref_mut() else {
            return false;
        };
        layered.is_blocked = false;
        self.mark_dirty(conn);
        true
    }

    /// What the peer sent through its layer is not MSRP: it is told so after everything else.
    pub(super) fn blame_in_layer(&mut self, conn: ConnKey) {
        self.encode_ahead(conn, usize::MAX);
        if let Some(connection) = self.connections.get_mut(conn)
            && let Some(Layered { layer, .. }) = connection.layer.as_deref_mut()
        {
            layer.close(CloseCode::PROTOCOL_ERROR);
        }
    }

    /// Tells the peer of a connection that closes, where its layer has a word for it. `false` when
    /// nothing has to be written.
    pub(super) fn close_layer(&mut self, conn: ConnKey) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else {
            return false;
        };
        let Some(Layered { layer, .. }) = connection.layer.as_deref_mut() else {
            return false;
        };
        layer.close(if self.is_stopping {
            CloseCode::GOING_AWAY
        } else {
            CloseCode::NORMAL
        });
        let has_to_write = !layer.wire().is_empty();
        if has_to_write {
            self.mark_dirty(conn);
        }
        has_to_write
    }
}

impl Layered {
    /// Its index among the transports, behind plain TCP.
    pub(super) fn transport(&self) -> usize {
        match (self.layer.is_secure(), self.layer.is_websocket()) {
            (true, false) => 1,
            (false, _) => 2,
            (true, true) => 3,
        }
    }
}

/// Gives something to a layer. Returns the body octets that were copied.
fn write(layer: &mut Layer, lent: &Queued<'_>, number: u32) -> u64 {
    match lent {
        Queued::Piece(..) => {
            layer.write_message(lent.octets(), lent.parts(), number as usize);
        }
        Queued::Control(octets) => layer.write(octets, number as usize),
    }
    lent.body_octets() as u64
}

fn copied_cell(layer: &Layer) -> Cell {
    if layer.is_secure() {
        Cell::CopiedTls
    } else {
        Cell::CopiedWebsocket
    }
}

fn handshake_cell(layer: &Layer) -> Cell {
    match (layer.is_secure(), layer.is_websocket()) {
        (true, true) => Cell::HandshakesWss,
        (true, false) => Cell::HandshakesTls,
        (false, _) => Cell::HandshakesWs,
    }
}

fn failure_cell(failure: Failure) -> Cell {
    match failure {
        Failure::Tls => Cell::LayerTls,
        Failure::Certificate => Cell::LayerCertificate,
        Failure::NotWebSocket => Cell::LayerNotWebSocket,
        Failure::Version => Cell::LayerVersion,
        Failure::Subprotocol => Cell::LayerSubprotocol,
        Failure::Origin => Cell::LayerOrigin,
        Failure::HandshakeTooLong => Cell::LayerHandshakeTooLong,
        Failure::Frame => Cell::LayerFrame,
        Failure::MessageTooLong => Cell::LayerMessageTooLong,
    }
}

#[cfg(test)]
mod tests {
    use msrp_transport::{Door, Origins};

    use super::*;

    #[test]
    fn peer_waits_from_when_it_acknowledges_nothing_of_what_it_was_given() {
        let layer = Door::default().websocket(Origins::any()).accept();
        let mut layered = Layered::new(*layer.unwrap().unwrap());
        let at = Timestamp::from_ns;
        // What was written and what is not acknowledged of it, and since when it waits.
        for (now, written, unacknowledged, since) in [
            (1, 0, 0, 1),
            (2, 100, 0, 2),
            (3, 100, 40, 3),
            (4, 200, 140, 3),
            (5, 200, 139, 5),
            (6, 200, 139, 5),
            (7, 300, 0, 7),
            (8, 302, 2, 8),
        ] {
            let waits = layered.waits_since(at(now), (written, unacknowledged));
            assert_eq!(waits, at(since), "{now}");
        }
        assert!(!layered.was_silent() && layered.was_silent());
    }
}
