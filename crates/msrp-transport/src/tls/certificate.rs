//! Our own certificates, and where handshakes find them.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::ResolvesClientCert;
use rustls::crypto::ring::{Ticketer, default_provider, sign::any_supported_type};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureScheme};

use super::fingerprint::Fingerprint;
use super::verifier::AnyClient;

/// Why a certificate cannot be used. The operator's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateError {
    /// The text holds no certificate in PEM.
    NoCertificate,
    /// The text holds no private key in PEM.
    NoKey,
    /// The key is of a kind that TLS has no use for.
    KeyKind,
    /// The key is not that of the certificate.
    OtherKey,
    /// TLS could not be set up with it.
    Setup,
}

impl CertificateError {
    /// Whether the file of the key is to be looked at.
    #[must_use]
    pub fn is_of_key(self) -> bool {
        match self {
            Self::NoKey | Self::KeyKind | Self::OtherKey => true,
            Self::NoCertificate | Self::Setup => false,
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCertificate => "there is no certificate in it; PEM is needed",
            Self::NoKey => "there is no private key in it; PEM is needed",
            Self::KeyKind => "the private key is neither RSA, ECDSA nor Ed25519",
            Self::OtherKey => "the private key is not that of the certificate",
            Self::Setup => "TLS cannot be set up with it",
        })
    }
}

impl std::error::Error for CertificateError {}

/// A certificate with its chain and its key.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
}

impl Certificate {
    /// Reads chain and key from PEM.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.map_err(|_| CertificateError::NoCertificate)?;
        if chain.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::NoKey)?;
        let key = any_supported_type(&key).map_err(|_| CertificateError::KeyKind)?;
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(CertificateError::OtherKey),
        }
        Ok(Self { key: Arc::new(key) })
    }

    /// The value of its fingerprint attribute.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let first = self.key.cert.first();
        Fingerprint::describe(first.map(AsRef::as_ref).unwrap_or_default())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

/// The certificate that handshakes are made with at present. It can be replaced at any time: handshakes
/// to come use the new one, connections that stand are not touched, sessions of the old one are resumed.
///
/// A lock guards it, which a handshake takes once. No octet of a session does.
pub struct CertificateStore {
    current: RwLock<Certificate>,
}

impl CertificateStore {
    /// A store with its first certificate.
    #[must_use]
    pub fn new(certificate: Certificate) -> Arc<Self> {
        Arc::new(Self {
            current: RwLock::new(certificate),
        })
    }

    /// From now on handshakes are made with this one.
    pub fn replace(&self, certificate: Certificate) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = certificate;
    }

    /// The present one.
    #[must_use]
    pub fn current(&self) -> Certificate {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a listener's handshakes are made with. Clients are asked for a certificate and need not have
    /// one; which one fits is the session's to say.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, CertificateError> {
        let provider = Arc::new(default_provider());
        let verifier = Arc::new(AnyClient::new(&provider));
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| CertificateError::Setup)?;
        let store: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = builder
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(store);
        config.ticketer = Ticketer::new().map_err(|_| CertificateError::Setup)?;
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateStore").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for CertificateStore {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current().key)
    }
}

impl ResolvesClientCert for CertificateStore {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current().key)
    }

    fn has_certs(&self) -> bool {
        true
    }
}
