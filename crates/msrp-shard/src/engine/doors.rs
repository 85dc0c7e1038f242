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

/// A listener's certificates, and where they come from.
pub(crate) struct Kept {
    files: TlsFiles,
    pub(super) store: Arc<CertificateStore>,
}

/// What the files of a listener hold.
pub(super) struct Read {
    first: Certificate,
    others: Vec<Certificate>,
    client_roots: Option<Vec<Vec<u8>>>,
}

impl Kept {
    /// Reads the files of a listener that has some.
    pub(super) fn read(transport: &ListenerTransport) -> Result<Option<Self>, CertificateFault> {
        let Some(files) = transport.files() else {
            return Ok(None);
        };
        let read = Read::of(files)?;
        let kept = Self {
            store: CertificateStore::new(read.first.clone()),
            files: files.clone(),
        };
        kept.take(read)?;
        Ok(Some(kept))
    }

    /// Begins connections of ours with its certificate. Peers that name no fingerprint are judged by
    /// the system's root certificates.
    pub(super) fn connector(&self) -> Connector {
        Connector::new(Arc::clone(&self.store), system_roots())
    }

    /// Reads its files anew. Does not use them yet.
    pub(super) fn read_again(&self) -> Result<Read, CertificateFault> {
        Read::of(&self.files)
    }

    /// Uses what was read, for handshakes to come.
    pub(super) fn take(&self, read: Read) -> Result<(), CertificateFault> {
        let required = self.store.require_clients(read.client_roots);
        required.map_err(|error| CertificateFault {
            file: self.files.client_roots.clone().unwrap_or_default(),
            why: error.to_string(),
        })?;
        self.store.replace_all(read.first, read.others);
        Ok(())
    }
}

/// The system's root certificates in DER.
pub(super) fn system_roots() -> Vec<Vec<u8>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a root certificate of the system cannot be read");
    }
    let roots = found.certs.into_iter();
    roots.map(|root| root.as_ref().to_vec()).collect()
}

impl Read {
    fn of(files: &TlsFiles) -> Result<Self, CertificateFault> {
        let others = files.others.iter().map(|(cert, key)| read(cert, key));
        let roots = |file: &PathBuf| {
            let roots = Certificate::roots_from_pem(&octets(file)?);
            roots.map_err(|error| CertificateFault {
                file: file.clone(),
                why: error.to_string(),
            })
        };
        Ok(Self {
            first: read(&files.cert, &files.key)?,
            others: others.collect::<Result<_, _>>()?,
            client_roots: files.client_roots.as_ref().map(roots).transpose()?,
        })
    }
}

fn octets(file: &PathBuf) -> Result<Vec<u8>, CertificateFault> {
    std::fs::read(file).map_err(|error| CertificateFault {
        file: file.clone(),
        why: error.to_string(),
    })
}

fn read(cert: &PathBuf, key: &PathBuf) -> Result<Certificate, CertificateFault> {
    let certificate = Certificate::from_pem(&octets(cert)?, &octets(key)?);
    certificate.map_err(|error| CertificateFault {
        file: if error.is_of_key() { key } else { cert }.clone(),
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
