//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use msrp_wire::{Scheme, Transport};

use crate::mix::Mix;
use crate::part::Part;
use crate::schedule::Spacing;

/// Puts load on an MSRP switch or conference server and verifies every copy of every message.
///
/// Without options: ten participants join sip:demo@localhost at 127.0.0.1:5060 (what `msrpd demo` serves), two of them
/// send 50 texts a second each for ten seconds. The status is 0 when nothing was lost or wrong, else 1.
#[derive(Debug, Clone, Parser)]
#[command(name = "msrpload", version)]
pub struct Cli {
    /// The SIP server.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5060")]
    pub server: SocketAddr,
    /// How SIP gets there.
    #[arg(long, value_enum, default_value = "udp")]
    pub transport: SipTransport,
    /// What MSRP runs on for participants who join by SIP. Certificates are not looked at. Sessions of a list say it in their
    /// URIs.
    #[arg(long, value_enum, default_value = "tcp")]
    pub msrp_transport: MsrpTransport,
    /// The room.
    #[arg(long, value_name = "URI", default_value = "sip:demo@localhost")]
    pub room: String,
    /// Several rooms: URIs with commas between them. `%d` in one is replaced by 0, 1, 2 and so on, see --rooms-count.
    #[arg(long, value_name = "URIS", conflicts_with = "room")]
    pub rooms: Option<String>,
    /// How many rooms a URI with `%d` stands for.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub rooms_count: u32,
    /// Participants of each room.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub participants: u32,
    /// Participants of each room who send.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub senders: u32,
    /// Open loop: units a second and sender, whatever the server does. A unit is a message; with --mix carrier a text
    /// and what goes with it. Default: 50.
    #[arg(long, value_name = "PER_SECOND", conflicts_with = "window")]
    pub rate: Option<f64>,
    /// How messages of an open loop lie in time.
    #[arg(long, value_enum, default_value = "exponential")]
    pub spacing: Spacing,
    /// Closed loop: units of a sender that wait for their answer at any time.
    #[arg(long, value_name = "W")]
    pub window: Option<u32>,
    /// Seconds of measuring; with --step of each step.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub duration: f64,
    /// Seconds of sending before measuring starts. These messages are verified like all others.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    pub warmup: f64,
    /// Seconds without any progress after which what is still missing counts as lost. Default: 5, with --stalled 40,
    /// for servers wait before they give a stalled reader up.
    #[arg(long, value_name = "SECONDS")]
    pub drain: Option<f64>,
    /// Joins a second.
    #[arg(long, value_name = "PER_SECOND", default_value_t = 200.0)]
    pub ramp: f64,
    /// What is sent.
    #[arg(long, value_enum, default_value = "text")]
    pub mix: Mix,
    /// Octets of the body of a text or file. Default: 200, with --mix file 1048576.
    #[arg(long, value_name = "OCTETS")]
    pub size: Option<u32>,
    /// Octets of the largest chunk that is sent. Default: 2048, with --mix file 65536.
    #[arg(long, value_name = "OCTETS")]
    pub chunk: Option<u32>,
    /// Participants of each room who read slowly.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub slow: u32,
    /// How fast slow readers read.
    #[arg(long, value_name = "OCTETS_PER_SECOND", default_value_t = 20_000)]
    pub slow_rate: u32,
    /// Participants of each room who stop reading once they are in it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub stalled: u32,
    /// Whether recipients answer when they are asked to.
    #[arg(long, value_enum, default_value = "yes")]
    pub respond: YesNo,
    /// Ask for a REPORT of success for each message.
    #[arg(long)]
    pub success_report: bool,
    /// Print the summary as JSON on the standard output, and all else on the standard error.
    #[arg(long)]
    pub json: bool,
    /// The server's process on this machine: its processor time and memory are quoted, with those of its children.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// Use the MSRP sessions of this file instead of joining by SIP.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["room", "rooms", "participants", "prefix"])]
    pub sessions: Option<PathBuf>,
    /// Pairs instead of rooms: the two MSRP sessions of each pair are in this file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sessions", "room", "rooms", "participants", "prefix"])]
    pub pairs: Option<PathBuf>,
    /// Pairs over this relay, which gives URIs by AUTH (RFC 4976).
    #[arg(long, value_name = "URI", requires = "relay_users",
        conflicts_with_all = ["pairs", "sessions", "room", "rooms", "participants", "prefix", "part"])]
    pub relay: Option<String>,
    /// Who may use the relay: a file with NAME:PASSWORD on each line. Participants take them in turn.
    #[arg(long, value_name = "FILE", requires = "relay")]
    pub relay_users: Option<PathBuf>,
    /// How many pairs use the relay.
    #[arg(long, value_name = "N", default_value_t = 5, requires = "relay")]
    pub relay_pairs: u32,
    /// Take this part of the list of --sessions or --pairs only: 1/3, 2/3 and 3/3 on three machines.
    #[arg(long, value_name = "I/N")]
    pub part: Option<Part>,
    /// Raise the rate from --rate on until goodput falls behind the offered load or p99 exceeds --p99-max.
    #[arg(long, conflicts_with = "window")]
    pub step: bool,
    /// By how much each step is larger than the one before.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.5)]
    pub step_factor: f64,
    /// Most steps.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub steps_max: u32,
    /// The largest p99 from end to end that a step may have.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 100.0)]
    pub p99_max: f64,
    /// What the schedule is drawn from; the same number gives the same times.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// User part of the participants' URIs; a number is put behind it. Give each machine its own.
    #[arg(long, value_name = "NAME", default_value = "load")]
    pub prefix: String,
    /// Sessions that share a connection towards the same next hop. Slow and stalled readers have their own.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub per_connection: u32,
    /// Load threads.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: u32,
    /// The kernel interface of the load threads.
    #[arg(long, value_enum, default_value = "auto")]
    pub backend: Backend,
    /// Load threads never sleep: for measuring latency and processor time on cores of their own.
    #[arg(long)]
    pub spin: bool,
    /// Do not compare octets. Order and completeness are still checked.
    #[arg(long)]
    pub no_verify: bool,
}

/// How SIP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SipTransport {
    /// Datagrams.
    Udp,
    /// Connections.
    Tcp,
}

/// What MSRP runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MsrpTransport {
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket.
    Ws,
    /// WebSocket over TLS.
    Wss,
}

impl MsrpTransport {
    /// The scheme and the transport of URIs.
    #[must_use]
    pub fn names(self) -> (Scheme, Transport<'static>) {
        match self {
            Self::Tcp => (Scheme::Msrp, Transport::Tcp),
            Self::Tls => (Scheme::Msrps, Transport::Tcp),
            Self::Ws => (Scheme::Msrp, Transport::Ws),
            Self::Wss => (Scheme::Msrps, Transport::Ws),
        }
    }
}

/// A choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// A kernel interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// io_uring where the kernel lets us, else epoll.
    Auto,
    /// io_uring.
    Uring,
    /// epoll.
    Epoll,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn cli_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn cli_without_options_is_for_the_demo() {
        let cli = Cli::try_parse_from(["msrpload"]).unwrap();
        assert_eq!(cli.server, "127.0.0.1:5060".parse().unwrap());
        assert_eq!(cli.room, "sip:demo@localhost");
        assert_eq!((cli.participants, cli.senders), (10, 2));
    }

    #[test]
    fn cli_loops_that_exclude_each_other_are_refused() {
        for arguments in [["--rate=5", "--window=1"], ["--step", "--window=1"]] {
            let all = ["msrpload"].into_iter().chain(arguments);
            assert!(Cli::try_parse_from(all).is_err(), "{arguments:?}");
        }
    }
}
