//! Every key, declared once: what the reader accepts and what `docs/config.md` says.

use std::fmt::Write as _;

use msrp_sip::focus::AdHocRight;
use ring_io::Want;

use super::Config;

/// One key.
pub struct Key {
    /// The full key; keys of an array of tables are written without an index.
    pub path: &'static str,
    /// Type and unit.
    pub kind: &'static str,
    /// How the default reads in TOML; `None` for a key that has none.
    pub default: fn(&Config) -> Option<String>,
    /// What it does.
    pub effect: &'static str,
    /// What happens at the limit, or with a value that is refused.
    pub limit: &'static str,
}

/// The names directly below a table, in the order of the catalogue.
pub(super) fn children(table: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    for key in KEYS {
        let below = match table {
            "" => Some(key.path),
            _ => key
                .path
                .strip_prefix(table)
                .and_then(|p| p.strip_prefix('.')),
        };
        let name = below.and_then(|path| path.split('.').next());
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    names
}

/// Whether a key or a table of this name is declared.
pub(super) fn is_known(path: &str) -> bool {
    let is_below = |key: &str| {
        key.strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    KEYS.iter()
        .any(|key| key.path == path || is_below(key.path))
}

/// The text of `docs/config.md`.
#[must_use]
pub fn document() -> String {
    let defaults = Config::default();
    let mut text = String::from(HEAD);
    let mut section = None;
    for key in KEYS {
        let table = key.path.rsplit_once('.').map_or("", |(table, _)| table);
        if section != Some(table) {
            section = Some(table);
            heading(&mut text, table);
        }
        let default = (key.default)(&defaults).map_or("none".to_owned(), |d| format!("`{d}`"));
        let (path, kind, effect, limit) = (key.path, key.kind, key.effect, key.limit);
        let _ = writeln!(
            text,
            "| `{path}` | {kind} | {default} | {effect} | {limit} |"
        );
    }
    text
}

fn heading(text: &mut String, table: &str) {
    let title = match table {
        "" => "Top level".to_owned(),
        "msrp.listener" => "`[[msrp.listener]]`, once for each listener".to_owned(),
        "admin.webhook" => "`[[admin.webhook]]`, once for each webhook".to_owned(),
        _ => format!("`[{table}]`"),
    };
    let _ = write!(
        text,
        "\n## {title}\n\n| Key | Type and unit | Default | Effect | At the limit |\n\
         | --- | --- | --- | --- | --- |\n"
    );
}

fn quoted(text: &str) -> Option<String> {
    Some(format!("\"{text}\""))
}

fn quoted_list<T: ToString>(values: &[T]) -> Option<String> {
    let values: Vec<_> = values
        .iter()
        .map(|v| format!("\"{}\"", v.to_string()))
        .collect();
    Some(format!("[{}]", values.join(", ")))
}

fn backend(config: &Config) -> Option<String> {
    quoted(match config.io.backend {
        Want::Auto => "auto",
        Want::Uring => "uring",
        Want::Epoll => "epoll",
    })
}

fn right(right: AdHocRight) -> Option<String> {
    quoted(match right {
        AdHocRight::Originator => "originator",
        AdHocRight::Participants => "participants",
    })
}

fn none(_: &Config) -> Option<String> {
    None
}

fn number(value: impl ToString + Copy) -> Option<String> {
    Some(value.to_string())
}

const HEAD: &str = "\
# Configuration

`msrpd serve --config FILE` reads one TOML file. Without a file every key has its default, and
msrpd listens on loopback addresses only. Keys are checked strictly: an unknown key, a wrong type or
an impossible value stops the start with `FILE:LINE:COLUMN: KEY: what was expected`.
`msrpd check --config FILE` does only that: it prints `FILE: ok` and ends with status 0, or prints
the error and ends with status 1.

Whole numbers may be written in any TOML notation. Counts go up to 100000000, times up to 31536000
seconds (one year). Without `[[msrp.listener]]` there is one listener, `lo`, with the defaults below;
a listener that is written down must have a name and an address.

This file is written from the declarations in `crates/msrpd/src/config/catalogue.rs`; a test
compares the two.
";

/// Every key, in the order of the document.
pub const KEYS: &[Key] = &[
    Key {
        path: "domain",
        kind: "host name",
        default: |c| quoted(&c.domain),
        effect: "The host part of the URIs that msrpd owns.",
        limit: "A value that is no host name stops the start.",
    },
    Key {
        path: "io.backend",
        kind: "`auto`, `uring` or `epoll`",
        default: backend,
        effect: "The kernel interface of the data path. `auto` takes io_uring and falls back to epoll \
                 when the kernel or seccomp refuses it; the log says which and why.",
        limit: "`uring` stops the start where io_uring is refused.",
    },
    Key {
        path: "io.shards",
        kind: "count of threads, 0 to 1024",
        default: |c| number(c.io.shards),
        effect: "How many shards serve MSRP. 0 means one for each core.",
        limit: "A room is served by one shard; the connections of a large one by all.",
    },
    Key {
        path: "io.pin_shards",
        kind: "boolean",
        default: |c| number(c.io.pin_shards),
        effect: "Whether each shard stays on one core. For a machine that msrpd has for itself: the scheduler \
                 likes to wake two shards on the same core, one behind the other.",
        limit: "A core that other programs keep busy slows its shard.",
    },
    Key {
        path: "msrp.listener.name",
        kind: "name, at most 32 octets",
        default: |c| c.msrp_listeners.first().and_then(|l| quoted(&l.name)),
        effect: "The listener's name in logs.",
        limit: "Two listeners of one name stop the start.",
    },
    Key {
        path: "msrp.listener.bind",
        kind: "`ADDRESS:PORT`",
        default: |c| {
            c.msrp_listeners
                .first()
                .and_then(|l| quoted(&l.bind.to_string()))
        },
        effect: "Where MSRP connections arrive. Port 0 lets the kernel choose.",
        limit: "Two listeners of one address stop the start.",
    },
    Key {
        path: "msrp.listener.advertise",
        kind: "`HOST:PORT`",
        default: none,
        effect: "What stands in `a=path` and in the session description. Without it, what was bound; \
                 port 0 means the port that was bound.",
        limit: "Must stand beside an unspecified address such as `0.0.0.0`.",
    },
    Key {
        path: "msrp.listener.transport",
        kind: "`tcp`, `tls`, `ws` or `wss`",
        default: |_| quoted("tcp"),
        effect: "What MSRP runs on.",
        limit: "A participant whose description asks for a transport that no listener has is refused. \
                 Offers of msrpd's own name the first listener.",
    },
    Key {
        path: "msrp.listener.cert",
        kind: "file, PEM, or an array of them",
        default: none,
        effect: "The certificate of a `tls` or `wss` listener, then those of its chain. A relative path starts \
                 at the directory of the configuration file. Read again when it changes and on SIGHUP: \
                 connections that stand keep the old one. Of several, a client gets the first that is valid for \
                 the host it names, else the first.",
        limit: "A file that cannot be used stops the start; later the last good certificate stays.",
    },
    Key {
        path: "msrp.listener.key",
        kind: "file, PEM, or an array of them",
        default: none,
        effect: "The private key of `msrp.listener.cert`; of several, in the same order.",
        limit: "`tls` and `wss` need `cert` and `key`; `tcp` and `ws` take neither.",
    },
    Key {
        path: "msrp.listener.client_ca",
        kind: "file, PEM",
        default: none,
        effect: "Clients have to show a certificate that one of these signs. Without it they need none, and one \
                 that they show is held against the fingerprint of their session. Read again like `cert`; \
                 with other certificates in it TLS sessions are not resumed.",
        limit: "A client without such a certificate is refused in the handshake.",
    },
    Key {
        path: "msrp.listener.origins",
        kind: "array of origins, `https://HOST[:PORT]`",
        default: none,
        effect: "Whose pages may open a WebSocket on a `ws` or `wss` listener. Without it: everybody's. Clients \
                 that are no browsers name no origin and are let in.",
        limit: "A page of another origin is answered with 403.",
    },
    Key {
        path: "msrp.listener.unprotected",
        kind: "boolean",
        default: |_| Some("false".to_owned()),
        effect: "Whether a `ws` listener may have an address beyond loopback: a proxy in front of it speaks TLS.",
        limit: "Without it such a listener stops the start: WebSockets have to be protected (RFC 7977 s.5.1).",
    },
    Key {
        path: "sip.bind",
        kind: "array of `udp:ADDRESS:PORT`, `tcp:ADDRESS:PORT` and `tls:ADDRESS:PORT`",
        default: |c| quoted_list(&c.sip.bind),
        effect: "Where SIP arrives. Port 0 lets the kernel choose. For an unspecified address such as \
                 `0.0.0.0`, Via and Contact show the address from which this host reaches others.",
        limit: "An empty array stops the start. `tls` needs `sip.cert` and `sip.key`.",
    },
    Key {
        path: "sip.outbound_proxy",
        kind: "route, `sip:HOST:PORT;lr`",
        default: |c| quoted(c.sip.outbound_proxy.as_deref().unwrap_or_default()),
        effect: "Where requests of msrpd's own go. Empty resolves the Request-URI. A name without port is looked \
                 up by NAPTR and SRV records (RFC 3263); when a next hop gives no answer, the request goes to \
                 the next one, and the silent one is passed over for 30 s.",
        limit: "A value that is no route stops the start.",
    },
    Key {
        path: "sip.name_servers",
        kind: "array of `ADDRESS:PORT`",
        default: |c| quoted_list(&c.sip.name_servers),
        effect: "Where names of next hops are looked up, those of the relay too. Empty: the name servers of the system.",
        limit: "A name server gets 2 s for each query; an unknown name fails the request.",
    },
    Key {
        path: "sip.cert",
        kind: "file, PEM",
        default: none,
        effect: "The certificate of the `tls` addresses with its chain; msrpd also shows it to servers that \
                 ask for one. A relative path starts at the directory of the configuration file. When one of the \
                 files of TLS changes, all are read anew for the connections to come, within seconds and \
                 at once on SIGHUP.",
        limit: "A file that cannot be used stops the start. Later it is logged with the reason, and what was \
                read last stays in force.",
    },
    Key {
        path: "sip.key",
        kind: "file, PEM",
        default: none,
        effect: "The private key of `sip.cert`.",
        limit: "`sip.cert` and `sip.key` need each other.",
    },
    Key {
        path: "sip.ca",
        kind: "file, PEM",
        default: none,
        effect: "The roots by which servers are judged that msrpd connects to over TLS. Without it: the roots of \
                 the system. The certificate has to name the host of the URI.",
        limit: "A server whose certificate does not hold is not used.",
    },
    Key {
        path: "sip.client_ca",
        kind: "file, PEM",
        default: none,
        effect: "The roots by which clients are judged. With it every client has to show a certificate.",
        limit: "A client without one is not served over TLS.",
    },
    Key {
        path: "sip.trusted_peers",
        kind: "array of networks",
        default: |c| quoted_list(&c.sip.trusted_peers),
        effect: "`P-Asserted-Identity` is believed from these neighbours only.",
        limit: "From all others the header field is not used.",
    },
    Key {
        path: "sip.conference_factory",
        kind: "array of SIP URIs",
        default: |c| quoted_list(&c.sip.conference_factory),
        effect: "The URIs whose INVITE makes an ad-hoc conference. With another `domain` the default \
                 has that domain.",
        limit: "An empty array: no ad-hoc conferences.",
    },
    Key {
        path: "sip.session_expires_s",
        kind: "seconds, at least 90",
        default: |c| number(c.sip.session_expires_s),
        effect: "The session interval that msrpd asks for (RFC 4028).",
        limit: "Less than `sip.min_se_s` stops the start.",
    },
    Key {
        path: "sip.min_se_s",
        kind: "seconds, at least 90",
        default: |c| number(c.sip.min_se_s),
        effect: "The smallest session interval that msrpd accepts (RFC 4028).",
        limit: "A request with a smaller interval is answered 422.",
    },
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
    Key {
        path: "relay.realm",
        kind: "host name",
        default: |c| quoted(&c.relay.realm),
        effect: "The realm of the relay's challenges. With another `domain` the default is that domain.",
        limit: "Lines of the users file for another realm let nobody in.",
    },
    Key {
        path: "relay.users",
        kind: "file",
        default: |_| quoted(""),
        effect: "Who may use the MSRP relay (RFC 4976), one a line: `USER:REALM:ALGORITHM:HA1`, with `SHA-256` or \
                 `MD5` as algorithm and HA1 as `printf %s USER:REALM:PASSWORD | sha256sum` (or `md5sum`) writes it. \
                 `#` begins a comment line. A relative path starts at the directory of the configuration file. Read \
                 again when it changes and on SIGHUP. Empty: no relay.",
        limit: "A file with a wrong line stops the start with file and line; later the last good one stays. A user \
                needs a line for each algorithm that its clients speak.",
    },
    Key {
        path: "relay.listener",
        kind: "name of an `[[msrp.listener]]`",
        default: none,
        effect: "The listener whose `advertise` is the relay's address in the URIs that it gives. Without it: the \
                 first over `tls`; with `relay.allow_plain_auth`, else the first over `tcp`. Connections for the relay are taken \
                 on all listeners.",
        limit: "The advertised host has to be a full name, or `localhost`.",
    },
    Key {
        path: "relay.expires_min_s",
        kind: "seconds, at least 1",
        default: |c| number(c.relay.expires_min_s),
        effect: "Shortest lifetime of a URI that the relay gives.",
        limit: "An AUTH that asks for less is answered 423 with Min-Expires.",
    },
    Key {
        path: "relay.expires_s",
        kind: "seconds, at least 1",
        default: |c| number(c.relay.expires_s),
        effect: "Lifetime of a URI when the AUTH asks for none.",
        limit: "Must lie between the other two.",
    },
    Key {
        path: "relay.expires_max_s",
        kind: "seconds, at least 1",
        default: |c| number(c.relay.expires_max_s),
        effect: "Longest lifetime of a URI that the relay gives.",
        limit: "An AUTH that asks for more is answered 423 with Max-Expires.",
    },
    Key {
        path: "relay.allow_addresses",
        kind: "array of addresses",
        default: |c| quoted_list(&c.relay.allow_addresses),
        effect: "Addresses that the relay connects to although it would not: loopback, link-local, multicast and \
                 unspecified ones, and those of this machine.",
        limit: "A next hop at another such address is answered 403, or 408 when its name leads to one.",
    },
    Key {
        path: "relay.relays",
        kind: "array of host names",
        default: |c| quoted_list(&c.relay.relays),
        effect: "The other relays that this one trusts when they show a certificate of that name: their clients may \
                 authenticate through them, and one connection to each is used for all sessions.",
        limit: "Any other peer counts as an endpoint.",
    },
    Key {
        path: "relay.ca",
        kind: "file, PEM",
        default: none,
        effect: "The roots by which certificates of other relays and of next hops are judged. Without it: the roots \
                 of the system. A relative path starts at the directory of the configuration file.",
        limit: "A file without a certificate stops the start.",
    },
    Key {
        path: "relay.allow_plain_auth",
        kind: "boolean",
        default: |c| number(c.relay.allow_plain_auth),
        effect: "Whether clients may authenticate without TLS. RFC 4976 wants TLS; for networks that nobody else \
                 reaches.",
        limit: "Without it an AUTH on plain TCP is answered 403.",
    },
    Key {
        path: "ng.bind",
        kind: "`ADDRESS:PORT`",
        default: |_| quoted(""),
        effect: "The UDP address at which SIP proxies drive one-to-one relaying with the ng dialect, see \
                 [ng.md](ng.md). Empty keeps it closed; port 0 lets the kernel choose. There is no other \
                 protection than `ng.allowed_peers`.",
        limit: "An address that is not loopback stops the start, unless `ng.allowed_peers` is written down.",
    },
    Key {
        path: "ng.allowed_peers",
        kind: "array of networks",
        default: |c| quoted_list(&c.ng.allowed_peers),
        effect: "Whose datagrams are answered.",
        limit: "Those of others are dropped.",
    },
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
    Key {
        path: "admin.bind",
        kind: "`ADDRESS:PORT`",
        default: |c| quoted(&c.admin.bind.to_string()),
        effect: "Where `/livez`, `/readyz`, `/metrics` and the API below `/v1` are served. Port 0 lets the \
                 kernel choose. On a loopback address without tokens, programs of the machine may do \
                 everything and pages in browsers nothing.",
        limit: "An address that is not loopback stops the start, unless there are `admin.tokens` or \
                `admin.client_ca`, or `admin.allow_unauthenticated` is set.",
    },
    Key {
        path: "admin.tokens",
        kind: "file",
        default: none,
        effect: "The bearer tokens that open the admin address, one a line: `NAME SCOPES SHA256`. Scopes are \
                 `read`, `control`, `events`, `content` (what messages held, in events) and `trace` (bodies included), with \
                 commas between; the last field is the SHA-256 of the \
                 token, as `printf %s TOKEN | sha256sum` writes it. `/livez` and `/readyz` need no token. A \
                 relative path starts at the directory of the configuration file.",
        limit: "A file that cannot be used stops the start. A request without a token is answered 401, one \
                without the scope 403.",
    },
    Key {
        path: "admin.socket",
        kind: "path",
        default: none,
        effect: "A Unix socket that serves the same without a token, to the user of msrpd and to root. A \
                 relative path starts at the directory of the configuration file.",
        limit: "A peer of another user is disconnected. A path that is taken stops the start.",
    },
    Key {
        path: "admin.allow_unauthenticated",
        kind: "boolean",
        default: |c| number(c.admin.allow_unauthenticated),
        effect: "Whether everybody who reaches the admin address may do everything, also from other \
                 machines. For a network that only operators reach.",
        limit: "Beside `admin.tokens` it stops the start.",
    },
    Key {
        path: "admin.cert",
        kind: "file",
        default: none,
        effect: "The certificate of the admin address, then those of its chain, in PEM: it speaks HTTPS then. \
                 Read again when a file changes and on SIGHUP, as are `admin.key`, `admin.client_ca` and \
                 `admin.tokens`. A relative path starts at the directory of the configuration file.",
        limit: "A file that cannot be used stops the start; later, what was read last stays in force.",
    },
    Key {
        path: "admin.key",
        kind: "file",
        default: none,
        effect: "The private key of `admin.cert`.",
        limit: "Without `admin.cert` it stops the start.",
    },
    Key {
        path: "admin.client_ca",
        kind: "file",
        default: none,
        effect: "The authorities of clients, in PEM. A client without a certificate of theirs does not get \
                 through the handshake. With `admin.tokens` both are asked for; without, the certificate \
                 opens everything.",
        limit: "Without `admin.cert` it stops the start.",
    },
    Key {
        path: "admin.webhook.name",
        kind: "string",
        default: none,
        effect: "What the webhook is called: letters, digits, `-` and `_`, at most 32. Required.",
        limit: "Two webhooks of one name stop the start, and so do more than 64.",
    },
    Key {
        path: "admin.webhook.url",
        kind: "string",
        default: none,
        effect: "Where its events go: `http://` or `https://`, the latter with the roots of the system. \
                 Required.",
        limit: "An address that cannot be reached is tried again, for ever, with growing pauses.",
    },
    Key {
        path: "admin.webhook.secret",
        kind: "file",
        default: none,
        effect: "The file that holds what its requests are signed with: `whsec_` and base64, or any text of \
                 16 octets and more. Required. A relative path starts at the directory of the configuration \
                 file.",
        limit: "A file that cannot be used stops the start.",
    },
    Key {
        path: "admin.webhook.types",
        kind: "list of strings",
        default: none,
        effect: "The types of events that it gets. Without it: all but those of single messages.",
        limit: "An unknown type stops the start.",
    },
    Key {
        path: "admin.webhook.rooms",
        kind: "list of strings",
        default: none,
        effect: "The rooms whose events it gets. Without it: all.",
        limit: "",
    },
    Key {
        path: "trace.hep",
        kind: "`ADDRESS:PORT`",
        default: none,
        effect: "A collector that is sent every MSRP frame of the node, in clear, by HEP version 3 over UDP. \
                 Frames go as logs (type 100), correlated by the participant's id.",
        limit: "Nothing waits for the collector; frames that do not reach it are counted in the log.",
    },
    Key {
        path: "trace.hep_bodies",
        kind: "boolean",
        default: |c| number(c.trace.hep_bodies),
        effect: "Whether the bodies of frames go to the collector, or their header sections alone. Bodies are \
                 what people write.",
        limit: "A frame of more than 60,000 octets is cut off.",
    },
    Key {
        path: "usage.file",
        kind: "file",
        default: none,
        effect: "Where a line of JSON goes for the beginning, the course and the end of each session; see \
                 [usage.md](usage.md). `-` is standard output. A relative path starts at the directory of the \
                 configuration file. On SIGHUP the file is opened again by its name.",
        limit: "A file that cannot be opened stops the start. What cannot be written waits; 65536 records that \
                wait are kept, further ones are lost and counted.",
    },
    Key {
        path: "usage.interim_s",
        kind: "seconds",
        default: |c| number(c.usage.interim_s),
        effect: "How often each session has an interim record. 0 makes none.",
        limit: "",
    },
    Key {
        path: "usage.identities",
        kind: "`\"none\"`, `\"entity\"` or `\"all\"`",
        default: |c| quoted(c.usage.identities.as_str()),
        effect: "How usage records name a participant beside its id inside the room: not at all, by the address \
                 shown to others (of a hidden participant its alias), or by all its addresses as well.",
        limit: "",
    },
];
