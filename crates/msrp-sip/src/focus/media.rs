//! Session descriptions as far as the focus looks into them: may this be served, what is repeated
//! to others, did anything change.
//!
//! # Spec
//! AMB-23, AMB-71; RFC 4975 s.8.

use msrp_control::{LocalMedia, Media};
use msrp_sdp::{Description, Direction, MediaTransport, MessageMedia, Protocol};

use crate::focus::participant::Terms;
use crate::focus::policy::Policy;
use crate::focus::refusal::Refusal;
use crate::ua::Body;

/// A description that was read.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    /// Its text.
    pub(crate) sdp: String,
    /// Its message section.
    pub(crate) media: MessageMedia,
}

impl Remote {
    /// Reads an offer or an answer and checks that the switch can serve it. Whether a listener has the
    /// transport that it asks for, the engine says.
    ///
    /// # Errors
    /// [`Refusal::MalformedBody`] -> 400, [`Refusal::NotAcceptable`] -> 488. The peer's fault.
    pub(crate) fn read(octets: &[u8]) -> Result<Self, Refusal> {
        let remote = Self::read_any(octets)?;
        remote.check_wrapper()?;
        Ok(remote)
    }

    /// As [`Remote::read`] for a session in which content may come without a wrapper.
    ///
    /// # Errors
    /// As [`Remote::read`].
    pub(crate) fn read_any(octets: &[u8]) -> Result<Self, Refusal> {
        let sdp = std::str::from_utf8(octets)
            .map_err(|_| Refusal::MalformedBody("The session description is not UTF-8".into()))?;
        let media = Description::parse(sdp)
            .and_then(|d| d.message_media())
            .map_err(|error| {
                if error.is_malformed() {
                    Refusal::MalformedBody(error.to_string())
                } else {
                    Refusal::NotAcceptable(error.to_string())
                }
            })?;
        Ok(Self {
            sdp: sdp.to_owned(),
            media,
        })
    }

    /// Whether it is about a file.
    ///
    /// # Spec
    /// RFC 5547 s.6.
    pub(crate) fn is_of_file(&self) -> bool {
        let mut names = self.media.attributes.iter().map(|(name, _)| name);
        names.any(|name| name.eq_ignore_ascii_case("file-selector"))
    }

    /// Checks that it takes messages in a wrapper.
    ///
    /// # Errors
    /// [`Refusal::NotAcceptable`] -> 488. The peer's fault.
    pub(crate) fn check_wrapper(&self) -> Result<(), Refusal> {
        if self.takes_wrapped() {
            return Ok(());
        }
        Err(Refusal::NotAcceptable(
            "The accept-types attribute lacks message/cpim.".into(),
        ))
    }

    /// Whether it takes messages in a wrapper.
    pub(crate) fn takes_wrapped(&self) -> bool {
        self.media.accepts(CPIM)
    }

    /// Checks that a listener serves what it asks for.
    ///
    /// # Errors
    /// [`Refusal::NotAcceptable`] -> 488. The peer's fault.
    pub(crate) fn served_by(self, policy: &Policy) -> Result<Self, Refusal> {
        let wanted = MediaTransport::of(&self.media);
        if policy.media_transports.contains(&wanted) {
            return Ok(self);
        }
        Err(Refusal::NotAcceptable(format!(
            "The message media is reached over {wanted} and this server does not serve that."
        )))
    }

    /// Whether the session that both describe is the same. The role in connecting may differ: it
    /// means nothing once the session runs.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let (a, b) = (&self.media, &other.media);
        a.path == b.path
            && a.protocol == b.protocol
            && a.port == b.port
            && a.connection == b.connection
            && a.direction == b.direction
            && a.max_size == b.max_size
            && a.accept_types == b.accept_types
            && a.accept_wrapped_types == b.accept_wrapped_types
            && a.chatroom == b.chatroom
    }

    /// What our offer to invitees says: the caller's types, size and descriptive lines.
    pub(crate) fn for_invitees(&self) -> LocalMedia {
        let others: Vec<String> = without_cpim(&self.media.accept_types);
        LocalMedia {
            listener: None,
            accept_types: Some(with_cpim(&others)),
            accept_wrapped_types: wrapped(&self.media.accept_wrapped_types, &others),
            max_size: self.media.max_size,
            attributes: self.media.copyable_attributes(),
        }
    }

    /// What our answer to this offer says. `accepted` are the types of the invitee that accepted
    /// first; without one, the switch speaks for itself.
    pub(crate) fn for_answer(&self, accepted: Option<&[String]>) -> LocalMedia {
        let others = accepted
            .map(|types| common(&self.media.accept_types, types))
            .unwrap_or_default();
        LocalMedia {
            listener: None,
            accept_types: Some(with_cpim(&others)),
            accept_wrapped_types: wrapped(&self.media.accept_wrapped_types, &others),
            max_size: None,
            attributes: self
                .media
                .copyable_attributes()
                .into_iter()
                .map(|(name, value)| (reversed(name), value))
                .collect(),
        }
    }
}

/// A body that says what is supported.
///
/// # Spec
/// AMB-71; RFC 3261 s.21.4.26.
pub(crate) fn supported(policy: &Policy) -> Body {
    let host = policy.domain.as_str();
    let size = policy
        .message_octets_max
        .map(|n| format!("a=max-size:{n}\r\n"))
        .unwrap_or_default();
    let is_secure = policy
        .media_transports
        .first()
        .is_some_and(|t| t.is_secure());
    let protocol = if is_secure {
        Protocol::TcpTlsMsrp
    } else {
        Protocol::TcpMsrp
    };
    let text = format!(
        "v=0\r\no=- 0 0 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=message 0 {protocol} *\r\n\
         a=accept-types:{CPIM}\r\na=accept-wrapped-types:*\r\n{size}"
    );
    Body {
        content_type: SDP.into(),
        octets: text.into_bytes(),
    }
}

/// What the engine is asked when a participant offers anew, or wants our offer. Our side names only
/// what the offer names, within what it could name from the start.
///
/// # Spec
/// CTRL-7.2.1.6-03.
pub(crate) fn offer_again(offer: Option<&Remote>, terms: &Terms) -> (Media, LocalMedia) {
    match offer {
        Some(offer) => {
            let local = LocalMedia {
                max_size: terms.max_size,
                ..offer.for_answer(terms.types.as_deref())
            };
            (Media::Offer(offer.sdp.clone()), local)
        }
        None => {
            let others = without_cpim(terms.types.as_deref().unwrap_or_default());
            let local = LocalMedia {
                accept_types: Some(with_cpim(&others)),
                max_size: terms.max_size,
                ..LocalMedia::default()
            };
            (Media::MakeOffer, local)
        }
    }
}

/// A body that holds a description.
pub(crate) fn sdp_body(sdp: &str) -> Body {
    Body {
        content_type: SDP.into(),
        octets: sdp.as_bytes().to_vec(),
    }
}

fn reversed(name: String) -> String {
    match Direction::from_name(&name) {
        Some(direction) => direction.reverse().name().to_owned(),
        None => name,
    }
}

fn is_cpim(media_type: &str) -> bool {
    media_type.eq_ignore_ascii_case(CPIM)
}

fn without_cpim(types: &[String]) -> Vec<String> {
    types.iter().filter(|t| !is_cpim(t)).cloned().collect()
}

fn with_cpim(others: &[String]) -> Vec<String> {
    std::iter::once(CPIM.to_owned())
        .chain(others.iter().cloned())
        .collect()
}

/// Types in both lists without message/cpim, in the order of the first; `*` stands for everything.
fn common(a: &[String], b: &[String]) -> Vec<String> {
    let has_star = |list: &[String]| list.iter().any(|t| t == "*");
    let in_b = |t: &String| b.iter().any(|o| o.eq_ignore_ascii_case(t));
    let mut both: Vec<String> = without_cpim(a)
        .into_iter()
        .filter(|t| has_star(b) || in_b(t))
        .collect();
    if has_star(a) {
        both.extend(
            without_cpim(b)
                .into_iter()
                .filter(|t| !a.iter().any(|o| o.eq_ignore_ascii_case(t))),
        );
    }
    both
}

/// Types inside the wrapper: what the peer named and the other types, so that clients of both
/// readings are served. `None` means everything.
fn wrapped(named: &[String], others: &[String]) -> Option<Vec<String>> {
    if named.is_empty() || named.iter().chain(others).any(|t| t == "*") {
        return None;
    }
    let mut all = named.to_vec();
    all.extend(
        others
            .iter()
            .filter(|t| !named.iter().any(|n| n.eq_ignore_ascii_case(t)))
            .cloned(),
    );
    Some(all)
}

/// The media type of session descriptions.
pub(crate) const SDP: &str = "application/sdp";
const CPIM: &str = "message/cpim";

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn common_types_respect_stars_and_drop_the_wrapper() {
        let cases: [(&[&str], &[&str], &[&str]); 5] = [
            (
                &["message/cpim", "text/plain"],
                &["message/cpim", "TEXT/plain", "a/b"],
                &["text/plain"],
            ),
            (&["message/cpim", "text/plain"], &["message/cpim"], &[]),
            (&["*"], &["message/cpim", "text/plain"], &["text/plain"]),
            (&["message/cpim", "text/plain"], &["*"], &["text/plain"]),
            (&["message/cpim", "*"], &["*"], &["*"]),
        ];
        for (a, b, expected) in cases {
            assert_eq!(
                common(&strings(a), &strings(b)),
                strings(expected),
                "{a:?} {b:?}"
            );
        }
    }

    #[test]
    fn wrapped_types_hold_the_other_types() {
        assert_eq!(
            wrapped(&strings(&["text/plain"]), &strings(&["a/b", "TEXT/PLAIN"])),
            Some(strings(&["text/plain", "a/b"]))
        );
        assert_eq!(wrapped(&[], &strings(&["a/b"])), None);
        assert_eq!(wrapped(&strings(&["*"]), &[]), None);
    }
}
