//! TLS between msrpctl and a node.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::fault::Fault;
use crate::admin::tls::certificates;

/// What TLS with a node needs.
#[derive(Debug, Clone, clap::Args)]
pub struct Security {
    /// The admin address speaks TLS, with a certificate that one of these signs. PEM.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MSRPCTL_CA",
        hide_env_values = true
    )]
    pub ca: Option<PathBuf>,
    /// The certificate to show to the node, then those of its chain. PEM; needs --ca and --key.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MSRPCTL_CERT",
        hide_env_values = true
    )]
    pub cert: Option<PathBuf>,
    /// The private key of --cert. PEM.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "MSRPCTL_KEY",
        hide_env_values = true
    )]
    pub key: Option<PathBuf>,
}

/// Begins TLS with nodes.
#[derive(Clone)]
pub(super) struct Secure(TlsConnector);

impl Secure {
    /// `None` without an authority: then nothing is encrypted.
    ///
    /// # Errors
    /// [`Fault::Local`] with the file that cannot be used, or the option that is missing.
    pub(super) fn new(security: &Security) -> Result<Option<Self>, Fault> {
        let Security { ca, cert, key } = security;
        let Some(ca) = ca else {
            return match cert.as_ref().or(key.as_ref()) {
                Some(_) => Err(missing("--cert and --key need --ca: the node's authority")),
                None => Ok(None),
            };
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca).map_err(Fault::Local)? {
            let added = roots.add(certificate);
            added.map_err(|error| Fault::Local(format!("{}: {error}", ca.display())))?;
        }
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = match (cert, key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => {
                let chain = certificates(cert).map_err(Fault::Local)?;
                let private = PrivateKeyDer::from_pem_file(key);
                let private =
                    private.map_err(|error| Fault::Local(format!("{}: {error}", key.display())))?;
                let config = builder.with_client_auth_cert(chain, private);
                config.map_err(|error| Fault::Local(format!("{}: {error}", cert.display())))?
            }
            _ => return Err(missing("--cert and --key go together")),
        };
        Ok(Some(Self(TlsConnector::from(Arc::new(config)))))
    }

    /// The error is a sentence.
    pub(super) async fn connect(
        &self,
        address: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("{host} is neither a name nor an address"))?;
        let connected = self.0.connect(name, stream).await;
        connected.map_err(|error| format!("no TLS with it: {error}"))
    }
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secure").finish_non_exhaustive()
    }
}

fn missing(what: &str) -> Fault {
    Fault::Local(what.to_owned())
}
