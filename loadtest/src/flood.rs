//! Floods: what an attacker with one core, many sockets and a few sessions can do to a server.
//!
//! A flood does one thing as fast as it can until its time is over, and says how often it did it. It looks at no
//! answer beyond what it needs to go on. Whether a server stands it is measured beside it, see `tests/floods/run`.
//!
//! | module | content |
//! | --- | --- |
//! | [`connecting`] | connections that come and go, that name no session, whose header section does not end |
//! | [`talking`] | sessions that send what costs the server most |
//! | [`signalling`] | SIP: INVITE, SUBSCRIBE, OPTIONS, long lists of recipients |
//! | [`seat`] | a session to attack from |

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tokio::time::Instant;

pub mod connecting;
pub mod seat;
pub mod signalling;
pub mod talking;

/// Floods a server.
#[derive(Clone, Debug, Parser)]
#[command(name = "msrpflood", version)]
pub struct Flood {
    /// What is done as fast as possible.
    pub kind: Kind,
    /// The server's SIP address over UDP.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub sip: SocketAddr,
    /// The server's SIP address over TCP, for requests that are too long for a datagram.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub sip_tcp: SocketAddr,
    /// The server's MSRP address over TCP.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub msrp: SocketAddr,
    /// The room for floods that need sessions. It has to admit everybody.
    #[arg(long, value_name = "URI", default_value = "sip:flood@localhost")]
    pub room: String,
    /// How long it lasts, in seconds.
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    pub seconds: f64,
}

/// What a flood does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Connections that are reset as soon as they stand.
    Connections,
    /// Connections that say nothing, as many as there can be.
    Unbound,
    /// Connections whose header section comes octet by octet and does not end.
    SlowHeads,
    /// Chunks that do not end.
    EndlessChunks,
    /// Messages in chunks of one octet.
    TinyChunks,
    /// Large messages to recipients with a small window who hardly read.
    TinyWindows,
    /// REPORTs on messages that do not exist.
    Reports,
    /// Messages whose sender asks for a final report and whose recipients send none.
    FinalReports,
    /// Requests for another nickname.
    Nicknames,
    /// INVITEs that nobody acknowledges.
    Invites,
    /// INVITEs with a list of a million recipients, and MESSAGEs with as long a list as is taken.
    Lists,
    /// SUBSCRIBEs whose NOTIFYs nobody answers.
    Subscribes,
    /// OPTIONS.
    Options,
    /// INVITEs from an address that nobody trusts.
    Strangers,
}

impl Flood {
    /// Does it until the time is over. Gives how often it was done.
    ///
    /// # Errors
    /// A session that the flood needs could not be had.
    pub async fn run(&self) -> io::Result<u64> {
        let until = Instant::now() + Duration::from_secs_f64(self.seconds);
        match self.kind {
            Kind::Connections => connecting::come_and_go(self.msrp, until).await,
            Kind::Unbound => connecting::stay(self.msrp, until).await,
            Kind::SlowHeads => connecting::trickle(self.msrp, until).await,
            Kind::EndlessChunks => talking::endless_chunks(self, until).await,
            Kind::TinyChunks => talking::tiny_chunks(self, until).await,
            Kind::TinyWindows => talking::tiny_windows(self, until).await,
            Kind::Reports => talking::reports(self, until).await,
            Kind::FinalReports => talking::final_reports(self, until).await,
            Kind::Nicknames => talking::nicknames(self, until).await,
            Kind::Invites => signalling::invites(self, until).await,
            Kind::Lists => signalling::lists(self, until).await,
            Kind::Subscribes => signalling::subscribes(self, until).await,
            Kind::Options => signalling::options(self, until).await,
            Kind::Strangers => signalling::strangers(self, until).await,
        }
    }
}

/// Counts what several tasks do.
#[derive(Clone, Debug, Default)]
pub struct Tally(std::sync::Arc<AtomicU64>);

impl Tally {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Waits until a task is done or the time is over; `None` when it is over.
pub async fn before<T>(until: Instant, task: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(until, pin!(task)).await.ok()
}

/// Where a flood comes from on loopback, beside the address of everybody else, so that a server can tell it apart.
pub const STRANGE_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));

/// A name that this process has not used, and others hardly have.
#[must_use]
pub fn fresh(what: &str) -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{what}{}x{number}", process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_names_differ() {
        assert_ne!(fresh("a"), fresh("a"));
    }

    #[tokio::test]
    async fn task_that_does_not_end_is_left_when_the_time_is_over() {
        assert_eq!(
            before(Instant::now(), std::future::pending::<()>()).await,
            None
        );
        let soon = Instant::now() + Duration::from_secs(60);
        assert_eq!(before(soon, async { 7 }).await, Some(7));
    }
}
