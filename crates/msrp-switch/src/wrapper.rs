//! The wrapper at the start of a message, as far as it decides who gets the message.

use msrp_wire::{ContentType, cpim};

use crate::final_report::NAMESPACE;
use crate::limits::CPIM_HEAD_OCTETS_MAX;
use crate::refused::Refused;

/// What the first octets of a message say.
#[derive(Debug)]
pub(crate) struct Wrapper<'a> {
    /// The CPIM headers.
    pub(crate) cpim: cpim::Parsed<'a>,
    /// The type of the content; `None` when it has none.
    pub(crate) inner: Option<ContentType<'a>>,
}

impl<'a> Wrapper<'a> {
    /// Reads the first octets of a message. `None` until both header sections are complete: that
    /// of the wrapper, and that of its content, which names the type. `is_whole`: no more octets
    /// come.
    ///
    /// # Errors
    /// [`Refused::NoSenderOrRecipient`], [`Refused::MalformedCpim`].
    pub(crate) fn read(octets: &'a [u8], is_whole: bool) -> Result<Option<Self>, Refused> {
        let cpim = match cpim::Wrapper::parse(octets) {
            Ok(cpim) => cpim,
            Err(cpim::Error::NeedMore) if !is_whole => return Ok(None),
            Err(error) if error.names_no_sender_or_recipient() => {
                return Err(Refused::NoSenderOrRecipient);
            }
            Err(cpim::Error::NeedMore | cpim::Error::Malformed { .. }) => {
                return Err(Refused::MalformedCpim);
            }
        };
        let is_typed = is_whole || cpim.inner_body_offset.is_some();
        let content_octets = octets.len().saturating_sub(cpim.head_octets);
        if !is_typed && content_octets < CPIM_HEAD_OCTETS_MAX {
            return Ok(None);
        }
        let inner = if is_typed {
            cpim.content_type
        } else {
            Some(UNKNOWN_TYPE)
        };
        let inner = inner.and_then(|value| ContentType::parse(value).ok());
        Ok(Some(Self { cpim, inner }))
    }
}

impl Wrapper<'_> {
    /// Whether the sender asks for a final report. A value that is not `yes` means no.
    ///
    /// # Spec
    /// FR-5.7.1-03, FR-5.7.1-04; AMB-06.
    pub(crate) fn asks_for_final_report(&self) -> bool {
        self.cpim
            .other(NAMESPACE, "Final-Report")
            .is_some_and(|header| header.value.eq_ignore_ascii_case("yes"))
    }
}

/// What content counts as whose headers are too long to look for its type: only who takes
/// everything takes it.
const UNKNOWN_TYPE: &[u8] = b"application/octet-stream";
