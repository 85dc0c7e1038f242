//! Where SIP comes in, and whom it believes.

use super::Key;
use super::default::{none, number, quoted, quoted_list};

pub(super) const KEYS: &[Key] = &[
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
];
