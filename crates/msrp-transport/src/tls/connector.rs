//! The active side: whom we connect to over TLS.

use std::fmt;
use std::sync::Arc;

use rustls::client::{ResolvesClientCert, UnbufferedClientConnection};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::Tls;
use super::certificate::CertificateStore;
use super::fingerprint::Fingerprint;
use super::verifier::Pinned;
use crate::layer::Layer;

/// Why no TLS connection can be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectorError {
    /// The peer named no fingerprint, and there are no roots to judge its certificate by.
    NoRoots,
    /// TLS could not be set up.
    Setup,
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoRoots => {
                "the participant names no fingerprint of its certificate, and no root certificates \
                 are known to judge it by"
            }
            Self::Setup => "TLS cannot be set up",
        })
    }
}

impl std::error::Error for ConnectorError {}

/// Begins TLS connections of ours. We show our certificate to who asks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Connector {
    own: Arc<CertificateStore>,
    roots: Arc<RootCertStore>,
}

impl Connector {
    /// With our own certificate, and the certificates in DER of those who sign for others.
    pub fn new(own: Arc<CertificateStore>, roots: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.into_iter().map(CertificateDer::from));
        Self {
            own,
            roots: Arc::new(store),
        }
    }

    /// The layer of a connection to the host of this name, or to this address without brackets. With a fingerprint, the
    /// peer's certificate has to have it; without, it has to be valid for the host.
    ///
    /// # Errors
    /// [`ConnectorError`].
    pub fn connect(
        &self,
        host: &str,
        fingerprint: Option<Fingerprint>,
    ) -> Result<Box<Layer>, ConnectorError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectorError::Setup)?;
        let provider = Arc::new(default_provider());
        let pinned = fingerprint.map(|fingerprint| Pinned::new(fingerprint, &provider));
        if pinned.is_none() && self.roots.is_empty() {
            return Err(ConnectorError::NoRoots);
        }
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| ConnectorError::Setup)?;
        let builder = match pinned {
            Some(pinned) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(pinned)),
            None => builder.with_root_certificates(Arc::clone(&self.roots)),
        };
        let own: Arc<dyn ResolvesClientCert> = Arc::<CertificateStore>::clone(&self.own);
        let config = Arc::new(builder.with_client_cert_resolver(own));
        let connection = UnbufferedClientConnection::new(config, name);
        let connection = connection.map_err(|_| ConnectorError::Setup)?;
        Ok(Box::new(Layer::connect(Tls::active(connection))))
    }
}
