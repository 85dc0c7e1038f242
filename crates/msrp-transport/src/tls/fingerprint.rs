//! Fingerprints of certificates, as session descriptions name them.

use std::fmt::Write as _;

use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, SHA512, digest};

/// The hash of a certificate.
///
/// # Spec
/// RFC 4572 s.5, RFC 8122 s.5.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    function: HashFunction,
    octets: Box<[u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HashFunction {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl HashFunction {
    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        }
    }

    fn parse(token: &str) -> Option<Self> {
        [
            ("sha-1", Self::Sha1),
            ("sha-256", Self::Sha256),
            ("sha-384", Self::Sha384),
            ("sha-512", Self::Sha512),
        ]
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(token))
        .map(|(_, function)| function)
    }
}

impl Fingerprint {
    /// Reads the value of a fingerprint attribute: `hash-func SP fingerprint`. `None` for a function that
    /// is not known, or a value that is not one of it.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (function, hex) = value.trim().split_once(' ')?;
        let function = HashFunction::parse(function)?;
        let octets: Option<Box<[u8]>> = hex
            .trim()
            .split(':')
            .map(|pair| match pair.as_bytes() {
                [high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    u8::from_str_radix(pair, 16).ok()
                }
                _ => None,
            })
            .collect();
        let octets = octets.filter(|octets| octets.len() == function.algorithm().output_len())?;
        Some(Self { function, octets })
    }

    /// The value of the attribute for a certificate in DER, with SHA-256.
    #[must_use]
    pub fn describe(certificate: &[u8]) -> String {
        let mut value = String::from("SHA-256 ");
        for (index, octet) in digest(&SHA256, certificate).as_ref().iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            // Writing to a string does not fail.
            let _ = write!(value, "{colon}{octet:02X}");
        }
        value
    }

    /// Whether it is that of this certificate in DER.
    #[must_use]
    pub fn is_of(&self, certificate: &[u8]) -> bool {
        digest(self.function.algorithm(), certificate).as_ref() == &*self.octets
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fingerprint")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_described_is_read_back_and_fits_its_certificate_alone() {
        let value = Fingerprint::describe(b"certificate");
        let fingerprint = Fingerprint::parse(&value).unwrap();
        assert!(fingerprint.is_of(b"certificate"));
        assert!(!fingerprint.is_of(b"another"));
        let lower = Fingerprint::parse(&value.to_lowercase()).unwrap();
        assert!(lower.is_of(b"certificate"));
    }

    #[test]
    fn fingerprint_that_is_none_is_not_read() {
        let zeros = |count: usize| vec!["00"; count].join(":");
        assert!(Fingerprint::parse(&format!("sha-1 {}", zeros(20))).is_some());
        assert!(Fingerprint::parse(&format!("SHA-512 {}", zeros(64))).is_some());
        for wrong in [
            format!("sha-256 {}", zeros(31)),
            format!("md5 {}", zeros(16)),
            zeros(32),
            "sha-256 zz".to_owned(),
            format!("sha-256 {}:+1", zeros(31)),
        ] {
            assert_eq!(Fingerprint::parse(&wrong), None, "{wrong}");
        }
    }
}
