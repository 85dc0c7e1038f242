//! Who sends an AUTH: challenges, and what credentials are worth.

use std::net::IpAddr;

use msrp_session::{IdSource, Timestamp};
use msrp_wire::StatusCode;

use crate::credentials::{Credentials, NotCredentials};
use crate::digest::{Algorithm, Ha1, Proof};
use crate::limits::{FAILURE_SOURCES_MAX, FAILURES_PER_SOURCE_MAX, FAILURES_WINDOW_NS};
use crate::nonce::{Failures, Nonces, Standing};
use crate::users::Users;

/// Checks the credentials of one realm.
///
/// # Spec
/// RFC 4976 s.6.3, s.9.1; RFC 7616.
#[derive(Debug)]
pub struct Authenticator<U> {
    users: U,
    realm: Box<str>,
    nonces: Nonces,
    failures: Failures<IpAddr>,
    ids: IdSource,
}

/// What an AUTH is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A user who may relay. Holds the value of Authentication-Info for the 200.
    Admitted(String),
    /// 401 with these values of WWW-Authenticate, the better one first.
    Challenge {
        /// One value for each algorithm.
        values: [String; 2],
        /// Whether wrong credentials were shown, which counts against who shows them.
        is_failure: bool,
    },
    /// An answer of this status, without a challenge.
    Refused(StatusCode),
}

impl<U: Users> Authenticator<U> {
    /// An authenticator with its seed: 32 octets that nobody else knows.
    #[must_use]
    pub fn new(users: U, realm: &str, seed: [u8; 32]) -> Self {
        let mut ids = IdSource::from_seed(seed);
        let mut key = [0; 32];
        let (low, high) = key.split_at_mut(16);
        low.copy_from_slice(&ids.bits().to_be_bytes());
        high.copy_from_slice(&ids.bits().to_be_bytes());
        Self {
            users,
            realm: realm.into(),
            nonces: Nonces::new(key, realm),
            failures: Failures::new(),
            ids,
        }
    }

    /// Looks at the Authorization value of an AUTH; `uri` is the rightmost URI of its To-Path.
    ///
    /// Two hashes when there is something to check, none otherwise. Credentials that are right but use an old nonce, or a
    /// count that was used, are challenged again with `stale=true` and count as no failure.
    pub fn check(
        &mut self,
        now: Timestamp,
        source: IpAddr,
        authorization: Option<&[u8]>,
        uri: &str,
    ) -> Verdict {
        let Some(value) = authorization else {
            return self.challenge(now, false, false);
        };
        if self.failures.count(now, source, FAILURES_WINDOW_NS) >= FAILURES_PER_SOURCE_MAX {
            return Verdict::Refused(StatusCode::FORBIDDEN);
        }
        match Credentials::parse(value) {
            Ok(credentials) => self.weigh(now, source, &credentials, uri),
            Err(NotCredentials::NotOffered) => self.challenge(now, false, true),
            Err(NotCredentials::Malformed) => Verdict::Refused(StatusCode::BAD_REQUEST),
        }
    }

    fn weigh(
        &mut self,
        now: Timestamp,
        source: IpAddr,
        credentials: &Credentials<'_>,
        uri: &str,
    ) -> Verdict {
        let algorithm = credentials.algorithm;
        let proof = Proof {
            nonce: &credentials.nonce,
            nc: &credentials.nc,
            cnonce: &credentials.cnonce,
            uri,
        };
        let known = self
            .users
            .ha1(&self.realm, &credentials.username, algorithm);
        // A user who does not exist costs the same time as one who does.
        let ha1 = known
            .clone()
            .unwrap_or_else(|| Ha1::of_password(algorithm, "", &self.realm, ""));
        let is_right = ha1.verifies(algorithm, &proof, &credentials.response)
            && known.is_some()
            && credentials.realm == *self.realm;
        let standing = self.nonces.check(now, &credentials.nonce);
        let nonce = match (is_right, standing) {
            (true, Standing::Fresh(nonce)) => nonce,
            (true, Standing::Stale) => return self.challenge(now, true, false),
            (false, _) | (true, Standing::Foreign) => {
                self.failures.add(now, source, FAILURE_SOURCES_MAX);
                return self.challenge(now, false, true);
            }
        };
        if !self.nonces.use_count(now, nonce, credentials.nonce_count) {
            return self.challenge(now, true, false);
        }
        if !self.users.may_relay(&self.realm, &credentials.username) {
            return Verdict::Refused(StatusCode::FORBIDDEN);
        }
        let rspauth = ha1.rspauth(algorithm, &proof);
        Verdict::Admitted(self.info(now, credentials, &rspauth))
    }

    /// Makes a challenge for each algorithm.
    fn challenge(&mut self, now: Timestamp, is_stale: bool, is_failure: bool) -> Verdict {
        let nonce = self.nonce(now);
        let realm = &self.realm;
        let stale = if is_stale { ", stale=true" } else { "" };
        let values = Algorithm::OFFERED.map(|algorithm| {
            format!(
                "Digest realm={}, qop=\"auth\", nonce=\"{nonce}\", algorithm={}{stale}",
                quoted(realm),
                algorithm.as_str(),
            )
        });
        Verdict::Challenge { values, is_failure }
    }

    fn info(&mut self, now: Timestamp, credentials: &Credentials<'_>, rspauth: &str) -> String {
        format!(
            "nextnonce=\"{}\", rspauth=\"{rspauth}\", cnonce={}, nc={}, qop=auth",
            self.nonce(now),
            quoted(&credentials.cnonce),
            credentials.nc,
        )
    }

    fn nonce(&mut self, now: Timestamp) -> String {
        let low = self.ids.bits() & u128::from(u64::MAX);
        self.nonces.make(now, u64::try_from(low).unwrap_or(0))
    }
}

/// A quoted string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::NONCE_NS;
    use crate::users::UserList;

    const URI: &str = "msrps://r:2855;tcp";

    fn authenticator() -> Authenticator<UserList> {
        let lines: Vec<String> = Algorithm::OFFERED
            .iter()
            .map(|algorithm| {
                let hash = match algorithm {
                    Algorithm::Md5 => "d5d0d9f05b8f1f3a0c7f6a1a9a1b2c3d".to_owned(),
                    Algorithm::Sha256 => "ab".repeat(32),
                };
                format!("alice:r:{}:{hash}", algorithm.as_str())
            })
            .collect();
        Authenticator::new(UserList::parse(&lines.join("\n")).unwrap(), "r", [1; 32])
    }

    fn source() -> IpAddr {
        "192.0.2.7".parse().unwrap()
    }

    fn nonce_of(verdict: &Verdict) -> String {
        let Verdict::Challenge { values, .. } = verdict else {
            panic!("{verdict:?}");
        };
        values[0].split("nonce=\"").nth(1).unwrap()[..64].to_owned()
    }

    fn authorization(nonce: &str, algorithm: Algorithm, nc: &str, uri: &str) -> String {
        let digits = match algorithm {
            Algorithm::Md5 => "d5d0d9f05b8f1f3a0c7f6a1a9a1b2c3d".to_owned(),
            Algorithm::Sha256 => "ab".repeat(32),
        };
        let ha1 = Ha1::parse(algorithm, &digits).unwrap();
        let proof = Proof {
            nonce,
            nc,
            cnonce: "c",
            uri,
        };
        format!(
            "Digest username=\"alice\", realm=\"r\", nonce=\"{nonce}\", qop=auth, nc={nc}, cnonce=\"c\", \
             response=\"{}\", algorithm={}",
            ha1.response(algorithm, &proof),
            algorithm.as_str(),
        )
    }

    // covers: MSRP-4976-5.1-04, MSRP-4976-9.1-02, MSRP-4976-9.1-03, MSRP-4976-9.1-04, MSRP-4976-9.1-05, MSRP-4976-9.1-06
    #[test]
    fn auth_without_credentials_is_challenged_with_both_algorithms() {
        let verdict = authenticator().check(Timestamp::from_ns(1), source(), None, URI);
        let nonce = nonce_of(&verdict);
        let expected = ["SHA-256", "MD5"]
            .map(|a| format!("Digest realm=\"r\", qop=\"auth\", nonce=\"{nonce}\", algorithm={a}"));
        assert_eq!(
            verdict,
            Verdict::Challenge {
                values: expected,
                is_failure: false
            }
        );
    }

    // covers: MSRP-4976-9.1-01, MSRP-4976-9.1-08, MSRP-4976-9.1-09, MSRP-4976-9.1-10
    #[test]
    fn auth_with_right_credentials_is_admitted_and_the_relay_proves_itself() {
        for algorithm in Algorithm::OFFERED {
            let mut relay = authenticator();
            let now = Timestamp::from_ns(1);
            let nonce = nonce_of(&relay.check(now, source(), None, URI));
            let value = authorization(&nonce, algorithm, "00000001", URI);
            let verdict = relay.check(now, source(), Some(value.as_bytes()), URI);
            let Verdict::Admitted(info) = verdict else {
                panic!("{verdict:?}");
            };
            assert!(info.starts_with("nextnonce=\""), "{info}");
            assert!(info.contains(", rspauth=\""), "{info}");
            assert!(
                info.ends_with(", cnonce=\"c\", nc=00000001, qop=auth"),
                "{info}"
            );
            let next = info[11..75].to_owned();
            let value = authorization(&next, algorithm, "00000001", URI);
            let verdict = relay.check(now, source(), Some(value.as_bytes()), URI);
            assert!(matches!(verdict, Verdict::Admitted(_)));
            let value = authorization(&next, algorithm, "00000002", "msrps://other:1;tcp");
            let verdict = relay.check(now, source(), Some(value.as_bytes()), URI);
            assert!(matches!(
                verdict,
                Verdict::Challenge {
                    is_failure: true,
                    ..
                }
            ));
        }
    }

    #[test]
    fn auth_played_back_or_too_late_is_challenged_as_stale() {
        let mut relay = authenticator();
        let now = Timestamp::from_ns(1);
        let nonce = nonce_of(&relay.check(now, source(), None, URI));
        let value = authorization(&nonce, Algorithm::Sha256, "00000001", URI);
        let first = relay.check(now, source(), Some(value.as_bytes()), URI);
        assert!(matches!(first, Verdict::Admitted(_)));
        let late = authorization(&nonce, Algorithm::Sha256, "00000002", URI);
        let later = now.after(NONCE_NS + 1);
        for (now, value) in [(now, value), (later, late)] {
            let verdict = relay.check(now, source(), Some(value.as_bytes()), URI);
            let Verdict::Challenge { values, is_failure } = verdict else {
                panic!("{verdict:?}");
            };
            assert!(values[0].ends_with(", stale=true"));
            assert!(!is_failure);
        }
    }

    // covers: MSRP-4976-6.3-03
    #[test]
    fn auth_guessed_too_often_from_one_source_is_refused_unread() {
        let mut relay = authenticator();
        let now = Timestamp::from_ns(1);
        let nonce = nonce_of(&relay.check(now, source(), None, URI));
        let right = authorization(&nonce, Algorithm::Sha256, "00000001", URI);
        let wrong = right.replace("alice", "bob");
        for _ in 0..FAILURES_PER_SOURCE_MAX {
            let verdict = relay.check(now, source(), Some(wrong.as_bytes()), URI);
            let Verdict::Challenge { is_failure, .. } = verdict else {
                panic!("{verdict:?}");
            };
            assert!(is_failure);
        }
        let refused = Verdict::Refused(StatusCode::FORBIDDEN);
        let verdict = relay.check(now, source(), Some(right.as_bytes()), URI);
        assert_eq!(verdict, refused);
        let other = "192.0.2.8".parse().unwrap();
        let verdict = relay.check(now, other, Some(right.as_bytes()), URI);
        assert!(matches!(verdict, Verdict::Admitted(_)));
        let later = now.after(FAILURES_WINDOW_NS);
        let right = authorization(&nonce, Algorithm::Sha256, "00000002", URI);
        let verdict = relay.check(later, source(), Some(right.as_bytes()), URI);
        assert!(matches!(verdict, Verdict::Admitted(_)));
    }
}
