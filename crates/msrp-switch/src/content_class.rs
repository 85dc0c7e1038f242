//! Classes of content that are counted apart.
//!
//! Typing notices and delivery notices make up most of the traffic of a chat. They pass like any
//! other content.

use msrp_wire::ContentType;

/// What the content of a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentClass {
    /// Text of any kind.
    Text,
    /// A notice that somebody is writing (RFC 3994).
    Composing,
    /// A delivery or display notice (`message/imdn+xml`).
    Disposition,
    /// Everything else.
    Other,
}

/// How many messages of each class were accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassSums {
    /// [`ContentClass::Text`].
    pub text: u64,
    /// [`ContentClass::Composing`].
    pub composing: u64,
    /// [`ContentClass::Disposition`].
    pub disposition: u64,
    /// [`ContentClass::Other`].
    pub other: u64,
}

impl ContentClass {
    /// The class of a media type.
    #[must_use]
    pub fn of(content_type: &ContentType<'_>) -> Self {
        if content_type.is("application/im-iscomposing+xml") {
            Self::Composing
        } else if content_type.is("message/imdn+xml") {
            Self::Disposition
        } else if content_type.kind().eq_ignore_ascii_case(b"text") {
            Self::Text
        } else {
            Self::Other
        }
    }
}

impl ClassSums {
    pub(crate) fn count(&mut self, class: ContentClass) {
        let sum = match class {
            ContentClass::Text => &mut self.text,
            ContentClass::Composing => &mut self.composing,
            ContentClass::Disposition => &mut self.disposition,
            ContentClass::Other => &mut self.other,
        };
        *sum = sum.saturating_add(1);
    }
}
