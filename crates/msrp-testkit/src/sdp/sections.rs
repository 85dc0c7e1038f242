//! A session description with several MSRP sections.

use std::fmt;

use super::Media;

/// Several `m=message` sections in their order, as a client writes and reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sections {
    /// The version in the `o=` line.
    pub version: u64,
    /// The sections.
    pub list: Vec<Media>,
}

impl Sections {
    /// A first description with these sections.
    pub fn new(list: impl Into<Vec<Media>>) -> Self {
        Self {
            version: 1,
            list: list.into(),
        }
    }

    /// Reads all sections of a description.
    ///
    /// # Panics
    /// When one is no MSRP section, or is broken as [`Media::parse`] says.
    pub fn parse(text: &str) -> Self {
        let mut parts = text.split("m=message ");
        let head = parts.next().expect("the lines before the first section");
        assert!(
            !head.contains("\r\nm="),
            "a section of another media\n{text}"
        );
        let version = head.split("\r\n").find_map(|line| line.strip_prefix("o="));
        let version = version.and_then(|line| line.split(' ').nth(2)?.parse().ok());
        Self {
            version: version.expect("a version in the o= line"),
            list: parts
                .map(|part| Media::parse(&format!("{head}m=message {part}")))
                .collect(),
        }
    }

    /// The ports, which are 0 for what is refused or has ended.
    pub fn ports(&self) -> Vec<u16> {
        self.list.iter().map(|media| media.port).collect()
    }

    /// The next description, after a change.
    #[must_use]
    pub fn next(&self, change: impl FnOnce(&mut Vec<Media>)) -> Self {
        let mut next = self.clone();
        next.version += 1;
        change(&mut next.list);
        next
    }
}

impl fmt::Display for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.list.first().map_or("127.0.0.1", |media| &media.host);
        let version = self.version;
        write!(f, "v=0\r\no=- 2890844526 {version} IN IP4 {host}\r\n")?;
        write!(f, "s=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n")?;
        for media in &self.list {
            let text = media.to_string();
            let start = text.find("m=message").unwrap_or_default();
            f.write_str(&text[start..])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_written_and_read_are_the_same() {
        let media = |port: u16| Media::new(format!("msrp://127.0.0.1:{port}/s{port};tcp"));
        let sections = Sections::new([media(1000), media(2000).line("a=sendonly")]);
        assert_eq!(Sections::parse(&sections.to_string()), sections);
        let next = sections.next(|list| list[1].port = 0);
        assert_eq!((next.version, next.ports()), (2, vec![1000, 0]));
        assert_eq!(Sections::parse(&next.to_string()).ports(), [1000, 0]);
    }
}
