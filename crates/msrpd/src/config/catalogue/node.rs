//! The node itself: its domain, its shards.

use super::Key;
use super::default::{backend, number, quoted};

pub(super) const KEYS: &[Key] = &[
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
];
