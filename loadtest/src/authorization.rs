//! Getting a URI from a relay by AUTH with Digest, and keeping it.
//!
//! ```text
//!   request --401--> challenged --request with credentials--> 200 with Use-Path and Expires
//!      \                  \--401, not stale--> refused             |
//!       \--anything else--> refused                                '--before Expires--> request with credentials
//! ```
//!
//! One request at a time: AUTH is not pipelined. The nonce of a success is used again, with a higher count, or exchanged
//! for the one that Authentication-Info names.
//!
//! # Spec
//! RFC 4976 s.5.1, s.9.1.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use digest_auth::{AlgorithmType, AuthContext, HttpMethod, Qop, WwwAuthenticateHeader};
use msrp_wire::encode;
use msrp_wire::{
    ContinuationFlag, Method, MsrpPathBuf, MsrpUriBuf, ResponseHead, StatusCode, TransactionId,
};

/// Who may use a relay.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayUser {
    /// The name.
    pub name: String,
    /// The password. Never shown.
    pub password: String,
}

impl fmt::Debug for RelayUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayUser")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// One client of one relay.
#[derive(Debug)]
pub struct Authorization {
    user: Arc<RelayUser>,
    relay: MsrpUriBuf,
    local: MsrpUriBuf,
    prompt: Option<WwwAuthenticateHeader>,
    pending: Option<TransactionId>,
    /// Whether the pending request carries credentials, and how often such a one was refused.
    refusals: u32,
    has_credentials: bool,
}

/// What a response to AUTH means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Ask again: there is a challenge to answer.
    Challenged,
    /// The relay gave a URI.
    Granted(Grant),
    /// The relay does not want us: why.
    Refused(String),
}

/// What a relay gives.
#[derive(Clone)]
pub struct Grant {
    /// Use-Path: the URIs in the order in which the client puts them into To-Path.
    pub use_path: MsrpPathBuf,
    /// How long it is valid. `None` when the relay does not say.
    pub expires: Option<Duration>,
}

impl PartialEq for Grant {
    fn eq(&self, other: &Self) -> bool {
        self.use_path.raw() == other.use_path.raw() && self.expires == other.expires
    }
}

impl Eq for Grant {}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = String::from_utf8_lossy(self.use_path.raw());
        write!(f, "Grant({path}, {:?})", self.expires)
    }
}

impl Authorization {
    /// A client that has not asked. `relay` is the relay's URI, `local` the client's own.
    #[must_use]
    pub fn new(user: Arc<RelayUser>, relay: MsrpUriBuf, local: MsrpUriBuf) -> Self {
        Self {
            user,
            relay,
            local,
            prompt: None,
            pending: None,
            refusals: 0,
            has_credentials: false,
        }
    }

    /// Whether a response with this id is one to our request.
    #[must_use]
    pub fn awaits(&self, tid: TransactionId) -> bool {
        self.pending == Some(tid)
    }

    /// Writes the next AUTH, with credentials when a challenge is known.
    ///
    /// # Errors
    /// A sentence: the challenge cannot be answered.
    pub fn request(&mut self, out: &mut Vec<u8>, tid: TransactionId) -> Result<(), String> {
        let credentials = match &mut self.prompt {
            Some(prompt) => Some(credentials(prompt, &self.user, self.relay.as_str())?),
            None => None,
        };
        encode::start_line(out, tid, &Method::Auth);
        encode::paths(out, &self.relay, &self.local);
        self.has_credentials = credentials.is_some();
        if let Some(credentials) = credentials {
            out.extend_from_slice(b"Authorization: ");
            out.extend_from_slice(credentials.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        encode::end_line(out, tid, ContinuationFlag::Last);
        self.pending = Some(tid);
        Ok(())
    }

    /// Takes the response to the pending request.
    pub fn handle_response(&mut self, head: &ResponseHead<'_>) -> Verdict {
        self.pending = None;
        if head.status.is_success() {
            self.refusals = 0;
            return self.on_granted(head);
        }
        if head.status.value() != UNAUTHORIZED {
            return Verdict::Refused(refusal(head.status, "", head.comment));
        }
        let Some(prompt) = strongest_challenge(head) else {
            let why = "without a Digest challenge with qop=auth that can be answered";
            return Verdict::Refused(refusal(head.status, why, head.comment));
        };
        if self.has_credentials {
            self.refusals += 1;
            // A nonce that the relay has forgotten may be exchanged once, whether or not it says that it is stale.
            if self.refusals > STALE_MAX || (self.refusals > 1 && !prompt.stale) {
                let why = format!(
                    "for the credentials of {}; check the name and the password in the file of --relay-users",
                    self.user.name
                );
                return Verdict::Refused(refusal(head.status, &why, head.comment));
            }
        }
        self.prompt = Some(prompt);
        Verdict::Challenged
    }

    fn on_granted(&mut self, head: &ResponseHead<'_>) -> Verdict {
        let next = head.headers().value("Authentication-Info");
        let next = next.and_then(|value| parameter(value, "nextnonce"));
        if let Some((prompt, nonce)) = self.prompt.as_mut().zip(next) {
            prompt.nonce = nonce;
            prompt.nc = 0;
        }
        let use_path = head.headers().value("Use-Path").map(MsrpPathBuf::parse);
        let Some(Ok(use_path)) = use_path else {
            return Verdict::Refused("200 to AUTH without a legal Use-Path".to_owned());
        };
        let expires = head.headers().value("Expires");
        let expires =
            expires.and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
        Verdict::Granted(Grant {
            use_path,
            expires: expires.map(Duration::from_secs),
        })
    }
}

/// The challenge with the strongest algorithm among those that can be answered: with qop=auth, which credentials must
/// name, and without sessions of nonces, which MSRP does not have.
///
/// # Spec
/// RFC 4976 s.9.1.
fn strongest_challenge(head: &ResponseHead<'_>) -> Option<WwwAuthenticateHeader> {
    let lines = head.headers();
    let lines = lines.filter(|line| line.name.eq_ignore_ascii_case(b"WWW-Authenticate"));
    let challenges = lines.filter_map(|line| {
        let text = std::str::from_utf8(line.value).ok()?;
        WwwAuthenticateHeader::parse(text).ok()
    });
    let usable = challenges.filter(|challenge| {
        let qop = challenge.qop.as_ref();
        !challenge.algorithm.sess && qop.is_some_and(|qop| qop.contains(&Qop::AUTH))
    });
    usable.max_by_key(|challenge| match challenge.algorithm.algo {
        AlgorithmType::MD5 => 0,
        AlgorithmType::SHA2_512_256 => 1,
        AlgorithmType::SHA2_256 => 2,
    })
}

fn credentials(
    prompt: &mut WwwAuthenticateHeader,
    user: &RelayUser,
    uri: &str,
) -> Result<String, String> {
    let (name, password) = (user.name.as_str(), user.password.as_str());
    let method = HttpMethod::from("AUTH");
    let context = AuthContext::new_with_method(name, password, uri, None::<&[u8]>, method);
    let answer = prompt.respond(&context).map_err(|e| e.to_string())?;
    Ok(answer.to_header_string())
}

/// The value of a parameter with quotes around it.
fn parameter(value: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parameters = text.split(',').map(str::trim);
    let found = parameters.find_map(|p| p.strip_prefix(name)?.trim_start().strip_prefix('='));
    Some(found?.trim().trim_matches('"').to_owned())
}

fn refusal(status: StatusCode, why: &str, comment: Option<&[u8]>) -> String {
    let comment = String::from_utf8_lossy(comment.unwrap_or_default());
    let blank = if why.is_empty() { "" } else { " " };
    format!(
        "the relay answered AUTH with {}{blank}{why}: {comment}",
        status.value()
    )
}

const UNAUTHORIZED: u16 = 401;
/// Credentials that are refused one after the other, with nonces that are said to be stale, before it is given up.
const STALE_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use msrp_wire::{Decoder, Event, Limits};

    use super::*;

    fn client() -> Authorization {
        let user = RelayUser {
            name: "Mufasa".to_owned(),
            password: "Circle of Life".to_owned(),
        };
        let relay = MsrpUriBuf::parse("msrp://relay.example.com:2855;tcp").unwrap();
        let local = MsrpUriBuf::parse("msrp://a.example.com:9/abcd;tcp").unwrap();
        Authorization::new(Arc::new(user), relay, local)
    }

    fn ask(client: &mut Authorization, number: u128) -> String {
        let (mut out, tid) = (Vec::new(), TransactionId::from_random(number));
        client.request(&mut out, tid).unwrap();
        assert!(client.awaits(tid));
        String::from_utf8(out).unwrap()
    }

    fn answer(client: &mut Authorization, status: &str, headers: &str) -> Verdict {
        let text = format!(
            "MSRP abcd1234 {status}\r\nTo-Path: msrp://a.example.com:9/abcd;tcp\r\n\
             From-Path: msrp://relay.example.com:2855;tcp\r\n{headers}-------abcd1234$\r\n"
        );
        let mut decoder = Decoder::new(Limits::default());
        let step = decoder.decode(text.as_bytes()).unwrap();
        let Some(Event::Response(head)) = step.event else {
            panic!("{text}");
        };
        client.handle_response(&head)
    }

    const MD5: &str = "WWW-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"n1\"\r\n";
    const SHA: &str =
        "WWW-Authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"n2\", algorithm=SHA-256\r\n";

    #[test]
    fn first_request_has_no_credentials_and_the_second_answers_the_challenge() {
        let mut client = client();
        let first = ask(&mut client, 1);
        assert!(!first.contains("Authorization"), "{first}");
        assert_eq!(
            answer(&mut client, "401 Unauthorized", MD5),
            Verdict::Challenged
        );
        let second = ask(&mut client, 2);
        for part in [
            "Authorization: Digest username=\"Mufasa\"",
            "nonce=\"n1\"",
            "uri=\"msrp://relay.example.com:2855;tcp\"",
            "qop=auth",
            "nc=00000001",
            "cnonce=",
        ] {
            assert!(second.contains(part), "{part} in {second}");
        }
    }

    #[test]
    fn stronger_challenge_is_answered_whatever_its_place() {
        for both in [[MD5, SHA].concat(), [SHA, MD5].concat()] {
            let mut client = client();
            ask(&mut client, 1);
            answer(&mut client, "401 Unauthorized", &both);
            let request = ask(&mut client, 2);
            assert!(request.contains("algorithm=SHA-256"), "{request}");
            assert!(request.contains("nonce=\"n2\""), "{request}");
        }
    }

    #[test]
    fn grant_has_the_path_the_time_and_the_next_nonce() {
        let mut client = client();
        ask(&mut client, 1);
        answer(&mut client, "401 Unauthorized", MD5);
        ask(&mut client, 2);
        let headers = "Use-Path: msrp://relay.example.com:2855/tok;tcp\r\nExpires: 900\r\n\
                       Authentication-Info: nextnonce=\"n9\", qop=auth\r\n";
        let Verdict::Granted(grant) = answer(&mut client, "200 OK", headers) else {
            panic!("a 200 with Use-Path grants");
        };
        assert_eq!(
            grant.use_path.raw(),
            b"msrp://relay.example.com:2855/tok;tcp"
        );
        assert_eq!(grant.expires, Some(Duration::from_secs(900)));
        let refresh = ask(&mut client, 3);
        assert!(refresh.contains("nonce=\"n9\""), "{refresh}");
        assert!(refresh.contains("nc=00000001"), "{refresh}");
    }

    #[test]
    fn refresh_without_a_next_nonce_counts_up() {
        let mut client = client();
        ask(&mut client, 1);
        answer(&mut client, "401 Unauthorized", MD5);
        ask(&mut client, 2);
        answer(
            &mut client,
            "200 OK",
            "Use-Path: msrp://r.example.com:1/t;tcp\r\n",
        );
        let refresh = ask(&mut client, 3);
        assert!(refresh.contains("nonce=\"n1\", uri") || refresh.contains("nonce=\"n1\""));
        assert!(refresh.contains("nc=00000002"), "{refresh}");
    }

    #[test]
    fn stale_nonce_is_exchanged_and_wrong_credentials_end() {
        let stale = MD5.replace("nonce", "stale=true, nonce");
        let mut client = client();
        ask(&mut client, 1);
        answer(&mut client, "401 Unauthorized", MD5);
        for _ in 0..STALE_MAX {
            ask(&mut client, 2);
            assert_eq!(
                answer(&mut client, "401 Unauthorized", &stale),
                Verdict::Challenged
            );
        }
        ask(&mut client, 3);
        let last = answer(&mut client, "401 Unauthorized", &stale);
        assert!(matches!(last, Verdict::Refused(_)), "{last:?}");
        let mut client = self::client();
        ask(&mut client, 1);
        answer(&mut client, "401 Unauthorized", MD5);
        ask(&mut client, 2);
        answer(&mut client, "401 Unauthorized", MD5);
        ask(&mut client, 3);
        let last = answer(&mut client, "401 Unauthorized", MD5);
        assert!(
            matches!(&last, Verdict::Refused(why) if why.contains("Mufasa")),
            "{last:?}"
        );
    }

    #[test]
    fn answer_that_cannot_be_used_is_a_refusal() {
        let session = MD5.replace("nonce", "algorithm=MD5-sess, nonce");
        let integrity = MD5.replace("\"auth\"", "\"auth-int\"");
        for (status, headers) in [
            ("403 Forbidden", ""),
            ("401 Unauthorized", ""),
            (
                "401 Unauthorized",
                "WWW-Authenticate: Basic realm=\"r\"\r\n",
            ),
            ("401 Unauthorized", session.as_str()),
            ("401 Unauthorized", integrity.as_str()),
            ("200 OK", ""),
            ("200 OK", "Use-Path: nonsense\r\n"),
        ] {
            let mut client = client();
            ask(&mut client, 1);
            let verdict = answer(&mut client, status, headers);
            assert!(
                matches!(verdict, Verdict::Refused(_)),
                "{status} {headers} {verdict:?}"
            );
        }
    }

    #[test]
    fn password_does_not_show_in_what_is_logged() {
        let shown = format!("{:?}", client());
        assert!(
            shown.contains("Mufasa") && !shown.contains("Circle"),
            "{shown}"
        );
    }
}
