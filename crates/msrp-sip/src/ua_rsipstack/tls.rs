//! TLS: certificates from files, and handshakes.
//!
//! # Spec
//! RFC 3261 s.26.3; RFC 5922: a server is who its certificate names; TLS 1.2 and 1.3.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::limits::HANDSHAKE_WAIT;

/// The files of TLS, all in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate with its chain, and its key: what a listener shows, and what we show to a
    /// server that asks.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The roots by which servers are judged; without them those of the system.
    pub roots: Option<PathBuf>,
    /// The roots by which clients are judged. With them a client has to show a certificate.
    pub client_roots: Option<PathBuf>,
}

/// Why a file of TLS cannot be used. The operator's fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError {
    /// The file, or what is missing.
    pub file: String,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.why)
    }
}

impl std::error::Error for TlsError {}

/// What handshakes are made with. Can be read anew while connections stand.
pub(super) struct Tls {
    files: TlsFiles,
    current: Mutex<Current>,
}

#[derive(Clone, Default)]
struct Current {
    acceptor: Option<TlsAcceptor>,
    /// `None` until it is needed: the system's roots are read then.
    connector: Option<TlsConnector>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(super) fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let current = Current::read(&files)?;
        Ok(Self {
            files,
            current: Mutex::new(current),
        })
    }

    /// Reads the files anew; what was read is in force once the result was called.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(super) fn read_again(self: &Arc<Self>) -> Result<impl FnOnce() + Send + use<>, TlsError> {
        let current = Current::read(&self.files)?;
        let tls = Arc::clone(self);
        Ok(move || *tls.lock() = current)
    }

    /// Whether a listener can be served.
    pub(super) fn has_certificate(&self) -> bool {
        self.lock().acceptor.is_some()
    }

    /// Answers a client's handshake; `None` when it fails or takes too long.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> Option<server::TlsStream<TcpStream>> {
        let acceptor = self.lock().acceptor.clone()?;
        match timeout(HANDSHAKE_WAIT, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "no handshake");
                None
            }
            Err(_) => {
                tracing::debug!(%peer, "no handshake in time");
                None
            }
        }
    }

    /// Shakes hands with a server, whose certificate has to name `host`.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> std::io::Result<client::TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        let connector = self.connector().map_err(std::io::Error::other)?;
        timeout(HANDSHAKE_WAIT, connector.connect(name, stream)).await?
    }

    fn connector(&self) -> Result<TlsConnector, TlsError> {
        if let Some(connector) = self.lock().connector.clone() {
            return Ok(connector);
        }
        let connector = connector(&self.files)?;
        self.lock().connector = Some(connector.clone());
        Ok(connector)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let acceptor = match &files.certificate {
            Some((certificate, key)) => Some(acceptor(files, certificate, key)?),
            None => None,
        };
        let has_files = files.certificate.is_some() || files.roots.is_some();
        let connector = has_files.then(|| connector(files)).transpose()?;
        Ok(Self {
            acceptor,
            connector,
        })
    }
}

fn acceptor(files: &TlsFiles, certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let builder = match &files.client_roots {
        Some(file) => {
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots_of(file)?)).build();
            let verifier = verifier.map_err(|error| wrong(file, &error))?;
            ServerConfig::builder().with_client_cert_verifier(verifier)
        }
        None => ServerConfig::builder().with_no_client_auth(),
    };
    let config = builder.with_single_cert(chain(certificate)?, private_key(key)?);
    let config = config.map_err(|error| wrong(certificate, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn connector(files: &TlsFiles) -> Result<TlsConnector, TlsError> {
    let roots = match &files.roots {
        Some(file) => roots_of(file)?,
        None => system_roots(),
    };
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match &files.certificate {
        Some((certificate, key)) => builder
            .with_client_auth_cert(chain(certificate)?, private_key(key)?)
            .map_err(|error| wrong(certificate, &error))?,
        None => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a root certificate of the system cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    roots
}

fn roots_of(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots
            .add(certificate)
            .map_err(|error| wrong(file, &error))?;
    }
    Ok(roots)
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).map_err(|error| wrong(file, &error))?;
    let chain: Result<Vec<_>, _> = read.collect();
    let chain = chain.map_err(|error| wrong(file, &error))?;
    if chain.is_empty() {
        return Err(wrong(file, &"there is no certificate in it"));
    }
    Ok(chain)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| wrong(file, &error))
}

fn wrong(file: &Path, why: &dyn fmt::Display) -> TlsError {
    TlsError {
        file: file.display().to_string(),
        why: why.to_string(),
    }
}
