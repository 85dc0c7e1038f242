//! What conferences and pager mode may do, and for whom.

use super::Key;
use super::default::{number, quoted, quoted_list, right};

pub(super) const KEYS: &[Key] = &[
    Key {
        path: "groups.directory",
        kind: "directory",
        default: |c| quoted(&c.groups.directory.to_string_lossy()),
        effect: "Where the list-service XML documents lie, one group each. A relative path starts at the \
                 directory of the configuration file. Documents that are written, added or removed \
                 take effect within seconds, at once on SIGHUP, also on sessions that run.",
        limit: "A broken document stops the start. Later it is logged with file and line, and its \
                last good version stays in force. A directory that is named here and does not exist stops the start; without the key, a \
                missing directory means no groups.",
    },
    Key {
        path: "policy.anonymity",
        kind: "boolean",
        default: |c| number(c.policy.anonymity),
        effect: "Whether participants of ad-hoc sessions may hide their identity.",
        limit: "-",
    },
    Key {
        path: "policy.private_messages",
        kind: "boolean",
        default: |c| number(c.policy.private_messages),
        effect: "Whether a message in an ad-hoc session may go to single participants.",
        limit: "-",
    },
    Key {
        path: "policy.nicknames",
        kind: "boolean",
        default: |c| number(c.policy.nicknames),
        effect: "Whether participants may choose nicknames (RFC 7701 s.7), in ad-hoc and group sessions. \
                 A nickname is unique in its session and free again when its holder leaves.",
        limit: "Without nicknames, and above ten at once and one each second, a NICKNAME request is \
                answered 403.",
    },
    Key {
        path: "policy.private_refusal_status",
        kind: "status, 403 or 428",
        default: |c| number(c.policy.private_refusal_status),
        effect: "What the sender of a private message is told when nobody whom it names takes private \
                 messages: 403 as OMA SIMPLE IM has it, or 428 as RFC 7701 has it. A participant takes \
                 them when its client shows an IM release or its session description declares them.",
        limit: "Any other status stops the start.",
    },
    Key {
        path: "policy.interim_reports",
        kind: "boolean",
        default: |c| number(c.policy.interim_reports),
        effect: "Whether a final delivery report comes in parts, each with the results of one turn; else \
                 all together.",
        limit: "-",
    },
    Key {
        path: "policy.strict_report_types",
        kind: "boolean",
        default: |c| number(c.policy.strict_report_types),
        effect: "Whether a final delivery report is kept from a sender whose session description does not \
                 list its type, unless it asked for it as a REPORT; else it is sent, since the sender \
                 asked for it.",
        limit: "A report that is kept is counted as skipped.",
    },
    Key {
        path: "policy.adhoc_add",
        kind: "`participants` or `originator`",
        default: |c| right(c.policy.adhoc_add),
        effect: "Who may add users to an ad-hoc session by REFER: everybody who takes part, or its originator \
                 alone. Groups have `allow-invite-users-dynamically` for that.",
        limit: "Others are refused with 403.",
    },
    Key {
        path: "policy.adhoc_expel",
        kind: "`originator` or `participants`",
        default: |c| right(c.policy.adhoc_expel),
        effect: "Who may remove others from an ad-hoc session by REFER. Groups have `allow-expelling` for that.",
        limit: "Others are refused with 403.",
    },
    Key {
        path: "policy.refer_status",
        kind: "status, 202 or 200",
        default: |c| number(c.policy.refer_status),
        effect: "How a REFER that is carried out is answered: 202 as RFC 3515 has it, or 200 as RFC 7647 has it.",
        limit: "Any other status stops the start.",
    },
    Key {
        path: "policy.own_mark",
        kind: "`PREFIX=NAMESPACE`",
        default: |_| quoted(""),
        effect: "The namespace of `yourown`, by which conference documents mark the subscriber's own entry. \
                 Empty writes the attribute without prefix, as deployed clients read it.",
        limit: "A prefix that XML or the documents use, and a namespace that is no URI, stop the start.",
    },
    Key {
        path: "policy.large_hold_octets",
        kind: "octets, at most 1048576",
        default: |c| number(c.policy.large.hold_octets),
        effect: "How much of a large message or file is kept for recipients who have not accepted or connected. \
                 They get it whole when they come. 0 keeps nothing.",
        limit: "With more, the sender waits for them. 64 MiB are kept for each shard.",
    },
    Key {
        path: "policy.large_hold_ms",
        kind: "milliseconds, at most 25000",
        default: |c| number(c.policy.large.hold_ms),
        effect: "How long the sender of a large message waits for such recipients when that much is kept.",
        limit: "Who comes later is released, and counts as not served: 408 in the final report.",
    },
    Key {
        path: "policy.large_one_message",
        kind: "boolean",
        default: |c| number(c.policy.large.one_message),
        effect: "Whether a session for a large message takes one message only.",
        limit: "A further one is refused with MSRP 403.",
    },
    Key {
        path: "pager.exploder",
        kind: "array of SIP URIs",
        default: |c| quoted_list(&c.pager.exploder),
        effect: "The URIs to which a MESSAGE with a list of recipients may go (RFC 5365), beside those of \
                 `sip.conference_factory`. With another `domain` the default has that domain.",
        limit: "A MESSAGE to another URI that is no group and no session is answered 404.",
    },
    Key {
        path: "pager.lists",
        kind: "boolean",
        default: |c| number(c.pager.lists),
        effect: "Whether a MESSAGE may bring its own list of recipients. Groups and sessions take MESSAGEs \
                 in either case.",
        limit: "Without lists such a MESSAGE is answered 420.",
    },
    Key {
        path: "pager.recipient_history",
        kind: "boolean",
        default: |c| number(c.pager.recipient_history),
        effect: "Whether each recipient is shown the others that the list marks `to` and `cc` (RFC 5364).",
        limit: "-",
    },
    Key {
        path: "pager.messages_per_s",
        kind: "MESSAGEs in a second, 1 to 1000000",
        default: |c| number(c.pager.messages_per_s),
        effect: "How many MESSAGEs leave in a second at most, copies and notifications together.",
        limit: "Further ones wait. Above 100000 waiting, or 64 MiB, a new MESSAGE is answered 503.",
    },
    Key {
        path: "pager.notification_wait_s",
        kind: "seconds",
        default: |c| number(c.pager.notification_wait_s),
        effect: "How long the delivery notifications of one message are gathered before its sender is \
                 told (timer Ts2). 0 passes each on when it comes.",
        limit: "What has come is told together. Later ones are passed on alone.",
    },
    Key {
        path: "pager.notification_restarts",
        kind: "count, at most 1000",
        default: |c| number(c.pager.notification_restarts),
        effect: "How often that wait starts again while notifications are outstanding.",
        limit: "-",
    },
    Key {
        path: "pager.answer_wait_s",
        kind: "seconds",
        default: |c| number(c.pager.answer_wait_s),
        effect: "How long a user has to answer a message of the server that wants an answer (timer Ts1). \
                 0: answers are not waited for.",
        limit: "A user whose time is over counts as one who has not answered.",
    },
    Key {
        path: "pager.block_unanswered",
        kind: "boolean",
        default: |c| number(c.pager.block_unanswered),
        effect: "Whether a user who has not answered in time is not served until it does.",
        limit: "Its INVITEs and MESSAGEs are answered 403.",
    },
];
