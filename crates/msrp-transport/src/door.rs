//! What the connections of a listener begin with.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::UnbufferedServerConnection;

use crate::layer::Layer;
use crate::tls::{CertificateError, CertificateStore, Tls};
use crate::websocket::Origins;

/// The layers of a listener's connections. Cheap to clone.
#[derive(Clone, Default)]
pub struct Door {
    tls: Option<Arc<ServerConfig>>,
    origins: Option<Arc<Origins>>,
}

impl Door {
    /// TLS with the certificate of this store, whichever it is at the moment.
    ///
    /// # Errors
    /// [`CertificateError::Setup`].
    pub fn tls(mut self, store: &Arc<CertificateStore>) -> Result<Self, CertificateError> {
        self.tls = Some(store.server_config()?);
        Ok(self)
    }

    /// WebSocket, opened by pages of these origins. With TLS it lies above that.
    #[must_use]
    pub fn websocket(mut self, origins: Origins) -> Self {
        self.origins = Some(Arc::new(origins));
        self
    }

    /// The layers of a connection that has come in. `None` when MSRP lies on the socket itself.
    ///
    /// # Errors
    /// [`CertificateError::Setup`] when TLS cannot begin; the connection cannot be served.
    pub fn accept(&self) -> Result<Option<Box<Layer>>, CertificateError> {
        let tls = match &self.tls {
            Some(config) => {
                let connection = UnbufferedServerConnection::new(Arc::clone(config));
                let connection = connection.map_err(|_| CertificateError::Setup)?;
                Some(Tls::passive(connection))
            }
            None => None,
        };
        if tls.is_none() && self.origins.is_none() {
            return Ok(None);
        }
        Ok(Some(Box::new(Layer::accept(tls, self.origins.clone()))))
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("tls", &self.tls.is_some())
            .field("origins", &self.origins)
            .finish()
    }
}
