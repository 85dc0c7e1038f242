//! The Authorization header field of AUTH.

use msrp_relay::{Credentials, NotCredentials};

/// What is worth inserting.
pub(crate) const WORDS: &[&str] = &[
    "Digest ",
    "Basic ",
    "username=",
    "realm=",
    "nonce=",
    "cnonce=",
    "nc=",
    "response=",
    "algorithm=",
    "qop=",
    "auth",
    "auth-int",
    "MD5",
    "MD5-sess",
    "SHA-256",
    "00000001",
    "\"",
    "\\",
    ",",
    "=",
    " ",
    "\t",
    "uri=",
];

/// The input is read as credentials: what is complete is legal, and says the same when it is written again.
pub fn auth(input: &[u8]) {
    match Credentials::parse(input) {
        Ok(credentials) => check(&credentials),
        Err(NotCredentials::NotOffered | NotCredentials::Malformed) => {}
    }
}

fn check(credentials: &Credentials<'_>) {
    let fields = [
        ("username", &credentials.username),
        ("realm", &credentials.realm),
        ("nonce", &credentials.nonce),
        ("cnonce", &credentials.cnonce),
        ("nc", &credentials.nc),
        ("response", &credentials.response),
    ];
    let mut text = "Digest qop=auth".to_owned();
    for (name, value) in fields {
        assert!(!value.is_empty(), "{name} is empty");
        assert!(!value.contains(['\r', '\n']), "{name} has a line end");
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        text.push_str(&format!(", {name}=\"{value}\""));
    }
    text.push_str(&format!(", algorithm={}", credentials.algorithm.as_str()));
    assert!(credentials.nonce_count > 0, "counts begin with 1");
    assert_eq!(credentials.nc.len(), 8);
    match Credentials::parse(text.as_bytes()) {
        Ok(again) => assert_eq!(again, *credentials),
        // Escapes make it longer.
        Err(reason) => assert!(
            text.len() > msrp_relay::limits::AUTHORIZATION_OCTETS_MAX,
            "{reason:?}: {text}"
        ),
    }
}
