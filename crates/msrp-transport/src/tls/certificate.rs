//! Our own certificates, and where handshakes find them.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::{ResolvesClientCert, verify_server_name};
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SignatureScheme};

use super::clients::Clients;
use super::fingerprint::Fingerprint;

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
    /// The certificates in a text in PEM, each in DER.
    ///
    /// # Errors
    /// [`CertificateError::NoCertificate`] when there is none, or one is damaged.
    pub fn roots_from_pem(text: &[u8]) -> Result<Vec<Vec<u8>>, CertificateError> {
        let mut store = RootCertStore::empty();
        let mut roots = Vec::new();
        for root in CertificateDer::pem_slice_iter(text) {
            let root = root.map_err(|_| CertificateError::NoCertificate)?;
            roots.push(root.to_vec());
            let added = store.add(root);
            added.map_err(|_| CertificateError::NoCertificate)?;
        }
        if roots.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        Ok(roots)
    }

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

    /// Whether it is valid for a host of this name.
    fn is_for(&self, name: &ServerName<'_>) -> bool {
        let first = self.key.cert.first();
        let parsed = first.and_then(|first| ParsedCertificate::try_from(first).ok());
        parsed.is_some_and(|parsed| verify_server_name(&parsed, name).is_ok())
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

/// The certificates that handshakes are made with at present. They can be replaced at any time: handshakes
/// to come use the new ones, connections that stand are not touched, sessions of the old ones are resumed.
///
/// A client that names a host gets the first certificate that is valid for it; every other one gets the first.
///
/// A lock guards them, which a handshake takes once. No octet of a session does.
pub struct CertificateStore {
    current: RwLock<(Certificate, Vec<Certificate>)>,
    clients: Arc<Clients>,
}

impl CertificateStore {
    /// A store with its first certificate.
    #[must_use]
    pub fn new(certificate: Certificate) -> Arc<Self> {
        Arc::new(Self {
            current: RwLock::new((certificate, Vec::new())),
            clients: Arc::default(),
        })
    }

    /// From now on handshakes are made with this one alone.
    pub fn replace(&self, certificate: Certificate) {
        self.replace_all(certificate, Vec::new());
    }

    /// From now on handshakes are made with these: the first, or one of the others for a host of theirs.
    pub fn replace_all(&self, first: Certificate, others: Vec<Certificate>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (first, others);
    }

    /// From now on clients have to show a certificate that one of these signs, in DER. Without any, clients
    /// need none. Sessions that began under other rules are not resumed.
    ///
    /// # Errors
    /// [`CertificateError::NoCertificate`] when none of them can be used; the rules stay as they were then.
    pub fn require_clients(&self, roots: Option<Vec<Vec<u8>>>) -> Result<(), CertificateError> {
        self.clients.require(roots)
    }

    /// The first one.
    #[must_use]
    pub fn current(&self) -> Certificate {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.0.clone()
    }

    /// The one for a host of this name; the first when none is, or when it is an address.
    #[must_use]
    pub fn for_host(&self, host: &str) -> Certificate {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let (first, others) = &*current;
        let find = |name: &ServerName<'_>| {
            let mut all = std::iter::once(first).chain(others);
            all.find(|certificate| certificate.is_for(name))
        };
        let name = match ServerName::try_from(host) {
            Ok(name @ ServerName::DnsName(_)) if !others.is_empty() => Some(name),
            _ => None,
        };
        name.as_ref().and_then(find).unwrap_or(first).clone()
    }

    /// Whether one of them is valid for a host of this name.
    #[must_use]
    pub fn has_for(&self, host: &str) -> bool {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let (first, others) = &*current;
        let name = ServerName::try_from(host).ok();
        name.is_some_and(|name| {
            let mut all = std::iter::once(first).chain(others);
            all.any(|certificate| certificate.is_for(&name))
        })
    }

    /// What a listener's handshakes are made with. Clients are asked for a certificate; which one fits is the
    /// session's to say, unless it has to be signed by somebody.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, CertificateError> {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| CertificateError::Setup)?;
        let store: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = builder
            .with_client_cert_verifier(self.clients.verifier())
            .with_cert_resolver(store);
        config.ticketer = self.clients.ticketer()?;
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateStore").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for CertificateStore {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.for_host(hello.server_name().unwrap_or_default()).key)
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
