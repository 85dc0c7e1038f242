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
    /// A file: a picture, a sound, a film, octets of no type, or the announcement of a file that is
    /// fetched over HTTP.
    File,
    /// Everything else.
    Other,
}

/// How many messages of each class there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassSums {
    /// [`ContentClass::Text`].
    pub text: u64,
    /// [`ContentClass::Composing`].
    pub composing: u64,
    /// [`ContentClass::Disposition`].
    pub disposition: u64,
    /// [`ContentClass::File`].
    pub file: u64,
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
        } else if is_file(content_type) {
            Self::File
        } else {
            Self::Other
        }
    }
}

impl ClassSums {
    /// Messages of all classes.
    #[must_use]
    pub fn total(&self) -> u64 {
        [
            self.text,
            self.composing,
            self.disposition,
            self.file,
            self.other,
        ]
        .iter()
        .fold(0, |all, sum| all.saturating_add(*sum))
    }

    pub(crate) fn count(&mut self, class: ContentClass) {
        let sum = match class {
            ContentClass::Text => &mut self.text,
            ContentClass::Composing => &mut self.composing,
            ContentClass::Disposition => &mut self.disposition,
            ContentClass::File => &mut self.file,
            ContentClass::Other => &mut self.other,
        };
        *sum = sum.saturating_add(1);
    }
}

/// The announcement of a file is that of RCS, which stands for the file in the chat.
fn is_file(content_type: &ContentType<'_>) -> bool {
    let kind = content_type.kind();
    let is_kind = |name: &&[u8]| kind.eq_ignore_ascii_case(name);
    FILE_KINDS.iter().any(is_kind)
        || content_type.is("application/octet-stream")
        || content_type.is("application/vnd.gsma.rcs-ft-http+xml")
}

const FILE_KINDS: [&[u8]; 4] = [b"image", b"audio", b"video", b"font"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_class_is_that_of_the_media_type() {
        let class = |text: &str| ContentClass::of(&ContentType::parse(text.as_bytes()).unwrap());
        assert_eq!(class("Text/Plain;charset=utf-8"), ContentClass::Text);
        assert_eq!(
            class("application/im-iscomposing+xml"),
            ContentClass::Composing
        );
        assert_eq!(class("message/imdn+xml"), ContentClass::Disposition);
        for file in [
            "IMAGE/jpeg",
            "audio/amr",
            "video/mp4",
            "application/octet-stream",
            "application/vnd.gsma.rcs-ft-http+xml",
        ] {
            assert_eq!(class(file), ContentClass::File, "{file}");
        }
        assert_eq!(class("application/json"), ContentClass::Other);
    }
}
