//! Where MSRP comes in.

use super::Key;
use super::default::{none, quoted};

pub(super) const KEYS: &[Key] = &[
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
];
