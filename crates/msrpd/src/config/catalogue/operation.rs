//! What operators use: the admin interface, traces, usage records.

use super::Key;
use super::default::{none, number, quoted};

pub(super) const KEYS: &[Key] = &[
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
