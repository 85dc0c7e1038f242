//! Session descriptions as far as the focus looks into them: may this be served, what is repeated
//! to others, did anything change.
//!
//! # Spec
//! AMB-23, AMB-71; RFC 4975 s.8.

use msrp_control::{LocalMedia, Media};
use msrp_sdp::{
    ClosedSection, Description, Direction, MediaTransport, MessageMedia, Protocol, SdpError,
};

use crate::focus::policy::Policy;
use crate::focus::refusal::Refusal;
use crate::focus::slots::Terms;
use crate::ua::Body;

/// A description that was read.
#[derive(Debug, Clone)]
pub(crate) struct PeerDescription {
    sections: Vec<Section>,
    /// Why nothing in it can be served.
    unusable: Option<Refusal>,
}

#[derive(Debug, Clone)]
struct Section {
    /// What stays of it when its port is 0.
    closed: ClosedSection,
    /// Whether its port is 0.
    is_closed: bool,
    /// The MSRP session in it, when there is one that can be served.
    session: Option<Remote>,
}

impl PeerDescription {
    /// Reads an offer or an answer. Without any MSRP session in it that can be served, it is an error only
    /// when its sections are not simply closed.
    ///
    /// # Errors
    /// [`Refusal::MalformedBody`] -> 400, [`Refusal::NotAcceptable`] -> 488. The peer's fault.
    pub(crate) fn read(octets: &[u8]) -> Result<Self, Refusal> {
        let sdp = std::str::from_utf8(octets)
            .map_err(|_| Refusal::MalformedBody("The session description is not UTF-8".into()))?;
        let description = Description::parse(sdp).map_err(|error| refusal_of(&error))?;
        let unusable = match description.message_media() {
            Ok(_) => None,
            Err(error @ SdpError::MediaRefused) => Some(refusal_of(&error)),
            Err(error) => return Err(refusal_of(&error)),
        };
        let section = |index| {
            Some(Section {
                closed: description.closed(index)?,
                is_closed: description.is_closed(index),
                session: Remote::of(&description, index, sdp),
            })
        };
        Ok(Self {
            sections: (0..description.media_count()).filter_map(section).collect(),
            unusable,
        })
    }

    /// Leaves sessions out that no listener serves.
    pub(crate) fn served_by(mut self, policy: &Policy) -> Self {
        for section in &mut self.sections {
            if let Some(session) = section.session.take() {
                match session.served_by(policy) {
                    Ok(session) => section.session = Some(session),
                    Err(refusal) => {
                        self.unusable.get_or_insert(refusal);
                    }
                }
            }
        }
        self
    }

    /// The same, when it has a session at all.
    ///
    /// # Errors
    /// [`Refusal::NotAcceptable`] -> 488. The peer's fault.
    pub(crate) fn with_session(self) -> Result<Self, Refusal> {
        if self.sections.iter().any(|s| s.session.is_some()) {
            return Ok(self);
        }
        let missing = || Refusal::NotAcceptable("There is no message media.".into());
        Err(self.unusable.unwrap_or_else(missing))
    }

    /// How many sections there are.
    pub(crate) fn count(&self) -> usize {
        self.sections.len()
    }

    /// The session at this place.
    pub(crate) fn at(&self, place: usize) -> Option<&Remote> {
        self.sections.get(place)?.session.as_ref()
    }

    /// Whether the section at this place has port 0.
    pub(crate) fn is_closed(&self, place: usize) -> bool {
        self.sections.get(place).is_some_and(|s| s.is_closed)
    }

    /// What stays of the sections when their port is 0, in their order.
    pub(crate) fn closed(&self) -> impl Iterator<Item = &ClosedSection> {
        self.sections.iter().map(|section| &section.closed)
    }

    /// The first session in which people talk, and its place.
    pub(crate) fn talk(&self) -> Option<(usize, &Remote)> {
        self.sessions().find(|(_, session)| !session.is_of_file())
    }

    /// The sessions about files, and their places.
    pub(crate) fn files(&self) -> impl Iterator<Item = (usize, &Remote)> {
        self.sessions().filter(|(_, session)| session.is_of_file())
    }

    fn sessions(&self) -> impl Iterator<Item = (usize, &Remote)> {
        let sessions = self.sections.iter().map(|section| section.session.as_ref());
        sessions
            .enumerate()
            .filter_map(|(place, session)| Some((place, session?)))
    }
}

/// One MSRP session in a description.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    /// The description with this session alone.
    pub(crate) sdp: String,
    /// Its message section.
    pub(crate) media: MessageMedia,
}

impl Remote {
    /// The session in this section, when it can be served at all.
    fn of(description: &Description, index: usize, sdp: &str) -> Option<Self> {
        let media = description.message_media_at(index).ok()?;
        let alone = if description.media_count() == 1 {
            sdp.to_owned()
        } else {
            description.only(index)?
        };
        Some(Self { sdp: alone, media })
    }

    /// The value of the attribute that names a transfer.
    ///
    /// # Spec
    /// RFC 5547 s.6, s.8.1.
    pub(crate) fn transfer_id(&self) -> Option<&str> {
        let mut lines = self.media.attributes.iter();
        let line = lines.find(|(name, _)| name.eq_ignore_ascii_case("file-transfer-id"));
        line?.1.as_deref()
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
    fn served_by(self, policy: &Policy) -> Result<Self, Refusal> {
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

fn refusal_of(error: &SdpError) -> Refusal {
    if error.is_malformed() {
        Refusal::MalformedBody(error.to_string())
    } else {
        Refusal::NotAcceptable(error.to_string())
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
