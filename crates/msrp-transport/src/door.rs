//! What the connections of a listener begin with.

use std::sync::Arc;

use crate::layer::Layer;
use crate::websocket::Origins;

/// The layers of a listener's connections. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Door {
    origins: Option<Arc<Origins>>,
}

impl Door {
    /// WebSocket, opened by pages of these origins.
    #[must_use]
    pub fn websocket(mut self, origins: Origins) -> Self {
        self.origins = Some(Arc::new(origins));
        self
    }

    /// Whether its connections carry WebSocket.
    #[must_use]
    pub fn is_websocket(&self) -> bool {
        self.origins.is_some()
    }

    /// The layers of a connection that has come in. `None` when MSRP lies on the socket itself.
    #[must_use]
    pub fn accept(&self) -> Option<Box<Layer>> {
        let origins = self.origins.clone()?;
        Some(Box::new(Layer::accept(Some(origins))))
    }
}
