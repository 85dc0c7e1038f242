//! Access to the attributes of one media section.

use sdp_types::{Attribute, Media, Session};

use crate::SdpError;

/// One media section, with the lines that stand before the first section.
#[derive(Clone, Copy)]
pub(crate) struct Section<'a> {
    /// The whole description.
    pub(crate) session: &'a Session,
    /// The section.
    pub(crate) media: &'a Media,
}

impl<'a> Section<'a> {
    /// The lines of an attribute in the section.
    pub(crate) fn lines(self, name: &str) -> impl Iterator<Item = &'a Attribute> {
        self.media
            .attributes
            .iter()
            .filter(move |line| line.attribute.eq_ignore_ascii_case(name))
    }

    /// The only value of an attribute in the section; `Some("")` for a line without a value.
    ///
    /// Lines that repeat the same value count as one.
    pub(crate) fn only(self, name: &'static str) -> Result<Option<&'a str>, SdpError> {
        one(name, self.lines(name))
    }

    /// The only value of an attribute in the section, otherwise before the first section.
    pub(crate) fn only_inherited(self, name: &'static str) -> Result<Option<&'a str>, SdpError> {
        match self.only(name)? {
            Some(value) => Ok(Some(value)),
            None => {
                let session = &self.session.attributes;
                one(
                    name,
                    session
                        .iter()
                        .filter(|line| line.attribute.eq_ignore_ascii_case(name)),
                )
            }
        }
    }
}

/// The value that all the lines agree on.
fn one<'a>(
    name: &'static str,
    mut lines: impl Iterator<Item = &'a Attribute>,
) -> Result<Option<&'a str>, SdpError> {
    let Some(first) = lines.next().map(value) else {
        return Ok(None);
    };
    if lines.all(|line| value(line) == first) {
        Ok(Some(first))
    } else {
        Err(SdpError::BadAttribute {
            name,
            why: "it has several different values",
        })
    }
}

/// The value of a line without the spaces around it.
fn value(line: &Attribute) -> &str {
    line.value.as_deref().unwrap_or_default().trim()
}
