//! The relay, and bridges for other proxies.

use super::Key;
use super::default::{none, number, quoted, quoted_list};

pub(super) const KEYS: &[Key] = &[
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
];
