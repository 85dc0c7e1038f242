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

macro_rules! cells {
    ($($(#[$doc:meta])* $cell:ident => $name:literal, $help:literal, $kind:ident $(, $label:literal = $value:literal)?;)*) => {
        /// One number of one shard.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Cell { $($(#[$doc])* $cell),* }

        const CELLS: &[(Cell, &str, &str, Kind, Option<(&str, &str)>)] = &[
            $((Cell::$cell, $name, $help, Kind::$kind, cells!(@label $($label, $value)?))),*
        ];
    };
    (@label) => { None };
    (@label $label:literal, $value:literal) => { Some(($label, $value)) };
}

cells! {
    Connections => "msrp_connections", "MSRP connections that are open.", Gauge;
    TransportTcp => "msrp_transport_connections", "MSRP connections that are open, by transport.", Gauge, "transport" = "tcp";
    TransportTls => "msrp_transport_connections", "MSRP connections that are open, by transport.", Gauge, "transport" = "tls";
    TransportWs => "msrp_transport_connections", "MSRP connections that are open, by transport.", Gauge, "transport" = "ws";
    TransportWss => "msrp_transport_connections", "MSRP connections that are open, by transport.", Gauge, "transport" = "wss";
    ConnectionsAccepted => "msrp_connections_accepted_total", "MSRP connections accepted.", Counter;
    ConnectionsRefused => "msrp_connections_refused_total", "MSRP connections closed as they came because a limit was reached.", Counter;
    ConnectionsNeverBound => "msrp_connections_never_bound_total", "MSRP connections closed because they named no session in time.", Counter;
    ConnectionsMalformed => "msrp_connections_malformed_total", "MSRP connections closed because their octets were not MSRP.", Counter;
    HandedOver => "msrp_connections_handed_over_total", "MSRP connections handed to the shard that owns their session.", Counter;
    HandshakesTls => "msrp_handshakes_total", "MSRP connections on which TLS, WebSocket or both came up, by transport.", Counter, "transport" = "tls";
    HandshakesWs => "msrp_handshakes_total", "MSRP connections on which TLS, WebSocket or both came up, by transport.", Counter, "transport" = "ws";
    HandshakesWss => "msrp_handshakes_total", "MSRP connections on which TLS, WebSocket or both came up, by transport.", Counter, "transport" = "wss";
    LayerTls => "msrp_layer_failures_total", "MSRP connections that TLS or WebSocket ended, by reason.", Counter, "reason" = "tls";
    LayerCertificate => "msrp_layer_failures_total", "MSRP connections that TLS or WebSocket ended, by reason.", Counter, "reason" = "certificate";
    LayerNotWebSocket => "msrp_layer_failures_total", "MSRP connections that TLS or WebSocket ended, by reason.", Counter, "reason" = "not_websocket";
    LayerVersion => "msrp_layer_failures_total", "MSRP connections that TLS or WebSocket ended, by reason.", Counter, "reason" = "version";
    LayerSubprotocol => "msrp_layer_failures_total", "MSRP connections that TLS or WebSocket ended, by reason.", Counter, "reason" = "subprotocol";
    LayerOrigin => "msrp_layer_failures_total", "MSRP connections that TLS or WebSocket ended, by reason.", Counter, "reason" = "origin";
    LayerHandshakeTooLong => "msrp_layer_failures_total", "MSRP connections that TLS or WebSocket ended, by reason.", Counter, "reason" = "handshake_too_long";
    LayerFrame => "msrp_layer_failures_total", "MSRP connections that TLS or WebSocket ended, by reason.", Counter, "reason" = "frame";
    LayerMessageTooLong => "msrp_layer_failures_total", "MSRP connections that TLS or WebSocket ended, by reason.", Counter, "reason" = "message_too_long";
    Participants => "msrp_participants", "Participants in all rooms.", Gauge;
    Bridges => "msrp_bridges", "Bridges of two sessions that are there.", Gauge;
    BridgesStarted => "msrp_bridges_started_total", "Bridges of two sessions that were made.", Counter;
    SessionsWaiting => "msrp_sessions", "Sessions that there are, by state: waiting for an answer or for a connection, or bound to one.", Gauge, "state" = "waiting";
    SessionsAtConnection => "msrp_sessions", "Sessions that there are, by state: waiting for an answer or for a connection, or bound to one.", Gauge, "state" = "bound";
    SessionsBound => "msrp_sessions_bound_total", "Sessions that were bound to a connection.", Counter;
    RequestsSend => "msrp_requests_received_total", "MSRP requests received, by method.", Counter, "method" = "SEND";
    RequestsReport => "msrp_requests_received_total", "MSRP requests received, by method.", Counter, "method" = "REPORT";
    RequestsNickname => "msrp_requests_received_total", "MSRP requests received, by method.", Counter, "method" = "NICKNAME";
    RequestsOther => "msrp_requests_received_total", "MSRP requests received, by method.", Counter, "method" = "other";
    RequestsRejected => "msrp_requests_rejected_total", "MSRP requests whose header section was illegal; answered with 400.", Counter;
    ReceivedOk => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "200";
    ReceivedBadRequest => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "400";
    ReceivedForbidden => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "403";
    ReceivedTimeout => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "408";
    ReceivedStop => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "413";
    ReceivedType => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "415";
    ReceivedRange => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "423";
    ReceivedNoSession => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "481";
    ReceivedMethod => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "501";
    ReceivedElsewhere => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "506";
    ReceivedOther => "msrp_responses_received_total", "MSRP responses received, by status.", Counter, "status" = "other";
    ReportOk => "msrp_reports_received_total", "REPORT requests received in a session, by the status that they tell.", Counter, "status" = "200";
    ReportForbidden => "msrp_reports_received_total", "REPORT requests received in a session, by the status that they tell.", Counter, "status" = "403";
    ReportTimeout => "msrp_reports_received_total", "REPORT requests received in a session, by the status that they tell.", Counter, "status" = "408";
    ReportStop => "msrp_reports_received_total", "REPORT requests received in a session, by the status that they tell.", Counter, "status" = "413";
    ReportType => "msrp_reports_received_total", "REPORT requests received in a session, by the status that they tell.", Counter, "status" = "415";
    ReportNoSession => "msrp_reports_received_total", "REPORT requests received in a session, by the status that they tell.", Counter, "status" = "481";
    ReportOther => "msrp_reports_received_total", "REPORT requests received in a session, by the status that they tell.", Counter, "status" = "other";
    ResponsesUnknown => "msrp_responses_unknown_total", "MSRP responses received that belong to no outstanding request.", Counter;
    ResponsesOk => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "200";
    ResponsesBadRequest => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "400";
    ResponsesForbidden => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "403";
    ResponsesNotFound => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "404";
    ResponsesStop => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "413";
    ResponsesType => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "415";
    ResponsesNicknameMalformed => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "424";
    ResponsesNicknameTaken => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "425";
    ResponsesNoPrivate => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "428";
    ResponsesNoSession => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "481";
    ResponsesMethod => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "501";
    ResponsesElsewhere => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "506";
    ResponsesOther => "msrp_responses_sent_total", "MSRP responses sent, by status.", Counter, "status" = "other";
    ReportsSentOk => "msrp_reports_sent_total", "REPORT requests sent, by the status that they tell.", Counter, "status" = "200";
    ReportsSentForbidden => "msrp_reports_sent_total", "REPORT requests sent, by the status that they tell.", Counter, "status" = "403";
    ReportsSentTimeout => "msrp_reports_sent_total", "REPORT requests sent, by the status that they tell.", Counter, "status" = "408";
    ReportsSentStop => "msrp_reports_sent_total", "REPORT requests sent, by the status that they tell.", Counter, "status" = "413";
    ReportsSentType => "msrp_reports_sent_total", "REPORT requests sent, by the status that they tell.", Counter, "status" = "415";
    ReportsSentOther => "msrp_reports_sent_total", "REPORT requests sent, by the status that they tell.", Counter, "status" = "other";
    PiecesSent => "msrp_pieces_sent_total", "SEND requests written, one for each piece and recipient.", Counter;
    OctetsReceived => "msrp_octets_received_total", "Octets received on MSRP connections.", Counter;
    OctetsSent => "msrp_octets_sent_total", "Octets written to MSRP connections.", Counter;
    CopiedHeld => "msrp_body_octets_copied_total", "Body octets copied in user space, by reason.", Counter, "why" = "open_chunk";
    CopiedBacklog => "msrp_body_octets_copied_total", "Body octets copied in user space, by reason.", Counter, "why" = "backlog";
    CopiedHeldBack => "msrp_body_octets_copied_total", "Body octets copied in user space, by reason.", Counter, "why" = "held_back";
    CopiedEarly => "msrp_body_octets_copied_total", "Body octets copied in user space, by reason.", Counter, "why" = "not_yet_bound";
    CopiedSplit => "msrp_body_octets_copied_total", "Body octets copied in user space, by reason.", Counter, "why" = "read_border";
    CopiedRelay => "msrp_body_octets_copied_total", "Body octets copied in user space, by reason.", Counter, "why" = "relay_turn_end";
    CopiedTls => "msrp_body_octets_copied_total", "Body octets copied in user space, by reason.", Counter, "why" = "tls";
    CopiedWebsocket => "msrp_body_octets_copied_total", "Body octets copied in user space, by reason.", Counter, "why" = "websocket";
    MessagesText => "msrp_messages_total", "Messages accepted from participants, by what they hold: text, a typing notice (application/im-iscomposing+xml), a delivery notice (message/imdn+xml), a file, or something else.", Counter, "content" = "text";
    MessagesComposing => "msrp_messages_total", "Messages accepted from participants, by what they hold: text, a typing notice (application/im-iscomposing+xml), a delivery notice (message/imdn+xml), a file, or something else.", Counter, "content" = "composing";
    MessagesDisposition => "msrp_messages_total", "Messages accepted from participants, by what they hold: text, a typing notice (application/im-iscomposing+xml), a delivery notice (message/imdn+xml), a file, or something else.", Counter, "content" = "disposition";
    MessagesFile => "msrp_messages_total", "Messages accepted from participants, by what they hold: text, a typing notice (application/im-iscomposing+xml), a delivery notice (message/imdn+xml), a file, or something else.", Counter, "content" = "file";
    MessagesOther => "msrp_messages_total", "Messages accepted from participants, by what they hold: text, a typing notice (application/im-iscomposing+xml), a delivery notice (message/imdn+xml), a file, or something else.", Counter, "content" = "other";
    CopiesOpened => "msrp_copies_opened_total", "Messages accepted for a recipient, one for each recipient.", Counter;
    CopiesDelivered => "msrp_copies_total", "Messages towards a recipient, by outcome.", Counter, "outcome" = "delivered";
    CopiesSent => "msrp_copies_total", "Messages towards a recipient, by outcome.", Counter, "outcome" = "sent";
    CopiesRefused => "msrp_copies_total", "Messages towards a recipient, by outcome.", Counter, "outcome" = "refused";
    CopiesFailed => "msrp_copies_total", "Messages towards a recipient, by outcome.", Counter, "outcome" = "failed";
    CopiesAborted => "msrp_copies_total", "Messages towards a recipient, by outcome.", Counter, "outcome" = "aborted";
    FinalReportsSent => "msrp_final_reports_total", "Final reports that were asked for, by what became of them: complete, sent with recipients that had not reported in time, or not sent because nobody was there to take it.", Counter, "outcome" = "complete";
    FinalReportsTimedOut => "msrp_final_reports_total", "Final reports that were asked for, by what became of them: complete, sent with recipients that had not reported in time, or not sent because nobody was there to take it.", Counter, "outcome" = "timed_out";
    FinalReportsSkipped => "msrp_final_reports_total", "Final reports that were asked for, by what became of them: complete, sent with recipients that had not reported in time, or not sent because nobody was there to take it.", Counter, "outcome" = "skipped";
    SendersPaused => "msrp_senders_paused_total", "Times that a sender was not read because a recipient was slow.", Counter;
    RecipientsBehind => "msrp_recipients_behind_total", "Times that a recipient took so little that nobody waited for it any more.", Counter;
    CopiesWithoutRoom => "msrp_copies_without_room_total", "Copies that ended because too much was waiting for their recipient.", Counter;
    EndRemoved => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "removed";
    EndRoomClosed => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "room_closed";
    EndConnectionLost => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "connection_lost";
    EndNeverBound => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "never_bound";
    EndConnectFailed => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "connect_failed";
    EndStalled => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "stalled";
    EndProtocolError => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "protocol_error";
    EndSessionOver => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "session_over";
    EndUnanswered => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "unanswered";
    EndIdle => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "idle";
    EndShardFailed => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "shard_failed";
    EndShutdown => "msrp_sessions_ended_total", "Sessions that ended, by reason.", Counter, "reason" = "shutdown";
    RelayUris => "msrp_relay_uris", "URIs that the relay has given to clients and other relays and that are valid.", Gauge;
    RelayUrisGiven => "msrp_relay_uris_given_total", "URIs that the relay has given.", Counter;
    RelayOpen => "msrp_relay_sends_open", "SENDs that the relay has taken and that have not ended.", Gauge;
    RelayTaken => "msrp_relay_sends_taken_total", "SENDs that the relay took to forward them.", Counter;
    RelayNotTaken => "msrp_relay_sends_not_taken_total", "SENDs that the relay refused before it forwarded anything of them.", Counter;
    RelayDelivered => "msrp_relay_sends_total", "SENDs that the relay took, by outcome at the next hop.", Counter, "outcome" = "delivered";
    RelaySent => "msrp_relay_sends_total", "SENDs that the relay took, by outcome at the next hop.", Counter, "outcome" = "sent";
    RelayRefused => "msrp_relay_sends_total", "SENDs that the relay took, by outcome at the next hop.", Counter, "outcome" = "refused";
    RelayFailed => "msrp_relay_sends_total", "SENDs that the relay took, by outcome at the next hop.", Counter, "outcome" = "failed";
    RelayToldResponse => "msrp_relay_failures_told_total", "SENDs that the relay took and that did not arrive, by how their senders were told.", Counter, "how" = "response";
    RelayToldReport => "msrp_relay_failures_told_total", "SENDs that the relay took and that did not arrive, by how their senders were told.", Counter, "how" = "report";
    RelayToldNothing => "msrp_relay_failures_told_total", "SENDs that the relay took and that did not arrive, by how their senders were told.", Counter, "how" = "not_asked_for";
    RelayToldNobody => "msrp_relay_failures_told_total", "SENDs that the relay took and that did not arrive, by how their senders were told.", Counter, "how" = "sender_gone";
    RelayPieces => "msrp_relay_pieces_total", "Pieces of SENDs that the relay sent on.", Counter;
    RelayRequests => "msrp_relay_requests_forwarded_total", "Requests other than SEND that the relay forwarded.", Counter;
    RelayResponses => "msrp_relay_responses_forwarded_total", "Responses that the relay forwarded.", Counter;
    RelayDropped => "msrp_relay_reports_dropped_total", "REPORTs that the relay could not forward.", Counter;
    RelayWithoutRoom => "msrp_relay_without_room_total", "Pieces that ended because too much was waiting for their next hop.", Counter;
    RelayUnreachable => "msrp_relay_next_hops_unreachable_total", "Next hops that could not be connected.", Counter;
    RelayDenied => "msrp_relay_addresses_denied_total", "Addresses of next hops that the relay does not connect to.", Counter;
    RelayClosed => "msrp_relay_connections_closed_total", "Connections that the relay closed because of what was sent on them.", Counter;
    LimitConnections => "msrp_limits_reached_total", "Times that a bound kept something out, by the bound: a key of the configuration, or a constant of the program.", Counter, "limit" = "connections_max";
    LimitMessage => "msrp_limits_reached_total", "Times that a bound kept something out, by the bound: a key of the configuration, or a constant of the program.", Counter, "limit" = "message_octets_max";
    LimitRoom => "msrp_limits_reached_total", "Times that a bound kept something out, by the bound: a key of the configuration, or a constant of the program.", Counter, "limit" = "participants_per_room_max";
    LimitShared => "msrp_limits_reached_total", "Times that a bound kept something out, by the bound: a key of the configuration, or a constant of the program.", Counter, "limit" = "sessions_per_connection_max";
    LimitEarly => "msrp_limits_reached_total", "Times that a bound kept something out, by the bound: a key of the configuration, or a constant of the program.", Counter, "limit" = "early_octets_max";
    LimitBacklog => "msrp_limits_reached_total", "Times that a bound kept something out, by the bound: a key of the configuration, or a constant of the program.", Counter, "limit" = "backlog_octets_max";
    ReceiveSlots => "msrp_receive_slots", "Receive buffers that there are.", Gauge;
    ReceiveSlotsInUse => "msrp_receive_slots_in_use", "Receive buffers that hold octets somebody still needs.", Gauge;
    ReceivePauses => "msrp_receive_pauses_total", "Times that receiving waited for a free receive buffer.", Counter;
    Crossings => "msrp_shard_crossings_total", "Messages from shard to shard about connections with sessions of both.", Counter;
    Routes => "msrp_routes_opened_total", "Times that a connection came to carry sessions of another shard.", Counter;
    Restarts => "msrp_shard_restarts_total", "Times that a shard was started again after a failure.", Counter;
    Turns => "msrp_shard_turns_total", "Turns of the shard loops.", Counter;
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
    for (_, name, help, kind, _) in CELLS {
        if all.last().is_none_or(|last| last.0 != *name) {
            all.push((name, help, *kind));
        }
    }
    all
};

/// The numbers of one shard. The shard alone writes; anybody reads.
#[derive(Debug)]
pub(crate) struct Counters {
    cells: [AtomicU64; CELLS.len()],
    /// What the cells held when the shard was last started: totals that are kept elsewhere begin
    /// again at zero there.
    before: [AtomicU64; CELLS.len()],
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
            cells: [const { AtomicU64::new(0) }; CELLS.len()],
            before: [const { AtomicU64::new(0) }; CELLS.len()],
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
    all.extend(CELLS.iter().map(|(cell, name, help, kind, label)| {
        Sample {
            name,
            help,
            kind: *kind,
            labels: label
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            value: shards.iter().map(|shard| shard.get(*cell)).sum(),
        }
    }));
    all.extend(of_the_node(limits));
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
fn of_the_node(limits: &NodeLimits) -> impl Iterator<Item = Sample> {
    let cell = Cell::LimitConnections as usize;
    LIMITS.iter().map(move |(limit, value)| Sample {
        name: CELLS[cell].1,
        help: CELLS[cell].2,
        kind: Kind::Counter,
        labels: vec![("limit", (*value).to_owned())],
        value: limits.0[*limit as usize].load(Ordering::Relaxed),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn metrics_cells_stand_at_their_own_index_and_differ() {
        let mut seen = BTreeSet::new();
        for (index, (cell, name, _, _, label)) in CELLS.iter().enumerate() {
            assert_eq!(*cell as usize, index);
            assert!(seen.insert((name, label)), "{name} {label:?} twice");
        }
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
