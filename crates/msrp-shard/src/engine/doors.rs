//! What the connections of each listener begin with, and its certificates.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use msrp_transport::{Certificate, CertificateStore, Connector, Door};

use crate::config::{ListenerConfig, ListenerTransport, TlsFiles};

/// Why a certificate cannot be used. The operator's fault.
#[derive(Debug)]
pub struct CertificateFault {
    /// The file that is wrong.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

impl std::error::Error for CertificateFault {}

/// A listener's certificate, and where it comes from.
pub(crate) struct Kept {
    files: TlsFiles,
    pub(super) store: Arc<CertificateStore>,
}

impl Kept {
    /// Reads the files of a listener that has some.
    pub(super) fn read(transport: &ListenerTransport) -> Result<Option<Self>, CertificateFault> {
        let Some(files) = transport.files() else {
            return Ok(None);
        };
        Ok(Some(Self {
            store: CertificateStore::new(read(files)?),
            files: files.clone(),
        }))
    }

    /// Begins connections of ours with its certificate. Peers that name no fingerprint are judged by
    /// the system's root certificates.
    pub(super) fn connector(&self) -> Connector {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a root certificate of the system cannot be read");
        }
        let roots = found.certs.into_iter().map(|root| root.as_ref().to_vec());
        Connector::new(Arc::clone(&self.store), roots)
    }

    /// Reads its files anew. Does not use them yet.
    pub(super) fn read_again(&self) -> Result<Certificate, CertificateFault> {
        read(&self.files)
    }
}

fn read(files: &TlsFiles) -> Result<Certificate, CertificateFault> {
    let octets = |file: &PathBuf| {
        std::fs::read(file).map_err(|error| CertificateFault {
            file: file.clone(),
            why: error.to_string(),
        })
    };
    let (chain, key) = (octets(&files.cert)?, octets(&files.key)?);
    Certificate::from_pem(&chain, &key).map_err(|error| CertificateFault {
        file: if error.is_of_key() {
            files.key.clone()
        } else {
            files.cert.clone()
        },
        why: error.to_string(),
    })
}

/// The layers of a listener's connections.
pub(super) fn open(
    listener: &ListenerConfig,
    kept: Option<&Kept>,
) -> Result<Door, CertificateFault> {
    let door = match &listener.transport {
        ListenerTransport::Tcp | ListenerTransport::Tls(_) => Door::default(),
        ListenerTransport::Ws(origins) | ListenerTransport::Wss(_, origins) => {
            Door::default().websocket(origins.clone())
        }
    };
    let Some(kept) = kept else {
        return Ok(door);
    };
    door.tls(&kept.store).map_err(|error| CertificateFault {
        file: kept.files.cert.clone(),
        why: error.to_string(),
    })
}
