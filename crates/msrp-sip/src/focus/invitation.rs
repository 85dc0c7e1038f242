//! INVITEs that the focus sends, and what their responses mean.
//!
//! # Spec
//! CTRL-7.2.2.1, CTRL-7.2.2.2; AMB-22, AMB-38, AMB-74.

use crate::address::write_name_addr;
use crate::focus::headers::{ALLOW, LARGE_TAG};
use crate::focus::media;
use crate::focus::policy::Policy;
use crate::focus::subscription::ALLOW_EVENTS;
use crate::resource_lists::Entry;
use crate::ua::{Headers, Method, OutRequest};

/// Who invites, as the invitees see it.
#[derive(Debug, Clone)]
pub(crate) struct Inviter {
    /// From: the inviting user, its alias, or the group.
    pub(crate) from: String,
    /// P-Asserted-Identity; none when the inviting user is hidden.
    pub(crate) asserted: Option<String>,
    /// Referred-By: the inviting user or its alias.
    pub(crate) referred_by: String,
    /// Whether the inviting user is hidden.
    pub(crate) is_hidden: bool,
    /// Subject of a group session.
    pub(crate) subject: Option<String>,
}

/// The INVITE to one user.
pub(crate) fn build(
    policy: &Policy,
    inviter: &Inviter,
    invitee: &Entry,
    contact: String,
    sdp: &str,
    (interval_s, is_large): (u32, bool),
) -> OutRequest {
    let mut fields = Headers::new();
    let service = "*;+g.oma.sip-im";
    if is_large {
        fields.push("Accept-Contact", format!("{service};{LARGE_TAG}"));
    } else {
        fields.push("Accept-Contact", service);
    }
    if let Some(asserted) = &inviter.asserted {
        fields.push("P-Asserted-Identity", asserted);
    }
    fields.push("Referred-By", &inviter.referred_by);
    if inviter.is_hidden {
        fields.push("Privacy", "id");
    }
    if let Some(replaces) = &invitee.replaces {
        fields.push("Replaces", replaces.to_string());
        fields.push("Require", "replaces");
    }
    fields.push("Session-Expires", format!("{interval_s};refresher=uas"));
    fields.push("Min-SE", policy.min_se_s.to_string());
    fields.push("Supported", "timer");
    fields.push("Allow", ALLOW);
    fields.push("Allow-Events", ALLOW_EVENTS);
    if let Some(subject) = &inviter.subject {
        fields.push("Subject", subject);
    }
    OutRequest {
        method: Method::Invite,
        uri: invitee.uri.as_str().to_owned(),
        from: inviter.from.clone(),
        to: write_name_addr(invitee.display_name.as_deref(), invitee.uri.as_str()),
        contact: Some(contact),
        headers: fields,
        body: Some(media::sdp_body(sdp)),
    }
}

/// What a refusal of an invitee counts as towards the caller.
///
/// # Spec
/// AMB-22.
pub(crate) fn mapped_status(status: u16) -> u16 {
    match status {
        401 | 407 => 403,
        300..=399 => 480,
        400..=699 => status,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_mapped_for_the_caller() {
        for (status, expected) in [
            (401, 403),
            (407, 403),
            (302, 480),
            (486, 486),
            (603, 603),
            (99, 500),
        ] {
            assert_eq!(mapped_status(status), expected);
        }
    }
}
