//! The numbers of Digest: HA1 and the two responses.

use std::fmt;

use md5::Md5;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The hash of a challenge. SHA-256 is offered first.
///
/// # Spec
/// RFC 7616 s.3.3; MSRP-4976-9.1-04: never a `-sess` algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256: 64 hexadecimal digits.
    Sha256,
    /// MD5: 32 hexadecimal digits, for clients that know nothing else.
    Md5,
}

/// H(user:realm:password) in lower-case hexadecimal digits. As good as the password within its realm: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1(Box<str>);

/// What both sides put into a response besides HA1.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// The server's nonce.
    pub nonce: &'a str,
    /// The eight digits of the nonce count, as they stand.
    pub nc: &'a str,
    /// The client's nonce.
    pub cnonce: &'a str,
    /// The rightmost URI of the To-Path.
    pub uri: &'a str,
}

impl Algorithm {
    /// The offered algorithms, the better one first.
    pub const OFFERED: [Self; 2] = [Self::Sha256, Self::Md5];

    /// The name as it stands in header fields.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// Reads a name, without case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::OFFERED
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text))
    }

    /// Hexadecimal digits of a hash.
    #[must_use]
    pub fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Md5 => 32,
        }
    }

    fn hash(self, parts: &[&str]) -> String {
        match self {
            Self::Sha256 => hex(&joined(Sha256::new(), parts).finalize()),
            Self::Md5 => hex(&joined(Md5::new(), parts).finalize()),
        }
    }
}

impl Ha1 {
    /// Reads stored digits. `None` when they are not those of a hash of this algorithm.
    #[must_use]
    pub fn parse(algorithm: Algorithm, digits: &str) -> Option<Self> {
        let is_hex = digits.bytes().all(|c| c.is_ascii_hexdigit());
        (is_hex && digits.len() == algorithm.digits())
            .then(|| Self(digits.to_ascii_lowercase().into()))
    }

    /// Makes it from a password: for clients, and for the tool that writes a users file.
    #[must_use]
    pub fn of_password(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> Self {
        Self(algorithm.hash(&[user, realm, password]).into())
    }

    /// What a client puts into `response` of an AUTH.
    ///
    /// # Spec
    /// RFC 7616 s.3.4.1; MSRP-4976-9.1-08.
    #[must_use]
    pub fn response(&self, algorithm: Algorithm, proof: &Proof<'_>) -> String {
        self.keyed(algorithm, proof, &algorithm.hash(&["AUTH", proof.uri]))
    }

    /// What a relay puts into `rspauth`.
    ///
    /// # Spec
    /// RFC 7616 s.3.5.
    #[must_use]
    pub fn rspauth(&self, algorithm: Algorithm, proof: &Proof<'_>) -> String {
        self.keyed(algorithm, proof, &algorithm.hash(&["", proof.uri]))
    }

    /// Whether a response is the right one. Takes the same time wherever it differs.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, proof: &Proof<'_>, response: &str) -> bool {
        let expected = self.response(algorithm, proof);
        expected.as_bytes().ct_eq(response.as_bytes()).into()
    }

    fn keyed(&self, algorithm: Algorithm, proof: &Proof<'_>, ha2: &str) -> String {
        algorithm.hash(&[&self.0, proof.nonce, proof.nc, proof.cnonce, "auth", ha2])
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(..)")
    }
}

/// Feeds parts with colons between them.
fn joined<D: sha2::Digest>(mut hash: D, parts: &[&str]) -> D {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hash.update(b":");
        }
        hash.update(part.as_bytes());
    }
    hash
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 s.3.9.1, where the method is GET.
    #[test]
    fn hash_of_the_standards_example_is_its_response() {
        let proof = [
            "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "00000001",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        ];
        let cases = [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                Algorithm::Sha256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ];
        for (algorithm, expected) in cases {
            let ha1 = Ha1::of_password(
                algorithm,
                "Mufasa",
                "http-auth@example.org",
                "Circle of Life",
            );
            let ha2 = algorithm.hash(&["GET", "/dir/index.html"]);
            let [nonce, nc, cnonce] = proof;
            let proof = Proof {
                nonce,
                nc,
                cnonce,
                uri: "",
            };
            assert_eq!(ha1.keyed(algorithm, &proof, &ha2), expected);
        }
    }

    #[test]
    fn ha1_with_other_length_or_digits_is_not_read() {
        assert!(Ha1::parse(Algorithm::Md5, &"a".repeat(32)).is_some());
        assert!(Ha1::parse(Algorithm::Md5, &"a".repeat(64)).is_none());
        assert!(Ha1::parse(Algorithm::Sha256, &"g".repeat(64)).is_none());
        let ha1 = Ha1::parse(Algorithm::Md5, &"a".repeat(32));
        assert_eq!(format!("{ha1:?}"), "Some(Ha1(..))");
    }

    #[test]
    fn response_with_one_other_digit_does_not_verify() {
        let ha1 = Ha1::of_password(Algorithm::Sha256, "alice", "r", "secret");
        let proof = Proof {
            nonce: "n",
            nc: "00000001",
            cnonce: "c",
            uri: "msrps://r:1;tcp",
        };
        let right = ha1.response(Algorithm::Sha256, &proof);
        assert!(ha1.verifies(Algorithm::Sha256, &proof, &right));
        for at in 0..right.len() {
            let mut wrong = right.clone().into_bytes();
            wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
            assert!(!ha1.verifies(
                Algorithm::Sha256,
                &proof,
                &String::from_utf8(wrong).unwrap()
            ));
        }
        assert!(!ha1.verifies(Algorithm::Sha256, &proof, ""));
        // SHA-256 of "HA1:n:00000001:c:auth:HA2", where HA2 is that of ":msrps://r:1;tcp".
        assert_eq!(
            ha1.rspauth(Algorithm::Sha256, &proof),
            "c4e1eb4d48095b9b5c40ab44dbba8b3126eaa6073785272dce966aae5416c1ff"
        );
    }
}
