//! A participant that is reached through a relay: it logs in there, and gives the room the path that it was given.
//!
//! ```text
//!   connect -> AUTH -> 401 -> AUTH with credentials -> 200, Use-Path -> the controller hears the path
//! ```
//!
//! # Spec
//! RFC 4976 s.5.1.

use msrp_testkit::{Challenge, Frame, Login};

use super::speaking::Part;
use super::{Peer, Scene};

/// How a participant uses a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Through {
    /// It does not.
    Nothing,
    /// It has not been given a path yet; whether it has shown its credentials.
    Asking { has_answered: bool },
    /// The URI that it was given.
    Relay(String),
}

/// The realm of the relay of a world.
pub(crate) const REALM: &str = "example.com";

/// Whom the relay of a world lets in.
pub(crate) const LOGIN: Login<'static> = Login {
    user: "everybody",
    password: "secret",
    algorithm: "SHA-256",
};

/// The URI of the relay itself.
pub(crate) const RELAY_URI: &str = "msrp://relay.example.com:2855;tcp";

/// The node that is the relay.
pub(crate) const RELAY_SITE: crate::kernel::SiteId = 1;

/// How often a participant names its session again when its relay could not.
const NAMINGS_MAX: u32 = 5;

/// How long it waits before it does.
const AGAIN_NS: u64 = 500_000_000;

impl Peer {
    /// It connects to the relay and asks for a path.
    pub(crate) fn log_in(&mut self, scene: &mut Scene<'_>) {
        scene.oracle.see("login at a relay");
        self.through = Through::Asking {
            has_answered: false,
        };
        let link = scene.kernel.peer_connect_to(self.id, RELAY_SITE);
        self.attach(link);
        self.send_auth(None);
    }

    fn send_auth(&mut self, authorization: Option<String>) {
        let id = self.transaction_id(None);
        let mut frame = Frame::request("AUTH", &id, RELAY_URI, &self.own_uri);
        if let Some(authorization) = authorization {
            frame = frame.with("Authorization", authorization);
        }
        self.out.push_back(Part::new(frame.to_octets()));
    }

    /// A response of the relay to an AUTH. `false` when it is none.
    pub(super) fn hear_relay(&mut self, frame: &Frame) -> bool {
        let Through::Asking { has_answered } = self.through else {
            return false;
        };
        match frame.status() {
            Some(401) if !has_answered => {
                let challenge = Challenge::of(frame, LOGIN.algorithm);
                self.through = Through::Asking { has_answered: true };
                self.send_auth(Some(LOGIN.answer(&challenge, 1, RELAY_URI)));
            }
            Some(200) => {
                if let Some(path) = frame.header("Use-Path") {
                    self.through = Through::Relay(path.to_owned());
                    self.wants_to_join = true;
                }
            }
            _ => {}
        }
        true
    }

    /// Whether a relay is between it and the room.
    pub(crate) fn is_relayed(&self) -> bool {
        self.through != Through::Nothing
    }

    /// What it says of its path.
    pub(crate) fn path(&self) -> String {
        match &self.through {
            Through::Nothing | Through::Asking { .. } => self.own_uri.clone(),
            Through::Relay(relay) => format!("{relay} {}", self.own_uri),
        }
    }

    /// The To-Path of what it says.
    pub(super) fn to_path(&self) -> String {
        let node_uri = self.node_uri.as_deref().unwrap_or_default();
        match &self.through {
            Through::Nothing | Through::Asking { .. } => node_uri.to_owned(),
            Through::Relay(relay) => format!("{relay} {node_uri}"),
        }
    }

    /// Whether a From-Path is one of those that its frames come with: from the session, or from the relay before it.
    pub(super) fn is_from_room(&self, from: &[&str]) -> bool {
        let Some(node_uri) = self.node_uri.as_deref() else {
            return true;
        };
        match &self.through {
            Through::Nothing | Through::Asking { .. } => from == [node_uri],
            Through::Relay(relay) => from == [relay.as_str(), node_uri] || from == [relay.as_str()],
        }
    }

    /// Whether this is the transaction by which it named its session last.
    pub(super) fn names_by(&self, id: &str) -> bool {
        self.naming.as_deref() == Some(id)
    }

    /// The relay could not name its session to the room: it tries again.
    pub(super) fn name_again(&mut self, scene: &mut Scene<'_>) {
        self.naming = None;
        if self.is_relayed() && self.namings < NAMINGS_MAX {
            self.namings += 1;
            self.names_ns = Some(scene.now_ns + AGAIN_NS);
        }
    }
}
