//! The checks before a caller is let in: who is it, what may be asked, what is in the body.
//!
//! Identity comes first, so that strangers learn nothing.
//!
//! # Spec
//! CTRL-7.2.1.2, CTRL-7.2.1.3, CTRL-7.2.1.4, CTRL-7.2.1.5; COM-5.1; AMB-12.

use msrp_control::IDENTITIES_MAX;

use crate::address::{NameAddr, Scheme, Uri};
use crate::focus::headers::{tokens, wants_privacy};
use crate::focus::media::{self, PeerDescription};
use crate::focus::policy::Policy;
use crate::focus::refusal::Refusal;
use crate::focus::session_timer::Agreement;
use crate::multipart::{self, Part};
use crate::resource_lists::{self, Entry};
use crate::ua::{DialogId, Headers, Peer, Request, TxnId};

/// A caller whose identity a trusted neighbour asserts.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// All asserted addresses; the first is the one for policy and display. Not empty.
    pub(crate) addresses: Vec<Uri>,
    /// The name that comes with the asserted address.
    pub(crate) asserted_name: Option<String>,
    /// The From value.
    pub(crate) from: NameAddr,
    /// Whether it wants to be hidden.
    pub(crate) is_anonymous: bool,
    /// Whether it is itself a focus.
    pub(crate) is_focus: bool,
}

/// A caller at the door with all that is needed to answer.
#[derive(Debug)]
pub(crate) struct Knock {
    /// Who it is.
    pub(crate) caller: Caller,
    /// The INVITE to answer.
    pub(crate) transaction: TxnId,
    /// The dialog it makes.
    pub(crate) dialog: DialogId,
    /// Who sent it.
    pub(crate) peer: Peer,
    /// The timer that our 2xx says.
    pub(crate) agreement: Agreement,
    /// The header fields of the INVITE.
    pub(crate) headers: Headers,
    /// Its offer.
    pub(crate) offer: PeerDescription,
}

impl Caller {
    /// Reads who the caller is.
    ///
    /// # Errors
    /// [`Refusal::NoIdentity`] -> 403, [`Refusal::MalformedHeader`] -> 400.
    ///
    /// # Spec
    /// COM-5.1-01, COM-5.1-03, COM-5.1-06; AMB-67.
    pub(crate) fn read(policy: &Policy, headers: &Headers, peer: Peer) -> Result<Self, Refusal> {
        if !policy.trusts(peer.address.ip()) {
            return Err(Refusal::NoIdentity);
        }
        let mut asserted = Vec::new();
        for value in headers.all("P-Asserted-Identity") {
            asserted.extend(NameAddr::parse_list(value).map_err(|_| Refusal::NoIdentity)?);
        }
        // The sort is stable: sip and sips stay in their order, and before tel.
        asserted.sort_by_key(|n| n.uri.scheme() == Scheme::Tel);
        asserted.truncate(IDENTITIES_MAX);
        let asserted_name = asserted
            .first()
            .ok_or(Refusal::NoIdentity)?
            .display_name
            .clone();
        let from = headers
            .first("From")
            .and_then(|v| NameAddr::parse(v).ok())
            .ok_or(Refusal::MalformedHeader("From"))?;
        let contacts = headers
            .all("Contact")
            .flat_map(|v| NameAddr::parse_list(v).unwrap_or_default());
        let is_focus = contacts
            .into_iter()
            .any(|c| c.has_parameter("isfocus") || c.uri.parameter("isfocus").is_some());
        Ok(Self {
            addresses: asserted.into_iter().map(|n| n.uri).collect(),
            asserted_name,
            from,
            is_anonymous: wants_privacy(headers),
            is_focus,
        })
    }

    /// Whether one of its addresses is this one.
    pub(crate) fn is(&self, uri: &Uri) -> bool {
        self.addresses.iter().any(|a| a.is_same(uri))
    }

    /// The address for policy and display.
    pub(crate) fn address(&self) -> &str {
        self.addresses.first().map_or("", Uri::as_str)
    }

    /// The name to show for a caller that is not hidden.
    ///
    /// # Spec
    /// COM-5.5-05 to COM-5.5-07.
    pub(crate) fn display_name(&self, group_name: Option<&str>) -> Option<String> {
        let names = [
            group_name,
            self.asserted_name.as_deref(),
            self.from.display_name.as_deref(),
        ];
        names.into_iter().flatten().next().map(str::to_owned)
    }
}

/// Checks that no dialog is to be replaced.
///
/// # Errors
/// [`Refusal::NothingToReplace`] -> 481 for a Replaces field: no dialog of ours can be replaced, so
/// it names none.
///
/// # Spec
/// RFC 3891 s.3.
pub(crate) fn check_replaces(headers: &Headers) -> Result<(), Refusal> {
    match headers.first("Replaces") {
        None => Ok(()),
        Some(_) => Err(Refusal::NothingToReplace),
    }
}

/// Checks the extensions that the request requires.
///
/// # Errors
/// [`Refusal::BadExtension`] -> 420.
///
/// # Spec
/// AMB-49; RFC 3261 s.8.2.2.3.
pub(crate) fn check_extensions(headers: &Headers) -> Result<(), Refusal> {
    let is_known = |tag: &&str| KNOWN_EXTENSIONS.iter().any(|k| k.eq_ignore_ascii_case(tag));
    let unknown: Vec<&str> = tokens(headers, "Require")
        .filter(|tag| !is_known(tag))
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Refusal::BadExtension(unknown.join(", ")))
    }
}

/// Takes the offer and the list out of an INVITE. Whether the offer has to take a wrapper depends on
/// what the INVITE is for.
///
/// # Errors
/// [`Refusal::UnsupportedBody`], [`Refusal::UnsupportedEncoding`] -> 415,
/// [`Refusal::MalformedBody`] -> 400, [`Refusal::NotAcceptable`] -> 488.
pub(crate) fn read_offer(
    request: &Request,
    policy: &Policy,
) -> Result<(PeerDescription, Vec<Part>), Refusal> {
    if request
        .headers
        .all("Content-Encoding")
        .any(|e| !e.trim().eq_ignore_ascii_case("identity"))
    {
        return Err(Refusal::UnsupportedEncoding);
    }
    let Some(body) = &request.body else {
        return Err(Refusal::NotAcceptable(
            "The request has no session description.".into(),
        ));
    };
    let parts = multipart::divide(body).map_err(|e| Refusal::MalformedBody(e.to_string()))?;
    let is_known =
        |part: &Part| part.is_optional || [media::SDP, LIST].contains(&part.media_type.as_str());
    if !parts.iter().all(is_known) {
        return Err(Refusal::UnsupportedBody);
    }
    let sdp = parts.iter().find(|p| p.media_type == media::SDP);
    let sdp = sdp
        .ok_or_else(|| Refusal::NotAcceptable("The request has no session description.".into()))?;
    let offer = PeerDescription::read(&sdp.octets)?.served_by(policy);
    Ok((offer.with_session()?, parts))
}

/// The distinct users of the list, the caller left out, in list order.
///
/// # Errors
/// [`Refusal::MalformedBody`] -> 400 when there is no list, when it cannot be read, or when nobody
/// is left.
///
/// # Spec
/// CTRL-7.2.1.2-21.
pub(crate) fn read_invitees(parts: &[Part], caller: &Caller) -> Result<Vec<Entry>, Refusal> {
    let is_list = |p: &&Part| {
        p.media_type == LIST
            && p.disposition
                .as_deref()
                .is_none_or(|d| d == "recipient-list")
    };
    let list = parts.iter().find(is_list);
    let list =
        list.ok_or_else(|| Refusal::MalformedBody("The request has no resource list".into()))?;
    let entries =
        resource_lists::parse(&list.octets).map_err(|e| Refusal::MalformedBody(e.to_string()))?;
    let mut seen = std::collections::HashSet::new();
    let invitees: Vec<Entry> = entries
        .into_iter()
        .filter(|e| !caller.is(&e.uri))
        .filter(|e| seen.insert(e.uri.key()))
        .collect();
    if invitees.is_empty() {
        return Err(Refusal::MalformedBody(
            "The resource list names nobody to invite".into(),
        ));
    }
    Ok(invitees)
}

/// The type of a list of addresses.
pub(crate) const LIST: &str = "application/resource-lists+xml";

/// Extensions that a request may require.
///
/// # Spec
/// AMB-49.
const KNOWN_EXTENSIONS: [&str; 8] = [
    "recipient-list-invite",
    // Printed by mistake where the one before is meant.
    "recipient-list-subscribe",
    "recipient-list-message",
    "multiple-refer",
    "norefersub",
    "replaces",
    "timer",
    "pref",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ua::Transport;

    // covers: COM-5.5-05, COM-5.5-06, COM-5.5-07, COM-5.5-01
    #[test]
    fn display_name_follows_its_order() {
        let policy = Policy {
            trusted_peers: vec!["127.0.0.1/32".parse().unwrap()],
            ..Policy::new("im.example")
        };
        let peer = Peer {
            address: "127.0.0.1:5060".parse().unwrap(),
            transport: Transport::Tcp,
        };
        let read = |from: &str, asserted: &str| {
            let headers = Headers::new()
                .with("From", from)
                .with("P-Asserted-Identity", asserted);
            Caller::read(&policy, &headers, peer).unwrap()
        };
        let both = read("From <sip:a@h>", "Pai <sip:a@h>");
        assert_eq!(both.display_name(Some("Group")).as_deref(), Some("Group"));
        assert_eq!(both.display_name(None).as_deref(), Some("Pai"));
        let last = read("From <sip:a@h>", "<sip:a@h>");
        assert_eq!(last.display_name(None).as_deref(), Some("From"));
        assert_eq!(read("<sip:a@h>", "<sip:a@h>").display_name(None), None);
    }
}
