//! The admin server over TLS, with certificates of clients where they are asked for.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

/// Reads what TLS needs.
///
/// # Errors
/// A sentence with the file: the operator's fault.
pub(crate) fn read(
    cert: &Path,
    key: &Path,
    client_ca: Option<&Path>,
) -> Result<Arc<ServerConfig>, String> {
    let chain = certificates(cert)?;
    let private = PrivateKeyDer::from_pem_file(key);
    let private = private.map_err(|error| format!("{}: {error}", key.display()))?;
    let builder = match client_ca {
        None => ServerConfig::builder().with_no_client_auth(),
        Some(file) => {
            let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build();
            let verifier = verifier.map_err(|error| wrong(&error))?;
            ServerConfig::builder().with_client_cert_verifier(verifier)
        }
    };
    let config = builder.with_single_cert(chain, private);
    let mut config = config.map_err(|error| format!("{}: {error}", cert.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The certificates in a file, at least one.
///
/// # Errors
/// A sentence with the file.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let name = file.display();
    let read = CertificateDer::pem_file_iter(file).map_err(|error| format!("{name}: {error}"))?;
    let all: Vec<_> = read
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{name}: {error}"))?;
    if all.is_empty() {
        return Err(format!("{name}: expected a certificate in PEM, found none"));
    }
    Ok(all)
}

/// What is shown to the connections to come.
#[derive(Debug)]
pub(super) struct TlsStore(RwLock<Arc<ServerConfig>>);

impl TlsStore {
    pub(super) fn new(config: Arc<ServerConfig>) -> Self {
        Self(RwLock::new(config))
    }

    pub(super) fn replace(&self, config: Arc<ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    fn present(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

type Opened = (TlsStream<TcpStream>, SocketAddr);

/// A listener whose connections have their handshake behind them. A handshake keeps no other waiting.
pub(super) struct TlsListener {
    opened: mpsc::Receiver<Opened>,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl TlsListener {
    pub(super) fn new(listener: TcpListener, address: SocketAddr, store: Arc<TlsStore>) -> Self {
        let (sender, opened) = mpsc::channel(1);
        Self {
            opened,
            address,
            accepting: tokio::spawn(accept(listener, store, sender)),
        }
    }
}

impl Drop for TlsListener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, store: Arc<TlsStore>, sender: mpsc::Sender<Opened>) {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of file descriptors, most likely: it passes.
            Err(error) => {
                tracing::error!(%error, "the admin address does not accept");
                tokio::time::sleep(ACCEPT_DELAY).await;
                continue;
            }
        };
        let (sender, acceptor) = (sender.clone(), TlsAcceptor::from(store.present()));
        tokio::spawn(async move {
            let _place = place;
            match tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => drop(sender.send((stream, peer)).await),
                Ok(Err(error)) => {
                    tracing::info!(%peer, %error, "a client of the admin address was refused");
                }
                Err(_) => tracing::info!(%peer, "a handshake with the admin address took too long"),
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Opened {
        match self.opened.recv().await {
            Some(opened) => opened,
            // The accepting ends with the listener only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Handshakes at once. Further connections wait in the kernel.
const HANDSHAKES_MAX: usize = 64;
/// Longest handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Wait after an accept that failed.
const ACCEPT_DELAY: Duration = Duration::from_millis(500);
