//! The transports of SIP and the backends of the data path that a test runs over.

use msrp_testkit::{Config, Daemon, Invitation, Join, MsrpEndpoint, Participant, SipPeer};

use crate::document::Document;
use crate::people::{ALICE, BOB, CAROL, DAVE, FRIENDS};

/// One transport with one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Whether SIP runs over TCP; else over UDP.
    pub tcp: bool,
    /// The backend of the data path.
    pub backend: &'static str,
}

/// Every transport with every backend. `auto` is io_uring where the kernel allows it.
pub const WAYS: [Way; 4] = [
    Way {
        tcp: false,
        backend: "auto",
    },
    Way {
        tcp: true,
        backend: "epoll",
    },
    Way {
        tcp: true,
        backend: "auto",
    },
    Way {
        tcp: false,
        backend: "epoll",
    },
];

impl Way {
    /// Starts the daemon with this backend and two shards.
    pub async fn start(self, config: Config) -> Daemon {
        Daemon::start(config.backend(self.backend).shards(2)).await
    }

    /// A dial over this transport.
    #[must_use]
    pub fn dial(self, uri: &str, identity: &str) -> Join {
        let join = Join::new(uri, identity);
        if self.tcp { join.tcp() } else { join }
    }

    /// Dials in over this transport.
    pub async fn join(self, daemon: &Daemon, uri: &str, identity: &str) -> Participant {
        self.dial(uri, identity).join(daemon).await
    }

    /// An agent with this transport whose requests go to the daemon.
    pub async fn agent(self, daemon: &Daemon) -> SipPeer {
        let agent = self.proxy().await;
        agent.set_next_hop(if self.tcp {
            daemon.sip_tcp()
        } else {
            daemon.sip_udp()
        });
        agent
    }

    /// An agent with this transport that requests of the daemon can be sent to.
    pub async fn proxy(self) -> SipPeer {
        if self.tcp {
            SipPeer::bind_tcp().await
        } else {
            SipPeer::bind_udp().await
        }
    }
}

/// The group [`FRIENDS`] of alice, bob, carol and dave.
#[must_use]
pub fn friends() -> Document {
    Document::new(FRIENDS).members(&[ALICE, BOB, CAROL, DAVE])
}

/// A configuration with the group [`FRIENDS`].
#[must_use]
pub fn config_with_friends() -> Config {
    Config::new().group("friends", &friends().xml())
}

/// Accepts an invitation with this `a=setup`, or without any, and waits until the room has the participant.
///
/// Its connection is answered once the switch knows what it takes: a text that is said after that reaches it.
pub async fn accept(daemon: &Daemon, invitation: &Invitation, setup: Option<&str>) -> Participant {
    let endpoint = MsrpEndpoint::bind().await;
    let answer = match setup {
        Some(setup) => endpoint.media().setup(setup),
        None => endpoint.media(),
    };
    let participant = Participant::accept_with(invitation, endpoint, &answer).await;
    seated(daemon, &participant).await;
    participant
}

/// Waits until the room has an invited participant.
pub async fn seated(daemon: &Daemon, participant: &Participant) {
    let what = format!("{} joined", participant.identity);
    let is_it = |line: &msrp_testkit::daemon::LogLine| {
        line.message() == "participant joined"
            && line.field("entity") == participant.identity
            && participant.room.contains(&line.field("room"))
    };
    daemon.wait_log(&what, is_it).await;
}
