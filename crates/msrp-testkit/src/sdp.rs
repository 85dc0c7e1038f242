//! The MSRP media section of an offer or answer.

mod sections;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

pub use sections::Sections;

/// One `m=message` section with what a test wants to say or to check about it.
///
/// # Spec
/// RFC 4975 s.8; RFC 6135 s.4.2 (`a=setup`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Address of the `c=` line.
    pub host: String,
    /// Port of the `m=` line; 0 refuses the section.
    pub port: u16,
    /// Protocol of the `m=` line, such as `TCP/MSRP`.
    pub protocol: String,
    /// URIs of `a=path`, the adjacent hop first.
    pub path: Vec<String>,
    /// Entries of `a=accept-types`.
    pub accept_types: Vec<String>,
    /// Entries of `a=accept-wrapped-types`; no line when empty.
    pub accept_wrapped_types: Vec<String>,
    /// Octets of `a=max-size`.
    pub max_size: Option<u64>,
    /// `active`, `passive` or `actpass`; no line when absent.
    pub setup: Option<String>,
    /// Other lines of the section without their line ends, such as `a=chatroom:nickname`.
    pub lines: Vec<String>,
}

impl Media {
    /// A section for one MSRP URI: host and port from the URI, `message/cpim` around `text/plain`, no `a=setup`.
    ///
    /// # Panics
    /// When the URI has no numeric address with a port.
    pub fn new(uri: impl Into<String>) -> Self {
        let uri = uri.into();
        let address = socket_address(&uri);
        Self {
            host: address.ip().to_string(),
            port: address.port(),
            protocol: if uri.starts_with("msrps:") {
                "TCP/TLS/MSRP"
            } else {
                "TCP/MSRP"
            }
            .into(),
            path: vec![uri],
            accept_types: vec!["message/cpim".into()],
            accept_wrapped_types: vec!["text/plain".into()],
            max_size: None,
            setup: None,
            lines: Vec::new(),
        }
    }

    /// Replaces `a=accept-types`; entries are parted by blanks.
    #[must_use]
    pub fn accept_types(mut self, types: &str) -> Self {
        self.accept_types = words(types);
        self
    }

    /// Replaces `a=accept-wrapped-types`; entries are parted by blanks, empty means no line.
    #[must_use]
    pub fn accept_wrapped_types(mut self, types: &str) -> Self {
        self.accept_wrapped_types = words(types);
        self
    }

    /// Sets `a=max-size` in octets.
    #[must_use]
    pub fn max_size(mut self, octets: u64) -> Self {
        self.max_size = Some(octets);
        self
    }

    /// Sets `a=setup`.
    #[must_use]
    pub fn setup(mut self, setup: &str) -> Self {
        self.setup = Some(setup.into());
        self
    }

    /// Adds a line to the section, such as `a=sendonly`.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.into());
        self
    }

    /// Reads the first `m=message` section of a session description.
    ///
    /// # Panics
    /// When the text is no session description with such a section: the line order `v= o= s= .. t= .. m=`, CRLF
    /// line ends, exactly one `a=path` and one `a=accept-types` in a section that is not refused.
    pub fn parse(text: &str) -> Self {
        match parse(text) {
            Ok(media) => media,
            Err(fault) => panic!("bad SDP: {fault}\n{text}"),
        }
    }

    /// Where to connect: host and port of the first path URI.
    ///
    /// # Panics
    /// When the path is empty or has no numeric address.
    pub fn address(&self) -> SocketAddr {
        socket_address(self.path.first().expect("a path"))
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.host.parse().is_ok_and(|ip: IpAddr| ip.is_ipv6()) {
            "IP6"
        } else {
            "IP4"
        };
        let Self {
            host,
            port,
            protocol,
            ..
        } = self;
        write!(
            f,
            "v=0\r\no=- 2890844526 2890844527 IN {family} {host}\r\ns=-\r\n"
        )?;
        write!(
            f,
            "c=IN {family} {host}\r\nt=0 0\r\nm=message {port} {protocol} *\r\n"
        )?;
        write!(f, "a=accept-types:{}\r\n", self.accept_types.join(" "))?;
        if !self.accept_wrapped_types.is_empty() {
            write!(
                f,
                "a=accept-wrapped-types:{}\r\n",
                self.accept_wrapped_types.join(" ")
            )?;
        }
        if let Some(octets) = self.max_size {
            write!(f, "a=max-size:{octets}\r\n")?;
        }
        if let Some(setup) = &self.setup {
            write!(f, "a=setup:{setup}\r\n")?;
        }
        for line in &self.lines {
            write!(f, "{line}\r\n")?;
        }
        write!(f, "a=path:{}\r\n", self.path.join(" "))
    }
}

fn parse(text: &str) -> Result<Media, String> {
    let lines = text
        .strip_suffix("\r\n")
        .ok_or("the last line has no CRLF")?
        .split("\r\n")
        .collect::<Vec<_>>();
    if let Some(line) = lines
        .iter()
        .find(|line| line.as_bytes().get(1) != Some(&b'=') || line.contains(['\r', '\n']))
    {
        return Err(format!("line {line:?}"));
    }
    check_session(&lines)?;
    let start = lines
        .iter()
        .position(|line| line.starts_with("m=message "))
        .ok_or("no m=message")?;
    let section = lines[start..]
        .iter()
        .enumerate()
        .take_while(|(at, line)| *at == 0 || !line.starts_with("m="));
    let section = section.map(|(_, line)| *line).collect::<Vec<_>>();
    let session = lines.iter().take_while(|line| !line.starts_with("m="));
    let connection = section
        .iter()
        .chain(session)
        .find_map(|line| line.strip_prefix("c=IN IP"));
    let mut media = media_line(section[0])?;
    media.host = connection
        .and_then(|line| line.split_once(' '))
        .ok_or("no c= line")?
        .1
        .into();
    for line in &section[1..] {
        attribute(&mut media, line)?;
    }
    if media.port != 0 && (media.path.is_empty() || media.accept_types.is_empty()) {
        return Err("a=path or a=accept-types is missing".into());
    }
    Ok(media)
}

/// The order of RFC 4566 s.5, for the lines that must be there.
fn check_session(lines: &[&str]) -> Result<(), String> {
    let order = lines
        .iter()
        .map_while(|line| (!line.starts_with("m=")).then(|| &line[..1]))
        .collect::<String>();
    if lines[0] != "v=0" || !order.starts_with("vos") || order.matches('t').count() != 1 {
        return Err(format!("session lines are {order}"));
    }
    let ranked = order
        .chars()
        .map(|letter| "vosiuepcbtrzka".find(letter).unwrap_or(usize::MAX))
        .collect::<Vec<_>>();
    if !ranked.is_sorted() {
        return Err(format!("session lines are in the order {order}"));
    }
    Ok(())
}

fn media_line(line: &str) -> Result<Media, String> {
    let words = line.split(' ').collect::<Vec<_>>();
    let [_, port, protocol, "*"] = words[..] else {
        return Err(format!("media line {line:?}"));
    };
    Ok(Media {
        host: String::new(),
        port: port.parse().map_err(|_| format!("media port {port:?}"))?,
        protocol: protocol.into(),
        path: Vec::new(),
        accept_types: Vec::new(),
        accept_wrapped_types: Vec::new(),
        max_size: None,
        setup: None,
        lines: Vec::new(),
    })
}

fn attribute(media: &mut Media, line: &str) -> Result<(), String> {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    match name {
        "a=path" if media.path.is_empty() => media.path = words(value),
        "a=accept-types" if media.accept_types.is_empty() => media.accept_types = words(value),
        "a=accept-wrapped-types" if media.accept_wrapped_types.is_empty() => {
            media.accept_wrapped_types = words(value)
        }
        "a=max-size" if media.max_size.is_none() => {
            media.max_size = Some(value.parse().map_err(|_| format!("max-size {value:?}"))?);
        }
        "a=setup" if media.setup.is_none() => media.setup = Some(value.into()),
        "a=path" | "a=accept-types" | "a=accept-wrapped-types" | "a=max-size" | "a=setup" => {
            return Err(format!("{name} twice"));
        }
        _ => media.lines.push(line.into()),
    }
    Ok(())
}

fn words(text: &str) -> Vec<String> {
    text.split(' ')
        .filter(|word| !word.is_empty())
        .map(Into::into)
        .collect()
}

/// Host and port of an MSRP URI; `localhost` counts as 127.0.0.1.
fn socket_address(uri: &str) -> SocketAddr {
    let authority = uri
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', ';']).next())
        .unwrap_or_default();
    let authority = authority
        .rsplit('@')
        .next()
        .unwrap_or_default()
        .replace("localhost", "127.0.0.1");
    match authority.parse() {
        Ok(address) => address,
        Err(_) => panic!("no numeric address with a port in {uri:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_written_and_read_is_the_same() {
        let media = Media::new("msrp://127.0.0.1:2855/abc;tcp")
            .accept_types("message/cpim text/plain")
            .accept_wrapped_types("*")
            .max_size(1000)
            .setup("actpass")
            .line("a=sendrecv");
        assert_eq!(Media::parse(&media.to_string()), media);
        assert_eq!(media.address(), "127.0.0.1:2855".parse().unwrap());
    }

    #[test]
    fn media_with_faults_is_refused() {
        let good = Media::new("msrp://127.0.0.1:2855/abc;tcp").to_string();
        for (from, to) in [
            ("\r\n", "\n"),
            ("a=path:", "a=pfad:"),
            ("t=0 0\r\n", ""),
            (
                "s=-\r\nc=IN IP4 127.0.0.1\r\n",
                "c=IN IP4 127.0.0.1\r\ns=-\r\n",
            ),
            ("TCP/MSRP *", "TCP/MSRP"),
            ("m=message", "m=audio"),
            ("a=accept-types:", "a=accept-types:*\r\na=accept-types:"),
        ] {
            assert!(good.contains(from));
            assert!(
                parse(&good.replace(from, to)).is_err(),
                "{from:?} as {to:?}"
            );
        }
    }

    #[test]
    fn media_of_the_second_section_is_found() {
        let text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n\
            m=message 9 TCP/MSRP *\r\na=path:msrp://192.0.2.1:9/x;tcp\r\na=accept-types:*\r\nm=audio 9 RTP/AVP 0\r\na=x\r\n";
        let media = Media::parse(text);
        assert_eq!(
            (media.port, media.lines.len(), media.host.as_str()),
            (9, 0, "192.0.2.1")
        );
    }
}
