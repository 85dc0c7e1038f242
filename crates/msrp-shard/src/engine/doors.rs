//! What the connections of each listener begin with.

use msrp_transport::Door;

use crate::config::{ListenerConfig, ListenerTransport};

/// The layers of a listener's connections.
pub(super) fn open(listener: &ListenerConfig) -> Door {
    match &listener.transport {
        ListenerTransport::Tcp => Door::default(),
        ListenerTransport::Ws(origins) => Door::default().websocket(origins.clone()),
    }
}
