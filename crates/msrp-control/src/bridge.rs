//! Bridges: two MSRP sessions back to back, for proxies, session border controllers and application servers.
//!
//! ```text
//!   offer of A --Create--> our offer for B      Reoffer: the same from either side
//!   our answer for A <--Answer-- answer of B
//! ```

use std::fmt;

use crate::client::unavailable;
use crate::{BridgeId, Client, ControlError, EndReason, Reply};

/// One request about bridges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeCommand {
    /// Makes a bridge from the offer of its first side. Answered with [`Reply::Sdp`]: the offer for the second side,
    /// which differs from this one in where the MSRP section is reached, and in nothing else.
    Create {
        /// The new bridge.
        bridge: BridgeId,
        /// The offer.
        sdp: String,
        /// What is wanted of our side.
        config: BridgeConfig,
    },
    /// Takes the answer to the last offer that the engine gave out. Answered with [`Reply::Sdp`]: the answer for
    /// the side that offered. An answer without an MSRP section, or with port 0 in it, ends the bridge and
    /// comes out as it went in. Given again, it changes nothing.
    Answer {
        /// The bridge.
        bridge: BridgeId,
        /// The answer.
        sdp: String,
    },
    /// Takes a new offer of either side. Answered with [`Reply::Sdp`], the offer for the other side. Nothing changes
    /// before its answer. A side whose path is a new one gets a new session of ours; messages under way on the old one
    /// have failed. An offer that was not answered is forgotten.
    Reoffer {
        /// The bridge.
        bridge: BridgeId,
        /// Whose offer it is.
        from: Side,
        /// The offer.
        sdp: String,
    },
    /// Ends a bridge. Answered with [`Reply::Bridge`], its last state.
    Delete {
        /// The bridge.
        bridge: BridgeId,
    },
    /// Asks what a bridge does. Answered with [`Reply::Bridge`].
    Describe {
        /// The bridge.
        bridge: BridgeId,
    },
    /// Asks which bridges there are, in the order of their ids. Answered with [`Reply::Bridges`].
    List {
        /// Only bridges behind this one.
        after: Option<BridgeId>,
        /// Most bridges of the answer; the engine lowers it to [`PAGE_MAX`](crate::PAGE_MAX).
        limit: usize,
    },
    /// Asks for the sums over all bridges. Answered with [`Reply::BridgeTotals`].
    Totals,
}

/// One of the two sides of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The side whose offer made the bridge.
    Offerer,
    /// The side that answered it.
    Answerer,
}

impl Side {
    /// Both, in the order of a pair.
    pub const BOTH: [Self; 2] = [Self::Offerer, Self::Answerer];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Offerer => Self::Answerer,
            Self::Answerer => Self::Offerer,
        }
    }

    /// Its place in a pair.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Offerer => 0,
            Self::Answerer => 1,
        }
    }

    /// The side as one lower-case word. Never changes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offerer => "offerer",
            Self::Answerer => "answerer",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wanted of our side of a bridge.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BridgeConfig {
    /// Our sides towards the offerer and the answerer, in this order.
    pub legs: [BridgeLeg; 2],
    /// Whether the host in the `o=` line of descriptions that go out becomes ours.
    pub replaces_origin: bool,
}

/// Our side towards one peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BridgeLeg {
    /// The listener that the peer is given: a configured name, or `tcp`, `tls`, `ws` or `wss` for the first one of this
    /// kind. `None` means one of the kind and the address family that the peer asked for, and for an offer that the
    /// engine makes: one of the kind that the other side uses.
    pub listener: Option<String>,
    /// Whether the engine opens the connection where the peer leaves it the choice (RFC 6135).
    pub is_active: bool,
    /// Whether msrp-cema (RFC 6714) is left out although the descriptions have it. Peers are then connected to at the
    /// address in their path.
    pub ignores_cema: bool,
}

/// What a bridge does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BridgeState {
    /// Whether an answer was taken.
    pub is_answered: bool,
    /// How long it has been there, in milliseconds.
    pub age_ms: u64,
    /// The offerer's leg, and that of the answerer.
    pub legs: [BridgeLegState; 2],
}

/// What one leg of a bridge does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BridgeLegState {
    /// Its connection.
    pub link: LegLink,
    /// SENDs that came from the peer, signs of life among them.
    pub requests: u64,
    /// Messages that came from the peer.
    pub messages: u64,
    /// Octets of their bodies.
    pub octets: u64,
    /// Messages of it that did not get through; what the peer wants to know of that it was told.
    pub failed: u64,
    /// REPORTs that came from the peer.
    pub reports: u64,
}

/// How a leg is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LegLink {
    /// The engine waits for the peer's connection, or for an answer.
    #[default]
    Waiting,
    /// The engine is opening the connection.
    Connecting,
    /// There is one.
    Connected,
}

impl LegLink {
    /// The state as one lower-case word. Never changes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
        }
    }
}

/// The sums over all bridges at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BridgeTotals {
    /// Bridges that there are.
    pub bridges: u64,
    /// Those among them whose first offer is not answered.
    pub unanswered: u64,
    /// Bridges since the node was started.
    pub started: u64,
    /// Bridges refused because a bound was reached or the node drains.
    pub refused: u64,
}

/// Something that happened to a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeEvent {
    /// A controller made it.
    Started {
        /// The bridge.
        bridge: BridgeId,
    },
    /// An answer was taken: to the first offer or to a later one.
    Answered {
        /// The bridge.
        bridge: BridgeId,
    },
    /// One of its sides has its connection.
    Bound {
        /// The bridge.
        bridge: BridgeId,
        /// The side.
        side: Side,
    },
    /// It is gone, with both its sessions.
    Ended {
        /// The bridge.
        bridge: BridgeId,
        /// Why. [`EndReason::Removed`] when a controller ended it.
        reason: EndReason,
        /// The side that the reason is about, when it is about one.
        side: Option<Side>,
        /// What it did; absent when its shard failed.
        state: Option<Box<BridgeState>>,
    },
}

impl BridgeEvent {
    /// The bridge to which it happened.
    #[must_use]
    pub fn bridge(&self) -> &BridgeId {
        match self {
            Self::Started { bridge }
            | Self::Answered { bridge }
            | Self::Bound { bridge, .. }
            | Self::Ended { bridge, .. } => bridge,
        }
    }
}

impl Client {
    /// [`BridgeCommand::Create`]; returns the offer for the other side.
    ///
    /// # Errors
    /// [`BridgeExists`](crate::ErrorCode::BridgeExists), [`MalformedSdp`](crate::ErrorCode::MalformedSdp),
    /// [`NotAcceptable`](crate::ErrorCode::NotAcceptable), [`Limit`](crate::ErrorCode::Limit),
    /// [`Draining`](crate::ErrorCode::Draining).
    pub async fn create_bridge(
        &self,
        bridge: BridgeId,
        sdp: String,
        config: BridgeConfig,
    ) -> Result<String, ControlError> {
        let command = BridgeCommand::Create {
            bridge,
            sdp,
            config,
        };
        self.sdp_of_bridge(command).await
    }

    /// [`BridgeCommand::Answer`]; returns the answer for the side that offered.
    ///
    /// # Errors
    /// [`NoSuchBridge`](crate::ErrorCode::NoSuchBridge), [`MalformedSdp`](crate::ErrorCode::MalformedSdp),
    /// [`NotAcceptable`](crate::ErrorCode::NotAcceptable). The bridge stays as it was.
    pub async fn answer_bridge(
        &self,
        bridge: BridgeId,
        sdp: String,
    ) -> Result<String, ControlError> {
        self.sdp_of_bridge(BridgeCommand::Answer { bridge, sdp })
            .await
    }

    /// [`BridgeCommand::Reoffer`]; returns the offer for the other side.
    ///
    /// # Errors
    /// As [`Client::answer_bridge`].
    pub async fn reoffer_bridge(
        &self,
        bridge: BridgeId,
        from: Side,
        sdp: String,
    ) -> Result<String, ControlError> {
        self.sdp_of_bridge(BridgeCommand::Reoffer { bridge, from, sdp })
            .await
    }

    /// [`BridgeCommand::Delete`]; returns the last state.
    ///
    /// # Errors
    /// [`NoSuchBridge`](crate::ErrorCode::NoSuchBridge).
    pub async fn delete_bridge(&self, bridge: BridgeId) -> Result<BridgeState, ControlError> {
        self.state_of_bridge(BridgeCommand::Delete { bridge }).await
    }

    /// [`BridgeCommand::Describe`].
    ///
    /// # Errors
    /// [`NoSuchBridge`](crate::ErrorCode::NoSuchBridge).
    pub async fn bridge(&self, bridge: BridgeId) -> Result<BridgeState, ControlError> {
        self.state_of_bridge(BridgeCommand::Describe { bridge })
            .await
    }

    /// [`BridgeCommand::List`].
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorCode::Unavailable).
    pub async fn bridges(
        &self,
        after: Option<BridgeId>,
        limit: usize,
    ) -> Result<Vec<BridgeId>, ControlError> {
        let command = BridgeCommand::List { after, limit };
        match self.execute(command.into()).await? {
            Reply::Bridges(bridges) => Ok(bridges),
            _ => Err(unavailable()),
        }
    }

    /// [`BridgeCommand::Totals`].
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorCode::Unavailable).
    pub async fn bridge_totals(&self) -> Result<BridgeTotals, ControlError> {
        match self.execute(BridgeCommand::Totals.into()).await? {
            Reply::BridgeTotals(totals) => Ok(totals),
            _ => Err(unavailable()),
        }
    }

    async fn sdp_of_bridge(&self, command: BridgeCommand) -> Result<String, ControlError> {
        match self.execute(command.into()).await? {
            Reply::Sdp(sdp) => Ok(sdp),
            _ => Err(unavailable()),
        }
    }

    async fn state_of_bridge(&self, command: BridgeCommand) -> Result<BridgeState, ControlError> {
        match self.execute(command.into()).await? {
            Reply::Bridge(state) => Ok(*state),
            _ => Err(unavailable()),
        }
    }
}
