//! Every configurable bound.

use super::Key;
use super::default::number;

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "limits.adhoc_participants_max",
        kind: "count",
        default: |c| number(c.limits.adhoc_participants_max),
        effect: "Most users of an ad-hoc session other than its originator.",
        limit: "A longer list, and one more user, are refused by SIP.",
    },
    Key {
        path: "limits.pager_recipients_max",
        kind: "count",
        default: |c| number(c.limits.pager_recipients_max),
        effect: "Most recipients of one pager-mode message.",
        limit: "A MESSAGE with more recipients is answered 486.",
    },
    Key {
        path: "limits.connections_max",
        kind: "count",
        default: |c| number(c.limits.connections_max),
        effect: "Most MSRP connections of all listeners together.",
        limit: "One more is reset when it arrives, and counted.",
    },
    Key {
        path: "limits.message_octets_max",
        kind: "octets of the whole CPIM message",
        default: |c| number(c.limits.message_octets_max),
        effect: "Longest message; written into `a=max-size`.",
        limit: "A longer message is answered 413.",
    },
    Key {
        path: "limits.session_max_s",
        kind: "seconds",
        default: |c| number(c.limits.session_max_s),
        effect: "Longest life of a SIP session.",
        limit: "The session is ended with BYE.",
    },
    Key {
        path: "limits.source_unbound_max",
        kind: "count",
        default: |c| number(c.limits.source_unbound_max),
        effect: "Most MSRP connections of one source that have not named a session: an IPv4 address, or a /64 \
                 network of IPv6. Each shard keeps its share. Proxies and relays need few, since connections name \
                 their session at once. 0 is no bound.",
        limit: "One more is reset when it arrives, and counted. Other sources, and connections that have named a \
                session, are not touched.",
    },
    Key {
        path: "limits.unbound_s",
        kind: "seconds",
        default: |c| number(c.limits.unbound_s),
        effect: "How long a connection may stay without naming a session, and a session without a \
                 connection.",
        limit: "The connection is closed, the participant is removed.",
    },
    Key {
        path: "limits.stall_s",
        kind: "seconds",
        default: |c| number(c.limits.stall_s),
        effect: "How long a recipient may take nothing while octets wait for it.",
        limit: "The recipient is removed; its legs are recorded as failed.",
    },
    Key {
        path: "limits.websocket_ping_s",
        kind: "seconds",
        default: |c| number(c.limits.websocket_ping_s),
        effect: "How long a WebSocket may be silent before msrpd pings its client.",
        limit: "A connection whose peer acknowledges no octet for `limits.stall_s` is closed.",
    },
    Key {
        path: "limits.final_report_s",
        kind: "seconds",
        default: |c| number(c.limits.final_report_s),
        effect: "How long a final report waits for the outcome of its legs.",
        limit: "The report is sent with what is known by then.",
    },
    Key {
        path: "limits.bridges_max",
        kind: "count",
        default: |c| number(c.limits.bridges_max),
        effect: "Most bridges of two sessions, which the API calls relays.",
        limit: "One more is refused: 503 by the API.",
    },
    Key {
        path: "limits.bridge_unanswered_s",
        kind: "seconds",
        default: |c| number(c.limits.bridge_unanswered_s),
        effect: "How long a bridge may wait for the answer to its first offer. Longer than a call may ring.",
        limit: "The bridge ends; an event says so.",
    },
    Key {
        path: "limits.bridge_idle_s",
        kind: "seconds",
        default: |c| number(c.limits.bridge_idle_s),
        effect: "How long neither side of a bridge may be heard. A SEND without a body is a sign of life.",
        limit: "The bridge ends, at most a quarter of this time later; an event says so.",
    },
    Key {
        path: "limits.sessions_max",
        kind: "count",
        default: |c| number(c.limits.sessions_max),
        effect: "Most sessions of all rooms together.",
        limit: "One more is refused with 503 and Retry-After, by SIP and by the API.",
    },
    Key {
        path: "limits.memory_octets_max",
        kind: "octets",
        default: |c| number(c.limits.memory_octets_max),
        effect: "Resident memory that the process should not exceed, looked at ten times a second. From 85 % of it \
                 on it takes nothing new. 0 is no bound.",
        limit: "New rooms and participants, and all SIP requests outside of dialogs, are refused with 503 and \
                Retry-After until it is below nine tenths of that mark; those who are there are served. INVITEs \
                without ACK, and BYEs and NOTIFYs without answer, are given up after two seconds, and memory that \
                was freed goes back to the system.",
    },
    Key {
        path: "limits.sip_unfinished_max",
        kind: "count",
        default: |c| number(c.limits.sip_unfinished_max),
        effect: "Most INVITEs of peers without final response or ACK together with BYEs of msrpd without answer; and, \
                 counted apart, most NOTIFYs without answer. Each needs up to 32 KiB; with `limits.memory_octets_max` there \
                 are never more than fit into a quarter of it.",
        limit: "For a new INVITE, and apart from it for a new SUBSCRIBE or REFER, the oldest that has waited for its peer \
                longer than two seconds is given up: its session or subscription ends. When there is none, the new one is \
                answered 503 with Retry-After.",
    },
    Key {
        path: "limits.sip_source_requests_per_s",
        kind: "requests in a second",
        default: |c| number(c.limits.sip_source_requests_per_s),
        effect: "Most SIP requests outside of dialogs from one source in a second: an IPv4 address, or a /64 network \
                 of IPv6. Does not apply to `sip.trusted_peers`. 0 is no bound.",
        limit: "Further ones of that second are answered 503 with Retry-After.",
    },
    Key {
        path: "limits.sip_source_unfinished_max",
        kind: "count",
        default: |c| number(c.limits.sip_source_unfinished_max),
        effect: "Most INVITEs of one source without final response or ACK. Does not apply to `sip.trusted_peers`. \
                 0 is no bound.",
        limit: "One more is answered 503 with Retry-After.",
    },
    Key {
        path: "limits.cpu_percent_max",
        kind: "per cent",
        default: |c| number(c.limits.cpu_percent_max),
        effect: "Processor time of the process, of what all processors have, above which it takes nothing \
                 new, over the last second. 0 is no bound.",
        limit: "New rooms and participants are refused, as at `limits.memory_octets_max`.",
    },
    Key {
        path: "limits.drain_s",
        kind: "seconds",
        default: |c| number(c.limits.drain_s),
        effect: "How long SIGTERM and SIGINT let sessions go on before they end them: new ones are refused \
                 meanwhile. 0 ends them at once. systemd's `TimeoutStopSec` has to be longer.",
        limit: "When it is over, those who are left get BYE, and the exit status is 3. A second signal ends \
                the process at once.",
    },
];
