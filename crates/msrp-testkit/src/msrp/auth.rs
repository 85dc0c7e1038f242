//! AUTH with Digest, as a client of a relay sends it.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::frame::Frame;
use super::peer::MsrpPeer;
use crate::ident::fresh;

/// A user of a relay, and by which hash it shows its password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login<'a> {
    /// The user name.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
    /// `SHA-256` or `MD5`.
    pub algorithm: &'a str,
}

/// A challenge of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The realm.
    pub realm: String,
    /// The nonce.
    pub nonce: String,
    /// Whether only the nonce of the last credentials was old.
    pub is_stale: bool,
}

impl Challenge {
    /// The challenge for an algorithm in a 401.
    ///
    /// # Panics
    /// When there is none.
    pub fn of(response: &Frame, algorithm: &str) -> Self {
        let fields = response.headers.iter();
        let mut values = fields.filter(|(name, _)| name == "WWW-Authenticate");
        let (_, value) = values
            .find(|(_, value)| {
                // Without the parameter it is MD5 (RFC 7616 s.3.3).
                parameter(value, "algorithm").as_deref().unwrap_or("MD5") == algorithm
            })
            .unwrap_or_else(|| panic!("no challenge for {algorithm} in {response:?}"));
        Self {
            realm: parameter(value, "realm").expect("a realm"),
            nonce: parameter(value, "nonce").expect("a nonce"),
            is_stale: parameter(value, "stale").as_deref() == Some("true"),
        }
    }
}

impl Login<'_> {
    /// The value of Authorization that answers a challenge for the `count`-th time.
    ///
    /// # Spec
    /// RFC 4976 s.9.1; RFC 7616 s.3.4.
    pub fn answer(&self, challenge: &Challenge, count: u32, uri: &str) -> String {
        let Self {
            user,
            password,
            algorithm,
        } = self;
        let Challenge { realm, nonce, .. } = challenge;
        let hash = |text: String| hash(algorithm, &text);
        let first = hash(format!("{user}:{realm}:{password}"));
        let second = hash(format!("AUTH:{uri}"));
        let (nc, cnonce) = (format!("{count:08x}"), "0a4f113b");
        let response = hash(format!("{first}:{nonce}:{nc}:{cnonce}:auth:{second}"));
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", qop=auth, \
             nc={nc}, cnonce=\"{cnonce}\", response=\"{response}\", algorithm={algorithm}"
        )
    }

    /// The line of a users file that lets this user in.
    pub fn line(&self, realm: &str) -> String {
        let Self {
            user,
            password,
            algorithm,
        } = self;
        let first = hash(algorithm, &format!("{user}:{realm}:{password}"));
        format!("{user}:{realm}:{algorithm}:{first}\n")
    }
}

impl MsrpPeer {
    /// Queues an AUTH with these header fields; gives its transaction id.
    pub fn send_auth(&self, to_path: &str, fields: &[(&str, &str)]) -> String {
        let mut frame = Frame::request("AUTH", &fresh("a"), to_path, self.uri());
        for (name, value) in fields {
            frame = frame.with(name, value);
        }
        self.write(&frame);
        frame.tid
    }

    /// Sends an AUTH, answers the challenge, and gives the response to that.
    pub async fn auth(&self, to_path: &str, login: &Login<'_>, fields: &[(&str, &str)]) -> Frame {
        let tid = self.send_auth(to_path, fields);
        let challenge = Challenge::of(&self.expect_status(&tid, 401).await, login.algorithm);
        let uri = to_path.rsplit(' ').next().unwrap_or_default();
        let authorization = login.answer(&challenge, 1, uri);
        let mut fields = fields.to_vec();
        fields.push(("Authorization", &authorization));
        self.expect_response(&self.send_auth(to_path, &fields))
            .await
    }

    /// Authenticates and gives the Use-Path.
    ///
    /// # Panics
    /// When the relay refuses.
    pub async fn use_path(&self, to_path: &str, login: &Login<'_>) -> String {
        let answer = self.auth(to_path, login, &[]).await;
        assert_eq!(answer.status(), Some(200), "{}", self.transcript());
        let path = answer.header("Use-Path").expect("a Use-Path");
        path.to_owned()
    }
}

fn hash(algorithm: &str, text: &str) -> String {
    match algorithm {
        "MD5" => hexadecimal(&Md5::digest(text)),
        "SHA-256" => hexadecimal(&Sha256::digest(text)),
        _ => panic!("{algorithm} is no algorithm of a relay"),
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// A parameter of a challenge, without its quotation marks.
fn parameter(value: &str, name: &str) -> Option<String> {
    let value = value.strip_prefix("Digest ")?;
    let mut pairs = value.split(", ").filter_map(|pair| pair.split_once('='));
    let (_, found) = pairs.find(|(n, _)| *n == name)?;
    Some(found.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standards() {
        assert_eq!(hash("MD5", ""), "d41d8cd98f00b204e9800998ecf8427e");
        assert!(hash("SHA-256", "").starts_with("e3b0c44298fc1c14"));
    }

    #[test]
    fn challenge_is_read_with_its_parameters() {
        let value = "Digest realm=\"r\", qop=\"auth\", nonce=\"n\", algorithm=MD5, stale=true";
        let frame = Frame::response(
            401,
            "Unauthorized",
            "t1234",
            "msrp://a/b;tcp",
            "msrp://c;tcp",
        )
        .with("WWW-Authenticate", value);
        let challenge = Challenge::of(&frame, "MD5");
        assert_eq!(
            (challenge.realm.as_str(), challenge.nonce.as_str()),
            ("r", "n")
        );
        assert!(challenge.is_stale);
    }
}
