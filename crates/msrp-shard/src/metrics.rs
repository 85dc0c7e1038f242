//! The engine's metrics: declared once, counted by each shard alone, summed when somebody looks.

mod business;
mod histogram;
mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use msrp_control::EndReason;
use msrp_control::metrics::{Histogram, Kind, Sample};

use business::Business;
use histogram::Buckets;
pub(crate) use histogram::Run;

/// Each metric is said once, with the cells that it has: one, or one for each value of its label.
macro_rules! cells {
    ($($name:literal, $help:literal, $kind:ident $(, $label:literal)? {
        $($cell:ident $(= $value:literal)?),*
    })*) => {
        /// One number of one shard.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Cell { $($($cell),*),* }

        /// The metrics of the shards, in the order of their first cells.
        const FAMILIES: &[Family] = &[
            $(Family {
                name: $name,
                help: $help,
                kind: Kind::$kind,
                label: cells!(@label $($label)?),
                cells: &[$((Cell::$cell, cells!(@value $($value)?))),*],
            }),*
        ];
        const CELLS_COUNT: usize = [$($(Cell::$cell),*),*].len();
    };
    (@label) => { "" };
    (@label $label:literal) => { $label };
    (@value) => { "" };
    (@value $value:literal) => { $value };
}

/// A metric of the shards.
struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    /// Empty when there is one cell.
    label: &'static str,
    /// The cells, with the value of the label for each.
    cells: &'static [(Cell, &'static str)],
}

impl Family {
    fn sample(&self, value_of_label: &str, value: u64) -> Sample {
        let label = (!self.label.is_empty()).then(|| (self.label, value_of_label.to_owned()));
        Sample {
            name: self.name,
            help: self.help,
            kind: self.kind,
            labels: label.into_iter().collect(),
            value,
        }
    }
}

cells! {
    "msrp_connections", "MSRP connections that are open.", Gauge { Connections }
    "msrp_transport_connections", "MSRP connections that are open, by transport.", Gauge, "transport" {
        TransportTcp = "tcp", TransportTls = "tls", TransportWs = "ws", TransportWss = "wss"
    }
    "msrp_connections_accepted_total", "MSRP connections accepted.", Counter { ConnectionsAccepted }
    "msrp_connections_refused_total", "MSRP connections closed as they came because a limit was reached.", Counter { ConnectionsRefused }
    "msrp_connections_never_bound_total", "MSRP connections closed because they named no session in time.", Counter { ConnectionsNeverBound }
    "msrp_connections_malformed_total", "MSRP connections closed because their octets were not MSRP.", Counter { ConnectionsMalformed }
    "msrp_connections_handed_over_total", "MSRP connections handed to the shard that owns their session.", Counter { HandedOver }
    "msrp_handshakes_total", "MSRP connections on which TLS, WebSocket or both came up, by transport.", Counter, "transport" {
        HandshakesTls = "tls", HandshakesWs = "ws", HandshakesWss = "wss"
    }
    "msrp_layer_failures_total", "MSRP connections that TLS or WebSocket ended, by reason.", Counter, "reason" {
        LayerTls = "tls", LayerCertificate = "certificate", LayerNotWebSocket = "not_websocket",
        LayerVersion = "version", LayerSubprotocol = "subprotocol", LayerOrigin = "origin",
        LayerHandshakeTooLong = "handshake_too_long", LayerFrame = "frame", LayerMessageTooLong = "message_too_long"
    }
    "msrp_participants", "Participants in all rooms.", Gauge { Participants }
    "msrp_bridges", "Bridges of two sessions that are there.", Gauge { Bridges }
    "msrp_bridges_started_total", "Bridges of two sessions that were made.", Counter { BridgesStarted }
    "msrp_sessions", "Sessions that there are, by state: waiting for an answer or for a connection, or bound to one.", Gauge, "state" {
        SessionsWaiting = "waiting", SessionsAtConnection = "bound"
    }
    "msrp_sessions_bound_total", "Sessions that were bound to a connection.", Counter { SessionsBound }
    "msrp_requests_received_total", "MSRP requests received, by method.", Counter, "method" {
        RequestsSend = "SEND", RequestsReport = "REPORT", RequestsNickname = "NICKNAME", RequestsOther = "other"
    }
    "msrp_requests_rejected_total", "MSRP requests whose header section was illegal; answered with 400.", Counter { RequestsRejected }
    "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" {
        ReceivedOk = "200", ReceivedBadRequest = "400", ReceivedForbidden = "403", ReceivedTimeout = "408",
        ReceivedStop = "413", ReceivedType = "415", ReceivedRange = "423", ReceivedNoSession = "481",
        ReceivedMethod = "501", ReceivedElsewhere = "506", ReceivedOther = "other"
    }
    "msrp_reports_received_total", "REPORT requests received in a session, by the status that they tell.", Counter, "status" {
        ReportOk = "200", ReportForbidden = "403", ReportTimeout = "408", ReportStop = "413", ReportType = "415",
        ReportNoSession = "481", ReportOther = "other"
    }
    "msrp_responses_unknown_total", "MSRP responses received that belong to no outstanding request.", Counter { ResponsesUnknown }
    "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" {
        ResponsesOk = "200", ResponsesBadRequest = "400", ResponsesForbidden = "403", ResponsesNotFound = "404",
        ResponsesStop = "413", ResponsesType = "415", ResponsesNicknameMalformed = "424",
        ResponsesNicknameTaken = "425", ResponsesNoPrivate = "428", ResponsesNoSession = "481",
        ResponsesMethod = "501", ResponsesElsewhere = "506", ResponsesOther = "other"
    }
    "msrp_reports_sent_total", "REPORT requests sent, by the status that they tell.", Counter, "status" {
        ReportsSentOk = "200", ReportsSentForbidden = "403", ReportsSentTimeout = "408", ReportsSentStop = "413",
        ReportsSentType = "415", ReportsSentOther = "other"
    }
    "msrp_pieces_sent_total", "SEND requests written, one for each piece and recipient.", Counter { PiecesSent }
    "msrp_octets_received_total", "Octets received on MSRP connections.", Counter { OctetsReceived }
    "msrp_octets_sent_total", "Octets written to MSRP connections.", Counter { OctetsSent }
    "msrp_body_octets_copied_total", "Body octets copied in user space, by reason.", Counter, "why" {
        CopiedHeld = "open_chunk", CopiedBacklog = "backlog", CopiedHeldBack = "held_back",
        CopiedEarly = "not_yet_bound", CopiedSplit = "read_border", CopiedRelay = "relay_turn_end", CopiedTls = "tls",
        CopiedWebsocket = "websocket"
    }
    "msrp_messages_total", "Messages accepted from participants, by what they hold: text, a typing notice (application/im-iscomposing+xml), a delivery notice (message/imdn+xml), a file, or something else.", Counter, "content" {
        MessagesText = "text", MessagesComposing = "composing", MessagesDisposition = "disposition",
        MessagesFile = "file", MessagesOther = "other"
    }
    "msrp_messages_too_fast_total", "Messages refused with 413 because their sender is above the rate that was set for it.", Counter { MessagesTooFast }
    "msrp_copies_opened_total", "Messages accepted for a recipient, one for each recipient.", Counter { CopiesOpened }
    "msrp_copies_total", "Messages towards a recipient, by outcome.", Counter, "outcome" {
        CopiesDelivered = "delivered", CopiesSent = "sent", CopiesRefused = "refused", CopiesFailed = "failed",
        CopiesAborted = "aborted"
    }
    "msrp_final_reports_total", "Final reports that were asked for, by what became of them: complete, sent with recipients that had not reported in time, or not sent because nobody was there to take it.", Counter, "outcome" {
        FinalReportsSent = "complete", FinalReportsTimedOut = "timed_out", FinalReportsSkipped = "skipped"
    }
    "msrp_senders_paused_total", "Times that a sender was not read because a recipient was slow.", Counter { SendersPaused }
    "msrp_recipients_behind_total", "Times that a recipient took so little that nobody waited for it any more.", Counter { RecipientsBehind }
    "msrp_copies_without_room_total", "Copies that ended because too much was waiting for their recipient.", Counter { CopiesWithoutRoom }
    "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" {
        EndRemoved = "removed", EndRoomClosed = "room_closed", EndConnectionLost = "connection_lost",
        EndNeverBound = "never_bound", EndConnectFailed = "connect_failed", EndStalled = "stalled",
        EndProtocolError = "protocol_error", EndSessionOver = "session_over", EndUnanswered = "unanswered",
        EndIdle = "idle", EndShardFailed = "shard_failed", EndShutdown = "shutdown"
    }
    "msrp_relay_uris", "URIs that the relay has given to clients and other relays and that are valid.", Gauge { RelayUris }
    "msrp_relay_uris_given_total", "URIs that the relay has given.", Counter { RelayUrisGiven }
    "msrp_relay_sends_open", "SENDs that the relay has taken and that have not ended.", Gauge { RelayOpen }
    "msrp_relay_sends_taken_total", "SENDs that the relay took to forward them.", Counter { RelayTaken }
    "msrp_relay_sends_not_taken_total", "SENDs that the relay refused before it forwarded anything of them.", Counter { RelayNotTaken }
    "msrp_relay_sends_total", "SENDs that the relay took, by outcome at the next hop.", Counter, "outcome" {
        RelayDelivered = "delivered", RelaySent = "sent", RelayRefused = "refused", RelayFailed = "failed"
    }
    "msrp_relay_failures_told_total", "SENDs that the relay took and that did not arrive, by how their senders were told.", Counter, "how" {
        RelayToldResponse = "response", RelayToldReport = "report", RelayToldNothing = "not_asked_for",
        RelayToldNobody = "sender_gone"
    }
    "msrp_relay_pieces_total", "Pieces of SENDs that the relay sent on.", Counter { RelayPieces }
    "msrp_relay_requests_forwarded_total", "Requests other than SEND that the relay forwarded.", Counter { RelayRequests }
    "msrp_relay_responses_forwarded_total", "Responses that the relay forwarded.", Counter { RelayResponses }
    "msrp_relay_reports_dropped_total", "REPORTs that the relay could not forward.", Counter { RelayDropped }
    "msrp_relay_without_room_total", "Pieces that ended because too much was waiting for their next hop.", Counter { RelayWithoutRoom }
    "msrp_relay_next_hops_unreachable_total", "Next hops that could not be connected.", Counter { RelayUnreachable }
    "msrp_relay_addresses_denied_total", "Addresses of next hops that the relay does not connect to.", Counter { RelayDenied }
    "msrp_relay_connections_closed_total", "Connections that the relay closed because of what was sent on them.", Counter { RelayClosed }
    "msrp_limits_reached_total", "Times that a bound kept something out, by the bound: a key of the configuration, or a constant of the program.", Counter, "limit" {
        LimitConnections = "connections_max", LimitSource = "source_unbound_max", LimitMessage = "message_octets_max",
        LimitRoom = "participants_per_room_max", LimitShared = "sessions_per_connection_max",
        LimitEarly = "early_octets_max", LimitBacklog = "backlog_octets_max"
    }
    "msrp_receive_slots", "Receive buffers that there are.", Gauge { ReceiveSlots }
    "msrp_receive_slots_in_use", "Receive buffers that hold octets somebody still needs.", Gauge { ReceiveSlotsInUse }
    "msrp_receive_pauses_total", "Times that receiving waited for a free receive buffer.", Counter { ReceivePauses }
    "msrp_timers", "Deadlines that are waited for by connections, sessions and transactions.", Gauge { Timers }
    "msrp_shard_crossings_total", "Messages from shard to shard about connections with sessions of both.", Counter { Crossings }
    "msrp_routes_opened_total", "Times that a connection came to carry sessions of another shard.", Counter { Routes }
    "msrp_shard_restarts_total", "Times that a shard was started again after a failure.", Counter { Restarts }
    "msrp_shard_turns_total", "Turns of the shard loops.", Counter { Turns }
}

/// The metrics that are told for each shard.
const BUSY: (&str, &str) = (
    "msrp_shard_busy_seconds_total",
    "Time in which a shard had work, by shard. Its rate is the part of a core that is in use.",
);
const LAG: (&str, &str) = (
    "msrp_shard_longest_turn_seconds",
    "Longest turn of a shard within the last quarter of a second or so, by shard: whatever came in meanwhile waited as long.",
);

/// The histograms.
const FORWARD: (&str, &str) = (
    "msrp_forward_seconds",
    "Time of a copy through the server: from the turn that reads the first octet of its piece until the kernel has its last one. What waits for a slow recipient counts as well.",
);
const TURN: (&str, &str) = (
    "msrp_shard_turn_seconds",
    "Length of the turns of all shards: whatever came in meanwhile waited as long.",
);

/// Every histogram of the engine: name and help.
pub const HISTOGRAMS: [(&str, &str); 2] = [FORWARD, TURN];

/// The histograms, summed over all shards.
pub(crate) fn histograms(shards: &[Arc<Counters>]) -> Vec<Histogram> {
    let shards = || shards.iter().cloned();
    vec![
        histogram::sum(FORWARD, shards(), |counters| &counters.latency),
        histogram::sum(TURN, shards(), |counters| &counters.turns),
    ]
}

/// Bounds that no shard keeps.
const LIMITS: [(NodeLimit, &str); 2] = [
    (NodeLimit::Rooms, "rooms_max"),
    (NodeLimit::Mailbox, "mailbox_messages_max"),
];

/// A bound that no shard keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeLimit {
    /// Rooms of the node.
    Rooms,
    /// Commands that wait for one shard.
    Mailbox,
}

/// How often each bound of the node was reached. Any thread counts; no chunk does.
#[derive(Debug, Default)]
pub(crate) struct NodeLimits([AtomicU64; LIMITS.len()]);

impl NodeLimits {
    /// Counts one.
    pub(crate) fn count(&self, limit: NodeLimit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// The names of the metrics that depend on no shard.
const ROOMS: (&str, &str) = ("msrp_rooms", "Rooms that run.");
const SHARDS: (&str, &str) = ("msrp_shards", "Shards that were started.");

/// Every metric of the engine: name, help and kind, in the order in which they are shown.
pub const METRICS: fn() -> Vec<(&'static str, &'static str, Kind)> = || {
    let mut all = vec![
        (ROOMS.0, ROOMS.1, Kind::Gauge),
        (SHARDS.0, SHARDS.1, Kind::Gauge),
        (BUSY.0, BUSY.1, Kind::CounterNs),
        (LAG.0, LAG.1, Kind::GaugeNs),
    ];
    all.extend(FAMILIES.iter().map(|f| (f.name, f.help, f.kind)));
    all
};

/// The numbers of one shard. The shard alone writes; anybody reads.
#[derive(Debug)]
pub(crate) struct Counters {
    cells: [AtomicU64; CELLS_COUNT],
    /// What the cells held when the shard was last started: totals that are kept elsewhere begin
    /// again at zero there.
    before: [AtomicU64; CELLS_COUNT],
    /// When the shard last went round its loop, in nanoseconds of the engine's clock.
    pub(crate) alive_ns: AtomicU64,
    /// How busy it is.
    pub(crate) business: Business,
    /// How long copies of pieces were on their way through the shard.
    pub(crate) latency: Buckets,
    /// How long its turns were.
    pub(crate) turns: Buckets,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            cells: [const { AtomicU64::new(0) }; CELLS_COUNT],
            before: [const { AtomicU64::new(0) }; CELLS_COUNT],
            alive_ns: AtomicU64::new(0),
            business: Business::default(),
            latency: Buckets::default(),
            turns: Buckets::default(),
        }
    }
}

impl Counters {
    /// Adds to a number. Only the shard that owns the counters calls it, so a load and a store do.
    pub(crate) fn add(&self, cell: Cell, count: u64) {
        let cell = &self.cells[cell as usize];
        cell.store(
            cell.load(Ordering::Relaxed).wrapping_add(count),
            Ordering::Relaxed,
        );
    }

    /// Adds one.
    pub(crate) fn count(&self, cell: Cell) {
        self.add(cell, 1);
    }

    /// Sets a number.
    pub(crate) fn set(&self, cell: Cell, value: u64) {
        self.cells[cell as usize].store(value, Ordering::Relaxed);
    }

    /// Sets a total that is kept elsewhere since the shard was started.
    pub(crate) fn set_total(&self, cell: Cell, value: u64) {
        let before = self.before[cell as usize].load(Ordering::Relaxed);
        self.set(cell, before.wrapping_add(value));
    }

    /// The shard has failed: what it had open ends, and its next totals are added to these.
    pub(crate) fn settle_failure(&self) {
        let settled = [
            Cell::CopiesDelivered,
            Cell::CopiesSent,
            Cell::CopiesRefused,
            Cell::CopiesFailed,
            Cell::CopiesAborted,
        ];
        let settled: u64 = settled.into_iter().map(|cell| self.get(cell)).sum();
        let open = self.get(Cell::CopiesOpened).saturating_sub(settled);
        self.add(Cell::CopiesFailed, open);
        self.add(Cell::EndShardFailed, self.get(Cell::Participants));
        self.add(Cell::EndShardFailed, self.get(Cell::Bridges) * 2);
        for gauge in [
            Cell::Participants,
            Cell::Bridges,
            Cell::Connections,
            Cell::TransportTcp,
            Cell::TransportTls,
            Cell::TransportWs,
            Cell::TransportWss,
            Cell::SessionsWaiting,
            Cell::SessionsAtConnection,
            Cell::ReceiveSlotsInUse,
            Cell::Timers,
        ] {
            self.set(gauge, 0);
        }
        for (before, cell) in self.before.iter().zip(&self.cells) {
            before.store(cell.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Counts the end of a session.
    pub(crate) fn count_end(&self, reason: EndReason) {
        self.count(match reason {
            EndReason::Removed => Cell::EndRemoved,
            EndReason::RoomClosed => Cell::EndRoomClosed,
            EndReason::ConnectionLost => Cell::EndConnectionLost,
            EndReason::NeverBound => Cell::EndNeverBound,
            EndReason::ConnectFailed => Cell::EndConnectFailed,
            EndReason::Stalled => Cell::EndStalled,
            EndReason::ProtocolError => Cell::EndProtocolError,
            EndReason::SessionOver => Cell::EndSessionOver,
            EndReason::Unanswered => Cell::EndUnanswered,
            EndReason::Idle => Cell::EndIdle,
            EndReason::ShardFailed => Cell::EndShardFailed,
            EndReason::Shutdown => Cell::EndShutdown,
        });
    }

    fn get(&self, cell: Cell) -> u64 {
        self.cells[cell as usize].load(Ordering::Relaxed)
    }

    /// The present value, for the sums of the node.
    pub(crate) fn participants(&self) -> u64 {
        self.get(Cell::Participants)
    }

    /// See [`Counters::participants`].
    pub(crate) fn connections(&self) -> u64 {
        self.get(Cell::Connections)
    }
}

/// The sums over all shards, with the node's own numbers first.
pub(crate) fn samples(
    shards: &[Arc<Counters>],
    rooms_count: u64,
    limits: &NodeLimits,
) -> Vec<Sample> {
    let gauge = |metric: (&'static str, &'static str), value| Sample {
        name: metric.0,
        help: metric.1,
        kind: Kind::Gauge,
        labels: Vec::new(),
        value,
    };
    let mut all = vec![
        gauge(ROOMS, rooms_count),
        gauge(SHARDS, shards.len() as u64),
    ];
    all.extend(of_each_shard(shards));
    for family in FAMILIES {
        let cells = family.cells.iter().map(|(cell, value)| {
            let sum = shards.iter().map(|shard| shard.get(*cell)).sum();
            family.sample(value, sum)
        });
        all.extend(cells);
        if family.cells[0].0 == Cell::LimitConnections {
            all.extend(of_the_node(family, limits));
        }
    }
    all
}

/// What is told for each shard.
fn of_each_shard(shards: &[Arc<Counters>]) -> impl Iterator<Item = Sample> {
    let sample = |metric: (&'static str, &'static str), kind, index: usize, value| Sample {
        name: metric.0,
        help: metric.1,
        kind,
        labels: vec![("shard", index.to_string())],
        value,
    };
    let shards = shards.iter().map(|shard| &shard.business).enumerate();
    let busy = shards
        .clone()
        .map(move |(index, shard)| sample(BUSY, Kind::CounterNs, index, shard.busy_ns()));
    let lag = shards.map(move |(index, shard)| {
        let longest = shard.longest_turn_ns();
        sample(LAG, Kind::GaugeNs, index, longest)
    });
    busy.chain(lag)
}

/// The bounds that no shard keeps, beside those of the shards.
fn of_the_node(family: &Family, limits: &NodeLimits) -> impl Iterator<Item = Sample> {
    LIMITS.iter().map(move |(limit, value)| {
        let count = limits.0[*limit as usize].load(Ordering::Relaxed);
        family.sample(value, count)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn metrics_cells_stand_at_their_own_index_and_differ() {
        let mut seen = BTreeSet::new();
        let all = FAMILIES
            .iter()
            .flat_map(|f| f.cells.iter().map(move |cell| (f.name, cell)));
        for (index, (name, (cell, value))) in all.enumerate() {
            assert_eq!(*cell as usize, index);
            assert!(seen.insert((name, value)), "{name} {value:?} twice");
        }
        let names: BTreeSet<_> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len(), "each metric is said once");
    }

    #[test]
    fn metrics_of_a_failed_shard_have_every_copy_settled_and_go_on_from_there() {
        let counters = Counters::default();
        counters.set_total(Cell::CopiesOpened, 10);
        counters.set_total(Cell::CopiesSent, 7);
        counters.set(Cell::Participants, 3);
        counters.settle_failure();
        assert_eq!(counters.get(Cell::CopiesFailed), 3);
        assert_eq!(counters.get(Cell::EndShardFailed), 3);
        assert_eq!(counters.get(Cell::Participants), 0);
        counters.set_total(Cell::CopiesOpened, 2);
        counters.set_total(Cell::CopiesFailed, 2);
        assert_eq!(counters.get(Cell::CopiesOpened), 12);
        assert_eq!(counters.get(Cell::CopiesFailed), 5);
    }

    #[test]
    fn metrics_every_end_reason_has_its_label() {
        for reason in EndReason::ALL {
            let counters = Arc::new(Counters::default());
            counters.count_end(reason);
            let samples = samples(&[counters], 0, &NodeLimits::default());
            let counted: Vec<_> = samples
                .iter()
                .filter(|s| s.value == 1 && s.name == "msrp_sessions_ended_total")
                .collect();
            assert_eq!(counted.len(), 1);
            assert_eq!(counted[0].labels[0].1, reason.as_str());
        }
    }
}
