//! Which clients a listener lets in, and how long their sessions can be resumed.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ProducesTickets, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::certificate::CertificateError;
use super::verifier::AnyClient;

/// The rules for clients of a listener, and the tickets that were given under them. Rules can be replaced at any
/// time: with others, old tickets are worth nothing.
#[derive(Default)]
pub(super) struct Clients {
    rules: RwLock<Rules>,
}

#[derive(Default)]
struct Rules {
    /// Who has to sign a client's certificate. `None` when it needs none.
    roots: Option<Vec<Vec<u8>>>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    tickets: Option<Arc<dyn ProducesTickets>>,
}

impl Clients {
    pub(super) fn require(&self, roots: Option<Vec<Vec<u8>>>) -> Result<(), CertificateError> {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        if rules.roots == roots {
            return Ok(());
        }
        let verifier = roots.as_deref().map(verifier).transpose()?;
        if rules.tickets.is_some() {
            rules.tickets = Some(tickets()?);
        }
        rules.verifier = verifier;
        rules.roots = roots;
        Ok(())
    }

    pub(super) fn verifier(self: &Arc<Self>) -> Arc<dyn ClientCertVerifier> {
        Arc::new(PresentRules {
            any: AnyClient::new(&Arc::new(default_provider())),
            clients: Arc::clone(self),
        })
    }

    /// What makes the tickets by which sessions are resumed.
    pub(super) fn ticketer(self: &Arc<Self>) -> Result<Arc<dyn ProducesTickets>, CertificateError> {
        let mut rules = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        if rules.tickets.is_none() {
            rules.tickets = Some(tickets()?);
        }
        Ok(Arc::new(PresentTickets(Arc::clone(self))))
    }

    fn required(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.verifier.clone()
    }

    fn tickets(&self) -> Option<Arc<dyn ProducesTickets>> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.tickets.clone()
    }
}

fn verifier(roots: &[Vec<u8>]) -> Result<Arc<dyn ClientCertVerifier>, CertificateError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned().map(CertificateDer::from));
    let provider = Arc::new(default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider);
    builder.build().map_err(|_| CertificateError::NoCertificate)
}

fn tickets() -> Result<Arc<dyn ProducesTickets>, CertificateError> {
    Ticketer::new().map_err(|_| CertificateError::Setup)
}

/// Asks the rules that are in force when a handshake comes.
struct PresentRules {
    any: AnyClient,
    clients: Arc<Clients>,
}

impl fmt::Debug for PresentRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentRules").finish_non_exhaustive()
    }
}

impl ClientCertVerifier for PresentRules {
    fn client_auth_mandatory(&self) -> bool {
        self.clients.required().is_some()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.clients.required() {
            Some(required) => required.verify_client_cert(own, between, now),
            None => self.any.verify_client_cert(own, between, now),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.any.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.any.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.any.supported_verify_schemes()
    }
}

/// Makes and opens tickets as the present rules allow.
struct PresentTickets(Arc<Clients>);

impl fmt::Debug for PresentTickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentTickets").finish_non_exhaustive()
    }
}

impl ProducesTickets for PresentTickets {
    fn enabled(&self) -> bool {
        self.0.tickets().is_some_and(|tickets| tickets.enabled())
    }

    fn lifetime(&self) -> u32 {
        self.0.tickets().map_or(0, |tickets| tickets.lifetime())
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.tickets()?.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.tickets()?.decrypt(cipher)
    }
}
