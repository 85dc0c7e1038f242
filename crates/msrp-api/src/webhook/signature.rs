//! What shows a target that a request is ours: HMAC-SHA256 over id, time and body, in the form of
//! Standard Webhooks, which libraries of many languages check.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::limits::WEBHOOK_SECRET_OCTETS_MIN;

/// The key that a target shares with us. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// Reads a secret: base64 behind `whsec_`, else the text itself without blanks around it.
    ///
    /// # Errors
    /// What was expected, when it is shorter than 16 octets or no base64.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let octets = match text.strip_prefix("whsec_") {
            Some(base64) => STANDARD
                .decode(base64)
                .map_err(|_| "base64 behind whsec_")?,
            None => text.as_bytes().to_vec(),
        };
        if octets.len() < WEBHOOK_SECRET_OCTETS_MIN {
            return Err("a secret of at least 16 octets, best whsec_ and 32 random ones in base64");
        }
        Ok(Self(octets))
    }

    /// The value of `webhook-signature`.
    pub(super) fn sign(&self, id: &str, time_s: u64, body: &[u8]) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0);
        // Every length is a key; without one the target refuses what it gets.
        let Ok(mut mac) = mac else {
            return String::new();
        };
        mac.update(format!("{id}.{time_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_that_of_the_published_example() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secret_that_is_short_or_no_base64_is_refused() {
        assert!(Secret::parse("whsec_!!!").is_err());
        assert!(Secret::parse("whsec_c2hvcnQ=").is_err());
        assert!(Secret::parse("fifteen octets.").is_err());
        assert!(Secret::parse(" sixteen octets..\n").is_ok());
    }
}
