//! Who a peer is, by its certificate.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::verify_server_name;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};

/// Hosts that are known by name, and whose certificates are signed by who is trusted. Cheap to clone.
#[derive(Clone)]
pub struct KnownHosts {
    names: Arc<[(Box<str>, ServerName<'static>)]>,
    /// `None` when nobody is trusted: then nobody is known.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

impl KnownHosts {
    /// With the names of the hosts, and the certificates in DER of those who sign for them. What is no host name is left
    /// out.
    #[must_use]
    pub fn new(names: &[String], roots: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.into_iter().map(CertificateDer::from));
        let provider = Arc::new(default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider);
        let name = |name: &String| {
            let parsed = ServerName::try_from(name.clone()).ok()?;
            Some((Box::from(name.as_str()), parsed))
        };
        Self {
            names: names.iter().filter_map(name).collect(),
            verifier: builder.build().ok(),
        }
    }

    /// Whether a host of this name is known.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        let is_it = |(known, _): &(Box<str>, ServerName<'_>)| known.eq_ignore_ascii_case(name);
        self.names.iter().any(is_it)
    }

    /// The host that this chain of certificates is of. Asks the system for the time.
    pub(crate) fn find(&self, chain: &[CertificateDer<'_>]) -> Option<&str> {
        let (own, between) = chain.split_first()?;
        let certificate = ParsedCertificate::try_from(own).ok()?;
        let is_named =
            |(_, name): &&(_, ServerName<'_>)| verify_server_name(&certificate, name).is_ok();
        let (name, _) = self.names.iter().find(is_named)?;
        let verifier = self.verifier.as_ref()?;
        let verified = verifier.verify_client_cert(own, between, UnixTime::now());
        verified.is_ok().then_some(name)
    }
}

impl fmt::Debug for KnownHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

/// The certificates in a text in PEM, each in DER. Those before the first fault.
#[must_use]
pub fn certificates_of_pem(text: &[u8]) -> Vec<Vec<u8>> {
    let found = CertificateDer::pem_slice_iter(text);
    let found = found.map_while(Result::ok);
    found.map(|certificate| certificate.to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

    use super::*;

    fn certificate(name: &str) -> CertifiedKey<KeyPair> {
        generate_simple_self_signed(vec![name.to_owned()]).unwrap()
    }

    fn hosts(names: &[&str], trusted: &[&CertifiedKey<KeyPair>]) -> KnownHosts {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let pem: String = trusted.iter().map(|key| key.cert.pem()).collect();
        KnownHosts::new(&names, certificates_of_pem(pem.as_bytes()))
    }

    #[test]
    fn host_is_known_by_a_name_on_the_list_in_a_certificate_that_is_trusted() {
        let (key, other) = (certificate("b.example.com"), certificate("b.example.com"));
        let names = ["a.example.com", "b.example.com"];
        let known = hosts(&names, &[&other, &key]);
        let chain = [key.cert.der().clone()];
        assert_eq!(known.find(&chain), Some("b.example.com"));
        assert!(known.knows("B.example.com"));
        // Another name, another signer, nobody trusted, no certificate.
        assert_eq!(hosts(&["a.example.com"], &[&key]).find(&chain), None);
        assert_eq!(hosts(&names, &[&other]).find(&chain), None);
        assert_eq!(hosts(&names, &[]).find(&chain), None);
        assert_eq!(known.find(&[]), None);
        assert_eq!(known.find(&[CertificateDer::from(vec![1, 2, 3])]), None);
    }

    #[test]
    fn what_is_no_host_name_is_not_known() {
        let known = hosts(&["not a name"], &[]);
        assert!(!known.knows("not a name"));
        assert_eq!(certificates_of_pem(b"nothing"), Vec::<Vec<u8>>::new());
    }
}
